"""Fits that users of this and other packages reported as wrong: each of a kind that has to end well."""

import warnings

import numpy as np
import pytest

import leastsq
from exact_errors import IllConditioned, exact_standard_errors
from leastsq import models

pytestmark = [
    pytest.mark.filterwarnings("ignore::leastsq.OptimizeWarning"),
    pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid value", "ignore:divide by zero"),
]


def on_a_constant(e, x, c, a, m, s):
    return c + a * e.exp(-((x - m) ** 2) / (2 * s * s))


def saturating(e, x, a, b, c):
    return a - b * e.exp(-c * x)


def ends(problem, y, p0, **options):
    """Fit alone and as one of many: parameters, standard errors, and how many evaluations were counted."""
    popt, pcov, info, _, _ = leastsq.curve_fit(problem.model, problem.x, y, p0, full_output=True, **options)
    yield popt, np.sqrt(np.diag(pcov)), info["nfev"]
    fits = leastsq.curve_fit_many(problem.model, problem.x, np.stack([y, y]), p0, **options)
    assert fits.success.all(), fits.message(0)
    yield fits.popt[1], fits.stderr[1], fits.nfev[1]


def assert_right_or_open(problem, y, popt, errors):
    exact = exact_standard_errors(problem, y, popt)
    share = errors / exact
    assert np.all(np.isinf(errors) | ((share > 0.5) & (share < 2))), (popt, errors, exact)


PARABOLAS = [
    (217, 182, 162, 170, 255),
    (140.0, 106.7, 107.6, 130.6, 198.9),
    (156.8, 99.8, 91.1, 140.7, 253.3),
    (113.1, 63.6, 56.7, 85.2, 184.9),
]


@pytest.mark.parametrize("data", PARABOLAS, ids=str)
def test_a_gaussian_through_a_parabola_ends_within_maxfev(data):
    """The minimum is at infinity, where height and width are; going on gains nothing, and the first end stands."""
    problem, y = IllConditioned("", on_a_constant, np.arange(5.0), (), 0, ()), np.array(data, dtype=float)
    for popt, errors, nfev in ends(problem, y, [y.max(), -np.ptp(y), y.argmin(), y.size / 4]):
        assert nfev <= 1000
        assert_right_or_open(problem, y, popt, errors)


@pytest.mark.parametrize("seed", range(6))
def test_a_rate_that_ran_away_has_no_error(seed):
    """From ones, the rate becomes so large that only the first point still sees it; data tell nothing about it then."""
    problem = IllConditioned("", saturating, np.linspace(0, 4, 50), (823.5, 5.3, 8.2), 0.2, ())
    y = problem.data(seed)
    for popt, errors, _ in ends(problem, y, [1, 1, 1]):
        assert popt[2] > 100
        assert np.isinf(errors[2])
        assert_right_or_open(problem, y, popt, errors)
    with pytest.warns(leastsq.OptimizeWarning, match="parameter c never changed"):
        leastsq.curve_fit(lambda x, a, b, c: problem.model(x, a, b, c), problem.x, y, [1, 1, 1])


@pytest.mark.parametrize("maxfev", [560, 600, 800])
def test_going_on_counts_against_maxfev(maxfev):
    x, y = np.arange(5.0), np.array(PARABOLAS[0], dtype=float)
    calls = 0

    def f(x, c, a, m, s):
        nonlocal calls
        calls += 1
        return on_a_constant(np, x, c, a, m, s)

    start = [255, -93, 2, 1.25]
    try:
        nfev = leastsq.curve_fit(f, x, y, start, maxfev=maxfev, full_output=True)[2]["nfev"]
    except RuntimeError as error:
        assert f"maxfev = {maxfev}" in str(error)  # noqa: PT017
        nfev = int(str(error).split("after ")[1].split()[0])
    # The start is evaluated for its shape, too.
    assert nfev <= calls <= nfev + 1
    # A fit that ends within its limit is looked at, by derivatives along each parameter, whatever is left.
    assert calls <= maxfev + 1 + 4 * len(start)


def test_an_ellipse_from_a_round_start():
    rng = np.random.default_rng(12)
    yy, xx = np.mgrid[:24, :24].astype(float)
    low, high = np.array([[10, 10, 2, 3, -1.5], [13, 13, 3, 4.5, 1.5]])
    truth = rng.uniform(low, high, (20, 5))
    images = models.gaussian_2d_elliptic((xx, yy), 4, *truth.T[:, :, None, None], 1.0)
    images += 0.05 * rng.standard_normal(images.shape)
    right = np.column_stack([np.full(20, 4.0), truth, np.ones(20)])
    best = leastsq.curve_fit_many(models.gaussian_2d_elliptic, (xx, yy), images, axis=(1, 2), p0=right)
    start = right.copy()
    start[:, 3:5], start[:, 5] = truth[:, 2:4].mean(axis=1, keepdims=True), 0
    fits = leastsq.curve_fit_many(models.gaussian_2d_elliptic, (xx, yy), images, axis=(1, 2), p0=start)
    assert fits.success.sum() >= 18
    assert np.all(fits.chisq[fits.success] < 1.05 * best.chisq[fits.success])


def test_controls_at_dose_zero():
    """Ryegrass of R's package drc: LL.4 gives b 2.98222, c 0.48141, d 7.79296, e 3.05796."""
    dose = np.repeat([0, 0.94, 1.88, 3.75, 7.5, 15, 30], [6, 3, 3, 3, 3, 3, 3])
    length = "7.58 8 8.3285714 7.25 7.375 7.9625 8.3555556 6.9142857 7.75 6.8714286 6.45 5.9222222 1.925 2.8857143 "
    length += "4.2333333 1.1875 .8571429 1.0571429 .6875 .525 .825 .25 .22 .44"
    with np.errstate(divide="ignore"):
        x = np.log10(dose)
    fits = leastsq.curve_fit_many(models.logistic4, x, np.array(length.split(), dtype=float)[None])
    assert fits.success[0]
    # As many digits as are published.
    np.testing.assert_allclose(fits.popt[0], [0.48141, 7.79296, np.log10(3.05796), -2.98222], rtol=2e-5)


def test_one_data_set_of_denormals_spares_the_others():
    x = np.linspace(0.1, 10, 30)
    y = models.power_law(x, 2.0, -1.5, 1.0) + np.zeros((20, 1))
    y[3] = 5e-324
    fits = leastsq.curve_fit_many(models.power_law, x, y)
    assert np.delete(fits.success, 3).all()
    np.testing.assert_allclose(np.delete(fits.popt, 3, axis=0), np.tile([2.0, -1.5, 1.0], (19, 1)), rtol=1e-6)


def test_nodata_values_are_no_data():
    x = np.linspace(0.1, 10, 30)
    y = 3 * np.exp(-0.5 * (x - 5) ** 2) + 0.5 + 0.01 * np.cos(25 * x)
    y[7] = -np.finfo(float).max
    fits = leastsq.curve_fit_many(models.gaussian, x, y[None], [1, 5, 1, 0])
    assert not fits.success[0]
    assert np.isnan(fits.popt[0]).all()
    assert "nodata" in fits.message(0)
    with pytest.raises(ValueError, match="nodata"):
        leastsq.curve_fit(models.gaussian, x, y, [1, 5, 1, 0])


def test_as_many_points_as_parameters_leave_no_degrees_of_freedom():
    def f(x, a, b):
        return np.exp(a * x + b)

    x, y = np.array([350.0, 380.0]), np.array([48.0, 17.0])
    fits = leastsq.curve_fit_many(f, x, y[None], [-0.01, 1])
    assert fits.success[0]
    assert "No degrees of freedom" in fits.message(0)
    assert "open" not in fits.message(0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        leastsq.curve_fit(f, x, y, [-0.01, 1])
    assert "no degrees of freedom" in str(caught[0].message)
