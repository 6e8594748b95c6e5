"""`least_squares` of arguments that need not fit into memory: the numbers are those in memory."""

import numpy as np
import pytest

from leastsq import least_squares

M = 100_000
START = [2.0, 4.5, 1.0, 0.3]
X = np.linspace(0, 10, M)


def peak(t, amplitude, center, sigma, offset):
    return amplitude * np.exp(-0.5 * ((t - center) / sigma) ** 2) + offset


Y = peak(X, 3.0, 5.0, 1.2, 0.5) + np.random.default_rng(0).normal(0, 0.1, M)


def residuals(p, t, y):
    return peak(t, *p) - y


def slopes(p, t, y):
    amplitude, center, sigma, _ = p
    z = (t - center) / sigma
    e = np.exp(-0.5 * z * z)
    return np.stack([e, amplitude * e * z / sigma, amplitude * e * z * z / sigma, np.ones_like(t)], axis=1)


def mapped(folder, array, name):
    np.save(folder / f"{name}.npy", array)
    return np.load(folder / f"{name}.npy", mmap_mode="r")


@pytest.fixture(params=["files", "dask"])
def large(request, tmp_path):
    if request.param == "files":
        return mapped(tmp_path, X, "x"), mapped(tmp_path, Y, "y")
    dask_array = pytest.importorskip("dask.array")
    return dask_array.from_array(X, chunks=30_000), dask_array.from_array(Y, chunks=40_000)


def own_loss(z):
    return np.array([np.log1p(z), 1 / (1 + z), -1 / (1 + z) ** 2])


KINDS = {
    # Differences multiply rounding by 1e8.
    "differences": ({}, 1e-5),
    "jac": ({"jac": slopes}, 1e-9),
    "central": ({"jac": "3-point"}, 1e-7),
    "complex steps": ({"jac": "cs"}, 1e-9),
    "lm": ({"method": "lm"}, 1e-5),
    "soft_l1": ({"jac": slopes, "loss": "soft_l1", "f_scale": 0.1}, 1e-9),
    "own loss": ({"jac": slopes, "loss": own_loss, "f_scale": 0.1}, 1e-9),
    "bounds": ({"jac": slopes, "bounds": ([0, 0, 0, 0], [10, 10, 10, 0.4])}, 1e-9),
    "limit": ({"jac": slopes, "max_nfev": 3}, 1e-9),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_results_are_those_of_memory(kind, large):
    keywords, rtol = KINDS[kind]
    expected = least_squares(residuals, START, args=(X, Y), **keywords)
    found = least_squares(residuals, START, args=large[:1], kwargs={"y": large[1]}, **keywords)
    product = expected.jac.T @ expected.jac
    errors = np.sqrt(np.diag(np.linalg.inv(product)))
    np.testing.assert_allclose((found.x - expected.x) / errors, 0, atol=rtol)
    np.testing.assert_allclose(found.jac.T @ found.jac, product, rtol=rtol, atol=rtol * product.max())
    assert found.cost == pytest.approx(expected.cost, rel=rtol)
    assert found.optimality == pytest.approx(expected.optimality, rel=1e-2)
    for name in ("status", "nfev", "njev", "message"):
        assert found[name] == expected[name]
    assert found.active_mask.tolist() == expected.active_mask.tolist()
    assert "fun" not in found


def test_callbacks_and_tables_are_those_of_memory(large, capsys):
    def steps_of(data):
        found = []
        least_squares(
            residuals,
            START,
            jac=slopes,
            args=data,
            verbose=2,
            callback=lambda intermediate_result: found.append(intermediate_result),
        )
        return found

    expected, ours = steps_of((X, Y)), steps_of(large)
    assert [one.nit for one in ours] == [one.nit for one in expected]
    np.testing.assert_allclose([one.cost for one in ours], [one.cost for one in expected], rtol=1e-10)
    half = capsys.readouterr().out.splitlines()
    assert len(half) % 2 == 0
    assert [line[:30] for line in half[: len(half) // 2]] == [line[:30] for line in half[len(half) // 2 :]]

    def stop(x):
        raise StopIteration

    assert least_squares(residuals, START, args=large, callback=stop).status == -2


def test_points_may_be_rows(tmp_path):
    table = np.stack([X, np.cos(X)], axis=1)
    file = mapped(tmp_path, table, "table")
    expected = np.linalg.lstsq(table, Y, rcond=None)[0]
    found = least_squares(lambda p, a, y: a @ p - y, [1, 1], args=(file, mapped(tmp_path, Y, "y")))
    np.testing.assert_allclose(found.x, expected, rtol=1e-7)


def test_arguments_of_other_lengths_are_passed_on_whole(large):
    basis = np.arange(5.0)
    found = least_squares(lambda p, b, t, y: p[0] * b.sum() * t - y, [1.0], args=(basis, *large))
    assert found.x[0] == pytest.approx(np.dot(X, Y) / np.dot(X, X) / 10, rel=1e-6)


@pytest.mark.parametrize(
    ("fun", "message"),
    [
        (lambda p, t, y: np.append(residuals(p, t, y), p[0]), "one residual for each point"),
        (lambda p, t, y: np.sum(residuals(p, t, y) ** 2), "one residual for each point"),
        (lambda p, t, y: residuals(p, t, y) - np.mean(y), "point by point"),
    ],
)
def test_functions_that_do_not_work_point_by_point_are_refused(fun, message, large):
    with pytest.raises(ValueError, match=message):
        least_squares(fun, START, args=large)


def test_processes_are_refused(large):
    with pytest.raises(ValueError, match="workers is not for memory maps"):
        least_squares(residuals, START, args=large, workers=2)


def test_values_that_are_missing_are_refused(tmp_path):
    y = Y.copy()
    y[70_000] = np.nan
    with pytest.raises(ValueError, match="fun: the residuals at the starting point are not finite"):
        least_squares(residuals, START, args=(X, mapped(tmp_path, y, "y")))
