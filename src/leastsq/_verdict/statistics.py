"""What the triangles of fits tell: covariance, rank, which parameters are open, and how far the minimum is.

All of it is for K fits at once; `curve_fit` has one.

References
----------
G. A. F. Seber, C. J. Wild, Nonlinear Regression, Wiley, 1989, sections 2.1 and 3.3 (covariance and estimable
functions); D. M. Bates, D. G. Watts, Technometrics 23 (1981) 179-183 (the relative offset).
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._input.validate import FloatArray
from .._solver.norms import column_norms

# Standard errors, relative to their parameters, from which on a model may hardly depend on them.
SATURATED = 1e5
# The squared share of used parameters in a direction that is all of unused ones, which rounding leaves.
_NOTHING = 1e-20
# Components as large as the square root of the error of J begin to be told from that error where this is 1. A singular
# value that is lost in the error may be far smaller than that, and what those components add far larger.
_BLURRED = 1e-5
# Singular values so many times larger than what rounding is relative to a column are told from zero.
_ABOVE_NOISE = 3.0
# Norms whose squares are neither rounded to zero nor infinite.
_SAFE = (1e-140, 1e140)


class Accuracy(NamedTuple):
    """How well singular values of a Jacobian with columns of norm 1 are known."""

    # What sets them apart from zero: smaller ones have no digits left.
    singular: float
    # Their error, and that of the singular vectors' components.
    error: float


ANALYTIC = Accuracy(1e-13, 1e-15)
FORWARD = Accuracy(1e-7, 1e-8)
CENTRAL = Accuracy(2e-8, 1e-10)
# Of differences where terms cancel, which are followed along straight lines.
ALONG_LINES = Accuracy(2e-10, 2e-11)


class Statistics(NamedTuple):
    """Of each fit: covariance, rank, parameters that it does not depend on or only in combination, and offset."""

    pcov: FloatArray
    rank: NDArray[np.intc]
    unused: NDArray[np.bool_]
    combined: NDArray[np.bool_]
    offset: FloatArray


def statistics(
    triangle: FloatArray,
    fnorm: FloatArray,
    points: NDArray[np.intc],
    accuracy: Accuracy,
    absolute: bool,
    noise: FloatArray | None = None,
) -> Statistics:
    """Work out the statistics of some fits.

    A parameter is determined when its unit vector is orthogonal to the null space of J; the pseudo-inverse is then
    exact for it (Seber and Wild, section 3.3). What a component along a singular vector that was dropped could add, at
    the size the singular value may have, must not be more than what the others give. Components are known up to the
    error of J over the singular values that were kept, so that of parameters which those determine badly nothing is
    said, either: where two decays become one, the rates share in what was dropped by as little as they differ.

    Parameters
    ----------
    triangle : ndarray of shape (K, N, N + 1)
        R of J = Q R, any matrix with the same product, and the head of Qᵀf.
    fnorm, points : ndarray of shape (K,)
        Norms of the residuals, and how many of them count.
    accuracy : Accuracy
        Of J.
    absolute : bool
        Whether the variance of the residuals is known to be 1.
    noise : ndarray of shape (K, N), optional
        What rounding is relative to the columns of J, where that may be more than `accuracy` says: the errors, but not
        rank and offset, are those of what is told from it.
    """
    n = triangle.shape[1]
    r, head = triangle[:, :, :n], triangle[:, :, n]
    with np.errstate(all="ignore"):
        largest = np.max(np.abs(r), axis=1, initial=0.0)
        unit = np.where(largest > 0, largest, 1.0)[:, None, :]
        norms = largest * np.sqrt(np.sum((r / unit) ** 2, axis=1))
        used = (norms > 0) & np.isfinite(norms)
        scaled = np.where(used[:, None, :], r / unit / np.where(used, norms / unit[:, 0], 1.0)[:, None, :], 0.0)
        scaled[~np.isfinite(scaled).all(axis=(1, 2))] = 0.0
        left, values, vectors = decomposed(scaled)
        kept = values > accuracy.singular * values[:, :1]
        told, rank = kept, kept.sum(axis=1, dtype=np.intc)
        if noise is not None:
            told = kept & (values > told_from(noise)[:, None] * values[:, :1])
        inverse = np.where(told, 1.0 / values, 0.0)
        given = np.sum(vectors**2 * (inverse**2)[:, :, None], axis=1)
        possible = np.where(told, 0.0, 1.0 / np.maximum(values, accuracy.error))
        lost = np.sum(vectors**2 * (possible**2)[:, :, None], axis=1)
        mixed = (~told & (np.sum(vectors**2 * used[:, None, :], axis=2) > _NOTHING)).any(axis=1)
        determined = used & (lost <= given) & ~(mixed[:, None] & (accuracy.error * given > _BLURRED))
        along = np.sum(left * np.where(fnorm > 0, head.T / fnorm, 0.0).T[:, :, None], axis=1)
        share = np.sqrt(np.sum(np.where(kept, along, 0.0) ** 2, axis=1))
        freedom = points - rank
        deviation = np.ones(len(r)) if absolute else fnorm / np.sqrt(np.maximum(freedom, 1))
        half = vectors * (inverse * deviation[:, None])[:, :, None] / np.where(used, norms, 1.0)[:, None, :]
        pcov = np.matmul(np.swapaxes(half, 1, 2), half)
    pcov[~(determined[:, :, None] & determined[:, None, :])] = np.inf
    return Statistics(pcov, rank, ~used, used & ~determined, offsets(share, fnorm, rank, points, absolute))


def told_from(noise: FloatArray) -> FloatArray:
    """Return what sets singular values apart from the noise of the columns, relative to the largest."""
    most: FloatArray = np.max(noise, axis=1, initial=0.0)
    return _ABOVE_NOISE * most


def decomposed(square: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the singular value decompositions of finite matrices (K, N, N); zeros for one that does not converge."""
    try:
        left, values, vectors = np.linalg.svd(square)
    except np.linalg.LinAlgError:
        if len(square) == 1:
            return np.zeros_like(square), np.zeros(square.shape[:2]), np.zeros_like(square)
        parts = [decomposed(square[k : k + 1]) for k in range(len(square))]
        left, values, vectors = (np.concatenate(part) for part in zip(*parts, strict=True))
    return left, values, vectors


def offsets(
    share: FloatArray, fnorm: FloatArray, rank: NDArray[np.intc], points: NDArray[np.intc], absolute: bool
) -> FloatArray:
    """Return relative offsets, from the shares of the residuals in the tangent planes; 0 without others."""
    freedom = points - rank
    with np.errstate(all="ignore"):
        share = np.minimum(share, 1.0)
        if absolute:
            found = share * fnorm / np.sqrt(np.maximum(rank, 1))
        else:
            found = share / np.sqrt(1 - share**2) * np.sqrt(freedom / np.maximum(rank, 1))
    found = np.where((share > 0) & (rank > 0), found, 0.0)
    return found if absolute else np.where(freedom > 0, found, 0.0)


def ill_conditioning(r: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return norms of columns, and the smallest diagonal entry as a share of its column, of triangles (K, N, N)."""
    with np.errstate(all="ignore"):
        norms = column_norms(r)
        outside = ~np.all((norms > _SAFE[0]) & (norms < _SAFE[1]), axis=1)
        if outside.any():
            largest = np.max(np.abs(r[outside]), axis=1)
            unit = np.where(largest > 0, largest, 1.0)
            norms[outside] = largest * np.sqrt(np.sum((r[outside] / unit[:, None, :]) ** 2, axis=1))
        ratio = np.nan_to_num(np.min(np.abs(np.diagonal(r, axis1=1, axis2=2)) / norms, axis=1))
    return norms, ratio


def standard_deviation(fnorm: float, points: int, rank: int, absolute: bool) -> float:
    """Return the standard deviation of the residuals of a fit; 1 where it is known."""
    return 1.0 if absolute or points <= rank else fnorm / math.sqrt(points - rank)
