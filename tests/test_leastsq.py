"""What `leastsq` promises: results, counts, and that the user's arrays and exceptions stay theirs."""

import inspect
import itertools
import subprocess
import sys
import traceback
from typing import ClassVar

import numpy as np
import pytest
import scipy.optimize

import leastsq as package
from leastsq import leastsq

T = np.linspace(0, 3, 20)
Y = 2.0 * np.exp(-1.5 * T) + 0.02 * np.cos(40 * T)


def residuals(x, t=T, y=Y):
    return x[0] * np.exp(-x[1] * t) - y


def jacobian(x, t=T, y=Y):
    e = np.exp(-x[1] * t)
    return np.column_stack([e, -x[0] * t * e])


EXPECTED, _ = leastsq(residuals, [1.0, 1.0])


class Counting:
    def __init__(self, function):
        self.function, self.calls = function, 0

    def __call__(self, *args):
        self.calls += 1
        return self.function(*args)


def test_signature_is_that_of_scipy():
    ours, theirs = inspect.signature(leastsq), inspect.signature(scipy.optimize.leastsq)
    *drop_in, bounds, callback = ours.parameters.values()
    assert [(p.name, p.default) for p in drop_in] == [(p.name, p.default) for p in theirs.parameters.values()]
    assert all(p.kind is p.POSITIONAL_OR_KEYWORD for p in drop_in)
    assert [(p.name, p.kind, p.default) for p in (bounds, callback)] == [
        ("bounds", bounds.KEYWORD_ONLY, None),
        ("callback", bounds.KEYWORD_ONLY, None),
    ]


@pytest.mark.parametrize("options", [{}, {"Dfun": jacobian}], ids=["differences", "Dfun"])
def test_counts_are_the_evaluations_made(options):
    counting = {name: Counting(function) for name, function in options.items()}
    func = Counting(residuals)
    _, _, info, _, _ = leastsq(func, [1.0, 1.0], full_output=True, **counting)
    assert info["nfev"] == func.calls
    assert info.get("njev") == (counting["Dfun"].calls if options else None)


def test_full_output_and_short_output_agree():
    x, _, info, mesg, ier = leastsq(residuals, [1.0, 1.0], full_output=True)
    short, short_ier = leastsq(residuals, [1.0, 1.0])
    np.testing.assert_array_equal(x, short)
    assert ier == short_ier
    np.testing.assert_array_equal(info["fvec"], residuals(x))
    assert set(info) == {"nfev", "fvec", "fjac", "ipvt", "qtf"}
    assert info["fjac"].shape == (2, 20)
    assert info["ipvt"].dtype.kind == "i"
    assert "ftol = 1.49012e-08" in mesg


def test_factor_describes_the_jacobian():
    x, cov, info, _, _ = leastsq(residuals, [1.0, 1.0], full_output=True, Dfun=jacobian, ftol=1e-14, xtol=1e-14)
    r = np.triu(info["fjac"].T[:2])
    permuted = jacobian(x)[:, info["ipvt"]]
    # The factor belongs to the last iterate but one, which at these tolerances is the solution to half the digits.
    np.testing.assert_allclose(r.T @ r, permuted.T @ permuted, rtol=1e-6)
    np.testing.assert_allclose(cov @ (jacobian(x).T @ jacobian(x)), np.eye(2), atol=1e-6)
    np.testing.assert_allclose(cov, cov.T, rtol=0, atol=0)


@pytest.mark.parametrize("x0", [3, 3.0, [3], [[3]], np.array(3), np.array([[3.0]]), np.float32(3), (3,)], ids=repr)
def test_start_of_any_shape(x0):
    x, ier = leastsq(lambda x: x - [1.0], x0)
    assert x.shape == (1,)
    assert x.dtype == np.float64
    assert ier in (1, 2, 3, 4)
    assert x[0] == pytest.approx(1, abs=1e-12)


def test_arguments_are_passed_on_and_wrapped():
    x, _ = leastsq(residuals, [1.0, 1.0], args=(T, Y), Dfun=jacobian)
    np.testing.assert_allclose(x, EXPECTED, rtol=1e-6)
    y, _ = leastsq(lambda x, target: x - target, [0.0], args=5.0)
    np.testing.assert_allclose(y, 5)
    z, _ = leastsq(lambda x, target: x - target, [0.0, 0.0], args=np.array([5.0, 6.0]))
    np.testing.assert_allclose(z, [5, 6])


def as_matrix(f):
    return f.reshape(4, 5)


def strided(f):
    out = np.zeros(2 * f.size)
    out[::2] = f
    return out[::2]


def read_only(f):
    f.flags.writeable = False
    return f


RESULTS = {
    "list": lambda f: f.tolist(),
    "tuple": lambda f: tuple(f),
    "matrix": as_matrix,
    "column": lambda f: f[:, None],
    "fortran order": lambda f: np.asfortranarray(as_matrix(f).T).T,
    "strided": strided,
    "unaligned": lambda f: np.frombuffer(bytearray(b"-" + f.tobytes()), float, offset=1),
    "reversed view": lambda f: f[::-1],
    "read-only": read_only,
    "big-endian": lambda f: f.astype(">f8"),
    "masked without mask": lambda f: np.ma.array(f),
    "longdouble": lambda f: f.astype(np.longdouble),
    "subclass": lambda f: f.view(np.recarray),
}


@pytest.mark.parametrize("convert", RESULTS.values(), ids=RESULTS.keys())
def test_residuals_of_every_kind(convert):
    plain, _, info, _, ier = leastsq(residuals, [1.0, 1.0], full_output=True)
    x, _, info2, _, ier2 = leastsq(lambda x: convert(residuals(x)), [1.0, 1.0], full_output=True)
    # The order of residuals may differ, and with it the last bits of their sum.
    np.testing.assert_allclose(x, plain, rtol=1e-10)
    assert (ier, info["nfev"]) == (ier2, info2["nfev"])


def test_kind_of_residuals_may_change_between_calls():
    kinds = itertools.cycle(convert for name, convert in RESULTS.items() if name != "reversed view")
    x, _ = leastsq(lambda x: next(kinds)(residuals(x)), [1.0, 1.0])
    np.testing.assert_allclose(x, EXPECTED, rtol=1e-8)


def unaligned(j):
    return np.frombuffer(bytearray(b"-" + j.tobytes()), float, offset=1).reshape(j.shape)


@pytest.mark.parametrize(
    "convert", [np.asfortranarray, lambda j: j.tolist(), lambda j: j[:, ::-1][:, ::-1], unaligned, read_only]
)
def test_jacobians_of_every_kind(convert):
    x, _ = leastsq(residuals, [1.0, 1.0], Dfun=lambda x: convert(jacobian(x)))
    plain, _ = leastsq(residuals, [1.0, 1.0], Dfun=jacobian)
    np.testing.assert_array_equal(x, plain)
    transposed, _ = leastsq(residuals, [1.0, 1.0], Dfun=lambda x: convert(jacobian(x).T), col_deriv=True)
    np.testing.assert_array_equal(transposed, plain)


def test_integer_residuals():
    x, ier = leastsq(lambda x: np.array([round(100 * (x[0] - 3)), 0]), [10.0], epsfcn=1e-2)
    assert ier in (1, 2, 3, 4)
    assert x[0] == pytest.approx(3, abs=0.01)


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_low_precision_functions_converge(dtype):
    x, ier = leastsq(lambda x: residuals(x).astype(dtype), [1.0, 1.0])
    assert ier in (1, 2, 3, 4)
    # The sum of squares is resolved to its precision, the parameters to the square root of that.
    np.testing.assert_allclose(x, EXPECTED, rtol=10 * np.sqrt(np.finfo(dtype).eps))


def test_small_epsfcn_means_machine_precision():
    default, _ = leastsq(residuals, [1.0, 1.0])
    for epsfcn in (0.0, 1e-40, -1.0, np.finfo(float).eps):
        x, _ = leastsq(residuals, [1.0, 1.0], epsfcn=epsfcn)
        np.testing.assert_array_equal(x, default)


def test_kept_points_do_not_change():
    kept, copies = [], []

    def func(x):
        kept.append(x)
        copies.append(x.copy())
        return residuals(x)

    x, ier = leastsq(func, [1.0, 1.0])
    np.testing.assert_array_equal(kept, copies)
    np.testing.assert_array_equal(x, EXPECTED)
    assert len({id(point) for point in kept}) == len(kept)
    assert ier in (1, 2, 3, 4)


@pytest.mark.parametrize("keep", [lambda x: x[1:], lambda x: x.reshape(1, 2), memoryview, lambda x: lambda: x])
def test_kept_views_do_not_change(keep):
    kept, copies = [], []

    def func(x):
        kept.append(keep(x))
        copies.append(x.copy())
        return residuals(x)

    leastsq(func, [1.0, 1.0])
    for view, copy in zip(kept, copies, strict=True):
        view = view() if callable(view) else np.asarray(view).ravel()
        np.testing.assert_array_equal(view, copy[2 - view.size :])


def test_kept_points_do_not_change_with_a_jacobian():
    kept, copies = [], []

    def remember(x, function):
        kept.append(x)
        copies.append(x.copy())
        return function(x)

    x, _ = leastsq(lambda x: remember(x, residuals), [1.0, 1.0], Dfun=lambda x: remember(x, jacobian))
    np.testing.assert_array_equal(kept, copies)
    np.testing.assert_array_equal(x, leastsq(residuals, [1.0, 1.0], Dfun=jacobian)[0])


class Keeping(Exception):
    """A callable in C that keeps the tuple of its arguments."""

    kept: ClassVar[list["Keeping"]] = []

    def __array__(self, dtype=None, copy=None):
        self.kept.append(self)
        return residuals(self.args[0])


@pytest.mark.parametrize("args", [(), (1,)])
def test_kept_tuples_of_arguments_do_not_change(args):
    points = []

    def start_point_and_others(x, *rest):
        points.append(x.copy())
        return residuals(x)

    leastsq(start_point_and_others, [1.0, 1.0], args=args)
    Keeping.kept.clear()
    leastsq(Keeping, [1.0, 1.0], args=args)
    kept = [exception.args[0] for exception in dict.fromkeys(Keeping.kept)]
    np.testing.assert_array_equal(kept[0], points[0])
    assert len({id(point) for point in kept}) == len(kept)
    assert {tuple(point) for point in points} == {tuple(point) for point in kept}


def overwrite(x):
    x[:] = np.nan


def make_read_only(x):
    x.flags.writeable = False


def shrink(x):
    x.resize((1,), refcheck=False)


@pytest.mark.parametrize("spoil", [overwrite, make_read_only, shrink])
def test_functions_may_spoil_their_point(spoil):
    def func(x):
        f = residuals(x)
        spoil(x)
        return f

    def dfun(x):
        j = jacobian(x)
        spoil(x)
        return j

    np.testing.assert_array_equal(leastsq(func, [1.0, 1.0])[0], EXPECTED)
    np.testing.assert_array_equal(
        leastsq(func, [1.0, 1.0], Dfun=dfun)[0], leastsq(residuals, [1.0, 1.0], Dfun=jacobian)[0]
    )


def test_start_is_not_touched():
    x0 = np.array([1.0, 1.0])

    def func(x):
        f = residuals(x)
        x[:] = 0
        return f

    leastsq(func, x0)
    np.testing.assert_array_equal(x0, [1.0, 1.0])


def test_function_may_return_the_same_buffer_every_time():
    f, j = np.empty(T.size), np.empty((T.size, 2))

    def func(x):
        f[:] = residuals(x)
        return f

    def dfun(x):
        j[:] = jacobian(x)
        return j

    x, _, info, _, _ = leastsq(func, [1.0, 1.0], full_output=True)
    np.testing.assert_array_equal(x, EXPECTED)
    f[:] = 0
    np.testing.assert_array_equal(info["fvec"], residuals(x))
    np.testing.assert_array_equal(
        leastsq(func, [1.0, 1.0], Dfun=dfun)[0], leastsq(residuals, [1.0, 1.0], Dfun=jacobian)[0]
    )


def test_function_may_return_its_point():
    x, _, _, _, ier = leastsq(lambda x: x, [3.0, 4.0], full_output=True)
    np.testing.assert_allclose(x, 0, atol=1e-12)
    assert ier in (1, 2, 3, 4)


@pytest.mark.parametrize(
    "error", [ValueError("mine"), KeyboardInterrupt(), SystemExit(3), StopIteration(), MemoryError()]
)
@pytest.mark.parametrize("at", [1, 2, 5])
def test_exceptions_come_out_unchanged(error, at):
    calls = iter(range(1, 100))

    def func(x):
        if next(calls) == at:
            raise error
        return residuals(x)

    with pytest.raises(type(error)) as caught:
        leastsq(func, [1.0, 1.0])
    assert caught.value is error
    assert "raise error" in "".join(traceback.format_tb(caught.tb))
    np.testing.assert_array_equal(leastsq(residuals, [1.0, 1.0])[0], EXPECTED)


def test_exceptions_of_the_jacobian_come_out_unchanged():
    def dfun(x):
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        leastsq(residuals, [1.0, 1.0], Dfun=dfun)


def test_nested_calls_do_not_disturb_each_other():
    def func(x):
        inner, _ = leastsq(lambda y: residuals([y[0], x[1]]), [1.0])
        np.testing.assert_allclose(inner[0], np.exp(-x[1] * T) @ Y / np.sum(np.exp(-2 * x[1] * T)), rtol=1e-6)
        return residuals(x)

    np.testing.assert_array_equal(leastsq(func, [1.0, 1.0])[0], EXPECTED)


def test_recursion():
    def func(x, depth):
        if depth:
            np.testing.assert_array_equal(leastsq(func, [1.0, 1.0], args=(depth - 1,))[0], EXPECTED)
        return residuals(x)

    np.testing.assert_array_equal(leastsq(func, [1.0, 1.0], args=(2,))[0], EXPECTED)


def test_default_maxfev():
    def never(x):
        return np.array([np.exp(-x[0]), 1e-3 * np.exp(-x[0])])

    _, _, info, mesg, ier = leastsq(never, [0.0], full_output=True, ftol=0, xtol=0, gtol=0)
    # The bound is tested once a step, and a step may take an evaluation for the derivative too.
    assert ier == 5
    assert info["nfev"] in (400, 401)
    assert f"{info['nfev']} evaluations of the residuals (maxfev = 400" in mesg
    _, _, info, _, ier = leastsq(
        never, [0.0], full_output=True, ftol=0, xtol=0, gtol=0, Dfun=lambda x: -never(x)[:, None]
    )
    assert (ier, info["nfev"]) == (5, 200)


@pytest.mark.parametrize(
    ("options", "ier"), [({"maxfev": 3}, 5), ({"ftol": 0, "xtol": 0}, 6), ({"ftol": 0, "xtol": 0, "factor": 1e-3}, 6)]
)
def test_unsolved_fits_warn(options, ier):
    with pytest.warns(RuntimeWarning, match="Not solved") as caught:
        _, found = leastsq(residuals, [1.0, 1.0], **options)
    assert found in (ier, 7, 8) if ier == 6 else found == ier
    assert caught[0].filename == __file__


def test_unsolved_fits_do_not_warn_with_full_output():
    _, cov, _, mesg, ier = leastsq(residuals, [1.0, 1.0], maxfev=3, full_output=True)
    assert ier == 5
    assert cov is None
    assert "maxfev = 3" in mesg


def test_singular_jacobian_has_no_covariance():
    _, cov, _, _, ier = leastsq(lambda x: np.array([x[0] - 1, x[0] + 1, 2.0]), [3.0, 4.0], full_output=True)
    assert ier in (1, 2, 3, 4)
    assert cov is None


def test_perfect_start():
    x, ier = leastsq(lambda x: x * 0, [3.0, 4.0])
    np.testing.assert_array_equal(x, [3, 4])
    assert ier == 4


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_trial_points_without_a_value_are_rejected(bad):
    """From 0.1 the full step overshoots to where the logarithm has no value; the damped one does not."""
    met = []

    def func(x):
        if x[0] <= 0:
            met.append(x[0])
            return np.array([bad, 0.0])
        return np.array([np.log(x[0]) - 1, 0.1 * (x[0] - np.e)])

    x, ier = leastsq(func, [30.0])
    assert met
    assert ier in (1, 2, 3, 4)
    assert x[0] == pytest.approx(np.e, rel=1e-7)


def test_the_edge_of_the_domain_is_not_a_solution():
    """The sum of squares falls all the way to 1, beyond which there are no residuals."""

    def func(x):
        return np.where(x[0] < 1, np.array([x[0] - 5, 0.0]), np.nan)

    x, _, _, mesg, ier = leastsq(func, [0.0], Dfun=lambda x: np.array([[1.0], [0.0]]), full_output=True)
    assert ier == 9
    assert "NaN or infinite" in mesg
    assert 0.99 < x[0] < 1
    with pytest.warns(RuntimeWarning, match="NaN or infinite"):
        leastsq(func, [0.0], Dfun=lambda x: np.array([[1.0], [0.0]]))


def test_scaling_by_the_caller():
    x, _ = leastsq(residuals, [1.0, 1.0], diag=(2, 5))
    np.testing.assert_allclose(x, EXPECTED, rtol=1e-6)


def test_extreme_magnitudes():
    """Residuals and Jacobians whose squares overflow or underflow."""
    for scale in (1e-200, 1e200):
        x, _ = leastsq(lambda x, scale=scale: scale * residuals(x), [1.0, 1.0])
        np.testing.assert_allclose(x, EXPECTED, rtol=1e-6)


def test_tall_full_output_has_r_and_zeros_below():
    m = 2000
    t = np.linspace(0, 1, m)
    x, cov, info, _, _ = leastsq(lambda x: x[0] + x[1] * t - t**2, [0.0, 0.0], full_output=True)
    assert info["fjac"].shape == (2, m)
    assert not info["fjac"].T[2:].any()
    assert info["fjac"][0, 1] == 0
    design = np.column_stack([np.ones(m), t])
    np.testing.assert_allclose(cov, np.linalg.inv(design.T @ design), rtol=1e-6)
    np.testing.assert_allclose(x, np.linalg.lstsq(design, t**2, rcond=None)[0], rtol=1e-8)


def test_imports_neither_scipy_nor_anything_optional():
    code = "import sys, leastsq; print(*sorted(m for m in sys.modules if '.' not in m))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"scipy", "matplotlib", "numba", "dask", "xarray", "tqdm", "pandas"} & set(loaded)


def test_version_is_that_of_the_distribution():
    from importlib.metadata import version

    assert package.__version__ == version("leastsq")


def test_no_parameters_are_answered_as_by_scipy():
    """With full output; lmfit's confidence regions of two parameters of two live on it."""
    x, cov_x, infodict, message, ier = leastsq(lambda x: np.ones(3), [], full_output=True)
    assert x.shape == (0,)
    assert cov_x is None
    assert (message, ier) == ("Improper input parameters.", 0)
    np.testing.assert_array_equal(infodict["fvec"], np.ones(3))
    with pytest.raises(TypeError, match="x0 is empty"):
        leastsq(lambda x: np.ones(3), [])
