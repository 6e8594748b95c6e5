"""Whether fits that came to an end are at their minimum, and on from there if they are not.

References
----------
D. M. Bates, D. G. Watts, Technometrics 23 (1981) 179-183.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._engines.solution import Solutions
from .._input.bounds import Bounds
from .._input.validate import FloatArray
from .._solver import codes, kernel
from .._solver.kernel import TO_FIT
from .._solver.losses import fold, is_robust, scaled_rows
from .._solver.norms import EPS, row_norms
from .._solver.problem import Options
from .derivatives import Scales, one_steps_are_good, scales, steps_are_good
from .ends import FAR, LARGEST_NORM, SHARP, Evaluator, ends_by_reductions, is_tolerant, options_further
from .further import go_on
from .held import held_offsets
from .slopes import Slopes
from .statistics import (
    ALONG_LINES,
    ANALYTIC,
    CENTRAL,
    FORWARD,
    SATURATED,
    Accuracy,
    Statistics,
    ill_conditioning,
    statistics,
)

# By which share of the residuals a dead parameter changes them at most, if it changes by its own size.
_DEAD = 1e-30
# The share by which the norm of the residuals falls, if it does, from the start to the solution.
_FALL = 1e-6
# Multiples of rounding that residuals consist of nothing but rounding below.
_ROUNDING = 8.0
# Ends of fits that went on whose steps did not shrink to nothing: ftol, gtol, maxfev, and the former two to rounding.
_AT_REST = (1, 4, 5, 6, 8)
_BY_REDUCTIONS = (1, 6)
# Steps after which maxfev, too, tells that nothing more is gained.
_MANY = 10
# A factor that bounds no step.
_UNBOUNDED = 1e100
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
        self.evaluator, self.solutions, self.start, self.points, self.box = evaluator, solutions, start, points, box
        self.options, self.exact, self.absolute, self.interrupt = options, exact, absolute, interrupt
        self.error = options.epsfcn or 0.0
        self.slopes = Slopes(evaluator, solutions, exact, self.error, box)
        # Residuals and derivatives of the fit that was looked at last.
        self.last = (np.empty(0), np.empty(0))
        rank = np.zeros(count, dtype=np.intc) + n
        unused, combined = np.zeros((count, n), dtype=np.bool_), np.zeros((count, n), dtype=np.bool_)
        # There is room for covariances and offsets once it is known whether there are any.
        self.settled = Statistics(np.empty((0, n, n)), rank, unused, combined, np.empty(0))

    def settle(self) -> Statistics:
        """Judge the fits that were solved, take derivatives afresh where that needs them, and go on where it pays."""
        self._refuse_overflow()
        solved = self._solved()
        some = np.count_nonzero(solved)
        # Of robust losses, derivatives at hand have been multiplied by what the iteration wants, not covariances.
        refolded = is_robust(self.options) and not self.exact
        if refolded or not some:
            count, n = self.solutions.popt.shape
            self.settled = self.settled._replace(pcov=np.full((count, n, n), np.nan), offset=np.full(count, np.nan))
        if not some:
            return self.settled
        doubtful = np.flatnonzero(solved) if refolded else self._judge_by_last_jacobian(solved, some == len(solved))
        if doubtful.size:
            step = max(1, _NUMBERS_AT_ONCE // max(1, self.evaluator.m * self.solutions.popt.shape[1]))
            for first in range(0, len(doubtful), step):
                if self.interrupt[0]:
                    self.solutions.status[doubtful[first:]] = TO_FIT
                    break
                self._settle_afresh(doubtful[first : first + step])
            solved = self._solved()
        self._close(solved)
        return self.settled

    def _refuse_overflow(self) -> None:
        """Take no fit for solved whose sum of squares is no number, and with it no error."""
        if not kernel.all_below(self.solutions.fnorm, LARGEST_NORM):
            too_large = ~(self.solutions.fnorm <= LARGEST_NORM)
            self.solutions.status[self._solved() & too_large] = codes.DATA_NOT_USABLE

    def _solved(self) -> NDArray[np.bool_]:
        return codes.is_solved(self.solutions.status)

    def _judge_by_last_jacobian(self, solved: NDArray[np.bool_], every: bool) -> NDArray[np.intp]:
        """Take the statistics of fits, `every` one or some, from the last Jacobian; return those it does not do for."""
        accuracy, found = ANALYTIC if self.exact else FORWARD, self.solutions
        limits = (1 / accuracy.singular, SATURATED)
        pcov, offset, marks = kernel.take_statistics(
            self.absolute, limits, found.popt, found.fnorm, self.points, found.triangle
        )
        if not every:
            offset[~solved] = np.nan
        self.settled = Statistics(pcov, *self.settled[1:4], offset)
        held = None if self.box is None else self.box.holds(found.popt)
        near = kernel.all_below(offset, FAR / math.sqrt(found.popt.shape[1]))
        ordinary = near and not np.count_nonzero(marks) and (held is None or not np.count_nonzero(held))
        if ordinary and (self.exact or (self.box is None and self._steps_of_few_are_good())):
            return np.empty(0, dtype=np.intp)
        if not self.exact:
            return self._look_closely(np.flatnonzero(solved), (marks == 1)[solved], accuracy)
        if held is not None:
            fits = np.flatnonzero(held.any(axis=1) & solved & (marks != 1))
            self._hold(fits, np.swapaxes(found.triangle[fits], 1, 2), accuracy)
        # Derivatives before the last step tell little of the errors after it where it was long, or much depends on it.
        far = self._far(slice(None)) & solved & (marks == 0)
        far[np.flatnonzero(far)[self._no_more_than_rounding(np.flatnonzero(far))]] = False
        return np.flatnonzero(far | ((marks != 0) & solved))

    def _no_more_than_rounding(self, fits: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Return which fits meet the data to rounding, and are at their minimum with that."""
        fnorm = self.solutions.fnorm[fits]
        size, _ = self.evaluator.sizes(fits)
        rounding: NDArray[np.bool_] = fnorm <= _ROUNDING * max(self.error, EPS) * (size + fnorm)
        self.settled.offset[fits[rounding]] = 0.0
        return rounding

    def _steps_of_few_are_good(self) -> bool:
        """Return, quickly, whether a few fits by differences are what `_look_closely` would let pass."""
        x, fnorm = self.solutions.popt, self.solutions.fnorm.tolist()
        if len(x) > _FEW:
            return False
        sizes, spreads = (norms.tolist() for norms in self.evaluator.sizes(np.arange(len(x))))
        for point, norm, columns, size, spread in zip(x, fnorm, self.solutions.triangle, sizes, spreads, strict=True):
            norms = row_norms(columns).tolist()[:-1]  # without the head of Qᵀf
            if not all(norms):
                return False
            ratio = min(abs(r) / whole for r, whole in zip(columns.diagonal().tolist(), norms, strict=True))
            terms = [whole * abs(value) for whole, value in zip(norms, point.tolist(), strict=True)]
            changes = [term or whole for term, whole in zip(terms, norms, strict=True)]
            only_rounding = norm <= _ROUNDING * max(self.error, EPS) * max(norm + size, *terms)
            given = (min(changes), max(changes)), norm, size, lambda spread=spread: spread
            if only_rounding or not one_steps_are_good(*given, ratio, self.error):
                return False
        return True

    def _look_closely(
        self, fits: NDArray[np.intp], singular: NDArray[np.bool_], accuracy: Accuracy
    ) -> NDArray[np.intp]:
        """Return which fits by differences are not at their minimum, or need better differences to be judged."""
        rows = np.swapaxes(self.solutions.triangle[fits], 1, 2)
        x, fnorm = self.solutions.popt[fits], self.solutions.fnorm[fits]
        norms, ratio = ill_conditioning(rows[:, :, :-1])
        self._hold(fits, rows, accuracy)
        of = scales(x, norms, fnorm, self.evaluator.sizes(fits), ratio, self.error)
        rounding = self._only_rounding(x, fnorm, norms, of)
        self.settled.offset[fits[rounding]] = 0.0
        return fits[self._may_go_on(fits) | singular | ~steps_are_good(x, norms, of, self.error)]

    def _shares(self, fits: NDArray[np.intp], norms: FloatArray) -> FloatArray:
        """Return how much parameters that change by their own size change the residuals; inf for those at zero."""
        size = np.maximum(np.abs(self.solutions.popt[fits]), np.abs(self.start[fits]))
        return np.where(size > 0, norms * size, np.inf)

    def _hold(self, fits: NDArray[np.intp], rows: FloatArray, accuracy: Accuracy) -> None:
        """Take the offset of fits on a bound that the gradient pushes them against without those parameters."""
        if self.box is None or not fits.size:
            return
        found, points = self.solutions, self.points[fits]
        some, offset = held_offsets(
            found.popt[fits], self.box.rows(fits), rows, found.fnorm[fits], points, accuracy, self.absolute
        )
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
        going, n = self._far(fits), self.solutions.popt.shape[1]
        if self.exact:
            status = self.solutions.status[fits]
            some = np.flatnonzero(going & ends_by_reductions(status, self.points[fits], n, self.options))
            going[some[self._fell(fits[some])]] = False
        return going

    def _fell(self, fits: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Return which fits have reduced their sum of squares at all: from a tiny start, no step does at first."""
        if len(fits) == 0 or self.options.loss != 0 or self.options.rho is not None:
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

    def _take_statistics(
        self,
        fits: NDArray[np.intp],
        rows: FloatArray,
        dead: NDArray[np.bool_],
        dim: NDArray[np.bool_],
        accuracy: Accuracy,
    ) -> None:
        """Take the statistics of fits: covariances with all columns, offsets without those that are dead.

        Those tell which way residuals change, and have no errors: by differences, it is not known how fast, and by
        exact derivatives next to not at all. Parameters that are `dim`, whose own size is next to nothing, have no
        errors beside others of which nothing is seen: these may do the same to the model.
        """
        fnorm, points = self.solutions.fnorm[fits], self.points[fits]
        found = statistics(rows, fnorm, points, accuracy, self.absolute, self.slopes.noise[fits])
        found.unused[dead], found.combined[dead] = True, False
        found.combined[dim & ~found.unused & np.any(found.unused, axis=1, keepdims=True)] = True
        no_error: NDArray[np.bool_] = found.unused | found.combined
        found.pcov[no_error[:, :, None] | no_error[:, None, :]] = np.inf
        some = dead.any(axis=1)
        if some.any():
            rows = np.where(np.append(dead, np.zeros((len(dead), 1), np.bool_), axis=1)[:, None, :], 0.0, rows)
            alive = statistics(rows[some], fnorm[some], points[some], accuracy, self.absolute)
            found.offset[some] = alive.offset
        for name, values in found._asdict().items():
            getattr(self.settled, name)[fits] = values
        self._hold(fits, rows, accuracy)

    def _settle_afresh(self, fits: NDArray[np.intp]) -> None:
        """Take the statistics of fits from derivatives at the solution, and go on with those that are far from it."""
        far = self._look_afresh(fits)
        if far.size == 0:
            return
        first, steps = [values[far] for values in self._known()], np.zeros(len(far), dtype=np.intp)
        ended, left = np.full(len(far), codes.MAXFEV), self._probe(far, first)
        # Once more without ftol, for what falls so little that it seems to be flat.
        for ftol in (self.options.ftol, 0.0):
            going = left[~self._is_over(far[left])]
            if going.size == 0 or self.interrupt[0]:
                break
            steps[going] += self._go_on(far[going], ftol)
            ended[going] = self.solutions.status[far[going]]
            there = going[~np.isin(far[going], self._look_afresh(far[going]))]
            # Nothing more is to be gained, and what ended them at first is right.
            unfinished = there[~np.isin(ended[there], list(codes.SOLVED))]
            self.solutions.status[far[unfinished]] = first[0][unfinished]
            self._restore(far, first, unfinished[~self._gained(far, first)[unfinished]])
            left = np.setdiff1d(left, there)
        if self.interrupt[0]:
            self.solutions.status[far[left]] = TO_FIT
            return
        # Long steps that gain nothing: a minimum at infinity, along a valley whose floor no linearisation sees.
        # Where differences are no more than rounding, that nothing is gained tells nothing.
        rested = np.isin(ended, _AT_REST) & ((ended != codes.MAXFEV) | (steps >= _MANY))
        flat = rested & ~self._gained(far, first) & self.slopes.smooth[far]
        self._restore(far, first, left[flat[left]])
        for fit in far[left[~flat[left]]].tolist():
            self.solutions.status[fit] = self._reason(fit)

    def _probe(self, fits: NDArray[np.intp], first: list[NDArray[Any]]) -> NDArray[np.intp]:
        """Look whether a step by derivatives that are right gains anything, and return which fits are to go on.

        Those that ended by reductions, as they would have by exact derivatives, are left where they were if not.
        """
        n = self.solutions.popt.shape[1]
        by_reductions = ends_by_reductions(first[0], self.points[fits], n, self.options)
        some = np.flatnonzero(by_reductions & self.slopes.smooth[fits] & ~self._is_over(fits))
        if self.exact or some.size == 0 or self.interrupt[0]:
            return np.arange(len(fits))
        some = some[self._fell(fits[some])]
        self._go_on(fits[some], SHARP / max(int(self.points[fits].max()) - n, 1))
        rested = (
            np.isin(self.solutions.status[fits], _BY_REDUCTIONS) & self.slopes.smooth[fits] & ~self._gained(fits, first)
        )
        flat = some[rested[some]]
        self._restore(fits, first, flat)
        return np.setdiff1d(np.arange(len(fits)), flat)

    def _known(self) -> tuple[NDArray[Any], ...]:
        """Return what is known of fits: their status, where they are, and statistics there."""
        found = self.solutions
        return found.status, found.fnorm, found.popt, found.triangle, *self.settled

    def _restore(self, fits: NDArray[np.intp], first: list[NDArray[Any]], which: NDArray[np.intp]) -> None:
        """Return fits that went on for nothing to where they ended at first."""
        for values, before in zip(self._known(), first, strict=True):
            values[fits[which]] = before[which]

    def _gained(self, fits: NDArray[np.intp], first: list[NDArray[Any]]) -> NDArray[np.bool_]:
        """Return for which fits going on has reduced the sum of squares by what matters, next to their variance."""
        fnorm = first[1]
        variance = fnorm**2 / np.maximum(self.points[fits] - self.settled.rank[fits], 1)
        if self.absolute:
            variance = np.maximum(variance, 1.0)
        gained: NDArray[np.bool_] = fnorm**2 - self.solutions.fnorm[fits] ** 2 > FAR**2 * variance
        return gained

    def _reason(self, fit: int) -> int:
        """Return the status of a fit that stays far from its minimum."""
        if self._is_over(fit):
            return codes.MAXFEV
        unmoved = np.array_equal(self.solutions.popt[fit], self.start[fit])
        return codes.UNMOVED if unmoved else codes.NOT_AT_MINIMUM

    def _is_over(self, fits: Any) -> Any:
        """Return which fits have no evaluations left for another step, and a last look at its end."""
        return self.solutions.nfev[fits] + 2 * self.slopes.price[fits] >= self.options.maxfev

    def _look_afresh(self, fits: NDArray[np.intp]) -> NDArray[np.intp]:
        """Take the statistics of fits from derivatives at the solution; return those that are far from the minimum."""
        x, fnorm = self.solutions.popt[fits], self.solutions.fnorm[fits]
        f = self.evaluator.residuals(fits, x)
        if not self.exact:  # else the iteration has had them, and what is known is not counted
            self.solutions.nfev[fits] += 1
        slopes, of, sure = self.slopes.at(fits, x, f)
        rows = fold(scaled_rows(self.options, f, slopes, self.evaluator.counts(fits)))
        norms, _ = ill_conditioning(rows[:, :, :-1])
        shares = self._shares(fits, norms)
        dead = shares < _DEAD * fnorm[:, None] if self.exact else self.slopes.weak[fits]
        dim = shares < max(self.error, EPS) * of.rounding[:, None]
        for accuracy, which in self._kinds(of, sure):
            if which.any():
                self._take_statistics(fits[which], rows[which], dead[which], dim[which], accuracy)
        self.last = f[-1], slopes[-1]
        rounding = self._only_rounding(x, fnorm, norms, of)
        self.settled.offset[fits[rounding]] = 0.0
        return fits[self._may_go_on(fits)]

    def _kinds(self, of: Scales, sure: NDArray[np.bool_]) -> list[tuple[Accuracy, NDArray[np.bool_]]]:
        """Return which fits have derivatives of what accuracy, those along all directions better singular values."""
        if self.exact:
            return [(ANALYTIC, np.ones(len(sure), dtype=np.bool_))]
        along = of.terms.any(axis=1)
        kinds = []
        for kind, which in ((CENTRAL, ~along), (ALONG_LINES, along)):
            kinds += [(kind, which & ~sure), (kind._replace(singular=ANALYTIC.singular), which & sure)]
        return kinds

    def _go_on(self, fits: NDArray[np.intp], ftol: float) -> NDArray[np.intp]:
        """Go on with some fits, and count their steps.

        The first step is as long as the linearisation says where the derivatives were to blame, or xtol; or from zero,
        which has no length. Else it was steps that gained nothing, and they begin short, as those of any fit.
        """
        status, x = self.solutions.status[fits], self.solutions.popt[fits]
        short = self.exact & (status != codes.XTOL) & x.any(axis=1)
        steps, further = np.zeros(len(fits), dtype=np.intp), options_further(self.options, x.shape[1], self.exact, ftol)
        for which, factor in ((short, self.options.factor), (~short, _UNBOUNDED)):
            if which.any():
                options = further._replace(factor=factor)
                some = fits[which]
                box = None if self.box is None else self.box.rows(some)
                given = (options, box, self._is_over, self.interrupt)
                steps[which] = go_on(self.evaluator, self.solutions, some, self.slopes.of_steps, *given)
        return steps

    def _close(self, solved: NDArray[np.bool_]) -> None:
        """Leave no errors without degrees of freedom, nor any of fits that are not solved."""
        pcov, n = self.settled.pcov, self.solutions.popt.shape[1]
        if not self.absolute:
            none = self.points <= self.settled.rank
            if np.count_nonzero(none):
                pcov[none] = np.where(pcov[none] < np.inf, np.inf, pcov[none])
        if np.count_nonzero(solved) < len(solved):
            pcov[~solved], self.settled.rank[~solved] = np.nan, n
