"""One fit with a loss that is not in the compiled loop: counts, whose rows are made of values, and losses of users."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .._input.bounds import Bounds
from .._input.validate import FloatArray, real_array, relative_error
from .._solver import kernel
from .._solver.data import Data
from .._solver.losses import as_squares, is_counts
from .._solver.problem import Options
from .iterate import Fit, Names
from .numerical_jacobian import Differences

_NAMES = Names("f", "jac")


class Kept(NamedTuple):
    """What the iteration keeps of a model as a function of the parameters, and its derivatives."""

    #: Weighted residuals; of counts, values.
    values: Callable[[FloatArray], FloatArray]
    #: Their derivatives (M, N) at the point where values were asked for last; None for differences of the iteration.
    slopes: Callable[[FloatArray], FloatArray] | None
    #: Evaluations that derivatives take beside.
    evaluations: int


def kept_of(f: Callable[..., Any], data: Data, options: Options) -> Callable[[FloatArray], FloatArray]:
    """Return what the iteration keeps of a model: weighted residuals, or values for counts."""

    def values(parameters: FloatArray) -> FloatArray:
        found = real_array(f(data.x, *parameters), "f").ravel()
        if found.size != data.y.size:
            raise ValueError(f"f returned {found.size} values for {data.y.size} data points")
        return np.array(found if is_counts(options) else data.whiten(found - data.y))

    return values


def by_differences(
    values: Callable[[FloatArray], FloatArray],
    scheme: str,
    step: FloatArray | None,
    options: Options,
    box: Bounds | None,
    free: int,
) -> Kept:
    """Return a function with differences that the iteration cannot take by itself."""
    last: list[FloatArray] = [np.empty(0), np.empty(0)]

    def remembered(parameters: FloatArray) -> FloatArray:
        last[:] = parameters.copy(), values(parameters)
        return last[1]

    def slopes(parameters: FloatArray) -> FloatArray:
        if not np.array_equal(parameters, last[0]):
            remembered(parameters)
        return differences.jacobian(parameters, last[1])

    differences = Differences(values, scheme, step, options.epsfcn or 0.0, box)
    return Kept(remembered, slopes, differences.evaluations(free))


def relative_error_at(f: Callable[..., Any], data: Data, start: FloatArray, options: Options) -> Options:
    """Return options with the relative error of a model, by the dtype that it returns."""
    if options.epsfcn is not None:
        return options
    return options._replace(epsfcn=relative_error(f(data.x, *start)) or None)


def fit_own_loss(
    kept: Kept,
    start: FloatArray,
    options: Options,
    box: Bounds | None,
    predictors: Any,
    shown_as: Callable[[Callable[[Any], Any]], Callable[..., Fit]],
) -> Fit:
    """Fit with a loss of the user's: least squares of residuals whose squares are the costs.

    `shown_as` returns what iterates and shows whoever watches residuals, here those themselves.
    """
    last: list[FloatArray] = [np.empty(0)]

    def residuals(parameters: FloatArray) -> FloatArray:
        last[0] = kept.values(parameters)
        return as_squares(options, last[0])[0]

    def jacobian(parameters: FloatArray) -> FloatArray:
        assert kept.slopes is not None  # or else it is not called
        return kept.slopes(parameters) * as_squares(options, last[0])[1][:, None]

    dfun = None if kept.slopes is None else jacobian
    named = {"names": _NAMES, "predictors": predictors, "bounds": box}
    fit = shown_as(lambda _: last[0])(residuals, start, (), dfun, False, options, **named)
    return fit._replace(nfev=fit.nfev + fit.njev * kept.evaluations)


def fit_counts(
    kept: Kept,
    y: FloatArray,
    start: FloatArray,
    options: Options,
    box: Bounds | None,
    watch: Callable[[FloatArray], Any] | None = None,
) -> Fit:
    """Maximise the likelihood of counts; rows are made of values and derivatives in compiled code."""
    m, n = y.size, start.size
    state = kernel.begin(m, start, int(kept.slopes is not None), options, box)
    if watch is not None:
        watch(state)
    x, task = start.copy(), kernel.RESIDUALS
    while task != kernel.DONE:
        if task == kernel.RESIDUALS:
            task = kernel.take_values(state, kept.values(x.copy()), y, None, x)
        elif task == kernel.JACOBIAN and kept.slopes is not None:
            task = kernel.take_slopes(state, np.ascontiguousarray(kept.slopes(x.copy())), False, y, None, x)
        else:
            raise RuntimeError(f"compiled code refused values of {n} parameters at {m} points; please report this")
    info, nfev, njev, _, fnorm = kernel.outcome(state)
    return Fit(x, info, nfev + njev * kept.evaluations, njev, fnorm, m, options, state)


def refuse_no_mean(values: FloatArray, y: FloatArray) -> None:
    """Raise where a model starts with values that are no means of counts."""
    bad = ~(values >= 0) | (values == np.inf) | ((values == 0) & (y > 0))
    if bad.any():
        first = int(np.argmax(bad))
        raise ValueError(
            f"the model is no mean of counts at the starting point: {int(bad.sum())} of {y.size} values are not "
            f"positive and finite, the first at index {first} ({values[first]:.6g}, where ydata is {y[first]:g}). "
            f"Start where the model is positive; bounds keep it so, such as bounds={{'offset': (0, inf)}}"
        )


def refuse_negative(y: FloatArray) -> None:
    """Raise where counts are negative."""
    if (y < 0).any():
        first = int(np.argmax(y < 0))
        raise ValueError(
            f"ydata: {int((y < 0).sum())} of {y.size} values are negative, the first at index {first} ({y[first]:g}), "
            f"and loss='poisson' is for counts. Leave the background in, and make it part of the model"
        )
