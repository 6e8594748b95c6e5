"""Many fits in one call: what cannot be fitted has a status, and does not disturb the others."""

import functools
import re

import numpy as np
import pytest
from many_decays import DATA, START, MistakeError, T, decay, decay_jac, each_kind, identical

from leastsq import (
    curve_fit_many,
    models,
)

# --- Statuses ---


def assert_only(fits, clean, bad, status):
    """One fit has a status of its own, and all others are as if it were not there."""
    assert fits.status[bad] == status
    assert not fits.success[bad]
    assert np.isnan(fits.pcov[bad]).all()
    others = np.arange(fits.size) != bad
    assert identical(fits[others], clean[others])


@each_kind
def test_each_failure_is_a_status_of_its_own(kind_of_fit):
    data = DATA[:30]
    fit = functools.partial(curve_fit_many, **kind_of_fit, xdata=T)
    clean = fit(ydata=data, p0=START)
    assert clean.success.all()

    for bad_value, status in ((np.inf, 15), (-np.inf, 15)):
        spoilt = data.copy()
        spoilt[7, 3] = bad_value
        fits = fit(ydata=spoilt, p0=START)
        assert_only(fits, clean, 7, status)
        assert fits.nfev[7] == 0
        assert np.isnan(fits.popt[7]).all()

    spoilt = data.copy()
    spoilt[7, 2:] = np.nan
    fits = fit(ydata=spoilt, p0=START)
    assert_only(fits, fit(ydata=np.where(np.arange(30)[:, None] == 7, 0, data), p0=START), 7, 12)
    assert fits.dof[7] == 2 - 3
    assert np.isnan(fits.chisq[7])
    assert fits.message(7) == (
        "Not fitted: 3 parameters but only 2 data points. Give more data, or fix some parameters."
    )

    starts = np.tile(START, (30, 1))
    starts[7, 1] = np.nan
    assert_only(fit(ydata=data, p0=starts), clean, 7, 14)
    starts[7, 1] = np.inf
    assert_only(fit(ydata=data, p0=starts), clean, 7, 14)

    starts[7, 1] = -1000.0  # exp(1000 t) overflows
    fits = fit(ydata=data, p0=starts)
    assert_only(fits, clean, 7, 10)
    np.testing.assert_array_equal(fits.popt[7], starts[7])


@each_kind
@pytest.mark.parametrize("bad", [0.0, -0.1, np.nan, -np.inf])
def test_standard_deviations_that_are_none_are_a_status(kind_of_fit, bad):
    sigma = np.full((30, 20), 0.05)
    clean = curve_fit_many(**kind_of_fit, xdata=T, ydata=DATA[:30], p0=START, sigma=sigma)
    sigma[7, 3] = bad
    fits = curve_fit_many(**kind_of_fit, xdata=T, ydata=DATA[:30], p0=START, sigma=sigma)
    assert_only(fits, clean, 7, 15)


@each_kind
@pytest.mark.parametrize("bad", [0.0, -0.1, np.nan])
def test_standard_deviations_shared_by_all_that_are_none_are_refused(kind_of_fit, bad):
    sigma = np.full(20, 0.05)
    sigma[3] = bad
    for shared in (bad, sigma, sigma[None]):
        with pytest.raises(
            ValueError,
            match=r"sigma must be positive, and more than tiny: (1|20) of 20 ",
        ):
            curve_fit_many(**kind_of_fit, xdata=T, ydata=DATA[:3], p0=START, sigma=shared)


def test_covariance_matrices_of_the_data_are_for_curve_fit():
    with pytest.raises(ValueError, match="curve_fit"):
        curve_fit_many(models.exponential, T, DATA[0], sigma=np.eye(20))


@each_kind
def test_an_infinite_sigma_throughout_leaves_no_points(kind_of_fit):
    fits = curve_fit_many(**kind_of_fit, xdata=T, ydata=DATA[:3], p0=START, sigma=np.inf)
    assert fits.status.tolist() == [12, 12, 12]


@each_kind
@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({"maxfev": 3}, 5),
        ({"ftol": 0, "xtol": 1e-30}, 7),
        ({"ftol": 1e-30, "xtol": 0}, 6),
        ({"ftol": 0, "xtol": 0, "gtol": 1e-6}, 4),
        ({"ftol": 1e-3, "xtol": 0}, 1),
        ({"ftol": 0, "xtol": 1e-3}, 2),
        ({"ftol": 1e-2, "xtol": 1e-1}, 3),
    ],
)
def test_statuses_of_minpack(kind_of_fit, options, status):
    """Those that tolerances decide: at least some of the fits end so, and say so."""
    fits = curve_fit_many(**kind_of_fit, xdata=T, ydata=DATA, p0=START, **options)
    found = np.flatnonzero(fits.status == status)
    assert found.size > 30
    message = fits.message(int(found[0]))
    if status == 5:
        assert message.startswith(f"Not solved: stopped after {fits.nfev[found[0]]} evaluations")
        assert "(maxfev = 3" in message
        assert (fits.nfev >= 3).all()
    for name, value in options.items():
        if name in message and name != "maxfev":
            assert f"{name} = {value:g}" in message
    assert np.isfinite(fits.popt).all()
    assert np.isfinite(fits.chisq).all()
    # What has not converged has the best parameters so far.
    initial = np.square(decay(T, *START) - DATA).sum(axis=1)
    assert (fits.chisq <= initial * (1 + 1e-12)).all()
    np.testing.assert_allclose(fits.chisq, np.square(decay(T, *fits.popt.T[:, :, None]) - DATA).sum(axis=1), rtol=1e-12)


def line(x, a, b):
    return a * x + b


def line_jac(x, a, b):
    return np.stack(np.broadcast_arrays(x + 0 * a, 1.0), axis=-1)


@pytest.mark.parametrize("vectorized", [True, False])
def test_a_gradient_that_is_rounding_is_a_status(vectorized):
    """Straight lines are solved by the first step, after which nothing is left to gain."""
    fits = curve_fit_many(line, T, DATA, [1, 1], jac=line_jac, ftol=0, xtol=0, gtol=1e-30, vectorized=vectorized)
    assert set(fits.status) <= {4, 6, 7, 8}
    assert 8 in fits.status
    assert "gtol = 1e-30, which is too small" in fits.message(int(np.argmax(fits.status == 8)))


def root(x, a, b):
    """Has values for b >= 0 only."""
    return a * np.sqrt(b + 0 * x) + x


def root_jac(x, a, b):
    half = np.sqrt(b + 0 * x)
    return np.stack(np.broadcast_arrays(half, a / (2 * half)), axis=-1)


@pytest.mark.parametrize("vectorized", [True, False])
@pytest.mark.parametrize("jac", [None, root_jac])
def test_a_model_without_values_nearby_is_a_status(vectorized, jac):
    """Data that pull b below zero: fits end at the edge, with the last point that has a value."""
    x = np.linspace(0, 1, 8)
    data = np.array([x + 2.0, x - 1.0, x + 3.0])
    fits = curve_fit_many(root, x, data, p0=[1.0, 0.5], jac=jac, vectorized=vectorized)
    alone = curve_fit_many(root, x, data[[0, 2]], p0=[1.0, 0.5], jac=jac, vectorized=vectorized)
    assert identical(fits[[0, 2]], alone)
    assert (fits.popt[:, 1] >= 0).all()
    assert np.isfinite(fits.popt).all()
    edge = curve_fit_many(
        lambda x, a: np.where(a > 1, np.nan, a) + 0 * x, x, np.full((2, 8), 3.0), p0=[0.5], vectorized=vectorized
    )
    assert set(edge.status) <= {9, 11}
    assert (np.abs(edge.popt - 1) < 1e-6).all()


def test_a_compiled_model_without_values_nearby_is_a_status():
    """A peak at x = 0 alone, where a power law has a value for exponents above zero only: the limit is out of reach."""
    x = np.linspace(0, 3, 20)
    data = np.stack([models.power_law(x, 2.0, 1.5, 0.3), np.where(x == 0, 20.0, 0.0)])
    fits = curve_fit_many(models.power_law, x, data, p0=[-1.0, 0.5, 0.0])
    assert fits.success[0]
    assert fits.status[1] == 9
    assert 0 < fits.popt[1, 1] < 1e-6
    assert fits.chisq[1] < 1e-6


@pytest.mark.parametrize("vectorized", [True, False])
def test_derivatives_that_are_not_finite_are_a_status(vectorized):
    def jac(x, a, b):
        slopes = np.stack(np.broadcast_arrays(x + 0 * a, np.ones_like(x) + 0 * b), axis=-1)
        return np.where(np.asarray(a)[..., None] > 4, np.nan, slopes)

    x = np.linspace(0, 1, 8)
    data = np.array([[2.0], [6.0], [3.0]]) * x + 1 + 0.01 * np.cos(9 * x)
    fits = curve_fit_many(line, x, data, p0=[1.0, 1.0], jac=jac, vectorized=vectorized)
    assert fits.status[1] == 11
    assert fits.success.tolist() == [True, False, True]
    assert identical(fits[[0, 2]], curve_fit_many(line, x, data[[0, 2]], p0=[1, 1], jac=jac, vectorized=vectorized))


def test_a_compiled_model_whose_derivatives_are_not_finite_is_a_status():
    # At x = 0, exponent 0 has the value 1 and the derivative log(0).
    x = np.linspace(0, 3, 20)
    fits = curve_fit_many(models.power_law, x, np.ones((3, 20)), p0=[[1, 1, 0], [1, 0, 0.5], [1, 2, 0]])
    assert fits.status[1] == 11
    np.testing.assert_array_equal(fits.popt[1], [1, 0, 0.5])


def test_a_model_that_raises_is_a_status_where_fits_are_made_one_by_one():
    def picky(x, a, b):
        if a > 4:
            raise ArithmeticError("no value")
        return a * np.exp(-b * x)

    data = np.array([[2.0], [9.0], [3.0]]) * np.exp(-T)
    fits = curve_fit_many(picky, T, data, p0=[1.0, 1.0], vectorized=False)
    assert fits.status.tolist()[1] == 13
    assert fits.success.tolist() == [True, False, True]
    assert "raised an exception" in fits.message(1)
    for error in (ValueError, np.linalg.LinAlgError, ZeroDivisionError, OverflowError):

        def raising(x, a, b, error=error):
            raise error("no value")

        assert curve_fit_many(raising, T, data, p0=[1, 1], vectorized=False).status.tolist() == [13, 13, 13]


@pytest.mark.parametrize("where", ["at once", "later"])
@pytest.mark.parametrize("kind_of_fit", ["vectorized", "jac", "singly", "threads"])
def test_mistakes_of_the_model_end_the_call(where, kind_of_fit):
    calls = []

    def mistaken(t, a, b, c):
        calls.append(None)
        if where == "at once" or len(calls) > 9:
            raise MistakeError("on purpose")
        return decay(t, a, b, c)

    options = {"jac": decay_jac} if kind_of_fit == "jac" else {}
    with pytest.raises(MistakeError, match="on purpose"):
        curve_fit_many(
            mistaken,
            T,
            DATA,
            START,
            vectorized=kind_of_fit != "singly",
            workers=2 if kind_of_fit == "threads" else 1,
            **options,
        )


def test_any_exception_ends_the_call_where_many_fits_are_evaluated_at_once():
    calls = []

    def mistaken(t, a, b, c):
        calls.append(None)
        if len(calls) > 9:
            raise ValueError("on purpose")
        return decay(t, a, b, c)

    with pytest.raises(ValueError, match="on purpose"):
        curve_fit_many(mistaken, T, DATA, START)


def test_a_start_that_raises_ends_the_call():
    with pytest.raises(MistakeError):
        curve_fit_many(decay, T, DATA, p0=lambda x, y: (_ for _ in ()).throw(MistakeError))


@each_kind
def test_errors_can_be_raised(kind_of_fit):
    data = DATA[:12].reshape(3, 4, 20).copy()
    fit = functools.partial(curve_fit_many, **kind_of_fit, xdata=T, p0=START, errors="raise")
    assert fit(ydata=data).success.all()
    data[1, 2, 3] = data[2, 0, 0] = np.inf
    with pytest.raises(RuntimeError, match=re.escape("2 of 12 fits failed, the first at index (1, 2): Not fitted")):
        fit(ydata=data)
    with pytest.raises(RuntimeError, match=re.escape("1 of 1 fits failed, the first at index (): Not fitted")):
        fit(ydata=data[1, 2])


# --- Missing values ---


@each_kind
def test_policies_on_missing_values(kind_of_fit):
    data = DATA[:30].copy()
    data[4, 2] = data[9, [0, 1]] = np.nan
    fit = functools.partial(curve_fit_many, **kind_of_fit, xdata=T, p0=START)
    omitted = fit(ydata=data)
    assert omitted.success.all()
    assert omitted.dof[[3, 4, 9]].tolist() == [17, 16, 15]
    assert identical(fit(ydata=data, nan_policy="omit"), omitted)
    propagated = fit(ydata=data, nan_policy="propagate")
    assert propagated.status[[4, 9]].tolist() == [15, 15]
    assert np.isnan(propagated.popt[4]).all()
    others = ~np.isin(np.arange(30), [4, 9])
    assert propagated.success[others].all()
    # Weights of one change nothing.
    assert identical(propagated[others], omitted[others])
    with pytest.raises(ValueError, match="3 of them in 2 data sets, such as number 4"):
        fit(ydata=data, nan_policy="raise")
    with pytest.raises(ValueError, match="nan_policy='raise'"):
        fit(ydata=np.ma.masked_invalid(data), nan_policy="raise")
    x = T.copy()
    x[3] = np.nan
    with pytest.raises(ValueError, match="nan_policy='raise'"):
        curve_fit_many(**kind_of_fit, xdata=x, ydata=DATA, p0=START, nan_policy="raise")
    assert (curve_fit_many(**kind_of_fit, xdata=x, ydata=DATA, p0=START, nan_policy="propagate").status == 15).all()
    for policy in ("omit", "raise", "propagate"):
        clean = curve_fit_many(
            **kind_of_fit, xdata=T, ydata=np.ma.masked_array(DATA, False), p0=START, nan_policy=policy
        )
        assert clean.success.all()


# --- Nothing to fit ---


@each_kind
@pytest.mark.parametrize("shape", [(0, 20), (2, 0, 20), (0, 0, 20)])
def test_no_fits(kind_of_fit, shape):
    fits = curve_fit_many(**kind_of_fit, xdata=T, ydata=np.zeros(shape), p0=START)
    assert fits.shape == shape[:-1]
    assert fits.popt.shape == (*shape[:-1], 3)
    assert fits.pcov.shape == (*shape[:-1], 3, 3)
    assert fits.success.all()
    assert fits.summary().startswith("0 fits, 0 solved")
    assert curve_fit_many(**kind_of_fit, xdata=T, ydata=np.zeros(shape), p0=START, workers=2).shape == shape[:-1]
    assert (
        curve_fit_many(**kind_of_fit, xdata=T, ydata=np.zeros(shape), p0=np.empty((*shape[:-1], 3))).shape == shape[:-1]
    )
    assert curve_fit_many(models.exponential, T, np.zeros(shape)).shape == shape[:-1]


@each_kind
@pytest.mark.parametrize("shape", [(3, 0), (0,), (0, 0), (2, 3, 0)])
def test_no_points(kind_of_fit, shape):
    fits = curve_fit_many(**kind_of_fit, xdata=np.zeros(0), ydata=np.zeros(shape), p0=START)
    assert fits.shape == shape[:-1]
    assert (fits.status == 12).all()
    assert (fits.dof == -3).all()


@each_kind
@pytest.mark.parametrize("points", [1, 2])
def test_too_few_points(kind_of_fit, points):
    fits = curve_fit_many(**kind_of_fit, xdata=T[:points], ydata=DATA[:3, :points], p0=START)
    assert fits.status.tolist() == [12] * 3
    assert fits.dof.tolist() == [points - 3] * 3
    assert np.isnan(fits.popt).all()
    assert np.isnan(fits.pcov).all()
