"""Native functions inside bounds: they are evaluated at no point outside, not for differences either."""

import ctypes

import numpy as np
import pytest

from leastsq import curve_fit, curve_fit_many, leastsq, models, native

POINTER = ctypes.POINTER(ctypes.c_double)
DECLARED = {
    "fit": ctypes.CFUNCTYPE(ctypes.c_int, *[ctypes.c_int64] * 2, *[POINTER] * 4, ctypes.c_void_p),
    "lanes": ctypes.CFUNCTYPE(ctypes.c_int, *[ctypes.c_int64] * 4, *[POINTER] * 4, ctypes.c_void_p),
}
NAMES = ["amplitude", "rate", "offset"]
T = np.linspace(0, 4, 40)
RATES = np.linspace(0.5, 1.5, 30)
Y = models.exponential(T, 2.0, RATES[:, None], 0.1) + 0.02 * np.cos(25 * T)
START = [1.0, 0.8, 0.2]
# The rates of some fits and the offsets of most end on a bound.
LOWER, UPPER = np.array([0.5, 0.8, 0.0]), np.array([3.0, 1.2, 0.3])
# Where points are so many that a fit is made by itself.
TALL = 2**16 + 1


def recorded(layout, seen, derivatives=False):
    """Return a decay that notes at which parameters it is evaluated."""

    @DECLARED["fit"]
    def of_fit(m, n, x, p, out, jac, data):
        own = np.ctypeslib.as_array(p, (n,))
        seen.append(own.copy())
        t, (a, k, c) = np.ctypeslib.as_array(x, (m,)), own
        e = np.exp(-k * t)
        np.ctypeslib.as_array(out, (m,))[:] = a * e + c
        if jac:
            np.ctypeslib.as_array(jac, (m, n))[:] = np.stack([e, -a * t * e, np.ones(m)], axis=1)
        return 0

    @DECLARED["lanes"]
    def of_lanes(width, rows, stride, n, x, p, out, jac, data):
        own = np.ctypeslib.as_array(p, (n, width))
        seen.extend(own.T.copy())
        t, (a, k, c) = np.ctypeslib.as_array(x, (rows, width)), own
        np.ctypeslib.as_array(out, (rows, width))[:] = a * np.exp(-k * t) + c
        return 0

    return native.model(of_fit if layout == "fit" else of_lanes, NAMES, layout=layout, derivatives=derivatives)


def assert_inside(seen, lower=LOWER, upper=UPPER):
    points = np.array(seen)
    assert len(points) > 4
    assert (points >= lower).all()
    assert (points <= upper).all()
    assert (points == lower).any()  # and bounds are met


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["fit", "lanes"])
@pytest.mark.parametrize("start", [START, LOWER, UPPER], ids=["inside", "lower", "upper"])
@pytest.mark.parametrize("every", [1, 14], ids=["many", "fewer than lanes"])
def test_many_fits(layout, start, every):
    seen, y = [], Y[::every]
    fits = curve_fit_many(recorded(layout, seen), T, y, start, bounds=(LOWER, UPPER))
    assert_inside(seen)
    expected = curve_fit_many(models.exponential, T, y, start, bounds=(LOWER, UPPER))
    assert fits.success.all()
    # Differences are as exact as the square root of the rounding error, and the minimum as flat.
    np.testing.assert_allclose(fits.popt, expected.popt, rtol=0, atol=1e-5)
    np.testing.assert_array_equal(fits.active_mask, expected.active_mask)
    assert {-1, 1} <= set(fits.active_mask[:, 1].tolist())


@pytest.mark.parametrize("layout", ["fit", "lanes"])
def test_fixed_parameters_are_not_moved_for_differences(layout):
    seen = []
    fits = curve_fit_many(recorded(layout, seen), T, Y, START, fixed=["rate"], bounds={"offset": (0, 0.3)})
    assert set(np.array(seen)[:, 1].tolist()) == {0.8}
    assert fits.success.all()
    assert (fits["rate"] == 0.8).all()


@pytest.mark.parametrize("layout", ["fit", "lanes"])
@pytest.mark.parametrize("options", [{}, {"jac": "3-point"}, {"loss": "soft_l1"}], ids=str)
def test_single_fits(layout, options):
    seen = []
    for y in (Y[0], Y[29]):
        found = curve_fit(recorded(layout, seen), T, y, START, bounds=(LOWER, UPPER), full_output=True, **options)
        expected = curve_fit(
            models.exponential, T, y, START, bounds=(LOWER, UPPER), full_output=True, loss=options.get("loss", "linear")
        )
        np.testing.assert_allclose(found[0], expected[0], rtol=0, atol=1e-5)
        np.testing.assert_array_equal(found[2]["active_mask"], expected[2]["active_mask"])
    assert_inside(seen)


def test_tall_fits():
    seen = []
    t = np.linspace(0, 4, TALL)
    y = models.exponential(t, 2.0, 0.5, 0.1) + 0.02 * np.cos(25 * t)
    fits = curve_fit_many(recorded("fit", seen), t, y, START, bounds=(LOWER, UPPER))
    popt, _ = curve_fit(recorded("fit", seen), t, y, START, bounds=(LOWER, UPPER))
    assert_inside(seen)
    expected = curve_fit_many(models.exponential, t, y, START, bounds=(LOWER, UPPER))
    np.testing.assert_allclose(fits.popt, expected.popt, rtol=0, atol=1e-5)
    np.testing.assert_allclose(popt, expected.popt, rtol=0, atol=1e-5)
    assert fits.active_mask.tolist() == expected.active_mask.tolist() == [0, -1, 1]


def test_residuals():
    seen = []
    y = T.copy()

    @DECLARED["fit"]
    def of_line(m, n, x, p, out, jac, data):
        own = np.ctypeslib.as_array(p, (n,))
        seen.append(own.copy())
        np.ctypeslib.as_array(out, (m,))[:] = own[0] * np.ctypeslib.as_array(x, (m,)) + own[1] ** 2 - y
        return 0

    bounds = ([0, 0.5], [0.9, 2])
    x, _ = leastsq(native.model(of_line, ["slope", "root"]), [0.5, 1], args=(T,), bounds=bounds)
    assert_inside(seen, *bounds)
    assert x.tolist() == [0.9, 0.5]
