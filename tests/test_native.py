"""Native models: functions by address and functions compiled by numba, against the same models in NumPy."""

import ctypes
import functools
import gc
import importlib
import math
import pickle
import subprocess
import sys
import threading
import time
import weakref
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_all_start_methods, get_context
from pathlib import Path

import numpy as np
import pytest
import scipy.optimize
from scipy import LowLevelCallable

import leastsq
from leastsq import curve_fit, curve_fit_many, models, native

numba = pytest.importorskip("numba")

POINTER = ctypes.POINTER(ctypes.c_double)
KINDS_OF_FIT = [*[ctypes.c_int64] * 2, *[POINTER] * 4, ctypes.c_void_p]
KINDS_OF_LANES = [*[ctypes.c_int64] * 4, *[POINTER] * 4, ctypes.c_void_p]
NAMES = ["amplitude", "center", "sigma", "offset"]

X = np.linspace(0, 10, 50)
RNG = np.random.default_rng(20260201)
TRUTH = RNG.uniform([2, 3, 0.7, 0.2], [5, 7, 1.5, 1], (300, 4))
Y = models.gaussian(X, *TRUTH.T[:, :, None]) + RNG.normal(0, 0.05, (300, 50))
P0 = TRUTH * RNG.uniform(0.85, 1.15, TRUTH.shape)


def gaussian(x, amplitude, center, sigma, offset):
    """The model in NumPy."""
    return amplitude * np.exp(-((x - center) ** 2) / (2 * sigma**2)) + offset


def point(x, amplitude, center, sigma, offset):
    """The model at a point."""
    return amplitude * math.exp(-((x - center) ** 2) / (2 * sigma**2)) + offset


def slopes(x, amplitude, center, sigma, offset):
    z = (x - center) / sigma
    e = math.exp(-0.5 * z * z)
    return e, amplitude * e * z / sigma, amplitude * e * z * z / sigma, 1.0


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """The functions in C."""
    source = Path(__file__).with_name("native_functions.c")
    built = tmp_path_factory.mktemp("library") / "functions.so"
    width = f"-DWIDTH={native.lane_width}"
    subprocess.run(
        ["gcc", "-O2", "-Wall", "-Werror", width, "-shared", "-fPIC", source, "-o", built, "-lm"], check=True
    )
    found = ctypes.CDLL(str(built))
    found.peak.argtypes = KINDS_OF_FIT
    found.decay_residuals.argtypes = KINDS_OF_FIT
    found.peaks.argtypes = KINDS_OF_LANES
    found.lines.argtypes = KINDS_OF_LANES
    return found


def numba_signature(layout="fit"):
    doubles = numba.types.CPointer(numba.types.float64)
    sizes = 2 if layout == "fit" else 4
    return numba.types.int32(*[numba.types.int64] * sizes, *[doubles] * 4, numba.types.voidptr)


@functools.cache
def numba_peak():
    @numba.cfunc(numba_signature())
    def peak(m, n, x, p, out, jac, data):
        for i in range(m):
            out[i] = p[0] * math.exp(-0.5 * ((x[i] - p[1]) / p[2]) ** 2) + p[3]
        return 0

    return peak


def of_ctypes(library, derivatives):
    return native.model(library.peak, NAMES, derivatives=derivatives)


def of_lanes(library, derivatives):
    return native.model(library.peaks, NAMES, layout="lanes", derivatives=derivatives)


def of_address(library, derivatives):
    address = ctypes.cast(library.peak, ctypes.c_void_p).value
    declaration = (
        "int peak(int64_t m, int64_t n, const double *x, const double *p, double *out, double *jac, void *user_data)"
    )
    return native.model(address, NAMES, derivatives=derivatives, signature=declaration)


def of_scipy(library, derivatives):
    return native.model(LowLevelCallable(library.peak), NAMES, derivatives=derivatives)


def of_cffi(library, derivatives):
    cffi = pytest.importorskip("cffi")
    ffi = cffi.FFI()
    ffi.cdef("int peak(int64_t, int64_t, const double *, const double *, double *, double *, void *);")
    functions = ffi.dlopen(library._name)
    return native.model(ffi.addressof(functions, "peak"), NAMES, derivatives=derivatives)


def of_numba(library, derivatives):
    if derivatives:
        pytest.skip("the function takes no derivatives")
    return native.model(numba_peak(), NAMES)


@functools.cache
def jitted(kind):
    if kind == "given":
        return native.jit(point, slopes)
    return native.jit(point, derivatives=kind)


def of_jit(library, derivatives):
    return jitted("dual" if derivatives else "differences")


def of_jit_with_jac(library, derivatives):
    if not derivatives:
        pytest.skip("the derivatives are given")
    return jitted("given")


MAKERS = [of_ctypes, of_lanes, of_address, of_scipy, of_cffi, of_numba, of_jit, of_jit_with_jac]
each_maker = pytest.mark.parametrize("make", MAKERS, ids=lambda make: make.__name__)
each_way = pytest.mark.parametrize("derivatives", [True, False], ids=["derivatives", "differences"])


# --- The same fits as of the model in NumPy ---


def assert_covariances_agree(pcov, expected, tolerance):
    """Compare covariances in units of the standard errors, because some of them are zero but for rounding."""
    errors = np.sqrt(np.diag(expected))
    assert np.abs((pcov - expected) / errors / errors[:, None]).max() < tolerance


@each_maker
@each_way
def test_many_fits_are_those_of_the_compiled_model(make, derivatives, library):
    model = make(library, derivatives)
    assert (model.jac is not None) == derivatives
    fits = curve_fit_many(model, X, Y, P0)
    expected = curve_fit_many(models.gaussian, X, Y, P0)
    assert fits.success.all()
    if derivatives:
        np.testing.assert_array_equal(fits.nfev, expected.nfev)
    # The last steps, of a relative length of 1e-4 or so, differ by the error of derivatives by differences, 1e-7 or so.
    np.testing.assert_allclose(fits.popt, expected.popt, rtol=1e-8 if derivatives else 1e-6)
    np.testing.assert_allclose(fits.stderr, expected.stderr, rtol=1e-7 if derivatives else 1e-5)
    np.testing.assert_allclose(fits.chisq, expected.chisq, rtol=1e-9)


@each_maker
@each_way
@pytest.mark.parametrize("weighted", [False, True])
def test_single_fits_are_those_of_curve_fit(make, derivatives, weighted, library):
    model = make(library, derivatives)
    sigma = np.linspace(0.5, 2, 50) if weighted else None
    for i in range(0, 300, 60):
        popt, pcov, info, _, ier = curve_fit(model, X, Y[i], P0[i], sigma, full_output=True)
        jac = models.gaussian.jac if derivatives else None
        expected = curve_fit(gaussian, X, Y[i], P0[i], sigma, jac=jac, full_output=True)
        np.testing.assert_allclose(popt, expected[0], rtol=1e-8)
        assert_covariances_agree(pcov, expected[1], 1e-6)
        np.testing.assert_allclose(info["fvec"], expected[2]["fvec"], rtol=1e-6, atol=1e-9)
        assert info["nfev"] == expected[2]["nfev"]
        assert ier == expected[4]


@each_maker
@each_way
def test_tall_fits(make, derivatives, library):
    """More points than are factored at once."""
    x = np.linspace(0, 10, 3000)
    y = gaussian(x, 3.0, 5.0, 1.2, 0.5) + np.random.default_rng(6).normal(0, 0.1, x.size)
    model = make(library, derivatives)
    popt, pcov = curve_fit(model, x, y, [2, 4, 1, 0])
    expected = curve_fit(gaussian, x, y, [2, 4, 1, 0], jac=models.gaussian.jac)
    np.testing.assert_allclose(popt, expected[0], rtol=1e-6)
    assert_covariances_agree(pcov, expected[1], 1e-6)
    many = curve_fit_many(model, x, y[None], [2, 4, 1, 0])
    np.testing.assert_allclose(many.popt[0], popt, rtol=1e-6)


@each_maker
@each_way
def test_hard_fits_are_made_by_themselves(make, derivatives, library):
    """From starts that are far off, fits leave their groups and end as in the scalar machine."""
    model = make(library, derivatives)
    starts = TRUTH * 2.0 ** np.random.default_rng(5).uniform(-1, 1, TRUTH.shape)
    fits = curve_fit_many(model, X, Y, starts)
    jac = models.gaussian.jac if derivatives else None
    expected = curve_fit_many(gaussian, X, Y, starts, jac=jac)
    ran = fits.status > 0  # the functions in C stop those whose amplitudes grow out of bounds
    assert np.mean(ran) > 0.8
    assert np.mean((fits.status == expected.status)[ran]) > 0.97
    if derivatives:
        assert np.mean((fits.nfev == expected.nfev)[ran]) > 0.97
    both = fits.success & expected.success
    close = np.isclose(fits.popt[both], expected.popt[both], rtol=1e-5, atol=1e-6).all(axis=1)
    assert np.mean(close) > 0.97


@each_maker
@each_way
def test_missing_points_and_weights(make, derivatives, library):
    model = make(library, derivatives)
    rng = np.random.default_rng(7)
    missing, sigma = rng.random(Y.shape) < 0.1, rng.uniform(0.5, 2, Y.shape)
    data = np.where(missing, np.nan, Y)
    fits = curve_fit_many(model, X, data, P0, sigma)
    expected = curve_fit_many(models.gaussian, X, data, P0, sigma)
    np.testing.assert_array_equal(fits.dof, expected.dof)
    np.testing.assert_allclose(fits.popt, expected.popt, rtol=1e-8 if derivatives else 1e-6)


@each_maker
@each_way
def test_values_and_derivatives_broadcast(make, derivatives, library):
    model = make(library, derivatives)
    columns = TRUTH[:5].T[:, :, None]
    np.testing.assert_allclose(model(X, *columns), gaussian(X, *columns), rtol=1e-13)
    assert model(1.5, 2.0, 1.0, 1.0, 0.5) == pytest.approx(gaussian(1.5, 2.0, 1.0, 1.0, 0.5), rel=1e-14)
    assert np.shape(model(1.5, 2.0, 1.0, 1.0, 0.5)) == ()
    assert model(X[:0], 2.0, 1.0, 1.0, 0.5).shape == (0,)
    if derivatives:
        np.testing.assert_allclose(model.jac(X, *columns), models.gaussian.jac(X, *columns), rtol=1e-11, atol=1e-15)
    fits = curve_fit_many(model, X, Y, P0)
    np.testing.assert_allclose(fits.predict(X[:3]), gaussian(X[:3], *fits.popt.T[:, :, None]), rtol=1e-13)


def test_parameters_of_a_function_for_a_fit_cannot_vary_along_its_points(library):
    model = of_ctypes(library, True)
    with pytest.raises(ValueError, match="cannot vary along the last axis"):
        model(X, np.ones(50), 5.0, 1.0, 0.0)
    assert model(X, np.ones((50, 1)), 5.0, 1.0, 0.0).shape == (50, 50)


# --- Residuals for leastsq ---


def test_residuals_by_address(library):
    t = np.linspace(0, 4, 60)
    y = 2.0 * np.exp(-1.3 * t) + np.random.default_rng(8).normal(0, 0.05, t.size)
    model = native.model(library.decay_residuals, ["amplitude", "rate"], predictors=2)
    x, cov, info, message, ier = leastsq.leastsq(model, [1, 1], args=(t, y), full_output=True)
    expected = leastsq.leastsq(lambda p: p[0] * np.exp(-p[1] * t) - y, [1, 1], full_output=True)
    theirs = scipy.optimize.leastsq(lambda p: p[0] * np.exp(-p[1] * t) - y, [1, 1], full_output=True)
    np.testing.assert_allclose(x, expected[0], rtol=1e-9)
    np.testing.assert_allclose(cov, expected[1], rtol=1e-7)
    np.testing.assert_allclose(info["fvec"], expected[2]["fvec"], rtol=1e-6, atol=1e-12)
    assert info["nfev"] == expected[2]["nfev"] == theirs[2]["nfev"]
    assert (message, ier) == expected[3:]
    assert ier == theirs[4]


def test_residuals_by_numba():
    t = np.linspace(0, 4, 60)
    y = 2.0 * np.exp(-1.3 * t) + np.random.default_rng(8).normal(0, 0.05, t.size)

    def residual(data, amplitude, rate):
        return amplitude * math.exp(-rate * data[0]) - data[1]

    model = native.jit(residual, predictors=2)
    x, _, info, _, _ = leastsq.leastsq(model, [1, 1], args=(t, y), full_output=True)
    expected = leastsq.leastsq(
        lambda p: p[0] * np.exp(-p[1] * t) - y,
        [1, 1],
        Dfun=lambda p: np.stack([np.exp(-p[1] * t), -p[0] * t * np.exp(-p[1] * t)], axis=1),
        full_output=True,
    )
    np.testing.assert_allclose(x, expected[0], rtol=1e-9)
    assert (info["nfev"], info["njev"]) == (expected[2]["nfev"], expected[2]["njev"])


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"x0": [1]}, TypeError, "x0 has 1 parameters, decay_residuals 2: amplitude, rate"),
        ({"args": (X,)}, TypeError, "has 2 predictors, got 1 in args"),
        ({"args": (X, X[:3])}, ValueError, r"args have \[50, 3\] points"),
        ({"args": (X[:1], X[:1])}, TypeError, "2 parameters but only 1 residual"),
        ({"Dfun": print}, TypeError, "leave Dfun out"),
        ({"args": (X, X + 1j)}, TypeError, r"args\[1\]: got complex numbers"),
    ],
)
def test_residuals_refuse_what_does_not_fit(arguments, error, message, library):
    model = native.model(library.decay_residuals, ["amplitude", "rate"], predictors=2)
    with pytest.raises(error, match=message):
        leastsq.leastsq(**{"func": model, "x0": [1, 1], "args": (X, X), **arguments})


def test_start_without_values():
    model = native.jit(lambda x, a, b: math.sqrt(a) + b * x)
    with pytest.raises(ValueError, match="not finite"):
        curve_fit(model, X, X, [-1, 0])
    assert curve_fit_many(model, X, X[None], [-1, 0]).status.tolist() == [10]


# --- Stops ---


@pytest.mark.parametrize("make", [of_ctypes, of_lanes])
@each_way
def test_a_function_may_stop_a_fit(make, derivatives, library):
    model = make(library, derivatives)
    code = 7 if make is of_ctypes else 1
    starts = P0.copy()
    starts[5:300:50, 0] = 2000.0
    fits = curve_fit_many(model, X, Y, starts)
    stopped = np.zeros(300, dtype=bool)
    stopped[5:300:50] = True
    assert (fits.status[stopped] == -code).all()
    assert fits.success[~stopped].all()
    assert np.isnan(fits.chisq[stopped]).all()
    assert np.isnan(fits.pcov[stopped]).all()
    np.testing.assert_array_equal(fits.popt[stopped], starts[stopped])
    np.testing.assert_array_equal(fits.nfev[stopped], 1)
    others = curve_fit_many(model, X, Y[~stopped], starts[~stopped])
    np.testing.assert_array_equal(fits.popt[~stopped], others.popt)
    assert fits.message(5) == f"Not solved: the model asked to stop, with code {code}, after 1 evaluations."
    assert f"stopped by the model (code {code}) (status -{code})" in fits.summary()
    with pytest.raises(RuntimeError, match=f"asked to stop, with code {code}"):
        curve_fit(model, X, Y[0], starts[5])
    assert np.isnan(model(X, *starts[5])).all()
    if derivatives:
        assert np.isnan(model.jac(X, *starts[5])).all()


@pytest.mark.filterwarnings("ignore:.*asked to stop")
def test_derivatives_stop_fits_only_where_they_go_on(library):
    """Rejected steps and the last one are taken without derivatives, in groups as by leastsq."""
    t = np.linspace(0, 4, 40)
    rng = np.random.default_rng(11)
    y = rng.uniform(1, 3, (400, 1)) * np.exp(-rng.uniform(0.5, 1.5, (400, 1)) * t) + rng.normal(0, 0.02, (400, 40))
    starts = rng.uniform(0.2, 3, (400, 2))
    limit = ctypes.c_double(2.2)
    model = native.model(library.decay_residuals, 2, predictors=2, derivatives=True, user_data=limit)
    fits = curve_fit_many(model, (t, y), np.zeros_like(y), starts)
    assert 0 < (fits.status == -9).sum() < fits.success.sum()
    for i, start in enumerate(starts):
        x, _, info, _, status = leastsq.leastsq(model, start, args=(t, y[i]), full_output=True)
        assert (status == -9) == (fits.status[i] == -9)
        if status == -9:  # others may end a step sooner or later by rounding
            assert info["nfev"] == fits.nfev[i]
        np.testing.assert_allclose(fits.popt[i], x, rtol=1e-6)
        np.testing.assert_allclose(fits.chisq[i], np.sum(info["fvec"] ** 2), rtol=1e-6)


def test_lanes_without_a_fit_see_predictors_of_others(library):
    count = ctypes.c_int64(0)
    model = native.model(library.lines, ["offset", "slope"], layout="lanes", user_data=count)
    x = np.random.default_rng(12).uniform(1, 5, (3, 70))
    fits = curve_fit_many(model, x, 1 + 2 * x, [0.5, 0.5])
    np.testing.assert_allclose(fits.popt, [[1, 2]] * 3, rtol=1e-7)
    assert count.value == 0


def test_a_stop_later_keeps_the_best_point():
    """A fit that begins well and walks into where the function stops."""

    @numba.cfunc(numba_signature())
    def stopping(m, n, x, p, out, jac, data):
        for i in range(m):
            out[i] = p[0] * x[i]
        return 55 if p[0] > 2.5 else 0

    model = native.model(stopping, ["slope"])
    fits = curve_fit_many(model, X, (3 * X)[None], [1.0], factor=0.5)
    assert fits.status.tolist() == [-55]
    assert 1.0 < fits.popt[0, 0] <= 2.5
    assert np.isfinite(fits.chisq).all()
    with pytest.warns(RuntimeWarning, match="asked to stop, with code 55"):
        x, ier = leastsq.leastsq(model, [3.0], args=(X,))
    assert (x[0], ier) == (3.0, -55)


@pytest.mark.parametrize(("code", "status"), [(1, -1), (100, -100), (101, -100), (-3, -3), (-(2**31), -100)])
def test_codes_stay_in_bounds(code, status, library):
    model = native.model(library.peak, NAMES, user_data=ctypes.c_int(code))
    fits = curve_fit_many(model, X, Y[:1], [2000.0, 5.0, 1.0, 0.0])
    assert fits.status.tolist() == [status]


@pytest.mark.parametrize("derivatives", ["dual", "differences"])
@pytest.mark.parametrize("bad", [[3], [0], [0, 1], [7, 8, 19], [*range(20)]], ids=str)
def test_python_functions_that_raise_stop_their_fits_alone(bad, derivatives):
    def risky(x, a, b):
        if a > 10:
            raise ValueError("too large")
        return a * x + b

    model = native.jit(risky, derivatives=derivatives)
    starts = np.ones((20, 2))
    starts[bad, 0] = 50.0
    lines = 2 * X + np.arange(20)[:, None]
    fits = curve_fit_many(model, X, lines, starts)
    good = np.delete(np.arange(20), bad)
    assert (fits.status[bad] == -1).all()
    assert fits.success[good].all()
    np.testing.assert_array_equal(fits.popt[bad], starts[bad])
    np.testing.assert_allclose(fits.popt[good], np.stack([np.full(len(good), 2.0), good], axis=1), atol=1e-6)
    values = fits.predict(X)
    np.testing.assert_allclose(values[good], lines[good], atol=1e-5)
    assert np.isnan(values[bad]).all()
    with pytest.raises(RuntimeError, match="asked to stop"):
        curve_fit(model, X, lines[0], [50, 1])


def test_points_where_a_python_function_raises_have_no_value():
    def risky(x, a):
        if x > a:
            raise ValueError("beyond")
        return x * a

    model = native.jit(risky)
    values, slopes = model(X, 6.05), model.jac(X, 6.05)[:, 0]
    np.testing.assert_array_equal(values, np.where(X > 6.05, np.nan, 6.05 * X))
    np.testing.assert_array_equal(slopes, np.where(X > 6.05, np.nan, X))


def test_powers_of_zero():
    """Whole powers divide by zero as numbers do, and the power 0 does not depend on its base."""
    at_zero = {-2: (np.inf, -np.inf), -1: (np.inf, -np.inf), 0: (1, 0), 1: (0, 1), 2: (0, 0)}
    for function, power in (
        (lambda x, a: (a - x) ** -2, -2),
        (lambda x, a: (a - x) ** -1, -1),
        (lambda x, a: (a - x) ** 0, 0),
        (lambda x, a: (a - x) ** (0 * x), 0),
        (lambda x, a: (a - x) ** 1, 1),
        (lambda x, a: (a - x) ** 2, 2),
    ):
        model = native.jit(function, derivatives="dual")
        assert (model(1.5, 1.5), model.jac(1.5, 1.5)[0]) == at_zero[power]
        np.testing.assert_allclose(model.jac(0.0, 1.5)[0], power * 1.5 ** (power - 1), rtol=1e-15)


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


# --- Lives, threads, processes ---


def test_a_model_keeps_what_its_address_belongs_to():
    @ctypes.CFUNCTYPE(ctypes.c_int, *KINDS_OF_FIT)
    def line(m, n, x, p, out, jac, data):
        offset = ctypes.cast(data, POINTER)[0]
        for i in range(m):
            out[i] = p[0] * x[i] + offset
        return 0

    data = np.array([2.5])
    function, array = weakref.ref(line), weakref.ref(data)
    model = native.model(line, ["slope"], user_data=data)
    del line, data
    gc.collect()
    assert function() is not None
    assert array() is not None
    popt, _ = curve_fit(model, X, 3 * X + 2.5, [1.0])
    assert popt[0] == pytest.approx(3, rel=1e-7)
    del model
    gc.collect()
    assert function() is None
    assert array() is None


@pytest.mark.parametrize("kind", [ctypes.c_int, lambda code: ctypes.pointer(ctypes.c_int(code)), "array", "address"])
def test_user_data_of_any_kind(kind, library):
    kept = np.array([33], dtype=np.intc)
    data = kept if kind == "array" else kept.ctypes.data if kind == "address" else kind(33)
    model = native.model(library.peak, NAMES, user_data=data)
    assert curve_fit_many(model, X, Y[:1], [2000.0, 5.0, 1.0, 0.0]).status.tolist() == [-33]


def test_user_data_of_a_low_level_callable(library):
    code = ctypes.c_int(44)
    callable_ = LowLevelCallable(library.peak, ctypes.cast(ctypes.pointer(code), ctypes.c_void_p))
    model = native.model(callable_, NAMES)
    assert curve_fit_many(model, X, Y[:1], [2000.0, 5.0, 1.0, 0.0]).status.tolist() == [-44]
    with pytest.raises(ValueError, match="user_data is given twice"):
        native.model(callable_, NAMES, user_data=code)


@each_maker
def test_eight_threads_give_the_serial_numbers(make, library):
    model = make(library, make is not of_numba)
    expected = curve_fit_many(model, X, Y, P0)
    with ThreadPoolExecutor(8) as pool:
        for fits in pool.map(lambda _: curve_fit_many(model, X, Y, P0, workers=2), range(16)):
            np.testing.assert_array_equal(fits.popt, expected.popt)
            np.testing.assert_array_equal(fits.pcov, expected.pcov)


def test_the_lock_is_released(library):
    """A thread of Python's makes progress while compiled code fits."""
    model = of_ctypes(library, True)
    ticks = []
    done = threading.Event()

    def tick():
        while not done.is_set():
            ticks.append(time.monotonic())
            time.sleep(0.001)

    thread = threading.Thread(target=tick)
    thread.start()
    begun = time.monotonic()
    x = np.linspace(0, 10, 200_000)
    y = gaussian(x, 3.0, 5.0, 1.2, 0.5) + 0.1 * np.cos(40 * x)
    curve_fit_many(model, x, np.tile(y, (3, 1)), [2, 4, 1, 0])
    ended = time.monotonic()
    done.set()
    thread.join()
    within = [tick for tick in ticks if begun < tick < ended]
    assert len(within) > 3


def fit_in_a_process(model):
    return curve_fit_many(model, X, Y[:50], P0[:50]).popt


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_models_travel_to_processes(method):
    if method not in get_all_start_methods():
        pytest.skip(f"there is no {method} here")
    model = jitted("dual")
    with ProcessPoolExecutor(2, mp_context=get_context(method)) as pool:
        for popt in pool.map(fit_in_a_process, [model] * 4):
            np.testing.assert_array_equal(popt, fit_in_a_process(model))


def test_pickles_are_compiled_once_a_process():
    model = jitted("dual")
    first, second = (pickle.loads(pickle.dumps(model)) for _ in range(2))
    assert first is second is model
    code = f"""
import pickle, sys, time
sys.path.insert(0, {str(Path(__file__).parent)!r})
pickles = [bytes.fromhex({pickle.dumps(model).hex()!r}), bytes.fromhex({pickle.dumps(model).hex()!r})]
first, second = map(pickle.loads, pickles)
assert first is second
print(first(0.0, 2.0, 0.0, 1.0, 0.5))
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert float(run.stdout) == 2.5


def test_compiling_the_same_function_again_gives_the_same_model():
    assert native.jit(point, derivatives="dual") is jitted("dual")


def test_other_values_of_what_a_function_refers_to_are_compiled_anew():
    factor = 2.0

    def scaled(x, a):
        return factor * a * x

    double = native.jit(scaled)
    factor = 3.0
    triple = native.jit(scaled)
    assert (double(1.0, 1.0), triple(1.0, 1.0)) == (2.0, 3.0)
    assert pickle.loads(pickle.dumps(jitted("dual"))) is jitted("dual")


def test_pickles_of_old_values_do_not_replace_new_ones(tmp_path, monkeypatch):
    (tmp_path / "changing.py").write_text("K = 1.0\ndef f(x, a):\n    return K * a * x\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    changing = importlib.import_module("changing")
    old = native.jit(changing.f)
    changing.K = 2.0
    assert pickle.loads(pickle.dumps(old))(1.0, 1.0) == 1.0
    assert native.jit(changing.f)(1.0, 1.0) == 2.0


@pytest.mark.parametrize("make", [of_ctypes, of_lanes, of_numba])
def test_addresses_do_not_travel(make, library):
    with pytest.raises(TypeError, match="means nothing in another process"):
        pickle.dumps(make(library, make is not of_numba))


# --- What is refused ---

WRONG = [
    ("fit", "int f(int64_t, const double *, double *)", "is declared"),
    ("fit", "void f(int64_t, int64_t, double *, double *, double *, double *, void *)", "is declared"),
    ("fit", "int f(int, int, double *, double *, double *, double *, void *)", "is declared"),
    ("fit", "int f(int64_t, int64_t, float *, float *, float *, float *, void *)", "is declared"),
    ("fit", "not a declaration", "is not the declaration of a function"),
    (
        "fit",
        "int f(int64_t, int64_t, int64_t, int64_t, double *, double *, double *, double *, void *)",
        "layout='lanes'",
    ),
    ("lanes", "int f(int64_t, int64_t, double *, double *, double *, double *, void *)", "layout='fit'"),
]


@pytest.mark.parametrize(("layout", "signature", "message"), WRONG)
def test_other_declarations_are_refused(layout, signature, message):
    with pytest.raises(ValueError, match=message):
        native.model(1234, 2, layout=layout, signature=signature)


@pytest.mark.parametrize(
    "signature",
    [
        "int f(int64_t m, int64_t n, const double *x, const double *p, double *out, double *jac, void *data);",
        "int32_t (int64_t, int64_t, double*, double*, double*, double*, void*)",
        "int (*f)(long long m, long long n, double const * x, const double *p, double *o, double *j, void * u)",
        "int (ssize_t, ptrdiff_t, double *, double *, double *, double *, void *)",
    ],
)
def test_the_same_declaration_in_other_words(signature):
    assert native.model(1234, 2, signature=signature).param_names == ("p0", "p1")


@pytest.mark.parametrize("layout", ["fit", "lanes"])
def test_kinds_of_other_sources_are_looked_at(layout, library):
    other = {"fit": "lanes", "lanes": "fit"}[layout]
    function = library.peak if other == "fit" else library.peaks
    for wrong in (function, LowLevelCallable(function)):
        with pytest.raises(ValueError, match=f"layout='{other}'"):
            native.model(wrong, NAMES, layout=layout)


def test_wrong_kinds_of_numba():
    doubles = numba.types.CPointer(numba.types.float64)
    wrong = numba.cfunc(numba.types.int64(numba.types.int64, doubles))(lambda n, x: n)
    with pytest.raises(ValueError, match="is declared 'int64"):
        native.model(wrong, 2)
    with pytest.raises(TypeError, match=r"expected a numba\.cfunc"):
        native.model(numba.njit(lambda x: x), 2)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"function": print}, TypeError, "got builtin_function_or_method, expected a numba.cfunc"),
        ({"function": None}, TypeError, "got NoneType"),
        ({"function": True}, TypeError, "got bool"),
        ({"function": 1234, "signature": None}, ValueError, "an address says nothing about the function there"),
        ({"function": 0}, ValueError, "null pointer"),
        ({"signature": "int abs(int)"}, ValueError, "is declared 'int abs"),
        ({"function": ctypes.CDLL(None).abs, "signature": None}, ValueError, "has no argtypes"),
        ({"param_names": 0}, ValueError, "from 1 to 20 parameters, got 0"),
        ({"param_names": 21}, ValueError, "from 1 to 20 parameters, got 21"),
        ({"param_names": ["a", "a"]}, ValueError, "names a parameter twice"),
        ({"param_names": [1, 2]}, TypeError, "must be names, or their number"),
        ({"predictors": 0}, ValueError, "from 1 to 8 predictors, got 0"),
        ({"predictors": 9}, ValueError, "from 1 to 8 predictors, got 9"),
        ({"predictors": 1.0}, TypeError, "predictors must be a number"),
        ({"layout": "columns"}, ValueError, "layout must be 'fit' or 'lanes'"),
        ({"user_data": "text"}, TypeError, "user_data: got str"),
        ({"user_data": True}, TypeError, "user_data: got a bool"),
        ({"user_data": np.arange(9)[::2]}, ValueError, "not contiguous"),
    ],
)
def test_bad_arguments_are_refused_in_words(arguments, error, message):
    declaration = "int f(int64_t, int64_t, double *, double *, double *, double *, void *)"
    with pytest.raises(error, match=message):
        native.model(**{"function": 1234, "param_names": 2, "signature": declaration, **arguments})


@pytest.mark.parametrize(
    ("f", "jac", "options", "error", "message"),
    [
        (1, None, {}, TypeError, "f must be callable"),
        (lambda x, a: a, 1, {}, TypeError, "jac must be callable"),
        (lambda x: x, None, {}, ValueError, "number of parameters cannot be told"),
        (lambda *p: p[0], None, {}, ValueError, "number of parameters cannot be told"),
        (lambda x, a: "text", None, {}, TypeError, r"it returns Literal\[str\]\(text\)"),
        (lambda x, a: None, None, {}, TypeError, "it returns none"),
        (lambda x, a: (a, x), None, {}, TypeError, r"it returns UniTuple\(float64 x 2\)"),
        (lambda x, a: a * x, lambda x, a: x, {}, TypeError, "jac returns float64"),
        (lambda x, a, b: a * x + b, lambda x, a, b: (x,), {}, TypeError, "jac returns 1 numbers, not 2"),
        (lambda x, a, *, b: a * x + b, None, {}, TypeError, "by keyword only, b"),
        (lambda x, a, *, b=1.0: a * x + b, None, {}, TypeError, "by keyword only, b"),
        (lambda x, a, **others: a * x, None, {}, TypeError, "by keyword only, others"),
        (np.exp, None, {}, TypeError, "f must be a Python function, got ufunc"),
        (lambda x, a: a.no_such_method(), None, {}, TypeError, "cannot be compiled"),
        (lambda x, a: a + 1j, None, {}, TypeError, "it returns complex128"),
        (lambda x, a, b: a * x + b, lambda x, a, b: (x,), {}, TypeError, "jac a tuple"),
        (lambda x, a: a, None, {"predictors": 99}, ValueError, "from 1 to 8 predictors"),
        (lambda x, a: a, None, {"derivatives": "symbolic"}, ValueError, "derivatives must be"),
    ],
)
def test_functions_that_cannot_be_compiled_are_refused_in_words(f, jac, options, error, message):
    with pytest.raises(error, match=message):
        native.jit(f, jac, **options)


def test_other_numbers_of_parameters_are_refused(library):
    model = of_ctypes(library, True)
    with pytest.raises(TypeError, match=r"has 4 parameters \(amplitude, center, sigma, offset\), got 3"):
        model(X, 1, 2, 3)
    with pytest.raises(ValueError, match="p0 has 3 parameters"):
        curve_fit(model, X, Y[0], [1, 2, 3])
    with pytest.raises(ValueError, match="p0 has 3 parameters"):
        curve_fit_many(model, X, Y, [1, 2, 3])
    with pytest.raises(ValueError, match="leave jac out"):
        curve_fit_many(model, X, Y, P0, jac=models.gaussian.jac)
    with pytest.raises(TypeError, match="p0 is missing"):
        curve_fit_many(model, X, Y)
    with pytest.raises(ValueError, match="has 1 predictors, got 2"):
        curve_fit_many(model, (X, X), Y, P0)


def test_without_start_curve_fit_begins_at_ones(library):
    y = gaussian(X, 2.0, 2.0, 1.5, 0.5)
    np.testing.assert_allclose(curve_fit(of_ctypes(library, True), X, y)[0], [2, 2, 1.5, 0.5], rtol=1e-7)


def test_without_numba(monkeypatch):
    monkeypatch.setitem(sys.modules, "leastsq._jit", None)
    with pytest.raises(ImportError, match=r"needs numba: pip install 'leastsq\[numba\]'"):
        native.jit(point)


def test_models_say_what_they_are(library):
    assert repr(of_ctypes(library, True)) == "<native model peak(x, amplitude, center, sigma, offset)>"
    assert curve_fit_many(of_ctypes(library, True), X, Y, P0).param_names == tuple(NAMES)
