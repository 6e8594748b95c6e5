"""Robust losses as functions of squared residuals, in NumPy: for results, and for losses that users bring.

Fits evaluate the same formulas in compiled code, see minpack/losses.inc; `tests/test_robust.py` compares them.
"""

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from .._input.validate import FloatArray, number_of, real_array

# The number by which the compiled code knows each, see minpack/options.f90.
LOSS_CODES: Final = {"linear": 0, "soft_l1": 1, "huber": 2, "cauchy": 3, "arctan": 4}

Loss = Callable[[FloatArray], Any]


def _linear(z: FloatArray) -> FloatArray:
    return np.array([z, np.ones_like(z), np.zeros_like(z)])


def _soft_l1(z: FloatArray) -> FloatArray:
    root = np.sqrt(1 + z)
    return np.array([2 * z / (root + 1), 1 / root, -0.5 / root**3])


def _huber(z: FloatArray) -> FloatArray:
    root = np.sqrt(np.maximum(z, 1))
    inlier = z <= 1
    return np.array([np.where(inlier, z, 2 * root - 1), 1 / root, np.where(inlier, 0.0, -0.5 / root**3)])


def _cauchy(z: FloatArray) -> FloatArray:
    return np.array([np.log1p(z), 1 / (1 + z), -1 / (1 + z) ** 2])


def _arctan(z: FloatArray) -> FloatArray:
    slope = 1 / (1 + z * z)
    return np.array([np.arctan(z), slope, -2 * z * slope * slope])


_FORMULAS: Final[dict[str, Loss]] = {
    "linear": _linear,
    "soft_l1": _soft_l1,
    "huber": _huber,
    "cauchy": _cauchy,
    "arctan": _arctan,
}


def checked_loss(loss: Any) -> str | Loss:
    """Return the name of a loss, or a function that is one."""
    if isinstance(loss, str) and loss in LOSS_CODES:
        return loss
    if callable(loss):
        given: Loss = loss
        return given
    raise ValueError(f"loss must be one of {', '.join(map(repr, LOSS_CODES))} or callable, got {loss!r}")


def checked_f_scale(f_scale: Any) -> float:
    """Return the residual from which on a loss differs from squares."""
    scale = number_of(f_scale)
    if not 0 < scale < np.inf:
        raise ValueError(f"f_scale must be a positive number, in the units of the residuals, got {f_scale!r}")
    return scale


def rho_of(loss: str | Loss, residuals: FloatArray, f_scale: float) -> FloatArray:
    """Return rho, rho' and rho'' of ``(residuals / f_scale)**2``, shape (3, M)."""
    z = (residuals / f_scale) ** 2
    rho = real_array(_FORMULAS[loss](z) if isinstance(loss, str) else loss(z), "loss")
    if rho.shape != (3, z.size):
        raise ValueError(
            f"loss returned an array of shape {rho.shape}, expected {(3, z.size)}: rho, its first and its second "
            f"derivative for each of the {z.size} squared residuals"
        )
    return rho


def as_residuals(loss: Loss, residuals: FloatArray, f_scale: float) -> tuple[FloatArray, FloatArray]:
    """Return residuals whose squares are the costs of a user's loss, and what rows of the Jacobian are multiplied by.

    The residual ``t = sign(r) C sqrt(rho)`` has the derivative ``r rho' / t``.
    """
    rho = rho_of(loss, residuals, f_scale)
    with np.errstate(all="ignore"):
        root = np.copysign(f_scale * np.sqrt(rho[0]), residuals)
        factors = np.where(root == 0, np.sqrt(np.maximum(rho[1], 0.0)), residuals * rho[1] / root)
    return root, factors


def gauss_newton_rows(loss: str | Loss, residuals: FloatArray, f_scale: float) -> tuple[FloatArray, FloatArray]:
    """Return what rows are multiplied by for JᵀJ to be the second derivative of the cost, and rho'.

    Where the second derivative is not positive, the square root of the machine precision takes its place.
    """
    _, slope, bend = rho_of(loss, residuals, f_scale)
    second = slope + 2 * bend * (residuals / f_scale) ** 2
    return np.sqrt(np.maximum(second, np.finfo(np.float64).eps)), slope
