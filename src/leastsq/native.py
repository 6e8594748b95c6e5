"""Models of your own at compiled speed, for `leastsq`, `curve_fit` and `curve_fit_many`.

`model` takes a function that is compiled already, by address: numba's, SciPy's, ctypes', cffi's. `jit` compiles a
Python function with numba.
"""

from __future__ import annotations  # so that help() shows types by their names

from collections.abc import Callable, Sequence
from typing import Any, Final, Literal

from ._input.validate import callable_argument, flag, refuse_other
from ._models.addresses import Layout, native_function
from ._models.native import NativeModel, parameter_names, refuse_predictors
from ._solver import kernel

__all__ = ["NativeModel", "jit", "lane_rows", "lane_width", "model"]

#: How many fits a function with ``layout="lanes"`` gets on this processor, and at most how many rows.
lane_width: Final = kernel.LANE_WIDTH
lane_rows: Final = kernel.LANE_ROWS


def model(
    function: Any,
    param_names: Sequence[str] | int,
    *,
    layout: Layout = "fit",
    derivatives: bool = False,
    predictors: int = 1,
    user_data: Any = None,
    signature: str | None = None,
) -> NativeModel:
    """Make a model of a compiled function.

    Parameters
    ----------
    function : numba.cfunc, scipy.LowLevelCallable, function pointer of ctypes or cffi, or int
        The function, with one of the two declarations below. It is called without Python's lock and from several
        threads at once, and must not keep the pointers it gets; the model keeps the function alive.
    param_names : sequence of str, or int
        The names of the N parameters, or how many there are; at most 32.
    layout : {"fit", "lanes"}, default "fit"
        Which declaration: for one data set at a time, or for a group of fits in lockstep, which is faster.
    derivatives : bool, default False
        Whether the function fills ``jac``. If not, ``jac`` is always NULL, and forward differences take its place.
    predictors : int, default 1
        The number of predictors, at most 8.
    user_data : int, ndarray, or pointer of ctypes or cffi, optional
        The address that the function gets as its last argument; what it belongs to is kept.
    signature : str, optional
        The declaration of the function, in C, where `function` is a bare address, or a pointer of ctypes without types.

    Returns
    -------
    NativeModel
        The model. It is called like a NumPy function, and has ``jac`` with `derivatives`.

    Raises
    ------
    TypeError
        If `function` is of another kind.
    ValueError
        If its declaration is another, or the numbers of parameters or predictors are out of range.

    Notes
    -----
    For one data set, ``layout="fit"``::

        int function(int64_t m, int64_t n, const double *x, const double *p, double *out, double *jac, void *user_data)

    ``x[k*m + i]`` is predictor k at point i, ``p[j]`` parameter j. Set ``out[i]`` to the value at point i and, unless
    ``jac`` is NULL, ``jac[i*n + j]`` to its derivative by parameter j. Return 0, or a code from 1 to 100 to stop the
    fit, whose status is then minus that code.

    For a group, ``layout="lanes"``::

        int function(int64_t width, int64_t rows, int64_t stride, int64_t n, const double *x, const double *p,
                     double *out, double *jac, void *user_data)

    Point i of the fit in lane l has predictor k in ``x[k*stride + i*width + l]`` and parameter j in ``p[j*width + l]``.
    Set ``out[i*width + l]`` to its value and ``jac[j*stride + i*width + l]``, which is NULL without `derivatives` only,
    to its derivative. The points of a data set come block by block. Return 0, or a sum of ``1 << l`` for lanes whose
    fits are to stop, with status -1. `lane_width` is the width: 8, or 16 with AVX-512.

    In `leastsq`, the model is the residuals: ``leastsq(model, x0, args=(t, y))`` for one of two predictors.

    Examples
    --------
    A decay in C, or here in ctypes' idea of it:

    >>> import ctypes, math
    >>> import numpy as np
    >>> from leastsq import curve_fit, native
    >>> pointer = ctypes.POINTER(ctypes.c_double)
    >>> kinds = [ctypes.c_int64, ctypes.c_int64, pointer, pointer, pointer, pointer, ctypes.c_void_p]
    >>> @ctypes.CFUNCTYPE(ctypes.c_int, *kinds)
    ... def decay(m, n, x, p, out, jac, user_data):
    ...     for i in range(m):
    ...         out[i] = p[0] * math.exp(-p[1] * x[i])
    ...     return 0
    >>> model = native.model(decay, ["amplitude", "rate"])
    >>> t = np.linspace(0, 4, 20)
    >>> popt, pcov = curve_fit(model, t, 2.0 * np.exp(-1.5 * t) + 0.01 * np.cos(9 * t), p0=[1, 1])
    >>> popt.round(2).tolist()
    [2.01, 1.5]
    """
    if layout not in ("fit", "lanes"):
        raise ValueError(f"layout must be 'fit' or 'lanes', got {layout!r}")
    names = parameter_names(param_names)
    refuse_predictors(predictors)
    native = native_function(function, layout, user_data, signature)
    return NativeModel(native, layout, names, predictors, flag(derivatives, "derivatives"))


def jit(
    f: Callable[..., Any],
    jac: Callable[..., Any] | None = None,
    *,
    predictors: int = 1,
    derivatives: Literal["auto", "dual", "differences"] = "auto",
) -> NativeModel:
    """Compile a Python function of one point into a model, with numba.

    Parameters
    ----------
    f : callable ``f(x, a, b, ...) -> float``
        The value at one point, written for numbers: arithmetic, ``math`` or NumPy functions, conditions and loops, and
        whatever else numba compiles. With several predictors, ``x`` is a tuple of numbers. Other variables that it
        refers to are constants, with their values at the time of the call. Where it raises, also at a point that is
        left out, the fit stops, with status -1, and the model has no value.
    jac : callable ``jac(x, a, b, ...) -> tuple of float``, optional
        The derivatives by the N parameters at one point.
    predictors : int, default 1
        The number of predictors, at most 8.
    derivatives : {"auto", "dual", "differences"}, default "auto"
        Where derivatives come from without `jac`. With "dual", `f` is compiled for dual numbers, which carry a
        derivative along [1]_; "differences" takes forward differences; "auto" the first where `f` can be compiled so.

    Returns
    -------
    NativeModel
        The model. It can be pickled: the function travels, and is compiled again where it arrives, once a process.
        For functions that refer to nothing but ``math`` and NumPy, a second call returns the same model. The last 16
        models are kept for that. What numba compiles takes megabytes, which it does not always give back: do not
        compile a function in a loop for the sake of other constants, but make them predictors.

    Raises
    ------
    ImportError
        Without numba.
    TypeError
        If `f` or `jac` cannot be compiled, or does not return numbers.
    ValueError
        If the numbers of parameters or predictors are out of range.

    References
    ----------
    .. [1] A. Griewank, A. Walther, "Evaluating Derivatives", 2nd ed., SIAM, 2008, chapter 3.

    Examples
    --------
    >>> import math
    >>> import numpy as np
    >>> from leastsq import curve_fit_many, native
    >>> def rise(t, height, delay, time):
    ...     return height * (1 - math.exp(-(t - delay) / time)) if t > delay else 0.0
    >>> model = native.jit(rise)
    >>> t = np.linspace(0, 9, 60)
    >>> times = np.array([[0.8], [1.2], [1.9]])
    >>> curves = model(t, 2.0, 1.05, times) + 0.01 * np.cos(9 * t)
    >>> curve_fit_many(model, t, curves, p0=[1, 1, 1]).popt.round(1).tolist()
    [[2.0, 1.1, 0.8], [2.0, 1.1, 1.2], [2.0, 1.1, 1.9]]
    """
    callable_argument(f, "f")
    refuse_other(derivatives, "derivatives", ("auto", "dual", "differences"))
    refuse_predictors(predictors)
    try:
        from ._models.jit import compiled_model
    except ImportError as error:
        raise ImportError("leastsq.native.jit needs numba: pip install 'leastsq[numba]'") from error
    return compiled_model(f, jac, predictors, derivatives)
