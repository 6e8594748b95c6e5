"""The scripts of the gallery are short, run without a warning, and draw."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("matplotlib", reason="the gallery draws with matplotlib")

SCRIPTS = sorted((Path(__file__).parents[1] / "examples" / "gallery").glob("plot_*.py"))

COUNTED = """
import runpy, sys
import matplotlib.pyplot as plt
plt.show = lambda: None
runpy.run_path(sys.argv[1], run_name="__main__")
print(len(plt.get_fignums()), "figures")
"""


def test_there_are_some():
    assert len(SCRIPTS) >= 10


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_is_short(script):
    assert len(script.read_text(encoding="utf-8").splitlines()) < 50


@pytest.mark.slow
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_runs_and_draws(script, tmp_path):
    environment = {**os.environ, "MPLBACKEND": "Agg", "PYTHONUTF8": "1"}
    command = [sys.executable, "-W", "error", "-c", COUNTED, str(script)]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    *words, count = done.stdout.splitlines()
    assert words, "it says nothing"
    assert "nan" not in done.stdout
    assert count == "1 figures"
