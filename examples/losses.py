"""Pictures of losses: outliers in a decay, and spots of few photons by least squares and by likelihood.

python examples/losses.py outliers outliers.png
python examples/losses.py counts counts.png
"""

import sys
from typing import Any

import matplotlib.pyplot as plt
import numpy as np

from leastsq import curve_fit_many, models


def outliers() -> Any:
    """Draw a decay with cosmic-ray hits, fitted by squares and by losses, and the errors over many such decays."""
    rng = np.random.default_rng(4)
    t = np.linspace(0, 10, 60)
    truth = np.array([8.0, 0.45, 2.0])
    y = models.exponential(t, *truth) + rng.normal(0, 0.3, (500, t.size))
    hit = rng.random(y.shape) < 0.08
    y[hit] += rng.uniform(2, 12, np.count_nonzero(hit))
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    left.errorbar(t, y[0], 0.3, fmt=".", color="0.35", label="signal, hit by cosmic rays here and there")
    left.plot(t, models.exponential(t, *truth), color="0.7", linewidth=4, label="truth")
    rates = {}
    for loss, colour in (("linear", "C3"), ("soft_l1", "C0"), ("cauchy", "C2")):
        fits = curve_fit_many(models.exponential, t, y, sigma=0.3, loss=loss, f_scale=1.5)
        left.plot(t, models.exponential(t, *fits.popt[0]), color=colour, label=f'loss="{loss}"')
        rates[loss] = fits["rate"][fits.success], colour
    left.set(xlabel="time", ylabel="signal", title="one decay of 500")
    left.legend(frameon=False, fontsize=8.5)
    bins = np.linspace(0.25, 0.75, 51)
    for loss, (values, colour) in rates.items():
        right.hist(values, bins, histtype="step", color=colour, linewidth=1.6, label=f'loss="{loss}"')
    right.axvline(truth[1], color="0.5", linewidth=1)
    right.set(xlabel="fitted rate; the line is the truth", ylabel="fits", title="all of them")
    right.legend(frameon=False, fontsize=8.5)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def spots_of(photons: float, count: int = 2000) -> tuple[Any, Any, Any]:
    """Make spots of so many photons on a background, and say what is true: pixels, counts and parameters."""
    rng = np.random.default_rng(int(photons))
    grid = np.meshgrid(np.arange(9.0), np.arange(9.0))
    pixels = tuple(axis.ravel() for axis in grid)
    width = 1.3
    truth = np.empty((count, 5))
    truth[:] = photons / (2 * np.pi * width**2), 4, 4, width, 1.0
    truth[:, 1:3] += rng.uniform(-0.5, 0.5, (count, 2))
    return pixels, rng.poisson(models.gaussian_2d(pixels, *truth.T[:, :, None])).astype(float), truth


def counts() -> Any:
    """Draw a spot, and bias and scatter of its brightness over the number of photons, by four ways of fitting."""
    levels = np.array([50, 100, 200, 500, 1000, 3000])
    ways: dict[str, tuple[str, dict[str, Any]]] = {
        'likelihood, loss="poisson"': ("C0", {"loss": "poisson"}),
        "least squares, no weights": ("C1", {}),
        "weights from the data, sqrt(max(y, 1))": ("C3", {"weighted": True}),
    }
    found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in ways}
    for photons in levels:
        pixels, data, truth = spots_of(float(photons))
        box = {"amplitude": (0, np.inf), "x0": (0, 8), "y0": (0, 8), "sigma": (0.5, 4), "offset": (0, np.inf)}
        for name, (_, keywords) in ways.items():
            weighted = keywords.get("weighted")
            options = {key: value for key, value in keywords.items() if key != "weighted"}
            sigma = np.sqrt(np.maximum(data, 1)) if weighted else None
            fits = curve_fit_many(models.gaussian_2d, pixels, data, truth, sigma, bounds=box, **options)
            p = fits.popt[fits.success]
            share = 2 * np.pi * p[:, 0] * p[:, 3] ** 2 / photons - 1
            place = (p[:, 1] - truth[fits.success, 1]) * 100
            found[name].append((float(np.mean(share)), float(np.std(share)), float(np.std(place))))
    figure, panels = plt.subplots(1, 4, figsize=(13, 3.6), layout="constrained", width_ratios=[0.8, 1, 1, 1])
    panels[0].imshow(spots_of(200.0)[1][0].reshape(9, 9), cmap="magma")
    panels[0].set(title="a spot of 200 photons", xticks=[], yticks=[])
    names = ("bias of brightness in %", "scatter of brightness in %", "scatter of position in 0.01 pixels")
    for k, (axes, title) in enumerate(zip(panels[1:], names, strict=True)):
        for name, (colour, _) in ways.items():
            values = np.array(found[name])[:, k] * (100 if k < 2 else 1)
            axes.plot(levels, values, "o-", color=colour, markersize=4, label=name)
        axes.set(
            xscale="log", xticks=(100, 1000), xticklabels=("100", "1000"), xlabel="photons in the spot", title=title
        )
        axes.spines[["top", "right"]].set_visible(False)
    panels[1].axhline(0, color="0.6", linewidth=1)
    panels[1].legend(frameon=False, fontsize=7.5)
    for axes, ticks in zip(panels[2:], ((2, 5, 10, 20), (3, 5, 10, 20, 30)), strict=True):
        axes.set_yscale("log")
        axes.minorticks_off()
        axes.set_yticks(ticks, [str(tick) for tick in ticks])
    return figure


# The site calls the functions themselves.
if __name__ == "__main__" and len(sys.argv) > 1:
    {"outliers": outliers, "counts": counts}[sys.argv[1]]().savefig(sys.argv[2], dpi=110)
