"""Lazy fits of dask arrays: the numbers of the call in memory, on threads and on a cluster of processes."""

import os
import pickle
import signal
import time

import numpy as np
import pytest

from leastsq import ManyFits, OptimizeWarning, curve_fit_many, models, native

dask = pytest.importorskip("dask")
import dask.array as da  # noqa: E402  (it needs dask)

from leastsq._many.dask import many_fits  # noqa: E402

X = np.linspace(0, 10, 50)
_RNG = np.random.default_rng(31)
CENTERS = _RNG.uniform(3, 7, (24, 30))
CUBE = models.gaussian(X, 5.0, CENTERS[..., None], 1.0, 0.5) + _RNG.normal(0, 0.1, (24, 30, 50))
CUBE[0, 0] = np.nan
CUBE[3, 4, 10:14] = np.nan
SIGMA = _RNG.uniform(0.5, 2, (24, 30, 1))
STARTS = np.stack([np.full((24, 30), 4.0), CENTERS + 0.2, np.full((24, 30), 1.2), np.full((24, 30), 0.4)], axis=-1)
CHUNKS = (7, 11, 50)


def gaussian(x, amplitude, center, sigma, offset):
    return amplitude * np.exp(-((x - center) ** 2) / (2 * sigma**2)) + offset


def assert_same(fits, expected):
    for name in ("popt", "pcov", "chisq", "dof", "nfev", "status", "stderr", "redchi", "success"):
        np.testing.assert_array_equal(getattr(fits, name), getattr(expected, name), err_msg=name)


KINDS = {
    "compiled": {"f": models.gaussian},
    "NumPy": {"f": gaussian, "p0": [4, 5, 1, 0]},
    "jac": {"f": gaussian, "p0": [4, 5, 1, 0], "jac": models.gaussian.jac},
}
each_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)


@pytest.mark.slow
@each_kind
@pytest.mark.parametrize("scheduler", ["synchronous", "threads", "processes"])
def test_the_numbers_are_those_of_the_call_in_memory(kind, scheduler):
    if scheduler == "processes" and kind["f"] is not models.gaussian:
        pytest.skip("the test module is not to be imported there")
    lazy = curve_fit_many(**kind, xdata=X, ydata=da.from_array(CUBE, CHUNKS))
    fits = lazy.compute(scheduler=scheduler)
    assert isinstance(fits, ManyFits)
    assert_same(fits, curve_fit_many(**kind, xdata=X, ydata=CUBE))
    assert fits.message((0, 0)).startswith("Not fitted: 4 parameters but only 0 data points")


def test_nothing_is_fitted_before_it_is_asked_for():
    calls = []

    def counted(x, a, b):
        calls.append(1)
        return a * x + b

    lazy = curve_fit_many(counted, X, da.from_array(CUBE, CHUNKS), p0=[1, 1])
    assert not calls
    assert lazy.shape == (24, 30)
    assert lazy.chunks == ((7, 7, 7, 3), (11, 11, 8))
    assert repr(lazy).startswith("LazyFits(shape=(24, 30), params=(a, b), chunks=")
    lazy.compute(scheduler="synchronous")
    assert calls


def test_shapes_and_types_are_declared():
    lazy = curve_fit_many(models.gaussian, X, da.from_array(CUBE, CHUNKS))
    fits = lazy.compute()
    for name in ("popt", "pcov", "chisq", "dof", "nfev", "status", "stderr", "redchi", "success"):
        declared, found = getattr(lazy, name), getattr(fits, name)
        assert isinstance(declared, da.Array), name
        assert declared.shape == found.shape, name
        computed = declared.compute()
        assert declared.dtype == computed.dtype == found.dtype, name
        np.testing.assert_array_equal(computed, found, err_msg=name)
    with pytest.raises(AttributeError, match=r"compute\(\) returns the whole result"):
        lazy.summary()


def test_each_chunk_is_one_task_and_fits_are_made_once():
    calls = []

    def counted(x, a, b):
        calls.append(1)
        return a * x + b

    data = da.from_array(CUBE[1:3, 1:3], (1, 2, 50))
    lazy = curve_fit_many(counted, X, data, p0=[1, 1])
    blocks = [key for key in dict(lazy.records.__dask_graph__()) if "curve_fit_many" in str(key)]
    assert len(blocks) == 2
    dask.compute(lazy.popt, scheduler="synchronous")
    once = len(calls)
    calls.clear()
    dask.compute(lazy.popt, lazy.pcov, lazy.stderr, lazy.status, scheduler="synchronous")
    assert len(calls) == once
    kept = lazy.persist(scheduler="synchronous")
    calls.clear()
    kept.compute(scheduler="synchronous")
    assert not calls


@pytest.mark.slow
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_any_axis_and_chunks_of_each_argument(axis):
    data = np.moveaxis(CUBE, -1, axis)
    sigma = np.moveaxis(SIGMA, -1, axis)
    expected = curve_fit_many(models.gaussian, X, data, STARTS, sigma, axis=axis)
    chunks = [7, 11]
    chunks.insert(axis, 50)
    lazy = curve_fit_many(
        models.gaussian,
        da.from_array(X, 13),
        da.from_array(data, tuple(chunks)),
        da.from_array(STARTS, (5, 6, 2)),
        da.from_array(sigma, (8, 9, 1)),
        axis=axis,
    )
    assert_same(lazy.compute(), expected)
    mixed = curve_fit_many(models.gaussian, X, data, da.from_array(STARTS, (5, 6, 4)), sigma, axis=axis)
    assert_same(mixed.compute(), expected)


def test_arguments_broadcast_as_in_memory():
    row = da.from_array(CUBE[5], (6, 50))
    factors = np.array([0.5, 1.0, 2.0])[:, None, None]
    expected = curve_fit_many(models.gaussian, X, CUBE[5], None, factors)
    assert_same(curve_fit_many(models.gaussian, X, row, None, factors).compute(), expected)
    own = X * np.ones((30, 1))
    expected = curve_fit_many(models.gaussian, own, CUBE[5])
    assert_same(curve_fit_many(models.gaussian, da.from_array(own, (7, 50)), row).compute(), expected)
    one = curve_fit_many(models.gaussian, X, da.from_array(CUBE[5, 5], 50))
    assert one.shape == ()
    assert_same(one.compute(), curve_fit_many(models.gaussian, X, CUBE[5, 5]))


def test_images_and_their_pixels():
    y, x = np.ogrid[-4.0:5.0, -4.0:5.0]
    images = models.gaussian_2d((x, y), 50.0, 0.2, -0.3, np.linspace(1, 2, 40)[:, None, None], 5.0)
    expected = curve_fit_many(models.gaussian_2d, (x, y), images, axis=(1, 2))
    lazy = curve_fit_many(models.gaussian_2d, (x, y), da.from_array(images, (12, 9, 9)), axis=(1, 2))
    assert lazy.chunks == ((12, 12, 12, 4),)
    assert_same(lazy.compute(), expected)


def test_chunks_along_the_fits_are_merged_with_a_message():
    with pytest.warns(UserWarning, match=r"5 chunks along axis -1, which is fitted along: they are merged") as caught:
        lazy = curve_fit_many(models.gaussian, X, da.from_array(CUBE, (24, 30, 10)))
    assert caught[0].filename == __file__
    assert_same(lazy.compute(), curve_fit_many(models.gaussian, X, CUBE))


def test_masked_chunks():
    mask = _mask()
    lazy = da.ma.masked_array(da.from_array(CUBE, CHUNKS), da.from_array(mask, CHUNKS))
    expected = curve_fit_many(models.gaussian, X, np.ma.masked_array(CUBE, mask))
    assert_same(curve_fit_many(models.gaussian, X, lazy).compute(), expected)


def _mask():
    return np.random.default_rng(5).random(CUBE.shape) < 0.1


def test_other_arguments_reach_the_blocks():
    data = da.from_array(CUBE[1:5, 1:5], (2, 2, 50))
    options = {"maxfev": 3, "ftol": 1e-3, "diag": [1, 1, 1, 1], "factor": 10.0, "nan_policy": "propagate"}
    expected = curve_fit_many(models.gaussian, X, CUBE[1:5, 1:5], **options)
    fits = curve_fit_many(models.gaussian, X, data, workers=2, **options).compute()
    assert_same(fits, expected)
    assert fits.options[:6] == expected.options[:6]
    lazy = curve_fit_many(models.gaussian, X, data, maxfev=3, errors="raise")
    with pytest.raises(RuntimeError, match="fits failed"):
        lazy.compute()


def test_absolute_errors_warn_once_when_the_call_is_made():
    data = da.from_array(CUBE, CHUNKS)
    with pytest.warns(OptimizeWarning, match="means nothing without sigma"):
        lazy = curve_fit_many(models.gaussian, X, data, absolute_sigma=True)
    with pytest.warns(OptimizeWarning):
        expected = curve_fit_many(models.gaussian, X, CUBE, absolute_sigma=True)
    assert_same(lazy.compute(), expected)  # where a warning would be an error


@pytest.mark.slow
@pytest.mark.parametrize("model", ["compiled", "native"])
def test_lazy_results_can_be_pickled(model):
    if model == "native":
        pytest.importorskip("numba")
        f, p0 = native.jit(_line), [1, 1]
    else:
        f, p0 = models.gaussian, None
    lazy = curve_fit_many(f, X, da.from_array(CUBE[1], (9, 50)), p0)
    restored = pickle.loads(pickle.dumps(lazy))
    assert_same(restored.compute(), lazy.compute())


def _line(x, a, b):
    return a * x + b


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"progress": True}, ValueError, "dask's own"),
        ({"workers": map}, TypeError, "dask has workers of its own"),
        ({"ydata": da.from_array(CUBE, CHUNKS) + 1j}, TypeError, "gaussian is a compiled model of real values"),
        ({"ydata": da.from_array(CUBE, CHUNKS)[..., :40]}, ValueError, "xdata has .* points"),
        ({"p0": da.from_array(STARTS[:5], -1)}, ValueError, "expected shapes that broadcast"),
        ({"p0": da.from_array(STARTS[..., :3], -1)}, ValueError, "p0 has 3 parameters"),
        ({"axis": 5}, ValueError, "does not name axes"),
        ({"groups": np.zeros(3)}, ValueError, "groups and lengths are not for dask arrays"),
        ({"ydata": da.from_array(CUBE[0], -1)[da.from_array(CUBE[0, :, 0], -1) > 0]}, ValueError, "is not known"),
        ({"nan_policy": "drop"}, ValueError, "nan_policy must be"),
    ],
)
def test_bad_arguments_are_refused_when_the_call_is_made(arguments, error, message):
    call = {"f": models.gaussian, "xdata": X, "ydata": da.from_array(CUBE, CHUNKS), **arguments}
    with pytest.raises(error, match=message):
        curve_fit_many(**call)


# --- A cluster of processes ---


@pytest.fixture(scope="module")
def cluster():
    distributed = pytest.importorskip("distributed")
    with (
        dask.config.set({"distributed.comm.timeouts.connect": "30s"}),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, memory_limit="1 GiB"
        ) as local,
        distributed.Client(local) as client,
    ):
        yield client


on_a_cluster = pytest.mark.filterwarnings("default")  # of its own making


@pytest.mark.slow
@on_a_cluster
def test_a_cluster_finds_the_same_numbers(cluster):
    lazy = curve_fit_many(models.gaussian, X, da.from_array(CUBE, CHUNKS))
    assert_same(lazy.compute(), curve_fit_many(models.gaussian, X, CUBE))
    of_numpy = curve_fit_many(lambda x, a, b: a * x + b, X, da.from_array(CUBE, CHUNKS), p0=[1, 1])
    assert_same(of_numpy.compute(), curve_fit_many(_line, X, CUBE, p0=[1, 1]))


@pytest.mark.slow
@on_a_cluster
def test_each_task_has_one_thread(cluster):
    def seen(x, a, b):
        import threading

        extra = any(thread.name.startswith("leastsq") for thread in threading.enumerate())
        return a * x + b if not extra else a * x + b + np.nan

    lazy = curve_fit_many(seen, X, da.from_array(CUBE[1:], CHUNKS), p0=[1, 1])
    assert lazy.compute().success.all()


@pytest.mark.slow
@on_a_cluster
def test_a_worker_that_dies_loses_nothing(cluster):
    """A process is killed in the middle; another does its work again."""

    def slow(x, a, b):
        time.sleep(0.02)
        return a * x + b

    data = da.from_array(CUBE[1:21, :20], (1, 20, 50))
    lazy = curve_fit_many(slow, X, data, p0=[1, 1])
    records = lazy.records.persist()
    pids = cluster.run(os.getpid)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if sum(future.status == "finished" for future in _futures(records)) >= 3:
            break
        time.sleep(0.02)
    os.kill(next(iter(pids.values())), signal.SIGKILL)
    fits = many_fits(records.compute(), lazy.problem)
    assert_same(fits, curve_fit_many(_line, X, CUBE[1:21, :20], p0=[1, 1]))


def _futures(collection):
    from distributed import futures_of

    return futures_of(collection)


@pytest.mark.slow
@on_a_cluster
def test_the_memory_of_a_worker_is_that_of_its_blocks(cluster):
    """Two hundred blocks of 4 MB go through workers that never hold more than some of them."""

    def made(block_id):
        rng = np.random.default_rng(block_id[0])
        return models.exponential(X, 2.0, rng.uniform(0.3, 0.6, (10_000, 1)), 0.5) + rng.normal(0, 0.05, (10_000, 50))

    data = da.map_blocks(lambda block_id=None: made(block_id), chunks=((10_000,) * 200, (50,)), dtype=float)
    cluster.run(_peak_memory)
    before = max(cluster.run(_peak_memory).values())
    rate = curve_fit_many(models.exponential, X, data).popt[:, 1].mean().compute()
    after = max(cluster.run(_peak_memory).values())
    assert rate == pytest.approx(0.45, abs=0.001)
    assert after - before < 250  # 800 MB went through


def _peak_memory():
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def test_covariances_can_be_left_out():
    y = dask.array.from_array(np.exp(-np.linspace(0.5, 1, 6)[:, None] * np.linspace(0, 3, 20)) + 0.1, chunks=(3, 20))
    lazy = curve_fit_many(models.exponential, np.linspace(0, 3, 20), y, pcov=False)
    assert lazy.pcov is None
    fits = lazy.compute()
    assert fits.pcov is None
    np.testing.assert_array_equal(lazy.stderr.compute(), fits.stderr)


def test_results_in_memory_take_the_values_of_dask_arrays():
    fits = curve_fit_many(models.gaussian, X, CUBE[5, :3], sigma=0.1)
    lazy, sigma = da.from_array(X, chunks=20), np.linspace(0.1, 0.2, X.size)
    np.testing.assert_array_equal(fits.predict(lazy), fits.predict(X))
    found = fits.predict(lazy, interval="prediction", sigma=da.from_array(sigma))
    np.testing.assert_array_equal(found, fits.predict(X, interval="prediction", sigma=sigma))


def test_models_take_the_values_of_dask_arrays():
    lazy, y = da.from_array(X, chunks=20), CUBE[5, 0]
    np.testing.assert_array_equal(models.gaussian.guess(lazy, da.from_array(y)), models.gaussian.guess(X, y))
    np.testing.assert_array_equal(models.line(lazy, 2.0, 1.0), models.line(X, 2.0, 1.0))
