"""Where one fit starts, and the box that it stays in."""

import math
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import numpy as np

from .._input.bounds import Bounds, checked_bounds, count_free, middle, refuse_infeasible
from .._input.parameters import checked_start, positional_arguments
from .._input.validate import FLOAT64, FloatArray, real_array, refuse_not_finite, refuse_other
from .._models.model import Model
from .._models.start_of_counts import positive_start
from .._solver.data import Data, that_count
from .._solver.kernel import all_below

UNBOUNDED: Final = (-np.inf, np.inf)


class Beginning(NamedTuple):
    """A starting point, shape (N,), and bounds, equal where a parameter is fixed; None where there are none."""

    start: FloatArray
    box: Bounds | None

    @property
    def free(self) -> int:
        """The number of parameters that are fitted."""
        return count_free(self.start.size, self.box)


def beginning(
    f: Callable[..., Any], data: Data, p0: Any, bounds: Any, fixed: Any, method: str | None, loss: Any = "linear"
) -> Beginning:
    """Return where a fit starts and its bounds, from `p0`, `bounds` and `fixed` as users give them."""
    counts = isinstance(loss, str) and loss == "poisson"
    if method is not None:
        refuse_other(method, "method", (None, "lm", "trf", "dogbox"))
    by_name = type(p0) is not np.ndarray and isinstance(p0, Mapping)
    start = None if p0 is None or by_name else _given(f, p0)
    if bounds is UNBOUNDED and fixed is None and not by_name:
        return Beginning(_default(f, data, None, counts) if start is None else start, None)
    names = parameter_names(f, _count_parameters(f) if start is None else start.size)
    box = None if bounds is UNBOUNDED else checked_bounds(bounds, len(names), names, may_fix=False)
    if box is not None and method == "lm":
        raise ValueError(
            "Method 'lm' only works for unconstrained problems. Use 'trf' or 'dogbox' instead, or leave method out: "
            "all are the same algorithm here"
        )
    begin = checked_start(p0 if by_name else start, fixed, names, None)
    if begin.values is not None and begin.values.ndim > 1:
        raise ValueError(
            f"values of parameters have shape {begin.values.shape}, expected a number for each; curve_fit_many takes "
            f"values for many fits"
        )
    start = np.empty(len(names)) if begin.given.all() else _default(f, data, box, counts)
    if begin.values is not None:
        start[begin.given] = begin.values[begin.given]
    refuse_not_finite(start, "p0")
    if box is not None:
        refuse_infeasible(start, box, "p0", names)
    if begin.fixed.any():
        lower, upper = box or Bounds(np.full(start.size, -np.inf), np.full(start.size, np.inf))
        box = Bounds(np.where(begin.fixed, start, lower), np.where(begin.fixed, start, upper))
    return Beginning(start, box)


def refuse_too_few(begin: Beginning, points: int) -> None:
    """Raise where there are more parameters to fit than points."""
    if begin.free > points:
        raise TypeError(
            f"The number of func parameters={begin.free} must not exceed the number of data points={points}: "
            f"give more data, or fix some of the parameters"
        )


def parameter_names(f: Callable[..., Any], n: int) -> list[str]:
    """Return what the `n` parameters of a function are called, by number where it does not tell."""
    names = list(f.param_names) if isinstance(f, Model) else positional_arguments(f)[1:]
    return names if len(names) == n else [f"number {j} (counted from 0)" for j in range(n)]


def predictor_rows(model: Model, data: Data) -> FloatArray:
    """Return the predictors of a compiled model as (predictors, M)."""
    predictors = model.predictor_arrays(data.x)
    if len(predictors) == 1 and predictors[0].size == data.y.size:
        return predictors[0].reshape(1, -1)
    if any(predictor.size not in (1, data.y.size) for predictor in predictors):
        sizes = " and ".join(str(predictor.size) for predictor in predictors)
        raise ValueError(f"xdata has {sizes} points, ydata {data.y.size}; expected as many")
    rows = [np.broadcast_to(predictor.ravel(), data.y.size) for predictor in predictors]
    return rows[0].reshape(1, -1) if len(rows) == 1 else np.array(rows)


def starting_point(x0: Any, name: str, may_be_empty: bool = False) -> FloatArray:
    """Return a starting point as a one-dimensional float64 array of its own."""
    point = (x0 if type(x0) is np.ndarray and x0.dtype is FLOAT64 else real_array(x0, name)).flatten()
    if point.size == 0 and not may_be_empty:
        raise TypeError(f"{name} is empty: expected at least one parameter to start from")
    if not all_below(point, math.inf):
        refuse_not_finite(point, name)
    return point


def _given(f: Callable[..., Any], p0: Any) -> FloatArray:
    """Return a start that was given whole."""
    start = starting_point(p0, "p0")
    if isinstance(f, Model) and start.size != len(f.param_names):
        raise ValueError(
            f"p0 has {start.size} parameters, {f.__name__} {len(f.param_names)}: {', '.join(f.param_names)}"
        )
    return start


def _default(f: Callable[..., Any], data: Data, box: Bounds | None, counts: bool) -> FloatArray:
    """Return the start where none is given: what a compiled model guesses, or between the bounds, or ones."""
    if isinstance(f, Model) and f.guess is not None:
        rows = predictor_rows(f, data)
        y = data.y if data.whole else that_count(data.y, data.weights)
        guessed = f.guess(tuple(rows) if f.predictors > 1 else rows[0], y)
        if counts:
            guessed = positive_start(f, tuple(row[None] for row in rows), data.y[None], guessed[None])[0]
        return guessed if box is None else np.clip(guessed, *box)
    return np.ones(_count_parameters(f)) if box is None else middle(box)


def _count_parameters(f: Callable[..., Any]) -> int:
    """Count the parameters of a model by its signature, the first argument being the predictors."""
    n = len(positional_arguments(f)) - 1
    if n < 1:
        raise ValueError(
            "Unable to determine number of fit parameters. f must look like f(x, a, b, ...); otherwise give p0"
        )
    return n
