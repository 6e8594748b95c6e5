"""Where data of any size are: in files that are mapped into memory, or in dask's chunks, and how blocks are read.

Arrays have the points along their last axis.
"""

import mmap
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from .._input.pieces import is_dask

# Numbers that a block and what is made of it take, at most.
_NUMBERS_AT_ONCE = 2**20
# Numbers for each point beyond what is read: derivatives, and what makes them.
_AS_LARGE = 16
# Points from which on files are read block by block.
_FEW = 2**16
# Runs of neighbouring points that are looked at first.
_RUNS = 64
# Triangles that are folded in one of dask's tasks.
_BRANCHES = 8

_Read = Callable[[tuple[Any, ...]], Any]
_Task = Callable[[Any], Any]
_Combine = Callable[[Sequence[Any]], Any]


def _in_parts(arrays: Sequence[Any], read: _Read, at_once: int, task: _Task, combine: _Combine) -> Any:
    """Return what a task makes of arrays, some points at a time."""
    found = None
    for which in _slices(arrays[0].shape[-1], at_once):
        part = task(read(tuple(one[..., which] for one in arrays)))
        found = part if found is None else combine([found, part])
        _release(arrays)
    return found


def _slices(size: int, step: int) -> Iterator[slice]:
    for first in range(0, max(size, 1), step):
        yield slice(first, min(first + step, size))


def _runs(m: int, count: int) -> list[slice]:
    """Return which points to look at first: runs from all over the data, because files are read by pages."""
    if m <= count:
        return [slice(0, m)]
    length = count // _RUNS
    return [slice(first, first + length) for first in np.linspace(0, m - length, _RUNS).astype(int).tolist()]


def _release(arrays: Sequence[Any]) -> None:
    """Give pages of files back that have been read: they count as memory of the process until then."""
    for array in arrays:
        pages = getattr(array, "_mmap", None)
        if isinstance(pages, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED") and getattr(array, "mode", "c") != "c":
            pages.madvise(mmap.MADV_DONTNEED)


class Arrays:
    """Arrays, some of which are files: read one block after the other."""

    def __init__(self, arrays: tuple[Any, ...], read: _Read, at_once: int) -> None:
        self.arrays, self.block, self.at_once = arrays, read, at_once

    @property
    def m(self) -> int:
        """The number of points."""
        return int(self.arrays[0].shape[-1])

    def sample(self, count: int) -> tuple[Any, ...]:
        """Return arrays of points from all over the data."""
        parts = []
        for which in _runs(self.m, count):
            parts.append([np.array(one[..., which]) for one in self.arrays])
            _release(self.arrays)
        return tuple(np.concatenate(of_one, axis=-1) for of_one in zip(*parts, strict=True))

    def reduced(self, task: _Task, combine: _Combine) -> Any:
        """Return what a task makes of the blocks, combined."""
        return _in_parts(self.arrays, self.block, self.at_once, task, combine)


class Chunks:
    """Dask arrays: each call is one graph, with a task for each chunk where it lies, and a tree of others."""

    def __init__(self, arrays: tuple[Any, ...], read: _Read, at_once: int) -> None:
        import dask.array

        self.block, self.at_once = read, at_once
        # Chunks are those of the array that has one axis, the last such: of observations, where there are any.
        leading = max((one for one in arrays if is_dask(one)), key=lambda one: (one.ndim == 1, -one.ndim))
        points = leading.chunks[-1]

        def aligned(array: Any) -> Any:
            chunks = (*((size,) for size in array.shape[:-1]), points)
            return array.rechunk(chunks) if is_dask(array) else dask.array.from_array(array, chunks=chunks)

        self.arrays = tuple(map(aligned, arrays))

    @property
    def m(self) -> int:
        """The number of points."""
        return int(self.arrays[0].shape[-1])

    def sample(self, count: int) -> tuple[Any, ...]:
        """Return arrays of points from all over the data."""
        import dask

        which = np.concatenate([np.arange(run.start, run.stop) for run in _runs(self.m, count)])
        found: tuple[Any, ...] = dask.compute(*(one[..., which] for one in self.arrays))
        return found

    def reduced(self, task: _Task, combine: _Combine) -> Any:
        """Return what a task makes of the chunks, combined in a tree."""
        from dask import delayed

        of_chunk, of_parts = delayed(_of_chunk, pure=False), delayed(combine, pure=False)
        columns = [one.to_delayed().ravel() for one in self.arrays]
        parts = [of_chunk(self.block, self.at_once, task, combine, *chunks) for chunks in zip(*columns, strict=True)]
        while len(parts) > 1:
            parts = [of_parts(parts[k : k + _BRANCHES]) for k in range(0, len(parts), _BRANCHES)]
        return parts[0].compute()


def _of_chunk(read: _Read, at_once: int, task: _Task, combine: _Combine, *arrays: Any) -> Any:
    """Return what a task makes of a chunk, wherever that lies."""
    return _in_parts(arrays, read, at_once, task, combine)


def are_large(arrays: Sequence[Any], points: int) -> bool:
    """Return whether data may be too large for memory: dask arrays, or files of more than few points."""
    if any(map(is_dask, arrays)):
        return True
    return points > _FEW and any(isinstance(one, np.memmap) for one in arrays)


def in_blocks(arrays: tuple[Any, ...], read: _Read, numbers: int) -> Arrays | Chunks:
    """Return arrays in blocks, of so many numbers for each point, which `read` makes ready."""
    at_once = max(1024, _NUMBERS_AT_ONCE // (numbers + _AS_LARGE))
    return (Chunks if any(map(is_dask, arrays)) else Arrays)(arrays, read, at_once)
