"""Start values for peaks in images."""

import numpy as np

from .._input.validate import FloatArray
from .._solver import kernel
from .lines import MOST_POINTS_OF_PEAKS, Predictors, for_all_fits
from .peaks import find_peak


@for_all_fits(5, most=MOST_POINTS_OF_PEAKS)
def gaussian_2d(x: Predictors, y: FloatArray) -> tuple[FloatArray, ...]:
    """Guess amplitude, x0, y0, sigma and offset of a round Gaussian peak in an image, which may point downwards."""
    amplitude, offset, x0, y0, xx, _, yy = find_peak(kernel.GAUSSIAN, x, y)
    return amplitude, x0, y0, np.sqrt(0.5 * (xx + yy)), offset


@for_all_fits(7, most=MOST_POINTS_OF_PEAKS)
def gaussian_2d_elliptic(x: Predictors, y: FloatArray) -> tuple[FloatArray, ...]:
    """Guess amplitude, x0, y0, sigma_x, sigma_y, theta and offset of an elliptic Gaussian peak in an image.

    Theta, from -pi/2 to pi/2, is the direction of the longer principal axis of what is beyond half height, whose length
    is sigma_x.
    """
    amplitude, offset, x0, y0, xx, xy, yy = find_peak(kernel.ELLIPTIC, x, y)
    mean, difference = 0.5 * (xx + yy), np.hypot(0.5 * (xx - yy), xy)
    sigma_x, sigma_y = np.sqrt(mean + difference), np.sqrt(np.maximum(mean - difference, 1e-6 * mean))
    return amplitude, x0, y0, sigma_x, sigma_y, 0.5 * np.arctan2(2 * xy, xx - yy), offset
