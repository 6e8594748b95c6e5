"""`curve_fit`: data of every kind."""

import numpy as np
import pytest
from curves import COVARIANCE_MATRIX, SIGMA, T, line

from leastsq import curve_fit

# --- Data ---


def unaligned(a):
    return np.frombuffer(bytearray(b"-" + a.tobytes()), float, offset=1)


@pytest.mark.parametrize(
    "kind", [list, tuple, np.float32, lambda a: np.ma.array(a), lambda a: a.astype(object), unaligned]
)
def test_data_of_every_kind(kind):
    x = np.arange(10.0)
    y = 2 * x + 1
    popt, _ = curve_fit(line, kind(x), kind(y))
    np.testing.assert_allclose(popt, [2, 1], atol=1e-8)


def test_predictors_of_any_kind_are_passed_on():
    class Anything:
        values = np.arange(10.0)

    thing = Anything()
    seen = set()

    def model(x, a):
        seen.add(id(x))
        return a * x.values

    curve_fit(model, thing, 2 * thing.values)
    assert seen == {id(thing)}
    popt, _ = curve_fit(lambda x, a, b: a * x[0] + b * x[1], (np.arange(5.0), np.ones(5)), 2 * np.arange(5.0) + 3)
    np.testing.assert_allclose(popt, [2, 3], atol=1e-8)


def test_images():
    x, y = np.meshgrid(np.arange(8.0), np.arange(6.0))
    image = 3 * np.exp(-((x - 3.2) ** 2 + (y - 2.1) ** 2) / 4) + 0.01 * np.cos(x * y)

    def spot(xy, height, x0, y0):
        return height * np.exp(-((xy[0] - x0) ** 2 + (xy[1] - y0) ** 2) / 4)

    popt, _ = curve_fit(spot, (x, y), image, p0=[1, 3, 3])
    flat, _ = curve_fit(lambda xy, *p: spot(xy, *p).ravel(), (x, y), image.ravel(), p0=[1, 3, 3])
    np.testing.assert_array_equal(popt, flat)


def test_columns_are_not_broadcast_into_a_square():
    popt, _ = curve_fit(lambda x, a, b: (a * x + b)[:, None], T, 3 * T - 1)
    np.testing.assert_allclose(popt, [3, -1], atol=1e-7)


def test_one_value_is_broadcast():
    popt, _ = curve_fit(lambda x, a, b: a * x + b - (2 * T + 1), T, 0)
    np.testing.assert_allclose(popt, [2, 1], atol=1e-7)
    popt, _ = curve_fit(lambda x, c: c, T, T)
    np.testing.assert_allclose(popt, [2], atol=1e-9)


@pytest.mark.parametrize("value", [np.nan, np.ma.masked])
def test_missing_points(value):
    y = np.ma.array(3 * T - 1 + 0.1 * np.cos(T))
    full = y.copy()
    y[[3, 17]] = value
    keep = np.delete(np.arange(T.size), [3, 17])
    for sigma, kept in ((None, None), (SIGMA, SIGMA[keep]), (COVARIANCE_MATRIX, COVARIANCE_MATRIX[np.ix_(keep, keep)])):
        popt, pcov = curve_fit(line, T, y, sigma=sigma, nan_policy="omit")
        expected, covariance = curve_fit(line, T[keep], full[keep], sigma=kept)
        np.testing.assert_array_equal(popt, expected)
        np.testing.assert_array_equal(pcov, covariance)
    with pytest.raises(ValueError, match="contains nan values: 2 of 40 points"):
        curve_fit(line, T, y, nan_policy="raise")
    with pytest.raises(ValueError, match=r"ydata: 2 of 40 values are not finite, the first at index \[3\]"):
        curve_fit(line, T, y)


def test_without_nan_predictors_may_have_any_shape():
    popt, _ = curve_fit(lambda x, a: a * x.sum() * T, np.ones((3, 2)), 6 * T, nan_policy="omit")
    np.testing.assert_allclose(popt, [1])


def test_missing_pixels():
    x, y = np.meshgrid(np.arange(8.0), np.arange(6.0))
    image = 3 * np.exp(-((x - 3.2) ** 2 + (y - 2.1) ** 2) / 4) + 0.01 * np.cos(x * y)
    holes = image.copy()
    holes[2, 3] = holes[5, 0] = np.nan
    keep = np.isfinite(holes)
    sigma = 0.01 + 0.001 * x

    def spot(xy, height, x0, y0):
        return height * np.exp(-((xy[0] - x0) ** 2 + (xy[1] - y0) ** 2) / 4)

    popt, pcov = curve_fit(spot, np.array([x, y]), holes, [1, 3, 3], sigma.ravel(), nan_policy="omit")
    expected, covariance = curve_fit(spot, np.array([x[keep], y[keep]]), image[keep], [1, 3, 3], sigma[keep])
    np.testing.assert_array_equal(popt, expected)
    np.testing.assert_array_equal(pcov, covariance)


def test_images_with_a_sigma_for_each_pixel():
    x, y = np.meshgrid(np.arange(8.0), np.arange(6.0))
    image = 3 * np.exp(-((x - 3.2) ** 2 + (y - 2.1) ** 2) / 4) + 0.01 * np.cos(x * y)
    sigma = 0.01 + 0.001 * x

    def spot(xy, height, x0, y0):
        return height * np.exp(-((xy[0] - x0) ** 2 + (xy[1] - y0) ** 2) / 4)

    popt, pcov = curve_fit(spot, (x, y), image, [1, 3, 3], sigma)
    expected, covariance = curve_fit(spot, (x, y), image, [1, 3, 3], sigma.ravel())
    np.testing.assert_array_equal(popt, expected)
    np.testing.assert_array_equal(pcov, covariance)


def test_text_is_read_as_numbers():
    popt, _ = curve_fit(line, [str(i) for i in range(10)], [str(2 * i + 1) for i in range(10)])
    np.testing.assert_allclose(popt, [2, 1], atol=1e-7)


def test_columns_of_dates_are_what_the_function_makes_of_them():
    pandas = pytest.importorskip("pandas")
    days = pandas.Series(np.datetime64("2020-01-01") + np.arange(10))
    y = 1 + 2.0 * np.arange(10)
    y[4], days[3] = np.nan, pandas.NaT

    def line_from_the_first(t, a, b):
        return a + b * (t - t.iloc[0]).dt.days

    popt, _ = curve_fit(line_from_the_first, days, y, nan_policy="omit")
    np.testing.assert_allclose(popt, [1, 2], atol=1e-7)


def test_infinite_sigma_leaves_a_point_out():
    y = 3 * T - 1 + 0.1 * np.cos(T)
    y[5] = 1e6
    sigma = np.where(np.arange(T.size) == 5, np.inf, 0.1)
    popt, _ = curve_fit(line, T, y, sigma=sigma)
    expected, _ = curve_fit(line, np.delete(T, 5), np.delete(y, 5))
    np.testing.assert_allclose(popt, expected, rtol=1e-7)


@pytest.mark.parametrize("late", [None, "text", np.array(["2026-03-01"] * 8, "M8[D]"), {}], ids=str)
@pytest.mark.parametrize("jac", [None, "2-point", "3-point"])
def test_values_that_go_bad_beside_the_start_are_refused_in_words(late, jac):
    calls = iter(range(1, 100))

    def model(x, a, b):
        return a * np.exp(-b * x) if next(calls) < 3 else late

    x = np.linspace(0, 3, 8)
    with pytest.raises(TypeError, match=r"f: got .* expected real numbers"):
        curve_fit(model, x, 2 * np.exp(-x), [1.0, 0.5], jac=jac)
