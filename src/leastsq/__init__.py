"""Nonlinear least squares with MINPACK's Levenberg-Marquardt method."""

from typing import TYPE_CHECKING, Any

from . import models, native
from ._curve_fit import curve_fit
from ._curve_fit_many import curve_fit_many
from ._least_squares import least_squares
from ._leastsq import leastsq
from ._results.result import ManyFits
from ._solver.codes import OptimizeWarning

__all__ = ["ManyFits", "OptimizeWarning", "curve_fit", "curve_fit_many", "least_squares", "leastsq", "models", "native"]


if TYPE_CHECKING:
    from ._many.dask import LazyFits as LazyFits


def __getattr__(name: str) -> Any:
    if name == "LazyFits":  # which needs dask
        from ._many.dask import LazyFits

        return LazyFits
    if name == "__version__":
        from importlib.metadata import version

        return version("leastsq")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
