"""Functions of users': the same fits as of the model in NumPy."""

import math

import numpy as np
import pytest
import scipy.optimize
from native_functions import P0, TRUTH, X, Y, each_maker, each_way, gaussian, of_ctypes

import leastsq
from leastsq import curve_fit, curve_fit_many, models, native

pytestmark = pytest.mark.slow

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
