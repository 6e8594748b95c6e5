"""The compiled models, drawn: families of curves that differ in one parameter, and spots.

    python examples/catalogue.py peaks peaks.png

The page on models shows these pictures.
"""

import sys
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from figure import BLUE, GREEN, STYLE, VERMILION
from leastsq import models

PEAK = np.linspace(-6, 6, 400)
TIME = np.linspace(0, 6, 400)
DOSE = np.linspace(-3, 3, 400)

# Model, predictor, parameters, and the one that is varied with its values.
CURVES: dict[str, list[tuple[Any, Any, dict[str, float], str, tuple[float, float, float]]]] = {
    "peaks": [
        (models.gaussian, PEAK, {"amplitude": 1, "center": 0, "offset": 0}, "sigma", (0.6, 1, 1.6)),
        (models.lorentzian, PEAK, {"amplitude": 1, "center": 0, "offset": 0}, "gamma", (0.6, 1, 1.6)),
        (models.pseudo_voigt, PEAK, {"amplitude": 1, "center": 0, "sigma": 1, "offset": 0}, "fraction", (0, 0.5, 1)),
        (models.voigt, PEAK, {"amplitude": 1, "center": 0, "sigma": 0.8, "offset": 0}, "gamma", (0, 0.5, 1.5)),
        (models.moffat, PEAK, {"amplitude": 1, "center": 0, "gamma": 1.5, "offset": 0}, "beta", (1, 2.5, 6)),
        (
            models.exponential_gaussian,
            PEAK,
            {"amplitude": 1, "center": -1, "sigma": 0.7, "offset": 0},
            "tau",
            (-1, 0.5, 2),
        ),
    ],
    "decays": [
        (models.exponential, TIME, {"amplitude": 1, "offset": 0}, "rate", (0.3, 1, 3)),
        (
            models.biexponential,
            TIME,
            {"amplitude1": 0.6, "amplitude2": 0.4, "rate2": 0.2, "offset": 0},
            "rate1",
            (0.6, 2, 8),
        ),
        (models.stretched_exponential, TIME, {"amplitude": 1, "tau": 1.5, "offset": 0}, "beta", (0.5, 1, 2)),
        (models.inversion_recovery, TIME, {"amplitude": 1, "inversion": 2}, "t1", (0.5, 1, 2)),
    ],
    "curves": [
        (models.constant, TIME, {}, "offset", (0.2, 0.5, 0.8)),
        (models.line, TIME, {"intercept": 0.5}, "slope", (-0.05, 0.02, 0.08)),
        (models.quadratic, TIME, {"slope": -0.2, "intercept": 0.5}, "curvature", (0, 0.03, 0.06)),
        (models.power_law, TIME, {"amplitude": 0.3, "offset": 0}, "exponent", (0.5, 1, 1.5)),
        (models.michaelis_menten, TIME, {"vmax": 1}, "km", (0.3, 1, 3)),
        (models.logistic4, DOSE, {"bottom": 0, "top": 1, "log_ec50": 0}, "hill", (0.5, 1, 3)),
        (models.logistic5, DOSE, {"bottom": 0, "top": 1, "log_ec50": 0, "hill": 1}, "asymmetry", (0.4, 1, 4)),
        (
            models.double_logistic,
            np.linspace(0, 12, 400),
            {"base": 0.1, "height": 0.7, "begin": 4, "end": 9, "rise": 2},
            "fall",
            (0.8, 2, 6),
        ),
    ],
    "waves": [
        (models.sine, TIME, {"amplitude": 1, "frequency": 0.5, "offset": 0}, "phase", (0, 0.8, 1.6)),
        (
            models.harmonics,
            TIME,
            {"offset": 0, "trend": 0.2, "frequency": 0.5, "cosine1": 0.5, "sine1": 0.5, "sine2": 0},
            "cosine2",
            (0, 0.3, 0.6),
        ),
        (models.damped_sine, TIME, {"amplitude": 1, "frequency": 1, "phase": 0, "offset": 0}, "rate", (0, 0.3, 1)),
    ],
}


def draw(family: str) -> Figure:
    """Draw a panel for each model of a family."""
    cases = CURVES[family]
    rows = (len(cases) + 2) // 3
    with plt.rc_context(STYLE):
        figure, grid = plt.subplots(rows, 3, figsize=(11, 2.8 * rows), layout="constrained", squeeze=False)
        for axes, (model, x, fixed, name, values) in zip(grid.flat, cases, strict=False):
            for value, colour, dashes in zip(values, (BLUE, VERMILION, GREEN), ("-", "--", "-."), strict=True):
                axes.plot(x, model(x, **fixed, **{name: value}), dashes, color=colour, lw=2, label=f"{name} {value:g}")
            axes.set_title(model.__name__)
            if family == "waves":  # room for the legend
                axes.set_ylim(top=axes.get_ylim()[1] + 0.5 * np.ptp(axes.get_ylim()))
            axes.legend()
        for axes in grid.flat[len(cases) :]:
            axes.set_axis_off()
    return figure


def peaks() -> Figure:
    """Draw peaks."""
    return draw("peaks")


def decays() -> Figure:
    """Draw decays."""
    return draw("decays")


def curves() -> Figure:
    """Draw lines and curves that rise or fall."""
    return draw("curves")


def waves() -> Figure:
    """Draw oscillations."""
    return draw("waves")


def images() -> Figure:
    """Draw spots as images of 15 by 15 pixels."""
    y, x = np.mgrid[:15, :15].astype(float)
    spots = [
        (models.gaussian_2d, (1, 7, 7, 2.2, 0)),
        (models.gaussian_2d_elliptic, (1, 7, 7, 3.2, 1.3, 0.6, 0)),
        (models.gaussian_2d_pixel, (9, 6.6, 7.3, 1.1, 0)),
        (models.moffat_2d, (1, 7, 7, 2.2, 1.5, 0)),
    ]
    with plt.rc_context(STYLE):
        figure, grid = plt.subplots(1, 4, figsize=(11, 3), layout="constrained")
        for axes, (model, parameters) in zip(grid, spots, strict=True):
            axes.imshow(model((x, y), *parameters), origin="lower", cmap="viridis")
            axes.set_title(model.__name__)
            axes.set(xticks=(0, 7, 14), yticks=(0, 7, 14))
    return figure


# The site calls the functions themselves.
if __name__ == "__main__" and len(sys.argv) > 1:
    globals()[sys.argv[1]]().savefig(sys.argv[2], dpi=80)
