"""Start values for curves that rise or fall."""

import numpy as np

from .._input.validate import FloatArray
from .lines import Predictors, best_function, for_all_fits, unit_of

_EXPONENTS = np.array([0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0])
# Half-saturation constants in units of the largest x.
_CONSTANTS = 2.0 ** np.arange(-12.0, 5.0)
# Midpoints in units of the range of x, and slopes in units of its reciprocal.
_MIDPOINTS = np.tile(np.linspace(0, 1, 9), 3)
_HILLS = np.repeat([1.5, 5.0, 15.0], 9)


@for_all_fits(4, functions=_HILLS.size)
def logistic4(x: Predictors, y: FloatArray) -> tuple[FloatArray, ...]:
    """Guess bottom, top, log_ec50 and hill of a sigmoidal curve over the logarithm of the dose.

    Bottom is below top; where the response falls, hill is negative.
    """
    unit, start, length = unit_of(x[0])
    functions = 1 / (1 + np.exp((_MIDPOINTS[:, None] - unit[..., None, :]) * (np.log(10) * _HILLS[:, None])))
    best, height, low = best_function(functions, y)
    bottom, top = low + np.minimum(height, 0), low + np.maximum(height, 0)
    return bottom, top, start + length * _MIDPOINTS[best], np.copysign(_HILLS[best], height) / length


@for_all_fits(2, functions=_CONSTANTS.size)
def michaelis_menten(x: Predictors, y: FloatArray) -> tuple[FloatArray, ...]:
    """Guess vmax and km of a rate that saturates with the concentration; km is positive."""
    size = np.abs(x[0])
    largest = size.max(axis=-1)
    largest = np.where(largest > 0, largest, 1)
    unit = (size / largest[..., None])[..., None, :]
    best, vmax, _ = best_function(unit / (_CONSTANTS[:, None] + unit), y, with_offset=False)
    return vmax, _CONSTANTS[best] * largest


@for_all_fits(3, functions=2 * _EXPONENTS.size)
def power_law(x: Predictors, y: FloatArray) -> tuple[FloatArray, ...]:
    """Guess amplitude, exponent and offset of a power of `x`, which is not negative."""
    positive = np.where(x[0] > 0, x[0], np.nan)
    smallest, largest = (np.nan_to_num(f.reduce(positive, axis=-1), nan=1.0) for f in (np.fmin, np.fmax))
    above = np.log(np.nan_to_num(positive / smallest[..., None], nan=1.0))[..., None, :]
    below = np.log(np.nan_to_num(positive / largest[..., None], nan=0.0))[..., None, :]
    functions = np.exp(np.concatenate([-_EXPONENTS[:, None] * above, _EXPONENTS[:, None] * below], axis=-2))
    # A negative exponent is impossible where there is an observation at zero.
    at_zero = (np.isfinite(y) & (x[0] == 0)).any(axis=-1)
    exponents = np.concatenate([-_EXPONENTS, _EXPONENTS])
    best, amplitude, offset = best_function(functions, y, ~at_zero[:, None] | (exponents > 0))
    exponent = exponents[best]
    return amplitude * np.where(exponent < 0, smallest, largest) ** -exponent, exponent, offset
