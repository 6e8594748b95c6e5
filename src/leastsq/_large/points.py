"""Models and data that need not fit into memory: points of a block, and what a model makes of them."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._input.validate import MOST_DATA, FloatArray, as_array, real_array, with_parameter_axis
from .._models.complex import complex_values, in_turn, with_axis
from .._solver.norms import norm
from .fold import Source

_TRIED = 1000


class Points(NamedTuple):
    """Some of the points: predictors as the model takes them, observations, and weights or None.

    Complex observations are two rows each, and so are complex weights, each of whose parts is for its own.
    """

    x: Any
    y: NDArray[Any]
    weights: NDArray[Any] | None

    @property
    def size(self) -> int:
        """The number of rows."""
        return self.y.size * (2 if self.y.dtype.kind == "c" else 1)

    def weighted(self, values: NDArray[Any]) -> FloatArray:
        """Return values, (M,) or (M, N), in rows, times the weights; what has no weight is not looked at."""
        rows: FloatArray = in_turn(values.T).T if self.y.dtype.kind == "c" else values
        weights = self.weights_of_rows()
        if weights is None:
            return rows
        weights = weights.reshape(weights.shape + (1,) * (rows.ndim - 1))
        found: FloatArray = np.where(weights == 0, 0.0, rows * weights)
        return found

    def weights_of_rows(self) -> FloatArray | None:
        """Return the weights of rows."""
        if self.weights is None or self.y.dtype.kind != "c":
            return self.weights
        rows: FloatArray = in_turn(self.weights) if self.weights.dtype.kind == "c" else np.repeat(self.weights, 2)
        return rows


@dataclass(frozen=True)
class ModelOfPoints:
    """A function of points, with its derivatives if it has them, of one value for each point."""

    f: Callable[..., Any]
    jac: Callable[..., Any] | None
    by_columns: bool
    of_counts: bool

    @property
    def exact(self) -> bool:
        """Whether there are derivatives."""
        return self.jac is not None

    def raw(self, points: Points, p: FloatArray) -> Any:
        """Return the values as the user's function gives them."""
        return self.f(points.x, *p)

    def kept(self, points: Points, p: FloatArray) -> FloatArray:
        """Return weighted residuals, or values of counts."""
        received = self.raw(points, p)
        if points.y.dtype.kind == "c":
            found: NDArray[Any] = complex_values(received, "f").ravel()
        else:
            found = (as_array(received, "f") if np.iscomplexobj(p) else real_array(received, "f")).ravel()
        if found.size not in (1, points.y.size):
            raise ValueError(f"f returned {found.size} values for {points.y.size} data points; expected one for each")
        if self.of_counts:
            return np.broadcast_to(found, points.y.shape)
        return points.weighted(found - points.y)

    def slopes(self, points: Points, p: FloatArray) -> FloatArray:
        """Return weighted derivatives, (M, N)."""
        jac: Any = self.jac
        shape, received = (points.y.size, p.size), jac(points.x, *p)
        if points.y.dtype.kind == "c":
            found: NDArray[Any] = with_axis(complex_values(received, "jac", may_be_real=True), *shape)
        else:
            found = with_parameter_axis(real_array(received, "jac"), shape)
        found = found.T if self.by_columns else found
        if found.shape != shape:
            raise ValueError(f"jac returned an array of shape {np.shape(received)}, expected {self._expected(shape)}")
        return points.weighted(found)

    def counts(self, points: Points) -> FloatArray | None:
        """Return observations, where they are counts."""
        return points.y if self.of_counts else None

    def _expected(self, shape: tuple[int, int]) -> str:
        return f"{shape[::-1]}, with col_deriv" if self.by_columns else str(shape)


@dataclass(frozen=True)
class Reading:
    """How arrays of a block become points: predictors, observations, and standard deviations last if there are any."""

    several: bool
    #: Which predictors have the points along their first axis.
    points_first: tuple[bool, ...]
    #: A number for all points, None where there is none, or one for each point.
    sigma: Any
    check_finite: bool
    omit: bool

    def __call__(self, arrays: tuple[Any, ...]) -> Points:
        """Return some points ready to be fitted."""
        count = len(self.points_first)
        observed = _numbers(arrays[count])
        predictors = [np.array(one, dtype=np.float64) for one in arrays[:count]]
        sigma = arrays[count + 1] if len(arrays) > count + 1 else self.sigma
        weights = None if sigma is None else np.broadcast_to(_weights(_numbers(sigma)), observed.shape)
        missing = np.isnan(observed)
        for one in predictors:
            missing |= np.isnan(one).any(axis=tuple(range(one.ndim - 1)))
        if missing.any() and self.check_finite:
            raise ValueError(f"{int(missing.sum())} points hold NaN; nan_policy='omit' leaves them out")
        if missing.any() and self.omit:
            keep = ~missing
            predictors, observed = [one[..., keep] for one in predictors], observed[keep]
            weights = None if weights is None else weights[keep]
        if self.check_finite:
            _refuse_infinite(predictors, observed, weights)
        own = [
            np.ascontiguousarray(one.T) if first else one
            for one, first in zip(predictors, self.points_first, strict=True)
        ]
        return Points(tuple(own) if self.several else own[0], observed, weights)


def _numbers(array: Any) -> NDArray[Any]:
    """Return an array of one's own, in double precision."""
    return np.array(array, dtype=np.complex128 if np.asarray(array).dtype.kind == "c" else np.float64)


def _refuse_infinite(predictors: Sequence[FloatArray], observed: NDArray[Any], weights: NDArray[Any] | None) -> None:
    for i, one in enumerate(predictors):
        infinite = int(np.count_nonzero(np.isinf(one)))
        if infinite:
            raise ValueError(f"xdata[{i}]: {infinite} values are infinite. Leave out points without a value")
    huge = ~(np.abs(observed) < MOST_DATA) & (True if weights is None else weights != 0)
    if huge.any():
        raise ValueError(f"ydata: {int(huge.sum())} values are infinite or beyond {MOST_DATA:g}")


def _weights(sigma: NDArray[Any]) -> NDArray[Any]:
    if sigma.dtype.kind == "c":
        return _weights(sigma.real) + 1j * _weights(sigma.imag)
    with np.errstate(divide="ignore"):
        weights: FloatArray = np.asarray(1.0 / sigma)
    if not ((sigma > 0) & (weights < math.inf)).all():
        raise ValueError("`sigma` must be positive, and more than tiny. To leave out a point, make its sigma infinite")
    return weights


class Survey(NamedTuple):
    """What is to be known of the data: rows that count, norms of them and of them without their first value."""

    points: int
    size: float
    spread: float
    #: How many are negative.
    negative: int


def survey(source: Source) -> Survey:
    """Look at all data once."""
    some: Points = source.block(source.sample(_TRIED))
    counted = np.ones(some.y.size) if some.weights is None else some.weights
    first = some.y[int(np.argmax(counted != 0))] if some.y.size else 0.0
    found: Survey = source.reduced(partial(_surveyed, first), _both)
    return found


def _surveyed(first: Any, points: Points) -> Survey:
    weights = points.weights_of_rows()
    count = points.size if weights is None else int(np.count_nonzero(weights))
    negative = 0 if points.y.dtype.kind == "c" else int(np.count_nonzero(points.y < 0))
    return Survey(count, norm(points.weighted(points.y)), norm(points.weighted(points.y - first)), negative)


def _both(parts: Sequence[Survey]) -> Survey:
    points, sizes, spreads, negative = zip(*parts, strict=True)
    return Survey(sum(points), math.hypot(*sizes), math.hypot(*spreads), sum(negative))
