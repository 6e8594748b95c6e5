"""Data given again: residuals, and intervals by profile likelihood, checked by refits of SciPy's and by simulation."""

import dataclasses

import numpy as np
import pytest
import scipy.optimize
import scipy.stats

from leastsq import curve_fit_many, models, native

DOSE = np.array([0.1, 0.3, 0.6, 1.0, 2.0, 3.0])


def rate(x, vmax, km):
    return vmax * x / (km + x)


def make(count=5, seed=1, noise=0.05, f=models.michaelis_menten, **options):
    rng = np.random.default_rng(seed)
    y = rate(DOSE, 2.0, 1.0) + noise * rng.standard_normal((count, DOSE.size))
    p0 = None if f is models.michaelis_menten else [2, 1]
    return y, curve_fit_many(f, DOSE, y, p0, ftol=1e-12, xtol=1e-12, **options)


# --- Residuals ---


def test_residuals_are_those_of_the_fit():
    y, fits = make()
    rest = fits.residuals(DOSE, y)
    np.testing.assert_allclose(rest, y - fits.predict(DOSE), rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(np.sum(rest**2, axis=1), fits.chisq, rtol=1e-10)
    np.testing.assert_array_equal(fits[2].residuals(DOSE, y[2]), rest[2])
    np.testing.assert_array_equal(fits[1:3].residuals(DOSE, y[1:3]), rest[1:3])


def test_residuals_in_any_layout():
    rng = np.random.default_rng(2)
    y = rate(DOSE[:, None], rng.uniform(1, 3, (4, 1, 3)), 1.0) + 0.01 * rng.standard_normal((4, 6, 3))
    y[1, 2, 0] = np.nan
    sigma = rng.uniform(0.5, 2, (4, 6, 3))
    fits = curve_fit_many(models.michaelis_menten, DOSE, np.ma.masked_greater(y, 2.2), sigma=sigma, axis=1)
    rest = fits.residuals(DOSE, np.ma.masked_greater(y, 2.2), sigma, axis=1)
    assert rest.shape == y.shape
    np.testing.assert_array_equal(np.isnan(rest), np.isnan(y) | (y > 2.2))
    np.testing.assert_allclose(np.nansum(rest**2, axis=1), fits.chisq, rtol=1e-9)


def test_residuals_of_images():
    grid = np.mgrid[:9, :11].astype(float)
    image = models.gaussian_2d(tuple(grid), 3.0, 4.0, 5.0, 1.5, 0.2)
    fits = curve_fit_many(models.gaussian_2d, tuple(grid), np.stack([image, 2 * image]), axis=(1, 2))
    assert fits.residuals(tuple(grid), np.stack([image, 2 * image]), axis=(1, 2)) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("vectorized", [True, False])
def test_residuals_of_tables(vectorized):
    rng = np.random.default_rng(3)
    label = rng.choice(["c", "a", "b"], 60)
    x, sigma = rng.uniform(0, 3, 60), rng.uniform(0.5, 2, 60)
    y = rate(x, 2.0, 1.0) + 0.05 * rng.standard_normal(60)
    y[7] = np.nan
    fits = curve_fit_many(rate, x, y, [1, 1], sigma, groups=label, vectorized=vectorized)
    rest = fits.residuals(x, y, sigma, groups=label)
    for i, name in enumerate("abc"):
        assert np.nansum(rest[label == name] ** 2) == pytest.approx(fits.chisq[i], rel=1e-9)
        one = label == name
        np.testing.assert_allclose(fits[i].residuals(x[one], y[one], sigma[one]), rest[one], rtol=1e-12)
    assert np.flatnonzero(np.isnan(rest)).tolist() == [7]
    with pytest.raises(ValueError, match="give the groups or lengths"):
        fits.residuals(x, y)
    with pytest.raises(ValueError, match="3 labels are not those of the result"):
        fits.residuals(x, y, groups=np.where(label == "c", "d", label))


def test_deviations_of_residuals_are_positive():
    y, fits = make(sigma=np.ones((5, 1)))
    with pytest.raises(ValueError, match="sigma must be positive, and more than tiny: 6 of 6 standard deviations"):
        fits.residuals(DOSE, y, sigma=0.0)
    rest = fits.residuals(DOSE, y, sigma=np.arange(5)[:, None])
    assert np.isnan(rest[0]).all()
    assert np.isfinite(rest[1:]).all()


def test_residuals_of_other_data_are_refused():
    y, fits = make()
    with pytest.raises(
        ValueError, match=r"for fits of shape \(\), the result has shape \(5,\)|broadcast|not for one set"
    ):
        fits.residuals(DOSE, y[:3])
    with pytest.raises(ValueError, match=r"fits of shape \(5,\), the result has shape \(\)"):
        fits[0].residuals(DOSE, y)


# --- Profiles ---


def test_profiles_of_linear_models_are_the_intervals_of_linear_theory():
    x = np.linspace(0, 5, 12)
    y = 2 * x + 1 + 0.3 * np.random.default_rng(4).standard_normal((3, 12))
    fits = curve_fit_many(lambda x, a, b: a * x + b, x, y, [1, 1])
    for level in (0.5, 0.99):
        bounds = fits.conf_interval(level)
        for j, name in enumerate(("a", "b")):
            value, lower, upper = fits.profile(..., name, x, y, level=level)
            np.testing.assert_array_equal(value, fits[name])
            # The bounds are met to 1e-5 of the interval.
            np.testing.assert_allclose(lower, bounds[0][:, j], rtol=2e-5)
            np.testing.assert_allclose(upper, bounds[1][:, j], rtol=2e-5)


def by_scipy(y, popt, j, level, sign, known=None):
    """Return a bound by Brent's method over fits of SciPy's."""
    least = np.sum((rate(DOSE, *popt) - y) ** 2)
    variance = least / (DOSE.size - 2) if known is None else known**2
    t = scipy.stats.t.ppf(0.5 + level / 2, DOSE.size - 2) if known is None else scipy.stats.norm.ppf(0.5 + level / 2)

    def excess(value):
        fit = scipy.optimize.least_squares(
            lambda p: rate(DOSE, *np.insert(p, j, value)) - y, np.delete(popt, j), xtol=1e-14, ftol=1e-14, gtol=None
        )
        return 2 * fit.cost - least - t**2 * variance

    far = popt[j] + sign * 0.01
    while excess(far) < 0:
        far += sign * 0.1
    return scipy.optimize.brentq(excess, popt[j], far, xtol=1e-12)


KINDS = {
    "compiled": {},
    "numpy": {"f": rate},
    "jac": {"f": rate, "jac": models.michaelis_menten.jac},
    "singly": {"f": lambda x, vmax, km: rate(x, float(vmax), float(km)), "vectorized": False},
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_profiles_are_those_of_refits(kind):
    y, fits = make(3, noise=0.03, **KINDS[kind])
    for j, name in enumerate(("vmax", "km")):
        found = fits.profile(..., name, DOSE, y, level=0.8)
        for i in range(3):
            wanted = [by_scipy(y[i], fits.popt[i], j, 0.8, sign) for sign in (-1, 1)]
            np.testing.assert_allclose([found.lower[i], found.upper[i]], wanted, rtol=3e-5)


def test_profiles_with_known_errors_and_of_one_fit():
    y, fits = make(2, noise=0.03, sigma=0.03, absolute_sigma=True)
    wanted = [by_scipy(y[1], fits.popt[1], 1, 0.95, sign, known=0.03) for sign in (-1, 1)]
    for found in (
        fits.profile(1, "km", DOSE, y, 0.03),
        fits[1].profile((), "km", DOSE, y[1], 0.03),
        fits.profile(slice(1, 2), "km", DOSE, y, 0.03),
    ):
        np.testing.assert_allclose([found.lower.item(), found.upper.item()], wanted, rtol=3e-5)


@pytest.mark.slow
def test_profiles_of_native_models():
    pytest.importorskip("numba")
    model = native.jit(lambda x, vmax, km: vmax * x / (km + x))
    y, fits = make(2)
    other = dataclasses.replace(fits, problem=dataclasses.replace(fits.problem, f=model, jac=model.jac))
    np.testing.assert_allclose(other.profile(..., "km", DOSE, y), fits.profile(..., "km", DOSE, y), rtol=1e-4)


# --- Profiles within bounds ---


BOX = {"vmax": (1.8, 2.1), "km": (0.85, 1.3)}


def bounded_by_scipy(y, popt, j, bound, level):
    """Return the end of an interval by Brent's method over bounded fits of SciPy's; the bound if that is met first."""
    lower, upper = np.array(list(BOX.values())).T
    other = slice(1 - j, 2 - j)

    def excess(value):
        fit = scipy.optimize.least_squares(
            lambda p: rate(DOSE, *np.insert(p, j, value)) - y,
            np.clip(popt[other], lower[other] + 1e-6, upper[other] - 1e-6),
            bounds=(lower[other], upper[other]),
            xtol=1e-15,
            ftol=1e-15,
            gtol=1e-15,
        )
        return 2 * fit.cost - least * (1 + t**2 / (DOSE.size - 2))

    least = np.sum((rate(DOSE, *popt) - y) ** 2)
    t = scipy.stats.t.ppf(0.5 + level / 2, DOSE.size - 2)
    return bound if excess(bound) <= 0 else scipy.optimize.brentq(excess, popt[j], bound, xtol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_profiles_within_bounds_are_those_of_bounded_refits(kind):
    """No parameter leaves the box, neither that of the interval nor the others; solutions on bounds are among them."""
    y, fits = make(6, noise=0.06, bounds=BOX, **KINDS[kind])
    assert fits.active_mask.any()
    on_bound = []
    for j, (name, bounds) in enumerate(BOX.items()):
        found = fits.profile(..., name, DOSE, y, level=0.6)
        for i in range(6):
            wanted = [bounded_by_scipy(y[i], fits.popt[i], j, bound, 0.6) for bound in bounds]
            # SciPy's solutions stay a little off the bounds.
            np.testing.assert_allclose([found.lower[i], found.upper[i]], wanted, rtol=1e-4)
        np.testing.assert_array_equal(found.on_bound, [found.lower == bounds[0], found.upper == bounds[1]])
        on_bound.append(found.on_bound)
    assert 0 < np.mean(on_bound) < 1


def test_profiles_evaluate_nothing_outside_of_the_box():
    seen = []

    def watched(x, vmax, km):
        seen.append((np.min(vmax), np.max(vmax), np.min(km), np.max(km)))
        return rate(x, vmax, km)

    y, fits = make(6, noise=0.06, f=watched, bounds=BOX)
    seen.clear()
    fits.profile(..., "km", DOSE, y)
    least, most = np.min(seen, axis=0), np.max(seen, axis=0)
    assert least[0] >= 1.8
    assert most[1] <= 2.1
    assert least[2] >= 0.85
    assert most[3] <= 1.3


def test_profiles_leave_fixed_parameters_where_they_are():
    y, fits = make(4, noise=0.06, f=rate, fixed={"km": np.array([0.9, 1.0, 1.1, 1.2])})
    found = fits.profile(..., "vmax", DOSE, y)
    lower, upper = fits.conf_interval()
    np.testing.assert_allclose(found.lower, lower[:, 0], rtol=2e-5)  # the model is linear in vmax
    np.testing.assert_allclose(found.upper, upper[:, 0], rtol=2e-5)
    assert not found.on_bound.any()
    with pytest.raises(ValueError, match="km is fixed: it has no interval"):
        fits.profile(0, "km", DOSE, y)
    y, fits = make(4, noise=0.06, f=rate, bounds={"km": (1.0, np.array([1.0, 2.0, 2.0, 1.0]))})
    found = fits.profile(..., "km", DOSE, y)
    assert found.lower[[0, 3]].tolist() == found.upper[[0, 3]].tolist() == [1, 1]
    assert found.on_bound[:, [0, 3]].all()
    assert (found.upper[1:3] > found.value[1:3]).all()


def test_profiles_of_what_the_data_leave_open_end_where_bounds_say_so():
    """Only the product is determined; it is one, and its factors are at most two."""
    y = DOSE + 0.01 * np.cos(9 * DOSE)
    box = {"a": (0, 2), "b": (0, 2)}
    fits = curve_fit_many(lambda x, a, b: a * b * x, DOSE, y, [1, 1], bounds=box)
    assert np.isinf(fits.stderr).all()
    found = fits.profile((), "a", DOSE, y)
    product = np.prod(fits.popt)
    spread = scipy.stats.t.ppf(0.975, 5) * np.sqrt(fits.chisq / 5 / np.sum(DOSE**2))
    assert found.upper == 2
    assert found.on_bound.tolist() == [False, True]
    assert found.lower == pytest.approx((product - spread) / 2, rel=1e-4)


def test_profiles_with_other_bounds_are_refused():
    y, fits = make(3, noise=0.06, bounds=BOX)
    np.testing.assert_array_equal(fits.profile(0, "km", DOSE, y), fits.profile(0, "km", DOSE, y, bounds=BOX))
    _, plain = make(3, noise=0.06)
    with pytest.raises(ValueError, match="the fits had none, and here are some; leave them out"):
        plain.profile(0, "km", DOSE, y, bounds=BOX)
    with pytest.raises(ValueError, match="bounds are not those of the fits"):
        fits.profile(0, "km", DOSE, y, bounds={"km": (fits["km"][0], 2)})
    with pytest.raises(ValueError, match=r"bounds have shape \(5, 2\), which is not that of fits of shape \(3,\)"):
        fits.profile(0, "km", DOSE, y, bounds={"km": (0.5, np.ones(5))})


def test_profiles_of_complex_data():
    rng = np.random.default_rng(8)
    z = (DOSE * 2 + 1j * 3) / (1 + 1j * DOSE) + 0.1 * (rng.standard_normal((2, 6)) + 1j * rng.standard_normal((2, 6)))

    def line(x, a, b):
        return (a * x + 1j * b) / (1 + 1j * x)

    fits = curve_fit_many(line, DOSE, z, [1, 1])
    found = fits.profile(..., "a", DOSE, z)
    lower, upper = fits.conf_interval()  # the model is linear
    np.testing.assert_allclose(found.lower, lower[:, 0], rtol=2e-5)
    np.testing.assert_allclose(found.upper, upper[:, 0], rtol=2e-5)


def test_profiles_of_tables():
    y, fits = make(3)
    order = np.random.default_rng(5).permutation(18)
    label = np.repeat(["a", "b", "c"], 6)[order]
    x, column = np.tile(DOSE, 3)[order], y.ravel()[order]
    table = curve_fit_many(models.michaelis_menten, x, column, groups=label, ftol=1e-12, xtol=1e-12)
    wanted = fits.profile(1, "km", DOSE, y)
    np.testing.assert_allclose(table.profile("b", "km", x, column, groups=label), wanted, rtol=3e-5)
    short = column.copy()
    short[np.flatnonzero(label == "c")[:2]] = np.nan
    table = curve_fit_many(models.michaelis_menten, x, short, groups=label, ftol=1e-12, xtol=1e-12)
    np.testing.assert_allclose(table.profile([1, 0], "km", x, short, groups=label)[1][0], wanted.lower, rtol=3e-5)


def test_profiles_of_a_model_of_one_parameter():
    x = np.linspace(0.1, 3, 20)
    y = np.exp(-0.7 * x) + 0.01 * np.cos(20 * x)
    fits = curve_fit_many(lambda x, k: np.exp(-k * x), x, y, [1.0])
    found = fits.profile((), "k", x, y)
    t2 = scipy.stats.t.ppf(0.975, 19) ** 2
    for bound in found[1:]:
        cost = np.sum((np.exp(-bound * x) - y) ** 2)
        assert cost == pytest.approx(float(fits.chisq) * (1 + t2 / 19), rel=1e-4)


def test_bounds_that_are_not_there():
    """So noisy that the data bound the Michaelis constant on one side alone."""
    y = np.array([[0.1, 0.3, 0.4, 0.8, 1.2, 1.7], [np.nan] * 6])
    fits = curve_fit_many(models.michaelis_menten, DOSE, y, [5, 3])
    _, lower, upper = fits.profile(..., "km", DOSE, y, level=0.99)
    assert upper[0] == np.inf
    assert np.isfinite(lower[0])
    assert np.isnan([lower[1], upper[1]]).all()
    far = {"km": (0, 1e9)}
    bounded = curve_fit_many(models.michaelis_menten, DOSE, y[0], [5, 3], bounds=far)
    found = bounded.profile((), "km", DOSE, y[0], level=0.99)
    assert found.upper == 1e9  # the bound, however far
    assert found.lower == pytest.approx(lower[0], rel=3e-5)
    assert found.on_bound.tolist() == [False, True]
    left = curve_fit_many(lambda x, a, b: a * b * x, DOSE, DOSE + 0.1 * np.cos(9 * DOSE), [1, 1])
    assert left.profile((), "a", DOSE, DOSE + 0.1 * np.cos(9 * DOSE))[1:] == (-np.inf, np.inf)


def test_profiles_show_that_a_fit_was_not_the_least():
    x = np.linspace(0, 10, 40)
    y = np.sin(2 * x) + 0.01 * np.cos(31 * x)
    fits = curve_fit_many(lambda x, a, w: a * np.sin(w * x), x, y, [0.5, 0.9])
    assert fits.redchi > 0.1  # another minimum
    assert np.isnan(fits.profile((), "w", x, y, level=0.999999)[1:]).any()


def test_profiles_of_other_data_are_refused():
    y, fits = make(sigma=0.1)
    with pytest.raises(ValueError, match="the data are not those that were fitted"):
        fits.profile(0, "km", DOSE, y)
    with pytest.raises(KeyError, match="'k': expected one of vmax, km"):
        fits.profile(0, "k", DOSE, y, 0.1)
    with pytest.raises(IndexError):
        fits.profile(9, "km", DOSE, y, 0.1)


def test_profiles_cover():
    """Of 1500 intervals with level 0.9, the share is off by 0.03 once in ten thousand times; linear ones are off."""
    y, fits = make(1500, seed=7, noise=0.15, f=rate)
    _, lower, upper = fits.profile(..., "km", DOSE, y, level=0.9)
    good = ~np.isnan(lower)
    assert good.mean() > 0.98
    assert np.mean(((lower < 1) & (upper > 1))[good]) == pytest.approx(0.9, abs=0.03)
    below, above = (bound[:, 1] for bound in fits.conf_interval(0.9))
    too_low, too_high = np.mean(upper[good] < 1), np.mean(lower[good] > 1)
    assert abs(too_low - too_high) < 0.03  # and misses as often on either side
    assert np.mean(above < 1) > 3 * np.mean(below > 1)
