"""Pictures of results: what is on them, not how they look."""

import sys

import numpy as np
import pytest

from leastsq import curve_fit_many, models

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
from matplotlib import pyplot  # noqa: E402

X = np.linspace(0, 5, 24)
DECAY = models.exponential(X, 2.0, np.linspace(0.5, 1, 12).reshape(3, 4, 1), 0.1) + 0.01 * np.cos(9 * X)
DECAY[2, 1] = np.nan
FITS = curve_fit_many(models.exponential, X, DECAY)


@pytest.fixture(autouse=True)
def closed():
    yield
    pyplot.close("all")


def curve(axes):
    return next(line for line in axes.lines if line.get_label() in ("fit", "not solved"))


def test_a_fit():
    figure = FITS.plot((1, 2), X, DECAY)
    above, below = figure.axes
    fine, values = curve(above).get_data()
    np.testing.assert_allclose(values, FITS[1, 2].predict(fine), rtol=1e-12)
    data = above.containers[0].lines[0]
    np.testing.assert_array_equal(data.get_ydata(), DECAY[1, 2])
    np.testing.assert_allclose(below.lines[1].get_ydata(), FITS.residuals(X, DECAY)[1, 2], rtol=1e-12)
    assert [text.get_text() for text in above.get_legend().get_texts()] == ["95 % band", "fit", "data"]
    assert above.get_title().startswith("fit (1, 2): reduced chi-square ")
    figure.canvas.draw()


def test_a_fit_with_errors_and_a_label():
    y = models.exponential(X, 2.0, 0.7, 0.1) + 0.01 * np.cos(9 * X)
    fits = curve_fit_many(models.exponential, X, y, sigma=0.02, groups=np.repeat("A01", 24))
    figure = fits.plot("A01", X, y, 0.02, groups=np.repeat("A01", 24), level=0.5)
    assert figure.axes[0].get_title().startswith("group A01: ")
    assert figure.axes[1].get_ylabel() == "residual / sigma"
    one = fits[0].plot((), X, y, 0.02, figure=pyplot.figure())
    np.testing.assert_array_equal(one.axes[1].lines[1].get_ydata(), figure.axes[1].lines[1].get_ydata())


def test_a_fit_that_failed():
    figure = FITS.plot((2, 1), X, DECAY)
    assert "not fitted" in figure.axes[0].get_title()
    assert curve(figure.axes[0]).get_label() == "not solved"
    figure.canvas.draw()


def test_a_fit_with_open_parameters_has_no_band():
    y = X + 0.1 * np.cos(9 * X)
    figure = curve_fit_many(lambda x, a, b: a * b * x, X, y, [1, 1]).plot((), X, y)
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == ["fit", "data"]


@pytest.mark.slow
@pytest.mark.parametrize("sigma", [None, 0.02, 0.02 + 0.03j])
def test_complex_data_are_drawn_as_both_parts(sigma):
    def circuit(w, r, q, tau):
        return r + q / (1 + 1j * w * tau)

    w = np.geomspace(0.1, 100, 20)
    z = circuit(w, 1.0, 2.0, 0.3) + 0.01 * np.exp(9j * w)
    z[3] = complex(np.nan, np.nan)
    fits = curve_fit_many(circuit, w, z, [1, 1, 1], None if sigma is None else np.full(20, sigma))
    figure = fits.plot((), w, z, None if sigma is None else np.full(20, sigma))
    above, below = figure.axes
    told = [text.get_text() for text in above.get_legend().get_texts()]
    assert told[-2:] == ["data, real part", "data, imaginary part"]
    rest = fits.residuals(w, z, None if sigma is None else np.full(20, sigma))
    for k, part in enumerate((np.real, np.imag)):
        np.testing.assert_array_equal(above.containers[k].lines[0].get_ydata(), part(z))
        np.testing.assert_array_equal(below.lines[1 + k].get_xydata().T, [w, part(rest)])
        fine, values = above.lines[-2 + k].get_data()
        np.testing.assert_allclose(values, part(fits.predict(fine)), rtol=1e-12)
    figure.canvas.draw()
    with pytest.raises(ValueError, match="one predictor: this model has 2"):
        curve_fit_many(lambda x, a, b: (a * x[0] + b * x[1]) * 1j, (w, w**2), z, [1, 1]).plot((), (w, w**2), z)


def test_curves_are_fine_on_logarithmic_axes():
    x = np.geomspace(1e-3, 1e3, 13)
    fits = curve_fit_many(models.michaelis_menten, x, models.michaelis_menten(x, 1, 1) + 0.01 * np.cos(9 * x))
    points = curve(fits.plot((), x, models.michaelis_menten(x, 1, 1) + 0.01 * np.cos(9 * x)).axes[0]).get_xdata()
    assert np.diff(np.log(points)).max() < 0.05
    assert np.diff(points).max() < 3


def test_several_predictors_are_refused():
    fits = curve_fit_many(lambda xy, a, b: a * xy[0] + b * xy[1], (X, X**2), X, [1, 1])
    with pytest.raises(ValueError, match="one predictor: this model has 2"):
        fits.plot((), (X, X**2), X)


def test_a_map():
    axes = FITS.plot_map("rate")
    image = axes.images[0].get_array()
    np.testing.assert_array_equal(image.mask, ~FITS.success)
    np.testing.assert_array_equal(image.data[FITS.success], FITS["rate"][FITS.success])
    crosses = next(line for line in axes.lines if len(line.get_xdata()))
    assert crosses.get_xydata().tolist() == [[1, 2]]
    assert axes.get_legend().get_texts()[0].get_text() == "not solved (1)"
    assert FITS.plot_map("status", ax=pyplot.figure().subplots()).images[0].get_array()[2, 1] == 12
    FITS.plot_map("redchi", robust=False, cmap="magma").figure.canvas.draw()
    FITS[2:, 1:2].plot_map("rate").figure.canvas.draw()


def test_a_row():
    axes = FITS[2].plot_map("rate")
    np.testing.assert_array_equal(
        axes.containers[0].lines[0].get_ydata(), np.where(FITS[2].success, FITS[2]["rate"], np.nan)
    )
    assert {text.get_text() for text in axes.get_legend().get_texts()} == {"solved", "not solved (1)"}
    axes.figure.canvas.draw()


def test_wrong_maps():
    with pytest.raises(KeyError, match="no parameter is called 'rte'"):
        FITS.plot_map("rte")
    with pytest.raises(ValueError, match=r"one or two dimensions, these have shape \(\)"):
        FITS[0, 0].plot_map("rate")


def test_without_matplotlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"pip install 'leastsq\[plot\]'"):
        FITS.plot_map("rate")
