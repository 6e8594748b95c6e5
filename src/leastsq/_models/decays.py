"""Decays towards a constant. See `leastsq.models`."""

from typing import Any

import numpy as np

from .._guesses import guesses, more_guesses
from .model import compiled


@compiled(4, guesses.exponential)
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


@compiled(5, guesses.biexponential)
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


@compiled(18, more_guesses.stretched_exponential)
def stretched_exponential(x: Any, amplitude: Any, tau: Any, beta: Any, offset: Any) -> Any:
    """Stretched exponential (Kohlrausch) decay towards a constant, for x >= 0.

    ``amplitude * exp(-((x / tau)**beta)) + offset`` [1]_; there is no value where ``x / tau`` is negative.

    References
    ----------
    .. [1] R. Kohlrausch, "Theorie des elektrischen Rückstandes in der Leidener Flasche", Ann. Phys. 167 (1854),
       pp. 179-214.

    Examples
    --------
    >>> from leastsq import models
    >>> float(models.stretched_exponential(0.0, 3.0, 2.0, 0.7, 0.5))
    3.5
    """
    time = x / tau
    return amplitude * np.exp(-(np.where(time < 0, np.nan, time) ** np.asarray(beta, dtype=np.float64))) + offset


@compiled(19, more_guesses.inversion_recovery)
def inversion_recovery(x: Any, amplitude: Any, t1: Any, inversion: Any) -> Any:
    """Recovery of a magnetisation that was inverted, as in maps of T1.

    ``amplitude * (1 - inversion * exp(-x / t1))`` with `x` the inversion time; `inversion` is 2 for a perfect pulse
    [1]_. The data need their sign.

    References
    ----------
    .. [1] J. K. Barral, E. Gudmundson, N. Stikov, M. Etezadi-Amoli, P. Stoica, D. G. Nishimura, "A robust methodology
       for in vivo T1 mapping", Magn. Reson. Med. 64 (2010), pp. 1057-1067.

    Examples
    --------
    >>> from leastsq import models
    >>> float(models.inversion_recovery(0.0, 3.0, 0.8, 2.0))
    -3.0
    """
    return amplitude * (1 - inversion * np.exp(-x / t1))
