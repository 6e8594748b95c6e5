"""Start values for very many points, and for frequencies that are higher than the points are dense."""

import time
import tracemalloc

import numpy as np
import pytest

from leastsq import curve_fit, curve_fit_many, models
from leastsq._guesses import lines

TRUTHS = {
    "gaussian": [3.0, 0.4, 0.05, 0.5],
    "lorentzian": [-3.0, 0.6, 0.05, 0.5],
    "pseudo_voigt": [3.0, 0.4, 0.05, 0.4, 0.5],
    "exponential": [3.0, 4.0, 0.5],
    "biexponential": [2.0, 15.0, 1.0, 1.5, 0.3],
    "logistic4": [0.0, 1.0, 0.5, 8.0],
    "michaelis_menten": [1.0, 0.3],
    "power_law": [2.0, 1.5, 0.5],
    "damped_sine": [2.0, 1.0, 57.0, 0.3, 0.5],
    "gaussian_2d": [3.0, 0.4, 0.5, 0.05, 0.5],
    "gaussian_2d_elliptic": [3.0, 0.4, 0.5, 0.08, 0.04, 0.3, 0.5],
}
each_model = pytest.mark.parametrize("name", TRUTHS)


def data(name, points, seed=0):
    rng = np.random.default_rng(seed)
    model, truth = getattr(models, name), TRUTHS[name]
    x = np.linspace(0.001, 1, points)
    if model.predictors == 2:
        side = int(np.sqrt(points))
        x = tuple(axis.ravel() for axis in np.meshgrid(np.linspace(0, 1, side), np.linspace(0, 1, side)))
    y = model(x, *truth)
    return model, x, y + 0.2 * rng.standard_normal(y.shape), truth


@each_model
@pytest.mark.parametrize("order", ["in order", "shuffled", "with gaps"])
def test_some_points_of_many_are_enough(name, order):
    model, x, y, truth = data(name, 90_000)
    rng = np.random.default_rng(1)
    if order == "shuffled":
        shuffled = rng.permutation(y.size)
        x, y = (tuple(p[shuffled] for p in x) if isinstance(x, tuple) else x[shuffled]), y[shuffled]
    elif order == "with gaps":
        y[rng.random(y.size) < 0.9] = np.nan
    popt, pcov = curve_fit(model, x, y, model.guess(x, y), nan_policy="omit")
    assert np.all(np.abs(popt - truth) < 6 * np.sqrt(np.diag(pcov)))


@pytest.mark.slow
@each_model
def test_guesses_take_a_tenth_of_the_time_of_the_fit_and_no_copy_of_the_data(name):
    model, x, y, _ = data(name, 1_000_000)
    start = model.guess(x, y)
    times = {"guess": [], "fit": []}
    for _ in range(5):
        begun = time.process_time()
        model.guess(x, y)
        guessed = time.process_time()
        curve_fit(model, x, y, start)
        times["guess"].append(guessed - begun)
        times["fit"].append(time.process_time() - guessed)
    # It takes a hundredth or so, but other work on the machine may spoil its caches.
    assert min(times["guess"]) < 0.1 * np.median(times["fit"])
    tracemalloc.start()
    try:
        model.guess(x, y)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # One array of all points takes 8 MB, as much as tables for one chunk do; before, there were hundreds.
    assert peak < 3 * 8 * y.size


def test_a_short_group_beside_a_long_one_keeps_all_its_points():
    """Rows are filled up to the longest: what is taken of them must be points."""
    model, x, y, _ = data("gaussian", 50_000)
    few = slice(None, None, 5000)
    labels = np.r_[np.zeros(y.size, int), np.ones(y[few].size, int)]
    fits = curve_fit_many(model, np.r_[x, x[few]], np.r_[y, y[few]], groups=labels)
    alone = curve_fit_many(model, x[few], y[few])
    np.testing.assert_allclose(fits.popt[1], alone.popt, rtol=1e-6)


def test_predictors_that_are_shared_stay_shared():
    """So that functions of them are tabulated once, not for each fit; only fits with too few points get their own."""
    x, y = np.linspace(0, 1, 20_000), np.zeros((5, 20_000))
    ((rows, (some,), of_some),) = lines.thinned((x,), y, 2048)
    assert some.shape == (2048,)
    assert y[rows].shape[:1] == of_some.shape[:1] == (5,)
    y[1, ::3], y[3, 100:] = np.nan, np.nan
    (rows, (some,), of_some), (few, (own,), of_few) = lines.thinned((x,), y, 2048)
    assert rows.tolist() == [0, 1, 2, 4]
    assert some.shape == (2048,)
    assert few.tolist() == [3]
    assert np.isfinite(of_few).sum() == 100
    np.testing.assert_array_equal(own[0, :100], x[:100])


@each_model
def test_what_is_taken_of_a_fit_does_not_depend_on_others(name, monkeypatch):
    model, x, y, _ = data(name, 70_000)
    other = np.where(np.arange(y.size) % 3, np.nan, y)
    together = model.guess(x, np.stack([y, other]))
    assert np.array_equal(together[0], model.guess(x, y))
    assert np.array_equal(together[1], model.guess(x, other))
    monkeypatch.setattr(lines, "CHUNK", 1)
    assert np.array_equal(model.guess(x, np.stack([y, other])), together)


# --- Frequencies beyond half the mean rate ---


@pytest.mark.parametrize("noise", [0.05, 0.5])
@pytest.mark.parametrize("points", [40, 100, 400])
def test_frequencies_beyond_half_the_mean_rate_are_found(points, noise):
    rng = np.random.default_rng(points)
    reached = 0
    for _ in range(40):
        x = rng.uniform(0, 100, points)
        truth = [2, 0.005, rng.uniform(1.1, 9) * points / 200, rng.uniform(-3, 3), 3]
        y = models.damped_sine(x, *truth) + noise * rng.standard_normal(points)
        popt, _ = curve_fit(models.damped_sine, x, y)
        reached += abs(popt[2] - truth[2]) < 1e-2
    # With 40 points of much noise, some other wave may fit as well.
    assert reached >= 36


@pytest.mark.parametrize("jitter", [0.0, 0.05, 0.5])
def test_frequencies_below_are_preferred_where_points_are_almost_equally_spaced(jitter):
    rng = np.random.default_rng(5)
    for _ in range(40):
        x = np.arange(80) + rng.uniform(-jitter, jitter, 80)
        truth = [2, 0.01, rng.uniform(0.05, 0.45), rng.uniform(-3, 3), 3]
        y = models.damped_sine(x, *truth) + 0.3 * rng.standard_normal(80)
        assert abs(models.damped_sine.guess(x, y)[2] - truth[2]) < 0.01


def test_noise_alone_rarely_leads_beyond():
    rng = np.random.default_rng(6)
    x, y = rng.uniform(0, 100, (400, 60)), rng.standard_normal((400, 60))
    beyond = models.damped_sine.guess(x, y)[:, 2] > 0.3
    assert beyond.mean() < 0.05


def test_observations_at_night_only():
    """Ten months of nights, and a star that pulses more than once a day: far more often than it is seen."""
    rng = np.random.default_rng(7)
    x = np.sort(rng.choice(300, 90, replace=False) + rng.uniform(-0.2, 0.2, 90))
    y = models.damped_sine(x, 1.0, 0.0, 1.3137, 0.4, 12.0) + 0.1 * rng.standard_normal(90)
    popt, pcov = curve_fit(models.damped_sine, x, y)
    assert abs(popt[2] - 1.3137) < 5 * np.sqrt(pcov[2, 2])
