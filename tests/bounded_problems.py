"""Least-squares problems with bounds, their least known sums of squares, and what holds at a solution.

Functions and most boxes are from the literature: [HS] problems of Hock and Schittkowski and [S] of Schittkowski; [G]
the functions of Moré, Garbow and Hillstrom with boxes as in Gay, and some with boxes of our own, which cut the
unbounded solution off; [N] data of NIST with boxes that do. The least sums of squares are the best of some dozens of
starts each, polished to rounding.

References: W. Hock, K. Schittkowski, Test Examples for Nonlinear Programming Codes, LNEMS 187 (1981); K. Schittkowski,
More Test Examples, LNEMS 282 (1987); D. M. Gay, A trust-region approach to linearly constrained optimization, LNM 1066
(1984) 72-105; J. J. Moré, B. S. Garbow, K. E. Hillstrom, ACM Trans. Math. Softw. 7 (1981) 17-41.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

import problems as mgh

Array = NDArray[np.float64]
INF = np.inf


@dataclass(frozen=True)
class BoundedProblem:
    """One problem in its box; `minimum` is the least known sum of squares."""

    name: str
    func: Callable[[Array], Array]
    jac: Callable[[Array], Array]
    x0: Array
    lower: Array
    upper: Array
    minimum: float

    @property
    def n(self) -> int:
        return self.x0.size

    def __str__(self) -> str:
        return self.name

    def at_least(self, x: Array) -> bool:
        """Tell whether the sum of squares at `x` is the least known, to a millionth of itself or of the start's."""
        size = np.sum(self.func(self.x0) ** 2)
        return bool(np.sum(self.func(x) ** 2) <= self.minimum * (1 + 1e-6) + 1e-10 * min(1, size))


def is_kkt(problem: BoundedProblem, x: Array, cosine: float = 2e-4) -> bool:
    """Tell whether `x` is a Karush-Kuhn-Tucker point: nothing falls along any side of the box that is open.

    Reductions below ftol = 1.5e-8 of the sum of squares leave cosines of its square root. Where the sum of squares is
    zero to rounding, any direction is as good as another.
    """
    if not (np.all(problem.lower <= x) and np.all(x <= problem.upper)):
        return False
    f, jac = problem.func(x), problem.jac(x)
    norm = np.linalg.norm(f)
    if norm <= 1e-6 * min(1, np.linalg.norm(problem.func(problem.x0))):
        return True
    columns = np.linalg.norm(jac, axis=0)
    slopes = jac.T @ f / np.where(columns > 0, columns, 1) / norm
    held = ((x == problem.lower) & (slopes > 0)) | ((x == problem.upper) & (slopes < 0))
    return bool(np.all(np.abs(slopes[~held]) <= cosine))


def complex_step(func: Callable[[Array], Array]) -> Callable[[Array], Array]:
    """Return derivatives to full precision, for functions that are analytic."""

    def jac(x: Array) -> Array:
        return np.column_stack([func(x + 1e-30j * unit).imag / 1e-30 for unit in np.eye(x.size)])

    return jac


def beale(x):
    return np.array([1.5, 2.25, 2.625]) - x[0] * (1 - x[1] ** np.arange(1, 4))


def wood(x):
    return np.array(
        [
            10 * (x[1] - x[0] ** 2),
            1 - x[0],
            np.sqrt(90) * (x[3] - x[2] ** 2),
            1 - x[2],
            np.sqrt(10) * (x[1] + x[3] - 2),
            (x[1] - x[3]) / np.sqrt(10),
        ]
    )


def powell_badly_scaled(x):
    return np.array([1e4 * x[0] * x[1] - 1, np.exp(-x[0]) + np.exp(-x[1]) - 1.0001])


def brown_badly_scaled(x):
    return np.array([x[0] - 1e6, x[1] - 2e-6, x[0] * x[1] - 2])


def gaussian_15(x):
    half = [0.0009, 0.0044, 0.0175, 0.0540, 0.1295, 0.2420, 0.3521]
    return x[0] * np.exp(-x[1] * ((7 - np.arange(15)) / 2 - x[2]) ** 2 / 2) - np.array([*half, 0.3989, *half[::-1]])


def gulf(x):
    """Gulf research and development, also problem 25 of Hock and Schittkowski."""
    t = np.arange(1, 100) / 100
    return np.exp(-((25 + (-50 * np.log(t)) ** (2 / 3) - x[1]) ** x[2]) / x[0]) - t


def biggs(x):
    t = np.arange(1, 14) / 10
    y = np.exp(-t) - 5 * np.exp(-10 * t) + 3 * np.exp(-4 * t)
    return x[2] * np.exp(-t * x[0]) - x[3] * np.exp(-t * x[1]) + x[5] * np.exp(-t * x[4]) - y


def biggs_5(x):
    return biggs(np.append(x, 3))


def variably_dimensioned(x):
    sum_of_all = np.sum(np.arange(1, x.size + 1) * (x - 1))
    return np.concatenate([x - 1, [sum_of_all, sum_of_all**2]])


def trigonometric(x):
    return x.size - np.sum(np.cos(x)) + np.arange(1, x.size + 1) * (1 - np.cos(x)) - np.sin(x)


def penalty_2(x):
    i = np.arange(2, x.size + 1)
    y = np.exp(i / 10) + np.exp((i - 1) / 10)
    return np.concatenate(
        [
            [x[0] - 0.2],
            np.sqrt(1e-5) * (np.exp(x[1:] / 10) + np.exp(x[:-1] / 10) - y),
            np.sqrt(1e-5) * (np.exp(x[1:] / 10) - np.exp(-0.1)),
            [np.sum(np.arange(x.size, 0, -1) * x**2) - 1],
        ]
    )


def data_fit(model, x, y):
    """Return the residuals of a model for data of NIST."""
    predictor, observed = np.array(x, dtype=float), np.array(y, dtype=float)
    return lambda b: model(b, predictor) - observed


MISRA1A = data_fit(
    lambda b, x: b[0] * (1 - np.exp(-b[1] * x)),
    [77.6, 114.9, 141.1, 190.8, 239.9, 289.0, 332.8, 378.4, 434.8, 477.3, 536.8, 593.1, 689.1, 760.0],
    [10.07, 14.73, 17.94, 23.93, 29.61, 35.18, 40.02, 44.82, 50.76, 55.05, 61.01, 66.40, 75.47, 81.78],
)
BOXBOD = data_fit(lambda b, x: b[0] * (1 - np.exp(-b[1] * x)), [1, 2, 3, 5, 7, 10], [109, 149, 149, 191, 213, 224])
DANWOOD = data_fit(
    lambda b, x: b[0] * x ** b[1],
    [1.309, 1.471, 1.490, 1.565, 1.611, 1.680],
    [2.138, 3.421, 3.597, 4.340, 4.882, 5.660],
)
RAT42 = data_fit(
    lambda b, x: b[0] / (1 + np.exp(b[1] - b[2] * x)),
    [9, 14, 21, 28, 42, 57, 63, 70, 79],
    [8.93, 10.8, 18.59, 22.33, 39.35, 56.11, 61.73, 64.62, 67.08],
)
RAT43 = data_fit(
    lambda b, x: b[0] / (1 + np.exp(b[1] - b[2] * x)) ** (1 / b[3]),
    np.arange(1, 16),
    [16.08, 33.83, 65.8, 97.2, 191.55, 326.2, 386.87, 520.53, 590.03, 651.92, 724.93, 699.56, 689.96, 637.56, 717.41],
)
ECKERLE4_Y = """
0.0001575 0.0001699 0.0002350 0.0003102 0.0004917 0.0008710 0.0017418 0.0046400 0.0065895 0.0097302 0.0149002
0.0237310 0.0401683 0.0712559 0.1264458 0.2073413 0.2902366 0.3445623 0.3698049 0.3668534 0.3106727 0.2078154
0.1164354 0.0616764 0.0337200 0.0194023 0.0117831 0.0074357 0.0022732 0.0008800 0.0004579 0.0002345 0.0001586
0.0001143 0.0000710"""
ECKERLE4 = data_fit(
    lambda b, x: b[0] / b[1] * np.exp(-0.5 * ((x - b[2]) / b[1]) ** 2),
    [*range(400, 436, 5), *np.arange(436.5, 466, 1.5), *range(470, 501, 5)],
    ECKERLE4_Y.split(),
)
# Lanczos's sum of three exponentials, to five digits as in Lanczos3.
T_LANCZOS = np.arange(24) * 0.05
LANCZOS = data_fit(
    lambda b, x: b[0] * np.exp(-b[1] * x) + b[2] * np.exp(-b[3] * x) + b[4] * np.exp(-b[5] * x),
    T_LANCZOS,
    np.round(0.0951 * np.exp(-T_LANCZOS) + 0.8607 * np.exp(-3 * T_LANCZOS) + 1.5576 * np.exp(-5 * T_LANCZOS), 4),
)

# name, function and starting point of ours, or a row of `problems`; lower and upper bounds.
BOXES = [
    ("HS1", (mgh.rosenbrock, 2, 2), [-2, 1], [-INF, -1.5], INF),
    ("HS2", (mgh.rosenbrock, 2, 2), [-2, 1.5], [-INF, 1.5], INF),
    ("HS25", gulf, [100, 12.5, 3], [0.1, 0, 0], [100, 25.6, 5]),
    ("HS38", wood, [-3, -1, -3, -1], -10, 10),
    ("S229", (mgh.rosenbrock, 2, 2), None, -2, 2),
    ("S242", (mgh.box_3d, 3, 10), [2.5, 10, 10], 0, 10),
    ("S267", biggs_5, [2, 2, 2, 2, 2], [0, 0, 0, -INF, 0], [15, 15, 15, 15, 15]),
    ("S307", (mgh.jennrich_sampson, 2, 10), [0.25, 0.4], 0, [0.26, 5]),
    ("S358", (mgh.osborne_1, 5, 33), None, [-0.5, 1.5, -2, 0.001, 0.001], [0.5, 2.5, -1, 0.1, 0.1]),
    ("S379", (mgh.osborne_2, 11, 65), None, 0, INF),
    ("rosenbrock-G", (mgh.rosenbrock, 2, 2), None, [-50, 0], [0.5, 100]),
    ("helical-valley-G", (mgh.helical_valley, 3, 3), None, [-100, -1, -1], [0.8, 1, 1]),
    ("powell-singular-G", (mgh.powell_singular, 4, 4), [3, -1, 0, 1], [0.1, -20, -1, -1], [100, 20, 1, 50]),
    ("box-3d-G", (mgh.box_3d, 3, 10), [0, 9, 20], [0, 5, 0], [2, 9.5, 20]),
    ("brown-dennis-G", (mgh.brown_dennis, 4, 20), [25, 5, -5, -1], [-10, 0, -100, -20], [100, 15, 0, 0.2]),
    ("gulf-G", gulf, [5, 2.5, 0.15], [0.1, 0, 0], 10),
    ("biggs-G", biggs, [1, 2, 1, 1, 1, 1], [0, 0, 0, 1, 0, 0], [2, 8, 1, 7, 5, 5]),
    ("gaussian-G", gaussian_15, [0.4, 1, 0], [0.398, 1, -0.5], [4.2, 2, 0.1]),
    ("powell-badly-scaled-G", powell_badly_scaled, [0, 1], [0, 1], [1, 9]),
    ("brown-badly-scaled-G", brown_badly_scaled, [1, 1], [0, 3e-5], [1e6, 100]),
    ("beale-G", beale, [1, 1], [0.6, 0.5], [10, 100]),
    ("wood-G", wood, [-3, -1, -3, -1], -100, [0, 10, 100, 100]),
    ("penalty-2-G", penalty_2, [0.5, 0.5, 0.5, 0.5], [-10, 0.3, 0, -1], [50, 50, 50, 0.5]),
    ("rosenbrock-corner", (mgh.rosenbrock, 2, 2), [-2, 2], [-INF, 1.2], [0.8, 2]),
    ("rosenbrock-left", (mgh.rosenbrock, 2, 2), [-1.2, 0.5], -2, [-0.5, INF]),
    ("freudenstein-roth-near", (mgh.freudenstein_roth, 2, 2), [0.5, -2], -INF, [INF, 3]),
    ("freudenstein-roth-corner", (mgh.freudenstein_roth, 2, 2), [0.5, -2], [0, -5], [10, -1]),
    ("bard-lower", (mgh.bard, 3, 15), None, [0.1, 0, 0], [INF, INF, 2]),
    ("bard-corner", (mgh.bard, 3, 15), None, [0.1, 0.3, 0.5], [1, 1, 1.5]),
    ("kowalik-osborne-zero", (mgh.kowalik_osborne, 4, 11), None, [0, 0, 0, 0.2], 0.42),
    ("kowalik-osborne-cut", (mgh.kowalik_osborne, 4, 11), None, 0.13, 0.5),
    ("meyer-cut", (mgh.meyer, 3, 16), None, [0.01, 1000, 200], [0.1, 6000, 340]),
    ("watson-6", (mgh.watson, 6, 31), None, [-0.015, 0, -0.5, 0, -2, 0], [1, 1, 1, 1, 0, 1]),
    ("watson-9", (mgh.watson, 9, 31), None, -1, 1),
    ("box-3d-cut", (mgh.box_3d, 3, 10), [0, 5, 5], 0, [0.8, 8, 20]),
    ("jennrich-sampson-cut", (mgh.jennrich_sampson, 2, 10), [0.3, 0.4], [0.28, -1], 1),
    ("chebyquad-8", (mgh.chebyquad, 8, 8), None, 0.05, 0.9),
    ("chebyquad-4", (mgh.chebyquad, 4, 6), None, [0, 0.3, 0.5, 0.5], [0.1, 0.4, 0.6, 1]),
    ("brown-almost-linear-10", (mgh.brown_almost_linear, 10, 10), None, 0, 0.95),
    ("variably-dimensioned-10", variably_dimensioned, 1 - np.arange(1, 11) / 10, 0, np.r_[0.5, np.full(9, 2)]),
    ("trigonometric-5", trigonometric, np.full(5, 0.2), 0.05, 0.5),
    ("linear-full-rank", (mgh.linear_full_rank, 5, 10), None, np.arange(-3.0, 2), 2),
    ("linear-rank-1", (mgh.linear_rank_1, 5, 10), None, 0.1, 2),
    ("misra1a-amplitude-N", MISRA1A, [500, 1e-4], 0, [220, 1]),
    ("misra1a-rate-N", MISRA1A, [250, 7e-4], [0, 6e-4], INF),
    ("boxbod-amplitude-N", BOXBOD, [100, 0.75], [0, 0.1], [200, 5]),
    ("boxbod-rate-N", BOXBOD, [100, 0.75], [0, 0.6], INF),
    ("danwood-N", DANWOOD, [1, 3.5], 0, [INF, 3.8]),
    ("rat42-N", RAT42, [70, 1, 0.05], 0, [70, 5, 0.2]),
    ("rat43-shape-N", RAT43, [650, 5, 0.75, 1], 0, [INF, 20, 5, 1.05]),
    ("rat43-ceiling-N", RAT43, [650, 5, 0.75, 1.3], [0, 0, 0, 0.5], [690, 20, 5, 3]),
    ("eckerle4-width-N", ECKERLE4, [1.5, 5, 450], [0, 4.5, 400], [10, 10, 500]),
    ("eckerle4-centre-N", ECKERLE4, [1, 10, 460], [0, 0.1, 452], [INF, INF, 500]),
    ("mgh10-far-N", (mgh.meyer, 3, 16), [0.02, 4000, 250], [0, 0, 0], [0.004, 10000, 1000]),
    ("lanczos-N", LANCZOS, [1.2, 0.3, 5.6, 5.5, 6.5, 7.6], [0, 0.5, 0, 2, 0, 4], [INF, 1.5, INF, 2.5, INF, 8]),
]
MINIMA = {
    "HS1": 0,
    "HS2": 0.05042618789,
    "HS25": 0,
    "HS38": 0,
    "S229": 0,
    "S242": 0,
    "S267": 0,
    "S307": 124.3621824,
    "S358": 5.464894697e-05,
    "S379": 0.04013773629,
    "rosenbrock-G": 0.25,
    "helical-valley-G": 0.990422121,
    "powell-singular-G": 0.0001878196301,
    "box-3d-G": 0.0001143481803,
    "brown-dennis-G": 88860.47977,
    "gulf-G": 5.121685716,
    "biggs-G": 0.0005320986591,
    "gaussian-G": 1.12793277e-08,
    "powell-badly-scaled-G": 1.512593672e-10,
    "brown-badly-scaled-G": 783.9999993,
    "beale-G": 0,
    "wood-G": 1.5567008,
    "penalty-2-G": 9.434204671e-06,
    "rosenbrock-corner": 4.381725042,
    "rosenbrock-left": 2.25,
    "freudenstein-roth-near": 48.98425368,
    "freudenstein-roth-corner": 50,
    "bard-lower": 0.009582284721,
    "bard-corner": 4.129394941,
    "kowalik-osborne-zero": 0.000331535094,
    "kowalik-osborne-cut": 0.0003078307235,
    "meyer-cut": 3215.736957,
    "watson-6": 0.002639594683,
    "watson-9": 5.929367506e-06,
    "box-3d-cut": 0.02790735848,
    "jennrich-sampson-cut": 127.0055479,
    "chebyquad-8": 0.007531524749,
    "chebyquad-4": 0.03430599923,
    "brown-almost-linear-10": 2.883512044,
    "variably-dimensioned-10": 0.2506493507,
    "trigonometric-5": 0,
    "linear-full-rank": 10,
    "linear-rank-1": 711.25,
    "misra1a-amplitude-N": 0.735290194,
    "misra1a-rate-N": 0.6080548607,
    "boxbod-amplitude-N": 1520.500295,
    "boxbod-rate-N": 1220.288197,
    "danwood-N": 0.005807059879,
    "rat42-N": 11.36436338,
    "rat43-shape-N": 8880.809872,
    "rat43-ceiling-N": 9112.213789,
    "eckerle4-width-N": 0.004549385086,
    "eckerle4-centre-N": 0.00585054349,
    "mgh10-far-N": 1034.196891,
    "lanczos-N": 1.297815974e-07,
}


def bounded_problems() -> list[BoundedProblem]:
    """List all problems."""
    listed = []
    for name, function, start, lower, upper in BOXES:
        if isinstance(function, tuple):
            make, n, m = function
            func, jac, standard = make(n, m)
        else:
            func, jac, standard = function, complex_step(function), None
        x0 = np.array(standard if start is None else start, dtype=float)
        low, high = (np.array(np.broadcast_to(np.asarray(b, dtype=float), x0.shape)) for b in (lower, upper))
        listed.append(BoundedProblem(name, func, jac, np.clip(x0, low, high), low, high, MINIMA.get(name, np.nan)))
    return listed
