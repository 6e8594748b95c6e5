"""Many fits in one call."""

from __future__ import annotations  # so that help() shows ArrayLike by its name

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _status
from ._block import Block, prepare_block
from ._bounds import Bounds, bounds_of_many, refuse_infeasible
from ._broadcasting import try_function
from ._coordinates import coordinates_of
from ._evaluate import Evaluator
from ._fit_compiled import fit_compiled
from ._fit_singly import fit_singly
from ._fit_vectorized import fit_vectorized
from ._frames import columns_of
from ._free import settle
from ._groups import GroupedSets, grouped_sets
from ._infinite import blame_predictors
from ._kernel import TO_FIT
from ._model import Model
from ._parameters import Start, checked_start, positional_arguments
from ._pieces import DataSets, Piece, data_sets, is_dask, real_numbers
from ._problem import Problem, checked_options
from ._record import ARRAYS, empty_arrays
from ._result import ManyFits
from ._solution import Fitted, Solutions, empty_solutions
from ._status import warn_of_absolute_without
from ._sums import understood
from ._validate import callable_argument, flag
from ._workers import Progress, Workers, checked_workers, reporter, run

Sets: TypeAlias = DataSets | GroupedSets

_NAN_POLICIES = ("omit", "raise", "propagate")


def curve_fit_many(
    f: Callable[..., Any],
    xdata: Any,
    ydata: ArrayLike,
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
    vectorized: bool = True,
    workers: Workers = 1,
    progress: Progress = False,
    errors: Literal["status", "raise"] = "status",
    groups: ArrayLike | None = None,
    lengths: ArrayLike | None = None,
    data: Any = None,
    pcov: bool = True,
) -> ManyFits:
    """Fit one model to many data sets.

    Each data set gets the fit that `curve_fit` would make of it, with the same method, tolerances and errors. A fit
    that fails is a status, not an exception.

    Parameters
    ----------
    f : compiled model or callable ``f(x, a, b, ...) -> array_like``
        A model from `leastsq.models`, or a function of the predictors and the N parameters. It is called for many
        fits at once: with parameters of shape (fits, 1), and predictors of shape (M,) where all fits share them and
        (fits, M) elsewhere, it returns (fits, M). A function for `curve_fit` written with NumPy operations mostly
        does that as it is; whether it does is tried first. See `vectorized` for others.
    xdata : array_like, or tuple of array_like for several predictors
        The predictors: shape (M,), shared by all fits, or anything that broadcasts to the shape of `ydata`.
    ydata : array_like of shape (..., M)
        The data sets, along `axis`. Any real type; pieces are converted to float64 one by one. Masked values are
        missing, and so is NaN.
    p0 : array_like of shape (N,) or (..., N), dict, or callable ``p0(x, y) -> array_like``, optional
        Parameters to start from, for all fits or each; as a dict by their names, whose values may be arrays over the
        fits. A callable gets some of the data sets as rows of ``y``, with NaN for missing points, and returns a row for
        each; without `vectorized` it gets one data set. By default, the ``guess`` of a compiled model, also for
        parameters that a dict leaves out. Other models need it.
    sigma : array_like, optional
        Standard deviations of `ydata`, in its units: a number, shape (M,), or anything that broadcasts to the shape
        of `ydata`. An infinite one leaves a point out of that fit alone.
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
        an array of dask's, the same as dask arrays, lazily, with one task for each block of data sets: its ``compute``
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
    _refuse_choice("nan_policy", nan_policy, _NAN_POLICIES)
    _refuse_choice("errors", errors, ("status", "raise"))
    threads = checked_workers(workers)
    if isinstance(f, Model):
        xdata = f.separated(xdata)
        jac = _jacobian_of_model(f, jac)
    elif jac is not None:
        callable_argument(jac, "jac")
    names = _parameter_names(f, p0)
    begin = checked_start(p0, fixed, names, f.guess if isinstance(f, Model) else None)
    if begin.guess is None and not begin.given.all():
        raise TypeError(
            f"p0 is missing: pass parameters to start from ({', '.join(names)}), of shape (N,) or (..., N), a dict, or "
            f"a function p0(x, y) that makes them from the data"
        )
    box = bounds_of_many(bounds, len(names), names)
    of_parameters = _arrays_of(begin, box, names)
    absolute, at_once = flag(absolute_sigma, "absolute_sigma"), flag(vectorized, "vectorized")
    warn_of_absolute_without(sigma, absolute)
    lazy = any(
        map(is_dask, (ydata, sigma, *of_parameters.values(), *(xdata if isinstance(xdata, tuple) else (xdata,))))
    )
    if lazy and not (groups is None and lengths is None):
        raise ValueError("groups and lengths are not for dask arrays: compute the columns first, or fit by partitions")
    sets: Sets
    if groups is None and lengths is None:
        sets = data_sets(xdata, ydata, sigma, of_parameters, axis)
    else:
        sets = grouped_sets(xdata, ydata, sigma, of_parameters, groups, lengths, axis)
    options = checked_options(len(names), jac is not None, ftol, xtol, gtol, maxfev, epsfcn, factor, diag)
    problem = Problem(
        f, jac, names, options, absolute, at_once or isinstance(f, Model), sigma is not None, flag(pcov, "pcov")
    )
    call = Call(problem, nan_policy, begin._replace(values=None), threads, errors)
    if lazy:
        return _fit_lazily(  # type: ignore[no-any-return]
            call, progress, workers, xdata, ydata, of_parameters, sigma, axis
        )
    fits = call.fit(sets, progress)
    return replace(fits, coords=coordinates_of(ydata, axis, fits.shape))


@dataclass(frozen=True)
class Call:
    """What is to be done, once checked, with whatever data sets."""

    problem: Problem
    nan_policy: str
    begin: Start
    workers: Workers
    errors: str

    def fit(self, sets: Sets, progress: Progress = False) -> ManyFits:
        """Fit the data sets."""
        task = _Task(self.problem, self.nan_policy, self.begin, np.zeros(1, dtype=np.intc))
        task = _tried(task, sets)
        if callable(self.workers):  # who would carry what is ready to every process
            task = replace(task, ready={})
        return _collect(task, sets, self.workers, progress, self.errors)


@dataclass(frozen=True)
class _Task:
    """What to do with a piece, wherever that happens."""

    problem: Problem
    nan_policy: str
    begin: Start
    interrupt: NDArray[np.intc]
    # Pieces that have been made ready already, by their start, so that no guess is asked twice.
    ready: dict[int, Block] = field(default_factory=dict)

    def __call__(self, piece: Piece) -> Fitted:
        """Fit the data sets of a piece."""
        with np.errstate(all="ignore"):  # what has no value has a status
            return self._fitted(piece)

    def _fitted(self, piece: Piece) -> Fitted:
        block = self.ready.pop(piece.start, None) or self.block(piece)
        if not (block.status == TO_FIT).any():
            solutions = empty_solutions(block)
        elif isinstance(self.problem.f, Model):
            solutions = fit_compiled(self.problem, block, self.interrupt)
        elif self.problem.vectorized:
            solutions = fit_vectorized(self.problem, block, self.interrupt)
        else:
            solutions = fit_singly(self.problem, block, self.interrupt)
        blame_predictors(self.problem, block, solutions)
        return self._settled(piece.start, block, solutions)

    def _settled(self, start: int, block: Block, solutions: Solutions) -> Fitted:
        """Judge the fits of a block, and give their records."""
        problem = self.problem
        box = block.box_of(np.arange(len(block.y)))
        settled = settle(
            Evaluator(problem, block),
            solutions,
            block.p0,
            block.points,
            problem.options,
            problem.jac is not None,
            problem.absolute_sigma,
            self.interrupt,
            box,
        )
        with np.errstate(over="ignore"):
            chisq = np.square(solutions.fnorm)
        popt = np.where(np.isin(solutions.status, _status.NOT_FITTED)[:, None], np.nan, solutions.popt)
        known = (
            popt,
            settled.pcov,
            chisq,
            block.points - settled.rank,
            solutions.nfev,
            solutions.status,
            settled.offset,
            np.zeros(popt.shape, dtype=np.int8) if box is None else box.active(popt),
            np.sqrt(np.diagonal(settled.pcov, axis1=1, axis2=2)),
        )
        arrays = dict(zip(ARRAYS, known, strict=True))
        del arrays["errors" if problem.covariances else "pcov"]
        return Fitted(start, arrays)

    def block(self, piece: Piece) -> Block:
        """Make the data sets of a piece ready."""
        return prepare_block(piece, self.nan_policy, self.begin, not self.problem.vectorized)


def _arrays_of(begin: Start, box: Bounds | None, names: tuple[str, ...]) -> dict[str, NDArray[Any]]:
    """Return what there is of each parameter for all fits or each: starts and bounds."""
    arrays = {} if begin.values is None else {"p0": begin.values}
    if box is not None:
        arrays |= {"lower": box.lower, "upper": box.upper}
        if begin.given.all() and begin.values is not None and begin.values.ndim == box.lower.ndim == 1:
            moved = np.where(box.lower == box.upper, box.lower, begin.values)
            refuse_infeasible(moved, box, "p0", names)
    return arrays


def _fit_lazily(call: Call, progress: Any, workers: Any, *arguments: Any) -> Any:
    """Return the fits of dask arrays as tasks."""
    if progress:
        raise ValueError("progress is not for dask arrays: use dask's own, such as dask.diagnostics.ProgressBar")
    if callable(workers):
        raise TypeError(
            "workers must be a number of threads for each task with dask arrays: dask has workers of its own"
        )
    from ._dask import fit_lazily  # dask is there, because its arrays are

    return fit_lazily(call, *arguments)


def _refuse_choice(name: str, value: Any, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, got {value!r}")


def _jacobian_of_model(model: Model, jac: Any) -> Callable[..., Any] | None:
    if jac is not None and jac != model.jac:
        own = "derivatives" if model.jac is not None else "differences, taken in compiled code,"
        raise ValueError(f"{model.__name__} has {own} of its own: leave jac out")
    return model.jac


def _parameter_names(f: Callable[..., Any], p0: Any) -> tuple[str, ...]:
    """Return a name for each parameter: those of the function's arguments where they can be told."""
    names = f.param_names if isinstance(f, Model) else tuple(positional_arguments(f)[1:])
    if not callable(p0) and not isinstance(p0, Mapping) and p0 is not None:
        count = (1, *real_numbers(p0, "p0").shape)[-1]
    else:
        count = len(names)
        if count == 0:
            raise ValueError("the number of parameters cannot be told from f: name them as arguments, f(x, a, b, ...)")
    if count == 0:
        raise ValueError("p0 is empty: expected at least one parameter to start from")
    if not isinstance(f, Model):
        _refuse_other_count(f, count)
    elif count != len(names):
        raise ValueError(
            f"p0 has {count} parameters along its last axis, {f.__name__} {len(names)}: {', '.join(names)}"
        )
    return names if len(names) == count else tuple(f"p{j}" for j in range(count))


def _refuse_other_count(f: Callable[..., Any], count: int) -> None:
    """Raise if the arguments of a function are known, and it cannot be called with so many parameters."""
    try:
        signature = inspect.signature(f, follow_wrapped=False)
    except (TypeError, ValueError):
        return
    try:
        signature.bind(*range(count + 1))
    except TypeError as error:
        raise ValueError(
            f"p0 has {count} parameters along its last axis, but f{signature} cannot be called with x and as many "
            f"({error})"
        ) from None


def _tried(task: _Task, sets: Sets) -> _Task:
    """Return the task once the function has been tried on the first data sets that can be fitted."""
    problem = task.problem
    if isinstance(problem.f, Model):
        return task
    with np.errstate(all="ignore"):
        for piece in sets.pieces():
            block = task.ready[piece.start] = task.block(piece)
            if (block.status == TO_FIT).any():
                break
        else:
            return task
        error = try_function(problem.f, problem.jac, block, problem.vectorized)
    if problem.options.epsfcn is None:
        task = replace(task, problem=replace(problem, options=problem.options._replace(epsfcn=error)))
    return task


def _refuse_other_part(part: Any, begun: set[int]) -> None:
    """Raise unless a part is the result of a piece that has not come yet."""
    if not isinstance(part, Fitted):
        raise TypeError(
            f"workers returned {type(part).__name__}, expected what task returns for a piece: workers(task, pieces) is "
            f"called like map"
        )
    if part.start in begun:
        raise RuntimeError("workers returned the results of a piece twice; expected those of all pieces, once each")
    begun.add(part.start)


def _collect(task: _Task, sets: Sets, workers: Workers, progress: Progress, errors: str) -> ManyFits:
    """Run the task on all pieces and put the results together."""
    fits, n = sets.fits, task.problem.n
    arrays = empty_arrays((fits,), n, task.problem.covariances)
    done = failed = 0
    begun: set[int] = set()
    report, end = reporter(progress, fits)
    try:
        for part in run(task, sets.pieces(), workers, task.interrupt):
            _refuse_other_part(part, begun)
            where = sets.where(part.start, part.fits)
            for name, array in arrays.items():
                array[where] = part.arrays[name]
            status = part.arrays["status"]
            done += part.fits
            failed += int(np.count_nonzero((status < 1) | (status > _status.GTOL)))
            report(done, fits, failed)
    finally:
        end()
    if done != fits:
        raise RuntimeError(f"workers returned results of {done} of {fits} fits; expected those of all pieces")
    lead = sets.lead
    found: dict[str, Any] = {"pcov": None}
    found |= {name: array.reshape((*lead, *array.shape[1:])) for name, array in arrays.items()}
    result = ManyFits(
        **found,
        problem=task.problem,
        groups=sets.labels if isinstance(sets, GroupedSets) else None,
    )
    if errors == "raise" and failed:
        first = np.unravel_index(int(np.flatnonzero(~np.ravel(result.success))[0]), lead)
        index = tuple(int(i) for i in first)
        raise RuntimeError(f"{failed} of {fits} fits failed, the first at index {index}: {result.message(index)}")
    return result
