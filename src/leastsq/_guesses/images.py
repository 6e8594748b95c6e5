"""Start values for peaks in images."""

from typing import NamedTuple

import numpy as np

from .._input.validate import FloatArray
from .lines import MOST_POINTS_OF_PEAKS, Chunk, for_all_fits, unit_of
from .peaks import HALF_WIDTH, better_peak, peaks_of


class Ellipses(NamedTuple):
    """The two peaks there may be in each image; shape (B, 2) each, but for the distances from the centre."""

    x0: FloatArray
    y0: FloatArray
    dx: FloatArray  # shape (B, 2, M)
    dy: FloatArray
    xx: FloatArray  # the covariance as if the peak were Gaussian
    xy: FloatArray
    yy: FloatArray


def ellipses(chunk: Chunk) -> Ellipses:
    (u, u_start, u_length), (v, v_start, v_length) = (unit_of(x) for x in chunk.x)
    centre, spread = peaks_of((u, v), chunk)
    spread = spread * (8 / HALF_WIDTH**2)
    u_start, u_length, v_start, v_length = (a[..., None] for a in (u_start, u_length, v_start, v_length))
    return Ellipses(
        u_start + u_length * centre[:, :, 0],
        v_start + v_length * centre[:, :, 1],
        u_length[..., None] * (u[..., None, :] - centre[:, :, 0, None]),
        v_length[..., None] * (v[..., None, :] - centre[:, :, 1, None]),
        u_length**2 * spread[:, :, 0, 0],
        u_length * v_length * spread[:, :, 0, 1],
        v_length**2 * spread[:, :, 1, 1],
    )


@for_all_fits(5, functions=4, most=MOST_POINTS_OF_PEAKS)
def gaussian_2d(chunk: Chunk) -> tuple[FloatArray, ...]:
    """Guess amplitude, x0, y0, sigma and offset of a round Gaussian peak in an image, which may point downwards."""
    x0, y0, dx, dy, xx, _, yy = ellipses(chunk)
    variance = 0.5 * (xx + yy)
    functions = np.exp(-0.5 * (dx**2 + dy**2) / variance[:, :, None])
    return better_peak(functions, chunk, x0, y0, np.sqrt(variance))


@for_all_fits(7, functions=4, most=MOST_POINTS_OF_PEAKS)
def gaussian_2d_elliptic(chunk: Chunk) -> tuple[FloatArray, ...]:
    """Guess amplitude, x0, y0, sigma_x, sigma_y, theta and offset of an elliptic Gaussian peak in an image.

    Theta, from -pi/2 to pi/2, is the direction of the longer principal axis of what is beyond half height, whose length
    is sigma_x.
    """
    x0, y0, dx, dy, xx, xy, yy = ellipses(chunk)
    mean, difference = 0.5 * (xx + yy), np.hypot(0.5 * (xx - yy), xy)
    sigma_x, sigma_y = np.sqrt(mean + difference), np.sqrt(np.maximum(mean - difference, 1e-6 * mean))
    theta = 0.5 * np.arctan2(2 * xy, xx - yy)
    cos, sin = np.cos(theta)[:, :, None], np.sin(theta)[:, :, None]
    u, v = (dx * cos + dy * sin) / sigma_x[:, :, None], (dy * cos - dx * sin) / sigma_y[:, :, None]
    return better_peak(np.exp(-0.5 * (u**2 + v**2)), chunk, x0, y0, sigma_x, sigma_y, theta)
