"""The drop-in for scipy.optimize.leastsq."""

import warnings
from collections.abc import Callable
from typing import Any, Literal, TypeAlias, overload

from numpy.typing import ArrayLike

from . import _status
from ._iterate import Fit, iterate
from ._validate import FloatArray, callable_argument, checked_options, starting_point

_Short: TypeAlias = tuple[FloatArray, int]
_Full: TypeAlias = tuple[FloatArray, FloatArray | None, dict[str, Any], str, int]


def leastsq(
    func: Callable[..., Any],
    x0: ArrayLike,
    args: Any = (),
    Dfun: Callable[..., Any] | None = None,
    full_output: bool = False,
    col_deriv: bool = False,
    ftol: float = 1.49012e-8,
    xtol: float = 1.49012e-8,
    gtol: float = 0.0,
    maxfev: int = 0,
    epsfcn: float | None = None,
    factor: float = 100,
    diag: ArrayLike | None = None,
) -> _Short | _Full:
    """Minimise."""
    callable_argument(func, "func")
    if Dfun is not None:
        callable_argument(Dfun, "Dfun")
    start = starting_point(x0)
    options = checked_options(start.size, Dfun is not None, ftol, xtol, gtol, maxfev, epsfcn, factor, diag)
    if not isinstance(args, tuple):
        args = (args,)
    fit = iterate(func, start, args, Dfun, bool(col_deriv), options)
    if full_output:
        return _full_output(fit, Dfun is not None)
    if fit.info not in _status.SOLVED:
        warnings.warn(fit.message(), RuntimeWarning, stacklevel=2)
    return fit.x, fit.info


def _full_output(fit: Fit, analytic: bool) -> _Full:
    details = fit.details()
    infodict = {"fvec": details.fvec, "nfev": fit.nfev, "fjac": details.fjac, "ipvt": details.ipvt, "qtf": details.qtf}
    if analytic:
        infodict["njev"] = fit.njev
    cov_x = details.cov if fit.info in _status.SOLVED else None
    return fit.x, cov_x, infodict, fit.message(), fit.info
