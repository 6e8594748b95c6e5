"""One fit: the loop that evaluates what the compiled iteration asks for.

The iteration never calls Python. It is handed residuals and answers with the next point to evaluate;
all it remembers is in one packed array that belongs to the fit.
"""

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import _minpack, _status
from ._validate import (
    FloatArray,
    enough_residuals,
    jacobian_array,
    refuse_not_finite,
    residual_array,
)

_RESIDUALS = 1
_JACOBIAN = 2
_REFUSED = 3  # an array was not fit to be handed in as it stands

#: From this many Jacobian entries on, an evaluation is long enough to be worth releasing the interpreter lock for.
_LARGE = 20_000

# Where references are not counted, a count that differs from itself makes every point a new array.
_references: Callable[[Any], float] = getattr(sys, "getrefcount", lambda _: math.nan)


@dataclass(frozen=True, slots=True)
class Options:
    """What steers a fit, already checked."""

    ftol: float
    xtol: float
    gtol: float
    maxfev: int
    epsfcn: float | None
    factor: float
    diag: FloatArray | None


@dataclass(frozen=True, slots=True)
class Fit:
    """A finished fit."""

    x: FloatArray
    info: int
    nfev: int
    njev: int
    m: int
    options: Options
    state: FloatArray

    def message(self) -> str:
        """Say in words how the fit ended."""
        options = self.options
        return _status.message(
            self.info,
            ftol=options.ftol,
            xtol=options.xtol,
            gtol=options.gtol,
            nfev=self.nfev,
            maxfev=options.maxfev,
        )

    def details(self) -> "Details":
        """Copy out residuals, factored Jacobian and covariance."""
        n = self.x.size
        fvec, qtf = np.empty(self.m), np.empty(n)
        # Zeros cost no memory until they are written to, and a tall Jacobian writes its leading triangle only.
        fjac, ipvt, cov = np.zeros((n, self.m)), np.empty(n, dtype=np.intc), np.empty((n, n))
        singular = _minpack.details(self.state, fvec, fjac.T, ipvt, qtf, cov.T)
        return Details(fvec, fjac, ipvt, qtf, None if singular else cov)


@dataclass(frozen=True, slots=True)
class Details:
    """What a finished fit knows beside its solution; `cov` is None where the Jacobian is singular."""

    fvec: FloatArray
    fjac: FloatArray
    ipvt: np.ndarray[Any, np.dtype[np.intc]]
    qtf: FloatArray
    cov: FloatArray | None


def iterate(
    func: Callable[..., Any],
    x0: FloatArray,
    args: tuple[Any, ...],
    dfun: Callable[..., Any] | None,
    col_deriv: bool,
    options: Options,
) -> Fit:
    """Minimise the sum of squares of `func`, evaluating it exactly `nfev` times.

    The array handed to `func` is reused for the next point unless something still refers to it: then it
    is theirs, and the next point gets a new one.
    """
    n = x0.size
    x = x0.copy()
    unshared = _references(x)
    received = func(x, *args)
    residuals = residual_array(received)
    m = residuals.size
    enough_residuals(m, n)
    plain = residuals is received
    state = _begin(x0, m, dfun is not None, _relative_error(received, options.epsfcn), options)
    large = m * n >= _LARGE
    take_residuals = _minpack.take_residuals_unlocked if large else _minpack.take_residuals
    take_jacobian = _minpack.take_jacobian_unlocked if large else _minpack.take_jacobian
    if _references(x) != unshared:
        x = np.empty(n)
    task = take_residuals(state, residuals, x)
    while task:
        if task == _RESIDUALS:
            residuals = func(x, *args) if args else func(x)
            if _references(x) != unshared:
                x = np.empty(n)
            if plain and type(residuals) is np.ndarray:
                try:
                    task = take_residuals(state, residuals, x)
                except ValueError:
                    task = _REFUSED
            else:
                task = _REFUSED
        elif task == _JACOBIAN:
            received = dfun(x, *args) if args else dfun(x)
            jacobian, by_columns = jacobian_array(received, m, n, col_deriv)
            if _references(x) != unshared:
                x = np.empty(n)
            task = take_jacobian(state, jacobian, by_columns, x)
        else:
            x = np.empty(n)
            task = take_residuals(state, residual_array(residuals, m), x)
    info, nfev, njev, column = _minpack.outcome(state)
    if info > _status.TRIAL_NOT_FINITE:
        _raise_not_finite(info, column, residuals, received, dfun is not None)
    return Fit(x, info, nfev, njev, m, options, state)


def _begin(x0: FloatArray, m: int, analytic: bool, epsfcn: float, options: Options) -> FloatArray:
    """Set up the packed array of a fit."""
    state: FloatArray = np.empty(_minpack.state_size(m, x0.size, analytic))
    diag = options.diag
    _minpack.start(
        state,
        x0,
        m,
        analytic,
        options.ftol,
        options.xtol,
        options.gtol,
        options.maxfev,
        epsfcn,
        options.factor,
        diag is not None,
        x0 if diag is None else diag,
    )
    return state


def _relative_error(residuals: Any, epsfcn: float | None) -> float:
    """Return the relative error of the residuals: as told, or the spacing of the numbers they came in."""
    if epsfcn is not None:
        return epsfcn
    dtype = getattr(residuals, "dtype", None)
    if dtype is None or dtype == np.float64 or dtype.kind != "f":
        return 0.0
    return float(np.finfo(dtype).eps)


def _raise_not_finite(info: int, column: int, residuals: Any, jacobian: Any, analytic: bool) -> None:
    """Say which numbers were NaN or infinite, at the start or in a Jacobian."""
    if info == _status.START_NOT_FINITE:
        refuse_not_finite(residual_array(residuals), "func", " at the starting point")
        raise ValueError("func: the sum of squares at the starting point overflows; scale the residuals down")
    if analytic:
        refuse_not_finite(np.asarray(jacobian, dtype=np.float64), "Dfun")
        raise ValueError(f"Dfun: the norm of column {column - 1} overflows; scale the residuals down")
    raise ValueError(
        f"func: the residuals a small step away from an iterate are not finite, so that there is no derivative with "
        f"respect to parameter {column - 1} (counted from 0). Check that func is defined on both sides of every "
        f"iterate, or give Dfun."
    )
