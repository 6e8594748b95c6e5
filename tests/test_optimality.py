"""Conditions that hold at a least-squares solution, whoever found it, on generated problems."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from leastsq import leastsq
from problems import runs

unit = st.floats(-1, 1, allow_nan=False)
EPS = np.finfo(float).eps


def cosines(jacobian, f):
    """Cosines between the residuals and the columns of the Jacobian: zero at a minimum that is not zero itself."""
    norms = np.linalg.norm(jacobian, axis=0)
    return np.abs(jacobian.T @ f) / np.where(norms > 0, norms, 1) / np.linalg.norm(f)


@st.composite
def linear_problems(draw):
    n = draw(st.integers(1, 5))
    m = draw(st.integers(n + 1, 30))
    design = draw(arrays(float, (m, n), elements=unit)) + 2 * np.eye(m, n)
    scale = 10.0 ** np.array(draw(st.lists(st.integers(-6, 6), min_size=n, max_size=n)))
    y = draw(arrays(float, m, elements=unit)) + np.linspace(0.1, 0.2, m)
    return design * scale, y


@settings(deadline=None)
@given(linear_problems(), st.booleans())
def test_linear_problems_match_their_closed_form(problem, analytic):
    design, y = problem
    options = {"Dfun": lambda x: design.copy()} if analytic else {}
    _, n = design.shape
    x, cov, info, _, ier = leastsq(
        lambda x: design @ x - y, np.ones(n), full_output=True, ftol=1e-14, xtol=1e-14, maxfev=1000, **options
    )
    assert ier in (1, 2, 3, 4, 6, 7, 8)
    columns = np.linalg.norm(design, axis=0)
    condition = np.linalg.cond(design / columns)
    # Forward differences of a linear function are exact but for rounding, divided by a step of sqrt(eps).
    error = 1e3 * condition * (EPS if analytic else np.sqrt(EPS))
    expected = np.linalg.lstsq(design / columns, y, rcond=None)[0]
    size = np.linalg.norm(expected) + np.linalg.norm(y) + np.linalg.norm(columns)
    np.testing.assert_allclose(x * columns, expected, atol=error * condition * size)
    if cov is not None:
        inverse = np.linalg.inv((design / columns).T @ (design / columns))
        scaled = cov * np.outer(columns, columns)
        np.testing.assert_allclose(scaled, inverse, rtol=0, atol=10 * error * condition * np.abs(inverse).max() * size)
    np.testing.assert_array_equal(info["fvec"], design @ x - y)


@settings(deadline=None)
@given(
    amplitude=st.floats(0.5, 5),
    rate=st.floats(0.2, 3),
    offset=st.floats(-1, 1),
    m=st.integers(6, 60),
    seed=st.integers(0, 2**32 - 1),
)
def test_exponentials_end_at_a_minimum(amplitude, rate, offset, m, seed):
    t = np.linspace(0, 3, m)
    y = amplitude * np.exp(-rate * t) + offset + 0.05 * np.random.default_rng(seed).standard_normal(m)

    def func(x):
        return x[0] * np.exp(-x[1] * t) + x[2] - y

    evaluated = []

    def jac(x):
        e = np.exp(-x[1] * t)
        evaluated.append(np.column_stack([e, -x[0] * t * e, np.ones(m)]))
        return evaluated[-1]

    with np.errstate(over="ignore", invalid="ignore"):
        x, cov, info, _, ier = leastsq(func, [1.0, 1.0, 0.0], Dfun=jac, full_output=True, ftol=1e-13, xtol=1e-13)
    start = np.linalg.norm(func(np.array([1.0, 1.0, 0.0])))
    assert np.linalg.norm(info["fvec"]) <= start
    last = evaluated[-1]
    condition = np.linalg.cond(last)
    if ier in (1, 2, 3, 4) and condition < 1e6:
        # The covariance is that of the last Jacobian evaluated; forming J.T @ J squares its condition.
        np.testing.assert_allclose(cov @ (last.T @ last), np.eye(3), atol=100 * EPS * condition**2)
        # The reductions left are below ftol of the sum of squares, so that cosines are below its square root.
        assert cosines(jac(x), func(x)).max() < 1e-5


def test_the_53_runs_end_at_stationary_points():
    """Wherever a fit says it is solved and the sum of squares is not zero, the gradient is."""
    checked = 0
    for problem in runs():
        with np.errstate(all="ignore"):
            x, _, _, _, ier = leastsq(problem.func, problem.x0, Dfun=problem.jac, full_output=True)
            f, j = problem.func(x), problem.jac(x)
        zero = np.linalg.norm(f) <= 1e-6 * np.linalg.norm(problem.func(problem.x0))
        # Long flat valleys: reductions of the sum of squares below ftol = 1.5e-8 leave cosines of its square root.
        if ier in (1, 2, 3, 4) and not zero and np.abs(x).max() < 1e6:
            assert cosines(j, f).max() < 2e-4, problem
            checked += 1
    assert checked >= 20
