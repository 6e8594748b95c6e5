"""A piece of the data sets made ready to fit: cast, weighted, freed of missing points, with somewhere to start."""

import math
from typing import Any, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from .._input.bounds import Bounds
from .._input.parameters import Guess, Start
from .._input.pieces import Piece
from .._input.validate import MOST_DATA, FloatArray, real_array
from .._models.model import Model
from .._models.start_of_counts import positive_start
from .._solver import codes, kernel
from .._solver.data import that_count
from .._solver.kernel import TO_FIT


class Block(NamedTuple):
    """Data sets to fit, one in each row; predictors and weights with one row are shared by all."""

    x: tuple[FloatArray, ...]
    y: FloatArray
    # Reciprocal standard deviations: no rows where there are none; 0 leaves a point out.
    weights: FloatArray
    p0: FloatArray
    # Bounds of each fit, None where there are none; equal ones fix a parameter.
    box: Bounds | None
    # The same as lanes take them, (rows, 2, N): no rows where there are none, one row for all, or one for each.
    bounds: FloatArray
    # How many points of each data set count, and why it is not fitted, or TO_FIT.
    points: NDArray[np.intc]
    status: NDArray[np.intc]

    def weights_of(self, fit: int) -> FloatArray | None:
        """Return the weights of one fit, None where there are none."""
        rows = len(self.weights)
        return None if rows == 0 else self.weights[min(fit, rows - 1)]

    def box_of(self, fits: Any) -> Bounds | None:
        """Return the bounds of a fit, or of some; None where there are none."""
        return None if self.box is None else self.box.rows(fits)

    def predictors_of(self, fit: int) -> tuple[FloatArray, ...]:
        """Return the predictors of one fit."""
        return tuple([x[min(fit, len(x) - 1)] for x in self.x])


class Ready(NamedTuple):
    """A piece that is ready to be fitted, so that no guess is asked twice."""

    start: int
    block: Block

    @property
    def fits(self) -> int:
        """Return the number of data sets."""
        return len(self.block.y)


def prepare_block(piece: Piece, nan_policy: str, begin: Start, guess_each: bool, are_counts: bool = False) -> Block:
    """Make a piece ready to fit; the rule of `begin` is asked for all data sets at once, or for each.

    Observations that are counts must not be negative.
    """
    x = tuple([real_array(predictor, "xdata") for predictor in piece.x])
    rows = (piece.fits, piece.y.shape[1])
    y = real_array(piece.y if piece.y.shape == rows else np.broadcast_to(piece.y, rows), "ydata")
    status = np.empty(piece.fits, dtype=np.intc)
    status.fill(TO_FIT)
    finite = kernel.all_below(y, MOST_DATA)
    whole = finite and piece.mask is None and all([kernel.all_below(predictor, math.inf) for predictor in x])
    missing = None if whole else _missing(piece, x, y)
    if missing is not None:
        if nan_policy == "raise":
            first = int(np.flatnonzero(missing.any(axis=1))[0])
            raise ValueError(
                f"nan_policy='raise': the data hold missing values (NaN or masked), {int(missing.sum())} of them in "
                f"{int(missing.any(axis=1).sum())} data sets, such as number {piece.numbers[first]} (counted from 0); "
                f"nan_policy='omit' leaves these points out"
            )
        if nan_policy == "propagate":
            status[missing.any(axis=1)] = codes.DATA_NOT_USABLE
        y = np.where(missing, np.nan, y)
    if piece.absent is not None:
        missing = piece.absent if missing is None else missing | piece.absent
        y = np.where(missing, np.nan, y)
    weights = _weights(piece, missing, status)
    p0 = _start(piece, x, y, weights, begin, guess_each, are_counts)
    box, bounds = _box(piece, begin, p0, status)
    if missing is not None:
        y[missing] = 0.0
        weights = np.where(missing, 0.0, weights if len(weights) else 1.0)
    if not finite:
        counts = weights if len(weights) else np.ones((1, 1))
        status[(~(np.abs(y) < MOST_DATA) & (counts != 0)).any(axis=1)] = codes.DATA_NOT_USABLE
    if are_counts:
        status[(y < 0).any(axis=1) & (status == TO_FIT)] = codes.COUNTS_NEGATIVE
    points, free = _count_points(weights, y), _count_free(box, p0)
    if len(weights) or y.shape[1] < p0.shape[1]:
        status[(points < free) & (status == TO_FIT)] = codes.TOO_FEW_POINTS
    if not kernel.all_below(p0, math.inf):
        status[~np.isfinite(p0).all(axis=1) & (status == TO_FIT)] = codes.P0_NOT_FINITE
    return Block(x, y, weights, p0, box, bounds, points, status)


def _box(piece: Piece, begin: Start, p0: FloatArray, status: NDArray[np.intc]) -> tuple[Bounds | None, FloatArray]:
    """Return bounds, which equal the start where that is fixed; move starts into them that nobody gave."""
    n = p0.shape[1]
    if piece.lower is None and not np.count_nonzero(begin.fixed):
        return None, np.empty((0, 2, n))
    lower = np.full((1, n), -np.inf) if piece.lower is None else piece.lower
    upper = np.full((1, n), np.inf) if piece.upper is None else piece.upper
    box = Bounds(_for_each(lower, len(p0)), _for_each(upper, len(p0)))
    outside = (p0 < box.lower) | (p0 > box.upper)
    if outside.any():
        moved = outside & (~begin.given | (box.lower == box.upper))
        p0[:] = np.where(moved, np.clip(p0, *box), p0)
        status[(outside & ~moved).any(axis=1) & (status == TO_FIT)] = codes.INFEASIBLE
    if begin.fixed.any():
        lower, upper = box = Bounds(*(np.where(begin.fixed, p0, side) for side in box))
    return box, np.stack((lower, upper), axis=1, dtype=np.float64)


def _for_each(rows: NDArray[Any], fits: int) -> FloatArray:
    """Return a row for each fit, of one for all or one for each: in full, because NumPy is quick with that."""
    each: FloatArray = np.repeat(rows, fits, axis=0) if len(rows) < fits else np.ascontiguousarray(rows)
    return each.astype(np.float64, copy=False)


def _weights(piece: Piece, missing: NDArray[np.bool_] | None, status: NDArray[np.intc]) -> FloatArray:
    """Return what to multiply residuals with, and note data sets whose standard deviations are no such thing."""
    if piece.sigma is None:
        return np.empty((0, piece.y.shape[1]))
    sigma = np.ascontiguousarray(piece.sigma, dtype=np.float64)
    weights: FloatArray = 1.0 / sigma
    if sigma.size and sigma.min() > 0 and kernel.all_below(weights, math.inf):
        return weights
    unusable = ~((sigma > 0) & (weights < np.inf))
    if unusable.any():
        weights[unusable] = 0.0
        counts = unusable if missing is None else unusable & ~missing
        if len(sigma) == 1 and counts.any():
            refuse_deviations(sigma, unusable)
        status[np.broadcast_to(counts.any(axis=1), status.shape)] = codes.DATA_NOT_USABLE
    return weights


def refuse_deviations(sigma: FloatArray, unusable: NDArray[np.bool_]) -> NoReturn:
    """Raise because of standard deviations that are none."""
    raise ValueError(
        f"sigma must be positive, and more than tiny: {int(unusable.sum())} of {sigma.size} standard deviations are "
        f"not, the first is {sigma[unusable][0]}. To leave out a point, make its sigma infinite"
    )


def _missing(piece: Piece, x: tuple[FloatArray, ...], y: FloatArray) -> NDArray[np.bool_] | None:
    """Return where observations or predictors are NaN or masked; None where that is nowhere."""
    missing: NDArray[np.bool_] = np.isnan(y)
    for predictor in x:
        missing = missing | np.isnan(predictor)
    if piece.mask is not None:
        missing = missing | piece.mask
    if piece.absent is not None:
        missing = missing & ~piece.absent
    return missing if missing.any() else None


def _start(
    piece: Piece,
    x: tuple[FloatArray, ...],
    y: FloatArray,
    weights: FloatArray,
    begin: Start,
    each: bool,
    are_counts: bool,
) -> FloatArray:
    """Return the parameters to start from, one row for each fit: those given, the others by the rule."""
    n, guess = begin.given.size, begin.guess
    if piece.p0 is not None:
        given = np.empty((piece.fits, n))
        given[...] = piece.p0
    if np.count_nonzero(begin.given) == n:
        return given
    if guess is None:
        raise RuntimeError("there is neither a start nor a rule for one; please report this")
    start = np.zeros((piece.fits, n)) if y.shape[1] == 0 else _guessed(guess, x, y, weights, piece.absent, n, each)
    model = getattr(guess, "__self__", None)
    if are_counts and isinstance(model, Model) and y.shape[1]:
        start = positive_start(model, x, y, start)
    if begin.given.any():
        start[:, begin.given] = given[:, begin.given]
    return start


def _guessed(
    guess: Guess,
    x: tuple[FloatArray, ...],
    y: FloatArray,
    weights: FloatArray,
    absent: NDArray[np.bool_] | None,
    n: int,
    each: bool,
) -> FloatArray:
    """Return what a rule gives for all data sets."""
    # A guess of the user's may do with its data as it likes.
    ours = isinstance(getattr(guess, "__self__", None), Model)
    own = that_count(y, weights) if ours else y.copy()
    if each:
        rows = []
        for i, row in enumerate(own):
            keep = slice(None) if absent is None else ~absent[i]
            if row[keep].size == 0:
                rows.append(np.zeros(n))
                continue
            one = guess(as_argument(tuple(p[min(i, len(p) - 1)][keep] for p in x)), row[keep])
            rows.append(real_array(one, "p0(x, y)"))
        start = np.array(rows)
    else:
        shared = tuple(p[0] if len(p) == 1 else p for p in x)
        given = as_argument(shared) if not ours else shared if len(shared) > 1 else shared[0]
        start = real_array(guess(given, own), "p0(x, y)")
    if start.shape[-1:] != (n,) or start.ndim > 2 or (start.ndim == 2 and len(start) not in (1, len(y))):
        wanted = f"({n},)" if each else f"{(len(y), n)}"
        raise ValueError(
            f"p0(x, y) returned an array of shape {start.shape[1:] if each else start.shape}, expected {wanted}: {n} "
            f"parameters" + ("" if each else f" for each of the {len(y)} data sets, which are the rows of y")
        )
    return np.array(np.broadcast_to(start, (len(y), n)))


def as_argument(predictors: tuple[FloatArray, ...]) -> Any:
    """Return predictors as models take them, one array, or a tuple of several: copies, which they may change."""
    copies = tuple([predictor.copy() for predictor in predictors])
    return copies[0] if len(copies) == 1 else copies


def _count_points(weights: FloatArray, y: FloatArray) -> NDArray[np.intc]:
    if len(weights) == 0 or np.count_nonzero(weights) == weights.size:
        points = np.empty(len(y), dtype=np.intc)
        points.fill(y.shape[1])
        return points
    return np.broadcast_to(np.count_nonzero(weights, axis=1).astype(np.intc), len(y)).copy()


def _count_free(box: Bounds | None, p0: FloatArray) -> Any:
    """Return how many parameters are not fixed: a number, or one for each fit."""
    if box is None or not np.count_nonzero(box.lower == box.upper):
        return p0.shape[1]
    return np.count_nonzero(box.free, axis=1)
