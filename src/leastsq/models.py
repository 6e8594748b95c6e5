"""Models whose values and derivatives are compiled, for `curve_fit` and `curve_fit_many`.

Each is also an ordinary NumPy function of the predictors and the parameters, with two methods: ``jac`` gives the
derivatives, ``guess`` parameters to start from.
"""

from typing import Any

import numpy as np

from . import _guesses
from ._model import compiled

__all__ = [
    "biexponential",
    "damped_sine",
    "exponential",
    "gaussian",
    "gaussian_2d",
    "gaussian_2d_elliptic",
    "logistic4",
    "lorentzian",
    "michaelis_menten",
    "power_law",
    "pseudo_voigt",
]

_LARGEST = np.finfo(np.float64).max


@compiled(1, _guesses.gaussian)
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


@compiled(2, _guesses.lorentzian)
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


@compiled(3, _guesses.pseudo_voigt)
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


@compiled(4, _guesses.exponential)
def exponential(x: Any, amplitude: Any, rate: Any, offset: Any) -> Any:
    """Exponential decay (or growth, for negative `rate`) towards a constant.

    ``amplitude * exp(-rate * x) + offset``; the half-life is ``log(2) / rate`` [1]_.

    References
    ----------
    .. [1] D. M. Bates, D. G. Watts, "Nonlinear Regression Analysis and Its Applications", Wiley, 1988, section 2.1.

    Examples
    --------
    >>> from leastsq import models
    >>> float(models.exponential(0.0, 2.0, 1.3, 0.5))
    2.5
    """
    return amplitude * np.exp(-rate * x) + offset


@compiled(5, _guesses.biexponential)
def biexponential(x: Any, amplitude1: Any, rate1: Any, amplitude2: Any, rate2: Any, offset: Any) -> Any:
    """Sum of two exponential decays and a constant.

    ``amplitude1 * exp(-rate1 * x) + amplitude2 * exp(-rate2 * x) + offset`` [1]_. The two decays can change places:
    `guess` puts the faster one first, and fits from there mostly keep that order.

    References
    ----------
    .. [1] D. M. Bates, D. G. Watts, "Nonlinear Regression Analysis and Its Applications", Wiley, 1988, chapter 5.

    Examples
    --------
    >>> from leastsq import models
    >>> float(models.biexponential(0.0, 2.0, 1.3, 1.0, 0.1, 0.5))
    3.5
    """
    return amplitude1 * np.exp(-rate1 * x) + amplitude2 * np.exp(-rate2 * x) + offset


@compiled(6, _guesses.logistic4)
def logistic4(x: Any, bottom: Any, top: Any, log_ec50: Any, hill: Any) -> Any:
    """Four-parameter logistic dose-response curve, over the logarithm of the dose.

    ``bottom + (top - bottom) / (1 + 10**((log_ec50 - x) * hill))`` with `x` the decadic logarithm of the dose: the
    response is half-way between `bottom` and `top` where the dose is ``10**log_ec50`` [1]_.

    References
    ----------
    .. [1] G. A. F. Seber, C. J. Wild, "Nonlinear Regression", Wiley, 1989, section 7.3.

    Examples
    --------
    >>> from leastsq import models
    >>> float(models.logistic4(-6.0, 10.0, 90.0, -6.0, 1.2))
    50.0
    """
    return bottom + (top - bottom) / (1 + 10.0 ** ((log_ec50 - x) * hill))


@compiled(7, _guesses.michaelis_menten)
def michaelis_menten(x: Any, vmax: Any, km: Any) -> Any:
    """Michaelis-Menten rate of an enzyme reaction.

    ``vmax * x / (km + x)``, `x` and `km` in the same unit of concentration [1]_.

    References
    ----------
    .. [1] D. M. Bates, D. G. Watts, "Nonlinear Regression Analysis and Its Applications", Wiley, 1988, section 2.1.

    Examples
    --------
    >>> from leastsq import models
    >>> float(models.michaelis_menten(2.0, 3.0, 2.0))
    1.5
    """
    return vmax / (1 + km / x)


@compiled(8, _guesses.power_law)
def power_law(x: Any, amplitude: Any, exponent: Any, offset: Any) -> Any:
    """Power law on a constant, for x >= 0.

    ``amplitude * x**exponent + offset`` [1]_; there is no value where `x` is negative.

    References
    ----------
    .. [1] D. A. Ratkowsky, "Handbook of Nonlinear Regression Models", Marcel Dekker, 1990.

    Examples
    --------
    >>> from leastsq import models
    >>> float(models.power_law(4.0, 3.0, 0.5, 1.0))
    7.0
    """
    return amplitude * np.where(x < 0, np.nan, x) ** np.asarray(exponent, dtype=np.float64) + offset


@compiled(9, _guesses.damped_sine)
def damped_sine(x: Any, amplitude: Any, rate: Any, frequency: Any, phase: Any, offset: Any) -> Any:
    """Sine that decays exponentially towards a constant.

    ``amplitude * exp(-rate * x) * sin(2 * pi * frequency * x + phase) + offset``, `phase` in radians, `frequency` in
    cycles per unit of `x` [1]_.

    References
    ----------
    .. [1] L. Meirovitch, "Fundamentals of Vibrations", McGraw-Hill, 2001, chapter 2.

    Examples
    --------
    >>> from leastsq import models
    >>> float(models.damped_sine(0.25, 2.0, 0.0, 1.0, 0.0, 0.5))
    2.5
    """
    decay = np.exp(-rate * x)
    time = np.where(decay == 0, 0, x)  # what has died away has no phase
    return amplitude * decay * np.sin(2 * np.pi * frequency * time + phase) + offset


@compiled(10, _guesses.gaussian_2d, predictors=2)
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


@compiled(11, _guesses.gaussian_2d_elliptic, predictors=2)
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
