"""Models whose values and derivatives are compiled, for `curve_fit` and `curve_fit_many`.

Each is also an ordinary NumPy function of the predictors and the parameters, with two methods: ``jac`` gives the
derivatives, ``guess`` parameters to start from.
"""

from ._models.curves import (
    constant,
    double_logistic,
    line,
    logistic4,
    logistic5,
    michaelis_menten,
    power_law,
    quadratic,
)
from ._models.decays import biexponential, exponential, inversion_recovery, stretched_exponential
from ._models.images import gaussian_2d, gaussian_2d_elliptic, gaussian_2d_pixel, moffat_2d
from ._models.model import CompiledModel as CompiledModel
from ._models.peaks import exponential_gaussian, gaussian, lorentzian, moffat, pseudo_voigt, voigt
from ._models.waves import damped_sine, harmonics, sine

__all__ = [
    "biexponential",
    "constant",
    "damped_sine",
    "double_logistic",
    "exponential",
    "exponential_gaussian",
    "gaussian",
    "gaussian_2d",
    "gaussian_2d_elliptic",
    "gaussian_2d_pixel",
    "harmonics",
    "inversion_recovery",
    "line",
    "logistic4",
    "logistic5",
    "lorentzian",
    "michaelis_menten",
    "moffat",
    "moffat_2d",
    "power_law",
    "pseudo_voigt",
    "quadratic",
    "sine",
    "stretched_exponential",
    "voigt",
]
