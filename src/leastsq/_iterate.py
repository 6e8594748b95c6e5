"""One fit: the loop that evaluates what the compiled iteration asks for.

The iteration never calls Python. It is handed residuals and answers with the next point to evaluate;
all it remembers is in one packed array that belongs to the fit.
"""

import math
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy import ndarray
from numpy.typing import NDArray

from . import _minpack, _status
from ._validate import (
    FLOAT64,
    FloatArray,
    Options,
    enough_residuals,
    jacobian_array,
    refuse_not_finite,
    residual_array,
)

_DONE = 0
_RESIDUALS = 1
_JACOBIAN = 2
_CONVERT = 3  # the compiled code answers so, too, where a size is wrong

#: From this many Jacobian entries on, an evaluation is long enough to be worth releasing the interpreter lock for.
_LARGE = 20_000

# Where references are not counted, a count that differs from itself makes every point a new array.
_references: Callable[[Any], float] = getattr(sys, "getrefcount", lambda _: math.nan)


class Details(NamedTuple):
    """What a finished fit knows beside its solution; `cov` is None where the Jacobian is singular."""

    fvec: FloatArray
    fjac: FloatArray
    ipvt: NDArray[np.intc]
    qtf: FloatArray
    cov: FloatArray | None


class Fit(NamedTuple):
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
        return _status.message(
            self.info,
            ftol=self.options.ftol,
            xtol=self.options.xtol,
            gtol=self.options.gtol,
            nfev=self.nfev,
            maxfev=self.options.maxfev,
        )

    def details(self) -> Details:
        """Copy out residuals, factored Jacobian and covariance."""
        n = self.x.size
        fvec, qtf = np.empty(self.m), np.empty(n)
        # Zeros cost no memory until they are written to, and a tall Jacobian writes its leading triangle only.
        fjac, ipvt, cov = np.zeros((n, self.m)), np.empty(n, dtype=np.intc), np.empty((n, n))
        singular = _minpack.details(self.state, fvec, fjac.T, ipvt, qtf, cov.T)
        return Details(fvec, fjac, ipvt, qtf, None if singular else cov)


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
    references = _references
    n = x0.size
    x = x0.copy()
    unshared = references(x)
    residuals = received = func(x, *args)
    plain = type(residuals) is ndarray and residuals.dtype is FLOAT64
    m = residuals.size if plain else residual_array(residuals).size
    enough_residuals(m, n)
    state = _begin(x0, m, dfun is not None, residuals, options)
    ready = ndarray if plain else None  # the type that can be handed in as it is
    large = m * n >= _LARGE
    take_residuals = _minpack.take_residuals_unlocked if large else _minpack.take_residuals
    take_jacobian = _minpack.take_jacobian_unlocked if large else _minpack.take_jacobian

    while True:
        if references(x) != unshared:
            x = np.empty(n)
        if type(residuals) is ready:
            try:
                task = take_residuals(state, residuals, x)
            except ValueError:  # not contiguous, not writable or no longer float64
                task = _CONVERT
        else:
            task = _CONVERT
        if task != _RESIDUALS:
            if task == _CONVERT:
                x = np.empty(n)
                task = take_residuals(state, residual_array(residuals, m), x)
            if task == _JACOBIAN and dfun is not None:
                received = dfun(x, *args)
                jacobian, by_columns = jacobian_array(received, m, n, col_deriv)
                x = np.empty(n)
                task = take_jacobian(state, jacobian, by_columns, x)
            if task == _DONE:
                break
        residuals = func(x, *args) if args else func(x)

    info, nfev, njev, column = _minpack.outcome(state)
    if info > _status.TRIAL_NOT_FINITE:
        _raise_not_finite(info, column, residuals, received, dfun is not None)
    return Fit(x, info, nfev, njev, m, options, state)


def _begin(x0: FloatArray, m: int, analytic: bool, first: Any, options: Options) -> FloatArray:
    """Set up the packed array of a fit, given what the function returned first."""
    ftol, xtol, gtol, maxfev, epsfcn, factor, diag = options
    if epsfcn is None:
        epsfcn = _relative_error(first)
    state: FloatArray = np.empty(_minpack.state_size(m, x0.size, analytic))
    scale, scaled = (x0, 0) if diag is None else (diag, 1)
    _minpack.start(state, x0, m, analytic, ftol, xtol, gtol, maxfev, epsfcn, factor, scaled, scale)
    return state


def _relative_error(residuals: Any) -> float:
    """Return the spacing at 1 of the numbers the residuals were computed in; 0 stands for double precision."""
    dtype = getattr(residuals, "dtype", FLOAT64)
    if dtype is FLOAT64 or dtype.kind != "f":
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
