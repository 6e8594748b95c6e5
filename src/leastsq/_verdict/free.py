"""Fits with fixed parameters, judged as fits of the others."""

from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .._engines.solution import Solutions
from .._input.bounds import Bounds
from .._input.validate import FloatArray
from .._solver.problem import Options
from .ends import Evaluator
from .settle import Settler
from .statistics import Statistics

#: Residuals of the fit that was looked at last, and derivatives by its free parameters.
Last: TypeAlias = tuple[FloatArray, FloatArray]


class _FreeEvaluator:
    """An evaluator of some fits, by those of their parameters that are free."""

    def __init__(self, evaluator: Evaluator, fits: NDArray[np.intp], popt: FloatArray, free: NDArray[np.bool_]) -> None:
        self.evaluator, self.fits, self.popt, self.free = evaluator, fits, popt, free

    @property
    def m(self) -> int:
        """The number of points."""
        return self.evaluator.m

    def residuals(self, fits: NDArray[np.intp], points: FloatArray) -> FloatArray:
        """Return residuals, shape (rows, M)."""
        return self.evaluator.residuals(self.fits[fits], self._whole(fits, points))

    def jacobian(self, fits: NDArray[np.intp], points: FloatArray) -> FloatArray:
        """Return derivatives by the free parameters."""
        return self.evaluator.jacobian(self.fits[fits], self._whole(fits, points))[:, :, self.free]

    def counts(self, fits: NDArray[np.intp]) -> FloatArray:
        """Return the observations, shape (rows, M)."""
        return self.evaluator.counts(self.fits[fits])

    def sizes(self, fits: NDArray[np.intp]) -> tuple[FloatArray, FloatArray]:
        """Return the norms of the weighted data, and of the same without their offset."""
        return self.evaluator.sizes(self.fits[fits])

    def _whole(self, fits: NDArray[np.intp], points: FloatArray) -> FloatArray:
        whole = self.popt[self.fits[fits]]
        whole[:, self.free] = points
        return whole


def settle(
    evaluator: Evaluator,
    solutions: Solutions,
    start: FloatArray,
    points: NDArray[np.intc],
    options: Options,
    exact: bool,
    absolute: bool,
    interrupt: NDArray[np.intc],
    box: Bounds | None,
) -> tuple[Statistics, Last]:
    """Judge fits, and go on with those that are far from their minimum: see `Settler`.

    Fixed parameters, those with equal bounds, have no variance, and count neither as open nor for degrees of freedom.
    """
    if box is None or box.free.all():
        whole = Settler(evaluator, solutions, start, points, options, exact, absolute, interrupt, box)
        return whole.settle(), whole.last
    last: Last = (np.empty(0), np.empty(0))
    count, n = solutions.popt.shape
    found = Statistics(
        np.zeros((count, n, n)),
        np.zeros(count, dtype=np.intc),
        np.zeros((count, n), dtype=np.bool_),
        np.zeros((count, n), dtype=np.bool_),
        np.zeros(count),
    )
    for fits, free in _patterns(box.free):
        part = Solutions(
            solutions.popt[np.ix_(fits, free)],
            _of_free(solutions.triangle[fits], free),
            solutions.fnorm[fits],
            solutions.nfev[fits],
            solutions.status[fits],
        )
        sides = Bounds(box.lower[np.ix_(fits, free)], box.upper[np.ix_(fits, free)])
        of_free = _FreeEvaluator(evaluator, fits, solutions.popt, free)
        those = options if options.diag is None else options._replace(diag=options.diag[free])
        begun = start[np.ix_(fits, free)]
        settler = Settler(of_free, part, begun, points[fits], those, exact, absolute, interrupt, sides)
        settled, last = settler.settle(), settler.last
        solutions.popt[np.ix_(fits, free)] = part.popt
        solutions.fnorm[fits], solutions.nfev[fits], solutions.status[fits] = part.fnorm, part.nfev, part.status
        where = np.ix_(fits, free, free)
        found.pcov[where], found.rank[fits], found.offset[fits] = settled.pcov, settled.rank, settled.offset
        found.unused[np.ix_(fits, free)] = settled.unused
        found.combined[np.ix_(fits, free)] = settled.combined
        found.pcov[fits[np.isnan(settled.pcov).any(axis=(1, 2)).ravel()]] = np.nan
    return found, last


def _patterns(free: NDArray[np.bool_]) -> Iterator[tuple[NDArray[np.intp], NDArray[np.bool_]]]:
    """Give the fits that have the same free parameters, together."""
    if (free == free[:1]).all():
        if free[0].any():
            yield np.arange(len(free)), free[0]
        return
    kinds, kind = np.unique(free, axis=0, return_inverse=True)
    for k in range(int(kinds.shape[0])):
        if kinds[k].any():
            yield np.flatnonzero(kind.ravel() == k), kinds[k]


def _of_free(triangle: FloatArray, free: NDArray[np.bool_]) -> FloatArray:
    """Return triangles of the free columns, as `Solutions` holds them."""
    n = int(free.sum())
    columns = np.swapaxes(triangle[:, np.append(free, True)], 1, 2)
    reduced: Any = np.linalg.qr(columns, mode="r")
    return np.ascontiguousarray(np.swapaxes(reduced[:, :n], 1, 2))
