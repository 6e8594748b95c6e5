"""What type checkers see: lazy results where data are dask arrays, and whether there are covariances."""

import inspect
import sys

import pytest

from leastsq import curve_fit_many
from leastsq._many.signatures import Keywords

CALLS = """
from typing import Any

import dask.array
import numpy as np
import pandas
from numpy.typing import NDArray
from typing_extensions import assert_type

from leastsq import ManyFits, curve_fit, curve_fit_many, models
from leastsq._many.dask import LazyFits

Array = NDArray[np.float64]
x, y = np.linspace(0, 5, 20), np.ones((3, 20))
fits = curve_fit_many(models.exponential, x, y, bounds={"rate": (0, 1)}, workers=2)
assert_type(fits, ManyFits[Array])
assert_type(fits.pcov, Array)
assert_type(fits["rate"], Array)
assert_type(fits[0], ManyFits[Array])
assert_type(fits.predict(x, return_std=True), tuple[Array, Array])
assert_type(fits.derived(lambda rate: 1 / rate), tuple[Array, Array])
for one in fits:
    assert_type(one, ManyFits[Array])

without = curve_fit_many(models.exponential, x, y, pcov=False)
assert_type(without.pcov, None)
assert_type(without.conf_interval(), tuple[Array, Array])
without.derived(lambda rate: 1 / rate)  # E: there are no covariances
without.correlation  # E: nor correlations

def lazily(chunked: dask.array.Array) -> None:
    lazy = curve_fit_many(models.exponential, x, chunked, nan_policy="omit")
    assert_type(lazy, LazyFits)
    assert_type(lazy.compute(), ManyFits)
    assert_type(lazy.persist(), LazyFits)

def refit(result: ManyFits, data: pandas.DataFrame, listed: list[list[float]]) -> ManyFits:
    again = curve_fit_many(result.model, [1.0, 2.0], listed, result.popt)
    assert_type(again, ManyFits[Array])
    return again

assert_type(curve_fit(models.exponential, x, y[0]), tuple[Array, Array])
assert_type(curve_fit(models.exponential, x, y[0], full_output=True)[2], dict[str, Any])
curve_fit_many(models.exponential, x, y, max_fev=3)  # E: there is no such keyword
curve_fit_many(models.exponential, x, y, nan_policy="drop")  # E: nor such a choice
"""


@pytest.mark.slow
def test_types_of_results(tmp_path):
    api = pytest.importorskip("mypy.api")
    for package in ("dask.array", "pandas"):
        pytest.importorskip(package)
    file = tmp_path / "calls.py"
    file.write_text(CALLS)
    options = [
        "--config-file=",
        "--strict",
        "--ignore-missing-imports",
        "--cache-dir",
        str(tmp_path / "cache"),
        "--no-error-summary",
    ]
    told, failed, _ = api.run([*options, "--python-executable", sys.executable, str(file)])
    wrong = {int(line.split(":")[1]) for line in told.splitlines() if line.startswith(str(file)) and "error:" in line}
    expected = {number for number, line in enumerate(CALLS.splitlines(), 1) if "# E:" in line}
    assert wrong == expected, told
    assert not failed


def test_keywords_are_those_of_the_signature():
    parameters = inspect.signature(curve_fit_many).parameters.values()
    keywords = {one.name for one in parameters if one.kind is one.KEYWORD_ONLY}
    assert keywords == {*Keywords.__annotations__, "pcov"}
