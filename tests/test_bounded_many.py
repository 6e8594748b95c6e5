"""Bounds and fixed parameters in `curve_fit_many`: every kind of model, in any company, as alone."""

import numpy as np
import pytest
from many_problems import CASES

from leastsq import curve_fit, curve_fit_many, models, native

pytestmark = [
    pytest.mark.filterwarnings("ignore::leastsq.OptimizeWarning"),
    pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid value", "ignore:divide by zero"),
]
INF = np.inf
T = np.linspace(0, 4, 30)
LOWER, UPPER = np.array([0.0, 0, 0]), np.array([5.0, 3, 3])


def decay(t, amplitude, rate, offset):
    return amplitude * np.exp(-rate * t) + offset


def decays(fits, seed=0):
    """Make data sets of which half end on the bound of the offset."""
    rng = np.random.default_rng(seed)
    p = rng.uniform([1, 0.6, -0.1], [3, 2, 0.1], (fits, 3))
    return decay(T, *p.T[:, :, None]) + 0.03 * rng.standard_normal((fits, 30))


@pytest.fixture(params=["NumPy", "one by one", "compiled", "native"])
def kind(request):
    """Return the model and options of a kind of fit."""
    if request.param == "native":
        pytest.importorskip("numba")
        return native.jit(decay), {}
    return {
        "NumPy": (decay, {}),
        "one by one": (decay, {"vectorized": False}),
        "compiled": (models.exponential, {}),
    }[request.param]


def assert_inside(fits, lower, upper):
    popt, mask = fits.popt, fits.active_mask
    lower, upper = np.broadcast_to(lower, popt.shape), np.broadcast_to(upper, popt.shape)
    assert np.all((lower <= popt) & (popt <= upper))
    np.testing.assert_array_equal(mask == -1, (popt == lower) & (lower < upper))
    np.testing.assert_array_equal(mask == 1, (popt == upper) & (lower < upper))


@pytest.mark.slow
def test_bounded_fits_are_those_of_curve_fit(kind):
    f, options = kind
    y = decays(60)
    fits = curve_fit_many(f, T, y, [1, 1, 1], bounds=(LOWER, UPPER), **options)
    assert fits.success.all()
    assert_inside(fits, LOWER, UPPER)
    assert 15 < np.sum(fits.active_mask[:, 2] == -1) < 45
    for data, popt, stderr, nfev, mask in zip(y, fits.popt, fits.stderr, fits.nfev, fits.active_mask, strict=True):
        alone, pcov, info, _, _ = curve_fit(f, T, data, [1, 1, 1], bounds=(LOWER, UPPER), full_output=True)
        # A last step, no longer than xtol, is taken or not by rounding.
        np.testing.assert_allclose(popt, alone, rtol=1e-6, atol=1e-7)
        np.testing.assert_allclose(stderr, np.sqrt(np.diag(pcov)), rtol=1e-4)
        np.testing.assert_array_equal(mask, info["active_mask"])
        assert abs(int(nfev) - info["nfev"]) <= 4


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=str)
def test_lanes_and_single_fits_agree_for_every_model(case):
    """Boxes that cut a third of the parameters off: same solution for each, 98 % after as many evaluations."""
    rng = np.random.default_rng(4)
    truth, y = case.data(rng, 60)
    low, high = np.array(case.low, dtype=float), np.array(case.high, dtype=float)
    cut = rng.uniform(0.1, 0.3, low.size) * (high - low)
    lower, upper = low + cut, high - cut
    p0 = np.clip(truth, lower, upper)
    fits = curve_fit_many(case.model, case.x, y, p0, bounds=(lower, upper))
    assert_inside(fits, lower, upper)
    same = 0
    for i, data in enumerate(y):
        try:
            alone, _, info, _, _ = curve_fit(case.model, case.x, data, p0[i], bounds=(lower, upper), full_output=True)
        except RuntimeError:
            assert not fits.success[i]
            continue
        assert fits.success[i]
        # Sums of squares agree to what ftol leaves.
        chisq = np.sum((case.values(alone[None]) - data) ** 2)
        np.testing.assert_allclose(fits.chisq[i], chisq, rtol=1e-6)
        same += fits.nfev[i] == info["nfev"]
    assert same >= 0.95 * len(y)


@pytest.mark.slow
def test_results_do_not_depend_on_company_order_or_workers(kind):
    f, options = kind
    y = decays(40)
    bounds = (np.where(np.arange(40)[:, None] % 3 == 0, -INF, LOWER), UPPER)
    fits = curve_fit_many(f, T, y, [1, 1, 1], bounds=bounds, **options)
    order = np.random.default_rng(1).permutation(40)
    shuffled = curve_fit_many(f, T, y[order], [1, 1, 1], bounds=(bounds[0][order], UPPER), **options)
    np.testing.assert_array_equal(shuffled.popt, fits.popt[order])
    np.testing.assert_array_equal(shuffled.pcov, fits.pcov[order])
    alone = curve_fit_many(f, T, y[7:8], [1, 1, 1], bounds=(bounds[0][7:8], UPPER), **options)
    np.testing.assert_array_equal(alone.popt[0], fits.popt[7])
    more = curve_fit_many(f, T, y, [1, 1, 1], bounds=bounds, workers=2, **options)
    np.testing.assert_array_equal(more.popt, fits.popt)


def test_lanes_that_touch_no_bound_keep_their_bits_beside_others_that_do():
    """Wide bounds, tight ones, fixed parameters and starts on bounds, in turn in the lanes of the same groups."""
    y = decays(200, seed=3)
    rng = np.random.default_rng(5)
    kinds = rng.integers(0, 4, 200)
    lower = np.where(kinds[:, None] == 0, -1e9, LOWER)
    upper = np.where(kinds[:, None] == 0, 1e9, UPPER)
    p0 = np.where(kinds[:, None] == 1, UPPER, [1.0, 1, 1])
    lower[kinds == 2, 1] = upper[kinds == 2, 1] = 1.0
    together = curve_fit_many(models.exponential, T, y, p0, bounds=(lower, upper))
    free = curve_fit_many(models.exponential, T, y, p0)
    wide = kinds == 0
    for name in ("popt", "pcov", "chisq", "nfev", "status"):
        np.testing.assert_array_equal(getattr(together, name)[wide], getattr(free, name)[wide])
    for i in range(0, 200, 7):
        alone = curve_fit_many(models.exponential, T, y[i], p0[i], bounds=(lower[i], upper[i]))
        for name in ("popt", "pcov", "chisq", "nfev", "status"):
            np.testing.assert_array_equal(getattr(alone, name), getattr(together, name)[i])
    # The first group touches none until the last fit is loaded.
    last = np.append(np.flatnonzero(wide), np.flatnonzero(kinds == 1)[:1])
    late = curve_fit_many(models.exponential, T, y[last], p0[last], bounds=(lower[last], upper[last]))
    np.testing.assert_array_equal(late.popt, together.popt[last])


def test_wide_bounds_change_nothing(kind):
    f, options = kind
    y = decays(40)
    free = curve_fit_many(f, T, y, [1, 1, 1], **options)
    for bounds in ((-INF, INF), (-1e300, 1e300), (np.full((40, 3), -1e9), 1e9)):
        wide = curve_fit_many(f, T, y, [1, 1, 1], bounds=bounds, **options)
        np.testing.assert_array_equal(wide.popt, free.popt)
        np.testing.assert_array_equal(wide.pcov, free.pcov)
        np.testing.assert_array_equal(wide.nfev, free.nfev)


def own_loss(z):
    root = np.sqrt(1 + z)
    return np.array([2 * (root - 1), 1 / root, -0.5 / root**3])


@pytest.mark.parametrize("vectorized", [True, False])
@pytest.mark.parametrize("jac", [None, models.exponential.jac])
@pytest.mark.parametrize("loss", ["linear", "soft_l1", "poisson", own_loss], ids=str)
@pytest.mark.parametrize("start", [LOWER + 0.01, UPPER, [2.0, 1.0, 0.05]], ids=str)
def test_functions_are_not_evaluated_outside_of_the_box(vectorized, jac, loss, start):
    """Neither for differences, nor to see what a function does, nor to judge the solution."""
    lower, upper = LOWER + 0.01, UPPER

    def checked(t, *p):
        for value, low, high in zip(p, lower, upper, strict=True):
            assert np.all((low <= value) & (value <= high)), p

    def f(t, amplitude, rate, offset):
        checked(t, amplitude, rate, offset)
        return decay(t, amplitude, rate, offset)

    def slopes(t, amplitude, rate, offset):
        checked(t, amplitude, rate, offset)
        return models.exponential.jac(t, amplitude, rate, offset)

    y = decays(8)
    fits = curve_fit_many(
        f,
        T,
        np.maximum(y, 0) if loss == "poisson" else y,
        start,
        bounds=(lower, upper),
        jac=None if jac is None else slopes,
        loss=loss,
        vectorized=vectorized,
    )
    assert_inside(fits, lower, upper)
    assert fits.success.mean() > 0.7
    fits.predict(T, return_std=True)
    fits.derived(lambda amplitude, rate: amplitude / rate)


def test_bounds_of_every_form_mean_the_same(kind):
    f, options = kind
    y = decays(12).reshape(3, 4, 30)
    expected = curve_fit_many(f, T, y, [1, 1, 1], bounds=(LOWER, [5, INF, INF]), **options)
    forms = [
        {"amplitude": (0, 5), "rate": (0, INF), "offset": (0, INF)},
        {"amplitude": (np.zeros((3, 4)), np.full((3, 1), 5)), "rate": (0, INF), "offset": (np.zeros(4), INF)},
        (np.zeros((3, 4, 3)), np.broadcast_to([5, INF, INF], (4, 3))),
        (0, [5, INF, INF]),
    ]
    for bounds in forms:
        fits = curve_fit_many(f, T, y, [1, 1, 1], bounds=bounds, **options)
        np.testing.assert_array_equal(fits.popt, expected.popt)


def test_a_start_outside_is_an_error_for_all_and_a_status_for_one(kind):
    f, options = kind
    y = decays(4)
    with pytest.raises(ValueError, match=r"p0|infeasible|outside"):
        curve_fit_many(f, T, y, [1, 1, -1], bounds=(LOWER, UPPER), **options)
    p0 = np.ones((4, 3))
    p0[2, 1] = 7
    fits = curve_fit_many(f, T, y, p0, bounds=(LOWER, UPPER), **options)
    assert fits.success.tolist() == [True, True, False, True]
    assert fits.status[2] == 18


def test_guesses_and_callables_are_moved_into_the_box():
    y = decays(10)
    fits = curve_fit_many(models.exponential, T, y, bounds=(LOWER, UPPER))
    assert fits.success.all()
    assert_inside(fits, LOWER, UPPER)
    fits = curve_fit_many(decay, T, y, lambda x, y: np.full((len(y), 3), 9.0), bounds=(LOWER, UPPER))
    assert fits.success.all()
    assert_inside(fits, LOWER, UPPER)


def test_equal_bounds_and_fixed_values_are_the_same(kind):
    f, options = kind
    y = decays(8)
    rates = np.linspace(0.5, 2, 8)
    fits = curve_fit_many(f, T, y, [1, 1, 1], fixed={"rate": rates}, **options)
    np.testing.assert_array_equal(fits.popt[:, 1], rates)
    np.testing.assert_array_equal(fits.stderr[:, 1], 0)
    np.testing.assert_array_equal(fits.dof, 28)
    np.testing.assert_array_equal(fits.active_mask, 0)
    for data, popt, pcov, rate in zip(y, fits.popt, fits.pcov, rates, strict=True):
        design = np.column_stack([np.exp(-rate * T), np.ones(30)])
        expected, (square,), *_ = np.linalg.lstsq(design, data)
        np.testing.assert_allclose(popt[[0, 2]], expected, rtol=1e-5, atol=1e-7)
        cov = square / 28 * np.linalg.inv(design.T @ design)
        np.testing.assert_allclose(pcov[np.ix_([0, 2], [0, 2])], cov, rtol=1e-4)
    lower, upper = np.tile([-INF, 0, -INF], (8, 1)), np.tile([INF, 0, INF], (8, 1))
    lower[:, 1] = upper[:, 1] = rates
    p0 = np.ones((8, 3))
    p0[:, 1] = rates
    same = curve_fit_many(f, T, y, p0, bounds=(lower, upper), **options)
    np.testing.assert_allclose(same.popt, fits.popt, rtol=1e-7, atol=1e-9)
    np.testing.assert_array_equal(same.dof, 28)


def test_fewer_points_than_parameters_will_do_where_some_are_fixed(kind):
    f, options = kind
    y = decay(T[:2], 2, 1.3, 0.5)[None]
    fits = curve_fit_many(f, T[:2], y, [1, 1, 1], fixed={"rate": 1.3, "offset": 0.5}, **options)
    np.testing.assert_allclose(fits.popt[0], [2, 1.3, 0.5], rtol=1e-7)
    assert fits.dof[0] == 1


def test_an_amplitude_held_at_zero_leaves_the_rest_open():
    x = np.linspace(-4, 4, 41)
    y = -models.gaussian(x, 2.0, 0.3, 1.0, 0.0) + 0.01 * np.cos(9 * x)
    fits = curve_fit_many(models.gaussian, x, y[None], [0, 0, 1, 0], bounds={"amplitude": (0, INF)})
    assert fits.popt[0, 0] == 0
    assert fits.active_mask[0].tolist() == [-1, 0, 0, 0]
    assert np.isinf(fits.stderr[0, 1:3]).all()
    assert np.isfinite(fits.stderr[0, 3])


def test_groups_take_bounds_too(kind):
    f, options = kind
    y = decays(6)
    expected = curve_fit_many(f, T, y, [1, 1, 1], bounds=(LOWER, UPPER), **options)
    labels = np.repeat(np.arange(6), 30)
    grouped = curve_fit_many(f, np.tile(T, 6), y.ravel(), [1, 1, 1], bounds=(LOWER, UPPER), groups=labels, **options)
    np.testing.assert_allclose(grouped.popt, expected.popt, rtol=1e-7, atol=1e-9)
    np.testing.assert_array_equal(grouped.active_mask, expected.active_mask)


def test_dask_takes_bounds_too(kind):
    array = pytest.importorskip("dask.array")
    f, options = kind
    y = decays(6)
    expected = curve_fit_many(f, T, y, [1, 1, 1], bounds=(LOWER, UPPER), **options)
    lazy = array.from_array(y, chunks=(2, -1))
    lower = array.from_array(np.tile(LOWER, (6, 1)), chunks=(2, -1))
    fits = curve_fit_many(f, T, lazy, [1, 1, 1], bounds=(lower, UPPER), **options).compute(scheduler="sync")
    np.testing.assert_array_equal(fits.popt, expected.popt)
    np.testing.assert_array_equal(fits.active_mask, expected.active_mask)


@pytest.mark.parametrize(
    "bounds",
    [{"width": (0, 1)}, ([0, 0], [1, 1]), {"rate": (2, 1)}, {"rate": (np.nan, 1)}, {"rate": 3}, 5, (1, 2, 3)],
    ids=str,
)
def test_bounds_that_make_no_box_are_refused(bounds):
    with pytest.raises((ValueError, TypeError)) as caught:
        curve_fit_many(models.exponential, T, decays(3), [1, 1, 1], bounds=bounds)
    assert len(str(caught.value)) > 30


@pytest.mark.parametrize(("offset", "expected"), [(0.0, (0.71, 0.92)), (0.02, (0.69, 0.85))])
def test_coverage_where_a_bound_is_met(offset, expected):
    """Shares of 5000 fits and more are known to 0.01."""
    rng = np.random.default_rng(9)
    y = decay(T, 2, 1, offset) + 0.1 * rng.standard_normal((20000, 30))
    fits = curve_fit_many(models.exponential, T, y, [2, 1, 0.1], bounds=([-INF, -INF, 0], INF))
    on = fits.active_mask[:, 2] == -1
    assert on.sum() > 5000
    covered = np.abs(fits.popt[on, :2] - [2, 1]) < fits.stderr[on, :2]
    np.testing.assert_allclose(covered.mean(axis=0), expected, atol=0.02)


def test_results_say_what_is_on_a_bound_and_what_is_fixed():
    y = decays(8)
    fits = curve_fit_many(models.exponential, T, y, [1, 1, 1], bounds=(LOWER, UPPER))
    on = fits.active_mask[:, 2] != 0
    assert 0 < on.sum() < 8
    share = np.floor(1000 * on.mean()) / 10
    assert f"{share:.1f} % on a bound: offset" in fits.summary()
    assert "on a bound: rate" not in fits.summary()
    for i in range(8):
        assert ("On a bound: offset." in fits.message(i)) == on[i]
    pytest.importorskip("pandas")
    pytest.importorskip("xarray")
    np.testing.assert_array_equal(fits.to_dataframe()["offset_active"], fits.active_mask[:, 2])
    np.testing.assert_array_equal(fits.to_xarray()["active_mask"], fits.active_mask)
    free = curve_fit_many(models.exponential, T, y, [1, 1, 1])
    assert "active_mask" not in free.to_xarray()
    assert "offset_active" not in free.to_dataframe()
    held = curve_fit_many(models.exponential, T, y, [1, 1, 1], fixed={"rate": 1.0})
    same = curve_fit_many(lambda t, a, c: a * np.exp(-t) + c, T, y, [1, 1])
    np.testing.assert_allclose(held.aic, same.aic, rtol=1e-6)
    assert "points 30, parameters 3 (1 fixed), degrees of freedom 28" in held.report(0)
    few = curve_fit_many(models.exponential, T[:1], y[:, :1], [1, 1, 1], fixed={"rate": 1.0})
    assert few.message(0).startswith("Not fitted: 2 parameters but only 1 data points.")
