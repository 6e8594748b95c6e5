"""SciPy's own tests of curve_fit and leastsq, run against ours by patching the names they call."""

import pytest
import scipy.optimize.tests.test_minpack as minpack_tests

import leastsq

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")


def cases(cls):
    """List the tests of a class, each with the arguments that its marks give it."""
    for name in sorted(name for name in dir(cls) if name.startswith("test")):
        arguments = [{}]
        for mark in getattr(getattr(cls, name), "pytestmark", []):
            if mark.name == "parametrize":
                names, values = mark.args[0].split(","), mark.args[1]
                rows = [value if len(names) > 1 else (value,) for value in values]
                more = [{n.strip(): v for n, v in zip(names, row, strict=True)} for row in rows]
                arguments = [{**old, **new} for old in arguments for new in more]
        for given in arguments:
            yield pytest.param(cls, name, given, id="-".join([cls.__name__, name, *map(str, given.values())]))


def run(module, cls, name, given, monkeypatch, ours):
    for function in ours:
        for place in (module, getattr(module, "optimize", None)):
            if hasattr(place, function):
                monkeypatch.setattr(place, function, getattr(leastsq, function))
    if hasattr(module, "OptimizeWarning"):
        monkeypatch.setattr(module, "OptimizeWarning", leastsq.OptimizeWarning)
    test = cls()
    if hasattr(test, "setup_method"):
        test.setup_method()
    getattr(test, name)(**given)


MINPACK = [*cases(minpack_tests.TestCurveFit), *cases(minpack_tests.TestLeastSq)]


def test_there_are_62_of_them():
    """In SciPy 1.17; other releases have fewer or more, and a few at least."""
    assert len(MINPACK) >= 50


@pytest.mark.parametrize(("cls", "name", "given"), MINPACK)
def test_of_curve_fit_and_leastsq(cls, name, given, monkeypatch):
    run(minpack_tests, cls, name, given, monkeypatch, ["curve_fit", "leastsq"])
