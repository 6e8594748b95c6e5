"""Whether fits that came to an end are at their minimum, and on from there if they are not.

References
----------
D. M. Bates, D. G. Watts, Technometrics 23 (1981) 179-183.
"""

import math

import numpy as np
from numpy.typing import NDArray

from . import _kernel, _statistics, _status
from ._bounds import Bounds
from ._derivatives import EPS, Scales, fresh_slopes, one_steps_are_good, row_norms, scales, steps_are_good
from ._directions import along_dropped, are_the_same, forward_slopes
from ._ends import FAR, LARGEST_NORM, Evaluator, ends_by_reductions, is_tolerant
from ._held import held_offsets
from ._kernel import TO_FIT
from ._losses import as_squares, fold, is_counts, is_robust, scaled_rows
from ._problem import Options
from ._slots import Slots, run_slots
from ._solution import Solutions
from ._statistics import ALONG_LINES, ANALYTIC, CENTRAL, FORWARD, Accuracy, Statistics, ill_conditioning, statistics
from ._validate import FloatArray

# By which share of the residuals a dead parameter changes them at most, if it changes by its own size.
_DEAD = 1e-30
# The share by which the norm of the residuals falls, if it does, from the start to the solution.
_FALL = 1e-6
# Multiples of rounding that residuals consist of nothing but rounding below.
_ROUNDING = 8.0
# Ends of fits that went on whose steps did not shrink to nothing: ftol, gtol, maxfev, and the former two to rounding.
_AT_REST = frozenset({1, 4, 5, 6, 8})
# A factor that bounds no step.
_UNBOUNDED = 1e100
# Further steps for each parameter and one, of a fit that goes on.
_MOST_FURTHER = 40
# Up to so many fits are quicker looked at one by one.
_FEW = 4
# Numbers of the Jacobians that are held at once.
_NUMBERS_AT_ONCE = 2**20


class Settler:
    """The fits of a block, and what it takes to judge them."""

    def __init__(
        self,
        evaluator: Evaluator,
        solutions: Solutions,
        start: FloatArray,
        points: NDArray[np.intc],
        options: Options,
        exact: bool,
        absolute: bool,
        interrupt: NDArray[np.intc],
        box: Bounds | None = None,
    ) -> None:
        count, n = solutions.popt.shape
        self.evaluator, self.solutions, self.start, self.points = evaluator, solutions, start, points
        self.box = box
        self.options, self.exact, self.absolute, self.interrupt = options, exact, absolute, interrupt
        self.error = options.epsfcn or 0.0
        # Difference steps found so far.
        self.steps = np.zeros((count, n))
        # Whether differences taken last have shown straight lines, and whether the iteration had the right ones.
        self.smooth = np.ones(count, dtype=np.bool_)
        self.right = np.full(count, exact)
        # Residuals and derivatives of the fit that was looked at last.
        self.last = (np.empty(0), np.empty(0))
        self.settled = Statistics(
            np.empty((0, n, n)),  # there is room once it is known whether there are any
            np.full(count, n, dtype=np.intc),
            np.zeros((count, n), dtype=np.bool_),
            np.zeros((count, n), dtype=np.bool_),
            np.empty(0),
        )

    def settle(self) -> Statistics:
        """Judge the fits that were solved, take derivatives afresh where that needs them, and go on where it pays."""
        self._refuse_overflow()
        solved = self._solved()
        # Of robust losses, derivatives at hand have been multiplied by what the iteration wants, not covariances.
        refolded = is_robust(self.options) and not self.exact
        if refolded or not solved.any():
            count, n = self.solutions.popt.shape
            self.settled = self.settled._replace(pcov=np.full((count, n, n), np.nan), offset=np.full(count, np.nan))
        if not solved.any():
            return self.settled
        doubtful = np.flatnonzero(solved) if refolded else self._judge_by_last_jacobian(solved)
        step = max(1, _NUMBERS_AT_ONCE // max(1, self.evaluator.m * self.solutions.popt.shape[1]))
        for first in range(0, len(doubtful), step):
            if self.interrupt[0]:
                self.solutions.status[doubtful[first:]] = TO_FIT
                break
            self._settle_afresh(doubtful[first : first + step])
        self._close(self._solved() if doubtful.size else solved)
        return self.settled

    def _refuse_overflow(self) -> None:
        """Take no fit for solved whose sum of squares is no number, and with it no error."""
        if not self.solutions.fnorm.max(initial=0.0) <= LARGEST_NORM:
            too_large = ~(self.solutions.fnorm <= LARGEST_NORM)
            self.solutions.status[self._solved() & too_large] = _status.DATA_NOT_USABLE

    def _solved(self) -> NDArray[np.bool_]:
        return _status.is_solved(self.solutions.status)

    def _judge_by_last_jacobian(self, solved: NDArray[np.bool_]) -> NDArray[np.intp]:
        """Take the statistics of fits from the last Jacobian, and return the fits for which it does not do."""
        accuracy, found = ANALYTIC if self.exact else FORWARD, self.solutions
        limits = (1 / accuracy.singular, _statistics.SATURATED, _statistics.AT_ZERO)
        pcov, offset, marks = _kernel.take_statistics(
            self.absolute, limits, found.popt, found.fnorm, self.points, found.triangle
        )
        offset[~solved] = np.nan
        self.settled = self.settled._replace(pcov=pcov, offset=offset)
        ordinary = offset.max() * math.sqrt(found.popt.shape[1]) <= FAR and not marks.any()
        if ordinary and self.box is None and (self.exact or self._steps_of_few_are_good()):
            return np.empty(0, dtype=np.intp)
        singular = (marks == 1) & solved
        if not self.exact:
            return self._look_closely(np.flatnonzero(solved), singular[solved], singular[solved], accuracy)
        if self.box is not None:
            on_bound = ((found.popt == self.box.lower) | (found.popt == self.box.upper)).any(axis=1)
            fits = np.flatnonzero(on_bound & solved & ~singular)
            self._hold(fits, np.swapaxes(found.triangle[fits], 1, 2), accuracy)
        again = singular | (self._far(slice(None)) & solved)
        bad = (marks == 2) & solved & ~again
        if again.any():
            fits = np.flatnonzero(again)
            bad[self._look_closely(fits, again[fits], singular[fits], accuracy)] = True
        return np.flatnonzero(bad)

    def _steps_of_few_are_good(self) -> bool:
        """Return, quickly, whether a few fits by differences are what `_look_closely` would let pass."""
        x, fnorm = self.solutions.popt, self.solutions.fnorm.tolist()
        if len(x) > _FEW:
            return False
        sizes, spreads = (norms.tolist() for norms in self.evaluator.sizes(np.arange(len(x))))
        rows = zip(x, fnorm, self.solutions.triangle[:, :-1], sizes, spreads, strict=True)
        for point, norm, columns, size, spread in rows:
            norms = np.sqrt(np.einsum("ji,ji->j", columns, columns))
            ratio = float((np.abs(columns.diagonal()) / norms).min())
            terms = max(norm + size, float((norms * np.abs(point)).max()))
            only_rounding = norm <= _ROUNDING * max(self.error, EPS) * terms
            of_data = size, lambda spread=spread: spread
            if only_rounding or not one_steps_are_good(point, norms, norm, *of_data, ratio, self.error):
                return False
        return True

    def _look_closely(
        self, fits: NDArray[np.intp], again: NDArray[np.bool_], singular: NDArray[np.bool_], accuracy: Accuracy
    ) -> NDArray[np.intp]:
        """Judge fits one by one, taking the statistics of some again; return those that are not at their minimum."""
        rows = np.swapaxes(self.solutions.triangle[fits], 1, 2)
        x, fnorm = self.solutions.popt[fits], self.solutions.fnorm[fits]
        norms, ratio = ill_conditioning(rows[:, :, :-1])
        if again.any():
            if self.exact:
                self._bury(fits, rows, again)
            self._take_statistics(fits[again], rows[again], accuracy)
        self._hold(fits, rows, accuracy)
        bad = self._may_go_on(fits)
        look = np.flatnonzero(bad) if self.exact else np.arange(len(fits))
        if look.size:
            of = scales(x[look], norms[look], fnorm[look], self.evaluator.sizes(fits[look]), ratio[look], self.error)
            rounding = look[self._only_rounding(x[look], fnorm[look], norms[look], of)]
            self.settled.offset[fits[rounding]], bad[rounding] = 0.0, False
        if self.exact:
            variances = np.diagonal(self.settled.pcov[fits], axis1=1, axis2=2)
            bad |= np.any(_statistics.all_but_open(x, variances), axis=1)
        else:
            bad |= singular | ~steps_are_good(x, norms, of, self.error)
        return fits[bad]

    def _bury(self, fits: NDArray[np.intp], rows: FloatArray, which: NDArray[np.bool_]) -> None:
        """Take out the columns of parameters that exact derivatives give next to none: differences would see zero."""
        n = rows.shape[1]
        norms, _ = ill_conditioning(rows[:, :, :n])
        size = np.maximum(np.abs(self.solutions.popt[fits]), np.abs(self.start[fits]))
        dead = which[:, None] & (size > 0) & (norms * size < _DEAD * self.solutions.fnorm[fits][:, None])
        rows[:, :, :n][np.broadcast_to(dead[:, None, :], (len(rows), n, n))] = 0.0

    def _box_of(self, fits: NDArray[np.intp]) -> Bounds | None:
        return None if self.box is None else Bounds(self.box.lower[fits], self.box.upper[fits])

    def _hold(self, fits: NDArray[np.intp], rows: FloatArray, accuracy: Accuracy) -> None:
        """Take the offset of fits on a bound that the gradient pushes them against without those parameters."""
        box = self._box_of(fits)
        if box is None:
            return
        found, points = self.solutions, self.points[fits]
        some, offset = held_offsets(found.popt[fits], box, rows, found.fnorm[fits], points, accuracy, self.absolute)
        self.settled.offset[fits[some]] = offset

    def _far(self, fits: NDArray[np.intp] | slice) -> NDArray[np.bool_]:
        """Return which fits are far from their minimum, and ought not to be."""
        rank = self.settled.rank[fits]
        distance = self.settled.offset[fits] * np.sqrt(np.maximum(rank, 1))
        if self.absolute:  # residuals far larger than they are said to be leave no more digits than others
            distance /= np.maximum(self.solutions.fnorm[fits] / np.sqrt(np.maximum(self.points[fits] - rank, 1)), 1.0)
        return ~(distance <= FAR) & (not is_tolerant(self.options))

    def _may_go_on(self, fits: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Return which fits are far from their minimum, and have not ended for a reason that holds all the same."""
        far = self._far(fits)
        status, n = self.solutions.status[fits], self.solutions.popt.shape[1]
        by_reductions = ends_by_reductions(status, self.points[fits], n, self.options)
        holds: NDArray[np.bool_] = far & by_reductions & self.right[fits]
        some = np.flatnonzero(holds)
        if some.size:
            holds[some] = self._fell(fits[some])
        going: NDArray[np.bool_] = far & ~holds
        return going

    def _fell(self, fits: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Return which fits have reduced their sum of squares at all: from a tiny start, no step does at first."""
        if self.options.loss != 0 or self.options.rho is not None:
            return np.zeros(len(fits), dtype=np.bool_)
        if not self.exact:
            self.solutions.nfev[fits] += 1
        begun = row_norms(self.evaluator.residuals(fits, self.start[fits]))
        fell: NDArray[np.bool_] = self.solutions.fnorm[fits] < (1 - _FALL) * begun
        return fell

    def _only_rounding(self, x: FloatArray, fnorm: FloatArray, norms: FloatArray, of: Scales) -> NDArray[np.bool_]:
        """Return which fits have residuals that are nothing but rounding."""
        terms = np.maximum(of.rounding, np.max(norms * np.abs(x), axis=1))
        only: NDArray[np.bool_] = fnorm <= _ROUNDING * max(self.error, EPS) * terms
        return only

    def _take_statistics(self, fits: NDArray[np.intp], rows: FloatArray, accuracy: Accuracy) -> None:
        found = statistics(rows, self.solutions.fnorm[fits], self.points[fits], accuracy, self.absolute)
        for name, values in found._asdict().items():
            getattr(self.settled, name)[fits] = values

    def _settle_afresh(self, fits: NDArray[np.intp]) -> None:
        """Take the statistics of fits from derivatives at the solution, and go on with those that are far from it."""
        before, fnorm = self.solutions.status.copy(), self.solutions.fnorm.copy()
        far = self._look_afresh(fits)
        # Once more without ftol, for what falls so little that it seems to be flat.
        for ftol in (self.options.ftol, 0.0):
            if far.size and self.interrupt[0]:
                self.solutions.status[far] = TO_FIT
            if far.size == 0 or self.interrupt[0]:
                return
            self._go_on(far, ftol)
            ended = self.solutions.status.copy()
            still = self._look_afresh(far, again=True)
            for fit in np.setdiff1d(far, still).tolist():
                # Nothing more is to be gained, and what ended it at first is right.
                if ended[fit] not in _status.SOLVED:
                    self.solutions.status[fit] = before[fit]
            far = still
        for fit in far.tolist():
            status = int(self.solutions.status[fit])
            freedom = max(int(self.points[fit]) - int(self.settled.rank[fit]), 1)
            variance = 1.0 if self.absolute else fnorm[fit] ** 2 / freedom
            gain = fnorm[fit] ** 2 - self.solutions.fnorm[fit] ** 2
            # Long steps that gain nothing: a minimum at infinity, along a valley whose floor no linearisation sees.
            # Where differences are no more than rounding, that nothing is gained tells nothing.
            flat = status in _AT_REST and gain <= FAR**2 * variance and self.smooth[fit]
            self.solutions.status[fit] = before[fit] if flat else self._reason(fit)

    def _reason(self, fit: int) -> int:
        """Return the status of a fit that stays far from its minimum."""
        if self.solutions.nfev[fit] >= self.options.maxfev:
            return _status.MAXFEV
        unmoved = np.array_equal(self.solutions.popt[fit], self.start[fit])
        return _status.UNMOVED if unmoved else _status.NOT_AT_MINIMUM

    def _look_afresh(self, fits: NDArray[np.intp], again: bool = False) -> NDArray[np.intp]:
        """Take the statistics of fits from derivatives at the solution; return those that are far from the minimum."""
        x, fnorm = self.solutions.popt[fits], self.solutions.fnorm[fits]
        f = self.evaluator.residuals(fits, x)
        if not self.exact:  # else the iteration has had them, and what is known is not counted
            self.solutions.nfev[fits] += 1
        slopes, of, sure = self.slopes(fits, x, f)
        n = x.shape[1]
        rows = fold(scaled_rows(self.options, f, slopes, self.evaluator.counts(fits)))
        if self.exact:
            self._bury(fits, rows, np.ones(len(fits), dtype=np.bool_))
        elif again:
            self.right[fits] = self.smooth[fits]
        for accuracy, which in self._kinds(of, sure):
            if which.any():
                self._take_statistics(fits[which], rows[which], accuracy)
                self._hold(fits[which], rows[which], accuracy)
        self.last = f[-1], slopes[-1]
        norms, _ = ill_conditioning(rows[:, :, :n])
        rounding = self._only_rounding(x, fnorm, norms, of)
        self.settled.offset[fits[rounding]] = 0.0
        if not (self.exact or again):
            self._compare(fits[self._far(fits) & ~sure], fits, x, f, slopes)
        return fits[self._may_go_on(fits)]

    def _compare(
        self, far: NDArray[np.intp], fits: NDArray[np.intp], x: FloatArray, f: FloatArray, slopes: FloatArray
    ) -> None:
        """Find out for which far fits the iteration's differences, one step forward, are those taken afresh."""
        at = np.flatnonzero(np.isin(fits, far))
        if at.size == 0:
            return
        forward = forward_slopes(self.evaluator.residuals, fits[at], x[at], f[at], self.error, self._box_of(fits[at]))
        self.solutions.nfev[fits[at]] += x.shape[1]
        self.right[fits[at]] = self.smooth[fits[at]] & are_the_same(forward, slopes[at])

    def _kinds(self, of: Scales, sure: NDArray[np.bool_]) -> list[tuple[Accuracy, NDArray[np.bool_]]]:
        """Return which fits have derivatives of what accuracy, those along all directions better singular values."""
        if self.exact:
            return [(ANALYTIC, np.ones(len(sure), dtype=np.bool_))]
        along = of.terms.any(axis=1)
        kinds = []
        for kind, which in ((CENTRAL, ~along), (ALONG_LINES, along)):
            kinds += [(kind, which & ~sure), (kind._replace(singular=ANALYTIC.singular), which & sure)]
        return kinds

    def slopes(
        self, fits: NDArray[np.intp], x: FloatArray, f: FloatArray
    ) -> tuple[FloatArray, Scales, NDArray[np.bool_]]:
        """Return derivatives, exact ones or differences that are counted; scales; and which see all directions."""
        norms, ratio = ill_conditioning(np.swapaxes(self.solutions.triangle[fits], 1, 2)[:, :, :-1])
        of = scales(x, norms, self.solutions.fnorm[fits], self.evaluator.sizes(fits), ratio, self.error)
        sure = np.zeros(len(fits), dtype=np.bool_)
        if self.exact:
            return self.evaluator.jacobian(fits, x), of, sure
        residuals, box = self.evaluator.residuals, self._box_of(fits)
        found = fresh_slopes(residuals, fits, x, f, of, self.error, box, self.steps[fits])
        slopes, evaluations, self.steps[fits], self.smooth[fits] = found
        accuracy = np.where(of.terms.any(axis=1), ALONG_LINES.singular, CENTRAL.singular)
        more, sure = along_dropped(residuals, fits, x, f, slopes, of, accuracy, box)
        self.solutions.nfev[fits] += evaluations + more
        return slopes, of, sure

    def _go_on(self, fits: NDArray[np.intp], ftol: float) -> None:
        """Go on with some fits; from zero, which has no length, steps are as long as they like."""
        zero = ~self.solutions.popt[fits].any(axis=1)
        for which, factor in ((~zero, self.options.factor), (zero, _UNBOUNDED)):
            if which.any():
                self._iterate_on(fits[which], ftol, factor)

    def _iterate_on(self, fits: NDArray[np.intp], ftol: float, factor: float) -> None:
        """Iterate on from where fits ended, with derivatives that see the scales of the parameters, and no xtol."""
        count = len(fits)
        p0 = self.solutions.popt[fits]
        m = self.evaluator.m
        part = Solutions(
            p0.copy(),
            self.solutions.triangle[fits],
            self.solutions.fnorm[fits],
            np.zeros(count, dtype=np.intc),
            np.full(count, TO_FIT, dtype=np.intc),
        )
        most = self.options.maxfev
        if not self.exact:  # whose derivatives are evaluations, too
            most = min(most, _MOST_FURTHER * (p0.shape[1] + 1))
        options = self.options._replace(ftol=ftol, xtol=0.0, gtol=0.0, maxfev=most, factor=factor)
        box = self._box_of(fits) or (np.empty((0, p0.shape[1])),) * 2
        y = self.evaluator.counts(fits) if is_counts(options) else np.zeros((count, m))
        slots = Slots(np.arange(count), y, np.empty((0, m)), p0, options, *box)
        last = np.empty((count, m))

        def values_of(rows: NDArray[np.intp], points: FloatArray) -> FloatArray:
            last[rows] = self.evaluator.residuals(fits[rows], points)
            return last[rows] if options.rho is None else as_squares(options, last[rows])[0]

        def slopes_of(rows: NDArray[np.intp], points: FloatArray, _: FloatArray) -> tuple[FloatArray, None]:
            slopes = self.slopes(fits[rows], points, last[rows])[0]
            if options.rho is not None:
                slopes = slopes * as_squares(options, last[rows])[1][:, :, None]
            return np.ascontiguousarray(slopes), None

        run_slots(slots, values_of, slopes_of, part, self.interrupt)
        self.solutions.popt[fits], self.solutions.fnorm[fits] = part.popt, part.fnorm
        self.solutions.triangle[fits] = part.triangle
        self.solutions.nfev[fits] += part.nfev
        self.solutions.status[fits] = part.status

    def _close(self, solved: NDArray[np.bool_]) -> None:
        """Leave no errors without degrees of freedom, nor any of fits that are not solved."""
        pcov, n = self.settled.pcov, self.solutions.popt.shape[1]
        if not self.absolute:
            none = self.points <= self.settled.rank
            if none.any():
                pcov[none] = np.where(pcov[none] < np.inf, np.inf, pcov[none])
        if not solved.all():
            pcov[~solved], self.settled.rank[~solved] = np.nan, n
