"""When an end of the iteration is one: what options, exit codes and errors tell, and what it takes to look closer."""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .._input.validate import FloatArray
from .._solver import codes
from .._solver.problem import Options

# How far from the minimum of its linearisation, in standard errors, a fit may end.
FAR = 0.45
# The square of a norm is a number up to here.
LARGEST_NORM = float(np.sqrt(np.finfo(np.float64).max))
# Tolerances from which on a fit is to end where they say, wherever that is.
_TIGHT = 1e-6
# Further evaluations for each parameter and one, of a fit by differences that goes on.
_MOST_FURTHER = 40
# Of a squared standard error, the gain that ftol may leave.
SHARP = 1e-3


def is_tolerant(options: Options) -> bool:
    """Return whether the user asked for less than a minimum."""
    return max(options.ftol, options.xtol) > _TIGHT or options.gtol > 0


def options_further(options: Options, n: int, exact: bool, ftol: float, spent: int = 0) -> Options:
    """Return the options of a fit that goes on after so many evaluations, until nothing more is gained."""
    most = options.maxfev - spent
    if not exact:  # whose derivatives are evaluations, too
        most = min(most, _MOST_FURTHER * (n + 1))
    return options._replace(ftol=ftol, xtol=0.0, gtol=0.0, maxfev=max(most, 1))


def ends_by_reductions(status: Any, points: Any, n: int, options: Options) -> Any:
    """Return which fits ended because steps reduced the sum of squares by next to nothing, on the scale of its scatter.

    With derivatives that are right, that is an end whatever the linearised model promises: its minimum may be at
    infinity, or its columns become the same there. Only xtol, which looks at the largest parameter, does not tell.
    """
    by_ftol = (status == codes.FTOL) | (status == codes.FTOL_AND_XTOL)
    return by_ftol & (options.ftol * np.maximum(points - n, 1) <= SHARP)


class Evaluator(Protocol):
    """Weighted residuals and derivatives of given fits at given points, and the norms of their data.

    For a loss of counts, values of the model are in the place of residuals.
    """

    @property
    def m(self) -> int:
        """The number of points."""

    def residuals(self, fits: NDArray[np.intp], points: FloatArray) -> FloatArray:
        """Return residuals, shape (rows, M)."""

    def jacobian(self, fits: NDArray[np.intp], points: FloatArray) -> FloatArray:
        """Return derivatives, shape (rows, M, N)."""

    def sizes(self, fits: NDArray[np.intp]) -> tuple[FloatArray, FloatArray]:
        """Return the norms of the weighted data, and of the same without their offset."""

    def counts(self, fits: NDArray[np.intp]) -> FloatArray:
        """Return the observations, shape (rows, M), for a loss of counts."""
