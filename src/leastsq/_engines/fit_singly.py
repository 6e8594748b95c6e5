"""Many fits of any function: one after the other."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._input.validate import NO_VALUE, FloatArray, real_array, with_parameter_axis
from .._models.model import Model
from .._solver import codes
from .._solver.data import Data, residual_function
from .._solver.kernel import TO_FIT
from .._solver.problem import Problem
from .block import Block, as_argument
from .iterate import Names, iterate
from .solution import Solutions, empty_solutions

_NAMES = Names("f", "jac")


def fit_singly(problem: Problem, block: Block, interrupt: NDArray[np.intc]) -> Solutions:
    """Fit a function to the data sets of a block, one at a time.

    One that does for several fits what it does for each gets all points, as it would with others.
    """
    solutions = empty_solutions(block)
    for fit in np.flatnonzero(block.status == TO_FIT).tolist():
        if interrupt[0]:
            break
        fit_one(problem, block, fit, solutions)
    return solutions


def fit_one(problem: Problem, block: Block, fit: int, solutions: Solutions) -> None:
    """Fit a function to one data set of a block."""
    data = _data_of(block, fit, problem.vectorized)
    start = block.p0[fit].copy()
    several = isinstance(data.x, tuple)
    jac = None if isinstance(problem.f, Model) else problem.jac
    residuals = residual_function(_on_copies(problem.f, several), data)
    jacobian = None if jac is None else _weighted_jacobian(_on_copies(jac, several), data)
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
    return Data(as_argument(x), y, weights)


def _weighted_jacobian(jac: Callable[..., Any], data: Data) -> Callable[[FloatArray], Any]:
    def weighted(parameters: FloatArray) -> Any:
        shape = (data.y.size, parameters.size)
        slopes = with_parameter_axis(real_array(jac(data.x, *parameters), "jac"), shape)
        slopes = np.broadcast_to(slopes, shape) if slopes.ndim < 2 else slopes
        return data.whiten_jacobian(slopes, False)

    return weighted


def _on_copies(f: Callable[..., Any], several: bool) -> Callable[..., Any]:
    """Return a function that gets a copy of the predictor, or of several, which it may change."""
    if isinstance(f, Model):
        return f
    if several:
        return lambda x, *parameters: f(as_argument(x), *parameters)
    return lambda x, *parameters: f(x.copy(), *parameters)
