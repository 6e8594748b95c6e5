"""Decays for the tests of many fits in one call, and each kind of fit."""

import numpy as np
import pytest

from leastsq import curve_fit_many, models

T = np.linspace(0, 4, 20)
RNG = np.random.default_rng(1)
TRUTH = RNG.uniform([2, 0.5, 0.2], [5, 2, 1], (200, 3))


def decay(t, amplitude, rate, offset):
    return amplitude * np.exp(-rate * t) + offset


def decay_jac(t, amplitude, rate, offset):
    e = np.exp(-rate * t)
    return np.stack(np.broadcast_arrays(e, -amplitude * t * e, 1.0), axis=-1)


DATA = decay(T, *TRUTH.T[:, :, None]) + 0.05 * RNG.standard_normal((200, 20))
START = np.array([2.0, 1.0, 0.5])
KINDS = {
    "compiled": {"f": models.exponential},
    "jac": {"f": decay, "jac": decay_jac},
    "differences": {"f": decay},
    "singly": {"f": decay, "vectorized": False},
}
each_kind = pytest.mark.parametrize("kind_of_fit", KINDS.values(), ids=KINDS)


def identical(fits, others):
    """Whether all numbers of two results are the same, to the last bit."""
    names = ("popt", "pcov", "chisq", "dof", "nfev", "status")
    return all(getattr(fits, name).tobytes() == getattr(others, name).tobytes() for name in names)


# Wild starts, so that fits take long and short ways, fail, and are ejected from their groups.
WILD = TRUTH * RNG.uniform(-1, 30, TRUTH.shape)
GAPS = np.where(RNG.random(DATA.shape) < 0.1, np.nan, DATA)


def spread(**options):
    return curve_fit_many(xdata=T, ydata=GAPS, p0=WILD, maxfev=60, **options)


class MistakeError(Exception):
    pass
