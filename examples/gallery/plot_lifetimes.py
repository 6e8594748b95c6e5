"""
Lifetimes: two dyes in one decay
================================

Fluorescence decays with the lifetime of its dye; a mixture with two. Two exponentials that are alike are hard to tell
apart, and the correlation of their parameters says how hard.
"""

import matplotlib.pyplot as plt
import numpy as np

from leastsq import curve_fit, models

rng = np.random.default_rng(4)
time = np.linspace(0, 25, 250)  # ns
counts = rng.poisson(models.biexponential(time, 3000, 1 / 1.2, 1500, 1 / 4.0, 20)).astype(float)

# %%
# Weights come from a first fit: those of the counts themselves would pull the tail down, where counts are few.

popt, _ = curve_fit(models.biexponential, time, counts)
sigma = np.sqrt(np.maximum(models.biexponential(time, *popt), 1))
popt, pcov = curve_fit(models.biexponential, time, counts, popt, sigma, absolute_sigma=True)
rates, errors = popt[[1, 3]], np.sqrt(np.diag(pcov))[[1, 3]]
for tau, error in sorted(zip(1 / rates, errors / rates**2, strict=True)):
    print(f"lifetime {tau:.2f} ± {error:.2f} ns")
print(f"correlation of the two rates: {pcov[1, 3] / np.sqrt(pcov[1, 1] * pcov[3, 3]):.2f}")

# %%
# One lifetime alone leaves residuals that wave.

single, _ = curve_fit(models.exponential, time, counts, sigma=sigma)
fig, (above, below) = plt.subplots(2, 1, figsize=(7, 4.6), sharex=True, layout="constrained", height_ratios=(2, 1))
above.semilogy(time, counts, ".", ms=3, color="0.6")
for model, p, label in ((models.exponential, single, "one lifetime"), (models.biexponential, popt, "two lifetimes")):
    above.semilogy(time, model(time, *p), label=label)
    below.plot(time, (counts - model(time, *p)) / sigma, lw=0.8)
above.set(ylabel="photons", ylim=(8, 8000))
above.legend()
below.set(xlabel="time (ns)", ylabel="residual / sigma", ylim=(-8, 8))
plt.show()
