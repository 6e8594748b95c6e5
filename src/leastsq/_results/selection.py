"""Some of many fits: by position, by the name of a parameter, by the label of a group."""

from __future__ import annotations  # so that help() shows types by their names

import difflib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from .._input.coordinates import joined
from .._input.validate import FloatArray, is_whole
from .._solver.problem import Options
from . import box

if TYPE_CHECKING:
    from .result import ManyFits


# What of their problem results that are joined have in common.
_ALIKE = ("names", "f", "absolute_sigma", "weighted", "sandwich", "fixed")


def number_of_parameter(fits: ManyFits, name: Any) -> int:
    """Return which parameter has a name."""
    if name in fits.param_names:
        return fits.param_names.index(name)
    near = difflib.get_close_matches(str(name), fits.param_names, n=1)
    hint = f"; {near[0]!r}?" if near else ""
    raise KeyError(f"no parameter is called {name!r}: expected one of {', '.join(fits.param_names)}{hint}")


def stderr_of(self: ManyFits, name: str) -> FloatArray:
    """Return the standard errors of one parameter, by its name, shape L; ``result[name]`` are its values.

    Examples
    --------
    >>> import numpy as np
    >>> from leastsq import curve_fit_many, models
    >>> dose = np.array([0.1, 0.3, 1.0, 3.0, 10.0])
    >>> rates = np.array([[0.21, 0.44, 0.98, 1.52, 1.79], [0.15, 0.41, 0.93, 1.45, 1.88]])
    >>> fits = curve_fit_many(models.michaelis_menten, dose, rates)
    >>> fits["km"].round(2).tolist(), fits.stderr_of("km").round(2).tolist()
    ([1.0, 1.29], [0.06, 0.05])
    """
    return self.stderr[..., number_of_parameter(self, name)]


def group(self: ManyFits, label: Any) -> ManyFits:
    """Return the result of one group.

    Parameters
    ----------
    label : object
        Its label, as in `groups`; a tuple where several columns make a label.

    Returns
    -------
    ManyFits
        The result of the one fit.

    Raises
    ------
    KeyError
        If no group has that label.

    Examples
    --------
    >>> import numpy as np
    >>> from leastsq import curve_fit_many, models
    >>> dose = np.array([0.1, 0.3, 1.0, 3.0, 10.0])
    >>> rates = np.array([[0.21, 0.44, 0.98, 1.52, 1.79], [0.15, 0.41, 0.93, 1.45, 1.88]])
    >>> labels = np.repeat(["A01", "A02"], 5)
    >>> fits = curve_fit_many(models.michaelis_menten, np.tile(dose, 2), rates.ravel(), groups=labels)
    >>> fits.group("A02").popt.round(2).tolist()
    [2.11, 1.29]
    """
    return self[position_of(self, label)]


def position_of(fits: ManyFits, label: Any) -> tuple[int, ...]:
    """Return the position of the fit of a group."""
    if fits.groups is None:
        raise ValueError("these fits have no groups: pick one by its position")
    labels = fits.groups
    if labels.dtype.names is None:
        found = np.array([bool(one == label) for one in labels.flat]) if labels.dtype == object else labels == label
    else:
        columns = labels.dtype.names
        label = label.item() if isinstance(label, np.void) else label
        if not isinstance(label, tuple) or len(label) != len(columns):
            raise KeyError(f"a label of these groups is a tuple ({', '.join(columns)}), got {label!r}")
        found = np.logical_and.reduce([labels[name] == part for name, part in zip(columns, label, strict=True)])
    places = np.argwhere(np.reshape(found, labels.shape))
    if len(places) == 0:
        some = ", ".join(repr(one.item() if isinstance(one, np.generic) else one) for one in labels.ravel()[:3])
        raise KeyError(f"no group is called {label!r}: there are {labels.size}, such as {some}")
    return tuple(int(i) for i in places[0])


def is_label(fits: ManyFits, index: Any) -> bool:
    """Return whether what picks fits is the label of a group, as text is, and whatever cannot be a position."""
    if isinstance(index, str) or fits.groups is None:
        return isinstance(index, str)
    if isinstance(index, tuple):
        return fits.groups.dtype.names is not None and len(index) > max(fits.groups.ndim, 1)
    is_position = index is None or index is Ellipsis or is_whole(index) or isinstance(index, (slice, np.ndarray))
    return not is_position and np.ndim(index) == 0


def single_index(fits: ManyFits, index: Any, what: str) -> tuple[int, ...]:
    """Return the position of one fit, from an index, an array of positions or the label of a group."""
    if is_label(fits, index):
        return position_of(fits, index)
    if isinstance(index, np.ndarray):
        index = tuple(index.tolist()) if index.ndim else int(index)
    if isinstance(index, tuple) and not index and fits.status.size == 1:
        index = (0,) * fits.status.ndim
    if np.ndim(fits.status[index]):
        raise IndexError(f"{what} is about one fit: expected {fits.status.ndim} indices, got {index!r}")
    number = np.arange(fits.status.size).reshape(fits.shape)[index]
    return tuple(int(i) for i in np.unravel_index(int(number), fits.shape))


def parts_of(fits: ManyFits, index: Any, arrays: dict[str, int]) -> dict[str, Any]:
    """Return the arrays of a result at an index into the shape of the fits."""
    if fits.status.ndim == 0:
        raise IndexError("there is one fit, which needs no index")
    _ = fits.status[index]  # speaks of the shape of the fits where the index does not go with it
    parts: dict[str, Any] = {}
    full = index if isinstance(index, tuple) else (index,)
    full = full if any(i is Ellipsis for i in full) else (*full, Ellipsis)
    for name, trailing in arrays.items():
        array = getattr(fits, name)
        if array is not None:
            parts[name] = np.asarray(array[full + (slice(None),) * trailing])
    if fits.groups is not None:
        parts["groups"] = np.asarray(fits.groups[index])
    parts["bounds"] = box.part(fits, full)
    return parts


def rows_of(fits: ManyFits) -> Iterator[ManyFits]:
    """Go through the first axis."""
    if fits.status.ndim == 0:
        raise TypeError("there is one fit: it has no rows to go through; see its popt, stderr and so on")
    return (fits[i] for i in range(len(fits)))


def length_of(fits: ManyFits) -> int:
    """Return the length of the first axis."""
    if fits.status.ndim == 0:
        raise TypeError("there is one fit, which has no length; result.size counts fits, popt.size parameters")
    return fits.shape[0]


def concatenate(results: Sequence[ManyFits], axis: int = 0) -> ManyFits:
    """Join results of the same model into one, along an axis of the fits.

    Parameters
    ----------
    results : sequence of ManyFits
        The results, of calls with the same model and the same options; for instance those of the parts of a long run.
    axis : int, default 0
        The axis of the fits to join along.

    Returns
    -------
    ManyFits
        All of them.

    Raises
    ------
    ValueError
        If they are not results of the same model and options, or their shapes do not go together.

    Examples
    --------
    >>> import numpy as np
    >>> from leastsq import ManyFits, curve_fit_many, models
    >>> t = np.linspace(0, 5, 30)
    >>> y = models.exponential(t, 2.0, np.linspace(0.5, 1, 5)[:, None], 0.1) + 0.01 * np.cos(9 * t)
    >>> parts = [curve_fit_many(models.exponential, t, rows) for rows in (y[:3], y[3:])]
    >>> ManyFits.concatenate(parts).shape
    (5,)
    """
    from .._solver.record import ARRAYS
    from .result import ManyFits

    parts = list(results) if isinstance(results, Iterable) else []
    if not parts or not all(isinstance(part, ManyFits) for part in parts):
        raise TypeError(f"results: expected a sequence of ManyFits, with at least one, got {type(results).__name__}")
    if not is_whole(axis):
        raise TypeError(f"axis must be a whole number, got {axis!r}")
    first = parts[0]
    for part in parts[1:]:
        _refuse_others(first, part)
    ndim = first.status.ndim
    if ndim == 0 or not -ndim <= axis < ndim:
        raise ValueError(f"axis {axis} is none of the axes of the fits, which have shape {first.shape}")
    axis %= ndim
    together: dict[str, Any] = {
        name: None
        if getattr(first, name) is None
        else np.concatenate([getattr(part, name) for part in parts], axis=axis)
        for name in (*ARRAYS, "groups")
    }
    problem = replace(first.problem, bounded=any(part.problem.bounded for part in parts))
    return replace(first, **together, coords=joined(parts, axis), bounds=box.joined(parts, axis), problem=problem)


def _refuse_others(first: ManyFits, part: ManyFits) -> None:
    """Raise unless two results are of the same model, fitted alike."""
    one, other = first.problem, part.problem
    facts = [(name, getattr(one, name), getattr(other, name)) for name in _ALIKE]
    names = [name for name in Options._fields if name not in ("epsfcn", "diag")]
    facts += [(name, getattr(one.options, name), getattr(other.options, name)) for name in names]
    for name, this, that in facts:
        if this != that:
            raise ValueError(f"results of different fits: {name} is {this!r} in the first, and {that!r} in another")
    for name in ("groups", "pcov"):
        if (getattr(first, name) is None) != (getattr(part, name) is None):
            raise ValueError(f"some of the results have {name}, others none: expected all or none")
