"""The four models: value, Jacobian, and a start computed from the data.

Derivatives are given in closed form, because forward differences do not reach the seventh digit, which is published
for some of the estimates. A model returns values and derivatives together, so that they share their subexpressions.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Model:
    """A curve y(x; parameters), its derivatives and a rule for starting values."""

    parameters: tuple[str, ...]
    evaluate: Callable[..., tuple[Array, Array]]  # (x, *parameters) -> values (M,), Jacobian (M, N)
    start: Callable[[Array, Array], list[float]]  # (x, y) -> N starting values


def _michaelis_menten(s: Array, vmax: float, km: float) -> tuple[Array, Array]:
    """Rate vmax s / (km + s) of an enzyme at substrate concentration s."""
    saturation = s / (km + s)
    return vmax * saturation, np.column_stack([saturation, -vmax * saturation / (km + s)])


def _michaelis_menten_start(s: Array, rate: Array) -> list[float]:
    """Take the largest rate, and the concentration whose rate is nearest to half of it."""
    vmax = rate.max()
    return [vmax, s[np.argmin(np.abs(rate - vmax / 2))]]


def _logistic4(x: Array, a: float, b: float, xmid: float, scal: float) -> tuple[Array, Array]:
    """Rise from a to b, half of it done at xmid, on the scale scal: a + (b - a) / (1 + exp((xmid - x) / scal))."""
    u = (x - xmid) / scal
    p = (1 + np.tanh(u / 2)) / 2  # 1 / (1 + exp(-u)), without overflow
    slope = (b - a) * p * (1 - p) / scal
    return a + (b - a) * p, np.column_stack([1 - p, p, -slope, -slope * u])


def _logistic3(x: Array, asym: float, xmid: float, scal: float) -> tuple[Array, Array]:
    """Rise from zero to asym."""
    y, jacobian = _logistic4(x, 0.0, asym, xmid, scal)
    return y, jacobian[:, 1:]


def _logit_line(x: Array, y: Array, a: float, b: float) -> tuple[float, float]:
    """Return xmid and scal: between given asymptotes, the logit of y is the straight line (x - xmid) / scal."""
    slope, intercept = np.polyfit(x, np.log((y - a) / (b - y)), 1)
    return -intercept / slope, 1 / slope


def _logistic3_start(x: Array, y: Array) -> list[float]:
    """Put the asymptote a tenth above the largest value; the rest follows from a straight line."""
    asym = 1.1 * y.max()
    return [asym, *_logit_line(x, y, 0.0, asym)]


def _logistic4_start(x: Array, y: Array) -> list[float]:
    """Put the asymptotes a tenth of the range outside the data; the rest follows from a straight line."""
    margin = 0.1 * np.ptp(y)
    a, b = y.min() - margin, y.max() + margin
    return [a, b, *_logit_line(x, y, a, b)]


def _biexponential(t: Array, a1: float, lrc1: float, a2: float, lrc2: float) -> tuple[Array, Array]:
    """Sum of two decays with logarithmic rate constants: a1 exp(-exp(lrc1) t) + a2 exp(-exp(lrc2) t)."""
    k1, k2 = np.exp(lrc1), np.exp(lrc2)
    e1, e2 = np.exp(-k1 * t), np.exp(-k2 * t)
    return a1 * e1 + a2 * e2, np.column_stack([e1, -a1 * k1 * t * e1, e2, -a2 * k2 * t * e2])


def _biexponential_start(t: Array, y: Array) -> list[float]:
    """Peel: a line through the logarithms of the later half is the slow decay, one through what is left the fast."""
    half = len(t) // 2
    rate2, log_a2 = np.polyfit(t[half:], np.log(y[half:]), 1)
    rest = np.abs(y[:half] - np.exp(log_a2 + rate2 * t[:half]))
    rate1, log_a1 = np.polyfit(t[:half], np.log(rest), 1)
    return [np.exp(log_a1), np.log(abs(rate1)), np.exp(log_a2), np.log(abs(rate2))]


MICHAELIS_MENTEN = Model(("Vmax", "Km"), _michaelis_menten, _michaelis_menten_start)
LOGISTIC3 = Model(("Asym", "xmid", "scal"), _logistic3, _logistic3_start)
LOGISTIC4 = Model(("A", "B", "xmid", "scal"), _logistic4, _logistic4_start)
BIEXPONENTIAL = Model(("A1", "lrc1", "A2", "lrc2"), _biexponential, _biexponential_start)
