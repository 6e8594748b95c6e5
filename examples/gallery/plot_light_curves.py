"""
Light curves: periods of variable stars
=======================================

Three hundred pulsating stars, seen in the same ninety nights, whenever weather permits: a period each, and a law that
ties it to brightness, by which distances of galaxies are measured.
"""

import matplotlib.pyplot as plt
import numpy as np

from leastsq import curve_fit, curve_fit_many, models

# %%
# Magnitudes swing by half of one, with an overtone. The brighter a star on average, the longer its period.

rng = np.random.default_rng(11)
nights = np.sort(rng.choice(np.arange(360), 90, replace=False)) + rng.uniform(-0.15, 0.15, 90)
period = 10 ** rng.uniform(0.5, 1.5, 300)  # days
mean = 17.0 - 2.8 * (np.log10(period) - 1) + rng.normal(0, 0.1, 300)
phase, size = rng.uniform(0, 2 * np.pi, 300), rng.uniform(0.2, 0.4, 300)
swing = (size * np.cos(phase), size * np.sin(phase), 0.4 * size * np.cos(2 * phase), 0.4 * size * np.sin(2 * phase))
truth = np.stack([mean, np.zeros(300), 1 / period, *swing])[..., None]
magnitude = models.harmonics(nights, *truth) + rng.normal(0, 0.04, (300, 90))
magnitude[rng.random(magnitude.shape) < 0.1] = np.nan  # clouds

# %%
# The model finds frequencies by itself, from a periodogram of each star.

fits = curve_fit_many(models.harmonics, nights, magnitude, sigma=0.04, absolute_sigma=True, fixed={"trend": 0.0})
found, error = 1 / fits["frequency"], fits.stderr_of("frequency") / fits["frequency"] ** 2
right = np.abs(found / period - 1) < 0.01
print(f"{fits}\nperiod within one per cent for {right.sum()} of {period.size} stars")
print(f"their deviations in standard errors spread by {np.std(((found - period) / error)[right]):.2f}")
sure = found > 2  # days; shorter ones are aliases of looking once a night
law, pcov = curve_fit(models.line, np.log10(found[sure]) - 1, fits["offset"][sure])
print(f"slope of the law: {law[0]:.2f} ± {np.sqrt(pcov[0, 0]):.2f} magnitudes per factor of ten")

figure, axes = plt.subplots(1, 3, figsize=(11, 3.6), layout="constrained", width_ratios=(1, 1, 1.2))
for ax, star in zip(axes, (np.argmin(period), np.argmax(period)), strict=False):
    ax.plot(np.tile(nights / found[star] % 1, 2) + np.repeat([0, 1], 90), np.tile(magnitude[star], 2), ".", color="0.5")
    ax.plot(turn := np.linspace(0, 2, 200), fits[star].predict(turn * found[star]), color="C1")
    ax.set(xlabel="phase", ylabel="magnitude", title=f"{found[star]:.4f} ± {error[star]:.4f} days")
axes[2].semilogx(found, fits["offset"], ".", ms=4, alpha=0.6)
axes[2].semilogx([2, 40], models.line(np.log10([2, 40]) - 1, *law), color="C1")
axes[2].set(xlabel="period (days)", ylabel="mean magnitude", title="the longer, the brighter")
for ax in axes:
    ax.invert_yaxis()
plt.show()
