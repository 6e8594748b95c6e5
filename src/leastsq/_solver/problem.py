"""What to fit and how: checked once, at the door, and handed to every engine and every result."""

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from .._input.validate import MOST_EVALUATIONS, FloatArray, number_of, real_array


class Options(NamedTuple):
    """What steers the iteration, checked: first the numbers, in the order of minpack/options.f90, and scale factors."""

    ftol: float
    xtol: float
    gtol: float
    factor: float
    maxfev: int
    # None: that of the dtype a function returns.
    epsfcn: float | None
    # The number of the loss, see minpack/losses.inc, and the size of residuals from which it differs from squares.
    loss: int = 0
    f_scale: float = 1.0
    diag: FloatArray | None = None
    # A loss of the user's own, of squared residuals in units of `f_scale`; its number is then 0.
    rho: Callable[..., Any] | None = None

    def packed(self) -> FloatArray:
        """Return the numbers in an array."""
        return np.array((*self[:5], self.epsfcn or 0.0, *self[6:8]))

    def scaling(self, like: FloatArray) -> tuple[int, FloatArray]:
        """Return 1 and the scale factors if they are given, else 0 and an array that is not looked at."""
        return (0, like) if self.diag is None else (1, self.diag)


@dataclass(eq=False, slots=True)
class Problem:
    """A function to fit, with all that does not differ from data set to data set."""

    f: Callable[..., Any]
    jac: Callable[..., Any] | None
    names: tuple[str, ...]
    options: Options
    absolute_sigma: bool = False
    # Whether `f` and `jac` can be called for many fits at once.
    vectorized: bool = True
    # Whether the data had standard deviations.
    weighted: bool = False
    # Whether covariances are kept, or standard errors alone.
    covariances: bool = True
    # Whether covariances are sandwiches, made of the gradients of single points.
    sandwich: bool = False
    # Which parameters are fixed in all fits, nothing if none is; and whether there are bounds.
    fixed: tuple[bool, ...] = ()
    bounded: bool = False

    @property
    def n(self) -> int:
        """The number of parameters."""
        return len(self.names)


def checked_options(
    n: int,
    analytic: bool,
    ftol: float,
    xtol: float,
    gtol: float,
    maxfev: int | None,
    epsfcn: float | None,
    factor: float,
    diag: Any,
) -> Options:
    """Return the options of a fit of `n` parameters, refusing those no fit can use."""
    given = (n, analytic, ftol, xtol, gtol, maxfev, epsfcn, factor)
    try:
        options = _options_of(*given)
    except TypeError:  # numbers in arrays, or what is no number, which is said below
        options = None
    options = options or _options_of.__wrapped__(*given)
    return options if diag is None else options._replace(diag=_scale_factors(diag, n))


@functools.lru_cache(maxsize=256)  # most fits of a session have the same
def _options_of(
    n: int,
    analytic: bool,
    ftol: float,
    xtol: float,
    gtol: float,
    maxfev: int | None,
    epsfcn: float | None,
    factor: float,
) -> Options:
    """Return options that numbers make."""
    tolerances = number_of(ftol), number_of(xtol), number_of(gtol)
    for name, tolerance, given in zip(("ftol", "xtol", "gtol"), tolerances, (ftol, xtol, gtol), strict=True):
        if not tolerance >= 0:
            raise TypeError(f"{name} must be a number and not negative, got {given!r}; 0 switches the test off")
    longest = number_of(factor)
    if not 0 < longest < math.inf:
        raise TypeError(f"factor must be a positive number, usually between 0.1 and 100, got {factor!r}")
    relative_error = None if epsfcn is None else number_of(epsfcn)
    if relative_error is not None and not relative_error < math.inf:
        raise TypeError(f"epsfcn must be the relative error of the residuals, or None, got {epsfcn!r}")
    limit = _evaluation_limit(maxfev, (100 if analytic else 200) * (n + 1))
    return Options(*tolerances, longest, limit, relative_error)


def _evaluation_limit(maxfev: float | None, default: int) -> int:
    if maxfev is None:
        return min(default, MOST_EVALUATIONS)
    number = number_of(maxfev)
    if not number >= 0 or not (isinstance(maxfev, int) or number.is_integer()):
        raise TypeError(f"maxfev must be a positive whole number, or 0 for the default of {default}, got {maxfev!r}")
    return int(min(number or default, MOST_EVALUATIONS))


def _scale_factors(diag: Any, n: int) -> FloatArray:
    factors = real_array(diag, "diag").flatten()
    if factors.size != n:
        raise TypeError(f"diag: got {factors.size} scale factors, expected one for each of the {n} parameters")
    if not np.all((factors > 0) & (factors < np.inf)):
        raise TypeError(f"diag: scale factors must be positive and finite, got {factors}")
    return factors


def checked_scale(x_scale: Any, n: int) -> FloatArray | None:
    """Return scale factors of the parameters, one over their size; None where the Jacobian tells them."""
    if x_scale is None or (isinstance(x_scale, str) and x_scale == "jac"):
        return None
    try:
        scale = np.broadcast_to(real_array(x_scale, "x_scale"), n)
    except (TypeError, ValueError):
        scale = np.zeros(1)
    if not ((scale > 0) & (scale < np.inf)).all():
        raise ValueError(f"x_scale must be 'jac', a positive number or {n} of them, got {x_scale!r}")
    return 1.0 / scale
