"""One picture of the four data sets with the fitted curves."""

from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from fits import Fit, read

# Colours of Okabe and Ito, which colour-blind readers can tell apart.
BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"
GREY = "#8C8C8C"
STYLE = {
    "font.size": 11,
    "axes.titlesize": 13,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "legend.fontsize": 10,
}


def draw(results: dict[str, list[Fit]], path: Path) -> None:
    """Draw all data sets and write the picture; no display is needed."""
    with rc_context(STYLE):
        figure = Figure(figsize=(13, 10), layout=ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.08))
        panels = figure.subfigures(2, 2)
        puromycin(panels[0, 0].subplots(), results["Puromycin Michaelis-Menten"])
        dnase(panels[0, 1].subplots(), results["DNase logistic-4"], results["DNase logistic-3"][0])
        indometh(panels[1, 0].subplots(), results["Indometh biexponential"])
        chickweight(panels[1, 1], results["ChickWeight logistic-3"])
        figure.savefig(path, dpi=130)


def puromycin(axes: Axes, fits: list[Fit]) -> None:
    """Rates against concentration, with the two parameters of each curve marked."""
    x = np.linspace(0, 1.2, 300)
    for fit, colour, marker in zip(fits, (BLUE, VERMILION), "os", strict=True):
        (vmax, km), (vmax_error, km_error) = fit.estimate, fit.standard_error
        label = rf"$V_\mathrm{{max}}$ = {vmax:.0f} ± {vmax_error:.0f}, $K_\mathrm{{m}}$ = {km:.3f} ± {km_error:.3f}"
        axes.plot(fit.x, fit.y, marker, color=colour, alpha=0.8)
        axes.plot(x, fit.curve(x), color=colour, lw=2, label=f"{fit.group}: {label}")
        axes.axhline(vmax, color=colour, lw=1, ls=":")
        axes.plot([0, km, km], [vmax / 2, vmax / 2, 0], color=colour, lw=1, ls=":")
        axes.text(1.2, vmax + 2, r"$V_\mathrm{max}$", color=colour, ha="right")
    axes.set(title="Puromycin: Michaelis–Menten rates", xlim=(0, 1.2), ylim=(0, 235))
    axes.set(xlabel="substrate concentration (ppm)", ylabel="reaction rate (counts/min²)")
    axes.legend(loc="lower right")


def dnase(axes: Axes, fits: list[Fit], three: Fit) -> None:
    """All runs in the background, run 1 with both of its models in front."""
    x = np.geomspace(0.03, 40, 300)
    first, *others = fits
    for fit in others:
        axes.plot(fit.x, fit.y, ".", color=GREY, ms=5, alpha=0.6)
        axes.plot(x, fit.curve(x), color=GREY, lw=1, alpha=0.6, label="runs 2 to 11" if fit is others[0] else None)
    axes.plot(x, first.curve(x), color=BLUE, lw=2, label="run 1, four parameters")
    axes.plot(x, three.curve(x), color=VERMILION, lw=2, ls="--", label="run 1, three parameters")
    axes.plot(first.x, first.y, "o", color=BLUE)
    axes.set(title="DNase: ELISA calibration in 11 runs", xscale="log", xlim=(0.03, 40), ylim=(-0.05, 2.6))
    axes.set(xlabel="DNase concentration (ng/ml)", ylabel="optical density")
    axes.set_xticks([0.1, 1, 10], ["0.1", "1", "10"])
    axes.legend(loc="upper left")


def indometh(axes: Axes, fits: list[Fit]) -> None:
    """Concentrations on a logarithmic axis, where each of the two decays is a straight line."""
    x = np.linspace(0, 8.2, 300)
    colours = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY)
    for fit, colour, marker in zip(fits, colours, "os^Dv*", strict=True):
        axes.plot(fit.x, fit.y, marker, color=colour, ms=6)
        axes.plot(x, fit.curve(x), color=colour, lw=1.8, marker=marker, markevery=[], label=fit.label)
    axes.set(
        title="Indometh: two exponentials, fitted on a linear scale",
        yscale="log",
        xlim=(0, 8.3),
        ylim=(0.02, 4),
    )
    axes.set(xlabel="time since injection (h)", ylabel="plasma concentration (µg/ml)")
    axes.set_yticks([0.02, 0.05, 0.1, 0.2, 0.5, 1, 2], ["0.02", "0.05", "0.1", "0.2", "0.5", "1", "2"])
    axes.tick_params(which="minor", length=0, labelleft=False)
    axes.legend(ncols=2)


def chickweight(panel: SubFigure, fits: list[Fit]) -> None:
    """One small plot for each diet; curves that are not a solution are dashed."""
    table = read("chickweight.csv")
    diets = dict(zip(table["chick"].astype(str), table["diet"], strict=True))
    x = np.linspace(0, 21, 200)
    grid = panel.subplots(2, 2, sharex=True, sharey=True)
    for diet, axes, colour in zip((1, 2, 3, 4), grid.flat, (BLUE, VERMILION, GREEN, PURPLE), strict=True):
        chicks = [fit for fit in fits if diets[fit.group] == diet]
        for fit in chicks:
            axes.plot(fit.x, fit.y, ".", color=colour, ms=4, alpha=0.7)
            axes.plot(x, fit.curve(x), color=colour if fit.solved else "black", lw=1, ls="-" if fit.solved else "--")
        solved = sum(fit.solved for fit in chicks)
        axes.text(0.04, 0.95, f"diet {diet}", transform=axes.transAxes, va="top", weight="bold", color=colour)
        rest = " (dashed: not)" if solved < len(chicks) else ""
        axes.text(0.04, 0.84, f"{solved} of {len(chicks)} solved{rest}", transform=axes.transAxes, va="top", size=10)
        axes.set(xlim=(0, 21.5), ylim=(0, 390), xticks=(0, 7, 14, 21))
    grid[0, 0].set_title("ChickWeight: logistic growth of 50 chicks")
    panel.supxlabel("age (days)", size=11)
    panel.supylabel("body weight (g)", size=11)
