"""Every check of what users hand in, made once, at the door."""

import operator
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

FLOAT64 = np.dtype(np.float64)

#: Sizes are 32-bit integers inside, with room for one more block of rows.
MOST_RESIDUALS = 2**31 - 2**16


def real_array(value: Any, name: str) -> FloatArray:
    """Return `value` as a float64 array, refusing whatever is not made of real numbers."""
    if value is None:
        raise TypeError(f"{name}: got None, expected real numbers. Is a return statement missing?")
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        masked = int(np.ma.count_masked(value))
        raise ValueError(
            f"{name}: {masked} of {value.size} entries are masked, expected none. Leave the masked points out."
        )
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{name}: expected an array of real numbers, got rows of unequal length ({error})") from error
    kind = array.dtype.kind
    if kind == "c":
        raise TypeError(
            f"{name}: got complex numbers ({array.dtype}), expected real ones. "
            f"Fit real and imaginary parts together: np.concatenate([z.real, z.imag])."
        )
    if kind not in "fiub":
        raise TypeError(f"{name}: got an array of dtype {array.dtype}, expected real numbers. Convert it to float64.")
    return array.astype(np.float64, order="C", copy=False)


def callable_argument(value: Any, name: str) -> None:
    """Refuse what cannot be called."""
    if not callable(value):
        raise TypeError(f"{name} must be callable, got {type(value).__name__}")


def starting_point(x0: Any) -> FloatArray:
    """Return x0 as a one-dimensional float64 array of its own."""
    point = np.array(real_array(x0, "x0"), order="C").ravel()
    if point.size == 0:
        raise TypeError("x0 is empty: expected at least one parameter to start from")
    refuse_not_finite(point, "x0")
    return point


def tolerance(value: float, name: str) -> float:
    """Return a tolerance that is a number and not negative."""
    number = float(value)
    if not number >= 0:
        raise TypeError(f"{name} must not be negative, got {value!r}; use 0 to switch the test off")
    return number


def step_factor(factor: float) -> float:
    """Return a positive, finite step bound."""
    number = float(factor)
    if not 0 < number < np.inf:
        raise TypeError(f"factor must be a positive number, usually between 0.1 and 100, got {factor!r}")
    return number


def evaluation_limit(maxfev: int | None, default: int) -> int:
    """Return the bound on evaluations; 0 and None mean the default."""
    try:
        number = 0 if maxfev is None else operator.index(maxfev)
    except TypeError:
        number = _whole(maxfev)
    if number < 0:
        raise TypeError(f"maxfev must be a positive count of evaluations, or 0 for the default, got {maxfev!r}")
    return min(number or default, 2**31 - 1)


def _whole(maxfev: Any) -> int:
    if isinstance(maxfev, (float, np.floating)) and float(maxfev).is_integer():
        return int(maxfev)
    raise TypeError(f"maxfev must be a whole number of evaluations, got {maxfev!r}")


def scale_factors(diag: Any, n: int) -> FloatArray | None:
    """Return N positive scale factors, or None where the solver is to choose them."""
    if diag is None:
        return None
    factors = np.array(real_array(diag, "diag"), order="C").ravel()
    if factors.size != n:
        raise TypeError(f"diag: got {factors.size} scale factors, expected one for each of the {n} parameters")
    if not np.all((factors > 0) & (factors < np.inf)):
        raise TypeError(f"diag: scale factors must be positive and finite, got {factors}")
    return factors


def residual_array(value: Any, m: int | None = None) -> FloatArray:
    """Return residuals as a contiguous, writable, one-dimensional float64 array of the agreed size."""
    residuals = real_array(value, "func").ravel()
    if not residuals.flags.writeable:
        residuals = residuals.copy()
    if m is not None and residuals.size != m:
        raise ValueError(
            f"func returned {residuals.size} residuals, but {m} at the starting point; "
            f"the number must not change from call to call. To leave out points, return 0 for them."
        )
    return residuals


def enough_residuals(m: int, n: int) -> None:
    """Refuse fits with fewer residuals than parameters."""
    if m > MOST_RESIDUALS:
        raise ValueError(f"func returned {m} residuals, expected at most {MOST_RESIDUALS}")
    if n > m:
        residuals = "residual" if m == 1 else "residuals"
        raise TypeError(
            f"Improper input: func input vector length N={n} must not exceed func output vector length M={m}: "
            f"{n} parameters but only {m} {residuals}. Give more data, or fix some of the parameters."
        )


def jacobian_array(value: Any, m: int, n: int, col_deriv: bool) -> tuple[FloatArray, bool]:
    """Return a C-contiguous Jacobian, and whether its columns (not its rows) lie together."""
    expected, transposed = ((n, m), (m, n)) if col_deriv else ((m, n), (n, m))
    if type(value) is np.ndarray and value.dtype is FLOAT64 and value.shape == expected and value.flags.c_contiguous:
        return value, col_deriv
    jacobian = real_array(value, "Dfun")
    if n == 1 and jacobian.shape == (m,):
        return np.ascontiguousarray(jacobian), True
    if jacobian.shape != expected:
        hint = f"it is M by N, {m} residuals by {n} parameters"
        if col_deriv:
            hint = f"with col_deriv it is N by M, {n} parameters by {m} residuals"
        if jacobian.shape == transposed:
            hint += f"; it looks transposed: return its transpose, or set col_deriv={not col_deriv}"
        raise TypeError(f"Dfun returned an array of shape {jacobian.shape}, expected {expected}: {hint}")
    if not jacobian.flags.c_contiguous and jacobian.flags.f_contiguous:
        return jacobian.T, not col_deriv
    return np.ascontiguousarray(jacobian), col_deriv


def refuse_not_finite(array: FloatArray, name: str, where: str = "") -> None:
    """Raise if an array holds NaN or Inf, saying how many and where the first one is."""
    bad = np.flatnonzero(~np.isfinite(array))
    if bad.size == 0:
        return
    first = np.unravel_index(bad[0], array.shape)
    index = ", ".join(str(int(i)) for i in first)
    raise ValueError(
        f"{name}: {bad.size} of {array.size} values{where} are not finite, the first at index [{index}] "
        f"({array[first]}). Check the data and the start; leave out points without a value."
    )
