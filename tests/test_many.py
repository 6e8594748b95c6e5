"""Many fits in one call: statuses, arguments, and results that depend on nothing but the data."""

import concurrent.futures
import functools
import multiprocessing
import re
import sys
import types
import warnings

import numpy as np
import pytest
from many_problems import CASES

import leastsq
from leastsq import (
    ManyFits,
    _fit_vectorized,
    _kernel,
    _pieces,
    curve_fit_many,
    models,
)

T = np.linspace(0, 4, 20)
RNG = np.random.default_rng(1)
TRUTH = RNG.uniform([2, 0.5, 0.2], [5, 2, 1], (200, 3))


def decay(t, amplitude, rate, offset):
    return amplitude * np.exp(-rate * t) + offset


def decay_jac(t, amplitude, rate, offset):
    e = np.exp(-rate * t)
    return np.stack(np.broadcast_arrays(e, -amplitude * t * e, 1.0), axis=-1)


DATA = decay(T, *TRUTH.T[:, :, None]) + 0.05 * RNG.standard_normal((200, 20))
START = np.array([2.0, 1.0, 0.5])
KINDS = {
    "compiled": {"f": models.exponential},
    "jac": {"f": decay, "jac": decay_jac},
    "differences": {"f": decay},
    "singly": {"f": decay, "vectorized": False},
}
each_kind = pytest.mark.parametrize("kind_of_fit", KINDS.values(), ids=KINDS)


def identical(fits, others):
    """Whether all numbers of two results are the same, to the last bit."""
    names = ("popt", "pcov", "chisq", "dof", "nfev", "status")
    return all(getattr(fits, name).tobytes() == getattr(others, name).tobytes() for name in names)


# --- Statuses ---


def assert_only(fits, clean, bad, status):
    """One fit has a status of its own, and all others are as if it were not there."""
    assert fits.status[bad] == status
    assert not fits.success[bad]
    assert np.isnan(fits.pcov[bad]).all()
    others = np.arange(len(fits)) != bad
    assert identical(fits[others], clean[others])


@each_kind
def test_each_failure_is_a_status_of_its_own(kind_of_fit):
    data = DATA[:30]
    fit = functools.partial(curve_fit_many, **kind_of_fit, xdata=T)
    clean = fit(ydata=data, p0=START)
    assert clean.success.all()

    for bad_value, status in ((np.inf, 15), (-np.inf, 15)):
        spoilt = data.copy()
        spoilt[7, 3] = bad_value
        fits = fit(ydata=spoilt, p0=START)
        assert_only(fits, clean, 7, status)
        assert fits.nfev[7] == 0
        np.testing.assert_array_equal(fits.popt[7], START)

    spoilt = data.copy()
    spoilt[7, 2:] = np.nan
    fits = fit(ydata=spoilt, p0=START)
    assert_only(fits, fit(ydata=np.where(np.arange(30)[:, None] == 7, 0, data), p0=START), 7, 12)
    assert fits.dof[7] == 2 - 3
    assert np.isnan(fits.chisq[7])
    assert fits.message(7) == (
        "Not fitted: 3 parameters but only 2 data points. Give more data, or fix some parameters."
    )

    starts = np.tile(START, (30, 1))
    starts[7, 1] = np.nan
    assert_only(fit(ydata=data, p0=starts), clean, 7, 14)
    starts[7, 1] = np.inf
    assert_only(fit(ydata=data, p0=starts), clean, 7, 14)

    starts[7, 1] = -1000.0  # exp(1000 t) overflows
    fits = fit(ydata=data, p0=starts)
    assert_only(fits, clean, 7, 10)
    np.testing.assert_array_equal(fits.popt[7], starts[7])


@each_kind
@pytest.mark.parametrize("bad", [0.0, -0.1, np.nan, -np.inf])
def test_standard_deviations_that_are_none_are_a_status(kind_of_fit, bad):
    sigma = np.full((30, 20), 0.05)
    clean = curve_fit_many(**kind_of_fit, xdata=T, ydata=DATA[:30], p0=START, sigma=sigma)
    sigma[7, 3] = bad
    fits = curve_fit_many(**kind_of_fit, xdata=T, ydata=DATA[:30], p0=START, sigma=sigma)
    assert_only(fits, clean, 7, 15)


@each_kind
@pytest.mark.parametrize("bad", [0.0, -0.1, np.nan])
def test_standard_deviations_shared_by_all_that_are_none_are_refused(kind_of_fit, bad):
    sigma = np.full(20, 0.05)
    sigma[3] = bad
    for shared in (bad, sigma, sigma[None]):
        with pytest.raises(
            ValueError,
            match=r"sigma must be positive, and more than tiny: (1|20) of 20 ",
        ):
            curve_fit_many(**kind_of_fit, xdata=T, ydata=DATA[:3], p0=START, sigma=shared)


def test_covariance_matrices_of_the_data_are_for_curve_fit():
    with pytest.raises(ValueError, match="curve_fit"):
        curve_fit_many(models.exponential, T, DATA[0], sigma=np.eye(20))


@each_kind
def test_an_infinite_sigma_throughout_leaves_no_points(kind_of_fit):
    fits = curve_fit_many(**kind_of_fit, xdata=T, ydata=DATA[:3], p0=START, sigma=np.inf)
    assert fits.status.tolist() == [12, 12, 12]


@each_kind
@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({"maxfev": 3}, 5),
        ({"ftol": 0, "xtol": 1e-30}, 7),
        ({"ftol": 1e-30, "xtol": 0}, 6),
        ({"ftol": 0, "xtol": 0, "gtol": 1e-6}, 4),
        ({"ftol": 1e-3, "xtol": 0}, 1),
        ({"ftol": 0, "xtol": 1e-3}, 2),
        ({"ftol": 1e-2, "xtol": 1e-1}, 3),
    ],
)
def test_statuses_of_minpack(kind_of_fit, options, status):
    """Those that tolerances decide: at least some of the fits end so, and say so."""
    fits = curve_fit_many(**kind_of_fit, xdata=T, ydata=DATA, p0=START, **options)
    found = np.flatnonzero(fits.status == status)
    assert found.size > 30
    message = fits.message(int(found[0]))
    if status == 5:
        assert message.startswith(f"Not solved: stopped after {fits.nfev[found[0]]} evaluations")
        assert "(maxfev = 3)" in message
        assert (fits.nfev >= 3).all()
    for name, value in options.items():
        if name in message and name != "maxfev":
            assert f"{name} = {value:g}" in message
    assert np.isfinite(fits.popt).all()
    assert np.isfinite(fits.chisq).all()
    # What has not converged has the best parameters so far.
    initial = np.square(decay(T, *START) - DATA).sum(axis=1)
    assert (fits.chisq <= initial * (1 + 1e-12)).all()
    np.testing.assert_allclose(fits.chisq, np.square(decay(T, *fits.popt.T[:, :, None]) - DATA).sum(axis=1), rtol=1e-12)


def line(x, a, b):
    return a * x + b


def line_jac(x, a, b):
    return np.stack(np.broadcast_arrays(x + 0 * a, 1.0), axis=-1)


@pytest.mark.parametrize("vectorized", [True, False])
def test_a_gradient_that_is_rounding_is_a_status(vectorized):
    """Straight lines are solved by the first step, after which nothing is left to gain."""
    fits = curve_fit_many(line, T, DATA, [1, 1], jac=line_jac, ftol=0, xtol=0, gtol=1e-30, vectorized=vectorized)
    assert set(fits.status) <= {4, 6, 7, 8}
    assert 8 in fits.status
    assert "gtol = 1e-30, which is too small" in fits.message(int(np.argmax(fits.status == 8)))


def root(x, a, b):
    """Has values for b >= 0 only."""
    return a * np.sqrt(b + 0 * x) + x


def root_jac(x, a, b):
    half = np.sqrt(b + 0 * x)
    return np.stack(np.broadcast_arrays(half, a / (2 * half)), axis=-1)


@pytest.mark.parametrize("vectorized", [True, False])
@pytest.mark.parametrize("jac", [None, root_jac])
def test_a_model_without_values_nearby_is_a_status(vectorized, jac):
    """Data that pull b below zero: fits end at the edge, with the last point that has a value."""
    x = np.linspace(0, 1, 8)
    data = np.array([x + 2.0, x - 1.0, x + 3.0])
    fits = curve_fit_many(root, x, data, p0=[1.0, 0.5], jac=jac, vectorized=vectorized)
    alone = curve_fit_many(root, x, data[[0, 2]], p0=[1.0, 0.5], jac=jac, vectorized=vectorized)
    assert identical(fits[[0, 2]], alone)
    assert (fits.popt[:, 1] >= 0).all()
    assert np.isfinite(fits.popt).all()
    edge = curve_fit_many(
        lambda x, a: np.where(a > 1, np.nan, a) + 0 * x, x, np.full((2, 8), 3.0), p0=[0.5], vectorized=vectorized
    )
    assert set(edge.status) <= {9, 11}
    assert (np.abs(edge.popt - 1) < 1e-6).all()


def test_a_compiled_model_without_values_nearby_is_a_status():
    """A peak at x = 0 alone, where a power law has a value for exponents above zero only: the limit is out of reach."""
    x = np.linspace(0, 3, 20)
    data = np.stack([models.power_law(x, 2.0, 1.5, 0.3), np.where(x == 0, 20.0, 0.0)])
    fits = curve_fit_many(models.power_law, x, data, p0=[-1.0, 0.5, 0.0])
    assert fits.success[0]
    assert fits.status[1] == 9
    assert 0 < fits.popt[1, 1] < 1e-6
    assert fits.chisq[1] < 1e-6


@pytest.mark.parametrize("vectorized", [True, False])
def test_derivatives_that_are_not_finite_are_a_status(vectorized):
    def jac(x, a, b):
        slopes = np.stack(np.broadcast_arrays(x + 0 * a, np.ones_like(x) + 0 * b), axis=-1)
        return np.where(np.asarray(a)[..., None] > 4, np.nan, slopes)

    x = np.linspace(0, 1, 8)
    data = np.array([[2.0], [6.0], [3.0]]) * x + 1 + 0.01 * np.cos(9 * x)
    fits = curve_fit_many(line, x, data, p0=[1.0, 1.0], jac=jac, vectorized=vectorized)
    assert fits.status[1] == 11
    assert fits.success.tolist() == [True, False, True]
    assert identical(fits[[0, 2]], curve_fit_many(line, x, data[[0, 2]], p0=[1, 1], jac=jac, vectorized=vectorized))


def test_a_compiled_model_whose_derivatives_are_not_finite_is_a_status():
    # At x = 0, exponent 0 has the value 1 and the derivative log(0).
    x = np.linspace(0, 3, 20)
    fits = curve_fit_many(models.power_law, x, np.ones((3, 20)), p0=[[1, 1, 0], [1, 0, 0.5], [1, 2, 0]])
    assert fits.status[1] == 11
    np.testing.assert_array_equal(fits.popt[1], [1, 0, 0.5])


def test_a_model_that_raises_is_a_status_where_fits_are_made_one_by_one():
    def picky(x, a, b):
        if a > 4:
            raise ArithmeticError("no value")
        return a * np.exp(-b * x)

    data = np.array([[2.0], [9.0], [3.0]]) * np.exp(-T)
    fits = curve_fit_many(picky, T, data, p0=[1.0, 1.0], vectorized=False)
    assert fits.status.tolist()[1] == 13
    assert fits.success.tolist() == [True, False, True]
    assert "raised an exception" in fits.message(1)
    for error in (ValueError, np.linalg.LinAlgError, ZeroDivisionError, OverflowError):

        def raising(x, a, b, error=error):
            raise error("no value")

        assert curve_fit_many(raising, T, data, p0=[1, 1], vectorized=False).status.tolist() == [13, 13, 13]


class MistakeError(Exception):
    pass


@pytest.mark.parametrize("where", ["at once", "later"])
@pytest.mark.parametrize("kind_of_fit", ["vectorized", "jac", "singly", "threads"])
def test_mistakes_of_the_model_end_the_call(where, kind_of_fit):
    calls = []

    def mistaken(t, a, b, c):
        calls.append(None)
        if where == "at once" or len(calls) > 9:
            raise MistakeError("on purpose")
        return decay(t, a, b, c)

    options = {"jac": decay_jac} if kind_of_fit == "jac" else {}
    with pytest.raises(MistakeError, match="on purpose"):
        curve_fit_many(
            mistaken,
            T,
            DATA,
            START,
            vectorized=kind_of_fit != "singly",
            workers=2 if kind_of_fit == "threads" else 1,
            **options,
        )


def test_any_exception_ends_the_call_where_many_fits_are_evaluated_at_once():
    calls = []

    def mistaken(t, a, b, c):
        calls.append(None)
        if len(calls) > 9:
            raise ValueError("on purpose")
        return decay(t, a, b, c)

    with pytest.raises(ValueError, match="on purpose"):
        curve_fit_many(mistaken, T, DATA, START)


def test_a_start_that_raises_ends_the_call():
    with pytest.raises(MistakeError):
        curve_fit_many(decay, T, DATA, p0=lambda x, y: (_ for _ in ()).throw(MistakeError))


@each_kind
def test_errors_can_be_raised(kind_of_fit):
    data = DATA[:12].reshape(3, 4, 20).copy()
    fit = functools.partial(curve_fit_many, **kind_of_fit, xdata=T, p0=START, errors="raise")
    assert fit(ydata=data).success.all()
    data[1, 2, 3] = data[2, 0, 0] = np.inf
    with pytest.raises(RuntimeError, match=re.escape("2 of 12 fits failed, the first at index (1, 2): Not fitted")):
        fit(ydata=data)
    with pytest.raises(RuntimeError, match=re.escape("1 of 1 fits failed, the first at index (): Not fitted")):
        fit(ydata=data[1, 2])


# --- Missing values ---


@each_kind
def test_policies_on_missing_values(kind_of_fit):
    data = DATA[:30].copy()
    data[4, 2] = data[9, [0, 1]] = np.nan
    fit = functools.partial(curve_fit_many, **kind_of_fit, xdata=T, p0=START)
    omitted = fit(ydata=data)
    assert omitted.success.all()
    assert omitted.dof[[3, 4, 9]].tolist() == [17, 16, 15]
    assert identical(fit(ydata=data, nan_policy="omit"), omitted)
    propagated = fit(ydata=data, nan_policy="propagate")
    assert propagated.status[[4, 9]].tolist() == [15, 15]
    np.testing.assert_array_equal(propagated.popt[4], START)
    others = ~np.isin(np.arange(30), [4, 9])
    assert propagated.success[others].all()
    # Weights of one change nothing.
    assert identical(propagated[others], omitted[others])
    with pytest.raises(ValueError, match="3 of them in 2 data sets, such as number 4"):
        fit(ydata=data, nan_policy="raise")
    with pytest.raises(ValueError, match="nan_policy='raise'"):
        fit(ydata=np.ma.masked_invalid(data), nan_policy="raise")
    x = T.copy()
    x[3] = np.nan
    with pytest.raises(ValueError, match="nan_policy='raise'"):
        curve_fit_many(**kind_of_fit, xdata=x, ydata=DATA, p0=START, nan_policy="raise")
    assert (curve_fit_many(**kind_of_fit, xdata=x, ydata=DATA, p0=START, nan_policy="propagate").status == 15).all()
    for policy in ("omit", "raise", "propagate"):
        clean = curve_fit_many(
            **kind_of_fit, xdata=T, ydata=np.ma.masked_array(DATA, False), p0=START, nan_policy=policy
        )
        assert clean.success.all()


# --- Nothing to fit ---


@each_kind
@pytest.mark.parametrize("shape", [(0, 20), (2, 0, 20), (0, 0, 20)])
def test_no_fits(kind_of_fit, shape):
    fits = curve_fit_many(**kind_of_fit, xdata=T, ydata=np.zeros(shape), p0=START)
    assert fits.shape == shape[:-1]
    assert fits.popt.shape == (*shape[:-1], 3)
    assert fits.pcov.shape == (*shape[:-1], 3, 3)
    assert fits.success.all()
    assert fits.summary().startswith("0 fits, 0 solved")
    assert curve_fit_many(**kind_of_fit, xdata=T, ydata=np.zeros(shape), p0=START, workers=2).shape == shape[:-1]
    assert (
        curve_fit_many(**kind_of_fit, xdata=T, ydata=np.zeros(shape), p0=np.empty((*shape[:-1], 3))).shape == shape[:-1]
    )
    assert curve_fit_many(models.exponential, T, np.zeros(shape)).shape == shape[:-1]


@each_kind
@pytest.mark.parametrize("shape", [(3, 0), (0,), (0, 0), (2, 3, 0)])
def test_no_points(kind_of_fit, shape):
    fits = curve_fit_many(**kind_of_fit, xdata=np.zeros(0), ydata=np.zeros(shape), p0=START)
    assert fits.shape == shape[:-1]
    assert (fits.status == 12).all()
    assert (fits.dof == -3).all()


@each_kind
@pytest.mark.parametrize("points", [1, 2])
def test_too_few_points(kind_of_fit, points):
    fits = curve_fit_many(**kind_of_fit, xdata=T[:points], ydata=DATA[:3, :points], p0=START)
    assert fits.status.tolist() == [12] * 3
    assert fits.dof.tolist() == [points - 3] * 3
    np.testing.assert_array_equal(fits.popt, [START] * 3)
    assert np.isnan(fits.pcov).all()


# --- Arguments ---

BAD_ARGUMENTS = [
    ({"workers": 0}, ValueError, "workers must be a number of threads from 1 to 4096, or -1 for all processors, got 0"),
    ({"workers": -2}, ValueError, "got -2"),
    ({"workers": 1.5}, TypeError, "workers must be an integer or a map-like callable, got 1.5"),
    ({"workers": True}, TypeError, "workers must be an integer or a map-like callable, got True"),
    ({"workers": "2"}, TypeError, "workers must be an integer or a map-like callable, got '2'"),
    ({"axis": 2}, ValueError, "axis 2 does not name axes of ydata, which has 2"),
    ({"axis": -3}, ValueError, "axis -3 does not name axes of ydata, which has 2"),
    ({"axis": (0, 0)}, ValueError, "axis (0, 0) does not name axes"),
    ({"axis": (1, -1)}, ValueError, "axis (1, -1) does not name axes"),
    ({"axis": ()}, ValueError, "axis () does not name axes"),
    ({"axis": "a"}, TypeError, "axis must be an integer or a tuple of integers, got 'a'"),
    ({"axis": None}, TypeError, "axis must be an integer or a tuple of integers, got None"),
    ({"axis": 0.5}, TypeError, "axis must be an integer or a tuple of integers, got 0.5"),
    ({"nan_policy": "ignore"}, ValueError, "nan_policy must be one of 'omit', 'raise', 'propagate', got 'ignore'"),
    ({"nan_policy": None}, ValueError, "got None"),
    ({"errors": "warn"}, ValueError, "errors must be one of 'status', 'raise', got 'warn'"),
    ({"p0": None}, TypeError, "p0 is missing"),
    ({"p0": "abc"}, TypeError, "p0: got an array of dtype <U3, expected real numbers"),
    ({"p0": [1, 1, 1j]}, TypeError, "p0: got an array of dtype complex128"),
    ({"p0": []}, ValueError, "p0 is empty"),
    ({"p0": [1, 1]}, ValueError, "p0 has 2 parameters along its last axis, "),
    ({"f": decay, "p0": [1, 1]}, ValueError, "but f(t, amplitude, rate, offset) cannot be called with x and as many"),
    ({"f": decay, "p0": [1] * 4}, ValueError, "p0 has 4 parameters along its last axis, but f(t, amplitude, rate"),
    ({"p0": np.ones((7, 3))}, ValueError, "shapes are ydata (200,), xdata (), p0 (7,); expected shapes that broadcast"),
    ({"p0": lambda x, y: np.ones((7, 3))}, ValueError, "p0(x, y) returned an array of shape (7, 3), expected (200, 3)"),
    ({"p0": lambda x, y: np.ones(2)}, ValueError, "p0(x, y) returned an array of shape (2,), expected (200, 3)"),
    ({"p0": lambda x, y: None}, TypeError, "p0(x, y): got None, expected real numbers"),
    ({"p0": lambda x, y: 2.0}, ValueError, "p0(x, y) returned an array of shape ()"),
    ({"p0": lambda x, y: np.ones(3) + 1j}, TypeError, "p0(x, y): got complex numbers"),
    ({"sigma": np.ones(3)}, ValueError, "sigma has (3,) points along the axes that are fitted along, ydata (20,)"),
    ({"sigma": np.ones((7, 20))}, ValueError, "shapes are ydata (200,), xdata (), sigma (7,)"),
    ({"sigma": "small"}, TypeError, "sigma: got an array of dtype <U5"),
    ({"sigma": 1j}, TypeError, "sigma: got an array of dtype complex128"),
    ({"xdata": None}, TypeError, "xdata: got None"),
    ({"xdata": T[:5]}, ValueError, "xdata has (5,) points along the axes that are fitted along, ydata (20,)"),
    ({"xdata": (T, T[:5])}, ValueError, "xdata[1] has (5,) points"),
    ({"xdata": np.ones((7, 20))}, ValueError, "xdata (7,)"),
    ({"xdata": "abc"}, TypeError, "xdata: got an array of dtype <U3"),
    ({"xdata": T + 1j}, TypeError, "xdata: got an array of dtype complex128"),
    ({"ydata": DATA + 1j}, TypeError, "Fit real and imaginary parts along one axis"),
    ({"ydata": None}, TypeError, "ydata: got None"),
    ({"ydata": 5.0}, ValueError, "ydata is a single number"),
    ({"ydata": DATA.astype(str)}, TypeError, "ydata: got an array of dtype <U32"),
    ({"ydata": DATA.astype(object)}, TypeError, "ydata: got an array of dtype object"),
    ({"ydata": [[1, 2], [3]]}, ValueError, "ydata: expected an array of real numbers, got rows of unequal length"),
    ({"ydata": DATA.astype("M8[s]")}, TypeError, "ydata: got an array of dtype datetime64[s]"),
    ({"ftol": -1}, TypeError, "ftol must be a number and not negative, got -1"),
    ({"xtol": "a"}, TypeError, "xtol must be a number and not negative, got 'a'"),
    ({"gtol": np.nan}, TypeError, "gtol must be a number and not negative, got nan"),
    ({"maxfev": 1.5}, TypeError, "maxfev must be a positive whole number, or 0 for the default of 800, got 1.5"),
    ({"maxfev": -1}, TypeError, "maxfev must be a positive whole number"),
    ({"factor": 0}, TypeError, "factor must be a positive number"),
    ({"epsfcn": "a"}, TypeError, "epsfcn must be the relative error"),
    ({"diag": [1, 2]}, TypeError, "diag: got 2 scale factors, expected one for each of the 3 parameters"),
    ({"diag": [1, 0, 2]}, TypeError, "diag: scale factors must be positive and finite"),
    ({"jac": 3}, TypeError, "jac must be callable, got int"),
    ({"f": None}, TypeError, "f must be callable, got NoneType"),
    ({"f": lambda *args: args[0], "p0": lambda x, y: 1}, ValueError, "the number of parameters cannot be told from f"),
    ({"f": models.gaussian, "jac": decay_jac}, ValueError, "gaussian has derivatives of its own: leave jac out"),
    ({"f": models.gaussian, "xdata": (T, T)}, ValueError, "gaussian has 1 predictors, got 2"),
    ({"f": models.gaussian_2d}, ValueError, "gaussian_2d has 2 predictors, got 20"),
    ({"f": models.gaussian}, ValueError, "p0 has 3 parameters along its last axis, gaussian 4: amplitude, center"),
]


@pytest.mark.parametrize(("arguments", "error", "message"), BAD_ARGUMENTS)
def test_bad_arguments_are_refused_in_words(arguments, error, message):
    given = {"f": decay, "xdata": T, "ydata": DATA, "p0": START} | arguments
    with pytest.raises(error, match=re.escape(message)):
        curve_fit_many(**given)


def test_everything_after_sigma_is_by_keyword():
    with pytest.raises(TypeError, match="positional argument"):
        curve_fit_many(decay, T, DATA, START, None, True)
    with pytest.raises(TypeError, match="unexpected keyword"):
        curve_fit_many(decay, T, DATA, START, bounds=(0, 1))


@pytest.mark.parametrize("function", ["f", "jac"])
@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        (None, TypeError, "got None, expected real numbers"),
        (lambda v: v.astype(complex), TypeError, "got complex numbers"),
        (lambda v: v[:3], ValueError, "for one fit, expected"),
        (lambda v: np.ma.masked_less(v, np.inf), ValueError, "entries are masked"),
        (lambda v: v.astype(str), TypeError, "expected real numbers"),
    ],
)
@pytest.mark.parametrize("vectorized", [True, False])
def test_what_a_function_returns_must_be_its_values(function, values, error, message, vectorized):
    def spoilt(whole):
        return lambda *args: None if values is None else values(whole(*args))

    functions = {"f": decay, "jac": decay_jac}
    functions[function] = spoilt(functions[function])
    with pytest.raises(error, match=f"{function}.*{message}|{message}"):
        curve_fit_many(**functions, xdata=T, ydata=DATA, p0=START, vectorized=vectorized)


# --- Functions that do not broadcast ---


def with_if(t, a, b, c):
    return decay(t, a, b, c) if b > 0 else np.zeros_like(t)


def with_loop(t, a, b, c):
    return np.array([decay(one, a, b, c) for one in t])


def with_math(t, a, b, c):
    return a * np.exp(-float(b) * t) + c


def mixing(t, a, b, c):
    values = decay(t, a, b, c)
    return values - values.mean() if values.ndim > 1 else values


def normalised(t, a, b, c):
    values = decay(t, a, b, c)
    return a * values / values.max()


def shared_result(t, a, b, c):
    return decay(t, *(np.ravel(p)[0] for p in (a, b, c)))


def flattened(t, a, b, c):
    return np.ravel(decay(t, a, b, c))


def transposed(t, a, b, c):
    return np.transpose(decay(t, a, b, c))


def summed_over_fits(t, a, b, c):
    return np.sum(decay(t, a, b, c), axis=0) if np.ndim(a) else decay(t, a, b, c)


def rolled(t, a, b, c):
    values = decay(t, a, b, c)
    return values[::-1] if values.ndim > 1 else values


@pytest.mark.parametrize(
    "model",
    [with_if, with_loop, with_math, mixing, normalised, shared_result, flattened, transposed, summed_over_fits, rolled],
)
def test_functions_that_do_not_broadcast_are_found_out(model):
    starts = START * RNG.uniform(0.9, 1.1, (200, 1))
    for p0, data in ((starts, DATA), (START, DATA[0])):
        with pytest.raises(ValueError, match="vectorized=False fits any function, one data set at a time") as error:
            curve_fit_many(model, T, data, p0)
        assert str(error.value).startswith("f ")
    if model is not normalised:
        fits = curve_fit_many(model, T, DATA[:5], START, vectorized=False)
        assert identical(fits, curve_fit_many(decay, T, DATA[:5], START, vectorized=False))


@pytest.mark.parametrize("model", [with_if, with_math, mixing, flattened, normalised, shared_result, rolled])
def test_functions_that_do_not_broadcast_are_found_out_from_a_shared_start(model):
    """Also where results are swapped or shared between fits, which look right as long as all parameters are alike."""
    with pytest.raises(ValueError, match="vectorized=False"):
        curve_fit_many(model, T, DATA, START)


def test_derivatives_that_do_not_broadcast_are_found_out():
    def jac(t, a, b, c):
        return np.column_stack([np.exp(-b * t), -a * t * np.exp(-b * t), np.ones_like(t)])

    with pytest.raises(ValueError, match=r"^jac .*vectorized=False"):
        curve_fit_many(decay, T, DATA, START, jac=jac)
    assert curve_fit_many(decay, T, DATA[:5], START, jac=jac, vectorized=False).success.all()


# --- Functions as they are ---


def test_functions_get_parameters_of_shape_fits_1_and_shared_predictors():
    shapes = set()

    def watched(t, *p):
        shapes.add((t.shape, *(q.shape for q in p)))
        return decay(t, *p)

    curve_fit_many(watched, T, DATA, START)
    for x, *parameters in shapes:
        assert x == (20,)
        assert set(parameters) in ({()}, {(parameters[0][0] if parameters[0] else 0, 1)})
    assert ((20,), (200, 1), (200, 1), (200, 1)) in shapes
    shapes.clear()
    curve_fit_many(watched, np.tile(T, (200, 1)), DATA, START)
    for x, *parameters in shapes:
        assert x == ((parameters[0][0], 20) if parameters[0] else (20,))


def test_models_in_single_precision_get_steps_to_match():
    def single(t, a, b, c):
        return (np.float32(1) * a * np.exp(-b * t) + c).astype(np.float32)

    fits = curve_fit_many(single, T, DATA, START)
    assert fits.options.epsfcn == np.finfo(np.float32).eps
    double = curve_fit_many(decay, T, DATA, START)
    assert fits.success.mean() > 0.95
    near = fits.success
    assert (np.abs(fits.popt - double.popt) < 0.01 * double.stderr)[near].all()
    np.testing.assert_allclose(fits.stderr[near], double.stderr[near], rtol=0.01)
    assert double.options.epsfcn == 0
    assert curve_fit_many(single, T, DATA, START, epsfcn=1e-6).options.epsfcn == 1e-6


def test_functions_may_reuse_the_array_they_return():
    arrays = {}

    def reusing(function, t, *p):
        values = function(t, *p)
        array = arrays.setdefault((function, values.shape), np.empty(values.shape))
        array[...] = values
        return array

    for jac in (None, functools.partial(reusing, decay_jac)):
        expected = curve_fit_many(decay, T, DATA, START, jac=None if jac is None else decay_jac)
        for vectorized in (True, False):
            fits = curve_fit_many(functools.partial(reusing, decay), T, DATA, START, jac=jac, vectorized=vectorized)
            np.testing.assert_array_equal(fits.popt, expected.popt)
            np.testing.assert_array_equal(fits.status, expected.status)


@pytest.mark.parametrize("jac", [False, True])
def test_functions_may_change_their_parameters_in_place(jac):
    """Numbers are changed for the function alone; so are the arrays that take their place."""
    calls = []

    def per_minute(t, a, rate, c):
        calls.append(None)
        rate /= 60
        return decay(t, a, rate, c)

    def its_jac(t, a, rate, c):
        rate /= 60
        return decay_jac(t, a, rate, c) / [1, 60, 1]

    options = {"f": per_minute, "jac": its_jac if jac else None, "p0": [2.0, 60.0, 0.5]}
    expected = curve_fit_many(xdata=T, ydata=DATA, vectorized=False, **options)
    assert expected.success.all()
    for data, which in ((DATA, slice(None)), (DATA[0], 0)):
        calls.clear()
        fits = curve_fit_many(xdata=T, ydata=data, **options)
        np.testing.assert_array_equal(fits.popt, expected.popt[which])
        np.testing.assert_array_equal(fits.nfev, expected.nfev[which])
        assert len(calls) < 500  # where it is called for each fit, there are thousands


def test_functions_may_overwrite_their_parameters():
    def greedy(t, a, b, c):
        values = decay(t, a, b, c)
        for p in (a, b, c):
            if np.ndim(p):
                p[...] = np.nan
        return values

    fits = curve_fit_many(greedy, T, DATA, START)
    np.testing.assert_array_equal(fits.popt, curve_fit_many(decay, T, DATA, START).popt)


def test_functions_may_return_what_broadcasts_to_their_values():
    def constant(x, a):
        return a

    fits = curve_fit_many(constant, T, DATA, p0=[1.0], jac=lambda x, a: np.ones_like(a)[..., None])
    np.testing.assert_allclose(fits.popt[:, 0], DATA.mean(axis=1), rtol=1e-12)
    fits = curve_fit_many(lambda x, a: a, T, DATA, p0=[1.0])
    np.testing.assert_allclose(fits.popt[:, 0], DATA.mean(axis=1), rtol=1e-7)


def test_functions_may_return_lists_and_integers():
    fits = curve_fit_many(lambda *p: decay(*p).tolist(), T, DATA, START)
    assert identical(fits, curve_fit_many(decay, T, DATA, START))


def test_functions_without_names_for_their_parameters():
    def anonymous(t, *p):
        return decay(t, *p)

    fits = curve_fit_many(anonymous, T, DATA, START)
    assert fits.param_names == ("p0", "p1", "p2")
    assert identical(fits, curve_fit_many(decay, T, DATA, START))
    assert curve_fit_many(decay, T, DATA, START).param_names == ("amplitude", "rate", "offset")


def test_a_method_and_a_partial_are_functions():
    class Model:
        def value(self, t, a, rate):
            return decay(t, a, rate, 0.5)

    fits = curve_fit_many(Model().value, T, DATA, [2, 1])
    assert fits.param_names == ("a", "rate")
    # A parameter bound by keyword leaves the positional ones before it.
    partial = curve_fit_many(functools.partial(decay, offset=0.5), T, DATA, [2, 1])
    np.testing.assert_array_equal(partial.popt, fits.popt)


def test_warnings_of_the_model_are_not_the_users():
    """Trial points far away overflow; that is part of the method."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for vectorized in (True, False):
            curve_fit_many(decay, T, DATA, p0=[1, -150.0, 0], vectorized=vectorized)


# --- The results depend on nothing but the data ---

# Wild starts, so that fits take long and short ways, fail, and are ejected from their groups.
WILD = TRUTH * RNG.uniform(-1, 30, TRUTH.shape)
GAPS = np.where(RNG.random(DATA.shape) < 0.1, np.nan, DATA)


def spread(**options):
    return curve_fit_many(xdata=T, ydata=GAPS, p0=WILD, maxfev=60, **options)


@pytest.fixture
def small_pieces(monkeypatch):
    """Pieces of 16 fits, so that there are many."""
    monkeypatch.setattr(_pieces, "MOST_FITS", 16)


@each_kind
def test_results_do_not_depend_on_the_workers(kind_of_fit, small_pieces):
    expected = spread(**kind_of_fit)
    assert 0 < expected.success.sum() < 200
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        for workers in (2, 3, -1, pool.map, map, lambda f, pieces: [f(p) for p in reversed(list(pieces))]):
            assert identical(spread(**kind_of_fit, workers=workers), expected)


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_results_do_not_depend_on_the_process(method, small_pieces):
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"this system cannot {method}")
    with warnings.catch_warnings():
        # Forking a process with threads, of earlier tests, is what Python warns about.
        warnings.simplefilter("ignore", DeprecationWarning)
        pool = multiprocessing.get_context(method).Pool(2)
    with pool:
        kinds = KINDS if method == "fork" else {"compiled": KINDS["compiled"]}
        for kind_of_fit in kinds.values():
            assert identical(spread(**kind_of_fit, workers=pool.map), spread(**kind_of_fit))
            assert identical(spread(**kind_of_fit, workers=pool.imap_unordered), spread(**kind_of_fit))


def test_workers_that_lose_pieces_are_an_error(small_pieces):
    with pytest.raises(RuntimeError, match="workers returned results of 16 of 200 fits"):
        spread(**KINDS["compiled"], workers=lambda f, pieces: [f(next(pieces))])


def test_workers_that_are_no_map_are_an_error(small_pieces):
    def twice(task, pieces):
        results = [task(piece) for piece in pieces]
        return [results[0], results[0], *results[2:]]

    for workers, error, message in (
        (twice, RuntimeError, "the results of a piece twice"),
        (lambda task, pieces: None, TypeError, "returned NoneType, expected the results of all pieces"),
        (lambda task, pieces: ["a"], TypeError, "returned str, expected what task returns"),
    ):
        with pytest.raises(error, match=message):
            spread(**KINDS["compiled"], workers=workers)


@each_kind
@pytest.mark.parametrize("size", [1, 7, 64, 100_000])
def test_results_do_not_depend_on_the_pieces(kind_of_fit, size, monkeypatch):
    expected = spread(**kind_of_fit)
    monkeypatch.setattr(_pieces, "MOST_FITS", size)
    assert identical(spread(**kind_of_fit), expected)
    monkeypatch.setattr(_pieces, "MOST_POINTS", 20 * 5)
    assert identical(spread(**kind_of_fit), expected)


@each_kind
def test_results_do_not_depend_on_the_order(kind_of_fit):
    expected = spread(**kind_of_fit)
    order = np.random.default_rng(2).permutation(200)
    fits = curve_fit_many(**kind_of_fit, xdata=T, ydata=GAPS[order], p0=WILD[order], maxfev=60)
    assert identical(fits, expected[order])


@each_kind
def test_results_do_not_depend_on_the_company(kind_of_fit):
    """The same fit alone, at each place of a group, and among others that fail."""
    expected = spread(**kind_of_fit)
    for fit in range(0, 200, 29):
        alone = curve_fit_many(**kind_of_fit, xdata=T, ydata=GAPS[fit], p0=WILD[fit], maxfev=60)
        assert identical(expected[fit], alone)
        for place in range(0, 17, 4):
            rows = np.insert(np.arange(190, 200), min(place, 10), fit)
            fits = curve_fit_many(**kind_of_fit, xdata=T, ydata=GAPS[rows], p0=WILD[rows], maxfev=60)
            assert identical(fits[min(place, 10)], alone)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_compiled_models_do_not_look_at_each_other(case, monkeypatch):
    rng = np.random.default_rng(3)
    truth, data = case.data(rng, 40)
    starts = truth * rng.uniform(0.2, 4, truth.shape)
    starts[3] = np.nan
    data[5] = np.inf
    expected = curve_fit_many(case.model, case.x, data, starts, maxfev=50)
    order = rng.permutation(40)
    fits = curve_fit_many(case.model, case.x, data[order], starts[order], maxfev=50)
    assert identical(fits, expected[order])
    monkeypatch.setattr(_pieces, "MOST_FITS", 7)
    assert identical(curve_fit_many(case.model, case.x, data, starts, maxfev=50), expected)


def test_shared_arrays_give_what_own_ones_do():
    sigma = 0.05 * (1 + 0.5 * np.cos(T))
    tiled = {"xdata": np.tile(T, (200, 1)), "sigma": np.tile(sigma, (200, 1))}
    for kind_of_fit in KINDS.values():
        expected = curve_fit_many(**kind_of_fit, xdata=T, ydata=GAPS, p0=WILD, sigma=sigma, maxfev=60)
        assert identical(curve_fit_many(**kind_of_fit, ydata=GAPS, p0=WILD, maxfev=60, **tiled), expected)


def test_many_points_of_few_fits_are_vectorised_as_few_points_of_many(monkeypatch):
    for points in (1, 2**7, 2**20):
        monkeypatch.setattr(_fit_vectorized, "_POINTS_UNDER_WAY", points)
        for name in ("jac", "differences"):
            assert identical(spread(**KINDS[name]), spread_by_default(name))


@functools.cache
def spread_by_default(name):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_fit_vectorized, "_POINTS_UNDER_WAY", 2**15)
        return spread(**KINDS[name])


# --- Levels of the processor ---


@pytest.mark.skipif(_kernel.LEVEL == 1, reason="this processor has the basic level only")
def test_levels_of_the_processor_agree(monkeypatch):
    """They differ in rounding alone, because some fuse multiplications with additions."""
    results = {}
    for level in range(1, _kernel.LEVEL + 1):
        monkeypatch.setattr(_kernel, "LEVEL", level)
        results[level] = []
        for case in CASES:
            truth, data = case.data(np.random.default_rng(4), 300)
            results[level].append(curve_fit_many(case.model, case.x, data, truth))
    alike = []
    for level in range(2, _kernel.LEVEL + 1):
        for case, fits, others in zip(CASES, results[level], results[1], strict=True):
            ways = (fits.nfev == others.nfev) & (fits.success == others.success)
            alike.append(ways)
            assert (np.abs(fits.popt - others.popt) <= case.last_step(others.popt))[ways].all(), case
            np.testing.assert_allclose(fits.stderr[ways], others.stderr[ways], rtol=1e-6)
    assert np.mean(alike) >= 0.999


@pytest.mark.parametrize("level", range(1, _kernel.LEVEL + 1))
def test_every_level_is_indifferent_to_order(level, monkeypatch):
    monkeypatch.setattr(_kernel, "LEVEL", level)
    test_results_do_not_depend_on_the_order(KINDS["compiled"])
    test_results_do_not_depend_on_the_company(KINDS["compiled"])


# --- Progress ---


def test_progress_is_reported_to_a_callable(small_pieces):
    reports = []
    data = DATA.copy()
    data[40:50] = np.nan
    fits = curve_fit_many(models.exponential, T, data, progress=lambda *report: reports.append(report))
    done, totals, failed = zip(*reports, strict=True)
    assert done == tuple(min(16 * (k + 1), 200) for k in range(13))
    assert set(totals) == {200}
    assert list(failed) == sorted(failed)
    assert failed[-1] == 10 == (~fits.success).sum()


def test_progress_without_tqdm_is_a_line(small_pieces, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    data = DATA.copy()
    data[0] = np.nan
    curve_fit_many(models.exponential, T, data, progress=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert re.fullmatch(r"(\r.*)*\r200/200 fits, \d+ fits/s, 1 failed *\n", err)


def test_progress_with_tqdm_is_a_bar(small_pieces, monkeypatch):
    bars = []

    class Bar:
        def __init__(self, **options):
            self.options, self.n, self.shown, self.closed = options, 0, {}, False
            bars.append(self)

        def set_postfix(self, refresh, **shown):
            self.shown = shown

        def update(self, by):
            self.n += by

        def close(self):
            self.closed = True

    monkeypatch.setitem(sys.modules, "tqdm.auto", types.SimpleNamespace(tqdm=Bar))
    data = DATA.copy()
    data[0] = np.nan
    curve_fit_many(models.exponential, T, data, progress=True)
    (bar,) = bars
    assert (bar.options["total"], bar.n, bar.shown, bar.closed) == (200, 200, {"failed": 1}, True)
    with pytest.raises(MistakeError):
        curve_fit_many(
            models.exponential, T, data, progress=True, workers=lambda f, pieces: (_ for _ in ()).throw(MistakeError)
        )
    assert bars[1].closed


def test_progress_with_the_real_tqdm(capsys):
    pytest.importorskip("tqdm")
    curve_fit_many(models.exponential, T, DATA, progress=True)
    assert "200/200" in capsys.readouterr().err.replace(".00", "")


def test_without_progress_nothing_is_printed(capsys):
    curve_fit_many(models.exponential, T, DATA)
    assert capsys.readouterr() == ("", "")


# --- Very large arrays ---


def test_a_row_beyond_the_reach_of_32_bits_is_fitted_like_the_first():
    """One data set broadcast to 2.8e9 numbers: the pieces are views, and indices do not wrap."""
    x = np.linspace(0, 4, 40_000)
    y = (2.0 * np.exp(-1.3 * x) + 0.5 + 0.01 * np.cos(9 * x)).astype(np.float32)
    data = np.broadcast_to(y, (70_000, 40_000))
    sets = _pieces.data_sets(x, data, None, None, -1)
    assert sets.fits * sets.points > 2**31
    piece = sets.piece(69_998, 70_000)
    assert np.shares_memory(piece.y, y)
    assert piece.y.strides[0] == 0
    task = task_of(x, y)
    last, first = task(piece), task(sets.piece(0, 2))
    assert last.start == 69_998
    np.testing.assert_array_equal(last.popt, first.popt)
    alone = curve_fit_many(models.exponential, x, y)
    np.testing.assert_array_equal(last.popt, [alone.popt] * 2)


def test_a_fit_whose_number_is_beyond_32_bits():
    y = DATA[0]
    for shape, layout in (((3_000_000_000, 20), "rows"), ((60_000, 50_000, 20), "grid")):
        sets = _pieces.data_sets(T, np.broadcast_to(y, shape), None, None, -1)
        assert sets.fits == 3_000_000_000, layout
        piece = sets.piece(2_999_999_990, 3_000_000_000)
        got = task_of(T, y)(piece)
        assert got.start == 2_999_999_990
        np.testing.assert_array_equal(got.popt, [curve_fit_many(models.exponential, T, y).popt] * 10)
        last = list(zip(range(3), sets.pieces(), strict=False))[-1][1]
        assert last.start == 2 * _pieces.MOST_FITS


def task_of(x, y):
    """The task that `curve_fit_many` gives its workers."""
    tasks = []

    def workers(task, pieces):
        tasks.append(task)
        return map(task, pieces)

    curve_fit_many(models.exponential, x, y, workers=workers)
    return tasks[0]


def test_pieces_are_views_of_the_users_array():
    data = np.zeros((5000, 20), dtype=np.float32)
    for array, axis in ((data, -1), (data.T, 0), (data.reshape(50, 100, 20), -1), (np.asfortranarray(data.T), 0)):
        pieces = list(_pieces.data_sets(T, array, None, None, axis).pieces())
        assert sum(piece.fits for piece in pieces) == 5000
        assert all(np.shares_memory(piece.y, array) for piece in pieces)
        assert all(piece.y.dtype == np.float32 for piece in pieces)


# --- As part of the package ---


def test_the_public_names():
    assert {"ManyFits", "curve_fit_many", "models"} <= set(leastsq.__all__)
    assert isinstance(curve_fit_many(models.exponential, T, DATA), ManyFits)


def test_compiled_code_releases_the_lock():
    """Two threads of one processor each would deadlock here if a fit kept the lock."""
    import threading

    x = np.linspace(0, 4, 2000)
    data = np.repeat(decay(x, *TRUTH.T[:, :, None]), 5, axis=0)
    seen = []
    done = threading.Event()

    def count():
        while not done.is_set():
            seen.append(None)
            done.wait(0.0005)

    thread = threading.Thread(target=count)
    thread.start()
    try:
        before = len(seen)
        sets = _pieces.data_sets(x, data, None, None, -1)
        task_of(x, data[0])(sets.piece(0, 1000))
        gained = len(seen) - before
    finally:
        done.set()
        thread.join()
    assert gained > 1


# --- What functions may and may not do ---


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("missing", [False, True])
@each_kind
def test_a_guess_may_do_with_its_data_as_it_likes(kind_of_fit, missing, dtype):
    def guess(t, y):
        y -= np.nanmin(y, axis=-1, keepdims=True)
        return np.stack([np.nanmax(y, axis=-1), np.ones(y.shape[:-1]), np.zeros(y.shape[:-1])], axis=-1)

    data = DATA[:20].astype(dtype)
    if missing:
        data[3, 4] = np.nan
    kept = data.copy()
    fits = curve_fit_many(**kind_of_fit, xdata=T, ydata=data, p0=guess)
    np.testing.assert_array_equal(data, kept)
    expected = curve_fit_many(**kind_of_fit, xdata=T, ydata=data, p0=START)
    np.testing.assert_allclose(fits.popt, expected.popt, rtol=1e-5)


@pytest.mark.parametrize("x", [T, np.tile(T, (20, 1)), np.tile(T.astype("f4"), (20, 1))], ids=["shared", "each", "f4"])
@pytest.mark.parametrize("vectorized", [True, False])
def test_functions_may_change_their_predictors(vectorized, x):
    def in_place(t, amplitude, rate, offset):
        t *= -1
        return amplitude * np.exp(rate * t) + offset

    kept = x.copy()
    fits = curve_fit_many(in_place, x, DATA[:20], START, vectorized=vectorized)
    expected = curve_fit_many(decay, kept, DATA[:20], START, vectorized=vectorized)
    np.testing.assert_array_equal(x, kept)
    np.testing.assert_allclose(fits.popt, expected.popt, rtol=1e-9)


@pytest.mark.parametrize("vectorized", [True, False])
def test_functions_that_others_wrap_are_called_as_they_are(vectorized):
    def without_offset(f):
        @functools.wraps(f)
        def wrapped(t, *parameters):
            return f(t, *parameters, 0.0)

        return wrapped

    fits = curve_fit_many(without_offset(decay), T, 2 * np.exp(-T), [1.0, 0.5], vectorized=vectorized)
    np.testing.assert_allclose(fits.popt, [2, 1], rtol=1e-7)


def test_what_a_function_returns_is_looked_at_each_time():
    """The first call is for two fits; later ones are for as many as there are."""

    def later(wrong):
        return lambda t, *p: wrong(decay(t, *p)) if np.size(p[0]) > 2 else decay(t, *p)

    for wrong, error, message in (
        (lambda values: values + 1j, TypeError, "f: got complex numbers"),
        (lambda values: None, TypeError, "f: got None"),
        (lambda values: values[:, :5], ValueError, r"f returned an array of shape \(20, 5\) for 20 fits at once"),
    ):
        with pytest.raises(error, match=message):
            curve_fit_many(later(wrong), T, DATA[:20], START)


@pytest.mark.parametrize("vectorized", [True, False])
def test_derivatives_by_one_parameter_need_no_axis_for_it(vectorized):
    data = np.exp(-np.array([[0.5], [1.0], [1.5]]) * T) + 0.01 * np.cos(9 * T)

    def fit(jac):
        return curve_fit_many(lambda t, k: np.exp(-k * t), T, data, [1.0], jac=jac, vectorized=vectorized)

    single = curve_fit_many(
        lambda t, k: np.exp(-k * t),
        T[:3, None],
        np.exp(-0.5 * T[:3, None]),
        [1.0],
        jac=lambda t, k: -t * np.exp(-k * t) + 0 * k,
        vectorized=vectorized,
    )
    np.testing.assert_allclose(single.popt[1:, 0], 0.5)  # one point each; the first, at 0, tells nothing
    without = fit(lambda t, k: -t * np.exp(-k * t))
    assert identical(without, fit(lambda t, k: (-t * np.exp(-k * t))[..., None]))
    assert without.success.all()
