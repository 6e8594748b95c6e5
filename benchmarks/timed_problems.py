"""The fits that are timed: residual functions as users write them, with data from a fixed seed."""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]
Start: TypeAlias = tuple[Any, tuple[Any, ...]]  # x0 and args


def gaussian(p: Array, t: Array, y: Array | float) -> Array:
    """Residuals of a peak: amplitude, centre, sigma, offset."""
    amplitude, centre, sigma, offset = p
    return amplitude * np.exp(-0.5 * ((t - centre) / sigma) ** 2) + offset - y


def gaussian_rows(p: Array, t: Array, y: Array) -> Array:
    """Jacobian of the peak, M by N."""
    return _gaussian_derivatives(p, t, np.empty((t.size, 4)).T).T


def gaussian_columns(p: Array, t: Array, y: Array) -> Array:
    """Jacobian of the peak, N by M."""
    return _gaussian_derivatives(p, t, np.empty((4, t.size)))


def _gaussian_derivatives(p: Array, t: Array, out: Array) -> Array:
    amplitude, centre, sigma, _ = p
    z = (t - centre) / sigma
    shape = np.exp(-0.5 * z**2)
    slope = amplitude / sigma * shape * z
    out[0] = shape
    out[1] = slope
    out[2] = slope * z
    out[3] = 1.0
    return out


def gaussian_single(p: Array, t: Any, y: Any) -> Any:
    """Residuals of the peak in single precision."""
    return gaussian(p.astype(np.float32), t, y)


def gaussian_list(p: Array, t: Array, y: Array) -> list[float]:
    """Residuals of the peak as a list."""
    residuals: list[float] = gaussian(p, t, y).tolist()
    return residuals


def gaussian_nested(p: Array, data: tuple[Array, Array]) -> Array:
    """Residuals of the peak, data in one tuple."""
    return gaussian(p, *data)


def gaussian_data(m: int, dtype: type = np.float64, nested: bool = False, sets: int = 8) -> list[Start]:
    """Noisy peaks of m points, each to be fitted from a start some way off."""
    random = np.random.default_rng(1978)
    starts: list[Start] = []
    for _ in range(sets):
        t = np.linspace(-5.0, 5.0, m)
        truth = random.uniform([2.0, -1.0, 0.7, -0.5], [5.0, 1.0, 1.5, 0.5])
        y = gaussian(truth, t, 0.0) + random.normal(0.0, 0.1, m)
        x0 = truth * random.uniform(0.7, 1.3, 4) + random.uniform(-0.2, 0.2, 4)
        data: tuple[Any, ...] = (t.astype(dtype), y.astype(dtype))
        starts.append((x0, (data,) if nested else data))
    return starts


def peaks(p: Array, t: Array, y: Array | float) -> Array:
    """Residuals of six peaks on a sloping line: six amplitudes, centres and sigmas, level, slope."""
    amplitude, centre, sigma = p[:18].reshape(3, 6)
    return np.exp(-0.5 * ((t[:, None] - centre) / sigma) ** 2) @ amplitude + p[18] + p[19] * t - y


def peaks_data(m: int, sets: int = 4) -> list[Start]:
    """Noisy spectra of m points."""
    random = np.random.default_rng(1980)
    starts: list[Start] = []
    for _ in range(sets):
        t = np.linspace(0.0, 12.0, m)
        centres = np.arange(1.0, 13.0, 2.0)
        truth = np.concatenate([random.uniform(1.0, 3.0, 6), centres, random.uniform(0.3, 0.5, 6), [0.5, 0.1]])
        y = peaks(truth, t, 0.0) + random.normal(0.0, 0.02, m)
        starts.append((truth * random.uniform(0.95, 1.05, 20), (t, y)))
    return starts


class Decay:
    """Two exponential decays and an offset, many points, computed in memory set aside beforehand.

    The peer keeps working in the arrays it got from its first two evaluations; from the third on, every
    evaluation may share one buffer.
    """

    x0 = np.array([3.0, 2.5, 1.0, 0.3, 0.0])

    def __init__(self, m: int, analytic: bool = True) -> None:
        random = np.random.default_rng(1944)
        self.t = np.linspace(0.0, 5.0, m)
        self.noise = random.standard_normal(m)
        self.noise *= 0.05
        # Not np.zeros, which takes no memory until it is written to.
        self.scratch = np.full(m, 0.0)
        self.residual_buffers = np.full((3, m), 0.0)
        self.jacobian_buffer = np.full((5, m) if analytic else (0, 0), 0.0)
        self.data = np.full(m, 0.0)
        self.begin()
        self.data[:] = self.residuals(np.array([4.0, 2.0, 2.0, 0.4, 0.5]))
        self.data += self.noise
        self.begin()

    def begin(self) -> None:
        """Get ready for a new fit."""
        self.evaluations = 0

    def residuals(self, p: Array) -> Array:
        """Return a exp(-b t) + c exp(-d t) + e minus the data."""
        out: Array = self.residual_buffers[min(self.evaluations, 2)]
        self.evaluations += 1
        self._exponential(p[1], out)
        out *= p[0]
        self._exponential(p[3], self.scratch)
        self.scratch *= p[2]
        out += self.scratch
        out += p[4]
        out -= self.data
        return out

    def jacobian(self, p: Array) -> Array:
        """Return the derivatives, N by M."""
        out = self.jacobian_buffer
        for i in (0, 2):
            self._exponential(p[i + 1], out[i])
            np.multiply(out[i], self.t, out=out[i + 1])
            out[i + 1] *= -p[i]
        out[4] = 1.0
        return out

    def _exponential(self, rate: float, out: Array) -> None:
        np.multiply(self.t, -rate, out=out)
        np.exp(out, out=out)
