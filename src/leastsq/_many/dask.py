"""Many fits of dask arrays: a lazy result, with one task for each block of data sets."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import dask.array
import numpy as np
from dask.base import DaskMethodsMixin
from numpy.typing import NDArray

from .._input.bounds import Bounds, refuse_unusable
from .._input.pieces import arrange, data_sets, fit_axes, is_dask, move, real_numbers
from .._results.box import as_kept
from .._results.result import ManyFits
from .._solver.problem import Problem
from .._solver.record import ARRAYS, record_type


@dataclass(frozen=True, eq=False, repr=False)
class LazyFits(DaskMethodsMixin):  # type: ignore[misc]
    """What `curve_fit_many` will have found, for dask arrays: the attributes of `ManyFits` as dask arrays.

    It is a dask collection: `compute` makes the fits and returns them as `ManyFits`, `persist` begins to make
    them and leaves the results where they are; ``dask.compute`` and ``dask.persist`` do as well. Some of the attributes
    are computed together by ``dask.compute(fits.popt, fits.status)``; one by one, the fits are made for each anew,
    unless `persist` kept them.

    Examples
    --------
    >>> import dask.array
    >>> import numpy as np
    >>> from leastsq import curve_fit_many, models
    >>> t = np.linspace(0, 5, 30)
    >>> y = models.exponential(t, 2.0, np.array([[0.5], [1.0]]), 0.1) + 0.01 * np.cos(9 * t)
    >>> lazy = curve_fit_many(models.exponential, t, dask.array.from_array(y, chunks=(1, 30)))
    >>> lazy.shape, lazy.chunks
    ((2,), ((1, 1),))
    >>> lazy.compute()["rate"].round(1).tolist()
    [0.5, 1.0]
    """

    records: Any
    problem: Problem
    bounds: Bounds | None = None

    @property
    def param_names(self) -> tuple[str, ...]:
        """The names of the parameters."""
        return self.problem.names

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape L of the fits."""
        shape: tuple[int, ...] = self.records.shape
        return shape

    @property
    def chunks(self) -> tuple[tuple[int, ...], ...]:
        """The sizes of the blocks of fits, which are the tasks."""
        chunks: tuple[tuple[int, ...], ...] = self.records.chunks
        return chunks

    def compute(self, **keywords: Any) -> ManyFits:
        """Make the fits, and return them; keywords are those of dask's own `compute`."""
        found: ManyFits = super().compute(**keywords)
        return found

    def persist(self, **keywords: Any) -> "LazyFits":
        """Begin to make the fits, and return them as they are, lazy."""
        found: LazyFits = super().persist(**keywords)
        return found

    def __dask_graph__(self) -> Any:
        return self.records.__dask_graph__()

    def __dask_keys__(self) -> Any:
        return self.records.__dask_keys__()

    def __dask_layers__(self) -> Any:
        return self.records.__dask_layers__()

    def __dask_tokenize__(self) -> Any:
        return self.records.__dask_tokenize__()

    __dask_optimize__ = staticmethod(dask.array.Array.__dask_optimize__)
    __dask_scheduler__ = staticmethod(dask.array.Array.__dask_scheduler__)

    @property
    def dask(self) -> Any:
        """The graph of the tasks."""
        return self.records.dask

    def __dask_postcompute__(self) -> Any:
        return _gathered, (self.records.__dask_postcompute__(), self.problem, self.bounds)

    def __dask_postpersist__(self) -> Any:
        return self._persisted, self.records.__dask_postpersist__()

    def _persisted(self, graph: Any, rebuild: Any, given: Any, **keywords: Any) -> "LazyFits":
        return replace(self, records=rebuild(graph, *given, **keywords))

    def __getattr__(self, name: str) -> Any:
        if name in ARRAYS:
            return self.records[name] if name in self.records.dtype.names else None
        if name not in ("stderr", "redchi", "success"):
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}: compute() returns the whole result")
        return self._derived(name)

    def _derived(self, name: str) -> Any:
        """Return what `ManyFits` works out from the rest, block by block."""
        n = len(self.param_names)
        new = {"new_axis": [len(self.shape)], "chunks": (*self.chunks, (n,))} if name == "stderr" else {}
        dtype = {"stderr": np.float64, "redchi": np.float64, "success": np.bool_}[name]
        return self.records.map_blocks(_attribute, name, self.problem, dtype=dtype, **new)

    def __repr__(self) -> str:
        return f"LazyFits(shape={self.shape}, params=({', '.join(self.param_names)}), chunks={self.chunks})"


def many_fits(records: NDArray[Any], problem: Problem, bounds: Bounds | None = None) -> ManyFits:
    """Return records of fits as the result of many."""
    records = np.asarray(records)
    found: dict[str, Any] = {"pcov": None}
    found |= {name: np.asarray(records[name]).copy() for name in records.dtype.names or ()}
    return ManyFits(**found, problem=problem, bounds=bounds)


def _gathered(blocks: Any, of_array: Any, problem: Problem, bounds: Bounds | None) -> ManyFits:
    """Return the results of all blocks as one."""
    finalize, given = of_array
    return many_fits(finalize(blocks, *given), problem, bounds)


def _attribute(records: NDArray[Any], name: str, problem: Problem) -> Any:
    return getattr(many_fits(records, problem), name)


def fit_lazily(
    call: Any,
    xdata: Any,
    ydata: Any,
    of_parameters: dict[str, Any],
    sigma: Any,
    axis: int | Sequence[int],
    box: Bounds | None,
) -> LazyFits:
    """Return the fits that a call would make of arrays as tasks; the arguments have been checked."""
    problem = call.problem
    predictors = xdata if isinstance(xdata, tuple) else (xdata,)
    y = _as_dask(ydata, "ydata")
    axes = fit_axes(axis, y.ndim)
    tail = tuple(y.shape[a] for a in axes)
    arrays = [_merged(move(y, axes), len(axes), axes)]
    for i, predictor in enumerate(predictors):
        arrays.append(_whole(arrange(_as_dask(predictor, f"xdata[{i}]"), axes, tail, "xdata"), len(axes)))
    if sigma is not None:
        arrays.append(_whole(arrange(_as_dask(sigma, "sigma"), axes, tail, "sigma"), len(axes)))
    tails = [len(axes)] * len(arrays) + [1] * len(of_parameters)
    arrays += [_whole(_as_dask(array, name), 1) for name, array in of_parameters.items()]
    lead = max(array.ndim - own for array, own in zip(arrays, tails, strict=True))
    operands: list[Any] = []
    for k, (array, own) in enumerate(zip(arrays, tails, strict=True)):
        # Axes are numbered: those of the fits, then those of the points, then that of the parameters.
        last = [lead + len(axes)] if k >= len(arrays) - len(of_parameters) else range(lead, lead + own)
        operands += [array, (*range(lead - array.ndim + own, lead), *last)]
    records = dask.array.blockwise(
        _fit_block,
        tuple(range(lead)),
        *operands,
        concatenate=True,
        dtype=record_type(problem.n, problem.covariances),
        meta=np.empty((0,) * lead, record_type(problem.n, problem.covariances)),
        call=call,
        predictors=len(predictors),
        weighted=sigma is not None,
        of_parameters=tuple(of_parameters),
        axes=len(axes),
        token="curve_fit_many",
    )
    return LazyFits(records, problem, as_kept(box, records.shape))


def _fit_block(
    *arrays: Any,
    call: Any,
    predictors: int,
    weighted: bool,
    of_parameters: tuple[str, ...],
    axes: int,
) -> NDArray[Any]:
    """Fit a block of data sets, wherever that happens."""
    y, *others = arrays
    x = tuple(others[:predictors]) if predictors > 1 else others[0]
    sigma = others[predictors] if weighted else None
    rows = dict(zip(of_parameters, others[len(others) - len(of_parameters) :], strict=True))
    try:
        if "lower" in rows:
            rows["lower"], rows["upper"] = np.broadcast_arrays(rows["lower"], rows["upper"])
            refuse_unusable(Bounds(rows["lower"], rows["upper"]), call.problem.names)
        fits = call.fit(data_sets(x, y, sigma, rows, tuple(range(-axes, 0))))
    except (RuntimeError, ValueError) as error:
        raise type(error)(f"{error} (numbers and positions are those within a chunk)") from error
    records = np.empty(fits.shape, record_type(len(fits.param_names), fits.problem.covariances))
    for name in records.dtype.names or ():
        records[name] = getattr(fits, name)
    return records


def _as_dask(value: Any, name: str) -> Any:
    """Return a dask array of real numbers."""
    if is_dask(value):
        return value
    return dask.array.from_array(real_numbers(value, name), chunks=-1)


def _whole(array: Any, axes: int) -> Any:
    """Return the array with one chunk along its last axes."""
    return array.rechunk({array.ndim - 1 - k: -1 for k in range(axes)})


def _merged(y: Any, axes: int, original: tuple[int, ...]) -> Any:
    """Return data sets that are in one piece each, and say so where that takes moving data."""
    several = {axis: len(y.chunks[y.ndim - axes + k]) for k, axis in enumerate(original)}
    if any(chunks > 1 for chunks in several.values()):
        found = ", ".join(f"{chunks} chunks along axis {axis}" for axis, chunks in several.items() if chunks > 1)
        warnings.warn(
            f"ydata has {found}, which is fitted along: they are merged, because a fit needs all points at once. "
            f"Rechunk beforehand to choose the size of the blocks",
            stacklevel=5,
        )
    return _whole(y, axes)
