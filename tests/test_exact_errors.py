"""A finite standard error is right within a factor of two, or it is inf, whoever fits, by whatever derivatives."""

import warnings

import numpy as np
import pytest

import leastsq
from exact_errors import PROBLEMS, exact_standard_errors
from leastsq import models

SEEDS = range(6)


def differences(problem, y, p0):
    popt, pcov = leastsq.curve_fit(problem.model, problem.x, y, p0, maxfev=5000)
    return popt, np.sqrt(np.diag(pcov))


def complex_step(problem):
    def jac(x, *p):
        p = np.array(p, dtype=complex)
        steps = [np.where(np.arange(p.size) == j, 1e-30j, 0) for j in range(p.size)]
        return np.stack([np.imag(problem.model(x, *(p + step))) / 1e-30 for step in steps], axis=-1)

    return jac


def derivatives(problem, y, p0):
    popt, pcov = leastsq.curve_fit(problem.model, problem.x, y, p0, jac=complex_step(problem), maxfev=5000)
    return popt, np.sqrt(np.diag(pcov))


def compiled(problem, y, p0):
    popt, pcov = leastsq.curve_fit(getattr(models, problem.compiled), problem.x, y, p0, maxfev=5000)
    return popt, np.sqrt(np.diag(pcov))


def one_of_many(f, problem, y, p0):
    fits = leastsq.curve_fit_many(f, problem.x, y[None], p0, maxfev=5000)
    if not fits.success[0]:
        raise RuntimeError(fits.message(0))
    return fits.popt[0], fits.stderr[0]


def many(problem, y, p0):
    return one_of_many(problem.model, problem, y, p0)


def many_compiled(problem, y, p0):
    return one_of_many(getattr(models, problem.compiled), problem, y, p0)


DOORS = [differences, derivatives, compiled, many, many_compiled]
CASES = [
    (problem, door) for problem in PROBLEMS for door in DOORS if problem.compiled or "compiled" not in door.__name__
]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid value", "ignore:divide by zero")
@pytest.mark.parametrize(("problem", "door"), CASES, ids=[f"{p}-{d.__name__}" for p, d in CASES])
def test_finite_standard_errors_are_right_within_a_factor_of_two(problem, door):
    for seed in SEEDS if problem.y is None else [0]:
        y = problem.data(seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", leastsq.OptimizeWarning)
            try:
                popt, errors = door(problem, y, problem.p0)
            except RuntimeError:
                continue  # not solved: there are no errors to judge
        exact = exact_standard_errors(problem, y, popt)
        finite = np.isfinite(errors)
        assert np.all(errors[finite] < 2 * exact[finite]), (seed, popt, errors, exact)
        assert np.all(errors[finite] > exact[finite] / 2), (seed, popt, errors, exact)


def test_most_of_these_fits_are_solved_and_some_errors_are_finite():
    """Else the test above would hold for want of anything to judge."""
    solved = finite = 0
    for problem in PROBLEMS:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore", leastsq.OptimizeWarning)
            try:
                _, errors = derivatives(problem, problem.data(0), problem.p0)
            except RuntimeError:
                continue
        solved += 1
        finite += bool(np.isfinite(errors).any())
    assert solved >= 16
    assert finite >= 12
