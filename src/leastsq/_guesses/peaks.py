"""Start values for peaks."""

import numpy as np

from .._input.validate import FloatArray
from .._solver import kernel
from .lines import MOST_POINTS_OF_PEAKS, Predictors, for_all_fits

# Half the width of a Gaussian at half height, in standard deviations.
HALF_WIDTH = np.sqrt(2 * np.log(2))


def find_peak(profile: int, x: Predictors, y: FloatArray) -> FloatArray:
    """Return amplitude, offset, centre and what says how wide it is of a peak in each data set, shape (..., B).

    What is beyond half height tells where a peak is and how wide; it may point downwards. See minpack/lanes.
    """
    stacked = x[0][..., None, :] if len(x) == 1 else np.stack(np.broadcast_arrays(*x), axis=-2)
    return kernel.find_peaks(profile, stacked.reshape(-1, *stacked.shape[-2:]), y).T


@for_all_fits(4, most=MOST_POINTS_OF_PEAKS)
def gaussian(x: Predictors, y: FloatArray) -> tuple[FloatArray, ...]:
    """Guess amplitude, center, sigma and offset of a Gaussian peak, which may point downwards.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.linspace(-5, 5, 201)
    >>> y = 1 - 3 * np.exp(-((x - 1) ** 2) / (2 * 0.5**2))
    >>> np.allclose(gaussian(x, y), [-3, 1, 0.5, 1], atol=0.1)
    True
    """
    amplitude, offset, center, half_width, _ = find_peak(kernel.GAUSSIAN, x, y)
    return amplitude, center, half_width / HALF_WIDTH, offset


@for_all_fits(4, most=MOST_POINTS_OF_PEAKS)
def lorentzian(x: Predictors, y: FloatArray) -> tuple[FloatArray, ...]:
    """Guess amplitude, center, gamma and offset of a Lorentzian peak, which may point downwards."""
    amplitude, offset, center, half_width, _ = find_peak(kernel.LORENTZIAN, x, y)
    return amplitude, center, half_width, offset


@for_all_fits(5, most=MOST_POINTS_OF_PEAKS)
def pseudo_voigt(x: Predictors, y: FloatArray) -> tuple[FloatArray, ...]:
    """Guess amplitude, center, sigma, fraction and offset of a peak half Gaussian, half Lorentzian."""
    amplitude, offset, center, half_width, _ = find_peak(kernel.MIXED, x, y)
    return amplitude, center, half_width / HALF_WIDTH, np.full_like(center, 0.5), offset
