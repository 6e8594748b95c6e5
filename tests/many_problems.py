"""Random data sets for each of the compiled models, and the models written once more in plain NumPy."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from leastsq import models

LN2 = np.log(np.longdouble(2))


def gaussian(x, amplitude, center, sigma, offset):
    return amplitude * np.exp(-((x - center) ** 2) / (2 * sigma**2)) + offset


def lorentzian(x, amplitude, center, gamma, offset):
    return amplitude / (1 + ((x - center) / gamma) ** 2) + offset


def pseudo_voigt(x, amplitude, center, sigma, fraction, offset):
    square = ((x - center) / sigma) ** 2
    shape = fraction / (1 + square / (2 * LN2)) + (1 - fraction) * np.exp(-square / 2)
    return amplitude * shape + offset


def exponential(x, amplitude, rate, offset):
    return amplitude * np.exp(-rate * x) + offset


def biexponential(x, amplitude1, rate1, amplitude2, rate2, offset):
    return amplitude1 * np.exp(-rate1 * x) + amplitude2 * np.exp(-rate2 * x) + offset


def logistic4(x, bottom, top, log_ec50, hill):
    return bottom + (top - bottom) / (1 + np.exp(np.log(np.longdouble(10)) * (log_ec50 - x) * hill))


def michaelis_menten(x, vmax, km):
    return vmax * x / (km + x)


def power_law(x, amplitude, exponent, offset):
    return amplitude * np.exp(exponent * np.log(x)) + offset


def damped_sine(x, amplitude, rate, frequency, phase, offset):
    turn = 8 * np.arctan(np.longdouble(1))
    return amplitude * np.exp(-rate * x) * np.sin(turn * frequency * x + phase) + offset


def gaussian_2d(xy, amplitude, x0, y0, sigma, offset):
    return amplitude * np.exp(-((xy[0] - x0) ** 2 + (xy[1] - y0) ** 2) / (2 * sigma**2)) + offset


def gaussian_2d_elliptic(xy, amplitude, x0, y0, sigma_x, sigma_y, theta, offset):
    dx, dy, sine, cosine = xy[0] - x0, xy[1] - y0, np.sin(theta), np.cos(theta)
    u, v = dx * cosine + dy * sine, dy * cosine - dx * sine
    return amplitude * np.exp(-(u**2) / (2 * sigma_x**2) - v**2 / (2 * sigma_y**2)) + offset


def constant(x, offset):
    return offset + 0 * x


def line(x, slope, intercept):
    return slope * x + intercept


def quadratic(x, curvature, slope, intercept):
    return curvature * x**2 + slope * x + intercept


def stretched_exponential(x, amplitude, tau, beta, offset):
    return amplitude * np.exp(-np.exp(beta * np.log(x / tau))) + offset


def inversion_recovery(x, amplitude, t1, inversion):
    return amplitude * (1 - inversion * np.exp(-x / t1))


def sine(x, amplitude, frequency, phase, offset):
    return damped_sine(x, amplitude, 0, frequency, phase, offset)


def harmonics(x, offset, trend, frequency, cosine1, sine1, cosine2, sine2):
    t = 8 * np.arctan(np.longdouble(1)) * frequency * x
    cycle = cosine1 * np.cos(t) + sine1 * np.sin(t) + cosine2 * np.cos(2 * t) + sine2 * np.sin(2 * t)
    return offset + trend * x + cycle


def moffat_2d(xy, amplitude, x0, y0, gamma, beta, offset):
    square = ((xy[0] - x0) ** 2 + (xy[1] - y0) ** 2) / gamma**2
    return amplitude * np.exp(-beta * np.log1p(square)) + offset


GRID = tuple(axis.ravel().astype(float) for axis in np.meshgrid(np.arange(9), np.arange(9)))


class Case(NamedTuple):
    """A model, predictors, and the range that each of its parameters is drawn from."""

    model: Any
    formula: Callable[..., Any] | None
    x: Any
    low: tuple[float, ...]
    high: tuple[float, ...]

    @property
    def m(self) -> int:
        return np.shape(self.x)[-1]

    def truth(self, rng, fits):
        """Draw parameters, shape (fits, N)."""
        return rng.uniform(self.low, self.high, (fits, len(self.low)))

    def data(self, rng, fits, noise=0.05):
        """Draw parameters and noisy data sets made with them."""
        truth = self.truth(rng, fits)
        return truth, self.values(truth) + noise * rng.standard_normal((fits, self.m))

    def values(self, parameters):
        """Evaluate the model, shape (fits, M)."""
        return self.model(self.x, *np.asarray(parameters).T[:, :, None])

    def plain(self, x, *parameters):
        """Be the model as a user would write it: an ordinary function of double precision."""
        return self.model._formula(x, *parameters)

    def last_step(self, popt):
        """Bound how far the last step of a fit, no longer than xtol, moves each parameter; it may be taken or not."""
        norms = np.linalg.norm(self.model.jac(self.x, *popt.T[:, :, None]), axis=1)
        return 1.5e-8 * np.linalg.norm(norms * popt, axis=1)[:, None] / norms

    def __str__(self) -> str:
        return self.model.__name__


CASES = [
    Case(models.gaussian, gaussian, np.linspace(-4, 4, 41), (1, -1, 0.5, -1), (5, 1, 1.5, 1)),
    Case(models.lorentzian, lorentzian, np.linspace(-6, 6, 41), (1, -1, 0.5, -1), (5, 1, 1.5, 1)),
    Case(models.pseudo_voigt, pseudo_voigt, np.linspace(-6, 6, 61), (2, -1, 0.6, 0.2, -1), (5, 1, 1.5, 0.8, 1)),
    Case(models.exponential, exponential, np.linspace(0, 4, 30), (1, 0.5, -1), (5, 2, 1)),
    Case(models.biexponential, biexponential, np.linspace(0, 8, 80), (2, 2, 2, 0.2, -1), (5, 4, 5, 0.5, 1)),
    Case(models.logistic4, logistic4, np.linspace(-9, -3, 25), (-0.2, 2, -7, 0.6), (0.2, 4, -5, 2)),
    Case(models.michaelis_menten, michaelis_menten, np.linspace(0.1, 10, 12), (2, 0.5), (6, 4)),
    Case(models.power_law, power_law, np.linspace(0.2, 5, 30), (0.5, 0.5, -1), (3, 2.5, 1)),
    Case(models.damped_sine, damped_sine, np.linspace(0, 6, 70), (2, 0.1, 0.4, -1, -1), (5, 0.6, 1.2, 1, 1)),
    Case(models.gaussian_2d, gaussian_2d, GRID, (2, 3, 3, 1, -1), (6, 5, 5, 2, 1)),
    Case(
        models.gaussian_2d_elliptic,
        gaussian_2d_elliptic,
        GRID,
        (3, 3, 3, 1.5, 0.8, 0.1, -1),
        (6, 5, 5, 2.2, 1.2, 0.9, 1),
    ),
    Case(models.constant, constant, np.linspace(0, 4, 30), (-2,), (2,)),
    Case(models.line, line, np.linspace(0, 4, 30), (-2, -1), (2, 1)),
    Case(models.quadratic, quadratic, np.linspace(0, 4, 30), (-2, -2, -1), (2, 2, 1)),
    # Those without a formula are tested in test_model_accuracy.py.
    Case(models.voigt, None, np.linspace(-6, 6, 61), (2, -1, 0.6, 0.3, -1), (5, 1, 1.2, 1, 1)),
    Case(models.moffat, None, np.linspace(-6, 6, 61), (2, -1, 1, 1.5, -1), (5, 1, 2, 4, 1)),
    Case(models.exponential_gaussian, None, np.linspace(-4, 9, 70), (2, -1, 0.5, 0.5, -1), (5, 1, 1, 2, 1)),
    Case(models.stretched_exponential, stretched_exponential, np.linspace(0.1, 9, 80), (3, 1, 0.6, -1), (5, 2, 1.5, 1)),
    Case(models.inversion_recovery, inversion_recovery, np.linspace(0.05, 5, 25), (2, 0.6, 1.7), (5, 1.5, 2)),
    Case(
        models.double_logistic,
        None,
        np.linspace(0, 12, 73),
        (0, 2, 2, 7, 1.5, 1.5),
        (1, 5, 4, 9, 3, 3),
    ),
    Case(models.logistic5, None, np.linspace(-9, -3, 40), (-0.2, 4, -7, 0.8, 0.7), (0.2, 6, -5.5, 1.5, 1.8)),
    Case(models.sine, sine, np.linspace(0, 6, 70), (2, 0.4, -1, -1), (5, 1.2, 1, 1)),
    Case(
        models.harmonics,
        harmonics,
        np.linspace(0, 6, 90),
        (-1, -0.3, 0.8, 2, 1, 0.5, 0.5),
        (1, 0.3, 1.1, 4, 3, 1, 1),
    ),
    Case(models.moffat_2d, moffat_2d, GRID, (3, 3, 3, 1.5, 2, -1), (6, 5, 5, 2.5, 4, 1)),
    Case(models.gaussian_2d_pixel, None, GRID, (30, 3, 3, 1, -1), (60, 5, 5, 2, 1)),
]
CASE = {str(case): case for case in CASES}
