"""Read and render the recipe for conda-forge, which cannot be built without its channels.

    python tools/recipe.py

It needs py-rattler-build, from the dependency group `metadata`.
"""

import re
from pathlib import Path

from rattler_build import Stage0Recipe, VariantConfig

ROOT = Path(__file__).resolve().parents[1]
# What conda-forge pins, in short.
VARIANTS = {
    "c_compiler": ["gcc"],
    "c_stdlib": ["sysroot"],
    "fortran_compiler": ["gfortran"],
    "python": ["3.10.*", "3.11.*", "3.12.*", "3.13.*", "3.14.*"],
}


def names(requirements: list[str]) -> set[str]:
    """Return the names of packages, without their versions."""
    return {re.split(r"[\s<>=!\[]", text, maxsplit=1)[0] for text in requirements}


def main() -> None:
    """Render the recipe for each Python, and compare what it needs with what `pyproject.toml` says."""
    rendered = Stage0Recipe.from_file(ROOT / "tools" / "conda" / "recipe.yaml").render(VariantConfig(VARIANTS))
    if len(rendered) != len(VARIANTS["python"]):
        raise SystemExit(f"expected one package for each of {VARIANTS['python']}, rendered {len(rendered)}")
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    declared = {
        key: re.findall(r'"([^"]+)"', re.search(rf"^{key} = \[(.*?)\]", text, re.M).group(1))
        for key in ("requires", "dependencies")
    }
    for variant in rendered:
        needs = variant.recipe.to_dict()["requirements"]
        missing = names(declared["requires"]) - names(needs["host"]) - names(needs["build"])
        missing |= set(declared["dependencies"]) - {re.sub(r"\s", "", need) for need in needs["run"]}
        if missing:
            raise SystemExit(f"the recipe leaves out {sorted(missing)}")
        print(f"{variant.recipe.to_dict()['build']['string']}: built with {', '.join(needs['build'])}")


if __name__ == "__main__":
    main()
