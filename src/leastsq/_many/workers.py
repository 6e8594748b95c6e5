"""Who fits the pieces: this thread, several, or whatever map the user brings; and what the user sees meanwhile."""

import contextlib
import itertools
import math
import os
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .._engines.block import Ready
from .._engines.solution import Fitted
from .._input.pieces import Piece
from .._input.validate import is_whole

Work: TypeAlias = Piece | Ready
Workers: TypeAlias = int | Callable[[Callable[[Work], Fitted], Iterable[Work]], Iterable[Fitted]]
Progress: TypeAlias = bool | Callable[[int, int, int], Any]

# Pieces waiting for each thread, so that none is idle and few are in memory.
_WAITING = 2
_MOST_THREADS = 4096
_SECONDS_BETWEEN_LINES = 0.5
# How long pieces under way may take to leave off after Ctrl-C; after that they end by themselves, or with the process.
_PATIENCE = 0.2
# How late Ctrl-C is noticed on systems where waiting cannot be interrupted.
_SECONDS_BETWEEN_LOOKS = 0.1


def checked_workers(workers: Any) -> Workers:
    """Return the number of threads, all processors for -1, or the user's map."""
    if callable(workers):
        given: Workers = workers
        return given
    if not is_whole(workers):
        raise TypeError(f"workers must be an integer or a map-like callable, got {workers!r}")
    count = int(workers)
    if count == -1:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if not 1 <= count <= _MOST_THREADS:
        raise ValueError(
            f"workers must be a number of threads from 1 to {_MOST_THREADS}, or -1 for all processors, got {count}"
        )
    return count


def run(
    task: Callable[[Work], Fitted], pieces: Iterable[Work], workers: Workers, interrupt: NDArray[Any]
) -> Iterator[Fitted]:
    """Give the results of all pieces, as they come."""
    if callable(workers):
        results = workers(task, pieces)
        if not isinstance(results, Iterable):
            raise TypeError(
                f"workers(task, pieces) returned {type(results).__name__}, expected the results of all pieces, as map "
                f"returns them"
            )
        return iter(results)
    if workers == 1:
        return map(task, pieces)
    return _run_threads(task, iter(pieces), workers, interrupt)


def _run_threads(
    task: Callable[[Work], Fitted], pieces: Iterator[Work], threads: int, interrupt: NDArray[Any]
) -> Iterator[Fitted]:
    """Fit pieces in threads that no exit of the process waits for, so that Ctrl-C ends it whatever they compute."""
    waiting: queue.SimpleQueue[Work | None] = queue.SimpleQueue()
    ended: queue.SimpleQueue[tuple[Fitted | None, BaseException | None]] = queue.SimpleQueue()

    def serve() -> None:
        while (piece := waiting.get()) is not None and interrupt[0] != 1:  # where time is over, what is left says so
            try:
                ended.put((task(piece), None))
            except BaseException as error:
                ended.put((None, error))

    pool: list[threading.Thread] = []
    patience = math.inf
    under_way = 0
    try:
        for piece in itertools.islice(pieces, _WAITING * threads):
            waiting.put(piece)
            under_way += 1
            if len(pool) < threads:
                pool.append(threading.Thread(target=serve, name=f"leastsq_{under_way}", daemon=True))
                pool[-1].start()
        while under_way:
            fitted, error = _next(ended)
            under_way -= 1
            if error is not None:
                raise error
            for piece in itertools.islice(pieces, 1):
                waiting.put(piece)
                under_way += 1
            if fitted is not None:
                yield fitted
    except BaseException as error:
        interrupt[0] = 1
        patience = math.inf if isinstance(error, Exception) else _PATIENCE
        raise
    finally:
        for _ in pool:
            waiting.put(None)
        _join([thread for thread in pool if thread.ident is not None], patience)


def _next(ended: "queue.SimpleQueue[Any]") -> Any:
    """Return what comes next, looking up now and then, where waiting cannot be interrupted."""
    while True:
        with contextlib.suppress(queue.Empty):
            return ended.get(timeout=_SECONDS_BETWEEN_LOOKS)


def _join(pool: list[threading.Thread], patience: float) -> None:
    """Wait for threads to end, for so many seconds at most."""
    end = time.monotonic() + patience
    for thread in pool:
        while thread.is_alive() and time.monotonic() < end:
            thread.join(min(_SECONDS_BETWEEN_LOOKS, patience))


def checked_progress(progress: Any) -> Progress:
    """Return whether to show progress, or whom to tell."""
    if callable(progress):
        told: Progress = progress
        return told
    if isinstance(progress, (bool, np.bool_)):
        return bool(progress)
    raise TypeError(f"progress must be True, False or a callable progress(done, total, failed), got {progress!r}")


def reporter(progress: Progress, total: int) -> tuple[Callable[[int, int, int], Any], Callable[[], Any]]:
    """Return what to call with fits done, their total and failures, and what to call at the end."""
    if callable(progress):
        return progress, _nothing
    if not progress:
        return _nothing, _nothing
    try:
        from tqdm.auto import tqdm
    except ImportError:
        line = _Line()
        return line.report, line.end
    bar = tqdm(total=total, unit="fit", unit_scale=total > 10_000)

    def report(done: int, total: int, failed: int) -> None:
        bar.set_postfix(failed=failed, refresh=False)
        bar.update(done - bar.n)

    return report, bar.close


def _nothing(*_: Any) -> None:
    pass


class _Line:
    """A line on stderr, for where there is no tqdm."""

    def __init__(self) -> None:
        self._begun = self._shown = time.monotonic()
        self._width = 0

    def report(self, done: int, total: int, failed: int) -> None:
        now = time.monotonic()
        if done < total and now - self._shown < _SECONDS_BETWEEN_LINES:
            return
        self._shown = now
        text = f"{done}/{total} fits, {done / max(now - self._begun, 1e-9):.0f} fits/s, {failed} failed"
        self._width = max(self._width, len(text))
        sys.stderr.write("\r" + text.ljust(self._width))
        sys.stderr.flush()

    def end(self) -> None:
        sys.stderr.write("\n" if self._width else "")
