"""Many fits of a NumPy function that broadcasts: one call evaluates it for all fits under way."""

import math

import numpy as np
from numpy.typing import NDArray

from .._input.bounds import Bounds, steps_inside
from .._input.validate import FloatArray
from .._solver.kernel import TO_FIT
from .._solver.losses import as_squares
from .._solver.norms import EPS
from .._solver.problem import Problem
from .block import Block
from .evaluate import POINTS_AT_ONCE, Evaluator
from .slots import Slots, Values, run_slots
from .solution import Solutions, empty_solutions


def fit_vectorized(problem: Problem, block: Block, interrupt: NDArray[np.intc]) -> Solutions:
    """Fit a function that broadcasts to the data sets of a block."""
    solutions = empty_solutions(block)
    evaluator = Evaluator(problem, block)

    def slopes_of(
        fits: NDArray[np.intp], points: FloatArray, values: FloatArray
    ) -> tuple[FloatArray, FloatArray | None]:
        if problem.jac is not None:
            return evaluator.slopes(fits, points), None
        box = block.box_of(fits)
        steps = difference_steps(points, problem.options.epsfcn, box)
        return _shifted_values(evaluator.values, fits, points, steps, box, values), steps

    queue = np.flatnonzero(block.status == TO_FIT)
    slots = Slots(queue, block.y, block.weights, block.p0, problem.options, block.box)
    run_slots(slots, evaluator.values, slopes_of, solutions, interrupt)
    return solutions


def fit_own_rows(problem: Problem, block: Block, interrupt: NDArray[np.intc]) -> Solutions:
    """Fit a function whose rows the compiled code does not make: with a loss of the user's, or one fit at a time."""
    solutions = empty_solutions(block)
    evaluator, options = Evaluator(problem, block), problem.options
    own = options.rho is not None

    def values_of(fits: NDArray[np.intp], points: FloatArray) -> FloatArray:
        f = evaluator.residuals(fits, points)
        return as_squares(options, f)[0] if own else f

    def slopes_of(
        fits: NDArray[np.intp], points: FloatArray, values: FloatArray
    ) -> tuple[FloatArray, FloatArray | None]:
        if problem.jac is None:
            box = block.box_of(fits)
            steps = difference_steps(points, options.epsfcn, box)
            return _shifted_values(values_of, fits, points, steps, box, values), steps
        slopes = evaluator.jacobian(fits, points)
        if own:
            slopes = slopes * as_squares(options, evaluator.residuals(fits, points))[1][:, :, None]
        return np.ascontiguousarray(slopes), None

    # Of a loss of the user's, values are residuals; of counts they have their weights already.
    y = np.zeros_like(block.y) if own else block.y
    queue = np.flatnonzero(block.status == TO_FIT)
    slots = Slots(queue, y, np.empty((0, y.shape[1])), block.p0, options, block.box)
    run_slots(slots, values_of, slopes_of, solutions, interrupt)
    return solutions


def difference_steps(points: FloatArray, epsfcn: float | None, box: Bounds | None) -> FloatArray:
    """Return the steps of forward differences: relative to each parameter, absolute at zero, and inside of bounds."""
    relative = math.sqrt(max(epsfcn or 0.0, EPS))
    steps: FloatArray = relative * np.abs(points)
    steps[steps == 0] = relative
    return steps if box is None else steps_inside(steps, points - box.lower, box.upper - points)


def _shifted_values(
    values_of: Values,
    fits: NDArray[np.intp],
    points: FloatArray,
    steps: FloatArray,
    box: Bounds | None,
    values: FloatArray,
) -> FloatArray:
    """Evaluate a function a step further in each parameter that is not fixed, shape (N, rows, M)."""
    n, m = points.shape[1], values.shape[1]
    shifted = np.empty((n, *values.shape))
    if not steps.all():
        shifted[...] = values
    parameters, rows = steps.T.nonzero()
    size = max(1, POINTS_AT_ONCE // max(m, 1))
    for first in range(0, len(rows), size):
        j, row = parameters[first : first + size], rows[first : first + size]
        moved = points[row]
        moved[np.arange(len(row)), j] += steps[row, j]
        if box is not None:
            moved = np.clip(moved, box.lower[row], box.upper[row])
        shifted[j, row] = values_of(fits[row], moved)
    return shifted
