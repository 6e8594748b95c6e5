"""The drop-in for scipy.optimize.curve_fit."""

from __future__ import annotations  # so that help() shows ArrayLike by its name

import warnings
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeAlias, overload

import numpy as np
from numpy.typing import ArrayLike

from ._engines.iterate import Fit
from ._input.validate import FloatArray, callable_argument, flag
from ._large.curve_fit import information_of, large_fit, sampled, shown
from ._large.data import is_large, source_of
from ._large.fold import Source
from ._models.complex import is_complex, one_complex, refuse_real
from ._models.model import Model
from ._models.sums import understood
from ._single.curve_fit_options import Keywords, read_keywords
from ._single.single_fit import single
from ._single.single_start import UNBOUNDED, Beginning, beginning, parameter_names, refuse_too_few
from ._solver import codes
from ._solver.codes import OptimizeWarning, warn_of_absolute_without
from ._solver.data import prepare
from ._solver.losses import final_residuals, is_counts
from ._verdict.judge import Judged

_Short: TypeAlias = tuple[FloatArray, FloatArray]
_Full: TypeAlias = tuple[FloatArray, FloatArray, dict[str, Any], str, int]


@overload
def curve_fit(
    f: Callable[..., Any],
    xdata: Any,
    ydata: ArrayLike,
    p0: ArrayLike | Mapping[str, ArrayLike] | None = ...,
    sigma: ArrayLike | None = ...,
    absolute_sigma: bool = ...,
    check_finite: bool | None = ...,
    bounds: Any = ...,
    method: str | None = ...,
    jac: str | Callable[..., Any] | None = ...,
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
    p0: ArrayLike | Mapping[str, ArrayLike] | None = ...,
    sigma: ArrayLike | None = ...,
    absolute_sigma: bool = ...,
    check_finite: bool | None = ...,
    bounds: Any = ...,
    method: str | None = ...,
    jac: str | Callable[..., Any] | None = ...,
    *,
    full_output: Literal[True],
    nan_policy: str | None = ...,
    **kwargs: Any,
) -> _Full: ...
def curve_fit(
    f: Callable[..., Any],
    xdata: Any,
    ydata: ArrayLike,
    p0: ArrayLike | Mapping[str, ArrayLike] | None = None,
    sigma: ArrayLike | None = None,
    absolute_sigma: bool = False,
    check_finite: bool | None = None,
    bounds: Any = UNBOUNDED,
    method: str | None = None,
    jac: str | Callable[..., Any] | None = None,
    *,
    full_output: bool = False,
    nan_policy: str | None = None,
    **kwargs: Any,
) -> _Short | _Full:
    """Fit a function to data by nonlinear least squares, with bounds or without.

    Minimises ``sum(((f(xdata, *popt) - ydata) / sigma)**2)`` by the Levenberg-Marquardt method of `leastsq`. A
    drop-in for ``scipy.optimize.curve_fit``.

    Parameters
    ----------
    f : callable ``f(x, a, b, ...) -> array_like``
        The model: M values for the predictors and the N parameters, which are separate arguments. Or one of
        `leastsq.models`, whose values and derivatives are then compiled.
    xdata : object
        The predictors, passed on to `f`. Lists, tuples and arrays are converted to float64 first.
    ydata : array_like
        The M observations. What is not one-dimensional is flattened, and so are the values of `f`. Of complex numbers,
        real and imaginary parts are 2 M observations; `f` has to return complex numbers, too.
    p0 : array_like of shape (N,) or dict, optional
        Parameters to start from, also by their names. By default, and for names that a dict leaves out, the ``guess``
        of a compiled model, moved between the bounds; or else midway between bounds, one off the only bound, or one.
        Good starting values matter more than anything else here.
    sigma : array_like, optional
        Standard deviations of `ydata`, in its units: a number, or as many as there are data, in the shape of `ydata`
        or flat; or its covariance matrix, shape (M, M). An infinite standard deviation leaves a point out. For complex
        `ydata`, real numbers are for both parts; of complex ones each part is for its own.
    absolute_sigma : bool, default False
        Whether `sigma` is meant in absolute terms. If not, only the ratios between its entries count, and
        `pcov` is scaled so that the reduced chi-square is one.
    check_finite : bool, optional
        Refuse NaN and Inf in `xdata` and `ydata`. By default only where `nan_policy` is None.
    bounds : 2-tuple of array_like, object with ``lb`` and ``ub``, or dict, default no bounds
        Lower and upper bounds, each a number or one for each parameter; or pairs by the names of parameters,
        ``{"rate": (0, np.inf)}``. Each lower one must be below the upper one. `f` is evaluated at no point outside.
    method : {None, "lm", "trf", "dogbox"}, optional
        All are the same Levenberg-Marquardt method; "lm" refuses bounds, as in SciPy.
    jac : callable ``jac(x, a, b, ...) -> array_like`` or {"2-point", "3-point", "cs"}, optional
        Derivatives of `f`, shape (M, N); they are weighted with `sigma` here. Or how to take differences: forward
        ones, which are the default, central ones, or along the imaginary axis, for an `f` of complex numbers.
    full_output : bool, default False
        Return more than the parameters and their covariance.
    nan_policy : {None, "raise", "omit"}, optional
        What to do with points where `ydata` or a predictor is NaN (or masked): refuse them, or leave them and
        their entries of `sigma` out. None does not look for them. Columns and tables of pandas and polars, whose rows
        are points, and arrays of xarray reach `f` as such.
    **kwargs
        Options of `leastsq`: `ftol`, `xtol`, `gtol` (None switches a test off), `maxfev`, `epsfcn`, `factor`, `diag`,
        `col_deriv`. The default of `epsfcn` follows the dtype that `f` returns. Options of `least_squares`:
        `max_nfev`, `x_scale`, `diff_step`, `callback` (if it raises ``StopIteration``, the best point so far is
        returned, with a warning, `pcov` inf and `ier` 19), and `loss` with `f_scale`: "soft_l1", "huber", "cauchy",
        "arctan" or a callable in the place of squares. And of this package: `fixed`, parameters that stay where they
        start, as names, a mask, or a dict of names and values, with variance 0 and no degree of freedom;
        ``loss="poisson"``, maximum likelihood for counts, whose `sigma` follows from the model; and `covariance`,
        "curvature" of the cost or "sandwich", which holds whatever the distribution of the data.

    Returns
    -------
    popt : ndarray of shape (N,)
        The parameters at the minimum.
    pcov : ndarray of shape (N, N)
        Estimated covariance of `popt`; ``np.sqrt(np.diag(pcov))`` are the standard errors. Rows and columns of
        parameters that the data do not determine are inf.
    infodict : dict
        As for `leastsq`; ``fvec`` holds the weighted residuals, both parts in turn where data are complex, and
        ``offset`` answers whether the fit converged: the distance from the minimum of the linearised fit, in units of
        the confidence ellipsoid's radius [2]_; at 0.01, estimates are off by about a hundredth of a standard error.
        With `bounds` or `fixed`, ``active_mask`` is -1 where a parameter is on its lower bound, 1 where it is on the
        upper one, else 0. Only with `full_output`.
    mesg : str
        What happened, in words. Only with `full_output`.
    ier : int
        1 to 4, see `leastsq`; 19: stopped by `callback`. Only with `full_output`.

    Raises
    ------
    ValueError
        If data or starting values cannot be used, say because they are not finite or shapes do not match; if bounds
        are no box, or `p0` is outside of it.
    TypeError
        If there are more parameters to fit than data, or an option is not known.
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
    on from there without `xtol`; a `callback` does not see these steps. `nfev` counts all of these evaluations.

    With a loss, J is taken at the solution and its rows are multiplied, so that ``J.T @ J`` is the cost's curvature;
    ``s2`` is twice the cost by ``M - N``, as in SciPy. For counts it is the Fisher information, and ``s2`` is 1;
    ``fvec`` then holds signed roots of the deviances.

    With `bounds`, parameters that the gradient pushes against a bound are held there, and steps follow the bounds that
    they meet [3]_. The covariance knows of no bounds: errors beside a parameter on its bound are, if anything, too
    large.

    Memory maps of more than 65536 points (`numpy.memmap`, ``np.load(..., mmap_mode="r")``) are never in memory as a
    whole: `f` and `jac` are called for blocks of points, which are folded into a triangle [4]_. Dask arrays are
    folded where their chunks lie, in one graph for each point that the iteration tries; only N by N numbers travel.
    Both need an `f` that works point by point, which is tried first, and `sigma` that is no matrix. Images are
    flattened, and `xdata` may also have one row for each point. `infodict` has ``chisq`` in the place of ``fvec`` and
    ``fjac``, and `callback` sees no residuals.

    References
    ----------
    .. [1] G. A. F. Seber, C. J. Wild, "Nonlinear Regression", Wiley, 1989, section 2.1.
    .. [2] D. M. Bates, D. G. Watts, "A relative offset orthogonality convergence criterion for nonlinear least
       squares", Technometrics 23 (1981), pp. 179-183.
    .. [3] P. B. Stark, R. L. Parker, "Bounded-variable least squares: an algorithm and applications", Computational
       Statistics 10 (1995), pp. 129-141.
    .. [4] J. Demmel, L. Grigori, M. Hoemmen, J. Langou, "Communication-optimal parallel and sequential QR and LU
       factorizations", SIAM J. Sci. Comput. 34, 2012, section 2.2.

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

    With an offset of at most 0.4, and with a rate that is known:

    >>> curve_fit(decay, t, y, p0=[2, 1, 0], bounds={"offset": (0, 0.4)})[0].round(2).tolist()
    [2.53, 1.12, 0.4]
    >>> curve_fit(decay, t, y, p0=[2, 1, 0], fixed={"rate": 1.3})[0].round(2).tolist()
    [2.51, 1.3, 0.5]
    """
    callable_argument(f, "f")
    absolute_sigma, full_output = flag(absolute_sigma, "absolute_sigma"), flag(full_output, "full_output")
    if check_finite is not None:
        check_finite = flag(check_finite, "check_finite")
    keywords = read_keywords(kwargs, jac, method)
    f = understood(f)
    warn_of_absolute_without(sigma, absolute_sigma)
    if is_large(xdata, ydata, sigma):
        source = source_of(xdata, ydata, sigma, check_finite, nan_policy)
        return _fit_large(f, jac, source, sigma, p0, bounds, method, keywords, absolute_sigma, full_output)
    given = xdata, ydata, sigma
    if is_complex(ydata):
        f, jac, given = one_complex(f, jac, keywords.col_deriv, keywords.loss, given, check_finite, nan_policy)
    data = prepare(*given, check_finite, nan_policy)
    begin = beginning(f, data, p0, bounds, keywords.fixed, method, keywords.loss)
    n = begin.start.size
    if data.y.size != 1:
        refuse_too_few(begin, data.y.size)
    compiled = isinstance(f, Model) and jac is None and keywords.scheme is None
    of_users = jac if callable(jac) else None
    derivatives = f.jac if isinstance(f, Model) and compiled else of_users
    options = keywords.options(n, derivatives is not None, sigma)
    absolute_sigma = absolute_sigma or is_counts(options)
    scheme = keywords.scheme, keywords.relative_step(n)
    one = single(f, derivatives, keywords.col_deriv and not compiled, scheme, data, begin, options)
    first, advice = one.fit(compiled, keywords.notify), _advice(f, p0)
    judged = _judged(first, advice, one.judge, absolute_sigma, keywords.covariance == "sandwich")
    fit, pcov = judged.fit, judged.pcov
    reasons = _reasons(f, judged, begin, data.points(fit.m), data.weights is not None, absolute_sigma, advice)
    if reasons:
        _warn_of_open(reasons, 3)
    if full_output:
        infodict = {**fit.information(one.analytic), "offset": judged.offset}
        if options.rho is not None or is_counts(options):
            infodict["fvec"] = final_residuals(options, one.kept(fit.x), data.y)
        if begin.box is not None:
            infodict["active_mask"] = begin.box.active(fit.x)
        return fit.x, pcov, infodict, fit.message(begin.box), fit.info
    return fit.x, pcov


def _fit_large(
    f: Callable[..., Any],
    jac: Any,
    source: Source,
    sigma: Any,
    p0: Any,
    bounds: Any,
    method: str | None,
    keywords: Keywords,
    absolute_sigma: bool,
    full_output: bool,
) -> _Short | _Full:
    """Fit data that may not fit into memory."""
    some = sampled(source)
    if is_complex(some.y):
        refuse_real(f, jac, keywords.loss)
    begin = beginning(f, some, p0, bounds, keywords.fixed, method, keywords.loss)
    one, seen = large_fit(f, jac, source, begin, keywords, sigma)
    absolute_sigma = absolute_sigma or is_counts(one.options)
    first = one.iterated(begin.start, one.options, watch=shown(keywords.notify)).fit
    advice = _advice(f, p0)
    judged = _judged(first, advice, one.judge, seen, absolute_sigma, keywords.covariance == "sandwich")
    fit = judged.fit
    reasons = _reasons(f, judged, begin, seen.points, sigma is not None, absolute_sigma, advice)
    if reasons:
        _warn_of_open(reasons, 4)
    if full_output:
        infodict = information_of(fit, judged, one.exact)
        if begin.box is not None:
            infodict["active_mask"] = begin.box.active(fit.x)
        return fit.x, judged.pcov, infodict, fit.message(begin.box), fit.info
    return fit.x, judged.pcov


def _warn_of_open(reasons: list[str], level: int) -> None:
    """Warn of parameters that have no covariance, where users call."""
    text = "Covariance of the parameters could not be estimated: " + "; ".join(reasons)
    warnings.warn(text, OptimizeWarning, stacklevel=level)


def _advice(f: Callable[..., Any], p0: Any) -> str:
    """Say how to start elsewhere, of a model that can do that by itself."""
    can_guess = p0 is not None and isinstance(f, Model) and f.guess is not None
    return f"leave p0 out, and {f.__name__} guesses where to start" if can_guess else "start elsewhere"


def _judged(fit: Fit, advice: str, judge: Callable[..., Judged], *given: Any) -> Judged:
    """Judge a fit, or raise if it found no minimum; one that its callback stopped is returned as it is."""
    if fit.info == codes.CALLBACK:
        n = fit.x.size
        return Judged(fit, np.zeros((n, n)), n, np.nan)
    if fit.info not in codes.SOLVED:
        raise RuntimeError(_not_found(fit, advice))
    judged = judge(fit, *given)
    if judged.fit.info not in codes.SOLVED:
        raise RuntimeError(_not_found(judged.fit, advice))
    return judged


def _not_found(fit: Fit, advice: str) -> str:
    """Say what stopped a fit, and where."""
    so_far = ", ".join(f"{value:.6g}" for value in fit.x.tolist())
    reason = fit.message().removeprefix("Not solved: ").removeprefix("Not fitted: ")
    more = "" if advice == "start elsewhere" else f" Or {advice}."
    return f"Optimal parameters not found: {reason}{more} Parameters so far: [{so_far}]"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _reasons(
    f: Callable[..., Any], judged: Judged, begin: Beginning, points: int, weighted: bool, absolute: bool, advice: str
) -> list[str]:
    """Say which parameters have no covariance, and why."""
    reasons: list[str] = []
    if judged.fit.info != codes.CALLBACK and not judged.unused and not judged.combined and points > judged.rank:
        return reasons
    of_free: Any = ...
    if begin.box is not None:
        free = np.flatnonzero(begin.box.free)
        of_free = np.ix_(free, free)
    n = judged.fit.x.size
    if judged.fit.info == codes.CALLBACK:
        judged.pcov[of_free] = np.inf
        return [f"callback stopped the fit after {judged.fit.nfev} evaluations; the parameters are the best so far"]
    if judged.unused:
        names = _names(f, judged.unused, n)
        reasons.append(f"{names} never changed the model near the solution; leave it out of the model, or {advice}")
    if judged.combined:
        ran_away = len(judged.combined) + len(judged.unused) == begin.free
        more = f", none on its own; if the fit ran away, {advice}" if ran_away else ""
        reasons.append(f"{_names(f, judged.combined, n)} are determined only in combination{more}")
    if not absolute and points <= judged.rank:
        judged.pcov[of_free] = np.inf
        reasons.append(
            f"{_count(points, 'data point')} for {_count(judged.rank, 'parameter')} leave no degrees of freedom to "
            f"estimate errors from; give more data, or sigma with absolute_sigma=True"
        )
    if not absolute and judged.unused and weighted:
        judged.pcov[of_free] = np.inf
        reasons.append("with relative sigma this leaves no variance, as in SciPy; absolute_sigma=True keeps the others")
    return reasons


def _names(f: Callable[..., Any], indices: Any, n: int) -> str:
    """Name parameters as the model does, or by number."""
    names = parameter_names(f, n)
    chosen = [names[j] for j in indices]
    return ("parameter " if len(chosen) == 1 else "parameters ") + ", ".join(chosen)
