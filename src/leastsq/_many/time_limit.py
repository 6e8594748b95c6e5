"""A limit to the time of a call: once it is over, fits under way leave off, and no others begin."""

import contextlib
import math
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._engines.solution import Fitted, Solutions
from .._input.validate import number_of
from .._solver import codes
from .._solver.interruptible import OVER
from .._solver.kernel import TO_FIT
from .._solver.record import empty_arrays

_NOBODY_WAITS = contextlib.nullcontext(True)


def checked_time_limit(seconds: Any) -> float:
    """Return the limit in seconds, infinite for None."""
    if seconds is None:
        return math.inf
    limit = math.nan if isinstance(seconds, bool) else number_of(seconds)
    if not limit > 0:
        raise ValueError(f"time_limit must be a positive number of seconds, or None, got {seconds!r}")
    return limit


def watching(end: float, interrupt: NDArray[np.intc]) -> contextlib.AbstractContextManager[bool]:
    """Interrupt what is done meanwhile at a time of day, and say whether that is still to come."""
    return _NOBODY_WAITS if end == math.inf else _watching(end - time.time(), interrupt)


@contextlib.contextmanager
def _watching(left: float, interrupt: NDArray[np.intc]) -> Iterator[bool]:
    timer = threading.Timer(min(max(left, 0.0), threading.TIMEOUT_MAX), _interrupt, (interrupt,))
    timer.daemon = True
    if left > 0:
        timer.start()
    else:
        _interrupt(interrupt)
    try:
        yield left > 0
    finally:
        timer.cancel()


def _interrupt(interrupt: NDArray[np.intc]) -> None:
    if interrupt[0] == 0:
        interrupt[0] = OVER


def mark_unfinished(solutions: Solutions) -> None:
    """Give a status to fits that are not finished, and no parameters to those of which nothing is known."""
    unfinished = solutions.status == TO_FIT
    unknown = unfinished & ((solutions.nfev == 0) | ~np.isfinite(solutions.fnorm))
    solutions.status[unfinished] = codes.TIME_LIMIT
    solutions.popt[unknown], solutions.fnorm[unknown], solutions.nfev[unknown] = np.nan, np.nan, 0


def not_begun(start: int, count: int, n: int, covariances: bool) -> Fitted:
    """Return what there is of a piece that was not begun."""
    arrays = empty_arrays((count,), n, covariances)
    for array in arrays.values():
        array[...] = np.nan if array.dtype.kind == "f" else 0
    arrays["status"][...] = codes.TIME_LIMIT
    return Fitted(start, arrays)
