"""Start values for curves that rise or fall."""

import numpy as np

from .._input.validate import FloatArray
from .._solver import kernel
from .lines import Predictors, best_function, for_all_fits


@for_all_fits(4)
def logistic4(x: Predictors, y: FloatArray) -> tuple[FloatArray, ...]:
    """Guess bottom, top, log_ec50 and hill of a sigmoidal curve over the logarithm of the dose.

    Bottom is below top; where the response falls, hill is negative.
    """
    height, low, middle, hill, start, length = best_function(kernel.SIGMOIDS, x[0], y)
    bottom, top = low + np.minimum(height, 0), low + np.maximum(height, 0)
    return bottom, top, start + length * middle, np.copysign(hill, height) / length


@for_all_fits(2)
def michaelis_menten(x: Predictors, y: FloatArray) -> tuple[FloatArray, ...]:
    """Guess vmax and km of a rate that saturates with the concentration; km is positive."""
    vmax, _, constant, _, _, largest = best_function(kernel.SATURATIONS, x[0], y)
    return vmax, constant * largest


@for_all_fits(3)
def power_law(x: Predictors, y: FloatArray) -> tuple[FloatArray, ...]:
    """Guess amplitude, exponent and offset of a power of `x`, which is not negative."""
    amplitude, offset, exponent, _, smallest, largest = best_function(kernel.POWERS, x[0], y)
    return amplitude * np.where(exponent < 0, smallest, largest) ** -exponent, exponent, offset
