"""Many fits of any function: one after the other."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import _status
from ._block import Block, as_argument
from ._covariance import estimate, norm, steps_are_good_in
from ._data import Data, residual_function
from ._iterate import Names, iterate
from ._kernel import TO_FIT
from ._model import Model
from ._problem import Problem
from ._solution import Solutions, empty_solutions
from ._validate import NO_VALUE, FloatArray, real_array, with_parameter_axis

_NAMES = Names("f", "jac")


def fit_singly(problem: Problem, block: Block, interrupt: NDArray[np.intc]) -> Solutions:
    """Fit a function to the data sets of a block, one at a time."""
    solutions = empty_solutions(block)
    for fit in np.flatnonzero(block.status == TO_FIT).tolist():
        if interrupt[0]:
            break
        fit_one(problem, block, fit, solutions)
    return solutions


def fit_one(problem: Problem, block: Block, fit: int, solutions: Solutions) -> None:
    """Fit a function to one data set of a block. Points without weight are left out."""
    data = _data_of(block, fit)
    start = block.p0[fit].copy()
    several = isinstance(data.x, tuple)
    jac = None if isinstance(problem.f, Model) else problem.jac
    residuals = residual_function(_on_copies(problem.f, several), data)
    jacobian = None if jac is None else _weighted_jacobian(_on_copies(jac, several), data)
    try:
        one = iterate(residuals, start, (), jacobian, False, problem.options, None, _NAMES, must_be_finite=False)
    except NO_VALUE:
        solutions.status[fit] = _status.MODEL_RAISED
        return
    solutions.store(fit, one)
    if one.info in _status.SOLVED:
        sizes = None
        if jac is None:
            sizes = (norm(data.whiten(data.y)), norm(data.whiten(data.y - data.y[0])))
        covariance = estimate(one, residuals, sizes, data.y.size, problem.absolute_sigma)
        solutions.covariance[fit] = covariance.matrix
        solutions.nfev[fit] += covariance.evaluations


def remake_poor_steps(problem: Problem, block: Block, interrupt: NDArray[np.intc], solutions: Solutions) -> None:
    """Make those fits again, by themselves, whose covariance needs other difference steps than they took."""
    for fit in _poor_steps(block, solutions, problem.options.epsfcn or 0.0).tolist():
        if interrupt[0]:
            break
        fit_one(problem, block, fit, solutions)


def _poor_steps(block: Block, solutions: Solutions, relative_error: float) -> NDArray[np.intp]:
    """Return the fits whose covariance needs other difference steps than they took."""
    solved = np.flatnonzero((solutions.status >= 1) & (solutions.status <= _status.GTOL))
    triangle, y = solutions.triangle[solved, :-1], block.y[solved]
    norms = np.sqrt(np.einsum("kji,kji->kj", triangle, triangle))
    ratio = np.nan_to_num(np.min(np.abs(np.einsum("kjj->kj", triangle)) / norms, axis=1))
    weights = block.weights[solved] if len(block.weights) > 1 else block.weights
    first = y[:, 0]
    if len(weights):
        first = np.take_along_axis(y, np.argmax(np.broadcast_to(weights, y.shape) != 0, axis=1)[:, None], 1)[:, 0]
    size, spread = (_norms_of(values, weights) for values in (y, y - first[:, None]))
    fnorm = solutions.fnorm[solved]
    return solved[~steps_are_good_in(solutions.popt[solved], norms, fnorm, (size, spread), ratio, relative_error)]


def _norms_of(values: FloatArray, weights: FloatArray) -> FloatArray:
    weighted = np.where(weights == 0, 0.0, values * weights) if len(weights) else values
    norms: FloatArray = np.sqrt(np.einsum("km,km->k", weighted, weighted))
    return norms


def _data_of(block: Block, fit: int) -> Data:
    """Return one data set without its missing points."""
    x, y, weights = block.predictors_of(fit), block.y[fit], block.weights_of(fit)
    if weights is not None and not weights.all():
        keep = weights != 0
        x, y, weights = tuple(predictor[keep] for predictor in x), y[keep], weights[keep]
    return Data(as_argument(x), y, weights)


def _weighted_jacobian(jac: Callable[..., Any], data: Data) -> Callable[[FloatArray], Any]:
    def weighted(parameters: FloatArray) -> Any:
        shape = (data.y.size, parameters.size)
        slopes = with_parameter_axis(real_array(jac(data.x, *parameters), "jac"), shape)
        slopes = np.broadcast_to(slopes, shape) if slopes.ndim < 2 else slopes
        return slopes if data.weights is None else slopes * data.weights[:, None]

    return weighted


def _on_copies(f: Callable[..., Any], several: bool) -> Callable[..., Any]:
    """Return a function that gets a copy of the predictor, or of several, which it may change."""
    if isinstance(f, Model):
        return f
    if several:
        return lambda x, *parameters: f(as_argument(x), *parameters)
    return lambda x, *parameters: f(x.copy(), *parameters)
