"""A cube of spectra with astropy models: `leastsq.astropy` against astropy's own fitters.

    python benchmarks/astropy_cubes.py [--quick] [--output DIR]

Each spectrum has 60 points, a line on a constant; the second model has bounds, a fixed and two tied parameters. Values
have to agree first. Astropy's fitters are timed in a loop over a part of the spectra, and by `parallel_fit_dask` in
this process.
"""

from measure import arguments, caption, in_turn, record, require, stopwatch  # isort: skip  (settles how numpy starts)

from typing import Any

import numpy as np
from astropy.modeling.fitting import LevMarLSQFitter, TRFLSQFitter, parallel_fit_dask
from astropy.modeling.models import Const1D, Gaussian1D

from leastsq.astropy import LevMarFitter

X = np.linspace(0, 10, 60)


def plain() -> Any:
    """Return a line on a constant."""
    return Gaussian1D(2, 5, 1) + Const1D(0)


def constrained() -> Any:
    """Return two lines at a fixed distance, of the same width, on a known constant."""
    model = Gaussian1D(2, 5, 1, bounds={"mean": (3, 7), "stddev": (0.1, 3)}) + Const1D(0.5, fixed={"amplitude": True})
    model += Gaussian1D(0.5, 8, 1)
    model.mean_2.tied = lambda m: m.mean_0 + 2.5
    model.stddev_2.tied = lambda m: m.stddev_0
    return model


def cube(pixels: int) -> Any:
    """Return spectra, shape (60, pixels)."""
    rng = np.random.default_rng(5)
    truth = constrained()
    centers = rng.uniform(3.7, 6.2, pixels)
    values = {"amplitude_0": 3.0, "mean_0": centers, "amplitude_2": 1.0, "mean_2": centers + 2.5}
    all_of = [np.broadcast_to(values.get(n, getattr(truth, n).value), pixels) for n in truth.param_names]
    return truth.evaluate(X[:, None], *all_of) + rng.normal(0, 0.1, (X.size, pixels))


def loop(kind: Any, model: Any, data: Any) -> Any:
    """Fit one spectrum after the other, as astropy's users do; by differences, which know of what is tied."""
    fitter = kind()
    fits = [fitter(model, X, spectrum, maxiter=1000, estimate_jacobian=True) for spectrum in data.T]
    return np.array([fit.parameters for fit in fits])


def by_dask(model: Any, data: Any) -> Any:
    """Fit with astropy's function for cubes."""
    options = {"fitter_kwargs": {"maxiter": 1000, "estimate_jacobian": True}, "scheduler": "synchronous"}
    fitted = parallel_fit_dask(model=model, fitter=LevMarLSQFitter(), data=data, fitting_axes=0, world=(X,), **options)
    return np.stack([getattr(fitted, name).value for name in fitted.param_names], axis=-1)


def ours(model: Any, data: Any) -> Any:
    """Fit in one call."""
    fitted = LevMarFitter().fit_cube(model, data, fitting_axes=0, world=X)
    return np.stack([getattr(fitted, name).value for name in fitted.param_names], axis=-1)


def main() -> None:
    """Measure everything and publish it."""
    options = arguments("A cube of spectra with astropy models.")
    rounds, pixels, few = (2, 2_000, 20) if options.quick else (5, 10_000, 100)
    data = cube(pixels)
    results = []
    for name, model in (("Gaussian1D + Const1D", plain()), ("bounds, fixed and tied", constrained())):
        peers = {
            "LevMarLSQFitter": lambda model=model: loop(LevMarLSQFitter, model, data[:, :few]),
            "TRFLSQFitter": lambda model=model: loop(TRFLSQFitter, model, data[:, :few]),
            "parallel_fit_dask": lambda model=model: by_dask(model, data[:, :few]),
        }
        mine = ours(model, data)[:few]
        for way, peer in peers.items():
            # A hundredth of a standard error of the centre, which is 0.02.
            require(float(np.max(np.abs(peer() - mine))) < 2e-3, name, way)
        watches = [stopwatch(lambda model=model: ours(model, data), 1), *(stopwatch(p, 1) for p in peers.values())]
        seconds = in_turn(watches, rounds) / np.array([[pixels], *([few] for _ in peers)])
        results += [
            {
                "model": name,
                "way": way,
                "fits per second": float(1 / np.median(row)),
                "times as fast": float(np.median(row / seconds[0])),
            }
            for way, row in zip(["leastsq.astropy", *peers], seconds, strict=True)
        ]
    print("Cubes of astropy models", caption(), "", sep="\n")
    print(f"{'model':<26}{'way':<20}{'fits/s':>10}{'we are times as fast':>24}")
    for r in results:
        missed = "  MISSED 20" if r["way"] != "leastsq.astropy" and r["times as fast"] < 20 else ""
        print(f"{r['model']:<26}{r['way']:<20}{r['fits per second']:>10,.0f}{r['times as fast']:>24.1f}{missed}")
    record(options.output, "astropy_cubes", results=results)


if __name__ == "__main__":
    main()
