"""One fit of a model to data: its residuals and derivatives, weighted, and the iteration that they are for."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from .._engines.iterate import Fit, Names
from .._engines.numerical_jacobian import Differences
from .._engines.single_loss import (
    Kept,
    by_differences,
    fit_own_loss,
    kept_of,
    refuse_negative,
    refuse_no_mean,
    relative_error_at,
)
from .._input.validate import FloatArray, as_array, jacobian_array, real_array, refuse_not_finite, relative_error
from .._models.model import Model
from .._solver.data import Data, residual_function
from .._solver.kernel import with_data
from .._solver.losses import is_counts
from .._solver.problem import Options
from .._verdict.judge import Judged, judge
from .callback import Notify, fit_counts_watched_by, iterate_model_watched_by, watched_by
from .single_start import Beginning, predictor_rows

_NAMES = Names("f", "jac")
# What of the relative error of a function the steps are that its differences take: the square root, or the cube root.
_POWERS = {"2-point": 2, "3-point": 3}


class Single(NamedTuple):
    """A model with its derivatives, and the data it is fitted to."""

    f: Callable[..., Any]
    #: Derivatives as users give them, N by M with `col_deriv`; None for differences.
    jac: Callable[..., Any] | None
    col_deriv: bool
    #: How to take differences, None for those of the iteration, and their relative steps.
    scheme: str | None
    step: FloatArray | None
    data: Data
    begin: Beginning
    options: Options
    residuals: Callable[[FloatArray], Any]

    @property
    def analytic(self) -> bool:
        """Whether the iteration is given Jacobians."""
        return self.jac is not None or self.scheme is not None

    def fit(self, compiled: bool, notify: Notify | None) -> Fit:
        """Fit, in compiled code where the model is `compiled` and weights are of single points, and show each step."""
        data, start, box = self.data, *self.begin
        if is_counts(self.options):
            refuse_negative(data.y)
            refuse_no_mean(self.kept(start), data.y)
        if self.options.rho is not None or (is_counts(self.options) and not compiled):
            return self._fit_by_loss(notify)
        if compiled and isinstance(self.f, Model) and (data.weights is None or data.weights.ndim < 2):
            x, weights = predictor_rows(self.f, data), _weight_of_each(data)
            return iterate_model_watched_by(notify, self.f, x, data.y, weights, start, self.options, bounds=box)
        first, epsfcn = _first_evaluation(self.f, data, start, self.options.epsfcn)
        options = self.options._replace(epsfcn=epsfcn) if epsfcn else self.options
        named: dict[str, Any] = {"names": _NAMES, "predictors": data.x, "bounds": box}
        if self.scheme is not None:
            return self._fit_by_differences(self.scheme, first, options, named, notify)
        jacobian = None if self.jac is None else self._weighted_jacobian(self.jac, first.size)
        return watched_by(notify)(self.residuals, start, (), jacobian, self.col_deriv, options, first, **named)

    def judge(self, fit: Fit, absolute: bool, sandwich: bool = False) -> Judged:
        """Judge a fit that was solved, and go on where it is far from its minimum."""
        jac = self.jac
        rows = None if jac is None else lambda parameters: self._jacobian_rows(jac)(parameters)
        kept = self.kept if is_counts(self.options) else self.residuals
        return judge(fit, self.begin.start, kept, rows, self.data, absolute, self.begin.box, sandwich)

    @property
    def kept(self) -> Callable[[FloatArray], FloatArray]:
        """What the iteration keeps of the model as a function of the parameters."""
        return kept_of(self.f, self.data, self.options)

    def _fit_by_loss(self, notify: Notify | None) -> Fit:
        """Fit counts, or with a loss of the user's."""
        options = relative_error_at(self.f, self.data, self.begin.start, self.options)
        kept = Kept(self.kept, None if self.jac is None else self._jacobian_rows(self.jac), 0)
        if self.scheme is not None:
            kept = by_differences(self.kept, self.scheme, self.step, options, self.begin.box, self.begin.free)
        start, box = self.begin
        if is_counts(options):
            return fit_counts_watched_by(notify, kept, self.data.y, start, options, box)
        return fit_own_loss(kept, start, options, box, self.data.x, partial(watched_by, notify))

    def _weighted_jacobian(self, jac: Callable[..., Any], m: int) -> Callable[[FloatArray], Any]:
        """Return the weighted Jacobian as a function of the parameters."""
        data, col_deriv, n = self.data, self.col_deriv, self.begin.start.size
        derivatives = with_data(jac, data.x, False)
        if data.weights is None:
            return derivatives

        def weighted(parameters: FloatArray) -> FloatArray:
            jacobian, by_columns = jacobian_array(derivatives(parameters), m, n, col_deriv, _NAMES.dfun)
            whitened = data.whiten_jacobian(jacobian, by_columns)
            refuse_not_finite(whitened, _NAMES.dfun)
            return whitened if by_columns == col_deriv else whitened.T

        return weighted

    def _jacobian_rows(self, jac: Callable[..., Any]) -> Callable[[FloatArray], FloatArray]:
        """Return the weighted Jacobian as a function of the parameters, M by N."""
        m, n = self.data.y.size, self.begin.start.size
        weighted = self._weighted_jacobian(jac, m)

        def rows(parameters: FloatArray) -> FloatArray:
            jacobian, by_columns = jacobian_array(weighted(parameters), m, n, self.col_deriv, _NAMES.dfun)
            return jacobian.T if by_columns else jacobian

        return rows

    def _fit_by_differences(
        self, scheme: str, first: FloatArray, options: Options, named: dict[str, Any], notify: Notify | None
    ) -> Fit:
        """Fit with differences that the iteration cannot take by itself; their evaluations are counted."""
        data, start, box = self.data, *self.begin

        def residuals(parameters: FloatArray) -> Any:
            values = as_array(self.f(data.x, *parameters), "f")
            if values.dtype.kind != "c":  # as complex steps make them
                values = real_array(values, "f")
            return data.whiten(np.ravel(values) - data.y)

        last = [start, first]

        def remembered(parameters: FloatArray) -> FloatArray:
            last[:] = parameters.copy(), np.array(real_array(residuals(parameters), "f"))
            return last[1]

        def jacobian(parameters: FloatArray) -> FloatArray:
            if not np.array_equal(parameters, last[0]):  # which does not happen: derivatives are of the last point
                remembered(parameters)
            return differences.jacobian(parameters, last[1])

        differences = Differences(residuals, scheme, self.step, options.epsfcn or 0.0, box)
        if self.step is not None and scheme in _POWERS:
            options = options._replace(epsfcn=float(self.step.max()) ** _POWERS[scheme])
        fit = watched_by(notify)(remembered, start, (), jacobian, False, options, first, **named)
        return fit._replace(nfev=fit.nfev + fit.njev * differences.evaluations(self.begin.free))


def single(
    f: Callable[..., Any],
    jac: Callable[..., Any] | None,
    col_deriv: bool,
    scheme: tuple[str | None, FloatArray | None],
    data: Data,
    begin: Beginning,
    options: Options,
) -> Single:
    """Return a model and its data, ready to be fitted."""
    return Single(f, jac, col_deriv, *scheme, data, begin, options, residual_function(f, data))


def _weight_of_each(data: Data) -> FloatArray | None:
    """Return a weight for each point, None where there are none."""
    if data.weights is None or data.weights.ndim == 1:
        return data.weights
    return np.full(data.y.size, data.weights)


def _first_evaluation(
    f: Callable[..., Any], data: Data, start: FloatArray, epsfcn: float | None
) -> tuple[FloatArray, float]:
    """Evaluate the residuals at the start, and say what relative error the model has.

    Zero stands for the relative error of double precision. The dtype that tells is the model's own: the residuals
    are double precision because the data are.
    """
    received = f(data.x, *start)
    values = real_array(received, "f")
    m = data.y.size
    if values.size != m and 1 not in (values.size, m):
        raise ValueError(f"f returned {values.size} values for {m} data points; expected one for each")
    if epsfcn is None:
        epsfcn = 0.0 if values is received else relative_error(received)
    return data.whiten(values.ravel() - data.y), epsfcn
