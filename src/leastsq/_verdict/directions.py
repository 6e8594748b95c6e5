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
from .._solver.norms import EPS, column_norms, row_norms
from .derivatives import Residuals, Scales
from .statistics import decomposed

# Steps relative to the parameters: the first is exact where the model is linear, those that follow are taken where it
# shows nothing but rounding, and the last is small, for where the model is not linear.
_LENGTHS = (1.0, 1e3, 1e6, 1e-3)
# Rounds of corrections, as long as each finds a direction with less than this share of the derivative before.
_ROUNDS = 3
_FALLEN = 0.3
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


def _dropped(slopes: FloatArray, norms: FloatArray, weak: NDArray[np.bool_], singular: FloatArray) -> _Directions:
    """Return the directions along which derivatives are not told from zero, but for parameters that have none."""
    n = slopes.shape[2]
    used = (norms > 0) & np.isfinite(norms) & ~weak
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


class _Along:
    """Jacobians of differences, which are corrected along directions."""

    def __init__(
        self,
        residuals: Residuals,
        fits: NDArray[np.intp],
        x: FloatArray,
        f: FloatArray,
        slopes: FloatArray,
        scale: FloatArray,
        box: Bounds | None,
    ) -> None:
        self.residuals, self.fits, self.x, self.f, self.slopes, self.box = residuals, fits, x, f, slopes, box
        self.rounding = _ABOVE_ROUNDING * EPS * scale
        self.evaluations = np.zeros(len(fits), dtype=np.intc)
        self.norms = column_norms(slopes)

    def sizes(self, of: _Directions) -> FloatArray:
        """Return the norms of the derivatives along directions."""
        return row_norms(np.einsum("kij,kj->ki", self.slopes[of.row], of.step))

    def least(self, of: _Directions) -> FloatArray:
        """Return the least of these for each fit, inf without any."""
        least = np.full(len(self.slopes), np.inf)
        np.minimum.at(least, of.row, self.sizes(of))
        return least

    def both_ways(self, along: _Directions, h: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return what steps change that steps the other way undo, its norm, and that of what they do not undo."""
        row, moved = along.row, h[:, None] * along.step
        with np.errstate(all="ignore"):
            forward = self.residuals(self.fits[row], self.x[row] + moved) - self.f[row]
            backward = self.residuals(self.fits[row], self.x[row] - moved) - self.f[row]
            odd = (forward - backward) / 2
            np.add.at(self.evaluations, row, 2)
            return odd, row_norms(odd), row_norms(forward + backward) / 2

    def correct(self, along: _Directions) -> NDArray[np.bool_]:
        """Measure derivatives along directions, and return which of them could be."""
        count = along.row.size
        measured, quiet = np.zeros(count, dtype=np.bool_), np.zeros(count, dtype=np.bool_)
        room = _room(self.x[along.row], along.step)
        for length in _LENGTHS:
            left = np.flatnonzero(~measured & (quiet | (length <= 1.0)))
            h, some = length * room[left], along.of(left)
            inside = (h > 0) & _inside(self.x, h[:, None] * some.step, some.row, self.box)
            left, h, some = left[inside], h[inside], some.of(np.flatnonzero(inside))
            if left.size == 0:
                continue
            good, quiet[left] = self._measure(some, h, length == _LENGTHS[-1])
            measured[left[good]] = True
        return measured

    def _measure(self, some: _Directions, h: FloatArray, last: bool) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Take steps along directions; return which have derivatives now, and which change nothing but rounding."""
        odd, size, bend = self.both_ways(some, h)
        rounding = self.rounding[some.row]
        good = (size < np.inf) & (bend <= np.maximum(_BENT * size, rounding))
        if last:
            half, _, _ = self.both_ways(some, h / 2)
            good |= row_norms(odd - 2 * half) <= np.maximum(_CUBIC * size, rounding)
        # What is less than rounding is zero, unless the differences are known to less.
        good &= (size > rounding) | (rounding <= h * self.sizes(some))
        right = np.where(size > rounding, 1 / h, 0.0)[:, None] * odd
        self._replace(some.of(np.flatnonzero(good)), right[good])
        return good, (size <= rounding) & (bend <= rounding)

    def _replace(self, along: _Directions, derivative: FloatArray) -> None:
        """Give Jacobians the derivatives along directions, and leave those across as they are."""
        for fit, vector, step, right in zip(along.row.tolist(), along.vector, along.step, derivative, strict=True):
            self.slopes[fit] += np.outer(right - self.slopes[fit] @ step, vector * self.norms[fit])


def along_dropped(
    residuals: Residuals,
    fits: NDArray[np.intp],
    x: FloatArray,
    f: FloatArray,
    slopes: FloatArray,
    of: Scales,
    weak: NDArray[np.bool_],
    singular: FloatArray,
    box: Bounds | None,
    closely: bool = False,
) -> tuple[NDArray[np.intc], NDArray[np.bool_]]:
    """Correct differences, in place, along the directions in which they cancel.

    Such a direction is itself known by as many digits as there are in the differences. What is left of the derivative
    along the right one is found by correcting once more, with the directions of the corrected derivatives.

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
    weak : ndarray of shape (K, N)
        Which parameters have differences without a length, and are no part of a direction.
    singular : ndarray of shape (K,)
        What sets singular values of the differences apart from zero, relative to the largest.
    box : Bounds, optional
        Outside of which nothing is evaluated.
    closely : bool
        Whether to correct until the directions stay, three times at most.

    Returns
    -------
    evaluations : ndarray of shape (K,)
        How many each fit took.
    sure : ndarray of shape (K,)
        Which fits had such directions, and have derivatives along all of them now.
    """
    scale = np.maximum(of.rounding, np.max(of.terms, axis=1, initial=0.0))
    along, sure = _Along(residuals, fits, x, f, slopes, scale, box), np.zeros(len(fits), dtype=np.bool_)
    left = _dropped(slopes, along.norms, weak, singular)
    for _ in range(_ROUNDS if closely else 1):
        measured = along.correct(left)
        sure[left.row] = True
        sure[left.row[~measured]] = False
        before = along.least(left)
        left = _dropped(slopes, along.norms, weak, np.where(sure, singular, 0.0))
        left = left.of(np.flatnonzero((along.least(left) < _FALLEN * before)[left.row]))
    return along.evaluations, sure


def _inside(x: FloatArray, step: FloatArray, row: NDArray[np.intp], box: Bounds | None) -> NDArray[np.bool_]:
    """Return which steps have room on both sides."""
    if box is None:
        return np.ones(len(step), dtype=np.bool_)
    side = np.abs(step)
    inside: NDArray[np.bool_] = np.all((x[row] - side >= box.lower[row]) & (x[row] + side <= box.upper[row]), axis=1)
    return inside
