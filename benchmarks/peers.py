"""Who else fits many data sets: loops over other packages, each with one call for the first so many data sets.

Packages that are not installed are left out.
"""

import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.optimize

import leastsq

# Fits so many data sets.
Peer = Callable[[int], object]


def forgiving(fit: Callable[[], object]) -> object:
    """Fit, and go on where SciPy raises because there is no minimum."""
    try:
        return fit()
    except RuntimeError:
        return None


def loop(fit: Callable[[int], object], sets: int) -> Peer:
    """Return a loop over the data sets, beginning again where there are too few."""

    def fit_all(count: int) -> None:
        for i in range(count):
            fit(i % sets)

    return fit_all


def scipy_loop(formula: Callable[..., Any], jac: Callable[..., Any] | None, x: Any, y: Any, p0: Any) -> Peer:
    """Return a loop over SciPy's `curve_fit`."""
    return loop(
        lambda i: forgiving(lambda: scipy.optimize.curve_fit(formula, np.array(x), y[i], p0[i], jac=jac)), len(y)
    )


def leastsq_loop(formula: Callable[..., Any], jac: Callable[..., Any], x: Any, y: Any, p0: Any) -> Peer:
    """Return a loop over our own function for single fits."""

    def one(i: int) -> object:
        return leastsq.leastsq(lambda p: formula(x, *p) - y[i], p0[i], Dfun=lambda p: jac(x, *p), full_output=True)

    return loop(one, len(y))


def lmfit_loop(formula: Callable[..., Any], names: tuple[str, ...], x: Any, y: Any, p0: Any) -> Peer | None:
    """Return a loop over lmfit's `minimize`."""
    if not importlib.util.find_spec("lmfit"):
        return None
    import lmfit

    def residual(parameters: Any, y: Any) -> Any:
        return formula(x, *(parameters[name].value for name in names)) - y

    def one(i: int) -> object:
        parameters = lmfit.Parameters()
        for name, value in zip(names, p0[i], strict=True):
            parameters.add(name, value=value)
        return lmfit.minimize(residual, parameters, args=(y[i],))

    return loop(one, len(y))


def joblib_processes(formula: Callable[..., Any], x: Any, y: Any, p0: Any, processes: int) -> Peer | None:
    """Return SciPy's `curve_fit` in processes of joblib's, in batches of a hundred."""
    if not importlib.util.find_spec("joblib"):
        return None
    import joblib

    def fit_all(count: int) -> None:
        parts = np.array_split(np.arange(count) % len(y), max(count // 100, 1))
        joblib.Parallel(processes)(joblib.delayed(scipy_batch)(formula, x, y[part], p0[part]) for part in parts)

    return fit_all


def scipy_batch(formula: Callable[..., Any], x: Any, y: Any, p0: Any) -> list[Any]:
    """Fit some data sets with SciPy, in whatever process."""
    return [
        forgiving(lambda i=i: scipy.optimize.curve_fit(formula, np.array(x), y[i], p0[i])[0]) for i in range(len(y))
    ]


def cminpack_gaussian(x: Any, y: Any, p0: Any) -> Callable[[int], Any] | None:
    """Return cminpack's `lmder` called from code compiled by numba, for Gaussian peaks with derivatives."""
    if not (importlib.util.find_spec("numba") and importlib.util.find_spec("cminpack_numba")):
        return None
    import math

    import numba
    from cminpack_numba import CminpackSignature, lmder_, ptr_from_val

    signature = CminpackSignature.lmder(numba.types.CPointer(numba.float64))

    @numba.cfunc(signature)
    def residuals(data, m, n, p, fvec, fjac, ldfjac, iflag):  # type: ignore[no-untyped-def]
        for i in range(m):
            z = (data[i] - p[1]) / p[2]
            e = math.exp(-0.5 * z * z)
            if iflag == 1:
                fvec[i] = p[0] * e + p[3] - data[m + i]
            else:
                slope = p[0] * e * z / p[2]
                fjac[i] = e
                fjac[ldfjac + i] = slope
                fjac[2 * ldfjac + i] = slope * z
                fjac[3 * ldfjac + i] = 1.0
        return 0

    address = residuals.address

    @numba.njit
    def fit_all(x, y, p0, count):  # type: ignore[no-untyped-def]
        m, n = x.size, p0.shape[1]
        data = np.empty(2 * m)
        data[:m] = x
        fvec, fjac, ipvt = np.empty(m), np.empty((n, m)), np.zeros(n, np.int32)
        diag, qtf, one, two, three, four = np.ones(n), np.empty(n), np.empty(n), np.empty(n), np.empty(n), np.empty(m)
        nfev, njev = ptr_from_val(np.int32(0)), ptr_from_val(np.int32(0))
        popt = np.empty((count, n))
        for i in range(count):
            data[m:] = y[i % len(y)]
            popt[i] = p0[i % len(y)]
            lmder_(
                address, m, n, popt[i], fvec, fjac, m, 1.49012e-8, 1.49012e-8, 0.0, 100 * (n + 1), diag, 1, 100.0, 0,
                nfev, njev, ipvt, qtf, one, two, three, four, data,
            )  # fmt: skip
        return popt

    return lambda count: fit_all(x, y, p0, count)
