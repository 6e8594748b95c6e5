"""Start values for the models, by families."""

from ._guess_curves import logistic4, michaelis_menten, power_law
from ._guess_decays import biexponential, exponential
from ._guess_images import gaussian_2d, gaussian_2d_elliptic
from ._guess_peaks import gaussian, lorentzian, pseudo_voigt
from ._guess_waves import damped_sine

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
