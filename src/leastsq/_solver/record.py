"""What a fit gives: the one list that solutions, results, dask arrays, tables and datasets take theirs from."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Axes of length N beyond those of the fits, and types.
_FIELDS: dict[str, tuple[int, str]] = {
    "popt": (1, "f8"),
    "pcov": (2, "f8"),
    "chisq": (0, "f8"),
    "dof": (0, "i4"),
    "nfev": (0, "i4"),
    "status": (0, "i1"),
    "offset": (0, "f8"),
    "active_mask": (1, "i1"),
    # In the place of pcov, where that is left out.
    "errors": (1, "f8"),
}
ARRAYS = {name: axes for name, (axes, _) in _FIELDS.items()}


def kept(covariances: bool) -> dict[str, tuple[int, str]]:
    """Return what is kept of each fit: covariances, or standard errors alone."""
    return {name: field for name, field in _FIELDS.items() if name != ("errors" if covariances else "pcov")}


def record_type(n: int, covariances: bool = True) -> np.dtype[Any]:
    """Return the type of what is known of a fit of `n` parameters."""
    return np.dtype([(name, kind, (n,) * axes) for name, (axes, kind) in kept(covariances).items()])


def empty_arrays(lead: Iterable[int], n: int, covariances: bool = True) -> dict[str, NDArray[Any]]:
    """Return room for fits of a shape, an array for each part of the record."""
    lead = tuple(lead)
    return {name: np.empty((*lead, *(n,) * axes), kind) for name, (axes, kind) in kept(covariances).items()}
