"""`ManyFits`: arrays over all fits, and what can be made of them."""

import copy
import dataclasses
import importlib.util
import inspect
import pickle
import sys
import tracemalloc
import warnings

import numpy as np
import pytest

from leastsq import ManyFits, curve_fit, curve_fit_many, least_squares, leastsq, models, native

X = np.linspace(0, 5, 24)
ARRAYS = ("popt", "pcov", "chisq", "dof", "nfev", "status", "stderr", "redchi", "success")


def decay(x, amplitude, rate):
    return amplitude * np.exp(-rate * x)


def make(shape=(3, 4), f=models.exponential, p0=None, **options):
    """Fits of which the one before the last failed, in any shape of at least two."""
    rng = np.random.default_rng(1)
    y = models.exponential(X, 2.0, rng.uniform(0.5, 1.5, (*shape, 1)), 0.1) + 0.01 * rng.standard_normal((*shape, 24))
    if np.prod(shape) > 1:
        y.reshape(-1, 24)[-2] = np.nan
    return curve_fit_many(f, X, y, p0, **options)


FITS = make()


# --- Arrays ---


@pytest.mark.parametrize("shape", [(), (5,), (3, 4), (2, 3, 2)])
def test_shapes(shape):
    fits = make(shape)
    assert fits.shape == shape
    assert fits.size == np.prod(shape, dtype=int)
    assert fits.popt.shape == fits.stderr.shape == (*shape, 3)
    assert fits.pcov.shape == (*shape, 3, 3)
    for name in ("chisq", "redchi", "dof", "nfev", "status", "success"):
        assert np.shape(getattr(fits, name)) == shape, name
    for name in ("dof", "nfev", "status"):
        assert getattr(fits, name).dtype.kind == "i", name
    assert fits.success.dtype == bool
    assert fits.param_names == ("amplitude", "rate", "offset")


def test_what_is_derived():
    good = FITS.success
    assert good.sum() == 11
    assert np.isin(FITS.status[good], [1, 2, 3, 4]).all()
    np.testing.assert_array_equal(FITS.stderr, np.sqrt(np.diagonal(FITS.pcov, axis1=-2, axis2=-1)))
    np.testing.assert_array_equal(FITS.redchi[good], FITS.chisq[good] / 21)
    assert np.isnan(FITS.redchi[~good]).all()
    assert np.isnan(FITS.stderr[~good]).all()
    assert np.isnan(FITS.pcov[~good]).all()
    assert np.isfinite(FITS.pcov[good]).all()
    np.testing.assert_array_equal(FITS.dof, np.where(good, 21, -3))
    np.testing.assert_array_equal(FITS.pcov, np.swapaxes(FITS.pcov, -1, -2))


@pytest.mark.parametrize("status", range(16))
def test_success_is_a_status_from_1_to_4(status):
    fits = dataclasses.replace(FITS, status=np.full((3, 4), status, dtype=np.int8))
    assert (fits.success == (1 <= status <= 4)).all()


@pytest.mark.parametrize("name", ARRAYS)
def test_results_are_read_only(name):
    array = getattr(FITS, name)
    if name in ("popt", "pcov", "chisq", "dof", "nfev", "status"):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0
        with pytest.raises(ValueError, match="read-only"):
            getattr(FITS[0], name)[...] = 0
    with pytest.raises((AttributeError, TypeError)):  # the latter is what Python up to 3.11 gives for properties
        setattr(FITS, name, array)


def test_no_attribute_can_be_added():
    with pytest.raises((AttributeError, TypeError)):
        FITS.comment = "mine"


# --- One of them, or some ---

INDICES = [
    1,
    -1,
    np.int64(2),
    (1, 2),
    (slice(None), 1),
    slice(1, None),
    slice(0, 0),
    ...,
    (..., 0),
    (0, ...),
    (1, ..., 2),
    None,
    (None, 1),
    [0, 2],
    ([0, 2], [1, 1]),
    np.array([True, False, True]),
    FITS.success,
    (),
    np.array([[0, 1], [2, 0]]),
    (np.array([[0], [2]]), np.array([1, 3])),
]


@pytest.mark.parametrize("index", INDICES, ids=repr)
def test_an_index_is_one_into_the_shape_of_the_fits(index):
    part = FITS[index]
    assert isinstance(part, ManyFits)
    numbers = np.arange(12).reshape(3, 4)
    chosen = np.asarray(numbers[index])
    assert part.shape == chosen.shape
    for name in ARRAYS:
        whole = getattr(FITS, name)
        wanted = whole.reshape(12, *whole.shape[2:])[chosen]
        np.testing.assert_array_equal(getattr(part, name), wanted, err_msg=name)
    assert part.param_names == FITS.param_names
    assert part.options is FITS.options
    repr(part)


@pytest.mark.parametrize("index", [3, (0, 4), (0, 0, 0), (..., ...), np.ones(5, bool)])
def test_an_index_out_of_shape_is_an_error(index):
    with pytest.raises(IndexError):
        FITS[index]


def test_one_fit_needs_no_index():
    one = FITS[1, 2]
    assert one.shape == ()
    assert one.size == 1
    with pytest.raises(IndexError, match="there is one fit, which needs no index"):
        one[0]
    with pytest.raises(IndexError):
        one[0, 0]
    assert one.message() == FITS.message((1, 2))


def test_iteration_and_length_are_of_the_first_axis():
    rows = list(FITS)
    assert len(FITS) == len(rows) == 3
    assert len(FITS[:0]) == len(list(FITS[:0])) == 0
    with pytest.raises(TypeError, match="there is one fit, which has no length"):
        len(FITS[0, 0])
    with pytest.raises(TypeError, match="there is one fit: it has no rows"):
        iter(FITS[0, 0])
    assert [row.shape for row in rows] == [(4,)] * 3
    np.testing.assert_array_equal([row.nfev for row in rows], FITS.nfev)


def test_parameters_by_name():
    np.testing.assert_array_equal(FITS["rate"], FITS.popt[..., 1])
    np.testing.assert_array_equal(FITS.stderr_of("rate"), FITS.stderr[..., 1])
    assert FITS[0, 0]["rate"].shape == ()
    for get in (FITS.__getitem__, FITS.stderr_of):
        with pytest.raises(KeyError, match=r"no parameter is called 'rat': .* amplitude, rate, offset; 'rate'\?"):
            get("rat")


def grouped(groups):
    x = np.tile(X, 2)
    y = np.concatenate([decay(X, 2.0, 0.5), decay(X, 3.0, 1.0)]) + 0.01 * np.cos(9 * x)
    return curve_fit_many(decay, x, y, [1, 1], groups=np.repeat(groups, 24))


def test_fits_by_label():
    fits = grouped(["B7", "A01"])
    assert fits.group("B7").popt.round(1).tolist() == [2.0, 0.5]
    assert fits.group("A01").groups == "A01"
    assert fits.message("A01") == fits.message(0) == fits.group("A01").message()
    assert fits.report("B7").splitlines()[:2] == ["Fit 1, group B7", fits.message(1)]
    with pytest.raises(KeyError, match="no group is called 'A1': there are 2, such as 'A01', 'B7'"):
        fits.group("A1")
    assert grouped([10, -3]).group(10).popt.round(1).tolist() == [2.0, 0.5]
    with pytest.raises(ValueError, match="these fits have no groups"):
        FITS.group("A01")


def test_fits_by_labels_of_several_columns():
    labels = np.array([("B", 7), ("A", 1)], dtype=[("plate", "U2"), ("well", "i8")])
    fits = grouped(labels)
    assert fits.group(("B", 7)).popt.round(1).tolist() == [2.0, 0.5]
    for label in (("B", 1), ("B7", 7), "B"):
        with pytest.raises(KeyError):
            fits.group(label)
    pandas = pytest.importorskip("pandas")
    assert isinstance(fits.to_dataframe().index, pandas.MultiIndex)
    assert fits.to_dataframe().loc[("A", 1), "amplitude"] == fits.group(("A", 1))["amplitude"]


@pytest.mark.parametrize(
    ("groups", "label"),
    [
        (np.array([("B", 7), ("A", 1)], dtype=[("plate", "U2"), ("well", "i8")]), ("B", 7)),
        (np.array(["2026-03-02", "2026-03-01"], dtype="M8[D]"), np.datetime64("2026-03-02")),
        ([0.5, 0.25], 0.5),
    ],
    ids=["columns", "dates", "numbers that are not whole"],
)
def test_labels_of_every_kind_pick_fits(groups, label):
    fits = grouped(groups)
    x, y = (np.tile(X, 2), np.concatenate([decay(X, 2.0, 0.5), decay(X, 3.0, 1.0)]) + 0.01 * np.cos(9 * np.tile(X, 2)))
    for own in (label, fits.groups[1]):  # as it was given, and as the result has it
        assert fits.group(own).popt.round(1).tolist() == [2.0, 0.5]
        assert fits.message(own) == fits.message(1)
        assert fits.report(own) == fits.report(1)
        interval = fits.profile(own, "rate", x, y, groups=np.repeat(groups, 24))
        assert interval.value == fits["rate"][1]


def test_an_index_that_does_not_fit_is_told_of_the_shape_of_the_fits():
    with pytest.raises(IndexError, match="1-dimensional, but 2 were indexed"):
        grouped(["B7", "A01"])[0, 0]


def test_results_are_no_arrays():
    for wrong in (np.asarray, np.array, np.sum, lambda fits: np.concatenate([fits, fits])):
        with pytest.raises(TypeError, match="a result is not one array but several"):
            wrong(FITS)


def test_concatenation():
    for axis, parts in ((0, [FITS[:1], FITS[1:]]), (1, [FITS[:, :3], FITS[:, 3:3], FITS[:, 3:]]), (-1, [FITS])):
        whole = ManyFits.concatenate(parts, axis=axis)
        for name in ARRAYS:
            np.testing.assert_array_equal(getattr(whole, name), getattr(FITS, name))
        assert whole.model is FITS.model
        assert whole.options is FITS.options
    both = ManyFits.concatenate([grouped(["a", "b"]), grouped(["a", "long name"])])
    assert both.groups.tolist() == ["a", "b", "a", "long name"]
    for wrong, message in (
        ([FITS, make(f=decay, p0=[1, 1])], "names is"),
        ([FITS, make(sigma=0.1)], "weighted is False in the first, and True"),
        ([FITS, make(ftol=1e-3)], "ftol is"),
        ([FITS, make(covariance="sandwich")], "sandwich is False in the first, and True"),
        ([FITS, make(fixed={"rate": 1.0})], r"fixed is \(False, False, False\) in the first"),
        ([grouped(["a", "b"]), dataclasses.replace(grouped(["a", "b"]), groups=None)], "have groups"),
        ([FITS[0, 0], FITS[0, 1]], "axis 0 is none of the axes"),
    ):
        with pytest.raises(ValueError, match=message):
            ManyFits.concatenate(wrong)
    limited = ManyFits.concatenate([FITS, make(bounds={"rate": (0, 1)})])
    assert limited.problem.bounded
    assert limited.active_mask[3:].any()
    with pytest.raises(TypeError, match="expected a sequence of ManyFits"):
        ManyFits.concatenate([])


def test_views_share_memory():
    assert np.shares_memory(FITS[1:].popt, FITS.popt)


# --- Without covariances ---


def without(duplicate=lambda fits: fits):
    fits, bare = make(), duplicate(make(pcov=False))
    assert bare.pcov is None
    for name in ARRAYS:
        if name != "pcov":
            np.testing.assert_array_equal(getattr(bare, name), getattr(fits, name), err_msg=name)
    return fits, bare


def test_covariances_can_be_left_out():
    fits, bare = without()
    np.testing.assert_array_equal(bare.conf_interval(), fits.conf_interval())
    np.testing.assert_array_equal(bare[1].stderr, fits[1].stderr)
    np.testing.assert_array_equal(bare.predict(X), fits.predict(X))
    assert bare.summary() == fits.summary()
    assert bare.report((0, 0)).splitlines() == fits.report((0, 0)).splitlines()[:8]
    for call in (lambda: bare.correlation, lambda: bare.predict(X, return_std=True), lambda: bare.derived(np.log)):
        with pytest.raises(ValueError, match="needs covariances, which pcov=False left out"):
            call()
    with pytest.raises(ValueError, match="read-only"):
        bare.stderr[...] = 0
    with pytest.raises(TypeError, match="pcov"):
        make(pcov="no")


def test_results_without_covariances_travel():
    without(lambda fits: pickle.loads(pickle.dumps(fits)))
    without(lambda fits: ManyFits.concatenate([fits[:1], fits[1:]]))
    with pytest.raises(ValueError, match="some of the results have pcov"):
        ManyFits.concatenate([make(), make(pcov=False)])


def test_seven_parameters_take_less_than_200_bytes():
    fits = curve_fit_many(
        lambda x, a, b, c, d, e, f, g: np.polyval([a, b, c, d, e, f, g], x),
        X,
        np.ones((50, 24)),
        np.ones(7),
        pcov=False,
    )
    arrays = [getattr(fits, field.name) for field in dataclasses.fields(fits)]
    assert sum(array.nbytes for array in arrays if isinstance(array, np.ndarray)) <= 50 * 200


@pytest.mark.slow
def test_nothing_but_the_result_grows_with_the_number_of_fits():
    """Of seven parameters 144 bytes for each fit; what a piece takes on the way does not depend on their number."""
    model = models.gaussian.fix(offset=0.0).prefix("a_") + models.gaussian.prefix("b_")
    truth = [3.0, 3.0, 1.0, 2.0, 7.0, 1.2, 0.5]
    x = np.linspace(0, 10, 8)
    y = model(x, *truth) + 0.01 * np.cos(9 * x)
    curve_fit_many(model, x, np.broadcast_to(y, (3000, 8)), truth, pcov=False)
    tracemalloc.start()
    try:
        fits = curve_fit_many(model, x, np.broadcast_to(y, (50_000, 8)), truth, pcov=False)
        held, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert fits.success.all()
    assert 144 * fits.size <= held <= 146 * fits.size
    assert peak - held < 8e6  # a piece of 2048 fits, each with its triangles


# --- Words ---


def test_messages():
    assert FITS.message((2, 2)) == (
        "Not fitted: 3 parameters but only 0 data points. Give more data, or fix some parameters."
    )
    assert FITS.message((-1, -2)) == FITS.message((2, 2))
    assert FITS.message((0, 0)).startswith("Solved: ")
    assert FITS.message(np.array([2, 2])) == FITS.message((2, 2))
    assert FITS[2].message(np.int64(2)) == FITS.message((2, np.int64(2))) == FITS.message((2, 2))
    assert FITS[2:, 2:3].message() == FITS.message((2, 2))
    for index in (0, (), (0, 0, 0), slice(None), (slice(None), 0)):
        with pytest.raises(IndexError, match=r"expected 2 indices|too many indices"):
            FITS.message(index)
    with pytest.raises(IndexError):
        FITS.message((3, 0))


@pytest.mark.parametrize("status", range(16))
def test_every_status_has_a_sentence_and_a_label(status):
    fits = dataclasses.replace(FITS, status=np.full((3, 4), status, dtype=np.int8))
    sentence = fits.message((0, 0))
    assert sentence[0].isupper()
    assert sentence.endswith(".")
    assert "{" not in sentence
    assert f"(status {status})" in fits.summary()


def test_messages_tell_the_numbers_that_decided():
    fits = make(maxfev=2, ftol=1e-3)
    assert fits.message((0, 0)).startswith("Not solved: stopped after 2 evaluations of the residuals (maxfev = 2).")
    assert "ftol = 0.25" in make(ftol=0.25).message((0, 0))


def test_repr():
    assert repr(FITS) == "ManyFits(shape=(3, 4), params=(amplitude, rate, offset), solved 91.6 %)"
    assert repr(FITS[FITS.success]) == "ManyFits(shape=(11,), params=(amplitude, rate, offset), solved 100.0 %)"
    assert repr(FITS[0, 0]) == "ManyFits(shape=(), params=(amplitude, rate, offset), solved 100.0 %)"
    assert repr(FITS[~FITS.success]) == "ManyFits(shape=(1,), params=(amplitude, rate, offset), solved 0.0 %)"
    assert repr(FITS[:0]) == "ManyFits(shape=(0, 4), params=(amplitude, rate, offset), solved 0.0 %)"


@pytest.mark.parametrize(
    ("failed", "share"), [(1, "99.9 %"), (5000, "50.0 %"), (9999, "0.1 %"), (0, "100.0 %"), (10_000, "0.0 %")]
)
def test_all_and_none_are_said_of_all_and_none_alone(failed, share):
    one = make(())
    status = np.ones(10_000, dtype=np.int8)
    status[:failed] = 5
    same = {name: np.broadcast_to(getattr(one, name), (10_000, *getattr(one, name).shape)) for name in ARRAYS[:5]}
    fits = dataclasses.replace(one, **same, status=status)
    assert repr(fits).endswith(f"solved {share})")
    assert f"({share})" in fits.summary().splitlines()[0]


def test_summary():
    lines = FITS.summary().splitlines()
    assert lines[0] == "12 fits, 11 solved (91.6 %)"
    assert lines[1:3] == ["  11  solved (ftol) (status 1)", "   1  too few points (status 12)"]
    assert lines[3].split() == ["median", "value", "stderr"]
    rows = {line.split("  ")[1].strip(): line.split()[-2:] for line in lines[4:]}
    assert list(rows) == ["amplitude", "rate", "offset", "reduced chi-square", "evaluations"]
    good = FITS[FITS.success]
    for j, name in enumerate(FITS.param_names):
        value, error = map(float, rows[name])
        assert value == pytest.approx(np.median(good.popt[:, j]), rel=1e-4)
        assert error == pytest.approx(np.median(good.stderr[:, j]), rel=1e-2)
    assert float(rows["reduced chi-square"][1]) == pytest.approx(np.median(good.redchi), rel=1e-4)
    assert float(rows["evaluations"][1]) == np.median(good.nfev)
    assert all(len(line) == len(lines[3]) for line in lines[4:7])


def test_summary_without_success():
    assert FITS[~FITS.success].summary() == ("1 fits, 0 solved (0.0 %)\n  1  too few points (status 12)")
    assert FITS[:0].summary() == "0 fits, 0 solved (0.0 %)"


def test_summary_with_infinite_errors():
    fits = curve_fit_many(lambda x, a, b: a * b * x, X, np.ones((3, 1)) * X + 0.1 * np.cos(X), p0=[1, 1])
    assert fits.summary().startswith(
        "3 fits, 3 solved (100.0 %), 3 of these with parameters that the data leave open (errors inf)"
    )
    assert "inf" in fits.summary().splitlines()[-3]
    assert repr(fits).endswith("solved 100.0 %, 3 with open parameters)")
    assert fits.message(1).startswith("Solved: ")
    assert " The data leave a, b open." in fits.message(1)


def test_reports():
    text = FITS[0].report([0, 2])
    first, second = text.split("\n\n")
    lines = first.splitlines()
    assert lines[0] == "Fit 0"
    assert lines[1] == FITS.message((0, 0))
    assert lines[2].startswith("  points 24, parameters 3, degrees of freedom 21, evaluations ")
    assert float(lines[3].split()[1].rstrip(",")) == pytest.approx(FITS.chisq[0, 0], rel=1e-3)
    for j, name in enumerate(FITS.param_names):
        words = lines[5 + j].split()
        lower, upper = (bound[0, 0, j] for bound in FITS.conf_interval())
        assert words[0] == name
        numbers = [float(words[k]) for k in (1, 2, -3, -1)]
        assert numbers == pytest.approx([FITS.popt[0, 0, j], FITS.stderr[0, 0, j], lower, upper], rel=1e-3)
    sizes = [abs(float(line.split()[-1])) for line in lines[8:]]
    assert len(sizes) == 3
    assert sizes == sorted(sizes, reverse=True)
    assert second.startswith("Fit 2")
    assert len(FITS[0, 0].report(min_correlation=1.0).splitlines()) == 7
    assert FITS.report((0, 1)).startswith("Fit (0, 1)\n")
    assert "Errors are NaN because the fit did not succeed" in FITS.report((2, 2))
    with pytest.raises(ValueError, match="120 fits are too many to read"):
        ManyFits.concatenate([FITS] * 10).report()


def test_reports_give_the_reason_of_infinite_errors():
    fits = curve_fit_many(lambda x, a, b: a * b * x, X, X + 0.1 * np.cos(X), p0=[1, 1])
    assert "because the residuals do not change with a, b, or with a combination of them" in fits.report()
    fits = curve_fit_many(decay, [0.0, 1.0], [2.0, 1.0], p0=[1, 1])
    assert "because no degrees of freedom are left" in fits.report()


def test_html_for_notebooks():
    text = dataclasses.replace(
        FITS, problem=dataclasses.replace(FITS.problem, names=("a<b", "rate", "offset"))
    )._repr_html_()
    assert "<th>a&lt;b</th>" in text
    assert text.count("<tr>") == 11
    assert "and 2 more" in text
    assert "too few points" in FITS[2]._repr_html_()
    assert "A01" in grouped(["A01", "B7"])._repr_html_()
    assert FITS[0, 0]._repr_html_().count("<tr>") == 2
    assert FITS[:0]._repr_html_().count("<tr>") == 1


# --- Values of the model ---


@pytest.mark.parametrize(
    "options",
    [{}, {"f": decay, "p0": [1, 1]}, {"f": decay, "p0": [1, 1], "vectorized": False}],
    ids=["compiled", "numpy", "singly"],
)
@pytest.mark.parametrize("shape", [(), (5,), (3, 4)])
def test_predictions(options, shape):
    fits = make(shape, **options)
    x = np.linspace(0, 9, 7)
    values = fits.predict(x)
    assert values.shape == (*shape, 7)
    f = options.get("f", models.exponential)
    for index in np.ndindex(shape):
        np.testing.assert_allclose(values[index], f(x, *fits.popt[index]), rtol=1e-15)
    assert fits.predict(2.5).shape == (*shape, 1)
    assert fits.predict([1, 2]).shape == (*shape, 2)
    assert fits.predict(np.empty(0)).shape == (*shape, 0)
    own = np.sort(np.random.default_rng(2).uniform(0, 5, (*shape, 6)), axis=-1)
    values = fits.predict(own)
    for index in np.ndindex(shape):
        np.testing.assert_allclose(values[index], f(own[index], *fits.popt[index]), rtol=1e-15)
    values[...] = 0  # they are the caller's


@pytest.mark.parametrize("vectorized", [True, False])
def test_predictions_with_several_predictors(vectorized):
    def plane(xy, a, b):
        x, y = xy
        return a * x + b * y

    rng = np.random.default_rng(3)
    x, y = rng.uniform(0, 1, (2, 9))
    data = rng.uniform(1, 2, (4, 1)) * x + rng.uniform(1, 2, (4, 1)) * y
    fits = curve_fit_many(plane, (x, y), data, p0=[1, 1], vectorized=vectorized)
    np.testing.assert_allclose(fits.predict((x, y)), data, rtol=1e-6)
    np.testing.assert_allclose(fits.predict((x, np.tile(y, (4, 1)))), data, rtol=1e-6)
    assert fits.predict((x[:1], y)).shape == (4, 9)


def test_predictions_are_those_of_the_data_fitted():
    fits = make(())
    assert np.square(fits.predict(X) - models.exponential(X, *fits.popt)).sum() == 0


def test_predictions_of_a_constant_have_the_shape_of_the_data():
    fits = curve_fit_many(lambda x, a: a, X, np.ones((4, 24)), p0=[0.5])
    assert fits.predict(X).shape == (4, 24)
    assert fits[0].predict(X).shape == (24,)


def test_predictions_that_overflow_do_so_silently():
    fits = dataclasses.replace(FITS, popt=np.full((3, 4, 3), -1e300))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not np.isfinite(fits.predict(X)[..., 1:]).any()


def test_predictions_take_predictors_as_fits_do():
    fits = curve_fit_many(lambda x, a, b: a * x**-2 + b, [1, 2, 3, 4], [[3, 1.5, 1.2, 1.1]], p0=[1, 1])
    np.testing.assert_allclose(fits.predict([1, 2]), fits.predict([1.0, 2.0]))
    np.testing.assert_array_equal(fits.predict(np.ma.masked_equal([1, 2], 2))[:, 1], np.nan)
    with pytest.raises(TypeError, match="x: got complex numbers"):
        fits.predict([1j])


def test_predictions_where_a_function_raises_are_missing():
    def root(x, a, b):
        if b < 0:
            raise ValueError("no root")
        return a * x + b**0.5

    fits = curve_fit_many(root, X, 2 * X + 1 + np.zeros((3, 1)), [[1, 1], [1, -1], [1, 1]], vectorized=False)
    assert fits.success.tolist() == [True, False, True]
    values = fits.predict(X)
    np.testing.assert_allclose(values[[0, 2]], [2 * X + 1] * 2, atol=1e-6)
    assert np.isnan(values[1]).all()


def test_predictions_with_other_predictors_are_refused():
    with pytest.raises(ValueError, match="exponential has 1 predictors, got 2: expected a tuple of arrays"):
        FITS.predict((X, X))


def test_errors_on_a_bound_are_taken_from_inside():
    """A square root has no value on the other side of zero; derivatives by one side are as exact as their steps."""

    def rise(x, a, b):
        return a + np.sqrt(b + x)

    x = np.linspace(0.1, 5, 30)
    fits = curve_fit_many(rise, x, rise(x, 1.0, -0.05) + 0.01 * np.cos(9 * x), [1, 1], bounds={"b": (0, 5)})
    assert fits.active_mask.tolist() == [0, -1]
    _, std = fits.predict(np.array([0.0, 1.0]), return_std=True)
    jacobian = np.array([1.0, 0.5])  # at x = 1, where b is 0
    assert std[1] == pytest.approx(np.sqrt(jacobian @ fits.pcov @ jacobian), rel=1e-4)
    _, error = fits.derived(lambda b: np.sqrt(b + 1))
    assert error == pytest.approx(fits.stderr[1] / 2, rel=1e-4)


def test_predictions_at_points_of_another_shape_are_refused():
    with pytest.raises(ValueError, match="shape"):
        FITS.predict(np.ones((5, 24)))


# --- Elsewhere ---


@pytest.mark.parametrize("fits", [FITS, FITS[0, 0], make(f=decay, p0=[1, 1]), FITS[:0]])
@pytest.mark.parametrize("duplicate", [lambda f: pickle.loads(pickle.dumps(f)), copy.copy, copy.deepcopy])
def test_pickles_and_copies(fits, duplicate):
    twin = duplicate(fits)
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(twin, name), getattr(fits, name))
    for field in dataclasses.fields(fits.problem):
        assert getattr(twin.problem, field.name) == getattr(fits.problem, field.name)
    assert not twin.popt.flags.writeable
    assert repr(twin) == repr(fits)
    assert twin.summary() == fits.summary()
    np.testing.assert_array_equal(twin.predict(X), fits.predict(X))


def test_options_are_remembered():
    fits = make(ftol=1e-4, maxfev=77, sigma=0.1, absolute_sigma=True)
    assert fits.options.ftol == 1e-4
    assert fits.options.maxfev == 77
    assert fits.problem.absolute_sigma is True
    assert fits.problem.vectorized is True
    assert fits.model is models.exponential
    assert make(f=decay, p0=[1, 1], vectorized=False).problem.vectorized is False
    assert make().options.maxfev == 400
    assert make(f=decay, p0=[1, 1]).options.maxfev == 600


COLUMNS = [
    "amplitude",
    "rate",
    "offset",
    "amplitude_stderr",
    "rate_stderr",
    "offset_stderr",
    "chisq",
    "redchi",
    "dof",
    "nfev",
    "status",
    "success",
]


def test_dataframe():
    pytest.importorskip("pandas")
    table = FITS.to_dataframe()
    for name in ("dof", "a_stderr"):
        fits = curve_fit_many(models.exponential, X, np.exp(-X), p0=[1, 1, 0])
        with pytest.raises(ValueError, match=f"two columns would have the name '{name}'"):
            dataclasses.replace(fits, problem=dataclasses.replace(fits.problem, names=("a", name, "c"))).to_dataframe()
    assert table.columns.tolist() == COLUMNS
    assert table.index.names == ["fit_0", "fit_1"]
    assert table.index.tolist() == list(np.ndindex(3, 4))
    np.testing.assert_array_equal(table["rate"].to_numpy().reshape(3, 4), FITS.popt[..., 1])
    np.testing.assert_array_equal(table["offset_stderr"].to_numpy().reshape(3, 4), FITS.stderr[..., 2])
    for name in COLUMNS[6:]:
        np.testing.assert_array_equal(table[name].to_numpy().reshape(3, 4), getattr(FITS, name))
        assert table[name].dtype == getattr(FITS, name).dtype
    assert table.loc[(2, 2), "status"] == 12
    assert FITS[0].to_dataframe().index.tolist() == [0, 1, 2, 3]
    wide = FITS.to_dataframe(level=0.9)
    np.testing.assert_array_equal(wide["rate_lower"].to_numpy().reshape(3, 4), FITS.conf_interval(0.9)[0][..., 1])
    np.testing.assert_array_equal(wide["rate_upper"].to_numpy().reshape(3, 4), FITS.conf_interval(0.9)[1][..., 1])
    assert len(FITS[0, 0].to_dataframe()) == 1
    assert len(FITS[:, :0].to_dataframe()) == 0
    table["rate"] = 0.0  # which leaves the result as it is
    assert FITS.popt[..., 1].any()


def test_xarray():
    pytest.importorskip("xarray")
    data = FITS.to_xarray()
    assert dict(data.sizes) == {"fit_0": 3, "fit_1": 4, "param": 3, "cov_i": 3, "cov_j": 3}
    assert set(data.data_vars) == set(ARRAYS)
    for name in ARRAYS:
        np.testing.assert_array_equal(data[name].to_numpy(), getattr(FITS, name))
    assert data["param"].to_numpy().tolist() == list(FITS.param_names)
    np.testing.assert_array_equal(data["popt"].sel(param="rate"), FITS.popt[..., 1])
    np.testing.assert_array_equal(data["pcov"].sel(cov_i="rate", cov_j="offset"), FITS.pcov[..., 1, 2])
    named = FITS.to_xarray(dims=("row", "column"))
    assert named["chisq"].dims == ("row", "column")
    assert named["pcov"].dims == ("row", "column", "cov_i", "cov_j")
    assert FITS.to_xarray(["a", "b"])["popt"].dims == ("a", "b", "param")
    assert FITS[0, 0].to_xarray()["popt"].dims == ("param",)
    for dims in (["row"], ["a", "b", "c"], [], ["row", "param"], ["row", "row"]):
        with pytest.raises(ValueError, match="dims must be 2 different names of dimensions"):
            FITS.to_xarray(dims)


@pytest.mark.parametrize(("package", "method"), [("pandas", "to_dataframe"), ("xarray", "to_xarray")])
def test_without_the_package_the_error_says_how_to_get_it(package, method, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=rf"{method} needs {package}: pip install 'leastsq\[{package}\]'"):
        getattr(FITS, method)()


METHODS = [method for name, method in inspect.getmembers(ManyFits, inspect.isfunction) if name[0] != "_"]
OF_XARRAY = pytest.importorskip("leastsq.xarray").curvefit if importlib.util.find_spec("xarray") else curve_fit_many


@pytest.mark.parametrize(
    "function",
    [curve_fit_many, curve_fit, leastsq, least_squares, native.jit, native.model, OF_XARRAY, *METHODS],
    ids=lambda function: function.__name__,
)
def test_signatures_are_short(function):
    """Types by their names, not as the unions that they are made of."""
    text = str(inspect.signature(function))
    for name in ("_SupportsArray", "ndarray[", "collections.abc", "typing."):
        assert name not in text
    assert len(text) < 1300
