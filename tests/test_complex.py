"""Complex data: the fits of real and imaginary parts that users would stack by hand."""

import numpy as np
import pytest

from leastsq import OptimizeWarning, curve_fit, curve_fit_many, leastsq, models

W = np.geomspace(0.1, 50, 25)
TRUTH = np.array([[1.0, 2.0, 0.5], [1.5, 3.0, 0.4], [0.5, 1.0, 1.0]])
RNG = np.random.default_rng(3)


def impedance(w, series, parallel, tau):
    """A resistor in series with a resistor and a capacitor beside it."""
    return series + parallel / (1 + 1j * w * tau)


def slopes(w, series, parallel, tau):
    inner = 1 / (1 + 1j * w * tau)
    one = np.ones(np.broadcast_shapes(np.shape(inner)))
    return np.stack([one, inner, -parallel * 1j * w * inner**2], axis=-1)


def stacked(w, *parameters):
    z = impedance(w, *parameters)
    return np.concatenate([z.real, z.imag], axis=-1)


def noise(*shape):
    return 0.02 * (RNG.normal(size=shape) + 1j * RNG.normal(size=shape))


Z = impedance(W, *TRUTH.T[:, :, None]) + noise(3, W.size)
START = [0.9, 1.8, 0.6]
STACKED = np.concatenate([Z.real, Z.imag], axis=1)
# Sums of squares in another order, from where the last steps are of this relative length.
SAME = {"rtol": 1e-7, "atol": 1e-10}
# Standard errors, by Jacobians at points that differ by these.
ERRORS = {"rtol": 1e-5, "atol": 1e-12}
SIGMA = 0.01 + 0.002 * np.arange(W.size)


def assert_same(found, expected):
    np.testing.assert_allclose(found.popt, expected.popt, **SAME)
    np.testing.assert_allclose(found.stderr, expected.stderr, **ERRORS)
    np.testing.assert_allclose(found.chisq, expected.chisq, **SAME)
    np.testing.assert_array_equal(found.dof, expected.dof)
    assert found.success.all()


@pytest.mark.parametrize("sigma", [None, 0.02, SIGMA, SIGMA + 1j * SIGMA[::-1]])
def test_one_fit_is_that_of_stacked_parts(sigma):
    by_hand = sigma
    if np.ndim(sigma):
        by_hand = np.concatenate([sigma.real, sigma.imag if np.iscomplexobj(sigma) else sigma])
    popt, pcov, info, _, _ = curve_fit(impedance, W, Z[0], START, sigma, full_output=True)
    expected = curve_fit(stacked, W, STACKED[0], START, by_hand)
    np.testing.assert_allclose(popt, expected[0], **SAME)
    np.testing.assert_allclose(pcov, expected[1], rtol=1e-5, atol=1e-10)
    residuals = info["fvec"].view(complex)
    scale = 1.0 if sigma is None else sigma
    rest = impedance(W, *popt) - Z[0]
    wanted = rest.real / np.real(scale) + 1j * rest.imag / (np.imag(scale) if np.iscomplexobj(scale) else scale)
    np.testing.assert_allclose(residuals, wanted, rtol=1e-12)


def test_one_fit_with_derivatives():
    plain = curve_fit(impedance, W, Z[0], START)[0]
    np.testing.assert_allclose(curve_fit(impedance, W, Z[0], START, jac=slopes)[0], plain, rtol=1e-6)
    by_columns = curve_fit(impedance, W, Z[0], START, jac=lambda *a: slopes(*a).T, col_deriv=True)[0]
    np.testing.assert_allclose(by_columns, plain, rtol=1e-6)
    np.testing.assert_allclose(curve_fit(impedance, W, Z[0], START, jac="3-point")[0], plain, rtol=1e-6)


def test_one_fit_with_a_covariance_matrix():
    variances = np.repeat(SIGMA**2, 2)
    popt, pcov = curve_fit(impedance, W, Z[0], START, np.diag(variances))
    expected = curve_fit(impedance, W, Z[0], START, SIGMA)
    np.testing.assert_allclose(popt, expected[0], **SAME)
    np.testing.assert_allclose(pcov, expected[1], rtol=1e-5, atol=1e-10)
    with pytest.raises(ValueError, match=r"covariance matrix of real and imaginary parts in turn, shape \(50, 50\)"):
        curve_fit(impedance, W, Z[0], START, np.eye(W.size))


def test_one_fit_without_missing_points():
    z = Z[0].copy()
    z[3] = complex(np.nan, 1)
    z[7] = complex(1, np.nan)
    keep = np.isfinite(z)
    expected = curve_fit(impedance, W[keep], z[keep], START, SIGMA[keep])
    found = curve_fit(impedance, W, z, START, SIGMA, nan_policy="omit")
    assert (found[0].tobytes(), found[1].tobytes()) == (expected[0].tobytes(), expected[1].tobytes())
    with pytest.raises(ValueError, match=r"2 of 25 values are not finite, the first at index \[3\]"):
        curve_fit(impedance, W, z, START)
    with pytest.raises(ValueError, match="contains nan values: 2 of 25"):
        curve_fit(impedance, W, z, START, nan_policy="raise")


def test_constant_and_single_precision():
    popt, _ = curve_fit(lambda w, a, b: a + 1j * b, W, Z[0], [1, 1])
    np.testing.assert_allclose(popt, [Z[0].real.mean(), Z[0].imag.mean()], rtol=1e-7)
    popt, _ = curve_fit(lambda *a: impedance(*a).astype(np.complex64), W, Z[0], START)
    np.testing.assert_allclose(popt, curve_fit(impedance, W, Z[0], START)[0], rtol=2e-3)


@pytest.mark.parametrize("vectorized", [True, False])
@pytest.mark.parametrize("jac", [None, slopes])
def test_many_fits_are_those_of_stacked_parts(vectorized, jac):
    found = curve_fit_many(impedance, W, Z, START, jac=jac, vectorized=vectorized)
    for i in range(3):
        popt, pcov = curve_fit(impedance, W, Z[i], START, jac=jac)
        np.testing.assert_allclose(found.popt[i], popt, **SAME)
        np.testing.assert_allclose(found.pcov[i], pcov, rtol=1e-5, atol=1e-10)
    assert found.dof.tolist() == [2 * W.size - 3] * 3
    assert found.param_names == ("series", "parallel", "tau")
    assert found.model is impedance


@pytest.mark.parametrize("sigma", [SIGMA, SIGMA + 1j * SIGMA[::-1], np.full((3, W.size), 0.02)])
def test_many_fits_with_errors(sigma):
    found = curve_fit_many(impedance, W, Z, START, sigma)
    for i in range(3):
        popt, pcov = curve_fit(impedance, W, Z[i], START, sigma[i] if sigma.ndim > 1 else sigma)
        np.testing.assert_allclose(found.popt[i], popt, **SAME)
        np.testing.assert_allclose(found.pcov[i], pcov, rtol=1e-5, atol=1e-10)


@pytest.mark.parametrize("vectorized", [True, False])
def test_many_fits_with_missing_points_and_parts(vectorized):
    z = Z.copy()
    z[0, 3] = complex(np.nan, 1)
    sigma = np.broadcast_to(SIGMA + 1j * SIGMA, Z.shape).copy()
    sigma[1, 4] = complex(np.inf, sigma[1, 4].imag)  # an imaginary part alone
    found = curve_fit_many(impedance, W, z, START, sigma, vectorized=vectorized)
    assert found.dof.tolist() == [2 * W.size - 3 - 2, 2 * W.size - 3 - 1, 2 * W.size - 3]
    keep = np.isfinite(z[0])
    np.testing.assert_allclose(found.popt[0], curve_fit(impedance, W[keep], z[0, keep], START, SIGMA[keep])[0], **SAME)
    np.testing.assert_allclose(found.popt[1], curve_fit(impedance, W, z[1], START, sigma[1])[0], **SAME)


def test_many_fits_along_other_axes():
    expected = curve_fit_many(impedance, W, Z, START)
    assert_same(curve_fit_many(impedance, W, Z.T, START, axis=0), expected)
    assert_same(curve_fit_many(impedance, W.reshape(5, 5), Z.reshape(3, 5, 5), START, axis=(1, 2)), expected)
    assert_same(curve_fit_many(impedance, np.tile(W, (3, 1)), Z, START), expected)
    assert_same(curve_fit_many(impedance, W, Z, lambda x, y: [START] * len(y)), expected)
    assert_same(curve_fit_many(impedance, W, Z, START, workers=2), expected)
    masked = np.ma.masked_invalid(np.where(np.arange(W.size) == 2, np.nan, Z))
    assert curve_fit_many(impedance, W, masked, START).dof.tolist() == [2 * W.size - 5] * 3


def test_starts_from_complex_data():
    def start(x, y):
        assert np.iscomplexobj(y)
        assert x.shape == W.shape
        return np.stack([y.real[:, -1], y.real[:, 0] - y.real[:, -1], np.ones(len(y))], axis=1)

    assert_same(curve_fit_many(impedance, W, Z, start), curve_fit_many(impedance, W, Z, START))


@pytest.mark.filterwarnings("ignore:ydata has 2 chunks along axis")
@pytest.mark.parametrize("sigma", [None, SIGMA, SIGMA + 1j * SIGMA[::-1]])
def test_dask_arrays_are_fitted_lazily(sigma):
    array = pytest.importorskip("dask.array")
    chunked = array.from_array(Z, chunks=(2, 13))
    lazy = curve_fit_many(
        impedance, array.from_array(W), chunked, START, None if sigma is None else array.from_array(sigma)
    )
    expected = curve_fit_many(impedance, W, Z, START, sigma)
    fits = lazy.compute(scheduler="synchronous")
    same = ("popt", "pcov", "chisq", "nfev", "status")
    for name in same:
        np.testing.assert_array_equal(getattr(fits, name), getattr(expected, name))
        np.testing.assert_array_equal(getattr(lazy, name).compute(scheduler="synchronous"), getattr(expected, name))
    np.testing.assert_array_equal(fits.predict(W), expected.predict(W))
    with pytest.raises(TypeError, match="gaussian is a compiled model of real values"):
        curve_fit_many(models.gaussian, W, chunked)
    along = curve_fit_many(impedance, W, array.from_array(Z.T.copy(), chunks=(-1, 1)), START, sigma, axis=0)
    for name in same:
        np.testing.assert_array_equal(getattr(along.compute(), name), getattr(expected, name))


def test_several_predictors():
    def of_two(x, a, b):
        w, t = x
        return a * np.exp(1j * w * t) + b

    t = np.linspace(0, 1, W.size)
    z = of_two((W, t), 2.0, 1.0) + noise(2, W.size)
    fits = curve_fit_many(of_two, (W, t), z, [1, 1])
    for i in range(2):
        np.testing.assert_allclose(fits.popt[i], curve_fit(of_two, (W, t), z[i], [1, 1])[0], **SAME)


@pytest.mark.parametrize("vectorized", [True, False])
def test_groups_of_unequal_length(vectorized):
    lengths = [25, 20, 15]
    w = np.concatenate([W[:k] for k in lengths])
    z = np.concatenate([Z[i, :k] for i, k in enumerate(lengths)])
    labels = np.repeat(["a", "b", "c"], lengths)
    order = np.random.default_rng(1).permutation(w.size)
    for more in ({"groups": labels[order]}, {"lengths": lengths}):
        which = order if "groups" in more else slice(None)
        fits = curve_fit_many(impedance, w[which], z[which], START, vectorized=vectorized, **more)
        for i, k in enumerate(lengths):
            np.testing.assert_allclose(fits.popt[i], curve_fit(impedance, W[:k], Z[i, :k], START)[0], **SAME)
        assert fits.dof.tolist() == [2 * k - 3 for k in lengths]
        rest = fits.residuals(w[which], z[which], **more)
        assert rest.shape == z.shape
        assert np.sum(np.abs(rest) ** 2) == pytest.approx(fits.chisq.sum(), rel=1e-9)


def test_what_results_tell():
    fits = curve_fit_many(impedance, W, Z, START)
    values = fits.predict(W)
    np.testing.assert_allclose(values, impedance(W, *fits.popt.T[:, :, None]), rtol=1e-14)
    rest = fits.residuals(W, Z)
    np.testing.assert_allclose(rest, Z - values, rtol=1e-12, atol=1e-15)
    values, std = fits.predict(W, return_std=True)
    real = curve_fit_many(lambda w, *p: impedance(w, *p).real, W, Z.real, START)
    assert std.shape == values.shape == (3, W.size)
    assert (std.real > 0).all()
    assert (std.imag > 0).all()
    assert real.success.all()
    _, lower, upper = fits.predict(W, interval="prediction")
    inside = (lower.real <= Z.real) & (Z.real <= upper.real)
    assert inside.mean() > 0.85  # 95 % of 75 points, by a wide margin
    assert fits[0].predict(W).shape == W.shape
    low, high = fits[0].conf_interval()
    assert (low < TRUTH[0]).all()
    assert (TRUTH[0] < high).all()


def test_refusals():
    with pytest.raises(TypeError, match="gaussian is a compiled model of real values"):
        curve_fit(models.gaussian, W, Z[0])
    with pytest.raises(TypeError, match="gaussian is a compiled model of real values"):
        curve_fit_many(models.gaussian, W, Z)
    with pytest.raises(TypeError, match="f returned float64 numbers for complex ydata, expected complex ones"):
        curve_fit(lambda w, a, b: a * w + b, W, Z[0])
    with pytest.raises(TypeError, match="f returned float64 numbers for complex ydata"):
        curve_fit_many(lambda w, a, b: a * w + b, W, Z, [1, 1])
    with pytest.raises(ValueError, match="jac='cs' is for functions of real values"):
        curve_fit(impedance, W, Z[0], START, jac="cs")
    with pytest.raises(TypeError, match=r"f: got complex numbers .* real and imaginary parts"):
        curve_fit(impedance, W, Z[0].real, START)
    with pytest.raises(TypeError, match=r"np.concatenate\(\[z.real, z.imag\], axis=-1\)"):
        leastsq(lambda p: impedance(W, *p) - Z[0], START)
    with pytest.raises(ValueError, match="f returned 20 values for 50 data points"):
        curve_fit(lambda w, *p: impedance(w, *p)[:10], W, Z[0], START)


def test_counts_are_not_complex():
    with pytest.raises(ValueError, match="got complex numbers, and loss='poisson' is for counts"):
        curve_fit(impedance, W, Z[0], START, loss="poisson")
    with pytest.raises(ValueError, match="got complex numbers, and loss='poisson' is for counts"):
        curve_fit_many(impedance, W, Z, START, loss="poisson")


def test_columns_of_data_frames():
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame({"w": np.tile(W, 3), "z": Z.ravel(), "sweep": np.repeat([3, 5, 7], W.size)})
    fits = curve_fit_many(impedance, "w", "z", START, groups="sweep", data=table)
    np.testing.assert_allclose(fits.popt, curve_fit_many(impedance, W, Z, START).popt, rtol=1e-9)
    with pytest.raises(TypeError, match="xdata: column 'z' holds complex128, expected real numbers"):
        curve_fit_many(impedance, "z", "w", START, data=table)


def test_too_few_points():
    with pytest.raises(TypeError, match="number of func parameters=3 must not exceed the number of data points=2"):
        curve_fit(impedance, W[:1], Z[0, :1], START)
    with pytest.warns(OptimizeWarning, match="no degrees of freedom|determined only in combination"):
        curve_fit(lambda w, a, b, c, d: a + b * w + 1j * (c + d * w), W[:2], Z[0, :2], [1, 1, 1, 1])
