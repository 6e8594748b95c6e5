"""Functions of users' that are refused, in words."""

import ctypes
import sys

import numpy as np
import pytest
from native_functions import (
    NAMES,
    P0,
    X,
    Y,
    gaussian,
    numba,
    of_ctypes,
    point,
)
from scipy import LowLevelCallable

from leastsq import curve_fit, curve_fit_many, models, native

pytestmark = pytest.mark.slow

# --- What is refused ---

WRONG = [
    ("fit", "int f(int64_t, const double *, double *)", "is declared"),
    ("fit", "void f(int64_t, int64_t, double *, double *, double *, double *, void *)", "is declared"),
    ("fit", "int f(int, int, double *, double *, double *, double *, void *)", "is declared"),
    ("fit", "int f(int64_t, int64_t, float *, float *, float *, float *, void *)", "is declared"),
    ("fit", "not a declaration", "is not the declaration of a function"),
    (
        "fit",
        "int f(int64_t, int64_t, int64_t, int64_t, double *, double *, double *, double *, void *)",
        "layout='lanes'",
    ),
    ("lanes", "int f(int64_t, int64_t, double *, double *, double *, double *, void *)", "layout='fit'"),
]


@pytest.mark.parametrize(("layout", "signature", "message"), WRONG)
def test_other_declarations_are_refused(layout, signature, message):
    with pytest.raises(ValueError, match=message):
        native.model(1234, 2, layout=layout, signature=signature)


@pytest.mark.parametrize(
    "signature",
    [
        "int f(int64_t m, int64_t n, const double *x, const double *p, double *out, double *jac, void *data);",
        "int32_t (int64_t, int64_t, double*, double*, double*, double*, void*)",
        "int (*f)(long long m, long long n, double const * x, const double *p, double *o, double *j, void * u)",
        "int (ssize_t, ptrdiff_t, double *, double *, double *, double *, void *)",
    ],
)
def test_the_same_declaration_in_other_words(signature):
    assert native.model(1234, 2, signature=signature).param_names == ("p0", "p1")


@pytest.mark.parametrize("layout", ["fit", "lanes"])
def test_kinds_of_other_sources_are_looked_at(layout, library):
    other = {"fit": "lanes", "lanes": "fit"}[layout]
    function = library.peak if other == "fit" else library.peaks
    for wrong in (function, LowLevelCallable(function)):
        with pytest.raises(ValueError, match=f"layout='{other}'"):
            native.model(wrong, NAMES, layout=layout)


def test_wrong_kinds_of_numba():
    doubles = numba.types.CPointer(numba.types.float64)
    wrong = numba.cfunc(numba.types.int64(numba.types.int64, doubles))(lambda n, x: n)
    with pytest.raises(ValueError, match="is declared 'int64"):
        native.model(wrong, 2)
    with pytest.raises(TypeError, match=r"expected a numba\.cfunc"):
        native.model(numba.njit(lambda x: x), 2)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"function": print}, TypeError, "got builtin_function_or_method, expected a numba.cfunc"),
        ({"function": None}, TypeError, "got NoneType"),
        ({"function": True}, TypeError, "got bool"),
        ({"function": 1234, "signature": None}, ValueError, "an address says nothing about the function there"),
        ({"function": 0}, ValueError, "null pointer"),
        ({"signature": "int abs(int)"}, ValueError, "is declared 'int abs"),
        ({"function": ctypes.CDLL(None).abs, "signature": None}, ValueError, "has no argtypes"),
        ({"param_names": 0}, ValueError, "from 1 to 32 parameters, got 0"),
        ({"param_names": 33}, ValueError, "from 1 to 32 parameters, got 33"),
        ({"param_names": ["a", "a"]}, ValueError, "names a parameter twice"),
        ({"param_names": [1, 2]}, TypeError, "must be names, or their number"),
        ({"predictors": 0}, ValueError, "from 1 to 8 predictors, got 0"),
        ({"predictors": 9}, ValueError, "from 1 to 8 predictors, got 9"),
        ({"predictors": 1.0}, TypeError, "predictors must be a number"),
        ({"layout": "columns"}, ValueError, "layout must be 'fit' or 'lanes'"),
        ({"user_data": "text"}, TypeError, "user_data: got str"),
        ({"user_data": True}, TypeError, "user_data: got a bool"),
        ({"user_data": np.arange(9)[::2]}, ValueError, "not contiguous"),
    ],
)
def test_bad_arguments_are_refused_in_words(arguments, error, message):
    declaration = "int f(int64_t, int64_t, double *, double *, double *, double *, void *)"
    with pytest.raises(error, match=message):
        native.model(**{"function": 1234, "param_names": 2, "signature": declaration, **arguments})


@pytest.mark.parametrize(
    ("f", "jac", "options", "error", "message"),
    [
        (1, None, {}, TypeError, "f must be callable"),
        (lambda x, a: a, 1, {}, TypeError, "jac must be callable"),
        (lambda x: x, None, {}, ValueError, "number of parameters cannot be determined"),
        (lambda *p: p[0], None, {}, ValueError, "number of parameters cannot be determined"),
        (lambda x, a: "text", None, {}, TypeError, r"it returns Literal\[str\]\(text\)"),
        (lambda x, a: None, None, {}, TypeError, "it returns none"),
        (lambda x, a: (a, x), None, {}, TypeError, r"it returns UniTuple\(float64 x 2\)"),
        (lambda x, a: a * x, lambda x, a: x, {}, TypeError, "jac returns float64"),
        (lambda x, a, b: a * x + b, lambda x, a, b: (x,), {}, TypeError, "jac returns 1 numbers, not 2"),
        (lambda x, a, *, b: a * x + b, None, {}, TypeError, "by keyword only, b"),
        (lambda x, a, *, b=1.0: a * x + b, None, {}, TypeError, "by keyword only, b"),
        (lambda x, a, **others: a * x, None, {}, TypeError, "by keyword only, others"),
        (np.exp, None, {}, TypeError, "f must be a Python function, got ufunc"),
        (lambda x, a: a.no_such_method(), None, {}, TypeError, "cannot be compiled"),
        (lambda x, a: a + 1j, None, {}, TypeError, "it returns complex128"),
        (lambda x, a, b: a * x + b, lambda x, a, b: (x,), {}, TypeError, "jac a tuple"),
        (lambda x, a: a, None, {"predictors": 99}, ValueError, "from 1 to 8 predictors"),
        (lambda x, a: a, None, {"derivatives": "symbolic"}, ValueError, "derivatives must be"),
    ],
)
def test_functions_that_cannot_be_compiled_are_refused_in_words(f, jac, options, error, message):
    with pytest.raises(error, match=message):
        native.jit(f, jac, **options)


def test_other_numbers_of_parameters_are_refused(library):
    model = of_ctypes(library, True)
    with pytest.raises(TypeError, match=r"has 4 parameters \(amplitude, center, sigma, offset\), got 3"):
        model(X, 1, 2, 3)
    with pytest.raises(ValueError, match="p0 has 3 parameters"):
        curve_fit(model, X, Y[0], [1, 2, 3])
    with pytest.raises(ValueError, match="p0 has 3 parameters"):
        curve_fit_many(model, X, Y, [1, 2, 3])
    with pytest.raises(ValueError, match="leave jac out"):
        curve_fit_many(model, X, Y, P0, jac=models.gaussian.jac)
    with pytest.raises(TypeError, match="p0 is missing"):
        curve_fit_many(model, X, Y)
    with pytest.raises(ValueError, match="has 1 predictors, got 2"):
        curve_fit_many(model, (X, X), Y, P0)


def test_without_start_curve_fit_begins_at_ones(library):
    y = gaussian(X, 2.0, 2.0, 1.5, 0.5)
    np.testing.assert_allclose(curve_fit(of_ctypes(library, True), X, y)[0], [2, 2, 1.5, 0.5], rtol=1e-7)


def test_without_numba(monkeypatch):
    monkeypatch.setitem(sys.modules, "leastsq._models.jit", None)
    with pytest.raises(ImportError, match=r"needs numba: pip install 'leastsq\[numba\]'"):
        native.jit(point)


def test_models_say_what_they_are(library):
    assert repr(of_ctypes(library, True)) == "<native model peak(x, amplitude, center, sigma, offset)>"
    assert curve_fit_many(of_ctypes(library, True), X, Y, P0).param_names == tuple(NAMES)
