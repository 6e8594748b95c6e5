"""Many fits of a NumPy function that broadcasts: one call evaluates it for all fits under way.

The compiled iteration is that of single fits, step by step and to the last bit; this module evaluates, and keeps as
many fits under way as make a call worth while.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import _kernel
from ._block import Block, as_argument
from ._fit_singly import remake_poor_steps
from ._kernel import DONE, JACOBIAN, MOST_ROWS, TO_FIT
from ._problem import Problem
from ._solution import Solutions, empty_solutions
from ._validate import FloatArray, real_array, with_parameter_axis

# Points evaluated in one call: few enough for the arrays of an expression to stay in the cache.
_POINTS_UNDER_WAY = 2**15


class _Slots:
    """The fits under way: the data and the state of each."""

    def __init__(self, block: Block, problem: Problem) -> None:
        count, m = block.y.shape
        n = block.p0.shape[1]
        capacity = max(1, min(count, _POINTS_UNDER_WAY // max(m, 1)))
        self.block = block
        self.options = problem.options.packed()
        self.scaled, self.diag = problem.options.scaling(np.ones(n))
        self.queue = np.flatnonzero(block.status == TO_FIT)
        self.fit = np.full(capacity, -1)
        self.x = tuple(x if len(x) == 1 else np.zeros((capacity, m)) for x in block.x)
        self.y = np.zeros((capacity, m))
        self.weights = block.weights if len(block.weights) < 2 else np.zeros((capacity, m))
        self.states = np.zeros((capacity, _kernel.slot_size(m, n, 0)))
        self.points = np.zeros((capacity, n))
        self.work = np.empty((min(m, MOST_ROWS) + n) * (n + 1) + m)

    def refill(self) -> NDArray[np.intc]:
        """Put waiting fits where others have ended, once there are enough, and return the slots in use."""
        free = np.flatnonzero(self.fit < 0)
        if len(self.queue) and 4 * len(free) >= len(self.fit):
            free = free[: len(self.queue)]
            fits, self.queue = self.queue[: len(free)], self.queue[len(free) :]
            self.fit[free] = fits
            self.y[free] = self.block.y[fits]
            for held, x in zip(self.x, self.block.x, strict=True):
                if len(x) > 1:
                    held[free] = x[fits]
            if len(self.block.weights) > 1:
                self.weights[free] = self.block.weights[fits]
            no_bounds = np.empty((0, self.points.shape[1]))
            _kernel.open_slots(
                self.y.shape[1],
                free.astype(np.intc),
                self.block.p0[fits],
                self.options,
                self.scaled,
                self.diag,
                no_bounds,
                no_bounds.ravel(),
                self.states,
                self.points,
            )
        return np.flatnonzero(self.fit >= 0).astype(np.intc)

    def predictors(self, which: NDArray[np.intc]) -> tuple[FloatArray, ...]:
        """Return the predictors of some fits."""
        whole = len(which) == len(self.fit)
        return tuple(x[0] if len(x) == 1 else x if whole else x[which] for x in self.x)

    def take_values(self, which: NDArray[np.intc], values: FloatArray) -> NDArray[np.intc]:
        """Hand in the values at the points of some fits, and return what each wants next."""
        tasks = np.empty(len(which), dtype=np.intc)
        _kernel.take_block(which, values, self.y, self.weights, self.states, self.points, tasks, self.work)
        return tasks

    def take_slopes(
        self, which: NDArray[np.intc], values: FloatArray, slopes: FloatArray, steps: FloatArray | None
    ) -> NDArray[np.intc]:
        """Hand in derivatives (fits, M, N), or values a step further (N, fits, M), and return what each wants next."""
        tasks = np.empty(len(which), dtype=np.intc)
        count, m = values.shape
        n = self.points.shape[1]
        row, fit, column = (n, m * n, 1) if steps is None else (1, m, count * m)
        _kernel.take_block_slopes(
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
        _kernel.read_slots(self.y.shape[1], ended, self.states, triangle, fnorm, nfev, status)
        fits = self.fit[ended]
        solutions.popt[fits], solutions.triangle[fits], solutions.fnorm[fits] = self.points[ended], triangle, fnorm
        solutions.nfev[fits], solutions.status[fits] = nfev, status
        self.fit[ended] = -1


def fit_vectorized(problem: Problem, block: Block, interrupt: NDArray[np.intc]) -> Solutions:
    """Fit a function that broadcasts to the data sets of a block."""
    f, jac, epsfcn = problem.f, problem.jac, problem.options.epsfcn
    solutions = empty_solutions(block)
    m = block.y.shape[1]
    slots = _Slots(block, problem)
    while len(which := slots.refill()) and not interrupt[0]:
        x, points = slots.predictors(which), slots.points[which]
        values = values_of(f, x, points, m)
        tasks = slots.take_values(which, values)
        accepted = tasks == JACOBIAN
        if accepted.any():
            if not accepted.all():
                values, points = values[accepted], points[accepted]
                x = slots.predictors(which[accepted])
            steps = None if jac is not None else difference_steps(points, epsfcn)
            slopes = _shifted_values(f, x, points, steps, m) if jac is None else slopes_of(jac, x, points, m)
            tasks[accepted] = slots.take_slopes(which[accepted], values, slopes, steps)
        slots.release(which[tasks == DONE], solutions)
    if jac is None:
        remake_poor_steps(problem, block, interrupt, solutions)
    return solutions


def values_of(f: Callable[..., Any], x: Any, points: FloatArray, m: int) -> FloatArray:
    """Evaluate a function for all rows of parameters at once, shape (rows, M)."""
    return _shaped(f(as_argument(x), *_columns(points)), (len(points), m), "f").copy()  # which f may use again


def slopes_of(jac: Callable[..., Any], x: Any, points: FloatArray, m: int) -> FloatArray:
    """Evaluate derivatives for all rows of parameters at once, shape (rows, M, N)."""
    shape = (len(points), m, points.shape[1])
    slopes = with_parameter_axis(real_array(jac(as_argument(x), *_columns(points)), "jac"), shape)
    return _shaped(slopes, shape, "jac")


def _columns(points: FloatArray) -> FloatArray:
    """Return each parameter as a column of its own, which a function may do with as it likes."""
    return np.array(points.T)[:, :, None]


def _shaped(values: Any, shape: tuple[int, ...], name: str) -> FloatArray:
    found = real_array(values, name)
    if found.shape == shape:
        return found
    try:
        return np.ascontiguousarray(np.broadcast_to(found, shape))
    except ValueError:
        raise ValueError(
            f"{name} returned an array of shape {found.shape} for {shape[0]} fits at once, expected {shape}. "
            f"vectorized=False fits any function, one data set at a time"
        ) from None


def difference_steps(
    points: FloatArray, epsfcn: float | None, bounds: tuple[FloatArray, FloatArray] | None = None
) -> FloatArray:
    """Return the steps of forward differences: relative to each parameter, absolute at zero.

    Within `bounds` that broadcast with `points`, a step that leaves the box goes backwards, or else to the farther
    bound; as in minpack/active.f90. It is 0 where a parameter is fixed, and nothing is to be evaluated.
    """
    relative = math.sqrt(max(epsfcn or 0.0, float(np.finfo(np.float64).eps)))
    steps: FloatArray = relative * np.abs(points)
    steps[steps == 0] = relative
    return steps if bounds is None else _steps_in_box(points, steps, *bounds)


def _steps_in_box(points: FloatArray, steps: FloatArray, lower: FloatArray, upper: FloatArray) -> FloatArray:
    """Turn or cut steps that leave the box."""
    up, down = upper - points, lower - points
    inside: FloatArray = np.where(up >= -down, up, down)
    inside = np.where(points - steps < lower, inside, -steps)
    inside = np.where(points + steps > upper, inside, steps)
    return np.where(lower == upper, 0.0, inside)


def _shifted_values(f: Callable[..., Any], x: Any, points: FloatArray, steps: Any, m: int) -> FloatArray:
    """Evaluate a function a step further in each parameter, shape (N, rows, M)."""
    n = points.shape[1]
    shifted = np.empty((n, len(points), m))
    for j in range(n):
        columns = _columns(points)
        columns[j] += steps[:, j, None]
        shifted[j] = _shaped(f(as_argument(x), *columns), shifted.shape[1:], "f")
    return shifted
