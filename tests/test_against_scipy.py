"""SciPy, live, as the reference for exit codes, counts and every number of the full output."""

import numpy as np
import pytest
import scipy.optimize
import scipy.optimize.tests.test_minpack as scipy_tests

import leastsq
from problems import runs

JACOBIANS = ["differences", "rows", "columns"]

# Of these Jacobians only rounding noise is left after the first pivots. SciPy (1.17) then takes the remaining columns
# as they come, not by the largest norm, so that pivots, covariance and (where it is not unique) the solution differ.
RANK_DEFICIENT = {"linear_rank_1", "linear_rank_1_zeros", "bard", "brown_almost_linear", "powell_singular"}


def options(problem, jacobian):
    if jacobian == "rows":
        return {"Dfun": problem.jac}
    if jacobian == "columns":
        return {"Dfun": lambda x: np.ascontiguousarray(problem.jac(x).T), "col_deriv": True}
    return {}


def both(problem, jacobian, **more):
    arguments = {"full_output": True, **options(problem, jacobian), **more}
    return (
        leastsq.leastsq(problem.func, problem.x0, **arguments),
        scipy.optimize.leastsq(problem.func, problem.x0, **arguments),
    )


@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid value", "ignore:divide by zero")
@pytest.mark.parametrize("jacobian", JACOBIANS)
@pytest.mark.parametrize("problem", runs(), ids=str)
def test_same_exit_code_and_counts(problem, jacobian):
    ours, theirs = both(problem, jacobian)
    assert ours[4] == theirs[4]
    if ours[4] == 5 and problem.name.split("-")[0] in RANK_DEFICIENT:
        # Rounding decides whether the last steps are taken: one is one evaluation, and N more for the differences.
        assert abs(ours[2]["nfev"] - theirs[2]["nfev"]) <= problem.n + 1
    else:
        assert ours[2]["nfev"] == theirs[2]["nfev"]
        assert ours[2].get("njev") == theirs[2].get("njev")
    # Different solutions of the same rank-deficient problem still have the same sum of squares.
    np.testing.assert_allclose(
        np.linalg.norm(ours[2]["fvec"]), np.linalg.norm(theirs[2]["fvec"]), rtol=1e-8, atol=1e-14
    )


@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid value", "ignore:divide by zero")
@pytest.mark.parametrize("jacobian", JACOBIANS)
@pytest.mark.parametrize("problem", [p for p in runs() if p.name.split("-")[0] not in RANK_DEFICIENT], ids=str)
def test_same_numbers(problem, jacobian):
    (x, cov, info, _, _), (x2, cov2, info2, _, _) = both(problem, jacobian)
    # The iterates are the same to the last bit as long as the function is: NumPy's own sums may depend on where an
    # array lies in memory, by a few units in the last place, which chaotic fits amplify.
    np.testing.assert_allclose(x, x2, rtol=1e-7, atol=1e-12)
    np.testing.assert_array_equal(info["ipvt"], info2["ipvt"])
    scale = np.abs(info2["fjac"]).max()
    rows = problem.n
    np.testing.assert_allclose(np.triu(info["fjac"].T[:rows]), np.triu(info2["fjac"].T[:rows]), atol=1e-6 * scale)
    np.testing.assert_allclose(info["fjac"].T[rows:], info2["fjac"].T[rows:], atol=1e-6)
    np.testing.assert_allclose(info["qtf"], info2["qtf"], atol=1e-6 * np.linalg.norm(info2["fvec"]) + 1e-12)
    np.testing.assert_allclose(info["fvec"], info2["fvec"], atol=1e-7 * np.linalg.norm(info2["fvec"]) + 1e-12)
    assert (cov is None) == (cov2 is None)
    if cov is not None:
        np.testing.assert_allclose(cov, cov2, rtol=1e-5, atol=1e-9 * np.abs(cov2).max())


@pytest.mark.parametrize("problem", [p for p in runs() if p.name.startswith("linear_rank_1")], ids=str)
def test_pivots_by_norm_where_scipy_does_not(problem):
    """With pivoting by norm the diagonal of R never grows; this is the difference `RANK_DEFICIENT` excuses."""
    (_, _, info, _, _), _ = both(problem, "rows")
    diagonal = np.abs(np.diag(info["fjac"].T[: problem.n]))
    noise = 1e-12 * diagonal[0]
    assert np.all(np.diff(diagonal[diagonal > noise]) <= 0)
    assert np.count_nonzero(diagonal > noise) == 1


@pytest.mark.parametrize("m", [50, 511, 512, 513, 1024, 5000])
@pytest.mark.parametrize("jacobian", JACOBIANS)
def test_short_and_folded_problems_agree(m, jacobian):
    rng = np.random.default_rng(m)
    t = np.linspace(0, 4, m)
    y = 2.5 * np.exp(-1.3 * t) + 0.5 + 0.05 * rng.standard_normal(m)

    def func(x):
        return x[0] * np.exp(-x[1] * t) + x[2] - y

    def rows(x):
        e = np.exp(-x[1] * t)
        return np.column_stack([e, -x[0] * t * e, np.ones(m)])

    arguments = {"rows": {"Dfun": rows}, "columns": {"Dfun": lambda x: np.array(rows(x).T), "col_deriv": True}}
    arguments = {"full_output": True, **arguments.get(jacobian, {})}
    x, cov, info, _, ier = leastsq.leastsq(func, [1, 1, 0], **arguments)
    x2, cov2, info2, _, ier2 = scipy.optimize.leastsq(func, [1, 1, 0], **arguments)
    assert (ier, info["nfev"]) == (ier2, info2["nfev"])
    # Up to 512 rows sums are the same; beyond, they differ by rounding, which a difference step magnifies.
    np.testing.assert_allclose(x, x2, rtol=1e-8 if m > 512 and jacobian == "differences" else 1e-11)
    np.testing.assert_allclose(cov, cov2, rtol=1e-6)
    np.testing.assert_array_equal(info["ipvt"], info2["ipvt"])
    # Folding may change the signs of rows of R, and nothing else.
    r, r2 = np.triu(info["fjac"].T[:3]), np.triu(info2["fjac"].T[:3])
    np.testing.assert_allclose(np.abs(r), np.abs(r2), rtol=1e-7, atol=1e-9 * np.abs(r2).max())
    np.testing.assert_allclose(np.abs(info["qtf"]), np.abs(info2["qtf"]), atol=1e-6 * np.linalg.norm(info2["fvec"]))


@pytest.mark.parametrize(
    "more",
    [
        {"factor": 0.1},
        {"factor": 1},
        {"diag": [1.0, 3.0]},
        {"epsfcn": 1e-6},
        {"epsfcn": 1e-30},
        {"ftol": 1e-3},
        {"ftol": 0.0, "xtol": 0.0},
        {"ftol": 0.0, "xtol": 0.0, "gtol": 1e-3},
        {"maxfev": 5},
        {"maxfev": 1},
    ],
    ids=str,
)
@pytest.mark.parametrize("jacobian", JACOBIANS)
def test_every_option_means_the_same(more, jacobian):
    problem = next(p for p in runs() if p.name.startswith("jennrich_sampson"))
    (x, cov, info, _, ier), (x2, cov2, info2, _, ier2) = both(problem, jacobian, **more)
    assert (ier, info["nfev"]) == (ier2, info2["nfev"])
    np.testing.assert_allclose(x, x2, rtol=1e-10)
    assert (cov is None) == (cov2 is None)


def scipy_test_names(cls):
    return [name for name in dir(cls) if name.startswith("test_")]


@pytest.mark.parametrize("name", scipy_test_names(scipy_tests.TestLeastSq))
def test_scipys_own_tests_of_leastsq(name, monkeypatch):
    monkeypatch.setattr(scipy_tests, "leastsq", leastsq.leastsq)
    monkeypatch.setattr(scipy_tests.optimize, "leastsq", leastsq.leastsq)
    case = scipy_tests.TestLeastSq()
    case.setup_method()
    getattr(case, name)()
