"""The recipe for lmfit on `leastsq`: the same results as on SciPy's, by the same calls."""

import warnings

import numpy as np
import pytest

import leastsq

lmfit = pytest.importorskip("lmfit")

X = np.linspace(0, 10, 80)
Y = 5 * np.exp(-0.5 * ((X - 4.5) / 0.9) ** 2) + 0.3 * X + 0.1 * np.cos(17 * X)


@pytest.fixture
def on_leastsq(monkeypatch):
    """What the page says: lmfit calls this name for ``method="leastsq"``."""
    calls = []

    def counted(*args, **kwargs):
        calls.append(kwargs)
        return leastsq.leastsq(*args, **kwargs)

    monkeypatch.setattr(lmfit.minimizer, "scipy_leastsq", counted)
    return calls


def model():
    return lmfit.models.GaussianModel() + lmfit.models.LinearModel()


def start(**hints):
    parameters = model().make_params(amplitude=8, center=5, sigma=1, slope=0, intercept=0)
    for name, hint in hints.items():
        parameters[name].set(**hint)
    return parameters


HINTS = [
    {},
    {"sigma": {"min": 0.1, "max": 3}, "intercept": {"vary": False}},
    {"sigma": {"expr": "0.2*center"}},
    {"center": {"min": 4.6}},
]


@pytest.mark.parametrize("hints", HINTS, ids=["free", "bounds", "expression", "at a bound"])
def test_same_as_on_scipy(hints, monkeypatch):
    theirs = model().fit(Y, start(**hints), x=X)
    monkeypatch.setattr(lmfit.minimizer, "scipy_leastsq", leastsq.leastsq)
    ours = model().fit(Y, start(**hints), x=X)
    assert ours.success
    assert ours.nfev <= theirs.nfev
    for name, parameter in theirs.params.items():
        # Both stop at a relative change of 1e-8 of the sum of squares; lmfit's tolerances.
        assert ours.params[name].value == pytest.approx(parameter.value, rel=1e-5, abs=1e-7)
        if parameter.stderr and "center" not in hints:
            assert ours.params[name].stderr == pytest.approx(parameter.stderr, rel=1e-3)
    assert ours.chisqr == pytest.approx(theirs.chisqr, rel=1e-8)


def test_it_is_leastsq_that_fits(on_leastsq):
    assert model().fit(Y, start(), x=X).success
    assert len(on_leastsq) == 1
    assert on_leastsq[0]["full_output"]


def test_confidence_regions_of_two_parameters(on_leastsq, monkeypatch):
    result = model().fit(Y, start(), x=X)
    minimizer = lmfit.Minimizer(lambda p: model().eval(p, x=X) - Y, start())
    fitted = minimizer.minimize(method="leastsq")
    ours = lmfit.conf_interval2d(minimizer, fitted, "center", "sigma", 6, 5)
    intervals = lmfit.conf_interval(minimizer, fitted, p_names=["center"], sigmas=[1])
    assert len(on_leastsq) > 30
    monkeypatch.undo()
    minimizer = lmfit.Minimizer(lambda p: model().eval(p, x=X) - Y, start())
    theirs = lmfit.conf_interval2d(minimizer, minimizer.minimize(method="leastsq"), "center", "sigma", 6, 5)
    assert ours[2].shape == (5, 6)
    np.testing.assert_allclose(ours[2], theirs[2], atol=2e-4)
    (_, low), (_, middle), (_, high) = intervals["center"]
    assert low < middle < high
    assert high - low == pytest.approx(2 * result.params["center"].stderr, rel=0.1)


def test_callbacks_can_still_abort(on_leastsq):
    def stop(parameters, iteration, residual, *args, **kwargs):
        return iteration > 6

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # lmfit's own, of what it could not compute
        result = model().fit(Y, start(), x=X, iter_cb=stop)
    assert result.aborted
    assert not result.success


def test_nan_is_an_error_in_words(on_leastsq):
    with pytest.raises(ValueError, match="NaN"):
        model().fit(np.where(X < 1, np.nan, Y), start(), x=X)
