"""Whether a function does for several fits at once what it does for each: tried before it is trusted to."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._input.bounds import Bounds
from .._input.validate import NO_VALUE, FloatArray, as_array, real_array, relative_error, with_parameter_axis
from .._solver.kernel import TO_FIT
from .block import Block, as_argument

_ADVICE = (
    "vectorized=False fits any function, one data set at a time. To keep the speed, write {name} with NumPy "
    "operations that broadcast: x has shape (M,) or (fits, M), each parameter (fits, 1)"
)
# Rounding may differ between a loop over one row and over two; a mistake is larger.
_ROUNDINGS = 1e4


def try_function(f: Callable[..., Any], jac: Callable[..., Any] | None, block: Block, vectorized: bool) -> float:
    """Evaluate a function for the first fits of a block and return its relative error, 0 for double precision.

    With `vectorized`, two fits are evaluated at once and one by one, and must agree.
    """
    rows = (block.status == TO_FIT).nonzero()[0][:2]
    rows = rows if len(rows) > 1 else rows[[0, 0]]
    points = block.p0[rows]
    if not np.count_nonzero(points[0] != points[1]):  # two that are the same would not tell one from the other
        points[1] = _near(points[1], block.box_of(int(rows[1])))
    one_by_one = [_evaluate(f, block, int(row), point, "f") for row, point in zip(rows, points, strict=True)]
    _refuse_other_shape(one_by_one, (block.y.shape[1],), "f")
    slopes = None
    if jac is not None:
        slopes = [_evaluate(jac, block, int(row), point, "jac") for row, point in zip(rows, points, strict=True)]
        _refuse_other_shape(slopes, (block.y.shape[1], points.shape[1]), "jac")
    if vectorized:
        _compare(f, block, rows, points, one_by_one, "f")
        if jac is not None and slopes is not None:
            _compare(jac, block, rows, points, slopes, "jac")
    known = [values for values in one_by_one if values is not None]
    return relative_error(known[0]) if known else 0.0


def _near(point: FloatArray, box: Bounds | None) -> FloatArray:
    """Return another point nearby, which is not outside of the bounds."""
    step = 1e-3 * np.where(point == 0, 1.0, point)
    if box is None:
        return point + step
    other = np.clip(point + step, *box)
    return np.where(other == point, np.clip(point - step, *box), other)


def _evaluate(function: Callable[..., Any], block: Block, row: int, point: FloatArray, name: str) -> Any:
    """Return what a function gives for one fit, None where it raises for want of a value."""
    try:
        values = function(as_argument(block.predictors_of(row)), *point)
    except NO_VALUE:
        return None
    values = values.copy() if real_array(values, name) is values else np.array(as_array(values, name))
    return values if name == "f" else with_parameter_axis(values, (block.y.shape[1], point.size))


def _refuse_other_shape(results: list[Any], wanted: tuple[int, ...], name: str) -> None:
    for values in results:
        if values is None or values.shape == wanted:
            continue
        try:
            np.broadcast_to(values, wanted)
        except ValueError:
            raise ValueError(
                f"{name} returned an array of shape {values.shape} for one fit, expected {wanted}: a value for each "
                f"point" + (" and parameter" if name == "jac" else "")
            ) from None


def _compare(
    function: Callable[..., Any],
    block: Block,
    rows: NDArray[np.intp],
    points: FloatArray,
    one_by_one: list[Any],
    name: str,
) -> None:
    """Raise unless a function gives for two fits at once what it gives one by one."""
    x = as_argument(tuple(x[0] if len(x) == 1 else x[rows] for x in block.x))
    shape = (2, block.y.shape[1]) if name == "f" else (2, block.y.shape[1], points.shape[1])
    try:
        together = function(x, *np.array(points.T)[:, :, None])
        together = real_array(together, name)
        together = together if name == "f" else with_parameter_axis(together, shape)
        together = together if together.shape == shape else np.broadcast_to(together, shape)
    except Exception as error:
        why = str(error) or type(error).__name__
        raise ValueError(f"{name} does not work for several fits at once ({why}). {_advice(block, name)}") from error
    for row, values in zip(together, one_by_one, strict=True):
        if values is None or np.count_nonzero(row == values) == row.size:
            continue
        tolerance = _ROUNDINGS * max(relative_error(values), float(np.finfo(np.float64).eps))
        expected = np.broadcast_to(real_array(values, name), row.shape)
        finite = np.abs(expected[np.isfinite(expected)])
        atol = tolerance * float(finite.max(initial=0.0))
        if not np.allclose(row, expected, rtol=tolerance, atol=atol, equal_nan=True):
            raise ValueError(
                f"{name} gives other values for several fits at once than one by one. {_advice(block, name)}"
            )


def _advice(block: Block, name: str) -> str:
    advice = _ADVICE.format(name=name)
    if len(block.x) == 1 and len(block.x[0]) > 1:
        advice += ". Each fit has a row of xdata here; if its rows are predictors, pass a tuple of them: (x0, x1, ...)"
    return advice
