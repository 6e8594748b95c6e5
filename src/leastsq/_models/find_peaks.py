"""Peaks in spectra, one after the other: where most is left, and from its surroundings."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._input.validate import FloatArray
from .._solver import kernel
from .sum_terms import curve_of, guess_of, in_order, is_free

if TYPE_CHECKING:
    from .sums import Factor

# Models with a place, which are looked for where most is left.
PEAKS = frozenset(("gaussian", "lorentzian", "pseudo_voigt", "voigt", "moffat", "exponential_gaussian"))
# More points than these are looked at as means of neighbours.
_MOST = 512
# At how many points a peak is looked at.
_POINTS = 49
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
        y = y.take(order, axis=1) if order.ndim == 1 else np.take_along_axis(y, order, -1)
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
    is_last: bool,
) -> tuple[dict[int, FloatArray], FloatArray]:
    """Guess peaks, those with a place of their own first, and return what is left without them.

    `floor` and the curves `below` have been taken off `left` already. If nothing is guessed after the peaks, `is_last`,
    the last of them is not taken off.
    """
    known = list(below)
    found: dict[int, FloatArray] = {}
    for factor in sorted(peaks, key=lambda factor: is_free(factor, "center")):
        center = factor.arguments[factor.model.param_names.index("center")]
        top, half = _most_left(data, left, None if isinstance(center, str) else center)
        start = guess_of(factor, *_surroundings(data, left, floor, known, top, half))
        if is_free(factor, "offset"):
            start[:, factor.model.param_names.index("offset")] = 0.0
        found[id(factor)] = start
        if is_last and len(found) == len(peaks):
            break
        left = left - curve_of(factor, (data.x,), start)
        known.append((factor, start))
    return in_order(peaks, found, "center"), left


def _most_left(data: Spectra, left: FloatArray, center: float | None) -> tuple[NDArray[np.intc], NDArray[np.intc]]:
    """Return where most is left, or at the centre, and how far to look to either side."""
    top = np.full(len(left), -1, dtype=np.intc)
    if center is not None:
        away = np.abs(data.x - center)
        top[:] = np.argmin(np.where(np.isfinite(away), away, np.inf), axis=-1)
    return top, kernel.find_tops(left, top)


def _surroundings(
    data: Spectra,
    left: FloatArray,
    floor: FloatArray,
    known: list[tuple["Factor", FloatArray]],
    top: NDArray[np.intc],
    half: NDArray[np.intc],
) -> tuple[tuple[FloatArray], FloatArray]:
    """Return predictors and what is left near the top: of means, or of points where means are too coarse."""
    x, y = _window(data.x, left, top, half)
    if data.together > 1:
        narrow = half < _WELL_SEEN
        if narrow.any():
            all_x = data.all_x if data.all_x.ndim == 1 else data.all_x[narrow]
            middle = top[narrow] * data.together + data.together // 2
            points, values = _window(all_x, data.all_y[narrow], middle, half[narrow] * data.together)
            values = values - floor[narrow, None]
            for factor, start in known:
                values = values - curve_of(factor, (points,), start[narrow])
            x[narrow], y[narrow] = points, values
    return (x,), y


def _window(
    x: FloatArray, y: FloatArray, top: NDArray[np.intc], half: NDArray[np.intc]
) -> tuple[FloatArray, FloatArray]:
    """Return points around the top, at most so far away; NaN where there is none."""
    return kernel.cut_windows(x.reshape(-1, x.shape[-1]), y, top, half, _POINTS)
