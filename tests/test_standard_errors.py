"""Standard errors of `curve_fit`, against closed forms."""

import warnings
from fractions import Fraction

import numpy as np
import pytest
from curves import COVARIANCE_MATRIX, RNG, SIGMA, T, closed_form_line, decay, line

from leastsq import OptimizeWarning, curve_fit

# --- Standard errors ---


@pytest.mark.parametrize("absolute", [False, True])
@pytest.mark.parametrize("kind", ["vector", "matrix"])
def test_line_against_its_closed_form(kind, absolute):
    x, y = T, 3.0 * T - 1 + SIGMA * RNG.standard_normal(T.size)
    matrix = np.diag(SIGMA**2) if kind == "vector" else COVARIANCE_MATRIX
    expected, covariance = closed_form_line(x, y, np.linalg.inv(matrix), absolute)
    sigma = SIGMA if kind == "vector" else matrix
    popt, pcov = curve_fit(
        line, x, y, sigma=sigma, absolute_sigma=absolute, jac=lambda x, a, b: np.column_stack([x, np.ones_like(x)])
    )
    # Linear: one step, exact but for rounding, which the condition of the covariance matrix (about 50) magnifies.
    np.testing.assert_allclose(popt, expected, rtol=1e-11)
    np.testing.assert_allclose(pcov, covariance, rtol=1e-10)
    popt, pcov = curve_fit(line, x, y, sigma=sigma, absolute_sigma=absolute)
    np.testing.assert_allclose(pcov, covariance, rtol=1e-6)


@pytest.mark.parametrize("zero", ["slope", "intercept", "both"])
@pytest.mark.parametrize("scale", [1e-12, 1e-6, 1.0, 1e6, 1e12])
def test_errors_near_zero_parameters(zero, scale):
    """A line through zero, or of slope zero: a step relative to the parameter says nothing about its scale."""
    x = np.linspace(-1, 1, 20)
    noise = np.cos(7 * np.arange(20.0))
    design = np.column_stack([x, np.ones_like(x)])
    noise -= design @ np.linalg.lstsq(design, noise, rcond=None)[0]
    true = {"slope": [0, 1], "intercept": [1, 0], "both": [0, 0]}[zero]
    y = scale * (design @ true + 0.1 * noise)
    _, covariance = closed_form_line(x, y, np.eye(20), absolute=False)
    for p0 in ([scale, scale], [3 * scale, -1e-3 * scale]):
        popt, pcov = curve_fit(line, x, y, p0=p0)
        # ftol = 1.5e-8 on the sum of squares leaves its square root in the parameters.
        np.testing.assert_allclose(popt, np.multiply(scale, true), atol=1e-4 * scale)
        np.testing.assert_allclose(np.sqrt(np.diag(pcov)), np.sqrt(np.diag(covariance)), rtol=1e-5)


@pytest.mark.parametrize("scale", [1e-12, 1e-6, 1.0])
def test_errors_from_a_start_at_zero(scale):
    x = np.linspace(-1, 1, 20)
    y = scale * (3 * x + 1 + 0.1 * np.cos(7 * x))
    expected, covariance = closed_form_line(x, y, np.eye(20), absolute=False)
    popt, pcov = curve_fit(line, x, y, p0=[0, 0])
    np.testing.assert_allclose(popt, expected, rtol=1e-4)
    np.testing.assert_allclose(np.sqrt(np.diag(pcov)), np.sqrt(np.diag(covariance)), rtol=1e-5)


def test_a_start_too_far_below_the_parameters_is_left():
    """From zero, the step is 1.5e-8, which data of 1e12 do not feel; SciPy returns the start as solution."""
    for scale in (1e12, 1e17, 1e23):
        popt, _ = curve_fit(line, T, scale * (3 * T + 1), p0=[0, 0])
        np.testing.assert_allclose(popt, [3 * scale, scale], rtol=1e-6)


def test_error_of_a_nonlinear_parameter_at_zero():
    """A centre at zero to the last bit, where SciPy's step is 1.5e-8 or less whatever the width."""
    for width in (1e-6, 1.0, 1e6):
        x = width * np.linspace(-3, 3, 31)

        def bell(x, height, centre, width=width):
            return height * np.exp(-0.5 * ((x - centre) / width) ** 2)

        noise = np.cos(np.linspace(-3, 3, 31) * 5) * 0.05
        y = bell(x, 1.0, 0.0) + noise
        popt, pcov = curve_fit(bell, x, y, p0=[1.0, 1e-3 * width])
        e = bell(x, 1.0, popt[1])
        jacobian = np.column_stack([e, popt[0] * e * (x - popt[1]) / width**2])
        residual = bell(x, *popt) - y
        expected = np.linalg.inv(jacobian.T @ jacobian) * (residual @ residual) / 29
        np.testing.assert_allclose(np.sqrt(np.diag(pcov)), np.sqrt(np.diag(expected)), rtol=1e-4)


def exact_errors(design, residual):
    """Standard errors of a linear fit, the normal equations solved in fractions."""
    rows = [[Fraction(value) for value in row] for row in design.tolist()]
    n = len(rows[0])
    table = [
        [sum(row[i] * row[j] for row in rows) for j in range(n)] + [Fraction(int(i == j)) for j in range(n)]
        for i in range(n)
    ]
    for i in range(n):
        table[i] = [value / table[i][i] for value in table[i]]
        for k in range(n):
            if k != i:
                factor = table[k][i]
                table[k] = [value - factor * other for value, other in zip(table[k], table[i], strict=True)]
    variance = float(residual @ residual) / (len(rows) - n)
    return np.sqrt([variance * float(table[i][n + i]) for i in range(n)])


@pytest.mark.parametrize(("degree", "start"), [(1, 1e4), (2, 1000), (2, 2000), (3, 100)])
def test_errors_where_large_terms_cancel(degree, start):
    """Polynomials far from zero: the default step changes the model a lot, but along a straight line."""
    x = np.linspace(start, start + 10, 25)
    y = np.cos(x) + 0.01 * np.sin(9 * x)
    popt, pcov = curve_fit(lambda x, *p: np.polyval(p, x), x, y, p0=np.ones(degree + 1))
    expected = exact_errors(np.vander(x, degree + 1), np.polyval(popt, x) - y)
    # Differences with half the digits of double precision, and a condition that takes most of them.
    np.testing.assert_allclose(np.sqrt(np.diag(pcov)), expected, rtol=1e-2)


def test_errors_of_an_ill_conditioned_fit_with_a_jacobian():
    x = np.linspace(1000, 1010, 25)
    y = np.cos(x)
    design = np.vander(x, 5)
    popt, pcov = curve_fit(lambda x, *p: design @ p, x, y, p0=np.ones(5), jac=lambda x, *p: design)
    # The scaled Jacobian has a condition of 1e11: five digits are left.
    np.testing.assert_allclose(np.sqrt(np.diag(pcov)), exact_errors(design, design @ popt - y), rtol=1e-4)


def test_errors_of_a_sharp_peak_far_from_zero():
    """A step relative to the centre, 1e5, is a seventh of the width of the peak: 6 % too much curvature for SciPy."""
    x = 1e5 + np.linspace(-0.05, 0.05, 41)
    y = np.exp(-0.5 * ((x - 1e5) / 0.01) ** 2) + 0.02 * np.cos(np.arange(41.0))

    def peak(x, h, c, s):
        return h * np.exp(-0.5 * ((x - c) / s) ** 2)

    def slopes(x, h, c, s):
        z = (x - c) / s
        e = np.exp(-0.5 * z**2)
        return np.column_stack([e, h * e * z / s, h * e * z**2 / s])

    popt, pcov = curve_fit(peak, x, y, p0=[1, 1e5 + 0.002, 0.012])
    residual = peak(x, *popt) - y
    expected = np.linalg.inv(slopes(x, *popt).T @ slopes(x, *popt)) * (residual @ residual) / 38
    np.testing.assert_allclose(np.sqrt(np.diag(pcov)), np.sqrt(np.diag(expected)), rtol=5e-3)


def pulse(x, height, centre, width, offset):
    return height * np.exp(-0.5 * ((x - centre) / width) ** 2) + offset


def pulse_slopes(x, height, centre, width, offset):
    z = (x - centre) / width
    e = np.exp(-0.5 * z**2)
    return np.column_stack([e, height * e * z / width, height * e * z**2 / width, np.ones_like(x)])


def test_errors_of_a_small_pulse_on_a_large_offset_far_from_zero():
    """Curvature is to be judged by the size of the pulse, not by that of the data."""
    x = 1.7e9 + np.arange(-300.0, 300.0, 2.0)
    y = pulse(x, 5, 1.7e9 + 7, 20, 101325) + 0.1 * np.cos(np.arange(x.size) * 1.7)
    popt, pcov = curve_fit(pulse, x, y, [4, 1.7e9, 25, 101300])
    jacobian, residual = pulse_slopes(x, *popt), pulse(x, *popt) - y
    expected = np.linalg.inv(jacobian.T @ jacobian) * (residual @ residual) / (x.size - 4)
    np.testing.assert_allclose(np.sqrt(np.diag(pcov)), np.sqrt(np.diag(expected)), rtol=5e-3)


def test_errors_of_a_line_over_times_far_from_zero():
    """Where the condition takes as many digits as forward differences have, central ones are taken."""
    x = 1.7e9 + np.linspace(0, 3600, 200)
    y = 1e5 + 1e-6 * (x - x[0]) + 1e-3 * np.cos(np.arange(200.0))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OptimizeWarning)
        popt, pcov = curve_fit(lambda x, a, b: a + b * x, x, y, [1e5, 1e-6])
    expected = exact_errors(np.column_stack([np.ones_like(x), x]), popt[0] + popt[1] * x - y)
    errors = np.sqrt(np.diag(pcov))
    assert np.all(np.isinf(errors)) or np.allclose(errors, expected, rtol=1e-2)


def test_models_with_noise_of_their_own_are_refused_or_end_at_numbers():
    """Differences of noise are no derivatives: such fits do not pass for solved far from a minimum."""
    rng = np.random.default_rng(0)
    y = 2 * np.exp(-1.3 * T)
    words = []
    for _ in range(10):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", OptimizeWarning)
                popt, _ = curve_fit(
                    lambda t, a, b: a * np.exp(-b * t) + 1e-3 * rng.normal(size=t.size), T, y, [1.9, 1.2]
                )
        except RuntimeError as error:
            words.append(str(error))
        else:
            assert np.all(np.isfinite(popt))
    assert all(sentence.startswith("Optimal parameters not found") for sentence in words)


def test_a_start_that_is_already_the_answer():
    x = np.linspace(-1, 1, 20)
    for seed in range(20):
        y = -6442 + 1e-9 * x + 1e-3 * np.random.default_rng(seed).normal(size=20)
        popt, _ = curve_fit(lambda x, a, b: a + b * x, x, y, [-6442, 1e-9])
        np.testing.assert_allclose(popt[0], -6442, rtol=1e-6)


def test_coverage_of_standard_errors():
    """Of 2000 fits, 68.3 % and 95.4 % of the estimates lie within one and two standard errors of the truth."""
    rng = np.random.default_rng(7)
    true = np.array([2.5, 1.3, 0.5])
    exact = decay(T, *true)
    fits = 2000
    inside = np.zeros((2, 3))
    for _ in range(fits):
        popt, pcov = curve_fit(
            decay, T, exact + 0.05 * rng.standard_normal(T.size), p0=[2, 1, 0], sigma=0.05, absolute_sigma=True
        )
        away = np.abs(popt - true) / np.sqrt(np.diag(pcov))
        inside += away <= np.array([[1.0], [2.0]])
    nominal = np.array([[0.6827], [0.9545]])
    # Four standard deviations of the binomial count.
    assert np.all(np.abs(inside / fits - nominal) <= 4 * np.sqrt(nominal * (1 - nominal) / fits))
