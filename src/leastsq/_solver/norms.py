"""Norms of vectors of any size, and the rounding of double precision."""

import math

import numpy as np

from .._input.validate import FloatArray
from . import kernel

EPS = float(np.finfo(np.float64).eps)


def norm(x: FloatArray) -> float:
    """Return the Euclidean norm of a vector, whatever the size of its entries."""
    square = float(np.vdot(x, x))
    if 1e-200 < square < 1e200:
        return math.sqrt(square)
    return float(row_norms(x[None])[0])


def column_norms(matrices: FloatArray) -> FloatArray:
    """Return the Euclidean norms of the columns of matrices (K, M, N); 0 or inf where squares are out of range."""
    with np.errstate(all="ignore"):
        norms: FloatArray = np.sqrt(np.einsum("kij,kij->kj", matrices, matrices))
    return norms


def row_norms(rows: FloatArray) -> FloatArray:
    """Return the Euclidean norm of each row, whatever the size of its entries; Inf where one is not finite."""
    norms = kernel.row_norms(rows)
    if not kernel.all_below(norms, math.inf):
        norms[~(norms < math.inf)] = math.inf
    return norms
