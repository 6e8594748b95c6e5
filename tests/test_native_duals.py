"""Derivatives of Python functions by dual numbers."""

import math

import numpy as np
import pytest
from native_functions import X, numba

from leastsq import curve_fit, curve_fit_many, native

pytestmark = pytest.mark.slow

# --- Derivatives by dual numbers ---

ONE_BY_ONE = {
    "exp": lambda x, a: math.exp(a * x / 4) + np.exp(-a),
    "logarithms": lambda x, a: math.log(a) * np.log(a * x) + np.log1p(a) + math.log10(a) + np.log2(a * x),
    "expm1": lambda x, a: np.expm1(a) * math.expm1(-a),
    "roots": lambda x, a: np.sqrt(a) * math.sqrt(a * x),
    "sines": lambda x, a: np.sin(a) + math.sin(a * x) * math.cos(a) + np.cos(a * x) + math.tan(a / 3),
    "arcs": lambda x, a: math.asin(a / 9) + np.arccos(a / 9) * math.acos(a / 9) + math.atan(a) + np.arctan(a * x),
    "hyperbolic": lambda x, a: np.sinh(a) + math.cosh(a) * np.tanh(a) + math.tanh(a * x) + np.cosh(a),
    "inverse hyperbolic": lambda x, a: math.asinh(a) + math.acosh(a + 1) + math.atanh(a / 9) + np.arctanh(a / 9),
    "errors": lambda x, a: math.erf(a / x) + math.erfc(a),
    "powers": lambda x, a: a**2 + a**3.5 + a**-1 + x**a + a**a + 2**a + pow(a, 3) + np.power(a, x) + np.square(a),
    "absolute": lambda x, a: abs(-a) + np.abs(a - 9) * 2 + math.fabs(a),
    "extremes": lambda x, a: min(a, x) + max(a, x) + min(2 * a, 9) + max(0.0, a * x),
    "division": lambda x, a: x / a + a / x + 1 / a + a / (1 + a) + (-a) + (+a) - 3 + (3 - a) - a * a,
    "choice": lambda x, a: (a if a < x else x * a) + (1 if a > 1 else a),
}


@pytest.mark.parametrize("function", ONE_BY_ONE.values(), ids=ONE_BY_ONE)
def test_derivatives_of_each_operation(function):
    model = native.jit(function, derivatives="dual")
    x = np.array([0.7, 1.9, 2.6])
    a = 1.371
    expected = np.array([function(one, a) for one in x])
    np.testing.assert_allclose(model(x, a), expected, rtol=1e-14)
    h = 1e-4
    above, below, further, back = (np.array([function(one, a + k * h) for one in x]) for k in (1, -1, 2, -2))
    # Of fourth order: the error is h**4/30 times a fifth derivative, and rounding over h.
    central = (8 * (above - below) - (further - back)) / (12 * h)
    np.testing.assert_allclose(model.jac(x, a)[:, 0], central, rtol=1e-10, atol=1e-10)


def test_derivatives_through_conditions_loops_and_functions():
    @numba.njit
    def helper(a, x):
        return a * x

    def model(t, height, delay, time, order):
        value = 0.0
        if t > delay:
            term = 1.0
            for k in range(3):
                value += height * term * math.exp(-(t - delay) / time)
                term *= helper(order, t - delay) / (k + 1)
        return value

    compiled = native.jit(model)
    assert compiled.jac is not None
    t = np.linspace(0, 5, 12)
    p = np.array([2.0, 1.1, 0.9, 0.4])
    expected = [model(one, *p) for one in t]
    np.testing.assert_allclose(compiled(t, *p), expected, rtol=1e-14)
    h = 1e-6
    for j in range(4):
        step = np.zeros(4)
        step[j] = h
        central = [(model(one, *(p + step)) - model(one, *(p - step))) / (2 * h) for one in t]
        np.testing.assert_allclose(compiled.jac(t, *p)[:, j], central, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize(
    "function",
    [
        lambda x, a, b: math.sqrt(a * x) + b,
        lambda x, a, b: (a * x) ** 0.5 + b,
        lambda x, a, b: a * (x * b) ** b,
        lambda x, a, b: a * abs(x * b) + math.asin(1 - 0 * b) + b,
        lambda x, a, b: (x * x * a) ** 2**-1 + b,
    ],
)
def test_derivatives_where_a_function_has_a_pole_but_parameters_do_not_count(function):
    """At x = 0 the values do not depend on a, though the derivative of the root is infinite there."""
    model = native.jit(function, derivatives="dual")
    derivatives = model.jac(np.zeros(1), 1.3, 0.7)[0]
    h = 1e-6
    central = (function(0.0, 1.3, 0.7 + h) - function(0.0, 1.3, 0.7 - h)) / (2 * h)
    # Rounding over h is what the difference is known to.
    np.testing.assert_allclose(derivatives, [0, central], rtol=1e-9, atol=1e-9)


def test_exponentials_beyond_what_can_be_represented():
    model = native.jit(lambda x, a: math.exp(a * x))
    values = model(np.array([-800.0, -709.0, 0.0, 709.0, 711.0, np.nan]), 1.0)
    np.testing.assert_array_equal(values[[0, 1, 2, 4]], [0, 0, 1, np.inf])
    assert values[3] == pytest.approx(math.exp(709.0), rel=1e-13)
    assert np.isnan(values[5])


def test_operations_without_rules_are_differenced():
    def stepped(x, a, b):
        return a * x + b + 0 * math.floor(a)

    model = native.jit(stepped)
    assert model.jac is None
    np.testing.assert_allclose(curve_fit(model, X, 2 * X + 1, [1, 0])[0], [2, 1], rtol=1e-6)
    with pytest.raises(TypeError, match="cannot be compiled"):
        native.jit(stepped, derivatives="dual")


def test_several_predictors():
    def plane(xy, a, b, c):
        return a * xy[0] + b * xy[1] ** 2 + c

    model = native.jit(plane, predictors=2)
    x, y = np.random.default_rng(9).uniform(-1, 1, (2, 40))
    z = 2 * x - 3 * y**2 + 0.5
    popt, _ = curve_fit(model, (x, y), z, [1, 1, 1])
    np.testing.assert_allclose(popt, [2, -3, 0.5], rtol=1e-8)
    fits = curve_fit_many(model, (x, y), np.tile(z, (30, 1)), [1, 1, 1])
    np.testing.assert_allclose(fits.popt, np.tile([2, -3, 0.5], (30, 1)), rtol=1e-8)
    np.testing.assert_allclose(model((x, y), 2, -3, 0.5), z, rtol=1e-13)


@pytest.mark.parametrize("n", [1, 20])
def test_numbers_of_parameters_at_the_bounds(n):
    arguments = ", ".join(f"p{j}" for j in range(n))
    scope = {"math": math}
    exec(f"def f(x, {arguments}): return " + " + ".join(f"p{j} * math.cos({j} * x)" for j in range(n)), scope)
    # Derivatives of so many parameters take numba long to compile.
    model = native.jit(scope["f"], derivatives="dual" if n == 1 else "differences")
    x = np.linspace(0, 3, 600)
    truth = np.random.default_rng(10).uniform(-1, 1, n)
    popt, _ = curve_fit(model, x, scope_values(truth, x), np.zeros(n))
    # The cosines are far from orthogonal on this interval, which costs digits.
    np.testing.assert_allclose(popt, truth, atol=1e-4)
    fits = curve_fit_many(model, x[::6], scope_values(truth, x[::6])[None], np.zeros(n))
    assert np.abs(fits.predict(x[::6]) - scope_values(truth, x[::6])).max() < 1e-6


def scope_values(p, x):
    return sum(one * np.cos(j * x) for j, one in enumerate(p))


def logistic(x, bottom, top, middle, slope):
    return bottom + (top - bottom) / (1 + math.exp(slope * (middle - x)))


def logistic_of_ten(x, bottom, top, middle, slope):
    return bottom + (top - bottom) / (1 + 10 ** (slope * (middle - x)))


def hill(x, top, dose, slope):
    return top / (1 + (dose / x) ** slope)


def log_logistic(x, top, dose, slope):
    return top / (1 + math.exp(slope * (math.log(x) - math.log(dose))))


def peak(x, height, centre, width):
    return height * math.exp(-(((x - centre) / width) ** 2))


def lorentzian(x, height, centre, width):
    return height / (1 + ((x - centre) / width) ** 2)


def stretched(x, height, time, exponent):
    return height * math.exp(-((x / time) ** exponent))


def saturating(x, height, rate):
    return height * (math.tanh(rate * x) + math.atan(rate * x) + math.erf(rate * x))


def michaelis_menten(x, rate, constant):
    return rate / (1 + constant / x)


@pytest.mark.parametrize(
    ("function", "x", "parameters", "value", "slopes"),
    [
        (logistic, -np.inf, (1, 2, 0.5, 3), 1, [1, 0, 0, 0]),
        (logistic, np.inf, (1, 2, 0.5, 3), 2, [0, 1, 0, 0]),
        (logistic_of_ten, -np.inf, (1, 2, 0.5, 3), 1, [1, 0, 0, 0]),
        (hill, 0.0, (2, 0.5, 3), 0, [0, 0, 0]),
        (hill, np.inf, (2, 0.5, 3), 2, [1, 0, 0]),
        (log_logistic, 0.0, (2, 0.5, 3), 2, [1, 0, 0]),
        (log_logistic, np.inf, (2, 0.5, 3), 0, [0, 0, 0]),
        (peak, np.inf, (1, 0, 2), 0, [0, 0, 0]),
        (peak, 1e200, (1, 0, 1e-200), 0, [0, 0, 0]),
        (lorentzian, np.inf, (1, 0, 2), 0, [0, 0, 0]),
        (stretched, np.inf, (1, 2, 0.5), 0, [0, 0, 0]),
        (stretched, 0.0, (1, 2, 0.5), 1, [1, 0, 0]),
        (saturating, np.inf, (1, 2), 2 + np.pi / 2, [2 + np.pi / 2, 0]),
        (saturating, -400.0, (1, 2), None, None),
        (michaelis_menten, 0.0, (1, 2), 0, [0, 0]),
        (michaelis_menten, np.inf, (1, 2), 1, [1, 0]),
    ],
)
def test_limits_at_infinity_and_at_poles(function, x, parameters, value, slopes):
    """Controls at dose zero, and times without end: where a curve has a limit, its derivatives have one."""
    model = native.jit(function, derivatives="dual")
    found, derivatives = model(x, *parameters), model.jac(x, *parameters)
    if slopes is None:  # far out, but not at infinity
        assert np.isfinite(found)
        assert np.isfinite(derivatives).all()
        return
    assert found == pytest.approx(value, rel=1e-14)
    np.testing.assert_allclose(derivatives, slopes, rtol=1e-14)


def test_a_fit_with_controls_at_dose_zero():
    doses = np.repeat([0.0, 1, 2, 4, 8, 16], 3)
    with np.errstate(over="ignore"):
        y = 2 / (1 + (3.0 / np.maximum(doses, 1e-300)) ** 1.5) + 0.02 * np.cos(9 * np.arange(18))
    model = native.jit(hill, derivatives="dual")
    popt, pcov = curve_fit(model, doses, y, [1.5, 2, 1])
    assert np.isfinite(pcov).all()
    assert popt == pytest.approx([2, 3, 1.5], abs=0.2)
