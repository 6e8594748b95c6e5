"""What the starts of sums ask single factors: a guess, a curve, and which of their parameters are free."""

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from .._input.validate import FloatArray

if TYPE_CHECKING:
    from .sums import Factor


def is_free(factor: "Factor", name: str) -> bool:
    """Return whether a factor has that parameter, and it is not fixed."""
    names = factor.model.param_names
    return name in names and isinstance(factor.arguments[names.index(name)], str)


def guess_of(factor: "Factor", xs: tuple[FloatArray, ...], y: FloatArray) -> FloatArray:
    """Guess the parameters of a factor by itself, shape (B, N); what is fixed is as fixed."""
    guess: Any = factor.model.guess
    return with_fixed(factor, np.array(guess(xs if len(xs) > 1 else xs[0], y)))


def with_fixed(factor: "Factor", start: FloatArray) -> FloatArray:
    """Put what is fixed into a start, shape (B, N)."""
    for j, argument in enumerate(factor.arguments):
        if not isinstance(argument, str):
            start[:, j] = argument
    return start


def curve_of(factor: "Factor", xs: tuple[FloatArray, ...], start: FloatArray) -> FloatArray:
    """Return the values of a factor, shape (B, M); 0 where it has none."""
    curve: FloatArray = factor.model(xs if len(xs) > 1 else xs[0], *start.T[:, :, None])
    return curve if np.isfinite(curve).all() else np.where(np.isfinite(curve), curve, 0.0)


def median_of(values: FloatArray) -> FloatArray:
    """Return medians along the last axis without what is missing; 0 where everything is."""
    ranked, count = np.sort(values, axis=-1), np.isfinite(values).sum(axis=-1)
    if count.size and (count == values.shape[-1]).all() and values.size:
        low, high = (ranked[:, place] for place in ((values.shape[-1] - 1) // 2, values.shape[-1] // 2))
        complete: FloatArray = 0.5 * low + 0.5 * high
        return complete
    places = (np.maximum(place, 0)[:, None] for place in ((count - 1) // 2, count // 2))
    low, high = (np.take_along_axis(ranked, place, -1)[:, 0] for place in places)
    middle = 0.5 * low + 0.5 * high
    return np.where(np.isfinite(middle), middle, 0.0)


def in_order(peaks: list["Factor"], found: dict[int, FloatArray], place: str) -> dict[int, FloatArray]:
    """Return peaks of one kind in the order of their places, as they stand in the sum."""
    kinds: dict[Any, list[Factor]] = {}
    for factor in peaks:
        pattern = tuple(None if isinstance(a, str) else a for a in factor.arguments)
        kinds.setdefault((factor.model.__name__, pattern), []).append(factor)
    for same in kinds.values():
        where = same[0].model.param_names.index(place)
        places = [found[id(factor)][:, where] for factor in same]
        if all((here <= after).all() for here, after in itertools.pairwise(places)):
            continue
        together = np.stack([found[id(factor)] for factor in same], axis=1)
        placed = np.argsort(together[:, :, where], axis=1)[:, :, None]
        together = np.take_along_axis(together, placed, axis=1)
        found |= {id(factor): together[:, k] for k, factor in enumerate(same)}
    return found
