"""Jacobians by differences, with steps that users choose and no point outside the bounds."""

from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple

import numpy as np

from ._bounds import Bounds, steps_inside
from ._validate import FloatArray, as_array, real_array

METHODS: Final = ("2-point", "3-point", "cs")
# Without cancellation, a step cannot be too small.
_COMPLEX_STEP: Final = 1e-30

Map = Callable[[Callable[[Any], Any], Iterable[Any]], Iterable[Any]]


class Differences(NamedTuple):
    """How to take differences of `func`."""

    func: Callable[[Any], Any]
    method: str
    # Relative to each parameter; None for the step that suits the method and the relative error of `func`.
    relative_step: FloatArray | None
    relative_error: float
    bounds: Bounds | None
    run: Map = map

    def jacobian(self, x: FloatArray, f: FloatArray) -> FloatArray:
        """Return the Jacobian at `x`, where `func` is `f`; shape (M, N)."""
        if self.method == "cs":
            return self._by_complex_steps(x)
        steps = self.steps(x)
        if self.method == "2-point":
            points = x + np.diag(steps)
            values = self._evaluate(points)
            return ((values - f) / (np.diagonal(points) - x)[:, None]).T
        return self._by_two_steps(x, f, steps)

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

    def _by_two_steps(self, x: FloatArray, f: FloatArray, steps: FloatArray) -> FloatArray:
        """Return central differences; near a bound, those of a parabola through two points on the side with room."""
        ends = np.array([x + np.diag(steps), x - np.diag(steps)])
        if self.bounds is not None:
            outside = (x - steps < self.bounds.lower) | (x - steps > self.bounds.upper)
            for j in np.flatnonzero(outside):
                ends[1, j, j] = x[j] + 0.5 * steps[j]
        n = x.size
        values = self._evaluate(ends.reshape(2 * n, n)).reshape(2, n, -1)
        one, two = (np.diagonal(end) - x for end in ends)
        first, second = ((v - f) / h[:, None] for v, h in zip(values, (one, two), strict=True))
        # The slope at x of the parabola through x and both ends.
        return ((first * two[:, None] - second * one[:, None]) / (two - one)[:, None]).T

    def _by_complex_steps(self, x: FloatArray) -> FloatArray:
        steps = _COMPLEX_STEP * np.maximum(np.abs(x), 1.0)
        points = x + 1j * np.diag(steps)
        columns = [np.ravel(as_array(values, "fun")) for values in self.run(self.func, points)]
        return np.array([values.imag / step for values, step in zip(columns, steps, strict=True)]).T

    def _evaluate(self, points: FloatArray) -> FloatArray:
        return np.array([np.ravel(real_array(values, "fun")) for values in self.run(self.func, points)])
