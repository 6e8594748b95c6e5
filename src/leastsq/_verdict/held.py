"""How far fits on a bound are from their minimum, without the parameters that the gradient pushes against it."""

import numpy as np
from numpy.typing import NDArray

from .._input.bounds import Bounds
from .._input.validate import FloatArray
from .statistics import Accuracy, ill_conditioning, offsets, statistics

# Below this share of its norm that a column has beyond the others, normal equations lose too many digits.
_LEAST_RATIO = 1e-4


def held_offsets(
    x: FloatArray,
    box: Bounds,
    rows: FloatArray,
    fnorm: FloatArray,
    points: NDArray[np.intc],
    accuracy: Accuracy,
    absolute: bool,
) -> tuple[NDArray[np.intp], FloatArray]:
    """Return which fits have held parameters, and their relative offsets by the others; see `statistics`."""
    n = rows.shape[1]
    gradient = np.einsum("kij,ki->kj", rows[:, :, :n], rows[:, :, n])
    held = ((x == box.lower) & (gradient > 0)) | ((x == box.upper) & (gradient < 0))
    some = np.flatnonzero(held.any(axis=1))
    rows, held, fnorm, points = rows[some], held[some], fnorm[some], points[some]
    offset = _of_free(rows, held, fnorm, points, absolute)
    left = np.flatnonzero(np.isnan(offset))
    if left.size:
        free = rows[left].copy()
        free[:, :, :n][np.broadcast_to(held[left, None, :], (len(left), n, n))] = 0.0
        offset[left] = statistics(free, fnorm[left], points[left], accuracy, absolute).offset
    return some, offset


def _of_free(
    triangle: FloatArray, held: NDArray[np.bool_], fnorm: FloatArray, points: NDArray[np.intc], absolute: bool
) -> FloatArray:
    """Return relative offsets without the columns that are held, shape (K, N), by normal equations.

    NaN where columns are nearly dependent, so that these would not do.
    """
    n = triangle.shape[1]
    r, head = triangle[:, :, :n], triangle[:, :, n]
    norms, ratio = ill_conditioning(r)
    sound = (ratio > _LEAST_RATIO) & (fnorm > 0)
    with np.errstate(all="ignore"):
        scaled = np.where(held[:, None, :], 0.0, r / norms[:, None, :])
        slope = np.einsum("kij,ki->kj", scaled, head / fnorm[:, None])
        gram = np.matmul(np.swapaxes(scaled, 1, 2), scaled)
    gram[:, np.arange(n), np.arange(n)] += held
    gram[~sound], slope[~sound] = np.eye(n), 0.0
    square = np.sum(slope * np.linalg.solve(gram, slope[:, :, None])[:, :, 0], axis=1)
    rank = n - held.sum(axis=1, dtype=np.intc)
    return np.where(sound, offsets(np.sqrt(np.maximum(square, 0.0)), fnorm, rank, points, absolute), np.nan)
