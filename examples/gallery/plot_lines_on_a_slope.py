"""
Lines on a slope
================

An emission line of gas that rotates, on a continuum that slopes: a sum of two compiled models, and maps of flux,
velocity and width with their errors.
"""

import matplotlib.pyplot as plt
import numpy as np

from leastsq import curve_fit_many, models

# %%
# A line of hydrogen at 656.28 nm; where there is little gas, noise is all there is.

LIGHT, REST = 299_792.458, 656.28  # km/s, nm
rng = np.random.default_rng(7)
y, x = np.ogrid[-1:1:40j, -1:1:40j]
radius = np.hypot(x, y)
speed = 150 * x / np.hypot(radius, 0.2)
truth = (4 * np.exp(-((radius / 0.55) ** 2)), REST * speed / LIGHT, 0.12 + 0.1 * np.exp(-6 * radius**2), 0.4, 3.0)
model, shift = models.gaussian.fix(offset=0.0) + models.line, np.linspace(654.5, 658, 80) - REST
cube = model(shift, *(np.broadcast_to(part, (40, 40))[..., None] for part in truth)) + rng.normal(0, 0.25, (40, 40, 80))

# %%
# All 1600 spectra in one call. The model looks at the data for where to start. Only the square of a width matters.

fits = curve_fit_many(model, shift, cube)
print(model, fits, sep="\n")

# %%
# Flux depends on two parameters, so that its error needs their covariance, which ``derived`` takes into account.

flux, flux_error = fits.derived(lambda amplitude, sigma: np.sqrt(2 * np.pi) * amplitude * np.abs(sigma))
seen = fits.success & (flux > 5 * flux_error)
pull = ((fits["center"] - truth[1]) / fits.stderr_of("center"))[seen]
print(f"{seen.sum()} spectra with a line; (fitted - true velocity)/error has standard deviation {pull.std():.2f}")

names, scale = ("flux", "velocity (km/s)", "width (km/s)"), LIGHT / REST
values = (flux, scale * fits["center"], scale * np.abs(fits["sigma"]))
errors = (flux_error, scale * fits.stderr_of("center"), scale * fits.stderr_of("sigma"))
figure, grid = plt.subplots(2, 3, figsize=(11, 7), layout="constrained")
for row, maps, colours in zip(grid, (values, errors), (("viridis", "RdBu_r", "magma"), ("cividis",) * 3), strict=True):
    for ax, what, name, colour in zip(row, maps, names, colours, strict=True):
        shown = ax.imshow(np.where(seen, what, np.nan), cmap=colour, vmax=np.quantile(what[seen], 0.99), origin="lower")
        figure.colorbar(shown, ax=ax, shrink=0.8)
        ax.set_title(name if maps is values else "its standard error")
plt.show()
