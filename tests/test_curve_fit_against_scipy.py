"""`curve_fit`: the signature and numbers of SciPy; its tests are run in test_scipys_own_tests.py."""

import inspect

import numpy as np
import pytest
import scipy.optimize
from curves import COVARIANCE_MATRIX, SIGMA, T, Y, decay, decay_jac

from leastsq import curve_fit


def test_signature_is_that_of_scipy():
    ours, theirs = inspect.signature(curve_fit), inspect.signature(scipy.optimize.curve_fit)
    assert [(p.name, p.kind, p.default) for p in ours.parameters.values()] == [
        (p.name, p.kind, p.default) for p in theirs.parameters.values()
    ]


# --- Against SciPy, live ---


@pytest.mark.parametrize("jac", [None, decay_jac], ids=["differences", "jac"])
@pytest.mark.parametrize("absolute", [False, True])
@pytest.mark.parametrize("sigma", [None, 0.1, SIGMA, COVARIANCE_MATRIX], ids=["none", "scalar", "vector", "matrix"])
def test_same_as_scipy(sigma, absolute, jac):
    if sigma is None and absolute:
        pytest.skip("warns; see test_absolute_without_sigma_warns")
    if np.ndim(sigma) == 0 and sigma is not None and jac is not None:
        pytest.skip("SciPy fails on a number for sigma together with jac; see test_jacobian_either_way_round")
    arguments = dict(p0=[2, 1, 0], sigma=sigma, absolute_sigma=absolute, jac=jac, full_output=True)
    popt, pcov, info, _, ier = curve_fit(decay, T, Y, **arguments)
    popt2, pcov2, info2, _, ier2 = scipy.optimize.curve_fit(decay, T, Y, **arguments)
    assert (ier, info["nfev"]) == (ier2, info2["nfev"])
    # With a covariance matrix, SciPy solves with its factor and we multiply with the inverse: rounding.
    np.testing.assert_allclose(popt, popt2, rtol=1e-8)
    np.testing.assert_allclose(pcov, pcov2, rtol=1e-6)
    np.testing.assert_allclose(info["fvec"], info2["fvec"], atol=1e-7 * np.linalg.norm(info2["fvec"]))
    assert info.keys() >= {"nfev", "fvec", "fjac", "ipvt", "qtf"}


def test_evaluations_are_counted_and_none_is_repeated():
    points = []

    def model(t, *p):
        points.append(p)
        return decay(t, *p)

    _, _, info, _, _ = curve_fit(model, T, Y, p0=[2, 1, 0], full_output=True)
    assert info["nfev"] == len(points)
    assert len(set(points)) == len(points)
