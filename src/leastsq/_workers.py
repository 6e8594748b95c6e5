"""Who fits the pieces: this thread, several, or whatever map the user brings; and what the user sees meanwhile."""

import itertools
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any, TypeAlias

from numpy.typing import NDArray

from ._pieces import Piece
from ._solution import Fitted

Workers: TypeAlias = int | Callable[[Callable[[Piece], Fitted], Iterable[Piece]], Iterable[Fitted]]
Progress: TypeAlias = bool | Callable[[int, int, int], Any]

# Pieces waiting for each thread, so that none is idle and few are in memory.
_WAITING = 2
_MOST_THREADS = 4096
_SECONDS_BETWEEN_LINES = 0.5


def checked_workers(workers: Any) -> Workers:
    """Return the number of threads, all processors for -1, or the user's map."""
    if callable(workers):
        given: Workers = workers
        return given
    if isinstance(workers, bool) or not hasattr(workers, "__index__"):
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
    task: Callable[[Piece], Fitted], pieces: Iterable[Piece], workers: Workers, interrupt: NDArray[Any]
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
    task: Callable[[Piece], Fitted], pieces: Iterator[Piece], threads: int, interrupt: NDArray[Any]
) -> Iterator[Fitted]:
    with ThreadPoolExecutor(threads, thread_name_prefix="leastsq") as pool:
        try:
            under_way: set[Future[Fitted]] = {
                pool.submit(task, piece) for piece in itertools.islice(pieces, _WAITING * threads)
            }
            while under_way:
                done, under_way = wait(under_way, return_when=FIRST_COMPLETED)
                under_way |= {pool.submit(task, piece) for piece in itertools.islice(pieces, len(done))}
                for future in done:
                    yield future.result()
        except BaseException:
            interrupt[0] = 1
            pool.shutdown(wait=False, cancel_futures=True)
            raise


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
