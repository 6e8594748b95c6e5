"""Norms of vectors of any size, and the rounding of double precision."""

import math

import numpy as np

from .._input.validate import FloatArray

EPS = float(np.finfo(np.float64).eps)


def norm(x: FloatArray) -> float:
    """Return the Euclidean norm of a vector, whatever the size of its entries."""
    square = float(np.vdot(x, x))
    if 1e-200 < square < 1e200:
        return math.sqrt(square)
    return float(row_norms(x[None])[0])


def row_norms(rows: FloatArray) -> FloatArray:
    """Return the Euclidean norm of each row, whatever the size of its entries; Inf where one is not finite."""
    with np.errstate(all="ignore"):
        squares = (rows * rows).sum(axis=1)
    norms: FloatArray = np.sqrt(squares)
    for row in (~((squares > 1e-200) & (squares < 1e200))).nonzero()[0].tolist():
        largest = float(np.max(np.abs(rows[row]), initial=0.0))
        if not largest < math.inf:
            norms[row] = math.inf
        elif largest > 0:
            norms[row] = largest * math.sqrt(float(np.sum((rows[row] / largest) ** 2)))
    return norms
