"""Many fits of a compiled model: a block is one call."""

import numpy as np
from numpy.typing import NDArray

from . import _minpack
from ._block import TO_FIT, Block
from ._fit_singly import store_fit
from ._iterate import iterate_model
from ._model import LEVEL, CompiledModel
from ._solution import Solutions, empty_solutions
from ._validate import FloatArray, Options

# From this many points on, a fit is long enough to be made by itself, and to look for an interruption at each step.
_LARGE = 2**16


def packed_options(options: Options) -> FloatArray:
    """Return the options as the compiled code takes them."""
    return np.array([options.ftol, options.xtol, options.gtol, options.factor, options.maxfev])


def scaling(options: Options, n: int) -> tuple[int, FloatArray]:
    """Return whether scale factors are given, and those, or as many ones."""
    return (0, np.ones(n)) if options.diag is None else (1, options.diag)


def fit_compiled(model: CompiledModel, block: Block, options: Options, interrupt: NDArray[np.intc]) -> Solutions:
    """Fit a compiled model to the data sets of a block."""
    solutions = empty_solutions(block)
    n, m = block.p0.shape[1], block.y.shape[1]
    if m > _LARGE:
        for fit in np.flatnonzero(block.status == TO_FIT).tolist():
            x = np.array(np.broadcast_arrays(*block.predictors_of(fit)))
            one = iterate_model(model, x, block.y[fit], block.weights_of(fit), block.p0[fit].copy(), options, False)
            store_fit(one, fit, solutions)
            if interrupt[0]:
                break
        return solutions
    x = np.ascontiguousarray(np.stack(np.broadcast_arrays(*block.x), axis=1))
    work, _ = _minpack.model_sizes(n, len(block.x), m)
    scaled, diag = scaling(options, n)
    _minpack.fit_models(
        LEVEL,
        model.number,
        x,
        block.y,
        block.weights,
        block.p0,
        scaled,
        diag,
        packed_options(options),
        interrupt,
        solutions.popt,
        solutions.triangle,
        solutions.fnorm,
        solutions.nfev,
        solutions.status,
        _aligned(work),
    )
    return solutions


def _aligned(size: int) -> FloatArray:
    """Return work space that begins on a line of the cache, so that no row of a group is spread over two."""
    line = 8
    buffer = np.empty(size + line)
    first = -(buffer.ctypes.data // buffer.itemsize) % line
    return buffer[first : first + size]
