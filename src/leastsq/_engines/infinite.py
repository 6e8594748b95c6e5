"""Predictors that are infinite, where a model has no value: the fault of the data, which no other start mends."""

import numpy as np
from numpy.typing import NDArray

from .._input.validate import NO_VALUE
from .._solver import codes
from .._solver.problem import Problem
from .block import Block, as_argument
from .solution import Solutions


def blame_predictors(problem: Problem, block: Block, solutions: Solutions) -> None:
    """Give a status of the data to fits that failed where they start because predictors are infinite."""
    status = solutions.status
    if not np.count_nonzero(status >= codes.START_NOT_FINITE) or all(np.isfinite(x).all() for x in block.x):
        return
    failed = (status == codes.START_NOT_FINITE) | (status == codes.JACOBIAN_NOT_FINITE)
    for fit in np.flatnonzero(failed).tolist():
        weights = block.weights_of(fit)
        counts = np.ones(block.y.shape[1], dtype=bool) if weights is None else weights != 0
        infinite = ~np.isfinite(np.array(np.broadcast_arrays(*block.predictors_of(fit)))).all(axis=0)
        without = _points_without_value(problem, block, fit) & counts
        if without.any() and infinite[without].all():
            solutions.status[fit] = codes.DATA_NOT_USABLE


def _points_without_value(problem: Problem, block: Block, fit: int) -> NDArray[np.bool_]:
    """Return where the model, or a derivative, has no value at the start of a fit."""
    x, p0 = block.predictors_of(fit), block.p0[fit]
    without = np.zeros(block.y.shape[1], dtype=bool)
    for function in (problem.f, problem.jac):
        if function is None:
            continue
        try:
            values = np.asarray(function(as_argument(x), *p0), dtype=np.float64)
        except NO_VALUE:
            continue
        if values.shape[:1] == without.shape:
            without |= ~np.isfinite(values.reshape(len(values), -1)).all(axis=1)
    return without
