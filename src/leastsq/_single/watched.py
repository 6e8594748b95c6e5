"""The loop around the compiled iteration where somebody watches: callbacks, gradients, and counts of evaluations."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from .._input.bounds import Bounds
from .._input.validate import MOST_EVALUATIONS, FloatArray
from .._solver import kernel
from .._solver.kernel import BY_CALLER, DONE, JACOBIAN, RESIDUALS
from .._solver.problem import Options
from .._solver.robust import Loss, as_residuals


class Accepted(NamedTuple):
    """A point that the iteration goes on from."""

    x: FloatArray
    residuals: FloatArray
    iterations: int
    evaluations: int


class Watched(NamedTuple):
    """How a watched fit ended."""

    last: Accepted
    #: The Jacobian at the last point, None where it was not taken there.
    jacobian: FloatArray | None
    #: MINPACK's exit code, None where the watcher or the limit ended the fit.
    info: int | None
    #: What the watcher returned to end the fit; None where it did not.
    stopped: int | None
    evaluations: int
    jacobians: int


class Rows(NamedTuple):
    """What the compiled iteration is handed of residuals and their Jacobian."""

    #: A loss of the user's, whose rows are made here; None for those that the compiled code has.
    loss: Loss | None
    f_scale: float
    #: Rows of zeros, so that there are as many as parameters.
    extra: int

    def residuals(self, f: FloatArray) -> FloatArray:
        """Return residuals whose squares add up to the cost."""
        if self.loss is not None:
            f = as_residuals(self.loss, f, self.f_scale)[0]
        return np.concatenate([f, np.zeros(self.extra)]) if self.extra else f

    def jacobian(self, jacobian: FloatArray, f: FloatArray) -> FloatArray:
        """Return their Jacobian."""
        if self.loss is not None:
            jacobian = jacobian * as_residuals(self.loss, f, self.f_scale)[1][:, None]
        if self.extra:
            jacobian = np.concatenate([jacobian, np.zeros((self.extra, jacobian.shape[1]))])
        return np.ascontiguousarray(jacobian)


def iterate_watched(
    residuals: Callable[[FloatArray], FloatArray],
    jacobian: Callable[[FloatArray, FloatArray], FloatArray],
    start: Accepted,
    rows: Rows,
    options: Options,
    bounds: Bounds | None,
    watch: Callable[[Accepted, FloatArray], int | None],
) -> Watched:
    """Minimise the cost of `residuals`, showing each accepted point and its Jacobian to `watch`.

    `watch` sees the start, too, and ends the fit by returning anything but None. `maxfev` of the options is kept to the
    evaluation: no trial point is evaluated beyond it.
    """
    last, evaluations, jacobians = start, start.evaluations, 0
    taken: FloatArray | None = None
    state = kernel.begin(
        start.residuals.size + rows.extra, start.x, BY_CALLER, options._replace(maxfev=MOST_EVALUATIONS), bounds=bounds
    )
    trial, x, f = start.x, start.x.copy(), start.residuals
    task = kernel.take_residuals(state, rows.residuals(f), x)
    while task != DONE:
        if task == JACOBIAN:
            if jacobians:
                last = Accepted(trial, f, last.iterations + 1, evaluations)
            taken = jacobian(last.x, last.residuals)
            jacobians += 1
            stopped = watch(last, taken)
            if stopped is not None:
                return Watched(last, taken, None, stopped, evaluations, jacobians)
            task = kernel.take_jacobian(state, rows.jacobian(taken, f), False, x)
            continue
        if task != RESIDUALS:
            raise RuntimeError("compiled code refused arrays that had been made ready for it; please report this")
        if evaluations >= options.maxfev:
            return Watched(last, taken, None, None, evaluations, jacobians)
        trial = x.copy()
        f = residuals(trial)
        evaluations += 1
        task = kernel.take_residuals(state, rows.residuals(f), x)
    info = int(kernel.outcome(state)[0])
    if jacobians and trial is not last.x and np.array_equal(x, trial):
        last = Accepted(trial, f, last.iterations + 1, evaluations)
        taken = None
    return Watched(last, taken, info, None, evaluations, jacobians)
