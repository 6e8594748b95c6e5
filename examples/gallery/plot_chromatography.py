"""
Chromatography: two peaks that overlap
======================================

Peaks of a chromatogram have tails, and here two substances leave the column nearly together. Two such peaks on a
baseline are fitted to each of twelve injections; their areas are what a calibration needs.
"""

import matplotlib.pyplot as plt
import numpy as np

from leastsq import curve_fit_many, models

# %%
# A sum of compiled models; the second peak carries a prefix.

peak = models.exponential_gaussian.fix(offset=0.0)
model = peak + peak.prefix("second_") + models.line
rng, minutes = np.random.default_rng(5), np.linspace(3.5, 7.5, 240)
amount, drift = np.repeat([0.5, 1.0, 2.0, 4.0, 6.0, 8.0], 2), rng.normal(0, 0.03, 12)  # mg/l, min
truth = (12 * amount, 4.8 + drift, 0.09, 0.25, 7 * amount, 5.25 + drift, 0.10, 0.25, 0.4, 3.0)
signal = model(minutes, *(part[:, None] for part in np.broadcast_arrays(*truth)))
signal += rng.normal(0, 0.25, signal.shape)

# %%
# Retention times are known roughly, widths and tails have bounds.

start = {"center": 4.8, "sigma": 0.1, "tau": 0.2, "second_center": 5.3, "second_sigma": 0.1, "second_tau": 0.2}
start |= {"amplitude": 10 * amount, "second_amplitude": 10 * amount, "slope": 0.0, "intercept": 3.0}
bounds = {name: (0.02, 1.0) for name in ("sigma", "tau", "second_sigma", "second_tau")}
fits = curve_fit_many(model, minutes, signal, start, bounds=bounds)
print(fits)

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained", width_ratios=(1.4, 1))
left.plot(minutes, signal[6], ".", minutes, fits[6].predict(minutes), ms=3, color="0.4")
left.set(xlabel="retention time (min)", ylabel="signal (mAU)", title=f"{amount[6]:g} mg/l of each")
base = models.line(minutes, fits["slope"][6], fits["intercept"][6])
for i, colour, label in ((0, "C0", "first"), (4, "C1", "second")):
    left.fill_between(
        minutes, base, base + peak(minutes, *fits.popt[6, i : i + 4]), color=colour, alpha=0.4, label=label
    )
    area, error = fits.derived(lambda *p, i=i: np.sqrt(2 * np.pi) * p[i] * p[i + 2])  # amplitude times sigma
    line = curve_fit_many(models.line, amount, area, sigma=error, absolute_sigma=True)
    right.errorbar(amount, area, error, fmt="o", color=colour, ms=4)
    right.plot([0, 8.5], models.line(np.array([0, 8.5]), *line.popt), color=colour)
    print(f"{label}: {line['slope']:.2f} ± {line.stderr[0]:.2f} per mg/l, reduced chi-square {line.redchi:.1f}")
left.legend()
right.set(xlabel="amount (mg/l)", ylabel="area (mAU min)", title="calibration", xlim=(0, 8.5), ylim=(0, None))
plt.show()
