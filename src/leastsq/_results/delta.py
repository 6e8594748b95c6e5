"""The delta method: standard errors of what is worked out from parameters, to first order.

References
----------
G. A. F. Seber, C. J. Wild, Nonlinear Regression, Wiley, 1989, section 2.8.
"""

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from .._input.validate import FloatArray

# Central differences reach over this share of a standard error: far enough that rounding does not show, and near enough
# that curvature which matters to the fit does not.
_SHARE: Final = 1e-4
# Steps are at least this share of the parameter, below which its own rounding shows.
_LEAST: Final = 1e-8
# And this one where there is no standard error to go by.
_BLIND: Final = float(np.finfo(np.float64).eps) ** (1 / 3)


def steps(popt: FloatArray, stderr: FloatArray) -> FloatArray:
    """Return how far to go in each parameter for a central difference; the sums with `popt` are exact."""
    known = np.isfinite(stderr) & (stderr > 0)
    size = np.where(known, np.maximum(_SHARE * stderr, _LEAST * np.abs(popt)), _BLIND * np.abs(popt))
    size = np.where(np.isfinite(size) & (size > 0), size, _BLIND)
    moved: FloatArray = (popt + size) - popt
    return np.where(moved > 0, moved, size)


def differences(
    evaluate: Callable[[FloatArray], Any], popt: FloatArray, stderr: FloatArray, active: NDArray[np.integer[Any]]
) -> list[FloatArray]:
    """Return the derivatives of `evaluate` by each parameter, which are the last axis of `popt`.

    Where a parameter is on a bound, as `active` tells, it is not evaluated on the other side.
    """
    size = steps(popt, stderr)
    below, above = np.where(active < 0, 0.0, size), np.where(active > 0, 0.0, size)
    slopes = []
    for j in range(popt.shape[-1]):
        lower, upper = popt.copy(), popt.copy()
        lower[..., j] -= below[..., j]
        upper[..., j] += above[..., j]
        change = np.asarray(evaluate(upper), dtype=np.float64) - evaluate(lower)
        step = below[..., j] + above[..., j]
        slopes.append(change / step.reshape(step.shape + (1,) * (change.ndim - step.ndim)))
    return slopes


def variances(slopes: FloatArray, pcov: FloatArray) -> FloatArray:
    """Return the variances of what has such derivatives by parameters of such covariance.

    `slopes` has shape L + (P, N), `pcov` L + (N, N). They are inf where something depends on a parameter that the data
    leave open, and do not see those that it does not depend on.
    """
    left = np.isinf(np.diagonal(pcov, axis1=-2, axis2=-1))
    closed = np.where(left[..., :, None] | left[..., None, :], 0.0, pcov)
    with np.errstate(invalid="ignore", over="ignore"):
        found = np.einsum("...pi,...ij,...pj->...p", slopes, closed, slopes)
        depends = np.any(left[..., None, :] & (slopes != 0), axis=-1)
    # Rounding may leave a variance that is zero below it.
    result: FloatArray = np.where(depends, np.inf, np.where(found < 0, 0.0, found))
    return result
