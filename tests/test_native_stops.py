"""Functions of users' that have no value, and how they stop fits."""

import ctypes

import numpy as np
import pytest
from native_functions import (
    NAMES,
    P0,
    X,
    Y,
    each_way,
    numba,
    numba_signature,
    of_ctypes,
    of_lanes,
)

import leastsq
from leastsq import curve_fit, curve_fit_many, native

pytestmark = pytest.mark.slow

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
