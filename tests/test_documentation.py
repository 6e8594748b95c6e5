"""What the documentation shows runs, and what it claims is so."""

import doctest
import importlib
import importlib.util
import inspect
import re
import runpy
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import scipy.optimize

import leastsq
from leastsq import models, native
from leastsq._solver import codes

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted((ROOT / "docs").glob("*.rst"))
TEXTS = [*PAGES, *(ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md"))]
WITHOUT_CODE = {
    "algorithm",
    "benchmarks",
    "guarantees",
    "reference",
    "changelog",
    "citing",
    "contributing",
    "trust",
    "comparison",
}
PAGES_NEED = {
    "astropy": ["astropy"],
    "dates": ["pandas"],
    "lmfit": ["lmfit"],
    "native_models": ["numba"],
    "pipelines": ["xarray", "dask", "pandas", "joblib"],
    "saving": ["xarray", "pandas"],
}
FUNCTIONS = [name for name in leastsq.__all__ if name not in ("OptimizeWarning", "models", "native")]
# Methods that need a package which is not always there.
NEEDS = {"to_dataframe": "pandas", "to_xarray": "xarray", ".plot": "matplotlib", "pandas": "pandas"}


def run(test):
    """Run the examples of a text and return how many there were."""
    report = []
    results = doctest.DocTestRunner().run(test, out=report.append)
    assert results.failed == 0, "".join(report)
    return results.attempted


def examples(text, name, namespace):
    test = doctest.DocTestParser().get_doctest(text, namespace, name, name, 0)
    absent = [method for method, package in NEEDS.items() if importlib.util.find_spec(package) is None]
    test.examples = [example for example in test.examples if not any(method in example.source for method in absent)]
    return test


# --- Examples ---


@pytest.mark.parametrize("name", FUNCTIONS)
def test_docstrings(name):
    function = getattr(leastsq, name)
    module = sys.modules[function.__module__]
    assert run(examples(function.__doc__, name, dict(vars(module)))) > 0


METHODS = [
    *(getattr(leastsq.ManyFits, name) for name in vars(leastsq.ManyFits) if name[0] != "_"),
    *(getattr(models.CompiledModel, name) for name in ("jac", "guess", "fix", "prefix")),
]


@pytest.mark.parametrize("method", [m for m in METHODS if inspect.isfunction(m)], ids=lambda method: method.__name__)
def test_docstrings_of_methods(method):
    assert run(examples(method.__doc__, method.__name__, {})) > 0


def test_docstrings_of_lazy_results():
    pytest.importorskip("dask.array")
    assert run(examples(leastsq.LazyFits.__doc__, "LazyFits", {})) > 0


def test_docstring_of_correlation():
    assert run(examples(leastsq.ManyFits.correlation.__doc__, "correlation", {})) > 0


@pytest.mark.parametrize("name", models.__all__)
def test_docstrings_of_models(name):
    assert run(examples(getattr(models, name).__doc__, name, {})) > 0


@pytest.mark.slow
@pytest.mark.parametrize("name", ["jit", "model"])
def test_docstrings_of_native(name):
    pytest.importorskip("numba")
    assert run(examples(getattr(native, name).__doc__, name, {})) > 0


def test_docstrings_of_xarray():
    xarray = pytest.importorskip("leastsq.xarray", exc_type=ImportError)
    assert run(examples(xarray.curvefit.__doc__, "curvefit", {})) > 0


@pytest.mark.parametrize("module", [leastsq, models, native], ids=lambda module: module.__name__)
def test_docstrings_of_modules(module):
    run(examples(module.__doc__, module.__name__, {}))


def test_docstrings_of_astropy():
    astropy = pytest.importorskip("leastsq.astropy", exc_type=ImportError)
    for name, thing in (("LevMarFitter", astropy.LevMarFitter), ("fit_cube", astropy.LevMarFitter.fit_cube)):
        assert run(examples(thing.__doc__, name, {})) > 0


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_pages(page):
    for package in PAGES_NEED.get(page.stem, ()):
        pytest.importorskip(package)
    count = run(examples(page.read_text(encoding="utf-8"), page.name, {"__name__": "__main__"}))
    assert (count == 0) == (page.stem in WITHOUT_CODE)


@pytest.mark.slow
def test_readme():
    blocks = re.findall(r"^```python\n(.*?)^```$", (ROOT / "README.md").read_text(encoding="utf-8"), re.M | re.S)
    assert blocks
    assert all(block.startswith(">>> ") for block in blocks)
    assert run(examples("\n".join(blocks), "README.md", {})) > 0


def test_readme_is_short():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150


def test_no_code_escapes():
    """Python on a page is in examples: other blocks hold formulas and commands."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        assert not re.search(r"\.\. (code|code-block|literalinclude|parsed-literal)::", text), page
        for block in re.findall(r"::\n\n((?: {4}.*\n)+)", text):
            assert not re.search(r"\b(import|def|return|print|leastsq|curve_fit)\b", block), page


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_code_fits_its_column(page):
    lines = page.read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line.startswith((">>> ", "... ")) and len(line) > 96] == []


def test_every_picture_has_a_script():
    """The pictures are made when the site is built, and run by the tests of the demo."""
    scripts = [name for page in PAGES for name in re.findall(r"^\.\. plot:: (.+)$", page.read_text("utf-8"), re.M)]
    assert sorted(scripts) == [
        "../benchmarks/figures.py many_fits",
        "../benchmarks/figures.py pipelines",
        "../examples/catalogue.py curves",
        "../examples/catalogue.py decays",
        "../examples/catalogue.py images",
        "../examples/catalogue.py peaks",
        "../examples/catalogue.py waves",
        "../examples/cube.py",
        "../examples/losses.py counts",
        "../examples/losses.py outliers",
    ]
    assert all((ROOT / "docs" / name.partition(" ")[0]).is_file() for name in scripts)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["losses.py counts", "losses.py outliers", "catalogue.py peaks", "catalogue.py images"]
)
def test_a_picture_is_one_picture(name, monkeypatch):
    """The site runs a script as a program without arguments, and then its function."""
    pyplot = pytest.importorskip("matplotlib.pyplot")
    script, function = name.split()
    monkeypatch.syspath_prepend(ROOT / "examples")
    monkeypatch.setattr(sys, "argv", [script])
    pyplot.close("all")
    runpy.run_path(str(ROOT / "examples" / script), run_name="__main__")[function]()
    assert len(pyplot.get_fignums()) == 1
    pyplot.close("all")


@pytest.fixture
def figures(monkeypatch):
    """The tables and pictures of what was measured."""
    pytest.importorskip("matplotlib")
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    return importlib.import_module("figures")


def test_measurements_are_quoted_as_they_were_measured(figures):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert figures.markdown(figures.rows_of_readme()) in readme
    first = (ROOT / "docs" / "index.rst").read_text(encoding="utf-8")
    assert figures.restructured(figures.rows_of_readme()).replace("`", "``") in first
    page = (ROOT / "docs" / "benchmarks.rst").read_text(encoding="utf-8")
    for rows in (
        figures.rows_of_single_fits(),
        figures.rows_of_many_fits(),
        figures.rows_of_processors(),
        figures.rows_of_native_fits(),
        figures.rows_of_two_workers(),
        figures.rows_of_pipelines(),
        figures.rows_of_astropy_cubes(),
        figures.rows_of_spectral_lines(),
    ):
        assert figures.restructured(rows) in page
    ways = {case: ratio for case, _, ratio in figures.rows_of_native_fits()}
    by_differences = f"{ways['C, one data set, differences']} to {ways['C, groups, differences']}"
    ratios = [ways["numba, dual numbers"], ways["C, one data set"], ways["C, groups"], by_differences]
    native = (ROOT / "docs" / "native_models.rst").read_text(encoding="utf-8")
    assert re.findall(r"^     - (\d+(?: to \d+)?)$", native, re.M) == ratios


def test_the_large_fit_is_quoted_as_it_was_measured(figures):
    by_jac, by_differences = figures.measured("large_fit")["results"]
    most = max(by_jac["bytes"], by_differences["bytes"])
    page = " ".join((ROOT / "docs" / "single_fits.rst").read_text(encoding="utf-8").split())
    seconds = f"{by_jac['seconds']:.0f} s with ``jac``, {by_differences['seconds']:.0f} s by differences"
    assert f"took {most / 1e6:.0f} MB, the interpreter included, and {seconds}" in page


def test_bounds_and_losses_are_quoted_as_they_were_measured(figures):
    wide, tight, *_ = (result["ratio"] for result in figures.measured("bounded_fits")["results"])
    losses = {result["case"].split()[-1]: result for result in figures.measured("losses")["results"]}
    page = " ".join((ROOT / "docs" / "benchmarks.rst").read_text(encoding="utf-8").split())
    assert f"compiled Gaussians are made at {wide:.2f} of the rate" in page
    assert f"at {tight:.0f} times that of SciPy" in page
    robust, counts, least = losses["soft_l1"], losses["poisson"], losses["linear"]
    assert f"``soft_l1`` at {robust['over_least_squares']:.2f} of the rate" in page
    assert f"{robust['evaluations']:.1f} evaluations instead of {least['evaluations']:.1f}" in page
    assert f"``poisson`` at {counts['over_least_squares']:.2f}" in page
    assert f"these are {robust['over_scipy']:.0f} and {counts['over_scipy']:.0f} times as fast" in page


def test_cubes_of_astropy_are_quoted_as_they_were_measured(figures):
    ratios = [row["times as fast"] for row in figures.measured("astropy_cubes")["results"] if row["times as fast"] != 1]
    page = (ROOT / "docs" / "astropy.rst").read_text(encoding="utf-8")
    assert f"it fits {min(ratios):.0f} to {max(ratios):.0f} times as many spectra a second" in page


def test_the_pictures_of_the_benchmarks_show_their_cases(figures):
    many, cubes = figures.many_fits(), figures.pipelines()
    cases = [label.get_text() for label in many.axes[0].get_yticklabels()]
    assert cases == [r["case"] for r in figures.measured("many_fits")["results"]]
    lines = [line for line in cubes.axes[0].lines if len(line.get_xdata()) > 1]
    assert len(lines) == len(figures.measured("pipelines")["growth"])
    for figure in (many, cubes):
        figures.plt.close(figure)


def test_every_model_is_on_the_page():
    page = (ROOT / "docs" / "models.rst").read_text(encoding="utf-8")
    assert re.findall(r"^\.\. autofunction:: (\w+)$", page, re.M) == re.findall(r"~leastsq\.models\.(\w+)`\n", page)
    rows = dict(re.findall(r"^   \* - :func:`~leastsq\.models\.(\w+)`\n     - (.+)$", page, re.M))
    assert {name: tuple(names.split(", ")) for name, names in rows.items()} == {
        name: getattr(models, name).param_names for name in models.__all__
    }


def test_every_status_is_on_the_page():
    page = (ROOT / "docs" / "many_fits.rst").read_text(encoding="utf-8")
    rows = re.findall(r"^   \* - (\d+(?:, \d+)*)$", page, re.M)
    # 0 is for options that are refused before any fit.
    assert [int(number) for row in rows for number in row.split(", ")] == [code for code in codes.LABELS if code > 0]


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: text.name)
def test_no_path_of_a_machine(text):
    assert not re.findall(r"(?<![\w.:/])/(?:home|root|tmp|usr|work|opt|Users)\b|[A-Z]:\\", text.read_text("utf-8"))


def test_every_page_is_reached():
    entries = re.findall(r"^   (\w+)$", (ROOT / "docs" / "index.rst").read_text(encoding="utf-8"), re.M)
    assert sorted(entries) == [page.stem for page in PAGES if page.stem != "index"]


# --- Differences from SciPy: the rows of three tables, run with both ---

T = np.linspace(0, 3, 20)
Y = 2 * np.exp(-1.5 * T) + 0.02 * np.cos(40 * T)
X = np.arange(8.0)
LINE = 3 * X + 1 + np.tile([0.1, -0.1], 4)
SIGMA = np.full(8, 0.1)
MASK = X > 6
START = [1.0, 1.0]
NAN, INF = np.nan, np.inf


def residuals(x):
    return x[0] * np.exp(-x[1] * T) - Y


def jacobian(x):
    e = np.exp(-x[1] * T)
    return np.column_stack([e, -x[0] * T * e])


def line(x, slope, intercept):
    return slope * x + intercept


def line_jac(x, slope, intercept):
    return np.column_stack([x, np.ones_like(x)])


def edge(x):
    return np.where(x[0] < 1, np.array([x[0] - 5, 0.0]), NAN)


def counted(function, calls):
    return lambda x: (calls.append(None), function(x))[1]


def evaluations(fits):
    """Evaluations not told, of the residuals and of the Jacobian."""
    calls, jacobian_calls = [], []
    func, dfun = counted(residuals, calls), counted(jacobian, jacobian_calls)
    info = fits.leastsq(func, START, Dfun=dfun, full_output=True)[2]
    return len(calls) - info["nfev"], len(jacobian_calls) - info["njev"]


def keeps_its_point(fits):
    kept, copies = [], []
    fits.leastsq(lambda x: (kept.append(x), copies.append(x.copy()), residuals(x))[2], START)
    return np.array_equal(kept, copies)


def spoiled(x):
    f = residuals(x)
    x[:] = 0
    return f


def same_array(fits):
    buffer = np.empty_like(T)

    def func(x):
        buffer[:] = residuals(x)
        return buffer

    return fits.leastsq(func, START)[1]


def factor(fits, m, **options):
    """The last factor, M by N, of a fit of three parameters."""
    t = np.linspace(0, 3, m)
    y = 2 * np.exp(-1.5 * t) + 0.02 * np.cos(40 * t)
    info = fits.leastsq(
        lambda x: x[0] * np.exp(-x[1] * t) + x[2] - y, np.ones(3), full_output=True, factor=0.1, **options
    )[2]
    return info["fjac"].T


def householder_in_triangle(fits):
    """Whether the first vector of a Jacobian whose first column is constant goes on through the leading block."""
    first = factor(fits, 20, maxfev=5)[1:, 0]
    return np.allclose(first, first[-1])


def signs(fits):
    """Whether R of a tall straight line has the entries that SciPy finds, but for signs and with them."""
    t = np.linspace(0, 3, 2000)
    r, r2 = (
        np.triu(f.leastsq(lambda x: x[0] + x[1] * t - np.exp(-t), START, full_output=True)[2]["fjac"].T[:2])
        for f in (fits, scipy.optimize)
    )
    return np.allclose(np.abs(r), np.abs(r2), rtol=1e-6), np.allclose(r, r2, rtol=1e-6)


def pivots_by_norm(fits):
    """Whether the remaining rounding errors of a matrix of rank one are pivoted by their size."""
    matrix = np.outer(np.arange(1.0, 31), np.arange(1.0, 7))
    info = fits.leastsq(lambda x: matrix @ x - 1, np.ones(6), Dfun=lambda x: matrix, full_output=True)[2]
    diagonal = np.abs(np.diag(info["fjac"].T[:6]))
    return bool(np.all(np.diff(diagonal) <= 0))


def curve(fits, f, x=X, y=LINE, **options):
    """The parameters, their standard errors and the warnings of a fit."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        popt, pcov = fits.curve_fit(f, x, y, **options)
    return popt, np.sqrt(np.diag(pcov)), [str(warning.message) for warning in caught]


def finite_errors(fits, f, **options):
    return np.isfinite(curve(fits, f, **options)[1]).tolist()


def is_line(fits, f=line, **options):
    # As near as single precision comes.
    return bool(np.allclose(curve(fits, f, **options)[0], np.polyfit(X, LINE, 1), atol=1e-3))


def near_zero(fits):
    """Whether the error of an intercept that starts and stays at a tiny value is right."""
    x = np.linspace(-2, 2, 9)
    y = 2 * x + 0.1 * np.array([1, -1, 1, -1, 0, 1, -1, 1, -1])
    expected = np.sqrt(np.sum((y - np.polyval(np.polyfit(x, y, 1), x)) ** 2) / 7 / 9)
    return bool(np.isclose(curve(fits, line, x, y, p0=[1, 1e-20])[1][1], expected, rtol=1e-5))


def in_single(x, slope, intercept):
    return np.float32(slope) * x.astype(np.float32) + np.float32(intercept)


def warns_of_nothing_moved(fits):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fits.leastsq(lambda x: np.ones(3), START)
    return bool(caught)


def leaves_out_infinite(fits):
    errors = curve(fits, line, sigma=np.where(MASK, INF, 1))[1]
    return bool(np.allclose(errors, curve(fits, line, X[~MASK], LINE[~MASK])[1], rtol=1e-6))


def failure_tells(fits):
    try:
        fits.curve_fit(line, X, LINE, maxfev=1)
    except RuntimeError as error:
        return "Parameters so far" in str(error)


def peak_over_unix_time(fits):
    """Whether the centre is within its standard error of that of the same data over seconds of the day."""
    seconds = np.arange(60.0)

    def peak(t, height, centre, width, floor):
        return height * np.exp(-0.5 * ((t - centre) / width) ** 2) + floor

    y = peak(seconds, 5, 31.3, 6, 1) + 0.1 * np.cos(9 * seconds)
    expected, errors, _ = curve(fits, peak, seconds, y, p0=[4, 28, 5, 0.5])
    found = curve(fits, peak, 1.7e9 + seconds, y, p0=[4, 1.7e9 + 28, 5, 0.5])[0]
    return bool(abs(found[1] - 1.7e9 - expected[1]) < errors[1])


def ends_on_a_bound(fits):
    return bool(curve(fits, line, bounds=([-INF, 2], INF))[0][1] == 2)


def least_squares_on_a_bound(fits):
    return bool(fits.least_squares(residuals, [1, 1], bounds=([0, 0], [1.5, 5])).x[0] == 1.5)


def methods_differ(fits):
    options = {"bounds": ([0, 0], [1.5, 5])}
    trf, dogbox = (fits.least_squares(residuals, START, method=method, **options) for method in ("trf", "dogbox"))
    return not np.array_equal(trf.x, dogbox.x)


def scales_by_columns(fits):
    """Whether nothing changes when the scale of the columns is asked for."""
    default, by_columns = (fits.least_squares(residuals, START, **options).x for options in ({}, {"x_scale": "jac"}))
    return np.array_equal(default, by_columns)


def outcome(call, fits):
    """Return what a call gives, or the name of the exception it raises."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            return call(fits)
        except Exception as error:
            return type(error).__name__


def ier(func=residuals, x0=START, **options):
    return lambda fits: fits.leastsq(func, x0, full_output=True, **options)[4]


def solved(func=residuals, x0=START, **options):
    return lambda fits: fits.leastsq(func, x0, full_output=True, **options)[4] in (1, 2, 3, 4)


def moved(func, **options):
    return lambda fits: bool(np.allclose(fits.leastsq(func, START, **options)[0], [2.0106, 1.4542], atol=1e-3))


def points(y=LINE, **options):
    """Whether a fit comes to the line through the first seven points, or to that through all."""
    return lambda fits: len(fits.curve_fit(line, X, y, full_output=True, **options)[2]["fvec"])


SPARE = "parameter spare never changed the model near the solution"

DIFFERENCES = [
    ("NaN or Inf in x0 or in the first residuals", ier(lambda x: residuals(x) * NAN), "ValueError", 4),
    ("NaN or Inf in x0 or in the first residuals", ier(lambda x: residuals(x) * INF), "ValueError", 4),
    ("NaN or Inf in x0 or in the first residuals", ier(x0=[1, NAN]), "ValueError", 4),
    ("NaN or Inf in a Jacobian", ier(Dfun=lambda x: jacobian(x) * NAN), "ValueError", 4),
    ("NaN or Inf in a Jacobian", ier(lambda x: residuals(x) * (1 if x[1] <= 1 else NAN)), "ValueError", 5),
    ("a function that keeps its x", keeps_its_point, True, False),
    ("a function that overwrites its x", moved(spoiled), True, False),
    ("a function that returns the same array each time", same_array, 1, 4),
    ("residuals in two or more dimensions", moved(lambda x: residuals(x).reshape(4, 5)), True, "error"),
    ("residuals of type longdouble", moved(lambda x: residuals(x).astype(np.longdouble)), True, "error"),
    ("complex residuals, or objects", ier(lambda x: residuals(x) * (1 + 0j)), "TypeError", "error"),
    ("complex residuals, or objects", ier(lambda x: residuals(x).astype(object)), "TypeError", "error"),
    ("residuals that are text", solved(lambda x: ["1", "2", "3"]), "TypeError", True),
    ("masked entries in x0 or residuals", solved(lambda x: np.ma.array(residuals(x), mask=T > 2)), "ValueError", True),
    ("masked entries in x0 or residuals", solved(x0=np.ma.array(START, mask=[0, 1])), "ValueError", True),
    ("maxfev as a float, as None, beyond 2³¹", solved(maxfev=100.0), True, "TypeError"),
    ("maxfev as a float, as None, beyond 2³¹", solved(maxfev=None), True, "TypeError"),
    ("maxfev as a float, as None, beyond 2³¹", solved(maxfev=10**12), True, "OverflowError"),
    ("a negative maxfev", solved(maxfev=-1), "TypeError", True),
    ("NaN as ftol, epsfcn or in diag", ier(ftol=NAN), "TypeError", 2),
    ("NaN as ftol, epsfcn or in diag", solved(epsfcn=NAN), "TypeError", True),
    ("NaN as ftol, epsfcn or in diag", ier(diag=[1, NAN]), "TypeError", 5),
    ("an infinite factor", solved(factor=INF), "TypeError", True),
    ("a diag of the wrong length", solved(diag=np.array([1.0, 3.0])[:1]), "TypeError", True),
    ("evaluations", evaluations, (0, 0), (2, 1)),
    ("steps that shrink away from NaN or Inf", ier(edge, [0.0], Dfun=lambda x: np.array([[1.0], [0.0]])), 9, 2),
    ("fjac below R, M at most 512", householder_in_triangle, True, False),
    ("fjac below R, M above 512", lambda fits: bool(factor(fits, 2000)[3:].any()), False, True),
    ("signs in fjac and qtf, M above 512", signs, (True, False), (True, True)),
    ("pivots of a Jacobian without full rank", pivots_by_norm, True, False),
    ("residuals that react to no parameter", warns_of_nothing_moved, True, False),
    ("mesg", lambda fits: "1.49012e-08" in fits.leastsq(residuals, START, full_output=True)[3], True, False),
    ("the class of its warnings", lambda fits: issubclass(fits.OptimizeWarning, leastsq.OptimizeWarning), True, False),
    (
        "what its warnings say",
        lambda fits: SPARE in curve(fits, lambda x, a, spare: a * x)[2][0],
        True,
        False,
    ),
    (
        "a parameter without effect",
        lambda fits: finite_errors(fits, lambda x, a, b: a * x),
        [True, False],
        [False, False],
    ),
    (
        "a parameter without effect",
        lambda fits: finite_errors(fits, lambda x, a, b: a * x, sigma=SIGMA, absolute_sigma=True),
        [True, False],
        [False, False],
    ),
    (
        "a parameter without effect",
        lambda fits: finite_errors(fits, lambda x, a, b: a * x, sigma=SIGMA),
        [False, False],
        [False, False],
    ),
    (
        "parameters determined only in combination",
        lambda fits: finite_errors(fits, lambda x, a, b, c: (a + b) * x + c),
        [False, False, True],
        [True, True, True],
    ),
    ("a parameter near zero", near_zero, True, False),
    ("a model that returns float32", lambda fits: is_line(fits, in_single), True, False),
    (
        "single precision that a model hides",
        lambda fits: finite_errors(fits, lambda x, a, b: in_single(x, a, b).astype(float)),
        [True, True],
        [False, False],
    ),
    ("a fit that xtol ends far from its minimum, such as a peak over Unix time", peak_over_unix_time, True, False),
    ("no solution found", failure_tells, True, False),
    ("absolute_sigma without sigma", lambda fits: len(curve(fits, line, absolute_sigma=True)[2]), 1, 0),
    ("sigma that is zero, negative or NaN", points(sigma=np.where(MASK, 0, SIGMA)), "ValueError", 8),
    ("sigma that is zero, negative or NaN", points(sigma=-SIGMA), "ValueError", 8),
    ("sigma that is zero, negative or NaN", points(sigma=np.where(MASK, NAN, SIGMA)), "ValueError", 8),
    ("sigma that is infinite for some points", leaves_out_infinite, True, False),
    ("sigma that is infinite for all points", points(sigma=SIGMA * INF), "ValueError", 8),
    ("a sigma matrix that is not symmetric", points(sigma=np.eye(8) + np.eye(8, k=1)), "ValueError", 8),
    (
        "one sigma for all points, along with jac",
        lambda fits: is_line(fits, sigma=0.1, jac=line_jac),
        True,
        "ValueError",
    ),
    (
        'one sigma in a list, along with nan_policy="omit"',
        points(np.where(MASK, NAN, LINE), sigma=[0.1], nan_policy="omit"),
        7,
        "IndexError",
    ),
    (
        "sigma along with jac and col_deriv",
        lambda fits: is_line(fits, sigma=SIGMA, jac=lambda *a: line_jac(*a).T, col_deriv=True),
        True,
        "ValueError",
    ),
    ("masked xdata, ydata or sigma", points(np.ma.array(LINE, mask=MASK)), "ValueError", 8),
    ("masked xdata, ydata or sigma", points(np.ma.array(LINE, mask=MASK), nan_policy="omit"), 7, 8),
    (
        "masked xdata, ydata or sigma",
        lambda fits: len(
            fits.curve_fit(line, np.ma.array(X, mask=MASK), LINE, nan_policy="omit", full_output=True)[2]["fvec"]
        ),
        7,
        8,
    ),
    ("masked xdata, ydata or sigma", points(sigma=np.ma.array(SIGMA, mask=MASK)), "ValueError", 8),
    (
        "model values or ydata in two or more dimensions",
        lambda fits: is_line(fits, x=X.reshape(2, 4), y=LINE.reshape(2, 4)),
        True,
        "error",
    ),
    (
        "model values or ydata in two or more dimensions",
        lambda fits: is_line(fits, lambda x, a, b: line(x, a, b)[:, None]),
        True,
        "error",
    ),
    (
        "complex ydata",
        lambda fits: fits.curve_fit(lambda x, a, b: line(x, a, b) + 1j, X, LINE + 1j, full_output=True)[2]["fvec"].size,
        16,
        "error",
    ),
    ("complex ydata", points(LINE + 1j), "TypeError", 8),
    (
        "complex xdata",
        lambda fits: fits.curve_fit(line, X + 1j, LINE, full_output=True)[2]["fvec"].size,
        "TypeError",
        8,
    ),
    ("dates as xdata or ydata", points(np.datetime64("2020-01-01") + np.arange(8)), "TypeError", 8),
    ("absolute_sigma that is neither True nor False", points(sigma=SIGMA, absolute_sigma="no"), "TypeError", 8),
    (
        "a nan_policy that does not exist, along with check_finite=True",
        points(nan_policy="drop", check_finite=True),
        "ValueError",
        8,
    ),
    ("finite bounds", ends_on_a_bound, True, False),
    (
        "tr_solver, an option of large sparse problems",
        lambda fits: is_line(fits, bounds=(0, 10), tr_solver="lsmr"),
        "ValueError",
        True,
    ),
    ("method", methods_differ, False, True),
    ("x_scale left out", scales_by_columns, True, False),
    (
        "jac_sparsity, and the Jacobian as a sparse matrix or a linear operator",
        lambda fits: fits.least_squares(residuals, START, jac_sparsity=np.ones((T.size, 2))).success,
        "ValueError",
        True,
    ),
    (
        "jac_sparsity, and the Jacobian as a sparse matrix or a linear operator",
        lambda fits: fits.least_squares(residuals, START, lambda x: scipy.sparse.csr_array(jacobian(x))).success,
        "ValueError",
        True,
    ),
    ("a solution on a bound", least_squares_on_a_bound, True, False),
]


@pytest.mark.parametrize(("label", "call", "ours", "theirs"), DIFFERENCES, ids=[row[0] for row in DIFFERENCES])
def test_difference_from_scipy(label, call, ours, theirs):
    assert outcome(call, leastsq) == ours
    if not scipy.__version__.startswith("1.17."):
        pytest.skip("the page speaks of SciPy 1.17")
    assert outcome(call, scipy.optimize) == theirs


def test_every_row_of_the_tables_is_run():
    page = (ROOT / "docs" / "from_scipy.rst").read_text(encoding="utf-8")
    labels = [label.replace("``", "") for label in re.findall(r"^   \* - (.+)$", page, re.M)]
    assert [label for label in labels if label not in ("Input", "Output", "Case")] == list(
        dict.fromkeys(row[0] for row in DIFFERENCES)
    )
