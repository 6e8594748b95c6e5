"""Jacobians by differences, with steps that users choose and no point outside the bounds."""

from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._input.bounds import Bounds, steps_inside
from .._input.validate import FloatArray, as_array, real_array, residual_array, same_size

METHODS: Final = ("2-point", "3-point", "cs")
# Without cancellation, a step cannot be too small.
_COMPLEX_STEP: Final = 1e-30

Map = Callable[[Callable[[Any], Any], Iterable[Any]], Iterable[Any]]


def one_by_one(function: Callable[[Any], Any], points: Iterable[Any]) -> list[Any]:
    """Return what a function gives for points, one after the other; `map` would end where it raises StopIteration."""
    return [function(point) for point in points]


class Differences(NamedTuple):
    """How to take differences of `func`."""

    func: Callable[[Any], Any]
    method: str
    # Relative to each parameter; None for the step that suits the method and the relative error of `func`.
    relative_step: FloatArray | None
    relative_error: float
    bounds: Bounds | None
    run: Map = one_by_one

    def jacobian(self, x: FloatArray, f: FloatArray) -> FloatArray:
        """Return the Jacobian at `x`, where `func` is `f`; shape (M, N), 0 by parameters whose bounds are equal."""
        free = np.arange(x.size)
        if self.bounds is not None:
            free = np.flatnonzero(self.bounds.free)
        if self.method == "cs":
            columns = self._by_complex_steps(x, f.size, free)
        else:
            steps = np.diag(self.steps(x))[free]
            columns = self._by_one_step(x, f, steps) if self.method == "2-point" else self._by_two_steps(x, f, steps)
        if free.size == x.size:
            return columns
        whole = np.zeros((len(columns), x.size))
        whole[:, free] = columns
        return whole

    def evaluations(self, n: int) -> int:
        """Say how many evaluations a Jacobian by `n` parameters takes."""
        return 2 * n if self.method == "3-point" else n

    def steps(self, x: FloatArray) -> FloatArray:
        """Return a step for each parameter: to where there is room, or to the farther bound."""
        eps = max(self.relative_error, float(np.finfo(np.float64).eps))
        default = eps ** (1 / 2 if self.method == "2-point" else 1 / 3)
        relative = default if self.relative_step is None else self.relative_step
        steps: FloatArray = relative * np.abs(x)
        steps = np.where(steps == 0, default, steps)
        if self.bounds is None:
            return steps
        return steps_inside(steps, x - self.bounds.lower, self.bounds.upper - x)

    def _by_one_step(self, x: FloatArray, f: FloatArray, steps: FloatArray) -> FloatArray:
        """Return forward differences, or backward ones."""
        points = self._inside(x + steps)
        slopes = (self._evaluate(points, f.size) - f) / (points - x).sum(axis=1)[:, None]
        by_columns: FloatArray = slopes.T
        return by_columns

    def _by_two_steps(self, x: FloatArray, f: FloatArray, steps: FloatArray) -> FloatArray:
        """Return central differences; near a bound, those of a parabola through two points on the side with room."""
        ends = np.array([x + steps, x - steps])
        if self.bounds is not None:
            outside = ((ends[1] < self.bounds.lower) | (ends[1] > self.bounds.upper)).any(axis=1)
            ends[1, outside] = (x + 0.5 * steps)[outside]
            ends = self._inside(ends)
        values = self._evaluate(ends.reshape(-1, x.size), f.size).reshape(2, len(steps), -1)
        one, two = ((end - x).sum(axis=1) for end in ends)
        first, second = ((v - f) / h[:, None] for v, h in zip(values, (one, two), strict=True))
        # The slope at x of the parabola through x and both ends.
        slopes = (first * two[:, None] - second * one[:, None]) / (two - one)[:, None]
        by_columns: FloatArray = slopes.T
        return by_columns

    def _inside(self, points: FloatArray) -> FloatArray:
        """Return points that rounding has not put outside of the bounds."""
        if self.bounds is None:
            return points
        inside: FloatArray = np.clip(points, self.bounds.lower, self.bounds.upper)
        return inside

    def _by_complex_steps(self, x: FloatArray, m: int, free: NDArray[np.intp]) -> FloatArray:
        steps = (_COMPLEX_STEP * np.maximum(np.abs(x), 1.0))[free]
        points = np.tile(x.astype(complex), (free.size, 1))
        points[np.arange(free.size), free] += 1j * steps
        columns = [np.ravel(as_array(values, "fun")) for values in self._received(points)]
        for column in columns:
            same_size(column, m, "fun")
        return np.array([values.imag / step for values, step in zip(columns, steps, strict=True)]).T

    def _evaluate(self, points: FloatArray, m: int) -> FloatArray:
        return np.array([residual_array(values, m, "fun") for values in self._received(points)])

    def _received(self, points: NDArray[Any]) -> list[Any]:
        """Return what the function gives for points, refusing other numbers of results than of points."""
        received = list(self.run(self.func, points))
        if len(received) != len(points):
            raise RuntimeError(
                f"workers returned {len(received)} results for {len(points)} points; expected one for each, in order"
            )
        return received


def checked_step(diff_step: Any, n: int) -> FloatArray:
    """Return relative steps of differences, one for each of `n` parameters."""
    step = real_array(diff_step, "diff_step")
    if step.shape not in ((), (1,), (n,)) or not ((np.abs(step) > 0) & (np.abs(step) < np.inf)).all():
        raise ValueError(f"diff_step must be a number or {n} of them, none of them 0, got {diff_step!r}")
    return np.abs(np.broadcast_to(step, n))
