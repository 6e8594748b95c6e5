"""Parameters that are fixed to one value in all fits of a compiled model: fits of the model of the others."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._engines.block import Block
from .._engines.solution import Solutions
from .._input.bounds import Bounds
from .._input.parameters import Start
from .._input.pieces import is_dask
from .._input.validate import FloatArray
from .._models.model import Model
from .._models.sums import is_of_package
from .._solver import codes
from .._solver.problem import Problem
from .._verdict.statistics import Statistics


@dataclass(frozen=True, eq=False)
class Others:
    """What is fitted where some parameters are fixed: a model of the others, which are faster alone."""

    problem: Problem
    free: NDArray[np.bool_]

    def block(self, whole: Block) -> Block:
        """Return data sets with starts and bounds of the others alone."""
        box, bounds = None, whole.bounds[:0, :, self.free]
        if whole.box is not None and np.isfinite(whole.bounds[:, :, self.free]).any():
            box = Bounds(*(np.ascontiguousarray(side[:, self.free]) for side in whole.box))
            bounds = np.ascontiguousarray(whole.bounds[:, :, self.free])
        return whole._replace(p0=np.ascontiguousarray(whole.p0[:, self.free]), box=box, bounds=bounds)

    def whole(self, block: Block, solutions: Solutions, settled: Statistics) -> tuple[Solutions, Statistics]:
        """Return solutions and statistics of all parameters, of which those that are fixed have no variance."""
        popt = block.p0.copy()
        popt[:, self.free] = solutions.popt
        pcov = np.zeros((*popt.shape, popt.shape[1]))
        columns = np.flatnonzero(self.free)
        pcov[:, columns[:, None], columns] = settled.pcov
        unknown = ~codes.is_solved(solutions.status)
        if unknown.any():
            pcov[unknown] = np.nan
        unused, combined = (self._spread(which) for which in (settled.unused, settled.combined))
        return solutions._replace(popt=popt), settled._replace(pcov=pcov, unused=unused, combined=combined)

    def _spread(self, which: NDArray[np.bool_]) -> NDArray[np.bool_]:
        found = np.zeros((len(which), self.free.size), dtype=np.bool_)
        found[:, self.free] = which
        return found


def others_of(problem: Problem, begin: Start, box: Bounds | None) -> Others | None:
    """Return what is to be fitted without the parameters that are fixed to one value; None for all parameters.

    Equal bounds for all fits fix as well.
    """
    model: Any = problem.f
    if (
        (box is None and not np.count_nonzero(begin.fixed))
        or not (isinstance(model, Model) and is_of_package(model))
        or problem.options.rho is not None
    ):
        return None
    values = _values(begin, box, problem.n)
    held = np.isfinite(values)
    if not held.any() or held.all():
        return None
    names = problem.names
    fixed = model.fix(**{names[j]: float(values[j]) for j in np.flatnonzero(held)})
    options = problem.options
    if options.diag is not None:
        options = options._replace(diag=options.diag[~held])
    rest = tuple(name for name, is_held in zip(names, held, strict=True) if not is_held)
    return Others(replace(problem, f=fixed, jac=fixed.jac, names=rest, options=options, fixed=()), ~held)


def _values(begin: Start, box: Bounds | None, n: int) -> FloatArray:
    """Return the values of parameters that are fixed to one, NaN elsewhere."""
    found = np.full(n, np.nan)
    if box is not None and not is_dask(box.lower) and box.lower.ndim == 1:
        found = np.where(box.lower == box.upper, box.lower, found)
    if begin.fixed.any() and begin.values is not None and not is_dask(begin.values):
        rows = np.asarray(begin.values, dtype=np.float64).reshape(-1, n)
        one = (rows == rows[:1]).all(axis=0) if len(rows) else np.zeros(n, dtype=np.bool_)
        found = np.where(begin.fixed & begin.given & one & np.isnan(found), rows[:1].sum(axis=0), found)
    return found
