"""Profiles of costs other than sums of squares, against constrained minima of SciPy's; and bounds that results keep."""

import io

import numpy as np
import pytest
import scipy.optimize
import scipy.stats

from leastsq import ManyFits, curve_fit_many, models

DOSE = np.array([0.1, 0.2, 0.3, 0.6, 1.0, 1.5, 2.0, 3.0])
LOSSES = {
    "soft_l1": lambda z: 2 * (np.sqrt(1 + z) - 1),
    "huber": lambda z: np.where(z <= 1, z, 2 * np.sqrt(z) - 1),
    "cauchy": np.log1p,
    "arctan": np.arctan,
}
TIGHT = {"ftol": 1e-13, "xtol": 1e-13}


def rate(x, vmax, km):
    return vmax * x / (km + x)


def outlying(count=3):
    """Make data sets with an outlier each."""
    rng = np.random.default_rng(11)
    y = rate(DOSE, 2.0, 1.0) + 0.04 * rng.standard_normal((count, DOSE.size))
    y[np.arange(count), 3 + np.arange(count)] += 0.3
    return y


def end_of(cost, popt, j, rise, sign):
    """Return where the cost, minimised over the other parameter, has risen so much, by Brent's methods."""
    other = popt[1 - j]

    def profile(value):
        def along(free):
            return cost(*((value, free) if j == 0 else (free, value)))

        return scipy.optimize.minimize_scalar(along, bracket=(other, 1.01 * other), options={"xtol": 1e-12}).fun

    least, far = cost(*popt), popt[j] + sign * 0.01
    while profile(far) - least < rise:
        far += sign * 0.05 * abs(popt[j])
    return scipy.optimize.brentq(lambda value: profile(value) - least - rise, popt[j], far, xtol=1e-12)


def own_loss(z):
    root = np.sqrt(1 + z)
    return np.array([2 * (root - 1), 1 / root, -0.5 / root**3])


@pytest.mark.parametrize("f", [models.michaelis_menten, rate], ids=["compiled", "numpy"])
@pytest.mark.parametrize("loss", [*LOSSES, own_loss], ids=str)
def test_profiles_of_robust_costs_are_those_of_constrained_minima(f, loss):
    y, scale = outlying(), 0.06
    fits = curve_fit_many(f, DOSE, y, [2, 1], loss=loss, f_scale=scale, **TIGHT)
    t = scipy.stats.t.ppf(0.5 + 0.7 / 2, DOSE.size - 2)
    rho = LOSSES["soft_l1" if loss is own_loss else loss]
    for j, name in enumerate(("vmax", "km")):
        found = fits.profile(..., name, DOSE, y, level=0.7)
        for i in range(3):

            def cost(vmax, km, i=i):
                return scale**2 * np.sum(rho(((rate(DOSE, vmax, km) - y[i]) / scale) ** 2))

            assert cost(*fits.popt[i]) == pytest.approx(fits.chisq[i], rel=1e-9)
            rise = t**2 * fits.chisq[i] / (DOSE.size - 2)
            wanted = [end_of(cost, fits.popt[i], j, rise, sign) for sign in (-1, 1)]
            # The rise is met to 2e-5, and where differences are made, minima are as exact as those.
            np.testing.assert_allclose([found.lower[i], found.upper[i]], wanted, rtol=1e-4)


def test_known_errors_and_missing_points():
    y = outlying()
    y[:, 1] = np.nan
    fits = curve_fit_many(
        models.michaelis_menten, DOSE, y, sigma=0.04, absolute_sigma=True, loss="cauchy", f_scale=2.0, **TIGHT
    )
    there = ~np.isnan(y[0])
    z = scipy.stats.norm.ppf(0.975)

    def cost(vmax, km):
        return 4 * np.sum(np.log1p(((rate(DOSE, vmax, km) - y[0])[there] / 0.08) ** 2))

    wanted = [end_of(cost, fits.popt[0], 1, z**2, sign) for sign in (-1, 1)]
    found = fits.profile(0, "km", DOSE, y, 0.04)
    np.testing.assert_allclose([found.lower, found.upper], wanted, rtol=5e-5)


def test_a_loss_that_levels_off_leaves_no_end():
    """No more than pi/2 for each point: no value of the parameter costs what a level so near to one asks for."""
    y = outlying(1)
    fits = curve_fit_many(
        models.michaelis_menten, DOSE, y, sigma=0.04, absolute_sigma=True, loss="arctan", f_scale=1.0, **TIGHT
    )
    found = fits.profile(0, "vmax", DOSE, y, 0.04, level=1 - 1e-9)
    assert found.upper == np.inf


# --- Counts ---


def decay(t, amplitude, rate):
    return amplitude * np.exp(-rate * t)


T = np.linspace(0, 3, 12)


def deviance(y, mean):
    return 2 * np.sum(mean - y + np.where(y > 0, y * np.log(np.where(y > 0, y, 1) / mean), 0))


@pytest.mark.parametrize("options", [{}, {"jac": True}, {"vectorized": False}], ids=str)
def test_profiles_of_counts_are_likelihood_ratios(options):
    rng = np.random.default_rng(4)
    y = rng.poisson(decay(T, 6.0, 0.9), (3, 12))
    if options.get("jac"):
        options = {
            "jac": lambda t, a, k: np.stack(np.broadcast_arrays(np.exp(-k * t), -a * t * np.exp(-k * t)), axis=-1)
        }
    fits = curve_fit_many(decay, T, y, [5, 1], loss="poisson", **options, **TIGHT)
    z = scipy.stats.norm.ppf(0.95)
    for j, name in enumerate(("amplitude", "rate")):
        found = fits.profile(..., name, T, y, level=0.9)
        for i in range(3):

            def cost(a, k, i=i):
                return deviance(y[i], decay(T, a, k)) if a > 0 else np.inf

            assert cost(*fits.popt[i]) == pytest.approx(fits.chisq[i], rel=1e-9)
            wanted = [end_of(cost, fits.popt[i], j, z**2, sign) for sign in (-1, 1)]
            np.testing.assert_allclose([found.lower[i], found.upper[i]], wanted, rtol=1e-4)


def test_the_interval_of_a_mean_count_is_the_one_in_textbooks():
    """2 M (mu - mean log mu) has risen by z**2 at both ends; of no counts at all, the lower end is the bound."""
    y = np.array([[3, 0, 2, 4, 1], [0, 0, 0, 0, 0]])
    fits = curve_fit_many(
        lambda x, mu: mu + 0 * x, np.arange(5.0), y, [1.0], bounds={"mu": (0, 100)}, loss="poisson", **TIGHT
    )
    found = fits.profile(0, "mu", np.arange(5.0), y, level=0.95)
    z2 = scipy.stats.norm.ppf(0.975) ** 2

    def rise(mu):
        return 10 * (mu - 2 - 2 * np.log(mu / 2)) - z2

    wanted = scipy.optimize.brentq(rise, 0.1, 2), scipy.optimize.brentq(rise, 2, 9)
    np.testing.assert_allclose([found.lower, found.upper], wanted, rtol=1e-4)


def test_profiles_of_few_counts_cover():
    """Of 600 intervals with level 0.9, the share is off by 0.05 once in ten thousand times."""
    rng = np.random.default_rng(9)
    y = rng.poisson(models.exponential(T, 5.0, 1.0, 0.0), (600, 12))
    fits = curve_fit_many(models.exponential.fix(offset=0.0), T, y, [5.0, 1.0], loss="poisson")
    found = fits.profile(..., "rate", T, y, level=0.9)
    good = ~np.isnan(found.lower)
    assert good.mean() > 0.98
    assert np.mean(((found.lower < 1) & (found.upper > 1))[good]) == pytest.approx(0.9, abs=0.05)
    # They reach further up than down, as the likelihood does.
    assert np.mean((found.upper - found.value > found.value - found.lower)[good]) > 0.95


# --- Sandwiches ---


@pytest.mark.parametrize("sigma", [None, 0.2])
def test_of_linear_models_sandwiches_are_the_intervals_of_linear_theory(sigma):
    x = np.linspace(0, 5, 30)
    y = 2 * x + 1 + (0.1 + 0.1 * x) * np.random.default_rng(4).standard_normal((3, 30))
    fits = curve_fit_many(models.line, x, y, sigma=sigma, absolute_sigma=sigma is not None, covariance="sandwich")
    plain = curve_fit_many(models.line, x, y, sigma=sigma, absolute_sigma=sigma is not None)
    assert np.abs(fits.stderr / plain.stderr - 1).max() > 0.3
    lower, upper = fits.conf_interval(0.9)
    for j, name in enumerate(("slope", "intercept")):
        found = fits.profile(..., name, x, y, sigma, level=0.9)
        np.testing.assert_allclose(found.lower, lower[:, j], rtol=1e-4)
        np.testing.assert_allclose(found.upper, upper[:, j], rtol=1e-4)


def test_with_outliers_profiles_corrected_by_the_sandwich_cover():
    """Of 600 intervals with level 0.9, the share is off by 0.05 once in ten thousand times; without they are wide."""
    rng = np.random.default_rng(3)
    t = np.linspace(0, 4, 60)
    y = models.exponential(t, 3.0, 1.0, 0.5) + 0.1 * rng.standard_normal((600, 60))
    y += (rng.random(y.shape) < 0.1) * rng.normal(0, 1.5, y.shape)
    shares = []
    for covariance in ("sandwich", "curvature"):
        fits = curve_fit_many(models.exponential, t, y, loss="soft_l1", f_scale=0.15, covariance=covariance)
        found = fits.profile(..., "rate", t, y, level=0.9)
        assert np.isfinite(found.lower).mean() > 0.99
        shares.append(np.mean((found.lower < 1) & (found.upper > 1)))
    assert shares[0] == pytest.approx(0.9, abs=0.05)
    assert shares[1] > 0.97


# --- Bounds that results keep ---


def bounded(count=6):
    rng = np.random.default_rng(1)
    y = rate(DOSE, 2.0, 1.0) + 0.06 * rng.standard_normal((count, DOSE.size))
    upper = np.full((count, 2), np.inf)
    upper[:, 1] = np.linspace(0.95, 1.3, count)
    return y, ([0, 0.85], upper)


def test_results_keep_their_bounds():
    y, bounds = bounded()
    fits = curve_fit_many(models.michaelis_menten, DOSE, y, bounds=bounds)
    np.testing.assert_array_equal(fits.bounds.lower, np.broadcast_to(bounds[0], (6, 2)))
    np.testing.assert_array_equal(fits.bounds.upper, bounds[1])
    np.testing.assert_array_equal(fits[2].bounds.upper, bounds[1][2])
    np.testing.assert_array_equal(fits[fits["km"] < 1].bounds.upper, bounds[1][fits["km"] < 1])
    np.testing.assert_array_equal(fits[1:][..., 2].bounds.upper, bounds[1][3])
    assert not fits.bounds.upper.flags.writeable
    shared = curve_fit_many(models.michaelis_menten, DOSE, y, bounds={"km": (0, 1)})
    assert shared.bounds.lower.tolist() == shared[3].bounds.lower.tolist() == [-np.inf, 0]
    assert curve_fit_many(models.michaelis_menten, DOSE, y).bounds is None
    whole = fits.profile(..., "km", DOSE, y)
    assert whole.on_bound.any()
    for i in (0, 4):
        np.testing.assert_array_equal(fits[i].profile((), "km", DOSE, y[i]), np.array(whole)[:, i])


def test_joined_and_saved_results_keep_them_too():
    y, bounds = bounded()
    fits = curve_fit_many(models.michaelis_menten, DOSE, y, bounds=bounds)
    parts = [
        curve_fit_many(models.michaelis_menten, DOSE, y[s], bounds=(bounds[0], bounds[1][s]))
        for s in (slice(3), slice(3, 6))
    ]
    joined = ManyFits.concatenate(parts)
    np.testing.assert_array_equal(joined.bounds, fits.bounds)
    file = io.BytesIO()
    fits.save(file)
    file.seek(0)
    again = ManyFits.load(file)
    np.testing.assert_array_equal(again.bounds, fits.bounds)
    expected = fits.profile(..., "km", DOSE, y)
    for other in (joined, again):
        np.testing.assert_array_equal(other.profile(..., "km", DOSE, y), expected)
    shared = {"km": (0, 1.1)}
    one, two = (curve_fit_many(models.michaelis_menten, DOSE, y[s], bounds=shared) for s in (slice(3), slice(3, 6)))
    assert ManyFits.concatenate([one, two]).bounds.upper.tolist() == [np.inf, 1.1]
    free = curve_fit_many(models.michaelis_menten, DOSE, y[3:])
    assert ManyFits.concatenate([one, free]).bounds.upper[:, 1].tolist() == [1.1] * 3 + [np.inf] * 3
    assert ManyFits.concatenate([free, free]).bounds is None


def test_bounds_that_were_dask_arrays_are_given_again():
    array = pytest.importorskip("dask.array")
    y, bounds = bounded()
    lazy = array.from_array(y, chunks=(2, 8))
    shared = curve_fit_many(models.michaelis_menten, DOSE, lazy, bounds={"km": (0, 1.1)}).compute()
    assert shared.bounds.upper.tolist() == [np.inf, 1.1]
    upper = array.from_array(bounds[1], chunks=(2, 2))
    fits = curve_fit_many(models.michaelis_menten, DOSE, lazy, bounds=(np.array(bounds[0]), upper)).compute()
    assert fits.bounds is None
    with pytest.raises(ValueError, match="had bounds that were dask arrays; give those of the call again"):
        fits.profile(0, "km", DOSE, y)
    assert ManyFits.concatenate([fits[:2], fits[2:]]).bounds is None
    expected = curve_fit_many(models.michaelis_menten, DOSE, y, bounds=bounds).profile(..., "km", DOSE, y)
    np.testing.assert_allclose(fits.profile(..., "km", DOSE, y, bounds=bounds), expected, rtol=1e-12)


def test_profiles_with_a_loss_and_bounds_and_fixed_parameters():
    y = outlying(3)
    given = {"bounds": {"vmax": (0, 2.1)}, "loss": "soft_l1", "f_scale": 0.05, **TIGHT}
    fits = curve_fit_many(lambda x, vmax, km, n: rate(x**n, vmax, km), DOSE, y, [2, 1, 1], fixed={"n": 1.0}, **given)
    alone = curve_fit_many(rate, DOSE, y, [2, 1], **given)
    np.testing.assert_allclose(fits.popt[:, :2], alone.popt, rtol=1e-6)
    found, expected = (one.profile(..., "vmax", DOSE, y, level=0.9) for one in (fits, alone))
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    np.testing.assert_array_equal(found.on_bound, expected.on_bound)
    assert found.on_bound[1].any()
