"""What the fits of a block leave behind, and the covariance that follows from it."""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import _kernel, _status
from ._block import Block
from ._covariance import covariance_of
from ._iterate import Fit
from ._problem import Problem
from ._validate import LARGEST_NORM, FloatArray

# From where on a column of the Jacobian counts as dependent on the others, by the sine of the angle between them:
# rounding decides there, or that of forward differences.
_DEPENDENT = 1e13
_DEPENDENT_DIFFERENCES = 1e7


class Solutions(NamedTuple):
    """The fits of a block, one in each row."""

    popt: FloatArray
    # R of the last Jacobian, transposed, as the compiled code stores it; in the last row the head of Qᵀf.
    triangle: FloatArray
    fnorm: FloatArray
    nfev: NDArray[np.intc]
    status: NDArray[np.intc]
    # Covariance matrices that are known already.
    covariance: dict[int, FloatArray]

    def store(self, fit: int, one: Fit) -> None:
        """Put a fit made by itself where the others are."""
        self.popt[fit], self.fnorm[fit], self.nfev[fit], self.status[fit] = one.x, one.fnorm, one.nfev, one.info
        if one.info in _status.SOLVED:
            self.triangle[fit] = np.transpose(np.linalg.qr(one.triangle(), mode="r"))


class Fitted(NamedTuple):
    """The results of a piece."""

    start: int
    popt: FloatArray
    pcov: FloatArray
    chisq: FloatArray
    dof: NDArray[np.intc]
    nfev: NDArray[np.intc]
    status: NDArray[np.intc]


def empty_solutions(block: Block) -> Solutions:
    """Return room for the results of a block; fits that are not to be made have theirs already."""
    count, n = block.p0.shape
    return Solutions(
        block.p0.copy(),
        np.zeros((count, n + 1, n)),
        np.full(count, np.nan),
        np.zeros(count, dtype=np.intc),
        block.status.copy(),
        {},
    )


def fitted(problem: Problem, start: int, block: Block, solutions: Solutions) -> Fitted:
    """Estimate the covariance of each fit, and put the results of a block together."""
    solutions.status[is_solved(solutions.status) & (solutions.fnorm > LARGEST_NORM)] = _status.DATA_NOT_USABLE
    dof = block.points - block.p0.shape[1]
    deviation = np.ones(len(dof))
    if not problem.absolute_sigma:
        deviation = solutions.fnorm / np.sqrt(np.maximum(dof, 1))
    pcov = _covariances(solutions, deviation, block.points, problem.jac is None, problem.absolute_sigma)
    return Fitted(start, solutions.popt, pcov, np.square(solutions.fnorm), dof, solutions.nfev, solutions.status)


def is_solved(status: NDArray[np.intc]) -> NDArray[np.bool_]:
    """Say which fits are solved."""
    solved: NDArray[np.bool_] = (status >= 1) & (status <= _status.GTOL)
    return solved


def _covariances(
    solutions: Solutions, deviation: FloatArray, points: NDArray[np.intc], by_differences: bool, absolute: bool
) -> FloatArray:
    """Return covariance matrices: NaN where a fit did not converge, inf where the data leave parameters open."""
    count, n = solutions.popt.shape
    matrices = np.empty((count, n, n))
    dependent = np.zeros(count, dtype=np.int8)
    limit = _DEPENDENT_DIFFERENCES if by_differences else _DEPENDENT
    _kernel.invert_triangles(deviation, limit, solutions.triangle, matrices, dependent)
    solved = is_solved(solutions.status)
    for fit in np.flatnonzero(dependent.astype(bool) & solved).tolist():
        if fit not in solutions.covariance:
            matrices[fit] = _open_covariance(
                solutions.triangle[fit, :n].T, 1 / limit, solutions.fnorm[fit], int(points[fit]), absolute
            )
    for fit, matrix in solutions.covariance.items():
        matrices[fit] = matrix
    if not absolute:
        matrices[points <= n] = np.where(matrices[points <= n] < np.inf, np.inf, matrices[points <= n])
    matrices[~solved] = np.nan
    return matrices


def _open_covariance(triangle: FloatArray, least_ratio: float, fnorm: float, points: int, absolute: bool) -> Any:
    """Return the covariance of a fit whose data leave parameters open."""

    def deviation(rank: int) -> float:
        return 1.0 if absolute or points <= rank else fnorm / math.sqrt(points - rank)

    return covariance_of(triangle, least_ratio, deviation).matrix
