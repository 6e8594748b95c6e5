"""Start values for the models, for many fits at once.

There are two ideas. The points beyond half height tell where a peak is and how wide. The other models are
separable: parameters that enter nonlinearly are tried on a coarse grid, the others follow by linear least squares,
and the smallest sum of squares wins (Golub and Pereyra, "The differentiation of pseudo-inverses and nonlinear least
squares problems whose variables separate", SIAM Journal on Numerical Analysis 10, 1973, pp. 413-432).

Every function takes the predictors ``x``, of shape (M,) or (..., M), or a pair of such arrays for an image, and the
observations ``y`` of shape (..., M), in any order, NaN where a point is missing. It returns the parameters in the order
of the model, shape (..., N), in the units of ``x`` and ``y``. They are always finite, and those of a fit do not depend
on the others.
"""

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ._validate import FloatArray

# Numbers in the largest array of a block: a few of them fit the cache, and a million rows never make one large array.
_BLOCK = 2**17
# Sums of squares smaller than this part of what they are a difference of are rounding.
_ROUNDING = 1e-11
# Half the width of a Gaussian at half height, in standard deviations.
_HALF_WIDTH = np.sqrt(2 * np.log(2))

# Rates in units of the reciprocal range of x, from nearly straight lines to what only x spaced by powers can resolve.
_RATES = 0.4 * 2.0 ** np.arange(16.0)
# Fewer for pairs of decays: rates that are close to each other do hardly better than one.
_RATES_OF_PAIRS = _RATES[::2]
_FAST, _SLOW = np.tril_indices(_RATES_OF_PAIRS.size, -1)
_DAMPING = np.array([0.0, 1.0, 3.0, 9.0, 27.0])
# What rate * x may be, so that no exponential overflows.
_LARGEST_EXPONENT = 600.0
_EXPONENTS = np.array([0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0])
# Half-saturation constants in units of the largest x.
_CONSTANTS = 2.0 ** np.arange(-12.0, 5.0)
# Midpoints in units of the range of x, and slopes in units of its reciprocal.
_MIDPOINTS = np.tile(np.linspace(0, 1, 9), 3)
_HILLS = np.repeat([1.5, 5.0, 15.0], 9)


class _Block(NamedTuple):
    """Some fits, with observations that are shifted and scaled so that sums can neither overflow nor cancel."""

    x: tuple[FloatArray, ...]  # shape (M,) or (B, M) each
    y: FloatArray  # shape (B, M), from -1 to 1, and 0 where missing
    present: FloatArray  # 1, or 0 where missing; shape (B, M), or (1, M) where nothing is
    points: FloatArray  # how many are present, or 1 where nothing is
    middle: FloatArray  # shape (B,): the observations are middle + height * y
    height: FloatArray


_Indices: TypeAlias = NDArray[np.intp]
_Guess: TypeAlias = Callable[[_Block], tuple[FloatArray, ...]]


def _for_all_fits(parameters: int, functions: int = 1) -> Callable[[_Guess], Callable[[Any, FloatArray], FloatArray]]:
    """Turn a function of a block of fits into one of `x` and `y`, which tabulates so many `functions` of each x."""

    def decorate(guess: _Guess) -> Callable[[Any, FloatArray], FloatArray]:
        @functools.wraps(guess, assigned=("__module__", "__name__", "__qualname__", "__doc__"))
        def start_values(x: Any, y: FloatArray) -> FloatArray:
            predictors = x if isinstance(x, tuple) else (x,)
            m = y.shape[-1]
            fits = np.broadcast_shapes(y.shape[:-1], *(p.shape[:-1] for p in predictors))
            rows = (math.prod(fits), m)
            y = np.broadcast_to(y, (*fits, m)).reshape(rows)
            predictors = tuple(
                p.ravel() if p.size == m else np.broadcast_to(p, (*fits, m)).reshape(rows) for p in predictors
            )
            values = np.ones((len(y), parameters))
            tables = functions if any(p.ndim == 2 for p in predictors) else 1
            size = max(1, _BLOCK // (tables * m)) if m else 1
            with np.errstate(all="ignore"):
                for first in range(0, len(y) if m else 0, size):
                    some = slice(first, first + size)
                    x_some = tuple(p if p.ndim == 1 else np.ascontiguousarray(p[some]) for p in predictors)
                    values[some] = np.stack(guess(_block(x_some, np.ascontiguousarray(y[some]))), axis=-1)
            values[~np.isfinite(values)] = 1.0
            return values.reshape(*fits, parameters)

        # The signature is that of start_values.
        del start_values.__wrapped__
        return start_values

    return decorate


def _block(x: tuple[FloatArray, ...], y: FloatArray) -> _Block:
    usable = functools.reduce(np.logical_and, map(np.isfinite, x), np.isfinite(y))
    complete = bool(usable.all())
    seen = y if complete else np.where(usable, y, np.nan)
    lowest, highest = np.fmin.reduce(seen, axis=-1), np.fmax.reduce(seen, axis=-1)
    middle, height = np.nan_to_num(0.5 * lowest + 0.5 * highest), np.nan_to_num(0.5 * highest - 0.5 * lowest)
    height[height == 0] = 1
    scaled = (seen - middle[:, None]) / height[:, None]
    present = np.ones((1, y.shape[-1])) if complete else usable.astype(np.float64)
    points = np.maximum(present.sum(axis=-1), 1)
    return _Block(x, scaled if complete else np.nan_to_num(scaled), present, points, middle, height)


def _unit(x: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return predictors from 0 to 1, where 0 is, and what 1 stands for."""
    x = np.where(np.isfinite(x), x, np.nan)
    start = np.fmin.reduce(x, axis=-1)
    length = np.fmax.reduce(x, axis=-1) - start
    length = np.where(length > 0, length, 1)
    return np.nan_to_num((x - start[..., None]) / length[..., None]), start, length


def _sums(functions: FloatArray, weights: FloatArray) -> FloatArray:
    """Sum K functions of shape (K, M) or (B, K, M) with weights of shape (B, M).

    Not a matrix product: in BLAS, the order of the additions depends on how many fits there are.
    """
    sums: FloatArray = np.einsum("...km,...m->...k", functions, weights)
    return sums


def _ratio(a: FloatArray, b: FloatArray, least: FloatArray | float = 0.0) -> FloatArray:
    """Divide where b is larger than `least`; otherwise zero."""
    return np.where(b > least, a / b, 0)


# --- Parameters that enter linearly ---


class _Moments(NamedTuple):
    """Means of K functions and of y, and sums of squares and products of what is left without the means."""

    mean: FloatArray
    y_mean: FloatArray
    squares: FloatArray
    with_y: FloatArray


def _moments(functions: FloatArray, block: _Block) -> _Moments:
    count = block.points[:, None]
    total = block.y.sum(axis=-1)[:, None]
    mean = _sums(functions, block.present) / count
    squares = _sums(functions * functions, block.present)
    centred = squares - count * mean**2
    return _Moments(
        mean,
        total / count,
        np.where(centred > _ROUNDING * squares, centred, 0),
        _sums(functions, block.y) - total * mean,
    )


def _lines(functions: FloatArray, block: _Block) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Fit each of K functions with an amplitude and an offset.

    Returns amplitude, offset and by how much they reduce the sum of squares, shape (B, K) each.
    """
    moments = _moments(functions, block)
    amplitude = _ratio(moments.with_y, moments.squares)
    return amplitude, moments.y_mean - amplitude * moments.mean, amplitude * moments.with_y


def _planes(
    functions: FloatArray, i: _Indices, j: _Indices, block: _Block
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Fit pairs of functions with an amplitude each and an offset.

    Returns both amplitudes, the offset and by how much they reduce the sum of squares.
    """
    moments = _moments(functions, block)
    products = _sums(functions[..., i, :] * functions[..., j, :], block.present)
    cross = products - block.points[:, None] * moments.mean[:, i] * moments.mean[:, j]
    square_i, square_j = moments.squares[:, i], moments.squares[:, j]
    y_i, y_j = moments.with_y[:, i], moments.with_y[:, j]
    determinant, least = square_i * square_j - cross**2, _ROUNDING * square_i * square_j
    a = _ratio(square_j * y_i - cross * y_j, determinant, least)
    b = _ratio(square_i * y_j - cross * y_i, determinant, least)
    return a, b, moments.y_mean - a * moments.mean[:, i] - b * moments.mean[:, j], a * y_i + b * y_j


def _best(gain: FloatArray, *choices: FloatArray) -> tuple[FloatArray, ...]:
    """Pick from each of `choices`, shape (K,) or (B, K), where the gain is largest."""
    best = np.argmax(np.nan_to_num(gain, nan=-1.0), axis=-1)[:, None]
    return tuple(np.take_along_axis(np.broadcast_to(c, gain.shape), best, axis=-1)[:, 0] for c in choices)


# --- Peaks ---


def _peaks(units: tuple[FloatArray, ...], block: _Block) -> tuple[FloatArray, FloatArray]:
    """Return centre and spread of two peaks: of what is above half height, and of what is below if it points downwards.

    The spread is the matrix of second moments, of shape (B, 2, D, D), the centre has shape (B, 2, D). Weights are the
    squared distances from half height, so that single points which noise alone carries that far count little. For a
    paraboloid, the moments are the square of its half width at half height, over D + 6.
    """
    functions = np.stack(np.broadcast_arrays(*units), axis=-2)
    d, m = functions.shape[-2:]
    products = functions[..., :, None, :] * functions[..., None, :, :]
    products = products.reshape(*functions.shape[:-2], d * d, m)
    centres, spreads = [], []
    for side in (block.y, -block.y):
        weights = np.square(np.maximum(side, 0))
        total = weights.sum(axis=-1)[:, None]
        centre, second = (_ratio(_sums(f, weights), total) for f in (functions, products))
        centres.append(centre)
        spreads.append(second.reshape(-1, d, d) - centre[:, :, None] * centre[:, None, :])
    # Each point stands for its surroundings, so that a peak of a single one has a width.
    spacing = 1 / np.maximum(block.points ** (1 / d) - 1, 1)
    surroundings = spacing[:, None, None, None] ** 2 / 12 * np.eye(d)
    return np.stack(centres, axis=1), np.stack(spreads, axis=1) + surroundings


def _width_at_half_height(block: _Block) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return centres and half widths at half height of the two peaks there may be, and distances in half widths."""
    unit, start, length = _unit(block.x[0])
    centre, spread = _peaks((unit,), block)
    centre, half_width = centre[:, :, 0], np.sqrt(7 * spread[:, :, 0, 0])
    distance = (unit[..., None, :] - centre[:, :, None]) / half_width[:, :, None]
    return start[..., None] + length[..., None] * centre, length[..., None] * half_width, distance


def _better_peak(functions: FloatArray, block: _Block, *parameters: FloatArray) -> tuple[FloatArray, ...]:
    """Return amplitude, the parameters of its function, and offset of whichever of two peaks fits better."""
    amplitude, offset, gain = _lines(functions, block)
    amplitude, offset, *chosen = _best(gain, amplitude, offset, *parameters)
    return block.height * amplitude, *chosen, block.middle + block.height * offset


@_for_all_fits(4)
def gaussian(block: _Block) -> tuple[FloatArray, ...]:
    """Guess amplitude, center, sigma and offset of a Gaussian peak, which may point downwards.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.linspace(-5, 5, 201)
    >>> y = 1 - 3 * np.exp(-((x - 1) ** 2) / (2 * 0.5**2))
    >>> np.allclose(gaussian(x, y), [-3, 1, 0.5, 1], atol=0.1)
    True
    """
    center, half_width, distance = _width_at_half_height(block)
    return _better_peak(np.exp(-np.log(2) * distance**2), block, center, half_width / _HALF_WIDTH)


@_for_all_fits(4)
def lorentzian(block: _Block) -> tuple[FloatArray, ...]:
    """Guess amplitude, center, gamma and offset of a Lorentzian peak, which may point downwards."""
    center, half_width, distance = _width_at_half_height(block)
    return _better_peak(1 / (1 + distance**2), block, center, half_width)


@_for_all_fits(5)
def pseudo_voigt(block: _Block) -> tuple[FloatArray, ...]:
    """Guess amplitude, center, sigma, fraction and offset of a peak half Gaussian, half Lorentzian."""
    center, half_width, distance = _width_at_half_height(block)
    functions = 0.5 * np.exp(-np.log(2) * distance**2) + 0.5 / (1 + distance**2)
    return _better_peak(functions, block, center, half_width / _HALF_WIDTH, np.full_like(center, 0.5))


class _Ellipses(NamedTuple):
    """The two peaks there may be in each image; shape (B, 2) each, but for the distances from the centre."""

    x0: FloatArray
    y0: FloatArray
    dx: FloatArray  # shape (B, 2, M)
    dy: FloatArray
    xx: FloatArray  # the covariance as if the peak were Gaussian
    xy: FloatArray
    yy: FloatArray


def _ellipses(block: _Block) -> _Ellipses:
    (u, u_start, u_length), (v, v_start, v_length) = (_unit(x) for x in block.x)
    centre, spread = _peaks((u, v), block)
    spread = spread * (8 / _HALF_WIDTH**2)
    u_start, u_length, v_start, v_length = (a[..., None] for a in (u_start, u_length, v_start, v_length))
    return _Ellipses(
        u_start + u_length * centre[:, :, 0],
        v_start + v_length * centre[:, :, 1],
        u_length[..., None] * (u[..., None, :] - centre[:, :, 0, None]),
        v_length[..., None] * (v[..., None, :] - centre[:, :, 1, None]),
        u_length**2 * spread[:, :, 0, 0],
        u_length * v_length * spread[:, :, 0, 1],
        v_length**2 * spread[:, :, 1, 1],
    )


@_for_all_fits(5, functions=4)
def gaussian_2d(block: _Block) -> tuple[FloatArray, ...]:
    """Guess amplitude, x0, y0, sigma and offset of a round Gaussian peak in an image, which may point downwards."""
    x0, y0, dx, dy, xx, _, yy = _ellipses(block)
    variance = 0.5 * (xx + yy)
    functions = np.exp(-0.5 * (dx**2 + dy**2) / variance[:, :, None])
    return _better_peak(functions, block, x0, y0, np.sqrt(variance))


@_for_all_fits(7, functions=4)
def gaussian_2d_elliptic(block: _Block) -> tuple[FloatArray, ...]:
    """Guess amplitude, x0, y0, sigma_x, sigma_y, theta and offset of an elliptic Gaussian peak in an image.

    Theta, from -pi/2 to pi/2, is the direction of the longer principal axis of what is beyond half height, whose length
    is sigma_x.
    """
    x0, y0, dx, dy, xx, xy, yy = _ellipses(block)
    mean, difference = 0.5 * (xx + yy), np.hypot(0.5 * (xx - yy), xy)
    sigma_x, sigma_y = np.sqrt(mean + difference), np.sqrt(np.maximum(mean - difference, 1e-6 * mean))
    theta = 0.5 * np.arctan2(2 * xy, xx - yy)
    cos, sin = np.cos(theta)[:, :, None], np.sin(theta)[:, :, None]
    u, v = (dx * cos + dy * sin) / sigma_x[:, :, None], (dy * cos - dx * sin) / sigma_y[:, :, None]
    return _better_peak(np.exp(-0.5 * (u**2 + v**2)), block, x0, y0, sigma_x, sigma_y, theta)


# --- Decays ---


def _decays(unit: FloatArray) -> FloatArray:
    """Tabulate decays with all rates: each is the square of the one before, much faster than an exponential."""
    decays = np.empty((*unit.shape[:-1], _RATES.size, unit.shape[-1]))
    decays[..., 0, :] = np.exp(-_RATES[0] * unit)
    for k in range(1, _RATES.size):
        np.square(decays[..., k - 1, :], out=decays[..., k, :])
    return decays


def _without_overflow(gain: FloatArray, rate: FloatArray, x: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Rule out rates for which an exponential at x, where it is largest, is out of range; rate 0 stands for them."""
    possible = np.abs(rate * x) < _LARGEST_EXPONENT
    return np.where(possible, gain, -1), np.where(possible, rate, 0)


@_for_all_fits(3, functions=2 * _RATES.size)
def exponential(block: _Block) -> tuple[FloatArray, ...]:
    """Guess amplitude, rate and offset of an exponential decay, or growth, for which the rate is negative.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.linspace(0, 4, 50)
    >>> y = np.exp(-np.array([[0.4], [1.6]]) * x)
    >>> exponential(x, y)[:, 1].round(1).tolist()
    [0.4, 1.6]
    """
    unit, start, length = _unit(block.x[0])
    functions = np.concatenate([_decays(unit), _decays(1 - unit)], axis=-2)
    rate = np.concatenate([_RATES, -_RATES]) / length[..., None]
    # A decay is largest at the start, growth at the end.
    largest = np.repeat(np.stack([start, start + length], axis=-1), _RATES.size, axis=-1)
    amplitude, offset, gain = _lines(functions, block)
    gain, rate = _without_overflow(gain, rate, largest)
    amplitude, rate, offset, largest = _best(gain, amplitude, rate, offset, largest)
    return block.height * amplitude * np.exp(rate * largest), rate, block.middle + block.height * offset


@_for_all_fits(5, functions=_FAST.size)
def biexponential(block: _Block) -> tuple[FloatArray, ...]:
    """Guess amplitude1, rate1, amplitude2, rate2 and offset of the sum of two decays, the faster one first."""
    unit, start, length = _unit(block.x[0])
    fast, slow, offset, gain = _planes(_decays(unit)[..., ::2, :], _FAST, _SLOW, block)
    rate1, rate2 = (_RATES_OF_PAIRS[pair] / length[..., None] for pair in (_FAST, _SLOW))
    _, rate2 = _without_overflow(gain, rate2, start[..., None])
    gain, rate1 = _without_overflow(gain, rate1, start[..., None])
    fast, rate1, slow, rate2, offset = _best(gain, fast, rate1, slow, rate2, offset)
    amplitude1, amplitude2 = block.height * fast * np.exp(rate1 * start), block.height * slow * np.exp(rate2 * start)
    return amplitude1, rate1, amplitude2, rate2, block.middle + block.height * offset


# --- Curves that rise or fall ---


@_for_all_fits(4, functions=_HILLS.size)
def logistic4(block: _Block) -> tuple[FloatArray, ...]:
    """Guess bottom, top, log_ec50 and hill of a sigmoidal curve over the logarithm of the dose.

    Bottom is below top; where the response falls, hill is negative.
    """
    unit, start, length = _unit(block.x[0])
    functions = 1 / (1 + np.exp((_MIDPOINTS[:, None] - unit[..., None, :]) * (np.log(10) * _HILLS[:, None])))
    height, low, gain = _lines(functions, block)
    height, low, midpoint, hill = _best(gain, height, low, _MIDPOINTS, _HILLS)
    bottom, top = low + np.minimum(height, 0), low + np.maximum(height, 0)
    return (
        block.middle + block.height * bottom,
        block.middle + block.height * top,
        start + length * midpoint,
        np.copysign(hill, height) / length,
    )


@_for_all_fits(2, functions=_CONSTANTS.size)
def michaelis_menten(block: _Block) -> tuple[FloatArray, ...]:
    """Guess vmax and km of a rate that saturates with the concentration; km is positive."""
    x = np.abs(np.where(np.isfinite(block.x[0]), block.x[0], 0))
    largest = x.max(axis=-1)
    largest = np.where(largest > 0, largest, 1)
    unit = (x / largest[..., None])[..., None, :]
    functions = unit / (_CONSTANTS[:, None] + unit)
    # There is no offset: y itself is fitted, not what is left without its mean.
    scale = np.abs(block.middle) + block.height
    with_y = (block.height / scale)[:, None] * _sums(functions, block.y)
    with_y += (block.middle / scale)[:, None] * _sums(functions, block.present)
    vmax = _ratio(with_y, _sums(functions * functions, block.present))
    vmax, km = _best(vmax * with_y, vmax, _CONSTANTS)
    return scale * vmax, km * largest


@_for_all_fits(3, functions=2 * _EXPONENTS.size)
def power_law(block: _Block) -> tuple[FloatArray, ...]:
    """Guess amplitude, exponent and offset of a power of `x`, which is not negative."""
    x = np.where(block.x[0] > 0, block.x[0], np.nan)
    smallest, largest = (np.nan_to_num(f.reduce(x, axis=-1), nan=1.0) for f in (np.fmin, np.fmax))
    above = np.log(np.nan_to_num(x / smallest[..., None], nan=1.0))[..., None, :]
    below = np.log(np.nan_to_num(x / largest[..., None], nan=0.0))[..., None, :]
    functions = np.exp(np.concatenate([-_EXPONENTS[:, None] * above, _EXPONENTS[:, None] * below], axis=-2))
    amplitude, offset, gain = _lines(functions, block)
    # A negative exponent is impossible where there is an observation at zero.
    at_zero = _sums((block.x[0] == 0).astype(np.float64)[..., None, :], block.present) > 0
    gain[:, : _EXPONENTS.size] = np.where(at_zero, -1, gain[:, : _EXPONENTS.size])
    amplitude, exponent, offset = _best(gain, amplitude, np.concatenate([-_EXPONENTS, _EXPONENTS]), offset)
    scale = np.where(exponent < 0, smallest, largest)
    return block.height * amplitude * scale**-exponent, exponent, block.middle + block.height * offset


# --- Oscillations ---


def _frequency(unit: FloatArray, block: _Block) -> FloatArray:
    """Return the frequency where the periodogram is largest, in cycles per range of x.

    Observations go to the nearest of 2 M - 1 equally spaced places, so that a fast Fourier transform will do; equally
    spaced ones stay where they are. Frequencies are half a cycle apart, up to what M equally spaced points resolve.
    """
    b, m = block.y.shape
    size = 4 * m
    places = np.rint(unit * (2 * m - 2)).astype(np.intp) + size * np.arange(b)[:, None]
    left = (block.y - (block.y.sum(axis=-1) / block.points)[:, None]) * block.present
    series = np.bincount(places.ravel(), left.ravel(), minlength=b * size).reshape(b, size)
    power = np.abs(np.fft.rfft(series)[:, : m + 1]) ** 2
    power[:, 0] = 0
    # The vertex of the parabola through the largest value and its neighbours.
    peak = np.clip(np.argmax(power, axis=-1), 1, max(m - 1, 1))
    before, here, after = (power[np.arange(b), np.minimum(peak + step, m)] for step in (-1, 0, 1))
    shift = _ratio(0.5 * (after - before), 2 * here - before - after)
    cycles: FloatArray = (peak + np.clip(shift, -0.5, 0.5)) * ((2 * m - 2) / size)
    return cycles


@_for_all_fits(5, functions=2 * _DAMPING.size)
def damped_sine(block: _Block) -> tuple[FloatArray, ...]:
    """Guess amplitude, rate, frequency, phase and offset of an oscillation that dies away.

    The frequency is that of the largest value of the periodogram, at most half the number of points per range of `x`.
    """
    unit, start, length = _unit(block.x[0])
    cycles = _frequency(unit, block)
    angle = 2 * np.pi * cycles[:, None] * unit
    decays = np.exp(-_DAMPING[:, None] * unit[..., None, :])
    waves = np.concatenate([decays * np.cos(angle)[:, None, :], decays * np.sin(angle)[:, None, :]], axis=-2)
    pairs = np.arange(_DAMPING.size)
    cos, sin, offset, gain = _planes(waves, pairs, pairs + _DAMPING.size, block)
    gain, rate = _without_overflow(gain, _DAMPING / length[..., None], start[..., None])
    cos, sin, rate, offset = _best(gain, cos, sin, rate, offset)
    frequency = cycles / length
    amplitude = block.height * np.hypot(cos, sin) * np.exp(rate * start)
    # Modulo one turn, because the phase at the start of the data may be many turns from that at zero.
    turns = np.arctan2(cos, sin) / (2 * np.pi) - frequency * start
    return amplitude, rate, frequency, 2 * np.pi * (turns - np.rint(turns)), block.middle + block.height * offset
