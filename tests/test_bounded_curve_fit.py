"""Bounds and fixed parameters in `curve_fit`: SciPy's meanings, and its fits as the reference."""

import re

import numpy as np
import pytest
import scipy.optimize

from bounded_problems import bounded_problems, is_kkt
from leastsq import curve_fit, models, native

pytestmark = [
    pytest.mark.filterwarnings("ignore::leastsq.OptimizeWarning"),
    pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid value", "ignore:divide by zero"),
]
INF = np.inf
T = np.linspace(0, 4, 30)
Y = 2 * np.exp(-T) - 0.05 + 0.03 * np.cos(25 * T)
BOX = ([0, 0, 0], [5, 3, 3])


def decay(t, amplitude, rate, offset):
    return amplitude * np.exp(-rate * t) + offset


@pytest.fixture(params=["NumPy", "compiled", "native"])
def model(request):
    if request.param == "native":
        pytest.importorskip("numba")
        return native.jit(decay)
    return {"NumPy": decay, "compiled": models.exponential}[request.param]


@pytest.mark.slow
@pytest.mark.parametrize("method", [None, "trf", "dogbox"])
def test_same_fit_and_covariance_as_scipy(model, method):
    popt, pcov = curve_fit(model, T, Y, [1, 1, 1], bounds=BOX, method=method, ftol=1e-12)
    theirs, their_cov = scipy.optimize.curve_fit(decay, T, Y, [1, 1, 1], bounds=BOX, ftol=1e-14, xtol=1e-14)
    assert popt[2] == 0
    # SciPy's interior points end near the bound, and take differences.
    np.testing.assert_allclose(popt, theirs, rtol=1e-5, atol=1e-8)
    np.testing.assert_allclose(pcov, their_cov, rtol=1e-3, atol=1e-3 * np.abs(their_cov).max())


def test_the_start_comes_from_the_bounds_as_in_scipy():
    """Midway between finite bounds, one off where one is infinite, at one where both are."""
    started = []

    def f(x, a, b, c, d):
        started.append((a, b, c, d))
        return a + b * x + c * x**2 + d * x**3

    bounds = ([0, 2, -INF, -INF], [10, INF, -3, INF])
    curve_fit(f, T, Y, bounds=bounds)
    ours = started[0]
    started.clear()
    scipy.optimize.curve_fit(f, T, Y, bounds=bounds)
    assert ours == started[0] == (5, 3, -4, 1)


def test_errors_are_those_of_scipy():
    calls = [
        ({"bounds": ([0, 0, 0], [1, 1, 1]), "p0": [2, 2, 2]}, ValueError),
        ({"bounds": ([0, 0, 0], [1, 0, 1])}, ValueError),
        ({"bounds": ([0, 0, 2], [1, 1, 1])}, ValueError),
        ({"bounds": ([0, 0], [1, 1, 1])}, ValueError),
        ({"bounds": ([0, 0, np.nan], [1, 1, 1])}, ValueError),
        ({"bounds": BOX, "method": "lm"}, ValueError),
        ({"bounds": BOX, "method": "simplex"}, ValueError),
    ]
    for options, error in calls:
        if "nan" not in str(options):
            with pytest.raises(error):
                scipy.optimize.curve_fit(decay, T, Y, **options)
        with pytest.raises(error) as caught:
            curve_fit(decay, T, Y, **options)
        assert len(str(caught.value)) > 20
    with pytest.raises(ValueError, match=r"infeasible|outside"):
        curve_fit(decay, T, Y, [2, 2, 9], bounds=BOX)
    with pytest.raises(ValueError, match="offset"):
        curve_fit(decay, T, Y, bounds=([0, 0, np.nan], [1, 1, 1]))


@pytest.mark.parametrize(
    "options",
    [
        {"max_nfev": 200},
        {"x_scale": "jac"},
        {"x_scale": [1.0, 2.0, 0.5]},
        {"diff_step": 1e-6},
        {"ftol": None, "xtol": 1e-10},
        {"gtol": None},
        {"xtol": None},
        {"jac": "2-point"},
        {"jac": "3-point"},
    ],
    ids=str,
)
def test_options_of_trf_are_understood(options):
    expected, _ = curve_fit(decay, T, Y, [1, 1, 1], bounds=BOX, ftol=1e-12)
    popt, _ = curve_fit(decay, T, Y, [1, 1, 1], bounds=BOX, **options)
    np.testing.assert_allclose(popt, expected, rtol=1e-3, atol=1e-8)


@pytest.mark.parametrize("option", ["tr_solver", "tr_options", "jac_sparsity"])
def test_options_of_trf_that_mean_nothing_here_are_refused_by_name(option):
    with pytest.raises((TypeError, ValueError), match=option):
        curve_fit(decay, T, Y, [1, 1, 1], bounds=BOX, **{option: "lsmr"})


def test_too_few_evaluations_is_an_error():
    with pytest.raises(RuntimeError):
        curve_fit(decay, T, Y, [5, 3, 3], bounds=BOX, max_nfev=2)


def test_the_model_is_not_evaluated_outside_of_the_box():
    def watched(t, *p):
        assert np.all((np.array(BOX[0]) <= p) & (p <= np.array(BOX[1]))), p
        return decay(t, *p)

    def f(t, a, b, c):
        return watched(t, a, b, c)

    for start in ([0, 0, 0], [5, 3, 3], [1, 1, 1], [0, 3, 0], [5, 0, 3]):
        for options in ({}, {"jac": "3-point"}, {"diff_step": 1e-3}, {"x_scale": [1, 2, 3]}):
            popt, _, info, _, _ = curve_fit(f, T, Y, start, bounds=BOX, full_output=True, **options)
            assert info["active_mask"].tolist() == [-int(x == 0) for x in popt]
            # In the corner (0, 0, 0) the model is the same for every rate, and the offset alone takes the mean.
            assert popt[2] == 0 or not any(start)


def test_wide_bounds_change_nothing(model):
    free = curve_fit(model, T, Y, [1, 1, 1], full_output=True)
    wide = curve_fit(model, T, Y, [1, 1, 1], bounds=(-1e300, 1e300), full_output=True)
    np.testing.assert_array_equal(free[0], wide[0])
    np.testing.assert_array_equal(free[1], wide[1])
    assert (free[2]["nfev"], free[4]) == (wide[2]["nfev"], wide[4])


@pytest.mark.parametrize("fixed", [{"rate": 1.25}, ["rate"], [False, True, False]], ids=["dict", "names", "mask"])
def test_fixed_parameters_cost_no_degree_of_freedom(model, fixed):
    popt, pcov = curve_fit(model, T, Y, [1, 1.25, 1], fixed=fixed)
    design = np.column_stack([np.exp(-1.25 * T), np.ones(30)])
    expected, (square,), *_ = np.linalg.lstsq(design, Y)
    np.testing.assert_allclose(popt, [expected[0], 1.25, expected[1]], rtol=1e-6)
    cov = square / 28 * np.linalg.inv(design.T @ design)
    np.testing.assert_allclose(pcov[np.ix_([0, 2], [0, 2])], cov, rtol=1e-5)
    np.testing.assert_array_equal(pcov[1], 0)


def test_there_may_be_fewer_points_than_parameters_where_some_are_fixed(model):
    popt, _ = curve_fit(model, T[:2], decay(T[:2], 2, 1.3, 0.5), [1, 1.3, 0.5], fixed={"rate": 1.3, "offset": 0.5})
    np.testing.assert_allclose(popt, [2, 1.3, 0.5], rtol=1e-7)
    with pytest.raises(TypeError):
        curve_fit(model, T[:1], Y[:1], [1, 1.3, 0.5], fixed={"rate": 1.3})


def test_starts_and_bounds_by_name(model):
    expected, _ = curve_fit(model, T, Y, [1, 1, 1], bounds=([-INF, -INF, 0], INF))
    popt, _ = curve_fit(model, T, Y, {"offset": 1, "amplitude": 1, "rate": 1}, bounds={"offset": (0, INF)})
    np.testing.assert_array_equal(popt, expected)
    with pytest.raises((ValueError, TypeError), match="width"):
        curve_fit(model, T, Y, [1, 1, 1], bounds={"width": (0, 1)})
    with pytest.raises((ValueError, TypeError), match="width"):
        curve_fit(model, T, Y, [1, 1, 1], fixed={"width": 1})


@pytest.mark.parametrize("problem", [p for p in bounded_problems() if p.name.endswith(("-N", "-G"))], ids=str)
def test_problems_end_at_kkt_points(problem):
    m = problem.func(problem.x0).size

    def f(_, *p):
        return problem.func(np.array(p))

    def jac(_, *p):
        return problem.jac(np.array(p))

    popt, _ = curve_fit(f, np.arange(m), np.zeros(m), problem.x0, bounds=(problem.lower, problem.upper), jac=jac)
    assert is_kkt(problem, popt)


def test_messages_name_parameters():
    with pytest.raises(ValueError, match=re.compile("rate", re.IGNORECASE)):
        curve_fit(decay, T, Y, [1, 1, 1], bounds={"rate": (2, 1)})
