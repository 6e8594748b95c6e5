"""
Enzyme kinetics: does puromycin change the affinity?
====================================================

Rates of an enzyme that was treated with puromycin, and of one that was not [1]_: a curve of Michaelis and Menten each,
from one long table in which a column says which is which.

.. [1] M. A. Treloar (1974), in D. M. Bates and D. G. Watts, "Nonlinear Regression Analysis and Its Applications",
   Wiley, 1988, p. 269.
"""

import matplotlib.pyplot as plt
import numpy as np

from leastsq import curve_fit_many, models

concentration = np.repeat([0.02, 0.06, 0.11, 0.22, 0.56, 1.1], 2)  # ppm
treated = [76, 47, 97, 107, 123, 139, 159, 152, 191, 201, 207, 200]
untreated = [67, 51, 84, 86, 98, 115, 131, 124, 144, 158, 160]  # one measurement is missing
x = np.concatenate([concentration, concentration[:11]])
rate = np.array([*treated, *untreated], dtype=float)
state = np.repeat(["treated", "untreated"], [12, 11])

fits = curve_fit_many(models.michaelis_menten, x, rate, groups=state)
for name, popt, stderr in zip(fits.groups.tolist(), fits.popt, fits.stderr, strict=True):
    print(f"{name:<10} Vmax {popt[0]:6.1f} ± {stderr[0]:.1f}   Km {popt[1]:.4f} ± {stderr[1]:.4f}")

# %%
# The difference of the affinities, in its standard errors: not one that such data can show beyond doubt.

difference = np.diff(fits.popt[:, 1])[0] / np.hypot(*fits.stderr[:, 1])
print(f"difference of Km: {difference:.1f} standard errors")

fine = np.linspace(0, 1.2, 200)
fig, ax = plt.subplots(figsize=(6.5, 4), layout="constrained")
for i, (name, marker) in enumerate(zip(fits.groups.tolist(), "os", strict=True)):
    vmax, km = fits.popt[i]
    ax.plot(x[state == name], rate[state == name], marker, color=f"C{i}", label=name)
    ax.plot(fine, models.michaelis_menten(fine, vmax, km), color=f"C{i}")
    ax.plot([km, km, 0], [0, vmax / 2, vmax / 2], ":", color=f"C{i}", lw=1)
ax.set(xlabel="substrate (ppm)", ylabel="rate (counts/min²)", xlim=(0, 1.2), ylim=(0, 230))
ax.legend(loc="lower right")
plt.show()
