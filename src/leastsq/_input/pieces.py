"""Many data sets cut into pieces: views of the user's arrays, which cost nothing until a piece is fitted."""

import itertools
import math
import operator
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .missing import plain_array
from .validate import FloatArray, refuse_unreal

# Fits of a piece, and points. Few enough for a piece to be a moment's work and a megabyte or two.
MOST_FITS = 2048
MOST_POINTS = 2**18


class Piece(NamedTuple):
    """Some of the data sets, still as the user gave them; arrays with one row are shared by all fits."""

    start: int
    numbers: Sequence[int] | NDArray[np.intp]
    x: tuple[NDArray[Any], ...]
    y: NDArray[Any]
    mask: NDArray[np.bool_] | None
    sigma: NDArray[Any] | None
    p0: NDArray[Any] | None
    lower: NDArray[Any] | None = None
    upper: NDArray[Any] | None = None
    # Points that only fill up rows.
    absent: NDArray[np.bool_] | None = None

    @property
    def fits(self) -> int:
        """Return the number of data sets."""
        return len(self.numbers)


class Rows:
    """An array seen as rows, one for each fit, or one for all: shape L + tail as (fits, size of tail)."""

    def __init__(self, array: NDArray[Any], lead: tuple[int, ...], tail: tuple[int, ...]) -> None:
        own = array.shape[: array.ndim - len(tail)]
        self._shared = math.prod(own) == 1
        self._lead = lead
        self._size = math.prod(tail)
        self._flat: NDArray[Any] | None = None
        if self._shared:
            one = array.reshape(array.shape[array.ndim - len(tail) :])
            one = one if one.shape == tail else np.broadcast_to(one, tail)
            self._flat = one.reshape(1, self._size)
            return
        if array.shape == lead + tail and array.flags.c_contiguous:
            self._flat = array.reshape(math.prod(lead), self._size)
            return
        self._array = np.broadcast_to(array, lead + tail)
        if _is_one_run(self._array, 0, len(lead)) and _is_one_run(self._array, len(lead), self._array.ndim):
            self._flat = self._array.reshape(math.prod(lead), self._size)

    def __getitem__(self, which: slice) -> NDArray[Any]:
        """Return the rows of some fits, shape (fits, size); a view where the memory allows."""
        if self._flat is not None:
            return self._flat if self._shared else self._flat[which]
        indices = np.unravel_index(np.arange(which.start, which.stop), self._lead)
        return self._array[indices].reshape(which.stop - which.start, self._size)


def _is_one_run(array: NDArray[Any], first: int, last: int) -> bool:
    """Return whether some neighbouring axes can be seen as one without copying."""
    axes = [axis for axis in range(first, last) if array.shape[axis] != 1]
    return all(
        array.strides[outer] == array.strides[inner] * array.shape[inner] for outer, inner in itertools.pairwise(axes)
    )


class DataSets(NamedTuple):
    """All data sets of a call, as rows."""

    lead: tuple[int, ...]
    points: int
    x: tuple[Rows, ...]
    y: Rows
    mask: Rows | None
    sigma: Rows | None
    # Of each parameter: starts, and bounds.
    p0: Rows | None
    lower: Rows | None
    upper: Rows | None

    @property
    def fits(self) -> int:
        """Return the number of fits."""
        return math.prod(self.lead)

    def where(self, start: int, count: int) -> slice:
        """Return which fits the results of a piece belong to."""
        return slice(start, start + count)

    def pieces(self) -> Iterator[Piece]:
        """Cut the data sets into pieces of one size, which does not depend on who fits them."""
        most, fits = max(1, min(MOST_FITS, MOST_POINTS // max(self.points, 1))), self.fits
        count = max(-(-fits // most), 1)
        count += count > 1 and count % 2  # so that two threads end together
        size = max(-(-fits // count), 1)
        for start in range(0, fits, size):
            yield self.piece(start, min(start + size, fits))

    def piece(self, start: int, stop: int) -> Piece:
        """Return the data sets from `start` to `stop`."""
        which = slice(start, stop)
        return Piece(
            start,
            range(start, stop),
            tuple([x[which] for x in self.x]),
            self.y[which],
            None if self.mask is None else self.mask[which],
            None if self.sigma is None else self.sigma[which],
            *[None if rows is None else rows[which] for rows in (self.p0, self.lower, self.upper)],
        )


def data_sets(
    xdata: Any, ydata: Any, sigma: Any, of_parameters: dict[str, NDArray[Any]], axis: int | Sequence[int]
) -> DataSets:
    """Arrange the user's arrays so that each fit has a row in all; those `of_parameters` have shape (..., N)."""
    y, mask = observations(ydata)
    axes = fit_axes(axis, y.ndim)
    tail = tuple([y.shape[a] for a in axes])
    predictors = xdata if isinstance(xdata, tuple) else (xdata,)
    arranged = {"ydata": move(y, axes)}
    names = ["xdata"] if len(predictors) == 1 else [f"xdata[{i}]" for i in range(len(predictors))]
    for name, x in zip(names, predictors, strict=True):
        arranged[name] = arrange(real_numbers(x, name), axes, tail, name)
    if sigma is not None:
        if y.ndim == len(axes) and np.shape(sigma) == (y.size, y.size) and y.size > 1:
            raise ValueError(
                f"sigma is a matrix of shape {np.shape(sigma)} for one data set: covariance matrices of data are "
                f"for curve_fit; expected standard deviations"
            )
        arranged["sigma"] = arrange(real_numbers(sigma, "sigma"), axes, tail, "sigma")
    shapes = {name: array.shape[: array.ndim - len(tail)] for name, array in arranged.items()}
    of_parameters = {name: real_numbers(array, name) for name, array in of_parameters.items()}
    shapes |= {name: array.shape[:-1] for name, array in of_parameters.items()}
    try:
        lead = _broadcast(shapes.values())
    except ValueError:
        found = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise ValueError(
            f"the arguments are not for one set of fits: without the axes that are fitted along, shapes are {found}; "
            f"expected shapes that broadcast"
        ) from None
    _refuse_larger(shapes, lead)
    rows = {name: Rows(array, lead, tail) for name, array in arranged.items()}
    return DataSets(
        lead,
        math.prod(tail),
        tuple([rows[name] for name in names]),
        rows["ydata"],
        None if mask is None else Rows(move(mask, axes), lead, tail),
        rows.get("sigma"),
        *[
            Rows(of_parameters[name], lead, of_parameters[name].shape[-1:]) if name in of_parameters else None
            for name in ("p0", "lower", "upper")
        ],
    )


def _broadcast(shapes: Iterable[tuple[int, ...]]) -> tuple[int, ...]:
    """Return the shape that shapes broadcast to: at once where there is but one."""
    different = set(shapes) - {()}
    return np.broadcast_shapes(*different) if len(different) > 1 else (*different, ())[0]


def _refuse_larger(shapes: dict[str, tuple[int, ...]], lead: tuple[int, ...]) -> None:
    """Raise where predictors alone would make more fits than there are data sets."""
    if shapes["ydata"] == lead:
        return
    predictors = {name: shape for name, shape in shapes.items() if name.startswith("xdata")}
    others = [shape for name, shape in shapes.items() if name not in predictors]
    fits = _broadcast(others)
    for name, shape in predictors.items():
        if _broadcast((fits, shape)) != fits:
            raise ValueError(
                f"{name} is for fits of shape {shape}, ydata for {shapes['ydata']}, which would be enlarged to {lead} "
                f"(shapes without what is fitted along); expected a shape that broadcasts to that of ydata. If its "
                f"rows are predictors, pass a tuple of them: (x0, x1, ...). To fit the same data over several "
                f"predictors, repeat ydata with np.broadcast_to"
            )


def observations(ydata: Any) -> tuple[NDArray[Any], NDArray[np.bool_] | None]:
    """Return observations, and where they are masked; None where nothing is."""
    if not isinstance(ydata, np.ma.MaskedArray):
        return real_numbers(ydata, "ydata"), None
    return real_numbers(np.ma.getdata(ydata), "ydata"), np.ma.getmaskarray(ydata) if np.ma.is_masked(ydata) else None


def real_numbers(value: Any, name: str) -> NDArray[Any]:
    """Return an array of real numbers of whatever type, without a copy of arrays."""
    if type(value) is np.ndarray and value.dtype.kind in "fiub":
        return value
    if value is None:
        raise TypeError(f"{name}: got None, expected real numbers")
    if is_dask(value):
        return _stand_in(value, name)
    if isinstance(value, np.ma.MaskedArray):
        value = np.ma.filled(value.astype(np.float64), np.inf if name == "sigma" else np.nan)
    try:
        array = plain_array(value)
    except ValueError as error:
        raise ValueError(f"{name}: expected an array of real numbers, got rows of unequal length ({error})") from error
    refuse_unreal(array.dtype, name)
    return array


def present_numbers(value: Any, name: str) -> FloatArray:
    """Return an array of float64, of a dask array the values."""
    return real_numbers(value.compute() if is_dask(value) else value, name).astype(np.float64, copy=False)


def _stand_in(array: Any, name: str) -> NDArray[Any]:
    """Return an array with the shape and type of a dask array, which takes no memory."""
    refuse_unreal(array.dtype, name)
    if any(size != size for size in array.shape):
        raise ValueError(f"{name}: the shape of the dask array is not known: call its compute_chunk_sizes() first")
    return np.broadcast_to(np.zeros((), array.dtype), array.shape)


def is_dask(value: Any) -> bool:
    """Return whether something is a dask array; dask need not be installed."""
    if type(value) is np.ndarray:
        return False
    return hasattr(value, "chunks") and type(value).__module__.partition(".")[0] == "dask"


def fit_axes(axis: int | Sequence[int], ndim: int) -> tuple[int, ...]:
    """Return the axes to fit along in their order, counted from the last: -1 and so on."""
    if type(axis) is int and -ndim <= axis < ndim:
        return (axis % ndim - ndim,)
    given = axis if isinstance(axis, (tuple, list)) else (axis,)
    try:
        axes = tuple(operator.index(a) for a in given)
    except TypeError:
        axes = ()
    if len(axes) < len(given) or any(isinstance(a, bool) for a in given):
        raise TypeError(f"axis must be an integer or a tuple of integers, got {axis!r}")
    if ndim == 0:
        raise ValueError("ydata is a single number: expected an array with at least the axis to fit along")
    if not axes or any(not -ndim <= a < ndim for a in axes) or len({a % ndim for a in axes}) != len(axes):
        raise ValueError(f"axis {axis!r} does not name axes of ydata, which has {ndim}")
    return tuple(sorted(a % ndim - ndim for a in axes))


def move(array: NDArray[Any], axes: tuple[int, ...]) -> NDArray[Any]:
    """Return the array with the axes that are fitted along at the end."""
    if axes[0] == -len(axes):  # they are there
        return array
    return np.moveaxis(array, axes, tuple(range(-len(axes), 0)))


def arrange(array: NDArray[Any], axes: tuple[int, ...], tail: tuple[int, ...], name: str) -> NDArray[Any]:
    """Return predictors or standard deviations with the axes that are fitted along at the end, as ydata has them.

    With no more axes than those, they are shared by all fits.
    """
    if array.shape == tail:
        return array
    if array.ndim > len(axes):
        short = -min(axes) - array.ndim
        array = move(array.reshape((1,) * max(short, 0) + array.shape), axes)
    array = array.reshape((1,) * (len(tail) - array.ndim) + array.shape)
    own = array.shape[array.ndim - len(tail) :]
    if any(size not in (1, wanted) for size, wanted in zip(own, tail, strict=True)):
        raise ValueError(
            f"{name} has {own} points along the axes that are fitted along, ydata {tail}; expected the same"
            + (". Several predictors are a tuple of arrays" if name == "xdata" else "")
        )
    return array if own == tail else np.broadcast_to(array, array.shape[: array.ndim - len(tail)] + tail)
