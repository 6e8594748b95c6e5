"""Data given once more to a result, which keeps none: laid out as the fits had them."""

from __future__ import annotations  # so that help() shows types by their names

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._engines.block import refuse_deviations
from .._input.groups import GroupedSets, grouped_sets
from .._input.pieces import DataSets, Piece, data_sets, fit_axes, is_dask
from .._input.validate import FloatArray
from .._models.complex import ComplexParts, many_complex, together
from .._models.model import Model
from .predictions import evaluate

if TYPE_CHECKING:
    from .result import ManyFits


class Rows(NamedTuple):
    """Data sets side by side: predictors of shape (M,) or (fits, M), observations and deviations (fits, M)."""

    x: tuple[FloatArray, ...]
    y: FloatArray
    sigma: FloatArray | None
    popt: FloatArray

    def values(self, fits: ManyFits) -> FloatArray:
        """Return values of the model."""
        return evaluate(fits, self.x, self.popt)

    def residuals(self, fits: ManyFits) -> FloatArray:
        """Return observations minus values of the model, in units of the deviations if there are any."""
        found: FloatArray = self.y - self.values(fits)
        return found if self.sigma is None else found / self.sigma


def residuals(
    self: ManyFits,
    x: Any,
    y: Any,
    sigma: Any = None,
    *,
    axis: int | Sequence[int] = -1,
    groups: Any = None,
    lengths: Any = None,
) -> FloatArray:
    """Return the residuals of data: the result keeps none, so that they are given again.

    Parameters
    ----------
    x, y, sigma, axis, groups, lengths
        As they were given to `curve_fit_many`; of a part of the result, those of the part.

    Returns
    -------
    ndarray of the shape of `y`
        ``y - model``, divided by `sigma` if that is given, complex if `y` is; NaN for missing points, and where a
        `sigma` that differs from fit to fit is not positive. With more axes where `y` is shared by several fits.

    Raises
    ------
    ValueError
        If the data are not for as many fits, or a `sigma` for all of them is not positive.

    Examples
    --------
    >>> import numpy as np
    >>> from leastsq import curve_fit_many, models
    >>> t = np.linspace(0, 5, 30)
    >>> y = models.exponential(t, 2.0, np.array([[0.5], [1.0]]), 0.1) + 0.01 * np.cos(9 * t)
    >>> fits = curve_fit_many(models.exponential, t, y)
    >>> rest = fits.residuals(t, y)
    >>> bool(np.allclose(np.sum(rest**2, axis=1), fits.chisq))
    True
    """
    sets = given_again(self, x, y, sigma, axis, groups, lengths)
    complex_data = isinstance(self.problem.f, ComplexParts)
    if isinstance(sets, GroupedSets):
        column: Any = np.full(len(sets.y), np.nan)
        for piece in sets.pieces():
            rows, places = _table_rows(sets, piece)
            column[rows] = _as_rows(piece).residuals(self)[places]
        if complex_data:
            column = together(column)
        whole: FloatArray = column[: np.size(y)]
        return whole
    found: Any = np.empty((sets.fits, sets.points))
    for piece in sets.pieces():
        found[piece.start : piece.start + piece.fits] = _as_rows(piece).residuals(self)
    if complex_data:
        found = together(found)
    axes = fit_axes(axis, np.ndim(y))
    tail = tuple(np.shape(y)[a] for a in axes)
    back: FloatArray = np.moveaxis(found.reshape(*self.shape, *tail), tuple(range(-len(axes), 0)), axes)
    return back


def given_again(
    fits: ManyFits, x: Any, y: Any, sigma: Any, axis: int | Sequence[int], groups: Any, lengths: Any
) -> DataSets | GroupedSets:
    """Return data sets with the parameters that were found as their start, refusing those of other fits."""
    if any(map(is_dask, (x, y, sigma))):
        raise TypeError("the data are dask arrays: compute those of some fits, and give them with a part of the result")
    if isinstance(fits.problem.f, Model):
        x = fits.problem.f.separated(x)
    if isinstance(fits.problem.f, ComplexParts):
        x, y, sigma, axis, groups, lengths = many_complex(x, y, sigma, axis, groups, lengths)
    if groups is None and lengths is None:
        if fits.groups is not None and fits.groups.ndim and np.ndim(y) == 1:
            raise ValueError("these fits have groups: give the groups or lengths of the rows again as well")
        sets = data_sets(x, y, sigma, {"p0": fits.popt}, axis)
        if sets.lead != fits.shape:
            raise ValueError(
                f"the data are for fits of shape {sets.lead}, the result has shape {fits.shape}: give the data that "
                f"were fitted, or those of a part with that part of the result, as in result[0].residuals(x, y[0])"
            )
        return sets
    if fits.status.ndim != 1:
        raise ValueError("groups and lengths are for the whole result, or give the data of one fit without them")
    grouped = grouped_sets(x, y, sigma, {}, groups, lengths, axis)
    if not np.array_equal(grouped.labels, np.asarray(fits.groups)):
        raise ValueError(f"groups: the {grouped.fits} labels are not those of the result, which has {fits.size}")
    return grouped._replace(of_parameters={"p0": fits.popt})


def rows_of_fits(fits: ManyFits, sets: DataSets | GroupedSets, numbers: Sequence[int]) -> Iterator[Rows]:
    """Return the data of some fits, one after the other."""
    for number in numbers:
        if isinstance(sets, GroupedSets):
            rows = _as_rows(sets.piece(int(np.flatnonzero(sets.order == number)[0]), 1))
        else:
            rows = _as_rows(sets.piece(number, number + 1))
        yield rows


def _as_rows(piece: Piece) -> Rows:
    """Return the data sets of a piece as numbers."""
    y = np.array(piece.y, dtype=np.float64)
    for left_out in (piece.mask, piece.absent):
        if left_out is not None:
            y[np.broadcast_to(left_out, y.shape)] = np.nan
    x = tuple(np.asarray(one[0] if len(one) == 1 else one, dtype=np.float64) for one in piece.x)
    sigma = None if piece.sigma is None else np.array(piece.sigma, dtype=np.float64)
    if sigma is not None and not sigma.min(initial=1.0) > 0:
        unusable = ~(sigma > 0)
        if len(sigma) == 1 and (unusable & np.isfinite(y)).any():
            refuse_deviations(sigma, unusable)
        sigma[unusable] = np.nan  # as data sets of their own, these were not fitted
    popt = np.asarray(piece.p0)
    popt = np.broadcast_to(popt, (piece.fits, popt.shape[-1]))
    return Rows(x, y, sigma, popt)


def _table_rows(sets: GroupedSets, piece: Piece) -> tuple[NDArray[np.intp], Any]:
    """Return which rows of the table the points of a piece are, and where they are in it."""
    counts = sets.counts[piece.numbers]
    places = np.nonzero(np.arange(piece.y.shape[1]) < counts[:, None])
    return sets.rows[sets.begins[piece.numbers][places[0]] + places[1]], places
