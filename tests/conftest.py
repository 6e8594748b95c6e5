"""Fixtures of several files."""

import ctypes
import subprocess
from pathlib import Path

import pytest

from leastsq import native
from leastsq._input import pieces


@pytest.fixture
def small_pieces(monkeypatch):
    """Pieces of 16 fits, so that there are many."""
    monkeypatch.setattr(pieces, "MOST_FITS", 16)


@pytest.fixture(scope="session")
def library(tmp_path_factory):
    """The functions in C."""
    source = Path(__file__).with_name("native_functions.c")
    built = tmp_path_factory.mktemp("library") / "functions.so"
    width = f"-DWIDTH={native.lane_width}"
    subprocess.run(
        ["gcc", "-O2", "-Wall", "-Werror", width, "-shared", "-fPIC", source, "-o", built, "-lm"], check=True
    )
    found = ctypes.CDLL(str(built))
    doubles = [ctypes.POINTER(ctypes.c_double)] * 4
    of_fit = [*[ctypes.c_int64] * 2, *doubles, ctypes.c_void_p]
    of_lanes = [*[ctypes.c_int64] * 4, *doubles, ctypes.c_void_p]
    found.peak.argtypes = of_fit
    found.decay_residuals.argtypes = of_fit
    found.peaks.argtypes = of_lanes
    found.lines.argtypes = of_lanes
    return found
