"""Many fits of a NumPy function that broadcasts: one call evaluates it for all fits under way."""

import math

import numpy as np
from numpy.typing import NDArray

from ._block import Block
from ._evaluate import Evaluator
from ._kernel import TO_FIT
from ._problem import Problem
from ._slots import Slots, run_slots
from ._solution import Solutions, empty_solutions
from ._validate import FloatArray


def fit_vectorized(problem: Problem, block: Block, interrupt: NDArray[np.intc]) -> Solutions:
    """Fit a function that broadcasts to the data sets of a block."""
    solutions = empty_solutions(block)
    evaluator = Evaluator(problem, block)

    def slopes_of(
        fits: NDArray[np.intp], points: FloatArray, values: FloatArray
    ) -> tuple[FloatArray, FloatArray | None]:
        if problem.jac is not None:
            return evaluator.slopes(fits, points), None
        steps = difference_steps(points, problem.options.epsfcn)
        return _shifted_values(evaluator, fits, points, steps, values.shape[1]), steps

    slots = Slots(np.flatnonzero(block.status == TO_FIT), block.y, block.weights, block.p0, problem.options)
    run_slots(slots, evaluator.values, slopes_of, solutions, interrupt)
    return solutions


def difference_steps(points: FloatArray, epsfcn: float | None) -> FloatArray:
    """Return the steps of forward differences: relative to each parameter, absolute at zero."""
    relative = math.sqrt(max(epsfcn or 0.0, float(np.finfo(np.float64).eps)))
    steps: FloatArray = relative * np.abs(points)
    steps[steps == 0] = relative
    return steps


def _shifted_values(
    evaluator: Evaluator, fits: NDArray[np.intp], points: FloatArray, steps: FloatArray, m: int
) -> FloatArray:
    """Evaluate a function a step further in each parameter, shape (N, rows, M)."""
    shifted = np.empty((points.shape[1], len(points), m))
    for j in range(len(shifted)):
        moved = points.copy()
        moved[:, j] += steps[:, j]
        shifted[j] = evaluator.values(fits, moved)
    return shifted
