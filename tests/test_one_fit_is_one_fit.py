"""A fit is the same fit through every door: same verdict, parameters, errors, degrees of freedom and evaluations."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pytest

import leastsq
from leastsq import models, native

pytestmark = [
    pytest.mark.filterwarnings("ignore::leastsq.OptimizeWarning"),
    pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid value", "ignore:divide by zero"),
]


class Outcome(NamedTuple):
    """What a door says of one fit; `dof` and `status` are None where it does not say."""

    solved: bool
    popt: Any = None
    stderr: Any = None
    nfev: Any = None
    dof: Any = None
    why: str = ""


def exponential(x, amplitude, rate, offset):
    return amplitude * np.exp(-rate * x) + offset


def gaussian(x, amplitude, center, sigma, offset):
    u = (x - center) / sigma
    return amplitude * np.exp(-0.5 * u * u) + offset


def michaelis_menten(x, vmax, km):
    return vmax * x / (km + x)


def with_unused(x, a, b, unused):
    return a * np.exp(-b * x) + 0 * unused


FORMULAS = {
    "exponential": (exponential, models.exponential),
    "gaussian": (gaussian, models.gaussian),
    "michaelis_menten": (michaelis_menten, models.michaelis_menten),
    "with_unused": (with_unused, None),
}


@dataclass(frozen=True)
class Case:
    """One data set with all its oddities: NaN where a point is missing, inf in sigma where one does not count."""

    name: str
    model: str
    x: Any
    y: Any
    p0: Any
    sigma: Any = None
    absolute: bool = False

    @property
    def f(self):
        return FORMULAS[self.model][0]

    @property
    def compiled(self):
        return FORMULAS[self.model][1]

    def __str__(self) -> str:
        return self.name


def jitted(case):
    pytest.importorskip("numba")
    return native.jit(case.f)


def alone(f, case, y=None) -> Outcome:
    options = {"sigma": case.sigma, "absolute_sigma": case.absolute, "nan_policy": "omit", "full_output": True}
    try:
        popt, pcov, info, _, _ = leastsq.curve_fit(f, case.x, case.y if y is None else y, case.p0, **options)
    except (RuntimeError, ValueError, TypeError) as error:
        return Outcome(False, why=str(error))
    return Outcome(True, popt, np.sqrt(np.diag(pcov)), info["nfev"], info.get("dof"))


def first_of(fits) -> Outcome:
    if not fits.success[0]:
        return Outcome(False, why=fits.message(0))
    return Outcome(True, fits.popt[0], fits.stderr[0], int(fits.nfev[0]), int(fits.dof[0]))


def options_of(case):
    return {"sigma": case.sigma, "absolute_sigma": case.absolute}


def in_company(f, case, **more) -> Outcome:
    """Fit it as the first of five, the others being its data upside down, shrunk, missing, and once more."""
    others = np.stack([case.y, -case.y, 0.5 * case.y, np.full_like(case.y, np.nan), case.y])
    return first_of(leastsq.curve_fit_many(f, case.x, others, case.p0, **options_of(case), **more))


def masked(case) -> Outcome:
    y = np.ma.masked_invalid(case.y[None])
    return first_of(leastsq.curve_fit_many(case.f, case.x, y, case.p0, **options_of(case)))


def grouped(case) -> Outcome:
    labels = np.zeros(case.y.size, dtype=int)
    return first_of(leastsq.curve_fit_many(case.f, case.x, case.y, case.p0, groups=labels, **options_of(case)))


def lazy(case) -> Outcome:
    array = pytest.importorskip("dask.array")
    y = array.from_array(np.stack([case.y, 0.5 * case.y]), chunks=(1, -1))
    return first_of(leastsq.curve_fit_many(case.f, case.x, y, case.p0, **options_of(case)).compute(scheduler="sync"))


BY_DIFFERENCES = {
    "many": lambda case: in_company(case.f, case),
    "many, one by one": lambda case: in_company(case.f, case, vectorized=False),
    "masks": masked,
    "groups": grouped,
    "dask": lazy,
}
BY_DERIVATIVES = {
    "many compiled": lambda case: in_company(case.compiled, case),
    "alone jit": lambda case: alone(jitted(case), case),
    "many jit": lambda case: in_company(jitted(case), case),
}


def assert_same(expected: Outcome, got: Outcome, steady: bool, door: str, popt: float = 1e-6, errors: float = 1e-4):
    assert got.solved == expected.solved, (door, expected, got)
    if not expected.solved:
        return
    both = np.isfinite(expected.stderr)
    if both.any():  # see test_an_unused_parameter
        np.testing.assert_array_equal(np.isfinite(got.stderr), both, err_msg=door)
    # A last step, no longer than xtol of all parameters together, is taken or not by rounding.
    size = np.where(both, expected.stderr, 0) + np.abs(expected.popt)
    assert np.all(np.abs(got.popt - expected.popt)[both] <= popt * size[both]), (door, expected, got)
    np.testing.assert_allclose(got.stderr[both], expected.stderr[both], rtol=errors, err_msg=door)
    if got.dof is not None and expected.dof is not None:
        assert got.dof == expected.dof, (door, expected, got)
    if steady and expected.nfev is not None:
        assert got.nfev == expected.nfev, (door, expected, got)


def is_steady(f, case, reference: Outcome) -> bool:
    """Tell whether the number of evaluations does not hang on the last digit of the data."""
    rng = np.random.default_rng(3)
    for _ in range(3):
        other = alone(f, case, case.y * (1 + 4e-16 * rng.choice([-1, 1], case.y.size)))
        if (other.solved, other.nfev) != (reference.solved, reference.nfev):
            return False
    return True


def random_case(seed) -> Case:
    rng = np.random.default_rng(seed)
    model = ["exponential", "gaussian", "michaelis_menten", "with_unused"][seed % 4]
    x_scale, y_scale = 10.0 ** rng.integers(-9, 10, 2)
    m = int(rng.integers(12, 40))
    x = np.linspace(0.1, 4, m)
    truth = {
        "exponential": (2.5, 1.3, 0.5),
        "gaussian": (3, 2, 0.6, 1),
        "michaelis_menten": (4, 1.5),
        "with_unused": (2.5, 1.3, 0.5),
    }[model]
    units = {
        "exponential": (y_scale, 1 / x_scale, y_scale),
        "gaussian": (y_scale, x_scale, x_scale, y_scale),
        "michaelis_menten": (y_scale, x_scale),
        "with_unused": (y_scale, 1 / x_scale, 1),
    }[model]
    truth = np.array(truth) * rng.uniform(0.9, 1.1, len(truth))
    y = FORMULAS[model][0](x, *truth) + 0.03 * rng.standard_normal(m)
    oddity = ["plain", "missing", "inf sigma", "absolute", "M = N", "float32"][seed // 4 % 6]
    sigma = None
    if oddity == "missing":
        y[rng.integers(0, m, 3)] = np.nan
    if oddity in ("inf sigma", "absolute"):
        sigma = 0.03 * y_scale * rng.uniform(0.5, 2, m)
        if oddity == "inf sigma":
            sigma[rng.integers(0, m, 2)] = np.inf
    if oddity == "M = N":
        keep = np.linspace(1, m - 2, len(truth)).astype(int)
        x, y = x[keep], y[keep]
    x, y = x * x_scale, y * y_scale
    if oddity == "float32":
        y = y.astype(np.float32)
    start = truth * rng.uniform(0.8, 1.25, truth.size) * np.array(units)
    return Case(f"{seed}-{model}-{oddity}", model, x, y, start, sigma, oddity == "absolute")


CASES = [random_case(seed) for seed in range(120)]


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=str)
def test_by_differences(case):
    reference = alone(case.f, case)
    steady = is_steady(case.f, case, reference)
    for door, fit in BY_DIFFERENCES.items():
        assert_same(reference, fit(case), steady, door)


@pytest.mark.slow
@pytest.mark.parametrize("case", [case for case in CASES if case.compiled], ids=str)
def test_by_derivatives(case):
    reference = alone(case.compiled, case)
    steady = is_steady(case.compiled, case, reference)
    for door, fit in BY_DERIVATIVES.items():
        assert_same(reference, fit(case), steady, door)
    # Differences end at the same minimum; evaluations count those for differences, and are others.
    by_differences = alone(case.f, case)._replace(nfev=None)
    assert_same(by_differences, reference, False, "differences", 1e-4, 1e-2)


# --- What disagreed once ---


@pytest.mark.parametrize(
    ("start", "scale"),
    [((1.0, 1.0), 1.0), ((2.4, 1.2), 1.0), ((2.0, 3.0), 1.0), ((2.4, 1.2), 1e6), ((2.0, 3.0), 1e6)],
    ids=str,
)
def test_a_model_that_hides_single_precision_is_refused_or_fitted(start, scale):
    """Forward differences see nothing, or rounding alone; what still counts as solved is at the minimum."""
    x = np.linspace(0, 4, 50)

    def exact(x, a, b):
        return scale * a * np.exp(-b * x)

    def f(x, a, b):
        return exact(x, a, b).astype(np.float32).astype(np.float64)

    y = exact(x, 2.5, 1.3) + 0.03 * scale * np.cos(25 * x)
    case = Case("single", "", x, y, np.array(start))
    right, cov = leastsq.curve_fit(exact, x, y, start)
    ends = [alone(f, case), in_company(f, case), in_company(f, case, vectorized=False)]
    for end in ends:
        assert end.solved == ends[0].solved, end
        assert not end.solved or np.all(np.abs(end.popt - right) <= 0.5 * np.sqrt(np.diag(cov))), end


@pytest.mark.parametrize("vectorized", [True, False])
def test_the_rank_decides_the_degrees_of_freedom(vectorized):
    """Three points, three parameters of which two are determined: one degree of freedom, which scales errors."""
    x, y = np.array([0.0, 1.0, 2.0]), np.array([1.0, 2.1, 2.9])

    def f(x, a, b, c):
        return a + (b + c) * x

    _, pcov = leastsq.curve_fit(f, x, y, [1, 1, 1])
    fits = leastsq.curve_fit_many(f, x, y[None], [1, 1, 1], vectorized=vectorized)
    np.testing.assert_allclose(fits.pcov[0][0, 0], pcov[0, 0], rtol=1e-6)
    assert np.isfinite(pcov[0, 0])
    assert np.isinf(pcov[1:, 1:]).all()
    assert fits.dof[0] == 1
    np.testing.assert_allclose(fits.redchi[0], fits.chisq[0], rtol=1e-12)
    # Variance of the intercept of a line through 0, 1, 2: s2 * (1/3 + 1/2).
    np.testing.assert_allclose(pcov[0, 0], fits.redchi[0] * (1 / 3 + 1 / 2), rtol=1e-5)


@pytest.mark.parametrize("vectorized", [True, False])
def test_every_evaluation_counts(vectorized):
    """Data sets whose derivatives have to be taken afresh: nfev is what was evaluated, however they are fitted."""
    rng = np.random.default_rng(5)
    x = np.linspace(-1, 1, 25)
    data = 1e-6 * rng.standard_normal((6, 25)) + 1
    rows = 0

    def f(x, a, b, c):
        nonlocal rows
        value = a + b * x + c * x**2
        rows += value.size // 25
        return value

    start = [1.0, 0.0, 0.0]
    for y in data:
        rows = 0
        info = leastsq.curve_fit(f, x, y, start, full_output=True)[2]
        assert rows == info["nfev"]
    rows = 0
    fits = leastsq.curve_fit_many(f, x, data, start, vectorized=vectorized)
    # What is evaluated to find out whether f takes many fits at once is not of any fit: at most three of them.
    assert fits.nfev.sum() <= rows <= fits.nfev.sum() + 3 * len(data)


@pytest.mark.parametrize("vectorized", [True, False])
def test_an_unused_parameter_costs_the_same_everywhere_with_absolute_errors(vectorized):
    """With relative ones, `curve_fit` gives up all of them, as SciPy's does; many fits keep those of the others."""
    x = np.linspace(0, 4, 20)
    y = 2.5 * np.exp(-1.3 * x) + 0.03 * np.cos(25 * x)
    sigma = np.linspace(0.02, 0.05, 20)
    options = {"sigma": sigma, "absolute_sigma": True}
    popt, pcov = leastsq.curve_fit(with_unused, x, y, [1, 1, 1], **options)
    fits = leastsq.curve_fit_many(with_unused, x, y[None], [1, 1, 1], vectorized=vectorized, **options)
    np.testing.assert_allclose(fits.popt[0], popt, rtol=1e-6)
    np.testing.assert_array_equal(np.isfinite(fits.pcov[0]), np.isfinite(pcov))
    where = np.isfinite(pcov)
    assert where.sum() == 4
    np.testing.assert_allclose(fits.pcov[0][where], pcov[where], rtol=1e-4)
    relative = leastsq.curve_fit(with_unused, x, y, [1, 1, 1], sigma)[1]
    assert np.isinf(relative).all()
    fits = leastsq.curve_fit_many(with_unused, x, y[None], [1, 1, 1], sigma, vectorized=vectorized)
    assert np.isfinite(fits.pcov[0]).sum() == 4
