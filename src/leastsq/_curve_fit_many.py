"""Many fits in one call."""

from __future__ import annotations  # so that help() shows ArrayLike by its name

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._input.bounds import Bounds, bounds_of_many, refuse_infeasible
from ._input.coordinates import coordinates_of
from ._input.frames import columns_of, refuse_names
from ._input.groups import grouped_sets
from ._input.parameters import Start, checked_start
from ._input.pieces import data_sets, is_dask
from ._input.validate import FloatArray, callable_argument, flag, refuse_other
from ._many.fixed import others_of
from ._many.task import Call, Sets
from ._many.time_limit import checked_time_limit
from ._many.workers import Progress, Workers, checked_progress, checked_workers
from ._models.complex import is_complex, many_complex, parts_of
from ._models.model import Model
from ._models.parameter_names import parameter_names
from ._models.sums import understood
from ._results.box import as_kept
from ._results.result import ManyFits
from ._solver.codes import warn_of_absolute_without
from ._solver.losses import is_counts, with_loss
from ._solver.problem import Problem, checked_options

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._many.dask import LazyFits
    from ._many.signatures import DaskArray, Keywords

_Start: TypeAlias = "ArrayLike | Mapping[str, ArrayLike] | Callable[[Any, Any], ArrayLike] | None"
_NAN_POLICIES = ("omit", "raise", "propagate")


@overload
def curve_fit_many(
    f: Callable[..., Any],
    xdata: Any,
    ydata: DaskArray,
    p0: _Start = ...,
    sigma: ArrayLike | None = ...,
    *,
    pcov: bool = ...,
    **keywords: Unpack[Keywords],
) -> LazyFits: ...
@overload
def curve_fit_many(
    f: Callable[..., Any],
    xdata: Any,
    ydata: ArrayLike,
    p0: _Start = ...,
    sigma: ArrayLike | None = ...,
    *,
    pcov: Literal[True] = ...,
    **keywords: Unpack[Keywords],
) -> ManyFits[FloatArray]: ...
@overload
def curve_fit_many(
    f: Callable[..., Any],
    xdata: Any,
    ydata: ArrayLike,
    p0: _Start = ...,
    sigma: ArrayLike | None = ...,
    *,
    pcov: Literal[False],
    **keywords: Unpack[Keywords],
) -> ManyFits[None]: ...
def curve_fit_many(
    f: Callable[..., Any],
    xdata: Any,
    ydata: ArrayLike | DaskArray,
    p0: ArrayLike | Mapping[str, ArrayLike] | Callable[[Any, Any], ArrayLike] | None = None,
    sigma: ArrayLike | None = None,
    *,
    bounds: Any = None,
    fixed: Sequence[str] | Mapping[str, ArrayLike] | ArrayLike | None = None,
    absolute_sigma: bool = False,
    jac: Callable[..., Any] | None = None,
    axis: int | Sequence[int] = -1,
    nan_policy: Literal["omit", "raise", "propagate"] = "omit",
    ftol: float = 1.49012e-8,
    xtol: float = 1.49012e-8,
    gtol: float = 0.0,
    maxfev: int | None = None,
    epsfcn: float | None = None,
    factor: float = 100.0,
    diag: ArrayLike | None = None,
    loss: str | Callable[[Any], ArrayLike] = "linear",
    f_scale: float = 1.0,
    covariance: Literal["curvature", "sandwich"] = "curvature",
    vectorized: bool = True,
    workers: Workers = 1,
    progress: Progress = False,
    errors: Literal["status", "raise"] = "status",
    time_limit: float | None = None,
    groups: ArrayLike | None = None,
    lengths: ArrayLike | None = None,
    data: Any = None,
    pcov: bool = True,
) -> ManyFits | LazyFits:
    """Fit one model to many data sets.

    Each data set gets the fit that `curve_fit` would make of it, with the same method, tolerances and errors. A fit
    that fails is a status, not an exception.

    Parameters
    ----------
    f : compiled model or callable ``f(x, a, b, ...) -> array_like``
        A model from `leastsq.models`, or a function of the predictors and the N parameters. It is called for many
        fits at once: with parameters of shape (fits, 1), and predictors of shape (M,) where all fits share them and
        (fits, M) elsewhere, it returns (fits, M). A function for `curve_fit` written with NumPy operations mostly
        does that as it is; whether it does is tried first. Up to four fits are then made one after the other, with
        numbers as parameters. See `vectorized` for others.
    xdata : array_like, or tuple of array_like for several predictors
        The predictors: shape (M,), shared by all fits, or anything that broadcasts to the shape of `ydata`.
    ydata : array_like of shape (..., M)
        The data sets, along `axis`. Any real type; pieces are converted to float64 one by one. Masked values are
        missing, and so is NaN. Of complex numbers, real and imaginary parts are 2 M observations; `f` has to return
        complex numbers, too.
    p0 : array_like of shape (N,) or (..., N), dict, or callable ``p0(x, y) -> array_like``, optional
        Parameters to start from, for all fits or each; as a dict by their names, whose values may be arrays over the
        fits. A callable gets some of the data sets as rows of ``y``, with NaN for missing points, and returns a row for
        each; without `vectorized` it gets one data set. By default, the ``guess`` of a compiled model, also for
        parameters that a dict leaves out. Other models need it.
    sigma : array_like, optional
        Standard deviations of `ydata`, in its units: a number, shape (M,), or anything that broadcasts to the shape
        of `ydata`. An infinite one leaves a point out of that fit alone. For complex `ydata`, real ones are for both
        parts; of complex ones each part is for its own.
    bounds : pair of array_like, object with ``lb`` and ``ub``, or dict, optional
        Lower and upper bounds: numbers, shape (N,) or shapes that broadcast to (..., N); or pairs by the names of the
        parameters, ``{"sigma": (0.1, 5)}``, whose entries may be arrays over the fits. `f` is evaluated at no point
        outside of them. Starts that are not given are moved inside. Equal bounds fix a parameter.
    fixed : names, mask or dict, optional
        Parameters that stay where they start: their names, a mask of shape (N,), or a dict of their values, which may
        be arrays over the fits. They have variance 0 and cost no degree of freedom.
    absolute_sigma : bool, default False
        Whether `sigma` is meant in absolute terms. If not, covariances are scaled so that each fit's reduced
        chi-square is one.
    jac : callable ``jac(x, a, b, ...) -> array_like``, optional
        Derivatives of `f` by the parameters, shape (fits, M, N). By default those of a compiled model, or else
        forward differences.
    axis : int or tuple of int, default -1
        The axis, or axes for images and the like, of `ydata` to fit along.
    nan_policy : {"omit", "raise", "propagate"}, default "omit"
        What to do with points where `ydata` or a predictor is NaN or masked: leave them out, raise ValueError, or
        leave the whole data set unfitted, with a status.
    ftol, xtol, gtol : float, optional
        Tolerances, as for `leastsq`.
    maxfev : int, optional
        Most evaluations for each fit, by default 100*(N + 1) with derivatives and 200*(N + 1) without.
    epsfcn : float, optional
        Relative error of `f`, from which difference steps follow; by default that of the dtype it returns.
    factor : float, default 100
        Initial step bound, as for `leastsq`.
    diag : array_like of shape (N,), optional
        Scale factors for the parameters, as for `leastsq`.
    loss : {"linear", "soft_l1", "huber", "cauchy", "arctan", "poisson"} or callable, default "linear"
        What is minimised in the place of the sum of squares, as for `curve_fit`: losses to which outliers do little, or
        the deviance of counts. A callable takes squared residuals, shape (points,), and returns rho, rho' and rho'',
        shape (3, points).
    f_scale : float, default 1.0
        Residuals from which on a loss differs from squares: in units of `sigma` if that is given, else of `ydata`.
    covariance : {"curvature", "sandwich"}, default "curvature"
        What errors are made of, as for `curve_fit`.
    vectorized : bool, default True
        Whether `f` and `jac` can be called for many fits at once. If not, fits are made one by one.
    workers : int or map-like callable, default 1
        Threads, -1 for as many as there are processors; or a callable such as ``multiprocessing.Pool.map``, which is
        called as ``workers(task, pieces)``. The results do not depend on it.
    progress : bool or callable, default False
        Show fits done, fits per second and failures, with tqdm if it is installed; or call
        ``progress(done, total, failed)``.
    errors : {"status", "raise"}, default "status"
        Whether to raise RuntimeError if any fit fails.
    time_limit : float, optional
        Seconds after which fits leave off. Those that are not finished have status 20; their parameters are the best so
        far where that is known, else NaN. One evaluation of a function is not cut short, nor with ``vectorized=False``
        one fit. Not for dask arrays.
    groups : array_like of shape (K,), optional
        For a table of K rows instead of arrays: the label of each row's data set. `ydata`, the predictors and `sigma`
        are columns of the table; there is a fit for each label, in sorted order, and `p0` of shape (fits, N) is in
        that order.
    lengths : array_like of int, optional
        The same for data sets that stand one after the other: how many rows each has.
    data : data frame of pandas or polars, optional
        A table. `xdata`, `ydata`, `sigma` and `groups` can then be names of its columns: a list of names for several
        predictors, for data sets side by side, or for labels of several parts, which are tuples.
    pcov : bool, default True
        Whether to keep covariances, 8 N**2 bytes for each fit. Without them ``pcov`` is None; standard errors and
        intervals of parameters are there, errors of predictions are not.

    Returns
    -------
    ManyFits
        Arrays over all fits: ``popt``, ``pcov``, ``stderr``, ``chisq``, ``redchi``, ``dof``, ``nfev``, ``status``,
        ``success``; and sentences, summaries and tables made of them. If any of `ydata`, `xdata`, `sigma` and `p0` is
        a dask array, the same as dask arrays, lazily, with one task for each block of data sets: its ``compute``
        returns the former.

    Raises
    ------
    ValueError
        If shapes do not go together, `f` does not broadcast, or values are missing and `nan_policy` is "raise".
    TypeError
        If arguments are of the wrong type, or `p0` is missing.
    RuntimeError
        With ``errors="raise"``, if a fit fails; the message says which and why.

    Warns
    -----
    OptimizeWarning
        For `absolute_sigma` without `sigma`.
    UserWarning
        For dask arrays that are in several chunks along `axis`, which are merged.

    See Also
    --------
    curve_fit : One fit.
    leastsq.models : The compiled models.

    Notes
    -----
    The method is that of `leastsq` [1]_; fits advance in groups, in lockstep. Where a Jacobian comes near to singular,
    a fit is taken out of its group and made again by itself. Covariances are those of `curve_fit` [2]_: inf for
    parameters that the data leave open, where the others keep theirs whatever `absolute_sigma`; NaN for fits without
    success.

    References
    ----------
    .. [1] J. J. Moré, "The Levenberg-Marquardt algorithm: implementation and theory", in Numerical Analysis, Lecture
       Notes in Mathematics 630, Springer, 1978, pp. 105-116.
    .. [2] G. A. F. Seber, C. J. Wild, "Nonlinear Regression", Wiley, 1989, section 2.1.

    Examples
    --------
    A thousand spectra, each with a peak of its own:

    >>> import numpy as np
    >>> from leastsq import curve_fit_many, models
    >>> rng = np.random.default_rng(1)
    >>> x = np.linspace(0, 10, 50)
    >>> centers = rng.uniform(3, 7, 1000)
    >>> spectra = models.gaussian(x, 5.0, centers[:, None], 1.0, 0.5)
    >>> spectra += rng.normal(0, 0.1, spectra.shape)
    >>> fits = curve_fit_many(models.gaussian, x, spectra)
    >>> fits.popt.shape, bool(fits.success.all())
    ((1000, 4), True)
    >>> bool(np.all(np.abs(fits.popt[:, 1] - centers) < 5 * fits.stderr[:, 1]))
    True

    With a function of one's own, which is called for many fits at once:

    >>> def decay(t, amplitude, rate):
    ...     return amplitude * np.exp(-rate * t)
    >>> t = np.linspace(0, 4, 30)
    >>> counts = decay(t, 2.0, np.array([[0.5], [1.0], [1.5]])) + 0.01 * np.cos(9 * t)
    >>> curve_fit_many(decay, t, counts, p0=[1, 1]).popt.round(2).tolist()
    [[2.0, 0.5], [2.0, 1.0], [2.0, 1.5]]
    """
    callable_argument(f, "f")
    f = understood(f)
    if data is not None:
        xdata, ydata, sigma, groups = columns_of(data, xdata, ydata, sigma, groups)
    refuse_names(xdata, ydata, sigma, groups)
    observed, along = ydata, axis
    if is_complex(ydata):
        xdata, ydata, sigma, axis, groups, lengths = many_complex(xdata, ydata, sigma, axis, groups, lengths)
        f, jac, p0 = parts_of(f, jac, p0, loss)
    refuse_other(nan_policy, "nan_policy", _NAN_POLICIES)
    refuse_other(errors, "errors", ("status", "raise"))
    refuse_other(covariance, "covariance", ("curvature", "sandwich"))
    threads, progress = checked_workers(workers), checked_progress(progress)
    if isinstance(f, Model):
        xdata = f.separated(xdata)
        jac = _jacobian_of_model(f, jac)
    elif jac is not None:
        callable_argument(jac, "jac")
    names = parameter_names(f, p0)
    begin = checked_start(p0, fixed, names, f.guess if isinstance(f, Model) else None)
    _refuse_no_start(begin, names)
    box = bounds_of_many(bounds, len(names), names)
    of_parameters = _arrays_of(begin, box, names)
    absolute, at_once = flag(absolute_sigma, "absolute_sigma"), flag(vectorized, "vectorized")
    warn_of_absolute_without(sigma, absolute)
    predictors = xdata if isinstance(xdata, tuple) else (xdata,)
    lazy = any(map(is_dask, (ydata, sigma, *of_parameters.values(), *predictors)))
    sets = _arranged(xdata, ydata, sigma, of_parameters, groups, lengths, axis, lazy)
    options = checked_options(len(names), jac is not None, ftol, xtol, gtol, maxfev, epsfcn, factor, diag)
    options = with_loss(options, loss, f_scale, sigma)
    absolute, at_once = absolute or is_counts(options), at_once or isinstance(f, Model)
    kept = flag(pcov, "pcov"), covariance == "sandwich", tuple(begin.fixed.tolist()), box is not None
    problem = Problem(f, jac, names, options, absolute, at_once, sigma is not None, *kept)
    limit, others = checked_time_limit(time_limit), others_of(problem, begin, box)
    call = Call(problem, nan_policy, Start(None, *begin[1:]), threads, errors, limit, others)
    if lazy:
        return _fit_lazily(call, progress, workers, xdata, ydata, of_parameters, sigma, axis, box)
    fits = call.fit(sets, progress)
    coords, limits = coordinates_of(observed, along, fits.shape), as_kept(box, fits.shape)
    return fits if coords is None and limits is None else replace(fits, coords=coords, bounds=limits)


def _refuse_no_start(begin: Start, names: tuple[str, ...]) -> None:
    if begin.guess is None and np.count_nonzero(begin.given) < len(names):
        raise TypeError(
            f"p0 is missing: pass parameters to start from ({', '.join(names)}), of shape (N,) or (..., N), a dict, or "
            f"a function p0(x, y) that makes them from the data"
        )


def _arranged(
    xdata: Any,
    ydata: Any,
    sigma: Any,
    of_parameters: dict[str, NDArray[Any]],
    groups: Any,
    lengths: Any,
    axis: int | Sequence[int],
    lazy: bool,
) -> Sets:
    """Return the data sets of arrays or of a table."""
    if groups is None and lengths is None:
        return data_sets(xdata, ydata, sigma, of_parameters, axis)
    if lazy:
        raise ValueError("groups and lengths are not for dask arrays: compute the columns first, or fit by partitions")
    return grouped_sets(xdata, ydata, sigma, of_parameters, groups, lengths, axis)


def _arrays_of(begin: Start, box: Bounds | None, names: tuple[str, ...]) -> dict[str, NDArray[Any]]:
    """Return what there is of each parameter for all fits or each: starts and bounds."""
    arrays = {} if begin.values is None else {"p0": begin.values}
    if box is not None:
        arrays |= {"lower": box.lower, "upper": box.upper}
        if begin.given.all() and begin.values is not None and begin.values.ndim == box.lower.ndim == 1:
            moved = np.where(box.lower == box.upper, box.lower, begin.values)
            refuse_infeasible(moved, box, "p0", names)
    return arrays


def _fit_lazily(call: Call, progress: Any, workers: Any, *arguments: Any) -> LazyFits:
    """Return the fits of dask arrays as tasks."""
    if call.time_limit != math.inf:
        raise ValueError("time_limit is not for dask arrays, whose tasks run whenever dask likes: leave it out")
    if progress:
        raise ValueError("progress is not for dask arrays: use dask's own, such as dask.diagnostics.ProgressBar")
    if callable(workers):
        raise TypeError(
            "workers must be a number of threads for each task with dask arrays: dask has workers of its own"
        )
    from ._many.dask import fit_lazily  # dask is there, because its arrays are

    return fit_lazily(call, *arguments)


def _jacobian_of_model(model: Model, jac: Any) -> Callable[..., Any] | None:
    if jac is not None and not (callable(jac) and jac == model.jac):
        own = "derivatives" if model.jac is not None else "differences, taken in compiled code,"
        raise ValueError(f"{model.__name__} has {own} of its own: leave jac out")
    return model.jac
