"""Many fits in one call: what functions may and may not do."""

import functools
import pickle
import warnings

import numpy as np
import pytest
from many_decays import DATA, GAPS, RNG, START, T, decay, decay_jac, each_kind, identical

from leastsq import curve_fit_many
from leastsq._input import pieces as _pieces

# --- Functions that do not broadcast ---


def with_if(t, a, b, c):
    return decay(t, a, b, c) if b > 0 else np.zeros_like(t)


def with_loop(t, a, b, c):
    return np.array([decay(one, a, b, c) for one in t])


def with_math(t, a, b, c):
    return a * np.exp(-float(b) * t) + c


def mixing(t, a, b, c):
    values = decay(t, a, b, c)
    return values - values.mean() if values.ndim > 1 else values


def normalised(t, a, b, c):
    values = decay(t, a, b, c)
    return a * values / values.max()


def shared_result(t, a, b, c):
    return decay(t, *(np.ravel(p)[0] for p in (a, b, c)))


def flattened(t, a, b, c):
    return np.ravel(decay(t, a, b, c))


def transposed(t, a, b, c):
    return np.transpose(decay(t, a, b, c))


def summed_over_fits(t, a, b, c):
    return np.sum(decay(t, a, b, c), axis=0) if np.ndim(a) else decay(t, a, b, c)


def rolled(t, a, b, c):
    values = decay(t, a, b, c)
    return values[::-1] if values.ndim > 1 else values


@pytest.mark.parametrize(
    "model",
    [with_if, with_loop, with_math, mixing, normalised, shared_result, flattened, transposed, summed_over_fits, rolled],
)
def test_functions_that_do_not_broadcast_are_found_out(model):
    starts = START * RNG.uniform(0.9, 1.1, (200, 1))
    for p0, data in ((starts, DATA), (START, DATA[0])):
        with pytest.raises(ValueError, match="vectorized=False fits any function, one data set at a time") as error:
            curve_fit_many(model, T, data, p0)
        assert str(error.value).startswith("f ")
    if model is not normalised:
        fits = curve_fit_many(model, T, DATA[:5], START, vectorized=False)
        assert identical(fits, curve_fit_many(decay, T, DATA[:5], START, vectorized=False))


@pytest.mark.parametrize("model", [with_if, with_math, mixing, flattened, normalised, shared_result, rolled])
def test_functions_that_do_not_broadcast_are_found_out_from_a_shared_start(model):
    """Also where results are swapped or shared between fits, which look right as long as all parameters are alike."""
    with pytest.raises(ValueError, match="vectorized=False"):
        curve_fit_many(model, T, DATA, START)


def test_derivatives_that_do_not_broadcast_are_found_out():
    def jac(t, a, b, c):
        return np.column_stack([np.exp(-b * t), -a * t * np.exp(-b * t), np.ones_like(t)])

    with pytest.raises(ValueError, match=r"^jac .*vectorized=False"):
        curve_fit_many(decay, T, DATA, START, jac=jac)
    assert curve_fit_many(decay, T, DATA[:5], START, jac=jac, vectorized=False).success.all()


# --- Functions as they are ---


def test_functions_get_parameters_of_shape_fits_1_and_shared_predictors():
    shapes = set()

    def watched(t, *p):
        shapes.add((t.shape, *(q.shape for q in p)))
        return decay(t, *p)

    curve_fit_many(watched, T, DATA, START)
    for x, *parameters in shapes:
        assert x == (20,)
        assert set(parameters) in ({()}, {(parameters[0][0] if parameters[0] else 0, 1)})
    assert ((20,), (200, 1), (200, 1), (200, 1)) in shapes
    shapes.clear()
    curve_fit_many(watched, np.tile(T, (200, 1)), DATA, START)
    for x, *parameters in shapes:
        assert x == ((parameters[0][0], 20) if parameters[0] else (20,))


def test_models_in_single_precision_get_steps_to_match():
    def single(t, a, b, c):
        return (np.float32(1) * a * np.exp(-b * t) + c).astype(np.float32)

    fits = curve_fit_many(single, T, DATA, START)
    assert fits.options.epsfcn == np.finfo(np.float32).eps
    double = curve_fit_many(decay, T, DATA, START)
    assert fits.success.mean() > 0.95
    near = fits.success
    assert (np.abs(fits.popt - double.popt) < 0.01 * double.stderr)[near].all()
    np.testing.assert_allclose(fits.stderr[near], double.stderr[near], rtol=0.01)
    assert double.options.epsfcn == 0
    assert curve_fit_many(single, T, DATA, START, epsfcn=1e-6).options.epsfcn == 1e-6


def test_functions_may_reuse_the_array_they_return():
    arrays = {}

    def reusing(function, t, *p):
        values = function(t, *p)
        array = arrays.setdefault((function, values.shape), np.empty(values.shape))
        array[...] = values
        return array

    for jac in (None, functools.partial(reusing, decay_jac)):
        expected = curve_fit_many(decay, T, DATA, START, jac=None if jac is None else decay_jac)
        for vectorized in (True, False):
            fits = curve_fit_many(functools.partial(reusing, decay), T, DATA, START, jac=jac, vectorized=vectorized)
            np.testing.assert_array_equal(fits.popt, expected.popt)
            np.testing.assert_array_equal(fits.status, expected.status)


@pytest.mark.parametrize("jac", [False, True])
def test_functions_may_change_their_parameters_in_place(jac):
    """Numbers are changed for the function alone; so are the arrays that take their place."""
    calls = []

    def per_minute(t, a, rate, c):
        calls.append(None)
        rate /= 60
        return decay(t, a, rate, c)

    def its_jac(t, a, rate, c):
        rate /= 60
        return decay_jac(t, a, rate, c) / [1, 60, 1]

    options = {"f": per_minute, "jac": its_jac if jac else None, "p0": [2.0, 60.0, 0.5]}
    expected = curve_fit_many(xdata=T, ydata=DATA, vectorized=False, **options)
    assert expected.success.all()
    for data, which in ((DATA, slice(None)), (DATA[0], 0)):
        calls.clear()
        fits = curve_fit_many(xdata=T, ydata=data, **options)
        np.testing.assert_array_equal(fits.popt, expected.popt[which])
        np.testing.assert_array_equal(fits.nfev, expected.nfev[which])
        assert len(calls) < 500  # where it is called for each fit, there are thousands


@pytest.mark.parametrize(("count", "at_once"), [(1, False), (4, False), (5, True)])
def test_few_fits_are_made_one_after_the_other(count, at_once):
    """With numbers as parameters, once the function has been tried on two fits; data with gaps, too."""
    shapes = []

    def noted(t, a, rate, c):
        shapes.append((np.shape(t), np.shape(rate)))
        return decay(t, a, rate, c)

    fits = curve_fit_many(noted, T, GAPS[:count], START)
    assert fits.success.all()
    together = [rate for _, rate in shapes if rate != ()]
    assert (len(together) > 1) == at_once
    assert (2, 1) in together
    assert {t for t, _ in shapes} == {T.shape}


def test_functions_may_overwrite_their_parameters():
    def greedy(t, a, b, c):
        values = decay(t, a, b, c)
        for p in (a, b, c):
            if np.ndim(p):
                p[...] = np.nan
        return values

    fits = curve_fit_many(greedy, T, DATA, START)
    np.testing.assert_array_equal(fits.popt, curve_fit_many(decay, T, DATA, START).popt)


def test_functions_may_return_what_broadcasts_to_their_values():
    def constant(x, a):
        return a

    fits = curve_fit_many(constant, T, DATA, p0=[1.0], jac=lambda x, a: np.ones_like(a)[..., None])
    np.testing.assert_allclose(fits.popt[:, 0], DATA.mean(axis=1), rtol=1e-12)
    fits = curve_fit_many(lambda x, a: a, T, DATA, p0=[1.0])
    np.testing.assert_allclose(fits.popt[:, 0], DATA.mean(axis=1), rtol=1e-7)


def test_functions_may_return_lists_and_integers():
    fits = curve_fit_many(lambda *p: decay(*p).tolist(), T, DATA, START)
    assert identical(fits, curve_fit_many(decay, T, DATA, START))


def test_functions_without_names_for_their_parameters():
    def anonymous(t, *p):
        return decay(t, *p)

    fits = curve_fit_many(anonymous, T, DATA, START)
    assert fits.param_names == ("p0", "p1", "p2")
    assert identical(fits, curve_fit_many(decay, T, DATA, START))
    assert curve_fit_many(decay, T, DATA, START).param_names == ("amplitude", "rate", "offset")


def test_a_method_and_a_partial_are_functions():
    class Model:
        def value(self, t, a, rate):
            return decay(t, a, rate, 0.5)

    fits = curve_fit_many(Model().value, T, DATA, [2, 1])
    assert fits.param_names == ("a", "rate")
    # A parameter bound by keyword leaves the positional ones before it.
    partial = curve_fit_many(functools.partial(decay, offset=0.5), T, DATA, [2, 1])
    np.testing.assert_array_equal(partial.popt, fits.popt)


def test_warnings_of_the_model_are_not_the_users():
    """Trial points far away overflow; that is part of the method."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for vectorized in (True, False):
            curve_fit_many(decay, T, DATA, p0=[1, -150.0, 0], vectorized=vectorized)


# --- What functions may and may not do ---


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("missing", [False, True])
@each_kind
def test_a_guess_may_do_with_its_data_as_it_likes(kind_of_fit, missing, dtype):
    def guess(t, y):
        y -= np.nanmin(y, axis=-1, keepdims=True)
        return np.stack([np.nanmax(y, axis=-1), np.ones(y.shape[:-1]), np.zeros(y.shape[:-1])], axis=-1)

    data = DATA[:20].astype(dtype)
    if missing:
        data[3, 4] = np.nan
    kept = data.copy()
    fits = curve_fit_many(**kind_of_fit, xdata=T, ydata=data, p0=guess)
    np.testing.assert_array_equal(data, kept)
    expected = curve_fit_many(**kind_of_fit, xdata=T, ydata=data, p0=START)
    np.testing.assert_allclose(fits.popt, expected.popt, rtol=1e-5)


ASKED = []


def noted_start(_, y):
    ASKED.extend(np.atleast_2d(y)[:, 0].tolist())
    return np.broadcast_to(START, (*y.shape[:-1], len(START)))


def copied(task, pieces):
    """Do what a pool of processes does with a task and its pieces."""
    return map(pickle.loads(pickle.dumps(task)), map(pickle.loads, map(pickle.dumps, pieces)))


@pytest.mark.parametrize("workers", [1, 2, copied])
@each_kind
def test_a_guess_is_asked_once_about_each_data_set(kind_of_fit, workers, monkeypatch):
    """Also about those that the function is tried on, whoever fits them."""
    monkeypatch.setattr(_pieces, "MOST_FITS", 7)
    ASKED.clear()
    fits = curve_fit_many(**kind_of_fit, xdata=T, ydata=DATA[:20], p0=noted_start, workers=workers)
    assert fits.success.all()
    np.testing.assert_array_equal(np.sort(ASKED), np.sort(DATA[:20, 0]))


@pytest.mark.parametrize("x", [T, np.tile(T, (20, 1)), np.tile(T.astype("f4"), (20, 1))], ids=["shared", "each", "f4"])
@pytest.mark.parametrize("vectorized", [True, False])
def test_functions_may_change_their_predictors(vectorized, x):
    def in_place(t, amplitude, rate, offset):
        t *= -1
        return amplitude * np.exp(rate * t) + offset

    kept = x.copy()
    fits = curve_fit_many(in_place, x, DATA[:20], START, vectorized=vectorized)
    expected = curve_fit_many(decay, kept, DATA[:20], START, vectorized=vectorized)
    np.testing.assert_array_equal(x, kept)
    np.testing.assert_allclose(fits.popt, expected.popt, rtol=1e-9)


@pytest.mark.parametrize("vectorized", [True, False])
def test_functions_that_others_wrap_are_called_as_they_are(vectorized):
    def without_offset(f):
        @functools.wraps(f)
        def wrapped(t, *parameters):
            return f(t, *parameters, 0.0)

        return wrapped

    fits = curve_fit_many(without_offset(decay), T, 2 * np.exp(-T), [1.0, 0.5], vectorized=vectorized)
    np.testing.assert_allclose(fits.popt, [2, 1], rtol=1e-7)


def test_what_a_function_returns_is_looked_at_each_time():
    """The first call is for two fits; later ones are for as many as there are."""

    def later(wrong):
        return lambda t, *p: wrong(decay(t, *p)) if np.size(p[0]) > 2 else decay(t, *p)

    for wrong, error, message in (
        (lambda values: values + 1j, TypeError, "f: got complex numbers"),
        (lambda values: None, TypeError, "f: got None"),
        (lambda values: values[:, :5], ValueError, r"f returned an array of shape \(20, 5\) for 20 fits at once"),
    ):
        with pytest.raises(error, match=message):
            curve_fit_many(later(wrong), T, DATA[:20], START)


@pytest.mark.parametrize("vectorized", [True, False])
def test_derivatives_by_one_parameter_need_no_axis_for_it(vectorized):
    data = np.exp(-np.array([[0.5], [1.0], [1.5]]) * T) + 0.01 * np.cos(9 * T)

    def fit(jac):
        return curve_fit_many(lambda t, k: np.exp(-k * t), T, data, [1.0], jac=jac, vectorized=vectorized)

    single = curve_fit_many(
        lambda t, k: np.exp(-k * t),
        T[:3, None],
        np.exp(-0.5 * T[:3, None]),
        [1.0],
        jac=lambda t, k: -t * np.exp(-k * t) + 0 * k,
        vectorized=vectorized,
    )
    np.testing.assert_allclose(single.popt[1:, 0], 0.5)  # one point each; the first, at 0, tells nothing
    without = fit(lambda t, k: -t * np.exp(-k * t))
    assert identical(without, fit(lambda t, k: (-t * np.exp(-k * t))[..., None]))
    assert without.success.all()
