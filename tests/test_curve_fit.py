"""`curve_fit`: SciPy's meanings, and statistics checked against closed forms."""

import functools
import inspect
import warnings
from fractions import Fraction

import numpy as np
import pytest
import scipy.optimize
import scipy.optimize.tests.test_minpack as scipy_tests

import leastsq
from leastsq import OptimizeWarning, curve_fit

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


def closed_form_line(x, y, weights, absolute):
    """Parameters and covariance of a weighted straight line, from the normal equations."""
    design = np.column_stack([x, np.ones_like(x)])
    inverse = np.linalg.inv(design.T @ weights @ design)
    parameters = inverse @ design.T @ weights @ y
    residual = y - design @ parameters
    variance = 1.0 if absolute else residual @ weights @ residual / (y.size - 2)
    return parameters, variance * inverse


def test_signature_is_that_of_scipy():
    ours, theirs = inspect.signature(curve_fit), inspect.signature(scipy.optimize.curve_fit)
    assert [(p.name, p.kind, p.default) for p in ours.parameters.values()] == [
        (p.name, p.kind, p.default) for p in theirs.parameters.values()
    ]


# --- SciPy's own tests ---

BOUNDED = {
    "test_bounds": "finite bounds only",
    "test_bounds_p0": "trf and dogbox with bounds only",
    "test_dtypes2": "finite bounds only",
    "test_gh20155_error_mentions_x0": "trf and dogbox only",
    "test_maxfev_and_bounds": "finite bounds only",
}


def ours_without_bounds(f, xdata, ydata, *args, **kwargs):
    """Hand a call to SciPy where a test loops over methods that need bounds, and to us otherwise."""
    if kwargs.get("method") in ("trf", "dogbox"):
        return scipy.optimize.curve_fit(f, xdata, ydata, *args, **kwargs)
    return curve_fit(f, xdata, ydata, *args, **kwargs)


def scipy_cases():
    for name in sorted(n for n in dir(scipy_tests.TestCurveFit) if n.startswith("test_")):
        cases = [{}]
        for mark in getattr(getattr(scipy_tests.TestCurveFit, name), "pytestmark", []):
            if mark.name == "parametrize":
                argument, values = mark.args
                cases = [{**case, argument: value} for case in cases for value in values]
        for case in cases:
            skip = [pytest.mark.skip(reason=f"bounded fits: {BOUNDED[name]}")] if name in BOUNDED else []
            yield pytest.param(name, case, marks=skip, id="-".join([name, *map(str, case.values())]))


@pytest.mark.parametrize(("name", "case"), list(scipy_cases()))
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_scipys_own_tests_of_curve_fit(name, case, monkeypatch):
    monkeypatch.setattr(scipy_tests, "curve_fit", ours_without_bounds)
    monkeypatch.setattr(scipy_tests, "OptimizeWarning", OptimizeWarning)
    if name == "test_gh4555":  # names it through the module
        monkeypatch.setattr(scipy_tests.optimize, "curve_fit", curve_fit)
    test = scipy_tests.TestCurveFit()
    test.setup_method()
    getattr(test, name)(**case)


# --- Against SciPy, live ---

COVARIANCE_MATRIX = np.diag(SIGMA**2) + 1e-4 * np.exp(-np.abs(T[:, None] - T))


@pytest.mark.parametrize("jac", [None, decay_jac], ids=["differences", "jac"])
@pytest.mark.parametrize("absolute", [False, True])
@pytest.mark.parametrize("sigma", [None, 0.1, SIGMA, COVARIANCE_MATRIX], ids=["none", "scalar", "vector", "matrix"])
def test_same_as_scipy(sigma, absolute, jac):
    if sigma is None and absolute:
        pytest.skip("warns; see test_absolute_without_sigma_warns")
    if np.ndim(sigma) == 0 and sigma is not None and jac is not None:
        pytest.skip("SciPy fails on a number for sigma together with jac; see test_jacobian_either_way_round")
    arguments = dict(p0=[2, 1, 0], sigma=sigma, absolute_sigma=absolute, jac=jac, full_output=True)
    popt, pcov, info, _, ier = curve_fit(decay, T, Y, **arguments)
    popt2, pcov2, info2, _, ier2 = scipy.optimize.curve_fit(decay, T, Y, **arguments)
    assert (ier, info["nfev"]) == (ier2, info2["nfev"])
    # With a covariance matrix, SciPy solves with its factor and we multiply with the inverse: rounding.
    np.testing.assert_allclose(popt, popt2, rtol=1e-8)
    np.testing.assert_allclose(pcov, pcov2, rtol=1e-6)
    np.testing.assert_allclose(info["fvec"], info2["fvec"], atol=1e-7 * np.linalg.norm(info2["fvec"]))
    assert info.keys() >= {"nfev", "fvec", "fjac", "ipvt", "qtf"}


def test_evaluations_are_counted_and_none_is_repeated():
    points = []

    def model(t, *p):
        points.append(p)
        return decay(t, *p)

    _, _, info, _, _ = curve_fit(model, T, Y, p0=[2, 1, 0], full_output=True)
    assert info["nfev"] == len(points)
    assert len(set(points)) == len(points)


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


def test_a_start_too_far_below_the_parameters_is_not_called_solved():
    """From zero, the step is 1.5e-8, which data of 1e12 do not feel; SciPy returns the start as solution."""
    for scale in (1e12, 1e17, 1e23):
        with pytest.raises(RuntimeError, match="parameter slope did not move"):
            curve_fit(line, T, scale * (3 * T + 1), p0=[0, 0])


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


def test_models_with_noise_of_their_own_still_return():
    rng = np.random.default_rng(0)
    y = 2 * np.exp(-1.3 * T)
    for _ in range(10):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", OptimizeWarning)
            popt, _ = curve_fit(lambda t, a, b: a * np.exp(-b * t) + 1e-3 * rng.normal(size=t.size), T, y, [1.9, 1.2])
        assert np.all(np.isfinite(popt))


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


def test_a_model_that_hides_single_precision_is_not_called_solved():
    def hidden(t, a, b):
        return np.float64(np.float32(a) * np.exp(-np.float32(b) * t.astype(np.float32)))

    with pytest.raises(RuntimeError, match=r"parameter a did not move.*single precision.*epsfcn"):
        curve_fit(hidden, T, Y)
    popt, _ = curve_fit(hidden, T, Y, epsfcn=1e-6)
    np.testing.assert_allclose(popt, curve_fit(lambda t, a, b: a * np.exp(-b * t), T, Y)[0], rtol=1e-2)


# --- Fits that are done must not be undone by looking for their errors ---


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


@pytest.mark.parametrize("scale", [1e-200, 1e-160, 1e160, 1e200])
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


# --- Data ---


def unaligned(a):
    return np.frombuffer(bytearray(b"-" + a.tobytes()), float, offset=1)


@pytest.mark.parametrize(
    "kind", [list, tuple, np.float32, lambda a: np.ma.array(a), lambda a: a.astype(object), unaligned]
)
def test_data_of_every_kind(kind):
    x = np.arange(10.0)
    y = 2 * x + 1
    popt, _ = curve_fit(line, kind(x), kind(y))
    np.testing.assert_allclose(popt, [2, 1], atol=1e-8)


def test_predictors_of_any_kind_are_passed_on():
    class Anything:
        values = np.arange(10.0)

    thing = Anything()
    seen = set()

    def model(x, a):
        seen.add(id(x))
        return a * x.values

    curve_fit(model, thing, 2 * thing.values)
    assert seen == {id(thing)}
    popt, _ = curve_fit(lambda x, a, b: a * x[0] + b * x[1], (np.arange(5.0), np.ones(5)), 2 * np.arange(5.0) + 3)
    np.testing.assert_allclose(popt, [2, 3], atol=1e-8)


def test_images():
    x, y = np.meshgrid(np.arange(8.0), np.arange(6.0))
    image = 3 * np.exp(-((x - 3.2) ** 2 + (y - 2.1) ** 2) / 4) + 0.01 * np.cos(x * y)

    def spot(xy, height, x0, y0):
        return height * np.exp(-((xy[0] - x0) ** 2 + (xy[1] - y0) ** 2) / 4)

    popt, _ = curve_fit(spot, (x, y), image, p0=[1, 3, 3])
    flat, _ = curve_fit(lambda xy, *p: spot(xy, *p).ravel(), (x, y), image.ravel(), p0=[1, 3, 3])
    np.testing.assert_array_equal(popt, flat)


def test_columns_are_not_broadcast_into_a_square():
    popt, _ = curve_fit(lambda x, a, b: (a * x + b)[:, None], T, 3 * T - 1)
    np.testing.assert_allclose(popt, [3, -1], atol=1e-7)


def test_one_value_is_broadcast():
    popt, _ = curve_fit(lambda x, a, b: a * x + b - (2 * T + 1), T, 0)
    np.testing.assert_allclose(popt, [2, 1], atol=1e-7)
    popt, _ = curve_fit(lambda x, c: c, T, T)
    np.testing.assert_allclose(popt, [2], atol=1e-9)


@pytest.mark.parametrize("value", [np.nan, np.ma.masked])
def test_missing_points(value):
    y = np.ma.array(3 * T - 1 + 0.1 * np.cos(T))
    full = y.copy()
    y[[3, 17]] = value
    keep = np.delete(np.arange(T.size), [3, 17])
    for sigma, kept in ((None, None), (SIGMA, SIGMA[keep]), (COVARIANCE_MATRIX, COVARIANCE_MATRIX[np.ix_(keep, keep)])):
        popt, pcov = curve_fit(line, T, y, sigma=sigma, nan_policy="omit")
        expected, covariance = curve_fit(line, T[keep], full[keep], sigma=kept)
        np.testing.assert_array_equal(popt, expected)
        np.testing.assert_array_equal(pcov, covariance)
    with pytest.raises(ValueError, match="contains nan values: 2 of 40 points"):
        curve_fit(line, T, y, nan_policy="raise")
    with pytest.raises(ValueError, match=r"ydata: 2 of 40 values are not finite, the first at index \[3\]"):
        curve_fit(line, T, y)


def test_without_nan_predictors_may_have_any_shape():
    popt, _ = curve_fit(lambda x, a: a * x.sum() * T, np.ones((3, 2)), 6 * T, nan_policy="omit")
    np.testing.assert_allclose(popt, [1])


def test_missing_pixels():
    x, y = np.meshgrid(np.arange(8.0), np.arange(6.0))
    image = 3 * np.exp(-((x - 3.2) ** 2 + (y - 2.1) ** 2) / 4) + 0.01 * np.cos(x * y)
    holes = image.copy()
    holes[2, 3] = holes[5, 0] = np.nan
    keep = np.isfinite(holes)
    sigma = 0.01 + 0.001 * x

    def spot(xy, height, x0, y0):
        return height * np.exp(-((xy[0] - x0) ** 2 + (xy[1] - y0) ** 2) / 4)

    popt, pcov = curve_fit(spot, np.array([x, y]), holes, [1, 3, 3], sigma.ravel(), nan_policy="omit")
    expected, covariance = curve_fit(spot, np.array([x[keep], y[keep]]), image[keep], [1, 3, 3], sigma[keep])
    np.testing.assert_array_equal(popt, expected)
    np.testing.assert_array_equal(pcov, covariance)


def test_images_with_a_sigma_for_each_pixel():
    x, y = np.meshgrid(np.arange(8.0), np.arange(6.0))
    image = 3 * np.exp(-((x - 3.2) ** 2 + (y - 2.1) ** 2) / 4) + 0.01 * np.cos(x * y)
    sigma = 0.01 + 0.001 * x

    def spot(xy, height, x0, y0):
        return height * np.exp(-((xy[0] - x0) ** 2 + (xy[1] - y0) ** 2) / 4)

    popt, pcov = curve_fit(spot, (x, y), image, [1, 3, 3], sigma)
    expected, covariance = curve_fit(spot, (x, y), image, [1, 3, 3], sigma.ravel())
    np.testing.assert_array_equal(popt, expected)
    np.testing.assert_array_equal(pcov, covariance)


def test_dates_and_text_are_read_as_numbers():
    days = np.datetime64("2020-01-01") + np.arange(10)
    popt, _ = curve_fit(lambda t, a, b: a + b * (t - t[0]), days, 1 + 2.0 * np.arange(10))
    np.testing.assert_allclose(popt, [1, 2], atol=1e-7)
    popt, _ = curve_fit(line, [str(i) for i in range(10)], [str(2 * i + 1) for i in range(10)])
    np.testing.assert_allclose(popt, [2, 1], atol=1e-7)
    days[3] = np.datetime64("NaT")
    with pytest.raises(ValueError, match="xdata: 1 of 10 values are not finite"):
        curve_fit(lambda t, a, b: a + b * (t - t[0]), days, 1 + 2.0 * np.arange(10))


def test_infinite_sigma_leaves_a_point_out():
    y = 3 * T - 1 + 0.1 * np.cos(T)
    y[5] = 1e6
    sigma = np.where(np.arange(T.size) == 5, np.inf, 0.1)
    popt, _ = curve_fit(line, T, y, sigma=sigma)
    expected, _ = curve_fit(line, np.delete(T, 5), np.delete(y, 5))
    np.testing.assert_allclose(popt, expected, rtol=1e-7)


# --- Models ---


class Model:
    def __call__(self, x, slope, intercept):
        return line(x, slope, intercept)

    def method(self, x, slope, intercept):
        return line(x, slope, intercept)

    @classmethod
    def of_class(cls, x, slope, intercept):
        return line(x, slope, intercept)

    @staticmethod
    def static(x, slope, intercept):
        return line(x, slope, intercept)


def with_defaults(x, slope, intercept=5.0, *, keyword=1):
    return line(x, slope, intercept) * keyword


MODELS = {
    "function": line,
    "lambda": lambda x, a, b: a * x + b,
    "callable": Model(),
    "method": Model().method,
    "class method": Model.of_class,
    "static method": Model.static,
    "partial": functools.partial(lambda k, x, a, b: k * (a * x + b), 1.0),
    "partial by keyword": functools.partial(lambda x, a, b, k: k * (a * x + b), k=1.0),
    "defaults": with_defaults,
    "wrapped": functools.wraps(line)(lambda *args: line(*args)),
}


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS.keys())
def test_parameters_are_counted(model):
    popt, _ = curve_fit(model, T, 3 * T - 1)
    np.testing.assert_allclose(popt, [3, -1], atol=1e-7)


@pytest.mark.parametrize("model", [lambda x, *p: p[0] * x, lambda x: x, lambda: 0, dict], ids=repr)
def test_parameters_that_cannot_be_counted(model):
    with pytest.raises(ValueError, match=r"Unable to determine number of fit parameters.*give p0"):
        curve_fit(model, T, Y)


@pytest.mark.parametrize("col_deriv", [False, True])
@pytest.mark.parametrize("sigma", [None, 0.1, SIGMA, COVARIANCE_MATRIX], ids=["none", "scalar", "vector", "matrix"])
def test_jacobian_either_way_round(sigma, col_deriv):
    expected, covariance = curve_fit(decay, T, Y, [2, 1, 0], sigma, jac=decay_jac)
    jac = (lambda *a: np.ascontiguousarray(decay_jac(*a).T)) if col_deriv else decay_jac
    popt, pcov = curve_fit(decay, T, Y, [2, 1, 0], sigma, jac=jac, col_deriv=col_deriv)
    np.testing.assert_allclose(popt, expected, rtol=1e-12)
    np.testing.assert_allclose(pcov, covariance, rtol=1e-10)


@pytest.mark.parametrize(
    "options",
    [
        {"ftol": 1e-3},
        {"xtol": 1e-2},
        {"gtol": 1e-2},
        {"factor": 1},
        {"diag": [1, 2, 3]},
        {"maxfev": 50},
        {"epsfcn": 1e-8},
    ],
    ids=str,
)
def test_solver_options_are_passed_on(options):
    ours = curve_fit(decay, T, Y, [2, 1, 0], full_output=True, **options)
    theirs = scipy.optimize.curve_fit(decay, T, Y, [2, 1, 0], full_output=True, **options)
    assert (ours[4], ours[2]["nfev"]) == (theirs[4], theirs[2]["nfev"])
    np.testing.assert_allclose(ours[0], theirs[0], rtol=1e-9)


# --- Refusals ---

REFUSED = {
    "bounds": (dict(bounds=(0, 5)), ValueError, "bounded fits.*not part of this release"),
    "one-sided bounds": (dict(bounds=([0, -np.inf, -np.inf], np.inf)), ValueError, "bounded fits"),
    "Bounds": (dict(bounds=scipy.optimize.Bounds(0, 1)), ValueError, "bounded fits"),
    "trf": (dict(method="trf"), ValueError, "'trf' and 'dogbox'"),
    "dogbox": (dict(method="dogbox"), ValueError, "'trf' and 'dogbox'"),
    "other method": (dict(method="newton"), ValueError, "method must be None or 'lm', got 'newton'"),
    "scheme for jac": (dict(jac="2-point"), ValueError, "jac must be callable or None"),
    "unknown option": (dict(max_nfev=5), TypeError, "unexpected keyword argument 'max_nfev'.*maxfev"),
    "args": (dict(args=(1,)), ValueError, "'args' is not a supported keyword argument"),
    "f": (dict(f=3), TypeError, "f must be callable"),
    "empty p0": (dict(p0=[]), TypeError, "p0 is empty"),
    "NaN in p0": (dict(p0=[1, np.nan, 1]), ValueError, r"p0: 1 of 3 values are not finite"),
    "complex ydata": (dict(ydata=Y * 1j), TypeError, "ydata: got complex numbers"),
    "objects as ydata": (dict(ydata=[object()] * 40), TypeError, "ydata: expected real numbers"),
    "words as ydata": ({"ydata": ["few"] * 40}, TypeError, "ydata: expected real numbers, got <U3 that are none"),
    "complex xdata": ({"xdata": T * 1j}, TypeError, "xdata: got complex numbers"),
    "empty ydata": (dict(xdata=[], ydata=[]), ValueError, "must not be empty"),
    "NaN in xdata": (dict(xdata=np.where(T > 3, np.nan, T)), ValueError, "xdata: 10 of 40 values are not finite"),
    "too few points": (dict(xdata=T[:2], ydata=Y[:2]), TypeError, "func parameters=3 must not exceed .* data points=2"),
    "other length": (dict(ydata=Y[:-1]), ValueError, "f returned 40 values for 39 data points"),
    "sigma of other length": (
        dict(sigma=SIGMA[1:]),
        ValueError,
        r"incorrect shape: got \(39,\), expected a number, \(40,\)",
    ),
    "zero sigma": (
        dict(sigma=SIGMA * (T != 0)),
        ValueError,
        r"1 of 40 standard deviations are not, the first at index 0",
    ),
    "negative sigma": (dict(sigma=-1.0), ValueError, "must be positive"),
    "NaN in sigma": (dict(sigma=np.where(T > 3, np.nan, SIGMA)), ValueError, "must be positive: 10 of 40"),
    "indefinite sigma": (dict(sigma=COVARIANCE_MATRIX - np.eye(40)), ValueError, "must be positive definite"),
    "infinite sigma": ({"sigma": np.inf}, ValueError, "infinite throughout"),
    "sigma too small": ({"sigma": 1e-310}, ValueError, "must be positive"),
    "NaN in a sigma matrix": (
        {"sigma": np.where(np.eye(40) > 0, np.nan, COVARIANCE_MATRIX)},
        ValueError,
        r"sigma: 40 of 1600 values are not finite, the first at index \[0, 0\]",
    ),
    "NaN in a weighted jac": (
        {"jac": lambda *a: np.where(decay_jac(*a) == 1, np.nan, decay_jac(*a)), "sigma": COVARIANCE_MATRIX},
        ValueError,
        r"jac: \d+ of 120 values are not finite",
    ),
    "malformed bounds": ({"bounds": (0,)}, ValueError, r"bounds must be a pair \(lower, upper\), got \(0,\)"),
    "bounds of NaN": ({"bounds": (np.nan, np.nan)}, ValueError, "bounded fits"),
    "predictors the wrong way round": (
        {"xdata": np.column_stack([T, T]), "ydata": np.where(T > 3, np.nan, Y), "nan_policy": "omit"},
        ValueError,
        r"shapes \(40, 2\) and \(40,\). Transpose",
    ),
    "nothing but NaN": ({"ydata": np.full(40, np.nan), "nan_policy": "omit"}, ValueError, "no points are left"),
    "ragged ydata": ({"ydata": [[1, 2], [3]]}, ValueError, "ydata: .* unequal length"),
    "asymmetric sigma": (dict(sigma=COVARIANCE_MATRIX + np.tri(40)), ValueError, "must be a symmetric matrix"),
    "nan_policy": (dict(nan_policy="ignore"), ValueError, "nan_policy must be one of .* got 'ignore'"),
    "model without value at p0": (
        dict(f=lambda t, a: np.log(a * (t - 1)), p0=[1.0]),
        ValueError,
        r"f: \d+ of 40 values at the starting point are not finite",
    ),
    "complex model": (dict(f=lambda t, a: a * t * 1j), TypeError, "f: got complex numbers"),
    "model without return": (dict(f=lambda t, a: None), TypeError, "f: got None"),
    "transposed jac": (
        dict(jac=lambda *a: decay_jac(*a).T),
        TypeError,
        r"jac returned .*\(3, 40\), expected \(40, 3\).*transposed",
    ),
    "transposed weighted jac": (
        dict(jac=lambda *a: decay_jac(*a).T, sigma=SIGMA),
        TypeError,
        r"jac returned .*\(3, 40\), expected \(40, 3\)",
    ),
}


@pytest.mark.filterwarnings("ignore:invalid value", "ignore:divide by zero")
@pytest.mark.parametrize(("arguments", "error", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_refused_in_words(arguments, error, words):
    with pytest.raises(error, match=words):
        curve_fit(**{"f": decay, "xdata": T, "ydata": Y, **arguments})


def test_failure_says_what_stopped_it():
    with pytest.raises(RuntimeError, match=r"Optimal parameters not found: .* 5 evaluations .*maxfev = 5.*so far: \["):
        curve_fit(decay, T, Y, [30, 10, 0], maxfev=5)


def test_model_that_changes_length():
    lengths = iter([40, 40, 40, 39] + [40] * 100)
    with pytest.raises(ValueError, match="f returned 39 values for 40 data points"):
        curve_fit(lambda t, a, b: (a * t**2 + np.exp(b * t))[: next(lengths)], T, Y)


def test_model_that_masks_later():
    masks = iter([False, False] + [True] * 100)
    with pytest.raises(ValueError, match="f: 10 of 40 entries are masked"):
        curve_fit(lambda t, a, b: np.ma.array(a * t + b, mask=(t > 3) & next(masks)), T, Y)


def test_no_scipy_at_run_time():
    import subprocess
    import sys

    code = """
import sys
sys.modules["scipy"] = None
import leastsq
print(leastsq.curve_fit(lambda x, a: a * x, [1, 2], [2, 4])[0])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[2.]"


def test_no_warning_for_an_ordinary_fit():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        curve_fit(decay, T, Y, [2, 1, 0])


def test_package_exports():
    assert leastsq.__all__ == [
        "ManyFits",
        "OptimizeWarning",
        "curve_fit",
        "curve_fit_many",
        "leastsq",
        "models",
        "native",
    ]
    assert issubclass(OptimizeWarning, UserWarning)
