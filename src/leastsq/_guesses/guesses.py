"""Start values for the models, by families."""

from .curves import logistic4, michaelis_menten, power_law
from .decays import biexponential, exponential
from .images import gaussian_2d, gaussian_2d_elliptic
from .peaks import gaussian, lorentzian, pseudo_voigt
from .waves import damped_sine

__all__ = [
    "biexponential",
    "damped_sine",
    "exponential",
    "gaussian",
    "gaussian_2d",
    "gaussian_2d_elliptic",
    "logistic4",
    "lorentzian",
    "michaelis_menten",
    "power_law",
    "pseudo_voigt",
]
