"""Derivatives at the solution, taken afresh for many fits at once, with steps that see each parameter's scale.

References
----------
P. E. Gill, W. Murray, M. H. Wright, Practical Optimization, Academic Press, 1981, section 8.6 (steps).
"""

import math
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .._input.bounds import steps_inside
from .._input.validate import FloatArray
from .._solver.norms import EPS, row_norms

# Weighted residuals (rows, M) of some fits, which may be named more than once, at points (rows, N).
Residuals: TypeAlias = Callable[[NDArray[np.intp], FloatArray], FloatArray]

# A forward difference is best when it changes the residuals by the square root of their relative error, a central one
# when it does by the cube root. These multiples of the former are still good: below, rounding takes more than three of
# the digits differences have, and above, curvature may.
_LEAST_CHANGE = 1e-3
_MOST_CHANGE = 1e4
_LARGEST_CHANGE = 0.1
# Digits of a difference that have to be left when conditioning has taken its part.
_DIGITS_LEFT = 1e3
# A step the other way that undoes all but this share of a change shows that it was along a straight line.
_STRAIGHT = 1e-2
# A step that the other way undoes so much less than curvature would, next to the share by which it changes the data,
# has changed rounding alone.
_ROUGH = 1e3
_MOST_TRIES = 10
_GROWTH = 1e4
_SHRINKAGE = 1e6
# The relative change that even a model in single precision would show.
_HIDDEN = 1e-6
# A change this many times above rounding has digits. A derivative that later steps make less than half as large,
# because the model saturates, is better than those.
_ABOVE_ROUNDING = 100.0
_SATURATED = 0.5
# The share of the residuals that a parameter has to change at least, by any step, to matter.
_LITTLE = 1e-3
# Terms of the linearised model that are so many times larger than the data cancel each other.
_CANCELLING = 1e6
# Half of a step that is longer than its parameter changes half as much but for this share, along a straight line.
_BENT = 0.1


class Scales(NamedTuple):
    """What the size of residuals is relative to, for each fit."""

    # What their rounding is relative to, and what is left of that without the offset of the data, for curvature.
    rounding: FloatArray
    curvature: FloatArray
    # The least change that a good step makes.
    least: FloatArray
    # Norms of the terms, J_j x_j, of fits where they are so large that they must cancel; 0 elsewhere. Shape (K, N).
    terms: FloatArray


def scales(
    x: FloatArray,
    norms: FloatArray,
    fnorm: FloatArray,
    sizes: tuple[FloatArray, FloatArray],
    ratio: FloatArray,
    error: float,
) -> Scales:
    """Return the scales of some fits at `x`, from the norms of their Jacobians' columns.

    `sizes` are the norms of the weighted data, and of the same without their offset; `ratio` tells how many digits
    the conditioning of the Jacobian takes.
    """
    error = max(error, EPS)
    size, spread = sizes
    # Where the data are all zero, the model is a residual itself, and its terms are what rounding is relative to.
    rounding = fnorm + np.where(size > 0, size, np.max(norms * np.abs(x), axis=1))
    spread = fnorm + spread
    with np.errstate(divide="ignore"):
        digits = np.where(ratio > 0, np.minimum(_DIGITS_LEFT * error / ratio, error ** (1 / 3)), 0.0)
    least = np.maximum(_LEAST_CHANGE * math.sqrt(error), digits) * rounding
    terms = norms * np.abs(x)
    terms[np.max(terms, axis=1) < _CANCELLING * rounding] = 0.0
    return Scales(rounding, np.where(spread > 0, spread, rounding), least, terms)


def steps_are_good(x: FloatArray, norms: FloatArray, of: Scales, error: float) -> NDArray[np.bool_]:
    """Return which fits took forward differences, near `x`, that changed residuals neither too little nor too much."""
    root = math.sqrt(max(error, EPS))
    most = min(_MOST_CHANGE * root, _LARGEST_CHANGE) * of.curvature
    changes = norms * root * np.where(x == 0, 1.0, np.abs(x))
    good: NDArray[np.bool_] = np.all((of.least[:, None] <= changes) & (changes <= most[:, None]), axis=1)
    return good


def one_steps_are_good(
    changes: tuple[float, float], fnorm: float, size: float, spread: Callable[[], float], ratio: float, error: float
) -> bool:
    """Return for one fit, quickly, what `scales` and `steps_are_good` say of many.

    `changes` are the least and the largest of the residuals where a parameter changes by all of itself, or by 1 if it
    is 0; `size` is the norm of the weighted data, and `spread` gives that without their offset, which is rarely asked
    for.
    """
    error = max(error, EPS)
    root = math.sqrt(error)
    smallest, largest = changes
    rounding = fnorm + (size or largest)
    digits = min(_DIGITS_LEFT * error / ratio, error ** (1 / 3)) if ratio > 0 else 0.0
    most = min(_MOST_CHANGE * root, _LARGEST_CHANGE)
    if not max(_LEAST_CHANGE * root, digits) * rounding <= smallest * root:
        return False
    return largest * root <= most * fnorm or largest * root <= most * (fnorm + spread() or rounding)


class _Pairs:
    """The differences of some fits by each of their parameters: one pair each."""

    def __init__(
        self,
        residuals: Residuals,
        fits: NDArray[np.intp],
        x: FloatArray,
        f: FloatArray,
        of: Scales,
        error: float,
        box: tuple[FloatArray, FloatArray] | None,
        steps: FloatArray | None,
    ) -> None:
        count, n = x.shape
        self.residuals, self.fits, self.x, self.f = residuals, fits, x, f
        self.error = max(error, EPS)
        self.root = math.sqrt(self.error)
        self.row, self.column = np.repeat(np.arange(count), n), np.tile(np.arange(n), count)
        self.value = x.ravel()
        self.scale, self.spread = of.rounding[self.row], of.curvature[self.row]
        self.least = of.least[self.row]
        self.wanted = np.maximum(self.least, self.error ** (1 / 3) * self.scale)
        self.step = self.root * np.where(self.value == 0, 1.0, np.abs(self.value))
        if steps is not None:
            self.step = np.where(steps.ravel() > 0, steps.ravel(), self.step)
        self.room = (np.full(count * n, -math.inf), np.full(count * n, math.inf))
        self.sides = np.array(self.room)
        if box is not None:
            self.room = (box[0].ravel() - self.value, box[1].ravel() - self.value)
            self.sides = np.array([box[0].ravel(), box[1].ravel()])
        # Where terms cancel, rounding is relative to them: straight lines are followed until their share changes.
        self.terms = of.terms.ravel()
        self.sure = np.zeros(count * n, dtype=np.bool_)
        self.silent = np.zeros(count * n)
        self.tries = np.zeros(count * n, dtype=np.intc)
        self.smooth, self.largest = np.zeros(count * n, dtype=np.bool_), np.zeros(count * n)
        self.derivative = np.zeros((count * n, f.shape[1]))
        self.first = np.zeros((count * n, f.shape[1]))
        self.first_step = np.zeros(count * n)
        self.weak = np.zeros(count * n, dtype=np.bool_)

    def change(self, which: NDArray[np.intp], steps: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return the changes of residuals with steps, their norms, and the steps as rounded."""
        points = self.x[self.row[which]]
        ends = np.clip(self.value[which] + steps, *self.sides[:, which])  # which rounding would leave
        points[np.arange(len(which)), self.column[which]] = ends
        moved = ends - self.value[which]
        with np.errstate(all="ignore"):
            change = self.residuals(self.fits[self.row[which]], points) - self.f[self.row[which]]
        self.tries[which] += 1
        return change, row_norms(change), moved

    def inside(self, which: NDArray[np.intp]) -> FloatArray:
        """Return the steps with the sign and the length that keep them between the bounds."""
        step, low, high = self.step[which], self.room[0][which], self.room[1][which]
        return steps_inside(step, -low, high)

    def look_back(
        self, which: NDArray[np.intp], forward: FloatArray, size: FloatArray, moved: FloatArray
    ) -> NDArray[np.bool_]:
        """Take steps the other way, and say for which pairs the difference is as good as it gets."""
        both = (-moved >= self.room[0][which]) & (-moved <= self.room[1][which])
        straight = ~both
        which, forward, size, moved = which[both], forward[both], size[both], moved[both]
        if which.size == 0:
            return straight
        backward, _, back = self.change(which, -moved)
        bend = row_norms(forward + backward)
        usable = bend < math.inf
        self.derivative[which[usable]] = ((forward - backward) / (moved - back)[:, None])[usable]
        good = bend <= np.maximum(_STRAIGHT * size, 10 * self.error * self.scale[which])
        # Bends grow with the square of the step, changes with the step.
        bent = which[~good]
        with np.errstate(all="ignore"):
            self.wanted[bent] = 0.5 * _STRAIGHT * (size / bend * size)[~good]
            rough = ~good & (bend * self.spread[which] > _ROUGH * size * size)
        self.least[bent] = _LEAST_CHANGE * self.root * self.scale[bent]
        # A model of fewer digits than it says: rounding stays what it is as steps grow.
        self.wanted[which[rough]] = np.maximum(10 * size, self.error ** (1 / 3) * self.scale[which])[rough]
        self.first[which[rough]] = 0.0
        straight[both] = good
        return straight

    def follow(self, which: NDArray[np.intp], size: FloatArray, done: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Go further along straight lines whose terms cancel, once, and back to what was sure where that is no use."""
        wanted = self.error ** (1 / 3) * self.terms[which]
        sure = self.sure[which]
        bent = which[sure & ~done]
        self.derivative[bent] = self.first[bent]
        further = done & ~sure & (size < wanted)
        self.first[which[further]] = self.derivative[which[further]]
        self.sure[which[further]] = True
        self.step[which[further]] *= np.minimum((wanted / size)[further], _GROWTH)
        settled: NDArray[np.bool_] = (done | sure) & ~further
        return settled

    def advance(self, which: NDArray[np.intp]) -> NDArray[np.intp]:
        """Try a step for each of some pairs, and return those that need another."""
        forward, size, moved = self.change(which, self.inside(which))
        self.largest[which] = np.maximum(self.largest[which], size)
        quiet, step = size == 0, self.step[which]
        self.silent[which[quiet]] = step[quiet]
        self.step[which[quiet]] = np.maximum(_GROWTH * step[quiet], self.root)
        # Flat here, and only further away it is not.
        hidden = ~quiet & (size * self.silent[which] / step > _HIDDEN * self.scale[which])
        self.derivative[which[hidden]] = 0.0
        loud = ~quiet & ~hidden
        finite = loud & (size < math.inf)
        self.derivative[which[finite]] = (forward / moved[:, None])[finite]
        fresh = finite & (size >= _ABOVE_ROUNDING * self.error * self.scale[which]) & ~self.first[which].any(axis=1)
        self.first[which[fresh]] = self.derivative[which[fresh]]
        self.first_step[which[fresh]] = step[fresh]
        enough = finite & (size >= self.least[which])
        done = hidden
        done[enough] = self.look_back(which[enough], forward[enough], size[enough], moved[enough])
        done = self.follow(which, size, done)
        self.smooth[which[done]] = True
        again = loud & ~done & ~self.sure[which]
        self.step[which[again]] *= np.clip((self.wanted[which] / size)[again], 1 / _SHRINKAGE, _GROWTH)
        left: NDArray[np.intp] = which[~done]
        more = (self.tries[left] < _MOST_TRIES) & (self.value[left] + self.step[left] != self.value[left])
        unfinished: NDArray[np.intp] = left[more]
        return unfinished

    def let_go(self) -> None:
        """Mark as weak what changes residuals by next to nothing, whatever the step, unless along a straight line.

        From far along a plateau, steps of any length may lead further along it, and tell its height, not its slope.
        """
        count, n = self.x.shape
        changing = self.derivative.any(axis=1)
        good = np.any((self.smooth & changing).reshape(count, n), axis=1)
        little = self.largest < _LITTLE * row_norms(self.f)[self.row]
        self.weak = little & changing & ~self.smooth & good[self.row]
        begun = np.flatnonzero(self.weak & (self.first_step != 0))
        if begun.size == 0:
            return
        self.step[begun] = self.first_step[begun]
        forward, size, moved = self.change(begun, self.inside(begun))
        backward, _, back = self.change(begun, -moved)
        straight = row_norms(forward + backward) <= _SATURATED * size
        found = begun[straight]
        self.derivative[found] = ((forward - backward) / (moved - back)[:, None])[straight]
        self.first[found] = 0.0
        self.smooth[found], self.weak[found] = True, False

    def forget_what_is_far(self) -> None:
        """Set to zero what only steps longer than a parameter show, unless half of one changes half as much.

        The width of a peak far from the data changes nothing, until it reaches them.
        """
        far = np.flatnonzero(self.smooth & (self.value != 0) & (np.abs(self.step) > np.abs(self.value)))
        if far.size == 0:
            return
        forward, _, moved = self.change(far, self.step[far] / 2)
        backward, _, back = self.change(far, -self.step[far] / 2)
        half = (forward - backward) / (moved - back)[:, None]
        size = row_norms(self.derivative[far])
        bent = far[~(row_norms(half - self.derivative[far]) <= _BENT * size)]
        self.derivative[bent] = self.first[bent] = 0.0
        self.smooth[bent] = False


def fresh_slopes(
    residuals: Residuals,
    fits: NDArray[np.intp],
    x: FloatArray,
    f: FloatArray,
    of: Scales,
    error: float,
    box: tuple[FloatArray, FloatArray] | None = None,
    steps: FloatArray | None = None,
) -> tuple[FloatArray, NDArray[np.intc], FloatArray, NDArray[np.bool_], NDArray[np.bool_]]:
    """Take differences at `x`, central where both sides are there, with steps that change the residuals by a fair part.

    A step is too small when rounding shows in the change, and too large when curvature does: when a step the other way
    does not undo it. A column stays zero only if no step changes the residuals, each ten thousand times the one before,
    or none but those that lead far from where they are flat.

    Parameters
    ----------
    residuals : callable
        Weighted residuals of some fits at some points.
    fits : ndarray of shape (K,)
        Which fits.
    x, f : ndarray of shape (K, N) and (K, M)
        Where, and the residuals there.
    of : Scales
        Of each fit.
    error : float
        Relative error of the residuals; 0 stands for rounding.
    box : pair of ndarray of shape (K, N), optional
        Bounds, outside of which nothing is evaluated.
    steps : ndarray of shape (K, N), optional
        Steps to try first, as found nearby; 0 where none was.

    Returns
    -------
    slopes : ndarray of shape (K, M, N)
        The derivatives.
    evaluations : ndarray of shape (K,)
        How many each fit took.
    steps : ndarray of shape (K, N)
        The steps taken; 0 where none was good.
    smooth : ndarray of shape (K,)
        Whether all differences but those that are zero, or weak, are along straight lines, not of rounding alone.
    weak : ndarray of shape (K, N)
        Which parameters change residuals by next to nothing: what there is of a derivative has a direction, no length.
    """
    pairs = _Pairs(residuals, fits, x, f, of, error, box, steps)
    left = np.arange(pairs.value.size)
    if box is not None:  # what is held is never varied
        left = left[pairs.room[0] < pairs.room[1]]
    with np.errstate(all="ignore"):
        while left.size:
            left = pairs.advance(left)
        pairs.forget_what_is_far()
        pairs.let_go()
    pairs.first[pairs.sure] = 0.0
    saturated = row_norms(pairs.derivative) < _SATURATED * row_norms(pairs.first)
    pairs.derivative[saturated] = pairs.first[saturated]
    pairs.step[saturated] = pairs.first_step[saturated]
    slopes = np.moveaxis(pairs.derivative.reshape((*x.shape, f.shape[1])), 1, 2)
    evaluations: NDArray[np.intc] = pairs.tries.reshape(x.shape).sum(axis=1, dtype=np.intc)
    zero = ~pairs.derivative.any(axis=1) | pairs.weak
    smooth: NDArray[np.bool_] = np.all((pairs.smooth | zero).reshape(x.shape), axis=1)
    found: FloatArray = np.where(pairs.smooth & ~zero, pairs.step, 0.0).reshape(x.shape)
    return slopes, evaluations, found, smooth, pairs.weak.reshape(x.shape)
