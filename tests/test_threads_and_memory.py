"""Fits in many threads give what they give alone, and nothing leaks however a fit ends."""

import gc
import itertools
import sys
import threading
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from leastsq import curve_fit, leastsq
from problems import runs

T = np.linspace(0, 3, 20)
Y = 2.0 * np.exp(-1.5 * T) + 0.02 * np.cos(40 * T)


def residuals(x):
    return x[0] * np.exp(-x[1] * T) - Y


def outcome(problem):
    with np.errstate(all="ignore"):
        x, _, info, _, ier = leastsq(problem.func, problem.x0, full_output=True)
    return x.tobytes(), ier, info["nfev"], info["fjac"].tobytes()


@pytest.mark.slow
def test_32_threads_give_the_serial_numbers():
    # Problems whose own sums NumPy takes in an order that does not depend on where an array lies.
    problems = [p for p in runs() if p.m <= 16 and "brown" not in p.name]
    serial = [outcome(problem) for problem in problems]
    together = threading.Barrier(32)

    def work(_):
        together.wait()
        return [outcome(problem) for problem in problems]

    with ThreadPoolExecutor(32) as pool:
        for result in pool.map(work, range(32)):
            assert result == serial


def test_threads_on_large_problems_give_the_serial_numbers():
    m = 100_000
    t = np.linspace(0, 1, m)
    y = np.sin(3 * t)
    design = np.vstack([np.ones(m), t, t**2, t**3])

    def fit(_):
        return leastsq(
            lambda x: np.polynomial.polynomial.polyval(t, x) - y, np.ones(4), Dfun=lambda x: design, col_deriv=True
        )[0].tobytes()

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(fit, range(8))) == {fit(0)}


@pytest.mark.slow
def test_large_problems_release_the_lock():
    """While the solver folds a large Jacobian, another thread runs; one that never got the lock would not count."""
    m = 2_000_000
    design = np.random.default_rng(0).standard_normal((5, m))
    counts = {"inside": 0}
    done = threading.Event()

    def count():
        while not done.is_set():
            counts["inside"] += 1
            time.sleep(0.0005)

    handed_over = []

    def func(x):
        handed_over.append(counts["inside"])
        return x @ design - 1

    def dfun(x):
        handed_over.append(-counts["inside"])
        return design

    thread = threading.Thread(target=count)
    thread.start()
    try:
        leastsq(func, np.zeros(5), Dfun=dfun, col_deriv=True)
    finally:
        done.set()
        thread.join()
    # Between the return of a Jacobian (negative mark) and the next evaluation there is only the solver's own work.
    gains = [after + before for before, after in itertools.pairwise(handed_over) if before < 0 <= after]
    assert max(gains) > 0


def fail(x):
    raise RuntimeError("on purpose")


def fail_late(x, calls):
    calls.append(None)
    if len(calls) > 3:
        raise RuntimeError("on purpose")
    return residuals(x)


def attempt(kind):
    if kind == 0:
        leastsq(residuals, [1.0, 1.0], maxfev=4, full_output=True)
    elif kind == 1:
        with pytest.raises(RuntimeError):
            leastsq(fail, [1.0, 1.0])
    elif kind == 2:
        with pytest.raises(RuntimeError):
            leastsq(fail_late, [1.0, 1.0], args=([],))
    elif kind == 3:
        with pytest.raises(TypeError):
            leastsq(lambda x: x[:1], [1.0, 1.0])
    elif kind == 4:
        leastsq(lambda x: residuals(x).tolist(), [1.0, 1.0], maxfev=4, full_output=True)
    elif kind == 5:
        curve_fit(lambda t, a: a * t, T, T, sigma=T + 1, jac=lambda t, a: t[:, None])
    elif kind == 6:
        curve_fit(lambda t, a: (a * t).tolist(), T, T)
    else:
        with pytest.raises(ZeroDivisionError):
            curve_fit(lambda t, a: 1 // 0, T, T)


@pytest.mark.slow
def test_a_hundred_thousand_calls_do_not_grow():
    for i in range(1000):
        attempt(i % 8)
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for i in range(100_000):
            attempt(i % 8)
        gc.collect()
        growth = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    # One float kept per call would be 2.4 MB.
    assert growth < 200_000


def test_references_are_given_back():
    f, j, x0 = np.ones(20), np.ones((20, 2)), np.ones(2)
    objects = (f, j, x0, np.dtype(np.float64))
    counts = [sys.getrefcount(a) for a in objects]
    for _ in range(100):
        leastsq(lambda x: f, x0, Dfun=lambda x: j, full_output=True)
    assert [sys.getrefcount(a) for a in objects] == counts


def test_references_of_models_and_data_are_given_back():
    def model(t, a, b):
        return kept

    x, y, sigma, kept = np.arange(20.0), np.ones(20), np.ones(20), np.zeros(20)
    jacobian = np.vander(x, 2)
    objects = (x, y, sigma, kept, jacobian, model)
    counts = [sys.getrefcount(a) for a in objects]
    for _ in range(100):
        curve_fit(model, x, y, [1, 1], sigma, jac=lambda t, a, b: jacobian, full_output=True, gtol=1)
    assert [sys.getrefcount(a) for a in objects] == counts
