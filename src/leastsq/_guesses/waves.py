"""Start values for oscillations."""

import numpy as np
from numpy.typing import NDArray

from .._input.validate import FloatArray
from .._solver import kernel
from .decays import LARGEST_EXPONENT
from .lines import CHUNK, MOST_POINTS, Indices, Predictors, for_all_fits, unit_of

# How far to look beyond half the mean rate, in units of it, and when not: where a wave explains this much already, or
# where there are so few points that some frequency explains them all.
_BEYOND = 10
_ENOUGH = 0.8
_FEW_POINTS = 8
# How often noise alone may lead to a frequency beyond.
_CHANCE = 0.01
# The most that counts as explained, so that logarithms are finite.
_ALL = 1 - 1e-12
# Distances from equal spacing, in units of it, that leave frequencies beyond half the rate as good as those below.
_EVEN = 0.01
# Rates in units of the reciprocal range of x, those of the compiled code.
_DAMPING = np.array([0.0, 1.0, 3.0, 9.0, 27.0])


def frequency_of(unit: FloatArray, y: FloatArray) -> FloatArray:
    """Return the frequency where the periodogram is largest, in cycles per range of x.

    Below half the number of points it is looked for everywhere. Where x is not equally spaced, the points also tell
    frequencies above from those below (Lomb, "Least-squares frequency analysis of unequally spaced data", Astrophysics
    and Space Science 39, 1976, pp. 447-462): one is taken if chance alone would hardly explain that much more.
    """
    uneven = _is_uneven(unit)
    if not np.count_nonzero(uneven):
        return _largest(unit, y, 1, 1)
    uneven = np.broadcast_to(uneven, len(y))
    cycles = np.empty(len(y))
    for rows, finer in ((np.flatnonzero(~uneven), 1), (np.flatnonzero(uneven), 2)):
        if rows.size:
            cycles[rows] = _largest(_of(rows, unit), _of(rows, y), finer, 1)
    points = np.count_nonzero(np.isfinite(y), axis=-1)
    rows = np.flatnonzero(uneven & (points > _FEW_POINTS))
    step = max(1, CHUNK // (4 * _BEYOND * unit.shape[-1]))
    for first in range(0, rows.size, step):
        some = rows[first : first + step]
        explained = _explained(cycles[some], _of(some, unit), _of(some, y))
        some, explained = some[explained < _ENOUGH], explained[explained < _ENOUGH]
        if some.size:
            higher = _largest(_of(some, unit), y[some], 2, _BEYOND)
            gain = np.log((1 - explained) / (1 - _explained(higher, _of(some, unit), y[some])))
            count = points[some]
            # The chance that noise explains as much at any of so many frequencies (Scargle, 1982).
            surprising = 0.5 * (count - 3) * gain > np.log(_BEYOND * count / _CHANCE)
            cycles[some] = np.where(surprising, higher, cycles[some])
    return cycles


def _of(rows: Indices, array: FloatArray) -> FloatArray:
    """Return some rows of an array, or all of one that has no others."""
    return array if array.ndim == 1 or rows.size == len(array) else array[rows]


def _largest(unit: FloatArray, y: FloatArray, finer: int, beyond: int) -> FloatArray:
    """Return the frequency with the largest power: up to half the number of points, or from there to `beyond` times it.

    Observations go to the nearest of equally spaced places, so that a fast Fourier transform will do, which are so much
    `finer` than the mean distance; equally spaced ones stay where they are. Frequencies are half a cycle apart.
    """
    m = y.shape[-1]
    range_, size = finer * beyond * (m - 1), 2 * finer * beyond * m
    series = kernel.bin_deviations(unit.reshape(-1, m), y, range_, size)
    first, last = 1 if beyond == 1 else m + 1, m * beyond
    cycles: FloatArray = kernel.find_largest_power(np.fft.rfft(series), first, last) * (range_ / size)
    return cycles


def _explained(cycles: FloatArray, unit: FloatArray, y: FloatArray) -> FloatArray:
    """Return which part of the variance a wave of that frequency explains."""
    return np.minimum(fit_waves(unit, y, cycles)[4], _ALL)


def fit_waves(
    unit: FloatArray, y: FloatArray, cycles: FloatArray, allowed: NDArray[np.bool_] | None = None
) -> tuple[Indices, FloatArray, FloatArray, FloatArray, FloatArray]:
    """Fit waves of so many cycles that die away at the rates `allowed`, shape (K,) or (B, K), by default at none.

    Returns at which, amplitudes of cosine and sine, the offset, and the share of the variance that is explained.
    """
    possible = np.ones((1, 1)) if allowed is None else allowed.reshape(-1, _DAMPING.size).astype(np.float64)
    return kernel.fit_waves(unit.reshape(-1, unit.shape[-1]), y, cycles, possible)


def phase_at_zero(cos: FloatArray, sin: FloatArray, turns: FloatArray) -> FloatArray:
    """Return the phase at x = 0 of a wave with these amplitudes where the data start, so many turns from there.

    Modulo one turn, because these may be many.
    """
    there = np.arctan2(cos, sin) / (2 * np.pi) - turns
    phase: FloatArray = 2 * np.pi * (there - np.rint(there))
    return phase


def _is_uneven(unit: FloatArray) -> NDArray[np.bool_]:
    """Return for each row whether its places differ from equally spaced ones by more than their rounding."""
    places = np.atleast_2d(unit) * (unit.shape[-1] - 1)
    uneven: NDArray[np.bool_] = np.abs(places - np.rint(places)).max(axis=-1) > _EVEN
    if np.count_nonzero(uneven) < uneven.size:
        # Where several points are in one place, there are none in another.
        others = np.flatnonzero(~uneven)
        away = np.abs(np.sort(places[others], axis=-1) - np.arange(unit.shape[-1])).max(axis=-1)
        uneven[others] = away > _EVEN
    return uneven


@for_all_fits(5, arrays=2, most=2 * MOST_POINTS)
def damped_sine(x: Predictors, y: FloatArray) -> tuple[FloatArray, ...]:
    """Guess amplitude, rate, frequency, phase and offset of an oscillation that dies away.

    The frequency is that of the largest value of the periodogram: at most half the number of points per range of `x`,
    or ten times that where they are not equally spaced.
    """
    unit, start, length = unit_of(x[0])
    cycles = frequency_of(unit, y)
    # No exponential may overflow at zero.
    possible = np.abs((start / length)[..., None] * _DAMPING) < LARGEST_EXPONENT
    which, cos, sin, offset, _ = fit_waves(unit, y, cycles, possible)
    rate = _DAMPING[which] / length
    frequency = cycles / length
    phase = phase_at_zero(cos, sin, frequency * start)
    return np.hypot(cos, sin) * np.exp(rate * start), rate, frequency, phase, offset
