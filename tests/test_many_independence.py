"""Many fits in one call: results depend on nothing but the data."""

import concurrent.futures
import functools
import multiprocessing
import warnings

import numpy as np
import pytest
from many_decays import (
    DATA,
    GAPS,
    KINDS,
    TRUTH,
    WILD,
    T,
    decay,
    each_kind,
    identical,
    spread,
)
from many_problems import CASES

from leastsq import curve_fit_many, models
from leastsq._engines import evaluate, slots
from leastsq._input import pieces as _pieces
from leastsq._solver import kernel

# --- The results depend on nothing but the data ---


@pytest.mark.slow
@each_kind
def test_results_do_not_depend_on_the_workers(kind_of_fit, small_pieces):
    expected = spread(**kind_of_fit)
    assert 0 < expected.success.sum() < 200
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        for workers in (2, 3, -1, pool.map, map, lambda f, pieces: [f(p) for p in reversed(list(pieces))]):
            assert identical(spread(**kind_of_fit, workers=workers), expected)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_results_do_not_depend_on_the_process(method, small_pieces):
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"this system cannot {method}")
    with warnings.catch_warnings():
        # Forking a process with threads, of earlier tests, is what Python warns about.
        warnings.simplefilter("ignore", DeprecationWarning)
        pool = multiprocessing.get_context(method).Pool(2)
    with pool:
        kinds = KINDS if method == "fork" else {"compiled": KINDS["compiled"]}
        for kind_of_fit in kinds.values():
            assert identical(spread(**kind_of_fit, workers=pool.map), spread(**kind_of_fit))
            assert identical(spread(**kind_of_fit, workers=pool.imap_unordered), spread(**kind_of_fit))


def test_workers_that_lose_pieces_are_an_error(small_pieces):
    with pytest.raises(RuntimeError, match="workers returned results of 15 of 200 fits"):
        spread(**KINDS["compiled"], workers=lambda f, pieces: [f(next(pieces))])


def test_workers_that_are_no_map_are_an_error(small_pieces):
    def twice(task, pieces):
        results = [task(piece) for piece in pieces]
        return [results[0], results[0], *results[2:]]

    for workers, error, message in (
        (twice, RuntimeError, "the results of a piece twice"),
        (lambda task, pieces: None, TypeError, "returned NoneType, expected the results of all pieces"),
        (lambda task, pieces: ["a"], TypeError, "returned str, expected what task returns"),
    ):
        with pytest.raises(error, match=message):
            spread(**KINDS["compiled"], workers=workers)


@pytest.mark.slow
@each_kind
@pytest.mark.parametrize("size", [1, 7, 64, 100_000])
def test_results_do_not_depend_on_the_pieces(kind_of_fit, size, monkeypatch):
    expected = spread(**kind_of_fit)
    monkeypatch.setattr(_pieces, "MOST_FITS", size)
    assert identical(spread(**kind_of_fit), expected)
    monkeypatch.setattr(_pieces, "MOST_POINTS", 20 * 5)
    assert identical(spread(**kind_of_fit), expected)


@each_kind
def test_results_do_not_depend_on_the_order(kind_of_fit):
    expected = spread(**kind_of_fit)
    order = np.random.default_rng(2).permutation(200)
    fits = curve_fit_many(**kind_of_fit, xdata=T, ydata=GAPS[order], p0=WILD[order], maxfev=60)
    assert identical(fits, expected[order])


@pytest.mark.slow
@each_kind
def test_results_do_not_depend_on_the_company(kind_of_fit):
    """The same fit alone, at each place of a group, and among others that fail."""
    expected = spread(**kind_of_fit)
    for fit in range(0, 200, 29):
        alone = curve_fit_many(**kind_of_fit, xdata=T, ydata=GAPS[fit], p0=WILD[fit], maxfev=60)
        assert identical(expected[fit], alone)
        for place in range(0, 17, 4):
            rows = np.insert(np.arange(190, 200), min(place, 10), fit)
            fits = curve_fit_many(**kind_of_fit, xdata=T, ydata=GAPS[rows], p0=WILD[rows], maxfev=60)
            assert identical(fits[min(place, 10)], alone)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_compiled_models_do_not_look_at_each_other(case, monkeypatch):
    rng = np.random.default_rng(3)
    truth, data = case.data(rng, 40)
    starts = truth * rng.uniform(0.2, 4, truth.shape)
    starts[3] = np.nan
    data[5] = np.inf
    expected = curve_fit_many(case.model, case.x, data, starts, maxfev=50)
    order = rng.permutation(40)
    fits = curve_fit_many(case.model, case.x, data[order], starts[order], maxfev=50)
    assert identical(fits, expected[order])
    monkeypatch.setattr(_pieces, "MOST_FITS", 7)
    assert identical(curve_fit_many(case.model, case.x, data, starts, maxfev=50), expected)


def test_shared_arrays_give_what_own_ones_do():
    sigma = 0.05 * (1 + 0.5 * np.cos(T))
    tiled = {"xdata": np.tile(T, (200, 1)), "sigma": np.tile(sigma, (200, 1))}
    for kind_of_fit in KINDS.values():
        expected = curve_fit_many(**kind_of_fit, xdata=T, ydata=GAPS, p0=WILD, sigma=sigma, maxfev=60)
        assert identical(curve_fit_many(**kind_of_fit, ydata=GAPS, p0=WILD, maxfev=60, **tiled), expected)


def test_many_points_of_few_fits_are_vectorised_as_few_points_of_many(monkeypatch):
    for points in (1, 2**7, 2**20):
        for module in (evaluate, slots):
            monkeypatch.setattr(module, "POINTS_AT_ONCE", points)
        for name in ("jac", "differences"):
            assert identical(spread(**KINDS[name]), spread_by_default(name))


@functools.cache
def spread_by_default(name):
    with pytest.MonkeyPatch.context() as patch:
        for module in (evaluate, slots):
            patch.setattr(module, "POINTS_AT_ONCE", 2**15)
        return spread(**KINDS[name])


# --- Levels of the processor ---


@pytest.mark.skipif(kernel.LEVEL == 1, reason="this processor has the basic level only")
def test_levels_of_the_processor_agree(monkeypatch):
    """They differ in rounding alone, because some fuse multiplications with additions."""
    results = {}
    for level in range(1, kernel.LEVEL + 1):
        monkeypatch.setattr(kernel, "LEVEL", level)
        results[level] = []
        for case in CASES:
            truth, data = case.data(np.random.default_rng(4), 300)
            results[level].append(curve_fit_many(case.model, case.x, data, truth))
    alike = []
    for level in range(2, kernel.LEVEL + 1):
        for case, fits, others in zip(CASES, results[level], results[1], strict=True):
            ways = (fits.nfev == others.nfev) & (fits.success == others.success)
            alike.append(ways)
            assert (np.abs(fits.popt - others.popt) <= case.last_step(others.popt))[ways].all(), case
            np.testing.assert_allclose(fits.stderr[ways], others.stderr[ways], rtol=1e-6)
    assert np.mean(alike) >= 0.999


@pytest.mark.parametrize("level", range(1, kernel.LEVEL + 1))
def test_every_level_is_indifferent_to_order(level, monkeypatch):
    monkeypatch.setattr(kernel, "LEVEL", level)
    test_results_do_not_depend_on_the_order(KINDS["compiled"])
    test_results_do_not_depend_on_the_company(KINDS["compiled"])


# --- Very large arrays ---


def test_a_row_beyond_the_reach_of_32_bits_is_fitted_like_the_first():
    """One data set broadcast to 2.8e9 numbers: the pieces are views, and indices do not wrap."""
    x = np.linspace(0, 4, 40_000)
    y = (2.0 * np.exp(-1.3 * x) + 0.5 + 0.01 * np.cos(9 * x)).astype(np.float32)
    data = np.broadcast_to(y, (70_000, 40_000))
    sets = _pieces.data_sets(x, data, None, {}, -1)
    assert sets.fits * sets.points > 2**31
    piece = sets.piece(69_998, 70_000)
    assert np.shares_memory(piece.y, y)
    assert piece.y.strides[0] == 0
    task = task_of(x, y)
    last, first = task(piece), task(sets.piece(0, 2))
    assert last.start == 69_998
    np.testing.assert_array_equal(last.arrays["popt"], first.arrays["popt"])
    alone = curve_fit_many(models.exponential, x, y)
    np.testing.assert_array_equal(last.arrays["popt"], [alone.popt] * 2)


def test_a_fit_whose_number_is_beyond_32_bits():
    y = DATA[0]
    for shape, layout in (((3_000_000_000, 20), "rows"), ((60_000, 50_000, 20), "grid")):
        sets = _pieces.data_sets(T, np.broadcast_to(y, shape), None, {}, -1)
        assert sets.fits == 3_000_000_000, layout
        piece = sets.piece(2_999_999_990, 3_000_000_000)
        got = task_of(T, y)(piece)
        assert got.start == 2_999_999_990
        np.testing.assert_array_equal(got.arrays["popt"], [curve_fit_many(models.exponential, T, y).popt] * 10)
        last = list(zip(range(3), sets.pieces(), strict=False))[-1][1]
        assert last.start == 2 * last.fits
        assert _pieces.MOST_FITS // 2 < last.fits <= _pieces.MOST_FITS


def task_of(x, y):
    """The task that `curve_fit_many` gives its workers."""
    tasks = []

    def workers(task, pieces):
        tasks.append(task)
        return map(task, pieces)

    curve_fit_many(models.exponential, x, y, workers=workers)
    return tasks[0]


def test_pieces_are_views_of_the_users_array():
    data = np.zeros((5000, 20), dtype=np.float32)
    for array, axis in ((data, -1), (data.T, 0), (data.reshape(50, 100, 20), -1), (np.asfortranarray(data.T), 0)):
        pieces = list(_pieces.data_sets(T, array, None, {}, axis).pieces())
        assert sum(piece.fits for piece in pieces) == 5000
        assert all(np.shares_memory(piece.y, array) for piece in pieces)
        assert all(piece.y.dtype == np.float32 for piece in pieces)


@pytest.mark.parametrize(("fits", "sizes"), [(0, []), (16, [16]), (17, [9, 8]), (33, [9, 9, 9, 6]), (64, [16] * 4)])
def test_pieces_are_even_in_number_and_of_one_size(monkeypatch, fits, sizes):
    """Two threads that share three pieces would take as long as for four."""
    monkeypatch.setattr(_pieces, "MOST_FITS", 16)
    pieces = list(_pieces.data_sets(T, np.zeros((fits, 20)), None, {}, -1).pieces())
    assert [piece.fits for piece in pieces] == sizes


def test_compiled_code_releases_the_lock():
    """Two threads of one processor each would deadlock here if a fit kept the lock."""
    import threading

    x = np.linspace(0, 4, 2000)
    data = np.repeat(decay(x, *TRUTH.T[:, :, None]), 5, axis=0)
    seen = []
    done = threading.Event()

    def count():
        while not done.is_set():
            seen.append(None)
            done.wait(0.0005)

    thread = threading.Thread(target=count)
    thread.start()
    try:
        before = len(seen)
        sets = _pieces.data_sets(x, data, None, {}, -1)
        task_of(x, data[0])(sets.piece(0, 1000))
        gained = len(seen) - before
    finally:
        done.set()
        thread.join()
    assert gained > 1
