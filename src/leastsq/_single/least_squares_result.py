"""What `least_squares` tells: while it runs, and in the end."""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import numpy as np

from .._input.bounds import Bounds
from .._input.validate import FloatArray
from .._solver.robust import Loss, gauss_newton_rows, rho_of
from .watched import Accepted, Watched

_GRADIENT: Final = 1
_MAX_NFEV: Final = 0
_CALLBACK: Final = -2
_NOT_FINITE: Final = -3
# SciPy's status for MINPACK's exit codes. What is "too small" there is as exact as double precision.
_STATUS: Final = {1: 2, 2: 3, 3: 4, 4: _GRADIENT, 5: _MAX_NFEV, 6: 2, 7: 3, 8: _GRADIENT, 9: _NOT_FINITE}
_MESSAGES: Final = {
    4: "Both `ftol` and `xtol` termination conditions are satisfied.",
    3: "`xtol` termination condition is satisfied.",
    2: "`ftol` termination condition is satisfied.",
    _GRADIENT: "`gtol` termination condition is satisfied.",
    _MAX_NFEV: "The maximum number of function evaluations is exceeded.",
    _CALLBACK: "`callback` raised `StopIteration`.",
    _NOT_FINITE: "Steps shrank away from residuals that are not finite. Try a better start, or bounds.",
}


class LeastSquaresResult(dict[str, Any]):
    """The result of `least_squares`: its items are attributes, too."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"the result has no {name!r}; it has {', '.join(self)}") from None

    __setattr__ = dict.__setitem__
    __delattr__ = dict.__delitem__

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self]

    def __repr__(self) -> str:
        width = max(map(len, self), default=0)
        indent = "\n" + " " * (width + 2)
        with np.printoptions(precision=4, threshold=20, edgeitems=3):
            return "\n".join(f"{name:>{width}}: {str(value).replace(chr(10), indent)}" for name, value in self.items())


class Seen(NamedTuple):
    """What is looked at of a point that the iteration goes on from."""

    x: FloatArray
    cost: float
    gradient: FloatArray
    iterations: int
    evaluations: int
    #: Residuals, where they are in memory.
    arrays: dict[str, FloatArray]


class End(NamedTuple):
    """How a fit ended: MINPACK's exit code, or what the watcher returned, or neither where the limit ended it."""

    info: int | None
    stopped: int | None
    evaluations: int
    jacobians: int | None


class Report:
    """Watches a fit, and describes its end."""

    def __init__(
        self,
        loss: str | Loss,
        f_scale: float,
        bounds: Bounds | None,
        gtol: float,
        notify: Callable[[LeastSquaresResult], Any] | None,
        verbose: int,
    ) -> None:
        if not isinstance(verbose, (int, np.integer)) or verbose not in (0, 1, 2):
            raise ValueError(f"verbose must be 0, 1 or 2, got {verbose!r}")
        self.loss, self.f_scale, self.bounds, self.gtol = loss, f_scale, bounds, gtol
        self.notify = notify
        self.verbose = int(verbose)
        self.shown: Seen | None = None

    def watch(self, point: Accepted, jacobian: FloatArray) -> int | None:
        """Show a point, and say whether the fit ends there."""
        return self.show(self._seen(point, jacobian))

    def show(self, seen: Seen) -> int | None:
        """Show what is to be seen of a point, and say whether the fit ends there."""
        optimality = self.optimality(seen.x, seen.gradient)
        if self.verbose == 2:
            self._print_row(seen, optimality)
        if seen.iterations and self._stopped(seen):
            return _CALLBACK
        self.shown = seen
        return _GRADIENT if optimality < self.gtol else None

    def result(self, fit: Watched, jacobian: FloatArray, nfev: int, njev: int | None) -> LeastSquaresResult:
        """Describe the end."""
        scaled, residuals = jacobian, fit.last.residuals
        if self.loss != "linear":
            scaled = jacobian * gauss_newton_rows(self.loss, residuals, self.f_scale)[0][:, None]
        return self.end(self._seen(fit.last, jacobian), scaled, End(fit.info, fit.stopped, nfev, njev))

    def end(self, seen: Seen, jacobian: FloatArray, end: End) -> LeastSquaresResult:
        """Describe the end, with the Jacobian of rows that are scaled for the loss."""
        status = _MAX_NFEV if end.stopped is None else end.stopped
        if end.info is not None:
            status = _STATUS[end.info]
        optimality = self.optimality(seen.x, seen.gradient)
        is_new = self.shown is None or self.shown.iterations != seen.iterations
        if is_new and end.stopped is None and seen.iterations:
            if self.verbose == 2:
                self._print_row(seen, optimality)
            self._stopped(seen)
        if self.verbose:
            print(f"{_MESSAGES[status]}\nFunction evaluations {end.evaluations}, final cost {seen.cost:.4e}.")
        return LeastSquaresResult(
            message=_MESSAGES[status],
            success=status > 0,
            status=status,
            **seen.arrays,
            x=seen.x,
            cost=seen.cost,
            jac=jacobian,
            grad=seen.gradient,
            optimality=optimality,
            active_mask=np.zeros(seen.x.size, dtype=int) if self.bounds is None else self.bounds.active(seen.x),
            nfev=end.evaluations,
            njev=end.jacobians,
        )

    def _seen(self, point: Accepted, jacobian: FloatArray) -> Seen:
        f = point.residuals
        gradient = self.gradient(f, jacobian)
        return Seen(point.x, self.cost(f), gradient, point.iterations, point.evaluations, {"fun": f})

    def cost(self, f: FloatArray) -> float:
        """Return half the sum of the losses."""
        return 0.5 * self.f_scale**2 * float(np.sum(rho_of(self.loss, f, self.f_scale)[0]))

    def gradient(self, f: FloatArray, jacobian: FloatArray) -> FloatArray:
        """Return the gradient of the cost."""
        slopes = f if self.loss == "linear" else f * rho_of(self.loss, f, self.f_scale)[1]
        gradient: FloatArray = jacobian.T @ slopes
        return gradient

    def optimality(self, x: FloatArray, gradient: FloatArray) -> float:
        """Return the largest entry of the gradient, scaled by the distance to the bound that it points away from.

        Reference: T. F. Coleman, Y. Li, SIAM J. Optim. 6 (1996), pp. 418-445, (2.2).
        """
        scale = np.ones(x.size)
        if self.bounds is not None:
            lower, upper = self.bounds
            scale = np.where((gradient < 0) & (upper < np.inf), upper - x, scale)
            scale = np.where((gradient > 0) & (lower > -np.inf), x - lower, scale)
        return float(np.max(np.abs(scale * gradient)))

    def _stopped(self, seen: Seen) -> bool:
        """Call the callback, and say whether it asks to stop."""
        if self.notify is None:
            return False
        try:
            self.notify(
                LeastSquaresResult(
                    x=seen.x.copy(),
                    **{name: array.copy() for name, array in seen.arrays.items()},
                    cost=seen.cost,
                    nit=seen.iterations,
                    nfev=seen.evaluations,
                )
            )
        except StopIteration:
            return True
        return False

    def _print_row(self, seen: Seen, optimality: float) -> None:
        if self.shown is None:
            print(
                f"{'Iteration':>9} {'Evaluations':>11} {'Cost':>12} {'Reduction':>10} {'Step':>10} {'Optimality':>10}"
            )
        change = ("", "")
        if self.shown is not None:
            step = float(np.linalg.norm(seen.x - self.shown.x))
            change = (f"{self.shown.cost - seen.cost:.2e}", f"{step:.2e}")
        print(
            f"{seen.iterations:>9} {seen.evaluations:>11} {seen.cost:>12.4e} {change[0]:>10} {change[1]:>10} "
            f"{optimality:>10.2e}"
        )
