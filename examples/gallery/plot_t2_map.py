"""
T2 map: decays of magnetic resonance
====================================

Thirty-two echoes of each pixel of a slice decay with the time T2 of its tissue. A mask spares the air around the head.
"""

import matplotlib.pyplot as plt
import numpy as np

from leastsq import curve_fit_many, models

# %%
# White matter, grey matter and fluid in a phantom, 10 ms between echoes, noise as in a scanner.

rng = np.random.default_rng(5)
y, x = np.ogrid[-1:1:96j, -1:1:96j]
head = np.hypot(x / 0.8, y / 0.95) < 1
grey = head & (np.hypot(x / 0.68, y / 0.82) > 1)
fluid = (np.hypot((np.abs(x) - 0.2) / 0.13, y / 0.35) < 1) & head
t2 = np.select([fluid, grey, head], [250.0, 95.0, 72.0], np.nan)  # ms
density = np.select([fluid, grey, head], [1000.0, 850.0, 700.0], 0.0)
echo = np.arange(10.0, 330, 10)
signal = density[..., None] * np.exp(-echo / np.where(head, t2, 1.0)[..., None])
signal = np.hypot(signal + rng.normal(0, 6, signal.shape), rng.normal(0, 6, signal.shape))

# %%
# Only pixels inside the head are handed on, as rows; the map is filled with what comes back.

fits = curve_fit_many(models.exponential, echo, signal[head])
print(fits)
fitted, error = np.full(head.shape, np.nan), np.full(head.shape, np.nan)
rate = fits.popt[:, 1]
fitted[head] = 1 / rate
error[head] = fits.stderr[:, 1] / rate**2  # of 1 / rate, by the derivative
print("median T2 of white matter:", round(float(np.nanmedian(fitted[head & ~grey & ~fluid])), 1), "ms; truth 72")

fig, axes = plt.subplots(1, 3, figsize=(10, 3.4), layout="constrained")
panels = (
    ("first echo", signal[..., 0], "gray", 0, 1000),
    ("T2 (ms)", fitted, "viridis", 50, 280),
    ("standard error (ms)", error, "magma", 0, 10),
)
for ax, (title, image, colours, low, high) in zip(axes, panels, strict=True):
    fig.colorbar(ax.imshow(image, cmap=colours, vmin=low, vmax=high), ax=ax, shrink=0.8)
    ax.set(title=title, xticks=(), yticks=())
plt.show()
