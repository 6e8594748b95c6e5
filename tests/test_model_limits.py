"""The compiled models where formulas have limits: at infinity, at the edge of the domain, and by symmetry."""

import functools
import warnings

import numpy as np
import pytest
from many_problems import CASE, CASES

from leastsq import curve_fit, curve_fit_many, models

INF = np.inf
# A model, a predictor, parameters; the value and the derivatives there.
LIMITS = [
    ("gaussian", INF, (3, 0.5, 2, 1), 1, [0, 0, 0, 1]),
    ("gaussian", -INF, (3, 0.5, 2, 1), 1, [0, 0, 0, 1]),
    ("lorentzian", INF, (3, 0.5, 2, 1), 1, [0, 0, 0, 1]),
    ("lorentzian", -INF, (3, 0.5, 2, 1), 1, [0, 0, 0, 1]),
    ("pseudo_voigt", INF, (3, 0.5, 2, 0.3, 1), 1, [0, 0, 0, 0, 1]),
    ("pseudo_voigt", -INF, (3, 0.5, 2, 0.3, 1), 1, [0, 0, 0, 0, 1]),
    ("exponential", INF, (3, 0.5, 1), 1, [0, 0, 1]),
    ("exponential", -INF, (3, -0.5, 1), 1, [0, 0, 1]),
    ("biexponential", INF, (3, 0.5, 2, 0.1, 1), 1, [0, 0, 0, 0, 1]),
    ("logistic4", -INF, (2, 9, 0.5, 1.2), 2, [1, 0, 0, 0]),
    ("logistic4", INF, (2, 9, 0.5, 1.2), 9, [0, 1, 0, 0]),
    ("logistic4", -INF, (2, 9, 0.5, -1.2), 9, [0, 1, 0, 0]),
    ("logistic4", INF, (2, 9, 0.5, -1.2), 2, [1, 0, 0, 0]),
    ("michaelis_menten", INF, (3, 0.5), 3, [1, 0]),
    ("michaelis_menten", 0.0, (3, 0.5), 0, [0, 0]),
    ("power_law", 0.0, (3, 0.5, 1), 1, [0, 0, 1]),
    ("power_law", INF, (3, -0.5, 1), 1, [0, 0, 1]),
    ("damped_sine", INF, (3, 0.5, 2, 0.1, 1), 1, [0, 0, 0, 0, 1]),
    ("constant", INF, (3,), 3, [1]),
    ("line", 0.0, (3, 0.5), 0.5, [0, 1]),
    ("quadratic", 0.0, (3, 0.5, 2), 2, [0, 0, 1]),
    ("voigt", INF, (3, 0.5, 2, 0.7, 1), 1, [0, 0, 0, 0, 1]),
    ("voigt", -INF, (3, 0.5, 2, 0.7, 1), 1, [0, 0, 0, 0, 1]),
    ("voigt", INF, (3, 0.5, 2, 0, 1), 1, [0, 0, 0, 0, 1]),
    ("moffat", INF, (3, 0.5, 2, 2.5, 1), 1, [0, 0, 0, 0, 1]),
    ("exponential_gaussian", INF, (3, 0.5, 2, 0.7, 1), 1, [0, 0, 0, 0, 1]),
    ("exponential_gaussian", -INF, (3, 0.5, 2, 0.7, 1), 1, [0, 0, 0, 0, 1]),
    ("exponential_gaussian", INF, (3, 0.5, 2, -0.7, 1), 1, [0, 0, 0, 0, 1]),
    ("exponential_gaussian", 0.5, (3, 0.5, 2, 0, 1), 4, [1, 0, 0, 0, 1]),
    ("stretched_exponential", 0.0, (3, 0.5, 0.8, 1), 4, [1, 0, 0, 1]),
    ("stretched_exponential", INF, (3, 0.5, 0.8, 1), 1, [0, 0, 0, 1]),
    ("inversion_recovery", INF, (3, 0.5, 1.9), 3, [1, 0, 0]),
    ("double_logistic", INF, (1, 3, 2, 5, 0.7, 0.9), 1, [1, 0, 0, 0, 0, 0]),
    ("double_logistic", -INF, (1, 3, 2, 5, 0.7, 0.9), 1, [1, 0, 0, 0, 0, 0]),
    ("logistic5", -INF, (2, 9, 0.5, 1.2, 0.7), 2, [1, 0, 0, 0, 0]),
    ("logistic5", INF, (2, 9, 0.5, 1.2, 0.7), 9, [0, 1, 0, 0, 0]),
    ("logistic5", -INF, (2, 9, 0.5, -1.2, 0.7), 9, [0, 1, 0, 0, 0]),
    ("sine", 0.0, (3, 0.5, 0, 1), 1, [0, 0, 3, 1]),
    ("harmonics", 0.0, (1, 2, 0.5, 3, 4, 5, 6), 9, [1, 0, 0, 1, 0, 1, 0]),
    ("moffat_2d", (INF, 0.0), (3, 0, 0, 2, 2.5, 1), 1, [0, 0, 0, 0, 0, 1]),
    ("gaussian_2d_pixel", (INF, 0.0), (3, 0, 0, 2, 1), 1, [0, 0, 0, 0, 1]),
    ("gaussian_2d_pixel", (-INF, INF), (3, 0, 0, 2, 1), 1, [0, 0, 0, 0, 1]),
    ("gaussian_2d", (INF, 0.0), (3, 0, 0, 2, 1), 1, [0, 0, 0, 0, 1]),
    ("gaussian_2d", (-INF, INF), (3, 0, 0, 2, 1), 1, [0, 0, 0, 0, 1]),
    ("gaussian_2d_elliptic", (INF, 0.0), (3, 0, 0, 2, 1, 0, 1), 1, [0, 0, 0, 0, 0, 0, 1]),
    ("gaussian_2d_elliptic", (-INF, INF), (3, 0, 0, 2, 1, 0.3, 1), 1, [0, 0, 0, 0, 0, 0, 1]),
]


@pytest.mark.parametrize(("name", "x", "p", "value", "slopes"), LIMITS)
def test_limits(name, x, p, value, slopes):
    model = getattr(models, name)
    # Infinity is 1e35 widths away in a Voigt profile, and no tail one of 1e-20 widths.
    close = functools.partial(np.testing.assert_allclose, rtol=4e-16, atol=5e-20)
    close(model.jac(x, *p), slopes)
    values, _ = model.evaluate_points(x, p, False)
    close(values, value)
    close(model(x, *p), value)


def test_limits_of_every_model_are_tested():
    assert {limit[0] for limit in LIMITS} == {str(case) for case in CASES}


def test_a_dose_of_zero_is_fitted():
    """Ryegrass, from the R package drc: log10(0) is minus infinity; its estimates are c, d, log10 e and -b."""
    dose = np.repeat([0, 0.94, 1.88, 3.75, 7.5, 15, 30], [6, 3, 3, 3, 3, 3, 3])
    root = [7.58, 8, 8.3285714, 7.25, 7.375, 7.9625, 8.3555556, 6.9142857, 7.75, 6.8714286, 6.45, 5.9222222]
    root += [1.925, 2.8857143, 4.2333333, 1.1875, 0.8571429, 1.0571429, 0.6875, 0.525, 0.825, 0.25, 0.22, 0.44]
    with np.errstate(divide="ignore"):
        x = np.log10(dose)
    fits = curve_fit_many(models.logistic4, x, np.array([root]))
    assert fits.success.all()
    # Estimates are published with five digits.
    np.testing.assert_allclose(fits.popt[0], [0.48141, 7.79296, np.log10(3.05796), -2.98222], rtol=1e-5)


# --- Zero by symmetry ---


@pytest.mark.parametrize("sigma", [0.7, 1.3, 3.0, 1e-7, 1.1e150])
def test_a_round_spot_has_no_direction(sigma):
    rng = np.random.default_rng(1)
    x, y = sigma * rng.standard_normal((2, 400))
    slopes = models.gaussian_2d_elliptic.jac((x, y), 4.0, 0.1 * sigma, 0.2 * sigma, sigma, sigma, 0.3, 1.0)
    np.testing.assert_array_equal(slopes[:, 5], 0)
    assert np.any(slopes[:, 3] != 0)


def test_ellipses_are_found_from_round_spots():
    """Scaled by rounding in place of zero, the angle would run away with the first step."""
    rng = np.random.default_rng(12)
    y, x = np.mgrid[:32, :32].astype(float)
    draw = [rng.uniform(low, high, (40, 1, 1)) for low, high in ((13, 18), (13, 18), (2, 3), (3, 4.5), (-1.5, 1.5))]
    images = models.gaussian_2d_elliptic((x, y), 4, *draw, 1.0) + 0.05 * rng.normal(size=(40, 32, 32))
    best = curve_fit_many(models.gaussian_2d_elliptic, (x, y), images, axis=(1, 2))
    spots = curve_fit_many(models.gaussian_2d, (x, y), images, axis=(1, 2)).popt
    start = np.c_[spots[:, :4], spots[:, 3], np.zeros(40), spots[:, 4]]
    fits = curve_fit_many(models.gaussian_2d_elliptic, (x, y), images, axis=(1, 2), p0=start)
    assert fits.success.all()
    np.testing.assert_allclose(fits.chisq, best.chisq, rtol=1e-6)


@pytest.mark.parametrize(
    "case", [case for case in CASES if {"amplitude", "offset"} <= {*case.model.param_names}], ids=str
)
def test_a_peak_without_height_moves_nothing(case):
    """But for its height and what it stands on."""
    p = dict(zip(case.model.param_names, case.truth(np.random.default_rng(2), 1)[0], strict=True))
    p["amplitude"] = 0.0
    slopes = case.model.jac(case.x, *p.values())
    for name, column in zip(p, slopes.T, strict=True):
        assert np.any(column != 0) == (name in ("amplitude", "offset")), name


def test_a_flat_curve_has_no_midpoint():
    slopes = models.logistic4.jac(np.linspace(-3, 3, 40), 2.0, 2.0, 0.1, 1.3)
    np.testing.assert_array_equal(slopes[:, 2:], 0)
    level = models.logistic4.jac(np.linspace(-3, 3, 40), 2.0, 3.0, 0.1, 0.0)
    np.testing.assert_array_equal(level[:, 2], 0)


@pytest.mark.parametrize("z", [0.0, 1e-9, 1e-6, 1e-3, 0.3, 0.99, 1.01, 5.0, 40.0])
def test_the_two_shapes_of_a_pseudo_voigt_differ_with_all_digits(z):
    """Near the centre, both are 1, and their difference is of the order of z**2."""
    half = np.longdouble(z) ** 2 / 2
    exact = -half / (np.log(np.longdouble(2)) + half) - np.expm1(-half)
    np.testing.assert_allclose(
        models.pseudo_voigt.jac(z, 2.0, 0.0, 1.0, 0.4, 1.0)[3], float(2 * exact), rtol=4e-15, atol=0
    )


def test_what_is_zero_is_scaled_by_one():
    """MINPACK's D is 1 where a column is zero: the parameter stays until others make it count."""
    case = CASE["gaussian_2d_elliptic"]
    y = case.model(case.x, 4.0, 4.2, 3.9, 2.2, 1.2, 0.7, 0.5) + 0.02 * np.cos(7 * np.arange(case.m))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        popt, _ = curve_fit(case.model, case.x, y, p0=[3, 4, 4, 1.7, 1.7, 0, 0])
    np.testing.assert_allclose(np.abs(np.sin(popt[5] - 0.7)), 0, atol=0.05)
