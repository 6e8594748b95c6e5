"""Bounds of parameters: read, checked, and held against a starting point."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ._validate import FloatArray, real_array


class Bounds(NamedTuple):
    """Lower and upper bounds, one for each parameter."""

    lower: FloatArray
    upper: FloatArray

    def active(self, x: FloatArray) -> NDArray[np.intp]:
        """Say where a point lies on a bound: -1 on the lower, 1 on the upper, 0 elsewhere and where both are equal."""
        mask: NDArray[np.intp] = (x == self.upper).astype(np.intp) - (x == self.lower)
        return mask


def checked_bounds(bounds: Any, n: int, names: Sequence[str] | None = None, may_fix: bool = True) -> Bounds | None:
    """Return the bounds of `n` parameters, or None where there are none.

    A pair (lower, upper) of numbers or arrays, or an object with the attributes ``lb`` and ``ub``; None, or infinite
    bounds throughout, are none. `names` are what the parameters are called in messages. Equal bounds fix a parameter
    where that may be.
    """
    if bounds is None:
        return None
    try:
        lower, upper = (bounds.lb, bounds.ub) if hasattr(bounds, "lb") else bounds
    except (TypeError, ValueError):
        raise ValueError(f"bounds: got {bounds!r}, expected a pair (lower, upper) of numbers or arrays") from None
    low, high = _side(lower, "lower", n), _side(upper, "upper", n)
    if np.all(low == -np.inf) and np.all(high == np.inf):
        return None
    for j in range(n):
        name = names[j] if names is not None else f"parameter {j} (counted from 0)"
        if np.isnan(low[j]) or np.isnan(high[j]):
            side = "lower" if np.isnan(low[j]) else "upper"
            raise ValueError(f"bounds: the {side} bound of {name} is NaN, expected a number; -inf or inf mean none")
        if low[j] > high[j]:
            raise ValueError(
                f"bounds: the lower bound of {name}, {low[j]:g}, is above the upper one, {high[j]:g}; "
                f"each lower bound must be less than the upper one. Are they swapped?"
            )
        if low[j] == high[j] and not (may_fix and np.isfinite(low[j])):
            hint = " Leave the parameter out of x0 to fix it." if np.isfinite(low[j]) else ""
            raise ValueError(
                f"bounds: lower and upper bound of {name} are both {low[j]:g}; each lower bound must be strictly less "
                f"than the upper one.{hint}"
            )
    return Bounds(low, high)


def refuse_infeasible(x0: FloatArray, bounds: Bounds, what: str, names: Sequence[str] | None = None) -> None:
    """Refuse a starting point outside of its bounds."""
    outside = np.flatnonzero((x0 < bounds.lower) | (x0 > bounds.upper))
    if outside.size == 0:
        return
    j = int(outside[0])
    name = names[j] if names is not None else f"parameter {j} (counted from 0)"
    raise ValueError(
        f"{what} is infeasible: {name} starts at {x0[j]:g}, outside of its bounds [{bounds.lower[j]:g}, "
        f"{bounds.upper[j]:g}]. Start inside or on the bounds, np.clip({what}, lower, upper)"
    )


def _side(value: Any, side: str, n: int) -> FloatArray:
    """Return the bounds of one side, one for each parameter."""
    given = real_array(value, f"{side} bounds")
    if given.shape not in ((), (n,)):
        raise ValueError(f"bounds: got {side} bounds of shape {given.shape}, expected a number or {n} of them")
    return np.array(np.broadcast_to(given, n))
