"""Start values for peaks."""

import numpy as np

from .._input.validate import FloatArray
from .lines import MOST_POINTS_OF_PEAKS, Chunk, choose_best, fit_lines, for_all_fits, ratio, sums_of, unit_of

# Half the width of a Gaussian at half height, in standard deviations.
HALF_WIDTH = np.sqrt(2 * np.log(2))


def peaks_of(units: tuple[FloatArray, ...], chunk: Chunk) -> tuple[FloatArray, FloatArray]:
    """Return centre and spread of two peaks: of what is above half height, and of what is below if it points downwards.

    The spread is the matrix of second moments, of shape (B, 2, D, D), the centre has shape (B, 2, D). Weights are the
    squared distances from half height, so that single points which noise alone carries that far count little. For a
    paraboloid, the moments are the square of its half width at half height, over D + 6.
    """
    functions = units[0][..., None, :] if len(units) == 1 else np.stack(np.broadcast_arrays(*units), axis=-2)
    d, m = functions.shape[-2:]
    products = functions[..., :, None, :] * functions[..., None, :, :]
    products = products.reshape(*functions.shape[:-2], d * d, m)
    weights = np.empty((2, *chunk.y.shape))
    np.square(np.maximum(chunk.y, 0.0), out=weights[0])
    np.square(np.minimum(chunk.y, 0.0), out=weights[1])
    moments = ratio(sums_of(np.concatenate([functions, products], axis=-2), weights), weights.sum(axis=-1)[..., None])
    centre = moments[..., :d]
    spread = moments[..., d:].reshape(*centre.shape, d) - centre[..., :, None] * centre[..., None, :]
    # Each point stands for its surroundings, so that a peak of a single one has a width.
    spacing = 1 / np.maximum(chunk.points ** (1 / d) - 1, 1)
    spread.reshape(*centre.shape[:-1], d * d)[..., :: d + 1] += (spacing**2 / 12)[:, None]
    return centre.swapaxes(0, 1), spread.swapaxes(0, 1)


def width_at_half_height(chunk: Chunk) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return centres and half widths at half height of the two peaks there may be, and distances in half widths."""
    unit, start, length = unit_of(chunk.x[0])
    centre, spread = peaks_of((unit,), chunk)
    centre, half_width = centre[:, :, 0], np.sqrt(7 * spread[:, :, 0, 0])
    distance = (unit[..., None, :] - centre[:, :, None]) / half_width[:, :, None]
    return start[..., None] + length[..., None] * centre, length[..., None] * half_width, distance


def better_peak(functions: FloatArray, chunk: Chunk, *parameters: FloatArray) -> tuple[FloatArray, ...]:
    """Return amplitude, the parameters of its function, and offset of whichever of two peaks fits better."""
    amplitude, offset, gain = fit_lines(functions, chunk)
    amplitude, offset, *chosen = choose_best(gain, amplitude, offset, *parameters)
    return chunk.height * amplitude, *chosen, chunk.middle + chunk.height * offset


@for_all_fits(4, most=MOST_POINTS_OF_PEAKS)
def gaussian(chunk: Chunk) -> tuple[FloatArray, ...]:
    """Guess amplitude, center, sigma and offset of a Gaussian peak, which may point downwards.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.linspace(-5, 5, 201)
    >>> y = 1 - 3 * np.exp(-((x - 1) ** 2) / (2 * 0.5**2))
    >>> np.allclose(gaussian(x, y), [-3, 1, 0.5, 1], atol=0.1)
    True
    """
    center, half_width, distance = width_at_half_height(chunk)
    return better_peak(np.exp(-np.log(2) * distance**2), chunk, center, half_width / HALF_WIDTH)


@for_all_fits(4, most=MOST_POINTS_OF_PEAKS)
def lorentzian(chunk: Chunk) -> tuple[FloatArray, ...]:
    """Guess amplitude, center, gamma and offset of a Lorentzian peak, which may point downwards."""
    center, half_width, distance = width_at_half_height(chunk)
    return better_peak(1 / (1 + distance**2), chunk, center, half_width)


@for_all_fits(5, most=MOST_POINTS_OF_PEAKS)
def pseudo_voigt(chunk: Chunk) -> tuple[FloatArray, ...]:
    """Guess amplitude, center, sigma, fraction and offset of a peak half Gaussian, half Lorentzian."""
    center, half_width, distance = width_at_half_height(chunk)
    functions = 0.5 * np.exp(-np.log(2) * distance**2) + 0.5 / (1 + distance**2)
    return better_peak(functions, chunk, center, half_width / HALF_WIDTH, np.full_like(center, 0.5))
