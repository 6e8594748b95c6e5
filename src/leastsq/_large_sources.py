"""Where data of any size are: in files that are mapped into memory, or in dask's chunks, and how blocks are read."""

import math
import mmap
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ._large import Points
from ._pieces import is_dask, real_numbers
from ._validate import MOST_DATA, FloatArray

# Numbers that a block and what is made of it take, at most.
_NUMBERS_AT_ONCE = 2**20
# Numbers for each point beyond its predictors: derivatives, and what makes them.
_AS_LARGE = 16
# Points from which on files are read block by block.
_FEW = 2**16
# Runs of neighbouring points that are looked at first.
_RUNS = 64
# Triangles that are folded in one of dask's tasks.
_BRANCHES = 8


class Reading(NamedTuple):
    """How blocks are read: points at once, what to refuse, and whether missing points are left out."""

    at_once: int
    check_finite: bool
    omit: bool

    def points(self, x: Any, y: Any, sigma: Any) -> Points:
        """Return some points ready to be fitted."""
        observed = np.array(y, dtype=np.float64)
        several = isinstance(x, tuple)
        predictors = [np.array(one, dtype=np.float64) for one in (x if several else (x,))]
        weights = None if sigma is None else _weights(np.array(sigma, dtype=np.float64))
        missing = np.isnan(observed)
        for one in predictors:
            missing |= np.isnan(one).any(axis=tuple(range(one.ndim - 1)))
        if missing.any():
            if self.check_finite:
                raise ValueError(f"{int(missing.sum())} points hold NaN; nan_policy='omit' leaves them out")
            if self.omit:
                keep = ~missing
                predictors, observed = [one[..., keep] for one in predictors], observed[keep]
                weights = weights if weights is None or weights.ndim == 0 else weights[keep]
        huge = ~(np.abs(observed) < MOST_DATA) & (True if weights is None else weights != 0)
        if self.check_finite and huge.any():
            raise ValueError(f"ydata: {int(huge.sum())} values are infinite or beyond {MOST_DATA:g}")
        if weights is not None and weights.ndim == 0:
            weights = np.full(observed.size, weights)
        return Points(tuple(predictors) if several else predictors[0], observed, weights)

    def reduced(
        self, x: Any, y: Any, sigma: Any, task: Callable[[Points], Any], combine: Callable[[Sequence[Any]], Any]
    ) -> Any:
        """Return what a task makes of arrays, some points at a time."""
        found = None
        for which in _slices(y.shape[0], self.at_once):
            part = task(self.points(*_taken(x, y, sigma, which)))
            found = part if found is None else combine([found, part])
            for array in (*_as_tuple(x), y, sigma):
                _release(array)
        return found


def _weights(sigma: FloatArray) -> FloatArray:
    with np.errstate(divide="ignore"):
        weights: FloatArray = np.asarray(1.0 / sigma)
    if not ((sigma > 0) & (weights < math.inf)).all():
        raise ValueError("`sigma` must be positive, and more than tiny. To leave out a point, make its sigma infinite")
    return weights


def _slices(size: int, step: int) -> Iterator[slice]:
    for first in range(0, max(size, 1), step):
        yield slice(first, min(first + step, size))


def _spread(m: int, count: int) -> Any:
    """Return which points to look at first: runs from all over the data, because files are read by pages."""
    if m <= count:
        return slice(None)
    firsts = np.linspace(0, m - count // _RUNS, _RUNS).astype(np.intp)
    return np.unique(firsts[:, None] + np.arange(count // _RUNS))


def _as_tuple(x: Any) -> tuple[Any, ...]:
    return x if isinstance(x, tuple) else (x,)


def _taken(x: Any, y: Any, sigma: Any, which: Any) -> tuple[Any, Any, Any]:
    """Return some points of arrays."""
    taken = tuple(one[..., which] for one in _as_tuple(x))
    each = sigma is not None and np.ndim(sigma) == 1
    return taken if isinstance(x, tuple) else taken[0], y[which], sigma[which] if each else sigma


def _release(array: Any) -> None:
    """Give pages of a file back that have been read: they count as memory of the process until then."""
    pages = getattr(array, "_mmap", None)
    if isinstance(pages, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED") and getattr(array, "mode", "c") != "c":
        pages.madvise(mmap.MADV_DONTNEED)


class Arrays:
    """Arrays, some of which are files: read one block after the other."""

    def __init__(self, x: Any, y: NDArray[Any], sigma: Any, reading: Reading) -> None:
        self.given, self.reading = (x, y, sigma), reading

    @property
    def m(self) -> int:
        """The number of points."""
        return int(self.given[1].shape[0])

    def sample(self, count: int) -> Points:
        """Return points from all over the data."""
        found = self.reading.points(*_taken(*self.given, _spread(self.m, count)))
        for array in (*_as_tuple(self.given[0]), *self.given[1:]):
            _release(array)
        return found

    def reduced(self, task: Callable[[Points], Any], combine: Callable[[Sequence[Any]], Any]) -> Any:
        """Return what a task makes of the blocks, combined."""
        return self.reading.reduced(*self.given, task, combine)


class Chunks:
    """Dask arrays: each call is one graph, with a task for each chunk where it lies, and a tree of others."""

    def __init__(self, x: Any, y: Any, sigma: Any, reading: Reading) -> None:
        import dask.array

        self.reading = reading
        if any(size != size for size in y.shape):
            raise ValueError("ydata: the shape of the dask array is not known: call its compute_chunk_sizes() first")
        self.y = y if is_dask(y) else dask.array.from_array(y, chunks="auto")
        self.several = isinstance(x, tuple)
        self.x = tuple(self._aligned(one) for one in _as_tuple(x))
        each = sigma is not None and np.ndim(sigma) == 1
        self.sigma = self._aligned(sigma) if each else sigma
        self.each = each

    @property
    def m(self) -> int:
        """The number of points."""
        return int(self.y.shape[0])

    def _aligned(self, array: Any) -> Any:
        """Return an array in the chunks of the observations along its last axis, and in one along others."""
        import dask.array

        chunks = (*((size,) for size in array.shape[:-1]), self.y.chunks[0])
        return array.rechunk(chunks) if is_dask(array) else dask.array.from_array(array, chunks=chunks)

    def sample(self, count: int) -> Points:
        """Return points from all over the data."""
        import dask

        x, y, sigma = _taken(self.x, self.y, self.sigma, _spread(self.m, count))
        x, y, sigma = dask.compute(x, y, sigma)
        return self.reading.points(x if self.several else x[0], y, sigma)

    def reduced(self, task: Callable[[Points], Any], combine: Callable[[Sequence[Any]], Any]) -> Any:
        """Return what a task makes of the chunks, combined in a tree."""
        from dask import delayed

        columns = [one.to_delayed().ravel() for one in (*self.x, self.y)]
        sigmas = self.sigma.to_delayed().ravel() if self.each else [self.sigma] * len(columns[0])
        of_chunk, of_parts = delayed(_of_chunk, pure=False), delayed(combine, pure=False)
        parts = [
            of_chunk(self.reading, self.several, task, combine, sigma, *arrays)
            for sigma, *arrays in zip(sigmas, *columns, strict=True)
        ]
        while len(parts) > 1:
            parts = [of_parts(parts[k : k + _BRANCHES]) for k in range(0, len(parts), _BRANCHES)]
        return parts[0].compute()


def _of_chunk(reading: Reading, several: bool, task: Any, combine: Any, sigma: Any, *arrays: Any) -> Any:
    """Return what a task makes of a chunk, wherever that lies."""
    *x, y = arrays
    return reading.reduced(tuple(x) if several else x[0], y, sigma, task, combine)


def are_large(xdata: Any, ydata: Any, sigma: Any) -> bool:
    """Return whether data may be too large for memory: dask arrays, or files of more than few points."""
    if type(xdata) is type(ydata) is np.ndarray and (sigma is None or type(sigma) is np.ndarray):
        return False
    arrays = (*(xdata if isinstance(xdata, (tuple, list)) else (xdata,)), ydata, sigma)
    if any(map(is_dask, arrays)):
        return True
    return any(isinstance(one, np.memmap) for one in arrays) and np.size(ydata) > _FEW


def source_of(xdata: Any, ydata: Any, sigma: Any, check_finite: bool | None, nan_policy: str | None) -> Arrays | Chunks:
    """Return data in blocks."""
    if nan_policy not in (None, "raise", "omit"):
        raise ValueError(f"nan_policy must be one of {{None, 'raise', 'omit'}}, got {nan_policy!r}")
    x = tuple(xdata) if isinstance(xdata, (tuple, list)) else xdata
    for name, array in (("ydata", ydata), *((f"xdata[{i}]", one) for i, one in enumerate(_as_tuple(x)))):
        real_numbers(array, name)  # which refuses what are none
    if np.ndim(ydata) != 1 or np.ndim(sigma) > 1 or (np.ndim(sigma) == 1 and np.shape(sigma) != np.shape(ydata)):
        raise ValueError(
            f"data that may not fit into memory: expected ydata of shape (M,), and sigma a number or of the same; got "
            f"shapes {np.shape(ydata)} and {np.shape(sigma)}"
        )
    for one in _as_tuple(x):
        if np.shape(one)[-1:] != np.shape(ydata):
            raise ValueError(
                f"data that may not fit into memory: the last axis of xdata must be that of ydata, got shapes "
                f"{np.shape(one)} and {np.shape(ydata)}"
            )
    k = sum(math.prod(np.shape(one)[:-1]) for one in _as_tuple(x))
    finite = nan_policy is None if check_finite is None else check_finite
    reading = Reading(
        max(1024, _NUMBERS_AT_ONCE // (k + _AS_LARGE)), finite or nan_policy == "raise", nan_policy == "omit"
    )
    lazy = any(map(is_dask, (*_as_tuple(x), ydata, sigma)))
    return (Chunks if lazy else Arrays)(x, ydata, sigma, reading)
