"""Time limits: what is not finished says so, what is finished is what it would be without."""

import time

import numpy as np
import pytest

from leastsq import curve_fit_many, models

X = np.linspace(0, 5, 30)
RATES = np.linspace(0.5, 1.5, 4100)
Y = models.exponential(X, 2.0, RATES[:, None], 0.1) + 0.01 * np.cos(9 * X)
START = [1.0, 1.0, 0.0]
TIME_LIMIT = 20


def decay(x, a, b, c):
    return a * np.exp(-b * x) + c


def slow(x, a, b, c):
    time.sleep(0.005)
    return decay(x, a, b, c)


def assert_told(fits, expected):
    """Fits are finished and as they would be without a limit, or have the status, and no errors."""
    late = fits.status == TIME_LIMIT
    assert late.any()
    assert np.array_equal(fits.popt[~late], expected.popt[~late])
    assert np.array_equal(fits.status[~late], expected.status[~late])
    assert np.isnan(fits.stderr[late]).all()
    assert not fits.success[late].any()
    first = int(np.flatnonzero(late)[0])
    assert "time_limit was over" in fits.message(first)
    assert "time limit reached (status 20)" in fits.summary()


@pytest.mark.parametrize("workers", [1, 2, map])
@pytest.mark.parametrize("vectorized", [True, False])
def test_functions(workers, vectorized):
    y = Y if vectorized else Y[:300]
    begun = time.monotonic()
    fits = curve_fit_many(slow, X, y, START, vectorized=vectorized, workers=workers, time_limit=0.1)
    assert time.monotonic() - begun < 10  # without a limit, 20 and 50 seconds or so
    assert_told(fits, curve_fit_many(decay, X, y, START, vectorized=vectorized))


@pytest.mark.parametrize("workers", [1, 2, map])
def test_compiled_models(workers):
    y = np.tile(Y, (40, 1))
    fits = curve_fit_many(models.exponential, X, y, workers=workers, time_limit=0.02)
    assert_told(fits, curve_fit_many(models.exponential, X, y))
    late = fits.status == TIME_LIMIT
    assert np.isnan(fits.popt[late]).all()


def test_the_best_so_far():
    fits = curve_fit_many(slow, X, Y[:50], START, time_limit=0.06)
    late = (fits.status == TIME_LIMIT) & np.isfinite(fits.popt).all(axis=1)
    assert late.any()
    rest = np.sum((decay(X, *fits.popt[late].T[:, :, None]) - Y[:50][late]) ** 2, axis=1)
    np.testing.assert_allclose(fits.chisq[late], rest, rtol=1e-12)
    assert (fits.nfev[late] > 0).all()


def test_time_enough_changes_nothing():
    expected = curve_fit_many(models.exponential, X, Y)
    fits = curve_fit_many(models.exponential, X, Y, time_limit=1000)
    for name in ("popt", "pcov", "chisq", "nfev", "status", "offset"):
        assert getattr(fits, name).tobytes() == getattr(expected, name).tobytes()


def test_errors_and_refusals():
    with pytest.raises(RuntimeError, match=r"fits failed, the first at index .*time_limit was over"):
        curve_fit_many(slow, X, Y, START, time_limit=0.05, errors="raise")
    for wrong in (0, -1, np.nan, "1", True):
        with pytest.raises(ValueError, match="time_limit must be a positive number of seconds, or None"):
            curve_fit_many(models.exponential, X, Y[:2], time_limit=wrong)
    dask = pytest.importorskip("dask.array")
    with pytest.raises(ValueError, match="time_limit is not for dask arrays"):
        curve_fit_many(models.exponential, X, dask.from_array(Y[:2]), time_limit=1)
