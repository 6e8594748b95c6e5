"""Data of `curve_fit` that may not fit into memory: which they are, and as a source of blocks."""

import math
from typing import Any

import numpy as np

from .._input.pieces import is_dask, real_numbers
from .._input.validate import refuse_other
from .points import Reading
from .sources import Arrays, Chunks, are_large, in_blocks


def is_large(xdata: Any, ydata: Any, sigma: Any) -> bool:
    """Return whether data are arrays that may be too large for memory; tables never are."""
    if type(xdata) is type(ydata) is np.ndarray and (sigma is None or type(sigma) is np.ndarray):
        return False
    predictors = xdata if isinstance(xdata, (tuple, list)) else (xdata,)
    if not all(isinstance(one, np.ndarray) or is_dask(one) for one in (*predictors, ydata)):
        return False
    if any(isinstance(one, np.ma.MaskedArray) for one in (*predictors, ydata, sigma)):
        return False
    return are_large((*predictors, ydata, sigma), math.prod(np.shape(ydata)))


def source_of(xdata: Any, ydata: Any, sigma: Any, check_finite: bool | None, nan_policy: str | None) -> Arrays | Chunks:
    """Return data in blocks."""
    refuse_other(nan_policy, "nan_policy", (None, "raise", "omit"))
    several = isinstance(xdata, (tuple, list))
    predictors = tuple(xdata) if several else (xdata,)
    names = [f"xdata[{i}]" for i in range(len(predictors))] if several else ["xdata"]
    for name, array in zip((*names, "ydata"), (*predictors, ydata), strict=True):
        _refuse_unusable(array, name, may_be_complex=name == "ydata")
    shape = np.shape(ydata)
    if ydata.ndim != 1:
        predictors = tuple(
            _flat(one, shape, name) if one.shape[-len(shape) :] == shape else one
            for one, name in zip(predictors, names, strict=True)
        )
    y = _flat(ydata, shape, "ydata")
    if y.size == 0:
        raise ValueError("`ydata` must not be empty!")
    of_each = math.prod(np.shape(sigma)) > 1
    if of_each and np.shape(sigma) not in (shape, y.shape):
        raise ValueError(
            f"sigma has shape {np.shape(sigma)}: data that may not fit into memory take a number, or one for each "
            f"point, as ydata has the shape {shape}, and no covariance matrix"
        )
    first = tuple(_points_first(one, y.size, several) for one in predictors)
    columns = [one.T if rows else one for one, rows in zip(predictors, first, strict=True)]
    if sigma is not None:
        sigma = sigma if is_dask(sigma) else np.asanyarray(sigma)
        _refuse_unusable(sigma, "sigma", may_be_complex=True)
        sigma = _flat(sigma, sigma.shape, "sigma") if of_each else np.reshape(sigma, ())
    finite = nan_policy is None if check_finite is None else check_finite
    reading = Reading(several, first, None if of_each else sigma, finite or nan_policy == "raise", nan_policy == "omit")
    numbers = sum(math.prod(one.shape[:-1]) for one in columns)
    return in_blocks((*columns, y, sigma) if of_each else (*columns, y), reading, numbers)


def _refuse_unusable(array: Any, name: str, may_be_complex: bool) -> None:
    """Raise unless an array is of numbers and its shape is known."""
    if may_be_complex and array.dtype.kind == "c":
        array = array.real
    real_numbers(array, name)


def _flat(array: Any, tail: tuple[int, ...], name: str) -> Any:
    """Return an array whose last axes, of the points, are one, without a copy of files."""
    if len(tail) <= 1 and len(tail) == np.ndim(array):
        return array
    if not is_dask(array) and not array.flags.c_contiguous:
        raise ValueError(
            f"{name}: an array of shape {array.shape} in a file that is not in the order of its rows cannot be read "
            f"block by block: give ydata in one dimension, such as ydata.T.ravel() with xdata in the same order"
        )
    return array.reshape(*array.shape[: array.ndim - len(tail)], -1)


def _points_first(predictor: Any, m: int, several: bool) -> bool:
    """Return whether points are along the first axis, as in tables of predictors, not along the last."""
    shape = predictor.shape
    if shape[-1:] == (m,):
        return False
    if shape[:1] == (m,) and not several:
        return True
    raise ValueError(
        f"data that may not fit into memory: the last axis of xdata must be that of ydata, got shapes {shape} and "
        f"{(m,)}"
    )
