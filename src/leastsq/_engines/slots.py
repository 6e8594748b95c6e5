"""Fits under way side by side, each the iteration of a single fit to the last bit, and the loop that evaluates them."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from .._input.bounds import Bounds
from .._input.validate import FloatArray
from .._solver import kernel
from .._solver.codes import MAXFEV
from .._solver.kernel import DONE, JACOBIAN, MOST_ROWS
from .._solver.problem import Options
from .evaluate import POINTS_AT_ONCE
from .solution import Solutions

# Values (rows, M) of some fits at points (rows, N).
Values: TypeAlias = Callable[[NDArray[np.intp], FloatArray], FloatArray]
# Derivatives (rows, M, N) from fits, points and the values there; or values a step further (N, rows, M), and the steps.
Slopes: TypeAlias = Callable[[NDArray[np.intp], FloatArray, FloatArray], tuple[FloatArray, FloatArray | None]]


class Slots:
    """Room for fits under way: the observations and the state of each."""

    def __init__(
        self,
        queue: NDArray[np.intp],
        y: FloatArray,
        weights: FloatArray,
        p0: FloatArray,
        options: Options,
        box: Bounds | None,
    ) -> None:
        m, n = y.shape[1], p0.shape[1]
        capacity = max(1, min(len(y), POINTS_AT_ONCE // max(m, 1)))
        self.queue = queue
        self.given = (y, weights, p0)
        self.box = Bounds(np.empty((0, n)), np.empty((0, n))) if box is None else box
        self.options = options.packed()
        self.scaled, self.diag = options.scaling(np.ones(n))
        self.fit = np.full(capacity, -1)
        self.y = np.zeros((capacity, m))
        self.weights = weights if len(weights) < 2 else np.zeros((capacity, m))
        self.states = np.zeros((capacity, kernel.slot_size(m, n, int(box is not None))))
        self.points = np.zeros((capacity, n))
        self.work = np.empty((min(m, MOST_ROWS) + n) * (n + 1) + m)

    def refill(self) -> NDArray[np.intc]:
        """Put waiting fits where others have ended, once there are enough, and return the slots in use."""
        if len(self.queue):
            free = (self.fit < 0).nonzero()[0]
            if 4 * len(free) >= len(self.fit):
                self._open(free[: len(self.queue)])
        return (self.fit >= 0).nonzero()[0].astype(np.intc)

    def _open(self, free: NDArray[np.intp]) -> None:
        """Begin the next fits of the queue in slots that are free."""
        y, weights, p0 = self.given
        fits, self.queue = self.queue[: len(free)], self.queue[len(free) :]
        self.fit[free] = fits
        self.y[free] = y[fits]
        if len(weights) > 1:
            self.weights[free] = weights[fits]
        lower, upper = self.box.rows(fits) if len(self.box.lower) else self.box
        kernel.open_slots(
            self.y.shape[1],
            free.astype(np.intc),
            p0[fits],
            self.options,
            self.scaled,
            self.diag,
            lower,
            upper.ravel(),
            self.states,
            self.points,
        )

    def take_values(self, which: NDArray[np.intc], values: FloatArray) -> NDArray[np.intc]:
        """Hand in the values at the points of some fits, and return what each wants next."""
        tasks = np.empty(len(which), dtype=np.intc)
        kernel.take_block(which, values, self.y, self.weights, self.states, self.points, tasks, self.work)
        return tasks

    def take_slopes(
        self, which: NDArray[np.intc], values: FloatArray, slopes: FloatArray, steps: FloatArray | None
    ) -> NDArray[np.intc]:
        """Hand in derivatives (fits, M, N), or values a step further (N, fits, M), and return what each wants next."""
        tasks = np.empty(len(which), dtype=np.intc)
        count, m = values.shape
        n = self.points.shape[1]
        row, fit, column = (n, m * n, 1) if steps is None else (1, m, count * m)
        kernel.take_block_slopes(
            which,
            values,
            self.y,
            self.weights,
            slopes.ravel(),
            row,
            fit,
            column,
            int(steps is not None),
            np.empty((count, n)) if steps is None else steps,
            self.states,
            self.points,
            tasks,
            self.work,
        )
        return tasks

    def release(self, ended: NDArray[np.intc], solutions: Solutions) -> None:
        """Store the fits that have ended, and free their slots."""
        count, n = len(ended), self.points.shape[1]
        if count == 0:
            return
        triangle, fnorm = np.empty((count, n + 1, n)), np.empty(count)
        nfev, status = np.empty(count, dtype=np.intc), np.empty(count, dtype=np.intc)
        kernel.read_slots(ended, self.states, triangle, fnorm, nfev, status)
        fits = self.fit[ended]
        solutions.popt[fits], solutions.triangle[fits], solutions.fnorm[fits] = self.points[ended], triangle, fnorm
        solutions.nfev[fits], solutions.status[fits] = nfev, status
        self.fit[ended] = -1

    def leave(self, left: NDArray[np.intc], solutions: Solutions) -> None:
        """Store what is known of fits that are left as they are, and free their slots."""
        if len(left) == 0:
            return
        fits = self.fit[left]
        best = solutions.popt[fits].copy()
        self.release(left, solutions)
        solutions.popt[fits] = best


def run_slots(
    slots: Slots,
    values_of: Values,
    slopes_of: Slopes,
    solutions: Solutions,
    interrupt: NDArray[np.intc],
    is_over: Callable[[NDArray[np.intp]], NDArray[np.bool_]] | None = None,
) -> None:
    """Evaluate what the fits ask for until all have ended, or those for which `is_over` says so have to."""
    while len(which := slots.refill()) and not interrupt[0]:
        fits, points = slots.fit[which], slots.points[which]
        values = values_of(fits, points)
        tasks = slots.take_values(which, values)
        accepted = tasks == JACOBIAN
        if accepted.any():
            solutions.popt[fits[accepted]] = points[accepted]  # the best so far
        if is_over is not None:
            over = (tasks != DONE) & is_over(fits)
            slots.leave(which[over], solutions)
            solutions.status[fits[over]] = MAXFEV
            accepted &= ~over
        if accepted.any():
            slopes, steps = slopes_of(fits[accepted], points[accepted], values[accepted])
            tasks[accepted] = slots.take_slopes(which[accepted], values[accepted], slopes, steps)
        slots.release(which[tasks == DONE], solutions)
    slots.leave((slots.fit >= 0).nonzero()[0].astype(np.intc), solutions)
