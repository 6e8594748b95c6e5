"""Missing values and infinite predictors, in arrays and tables of every kind, for one fit and for many."""

import numpy as np
import pytest

from leastsq import curve_fit, curve_fit_many, models

T = np.arange(8.0)
Y = models.exponential(T, 10.0, 0.5, 1.0) + 0.05 * np.cos(9 * T)
HOLE_IN_X, HOLE_IN_Y = T == 5, T == 2
KEEP = ~(HOLE_IN_X | HOLE_IN_Y)
START = [8.0, 1.0, 0.5]


def decay(t, amplitude, rate, offset):
    return amplitude * np.exp(-rate * np.asarray(t, dtype=float)) + offset


def series(values):
    return pytest.importorskip("pandas").Series(values, index=list("abcdefgh"))


def nullable_series(values):
    pandas = pytest.importorskip("pandas")
    return pandas.Series([None if np.isnan(v) else v for v in values], dtype="Float64")


def data_array(values):
    return pytest.importorskip("xarray").DataArray(values, dims="t", coords={"t": T})


def polars_series(values):
    return pytest.importorskip("polars").Series([None if np.isnan(v) else v for v in values])


def masked_array(values):
    return np.ma.masked_invalid(values)


KINDS = [np.array, list, masked_array, series, nullable_series, data_array, polars_series]
each_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
each_function = pytest.mark.parametrize("f", [decay, models.exponential], ids=["numpy", "compiled"])


@each_kind
@each_function
def test_missing_points_of_every_kind_are_left_out_or_refused(kind, f):
    x, y = kind(np.where(HOLE_IN_X, np.nan, T)), kind(np.where(HOLE_IN_Y, np.nan, Y))
    expected, covariance = curve_fit(f, T[KEEP], Y[KEEP], START)
    popt, pcov = curve_fit(f, x, y, START, nan_policy="omit")
    np.testing.assert_array_equal(popt, expected)
    np.testing.assert_array_equal(pcov, covariance)
    with pytest.raises(ValueError, match="contains nan values: 2 of 8 points"):
        curve_fit(f, x, y, START, nan_policy="raise")
    fits = curve_fit_many(f, x, y, START)
    assert fits.dof == KEEP.sum() - 3
    # The compiled code sums in another order where points have weights.
    np.testing.assert_allclose(fits.popt, expected, rtol=1e-8)
    with pytest.raises(ValueError, match="2 of them in 1 data sets"):
        curve_fit_many(f, x, y, START, nan_policy="raise")


@each_kind
def test_columns_without_gaps_reach_the_function_as_they_are(kind):
    received = []
    x = kind(T)

    def f(t, a, b):
        received.append(t)
        return a * np.asarray(t, dtype=float) + b

    curve_fit(f, x, Y, [1, 1], nan_policy="omit")
    if kind in (series, nullable_series, data_array, polars_series):
        assert all(t is x for t in received)
    received.clear()
    curve_fit(f, x, np.where(HOLE_IN_Y, np.nan, Y), [1, 1], nan_policy="omit")
    if kind in (series, nullable_series, data_array, polars_series):
        assert {type(t) for t in received} == {type(x)}
    assert {len(t) for t in received} == {7}


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_rows_of_tables_are_points(library):
    frame = pytest.importorskip(library).DataFrame({"first": np.where(HOLE_IN_X, np.nan, T), "second": T**2 - T})
    y = np.where(HOLE_IN_Y, np.nan, 2 * T + 3 * (T**2 - T) + 0.1 * np.cos(T))

    def plane(frame, a, b):
        return a * np.asarray(frame["first"]) + b * np.asarray(frame["second"])

    expected, _ = curve_fit(lambda x, a, b: a * x[0] + b * x[1], (T[KEEP], (T**2 - T)[KEEP]), y[KEEP])
    popt, _ = curve_fit(plane, frame, y, nan_policy="omit")
    np.testing.assert_array_equal(popt, expected)
    with pytest.raises(ValueError, match="2 of 8 points"):
        curve_fit(plane, frame, y, nan_policy="raise")


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_columns_of_tables_are_the_predictors_of_a_model(library):
    u, v = (axis.ravel() for axis in np.meshgrid(np.arange(6.0), np.arange(5.0)))
    image = models.gaussian_2d((u, v), 3.0, 2.5, 2.0, 1.2, 0.5) + 0.01 * np.cos(u * v)
    frame = pytest.importorskip(library).DataFrame({"u": u, "v": v})
    expected, _ = curve_fit(models.gaussian_2d, (u, v), image)
    np.testing.assert_array_equal(curve_fit(models.gaussian_2d, frame, image)[0], expected)
    fits = curve_fit_many(models.gaussian_2d, frame, image)
    np.testing.assert_array_equal(fits.popt, curve_fit_many(models.gaussian_2d, (u, v), image).popt)


def test_an_array_of_xarrays_over_an_image():
    xarray = pytest.importorskip("xarray")
    u, v = np.meshgrid(np.arange(6.0), np.arange(5.0))
    image = 3 * u - 2 * v + 0.1 * np.cos(u * v)
    image[2, 3] = np.nan
    x = xarray.DataArray(np.array([u, v]), dims=("axis", "row", "column"))
    keep = np.isfinite(image)
    popt, _ = curve_fit(lambda x, a, b: a * x[0] + b * x[1], x, image, nan_policy="omit")
    expected, _ = curve_fit(lambda x, a, b: a * x[0] + b * x[1], (u[keep], v[keep]), image[keep])
    np.testing.assert_array_equal(popt, expected)


def test_a_column_beside_a_row():
    """Observations as a table of one column, as they come from files."""
    y = np.where(HOLE_IN_Y, np.nan, Y)[:, None]
    expected, _ = curve_fit(decay, T[~HOLE_IN_Y], Y[~HOLE_IN_Y], START)
    np.testing.assert_array_equal(curve_fit(decay, T, y, START, nan_policy="omit")[0], expected)


# --- Infinite predictors ---

EDGE = np.where(T == 0, -np.inf, T)


def bump(t, height, width):
    """Without a value at infinity, where it is infinity times zero."""
    with np.errstate(invalid="ignore"):
        return height * t * np.exp(-((t / width) ** 2))


def bump_jac(t, height, width):
    e = bump(t, 1.0, width)
    return np.stack(np.broadcast_arrays(e, 2 * height * e * t**2 / width**3), axis=-1)


@pytest.mark.parametrize("jac", [None, bump_jac], ids=["differences", "jac"])
def test_infinite_predictors_are_blamed_and_not_the_start(jac):
    y = np.nan_to_num(bump(T, 2.0, 3.0))
    with pytest.raises(ValueError, match=r"f: 1 of 8 points have xdata .* not finite, .* index \[0\]"):
        curve_fit(bump, EDGE, y, [1, 1], jac=jac, check_finite=False)
    for vectorized in (True, False):
        fits = curve_fit_many(bump, EDGE, y, [1, 1], jac=jac, vectorized=vectorized)
        assert fits.status == 15
        assert "predictors are infinite where the model has no value" in fits.message(())
        left_out = curve_fit_many(bump, EDGE, y, [1, 2], jac=jac, sigma=np.where(T == 0, np.inf, 1.0))
        assert left_out.success


def test_infinite_predictors_of_compiled_models_are_blamed():
    y = models.damped_sine(T, 2.0, 0.1, 0.2, 0.3, 1.0)
    with pytest.raises(ValueError, match="1 of 8 points have xdata that are not finite"):
        curve_fit(models.damped_sine, EDGE, y, [1, 0.1, 0.2, 0, 0], check_finite=False)
    assert curve_fit_many(models.damped_sine, EDGE, y).status == 15


def test_a_start_without_values_anywhere_is_blamed_beside_infinite_predictors():
    def f(t, a, b):
        return a * np.exp(-np.abs(t)) + np.log(b)

    with np.errstate(invalid="ignore"), pytest.raises(ValueError, match="8 of 8 values at the starting point"):
        curve_fit(f, EDGE, Y, [1, -1], check_finite=False)
    assert curve_fit_many(f, EDGE, Y, [1, -1.0]).status == 10


# --- What is for other shapes ---


def test_rows_that_are_predictors_are_told_of_tuples():
    x, y = np.stack([T, T**2]), np.stack([2 * T + 0.1 * T**2, 3 * T])

    def plane(x, a, b):
        return a * x[0] + b * x[1]

    with pytest.raises(ValueError, match="if its rows are predictors, pass a tuple of them"):
        curve_fit_many(plane, x, y, [1, 1])
    expected = [curve_fit(plane, x, row, [1, 1])[0] for row in y]
    np.testing.assert_allclose(curve_fit_many(plane, tuple(x), y, [1, 1]).popt, expected, rtol=1e-9, atol=1e-12)


@each_function
@pytest.mark.parametrize("lead", [(), (1,), (3, 1)])
def test_predictors_do_not_make_more_fits_than_there_are_data_sets(f, lead):
    with pytest.raises(ValueError, match=r"xdata is for fits of shape \(2,\), ydata for .*tuple of them"):
        curve_fit_many(f, np.stack([T, T**2]), np.broadcast_to(Y, (*lead, 8)), START)


def test_several_starts_make_several_fits_of_one_data_set():
    assert curve_fit_many(decay, T, Y, np.multiply.outer([0.9, 1.0, 1.1], START)).shape == (3,)


@pytest.mark.parametrize("name", ["gaussian", "exponential", "sine", "logistic4"])
@pytest.mark.parametrize("kind", ["one", "many", "each", "file"])
def test_points_of_infinite_sigma_do_not_mislead_guesses(name, kind, tmp_path):
    """Whatever is observed there, starts are the same as without these points."""
    rng = np.random.default_rng(3)
    model = getattr(models, name)
    truth = {
        "gaussian": [5, 4, 0.8, 1],
        "exponential": [3, 0.5, 1],
        "sine": [2, 0.6, 0.3, 1],
        "logistic4": [0, 4, 5, 1.2],
    }
    x = np.linspace(0, 10, 80)
    y = model(x, *truth[name]) + 0.05 * rng.standard_normal(80)
    sigma = np.full(80, 0.05)
    sigma[[7, 30, 61]] = np.inf
    expected, _ = curve_fit(model, x, np.where(np.isinf(sigma), np.nan, y), sigma=sigma, nan_policy="omit")
    y[[7, 30, 61]] = [1e3, -2e3, 500]
    if kind == "one":
        found, _ = curve_fit(model, x, y, sigma=sigma)
    elif kind == "file":
        files = []
        for column in (x, y, sigma):
            files.append(np.memmap(tmp_path / str(len(files)), dtype=np.float64, mode="w+", shape=80))
            files[-1][:] = column
        found, _ = curve_fit(model, files[0], files[1], sigma=files[2])
    else:
        found = curve_fit_many(model, x, np.stack([y, y]), sigma=sigma if kind == "many" else [sigma, sigma]).popt[1]
    # Starts differ by rounding at most, and ends by less than xtol = 1.5e-8.
    np.testing.assert_allclose(found, expected, rtol=1e-8)
