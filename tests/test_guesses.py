"""Start values for the models: fits from them end where fits from the true parameters do."""

import inspect
import warnings
from typing import NamedTuple

import numpy as np
import pytest

from leastsq import OptimizeWarning, curve_fit, models
from leastsq._guesses import guesses, lines, more_guesses

NOISE = 0.05  # in units of the amplitude

# --- The models, in plain NumPy ---


def gaussian(x, amplitude, center, sigma, offset):
    return amplitude * np.exp(-((x - center) ** 2) / (2 * sigma**2)) + offset


def lorentzian(x, amplitude, center, gamma, offset):
    return amplitude * gamma**2 / ((x - center) ** 2 + gamma**2) + offset


def pseudo_voigt(x, amplitude, center, sigma, fraction, offset):
    gamma = sigma * np.sqrt(2 * np.log(2))
    return (1 - fraction) * gaussian(x, amplitude, center, sigma, 0) + lorentzian(
        x, fraction * amplitude, center, gamma, offset
    )


def exponential(x, amplitude, rate, offset):
    return amplitude * np.exp(-rate * x) + offset


def biexponential(x, amplitude1, rate1, amplitude2, rate2, offset):
    return amplitude1 * np.exp(-rate1 * x) + amplitude2 * np.exp(-rate2 * x) + offset


def logistic4(x, bottom, top, log_ec50, hill):
    return bottom + (top - bottom) / (1 + 10 ** ((log_ec50 - x) * hill))


def michaelis_menten(x, vmax, km):
    return vmax * x / (km + x)


def power_law(x, amplitude, exponent, offset):
    return amplitude * x**exponent + offset


def damped_sine(x, amplitude, rate, frequency, phase, offset):
    return amplitude * np.exp(-rate * x) * np.sin(2 * np.pi * frequency * x + phase) + offset


def gaussian_2d(xy, amplitude, x0, y0, sigma, offset):
    return gaussian_2d_elliptic(xy, amplitude, x0, y0, sigma, sigma, 0, offset)


def gaussian_2d_elliptic(xy, amplitude, x0, y0, sigma_x, sigma_y, theta, offset):
    dx, dy = xy[0] - x0, xy[1] - y0
    u, v = dx * np.cos(theta) + dy * np.sin(theta), dy * np.cos(theta) - dx * np.sin(theta)
    return amplitude * np.exp(-(u**2) / (2 * sigma_x**2) - v**2 / (2 * sigma_y**2)) + offset


# --- True parameters over realistic ranges, for x from 0 to 1 ---


def sign(rng):
    return rng.choice([-1.0, 1.0])


def log_uniform(rng, low, high):
    return np.exp(rng.uniform(np.log(low), np.log(high)))


def gaussian_truth(rng):
    return [sign(rng), rng.uniform(0.1, 0.9), log_uniform(rng, 0.03, 0.3), rng.uniform(-2, 2)]


def pseudo_voigt_truth(rng):
    amplitude, center, sigma, offset = gaussian_truth(rng)
    return [amplitude, center, min(sigma, 0.15), rng.uniform(0.1, 0.9), offset]


def exponential_truth(rng):
    return [sign(rng), sign(rng) * log_uniform(rng, 0.5, 30), rng.uniform(-2, 2)]


def biexponential_truth(rng):
    slow = log_uniform(rng, 1, 5)
    return [rng.uniform(0.3, 1), slow * rng.uniform(4, 15), rng.uniform(0.3, 1), slow, rng.uniform(-1, 1)]


def logistic4_truth(rng):
    bottom = rng.uniform(-2, 2)
    return [bottom, bottom + 1, rng.uniform(0.2, 0.8), sign(rng) * log_uniform(rng, 2, 20)]


def michaelis_menten_truth(rng):
    return [1.0, log_uniform(rng, 0.02, 2)]


def power_law_truth(rng):
    return [sign(rng), rng.uniform(0.3, 4), rng.uniform(-2, 2)]


def damped_sine_truth(rng):
    return [1.0, log_uniform(rng, 0.1, 6), rng.uniform(2, 12), rng.uniform(-np.pi, np.pi), rng.uniform(-2, 2)]


def gaussian_2d_truth(rng):
    return [sign(rng), *rng.uniform(0.2, 0.8, 2), rng.uniform(0.07, 0.3), rng.uniform(-2, 2)]


def gaussian_2d_elliptic_truth(rng):
    return [
        sign(rng),
        *rng.uniform(0.25, 0.75, 2),
        *rng.uniform(0.07, 0.25, 2),
        rng.uniform(-1.5, 1.5),
        rng.uniform(-2, 2),
    ]


def moffat(x, amplitude, center, gamma, beta, offset):
    return amplitude * (1 + ((x - center) / gamma) ** 2) ** -beta + offset


def moffat_truth(rng):
    amplitude, center, gamma, offset = gaussian_truth(rng)
    return [amplitude, center, min(gamma, 0.2), rng.uniform(1.5, 4), offset]


def voigt_truth(rng):
    amplitude, center, sigma, offset = gaussian_truth(rng)
    return [amplitude, center, min(sigma, 0.12), log_uniform(rng, 0.01, 0.1), offset]


def exponential_gaussian_truth(rng):
    tail = sign(rng) * log_uniform(rng, 0.03, 0.12)
    return [1.0, rng.uniform(0.35, 0.65), log_uniform(rng, 0.03, 0.1), tail, rng.uniform(-2, 2)]


def constant_truth(rng):
    return [rng.uniform(-2, 2)]


def line_truth(rng):
    return [rng.uniform(-2, 2), rng.uniform(-2, 2)]


def quadratic_truth(rng):
    return [rng.uniform(-3, 3), rng.uniform(-2, 2), rng.uniform(-2, 2)]


def stretched_exponential_truth(rng):
    return [1.0, log_uniform(rng, 0.05, 0.4), rng.uniform(0.5, 1.5), rng.uniform(-1, 1)]


def inversion_recovery_truth(rng):
    return [1.0, log_uniform(rng, 0.1, 0.5), rng.uniform(1.6, 2)]


def double_logistic_truth(rng):
    rates = [log_uniform(rng, 12, 50) for _ in range(2)]
    return [rng.uniform(-1, 1), 1.0, rng.uniform(0.15, 0.4), rng.uniform(0.6, 0.85), *rates]


def logistic5_truth(rng):
    bottom = rng.uniform(-2, 2)
    hill = sign(rng) * log_uniform(rng, 5, 12)
    return [bottom, bottom + 1, rng.uniform(0.35, 0.65), hill, log_uniform(rng, 0.6, 1.6)]


def sine_truth(rng):
    return [1.0, rng.uniform(2, 12), rng.uniform(-np.pi, np.pi), rng.uniform(-2, 2)]


def harmonics_truth(rng):
    return [
        rng.uniform(-2, 2),
        rng.uniform(-1, 1),
        rng.uniform(2.5, 8),
        *rng.uniform(0.5, 1, 2),
        *rng.uniform(-0.4, 0.4, 2),
    ]


def moffat_2d_truth(rng):
    return [sign(rng), *rng.uniform(0.25, 0.75, 2), rng.uniform(0.1, 0.25), rng.uniform(1.5, 4), rng.uniform(-2, 2)]


class Case(NamedTuple):
    model: object
    truth: object
    share: float = 0.95  # of the fits, how many have to end where the fit from the truth does
    widths: tuple = ()  # parameters that have to be positive

    @property
    def name(self):
        return self.model.__name__

    @property
    def guess(self):
        return getattr(guesses, self.name, None) or getattr(more_guesses, self.name)

    @property
    def is_image(self):
        return "_2d" in self.name


CASES = [
    Case(gaussian, gaussian_truth, 0.98, (2,)),
    Case(lorentzian, gaussian_truth, 0.98, (2,)),
    Case(pseudo_voigt, pseudo_voigt_truth, widths=(2,)),
    Case(exponential, exponential_truth, 0.98),
    Case(biexponential, biexponential_truth),
    Case(logistic4, logistic4_truth, 0.98),
    Case(michaelis_menten, michaelis_menten_truth, 0.98, (1,)),
    Case(power_law, power_law_truth),
    Case(damped_sine, damped_sine_truth, widths=(2,)),
    Case(gaussian_2d, gaussian_2d_truth, 0.98, (3,)),
    Case(gaussian_2d_elliptic, gaussian_2d_elliptic_truth, widths=(3, 4)),
    Case(models.constant, constant_truth, 0.98),
    Case(models.line, line_truth, 0.98),
    Case(models.quadratic, quadratic_truth, 0.98),
    Case(models.voigt, voigt_truth, widths=(2,)),
    Case(moffat, moffat_truth, widths=(2,)),
    Case(models.exponential_gaussian, exponential_gaussian_truth, widths=(2,)),
    Case(models.stretched_exponential, stretched_exponential_truth, widths=(1,)),
    Case(models.inversion_recovery, inversion_recovery_truth, widths=(1,)),
    Case(models.double_logistic, double_logistic_truth),
    Case(models.logistic5, logistic5_truth),
    Case(models.sine, sine_truth, widths=(1,)),
    Case(models.harmonics, harmonics_truth),
    Case(models.moffat_2d, moffat_2d_truth, widths=(3,)),
]


def every_model_but(*models):
    return pytest.mark.parametrize("case", [c for c in CASES if c.model not in models], ids=lambda case: case.name)


every_model = every_model_but()


def truths(case, count, rng):
    parameters = np.array([case.truth(rng) for _ in range(count)])
    if case.model is exponential:
        # The amplitude is what growth ends with.
        parameters[:, 0] *= np.exp(np.minimum(parameters[:, 1], 0))
    return parameters


def pixels(side):
    x, y = np.meshgrid(np.linspace(0, 1, side), np.linspace(0, 1, side))
    return x.ravel(), y.ravel()


def regular(case, count=200):
    """Data on a common, regular grid, complete."""
    rng = np.random.default_rng(sum(case.name.encode()))
    x = pixels(13) if case.is_image else np.linspace(0, 1, 150 if case.model is biexponential else 60)
    p = truths(case, count, rng)
    y = case.model(x, *p.T[:, :, None])
    return x, y + NOISE * rng.standard_normal(y.shape), p


def scattered(case, count=200):
    """Data in random places and order, of each fit its own, of which a tenth is missing."""
    rng = np.random.default_rng(1 + sum(case.name.encode()))
    m = 250 if case.is_image or case.model is biexponential else 150
    x = tuple(rng.uniform(0, 1, (count, m)) for _ in range(2)) if case.is_image else rng.uniform(0, 1, (count, m))
    p = truths(case, count, rng)
    y = case.model(x, *p.T[:, :, None])
    y += NOISE * rng.standard_normal(y.shape)
    y[rng.random(y.shape) < 0.1] = np.nan
    return x, y, p


every_layout = pytest.mark.parametrize("layout", [regular, scattered])


def own_x(x, y, i):
    """The predictors of one fit."""
    if isinstance(x, tuple):
        return tuple(own_x(part, y, i) for part in x)
    return np.broadcast_to(x, y.shape)[i]


def sum_of_squares(model, x, y, start):
    """At the end of the fit; None if it does not converge."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", OptimizeWarning)
        try:
            _, _, details, _, _ = curve_fit(model, x, y, start, full_output=True, nan_policy="omit")
        except RuntimeError:
            return None
    return np.sum(details["fvec"] ** 2)


# --- What the values are for ---


@pytest.mark.slow
@every_layout
@every_model
def test_fits_end_where_those_from_the_truth_do(case, layout):
    x, y, truth = layout(case)
    starts = case.guess(x, y)
    reached, possible = 0, 0
    for i, row in enumerate(y):
        lowest = sum_of_squares(case.model, own_x(x, y, i), row, truth[i])
        if lowest is None:
            continue  # with this noise there is no minimum nearby
        possible += 1
        found = sum_of_squares(case.model, own_x(x, y, i), row, starts[i])
        reached += found is not None and found <= 1.01 * lowest
    assert possible >= 0.9 * len(y)
    assert reached >= case.share * possible


@every_layout
@every_model_but(models.constant)  # whose clean data do not vary
def test_curves_are_near_clean_data_already(case, layout):
    x, y, truth = layout(case)
    clean = np.where(np.isnan(y), np.nan, case.model(x, *truth.T[:, :, None]))
    residuals = case.model(x, *case.guess(x, clean).T[:, :, None]) - clean
    left = np.nansum(residuals**2, axis=-1) / np.nansum((clean - np.nanmean(clean, axis=-1)[:, None]) ** 2, axis=-1)
    # The grids are coarse, and some peaks are cut off by the edge: a tenth of the variance on average is little.
    assert np.median(left) < 0.1


@every_layout
@every_model
def test_widths_are_positive(case, layout):
    x, y, _ = layout(case)
    assert np.all(case.guess(x, y)[:, case.widths] > 0)


def test_order_of_parameters_is_that_of_the_models():
    for case in CASES:
        names = list(inspect.signature(case.model).parameters)[1:]
        sentence = case.guess.__doc__.split(".")[0]
        assert all(name in sentence for name in names), case.name
        assert [sentence.index(name) for name in names] == sorted(sentence.index(name) for name in names)
        x, y, _ = regular(case, 1)
        assert case.guess(x, y).shape == (1, len(names))


# --- Shapes ---


@every_model
def test_leading_axes_are_those_of_x_and_y_together(case):
    x, y, truth = regular(case, 6)
    n, m = truth.shape[1], y.shape[1]
    expected = case.guess(x, y)
    assert case.guess(x, y[0]).shape == (n,)
    assert np.array_equal(case.guess(x, y.reshape(2, 3, m)), expected.reshape(2, 3, n))
    several = tuple(np.broadcast_to(part, (2, 1, m)) for part in (x if case.is_image else (x,)))
    several = several if case.is_image else several[0]
    assert np.array_equal(case.guess(several, y[:3]), np.stack([expected[:3]] * 2))
    assert case.guess(x, np.empty((0, m))).shape == (0, n)
    assert np.array_equal(case.guess(x, np.asfortranarray(y)), expected)


@every_layout
@every_model
def test_no_fit_depends_on_the_others(case, layout, monkeypatch):
    x, y, _ = layout(case, 7)
    y[3, 5:9] = np.nan  # so that the others are once among incomplete rows, and once not
    together = case.guess(x, y)
    for i, row in enumerate(y):
        assert np.array_equal(case.guess(own_x(x, y, i), row), together[i])
    monkeypatch.setattr(lines, "CHUNK", 1)
    assert np.array_equal(case.guess(x, y), together)


def test_data_are_not_changed():
    for case in CASES:
        x, y, _ = scattered(case, 3)
        x_before, y_before = np.copy(x), y.copy()
        case.guess(x, y)
        assert np.array_equal(x, x_before)
        assert np.array_equal(y, y_before, equal_nan=True)


# --- Missing points, order, units ---


def permuted(x, order):
    return tuple(part[order] for part in x) if isinstance(x, tuple) else x[order]


@every_model_but(
    damped_sine, models.sine, models.harmonics
)  # whose grid of frequencies depends on the number of places
def test_missing_points_are_as_good_as_left_out(case):
    x, y, _ = regular(case, 20)
    for row in y:
        # Neither first nor last, so that the range of x stays the same.
        row[3:-3][np.random.default_rng(0).random(row.size - 6) < 0.2] = np.nan
        there = np.isfinite(row)
        # The sums are taken in another order: some rounding, which differences may enlarge.
        assert np.allclose(case.guess(x, row), case.guess(permuted(x, there), row[there]), rtol=1e-8, atol=1e-10)


@every_model
def test_infinite_observations_are_missing(case):
    x, y, _ = scattered(case, 5)
    infinite = np.where(np.isnan(y), np.inf, y)
    infinite[:, ::2] *= np.where(np.isinf(infinite[:, ::2]), -1, 1)
    assert np.array_equal(case.guess(x, infinite), case.guess(x, y))


@every_model
def test_points_without_x_are_missing(case):
    x, y, _ = regular(case, 5)
    # Neither first nor last, so that the range of x stays the same.
    lost = np.zeros(y.shape, dtype=bool)
    lost[:, 5:-5:4] = True
    first = np.where(lost, np.nan, x[0] if case.is_image else x)
    found = case.guess((first, x[1]) if case.is_image else first, y)
    # Predictors of each fit's own are multiplied in another order than shared ones.
    assert np.allclose(found, case.guess(x, np.where(lost, np.nan, y)), rtol=1e-8, atol=1e-10)


@every_model
def test_order_of_points_does_not_matter(case):
    x, y, _ = regular(case, 10)
    order = np.random.default_rng(0).permutation(y.shape[1])
    assert np.allclose(case.guess(permuted(x, order), y[:, order]), case.guess(x, y), rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize(("scale_x", "scale_y"), [(1e-9, 1e12), (1e5, 1e-200), (3e4, -1e200)])
@every_model
def test_units_do_not_matter(case, scale_x, scale_y):
    x, y, _ = regular(case, 20)
    expected = case.model(x, *case.guess(x, y).T[:, :, None])
    scaled = tuple(scale_x * part for part in x) if case.is_image else scale_x * x
    parameters = case.guess(scaled, scale_y * y)
    with np.errstate(under="ignore"):
        curves = case.model(scaled, *parameters.T[:, :, None]) / scale_y
    # Decays far from their start are differences of large numbers.
    assert np.allclose(curves, expected, rtol=1e-8, atol=1e-8)


# For which zero is special; a phase at zero for one, because waves are taken one after the other.
@every_model_but(michaelis_menten, power_law, models.stretched_exponential, models.harmonics)
def test_origin_of_x_does_not_matter(case):
    x, y, _ = regular(case, 20)
    expected = case.model(x, *case.guess(x, y).T[:, :, None])
    shifted = (x[0] + 3.3, x[1] - 4) if case.is_image else x + 3.3
    # Exponentials turn the rounding of x into a relative error, times rates up to a hundred.
    curves = case.model(shifted, *case.guess(shifted, y).T[:, :, None])
    assert np.allclose(curves, expected, rtol=1e-8, atol=1e-8)


# --- Data without a model in them ---


@every_model
def test_values_are_finite_whatever_the_data(case):
    m = 36
    x = pixels(6) if case.is_image else np.linspace(0, 1, m)
    nothing, one, two = np.full((3, m), np.nan)
    one[4] = 3.0
    two[[4, 20]] = 1.0, -2.0
    spike = np.zeros(m)
    spike[7] = 1e308
    rows = [nothing, one, two, spike, np.zeros(m), np.full(m, 5.0), np.full(m, -1e308), np.full(m, np.inf)]
    rows += [
        np.where(np.arange(m) % 2, 1.7e308, -1.7e308),
        np.full(m, 1e-320),
        np.arange(m) * 5e-324,
        1e16 + np.arange(m),
    ]
    for row in [*rows, np.array(rows)]:
        assert np.all(np.isfinite(case.guess(x, row)))


@every_model
def test_values_are_finite_whatever_the_predictors(case):
    y = np.random.default_rng(0).standard_normal((4, 16))
    for x in (0.0, 3.0, -1e-300, 1e308, np.nan, np.inf):
        same = np.full(16, x)
        assert np.all(np.isfinite(case.guess((same, same) if case.is_image else same, y)))
    for x in (1e308 * np.linspace(-1, 1, 16), np.geomspace(1e-300, 1e300, 16), np.repeat([0, 1e-310], 8)):
        assert np.all(np.isfinite(case.guess((x, x) if case.is_image else x, y)))


@pytest.mark.parametrize("m", [0, 1, 2, 3])
@every_model
def test_values_are_finite_however_few_the_points(case, m):
    x = np.arange(m) / 3
    assert np.all(np.isfinite(case.guess((x, x) if case.is_image else x, np.ones((2, m)))))
    assert np.all(np.isfinite(case.guess((x, x) if case.is_image else x, np.arange(2.0 * m).reshape(2, m))))


@pytest.mark.parametrize("level", [0.0, -7.5, 1e200])
@every_model_but(michaelis_menten)  # which has no offset
def test_constant_data_are_met(case, level):
    x = pixels(5) if case.is_image else np.linspace(0, 1, 25)
    curve = case.model(x, *case.guess(x, np.full(25, level)))
    assert np.allclose(curve, level, rtol=1e-15, atol=0)


@every_model_but(
    gaussian,
    lorentzian,
    pseudo_voigt,
    gaussian_2d,
    gaussian_2d_elliptic,
    michaelis_menten,
    power_law,
    models.stretched_exponential,
    models.inversion_recovery,
    models.moffat_2d,
)
@pytest.mark.parametrize("start", [-1e9, -1e4, -300.0, 300.0, 1e4, 1e9])
def test_curves_can_be_evaluated_far_from_zero(case, start):
    """There, exponentials overflow unless the rate is small; every value of the model has to be finite."""
    x, y, _ = regular(case, 30)
    x = start + x
    with np.errstate(under="ignore"):
        assert np.all(np.isfinite(case.model(x, *case.guess(x, y).T[:, :, None])))


# --- Single models ---


@pytest.mark.parametrize("direction", [1, -1])
def test_wide_peaks_keep_their_direction(direction):
    """Though most of the points are beyond half height."""
    x = np.linspace(-1, 1, 40)
    for guess, model in ((guesses.gaussian, gaussian), (guesses.lorentzian, lorentzian)):
        amplitude, center, width, offset = guess(x, model(x, direction, 0.1, 0.6, 3))
        assert direction * amplitude > 0
        assert abs(center - 0.1) < 0.1
        assert 0.4 < width < 0.9
        assert abs(offset - 3) < 0.5


def test_peak_of_one_point():
    x = np.linspace(0, 1, 50)
    amplitude, center, sigma, offset = guesses.gaussian(x, np.where(np.arange(50) == 20, 4.0, 1.0))
    assert (round(amplitude), offset.round(1)) == (3, 1)
    assert abs(center - x[20]) < 1e-12
    assert 0.2 * x[1] < sigma < x[1]


def test_ellipse_is_found_in_rectangular_pixels():
    x, y = pixels(41)
    x, y = 20 * x, 10 + 5 * y
    found = guesses.gaussian_2d_elliptic((x, y), gaussian_2d_elliptic((x, y), -2, 9, 12, 2.0, 0.5, 0.2, 1))
    # Pixels and the parabola taken for a Gaussian cost some percent.
    assert np.allclose(found, [-2, 9, 12, 2.0, 0.5, 0.2, 1], rtol=0.15)


def test_negative_exponents_where_the_pole_is_missing():
    x = np.linspace(0, 2, 60)
    with np.errstate(divide="ignore"):
        y = 3 / x + 1
    for pole in (np.nan, np.inf):
        y[0] = pole
        assert np.allclose(guesses.power_law(x, y), [3, -1, 1])
    y[0] = 0  # then the exponent cannot be negative
    assert guesses.power_law(x, y)[1] > 0


def test_decays_over_many_decades_of_time():
    """As in relaxation, where x is spaced by powers."""
    x = np.geomspace(1e-4, 10, 80)
    rates = np.geomspace(0.3, 1000, 30)
    found = guesses.exponential(x, 2 * np.exp(-rates[:, None] * x) - 1)
    # The grid is in steps of two; sums of squares need not choose the nearest.
    assert np.all(np.abs(np.log2(found[:, 1] / rates)) < 1)


@pytest.mark.parametrize("x", [np.linspace(0, 1, 101), 5 + 20 * np.linspace(0, 1, 101)])
def test_frequencies_up_to_the_highest_that_can_be_told(x):
    span = x[-1] - x[0]
    cycles = np.linspace(1.5, 48, 80)
    found = guesses.damped_sine(x, damped_sine(x, 2, 1.5 / span, cycles[:, None] / span, 0.4, 1))
    # A quarter of a cycle over all data is near enough for the fit to lock in.
    assert np.all(np.abs(found[:, 2] * span - cycles) < 0.25)
    assert np.all(np.abs(found[:, 3]) <= np.pi)


def test_signature_is_x_and_y():
    for case in CASES:
        assert list(inspect.signature(case.guess).parameters) == ["x", "y"]
        assert case.guess.__doc__.startswith("Guess ")


@pytest.mark.parametrize(
    ("x", "y"), [(1.0, 2.0), (np.arange(5.0), np.arange(4.0)), (np.ones((2, 3)), np.ones((3, 4)))], ids=str
)
def test_data_of_other_sizes_are_refused(x, y):
    with pytest.raises(ValueError, match="expected one size"):
        models.gaussian.guess(x, y)
    with pytest.raises(ValueError, match="gaussian_2d has 2 predictors, got 1"):
        models.gaussian_2d.guess(1.0, y)
