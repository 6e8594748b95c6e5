"""The 18 least-squares problems of Moré, Garbow and Hillstrom, with their Jacobians and standard starts.

Reference: J. J. Moré, B. S. Garbow, K. E. Hillstrom, Testing unconstrained optimization software,
ACM Trans. Math. Softw. 7 (1981) 17-41. The list of 28 rows (53 runs) is that of the MINPACK project.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Problem:
    """One problem of one size from one start."""

    name: str
    func: Callable[[Array], Array]
    jac: Callable[[Array], Array]
    x0: Array
    m: int

    @property
    def n(self) -> int:
        return self.x0.size

    def __str__(self) -> str:
        return self.name


def linear_full_rank(n, m):
    matrix = -2 / m * np.ones((m, n))
    matrix[:n] += np.eye(n)
    return lambda x: matrix @ x - 1, lambda x: matrix.copy(), np.ones(n)


def linear_rank_1(n, m):
    matrix = np.outer(np.arange(1.0, m + 1), np.arange(1.0, n + 1))
    return lambda x: matrix @ x - 1, lambda x: matrix.copy(), np.ones(n)


def linear_rank_1_zeros(n, m):
    rows, columns = np.arange(0.0, m), np.arange(1.0, n + 1)
    rows[-1] = columns[0] = columns[-1] = 0
    matrix = np.outer(rows, columns)
    return lambda x: matrix @ x - 1, lambda x: matrix.copy(), np.ones(n)


def rosenbrock(n, m):
    def func(x):
        return np.array([10 * (x[1] - x[0] ** 2), 1 - x[0]])

    def jac(x):
        return np.array([[-20 * x[0], 10.0], [-1.0, 0.0]])

    return func, jac, np.array([-1.2, 1.0])


def helical_valley(n, m):
    def func(x):
        if x[0] == 0:
            theta = np.copysign(0.25, x[1])
        else:
            theta = np.arctan(x[1] / x[0]) / (2 * np.pi) + (0.5 if x[0] < 0 else 0.0)
        return np.array([10 * (x[2] - 10 * theta), 10 * (np.hypot(x[0], x[1]) - 1), x[2]])

    def jac(x):
        square = x[0] ** 2 + x[1] ** 2
        radius, turn = np.sqrt(square), 2 * np.pi * square
        return np.array(
            [
                [100 * x[1] / turn, -100 * x[0] / turn, 10.0],
                [10 * x[0] / radius, 10 * x[1] / radius, 0.0],
                [0.0, 0.0, 1.0],
            ]
        )

    return func, jac, np.array([-1.0, 0.0, 0.0])


def powell_singular(n, m):
    root5, root10 = np.sqrt(5), np.sqrt(10)

    def func(x):
        return np.array(
            [
                x[0] + 10 * x[1],
                root5 * (x[2] - x[3]),
                (x[1] - 2 * x[2]) ** 2,
                root10 * (x[0] - x[3]) ** 2,
            ]
        )

    def jac(x):
        a, b = 2 * (x[1] - 2 * x[2]), 2 * root10 * (x[0] - x[3])
        return np.array([[1.0, 10.0, 0.0, 0.0], [0.0, 0.0, root5, -root5], [0.0, a, -2 * a, 0.0], [b, 0.0, 0.0, -b]])

    return func, jac, np.array([3.0, -1.0, 0.0, 1.0])


def freudenstein_roth(n, m):
    def func(x):
        return np.array(
            [
                -13 + x[0] + ((5 - x[1]) * x[1] - 2) * x[1],
                -29 + x[0] + ((1 + x[1]) * x[1] - 14) * x[1],
            ]
        )

    def jac(x):
        return np.array([[1.0, x[1] * (10 - 3 * x[1]) - 2], [1.0, x[1] * (2 + 3 * x[1]) - 14]])

    return func, jac, np.array([0.5, -2.0])


def bard(n, m):
    y = np.array([0.14, 0.18, 0.22, 0.25, 0.29, 0.32, 0.35, 0.39, 0.37, 0.58, 0.73, 0.96, 1.34, 2.10, 4.39])
    u = np.arange(1.0, 16)
    v, w = 16 - u, np.minimum(u, 16 - u)

    def func(x):
        return y - (x[0] + u / (x[1] * v + x[2] * w))

    def jac(x):
        square = (x[1] * v + x[2] * w) ** 2
        return np.column_stack([-np.ones(15), u * v / square, u * w / square])

    return func, jac, np.ones(3)


KOWALIK_V = np.array([4.0, 2.0, 1.0, 0.5, 0.25, 0.167, 0.125, 0.1, 0.0833, 0.0714, 0.0625])
KOWALIK_Y = np.array([0.1957, 0.1947, 0.1735, 0.1600, 0.0844, 0.0627, 0.0456, 0.0342, 0.0323, 0.0235, 0.0246])


def kowalik_osborne(n, m):
    v, y = KOWALIK_V, KOWALIK_Y

    def func(x):
        return y - x[0] * v * (v + x[1]) / (v * (v + x[2]) + x[3])

    def jac(x):
        above, below = v * (v + x[1]), v * (v + x[2]) + x[3]
        return np.column_stack(
            [-above / below, -v * x[0] / below, x[0] * above * v / below**2, x[0] * above / below**2]
        )

    return func, jac, np.array([0.25, 0.39, 0.415, 0.39])


def meyer(n, m):
    y = np.array(
        [34780, 28610, 23650, 19630, 16370, 13720, 11540, 9744, 8261, 7030, 6005, 5147, 4427, 3820, 3307, 2872.0]
    )
    t = 45 + 5 * np.arange(1.0, 17)

    def func(x):
        return x[0] * np.exp(x[1] / (t + x[2])) - y

    def jac(x):
        d = t + x[2]
        e = np.exp(x[1] / d)
        return np.column_stack([e, x[0] * e / d, -x[0] * x[1] * e / d**2])

    return func, jac, np.array([0.02, 4000.0, 250.0])


def watson(n, m):
    t = np.arange(1.0, 30) / 29
    powers = t[:, None] ** np.arange(n)
    slopes = np.zeros((29, n))
    slopes[:, 1:] = np.arange(1, n) * powers[:, :-1]

    def func(x):
        return np.concatenate([slopes @ x - (powers @ x) ** 2 - 1, [x[0], x[1] - x[0] ** 2 - 1]])

    def jac(x):
        last = np.zeros((2, n))
        last[0, 0], last[1, 0], last[1, 1] = 1, -2 * x[0], 1
        return np.vstack([slopes - 2 * (powers @ x)[:, None] * powers, last])

    return func, jac, np.zeros(n)


def box_3d(n, m):
    t = np.arange(1.0, m + 1) / 10

    def func(x):
        return np.exp(-t * x[0]) - np.exp(-t * x[1]) + (np.exp(-10 * t) - np.exp(-t)) * x[2]

    def jac(x):
        return np.column_stack([-t * np.exp(-t * x[0]), t * np.exp(-t * x[1]), np.exp(-10 * t) - np.exp(-t)])

    return func, jac, np.array([0.0, 10.0, 20.0])


def jennrich_sampson(n, m):
    i = np.arange(1.0, m + 1)

    def func(x):
        return 2 + 2 * i - (np.exp(i * x[0]) + np.exp(i * x[1]))

    def jac(x):
        return np.column_stack([-i * np.exp(i * x[0]), -i * np.exp(i * x[1])])

    return func, jac, np.array([0.3, 0.4])


def brown_dennis(n, m):
    t = np.arange(1.0, m + 1) / 5

    def parts(x):
        return x[0] + t * x[1] - np.exp(t), x[2] + np.sin(t) * x[3] - np.cos(t)

    def func(x):
        a, b = parts(x)
        return a**2 + b**2

    def jac(x):
        a, b = parts(x)
        return np.column_stack([2 * a, 2 * a * t, 2 * b, 2 * b * np.sin(t)])

    return func, jac, np.array([25.0, 5.0, -5.0, -1.0])


def chebyquad(n, m):
    i = np.arange(1, m + 1)
    integral = np.where(i % 2 == 0, 1 / (1.0 - i**2 + (i == 1)), 0.0)

    def polynomials(x):
        z = 2 * x - 1
        values, slopes = [np.ones(n), z], [np.zeros(n), 2 * np.ones(n)]
        for _ in range(m - 1):
            slopes.append(4 * values[-1] + 2 * z * slopes[-1] - slopes[-2])
            values.append(2 * z * values[-1] - values[-2])
        return np.array(values[1 : m + 1]), np.array(slopes[1 : m + 1])

    def func(x):
        return polynomials(x)[0].sum(axis=1) / n - integral

    def jac(x):
        return polynomials(x)[1] / n

    return func, jac, np.arange(1.0, n + 1) / (n + 1)


def brown_almost_linear(n, m):
    def func(x):
        f = x + x.sum() - (n + 1)
        f[-1] = np.prod(x) - 1
        return f

    def jac(x):
        matrix = np.eye(n) + 1
        matrix[-1] = [np.prod(np.delete(x, j)) for j in range(n)]
        return matrix

    return func, jac, np.full(n, 0.5)


OSBORNE_1 = """
0.844 0.908 0.932 0.936 0.925 0.908 0.881 0.850 0.818 0.784 0.751 0.718 0.685 0.658 0.628 0.603 0.580 0.558
0.538 0.522 0.506 0.490 0.478 0.467 0.457 0.448 0.438 0.431 0.424 0.420 0.414 0.411 0.406"""


def osborne_1(n, m):
    y = np.array(OSBORNE_1.split(), dtype=float)
    t = 10.0 * np.arange(33)

    def func(x):
        return y - (x[0] + x[1] * np.exp(-t * x[3]) + x[2] * np.exp(-t * x[4]))

    def jac(x):
        e, g = np.exp(-t * x[3]), np.exp(-t * x[4])
        return np.column_stack([-np.ones(33), -e, -g, t * x[1] * e, t * x[2] * g])

    return func, jac, np.array([0.5, 1.5, -1.0, 0.01, 0.02])


OSBORNE_2 = """
1.366 1.191 1.112 1.013 0.991 0.885 0.831 0.847 0.786 0.725 0.746 0.679 0.608 0.655 0.616 0.606 0.602 0.626
0.651 0.724 0.649 0.649 0.694 0.644 0.624 0.661 0.612 0.558 0.533 0.495 0.500 0.423 0.395 0.375 0.372 0.391 0.396 0.405
0.428 0.429 0.523 0.562 0.607 0.653 0.672 0.708 0.633 0.668 0.645 0.632 0.591 0.559 0.597 0.625 0.739 0.710 0.729 0.720
0.636 0.581 0.428 0.292 0.162 0.098 0.054"""


def osborne_2(n, m):
    y = np.array(OSBORNE_2.split(), dtype=float)
    t = np.arange(65) / 10

    def func(x):
        peaks = sum(x[k] * np.exp(-x[k + 4] * (t - x[k + 7]) ** 2) for k in (1, 2, 3))
        return y - (x[0] * np.exp(-t * x[4]) + peaks)

    def jac(x):
        columns = np.empty((65, 11))
        decay = np.exp(-t * x[4])
        columns[:, 0], columns[:, 4] = -decay, t * x[0] * decay
        for k in (1, 2, 3):
            away = t - x[k + 7]
            peak = np.exp(-x[k + 4] * away**2)
            columns[:, k] = -peak
            columns[:, k + 4] = x[k] * away**2 * peak
            columns[:, k + 7] = -2 * x[k] * x[k + 4] * away * peak
        return columns

    return func, jac, np.array([1.3, 0.65, 0.65, 0.7, 0.6, 3.0, 5.0, 7.0, 2.0, 4.5, 5.5])


ROWS = [
    (linear_full_rank, 5, 10, 1),
    (linear_full_rank, 5, 50, 1),
    (linear_rank_1, 5, 10, 1),
    (linear_rank_1, 5, 50, 1),
    (linear_rank_1_zeros, 5, 10, 1),
    (linear_rank_1_zeros, 5, 50, 1),
    (rosenbrock, 2, 2, 3),
    (helical_valley, 3, 3, 3),
    (powell_singular, 4, 4, 3),
    (freudenstein_roth, 2, 2, 3),
    (bard, 3, 15, 3),
    (kowalik_osborne, 4, 11, 3),
    (meyer, 3, 16, 2),
    (watson, 6, 31, 3),
    (watson, 9, 31, 3),
    (watson, 12, 31, 3),
    (box_3d, 3, 10, 1),
    (jennrich_sampson, 2, 10, 1),
    (brown_dennis, 4, 20, 3),
    (chebyquad, 1, 8, 3),
    (chebyquad, 8, 8, 1),
    (chebyquad, 9, 9, 1),
    (chebyquad, 10, 10, 1),
    (brown_almost_linear, 10, 10, 3),
    (brown_almost_linear, 30, 30, 1),
    (brown_almost_linear, 40, 40, 1),
    (osborne_1, 5, 33, 1),
    (osborne_2, 11, 65, 1),
]


def runs() -> list[Problem]:
    """List the 53 runs: every row from its standard start, some also from 10 and 100 times that."""
    problems = []
    for make, n, m, starts in ROWS:
        for k in range(starts):
            func, jac, x0 = make(n, m)
            # Watson's standard start is the origin, whose multiples are taken of a vector of ones, as in MINPACK.
            start = x0 * 10**k if k == 0 or np.any(x0) else np.full(n, 10.0**k)
            problems.append(Problem(f"{make.__name__}-{n}-{m}-x{10**k}", func, jac, start, m))
    return problems
