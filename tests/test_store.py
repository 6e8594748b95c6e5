"""Results saved and loaded."""

import io
import json

import numpy as np
import pytest

from leastsq import ManyFits, curve_fit_many, models
from leastsq._results.result import ARRAYS

X = np.linspace(0, 5, 24)
Y = models.exponential(X, 2.0, np.array([[0.5], [1.0], [np.nan]]), 0.1) + 0.01 * np.cos(9 * X)


def decay(x, amplitude, rate):
    return amplitude * np.exp(-rate * x)


def through_file(fits, **options):
    file = io.BytesIO()
    fits.save(file)
    file.seek(0)
    return ManyFits.load(file, **options)


def same(one, other):
    for name in (*ARRAYS, "groups"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
        if getattr(one, name) is not None:
            assert getattr(one, name).dtype == getattr(other, name).dtype
    assert one.param_names == other.param_names
    assert repr(one.options) == repr(other.options)
    assert one.summary() == other.summary()


@pytest.mark.parametrize("model", [models.exponential, models.exponential.fix(offset=0.1), decay], ids=str)
def test_parts_of_a_run_are_joined_as_they_come_from_files(model):
    fits = curve_fit_many(model, X, Y, [2.0, 0.5, 0.1] if model is models.exponential else [2.0, 0.5])
    parts = [through_file(part) for part in (fits[:2], fits[2:])]
    np.testing.assert_array_equal(ManyFits.concatenate(parts).popt, fits.popt)


@pytest.mark.parametrize("name", ["fits", "fits.npz", "fits.of.today"])
def test_files_are_loaded_by_the_names_they_were_saved_under(tmp_path, name):
    fits = curve_fit_many(models.exponential, X, Y)
    for path in (tmp_path / name, str(tmp_path / f"other_{name}")):
        fits.save(path)
        np.testing.assert_array_equal(ManyFits.load(path).popt, fits.popt)
    with pytest.raises(FileNotFoundError, match="none"):
        ManyFits.load(tmp_path / "none")


def test_lambdas_from_files_are_not_taken_for_the_same():
    functions = (lambda x, a, k: a * np.exp(-k * x), lambda x, a, k: a / (1 + k * x))
    one, other = (through_file(curve_fit_many(f, X, Y, [2.0, 0.5])) for f in functions)
    with pytest.raises(ValueError, match="results of different fits: f is"):
        ManyFits.concatenate([one, other])
    np.testing.assert_array_equal(ManyFits.concatenate([one[:2], one[2:]]).popt, one.popt)


def test_parts_of_other_models_are_not_joined():
    def other(x, amplitude, rate):
        return decay(x, amplitude, rate)

    parts = [through_file(curve_fit_many(model, X, Y, [2.0, 0.5])) for model in (decay, other)]
    with pytest.raises(ValueError, match="results of different fits: f is"):
        ManyFits.concatenate(parts)


@pytest.mark.parametrize("options", [{}, {"sigma": 0.1, "absolute_sigma": True}, {"diag": [1, 2, 3], "ftol": 1e-3}])
def test_compiled_models_come_back_whole(tmp_path, options):
    fits = curve_fit_many(models.exponential, X, Y, **options)
    same(through_file(fits), fits)
    fits.save(tmp_path / "fits.npz")
    again = ManyFits.load(tmp_path / "fits.npz")
    same(again, fits)
    assert again.model is models.exponential
    for name in ("absolute_sigma", "vectorized", "weighted"):
        assert getattr(again.problem, name) == getattr(fits.problem, name)
    np.testing.assert_array_equal(again.predict(X, return_std=True), fits.predict(X, return_std=True))
    same(through_file(fits[0]), fits[0])
    same(through_file(fits[:0]), fits[:0])


@pytest.mark.parametrize(
    "options",
    [
        {"bounds": {"rate": (0, 0.7)}},
        {"fixed": {"offset": 0.1}},
        {"covariance": "sandwich", "bounds": {"offset": (0.1, np.inf)}, "pcov": False},
    ],
)
def test_bounds_and_fixed_parameters_are_remembered(options):
    pandas = pytest.importorskip("pandas")
    fits = curve_fit_many(models.exponential, X, Y, **options)
    again = through_file(fits)
    same(again, fits)
    for name in ("fixed", "bounded", "sandwich", "covariances"):
        assert getattr(again.problem, name) == getattr(fits.problem, name)
    assert again.report(0) == fits.report(0)
    pandas.testing.assert_frame_equal(again.to_dataframe(), fits.to_dataframe())
    given = {"bounds": options["bounds"]} if "bounds" in options else {}
    assert again.profile(0, "rate", X, Y, **given) == fits.profile(0, "rate", X, Y, **given)


@pytest.mark.parametrize("vectorized", [True, False])
def test_fits_of_complex_data_come_back_as_such(vectorized):
    def line(x, a, b):
        return a / (1 + 1j * b * x)

    z = line(X, 1.0, np.array([[0.5], [1.0]])) + 0.01 * np.exp(9j * X)
    fits = curve_fit_many(line, X, z, [1, 1], vectorized=vectorized)
    again = through_file(fits, model=line)
    same(again, fits)
    assert again.model is line
    np.testing.assert_array_equal(again.predict(X, return_std=True), fits.predict(X, return_std=True))
    np.testing.assert_array_equal(again.residuals(X, z), fits.residuals(X, z))
    assert repr(through_file(fits).model) == "<model line, not saved>"
    with pytest.raises(RuntimeError, match=r"the model \(line\) is not in the file"):
        through_file(fits).predict(X)


def peak(name):
    return models.gaussian.fix(offset=0.0).prefix(name)


@pytest.mark.parametrize(
    "model",
    [
        models.exponential.fix(offset=0.1),
        models.line.prefix("a_"),
        peak("left_") + peak("right_").fix(right_center=1 / 3) + models.line,
        models.exponential.fix(offset=0.0) * models.sine.fix(amplitude=1.0, offset=0.0) + models.constant,
    ],
    ids=lambda model: model.__name__,
)
def test_sums_come_back_whole(model):
    truth = np.linspace(0.6, 1.4, len(model.param_names))
    y = model(X, *truth) + 0.01 * np.cos(9 * X) * np.array([[1.0], [2.0]])
    fits = curve_fit_many(model, X, y, p0=truth)
    again = through_file(fits)
    same(again, fits)
    assert repr(again.model) == repr(model)
    assert again.model.terms == model.terms
    np.testing.assert_array_equal(again.predict(X, return_std=True), fits.predict(X, return_std=True))


def test_sums_that_are_none_are_not_made():
    """What a file says is handed to compiled code, which does not look."""
    fits = curve_fit_many(models.exponential.fix(offset=0.1), X, Y[:2])
    for terms in (
        [[["exponential", ["amplitude", "rate"]]]],
        [[["exponential", ["amplitude", "rate", 0.1]]], []],
        [[["exponential", ["amplitude", "rate", 0.1]]], [["gaussian_2d", [1.0] * 5]]],
    ):
        file, forged = io.BytesIO(), io.BytesIO()
        fits.save(file)
        file.seek(0)
        held = dict(np.load(file))
        about = json.loads(str(held["about"]))
        held["about"] = np.array(json.dumps({**about, "terms": terms}))
        np.savez(forged, **held)
        forged.seek(0)
        with pytest.raises(ValueError, match="the file describes no sum of models"):
            ManyFits.load(forged)


def test_functions_are_given_again():
    fits = curve_fit_many(decay, X, Y, [1, 1])
    again = through_file(fits)
    same(again, fits)
    np.testing.assert_array_equal(again.conf_interval(), fits.conf_interval())
    assert repr(again.model) == "<model decay, not saved>"
    with pytest.raises(RuntimeError, match=r"the model \(decay\) is not in the file.*load\(file, model=...\)"):
        again.predict(X)
    np.testing.assert_array_equal(through_file(fits, model=decay).predict(X), fits.predict(X))
    with pytest.raises(ValueError, match="model has the parameters amplitude, rate, offset, the file amplitude, rate"):
        through_file(fits, model=models.exponential)


def test_a_function_called_like_a_model_is_not_taken_for_it():
    def gaussian(x, a, b, c, d):
        return a + b * x + c * x**2 + d * x**3

    again = through_file(curve_fit_many(gaussian, X, Y[:2], [1, 1, 1, 1]))
    assert again.model is not models.gaussian


@pytest.mark.parametrize("labels", [["b", "a"], [2, 1], [2.5, -1.0], np.array(["2024-01-02", "2023-05-06"], "M8[D]")])
def test_labels_come_back(labels):
    fits = curve_fit_many(decay, np.tile(X, 2), Y[:2].ravel(), [1, 1], groups=np.repeat(labels, 24))
    same(through_file(fits), fits)
    named = np.repeat(np.array([("b", 1), ("a", 2)], dtype=[("plate", "U1"), ("well", "i4")]), 24)
    fits = curve_fit_many(decay, np.tile(X, 2), Y[:2].ravel(), [1, 1], groups=named)
    same(through_file(fits), fits)


def test_labels_that_are_objects():
    text = np.repeat(np.array(["b", "a"], dtype=object), 24)
    fits = curve_fit_many(decay, np.tile(X, 2), Y[:2].ravel(), [1, 1], groups=text)
    assert through_file(fits).groups.tolist() == ["a", "b"]
    pairs = np.empty(48, dtype=object)
    pairs[:] = [(1, 2)] * 24 + [(0, "x")] * 24
    with pytest.raises(TypeError, match="labels of type tuple cannot be saved"):
        through_file(curve_fit_many(decay, np.tile(X, 2), Y[:2].ravel(), [1, 1], groups=pairs))


def test_other_files_are_refused(tmp_path):
    np.savez(tmp_path / "other.npz", popt=np.zeros(3))
    with pytest.raises(ValueError, match="the file holds no result of leastsq, but popt"):
        ManyFits.load(tmp_path / "other.npz")
    np.save(tmp_path / "single.npy", np.zeros(3))
    with pytest.raises(ValueError, match="the file holds a single array"):
        ManyFits.load(tmp_path / "single.npy")
    for content in (b"", b"text"):
        with pytest.raises(ValueError, match="the file is none that save"):
            ManyFits.load(io.BytesIO(content))
    np.savez(tmp_path / "objects.npz", about=np.array([{}], dtype=object))
    with pytest.raises(ValueError, match="allow_pickle"):
        ManyFits.load(tmp_path / "objects.npz")
