"""Where to start terms of sums that stand alone: one model with fixed parameters, and products."""

from typing import TYPE_CHECKING

import numpy as np

from .._input.validate import FloatArray
from .sum_terms import curve_of, guess_of, with_fixed

if TYPE_CHECKING:
    from .sums import Factor

# How far a level that was guessed may be from the known one, in units of the amplitude.
_AWAY = 0.25
# Where a factor is smaller than this part of its largest value, what it is multiplied with is not seen.
_SEEN = 0.1


def start_of_peak(factor: "Factor", xs: tuple[FloatArray, ...], y: FloatArray) -> FloatArray:
    """Guess a peak on a level that is fixed.

    A window may cut it off so that it looks like another one, which points the other way: with the level on both sides
    it does not.
    """
    names = factor.model.param_names
    level = float(factor.arguments[names.index("offset")])
    free = factor._replace(arguments=names)
    start = guess_of(free, xs, y)
    away = np.abs(start[:, names.index("offset")] - level) > _AWAY * np.abs(start[:, 0])
    if away.any():
        first, *rest = (x if x.ndim == 1 else x[away] for x in xs)
        low, high = (np.nan_to_num(f.reduce(first, axis=-1))[..., None] for f in (np.fmin, np.fmax))
        sides = np.concatenate([first, 2 * low - first, 2 * high - first], axis=-1)
        wide = np.pad(y[away], ((0, 0), (0, 2 * y.shape[1])), constant_values=level)
        start[away] = guess_of(free, (sides, *(np.concatenate([x] * 3, axis=-1) for x in rest)), wide)
    return with_fixed(factor, start)


def start_of_product(factors: tuple["Factor", ...], xs: tuple[FloatArray, ...], y: FloatArray) -> dict[int, FloatArray]:
    """Guess the factors of a product: each by itself, or from what those before it leave, or those after it.

    Which of these is decided by the shape of the product, whose height a fit finds easily.
    """
    alone = {id(factor): guess_of(factor, xs, y) for factor in factors}
    found, best = alone, _explained(_product(factors, xs, alone), y)
    for ordered in (factors, factors[::-1]):
        starts: dict[int, FloatArray] = {}
        product, left = np.ones_like(y), y
        for factor in ordered:
            starts[id(factor)] = guess_of(factor, xs, left) if starts else alone[id(factor)]
            product = product * curve_of(factor, xs, starts[id(factor)])
            size = np.abs(product)
            left = np.where(size > _SEEN * np.fmax.reduce(size, axis=-1)[:, None], y / product, np.nan)
        explained = _explained(product, y)
        better = (explained > best)[:, None]
        found = {key: np.where(better, starts[key], found[key]) for key in found}
        best = np.fmax(best, explained)
    return found


def _product(factors: tuple["Factor", ...], xs: tuple[FloatArray, ...], starts: dict[int, FloatArray]) -> FloatArray:
    product: FloatArray = np.multiply.reduce([curve_of(factor, xs, starts[id(factor)]) for factor in factors])
    return product


def _explained(curve: FloatArray, y: FloatArray) -> FloatArray:
    """Return by how much a multiple of a curve reduces the sum of squares."""
    there = np.isfinite(y)
    seen, curve = np.where(there, y, 0.0), np.where(there, curve, 0.0)
    explained: FloatArray = np.square((curve * seen).sum(axis=-1)) / np.square(curve).sum(axis=-1)
    return np.where(np.isfinite(explained), explained, 0.0)
