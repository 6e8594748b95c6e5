"""Derivatives at the solutions of fits with a loss, folded once more as covariances want their rows."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from . import _status
from ._block import Block
from ._evaluate import Evaluator
from ._free import settle
from ._losses import fold, is_robust, sandwich, scaled_rows, scores
from ._problem import Options, Problem
from ._settle import Evaluator as AnyEvaluator
from ._settle import Settler
from ._solution import Solutions
from ._statistics import Statistics
from ._validate import FloatArray

# Numbers of the Jacobians that are held at once.
_NUMBERS_AT_ONCE = 2**20


def judged(problem: Problem, block: Block, solutions: Solutions, interrupt: NDArray[np.intc]) -> Statistics:
    """Judge the fits of a block, and go on with those that are far from their minimum."""
    evaluator, options, exact = Evaluator(problem, block), problem.options, problem.jac is not None
    if is_robust(options) and exact:
        refold(evaluator, solutions, options)
    box = block.box_of(np.arange(len(block.y)))
    given = (evaluator, solutions, block.p0, block.points, options, exact, problem.absolute_sigma, interrupt, box)
    settled, _ = settle(*given)
    return settled._replace(pcov=as_sandwich(Settler(*given), settled)) if problem.sandwich else settled


def refold(evaluator: AnyEvaluator, solutions: Solutions, options: Options) -> None:
    """Replace the triangles of solved fits, whose derivatives are exact, by those that covariances are made of."""
    for fits in _parts(evaluator, solutions):
        x = solutions.popt[fits]
        f, slopes = evaluator.residuals(fits, x), evaluator.jacobian(fits, x)
        solutions.nfev[fits] += 1
        triangles = fold(scaled_rows(options, f, slopes, evaluator.counts(fits)))
        solutions.triangle[fits] = np.swapaxes(triangles, 1, 2)


def as_sandwich(settler: Settler, settled: Statistics) -> FloatArray:
    """Return the covariances of settled fits as sandwiches, which hold whatever the distribution of the data."""
    evaluator, solutions, options = settler.evaluator, settler.solutions, settler.options
    meat = np.zeros_like(settled.pcov)
    for fits in _parts(evaluator, solutions):
        x = solutions.popt[fits]
        f = evaluator.residuals(fits, x)
        solutions.nfev[fits] += 1
        rows = settler.slopes(fits, x, f)[0] * scores(options, f, evaluator.counts(fits))[:, :, None]
        rows[~np.isfinite(rows).all(axis=(1, 2))] = 0.0
        meat[fits] = np.swapaxes(rows, 1, 2) @ rows
    variance = np.ones(len(meat))
    if not settler.absolute:
        variance = solutions.fnorm**2 / np.maximum(settler.points - settled.rank, 1)
    return sandwich(settled.pcov, variance, meat)


def _parts(evaluator: AnyEvaluator, solutions: Solutions) -> Iterator[NDArray[np.intp]]:
    """Give the fits that were solved, as many at a time as there is room for."""
    solved = np.flatnonzero((solutions.status >= 1) & (solutions.status <= _status.GTOL))
    step = max(1, _NUMBERS_AT_ONCE // max(1, evaluator.m * solutions.popt.shape[1]))
    for first in range(0, len(solved), step):
        yield solved[first : first + step]
