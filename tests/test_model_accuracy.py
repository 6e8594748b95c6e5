"""Models whose functions neither NumPy nor extended precision has, against mpmath with 50 digits."""

import mpmath as mp
import numpy as np
import pytest

from leastsq import models


def faddeeva(z):
    return mp.exp(-z * z) * mp.erfc(-1j * z)


def voigt(x, amplitude, center, sigma, gamma, offset):
    width = sigma * mp.sqrt(2)
    return amplitude * faddeeva(mp.mpc(x - center, gamma) / width).real / faddeeva(1j * gamma / width).real + offset


def moffat(x, amplitude, center, gamma, beta, offset):
    return amplitude * (1 + ((x - center) / gamma) ** 2) ** (-beta) + offset


def exponential_gaussian(x, amplitude, center, sigma, tau, offset):
    z, r = (x - center) / sigma * mp.sign(tau), sigma / abs(tau)
    height = amplitude * r * mp.sqrt(mp.pi / 2)
    return height * mp.exp(r * (r / 2 - z)) * mp.erfc((r - z) / mp.sqrt(2)) + offset


def double_logistic(x, base, height, begin, end, rise, fall):
    return base + height * (1 / (1 + mp.exp(-rise * (x - begin))) - 1 / (1 + mp.exp(-fall * (x - end))))


def logistic5(x, bottom, top, log_ec50, hill, asymmetry):
    return bottom + (top - bottom) / (1 + mp.mpf(10) ** ((log_ec50 - x) * hill)) ** asymmetry


def gaussian_2d_pixel(x, y, intensity, x0, y0, sigma, offset):
    def share(d):
        edges = ((d + side) / (sigma * mp.sqrt(2)) for side in (mp.mpf(0.5), -mp.mpf(0.5)))
        right, left = map(mp.erf, edges)
        return (right - left) / 2

    return intensity * share(x - x0) * share(y - y0) + offset


def decades(rng, low, high):
    return 10 ** rng.uniform(low, high)


def voigt_draw(rng):
    gamma = decades(rng, -6, 3) if rng.random() < 0.8 else rng.uniform(-0.5, 0) * decades(rng, -3, 0)
    return (rng.choice([-1, 1]) * decades(rng, -3, 3),), (2, rng.uniform(-0.5, 0.5), 1 + rng.random(), gamma, 0.3)


def moffat_draw(rng):
    return (rng.uniform(-9, 9),), (2, rng.uniform(-1, 1), decades(rng, -1, 1), rng.uniform(0.6, 5), 0.3)


def exponential_gaussian_draw(rng):
    tau = rng.choice([-1, 1]) * decades(rng, -9, 3)
    return (rng.uniform(-1, 1) * decades(rng, -2, 2),), (2, rng.uniform(-0.5, 0.5), decades(rng, -1, 1), tau, 0.3)


def double_logistic_draw(rng):
    rates = decades(rng, -1, 1), decades(rng, -1, 1)
    return (rng.uniform(-5, 15),), (0.3, 2, rng.uniform(0, 3), rng.uniform(6, 9), *rates)


def logistic5_draw(rng):
    return (rng.uniform(-9, -3),), (0.3, 2, rng.uniform(-7, -5), rng.uniform(-3, 3), rng.uniform(0.2, 3))


def gaussian_2d_pixel_draw(rng):
    return tuple(rng.uniform(-4, 4, 2)), (2, *rng.uniform(-0.5, 0.5, 2), decades(rng, -0.5, 1), 0.3)


DRAWS = {
    "voigt": (voigt, voigt_draw),
    "moffat": (moffat, moffat_draw),
    "exponential_gaussian": (exponential_gaussian, exponential_gaussian_draw),
    "double_logistic": (double_logistic, double_logistic_draw),
    "logistic5": (logistic5, logistic5_draw),
    "gaussian_2d_pixel": (gaussian_2d_pixel, gaussian_2d_pixel_draw),
}


def differentiated(formula, inputs, j):
    """The derivative by the j-th input, by central differences of 50 digits: some 30 are right."""
    step = abs(inputs[j]) * mp.mpf(10) ** -16
    ends = [formula(*inputs[:j], inputs[j] + side * step, *inputs[j + 1 :]) for side in (1, -1)]
    return (ends[0] - ends[1]) / (2 * step)


@pytest.mark.slow
@pytest.mark.parametrize("name", DRAWS)
def test_values_and_derivatives(name):
    formula, draw = DRAWS[name]
    model, rng = getattr(models, name), np.random.default_rng(5)
    with mp.workdps(50):
        for _ in range(150):
            x, p = draw(rng)
            inputs = [mp.mpf(float(number)) for number in (*x, *p)]
            argument = x if len(x) > 1 else x[0]
            wanted = [formula(*inputs), *(differentiated(formula, inputs, len(x) + j) for j in range(len(p)))]
            got = [model(argument, *p), *model.jac(argument, *p)]
            # Where a derivative passes through zero, what it is the difference of has been rounded.
            # The second derivative of w, for one, near the centre is left over from terms thirty times as large.
            rounded = [1e-14, *(1e-14 * 4 / min(abs(number), 1) for number in p)]
            for which, (ours, exact, floor) in enumerate(zip(got, wanted, rounded, strict=True)):
                assert abs(ours - exact) <= 1e-12 * abs(exact) + floor, (which, x, p)


@pytest.mark.slow
def test_the_faddeeva_function_in_the_whole_plane():
    """Heights of a Voigt profile are Re w over its value at the centre, whose relative error is to be below 1e-10.

    Re w itself has it, not only w: also in the wings, and where it is exponentially small.
    """
    rng = np.random.default_rng(6)
    worst = 0.0
    with mp.workdps(50):
        for _ in range(600):
            x, y = decades(rng, -3, 4), decades(rng, -12, 4)
            if rng.random() < 0.4:
                x, y = rng.uniform(0, 12), decades(rng, -15, 0.5)
            exact = faddeeva(mp.mpc(x, y)).real / faddeeva(mp.mpc(0, y)).real
            root = np.sqrt(0.5)
            got = models.voigt(x, 1.0, 0.0, root, y, 0.0)
            # The width is not exactly that of w(x + iy): a relative change of an ulp, times the logarithmic slope.
            slope = abs(float(mp.diff(lambda u, y=y: mp.log(abs(faddeeva(mp.mpc(u, y)).real)), x)) * x)
            worst = max(worst, float(abs(got - exact) / exact) / max(1.0, slope * 1e-3))
    assert worst < 1e-12


def test_without_a_tail_the_peak_is_gaussian_and_nothing_overflows():
    x = np.linspace(-40, 40, 201)
    plain = models.gaussian(x, 2.0, 0.3, 1.1, 0.5)
    for tau in (0.0, 1e-300, -1e-300, 1e-18):
        np.testing.assert_allclose(models.exponential_gaussian(x, 2.0, 0.3, 1.1, tau, 0.5), plain, rtol=4e-15)
        slopes = models.exponential_gaussian.jac(x, 2.0, 0.3, 1.1, tau, 0.5)
        np.testing.assert_allclose(
            slopes[:, [0, 1, 2, 4]], models.gaussian.jac(x, 2.0, 0.3, 1.1, 0.5), rtol=1e-12, atol=1e-15
        )
        # A short tail moves the peak by its length.
        np.testing.assert_allclose(slopes[:, 3], slopes[:, 1], rtol=1e-12, atol=1e-15)
    for tau in (1e-5, 1e5, 1e300):
        for sigma in (1e-5, 1.0, 1e5):
            assert np.isfinite(models.exponential_gaussian.jac(x, 2.0, 0.3, sigma, tau, 0.5)).all()


def test_a_voigt_profile_is_gaussian_and_lorentzian_at_its_ends():
    x = np.linspace(-30, 30, 201)
    gaussian = models.gaussian(x, 2.0, 0.3, 1.1, 0.5)
    np.testing.assert_allclose(models.voigt(x, 2.0, 0.3, 1.1, 0.0, 0.5), gaussian, rtol=1e-14)
    lorentzian = models.lorentzian(x, 2.0, 0.3, 1.1, 0.5)
    np.testing.assert_allclose(models.voigt(x, 2.0, 0.3, 0.0, 1.1, 0.5), lorentzian, rtol=1e-13)
    slopes = models.voigt.jac(x, 2.0, 0.3, 0.0, 1.1, 0.5)
    np.testing.assert_array_equal(slopes[:, 2], 0)  # by symmetry
    np.testing.assert_allclose(
        slopes[:, [0, 1, 3, 4]], models.lorentzian.jac(x, 2.0, 0.3, 1.1, 0.5), rtol=1e-10, atol=1e-13
    )
    # Through zero, the profile goes on smoothly.
    around = models.voigt.jac(x, 2.0, 0.3, 1.1, np.array([[-1e-9], [0.0], [1e-9]]), 0.5)
    np.testing.assert_allclose(around[0] + around[2], 2 * around[1], atol=1e-8)
    np.testing.assert_array_equal(models.voigt.jac(0.3, 2.0, 0.3, 1.1, 0.4, 0.5)[1], 0)
