"""Bounds of parameters: read, checked, held against a starting point, and kept to by difference steps."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .parameters import by_name
from .pieces import is_dask, real_numbers
from .validate import FloatArray


class Bounds(NamedTuple):
    """Lower and upper bounds, one for each parameter, of one fit; or of many, shape (..., N)."""

    lower: FloatArray
    upper: FloatArray

    def active(self, x: FloatArray, kind: Any = np.int_) -> NDArray[Any]:
        """Say where points lie on a bound: -1 on the lower, 1 on the upper, 0 elsewhere and where both are equal."""
        mask: NDArray[Any] = np.subtract(x == self.upper, x == self.lower, dtype=kind)
        return mask

    def holds(self, x: FloatArray) -> NDArray[np.bool_]:
        """Say which parameters are on a bound, or fixed."""
        held: NDArray[np.bool_] = (x == self.upper) | (x == self.lower)
        return held

    @property
    def free(self) -> NDArray[np.bool_]:
        """Which parameters are not fixed: their bounds differ."""
        free: NDArray[np.bool_] = self.lower != self.upper
        return free

    def rows(self, which: Any) -> "Bounds":
        """Return the bounds of one of many fits, or of some."""
        return Bounds(self.lower[which], self.upper[which])


def count_free(n: int, box: Bounds | None) -> int:
    """Count the parameters of one fit that are not fixed."""
    return n if box is None else int(np.count_nonzero(box.free))


def checked_bounds(bounds: Any, n: int, names: Sequence[str] | None = None, may_fix: bool = True) -> Bounds | None:
    """Return the bounds of `n` parameters of one fit, or None where there are none.

    A pair (lower, upper) of numbers or arrays, an object with the attributes ``lb`` and ``ub``, or a dict of pairs by
    name; None, or infinite bounds throughout, are none. `names` are what the parameters are called in messages. Equal
    bounds fix a parameter where that may be.
    """
    found = bounds_of_many(bounds, n, names, may_fix)
    if found is not None and found.lower.ndim > 1:
        raise ValueError(f"bounds: got bounds of shape {found.lower.shape}, expected a number or {n} of them")
    return found


def bounds_of_many(bounds: Any, n: int, names: Sequence[str] | None = None, may_fix: bool = True) -> Bounds | None:
    """Return bounds of `n` parameters, shape (..., N), or None where there are none; see `checked_bounds`."""
    if bounds is None:
        return None
    names = [f"parameter {j} (counted from 0)" for j in range(n)] if names is None else names
    if isinstance(bounds, Mapping):
        lower, upper = _by_name(bounds, names)
    else:
        try:
            lower, upper = map(_single, (bounds.lb, bounds.ub)) if hasattr(bounds, "lb") else bounds
        except (TypeError, ValueError):
            raise ValueError(f"bounds: got {bounds!r}, expected a pair (lower, upper) of numbers or arrays") from None
        lower, upper = _side(lower, "lower", n), _side(upper, "upper", n)
    if is_dask(lower) or is_dask(upper):
        return Bounds(lower, upper)  # looked at when they are computed
    try:
        low, high = np.broadcast_arrays(lower, upper)
    except ValueError:
        raise ValueError(
            f"bounds: lower and upper bounds have shapes {lower.shape} and {upper.shape}, expected ones that broadcast"
        ) from None
    if np.all(low == -np.inf) and np.all(high == np.inf):
        return None
    found = Bounds(np.ascontiguousarray(low), np.ascontiguousarray(high))
    refuse_unusable(found, names, may_fix)
    return found


def _by_name(bounds: Mapping[str, Any], names: Sequence[str]) -> tuple[FloatArray, FloatArray]:
    """Return lower and upper bounds from pairs by name."""
    sides = []
    for side, name in enumerate(("lower", "upper")):
        values = {}
        for parameter, pair in bounds.items():
            try:
                values[parameter] = tuple(pair)[side] if len(pair) == 2 else None
            except TypeError:
                values[parameter] = None
            if values[parameter] is None:
                raise ValueError(f"bounds[{parameter!r}]: got {pair!r}, expected a pair (lower, upper)")
        found, given = by_name(values, names, f"{name} bounds")
        sides.append(np.where(given, found, (-np.inf, np.inf)[side]))
    return sides[0], sides[1]


def _single(side: Any) -> Any:
    """Return the number in an array of one, which SciPy's Bounds make of a number."""
    return side[0] if np.shape(side) == (1,) else side


def _side(value: Any, side: str, n: int) -> FloatArray:
    """Return the bounds of one side, shape (..., N)."""
    given = value if is_dask(value) else real_numbers(value, f"{side} bounds").astype(np.float64)
    if given.ndim and given.shape[-1] != n:
        raise ValueError(f"bounds: got {side} bounds of shape {given.shape}, expected a number or {n} of them")
    if is_dask(given) and given.ndim:
        whole: FloatArray = given
        return whole
    return given if given.ndim else np.full(n, given)


def refuse_unusable(bounds: Bounds, names: Sequence[str], may_fix: bool = True) -> None:
    """Raise where bounds are NaN, crossed, or equal where they may not be."""
    if (bounds.lower < bounds.upper).all():
        return
    lower, upper = np.broadcast_arrays(*bounds)
    for j, name in enumerate(names):
        _refuse_unusable(name, lower[..., j], upper[..., j], may_fix)


def _refuse_unusable(name: str, lower: FloatArray, upper: FloatArray, may_fix: bool) -> None:
    """Raise where the bounds of a parameter are NaN, crossed, or equal where they may not be."""
    for side, bound in (("lower", lower), ("upper", upper)):
        if np.isnan(bound).any():
            raise ValueError(f"bounds: the {side} bound of {name} is NaN, expected a number; -inf or inf mean none")
    if (lower > upper).any():
        low, high = lower[lower > upper].flat[0], upper[lower > upper].flat[0]
        raise ValueError(
            f"bounds: the lower bound of {name}, {low:g}, is above the upper one, {high:g}; each lower bound must be "
            f"strictly less than each upper bound. Are they swapped?"
        )
    equal = lower == upper
    if (equal & (np.isinf(lower) | (not may_fix))).any():
        bound = lower[equal].flat[0]
        hint = " To hold it there, use fixed= of curve_fit, or leave it out of the start." if np.isfinite(bound) else ""
        raise ValueError(
            f"bounds: lower and upper bound of {name} are both {bound:g}; each lower bound must be strictly less than "
            f"each upper bound.{hint}"
        )


def refuse_infeasible(x0: FloatArray, bounds: Bounds, what: str, names: Sequence[str] | None = None) -> None:
    """Refuse a starting point outside of its bounds."""
    beyond = (x0 < bounds.lower) | (x0 > bounds.upper)
    if not beyond.any():
        return
    outside = np.argwhere(beyond)
    j = int(outside[0][-1])
    lower, upper = (np.broadcast_to(side, x0.shape)[tuple(outside[0])] for side in bounds)
    name = names[j] if names is not None else f"parameter {j} (counted from 0)"
    raise ValueError(
        f"Initial guess is outside of provided bounds: {what} is infeasible: {name} starts at "
        f"{x0[tuple(outside[0])]:g}, outside of its bounds [{lower:g}, {upper:g}]. Start inside or on the bounds, "
        f"np.clip({what}, lower, upper)"
    )


def middle(bounds: Bounds) -> FloatArray:
    """Return a point between bounds: the middle, 1 from the only one, or 1."""
    lower, upper = bounds
    with np.errstate(invalid="ignore", over="ignore"):
        point = np.where(np.isfinite(lower) & np.isfinite(upper), 0.5 * lower + 0.5 * upper, 1.0)
        point = np.where(np.isfinite(lower) & ~np.isfinite(upper), lower + 1, point)
        point = np.where(~np.isfinite(lower) & np.isfinite(upper), upper - 1, point)
    inside: FloatArray = np.clip(point, lower, upper)
    return inside


def steps_inside(steps: FloatArray, below: FloatArray, above: FloatArray) -> FloatArray:
    """Return difference steps that stay within the room below and above: backwards, or to the farther bound."""
    longer = np.where(above >= below, above, -below)
    return np.where(steps <= above, steps, np.where(steps <= below, -steps, longer))
