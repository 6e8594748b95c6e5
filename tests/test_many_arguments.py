"""Many fits in one call: arguments, and the call as part of the package."""

import re

import numpy as np
import pytest
from many_decays import DATA, START, T, decay, decay_jac

import leastsq
from leastsq import (
    ManyFits,
    curve_fit_many,
    models,
)

# --- Arguments ---

BAD_ARGUMENTS = [
    ({"workers": 0}, ValueError, "workers must be a number of threads from 1 to 4096, or -1 for all processors, got 0"),
    ({"workers": -2}, ValueError, "got -2"),
    ({"workers": 1.5}, TypeError, "workers must be an integer or a map-like callable, got 1.5"),
    ({"workers": True}, TypeError, "workers must be an integer or a map-like callable, got True"),
    ({"workers": "2"}, TypeError, "workers must be an integer or a map-like callable, got '2'"),
    ({"axis": 2}, ValueError, "axis 2 does not name axes of ydata, which has 2"),
    ({"axis": -3}, ValueError, "axis -3 does not name axes of ydata, which has 2"),
    ({"axis": (0, 0)}, ValueError, "axis (0, 0) does not name axes"),
    ({"axis": (1, -1)}, ValueError, "axis (1, -1) does not name axes"),
    ({"axis": ()}, ValueError, "axis () does not name axes"),
    ({"axis": "a"}, TypeError, "axis must be an integer or a tuple of integers, got 'a'"),
    ({"axis": None}, TypeError, "axis must be an integer or a tuple of integers, got None"),
    ({"axis": 0.5}, TypeError, "axis must be an integer or a tuple of integers, got 0.5"),
    ({"axis": True}, TypeError, "axis must be an integer or a tuple of integers, got True"),
    ({"axis": (False, 1)}, TypeError, "axis must be an integer or a tuple of integers, got (False, 1)"),
    ({"nan_policy": "ignore"}, ValueError, "nan_policy must be one of {'omit', 'raise', 'propagate'}, got 'ignore'"),
    ({"nan_policy": None}, ValueError, "got None"),
    ({"errors": "warn"}, ValueError, "errors must be one of {'status', 'raise'}, got 'warn'"),
    ({"p0": None}, TypeError, "p0 is missing"),
    ({"p0": "abc"}, TypeError, "p0: got an array of dtype <U3, expected real numbers"),
    ({"p0": [1, 1, 1j]}, TypeError, "p0: got complex numbers (complex128)"),
    ({"p0": []}, ValueError, "p0 is empty"),
    ({"p0": [1, 1]}, ValueError, "p0 has 2 parameters along its last axis, "),
    ({"f": decay, "p0": [1, 1]}, ValueError, "but f(t, amplitude, rate, offset) cannot be called with x and as many"),
    ({"f": decay, "p0": [1] * 4}, ValueError, "p0 has 4 parameters along its last axis, but f(t, amplitude, rate"),
    ({"p0": np.ones((7, 3))}, ValueError, "shapes are ydata (200,), xdata (), p0 (7,); expected shapes that broadcast"),
    ({"p0": lambda x, y: np.ones((7, 3))}, ValueError, "p0(x, y) returned an array of shape (7, 3), expected (200, 3)"),
    ({"p0": lambda x, y: np.ones(2)}, ValueError, "p0(x, y) returned an array of shape (2,), expected (200, 3)"),
    ({"p0": lambda x, y: None}, TypeError, "p0(x, y): got None, expected real numbers"),
    ({"p0": lambda x, y: 2.0}, ValueError, "p0(x, y) returned an array of shape ()"),
    ({"p0": lambda x, y: np.ones(3) + 1j}, TypeError, "p0(x, y): got complex numbers"),
    ({"sigma": np.ones(3)}, ValueError, "sigma has (3,) points along the axes that are fitted along, ydata (20,)"),
    ({"sigma": np.ones((7, 20))}, ValueError, "shapes are ydata (200,), xdata (), sigma (7,)"),
    ({"sigma": "small"}, TypeError, "sigma: got the text 'small'; if that is the name of a column"),
    ({"sigma": 1j}, TypeError, "sigma: got complex numbers (complex128)"),
    ({"xdata": None}, TypeError, "xdata: got None"),
    ({"xdata": T[:5]}, ValueError, "xdata has (5,) points along the axes that are fitted along, ydata (20,)"),
    ({"xdata": (T, T[:5])}, ValueError, "xdata[1] has (5,) points"),
    ({"xdata": np.ones((7, 20))}, ValueError, "xdata (7,)"),
    ({"xdata": "abc"}, TypeError, "xdata: got the text 'abc'; if that is the name of a column"),
    ({"xdata": T + 1j}, TypeError, "xdata: got complex numbers (complex128)"),
    ({"ydata": DATA + 1j}, TypeError, "float64 numbers for complex ydata"),
    ({"ydata": None}, TypeError, "ydata: got None"),
    ({"ydata": 5.0}, ValueError, "ydata is a single number"),
    ({"ydata": DATA.astype(str)}, TypeError, "ydata: got an array of dtype <U32"),
    ({"ydata": DATA.astype(object)}, TypeError, "ydata: got an array of dtype object"),
    ({"ydata": [[1, 2], [3]]}, ValueError, "ydata: expected an array of real numbers, got rows of unequal length"),
    ({"ydata": DATA.astype("M8[s]")}, TypeError, "ydata: got dates (datetime64[s])"),
    ({"ftol": -1}, TypeError, "ftol must be a number and not negative, got -1"),
    ({"xtol": "a"}, TypeError, "xtol must be a number and not negative, got 'a'"),
    ({"gtol": np.nan}, TypeError, "gtol must be a number and not negative, got nan"),
    ({"maxfev": 1.5}, TypeError, "maxfev must be a positive whole number, or 0 for the default of 800, got 1.5"),
    ({"maxfev": -1}, TypeError, "maxfev must be a positive whole number"),
    ({"factor": 0}, TypeError, "factor must be a positive number"),
    ({"epsfcn": "a"}, TypeError, "epsfcn must be the relative error"),
    ({"diag": [1, 2]}, TypeError, "diag: got 2 scale factors, expected one for each of the 3 parameters"),
    ({"diag": [1, 0, 2]}, TypeError, "diag: scale factors must be positive and finite"),
    (
        {"f": models.exponential, "jac": np.ones(2)},
        ValueError,
        "exponential has derivatives of its own: leave jac out",
    ),
    ({"jac": 3}, TypeError, "jac must be callable, got int"),
    ({"f": None}, TypeError, "f must be callable, got NoneType"),
    (
        {"f": lambda *args: args[0], "p0": lambda x, y: 1},
        ValueError,
        "the number of parameters cannot be determined from f",
    ),
    ({"f": models.gaussian, "jac": decay_jac}, ValueError, "gaussian has derivatives of its own: leave jac out"),
    ({"f": models.gaussian, "xdata": (T, T)}, ValueError, "gaussian has 1 predictors, got 2"),
    ({"f": models.gaussian_2d}, ValueError, "gaussian_2d has 2 predictors, got 20"),
    ({"f": models.gaussian}, ValueError, "p0 has 3 parameters along its last axis, gaussian 4: amplitude, center"),
]


@pytest.mark.parametrize(("arguments", "error", "message"), BAD_ARGUMENTS)
def test_bad_arguments_are_refused_in_words(arguments, error, message):
    given = {"f": decay, "xdata": T, "ydata": DATA, "p0": START} | arguments
    with pytest.raises(error, match=re.escape(message)):
        curve_fit_many(**given)


def test_everything_after_sigma_is_by_keyword():
    with pytest.raises(TypeError, match="positional argument"):
        curve_fit_many(decay, T, DATA, START, None, True)
    with pytest.raises(TypeError, match="unexpected keyword"):
        curve_fit_many(decay, T, DATA, START, boundaries=(0, 1))


@pytest.mark.parametrize("function", ["f", "jac"])
@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        (None, TypeError, "got None, expected real numbers"),
        (lambda v: v.astype(complex), TypeError, "got complex numbers"),
        (lambda v: v[:3], ValueError, "for one fit, expected"),
        (lambda v: np.ma.masked_less(v, np.inf), ValueError, "entries are masked"),
        (lambda v: v.astype(str), TypeError, "expected real numbers"),
    ],
)
@pytest.mark.parametrize("vectorized", [True, False])
def test_what_a_function_returns_must_be_its_values(function, values, error, message, vectorized):
    def spoilt(whole):
        return lambda *args: None if values is None else values(whole(*args))

    functions = {"f": decay, "jac": decay_jac}
    functions[function] = spoilt(functions[function])
    with pytest.raises(error, match=f"{function}.*{message}|{message}"):
        curve_fit_many(**functions, xdata=T, ydata=DATA, p0=START, vectorized=vectorized)


# --- As part of the package ---


def test_the_public_names():
    assert {"ManyFits", "curve_fit_many", "models"} <= set(leastsq.__all__)
    assert isinstance(curve_fit_many(models.exponential, T, DATA), ManyFits)


@pytest.mark.parametrize("argument", ["xdata", "ydata", "sigma", "groups"])
def test_names_of_columns_need_their_table(argument):
    arguments = {"xdata": T, "ydata": DATA[0], argument: "signal"}
    with pytest.raises(TypeError, match=f"{argument}: got the text 'signal'; if that is the name of a column, pass"):
        curve_fit_many(decay, p0=START, **arguments)
