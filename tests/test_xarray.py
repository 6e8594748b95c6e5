"""`leastsq.xarray.curvefit` against xarray's own."""

import subprocess
import sys

import numpy as np
import pytest

from leastsq import curve_fit_many, models

xarray = pytest.importorskip("xarray")
from leastsq.xarray import curvefit  # noqa: E402  (it needs xarray)

RNG = np.random.default_rng(11)
TIME = np.linspace(0, 5, 40)


def decay(t, amplitude=1.5, rate=1.0, offset=0.1):
    return amplitude * np.exp(-rate * t) + offset


def cube(order=("time", "y", "x")):
    rng = np.random.default_rng(12)
    coords = {"y": np.arange(6), "x": np.arange(5) * 10, "lat": (("y", "x"), rng.random((6, 5))), "zone": 33}
    rate = xarray.DataArray(rng.uniform(0.5, 2, (6, 5)), dims=["y", "x"], coords=coords)
    time = xarray.DataArray(TIME, dims="time", coords={"time": TIME})
    data = 2 * np.exp(-rate * time) + 0.3 + rng.normal(0, 0.02, (6, 5, 40))
    data = data.transpose(*order)
    data.attrs["units"] = "K"
    data.coords["x"].attrs["long_name"] = "easting"
    data.name = "signal"
    return data


def assert_same(ours, theirs, prefix="", rtol=1e-6, rtol_of_covariance=None):
    """Compare what both return; the order of dimensions is nobody's promise."""
    tolerances = {"coefficients": rtol, "covariance": rtol_of_covariance or rtol}
    for name in ("coefficients", "covariance"):
        mine, other = ours[f"{prefix}curvefit_{name}"], theirs[f"{prefix}curvefit_{name}"]
        other = other.transpose(*mine.dims)
        scale = np.abs(other).max().item() if name == "covariance" else 1.0
        np.testing.assert_allclose(mine.values, other.values, rtol=tolerances[name], atol=tolerances[name] * scale)
        for coordinate in other.coords:
            assert mine.coords[coordinate].equals(other.coords[coordinate]), coordinate


def test_losses_are_keywords_of_the_fit_as_for_xarray():
    data = cube()
    data[{"time": 7}] = data[{"time": 7}] + 1.0
    robust = {"loss": "soft_l1", "f_scale": 0.02}
    theirs = data.curvefit("time", decay, kwargs={**robust, "method": "trf", "xtol": 1e-12, "ftol": 1e-12})
    ours = curvefit(data, "time", decay, kwargs={**robust, "xtol": 1e-12, "ftol": 1e-12})
    assert_same(ours, theirs, rtol=1e-5, rtol_of_covariance=1e-3)  # theirs stops by the gradient, 1e-8
    plain = curvefit(data, "time", decay)["curvefit_coefficients"]
    assert np.abs(plain - ours["curvefit_coefficients"]).max() > 0.01


@pytest.mark.parametrize("order", [("time", "y", "x"), ("y", "time", "x"), ("x", "y", "time")])
def test_cubes_are_fitted_as_by_xarray(order):
    data = cube(order)
    data[{"time": 3, "y": 0, "x": 0}] = np.nan
    data[{"y": 1, "x": 1}] = np.nan
    ours, theirs = curvefit(data, "time", decay), data.curvefit("time", decay)
    assert_same(ours, theirs)
    assert ours["curvefit_coefficients"].dims == (*(dim for dim in order if dim != "time"), "param")
    assert ours["param"].values.tolist() == ["amplitude", "rate", "offset"]
    assert ours.attrs == {"units": "K"}
    assert ours["x"].attrs == {"long_name": "easting"}
    assert np.isnan(ours["curvefit_coefficients"].sel(y=1, x=10)).all()
    assert ours["curvefit_status"].sel(y=1, x=10) == 12
    diagonal = [ours["curvefit_covariance"].sel(cov_i=name, cov_j=name) for name in ours["param"].values]
    np.testing.assert_allclose(
        ours["curvefit_stderr"].values, np.sqrt(np.stack([one.values for one in diagonal], axis=-1))
    )


def test_compiled_models_guess_where_to_start():
    data = cube()
    names = list(models.exponential.param_names)
    theirs = data.curvefit("time", decay).assign_coords(param=names, cov_i=names, cov_j=names)
    # Covariances come from the last Jacobian, one step before the solution, and the ways there differ.
    assert_same(curvefit(data, "time", models.exponential), theirs, rtol_of_covariance=1e-3)


def test_starts_of_the_signature_and_of_ones():
    data = cube()
    started = curvefit(data, "time", lambda t, a, k=0.8, c=0.2: a * np.exp(-k * t) + c, kwargs={"maxfev": 1},
                       errors="ignore")  # fmt: skip
    assert (started["curvefit_status"] == 5).all()
    assert_same(
        curvefit(data, "time", lambda t, a, k, c: a * np.exp(-k * t) + c),
        data.curvefit("time", lambda t, a, k, c: a * np.exp(-k * t) + c),
    )


def test_starts_along_dimensions():
    data = cube()
    rate = xarray.DataArray(np.linspace(0.5, 2, 5), dims="x", coords={"x": data["x"]})
    amplitude = xarray.DataArray(np.linspace(1, 3, 6), dims="y")
    p0 = {"rate": rate, "amplitude": amplitude, "offset": 0.2}
    assert_same(curvefit(data, "time", decay, p0=p0), data.curvefit("time", decay, p0=p0))
    assert_same(curvefit(data, "time", decay, p0={"rate": rate}), data.curvefit("time", decay, p0={"rate": rate}))


def test_a_dataset_has_its_variables_fitted():
    data = cube()
    dataset = xarray.Dataset({"one": data, "two": 2 * data, "other": ("y", np.arange(6.0))}, attrs={"source": "test"})
    ours = curvefit(dataset, "time", decay)
    theirs = dataset[["one", "two"]].curvefit("time", decay)
    assert_same(ours, theirs, "one_")
    assert_same(ours, theirs, "two_")
    assert "other_curvefit_coefficients" not in ours
    assert ours.attrs == {"source": "test"}


@pytest.mark.parametrize("along", ["p0", "bounds", "coords"])
def test_variables_get_the_dimensions_of_what_they_are_fitted_with(along):
    data = cube().drop_vars("lat")
    whole = xarray.Dataset({"first": data, "second": data.isel(x=2, drop=True)})
    rate = xarray.ones_like(data["x"], dtype=float).drop_attrs()
    arguments = {
        "p0": {"coords": "time", "p0": {"rate": rate}},
        "bounds": {"coords": "time", "bounds": {"rate": (rate - 1, rate + 9)}},
        "coords": {"coords": data["time"] + 0 * rate, "reduce_dims": "time"},
    }[along]
    ours, theirs = curvefit(whole, func=decay, **arguments), whole.curvefit(func=decay, **arguments)
    for prefix in ("first_", "second_"):
        # With bounds, xarray's method is another, which stops a little earlier or later.
        assert_same(ours, theirs, prefix, rtol=1e-5, rtol_of_covariance=1e-3 if along == "bounds" else 1e-6)
        assert ours[f"{prefix}curvefit_status"].dims == ("y", "x")


def test_several_predictors_and_dimensions():
    x, y = np.linspace(-2, 2, 9), np.linspace(-1, 1, 7)
    images = xarray.DataArray(
        models.gaussian_2d((x[:, None], y), 3.0, RNG.uniform(-0.5, 0.5, (4, 1, 1)), 0.1, 0.9, 0.2)
        + RNG.normal(0, 0.02, (4, 9, 7)),
        dims=["image", "x", "y"],
        coords={"x": x, "y": y},
    )

    def spot(xy, amplitude, x0, y0, sigma, offset):
        return amplitude * np.exp(-((xy[0] - x0) ** 2 + (xy[1] - y0) ** 2) / (2 * sigma**2)) + offset

    p0 = {"amplitude": 2.5, "x0": 0, "y0": 0, "sigma": 1, "offset": 0}
    ours = curvefit(images, ["x", "y"], spot, p0=p0)
    assert_same(ours, images.curvefit(["x", "y"], spot, p0=p0), rtol=1e-5)
    assert ours["curvefit_coefficients"].dims == ("image", "param")
    guessed = curvefit(images, ["x", "y"], models.gaussian_2d)
    np.testing.assert_allclose(guessed["curvefit_coefficients"], ours["curvefit_coefficients"], atol=1e-6)


def test_predictors_that_are_no_coordinates():
    data = cube().drop_vars("time")
    time = xarray.DataArray(TIME, dims="time")
    with pytest.raises(ValueError, match="no dimension to fit along"):
        curvefit(data, xarray.DataArray(TIME, dims="other"), decay)
    assert_same(curvefit(data, time, decay, reduce_dims="time"), data.curvefit(time, decay, reduce_dims="time"))


def test_predictors_of_each_fit():
    data = cube()
    own = data["time"] * (1 + 0.1 * xarray.DataArray(np.arange(6), dims="y"))
    ours = curvefit(data, own, decay, reduce_dims="time")
    assert_same(ours, data.curvefit(own, decay, reduce_dims="time"))


def test_one_data_set():
    data = cube()[:, 2, 3]
    ours = curvefit(data, "time", decay)
    assert ours["curvefit_coefficients"].dims == ("param",)
    assert_same(ours, data.curvefit("time", decay))


def test_weights_and_other_options():
    data = cube()
    noise = xarray.DataArray(RNG.uniform(0.5, 2, (40, 6)), dims=["time", "y"])
    ours = curvefit(data, "time", decay, kwargs={"sigma": noise, "absolute_sigma": True, "workers": 2})
    expected = curve_fit_many(
        decay, TIME, np.moveaxis(data.values, 0, -1), [1.5, 1, 0.1], noise.values.T[:, None], absolute_sigma=True
    )
    np.testing.assert_array_equal(ours["curvefit_coefficients"], expected.popt)
    assert curvefit(data, "time", decay, kwargs={"method": "lm", "maxfev": 999})["curvefit_status"].min() > 0


# --- Bounds ---


def test_bounds_that_do_not_matter_give_what_xarray_gives():
    data = cube()
    bounds = {"rate": (0.0, 10.0), "amplitude": (0.0, np.inf), "offset": (-np.inf, 5.0)}
    # Its method for bounded fits stops elsewhere within the tolerance.
    assert_same(curvefit(data, "time", decay, bounds=bounds), data.curvefit("time", decay, bounds=bounds), rtol=1e-4)


@pytest.mark.parametrize("model", [decay, models.exponential], ids=["NumPy", "compiled"])
@pytest.mark.parametrize("lazy", [False, True], ids=["at once", "dask"])
def test_bounds_of_each_pixel_are_kept(model, lazy):
    if lazy:
        pytest.importorskip("dask")
    data = cube()
    free = curvefit(data, "time", model)["curvefit_coefficients"].sel(param="rate")
    limit = xarray.DataArray(np.linspace(0.8, 1.6, 6), dims="y")
    ours = curvefit(data.chunk({"x": 2}) if lazy else data, "time", model, bounds={"rate": (0, limit)}).compute()
    rate, active = (ours[f"curvefit_{name}"].sel(param="rate") for name in ("coefficients", "active_mask"))
    outside = free > limit
    assert 3 < outside.sum() < 27
    assert (rate <= limit).all()
    np.testing.assert_array_equal(active == 1, outside)
    np.testing.assert_array_equal((rate == limit).transpose(*outside.dims), outside)
    assert (ours["curvefit_offset"] < 0.1).all()
    if model is decay:
        theirs = data.curvefit("time", decay, bounds={"rate": (0, limit)})
        # Its fits stay a little off their bounds.
        own = ours["curvefit_coefficients"]
        np.testing.assert_allclose(own, theirs["curvefit_coefficients"].transpose(*own.dims), rtol=1e-3, atol=1e-4)


def test_bounds_choose_where_to_start():
    """A start outside of them moves to their middle, or one off the only one."""
    seen = []

    def line(t, a, b):
        seen.append((np.ravel(a)[0], np.ravel(b)[0]))
        return a * t + b

    data = xarray.DataArray(5 * TIME - 4, dims="time", coords={"time": TIME})
    curvefit(data, "time", line, bounds={"a": (4, 8), "b": (-np.inf, -2)})
    assert seen[0] == (6.0, -3.0)


def test_statistics_come_along():
    data = cube(("y", "x", "time"))
    data[{"y": 1, "x": 1}] = np.nan
    ours = curvefit(data, "time", models.exponential)
    fits = curve_fit_many(models.exponential, TIME, data.values)
    for name in ("redchi", "dof", "nfev"):
        assert ours[f"curvefit_{name}"].dims == ("y", "x")
        np.testing.assert_array_equal(ours[f"curvefit_{name}"], getattr(fits, name))


def test_starts_made_from_the_data():
    data = cube(("y", "x", "time"))

    def start(x, y):
        return np.stack([y.max(axis=1), 1 / x[y.argmin(axis=1)], y.min(axis=1)], axis=1)

    ours = curvefit(data, "time", models.exponential, p0=start)
    fits = curve_fit_many(models.exponential, TIME, data.values, start)
    np.testing.assert_array_equal(ours["curvefit_coefficients"], fits.popt)
    pytest.importorskip("dask")
    lazy = curvefit(data.chunk({"y": 2}), "time", models.exponential, p0=start)
    np.testing.assert_allclose(lazy["curvefit_coefficients"], fits.popt, rtol=1e-6)


# --- Lazily ---


@pytest.mark.parametrize("func", [decay, models.exponential], ids=["NumPy", "compiled"])
def test_chunks_are_fitted_lazily(func):
    pytest.importorskip("dask")
    data = cube(("y", "x", "time"))
    data[{"y": 1, "x": 1}] = np.nan
    expected = curvefit(data, "time", func)
    lazy = curvefit(data.chunk({"y": 2, "x": 3, "time": -1}), "time", func)
    for name, variable in lazy.data_vars.items():
        assert variable.chunks is not None, name
        assert variable.dtype == expected[name].dtype
        np.testing.assert_array_equal(variable.values, expected[name].values)
    with pytest.warns(UserWarning, match="4 chunks along axis"):
        merged = curvefit(data.chunk({"y": 6, "x": 5, "time": 10}), "time", func)
    np.testing.assert_array_equal(merged["curvefit_coefficients"].values, expected["curvefit_coefficients"].values)


def test_lazy_fits_that_fail_raise_when_they_are_computed():
    pytest.importorskip("dask")
    data = cube(("y", "x", "time")).chunk({"y": 2})
    lazy = curvefit(data, "time", decay, kwargs={"maxfev": 2})
    with pytest.raises(RuntimeError, match="maxfev reached"):
        lazy.compute()
    ignored = curvefit(data, "time", decay, kwargs={"maxfev": 2}, errors="ignore").compute()
    assert np.isnan(ignored["curvefit_coefficients"]).all()


# --- What fails, and what is refused ---


def test_failed_fits_raise_or_are_nan():
    data = cube()
    data[{"time": 5, "y": 2, "x": 3}] = np.inf
    with pytest.raises(RuntimeError, match=r"1 of 30 fits failed, the first at index \(2, 3\): data not usable"):
        curvefit(data, "time", decay)
    ours = curvefit(data, "time", decay, errors="ignore")
    assert np.isnan(ours["curvefit_coefficients"]).sum() == 3
    assert np.isnan(ours["curvefit_covariance"]).sum() == 9
    missing = cube()
    missing[{"time": 5, "y": 2, "x": 3}] = np.nan
    strict = curvefit(missing, "time", decay, skipna=False, errors="ignore")
    assert (strict["curvefit_status"] == 15).sum() == 1


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"func": 1}, TypeError, "func must be callable"),
        ({"coords": []}, ValueError, "coords is empty"),
        ({"coords": [TIME]}, TypeError, "expected names of coordinates"),
        ({"coords": "nowhere"}, KeyError, "the data have no coordinate 'nowhere'; they have"),
        ({"coords": None}, KeyError, "the data have no coordinate None; they have"),
        ({"obj": np.ones((3, 4))}, TypeError, "obj: expected a DataArray or a Dataset of xarray, got ndarray"),
        ({"obj": cube().rename(x="param")}, ValueError, "a dimension 'param', which is one of the result"),
        ({"reduce_dims": "band"}, ValueError, "reduce_dims names"),
        ({"errors": "warn"}, ValueError, "errors must be"),
        ({"p0": [1, 2, 3]}, TypeError, "p0 must be a dictionary"),
        ({"p0": {"speed": 1}}, ValueError, "p0 names"),
        ({"bounds": {"speed": (0, 1)}}, ValueError, "bounds names"),
        ({"bounds": {"rate": (0, 1, 2)}}, ValueError, "must be a pair"),
        ({"bounds": {"rate": 5}}, ValueError, "must be a pair"),
        ({"bounds": {"rate": (5, 1)}}, ValueError, "the lower one must be below the upper one"),
        ({"param_names": ["a", "a", "b"]}, ValueError, "names a parameter twice: a, a, b"),
        ({"p0": {"rate": xarray.DataArray(TIME, dims="time")}}, ValueError, "has the dimensions"),
        ({"func": lambda *p: p[0]}, ValueError, "name them in param_names"),
        ({"func": models.exponential, "param_names": ["a"]}, ValueError, "param_names names 1"),
        ({"kwargs": {"method": "newton"}}, ValueError, "method must be None, 'lm'"),
        ({"kwargs": {"method": "lm"}, "bounds": {"rate": (0, 1)}}, ValueError, "'lm' only works for unconstrained"),
        ({"kwargs": {"loss": "hubert"}}, ValueError, "loss"),
    ],
)
def test_bad_arguments_are_refused_in_words(arguments, error, message):
    with pytest.raises(error, match=message):
        curvefit(**{"obj": cube(), "coords": "time", "func": decay, **arguments})


@pytest.mark.parametrize("of", ["p0", "bounds", "sigma", "coords", "time"])
def test_labels_in_another_order_are_refused(of):
    """Fits would get each other's values."""
    data = cube()
    other = xarray.ones_like(data["x"], dtype=float)[::-1]
    arguments = {
        "p0": {"p0": {"rate": other}},
        "bounds": {"bounds": {"rate": (0, other + 8)}},
        "sigma": {"kwargs": {"sigma": xarray.ones_like(data)[::-1]}},
        "coords": {"coords": data["time"] + other, "reduce_dims": "time"},
        "time": {"coords": data["time"][::-1].rename("later"), "reduce_dims": "time"},
    }[of]
    with pytest.raises(ValueError, match="cannot align objects"):
        curvefit(**{"obj": data, "coords": "time", "func": decay, **arguments})


def test_a_dataset_without_the_dimension_is_refused():
    with pytest.raises(ValueError, match="no variable of the dataset"):
        curvefit(xarray.Dataset({"a": ("y", np.arange(3.0))}, coords={"time": TIME}), "time", decay)


def test_names_of_parameters():
    ours = curvefit(cube(), "time", lambda t, *p: p[0] * np.exp(-p[1] * t) + p[2], param_names=["a", "k", "c"])
    assert ours["param"].values.tolist() == ["a", "k", "c"]


def test_without_xarray():
    code = "import sys; sys.modules['xarray'] = None; import leastsq.xarray"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "leastsq.xarray needs xarray: pip install 'leastsq[xarray]'" in run.stderr
