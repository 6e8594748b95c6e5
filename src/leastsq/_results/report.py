"""What happened, in words: of one fit, and of all of them."""

from __future__ import annotations  # so that help() shows types by their names

import html
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from .._input.validate import number_of
from .._solver import codes
from .._solver.losses import is_counts
from .intervals import count_free
from .selection import is_label, single_index

if TYPE_CHECKING:
    from .result import ManyFits

# Fits that a notebook shows one by one.
_SHOWN = 10
_MOST_REPORTS = 100
# Statuses of fits that found no mean of counts, nearby or at the start.
_NO_MEAN = (9, 10)


def message(self: ManyFits, index: Any = ()) -> str:
    """Say in words how one fit ended.

    Parameters
    ----------
    index : int, tuple of int, array of them, or label, default ()
        Which fit, by its position or by the label of its group; can be left out where there is one. A whole number is
        a position, also where labels are numbers: ``group`` takes those.

    Returns
    -------
    str
        The sentence; with the parameters that the data leave open, if any.

    Examples
    --------
    >>> import numpy as np
    >>> from leastsq import curve_fit_many
    >>> x = np.arange(4.0)
    >>> fits = curve_fit_many(lambda x, a, b: a * x + b, x, [2 * x + 1, np.full(4, np.inf)], p0=[1, 1])
    >>> fits.message(1).partition(":")[0]
    'Not fitted'
    """
    index = single_index(self, index, "message")
    sentence = codes.message(
        int(self.status[index]),
        ftol=self.options.ftol,
        xtol=self.options.xtol,
        gtol=self.options.gtol,
        nfev=int(self.nfev[index]),
        maxfev=self.options.maxfev,
        points=int(self.dof[index]) + int(count_free(self)[index]),
        parameters=int(count_free(self)[index]),
        held=_all_held(self, index),
    )
    if on := _on_bounds(self, index):
        sentence += f" On a bound: {', '.join(on)}."
    if is_counts(self.options) and int(self.status[index]) in _NO_MEAN:
        sentence += " A model of counts has to be positive; bounds keep it so."
    left = open_parameters(self, index)
    if left and int(self.dof[index]) <= 0 and not self.problem.absolute_sigma:
        return f"{sentence} No degrees of freedom are left to estimate errors from."
    if left:
        sentence += f" The data leave {', '.join(left)} open."
        sentence += " If the fit ran away, start elsewhere." if len(left) == int(count_free(self)[index]) else ""
    return sentence


def _all_held(fits: ManyFits, index: tuple[int, ...]) -> bool:
    """Return whether each parameter of one fit is on a bound, or fixed, which leaves it without an error."""
    held = (fits.active_mask[index] != 0) | (fits.stderr[index] == 0)
    return bool(held.all() and fits.chisq[index] > 0)


def _on_bounds(fits: ManyFits, index: tuple[int, ...]) -> list[str]:
    """Return the names of the parameters of one fit that are on a bound."""
    return [name for name, mask in zip(fits.param_names, fits.active_mask[index], strict=True) if mask]


def open_parameters(fits: ManyFits, index: tuple[int, ...]) -> list[str]:
    """Return the names of the parameters of one fit whose errors are infinite."""
    errors = fits.stderr[index]
    return [name for name, error in zip(fits.param_names, errors, strict=True) if np.isinf(error)]


def summary(self: ManyFits) -> str:
    """Count the fits by status, and those with open parameters, and give medians over those that converged.

    Examples
    --------
    >>> import numpy as np
    >>> from leastsq import curve_fit_many
    >>> x = np.arange(4.0)
    >>> fits = curve_fit_many(lambda x, a, b: a * x + b, x, [2 * x + 1, np.full(4, np.inf)], p0=[1, 1])
    >>> fits.summary().splitlines()[0]
    '2 fits, 1 solved (50.0 %)'
    """
    success, total = self.success, self.size
    solved = int(np.count_nonzero(success))
    lines = [f"{total} fits, {solved} solved ({_percent(solved, total)})"]
    if left := _open(self):
        lines[0] += f", {left} of these with parameters that the data leave open (errors inf)"
    statuses, counts = np.unique(self.status, return_counts=True)
    lines += [
        f"  {count:>{len(str(total))}}  {codes.label(int(status))} (status {int(status)})"
        for status, count in zip(statuses, counts, strict=True)
    ]
    shares = (self.active_mask != 0)[success].mean(axis=0) if solved and self.problem.bounded else []
    lines += [
        f"  {_percent(round(share * solved), solved)} on a bound: {name}"
        for name, share in zip(self.param_names, shares, strict=False)
        if share
    ]
    if solved:
        width = max(map(len, (*self.param_names, "reduced chi-square", "evaluations")))
        lines.append(f"{'median':<{width + 2}}{'value':>12}{'stderr':>12}")
        for name, value, error in _medians(self):
            lines.append(f"  {name:<{width}}{value:>12.5g}{error:>12.3g}")
        lines.append(f"  {'reduced chi-square':<{width}}{np.median(self.redchi[success]):>12.5g}")
        lines.append(f"  {'evaluations':<{width}}{np.median(self.nfev[success]):>12.5g}")
    return "\n".join(lines)


def _medians(fits: ManyFits) -> list[tuple[str, float, float]]:
    """Return name, median and median error of each parameter, of the fits that converged."""
    success, errors = fits.success, fits.stderr
    return [
        (name, float(np.median(fits.popt[..., j][success])), float(np.median(errors[..., j][success])))
        for j, name in enumerate(fits.param_names)
    ]


def _open(fits: ManyFits) -> int:
    """Return how many fits were solved, but left with infinite errors."""
    return int(np.count_nonzero(np.isinf(fits.stderr).any(axis=-1) & fits.success))


def _percent(part: int, total: int) -> str:
    """Give a share in percent, never rounded up to all or down to none."""
    if total == 0 or part in (0, total):
        return f"{100 * part / max(total, 1):.1f} %"
    return f"{min(max(math.floor(1000 * part / total) / 10, 0.1), 99.9):.1f} %"


def line(fits: ManyFits) -> str:
    """Describe a result in one line."""
    solved = _percent(int(np.count_nonzero(fits.success)), fits.size)
    left = f", {_open(fits)} with open parameters" if _open(fits) else ""
    return f"ManyFits(shape={fits.shape}, params=({', '.join(fits.param_names)}), solved {solved}{left})"


def report(self: ManyFits, index: Any = None, *, level: float = 0.95, min_correlation: float = 0.1) -> str:
    """Tell everything that is known of one fit, or of some.

    Parameters
    ----------
    index : int, tuple, slice, mask or label, optional
        Which fits, by any index into their shape, or by the label of a group; all by default.
    level : float, default 0.95
        The probability of the confidence intervals.
    min_correlation : float, default 0.1
        The least correlation, in size, that is listed.

    Returns
    -------
    str
        How each fit ended, chi-square and the like, the parameters with errors and intervals, the reason where an error
        is infinite, and correlations, the largest first.

    Raises
    ------
    ValueError
        If that is about more than 100 fits: `summary` counts them.

    Examples
    --------
    >>> import numpy as np
    >>> from leastsq import curve_fit_many
    >>> x = np.arange(10.0)
    >>> fits = curve_fit_many(lambda x, a, b: a * x + b, x, 2 * x + 1 + np.tile([0.1, -0.1], 5), p0=[1, 1])
    >>> print(fits.report())
    Solved: the relative change between two consecutive iterates is at most xtol = 1.49012e-08.
      points 10, parameters 2, degrees of freedom 8, evaluations 7
      chi-square 0.09697, reduced 0.01212, AIC -42.36, BIC -41.75
      parameter       value      stderr                 95 % interval
      a             1.99394     0.01212 ( 0.61 %)    1.96599 to 2.02189
      b             1.02727     0.06471 ( 6.30 %)    0.878052 to 1.17649
      correlation of a and b: -0.843
    """
    numbers = np.arange(self.size).reshape(self.shape)
    if not number_of(min_correlation) >= 0:
        raise ValueError(f"min_correlation must be a number from 0 on, above 1 to show none, got {min_correlation!r}")
    if is_label(self, index):
        index = single_index(self, index, "report")
    chosen = numbers if index is None or self.status.ndim == 0 else numbers[index]
    if chosen.size > _MOST_REPORTS:
        raise ValueError(f"{chosen.size} fits are too many to read: give an index of some, or see summary()")
    texts = []
    for number in chosen.ravel().tolist():
        position = tuple(int(i) for i in np.unravel_index(number, self.shape))
        one = self[position] if position else self
        texts.append("\n".join([*_headline(self, position), *_of_one(one, level, min_correlation)]))
    return "\n\n".join(texts)


def _headline(fits: ManyFits, position: tuple[int, ...]) -> list[str]:
    if fits.size == 1:
        return []
    label = f", group {fits.groups[position]}" if fits.groups is not None else ""
    return [f"Fit {position[0] if len(position) == 1 else position}{label}"]


def _of_one(fit: ManyFits, level: float, least: float) -> list[str]:
    """Return the lines about one fit, of shape ()."""
    n, free = len(fit.param_names), int(count_free(fit))
    lines = [message(fit)]
    points = "" if np.isinf(fit.stderr).any() else f"points {int(fit.dof) + free}, "  # dof is less by N elsewhere
    fixed = f" ({n - free} fixed)" if free < n else ""
    lines.append(f"  {points}parameters {n}{fixed}, degrees of freedom {int(fit.dof)}, evaluations {int(fit.nfev)}")
    if not np.isnan(fit.chisq):
        lines.append(
            f"  chi-square {float(fit.chisq):.4g}, reduced {float(fit.redchi):.4g}, AIC {float(fit.aic):.2f}, "
            f"BIC {float(fit.bic):.2f}"
        )
    lower, upper = fit.conf_interval(level)
    width = max(len("parameter"), *map(len, fit.param_names))
    lines.append(f"  {'parameter':<{width}}{'value':>12}{'stderr':>12}{f'{100 * level:g} % interval':>30}")
    for j, name in enumerate(fit.param_names):
        value, error = float(fit.popt[j]), float(fit.stderr[j])
        share = f"({100 * error / abs(value):5.2f} %)" if value and math.isfinite(error) else ""
        lines.append(
            f"  {name:<{width}}{value:>12.6g}{error:>12.4g} {share:<10}   {lower[j]:.6g} to {upper[j]:.6g}".rstrip()
        )
    if reason := _reason(fit):
        lines.append(f"  {reason}")
    return lines + (_correlations(fit, least) if fit.pcov is not None else [])


def _reason(fit: ManyFits) -> str:
    """Say why errors are infinite or missing."""
    if np.isnan(fit.stderr).any():
        return "Errors are NaN because the fit did not succeed."
    if not np.isinf(fit.stderr).any():
        return ""
    if int(fit.dof) <= 0 and not fit.problem.absolute_sigma:
        return "Errors are inf because no degrees of freedom are left to scale them with: give more data, or sigma."
    return (
        f"Errors are inf because the residuals do not change with {', '.join(open_parameters(fit, ()))}, or with a "
        f"combination of them: fix one, or give data that tell them apart."
    )


def _correlations(fit: ManyFits, least: float) -> list[str]:
    """Return lines about the correlations that are large enough, the largest first."""
    names, matrix = fit.param_names, fit.correlation
    pairs = [(float(matrix[i, j]), names[i], names[j]) for i in range(len(names)) for j in range(i + 1, len(names))]
    pairs = sorted((pair for pair in pairs if abs(pair[0]) >= least), key=lambda pair: -abs(pair[0]))
    return [f"  correlation of {one} and {other}: {value:.3f}" for value, one, other in pairs]


def table(fits: ManyFits) -> str:
    """Return the result as HTML, for notebooks: the line, and the first fits one by one."""
    heads = "".join(f"<th>{html.escape(name)}</th>" for name in fits.param_names)
    rows = []
    errors = fits.stderr.reshape(-1, len(fits.param_names))
    values = fits.popt.reshape(errors.shape)
    redchi, status = fits.redchi.ravel(), fits.status.ravel()
    for number in range(min(_SHOWN, fits.size)):
        position = tuple(int(i) for i in np.unravel_index(number, fits.shape))
        name: Any = position if len(position) != 1 else position[0]
        if fits.groups is not None:
            name = fits.groups[position]
        cells = "".join(f"<td>{v:.5g} ± {e:.2g}</td>" for v, e in zip(values[number], errors[number], strict=True))
        ended = html.escape(codes.label(int(status[number])))
        rows.append(
            f"<tr><th>{html.escape(str(name)) if name != () else ''}</th>{cells}<td>{redchi[number]:.4g}</td>"
            f"<td>{ended}</td></tr>"
        )
    more = f"<p>and {fits.size - _SHOWN} more; summary() counts them</p>" if fits.size > _SHOWN else ""
    return (
        f"<div><p><code>{html.escape(line(fits))}</code></p><table><thead><tr><th></th>{heads}"
        f"<th>reduced chi-square</th><th>status</th></tr></thead><tbody>{''.join(rows)}</tbody></table>{more}</div>"
    )
