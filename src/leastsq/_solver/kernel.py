"""The door to the compiled code: the only module that imports it.

Codes that both sides speak in, the sizes that the compiled code was built for, and the packed array of a fit. Exit
codes are in `codes`; `tests/test_kernel.py` compares both with minpack/kinds.f90.
"""

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .. import _minpack
from .._input.validate import FloatArray
from .level import chosen_level
from .problem import Options

# The copy of the compiled code that runs: the fastest here unless users choose; and the shape of its groups.
LEVEL: Final = chosen_level(_minpack.processor_level())
LANE_WIDTH, LANE_ROWS = _minpack.group_shape(LEVEL)
# Bounds of the compiled code: rows that are reduced together, fits of the widest group, and what a model has at most.
MOST_ROWS, MOST_WIDTH, MOST_PARAMETERS, MOST_PREDICTORS = _minpack.bounds()

# What the iteration asks its caller to do next.
DONE: Final = 0
RESIDUALS: Final = 1
JACOBIAN: Final = 2
NOT_READY: Final = 3  # an array has to be converted first, or has the wrong size

# Who makes Jacobians.
BY_DIFFERENCES: Final = 0
BY_CALLER: Final = 1
FOLDED_BY_CALLER: Final = 2

# What rows are folded for beside the iteration: the curvature of the cost, and the gradients of single points.
OF_CURVATURE: Final = 1
OF_GRADIENTS: Final = 2

# Profiles of peaks to look for.
GAUSSIAN: Final = 1
LORENTZIAN: Final = 2
MIXED: Final = 3  # half of both
MOFFAT: Final = 4
ELLIPTIC: Final = 5

# Families of functions to choose from, and how many functions they have; pairs of functions.
STRAIGHT: Final = 1
DECAYS: Final = 2  # or growth
SATURATIONS: Final = 3
POWERS: Final = 4
SIGMOIDS: Final = 5
STRETCHED: Final = 6
SEASONS: Final = 7
FUNCTIONS: Final = {STRAIGHT: 1, DECAYS: 32, SATURATIONS: 17, POWERS: 18, SIGMOIDS: 27, STRETCHED: 44, SEASONS: 66}
PARABOLAS: Final = 1
TWO_DECAYS: Final = 2

# The exit code of a fit that is still to be made, or under way.
TO_FIT: Final = -1000

# What is called for every evaluation or step goes through no further Python function.
all_below = _minpack.all_below
aligned = _minpack.aligned
row_norms = _minpack.row_norms
run = _minpack.run
take_residuals = _minpack.take_residuals
take_jacobian = _minpack.take_jacobian
take_values = _minpack.take_values
take_slopes = _minpack.take_slopes
with_data = _minpack.with_data
residual_function = _minpack.residual_function
outcome = _minpack.outcome
positions = _minpack.positions
covariance_matrix = _minpack.covariance_matrix
take_norm = _minpack.take_norm
take_triangle = _minpack.take_triangle
model_sizes = _minpack.model_sizes
step_model = _minpack.step_model
evaluate_model = _minpack.evaluate_model
sum_functions = _minpack.sum_functions
evaluate_function = _minpack.evaluate_function
slot_size = _minpack.slot_size
open_slots = _minpack.open_slots
take_block = _minpack.take_block
take_block_slopes = _minpack.take_block_slopes
read_slots = _minpack.read_slots


class Triangle(NamedTuple):
    """Where in the packed array of a fit its results begin, and the pivots of its Jacobian."""

    x: int  # the best point so far
    f: int
    qtf: int
    r: int
    rows: int  # -1 where the Jacobian was folded
    pivots: NDArray[np.intc]


def begin(
    m: int,
    x0: FloatArray,
    analytic: int,
    options: Options,
    bounds: tuple[FloatArray, FloatArray] | None = None,
) -> FloatArray:
    """Set up the packed array of a fit of `m` residuals from `x0`, within (lower, upper) `bounds`."""
    return _minpack.begin(m, x0, analytic, options, 0.0, bounds)


def triangle_of(state: FloatArray, n: int) -> Triangle:
    """Say where the results of a fit of `n` parameters are."""
    return Triangle(*positions(state, n))


def fit_models(
    model: NDArray[np.int64],
    x: FloatArray,
    y: FloatArray,
    weights: FloatArray,
    p0: FloatArray,
    options: Options,
    interrupt: NDArray[np.intc],
    *outcome: Any,
    bounds: FloatArray,
) -> None:
    """Fit a compiled model to many data sets, whose best points, triangles, norms, counts and codes are filled in.

    Bounds, shape (rows, 2, N), have no rows, one for all, or one for each fit; equal ones fix a parameter.
    """
    work = aligned(model_sizes(model, p0.shape[1], x.shape[1], x.shape[2])[0])
    scaled, diag = options.scaling(p0[0])
    given = (model, x, y, weights, p0, scaled, diag, bounds, options.packed(), interrupt)
    arguments: tuple[Any, ...] = (LEVEL, *given, *outcome, work)
    _minpack.fit_models(*arguments)


def fold_rows(
    rows: FloatArray, head: FloatArray, loss: int = 0, f_scale: float = 1.0, counts: FloatArray | None = None
) -> float:
    """Fold rows into a triangle that is stored as in `Solutions`, and return the square root of their cost.

    `rows` are (N + 1, count): derivatives, and last residuals or, with the loss of counts, values.
    """
    y = rows[-1] if counts is None else counts
    return _minpack.fold_rows(rows, y, loss, f_scale, head, np.empty(len(rows) * MOST_ROWS))


def refold_models(
    model: NDArray[np.int64],
    x: FloatArray,
    y: FloatArray,
    weights: FloatArray,
    points: FloatArray,
    options: Options,
    purpose: int,
    wanted: NDArray[np.intc],
    interrupt: NDArray[np.intc],
    triangle: FloatArray,
    bounds: FloatArray,
) -> None:
    """Evaluate a compiled model once at `points`, and fill in triangles of the fits `wanted`, for a purpose."""
    work = aligned(model_sizes(model, points.shape[1], x.shape[1], x.shape[2])[0])
    given = (LEVEL, model, x, y, weights, points, bounds, options.packed())
    _minpack.refold_models(*given, purpose, wanted, interrupt, triangle, work)


def take_statistics(
    absolute: bool,
    limits: tuple[float, float],
    x: FloatArray,
    fnorm: FloatArray,
    points: NDArray[np.intc],
    triangles: FloatArray,
) -> tuple[FloatArray, FloatArray, NDArray[np.int8]]:
    """Return covariance matrices and relative offsets of fits, and marks of those for which they do not do.

    A fit is marked 1 where columns of its Jacobian are nearly dependent, 2 where a standard error by its parameter
    exceeds its limit.
    """
    fits, n = x.shape
    matrices, offsets, marks = np.empty((fits, n, n)), np.empty(fits), np.empty(fits, dtype=np.int8)
    work = np.empty(MOST_WIDTH * n * (2 * n + 1))
    given = (absolute, np.array(limits), x, fnorm, points, triangles)
    arguments: tuple[Any, ...] = (LEVEL, *given, matrices, offsets, marks, work)
    _minpack.take_statistics(*arguments)
    return matrices, offsets, marks


def find_peaks(profile: int, x: FloatArray, y: FloatArray) -> FloatArray:
    """Return amplitude, offset and centre of a peak in each row of `y`, and what says how wide it is.

    For one predictor these are the half width at half height and the skewness, for two the covariances xx, xy and yy as
    if it were Gaussian. Predictors are (1, D, M) or (B, D, M), and finite.
    """
    predictors, m = x.shape[1:]
    peaks = np.empty((len(y), 2 * predictors + 3))
    _minpack.find_peaks(LEVEL, profile, x, y, peaks, aligned(MOST_WIDTH * m * (predictors + 2)))
    return peaks


def find_tops(y: FloatArray, top: NDArray[np.intc]) -> NDArray[np.intc]:
    """Return how many points to either side of the tops to look at, which are found where they are negative."""
    half = np.empty(len(y), dtype=np.intc)
    _minpack.find_tops(y, top, half, np.empty(y.shape[1]))
    return half


def cut_windows(
    x: FloatArray, y: FloatArray, top: NDArray[np.intc], half: NDArray[np.intc], points: int
) -> tuple[FloatArray, FloatArray]:
    """Return so many points of x, (1, M) or (B, M), and y around the tops, of y NaN where there are none."""
    windows = np.empty((len(y), points)), np.empty((len(y), points))
    _minpack.cut_windows(x, y, top, half, *windows)
    return windows


def choose_functions(family: int, x: FloatArray, y: FloatArray) -> FloatArray:
    """Return which function of a family fits each row of `y` best, as six rows.

    These are its amplitude and the offset, two numbers that enter it nonlinearly, where its scaled predictor is 0, and
    what 1 stands for; of powers, the smallest and the largest predictor. Predictors are (1, M) or (B, M), and finite.
    """
    n, m, chosen = FUNCTIONS[family], y.shape[1], np.empty((len(y), 6))
    _minpack.choose_functions(LEVEL, family, x, y, chosen, aligned(MOST_WIDTH * (3 * m + 15 * n) + m * n))
    return chosen.T


def choose_planes(family: int, x: FloatArray, y: FloatArray) -> FloatArray:
    """Return which pair of functions fits each row of `y` best, as seven rows.

    These are both amplitudes and the offset, of decays both rates, the faster one first, where the scaled predictor is
    0, and what 1 stands for. Predictors are (1, M) or (B, M), and finite.
    """
    planes = np.empty((len(y), 7))
    _minpack.choose_planes(LEVEL, family, x, y, planes, aligned(MOST_WIDTH * 3 * y.shape[1]))
    return planes.T


def bin_deviations(x: FloatArray, y: FloatArray, last: int, places: int) -> FloatArray:
    """Return for each row of `y` its deviations from the mean in equally spaced places, of which the last is that of 1.

    Predictors are (1, M) or (B, M), from 0 to 1.
    """
    series = np.empty((len(y), places))
    _minpack.bin_deviations(last, x, y, series)
    return series


def find_largest_power(transform: NDArray[np.complex128], first: int, last: int) -> FloatArray:
    """Return for each row where its power is largest, from the first to the last number, and between these."""
    peak = np.empty(len(transform))
    _minpack.find_largest_power(first, last, transform.view(np.float64), peak)
    return peak


def fit_waves(
    x: FloatArray, y: FloatArray, cycles: FloatArray, allowed: FloatArray
) -> tuple[NDArray[np.intp], FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return for each row of `y` at which rate a wave dies away, amplitudes of its cosine and sine, offset and share.

    The rates that may be `allowed`, (1, K) or (B, K), are 0, 1, 3, 9 and 27 per range of the predictor, (1, M) or
    (B, M), which is from 0 to 1; `cycles` are per range, too. The share is that of the variance that is explained.
    """
    waves = np.empty((len(y), 5))
    _minpack.fit_waves(LEVEL, x, y, cycles, allowed, waves, _minpack.aligned(MOST_WIDTH * y.shape[1] * 3))
    which, cosine, sine, offset, share = waves.T
    return which.astype(np.intp), cosine, sine, offset, share
