"""Lines in spectra: fits per second over gaussfit-rs, which fits bounded Gaussians of three parameters in Rust.

    python benchmarks/spectral_lines.py [--quick] [--output DIR]

It needs Python 3.12 or newer, and says so where it is not there. Both look for the brightest pixel, take a window about
it, and fit a Gaussian with errors of the data, the same bounds, tolerances and start, on one thread. Their data are
single precision, so that answers are compared to a hundredth of a standard error.
"""

from measure import arguments, caption, in_turn, pin, record, require, stopwatch  # isort: skip  (settles how numpy starts)

import os
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

os.environ["RAYON_NUM_THREADS"] = "1"
try:
    import gaussfit_rs
except ImportError:
    gaussfit_rs = None

from leastsq import ManyFits, curve_fit_many, models

# Kilometres per second and pixel; how far from where a line is expected its pixel is looked for, and bounds of widths.
PIXEL, REACH = 20.0, 100.0
LEAST_WIDTH, GUESSED_WIDTH, MOST_WIDTH = 10.0, 60.0, 600.0
MODEL = models.gaussian.fix(offset=0.0)
TOLERANCE = 1e-6
MUST, AIM = 4.0, 7.0


def spectra(count: int, half: int) -> tuple[Any, Any, Any]:
    """Make velocities, spectra of a line each, and their errors; a line is some pixels wide, and near the middle."""
    rng = np.random.default_rng(20260301)
    velocity = PIXEL * np.arange(-half - 10.0, half + 11)
    amplitude, center = rng.uniform(5, 20, count), rng.uniform(-3, 3, count) * PIXEL
    width = rng.uniform(0.12, 0.3, count) * half * PIXEL
    flux = amplitude[:, None] * np.exp(-0.5 * ((velocity - center[:, None]) / width[:, None]) ** 2)
    noise = np.full(flux.shape, 0.5, dtype=np.float32)
    return velocity.astype(np.float32), (flux + rng.normal(0, 0.5, flux.shape)).astype(np.float32), noise


def ours(velocity: Any, flux: Any, noise: Any, half: int) -> ManyFits:
    """Find the pixels and fit."""
    near = np.flatnonzero(np.abs(velocity) <= REACH)
    top = near[0] + np.argmax(flux[:, near[0] : near[-1] + 1], axis=1)
    rows, size = np.arange(len(flux)), 2 * half + 1
    peak, middle = flux[rows, top], velocity[top]
    ones = np.ones_like(peak)
    bounds = (
        np.stack([0.1 * peak, middle - PIXEL * half, LEAST_WIDTH * ones], axis=1),
        np.stack([2.0 * peak, middle + PIXEL * half, MOST_WIDTH * ones], axis=1),
    )
    return curve_fit_many(
        MODEL,
        sliding_window_view(velocity, size)[top - half],
        sliding_window_view(flux, size, axis=1)[rows, top - half],
        np.stack([peak, middle, GUESSED_WIDTH * ones], axis=1),
        sliding_window_view(noise, size, axis=1)[rows, top - half],
        bounds=bounds,
        ftol=TOLERANCE,
        xtol=TOLERANCE,
        absolute_sigma=True,
        pcov=False,
    )


def theirs(velocity: Any, flux: Any, noise: Any, half: int) -> Any:
    """Do the same by gaussfit-rs."""
    return gaussfit_rs.fit_spectra_batch(
        spectra=flux,
        dopp_slit=velocity,
        spec_noise=noise,
        guide_velocities=0.0,
        velocity_range=REACH,
        npix=half,
        npix_slack=2,
        dv=PIXEL,
        width_min=LEAST_WIDTH,
        width_max=MOST_WIDTH,
        width_guess=GUESSED_WIDTH,
        amplitude_rel_min=0.1,
        amplitude_rel_max=2.0,
        ftol=TOLERANCE,
        xtol=TOLERANCE,
    )[0]


def compare(half: int, count: int, rounds: int, repeats: int, targets: tuple[float | None, float | None]) -> Any:
    """Time both for `count` spectra at once, and return fits per second and their ratio."""
    data = spectra(count, half)
    fits, rows = ours(*data, half), theirs(*data, half)
    both = fits.success & (rows[:, 7] == gaussfit_rs.FLAG_SUCCESS)
    case = f"{2 * half + 1} samples, {'one spectrum' if count == 1 else f'{count} spectra'}"
    apart = np.abs(fits.popt - rows[:, :3])[both] / fits.stderr[both]
    require(bool(both.mean() > 0.98 and np.quantile(apart, 0.99) < 0.01), case, "parameters", both.mean(), apart.max())
    actions = (lambda: ours(*data, half), lambda: theirs(*data, half))
    mine, peer = count / in_turn([stopwatch(action, repeats) for action in actions], rounds)
    return {
        "case": case,
        "must": targets[0],
        "aim": targets[1],
        "rates": {"leastsq": float(np.median(mine)), "gaussfit-rs": float(np.median(peer))},
        "ratio": float(np.median(mine / peer)),
        "solved": {"leastsq": float(fits.success.mean()), "gaussfit-rs": float((rows[:, 7] == 0).mean())},
    }


def main() -> None:
    """Measure, print and write."""
    options = arguments("Lines in spectra, against gaussfit-rs.")
    if gaussfit_rs is None:
        print("gaussfit-rs is not installed: pip install gaussfit-rs, with Python 3.12 or newer")
        return
    pin()
    rounds, count = (5, 4000) if options.quick else (21, 20_000)
    results = [compare(half, count, rounds, 1, (MUST, AIM)) for half in (10, 25)]
    results += [compare(half, 1, rounds, 100, (None, None)) for half in (10, 25)]
    print("Lines in spectra, fits per second", caption(), "", sep="\n")
    print(f"{'case':<28}{'leastsq':>12}{'gaussfit-rs':>13}{'ratio':>8}{'must':>7}{'aim':>7}")
    for one in results:
        targets = "".join(f"{'' if one[name] is None else one[name]:>7}" for name in ("must", "aim"))
        rates = "".join(f"{rate:>{width},.0f}" for rate, width in zip(one["rates"].values(), (12, 13), strict=True))
        print(f"{one['case']:<28}{rates}{one['ratio']:>8.2f}{targets}")
    record(options.output, "spectral_lines", results=results)


if __name__ == "__main__":
    main()
