"""No option takes what it cannot use without a word: the error names the option, and what it was given."""

import re

import numpy as np
import pytest

import leastsq
from leastsq import ManyFits, models, native

X = np.linspace(0, 4, 20)
Y = 2 * np.exp(-1.3 * X) + 0.05 * np.cos(25 * X)
ROWS = np.stack([Y, 1.1 * Y, 0.9 * Y])


def decay(x, a, b):
    return a * np.exp(-b * x)


def residuals(p):
    return decay(X, *p) - Y


def by_curve_fit(**options):
    return leastsq.curve_fit(decay, X, Y, [1, 1], **options)


def by_curve_fit_many(**options):
    return leastsq.curve_fit_many(decay, X, ROWS, [1, 1], **options)


def by_least_squares(**options):
    return leastsq.least_squares(residuals, [1, 1], **options)


def by_leastsq(**options):
    return leastsq.leastsq(residuals, [1, 1], **options)


# What is no number, no word, no answer, and nothing that can be called.
NOTHING = [
    object(),
    np.ones((2, 2)),
    {"a": 1},
    1j,
    [1, 2, 3],
    np.full(3, np.nan),
    "x",
    b"x",
    np.datetime64("2020-01-01"),
]
NUMBERS = ["ftol", "xtol", "gtol", "maxfev", "epsfcn", "factor", "diag"]
WORDS = ["loss", "f_scale", "covariance", "nan_policy"]
SEARCH = ["method", "jac", "x_scale", "diff_step", "max_nfev", "verbose", "callback", "bounds"]
DOORS = [
    (by_leastsq, [*NUMBERS, "full_output", "col_deriv", "Dfun", "callback", "bounds"]),
    (
        by_curve_fit,
        [*NUMBERS, *WORDS, *SEARCH, "absolute_sigma", "check_finite", "full_output", "col_deriv"],
    ),
    (
        by_curve_fit_many,
        [
            *NUMBERS,
            *WORDS,
            "absolute_sigma",
            "jac",
            "vectorized",
            "workers",
            "progress",
            "errors",
            "time_limit",
            "pcov",
        ],
    ),
    (
        by_least_squares,
        ["ftol", "xtol", "gtol", *SEARCH, "loss", "f_scale", "workers"],
    ),
]
CASES = [(door, name) for door, names in DOORS for name in names]


@pytest.mark.parametrize(("door", "name"), CASES, ids=[f"{door.__name__}-{name}" for door, name in CASES])
def test_what_an_option_cannot_use_is_refused_by_its_name(door, name):
    for value in NOTHING:
        with pytest.raises((TypeError, ValueError), match=name):
            door(**{name: value})


@pytest.mark.parametrize("value", [3, 0, None, "yes", [], np.ones(2)])
def test_progress_is_yes_or_no_or_is_called(value):
    with pytest.raises(TypeError, match=r"progress must be True, False or a callable .* got " + re.escape(repr(value))):
        by_curve_fit_many(progress=value)


@pytest.mark.parametrize("door", [by_leastsq, by_curve_fit, by_curve_fit_many])
@pytest.mark.parametrize("value", [[], "", {}, np.inf, -1, 1.5])
def test_maxfev_is_a_whole_number(door, value):
    with pytest.raises(TypeError, match="maxfev must be a positive whole number"):
        door(maxfev=value)


@pytest.mark.parametrize("name", ["factor", "epsfcn", "f_scale"])
def test_numbers_too_large_for_double_precision_are_refused_in_words(name):
    with pytest.raises((TypeError, ValueError), match=f"{name} must be"):
        by_curve_fit(**{name: 10**400})


@pytest.mark.parametrize("value", [3, "x", [1, 2]])
def test_arguments_by_name_are_a_dict(value):
    with pytest.raises(TypeError, match=r"kwargs must be a dict .* got"):
        by_least_squares(kwargs=value)


def test_results_refuse_what_their_methods_cannot_use():
    fits = by_curve_fit_many()
    refused = [
        (lambda: fits.predict(X, level=95), "level must be a probability"),
        (lambda: fits.report(min_correlation="x"), "min_correlation must be a number .* got 'x'"),
        (lambda: fits.report(min_correlation=np.nan), "min_correlation must be a number .* got nan"),
        (lambda: ManyFits.concatenate(3), "results: expected a sequence of ManyFits, .* got int"),
        (lambda: ManyFits.concatenate([fits], axis="x"), "axis must be a whole number, got 'x'"),
        (lambda: models.gaussian.fix(offset=None), "fix takes one finite number .* got offset=None"),
        (lambda: models.gaussian.fix(offset={}), "fix takes one finite number .* got offset={}"),
    ]
    for call, words in refused:
        with pytest.raises((TypeError, ValueError), match=words):
            call()


def test_tables_and_pictures_refuse_what_they_cannot_use():
    pytest.importorskip("matplotlib")
    pytest.importorskip("xarray")
    fits = by_curve_fit_many()
    refused = [
        (lambda: fits.to_xarray(3), "dims must be a sequence of names .* got 3"),
        (lambda: fits.to_xarray("x"), "dims must be a sequence of names .* got 'x'"),
        (lambda: fits.plot(0, X, ROWS, figure=3), "figure must be a matplotlib Figure .* got 3"),
        (lambda: fits.plot_map("a", ax="x"), "ax must be matplotlib Axes, .* got 'x'"),
    ]
    for call, words in refused:
        with pytest.raises(TypeError, match=words):
            call()


def test_what_is_no_function_is_not_compiled():
    pytest.importorskip("numba")
    with pytest.raises(TypeError, match="f must be callable, got NoneType"):
        native.jit(None)
