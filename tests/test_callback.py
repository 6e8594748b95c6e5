"""Callbacks: every step is shown, nothing else is, and the numbers of a fit do not change for being watched."""

import math

import numpy as np
import pytest

from leastsq import OptimizeWarning, curve_fit, leastsq, models, native

T = np.linspace(0, 4, 40)
Y = 2 * np.exp(-1.3 * T) + 0.3 + 0.01 * np.cos(25 * T)
START = [1.0, 0.5, 0.32]
BOUNDS = ([0, 0, 0.31], [3, 3, 3])


def residuals(p):
    return p[0] * np.exp(-p[1] * T) + p[2] - Y


def jacobian(p):
    decay = np.exp(-p[1] * T)
    return np.stack([decay, -p[0] * T * decay, np.ones_like(T)], axis=1)


def watched(func=residuals, **options):
    steps = []

    def callback(intermediate_result):
        steps.append(intermediate_result)

    return leastsq(func, START, full_output=True, callback=callback, **options), steps


@pytest.mark.parametrize("dfun", [None, jacobian])
@pytest.mark.parametrize("bounds", [None, BOUNDS])
def test_numbers_are_the_same_bits(dfun, bounds):
    options = {"Dfun": dfun, "bounds": bounds}
    x, cov, info, message, ier = leastsq(residuals, START, full_output=True, **options)
    (seen, cov_seen, info_seen, message_seen, ier_seen), steps = watched(**options)
    assert (x.tobytes(), cov.tobytes(), message, ier) == (seen.tobytes(), cov_seen.tobytes(), message_seen, ier_seen)
    assert info["nfev"] == info_seen["nfev"]
    for name in ("fvec", "fjac", "qtf", "ipvt"):
        assert info[name].tobytes() == info_seen[name].tobytes()
    assert len(steps) >= 5


@pytest.mark.parametrize("dfun", [None, jacobian])
def test_each_step_is_shown_once(dfun):
    (x, _, info, _, _), steps = watched(Dfun=dfun)
    assert [step.nit for step in steps] == list(range(1, len(steps) + 1))
    costs = [step.cost for step in steps]
    assert costs == sorted(costs, reverse=True)
    assert len(set(costs)) == len(costs)
    for step in steps:
        assert np.array_equal(step.fun, residuals(step.x))
        assert step.cost == pytest.approx(0.5 * np.sum(step.fun**2), rel=1e-13)  # rounding of a sum of 40 squares
    assert np.array_equal(steps[-1].x, x)
    evaluations = [step.nfev for step in steps]
    assert evaluations == sorted(evaluations)
    assert evaluations[-1] <= info["nfev"]


def test_steps_that_were_rejected_are_not_shown():
    def valley(p):
        return np.array([10 * (p[1] - p[0] ** 2), 1 - p[0]])

    steps = []
    _, _, info, _, _ = leastsq(valley, [-1.2, 1], full_output=True, callback=lambda x: steps.append(x))
    # Of 3 evaluations for each step, and one at the start, some are left over.
    assert info["nfev"] > 1 + 3 * len(steps)
    costs = [np.sum(valley(x) ** 2) for x in steps]
    assert costs == sorted(costs, reverse=True)


def test_arguments_by_name():
    got = []
    leastsq(residuals, START, callback=lambda x: got.append(x))
    assert all(type(x) is np.ndarray for x in got)
    got.clear()
    leastsq(residuals, START, callback=lambda intermediate_result: got.append(intermediate_result))
    assert {"x", "fun", "cost", "nit", "nfev"} == set(got[0])


def test_stop_iteration_ends_the_fit():
    _, steps = watched()

    def enough(intermediate_result):
        if intermediate_result.nit == 2:
            raise StopIteration

    x, cov, info, message, ier = leastsq(residuals, START, full_output=True, callback=enough)
    assert ier == 19
    assert cov is None
    assert "callback" in message
    assert np.array_equal(x, steps[1].x)
    assert np.array_equal(info["fvec"], steps[1].fun)
    assert info["nfev"] == steps[1].nfev
    with pytest.warns(RuntimeWarning, match="stopped by callback"):
        assert leastsq(residuals, START, callback=enough)[1] == 19


def test_stop_at_the_last_step_leaves_a_fit_solved():
    (x, *_, ier), steps = watched()

    def at_the_last(intermediate_result):
        if intermediate_result.nit == len(steps):
            raise StopIteration

    found, ier_found = leastsq(residuals, START, callback=at_the_last)
    assert (found.tobytes(), ier_found) == (x.tobytes(), ier)


def test_exceptions_come_out():
    def broken(x):
        raise KeyError("of the callback")

    with pytest.raises(KeyError, match="of the callback"):
        leastsq(residuals, START, callback=broken)
    with pytest.raises(TypeError, match="callback must be callable"):
        leastsq(residuals, START, callback=3)


def test_what_is_shown_is_the_users():
    def spoil(intermediate_result):
        intermediate_result.x[:] = np.nan
        intermediate_result.fun[:] = np.nan

    plain = leastsq(residuals, START)[0]
    assert leastsq(residuals, START, callback=spoil)[0].tobytes() == plain.tobytes()


def test_functions_that_use_their_arrays_again():
    room = np.empty(T.size)

    def reusing(p):
        room[:] = residuals(p)
        p[:] = np.nan
        return room

    (x, *_), steps = watched(reusing)
    assert x.tobytes() == leastsq(residuals, START)[0].tobytes()
    for step in steps:
        assert np.array_equal(step.fun, residuals(step.x))


@pytest.mark.slow
def test_native_models():
    pytest.importorskip("numba")

    @native.jit
    def of_decay(t, a, b, c):
        return a * math.exp(-b * t) + c - 0.7

    steps = []
    plain = leastsq(of_decay, START, args=(T,), full_output=True)
    seen = leastsq(of_decay, START, args=(T,), full_output=True, callback=lambda x: steps.append(x))
    assert plain[0].tobytes() == seen[0].tobytes()
    assert plain[2]["nfev"] == seen[2]["nfev"]
    assert np.array_equal(steps[-1], seen[0])

    def enough(intermediate_result):
        raise StopIteration

    x, _, info, _, ier = leastsq(of_decay, START, args=(T,), full_output=True, callback=enough)
    assert ier == 19
    assert np.array_equal(x, steps[0])
    assert np.allclose(info["fvec"], of_decay(T, *x), rtol=1e-14)


# --- curve_fit ---


def decay(t, a, b, c):
    return a * np.exp(-b * t) + c


def slopes(t, a, b, c):
    e = np.exp(-b * t)
    return np.stack([e, -a * t * e, np.ones_like(t)], axis=1)


CALLS = {
    "differences": (decay, {}),
    "derivatives": (decay, {"jac": slopes}),
    "bounds": (decay, {"bounds": BOUNDS}),
    "sigma": (decay, {"sigma": np.linspace(0.5, 2, T.size)}),
    "central": (decay, {"jac": "3-point"}),
    "compiled": (models.exponential, {}),
    "compiled, weighted": (models.exponential, {"sigma": np.linspace(0.5, 2, T.size)}),
    "compiled, bounded": (models.exponential, {"bounds": BOUNDS}),
}


@pytest.mark.parametrize("name", CALLS)
def test_curve_fit_is_the_same_bits(name):
    f, options = CALLS[name]
    steps = []
    popt, pcov, info, message, ier = curve_fit(f, T, Y, START, full_output=True, **options)

    def callback(intermediate_result):
        steps.append(intermediate_result)

    seen = curve_fit(f, T, Y, START, full_output=True, callback=callback, **options)
    assert (popt.tobytes(), pcov.tobytes(), message, ier) == (seen[0].tobytes(), seen[1].tobytes(), *seen[3:])
    assert info["fvec"].tobytes() == seen[2]["fvec"].tobytes()
    assert info["nfev"] == seen[2]["nfev"]
    assert [step.nit for step in steps] == list(range(1, len(steps) + 1))
    assert len(steps) >= 4
    sigma = options.get("sigma", 1.0)
    for step in steps:
        # The compiled exponential and NumPy's differ by some units in the last place.
        np.testing.assert_allclose(step.fun, (decay(T, *step.x) - Y) / sigma, rtol=0, atol=1e-14)
        assert step.cost == pytest.approx(0.5 * np.sum(step.fun**2), rel=1e-12)
    assert steps[-1].x.tobytes() == popt.tobytes()


COUNTS = np.random.default_rng(3).poisson(100 * Y).astype(float)


def log1p(z):
    return np.array([np.log1p(z), 1 / (1 + z), -1 / (1 + z) ** 2])


LOSSES = {
    "counts": (decay, {"loss": "poisson"}),
    "counts, derivatives": (decay, {"loss": "poisson", "jac": slopes}),
    "counts, central": (decay, {"loss": "poisson", "jac": "3-point"}),
    "counts, bounded": (decay, {"loss": "poisson", "bounds": ([0, 0, 31], [300, 3, 300])}),
    "counts, compiled": (models.exponential, {"loss": "poisson"}),
    "own": (decay, {"loss": log1p, "f_scale": 10.0}),
    "own, derivatives": (decay, {"loss": log1p, "f_scale": 10.0, "jac": slopes, "sigma": np.full(T.size, 0.5)}),
    "own, compiled": (models.exponential, {"loss": log1p, "f_scale": 10.0}),
    "cauchy": (decay, {"loss": "cauchy", "f_scale": 10.0}),
}


@pytest.mark.parametrize("name", LOSSES)
def test_losses_are_watched_too(name):
    f, options = LOSSES[name]
    steps = []
    start = [150.0, 1.0, 35.0]
    plain = curve_fit(f, T, COUNTS, start, full_output=True, **options)

    def note(intermediate_result):
        steps.append(intermediate_result)

    seen = curve_fit(f, T, COUNTS, start, full_output=True, callback=note, **options)
    assert (plain[0].tobytes(), plain[1].tobytes(), *plain[3:]) == (seen[0].tobytes(), seen[1].tobytes(), *seen[3:])
    assert plain[2]["nfev"] == seen[2]["nfev"]
    assert [step.nit for step in steps] == list(range(1, len(steps) + 1))
    assert len(steps) >= 4
    costs = [step.cost for step in steps]
    assert costs == sorted(costs, reverse=True)
    for step in steps:
        z = step.fun**2
        if options["loss"] == "poisson":
            expected = z.sum()
        else:
            expected = 100 * np.log1p(z / 100).sum()  # Cauchy's loss, whoever wrote it
            np.testing.assert_allclose(step.fun, (decay(T, *step.x) - COUNTS) / options.get("sigma", 1), atol=1e-12)
        assert step.cost == pytest.approx(expected / 2, rel=1e-12)
    np.testing.assert_allclose(steps[-1].fun, seen[2]["fvec"], rtol=0, atol=1e-12)

    def enough(intermediate_result):
        if intermediate_result.nit == 2:
            raise StopIteration

    with pytest.warns(OptimizeWarning, match="callback stopped the fit after .* best so far"):
        popt, pcov, _, _, ier = curve_fit(f, T, COUNTS, start, full_output=True, callback=enough, **options)
    assert ier == 19
    assert popt.tobytes() == steps[1].x.tobytes()
    assert np.isinf(pcov).all()


@pytest.mark.parametrize("name", CALLS)
def test_curve_fit_stopped(name):
    f, options = CALLS[name]
    steps = []

    def stop_at_second(intermediate_result):
        steps.append(intermediate_result)
        if len(steps) == 2:
            raise StopIteration

    with pytest.warns(OptimizeWarning, match="callback stopped the fit after .* best so far"):
        popt, pcov, info, message, ier = curve_fit(f, T, Y, START, full_output=True, callback=stop_at_second, **options)
    assert ier == 19
    assert "callback" in message
    assert np.array_equal(popt, steps[1].x)
    assert np.isinf(pcov).all()
    np.testing.assert_allclose(info["fvec"], steps[1].fun, rtol=0, atol=1e-15)


def test_curve_fit_stopped_with_a_fixed_parameter():
    def stop(x):
        raise StopIteration

    with pytest.warns(OptimizeWarning, match="callback"):
        popt, pcov = curve_fit(decay, T, Y, START, fixed={"c": 0.3}, callback=stop)
    assert popt[2] == 0.3
    assert np.isinf(pcov[:2, :2]).all()
    assert not pcov[2].any()
