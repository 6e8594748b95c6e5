"""Where values are missing, in arrays and in columns of tables, and predictors of any kind without those points."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def is_missing(value: Any) -> bool:
    """Return whether a value stands for none: None, NaN, NaT, or what cannot be compared, as NA of pandas."""
    try:
        return value is None or bool(value != value)
    except TypeError:
        return True


def plain_array(value: Any) -> NDArray[Any]:
    """Return an array, of float64 where a column of pandas has marks of its own for missing values."""
    array = np.asarray(value)
    if array.dtype.kind != "O" or not hasattr(value, "to_numpy"):
        return array
    try:
        numbers: NDArray[Any] = value.to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError):
        return array
    return numbers


def missing_in(array: NDArray[Any]) -> NDArray[np.bool_]:
    """Return where an array holds NaN, NaT, None or NA."""
    missing: NDArray[np.bool_]
    if array.dtype.kind in "fc":
        missing = np.isnan(array)
    elif array.dtype.kind in "mM":
        missing = np.isnat(array)
    elif array.dtype.kind == "O":
        missing = np.fromiter(map(is_missing, array.flat), dtype=bool, count=array.size).reshape(array.shape)
    else:
        missing = np.zeros(array.shape, dtype=bool)
    return missing


def points_first(predictors: Any) -> bool:
    """Return whether points are rows: of tables, but not of arrays."""
    return hasattr(predictors, "columns") and len(np.shape(predictors)) == 2


def take_points(predictors: Any, keep: NDArray[np.bool_]) -> Any:
    """Return predictors at some points: tables and columns stay what they are."""
    if isinstance(predictors, np.ndarray):
        return predictors[..., keep]
    if keep.ndim == 1:
        chosen = np.flatnonzero(keep)
        if hasattr(predictors, "iloc"):
            return predictors.iloc[chosen]
        if hasattr(predictors, "isel"):
            return predictors.isel({predictors.dims[-1]: chosen})
        if points_first(predictors) or type(predictors).__module__.partition(".")[0] == "polars":
            return predictors[chosen]
    return plain_array(predictors)[..., keep]
