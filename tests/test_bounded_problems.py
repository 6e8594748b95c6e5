"""The bounded problems themselves: derivatives, boxes and least known minima, by SciPy."""

import numpy as np
import pytest
import scipy.optimize

from bounded_problems import bounded_problems, is_kkt

pytestmark = pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid value", "ignore:divide by zero")
PROBLEMS = bounded_problems()


def test_there_are_at_least_53_problems_of_different_names():
    assert len({problem.name for problem in PROBLEMS}) == len(PROBLEMS) >= 53


@pytest.mark.parametrize("problem", PROBLEMS, ids=str)
def test_derivatives_and_box(problem):
    assert np.all(problem.lower < problem.upper)
    assert np.all((problem.lower <= problem.x0) & (problem.x0 <= problem.upper))
    x = problem.x0 + 1e-3 * (1 + np.arange(problem.n)) * (np.abs(problem.x0) + 1e-2)
    step = 1e-6 * (np.abs(x) + 1e-2)
    sides = [
        (problem.func(x + h * e) - problem.func(x - h * e)) / (2 * h) for h, e in zip(step, np.eye(x.size), strict=True)
    ]
    expected = np.column_stack(sides)
    # Truncation of central differences with a relative step of 1e-6, and rounding of 1e-16/1e-6 of the residuals.
    size = np.linalg.norm(problem.func(x)) / step
    assert np.all(np.abs(problem.jac(x) - expected) <= 1e-5 * np.abs(expected).max(axis=0) + 1e-13 * size)


@pytest.mark.slow
@pytest.mark.parametrize("problem", PROBLEMS, ids=str)
def test_scipy_finds_nothing_below_the_least_known_minimum(problem):
    bounds = (problem.lower, problem.upper)
    fit = scipy.optimize.least_squares(problem.func, problem.x0, problem.jac, bounds, xtol=1e-12, ftol=1e-12)
    # Written with ten digits.
    assert 2 * fit.cost >= problem.minimum * (1 - 1e-9) - 1e-30


@pytest.mark.slow
def test_scipy_finds_most_of_them():
    found = kkt = 0
    for problem in PROBLEMS:
        bounds = (problem.lower, problem.upper)
        fit = scipy.optimize.least_squares(
            problem.func, problem.x0, problem.jac, bounds, x_scale="jac", xtol=1e-14, ftol=1e-14, max_nfev=2000
        )
        # Interior points come near to a bound and are never on it.
        near = 1e-6 * np.maximum(1e-3, np.abs(fit.x))
        x = np.where(fit.x - problem.lower <= near, problem.lower, fit.x)
        x = np.where(problem.upper - x <= near, problem.upper, x)
        found += problem.at_least(x)
        kkt += is_kkt(problem, x)
    assert found >= 50
    assert kkt >= 50
