"""Peaks in spectra, one after the other: where most is left, and from its surroundings."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._input.validate import FloatArray
from .sum_terms import curve_of, guess_of, in_order, is_free

if TYPE_CHECKING:
    from .sums import Factor

# Models with a place, which are looked for where most is left.
PEAKS = frozenset(("gaussian", "lorentzian", "pseudo_voigt", "voigt", "moffat", "exponential_gaussian"))
# More points than these are looked at as means of neighbours.
_MOST = 512
# How far a peak is looked at, in half widths at half height, and at how many points at most.
_WINDOW, _POINTS = 2.5, 48
# Peaks that so many means are as wide as are seen well enough in them; narrower ones in the points themselves.
_WELL_SEEN = 8


class Spectra(NamedTuple):
    """Observations in the order of x, and means of as many neighbours; NaN is missing."""

    x: FloatArray  # shape (M,) or (B, M)
    y: FloatArray  # shape (B, M)
    complete: bool  # nothing is missing
    together: int  # how many neighbours a mean is of
    all_x: FloatArray
    all_y: FloatArray


def ordered(x: FloatArray, y: FloatArray) -> Spectra:
    """Put observations in order, and take means of neighbours where there are many."""
    usable = np.isfinite(y) & np.isfinite(x)
    complete = bool(usable.all())
    if not complete:
        x, y = np.where(np.isfinite(x), x, np.nan), np.where(usable, y, np.nan)
    if not np.all(x[..., 1:] >= x[..., :-1]):
        order = np.argsort(x, axis=-1, kind="stable")  # NaN comes last
        x = np.take_along_axis(x, order, -1)
        y = y[:, order] if order.ndim == 1 else np.take_along_axis(y, order, -1)
    together = -(-y.shape[-1] // _MOST)
    if together == 1:
        return Spectra(x, y, complete, 1, x, y)
    return Spectra(_means(x, together), _means(y, together), complete, together, x, y)


def _means(values: FloatArray, together: int) -> FloatArray:
    """Return means of so many neighbours, without the few that are left over at the end; NaN is missing."""
    count = values.shape[-1] // together
    groups = values[..., : count * together].reshape(*values.shape[:-1], count, together)
    means: FloatArray = np.einsum("...g->...", groups) / together
    if not np.isfinite(means).all():
        there = np.isfinite(groups)
        means = np.einsum("...g->...", np.where(there, groups, 0.0)) / there.sum(axis=-1)
    return means


def find_peaks(
    peaks: list["Factor"],
    data: Spectra,
    left: FloatArray,
    floor: FloatArray,
    below: list[tuple["Factor", FloatArray]],
) -> tuple[dict[int, FloatArray], FloatArray]:
    """Guess peaks, those with a place of their own first, and return what is left without them.

    `floor` and the curves `below` have been taken off `left` already.
    """
    known = list(below)
    found: dict[int, FloatArray] = {}
    for factor in sorted(peaks, key=lambda factor: is_free(factor, "center")):
        center = factor.arguments[factor.model.param_names.index("center")]
        top, half = _most_left(data, left, None if isinstance(center, str) else center)
        start = guess_of(factor, *_surroundings(data, left, floor, known, top, half))
        if is_free(factor, "offset"):
            start[:, factor.model.param_names.index("offset")] = 0.0
        left = left - curve_of(factor, (data.x,), start)
        found[id(factor)] = start
        known.append((factor, start))
    return in_order(peaks, found, "center"), left


def _most_left(data: Spectra, left: FloatArray, center: float | None) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return where most is left, or at the centre, and how far to look to either side."""
    smooth = _smoothed(left if data.complete else np.where(np.isfinite(left), left, 0.0))
    size = np.abs(smooth)
    if center is None:
        top = np.argmax(size, axis=-1)[:, None]
    else:
        away = np.abs(data.x - center)
        top = np.argmin(np.where(np.isfinite(away), away, np.inf), axis=-1)
        top = np.broadcast_to(top, len(left))[:, None]
    height = np.take_along_axis(smooth, top, -1)
    below = smooth * np.sign(height) < 0.5 * np.abs(height)
    place = np.arange(left.shape[-1], dtype=np.int32)
    distance = np.where(below, np.abs(place - top.astype(np.int32)), np.int32(place.size))
    # To the nearer side, because on the other there may be a neighbour.
    near = np.minimum(distance.min(axis=-1)[:, None], np.maximum(top, place.size - 1 - top) + 1)
    return top, np.maximum(np.ceil(_WINDOW * near), 4).astype(np.intp)


def _surroundings(
    data: Spectra,
    left: FloatArray,
    floor: FloatArray,
    known: list[tuple["Factor", FloatArray]],
    top: NDArray[np.intp],
    half: NDArray[np.intp],
) -> tuple[tuple[FloatArray], FloatArray]:
    """Return predictors and what is left near the top: of means, or of points where means are too coarse."""
    x, y = _window(data.x, left, top, half)
    narrow = (half < _WELL_SEEN)[:, 0]
    if data.together > 1 and narrow.any():
        all_x = data.all_x if data.all_x.ndim == 1 else data.all_x[narrow]
        middle = top[narrow] * data.together + data.together // 2
        points, values = _window(all_x, data.all_y[narrow], middle, half[narrow] * data.together)
        values = values - floor[narrow, None]
        for factor, start in known:
            values = values - curve_of(factor, (points,), start[narrow])
        x[narrow], y[narrow] = points, values
    return (x,), y


def _window(
    x: FloatArray, y: FloatArray, top: NDArray[np.intp], half: NDArray[np.intp]
) -> tuple[FloatArray, FloatArray]:
    """Return points around the top, at most so far away; NaN where there is none."""
    side = _POINTS // 2
    steps = np.arange(-side, side + 1) * -(-half // side)
    where = top + steps
    inside = (np.abs(steps) <= half) & (where >= 0) & (where < y.shape[-1])
    where = np.where(inside, where, top)
    near = x[where] if x.ndim == 1 else np.take_along_axis(x, where, -1)
    return np.where(inside, near, np.nan), np.where(inside, np.take_along_axis(y, where, -1), np.nan)


def _smoothed(y: FloatArray) -> FloatArray:
    """Return means over a fiftieth of the points, at least three of them, weighted towards the middle."""
    half = max(1, y.shape[-1] // 100)
    padded = np.pad(y, ((0, 0), (half, half)), mode="edge")
    if half == 1:
        smooth: FloatArray = padded[:, :-2] + padded[:, 2:]
        smooth *= 0.25
        smooth += 0.5 * y
        return smooth
    kernel = np.concatenate([np.arange(1.0, half + 2), np.arange(half, 0.0, -1)])
    total = np.zeros_like(y)
    for k, weight in enumerate(kernel / kernel.sum()):
        total += weight * padded[:, k : k + y.shape[-1]]
    return total
