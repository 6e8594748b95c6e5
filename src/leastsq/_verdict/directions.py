"""Derivatives along directions in which differences by single parameters cancel.

The columns of a straight line over a large origin are the same to nine digits and more, and differences have eight to
ten: what is left between them is rounding. A step along the direction itself, in which both parameters change by their
own size, shows it to full precision.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._input.bounds import Bounds
from .._input.validate import FloatArray
from .._solver.norms import EPS, row_norms
from .derivatives import Residuals, Scales
from .statistics import decomposed

# Steps relative to the parameters: the first is exact where the model is linear, the second small where it is not.
_LENGTHS = (1.0, 1e-3)
# What a step does not undo, relative to what it does, along a straight line.
_BENT = 1e-2
# What half a step changes differs from half the change by this share at most, else the derivative is not the change's.
_CUBIC = 0.1
# Multiples of rounding that tell a derivative from zero.
_ABOVE_ROUNDING = 10.0
# Without a diagonal entry of R that small, next to its column, no singular value is.
_SUSPICIOUS = 1e-3


class _Directions(NamedTuple):
    """Directions of some fits: which fit, in scaled parameters, and as a step of the parameters."""

    row: NDArray[np.intp]
    vector: FloatArray
    step: FloatArray

    def of(self, which: NDArray[np.intp]) -> "_Directions":
        return _Directions(self.row[which], self.vector[which], self.step[which])


def _dropped(slopes: FloatArray, norms: FloatArray, singular: FloatArray) -> _Directions:
    """Return the directions along which derivatives are not told from zero, but for parameters that have none."""
    n = slopes.shape[2]
    used = (norms > 0) & np.isfinite(norms)
    with np.errstate(all="ignore"):
        unit = np.where(used[:, None, :], slopes / np.where(used, norms, 1.0)[:, None, :], 0.0)
    unit[~np.isfinite(unit).all(axis=(1, 2))] = 0.0
    r: Any = np.linalg.qr(unit, mode="r")
    diagonal = np.abs(np.diagonal(r, axis1=1, axis2=2))
    some = np.flatnonzero(np.any((diagonal < _SUSPICIOUS) & used[:, : diagonal.shape[1]], axis=1))
    square = np.zeros((len(some), n, n))
    square[:, : r.shape[1]] = r[some]
    _, values, vectors = decomposed(square)
    seen = np.sum(vectors**2 * used[some][:, None, :], axis=2) > 0.5
    fit, number = np.nonzero((values <= singular[some][:, None] * values[:, :1]) & (values[:, :1] > 0) & seen)
    row = some[fit]
    vector = np.where(used[row], vectors[fit, number], 0.0)
    return _Directions(row, vector, vector / np.where(used[row], norms[row], 1.0))


def _room(x: FloatArray, step: FloatArray) -> FloatArray:
    """Return how many steps change a parameter by its own size; 0 where all that change are zero."""
    with np.errstate(all="ignore"):
        room = np.min(np.where((step != 0) & (x != 0), np.abs(x / step), np.inf), axis=1)
    return np.where(np.isfinite(room), room, 0.0)


def along_dropped(
    residuals: Residuals,
    fits: NDArray[np.intp],
    x: FloatArray,
    f: FloatArray,
    slopes: FloatArray,
    of: Scales,
    singular: FloatArray,
    box: Bounds | None,
) -> tuple[NDArray[np.intc], NDArray[np.bool_]]:
    """Correct differences, in place, along the directions in which they cancel.

    Parameters
    ----------
    residuals : callable
        Weighted residuals of some fits at some points.
    fits : ndarray of shape (K,)
        Which fits.
    x, f, slopes : ndarray of shape (K, N), (K, M) and (K, M, N)
        Where, the residuals there, and their differences.
    of : Scales
        Of each fit.
    singular : ndarray of shape (K,)
        What sets singular values of the differences apart from zero, relative to the largest.
    box : Bounds, optional
        Outside of which nothing is evaluated.

    Returns
    -------
    evaluations : ndarray of shape (K,)
        How many each fit took.
    sure : ndarray of shape (K,)
        Which fits had such directions, and have derivatives along all of them now.
    """
    evaluations, sure = np.zeros(len(fits), dtype=np.intc), np.zeros(len(fits), dtype=np.bool_)
    with np.errstate(all="ignore"):
        norms = np.sqrt(np.einsum("kij,kij->kj", slopes, slopes))
    left = _dropped(slopes, norms, singular)
    scale = np.maximum(of.rounding, np.max(of.terms, axis=1, initial=0.0))
    sure[left.row] = True
    for length in _LENGTHS:
        h = length * _room(x[left.row], left.step)
        inside = (h > 0) & _inside(x, h[:, None] * left.step, left.row, box)
        sure[left.row[~inside]] = False
        left, h = left.of(np.flatnonzero(inside)), h[inside]
        if left.row.size == 0:
            break
        odd, size, bend = _both_ways(residuals, fits, x, f, left, h)
        np.add.at(evaluations, left.row, 2)
        rounding = _ABOVE_ROUNDING * EPS * scale[left.row]
        good = (size < np.inf) & (bend <= np.maximum(_BENT * size, rounding))
        if length == _LENGTHS[-1]:
            half, _, _ = _both_ways(residuals, fits, x, f, left, h / 2)
            np.add.at(evaluations, left.row, 2)
            good |= row_norms(odd - 2 * half) <= np.maximum(_CUBIC * size, rounding)
        right = np.where(size > rounding, 1 / h, 0.0)[:, None] * odd
        _replace(slopes, norms, left.of(np.flatnonzero(good)), right[good])
        left = left.of(np.flatnonzero(~good))
    sure[left.row] = False
    return evaluations, sure


def _inside(x: FloatArray, step: FloatArray, row: NDArray[np.intp], box: Bounds | None) -> NDArray[np.bool_]:
    """Return which steps have room on both sides."""
    if box is None:
        return np.ones(len(step), dtype=np.bool_)
    side = np.abs(step)
    inside: NDArray[np.bool_] = np.all((x[row] - side >= box.lower[row]) & (x[row] + side <= box.upper[row]), axis=1)
    return inside


def _both_ways(
    residuals: Residuals, fits: NDArray[np.intp], x: FloatArray, f: FloatArray, along: _Directions, h: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return what steps change that steps the other way undo, its norm, and that of what they do not undo."""
    row, moved = along.row, h[:, None] * along.step
    with np.errstate(all="ignore"):
        forward = residuals(fits[row], x[row] + moved) - f[row]
        backward = residuals(fits[row], x[row] - moved) - f[row]
        odd = (forward - backward) / 2
        return odd, row_norms(odd), row_norms(forward + backward) / 2


def _replace(slopes: FloatArray, norms: FloatArray, along: _Directions, derivative: FloatArray) -> None:
    """Give Jacobians the derivatives along directions, and leave those across as they are."""
    for fit, vector, step, right in zip(along.row.tolist(), along.vector, along.step, derivative, strict=True):
        slopes[fit] += np.outer(right - slopes[fit] @ step, vector * norms[fit])
