"""Spots in images, one after the other: in the cell where most is left, and from its surroundings."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._guesses.lines import Indices, unit_of
from .._input.validate import FloatArray
from .sum_terms import curve_of, guess_of, in_order, is_free, median_of

if TYPE_CHECKING:
    from .sums import Factor

# Models with a place in two predictors.
SPOTS = frozenset(("gaussian_2d", "gaussian_2d_elliptic", "gaussian_2d_pixel", "moffat_2d"))
# Points of a cell, whose mean is looked at.
_TOGETHER = 4
# How far a spot is looked at, in half widths at half height.
_WINDOW = 2.0
# The share of the range at each side from which the level is taken.
_BORDER = 1 / 8


def find_spots(spots: list["Factor"], xs: tuple[FloatArray, ...], y: FloatArray) -> dict[int, FloatArray]:
    """Guess spots, and what they stand on: the median along the border."""
    if any(x.ndim == 2 for x in xs):
        # Predictors of each fit's own make cells of its own.
        own = [np.broadcast_to(x, y.shape) for x in xs]
        each = [find_spots(spots, tuple(x[k] for x in own), y[k : k + 1]) for k in range(len(y))]
        return {id(spot): np.concatenate([found[id(spot)] for found in each]) for spot in spots}
    units = [unit_of(x)[0] for x in xs]
    with_offset = [spot for spot in spots if is_free(spot, "offset")]
    floor = median_of(y[:, _at_the_border(units)]) if with_offset else np.zeros(len(y))
    left = y - floor[:, None]
    cells = _cells(units)
    found: dict[int, FloatArray] = {}
    for spot in spots:
        # Elsewhere there is nothing: the guess needs to see that, too.
        start = guess_of(spot, xs, np.where(_surroundings(units, left, cells) | np.isnan(left), left, 0.0))
        if spot in with_offset:
            start[:, spot.model.param_names.index("offset")] = 0.0
        left = left - curve_of(spot, xs, start)
        found[id(spot)] = start
    if with_offset:
        found[id(with_offset[0])][:, with_offset[0].model.param_names.index("offset")] = floor
    return in_order(spots, found, "x0")


class _Cells(NamedTuple):
    """Points in the order of cells of a few neighbours each."""

    order: Indices
    first: Indices  # where in that order each cell begins
    middles: list[FloatArray]


def _cells(units: list[FloatArray]) -> _Cells:
    count = max(1, round((units[0].size / _TOGETHER) ** (1 / len(units))))
    cell = np.zeros(units[0].size, dtype=np.intp)
    for unit in units:
        cell = cell * count + np.minimum((unit * count).astype(np.intp), count - 1)
    order = np.argsort(cell, kind="stable")
    first = np.flatnonzero(np.diff(cell[order], prepend=-1))
    size = np.diff(np.append(first, order.size))
    return _Cells(order, first, [np.add.reduceat(unit[order], first) / size for unit in units])


def _at_the_border(units: list[FloatArray]) -> NDArray[np.bool_]:
    """Return which points are near the smallest or largest value of a predictor."""
    border: NDArray[np.bool_] = np.logical_or.reduce([np.minimum(unit, 1 - unit) <= _BORDER for unit in units])
    return border


def _surroundings(units: list[FloatArray], left: FloatArray, cells: _Cells) -> NDArray[np.bool_]:
    """Return which points are around the cell where most is left, of each image."""
    there = np.isfinite(left)
    level = np.add.reduceat(np.where(there, left, 0.0)[:, cells.order], cells.first, axis=1)
    level /= np.maximum(np.add.reduceat(there[:, cells.order], cells.first, axis=1, dtype=np.intp), 1)
    top = np.argmax(np.abs(level), axis=1)
    height = level[np.arange(len(left)), top][:, None]
    below = level * np.sign(height) < 0.5 * np.abs(height)
    # To the nearest cell below half height: elsewhere there may be a neighbour.
    away = _squares(cells.middles, cells, top)
    near = np.min(np.where(below, away, np.inf), axis=1)[:, None]
    inside: NDArray[np.bool_] = _squares(units, cells, top) <= _WINDOW**2 * near
    return inside


def _squares(places: list[FloatArray], cells: _Cells, top: Indices) -> FloatArray:
    """Return squared distances from the cells at the top."""
    away = [place - middle[top][:, None] for place, middle in zip(places, cells.middles, strict=True)]
    total: FloatArray = np.add.reduce([np.square(one) for one in away])
    return total
