"""Values of the model at the parameters found, and how far they can be trusted."""

from __future__ import annotations  # so that help() shows types by their names

import math
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np

from .._input.pieces import MOST_POINTS, present_numbers
from .._input.validate import NO_VALUE, FloatArray, with_parameter_axis
from .._models.complex import ComplexParts, both_parts, in_turn, together
from .._models.model import Model
from .delta import differences, variances
from .intervals import half_widths, needed_pcov
from .student import checked_level, quantiles

if TYPE_CHECKING:
    from .result import ManyFits

Predictors = tuple[FloatArray, ...]


@overload
def predict(
    self: ManyFits, x: Any, *, return_std: Literal[False] = ..., interval: None = ..., level: float = ...
) -> FloatArray: ...
@overload
def predict(
    self: ManyFits[FloatArray], x: Any, *, return_std: Literal[True], interval: None = ..., level: float = ...
) -> tuple[FloatArray, FloatArray]: ...
@overload
def predict(
    self: ManyFits[FloatArray],
    x: Any,
    *,
    return_std: Literal[False] = ...,
    interval: Literal["confidence", "prediction"],
    level: float = ...,
    sigma: Any = ...,
) -> tuple[FloatArray, FloatArray, FloatArray]: ...
def predict(
    self: ManyFits,
    x: Any,
    *,
    return_std: bool = False,
    interval: Literal["confidence", "prediction"] | None = None,
    level: float = 0.95,
    sigma: Any = None,
) -> Any:
    """Evaluate the model with the parameters of every fit, with errors if asked for.

    Parameters
    ----------
    x : array_like, or tuple of array_like for several predictors
        Predictors: shape (P,), shared by all fits, or broadcastable to L + (P,).
    return_std : bool, default False
        Whether to return the standard errors of the values as well.
    interval : {"confidence", "prediction"}, optional
        Whether to return an interval for each value: of the curve itself, or of a further observation at `x`, which
        scatters about it.
    level : float, default 0.95
        The probability that an interval holds, point by point.
    sigma : array_like, optional
        For "prediction", the standard deviation of the further observations, as ``sigma`` of the fits; broadcastable to
        L + (P,). Needed where the fits had one.

    Returns
    -------
    values : ndarray of shape L + (P,)
        The values; NaN where the model has none, or raises, for models that are called for one fit at a time. Of
        complex data, these and their errors and bounds are complex, with those of each part in it.
    std : ndarray of shape L + (P,)
        With `return_std`: standard errors by the delta method. They are NaN for fits without success, and inf where
        the value depends on a parameter that the data leave open.
    lower, upper : ndarray of shape L + (P,)
        With `interval`: its bounds, ``values -+ t * std``, where t is as for `conf_interval` and, for "prediction", the
        variance of an observation is added to that of the value [1]_.

    References
    ----------
    .. [1] G. A. F. Seber, C. J. Wild, "Nonlinear Regression", Wiley, 1989, section 5.1.

    Examples
    --------
    >>> import numpy as np
    >>> from leastsq import curve_fit_many, models
    >>> t = np.linspace(0, 5, 30)
    >>> fits = curve_fit_many(models.exponential, t, models.exponential(t, 2.0, 0.5, 0.1) + 0.01 * np.cos(9 * t))
    >>> values, std = fits.predict([0.0, 10.0], return_std=True)
    >>> bool(std[1] > std[0])
    True
    >>> values, lower, upper = fits.predict(t, interval="prediction")
    >>> bool((lower < values).all() and (values < upper).all())
    True
    """
    if interval not in (None, "confidence", "prediction"):
        raise ValueError(f"interval must be 'confidence' or 'prediction', got {interval!r}")
    if return_std and interval is not None:
        raise ValueError("return_std and interval are two ways to ask for errors: choose one")
    checked_level(level)
    if sigma is not None and interval != "prediction":
        raise ValueError("sigma is for interval='prediction', the scatter of a further observation")
    f = self.problem.f
    given = f.separated(x) if isinstance(f, Model) else x if isinstance(x, tuple) else (x,)
    predictors = tuple(present_numbers(p, "x") for p in given)
    if not isinstance(f, ComplexParts):
        return _predicted(self, predictors, return_std, interval, level, sigma)
    if sigma is not None:
        sigma = in_turn(np.asarray(sigma)) if np.iscomplexobj(sigma) else np.repeat(np.atleast_1d(sigma), 2, axis=-1)
    found = _predicted(self, both_parts(predictors), return_std, interval, level, sigma)
    return tuple(map(together, found)) if isinstance(found, tuple) else together(found)


def _predicted(
    self: ManyFits, predictors: Predictors, return_std: bool, interval: str | None, level: float, sigma: Any
) -> Any:
    """Evaluate the model, with errors if asked for; the arguments have been checked."""
    values = evaluate(self, predictors, self.popt)
    if not return_std and interval is None:
        return values
    quantile = None if interval is None else quantiles(level, self.dof, self.problem.absolute_sigma)[..., None]
    variance = _variances(self, predictors, values.shape)
    if quantile is None:
        return values, np.sqrt(variance)
    if interval == "prediction":
        variance = variance + _scatter(self, sigma)
    reach = half_widths(np.sqrt(variance), quantile)
    return values, values - reach, values + reach


def evaluate(fits: ManyFits, predictors: Predictors, popt: FloatArray) -> FloatArray:
    """Return the values of the model with such parameters, shape L + (P,)."""
    x = predictors if len(predictors) > 1 else predictors[0]
    points = np.broadcast_shapes(*(p.shape for p in predictors), (1,))
    shape = np.broadcast_shapes(points, (*popt.shape[:-1], 1))
    with np.errstate(all="ignore"):
        if not fits.problem.vectorized:
            return _singly(fits, predictors, popt, shape)
        values = fits.problem.f(x, *(popt[..., j, None] for j in range(popt.shape[-1])))
        return np.array(np.broadcast_to(values, shape), dtype=np.float64)


def _singly(fits: ManyFits, predictors: Predictors, popt: FloatArray, shape: tuple[int, ...]) -> FloatArray:
    rows = [np.broadcast_to(p, shape) for p in predictors]
    popt = np.broadcast_to(popt, (*shape[:-1], popt.shape[-1]))
    values = np.empty(shape)
    for index in np.ndindex(shape[:-1]):
        own = tuple(row[index] for row in rows)
        try:
            values[index] = fits.problem.f(own if len(own) > 1 else own[0], *popt[index])
        except NO_VALUE:
            values[index] = np.nan
    return values


def _variances(fits: ManyFits, predictors: Predictors, shape: tuple[int, ...]) -> FloatArray:
    """Return variances of the values of the model, some fits at a time, because derivatives take N times the room."""
    n, lead, points = len(fits.param_names), shape[:-1], shape[-1]
    pcov = needed_pcov(fits, "an error of predictions")
    count = math.prod(lead)
    flat = [
        (np.broadcast_to(a, (*lead, *a.shape[a.ndim - k :])).reshape(count, *a.shape[a.ndim - k :]))
        for a, k in ((fits.popt, 1), (fits.stderr, 1), (fits.active_mask, 1), (pcov, 2))
    ]
    shared = all(math.prod(p.shape[:-1]) == 1 for p in predictors)
    if shared:
        rows = [np.broadcast_to(p.reshape(p.shape[-1:]), (points,)) for p in predictors]
    else:
        rows = [np.broadcast_to(p, shape).reshape(count, points) for p in predictors]
    found = np.empty((count, points))
    size = max(1, MOST_POINTS // max(points * n, 1))
    for start in range(0, count, size):
        which = slice(start, start + size)
        popt, stderr, active, matrices = (array[which] for array in flat)
        own = tuple(row if shared else row[which] for row in rows)
        found[which] = variances(_slopes(fits, own, popt, stderr, active), matrices)
    return found.reshape(shape)


def _slopes(fits: ManyFits, predictors: Predictors, popt: FloatArray, stderr: FloatArray, active: Any) -> FloatArray:
    """Return derivatives of the model by its parameters, shape (fits, P, N)."""
    n = popt.shape[-1]
    with np.errstate(all="ignore"):
        if fits.problem.jac is not None and fits.problem.vectorized:
            x = predictors if len(predictors) > 1 else predictors[0]
            shape = (len(popt), predictors[0].shape[-1], n)
            slopes = np.asarray(fits.problem.jac(x, *(popt[..., j, None] for j in range(n))), dtype=np.float64)
            return np.broadcast_to(with_parameter_axis(slopes, shape), shape)
        return np.stack(differences(lambda p: evaluate(fits, predictors, p), popt, stderr, active), axis=-1)


def _scatter(fits: ManyFits, sigma: Any) -> FloatArray:
    """Return the variance of a further observation of each fit."""
    if sigma is None and (fits.problem.weighted or fits.problem.absolute_sigma):
        raise ValueError(
            "sigma is missing: the fits had one, so that the scatter of a further observation follows from its own"
        )
    deviation = np.ones(()) if sigma is None else present_numbers(sigma, "sigma")
    if not (deviation > 0).all():
        raise ValueError("sigma: expected standard deviations above zero")
    own = 1.0 if fits.problem.absolute_sigma else fits.redchi[..., None]
    scatter: FloatArray = deviation**2 * own
    return scatter
