"""The keywords of `curve_fit` that steer the iteration: those of `leastsq`, and of SciPy's `least_squares`."""

from typing import Any, Final, NamedTuple

import numpy as np

from .._engines.numerical_jacobian import METHODS, checked_step
from .._input.validate import MOST_EVALUATIONS, FloatArray, flag, is_whole, refuse_other
from .._solver.losses import with_loss
from .._solver.problem import Options, checked_options, checked_scale
from .callback import Notify, checked_callback

LEASTSQ_DEFAULTS: Final[dict[str, Any]] = {
    "ftol": 1.49012e-8,
    "xtol": 1.49012e-8,
    "gtol": 0.0,
    "maxfev": 0,
    "epsfcn": None,
    "factor": 100,
    "diag": None,
}
_OF_LEAST_SQUARES: Final = ("max_nfev", "x_scale", "diff_step", "verbose")
_OF_SPARSE_PROBLEMS: Final = ("tr_solver", "tr_options", "jac_sparsity")
_OURS: Final = ("fixed", "col_deriv", "callback", "covariance")
_OF_LOSSES: Final = ("loss", "f_scale")


class Keywords(NamedTuple):
    """What `curve_fit` was given beyond the arguments of its signature, by kind."""

    #: Names, a mask, or values by name of the parameters that are not fitted.
    fixed: Any
    #: Whether derivatives come as N by M.
    col_deriv: bool
    #: How to take differences where the iteration does not by itself, and their relative steps.
    scheme: str | None
    diff_step: Any
    max_nfev: int | None
    x_scale: Any
    #: What is shown each step, None where nobody watches.
    notify: Notify | None
    #: Options of `leastsq`.
    of_leastsq: dict[str, Any]
    #: The loss, its scale, and what covariances are made of.
    loss: Any = "linear"
    f_scale: Any = 1.0
    covariance: str = "curvature"

    def options(self, n: int, analytic: bool, sigma: Any = None) -> Options:
        """Check what steers a fit of `n` parameters."""
        given = {**LEASTSQ_DEFAULTS, **self.of_leastsq}
        if self.max_nfev is not None:
            if given["maxfev"]:
                raise TypeError("maxfev and max_nfev were given, which limit the same: give one of them")
            # Evaluations for differences are counted here, and not in max_nfev.
            given["maxfev"] = min(self.max_nfev * (1 if analytic or self.scheme else n + 1), MOST_EVALUATIONS)
        if self.x_scale is not None:
            if given["diag"] is not None:
                raise TypeError("diag and x_scale were given, which are reciprocals of each other: give one of them")
            given["diag"] = checked_scale(self.x_scale, n)
        options = checked_options(n, analytic or self.scheme is not None, **given)
        return with_loss(options, self.loss, self.f_scale, sigma)

    def relative_step(self, n: int) -> FloatArray | None:
        """Return the relative steps of differences, None for those that suit the scheme."""
        return None if self.diff_step is None else checked_step(self.diff_step, n)


def read_keywords(given: dict[str, Any], jac: Any, method: str | None) -> Keywords:
    """Sort the keywords of a call, and refuse those that mean nothing here."""
    if not given and (jac is None or callable(jac)):
        return _DEFAULTS
    _refuse_unknown(given)
    lm = isinstance(method, str) and method == "lm"
    if jac is not None and not callable(jac) and (not isinstance(jac, str) or jac not in METHODS or lm):
        schemes = "" if lm else f", or one of {', '.join(map(repr, METHODS))}"
        raise ValueError(f"jac must be callable or None{schemes}; got {jac!r} for method {method!r}")
    diff_step = given.get("diff_step")
    scheme: str | None = jac if isinstance(jac, str) else None
    if diff_step is not None:
        if callable(jac):
            raise ValueError("diff_step is for differences, and jac gives derivatives: leave one of them out")
        if given.get("epsfcn") is not None:
            raise TypeError("diff_step and epsfcn were given, which both set the steps of differences: give one")
        scheme = scheme or "2-point"
    of_leastsq = {
        name: 0.0 if given[name] is None and name in ("ftol", "xtol", "gtol") else given[name]
        for name in LEASTSQ_DEFAULTS
        if name in given
    }
    return Keywords(
        given.get("fixed"),
        flag(given.get("col_deriv", False), "col_deriv"),
        # Forward differences with steps of their own are what the iteration takes by itself.
        None if scheme == "2-point" and diff_step is None else scheme,
        diff_step,
        checked_limit(given.get("max_nfev")),
        given.get("x_scale"),
        checked_callback(given.get("callback")),
        of_leastsq,
        given.get("loss", "linear"),
        given.get("f_scale", 1.0),
        _checked_covariance(given.get("covariance", "curvature")),
    )


_DEFAULTS: Final = Keywords(None, False, None, None, None, None, None, {})


def _refuse_unknown(given: dict[str, Any]) -> None:
    """Refuse keywords that nothing is known of, and those that are for other algorithms."""
    if "args" in given:
        raise ValueError("'args' is not a supported keyword argument. Bind further arguments of f with a lambda")
    for name in _OF_SPARSE_PROBLEMS:
        value = given.get(name)
        if value is not None and not (isinstance(value, dict) and not value):
            raise ValueError(
                f"{name} is for the trust-region solvers of large sparse problems, which leastsq does not have: "
                f"leave it out, or use SciPy's curve_fit"
            )
    if not isinstance(given.get("verbose"), (int, np.integer, type(None))) or given.get("verbose"):
        raise ValueError(
            f"verbose={given['verbose']!r}: curve_fit prints nothing; full_output=True tells how a fit went, and "
            f"least_squares(verbose=2) prints every iteration"
        )
    known = (*LEASTSQ_DEFAULTS, *_OF_LEAST_SQUARES, *_OF_LOSSES, *_OURS)
    unknown = sorted(given.keys() - {*known, *_OF_SPARSE_PROBLEMS})
    if unknown:
        raise TypeError(
            f"curve_fit() got an unexpected keyword argument {unknown[0]!r}; expected one of {', '.join(known)}"
        )


def _checked_covariance(covariance: Any) -> str:
    refuse_other(covariance, "covariance", ("curvature", "sandwich"))
    return str(covariance)


def checked_limit(max_nfev: Any) -> int | None:
    """Return the most evaluations, None where nothing is said."""
    if max_nfev is None:
        return None
    if not is_whole(max_nfev) or max_nfev <= 0:
        raise ValueError(f"max_nfev must be None or a positive integer, got {max_nfev!r}")
    return int(max_nfev)
