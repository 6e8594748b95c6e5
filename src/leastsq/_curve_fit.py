"""The drop-in for scipy.optimize.curve_fit."""

from __future__ import annotations  # so that help() shows ArrayLike by its name

import warnings
from collections.abc import Callable
from typing import Any, Literal, TypeAlias, overload

import numpy as np
from numpy.typing import ArrayLike

from . import _status
from ._data import Data, prepare, residual_function
from ._iterate import Fit, Names, iterate, iterate_model
from ._judge import Judged
from ._judge import judge as _judge
from ._kernel import with_data
from ._leastsq import information
from ._model import Model
from ._parameters import positional_arguments
from ._problem import Options, checked_options
from ._status import OptimizeWarning, warn_of_absolute_without
from ._sums import understood
from ._validate import (
    FloatArray,
    callable_argument,
    flag,
    jacobian_array,
    real_array,
    refuse_not_finite,
    relative_error,
    starting_point,
)

_Short: TypeAlias = tuple[FloatArray, FloatArray]
_Full: TypeAlias = tuple[FloatArray, FloatArray, dict[str, Any], str, int]
_NAMES = Names("f", "jac")
_UNBOUNDED = (-np.inf, np.inf)
_SOLVER_DEFAULTS: dict[str, Any] = {
    "ftol": 1.49012e-8,
    "xtol": 1.49012e-8,
    "gtol": 0.0,
    "maxfev": 0,
    "epsfcn": None,
    "factor": 100,
    "diag": None,
}


@overload
def curve_fit(
    f: Callable[..., Any],
    xdata: Any,
    ydata: ArrayLike,
    p0: ArrayLike | None = ...,
    sigma: ArrayLike | None = ...,
    absolute_sigma: bool = ...,
    check_finite: bool | None = ...,
    bounds: Any = ...,
    method: str | None = ...,
    jac: Callable[..., Any] | None = ...,
    *,
    full_output: Literal[False] = ...,
    nan_policy: str | None = ...,
    **kwargs: Any,
) -> _Short: ...
@overload
def curve_fit(
    f: Callable[..., Any],
    xdata: Any,
    ydata: ArrayLike,
    p0: ArrayLike | None = ...,
    sigma: ArrayLike | None = ...,
    absolute_sigma: bool = ...,
    check_finite: bool | None = ...,
    bounds: Any = ...,
    method: str | None = ...,
    jac: Callable[..., Any] | None = ...,
    *,
    full_output: Literal[True],
    nan_policy: str | None = ...,
    **kwargs: Any,
) -> _Full: ...
def curve_fit(
    f: Callable[..., Any],
    xdata: Any,
    ydata: ArrayLike,
    p0: ArrayLike | None = None,
    sigma: ArrayLike | None = None,
    absolute_sigma: bool = False,
    check_finite: bool | None = None,
    bounds: Any = _UNBOUNDED,
    method: str | None = None,
    jac: Callable[..., Any] | None = None,
    *,
    full_output: bool = False,
    nan_policy: str | None = None,
    **kwargs: Any,
) -> _Short | _Full:
    """Fit a function to data by nonlinear least squares.

    Minimises ``sum(((f(xdata, *popt) - ydata) / sigma)**2)`` by the Levenberg-Marquardt method of `leastsq`. A
    drop-in for ``scipy.optimize.curve_fit`` with ``method="lm"``.

    Parameters
    ----------
    f : callable ``f(x, a, b, ...) -> array_like``
        The model: M values for the predictors and the N parameters, which are separate arguments. Or one of
        `leastsq.models`, whose values and derivatives are then compiled.
    xdata : object
        The predictors, passed on to `f`. Lists, tuples and arrays are converted to float64 first.
    ydata : array_like
        The M observations. What is not one-dimensional is flattened, and so are the values of `f`.
    p0 : array_like of shape (N,), optional
        Parameters to start from. By default the ``guess`` of a compiled model, or else ones, as many as `f` has
        arguments after the first. Good starting values matter more than anything else here.
    sigma : array_like, optional
        Standard deviations of `ydata`, in its units: a number, or as many as there are data, in the shape of `ydata`
        or flat; or its covariance matrix, shape (M, M). An infinite standard deviation leaves a point out.
    absolute_sigma : bool, default False
        Whether `sigma` is meant in absolute terms. If not, only the ratios between its entries count, and
        `pcov` is scaled so that the reduced chi-square is one.
    check_finite : bool, optional
        Refuse NaN and Inf in `xdata` and `ydata`. By default only where `nan_policy` is None.
    bounds : 2-tuple of array_like, optional
        Must be infinite: bounded fits are not part of this release.
    method : {None, "lm"}, optional
        Levenberg-Marquardt.
    jac : callable ``jac(x, a, b, ...) -> array_like``, optional
        Derivatives of `f`, shape (M, N); they are weighted with `sigma` here. By default forward differences.
    full_output : bool, default False
        Return more than the parameters and their covariance.
    nan_policy : {None, "raise", "omit"}, optional
        What to do with points where `ydata` or a predictor is NaN (or masked): refuse them, or leave them and
        their entries of `sigma` out. None does not look for them. Columns and tables of pandas and polars, whose rows
        are points, and arrays of xarray reach `f` as such.
    **kwargs
        Options of `leastsq`: `ftol`, `xtol`, `gtol`, `maxfev`, `epsfcn`, `factor`, `diag`, `col_deriv`. The
        default of `epsfcn` follows the dtype that `f` returns.

    Returns
    -------
    popt : ndarray of shape (N,)
        The parameters at the minimum.
    pcov : ndarray of shape (N, N)
        Estimated covariance of `popt`; ``np.sqrt(np.diag(pcov))`` are the standard errors. Rows and columns of
        parameters that the data do not determine are inf.
    infodict : dict
        As for `leastsq`; ``fvec`` holds the weighted residuals, and ``offset`` answers whether the fit converged: the
        distance from the minimum of the linearised fit, in units of the confidence ellipsoid's radius [2]_; at 0.01,
        estimates are off by about a hundredth of a standard error. Only with `full_output`.
    mesg : str
        What happened, in words. Only with `full_output`.
    ier : int
        1 to 4, see `leastsq`. Only with `full_output`.

    Raises
    ------
    ValueError
        If data or starting values cannot be used, say because they are not finite or shapes do not match, or
        for finite `bounds`.
    TypeError
        If there are more parameters than data, or an option is not known.
    RuntimeError
        If no minimum is found; the message says what stopped the fit, after how many evaluations, and where.

    Warns
    -----
    OptimizeWarning
        If (part of) the covariance cannot be estimated; the message names the parameters and the reason. Also for
        `absolute_sigma` without `sigma`.

    Notes
    -----
    The covariance is ``s2 * inv(J.T @ J)``, with J the Jacobian of the weighted residuals and ``s2`` their
    variance ``sum(fvec**2) / (M - rank)``, or 1 with `absolute_sigma` [1]_; points with infinite `sigma` do not count
    towards M, whatever the model gives there, nor parameters that the data leave open towards the rank. J is the last
    one the fit evaluated. Only where a forward difference had too small or too large a step for its parameter, as
    happens near zero, or where the fit may have ended far from its minimum, is J evaluated again at the solution, with
    steps that see the parameters' scales. If the minimum is more than half a standard error away, the iteration goes
    on from there without `xtol`. `nfev` counts all of these evaluations.

    References
    ----------
    .. [1] G. A. F. Seber, C. J. Wild, "Nonlinear Regression", Wiley, 1989, section 2.1.
    .. [2] D. M. Bates, D. G. Watts, "A relative offset orthogonality convergence criterion for nonlinear least
       squares", Technometrics 23 (1981), pp. 179-183.

    Examples
    --------
    >>> import numpy as np
    >>> from leastsq import curve_fit
    >>> def decay(t, amplitude, rate, offset):
    ...     return amplitude * np.exp(-rate * t) + offset
    >>> t = np.linspace(0, 4, 50)
    >>> y = decay(t, 2.5, 1.3, 0.5) + 0.05 * np.cos(25 * t)
    >>> popt, pcov = curve_fit(decay, t, y, p0=[2, 1, 0])
    >>> np.round(popt, 2).tolist()
    [2.51, 1.31, 0.5]
    >>> np.round(np.sqrt(np.diag(pcov)), 3).tolist()
    [0.022, 0.025, 0.01]
    """
    callable_argument(f, "f")
    _refuse_other_methods(method, bounds, jac)
    absolute_sigma, full_output = flag(absolute_sigma, "absolute_sigma"), flag(full_output, "full_output")
    col_deriv = flag(kwargs.pop("col_deriv", False), "col_deriv")
    f = understood(f)
    data = prepare(xdata, ydata, sigma, check_finite, nan_policy)
    start = _start(f, p0, data)
    n, m = start.size, data.y.size
    if n > m != 1:
        raise TypeError(
            f"The number of func parameters={n} must not exceed the number of data points={m}: "
            f"give more data, or fix some of the parameters"
        )
    warn_of_absolute_without(sigma, absolute_sigma)
    compiled = isinstance(f, Model) and jac is None
    if isinstance(f, Model) and compiled:
        jac, col_deriv = f.jac, False
    options = _solver_options(n, jac is not None, kwargs)
    residuals = residual_function(f, data)
    if isinstance(f, Model) and compiled and (data.weights is None or data.weights.ndim < 2):
        fit = iterate_model(f, _predictor_rows(f, data), data.y, _weight_of_each(data), start, options)
    else:
        fit = _iterate_functions(f, jac, data, start, residuals, col_deriv, options)
    if fit.info not in _status.SOLVED:
        raise RuntimeError(_not_found(fit))
    judged = _judge(fit, start, residuals, _jacobian_rows(jac, data, col_deriv, n), data, absolute_sigma)
    fit, pcov = judged.fit, judged.pcov
    if fit.info not in _status.SOLVED:
        raise RuntimeError(_not_found(fit))
    reasons = _reasons(f, judged, data, absolute_sigma)
    if reasons:
        warnings.warn(
            "Covariance of the parameters could not be estimated: " + "; ".join(reasons), OptimizeWarning, stacklevel=2
        )
    if full_output:
        infodict = {**information(fit, fit.details(), jac is not None), "offset": judged.offset}
        return fit.x, pcov, infodict, fit.message(), fit.info
    return fit.x, pcov


def _start(f: Callable[..., Any], p0: Any, data: Data) -> FloatArray:
    """Return the starting point: as given, as a compiled model guesses it, or ones."""
    if p0 is not None:
        start = starting_point(p0, "p0")
        if isinstance(f, Model) and start.size != len(f.param_names):
            raise ValueError(
                f"p0 has {start.size} parameters, {f.__name__} {len(f.param_names)}: {', '.join(f.param_names)}"
            )
        return start
    if isinstance(f, Model) and f.guess is not None:
        rows = _predictor_rows(f, data)
        return f.guess(tuple(rows) if f.predictors > 1 else rows[0], data.y)
    return np.ones(_count_parameters(f))


def _predictor_rows(model: Model, data: Data) -> FloatArray:
    """Return the predictors of a compiled model as (predictors, M)."""
    predictors = model.predictor_arrays(data.x)
    if any(predictor.size not in (1, data.y.size) for predictor in predictors):
        sizes = " and ".join(str(predictor.size) for predictor in predictors)
        raise ValueError(f"xdata has {sizes} points, ydata {data.y.size}; expected as many")
    rows = [np.broadcast_to(predictor.ravel(), data.y.size) for predictor in predictors]
    return rows[0].reshape(1, -1) if len(rows) == 1 else np.array(rows)


def _weight_of_each(data: Data) -> FloatArray | None:
    """Return a weight for each point, None where there are none."""
    if data.weights is None or data.weights.ndim == 1:
        return data.weights
    return np.full(data.y.size, data.weights)


def _iterate_functions(
    f: Callable[..., Any],
    jac: Callable[..., Any] | None,
    data: Data,
    start: FloatArray,
    residuals: Callable[[FloatArray], Any],
    col_deriv: bool,
    options: Options,
) -> Fit:
    """Fit a function of the user's."""
    first, epsfcn = _first_evaluation(f, data, start, options.epsfcn)
    jacobian = None if jac is None else _jacobian_function(jac, data, first.size, start.size, col_deriv)
    if epsfcn:
        options = options._replace(epsfcn=epsfcn)
    return iterate(residuals, start, (), jacobian, col_deriv, options, first, _NAMES._replace(x=data.x))


def _not_found(fit: Fit) -> str:
    """Say what stopped a fit, and where."""
    so_far = ", ".join(f"{value:.6g}" for value in fit.x.tolist())
    reason = fit.message().removeprefix("Not solved: ")
    return f"Optimal parameters not found: {reason} Parameters so far: [{so_far}]"


def _refuse_other_methods(method: str | None, bounds: Any, jac: Any) -> None:
    """Refuse what only other algorithms than Levenberg-Marquardt can do."""
    if method not in (None, "lm", "trf", "dogbox"):
        raise ValueError(f"method must be None or 'lm', got {method!r}")
    if method in ("trf", "dogbox") or (bounds is not _UNBOUNDED and _are_finite(bounds)):
        raise ValueError(
            "bounded fits, and the methods 'trf' and 'dogbox', are not part of this release: leastsq fits without "
            "bounds by method 'lm'. A parameter that must be positive can be fitted as the exponential of another"
        )
    if jac is not None and not callable(jac):
        raise ValueError(f"jac must be callable or None for method 'lm', got {jac!r}")


def _are_finite(bounds: Any) -> bool:
    try:
        lower, upper = (bounds.lb, bounds.ub) if hasattr(bounds, "lb") else bounds
        return not (np.all(np.asarray(lower) == -np.inf) and np.all(np.asarray(upper) == np.inf))
    except (TypeError, ValueError):
        raise ValueError(f"bounds must be a pair (lower, upper), got {bounds!r}") from None


def _count_parameters(f: Callable[..., Any]) -> int:
    """Count the parameters of a model by its signature, the first argument being the predictors."""
    n = len(positional_arguments(f)) - 1
    if n < 1:
        raise ValueError(
            "Unable to determine number of fit parameters. f must look like f(x, a, b, ...); otherwise give p0"
        )
    return n


def _solver_options(n: int, analytic: bool, given: dict[str, Any]) -> Options:
    """Check the options for the solver, refusing those it does not have."""
    if "args" in given:
        raise ValueError("'args' is not a supported keyword argument. Bind further arguments of f with a lambda")
    unknown = sorted(given.keys() - _SOLVER_DEFAULTS.keys())
    if unknown:
        raise TypeError(
            f"curve_fit() got an unexpected keyword argument {unknown[0]!r}; options of method 'lm' are "
            f"{', '.join(_SOLVER_DEFAULTS)} and col_deriv"
        )
    return checked_options(n, analytic, **{**_SOLVER_DEFAULTS, **given})


def _first_evaluation(
    f: Callable[..., Any], data: Data, start: FloatArray, epsfcn: float | None
) -> tuple[FloatArray, float]:
    """Evaluate the residuals at the start, and say what relative error the model has.

    Zero stands for the relative error of double precision. The dtype that tells is the model's own: the residuals
    are double precision because the data are.
    """
    received = f(data.x, *start)
    values = real_array(received, "f")
    m = data.y.size
    if values.size != m and 1 not in (values.size, m):
        raise ValueError(f"f returned {values.size} values for {m} data points; expected one for each")
    if epsfcn is None:
        epsfcn = relative_error(received)
    return data.whiten(values.ravel() - data.y), epsfcn


def _jacobian_function(
    jac: Callable[..., Any], data: Data, m: int, n: int, col_deriv: bool
) -> Callable[[FloatArray], Any]:
    """Return the weighted Jacobian as a function of the parameters."""
    derivatives = with_data(jac, data.x)
    if data.weights is None:
        return derivatives

    def weighted(parameters: FloatArray) -> FloatArray:
        jacobian, by_columns = jacobian_array(derivatives(parameters), m, n, col_deriv, _NAMES.dfun)
        whitened = data.whiten_jacobian(jacobian, by_columns)
        refuse_not_finite(whitened, _NAMES.dfun)
        return whitened if by_columns == col_deriv else whitened.T

    return weighted


def _jacobian_rows(
    jac: Callable[..., Any] | None, data: Data, col_deriv: bool, n: int
) -> Callable[[FloatArray], FloatArray] | None:
    """Return the weighted Jacobian as a function of the parameters, M by N; None where there are differences."""
    if jac is None:
        return None
    weighted = _jacobian_function(jac, data, data.y.size, n, col_deriv)

    def rows(parameters: FloatArray) -> FloatArray:
        jacobian, by_columns = jacobian_array(weighted(parameters), data.y.size, n, col_deriv, _NAMES.dfun)
        return jacobian.T if by_columns else jacobian

    return rows


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _reasons(f: Callable[..., Any], judged: Judged, data: Data, absolute: bool) -> list[str]:
    """Say which parameters have no covariance, and why."""
    reasons = []
    n, points = judged.fit.x.size, data.points(judged.fit.m)
    if judged.unused:
        names = _names(f, judged.unused, n)
        reasons.append(f"{names} never changed the model near the solution; leave it out, or start elsewhere")
    if judged.combined:
        reasons.append(f"{_names(f, judged.combined, n)} are determined only in combination")
    if not absolute and points <= judged.rank:
        judged.pcov.fill(np.inf)
        reasons.append(
            f"{_count(points, 'data point')} for {_count(judged.rank, 'parameter')} leave no degrees of freedom to "
            f"estimate errors from; give more data, or sigma with absolute_sigma=True"
        )
    if not absolute and judged.unused and data.weights is not None:
        judged.pcov.fill(np.inf)
        reasons.append("with relative sigma this leaves no variance, as in SciPy; absolute_sigma=True keeps the others")
    return reasons


def _names(f: Callable[..., Any], indices: Any, n: int) -> str:
    """Name parameters as the model does, or by number."""
    names = positional_arguments(f)[1:]
    if len(names) != n:
        names = [f"number {j} (counted from 0)" for j in range(n)]
    chosen = [names[j] for j in indices]
    return ("parameter " if len(chosen) == 1 else "parameters ") + ", ".join(chosen)
