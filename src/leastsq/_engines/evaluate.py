"""A function of the user's, evaluated for some fits of a block at once: at any points, as often as anyone likes."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._input.validate import NO_VALUE, FloatArray, real_array, with_parameter_axis
from .._solver.losses import is_counts
from .._solver.norms import row_norms
from .._solver.problem import Problem
from .block import Block, as_argument

# Points evaluated in one call: few enough for the arrays of an expression to stay in the cache.
POINTS_AT_ONCE = 2**15


class Evaluator:
    """Values, residuals and derivatives of the fits of a block, whichever engine made them.

    Methods take numbers of fits, which may be repeated, and a row of parameters for each.
    """

    def __init__(self, problem: Problem, block: Block) -> None:
        self.problem = problem
        self.block = block

    @property
    def m(self) -> int:
        """The number of points."""
        return int(self.block.y.shape[1])

    def sizes(self, fits: NDArray[np.intp]) -> tuple[FloatArray, FloatArray]:
        """Return the norms of the weighted data, and of the same without their first value."""
        y = self.block.y[fits]
        first = y[:, :1]
        if len(self.block.weights):
            weights = self.block.weights[fits] if len(self.block.weights) > 1 else self.block.weights
            counts = np.argmax(np.broadcast_to(weights != 0, y.shape), axis=1)
            first = np.take_along_axis(y, counts[:, None], axis=1)
        return row_norms(self._weighted(fits, y)), row_norms(self._weighted(fits, y - first))

    def values(self, fits: NDArray[np.intp], points: FloatArray) -> FloatArray:
        """Evaluate the function for all rows of parameters at once, shape (rows, M)."""
        shape = (len(points), self.block.y.shape[1])
        found = self.problem.f(self._predictors(fits), *_columns(points))
        return _shaped(found, shape, "f").copy()  # which f may use again

    def slopes(self, fits: NDArray[np.intp], points: FloatArray) -> FloatArray:
        """Evaluate the derivatives for all rows of parameters at once, shape (rows, M, N)."""
        jac: Any = self.problem.jac
        shape = (len(points), self.block.y.shape[1], points.shape[1])
        found = with_parameter_axis(real_array(jac(self._predictors(fits), *_columns(points)), "jac"), shape)
        return _shaped(found, shape, "jac")

    def counts(self, fits: NDArray[np.intp]) -> FloatArray:
        """Return the observations, shape (rows, M), for a loss of counts; 0 where a point has no weight."""
        return self.block.y[fits]

    def values_in_parts(self, fits: NDArray[np.intp], points: FloatArray) -> FloatArray:
        """Return values as `values` does, NaN where there are none, of functions for one fit, too."""
        return self._in_parts(self.values, fits, points, (self.block.y.shape[1],))

    def residuals(self, fits: NDArray[np.intp], points: FloatArray) -> FloatArray:
        """Return weighted residuals, shape (rows, M): 0 where a point has no weight, NaN where there is no value.

        Of counts, values of the model, which is what the iteration keeps of them.
        """
        found = self.values_in_parts(fits, points)
        with np.errstate(all="ignore"):
            if not is_counts(self.problem.options):
                found -= self.block.y[fits]
            return self._weighted(fits, found)

    def jacobian(self, fits: NDArray[np.intp], points: FloatArray) -> FloatArray:
        """Return weighted derivatives, shape (rows, M, N)."""
        with np.errstate(all="ignore"):
            return self._weighted(
                fits, self._in_parts(self.slopes, fits, points, (self.block.y.shape[1], points.shape[1]))
            )

    def _weighted(self, fits: NDArray[np.intp], found: FloatArray) -> FloatArray:
        if len(self.block.weights) == 0:
            return found
        weights = self.block.weights[fits if len(self.block.weights) > 1 else np.zeros_like(fits)]
        weights = weights.reshape(weights.shape + (1,) * (found.ndim - 2))
        weighted: FloatArray = np.where(weights == 0, 0.0, found * weights)
        return weighted

    def _predictors(self, fits: NDArray[np.intp]) -> Any:
        """Return the predictors of some fits as the function takes them, which may change them."""
        copies = tuple(np.array(x[0]) if len(x) == 1 else x[fits] for x in self.block.x)
        return copies[0] if len(copies) == 1 else copies

    def _in_parts(
        self, evaluate: Callable[..., FloatArray], fits: NDArray[np.intp], points: FloatArray, shape: tuple[int, ...]
    ) -> FloatArray:
        """Evaluate a few rows at once, or each by itself, and put NaN where the function raises for want of a value."""
        found = np.empty((len(points), *shape))
        if not self.problem.vectorized:
            for row in range(len(points)):
                self._one(int(fits[row]), points[row], found[row])
            return found
        size = max(1, POINTS_AT_ONCE // max(math.prod(shape), 1))
        for first in range(0, len(points), size):
            part = slice(first, first + size)
            found[part] = _or_nan(evaluate, fits[part], points[part])
        return found

    def _one(self, fit: int, point: FloatArray, found: FloatArray) -> None:
        """Evaluate a function that takes one fit at a time, without the points that do not count."""
        weights = self.block.weights_of(fit)
        keep = slice(None) if weights is None or weights.all() else weights != 0
        x = as_argument(tuple(one[keep] for one in self.block.predictors_of(fit)))
        found[...] = 0.0
        shape = found[keep].shape
        try:
            if found.ndim == 1:
                values = real_array(self.problem.f(x, *point), "f")
            else:
                jac: Any = self.problem.jac
                values = with_parameter_axis(real_array(jac(x, *point), "jac"), shape)
            found[keep] = np.broadcast_to(values.reshape(shape) if values.size == found[keep].size else values, shape)
        except NO_VALUE:
            found[...] = np.nan


def _or_nan(evaluate: Callable[..., FloatArray], fits: NDArray[np.intp], points: FloatArray) -> FloatArray:
    """Evaluate some rows together; or one by one, if one of them has no value."""
    try:
        return evaluate(fits, points)
    except NO_VALUE:
        if len(points) == 1:
            return np.array(np.nan)
    parts = [_or_nan(evaluate, fits[k : k + 1], points[k : k + 1]) for k in range(len(points))]
    shape = next((part.shape for part in parts if part.ndim), (1, 1))
    return np.concatenate([np.broadcast_to(part, shape) for part in parts])


def _columns(points: FloatArray) -> FloatArray:
    """Return each parameter as a column of its own, which a function may do with as it likes."""
    return np.array(points.T)[:, :, None]


def _shaped(values: Any, shape: tuple[int, ...], name: str) -> FloatArray:
    found = real_array(values, name)
    if found.shape == shape:
        return found
    try:
        return np.ascontiguousarray(np.broadcast_to(found, shape))
    except ValueError:
        raise ValueError(
            f"{name} returned an array of shape {found.shape} for {shape[0]} fits at once, expected {shape}. "
            f"vectorized=False fits any function, one data set at a time"
        ) from None
