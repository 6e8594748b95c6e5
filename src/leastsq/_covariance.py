"""Covariance of fitted parameters: what the data determine, and why the rest is not.

References
----------
G. A. F. Seber, C. J. Wild, Nonlinear Regression, Wiley, 1989, sections 2.1 and 3.3 (covariance and estimable
functions); P. E. Gill, W. Murray, M. H. Wright, Practical Optimization, Academic Press, 1981, section 8.6 (steps).
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ._validate import FloatArray

_EPS = float(np.finfo(np.float64).eps)

# A difference step is best when it changes the residuals by the square root of their relative error. These multiples of
# that are still good: below, rounding takes more than three of the digits differences have, and above, curvature may.
_LEAST_CHANGE = 1e-3
_MOST_CHANGE = 1e4
_LARGEST_CHANGE = 0.1
_MOST_TRIES = 8


class Covariance(NamedTuple):
    """Covariance of the parameters up to the variance of the residuals, and which of them the data leave open."""

    matrix: FloatArray
    rank: int
    unused: tuple[int, ...] = ()
    combined: tuple[int, ...] = ()


class Afresh(NamedTuple):
    """A Jacobian taken anew, and the number of evaluations that took."""

    jacobian: FloatArray
    evaluations: int


def steps_are_good(x: FloatArray, norms: FloatArray, scale: float, relative_error: float) -> bool:
    """Return whether the steps of a fit, at `x`, changed the residuals by neither too little nor too much."""
    error = max(relative_error, _EPS)
    relative_step = math.sqrt(error)
    least, most = _good_changes(scale, error)
    for value, norm in zip(x.tolist(), norms.tolist(), strict=True):
        if not least <= norm * relative_step * (abs(value) or 1.0) <= most:
            return False
    return True


def _good_changes(scale: float, error: float) -> tuple[float, float]:
    """Return the bounds on a good change, for residuals of a given size, known to a relative error."""
    root = math.sqrt(error)
    return _LEAST_CHANGE * root * scale, min(_MOST_CHANGE * root, _LARGEST_CHANGE) * scale


def jacobian_afresh(
    func: Callable[[FloatArray], FloatArray], x: FloatArray, f: FloatArray, scale: float, relative_error: float
) -> Afresh:
    """Difference `func` at `x` with steps that change the residuals by a fair fraction of their scale.

    A column stays zero only if no step up to the size of the parameter, or up to 1 where that is less,
    changes the residuals at all.
    """
    jacobian = np.zeros((f.size, x.size))
    evaluations = 0
    for j in range(x.size):
        jacobian[:, j], tries = _difference(func, x, j, f, scale, max(relative_error, _EPS))
        evaluations += tries
    return Afresh(jacobian, evaluations)


def _difference(
    func: Callable[[FloatArray], FloatArray], x: FloatArray, j: int, f: FloatArray, scale: float, error: float
) -> tuple[FloatArray, int]:
    """Return the derivative with respect to one parameter, and the number of evaluations to find its step."""
    least, most = _good_changes(scale, error)
    root = math.sqrt(error)
    largest = max(abs(x[j]), 1.0)
    step = root * (abs(x[j]) or 1.0)
    derivative = np.zeros(f.size)
    tries = 0
    while tries < _MOST_TRIES:
        tries += 1
        shifted = x.copy()
        shifted[j] += step
        difference = np.ravel(func(shifted)) - f
        change = float(np.linalg.norm(difference))
        if 0 < change < math.inf:
            derivative = difference / (shifted[j] - x[j])
        if least <= change <= most or (change < least and step >= largest):
            break
        if change == 0:
            step = max(1e3 * step, root)
        else:
            step *= max(root * scale / change, 1e-6)
        step = min(step, largest)
    return derivative, tries


def covariance_of(jacobian: FloatArray, least_ratio: float) -> Covariance:
    """Return (JᵀJ)⁻¹ where the data determine it, and inf in the rows and columns of the other parameters.

    A parameter is determined when its unit vector is orthogonal to the null space of J; the pseudo-inverse
    is then exact for it (Seber and Wild, section 3.3). The rank counts the singular values, of the Jacobian with
    its columns scaled to one norm, above `least_ratio` times the largest.
    """
    norms = np.linalg.norm(jacobian, axis=0)
    used = norms > 0
    scaled = jacobian[:, used] / norms[used]
    _, singular, vectors = np.linalg.svd(np.linalg.qr(scaled, mode="r"), full_matrices=False)
    kept = singular > least_ratio * singular.max(initial=0.0)
    open_share = np.sum(vectors[~kept] ** 2, axis=0)
    half = vectors[kept] / singular[kept, None]
    n = norms.size
    matrix = np.full((n, n), np.inf)
    determined = open_share <= 1e-6
    where = np.flatnonzero(used)[determined]
    matrix[np.ix_(where, where)] = (half.T @ half)[np.ix_(determined, determined)] / np.outer(
        norms[where], norms[where]
    )
    unused, combined = np.flatnonzero(~used), np.flatnonzero(used)[~determined]
    return Covariance(matrix, int(kept.sum()), tuple(unused.tolist()), tuple(combined.tolist()))
