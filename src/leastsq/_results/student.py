"""Quantiles of Student's t distribution and of the normal, which are what intervals are made of.

References
----------
M. Abramowitz, I. A. Stegun, Handbook of Mathematical Functions, National Bureau of Standards, 1964, sections 26.5
(continued fraction of the incomplete beta function) and 26.7 (Student's t).
"""

import math
from statistics import NormalDist
from typing import Any, Final

import numpy as np

from .._input.validate import FloatArray

_NORMAL: Final = NormalDist()
# From here on the expansion in 1/dof is exact in double precision, for every level that is less than one.
_MANY: Final = 2000.0
_MOST_TERMS: Final = 2000
_MOST_STEPS: Final = 200
_TINY: Final = 1e-300


def checked_level(level: Any) -> float:
    """Return the probability that an interval is to hold, refusing what is none."""
    if isinstance(level, (int, float, np.number)) and 0 < level < 1:
        return float(level)
    hint = ": 95 % is 0.95" if isinstance(level, (int, float)) and 1 < level < 100 else ""
    raise ValueError(f"level must be a probability between 0 and 1, got {level!r}{hint}")


def normal_quantile(level: float) -> float:
    """Return how many standard deviations to either side hold the share `level` of a normal distribution."""
    return -_NORMAL.inv_cdf((1 - level) / 2)


def quantiles(level: float, dof: Any, absolute: bool) -> FloatArray:
    """Return how many standard errors to either side an interval reaches, for each number of degrees of freedom.

    Those of Student's t, NaN where no degrees of freedom are left; those of the normal distribution, whatever `dof`,
    where the errors of the data are known (`absolute`).
    """
    level = checked_level(level)
    dof = np.asarray(dof)
    if absolute:
        return np.full(dof.shape, normal_quantile(level))
    numbers, which = np.unique(dof.ravel(), return_inverse=True)
    values = np.array([t_quantile(level, float(number)) for number in numbers], dtype=np.float64)
    found: FloatArray = values[which].reshape(dof.shape)
    return found


def t_quantile(level: float, dof: float) -> float:
    """Return t such that the share `level` of Student's distribution lies between -t and t; NaN unless dof > 0."""
    if not dof > 0:
        return math.nan
    if dof > _MANY:
        return _expansion(normal_quantile(level), dof)
    return _root(level, dof)


def _expansion(z: float, dof: float) -> float:
    """Return the quantile from that of the normal distribution (Abramowitz and Stegun, 26.7.5)."""
    s = z * z
    terms = (
        (s + 1) / 4,
        ((5 * s + 16) * s + 3) / 96,
        (((3 * s + 19) * s + 17) * s - 15) / 384,
        ((((79 * s + 776) * s + 1482) * s - 1920) * s - 945) / 92160,
    )
    return z * (1 + sum(term * (1 / dof) ** (k + 1) for k, term in enumerate(terms)))


def _root(level: float, dof: float) -> float:
    """Solve for the quantile by Newton's method for the logarithm of t, kept within a bracket."""
    outer = 1 - level
    by_tail = level > 0.5
    wanted = outer if by_tail else level
    low, high = -700.0, 700.0
    u = math.log(max(normal_quantile(level), 1e-6))
    for _ in range(_MOST_STEPS):
        t = math.exp(u)
        inside, outside = _shares(t, dof)
        excess = (wanted - outside) if by_tail else (inside - wanted)
        if excess > 0:
            high = u
        else:
            low = u
        share = outside if by_tail else inside
        # The logarithm of the share is nearly straight in log t for few degrees of freedom.
        slope = 2 * t * _density(t, dof) / share if share > 0 else 0.0
        step = math.log(wanted / share) / slope if slope > 0 and share > 0 else math.inf
        new = u - step if by_tail else u + step
        if not low < new < high:
            new = (low + high) / 2
        if abs(new - u) <= 4e-16 * max(1.0, abs(u)):
            return math.exp(new)
        u = new
    return math.exp(u)


def _density(t: float, dof: float) -> float:
    """Return the density of Student's distribution."""
    logarithm = math.lgamma((dof + 1) / 2) - math.lgamma(dof / 2) - 0.5 * math.log(dof * math.pi)
    return math.exp(logarithm - (dof + 1) / 2 * math.log1p(t / dof * t))


def _shares(t: float, dof: float) -> tuple[float, float]:
    """Return the probabilities of less than t in size and of more (Abramowitz and Stegun, 26.5.27 and 26.7.1)."""
    y = 1 / (1 + dof / t / t)
    if y < 1.5 / (dof / 2 + 2.5):
        inside = 2 * t * _density(t, dof) * _fraction(0.5, dof / 2, y)
        return inside, 1 - inside
    outside = 2 * t * _density(t, dof) / dof * _fraction(dof / 2, 0.5, 1 - y if y < 0.5 else 1 / (1 + t / dof * t))
    return 1 - outside, outside


def _fraction(a: float, b: float, x: float) -> float:
    """Return the continued fraction of the incomplete beta function (26.5.8), by Lentz's method.

    The function itself is x**a (1 - x)**b / (a B(a, b)) times it, which the callers write as a multiple of the density.
    """
    c, d = 1.0, 1 / max(1 - (a + b) * x / (a + 1), _TINY)
    value = d
    for m in range(1, _MOST_TERMS):
        for term in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 / ((1 + term * d) or _TINY)
            c = (1 + term / c) or _TINY
            value *= c * d
        if abs(c * d - 1) < 2e-16:
            break
    return value
