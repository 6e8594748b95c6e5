"""Functions of users': their lives, in threads and processes."""

import ctypes
import gc
import importlib
import pickle
import subprocess
import sys
import threading
import time
import weakref
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_all_start_methods, get_context
from pathlib import Path

import numpy as np
import pytest
from native_functions import (
    KINDS_OF_FIT,
    NAMES,
    P0,
    POINTER,
    X,
    Y,
    each_maker,
    gaussian,
    jitted,
    of_ctypes,
    of_lanes,
    of_numba,
    point,
)
from scipy import LowLevelCallable

from leastsq import curve_fit, curve_fit_many, native
from leastsq._models import jit

pytestmark = pytest.mark.slow

# --- Lives, threads, processes ---


def test_a_model_keeps_what_its_address_belongs_to():
    @ctypes.CFUNCTYPE(ctypes.c_int, *KINDS_OF_FIT)
    def line(m, n, x, p, out, jac, data):
        offset = ctypes.cast(data, POINTER)[0]
        for i in range(m):
            out[i] = p[0] * x[i] + offset
        return 0

    data = np.array([2.5])
    function, array = weakref.ref(line), weakref.ref(data)
    model = native.model(line, ["slope"], user_data=data)
    del line, data
    gc.collect()
    assert function() is not None
    assert array() is not None
    popt, _ = curve_fit(model, X, 3 * X + 2.5, [1.0])
    assert popt[0] == pytest.approx(3, rel=1e-7)
    del model
    gc.collect()
    assert function() is None
    assert array() is None


@pytest.mark.parametrize("kind", [ctypes.c_int, lambda code: ctypes.pointer(ctypes.c_int(code)), "array", "address"])
def test_user_data_of_any_kind(kind, library):
    kept = np.array([33], dtype=np.intc)
    data = kept if kind == "array" else kept.ctypes.data if kind == "address" else kind(33)
    model = native.model(library.peak, NAMES, user_data=data)
    assert curve_fit_many(model, X, Y[:1], [2000.0, 5.0, 1.0, 0.0]).status.tolist() == [-33]


def test_user_data_of_a_low_level_callable(library):
    code = ctypes.c_int(44)
    callable_ = LowLevelCallable(library.peak, ctypes.cast(ctypes.pointer(code), ctypes.c_void_p))
    model = native.model(callable_, NAMES)
    assert curve_fit_many(model, X, Y[:1], [2000.0, 5.0, 1.0, 0.0]).status.tolist() == [-44]
    with pytest.raises(ValueError, match="user_data is given twice"):
        native.model(callable_, NAMES, user_data=code)


@each_maker
def test_eight_threads_give_the_serial_numbers(make, library):
    model = make(library, make is not of_numba)
    expected = curve_fit_many(model, X, Y, P0)
    with ThreadPoolExecutor(8) as pool:
        for fits in pool.map(lambda _: curve_fit_many(model, X, Y, P0, workers=2), range(16)):
            np.testing.assert_array_equal(fits.popt, expected.popt)
            np.testing.assert_array_equal(fits.pcov, expected.pcov)


def test_the_lock_is_released(library):
    """A thread of Python's makes progress while compiled code fits."""
    model = of_ctypes(library, True)
    ticks = []
    done = threading.Event()

    def tick():
        while not done.is_set():
            ticks.append(time.monotonic())
            time.sleep(0.001)

    thread = threading.Thread(target=tick)
    thread.start()
    begun = time.monotonic()
    x = np.linspace(0, 10, 200_000)
    y = gaussian(x, 3.0, 5.0, 1.2, 0.5) + 0.1 * np.cos(40 * x)
    curve_fit_many(model, x, np.tile(y, (3, 1)), [2, 4, 1, 0])
    ended = time.monotonic()
    done.set()
    thread.join()
    within = [tick for tick in ticks if begun < tick < ended]
    assert len(within) > 3


def fit_in_a_process(model):
    return curve_fit_many(model, X, Y[:50], P0[:50]).popt


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_models_travel_to_processes(method):
    if method not in get_all_start_methods():
        pytest.skip(f"there is no {method} here")
    model = jitted("dual")
    with ProcessPoolExecutor(2, mp_context=get_context(method)) as pool:
        for popt in pool.map(fit_in_a_process, [model] * 4):
            np.testing.assert_array_equal(popt, fit_in_a_process(model))


def test_pickles_are_compiled_once_a_process():
    model = jitted("dual")
    first, second = (pickle.loads(pickle.dumps(model)) for _ in range(2))
    assert first is second is model
    code = f"""
import pickle, sys, time
sys.path.insert(0, {str(Path(__file__).parent)!r})
pickles = [bytes.fromhex({pickle.dumps(model).hex()!r}), bytes.fromhex({pickle.dumps(model).hex()!r})]
first, second = map(pickle.loads, pickles)
assert first is second
print(first(0.0, 2.0, 0.0, 1.0, 0.5))
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert float(run.stdout) == 2.5


def test_compiling_the_same_function_again_gives_the_same_model():
    assert native.jit(point, derivatives="dual") is jitted("dual")


def test_what_is_kept_of_models_is_bounded():
    """Names, of which each call for the same function made one; and models, of which each takes megabytes."""
    model = jitted("dual")
    before = len(jit._models)
    assert all(native.jit(point, derivatives="dual") is model for _ in range(50))
    assert len(jit._models) == before
    for number in range(3):
        assert jit._known(model.__reduce__()[1][0], f"name {number}") is model
    assert model.__reduce__()[1][1] in jit._models
    assert jit._last.maxlen <= 16
    assert len(jit._names) <= jit._MOST_NAMES


def test_of_names_the_last_are_kept(monkeypatch):
    monkeypatch.setattr(jit, "_MOST_NAMES", 4)
    made_from = jitted("dual").__reduce__()[1][0]
    for number in range(10):
        jit._known(made_from, f"another name {number}")
    assert "another name 9" in jit._models
    assert "another name 0" not in jit._models


def test_other_values_of_what_a_function_refers_to_are_compiled_anew():
    factor = 2.0

    def scaled(x, a):
        return factor * a * x

    double = native.jit(scaled)
    factor = 3.0
    triple = native.jit(scaled)
    assert (double(1.0, 1.0), triple(1.0, 1.0)) == (2.0, 3.0)
    assert pickle.loads(pickle.dumps(jitted("dual"))) is jitted("dual")


def test_pickles_of_old_values_do_not_replace_new_ones(tmp_path, monkeypatch):
    (tmp_path / "changing.py").write_text("K = 1.0\ndef f(x, a):\n    return K * a * x\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    changing = importlib.import_module("changing")
    old = native.jit(changing.f)
    changing.K = 2.0
    assert pickle.loads(pickle.dumps(old))(1.0, 1.0) == 1.0
    assert native.jit(changing.f)(1.0, 1.0) == 2.0


@pytest.mark.parametrize("make", [of_ctypes, of_lanes, of_numba])
def test_addresses_do_not_travel(make, library):
    with pytest.raises(TypeError, match="means nothing in another process"):
        pickle.dumps(make(library, make is not of_numba))
