"""Start values for decays."""

import numpy as np
from numpy.typing import NDArray

from .._input.validate import FloatArray
from .lines import Predictors, best_function, choose_best, fit_planes, for_all_fits, scaled, taken, unit_of

# Rates in units of the reciprocal range of x, from nearly straight lines to what only x spaced by powers can resolve.
_RATES = 0.4 * 2.0 ** np.arange(16.0)
_BOTH_RATES = np.concatenate([_RATES, -_RATES])  # of decay and of growth
# Fewer for pairs of decays: rates that are close to each other do hardly better than one.
_RATES_OF_PAIRS = _RATES[::2]
_FAST, _SLOW = np.tril_indices(_RATES_OF_PAIRS.size, -1)
# What rate * x may be, so that no exponential overflows.
_LARGEST_EXPONENT = 600.0


def _decays(unit: FloatArray) -> FloatArray:
    """Tabulate decays with all rates: each is the square of the one before, much faster than an exponential."""
    decays = np.empty((*unit.shape[:-1], _RATES.size, unit.shape[-1]))
    decays[..., 0, :] = np.exp(-_RATES[0] * unit)
    for k in range(1, _RATES.size):
        np.square(decays[..., k - 1, :], out=decays[..., k, :])
    return decays


def without_overflow(rate: FloatArray, x: FloatArray) -> tuple[NDArray[np.bool_], FloatArray]:
    """Return for which rates an exponential at x, where it is largest, is in range, and 0 in the place of others."""
    possible: NDArray[np.bool_] = np.abs(rate * x) < _LARGEST_EXPONENT
    return possible, np.where(possible, rate, 0)


@for_all_fits(3, functions=2 * _RATES.size)
def exponential(x: Predictors, y: FloatArray) -> tuple[FloatArray, ...]:
    """Guess amplitude, rate and offset of an exponential decay, or growth, for which the rate is negative.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.linspace(0, 4, 50)
    >>> y = np.exp(-np.array([[0.4], [1.6]]) * x)
    >>> exponential(x, y)[:, 1].round(1).tolist()
    [0.4, 1.6]
    """
    unit, start, length = unit_of(x[0])
    functions = _decays(np.stack([unit, 1 - unit], axis=-2)).reshape(*unit.shape[:-1], -1, unit.shape[-1])
    # A decay is largest at the start, growth at the end.
    largest = np.where(_BOTH_RATES > 0, start[..., None], (start + length)[..., None])
    possible, rate = without_overflow(_BOTH_RATES / length[..., None], largest)
    best, amplitude, offset = best_function(functions, y, possible)
    rate, largest = taken(best, rate, largest)
    return amplitude * np.exp(rate * largest), rate, offset


@for_all_fits(5, functions=_FAST.size, arrays=1)
def biexponential(x: Predictors, y: FloatArray) -> tuple[FloatArray, ...]:
    """Guess amplitude1, rate1, amplitude2, rate2 and offset of the sum of two decays, the faster one first."""
    unit, start, length = unit_of(x[0])
    data = scaled(y)
    fast, slow, offset, gain = fit_planes(_decays(unit)[..., ::2, :], _FAST, _SLOW, data)
    (possible, rate1), (_, rate2) = (
        without_overflow(_RATES_OF_PAIRS[pair] / length[..., None], start[..., None]) for pair in (_FAST, _SLOW)
    )
    fast, rate1, slow, rate2, offset = choose_best(np.where(possible, gain, -1), fast, rate1, slow, rate2, offset)
    amplitude1, amplitude2 = data.height * fast * np.exp(rate1 * start), data.height * slow * np.exp(rate2 * start)
    return amplitude1, rate1, amplitude2, rate2, data.middle + data.height * offset
