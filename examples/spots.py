"""Two thousand images of fluorescent spots, fitted in one call and compared with the truth.

A camera sees molecules through a microscope that is less sharp towards the edge of its field of view. Each molecule is
cut out of the picture, 11 by 11 pixels. What is known of the truth is used only to compare.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import Circle

from figure import BLUE, GREY, ORANGE, STYLE, VERMILION
from leastsq import ManyFits, curve_fit_many, models
from textbook_models import Array

COUNT, SIZE, FIELD = 2000, 11, 50.0  # spots; pixels across each; micrometres across the field of view
PIXEL = 0.1  # micrometres
READ_NOISE = 2.0  # photons
SHARPEST, BLUR = 1.2, 0.9  # width at the centre, and how much is added in the corners, in pixels
SHOWN, GAP = 12, 12.5  # how many are drawn, and how far apart, in pixels
SYMBOLS = ("amplitude", "$x_0$", "$y_0$", "width", "background")

# Pixel coordinates from the middle of an image; they broadcast to (11, 11).
ROWS, COLUMNS = np.ogrid[-5.0:6.0, -5.0:6.0]


@dataclass(frozen=True)
class Spots:
    """Where spots are in the field of view, their images in photons, and the true parameters."""

    x: Array  # (2000,), micrometres
    y: Array
    images: Array  # (2000, 11, 11)
    truth: Array  # (2000, 5)


def width_at(x: Array, y: Array) -> Array:
    """Return the width of a spot, in pixels: the larger, the farther it is from the middle of the field."""
    distance = (x / FIELD - 0.5) ** 2 + (y / FIELD - 0.5) ** 2
    return SHARPEST + 2 * BLUR * distance


def simulate() -> Spots:
    """Make the images: photons arrive at random, and reading them out adds normal noise."""
    rng = np.random.default_rng(20)
    x, y = rng.uniform(0, FIELD, (2, COUNT))
    amplitude = rng.uniform(150, 600, COUNT)
    x0, y0 = rng.uniform(-1, 1, (2, COUNT))
    truth = np.column_stack([amplitude, x0, y0, width_at(x, y), np.full(COUNT, 20.0)])
    expected = models.gaussian_2d((COLUMNS, ROWS), *truth.T[:, :, np.newaxis, np.newaxis])
    return Spots(x, y, rng.poisson(expected) + rng.normal(0, READ_NOISE, expected.shape), truth)


def fit(images: Array) -> ManyFits:
    """Fit all images, then again with errors from the model, which are better than those from the noisy counts."""
    pixels = (COLUMNS, ROWS)
    fits = curve_fit_many(models.gaussian_2d, pixels, images, axis=(1, 2))
    for _ in range(2):
        sigma = np.sqrt(np.maximum(expected_photons(fits), 0) + READ_NOISE**2)
        fits = curve_fit_many(
            models.gaussian_2d, pixels, images, fits.popt, sigma, absolute_sigma=True, axis=(1, 2), workers=-1
        )
    return fits


def expected_photons(fits: ManyFits) -> Array:
    """Return the fitted images, shape (2000, 11, 11)."""
    columns, rows = np.broadcast_arrays(COLUMNS, ROWS)
    return fits.predict((columns.ravel(), rows.ravel())).reshape(-1, SIZE, SIZE)


def z_scores(spots: Spots, fits: ManyFits) -> Array:
    """Return how far estimates are from the truth, in standard errors, shape (2000, 5)."""
    return (fits.popt - spots.truth) / fits.stderr


def good(fits: ManyFits, z: Array) -> bool:
    """Whether all fits are solved and their errors are what they should be."""
    # Four times what chance does to the mean and the spread of so many.
    means, spreads = np.abs(z.mean(axis=0)), np.abs(z.std(axis=0) - 1)
    right = (means < 4 / np.sqrt(COUNT)) & (spreads < 4 / np.sqrt(2 * COUNT))
    return bool(fits.success.all() and right.all())


def report(fits: ManyFits, z: Array) -> None:
    """Print what came out."""
    print(fits.summary())
    print("deviations from the truth, in standard errors; 0 and 1 are expected:")
    for name, column in zip(fits.param_names, z.T, strict=True):
        print(f"  {name:<10} mean {column.mean():>6.3f}, spread {column.std():.3f}")


def draw(spots: Spots, fits: ManyFits, path: Path) -> None:
    """Draw some spots, the widths over the field of view, and the deviations from the truth."""
    with rc_context(STYLE):
        figure = Figure(figsize=(13, 8.2), layout=ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.08))
        above, below = figure.subfigures(2, 1, height_ratios=(1, 1.45))
        some_spots(above.subplots(2, 1), spots, fits)
        left, right = below.subfigures(1, 2, width_ratios=(1.25, 1))
        width_map(left.subplots(1, 2, sharey=True), spots, fits)
        deviations(right.subplots(), z_scores(spots, fits))
        figure.savefig(path, dpi=130)


def some_spots(panels: list[Axes], spots: Spots, fits: ManyFits) -> None:
    """Images with circles around the fitted centres, and below them what the fits leave."""
    expected = expected_photons(fits)
    residuals = (spots.images - expected) / np.sqrt(expected + READ_NOISE**2)
    above = row_of_images(panels[0], spots.images, cmap="gray", vmin=0, vmax=500)
    below = row_of_images(panels[1], residuals, cmap="RdBu_r", vmin=-4, vmax=4)
    for i in range(SHOWN):
        _, x0, y0, width, _ = fits.popt[i]
        panels[0].add_patch(Circle((x0 + GAP * i, y0), 2 * abs(width), fill=False, color=ORANGE, lw=1.8))
        panels[0].plot(x0 + GAP * i, y0, "+", color=ORANGE, ms=8)
    panels[0].plot([-5.5, -5.5 + 1 / PIXEL], [7, 7], color="black", lw=3, clip_on=False)
    panels[0].text(5.5, 7, "1 µm", va="center", size=10)
    panels[0].set_title(f"{SHOWN} of {COUNT} spots, and circles of two fitted widths around the fitted centres")
    panels[1].set_title("what the fits leave, in units of the expected noise")
    panels[0].figure.colorbar(above, ax=panels[0], label="photons", fraction=0.02, pad=0.01)
    panels[1].figure.colorbar(below, ax=panels[1], label="residual / noise", fraction=0.02, pad=0.01)


def row_of_images(axes: Axes, images: Array, **style: float | str) -> AxesImage:
    for i in range(SHOWN):
        middle = GAP * i
        shown = axes.imshow(images[i], extent=(middle - 5.5, middle + 5.5, 5.5, -5.5), **style)
    axes.set(xlim=(-5.5, GAP * (SHOWN - 1) + 5.5), ylim=(8, -5.5))
    axes.set_axis_off()
    return shown


def width_map(panels: list[Axes], spots: Spots, fits: ManyFits) -> None:
    """Fitted widths where the spots are, beside the true ones."""
    y, x = np.mgrid[0:FIELD:101j, 0:FIELD:101j]
    low, high = PIXEL * SHARPEST * 1000, PIXEL * (SHARPEST + BLUR) * 1000
    style = {"cmap": "viridis", "vmin": low, "vmax": high}
    fitted = np.abs(fits.popt[:, 3]) * PIXEL * 1000
    panels[0].scatter(spots.x, spots.y, c=fitted, s=14, **style)
    shown = panels[1].imshow(width_at(x, y) * PIXEL * 1000, extent=(0, FIELD, 0, FIELD), origin="lower", **style)
    panels[0].set(title="fitted width of each spot", ylabel="y (µm)")
    panels[1].set(title="true width")
    for axes in panels:
        axes.set(xlim=(0, FIELD), ylim=(0, FIELD), xlabel="x (µm)", aspect="equal")
    panels[0].figure.colorbar(shown, ax=panels, location="bottom", label="standard deviation of a spot (nm)", aspect=40)


def deviations(axes: Axes, z: Array) -> None:
    """How estimates spread about the truth, and how they should."""
    bins = np.linspace(-4, 4, 33)
    t = np.linspace(-4, 4, 200)
    for j, (symbol, column) in enumerate(zip(SYMBOLS, z.T, strict=True)):
        density, _ = np.histogram(column, bins, density=True)
        base = 0.5 * (len(SYMBOLS) - 1 - j)
        axes.stairs(density + base, bins, baseline=base, fill=True, color=BLUE, alpha=0.35)
        axes.plot(t, base + np.exp(-0.5 * t**2) / np.sqrt(2 * np.pi), color=VERMILION, lw=1.8)
        axes.axhline(base, color=GREY, lw=0.8)
        axes.text(-3.95, base + 0.12, symbol, size=11)
        axes.text(3.95, base + 0.12, f"spread {column.std():.2f}", size=11, ha="right")
    axes.set(title="deviations from the truth, and the normal distribution", xlabel="standard errors", xlim=(-4, 4))
    axes.set(yticks=(), ylim=(0, 0.5 * len(SYMBOLS)))
    axes.spines["left"].set_visible(False)
