"""`curve_fit`: models, options and refusals."""

import functools
import warnings

import numpy as np
import pytest
import scipy.optimize
from curves import COVARIANCE_MATRIX, SIGMA, T, Y, decay, decay_jac, line

import leastsq
from leastsq import OptimizeWarning, curve_fit

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
    "lm with bounds": (dict(bounds=(0, 5), method="lm"), ValueError, "'lm' only works for unconstrained problems"),
    "lm with Bounds": (dict(bounds=scipy.optimize.Bounds(0, 1), method="lm"), ValueError, "'lm' only works for"),
    "other method": (
        dict(method="newton"),
        ValueError,
        "method must be one of {None, 'lm', 'trf', 'dogbox'}, got 'newton'",
    ),
    "equal bounds": (dict(bounds=([0, 0, 0], [5, 0, 5])), ValueError, "both 0; .* use fixed= of curve_fit"),
    "array as method": (dict(method=np.ones(2), jac=np.ones(2)), ValueError, "jac must be callable or None"),
    "scheme for jac": (dict(jac="2-point", method="lm"), ValueError, "jac must be callable or None; got '2-point'"),
    "no scheme for jac": (dict(jac="4-point"), ValueError, "callable or None, or one of '2-point', '3-point', 'cs'"),
    "unknown option": (dict(maxfun=5), TypeError, "unexpected keyword argument 'maxfun'.*maxfev"),
    "both limits": (dict(max_nfev=5, maxfev=5), TypeError, "maxfev and max_nfev"),
    "both scales": (dict(x_scale=5, diag=[1, 1, 1]), TypeError, "diag and x_scale"),
    "both steps": (dict(diff_step=1e-3, epsfcn=1e-8), TypeError, "diff_step and epsfcn"),
    "step for jac": (dict(diff_step=1e-3, jac=decay_jac), ValueError, "diff_step is for differences"),
    "no step": (dict(diff_step=0), ValueError, "diff_step must be a number or 3 of them, none of them 0"),
    "no limit": (dict(max_nfev=0), ValueError, "max_nfev must be None or a positive integer, got 0"),
    "no scale": (dict(x_scale=-1), ValueError, "x_scale must be 'jac', a positive number or 3"),
    "printing": (dict(verbose=2), ValueError, r"verbose=2: curve_fit prints nothing.*least_squares\(verbose=2\)"),
    "many starts": (dict(p0={"rate": [1, 2]}), ValueError, r"shape \(2, 3\), expected a number for each"),
    "fixed start outside": (dict(fixed={"rate": 2}, bounds={"rate": (0, 1)}), ValueError, "rate starts at 2, outside"),
    "all fixed": (dict(p0=[1, 1, 1], fixed=[True] * 3), ValueError, "leaves nothing to fit"),
    "args": (dict(args=(1,)), ValueError, "'args' is not a supported keyword argument"),
    "f": (dict(f=3), TypeError, "f must be callable"),
    "empty p0": (dict(p0=[]), TypeError, "p0 is empty"),
    "NaN in p0": (dict(p0=[1, np.nan, 1]), ValueError, r"p0: 1 of 3 values are not finite"),
    "complex ydata": (dict(ydata=Y * 1j), TypeError, "float64 numbers for complex ydata, expected complex"),
    "objects as ydata": (dict(ydata=[object()] * 40), TypeError, "ydata: expected real numbers"),
    "words as ydata": ({"ydata": ["few"] * 40}, TypeError, "ydata: expected real numbers, got <U3"),
    "complex xdata": ({"xdata": T * 1j}, TypeError, "xdata: got complex numbers"),
    "empty ydata": (dict(xdata=[], ydata=[]), ValueError, "must not be empty"),
    "NaN in xdata": (
        dict(xdata=np.where(T > 3, np.nan, T)),
        ValueError,
        "10 of 40 values are not finite.*nan_policy='omit' does so",
    ),
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
    "malformed bounds": ({"bounds": (0,)}, ValueError, r"bounds: got \(0,\), expected a pair \(lower, upper\)"),
    "bounds of NaN": ({"bounds": (np.nan, np.nan)}, ValueError, "the lower bound of amplitude is NaN"),
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
        "least_squares",
        "leastsq",
        "models",
        "native",
    ]
    assert issubclass(OptimizeWarning, UserWarning)
