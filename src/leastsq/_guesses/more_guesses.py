"""Start values for the models that are not in `guesses`, in the same way."""

import numpy as np

from .._input.validate import FloatArray
from .curves import logistic4
from .decays import exponential
from .images import ellipses, gaussian_2d
from .lines import (
    MOST_POINTS,
    MOST_POINTS_OF_PEAKS,
    Chunk,
    choose_best,
    fit_lines,
    fit_planes,
    for_all_fits,
    ratio,
    unit_of,
)
from .peaks import HALF_WIDTH, better_peak, width_at_half_height
from .waves import frequency_of

# Half the width at half height of a Moffat profile with beta 2.5, the usual seeing, in units of gamma.
_BETA = 2.5
_HALF_MOFFAT = np.sqrt(2 ** (1 / _BETA) - 1)
# Of a Voigt profile whose two parts are of one width, in units of that (Olivero and Longbothum, 1977).
_HALF_VOIGT = 0.5346 + np.sqrt(0.2166 + 1)
# Times of stretched exponentials in units of the largest x, and their exponents.
_TIMES = np.tile(2.0 ** np.arange(-9.0, 2.0), 4)
_STRETCHES = np.repeat([0.4, 0.7, 1.0, 1.6], 11)
# Begins and ends of seasons in units of the range of x.
_PLACES = np.linspace(-0.05, 1.05, 12)
_BEGINS, _ENDS = np.triu_indices(_PLACES.size, 1)
_STEEP = 15.0


@for_all_fits(1)
def constant(chunk: Chunk) -> tuple[FloatArray, ...]:
    """Guess offset, the mean."""
    return (chunk.middle + chunk.height * chunk.y.sum(axis=-1) / chunk.points,)


@for_all_fits(2)
def line(chunk: Chunk) -> tuple[FloatArray, ...]:
    """Guess slope and intercept of a straight line: the solution."""
    unit, start, length = unit_of(chunk.x[0])
    rise, low, _ = fit_lines(unit[..., None, :], chunk)
    slope = chunk.height * rise[:, 0] / length
    return slope, chunk.middle + chunk.height * low[:, 0] - slope * start


@for_all_fits(3)
def quadratic(chunk: Chunk) -> tuple[FloatArray, ...]:
    """Guess curvature, slope and intercept of a parabola: the solution."""
    unit, start, length = unit_of(chunk.x[0])
    u = unit - 0.5
    functions = np.stack([u * u, u], axis=-2)
    bend, rise, low, _ = fit_planes(functions, np.array([0]), np.array([1]), chunk)
    middle = start + 0.5 * length
    curvature, slope = chunk.height * bend[:, 0] / length / length, chunk.height * rise[:, 0] / length
    intercept = chunk.middle + chunk.height * low[:, 0] + (curvature * middle - slope) * middle
    return curvature, slope - 2 * curvature * middle, intercept


@for_all_fits(5, most=MOST_POINTS_OF_PEAKS)
def voigt(chunk: Chunk) -> tuple[FloatArray, ...]:
    """Guess amplitude, center, sigma, gamma and offset of a peak whose two parts are of one width."""
    center, half_width, distance = width_at_half_height(chunk)
    functions = 0.5 * np.exp(-np.log(2) * distance**2) + 0.5 / (1 + distance**2)
    gamma = half_width / _HALF_VOIGT
    return better_peak(functions, chunk, center, gamma / HALF_WIDTH, gamma)


@for_all_fits(5, most=MOST_POINTS_OF_PEAKS)
def moffat(chunk: Chunk) -> tuple[FloatArray, ...]:
    """Guess amplitude, center, gamma, beta and offset of a peak with the wings of usual seeing."""
    center, half_width, distance = width_at_half_height(chunk)
    functions = (1 + (_HALF_MOFFAT * distance) ** 2) ** -_BETA
    return better_peak(functions, chunk, center, half_width / _HALF_MOFFAT, np.full_like(center, _BETA))


@for_all_fits(5, most=MOST_POINTS_OF_PEAKS)
def exponential_gaussian(chunk: Chunk) -> tuple[FloatArray, ...]:
    """Guess amplitude, center, sigma, tau and offset of a peak with a tail on the side where more of it is.

    The third moment of what is beyond half height says on which side, and roughly how long the tail is.
    """
    center, half_width, distance = width_at_half_height(chunk)
    shapes = np.exp(-np.log(2) * distance**2)
    sides = np.stack([chunk.y, -chunk.y], axis=1)
    weights = np.square(np.maximum(sides, 0))
    total = weights.sum(axis=-1)
    skew = ratio((weights * distance**3).sum(axis=-1), total)
    # For tails from 0.3 to 4 sigma, the skew is from 0.01 to 0.045 in units of the half width.
    tail = np.sign(skew) * np.clip(np.abs(skew) * 20, 0.1, 0.9)
    amplitude, center, half_width, tail, offset = better_peak(shapes, chunk, center, half_width, tail)
    sigma = half_width * (1 - 0.5 * np.abs(tail)) / HALF_WIDTH
    tau = half_width * tail
    # The area stays as it is.
    return amplitude * half_width / HALF_WIDTH / sigma, center - 0.7 * tau, sigma, tau, offset


@for_all_fits(4, functions=_TIMES.size)
def stretched_exponential(chunk: Chunk) -> tuple[FloatArray, ...]:
    """Guess amplitude, tau, beta and offset of a stretched decay; `x` is not negative."""
    x = np.where(np.isfinite(chunk.x[0]), chunk.x[0], 0)
    largest = np.abs(x).max(axis=-1)
    largest = np.where(largest > 0, largest, 1)
    unit = np.maximum(x / largest[..., None], 0)[..., None, :]
    functions = np.exp(-((unit / _TIMES[:, None]) ** _STRETCHES[:, None]))
    amplitude, offset, gain = fit_lines(functions, chunk)
    amplitude, tau, beta, offset = choose_best(gain, amplitude, _TIMES, _STRETCHES, offset)
    return chunk.height * amplitude, tau * largest, beta, chunk.middle + chunk.height * offset


def inversion_recovery(x: FloatArray, y: FloatArray) -> FloatArray:
    """Guess amplitude, t1 and inversion of a recovery, as of an exponential with an offset."""
    found = exponential(x, y)
    with np.errstate(all="ignore"):
        rate = np.where(found[..., 1] == 0, 1.0, np.abs(found[..., 1]))
        start = np.stack([found[..., 2], 1 / rate, -found[..., 0] / found[..., 2]], axis=-1)
    start[~np.isfinite(start)] = 1.0
    return start


@for_all_fits(6, functions=_BEGINS.size)
def double_logistic(chunk: Chunk) -> tuple[FloatArray, ...]:
    """Guess base, height, begin, end, rise and fall of a season."""
    unit, start, length = unit_of(chunk.x[0])
    steps = 1 / (1 + np.exp(_STEEP * (_PLACES[:, None] - unit[..., None, :])))
    functions = steps[..., _BEGINS, :] - steps[..., _ENDS, :]
    height, base, gain = fit_lines(functions, chunk)
    height, base, begin, end = choose_best(gain, height, base, _PLACES[_BEGINS], _PLACES[_ENDS])
    steep = np.broadcast_to(_STEEP / length, height.shape)
    base, height = chunk.middle + chunk.height * base, chunk.height * height
    return base, height, start + length * begin, start + length * end, steep, steep


def logistic5(x: FloatArray, y: FloatArray) -> FloatArray:
    """Guess bottom, top, log_ec50, hill and asymmetry of a sigmoidal curve: that of one that is symmetric."""
    found = logistic4(x, y)
    return np.concatenate([found, np.ones((*found.shape[:-1], 1))], axis=-1)


@for_all_fits(4, functions=2, most=2 * MOST_POINTS)
def sine(chunk: Chunk) -> tuple[FloatArray, ...]:
    """Guess amplitude, frequency, phase and offset of an oscillation.

    The frequency is that of the largest value of the periodogram, at most half the number of points per range of `x`.
    """
    unit, start, length = unit_of(chunk.x[0])
    cycles = frequency_of(unit, chunk)
    angle = 2 * np.pi * cycles[:, None] * unit
    cos, sin, offset, _ = fit_planes(
        np.stack([np.cos(angle), np.sin(angle)], axis=-2), np.array([0]), np.array([1]), chunk
    )
    frequency = cycles / length
    turns = np.arctan2(cos[:, 0], sin[:, 0]) / (2 * np.pi) - frequency * start
    phase = 2 * np.pi * (turns - np.rint(turns))
    amplitude = chunk.height * np.hypot(cos[:, 0], sin[:, 0])
    return amplitude, frequency, phase, chunk.middle + chunk.height * offset[:, 0]


@for_all_fits(7, functions=4, most=2 * MOST_POINTS)
def harmonics(chunk: Chunk) -> tuple[FloatArray, ...]:
    """Guess offset, trend, frequency, cosine1, sine1, cosine2 and sine2 of a cycle about a straight trend.

    The frequency is that of the largest value of the periodogram of what is left without a straight line.
    """
    unit, start, length = unit_of(chunk.x[0])
    rise, low, _ = fit_lines(unit[..., None, :], chunk)
    left = chunk._replace(y=(chunk.y - rise * unit - low) * chunk.present)
    cycles = frequency_of(unit, left)
    x = start[..., None] + length[..., None] * unit
    angle = 2 * np.pi * (cycles / length)[:, None] * x
    waves = np.stack([np.cos(angle), np.sin(angle), np.cos(2 * angle), np.sin(2 * angle)], axis=-2)
    # The waves are nearly orthogonal to each other over whole cycles: one after the other will do.
    found = []
    for k in range(4):
        coefficient, _, _ = fit_lines(waves[..., k : k + 1, :], left)
        found.append(coefficient[:, 0])
        left = left._replace(y=(left.y - coefficient * waves[..., k, :]) * chunk.present)
    trend = chunk.height * rise[:, 0] / length
    offset = chunk.middle + chunk.height * low[:, 0] - trend * start
    return (offset, trend, cycles / length, *(chunk.height * a for a in found))


@for_all_fits(6, functions=4, most=MOST_POINTS_OF_PEAKS)
def moffat_2d(chunk: Chunk) -> tuple[FloatArray, ...]:
    """Guess amplitude, x0, y0, gamma, beta and offset of a round peak in an image, with wings of usual seeing."""
    x0, y0, dx, dy, xx, _, yy = ellipses(chunk)
    gamma = np.sqrt(0.5 * (xx + yy)) * (HALF_WIDTH / _HALF_MOFFAT)
    functions = (1 + (dx**2 + dy**2) / gamma[:, :, None] ** 2) ** -_BETA
    return better_peak(functions, chunk, x0, y0, gamma, np.full_like(gamma, _BETA))


def gaussian_2d_pixel(x: tuple[FloatArray, ...], y: FloatArray) -> FloatArray:
    """Guess intensity, x0, y0, sigma and offset of a round Gaussian peak in an image, as if it were not integrated."""
    found = gaussian_2d(x, y)
    with np.errstate(all="ignore"):
        # Pixels add the variance of a uniform distribution.
        found[..., 3] = np.sqrt(np.maximum(found[..., 3] ** 2 - 1 / 12, 0.05))
        found[..., 0] *= 2 * np.pi * found[..., 3] ** 2
    found[~np.isfinite(found)] = 1.0
    return found
