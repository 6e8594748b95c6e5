"""Whether one fit is at its minimum, and what its errors are: quickly where that is easily seen, else as of many."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._engines.iterate import Fit, iterate
from .._engines.single_loss import Kept, fit_counts
from .._engines.solution import Solutions
from .._input.bounds import Bounds, count_free
from .._input.validate import NO_VALUE, FloatArray
from .._solver import kernel
from .._solver.data import Data
from .._solver.losses import as_squares, is_counts, is_robust
from .._solver.norms import norm
from .derivatives import one_steps_are_good
from .ends import FAR, LARGEST_NORM, is_tolerant
from .free import Last, settle
from .refold import as_sandwich, refold
from .settle import Settler
from .statistics import ANALYTIC, FORWARD, SATURATED, standard_deviation


class Judged(NamedTuple):
    """A fit with its final count of evaluations, its covariance, and which parameters the data leave open."""

    fit: Fit
    pcov: FloatArray
    rank: int
    offset: float
    unused: tuple[int, ...] = ()
    combined: tuple[int, ...] = ()


class _One:
    """An evaluator of one fit."""

    def __init__(self, residuals: Callable[[FloatArray], Any], jacobian: Any, data: Data, fit: Fit) -> None:
        self.m = fit.m
        self._residuals, self._jacobian, self._data = residuals, jacobian, data
        # What the iteration has evaluated, where it keeps that.
        self._at, self._there = fit.x, np.empty(0)
        if jacobian is not None and fit.residuals is None and fit.options.rho is None:
            first = kernel.triangle_of(fit.state, fit.x.size).f
            self._there = fit.state[first : first + fit.m].copy()

    def residuals(self, fits: NDArray[np.intp], points: FloatArray) -> FloatArray:
        """Return residuals, shape (rows, M), NaN where there are none."""
        found = np.empty((len(points), self.m))
        for row, point in zip(found, points, strict=True):
            if self._there.size and np.array_equal(point, self._at):
                row[...] = self._there
                continue
            try:
                with np.errstate(all="ignore"):
                    row[...] = np.ravel(self._residuals(point.copy()))
            except NO_VALUE:
                row[...] = np.nan
        return found

    def jacobian(self, fits: NDArray[np.intp], points: FloatArray) -> FloatArray:
        """Return derivatives, shape (rows, M, N)."""
        return np.array([self._jacobian(point.copy()) for point in points])

    def counts(self, fits: NDArray[np.intp]) -> FloatArray:
        """Return the observations, shape (1, M)."""
        return self._data.y[None]

    def sizes(self, fits: NDArray[np.intp]) -> tuple[FloatArray, FloatArray]:
        """Return the norms of the weighted data, and of the same without their first value."""
        return np.array([_size(self._data)]), np.array([_spread(self._data)])


def _size(data: Data) -> float:
    return norm(data.whiten(data.y))


def _spread(data: Data) -> float:
    return norm(data.whiten(data.y - data.first()))


def judge(
    fit: Fit,
    start: FloatArray,
    residuals: Callable[[FloatArray], Any],
    jacobian: Callable[[FloatArray], FloatArray] | None,
    data: Data,
    absolute: bool,
    box: Bounds | None = None,
    sandwich: bool = False,
) -> Judged:
    """Judge a fit that was solved; `jacobian` gives weighted derivatives, M by N, None where there are differences.

    Of counts, values of the model are in the place of residuals.
    """
    n, on_bounds = count_free(fit.x.size, box), box is not None and bool(box.active(fit.x).any())
    if on_bounds or sandwich or is_robust(fit.options):
        one = _One(residuals, jacobian, data, fit)
        return _judge_as_many(fit, start, one, jacobian is not None, data.points(fit.m), absolute, box, sandwich)
    points, exact = data.points(fit.m), jacobian is not None
    found = judge_at_once(fit, n, points, lambda: _size(data), lambda: _spread(data), exact, absolute)
    if found is not None:
        return found
    one = _One(residuals, jacobian, data, fit)
    return _judge_as_many(fit, start, one, exact, points, absolute, box)


def judge_at_once(
    fit: Fit,
    n: int,
    points: int,
    size: Callable[[], float],
    spread: Callable[[], float],
    exact: bool,
    absolute: bool,
) -> Judged | None:
    """Judge a fit by its last Jacobian, or return None where that does not do.

    `n` is how many of its parameters are not fixed. `size` and `spread` give norms of the data, as
    `one_steps_are_good` has them.
    """
    at_hand = fit.inverse(standard_deviation(fit.fnorm, points, n, absolute))
    offset = _offset(at_hand.tangent, fit.fnorm, n, points, absolute)
    accuracy = ANALYTIC if exact else FORWARD
    if (
        at_hand.cov is not None
        and at_hand.least_ratio > accuracy.singular
        and fit.fnorm <= LARGEST_NORM
        and (_distance(offset, fit, n, points, absolute) <= FAR or is_tolerant(fit.options))
    ):
        if exact:
            good = at_hand.share <= SATURATED
        else:
            changes, error = (at_hand.least_change, at_hand.largest_change), fit.options.epsfcn or 0.0
            good = one_steps_are_good(changes, fit.fnorm, size(), spread, at_hand.least_ratio, error)
        if good:
            return Judged(fit, at_hand.cov, n, offset)
    return None


def _offset(tangent: float, fnorm: float, n: int, points: int, absolute: bool) -> float:
    """Return the relative offset by the last Jacobian."""
    if fnorm == 0 or (points <= n and not absolute):
        return 0.0
    square = min(tangent / fnorm, 1.0) ** 2
    if absolute:
        return math.sqrt(square / n) * fnorm
    return math.sqrt(square / n * (points - n) / (1 - square)) if square < 1 else math.inf


def _distance(offset: float, fit: Fit, n: int, points: int, absolute: bool) -> float:
    """Return the distance from the minimum in standard errors, those of the residuals' scatter if that is larger."""
    scatter = standard_deviation(fit.fnorm, points, n, False) if absolute else 1.0
    return offset * math.sqrt(n) / max(scatter, 1.0)


def _judge_as_many(
    fit: Fit,
    start: FloatArray,
    one: _One,
    exact: bool,
    points: int,
    absolute: bool,
    box: Bounds | None,
    sandwich: bool = False,
) -> Judged:
    n = fit.x.size
    solutions = Solutions(
        np.empty((1, n)), np.empty((1, n + 1, n)), np.empty(1), np.empty(1, dtype=np.intc), np.empty(1, dtype=np.intc)
    )
    solutions.store(0, fit)
    if exact and is_robust(fit.options):
        refold(one, solutions, fit.options)
    boxes = None if box is None else Bounds(box.lower[None], box.upper[None])
    many, interrupt = np.array([points], dtype=np.intc), np.zeros(1, dtype=np.intc)
    given = (one, solutions, start[None], many, fit.options, exact, absolute, interrupt, boxes)
    settled, last = settle(*given)
    if sandwich:
        settled = as_sandwich(Settler(*given), settled)
    if not np.array_equal(solutions.popt[0], fit.x):
        fit = _moved(fit, last, solutions.popt[0], box, one.counts(np.zeros(1, dtype=np.intp))[0])
    fit = fit._replace(info=int(solutions.status[0]), nfev=int(solutions.nfev[0]), fnorm=float(solutions.fnorm[0]))
    unused, combined = (tuple(np.flatnonzero(which[0]).tolist()) for which in (settled.unused, settled.combined))
    return Judged(fit, settled.pcov[0], int(settled.rank[0]), float(settled.offset[0]), unused, combined)


def _moved(fit: Fit, last: Last, x: FloatArray, box: Bounds | None, y: FloatArray) -> Fit:
    """Return a fit that went on elsewhere, factored at `x` without another evaluation."""
    f, of_free = last
    jacobian = np.zeros((f.size, x.size))
    jacobian[:, slice(None) if box is None else box.free] = of_free
    options = fit.options._replace(maxfev=1)
    if is_counts(options):
        at = fit_counts(Kept(lambda _: f, lambda _: jacobian, 0), y, x, options, box)
        return at._replace(x=x, njev=fit.njev, options=fit.options)
    if options.rho is not None:
        f, factors = as_squares(options, f)
        jacobian *= factors[:, None]
    at = iterate(lambda _: f, x, (), lambda _: jacobian, False, options, f, bounds=box)
    return at._replace(x=x, njev=fit.njev, options=fit.options)
