"""Ill-conditioned fits from different fields, and their standard errors in exact arithmetic.

A model is written once, with the functions of `e`: NumPy for the fit, mpmath with 150 digits for the errors. There the
Jacobian comes from central differences with a relative step of 1e-50, good to 100 digits, and its singular values are
taken as they are.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np


@dataclass(frozen=True)
class IllConditioned:
    """A model, predictors, parameters that data are made with, noise, and where to start; compiled, by name."""

    name: str
    formula: Callable[..., Any]
    x: Any
    truth: tuple[float, ...]
    noise: float
    p0: tuple[float, ...]
    compiled: str | None = None
    y: Any = None

    def model(self, x, *p):
        return self.formula(np, x, *p)

    def data(self, seed):
        """Make noisy data; the random numbers are NumPy's legacy ones, which never change."""
        if self.y is not None:
            return np.array(self.y, dtype=float)
        noise = np.random.RandomState(seed).standard_normal(np.size(self.x))
        with np.errstate(all="ignore"):
            return self.model(self.x, *self.truth) + self.noise * noise

    def __str__(self) -> str:
        return self.name


def exact_standard_errors(problem: IllConditioned, y, popt) -> Any:
    """Return the standard errors at `popt` as 150 digits give them; inf where J leaves one open even then."""
    with mpmath.workdps(150):
        x = [mpmath.mpf(float(value)) for value in problem.x]
        p = [mpmath.mpf(float(value)) for value in popt]
        m, n = len(x), len(p)

        def values(parameters):
            return [problem.formula(mpmath, one, *parameters) for one in x]

        jacobian = mpmath.matrix(m, n)
        for j in range(n):
            h = abs(p[j]) * mpmath.mpf("1e-50") or mpmath.mpf("1e-50")
            above, below = ([*p[:j], p[j] + sign * h, *p[j + 1 :]] for sign in (1, -1))
            for i, (one, other) in enumerate(zip(values(above), values(below), strict=True)):
                jacobian[i, j] = (one - other) / (2 * h)
        square = sum((value - mpmath.mpf(float(seen))) ** 2 for value, seen in zip(values(p), y, strict=True))
        norms = [mpmath.sqrt(sum(jacobian[i, j] ** 2 for i in range(m))) for j in range(n)]
        errors = np.full(n, np.inf)
        used = [j for j in range(n) if norms[j] > 0]
        scaled = mpmath.matrix(m, len(used))
        for k, j in enumerate(used):
            for i in range(m):
                scaled[i, k] = jacobian[i, j] / norms[j]
        _, triangle = mpmath.qr(scaled, mode="skinny")
        _, singular, vectors = mpmath.svd_r(triangle)
        # Differences leave 100 digits: a singular value below them is zero, and what its vector touches is open.
        rank = sum(value > singular[0] * mpmath.mpf("1e-80") for value in singular)
        for k, j in enumerate(used):
            if all(abs(vectors[i, k]) < mpmath.mpf("1e-40") for i in range(rank, len(used))):
                inverse = sum((vectors[i, k] / singular[i]) ** 2 for i in range(rank))
                errors[j] = float(mpmath.sqrt(inverse * square / max(m - rank, 1)) / norms[j])
        return errors


def gaussian(e, x, a, m, s, c):
    return a * e.exp(-((x - m) ** 2) / (2 * s**2)) + c


def saturating(e, x, a, b, c):
    return a - b * e.exp(-c * x)


def two_exponentials(e, x, a, k, b, l, c):  # noqa: E741
    return a * e.exp(-k * x) + b * e.exp(-l * x) + c


def two_decays(e, x, a, k, b, l):  # noqa: E741
    return a * e.exp(-k * x) + b * e.exp(-l * x)


def michaelis_menten(e, x, vmax, km):
    return vmax * x / (km + x)


def arrhenius(e, x, a, energy):
    return a * e.exp(-energy / x)


def parabola(e, x, a, b, c):
    return a + b * x + c * x**2


def cubic(e, x, a, b, c, d):
    return a + b * x + c * x**2 + d * x**3


def line(e, x, a, b):
    return a + b * x


def pseudo_voigt(e, x, a, m, s, fraction, c):
    square = ((x - m) / s) ** 2
    return a * (fraction / (1 + square / (2 * e.log(2))) + (1 - fraction) * e.exp(-square / 2)) + c


def logistic(e, x, bottom, top, middle, slope):
    return bottom + (top - bottom) / (1 + e.exp(slope * (middle - x)))


def two_peaks(e, x, a, m, s, b, l, t):  # noqa: E741
    return a * e.exp(-((x - m) ** 2) / (2 * s**2)) + b * e.exp(-((x - l) ** 2) / (2 * t**2))


def power_law(e, x, a, k, c):
    return a * e.exp(k * e.log(x)) + c


def sine(e, x, a, w, phase, c):
    return a * e.sin(w * x + phase) + c


def antoine(e, x, a, b, c):
    return a - b / (c + x)


def stretched(e, x, a, tau, beta, c):
    return a * e.exp(-e.exp(beta * e.log(x / tau))) + c


def lorentzian(e, x, a, m, g, c):
    return a / (1 + ((x - m) / g) ** 2) + c


def gompertz(e, x, a, b, k):
    return a * e.exp(-b * e.exp(-k * x))


def binding(e, x, most, kd, background, nonspecific):
    return most * x / (kd + x) + nonspecific * x + background


def same_twice(e, x, a, b, c):
    return a * e.exp(-(b + c) * x)


def birch(e, x, e0, b0, v0):
    """Murnaghan's energy of a crystal, with the pressure derivative of the bulk modulus fixed to 4."""
    return e0 + b0 * x / 4 * ((v0 / x) ** 4 / 3 + 1) - b0 * v0 / 3


U = np.linspace(0, 1, 30)
PROBLEMS = [
    IllConditioned(
        "gaussian through a parabola", gaussian, np.arange(-2.0, 3), (), 0, (5, 0, 2, 0), "gaussian", (1, 4, 5, 4, 1.01)
    ),
    IllConditioned("gaussian on its top", gaussian, U - 0.5, (3, 0.02, 2, 1), 1e-3, (3, 0, 1.5, 1), "gaussian"),
    IllConditioned("saturating exponential", saturating, np.linspace(0, 4, 50), (823.5, 5.3, 8.2), 0.2, (1, 1, 1)),
    IllConditioned("exponential over at once", saturating, U * 4, (20, 5, 60), 0.1, (20, 5, 30)),
    IllConditioned("close exponentials", two_exponentials, U * 4, (2, 1, 2, 1.1, 0), 1e-3, (2, 0.9, 2, 1.3, 0)),
    IllConditioned(
        "biexponential", two_exponentials, U * 8, (3, 1, 2, 0.6, 1), 0.02, (3, 2, 2, 0.3, 1), "biexponential"
    ),
    IllConditioned("one decay as two", two_decays, 0.1 + 4.9 * U, (1.5, 1, 1, 1), 0.05, (0.35, 1.2, 0.5, 1.9)),
    IllConditioned("first-order kinetics", michaelis_menten, 1 + U, (1e4, 2e3), 0.01, (100, 10), "michaelis_menten"),
    IllConditioned("arrhenius", arrhenius, 300 + 20 * U, (1e13, 9000), 0.02, (1e12, 8500)),
    IllConditioned("trend over years", parabola, 1990 + 30 * U, (1e3, -1, 3e-4), 0.1, (1, 1, 1)),
    IllConditioned("cubic over years", cubic, 1990 + 30 * U, (1e4, -10, 3e-3, 1e-7), 0.1, (1, 1, 1, 1)),
    IllConditioned("line over time", line, 1.7e9 + np.arange(30.0), (0.0, 1e-9), 0.5, (1, 1)),
    IllConditioned("pseudo-Voigt on noise", pseudo_voigt, U * 10 - 5, (0, 0, 1, 0.5, 1), 1, (1, 0, 1, 0.5, 1)),
    IllConditioned(
        "compiled pseudo-Voigt", pseudo_voigt, U * 10 - 5, (0, 0, 1, 0.5, 1), 1, (1, 0, 1, 0.5, 1), "pseudo_voigt"
    ),
    IllConditioned("logistic without plateau", logistic, U * 4, (0, 1e3, 9, 1.2), 0.01, (0, 100, 7, 1)),
    IllConditioned("merged peaks", two_peaks, U * 10 - 5, (1, -0.1, 1, 1, 0.1, 1.02), 1e-3, (1, -0.5, 1, 1, 0.5, 1)),
    IllConditioned("power law with offset", power_law, 1 + U, (5, 0.01, 2), 1e-4, (1, 0.1, 1), "power_law"),
    IllConditioned("a fraction of a period", sine, U, (4, 0.4, 0.3, 1), 1e-3, (2, 0.6, 0.2, 1)),
    IllConditioned("antoine", antoine, 300 + 15 * U, (16, 3800, -46), 1e-3, (15, 3000, -30)),
    IllConditioned("stretched exponential", stretched, 0.5 + U, (2, 8, 0.5, 1), 1e-3, (2, 4, 0.7, 1)),
    IllConditioned("a line's wing", lorentzian, 20 + 5 * U, (50, 0, 2, 0), 1e-3, (40, 1, 2, 0), "lorentzian"),
    IllConditioned("gompertz before its bend", gompertz, U, (1e4, 9, 0.2), 1e-2, (1e3, 7, 0.3)),
    IllConditioned("binding not saturated", binding, U + 0.1, (10, 8, 0.5, 0.3), 1e-3, (5, 5, 0, 0)),
    IllConditioned("one rate as two", same_twice, U * 3, (2, 0.5, 0.5), 0.01, (1, 1, 1)),
    IllConditioned("murnaghan", birch, 0.97 + 0.06 * U, (-300, 2, 1), 1e-5, (-299, 1, 1.1)),
    # Starts that lead to peaks without amplitude, far from the data, or on one point, and to decays that are over.
    IllConditioned("decay over before the data", two_decays, 20 + 5 * U, (3, 4, 2, 0.6), 0.1, (670, -13, 560, 7.8)),
    IllConditioned("decay over at its start", two_decays, U * 5, (1.5, 1, 1, 1), 0.1, (0.023, -41, 1.4, 1.2)),
    IllConditioned("decay over at once", two_decays, U, (1.5, 1, 1, 1), 1, (-0.061, 0.022, 11, 0.39)),
    IllConditioned("one decay on noise", two_decays, U, (1.5, 1, 1, 1), 0.1, (0.087, 8.3, 0.01, 0.053)),
    IllConditioned("peak between points", gaussian, U * 10 - 5, (0, 1, 1, 0), 1, (27, 0.011, 0.014, 81), "gaussian"),
    IllConditioned("line on one point", lorentzian, U * 5, (0, 1, 1, 0), 1, (-5.7, 2.3, 0.091, 0.14), "lorentzian"),
    IllConditioned(
        "pseudo-Voigt far away",
        pseudo_voigt,
        U * 5,
        (0, 0.5, 0.1, 0.5, 1),
        1,
        (110, 290, 0.083, -11, 1.3),
        "pseudo_voigt",
    ),
    # A peak whose width shows only once it reaches the data, and others that grow until they are straight lines.
    IllConditioned(
        "peak away from the data",
        two_peaks,
        U * 10 - 5,
        (1, -1.5, 1, 0.7, 1.5, 0.8),
        0.01,
        (0.2, -0.13, 0.77, 0.037, 21, 0.76),
    ),
    IllConditioned(
        "one peak of two blown up",
        two_peaks,
        U * 10 - 5,
        (1, -1.5, 1, 0.7, 1.5, 0.8),
        0.1,
        (0.66, -44, 0.57, 0.012, 0.2, -74),
    ),
    IllConditioned(
        "pseudo-Voigt blown up", pseudo_voigt, U * 10 - 5, (1, 0.3, 1, 0.4, 0.5), 0.1, (-7.1, -4.5, -8.4, 0.2, 0.016)
    ),
    # Parameters that others determine badly beside a combination that is lost in rounding, by exact derivatives, too.
    IllConditioned(
        "biexponential that is a bend",
        two_exponentials,
        np.linspace(0, 5, 8),
        (),
        0,
        (0.7834, 0.6614, 0.7198, 1.205, 0.3283),
        "biexponential",
        (2.139, 2.521, 2.705, 2.094, 0.888, -0.929, -0.191, 0.546),
    ),
    IllConditioned(
        "two peaks on two points",
        two_peaks,
        np.linspace(-5, 5, 9),
        (),
        0,
        (17.64, 2.126, 0.9401, 0.351, 11.46, 26.58),
        y=(-1.093, -2.374, -1.307, 2.747, 2.276, -1.003, 0.209, 1.117, -0.173),
    ),
    IllConditioned(
        "two peaks on noise",
        two_peaks,
        np.linspace(-5, 5, 7),
        (),
        0,
        (0.7708, -1.971, 0.5565, 0.681, 1.457, 1.106),
        y=(0.02, 0.036, 0.063, 0.021, -0.045, 0.017, -0.083),
    ),
]
