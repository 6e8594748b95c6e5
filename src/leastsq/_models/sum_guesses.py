"""Where to start sums of models: the background from the edges, and peaks from what is left, one after the other."""

from typing import TYPE_CHECKING

import numpy as np

from .._guesses.lines import MOST_POINTS, as_rows, thinned
from .._input.validate import FloatArray
from .find_peaks import PEAKS, Spectra, find_peaks, ordered
from .find_spots import SPOTS, find_spots
from .sum_terms import curve_of, guess_of, is_free, median_of

if TYPE_CHECKING:
    from .sums import Factor, SumModel

# The share of the points at either end that background is taken from.
_EDGE = 8
# Numbers of a block of observations; of data sets larger than the second number, most work is over when few are left.
_BLOCK, _MANY = 2**17, 2**13
# Of more points than these, so many are taken where there are no peaks over one predictor.
_MOST = 2 * MOST_POINTS


def start_of_sum(model: "SumModel", predictors: tuple[FloatArray, ...], y: FloatArray) -> FloatArray:
    """Return parameters to start from, shape (..., N)."""
    fits, xs, y = as_rows(predictors, y)
    m = y.shape[-1]
    start = np.ones((len(y), len(model.param_names)))
    size = max(1, _BLOCK // min(max(m, 1), _MANY))
    with np.errstate(all="ignore"):
        for first in range(0, len(y) if m else 0, size):
            some = slice(first, first + size)
            start[some] = _block_start(model, tuple(x if x.ndim == 1 else x[some] for x in xs), y[some])
    start[~np.isfinite(start)] = 1.0
    return start.reshape(*fits, len(model.param_names))


def _block_start(model: "SumModel", xs: tuple[FloatArray, ...], y: FloatArray) -> FloatArray:
    """Return the start of a block of fits."""
    alone = [term[0] for term in model.terms if len(term) == 1]
    kinds = PEAKS if len(xs) == 1 else SPOTS
    peaks = [factor for factor in alone if factor.model.__name__ in kinds]
    others = [factor for factor in alone if factor not in peaks]
    found: dict[int, FloatArray] = {}
    if peaks and len(xs) == 1:
        data = ordered(xs[0], y)
        xs, left = (data.x,), _peaks_on_others(peaks, others, data, found)
    else:
        if y.shape[-1] > _MOST:
            xs, y = thinned(xs, y, _MOST)
        left = np.where(np.logical_and.reduce([np.isfinite(x) for x in xs]) & np.isfinite(y), y, np.nan)
        for factor in others:
            found[id(factor)] = guess_of(factor, xs, left)
            left = left - curve_of(factor, xs, found[id(factor)])
        if peaks:
            found |= find_spots(peaks, xs, left)
    for term in model.terms:
        for factor in term if len(term) > 1 else ():
            found[id(factor)] = guess_of(factor, xs, left)
    return _collected(model, found, len(y))


def _collected(model: "SumModel", found: dict[int, FloatArray], fits: int) -> FloatArray:
    start = np.ones((fits, len(model.param_names)))
    for term in model.terms:
        for factor in term:
            for j, name in enumerate(factor.arguments):
                if isinstance(name, str):
                    start[:, model.param_names.index(name)] = found[id(factor)][:, j]
    return start


def _peaks_on_others(
    peaks: list["Factor"], others: list["Factor"], data: Spectra, found: dict[int, FloatArray]
) -> FloatArray:
    """Guess peaks and what they stand on, and return what is left of the observations."""
    left = data.y
    x_edges, edges = _edges(data)
    for factor in others:
        found[id(factor)] = guess_of(factor, (x_edges,), edges)
        left = left - curve_of(factor, (data.x,), found[id(factor)])
        edges = edges - curve_of(factor, (x_edges,), found[id(factor)])
    floor = np.zeros(len(left))
    if any(is_free(factor, "offset") for factor in peaks):
        floor = median_of(edges)
        left = left - floor[:, None]
    below = [(factor, found[id(factor)]) for factor in others]
    of_peaks, left = find_peaks(peaks, data, left, floor, below)
    found |= of_peaks
    for factor in others:  # once more, without the peaks that reach to the edges
        left = left + curve_of(factor, (data.x,), found[id(factor)])
        found[id(factor)] = guess_of(factor, (data.x,), left)
        left = left - curve_of(factor, (data.x,), found[id(factor)])
    _share_floor(peaks, found, floor)
    return left


def _edges(data: Spectra) -> tuple[FloatArray, FloatArray]:
    """Return points at both ends of x, with NaN between them where fits differ in what is missing."""
    m = data.y.shape[-1]
    if data.complete:
        few = max(m // _EDGE, min(3, m))
        places = np.unique(np.r_[0:few, m - few : m])
        return data.x[..., places], data.y[:, places]
    there = np.isfinite(data.y)
    rank = np.cumsum(there, axis=-1) - 1
    count = rank[:, -1:] + 1
    few = np.maximum(count // _EDGE, np.minimum(3, count))
    return data.x, np.where(there & ((rank < few) | (rank >= count - few)), data.y, np.nan)


def _share_floor(peaks: list["Factor"], found: dict[int, FloatArray], floor: FloatArray) -> None:
    """Give the level of the edges to the first peak with an offset, none to the others."""
    for factor in peaks:
        if is_free(factor, "offset"):
            found[id(factor)][:, factor.model.param_names.index("offset")] = floor
            floor = np.zeros_like(floor)
