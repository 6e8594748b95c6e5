"""Functions of a peak for the tests of native models, from each source they may come from."""

import ctypes
import functools
import math

import numpy as np
import pytest
from scipy import LowLevelCallable

from leastsq import models, native

numba = pytest.importorskip("numba")

POINTER = ctypes.POINTER(ctypes.c_double)
KINDS_OF_FIT = [*[ctypes.c_int64] * 2, *[POINTER] * 4, ctypes.c_void_p]
KINDS_OF_LANES = [*[ctypes.c_int64] * 4, *[POINTER] * 4, ctypes.c_void_p]
NAMES = ["amplitude", "center", "sigma", "offset"]

X = np.linspace(0, 10, 50)
RNG = np.random.default_rng(20260201)
TRUTH = RNG.uniform([2, 3, 0.7, 0.2], [5, 7, 1.5, 1], (300, 4))
Y = models.gaussian(X, *TRUTH.T[:, :, None]) + RNG.normal(0, 0.05, (300, 50))
P0 = TRUTH * RNG.uniform(0.85, 1.15, TRUTH.shape)


def gaussian(x, amplitude, center, sigma, offset):
    """The model in NumPy."""
    return amplitude * np.exp(-((x - center) ** 2) / (2 * sigma**2)) + offset


def point(x, amplitude, center, sigma, offset):
    """The model at a point."""
    return amplitude * math.exp(-((x - center) ** 2) / (2 * sigma**2)) + offset


def slopes(x, amplitude, center, sigma, offset):
    z = (x - center) / sigma
    e = math.exp(-0.5 * z * z)
    return e, amplitude * e * z / sigma, amplitude * e * z * z / sigma, 1.0


def numba_signature(layout="fit"):
    doubles = numba.types.CPointer(numba.types.float64)
    sizes = 2 if layout == "fit" else 4
    return numba.types.int32(*[numba.types.int64] * sizes, *[doubles] * 4, numba.types.voidptr)


@functools.cache
def numba_peak():
    @numba.cfunc(numba_signature())
    def peak(m, n, x, p, out, jac, data):
        for i in range(m):
            out[i] = p[0] * math.exp(-0.5 * ((x[i] - p[1]) / p[2]) ** 2) + p[3]
        return 0

    return peak


def of_ctypes(library, derivatives):
    return native.model(library.peak, NAMES, derivatives=derivatives)


def of_lanes(library, derivatives):
    return native.model(library.peaks, NAMES, layout="lanes", derivatives=derivatives)


def of_address(library, derivatives):
    address = ctypes.cast(library.peak, ctypes.c_void_p).value
    declaration = (
        "int peak(int64_t m, int64_t n, const double *x, const double *p, double *out, double *jac, void *user_data)"
    )
    return native.model(address, NAMES, derivatives=derivatives, signature=declaration)


def of_scipy(library, derivatives):
    return native.model(LowLevelCallable(library.peak), NAMES, derivatives=derivatives)


def of_cffi(library, derivatives):
    cffi = pytest.importorskip("cffi")
    ffi = cffi.FFI()
    ffi.cdef("int peak(int64_t, int64_t, const double *, const double *, double *, double *, void *);")
    functions = ffi.dlopen(library._name)
    return native.model(ffi.addressof(functions, "peak"), NAMES, derivatives=derivatives)


def of_numba(library, derivatives):
    if derivatives:
        pytest.skip("the function takes no derivatives")
    return native.model(numba_peak(), NAMES)


@functools.cache
def jitted(kind):
    if kind == "given":
        return native.jit(point, slopes)
    return native.jit(point, derivatives=kind)


def of_jit(library, derivatives):
    return jitted("dual" if derivatives else "differences")


def of_jit_with_jac(library, derivatives):
    if not derivatives:
        pytest.skip("the derivatives are given")
    return jitted("given")


MAKERS = [of_ctypes, of_lanes, of_address, of_scipy, of_cffi, of_numba, of_jit, of_jit_with_jac]
each_maker = pytest.mark.parametrize("make", MAKERS, ids=lambda make: make.__name__)
each_way = pytest.mark.parametrize("derivatives", [True, False], ids=["derivatives", "differences"])
