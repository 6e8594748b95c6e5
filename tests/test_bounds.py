"""leastsq with bounds: least known minima, the box, what comes out, and what is refused."""

import math
import warnings

import numpy as np
import pytest
import scipy.optimize

from bounded_problems import bounded_problems, is_kkt
from leastsq import leastsq, native

pytestmark = pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid value", "ignore:divide by zero")
PROBLEMS = bounded_problems()


class InBox:
    """Residuals that refuse to be evaluated outside of their box, and count."""

    def __init__(self, problem):
        self.problem, self.calls = problem, 0

    def __call__(self, x):
        assert np.all((self.problem.lower <= x) & (x <= self.problem.upper))
        self.calls += 1
        return self.problem.func(x)


def fitted(problem, differences=False, **options):
    func = InBox(problem)
    dfun = None if differences else problem.jac
    bounds = (problem.lower, problem.upper)
    x, _, info, _, ier = leastsq(func, problem.x0, Dfun=dfun, full_output=True, bounds=bounds, **options)
    assert info["nfev"] == func.calls
    return x, info, ier


def test_problems_are_solved_with_few_evaluations():
    fits = [(problem, *fitted(problem)) for problem in PROBLEMS]
    assert all(is_kkt(problem, x) for problem, x, _, _ in fits)
    # A local minimum, of HS2 and of one of Chebyquad, is what is found twice.
    assert sum(problem.at_least(x) for problem, x, _, _ in fits) >= len(PROBLEMS) - 2
    # 790 when this was written; SciPy's trf takes 1350, scaled by the Jacobian and with the same tolerances.
    assert sum(info["nfev"] for _, _, info, _ in fits) <= 850
    assert all(ier in (1, 2, 3, 4) for _, _, _, ier in fits)


def test_differences_stay_in_the_box_and_find_nearly_as_much():
    fits = [(problem, fitted(problem, differences=True)[0]) for problem in PROBLEMS]
    assert sum(problem.at_least(x) for problem, x in fits) >= len(PROBLEMS) - 4


@pytest.mark.parametrize("problem", PROBLEMS, ids=str)
def test_active_mask_is_where_the_solution_is_on_a_bound(problem):
    x, info, _ = fitted(problem)
    expected = np.where(x == problem.lower, -1, np.where(x == problem.upper, 1, 0))
    np.testing.assert_array_equal(info["active_mask"], expected)


@pytest.mark.parametrize("differences", [False, True])
@pytest.mark.parametrize("problem", PROBLEMS, ids=str)
def test_wide_bounds_change_no_bit(problem, differences):
    dfun = None if differences else problem.jac
    try:
        free = leastsq(problem.func, problem.x0, Dfun=dfun, full_output=True)
    except ValueError:
        pytest.skip("cannot be fitted without bounds")
    wide = leastsq(problem.func, problem.x0, Dfun=dfun, full_output=True, bounds=(-1e300, 1e300))
    np.testing.assert_array_equal(wide[0], free[0])
    np.testing.assert_array_equal(wide[2]["fjac"], free[2]["fjac"])
    assert (wide[2]["nfev"], wide[4]) == (free[2]["nfev"], free[4])


def plane(x):
    return np.array([x[0] - 3, x[1] + 2, 0.5 * (x[0] + x[1])])


@pytest.mark.parametrize("x0", [[0, 0], [1, 1], [0, 1], [1, 0.5]])
def test_a_start_on_bounds_is_no_special_case(x0):
    x, _, info, _, ier = leastsq(plane, x0, full_output=True, bounds=(0, 1))
    assert x.tolist() == [1, 0]
    assert info["active_mask"].tolist() == [1, -1]
    assert ier in (1, 2, 3, 4)


def test_a_corner_ends_with_a_zero_gradient():
    _, _, _, _, ier = leastsq(plane, [1, 0], full_output=True, bounds=(0, 1))
    assert ier == 4


def test_an_object_with_lb_and_ub():
    bounds = scipy.optimize.Bounds([0, 0], [1, 1])
    np.testing.assert_array_equal(leastsq(plane, [0.5, 0.5], bounds=bounds)[0], [1, 0])


@pytest.mark.parametrize("bounds", [None, (-np.inf, np.inf), ([-np.inf, -np.inf], np.inf)])
def test_no_bounds(bounds):
    x, _, info, _, _ = leastsq(plane, [0, 0], full_output=True, bounds=bounds)
    np.testing.assert_array_equal(x, leastsq(plane, [0, 0])[0])
    assert "active_mask" not in info


@pytest.mark.parametrize(
    ("bounds", "sentence"),
    [
        ((0, [1, np.nan]), "upper bound of parameter 1 .* is NaN"),
        (([0, 2], 1), "lower bound of parameter 1 .* above the upper one"),
        (([0, 1], [1, 1]), "parameter 1 .* strictly less"),
        ((0, 0.1), "x0 is infeasible: parameter 0 .* starts at 0.5"),
        ((0, [1, 2, 3]), r"upper bounds of shape \(3,\), expected a number or 2"),
        (5, "expected a pair"),
        ((1, 2, 3), "expected a pair"),
        (([np.inf, 0], np.inf), "parameter 0 .* both inf"),
    ],
)
def test_bounds_that_cannot_be(bounds, sentence):
    with pytest.raises(ValueError, match=sentence):
        leastsq(plane, [0.5, 0.5], bounds=bounds)


def test_nan_beyond_a_step_does_not_lead_to_a_bound():
    def func(x):
        return np.array([np.sqrt(x[0]) - 2, x[1] - 1]) if x[0] < 9 else np.full(2, np.nan)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        x, ier = leastsq(func, [0.01, 0], bounds=(0, [100, 5]))
    np.testing.assert_allclose(x, [4, 1], rtol=1e-7)
    assert ier in (1, 2, 3, 4)


def test_tall_problems_are_folded_with_bounds():
    t = np.linspace(0, 1, 1500)
    y = 2 * np.exp(-3 * t) - 0.05 + 0.01 * np.sin(40 * t)

    def func(p):
        return p[0] * np.exp(-p[1] * t) + p[2] - y

    bounds = ([0, 0, 0], [5, 10, 1])
    x, _, info, _, _ = leastsq(func, [1, 1, 0.5], full_output=True, bounds=bounds)
    theirs = scipy.optimize.least_squares(func, [1, 1, 0.5], bounds=bounds, xtol=1e-14, ftol=1e-14, gtol=1e-14)
    assert info["active_mask"].tolist() == [0, 0, -1]
    # Forward differences and ftol = 1.5e-8 leave half of the digits.
    np.testing.assert_allclose(x[:2], theirs.x[:2], rtol=1e-5)


def test_native_residuals_by_differences_stay_in_the_box():
    numba = pytest.importorskip("numba")
    doubles = numba.types.CPointer(numba.types.float64)
    signature = numba.types.int32(*[numba.types.int64] * 2, *[doubles] * 4, numba.types.voidptr)

    @numba.cfunc(signature)
    def root(m, n, x, p, out, jac, data):
        # NaN beyond 1, where the minimum would be.
        for i in range(m):
            out[i] = x[i] * p[0] - 2 * x[i] if p[0] <= 1 else math.nan
        return 0

    model = native.model(root, ["slope"])
    t = np.linspace(1, 2, 5)
    x, _, info, _, ier = leastsq(model, [1.0], args=(t,), full_output=True, bounds=(0, 1))
    assert (x.tolist(), info["active_mask"].tolist(), ier) == ([1], [1], 4)
