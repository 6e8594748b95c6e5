"""Many fits of a model that the compiled code evaluates: one call fits a block of data sets, in groups in lockstep."""

import numpy as np
from numpy.typing import NDArray

from . import _minpack
from ._block import TO_FIT, Block
from ._fit_singly import remake_poor_steps, store_fit
from ._iterate import iterate_model
from ._model import LEVEL, Model
from ._solution import Solutions, empty_solutions
from ._validate import FloatArray, Options

# From this many points on, a fit is long enough to be made by itself, and to look for an interruption at each step.
_LARGE = 2**16


def scaling(options: Options, n: int) -> tuple[int, FloatArray]:
    """Return whether scale factors are given, and those, or as many ones."""
    return (0, np.ones(n)) if options.diag is None else (1, options.diag)


def fit_compiled(
    model: Model, block: Block, options: Options, absolute: bool, interrupt: NDArray[np.intc]
) -> Solutions:
    """Fit a model to the data sets of a block."""
    solutions = empty_solutions(block)
    if block.y.shape[1] > _LARGE:
        _fit_large(model, block, options, interrupt, solutions)
    else:
        _fit_groups(model, block, options, interrupt, solutions)
    if model.jac is None:
        remake_poor_steps(model, block, options, absolute, interrupt, solutions)
    return solutions


def _fit_large(model: Model, block: Block, options: Options, interrupt: NDArray[np.intc], solutions: Solutions) -> None:
    for fit in np.flatnonzero(block.status == TO_FIT).tolist():
        if interrupt[0]:
            return
        x = np.array(np.broadcast_arrays(*block.predictors_of(fit)))
        one = iterate_model(model, x, block.y[fit], block.weights_of(fit), block.p0[fit].copy(), options, False)
        store_fit(one, fit, solutions)


def _fit_groups(
    model: Model, block: Block, options: Options, interrupt: NDArray[np.intc], solutions: Solutions
) -> None:
    n, m = block.p0.shape[1], block.y.shape[1]
    x = np.ascontiguousarray(np.stack(np.broadcast_arrays(*block.x), axis=1))
    size, _, _ = _minpack.model_sizes(model.numbers, n, len(block.x), m)
    scaled, diag = scaling(options, n)
    _minpack.fit_models(
        LEVEL,
        model.numbers,
        x,
        block.y,
        block.weights,
        block.p0,
        scaled,
        diag,
        options.packed(),
        interrupt,
        solutions.popt,
        solutions.triangle,
        solutions.fnorm,
        solutions.nfev,
        solutions.status,
        _aligned(size),
    )


def _aligned(size: int) -> FloatArray:
    """Return work space that begins on a line of the cache, so that no row of a group is spread over two."""
    line = 8
    buffer = np.empty(size + line)
    first = -(buffer.ctypes.data // buffer.itemsize) % line
    return buffer[first : first + size]
