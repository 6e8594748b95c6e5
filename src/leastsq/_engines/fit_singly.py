"""Many fits of any function: one after the other."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._input.validate import NO_VALUE, FloatArray, real_array, with_parameter_axis
from .._models.model import Model
from .._solver import codes, kernel
from .._solver.data import Data, residual_function
from .._solver.kernel import TO_FIT
from .._solver.problem import Problem
from .block import Block
from .iterate import Names, iterate
from .solution import Solutions, empty_solutions

_NAMES = Names("f", "jac")


def fit_singly(problem: Problem, block: Block, interrupt: NDArray[np.intc]) -> Solutions:
    """Fit a function to the data sets of a block, one at a time.

    One that does for several fits what it does for each gets all points, as it would with others.
    """
    solutions = empty_solutions(block)
    for fit in (block.status == TO_FIT).nonzero()[0].tolist():
        if interrupt[0]:
            break
        fit_one(problem, block, fit, solutions)
    return solutions


def fit_one(problem: Problem, block: Block, fit: int, solutions: Solutions) -> None:
    """Fit a function to one data set of a block."""
    data = _data_of(block, fit, problem.vectorized)
    start = block.p0[fit].copy()
    compiled = isinstance(problem.f, Model)
    jac = None if compiled else problem.jac
    # Functions of the user's get predictors that they may change.
    residuals = residual_function(problem.f, data, not compiled)
    jacobian = None if jac is None else _weighted_jacobian(jac, data)
    try:
        one = iterate(
            residuals,
            start,
            (),
            jacobian,
            False,
            problem.options,
            None,
            _NAMES,
            must_be_finite=False,
            bounds=block.box_of(fit),
        )
    except NO_VALUE:
        if problem.vectorized:
            raise
        solutions.status[fit] = codes.MODEL_RAISED
        return
    solutions.store(fit, one)


def _data_of(block: Block, fit: int, whole: bool) -> Data:
    """Return one data set, without its missing points unless it is to be whole."""
    x, y, weights = block.predictors_of(fit), block.y[fit], block.weights_of(fit)
    if weights is not None and not whole and not weights.all():
        keep = weights != 0
        x, y, weights = tuple(predictor[keep] for predictor in x), y[keep], weights[keep]
    return Data(x[0] if len(x) == 1 else x, y, weights)


def _weighted_jacobian(jac: Callable[..., Any], data: Data) -> Callable[[FloatArray], Any]:
    derivatives = kernel.with_data(jac, data.x, True)

    def weighted(parameters: FloatArray) -> Any:
        shape = (data.y.size, parameters.size)
        slopes = with_parameter_axis(real_array(derivatives(parameters), "jac"), shape)
        slopes = np.broadcast_to(slopes, shape) if slopes.ndim < 2 else slopes
        return data.whiten_jacobian(slopes, False)

    return weighted
