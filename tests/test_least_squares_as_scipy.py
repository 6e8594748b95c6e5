"""`least_squares`: SciPy's signature, result and meanings, with the bounded Levenberg-Marquardt for every method."""

import inspect

import numpy as np
import pytest
import scipy.optimize
import scipy.sparse

import leastsq
from bounded_problems import bounded_problems, is_kkt

pytestmark = pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid value", "ignore:divide by zero")
T = np.linspace(0, 4, 30)
Y = 2 * np.exp(-T) - 0.05 + 0.03 * np.cos(25 * T)
BOX = ([0, 0, 0], [5, 3, 3])


def func(p, scale=1.0):
    return scale * (p[0] * np.exp(-p[1] * T) + p[2] - Y)


def jac(p, scale=1.0):
    e = np.exp(-p[1] * T)
    return scale * np.column_stack([e, -p[0] * T * e, np.ones(30)])


def test_signature_is_that_of_scipy():
    pytest.importorskip("scipy", "1.16", reason="older ones take no callback")
    ours, theirs = inspect.signature(leastsq.least_squares), inspect.signature(scipy.optimize.least_squares)
    for name, parameter in ours.parameters.items():
        assert name in theirs.parameters
        assert parameter.kind == theirs.parameters[name].kind
    assert list(ours.parameters)[:4] == ["fun", "x0", "jac", "bounds"]


@pytest.mark.parametrize("method", ["trf", "dogbox", "lm"])
@pytest.mark.parametrize("bounded", [False, True])
def test_the_result_is_scipys(method, bounded):
    if bounded and method == "lm":
        with pytest.raises(ValueError, match="lm"):
            leastsq.least_squares(func, [1, 1, 1], jac, BOX, method="lm")
        return
    bounds = BOX if bounded else (-np.inf, np.inf)
    tight = {"ftol": 1e-13, "xtol": 1e-13, "gtol": 1e-13}
    fit = leastsq.least_squares(func, [1, 1, 1], jac, bounds, method=method, **tight)
    theirs = scipy.optimize.least_squares(func, [1, 1, 1], jac, bounds, method="trf", **tight)
    assert fit.success
    assert fit["x"] is fit.x
    assert set(theirs) <= set(fit)
    np.testing.assert_allclose(fit.x, theirs.x, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(fit.cost, theirs.cost, rtol=1e-7)
    np.testing.assert_allclose(fit.fun, func(fit.x), rtol=1e-12)
    np.testing.assert_allclose(fit.jac, jac(fit.x), rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(fit.grad, fit.jac.T @ fit.fun, rtol=1e-6, atol=1e-12)
    free = fit.active_mask == 0
    assert fit.optimality <= 1e-6
    np.testing.assert_allclose(fit.grad[free], 0, atol=1e-6)
    assert fit.active_mask.tolist() == ([0, 0, -1] if bounded else [0, 0, 0])
    assert fit.nfev >= fit.njev >= 1
    assert isinstance(fit.message, str)
    assert fit.status in (1, 2, 3, 4)


@pytest.mark.parametrize("how", ["2-point", "3-point", "cs", jac])
def test_every_way_to_take_derivatives(how):
    fit = leastsq.least_squares(func, [1, 1, 1], how, BOX)
    expected = leastsq.least_squares(func, [1, 1, 1], jac, BOX, ftol=1e-13, xtol=1e-13)
    np.testing.assert_allclose(fit.x, expected.x, rtol=1e-4)
    np.testing.assert_allclose(fit.jac, jac(fit.x), rtol=1e-5, atol=1e-6)


def test_three_point_differences_stay_inside():
    def inside(p):
        assert np.all((np.array(BOX[0]) <= p) & (p <= np.array(BOX[1]))), p
        return func(p)

    for how in ("2-point", "3-point"):
        for start in ([0, 0, 0], [5, 3, 3], [1, 0, 0]):
            fit = leastsq.least_squares(inside, start, how, BOX)
            assert fit.x[2] == 0


@pytest.mark.parametrize("problem", bounded_problems(), ids=str)
def test_problems_end_at_kkt_points(problem):
    fit = leastsq.least_squares(problem.func, problem.x0, problem.jac, (problem.lower, problem.upper))
    # SciPy's tolerances, 1e-8 each.
    assert is_kkt(problem, fit.x), fit


def test_arguments_reach_both_functions():
    fit = leastsq.least_squares(func, [1, 1, 1], jac, args=(3.0,))
    again = leastsq.least_squares(func, [1, 1, 1], jac, kwargs={"scale": 3.0})
    np.testing.assert_array_equal(fit.x, again.x)
    np.testing.assert_allclose(fit.fun, func(fit.x, 3.0))


def test_max_nfev_ends_a_fit_without_success():
    fit = leastsq.least_squares(func, [1, 1, 1], jac, max_nfev=2)
    assert (fit.status, fit.success) == (0, False)
    assert fit.nfev <= 3


def test_verbose_says_what_happens(capsys):
    leastsq.least_squares(func, [1, 1, 1], jac, verbose=0)
    assert not capsys.readouterr().out
    leastsq.least_squares(func, [1, 1, 1], jac, verbose=1)
    one = capsys.readouterr().out
    leastsq.least_squares(func, [1, 1, 1], jac, verbose=2)
    two = capsys.readouterr().out
    assert one
    assert len(two) > len(one)


@pytest.mark.parametrize(
    ("option", "name"),
    [
        ({"jac": lambda x: scipy.sparse.csr_matrix(jac(x))}, "sparse"),
        ({"tr_solver": "lsmr"}, "tr_solver"),
        ({"jac_sparsity": np.ones((30, 3))}, "jac_sparsity"),
        ({"tr_options": {"regularize": True}}, "tr_options"),
        ({"method": "simplex"}, "method"),
        ({"loss": "square"}, "loss"),
        ({"f_scale": -1.0}, "f_scale"),
        ({"x_scale": -1.0}, "x_scale"),
        ({"verbose": 5}, "verbose"),
        ({"jac": "5-point"}, "jac"),
    ],
)
def test_what_it_cannot_do_is_refused_by_name(option, name):
    with pytest.raises((TypeError, ValueError), match=name):
        leastsq.least_squares(func, [1, 1, 1], **option)


def test_complex_and_many_dimensional_starts_are_refused():
    for start in ([1 + 1j, 1, 1], np.ones((3, 1)), []):
        with pytest.raises((TypeError, ValueError), match="x0"):
            leastsq.least_squares(func, start)
