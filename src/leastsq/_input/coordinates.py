"""Names and coordinates of the axes of the fits, where labelled arrays gave any."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from .._results.result import ManyFits

#: The name of each axis of the fits, and its labels where there are any.
Coordinates = tuple[tuple[str, NDArray[Any] | None], ...]


def coordinates_of(ydata: Any, axis: int | Sequence[int], shape: tuple[int, ...]) -> Coordinates | None:
    """Return those of an xarray DataArray along the axes that are not fitted along; None for other arrays."""
    if type(ydata).__module__.partition(".")[0] != "xarray" or not hasattr(ydata, "dims"):
        return None
    axes = {a % ydata.ndim for a in (axis if isinstance(axis, (tuple, list)) else (axis,))}
    kept = [(dim, size) for i, (dim, size) in enumerate(zip(ydata.dims, ydata.shape, strict=True)) if i not in axes]
    if tuple(size for _, size in kept) != shape:  # starts or predictors brought axes of their own
        return None
    return tuple((str(dim), np.asarray(ydata[dim]) if dim in ydata.coords else None) for dim, _ in kept)


def coordinates_at(coordinates: Coordinates | None, index: Any) -> Coordinates | None:
    """Return those of some of the fits; None where an index mixes axes."""
    if coordinates is None:
        return None
    if len(coordinates) == 1 and isinstance(index, (list, np.ndarray)) and np.ndim(index) == 1:
        (name, labels), chosen = coordinates[0], np.asarray(index)
        return ((name, None if labels is None else labels[chosen if chosen.size else slice(0)]),)
    full = index if isinstance(index, tuple) else (index,)
    if not all(one is Ellipsis or isinstance(one, (int, np.integer, slice)) for one in full):
        return None
    where = next((i for i, one in enumerate(full) if one is Ellipsis), len(full))
    ahead, behind = full[:where], full[where + 1 :]
    full = (*ahead, *[slice(None)] * (len(coordinates) - len(ahead) - len(behind)), *behind)
    return tuple(
        (name, None if labels is None else labels[one])
        for (name, labels), one in zip(coordinates, full, strict=True)
        if isinstance(one, slice)
    )


def joined(parts: "Sequence[ManyFits]", axis: int) -> Coordinates | None:
    """Return those of results one after the other; None where they do not go together."""
    first = parts[0].coords
    if first is None or any(p.coords is None or [n for n, _ in p.coords] != [n for n, _ in first] for p in parts):
        return None
    found = []
    for i, (name, labels) in enumerate(first):
        others = [part.coords[i][1] for part in parts if part.coords is not None]
        if i == axis:
            known = [one for one in others if one is not None]
            found.append((name, np.concatenate(known) if len(known) == len(parts) else None))
        elif all(np.array_equal(np.asarray(one), np.asarray(labels)) for one in others):
            found.append((name, labels))
        else:
            return None
    return tuple(found)
