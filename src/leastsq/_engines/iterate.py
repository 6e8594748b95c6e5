"""One fit, to the end: of a function of the user's, or of a compiled model.

The iteration never calls Python. It is handed residuals and answers with the next point to evaluate;
all it remembers is in one packed array that belongs to the fit.
"""

import math
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy import ndarray
from numpy.typing import NDArray

from .._input.bounds import Bounds, count_free
from .._input.validate import (
    FLOAT64,
    FloatArray,
    enough_residuals,
    jacobian_array,
    refuse_infinite_predictors,
    refuse_not_finite,
    relative_error,
    residual_array,
)
from .._models.model import Model
from .._solver import codes, kernel
from .._solver.interruptible import OVER, interruptibly
from .._solver.kernel import DONE, RESIDUALS, TO_FIT
from .._solver.problem import Options

# Fits that are over so soon, and of no more points than this, need no thread to be interrupted.
_SECONDS_OF_SHORT_FITS = 0.02
_TALL, _TALL_NATIVE = 2**18, 2**10
# Points that short fits evaluate before they look at the time.
_SHORT = 2**14


class Names(NamedTuple):
    """What the caller's users call the functions."""

    func: str = "func"
    dfun: str = "Dfun"


class Inverse(NamedTuple):
    """Inverse of JᵀJ for the last Jacobian, None if singular, and what tells how far to trust it."""

    cov: FloatArray | None
    norms: FloatArray
    least_ratio: float
    # The norm of the residuals' part in the tangent plane, the head of Qᵀf.
    tangent: float
    # By how much the residuals change if a parameter changes by all of itself, or by 1 if it is 0: least and most.
    least_change: float
    largest_change: float
    # The largest standard error, by its parameter, of those that are not of parameters at zero.
    share: float


class Fit(NamedTuple):
    """A finished fit."""

    x: FloatArray
    info: int
    nfev: int
    njev: int
    fnorm: float
    m: int
    options: Options
    state: FloatArray
    # Of a fit that keeps no residuals.
    residuals: Callable[[FloatArray], FloatArray] | None = None

    def message(self, bounds: Bounds | None = None) -> str:
        """Say in words how the fit ended, which was within `bounds`."""
        return codes.message(
            self.info,
            held=bounds is not None and self.fnorm > 0 and bool(bounds.holds(self.x).all()),
            ftol=self.options.ftol,
            xtol=self.options.xtol,
            gtol=self.options.gtol,
            nfev=self.nfev,
            maxfev=self.options.maxfev,
        )

    def information(self, analytic: bool) -> dict[str, Any]:
        """Return the dictionary that tells how a fit went: counts, residuals, and the last Jacobian, factored.

        What the fit of a tall problem needs no more, its Jacobian say, is given back.
        """
        n, m, state = self.x.size, self.m, self.state
        _, f, qtf, r, rows, ipvt = kernel.positions(state, n)
        if rows >= 0:
            fjac = state[rows : rows + n * m].reshape(n, m)
        else:
            # Zeros cost no memory until they are written to.
            fjac = np.zeros((n, m))
            fjac[:, :n] = np.tril(state[r : r + n * n].reshape(n, n))[:, :m]
            if self.residuals is None:
                state.resize(f + m, refcheck=False)
        fvec = state[f : f + m] if self.residuals is None else self.residuals(self.x)
        found = {"fvec": fvec, "nfev": self.nfev, "fjac": fjac, "ipvt": ipvt, "qtf": state[qtf : qtf + n]}
        if analytic:
            found["njev"] = self.njev
        return found

    def triangle(self) -> FloatArray:
        """Return T with TᵀT = JᵀJ for the last Jacobian, N by N, and the head of Qᵀf as its last column."""
        n = self.x.size
        at = kernel.triangle_of(self.state, n)
        triangle = np.empty((n, n + 1))
        triangle[:, at.pivots] = np.tril(self.state[at.r : at.r + n * n].reshape(n, n)).T
        triangle[:, n] = self.state[at.qtf : at.qtf + n]
        return triangle

    def covariance(self) -> FloatArray | None:
        """Invert JᵀJ for the last Jacobian; None if it is singular."""
        return kernel.covariance_matrix(self.state, self.x.size, 1.0)[0]

    def inverse(self, deviation: float = 1.0) -> Inverse:
        """Invert JᵀJ for the last Jacobian, times the variance of the residuals, and say how far to trust it."""
        return Inverse(*kernel.covariance_matrix(self.state, self.x.size, deviation))


_NAMES = Names()
_NAMES_OF_MODEL = Names("f", "jac")


def iterate(
    func: Callable[..., Any],
    x0: FloatArray,
    args: tuple[Any, ...],
    dfun: Callable[..., Any] | None,
    col_deriv: bool,
    options: Options,
    first: Any = None,
    names: Names = _NAMES,
    must_be_finite: bool = True,
    bounds: Bounds | None = None,
    watch: Callable[[FloatArray], Any] | None = None,
    predictors: Any = None,
) -> Fit:
    """Minimise the sum of squares of `func`, evaluating it exactly `nfev` times.

    The loop is compiled. The array handed to `func` is reused for the next point unless something still refers to it:
    then it is theirs, and the next point gets a new one. `first` is what `func` returns at `x0`, where the caller
    has had it evaluated already; `names` are what the caller calls the functions in messages. Without
    `must_be_finite`, a start or a derivative that is not finite is an exit code like others, else the fault of
    `predictors` that are infinite. `watch` gets the packed array once there is one.
    """
    state, x, m, info, nfev, njev, column, fnorm, residuals, received = kernel.run(
        x0,
        options,
        bounds,
        func,
        args,
        dfun,
        col_deriv,
        first,
        _look,
        residual_array,
        jacobian_array,
        names,
        watch,
    )
    if info > codes.TRIAL_NOT_FINITE and must_be_finite:
        _raise_not_finite(info, column, residuals, received, dfun is not None, names, predictors)
    return Fit(x, info, nfev, njev, fnorm, m, options, state)


def _look(first: Any, x0: FloatArray, bounds: Bounds | None, names: Names) -> tuple[int, float]:
    """Return how many residuals there are at the start, and their relative error, 0 for that of double precision."""
    plain = type(first) is ndarray and first.dtype is FLOAT64
    m = first.size if plain else residual_array(first, None, names.func).size
    enough_residuals(m, count_free(x0.size, bounds), names.func)
    return m, 0.0 if plain else relative_error(first)


def iterate_model(
    model: Model,
    x: FloatArray,
    y: FloatArray,
    weights: FloatArray | None,
    x0: FloatArray,
    options: Options,
    must_be_finite: bool = True,
    names: Names = _NAMES_OF_MODEL,
    bounds: Bounds | None = None,
    interrupt: NDArray[np.intc] | None = None,
    watch: Callable[..., Any] | None = None,
) -> Fit:
    """Minimise the sum of squares of the residuals of a model that the compiled code evaluates.

    `x` is (predictors, M). Steps are taken in compiled calls; of many points neither residuals nor Jacobian are stored,
    unless a function evaluates them all at once. Once `interrupt` says that time is over, the fit is left at the best
    point so far, still to be made.
    `watch` takes the steps, if it is given: it gets what takes one, the point, the packed array, and residuals.
    """
    enough_residuals(y.size, count_free(x0.size, bounds), names.func)
    _, whole, analytic = kernel.model_sizes(model.numbers, x0.size, model.predictors, y.size)
    state = kernel.begin(y.size, x0, analytic, options, bounds=bounds)
    point, work = x0.copy(), np.empty(whole)
    long = y.size > (_TALL_NATIVE if model.guess is None else _TALL)
    stop = np.zeros(1, dtype=np.intc) if interrupt is None else interrupt
    x = np.ascontiguousarray(x)
    steps = 1 if long or watch is not None else max(1, _SHORT // y.size)

    def step() -> int:
        return kernel.step_model(kernel.LEVEL, model.numbers, x, y, weights, stop, state, work, point, steps)

    def residuals(parameters: FloatArray) -> FloatArray:
        with np.errstate(all="ignore"):
            values: FloatArray = model(tuple(x) if model.predictors > 1 else x[0], *parameters) - y
        return values if weights is None else np.where(weights == 0, 0.0, values * weights)

    if watch is None:
        _run(step, long, stop)
    else:
        watch(step, point, state, residuals)
    info, nfev, njev, column, fnorm = kernel.outcome(state)
    if info == TO_FIT:
        first = kernel.triangle_of(state, x0.size).x
        point = state[first : first + x0.size].copy()
    if info > codes.TRIAL_NOT_FINITE and must_be_finite:
        slopes = None if model.jac is None else model.jac(tuple(x) if model.predictors > 1 else x[0], *point)
        _raise_not_finite(info, column, residuals(point), slopes, slopes is not None, names, x)
    return Fit(
        point, info, nfev, njev, fnorm, y.size, options, state, None if analytic == kernel.BY_CALLER else residuals
    )


def _run(step: Callable[[], int], long: bool, interrupt: NDArray[np.intc]) -> None:
    """Take steps to the end, some in each call, in a thread that Ctrl-C can stop if they take long."""

    def take_steps(seconds: float) -> int:
        begun = time.monotonic()
        task = step()
        while task == RESIDUALS and not interrupt[0] and time.monotonic() - begun < seconds:
            task = step()
        return task

    # A thread of its own takes longer than many a fit.
    task = RESIDUALS if long else take_steps(_SECONDS_OF_SHORT_FITS)
    if task == RESIDUALS:
        task = interruptibly(lambda: take_steps(math.inf), interrupt)
    if task == RESIDUALS and interrupt[0] != OVER:
        raise KeyboardInterrupt("the fit was interrupted")
    if task not in (DONE, RESIDUALS):
        raise RuntimeError("compiled code refused a fit that had been made ready for it; please report this")


def _raise_not_finite(
    info: int, column: int, residuals: Any, jacobian: Any, analytic: bool, names: Names, predictors: Any
) -> None:
    """Say which numbers were NaN or infinite, at the start or in a Jacobian."""
    if info == codes.START_NOT_FINITE:
        values = residual_array(residuals, None, names.func)
        refuse_infinite_predictors(predictors, values, names.func)
        refuse_not_finite(values, names.func, " at the starting point")
        raise ValueError(f"{names.func}: the sum of squares at the starting point overflows; scale the residuals down")
    if analytic:
        slopes = np.asarray(jacobian, dtype=np.float64)
        refuse_infinite_predictors(predictors, slopes, names.dfun)
        refuse_not_finite(slopes, names.dfun)
        raise ValueError(f"{names.dfun}: the norm of column {column - 1} overflows; scale the residuals down")
    raise ValueError(
        f"{names.func}: the residuals a small step away from an iterate are not finite, so that there is no derivative "
        f"with respect to parameter {column - 1} (counted from 0). Check that {names.func} is defined on both sides of "
        f"every iterate, or give {names.dfun}."
    )
