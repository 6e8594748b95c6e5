"""Oscillations. See `leastsq.models`."""

from typing import Any

import numpy as np

from .._guesses import guesses, more_guesses
from .model import compiled


@compiled(22, more_guesses.sine)
def sine(x: Any, amplitude: Any, frequency: Any, phase: Any, offset: Any) -> Any:
    """Sine about a constant.

    ``amplitude * sin(2 * pi * frequency * x + phase) + offset``, `phase` in radians, `frequency` in cycles per unit of
    `x` [1]_.

    References
    ----------
    .. [1] P. Bloomfield, "Fourier Analysis of Time Series", 2nd ed., Wiley, 2000, chapter 2.

    Examples
    --------
    >>> from leastsq import models
    >>> float(models.sine(0.25, 2.0, 1.0, 0.0, 0.5))
    2.5
    """
    return amplitude * np.sin(2 * np.pi * frequency * x + phase) + offset


@compiled(23, more_guesses.harmonics)
def harmonics(
    x: Any, offset: Any, trend: Any, frequency: Any, cosine1: Any, sine1: Any, cosine2: Any, sine2: Any
) -> Any:
    """Cycle of two harmonics about a straight trend, as in series of several years.

    ``offset + trend * x + cosine1 * cos(t) + sine1 * sin(t) + cosine2 * cos(2 * t) + sine2 * sin(2 * t)`` with
    ``t = 2 * pi * frequency * x`` [1]_. Where the period is known, ``models.harmonics.fix(frequency=1 / 365.25)`` is
    linear in what is left.

    References
    ----------
    .. [1] P. Bloomfield, "Fourier Analysis of Time Series", 2nd ed., Wiley, 2000, chapter 2.

    Examples
    --------
    >>> from leastsq import models
    >>> float(models.harmonics(0.0, 1.0, 0.1, 1.0, 2.0, 0.3, 0.5, 0.2))
    3.5
    """
    t = 2 * np.pi * frequency * x
    cycle = cosine1 * np.cos(t) + sine1 * np.sin(t) + cosine2 * np.cos(2 * t) + sine2 * np.sin(2 * t)
    return offset + trend * x + cycle


@compiled(9, guesses.damped_sine)
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
