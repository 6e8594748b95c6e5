"""Threads that share models, data and results get the numbers that one thread gets, with or without the lock."""

import os
import subprocess
import sys
import sysconfig
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from leastsq import curve_fit, curve_fit_many, least_squares, leastsq, models

THREADS = 8
ROUNDS = 5

T = np.linspace(0, 4, 60)
CURVES = models.exponential(T, np.linspace(1, 3, 40)[:, None], 1.2, 0.3) + 0.02 * np.cos(31 * T)
PEAKS = models.gaussian(T, 2.0, 1.0, 0.2, 0.1) + models.gaussian(T, 1.0, 2.5, 0.3, 0.0) + 0.02 * np.cos(31 * T)
TWO_PEAKS = models.gaussian + models.gaussian.prefix("second_").fix(second_offset=0.0)
FITS = curve_fit_many(models.exponential, T, CURVES)
KEPT = []


def decay(t, amplitude, rate, offset):
    return amplitude * np.exp(-rate * t) + offset


def keeping(x):
    """Residuals of a function that keeps its points, for other threads to see."""
    KEPT.append(x)
    return decay(T, *x) - CURVES[0]


def slopes(x):
    e = np.exp(-x[1] * T)
    return np.stack([e, -x[0] * T * e, np.ones_like(T)])


def failing(x):
    raise RuntimeError("on purpose")


def failure():
    with pytest.raises(RuntimeError, match="on purpose"):
        leastsq(failing, [1.0, 1.0])
    return np.zeros(1)


# Everything here is shared: models, arrays, results; each gives arrays.
CALLS = {
    "leastsq": lambda: leastsq(keeping, [1, 1, 0])[0],
    "leastsq with a Jacobian": lambda: leastsq(keeping, [1, 1, 0], Dfun=slopes, col_deriv=True)[0],
    "leastsq within bounds": lambda: leastsq(keeping, [1, 1, 0], bounds=([0, 0, 0], [1.5, 1, 1]))[0],
    "least_squares": lambda: least_squares(keeping, [1, 1, 0], loss="soft_l1", f_scale=0.1).x,
    "curve_fit": lambda: np.vstack(curve_fit(decay, T, CURVES[1], [1, 1, 0])),
    "curve_fit of a model": lambda: np.vstack(curve_fit(models.exponential, T, CURVES[2])),
    "curve_fit of a sum": lambda: np.vstack(curve_fit(TWO_PEAKS, T, PEAKS)),
    "many fits": lambda: curve_fit_many(models.exponential, T, CURVES, loss="huber").popt,
    "many fits in threads": lambda: curve_fit_many(models.exponential, T, CURVES, workers=2).stderr,
    "many fits of a function": lambda: curve_fit_many(decay, T, CURVES, [1, 1, 0]).popt,
    "intervals": lambda: np.stack(FITS.conf_interval()),
    "profiles": lambda: np.stack(FITS.profile(3, "rate", T, CURVES[3])),
    "predictions": lambda: np.stack(FITS.predict(T, return_std=True)),
    "failure": failure,
}


@pytest.mark.slow
def test_threads_that_share_everything_give_the_serial_numbers():
    serial = {name: call().tobytes() for name, call in CALLS.items()}
    together = threading.Barrier(THREADS)

    def work(first):
        """Make all calls, each thread from another one on."""
        order = [list(CALLS)[(first + i) % len(CALLS)] for i in range(len(CALLS))]
        together.wait()
        return [(name, CALLS[name]().tobytes()) for _ in range(ROUNDS) for name in order]

    try:
        with ThreadPoolExecutor(THREADS) as pool:
            found = [one for results in pool.map(work, range(THREADS)) for one in results]
    finally:
        KEPT.clear()
    assert len(found) == THREADS * ROUNDS * len(CALLS)
    assert {name for name, numbers in found if numbers != serial[name]} == set()


def test_points_that_are_kept_are_not_written_to():
    def fit(_):
        seen = []

        def residuals(x):
            seen.append((x, x.copy()))
            return keeping(x)

        leastsq(residuals, [1, 1, 0])
        return seen

    try:
        with ThreadPoolExecutor(THREADS) as pool:
            seen = [one for points in pool.map(fit, range(THREADS)) for one in points]
    finally:
        KEPT.clear()
    assert len(seen) > 4 * THREADS
    assert all(np.array_equal(point, copy) for point, copy in seen)


@pytest.mark.skipif(not sysconfig.get_config_var("Py_GIL_DISABLED"), reason="this Python always has the lock")
def test_importing_does_not_turn_the_lock_on():
    code = "import sys, leastsq.models, leastsq.native; print(sys._is_gil_enabled())"
    env = {name: value for name, value in os.environ.items() if name != "PYTHON_GIL"}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True, env=env
    )
    assert done.stdout.strip() == "False"
