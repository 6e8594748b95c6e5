"""One fit at a time: `leastsq.curve_fit` against `scipy.optimize.curve_fit`.

    python benchmarks/curve_fits.py [--quick] [--output DIR]

Both get the same call with the same function objects, in the same process, in turn. Every case first has to give the
same answer from both; if one does not, this stops with an error.
"""

from measure import (  # isort: skip  (first, because it settles how numpy starts)
    Comparison,
    Recorder,
    arguments,
    in_processes,
    pin,
    publish,
    require,
    time_pair,
)

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import scipy.optimize

import leastsq
import timed_problems as problems
from leastsq import models

PEERS = (leastsq.curve_fit, scipy.optimize.curve_fit)


@dataclass(frozen=True)
class Case:
    """A call to be timed on several data sets, with the ratios to be reached."""

    name: str
    keywords: dict[str, Any] = field(default_factory=dict)
    must: float | None = None
    aim: float | None = None
    #: What we fit where it is not the function that SciPy fits.
    own: Callable[..., Any] | None = None


def model(t: Any, amplitude: Any, centre: Any, sigma: Any, offset: Any) -> Any:
    """Return a peak."""
    return amplitude * np.exp(-0.5 * ((t - centre) / sigma) ** 2) + offset


def jac(t: Any, *parameters: Any) -> Any:
    """Return its derivatives, M by N."""
    return problems.gaussian_rows(np.array(parameters), t, t)


CASES = [
    Case("Gaussian, M=50 N=4", {}, 0.65, 0.55),
    Case("Gaussian, jac", {"jac": jac}, 0.60),
    Case("Gaussian, sigma", {"sigma": np.full(50, 0.1), "absolute_sigma": True}),
    Case("Gaussian, full_output", {"full_output": True}),
    Case("models.gaussian, against NumPy", {}, own=models.gaussian),
    Case("models.gaussian, against NumPy with jac", {"jac": jac}, own=models.gaussian),
]


def fit_all(peer: Callable[..., Any], case: Case, wrap: Callable[[Any], Any] = lambda f: f) -> list[Any]:
    """Fit every data set with one of the peers."""
    if case.own is not None and peer is leastsq.curve_fit:
        return [peer(case.own, t, y, x0) for x0, (t, y) in problems.gaussian_data(50)]
    keywords = case.keywords | ({"jac": wrap(case.keywords["jac"])} if "jac" in case.keywords else {})
    return [peer(wrap(model), t, y, x0, **keywords) for x0, (t, y) in problems.gaussian_data(50)]


def time_case(case: Case, rounds: int, seconds: float) -> Comparison:
    """Require the same answers, then time the fits and the user's functions on their own."""
    recorders = [Recorder() for _ in PEERS]
    ours, theirs = (fit_all(peer, case, recorder) for peer, recorder in zip(PEERS, recorders, strict=True))
    for mine, other in zip(ours, theirs, strict=True):
        require(np.allclose(mine[0], other[0], rtol=1e-8), case.name, "popt", mine[0], other[0])
        require(np.allclose(mine[1], other[1], rtol=1e-6), case.name, "pcov", mine[1], other[1])
    data = problems.gaussian_data(50)

    def fits(peer: Callable[..., Any]) -> None:
        compiled = case.own is not None and peer is leastsq.curve_fit
        f, keywords = (case.own, {}) if compiled else (model, case.keywords)
        for x0, (t, y) in data:
            peer(f, t, y, x0, **keywords)

    return time_pair(
        case.name, [partial(fits, peer) for peer in PEERS], recorders, len(data), rounds, seconds, case.must, case.aim
    )


def time_everything(rounds: int, seconds: float) -> list[Comparison]:
    """Time every case."""
    return [time_case(case, rounds, seconds) for case in CASES]


def main() -> None:
    """Measure everything and publish it."""
    options = arguments("One curve fit at a time, against scipy.optimize.curve_fit.")
    pin()
    processes, *lengths = (2, 6, 0.01) if options.quick else (6, 10, 0.02)
    comparisons = in_processes(processes, time_everything, *lengths)
    title = "One fit: curve_fit against scipy.optimize.curve_fit"
    publish(comparisons, "curve_fits", title, "SciPy", options.output)


if __name__ == "__main__":
    main()
