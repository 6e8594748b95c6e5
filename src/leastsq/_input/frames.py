"""Columns of data frames, of pandas or polars, by their names."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .missing import missing_in, plain_array


def refuse_names(xdata: Any, ydata: Any, sigma: Any, groups: Any) -> None:
    """Raise where arguments are names of columns, but there is no table that has them."""
    for argument, value in (("xdata", xdata), ("ydata", ydata), ("sigma", sigma), ("groups", groups)):
        if isinstance(value, str):
            raise TypeError(
                f"{argument}: got the text {value!r}; if that is the name of a column, pass its table as well, as data="
            )


def columns_of(data: Any, xdata: Any, ydata: Any, sigma: Any, groups: Any) -> tuple[Any, Any, Any, Any]:
    """Return predictors, observations, deviations and labels: columns for names, and anything else as it is.

    Several names of predictors are several predictors, of observations data sets side by side, of labels one label of
    several parts.
    """
    if type(data).__name__ == "LazyFrame" or hasattr(data, "__dask_graph__"):
        raise TypeError("data is a lazy frame: collect() or compute() it first")
    if not hasattr(data, "columns"):
        raise TypeError(f"data must be a data frame of pandas or polars, got {type(data).__name__}")
    if _are_names(xdata):
        xdata = tuple(_numbers(data, name, "xdata") for name in xdata)
        xdata = xdata if len(xdata) > 1 else xdata[0]
    elif isinstance(xdata, str):
        xdata = _numbers(data, xdata, "xdata")
    if _are_names(ydata):
        ydata = np.stack([_numbers(data, name, "ydata") for name in ydata])
    elif isinstance(ydata, str):
        ydata = _numbers(data, ydata, "ydata")
    if isinstance(sigma, str):
        sigma = _numbers(data, sigma, "sigma")
    elif _are_names(sigma):
        sigma = np.stack([_numbers(data, name, "sigma") for name in sigma])
    if isinstance(groups, str):
        groups = _labels(data, groups)
    elif _are_names(groups):
        groups = _joint_labels(data, groups)
    return xdata, ydata, sigma, groups


def _are_names(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and len(value) > 0 and all(isinstance(one, str) for one in value)


def _column(data: Any, name: str, argument: str) -> Any:
    names = [str(column) for column in data.columns]
    if names.count(name) != 1:
        how = "no column" if name not in names else "several columns"
        raise KeyError(f"{argument}: data has {how} {name!r}; it has {', '.join(names[:20])}")
    return data[name]


def _numbers(data: Any, name: str, argument: str) -> NDArray[Any]:
    """Return a column of numbers, NaN where one is missing; complex ones are no predictors."""
    column = _column(data, name, argument)
    values = plain_array(column)
    if values.dtype.kind not in ("fiub" if argument == "xdata" else "fiubc"):
        hint = ": subtract an origin and divide by a unit" if values.dtype.kind in "mM" else ""
        raise TypeError(f"{argument}: column {name!r} holds {column.dtype}, expected real numbers{hint}")
    return values


def _labels(data: Any, name: str) -> NDArray[Any]:
    """Return a column of labels, as text where they are."""
    values = np.asarray(_column(data, name, "groups").to_numpy())
    if values.dtype == object and all(isinstance(one, str) for one in values):
        return values.astype(str)
    return values


def _joint_labels(data: Any, names: Sequence[str]) -> NDArray[Any]:
    """Return labels of several parts, as a structured array with the names of the columns."""
    parts = [_labels(data, name) for name in names]
    for name, part in zip(names, parts, strict=True):
        missing = missing_in(part)
        if missing.any():
            raise ValueError(
                f"groups: {int(missing.sum())} labels in column {name!r} are missing, the first in row "
                f"{int(np.argmax(missing))}; leave their rows out"
            )
        if part.dtype == object:
            raise TypeError(f"groups: column {name!r} holds labels of several kinds, expected numbers, dates or text")
    labels = np.empty(len(parts[0]), dtype=[(name, part.dtype) for name, part in zip(names, parts, strict=True)])
    for name, part in zip(names, parts, strict=True):
        labels[name] = part
    return labels
