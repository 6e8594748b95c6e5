"""One fit at a time: `leastsq.leastsq` against `scipy.optimize.leastsq`.

    python benchmarks/single_fits.py [--quick] [--output DIR]

Both get the same call with the same function objects, in the same process, in turn. Every case first has to give the
same answer from both; if one does not, this stops with an error.
"""

from measure import (  # isort: skip  (first, because it settles how numpy starts)
    Comparison,
    Recorder,
    arguments,
    in_processes,
    in_turn,
    pin,
    publish,
    require,
    time_pair,
)

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from time import perf_counter
from typing import Any

import numpy as np
import peak_memory
import scipy.optimize

import leastsq
import timed_problems as problems

PEERS = (leastsq.leastsq, scipy.optimize.leastsq)

#: How far x may differ where a tall Jacobian is folded and approximated by differences, which magnify rounding by
#: 1/sqrt(eps): SciPy's own answer moves this far (5e-8 in parameters of order 1) when x0 is moved by one unit in the
#: last place. Everywhere else x has to agree to 1e-8 relative.
MAGNIFIED_ROUNDING = 1e-7

#: Evaluations beyond those reported in `nfev`: SciPy looks at shape and type twice before it starts.
UNREPORTED = (0, 2)


@dataclass(frozen=True)
class Case:
    """A call to be timed, on one or several data sets, with the ratios to be reached."""

    name: str
    func: Callable[..., Any]
    starts: Sequence[problems.Start]
    keywords: dict[str, Any] = field(default_factory=dict)
    must: float | None = None
    aim: float | None = None
    atol: float = 0.0


def cases() -> list[Case]:
    """List what is timed."""
    peak, data = problems.gaussian, problems.gaussian_data(50)
    rows, columns = problems.gaussian_rows, problems.gaussian_columns
    rosenbrock = lambda x: np.array([10 * (x[1] - x[0] * x[0]), 1 - x[0]])  # noqa: E731 (the usual way to write it)
    root = lambda x: x * x - 2.0  # noqa: E731
    return [
        Case("Gaussian, M=50 N=4", peak, data, {}, 0.95, 0.90),
        Case("Gaussian, Dfun", peak, data, {"Dfun": rows}, 0.85, 0.78),
        Case("Gaussian, Dfun, col_deriv", peak, data, {"Dfun": columns, "col_deriv": True}, 0.85, 0.78),
        Case("Gaussian, full_output", peak, data, {"full_output": True}, 0.82, 0.75),
        Case("Rosenbrock, M=2 N=2", rosenbrock, [(np.array([-1.2, 1.0]), ())], {}, 1.00, 0.90),
        Case("x² = 2, M=1 N=1", root, [(np.array([1.0]), ())]),
        Case("Gaussian, M=400", peak, problems.gaussian_data(400)),
        Case("Gaussian, M=600", peak, problems.gaussian_data(600), atol=MAGNIFIED_ROUNDING),
        Case("Gaussian, M=1000", peak, problems.gaussian_data(1000), atol=MAGNIFIED_ROUNDING),
        Case("Six peaks on a line, M=200 N=20", problems.peaks, problems.peaks_data(200)),
        Case("Gaussian, float32 residuals", problems.gaussian_single, problems.gaussian_data(50, np.float32)),
        Case("Gaussian, residuals as a list", problems.gaussian_list, data),
        Case("Gaussian, data in a nested tuple", problems.gaussian_nested, problems.gaussian_data(50, nested=True)),
    ]


def compare_answers(case: Case) -> tuple[Recorder, Recorder]:
    """Solve with both, require the same answers, and return what each asked the user's functions."""
    recorders = Recorder(), Recorder()
    for x0, args in case.starts:
        answers = []
        for peer, recorder, unreported in zip(PEERS, recorders, UNREPORTED, strict=True):
            func = recorder(case.func)
            keywords = case.keywords | {"full_output": True}
            if "Dfun" in keywords:
                keywords["Dfun"] = recorder(keywords["Dfun"])
            before = len(recorder.calls)
            answers.append(peer(func, x0, args=args, **keywords))
            asked = sum(function is case.func for function, _ in recorder.calls[before:])
            nfev = answers[-1][2]["nfev"] + unreported
            require(asked == nfev, case.name, "evaluations made and reported", asked, nfev)
        compare(case.name, answers[0], answers[1], case.atol)
    return recorders


def compare(name: str, ours: tuple[Any, ...], theirs: tuple[Any, ...], atol: float = 0.0) -> None:
    """Require the same exit code, the same number of evaluations, and x to 1e-8 relative, or `atol` absolute."""
    require(ours[4] == theirs[4], name, "ier", ours[4], theirs[4])
    require(ours[2]["nfev"] == theirs[2]["nfev"], name, "nfev", ours[2]["nfev"], theirs[2]["nfev"])
    require(np.allclose(ours[0], theirs[0], rtol=1e-8, atol=atol), name, "x", ours[0], theirs[0])


def time_fits(case: Case, rounds: int, seconds: float) -> Comparison:
    """Time whole fits, and the user's functions on their own."""
    recorders = compare_answers(case)

    def fit_all(peer: Callable[..., Any]) -> None:
        for x0, args in case.starts:
            peer(case.func, x0, args=args, **case.keywords)

    fits = [partial(fit_all, peer) for peer in PEERS]
    return time_pair(case.name, fits, recorders, len(case.starts), rounds, seconds, case.must, case.aim)


class Clocked:
    """A function that adds up the time spent in it."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.seconds = 0.0

    def __call__(self, *args: Any) -> Any:
        """Call and clock."""
        begin = perf_counter()
        value = self.function(*args)
        self.seconds += perf_counter() - begin
        return value


def time_outside(rounds: int) -> Comparison:
    """Time a tall fit with the clock stopped inside the user's functions."""
    name = "Decay, M=10⁶ N=5, Dfun, outside"
    problem = problems.Decay(10**6)
    totals: dict[Callable[..., Any], list[float]] = {peer: [] for peer in PEERS}

    def fit(peer: Callable[..., Any], **keywords: Any) -> tuple[Any, float]:
        func, dfun = Clocked(problem.residuals), Clocked(problem.jacobian)
        problem.begin()
        begin = perf_counter()
        answer = peer(func, problem.x0, Dfun=dfun, col_deriv=True, **keywords)
        totals[peer].append(perf_counter() - begin)
        return answer, totals[peer][-1] - func.seconds - dfun.seconds

    def seconds_outside(peer: Callable[..., Any]) -> float:
        return fit(peer)[1]

    answers = [fit(peer, full_output=True)[0] for peer in PEERS]
    compare(name, answers[0], answers[1])
    for peer in PEERS:
        totals[peer].clear()
    ours, theirs = times = in_turn([partial(seconds_outside, peer) for peer in PEERS], rounds) * 1e6
    shares = [float(np.median(1 - outside / totals[peer] / 1e6)) for outside, peer in zip(times, PEERS, strict=True)]
    medians = float(np.median(ours)), float(np.median(theirs))
    return Comparison(name, "µs", medians, tuple(ours / theirs), 0.35, 0.20, (shares[0], shares[1]), medians)


def time_everything(rounds: int, seconds: float, tall_rounds: int) -> list[Comparison]:
    """Time every case."""
    return [*(time_fits(case, rounds, seconds) for case in cases()), time_outside(tall_rounds)]


def compare_memory() -> list[Comparison]:
    """Compare peaks of memory beyond the user's own arrays."""
    comparisons = []
    for jacobian, outputs, must, aim in (
        ("Dfun", "short", 1.0, 0.5),
        ("differences", "short", 1.0, 0.5),
        ("Dfun", "full", None, None),
        ("differences", "full", None, None),
    ):
        ours, theirs = (peak_memory.peak_of(peer, jacobian, outputs) / 1e6 for peer in ("leastsq", "scipy.optimize"))
        name = f"Decay, M=10⁶ N=5, {jacobian}{', full_output' * (outputs == 'full')}, peak memory"
        comparisons.append(Comparison(name, "MB", (ours, theirs), (ours / theirs,), must, aim))
    return comparisons


def main() -> None:
    """Measure everything and publish it."""
    options = arguments("One fit at a time, against scipy.optimize.leastsq.")
    pin()
    processes, *lengths = (2, 6, 0.01, 3) if options.quick else (6, 10, 0.02, 3)
    comparisons = in_processes(processes, time_everything, *lengths)
    if peak_memory.AVAILABLE:
        comparisons += compare_memory()
    publish(comparisons, "single_fits", "One fit: leastsq against scipy.optimize.leastsq", "SciPy", options.output)


if __name__ == "__main__":
    main()
