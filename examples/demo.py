"""Fit measurements from textbooks and compare the estimates with the published ones; then 2000 images in one call.

    python examples/demo.py [figure.png]

says first whether all came out as it should: estimates and standard errors as published, to the last digit printed, and
errors of the images' fits as the truth says. It fails if they did not. Then come the estimates that were published,
beside ours, and what the fits took. The data with the fitted curves are drawn in the figure, the images in spots.png
beside it.
"""

import csv
import sys
from decimal import Decimal
from pathlib import Path

import spots
from figure import draw
from fits import DATA, STUDIES, Fit, fits

COLUMNS = "{:<26}  {:<9}  {:<4}  {:>11}  {:>10}  {:>9}  {:>10}  {}"
HEADINGS = ("data set and model", "group", "", "estimate", "std. error", "published", "std. error", "")

Key = tuple[str, str, str]  # study, group, parameter


def published() -> dict[Key, tuple[str, str]]:
    """Return published estimates and standard errors as text, because the printed digits matter."""
    with open(DATA / "published.csv", newline="", encoding="utf-8") as file:
        return {
            (row["study"], row["group"], row["parameter"]): (row["estimate"], row["standard_error"])
            for row in csv.DictReader(file)
        }


def computed(fit: Fit) -> dict[Key, tuple[float, float]]:
    """Return the estimate and the standard error of each parameter of a fit."""
    pairs = zip(fit.estimate, fit.standard_error, strict=True)
    return {(fit.study.name, fit.group, p): pair for p, pair in zip(fit.study.model.parameters, pairs, strict=True)}


def agrees(value: float, printed: str) -> bool:
    """Whether a value lies within half a unit of the last printed digit; NaN never does."""
    expected = Decimal(printed)
    half_unit = Decimal("0.5").scaleb(expected.as_tuple().exponent)
    return abs(Decimal(float(value)) - expected) <= half_unit if value == value else False


def text(value: float) -> str:
    """Return six significant digits, or a dash for NaN."""
    return f"{value:.6g}" if value == value else "-"


def print_fit(fit: Fit, reference: dict[Key, tuple[str, str]]) -> None:
    """Print a line for each parameter that was published, with the published values beside ours."""
    for key, values in computed(fit).items():
        if key in reference:
            remark = "" if fit.solved else "not solved"
            print(COLUMNS.format(key[0], fit.label, key[2], *map(text, values), *reference[key], remark).rstrip())


def print_summary(name: str, results: list[Fit]) -> None:
    """Print how many fits were solved at what cost, and why the others were not."""
    solved = sum(fit.solved for fit in results)
    evaluations, jacobians = sum(fit.evaluations for fit in results), sum(fit.jacobians for fit in results)
    fits_ = "fit" if len(results) == 1 else "fits"
    print(f"{name}: {len(results)} {fits_}, {solved} solved, {evaluations} evaluations, {jacobians} Jacobians")
    for fit in results:
        if not fit.solved:
            print(f"    {fit.label}: {fit.message}")


def deviations(results: list[Fit], reference: dict[Key, tuple[str, str]]) -> list[str]:
    """Say which published values were not reproduced to the printed digits."""
    ours = {key: values for fit in results for key, values in computed(fit).items()}
    missing = (float("nan"), float("nan"))
    return [
        f"{' '.join(key)}: {value:.9g} instead of the published {printed}"
        for key, pair in reference.items()
        for value, printed in zip(ours.get(key, missing), pair, strict=True)
        if not agrees(value, printed)
    ]


def verdict(wrong: list[str], count: int, images_good: bool) -> int:
    """Print what came out, in two lines and one for each deviation; return 1 if something is not as it should be."""
    print(f"published values: {count}, not reproduced to the printed digits: {len(wrong)}")
    for deviation in wrong:
        print(f"    {deviation}")
    print(f"errors of {spots.COUNT} images: {'as the truth says' if images_good else 'not what the truth says'}")
    return 0 if images_good and not wrong else 1


def print_table(everything: list[Fit], reference: dict[Key, tuple[str, str]]) -> None:
    """Print our estimates beside those that were published."""
    print("\n" + COLUMNS.format(*HEADINGS).rstrip())
    for fit in everything:
        print_fit(fit, reference)
    print()


def main(path: Path) -> int:
    """Run all fits; return 1 if a published value was not reproduced, or the errors of the images are not right."""
    print("fitting measurements from textbooks ...", flush=True)
    results = {study.name: list(fits(study)) for study in STUDIES}
    everything = [fit for group in results.values() for fit in group]
    reference = published()
    print(f"fitting {spots.COUNT} images of spots ...\n", flush=True)
    simulated = spots.simulate()
    images = spots.fit(simulated.images)
    z = spots.z_scores(simulated, images)

    code = verdict(deviations(everything, reference), 2 * len(reference), spots.good(images, z))
    print_table(everything, reference)
    for name, group in results.items():
        print_summary(name, group)
    print(f"\n{spots.COUNT} images of spots")
    spots.report(images, z)

    print("\ndrawing ...", flush=True)
    draw(results, path)
    spots.draw(simulated, images, path.with_name("spots.png"))
    print(f"figures: {path} and {path.with_name('spots.png')}")
    return code


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("demo.png")))
