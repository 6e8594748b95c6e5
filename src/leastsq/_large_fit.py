"""`curve_fit` of data of any size: the iteration sees triangles, and so does what judges the fit."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from . import _kernel, _status
from ._bounds import Bounds, steps_inside
from ._curve_fit_options import Keywords
from ._data import Data
from ._ends import FAR, is_tolerant
from ._iterate import Fit
from ._judge import Judged, judge_at_once
from ._kernel import DONE, FOLDED_BY_CALLER, JACOBIAN, RESIDUALS
from ._large import Folded, Function, Source, Steps, Survey, survey, together, try_in_blocks
from ._model import Model
from ._problem import Options
from ._single_start import Beginning
from ._statistics import ANALYTIC, CENTRAL, Statistics, statistics
from ._validate import MOST_RESIDUALS, FloatArray

_EPS = float(np.finfo(np.float64).eps)
# Steps that a fit may take further, for each parameter and one.
_MOST_FURTHER = 40


@dataclass(frozen=True)
class LargeFit:
    """A function, the data in blocks, and where and how to fit."""

    function: Function
    source: Source
    begin: Beginning
    options: Options
    seen: Survey

    @property
    def exact(self) -> bool:
        """Whether the function has derivatives of its own."""
        return self.function.jac is not None

    def steps(self, p: FloatArray, both: bool) -> Steps:
        """Return difference steps as the iteration has them, or longer ones to both sides where bounds leave room."""
        if self.exact:
            return Steps(np.zeros(p.size), False)
        relative = max(self.options.epsfcn or 0.0, _EPS) ** (1 / 3 if both else 1 / 2)
        forward = relative * np.abs(p)
        forward[forward == 0] = relative
        box = self.begin.box
        if box is None:
            return Steps(forward, both)
        free = box.lower != box.upper
        narrow = (forward > p - box.lower) | (forward > box.upper - p)
        inside = np.where(free, steps_inside(forward, p - box.lower, box.upper - p), 0.0)
        return Steps(inside, both and not narrow[free].any())

    def evaluated(self, p: FloatArray, both: bool = False) -> tuple[Folded, int]:
        """Return the fold of all data at a point, and how many evaluations its derivatives took."""
        steps = self.steps(p, both)
        found: Folded = self.source.reduced(partial(self.function.fold, p.copy(), steps), together)
        return found, int(np.count_nonzero(steps.forward)) * (2 if steps.both else 1)

    def iterated(self, start: FloatArray, options: Options, both: bool = False) -> Fit:
        """Minimise the sum of squares."""
        m = min(self.seen.points, MOST_RESIDUALS)
        state = _kernel.begin(m, start, FOLDED_BY_CALLER, options, bounds=self.begin.box)
        x, task = start.copy(), RESIDUALS
        while task != DONE:
            at, evaluations = self.evaluated(x, both)
            task = _kernel.take_norm(state, at.fnorm, x)
            if task == JACOBIAN:
                task = _kernel.take_triangle(state, at.triangle.copy(), evaluations, x)
            if task not in (DONE, RESIDUALS):
                raise RuntimeError("compiled code refused what had been made ready for it; please report this")
        info, nfev, njev, column, fnorm = _kernel.outcome(state)
        if info == _status.START_NOT_FINITE:
            raise ValueError(
                "f: the residuals at the starting point are not finite, or their squares overflow. Check the data and "
                "the start; leave out points without a value"
            )
        if info == _status.JACOBIAN_NOT_FINITE:
            raise ValueError(f"f: derivatives by parameter {column - 1} (counted from 0) are not finite at {x}")
        return Fit(x, info, nfev, njev if self.exact else 0, fnorm, m, options, state)

    def judge(self, fit: Fit, absolute: bool, sandwich: bool = False) -> Judged:
        """Judge a fit that was solved, and go on where it is far from its minimum."""
        box = self.begin.box
        if box is None or not ((fit.x == box.lower) | (fit.x == box.upper)).any():
            seen = self.seen
            found = judge_at_once(fit, seen.points, lambda: seen.size, lambda: seen.spread, self.exact, absolute)
            if found is not None:
                return found
        judged, far = self._afresh(fit, absolute)
        if not far:
            return judged
        most = min(fit.options.maxfev, _MOST_FURTHER * (fit.x.size + 1))
        options = fit.options._replace(ftol=0.0, xtol=0.0, gtol=0.0, maxfev=most)
        further = self.iterated(fit.x, options, both=True)
        nfev = judged.fit.nfev + further.nfev
        moved = further._replace(nfev=nfev, info=fit.info, options=fit.options)
        judged, far = self._afresh(moved, absolute)
        info = _status.MAXFEV if judged.fit.nfev >= fit.options.maxfev else _status.NOT_AT_MINIMUM
        return judged._replace(fit=judged.fit._replace(info=info)) if far else judged

    def _afresh(self, fit: Fit, absolute: bool) -> tuple[Judged, bool]:
        """Judge a fit by its last exact derivatives, or differences at the solution; return whether it is far, too."""
        if self.exact:
            at, evaluations = Folded(fit.fnorm, np.ascontiguousarray(fit.triangle().T)), -1
        else:
            at, evaluations = self.evaluated(fit.x, both=True)
        n, box = fit.x.size, self.begin.box
        free = np.ones(n, dtype=np.bool_) if box is None else box.lower != box.upper
        rows = np.asarray(np.linalg.qr(at.triangle.T[:, np.append(free, True)], mode="r"))[: int(free.sum())]
        accuracy = ANALYTIC if self.exact else CENTRAL
        fnorm, points = np.array([at.fnorm]), np.array([self.seen.points], dtype=np.intc)
        found: Statistics = statistics(rows[None], fnorm, points, accuracy, absolute)
        offset = found.offset[0]
        if box is not None:
            held = _pushed(fit.x[free], Bounds(box.lower[free], box.upper[free]), rows)
            rows = rows.copy()
            rows[:, :-1][:, held] = 0.0
            offset = statistics(rows[None], fnorm, points, accuracy, absolute).offset[0]
        pcov = np.zeros((n, n))
        pcov[np.ix_(free, free)] = found.pcov[0]
        where = np.flatnonzero(free)
        unused, combined = (tuple(where[which[0]].tolist()) for which in (found.unused, found.combined))
        rank = int(found.rank[0])
        judged = Judged(fit._replace(nfev=fit.nfev + 1 + evaluations), pcov, rank, float(offset), unused, combined)
        return judged, not offset * np.sqrt(max(rank, 1)) <= FAR and not is_tolerant(fit.options)


def _pushed(x: FloatArray, box: Bounds, rows: FloatArray) -> FloatArray:
    """Return which parameters are on a bound that the gradient pushes them against."""
    gradient = rows[:, :-1].T @ rows[:, -1]
    held: FloatArray = ((x == box.lower) & (gradient > 0)) | ((x == box.upper) & (gradient < 0))
    return held


def large_fit(
    f: Callable[..., Any],
    jac: Any,
    source: Source,
    begin: Beginning,
    keywords: Keywords,
) -> LargeFit:
    """Return a fit that is ready to be made, once the function has been tried on two blocks of points."""
    if keywords.scheme is not None or keywords.col_deriv or keywords.notify is not None:
        raise TypeError(
            "data that may not fit into memory: jac must be callable, M by N, or None; diff_step, col_deriv and "
            "callback are not for them. Read the data into memory to use those: np.array(ydata)"
        )
    linear = isinstance(keywords.loss, str) and keywords.loss == "linear"
    if not linear or keywords.covariance != "curvature":
        raise TypeError(
            f"data that may not fit into memory are fitted by least squares, got loss={keywords.loss!r} and "
            f"covariance={keywords.covariance!r}. Read the data into memory to use those: np.array(ydata)"
        )
    own = f.jac if isinstance(f, Model) and jac is None else jac
    function = Function(f, own)
    options = keywords.options(begin.start.size, own is not None, None)
    error = try_in_blocks(function, source, begin.start)
    if options.epsfcn is None and error:
        options = options._replace(epsfcn=error)
    seen = survey(source)
    if begin.free > seen.points:
        raise TypeError(
            f"The number of func parameters={begin.free} must not exceed the number of data points={seen.points}: "
            f"give more data, or fix some of the parameters"
        )
    return LargeFit(function, source, begin, options, seen)


def sampled(source: Source) -> Data:
    """Return points from all over the data, for models to guess from where to start."""
    x, y, _ = source.sample(2**12)
    return Data(x, y, None)


def information_of(fit: Fit, judged: Judged, exact: bool) -> dict[str, Any]:
    """Return the dictionary that tells how a fit went, without what is as long as the data."""
    at = _kernel.triangle_of(fit.state, fit.x.size)
    found = {"nfev": fit.nfev, "ipvt": at.pivots, "qtf": fit.state[at.qtf : at.qtf + fit.x.size]}
    found |= {"chisq": fit.fnorm**2, "offset": judged.offset}
    return found | ({"njev": fit.njev} if exact else {})
