"""Spots in images: what is worked out once for each coordinate gives the numbers that each pixel by itself does."""

import concurrent.futures

import numpy as np
import pytest
from many_decays import identical

from leastsq import curve_fit_many, models
from leastsq._input import pieces as _pieces
from leastsq._solver import kernel

each_spot = pytest.mark.parametrize("model", [models.gaussian_2d, models.gaussian_2d_pixel])
each_level = pytest.mark.parametrize("level", range(1, kernel.LEVEL + 1))


def pixels(lines, line):
    return tuple(grid.ravel().astype(float) for grid in np.indices((lines, line)))


def noisy(model, x, fits):
    """Spots near the middle of an image, and starts."""
    rng = np.random.default_rng(5)
    size = min(np.ptp(c) for c in x)
    center = [np.median(c) + rng.uniform(-size / 8, size / 8, fits) for c in x]
    p = [rng.uniform(20, 50, fits), *center, rng.uniform(0.2, 0.3, fits) * size, rng.uniform(0.5, 2, fits)]
    truth = np.stack(p, axis=1)
    y = model(x, *truth.T[:, :, None])
    return y + 0.2 * rng.normal(size=y.shape), truth * rng.uniform(0.95, 1.05, truth.shape)


def moved(x):
    """Return the same points with every other one moved by a last digit, which are no image any more."""
    return tuple(np.where(np.arange(c.size) % 2 == 1, np.nextafter(c, 99), c) for c in x)


def agree(fits, others):
    """Ends of fits that took the same steps, of which rounding decides the last digits alone."""
    assert (fits.success == others.success).all()
    same = fits.success & (fits.nfev == others.nfev)
    assert same.sum() >= 0.97 * fits.success.sum() > 0
    assert (np.abs(fits.popt - others.popt)[same] <= 1e-6 * others.stderr[same]).all()
    np.testing.assert_allclose(fits.stderr[same], others.stderr[same], rtol=1e-6)
    np.testing.assert_allclose(fits.chisq[same], others.chisq[same], rtol=1e-10)


@each_level
@each_spot
@pytest.mark.parametrize("shape", [(5, 5), (15, 15), (4, 13), (60, 4)])
def test_the_order_of_pixels_does_not_matter(model, shape, level, monkeypatch):
    monkeypatch.setattr(kernel, "LEVEL", level)
    x = pixels(*shape)
    y, p0 = noisy(model, x, 100)
    fits = curve_fit_many(model, x, y, p0)
    assert fits.success.all()
    order = np.random.default_rng(1).permutation(y.shape[1])
    agree(fits, curve_fit_many(model, tuple(c[order] for c in x), y[:, order], p0))
    agree(fits, curve_fit_many(model, moved(x), y, p0))
    along = np.arange(y.shape[1]).reshape(shape).T.ravel()
    agree(fits, curve_fit_many(model, tuple(c[along] for c in x), y[:, along], p0))


def some_fixed(p0):
    lower, upper = np.full(p0.shape, -100.0), np.full(p0.shape, 100.0)
    lower[::2, 1] = upper[::2, 1] = p0[::2, 1]
    lower[::3, 4] = upper[::3, 4] = p0[::3, 4]
    return lower, upper


def with_gaps(y):
    gaps = y.copy()
    gaps[::4, 7] = np.nan
    return gaps


@each_spot
@pytest.mark.parametrize("kind", ["sigma", "shared sigma", "no sigma", "loss", "bounds", "fixed", "single", "missing"])
def test_all_that_fits_are_given(model, kind):
    x = pixels(7, 9)
    y, p0 = noisy(model, x, 100)
    sigma = np.random.default_rng(2).uniform(0.1, 0.3, y.shape)
    given = {
        "sigma": {"sigma": sigma},
        "shared sigma": {"sigma": sigma[0]},
        "no sigma": {"sigma": np.ones(y.shape[1])},
        "loss": {"loss": "soft_l1", "sigma": 0.2},
        "bounds": {"bounds": (0, [100, 4, 100, 100, 100])},
        "fixed": {"bounds": some_fixed(p0)},
    }.get(kind, {})
    p0 = np.clip(p0, 0.01, [100, 3.99, 100, 100, 100]) if kind == "bounds" else p0
    y = {"single": y.astype(np.float32), "missing": with_gaps(y)}.get(kind, y)
    fits = curve_fit_many(model, x, y, p0, **given)
    agree(fits, curve_fit_many(model, moved(x), y, p0, **given))
    if kind == "no sigma":
        assert identical(fits, curve_fit_many(model, x, y, p0))
    if kind == "fixed":
        assert (fits.popt[::2, 1] == p0[::2, 1]).all()


def test_two_spots():
    x = pixels(9, 16)
    for spot in (models.gaussian_2d, models.gaussian_2d_pixel):
        two = spot.prefix("a_") + spot.fix(offset=0.0).prefix("b_")
        rng = np.random.default_rng(7)
        truth = np.array([30, 4, 4, 1.5, 1, 40, 5, 11, 1.2]) * rng.uniform(0.95, 1.05, (60, 9))
        y = two(x, *truth.T[:, :, None]) + 0.2 * rng.normal(size=(60, 144))
        agree(curve_fit_many(two, x, y, truth), curve_fit_many(two, moved(x), y, truth))


# --- The results depend on nothing but the data ---


def images_of_all_shapes(model, fits):
    """Images with coordinates of their own, with gaps and without, and some that are none."""
    rng = np.random.default_rng(11)
    kinds = [pixels(6, 6), pixels(4, 9), pixels(9, 4), pixels(6, 6)[::-1], moved(pixels(6, 6))]
    which = rng.integers(0, len(kinds), fits)
    both = [noisy(model, x, fits) for x in kinds]
    x = tuple(np.stack([kinds[k][axis] + 3 * (i % 5) for i, k in enumerate(which)]) for axis in (0, 1))
    y = np.stack([both[k][0][i] for i, k in enumerate(which)])
    p0 = np.stack([both[k][1][i] for i, k in enumerate(which)])
    p0[:, 1:3] += 3 * (np.arange(fits) % 5)[:, None]
    y[rng.random(fits) < 0.2, 3] = np.nan
    return x, y, p0


@each_level
@each_spot
def test_images_do_not_look_at_each_other(model, level, monkeypatch):
    monkeypatch.setattr(kernel, "LEVEL", level)
    x, y, p0 = images_of_all_shapes(model, 90)
    p0[5], y[9, 1] = 0, np.inf
    for bounds in (None, some_fixed(p0)):

        def fit(which, bounds=bounds):
            box = {} if bounds is None else {"bounds": tuple(b[which] for b in bounds)}
            return curve_fit_many(model, tuple(c[which] for c in x), y[which], p0[which], maxfev=60, **box)

        expected = fit(slice(None))
        assert expected.success.sum() > 70
        order = np.random.default_rng(3).permutation(90)
        assert identical(fit(order), expected[order])
        for i in range(0, 90, 7):
            assert identical(fit([i]), expected[[i]])


@each_spot
def test_images_of_pieces_and_workers(model, monkeypatch):
    x, y, p0 = images_of_all_shapes(model, 60)
    expected = curve_fit_many(model, x, y, p0)
    for size in (1, 7, 16):
        monkeypatch.setattr(_pieces, "MOST_FITS", size)
        assert identical(curve_fit_many(model, x, y, p0), expected)
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        assert identical(curve_fit_many(model, x, y, p0, workers=pool.map), expected)


@each_spot
def test_shared_coordinates_give_what_own_ones_do(model):
    for x in (pixels(6, 6), pixels(20, 11), moved(pixels(6, 6))):
        y, p0 = noisy(model, x, 40)
        expected = curve_fit_many(model, x, y, p0)
        assert identical(curve_fit_many(model, tuple(np.tile(c, (40, 1)) for c in x), y, p0), expected)
        assert identical(curve_fit_many(model, x, y[:1], p0[:1]), expected[:1])


@each_spot
def test_images_of_which_one_needs_reflections(model):
    """A spot of next to no amplitude has columns that are nearly dependent."""
    x = pixels(7, 7)
    y, p0 = noisy(model, x, 32)
    expected = curve_fit_many(model, x, y, p0)
    y[10:12] = 0.0
    p0[10:12] = [1e-9, 3, 3, 40, 1]
    fits = curve_fit_many(model, x, y, p0)
    others = np.delete(np.arange(32), [10, 11])
    assert identical(fits[others], expected[others])


# --- Where coordinates are no numbers ---


@each_spot
def test_lines_at_infinity(model):
    x = pixels(9, 7)
    y, p0 = noisy(model, x, 40)
    far = np.where(x[0] == 8, np.inf, x[0])
    y[:, x[0] == 8] = p0[:, 4:]
    fits = curve_fit_many(model, (far, x[1]), y, p0)
    assert fits.success.all()
    agree(fits, curve_fit_many(model, moved((far, x[1])), y, p0))


@each_spot
def test_coordinates_that_are_nan(model):
    x = pixels(7, 7)
    y, p0 = noisy(model, x, 20)
    nowhere = np.where(np.arange(49) == 11, np.nan, x[0])
    fits = curve_fit_many(model, (nowhere, x[1]), y, p0)
    assert fits.success.all()
    y[:, 11] = np.nan
    agree(fits, curve_fit_many(model, x, y, p0))
