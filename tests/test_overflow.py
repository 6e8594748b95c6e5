"""Residuals whose squares overflow: solved where norms are enough, refused where statistics need the square."""

import numpy as np
import pytest

from leastsq import curve_fit, curve_fit_many, leastsq, models

X = np.linspace(-5, 5, 40)
SHAPE = np.exp(-0.5 * X**2) + 0.1 * np.sin(9 * X)


def gaussian(x, height, centre, width):
    return height * np.exp(-0.5 * ((x - centre) / width) ** 2)


def start(model, scale):
    return [0.5 * scale, 0.1, 1.2, 0.0] if model is models.gaussian else [0.5 * scale, 0.1, 1.2]


@pytest.mark.parametrize("scale", [1e150, 1e160, 1e250])
def test_leastsq_needs_norms_only(scale):
    y = scale * SHAPE
    x, ier = leastsq(lambda p: gaussian(X, *p) - y, start(gaussian, scale))
    np.testing.assert_allclose(x[2], 1, rtol=1e-5)
    assert ier in (1, 2, 3, 4)


@pytest.mark.parametrize("model", [gaussian, models.gaussian])
@pytest.mark.parametrize("scale", [1e156, 1e250])
def test_curve_fit_refuses_squares_that_overflow(model, scale):
    with pytest.raises(ValueError, match="square overflows"):
        curve_fit(model, X, scale * SHAPE, start(model, scale))


@pytest.mark.parametrize("model", [gaussian, models.gaussian])
def test_many_fits_say_which(model):
    scales = np.array([1.0, 1e150, 1e156, 1e250])
    p0 = np.array([start(model, scale) for scale in scales])
    fits = curve_fit_many(model, X, scales[:, None] * SHAPE, p0)
    assert fits.success.tolist() == [True, True, False, False]
    assert np.all(np.isfinite(fits.chisq[fits.success]))
    assert "overflow" in fits.message(2)
