"""Start values for curves that rise or fall."""

import numpy as np

from .._input.validate import FloatArray
from .lines import Chunk, choose_best, fit_lines, for_all_fits, ratio, sums_of, unit_of

_EXPONENTS = np.array([0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0])
# Half-saturation constants in units of the largest x.
_CONSTANTS = 2.0 ** np.arange(-12.0, 5.0)
# Midpoints in units of the range of x, and slopes in units of its reciprocal.
_MIDPOINTS = np.tile(np.linspace(0, 1, 9), 3)
_HILLS = np.repeat([1.5, 5.0, 15.0], 9)


@for_all_fits(4, functions=_HILLS.size)
def logistic4(chunk: Chunk) -> tuple[FloatArray, ...]:
    """Guess bottom, top, log_ec50 and hill of a sigmoidal curve over the logarithm of the dose.

    Bottom is below top; where the response falls, hill is negative.
    """
    unit, start, length = unit_of(chunk.x[0])
    functions = 1 / (1 + np.exp((_MIDPOINTS[:, None] - unit[..., None, :]) * (np.log(10) * _HILLS[:, None])))
    height, low, gain = fit_lines(functions, chunk)
    height, low, midpoint, hill = choose_best(gain, height, low, _MIDPOINTS, _HILLS)
    bottom, top = low + np.minimum(height, 0), low + np.maximum(height, 0)
    return (
        chunk.middle + chunk.height * bottom,
        chunk.middle + chunk.height * top,
        start + length * midpoint,
        np.copysign(hill, height) / length,
    )


@for_all_fits(2, functions=_CONSTANTS.size)
def michaelis_menten(chunk: Chunk) -> tuple[FloatArray, ...]:
    """Guess vmax and km of a rate that saturates with the concentration; km is positive."""
    x = np.abs(np.where(np.isfinite(chunk.x[0]), chunk.x[0], 0))
    largest = x.max(axis=-1)
    largest = np.where(largest > 0, largest, 1)
    unit = (x / largest[..., None])[..., None, :]
    functions = unit / (_CONSTANTS[:, None] + unit)
    # There is no offset: y itself is fitted, not what is left without its mean.
    scale = np.abs(chunk.middle) + chunk.height
    with_y = (chunk.height / scale)[:, None] * sums_of(functions, chunk.y)
    with_y += (chunk.middle / scale)[:, None] * sums_of(functions, chunk.present)
    vmax = ratio(with_y, sums_of(functions * functions, chunk.present))
    vmax, km = choose_best(vmax * with_y, vmax, _CONSTANTS)
    return scale * vmax, km * largest


@for_all_fits(3, functions=2 * _EXPONENTS.size)
def power_law(chunk: Chunk) -> tuple[FloatArray, ...]:
    """Guess amplitude, exponent and offset of a power of `x`, which is not negative."""
    x = np.where(chunk.x[0] > 0, chunk.x[0], np.nan)
    smallest, largest = (np.nan_to_num(f.reduce(x, axis=-1), nan=1.0) for f in (np.fmin, np.fmax))
    above = np.log(np.nan_to_num(x / smallest[..., None], nan=1.0))[..., None, :]
    below = np.log(np.nan_to_num(x / largest[..., None], nan=0.0))[..., None, :]
    functions = np.exp(np.concatenate([-_EXPONENTS[:, None] * above, _EXPONENTS[:, None] * below], axis=-2))
    amplitude, offset, gain = fit_lines(functions, chunk)
    # A negative exponent is impossible where there is an observation at zero.
    at_zero = sums_of((chunk.x[0] == 0).astype(np.float64)[..., None, :], chunk.present) > 0
    gain[:, : _EXPONENTS.size] = np.where(at_zero, -1, gain[:, : _EXPONENTS.size])
    amplitude, exponent, offset = choose_best(gain, amplitude, np.concatenate([-_EXPONENTS, _EXPONENTS]), offset)
    scale = np.where(exponent < 0, smallest, largest)
    return chunk.height * amplitude * scale**-exponent, exponent, chunk.middle + chunk.height * offset
