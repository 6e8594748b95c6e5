"""Complex data: real and imaginary parts, in turn, are observations of their own.

An array of complex numbers seen as one of real numbers is just that, so that nothing is copied. Where data sets are
fitted side by side, each point is two rows: the same predictors, and a further one that says which part is observed. So
rows may be left out, sorted and filled up as any others.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._input.pieces import arrange, fit_axes, is_dask, move, real_numbers
from .._input.validate import FloatArray, as_array, refuse_not_finite
from .._solver.data import as_numbers, without_missing
from .model import Model


@dataclass(frozen=True)
class ComplexFunction:
    """A function of complex values, whose parts it returns in turn: real, imaginary, real, ..."""

    function: Callable[..., Any]
    #: How many complex values there are, of which a function that is constant returns one.
    m: int

    @property
    def __signature__(self) -> inspect.Signature:
        return inspect.signature(self.function)

    def __call__(self, x: Any, *parameters: Any) -> Any:
        """Return the parts, shape (2 M,)."""
        values = complex_values(self.function(x, *parameters), "f").ravel()
        return in_turn(np.repeat(values, self.m) if values.size == 1 else values)


@dataclass(frozen=True)
class ComplexParts:
    """The same for many fits at once: which part is wanted is the last predictor, 0 or 1."""

    function: Callable[..., Any]
    #: Whether these are derivatives by the parameters, which have an axis more.
    derivatives: bool = False

    @property
    def __signature__(self) -> inspect.Signature:
        return inspect.signature(self.function)

    def __call__(self, x: tuple[Any, ...], *parameters: Any) -> Any:
        """Return the parts, shape (..., rows), or (..., rows, N) of derivatives."""
        *predictors, part = x
        whole = _are_pairs(predictors, part)
        step = 2 if whole else 1
        own = [np.ascontiguousarray(p[..., ::step]) for p in predictors]
        received = self.function(own[0] if len(own) == 1 else tuple(own), *parameters)
        values = complex_values(received, "jac" if self.derivatives else "f", self.derivatives)
        points = part.shape[-1] // step
        if self.derivatives:
            values = np.moveaxis(with_axis(values, points, len(parameters)), -1, 0)
        if values.shape[-1:] in ((), (1,)):
            values = np.broadcast_to(values, (*values.shape[:-1], points))
        parts = in_turn(values) if whole else np.where(part == 0, values.real, values.imag)
        return np.moveaxis(parts, 0, -1) if self.derivatives else parts


class Arguments(NamedTuple):
    """What `curve_fit_many` is given of complex data, as real data."""

    x: tuple[FloatArray, ...]
    y: FloatArray
    sigma: FloatArray | None
    axis: int
    groups: Any
    lengths: Any


def is_complex(y: Any) -> bool:
    """Return whether something is an array of complex numbers, or makes one."""
    if type(y) is np.ndarray:
        return bool(y.dtype.kind == "c")
    try:
        return bool(np.iscomplexobj(y))
    except (TypeError, ValueError):
        return False  # others say what is wrong with it


def in_turn(values: Any) -> Any:
    """Return real and imaginary parts in turn along the last axis."""
    if is_dask(values):
        chunks = (*values.chunks[:-1], tuple(2 * size for size in values.chunks[-1]))
        return values.map_blocks(in_turn, dtype=values.real.dtype, chunks=chunks)
    contiguous = np.ascontiguousarray(values)
    return contiguous.view(contiguous.real.dtype)


def together(parts: FloatArray) -> NDArray[np.complex128]:
    """Return the complex numbers whose parts these are."""
    return np.ascontiguousarray(parts).view(np.complex128)


def both_parts(predictors: tuple[FloatArray, ...]) -> tuple[FloatArray, ...]:
    """Return predictors, shape (..., P), for both parts of each point, and which part that is."""
    points = np.broadcast_shapes(*(np.shape(p)[-1:] for p in predictors), (1,))[0]
    pairs = [np.repeat(np.broadcast_to(p, (*np.shape(p)[:-1], points)), 2, axis=-1) for p in predictors]
    return (*pairs, np.tile([0.0, 1.0], points))


def refuse_real(f: Callable[..., Any], jac: Any, loss: Any) -> None:
    """Raise where a function cannot have complex values, or a loss is for real ones."""
    if isinstance(loss, str) and loss == "poisson":
        raise ValueError("ydata: got complex numbers, and loss='poisson' is for counts, which are real")
    if isinstance(f, Model):
        raise TypeError(
            f"ydata: got complex numbers, and {f.__name__} is a compiled model of real values: fit real and imaginary "
            f"parts as two data sets, or the whole with a NumPy function that returns complex numbers"
        )
    if jac == "cs":
        raise ValueError("jac='cs' is for functions of real values: leave it out, or take '3-point'")


def one_complex(
    f: Callable[..., Any],
    jac: Any,
    col_deriv: bool,
    loss: Any,
    data: tuple[Any, Any, Any],
    check_finite: bool | None,
    nan_policy: str | None,
) -> tuple[ComplexFunction, Any, tuple[Any, Any, Any]]:
    """Return a function, its derivatives and data, (x, y, sigma), of one fit, all real and without missing points."""
    refuse_real(f, jac, loss)
    x, y, sigma = data
    z = _filled(y)
    if isinstance(x, (list, tuple, np.ndarray)):
        x = as_numbers(x, "xdata")
    parts = None if sigma is None else _sigma_of_parts(sigma, z)
    if nan_policy is None and check_finite is not False:
        refuse_not_finite(np.where(np.isfinite(z), 0.0, np.nan), "ydata")
    elif nan_policy in ("omit", "raise"):
        points: Any = z
        x, points, kept = without_missing(x, points, np.arange(z.size), nan_policy)
        z = points
        rows = (2 * kept[:, None] + [0, 1]).ravel()
        if parts is not None and parts.ndim:
            parts = parts[rows] if parts.ndim == 1 else parts[np.ix_(rows, rows)]
    z = z.ravel()
    derivatives = _derivatives(jac, col_deriv) if callable(jac) else jac
    return ComplexFunction(f, z.size), derivatives, (x, in_turn(z), parts)


def many_complex(x: Any, y: Any, sigma: Any, axis: Any, groups: Any = None, lengths: Any = None) -> Arguments:
    """Return complex data sets as real ones, fitted along their last axis."""
    z = y.map_blocks(_filled, dtype=np.complex128) if is_dask(y) else _filled(y)
    axes = fit_axes(axis, z.ndim)
    tail = tuple(z.shape[a] for a in axes)

    def laid_out(array: Any, what: str) -> Any:
        own = arrange(array if is_dask(array) else np.asarray(array), axes, tail, what)
        return own.reshape(*own.shape[: own.ndim - len(tail)], -1)

    given = x if isinstance(x, tuple) else (x,)
    names = ["xdata"] if len(given) == 1 else [f"xdata[{i}]" for i in range(len(given))]
    predictors = tuple(laid_out(_real(p, n), n) for p, n in zip(given, names, strict=True))
    moved = move(z, axes)
    y_parts = in_turn(moved.reshape(*moved.shape[: moved.ndim - len(tail)], -1))
    errors = None
    if sigma is not None:
        own = laid_out(sigma if is_complex(sigma) else _real(sigma, "sigma"), "sigma")
        errors = in_turn(own) if own.dtype.kind == "c" else np.repeat(own, 2, axis=-1)
    if groups is not None:
        groups = groups.repeat(2) if hasattr(groups, "repeat") else np.repeat(np.asarray(groups), 2)
    return Arguments(
        both_parts(predictors), y_parts, errors, -1, groups, None if lengths is None else 2 * np.asarray(lengths)
    )


def parts_of(f: Callable[..., Any], jac: Any, p0: Any, loss: Any) -> tuple[Callable[..., Any], Any, Any]:
    """Return a function for many fits, its derivatives and its start for the parts of complex data."""
    refuse_real(f, jac, loss)

    def rule(x: tuple[FloatArray, ...], y: FloatArray) -> Any:
        own = tuple(np.ascontiguousarray(p[..., ::2]) for p in x[:-1])
        return p0(own[0] if len(own) == 1 else own, together(y))

    return (
        ComplexParts(f),
        ComplexParts(jac, derivatives=True) if callable(jac) else jac,
        rule if callable(p0) else p0,
    )


def _real(value: Any, name: str) -> Any:
    """Return an array of real numbers; dask's as it is, once its type has been looked at."""
    array = real_numbers(value, name)
    return value if is_dask(value) else array


def _are_pairs(predictors: list[Any], part: FloatArray) -> bool:
    """Return whether rows are both parts of one point after the other."""
    if part.shape[-1] % 2 or part[..., ::2].any() or not part[..., 1::2].all():
        return False
    return all(np.array_equal(p[..., ::2], p[..., 1::2], equal_nan=True) for p in predictors)


def complex_values(received: Any, name: str, may_be_real: bool = False) -> NDArray[Any]:
    """Return complex numbers, refusing real ones where they are more likely a mistake."""
    values: NDArray[Any] = as_array(received, name)
    if values.dtype.kind == "c":
        return values
    if may_be_real and values.dtype.kind in "fiub":
        return values.astype(np.complex128)
    raise TypeError(
        f"{name} returned {values.dtype} numbers for complex ydata, expected complex ones; add 0j if imaginary parts "
        f"are zero"
    )


def with_axis(slopes: NDArray[Any], points: int, n: int) -> NDArray[Any]:
    """Return derivatives with their axis of parameters, which may be left out if there is one."""
    left_out = n == 1 and slopes.shape[-2:] != (points, 1)
    return slopes[..., None] if left_out else slopes


def _derivatives(jac: Callable[..., Any], col_deriv: bool) -> Callable[..., Any]:
    def parts(x: Any, *parameters: Any) -> Any:
        slopes = complex_values(jac(x, *parameters), "jac", may_be_real=True)
        if col_deriv or slopes.ndim != 2:
            return in_turn(slopes)
        return in_turn(slopes.T).T

    return parts


def _filled(y: Any) -> NDArray[np.complex128]:
    """Return complex numbers with NaN in both parts of what is missing, or masked."""
    values = np.ma.filled(y.astype(np.complex128), np.nan) if isinstance(y, np.ma.MaskedArray) else y
    z = np.atleast_1d(np.asarray(values, dtype=np.complex128))
    missing = np.isnan(z)
    return np.where(missing, complex(np.nan, np.nan), z) if missing.any() else z


def _sigma_of_parts(sigma: Any, z: NDArray[np.complex128]) -> FloatArray:
    """Return the standard deviations of both parts in turn, or their covariance matrix."""
    given = np.asarray(sigma) if is_complex(sigma) else as_numbers(sigma, "sigma")
    if given.shape == (2 * z.size, 2 * z.size) and given.dtype.kind != "c":
        whole: FloatArray = given
        return whole
    if given.size != 1 and given.shape not in (z.shape, (z.size,)):
        raise ValueError(
            f"sigma has shape {given.shape}, expected a number or one for each of the {z.size} complex ydata, real for "
            f"both parts or complex; or the covariance matrix of real and imaginary parts in turn, shape "
            f"{(2 * z.size, 2 * z.size)}"
        )
    flat = np.broadcast_to(given.ravel(), z.size)
    parts: FloatArray = in_turn(flat) if given.dtype.kind == "c" else np.repeat(flat, 2)
    return parts
