"""Every check of what users hand in, made once, at the door."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

FLOAT64 = np.dtype(np.float64)

# Sizes and counts are 32-bit integers inside; sizes leave room for one more block of rows.
MOST_RESIDUALS = 2**31 - 2**16
MOST_EVALUATIONS = 2**31 - 1

# What arrays hold that are not of real numbers, and what to do about it.
_UNREAL = {
    "c": (
        "complex numbers",
        "Fit real and imaginary parts together, one after the other: np.concatenate([z.real, z.imag], axis=-1)",
    ),
    "M": ("dates", "Subtract an origin and divide by a unit: (t - t[0]) / np.timedelta64(1, 's')"),
    "m": ("time differences", "Divide by a unit: t / np.timedelta64(1, 's')"),
}

# Larger data are nodata values, or hide everything else below their rounding.
MOST_DATA = 1e250

# What a function raises where it has no value. Anything else is a mistake in it, and ends the call.
NO_VALUE = (ArithmeticError, ValueError, np.linalg.LinAlgError)


def real_array(value: Any, name: str) -> FloatArray:
    """Return `value` as a C-contiguous float64 array, refusing whatever is not made of real numbers."""
    array = value if type(value) is np.ndarray else as_array(value, name)
    dtype = array.dtype
    if dtype is FLOAT64 and array.flags.c_contiguous and array.flags.aligned:
        return array
    refuse_unreal(dtype, name)
    return array.astype(FLOAT64, order="C")


def refuse_unreal(dtype: np.dtype[Any], name: str) -> None:
    """Raise unless a dtype is of real numbers, saying how to make some."""
    if dtype.kind in "fiub":
        return
    received, advice = _UNREAL.get(dtype.kind, ("an array of dtype", "Convert it to float64"))
    if dtype.kind == "c" and name in ("x0", "p0"):
        advice = "Make real and imaginary parts parameters of their own"
    kind = f"{received} {dtype}" if dtype.kind not in _UNREAL else f"{received} ({dtype})"
    raise TypeError(f"{name}: got {kind}, expected real numbers. {advice}.")


def flag(value: Any, name: str) -> bool:
    """Return an answer that is yes or no, refusing text and whatever else only happens to be true."""
    if value is True or value is False:
        return value
    if isinstance(value, np.bool_) or (isinstance(value, (int, float, np.number)) and value in (0, 1)):
        return bool(value)
    raise TypeError(f"{name} must be True or False, got {value!r}")


def refuse_other(value: Any, name: str, choices: tuple[str | None, ...]) -> None:
    """Raise unless a value is one of some words, or None where that is one of them."""
    if not (value is None or isinstance(value, str)) or value not in choices:
        raise ValueError(f"{name} must be one of {{{', '.join(map(repr, choices))}}}, got {value!r}")


def is_whole(value: Any) -> bool:
    """Return whether a value is a whole number, of Python's or NumPy's, and no answer yes or no."""
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def number_of(value: Any) -> float:
    """Return a number in double precision, infinite where it is too large, NaN for what is none."""
    if isinstance(value, np.ndarray) and value.ndim > 0:
        return math.nan
    try:
        return math.nan if isinstance(value, (str, bytes, np.complexfloating)) else float(value)
    except (TypeError, ValueError):
        return math.nan
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def as_array(value: Any, name: str) -> Any:
    """Return an array of whatever dtype, refusing what is missing, masked or ragged."""
    if value is None:
        hint = " Is a return statement missing?" if name in ("func", "Dfun", "f", "jac") else ""
        raise TypeError(f"{name}: got None, expected real numbers.{hint}")
    if isinstance(value, np.ndarray) and np.ma.is_masked(value):
        masked = np.count_nonzero(np.ma.getmaskarray(value))
        raise ValueError(
            f"{name}: {masked} of {value.size} entries are masked, expected none. Leave the masked points out."
        )
    try:
        return np.asarray(value)
    except ValueError as error:
        if not isinstance(value, (list, tuple)):
            raise
        raise ValueError(f"{name}: expected an array of real numbers, got rows of unequal length ({error})") from error


def callable_argument(value: Any, name: str) -> None:
    """Refuse what cannot be called."""
    if not callable(value):
        raise TypeError(f"{name} must be callable, got {type(value).__name__}")


def residual_array(value: Any, m: int | None, name: str) -> FloatArray:
    """Return residuals as a contiguous, one-dimensional float64 array of the agreed size."""
    residuals = real_array(value, name)
    if residuals.ndim != 1:
        residuals = residuals.reshape(-1)
    if m is not None:
        same_size(residuals, m, name)
    return residuals


def same_size(residuals: NDArray[Any], m: int, name: str) -> None:
    """Raise unless there are as many residuals as at the start."""
    if residuals.size != m:
        raise ValueError(
            f"{name} returned {residuals.size} residuals, but {m} at the starting point; "
            f"the number must not change from call to call. To leave out points, return 0 for them."
        )


def enough_residuals(m: int, n: int, name: str) -> None:
    """Refuse fits with fewer residuals than parameters, or with too many residuals to count."""
    if n <= m <= MOST_RESIDUALS:
        return
    if m > MOST_RESIDUALS:
        raise ValueError(f"{name} returned {m} residuals, expected at most {MOST_RESIDUALS}")
    residuals, hint = "residuals", "Give more data, or fix some of the parameters."
    if m == 1:
        residuals, hint = "residual", "Return the residuals themselves, not the sum of their squares."
    raise TypeError(
        f"Improper input: func input vector length N={n} must not exceed func output vector length M={m}: "
        f"{n} parameters but only {m} {residuals}. {hint}"
    )


def jacobian_array(value: Any, m: int, n: int, col_deriv: bool, name: str) -> tuple[FloatArray, bool]:
    """Return a C-contiguous Jacobian, and whether it is N by M, so that its columns lie together."""
    expected, transposed = ((n, m), (m, n)) if col_deriv else ((m, n), (n, m))
    by_columns_in_memory = type(value) is np.ndarray and value.flags.f_contiguous and value.ndim == 2
    jacobian = real_array(value.T, name).T if by_columns_in_memory else real_array(value, name)
    if n == 1 and jacobian.shape == (m,):
        return jacobian.reshape(1, m), True
    if jacobian.shape != expected:
        hint = f"it is M by N, {m} residuals by {n} parameters"
        if col_deriv:
            hint = f"with col_deriv it is N by M, {n} parameters by {m} residuals"
        if jacobian.shape == transposed:
            hint += f"; it looks transposed: return its transpose, or set col_deriv={not col_deriv}"
        raise TypeError(f"{name} returned an array of shape {jacobian.shape}, expected {expected}: {hint}")
    return (jacobian.T, not col_deriv) if by_columns_in_memory else (jacobian, col_deriv)


def with_parameter_axis(slopes: FloatArray, shape: tuple[int, ...]) -> FloatArray:
    """Return derivatives with the last axis of `shape`, that of the parameters, which may be left out if it is 1."""
    left_out = shape[-1] == 1 and 0 < slopes.ndim < len(shape) and slopes.shape == shape[-1 - slopes.ndim : -1]
    return slopes[..., None] if left_out else slopes


def relative_error(residuals: Any) -> float:
    """Return the spacing at 1 of the numbers the residuals were computed in; 0 stands for double precision."""
    dtype = np.asarray(residuals).dtype
    return float(np.finfo(dtype).eps) if dtype.kind == "f" and dtype is not FLOAT64 else 0.0


def refuse_not_finite(array: FloatArray, name: str, where: str = "") -> None:
    """Raise if an array holds NaN or Inf, saying how many and where the first one is."""
    if math.isfinite(np.vdot(array, array)):
        return
    bad = np.flatnonzero(~np.isfinite(array))
    if bad.size == 0:  # it was the sum of squares that overflowed
        return
    first = np.unravel_index(bad[0], array.shape)
    index = ", ".join(str(int(i)) for i in first)
    advice = "Check the data and the start; leave out points without a value"
    if name in ("xdata", "ydata"):
        advice = "Leave out points without a value; nan_policy='omit' does so where they are NaN"
    raise ValueError(
        f"{name}: {bad.size} of {array.size} values{where} are not finite, the first at index [{index}] "
        f"({array[first]}). {advice}."
    )


def refuse_infinite_predictors(x: Any, values: FloatArray, name: str) -> None:
    """Raise if the values that are not finite, in rows of one or several, are those whose predictors are not."""
    if not isinstance(x, np.ndarray) or x.dtype.kind != "f" or len(values) == 0 or x.size % len(values):
        return
    blamed = np.flatnonzero(~np.isfinite(values.reshape(len(values), -1)).all(axis=1))
    infinite = np.flatnonzero(~np.isfinite(x.reshape(-1, len(values))).all(axis=0))
    if blamed.size and np.isin(blamed, infinite).all():
        raise ValueError(
            f"{name}: {blamed.size} of {len(values)} points have xdata that are not finite, and no value of the model, "
            f"the first at index [{blamed[0]}]. No other start will do: leave these points out, or let the model "
            f"return its limit there"
        )
