"""The copies of the lane modules for the levels of processors agree, and a user can choose between them."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from leastsq._solver import kernel
from leastsq._solver import level as _level

RUN = list(_level.NAMES[: kernel._minpack.processor_level()])

FITS = """
import json
import numpy as np
from leastsq import curve_fit_many, models
rng = np.random.default_rng(7)
t = np.linspace(0.05, 5, 40)
results = {}
for name, truth in (("gaussian", (2, 2.5, 0.4, 1)), ("exponential", (2, 1.3, 0.5)), ("logistic4", (0.2, 2, 1.5, 2))):
    model = getattr(models, name)
    parameters = np.array(truth) * rng.uniform(0.8, 1.25, (50, len(truth)))
    curves = np.array([model(t, *p) for p in parameters])
    curves += rng.normal(0, 0.01, curves.shape)
    curves[3] = np.nan
    fits = curve_fit_many(model, t, curves)
    results[name] = [fits.popt.tolist(), fits.stderr.tolist(), fits.status.tolist(), fits.chisq.tolist()]
print(json.dumps(results))
"""


def run(code, level):
    environment = {**os.environ, _level.VARIABLE: level}
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def results():
    """What each level that this processor runs makes of the same data."""
    done = {level: run(FITS, level) for level in RUN}
    assert all(d.returncode == 0 for d in done.values()), [d.stderr for d in done.values()]
    return {level: json.loads(d.stdout) for level, d in done.items()}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gaussian", "exponential", "logistic4"])
def test_levels_agree(results, name):
    """They take the same steps up to rounding, and each stops within its tolerances of the same minimum."""
    popt, stderr, status, chisq = (np.array(part) for part in results["baseline"][name])
    solved = np.isfinite(stderr).all(axis=1)
    assert solved.sum() == 49
    for level in RUN:
        other, _, other_status, other_chisq = (np.array(part) for part in results[level][name])
        # A sum of squares within ftol, 1.5e-8, of its minimum is within sqrt(36 * 1.5e-8), or 1e-3, standard errors.
        np.testing.assert_array_less(np.abs(other - popt)[solved], 1e-3 * stderr[solved])
        np.testing.assert_allclose(other_chisq[solved], chisq[solved], rtol=2e-8)
        assert np.array_equal(np.isin(other_status, (1, 2, 3, 4)), np.isin(status, (1, 2, 3, 4)))
        assert other_status[3] == status[3]


@pytest.mark.parametrize("level", RUN)
def test_the_chosen_level_runs(level):
    """What is imported is what was asked for."""
    told = run("from leastsq._solver import kernel; print(kernel.LEVEL)", level)
    assert told.stdout.strip() == str(RUN.index(level) + 1), told.stderr


def test_a_level_that_is_none(monkeypatch):
    monkeypatch.setenv(_level.VARIABLE, "v5")
    with pytest.raises(ImportError, match=r"LEASTSQ_LEVEL: got 'v5', expected one of baseline, v3, v4; or unset it"):
        _level.chosen_level(3)


def test_a_level_that_the_processor_does_not_run(monkeypatch):
    monkeypatch.setenv(_level.VARIABLE, "v4")
    with pytest.raises(ImportError, match=r"got 'v4', but this processor runs baseline, v3 only; choose one of those"):
        _level.chosen_level(2)


@pytest.mark.parametrize("value", [None, ""])
def test_without_the_variable_the_best_level_runs(monkeypatch, value):
    monkeypatch.delenv(_level.VARIABLE, raising=False)
    if value is not None:
        monkeypatch.setenv(_level.VARIABLE, value)
    assert _level.chosen_level(2) == 2
