"""Every door refuses the same hostile input in the same words, or gives the fit a status.

A door is a row of `DOORS`, an input a row of `INPUTS`; each input is tried at each door that takes such an argument.
"""

from typing import Any, NamedTuple

import numpy as np
import pytest

from leastsq import ManyFits, curve_fit, curve_fit_many, leastsq, models, native

X = np.linspace(0, 3, 9)
P0 = [2.0, 1.0, 0.5]


def decay(x, amplitude, rate, offset):
    return amplitude * np.exp(-rate * x) + offset


def decay_jac(x, amplitude, rate, offset):
    e = np.exp(-rate * x)
    return np.stack(np.broadcast_arrays(e, -amplitude * x * e, 1.0), axis=-1)


Y = decay(X, 2.5, 0.8, 0.3) + 0.02 * np.cos(9 * X)
GOOD: dict[str, Any] = {"f": decay, "jac": decay_jac, "x": X, "y": Y, "p0": P0, "sigma": None, "options": {}}


def by_leastsq(f, jac, x, y, p0, sigma, options):
    func, dfun = ((lambda p, g=g: g(x, *p)) if callable(g) else g for g in (f, jac))
    return leastsq(func, p0, Dfun=dfun, **options)


def by_curve_fit(f, jac, x, y, p0, sigma, options):
    return curve_fit(f, x, y, p0, sigma, jac=jac, **options)


def by_curve_fit_compiled(f, jac, x, y, p0, sigma, options):
    return curve_fit(models.exponential, x, y, p0, sigma, **options)


def by_curve_fit_native(f, jac, x, y, p0, sigma, options):
    return curve_fit(native_decay(), x, y, p0, sigma, **options)


def by_many(f, jac, x, y, p0, sigma, options):
    return curve_fit_many(f, x, y, p0, sigma, jac=jac, **options)


def by_many_singly(f, jac, x, y, p0, sigma, options):
    return curve_fit_many(f, x, y, p0, sigma, jac=jac, vectorized=False, **options)


def by_many_compiled(f, jac, x, y, p0, sigma, options):
    return curve_fit_many(models.exponential, x, y, p0, sigma, **options)


def by_many_native(f, jac, x, y, p0, sigma, options):
    return curve_fit_many(native_decay(), x, y, p0, sigma, **options)


def by_groups(f, jac, x, y, p0, sigma, options):
    labels = np.zeros(len(y) if isinstance(y, (list, np.ndarray)) else 9, dtype=int)
    return curve_fit_many(models.exponential, x, y, p0, sigma, groups=labels, **options)


def native_decay():
    pytest.importorskip("numba")
    return native.jit(native_point)


def native_point(x, amplitude, rate, offset):
    return amplitude * np.exp(-rate * x) + offset


class Door(NamedTuple):
    """A way to fit, and which hostile arguments can come in by it."""

    fit: Any
    takes: frozenset[str]
    # What the door calls its functions and parameters.
    names: dict[str, str]
    # Whether fits that cannot be made have a status.
    many: bool = False


_OPTIONS = frozenset({"p0", "options"})
_DATA = _OPTIONS | {"x", "y", "sigma"}
_OWN = {"f": "f", "jac": "jac", "p0": "p0", "x": "xdata", "y": "ydata", "sigma": "sigma"}
DOORS = {
    "leastsq": Door(by_leastsq, _OPTIONS | {"f", "jac"}, {**_OWN, "f": "func", "jac": "Dfun", "p0": "x0"}),
    "curve_fit": Door(by_curve_fit, _DATA | {"f", "jac"}, _OWN),
    "curve_fit, compiled": Door(by_curve_fit_compiled, _DATA, _OWN),
    "curve_fit, native": Door(by_curve_fit_native, _DATA, _OWN),
    "curve_fit_many": Door(by_many, _DATA | {"f", "jac"}, _OWN, many=True),
    "curve_fit_many, singly": Door(by_many_singly, _DATA | {"f", "jac"}, _OWN, many=True),
    "curve_fit_many, compiled": Door(by_many_compiled, _DATA, _OWN, many=True),
    "curve_fit_many, native": Door(by_many_native, _DATA, _OWN, many=True),
    "curve_fit_many, groups": Door(by_groups, _DATA, _OWN, many=True),
}


class Input(NamedTuple):
    """A hostile argument; the error and words it meets with, {name} being the door's name for it.

    Where a fit among many has a status instead, that.
    """

    argument: str
    value: Any
    error: Any
    words: str
    status: int | None = None
    # What a door has to take besides.
    needs: str = "p0"


def returning(value):
    return lambda x, *p: value


class MistakeError(Exception):
    pass


def mistaken(x, *p):
    raise MistakeError("on purpose")


COMPLEX = "{name}: got complex numbers"
DATES = np.datetime64("2026-01-01") + np.arange(9)
SPANS = DATES - DATES[0]
NAN_IN_Y, INF_IN_Y = np.where(X > 2, np.nan, Y), np.where(X > 2, np.inf, Y)
KIND = (TypeError, ValueError)
INPUTS = {
    "complex start": Input("p0", np.array(P0) + 1j, TypeError, COMPLEX + ".*parameters of their own"),
    "start of text": Input("p0", ["a", "b", "c"], TypeError, "{name}: got an array of dtype <U1"),
    "start of objects": Input("p0", [1, None, 2], TypeError, "{name}: got an array of dtype object"),
    "ragged start": Input("p0", [[1, 2], [3]], ValueError, "{name}: .*unequal length"),
    "NaN in the start": Input("p0", [1, np.nan, 0], ValueError, "{name}: 1 of 3 values are not finite", 14),
    "Inf in the start": Input("p0", [1, np.inf, 0], ValueError, "{name}: 1 of 3 values are not finite", 14),
    "no parameters": Input("p0", [], KIND, "(is empty|has 0 parameters)"),
    "complex y": Input("y", Y + 1j, TypeError, "{name}: got complex numbers|f returned .* for complex {name}"),
    "complex x": Input("x", X + 1j, TypeError, COMPLEX + ".*np.concatenate"),
    "complex sigma": Input("sigma", np.ones(9) + 1j, TypeError, COMPLEX),
    "dates as y": Input("y", DATES, TypeError, "{name}: got dates .*Subtract an origin and divide by a unit"),
    "dates as x": Input("x", DATES, TypeError, "{name}: got dates .*Subtract an origin and divide by a unit"),
    "times as y": Input("y", SPANS, TypeError, "{name}: got time differences .*Divide by a unit"),
    "times as x": Input("x", SPANS, TypeError, "{name}: got time differences .*Divide by a unit"),
    "objects as y": Input("y", np.array([object()] * 9), TypeError, "{name}: (got|expected).*(object|real numbers)"),
    "ragged y": Input("y", [[1, 2], [3]], ValueError, "{name}: .*unequal length"),
    "ragged x": Input("x", [[1, 2], [3]], ValueError, "{name}: .*unequal length"),
    "None as y": Input("y", None, TypeError, "{name}: got None"),
    "Inf in y": Input("y", INF_IN_Y, ValueError, "{name}: 3 of 9 values are not finite", 15),
    "sigma of other shape": Input("sigma", np.ones(4), ValueError, "sigma.*(shape|points|rows)"),
    "sigma of zeros": Input("sigma", np.zeros(9), ValueError, "sigma.* must be positive"),
    "negative sigma": Input("sigma", -np.ones(9), ValueError, "sigma.* must be positive"),
    "text as sigma": Input("sigma", "large", TypeError, "sigma"),
    "fewer y than x": Input("y", Y[:4], ValueError, "(points|values|shape).* expected"),
    "negative ftol": Input("options", {"ftol": -1}, TypeError, "ftol must be a number and not negative, got -1"),
    "NaN in xtol": Input("options", {"xtol": np.nan}, TypeError, "xtol must be .* got nan"),
    "text as gtol": Input("options", {"gtol": "small"}, TypeError, "gtol must be .* got 'small'"),
    "zero factor": Input("options", {"factor": 0}, TypeError, "factor must be a positive number.* got 0"),
    "infinite factor": Input("options", {"factor": np.inf}, TypeError, "factor must be a positive number"),
    "negative maxfev": Input("options", {"maxfev": -5}, TypeError, "maxfev must be a positive whole number.* got -5"),
    "NaN as epsfcn": Input("options", {"epsfcn": np.nan}, TypeError, "epsfcn must be"),
    "short diag": Input("options", {"diag": [1.0]}, TypeError, "diag: got 1 scale factors, expected one for each of"),
    "zero in diag": Input("options", {"diag": [1.0, 0, 1]}, TypeError, "positive and finite"),
    "an option nobody knows": Input("options", {"speed": 3}, TypeError, "speed"),
    "function of number": Input("f", 3, TypeError, "f(unc)? must be callable, got int"),
    "derivatives of number": Input("jac", 3, KIND, "(Dfun|jac) must be callable"),
    "no values": Input("f", returning(None), TypeError, "{name}: got None"),
    "complex values": Input("f", returning(Y + 1j), TypeError, COMPLEX + ".*np.concatenate"),
    "values of text": Input("f", returning(["1"] * 9), TypeError, "{name}: got an array of dtype <U1"),
    "values of times": Input("f", returning(SPANS), TypeError, "{name}: got time differences"),
    "values of other number": Input("f", returning(Y[:4]), KIND, "{name}.* returned", needs="y"),
    "masked values": Input("f", returning(np.ma.array(Y, mask=X > 2)), ValueError, "{name}: 3 of 9 entries are masked"),
    "no value anywhere": Input("f", returning(Y * np.nan), ValueError, "{name}: 9 of 9 values at the start", 10),
    "complex derivatives": Input("jac", lambda *a: decay_jac(*a) + 1j, TypeError, COMPLEX),
    "no derivatives": Input("jac", returning(None), TypeError, "{name}: got None"),
    "transposed derivatives": Input("jac", lambda *a: decay_jac(*a).T, KIND, r"{name} returned an array of shape"),
    "NaN in derivatives": Input("jac", lambda *a: decay_jac(*a) * np.nan, ValueError, "{name}: 27 of 27 values", 11),
    "a mistake in the function": Input("f", mistaken, MistakeError, "on purpose"),
    "a mistake in the derivatives": Input("jac", mistaken, MistakeError, "on purpose"),
}
CASES = [
    pytest.param(door, hostile, id=f"{way}: {label}")
    for way, door in DOORS.items()
    for label, hostile in INPUTS.items()
    if {hostile.argument, hostile.needs} <= door.takes
]


@pytest.mark.filterwarnings("ignore:invalid value", "ignore:divide by zero", "ignore:overflow")
@pytest.mark.parametrize(("door", "hostile"), CASES)
def test_hostile_input_is_refused_in_words_or_has_a_status(door, hostile):
    arguments = {**GOOD, hostile.argument: hostile.value}
    if hostile.argument == "f":
        arguments["jac"] = None
    if hostile.status is not None and door.many:
        result = door.fit(**arguments)
        assert (result.status == hostile.status).all()
        assert not result.success.any()
        assert "Not " in result.message((0,) * result.success.ndim)
    else:
        with pytest.raises(hostile.error, match=hostile.words.format(name=door.names.get(hostile.argument))):
            door.fit(**arguments)
    after = door.fit(**GOOD)
    assert after.success.all() if isinstance(after, ManyFits) else np.isfinite(after[0]).all()
