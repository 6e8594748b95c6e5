"""Pictures and tables of what the benchmarks measured, for the documentation.

    python benchmarks/figures.py

prints the tables of the folder `measured`, which holds results of one run of all benchmarks: for README and docs, which
quote them. The scripts draw with the same functions, and the documentation does when it is built.
"""

import json
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np

# When the documentation is built, this runs in its folder, and the file has no name.
MEASURED = Path(globals().get("__file__", "figures.py")).resolve().parent / "measured"
OURS, SCIPY, TINY = "curve_fit_many", "SciPy curve_fit", "TinySolver"


def measured(name: str) -> dict[str, Any]:
    """Return the results of a benchmark that are quoted."""
    document: dict[str, Any] = json.loads((MEASURED / f"{name}.json").read_text("utf-8"))
    return document


def caption_of(document: dict[str, Any]) -> str:
    """Say where and with what was measured."""
    return ", ".join(f"{key} {value}" for key, value in document["machine"].items())


def many_fits(document: dict[str, Any] | None = None) -> Any:
    """Draw how many times as fast as loops many fits are, on a logarithmic axis."""
    document = document or measured("many_fits")
    results = document["results"]
    y = np.arange(len(results))
    names = list(results[0]["speedups"])
    figure, axes = plt.subplots(figsize=(10, 1.8 + 0.36 * len(y)), layout="constrained")
    for name, marker in zip(names, "oD^svP", strict=False):
        axes.plot([r["speedups"].get(name, np.nan) for r in results], y, marker, label=f"over {name}", markersize=6)
    axes.axvline(1, color="0.3", linewidth=1)
    axes.set_xscale("log")
    axes.set_yticks(y, [r["case"] for r in results])
    axes.set_ylim(len(y) - 0.4, -0.6)
    axes.set_xlabel("fits per second, times those of a loop over ...; more is better")
    axes.set_title("Many fits: curve_fit_many", loc="left", fontweight="bold", pad=20)
    axes.annotate(
        caption_of(document), (0, 1), (0, 6), xycoords="axes fraction", textcoords="offset points", fontsize=7.5
    )
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="x", color="0.92")
    axes.set_axisbelow(True)
    figure.legend(loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    return figure


def pipelines(document: dict[str, Any] | None = None) -> Any:
    """Draw the time that cubes take over their number of pixels."""
    document = document or measured("pipelines")
    figure, axes = plt.subplots(figsize=(7, 4.6), layout="constrained")
    for (name, line), marker in zip(document["growth"].items(), "os^", strict=False):
        axes.loglog(line["pixels"], line["seconds"], f"{marker}-", label=f"{name}: slope {line['slope']:.2f}")
        axes.annotate(
            f"{line['pixels'][-1] / line['seconds'][-1]:,.0f} pixels/s",
            (line["pixels"][-1], line["seconds"][-1]),
            (8, -3),
            textcoords="offset points",
            fontsize=8,
        )
    axes.set_xlim(700, 6e6)
    axes.set_xlabel("pixels of 30 dates")
    axes.set_ylabel("seconds")
    axes.set_title("A cube grows: curve_fit_many on one core", loc="left", fontweight="bold", pad=18)
    axes.annotate(
        caption_of(document), (0, 1), (0, 5), xycoords="axes fraction", textcoords="offset points", fontsize=6.5
    )
    axes.grid(color="0.92")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=9)
    return figure


def save(figure: Any, path: Path) -> None:
    """Write a picture and forget it."""
    figure.savefig(path, dpi=150)
    plt.close(figure)


# What the documentation calls the cases of single fits that it quotes, by benchmark and case.
_SINGLE_FITS = {
    "``curve_fit``, Gaussian, 50 points": ("curve_fits", "Gaussian, M=50 N=4"),
    "the same with ``jac``": ("curve_fits", "Gaussian, jac"),
    "``curve_fit(models.gaussian, ...)``, against a NumPy function": ("curve_fits", "models.gaussian, against NumPy"),
    "``leastsq``, Gaussian, 50 points": ("single_fits", "Gaussian, M=50 N=4"),
    "the same with ``Dfun``": ("single_fits", "Gaussian, Dfun"),
    "the same with ``full_output``": ("single_fits", "Gaussian, full_output"),
    "the same in single precision": ("single_fits", "Gaussian, float32 residuals"),
    "the same with residuals as a list": ("single_fits", "Gaussian, residuals as a list"),
    "``leastsq``, Gaussian, 1000 points": ("single_fits", "Gaussian, M=1000"),
    "``leastsq``, Rosenbrock's function": ("single_fits", "Rosenbrock, M=2 N=2"),
    "``leastsq``, a million points with ``Dfun``, time outside the user's functions": (
        "single_fits",
        "Decay, M=10⁶ N=5, Dfun, outside",
    ),
    "the same, peak memory beyond the user's arrays": ("single_fits", "Decay, M=10⁶ N=5, Dfun, peak memory"),
    "a million points by differences, peak memory": ("single_fits", "Decay, M=10⁶ N=5, differences, peak memory"),
    "the same by differences with ``full_output``": (
        "single_fits",
        "Decay, M=10⁶ N=5, differences, full_output, peak memory",
    ),
}


def rows_of_single_fits() -> list[tuple[str, ...]]:
    """Return what is quoted of single fits: case, share of SciPy's time, that of the user's functions alone."""
    results = {(name, r["case"]): r for name in ("single_fits", "curve_fits") for r in measured(name)["results"]}
    rows = []
    for words, key in _SINGLE_FITS.items():
        limit = results[key]["limit"]
        rows.append((words, f"{results[key]['ratio']:.2f}", "" if limit is None else f"{limit:.2f}"))
    return rows


def rows_of_many_fits() -> list[tuple[str, ...]]:
    """Return what the documentation quotes of many fits: case, fits per second, times SciPy's, times cminpack's."""
    rows = []
    for r in measured("many_fits")["results"]:
        cminpack = r["speedups"].get("cminpack in numba")
        rows.append(
            (
                r["case"],
                f"{r['rates'][OURS]:,.0f}",
                _ratio(r["speedups"][SCIPY]),
                "" if cminpack is None else _ratio(cminpack),
                "" if r["roofline"] is None or r["case"].endswith("one data set") else f"{r['roofline']:.0%}",
            )
        )
    return rows


def rows_of_processors() -> list[tuple[str, ...]]:
    """Return the same of compiled models with AVX2 and AVX-512: case, times SciPy's and TinySolver's with either."""
    narrow = {r["case"]: r["speedups"] for r in measured("many_fits_avx2")["results"]}
    return [
        (r["case"], *(_ratio(with_[peer]) for with_ in (narrow[r["case"]], r["speedups"]) for peer in (SCIPY, TINY)))
        for r in measured("many_fits")["results"]
        if r["case"] in narrow and TINY in r["speedups"] and "data set" not in r["case"]
    ]


def rows_of_native_fits() -> list[tuple[str, ...]]:
    """Return the same of native models: case, fits per second, times SciPy's."""
    return [
        (r["case"], f"{r['fits per second']:,.0f}", _ratio(r["times SciPy"]))
        for r in measured("native_fits")["results"]
    ]


def rows_of_two_workers() -> list[tuple[str, ...]]:
    """Return the same of threads: case, rates of two threads and of two processes, one worker being 1."""
    return [(r["case"], f"{r['ratio']:.2f}", f"{r['processes']:.2f}") for r in measured("two_workers")["results"]]


def rows_of_readme() -> list[tuple[str, ...]]:
    """Return the numbers of README: case, fits per second, times SciPy's."""
    many = {row[0]: row for row in rows_of_many_fits()}
    one = {r["case"]: _ratio(1 / r["ratio"]) for r in measured("curve_fits")["results"]}
    return [
        ("many Gaussians of 50 points, compiled model", *many["compiled gaussian, M=50"][1:3]),
        ("the same, your function in NumPy", *many["NumPy gaussian, M=50"][1:3]),
        (
            "one Gaussian of 50 points, `curve_fit`, compiled model",
            "",
            one["models.gaussian, against NumPy"],
        ),
        ("the same, your function in NumPy", "", one["Gaussian, M=50 N=4"]),
    ]


def rows_of_astropy_cubes() -> list[tuple[str, ...]]:
    """Return the same of cubes of astropy models: model, way, fits per second, and how many times as fast we are."""
    return [
        (r["model"], r["way"], f"{r['fits per second']:,.0f}", _ratio(r["times as fast"]))
        for r in measured("astropy_cubes")["results"]
    ]


def rows_of_spectral_lines() -> list[tuple[str, ...]]:
    """Return the same of lines in spectra: case, fits per second of both, and how many times as fast we are."""
    return [
        (r["case"], *(f"{rate:,.0f}" for rate in r["rates"].values()), _ratio(r["ratio"]))
        for r in measured("spectral_lines")["results"]
    ]


def rows_of_pipelines() -> list[tuple[str, ...]]:
    """Return the same of pipelines: model, way, pixels per second, times xarray's."""
    return [
        (r["model"], r["way"], f"{r['pixels per second']:,.0f}", _ratio(r["times xarray"]))
        for r in measured("pipelines")["results"]
    ]


def _ratio(value: float) -> str:
    """Write a ratio with two digits, or all before the point."""
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}" if value >= 1 else f"{value:.2g}"


def markdown(rows: list[tuple[str, ...]]) -> str:
    """Write the rows of a table in Markdown."""
    return "".join("| " + " | ".join(row) + " |\n" for row in rows).replace("|  |", "| |")


def restructured(rows: list[tuple[str, ...]]) -> str:
    """Write the rows of a list-table in reStructuredText."""
    return "".join("   * - " + "\n     - ".join(row) + "\n" for row in rows).replace("- \n", "-\n")


def main() -> None:
    """Print the tables for README and docs."""
    print(markdown(rows_of_readme()))
    for rows in (
        rows_of_single_fits(),
        rows_of_many_fits(),
        rows_of_native_fits(),
        rows_of_two_workers(),
        rows_of_pipelines(),
        rows_of_astropy_cubes(),
        rows_of_spectral_lines(),
    ):
        print(restructured(rows))


if __name__ == "__main__":
    main()
