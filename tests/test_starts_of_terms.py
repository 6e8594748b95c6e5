"""Starts of terms that stand alone: models with fixed parameters, and products.

Bars of 0.98 and more leave room for a few of 400 fits: all were found. Where two peaks may touch, noise decides more.
"""

import numpy as np
import pytest

from leastsq import curve_fit_many, models

X = np.linspace(0, 1, 60)
spot = models.gaussian_2d
peak = models.gaussian


def share_at_the_least(model, x, truth, noise=0.05):
    """Of fits from guesses, which share ends at the least sum of squares that is known; `truth` is (fits, N)."""
    y = model(x, *truth.T[:, :, None])
    y += noise * np.random.default_rng(0).standard_normal(y.shape)
    fits = [curve_fit_many(model, x, y, p0=p0, maxfev=300) for p0 in (truth, None)]
    from_truth, found = (np.where(each.success, each.chisq, np.inf) for each in fits)
    return (found <= 1.001 * np.minimum(from_truth, found))[np.isfinite(from_truth)].mean()


def uniform(ranges, fits=400):
    rng = np.random.default_rng(1)
    return np.stack([rng.uniform(low, high, fits) for low, high in ranges], axis=1)


@pytest.mark.parametrize("level", [0.0, 0.5, -30.0])
def test_peaks_on_a_known_level_are_found(level):
    """Of much noise, and at the end of a window that cuts most of them off, where they may look like others."""
    model = peak.fix(offset=level)
    assert share_at_the_least(model, X, uniform([(0.7, 1.3), (0.1, 0.9), (0.03, 0.2)]), 0.15) > 0.98
    assert share_at_the_least(model, X, uniform([(0.7, 1.3), (-0.1, 0.1), (0.2, 0.4)])) > 0.98


@pytest.mark.parametrize("known", [{"center": 0.4}, {"sigma": 0.1}, {"sigma": 0.1, "offset": 0.5}])
def test_peaks_of_which_something_is_known_are_found(known):
    ranges = {"amplitude": (-1.3, -0.7), "center": (0.1, 0.9), "sigma": (0.05, 0.2), "offset": (-1, 1)}
    truth = uniform([ranges[name] for name in ranges if name not in known])
    assert share_at_the_least(peak.fix(**known), X, truth, 0.15) > 0.98


def test_levels_that_are_fixed_are_taken_off_before_peaks_are_looked_for():
    two = peak.fix(offset=0.5) + peak.fix(offset=1.5).prefix("b_")
    truth = uniform([(0.6, 1.4), (0.2, 0.4), (0.04, 0.08), (0.6, 1.4), (0.6, 0.8), (0.04, 0.08)])
    assert share_at_the_least(two, X, truth) > 0.95
    xy = tuple(axis.ravel() for axis in np.meshgrid(np.linspace(0, 1, 13), np.linspace(0, 1, 13)))
    spots = spot.fix(offset=0.5) + spot.fix(offset=0.0).prefix("b_")
    one = [(0.6, 1.4), (0.2, 0.4), (0.2, 0.8), (0.06, 0.12)]
    assert share_at_the_least(spots, xy, uniform([*one, (0.6, 1.4), (0.6, 0.8), *one[2:]])) > 0.9


@pytest.mark.parametrize("points", [20, 60])
def test_factors_are_guessed_from_what_the_others_leave(points):
    """With each from the data alone, a third of the waves of 20 points."""
    x = np.linspace(0, 1, points)
    truth = uniform([(1, 1), (0.3, 4), (2, 0.4 * points**0.8), (-3, 3)])
    wave = models.sine.fix(amplitude=1.0, offset=0.0)
    assert share_at_the_least(models.exponential.fix(offset=0.0) * wave, x, truth, 0.02) > 0.98
    decay = models.exponential.fix(amplitude=1.0, offset=0.0)
    assert share_at_the_least(models.sine.fix(offset=0.0) * decay, x, truth[:, [0, 2, 3, 1]], 0.02) > 0.98


def test_products_next_to_terms_are_guessed_from_what_these_leave():
    wave = models.exponential.fix(offset=0.0) * models.sine.fix(amplitude=1.0, offset=0.0)
    truth = uniform([(1, 1), (0.3, 4), (2, 10), (-3, 3), (-2, 2)])
    assert share_at_the_least(wave + models.constant, X, truth) > 0.98
