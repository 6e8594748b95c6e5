"""Bounded fits: against the same without bounds, loops over SciPy's bounded `curve_fit`, `trf`, and xarray.

    python benchmarks/bounded_fits.py [--quick] [--output DIR]

Noisy Gaussians on a constant, M = 50, in one process on one core, in turn; the loops fit as many data sets as needed
for a fifth of a second. Tight bounds cut the range of each parameter so that four fits of five end on one.
"""

from measure import arguments, caption, in_turn, pin, record, require, stopwatch  # isort: skip  (settles how numpy starts)

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.optimize
import xarray

import leastsq
from leastsq import models
from leastsq.xarray import curvefit

X = np.linspace(0, 10, 50)
LOW, HIGH = np.array([2.0, 3.0, 0.7, 0.2]), np.array([5.0, 7.0, 1.5, 1.0])
# What of the range of each parameter tight bounds cut off at either end.
CUT = 0.16


def gaussian(x: Any, amplitude: Any, center: Any, sigma: Any, offset: Any) -> Any:
    """Return a Gaussian on a constant."""
    return amplitude * np.exp(-0.5 * ((x - center) / sigma) ** 2) + offset


def slopes(x: Any, amplitude: Any, center: Any, sigma: Any, offset: Any) -> Any:
    """Return its derivatives."""
    z = (x - center) / sigma
    e = np.exp(-0.5 * z**2)
    by_center = amplitude * e * z / sigma
    return np.stack(np.broadcast_arrays(e, by_center, by_center * z, np.ones_like(e)), axis=-1)


def data_sets(count: int) -> tuple[Any, Any]:
    """Make noisy data sets, and starts off by up to a tenth."""
    rng = np.random.default_rng(20260101)
    truth = rng.uniform(LOW, HIGH, (count, 4))
    y = gaussian(X, *truth.T[:, :, None]) + rng.normal(0, 0.03, (count, X.size))
    return y, truth * rng.uniform(0.9, 1.1, truth.shape)


def loop(y: Any, p0: Any, bounds: Any) -> None:
    """Fit data sets one after the other by SciPy."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for data, start in zip(y, p0, strict=True):
            try:
                scipy.optimize.curve_fit(gaussian, X, data, start, bounds=bounds, jac=slopes)
            except RuntimeError:
                continue


def row(
    case: str,
    must: float,
    aim: float,
    ours: tuple[Callable[[], Any], int],
    peer: tuple[Callable[[], Any], int],
    rounds: int,
) -> dict[str, Any]:
    """Time both, and return fits per second and their ratio."""
    mine, theirs = in_turn([stopwatch(ours[0], 1), stopwatch(peer[0], 1)], rounds)
    rates = ours[1] / mine, peer[1] / theirs
    return {
        "case": case,
        "must": must,
        "aim": aim,
        "rates": {"leastsq": float(np.median(rates[0])), "peer": float(np.median(rates[1]))},
        "ratio": float(np.median(rates[0] / rates[1])),
    }


def against_scipy(rounds: int, count: int, fits: int) -> list[dict[str, Any]]:
    """Time fits with wide bounds and with tight ones."""
    y, p0 = data_sets(fits)
    span = CUT * (HIGH - LOW)
    tight = (LOW + span, HIGH - span)
    inside = np.clip(p0, *tight)
    many = leastsq.curve_fit_many
    result = many(models.gaussian, X, y, inside, bounds=tight)
    active = result.active_mask.any(axis=-1)
    print(f"tight bounds: {100 * active.mean():.0f} % of fits end on one, {100 * result.success.mean():.1f} % solved")
    for i in range(20):
        theirs = scipy.optimize.curve_fit(gaussian, X, y[i], inside[i], bounds=tight, jac=slopes)[0]
        # trf stops a little off the bounds.
        near = np.all(np.abs(theirs - result.popt[i]) < 0.05 * result.stderr[i])
        require(bool(near), "tight bounds", "popt", theirs, result.popt[i])
    few = y[:2000], inside[:2000]
    scipys = (lambda: loop(y[:count], inside[:count], tight), count)
    return [
        row(
            "compiled Gaussian, wide bounds: rate over unbounded",
            1 / 1.10,
            1 / 1.03,
            (lambda: many(models.gaussian, X, y, p0, bounds=(LOW - 100, HIGH + 100)), fits),
            (lambda: many(models.gaussian, X, y, p0), fits),
            rounds,
        ),
        row(
            "compiled Gaussian, tight bounds, over SciPy's curve_fit",
            300,
            500,
            (lambda: many(models.gaussian, X, y, inside, bounds=tight), fits),
            scipys,
            rounds,
        ),
        row(
            "NumPy Gaussian with jac, tight bounds, over the same",
            25,
            40,
            (lambda: many(gaussian, X, few[0], few[1], bounds=tight, jac=slopes), len(few[0])),
            scipys,
            rounds,
        ),
    ]


def against_trf(rounds: int) -> dict[str, Any]:
    """Time one Gaussian by differences: cost over that of trf."""
    y, p0 = data_sets(1)
    box = (LOW, HIGH)
    start = np.clip(p0[0], *box)

    def residuals(p: Any) -> Any:
        return gaussian(X, *p) - y[0]

    found = row(
        "leastsq over least_squares(method='trf'), one Gaussian: time",
        0.25,
        0.18,
        (lambda: [leastsq.leastsq(residuals, start, bounds=box) for _ in range(20)], 20),
        (lambda: [scipy.optimize.least_squares(residuals, start, bounds=box) for _ in range(20)], 20),
        rounds,
    )
    return {**found, "ratio": 1 / found["ratio"]}


def against_xarray(rounds: int, fits: int) -> list[dict[str, Any]]:
    """Time maps with bounds against xarray's own curvefit."""
    y, _ = data_sets(fits)
    cube = xarray.DataArray(y, dims=("pixel", "x"), coords={"x": X})
    bounds = {
        name: (low, high) for name, low, high in zip(("amplitude", "center", "sigma", "offset"), LOW, HIGH, strict=True)
    }
    theirs = (lambda: cube[:100].curvefit("x", gaussian, bounds=bounds, errors="ignore"), 100)
    return [
        row(
            f"leastsq.xarray.curvefit with bounds over xarray's, {kind}",
            must,
            must,
            (lambda model=model, part=part: curvefit(part, "x", model, bounds=bounds, errors="ignore"), len(part)),
            theirs,
            rounds,
        )
        for kind, model, part, must in (("NumPy", gaussian, cube[:2000], 30), ("compiled", models.gaussian, cube, 300))
    ]


def main() -> None:
    """Measure, print and write."""
    options = arguments("Bounded fits against the same without bounds, SciPy and xarray.")
    pin()
    rounds, count, fits = (3, 40, 10_000) if options.quick else (15, 200, 50_000)
    results = [*against_scipy(rounds, count, fits), against_trf(rounds), *against_xarray(rounds, fits)]
    print("Bounded fits", caption(), "", sep="\n")
    print(f"{'case':<65}{'ratio':>8}{'must':>8}{'aim':>8}")
    for one in results:
        print(f"{one['case']:<65}{one['ratio']:8.2f}{one['must']:8.2f}{one['aim']:8.2f}")
    record(options.output, "bounded_fits", results=results)


if __name__ == "__main__":
    main()
