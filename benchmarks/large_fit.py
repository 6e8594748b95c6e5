"""One fit of data in files that are larger than the memory it takes: seconds, and the largest resident memory.

    python benchmarks/large_fit.py [--points 100000000] [--folder DIR] [--output DIR]

writes 16 bytes for each point to two files in a new folder within DIR, and removes them in the end. The fits are those
of a decay on a background, three parameters, as a NumPy function that knows nothing of files; each is made in a
process of its own, whose peak is what the system says since before the call (VmHWM; Linux only). The process itself,
NumPy included, is part of it.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from measure import caption, record

Floats = NDArray[np.float64]
TRUTH = (2.0, 0.7, 0.3)
START = (1.0, 1.0, 0.0)
NOISE = 0.1
BLOCK = 10**6
STATUS, FORGET_PEAK = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def decay(t: Floats, amplitude: float, rate: float, offset: float) -> Floats:
    """Evaluate the model."""
    return amplitude * np.exp(-rate * t) + offset


def slopes(t: Floats, amplitude: float, rate: float, offset: float) -> Floats:
    """Evaluate its derivatives."""
    found = np.empty((t.size, 3))
    found[:, 0] = np.exp(-rate * t)
    found[:, 1] = -amplitude * t * found[:, 0]
    found[:, 2] = 1.0
    return found


KINDS: dict[str, dict[str, Any]] = {"jac": {"jac": slopes}, "differences": {}}


def write(folder: Path, points: int) -> None:
    """Write predictors and observations, a block after the other."""
    rng = np.random.default_rng(0)
    x, y = (np.lib.format.open_memmap(folder / name, "w+", np.float64, (points,)) for name in ("x.npy", "y.npy"))
    for first in range(0, points, BLOCK):
        some = slice(first, min(first + BLOCK, points))
        t = np.arange(some.start, some.stop) * (10.0 / points)
        x[some], y[some] = t, decay(t, *TRUTH) + NOISE * rng.standard_normal(t.size)
    x.flush(), y.flush()


def fit(folder: Path, kind: str) -> None:
    """Fit once, and print seconds, bytes, evaluations, and the largest error in standard errors."""
    from leastsq import curve_fit

    x, y = (np.load(folder / name, mmap_mode="r") for name in ("x.npy", "y.npy"))
    FORGET_PEAK.write_text("5")
    begun = perf_counter()
    popt, pcov, info, *_ = curve_fit(decay, x, y, START, full_output=True, **KINDS[kind])
    seconds = perf_counter() - begun
    peak = next(line for line in STATUS.read_text().splitlines() if line.startswith("VmHWM"))
    worst = np.max(np.abs(popt - TRUTH) / np.sqrt(np.diag(pcov)))
    print(seconds, 1024 * int(peak.split()[1]), info["nfev"], worst)


def main() -> None:
    """Write the data, measure, print and record."""
    parser = argparse.ArgumentParser(description="One fit of data larger than memory.")
    parser.add_argument("--points", type=int, default=10**8, help="100 million")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()), help="where the files go")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results", help="where JSON goes")
    options = parser.parse_args()
    results = []
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        write(Path(name), options.points)
        print(f"{options.points:,} points, {16 * options.points / 2**20:,.0f} MB in files", caption(), "", sep="\n")
        for kind in KINDS:
            done = subprocess.run([sys.executable, __file__, name, kind], check=True, capture_output=True, text=True)
            seconds, peak, nfev, worst = map(float, done.stdout.split())
            results.append({"case": kind, "seconds": seconds, "bytes": peak, "evaluations": nfev, "error": worst})
            print(f"{kind:<14}{seconds:8.1f} s {peak / 2**20:6.0f} MB {nfev:4.0f} evaluations, {worst:.1f} errors off")
    record(options.output, "large_fit", points=options.points, results=results)


if __name__ == "__main__":
    if len(sys.argv) == 3 and os.path.isdir(sys.argv[1]):
        fit(Path(sys.argv[1]), sys.argv[2])
    else:
        main()
