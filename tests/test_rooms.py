"""Imports of the package go one way, from what fits data to what it stands on."""

import ast
from pathlib import Path

import leastsq

PACKAGE = Path(leastsq.__file__).parent
# Each folder imports from those before it alone; what users call, beside the folders, imports from all.
ROOMS = ["_input", "_solver", "_guesses", "_models", "_engines", "_verdict", "_results", "_single", "_large", "_many"]


def imported(path):
    """Return the folders that a module imports from when it is imported itself, not when a function is called."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = [node.module or "" for node in tree.body if isinstance(node, ast.ImportFrom) and node.level == 2]
    return {name.split(".")[0] for name in names} & set(ROOMS)


def test_each_folder_imports_from_those_before_it():
    wrong = [
        f"{room}/{path.name} imports from {other}"
        for number, room in enumerate(ROOMS)
        for path in (PACKAGE / room).glob("*.py")
        for other in imported(path)
        if other not in ROOMS[:number]
    ]
    assert wrong == []


def test_every_folder_of_the_package_is_named_here():
    assert sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py")) == sorted(ROOMS)
