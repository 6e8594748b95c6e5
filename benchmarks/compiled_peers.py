"""Loops in C++ over Ceres' TinySolver and over cminpack, where both are installed as system packages.

On Debian they are `libceres-dev` and `libcminpack-dev`. They are compiled when they are first asked for, with
``-O3 -march=native -ffast-math``, into the folder for temporary files; for the level of the processor that
``LEASTSQ_LEVEL`` names, if it does.
"""

import ctypes
import functools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

_SOURCE = Path(__file__).with_name("compiled_peers.cpp")
_LEVELS = {"baseline": "x86-64", "v3": "x86-64-v3", "v4": "x86-64-v4"}
_MARCH = "-march=" + _LEVELS.get(os.environ.get("LEASTSQ_LEVEL", ""), "native")
_COMPILE = ("g++", "-std=c++17", "-O3", _MARCH, "-ffast-math", "-fPIC", "-I/usr/include/eigen3", "-c")
# Without -ffast-math, which here would flush small numbers to zero in the whole process.
_LINK = ("g++", "-shared")


@functools.cache
def _library() -> ctypes.CDLL | None:
    """Compile and load the loops; None where a compiler or a library is missing."""
    if shutil.which("g++") is None:
        return None
    folder = Path(tempfile.mkdtemp(prefix="compiled_peers"))
    commands = [
        (*_COMPILE, _SOURCE, "-o", folder / "peers.o"),
        (*_LINK, folder / "peers.o", "-o", folder / "peers.so", "-lcminpack"),
    ]
    for command in commands:
        if subprocess.run(command, capture_output=True, check=False).returncode != 0:
            return None
    return ctypes.CDLL(str(folder / "peers.so"))


def loops(model: str, x: Any, y: Any, p0: Any) -> dict[str, Callable[[int], Any]]:
    """Return a loop of each peer over the first so many data sets, by the peer's name; it returns the estimates."""
    library, predictors = _library(), np.ascontiguousarray(x, dtype=np.float64)
    observations, start = np.ascontiguousarray(y, dtype=np.float64), np.ascontiguousarray(p0, dtype=np.float64)
    sets, points = observations.shape
    found: dict[str, Callable[[int], Any]] = {}
    for name, prefix in (("TinySolver", "tiny_solver"), ("cminpack in C++", "cminpack")):
        function = getattr(library, f"{prefix}_{model}_{points}", None)
        if function is None:
            continue

        def fit_all(count: int, function: Any = function) -> Any:
            popt = np.empty((count, start.shape[1]))
            arrays = (array.ctypes.data_as(ctypes.c_void_p) for array in (predictors, observations, start, popt))
            function(*arrays, ctypes.c_int(sets), ctypes.c_int(count))
            return popt

        found[name] = fit_all
    return found
