"""What every benchmark shares: a quiet process, measuring in turn, and the table, JSON and picture of the outcome.

Ratios are leastsq's cost over the peer's, so that less is better. "must" and "aim" are the ratios this project has set
itself as goals; a case that misses the first is marked.

Import this before numpy: it keeps linear-algebra libraries to one thread.
"""

# ruff: noqa: E402
import os

for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_variable] = "1"

import argparse
import gc
import json
import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Comparison:
    """What one case cost us and the peer, per fit; pairs are (ours, peer's)."""

    case: str
    unit: str
    cost: tuple[float, float]
    ratios: tuple[float, ...]  # ours/peer, one for each round
    must: float | None = None  # the ratio that has to be reached
    aim: float | None = None  # the ratio hoped for
    user: tuple[float, float] | None = None  # share of the whole fit spent in the user's functions
    outside: tuple[float, float] | None = None  # what is left of the cost after that
    limit: float | None = None  # the ratio if nothing but the user's functions cost us anything

    @property
    def ratio(self) -> float:
        """Median over the rounds."""
        return float(np.median(self.ratios))

    @property
    def spread(self) -> tuple[float, float]:
        """The range that holds the middle 80 % of the rounds."""
        low, high = np.quantile(self.ratios, [0.1, 0.9])
        return float(low), float(high)

    @property
    def verdict(self) -> str:
        """How the ratio stands to its targets; empty without targets."""
        if self.must is None:
            return ""
        ratio = round(self.ratio, 3)  # as printed
        return "aim" if self.aim is not None and ratio <= self.aim else "ok" if ratio <= self.must else "MISSED"


def arguments(description: str) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=description)
    results = Path(__file__).parent / "results"
    parser.add_argument("--output", type=Path, default=results, metavar="DIR", help="where JSON and PNG go")
    parser.add_argument("--quick", action="store_true", help="few short rounds: a look, not a result")
    return parser.parse_args()


def pin() -> None:
    """Stay on one core, where the system lets us."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def stopwatch(action: Callable[[], object], repeats: int) -> Callable[[], float]:
    """Return a function that runs `action` so many times and says how many seconds one took."""

    def seconds() -> float:
        begin = perf_counter()
        for _ in range(repeats):
            action()
        return (perf_counter() - begin) / repeats

    return seconds


def repeats_within(action: Callable[[], object], seconds: float) -> int:
    """Return how often `action` fits into so many seconds, at least once."""
    return max(1, round(seconds / min(stopwatch(action, 1)() for _ in range(5))))


def in_turn(measurements: Sequence[Callable[[], float]], rounds: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Take every measurement once a round, so that all of them see the same moods of the machine.

    Returns one row for each measurement and one column for each round.
    """
    gc.collect()
    gc.disable()
    try:
        return np.array([[measure() for measure in measurements] for _ in range(rounds)]).T
    finally:
        gc.enable()


class WrongAnswer(Exception):
    """The peers disagree, so that their times mean nothing."""


def require(same: bool, name: str, what: str, *values: Any) -> None:
    """Refuse answers that differ."""
    if not same:
        raise WrongAnswer(f"{name}: {what} differ: {values}")


class Recorder:
    """The user's functions, keeping a list of what they were asked."""

    def __init__(self) -> None:
        self.calls: list[tuple[Callable[..., Any], tuple[Any, ...]]] = []

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return `function`, recorded."""

        def recorded(*args: Any) -> Any:
            # The first argument may be an array that is used again; scalars and data are not.
            first = args[0].copy() if isinstance(args[0], np.ndarray) else args[0]
            self.calls.append((function, (first, *args[1:])))
            return function(*args)

        return recorded

    def replay(self) -> None:
        """Make the same calls again, with no solver around them."""
        for function, passed in self.calls:
            function(*passed)


def time_pair(
    case: str,
    fits: Sequence[Callable[[], object]],
    recorders: Sequence[Recorder],
    count: int,
    rounds: int,
    seconds: float,
    must: float | None,
    aim: float | None,
) -> Comparison:
    """Time our fits and the peer's, `count` of them each, in turn with the user's functions on their own."""
    repeats = repeats_within(fits[1], seconds)
    actions: list[Callable[[], object]] = [*fits, *(recorder.replay for recorder in recorders)]
    ours, theirs, user_ours, user_theirs = in_turn([stopwatch(a, repeats) for a in actions], rounds) * 1e6 / count
    return Comparison(
        case=case,
        unit="µs",
        cost=(float(np.median(ours)), float(np.median(theirs))),
        ratios=tuple(ours / theirs),
        must=must,
        aim=aim,
        user=(float(np.median(user_ours / ours)), float(np.median(user_theirs / theirs))),
        outside=(float(np.median(ours - user_ours)), float(np.median(theirs - user_theirs))),
        limit=float(np.median(user_ours / theirs)),
    )


def in_processes(count: int, measure: Callable[..., list[Comparison]], *passed: object) -> list[Comparison]:
    """Measure in one new process after the other and put their rounds together.

    Where code and data happen to lie in memory moves even the ratio of identical code by some per cent, and stays the
    same for as long as a process lives.
    """
    runs = []
    for _ in range(count):
        with get_context("spawn").Pool(1) as process:
            runs.append(process.apply(measure, passed))
    return [_together(parts) for parts in zip(*runs, strict=True)]


def _together(parts: Sequence[Comparison]) -> Comparison:
    means = {}
    for name in ("cost", "user", "outside", "limit"):
        if getattr(parts[0], name) is not None:
            means[name] = np.mean([getattr(part, name) for part in parts], axis=0).tolist()
    return replace(parts[0], ratios=tuple(ratio for part in parts for ratio in part.ratios), **means)


def machine() -> dict[str, str]:
    """Say where and with what was measured."""
    cpu = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line.partition(":")[2].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        cpu = names[0] if names else cpu
    return {
        "CPU": cpu,
        "Python": platform.python_version(),
        **{name: version(name) for name in ("numpy", "scipy", "leastsq")},
        "date": date.today().isoformat(),
    }


def caption() -> str:
    """Say the same in a line."""
    return ", ".join(f"{key} {value}" for key, value in machine().items())


def record(directory: Path, name: str, **found: Any) -> dict[str, Any]:
    """Write what was found, with where it was measured, and return both."""
    document = {"machine": machine(), **found}
    directory.mkdir(parents=True, exist_ok=True)
    (directory / f"{name}.json").write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", "utf-8")
    print(f"\nwritten: {directory / name}.json")
    return document


def table(comparisons: Sequence[Comparison], peer: str) -> str:
    """Lay the comparisons out in aligned columns."""
    heads = [
        "case",
        "unit",
        "leastsq",
        peer,
        "ratio",
        "[10 %, 90 %]",
        "in user's functions",
        "outside",
        "must",
        "aim",
        "",
    ]
    rows = [heads]
    for c in comparisons:
        low, high = c.spread
        rows.append(
            [
                c.case,
                c.unit,
                *(f"{cost:.1f}" for cost in c.cost),
                f"{c.ratio:.3f}",
                f"[{low:.3f}, {high:.3f}]",
                "" if c.user is None else f"{c.user[0]:.0%} / {c.user[1]:.0%}",
                "" if c.outside is None else f"{c.outside[0]:.1f} / {c.outside[1]:.1f}",
                *("" if target is None else f"{target:.2f}" for target in (c.must, c.aim)),
                c.verdict,
            ]
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    aligned = "<<>>>>>>>><"
    lines = [
        "  ".join(f"{cell:{side}{width}}" for cell, side, width in zip(row, aligned, widths, strict=True)).rstrip()
        for row in rows
    ]
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]])


def publish(comparisons: Sequence[Comparison], name: str, title: str, peer: str, directory: Path) -> None:
    """Print the table; write the numbers and the picture."""
    print(title, caption(), "", table(comparisons, peer), sep="\n")
    results = [asdict(c) | {"ratio": c.ratio, "spread": c.spread, "verdict": c.verdict} for c in comparisons]
    record(directory, name, title=title, peer=peer, results=results)
    draw(comparisons, title, caption(), peer, directory / f"{name}.png")


def draw(comparisons: Sequence[Comparison], title: str, caption: str, peer: str, path: Path) -> None:
    """Draw ratios with their spread, targets, and the part that only the user's functions could shorten."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    y = np.arange(len(comparisons))
    spread = np.array([c.spread for c in comparisons]).T
    colours = [{"": "0.45", "MISSED": "tab:red"}.get(c.verdict, "tab:blue") for c in comparisons]
    figure, axes = plt.subplots(figsize=(10, 1.8 + 0.34 * len(y)), layout="constrained")
    axes.barh(y, [c.limit or 0 for c in comparisons], 0.6, color="0.9", label="the user's functions alone")
    axes.axvline(1, color="0.3", linewidth=1)
    for target, colour in (("must", "black"), ("aim", "tab:green")):
        targets = [getattr(c, target) for c in comparisons]
        axes.scatter(targets, y, marker="|", s=200, linewidth=2, color=colour, label=target)
    axes.hlines(y, spread[0], spread[1], colors=colours, linewidth=2)
    axes.scatter([c.ratio for c in comparisons], y, c=colours, s=36, zorder=3)
    for label, colour in (("target met", "tab:blue"), ("missed", "tab:red"), ("no target", "0.45")):
        axes.plot([], [], "o-", color=colour, linewidth=2, label=label)
    for i, c in enumerate(comparisons):
        axes.annotate(f"{c.ratio:.2f}", (1.01, i), xycoords=("axes fraction", "data"), va="center", fontsize=9)
    axes.set_yticks(y, [c.case for c in comparisons])
    axes.set_ylim(len(y) - 0.4, -0.6)
    axes.set_xlim(0, max(1.1, 1.05 * spread.max()))
    axes.set_xlabel(f"leastsq / {peer}, below 1 is better: median and 10 % to 90 % of the rounds")
    axes.set_title(title, loc="left", fontweight="bold", pad=20)
    axes.annotate(caption, (0, 1), (0, 6), xycoords="axes fraction", textcoords="offset points", fontsize=7.5)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="x", color="0.92")
    axes.set_axisbelow(True)
    figure.legend(loc="outside lower center", ncols=6, frameon=False, fontsize=9, markerscale=0.8)
    figure.savefig(path, dpi=150)
    plt.close(figure)
