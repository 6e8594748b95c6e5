"""The task of many fits: what is done with a piece, wherever that happens, and how the results come together."""

import itertools
import math
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .._engines.block import Block, Ready, prepare_block
from .._engines.broadcasting import try_function
from .._engines.fit_compiled import fit_compiled
from .._engines.fit_singly import fit_singly
from .._engines.fit_vectorized import fit_own_rows, fit_vectorized
from .._engines.infinite import blame_predictors
from .._engines.solution import Fitted, Solutions, empty_solutions
from .._input.groups import GroupedSets
from .._input.parameters import Start
from .._input.pieces import DataSets, Piece
from .._models.model import Model
from .._results.result import ManyFits
from .._solver import codes
from .._solver.interruptible import OVER
from .._solver.kernel import TO_FIT
from .._solver.losses import is_counts
from .._solver.problem import Problem
from .._solver.record import empty_arrays
from .._verdict.refold import judged
from .._verdict.statistics import Statistics
from .fixed import Others
from .time_limit import mark_unfinished, not_begun, watching
from .workers import Progress, Workers, reporter, run

Sets: TypeAlias = DataSets | GroupedSets

# Up to so many fits, calls of a function for each take less time than what keeps fits side by side.
_FEW = 4


@dataclass(eq=False, slots=True)
class Call:
    """What is to be done, once checked, with whatever data sets."""

    problem: Problem
    nan_policy: str
    begin: Start
    workers: Workers
    errors: str
    time_limit: float = math.inf
    # Where some parameters are fixed to one value, what is fitted in the place of the problem.
    others: Others | None = None

    def fit(self, sets: Sets, progress: Progress = False) -> ManyFits:
        """Fit the data sets."""
        end = time.time() + self.time_limit
        # Nobody interrupts the fits of the only thread but signals, which single fits look at.
        alone = self.workers == 1 and self.time_limit == math.inf
        few = alone and sets.fits <= _FEW and self.problem.options.loss == 0
        task = _Task(self.problem, self.nan_policy, self.begin, np.zeros(1, dtype=np.intc), end, few, self.others)
        return _collect(task, _tried(task, sets.pieces()), sets, self.workers, progress, self.errors)


@dataclass(eq=False, slots=True)
class _Task:
    """What to do with a piece, wherever that happens."""

    problem: Problem
    nan_policy: str
    begin: Start
    interrupt: NDArray[np.intc]
    # The time of day that fits are to leave off at, if they have not ended.
    end: float = math.inf
    # Whether fits that could be made side by side are so few that one after the other is quicker.
    few: bool = False
    others: Others | None = None

    def __call__(self, piece: Piece | Ready) -> Fitted:
        """Fit the data sets of a piece."""
        try:
            with np.errstate(all="ignore"), watching(self.end, self.interrupt) as in_time:
                if in_time:  # what has no value has a status
                    return self._fitted(piece)
                return not_begun(piece.start, piece.fits, self.problem.n, self.problem.covariances)
        except StopIteration as stop:
            raise _Stopped(*stop.args) from stop

    def _fitted(self, piece: Piece | Ready) -> Fitted:
        block = piece.block if isinstance(piece, Ready) else self.block(piece)
        if self.others is None:
            return self._record(piece.start, block, *self._settled(self.problem, block))
        settled = self._settled(self.others.problem, self.others.block(block))
        return self._record(piece.start, block, *self.others.whole(block, *settled))

    def _settled(self, problem: Problem, block: Block) -> tuple[Solutions, Statistics]:
        """Fit and judge the data sets of a block."""
        if not np.count_nonzero(block.status == TO_FIT):
            solutions = empty_solutions(block)
        elif isinstance(problem.f, Model) and problem.options.rho is None:
            solutions = fit_compiled(problem, block, self.interrupt)
        elif problem.options.rho is not None or (is_counts(problem.options) and not problem.vectorized):
            solutions = fit_own_rows(problem, block, self.interrupt)
        elif problem.vectorized and not self.few:
            solutions = fit_vectorized(problem, block, self.interrupt)
        else:
            solutions = fit_singly(problem, block, self.interrupt)
        blame_predictors(problem, block, solutions)
        return solutions, judged(problem, block, solutions, self.interrupt)

    def _record(self, start: int, block: Block, solutions: Solutions, settled: Statistics) -> Fitted:
        """Give the records of fits."""
        if self.interrupt[0] == OVER:
            mark_unfinished(solutions)
        popt, box = solutions.popt, block.box
        failed = (solutions.status > codes.GTOL).nonzero()[0]
        if failed.size:
            popt[failed[np.isin(solutions.status[failed], codes.NOT_FITTED)]] = np.nan
        arrays: dict[str, Any] = {
            "popt": popt,
            "chisq": np.square(solutions.fnorm),
            "dof": block.points - settled.rank,
            "nfev": solutions.nfev,
            "status": solutions.status.astype(np.int8),
            "offset": settled.offset,
            "active_mask": np.zeros(popt.shape, np.int8) if box is None else box.active(popt, np.int8),
        }
        if self.problem.covariances:
            arrays["pcov"] = settled.pcov
        else:
            arrays["errors"] = np.sqrt(np.diagonal(settled.pcov, axis1=1, axis2=2))
        return Fitted(start, arrays)

    def block(self, piece: Piece) -> Block:
        """Make the data sets of a piece ready."""
        counts = is_counts(self.problem.options)
        return prepare_block(piece, self.nan_policy, self.begin, not self.problem.vectorized, counts)


def _tried(task: _Task, pieces: Iterator[Piece]) -> Iterable[Piece | Ready]:
    """Try the function on the first data sets that can be fitted, tell the task how exact it is, give all pieces."""
    problem = task.problem
    if isinstance(problem.f, Model):
        return pieces
    ready = []
    with np.errstate(all="ignore"):
        for piece in pieces:
            block = task.block(piece)
            ready.append(Ready(piece.start, block))
            if np.count_nonzero(block.status == TO_FIT):
                break
        else:
            return ready
        error = try_function(problem.f, problem.jac, block, problem.vectorized)
    if problem.options.epsfcn is None:
        task.problem = replace(problem, options=problem.options._replace(epsfcn=error))
    return itertools.chain(ready, pieces)


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


class _Stopped(RuntimeError):
    """The function raised StopIteration, which would pass for the end of what loops over the pieces."""


def _collect(
    task: _Task, pieces: Iterable[Piece | Ready], sets: Sets, workers: Workers, progress: Progress, errors: str
) -> ManyFits:
    """Run the task on all pieces and put the results together."""
    fits = sets.fits
    arrays: dict[str, NDArray[Any]] = {}
    done = failed = 0
    begun: set[int] = set()
    report, end = reporter(progress, fits)
    try:
        for part in run(task, pieces, workers, task.interrupt):
            _refuse_other_part(part, begun)
            where = sets.where(part.start, part.fits)
            if part.fits == fits and isinstance(where, slice):
                arrays = part.arrays
            else:
                arrays = arrays or empty_arrays((fits,), task.problem.n, task.problem.covariances)
                for name, array in arrays.items():
                    array[where] = part.arrays[name]
            done += part.fits
            if progress or errors == "raise":
                failed += int(np.count_nonzero(~codes.is_solved(part.arrays["status"])))
            report(done, fits, failed)
    except _Stopped as stopped:
        raise StopIteration(*stopped.args) from stopped
    finally:
        end()
    if done != fits:
        raise RuntimeError(f"workers returned results of {done} of {fits} fits; expected those of all pieces")
    lead = sets.lead
    arrays = arrays or empty_arrays((fits,), task.problem.n, task.problem.covariances)
    if len(lead) != 1:
        arrays = {name: array.reshape((*lead, *array.shape[1:])) for name, array in arrays.items()}
    found: dict[str, Any] = {"pcov": None, **arrays}
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
