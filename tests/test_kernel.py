"""Python and the compiled code speak in the same codes."""

import math
import re
from pathlib import Path

import numpy as np
import pytest

import leastsq
from leastsq._solver import codes as _status
from leastsq._solver import kernel
from leastsq._solver.norms import row_norms
from leastsq._solver.problem import checked_options

KINDS = Path(__file__).parents[1] / "minpack" / "kinds.f90"
LANES = KINDS.parent / "lanes"
PACKAGE = Path(leastsq.__file__).parent


@pytest.fixture(scope="module")
def constants():
    """The integers that the compiled code calls by name."""
    found = re.findall(r"integer, parameter, public :: (\w+) = (-?\d+)", KINDS.read_text())
    return {name: int(value) for name, value in found}


def test_tasks_are_those_of_the_compiled_code(constants):
    ours = {"done": kernel.DONE, "residuals": kernel.RESIDUALS, "jacobian": kernel.JACOBIAN}
    assert {name.removeprefix("task_"): code for name, code in constants.items() if name.startswith("task_")} == {
        **ours,
        "wrong_size": kernel.NOT_READY,
    }


def test_every_exit_code_of_the_compiled_code_has_its_sentence(constants):
    codes = {name: code for name, code in constants.items() if name.startswith("info_") and name != "info_running"}
    assert len(codes) >= 12
    for name, code in codes.items():
        assert code in _status.LABELS, name
    assert constants["info_running"] == kernel.TO_FIT
    assert codes["info_gtol"] == _status.GTOL
    for name in ("trial_not_finite", "start_not_finite", "jacobian_not_finite"):
        assert codes[f"info_{name}"] == getattr(_status, name.upper())
    assert {codes[f"info_{name}"] for name in ("ftol", "xtol", "ftol_and_xtol", "gtol")} == _status.SOLVED


def test_sizes_are_those_of_the_compiled_code(constants):
    assert constants["row_block"] == kernel.MOST_ROWS
    assert 1 <= kernel.LANE_WIDTH <= kernel.MOST_WIDTH


def test_shapes_of_peaks_are_those_of_the_compiled_code():
    line = re.search(r"integer, parameter :: (gaussian = .*)", (LANES / "lane_beyond_half.f90.in").read_text())
    codes = dict(re.findall(r"(\w+) = (\d)", line[1]))
    assert len(codes) == 5
    assert codes == {name: str(getattr(kernel, name.upper())) for name in codes}


def test_families_of_functions_are_those_of_the_compiled_code():
    text = (LANES / "lane_families.f90.in").read_text()
    codes = dict(re.findall(r"(\w+) = (\d)", re.search(r"public :: (straight = .*?seasons = 7)", text, re.DOTALL)[1]))
    sizes = re.search(r"sizes\(7\) = \[(.*)\]", text)[1].split(", ")
    assert {int(code): int(size) for code, size in zip(codes.values(), sizes, strict=True)} == kernel.FUNCTIONS
    planes = re.search(r"integer, parameter :: (parabolas = .*)", (LANES / "lane_planes.f90.in").read_text())[1]
    for name, code in {**codes, **dict(re.findall(r"(\w+) = (\d)", planes))}.items():
        assert getattr(kernel, name.upper()) == int(code)


def test_one_module_imports_the_compiled_code():
    importers = {
        path.name
        for path in PACKAGE.rglob("*.py")
        if re.search(r"import .*\b_minpack\b|_minpack import", path.read_text())
    }
    assert importers == {"kernel.py"}


def test_options_are_packed_in_the_order_of_the_compiled_code():
    options = checked_options(3, False, 1e-1, 1e-2, 1e-3, 7, 1e-5, 50.0, None)
    np.testing.assert_array_equal(options.packed(), [1e-1, 1e-2, 1e-3, 50.0, 7, 1e-5, 0, 1.0])
    assert options._replace(epsfcn=None).packed()[5] == 0


@pytest.mark.parametrize("bound", [math.inf, 1e300, 2.0])
def test_all_below_is_what_numpy_says(bound):
    odd = [0.0, -0.0, 5e-324, 1.0, np.nextafter(2, 0), 2.0, -2.0, 1e300, -1e308, np.inf, -np.inf, np.nan, -np.nan]
    for value in odd:
        for size, place in ((37, 0), (37, 17), (37, 36), (30_001, 30_000)):  # the last one with the lock released
            numbers = np.ones(size)
            numbers[place] = value
            assert kernel.all_below(numbers, bound) is bool((np.abs(numbers) < bound).all())
    assert kernel.all_below(np.empty((0, 3)), bound) is True
    with pytest.raises(TypeError, match="expected all_below"):
        kernel.all_below()
    # Of what is no plain array of doubles nothing is said.
    assert kernel.all_below(np.ones(6)[::2], bound) is False


def test_norms_of_rows_of_any_size():
    rows = np.array([[3.0, 4.0], [3e300, 4e300], [3e-300, 4e-300], [0.0, 0.0], [1.0, np.inf], [np.nan, 1.0]])
    np.testing.assert_allclose(row_norms(rows), [5.0, 5e300, 5e-300, 0.0, np.inf, np.inf], rtol=1e-15)
    np.testing.assert_array_equal(row_norms(rows[::-1, ::-1]), row_norms(rows)[::-1])
    assert row_norms(np.empty((0, 3))).shape == (0,)


@pytest.mark.parametrize("size", [0, 1, 1000])
def test_work_begins_on_a_line_of_the_cache(size):
    for _ in range(5):
        work = kernel.aligned(size)
        assert work.shape == (size,)
        assert work.dtype == np.float64
        assert work.ctypes.data % 64 == 0
        work[...] = 1.0
