"""Robust losses: derivatives, and the agreement of what is written in NumPy with what is compiled."""

import mpmath
import numpy as np
import pytest

from leastsq import least_squares
from leastsq._solver.robust import LOSS_CODES, as_residuals, rho_of

FORMULAS = {
    "linear": lambda z: z,
    "soft_l1": lambda z: 2 * (mpmath.sqrt(1 + z) - 1),
    "huber": lambda z: z if z <= 1 else 2 * mpmath.sqrt(z) - 1,
    "cauchy": lambda z: mpmath.log(1 + z),
    "arctan": mpmath.atan,
}


@pytest.mark.parametrize("loss", LOSS_CODES)
def test_values_and_derivatives(loss):
    residuals = np.array([0.0, 1e-9, 0.01, 0.4, 0.9, 1.1, 3.0, 50.0, 1e6])
    rho = rho_of(loss, residuals, 1.0)
    with mpmath.workdps(50):
        for k, r in enumerate(residuals.tolist()):
            expected = [mpmath.diff(FORMULAS[loss], mpmath.mpf(r) ** 2, order) for order in (0, 1, 2)]
            # A few roundings; the square of the residual is rounded, too.
            np.testing.assert_allclose(rho[:, k], [float(e) for e in expected], rtol=2e-14, atol=1e-30)


@pytest.mark.parametrize("loss", LOSS_CODES)
def test_compiled_minima_have_no_gradient_in_numpy(loss):
    """The cost that the compiled code reduces is the one whose gradient results report."""
    rng = np.random.default_rng(5)
    t = np.linspace(0, 1, 30)
    y = 1 + 2 * t + 0.05 * rng.standard_t(2, 30)
    result = least_squares(
        lambda p: p[0] + p[1] * t - y, [0.9, 2.2], loss=loss, f_scale=0.1, ftol=None, xtol=1e-14, gtol=None
    )
    # At the start it is 1 or more; forward differences leave some 1e-8 of that.
    assert result.optimality < 1e-6


def test_residuals_of_a_callable_loss_have_its_cost_and_gradient():
    def cauchy(z):
        return np.array([np.log1p(z), 1 / (1 + z), -1 / (1 + z) ** 2])

    r = np.array([-3.0, -0.1, 0.0, 0.2, 5.0])
    root, factors = as_residuals(cauchy, r, 0.5)
    rho = rho_of(cauchy, r, 0.5)
    np.testing.assert_allclose(root**2, 0.25 * rho[0], rtol=1e-14)
    np.testing.assert_allclose(root * factors, r * rho[1], rtol=1e-14)
