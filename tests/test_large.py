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
    "central differences": (peak, {"jac": "3-point"}, 1e-7),
    "own steps": (peak, {"diff_step": 1e-6}, 1e-5),
    "complex steps": (peak, {"jac": "cs"}, 1e-8),
    "columns": (peak, {"jac": lambda *given: slopes(*given).T, "col_deriv": True}, 1e-8),
    "soft_l1": (peak, {"jac": slopes, "loss": "soft_l1", "f_scale": 0.1}, 1e-7),
    # In memory, steps of central differences follow the scales of parameters.
    "huber by differences": (peak, {"loss": "huber", "f_scale": 0.1}, 1e-3),
    "a loss of one's own": (
        peak,
        {"jac": slopes, "loss": lambda z: np.array([np.log1p(z), 1 / (1 + z), -1 / (1 + z) ** 2]), "f_scale": 0.1},
        1e-6,
    ),
    "sandwich": (peak, {"jac": slopes, "covariance": "sandwich"}, 1e-8),
    "sandwich of a loss": (peak, {"jac": slopes, "loss": "cauchy", "f_scale": 0.1, "covariance": "sandwich"}, 1e-6),
}


@pytest.mark.slow
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


def counts_of(size):
    return np.random.default_rng(1).poisson(peak(X[:size], 300.0, *TRUTH[1:3], 20.0)).astype(np.float64)


@pytest.mark.slow
@pytest.mark.parametrize("jac", [slopes, None])
@pytest.mark.parametrize("where", ["files", "dask"])
def test_counts_have_the_same_likelihood(where, jac, tmp_path):
    y, start = counts_of(M), [200.0, 4.5, 1.0, 10.0]
    expected = curve_fit(peak, X, y, start, jac=jac, loss="poisson", full_output=True)
    large = mapped(tmp_path, y) if where == "files" else pytest.importorskip("dask.array").from_array(y, chunks=30000)
    found = curve_fit(peak, X, large, start, jac=jac, loss="poisson", full_output=True)
    same(found, expected, 1e-5)
    # fvec are roots of deviances, each with a rounding of its own.
    assert found[2]["chisq"] == pytest.approx(np.sum(expected[2]["fvec"] ** 2), rel=1e-9)


def test_counts_are_refused_where_they_are_none(tmp_path):
    y = counts_of(M)
    with pytest.raises(ValueError, match="no mean of counts"):
        curve_fit(peak, X, mapped(tmp_path, y), [200, 4.5, 1, -10], loss="poisson")
    y[70_000] = -1
    with pytest.raises(ValueError, match="1 of 100000 values are negative"):
        curve_fit(peak, X, mapped(tmp_path, y), START, loss="poisson")
    with pytest.raises(ValueError, match="sigma is not for"):
        curve_fit(peak, X, mapped(tmp_path, Y), START, loss="poisson", sigma=1.0)


def test_callbacks_see_each_step(tmp_path):
    ours, expected = [], []
    curve_fit(peak, X, Y, START, jac=slopes, callback=lambda intermediate_result: expected.append(intermediate_result))
    file = mapped(tmp_path, Y)
    curve_fit(peak, X, file, START, jac=slopes, callback=lambda intermediate_result: ours.append(intermediate_result))
    assert [one.nit for one in ours] == [one.nit for one in expected]
    np.testing.assert_allclose([one.cost for one in ours], [one.cost for one in expected], rtol=1e-10)
    assert "fun" not in ours[0]

    def stop(x):
        raise StopIteration

    with pytest.warns(OptimizeWarning, match="callback stopped the fit"):
        popt, _, _, _, ier = curve_fit(peak, X, file, START, jac=slopes, callback=stop, full_output=True)
    assert ier == 19
    np.testing.assert_allclose(popt, ours[0].x, rtol=1e-10)


@pytest.mark.slow
@pytest.mark.parametrize("sigma", [None, 0.1 + 0.2j])
@pytest.mark.parametrize("where", ["files", "dask"])
def test_complex_data(where, sigma, tmp_path):
    def wave(t, amplitude, rate):
        return amplitude * np.exp((1j - 0.1) * rate * t)

    rng = np.random.default_rng(3)
    z = wave(X, 2.0, 1.3) + 0.1 * rng.standard_normal(M) + 0.2j * rng.standard_normal(M)
    sigmas = None if sigma is None else np.full(M, sigma)
    expected = curve_fit(wave, X, z, [1.8, 1.25], sigma=sigmas)
    large = mapped(tmp_path, z) if where == "files" else pytest.importorskip("dask.array").from_array(z, chunks=40_000)
    same(curve_fit(wave, X, large, [1.8, 1.25], sigma=sigmas), expected, 1e-5)
    with pytest.raises(TypeError, match="compiled model of real values"):
        curve_fit(models.gaussian, X, large, START)


@pytest.mark.parametrize("dtype", ["float32", "int16", ">f8"])
def test_files_of_any_type(dtype, tmp_path):
    y = (1000 * Y).astype(dtype)
    start = [2000, 4.5, 1, 300]
    same(curve_fit(peak, X, mapped(tmp_path, y), start), curve_fit(peak, X, y.astype(float), start), 1e-5)


def test_columns_of_a_table_and_tables_of_predictors(tmp_path):
    def plane(xy, a, b):
        return a * xy[:, 0] + b * xy[:, 1]

    table = mapped(tmp_path, np.stack([X, Y, np.cos(X)], axis=1))
    same(curve_fit(peak, table[:, 0], table[:, 1], START), curve_fit(peak, X, Y, START), 1e-5)
    xy = np.stack([X, np.cos(X)], axis=1)
    same(curve_fit(plane, table[:, ::2], table[:, 1], [1, 1]), curve_fit(plane, xy, Y, [1, 1]), 1e-5)


def test_images_are_flattened(tmp_path):
    x = np.stack(np.meshgrid(np.arange(400.0), np.arange(300.0)))
    truth = [10.0, 170.0, 120.0, 30.0, 2.0]
    image = models.gaussian_2d(tuple(x), *truth) + np.random.default_rng(0).normal(0, 0.1, (300, 400))
    start = [8, 160, 130, 25, 1]
    expected = curve_fit(models.gaussian_2d, x.reshape(2, -1), image.ravel(), start)
    same(curve_fit(models.gaussian_2d, x, mapped(tmp_path, image), start), expected, 1e-8)
    with pytest.raises(ValueError, match="order of its rows"):
        curve_fit(models.gaussian_2d, x, mapped(tmp_path, np.asfortranarray(image)), start)


def test_exceptions_come_out_unchanged(tmp_path):
    y, table = mapped(tmp_path, Y), np.ones(M)
    with pytest.raises(ZeroDivisionError):
        curve_fit(lambda t, a: 1 / 0, X, y, [1])
    with pytest.raises(ValueError, match="broadcast"):  # an array of all points within the function
        curve_fit(lambda t, a: a * t * table, X, y, [1])


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
    with pytest.raises(ValueError, match="residuals at the starting point are not finite"):
        curve_fit(peak, X, file, START, check_finite=False)
    with pytest.raises(TypeError, match="number of data points=0"):
        curve_fit(peak, X, mapped(tmp_path, np.full(M, np.nan)), START, nan_policy="omit")
    x = X.copy()
    x[7] = np.inf
    with pytest.raises(ValueError, match=r"xdata.*infinite"):
        curve_fit(peak, mapped(tmp_path, x), Y, START)


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
    with pytest.raises(ValueError, match="no covariance matrix"):
        curve_fit(peak, X, y, START, sigma=np.ones(5))
    dask_array = pytest.importorskip("dask.array")
    with pytest.raises(ValueError, match="must not be empty"):
        curve_fit(peak, dask_array.zeros(0), dask_array.zeros(0), START)
    with pytest.raises(TypeError, match="number of data points=3"):
        curve_fit(peak, dask_array.ones(3, chunks=2), dask_array.ones(3, chunks=2), START)


@pytest.mark.slow
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
    """Evaluate the peak; the first worker that does so after the start ends at once, as one without memory does."""
    if list(parameters) != START and multiprocessing.current_process().name != "MainProcess":
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
    """8e6 points are 128 MB, of which no more than blocks are in memory at once."""
    script = f"""
        import numpy as np, resource
        from leastsq import curve_fit
        m = 8_000_000
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
    assert peak_of_memory < 90  # the process alone takes 40
    np.testing.assert_allclose(popt, [2, 0.7, 0.3], atol=1e-3)


def test_large_origins_are_no_trouble(tmp_path):
    """Steps relative to Unix time lead from the peak; the fit goes on with others, and counts them against maxfev."""
    seconds = 1.7e9 + np.linspace(0, 60, M)
    y = peak(seconds, 5.0, 1.7e9 + 31.3, 6.0, 1.0) + 0.1 * np.cos(9 * np.arange(M))
    start = [4.0, 1.7e9 + 28, 5.0, 0.5]
    given = mapped(tmp_path, seconds), mapped(tmp_path, y)
    popt, pcov, info, _, _ = curve_fit(peak, *given, start, full_output=True)
    expected, expected_pcov = curve_fit(peak, seconds, y, start)
    errors = np.sqrt(np.diag(expected_pcov))
    assert np.all(np.abs(popt - expected) < 0.1 * errors)
    np.testing.assert_allclose(np.sqrt(np.diag(pcov)), errors, rtol=1e-3)
    assert info["offset"] < 0.1
    with pytest.raises(RuntimeError, match=r"\(maxfev = 20, which is looked at once a step\)"):
        curve_fit(peak, *given, start, maxfev=20)
