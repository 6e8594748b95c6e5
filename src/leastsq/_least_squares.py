"""The drop-in for scipy.optimize.least_squares."""

from __future__ import annotations  # so that help() shows types by their names

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from multiprocessing import Pool
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ._engines.numerical_jacobian import METHODS, Differences, checked_step, one_by_one
from ._input.bounds import Bounds, checked_bounds, refuse_infeasible
from ._input.validate import (
    MOST_EVALUATIONS,
    FloatArray,
    as_array,
    callable_argument,
    is_whole,
    number_of,
    real_array,
    refuse_not_finite,
    refuse_other,
    relative_error,
)
from ._large.least_squares import Arguments, Residuals, fit_large, large_arguments, large_fit
from ._single.callback import checked_callback
from ._single.curve_fit_options import checked_limit
from ._single.least_squares_result import LeastSquaresResult, Report
from ._single.watched import Accepted, Rows, iterate_watched
from ._solver.codes import JACOBIAN_NOT_FINITE, START_NOT_FINITE
from ._solver.problem import Options, checked_scale
from ._solver.robust import LOSS_CODES, Loss, checked_f_scale, checked_loss

_ALGORITHMS: Final = ("trf", "dogbox", "lm")
_MOST_PROCESSES: Final = 256


def least_squares(
    fun: Callable[..., Any],
    x0: ArrayLike,
    jac: str | Callable[..., Any] = "2-point",
    bounds: Any = (-np.inf, np.inf),
    method: str = "trf",
    ftol: float | None = 1e-8,
    xtol: float | None = 1e-8,
    gtol: float | None = 1e-8,
    x_scale: Any = None,
    loss: str | Loss = "linear",
    f_scale: float = 1.0,
    diff_step: ArrayLike | None = None,
    tr_solver: None = None,
    tr_options: None = None,
    jac_sparsity: None = None,
    max_nfev: int | None = None,
    verbose: int = 0,
    args: tuple[Any, ...] = (),
    kwargs: dict[str, Any] | None = None,
    callback: Callable[..., Any] | None = None,
    workers: Any = None,
) -> LeastSquaresResult:
    """Minimise a sum of squares, or of a loss of squares, within bounds.

    Minimises ``0.5 * sum(rho(fun(x)**2))`` for ``lower <= x <= upper``, by the Levenberg-Marquardt method of `leastsq`
    [1]_ with steps that follow the bounds [2]_. Arguments and result are those of ``scipy.optimize.least_squares``.

    Parameters
    ----------
    fun : callable ``fun(x, *args, **kwargs) -> array_like``
        The residuals, a number or M of them, at ``x``, shape (N,). M may be smaller than N.
    x0 : array_like of shape (N,) or float
        Where to start, within the bounds or on them.
    jac : {"2-point", "3-point", "cs"} or callable ``jac(x, *args, **kwargs) -> array_like``, default "2-point"
        The Jacobian, shape (M, N), or how to take differences: forward, central, or along the imaginary axis, for which
        `fun` must take complex numbers.
    bounds : pair of array_like or object with ``lb`` and ``ub``, default no bounds
        Lower and upper bounds, each a number or one for each parameter.
    method : {"trf", "dogbox", "lm"}, default "trf"
        All are Levenberg-Marquardt. "lm" knows neither bounds nor losses and needs M >= N, as in SciPy; it counts
        evaluations for differences in ``nfev``, and its `gtol` is that of `leastsq`, a cosine.
    ftol, xtol : float or None, default 1e-8
        Tolerances of `leastsq`; None switches a test off.
    gtol : float or None, default 1e-8
        Stop when the largest entry of the gradient, scaled by the distance to the bound it points away from [3]_, is
        less than this.
    x_scale : None, "jac" or array_like, default None
        Characteristic size of each parameter. None and "jac" take the norms of the columns of the Jacobian, the
        largest so far. SciPy's default for bounded fits is 1.
    loss : {"linear", "soft_l1", "huber", "cauchy", "arctan"} or callable, default "linear"
        rho(z) of squared residuals z. A callable returns rho, its first and its second derivative, shape (3, M).
    f_scale : float, default 1.0
        The residual from which on the loss differs from squares: ``rho_(f**2) = C**2 * rho(f**2 / C**2)``.
    diff_step : array_like, optional
        Steps of differences, relative to each parameter.
    tr_solver, tr_options, jac_sparsity : None
        Options of trust-region solvers for large sparse problems, which are refused: there is one solver, for dense
        Jacobians.
    max_nfev : int, optional
        Most evaluations of `fun`, those for differences aside: by default 100*N; for "lm", where they count, too,
        100*N with `jac` and 100*N*(N+1) without.
    verbose : {0, 1, 2}, default 0
        Print nothing, how it ended, or every iteration.
    args, kwargs : tuple and dict, optional
        Further arguments of `fun` and `jac`.
    callback : callable, optional
        ``callback(intermediate_result)``, called after each accepted step with an object whose attributes are ``x``,
        ``fun``, ``cost``, ``nit`` and ``nfev``; or ``callback(x)`` if its argument has another name. Raising
        ``StopIteration`` ends the fit.
    workers : int or map-like callable, optional
        Who evaluates `fun` for differences: so many processes, though none for more than 2*N points, or
        ``workers(fun, points)``.

    Returns
    -------
    LeastSquaresResult
        With ``x``, ``cost``, ``fun``, ``jac`` (rows scaled for the loss), ``grad``, ``optimality`` (what `gtol` is
        compared with), ``active_mask``, ``nfev``, ``njev``, ``status``, ``message`` and ``success``, as attributes and
        items. ``status``: 1 `gtol`, 2 `ftol`, 3 `xtol`, 4 the last two, 0 `max_nfev` reached, -2 stopped by `callback`,
        -3 steps shrank away from residuals that are not finite.

    Raises
    ------
    ValueError
        If an argument cannot be used, or residuals at the start or a Jacobian are not finite.

    See Also
    --------
    leastsq : The same method with MINPACK's interface.
    curve_fit : Models and data.

    Notes
    -----
    Where `args` or `kwargs` hold dask arrays, or memory maps of more than 65536 points, `fun` and `jac` are called
    for blocks of points: arrays are cut along the longest axis of these, and so are others of that length; what is
    shorter is passed on whole. `fun` must return one residual for each point of a block and work point by point, which
    is tried first. The result has no ``fun``, and ``jac`` is the N by N triangle R with ``R.T @ R = jac.T @ jac``.

    References
    ----------
    .. [1] J. J. Moré, "The Levenberg-Marquardt algorithm: implementation and theory", Numerical Analysis,
       Lecture Notes in Mathematics 630, Springer, 1978, pp. 105-116.
    .. [2] P. B. Stark, R. L. Parker, "Bounded-variable least squares: an algorithm and applications", Computational
       Statistics 10, 1995, pp. 129-141.
    .. [3] T. F. Coleman, Y. Li, "An interior trust region approach for nonlinear minimization subject to bounds", SIAM
       Journal on Optimization 6, 1996, pp. 418-445.

    Examples
    --------
    Rosenbrock's valley, with a bound that cuts off its minimum at (1, 1):

    >>> import numpy as np
    >>> from leastsq import least_squares
    >>> def valley(x):
    ...     return np.array([10 * (x[1] - x[0] ** 2), 1 - x[0]])
    >>> result = least_squares(valley, [-1.2, 1], bounds=(-np.inf, [0.5, np.inf]))
    >>> result.x.round(6).tolist(), result.active_mask.tolist()
    ([0.5, 0.25], [1, 0])

    A straight line through points of which one is wrong:

    >>> t = np.arange(8.0)
    >>> y = 1 + 2 * t + 0.1 * np.cos(9 * t)
    >>> y[5] = 40
    >>> least_squares(lambda x: x[0] + x[1] * t - y, [0, 0], loss="soft_l1", f_scale=0.1).x.round(1).tolist()
    [1.0, 2.0]
    """
    callable_argument(fun, "fun")
    _refuse_choices(method, tr_solver, tr_options, jac_sparsity)
    notify = checked_callback(callback)
    loss, f_scale = checked_loss(loss), checked_f_scale(f_scale)
    start = _starting_point(x0)
    box = _checked_box(bounds, start)
    if method == "lm" and (box is not None or loss != "linear"):
        what = f"loss {loss!r}" if box is None else "bounds"
        raise ValueError(f"method='lm' knows no {what}, as in SciPy; leave method out, which is the same algorithm")
    if not (kwargs is None or isinstance(kwargs, Mapping)):
        raise TypeError(f"kwargs must be a dict of further arguments of fun by name, or None, got {kwargs!r}")
    args, kwargs = args if isinstance(args, tuple) else (args,), dict(kwargs or {})
    if not callable(jac) and (not isinstance(jac, str) or jac not in METHODS):
        raise ValueError(f"jac must be one of {', '.join(map(repr, METHODS))} or callable, got {jac!r}")
    counts = method == "lm" and not callable(jac)
    least_gradient = 0.0 if gtol is None or method == "lm" else gtol
    report = Report(loss, f_scale, box, least_gradient, notify, verbose)
    cut = large_arguments(args, kwargs)
    if cut:
        _refuse_workers(workers)
        options = _options(method == "lm", counts, start.size, (ftol, xtol, gtol), x_scale, max_nfev, loss, f_scale)
        residuals = Residuals(fun, jac if callable(jac) else None)
        step = None if diff_step is None else checked_step(diff_step, start.size)
        one = large_fit(residuals, jac, Arguments(args, kwargs, ()), cut, step, box, start, options)
        return fit_large(one, start, report, counts)
    with _mapper(workers, 2 * start.size) as run:
        functions = _Functions(fun, jac, args, kwargs, counts, diff_step, box, run)
        first = functions.first(start)
        options = _options(method == "lm", counts, start.size, (ftol, xtol, gtol), x_scale, max_nfev, loss, f_scale)
        rows = Rows(None if isinstance(loss, str) else loss, f_scale, max(start.size - first.size, 0))
        if method == "lm" and rows.extra:
            raise ValueError(f"method='lm' needs as many residuals as parameters, got {first.size} for {start.size}")
        accepted = Accepted(start, first, 0, 1)
        fit = iterate_watched(functions.residuals, functions.jacobian, accepted, rows, options, box, report.watch)
        if fit.info is not None:
            functions.refuse_not_finite(fit.info, fit.last)
        jacobian = functions.jacobian(fit.last.x, fit.last.residuals) if fit.jacobian is None else fit.jacobian
        return report.result(fit, jacobian, functions.counted(fit.evaluations), functions.jacobians)


class _Functions:
    """Residuals and Jacobian as the user gave them, checked each time."""

    def __init__(
        self,
        fun: Any,
        jac: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        counts_differences: bool,
        diff_step: Any,
        bounds: Bounds | None,
        run: Callable[..., Any],
    ) -> None:
        self.fun: Any = _Bound(fun, args, kwargs) if args or kwargs else fun
        self.jac = _Bound(jac, args, kwargs) if callable(jac) else None
        function: Any = self.fun
        self.differences = Differences(function, str(jac), None, 0.0, bounds, run)
        self.step, self.bounds = diff_step, bounds
        self.counts_differences = counts_differences
        self.m = self.n = self.taken = 0

    def first(self, start: FloatArray) -> FloatArray:
        """Evaluate the residuals at the start, which tell their number and precision."""
        received = self.fun(start.copy())
        f = np.atleast_1d(real_array(received, "fun"))
        if f.ndim != 1:
            raise ValueError(f"fun returned an array of shape {f.shape}, expected one dimension")
        if f.size == 0:
            raise ValueError("fun returned no residuals")
        refuse_not_finite(f, "fun", " at the starting point")
        self.m, self.n = f.size, start.size
        step = None if self.step is None else checked_step(self.step, start.size)
        self.differences = self.differences._replace(relative_step=step, relative_error=relative_error(received))
        return f.copy()

    def residuals(self, x: FloatArray) -> FloatArray:
        """Evaluate the residuals; the array is one's own."""
        f = np.atleast_1d(real_array(self.fun(x.copy()), "fun"))
        if f.shape != (self.m,):
            raise ValueError(f"fun returned an array of shape {f.shape}, but ({self.m},) at the starting point")
        return f.copy()

    def jacobian(self, x: FloatArray, f: FloatArray) -> FloatArray:
        """Evaluate the Jacobian, shape (M, N)."""
        self.taken += 1
        if self.jac is None:
            return self.differences.jacobian(x, f)
        received = self.jac(x.copy())
        if (not isinstance(received, np.ndarray) and hasattr(received, "toarray")) or hasattr(received, "matvec"):
            raise ValueError(
                f"jac returned {type(received).__name__}: sparse Jacobians and operators are not supported, "
                f"expected an array of shape {(self.m, x.size)}; convert it with toarray()"
            )
        jacobian = np.atleast_2d(real_array(received, "jac"))
        if jacobian.shape != (self.m, x.size):
            raise ValueError(f"jac returned an array of shape {jacobian.shape}, expected {(self.m, x.size)}")
        return jacobian.copy()

    @property
    def jacobians(self) -> int | None:
        """How many Jacobians were evaluated; None where differences count as evaluations."""
        return None if self.counts_differences else self.taken

    def counted(self, evaluations: int) -> int:
        """Return the number of evaluations, with those for differences if they count."""
        return evaluations + (self.taken * self.differences.evaluations(self.n) if self.counts_differences else 0)

    def refuse_not_finite(self, info: int, last: Accepted) -> None:
        """Raise where a Jacobian, or the cost at the start, was not finite."""
        if info == START_NOT_FINITE:
            raise ValueError("fun: the cost at the starting point is not finite; scale the residuals down")
        if info == JACOBIAN_NOT_FINITE:
            what = "jac" if self.jac is not None else "jac by differences of fun"
            refuse_not_finite(self.jacobian(last.x, last.residuals), what)
            raise ValueError(f"{what}: the norm of a column overflows; scale the residuals down")


class _Bound(NamedTuple):
    """A function with its further arguments, which can be sent to other processes if the function can."""

    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    def __call__(self, x: Any) -> Any:
        return self.function(x, *self.args, **self.kwargs)


def _starting_point(x0: Any) -> FloatArray:
    """Return the start, a number or an array of one dimension."""
    given = as_array(x0, "x0")
    if np.iscomplexobj(given):
        raise ValueError(f"x0 must be real, got complex numbers: {x0!r}")
    start = np.atleast_1d(real_array(given, "x0")).copy()
    if start.ndim != 1 or start.size == 0:
        raise ValueError(f"x0 must be a number or an array of one dimension, got shape {start.shape}")
    refuse_not_finite(start, "x0")
    return start


def _checked_box(bounds: Any, start: FloatArray) -> Bounds | None:
    box = checked_bounds(bounds, start.size, may_fix=False)
    if box is not None:
        refuse_infeasible(start, box, "x0")
    return box


def _refuse_choices(method: Any, tr_solver: Any, tr_options: Any, jac_sparsity: Any) -> None:
    """Refuse methods there are not, and the options of solvers for sparse problems."""
    refuse_other(method, "method", _ALGORITHMS)
    for name, value in (("tr_solver", tr_solver), ("tr_options", tr_options), ("jac_sparsity", jac_sparsity)):
        if value is not None and not (isinstance(value, dict) and not value):
            raise ValueError(
                f"{name} is for the trust-region solvers of large sparse problems, which leastsq does not have: "
                f"leave it out, or use SciPy's least_squares"
            )


def _options(
    lm: bool,
    counts_differences: bool,
    n: int,
    tolerances: tuple[float | None, float | None, float | None],
    x_scale: Any,
    max_nfev: Any,
    loss: str | Loss,
    f_scale: float,
) -> Options:
    """Check the options of the iteration."""
    ftol, xtol, gtol = _checked_tolerances(tolerances, lm)
    limit = checked_limit(max_nfev) or 100 * n * (n + 1 if counts_differences else 1)
    return Options(
        ftol,
        xtol,
        gtol if lm else 0.0,
        100.0 if lm else 1.0,  # the first step bound, in units of x0, as in SciPy
        min(limit, MOST_EVALUATIONS),
        None,
        LOSS_CODES[loss] if isinstance(loss, str) else 0,
        f_scale,
        checked_scale(x_scale, n),
        None if isinstance(loss, str) else loss,
    )


def _checked_tolerances(given: tuple[float | None, ...], lm: bool) -> list[float]:
    """Return the tolerances, None being 0; one of them at least must be larger than rounding, for "lm" all."""
    tolerances = []
    for name, value in zip(("ftol", "xtol", "gtol"), given, strict=True):
        tolerances.append(0.0 if value is None else np.nan if isinstance(value, bool) else number_of(value))
        if not tolerances[-1] >= 0:
            raise ValueError(f"{name} must be None or a number that is not negative, got {value!r}")
    eps = float(np.finfo(np.float64).eps)
    if (min if lm else max)(tolerances) < eps:
        which = "all of ftol, xtol and gtol must be" if lm else "one of ftol, xtol and gtol must be"
        raise ValueError(f"{which} at least {eps:.1e}, the precision of double numbers; got {given}")
    return tolerances


def _refuse_workers(workers: Any) -> None:
    """Refuse processes that data which may not fit into memory would have to be sent to."""
    if workers is not None and workers != 1:
        raise ValueError(
            "workers is not for memory maps and dask arrays, which are read block by block: leave it out. Chunks of "
            "dask arrays are evaluated in parallel by themselves"
        )


@contextlib.contextmanager
def _mapper(workers: Any, points: int) -> Iterator[Callable[..., Any]]:
    """Give what evaluates a function at so many points at once; more processes than these would have nothing to do."""
    if workers is None or callable(workers):
        yield one_by_one if workers is None else workers
        return
    if not is_whole(workers) or not (workers == -1 or workers >= 1):
        raise ValueError(f"workers must be a number of processes, -1 for all, or map-like, got {workers!r}")
    if workers == 1:
        yield one_by_one
        return
    processes = min(os.cpu_count() or 1, _MOST_PROCESSES) if workers == -1 else int(workers)
    if processes > _MOST_PROCESSES:
        raise ValueError(f"workers must be at most {_MOST_PROCESSES} processes, or -1 for all processors; got more")
    with Pool(min(processes, points)) as pool:
        yield pool.map
