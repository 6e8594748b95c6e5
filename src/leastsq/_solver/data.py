"""Data to fit: checked, freed of missing points, and weighted."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .._input.missing import missing_in, plain_array, points_first, take_points
from .._input.validate import (
    FLOAT64,
    MOST_DATA,
    FloatArray,
    as_array,
    real_array,
    refuse_not_finite,
    refuse_other,
    refuse_unreal,
)
from . import kernel

# Below this the reciprocal overflows.
_LEAST_SIGMA = 1 / np.finfo(np.float64).max


class Data(NamedTuple):
    """Predictors as the model gets them, observations in one dimension, and what makes residuals comparable."""

    x: Any
    y: FloatArray
    # Reciprocal standard deviations, or the inverse Cholesky factor of a covariance matrix.
    weights: FloatArray | None
    # Whether it is known that no weight is zero.
    whole: bool = False

    def whiten(self, residuals: FloatArray) -> FloatArray:
        """Weight residuals to unit variance."""
        if self.weights is None:
            return residuals
        if self.weights.ndim == 2:
            return self.weights @ residuals
        return residuals * self.weights if self.whole else weighted(residuals, self.weights)

    def first(self) -> float:
        """Return the first observation that counts."""
        if self.whole or self.weights is None or self.weights.ndim != 1:
            return float(self.y[0])
        return float(self.y[int(np.argmax(self.weights != 0))])

    def points(self, m: int) -> int:
        """Return how many of `m` residuals have any weight."""
        if self.whole or self.weights is None or self.weights.ndim != 1:
            return m
        return int(np.count_nonzero(self.weights))

    def whiten_jacobian(self, jacobian: FloatArray, col_deriv: bool) -> FloatArray:
        """Weight a Jacobian as the residuals are."""
        weights = self.weights
        if weights is None:
            return jacobian
        if weights.ndim == 2:
            return jacobian @ weights.T if col_deriv else weights @ jacobian
        return weighted(jacobian, weights if col_deriv or weights.ndim == 0 else weights[:, None])


def weighted(values: FloatArray, weights: FloatArray) -> FloatArray:
    """Return values times weights; what has no weight is not looked at."""
    if weights.all():
        return values * weights
    with np.errstate(invalid="ignore"):
        product = values * weights
    return np.where(weights == 0, 0.0, product)


def that_count(y: FloatArray, weights: FloatArray | None) -> FloatArray:
    """Return observations, NaN where one has no weight: guesses, like fits, leave it out."""
    if weights is None or np.count_nonzero(weights) == weights.size:
        return y
    return np.where(weights == 0, np.nan, y)


def prepare(x: Any, y: Any, sigma: Any, check_finite: bool | None, nan_policy: str | None) -> Data:
    """Check and weight the data of a fit; leave out missing points if `nan_policy` says so."""
    if isinstance(nan_policy, str) and nan_policy == "propagate":
        raise ValueError("`nan_policy='propagate'` is not supported by this function.")
    if nan_policy is not None:
        refuse_other(nan_policy, "nan_policy", (None, "raise", "omit"))
    if check_finite is None:
        check_finite = nan_policy is None
    y = as_numbers(y, "ydata")
    y = y if y.ndim else y.reshape(1)
    if isinstance(x, (list, tuple, np.ndarray)):
        x = as_numbers(x, "xdata")
    if y.size == 0:
        raise ValueError("`ydata` must not be empty!")
    if sigma is not None:
        sigma = as_numbers(sigma, "sigma")
        if sigma.shape == y.shape:
            sigma = sigma.ravel()
    ordinary = kernel.all_below(y, MOST_DATA)
    if check_finite:
        _refuse_infinite(x, y, ordinary)
    elif nan_policy is not None:
        x, y, sigma = without_missing(x, y, sigma, nan_policy)
    y = real_array(y.ravel(), "ydata")
    weights = None if sigma is None else _weights(sigma, y.size)
    if not ordinary:
        _refuse_huge(y, weights)
    whole = weights is None or weights.ndim == 2 or np.count_nonzero(weights) == weights.size
    return Data(x, y, weights, whole)


def _refuse_infinite(x: Any, y: FloatArray, ordinary: bool) -> None:
    """Raise where data are not finite, looking at observations that are not known to be `ordinary`, and at arrays."""
    if not ordinary:
        refuse_not_finite(y, "ydata")
    if isinstance(x, np.ndarray) and not kernel.all_below(x, np.inf):
        refuse_not_finite(x, "xdata")


def _refuse_huge(y: FloatArray, weights: FloatArray | None) -> None:
    """Raise where data are too large for norms and derivatives to be numbers."""
    huge = np.abs(y) > MOST_DATA
    if weights is not None and weights.ndim == 1:
        huge &= weights != 0
    if huge.any():
        first = int(np.argmax(huge))
        raise ValueError(
            f"ydata: {int(huge.sum())} of {y.size} values are beyond {MOST_DATA:g}, the first at index [{first}] "
            f"({y[first]}). Leave out nodata values, or make their sigma infinite; scale data that are so large"
        )


def as_numbers(value: Any, name: str) -> FloatArray:
    """Return an array of float64, with NaN where a mask says that a value is missing."""
    if type(value) is np.ndarray and value.dtype is FLOAT64:
        return value
    if isinstance(value, np.ma.MaskedArray):
        value = np.ma.filled(value.astype(np.float64), np.nan)
    array = as_array(value, name)
    if array.dtype.kind == "O":
        array = plain_array(value)
    if array.dtype.kind in "cmM":
        refuse_unreal(array.dtype, name)
    if array.dtype.kind in "fiub":
        return real_array(array, name)
    try:
        numbers: FloatArray = array.astype(np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise TypeError(f"{name}: expected real numbers, got {array.dtype} ({error})") from error
    return numbers


def without_missing(x: Any, y: FloatArray, sigma: Any, nan_policy: str) -> tuple[Any, FloatArray, Any]:
    """Leave out the points where `y` or any predictor is missing, or refuse them."""
    if np.ndim(x) and np.shape(x)[-1] == y.size != y.shape[-1]:  # a column beside a row of predictors
        y = y.ravel()
    missing = np.isnan(y)
    if hasattr(x, "__array__"):
        in_x = missing_in(plain_array(x))
        in_x = in_x.T if points_first(x) else in_x
        leading = in_x.ndim - y.ndim
        if leading < 0 or in_x.shape[leading:] != y.shape:
            if not (missing.any() or in_x.any()):
                return x, y, sigma
            raise ValueError(
                f"with nan_policy={nan_policy!r}, the last axes of xdata must be those of ydata: got shapes "
                f"{np.shape(x)} and {y.shape}. Transpose xdata, or leave the points out beforehand"
            )
        missing = missing | in_x.any(axis=tuple(range(leading)))
    if not missing.any():
        return x, y, sigma
    if nan_policy == "raise":
        raise ValueError(f"The input contains nan values: {np.count_nonzero(missing)} of {missing.size} points")
    keep = ~missing
    kept = keep.ravel()
    if not kept.any():
        raise ValueError("no points are left once those with nan are omitted")
    if sigma is not None and sigma.ndim == 1 and sigma.size == kept.size:
        sigma = sigma[kept]
    elif sigma is not None and sigma.shape == (kept.size, kept.size):
        sigma = sigma[np.ix_(kept, kept)]
    return take_points(x, keep) if hasattr(x, "__array__") else x, y[keep], sigma


def _weights(sigma: FloatArray, m: int) -> FloatArray:
    """Return what to multiply residuals with: 1/sigma, or L⁻¹ where L Lᵀ is the covariance matrix."""
    if sigma.shape == (m, m) and m > 1:
        return _inverse_factor(sigma)
    if sigma.size != 1 and sigma.shape != (m,):
        raise ValueError(
            f"`sigma` has incorrect shape: got {sigma.shape}, expected a number, ({m},) standard deviations or "
            f"an ({m}, {m}) covariance matrix"
        )
    usable = sigma >= _LEAST_SIGMA
    if np.count_nonzero(usable) < sigma.size:
        bad = np.flatnonzero(~usable)
        raise ValueError(
            f"`sigma` must be positive: {bad.size} of {sigma.size} standard deviations are not, the first at index "
            f"{bad[0]} ({sigma.ravel()[bad[0]]}). To leave out a point, make its sigma infinite"
        )
    weights = np.reciprocal(sigma.reshape(()) if sigma.size == 1 else sigma)
    if not np.count_nonzero(weights):
        raise ValueError("`sigma` is infinite throughout, which leaves no point to fit")
    return weights


def _inverse_factor(covariance: FloatArray) -> FloatArray:
    """Return L⁻¹ for a covariance matrix L Lᵀ."""
    refuse_not_finite(covariance, "sigma")
    if not np.allclose(covariance, covariance.T, rtol=1e-8, atol=1e-12 * float(np.abs(covariance).max())):
        raise ValueError("`sigma` must be a symmetric matrix to be the covariance of the observations")
    try:
        factor = np.linalg.cholesky(covariance)
    except np.linalg.LinAlgError as error:
        raise ValueError("`sigma` must be positive definite.") from error
    inverse: FloatArray = np.linalg.inv(factor)
    return inverse


def residual_function(f: Callable[..., Any], data: Data, copies: bool = False) -> Callable[[FloatArray], Any]:
    """Return the weighted residuals as a function of the parameters, evaluated with `copies` of the predictors or not.

    Models that return float64 arrays like the data, as most do, are compared with them in compiled code.
    """
    x, y, weights, whole = data

    def finish(values: Any) -> Any:
        flat = as_array(values, "f").ravel()
        try:
            return data.whiten(flat - y)
        except (TypeError, ValueError):
            _refuse_other_size(values, y.size)
            raise

    if weights is None or (weights.ndim == 1 and (whole or weights.all())):
        return kernel.residual_function(f, x, copies, y, weights, finish)
    if weights.ndim == 0:
        return kernel.residual_function(f, x, copies, y, np.full(y.size, weights), finish)
    model = kernel.with_data(f, x, copies)
    return lambda parameters: finish(model(parameters))


def _refuse_other_size(values: Any, m: int) -> None:
    """Raise where a model returned other than one value for each point."""
    size = real_array(values, "f").size
    if size != m:
        raise ValueError(f"f returned {size} values for {m} data points")
