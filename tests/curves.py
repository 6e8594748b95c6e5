"""A decay and a line for the tests of `curve_fit`."""

import numpy as np

RNG = np.random.default_rng(20240229)
T = np.linspace(0, 4, 40)


def decay(t, amplitude, rate, offset):
    return amplitude * np.exp(-rate * t) + offset


def decay_jac(t, amplitude, rate, offset):
    e = np.exp(-rate * t)
    return np.column_stack([e, -amplitude * t * e, np.ones_like(t)])


def line(x, slope, intercept):
    return slope * x + intercept


Y = decay(T, 2.5, 1.3, 0.5) + 0.05 * RNG.standard_normal(T.size)
SIGMA = 0.02 + 0.01 * T

COVARIANCE_MATRIX = np.diag(SIGMA**2) + 1e-4 * np.exp(-np.abs(T[:, None] - T))


def closed_form_line(x, y, weights, absolute):
    """Parameters and covariance of a weighted straight line, from the normal equations."""
    design = np.column_stack([x, np.ones_like(x)])
    inverse = np.linalg.inv(design.T @ weights @ design)
    parameters = inverse @ design.T @ weights @ y
    residual = y - design @ parameters
    variance = 1.0 if absolute else residual @ weights @ residual / (y.size - 2)
    return parameters, variance * inverse
