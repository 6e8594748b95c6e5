"""The bounds that results keep: of some of the fits, of results that are joined, and of all fits in rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .._input.bounds import Bounds, bounds_of_many
from .._input.pieces import is_dask
from .._input.validate import FloatArray

if TYPE_CHECKING:
    from .result import ManyFits


def as_kept(box: Bounds | None, shape: tuple[int, ...]) -> Bounds | None:
    """Return bounds as results of a shape keep them: shape (N,) where all fits share them, else one for each.

    What is to be computed yet is not kept.
    """
    if box is None or any(map(is_dask, box)):
        return None
    return Bounds(*(_kept_side(side, shape) for side in box))


def _kept_side(side: FloatArray, shape: tuple[int, ...]) -> FloatArray:
    own = side if side.ndim == 1 else np.broadcast_to(side, (*shape, side.shape[-1]))
    own.flags.writeable = False
    return own


def part(fits: ManyFits, index: Any) -> Bounds | None:
    """Return the bounds of some of the fits, by an index that is complete."""
    if fits.bounds is None or fits.bounds.lower.ndim == 1:
        return fits.bounds
    return Bounds(*(np.asarray(side[(*index, slice(None))]) for side in fits.bounds))


def joined(parts: Sequence[ManyFits], axis: int) -> Bounds | None:
    """Return the bounds of results that are joined; None where some are not known."""
    first = parts[0].bounds
    if all(fits.bounds is None for fits in parts):
        return None
    if any(fits.bounds is None and fits.problem.bounded for fits in parts):
        return None
    if first is not None and first.lower.ndim == 1 and all(_same(first, fits.bounds) for fits in parts):
        return first
    each = [Bounds(*(np.broadcast_to(side, fits.popt.shape) for side in _or_none(fits))) for fits in parts]
    return Bounds(*(np.concatenate(sides, axis=axis) for sides in zip(*each, strict=True)))


def _same(first: Bounds, other: Bounds | None) -> bool:
    return other is not None and all(np.array_equal(*sides) for sides in zip(first, other, strict=True))


def _or_none(fits: ManyFits) -> Bounds:
    """Return the bounds of fits, infinite where there are none."""
    n = len(fits.param_names)
    return fits.bounds or Bounds(np.full(n, -np.inf), np.full(n, np.inf))


def rows(fits: ManyFits, given: Any = None) -> Bounds:
    """Return the bounds of all fits, in rows, equal ones for what is fixed; those given where the result knows none."""
    n = len(fits.param_names)
    box = _known_or_given(fits, given)
    try:
        box = Bounds(*(np.broadcast_to(side, fits.popt.shape).reshape(-1, n) for side in box))
    except ValueError:
        raise ValueError(
            f"bounds have shape {box.lower.shape}, which is not that of fits of shape {fits.shape} and {n} parameters"
        ) from None
    popt, solved = fits.popt.reshape(-1, n), fits.success.ravel()
    held = np.zeros(n, dtype=np.bool_) if not fits.problem.fixed else np.array(fits.problem.fixed)
    own = Bounds(*(np.where(held, popt, side) for side in box))
    if not np.array_equal(own.active(popt)[solved], fits.active_mask.reshape(-1, n)[solved]):
        raise ValueError("bounds are not those of the fits, which are on others: give them as they were")
    return own


def _known_or_given(fits: ManyFits, given: Any) -> Bounds:
    """Return the bounds that a result keeps, or those given in their place, which must not be others."""
    found = bounds_of_many(given, len(fits.param_names), fits.param_names)
    if found is None and fits.problem.bounded and fits.bounds is None:
        raise ValueError("bounds: the fits had bounds that were dask arrays; give those of the call again")
    if found is not None and not fits.problem.bounded:
        raise ValueError("bounds: the fits had none, and here are some; leave them out")
    return _or_none(fits) if found is None else found
