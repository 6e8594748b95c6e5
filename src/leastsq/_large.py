"""Data of any size, a block of points at a time: each block becomes a triangle of N x N numbers, and triangles one.

The iteration needs no more of the data than the norm of the residuals and the triangle R of [J f] = Q R at each point
that it tries. Both come from mapping over blocks and reducing what they give: one block after the other where data are
in files, and where the chunks lie where they are dask's.

References
----------
J. Demmel, L. Grigori, M. Hoemmen, J. Langou, SIAM J. Sci. Comput. 34 (2012), section 2.2 (triangles in a tree).
"""

import contextlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, Protocol

import numpy as np

from . import _kernel
from ._derivatives import norm
from ._validate import NO_VALUE, FloatArray, real_array, relative_error, with_parameter_axis

# Rounding may differ between blocks and the whole; a mistake is larger.
_ROUNDINGS = 1e4
_POINTS_TRIED = 1000


class Points(NamedTuple):
    """Some of the points: predictors as the model takes them, observations, and weights or None."""

    x: Any
    y: FloatArray
    weights: FloatArray | None

    def weighted(self, values: FloatArray) -> FloatArray:
        """Return values, (M,) or (M, N), times the weights; what has no weight is not looked at."""
        if self.weights is None:
            return values
        weights = self.weights.reshape(self.weights.shape + (1,) * (values.ndim - 1))
        found: FloatArray = np.where(weights == 0, 0.0, values * weights)
        return found


class Folded(NamedTuple):
    """What is left of points: the norm of their residuals, and their triangle with the head of Qᵀf, (N + 1, N)."""

    fnorm: float
    triangle: FloatArray


class Survey(NamedTuple):
    """What is to be known of the data: points that count, and norms of them and of them without their first value."""

    points: int
    size: float
    spread: float


class Source(Protocol):
    """Data in blocks."""

    @property
    def m(self) -> int:
        """The number of points."""

    def sample(self, count: int) -> Points:
        """Return points from all over the data, about so many."""

    def reduced(self, task: Callable[[Points], Any], combine: Callable[[Sequence[Any]], Any]) -> Any:
        """Return what `task` makes of the blocks, combined; `combine` is associative."""


class Steps(NamedTuple):
    """Difference steps of each parameter, 0 where it is fixed, and whether the other way is gone, too."""

    forward: FloatArray
    both: bool


@dataclass(frozen=True)
class Function:
    """A function of points, with its derivatives if it has them."""

    f: Callable[..., Any]
    jac: Callable[..., Any] | None

    def residuals(self, points: Points, p: FloatArray) -> FloatArray:
        """Return weighted residuals, NaN where there are none."""
        try:
            found = real_array(self.f(points.x, *p), "f").ravel()
        except NO_VALUE:
            return np.full(points.y.size, np.nan)
        if found.size not in (1, points.y.size):
            raise ValueError(f"f returned {found.size} values for {points.y.size} data points; expected one for each")
        return points.weighted(found - points.y)

    def slopes(self, points: Points, p: FloatArray) -> FloatArray:
        """Return weighted derivatives, (M, N)."""
        jac: Any = self.jac
        shape = (points.y.size, p.size)
        found = with_parameter_axis(real_array(jac(points.x, *p), "jac"), shape)
        if found.shape != shape:
            raise ValueError(f"jac returned an array of shape {found.shape}, expected {shape}")
        return points.weighted(found)

    def fold(self, p: FloatArray, steps: Steps, points: Points) -> Folded:
        """Return residuals and derivatives at `p`, folded."""
        triangle = np.zeros((p.size + 1, p.size))
        if points.y.size == 0:
            return Folded(0.0, triangle)
        with np.errstate(all="ignore"):
            f = self.residuals(points, p)
            rows = np.zeros((p.size + 1, f.size))
            rows[-1] = f
            if self.jac is not None:
                rows[:-1] = self.slopes(points, p).T
            else:
                for j in np.flatnonzero(steps.forward).tolist():
                    rows[j] = self._difference(points, p, f, j, steps)
            _kernel.fold_rows(rows, triangle)
            return Folded(norm(f), triangle)

    def _difference(self, points: Points, p: FloatArray, f: FloatArray, j: int, steps: Steps) -> FloatArray:
        step, moved = float(steps.forward[j]), p.copy()
        moved[j] = p[j] + step
        forward = self.residuals(points, moved)
        if not steps.both:
            return (forward - f) / step
        moved[j] = p[j] - step
        return (forward - self.residuals(points, moved)) / (2 * step)


def together(parts: Sequence[Folded]) -> Folded:
    """Fold triangles into one."""
    triangle = parts[0].triangle.copy()
    for part in parts[1:]:
        _kernel.fold_rows(part.triangle, triangle)
    return Folded(math.hypot(*(part.fnorm for part in parts)), triangle)


def survey(source: Source) -> Survey:
    """Look at all data once."""
    some = source.sample(_POINTS_TRIED)
    counts = np.ones(some.y.size) if some.weights is None else some.weights
    first = float(some.y[int(np.argmax(counts != 0))]) if some.y.size else 0.0
    found: Survey = source.reduced(partial(_surveyed, first), _both)
    return found


def _surveyed(first: float, points: Points) -> Survey:
    count = points.y.size if points.weights is None else int(np.count_nonzero(points.weights))
    return Survey(count, norm(points.weighted(points.y)), norm(points.weighted(points.y - first)))


def _both(parts: Sequence[Survey]) -> Survey:
    points, sizes, spreads = zip(*parts, strict=True)
    return Survey(sum(points), math.hypot(*sizes), math.hypot(*spreads))


def try_in_blocks(function: Function, source: Source, p: FloatArray) -> float:
    """Refuse a function that does not work point by point, and return its relative error, 0 for double precision."""
    whole = source.sample(_POINTS_TRIED)
    half = whole.y.size // 2
    parts = [_part(whole, slice(0, half)), _part(whole, slice(half, None))]
    error = 0.0
    with np.errstate(all="ignore"):
        with contextlib.suppress(*NO_VALUE):  # of which it is said soon enough
            error = relative_error(function.f(whole.x, *p))
        for name, of in (("f", function.residuals), ("jac", function.slopes if function.jac else None)):
            if of is not None and half:
                _compare(name, of(whole, p), np.concatenate([of(part, p) for part in parts]), error)
    return error


def _part(points: Points, which: slice) -> Points:
    x = points.x
    x = tuple(one[..., which] for one in x) if isinstance(x, tuple) else x[..., which]
    return Points(x, points.y[which], None if points.weights is None else points.weights[which])


def _compare(name: str, whole: FloatArray, parts: FloatArray, error: float) -> None:
    tolerance = _ROUNDINGS * max(error, float(np.finfo(np.float64).eps))
    finite = np.abs(whole[np.isfinite(whole)])
    if not np.allclose(parts, whole, rtol=tolerance, atol=tolerance * finite.max(initial=0.0), equal_nan=True):
        raise ValueError(
            f"{name} gives other values for two blocks of points than for all of them at once, but data that may not "
            f"fit into memory are evaluated in blocks. Write {name} so that it works point by point, or read the data "
            f"into memory: np.array(ydata)"
        )
