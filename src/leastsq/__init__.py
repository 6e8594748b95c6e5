"""Nonlinear least squares with MINPACK's Levenberg-Marquardt method."""

from ._curve_fit import curve_fit
from ._leastsq import leastsq
from ._status import OptimizeWarning

__all__ = ["OptimizeWarning", "curve_fit", "leastsq"]


def __getattr__(name: str) -> str:
    if name == "__version__":
        from importlib.metadata import version

        return version("leastsq")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
