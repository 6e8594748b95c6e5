"""Peaks over one predictor. See `leastsq.models`."""

from typing import Any

import numpy as np

from .._guesses import guesses, more_guesses
from .model import compiled


@compiled(1, guesses.gaussian)
def gaussian(x: Any, amplitude: Any, center: Any, sigma: Any, offset: Any) -> Any:
    """Gaussian peak on a constant.

    ``amplitude * exp(-(x - center)**2 / (2 * sigma**2)) + offset``, as in [1]_; `sigma` is the standard deviation, the
    full width at half maximum ``2.355 * sigma``.

    References
    ----------
    .. [1] NIST/SEMATECH, "e-Handbook of Statistical Methods", section 1.3.6.6.1.

    Examples
    --------
    >>> import numpy as np
    >>> from leastsq import curve_fit, models
    >>> x = np.linspace(0, 10, 41)
    >>> y = models.gaussian(x, 3.0, 4.5, 1.2, 0.5) + 0.05 * np.cos(25 * x)
    >>> popt, pcov = curve_fit(models.gaussian, x, y)
    >>> popt.round(1).tolist()
    [3.0, 4.5, 1.2, 0.5]
    """
    return amplitude * np.exp(-0.5 * ((x - center) / sigma) ** 2) + offset


@compiled(2, guesses.lorentzian)
def lorentzian(x: Any, amplitude: Any, center: Any, gamma: Any, offset: Any) -> Any:
    """Lorentzian (Cauchy, Breit-Wigner) peak on a constant.

    ``amplitude * gamma**2 / ((x - center)**2 + gamma**2) + offset``, as in [1]_; `gamma` is half the full width at
    half maximum.

    References
    ----------
    .. [1] NIST/SEMATECH, "e-Handbook of Statistical Methods", section 1.3.6.6.3.

    Examples
    --------
    >>> from leastsq import models
    >>> float(models.lorentzian(1.5, 2.0, 1.0, 0.5, 0.1))
    1.1
    """
    return amplitude * gamma**2 / ((x - center) ** 2 + gamma**2) + offset


@compiled(3, guesses.pseudo_voigt)
def pseudo_voigt(x: Any, amplitude: Any, center: Any, sigma: Any, fraction: Any, offset: Any) -> Any:
    """Mixture of a Gaussian and a Lorentzian peak of one height and width on a constant.

    ``amplitude * ((1 - fraction) * G + fraction * L) + offset`` with ``G = exp(-(x - center)**2 / (2 * sigma**2))``
    and ``L = gamma**2 / ((x - center)**2 + gamma**2)``, where ``gamma = sigma * sqrt(2 * log(2))`` gives both the same
    full width at half maximum, ``2.355 * sigma`` [1]_.

    References
    ----------
    .. [1] G. K. Wertheim, M. A. Butler, K. W. West, D. N. E. Buchanan, "Determination of the Gaussian and Lorentzian
       content of experimental line shapes", Rev. Sci. Instrum. 45 (1974), pp. 1369-1371.

    Examples
    --------
    >>> from leastsq import models
    >>> float(models.pseudo_voigt(1.0, 2.0, 1.0, 0.5, 0.3, 0.1))
    2.1
    """
    square = ((x - center) / sigma) ** 2
    lorentz = 2 * np.log(2) / (square + 2 * np.log(2))
    return amplitude * ((1 - fraction) * np.exp(-0.5 * square) + fraction * lorentz) + offset


@compiled(15, more_guesses.voigt)
def voigt(x: Any, amplitude: Any, center: Any, sigma: Any, gamma: Any, offset: Any) -> Any:
    """Voigt profile on a constant: a Gaussian of width `sigma` convolved with a Lorentzian of half width `gamma`.

    ``amplitude * w(z).real / w(z0).real + offset`` with the Faddeeva function [1]_ [2]_
    ``w(z) = exp(-z**2) * erfc(-1j * z)``, ``z = (x - center + 1j * gamma) / (sigma * sqrt(2))`` and z0 the same at the
    center: `amplitude` is the height. It is a `gaussian` where `gamma` is 0 and a `lorentzian` where `sigma` is 0. The
    full width at half maximum is nearly ``1.07 * gamma + sqrt(0.87 * gamma**2 + 5.55 * sigma**2)`` [3]_. Below zero,
    `gamma` makes the profile narrower than the Gaussian, so that fits of nearly Gaussian peaks end where they should;
    bound it where that must not be. There is no value where `gamma` is below ``-37 * sigma``.

    References
    ----------
    .. [1] NIST Digital Library of Mathematical Functions, section 7.19.
    .. [2] M. Al Azah, S. N. Chandler-Wilde, "Computation of the complex error function using modified trapezoidal
       rules", SIAM J. Numer. Anal. 59 (2021), pp. 2346-2367.
    .. [3] J. J. Olivero, R. L. Longbothum, "Empirical fits to the Voigt line width: a brief review", J. Quant.
       Spectrosc. Radiat. Transfer 17 (1977), pp. 233-236.

    Examples
    --------
    >>> from leastsq import models
    >>> models.voigt([1.0, 3.0], 2.0, 1.0, 0.5, 0.3, 0.1).round(3).tolist()
    [2.1, 0.213]
    """
    return voigt.compiled_values(x, amplitude, center, sigma, gamma, offset)


@compiled(16, more_guesses.moffat)
def moffat(x: Any, amplitude: Any, center: Any, gamma: Any, beta: Any, offset: Any) -> Any:
    """Moffat profile on a constant, the image of a star through the atmosphere.

    ``amplitude * (1 + ((x - center) / gamma)**2)**-beta + offset`` [1]_; the full width at half maximum is
    ``2 * gamma * sqrt(2**(1 / beta) - 1)``. It is a `lorentzian` where `beta` is 1 and nearly Gaussian where it is
    large.

    References
    ----------
    .. [1] A. F. J. Moffat, "A theoretical investigation of focal stellar images in the photographic emulsion and
       application to photographic photometry", Astron. Astrophys. 3 (1969), pp. 455-461.

    Examples
    --------
    >>> from leastsq import models
    >>> float(models.moffat(2.0, 4.0, 1.0, 1.0, 2.0, 0.5))
    1.5
    """
    return amplitude * np.exp(-beta * np.log1p(((x - center) / gamma) ** 2)) + offset


@compiled(17, more_guesses.exponential_gaussian)
def exponential_gaussian(x: Any, amplitude: Any, center: Any, sigma: Any, tau: Any, offset: Any) -> Any:
    """Gaussian with an exponential tail on a constant, as peaks in chromatography have.

    The convolution of ``amplitude * exp(-(x - center)**2 / (2 * sigma**2))`` with ``exp(-t / tau) / tau`` for t > 0
    [1]_, ``amplitude * r * sqrt(pi / 2) * exp(r * (r / 2 - z)) * erfc((r - z) / sqrt(2)) + offset`` with ``z = (x -
    center) / sigma`` and ``r = sigma / tau``. The area is ``amplitude * sigma * sqrt(2 * pi)``, the mean ``center +
    tau``. Where `tau` is negative, the tail is before the peak; where it is 0, there is none. Nothing overflows,
    however small `tau` is.

    References
    ----------
    .. [1] Y. Kalambet, Y. Kozmin, K. Mikhailova, I. Nagaev, P. Tikhonov, "Reconstruction of chromatographic peaks using
       the exponentially modified Gaussian function", J. Chemometrics 25 (2011), pp. 352-356.

    Examples
    --------
    >>> from leastsq import models
    >>> models.exponential_gaussian([1.0, 2.0, 6.0], 3.0, 1.0, 0.5, 1e-200, 0.1).round(3).tolist()
    [3.1, 0.506, 0.1]
    """
    return exponential_gaussian.compiled_values(x, amplitude, center, sigma, tau, offset)
