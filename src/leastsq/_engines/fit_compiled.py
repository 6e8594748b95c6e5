"""Many fits of a model that the compiled code evaluates: one call fits a block of data sets, in groups in lockstep."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from .._input.validate import FloatArray
from .._models.model import Model
from .._models.native import NativeModel
from .._solver import kernel
from .._solver.interruptible import interruptibly
from .._solver.kernel import TO_FIT
from .._solver.problem import Problem
from .block import Block
from .iterate import iterate_model
from .solution import Solutions, empty_solutions

# From this many points on, a fit is long enough to be made by itself, and to look for an interruption at each step.
_LARGE = 2**16
# Up to so many evaluations at a point, even fits none of which ends by itself are over before anybody notices.
_SHORT = 2**28


def fit_compiled(problem: Problem, block: Block, interrupt: NDArray[np.intc]) -> Solutions:
    """Fit a model to the data sets of a block."""
    solutions = empty_solutions(block)
    model = problem.f
    if not isinstance(model, Model):
        raise TypeError(f"expected a model that the compiled code evaluates, got {model!r}")
    if block.y.shape[1] > _LARGE:
        _fit_large(model, problem, block, interrupt, solutions)
    else:
        _fit_groups(model, problem, block, interrupt, solutions)
    return solutions


def _fit_large(model: Model, problem: Problem, block: Block, interrupt: NDArray[np.intc], solutions: Solutions) -> None:
    for fit in np.flatnonzero(block.status == TO_FIT).tolist():
        if interrupt[0]:
            return
        x = np.array(np.broadcast_arrays(*block.predictors_of(fit)))
        weights, start = block.weights_of(fit), block.p0[fit].copy()
        one = iterate_model(
            model,
            x,
            block.y[fit],
            weights,
            start,
            problem.options,
            must_be_finite=False,
            interrupt=interrupt,
            bounds=block.box_of(fit),
        )
        solutions.store(fit, one)


def _fit_groups(
    model: Model, problem: Problem, block: Block, interrupt: NDArray[np.intc], solutions: Solutions
) -> None:
    x = predictors_of_lanes(block)

    def fit() -> None:
        kernel.fit_models(
            model.numbers,
            x,
            block.y,
            block.weights,
            block.p0,
            problem.options,
            interrupt,
            solutions.popt,
            solutions.triangle,
            solutions.fnorm,
            solutions.nfev,
            solutions.status,
            bounds=block.bounds,
        )

    run_lanes(fit, problem, block, interrupt)


def is_compiled(problem: Problem, block: Block) -> bool:
    """Return whether all fits of a block are in lanes."""
    return isinstance(problem.f, Model) and problem.options.rho is None and block.y.shape[1] <= _LARGE


def predictors_of_lanes(block: Block) -> FloatArray:
    """Return the predictors as one array (1 or fits, predictors, M)."""
    if len(block.x) == 1:
        return block.x[0][:, None]
    return np.ascontiguousarray(np.stack(np.broadcast_arrays(*block.x), axis=1))


def run_lanes(work: Callable[[], None], problem: Problem, block: Block, interrupt: NDArray[np.intc]) -> None:
    """Do work in compiled code, in a way that can be interrupted if it is long."""
    # A function of the user's may take any time.
    if block.y.size * problem.options.maxfev > _SHORT or isinstance(problem.f, NativeModel):
        interruptibly(work, interrupt)
    else:
        work()
