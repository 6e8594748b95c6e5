"""Where to start sums of models: the background from the edges, and peaks from what is left, one after the other."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ._validate import FloatArray

if TYPE_CHECKING:
    from ._sums import Factor, SumModel

# Models with a place, which are looked for where most is left.
_PEAKS = frozenset(("gaussian", "lorentzian", "pseudo_voigt", "voigt", "moffat", "exponential_gaussian"))
# The share of the points at either end that background is taken from.
_EDGE = 8
# How far a peak is looked at, in half widths at half height.
_WINDOW = 2.5
# Numbers of a block of observations.
_BLOCK = 2**19


def start_of_sum(model: "SumModel", predictors: tuple[FloatArray, ...], y: FloatArray) -> FloatArray:
    """Return parameters to start from, shape (..., N)."""
    m = y.shape[-1]
    fits = np.broadcast_shapes(y.shape[:-1], *(p.shape[:-1] for p in predictors))
    rows = (math.prod(fits), m)
    y = np.broadcast_to(y, (*fits, m)).reshape(rows)
    xs = [np.broadcast_to(p, (*fits, m)).reshape(rows) for p in predictors]
    start = np.ones((len(y), len(model.param_names)))
    size = max(1, _BLOCK // max(m, 1))
    with np.errstate(all="ignore"):
        for first in range(0, len(y) if m else 0, size):
            some = slice(first, first + size)
            start[some] = _block_start(model, tuple(x[some] for x in xs), y[some])
    start[~np.isfinite(start)] = 1.0
    return start.reshape(*fits, len(model.param_names))


def _block_start(model: "SumModel", xs: tuple[FloatArray, ...], y: FloatArray) -> FloatArray:
    """Return the start of a block of fits."""
    usable = np.isfinite(y) & np.logical_and.reduce([np.isfinite(x) for x in xs])
    left = np.where(usable, y, np.nan)
    alone = [term[0] for term in model.terms if len(term) == 1]
    peaks = [factor for factor in alone if factor.model.__name__ in _PEAKS and len(xs) == 1]
    others = [factor for factor in alone if factor not in peaks]
    found: dict[int, FloatArray] = {}
    floor = np.zeros(len(y))
    if peaks:
        edges = _edges(xs[0], left)
        for factor in others:
            found[id(factor)] = _of_factor(factor, xs, edges)
            curve = _curve(factor, xs, found[id(factor)])
            left, edges = left - curve, edges - curve
        if any(_free(factor, "offset") for factor in peaks):
            floor = np.nanmedian(edges, axis=-1)
            floor = np.where(np.isfinite(floor), floor, 0.0)
            left = left - floor[:, None]
        found |= _peaks_of(peaks, xs[0], left)
        for factor in peaks:
            left = left - _curve(factor, xs, found[id(factor)])
        for factor in others:  # once more, without the peaks that reach to the edges
            left = left + _curve(factor, xs, found[id(factor)])
            found[id(factor)] = _of_factor(factor, xs, left)
            left = left - _curve(factor, xs, found[id(factor)])
        _share_floor(peaks, found, floor)
    else:
        for factor in others:
            found[id(factor)] = _of_factor(factor, xs, left)
            left = left - _curve(factor, xs, found[id(factor)])
    for term in model.terms:
        for factor in term if len(term) > 1 else ():
            found[id(factor)] = _of_factor(factor, xs, left)
    return _collected(model, found, len(y))


def _collected(model: "SumModel", found: dict[int, FloatArray], fits: int) -> FloatArray:
    start = np.ones((fits, len(model.param_names)))
    for term in model.terms:
        for factor in term:
            for j, name in enumerate(factor.arguments):
                if isinstance(name, str):
                    start[:, model.param_names.index(name)] = found[id(factor)][:, j]
    return start


def _free(factor: "Factor", name: str) -> bool:
    names = factor.model.param_names
    return name in names and isinstance(factor.arguments[names.index(name)], str)


def _of_factor(factor: "Factor", xs: tuple[FloatArray, ...], y: FloatArray) -> FloatArray:
    """Guess the parameters of a factor by itself; what is fixed is as fixed."""
    guess: Any = factor.model.guess
    start = np.array(guess(xs if len(xs) > 1 else xs[0], y))
    for j, argument in enumerate(factor.arguments):
        if not isinstance(argument, str):
            start[:, j] = argument
    return start


def _curve(factor: "Factor", xs: tuple[FloatArray, ...], start: FloatArray) -> FloatArray:
    curve: FloatArray = factor.model(xs if len(xs) > 1 else xs[0], *start.T[:, :, None])
    return np.where(np.isfinite(curve), curve, 0.0)


def _edges(x: FloatArray, y: FloatArray) -> FloatArray:
    """Return observations at both ends of x, NaN between them."""
    there = np.where(np.isfinite(y), x, np.nan)
    rank = np.argsort(np.argsort(there, axis=-1), axis=-1)  # NaN comes last
    count = np.isfinite(there).sum(axis=-1)[:, None]
    few = np.maximum(count // _EDGE, np.minimum(3, count))
    return np.where((rank < few) | (rank >= count - few), y, np.nan)


def _share_floor(peaks: list["Factor"], found: dict[int, FloatArray], floor: Any) -> None:
    """Give the level of the edges to the first peak with an offset, none to the others."""
    for factor in peaks:
        if _free(factor, "offset"):
            found[id(factor)][:, factor.model.param_names.index("offset")] = floor
            floor = 0.0


# --- Peaks, one after the other ---


def _peaks_of(peaks: list["Factor"], x: FloatArray, y: FloatArray) -> dict[int, FloatArray]:
    """Look for peaks, those with a place of their own first; peaks of one kind are in the order of their places."""
    order = np.argsort(np.where(np.isfinite(y), x, np.nan), axis=-1)
    x, left = np.take_along_axis(x, order, -1), np.take_along_axis(y, order, -1)
    found: dict[int, FloatArray] = {}
    for factor in sorted(peaks, key=lambda factor: _free(factor, "center")):
        center = factor.arguments[factor.model.param_names.index("center")]
        start = _one_peak(factor, x, left, None if isinstance(center, str) else center)
        left = left - _curve(factor, (x,), start)
        found[id(factor)] = start
    kinds: dict[Any, list[Factor]] = {}
    for factor in peaks:
        pattern = tuple(None if isinstance(a, str) else a for a in factor.arguments)
        kinds.setdefault((factor.model.__name__, pattern), []).append(factor)
    for same in kinds.values():
        where = same[0].model.param_names.index("center")
        together = np.stack([found[id(factor)] for factor in same], axis=1)
        placed = np.argsort(together[:, :, where], axis=1)[:, :, None]
        together = np.take_along_axis(together, placed, axis=1)
        for k, factor in enumerate(same):
            found[id(factor)] = together[:, k]
    return found


def _one_peak(factor: "Factor", x: FloatArray, y: FloatArray, center: float | None) -> FloatArray:
    """Guess a peak where most is left, from its surroundings; observations are in the order of x."""
    smooth = _smoothed(np.where(np.isfinite(y), y, 0.0))
    size = np.abs(smooth)
    if center is not None:
        size = np.where(np.abs(x - center) <= np.nanmin(np.abs(x - center), axis=-1)[:, None], size, -1.0)
    top = np.argmax(size, axis=-1)[:, None]
    height = np.take_along_axis(smooth, top, -1)
    below = smooth * np.sign(height) < 0.5 * np.abs(height)
    place = np.arange(x.shape[-1])
    before = np.maximum.accumulate(np.where(below, place, -1), axis=-1)
    after = np.flip(np.minimum.accumulate(np.flip(np.where(below, place, place.size), -1), axis=-1), -1)
    near = np.minimum(top - np.take_along_axis(before, top, -1), np.take_along_axis(after, top, -1) - top)
    # The nearer side, because on the other there may be a neighbour.
    width = np.maximum(np.ceil(_WINDOW * near), 4)
    near = np.abs(place - top) <= width
    start = _of_factor(factor, (np.where(near, x, np.nan),), np.where(near, y, np.nan))
    if "offset" in factor.model.param_names and _free(factor, "offset"):
        start[:, factor.model.param_names.index("offset")] = 0.0
    return start


def _smoothed(y: FloatArray) -> FloatArray:
    """Return means over a fiftieth of the points, at least three of them, weighted towards the middle."""
    half = max(1, y.shape[-1] // 100)
    kernel = np.concatenate([np.arange(1.0, half + 2), np.arange(half, 0.0, -1)])
    padded = np.pad(y, ((0, 0), (half, half)), mode="edge")
    total = np.zeros_like(y)
    for k, weight in enumerate(kernel / kernel.sum()):
        total += weight * padded[:, k : k + y.shape[-1]]
    return total
