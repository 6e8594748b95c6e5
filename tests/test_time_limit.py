"""Time limits: what is not finished says so, what is finished is what it would be without."""

import contextlib
import ctypes
import math
import time

import numpy as np
import pytest

from leastsq import curve_fit_many, models, native
from leastsq._many import task
from leastsq._solver import kernel
from leastsq._solver.interruptible import OVER

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


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2, map])
@pytest.mark.parametrize("vectorized", [True, False])
def test_functions(workers, vectorized):
    y = Y if vectorized else Y[:300]
    begun = time.monotonic()
    fits = curve_fit_many(slow, X, y, START, vectorized=vectorized, workers=workers, time_limit=0.1)
    assert time.monotonic() - begun < 10  # without a limit, 20 and 50 seconds or so
    assert_told(fits, curve_fit_many(decay, X, y, START, vectorized=vectorized))


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2, map])
def test_compiled_models(workers):
    y = np.tile(Y, (40, 1))
    fits = curve_fit_many(models.exponential, X, y, workers=workers, time_limit=0.02)
    assert_told(fits, curve_fit_many(models.exponential, X, y))
    assert_best_so_far(fits, y)


def assert_best_so_far(fits, y, x=X):
    """Parameters of fits under way are those of the least sum of squares seen, or NaN where none was."""
    late = fits.status == TIME_LIMIT
    known = late & np.isfinite(fits.popt).all(axis=1)
    rest = np.sum((decay(x, *fits.popt[known].T[:, :, None]) - y[known]) ** 2, axis=1)
    np.testing.assert_allclose(fits.chisq[known], rest, rtol=1e-9)
    assert (fits.nfev[known] > 0).all()
    assert np.isnan(fits.popt[late & ~known]).all()
    assert (fits.nfev[late & ~known] == 0).all()
    return known


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["fit", "lanes"])
@pytest.mark.parametrize("points", [30, 2**16 + 1], ids=["groups", "tall"])
@pytest.mark.parametrize("derivatives", [True, False])
@pytest.mark.parametrize("bounds", [None, ([0, 0, 0], [3, 3, 3])])
def test_the_best_so_far_in_compiled_code(layout, points, derivatives, bounds, monkeypatch):
    """Time is over at the same evaluation in every run: the function itself says so."""
    limits = []

    @contextlib.contextmanager
    def watching(end, interrupt):
        limits.append(interrupt)
        yield True

    evaluations, last = [], math.inf

    def evaluated():
        evaluations.append(1)
        if len(evaluations) == last:
            limits[-1][0] = OVER

    x = np.linspace(0, 5, points)
    y = decay(x, 2.0, RATES[: 20 if points < 100 else 2, None], 0.1) + 0.01 * np.cos(9 * x)
    model = native.model(decay_in_ctypes(layout, evaluated), ["a", "b", "c"], layout=layout, derivatives=derivatives)
    monkeypatch.setattr(task, "watching", watching)
    curve_fit_many(model, x, y, START, bounds=bounds)
    last = int(0.3 * len(evaluations))
    evaluations.clear()
    fits = curve_fit_many(model, x, y, START, bounds=bounds)
    known = assert_best_so_far(fits, y, x)
    assert (fits.status[known] == TIME_LIMIT).all()
    assert 1 <= known.sum() <= kernel.LANE_WIDTH
    start = np.sum((decay(x, *START) - y[known]) ** 2, axis=1)
    assert (fits.chisq[known] <= start * (1 + 1e-12)).all()
    assert (fits.chisq[known] < start).any()


def decay_in_ctypes(layout, called):
    """Return the decay as a native function, which calls a function each time."""
    double = ctypes.POINTER(ctypes.c_double)
    sizes = 2 if layout == "fit" else 4

    @ctypes.CFUNCTYPE(ctypes.c_int, *[ctypes.c_int64] * sizes, *[double] * 4, ctypes.c_void_p)
    def native_decay(*arguments):
        *numbers, t, p, out, jac, _ = arguments
        n = numbers[-1]
        rows, width = (numbers[0], 1) if layout == "fit" else (numbers[1], numbers[0])
        called()
        t = np.ctypeslib.as_array(t, (rows, width))
        a, b, c = np.ctypeslib.as_array(p, (n, width))
        e = np.exp(-b * t)
        np.ctypeslib.as_array(out, (rows, width))[:] = a * e + c
        slopes = (e, -a * t * e, np.ones_like(e))
        if jac and layout == "fit":
            np.ctypeslib.as_array(jac, (rows, n))[:] = np.concatenate(slopes, axis=1)
        elif jac:
            stride = numbers[2]
            for j, slope in enumerate(slopes):
                np.ctypeslib.as_array(jac, (n * stride,))[j * stride :][: rows * width] = slope.ravel()
        return 0

    return native_decay


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
