"""The names of the parameters of many fits, and how many there are."""

import inspect
from collections.abc import Callable, Mapping
from types import FunctionType
from typing import Any

from .._input.parameters import positional_arguments
from .._input.pieces import real_numbers
from .model import Model


def parameter_names(f: Callable[..., Any], p0: Any) -> tuple[str, ...]:
    """Return a name for each parameter: those of the function's arguments where they are known."""
    told = f.param_names if isinstance(f, Model) else _names_in_code(f)
    names = tuple(positional_arguments(f)[1:]) if told is None else told
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
    if told is None or (count != len(names) and not isinstance(f, Model)):
        _refuse_other_count(f, count)
    elif count != len(names):
        raise ValueError(
            f"p0 has {count} parameters along its last axis, {f.__name__} {len(names)}: {', '.join(names)}"
        )
    return names if len(names) == count else tuple(f"p{j}" for j in range(count))


def _names_in_code(f: Callable[..., Any]) -> tuple[str, ...] | None:
    """Return, quickly, the parameters of an ordinary function; None of what takes an inspection to know."""
    if not isinstance(f, FunctionType) or f.__dict__:
        return None
    code = f.__code__
    others = code.co_kwonlyargcount or code.co_flags & (inspect.CO_VARARGS | inspect.CO_VARKEYWORDS)
    return None if others else code.co_varnames[1 : code.co_argcount]


def _refuse_other_count(f: Callable[..., Any], count: int) -> None:
    """Raise if the arguments of a function are known, and it cannot be called with so many parameters."""
    try:
        signature = inspect.signature(f, follow_wrapped=False)
    except (TypeError, ValueError):
        return
    try:
        signature.bind(*range(count + 1))
    except TypeError as error:
        raise ValueError(
            f"p0 has {count} parameters along its last axis, but f{signature} cannot be called with x and as many "
            f"({error})"
        ) from None
