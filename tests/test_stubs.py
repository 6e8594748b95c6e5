"""What type checkers are told of the compiled module is so: names, arguments and what is returned.

mypy's stubtest takes what f2py makes for no functions, and so cannot compare them.
"""

import ast
import re
from pathlib import Path

import pytest

import leastsq
from leastsq._solver import kernel

MODULE = kernel._minpack
STUB = ast.parse(Path(leastsq.__file__).with_name("_minpack.pyi").read_text(encoding="utf-8"))
FUNCTIONS = {node.name: node for node in STUB.body if isinstance(node, ast.FunctionDef)}


def names_of(text):
    """Names separated by commas, those in brackets, which may be left out, too."""
    return re.findall(r"\w+", text)


def signature(function):
    """Names of what a function of f2py's returns and takes, from the first line of its documentation."""
    returned, call = re.fullmatch(r"(?:(.*) = )?\w+\((.*)\)", function.__doc__.splitlines()[0]).groups()
    return names_of(returned or ""), names_of(call)


def test_each_function_has_a_stub_and_each_stub_a_function():
    compiled = {name for name in dir(MODULE) if not name.startswith("__") and callable(getattr(MODULE, name))}
    assert {name for name in compiled if name != "error" and not name.endswith("_error")} == set(FUNCTIONS)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_arguments_and_results_are_those_of_the_stub(name):
    function, stub = getattr(MODULE, name), FUNCTIONS[name]
    arguments = [*stub.args.posonlyargs, *stub.args.args]
    if type(function).__name__ != "fortran":
        assert stub.args.posonlyargs == arguments, "functions in C take no keywords"
        return
    results, names = signature(function)
    assert [argument.arg for argument in arguments] == names
    told = stub.returns.slice.elts if isinstance(stub.returns, ast.Subscript) else [stub.returns]
    assert len(results) == (0 if ast.unparse(stub.returns) == "None" else len(told))
