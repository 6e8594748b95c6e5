"""`least_squares`: SciPy's tests, bounded problems, losses, and what is refused."""

import itertools

import numpy as np
import pytest
import scipy.optimize
import scipy.optimize.tests.test_least_squares as scipy_tests

from bounded_problems import bounded_problems, is_kkt
from leastsq import least_squares

# --- SciPy's own tests ---

SPARSE = dict.fromkeys(
    (name for name in dir(scipy_tests.SparseMixin) if name.startswith("test_") and name != "test_exact_tr_solver"),
    "sparse Jacobians, operators and the options of their solvers",
)
OLDER = {"test_x_scale_options": "None, the default since SciPy 1.16, is refused there"}
EXCLUDED = {
    **SPARSE,
    **(OLDER if np.lib.NumpyVersion(scipy.__version__) < "1.16.0" else {}),
    "test_lsmr_regularization": "an option of trf",
    "test_fp32_gh12991": "compares with another optimiser, which ends farther from the minimum, see below",
}


def without_solver(*args, tr_solver=None, **kwargs):
    """Call ours without the solver of trust regions that some tests loop over."""
    return least_squares(*args, **kwargs)


def scipy_cases():
    for owner in (scipy_tests.TestTRF, scipy_tests.TestDogbox, scipy_tests.TestLM):
        for name in sorted(n for n in dir(owner) if n.startswith("test_") and n not in EXCLUDED):
            yield pytest.param(owner, name, id=f"{owner.__name__}-{name}")
    for name in sorted(n for n in dir(scipy_tests) if n.startswith("test_") and n not in EXCLUDED):
        yield pytest.param(None, name, id=name)


@pytest.mark.slow
@pytest.mark.parametrize(("owner", "name"), list(scipy_cases()))
@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")
def test_as_scipy_tests_it(owner, name, monkeypatch):
    refuses = name in ("test_exact_tr_solver", "test_jac_sparsity_not_supported")
    monkeypatch.setattr(scipy_tests, "least_squares", least_squares if refuses else without_solver)
    getattr(scipy_tests if owner is None else owner(), name)()


def test_single_precision_ends_at_the_minimum():
    """The data of the test that is left out: their tolerance, against the exact minimum."""
    rng = np.random.default_rng(1978)
    x, y = np.linspace(0, 1, 100, dtype=np.float32), rng.random(size=100, dtype=np.float32)
    result = least_squares(lambda p: ((p[0] + p[1] * x).astype(np.float32) - y).astype(np.float32), [-1.0, -1.0])
    exact = np.linalg.lstsq(np.stack([np.ones(100), x.astype(float)], axis=1), y.astype(float), rcond=None)[0]
    np.testing.assert_allclose(result.x, exact, rtol=0, atol=9e-5)


# --- Bounds ---


@pytest.mark.slow
@pytest.mark.parametrize("jac", ["given", "2-point", "3-point"])
def test_bounded_problems_are_solved_within_their_boxes(jac):
    """All but three of the 55 end at a Karush-Kuhn-Tucker point, 50 at the least minimum known."""
    at_kkt = at_least = 0
    problems = bounded_problems()
    for problem in problems:

        def inside(x, problem=problem):
            assert (problem.lower <= x).all(), problem.name
            assert (x <= problem.upper).all(), problem.name
            return problem.func(x)

        with np.errstate(all="ignore"):
            result = least_squares(
                inside,
                problem.x0,
                jac=problem.jac if jac == "given" else jac,
                bounds=(problem.lower, problem.upper),
                ftol=1e-12,
                xtol=1e-12,
                gtol=1e-12,
                max_nfev=2000,
            )
        on_bound = (result.x == problem.upper).astype(int) - (result.x == problem.lower)
        assert (result.active_mask == on_bound).all(), problem.name
        at_kkt += is_kkt(problem, result.x)
        at_least += problem.at_least(result.x)
    assert at_kkt >= len(problems) - 3
    assert at_least >= 50


# --- Losses ---


def data_with_outliers():
    rng = np.random.default_rng(3)
    t = np.linspace(0, 5, 60)
    y = 3 * np.exp(-0.8 * t) + 0.5 + 0.05 * rng.normal(size=60)
    y[::9] += rng.uniform(1, 3, 7)
    return t, y


@pytest.mark.parametrize("loss", ["soft_l1", "huber", "cauchy", "arctan", scipy_tests.cubic_soft_l1])
@pytest.mark.parametrize("jac", ["2-point", "3-point", "cs"])
def test_robust_minima_are_those_of_scipy(loss, jac):
    t, y = data_with_outliers()
    settings = {"jac": jac, "loss": loss, "f_scale": 0.1, "ftol": 1e-13, "xtol": 1e-13, "gtol": 1e-13}

    def residuals(p):
        return p[0] * np.exp(-p[1] * t) + p[2] - y

    # The loss of arctan has many minima: from far away, each finds another.
    start = [2.9, 0.85, 0.55] if loss == "arctan" else [2, 1, 0]
    ours = least_squares(residuals, start, **settings)
    theirs = scipy.optimize.least_squares(residuals, start, **settings)
    assert ours.success
    assert ours.cost <= theirs.cost * (1 + 1e-9)
    # A minimum is known to the square root of the precision of its cost.
    np.testing.assert_allclose(ours.x, theirs.x, rtol=2e-6)
    np.testing.assert_allclose(ours.fun, residuals(ours.x), rtol=0, atol=0)


def test_a_callable_loss_is_the_built_in_one():
    t, y = data_with_outliers()

    def soft_l1(z):
        root = np.sqrt(1 + z)
        return np.array([2 * (root - 1), 1 / root, -0.5 / root**3])

    def residuals(p):
        return p[0] * np.exp(-p[1] * t) + p[2] - y

    named, called = (least_squares(residuals, [2, 1, 0], loss=loss, f_scale=0.1) for loss in ("soft_l1", soft_l1))
    # Rows are scaled otherwise, so that the fits take other steps: both end within ftol of the minimum.
    np.testing.assert_allclose(called.cost, named.cost, rtol=1e-7)
    np.testing.assert_allclose(called.x, named.x, rtol=1e-4)


# --- Who watches ---


def valley(x):
    return np.array([10 * (x[1] - x[0] ** 2), 1 - x[0]])


def test_a_callback_sees_every_accepted_step():
    seen = []
    result = least_squares(valley, [-1.2, 1], callback=lambda intermediate_result: seen.append(intermediate_result))
    assert [step.nit for step in seen] == list(range(1, len(seen) + 1))
    assert all(after.cost < before.cost for before, after in itertools.pairwise(seen))
    np.testing.assert_array_equal(seen[-1].x, result.x)
    assert seen[-1]["nfev"] <= result.nfev


def test_stop_iteration_keeps_the_best_point():
    def stop(intermediate_result):
        if intermediate_result.nit == 3:
            raise StopIteration

    result = least_squares(valley, [-1.2, 1], callback=stop)
    assert (result.status, result.success) == (-2, False)
    assert result.cost == 0.5 * np.sum(valley(result.x) ** 2) < 0.5 * np.sum(valley([-1.2, 1]) ** 2)


def test_what_is_printed(capsys):
    least_squares(valley, [-1.2, 1], verbose=2)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["Iteration", "Evaluations", "Cost", "Reduction", "Step", "Optimality"]
    assert lines[-1].startswith("Function evaluations")
    least_squares(valley, [-1.2, 1])
    assert capsys.readouterr().out == ""


def test_the_count_of_evaluations_is_kept_to():
    calls = []

    def counted(x):
        calls.append(x)
        return valley(x)

    result = least_squares(counted, [-1.2, 1], jac=scipy_tests.jac_rosenbrock, max_nfev=7)
    assert result.nfev == len(calls) == 7
    assert (result.status, result.success) == (0, False)


# --- Bad input ---


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"method": "newton"}, "method"),
        ({"tr_solver": "lsmr"}, "tr_solver"),
        ({"tr_options": {"regularize": True}}, "tr_options"),
        ({"jac_sparsity": np.eye(2)}, "jac_sparsity"),
        ({"jac": "4-point"}, "jac must be"),
        ({"loss": "square"}, "loss must be"),
        ({"loss": "huber", "f_scale": 0}, "f_scale"),
        ({"loss": lambda z: z}, r"shape \(2,\), expected \(3, 2\)"),
        ({"x_scale": [1, -1]}, "x_scale"),
        ({"max_nfev": 0}, "max_nfev"),
        ({"max_nfev": 2.5}, "max_nfev"),
        ({"diff_step": 0}, "diff_step"),
        ({"diff_step": [1, 2, 3]}, "diff_step"),
        ({"ftol": "1e-8"}, "ftol"),
        ({"gtol": np.nan}, "gtol"),
        ({"verbose": 3}, "verbose"),
        ({"workers": 0}, "workers"),
        ({"workers": 10**400}, "at most 256 processes"),
        ({"bounds": ([0, np.nan], [1, 1])}, "NaN"),
        ({"bounds": ([0, 2], [1, 1])}, "above the upper"),
        ({"method": "lm", "loss": "huber"}, "lm"),
        ({"method": "lm", "bounds": (-3, 3)}, "lm"),
        ({"jac": lambda x: np.eye(3)}, r"shape \(3, 3\), expected \(2, 2\)"),
        ({"jac": lambda x: np.full((2, 2), np.nan)}, "jac: 4 of 4 values are not finite"),
    ],
)
def test_what_cannot_be_used_is_named(settings, words):
    with pytest.raises(ValueError, match=words):
        least_squares(valley, [0.5, 0.5], **settings)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_residuals_that_are_not_finite_at_the_start(bad):
    with pytest.raises(ValueError, match="fun: 1 of 2 values at the starting point are not finite"):
        least_squares(lambda x: np.array([x[0], bad]), [1.0])


def test_residuals_that_are_not_finite_later_shorten_the_step():
    result = least_squares(lambda x: np.array([np.log(x[0]) if x[0] > 0 else np.nan]), [9.0])
    np.testing.assert_allclose(result.x, 1, rtol=1e-7)


@pytest.mark.parametrize("jac", ["2-point", "3-point", "cs"])
@pytest.mark.parametrize("size", [1, 5])
def test_the_number_of_residuals_may_not_change_between_differences(jac, size):
    calls = iter(range(1, 100))

    def fun(p):
        return np.resize(p[0] * np.arange(7.0) + p[1] - 1, 7 if next(calls) == 1 else size)

    with pytest.raises(ValueError, match=f"fun returned {size} residuals, but 7 at the starting point"):
        least_squares(fun, [1.0, 1.0], jac=jac)


def test_a_ragged_start_is_refused_in_words():
    with pytest.raises(ValueError, match="x0: expected an array of real numbers, got rows of unequal length"):
        least_squares(lambda p: p, [[1, 2], [3]])


@pytest.mark.parametrize("jac", ["2-point", "3-point", "cs"])
@pytest.mark.parametrize("at", range(1, 6))
def test_stop_iteration_of_the_function_comes_out(jac, at):
    """As the end of a loop over points, it would leave columns of the Jacobian out."""
    calls = iter(range(1, 100))

    def fun(p):
        if next(calls) == at:
            raise StopIteration
        return p[0] * np.exp(p[1] * np.arange(7.0)) - 1

    with pytest.raises(StopIteration):
        least_squares(fun, [1.0, 0.1], jac=jac)


def test_workers_return_a_result_for_each_point():
    with pytest.raises(RuntimeError, match="workers returned 1 results for 2 points; expected one for each"):
        least_squares(lambda p: p[0] + p[1] * np.arange(7.0), [1.0, 1.0], workers=lambda f, x: [f(x[0])])
