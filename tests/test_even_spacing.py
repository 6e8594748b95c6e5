"""Models over evenly spaced predictors, whose exponentials and waves are products: what users see of that."""

import numpy as np
import pytest

from leastsq import curve_fit, curve_fit_many, models

RNG = np.random.default_rng(8)
X = np.linspace(2.0, 12.0, 130)  # three blocks of rows
TRUTHS = {
    "gaussian": (models.gaussian, [3.0, 6.0, 1.2, 0.5]),
    "exponential": (models.exponential, [3.0, 0.4, 0.5]),
    "biexponential": (models.biexponential, [60.0, 1.5, 4.0, 0.25, -1.0]),
    "sine": (models.sine, [3.0, 0.3, 0.4, 0.5]),
    "damped_sine": (models.damped_sine, [3.0, 0.1, 0.3, 0.4, 0.5]),
    "harmonics": (models.harmonics, [1.0, 0.1, 0.3, 2.0, 1.0, 0.5, 0.7]),
}
each_model = pytest.mark.parametrize(("model", "truth"), TRUTHS.values(), ids=TRUTHS)


def data_of(model, truth, x=X, count=40, noise=0.01):
    """Return noisy data, and starts near the truth."""
    truths = np.array(truth) * RNG.uniform(0.97, 1.03, (count, len(truth)))
    y = np.array([model(x, *one) for one in truths])
    return y + noise * RNG.normal(size=y.shape), truths * RNG.uniform(0.99, 1.01, truths.shape)


@each_model
def test_fits_are_those_over_predictors_that_are_hardly_uneven(model, truth):
    # Far less than matters, and far more than rounding: these are not taken for evenly spaced.
    y, p0 = data_of(model, truth)
    even = curve_fit_many(model, X, y, p0)
    uneven = curve_fit_many(model, X + 1e-9 * RNG.uniform(-1, 1, X.size), y, p0)
    assert even.success.all()
    assert uneven.success.all()
    assert np.all(np.abs(even.popt - uneven.popt) < 1e-3 * even.stderr)
    np.testing.assert_allclose(even.stderr, uneven.stderr, rtol=1e-3)


@each_model
def test_fits_are_those_made_one_by_one(model, truth):
    y, p0 = data_of(model, truth, count=10)
    fits = curve_fit_many(model, X, y, p0)
    for i in range(len(y)):
        popt, pcov = curve_fit(lambda x, *p: model(x, *p), X, y[i], p0[i])
        assert np.all(np.abs(fits.popt[i] - popt) < 1e-3 * fits.stderr[i])
        np.testing.assert_allclose(fits.stderr[i], np.sqrt(np.diag(pcov)), rtol=1e-3)


@each_model
def test_data_without_noise_are_met_to_rounding(model, truth):
    y, p0 = data_of(model, truth, noise=0.0)
    fits = curve_fit_many(model, X, y, p0)
    assert fits.success.all()
    # A value is off by some units in its last place.
    assert np.all(fits.chisq < X.size * (2e-14 * np.abs(y).max()) ** 2)


@each_model
def test_bits_do_not_depend_on_company_or_on_whose_predictors_they_are(model, truth):
    y, p0 = data_of(model, truth, count=37)
    p0[3] *= 30.0  # wild
    expected = curve_fit_many(model, X, y, p0, maxfev=30)
    own = curve_fit_many(model, np.tile(X, (37, 1)), y, p0, maxfev=30)
    mixed = np.tile(X, (37, 1))
    mixed[::2] += 1e-3 * RNG.uniform(-1, 1, (19, X.size))  # every other one is uneven
    beside = curve_fit_many(model, mixed, y, p0, maxfev=30)
    backwards = curve_fit_many(model, X, y[::-1], p0[::-1], maxfev=30, workers=2)
    for name in ("popt", "chisq", "nfev", "status", "pcov"):
        np.testing.assert_array_equal(getattr(own, name), getattr(expected, name))
        np.testing.assert_array_equal(getattr(beside, name)[1::2], getattr(expected, name)[1::2])
        np.testing.assert_array_equal(getattr(backwards, name)[::-1], getattr(expected, name))


def test_peaks_from_wide_to_narrower_than_the_spacing():
    x = np.arange(100.0)
    sigmas = np.array([20.0, 5.0, 2.0, 1.0, 0.8, 0.6, 0.4])
    y = np.array([models.gaussian(x, 100.0, 50.2, sigma, 3.0) for sigma in sigmas]) + RNG.normal(size=(7, 100))
    p0 = np.column_stack([np.full(7, 90.0), np.full(7, 50.0), 1.05 * sigmas, np.full(7, 2.5)])
    fits = curve_fit_many(models.gaussian, x, y, p0)
    assert fits.success.all()
    for i in range(7):
        popt, _ = curve_fit(lambda x, *p: models.gaussian(x, *p), x, y[i], p0[i])
        assert np.all(np.abs(fits.popt[i] - popt) < 1e-3 * fits.stderr[i])


def test_narrow_lines_in_long_spectra_and_far_away_from_their_points():
    x = np.arange(2000.0)
    y = models.gaussian(x, 100.0, 1500.3, 2.0, 3.0) + RNG.normal(size=(20, 2000))
    fits = curve_fit_many(models.gaussian, x, y, [90.0, 1500.0, 2.2, 2.0])
    assert fits.success.all()
    assert np.all(np.abs(fits.popt[:, 1] - 1500.3) < 6 * fits.stderr[:, 1])
    lost = curve_fit_many(models.gaussian, x, y[:1], [90.0, 1e7, 2.0, 2.0])
    assert not np.isfinite(lost.stderr[0, :3]).any()


def test_descending_predictors_years_and_a_missing_point():
    for x in (X[::-1], X + 2000.0, np.delete(X, 60)):
        shift = 2000.0 if x[0] > 1000 else 0.0
        y = models.gaussian(x, 3.0, 6.0 + shift, 1.2, 0.5) + 0.05 * RNG.normal(size=(8, x.size))
        fits = curve_fit_many(models.gaussian, x, y, [2.5, 5.8 + shift, 1.0, 0.4])
        popt, _ = curve_fit(lambda x, *p: models.gaussian(x, *p), x, y[3], [2.5, 5.8 + shift, 1.0, 0.4])
        assert fits.success.all()
        assert np.all(np.abs(fits.popt[3] - popt) < 1e-3 * fits.stderr[3])
