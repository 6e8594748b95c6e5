"""The drop-in for scipy.optimize.leastsq."""

from __future__ import annotations  # so that help() shows ArrayLike by its name

import warnings
from collections.abc import Callable
from typing import Any, Literal, TypeAlias, overload

import numpy as np
from numpy.typing import ArrayLike

from ._engines.iterate import Fit, Names
from ._input.bounds import Bounds, checked_bounds, refuse_infeasible
from ._input.validate import (
    FloatArray,
    callable_argument,
    enough_residuals,
    flag,
    real_array,
)
from ._models.native import NativeModel
from ._single.callback import Notify, checked_callback, iterate_model_watched_by, watched_by
from ._single.single_start import starting_point
from ._solver import codes
from ._solver.problem import Options, checked_options

_Short: TypeAlias = tuple[FloatArray, int]
_Full: TypeAlias = tuple[FloatArray, FloatArray | None, dict[str, Any], str, int]


@overload
def leastsq(
    func: Callable[..., Any],
    x0: ArrayLike,
    args: Any = ...,
    Dfun: Callable[..., Any] | None = ...,
    full_output: Literal[False] = ...,
    col_deriv: bool = ...,
    ftol: float = ...,
    xtol: float = ...,
    gtol: float = ...,
    maxfev: int = ...,
    epsfcn: float | None = ...,
    factor: float = ...,
    diag: ArrayLike | None = ...,
    *,
    bounds: Any = ...,
    callback: Callable[..., Any] | None = ...,
) -> _Short: ...
@overload
def leastsq(
    func: Callable[..., Any],
    x0: ArrayLike,
    args: Any = ...,
    Dfun: Callable[..., Any] | None = ...,
    *,
    full_output: Literal[True],
    col_deriv: bool = ...,
    ftol: float = ...,
    xtol: float = ...,
    gtol: float = ...,
    maxfev: int = ...,
    epsfcn: float | None = ...,
    factor: float = ...,
    diag: ArrayLike | None = ...,
    bounds: Any = ...,
    callback: Callable[..., Any] | None = ...,
) -> _Full: ...
@overload
def leastsq(
    func: Callable[..., Any],
    x0: ArrayLike,
    args: Any,
    Dfun: Callable[..., Any] | None,
    full_output: Literal[True],
    col_deriv: bool = ...,
    ftol: float = ...,
    xtol: float = ...,
    gtol: float = ...,
    maxfev: int = ...,
    epsfcn: float | None = ...,
    factor: float = ...,
    diag: ArrayLike | None = ...,
    *,
    bounds: Any = ...,
    callback: Callable[..., Any] | None = ...,
) -> _Full: ...
@overload
def leastsq(
    func: Callable[..., Any],
    x0: ArrayLike,
    args: Any = ...,
    Dfun: Callable[..., Any] | None = ...,
    full_output: bool = ...,
    col_deriv: bool = ...,
    ftol: float = ...,
    xtol: float = ...,
    gtol: float = ...,
    maxfev: int = ...,
    epsfcn: float | None = ...,
    factor: float = ...,
    diag: ArrayLike | None = ...,
    *,
    bounds: Any = ...,
    callback: Callable[..., Any] | None = ...,
) -> _Short | _Full: ...
def leastsq(
    func: Callable[..., Any],
    x0: ArrayLike,
    args: Any = (),
    Dfun: Callable[..., Any] | None = None,
    full_output: bool = False,
    col_deriv: bool = False,
    ftol: float = 1.49012e-8,
    xtol: float = 1.49012e-8,
    gtol: float = 0.0,
    maxfev: int = 0,
    epsfcn: float | None = None,
    factor: float = 100,
    diag: ArrayLike | None = None,
    *,
    bounds: Any = None,
    callback: Callable[..., Any] | None = None,
) -> _Short | _Full:
    """Minimise the sum of squares of a set of functions.

    ``x = arg min(sum(func(y)**2, axis=0))`` over ``y``, by the Levenberg-Marquardt method as MINPACK
    defines it [1]_ [2]_. A drop-in for ``scipy.optimize.leastsq``: same arguments, same defaults, same
    iterates, same exit codes.

    Parameters
    ----------
    func : callable ``func(x, *args) -> array_like``
        The residuals, M real numbers, at a point ``x``, a one-dimensional float64 array of length N. M must
        not be less than N and must not change. `func` may keep or overwrite the `x` it gets, and may
        return the same array every time. Or a model of `leastsq.native`, whose values are the residuals.
    x0 : array_like
        The N parameters to start from; any shape, or a scalar.
    args : tuple, optional
        Further arguments of `func` and `Dfun`. What is not a tuple is wrapped in one. The predictors of a native
        model, M points each.
    Dfun : callable ``Dfun(x, *args) -> array_like``, optional
        The Jacobian of `func`: shape (M, N), or (N, M) with `col_deriv`. By default it is approximated by
        forward differences, at N evaluations of `func` each.
    full_output : bool, default False
        Return more than the solution.
    col_deriv : bool, default False
        Whether `Dfun` returns derivatives down the columns, shape (N, M), which saves a transpose.
    ftol : float, default 1.49012e-8
        Stop when actual and predicted relative reductions of the sum of squares are at most this.
    xtol : float, default 1.49012e-8
        Stop when the relative change between two iterates is at most this.
    gtol : float, default 0
        Stop when the cosine of the angle between the residuals and every column of the Jacobian is at most
        this in absolute value.
    maxfev : int, default 0
        Bound on the evaluations of `func`, tested once a step. 0 means ``100*(N+1)`` with `Dfun`,
        ``200*(N+1)`` without.
    epsfcn : float, optional
        Relative error of the residuals; differences are taken with a step of ``sqrt(epsfcn)`` relative to
        each parameter. By default the machine precision of the dtype that `func` returns; values below that
        of float64 stand for it.
    factor : float, default 100
        Initial step bound, in units of ``||diag * x||``; usually between 0.1 and 100.
    diag : array_like of shape (N,), optional
        Positive scale factors of the parameters. By default the column norms of the Jacobian.
    bounds : pair of array_like, optional
        Lower and upper bounds: ``(lower, upper)``, each a number or one for each parameter, or an object with the
        attributes ``lb`` and ``ub``, like ``scipy.optimize.Bounds``. Infinite ones bound nothing. `func` is evaluated
        at no point outside of them, also not for differences.
    callback : callable, optional
        ``callback(intermediate_result)``, called after each accepted step with an object whose attributes are ``x``,
        ``fun`` (the residuals), ``cost`` (half the sum of their squares), ``nit`` and ``nfev``; or ``callback(x)`` if
        its argument has another name. Raising ``StopIteration`` ends the fit. The numbers of a fit are the same with
        and without it.

    Returns
    -------
    x : ndarray of shape (N,)
        The solution, or the best point found.
    cov_x : ndarray of shape (N, N) or None
        Inverse of ``J.T @ J`` at the last Jacobian evaluated. Times the variance of the residuals,
        ``sum(func(x)**2)/(M - N)``, it estimates the covariance of the parameters. None where the Jacobian is
        singular or no solution was found. Only with `full_output`.
    infodict : dict
        Only with `full_output`:

        ``nfev``
            Number of evaluations of `func`; there are no others.
        ``njev``
            Number of evaluations of `Dfun`, where it was given.
        ``fvec``
            Residuals at the solution, shape (M,).
        ``fjac``
            Shape (N, M); ``R = triu(fjac.T[:N])`` is the triangular factor of the last Jacobian,
            ``J[:, ipvt] = Q @ R``. The rest holds Householder vectors when M is at most 512, else zeros.
        ``ipvt``
            The permutation, counted from 0, shape (N,).
        ``qtf``
            First N entries of ``Q.T @ fvec``, with the residuals the last Jacobian belongs to.
        ``active_mask``
            Only with `bounds`: -1 where ``x`` is on the lower bound, 1 where it is on the upper one, else 0.
    mesg : str
        What happened, in words, with the tolerance or count that decided. Only with `full_output`.
    ier : int
        0: `x0` is empty, with `full_output`.
        1 to 4: solved (1 `ftol`, 2 `xtol`, 3 both, 4 `gtol`). 5: `maxfev` reached. 6, 7, 8: `ftol`, `xtol`,
        `gtol` cannot be met in double precision. 9: the steps shrank away from residuals that are not finite.
        19: stopped by `callback`, with the best point so far. Negative: a native model asked to stop, with that code.

    Raises
    ------
    TypeError
        If an argument cannot be used (ier 0 in MINPACK): fewer residuals than parameters, negative
        tolerances, wrong shapes, results that are not real numbers.
    ValueError
        If `x0`, the residuals at `x0` or a Jacobian hold NaN or Inf, or if the number of residuals changes. If
        `bounds` are NaN, a lower one is not below the upper one, or `x0` is outside of them.

    Warns
    -----
    RuntimeWarning
        If `full_output` is false, and `ier` is not from 1 to 4 or the residuals did not react to any of the
        parameters.

    Notes
    -----
    Exceptions raised by `func` or `Dfun` come out unchanged. Residuals that are NaN or infinite at a trial
    point lead to a shorter step. Calls may be nested and may run in any number of threads; from about 20000
    Jacobian entries on, the solver's own work is done with the interpreter lock released.

    With `bounds`, parameters that the gradient pushes against a bound are held there, and a step that meets a bound
    follows it to the minimum of the damped quadratic on that side of the box [3]_ [4]_. What leads to a bound for the
    first three times in a row is stopped short of it. Where no bound is met, every number is that of the fit without.
    `cov_x` knows of no bounds; errors of parameters in ``active_mask`` are those they would have without.

    References
    ----------
    .. [1] J. J. Moré, "The Levenberg-Marquardt algorithm: implementation and theory", Numerical Analysis,
       Lecture Notes in Mathematics 630, Springer, 1978, pp. 105-116.
    .. [2] J. J. Moré, B. S. Garbow, K. E. Hillstrom, "User guide for MINPACK-1", ANL-80-74, Argonne National
       Laboratory, 1980.
    .. [3] P. B. Stark, R. L. Parker, "Bounded-variable least squares: an algorithm and applications", Computational
       Statistics 10, 1995, pp. 129-141.
    .. [4] C.-J. Lin, J. J. Moré, "Newton's method for large bound-constrained optimization problems", SIAM Journal on
       Optimization 9, 1999, pp. 1100-1127.

    Examples
    --------
    Fit a straight line through four points:

    >>> import numpy as np
    >>> from leastsq import leastsq
    >>> t, y = np.array([0.0, 1.0, 2.0, 3.0]), np.array([1.0, 3.1, 4.9, 7.0])
    >>> def residuals(x):
    ...     return x[0] + x[1] * t - y
    >>> x, ier = leastsq(residuals, [0, 0])
    >>> np.round(x, 6).tolist(), ier in (1, 2, 3, 4)
    ([1.03, 1.98], True)

    Standard errors of the parameters:

    >>> x, cov_x, infodict, mesg, ier = leastsq(residuals, [0, 0], full_output=True)
    >>> variance = np.sum(infodict["fvec"] ** 2) / (t.size - x.size)
    >>> np.round(np.sqrt(variance * np.diag(cov_x)), 4).tolist()
    [0.0794, 0.0424]

    With a slope of at most 1.9:

    >>> x, _, infodict, _, _ = leastsq(residuals, [0, 0], full_output=True, bounds=(-np.inf, [np.inf, 1.9]))
    >>> np.round(x, 6).tolist(), infodict["active_mask"].tolist()
    ([1.15, 1.9], [0, 1])
    """
    callable_argument(func, "func")
    if Dfun is not None:
        callable_argument(Dfun, "Dfun")
    full_output, by_columns = flag(full_output, "full_output"), flag(col_deriv, "col_deriv")
    start = starting_point(x0, "x0", may_be_empty=full_output)
    if start.size == 0:
        return _nothing_to_fit(func, args if isinstance(args, tuple) else (args,))
    analytic = Dfun is not None or (isinstance(func, NativeModel) and func.jac is not None)
    options = checked_options(start.size, analytic, ftol, xtol, gtol, maxfev, epsfcn, factor, diag)
    box = None if bounds is None else checked_bounds(bounds, start.size, may_fix=False)
    if box is not None:
        refuse_infeasible(start, box, "x0")
    notify = checked_callback(callback)
    if not isinstance(args, tuple):
        args = (args,)
    if isinstance(func, NativeModel):
        fit = _iterate_native(func, start, args, Dfun, options, box, notify)
    else:
        fit = watched_by(notify)(func, start, args, Dfun, by_columns, options, bounds=box)
    if full_output:
        return _full_output(fit, analytic, box)
    if fit.info not in codes.SOLVED:
        warnings.warn(fit.message(), RuntimeWarning, stacklevel=2)
    elif fit.info == codes.GTOL and fit.fnorm > 0 and not fit.inverse().norms.any():
        warnings.warn(codes.NOTHING_MOVED, RuntimeWarning, stacklevel=2)
    return fit.x, fit.info


def _nothing_to_fit(func: Callable[..., Any], args: tuple[Any, ...]) -> _Full:
    """Return what SciPy does where there are no parameters, which its users' profiles of single parameters live on."""
    fvec = real_array(func(np.empty(0), *args), "func").ravel()
    none = np.empty(0)
    infodict = {"fvec": fvec, "nfev": 1, "fjac": np.empty((0, fvec.size)), "ipvt": none.astype(np.intc), "qtf": none}
    return none.copy(), None, infodict, codes.IMPROPER_INPUT, 0


def _iterate_native(
    model: NativeModel,
    start: FloatArray,
    args: tuple[Any, ...],
    dfun: Any,
    options: Options,
    bounds: Bounds | None,
    notify: Notify | None,
) -> Fit:
    """Fit residuals that a native model computes, with `args` as its predictors."""
    if dfun is not None:
        raise TypeError(f"{model.__name__} is native and comes with its derivatives or differences: leave Dfun out")
    if start.size != len(model.param_names):
        names = ", ".join(model.param_names)
        raise TypeError(f"x0 has {start.size} parameters, {model.__name__} {len(model.param_names)}: {names}")
    if len(args) != model.predictors:
        raise TypeError(
            f"{model.__name__} has {model.predictors} predictors, got {len(args)} in args; expected as many arrays, "
            f"which also tell the number of residuals"
        )
    given = [real_array(one, f"args[{i}]").ravel() for i, one in enumerate(args)]
    try:
        x = np.array(np.broadcast_arrays(*given))
    except ValueError:
        raise ValueError(f"args have {[one.size for one in given]} points, expected as many in each") from None
    enough_residuals(x.shape[1], start.size, "func")
    if bounds is not None and model.jac is None:
        # The compiled code takes the differences of native models without regard to bounds; the iteration itself does.
        predictors = tuple(x) if len(x) > 1 else x[0]
        return watched_by(notify)(lambda p: model(predictors, *p), start, (), None, False, options, bounds=bounds)
    return iterate_model_watched_by(
        notify, model, x, np.zeros(x.shape[1]), None, start, options, names=Names(), bounds=bounds
    )


def _full_output(fit: Fit, analytic: bool, bounds: Bounds | None) -> _Full:
    infodict = fit.information(analytic)
    cov_x = fit.covariance() if fit.info in codes.SOLVED else None
    if bounds is not None:
        infodict["active_mask"] = bounds.active(fit.x)
    return fit.x, cov_x, infodict, fit.message(bounds), fit.info
