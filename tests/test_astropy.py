"""Astropy models fitted by `leastsq.astropy`, compared with astropy's own fitters on the same data."""

import warnings

import numpy as np
import pytest

pytest.importorskip("astropy", reason="astropy models need astropy")

import astropy.units as u
from astropy.modeling import custom_model
from astropy.modeling.fitting import FittingWithOutlierRemoval, LevMarLSQFitter, TRFLSQFitter
from astropy.modeling.models import Const1D, Gaussian1D, Gaussian2D, Polynomial1D, Voigt1D
from astropy.stats import sigma_clip
from astropy.utils.exceptions import AstropyUserWarning
from astropy.utils.masked import Masked

from leastsq.astropy import LevMarFitter

X = np.linspace(0, 10, 60)
# Solvers stop at relative changes of 1e-8 of the sum of squares, which is 1e-4 of a standard error.
SOLVED = 1e-3


def spectrum(seed=0):
    rng = np.random.default_rng(seed)
    return Gaussian1D(3, 4.2, 0.8)(X) + 0.5 + rng.normal(0, 0.1, X.size)


def line(**constraints):
    return Gaussian1D(2, 5, 1, **constraints) + Const1D(0)


def reference(kind, model, *data, **options):
    """Fit with one of astropy's fitters, for long enough.

    By differences: derivatives of their models leave out what is tied, so that they stop short of the minimum.
    """
    fitter = kind()
    return fitter(model, *data, maxiter=10000, acc=1e-12, estimate_jacobian=True, **options), fitter.fit_info


def assert_same(ours, theirs, errors):
    assert ours.param_names == theirs.param_names
    assert np.all(np.abs(ours.parameters - theirs.parameters) <= SOLVED * errors)


def assert_same_covariance(ours, theirs):
    """In units of the standard errors: older astropy takes derivatives by coarser differences."""
    errors = np.sqrt(np.diag(theirs))
    assert ours.shape == theirs.shape
    assert np.all(np.abs(ours - theirs) <= SOLVED * np.outer(errors, errors))


# --- One data set ---


@pytest.mark.parametrize("kind", [LevMarLSQFitter, TRFLSQFitter])
@pytest.mark.parametrize("weights", [None, np.linspace(8, 12, X.size)])
def test_compound_model_as_astropy_fits_it(kind, weights):
    fitter = LevMarFitter()
    model = line()
    ours = fitter(model, X, spectrum(), weights=weights)
    theirs, info = reference(kind, line(), X, spectrum(), weights=weights)
    errors = np.sqrt(np.diag(info["param_cov"]))
    assert_same(ours, theirs, errors)
    np.testing.assert_allclose(np.sqrt(np.diag(fitter.fit_info["param_cov"])), errors, rtol=1e-3)
    assert model.mean_0 == 5
    assert fitter.fit_info["success"] is True
    assert fitter.fit_info["ierr"] in (1, 2, 3, 4)
    assert fitter.fit_info["nfev"] > 5
    assert "relative" in fitter.fit_info["message"]
    np.testing.assert_allclose(
        fitter.fit_info["fvec"], (ours(X) - spectrum()) * (1 if weights is None else weights), atol=1e-12
    )


def test_bounds_that_hold_the_solution_off():
    bounds = {"stddev": (0.1, 1.2), "mean": (4.5, 6)}
    fitter = LevMarFitter()
    ours = fitter(line(bounds=bounds), X, spectrum())
    theirs, _ = reference(TRFLSQFitter, line(bounds=bounds), X, spectrum())
    assert ours.mean_0.value == 4.5
    # trf stays inside, by about 1e-10 of the bound; parameters follow it.
    np.testing.assert_allclose(ours.parameters, theirs.parameters, rtol=1e-4)


def test_a_start_outside_of_bounds_is_moved_inside_as_astropy_does():
    assert LevMarFitter()(line(bounds={"mean": (5.5, 9), "stddev": (0.1, 2)}), X, spectrum()).mean_0.value >= 5.5


def test_fixed_parameters():
    fitter = LevMarFitter()
    ours = fitter(line(fixed={"mean": True}), X, spectrum())
    theirs, info = reference(LevMarLSQFitter, line(fixed={"mean": True}), X, spectrum())
    assert ours.mean_0.value == 5
    assert fitter.fit_info["param_cov"].shape == (3, 3)
    errors = np.sqrt(np.diag(info["param_cov"]))
    assert_same(ours, theirs, np.insert(errors, 1, 0))


def two_lines():
    model = Gaussian1D(2, 3, 0.5) + Gaussian1D(1, 6, 0.5) + Const1D(0)
    model.mean_1.tied = lambda m: m.mean_0 + 3.0
    model[1].amplitude.tied = lambda m: m[0].amplitude.value / 2
    return model


def test_tied_parameters():
    y = Gaussian1D(3, 2.8, 0.6)(X) + Gaussian1D(1.5, 5.8, 0.4)(X) + 0.2 + np.random.default_rng(1).normal(0, 0.05, 60)
    fitter = LevMarFitter()
    ours = fitter(two_lines(), X, y)
    theirs, info = reference(LevMarLSQFitter, two_lines(), X, y)
    assert ours.mean_1.value == ours.mean_0.value + 3
    assert fitter.fit_info["param_cov"].shape == (5, 5)
    np.testing.assert_allclose(ours.parameters, theirs.parameters, rtol=1e-5)
    assert_same_covariance(fitter.fit_info["param_cov"], info["param_cov"])


def test_two_inputs():
    y, x = np.mgrid[:12, :15].astype(float)
    rng = np.random.default_rng(2)
    image = Gaussian2D(10, 7, 5, 2, 1.5, 0.3)(x, y) + rng.normal(0, 0.1, x.shape)
    start = Gaussian2D(8, 6, 6, 2.2, 1.3, 0.1)
    fitter = LevMarFitter()
    theirs, info = reference(LevMarLSQFitter, start, x, y, image)
    assert_same(fitter(start, x, y, image), theirs, np.sqrt(np.diag(info["param_cov"])))


def test_models_of_many_kinds():
    @custom_model
    def saturating(x, height=1.0, scale=1.0):
        return height * x / (scale + x)

    rng = np.random.default_rng(3)
    for truth, start in (
        (saturating(3, 2), saturating(2, 1)),
        (Voigt1D(4, 2, 0.5, 0.8) + Polynomial1D(1, c0=1, c1=0.1), Voigt1D(4.2, 1.8, 0.6, 0.7) + Polynomial1D(1)),
        (
            Gaussian1D(3, 5, 1) | Polynomial1D(1, c0=1, c1=1, fixed={"c1": True}),
            Gaussian1D(2, 5, 1) | Polynomial1D(1, c1=1, fixed={"c1": True}),
        ),
    ):
        y = truth(X) + rng.normal(0, 0.02, X.size)
        theirs, _ = reference(LevMarLSQFitter, start, X, y)
        ours = LevMarFitter()(start, X, y)
        np.testing.assert_allclose(ours(X), theirs(X), atol=2e-5)


def test_units():
    start = Gaussian1D(2 * u.Jy, 5000 * u.nm, 1 * u.um) + Const1D(0 * u.Jy)
    fitted = LevMarFitter()(start, X * u.um, spectrum() * u.Jy)
    plain = LevMarFitter()(line(), X, spectrum())
    theirs = LevMarLSQFitter()(start, X * u.um, spectrum() * u.Jy)
    for name in plain.param_names:
        parameter = getattr(fitted, name)
        assert parameter.unit == getattr(theirs, name).unit
        unit = u.Jy if "amplitude" in name else u.um
        assert parameter.quantity.to_value(unit) == pytest.approx(getattr(plain, name).value, rel=1e-5)


def test_uncertainties_on_the_model():
    fitter = LevMarFitter(calc_uncertainties=True)
    fitted = fitter(line(fixed={"mean": True}), X, spectrum())
    errors = np.sqrt(np.diag(fitter.fit_info["param_cov"]))
    assert fitted.stds["stddev_0"] == pytest.approx(errors[1])
    assert fitted.stddev_0.std == pytest.approx(errors[1])
    assert fitted.mean_0.std == 0
    assert fitted.cov_matrix["stddev_0", "stddev_0"] == pytest.approx(errors[1] ** 2)


def test_masked_and_non_finite_data():
    y = spectrum()
    y[10] = np.nan
    with pytest.raises(ValueError, match=r"1 of 60 points are not finite.*filter_non_finite=True leaves them out"):
        LevMarFitter()(line(), X, y)
    left_out = LevMarFitter()(line(), X, y, filter_non_finite=True)
    kinds = [np.ma.array, Masked, lambda y, mask: Masked(y, mask) * u.one]
    fits = [LevMarFitter()(line(), X, make(np.nan_to_num(y, nan=99), mask=np.isnan(y))) for make in kinds]
    direct = LevMarFitter()(line(), np.delete(X, 10), np.delete(y, 10))
    np.testing.assert_allclose(left_out.parameters, direct.parameters, rtol=1e-9)
    for masked in fits:
        np.testing.assert_array_equal(masked.parameters, left_out.parameters)


def test_predictors_that_are_nan():
    x = np.where(np.arange(X.size) == 10, np.nan, X)
    with pytest.raises(ValueError, match="1 of 60 points are not finite"):
        LevMarFitter()(line(), x, spectrum())
    left_out = LevMarFitter()(line(), x, spectrum(), filter_non_finite=True)
    direct = LevMarFitter()(line(), np.delete(X, 10), np.delete(spectrum(), 10))
    np.testing.assert_allclose(left_out.parameters, direct.parameters, rtol=1e-9)


@pytest.mark.parametrize(
    "make", [np.ma.array, Masked, lambda x, mask: Masked(x, mask) * u.one], ids=["ma", "Masked", "unit"]
)
def test_masked_predictors(make):
    masked = LevMarFitter()(line(), make(X, mask=np.arange(X.size) == 10), spectrum())
    direct = LevMarFitter()(line(), np.delete(X, 10), np.delete(spectrum(), 10))
    np.testing.assert_allclose(masked.parameters, direct.parameters, rtol=1e-9)


def test_inplace_and_astropys_removal_of_outliers():
    model = line()
    assert LevMarFitter()(model, X, spectrum(), inplace=True) is model
    assert model.mean_0.value == pytest.approx(4.2, abs=0.1)
    y = spectrum()
    y[[5, 40]] += 8
    fitter = FittingWithOutlierRemoval(LevMarFitter(), sigma_clip, niter=5, sigma=4.0)
    fitted, mask = fitter(line(), X, y)
    assert np.flatnonzero(mask).tolist() == [5, 40]
    assert fitted.mean_0.value == pytest.approx(4.2, abs=0.1)


def test_warns_where_a_fit_is_not_solved_and_refuses_what_is_no_fit():
    with pytest.warns(AstropyUserWarning, match="may be unsuccessful"):
        LevMarFitter()(line(), X, spectrum(), maxiter=3)
    with pytest.raises(ValueError, match="data points"):
        LevMarFitter()(line(), X[:3], spectrum()[:3])
    with pytest.raises(ValueError, match="2 inputs"):
        LevMarFitter()(Gaussian2D(), X, spectrum())
    with pytest.raises(TypeError, match="model: expected a model of astropy, got function"):
        LevMarFitter()(spectrum, X, spectrum())
    with pytest.raises(ValueError, match="set of 2 models"):
        LevMarFitter()(Gaussian1D([1, 2], [1, 2], [1, 2], n_models=2), X, spectrum())


# --- Cubes ---


def cube(shape=(5, 6), seed=4):
    """A cube of spectra along its first axis, and where their lines are."""
    rng = np.random.default_rng(seed)
    centers = rng.uniform(3.7, 6.2, shape)  # a line beyond 6.3 could be taken for the second one
    signal = 3 * np.exp(-0.5 * ((X[:, None, None] - centers) / 0.8) ** 2) + 0.5
    return signal + rng.normal(0, 0.1, signal.shape), centers


def constrained():
    model = Gaussian1D(2, 5, 1, bounds={"mean": (4, 6), "stddev": (0.1, 3)}) + Const1D(0.5, fixed={"amplitude": True})
    model += Gaussian1D(0.1, 8, 1)
    model.mean_2.tied = lambda m: m.mean_0 + 2.5
    model.stddev_2.tied = lambda m: m.stddev_0
    return model


@pytest.mark.slow
@pytest.mark.parametrize("weights", [None, 10.0])
def test_cube_as_astropy_fits_its_spectra(weights):
    data, _ = cube()
    fitter = LevMarFitter(calc_uncertainties=True)
    ours = fitter.fit_cube(constrained(), data, fitting_axes=0, world=X, weights=weights)
    assert fitter.fit_info["success"].all()
    assert ours.param_names == constrained().param_names
    assert np.all(ours.amplitude_1.value == 0.5)
    np.testing.assert_array_equal(ours.mean_2.value, ours.mean_0.value + 2.5)
    for i, j in np.ndindex(5, 6):
        options = {} if weights is None else {"weights": np.full(60, weights)}
        theirs, info = reference(TRFLSQFitter, constrained(), X, data[:, i, j], **options)
        values = [getattr(ours, name).value[i, j] for name in ours.param_names]
        # trf stays inside of bounds, so that it ends beside them; the standard errors are about 0.05.
        np.testing.assert_allclose(values, theirs.parameters, rtol=1e-4, atol=1e-4)
        if 4.01 < theirs.mean_0.value < 5.99:
            assert_same_covariance(fitter.fit_info["param_cov"][i, j], info["param_cov"])
            assert ours.mean_0.std[i, j] == pytest.approx(np.sqrt(info["param_cov"][1, 1]), rel=5e-3)


def test_cube_as_parallel_fit_dask_fits_it():
    fitting = pytest.importorskip("astropy.modeling.fitting")
    pytest.importorskip("dask")
    if not hasattr(fitting, "parallel_fit_dask"):
        pytest.skip("astropy is older than parallel_fit_dask")
    data, _ = cube((3, 4))
    theirs = fitting.parallel_fit_dask(
        model=line(), fitter=LevMarLSQFitter(), data=data, fitting_axes=0, world=(X,), scheduler="synchronous"
    )
    fitter = LevMarFitter()
    ours = fitter.fit_cube(line(), data, fitting_axes=0, world=(X,))
    errors = np.moveaxis(np.sqrt(np.diagonal(fitter.fit_info["param_cov"], axis1=-2, axis2=-1)), -1, 0)
    for name, error in zip(ours.param_names, errors, strict=True):
        assert getattr(ours, name).value.shape == (3, 4)
        assert np.all(np.abs(getattr(ours, name).value - getattr(theirs, name).value) <= SOLVED * error)
    np.testing.assert_allclose(ours(np.full((3, 4), 5.0)), theirs(np.full((3, 4), 5.0)), rtol=1e-5)


def test_our_fitter_within_parallel_fit_dask():
    fitting = pytest.importorskip("astropy.modeling.fitting")
    pytest.importorskip("dask")
    if not hasattr(fitting, "parallel_fit_dask"):
        pytest.skip("astropy is older than parallel_fit_dask")
    data, _ = cube((2, 2))
    inside = fitting.parallel_fit_dask(
        model=line(), fitter=LevMarFitter(), data=data, fitting_axes=0, world=(X,), scheduler="synchronous"
    )
    ours = LevMarFitter().fit_cube(line(), data, fitting_axes=0, world=(X,))
    np.testing.assert_allclose(inside.mean_0.value, ours.mean_0.value, rtol=1e-6)


def test_cube_of_images_with_units_masks_starts_and_threads():
    rng = np.random.default_rng(6)
    y, x = np.mgrid[:9, :11].astype(float)
    centers = rng.uniform(4, 6, (2, 8))
    images = np.stack([Gaussian2D(10, a, b, 1.5, 1.5)(x, y) for a, b in centers.T])
    images += rng.normal(0, 0.1, images.shape)
    images[3, 4, 5] = 1e6
    start = Gaussian2D(8, 5, 5, 2, 2, fixed={"theta": True})
    start.x_mean.value = centers[0] + 0.3
    fitter = LevMarFitter()
    fitted = fitter.fit_cube(start, images, (2, 1), mask=images > 1e5, workers=2)
    assert fitter.fit_info["success"].all()
    np.testing.assert_allclose(fitted.x_mean.value, centers[0], atol=0.1)
    np.testing.assert_allclose(fitted.y_mean.value, centers[1], atol=0.1)
    with_units = LevMarFitter().fit_cube(
        Gaussian1D(2 * u.Jy, 5000 * u.nm, 1 * u.um) + Const1D(0 * u.Jy),
        cube((2, 3))[0] * u.Jy,
        0,
        world=X * u.um,
    )
    plain = LevMarFitter().fit_cube(line(), cube((2, 3))[0], 0, world=X)
    np.testing.assert_allclose(with_units.mean_0.quantity.to_value(u.um), plain.mean_0.value, rtol=1e-5)


def test_cube_tells_what_was_not_fitted():
    data, centers = cube()
    data[:, 2, 3] = np.nan
    fitter = LevMarFitter()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted = fitter.fit_cube(line(), data, 0, world=X)
    assert np.isnan(fitted.mean_0.value[2, 3])
    assert np.argwhere(~fitter.fit_info["success"]).tolist() == [[2, 3]]
    assert "29 solved" in fitter.fit_info["message"]
    assert fitter.fit_info["fits"].param_names == line().param_names
    rest = np.ones(centers.shape, dtype=bool)
    rest[2, 3] = False
    np.testing.assert_allclose(fitted.mean_0.value[rest], centers[rest], atol=0.2)


def test_cube_refuses_inputs_that_do_not_fit():
    data, _ = cube()
    with pytest.raises(ValueError, match="length 59"):
        LevMarFitter().fit_cube(line(), data, 0, world=X[1:])
    with pytest.raises(ValueError, match="one for each of the 1 fitting axes"):
        LevMarFitter().fit_cube(line(), data, 0, world=(X, X))
    with pytest.raises(ValueError, match="expected 2 inputs"):
        LevMarFitter().fit_cube(line(), data, (0, 1))
    for axes in (3, (0, -4)):
        with pytest.raises(ValueError, match=r"fitting_axes: got .*, but data have 3 axes"):
            LevMarFitter().fit_cube(line(), data, axes)
    for axes in ((0, 0), (1, -2), (0, 1, 2), ()):
        with pytest.raises(ValueError, match=r"fitting_axes: got .*, expected one axis or two different ones"):
            LevMarFitter().fit_cube(line(), data, axes)
    for axes in (1.0, (0, 1.0), "x", True, None):
        with pytest.raises(TypeError, match="fitting_axes must be a whole number or two of them, got"):
            LevMarFitter().fit_cube(line(), data, axes)
