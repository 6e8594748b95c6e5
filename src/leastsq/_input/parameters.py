"""Parameters by name: starts and fixed values as users give them, as arrays with an entry for each parameter."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .pieces import is_dask, real_numbers
from .validate import FloatArray

Guess = Callable[[Any, Any], Any]


def positional_arguments(f: Callable[..., Any]) -> list[str]:
    """List the names of the positional arguments of a function; none where it does not tell."""
    try:
        parameters = inspect.signature(f).parameters.values()
    except (TypeError, ValueError):
        return []
    return [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]


def by_name(given: Mapping[str, Any], names: Sequence[str], what: str) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Return values of parameters, shape (..., N) and NaN where there is none, and which are given, shape (N,)."""
    unknown = [name for name in given if name not in names]
    if unknown:
        raise ValueError(
            f"{what}: {unknown[0]!r} is no parameter of the model; expected names among {', '.join(names)}"
        )
    arrays = {name: real_numbers(value, f"{what}[{name!r}]") for name, value in given.items()}
    some = np.array([name in given for name in names])
    try:
        lead = np.broadcast_shapes(*(array.shape for array in arrays.values()))
    except ValueError:
        shapes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
        raise ValueError(f"{what}: values have shapes {shapes}, expected shapes that broadcast to one") from None
    if any(map(is_dask, given.values())):
        import dask.array  # which is there, because its arrays are

        columns = [dask.array.broadcast_to(dask.array.asarray(given.get(name, np.nan)), lead) for name in names]
        return dask.array.stack(columns, axis=-1), some
    values = np.full((*lead, len(names)), np.nan)
    for name, array in arrays.items():
        values[..., list(names).index(name)] = array
    return values, some


class Start(NamedTuple):
    """Where fits start: values of parameters, a rule for those that have none, and which parameters stay there."""

    #: Shape (..., N), None where there is only a rule.
    values: NDArray[Any] | None
    #: Which parameters have values, and which are fixed; shape (N,).
    given: NDArray[np.bool_]
    fixed: NDArray[np.bool_]
    guess: Guess | None


def checked_start(p0: Any, fixed: Any, names: Sequence[str], guess: Guess | None) -> Start:
    """Return where fits start, from `p0` and `fixed` as users give them, and the rule of the model, if it has one.

    Without a rule, values that are missing are for the caller to fill in or refuse.
    """
    n = len(names)
    values, given = None, np.zeros(n, dtype=np.bool_)
    if callable(p0):
        guess = p0
    elif isinstance(p0, Mapping):
        values, given = by_name(p0, names, "p0")
    elif p0 is not None:
        values = p0 if is_dask(p0) else real_numbers(p0, "p0")
        values = values if values.ndim else values.reshape(1)
        given.fill(True)
        if values.shape[-1] != n:
            raise ValueError(
                f"p0 has {values.shape[-1]} parameters along its last axis, expected {n}: {', '.join(names)}"
            )
    held = np.zeros(n, dtype=np.bool_)
    if isinstance(fixed, Mapping):
        constants, held = by_name(fixed, names, "fixed")
        lead = constants.shape[:-1] if values is None else np.broadcast_shapes(constants.shape[:-1], values.shape[:-1])
        base = np.full((*lead, n), np.nan) if values is None else np.broadcast_to(values, (*lead, n))
        values, given = np.where(held, constants, base), given | held
    elif fixed is not None:
        held = _mask(fixed, names)
    if fixed is not None and held.all() and n:
        raise ValueError(f"fixed: all parameters are ({', '.join(names)}), which leaves nothing to fit")
    return Start(values, given, held, guess)


def _mask(fixed: Any, names: Sequence[str]) -> NDArray[np.bool_]:
    """Return which parameters are fixed, given by their names or as a mask."""
    listed = [fixed] if isinstance(fixed, str) else list(fixed) if isinstance(fixed, (list, tuple, set)) else fixed
    if isinstance(listed, list) and all(isinstance(name, str) for name in listed):
        return by_name(dict.fromkeys(listed, 0.0), names, "fixed")[1]
    mask = np.asarray(listed)
    if mask.dtype != np.bool_ or mask.shape != (len(names),):
        raise ValueError(
            f"fixed: got {fixed!r}, expected names of parameters, a mask of {len(names)} True or False, or a dict "
            f"of names and values"
        )
    return mask
