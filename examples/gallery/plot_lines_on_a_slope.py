"""
Lines on a slope
================

A cube of spectra with an emission line on a continuum that slopes, fitted by a sum of two compiled models; maps of
flux, velocity and width, with their errors.
"""

import matplotlib.pyplot as plt
import numpy as np

from leastsq import curve_fit_many, models

# %%
# A line of hydrogen at 656.28 nm, from gas that rotates; where there is little gas, noise is all there is.

LIGHT = 299_792.458  # km/s
REST = 656.28  # nm
rng = np.random.default_rng(7)
y, x = np.ogrid[-1:1:40j, -1:1:40j]
radius = np.hypot(x, y)
speed = 150 * x / np.hypot(radius, 0.2)
width = 0.12 + 0.1 * np.exp(-6 * radius**2)
height = 4 * np.exp(-((radius / 0.55) ** 2))
wavelength = np.linspace(654.5, 658, 80)
shift = wavelength - REST

peak = models.gaussian.fix(offset=0.0)
model = peak + models.line
cube = model(shift, *(np.broadcast_to(a, (40, 40))[..., None] for a in (height, REST * speed / LIGHT, width, 0.4, 3.0)))
cube = cube + rng.normal(0, 0.25, cube.shape)
print(model)

# %%
# All 1600 spectra in one call. The background comes from the ends of the spectra, the peak from what is left: no start
# is needed.

fits = curve_fit_many(model, shift, cube)
amplitude, center, sigma = (fits[name] for name in ("amplitude", "center", "sigma"))
print(fits)

# %%
# The flux is a function of two parameters, so that its error needs their covariance; velocities are proportional to
# the centre. Pixels where the flux is less than five of its errors are left white.

root = np.sqrt(2 * np.pi)
flux = root * amplitude * np.abs(sigma)
slope = root * np.stack([np.abs(sigma), amplitude * np.sign(sigma)], axis=-1)
both = fits.pcov[..., [0, 2], :][..., [0, 2]]
flux_error = np.sqrt(np.einsum("...i,...ij,...j->...", slope, both, slope))
velocity, velocity_error = LIGHT / REST * center, LIGHT / REST * fits.stderr[..., 1]
widths, width_error = LIGHT / REST * np.abs(sigma), LIGHT / REST * fits.stderr[..., 2]
seen = fits.success & (flux > 5 * flux_error)
pull = (velocity - speed)[seen] / velocity_error[seen]
print(f"{seen.sum()} spectra with a line; (fitted - true velocity)/error has standard deviation {pull.std():.2f}")

# %%
# Above what was fitted, below the standard errors.

maps = [
    ("flux", flux, flux_error, "viridis", None),
    ("velocity (km/s)", velocity, velocity_error, "RdBu_r", (-160, 160)),
    ("width (km/s)", widths, width_error, "magma", (40, 110)),
]
figure, grid = plt.subplots(2, 3, figsize=(11, 7), layout="constrained")
for (name, values, errors, colours, limits), (above, below) in zip(maps, grid.T, strict=True):
    low, high = limits or (0, values[seen].max())
    picture = above.imshow(np.where(seen, values, np.nan), origin="lower", cmap=colours, vmin=low, vmax=high)
    figure.colorbar(picture, ax=above, shrink=0.8)
    above.set_title(name)
    top = np.quantile(errors[seen], 0.95)
    picture = below.imshow(np.where(seen, errors, np.nan), origin="lower", cmap="cividis", vmin=0, vmax=top)
    figure.colorbar(picture, ax=below, shrink=0.8)
    below.set_title("its standard error")
plt.show()
