"""Where to start sums of models: the background from the edges, and peaks from what is left, one after the other."""

from typing import TYPE_CHECKING, Any

import numpy as np

from .._guesses.lines import MOST_POINTS, as_rows, thinned
from .._input.validate import FloatArray
from .find_peaks import PEAKS, Spectra, find_peaks, ordered
from .find_spots import SPOTS, find_spots
from .sum_terms import curve_of, guess_of, is_free, median_of
from .term_guesses import start_of_peak, start_of_product

if TYPE_CHECKING:
    from .sums import Factor, SumModel, Terms

# The share of the points at either end that background is taken from.
_EDGE = 8
# Numbers of a block of observations; of data sets larger than the second number, most work is over when few are left.
_BLOCK, _MANY = 2**17, 2**13
# Of more points than these, so many are taken where there are no peaks over one predictor.
_MOST = 2 * MOST_POINTS


def start_of_sum(model: "SumModel", predictors: tuple[FloatArray, ...], y: FloatArray) -> FloatArray:
    """Return parameters to start from, shape (..., N)."""
    only = model.terms[0][0]
    if len(model.terms) == len(model.terms[0]) == 1 and not _is_on_level(only, model.predictors):
        guess: Any = only.model.guess
        found: FloatArray = guess(predictors if len(predictors) > 1 else predictors[0], y)
        return found[..., [only.arguments.index(name) for name in model.param_names]]
    fits, xs, y = as_rows(predictors, y)
    m = y.shape[-1]
    start = np.ones((len(y), len(model.param_names)))
    most = m if model.predictors == 1 and len(model.terms) > 1 and _peaks_of(model.terms, 1) else _MOST
    size = max(1, _BLOCK // min(max(m, 1), _MANY))
    with np.errstate(all="ignore"):
        for first in range(0, len(y) if m else 0, size):
            some = slice(first, first + size)
            of_some = tuple(x if x.ndim == 1 else x[some] for x in xs)
            for rows, x_of, y_of in thinned(of_some, y[some], most):
                start[some][rows] = _block_start(model, x_of, y_of)
    start[~np.isfinite(start)] = 1.0
    return start.reshape(*fits, len(model.param_names))


def _is_on_level(factor: "Factor", predictors: int) -> bool:
    """Return whether a factor is a peak on a level that is fixed."""
    return bool(_peaks_of(((factor,),), predictors)) and not is_free(factor, "offset")


def _peaks_of(terms: "Terms", predictors: int) -> list["Factor"]:
    """Return which terms are peaks."""
    kinds = PEAKS if predictors == 1 else SPOTS
    return [term[0] for term in terms if len(term) == 1 and term[0].model.__name__ in kinds]


def _block_start(model: "SumModel", xs: tuple[FloatArray, ...], y: FloatArray) -> FloatArray:
    """Return the start of a block of fits."""
    found: dict[int, FloatArray] = {}
    if len(model.terms) == 1:
        (term,) = model.terms
        if len(term) > 1:
            found = start_of_product(term, xs, np.where(np.isfinite(y), y, np.nan))
        else:  # a peak on a level that is fixed
            found[id(term[0])] = start_of_peak(term[0], xs, y)
        return _collected(model.terms, model.param_names, found, len(y))
    terms, y = _without_levels(model.terms, _peaks_of(model.terms, len(xs)), y)
    peaks = _peaks_of(terms, len(xs))
    others = [term[0] for term in terms if len(term) == 1 and term[0] not in peaks]
    if peaks and len(xs) == 1:
        data, is_all = ordered(xs[0], y), len(peaks) + len(others) == len(terms)
        xs, left = (data.x,), _peaks_on_others(peaks, others, data, found, is_all)
    else:
        left = np.where(np.logical_and.reduce([np.isfinite(x) for x in xs]) & np.isfinite(y), y, np.nan)
        for factor in others:
            found[id(factor)] = guess_of(factor, xs, left)
            if len(found) < len(terms):
                left = left - curve_of(factor, xs, found[id(factor)])
        if peaks:
            found |= find_spots(peaks, xs, left)
    for term in terms:
        if len(term) > 1:
            found |= start_of_product(term, xs, left)
    return _collected(terms, model.param_names, found, len(y))


def _without_levels(terms: "Terms", peaks: list["Factor"], y: FloatArray) -> tuple["Terms", FloatArray]:
    """Return peaks whose offsets, where they are fixed, are zero, and observations without these."""
    levels: list[float] = []
    on_zero: dict[int, Factor] = {}
    for factor in peaks:
        where = factor.model.param_names.index("offset")
        level = factor.arguments[where]
        if not isinstance(level, str) and level != 0.0:
            levels.append(level)
            arguments = (*factor.arguments[:where], 0.0, *factor.arguments[where + 1 :])
            on_zero[id(factor)] = factor._replace(arguments=arguments)
    if not levels:
        return terms, y
    return tuple(tuple(on_zero.get(id(factor), factor) for factor in term) for term in terms), y - sum(levels)


def _collected(terms: "Terms", names: tuple[str, ...], found: dict[int, FloatArray], fits: int) -> FloatArray:
    start = np.ones((fits, len(names)))
    for term in terms:
        for factor in term:
            for j, name in enumerate(factor.arguments):
                if isinstance(name, str):
                    start[:, names.index(name)] = found[id(factor)][:, j]
    return start


def _peaks_on_others(
    peaks: list["Factor"], others: list["Factor"], data: Spectra, found: dict[int, FloatArray], is_all: bool
) -> FloatArray:
    """Guess peaks and what they stand on, and return what is left of the observations.

    If these are all terms, `is_all`, nobody needs that, and the last curve is not taken off.
    """
    left, curves = data.y, {}
    x_edges, edges = _edges(data)
    for factor in others:
        found[id(factor)] = guess_of(factor, (x_edges,), edges)
        curves[id(factor)] = curve_of(factor, (data.x,), found[id(factor)])
        left = left - curves[id(factor)]
        edges = edges - curve_of(factor, (x_edges,), found[id(factor)])
    floor = np.zeros(len(left))
    if any(is_free(factor, "offset") for factor in peaks):
        floor = median_of(edges)
        left = left - floor[:, None]
    below = [(factor, found[id(factor)]) for factor in others]
    of_peaks, left = find_peaks(peaks, data, left, floor, below, is_all and not others)
    found |= of_peaks
    for factor in others:  # once more, without the peaks that reach to the edges
        left = left + curves[id(factor)]
        found[id(factor)] = guess_of(factor, (data.x,), left)
        if not (is_all and factor is others[-1]):
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
