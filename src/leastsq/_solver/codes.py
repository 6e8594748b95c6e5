"""Exit codes of a fit and the sentences that explain them."""

import functools
import warnings
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

FTOL: Final = 1
XTOL: Final = 2
FTOL_AND_XTOL: Final = 3
GTOL: Final = 4
MAXFEV: Final = 5
TRIAL_NOT_FINITE: Final = 9
START_NOT_FINITE: Final = 10
JACOBIAN_NOT_FINITE: Final = 11
# Of many fits, where one that cannot be made is no reason to stop.
TOO_FEW_POINTS: Final = 12
MODEL_RAISED: Final = 13
P0_NOT_FINITE: Final = 14
DATA_NOT_USABLE: Final = 15
NOT_AT_MINIMUM: Final = 16
UNMOVED: Final = 17
INFEASIBLE: Final = 18
CALLBACK: Final = 19
TIME_LIMIT: Final = 20
COUNTS_NEGATIVE: Final = 21


class OptimizeWarning(UserWarning):
    """A fit came to an end, but something about its result needs the user's attention."""


SOLVED: Final = frozenset({1, 2, 3, 4})


def is_solved(status: Any) -> NDArray[np.bool_]:
    """Return which of many fits came to a minimum."""
    solved: NDArray[np.bool_] = (status >= FTOL) & (status <= GTOL)
    return solved


# Of fits whose model was never evaluated.
NOT_FITTED: Final = (TOO_FEW_POINTS, P0_NOT_FINITE, DATA_NOT_USABLE, INFEASIBLE, COUNTS_NEGATIVE)

IMPROPER_INPUT: Final = "Improper input parameters."

_SENTENCES: Final = {
    0: IMPROPER_INPUT,
    1: "Solved: actual and predicted relative reductions in the sum of squares are at most ftol = {ftol:g}.",
    2: "Solved: the relative change between two consecutive iterates is at most xtol = {xtol:g}.",
    3: (
        "Solved: actual and predicted relative reductions in the sum of squares are at most ftol = {ftol:g}, "
        "and the relative change between two consecutive iterates is at most xtol = {xtol:g}."
    ),
    4: (
        "Solved: the residual vector is orthogonal to the columns of the Jacobian to within gtol = {gtol:g}. "
        "If the parameters did not move, check that the residuals depend on them."
    ),
    5: (
        "Not solved: stopped after {nfev} evaluations of the residuals (maxfev = {maxfev}{beside}). "
        "Try a better start, or a larger maxfev."
    ),
    6: (
        "Not solved to ftol = {ftol:g}, which is too small: no further reduction in the sum of squares is possible "
        "in double precision. The parameters are as good as they get."
    ),
    7: (
        "Not solved to xtol = {xtol:g}, which is too small: no further improvement in the parameters is possible "
        "in double precision. They are as good as they get."
    ),
    8: (
        "Not solved to gtol = {gtol:g}, which is too small: the residual vector is orthogonal to the columns of the "
        "Jacobian to machine precision. The parameters are as good as they get."
    ),
    9: (
        "Not solved: the residuals were NaN or infinite at every further step tried, down to steps of relative "
        "length xtol = {xtol:g}. The last point lies at the edge of where they are defined. Try a better start, or "
        "parameters for which the residuals are always finite."
    ),
    10: "Not solved: the residuals at the starting point are NaN or infinite. Try a better start.",
    11: (
        "Not solved: the derivatives at the last point are NaN or infinite. The model may not be defined on both sides "
        "of it. Try a better start."
    ),
    12: "Not fitted: {parameters} parameters but only {points} data points. Give more data, or fix some parameters.",
    13: "Not solved: the model raised an exception. Try a better start, or let it return NaN where it has no value.",
    14: "Not fitted: the starting parameters are not all finite numbers.",
    15: (
        "Not fitted: the data hold values that are infinite or beyond 1e250, as nodata values are, or NaN that "
        "nan_policy leaves in, or standard deviations that are not positive; or predictors are infinite where the "
        "model has no value. Leave these points out. Or residuals are so large that the sum of their squares "
        "overflows: then divide the data by a power of ten."
    ),
    16: (
        "Not solved: the iteration came to rest far from a minimum, in units of the standard errors, and double "
        "precision allows no further progress. The parameters are so different in size, or some data so large, that "
        "rounding hides the rest. Subtract an origin from x, or an offset from y; or give diag, or a better start."
    ),
    17: (
        "Not solved: the model did not react to a small step in any parameter; they are returned as they were. If it "
        "computes in single precision, pass epsfcn=1e-7; otherwise start from values of about the right size, or pass "
        "jac."
    ),
    18: "Not fitted: the starting parameters are outside of the bounds. Start inside of them.",
    19: "Not solved: stopped by callback after {nfev} evaluations. The parameters are the best so far.",
    20: (
        "Not solved: time_limit was over, after {nfev} evaluations of this fit. The parameters are the best so far, or "
        "NaN where that is not known. Give more time, or workers."
    ),
    21: (
        "Not fitted: the data hold negative numbers, which are no counts. For loss='poisson', give counts as they came "
        "from the detector: leave the background in, and make it part of the model."
    ),
}

_ALL_HELD: Final = (
    "Solved: every parameter is on a bound, or fixed, and no step away from the bounds lowers the sum of squares."
)

# For summaries.
LABELS: Final = {
    0: "improper input",
    1: "solved (ftol)",
    2: "solved (xtol)",
    3: "solved (ftol and xtol)",
    4: "solved (gtol)",
    5: "maxfev reached",
    6: "ftol too small",
    7: "xtol too small",
    8: "gtol too small",
    9: "model not finite nearby",
    10: "model not finite at the start",
    11: "derivatives not finite",
    12: "too few points",
    13: "model raised an exception",
    14: "start not finite",
    15: "data not usable",
    16: "not at a minimum",
    17: "parameters did not move",
    18: "start outside of the bounds",
    19: "stopped by callback",
    20: "time limit reached",
    21: "negative counts",
}


def warn_of_absolute_without(sigma: Any, absolute_sigma: bool) -> None:
    """Warn, on behalf of the caller's caller, that absolute errors were promised and not given."""
    if absolute_sigma and sigma is None:
        warnings.warn(
            "absolute_sigma=True means nothing without sigma: every error is taken to be exactly 1. "
            "Pass sigma, or leave absolute_sigma out",
            OptimizeWarning,
            stacklevel=3,
        )


def label(status: int) -> str:
    """Name a status in a few words."""
    return f"stopped by the model (code {-status})" if status < 0 else LABELS[status]


NOTHING_MOVED: Final = (
    "The residuals did not react to a small step in any of the parameters, which are returned as they were. If func "
    "computes in single precision, pass epsfcn=1e-7; otherwise check that it depends on its parameters."
)


def message(
    info: int,
    *,
    ftol: float,
    xtol: float,
    gtol: float,
    nfev: int,
    maxfev: int,
    points: int = 0,
    parameters: int = 0,
    held: bool = False,
) -> str:
    """Say in words how a fit ended, with the tolerance or count that decided.

    `held` says that every parameter is on a bound, or fixed.
    """
    if info < 0:
        return f"Not solved: the model asked to stop, with code {-info}, after {nfev} evaluations."
    if held and info == GTOL:
        return _ALL_HELD
    if info in SOLVED:
        return _solved(info, ftol, xtol, gtol)
    return _SENTENCES[info].format(
        ftol=ftol,
        xtol=xtol,
        gtol=gtol,
        nfev=nfev,
        maxfev=maxfev,
        beside=_beside(nfev, maxfev),
        points=points,
        parameters=parameters,
    )


def _beside(nfev: int, maxfev: int) -> str:
    """Say why a fit that maxfev stopped has made more evaluations, or fewer."""
    if nfev > maxfev:
        return ", which is looked at once a step"
    return ", which leaves too few for a further step" if nfev < maxfev else ""


@functools.lru_cache(maxsize=64)
def _solved(info: int, ftol: float, xtol: float, gtol: float) -> str:
    """Say the same of a fit that was solved: one sentence for most fits of a session."""
    return _SENTENCES[info].format(ftol=ftol, xtol=xtol, gtol=gtol)
