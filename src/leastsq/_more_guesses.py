"""Start values for the models that are not in `_guesses`, in the same way."""

import numpy as np

from ._guesses import (
    _HALF_WIDTH,
    _best,
    _better_peak,
    _Block,
    _ellipses,
    _for_all_fits,
    _frequency,
    _lines,
    _planes,
    _ratio,
    _unit,
    _width_at_half_height,
    exponential,
    gaussian_2d,
    logistic4,
)
from ._validate import FloatArray

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


@_for_all_fits(1)
def constant(block: _Block) -> tuple[FloatArray, ...]:
    """Guess offset, the mean."""
    return (block.middle + block.height * block.y.sum(axis=-1) / block.points,)


@_for_all_fits(2)
def line(block: _Block) -> tuple[FloatArray, ...]:
    """Guess slope and intercept of a straight line: the solution."""
    unit, start, length = _unit(block.x[0])
    rise, low, _ = _lines(unit[..., None, :], block)
    slope = block.height * rise[:, 0] / length
    return slope, block.middle + block.height * low[:, 0] - slope * start


@_for_all_fits(3)
def quadratic(block: _Block) -> tuple[FloatArray, ...]:
    """Guess curvature, slope and intercept of a parabola: the solution."""
    unit, start, length = _unit(block.x[0])
    u = unit - 0.5
    functions = np.stack([u * u, u], axis=-2)
    bend, rise, low, _ = _planes(functions, np.array([0]), np.array([1]), block)
    middle = start + 0.5 * length
    curvature, slope = block.height * bend[:, 0] / length / length, block.height * rise[:, 0] / length
    intercept = block.middle + block.height * low[:, 0] + (curvature * middle - slope) * middle
    return curvature, slope - 2 * curvature * middle, intercept


@_for_all_fits(5)
def voigt(block: _Block) -> tuple[FloatArray, ...]:
    """Guess amplitude, center, sigma, gamma and offset of a peak whose two parts are of one width."""
    center, half_width, distance = _width_at_half_height(block)
    functions = 0.5 * np.exp(-np.log(2) * distance**2) + 0.5 / (1 + distance**2)
    gamma = half_width / _HALF_VOIGT
    return _better_peak(functions, block, center, gamma / _HALF_WIDTH, gamma)


@_for_all_fits(5)
def moffat(block: _Block) -> tuple[FloatArray, ...]:
    """Guess amplitude, center, gamma, beta and offset of a peak with the wings of usual seeing."""
    center, half_width, distance = _width_at_half_height(block)
    functions = (1 + (_HALF_MOFFAT * distance) ** 2) ** -_BETA
    return _better_peak(functions, block, center, half_width / _HALF_MOFFAT, np.full_like(center, _BETA))


@_for_all_fits(5)
def exponential_gaussian(block: _Block) -> tuple[FloatArray, ...]:
    """Guess amplitude, center, sigma, tau and offset of a peak with a tail on the side where more of it is.

    The third moment of what is beyond half height says on which side, and roughly how long the tail is.
    """
    center, half_width, distance = _width_at_half_height(block)
    shapes = np.exp(-np.log(2) * distance**2)
    sides = np.stack([block.y, -block.y], axis=1)
    weights = np.square(np.maximum(sides, 0))
    total = weights.sum(axis=-1)
    skew = _ratio((weights * distance**3).sum(axis=-1), total)
    # For tails from 0.3 to 4 sigma, the skew is from 0.01 to 0.045 in units of the half width.
    tail = np.sign(skew) * np.clip(np.abs(skew) * 20, 0.1, 0.9)
    amplitude, center, half_width, tail, offset = _better_peak(shapes, block, center, half_width, tail)
    sigma = half_width * (1 - 0.5 * np.abs(tail)) / _HALF_WIDTH
    tau = half_width * tail
    # The area stays as it is.
    return amplitude * half_width / _HALF_WIDTH / sigma, center - 0.7 * tau, sigma, tau, offset


@_for_all_fits(4, functions=_TIMES.size)
def stretched_exponential(block: _Block) -> tuple[FloatArray, ...]:
    """Guess amplitude, tau, beta and offset of a stretched decay; `x` is not negative."""
    x = np.where(np.isfinite(block.x[0]), block.x[0], 0)
    largest = np.abs(x).max(axis=-1)
    largest = np.where(largest > 0, largest, 1)
    unit = np.maximum(x / largest[..., None], 0)[..., None, :]
    functions = np.exp(-((unit / _TIMES[:, None]) ** _STRETCHES[:, None]))
    amplitude, offset, gain = _lines(functions, block)
    amplitude, tau, beta, offset = _best(gain, amplitude, _TIMES, _STRETCHES, offset)
    return block.height * amplitude, tau * largest, beta, block.middle + block.height * offset


def inversion_recovery(x: FloatArray, y: FloatArray) -> FloatArray:
    """Guess amplitude, t1 and inversion of a recovery, as of an exponential with an offset."""
    found = exponential(x, y)
    with np.errstate(all="ignore"):
        rate = np.where(found[..., 1] == 0, 1.0, np.abs(found[..., 1]))
        start = np.stack([found[..., 2], 1 / rate, -found[..., 0] / found[..., 2]], axis=-1)
    start[~np.isfinite(start)] = 1.0
    return start


@_for_all_fits(6, functions=_BEGINS.size)
def double_logistic(block: _Block) -> tuple[FloatArray, ...]:
    """Guess base, height, begin, end, rise and fall of a season."""
    unit, start, length = _unit(block.x[0])
    steps = 1 / (1 + np.exp(_STEEP * (_PLACES[:, None] - unit[..., None, :])))
    functions = steps[..., _BEGINS, :] - steps[..., _ENDS, :]
    height, base, gain = _lines(functions, block)
    height, base, begin, end = _best(gain, height, base, _PLACES[_BEGINS], _PLACES[_ENDS])
    steep = np.broadcast_to(_STEEP / length, height.shape)
    base, height = block.middle + block.height * base, block.height * height
    return base, height, start + length * begin, start + length * end, steep, steep


def logistic5(x: FloatArray, y: FloatArray) -> FloatArray:
    """Guess bottom, top, log_ec50, hill and asymmetry of a sigmoidal curve: that of one that is symmetric."""
    found = logistic4(x, y)
    return np.concatenate([found, np.ones((*found.shape[:-1], 1))], axis=-1)


@_for_all_fits(4, functions=2)
def sine(block: _Block) -> tuple[FloatArray, ...]:
    """Guess amplitude, frequency, phase and offset of an oscillation.

    The frequency is that of the largest value of the periodogram, at most half the number of points per range of `x`.
    """
    unit, start, length = _unit(block.x[0])
    cycles = _frequency(unit, block)
    angle = 2 * np.pi * cycles[:, None] * unit
    cos, sin, offset, _ = _planes(
        np.stack([np.cos(angle), np.sin(angle)], axis=-2), np.array([0]), np.array([1]), block
    )
    frequency = cycles / length
    turns = np.arctan2(cos[:, 0], sin[:, 0]) / (2 * np.pi) - frequency * start
    phase = 2 * np.pi * (turns - np.rint(turns))
    amplitude = block.height * np.hypot(cos[:, 0], sin[:, 0])
    return amplitude, frequency, phase, block.middle + block.height * offset[:, 0]


@_for_all_fits(7, functions=4)
def harmonics(block: _Block) -> tuple[FloatArray, ...]:
    """Guess offset, trend, frequency, cosine1, sine1, cosine2 and sine2 of a cycle about a straight trend.

    The frequency is that of the largest value of the periodogram of what is left without a straight line.
    """
    unit, start, length = _unit(block.x[0])
    rise, low, _ = _lines(unit[..., None, :], block)
    left = block._replace(y=(block.y - rise * unit - low) * block.present)
    cycles = _frequency(unit, left)
    x = start[..., None] + length[..., None] * unit
    angle = 2 * np.pi * (cycles / length)[:, None] * x
    waves = np.stack([np.cos(angle), np.sin(angle), np.cos(2 * angle), np.sin(2 * angle)], axis=-2)
    # The waves are nearly orthogonal to each other over whole cycles: one after the other will do.
    found = []
    for k in range(4):
        coefficient, _, _ = _lines(waves[..., k : k + 1, :], left)
        found.append(coefficient[:, 0])
        left = left._replace(y=(left.y - coefficient * waves[..., k, :]) * block.present)
    trend = block.height * rise[:, 0] / length
    offset = block.middle + block.height * low[:, 0] - trend * start
    return (offset, trend, cycles / length, *(block.height * a for a in found))


@_for_all_fits(6, functions=4)
def moffat_2d(block: _Block) -> tuple[FloatArray, ...]:
    """Guess amplitude, x0, y0, gamma, beta and offset of a round peak in an image, with wings of usual seeing."""
    x0, y0, dx, dy, xx, _, yy = _ellipses(block)
    gamma = np.sqrt(0.5 * (xx + yy)) * (_HALF_WIDTH / _HALF_MOFFAT)
    functions = (1 + (dx**2 + dy**2) / gamma[:, :, None] ** 2) ** -_BETA
    return _better_peak(functions, block, x0, y0, gamma, np.full_like(gamma, _BETA))


def gaussian_2d_pixel(x: tuple[FloatArray, ...], y: FloatArray) -> FloatArray:
    """Guess intensity, x0, y0, sigma and offset of a round Gaussian peak in an image, as if it were not integrated."""
    found = gaussian_2d(x, y)
    with np.errstate(all="ignore"):
        # Pixels add the variance of a uniform distribution.
        found[..., 3] = np.sqrt(np.maximum(found[..., 3] ** 2 - 1 / 12, 0.05))
        found[..., 0] *= 2 * np.pi * found[..., 3] ** 2
    found[~np.isfinite(found)] = 1.0
    return found
