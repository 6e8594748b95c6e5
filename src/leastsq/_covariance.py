"""Covariance of fitted parameters: what the data determine, and why the rest is not.

References
----------
G. A. F. Seber, C. J. Wild, Nonlinear Regression, Wiley, 1989, sections 2.1 and 3.3 (covariance and estimable
functions); P. E. Gill, W. Murray, M. H. Wright, Practical Optimization, Academic Press, 1981, section 8.6 (steps).
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ._iterate import Fit
from ._validate import FloatArray

_EPS = float(np.finfo(np.float64).eps)

# A forward difference is best when it changes the residuals by the square root of their relative error, a central one
# when it does by the cube root. These multiples of the former are still good: below, rounding takes more than three of
# the digits differences have, and above, curvature may.
_LEAST_CHANGE = 1e-3
_MOST_CHANGE = 1e4
_LARGEST_CHANGE = 0.1
# Digits of a difference that have to be left when conditioning has taken its part.
_DIGITS_LEFT = 1e3
# A step the other way that undoes all but this share of a change shows that it was along a straight line.
_STRAIGHT = 1e-2
_MOST_TRIES = 10
_GROWTH = 1e4
_SHRINKAGE = 1e6
# The relative change that even a model in single precision would show.
_HIDDEN = 1e-6
# What sets singular values of the scaled Jacobian apart from zero: forward differences have no digits left below the
# first, central ones below the second, and rounding alone decides below the third.
_SINGULAR_DIFFERENCES = 1e-7
_SINGULAR_AFRESH = 2e-8
_SINGULAR_ANALYTIC = 1e-13


class Covariance(NamedTuple):
    """Covariance of the parameters, which of them the data leave open, and what it took to know."""

    matrix: FloatArray
    rank: int
    unused: tuple[int, ...] = ()
    combined: tuple[int, ...] = ()
    jacobian: FloatArray | None = None
    evaluations: int = 0


def estimate(
    fit: Fit,
    residuals: Callable[[FloatArray], Any],
    sizes: tuple[float, float] | None,
    points: int,
    absolute: bool,
) -> Covariance:
    """Estimate the covariance of the parameters of a fit.

    The last Jacobian of the fit serves wherever it can. Differences whose steps were too small or too large
    for their parameter (near zero, say) are taken again at the solution, with steps of the right size.
    `sizes` are the norms of the weighted data, and of the same without their offset, by which difference steps are
    judged; None where the Jacobian is the user's own. `points` is the number of residuals that have weight, and
    `absolute` says that their variance is known to be 1.
    """
    n = fit.x.size

    def deviation(rank: int) -> float:
        return 1.0 if absolute or points <= rank else fit.fnorm / math.sqrt(points - rank)

    cov, norms, ratio = fit.inverse(deviation(n))
    least_ratio = _SINGULAR_ANALYTIC
    if sizes is not None:
        size, spread = sizes
        least_ratio = _SINGULAR_DIFFERENCES
        error = fit.options.epsfcn or 0.0
        # Where the data are all zero, the model is a residual itself, and its terms are what rounding is relative to.
        scale = fit.fnorm + (size or float(np.max(norms * np.abs(fit.x))))
        wanted = _good_changes(scale, fit.fnorm + spread, ratio, error)
        if not steps_are_good(fit.x, norms, wanted, error):
            jacobian, evaluations = jacobian_afresh(residuals, fit.x, fit.details().fvec, scale, wanted.least, error)
            found = covariance_of(jacobian, _SINGULAR_AFRESH, deviation)
            return found._replace(jacobian=jacobian, evaluations=evaluations)
    if cov is not None and ratio > least_ratio:
        return Covariance(cov, n)
    return covariance_of(fit.triangle()[:, :-1], least_ratio, deviation)


def norm(x: FloatArray) -> float:
    """Return the Euclidean norm of a vector, whatever the size of its entries."""
    square = float(np.vdot(x, x))
    if 1e-200 < square < 1e200:
        return math.sqrt(square)
    largest = float(np.max(np.abs(x), initial=0.0))
    return largest * math.sqrt(float(np.sum((x / largest) ** 2))) if 0 < largest < math.inf else largest


class Changes(NamedTuple):
    """The least and the largest change of the residuals that a good difference step makes."""

    least: float
    most: float


def steps_are_good(x: FloatArray, norms: FloatArray, wanted: Changes, relative_error: float) -> bool:
    """Return whether the steps of a fit, at `x`, changed the residuals by neither too little nor too much."""
    relative_step = math.sqrt(max(relative_error, _EPS))
    for value, column_norm in zip(x.tolist(), norms.tolist(), strict=True):
        if not wanted.least <= column_norm * relative_step * (abs(value) or 1.0) <= wanted.most:
            return False
    return True


def _good_changes(scale: float, spread: float, ratio: float, relative_error: float) -> Changes:
    """Return the bounds on a good change.

    `scale` is the size that rounding of the residuals is relative to, `spread` what is left of it without the
    offset of the data, which is what curvature is relative to; `ratio` tells how many digits the conditioning of the
    Jacobian takes.
    """
    error = max(relative_error, _EPS)
    root = math.sqrt(error)
    least = _LEAST_CHANGE * root
    if ratio > 0:
        least = max(least, min(_DIGITS_LEFT * error / ratio, error ** (1 / 3)))
    return Changes(least * scale, min(_MOST_CHANGE * root, _LARGEST_CHANGE) * (spread or scale))


def steps_are_good_in(
    x: FloatArray,
    norms: FloatArray,
    fnorm: FloatArray,
    sizes: tuple[FloatArray, FloatArray],
    ratio: FloatArray,
    relative_error: float,
) -> NDArray[np.bool_]:
    """Return for each of many fits what `steps_are_good` says of one; `x` and `norms` have a row for each."""
    error = max(relative_error, _EPS)
    root = math.sqrt(error)
    size, spread = sizes
    scale = fnorm + np.where(size > 0, size, np.max(norms * np.abs(x), axis=1))
    spread = fnorm + spread
    digits = np.where(ratio > 0, np.minimum(_DIGITS_LEFT * error / ratio, error ** (1 / 3)), 0.0)
    least = np.maximum(_LEAST_CHANGE * root, digits) * scale
    most = min(_MOST_CHANGE * root, _LARGEST_CHANGE) * np.where(spread > 0, spread, scale)
    changes = norms * root * np.where(x == 0, 1.0, np.abs(x))
    good: NDArray[np.bool_] = np.all((least[:, None] <= changes) & (changes <= most[:, None]), axis=1)
    return good


def jacobian_afresh(
    func: Callable[[FloatArray], Any],
    x: FloatArray,
    f: FloatArray,
    scale: float,
    least: float,
    relative_error: float,
) -> tuple[FloatArray, int]:
    """Take central differences of `func` at `x`, with steps that change the residuals by a fair part of their size.

    Returns the Jacobian and the number of evaluations. A column stays zero only if no step changes the residuals, each
    ten thousand times the one before, or none but those that lead far from where they are flat.
    """
    jacobian = np.zeros((f.size, x.size))
    evaluations = 0
    for j in range(x.size):
        jacobian[:, j], tries = _difference(func, x, j, f, scale, least, max(relative_error, _EPS))
        evaluations += tries
    return jacobian, evaluations


def _difference(
    func: Callable[[FloatArray], Any], x: FloatArray, j: int, f: FloatArray, scale: float, least: float, error: float
) -> tuple[FloatArray, int]:
    """Return the derivative with respect to one parameter, and the number of evaluations to find its step.

    A step is too small when rounding shows in the change, and too large when curvature does: when a step the other
    way does not undo it.
    """
    root = math.sqrt(error)
    wanted = max(least, error ** (1 / 3) * scale)
    step = root * (abs(x[j]) or 1.0)
    derivative = np.zeros(f.size)
    silent = 0.0
    tries = 0
    while tries < _MOST_TRIES and x[j] + step != x[j]:
        tries += 1
        forward, moved = _change(func, x, j, step, f)
        change = norm(forward)
        if change == 0:
            silent = step
            step = max(_GROWTH * step, root)
            continue
        if change * silent / step > _HIDDEN * scale:
            return np.zeros(f.size), tries  # flat here, and only further away it is not
        if change < math.inf:
            derivative = forward / moved
        if least <= change < math.inf:
            tries += 1
            backward, moved_back = _change(func, x, j, -step, f)
            bend = norm(forward + backward)
            if bend < math.inf:
                derivative = (forward - backward) / (moved - moved_back)
            if bend <= max(_STRAIGHT * change, 10 * error * scale):
                break
            # Bends grow with the square of the step, changes with the step.
            wanted, least = 0.5 * _STRAIGHT * change / bend * change, _LEAST_CHANGE * root * scale
        step *= min(max(wanted / change, 1 / _SHRINKAGE), _GROWTH)
    return derivative, tries


def _change(
    func: Callable[[FloatArray], Any], x: FloatArray, j: int, step: float, f: FloatArray
) -> tuple[FloatArray, float]:
    """Return the change of the residuals with a step in one parameter, and the step as rounded; Inf without a value."""
    shifted = x.copy()
    shifted[j] += step
    moved = float(shifted[j] - x[j])
    try:
        with np.errstate(all="ignore"):
            change = np.ravel(func(shifted)) - f
    except Exception:  # the fit is done: a model that is not defined so far away must not undo it
        return np.full(f.size, math.inf), moved
    return (change if np.isfinite(change).all() else np.full(f.size, math.inf)), moved


def covariance_of(jacobian: FloatArray, least_ratio: float, deviation: Callable[[int], float]) -> Covariance:
    """Return the covariance where the data determine it, and inf in the rows and columns of the other parameters.

    A parameter is determined when its unit vector is orthogonal to the null space of J; the pseudo-inverse
    is then exact for it (Seber and Wild, section 3.3). The rank counts the singular values, of the Jacobian with
    its columns scaled to one norm, above `least_ratio` times the largest; `deviation` gives the standard
    deviation of the residuals for a rank.
    """
    norms = np.array([norm(column) for column in jacobian.T])
    used = norms > 0
    scaled = jacobian[:, used] / norms[used]
    _, singular, vectors = np.linalg.svd(np.linalg.qr(scaled, mode="r"), full_matrices=False)
    kept = singular > least_ratio * singular.max(initial=0.0)
    rank = int(kept.sum())
    determined = np.sum(vectors[~kept] ** 2, axis=0) <= 1e-6
    half = vectors[kept][:, determined] / singular[kept, None] * deviation(rank) / norms[used][determined]
    matrix = np.full((norms.size, norms.size), np.inf)
    where = np.flatnonzero(used)[determined]
    matrix[np.ix_(where, where)] = half.T @ half
    unused, combined = np.flatnonzero(~used), np.flatnonzero(used)[~determined]
    return Covariance(matrix, rank, tuple(unused.tolist()), tuple(combined.tolist()))
