"""The compiled models: values and derivatives to rounding, and single fits of them."""

import copy
import inspect
import pickle

import numpy as np
import pytest
from many_problems import CASE, CASES

from leastsq import OptimizeWarning, curve_fit, curve_fit_many, models
from leastsq import leastsq as leastsq_function
from leastsq._solver import kernel
from leastsq._solver.kernel import LEVEL

EPS = np.finfo(float).eps
LEVELS = range(1, LEVEL + 1)
T = np.linspace(0, 4, 30)
each_model = pytest.mark.parametrize("case", CASES, ids=str)
each_formula = pytest.mark.parametrize("case", [case for case in CASES if case.formula is not None], ids=str)


# --- Values and derivatives ---


def exact(case, x, p):
    """Values and derivatives at K points, in extended precision, by complex steps, which lose no digits.

    W. Squire, G. Trapp, SIAM Review 40 (1998), pp. 110-112.
    """
    step = np.longdouble(1e-100)
    predictors = x if isinstance(x, tuple) else (x,)
    predictors = tuple(np.asarray(a, dtype=np.clongdouble) for a in predictors)
    argument = predictors if len(predictors) > 1 else predictors[0]
    p = np.asarray(p, dtype=np.clongdouble)
    values = case.formula(argument, *p).real
    slopes = []
    for j in range(len(p)):
        moved = p.copy()
        moved[j] += 1j * step
        slopes.append(case.formula(argument, *moved).imag / step)
    return values, np.array(slopes)


def rounding(case, x, p):
    """How much values and derivatives change where each input is disturbed by its own rounding."""
    small = 1e-6
    predictors = list(x) if isinstance(x, tuple) else [x]
    inputs = [*predictors, *p]
    at = exact(case, x, p)
    totals = [np.abs(part) for part in at]
    for k in range(len(inputs)):
        moved = list(inputs)
        moved[k] = np.longdouble(moved[k]) * (1 + small)
        where = tuple(moved[: len(predictors)]) if len(predictors) > 1 else moved[0]
        with np.errstate(invalid="ignore"):  # what overflows does so in `at` as well
            for total, there, here in zip(totals, exact(case, where, moved[len(predictors) :]), at, strict=True):
                total += np.abs(there - here) / small
    return [EPS * total.astype(float) for total in totals]


def wild_points(case, rng, count):
    """Parameters and predictors from a wide range, of both signs; shapes (N, count) and (count,)."""
    p = case.truth(rng, count).T * 10 ** rng.uniform(-1.5, 1.5, (len(case.low), count))
    p *= rng.choice([-1, 1], p.shape)
    predictors = case.x if isinstance(case.x, tuple) else (case.x,)
    positive = case.model in (models.power_law, models.michaelis_menten, models.stretched_exponential)
    if case.model is models.stretched_exponential:
        p[1] = np.abs(p[1])
    drawn = tuple(
        rng.choice(x, count) * 10 ** rng.uniform(-1, 0.5, count) * (1 if positive else rng.choice([-1, 1], count))
        for x in predictors
    )
    return (drawn if len(drawn) > 1 else drawn[0]), p


# Derivatives that are differences of numbers of this size, whose rounding is left where they nearly cancel.
TERMS = {
    # Both shapes are 1 at the centre, where what they are compared with cancels as well, in extended precision.
    ("pseudo_voigt", 3): lambda x, p: np.abs(p[0]) * np.minimum(1, ((x - p[1]) / p[2]) ** 2 + 1e-3),
    ("inversion_recovery", 0): lambda x, p: np.ones_like(x) + np.abs(p[2] * np.exp(-x / p[1])),
    ("logistic4", 0): lambda x, p: np.ones_like(x),
    ("logistic4", 2): lambda x, p: abs((p[1] - p[0]) * p[3]),
    ("logistic4", 3): lambda x, p: abs((p[1] - p[0]) * (x - p[2])),
}
# Formulas have about a dozen operations, each of which rounds.
ROUNDINGS = 12
# Exponentials below exp(-708) are zero.
FLOOR = 1e-290


@pytest.mark.slow
@each_formula
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_values_and_derivatives_are_right_to_rounding(case, level):
    x, p = wild_points(case, np.random.default_rng(1), 5000)
    values, slopes = exact(case, x, p)
    usable = (np.abs(values) < 1e300) & (np.abs(slopes) < 1e300).all(axis=0)
    assert usable.mean() > 0.9
    of_values, of_slopes = rounding(case, x, p)
    got_values, got_slopes = evaluated(case, level, x, p)

    def check(got, wanted, error):
        excess = np.abs(got - wanted)[usable] - ROUNDINGS * error[usable]
        assert excess.max() <= FLOOR, f"at {p[:, usable][:, np.argmax(excess)]}"

    check(case.model(x, *p), values, of_values)
    check(got_values, values, of_values)
    for j, got in enumerate(got_slopes):
        terms = TERMS.get((str(case), j), lambda x, p: np.zeros_like(p[0]))(x, p)
        check(got, slopes[j], of_slopes[j] + EPS * terms)
    if level == LEVEL:
        np.testing.assert_array_equal(case.model.jac(x, *p).T, got_slopes)


def evaluated(case, level, x, p):
    """Values and derivatives from the code compiled for one level of the processor."""
    count = p.shape[1]
    values, slopes = np.empty(count), np.empty(p.shape)
    predictors = np.array(x if isinstance(x, tuple) else (x,))
    kernel.evaluate_model(level, case.model.numbers, predictors, np.ascontiguousarray(p), values, 1, slopes.ravel())
    return values, slopes


@pytest.mark.slow
@each_model
@pytest.mark.parametrize("m", [7, 41, 64, 65, 600, 1500])
def test_the_sum_of_squares_is_that_of_the_formula(case, m):
    """A tolerance that every gradient satisfies ends fits at their start: in lanes, and beyond them by themselves."""
    rng = np.random.default_rng(m)
    p = case.truth(rng, 40)
    which = rng.integers(case.m, size=m)
    x = tuple(axis[which] for axis in case.x) if isinstance(case.x, tuple) else case.x[which]
    residuals = rng.standard_normal((40, m))
    data = case.model(x, *p.T[:, :, None]) + residuals
    fits = curve_fit_many(case.model, x, data, p0=p, gtol=2)
    assert set(fits.status.ravel()) == {4}
    np.testing.assert_array_equal(fits.nfev, 1)
    np.testing.assert_array_equal(fits.popt, p)
    # Errors of the values are of the order of eps, those of the sum no larger than m times that.
    np.testing.assert_allclose(fits.chisq, np.square(residuals).sum(axis=1), rtol=100 * EPS)
    slopes = case.model.jac(x, *p.T[:, :, None])
    for fit in range(40):
        if np.isfinite(fits.pcov[fit]).all():
            gram = slopes[fit].T @ slopes[fit] / fits.redchi[fit]
            scale = np.sqrt(np.diag(gram))
            condition = np.linalg.cond(gram / np.outer(scale, scale))
            product = (fits.pcov[fit] * np.outer(scale, scale)) @ (gram / np.outer(scale, scale))
            np.testing.assert_allclose(product, np.eye(len(scale)), atol=100 * EPS * condition)


def test_the_power_law_at_zero():
    x = np.array([0.0, 0.0, 0.0, 2.0])
    p = 3.0, np.array([2.0, 0.0, -1.0, 2.0]), 1.0
    with np.errstate(divide="ignore"):
        np.testing.assert_array_equal(models.power_law(x, *p), [1, 4, np.inf, 13])
    np.testing.assert_allclose(
        models.power_law.jac(x, *p),
        [[0, 0, 1], [1, -np.inf, 1], [np.inf, -np.inf, 1], [4, 12 * np.log(2), 1]],
        rtol=4 * EPS,
    )


def test_a_power_law_is_fitted_with_a_point_at_zero():
    x = np.linspace(0, 3, 20)
    y = models.power_law(x, 2.0, 1.5, 0.3) + 0.01 * np.cos(40 * x)
    (popt, pcov), fits = curve_fit(models.power_law, x, y), curve_fit_many(models.power_law, x, y)
    expected, cov = curve_fit(lambda x, a, b, c: a * x**b + c, x, y, p0=[2, 1.5, 0.3])
    # What is compared with has derivatives by differences.
    for got, its_cov in ((popt, pcov), (fits.popt, fits.pcov)):
        np.testing.assert_allclose(got, expected, rtol=1e-6)
        np.testing.assert_allclose(its_cov, cov, rtol=1e-4)


def test_where_a_model_has_no_value_it_says_so():
    assert np.isnan(models.power_law.jac(-1.0, 1.0, 0.5, 0.0)[1])
    # The spacing of numbers is 1 at 1e16: no sine can be told.
    assert np.isnan(models.damped_sine.jac(1e16, 1.0, 0.0, 1.0, 0.0, 0.0)[0])
    fits = curve_fit_many(models.power_law, np.arange(-2.0, 8), np.ones((3, 10)), p0=[1, 0.5, 0])
    assert fits.status.tolist() == [10, 10, 10]


def test_infinity_and_nan_go_through():
    jac = models.exponential.jac
    assert np.isnan(jac(np.nan, 1.0, 1.0, 0.0)[:2]).all()
    assert np.isnan(jac(1.0, np.nan, 1.0, 0.0)[1])
    assert jac(1.0, 1.0, -800.0, 0.0)[0] == np.inf
    assert jac(1.0, 1.0, 800.0, 0.0)[0] == 0
    assert models.exponential(1.0, 1.0, -800.0, 0.0) == np.inf  # without a warning, which would be an error here


# --- As functions ---


@each_model
def test_models_broadcast(case):
    rng = np.random.default_rng(2)
    p = case.truth(rng, 12).T.reshape(-1, 3, 4, 1)
    values, slopes = case.model(case.x, *p), case.model.jac(case.x, *p)
    assert values.shape == (3, 4, case.m)
    assert slopes.shape == (3, 4, case.m, len(p))
    assert slopes.dtype == np.float64
    one = p[:, 1, 2, 0]
    # NumPy's loops over rows and over single numbers may round differently; compiled code does not.
    np.testing.assert_allclose(values[1, 2], case.model(case.x, *one), rtol=8 * EPS, atol=8 * EPS)
    np.testing.assert_array_equal(slopes[1, 2], case.model.jac(case.x, *one))
    pixel = tuple(axis[5] for axis in case.x) if isinstance(case.x, tuple) else case.x[5]
    np.testing.assert_allclose(case.model(pixel, *one), values[1, 2, 5], rtol=8 * EPS, atol=8 * EPS)
    np.testing.assert_array_equal(case.model.jac(pixel, *one), slopes[1, 2, 5])
    as_lists = tuple(axis.tolist() for axis in case.x) if isinstance(case.x, tuple) else case.x.tolist()
    np.testing.assert_array_equal(case.model.jac(as_lists, *one.tolist()), slopes[1, 2])


def test_models_of_nothing_have_no_values():
    p = np.ones((4, 3, 0, 1))
    assert models.gaussian(T, *p).shape == (3, 0, T.size)
    assert models.gaussian.jac(T, *p).shape == (3, 0, T.size, 4)
    assert models.gaussian.jac([], 1, 2, 3, 4).shape == (0, 4)


@each_model
def test_integers_are_numbers(case):
    x = tuple(axis.astype(int) for axis in case.x) if isinstance(case.x, tuple) else np.arange(1, 6)
    p = [2] * len(case.low)
    as_floats = tuple(axis.astype(float) for axis in x) if isinstance(x, tuple) else x.astype(float)
    np.testing.assert_array_equal(case.model(x, *p), case.model(as_floats, *map(float, p)))
    np.testing.assert_array_equal(case.model.jac(x, *p), case.model.jac(as_floats, *map(float, p)))


def test_a_power_law_with_an_integer_exponent_below_zero():
    assert models.power_law(2, 1, -1, 0) == 0.5


@each_model
def test_a_wrong_number_of_parameters_is_named(case):
    names = ", ".join(case.model.param_names)
    for function in (case.model, case.model.jac):
        with pytest.raises(TypeError) as error:
            function(case.x, *[1.0] * 12)
        assert str(error.value) == f"{case} has {len(case.low)} parameters ({names}), got 12"
    with pytest.raises(ValueError, match=f"p0 has 9 parameters, {case} {len(case.low)}: {names}"):
        curve_fit(case.model, case.x, np.ones(case.m), p0=np.ones(9))
    with pytest.raises(ValueError, match=f"p0 has 9 parameters along its last axis, {case} {len(case.low)}: {names}"):
        curve_fit_many(case.model, case.x, np.ones(case.m), p0=np.ones(9))


@pytest.mark.parametrize("fit", [curve_fit, curve_fit_many])
def test_a_wrong_number_of_predictors_is_named(fit):
    three = (np.ones(81),) * 3
    with pytest.raises(ValueError, match="gaussian_2d has 2 predictors, got 3"):
        fit(models.gaussian_2d, three, np.ones(81))
    with pytest.raises(ValueError, match="gaussian_2d has 2 predictors, got 3"):
        models.gaussian_2d.jac(three, 1, 1, 1, 1, 1)


@each_model
def test_pickles_copies_and_names(case):
    model = case.model
    for twin in (pickle.loads(pickle.dumps(model)), copy.copy(model), copy.deepcopy(model)):
        assert twin is model
    assert pickle.loads(pickle.dumps(model.jac)) == model.jac
    assert getattr(models, model.__name__) is model
    assert model.__name__ in models.__all__
    signature = inspect.signature(model)
    assert tuple(signature.parameters)[1:] == model.param_names
    assert repr(model) == f"<compiled model {model.__name__}({', '.join(signature.parameters)})>"
    assert "``" in inspect.getdoc(model)


def test_every_model_is_tested():
    assert sorted(models.__all__) == sorted(map(str, CASES))
    assert sorted(case.model.numbers[0] for case in CASES) == list(range(1, len(CASES) + 1))


# --- In single fits ---


def both(case, y, p0, **options):
    """A compiled model, and its formula with the same derivatives, fitted by `curve_fit`."""
    compiled = curve_fit(case.model, case.x, y, p0, full_output=True, **options)
    plain = curve_fit(case.plain, case.x, y, p0, jac=case.model.jac, full_output=True, **options)
    return compiled, plain


def sigmas(m):
    steps = np.arange(m)
    errors = 0.05 + 0.02 * np.cos(steps)
    yield "none", {}
    yield "number", {"sigma": 0.05}
    yield "array", {"sigma": errors}
    yield "absolute", {"sigma": errors, "absolute_sigma": True}
    yield "infinite", {"sigma": np.where(steps % 7 == 0, np.inf, errors)}
    yield "matrix", {"sigma": np.diag(errors**2) + 1e-4 * np.exp(-np.abs(steps[:, None] - steps))}


@each_model
@pytest.mark.parametrize("sigma", [name for name, _ in sigmas(1)])
def test_curve_fit_is_that_of_the_formula(case, sigma):
    truth, data = case.data(np.random.default_rng(3), 5)
    options = dict(sigmas(case.m))[sigma]
    for start, y in zip(truth * 1.02, data, strict=True):
        compiled, plain = both(case, y, start, **options)
        popt, pcov, info, mesg, ier = compiled
        expected, cov, its_info, its_mesg, its_ier = plain
        errors = np.sqrt(np.diag(cov))
        assert info["nfev"] == its_info["nfev"]
        # Which of the tests on ftol and xtol a last step passes as well is a matter of rounding.
        assert {ier, its_ier} <= {1, 2, 3}
        assert (mesg == its_mesg) == (ier == its_ier)
        # And so is whether that step, no longer than xtol, counts as a reduction.
        np.testing.assert_allclose(popt, expected, rtol=1e-8, atol=1e-8 * errors.min())
        np.testing.assert_allclose(pcov / np.outer(errors, errors), cov / np.outer(errors, errors), atol=1e-7)
        np.testing.assert_allclose(info["fvec"], its_info["fvec"], atol=1e-7 * np.linalg.norm(its_info["fvec"]))
        assert info.keys() == its_info.keys()


@each_model
def test_without_a_start_fits_begin_at_the_guess(case):
    _, data = case.data(np.random.default_rng(4), 1)
    for y in data:
        guessed = curve_fit(case.model, case.x, y, full_output=True)
        given = curve_fit(case.model, case.x, y, p0=case.model.guess(case.x, y), full_output=True)
        np.testing.assert_array_equal(guessed[0], given[0])
        assert guessed[2]["nfev"] == given[2]["nfev"]


@pytest.mark.parametrize("where", ["y", "x"])
def test_missing_points_are_left_out(where):
    case = CASE["gaussian"]
    _, (y,) = case.data(np.random.default_rng(5), 1)
    x = case.x.copy()
    (y if where == "y" else x)[[3, 11]] = np.nan
    keep = ~np.isnan(x + y)
    got = curve_fit(case.model, x, y, nan_policy="omit")
    wanted = curve_fit(case.model, x[keep], y[keep])
    np.testing.assert_array_equal(got[0], wanted[0])
    np.testing.assert_array_equal(got[1], wanted[1])
    with pytest.raises(ValueError, match="nan"):
        curve_fit(case.model, x, y, nan_policy="raise")
    with pytest.raises(ValueError, match=r"finite|nan|NaN"):
        curve_fit(case.model, x, y)


@pytest.mark.slow
@each_model
@pytest.mark.parametrize("m", [512, 513, 2000, 20_000])
def test_tall_fits_agree_with_leastsq(case, m):
    """From 513 points on, rows are folded block by block and no Jacobian is stored."""
    rng = np.random.default_rng(m)
    two = isinstance(case.x, tuple)
    x = tuple(rng.uniform(0, 8, (2, m))) if two else np.linspace(case.x[0], case.x[-1], m)
    (truth,) = case.truth(rng, 1)
    y = case.model(x, *truth) + 0.05 * rng.standard_normal(m)
    sigma = 0.05 * (1 + 0.5 * np.cos(np.arange(m)))
    start = truth * 1.02
    popt, pcov, info, _, ier = curve_fit(case.model, x, y, start, sigma, absolute_sigma=True, full_output=True)
    expected, cov, its_info, _, its_ier = leastsq_function(
        lambda p: (case.plain(x, *p) - y) / sigma,
        start,
        Dfun=lambda p: case.model.jac(x, *p) / sigma[:, None],
        full_output=True,
    )
    errors = np.sqrt(np.diag(cov))
    assert {ier, its_ier} <= {1, 2, 3}
    assert info["nfev"] == its_info["nfev"]
    # Whether a last step, no longer than xtol, counts as a reduction is a matter of rounding.
    np.testing.assert_allclose(popt, expected, rtol=1e-8, atol=1e-7 * errors.min())
    np.testing.assert_allclose(pcov / np.outer(errors, errors), cov / np.outer(errors, errors), atol=1e-8)
    # In standard deviations, of which a step of xtol moves a phase by some ten millionths.
    np.testing.assert_allclose(info["fvec"], its_info["fvec"], atol=1e-6)
    many = curve_fit_many(case.model, x, y, start, sigma, absolute_sigma=True)
    np.testing.assert_allclose(many.popt, expected, rtol=1e-8, atol=1e-7 * errors.min())
    assert many.nfev == info["nfev"]


def test_a_fit_of_a_hundred_thousand_points():
    rng = np.random.default_rng(6)
    x = np.linspace(-4, 4, 100_000)
    y = models.gaussian(x, 3.0, 0.2, 0.8, 0.5) + 0.1 * rng.standard_normal(x.size)
    popt, pcov, info, _, _ = curve_fit(models.gaussian, x, y, full_output=True)
    expected, cov, _, _, _ = leastsq_function(
        lambda p: models.gaussian(x, *p) - y, popt, Dfun=lambda p: models.gaussian.jac(x, *p), full_output=True
    )
    cov *= np.square(info["fvec"]).sum() / (x.size - 4)
    errors = np.sqrt(np.diag(cov))
    # Where a fit ends within its tolerance depends on where it began.
    np.testing.assert_allclose(popt, expected, rtol=0, atol=1e-4 * errors.min())
    np.testing.assert_allclose(pcov / np.outer(errors, errors), cov / np.outer(errors, errors), atol=1e-4)
    np.testing.assert_allclose(info["fvec"], models.gaussian(x, *popt) - y, atol=1e-13)
    many = curve_fit_many(models.gaussian, x, np.stack([y, y]))
    np.testing.assert_array_equal(many.popt, [popt, popt])


def test_tall_fits_with_points_left_out():
    rng = np.random.default_rng(7)
    x = np.linspace(0, 4, 3000)
    y = models.exponential(x, 3.0, 1.2, 0.5) + 0.1 * rng.standard_normal(x.size)
    out = rng.random(x.size) < 0.3
    wild = np.where(out, 1e6, y)
    popt, pcov = curve_fit(models.exponential, x, wild, p0=[2, 1, 0], sigma=np.where(out, np.inf, 0.1))
    expected, cov = curve_fit(models.exponential, x[~out], y[~out], p0=[2, 1, 0], sigma=np.full((~out).sum(), 0.1))
    np.testing.assert_allclose(popt, expected, rtol=1e-9)
    np.testing.assert_allclose(pcov, cov, rtol=1e-9)


def test_what_a_fit_cannot_do_is_the_error_it_always_was():
    x = np.linspace(0, 1, 10)
    with pytest.raises(RuntimeError, match="stopped after 2 evaluations"):
        curve_fit(models.gaussian, x, np.sin(9 * x), p0=[1, 0.5, 0.1, 0], maxfev=2)
    with pytest.raises(ValueError, match="at the starting point"):
        curve_fit(models.gaussian, x, np.ones(10), p0=[1, x[3], 0.0, 0])
    with pytest.raises(TypeError, match="number of func parameters=4 must not exceed the number of data points=3"):
        curve_fit(models.gaussian, x[:3], np.ones(3), p0=[1, 0.5, 0.1, 0])
    with pytest.raises(ValueError, match="xdata has 9 points, ydata 10"):
        curve_fit(models.gaussian, x[:9], np.ones(10))


def test_a_parameter_without_effect_is_named():
    x = np.linspace(0, 1, 10)
    with pytest.warns(OptimizeWarning, match="center, sigma never changed the model"):
        _, pcov = curve_fit(models.gaussian, x, np.full(10, 2.0), p0=[0, 50, 0.1, 1])
    assert np.isinf(pcov[1:3]).all()


def test_derivatives_of_ones_own_replace_the_compiled_ones():
    case = CASE["exponential"]
    _, (y,) = case.data(np.random.default_rng(8), 1)
    calls = []

    def jac(x, *p):
        calls.append(p)
        return case.model.jac(x, *p)

    popt, _ = curve_fit(case.model, case.x, y, p0=[1, 1, 0], jac=jac)
    expected, _ = curve_fit(case.model, case.x, y, p0=[1, 1, 0])
    assert calls
    np.testing.assert_allclose(popt, expected, rtol=1e-9)


def test_images_are_fitted_as_they_are():
    x, y = np.meshgrid(np.arange(9.0), np.arange(9.0))
    image = models.gaussian_2d((x, y), 3.0, 4.2, 3.7, 1.3, 0.5)
    for data in (image, image.ravel()):
        popt, _ = curve_fit(models.gaussian_2d, (x, y), data)
        np.testing.assert_allclose(popt, [3.0, 4.2, 3.7, 1.3, 0.5], rtol=1e-7)


def test_powers_of_negative_numbers_have_no_value():
    """Whole exponents are no exception: fits would step between those that have a value and those that have none."""
    for x, exponent in ((-1.0, -1.0), (np.array([-2.0]), 2.0)):
        assert np.isnan(models.power_law(x, 1.0, exponent, 0.0)).all()
        assert np.isnan(models.power_law.jac(x, 1.0, exponent, 0.0)[..., :2]).all()


@pytest.mark.filterwarnings("error")
def test_what_has_no_value_is_silent():
    assert np.isnan(models.gaussian(0.0, 1.0, 0.0, 0.0, 1.0))
    assert np.isnan(models.michaelis_menten(0.0, 1.0, 0.0))
    assert np.isinf(models.power_law(0.0, 1.0, -1.0, 0.0))


def test_predictors_that_are_masked_have_no_value():
    x = np.ma.array([1.0, 2.0], mask=[False, True])
    np.testing.assert_array_equal(models.line(x, 2.0, 1.0), [3.0, np.nan])
    np.testing.assert_array_equal(models.line.jac(x, 2.0, 1.0)[0], [1.0, 1.0])


@pytest.mark.parametrize("model", [models.exponential, models.exponential.fix(offset=0.5)], ids=str)
def test_guesses_leave_out_what_is_masked(model):
    t = np.linspace(0, 4, 30)
    y = models.exponential(t, 2.5, 1.3, 0.5)
    y[4] = 1e3
    wrong = np.arange(30) == 4
    masked = model.guess(t, np.ma.array(y, mask=wrong))
    np.testing.assert_array_equal(masked, model.guess(t, np.where(wrong, np.nan, y)))


@pytest.mark.parametrize("value", [None, "text", [1j, 2j], np.array(["2026-03-01"], "M8[D]"), [object(), 1.0]], ids=str)
def test_what_is_no_number_is_no_predictor_and_no_observation(value):
    with pytest.raises(TypeError, match=r"x: got .* expected real numbers"):
        models.line(value, 1.0, 2.0)
    with pytest.raises(TypeError, match=r"x: got .* expected real numbers"):
        models.line.jac(value, 1.0, 2.0)
    with pytest.raises(TypeError, match=r"y: got .* expected real numbers"):
        models.line.guess([1.0, 2.0], value)


@pytest.mark.parametrize("value", [None, np.timedelta64(3, "s"), np.array(["2026-03-01"], "M8[D]")], ids=str)
@pytest.mark.parametrize("model", [models.gaussian, models.gaussian.prefix("a_")], ids=str)
def test_what_is_no_number_is_no_parameter(model, value):
    for function in (model, model.jac):
        with pytest.raises(TypeError, match=r"center: got .* expected real numbers"):
            function(1.0, 2.0, value, 1.0, 0.5)
