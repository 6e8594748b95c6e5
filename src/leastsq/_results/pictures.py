"""Pictures of fits, where there is matplotlib."""

from __future__ import annotations  # so that help() shows types by their names

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._input.validate import FloatArray
from .._models.complex import ComplexParts
from .again import Rows, given_again, rows_of_fits
from .selection import number_of_parameter, single_index

if TYPE_CHECKING:
    from .result import ManyFits

_DATA, _CURVE, _FAILED = "#333333", "#0b62a4", "#d1495b"
_IMAGINARY = "#c4761b"
# Points of a curve, and how far it goes beyond the data.
_POINTS = 400
# Failed fits that are marked one by one; more are only greyed out.
_MOST_MARKS = 400
_OTHERS = ("chisq", "redchi", "dof", "nfev", "status", "aic", "bic")


def plot(
    self: ManyFits,
    index: Any,
    x: Any,
    y: Any,
    sigma: Any = None,
    *,
    level: float = 0.95,
    axis: int | Sequence[int] = -1,
    groups: Any = None,
    lengths: Any = None,
    figure: Any = None,
) -> Any:
    """Draw one fit: data, curve with confidence band, and residuals; of complex data, both parts of these.

    Parameters
    ----------
    index : int, tuple of int, or str
        Which fit, by its position or the label of its group; ``()`` where there is one.
    x, y, sigma, axis, groups, lengths
        The data of all fits, as they were given to `curve_fit_many`; with one predictor.
    level : float, default 0.95
        The probability of the band.
    figure : matplotlib Figure or SubFigure, optional
        Where to draw; a new one by default.

    Returns
    -------
    matplotlib Figure
        The picture, with two pairs of axes. Residuals are in units of `sigma` if that is given.

    Raises
    ------
    ImportError
        Without matplotlib.
    ValueError
        If there are several predictors, or the data are not for as many fits.

    Examples
    --------
    >>> import numpy as np
    >>> from leastsq import curve_fit_many, models
    >>> dose = np.array([0.1, 0.3, 1.0, 3.0, 10.0])
    >>> rates = np.array([[0.21, 0.44, 0.98, 1.52, 1.79], [0.15, 0.41, 0.93, 1.45, 1.88]])
    >>> fits = curve_fit_many(models.michaelis_menten, dose, rates)
    >>> len(fits.plot(0, dose, rates).axes)  # the curve, and its residuals
    2
    """
    if not (figure is None or hasattr(figure, "subplots")):
        raise TypeError(f"figure must be a matplotlib Figure or SubFigure, or None, got {figure!r}")
    figure = figure or _pyplot().figure(figsize=(6.4, 5.4), layout="constrained")
    position = single_index(self, index, "plot")
    number = int(np.ravel_multi_index(position, self.shape)) if position else 0
    rows = next(rows_of_fits(self, given_again(self, x, y, sigma, axis, groups, lengths), [number]))
    both = isinstance(self.problem.f, ComplexParts)
    predictors = len(rows.x) - both
    if predictors != 1:
        raise ValueError(f"plot draws curves over one predictor: this model has {predictors}; see residuals()")
    one = self[position] if position else self
    above, below = figure.subplots(2, sharex=True, height_ratios=(3, 1))
    below.axhline(0, color="#999999" if both else _CURVE, lw=1)
    rest = rows.residuals(self)[0]
    parts = _parts(rows) if both else [_Part("", np.isfinite(rows.y[0]), lambda values: values, _DATA, _CURVE)]
    for part in parts:
        _draw_data(above, rows, part)
        below.plot(rows.x[0].ravel()[part.rows], rest[part.rows], "o", ms=3, color=part.colour, alpha=0.8)
    for part in parts:
        _curve(above, one, rows.x[0].ravel(), level, part)
    most = float(np.max(np.abs(rest[np.isfinite(rest)]), initial=0.0))
    below.set_ylim(*((-1.2 * most, 1.2 * most) if most > 0 else (-1, 1)))
    below.set(xlabel="x", ylabel="residual" if rows.sigma is None else "residual / sigma")
    above.set(ylabel="y", title=_title(self, one, position))
    above.legend(frameon=False)
    for axes in (above, below):
        axes.spines[["top", "right"]].set_visible(False)
    figure.align_ylabels()
    return figure


class _Part(NamedTuple):
    """What is drawn as one series: all of the data, or their real or imaginary parts."""

    name: str
    #: Where it is among the rows.
    rows: NDArray[np.bool_]
    #: Takes it of complex numbers.
    of: Callable[[Any], Any]
    colour: str
    curve: str


def _parts(rows: Rows) -> list[_Part]:
    """Return both parts of complex data."""
    which = np.ravel(rows.x[-1])
    return [
        _Part(", real part", which == 0, np.real, _CURVE, _CURVE),
        _Part(", imaginary part", which == 1, np.imag, _IMAGINARY, _IMAGINARY),
    ]


def _draw_data(axes: Any, rows: Rows, part: _Part) -> None:
    """Draw data with error bars, none where they are infinite."""
    errors = None if rows.sigma is None else np.broadcast_to(rows.sigma[0], rows.y[0].shape)[part.rows]
    bars = None if errors is None else np.where(np.isfinite(errors), errors, 0.0)
    style = {"fmt": "o", "ms": 3.5, "lw": 0.8, "color": part.colour, "alpha": 0.8, "zorder": 2}
    axes.errorbar(rows.x[0].ravel()[part.rows], rows.y[0][part.rows], bars, label=f"data{part.name}", **style)


def _curve(axes: Any, one: ManyFits, here: FloatArray, level: float, part: _Part) -> None:
    """Draw the curve, and its band where the errors are known."""
    fine = _fine(here[np.isfinite(here)])
    limits = axes.get_ylim()
    solved = bool(one.success)
    style = {"color": part.curve if solved else _FAILED, "ls": "-" if solved else "--", "lw": 1.6, "zorder": 3}
    label = f"fit{part.name}" if solved else "not solved"
    if one.pcov is None or not np.isfinite(one.stderr).all():
        axes.plot(fine, part.of(one.predict(fine)), label=label, **style)
        return
    values, lower, upper = map(part.of, one.predict(fine, interval="confidence", level=level))
    axes.fill_between(fine, lower, upper, color=part.curve, alpha=0.25, lw=0, label=f"{100 * level:g} % band", zorder=1)
    axes.plot(fine, values, label=label, **style)
    spread = np.ptp(limits)
    inside = np.isfinite(values)
    if inside.any():  # a band that runs away does not squeeze the data
        axes.set_ylim(
            max(axes.get_ylim()[0], min(limits[0], values[inside].min()) - spread),
            min(axes.get_ylim()[1], max(limits[1], values[inside].max()) + spread),
        )


def _fine(x: FloatArray) -> FloatArray:
    """Return where to draw a curve: close together on linear and on logarithmic axes."""
    if not x.size:
        return x
    points = np.linspace(x.min(), x.max(), _POINTS)
    return np.union1d(points, np.geomspace(x.min(), x.max(), _POINTS)) if x.min() > 0 else points


def _title(fits: ManyFits, one: ManyFits, position: tuple[int, ...]) -> str:
    """Return what is drawn: which fit, and how well it went."""
    if fits.groups is not None:
        which = f"group {fits.groups[position]}"
    else:
        which = f"fit {position[0] if len(position) == 1 else position}" if position else "fit"
    ended = f"reduced chi-square {float(one.redchi):.3g}" if one.success else one.message().partition(":")[0].lower()
    return f"{which}: {ended}"


def plot_map(self: ManyFits, name: str, *, ax: Any = None, robust: bool = True, **keywords: Any) -> Any:
    """Draw one parameter of all fits: an image for fits in two dimensions, points with error bars for those in one.

    Parameters
    ----------
    name : str
        A parameter, or one of ``chisq``, ``redchi``, ``dof``, ``nfev``, ``status``, ``aic`` and ``bic``.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.
    robust : bool, default True
        Whether the colours span the middle 96 % of the values, so that a few outliers do not take them all.
    **keywords
        For ``imshow`` or ``errorbar``.

    Returns
    -------
    matplotlib Axes
        The picture. Fits without success are grey and, unless they are too many, crossed out.

    Raises
    ------
    ImportError
        Without matplotlib.
    KeyError
        If there is no such parameter.
    ValueError
        If the fits have another number of dimensions.

    Examples
    --------
    >>> import numpy as np
    >>> from leastsq import curve_fit_many, models
    >>> dose = np.array([0.1, 0.3, 1.0, 3.0, 10.0])
    >>> rates = np.array([[0.21, 0.44, 0.98, 1.52, 1.79], [0.15, 0.41, 0.93, 1.45, 1.88]])
    >>> fits = curve_fit_many(models.michaelis_menten, dose, rates)
    >>> fits.plot_map("km").get_ylabel()
    'km'
    """
    if self.status.ndim not in (1, 2):
        raise ValueError(f"plot_map draws fits in one or two dimensions, these have shape {self.shape}: index some")
    own = name in self.param_names or name not in _OTHERS
    values = self.popt[..., number_of_parameter(self, name)] if own else np.asarray(getattr(self, name))
    shown = np.where(self.success, values, np.nan) if name not in ("status", "nfev") else values.astype(float)
    if not (ax is None or hasattr(ax, "errorbar")):
        raise TypeError(f"ax must be matplotlib Axes, or None, got {ax!r}")
    if ax is None:
        ax = _pyplot().figure(figsize=(6.4, 4.8), layout="constrained").subplots()
    if self.status.ndim == 1:
        _draw_row(self, ax, shown, self.stderr_of(name) if own else None, keywords)
        ax.set(ylabel=name)
    else:
        _draw_image(self, ax, shown, name, robust, keywords)
    return ax


def _draw_row(fits: ManyFits, ax: Any, shown: FloatArray, errors: Any, keywords: dict[str, Any]) -> None:
    failed = ~fits.success
    bars = None if errors is None else np.where(np.isfinite(errors), errors, 0.0)
    own = fits.coords[0][1] if fits.coords else None
    places: Any = np.arange(fits.size) if own is None else own
    style = {"fmt": "o", "ms": 3.5, "lw": 0.8, "color": _CURVE, "label": "solved", **keywords}
    ax.errorbar(places, shown, bars, **style)
    if failed.any():
        count = np.count_nonzero(failed)
        ax.plot(
            places[failed],
            np.full(count, 0.02),
            "x",
            color=_FAILED,
            ms=6,
            transform=ax.get_xaxis_transform(),
            label=f"not solved ({count})",
        )
        ax.legend(frameon=False)
    if fits.groups is not None and fits.size <= 20:
        ax.set_xticks(places, [str(label) for label in fits.groups], rotation=45 if fits.size > 6 else 0)
    ax.set_xlabel(fits.coords[0][0] if fits.coords else "group" if fits.groups is not None else "fit")
    ax.spines[["top", "right"]].set_visible(False)


def _draw_image(fits: ManyFits, ax: Any, shown: FloatArray, name: str, robust: bool, keywords: dict[str, Any]) -> None:
    finite = shown[np.isfinite(shown)]
    low, high = (np.percentile(finite, (2, 98)) if robust else (finite.min(), finite.max())) if finite.size else (0, 1)
    beyond = ("min" if finite.min(initial=low) < low else "") + ("max" if finite.max(initial=high) > high else "")
    extend = {"": "neither", "minmax": "both"}.get(beyond, beyond)
    colours = _pyplot().get_cmap(keywords.pop("cmap", "viridis")).with_extremes(bad="#d9d9d9")
    style = {"vmin": low, "vmax": high, "origin": "lower", "interpolation": "nearest", "aspect": "auto", **keywords}
    image = ax.imshow(shown, cmap=colours, **style)
    ax.figure.colorbar(image, ax=ax, label=name, extend=extend)
    failed = np.argwhere(~fits.success)
    if len(failed):
        size = max(2.0, min(7.0, 120 / max(fits.shape)))
        crossed = failed if len(failed) <= _MOST_MARKS else failed[:0]
        ax.plot(crossed[:, 1], crossed[:, 0], "x", color=_FAILED, ms=size, mew=1)
        marker = {"marker": "x" if len(crossed) else "s", "color": _FAILED if len(crossed) else "#d9d9d9"}
        ax.plot([], [], ls="", label=f"not solved ({len(failed)})", **marker)
        ax.legend(loc="lower left", bbox_to_anchor=(0, 1), frameon=False, borderaxespad=0.2)
    names = [f"{axis_name} (position)" for axis_name, _ in fits.coords] if fits.coords else ["fit_0", "fit_1"]
    ax.set(ylabel=names[0], xlabel=names[1])


def _pyplot() -> Any:
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise ImportError("pictures need matplotlib: pip install 'leastsq[plot]'") from error
    return pyplot
