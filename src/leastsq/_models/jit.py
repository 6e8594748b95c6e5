"""Python functions of one point, compiled by numba into functions for groups of fits in lockstep."""

import inspect
import math
import re
import threading
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from types import BuiltinFunctionType, CodeType, FunctionType
from typing import Any, Final, NamedTuple
from weakref import WeakValueDictionary

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.errors import NumbaError
from numba.extending import intrinsic

from .._input.parameters import positional_arguments
from .._input.validate import callable_argument
from .._solver.kernel import LANE_ROWS, LANE_WIDTH
from . import dual
from .addresses import Native
from .native import NativeModel, parameter_names

_DOUBLES: Final = types.CPointer(types.float64)
_SIGNATURE: Final = types.int32(*[types.int64] * 4, *[_DOUBLES] * 4, types.voidptr)

# Models of this process by the functions they were made from, and by what pickles call them: those in use, and the last
# ones whether or not they are; each may take some megabytes. Of names, one that is forgotten costs a compilation.
_MOST_KEPT = 16
_MOST_NAMES = 1024
_models: WeakValueDictionary[Any, NativeModel] = WeakValueDictionary()
_names: deque[str] = deque()
_last: deque[NativeModel] = deque(maxlen=_MOST_KEPT)
_lock: Final = threading.RLock()

_REASONS: Final = {
    r">>> value_of\((.*)\)": "it returns {0}",
    r"failed to unpack (\S+)": "jac returns {0}",
    r"wrong tuple length .*expected (\d+), got (\d+)": "jac returns {1} numbers, not {0}",
}


class _Plan(NamedTuple):
    """One way to compile a function: where derivatives come from, and what the function is given as parameters."""

    derivatives: str
    parameter: str  # how to write one of them: {0} is its number in double precision


def compiled_model(
    f: Callable[..., Any], jac: Callable[..., Any] | None, predictors: int, derivatives: str
) -> NativeModel:
    """Return the model of a function, compiled at most once in this process."""
    for name, function in (("f", f), ("jac", jac)):
        if function is not None:
            _refuse_other_kinds(name, function)
    return _known((f, jac, predictors, derivatives), None)


def _refuse_other_kinds(name: str, function: Any) -> None:
    """Raise unless numba compiles this kind of function, and a model can call it."""
    callable_argument(function, name)
    plain = getattr(function, "py_func", function)
    if not isinstance(plain, FunctionType):
        raise TypeError(
            f"{name} must be a Python function, got {type(plain).__name__}: wrap it in a function of your own"
        )
    parameters = inspect.signature(plain).parameters.values()
    keywords = [p.name for p in parameters if p.kind in (p.KEYWORD_ONLY, p.VAR_KEYWORD)]
    if keywords:
        raise TypeError(f"{name} has arguments by keyword only, {', '.join(keywords)}: a model passes none")


def _known(made_from: tuple[Any, ...], token: str | None) -> NativeModel:
    """Return the model that was made from the same, here or in the process where it was pickled, or make it.

    Pickles have a `token` for a name.
    """
    f, jac, *_ = made_from
    lasting = _refers_to_nothing_else(f) and (jac is None or _refers_to_nothing_else(jac))
    with _lock:
        model = _models.get(token) or (_models.get(made_from) if lasting else None)
        if model is None:
            token = token or uuid.uuid4().hex
            model = _compile(*made_from, (_known, (made_from, token)))
            _last.append(model)
        if token is not None and token not in _models:
            _models[token] = model
            _names.append(token)
            while len(_names) > _MOST_NAMES:
                _models.pop(_names.popleft(), None)
        if lasting:
            _models[made_from] = model
    return model


def _refers_to_nothing_else(function: Any) -> bool:
    """Return whether a function refers to NumPy, math and their functions alone: what else there is may change."""
    plain = getattr(function, "py_func", function)
    found = [plain.__globals__[name] for name in _names_in(plain.__code__) if name in plain.__globals__]
    lasting = all(one is math or one is np or isinstance(one, (BuiltinFunctionType, np.ufunc)) for one in found)
    return lasting and not plain.__closure__


def _names_in(code: CodeType) -> Iterator[str]:
    """Give the names that code refers to, and that of functions within it."""
    yield from code.co_names
    for one in code.co_consts:
        if isinstance(one, CodeType):
            yield from _names_in(one)


def _compile(f: Any, jac: Any, predictors: int, derivatives: str, rebuild: Any) -> NativeModel:
    """Compile a function in the best way that its operations allow."""
    found = positional_arguments(getattr(f, "py_func", f))[1:]
    if not found:
        raise ValueError(
            "the number of parameters cannot be determined from f: name them as arguments, f(x, a, b, ...)"
        )
    names = parameter_names(found)
    errors = []
    for plan in _plans(jac is not None, derivatives):
        try:
            compiled = numba.cfunc(_SIGNATURE)(_group_function(f, jac, plan, len(names), predictors))
        except NumbaError as error:
            errors.append(error)
            continue
        name = getattr(f, "__name__", "function")
        native = Native(int(compiled.address), 0, (compiled,), name)
        return NativeModel(native, "lanes", names, predictors, plan.derivatives != "differences", rebuild)
    raise TypeError(
        f"{'f or jac' if jac is not None else 'f'} cannot be compiled: {_reason(errors[-1])}. It gets numbers, one "
        f"point at a time, and returns {'a number, jac a tuple of numbers' if jac is not None else 'a number'}"
    ) from errors[-1]


def _plans(with_jac: bool, derivatives: str) -> Iterator[_Plan]:
    """Give the ways to compile a function, the fastest first.

    Numbers without derivatives are faster than plain ones: their exponential is vectorised.
    """
    if not with_jac and derivatives != "differences":
        yield _Plan("dual", "constant({0})")
        if derivatives == "dual":
            return
    for parameter in ("constant({0})", "{0}"):
        yield _Plan("given" if with_jac else "differences", parameter)


def _reason(error: NumbaError) -> str:
    """Return what numba's message says is wrong, in our words or in its most telling line."""
    for pattern, reason in _REASONS.items():
        if found := re.search(pattern, str(error)):
            return reason.format(*found.groups())
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    telling = [line for line in lines if not line.startswith(("Failed in", "During", "There are", "-"))]
    return (telling or lines or [type(error).__name__])[0].rstrip(".")


def _group_function(f: Any, jac: Any, plan: _Plan, n: int, predictors: int) -> Callable[..., int]:
    """Return the function for a group that evaluates `f` for each lane and row."""
    compiled = [_jitted(one) for one in (f, jac) if one is not None]
    scope: dict[str, Any] = {
        "f": compiled[0],
        "jac": compiled[-1],
        "local_x": _local(predictors * LANE_WIDTH),
        "local_p": _local(n * LANE_WIDTH),
        "local_out": _local(LANE_WIDTH),
        "local_jac": _local(n * LANE_WIDTH),
        "carray": numba.carray,
        "dual": dual.dual,
        "constant": dual.constant,
        "value_of": dual.value_of,
        "slope_of": dual.slope_of,
    }
    exec(_source(plan, n, predictors), scope)
    scope["evaluate"] = numba.njit(**dual.OPTIONS)(scope["evaluate"])
    # A function by itself, because numba catches nothing within a handler.
    scope["raises"] = numba.njit(forceinline=True)(scope["raises"])
    function: Callable[..., int] = scope["group"]
    return function


def _jitted(function: Any) -> Any:
    return function if hasattr(function, "py_func") else numba.njit(**dual.OPTIONS)(function)


def _local(size: int) -> Any:
    """Return what makes room for numbers on the stack, which compilers know nothing else refers to."""

    @intrinsic
    def room(typingctx: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
            return cgutils.alloca_once(builder, ir.DoubleType(), size=size)

        return _DOUBLES(), generate

    return room


def _statements(plan: _Plan, n: int, predictors: int) -> list[str]:
    """Write what evaluates the function, and its derivatives if it is to give some, for one lane of a row."""
    x = ", ".join(f"X[{k}, l]" for k in range(predictors))
    x = f"({x})" if predictors > 1 else x
    parameters = [plan.parameter.format(f"P[{j}, l]") for j in range(n)]

    def call(function: str, seeded: int | None = None) -> str:
        given = [f"dual(P[{j}, l], 1.0)" if j == seeded else p for j, p in enumerate(parameters)]
        return f"{function}({x}, {', '.join(given)})"

    body = [f"F[l] = value_of({call('f', 0 if plan.derivatives == 'dual' else None)})"]
    if plan.derivatives == "dual":
        body += [f"J[{j}, l] = slope_of({call('f', j)})" for j in range(n)]
    elif plan.derivatives == "given":
        body += [f"{', '.join(f'd{j}' for j in range(n))}, = {call('jac')}"]
        body += [f"J[{j}, l] = value_of(d{j})" for j in range(n)]
    return body


def _source(plan: _Plan, n: int, predictors: int) -> str:
    """Write the loops. What comes from a row is copied first, and what goes to it last, so that they are vectorised.

    A function that raises has no value: the fits of those lanes in which it does are stopped.
    """
    derivatives = plan.derivatives != "differences"
    body = "\n            ".join(_statements(plan, n, predictors))
    store = "\n            ".join(f"jac_[{j}, i, l] = J[{j}, l]" for j in range(n)) if derivatives else "pass"
    jac_of_group = f"carray(jac_, ({n}, {LANE_ROWS}, {LANE_WIDTH}))" if derivatives else "out"
    return f"""
def evaluate(x, p, out, jac_, rows, first, last):
    X, P = carray(local_x(), ({predictors}, {LANE_WIDTH})), carray(local_p(), ({n}, {LANE_WIDTH}))
    F, J = carray(local_out(), ({LANE_WIDTH},)), carray(local_jac(), ({n}, {LANE_WIDTH}))
    for j in range({n}):
        for l in range({LANE_WIDTH}):
            P[j, l] = p[j, l]
    for i in range(rows):
        for k in range({predictors}):
            for l in range({LANE_WIDTH}):
                X[k, l] = x[k, i, l]
        for l in range(first, last):
            {body}
        for l in range(first, last):
            out[i, l] = F[l]
            {store}

def raises(x, p, out, jac, rows, first, last):
    try:
        evaluate(x, p, out, jac, rows, first, last)
    except Exception:
        return True
    return False

def group(width, rows, stride, n, x_, p_, out_, jac_, data):
    x, p = carray(x_, ({predictors}, {LANE_ROWS}, {LANE_WIDTH})), carray(p_, ({n}, {LANE_WIDTH}))
    out = carray(out_, ({LANE_ROWS}, {LANE_WIDTH}))
    jac = {jac_of_group}
    stopped = 0
    if raises(x, p, out, jac, rows, 0, {LANE_WIDTH}):
        for l in range({LANE_WIDTH}):
            if raises(x, p, out, jac, rows, l, l + 1):
                stopped |= 1 << l
    return stopped
"""
