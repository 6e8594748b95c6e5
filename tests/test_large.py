"""One fit of data that need not fit into memory: the numbers are those in memory, whatever the blocks."""

import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from leastsq import OptimizeWarning, curve_fit, models

M = 100_000
TRUTH = [3.0, 5.0, 1.2, 0.5]
START = [2.0, 4.5, 1.0, 0.3]


def peak(t, amplitude, center, sigma, offset):
    return amplitude * np.exp(-0.5 * ((t - center) / sigma) ** 2) + offset


def slopes(t, amplitude, center, sigma, offset):
    z = (t - center) / sigma
    e = np.exp(-0.5 * z * z)
    return np.stack([e, amplitude * e * z / sigma, amplitude * e * z * z / sigma, np.ones_like(t)], axis=1)


X = np.linspace(0, 10, M)
Y = peak(X, *TRUTH) + np.random.default_rng(0).normal(0, 0.1, M)
SIGMA = np.where(np.arange(M) % 7 == 3, np.inf, 0.1 + 0.01 * X)


def mapped(folder, array):
    np.save(folder / "array.npy", array)
    (folder / "array.npy").rename(folder / f"{id(array)}.npy")
    return np.load(folder / f"{id(array)}.npy", mmap_mode="r")


def same(ours, expected, rtol):
    errors = np.sqrt(np.diag(expected[1]))
    np.testing.assert_allclose((ours[0] - expected[0]) / np.where(errors > 0, errors, 1.0), 0, atol=rtol)
    np.testing.assert_allclose(ours[1], expected[1], rtol=rtol, atol=rtol * errors.max() ** 2)


KINDS = {
    # Differences multiply rounding by 1e8, and the last Jacobian, of which pcov is, by as much.
    "differences": (peak, {}, 1e-5),
    "jac": (peak, {"jac": slopes}, 1e-8),
    "sigma": (peak, {"jac": slopes, "sigma": SIGMA, "absolute_sigma": True}, 1e-8),
    "a number as sigma": (peak, {"jac": slopes, "sigma": 0.1, "absolute_sigma": True}, 1e-8),
    "compiled": (models.gaussian, {}, 1e-8),
    "bounds": (peak, {"jac": slopes, "bounds": ([0, 0, 0, 0], [10, 10, 10, 0.4])}, 1e-6),
    "fixed": (peak, {"jac": slopes, "fixed": {"sigma": 1.1}}, 1e-8),
}


@pytest.mark.parametrize("kind", KINDS)
def test_files_give_the_numbers_of_memory(kind, tmp_path):
    f, keywords, rtol = KINDS[kind]
    expected = curve_fit(f, X, Y, START, **keywords)
    x, y = mapped(tmp_path, X), mapped(tmp_path, Y)
    same(curve_fit(f, x, y, START, **keywords), expected, rtol)
    if np.ndim(keywords.get("sigma")):
        keywords = keywords | {"sigma": mapped(tmp_path, SIGMA)}
        same(curve_fit(f, X, y, START, **keywords), expected, rtol)


def test_counts_are_those_of_memory(tmp_path):
    expected = curve_fit(peak, X, Y, START, full_output=True)
    found = curve_fit(peak, X, mapped(tmp_path, Y), START, full_output=True)
    assert found[2]["nfev"] == expected[2]["nfev"]
    assert found[4] == expected[4]
    assert found[2]["chisq"] == pytest.approx(np.sum(expected[2]["fvec"] ** 2), rel=1e-10)
    assert found[2]["offset"] == pytest.approx(expected[2]["offset"], rel=1e-2)
    assert "fvec" not in found[2]


def test_several_predictors(tmp_path):
    def plane(xy, a, b, c):
        return a * xy[0] + b * xy[1] + c

    xy = np.stack([X, np.cos(X)])
    expected = curve_fit(plane, xy, Y, [1, 1, 1])
    same(curve_fit(plane, mapped(tmp_path, xy), Y, [1, 1, 1]), expected, 1e-5)
    same(curve_fit(plane, (mapped(tmp_path, X), xy[1]), Y, [1, 1, 1]), expected, 1e-5)


def test_guesses_are_made_from_points_all_over_the_data(tmp_path):
    same(curve_fit(models.gaussian, X, mapped(tmp_path, Y)), curve_fit(models.gaussian, X, Y), 1e-3)


def test_missing_points_are_left_out_or_refused(tmp_path):
    y = Y.copy()
    y[::1000] = np.nan
    expected = curve_fit(peak, X, y, START, jac=slopes, nan_policy="omit")
    file = mapped(tmp_path, y)
    same(curve_fit(peak, X, file, START, jac=slopes, nan_policy="omit"), expected, 1e-8)
    with pytest.raises(ValueError, match="points hold NaN"):
        curve_fit(peak, X, file, START)


def test_functions_that_look_at_all_points_are_refused(tmp_path):
    with pytest.raises(ValueError, match="point by point"):
        curve_fit(lambda t, a, b: a * (t - t.mean()) + b, X, mapped(tmp_path, Y), [1, 1])


def test_open_parameters_warn(tmp_path):
    with pytest.warns(OptimizeWarning, match="determined only in combination"):
        _, pcov = curve_fit(lambda t, a, b: (a + b) * t, X, mapped(tmp_path, Y), [1, 1])
    assert np.isinf(pcov).all()


def test_what_is_not_for_them_is_refused(tmp_path):
    y = mapped(tmp_path, Y)
    with pytest.raises(ValueError, match="last axis of xdata"):
        curve_fit(peak, X[1:], y, START)
    with pytest.raises(ValueError, match="ydata of shape"):
        curve_fit(peak, X, y, START, sigma=np.ones(5))
    with pytest.raises(TypeError, match="jac must be callable"):
        curve_fit(peak, X, y, START, jac="3-point")


@pytest.mark.parametrize("exact", [True, False])
def test_dask_arrays_give_the_same_whatever_the_chunks(exact):
    dask_array = pytest.importorskip("dask.array")
    keywords = {"jac": slopes} if exact else {}
    expected = curve_fit(peak, X, Y, START, **keywords)
    found = []
    for chunks in (M, 33_333, (1, 70_000, M - 70_001)):
        chunks = (chunks,)
        y = dask_array.from_array(Y, chunks=chunks)
        found.append(curve_fit(peak, dask_array.from_array(X, chunks=10_000), y, START, **keywords))
        same(found[-1], expected, 1e-8 if exact else 1e-5)
    for other in found[1:]:
        np.testing.assert_allclose(other[0], found[0][0], rtol=1e-10)
    with_sigma = curve_fit(peak, X, y, START, sigma=SIGMA, jac=slopes)
    same(with_sigma, curve_fit(peak, X, Y, START, sigma=SIGMA, jac=slopes), 1e-8)


def test_several_predictors_of_dask():
    dask_array = pytest.importorskip("dask.array")
    x = dask_array.from_array(np.stack([X, np.cos(X)]), chunks=(1, 9000))
    y = dask_array.from_array(Y, chunks=40_000)

    def plane(xy, a, b):
        return a * xy[0] + b * xy[1]

    same(curve_fit(plane, x, y, [1, 1]), curve_fit(plane, np.asarray(x), Y, [1, 1]), 1e-5)
    same(curve_fit(plane, (x[0], x[1]), y, [1, 1]), curve_fit(plane, np.asarray(x), Y, [1, 1]), 1e-5)


def peak_that_kills(mark, t, *parameters):
    """Evaluate the peak; the first worker that does ends at once, as one without memory does."""
    if multiprocessing.current_process().name != "MainProcess":
        try:
            Path(mark).touch(exist_ok=False)
        except FileExistsError:
            pass
        else:
            os.kill(os.getpid(), signal.SIGKILL)
    return peak(t, *parameters)


@pytest.mark.slow
def test_a_cluster_survives_a_worker_that_is_killed(tmp_path):
    distributed = pytest.importorskip("distributed")
    dask_array = pytest.importorskip("dask.array")
    expected = curve_fit(peak, X, Y, START, jac=slopes)
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        x, y = client.persist([dask_array.from_array(array, chunks=10_000) for array in (X, Y)])
        distributed.wait([x, y])
        mark = tmp_path / "killed"
        found = curve_fit(partial(peak_that_kills, str(mark)), x, y, START, jac=slopes)
    assert mark.exists()
    same(found, expected, 1e-8)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="pages of files are given back by Linux")
def test_memory_does_not_grow_with_the_data(tmp_path):
    """2e7 points are 320 MB, of which no more than blocks are in memory at once."""
    script = f"""
        import numpy as np, resource
        from leastsq import curve_fit
        m = 20_000_000
        x, y = (np.lib.format.open_memmap({str(tmp_path)!r} + name, "w+", np.float64, (m,)) for name in ("/x", "/y"))
        for a in range(0, m, 10**6):
            t = np.arange(a, a + 10**6) * (10 / m)
            x[a : a + 10**6], y[a : a + 10**6] = t, 2 * np.exp(-0.7 * t) + 0.3 + 0.1 * np.cos(1e6 * t)
        x.flush(), y.flush()
        del x, y
        x, y = (np.load({str(tmp_path)!r} + name, mmap_mode="r") for name in ("/x", "/y"))
        open("/proc/self/clear_refs", "w").write("5")  # the peak from here on
        popt, _ = curve_fit(lambda t, a, b, c: a * np.exp(-b * t) + c, x, y, [1, 1, 0])
        peak = [line for line in open("/proc/self/status") if line.startswith("VmHWM")][0]
        print(int(peak.split()[1]) / 1024, *popt)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=True, timeout=600
    )
    peak_of_memory, *popt = map(float, done.stdout.split())
    assert peak_of_memory < 300
    np.testing.assert_allclose(popt, [2, 0.7, 0.3], atol=1e-3)
