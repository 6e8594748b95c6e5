"""
Vegetation seasons from satellites
==================================

An index of greenness, one value in eight days, in each pixel of a scene. A double logistic follows spring and autumn;
its two inflexions are the dates at which the season begins and ends. Clouds leave gaps, which are NaN.
"""

import matplotlib.pyplot as plt
import numpy as np

from leastsq import curve_fit_many

# %%
# A function of your own, in NumPy; it is called for many pixels at once.


def season(day, winter, rise, begin, end, speed):
    """Rise at the beginning and fall at the end of the season, each as a logistic curve."""
    spring = 1 / (1 + np.exp(-(day - begin) / speed))
    return winter + rise * (spring - 1 / (1 + np.exp(-(day - end) / speed)))


# %%
# The higher a pixel lies, the later its spring; a third of all dates is lost to clouds.

rng = np.random.default_rng(2)
day = np.arange(1.0, 366, 8)
y, x = np.mgrid[0:1:30j, 0:1:40j]
height = np.exp(-((x - 0.4) ** 2 + (y - 0.6) ** 2) / 0.12)
begin = 100 + 35 * height
scene = season(day, 0.2, 0.5, begin[..., None], (290 - 15 * height)[..., None], 10.0)
scene += rng.normal(0, 0.03, scene.shape)
scene[rng.random(scene.shape) < 0.33] = np.nan

fits = curve_fit_many(season, day, scene, p0=[0.2, 0.5, 120, 280, 8], nan_policy="omit")
miss = (fits.popt[..., 2] - begin)[fits.success]
print(f"{fits}\nbegin of season off by {miss.std():.1f} days; the standard errors say {fits.stderr[..., 2].mean():.1f}")

fig, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained", width_ratios=(1, 1.2))
fig.colorbar(left.imshow(fits.popt[..., 2], origin="lower", cmap="YlGn_r"), ax=left, label="day of the year")
left.set(title="begin of the season", xlabel="column", ylabel="row")
for (row, column), colour in (((18, 16), "C0"), ((2, 36), "C1")):
    right.plot(day, scene[row, column], ".", color=colour)
    right.plot(day, fits[row, column].predict(day), color=colour, label=f"row {row}, column {column}")
    right.axvline(fits.popt[row, column, 2], color=colour, ls=":", lw=1)
right.set(xlabel="day of the year", ylabel="greenness", title="two pixels")
right.legend(loc="lower center")
plt.show()
