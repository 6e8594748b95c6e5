"""Start values: the data of many fits at once, and linear least squares for parameters that enter linearly.

There are two ideas, and compiled code for both. The points beyond half height tell where a peak is and how wide. The
other models are separable: parameters that enter nonlinearly are tried on a coarse grid, the others follow by linear
least squares, and the smallest sum of squares wins (Golub and Pereyra, "The differentiation of pseudo-inverses and
nonlinear least squares problems whose variables separate", SIAM Journal on Numerical Analysis 10, 1973, pp. 413-432).

Every function takes the predictors ``x``, of shape (M,) or (..., M), or a pair of such arrays for an image, and the
observations ``y`` of shape (..., M), in any order, NaN where a point is missing. It returns the parameters in the order
of the model, shape (..., N), in the units of ``x`` and ``y``. They are always finite, and those of a fit do not depend
on the others. Of very many points, some are enough.
"""

import functools
import math
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .._input.validate import FloatArray
from .._solver import kernel
from .._solver.kernel import all_below

# Numbers in the largest array of a chunk: a few of them fit the cache, and a million rows never make one large array.
# Where no array is made of the data, chunks may be larger, but not so large that they keep Ctrl-C waiting.
CHUNK = 2**17
_CHUNK_WITHOUT_ARRAYS = 4  # times that
# Of more points than these, so many are taken, spread over all of them; peaks, which are narrow, need more.
MOST_POINTS, MOST_POINTS_OF_PEAKS = 2**11, 2**12

Indices: TypeAlias = NDArray[np.intp]
Predictors: TypeAlias = tuple[FloatArray, ...]
_Guess: TypeAlias = Callable[[Predictors, FloatArray], tuple[FloatArray, ...]]


def for_all_fits(
    parameters: int, arrays: int = 0, most: int = MOST_POINTS
) -> Callable[[_Guess], Callable[[Any, FloatArray], FloatArray]]:
    """Turn a function of some fits into one of any `x` and `y`.

    It gets predictors, a tuple of arrays (M,) or (B, M) that are finite, and observations (B, M), which are not finite
    where they are missing. It makes so many `arrays` of the size of y. Of more than `most` points, so many are taken.
    """

    def decorate(guess: _Guess) -> Callable[[Any, FloatArray], FloatArray]:
        @functools.wraps(guess, assigned=("__module__", "__name__", "__qualname__", "__doc__"))
        def start_values(x: Any, y: FloatArray) -> FloatArray:
            predictors = x if isinstance(x, tuple) else (x,)
            fits, predictors, y = as_rows(predictors, y)
            m = min(y.shape[-1], most)
            values = np.empty((len(y), parameters)) if m else np.ones((len(y), parameters))
            numbers = CHUNK // arrays if arrays else CHUNK * _CHUNK_WITHOUT_ARRAYS
            size = max(1, numbers // m) if m else 1
            with np.errstate(all="ignore"):
                for first in range(0, len(y) if m else 0, size):
                    block, y_some = values[first : first + size], y[first : first + size]
                    x_some = tuple([p if p.ndim == 1 else p[first : first + size] for p in predictors])
                    for rows, x_of, y_of in thinned(x_some, y_some, most):
                        for j, found in enumerate(guess(*_finite(x_of, y_of))):
                            block[rows, j] = found
            if not all_below(values, math.inf):
                values[~np.isfinite(values)] = 1.0
            return values.reshape(*fits, parameters)

        # The signature is that of start_values.
        del start_values.__wrapped__
        return start_values

    return decorate


def as_rows(
    predictors: tuple[FloatArray, ...], y: FloatArray
) -> tuple[tuple[int, ...], tuple[FloatArray, ...], FloatArray]:
    """Return the shape of the fits, and predictors and observations with a row for each, or predictors for all."""
    m = y.shape[-1]
    fits = y.shape[:-1]
    if not fits and all([p.shape == y.shape for p in predictors]):
        return fits, predictors, y.reshape(1, m)
    if any([p.ndim > 1 for p in predictors]):
        fits = np.broadcast_shapes(fits, *(p.shape[:-1] for p in predictors))
    rows = (math.prod(fits), m)
    y = (y if y.shape[:-1] == fits else np.broadcast_to(y, (*fits, m))).reshape(rows)
    of_fits = [p.ravel() if p.size == m else np.broadcast_to(p, (*fits, m)).reshape(rows) for p in predictors]
    return fits, tuple(of_fits), y


def thinned(x: Predictors, y: FloatArray, most: int) -> list[tuple[Any, Predictors, FloatArray]]:
    """Return at most so many points of each fit: which fits, their predictors and observations, NaN where missing.

    Where enough of the same places of all fits hold points, these are taken; other fits get points of their own.
    """
    m = y.shape[-1]
    if m <= most:
        return [(slice(None), tuple([np.ascontiguousarray(p) for p in x]), np.ascontiguousarray(y))]
    places = _spread(m, most)
    some = tuple([p.take(places, axis=-1) for p in x]), y.take(places, axis=-1)
    usable = functools.reduce(np.logical_and, map(np.isfinite, some[0]), np.isfinite(some[1]))
    enough = 2 * np.count_nonzero(usable, axis=-1) >= most
    if enough.all():
        return [(slice(None), *some)]
    groups, others = [], np.flatnonzero(~enough)
    if others.size < len(y):
        rows = np.flatnonzero(enough)
        groups.append((rows, tuple([p if p.ndim == 1 else p[rows] for p in some[0]]), some[1][rows]))
    thin = np.full((len(x) + 1, others.size, most), np.nan)
    for k, row in enumerate(others):
        columns = [*(p if p.ndim == 1 else p[row] for p in x), y[row]]
        places = np.flatnonzero(functools.reduce(np.logical_and, map(np.isfinite, columns)))
        places = places if places.size <= most else places[_spread(places.size, most)]
        thin[:, k, : places.size] = [column[places] for column in columns]
    return [*groups, (others, tuple(thin[:-1]), thin[-1])]


@functools.lru_cache(maxsize=16)
def _spread(m: int, count: int) -> Indices:
    """Return a place in each of `count` equal parts of m, at random, so that no frequency hides behind another."""
    places = np.arange(count) + np.random.default_rng(m).random(count)
    places[[0, -1]] = 0, count - 0.5 / m
    found: Indices = (places * (m / count)).astype(np.intp)
    found.flags.writeable = False
    return found


def _finite(x: Predictors, y: FloatArray) -> tuple[Predictors, FloatArray]:
    """Return predictors that are finite everywhere, and observations that are missing where they were not."""
    if all([all_below(predictor, math.inf) for predictor in x]):
        return x, y
    usable = tuple(map(np.isfinite, x))
    filled = []
    for predictor, there in zip(x, usable, strict=True):
        least = np.fmin.reduce(np.where(there, predictor, np.nan), axis=-1, keepdims=True)
        filled.append(np.where(there, predictor, np.nan_to_num(least)))
    return tuple(filled), np.where(functools.reduce(np.logical_and, usable), y, np.nan)


def unit_of(x: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return predictors from 0 to 1, where 0 is, and what 1 stands for."""
    if not all_below(x, math.inf):
        x = np.where(np.isfinite(x), x, np.nan)
    start = np.fmin.reduce(x, axis=-1)
    length = np.fmax.reduce(x, axis=-1) - start
    length = np.where(length > 0, length, 1.0)
    unit = (x - start[..., None]) / length[..., None]
    return unit if all_below(unit, math.inf) else np.where(np.isfinite(unit), unit, 0.0), start, length


def best_function(family: int, x: FloatArray, y: FloatArray) -> FloatArray:
    """Fit the functions of a family with an amplitude and an offset, and choose the best; see `kernel`."""
    return kernel.choose_functions(family, x.reshape(-1, x.shape[-1]), y)


def best_plane(family: int, x: FloatArray, y: FloatArray) -> FloatArray:
    """Fit pairs of functions with an amplitude each and an offset, and choose the best; see `kernel`."""
    return kernel.choose_planes(family, x.reshape(-1, x.shape[-1]), y)
