"""A spectral cube: one emission line in each of 2400 spectra, fitted in one call.

    python examples/cube.py [figure.png]

The line comes from a disk that rotates, so that its centre moves across the picture. The documentation shows it.
"""

import sys

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MultipleLocator

from figure import BLUE, GREY, STYLE, VERMILION
from leastsq import ManyFits, curve_fit_many, models
from textbook_models import Array

NOISE = 0.15
SHOWN = (12, 41)  # the pixel whose spectrum is drawn


def simulate() -> tuple[Array, Array, Array]:
    """Return wavelengths in nm, spectra of shape (40, 60, M), and the true centres; a corner has no data."""
    rng = np.random.default_rng(3)
    y, x = np.ogrid[-1:1:40j, -1.5:1.5:60j]
    radius = np.hypot(x, y)
    centers = 655 + 1.5 * x / np.hypot(radius, 0.3)
    wavelengths = np.linspace(650, 660, 60)
    lines = models.gaussian(wavelengths, 3 * np.exp(-radius)[..., None], centers[..., None], 0.6, 0.5)
    cube = lines + rng.normal(0, NOISE, lines.shape)
    cube[:7, :12] = np.nan
    return wavelengths, cube, centers


def draw(wavelengths: Array, cube: Array, centers: Array, fits: ManyFits) -> None:
    """Draw the map of centres, their errors, and one spectrum with its residuals."""
    axes = plt.figure(figsize=(13, 3.8), layout="constrained").subplot_mosaic(
        [["map", "errors", "spectrum"], ["map", "errors", "residuals"]], height_ratios=(2.4, 1), width_ratios=(1, 1, 1)
    )
    center, error = fits.popt[..., 1].copy(), fits.stderr[..., 1]
    center[~fits.success] = np.nan
    show(axes["map"], center, "fitted centre of the line", "viridis", 653.5, 656.5, "wavelength (nm)")
    show(axes["errors"], (center - centers) / error, "error of the centre", "RdBu_r", -3, 3, "standard errors")
    for name in ("map", "errors"):
        axes[name].plot(*SHOWN[::-1], "s", ms=9, mfc="none", mec="black", mew=1.5)
        axes[name].text(5.5, 3, "no data", ha="center", va="center", size=9)
    spectrum(axes["spectrum"], axes["residuals"], wavelengths, cube[SHOWN], fits[SHOWN])


def show(axes: Axes, image: Array, title: str, colours: str, low: float, high: float, unit: str) -> None:
    axes.set_facecolor("#DDDDDD")
    shown = axes.imshow(image, cmap=colours, vmin=low, vmax=high, origin="lower")
    axes.set(title=title, xlabel="column (pixels)", ylabel="row (pixels)")
    axes.figure.colorbar(shown, ax=axes, orientation="horizontal", label=unit, shrink=0.9, ticks=MultipleLocator(1))


def spectrum(axes: Axes, below: Axes, wavelengths: Array, values: Array, fit: ManyFits) -> None:
    x = np.linspace(650, 660, 400)
    axes.plot(wavelengths, values, "o", ms=3.5, color=GREY)
    axes.plot(x, fit.predict(x), color=VERMILION, lw=2)
    axes.set(title=f"row {SHOWN[0]}, column {SHOWN[1]} (marked)", ylabel="intensity", xlim=(650, 660))
    axes.tick_params(labelbottom=False)
    below.plot(wavelengths, values - fit.predict(wavelengths), "o", ms=3.5, color=BLUE)
    below.axhline(0, color=GREY, lw=1)
    below.set(xlabel="wavelength (nm)", ylabel="residual", xlim=(650, 660), ylim=(-0.6, 0.6))


def main() -> None:
    """Simulate, fit and draw."""
    wavelengths, cube, centers = simulate()
    fits = curve_fit_many(models.gaussian, wavelengths, cube)
    print(fits.summary())
    with plt.rc_context(STYLE):
        draw(wavelengths, cube, centers, fits)


if __name__ == "__main__":
    main()
    if len(sys.argv) == 2:
        plt.savefig(sys.argv[1], dpi=100)
