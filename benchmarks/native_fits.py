"""Native models: functions of the user's at compiled speed, against loops over SciPy with NumPy functions.

    python benchmarks/native_fits.py [--quick] [--output DIR]

Gaussian peaks of 50 points and 4 parameters, from starts off by up to 15 %: functions in C for one data set and for
groups, functions compiled by numba with no derivatives of their own, and single fits of residuals. In one process on
one core, in turn. It needs numba, and gcc for the functions in C.
"""

from measure import arguments, caption, in_turn, pin, record, require, stopwatch  # isort: skip  (settles how numpy starts)

import ctypes
import math
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import scipy.optimize

import leastsq
from leastsq import models, native

NAMES = ["amplitude", "center", "sigma", "offset"]


def gaussian(x: Any, amplitude: Any, center: Any, sigma: Any, offset: Any) -> Any:
    """Return a peak, with NumPy."""
    return amplitude * np.exp(-((x - center) ** 2) / (2 * sigma**2)) + offset


def point(x: float, amplitude: float, center: float, sigma: float, offset: float) -> float:
    """Return a point of a peak."""
    return amplitude * math.exp(-((x - center) ** 2) / (2 * sigma**2)) + offset


def residual(data: tuple[float, float], amplitude: float, center: float, sigma: float, offset: float) -> float:
    """Return the residual at a point."""
    return amplitude * math.exp(-((data[0] - center) ** 2) / (2 * sigma**2)) + offset - data[1]


def library() -> ctypes.CDLL:
    """Compile the functions in C, as a user with a fast program would."""
    source = Path(__file__).parent.parent / "tests" / "native_functions.c"
    built = Path(tempfile.mkdtemp()) / "functions.so"
    flags = ["-O3", "-march=native", "-ffast-math", "-shared", "-fPIC", f"-DWIDTH={native.lane_width}"]
    subprocess.run(["gcc", *flags, source, "-o", built, "-lm"], check=True)
    found = ctypes.CDLL(str(built))
    pointers = [ctypes.POINTER(ctypes.c_double)] * 4
    found.peak.argtypes = [*[ctypes.c_int64] * 2, *pointers, ctypes.c_void_p]
    found.peaks.argtypes = [*[ctypes.c_int64] * 4, *pointers, ctypes.c_void_p]
    return found


def residuals_in_c() -> native.NativeModel:
    """Make residuals of a numba.cfunc, as users of SciPy's low-level callables write them."""
    import numba

    doubles = numba.types.CPointer(numba.types.float64)
    sizes = [numba.types.int64] * 2

    @numba.cfunc(numba.types.int32(*sizes, *[doubles] * 4, numba.types.voidptr))
    def residuals(m, n, x, p, out, jac, data):  # type: ignore[no-untyped-def]
        for i in range(m):
            out[i] = p[0] * math.exp(-0.5 * ((x[i] - p[1]) / p[2]) ** 2) + p[3] - x[m + i]
        return 0

    return native.model(residuals, NAMES, predictors=2)


def many_cases() -> list[tuple[str, native.NativeModel, float | None, float | None]]:
    """Return what to call each case, the model, and what must be reached and is aimed at."""
    functions = library()
    return [
        ("C, one data set", native.model(functions.peak, NAMES, derivatives=True), 100, None),
        ("C, groups", native.model(functions.peaks, NAMES, layout="lanes", derivatives=True), 180, None),
        ("numba, dual numbers", native.jit(point), 60, 100),
        ("C, one data set, differences", native.model(functions.peak, NAMES), None, None),
        ("C, groups, differences", native.model(functions.peaks, NAMES, layout="lanes"), None, None),
        ("numba, differences", native.jit(point, derivatives="differences"), None, None),
    ]


def time_many(rounds: int) -> list[dict[str, Any]]:
    """Time all models and SciPy's loop in turn."""
    rng = np.random.default_rng(20260101)
    x = np.linspace(0, 10, 50)
    truth = rng.uniform([2, 3, 0.7, 0.2], [5, 7, 1.5, 1], (50_000, 4))
    y = models.gaussian(x, *truth.T[:, :, None]) + rng.normal(0, 0.03, (50_000, 50))
    p0 = truth * rng.uniform(0.85, 1.15, truth.shape)
    cases = many_cases()
    expected = leastsq.curve_fit_many(models.gaussian, x, y, p0)
    for name, model, _, _ in cases:
        fits = leastsq.curve_fit_many(model, x, y, p0)
        require(np.all(np.abs(fits.popt - expected.popt) < 1e-3 * expected.stderr), name, "popt")
    count = 300

    def scipy_loop() -> None:
        for i in range(count):
            scipy.optimize.curve_fit(gaussian, x, y[i], p0[i])

    compiled = stopwatch(lambda: leastsq.curve_fit_many(models.gaussian, x, y, p0), 1)
    fitters = [stopwatch(lambda m=model: leastsq.curve_fit_many(m, x, y, p0), 1) for _, model, _, _ in cases]
    theirs, of_the_package, *ours = in_turn([stopwatch(scipy_loop, 1), compiled, *fitters], rounds)
    return [
        {
            "case": name,
            "fits per second": float(len(y) / np.median(seconds)),
            "times SciPy": float(np.median(theirs / count / (seconds / len(y)))),
            "times the compiled model": float(np.median(of_the_package / seconds)),
            "must": must,
            "aim": aim,
        }
        for (name, _, must, aim), seconds in zip(cases, ours, strict=True)
    ]


def time_single(rounds: int) -> list[dict[str, Any]]:
    """Time `leastsq` with native residuals against SciPy's with NumPy's."""
    rng = np.random.default_rng(1)
    x = np.linspace(0, 10, 50)
    y = gaussian(x, 3.0, 5.0, 1.0, 0.5) + rng.normal(0, 0.03, 50)
    start = np.array([2.7, 5.4, 1.1, 0.45])
    expected = scipy.optimize.leastsq(lambda p: gaussian(x, *p) - y, start)[0]
    results = []
    for name, model, must in (
        ("leastsq, numba.cfunc", residuals_in_c(), 5),
        ("leastsq, jit, dual numbers", native.jit(residual, predictors=2), None),
    ):
        found = leastsq.leastsq(model, start, args=(x, y))[0]
        require(np.allclose(found, expected, rtol=1e-5), name, "x", found, expected)
        fits: list[Callable[[], object]] = [
            lambda m=model: leastsq.leastsq(m, start, args=(x, y)),  # type: ignore[misc]
            lambda: scipy.optimize.leastsq(lambda p: gaussian(x, *p) - y, start),
        ]
        ours, theirs = in_turn([stopwatch(fit, 300) for fit in fits], rounds)
        results.append(
            {
                "case": name,
                "fits per second": float(1 / np.median(ours)),
                "times SciPy": float(np.median(theirs / ours)),
                "must": must,
            }
        )
    return results


def main() -> None:
    """Measure everything and publish it."""
    options = arguments("Native models against loops over SciPy.")
    rounds = 3 if options.quick else 9
    pin()
    results = time_many(rounds) + time_single(rounds)
    print("Native models", caption(), "", sep="\n")
    print(f"{'case':<30}{'fits/s':>10}{'times SciPy':>14}{'must':>8}{'aim':>8}")
    for r in results:
        targets = ["" if r.get(name) is None else f"{r[name]:g}" for name in ("must", "aim")]
        missed = "  MISSED" if r.get("must") and r["times SciPy"] < r["must"] else ""
        figures = f"{r['fits per second']:>10,.0f}{r['times SciPy']:>14.1f}{targets[0]:>8}{targets[1]:>8}"
        print(f"{r['case']:<30}{figures}{missed}")
    record(options.output, "native_fits", results=results)


if __name__ == "__main__":
    main()
