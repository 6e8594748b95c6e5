"""Compiled code that can be interrupted: it runs in a thread of its own while the main thread waits for signals.

Python handles signals in its main thread alone, and not before compiled code returns. A thread that waits for a lock is
woken at once: then the handler runs, and if it raises, as that of Ctrl-C does, the compiled code is told to leave off.
"""

import _thread
import threading
from collections.abc import Callable
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

Result = TypeVar("Result")

# What an interruption says where it is time, and not the user, that ends the fits.
OVER: Final = 2

# How long to wait in one go; where a wait cannot be interrupted, as on Windows, this is how late a signal is noticed.
_SECONDS_BETWEEN_LOOKS = 0.1
# How long the compiled code may take to leave off. It is left alone after that: it has all that it works on.
_PATIENCE = 0.2


def interruptibly(call: Callable[[], Result], interrupt: NDArray[np.intc]) -> Result:
    """Return what a function returns that runs compiled code, which leaves off once `interrupt` is not 0."""
    if _thread.get_ident() != threading.main_thread().ident:
        return call()  # there are no signals here
    results: list[Result] = []
    errors: list[BaseException] = []
    running = _thread.allocate_lock()
    running.acquire()

    def work() -> None:
        try:
            results.append(call())
        except BaseException as error:
            errors.append(error)
        finally:
            running.release()

    try:
        threading.Thread(target=work, name="leastsq", daemon=True).start()
    except RuntimeError:  # no further thread can be started
        return call()
    try:
        while not running.acquire(timeout=_SECONDS_BETWEEN_LOOKS):
            pass
    except BaseException:
        interrupt[0] = 1
        running.acquire(timeout=_PATIENCE)
        raise
    if errors:
        raise errors[0]
    return results[0]
