"""Derivatives at the solutions of fits with a loss, folded once more as covariances want their rows."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._engines.block import Block
from .._engines.evaluate import Evaluator
from .._engines.fit_compiled import is_compiled, predictors_of_lanes, run_lanes
from .._engines.solution import Solutions
from .._input.validate import FloatArray
from .._solver import codes, kernel
from .._solver.kernel import OF_CURVATURE, OF_GRADIENTS
from .._solver.losses import fold, is_robust, sandwich, scaled_rows, scores
from .._solver.problem import Options, Problem
from .ends import Evaluator as AnyEvaluator
from .free import settle
from .settle import Settler
from .statistics import Statistics

# Numbers of the Jacobians that are held at once.
_NUMBERS_AT_ONCE = 2**20


def judged(problem: Problem, block: Block, solutions: Solutions, interrupt: NDArray[np.intc]) -> Statistics:
    """Judge the fits of a block, and go on with those that are far from their minimum."""
    evaluator, options, exact = Evaluator(problem, block), problem.options, problem.jac is not None
    compiled = exact and is_compiled(problem, block)
    if is_robust(options) and compiled:
        triangles = _folded_in_lanes(problem, block, solutions, OF_CURVATURE, interrupt)
        solved = is_solved(solutions)
        solutions.triangle[solved] = triangles[solved]
    elif is_robust(options) and exact:
        refold(evaluator, solutions, options)
    given = (evaluator, solutions, block.p0, block.points, options, exact, problem.absolute_sigma, interrupt, block.box)
    settled, _ = settle(*given)
    if not problem.sandwich:
        return settled
    if not compiled:
        return as_sandwich(Settler(*given), settled)
    triangles = _folded_in_lanes(problem, block, solutions, OF_GRADIENTS, interrupt)[:, :-1]
    meat = triangles @ np.swapaxes(triangles, 1, 2)
    return with_gradients(settled, solutions, block.points, problem.absolute_sigma, meat)


def is_solved(solutions: Solutions) -> NDArray[np.bool_]:
    """Return which fits have come to an end that statistics are made of."""
    return codes.is_solved(solutions.status)


def as_sandwich(settler: Settler, settled: Statistics) -> Statistics:
    """Return statistics whose covariances are sandwiches, which hold whatever the distribution of the data."""
    meat = squared_gradients(settler)
    return with_gradients(settled, settler.solutions, settler.points, settler.absolute, meat)


def with_gradients(
    settled: Statistics, solutions: Solutions, points: NDArray[np.intc], absolute: bool, meat: FloatArray
) -> Statistics:
    """Return statistics with the sandwiches of covariances and sums of squared gradients."""
    variance = np.ones(len(meat))
    if not absolute:  # what covariances were scaled with
        variance = solutions.fnorm**2 / np.maximum(points - settled.rank, 1)
    return settled._replace(pcov=sandwich(settled.pcov, variance, meat))


def _folded_in_lanes(
    problem: Problem, block: Block, solutions: Solutions, purpose: int, interrupt: NDArray[np.intc]
) -> FloatArray:
    """Return triangles of a compiled model at the solutions, as `Solutions` holds them."""
    wanted = is_solved(solutions).astype(np.intc)
    triangles = np.zeros_like(solutions.triangle)
    model: Any = problem.f
    x = predictors_of_lanes(block)

    def fold_all() -> None:
        kernel.refold_models(
            model.numbers,
            x,
            block.y,
            block.weights,
            solutions.popt,
            problem.options,
            purpose,
            wanted,
            interrupt,
            triangles,
            block.bounds,
        )

    run_lanes(fold_all, problem, block, interrupt)
    solutions.nfev[wanted == 1] += 1
    return triangles


def refold(evaluator: AnyEvaluator, solutions: Solutions, options: Options) -> None:
    """Replace the triangles of solved fits, whose derivatives are exact, by those that covariances are made of."""
    for fits in _parts(evaluator, solutions):
        x = solutions.popt[fits]
        f, slopes = evaluator.residuals(fits, x), evaluator.jacobian(fits, x)
        solutions.nfev[fits] += 1
        triangles = fold(scaled_rows(options, f, slopes, evaluator.counts(fits)))
        solutions.triangle[fits] = np.swapaxes(triangles, 1, 2)


def squared_gradients(settler: Settler) -> FloatArray:
    """Return the sums of squared gradients of single points of settled fits, shape (K, N, N)."""
    evaluator, solutions, options = settler.evaluator, settler.solutions, settler.options
    count, n = solutions.popt.shape
    meat = np.zeros((count, n, n))
    for fits in _parts(evaluator, solutions):
        x = solutions.popt[fits]
        f = evaluator.residuals(fits, x)
        solutions.nfev[fits] += 1
        rows = settler.slopes.at(fits, x, f)[0] * scores(options, f, evaluator.counts(fits))[:, :, None]
        rows[~np.isfinite(rows).all(axis=(1, 2))] = 0.0
        meat[fits] = np.swapaxes(rows, 1, 2) @ rows
    return meat


def _parts(evaluator: AnyEvaluator, solutions: Solutions) -> Iterator[NDArray[np.intp]]:
    """Give the fits that were solved, as many at a time as there is room for."""
    solved = np.flatnonzero(is_solved(solutions))
    step = max(1, _NUMBERS_AT_ONCE // max(1, evaluator.m * solutions.popt.shape[1]))
    for first in range(0, len(solved), step):
        yield solved[first : first + step]
