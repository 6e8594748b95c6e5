"""
Plate of dose-response curves
=============================

Twenty compounds at eight doses, three wells each, on one plate of an assay: a logistic curve each, and its IC50, the
dose of half the effect. Compounds without effect have no IC50, and their standard errors say so.
"""

import matplotlib.pyplot as plt
import numpy as np

from leastsq import curve_fit_many, models

# %%
# ``logistic4`` goes from ``bottom`` to ``top``, half of the way at the logarithm ``log_ec50``; here
# activity falls with the dose.

rng = np.random.default_rng(1)
dose = np.repeat(np.geomspace(1e-3, 30, 8), 3)  # µM
ic50 = np.geomspace(0.01, 5, 20)[:, None]
hill = rng.uniform(0.8, 1.8, (20, 1))
remaining = np.where(np.arange(20)[:, None] % 7 == 6, 100.0, 100 - 92 / (1 + (ic50 / dose) ** hill))
activity = remaining + rng.normal(0, 4, remaining.shape)  # percent of the control

fits = curve_fit_many(models.logistic4, np.log10(dose), activity)
half = 10 ** fits.popt[:, 2]
error = np.log(10) * half * fits.stderr[:, 2]  # of 10**p, by the derivative
known = fits.success & (error < 0.5 * half) & (half > dose[0]) & (half < dose[-1])
print(f"{known.sum()} of {fits.popt.shape[0]} compounds have an IC50")

fig, axes = plt.subplots(3, 7, figsize=(9.5, 4.6), sharex=True, sharey=True, layout="constrained")
fine = np.geomspace(dose[0], dose[-1], 100)
for i, ax in enumerate(axes.flat[:20]):
    ax.semilogx(dose, activity[i], ".", ms=4, color="C0" if known[i] else "0.6")
    if known[i]:
        ax.semilogx(fine, fits[i].predict(np.log10(fine)), color="C1")
        ax.axvline(half[i], color="C1", lw=0.8, ls=":")
    ax.set_title(f"{half[i]:.2g} ± {error[i]:.1g} µM" if known[i] else "no effect", fontsize=8)
axes.flat[20].set_axis_off()
fig.supxlabel("dose (µM)")
fig.supylabel("activity (% of control)")
plt.show()
