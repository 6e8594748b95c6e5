"""Data sets of unequal length, one after the other or mixed in a long table, as pieces of rows of about one length."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .missing import is_missing
from .pieces import MOST_FITS, MOST_POINTS, Piece, observations, real_numbers


class GroupedSets(NamedTuple):
    """All data sets of a call: groups of rows of a table, in the order of their lengths."""

    labels: NDArray[Any]
    order: NDArray[np.intp]  # numbers of the groups, shortest first
    begins: NDArray[np.intp]  # where each group begins in `rows`
    counts: NDArray[np.intp]
    rows: NDArray[np.intp]  # rows of the table, group by group
    x: tuple[NDArray[Any], ...]
    y: NDArray[Any]
    mask: NDArray[np.bool_] | None
    sigma: NDArray[Any] | None
    # Starts and bounds of parameters: one row for all, or one for each group.
    of_parameters: dict[str, NDArray[Any]]

    @property
    def lead(self) -> tuple[int, ...]:
        """Return the shape of the fits."""
        return (len(self.labels),)

    @property
    def fits(self) -> int:
        """Return the number of fits."""
        return len(self.labels)

    def where(self, start: int, count: int) -> NDArray[np.intp]:
        """Return which fits the results of a piece belong to."""
        return self.order[start : start + count]

    def pieces(self) -> Iterator[Piece]:
        """Cut the groups into pieces, whose size does not depend on who fits them."""
        start = 0
        while start < self.fits:
            longest = self.counts[self.order[start : start + MOST_FITS]]
            # The groups grow longer, and all rows of a piece are as long as the longest.
            within = np.arange(1, len(longest) + 1) * longest <= MOST_POINTS
            size = max(1, int(np.count_nonzero(within)))
            yield self.piece(start, size)
            start += size

    def piece(self, start: int, size: int) -> Piece:
        """Return some groups side by side; those that are too short repeat their last point, which does not count."""
        numbers = self.where(start, size)
        counts = self.counts[numbers, None]
        column = np.arange(max(int(counts.max()), 1))
        absent = column >= counts
        places = self.begins[numbers, None] + np.minimum(column, np.maximum(counts - 1, 0))
        rows = self.rows[np.minimum(places, len(self.rows) - 1)]  # groups without rows may come last
        return Piece(
            start,
            numbers,
            tuple(x[rows] for x in self.x),
            self.y[rows],
            None if self.mask is None else self.mask[rows],
            None if self.sigma is None else self._sigma(rows),
            self._parameters("p0", numbers),
            self._parameters("lower", numbers),
            self._parameters("upper", numbers),
            absent if absent.any() else None,
        )

    def _parameters(self, name: str, numbers: NDArray[np.intp]) -> NDArray[Any] | None:
        array = self.of_parameters.get(name)
        return array if array is None or len(array) == 1 else array[numbers]

    def _sigma(self, rows: NDArray[np.intp]) -> NDArray[Any]:
        """Return standard deviations of rows of the table; one for all in a row of its own."""
        sigma: Any = self.sigma
        return np.broadcast_to(sigma.reshape(1, 1), (1, rows.shape[1])) if sigma.size == 1 else sigma[rows]


def grouped_sets(
    xdata: Any,
    ydata: Any,
    sigma: Any,
    of_parameters: dict[str, NDArray[Any]],
    groups: Any,
    lengths: Any,
    axis: int | Sequence[int],
) -> GroupedSets:
    """Arrange the rows of a table by groups: those with one label, or so many rows after the other."""
    if groups is not None and lengths is not None:
        raise ValueError("groups and lengths both say which rows belong together: give one of them")
    y, mask = observations(ydata)
    if y.ndim != 1 or axis not in (-1, 0) or isinstance(axis, bool):
        raise ValueError(
            f"with groups or lengths, ydata is one column of a table, fitted along its only axis: got shape {y.shape} "
            f"and axis {axis!r}"
        )
    predictors = xdata if isinstance(xdata, tuple) else (xdata,)
    names = ["xdata" if len(predictors) == 1 else f"xdata[{i}]" for i in range(len(predictors))]
    x = tuple(_column(one, name, y.size) for one, name in zip(predictors, names, strict=True))
    errors = None if sigma is None else real_numbers(sigma, "sigma")
    if errors is not None and errors.size != 1:
        errors = _column(errors, "sigma", y.size)
    labels, rows, counts = _by_labels(groups, y.size) if lengths is None else _by_lengths(lengths, y.size)
    if y.size == 0:  # a row that no group has, for all to point at
        y, x, rows = np.zeros(1), tuple(np.zeros(1) for _ in x), np.zeros(1, dtype=np.intp)
        mask, errors = None, None
    rows_of = {name: np.atleast_2d(array) for name, array in of_parameters.items()}
    for name, array in rows_of.items():
        if array.ndim != 2 or len(array) not in (1, len(labels)):
            what = name if name == "p0" else f"the {name} bounds"
            raise ValueError(
                f"{what} has shape {of_parameters[name].shape}, expected (N,) or ({len(labels)}, N): a row for each "
                f"of the groups, in the order of their labels"
            )
    begins = np.cumsum(counts) - counts
    return GroupedSets(labels, np.argsort(counts, kind="stable"), begins, counts, rows, x, y, mask, errors, rows_of)


def _column(values: Any, name: str, size: int) -> NDArray[Any]:
    column = real_numbers(values, name)
    if column.shape != (size,):
        raise ValueError(f"{name} has shape {column.shape}, ydata ({size},): with groups, expected the same")
    return column


def _by_labels(groups: Any, size: int) -> tuple[NDArray[Any], NDArray[np.intp], NDArray[np.intp]]:
    """Return sorted labels, rows group by group, and how many each has."""
    given = np.asarray(groups)
    if given.shape != (size,):
        raise ValueError(f"groups has shape {given.shape}, ydata ({size},): expected a label for each row")
    missing = np.ma.getmaskarray(groups) if np.ma.isMaskedArray(groups) else np.zeros(size, dtype=bool)
    if given.dtype.kind == "O":
        missing = missing | np.fromiter(map(is_missing, given), dtype=bool, count=size)
    elif given.dtype.kind in "fcmM":
        missing = missing | (given != given)
    if missing.any():
        raise ValueError(
            f"groups: {int(missing.sum())} labels are missing (masked, None, NaN or NaT), the first in row "
            f"{int(np.argmax(missing))}; leave their rows out"
        )
    try:
        labels, group = np.unique(given, return_inverse=True)
    except (TypeError, ValueError) as error:
        raise TypeError(f"groups: labels of several kinds cannot be sorted ({error}); use one kind") from error
    return labels, np.argsort(group, kind="stable"), np.bincount(group, minlength=len(labels)).astype(np.intp)


def _by_lengths(lengths: Any, size: int) -> tuple[NDArray[Any], NDArray[np.intp], NDArray[np.intp]]:
    counts = np.asarray(lengths)
    if counts.ndim != 1 or (counts.size and counts.dtype.kind not in "iu"):
        raise TypeError(f"lengths must be whole numbers in one dimension, got {counts.dtype} of shape {counts.shape}")
    counts = counts.astype(np.intp)
    if (counts < 0).any() or counts.sum() != size:
        raise ValueError(f"lengths add up to {counts.sum()}, expected the {size} rows of ydata, and none below 0")
    return np.arange(len(counts)), np.arange(size), counts
