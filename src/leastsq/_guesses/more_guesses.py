"""Start values for the models that are not in `guesses`, in the same way."""

import numpy as np

from .._input.validate import FloatArray
from .._solver import kernel
from .curves import logistic4
from .decays import exponential
from .images import gaussian_2d
from .lines import (
    MOST_POINTS,
    MOST_POINTS_OF_PEAKS,
    Predictors,
    best_function,
    best_plane,
    for_all_fits,
    unit_of,
)
from .peaks import HALF_WIDTH, find_peak
from .waves import fit_waves, frequency_of, phase_at_zero

# Half the width at half height of a Moffat profile with beta 2.5, the usual seeing, in units of gamma.
_BETA = 2.5
_HALF_MOFFAT = np.sqrt(2 ** (1 / _BETA) - 1)
# Of a Voigt profile whose two parts are of one width, in units of that (Olivero and Longbothum, 1977).
_HALF_VOIGT = 0.5346 + np.sqrt(0.2166 + 1)
# How steep a season rises and falls in units of the reciprocal range, as it is compared in compiled code.
_STEEP = 15.0


@for_all_fits(1)
def constant(x: Predictors, y: FloatArray) -> tuple[FloatArray, ...]:
    """Guess offset, the mean: of a line over one place, which has no slope."""
    return (best_function(kernel.STRAIGHT, np.zeros(y.shape[-1]), y)[1],)


@for_all_fits(2)
def line(x: Predictors, y: FloatArray) -> tuple[FloatArray, ...]:
    """Guess slope and intercept of a straight line: the solution."""
    rise, low, _, _, start, length = best_function(kernel.STRAIGHT, x[0], y)
    slope = rise / length
    return slope, low - slope * start


@for_all_fits(3)
def quadratic(x: Predictors, y: FloatArray) -> tuple[FloatArray, ...]:
    """Guess curvature, slope and intercept of a parabola: the solution."""
    rise, bend, low, _, _, start, length = best_plane(kernel.PARABOLAS, x[0], y)
    middle = start + 0.5 * length
    curvature, slope = bend / length / length, rise / length
    return curvature, slope - 2 * curvature * middle, low + (curvature * middle - slope) * middle


@for_all_fits(5, most=MOST_POINTS_OF_PEAKS)
def voigt(x: Predictors, y: FloatArray) -> tuple[FloatArray, ...]:
    """Guess amplitude, center, sigma, gamma and offset of a peak whose two parts are of one width."""
    amplitude, offset, center, half_width, _ = find_peak(kernel.MIXED, x, y)
    gamma = half_width / _HALF_VOIGT
    return amplitude, center, gamma / HALF_WIDTH, gamma, offset


@for_all_fits(5, most=MOST_POINTS_OF_PEAKS)
def moffat(x: Predictors, y: FloatArray) -> tuple[FloatArray, ...]:
    """Guess amplitude, center, gamma, beta and offset of a peak with the wings of usual seeing."""
    amplitude, offset, center, half_width, _ = find_peak(kernel.MOFFAT, x, y)
    return amplitude, center, half_width / _HALF_MOFFAT, np.full_like(center, _BETA), offset


@for_all_fits(5, most=MOST_POINTS_OF_PEAKS)
def exponential_gaussian(x: Predictors, y: FloatArray) -> tuple[FloatArray, ...]:
    """Guess amplitude, center, sigma, tau and offset of a peak with a tail on the side where more of it is.

    The third moment of what is beyond half height says on which side, and roughly how long the tail is.
    """
    amplitude, offset, center, half_width, skew = find_peak(kernel.GAUSSIAN, x, y)
    # For tails from 0.3 to 4 sigma, the skew is from 0.01 to 0.045 in units of the half width.
    tail = np.sign(skew) * np.clip(np.abs(skew) * 20, 0.1, 0.9)
    sigma = half_width * (1 - 0.5 * np.abs(tail)) / HALF_WIDTH
    tau = half_width * tail
    # The area stays as it is.
    return amplitude * half_width / HALF_WIDTH / sigma, center - 0.7 * tau, sigma, tau, offset


@for_all_fits(4)
def stretched_exponential(x: Predictors, y: FloatArray) -> tuple[FloatArray, ...]:
    """Guess amplitude, tau, beta and offset of a stretched decay; `x` is not negative."""
    amplitude, offset, time, beta, _, largest = best_function(kernel.STRETCHED, x[0], y)
    return amplitude, time * largest, beta, offset


def inversion_recovery(x: FloatArray, y: FloatArray) -> FloatArray:
    """Guess amplitude, t1 and inversion of a recovery, as of an exponential with an offset."""
    found = exponential(x, y)
    with np.errstate(all="ignore"):
        rate = np.where(found[..., 1] == 0, 1.0, np.abs(found[..., 1]))
        start = np.stack([found[..., 2], 1 / rate, -found[..., 0] / found[..., 2]], axis=-1)
    start[~np.isfinite(start)] = 1.0
    return start


@for_all_fits(6)
def double_logistic(x: Predictors, y: FloatArray) -> tuple[FloatArray, ...]:
    """Guess base, height, begin, end, rise and fall of a season."""
    height, base, begin, end, start, length = best_function(kernel.SEASONS, x[0], y)
    steep = _STEEP / length
    return base, height, start + length * begin, start + length * end, steep, steep


def logistic5(x: FloatArray, y: FloatArray) -> FloatArray:
    """Guess bottom, top, log_ec50, hill and asymmetry of a sigmoidal curve: that of one that is symmetric."""
    found = logistic4(x, y)
    return np.concatenate([found, np.ones((*found.shape[:-1], 1))], axis=-1)


@for_all_fits(4, arrays=2, most=2 * MOST_POINTS)
def sine(x: Predictors, y: FloatArray) -> tuple[FloatArray, ...]:
    """Guess amplitude, frequency, phase and offset of an oscillation.

    The frequency is that of the largest value of the periodogram, at most half the number of points per range of `x`.
    """
    unit, start, length = unit_of(x[0])
    cycles = frequency_of(unit, y)
    _, cos, sin, offset, _ = fit_waves(unit, y, cycles)
    frequency = cycles / length
    return np.hypot(cos, sin), frequency, phase_at_zero(cos, sin, frequency * start), offset


@for_all_fits(7, arrays=3, most=2 * MOST_POINTS)
def harmonics(x: Predictors, y: FloatArray) -> tuple[FloatArray, ...]:
    """Guess offset, trend, frequency, cosine1, sine1, cosine2 and sine2 of a cycle about a straight trend.

    The frequency is that of the largest value of the periodogram of what is left without a straight line.
    """
    unit, start, length = unit_of(x[0])
    rise, low = best_function(kernel.STRAIGHT, unit, y)[:2]
    left = y - rise[:, None] * unit - low[:, None]
    cycles = frequency_of(unit, left)
    found = []
    for times in (1, 2):  # waves are nearly orthogonal to each other over whole cycles: each by itself will do
        _, cosine, sine, _, _ = fit_waves(unit, left, times * cycles)
        turns = times * cycles / length * start
        angle = 2 * np.pi * (turns - np.rint(turns))
        found += [cosine * np.cos(angle) - sine * np.sin(angle), cosine * np.sin(angle) + sine * np.cos(angle)]
    trend = rise / length
    return low - trend * start, trend, cycles / length, *found


@for_all_fits(6, most=MOST_POINTS_OF_PEAKS)
def moffat_2d(x: Predictors, y: FloatArray) -> tuple[FloatArray, ...]:
    """Guess amplitude, x0, y0, gamma, beta and offset of a round peak in an image, with wings of usual seeing."""
    amplitude, offset, x0, y0, xx, _, yy = find_peak(kernel.MOFFAT, x, y)
    gamma = np.sqrt(0.5 * (xx + yy)) * (HALF_WIDTH / _HALF_MOFFAT)
    return amplitude, x0, y0, gamma, np.full_like(gamma, _BETA), offset


def gaussian_2d_pixel(x: tuple[FloatArray, ...], y: FloatArray) -> FloatArray:
    """Guess intensity, x0, y0, sigma and offset of a round Gaussian peak in an image, as if it were not integrated."""
    found = gaussian_2d(x, y)
    with np.errstate(all="ignore"):
        # Pixels add the variance of a uniform distribution.
        found[..., 3] = np.sqrt(np.maximum(found[..., 3] ** 2 - 1 / 12, 0.05))
        found[..., 0] *= 2 * np.pi * found[..., 3] ** 2
    found[~np.isfinite(found)] = 1.0
    return found
