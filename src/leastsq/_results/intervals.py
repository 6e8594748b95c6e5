"""What follows from estimates and their covariances: intervals, correlations, criteria, derived quantities.

References
----------
G. A. F. Seber, C. J. Wild, Nonlinear Regression, Wiley, 1989, sections 2.1 and 5.1 (intervals); K. P. Burnham,
D. R. Anderson, Model Selection and Multimodel Inference, 2nd ed., Springer, 2002, sections 2.2 and 6.4 (AIC and BIC of
least squares).
"""

from __future__ import annotations  # so that help() shows types by their names

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .._input.validate import FloatArray, callable_argument
from .delta import differences, variances
from .student import quantiles

if TYPE_CHECKING:
    from .result import ManyFits


def conf_interval(self: ManyFits, level: float = 0.95) -> tuple[FloatArray, FloatArray]:
    """Return confidence intervals of the parameters.

    ``popt -+ t * stderr``, where t is the quantile of Student's distribution with `dof` degrees of freedom, or of the
    normal distribution with ``absolute_sigma``. They are symmetric, as the linear theory has it; `profile` gives those
    that need not be.

    Parameters
    ----------
    level : float, default 0.95
        The probability that an interval holds the true value.

    Returns
    -------
    lower, upper : ndarray of shape L + (N,)
        The bounds: infinite for parameters that the data leave open, NaN for fits without success.

    Examples
    --------
    >>> import numpy as np
    >>> from leastsq import curve_fit_many
    >>> x = np.arange(10.0)
    >>> fits = curve_fit_many(lambda x, a, b: a * x + b, x, 2 * x + 1 + np.tile([0.1, -0.1], 5), p0=[1, 1])
    >>> lower, upper = fits.conf_interval()
    >>> lower.round(2).tolist(), upper.round(2).tolist()
    ([1.97, 0.88], [2.02, 1.18])
    """
    reach = half_widths(self.stderr, quantiles(level, self.dof, self.problem.absolute_sigma)[..., None])
    return self.popt - reach, self.popt + reach


def half_widths(stderr: FloatArray, quantile: FloatArray) -> FloatArray:
    """Return how far intervals reach; those of infinite errors are infinite, whatever the quantile."""
    reach: FloatArray = np.where(np.isinf(stderr), np.inf, stderr * quantile)
    return reach


def correlation(fits: ManyFits) -> FloatArray:
    """Return correlations of the parameters: 1 on the diagonal, NaN where a variance is infinite, zero or unknown."""
    pcov = needed_pcov(fits, "correlation")
    errors = fits.stderr
    with np.errstate(invalid="ignore", divide="ignore"):
        matrix: FloatArray = pcov / errors[..., :, None] / errors[..., None, :]
    n = len(fits.param_names)
    matrix[..., np.arange(n), np.arange(n)] = np.where(np.isfinite(errors) & (errors > 0), 1.0, np.nan)
    return np.clip(matrix, -1, 1)


def needed_pcov(fits: ManyFits, what: str) -> FloatArray:
    """Return the covariances, or say that they were left out."""
    pcov: FloatArray | None = fits.pcov
    if pcov is None:
        raise ValueError(f"{what} needs covariances, which pcov=False left out: fit again without it")
    return pcov


def count_free(fits: ManyFits) -> NDArray[np.intp]:
    """Count the parameters of each fit that are not fixed: those have errors of 0, others only where all fits."""
    several = fits.stderr != 0
    known: NDArray[np.bool_] = (several.any(axis=-1) | (fits.chisq > 0)) & fits.success
    return np.where(known, several.sum(axis=-1), len(fits.param_names) - sum(fits.problem.fixed))


def criterion(fits: ManyFits, of_each: Any) -> FloatArray:
    """Return -2 log L at its maximum, up to what is the same for every model, plus `of_each` for every parameter."""
    n = count_free(fits)
    points = fits.dof + n
    with np.errstate(invalid="ignore", divide="ignore"):
        misfit = fits.chisq if fits.problem.absolute_sigma else points * np.log(fits.chisq / points)
        known = fits.success & np.isfinite(fits.stderr).all(axis=-1)  # dof is less by N then
        value: FloatArray = np.where(known, misfit + of_each(points) * n, np.nan)
    return value


def derived(self: ManyFits[FloatArray], g: Callable[..., Any]) -> tuple[FloatArray, FloatArray]:
    """Return a function of the parameters, with its standard error by the delta method.

    Parameters
    ----------
    g : callable ``g(a, b, ...) -> array_like``
        The quantity. Its arguments are named like the parameters it needs, in any order; with ``*args`` it gets all
        of them. It is called with arrays of shape L, and returns one.

    Returns
    -------
    value, stderr : ndarray of shape L
        The quantity for each fit, and its standard error, ``sqrt(g' pcov g')`` with derivatives by central
        differences [1]_. The error is inf where `g` depends on a parameter that the data leave open, also where they
        determine the combination that `g` is: then fit with that combination as a parameter.

    Raises
    ------
    TypeError
        If an argument of `g` is not the name of a parameter.
    ValueError
        If `g` does not return one number for each fit.

    References
    ----------
    .. [1] G. A. F. Seber, C. J. Wild, "Nonlinear Regression", Wiley, 1989, section 2.8.

    Examples
    --------
    >>> import numpy as np
    >>> from leastsq import curve_fit_many, models
    >>> t = np.linspace(0, 5, 30)
    >>> y = models.exponential(t, 2.0, np.array([[0.5], [1.0]]), 0.1) + 0.01 * np.cos(9 * t)
    >>> fits = curve_fit_many(models.exponential, t, y)
    >>> half_life, error = fits.derived(lambda rate: np.log(2) / rate)
    >>> half_life.round(2).tolist()
    [1.38, 0.69]
    """
    callable_argument(g, "g")
    pcov = needed_pcov(self, "derived")
    chosen = _arguments(g, self.param_names)

    def evaluate(popt: FloatArray) -> Any:
        with np.errstate(all="ignore"):
            value = np.asarray(g(*(popt[..., j] for j in chosen)))
        if value.shape not in (self.shape, ()) or value.dtype.kind not in "fiub":
            raise ValueError(
                f"g returned an array of shape {value.shape} and dtype {value.dtype}, expected a real number for each "
                f"fit, shape {self.shape}: write it with NumPy operations, and call derived for each quantity"
            )
        return np.broadcast_to(value, self.shape)

    value = np.array(evaluate(self.popt), dtype=np.float64)
    with np.errstate(all="ignore"):
        slopes = np.stack(differences(evaluate, self.popt, self.stderr, self.active_mask), axis=-1)
    return value, np.sqrt(variances(slopes[..., None, :], pcov)[..., 0])


def _arguments(g: Callable[..., Any], names: tuple[str, ...]) -> list[int]:
    """Return which parameters a function takes, by the names of its arguments; all where it takes any number."""
    try:
        arguments = inspect.signature(g).parameters.values()
    except (TypeError, ValueError):
        return list(range(len(names)))
    if any(a.kind is a.VAR_POSITIONAL for a in arguments):
        return list(range(len(names)))
    wanted = [a.name for a in arguments if a.kind is not a.VAR_KEYWORD and (a.default is a.empty or a.name in names)]
    if others := [name for name in wanted if name not in names]:
        raise TypeError(
            f"g has the argument {others[0]!r}, which is no parameter: name its arguments like those it needs of "
            f"{', '.join(names)}"
        )
    if any(a.kind is a.KEYWORD_ONLY and a.name in names for a in arguments):
        raise TypeError("g takes a parameter by keyword only: expected plain arguments")
    return [names.index(name) for name in wanted]
