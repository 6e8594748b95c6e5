"""The demo runs, reproduces the published estimates, knows the errors of the images' fits, and draws its figures."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("matplotlib", reason="the demo draws with matplotlib")

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).parents[1] / "examples"

# Estimates and standard errors from a Gauss-Newton iteration with complex-step derivatives, run until it stood still.
EXPECTED = [
    ("Puromycin Michaelis-Menten", "treated", "Vmax", 212.6837431, 6.947155160),
    ("Puromycin Michaelis-Menten", "untreated", "Km", 0.04770818451, 0.007781875242),
    ("DNase logistic-3", "run 1", "xmid", 1.483089319, 0.08135312621),
    ("DNase logistic-4", "run 1", "B", 2.377238867, 0.1095163214),
    ("Indometh biexponential", "subject 1", "lrc2", -1.787783309, 0.7871253549),
    ("ChickWeight logistic-4", "chick 1", "scal", 6.672620561, 1.001550310),
]


def run(script: Path, figure: Path) -> subprocess.CompletedProcess[str]:
    # From the folder of the figure, so that the installed package is used, and with no display to draw on.
    environment = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "MPLBACKEND")}
    environment["PYTHONUTF8"] = "1"
    command = [sys.executable, str(script), str(figure)]
    return subprocess.run(
        command, cwd=figure.parent, env=environment, capture_output=True, text=True, encoding="utf-8", timeout=300
    )


@pytest.fixture(scope="module")
def figure(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo") / "figure.png"


@pytest.fixture(scope="module")
def finished(figure: Path) -> subprocess.CompletedProcess[str]:
    return run(EXAMPLES / "demo.py", figure)


def test_demo_succeeds_without_warnings(finished):
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert "Warning" not in finished.stderr


@pytest.mark.parametrize("row", EXPECTED, ids=lambda row: " ".join(row[:3]))
def test_demo_prints_estimate_and_standard_error(finished, row):
    line = re.search("^" + " +".join(map(re.escape, row[:3])) + r" +(\S+) +(\S+)", finished.stdout, re.MULTILINE)
    # Six significant digits are printed, so that rounding alone is a relative error of up to 5e-6.
    assert [float(number) for number in line.groups()] == pytest.approx(row[3:], rel=6e-6)


def test_demo_compares_only_what_was_published(finished):
    assert (
        len(re.findall(r"^\w+ [\w-]+  +(?:chick|run|subject|treated|untreated)", finished.stdout, re.MULTILINE)) == 19
    )


def test_demo_says_first_what_came_out(finished):
    words = re.sub(r"^fitting .*\n", "", finished.stdout, flags=re.MULTILINE).lstrip()
    assert words.startswith(
        "published values: 38, not reproduced to the printed digits: 0\nerrors of 2000 images: as the truth says\n"
    )


def test_demo_counts_fits_and_names_those_not_solved(finished):
    counts = re.findall(r"^(.+): (\d+) fits?, (\d+) solved", finished.stdout, re.MULTILINE)
    assert {name: (int(fits), int(solved)) for name, fits, solved in counts} == {
        "Puromycin Michaelis-Menten": (2, 2),
        "DNase logistic-3": (1, 1),
        "DNase logistic-4": (11, 11),
        "Indometh biexponential": (6, 6),
        "ChickWeight logistic-3": (50, 47),  # chick 18 has two weights; 19 and 29 grow without a bend to a plateau
        "ChickWeight logistic-4": (1, 1),
    }
    assert re.findall(r"^    (chick \d+): \w", finished.stdout, re.MULTILINE) == ["chick 18", "chick 19", "chick 29"]


def test_demo_draws_a_figure(finished, figure):
    from matplotlib.image import imread

    picture = imread(figure)
    height, width = picture.shape[:2]
    assert height >= 900
    assert width >= 1200
    for rows in (slice(0, height // 2), slice(height // 2, height)):
        for columns in (slice(0, width // 2), slice(width // 2, width)):
            quarter = picture[rows, columns, :3]
            # An empty panel has no coloured pixel; points and curves are one to six in a hundred.
            coloured = quarter.max(axis=2) - quarter.min(axis=2) > 0.2
            assert 0.003 < coloured.mean() < 0.5


def test_demo_knows_the_errors_of_the_images(finished):
    rows = re.findall(r"^  (\w+) +mean +(\S+), spread (\S+)$", finished.stdout, re.MULTILINE)
    assert [row[0] for row in rows] == ["amplitude", "x0", "y0", "sigma", "offset"]
    # Four standard errors of the mean and of the spread of 2000 normal deviates.
    assert all(abs(float(mean)) < 0.09 and abs(float(spread) - 1) < 0.064 for _, mean, spread in rows)
    assert "\n2000 fits, 2000 solved (100.0 %)\n" in finished.stdout


def test_demo_draws_the_images(finished, figure):
    from matplotlib.image import imread

    picture = imread(figure.with_name("spots.png"))
    height, width = picture.shape[:2]
    assert height >= 900
    assert width >= 1200
    coloured = picture[..., :3].max(axis=2) - picture[..., :3].min(axis=2) > 0.2
    # From above: circles, residuals, and the maps of the width with the deviations beside them.
    for rows in (slice(0, height // 5), slice(height // 5, 2 * height // 5), slice(height // 2, height)):
        assert 0.003 < coloured[rows].mean() < 0.7


def test_cube_draws_its_figure(tmp_path):
    from matplotlib.image import imread

    finished = run(EXAMPLES / "cube.py", tmp_path / "cube.png")
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.startswith("2400 fits, 2316 solved")
    picture = imread(tmp_path / "cube.png")
    coloured = picture[..., :3].max(axis=2) - picture[..., :3].min(axis=2) > 0.2
    for third in range(3):
        assert 0.003 < coloured[:, third * picture.shape[1] // 3 : (third + 1) * picture.shape[1] // 3].mean() < 0.8


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    copy = tmp_path / "examples"
    shutil.copytree(EXAMPLES, copy, ignore=shutil.ignore_patterns("__pycache__", "*.png"))
    return copy


def test_demo_fails_where_errors_are_too_small(copy, tmp_path):
    script = copy / "spots.py"
    text = script.read_text(encoding="utf-8")
    assert "rng.normal(0, READ_NOISE, " in text
    script.write_text(text.replace("rng.normal(0, READ_NOISE, ", "rng.normal(0, 3 * READ_NOISE, "), encoding="utf-8")
    finished = run(copy / "demo.py", tmp_path / "figure.png")
    assert finished.returncode == 1
    assert "not reproduced to the printed digits: 0" in finished.stdout


def test_demo_fails_where_a_published_digit_differs(copy, tmp_path):
    table = copy / "data" / "published.csv"
    rows = table.read_text(encoding="utf-8")
    assert "treated,Vmax,212.7,6.947" in rows
    table.write_text(rows.replace("treated,Vmax,212.7,", "treated,Vmax,212.8,", 1), encoding="utf-8")
    finished = run(copy / "demo.py", tmp_path / "figure.png")
    assert finished.returncode == 1
    assert "not reproduced to the printed digits: 1" in finished.stdout
    assert re.search(r"^    Puromycin Michaelis-Menten treated Vmax: 212\.68\d* instead", finished.stdout, re.MULTILINE)
