"""Sums and products of models, with other names of parameters and some of them fixed."""

import copy
import ctypes
import functools
import inspect
import math
import pickle
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest
from many_problems import CASES

from leastsq import curve_fit, curve_fit_many, models, native
from leastsq._solver import kernel
from leastsq._solver.kernel import LEVEL, MOST_PARAMETERS

X = np.linspace(0, 10, 100)
bare = models.gaussian.fix(offset=0.0)
two_peaks = bare.prefix("left_") + bare.prefix("right_") + models.line
TRUTH = np.array([3.0, 3.0, 0.5, 2.0, 7.0, 0.8, 0.2, 1.0])


def written_out(
    x, left_amplitude, left_center, left_sigma, right_amplitude, right_center, right_sigma, slope, intercept
):
    left = left_amplitude * np.exp(-0.5 * ((x - left_center) / left_sigma) ** 2)
    right = right_amplitude * np.exp(-0.5 * ((x - right_center) / right_sigma) ** 2)
    return left + right + slope * x + intercept


def noisy(model, truth, fits=20, x=X, noise=0.05):
    return model(x, *truth) + noise * np.random.default_rng(1).standard_normal((fits, np.shape(x)[-1]))


def compiled(model, x, p):
    """Values and derivatives from the compiled code."""
    values, slopes = model.evaluate_points(x, tuple(p), True)
    return values, np.moveaxis(slopes, 0, -1)


def agree(model, x, p):
    """The compiled code evaluates what the parts say in NumPy; single roundings differ."""
    values, slopes = compiled(model, x, p)
    scale = max(1.0, np.abs(values).max())
    np.testing.assert_allclose(values, model(x, *p), rtol=1e-13, atol=1e-14 * scale)
    wanted = model.jac(x, *p)
    np.testing.assert_allclose(slopes, wanted, rtol=1e-12, atol=1e-13 * np.abs(wanted).max())


# --- What they are ---


def test_formulas_and_names():
    assert two_peaks.param_names[:3] == ("left_amplitude", "left_center", "left_sigma")
    assert (
        repr(bare + models.line)
        == "<model gaussian(x, amplitude, center, sigma, offset=0.0) + line(x, slope, intercept)>"
    )
    assert repr(models.line.prefix("a_")) == "<model line(x, slope=a_slope, intercept=a_intercept)>"
    wave = models.exponential.fix(offset=0) * models.sine.fix(amplitude=1, offset=0)
    assert repr(wave) == (
        "<model exponential(x, amplitude, rate, offset=0.0) * "
        "sine(x, amplitude=1.0, frequency=frequency, phase=phase, offset=0.0)>"
    )
    assert list(inspect.signature(two_peaks).parameters) == ["x", *two_peaks.param_names]
    assert next(iter(inspect.signature(models.gaussian_2d.fix(offset=1)).parameters)) == "xy"


def read_back(model):
    """A formula as Python reads it, where models and parameters have their names."""
    names = {name: getattr(models, name) for name in models.__all__}
    formula = compile(repr(model).removeprefix("<model ").removesuffix(">"), "formula", "eval")
    return lambda x, *p: eval(formula, names | dict(zip(model.param_names, p, strict=True)) | {"x": x, "xy": x})


@pytest.mark.parametrize(
    "model",
    [
        two_peaks,
        models.exponential.fix(offset=1 / 3) * models.sine.fix(amplitude=1, offset=0) + models.line.prefix("b_"),
        models.gaussian.fix(amplitude=-2e-300) + models.voigt.prefix("v_").fix(v_sigma=0.1),
        (models.exponential.fix(offset=0) + models.constant) * models.sine.fix(amplitude=1, offset=0),
        models.gaussian_2d + models.gaussian_2d_pixel.prefix("second_").fix(second_offset=0),
    ],
    ids=lambda model: model.__name__,
)
def test_formulas_can_be_evaluated(model):
    x = X if model.predictors == 1 else (X[:, None], X)
    p = np.linspace(0.5, 1.5, len(model.param_names))
    np.testing.assert_array_equal(read_back(model)(x, *p), model(x, *p))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_model_takes_keywords_and_partials(case):
    names = case.model.param_names
    p = dict(zip(names, case.truth(np.random.default_rng(9), 1)[0], strict=True))
    values, slopes = case.model(case.x, *p.values()), case.model.jac(case.x, *p.values())
    predictor = case.model.predictor_name()
    assert predictor == ("xy" if isinstance(case.x, tuple) else "x")
    backwards = dict(reversed(p.items()))
    np.testing.assert_array_equal(case.model(**backwards, **{predictor: case.x}), values)
    np.testing.assert_array_equal(case.model.jac(case.x, **backwards), slopes)
    first, *others = p.values()
    np.testing.assert_array_equal(case.model(case.x, first, **dict(zip(names[1:], others, strict=True))), values)
    with pytest.raises(TypeError, match=f"got twice {names[0]}"):
        case.model(case.x, first, **p)
    with pytest.raises(TypeError, match="got what it does not take: wrong"):
        case.model(case.x, **p, wrong=1.0)
    if len(p) == 1:
        return
    with pytest.raises(TypeError, match=f"no value for {names[0]}"):
        case.model(case.x, **dict(zip(names[1:], others, strict=True)))
    # A partial is the model with that parameter fixed, wherever the parameter stands.
    for name in names:
        rest = [value for other, value in p.items() if other != name]
        popt, _ = curve_fit(functools.partial(case.model, **{name: p[name]}), case.x, values, p0=rest)
        np.testing.assert_array_equal(popt, curve_fit(case.model.fix(**{name: p[name]}), case.x, values, p0=rest)[0])
        # Data without noise: the fit ends where it begins, but for rounding, which badly determined ones enlarge.
        np.testing.assert_allclose(popt, rest, rtol=1e-6)


def test_values_are_those_of_the_formula():
    np.testing.assert_allclose(two_peaks(X, *TRUTH), written_out(X, *TRUTH), rtol=1e-14)
    np.testing.assert_allclose(compiled(two_peaks, X, TRUTH)[0], written_out(X, *TRUTH), rtol=1e-14)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_any_model_with_any_parameter_fixed_and_renamed(case):
    p = case.truth(np.random.default_rng(2), 1)[0]
    for j, name in enumerate(case.model.param_names):
        if len(p) == 1:
            continue
        held = case.model.fix(**{name: p[j]}).prefix("a_")
        rest = np.delete(p, j)
        np.testing.assert_allclose(held(case.x, *rest), case.model(case.x, *p), rtol=1e-14, atol=1e-14)
        np.testing.assert_array_equal(held.jac(case.x, *rest), np.delete(case.model.jac(case.x, *p), j, axis=-1))
        agree(held, case.x, rest)


def test_orders_products_and_shared_names():
    rng = np.random.default_rng(3)
    exponential, sine = models.exponential.fix(offset=0), models.sine.fix(amplitude=1, offset=0)
    sums = [
        models.line + bare,  # whose last derivatives have no room beside
        bare + models.constant + models.quadratic.prefix("q_"),
        models.gaussian.fix(amplitude=2.0) + models.line,
        models.gaussian.fix(center=4.0) + models.line,
        exponential * sine,
        exponential * sine + models.constant,
        (exponential + models.constant) * sine,
        exponential * (sine + models.line.prefix("b_")),
        exponential * sine * models.line.fix(intercept=1.0),
        models.voigt.fix(offset=0) + models.moffat.prefix("m_").fix(m_offset=0) + models.line,
    ]
    for model in sums:
        agree(model, X[:70], rng.uniform(0.3, 1.5, len(model.param_names)))
    product = sums[4]
    np.testing.assert_allclose(
        product(X, 2.0, 0.3, 1.2, 0.4), 2 * np.exp(-0.3 * X) * np.sin(2 * np.pi * 1.2 * X + 0.4), rtol=1e-13, atol=1e-14
    )


def test_seven_peaks_and_a_line():
    model = models.line
    for k in range(7):
        model = model + bare.prefix(f"p{k}_")
    assert len(model.param_names) == 23
    x = np.linspace(0, 70, 300)
    truth = np.array([0.05, 1.0, *np.ravel([[2 + 0.3 * k, 5 + 10 * k, 1 + 0.1 * k] for k in range(7)])])
    y = noisy(model, truth, 16, x)
    fits = curve_fit_many(model, x, y, p0=truth * 1.02)
    assert fits.success.all()
    assert np.abs((fits.popt - truth) / fits.stderr).max() < 6
    popt, _ = curve_fit(model, x, y[3], p0=truth * 1.02)
    np.testing.assert_allclose(popt, fits.popt[3], rtol=1e-6)
    # Tall, and by itself.
    x = np.linspace(0, 70, 3000)
    tall, _ = curve_fit(model, x, model(x, *truth), p0=truth * 1.02)
    np.testing.assert_allclose(tall, truth, rtol=1e-7)


def test_every_level_evaluates_sums():
    for level in range(1, LEVEL + 1):
        groups, _ = kernel.sum_functions(level)
        numbers = np.array([0, 1, groups, two_peaks.numbers[3]])
        p = np.ascontiguousarray(np.broadcast_to(TRUTH[:, None], (8, X.size)))
        values, slopes = np.empty(X.size), np.empty(8 * X.size)
        kernel.evaluate_model(level, numbers, X[None], p, values, 1, slopes)
        np.testing.assert_allclose(values, written_out(X, *TRUTH), rtol=1e-14)
        np.testing.assert_allclose(slopes.reshape(8, -1).T, two_peaks.jac(X, *TRUTH), rtol=1e-12, atol=1e-14)


# --- Everywhere ---


def test_fits_are_those_of_the_formula():
    y = noisy(two_peaks, TRUTH)
    many = curve_fit_many(two_peaks, X, y, p0=TRUTH * 1.05)
    assert many.success.all()
    assert many.param_names == two_peaks.param_names
    for fit, row in enumerate(y):
        single, cov = curve_fit(two_peaks, X, row, p0=TRUTH * 1.05)
        plain, its_cov = curve_fit(written_out, X, row, p0=TRUTH * 1.05, jac=two_peaks.jac)
        errors = np.sqrt(np.diag(its_cov))
        np.testing.assert_allclose(single, plain, rtol=0, atol=1e-6 * errors.min())
        np.testing.assert_allclose(many.popt[fit], plain, rtol=0, atol=1e-4 * errors.min())
        np.testing.assert_allclose(cov / np.outer(errors, errors), its_cov / np.outer(errors, errors), atol=1e-6)


def test_keywords_in_any_order():
    model = bare + models.line
    by_name = model(intercept=1.0, slope=0.5, sigma=0.4, center=5.0, amplitude=2.0, x=X)
    np.testing.assert_array_equal(by_name, model(X, 2.0, 5.0, 0.4, 0.5, 1.0))
    np.testing.assert_array_equal(
        model.jac(X, 2.0, 5.0, sigma=0.4, intercept=1.0, slope=0.5), model.jac(X, 2, 5, 0.4, 0.5, 1)
    )
    np.testing.assert_array_equal(
        models.gaussian(X, 2.0, offset=0.0, sigma=1.0, center=5.0), models.gaussian(X, 2, 5, 1, 0)
    )
    grid = (np.arange(3.0), np.arange(3.0))
    np.testing.assert_array_equal(
        models.gaussian_2d(xy=grid, amplitude=1, x0=1, y0=1, sigma=1, offset=0), models.gaussian_2d(grid, 1, 1, 1, 1, 0)
    )
    for wrong, words in (
        ({"amplitude": 1, "center": 1, "sigma": 1, "slope": 1}, "no value for intercept"),
        ({"amplitude": 1, "center": 1, "sigma": 1, "slope": 1, "intercept": 0, "width": 2}, "does not take: width"),
    ):
        with pytest.raises(TypeError, match=words):
            model(X, **wrong)
    with pytest.raises(TypeError, match="got twice center"):
        models.gaussian(X, 1.0, 2.0, center=3.0, sigma=1.0, offset=0.0)


def test_partials_are_understood():
    y = noisy(bare, [2.0, 5.0, 0.7])
    held = functools.partial(models.gaussian, offset=0.0)
    np.testing.assert_array_equal(curve_fit_many(held, X, y).popt, curve_fit_many(bare, X, y).popt)
    np.testing.assert_array_equal(curve_fit(held, X, y[0])[0], curve_fit(bare, X, y[0])[0])
    with pytest.raises(TypeError, match="gives values by position, the first of which is xdata"):
        curve_fit(functools.partial(models.gaussian, X), X, y[0])


def in_another_process(model):
    return curve_fit(model, X, noisy(model, TRUTH)[0], p0=TRUTH * 1.05)[0]


def test_models_of_the_same_parts_are_equal():
    for twin in (pickle.loads(pickle.dumps(two_peaks)), copy.deepcopy(two_peaks), bare.prefix("")):
        original = bare if twin.param_names == bare.param_names else two_peaks
        assert twin == original
        assert hash(twin) == hash(original)
    for other in (bare.prefix("left_"), models.gaussian.fix(offset=0.1), models.gaussian, None):
        assert bare != other


def test_pickles_travel():
    expected = in_another_process(two_peaks)
    for twin in (pickle.loads(pickle.dumps(two_peaks)), copy.copy(two_peaks), copy.deepcopy(two_peaks)):
        assert repr(twin) == repr(two_peaks)
        np.testing.assert_array_equal(in_another_process(twin), expected)
    with ProcessPoolExecutor(1) as pool:
        np.testing.assert_array_equal(pool.submit(in_another_process, two_peaks).result(), expected)


def test_lazy_fits():
    array = pytest.importorskip("dask.array")
    y = noisy(two_peaks, TRUTH)
    lazy = curve_fit_many(two_peaks, X, array.from_array(y, chunks=(7, 100)), p0=TRUTH * 1.05)
    np.testing.assert_array_equal(np.asarray(lazy.popt), curve_fit_many(two_peaks, X, y, p0=TRUTH * 1.05).popt)


def test_images():
    x, y = np.meshgrid(np.arange(15.0), np.arange(15.0))
    model = models.gaussian_2d + models.gaussian_2d.fix(offset=0.0).prefix("second_")
    truth = [3.0, 4.0, 5.0, 1.5, 0.5, 2.0, 10.0, 9.0, 1.2]
    popt, _ = curve_fit(model, (x, y), model((x, y), *truth), p0=np.array(truth) * 1.05)
    np.testing.assert_allclose(popt, truth, rtol=1e-7)


# --- Native terms ---


def _peak(x, height, place):
    return height * math.exp(-0.5 * (x - place) ** 2)


@pytest.mark.slow
@pytest.mark.parametrize("derivatives", ["auto", "differences"])
def test_functions_compiled_by_numba_are_terms(derivatives):
    pytest.importorskip("numba")
    own = native.jit(_peak, derivatives=derivatives)
    model = own + models.line.fix(slope=0.1) + bare.prefix("g_")
    truth = np.array([2.0, 3.0, 0.5, 1.0, 7.0, 0.6])
    y = noisy(model, truth)
    fits = curve_fit_many(model, X, y, p0=truth * 1.05)
    assert (model.jac is None) == (derivatives == "differences")
    assert fits.success.all()
    plain = models.gaussian.fix(sigma=1, offset=0) + models.line.fix(slope=0.1) + bare.prefix("g_")
    expected = curve_fit_many(plain, X, y, p0=truth * 1.05)
    np.testing.assert_allclose(fits.popt, expected.popt, atol=1e-3 * expected.stderr.min())
    popt, _ = curve_fit(model, X, y[0], p0=truth * 1.05)
    np.testing.assert_allclose(popt, expected.popt[0], atol=1e-3 * expected.stderr.min())
    product = own.fix(height=1.0) * models.line
    if derivatives == "auto":
        agree(product, X, [4.0, 0.3, 1.0])


POINTER = ctypes.POINTER(ctypes.c_double)


def test_functions_for_a_fit_are_terms():
    @ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int64, ctypes.c_int64, *[POINTER] * 4, ctypes.c_void_p)
    def step(m, n, x, p, out, jac, data):
        if p[0] > 100:
            return 7
        for i in range(m):
            out[i] = p[0] * x[i] / x[m - 1]  # which needs the last point
            if jac:
                jac[i] = x[i] / x[m - 1]
        return 0

    for derivatives in (True, False):
        own = native.model(step, ["rise"], derivatives=derivatives)
        model = own + models.gaussian
        truth = np.array([2.0, 3.0, 4.0, 0.6, 0.5])
        y = noisy(model, truth)
        np.testing.assert_allclose(model(X, *truth), 2 * X / 10 + models.gaussian(X, *truth[1:]), rtol=1e-14)
        plain = models.line.fix(intercept=0) + models.gaussian
        for x in (X, np.linspace(0, 10, 1500)):
            y = noisy(model, truth, 4, x)
            fits = curve_fit_many(model, x, y, p0=truth * 1.05)
            expected = curve_fit_many(plain, x, y, p0=truth * [0.1, 1, 1, 1, 1] * 1.05)
            assert fits.success.all()
            np.testing.assert_allclose(fits.popt[:, 0], 10 * expected.popt[:, 0], rtol=1e-3)
            np.testing.assert_allclose(fits.popt[:, 1:], expected.popt[:, 1:], rtol=1e-3, atol=1e-3)
        stopped = curve_fit_many(model, X, noisy(model, truth), p0=[101, 3, 4, 0.6, 0.5])
        assert set(stopped.status.ravel()) == {-7}


# --- Refusals ---


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: models.gaussian + models.gaussian, ValueError, "both have parameters named amplitude.*prefix"),
        (lambda: models.gaussian + models.gaussian_2d, ValueError, "has 1 predictors, gaussian_2d 2"),
        (lambda: models.gaussian + 1.0, TypeError, "expects another model, got 1.0: take models.constant"),
        (lambda: models.line * models.line, ValueError, "both have parameters named slope"),
        (lambda: models.gaussian * models.sine.prefix("s_"), ValueError, "only the product would be determined"),
        (lambda: models.line.fix(slope=1, intercept=2), ValueError, "no parameter left"),
        (lambda: models.line.fix(offset=1), ValueError, "has the parameters slope, intercept, fix got offset"),
        (lambda: models.line.fix(), ValueError, "fix got none"),
        (lambda: models.line.fix(slope=[1, 2]), ValueError, "one finite number for all fits"),
        (lambda: models.line.fix(slope=np.nan), ValueError, "one finite number"),
        (lambda: models.line.fix(slope="1"), ValueError, "one finite number"),
        (lambda: models.line.prefix("1"), ValueError, "beginning of a name"),
        (lambda: models.line.prefix(3), ValueError, "beginning of a name"),
    ],
)
def test_what_makes_no_sense_is_said(make, error, words):
    with pytest.raises(error, match=words):
        make()


def test_too_many_parameters_are_counted():
    model = models.line
    for k in range(10):
        model = model + bare.prefix(f"p{k}_")
    assert len(model.param_names) == 32
    with pytest.raises(ValueError, match=f"at most {MOST_PARAMETERS} parameters, .* 35: fix some"):
        model + bare.prefix("last_")


# --- Where to start ---


@pytest.mark.parametrize("peak", [models.gaussian, models.lorentzian], ids=str)
def test_two_peaks_and_a_line_are_found(peak):
    """Of realistic spectra with two separated peaks, at least 95 % end where fits from the truth do."""
    rng = np.random.default_rng(4)
    bare_peak = peak.fix(offset=0.0)
    model = bare_peak.prefix("left_") + bare_peak.prefix("right_") + models.line
    x, fits = np.linspace(0, 100, 200), 300
    widths = rng.uniform(1.5, 3.5, (2, fits))
    left = rng.uniform(12, 45, fits)
    right = left + rng.uniform(3, 5, fits) * 2.355 * widths.max(axis=0)
    heights = rng.uniform(0.5, 1.5, (2, fits))
    line = [rng.uniform(-0.02, 0.02, fits), rng.uniform(-2, 2, fits)]
    truth = np.stack([heights[0], left, widths[0], heights[1], right, widths[1], *line], axis=1)
    y = model(x, *truth.T[:, :, None]) + 0.05 * rng.standard_normal((fits, x.size))
    best = curve_fit_many(model, x, y, p0=truth)
    found = curve_fit_many(model, x, y)
    assert best.success.mean() > 0.99
    right_ones = found.success & (found.chisq <= 1.001 * best.chisq)
    assert right_ones.mean() >= 0.95
    # The left one is on the left.
    assert (found.popt[right_ones, 1] < found.popt[right_ones, 4]).all()


def test_starts_of_sums_are_of_the_shape_of_the_data():
    y = noisy(two_peaks, TRUTH, 6)
    assert two_peaks.guess(X, y.reshape(2, 3, 100)).shape == (2, 3, 8)
    assert two_peaks.guess(X, y[0]).shape == (8,)
    y[0, 20:30], y[1] = np.nan, np.nan
    starts = two_peaks.guess(X, y)
    assert np.isfinite(starts).all()
    np.testing.assert_array_equal(starts[2:], two_peaks.guess(X, y[2:]))
    with pytest.raises(ValueError, match="expected one size"):
        two_peaks.guess(X, y[:, 1:])
    np.testing.assert_allclose(models.exponential.fix(offset=0).guess(X, 2 * np.exp(-0.5 * X)), [2, 0.5], rtol=0.4)


@pytest.mark.slow
@pytest.mark.parametrize("m", [300, 3000, 30_000])
def test_five_peaks_are_found(m):
    """Also in means of neighbours, of which there are at most 512."""
    rng = np.random.default_rng(8)
    model, fits, x = models.line, 60 if m < 10_000 else 20, np.linspace(0, 100, m)
    truth = [rng.uniform(-0.02, 0.02, fits), rng.uniform(-2, 2, fits)]
    for k in range(5):
        model = model + bare.prefix(f"p{k}_")
        truth += [rng.uniform(0.5, 1.5, fits), 10 + 18 * k + rng.uniform(-4, 4, fits), rng.uniform(1, 2, fits)]
    y = model(x, *np.array(truth)[:, :, None]) + 0.05 * rng.standard_normal((fits, m))
    best, found = curve_fit_many(model, x, y, p0=np.array(truth).T), curve_fit_many(model, x, y, maxfev=60)
    assert best.success.all()
    assert (found.success & (found.chisq <= 1.001 * best.chisq)).mean() >= 0.85


def test_peaks_narrower_than_the_means_are_found():
    """Of ten points, where a mean is of 59."""
    rng = np.random.default_rng(9)
    model, fits, x = bare + models.line, 40, np.linspace(0, 1, 30_000)
    ranges = [(0.5, 1.5), (0.2, 0.8), (2e-4, 3e-4), (-0.1, 0.1), (-1, 1)]
    truth = np.stack([rng.uniform(low, high, fits) for low, high in ranges], axis=1)
    y = model(x, *truth.T[:, :, None]) + 0.05 * rng.standard_normal((fits, x.size))
    best, found = curve_fit_many(model, x, y, p0=truth), curve_fit_many(model, x, y, maxfev=60)
    assert (found.success & (found.chisq <= 1.001 * best.chisq)).mean() >= 0.95


@pytest.mark.parametrize("spot", ["gaussian_2d", "gaussian_2d_pixel"])
@pytest.mark.parametrize("own", [False, True])
def test_two_spots_on_a_level_are_found(spot, own):
    """Of images of 20 pixels with two spots three to seven widths apart, at least 95 %."""
    rng = np.random.default_rng(4)
    one, n, fits = getattr(models, spot), 20, 60 if own else 300
    model = one + one.fix(offset=0.0).prefix("second_")
    y, x = np.mgrid[:n, :n].reshape(2, -1).astype(float)
    sigma = rng.uniform(1.0, 1.8, (2, fits))
    angle, apart = rng.uniform(0, 2 * np.pi, fits), rng.uniform(3, 7, fits) * sigma.max(axis=0)
    first = rng.uniform(3, n - 4, (2, fits))
    second = first + apart * np.array([np.cos(angle), np.sin(angle)])
    heights = rng.uniform(0.5, 1.5, (2, fits)) * (2 * np.pi * sigma**2 if spot == "gaussian_2d_pixel" else 1)
    truth = np.stack([heights[0], *first, sigma[0], rng.uniform(-1, 1, fits), heights[1], *second, sigma[1]], axis=1)
    truth = truth[((second > 2.5) & (second < n - 3.5)).all(axis=0)]
    data = model((x, y), *truth.T[:, :, None]) + 0.05 * rng.standard_normal((len(truth), n * n))
    xy = tuple(np.tile(axis, (len(truth), 1)) for axis in (x, y)) if own else (x, y)
    best, found = curve_fit_many(model, xy, data, p0=truth), curve_fit_many(model, xy, data, maxfev=60)
    assert best.success.mean() > 0.99
    assert (found.success & (found.chisq <= 1.001 * best.chisq)).mean() >= 0.95


def test_starts_of_sums_do_not_depend_on_order_or_other_fits():
    rng = np.random.default_rng(3)
    order = rng.permutation(X.size)
    y = noisy(two_peaks, TRUTH, 6)
    starts = two_peaks.guess(X, y)
    np.testing.assert_allclose(two_peaks.guess(X[order], y[:, order]), starts, rtol=1e-12)
    np.testing.assert_array_equal(two_peaks.guess(X, y[3]), starts[3])
    # Predictors of each fit's own that are the same.
    np.testing.assert_allclose(two_peaks.guess(np.tile(X, (6, 1)), y), starts, rtol=1e-8)


@pytest.mark.parametrize(
    "model", [two_peaks, models.gaussian_2d + models.gaussian_2d.prefix("b_")], ids=lambda m: m.__name__
)
def test_starts_of_sums_are_finite_whatever_the_data(model):
    m = 25
    x = np.linspace(0, 1, m) if model.predictors == 1 else tuple(np.mgrid[:5, :5].reshape(2, -1).astype(float))
    one, spike = np.full(m, np.nan), np.zeros(m)
    one[4], spike[7] = 3.0, 1e308
    rows = np.array([np.full(m, np.nan), one, spike, np.zeros(m), np.full(m, np.inf), 1e16 + np.arange(m)])
    assert np.isfinite(model.guess(x, rows)).all()
    for value in (0.0, np.nan, np.inf, 1e308):
        same = np.full(m, value)
        assert np.isfinite(model.guess(same if model.predictors == 1 else (same, same), rows)).all()
    for few in range(4):
        some = x[:few] if model.predictors == 1 else (x[0][:few], x[1][:few])
        assert np.isfinite(model.guess(some, rows[:, :few])).all()
