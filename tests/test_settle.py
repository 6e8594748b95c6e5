"""What judges fits that came to an end: statistics, derivatives taken afresh, and awkward ends."""

import numpy as np
import pytest

import leastsq
from leastsq import models
from leastsq._verdict import statistics as _statistics
from leastsq._verdict.derivatives import Scales, fresh_slopes
from leastsq._verdict.directions import along_dropped
from leastsq._verdict.statistics import ANALYTIC, CENTRAL, statistics

pytestmark = [
    pytest.mark.filterwarnings("ignore::leastsq.OptimizeWarning"),
    pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid value", "ignore:divide by zero"),
]
POINTS = np.array([20], dtype=np.intc)
NOT_WEAK = np.zeros((1, 2), dtype=np.bool_)


def triangle(jacobian, residuals):
    n = jacobian.shape[1]
    return np.linalg.qr(np.column_stack([jacobian, residuals]), mode="r")[None, :n]


def peak(x, amplitude, center, sigma, offset):
    return amplitude * np.exp(-((x - center) ** 2) / (2 * sigma**2)) + offset


# --- statistics ---


def test_covariance_rank_and_offset_are_those_of_the_formulas():
    rng = np.random.default_rng(1)
    jacobian, r = rng.standard_normal((20, 3)), rng.standard_normal(20)
    found = statistics(triangle(jacobian, r), np.array([np.linalg.norm(r)]), POINTS, ANALYTIC, False)
    q = np.linalg.qr(jacobian)[0] @ (np.linalg.qr(jacobian)[0].T @ r)
    variance = r @ r / 17
    np.testing.assert_allclose(found.pcov[0], variance * np.linalg.inv(jacobian.T @ jacobian), rtol=1e-12)
    expected = np.sqrt((q @ q / 3) / ((r - q) @ (r - q) / 17))
    np.testing.assert_allclose(found.offset, expected, rtol=1e-12)
    assert found.rank == 3
    assert not found.unused.any()
    assert not found.combined.any()


def test_one_decomposition_that_does_not_converge_spares_the_others(monkeypatch):
    svd = np.linalg.svd

    def refusing(square):
        if (square == 7).any():
            raise np.linalg.LinAlgError("SVD did not converge")
        return svd(square)

    monkeypatch.setattr(np.linalg, "svd", refusing)
    square = np.stack([np.eye(2), np.full((2, 2), 7.0), 3 * np.eye(2)])
    _, values, _ = _statistics.decomposed(square)
    assert values.tolist() == [[1, 1], [0, 0], [3, 3]]


# --- derivatives ---


def scales_of(y):
    size = np.array([np.linalg.norm(y)])
    return Scales(size, size, 1e-11 * size, np.zeros((1, 2)))


def test_steps_see_through_hidden_single_precision():
    x = np.linspace(0, 4, 50)

    def residuals(fits, points):
        return np.array([(a * np.exp(-b * x)).astype(np.float32).astype(float) for a, b in points])

    at = np.array([[2.0e6, 1.2]])
    f = residuals(None, at)
    slopes, _, _, smooth, _ = fresh_slopes(residuals, np.array([0]), at, f, scales_of(f), 0.0)
    exact = np.stack([np.exp(-1.2 * x), -2e6 * x * np.exp(-1.2 * x)], axis=1)
    # The change is a hundred times and more the rounding of single precision.
    assert np.all(np.linalg.norm(slopes[0] - exact, axis=0) < 0.02 * np.linalg.norm(exact, axis=0))
    assert smooth[0]


def test_parallel_columns_are_told_apart_along_their_difference():
    t = np.linspace(0, 100, 60)
    x = 1e11 + t

    def residuals(fits, points):
        return np.array([a + b * x for a, b in points])

    at = np.array([[-0.05e11, 0.05]])
    f = residuals(None, at)
    exact = np.stack([np.ones(60), x], axis=1)
    rng = np.random.default_rng(2)
    # Differences of eleven digits, in which the two columns are the same.
    slopes = (exact * (1 + 1e-11 * rng.standard_normal((60, 2))))[None].copy()
    scales = scales_of(at[0, 0] * np.ones(60))
    evaluations, sure = along_dropped(
        residuals, np.array([0]), at, f, slopes, scales, NOT_WEAK, np.array([2e-10]), None
    )
    assert evaluations.tolist() == [2]
    assert sure[0]
    across = np.linalg.svd(exact / np.linalg.norm(exact, axis=0))[1][1]
    got = np.linalg.svd(slopes[0] / np.linalg.norm(slopes[0], axis=0))[1][1]
    np.testing.assert_allclose(got, across, rtol=0.01)


def test_a_direction_that_is_flat_stays_flat():
    x = np.linspace(0, 1, 20)

    def residuals(fits, points):
        return np.array([a * b * np.exp(-x) for a, b in points])

    at = np.array([[2.0, 3.0]])
    f = residuals(None, at)
    slopes = np.stack([3 * np.exp(-x), 2 * np.exp(-x)], axis=1)[None]
    slopes[0, ::2, 0] *= 1 + 1e-9
    of, singular = scales_of(f), np.array([CENTRAL.singular])
    _, sure = along_dropped(residuals, np.array([0]), at, f, slopes, of, NOT_WEAK, singular, None)
    assert sure[0]
    assert np.linalg.matrix_rank(slopes[0], tol=1e-12) == 1


def test_directions_are_corrected_until_they_stay():
    """The direction that noisy differences show is not yet the one along which derivatives are smallest."""
    t = np.linspace(0, 1, 40)
    columns = np.stack([np.ones(40), 1 + 1e-5 * t, 1 + 1e-5 * t + 1e-10 * t**2], axis=1)

    def residuals(fits, points):
        return points @ columns.T

    at = np.array([[2.0, -3.0, 1.5]])
    f = residuals(None, at)
    rng = np.random.default_rng(3)
    smallest = []
    for closely in (False, True):
        slopes = (columns * (1 + 1e-8 * rng.standard_normal((40, 3))))[None].copy()
        of, singular, weak = scales_of(f), np.array([CENTRAL.singular]), np.zeros((1, 3), dtype=np.bool_)
        given = (residuals, np.array([0]), at, f, slopes, of, weak, singular, None, closely)
        _, sure = along_dropped(*given)
        assert sure[0]
        smallest.append(np.linalg.svd(slopes[0] / np.linalg.norm(slopes[0], axis=0))[1][2])
    right = np.linalg.svd(columns / np.linalg.norm(columns, axis=0))[1][2]
    # Steps of the parameters' size change these by a few, so that rounding is relative to them as 1e-16 to 1e-12.
    assert abs(smallest[1] - right) < 0.05 * right
    assert abs(smallest[0] - right) > 0.3 * right


def test_errors_are_those_of_what_is_told_from_noise():
    rng = np.random.default_rng(1)
    jacobian, r = rng.standard_normal((20, 3)), rng.standard_normal(20)
    jacobian[:, 1] = jacobian[:, 0] + 1e-6 * jacobian[:, 1]
    given = (triangle(jacobian, r), np.array([np.linalg.norm(r)]), POINTS, CENTRAL, False)
    usual = statistics(*given)
    assert np.isfinite(usual.pcov).all()
    noisy = statistics(*given, noise=np.array([[1e-6, 0, 0]]))
    assert np.isfinite(noisy.pcov[0].diagonal()).tolist() == [False, False, True]
    assert (noisy.rank, noisy.offset) == (usual.rank, usual.offset)


def test_errors_just_above_rounding_are_kept():
    """One peak is a ridge: its height, place and width make up for each other to six digits. The other is not."""
    x = np.linspace(-5, 5, 9)
    y = np.array([0.015, 0.06, 0.183, 1.391, 0.394, 0.827, 0.313, 0.083, 0.042])

    def f(x, a, m, s, b, l, t):  # noqa: E741
        return peak(x, a, m, s, 0) + peak(x, b, l, t, 0)

    def jac(x, *p):
        steps = 1e-30j * np.eye(6)
        return np.stack([np.imag(f(x, *(np.array(p) + step))) / 1e-30 for step in steps], axis=-1)

    popt, pcov = leastsq.curve_fit(f, x, y, [1.485, -1.255, 0.7841, 0.9972, 1.859, 0.6507])
    assert np.isfinite(pcov).all()
    r = np.linalg.qr(jac(x, *popt), mode="r")
    variance = np.sum((f(x, *popt) - y) ** 2) / 3
    exact = np.sqrt(variance * np.sum(np.linalg.inv(r) ** 2, axis=1))
    # Of errors a million times the parameter's size, rounding of differences leaves two digits.
    np.testing.assert_allclose(np.sqrt(pcov.diagonal()), exact, rtol=0.05)


def test_a_width_that_shows_only_once_it_reaches_the_data_has_no_derivative():
    x = np.linspace(-5, 5, 30)

    def residuals(fits, points):
        return np.array([peak(x, 1.0, c, s, 0.0) for c, s in points]) + np.cos(9 * x)

    at = np.array([[21.0, 0.76]])
    f = residuals(None, at)
    slopes, _, _, _, _ = fresh_slopes(residuals, np.array([0]), at, f, scales_of(f), 0.0)
    assert not slopes.any()


# --- awkward ends ---


@pytest.mark.parametrize("phase", [8, 9])
@pytest.mark.parametrize("start", [(1, -0.5, 0.3, 0.1), (0.9, -0.8, 0.36, 0.16), (-1.5, -1.5, 0.23, 0.12)], ids=str)
def test_a_cubic_over_years_is_solved_from_where_its_parameters_are_small(start, phase):
    """Along the way to the minimum, steps of the size of the parameters there change nothing but rounding."""
    x = 1990 + np.linspace(0, 5, 20)
    y = 1 - 0.5 * x + 0.3 * x**2 + 0.1 * x**3 + 0.1 * np.cos(phase * np.arange(20) ** 1.5)
    _, pcov, info, *_ = leastsq.curve_fit(
        lambda x, a, b, c, d: a + b * x + c * x**2 + d * x**3, x, y, start, full_output=True
    )
    t = x - x.mean()
    least = np.sum((np.polyval(np.polyfit(t, y, 3), t) - y) ** 2)
    # Solved may be half a standard error away; with derivatives that are right, these end within a hundredth.
    assert np.sum(info["fvec"] ** 2) < least * (1 + 0.1**2 / 16)
    assert np.isfinite(pcov).all()


def test_the_offset_beside_a_dead_peak_has_its_own_error():
    x = np.arange(26)
    y = 5 + np.cos(9 * x)
    start = [1, 10.3, 0.01, 5]
    mean_error = np.std(y, ddof=1) / np.sqrt(26)
    # Exact derivatives see that the peak could take the one point that it is over.
    seen = np.sqrt(np.sum((y - y.mean()) ** 2) / 24 / 25)
    for f, error in ((models.gaussian, seen), (peak, mean_error)):
        popt, pcov = leastsq.curve_fit(f, x, y, start)
        fits = leastsq.curve_fit_many(f, x, np.stack([y, np.full(26, np.nan), y]), start)
        assert fits.success.tolist() == [True, False, True]
        for value, errors in (
            (popt[3], np.sqrt(np.diag(pcov))),
            *zip(fits.popt[::2, 3], fits.stderr[::2], strict=True),
        ):
            assert abs(value - y.mean()) < 0.2 * mean_error
            assert np.isinf(errors[:3]).all()
            # Residuals at the start, a sixth of an error from the minimum, are larger by a part in a thousand.
            np.testing.assert_allclose(errors[3], error, rtol=2e-3)


@pytest.mark.parametrize("jac", [False, True])
def test_a_tiny_start_is_no_solution(jac):
    """Where no step reduces what is left of the data, ftol tells nothing; longer differences lead on from there."""
    x = np.linspace(0, 4, 50)
    y = 2e12 * np.exp(-1.3 * x) * (1 + 0.01 * np.cos(25 * x))

    def f(x, a, b):
        return a * np.exp(-b * x)

    def slopes(x, a, b):
        e = np.exp(-b * x)
        return np.stack(np.broadcast_arrays(e, -a * x * e), axis=-1)

    fits = leastsq.curve_fit_many(f, x, y[None], [1, 1], jac=slopes if jac else None)
    assert np.allclose(fits.popt[0], [2e12, 1.3], rtol=0.02) or (jac and not fits.success[0])
    try:
        popt, _ = leastsq.curve_fit(f, x, y, [1, 1], jac=slopes if jac else None)
    except RuntimeError:
        assert jac
        return
    np.testing.assert_allclose(popt, [2e12, 1.3], rtol=0.02)


def test_parameters_at_zero_are_not_dead():
    x = np.linspace(650, 660, 60)
    start = [0, 655, 1, 0.5]
    fits = leastsq.curve_fit_many(models.gaussian, x, np.full((1, 60), 0.5), start, sigma=0.1, absolute_sigma=True)
    assert np.isfinite(fits.stderr).tolist() == [[True, False, False, True]]


@pytest.mark.parametrize("scale", [1e153, 1e156, 1e200])
def test_no_fit_is_solved_with_a_sum_of_squares_that_is_no_number(scale):
    x = np.arange(26.0)
    y = scale * (3 + x + np.cos(9 * x))

    def line(x, a, b):
        return a + b * x

    start = [scale, scale]
    fits = leastsq.curve_fit_many(line, x, np.stack([y, y / scale]), [start, [1, 1]])
    if scale < 1e154:
        assert fits.success.all()
        assert np.isfinite(fits.chisq).all()
        leastsq.curve_fit(line, x, y, start)
        return
    assert fits.status[0] == 15
    assert np.isnan(fits.popt[0]).all()
    assert "power of ten" in fits.message(0)
    assert fits.success[1]
    with pytest.raises(RuntimeError, match="power of ten"):
        leastsq.curve_fit(line, x, y, start)
    # Weighted residuals of ordinary size are no trouble.
    assert leastsq.curve_fit_many(line, x, y[None], start, sigma=scale).success[0]


@pytest.mark.parametrize("vectorized", [True, False])
@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("error", [StopIteration, KeyError, MemoryError, AssertionError])
def test_exceptions_come_out_under_their_own_name(error, workers, vectorized):
    calls = 0

    def f(x, a, b):
        nonlocal calls
        calls += 1
        if calls > 4:
            raise error("mine")
        return a * np.exp(-b * x)

    x = np.linspace(0, 4, 30)
    y = np.exp(-x) + 0.01 * np.cos(9 * x)
    with pytest.raises(error, match="mine"):
        leastsq.curve_fit_many(f, x, np.tile(y, (50, 1)), [1, 2], vectorized=vectorized, workers=workers)


def test_a_sum_of_squares_whose_derivatives_overflow_is_judged():
    x = np.linspace(1, 6, 20)
    start = [8.08, -0.1097, 0.04457, -80.25]
    y = 1.5 * np.exp(-0.5 * x)

    def f(x, a, k, b, l):  # noqa: E741
        return a * np.exp(-k * x) + b * np.exp(-l * x)

    def jac(x, a, k, b, l):  # noqa: E741
        return np.column_stack([np.exp(-k * x), -a * x * np.exp(-k * x), np.exp(-l * x), -b * x * np.exp(-l * x)])

    popt, pcov = leastsq.curve_fit(f, x, y, start, jac=jac)
    assert np.isfinite(popt).all()
    assert not np.isfinite(pcov.diagonal()).all()
