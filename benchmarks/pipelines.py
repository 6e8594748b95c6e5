"""A cube of pixels from end to end: NumPy, dask in one and two processes, and xarray, against xarray's `curvefit`.

    python benchmarks/pipelines.py [--quick] [--output DIR]

Each pixel is a time series of 30 dates over two years, with clouds on one date in seven, and on all of one pixel in a
hundred. The models have four parameters: a trend with a yearly oscillation, and a double logistic season of growth.
Times are of whole calls, from arrays to coefficients in memory; those for dask begin with arrays in its processes.
xarray's own loop is timed on fewer pixels. The second part lets the cube grow from a thousand pixels to a million.

It needs dask with distributed, xarray, and numba for the compiled model; without numba that part is left out.
"""

from measure import arguments, caption, in_turn, record, require, stopwatch  # isort: skip  (settles how numpy starts)

import importlib.util
import math
from collections.abc import Callable
from typing import Any

import dask
import dask.array
import numpy as np
import xarray
from distributed import Client, LocalCluster

import figures
import leastsq
import leastsq.xarray

START = [0.3, 0.0, 0.1, 0.1]
DATES = np.linspace(0, 2, 30)


def season(t: Any, offset: Any, trend: Any, sine: Any, cosine: Any) -> Any:
    """Return a trend with a yearly oscillation, with NumPy."""
    return offset + trend * t + sine * np.sin(2 * np.pi * t) + cosine * np.cos(2 * np.pi * t)


def logistic(t: Any, base: Any, height: Any, begin: Any, length: Any) -> Any:
    """Return a season of growth, a double logistic whose sides are alike, with NumPy."""
    rise, fall = np.exp(-12 * (t - begin)), np.exp(-12 * (t - begin - length))
    return base + height * (1 / (1 + rise) - 1 / (1 + fall))


def logistic_point(t: float, base: float, height: float, begin: float, length: float) -> float:
    """Return the same at one date, for numba."""
    rise, fall = math.exp(-12 * (t - begin)), math.exp(-12 * (t - begin - length))
    return base + height * (1 / (1 + rise) - 1 / (1 + fall))


def cube(pixels: int, formula: Callable[..., Any]) -> xarray.DataArray:
    """Make a square or nearly square cube of so many pixels."""
    rng = np.random.default_rng(20260601)
    rows = max(1, round(math.sqrt(pixels)))
    columns = pixels // rows
    if formula is season:
        low, high = [0.2, -0.05, -0.2, -0.2], [0.5, 0.05, 0.2, 0.2]
    else:
        low, high = [0.1, 0.4, 0.3, 0.4], [0.2, 0.6, 0.6, 0.8]
    data = np.empty((rows, columns, DATES.size))
    for row in range(rows):
        parameters = rng.uniform(low, high, (columns, 4)).T[:, :, None]
        data[row] = formula(DATES, *parameters) + rng.normal(0, 0.02, (columns, DATES.size))
    data[rng.random(data.shape) < 0.15] = np.nan
    data[rng.random(data.shape[:2]) < 0.01] = np.nan
    return xarray.DataArray(data, dims=["y", "x", "time"], coords={"time": DATES})


def blocks_on(client: Client, data: xarray.DataArray) -> Any:
    """Return the cube as blocks that lie in the processes already, as those that other tasks have read do."""
    rows = max(1, data.shape[0] // 8)
    parts = [data.values[first : first + rows] for first in range(0, data.shape[0], rows)]
    arrays = [
        dask.array.from_delayed(dask.delayed(future), part.shape, part.dtype)
        for future, part in zip(client.scatter(parts), parts, strict=True)
    ]
    return dask.array.concatenate(arrays)


def ways(
    f: Any, names: list[str], p0: list[float], data: xarray.DataArray, clients: dict[int, Client]
) -> dict[str, Callable[[], Any]]:
    """Return how a cube can be fitted, each ending with coefficients in memory."""
    start = dict(zip(names, p0, strict=True))
    blocks = {processes: blocks_on(client, data) for processes, client in clients.items()}

    def with_xarray() -> Any:
        return leastsq.xarray.curvefit(data, "time", f, p0=start, errors="ignore")["curvefit_coefficients"].values

    def with_dask(processes: int) -> Any:
        return leastsq.curve_fit_many(f, DATES, blocks[processes], p0).popt.compute(scheduler=clients[processes])

    return {
        "curve_fit_many": lambda: leastsq.curve_fit_many(f, DATES, data.values, p0).popt,
        "leastsq.xarray": with_xarray,
        "dask, 1 process": lambda: with_dask(1),
        "dask, 2 processes": lambda: with_dask(2),
    }


def time_model(name: str, f: Any, formula: Any, p0: list[float], clients: Any, pixels: int, rounds: int) -> list[Any]:
    """Time all ways on one cube, and xarray's own on a part of it."""
    names = list(formula.__code__.co_varnames[1 : formula.__code__.co_argcount])
    data, few = cube(pixels, formula), cube(min(pixels, 900), formula)
    start = dict(zip(names, p0, strict=True))

    def original() -> Any:
        return few.curvefit("time", formula, p0=start, errors="ignore")["curvefit_coefficients"].values

    theirs, mine = original(), ways(f, names, p0, few, {})["leastsq.xarray"]()
    same = np.isclose(mine, theirs, rtol=1e-4, atol=1e-6) | np.isnan(mine) | np.isnan(theirs)
    require(float(same.mean()) > 0.999, name, "coefficients")
    fitters = ways(f, names, p0, data, clients)
    for fit in fitters.values():
        fit()  # what a first call has to import and compile
    watches = [stopwatch(original, 1), *(stopwatch(fit, 1) for fit in fitters.values())]
    seconds = in_turn(watches, rounds)
    count = data.sizes["y"] * data.sizes["x"]
    per_pixel = [seconds[0] / (few.sizes["y"] * few.sizes["x"]), *(row / count for row in seconds[1:])]
    return [
        {
            "model": name,
            "way": way,
            "pixels per second": float(1 / np.median(row)),
            "times xarray": float(np.median(per_pixel[0] / row)),
        }
        for way, row in zip(["xarray's curvefit", *fitters], per_pixel, strict=True)
    ]


def time_growth(f: Any, formula: Any, p0: list[float], sizes: list[int], rounds: int) -> dict[str, Any]:
    """Time cubes of growing size, and the slope of time over size, both logarithmic."""
    seconds = []
    for pixels in sizes:
        data = cube(pixels, formula).values
        fit = stopwatch(lambda d=data: leastsq.curve_fit_many(f, DATES, d, p0), 1)
        fit()
        seconds.append(float(np.median(in_turn([fit], rounds))))
    slope = np.polyfit(np.log(sizes), np.log(seconds), 1)[0]
    return {"pixels": sizes, "seconds": seconds, "slope": float(slope)}


def main() -> None:
    """Measure everything and publish it."""
    options = arguments("A cube of pixels from end to end.")
    rounds, pixels = (2, 90_000) if options.quick else (5, 1_000_000)
    cases = [
        ("trend and season, NumPy", season, season, START, 20),
        ("double logistic, NumPy", logistic, logistic, [0.1, 0.5, 0.45, 0.6], 20),
    ]
    if importlib.util.find_spec("numba"):
        compiled = leastsq.native.jit(logistic_point)
        cases.append(("double logistic, compiled", compiled, logistic, [0.1, 0.5, 0.45, 0.6], 100))
    results: list[dict[str, Any]] = []
    # By default, workers hand memory back to the system after each step of NumPy's, and wait for it again.
    keep = {"distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": 2**27}
    with (
        dask.config.set(keep),
        LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0") as one,
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as two,
        Client(one, set_as_default=False) as first,
        Client(two, set_as_default=False) as second,
    ):
        for name, f, formula, p0, must in cases:
            size = pixels if "compiled" in name else pixels // 10
            found = time_model(name, f, formula, p0, {1: first, 2: second}, size, rounds)
            results += [{**one_of, "must": must if one_of["way"] == "leastsq.xarray" else None} for one_of in found]
    sizes = [10**3, 10**4, 10**5] + ([] if options.quick else [10**6])
    growth = {
        name: time_growth(f, formula, p0, sizes if "compiled" in name else sizes[:3], rounds)
        for name, f, formula, p0, _ in cases
    }
    print("Pixel cubes from end to end", caption(), "", sep="\n")
    print(f"{'model':<28}{'way':<20}{'pixels/s':>12}{'times xarray':>14}{'must':>7}")
    for r in results:
        must = "" if r.get("must") is None else f"{r['must']:g}"
        missed = "  MISSED" if r.get("must") and r["times xarray"] < r["must"] else ""
        numbers = f"{r['pixels per second']:>12,.0f}{r['times xarray']:>14.1f}{must:>7}"
        print(f"{r['model']:<28}{r['way']:<20}{numbers}{missed}")
    for name, line in growth.items():
        print(f"{name}: time grows with the power {line['slope']:.3f} of the number of pixels")
    document = record(options.output, "pipelines", results=results, growth=growth)
    figures.save(figures.pipelines(document), options.output / "pipelines.png")


if __name__ == "__main__":
    main()
