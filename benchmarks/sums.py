"""Sums of models: `leastsq.curve_fit_many` against loops over SciPy with the same derivatives in NumPy.

    python benchmarks/sums.py [--quick] [--output DIR]

Noisy spectra from starts off by up to 10 %, in one process on one core, in turn; the loops fit as many data sets as
needed for a fifth of a second. A Gaussian on a line is also measured against the built-in Gaussian on a constant.
"""

from measure import arguments, caption, in_turn, pin, record, require, stopwatch  # isort: skip  (settles how numpy starts)

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.optimize
import scipy.special

import leastsq
from leastsq import models


@dataclass(frozen=True)
class Case:
    """Data sets, the model, and the same in NumPy with derivatives."""

    name: str
    model: Any
    formula: Callable[..., Any]
    jac: Callable[..., Any]
    x: Any
    y: Any
    p0: Any
    must: float
    aim: float | None = None


def peak(x: Any, amplitude: Any, center: Any, sigma: Any) -> tuple[Any, list[Any]]:
    """Return a Gaussian and its derivatives."""
    z = (x - center) / sigma
    e = np.exp(-0.5 * z**2)
    slope = amplitude * e * z / sigma
    return amplitude * e, [e, slope, slope * z]


def profile(x: Any, amplitude: Any, center: Any, sigma: Any, gamma: Any) -> tuple[Any, list[Any]]:
    """Return a Voigt profile and its derivatives."""
    root = sigma * np.sqrt(2)
    z, z0 = (x - center + 1j * gamma) / root, 1j * gamma / root
    w, w0 = scipy.special.wofz(z), scipy.special.wofz(z0).real
    slope, slope0 = -2 * z * w + 2j / np.sqrt(np.pi), -2 * z0 * w0 + 2j / np.sqrt(np.pi)
    shape = w.real / w0
    by_sigma = ((-z / sigma * slope).real - shape * (-z0 / sigma * slope0).real) / w0
    by_gamma = ((1j * slope).real - shape * (1j * slope0).real) / root / w0
    return amplitude * shape, [shape, -amplitude * slope.real / root / w0, amplitude * by_sigma, amplitude * by_gamma]


def on_a_line(*parts: tuple[Callable[..., Any], int]) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Return a sum of parts and a line, and its derivatives."""

    def pieces(x: Any, p: tuple[Any, ...]) -> list[Any]:
        found, at = [], 0
        for part, count in parts:
            found.append(part(x, *p[at : at + count]))
            at += count
        return found

    def formula(x: Any, *p: Any) -> Any:
        return sum(value for value, _ in pieces(x, p)) + p[-2] * x + p[-1]

    def jac(x: Any, *p: Any) -> Any:
        columns = [column for _, slopes in pieces(x, p) for column in slopes]
        return np.stack([*columns, x, np.ones_like(x)], axis=1)

    return formula, jac


def made(
    name: str, model: Any, numpy: Any, x: Any, ranges: list[tuple[float, float]], count: int, must: float, aim: float
) -> Case:
    """Make a case of random data sets."""
    rng = np.random.default_rng(20260101)
    truth = np.stack([rng.uniform(low, high, count) for low, high in ranges], axis=1)
    y = model(x, *truth.T[:, :, None]) + rng.normal(0, 0.03, (count, x.size))
    return Case(name, model, *numpy, x, y, truth * rng.uniform(0.9, 1.1, truth.shape), must, aim)


def cases() -> list[Case]:
    """Make all cases."""
    bare = models.gaussian.fix(offset=0.0)
    two = bare.prefix("left_") + bare.prefix("right_") + models.line
    x = np.linspace(0, 10, 100)
    slope, level = (-0.1, 0.1), (0.2, 1.0)
    left, right = [(2.0, 5.0), (2.0, 4.0), (0.4, 0.9)], [(2.0, 5.0), (6.0, 8.0), (0.4, 0.9)]
    voigt = [(2.0, 5.0), (4.0, 6.0), (0.4, 0.9), (0.2, 0.6)]
    lines = [slope, level]
    return [
        made(
            "two Gaussians + line, M=100", two, on_a_line((peak, 3), (peak, 3)), x, left + right + lines, 20_000, 50, 80
        ),
        made(
            "Voigt + line, M=100",
            models.voigt.fix(offset=0.0) + models.line,
            on_a_line((profile, 4)),
            x,
            voigt + lines,
            10_000,
            40,
            60,
        ),
    ]


def loop(case: Case, count: int) -> None:
    """Fit the first so many data sets one after the other."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for y, start in zip(case.y[:count], case.p0[:count], strict=True):
            try:
                scipy.optimize.curve_fit(case.formula, case.x, y, start, jac=case.jac)
            except RuntimeError:
                continue


def time_case(case: Case, rounds: int, count: int) -> dict[str, Any]:
    """Require answers that agree, then time both."""
    fits = leastsq.curve_fit_many(case.model, case.x, case.y[:30], case.p0[:30])
    for i in np.flatnonzero(fits.success):
        theirs = scipy.optimize.curve_fit(case.formula, case.x, case.y[i], case.p0[i], jac=case.jac)[0]
        near = np.all(np.abs(np.abs(theirs) - np.abs(fits.popt[i])) < 1e-2 * fits.stderr[i])
        require(bool(near), case.name, "popt", theirs, fits.popt[i])
    ours = stopwatch(lambda: leastsq.curve_fit_many(case.model, case.x, case.y, case.p0), 1)
    mine, theirs = in_turn([ours, stopwatch(lambda: loop(case, count), 1)], rounds)
    rates = len(case.y) / mine, count / theirs
    return {
        "case": case.name,
        "must": case.must,
        "aim": case.aim,
        "rates": {"leastsq": float(np.median(rates[0])), "SciPy with jac": float(np.median(rates[1]))},
        "ratio": float(np.median(rates[0] / rates[1])),
    }


def time_line(rounds: int) -> dict[str, Any]:
    """Time a Gaussian on a line against the built-in one on a constant, M = 50."""
    x, count = np.linspace(0, 10, 50), 50_000
    ranges = [(2.0, 5.0), (3.0, 7.0), (0.7, 1.5)]
    none = on_a_line((peak, 3))
    plain = made("", models.gaussian, none, x, [*ranges, (0.2, 1.0)], count, 0, 0)
    model = models.gaussian.fix(offset=0.0) + models.line
    line = made("", model, none, x, [*ranges, (-0.05, 0.05), (0.2, 1.0)], count, 0, 0)
    fits = [stopwatch(lambda c=c: leastsq.curve_fit_many(c.model, c.x, c.y, c.p0), 1) for c in (plain, line)]
    alone, summed = in_turn(fits, rounds)
    return {
        "case": "Gaussian + line against the built-in Gaussian, M=50",
        "must": 0.5,
        "aim": 0.65,
        "rates": {"Gaussian": float(np.median(count / alone)), "Gaussian + line": float(np.median(count / summed))},
        "ratio": float(np.median(alone / summed)),
    }


def guessed() -> list[tuple[Any, int]]:
    """List models and numbers of points whose guesses are timed."""
    peak = models.gaussian.fix(offset=0.0)
    two = peak.prefix("left_") + peak.prefix("right_") + models.line
    return [(model, m) for model in (models.gaussian, two) for m in (100, 1000, 20_000, 100_000)]


def time_guess(model: Any, m: int, rounds: int) -> dict[str, Any]:
    """Time the guess of where to start against the fit from there; a tenth of it, where there are many points."""
    x, rng = np.linspace(0, 10, m), np.random.default_rng(20260102)
    truth = [3.0, 4.0, 0.5, 1.0] if model is models.gaussian else [3.0, 3.0, 0.5, 2.0, 7.0, 0.8, 0.2, 1.0]
    y = model(x, *truth) + rng.normal(0, 0.05, (max(16, 200_000 // m), m))
    start = model.guess(x, y)
    both = [
        stopwatch(lambda: model.guess(x, y), 1),
        stopwatch(lambda: leastsq.curve_fit_many(model, x, y, start), 1),
    ]
    guess, fit = in_turn(both, rounds)
    return {
        "case": f"{'Gaussian' if model is models.gaussian else 'two Gaussians + line'}, M={m}",
        "must": 0.1 if m >= 20_000 else None,
        "share": float(np.median(guess / fit)),
    }


def main() -> None:
    """Measure, print and write."""
    options = arguments("Sums of models against loops over SciPy.")
    pin()
    rounds, count = (3, 40) if options.quick else (15, 200)
    results = [time_line(rounds), *(time_case(case, rounds, count) for case in cases())]
    guesses = [time_guess(model, m, rounds) for model, m in guessed()]
    print("Sums of models", caption(), "", sep="\n")
    print(f"{'case':<55}{'ratio':>8}{'must':>7}{'aim':>7}")
    for row in results:
        print(f"{row['case']:<55}{row['ratio']:8.2f}{row['must']:7.2f}{row['aim']:7.2f}")
    print("", f"{'guess, as a share of the fit from there':<55}{'share':>8}{'must':>7}", sep="\n")
    for row in guesses:
        must = "" if row["must"] is None else f"{row['must']:7.2f}"
        print(f"{row['case']:<55}{row['share']:8.2f}{must}")
    record(options.output, "sums", results=results, guesses=guesses)


if __name__ == "__main__":
    main()
