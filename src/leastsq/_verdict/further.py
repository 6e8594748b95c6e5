"""Fits that go on from where they ended."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from .._engines.slots import Slots, run_slots
from .._engines.solution import Solutions
from .._input.bounds import Bounds
from .._input.validate import FloatArray
from .._solver.kernel import TO_FIT
from .._solver.losses import as_squares, is_counts
from .._solver.problem import Options
from .ends import Evaluator

# Derivatives (rows, M, N) of some fits at points with these residuals.
SlopesOf: TypeAlias = Callable[[NDArray[np.intp], FloatArray, FloatArray], FloatArray]


def go_on(
    evaluator: Evaluator,
    solutions: Solutions,
    fits: NDArray[np.intp],
    slopes: SlopesOf,
    options: Options,
    box: Bounds | None,
    is_over: Callable[[NDArray[np.intp]], NDArray[np.bool_]],
    interrupt: NDArray[np.intc],
) -> NDArray[np.intp]:
    """Iterate on with some fits, by the derivatives that `slopes` takes, and count their steps.

    `is_over` says which have to end, `options` are those of going on, and `box` has a row for each of the fits. All
    evaluations are counted with those before.
    """
    count, m = len(fits), evaluator.m
    p0, steps = solutions.popt[fits], np.zeros(count, dtype=np.intp)
    part = Solutions(
        p0.copy(),
        solutions.triangle[fits],
        solutions.fnorm[fits],
        np.zeros(count, dtype=np.intc),
        np.full(count, TO_FIT, dtype=np.intc),
    )
    y = evaluator.counts(fits) if is_counts(options) else np.zeros((count, m))
    slots = Slots(np.arange(count), y, np.empty((0, m)), p0, options, box)
    last = np.empty((count, m))

    def values_of(rows: NDArray[np.intp], points: FloatArray) -> FloatArray:
        solutions.nfev[fits[rows]] += 1
        last[rows] = evaluator.residuals(fits[rows], points)
        return last[rows] if options.rho is None else as_squares(options, last[rows])[0]

    def slopes_of(rows: NDArray[np.intp], points: FloatArray, _: FloatArray) -> tuple[FloatArray, None]:
        steps[rows] += 1
        found = slopes(fits[rows], points, last[rows])
        if options.rho is not None:
            found = found * as_squares(options, last[rows])[1][:, :, None]
        return np.ascontiguousarray(found), None

    run_slots(slots, values_of, slopes_of, part, interrupt, lambda rows: is_over(fits[rows]))
    solutions.popt[fits], solutions.fnorm[fits], solutions.triangle[fits] = part.popt, part.fnorm, part.triangle
    solutions.status[fits] = part.status
    return steps
