"""One fit of data of any size: the iteration sees triangles, and so does what judges the fit."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from .._engines.iterate import Fit
from .._engines.numerical_jacobian import Differences
from .._input.bounds import Bounds
from .._input.validate import MOST_RESIDUALS, FloatArray
from .._solver import codes, kernel
from .._solver.kernel import DONE, FOLDED_BY_CALLER, JACOBIAN, OF_CURVATURE, OF_GRADIENTS, RESIDUALS
from .._solver.losses import is_counts, is_robust, sandwich
from .._solver.norms import EPS
from .._solver.problem import Options
from .._verdict.ends import FAR, is_tolerant, options_further
from .._verdict.judge import Judged, judge_at_once
from .._verdict.statistics import ANALYTIC, CENTRAL, SATURATED, Statistics, statistics
from .fold import OF_STEPS, BlockFunction, Fold, Folded, Source, of_no_block, together
from .points import Survey

# Steps are sought so many times, change by these factors at most, and are fair where one would change them by less.
_MOST_TRIES = 6
_GROWTH = 1e4
_SHRINKAGE = 1e6
_FAIR = 100.0


class Step(NamedTuple):
    """A point that the iteration goes on from."""

    x: FloatArray
    at: Folded
    iterations: int
    evaluations: int

    @property
    def gradient(self) -> FloatArray:
        """The gradient of half the cost."""
        found: FloatArray = self.at.triangle[:-1] @ self.at.triangle[-1]
        return found


class Iterated(NamedTuple):
    """A finished fit, the point that it ended on, and what ended it if that was who watched."""

    fit: Fit
    last: Step
    stopped: int | None


#: Sees each point that the iteration goes on from, the start too, and ends the fit by a code.
Watch = Callable[[Step], int | None]


@dataclass(frozen=True)
class LargeFit:
    """A function, the data in blocks, and how to fit."""

    function: BlockFunction
    source: Source
    box: Bounds | None
    options: Options
    #: Differences that the user chose; None for derivatives, and for the differences that the iteration takes.
    chosen: Differences | None
    #: Rows that count.
    points: int
    name: str = "f"

    @property
    def exact(self) -> bool:
        """Whether the function has derivatives of its own."""
        return self.function.exact

    @property
    def free(self) -> int:
        """The number of parameters that are fitted, of bounds that are there."""
        return 0 if self.box is None else int(np.count_nonzero(self.box.free))

    def evaluations(self, n: int, fold: Fold) -> int:
        """Say how many evaluations derivatives take."""
        return fold.evaluations(n if self.box is None else self.free)

    def fold(self, both: bool, steps: FloatArray | None = None) -> Fold:
        """Return how blocks are folded, with differences as the iteration has them, or longer ones to both sides.

        `steps` are those to both sides, relative to the parameters, where their scales are known.
        """
        if self.exact:
            return Fold(self.function, self.options, None)
        differences = Differences(of_no_block, "2-point", None, self.options.epsfcn or 0.0, self.box)
        if both:
            differences = differences._replace(method="3-point", relative_step=steps)
        elif self.chosen is not None:
            differences = self.chosen
        return Fold(self.function, self.options, differences)

    def evaluated(self, p: FloatArray, fold: Fold, purpose: int = OF_STEPS, lenient: bool = False) -> Folded:
        """Return the fold of all data at a point."""
        found: Folded = self.source.reduced(partial(fold, p.copy(), purpose, lenient), together)
        return found

    def iterated(
        self,
        start: FloatArray,
        options: Options,
        both: bool = False,
        watch: Watch | None = None,
        steps: FloatArray | None = None,
    ) -> Iterated:
        """Minimise the cost."""
        m, fold = min(self.points, MOST_RESIDUALS), self.fold(both, steps)
        of_each = self.evaluations(start.size, fold)
        # Differences that the user chose count, but not towards maxfev: as derivatives do.
        counted = 0 if self.chosen is not None and not both else of_each
        state = kernel.begin(max(m, start.size), start, FOLDED_BY_CALLER, options, bounds=self.box)
        x, task, last, stopped = start.copy(), RESIDUALS, None, None
        while task != DONE and stopped is None:
            trial = x.copy()
            at = self.evaluated(trial, fold)
            task = kernel.take_norm(state, at.fnorm, x)
            _, nfev, _, _, fnorm = kernel.outcome(state)
            if last is None or fnorm < last.at.fnorm:
                last = Step(trial, at, 0 if last is None else last.iterations + 1, nfev)
                stopped = watch(last) if watch is not None and np.isfinite(fnorm) else None
                stopped = None if task == DONE else stopped
            if task == JACOBIAN and stopped is None:
                task = kernel.take_triangle(state, at.triangle.copy(), counted, x)
            if task not in (DONE, RESIDUALS, JACOBIAN):
                raise RuntimeError("compiled code refused what had been made ready for it; please report this")
        assert last is not None  # there is a start
        info, nfev, njev, column, fnorm = kernel.outcome(state)
        if stopped is not None:
            x, info = last.x, stopped
        self._refuse_not_finite(info, column, x)
        evaluations = nfev + njev * (of_each - counted)
        fit = Fit(x, info, evaluations, 0 if fold.differences else njev, fnorm, m, options, state)
        return Iterated(fit, last, stopped)

    def _refuse_not_finite(self, info: int, column: int, x: FloatArray) -> None:
        if info == codes.START_NOT_FINITE and is_counts(self.options):
            raise ValueError(
                "the model is no mean of counts at the starting point: not all of its values are positive and finite. "
                "Start where the model is positive; bounds keep it so, such as bounds={'offset': (0, inf)}"
            )
        if info == codes.START_NOT_FINITE:
            raise ValueError(
                f"{self.name}: the residuals at the starting point are not finite, or their squares overflow. Check "
                f"the data and the start; leave out points without a value"
            )
        if info == codes.JACOBIAN_NOT_FINITE:
            raise ValueError(
                f"{self.name}: derivatives by parameter {column - 1} (counted from 0) are not finite at {x}"
            )

    def judge(self, fit: Fit, seen: Survey, absolute: bool, of_gradients: bool) -> Judged:
        """Judge a fit that was solved, and go on where it is far from its minimum."""
        on_bound = self.box is not None and bool(self.box.holds(fit.x).any())
        if not (on_bound or of_gradients or is_robust(fit.options)):
            sizes = (lambda: seen.size), (lambda: seen.spread)
            found = judge_at_once(fit, fit.x.size, self.points, *sizes, self.exact, absolute)
            if found is not None:
                return found
        steps, spent = (None, 0) if self.exact else self._steps(fit, seen)
        fit = fit._replace(nfev=fit.nfev + spent)
        judged, far = self._by_last_derivatives(fit, absolute) or self._afresh(fit, absolute, steps)
        if far and judged.fit.nfev < fit.options.maxfev:
            options = options_further(fit.options, fit.x.size, self.exact, 0.0, spent=judged.fit.nfev)
            further = self.iterated(fit.x, options, both=True, steps=steps).fit
            nfev = judged.fit.nfev + further.nfev
            moved = further._replace(nfev=nfev, info=fit.info, options=fit.options)
            judged, far = self._afresh(moved, absolute, steps)
        if far:
            info = codes.MAXFEV if judged.fit.nfev >= fit.options.maxfev else codes.NOT_AT_MINIMUM
            return judged._replace(fit=judged.fit._replace(info=info))
        return self._with_gradients(judged, absolute, steps) if of_gradients else judged

    def _steps(self, fit: Fit, seen: Survey) -> tuple[FloatArray, int]:
        """Return relative steps that change residuals by what central differences want, and the evaluations they took.

        A step relative to a parameter is too long where that has a large origin: the peak leaves the data.
        """
        n, scale = fit.x.size, fit.fnorm + seen.size
        error = max(fit.options.epsfcn or 0.0, EPS)
        wanted = error ** (1 / 3) * scale
        steps, spent = np.full(n, error ** (1 / 3)), 0
        for _ in range(_MOST_TRIES):
            tried = Differences(of_no_block, "2-point", steps, error, self.box)
            fold = Fold(self.function, self.options, tried)
            triangle = self.evaluated(fit.x, fold, lenient=True).triangle
            spent += 1 + self.evaluations(n, fold)
            change = np.linalg.norm(triangle[:-1], axis=1) * np.abs(tried.steps(fit.x))
            with np.errstate(all="ignore"):
                factor = np.clip(np.where(change > 0, wanted / change, _GROWTH), 1 / _SHRINKAGE, _GROWTH)
            again = (fit.x != 0) & self._is_free(n) & ((factor < 1 / _FAIR) | (factor > _FAIR))
            if not again.any():
                break
            steps = np.where(again, steps * np.where(np.isfinite(factor), factor, 1 / _SHRINKAGE), steps)
        return steps, spent

    def _by_last_derivatives(self, fit: Fit, absolute: bool) -> tuple[Judged, bool] | None:
        """Judge a fit by the last derivatives of the function's own; None where others have to be taken."""
        if not self.exact or is_robust(fit.options):
            return None
        judged, far = self._judged(fit, fit.triangle().T, absolute)
        saturated = bool(np.any(np.sqrt(np.diagonal(judged.pcov)) > SATURATED * np.abs(fit.x)))
        return None if far or judged.unused or judged.combined or saturated else (judged, far)

    def _afresh(self, fit: Fit, absolute: bool, steps: FloatArray | None) -> tuple[Judged, bool]:
        """Judge a fit by derivatives at the solution; return whether it is far, too."""
        fold = self.fold(both=True, steps=steps)
        triangle = self.evaluated(fit.x, fold, OF_CURVATURE, lenient=True).triangle
        if not self.exact or is_robust(fit.options):  # else not counted, as in memory
            fit = fit._replace(nfev=fit.nfev + 1 + self.evaluations(fit.x.size, fold))
        return self._judged(fit, triangle, absolute)

    def _judged(self, fit: Fit, triangle: FloatArray, absolute: bool) -> tuple[Judged, bool]:
        """Judge a fit by a triangle; return whether it is far, too."""
        n = fit.x.size
        free = self._is_free(n)
        rows = np.asarray(np.linalg.qr(triangle.T[:, np.append(free, True)], mode="r"))[: int(free.sum())]
        accuracy = ANALYTIC if self.exact else CENTRAL
        fnorm, points = np.array([fit.fnorm]), np.array([self.points], dtype=np.intc)
        found: Statistics = statistics(rows[None], fnorm, points, accuracy, absolute)
        offset = found.offset[0]
        if self.box is not None:
            held = _pushed(fit.x[free], Bounds(self.box.lower[free], self.box.upper[free]), rows)
            rows = rows.copy()
            rows[:, :-1][:, held] = 0.0
            offset = statistics(rows[None], fnorm, points, accuracy, absolute).offset[0]
        pcov = np.zeros((n, n))
        pcov[np.ix_(free, free)] = found.pcov[0]
        where = np.flatnonzero(free)
        unused, combined = (tuple(where[which[0]].tolist()) for which in (found.unused, found.combined))
        rank = int(found.rank[0])
        judged = Judged(fit, pcov, rank, float(offset), unused, combined)
        return judged, not offset * np.sqrt(max(rank, 1)) <= FAR and not is_tolerant(fit.options)

    def _with_gradients(self, judged: Judged, absolute: bool, steps: FloatArray | None) -> Judged:
        """Return a judgement whose covariance is a sandwich, made of the gradients of single points."""
        fit, fold = judged.fit, self.fold(both=True, steps=steps)
        n = fit.x.size
        triangle = self.evaluated(fit.x, fold, OF_GRADIENTS, lenient=True).triangle[:-1]
        free = self._is_free(n)
        meat = (triangle @ triangle.T)[np.ix_(free, free)]
        variance = 1.0 if absolute else fit.fnorm**2 / max(self.points - judged.rank, 1)
        pcov = judged.pcov.copy()
        inner = pcov[np.ix_(free, free)]
        pcov[np.ix_(free, free)] = sandwich(inner[None], np.array([variance]), meat[None])[0]
        return judged._replace(pcov=pcov, fit=fit._replace(nfev=fit.nfev + 1 + self.evaluations(n, fold)))

    def _is_free(self, n: int) -> Any:
        return np.ones(n, dtype=np.bool_) if self.box is None else self.box.free


def _pushed(x: FloatArray, box: Bounds, rows: FloatArray) -> FloatArray:
    """Return which parameters are on a bound that the gradient pushes them against."""
    gradient = rows[:, :-1].T @ rows[:, -1]
    held: FloatArray = ((x == box.lower) & (gradient > 0)) | ((x == box.upper) & (gradient < 0))
    return held
