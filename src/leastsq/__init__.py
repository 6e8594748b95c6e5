"""Nonlinear least squares with MINPACK's Levenberg-Marquardt method."""

from ._leastsq import leastsq

__all__ = ["leastsq"]
