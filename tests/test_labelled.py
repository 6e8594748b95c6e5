"""Labelled data: columns of data frames by name, coordinates of xarray that come back."""

import pickle

import numpy as np
import pytest

from leastsq import ManyFits, curve_fit_many, models

T = np.linspace(0, 4, 20)


def decay(x, amplitude, rate):
    return amplitude * np.exp(-rate * x)


def columns():
    rng = np.random.default_rng(1)
    plate, well = np.repeat(["P2", "P1"], 40), np.tile(np.repeat([2, 1], 20), 2)
    time = np.tile(T, 4)
    signal = decay(time, 2.0, 0.3 * well + 0.4 * (plate == "P2")) + 0.01 * rng.standard_normal(80)
    return {"plate": plate, "well": well, "time": time, "signal": signal, "error": rng.uniform(1, 2, 80)}


@pytest.fixture(params=["pandas", "polars"])
def frame(request):
    return pytest.importorskip(request.param).DataFrame


def test_columns_by_name(frame):
    table, given = frame(columns()), columns()
    wanted = curve_fit_many(decay, given["time"], given["signal"], [1, 1], given["error"], groups=given["plate"])
    found = curve_fit_many(decay, "time", "signal", [1, 1], "error", groups="plate", data=table)
    assert found.groups.tolist() == ["P1", "P2"]
    np.testing.assert_array_equal(found.popt, wanted.popt)
    np.testing.assert_array_equal(found.pcov, wanted.pcov)
    mixed = curve_fit_many(decay, given["time"], "signal", [1, 1], given["error"], groups=given["plate"], data=table)
    np.testing.assert_array_equal(mixed.popt, wanted.popt)
    one = curve_fit_many(models.exponential, "time", "signal", data=table)
    assert one.shape == ()


def test_labels_of_several_columns(frame):
    table = frame(columns())
    fits = curve_fit_many(decay, "time", "signal", [1, 1], groups=["plate", "well"], data=table)
    assert fits.groups.tolist() == [("P1", 1), ("P1", 2), ("P2", 1), ("P2", 2)]
    np.testing.assert_allclose(fits["rate"], [0.3, 0.6, 0.7, 1.0], atol=0.02)
    assert fits.group(("P2", 1))["rate"] == fits["rate"][2]
    pandas = pytest.importorskip("pandas")
    index = fits.to_dataframe().index
    assert isinstance(index, pandas.MultiIndex)
    assert list(index.names) == ["plate", "well"]
    assert index.tolist() == fits.groups.tolist()
    pytest.importorskip("xarray")
    data = fits.to_xarray()
    assert data["plate"].values.tolist() == ["P1", "P1", "P2", "P2"]
    assert data["popt"].dims == ("group", "param")


def test_several_predictors_and_data_sets_side_by_side(frame):
    rng = np.random.default_rng(2)
    given = {name: rng.uniform(0, 1, 30) for name in "xyab"}
    table = frame(given)
    fits = curve_fit_many(lambda xy, p, q: p * xy[0] + q * xy[1], ["x", "y"], ["a", "b"], [1, 1], data=table)
    wanted = np.linalg.lstsq(np.stack([given["x"], given["y"]], 1), np.stack([given["a"], given["b"]], 1))[0].T
    np.testing.assert_allclose(fits.popt, wanted, rtol=1e-6)


def test_missing_numbers_and_labels(frame):
    given = columns()
    given["signal"] = [None, *given["signal"][1:]]
    fits = curve_fit_many(decay, "time", "signal", [1, 1], groups="plate", data=frame(given))
    assert fits.dof.tolist() == [38, 37]
    given["plate"] = [None, *given["plate"][1:]]
    for groups in ("plate", ["plate", "well"]):
        with pytest.raises(ValueError, match=r"1 labels.* are missing.* row 0"):
            curve_fit_many(decay, "time", "signal", [1, 1], groups=groups, data=frame(given))


def test_numbers_of_pandas_that_may_be_missing():
    pandas = pytest.importorskip("pandas")
    given = pandas.DataFrame(columns())
    given["signal"] = given["signal"].convert_dtypes()
    given.loc[0, "signal"] = pandas.NA
    given["plate"] = given["plate"].astype("category")
    fits = curve_fit_many(decay, "time", "signal", [1, 1], groups="plate", data=given)
    assert fits.dof.tolist() == [38, 37]
    assert fits.group("P1").success


def test_wrong_columns(frame):
    table = frame(columns())
    with pytest.raises(KeyError, match="ydata: data has no column 'sginal'; it has plate, well, time"):
        curve_fit_many(decay, "time", "sginal", [1, 1], data=table)
    with pytest.raises(TypeError, match=r"xdata: column 'plate' holds .*, expected real numbers"):
        curve_fit_many(decay, "plate", "signal", [1, 1], data=table)
    with pytest.raises(TypeError, match="data must be a data frame of pandas or polars, got dict"):
        curve_fit_many(decay, "time", "signal", [1, 1], data=columns())


def test_lazy_frames_are_refused():
    polars = pytest.importorskip("polars")
    with pytest.raises(TypeError, match=r"data is a lazy frame: collect\(\) or compute\(\) it first"):
        curve_fit_many(decay, "time", "signal", [1, 1], data=polars.DataFrame(columns()).lazy())


# --- xarray ---


@pytest.fixture
def cube():
    xarray = pytest.importorskip("xarray")
    rates = xarray.DataArray(
        np.linspace(0.5, 1.5, 6).reshape(2, 3), dims=("lat", "lon"), coords={"lat": [50.0, 51.0], "lon": [7, 8, 9]}
    )
    time = xarray.DataArray(T, dims="time", coords={"time": T})
    return (2 * np.exp(-rates * time) + 0.01 * np.cos(25 * time)).transpose("lat", "time", "lon")


def test_coordinates_come_back(cube):
    fits = curve_fit_many(models.exponential, T, cube, axis=1)
    data = fits.to_xarray()
    assert data["popt"].dims == ("lat", "lon", "param")
    assert data["lat"].values.tolist() == [50.0, 51.0]
    assert data["lon"].values.tolist() == [7, 8, 9]
    assert data["popt"].sel(lat=51, lon=7, param="rate").item() == fits.popt[1, 0, 1]
    table = pytest.importorskip("pandas") and fits.to_dataframe()
    assert list(table.index.names) == ["lat", "lon"]
    assert table.loc[(51.0, 7), "rate"] == fits.popt[1, 0, 1]
    other = fits.to_xarray(["a", "b"])
    assert other["b"].values.tolist() == [7, 8, 9]
    assert pickle.loads(pickle.dumps(fits)).to_xarray().identical(data)


@pytest.mark.parametrize(
    ("index", "dims"),
    [
        (1, ("lon",)),
        ((slice(None), 2), ("lat",)),
        ((..., slice(1, None)), ("lat", "lon")),
        ((0, [0, 2]), ("fit_0",)),
        (..., ("lat", "lon")),
    ],
    ids=repr,
)
def test_coordinates_of_some(cube, index, dims):
    part = curve_fit_many(models.exponential, T, cube, axis=1)[index]
    data = part.to_xarray()
    assert data["chisq"].dims == dims
    whole = cube.isel(time=0, drop=True)[index] if dims != ("fit_0",) else None
    for dim in dims if whole is not None else ():
        np.testing.assert_array_equal(data[dim], whole[dim])


def test_coordinates_of_those_in_a_row(cube):
    fits = curve_fit_many(models.exponential, T, cube[0].T)
    for index in ([2, 0], np.array([True, False, True]), fits.success):
        np.testing.assert_array_equal(fits[index].to_xarray()["lon"], np.array([7, 8, 9])[index])
    assert fits[0].to_xarray()["popt"].dims == ("param",)


def test_coordinates_are_joined_and_kept_in_files(cube, tmp_path):
    fits = curve_fit_many(models.exponential, T, cube, axis=1)
    assert ManyFits.concatenate([fits[:1], fits[1:]]).to_xarray().identical(fits.to_xarray())
    assert ManyFits.concatenate([fits[:, :2], fits[:, 2:]], axis=1).to_xarray().identical(fits.to_xarray())
    assert ManyFits.concatenate([fits[:, :1], fits[:, 1:2]]).coords is None
    fits.save(tmp_path / "fits.npz")
    assert ManyFits.load(tmp_path / "fits.npz").to_xarray().identical(fits.to_xarray())


def test_axes_that_starts_bring_have_no_coordinates(cube):
    fits = curve_fit_many(decay, T, cube[0, :, 0], np.ones((3, 2)))
    assert fits.coords is None
    assert fits.to_xarray()["popt"].dims == ("fit_0", "param")
