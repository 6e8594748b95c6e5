"""Two threads against one, beside two processes that share nothing: what the machine itself gives.

    python benchmarks/two_workers.py [--quick] [--output DIR]

Batches of compiled models, fitted with one worker and with two, and by two processes that begin at the same moment and
fit such a batch each. The machine must have two cores that nothing else uses, and no core is pinned.
"""

from measure import arguments, caption, in_turn, record, require, stopwatch  # isort: skip  (settles how numpy starts)

import multiprocessing
import os
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
from many_fits import Case, cases

import leastsq

NAMES = ("compiled gaussian, M=50", "compiled exponential, M=100", "compiled gaussian_2d, 15x15")
MUST = 1.9
FITS = 100_000


def batch(name: str, fits: int) -> tuple[Case, Any, Any]:
    """Return a case, and observations and starts of so many fits."""
    (case,) = (case for case in cases() if case.name == name)
    which = np.arange(fits) % len(case.y)
    return case, case.y[which], case.p0[which]


def serve(name: str, fits: int, pipe: Connection) -> None:
    """Fit a batch whenever asked, and say how long it took."""
    case, y, p0 = batch(name, fits)
    fit = stopwatch(lambda: leastsq.curve_fit_many(case.function, case.x, y, p0), 1)
    fit()
    while pipe.recv():
        pipe.send(fit())


def time_case(name: str, fits: int, rounds: int) -> dict[str, Any]:
    """Require the same numbers, then time one worker, two, and two processes."""
    case, y, p0 = batch(name, fits)
    one, two = (leastsq.curve_fit_many(case.function, case.x, y, p0, workers=workers) for workers in (1, 2))
    require(np.array_equal(one.popt, two.popt, equal_nan=True), name, "popt", one.popt, two.popt)
    context = multiprocessing.get_context("spawn")
    ends = [context.Pipe() for _ in range(2)]
    processes = [context.Process(target=serve, args=(name, fits, theirs)) for _, theirs in ends]
    for process in processes:
        process.start()

    def both() -> float:
        for ours, _ in ends:
            ours.send(True)
        return float(max(ours.recv() for ours, _ in ends))

    both()
    found = in_turn(
        [
            stopwatch(lambda: leastsq.curve_fit_many(case.function, case.x, y, p0), 1),
            stopwatch(lambda: leastsq.curve_fit_many(case.function, case.x, y, p0, workers=2), 1),
            both,
        ],
        rounds,
    )
    for (ours, _), process in zip(ends, processes, strict=True):
        ours.send(False)
        process.join()
    threads, apart = found[0] / found[1], 2 * found[0] / found[2]
    return {
        "case": name,
        "must": MUST,
        "ratio": float(np.median(threads)),
        "spread": np.percentile(threads, [10, 90]).tolist(),
        "processes": float(np.median(apart)),
        "processes_spread": np.percentile(apart, [10, 90]).tolist(),
    }


def main() -> None:
    """Measure, print and write."""
    options = arguments("Two threads against one.")
    if (os.cpu_count() or 1) < 2:
        print("two workers need two cores")
        return
    fits, rounds = (FITS // 5, 5) if options.quick else (FITS, 21)
    results = [time_case(name, fits, rounds) for name in NAMES]
    print("Two workers", caption(), "", sep="\n")
    print(
        f"{'case, one worker = 1':<30}{'two threads':>12}{'[10 %, 90 %]':>16}{'two processes':>15}{'[10 %, 90 %]':>16}"
    )
    for row in results:
        print(f"{row['case']:<30}{row['ratio']:>12.2f}{_range(row['spread']):>16}", end="")
        print(f"{row['processes']:>15.2f}{_range(row['processes_spread']):>16}")
    record(options.output, "two_workers", results=results)


def _range(ends: list[float]) -> str:
    return f"[{ends[0]:.2f}, {ends[1]:.2f}]"


if __name__ == "__main__":
    main()
