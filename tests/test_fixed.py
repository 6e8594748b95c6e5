"""Fixed parameters of compiled models: fitted as the model without them, with the results of fits that hold them."""

import importlib
import multiprocessing

import numpy as np
import pytest

from leastsq import OptimizeWarning, curve_fit, curve_fit_many, models, native

pytestmark = pytest.mark.filterwarnings("ignore::leastsq.OptimizeWarning")
X = np.linspace(0, 10, 50)
LOW, HIGH = np.array([2.0, 3.0, 0.7, 0.2]), np.array([5.0, 7.0, 1.5, 1.0])
NAMES = ("popt", "pcov", "chisq", "dof", "nfev", "status", "offset", "active_mask")


def peaks(fits, seed=1, near=()):
    """Make data sets, with parameters that are nearly those `near`, and starts."""
    rng = np.random.default_rng(seed)
    p = rng.uniform(LOW, HIGH, (fits, 4))
    for name in near:
        p[:, models.gaussian.param_names.index(name)] = near[name] + rng.uniform(-0.02, 0.02, fits)
    y = models.gaussian(X, *p.T[:, :, None]) + 0.03 * rng.standard_normal((fits, 50))
    return y, p * rng.uniform(0.9, 1.1, p.shape)


def held(monkeypatch, *arguments, **keywords):
    """Fit with parameters that are held, whether they are fixed to one value or not."""
    with monkeypatch.context() as patch:
        patch.setattr(importlib.import_module("leastsq._curve_fit_many"), "others_of", lambda *_: None)
        return curve_fit_many(*arguments, **keywords)


def assert_same(found, expected, rtol=1e-6):
    for name in ("dof", "status", "active_mask"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    # Triangles of other columns are other sums, and a last step is taken or not by rounding.
    assert np.mean(found.nfev == expected.nfev) > 0.9
    scale = np.nan_to_num(expected.stderr, posinf=1.0)
    np.testing.assert_array_less(np.nan_to_num(abs(found.popt - expected.popt)), 1e-4 * scale + 1e-300)
    np.testing.assert_array_equal(np.isnan(found.popt), np.isnan(expected.popt))
    np.testing.assert_allclose(found.chisq, expected.chisq, rtol=rtol)
    np.testing.assert_allclose(found.pcov, expected.pcov, rtol=1e-3, atol=1e-12)


@pytest.mark.parametrize("fixed", [{"offset": 0.5}, {"center": 5.0}, {"amplitude": 3.0, "sigma": 1.1}], ids=str)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"sigma": np.linspace(0.02, 0.05, 50), "absolute_sigma": True},
        {"loss": "soft_l1", "f_scale": 0.1},
        {"covariance": "sandwich"},
        {"diag": [1, 2, 3, 4]},
        {"bounds": {"sigma": (0.9, 1.2), "offset": (0.3, 0.8)}},
        {"pcov": False},
    ],
    ids=str,
)
def test_fits_are_those_that_hold_the_parameters(monkeypatch, fixed, options):
    y, p0 = peaks(40, near=fixed)
    y[3, 7] = np.nan
    y[5] = np.nan
    for j, name in enumerate(models.gaussian.param_names):
        if name in fixed:
            p0[:, j] = fixed[name]
    if "bounds" in options:
        p0 = np.clip(p0, [-9, -9, 0.9, 0.3], [9, 9, 1.2, 0.8])
    found = curve_fit_many(models.gaussian, X, y, p0, fixed=fixed, **options)
    expected = held(monkeypatch, models.gaussian, X, y, p0, fixed=fixed, **options)
    assert found.success.sum() == 39
    if found.pcov is None:
        np.testing.assert_allclose(found.stderr, expected.stderr, rtol=1e-3)
    else:
        assert_same(found, expected)
    for name, value in fixed.items():
        np.testing.assert_array_equal(np.delete(found[name], 5), value)
        np.testing.assert_array_equal(np.delete(found.stderr_of(name), 5), 0)


def test_it_is_the_model_without_them():
    y, p0 = peaks(40)
    p0[:, 3] = 0.5
    found = curve_fit_many(models.gaussian, X, y, p0, fixed={"offset": 0.5})
    alone = curve_fit_many(models.gaussian.fix(offset=0.5), X, y, p0[:, :3])
    np.testing.assert_array_equal(found.popt[:, :3], alone.popt)
    np.testing.assert_array_equal(found.pcov[:, :3, :3], alone.pcov)
    np.testing.assert_array_equal(found.pcov[:, 3], 0)
    for name in ("chisq", "dof", "nfev", "status", "offset"):
        np.testing.assert_array_equal(getattr(found, name), getattr(alone, name))
    assert found.param_names == models.gaussian.param_names
    np.testing.assert_allclose(found.predict(X), alone.predict(X), rtol=1e-14)


def test_names_of_parameters_whose_start_is_one_equal_bounds_and_arrays_of_one_value_are_the_same():
    y, p0 = peaks(30)
    p0[:, 3] = 0.5
    expected = curve_fit_many(models.gaussian, X, y, p0, fixed={"offset": 0.5})
    big = np.inf
    for options in (
        {"fixed": ["offset"]},
        {"fixed": {"offset": np.full(30, 0.5)}},
        {"bounds": ([-big, -big, -big, 0.5], [big, big, big, 0.5])},
    ):
        found = curve_fit_many(models.gaussian, X, y, p0, **options)
        for name in NAMES:
            np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


def test_guesses_start_where_they_did(monkeypatch):
    y, _ = peaks(30)
    found = curve_fit_many(models.gaussian, X, y, fixed={"offset": 0.5})
    assert_same(found, held(monkeypatch, models.gaussian, X, y, fixed={"offset": 0.5}))


def test_sums_counts_groups_and_values_of_which_some_differ(monkeypatch):
    rng = np.random.default_rng(3)
    model = models.gaussian.fix(offset=0.0) + models.line
    y, _ = peaks(20)
    start = [3.0, 5, 1, 0.1, 0.5]
    given = {"p0": start, "fixed": {"slope": 0.0, "sigma": np.linspace(0.9, 1.1, 20)}}
    assert_same(curve_fit_many(model, X, y, **given), held(monkeypatch, model, X, y, **given))
    counts = rng.poisson(models.gaussian(X, 40.0, rng.uniform(4, 6, (20, 1)), 1.0, 3.0))
    given = {"fixed": {"offset": 3.0}, "loss": "poisson"}
    found = curve_fit_many(models.gaussian, X, counts, **given)
    assert found.success.all()
    assert_same(found, held(monkeypatch, models.gaussian, X, counts, **given))
    given = {"groups": np.repeat(np.arange(20), 50), "p0": [3, 5, 1, 0.5], "fixed": {"offset": 0.5}}
    table = np.tile(X, 20), y.ravel()
    assert_same(curve_fit_many(models.gaussian, *table, **given), held(monkeypatch, models.gaussian, *table, **given))


def test_a_value_outside_of_its_bounds_is_infeasible_all_the_same(monkeypatch):
    y, p0 = peaks(3)
    p0[:, 3] = 2.0
    given = {"fixed": ["offset"], "bounds": {"offset": (0, 1)}}
    found = curve_fit_many(models.gaussian, X, y, p0, **given)
    assert found.status.tolist() == [18] * 3
    assert np.isnan(found.popt).all()
    assert_same(found, held(monkeypatch, models.gaussian, X, y, p0, **given))


def test_open_parameters_and_lost_fits_are_what_they_were(monkeypatch):
    y, p0 = peaks(6)
    p0[:, 0] = 0.0
    given = {"fixed": {"amplitude": 0.0}}
    found = curve_fit_many(models.gaussian, X, y, p0, **given)
    assert np.isinf(found.stderr[:, 1:3]).all()
    np.testing.assert_array_equal(found.stderr[:, 0], 0)
    assert_same(found, held(monkeypatch, models.gaussian, X, y, p0, **given))
    _, p0 = peaks(6)
    few = curve_fit_many(models.gaussian, X, y, p0, fixed={"offset": 0.5}, maxfev=2)
    assert_same(few, held(monkeypatch, models.gaussian, X, y, p0, fixed={"offset": 0.5}, maxfev=2))
    assert (few.status == 5).all()


def test_threads_processes_and_dask_give_the_same():
    y, p0 = peaks(12)
    given = {"fixed": {"offset": 0.5}, "bounds": {"sigma": (0.9, 1.2)}}
    p0 = np.clip(p0, [-9, -9, 0.9, 0], [9, 9, 1.2, 9])
    expected = curve_fit_many(models.gaussian, X, y, p0, **given)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        others = [curve_fit_many(models.gaussian, X, y, p0, workers=workers, **given) for workers in (2, pool.map)]
    lazy = pytest.importorskip("dask.array").from_array(y, chunks=(5, 50))
    others.append(curve_fit_many(models.gaussian, X, lazy, p0, **given).compute(scheduler="threads"))
    for fits in others:
        for name in NAMES:
            np.testing.assert_array_equal(getattr(fits, name), getattr(expected, name))


def test_native_models_hold_their_parameters():
    pytest.importorskip("numba")
    y, _ = peaks(5)

    @native.jit
    def line(x, slope, intercept):
        return slope * x + intercept

    found = curve_fit_many(line, X, y, [0.0, 1.0], fixed={"slope": 0.0})
    np.testing.assert_allclose(found["intercept"], y.mean(axis=1), rtol=1e-7)
    np.testing.assert_array_equal(found["slope"], 0.0)


def test_one_data_set_has_the_fit_of_curve_fit():
    y, p0 = peaks(1)
    p0[0, 3] = 0.5
    popt, pcov = curve_fit(models.gaussian, X, y[0], p0[0], fixed={"offset": 0.5})
    found = curve_fit_many(models.gaussian, X, y[0], p0[0], fixed={"offset": 0.5})
    np.testing.assert_allclose(found.popt, popt, rtol=1e-7)
    np.testing.assert_allclose(found.pcov, pcov, rtol=1e-4, atol=1e-15)


# --- curve_fit ---


@pytest.mark.parametrize("fixed", [{"offset": 0.5}, {"amplitude": 3.0, "sigma": 1.1}], ids=str)
@pytest.mark.parametrize("kind", ["compiled", "differences", "jac"])
def test_curve_fit_is_that_of_the_function_without_them(kind, fixed):
    y, p0 = peaks(5, near=fixed)
    names = models.gaussian.param_names
    free = np.array([name not in fixed for name in names])

    def gaussian(x, amplitude, center, sigma, offset):
        return amplitude * np.exp(-0.5 * ((x - center) / sigma) ** 2) + offset

    def whole(p):
        found = np.array([fixed.get(name, 0.0) for name in names])
        found[free] = p
        return found

    def rest(x, *p):
        return gaussian(x, *whole(p))

    def slopes(x, *p):
        return models.gaussian.jac(x, *whole(p))[:, free]

    jac = {"compiled": (None, None), "differences": (None, None), "jac": (models.gaussian.jac, slopes)}[kind]
    f, reduced = (models.gaussian, models.gaussian.fix(**fixed)) if kind == "compiled" else (gaussian, rest)
    for data, start in zip(y, p0, strict=True):
        found = curve_fit(f, X, data, start, fixed=fixed, jac=jac[0], full_output=True)
        expected = curve_fit(reduced, X, data, start[free], jac=jac[1], full_output=True)
        np.testing.assert_array_equal(found[0][~free], [fixed[name] for name in names if name in fixed])
        np.testing.assert_allclose(found[0][free], expected[0], rtol=1e-7)
        np.testing.assert_allclose(found[1][np.ix_(free, free)], expected[1], rtol=1e-6, atol=1e-18)
        np.testing.assert_array_equal(found[1][~free], 0)
        np.testing.assert_array_equal(found[1][:, ~free], 0)
        assert found[2]["offset"] == pytest.approx(expected[2]["offset"], rel=1e-3, abs=1e-7)
        assert found[4] == expected[4]


def test_curve_fit_says_what_is_open_beside_what_is_fixed():
    y, p0 = peaks(1)
    p0[0, 0] = 0.0
    with pytest.warns(OptimizeWarning, match="center, sigma never changed the model"):
        _, pcov = curve_fit(models.gaussian, X, y[0], p0[0], fixed={"amplitude": 0.0})
    assert np.isinf(np.diag(pcov)[1:3]).all()
    assert pcov[0, 0] == 0
    assert np.isfinite(pcov[3, 3])


def test_fixed_parameters_and_one_on_a_bound():
    y, p0 = peaks(1)
    popt, pcov, info, *_ = curve_fit(
        models.gaussian,
        X,
        y[0],
        np.append(p0[0, :3], 0.1),
        bounds={"offset": (0, 0.1)},
        fixed=["sigma"],
        full_output=True,
    )
    assert popt[3] == 0.1
    assert info["active_mask"].tolist() == [0, 0, 0, 1]
    assert np.isfinite(pcov).all()
    assert pcov[2, 2] == 0
