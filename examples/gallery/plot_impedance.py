"""
Impedance: how a battery ages
=============================

The impedance of a cell at fifty frequencies, after every fifty cycles: a circuit is fitted to all spectra in one call.
"""

import matplotlib.pyplot as plt
import numpy as np

from leastsq import curve_fit_many

# %%
# Impedances are complex, and so is the model; ``sigma`` is the error of either part.


def circuit(w, series, transfer, capacity, flatness, diffusion):
    """Return the impedance of a Randles circuit with a constant phase element, in ohms."""
    s = 1j * w
    faradaic = transfer + diffusion / np.sqrt(s)
    return series + faradaic / (1 + faradaic * capacity * s**flatness)


w = 2 * np.pi * np.geomspace(1e-3, 1e4, 50)
rng, cycles = np.random.default_rng(9), np.arange(0, 1001, 50)
series, transfer = 0.015 + 3e-6 * cycles, 0.02 * (1 + 2e-6 * cycles**2)
spectra = circuit(w, series[:, None], transfer[:, None], 0.8, 0.85, 0.001)
sigma = 0.005 * np.abs(spectra)
spectra += rng.normal(0, sigma) + 1j * rng.normal(0, sigma)

# %%
# No part is negative, and the element is between a resistor and a capacitor.

start, bounds = [0.01, 0.03, 1, 0.9, 0.002], ([0, 0, 0, 0.5, 0], [1, 1, 10, 1, 1])
fits = curve_fit_many(circuit, w, spectra, start, sigma, bounds=bounds, absolute_sigma=True)
print(f"{fits}\nresistance of the charge transfer grows {fits['transfer'][-1] / fits['transfer'][0]:.2f} times")

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained", width_ratios=(1.4, 1))
for i, colour in zip((0, 10, 20), ("C0", "C1", "C2"), strict=True):
    for values, style in ((spectra[i], {"marker": ".", "lw": 0, "label": cycles[i]}), (fits[i].predict(w), {"lw": 1})):
        left.plot(1e3 * values.real, -1e3 * values.imag, color=colour, **style)
left.set(xlabel="real part (mΩ)", ylabel="− imaginary part (mΩ)", aspect="equal", ylim=(0, None))
left.legend(title="cycles")
for name, label, true in (("transfer", "charge transfer", transfer), ("series", "electrolyte", series)):
    right.errorbar(cycles, 1e3 * fits[name], 1e3 * fits.stderr_of(name), fmt="o", ms=4, label=label)
    right.plot(cycles, 1e3 * true, "0.5")
right.set(xlabel="cycles", ylabel="resistance (mΩ)", title="what ages; lines are the truth", ylim=(0, None))
right.legend()
plt.show()
