"""Start values for decays."""

import numpy as np

from .._input.validate import FloatArray
from .._solver import kernel
from .lines import Predictors, best_function, best_plane, for_all_fits

# What rate * x may be, so that no exponential overflows.
LARGEST_EXPONENT = 600.0


def _in_range(rate: FloatArray, x: FloatArray) -> FloatArray:
    """Return rates with which an exponential at x, where it is largest, is in range, and 0 in the place of others."""
    return np.where(np.abs(rate * x) < LARGEST_EXPONENT, rate, 0.0)


@for_all_fits(3)
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
    height, offset, rate, _, start, length = best_function(kernel.DECAYS, x[0], y)
    # A decay is largest at the start, growth at the end.
    largest = np.where(rate > 0, start, start + length)
    rate = _in_range(rate / length, largest)
    return height * np.exp(rate * largest), rate, offset


@for_all_fits(5)
def biexponential(x: Predictors, y: FloatArray) -> tuple[FloatArray, ...]:
    """Guess amplitude1, rate1, amplitude2, rate2 and offset of the sum of two decays, the faster one first."""
    fast, slow, offset, rate1, rate2, start, length = best_plane(kernel.TWO_DECAYS, x[0], y)
    rate1, rate2 = _in_range(rate1 / length, start), _in_range(rate2 / length, start)
    return fast * np.exp(rate1 * start), rate1, slow * np.exp(rate2 * start), rate2, offset
