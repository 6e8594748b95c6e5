"""Start values for oscillations."""

import numpy as np
from numpy.typing import NDArray

from .._input.validate import FloatArray
from .decays import without_overflow
from .lines import CHUNK, MOST_POINTS, Predictors, Scaled, choose_best, fit_planes, for_all_fits, ratio, scaled, unit_of

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
_DAMPING = np.array([0.0, 1.0, 3.0, 9.0, 27.0])


def frequency_of(unit: FloatArray, data: Scaled) -> FloatArray:
    """Return the frequency where the periodogram is largest, in cycles per range of x.

    Below half the number of points it is looked for everywhere. Where x is not equally spaced, the points also tell
    frequencies above from those below (Lomb, "Least-squares frequency analysis of unequally spaced data", Astrophysics
    and Space Science 39, 1976, pp. 447-462): one is taken if chance alone would hardly explain that much more.
    """
    left = (data.y - (data.y.sum(axis=-1) / data.points)[:, None]) * data.present
    cycles = _largest(unit, left, 1)
    explained = _explained(cycles, unit, left, data.points)
    rows = np.flatnonzero(_is_uneven(unit) & (explained < _ENOUGH) & (data.points > _FEW_POINTS))
    step = max(1, CHUNK // (4 * _BEYOND * unit.shape[-1]))
    for first in range(0, rows.size, step):
        some = rows[first : first + step]
        own = unit if unit.ndim == 1 else unit[some]
        points = np.broadcast_to(data.points, len(left))[some]
        higher = _largest(own, left[some], _BEYOND)
        gain = np.log((1 - explained[some]) / (1 - _explained(higher, own, left[some], points)))
        # The chance that noise explains as much at any of so many frequencies (Scargle, 1982).
        surprising = 0.5 * (points - 3) * gain > np.log(_BEYOND * points / _CHANCE)
        cycles[some] = np.where(surprising, higher, cycles[some])
    return cycles


def _largest(unit: FloatArray, left: FloatArray, beyond: int) -> FloatArray:
    """Return the frequency with the largest power: up to half the number of points, or from there to `beyond` times it.

    Observations go to the nearest of equally spaced places, so that a fast Fourier transform will do; equally spaced
    ones stay where they are. Frequencies are half a cycle apart.
    """
    b, m = left.shape
    range_, size = beyond * (2 * m - 2), 4 * m * beyond
    places = np.rint(unit * range_).astype(np.intp) + size * np.arange(b)[:, None]
    series = np.bincount(places.ravel(), left.ravel(), minlength=b * size).reshape(b, size)
    power = np.abs(np.fft.rfft(series)[:, : m * beyond + 1]) ** 2
    power[:, : 1 if beyond == 1 else m + 1] = 0
    # The vertex of the parabola through the largest value and its neighbours.
    last = m * beyond
    peak = np.clip(np.argmax(power, axis=-1), 1, max(last - 1, 1))
    before, here, after = (power[np.arange(b), np.minimum(peak + step, last)] for step in (-1, 0, 1))
    shift = ratio(0.5 * (after - before), 2 * here - before - after)
    cycles: FloatArray = (peak + np.clip(shift, -0.5, 0.5)) * (range_ / size)
    return cycles


def _explained(cycles: FloatArray, unit: FloatArray, left: FloatArray, points: FloatArray) -> FloatArray:
    """Return which part of the variance a wave of that frequency explains."""
    angle = 2 * np.pi * cycles[:, None] * unit
    power = (left * np.cos(angle)).sum(axis=-1) ** 2 + (left * np.sin(angle)).sum(axis=-1) ** 2
    return np.minimum(ratio(2 * power, points * np.square(left).sum(axis=-1)), _ALL)


def _is_uneven(unit: FloatArray) -> NDArray[np.bool_]:
    """Return for each row whether its places differ from equally spaced ones by more than their rounding."""
    m = unit.shape[-1]
    away = np.abs(np.sort(unit, axis=-1) * (m - 1) - np.arange(m)).max(axis=-1)
    uneven: NDArray[np.bool_] = np.atleast_1d(away > _EVEN)
    return uneven


@for_all_fits(5, functions=2 * _DAMPING.size, arrays=1, most=2 * MOST_POINTS)
def damped_sine(x: Predictors, y: FloatArray) -> tuple[FloatArray, ...]:
    """Guess amplitude, rate, frequency, phase and offset of an oscillation that dies away.

    The frequency is that of the largest value of the periodogram: at most half the number of points per range of `x`,
    or ten times that where they are not equally spaced.
    """
    unit, start, length = unit_of(x[0])
    data = scaled(y)
    cycles = frequency_of(unit, data)
    angle = 2 * np.pi * cycles[:, None] * unit
    decays = np.exp(-_DAMPING[:, None] * unit[..., None, :])
    waves = np.concatenate([decays * np.cos(angle)[:, None, :], decays * np.sin(angle)[:, None, :]], axis=-2)
    pairs = np.arange(_DAMPING.size)
    cos, sin, offset, gain = fit_planes(waves, pairs, pairs + _DAMPING.size, data)
    gain, rate = without_overflow(gain, _DAMPING / length[..., None], start[..., None])
    cos, sin, rate, offset = choose_best(gain, cos, sin, rate, offset)
    frequency = cycles / length
    amplitude = data.height * np.hypot(cos, sin) * np.exp(rate * start)
    # Modulo one turn, because the phase at the start of the data may be many turns from that at zero.
    turns = np.arctan2(cos, sin) / (2 * np.pi) - frequency * start
    return amplitude, rate, frequency, 2 * np.pi * (turns - np.rint(turns)), data.middle + data.height * offset
