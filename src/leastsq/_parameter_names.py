"""The names of the parameters of many fits, and how many there are."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from ._model import Model
from ._parameters import positional_in, signature_of
from ._pieces import real_numbers


def parameter_names(f: Callable[..., Any], p0: Any) -> tuple[str, ...]:
    """Return a name for each parameter: those of the function's arguments where they are known."""
    own = None if isinstance(f, Model) else signature_of(f, follow_wrapped=False)
    names = f.param_names if isinstance(f, Model) else _names_told(f, own)
    if not callable(p0) and not isinstance(p0, Mapping) and p0 is not None:
        count = (1, *real_numbers(p0, "p0").shape)[-1]
    else:
        count = len(names)
        if count == 0:
            raise ValueError(
                "the number of parameters cannot be determined from f: name them as arguments, f(x, a, b, ...)"
            )
    if count == 0:
        raise ValueError("p0 is empty: expected at least one parameter to start from")
    if not isinstance(f, Model):
        if own is not None:
            _refuse_other_count(own, count)
    elif count != len(names):
        raise ValueError(
            f"p0 has {count} parameters along its last axis, {f.__name__} {len(names)}: {', '.join(names)}"
        )
    return names if len(names) == count else tuple(f"p{j}" for j in range(count))


def _names_told(f: Callable[..., Any], own: inspect.Signature | None) -> tuple[str, ...]:
    """Return the names that a function tells, which if it is decorated are those of another."""
    told = signature_of(f) if hasattr(f, "__wrapped__") else own
    return () if told is None else tuple(positional_in(told)[1:])


def _refuse_other_count(signature: inspect.Signature, count: int) -> None:
    """Raise if a function cannot be called with so many parameters."""
    try:
        signature.bind(*range(count + 1))
    except TypeError as error:
        raise ValueError(
            f"p0 has {count} parameters along its last axis, but f{signature} cannot be called with x and as many "
            f"({error})"
        ) from None
