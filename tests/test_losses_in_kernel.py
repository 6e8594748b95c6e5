"""Losses in the compiled iteration, values of models handed in: published estimates, and points left out."""

import numpy as np
import pytest
import scipy.optimize

from leastsq import leastsq
from leastsq._input.bounds import Bounds
from leastsq._solver import kernel
from leastsq._solver.problem import checked_options

SOFT_L1, HUBER, CAUCHY, ARCTAN, POISSON = range(1, 6)
NAMES = {SOFT_L1: "soft_l1", HUBER: "huber", CAUCHY: "cauchy", ARCTAN: "arctan"}

# Brownlee's stack loss: air flow, water temperature, acid concentration, loss.
STACK_LOSS = """
80 27 89 42 80 27 88 37 75 25 90 37 62 24 87 28 62 22 87 18 62 23 87 18 62 24 93 19 62 24 93 20 58 23 87 15 58 18 80 14
58 18 89 14 58 17 88 13 58 18 82 11 58 19 93 12 50 18 89 8 50 18 86 7 50 19 72 8 50 19 79 8 50 20 80 9 56 20 82 15
70 20 91 15"""
STACK = np.array([float(one) for one in STACK_LOSS.split()]).reshape(21, 4)
# Dobson's counts: three outcomes, three treatments.
COUNTS = np.array([18.0, 17, 15, 20, 10, 20, 25, 13, 12])
DESIGN = np.column_stack(
    [np.ones(9), *(np.arange(9) % 3 == k for k in (1, 2)), *(np.arange(9) // 3 == k for k in (1, 2))]
).astype(float)


def fit(model, jac, y, x0, loss, scale=1.0, weights=None, bounds=None, tol=1e-12):
    """Fit a model to data by handing in its values and derivatives, or values only."""
    options = checked_options(len(x0), jac is not None, tol, tol, 0, 0, None, 100, None)
    options = options._replace(loss=loss, f_scale=scale)
    x = np.array(x0, dtype=float)
    state = kernel.begin(y.size, x, int(jac is not None), options, bounds=bounds)
    task = kernel.RESIDUALS
    for _ in range(5000):
        if task == kernel.RESIDUALS:
            task = kernel.take_values(state, model(x), y, weights, x)
        elif task == kernel.JACOBIAN:
            task = kernel.take_slopes(state, jac(x), False, y, weights, x)
        else:
            break
    assert task == kernel.DONE
    info, nfev, _, _, fnorm = kernel.outcome(state)
    cov = kernel.covariance_matrix(state, x.size, 1.0)[0]
    return x, info, nfev, fnorm**2, cov


@pytest.mark.parametrize("differences", [False, True])
def test_hubers_stack_loss(differences):
    design, y = np.column_stack([np.ones(21), STACK[:, :3]]), STACK[:, 3].copy()
    jac = None if differences else lambda p: design
    x, info, _, cost, _ = fit(lambda p: design @ p, jac, y, [0, 0, 0, 0], HUBER, 1.345 * 2.440536091721074)
    # The published ones have eight digits; forward differences leave about half of those of the solution.
    np.testing.assert_allclose(
        x, [-41.02649835, 0.82938433, 0.92606597, -0.12784672], rtol=1e-4 if differences else 2e-7
    )
    np.testing.assert_allclose(cost, 147.627626212, rtol=1e-9)
    assert info in (1, 2, 3, 4)


@pytest.mark.parametrize("differences", [False, True])
def test_dobsons_counts(differences):
    jac = None if differences else lambda p: DESIGN * np.exp(DESIGN @ p)[:, None]
    x, info, nfev, cost, cov = fit(lambda p: np.exp(DESIGN @ p), jac, COUNTS, [2, 0, 0, 0, 0], POISSON)
    # Zeros are zero to what the tolerance on the cost leaves.
    np.testing.assert_allclose(x, [3.04452244, -0.454255272, -0.292987125, 0, 0], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(cost, 5.129141077, rtol=1e-9)
    if not differences:  # whose steps relative to zeros are too small at the solution
        np.testing.assert_allclose(np.sqrt(np.diag(cov)), [0.17089865, 0.20217076, 0.19274235, 0.2, 0.2], rtol=1e-5)
    assert info in (1, 2, 3, 4)
    assert nfev < (100 if differences else 20)


@pytest.mark.parametrize("loss", NAMES)
@pytest.mark.parametrize("differences", [False, True])
def test_robust_losses_find_the_minimum_of_scipy(loss, differences):
    rng = np.random.default_rng(loss)
    t = np.linspace(0, 4, 40)
    y = 4 * np.exp(-t) + 0.5 + rng.normal(0, 0.1, t.size)
    y[::7] += 3
    weights = np.full(t.size, 2.0)

    def model(p):
        return p[0] * np.exp(-p[1] * t) + p[2]

    def jac(p):
        e = np.exp(-p[1] * t)
        return np.column_stack([e, -p[0] * t * e, np.ones_like(t)])

    x, info, _, cost, _ = fit(model, None if differences else jac, y, [3, 0.7, 0.4], loss, 0.3, weights)
    theirs = scipy.optimize.least_squares(
        lambda p: weights * (model(p) - y),
        x,
        loss=NAMES[loss],
        f_scale=0.3,
        xtol=1e-15,
        ftol=1e-15,
        gtol=1e-15,
    )
    assert info in (1, 2, 3, 4)
    np.testing.assert_allclose(cost, 2 * theirs.cost, rtol=1e-9)


def test_points_without_weight_are_not_looked_at():
    y, weights = COUNTS.copy(), np.ones(9)
    y[4], weights[4] = np.nan, 0

    def model(p):
        values = np.exp(DESIGN @ p)
        values[4] = np.nan
        return values

    for loss in (0, HUBER, POISSON):
        x, info, _, _, _ = fit(model, None, y, [2, 0, 0, 0, 0], loss, weights=weights)
        assert info in (1, 2, 3, 4)
        kept = weights > 0

        def few(p, kept=kept):
            return np.exp(DESIGN[kept] @ p)

        others, _, _, _, _ = fit(few, None, y[kept], [2, 0, 0, 0, 0], loss)
        # The same sums but for the order of additions, to what differences leave.
        np.testing.assert_allclose(x, others, rtol=1e-6, atol=1e-7)


def test_means_of_counts_may_be_too_small_to_divide_by():
    t = np.linspace(-50, 50, 201)

    def model(p):
        return p[0] * np.exp(-0.5 * ((t - p[1]) / p[2]) ** 2)

    means = model([100, 0, 1.3])
    y = np.rint(means)
    assert np.any((means > 0) & (means < np.finfo(float).tiny))
    x, info, _, cost, _ = fit(model, None, y, [90, 0.1, 1.3], POISSON)
    few = np.abs(t) < 20
    others, _, _, same, _ = fit(lambda p: model(p)[few], None, y[few], [90, 0.1, 1.3], POISSON)
    assert info in (1, 2, 3, 4)
    # The same sums but for the order of additions, to what differences leave.
    np.testing.assert_allclose(x, others, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(cost, same, rtol=1e-12)


def test_values_are_residuals_to_the_last_bit():
    def model(p):
        return np.exp(DESIGN @ p)

    weights = np.linspace(0.5, 2, 9)
    x, info, nfev, _, _ = fit(model, None, COUNTS, [2, 0, 0, 0, 0], 0, weights=weights)
    theirs, _, details, _, ier = leastsq(
        lambda p: weights * (model(p) - COUNTS), [2, 0, 0, 0, 0], ftol=1e-12, xtol=1e-12, full_output=True
    )
    np.testing.assert_array_equal(x, theirs)
    assert (info, nfev) == (ier, details["nfev"])


def test_fixed_parameters_leave_a_fit_of_the_others():
    def model(p):
        return np.exp(DESIGN @ p)

    lower, upper = np.full(5, -np.inf), np.full(5, np.inf)
    lower[3:] = upper[3:] = 0.0
    x, _, nfev, _, _ = fit(model, None, COUNTS, [2, 0, 0, 0, 0], 0, bounds=Bounds(lower, upper))
    fewer, _, fewer_nfev, _, _ = fit(lambda p: np.exp(DESIGN[:, :3] @ p), None, COUNTS, [2, 0, 0], 0)
    assert x[3:].tolist() == [0, 0]
    np.testing.assert_allclose(x[:3], fewer, rtol=1e-9)
    assert nfev == fewer_nfev


def test_fewer_points_than_parameters_where_enough_are_fixed():
    lower, upper = np.array([-np.inf, 2.0, 3.0]), np.array([np.inf, 2.0, 3.0])
    y = np.array([10.0, 14.0])
    t = np.array([1.0, 2.0])
    x, info, _, cost, _ = fit(lambda p: p[0] * t + p[1] + p[2], None, y, [1, 2, 3], 0, bounds=Bounds(lower, upper))
    np.testing.assert_allclose(x, [4.6, 2, 3], rtol=1e-8)
    assert info in (1, 2, 3, 4)
    np.testing.assert_allclose(cost, 0.2, rtol=1e-9)


def test_all_parameters_fixed():
    point = np.array([1.0, 2.0])
    x, info, nfev, _, _ = fit(lambda p: p * 3, None, np.zeros(2), point, 0, bounds=Bounds(point, point))
    assert (x.tolist(), info, nfev) == ([1, 2], 4, 1)
