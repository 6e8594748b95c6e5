"""Input that cannot be used is refused in words: what was received, what was expected, what to try."""

import numpy as np
import pytest

from leastsq import leastsq

T = np.linspace(0, 3, 7)


def residuals(x):
    return x[0] + x[1] * T - 1


def dfun(x):
    return np.column_stack([np.ones(7), T])


def returning(value):
    return lambda x: value


REFUSED = {
    "more parameters than residuals": (
        dict(func=lambda x: x[:2], x0=[1, 2, 3]),
        TypeError,
        "3 parameters but only 2 residuals",
    ),
    "one residual": (
        dict(func=returning(1.0), x0=[1, 2]),
        TypeError,
        "2 parameters but only 1 residual. Return the residuals themselves",
    ),
    "empty x0": (dict(x0=[]), TypeError, "x0 is empty"),
    "complex x0": (dict(x0=[1j, 2]), TypeError, "x0: got complex numbers"),
    "x0 of strings": (dict(x0=["a", "b"]), TypeError, "x0: got an array of dtype <U1"),
    "x0 of objects": (dict(x0=[1, None]), TypeError, "x0: got an array of dtype object"),
    "x0 is None": (dict(x0=None), TypeError, "x0: got None"),
    "ragged x0": (dict(x0=[[1, 2], [3]]), ValueError, "x0: .* unequal length"),
    "masked x0": (dict(x0=np.ma.array([1.0, 2], mask=[0, 1])), ValueError, "x0: 1 of 2 entries are masked"),
    "NaN in x0": (
        dict(x0=[1, np.nan]),
        ValueError,
        r"x0: 1 of 2 values are not finite, the first at index \[1\] \(nan\)",
    ),
    "Inf in x0": (
        dict(x0=[np.inf, 2]),
        ValueError,
        r"x0: 1 of 2 values are not finite, the first at index \[0\] \(inf\)",
    ),
    "func not callable": (dict(func=3), TypeError, "func must be callable, got int"),
    "Dfun not callable": (dict(Dfun=dfun(0)), TypeError, "Dfun must be callable, got ndarray"),
    "complex residuals": (
        dict(func=lambda x: residuals(x) * 1j),
        TypeError,
        "func: got complex numbers .*np.concatenate",
    ),
    "residuals of objects": (dict(func=returning([object()] * 3)), TypeError, "func: got an array of dtype object"),
    "residuals of strings": (dict(func=returning(["1", "2", "3"])), TypeError, "func: got an array of dtype <U1"),
    "times as residuals": (
        dict(func=returning(np.ones(3, "m8[s]"))),
        TypeError,
        "func: got time differences .*Divide by a unit",
    ),
    "no residuals returned": (dict(func=returning(None)), TypeError, "func: got None.*return statement"),
    "ragged residuals": (dict(func=returning([[1, 2], [3]])), ValueError, "func: .* unequal length"),
    "masked residuals": (
        dict(func=lambda x: np.ma.array(residuals(x), mask=T > 2)),
        ValueError,
        "func: 2 of 7 entries are masked",
    ),
    "empty residuals": (dict(func=returning([])), TypeError, "2 parameters but only 0 residuals"),
    "NaN at the start": (
        dict(func=lambda x: np.where(T > 1, np.nan, residuals(x))),
        ValueError,
        r"func: 4 of 7 values at the starting point are not finite, the first at index \[3\] \(nan\)",
    ),
    "Inf at the start": (
        dict(func=lambda x: (residuals(x) - 1) / T),
        ValueError,
        r"1 of 7 values .* index \[0\] \(-inf\)",
    ),
    "overflow at the start": (dict(func=returning(np.full(7, 1e308))), ValueError, "sum of squares .* overflows"),
    "NaN beside the start": (
        dict(func=lambda x: residuals(x) if x[1] == 2 else residuals(x) * np.nan),
        ValueError,
        r"no derivative with respect to parameter 1",
    ),
    "transposed Dfun": (
        dict(Dfun=lambda x: dfun(x).T),
        TypeError,
        r"shape \(2, 7\), expected \(7, 2\).*transposed.*col_deriv=True",
    ),
    "transposed Dfun with col_deriv": (
        dict(Dfun=dfun, col_deriv=True),
        TypeError,
        r"shape \(7, 2\), expected \(2, 7\).*transposed.*col_deriv=False",
    ),
    "wrong Dfun shape": (dict(Dfun=returning(np.ones((3, 3)))), TypeError, r"shape \(3, 3\), expected \(7, 2\)"),
    "flat Dfun": (dict(Dfun=lambda x: dfun(x).ravel()), TypeError, r"shape \(14,\), expected \(7, 2\)"),
    "complex Dfun": (dict(Dfun=lambda x: dfun(x) * 1j), TypeError, "Dfun: got complex numbers"),
    "no Dfun returned": (dict(Dfun=returning(None)), TypeError, "Dfun: got None"),
    "NaN in Dfun": (
        dict(Dfun=lambda x: np.where(dfun(x) > 2.9, np.nan, dfun(x))),
        ValueError,
        r"Dfun: 1 of 14 values are not finite, the first at index \[6, 1\] \(nan\)",
    ),
    "Inf in Dfun by columns": (
        dict(Dfun=lambda x: np.full((2, 7), np.inf), col_deriv=True),
        ValueError,
        r"Dfun: 14 of 14 values .* \[0, 0\] \(inf\)",
    ),
    "overflow in Dfun": (dict(Dfun=returning(np.full((7, 2), 1e308))), ValueError, "norm of column 0 overflows"),
    "short diag": (dict(diag=[1.0]), TypeError, "diag: got 1 scale factors, expected one for each of the 2 parameters"),
    "zero in diag": (dict(diag=[1.0, 0.0]), TypeError, "positive and finite"),
    "negative diag": (dict(diag=[1.0, -1.0]), TypeError, "positive and finite"),
    "NaN in diag": (dict(diag=[1.0, np.nan]), TypeError, "positive and finite"),
    "zero factor": (dict(factor=0), TypeError, "factor must be a positive number.*got 0"),
    "negative factor": (dict(factor=-1.0), TypeError, "factor must be a positive number"),
    "infinite factor": (dict(factor=np.inf), TypeError, "factor must be a positive number"),
    "negative ftol": (dict(ftol=-1e-8), TypeError, "ftol must be a number and not negative, got -1e-08"),
    "negative xtol": (dict(xtol=-1), TypeError, "xtol must be .* got -1"),
    "negative gtol": (dict(gtol=-1), TypeError, "gtol must be .* got -1"),
    "NaN in ftol": (dict(ftol=np.nan), TypeError, "ftol must be .* got nan"),
    "negative maxfev": (dict(maxfev=-5), TypeError, "maxfev must be a positive whole number.*got -5"),
    "fractional maxfev": (dict(maxfev=10.5), TypeError, "maxfev must be a positive whole number.*got 10.5"),
    "text as ftol": ({"ftol": "small"}, TypeError, "ftol must be a number .* got 'small'"),
    "None as gtol": ({"gtol": None}, TypeError, "gtol must be a number .* got None"),
    "list as factor": ({"factor": [1, 2]}, TypeError, r"factor must be a positive number.*got \[1, 2\]"),
    "infinite maxfev": ({"maxfev": np.inf}, TypeError, "maxfev must be a positive whole number.*got inf"),
    "text as maxfev": ({"maxfev": "many"}, TypeError, "maxfev must be a positive whole number.*got 'many'"),
    "NaN as epsfcn": (dict(epsfcn=np.nan), TypeError, "epsfcn must be"),
}


@pytest.mark.filterwarnings("ignore:divide by zero", "ignore:invalid value", "ignore:overflow")
@pytest.mark.parametrize(("arguments", "error", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_refused_in_words(arguments, error, words):
    with pytest.raises(error, match=words):
        leastsq(**{"func": residuals, "x0": [1.0, 2.0], **arguments})


@pytest.mark.parametrize("change", [-1, 1])
@pytest.mark.parametrize("at", [2, 4, 6])
def test_changing_size_names_both(change, at):
    calls = iter(range(1, 100))

    def func(x):
        size = 7 + change if next(calls) == at else 7
        return np.resize(np.exp(x[0] * T) + x[1], size)

    with pytest.raises(ValueError, match=f"returned {7 + change} residuals, but 7 at the starting point"):
        leastsq(func, [1.0, 1.0])


class Stubborn:
    """Something array-like whose conversion fails with an error of its own."""

    def __init__(self, error):
        self.error = error

    def __array__(self, dtype=None, copy=None):
        raise self.error


@pytest.mark.parametrize("error", [ValueError("mine"), RuntimeError("mine"), KeyboardInterrupt()])
def test_errors_of_conversion_come_out_unchanged(error):
    with pytest.raises(type(error)) as caught:
        leastsq(lambda x: Stubborn(error), [1.0])
    assert caught.value is error
    with pytest.raises(type(error)) as caught:
        leastsq(lambda x: [Stubborn(error), 1.0], [1.0])
    assert error in (caught.value, caught.value.__cause__)


class Foreign:
    """Something array-like with a dtype of its own, as other array libraries have."""

    class dtype:
        itemsize = 8

    def __init__(self, values):
        self.values = values

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.values, dtype=dtype)


def test_arrays_of_other_libraries():
    x, ier = leastsq(lambda x: Foreign(residuals(x)), [1.0, 2.0], Dfun=lambda x: Foreign(dfun(x)))
    assert ier in (1, 2, 3, 4)
    np.testing.assert_allclose(x, [1, 0], atol=1e-12)
    x, _ = leastsq(lambda x: Foreign(residuals(x).astype(np.float32)), [1.0, 2.0])
    np.testing.assert_allclose(x, [1, 0], atol=1e-3)


def test_nothing_moved_is_said():
    with pytest.warns(RuntimeWarning, match="did not react to a small step in any of the parameters"):
        x, ier = leastsq(lambda x: np.float64(np.float32(x[0])) * T - 2 * T, [1.0])
    assert (x.tolist(), ier) == ([1.0], 4)


def test_size_may_not_change_in_slow_kinds_either():
    calls = iter(range(1, 100))
    with pytest.raises(ValueError, match="returned 3 residuals, but 2"):
        leastsq(lambda x: [x[0], 1.0] if next(calls) < 3 else [x[0], 1.0, 2.0], [1.0])


@pytest.mark.parametrize("late", [None, "text", 1j * T, np.array([None] * 7)], ids=repr)
def test_kind_that_goes_bad_later(late):
    calls = iter(range(1, 100))
    with pytest.raises(TypeError, match="func: got"):
        leastsq(lambda x: np.exp(x[0] * T) + x[1] if next(calls) < 4 else late, [1.0, 1.0])


def test_masked_later():
    calls = iter(range(1, 100))

    def func(x):
        f = np.exp(x[0] * T) + x[1]
        return f if next(calls) < 4 else np.ma.array(f, mask=T > 2)

    with pytest.raises(ValueError, match="2 of 7 entries are masked"):
        leastsq(func, [1.0, 1.0])


def test_jacobian_that_goes_bad_later():
    calls = iter(range(1, 100))

    def late(x):
        e = np.exp(x[0] * T)
        j = np.column_stack([T * e, np.ones(7)])
        return j if next(calls) < 2 else j * np.nan

    with pytest.raises(ValueError, match="Dfun: 14 of 14 values are not finite"):
        leastsq(lambda x: np.exp(x[0] * T) + x[1] - T, [1.0, 1.0], Dfun=late)


@pytest.mark.parametrize("maxfev", [0, None, 50, 50.0, np.int64(50), np.float64(50), 10**12])
def test_counts_of_every_kind(maxfev):
    x, ier = leastsq(residuals, [1.0, 2.0], maxfev=maxfev)
    assert ier in (1, 2, 3, 4)
    np.testing.assert_allclose(x, [1, 0], atol=1e-8)


def test_refusals_leave_the_next_call_alone():
    for arguments, error, _ in REFUSED.values():
        with np.errstate(all="ignore"), pytest.raises(error):
            leastsq(**{"func": residuals, "x0": [1.0, 2.0], **arguments})
        x, _ = leastsq(residuals, [1.0, 2.0])
        np.testing.assert_allclose(x, [1, 0], atol=1e-8)
