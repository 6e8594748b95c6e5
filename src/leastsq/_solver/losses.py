"""A loss in the place of squares: how it is asked for, and the rows that statistics are made of.

The iteration has rows of its own, see minpack/losses.inc. Here are those of covariances: for robust losses SciPy's,
whose JᵀJ is the curvature of the cost; for counts the Fisher information; and scores, for the sandwich.

References
----------
P. J. Huber, E. M. Ronchetti, Robust Statistics, 2nd ed., Wiley, 2009, section 7.6 (covariances of M-estimates);
H. White, Econometrica 50 (1982) 1-25 (the sandwich); P. McCullagh, J. A. Nelder, Generalized Linear Models, 2nd ed.,
Chapman and Hall, 1989, section 2.5 (the information of counts).
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from .._input.validate import FloatArray
from . import robust
from .problem import Options
from .robust import LOSS_CODES, checked_f_scale, checked_loss

POISSON: Final = 5
# No mean of counts is taken for less: none in no counts gives slope, but nothing to divide by.
LEAST_MEAN: Final = 1e-8
_NAMES: Final = {code: name for name, code in LOSS_CODES.items()}


def with_loss(options: Options, loss: Any, f_scale: Any, sigma: Any) -> Options:
    """Return options with a loss, refusing what is none, and standard deviations of counts."""
    if isinstance(loss, str) and loss == "linear":
        checked_f_scale(f_scale)
        return options
    if isinstance(loss, str) and loss == "poisson":
        _refuse_sigma_of_counts(sigma)
        return options._replace(loss=POISSON)
    try:
        loss = checked_loss(loss)
    except ValueError as error:
        raise ValueError(f"{error}; 'poisson' is for counts") from None
    if isinstance(loss, str):
        return options._replace(loss=LOSS_CODES[loss], f_scale=checked_f_scale(f_scale))
    return options._replace(rho=loss, f_scale=checked_f_scale(f_scale))


def _refuse_sigma_of_counts(sigma: Any) -> None:
    if sigma is not None:
        raise ValueError(
            "sigma is not for loss='poisson': the standard deviation of a count follows from the model. Leave sigma "
            "out, and give ydata as counts, neither scaled nor with a background taken off"
        )


def is_counts(options: Options) -> bool:
    """Return whether observations are counts."""
    return options.loss == POISSON


def is_robust(options: Options) -> bool:
    """Return whether covariances are made of other rows than the iteration's."""
    return options.rho is not None or options.loss not in (0, POISSON)


def _rho(options: Options, f: FloatArray) -> FloatArray:
    """Return rho, rho' and rho'' of weighted residuals of any shape."""
    loss = _NAMES[options.loss] if options.rho is None else options.rho
    return robust.rho_of(loss, f.ravel(), options.f_scale).reshape(3, *f.shape)


def scaled_rows(options: Options, f: FloatArray, slopes: FloatArray, counts: FloatArray) -> FloatArray:
    """Return the rows [J r] that covariance and offset are made of.

    Parameters
    ----------
    options : Options
        With the loss.
    f : ndarray of shape (K, M)
        Weighted residuals; of counts, values of the model.
    slopes : ndarray of shape (K, M, N)
        Weighted derivatives.
    counts : ndarray of shape (K, M)
        The observations, looked at only where they are counts.
    """
    factors, residuals = np.ones_like(f), f
    with np.errstate(all="ignore"):
        if is_counts(options):
            mean = np.maximum(f, LEAST_MEAN)
            factors, residuals = 1 / np.sqrt(mean), np.sqrt(mean) * (1 - counts / np.where(f > 0, f, 1.0))
        elif is_robust(options):
            _, slope, bend = _rho(options, f)
            second = slope + 2 * bend * (f / options.f_scale) ** 2
            factors = np.sqrt(np.maximum(second, np.finfo(np.float64).eps))
            residuals = slope * f / factors
        return np.concatenate([slopes * factors[..., None], residuals[..., None]], axis=-1)


def scores(options: Options, f: FloatArray, counts: FloatArray) -> FloatArray:
    """Return what derivatives are multiplied by to be the gradient of half a point's cost, shape (K, M)."""
    with np.errstate(all="ignore"):
        if is_counts(options):
            return 1 - counts / np.where(f > 0, f, 1.0)
        return f * _rho(options, f)[1] if is_robust(options) else f


def as_squares(options: Options, f: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return residuals whose squares are the costs of the user's own loss, and the factors of their derivatives."""
    if options.rho is None:
        raise RuntimeError("there is no loss of the user's; please report this")
    with np.errstate(all="ignore"):
        root, factors = robust.as_residuals(options.rho, f.ravel(), options.f_scale)
    return root.reshape(f.shape), factors.reshape(f.shape)


def final_residuals(options: Options, f: FloatArray, y: FloatArray) -> FloatArray:
    """Return weighted residuals; of counts, roots of their deviances, with the sign of model minus count."""
    if not is_counts(options):
        return f
    with np.errstate(all="ignore"):
        half = f - y + np.where(y > 0, y * np.log(np.where(y > 0, y, 1.0) / f), 0.0)
    roots: FloatArray = np.copysign(np.sqrt(2 * np.maximum(half, 0.0)), f - y)
    return roots


def cost(options: Options, f: FloatArray, y: FloatArray, there: NDArray[np.bool_]) -> FloatArray:
    """Return what fits minimise, shape (K,): sums of squares or of a loss, or deviances, over the points that count."""
    if is_robust(options):
        with np.errstate(all="ignore"):
            each = options.f_scale**2 * _rho(options, f)[0]
    else:
        each = np.square(final_residuals(options, f, y))
    total: FloatArray = np.sum(each, axis=-1, where=there)
    return total


def name_of(options: Options) -> Any:
    """Return the loss as users give it: its name, or a function."""
    return options.rho or ("poisson" if is_counts(options) else _NAMES[options.loss])


def fold(rows: FloatArray) -> FloatArray:
    """Return triangles of rows (K, M, N + 1), shape (K, N, N + 1); zeros where rows are not finite."""
    count, _, columns = rows.shape
    rows[~np.isfinite(rows).all(axis=(1, 2))] = 0.0
    triangles = np.zeros((count, columns - 1, columns))
    r: Any = np.linalg.qr(rows, mode="r")
    triangles[:, : min(columns - 1, r.shape[1])] = r[:, : columns - 1]
    return triangles


def sandwich(pcov: FloatArray, variance: FloatArray, meat: FloatArray) -> FloatArray:
    """Return H⁻¹ B H⁻¹ for covariances `variance` H⁻¹, shape (K, N, N), and sums B of squared gradients.

    It needs every entry of H⁻¹: where parameters are determined only in combination, it is inf.
    """
    with np.errstate(all="ignore"):
        inverse = np.where(variance[:, None, None] > 0, pcov / variance[:, None, None], 0.0)
        found: FloatArray = inverse @ meat @ inverse
    found[np.isinf(pcov).any(axis=(1, 2))] = np.inf
    found[np.isnan(pcov).any(axis=(1, 2))] = np.nan
    return found
