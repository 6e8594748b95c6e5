"""Many fits: `leastsq.curve_fit_many` against loops over what fits one at a time.

    python benchmarks/many_fits.py [--quick] [--output DIR]

All peers fit the same noisy data from the same starts, in one process on one core, in turn; the loops fit as many data
sets as a fifth of a second allows, and calls for a few data sets follow each other as long. Speed-ups are medians of
the rounds' ratios of fits per second, over SciPy's `curve_fit` as it is mostly called, without derivatives. The answers
have to agree first.

The share of the roofline is that of the time in which values and derivatives alone would have been evaluated, by the
same compiled code and as many times; it takes `make fortran` to have been built. The last part fits without starting
values, fits a million points at once with a compiled model, and measures two threads on two cores.
"""

from measure import (  # isort: skip  (first, because it settles how numpy starts)
    arguments,
    caption,
    in_turn,
    pin,
    record,
    repeats_within,
    require,
    stopwatch,
)

import os
import resource
import subprocess
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.optimize
from scipy.special import erf

import compiled_peers
import figures
import leastsq
import peers
from leastsq import models
from leastsq._models.model import CompiledModel
from leastsq._solver.kernel import LEVEL

OURS, SCIPY = figures.OURS, figures.SCIPY


@dataclass(frozen=True)
class Case:
    """Data sets, what fits them, and the speed-ups to be reached."""

    name: str
    function: Callable[..., Any]
    formula: Callable[..., Any]
    jac: Callable[..., Any]
    x: Any
    y: Any
    p0: Any
    must: float | None = None
    aim: float | None = None
    keywords: tuple[tuple[str, Any], ...] = ()


def gaussian(x: Any, amplitude: Any, center: Any, sigma: Any, offset: Any) -> Any:
    """Return a peak."""
    return amplitude * np.exp(-((x - center) ** 2) / (2 * sigma**2)) + offset


def gaussian_jac(x: Any, amplitude: Any, center: Any, sigma: Any, offset: Any) -> Any:
    """Return its derivatives."""
    z = (x - center) / sigma
    e = np.exp(-0.5 * z**2)
    slope = amplitude * e * z / sigma
    return np.stack(np.broadcast_arrays(e, slope, slope * z, 1.0), axis=-1)


def spot(xy: Any, amplitude: Any, x0: Any, y0: Any, sigma: Any, offset: Any) -> Any:
    """Return a round spot."""
    return amplitude * np.exp(-((xy[0] - x0) ** 2 + (xy[1] - y0) ** 2) / (2 * sigma**2)) + offset


def pixel_spot(xy: Any, intensity: Any, x0: Any, y0: Any, sigma: Any, offset: Any) -> Any:
    """Return a round spot integrated over pixels."""
    along, across = (
        erf((side - center + 0.5) / (np.sqrt(2) * sigma)) - erf((side - center - 0.5) / (np.sqrt(2) * sigma))
        for side, center in zip(xy, (x0, y0), strict=True)
    )
    return intensity * along * across / 4 + offset


def decay(x: Any, amplitude: Any, rate: Any, offset: Any) -> Any:
    """Return a decay."""
    return amplitude * np.exp(-rate * x) + offset


def made(
    name: str,
    function: Callable[..., Any],
    formula: Callable[..., Any],
    x: Any,
    ranges: list[tuple[float, float]],
    count: int,
    must: float | None = None,
    aim: float | None = None,
    *,
    wild: bool = False,
    single: bool = False,
    **keywords: Any,
) -> Case:
    """Make a case of random data sets, with starts off by up to 15 %, or from half to twice the truth."""
    rng = np.random.default_rng(20260101)
    truth = np.stack([rng.uniform(low, high, count) for low, high in ranges], axis=1)
    y = formula(x, *truth.T[:, :, None])
    y = y + rng.normal(0, 0.03, y.shape)
    if single:
        y = y.astype(np.float32)
    start = truth * (2 ** rng.uniform(-1, 1, truth.shape) if wild else rng.uniform(0.85, 1.15, truth.shape))
    jac = function.jac if hasattr(function, "jac") else gaussian_jac
    return Case(name, function, formula, jac, x, y, start, must, aim, tuple(keywords.items()))


def pixels(size: int) -> Any:
    """Return the coordinates of the pixels of an image."""
    return tuple(grid.ravel() for grid in np.meshgrid(np.arange(float(size)), np.arange(float(size))))


def cases() -> list[Case]:
    """Make all cases."""
    x, long = np.linspace(0, 10, 50), np.linspace(0, 10, 1000)
    peak = [(2.0, 5.0), (3.0, 7.0), (0.7, 1.5), (0.2, 1.0)]
    small = [(2.0, 5.0), (1.5, 2.5), (1.5, 2.5), (0.8, 1.2), (0.2, 1.0)]
    large = [(2.0, 5.0), (6.0, 8.0), (6.0, 8.0), (1.5, 2.5), (0.2, 1.0)]
    bright = [(20.0, 50.0), *large[1:]]
    decays = [(2.0, 5.0), (0.5, 1.5), (0.2, 1.0)]
    return [
        made("compiled gaussian, M=50", models.gaussian, gaussian, x, peak, 100_000, 200, 300),
        made("compiled gaussian_2d, 5x5", models.gaussian_2d, spot, pixels(5), small, 100_000, 280, 450),
        made(
            "compiled exponential, M=100", models.exponential, decay, np.linspace(0, 5, 100), decays, 100_000, 120, 180
        ),
        made("compiled gaussian_2d, 15x15", models.gaussian_2d, spot, pixels(15), large, 20_000, 100, 160),
        made("compiled gaussian_2d_pixel, 15x15", models.gaussian_2d_pixel, pixel_spot, pixels(15), bright, 20_000),
        made("compiled gaussian, M=1000", models.gaussian, gaussian, long, peak, 10_000, 50, 80),
        made("NumPy gaussian, M=50", gaussian, gaussian, x, peak, 16_000, 12, 25),
        made("NumPy gaussian with jac, M=50", gaussian, gaussian, x, peak, 16_000, 15, 30, jac=gaussian_jac),
        made("compiled gaussian, wild starts", models.gaussian, gaussian, x, peak, 50_000, wild=True),
        made("compiled gaussian, float32 data", models.gaussian, gaussian, x, peak, 100_000, single=True),
        made("NumPy gaussian, M=1000", gaussian, gaussian, long, peak, 2_000),
        made("NumPy gaussian, one by one", gaussian, gaussian, x, peak, 1_000, vectorized=False),
        made("compiled gaussian, 16 data sets", models.gaussian, gaussian, x, peak, 16, 30),
        made("compiled gaussian, one data set", models.gaussian, gaussian, x, peak, 1),
        made("NumPy gaussian, two data sets", gaussian, gaussian, x, peak, 2, 1),
        made("NumPy gaussian, one data set", gaussian, gaussian, x, peak, 1, 0.6),
    ]


def peers_of(case: Case) -> dict[str, peers.Peer]:
    """Return everyone's way to fit the first so many data sets."""
    data = (case.x, case.y, case.p0)
    jac = gaussian_jac if case.formula is gaussian else case.jac
    names = leastsq.curve_fit_many(case.function, case.x, case.y[:1], case.p0[:1]).param_names
    found = {
        OURS: lambda count: leastsq.curve_fit_many(
            case.function, case.x, case.y[:count], case.p0[:count], **dict(case.keywords)
        ),
        SCIPY: peers.scipy_loop(case.formula, None, *data),
        "SciPy with jac": peers.scipy_loop(case.formula, jac, *data),
        "leastsq, one by one": peers.leastsq_loop(case.formula, jac, *data),
        "lmfit": peers.lmfit_loop(case.formula, names, *data),
        "cminpack in numba": peers.cminpack_gaussian(*data) if case.formula is gaussian else None,
    }
    if isinstance(case.function, CompiledModel) and case.y.dtype == np.float64:
        found |= compiled_peers.loops(case.function.__name__, *data)
    return {name: peer for name, peer in found.items() if peer is not None}


def time_case(case: Case, rounds: int, seconds: float) -> dict[str, Any]:
    """Require answers that agree, then time everyone."""
    sample = min(len(case.y), 50)
    fits = leastsq.curve_fit_many(case.function, case.x, case.y[:sample], case.p0[:sample], **dict(case.keywords))
    for i in np.flatnonzero(fits.success):
        theirs = peers.forgiving(
            lambda i=i: scipy.optimize.curve_fit(case.formula, np.array(case.x), case.y[i], case.p0[i])[0]
        )
        if theirs is not None and not case.name.endswith("wild starts"):
            near = np.all(np.abs(theirs - fits.popt[i]) < 1e-3 * fits.stderr[i])
            require(bool(near), case.name, "popt", theirs, fits.popt[i])
    fitters = peers_of(case)
    counts = {name: len(case.y) if name == OURS else _count_within(fit, seconds) for name, fit in fitters.items()}
    # Loops are over many fits; calls for a few follow each other, too.
    calls = dict.fromkeys(fitters, 1) | {OURS: repeats_within(lambda: fitters[OURS](counts[OURS]), seconds)}
    measured = in_turn(
        [stopwatch(lambda f=fit, n=name: f(counts[n]), calls[name]) for name, fit in fitters.items()], rounds
    )
    rates = {name: counts[name] / row for name, row in zip(fitters, measured, strict=True)}
    speedups = {name: rates[OURS] / rate for name, rate in rates.items() if name != OURS}
    return {
        "case": case.name,
        "must": case.must,
        "aim": case.aim,
        "solved": float(np.mean(fits.success)),
        "rates": {name: float(np.median(rate)) for name, rate in rates.items()},
        "speedups": {name: float(np.median(ratio)) for name, ratio in speedups.items()},
        "spread": np.quantile(speedups[SCIPY], [0.1, 0.9]).tolist(),
        "roofline": _roofline(case, float(np.median(rates[OURS]))),
    }


def _roofline(case: Case, rate: float) -> float | None:
    """Return the share of the time that evaluating values and derivatives as often takes by itself."""
    level = ["baseline", "v3", "v4"][LEVEL - 1]
    program = Path(__file__).parent.parent / "build" / "fortran" / "benchmarks" / f"roofline_{level}"
    if not isinstance(case.function, CompiledModel) or not program.exists():
        return None
    if case.function in (models.gaussian_2d, models.gaussian_2d_pixel):
        return None  # fits of images do not evaluate it pixel by pixel
    model, points = case.function, case.y.shape[1]
    numbers = (model.numbers[0], len(model.param_names), model.predictors, points)
    told = subprocess.run([program, *map(str, numbers)], capture_output=True, text=True, check=True)
    nfev = leastsq.curve_fit_many(model, case.x, case.y[:10_000], case.p0[:10_000]).nfev
    return float(told.stdout) * 1e-9 * points * float(nfev.mean()) * rate


def _count_within(fit: Callable[[int], object], seconds: float) -> int:
    once = stopwatch(lambda: fit(20), 1)
    return max(20, round(seconds / (min(once() for _ in range(3)) / 20)))


def time_threads(rounds: int) -> list[dict[str, Any]]:
    """Time one worker and two, in turn, on two cores, and two processes of joblib's."""
    case = cases()[0]
    fits = [stopwatch(lambda n=n: leastsq.curve_fit_many(case.function, case.x, case.y, case.p0, workers=n), 3)
            for n in (1, 2)]  # fmt: skip
    one, two = in_turn(fits, rounds)
    found: list[dict[str, Any]] = [
        {"case": "two workers against one", "must": 1.7, "aim": 1.95, "ratio": float(np.median(one / two))}
    ]
    joblib = peers.joblib_processes(case.formula, case.x, case.y, case.p0, 2)
    if joblib is not None:
        count = 4000
        joblib(count)  # starts the processes
        two, theirs = in_turn([fits[1], stopwatch(lambda: joblib(count), 1)], rounds)
        ratio = float(np.median(theirs / count / (two / len(case.y))))
        found.append({"case": "two workers against SciPy in two processes of joblib's", "ratio": ratio})
    return found


def time_noisy(rounds: int) -> dict[str, Any]:
    """Time pixels from one start, a third of them without signal, by differences against derivatives."""
    rng = np.random.default_rng(5)
    x, count = np.linspace(0, 10, 50), 2000
    amplitude = np.where(rng.random(count) < 1 / 3, 0.0, rng.uniform(20, 60, count))
    others = (rng.uniform(low, high, count)[:, None] for low, high in ((4, 6), (0.7, 1.4), (1, 3)))
    y = gaussian(x, amplitude[:, None], *others) + rng.standard_normal((count, x.size))

    def fit(jac: Any) -> Any:
        return leastsq.curve_fit_many(gaussian, x, y, [30, 5, 1, 2], jac=jac)

    same = np.isclose(fit(None).chisq, fit(gaussian_jac).chisq, rtol=1e-3)[amplitude > 0]
    require(bool(same.mean() > 0.99), "noisy pixels", "chisq", 1.0, same.mean())
    differences, derivatives = in_turn([stopwatch(lambda j=j: fit(j), 1) for j in (None, gaussian_jac)], rounds)
    return {
        "case": "noisy pixels, a third without signal: time without jac, with jac = 1",
        "must": 2.5,
        "ratio": float(np.median(differences / derivatives)),
    }


def time_guesses(rounds: int) -> list[dict[str, Any]]:
    """Time fits of compiled models that guess where to start against those from the same starts, which are given."""
    found = []
    for case in (c for c in cases() if c.name in ("compiled gaussian, M=50", "compiled exponential, M=100")):
        starts = (None, case.function.guess(case.x, case.y))
        fits = [stopwatch(lambda c=case, p0=p0: leastsq.curve_fit_many(c.function, c.x, c.y, p0), 1) for p0 in starts]
        guessed, given = in_turn(fits, rounds)
        name = f"{case.name}, without p0: time with the same p0 = 1"
        found.append({"case": name, "must": 1.2, "aim": 1.1, "ratio": float(np.median(guessed / given))})
    return found


def large_data() -> tuple[Any, Any, list[float]]:
    """Make a million points of two decays."""
    x = np.linspace(0, 10, 10**6)
    y = np.empty_like(x)
    rng = np.random.default_rng(1)
    for part in np.array_split(np.arange(x.size), 100):
        y[part] = models.biexponential(x[part], 3.0, 2.0, 1.5, 0.3, 0.5) + rng.normal(0, 0.05, part.size)
    return x, y, [2.5, 1.5, 1.0, 0.4, 0.3]


def time_large(rounds: int) -> dict[str, Any]:
    """Time one fit of a million points against SciPy with derivatives."""

    def formula(x: Any, a: Any, k: Any, b: Any, q: Any, c: Any) -> Any:
        return a * np.exp(-k * x) + b * np.exp(-q * x) + c

    def jac(x: Any, a: Any, k: Any, b: Any, q: Any, _: Any) -> Any:
        one, two = np.exp(-k * x), np.exp(-q * x)
        return np.stack([one, -a * x * one, two, -b * x * two, np.ones_like(x)], axis=1)

    x, y, p0 = large_data()
    mine = leastsq.curve_fit(models.biexponential, x, y, p0)
    theirs = scipy.optimize.curve_fit(formula, x, y, p0, jac=jac)
    require(np.allclose(mine[0], theirs[0], rtol=1e-7), "large fit", "popt", mine[0], theirs[0])
    ours, peer = in_turn(
        [
            stopwatch(lambda: leastsq.curve_fit(models.biexponential, x, y, p0), 1),
            stopwatch(lambda: scipy.optimize.curve_fit(formula, x, y, p0, jac=jac), 1),
        ],
        rounds,
    )
    code = "import many_fits; many_fits.memory_of_large_fit()"
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parent, capture_output=True, text=True, check=True
    )
    return {
        "case": "a million points, time of SciPy's curve_fit with jac = 1",
        "must": 0.2,
        "ratio": float(np.median(ours / peer)),
        "megabytes above the data": float(run.stdout),
        "megabytes must be": 20,
    }


def memory_of_large_fit() -> None:
    """Print the peak memory of that fit above its data, in a process of its own."""
    x, y, p0 = large_data()
    leastsq.curve_fit(models.biexponential, x[:1000], y[:1000], p0)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    leastsq.curve_fit(models.biexponential, x, y, p0)
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)


def table(results: list[dict[str, Any]]) -> str:
    """Lay the cases out in aligned columns."""
    others = [name for name in results[0]["speedups"] if name != SCIPY]
    rows = [
        [
            "case",
            "fits/s",
            "SciPy's",
            "times SciPy",
            "[10 %, 90 %]",
            *(f"times {o}" for o in others),
            "roofline",
            "must",
            "aim",
        ]
    ]
    for r in results:
        low, high = r["spread"]
        rows.append(
            [
                r["case"],
                f"{r['rates'][OURS]:,.0f}",
                f"{r['rates'][SCIPY]:,.0f}",
                f"{r['speedups'][SCIPY]:.1f}",
                f"[{low:.1f}, {high:.1f}]",
                *(f"{r['speedups'][o]:.1f}" if o in r["speedups"] else "" for o in others),
                "" if r["roofline"] is None else f"{r['roofline']:.0%}",
                *("" if r[target] is None else f"{r[target]:g}" for target in ("must", "aim")),
            ]
        )
        if r["must"] is not None and r["speedups"][SCIPY] < r["must"]:
            rows[-1].append("MISSED")
    widths = [max(len(row[k]) for row in rows if k < len(row)) for k in range(max(map(len, rows)))]
    lines = [
        "  ".join(f"{cell:{'<' if k == 0 else '>'}{widths[k]}}" for k, cell in enumerate(row)).rstrip() for row in rows
    ]
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]])


def main() -> None:
    """Measure everything and publish it."""
    options = arguments("Many fits at a time, against loops over single ones.")
    warnings.simplefilter("ignore")  # SciPy's, about starts from which it finds no minimum
    rounds, seconds = (3, 0.05) if options.quick else (9, 0.2)
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
    further = time_threads(rounds) if len(cores) > 1 else []
    pin()
    results = [time_case(case, rounds, seconds) for case in cases()]
    further += [*time_guesses(rounds), time_noisy(rounds), time_large(rounds)]
    print("Many fits: curve_fit_many against loops", caption(), "", table(results), "", sep="\n")
    for line in further:
        print(
            ", ".join(f"{key} {value:.3g}" if isinstance(value, float) else f"{value}" for key, value in line.items())
        )
    document = record(options.output, "many_fits", results=results, further=further)
    figures.save(figures.many_fits(document), options.output / "many_fits.png")


if __name__ == "__main__":
    main()
