"""Callbacks: what a user is shown of each step of a fit, and how the fit ends where the user has seen enough.

The fit is the one that nobody watches, to the last bit: the loop is the same, and so are its numbers. What is evaluated
passes through here, and whether an evaluation was a step is seen from the cost, which steps lower and nothing else
changes.
"""

import contextlib
import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from .._engines.iterate import Fit, iterate, iterate_model
from .._engines.single_loss import Kept, fit_counts
from .._input.bounds import Bounds
from .._input.validate import FloatArray
from .._solver import codes, kernel
from .._solver.kernel import DONE, RESIDUALS
from .._solver.losses import final_residuals, is_counts
from .._solver.problem import Options
from .least_squares_result import LeastSquaresResult

Notify = Callable[[LeastSquaresResult], Any]


class _Stopped(Exception):
    """A fit that is to end."""


def checked_callback(callback: Any) -> Notify | None:
    """Return a function that gives a callback what it asks for: everything, or ``x`` alone; None without callback."""
    if callback is None:
        return None
    if not callable(callback):
        raise TypeError(f"callback must be callable, got {type(callback).__name__}")
    try:
        parameters = tuple(inspect.signature(callback).parameters)
    except (TypeError, ValueError):
        parameters = ()
    if parameters == ("intermediate_result",):
        return lambda intermediate_result: callback(intermediate_result=intermediate_result)
    return lambda intermediate_result: callback(intermediate_result.x)


class _Watcher:
    """Sees the evaluations of a fit, and shows those that were steps."""

    def __init__(self, notify: Notify, x0: FloatArray, first: Any, shown: Callable[[Any], Any]) -> None:
        self.notify = notify
        self.state: FloatArray | None = None
        # What was evaluated last, the best point so far, and the square root of its cost.
        self.x, self.f = x0.copy(), first
        self.best = self.x
        self.fnorm: float | None = None
        self.steps = 0
        # Of a model whose fit keeps no residuals.
        self.evaluate: Callable[[FloatArray], FloatArray] | None = None
        # What is shown of what was evaluated.
        self.shown: Callable[[Any], Any] = shown

    def begin(self, state: FloatArray) -> None:
        """Take notice of the packed array of the fit."""
        self.state = state

    def residuals(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function whose evaluations are seen."""

        def watched(x: FloatArray, *args: Any) -> Any:
            self.look()
            self.x = x.copy()
            self.f = func(x, *args)
            return self.f

        return watched

    def jacobian(self, dfun: Callable[..., Any] | None) -> Callable[..., Any] | None:
        """Return the same of a Jacobian, which is evaluated after a step."""
        if dfun is None:
            return None

        def watched(x: FloatArray, *args: Any) -> Any:
            self.look()
            return dfun(x, *args)

        return watched

    def run(
        self,
        step: Callable[[], int],
        point: FloatArray,
        state: FloatArray,
        residuals: Callable[[FloatArray], FloatArray],
    ) -> None:
        """Take the steps of a model that the compiled code evaluates, each at what `point` holds, to the end."""
        self.state, self.evaluate = state, residuals
        task = RESIDUALS
        while task == RESIDUALS:
            self.x, self.f = point.copy(), None
            task = step()
            self.look()
        if task != DONE:
            raise RuntimeError("compiled code refused a fit that had been made ready for it; please report this")

    def look(self) -> None:
        """Show what was evaluated last if it was a step, and end the fit if that is wished."""
        if self.state is None:
            return
        _, nfev, _, _, fnorm = kernel.outcome(self.state)
        if nfev == 0:
            return
        if self.fnorm is None:  # the start
            self.fnorm = fnorm
        elif fnorm < self.fnorm:
            self.fnorm, self.best = fnorm, self.x
            self.steps += 1
            f = self.shown(self.f if self.evaluate is None else self.evaluate(self.x))
            try:
                self.notify(
                    LeastSquaresResult(
                        x=self.x.copy(),
                        fun=np.array(f, dtype=np.float64).ravel(),
                        cost=0.5 * fnorm**2,
                        nit=self.steps,
                        nfev=nfev,
                    )
                )
            except StopIteration:
                raise _Stopped from None

    def stopped(self, m: int, options: Options) -> Fit:
        """Return the fit as it is."""
        if self.state is None:
            raise RuntimeError("a fit ended before it began; please report this")
        _, nfev, njev, _, fnorm = kernel.outcome(self.state)
        return Fit(self.best, codes.CALLBACK, nfev, njev, fnorm, m, options, self.state, self.evaluate)


def watched_by(notify: Notify | None, shown: Callable[[Any], Any] = lambda f: f) -> Callable[..., Fit]:
    """Return `iterate`, or what does the same and shows each step, its residuals as `shown` returns them."""
    return iterate if notify is None else partial(_iterate_watched_by, notify, shown)


def _iterate_watched_by(
    notify: Notify,
    shown: Callable[[Any], Any],
    func: Callable[..., Any],
    x0: FloatArray,
    args: tuple[Any, ...],
    dfun: Callable[..., Any] | None,
    col_deriv: bool,
    options: Options,
    first: Any = None,
    **others: Any,
) -> Fit:
    watcher = _Watcher(notify, x0, first, shown)
    watched, derivatives = watcher.residuals(func), watcher.jacobian(dfun)
    try:
        fit = iterate(watched, x0, args, derivatives, col_deriv, options, first, watch=watcher.begin, **others)
    except _Stopped:
        return watcher.stopped(np.size(watcher.f), options)
    with contextlib.suppress(_Stopped):  # the fit is over
        watcher.look()
    return fit


def iterate_model_watched_by(
    notify: Notify | None,
    model: Any,
    x: FloatArray,
    y: FloatArray,
    weights: FloatArray | None,
    x0: FloatArray,
    options: Options,
    **others: Any,
) -> Fit:
    """Do what `iterate_model` does, and show each step."""
    if notify is None:
        return iterate_model(model, x, y, weights, x0, options, **others)

    def shown(f: FloatArray) -> FloatArray:
        return final_residuals(options, f + y, y) if is_counts(options) else f

    watcher = _Watcher(notify, x0, None, shown)
    try:
        return iterate_model(model, x, y, weights, x0, options, watch=watcher.run, **others)
    except _Stopped:
        return watcher.stopped(y.size, options)


def fit_counts_watched_by(
    notify: Notify | None, kept: Kept, y: FloatArray, start: FloatArray, options: Options, box: Bounds | None
) -> Fit:
    """Do what `fit_counts` does, and show each step, its residuals as roots of the deviances."""
    if notify is None:
        return fit_counts(kept, y, start, options, box)
    watcher = _Watcher(notify, start, None, lambda f: final_residuals(options, f, y))
    seen = Kept(watcher.residuals(kept.values), watcher.jacobian(kept.slopes), kept.evaluations)
    try:
        fit = fit_counts(seen, y, start, options, box, watch=watcher.begin)
    except _Stopped:
        return watcher.stopped(y.size, options)
    with contextlib.suppress(_Stopped):  # the fit is over
        watcher.look()
    return fit
