"""Losses: compiled spots with each loss against least squares, and against loops over SciPy with the same loss.

    python benchmarks/losses.py [--quick] [--output DIR]

Spots of 9 by 9 pixels with Poisson noise, from starts off by up to 10 %, on one core, in turn. The loops fit as many as
needed for a fifth of a second: `curve_fit` by `trf` for the robust losses, which has no loss of counts; for these,
`least_squares` of deviance residuals. All have the same derivatives in NumPy.
"""

from measure import arguments, caption, in_turn, pin, record, require, stopwatch  # isort: skip  (settles how numpy starts)

import warnings
from typing import Any

import numpy as np
import scipy.optimize
import scipy.special

import leastsq
from leastsq import models

F_SCALE = 10.0
# Shares of the rate of least squares, and multiples of SciPy's, that are to be reached.
MUST = {"soft_l1": 0.5, "poisson": 0.5}
MUST_OVER_SCIPY = 200


def spot(xy: Any, amplitude: Any, x0: Any, y0: Any, sigma: Any, offset: Any) -> Any:
    """Return a round spot."""
    return amplitude * np.exp(-((xy[0] - x0) ** 2 + (xy[1] - y0) ** 2) / (2 * sigma**2)) + offset


def spot_jac(xy: Any, amplitude: Any, x0: Any, y0: Any, sigma: Any, offset: Any) -> Any:
    """Return its derivatives."""
    u, v = (xy[0] - x0) / sigma, (xy[1] - y0) / sigma
    e = np.exp(-0.5 * (u * u + v * v))
    slope = amplitude * e / sigma
    return np.stack([e, slope * u, slope * v, slope * (u * u + v * v), np.ones_like(e)], axis=1)


def deviance_residuals(p: Any, xy: Any, y: Any) -> Any:
    """Return signed roots of deviances."""
    mean = np.maximum(spot(xy, *p), 1e-12)
    half = mean - y + scipy.special.xlogy(y, y / mean)
    return np.copysign(np.sqrt(2 * np.maximum(half, 0)), mean - y)


def deviance_jac(p: Any, xy: Any, y: Any) -> Any:
    """Return their derivatives."""
    mean = np.maximum(spot(xy, *p), 1e-12)
    residuals = deviance_residuals(p, xy, y)
    near = np.abs(mean - y) < 1e-6 * mean
    factors = np.where(near, 1 / np.sqrt(mean), (1 - y / mean) / np.where(near, 1.0, residuals))
    return spot_jac(xy, *p) * factors[:, None]


def data(count: int) -> tuple[Any, Any, Any]:
    """Make spots, and where to start."""
    rng = np.random.default_rng(20260101)
    pixels = tuple(axis.ravel() for axis in np.meshgrid(np.arange(9.0), np.arange(9.0)))
    low, high = np.array([100, 3.5, 3.5, 1.2, 5]), np.array([200, 4.5, 4.5, 1.7, 10])
    truth = rng.uniform(low, high, (count, 5))
    y = rng.poisson(spot(pixels, *truth.T[:, :, None])).astype(float)
    return pixels, y, truth * rng.uniform(0.9, 1.1, truth.shape)


def scipys(loss: str, x: Any, y: Any, start: Any) -> Any:
    """Fit one data set by SciPy."""
    if loss == "poisson":
        return scipy.optimize.least_squares(deviance_residuals, start, deviance_jac, x_scale="jac", args=(x, y)).x
    options: dict[str, Any] = {} if loss == "linear" else {"method": "trf", "loss": loss, "f_scale": F_SCALE}
    return scipy.optimize.curve_fit(spot, x, y, start, jac=spot_jac, **options)[0]


def loop(loss: str, x: Any, y: Any, p0: Any) -> None:
    """Fit data sets one after the other."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for one, start in zip(y, p0, strict=True):
            scipys(loss, x, one, start)


def time_loss(loss: str, rounds: int, fits: int, looped: int) -> dict[str, Any]:
    """Require answers that agree, then time least squares, the loss, and SciPy."""
    x, y, p0 = data(fits)
    found = leastsq.curve_fit_many(models.gaussian_2d, x, y, p0, loss=loss, f_scale=F_SCALE)
    for i in range(20):
        theirs = scipys(loss, x, y[i], p0[i])
        near = np.all(np.abs(theirs - found.popt[i]) < 2e-2 * found.stderr[i])
        require(bool(near), loss, "popt", theirs, found.popt[i])
    plain, ours, theirs = in_turn(
        [
            stopwatch(lambda: leastsq.curve_fit_many(models.gaussian_2d, x, y, p0), 1),
            stopwatch(lambda: leastsq.curve_fit_many(models.gaussian_2d, x, y, p0, loss=loss, f_scale=F_SCALE), 1),
            stopwatch(lambda: loop(loss, x, y[:looped], p0[:looped]), 1),
        ],
        rounds,
    )
    return {
        "case": f"9x9 spots, {loss}",
        "evaluations": float(found.nfev.mean()),
        "rates": {"leastsq": float(np.median(fits / ours)), "SciPy": float(np.median(looped / theirs))},
        "over_least_squares": float(np.median(plain / ours)),
        "over_scipy": float(np.median(theirs / looped / (ours / fits))),
        "must": MUST.get(loss),
        "must_over_scipy": MUST_OVER_SCIPY,
    }


def main() -> None:
    """Measure, print and write."""
    options = arguments("Losses against least squares and SciPy.")
    pin()
    rounds, fits, looped = (5, 5000, 10) if options.quick else (15, 20_000, 40)
    losses = ("linear", "soft_l1", "huber", "cauchy", "arctan", "poisson")
    results = [time_loss(loss, rounds, fits, looped) for loss in losses]
    print("Losses", caption(), "", sep="\n")
    print(f"{'case':<22}{'evaluations':>12}{'fits/s':>11}{'of least squares':>18}{'SciPy = 1':>11}")
    for row in results:
        share = f"{row['over_least_squares']:.2f}" + (f" (must {row['must']})" if row["must"] else "")
        rate = row["rates"]["leastsq"]
        print(f"{row['case']:<22}{row['evaluations']:12.1f}{rate:11,.0f}{share:>18}{row['over_scipy']:11.0f}")
    record(options.output, "losses", results=results)


if __name__ == "__main__":
    main()
