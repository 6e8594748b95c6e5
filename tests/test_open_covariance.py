"""`curve_fit` where the covariance cannot be estimated, or not by the last derivatives."""

import numpy as np
import pytest
from curves import SIGMA, T, Y, closed_form_line, decay, line

from leastsq import OptimizeWarning, curve_fit

# --- When the covariance cannot be estimated ---


def test_unused_parameter_is_named_and_the_others_keep_their_errors():
    x, y = T, 3 * T - 1 + 0.1 * np.cos(5 * T)
    with pytest.warns(OptimizeWarning, match="parameter idle never changed the model") as caught:
        popt, pcov = curve_fit(lambda x, slope, idle, intercept: slope * x + intercept, x, y)
    assert caught[0].filename == __file__
    expected, covariance = closed_form_line(x, y, np.eye(x.size), absolute=False)
    np.testing.assert_allclose(popt[[0, 2]], expected, rtol=1e-7)
    assert popt[1] == 1
    np.testing.assert_allclose(pcov[np.ix_([0, 2], [0, 2])], covariance, rtol=1e-6)
    assert np.all(np.isinf(pcov[1]))
    assert np.all(np.isinf(pcov[:, 1]))


def test_unused_parameter_with_relative_errors_is_as_in_scipy():
    with pytest.warns(OptimizeWarning, match="parameter b never changed the model"):
        _, pcov = curve_fit(lambda x, a, b: a * x, T, T + 1, sigma=SIGMA)
    assert np.all(np.isinf(pcov))
    with pytest.warns(OptimizeWarning, match="parameter b never changed the model"):
        _, pcov = curve_fit(lambda x, a, b: a * x, T, T + 1, sigma=SIGMA, absolute_sigma=True)
    assert pcov[0, 0] == pytest.approx(1 / np.sum((T / SIGMA) ** 2), rel=1e-6)


@pytest.mark.parametrize("jac", [None, lambda x, a, b, c: np.column_stack([x, x, np.ones_like(x)])])
def test_singular_combination_is_named(jac):
    x, y = T, 3 * T - 1 + 0.1 * np.cos(5 * T)
    with pytest.warns(OptimizeWarning, match="parameters a, b are determined only in combination"):
        popt, pcov = curve_fit(lambda x, a, b, c: (a + b) * x + c, x, y, jac=jac)
    expected, covariance = closed_form_line(x, y, np.eye(x.size), absolute=False)
    np.testing.assert_allclose([popt[0] + popt[1], popt[2]], expected, rtol=1e-7)
    assert pcov[2, 2] == pytest.approx(covariance[1, 1], rel=1e-6)
    assert np.all(np.isinf(pcov[:2]))


def test_no_degrees_of_freedom():
    with pytest.warns(OptimizeWarning, match="2 data points for 2 parameters leave no degrees of freedom"):
        popt, pcov = curve_fit(line, [0.0, 1.0], [1.0, 3.0])
    np.testing.assert_allclose(popt, [2, 1])
    assert np.all(np.isinf(pcov))
    _, pcov = curve_fit(line, [0.0, 1.0], [1.0, 3.0], sigma=[0.1, 0.1], absolute_sigma=True)
    np.testing.assert_allclose(pcov, 0.01 * np.array([[2, -1], [-1, 1]]), rtol=1e-6)


def test_degrees_of_freedom_are_what_the_rank_leaves():
    with pytest.warns(OptimizeWarning, match="parameter idle never changed the model") as caught:
        _, pcov = curve_fit(lambda x, a, idle, b: a * x + b, [0.0, 1, 2], [1.0, 3, 5.1])
    assert "degrees of freedom" not in str(caught[0].message)
    x = np.arange(3.0)
    _, covariance = closed_form_line(x, np.array([1.0, 3, 5.1]), np.eye(3), absolute=False)
    np.testing.assert_allclose(pcov[np.ix_([0, 2], [0, 2])], covariance, rtol=1e-6)


def test_unnamed_parameters_are_numbered():
    with pytest.warns(OptimizeWarning, match=r"parameter number 1 \(counted from 0\) never changed"):
        curve_fit(lambda x, *p: p[0] * x, T, T + 1, p0=[1, 1])


def test_absolute_without_sigma_warns():
    with pytest.warns(OptimizeWarning, match="absolute_sigma=True means nothing without sigma"):
        curve_fit(line, T, Y, absolute_sigma=True)


# --- Models in single precision ---


def test_float32_models_converge():
    popt, pcov = curve_fit(lambda t, a, b, c: decay(t, a, b, c).astype(np.float32), T, Y, p0=[1, 1, 1])
    expected, covariance = curve_fit(decay, T, Y, p0=[1, 1, 1])
    # The model is known to 6e-8, the parameters to the square root of that times their condition.
    np.testing.assert_allclose(popt, expected, rtol=1e-3)
    np.testing.assert_allclose(np.sqrt(np.diag(pcov)), np.sqrt(np.diag(covariance)), rtol=1e-2)


def test_a_model_that_hides_single_precision_is_fitted():
    def hidden(t, a, b):
        return np.float64(np.float32(a) * np.exp(-np.float32(b) * t.astype(np.float32)))

    expected = curve_fit(lambda t, a, b: a * np.exp(-b * t), T, Y)[0]
    for options in ({}, {"epsfcn": 1e-6}):
        np.testing.assert_allclose(curve_fit(hidden, T, Y, **options)[0], expected, rtol=1e-2)


# --- Fits that are done must not be undone by looking for their errors ---


@pytest.mark.slow
@pytest.mark.parametrize("noise", [0, 1e-8, 1e-6, 1e-3])
def test_parameters_whose_true_value_is_zero(noise):
    """The last step in such a parameter was too small to see; that does not mean that it never moved."""
    rng = np.random.default_rng(3)
    x = np.linspace(-5, 5, 50)
    for _ in range(50):
        p0 = [rng.uniform(0.7, 1.3), rng.uniform(-0.5, 0.5), rng.uniform(0.8, 1.2)]
        y = np.exp(-0.5 * x**2) + noise * rng.standard_normal(x.size)
        popt, pcov = curve_fit(lambda x, h, m, s: h * np.exp(-0.5 * ((x - m) / s) ** 2), x, y, p0=p0)
        np.testing.assert_allclose(popt, [1, 0, 1], atol=max(1e-6, 10 * noise))
        assert np.all(np.isfinite(pcov))


def test_parameters_that_ran_into_a_flat_region():
    x = np.linspace(-1, 1, 40)
    with pytest.warns(OptimizeWarning, match="parameter b never changed the model"):
        popt, _ = curve_fit(
            lambda x, a, b: a + max(b, 0) * x**2, x, 1 - 0.5 * x**2 + 0.01 * np.cos(31 * x), p0=[1, 1.0]
        )
    assert popt[1] < 0


def test_models_that_raise_further_away():
    def bounded(x, a, b):
        if b >= 0.5:
            raise ValueError("b out of range")
        return a * x

    with pytest.warns(OptimizeWarning, match="parameter b never changed the model"):
        popt, pcov = curve_fit(bounded, T, 2 * T + 0.01 * np.cos(31 * T), p0=[1, 0.1])
    assert popt[0] == pytest.approx(2, rel=1e-2)
    assert np.isfinite(pcov[0, 0])


@pytest.mark.parametrize("scale", [1e160, 1e200])
def test_residuals_whose_squares_overflow_are_refused_in_words(scale):
    with pytest.raises(RuntimeError, match="sum of their squares overflows: then divide the data by a power of ten"):
        curve_fit(lambda x, a, b: scale * (a * x + b), T, scale * (3 * T - 1 + 0.1 * np.cos(5 * T)))


@pytest.mark.parametrize("scale", [1e-200, 1e-160, 1e150])
def test_errors_of_data_of_extreme_size(scale):
    y = 3 * T - 1 + 0.1 * np.cos(5 * T)
    _, expected = closed_form_line(T, y, np.eye(T.size), absolute=False)
    popt, pcov = curve_fit(lambda x, a, b: scale * (a * x + b), T, scale * y)
    np.testing.assert_allclose(popt, closed_form_line(T, y, np.eye(T.size), absolute=False)[0], rtol=1e-6)
    np.testing.assert_allclose(pcov, expected, rtol=1e-6)
    _, absolute = curve_fit(line, T, y, sigma=np.full(T.size, 1e-100), absolute_sigma=True)
    np.testing.assert_allclose(absolute, 1e-200 * np.linalg.inv(np.vander(T, 2).T @ np.vander(T, 2)), rtol=1e-6)


def test_perfect_fit_with_an_unused_parameter():
    with pytest.warns(OptimizeWarning, match="parameter b never changed the model"):
        popt, pcov = curve_fit(lambda x, a, b: a * x, T, 2 * T)
    assert popt[0] == pytest.approx(2)
    assert pcov[0, 0] <= 1e-15
    assert np.isinf(pcov[1, 1])


def test_points_left_out_are_no_degrees_of_freedom():
    y = 3 * T - 1 + 0.1 * np.cos(T)
    out = np.arange(T.size) % 2 == 0
    popt, pcov = curve_fit(line, T, y, sigma=np.where(out, np.inf, 1.0))
    expected, covariance = curve_fit(line, T[~out], y[~out], sigma=np.ones((~out).sum()))
    np.testing.assert_allclose(popt, expected, rtol=1e-9)
    np.testing.assert_allclose(pcov, covariance, rtol=1e-6)
    with pytest.warns(OptimizeWarning, match="2 data points for 2 parameters leave no degrees of freedom"):
        _, pcov = curve_fit(line, T, y, sigma=np.where(np.arange(T.size) < 2, 1.0, np.inf))
    assert np.all(np.isinf(pcov))
