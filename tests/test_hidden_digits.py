"""Models that hide how many digits they have, and values that are not looked at: one verdict at each door."""

import math

import numpy as np
import pytest
from test_one_fit_is_one_fit import Case, alone, in_company

import leastsq
from leastsq import native

pytestmark = [
    pytest.mark.filterwarnings("ignore::leastsq.OptimizeWarning"),
    pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid value", "ignore:divide by zero"),
]


@pytest.mark.parametrize("scale", [1.0, 1e6])
@pytest.mark.parametrize("start", [(1.0, 1.0), (2.4, 1.2), (2.0, 3.0)], ids=str)
def test_a_model_that_hides_single_precision_is_refused_or_fitted(start, scale):
    """Forward differences see nothing, or rounding alone; what still counts as solved is at the minimum."""
    x = np.linspace(0, 4, 50)

    def exact(x, a, b):
        return scale * a * np.exp(-b * x)

    def f(x, a, b):
        return exact(x, a, b).astype(np.float32).astype(np.float64)

    y = exact(x, 2.5, 1.3) + 0.03 * scale * np.cos(25 * x)
    case = Case("single", "", x, y, np.array(start))
    right, cov = leastsq.curve_fit(exact, x, y, start)
    ends = [alone(f, case), in_company(f, case), in_company(f, case, vectorized=False)]
    for end in ends:
        assert end.solved == ends[0].solved, end
        assert not end.solved or np.all(np.abs(end.popt - right) <= 0.5 * np.sqrt(np.diag(cov))), end


@pytest.mark.slow
def test_a_value_is_not_looked_at_where_sigma_is_infinite():
    x = np.linspace(0, 4, 30)
    sigma = np.full(30, 0.1)
    sigma[0] = np.inf

    def f(x, a, b):
        return np.where(x == 0, np.nan, a * np.exp(-b * x))

    y = 2.5 * np.exp(-1.3 * x) + 0.03 * np.cos(25 * x)
    popt, pcov = leastsq.curve_fit(f, x, y, [1, 1], sigma)
    expected, expected_cov = leastsq.curve_fit(f, x[1:], y[1:], [1, 1], sigma[1:])
    # The same residuals but for one that is zero.
    np.testing.assert_allclose(popt, expected, rtol=1e-9)
    np.testing.assert_allclose(pcov, expected_cov, rtol=1e-6)

    jac = np.column_stack([np.exp(-1.3 * x), -2.5 * x * np.exp(-1.3 * x)])
    jac[0] = np.nan
    popt, _ = leastsq.curve_fit(lambda x, a, b: jac @ [a, b], x, y, [1, 1], sigma, jac=lambda x, a, b: jac)
    assert np.isfinite(popt).all()

    def assert_same(f_or_model):
        fits = leastsq.curve_fit_many(f_or_model, x, y[None], [1, 1], sigma)
        np.testing.assert_allclose(fits.popt[0], expected, rtol=1e-7)
        np.testing.assert_allclose(fits.pcov[0], expected_cov, rtol=1e-4)
        assert fits.dof[0] == 27

    assert_same(f)
    pytest.importorskip("numba")
    assert_same(native.jit(lambda x, a, b: math.nan if x == 0 else a * math.exp(-b * x)))
