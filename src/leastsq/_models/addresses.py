"""Functions of the user's by address: what kinds there are, and whether their arguments are what they have to be."""

import ctypes
import re
from typing import Any, Final, Literal, NamedTuple

import numpy as np

from .._input.validate import is_whole

Layout = Literal["fit", "lanes"]

#: Arguments of a function, and what it returns, as kinds: integers of so many bits, and pointers.
_ARGUMENTS: Final = {
    "fit": ("int64", "int64", "double*", "double*", "double*", "double*", "void*"),
    "lanes": ("int64", "int64", "int64", "int64", "double*", "double*", "double*", "double*", "void*"),
}
_RETURNED: Final = "int32"

DECLARATIONS: Final = {
    "fit": (
        "int function(int64_t m, int64_t n, const double *x, const double *p, double *out, double *jac, "
        "void *user_data)"
    ),
    "lanes": (
        "int function(int64_t width, int64_t rows, int64_t stride, int64_t n, const double *x, const double *p, "
        "double *out, double *jac, void *user_data)"
    ),
}

_LONG: Final = f"int{8 * ctypes.sizeof(ctypes.c_long)}"
_C_KINDS: Final = {
    "int": "int32",
    "int32_t": "int32",
    "long": _LONG,
    "long int": _LONG,
    "long long": "int64",
    "long long int": "int64",
    "int64_t": "int64",
    "ssize_t": "int64",
    "ptrdiff_t": "int64",
    "intptr_t": "int64",
    "npy_intp": "int64",
}

# Addresses are 64-bit integers inside; no process has any with the highest bit set.
_ADDRESSES: Final = 2**63


class Native(NamedTuple):
    """A function of the user's: where it is, what it gets as its last argument, and what has to stay alive."""

    address: int
    data: int
    owners: tuple[Any, ...]
    name: str


def native_function(function: Any, layout: Layout, user_data: Any, signature: str | None) -> Native:
    """Return the address of a function, once its arguments are known to be those of its layout."""
    if not isinstance(signature, (str, type(None))):
        raise TypeError(f"signature must be a declaration in C, got {signature!r}")
    kind = type(function).__module__.partition(".")[0]
    capsule_data = 0
    if is_whole(function):
        if signature is None:
            raise ValueError(
                f"an address says nothing about the function there: pass its declaration as signature, expected "
                f"{DECLARATIONS[layout]!r}"
            )
        address, found = int(function), signature
    elif isinstance(function, ctypes._CFuncPtr):  # type: ignore[attr-defined]
        address, found = ctypes.cast(function, ctypes.c_void_p).value or 0, signature or _of_ctypes(function, layout)
    elif kind == "_cffi_backend":
        address, found = _of_cffi(function)
    elif kind == "numba" and hasattr(function, "address"):
        address, found = int(function.address), _of_numba(function)
    elif kind == "scipy" and isinstance(function, tuple):
        address, found, capsule_data = _of_scipy(function)
    else:
        raise TypeError(
            f"function: got {type(function).__name__}, expected a numba.cfunc, a scipy.LowLevelCallable, a function "
            f"pointer of ctypes or cffi, or an address as an integer"
        )
    if not 0 < address < _ADDRESSES:
        words = f"function is no address: {address}, expected from 1 to 2**63 - 1"
        raise ValueError("function is a null pointer" if address == 0 else words)
    _refuse_other_arguments(found, layout)
    if capsule_data and user_data is not None:
        raise ValueError("user_data is given twice: as an argument, and in the LowLevelCallable")
    data, owner = (capsule_data, None) if user_data is None else _data_address(user_data)
    return Native(address, data, (function, owner, user_data), getattr(function, "__name__", "function"))


def _of_ctypes(function: Any, layout: Layout) -> str:
    if function.argtypes is None:
        raise ValueError(
            f"the function pointer of ctypes has no argtypes: set them, or pass its declaration as signature, expected "
            f"{DECLARATIONS[layout]!r}"
        )
    names = [_ctypes_name(argument) for argument in function.argtypes]
    return f"{_ctypes_name(function.restype)} ({', '.join(names)})"


def _ctypes_name(kind: Any) -> str:
    if kind is None:
        return "void"
    if kind is ctypes.c_void_p:
        return "void *"
    if isinstance(getattr(kind, "_type_", None), type):
        return f"{_ctypes_name(kind._type_)} *"
    code = getattr(kind, "_type_", "")
    if code == "d":
        return "double"
    if isinstance(code, str) and code in "hilq" and code:
        return {4: "int32_t", 8: "int64_t"}.get(ctypes.sizeof(kind), str(kind.__name__))
    return str(getattr(kind, "__name__", kind))


def _of_cffi(function: Any) -> tuple[int, str]:
    from _cffi_backend import FFI  # of the same module as the pointer, so it is there

    ffi = FFI()
    return int(ffi.cast("uintptr_t", function)), str(ffi.typeof(function).cname)


def _of_numba(function: Any) -> str:
    signature = getattr(function, "_sig", None)
    if signature is None:
        raise TypeError("function: got a numba object without a C signature, expected what numba.cfunc returns")
    names = [str(argument) for argument in signature.args]
    return f"{signature.return_type} ({', '.join(names)})"


def _of_scipy(function: Any) -> tuple[int, str, int]:
    """Return address, signature and user data of a LowLevelCallable, which keeps them in a capsule."""
    capsule, found = tuple.__getitem__(function, 0), function.signature
    api = ctypes.pythonapi
    for name in ("PyCapsule_GetPointer", "PyCapsule_GetContext"):
        getattr(api, name).restype = ctypes.c_void_p
    api.PyCapsule_GetName.restype = ctypes.c_char_p
    api.PyCapsule_GetName.argtypes = [ctypes.py_object]
    api.PyCapsule_GetPointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
    api.PyCapsule_GetContext.argtypes = [ctypes.py_object]
    address = api.PyCapsule_GetPointer(capsule, api.PyCapsule_GetName(capsule))
    return int(address or 0), str(found), int(api.PyCapsule_GetContext(capsule) or 0)


def _data_address(user_data: Any) -> tuple[int, Any]:
    """Return the address of the user's data, and what owns it."""
    if isinstance(user_data, bool):
        raise TypeError("user_data: got a bool, expected an address, an array, or a pointer of ctypes or cffi")
    if isinstance(user_data, (int, np.integer)):
        number = int(user_data)
        if not -_ADDRESSES <= number < 2 * _ADDRESSES:
            raise ValueError(f"user_data: {number} does not fit into the 64 bits of a pointer")
        return number if number < _ADDRESSES else number - 2 * _ADDRESSES, None  # the same bits
    if isinstance(user_data, np.ndarray):
        if not user_data.flags.c_contiguous:
            raise ValueError("user_data is an array that is not contiguous: pass np.ascontiguousarray of it")
        return int(user_data.ctypes.data), user_data
    if type(user_data).__module__.partition(".")[0] == "_cffi_backend":
        from _cffi_backend import FFI

        return int(FFI().cast("uintptr_t", user_data)), user_data
    if isinstance(user_data, (ctypes._Pointer, ctypes.c_void_p, ctypes.c_char_p)):
        return ctypes.cast(user_data, ctypes.c_void_p).value or 0, user_data
    if isinstance(user_data, (ctypes._SimpleCData, ctypes.Array, ctypes.Structure, ctypes.Union)):
        return ctypes.addressof(user_data), user_data
    raise TypeError(
        f"user_data: got {type(user_data).__name__}, expected an address, an array, or a pointer of ctypes or cffi"
    )


def _refuse_other_arguments(found: str, layout: Layout) -> None:
    """Raise unless a declaration is that of a layout; names of arguments and const do not matter."""
    match = re.fullmatch(r"\s*(.*?)\s*(?:\(\s*\*\s*\w*\s*\))?\s*\((.*)\)\s*;?\s*", found, re.DOTALL)
    if match is None:
        raise ValueError(f"signature {found!r} is not the declaration of a function, expected {DECLARATIONS[layout]!r}")
    returned = _kind(match[1])
    arguments = tuple(_kind(argument) for argument in _split(match[2]))
    if returned != _RETURNED or arguments != _ARGUMENTS[layout]:
        other = next((name for name, wanted in _ARGUMENTS.items() if arguments == wanted and name != layout), None)
        hint = f". It is that of layout={other!r}" if other else ""
        raise ValueError(f"the function is declared {found!r}, expected {DECLARATIONS[layout]!r}{hint}")


def _split(arguments: str) -> list[str]:
    """Split a list of arguments at the commas that are not within brackets."""
    return re.split(r",\s*(?![^(]*\))", arguments) if arguments.strip() else []


def _kind(declaration: str) -> str:
    """Return the kind of an argument, or of what is returned, from its declaration in C or numba's name of its type.

    What it is called does not matter.
    """
    text = re.sub(r"\b(const|restrict|signed|extern|static)\b", " ", declaration).strip()
    text = {"float64*": "double *", "none*": "void *", "void*": "void *", "CPointer(float64)": "double *"}.get(
        text, text
    )
    pointer = re.fullmatch(r"(double|void|npy_float64|float64)\s*\*\s*\w*", text)
    if pointer:
        return f"{'void' if pointer[1] == 'void' else 'double'}*"
    if re.fullmatch(r"(int32|int64)(\s+\w+)?", text):
        return text.split()[0]
    for name in sorted(_C_KINDS, key=len, reverse=True):
        if re.fullmatch(rf"{name}(\s+\w+)?", text):
            return _C_KINDS[name]
    return text
