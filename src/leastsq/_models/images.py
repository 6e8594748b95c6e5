"""Spots in images, with two predictors. See `leastsq.models`."""

from typing import Any

import numpy as np

from .._guesses import guesses, more_guesses
from .model import compiled

_LARGEST = np.finfo(np.float64).max


@compiled(10, guesses.gaussian_2d, predictors=2)
def gaussian_2d(xy: Any, amplitude: Any, x0: Any, y0: Any, sigma: Any, offset: Any) -> Any:
    """Round Gaussian spot on a constant background, with ``xy = (x, y)``.

    ``amplitude * exp(-((x - x0)**2 + (y - y0)**2) / (2 * sigma**2)) + offset``, the usual model of a point seen
    through a microscope [1]_.

    References
    ----------
    .. [1] B. Zhang, J. Zerubia, J.-C. Olivo-Marin, "Gaussian approximations of fluorescence microscope point-spread
       function models", Appl. Opt. 46 (2007), pp. 1819-1829.

    Examples
    --------
    >>> from leastsq import models
    >>> float(models.gaussian_2d((1.0, 2.0), 3.0, 1.0, 2.0, 0.7, 0.5))
    3.5
    """
    x, y = xy
    return amplitude * np.exp(-0.5 * (((x - x0) / sigma) ** 2 + ((y - y0) / sigma) ** 2)) + offset


@compiled(11, guesses.gaussian_2d_elliptic, predictors=2)
def gaussian_2d_elliptic(
    xy: Any, amplitude: Any, x0: Any, y0: Any, sigma_x: Any, sigma_y: Any, theta: Any, offset: Any
) -> Any:
    """Elliptic Gaussian spot, rotated by `theta`, on a constant background, with ``xy = (x, y)``.

    ``amplitude * exp(-u**2 / (2 * sigma_x**2) - v**2 / (2 * sigma_y**2)) + offset``, where
    ``u = (x - x0) * cos(theta) + (y - y0) * sin(theta)`` and ``v = (y - y0) * cos(theta) - (x - x0) * sin(theta)``:
    `theta`, in radians, turns from the x axis towards the y axis [1]_. It is not determined for round spots, and
    swapping the widths turns it by a right angle.

    References
    ----------
    .. [1] P. B. Stetson, "DAOPHOT: a computer program for crowded-field stellar photometry", Publ. Astron. Soc. Pac. 99
       (1987), pp. 191-222, section III.

    Examples
    --------
    >>> from leastsq import models
    >>> float(models.gaussian_2d_elliptic((1.0, 2.0), 3.0, 1.0, 2.0, 0.7, 1.4, 0.3, 0.5))
    3.5
    """
    x, y = xy
    sine, cosine = np.sin(theta), np.cos(theta)
    # At infinity as far away as numbers go, where a sine of zero is no trouble.
    dx, dy = (np.clip(distance, -_LARGEST, _LARGEST) for distance in (x - x0, y - y0))
    u, v = (dx * cosine + dy * sine) / sigma_x, (dy * cosine - dx * sine) / sigma_y
    return amplitude * np.exp(-0.5 * (u**2 + v**2)) + offset


@compiled(25, more_guesses.gaussian_2d_pixel, predictors=2)
def gaussian_2d_pixel(xy: Any, intensity: Any, x0: Any, y0: Any, sigma: Any, offset: Any) -> Any:
    """Round Gaussian spot integrated over pixels, with ``xy = (x, y)`` the centres of pixels of side 1.

    ``intensity * E(x - x0) * E(y - y0) + offset`` with ``E(d) = (erf((d + 0.5) / s) - erf((d - 0.5) / s)) / 2`` and
    ``s = sigma * sqrt(2)``: `intensity` is the sum over all pixels, such as the number of photons of a molecule [1]_.

    References
    ----------
    .. [1] C. S. Smith, N. Joseph, B. Rieger, K. A. Lidke, "Fast, single-molecule localization that achieves
       theoretically minimum uncertainty", Nature Methods 7 (2010), pp. 373-375.

    Examples
    --------
    >>> from leastsq import models
    >>> float(models.gaussian_2d_pixel((1.0, 2.0), 300.0, 1.0, 2.0, 0.5, 10.0).round(1))
    149.8
    """
    return gaussian_2d_pixel.compiled_values(xy, intensity, x0, y0, sigma, offset)


@compiled(24, more_guesses.moffat_2d, predictors=2)
def moffat_2d(xy: Any, amplitude: Any, x0: Any, y0: Any, gamma: Any, beta: Any, offset: Any) -> Any:
    """Round Moffat spot on a constant background, with ``xy = (x, y)``: a star seen through the atmosphere.

    ``amplitude * (1 + ((x - x0)**2 + (y - y0)**2) / gamma**2)**-beta + offset`` [1]_; the full width at half maximum is
    ``2 * gamma * sqrt(2**(1 / beta) - 1)``.

    References
    ----------
    .. [1] A. F. J. Moffat, "A theoretical investigation of focal stellar images in the photographic emulsion and
       application to photographic photometry", Astron. Astrophys. 3 (1969), pp. 455-461.

    Examples
    --------
    >>> from leastsq import models
    >>> float(models.moffat_2d((1.0, 2.0), 3.0, 1.0, 2.0, 0.7, 2.5, 0.5))
    3.5
    """
    x, y = xy
    return amplitude * np.exp(-beta * np.log1p(((x - x0) / gamma) ** 2 + ((y - y0) / gamma) ** 2)) + offset
