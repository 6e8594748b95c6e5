"""Quantiles, intervals, predictions with errors and derived quantities; that they cover, by simulation."""

import dataclasses
import math

import numpy as np
import pytest
import scipy.special
import scipy.stats

from leastsq import curve_fit_many, models, native
from leastsq._results.student import normal_quantile, quantiles, t_quantile

X = np.linspace(0, 5, 24)


def decay(x, amplitude, rate, offset):
    return amplitude * np.exp(-rate * x) + offset


def singly(x, amplitude, rate, offset):
    if np.ndim(amplitude):
        raise ValueError("one fit at a time")
    return amplitude * np.exp(-rate * x) + offset


def make(shape=(4,), f=models.exponential, noise=0.05, sigma=None, seed=1, **options):
    rng = np.random.default_rng(seed)
    y = models.exponential(X, 2.0, rng.uniform(0.5, 1.5, (*shape, 1)), 0.1) + noise * rng.standard_normal((*shape, 24))
    p0 = None if f is models.exponential else [2, 1, 0]
    return curve_fit_many(f, X, y, p0, sigma, **options)


# --- Quantiles ---


@pytest.mark.parametrize("dof", [0.5, 1, 2, 3, 4, 7, 10, 30, 100, 999, 2000, 2001, 30_000, 10**9, 2**62])
@pytest.mark.parametrize("level", [0.01, 0.1, 0.5, 0.6827, 0.9, 0.95, 0.99, 0.9999, 1 - 1e-9])
def test_quantiles_are_those_of_scipy(level, dof):
    # SciPy's own are good to 4e-11, newer ones to 1e-12.
    wanted = scipy.special.stdtrit(dof, 0.5 + level / 2) if level < 0.999 else scipy.stats.t.isf((1 - level) / 2, dof)
    assert t_quantile(level, dof) == pytest.approx(wanted, rel=1e-10)


def test_quantiles_in_closed_form():
    for level in (1e-6, 0.3, 0.95, 1 - 1e-12):
        one, two = math.tan(math.pi * level / 2), level * math.sqrt(2 / (1 - level * level))
        # The level itself is rounded, which the tail of one part in 1e12 shows.
        assert t_quantile(level, 1) == pytest.approx(one, rel=1e-13 + 1e-15 / (1 - level))
        assert t_quantile(level, 2) == pytest.approx(two, rel=1e-13 + 1e-15 / (1 - level))


def test_quantiles_without_degrees_of_freedom_are_missing():
    assert np.isnan(quantiles(0.95, np.array([0, -3]), False)).all()
    np.testing.assert_allclose(quantiles(0.95, np.array([[0, 5]]), True), 1.959963984540054, rtol=1e-14)
    assert t_quantile(0.95, math.inf) == pytest.approx(normal_quantile(0.95), rel=1e-15)
    assert math.isnan(t_quantile(0.95, math.nan))


@pytest.mark.parametrize("level", [0, 1, -0.1, 95, "95 %", math.nan, None])
def test_levels_are_probabilities(level):
    with pytest.raises(ValueError, match="level must be a probability between 0 and 1"):
        make().conf_interval(level)


# --- Intervals of parameters ---


@pytest.mark.parametrize("absolute", [False, True])
def test_intervals_are_estimate_and_quantile(absolute):
    fits = make(sigma=0.05, absolute_sigma=absolute)
    lower, upper = fits.conf_interval(0.9)
    t = scipy.stats.norm.ppf(0.95) if absolute else scipy.stats.t.ppf(0.95, 21)
    np.testing.assert_allclose(upper - fits.popt, t * fits.stderr, rtol=1e-10)
    np.testing.assert_allclose((lower + upper) / 2, fits.popt, rtol=1e-13)


@pytest.mark.parametrize("absolute", [False, True])
def test_intervals_cover(absolute):
    """Of 4000 intervals with level 0.8, the share that holds the truth is off by 0.02 once in two thousand times."""
    rng = np.random.default_rng(5)
    x = np.linspace(0, 5, 8)  # few points, where Student and the normal differ by a fifth
    y = decay(x, 2.0, 0.8, 0.1) + 0.02 * rng.standard_normal((4000, 8))
    fits = curve_fit_many(models.exponential, x, y, sigma=0.02, absolute_sigma=absolute)
    lower, upper = fits.conf_interval(0.8)
    inside = (lower < [2.0, 0.8, 0.1]) & (upper > [2.0, 0.8, 0.1])
    np.testing.assert_allclose(inside.mean(axis=0), 0.8, atol=0.02)
    truth = decay(2.5, 2.0, 0.8, 0.1)
    _, lower, upper = fits.predict(2.5, interval="confidence", level=0.8)
    assert np.mean((lower < truth) & (truth < upper)) == pytest.approx(0.8, abs=0.02)
    further = truth + 0.02 * rng.standard_normal((4000, 1))
    _, lower, upper = fits.predict(2.5, interval="prediction", level=0.8, sigma=0.02)
    assert np.mean((lower < further) & (further < upper)) == pytest.approx(0.8, abs=0.02)


def test_intervals_of_what_is_not_known():
    fits = curve_fit_many(lambda x, a, b, c: a * x + 0 * b + c, X, np.array([X + np.cos(9 * X), X * np.nan]), [1, 1, 1])
    lower, upper = fits.conf_interval()
    assert np.isfinite(upper[0, [0, 2]]).all()
    assert (lower[0, 1], upper[0, 1]) == (-np.inf, np.inf)
    assert np.isnan(lower[1]).all()
    full = curve_fit_many(lambda x, a, b: a * x + b, [1.0, 2.0], [1.0, 3.0], [1, 1])
    assert np.isinf(full.conf_interval()).all()
    assert np.isnan(fits.correlation[0, 1]).all()
    assert fits.correlation[0, 0, 0] == 1
    assert np.isnan(fits.aic[1])


def test_correlations():
    fits = make()
    d = np.sqrt(np.diagonal(fits.pcov, axis1=1, axis2=2))
    np.testing.assert_allclose(fits.correlation, fits.pcov / d[:, :, None] / d[:, None, :], rtol=1e-14)
    assert (np.diagonal(fits.correlation, axis1=1, axis2=2) == 1).all()
    assert fits[0].correlation.shape == (3, 3)


def test_criteria():
    fits = make()
    np.testing.assert_allclose(fits.aic, 24 * np.log(fits.chisq / 24) + 6, rtol=1e-14)
    np.testing.assert_allclose(fits.bic, 24 * np.log(fits.chisq / 24) + 3 * np.log(24), rtol=1e-14)
    known = make(sigma=0.05, absolute_sigma=True)
    np.testing.assert_allclose(known.aic, known.chisq + 6, rtol=1e-14)
    np.testing.assert_allclose(known.bic, known.chisq + 3 * np.log(24), rtol=1e-14)


# --- Predictions ---


def linear(x, a, b):
    return a * x + b


def test_errors_of_a_line_are_those_of_the_textbook():
    """Draper and Smith, Applied Regression Analysis, section 1.4: s^2 (1/n + (x - mean)^2 / Sxx)."""
    y = 2 * X + 1 + 0.1 * np.random.default_rng(3).standard_normal((5, 24))
    fits = curve_fit_many(linear, X, y, [1, 1])
    at = np.array([-3.0, 0.0, 2.5, 9.0])
    s2 = fits.redchi[:, None]
    wanted = s2 * (1 / 24 + (at - X.mean()) ** 2 / np.sum((X - X.mean()) ** 2))
    values, std = fits.predict(at, return_std=True)
    # Differences over 1e-4 of a standard error leave seven digits.
    np.testing.assert_allclose(std, np.sqrt(wanted), rtol=1e-6)
    _, lower, upper = fits.predict(at, interval="prediction", level=0.99)
    t = scipy.stats.t.ppf(0.995, 22)
    np.testing.assert_allclose(upper - values, t * np.sqrt(wanted + s2), rtol=1e-6)
    np.testing.assert_allclose(values - lower, t * np.sqrt(wanted + s2), rtol=1e-6)


@pytest.mark.parametrize("shape", [(), (4,), (2, 3)])
def test_every_kind_of_model_has_the_same_errors(shape):
    compiled = make(shape)
    at = np.linspace(-1, 8, 7)
    values, std = compiled.predict(at, return_std=True)
    assert values.shape == std.shape == (*shape, 7)
    slopes = models.exponential.jac(at, *(compiled.popt[..., j, None] for j in range(3)))
    np.testing.assert_allclose(std**2, np.einsum("...pi,...ij,...pj->...p", slopes, compiled.pcov, slopes), rtol=1e-9)
    kinds = [(decay, {}), (decay, {"jac": models.exponential.jac}), (singly, {"vectorized": False})]
    for f, options in kinds:
        problem = dataclasses.replace(compiled.problem, f=f, **{"jac": None, **options})
        other = dataclasses.replace(compiled, problem=problem)
        # Central differences: curvature of 1e-4 standard errors, and rounding over that, are both below 1e-6.
        np.testing.assert_allclose(other.predict(at, return_std=True)[1], std, rtol=1e-6)


@pytest.mark.slow
def test_errors_of_native_models():
    pytest.importorskip("numba")

    def rise(x, a, b, c):
        return a * math.exp(-b * x) + c

    compiled = make((3,))
    for derivatives in ("dual", "differences"):
        model = native.jit(rise, derivatives=derivatives)
        other = dataclasses.replace(compiled, problem=dataclasses.replace(compiled.problem, f=model, jac=model.jac))
        np.testing.assert_allclose(
            other.predict(X, return_std=True)[1], compiled.predict(X, return_std=True)[1], rtol=1e-6
        )


def test_errors_of_many_predictions_are_those_of_each():
    fits = make((700,))
    own = np.sort(np.random.default_rng(2).uniform(0, 5, (700, 300)), axis=-1)  # in several pieces
    std = fits.predict(own, return_std=True)[1]
    for i in (0, 1, 699):
        np.testing.assert_allclose(std[i], fits[i].predict(own[i], return_std=True)[1], rtol=1e-12)
    assert fits.predict(np.empty(0), return_std=True)[1].shape == (700, 0)


def test_errors_of_several_predictors():
    def plane(xy, a, b):
        return a * xy[0] + b * xy[1]

    rng = np.random.default_rng(3)
    x, y = rng.uniform(0, 1, (2, 9))
    data = 2 * x + 3 * y + 0.1 * rng.standard_normal((4, 9))
    fits = curve_fit_many(plane, (x, y), data, p0=[1, 1])
    variance = fits.pcov[:, 0, 0, None] * x**2 + 2 * fits.pcov[:, 0, 1, None] * x * y + fits.pcov[:, 1, 1, None] * y**2
    np.testing.assert_allclose(fits.predict((x, y), return_std=True)[1], np.sqrt(variance), rtol=1e-6)


def test_errors_that_are_not_known():
    fits = curve_fit_many(lambda x, a, b, c: a * x + b * (x > 9) + c, X, [X + np.cos(9 * X), X * np.nan], [1, 1, 1])
    _, std = fits.predict([1.0, 10.0], return_std=True)
    assert np.isfinite(std[0, 0])
    assert std[0, 1] == np.inf
    assert np.isnan(std[1]).all()
    _, lower, upper = fits.predict([10.0], interval="confidence")
    assert (lower[0, 0], upper[0, 0]) == (-np.inf, np.inf)


def test_wrong_calls_of_predict():
    fits = make()
    with pytest.raises(ValueError, match="interval must be"):
        fits.predict(X, interval="both")
    with pytest.raises(ValueError, match="choose one"):
        fits.predict(X, interval="confidence", return_std=True)
    with pytest.raises(ValueError, match="sigma is for interval='prediction'"):
        fits.predict(X, interval="confidence", sigma=1.0)
    for weighted in (make(sigma=0.1), make(sigma=0.1, absolute_sigma=True)):
        with pytest.raises(ValueError, match="sigma is missing"):
            weighted.predict(X, interval="prediction")
    with pytest.raises(ValueError, match="sigma: expected standard deviations above zero"):
        fits.predict(X, interval="prediction", sigma=-1.0)
    half, full = (fits.predict(X, interval="prediction", sigma=s)[2] - fits.predict(X) for s in (0.5, 1.0))
    assert (half < full).all()


# --- Derived quantities ---


def test_derived_quantities():
    fits = make((2, 3))
    value, error = fits.derived(lambda rate: np.log(2) / rate)
    assert value.shape == error.shape == (2, 3)
    np.testing.assert_allclose(value, np.log(2) / fits["rate"], rtol=1e-15)
    np.testing.assert_allclose(error, np.log(2) / fits["rate"] ** 2 * fits.stderr_of("rate"), rtol=1e-6)
    _, error = fits.derived(lambda offset, amplitude: offset + amplitude)
    wanted = fits.pcov[..., 0, 0] + fits.pcov[..., 2, 2] + 2 * fits.pcov[..., 0, 2]
    np.testing.assert_allclose(error, np.sqrt(wanted), rtol=1e-6)
    value, error = fits.derived(lambda *p: p[1])
    np.testing.assert_allclose(error, fits.stderr_of("rate"), rtol=1e-6)
    assert fits[0, 0].derived(lambda rate: 1 / rate)[1].shape == ()
    value, error = fits.derived(lambda: 3.0)
    assert (value == 3).all()
    assert (error == 0).all()


def test_errors_of_derived_quantities_cover():
    """An EC50 from its logarithm; 3000 intervals with level 0.9, whose share is off by 0.025 in one of 1e5 tries."""

    def response(x, top, log_ec50):
        return top / (1 + 10 ** (log_ec50 - x))

    rng = np.random.default_rng(6)
    x = np.linspace(-2, 2, 40)
    y = response(x, 1.0, 0.3) + 0.02 * rng.standard_normal((3000, 40))
    fits = curve_fit_many(response, x, y, [1, 0])
    value, error = fits.derived(lambda log_ec50: 10**log_ec50)
    inside = np.abs(value - 10**0.3) < scipy.stats.t.ppf(0.95, 38) * error
    assert inside.mean() == pytest.approx(0.9, abs=0.025)


def test_derived_quantities_at_extremes():
    """Steps follow the errors; rounding over 1e-4 of the least of them leaves three digits."""
    fits = make(())
    popt = np.array([0.0, 1e4, 1.0])
    for scale in (1.0, 1e-3, 1e-9):
        pcov = np.diag([1.0, 1e-4, 1.0]) * scale**2
        one = dataclasses.replace(fits, popt=popt, pcov=pcov)
        np.testing.assert_allclose(one.derived(lambda amplitude: np.exp(amplitude))[1], scale, rtol=1e-3)
        sharp = one.derived(lambda rate: np.tanh((rate - 1e4) / 0.01))[1]
        np.testing.assert_allclose(sharp, scale * 1e-2 / 0.01, rtol=1e-3)


def test_wrong_derived_quantities():
    fits = make()
    with pytest.raises(TypeError, match="'half', which is no parameter"):
        fits.derived(lambda half: half)
    with pytest.raises(ValueError, match="expected a real number for each fit"):
        fits.derived(lambda rate: rate[:2])
    with pytest.raises(TypeError, match="g must be callable"):
        fits.derived("rate")
    left = curve_fit_many(lambda x, a, b: a * b * x, X, X + 0.1 * np.cos(9 * X), [1, 1])
    assert left.derived(lambda a, b: a * b)[1] == np.inf
