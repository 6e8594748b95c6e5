"""Lines, and curves that rise or fall. See `leastsq.models`."""

from typing import Any

import numpy as np

from .._guesses import guesses, more_guesses
from .model import compiled


@compiled(12, more_guesses.constant)
def constant(x: Any, offset: Any) -> Any:
    """Constant, mostly for others to stand on.

    ``offset``, the same for each `x` that is a number. Its least-squares estimate is the weighted mean [1]_.

    References
    ----------
    .. [1] P. R. Bevington, D. K. Robinson, "Data Reduction and Error Analysis for the Physical Sciences", 3rd ed.,
       McGraw-Hill, 2003, section 4.1.

    Examples
    --------
    >>> from leastsq import models
    >>> models.constant([1.0, 2.0, 3.0], 0.5).tolist()
    [0.5, 0.5, 0.5]
    """
    return offset + np.zeros_like(x)


@compiled(13, more_guesses.line)
def line(x: Any, slope: Any, intercept: Any) -> Any:
    """Straight line.

    ``slope * x + intercept`` [1]_. Take the origin of `x` from within the data where it is far away.

    References
    ----------
    .. [1] P. R. Bevington, D. K. Robinson, "Data Reduction and Error Analysis for the Physical Sciences", 3rd ed.,
       McGraw-Hill, 2003, chapter 6.

    Examples
    --------
    >>> from leastsq import models
    >>> float(models.line(2.0, 3.0, 1.0))
    7.0
    """
    return slope * x + intercept


@compiled(14, more_guesses.quadratic)
def quadratic(x: Any, curvature: Any, slope: Any, intercept: Any) -> Any:
    """Parabola.

    ``curvature * x**2 + slope * x + intercept`` [1]_.

    References
    ----------
    .. [1] P. R. Bevington, D. K. Robinson, "Data Reduction and Error Analysis for the Physical Sciences", 3rd ed.,
       McGraw-Hill, 2003, chapter 7.

    Examples
    --------
    >>> from leastsq import models
    >>> float(models.quadratic(2.0, 3.0, 1.0, 0.5))
    14.5
    """
    return (curvature * x + slope) * x + intercept


@compiled(8, guesses.power_law)
def power_law(x: Any, amplitude: Any, exponent: Any, offset: Any) -> Any:
    """Power law on a constant, for x >= 0.

    ``amplitude * x**exponent + offset`` [1]_; there is no value where `x` is negative.

    References
    ----------
    .. [1] D. A. Ratkowsky, "Handbook of Nonlinear Regression Models", Marcel Dekker, 1990.

    Examples
    --------
    >>> from leastsq import models
    >>> float(models.power_law(4.0, 3.0, 0.5, 1.0))
    7.0
    """
    return amplitude * np.where(x < 0, np.nan, x) ** np.asarray(exponent, dtype=np.float64) + offset


@compiled(7, guesses.michaelis_menten)
def michaelis_menten(x: Any, vmax: Any, km: Any) -> Any:
    """Michaelis-Menten rate of an enzyme reaction.

    ``vmax * x / (km + x)``, `x` and `km` in the same unit of concentration [1]_.

    References
    ----------
    .. [1] D. M. Bates, D. G. Watts, "Nonlinear Regression Analysis and Its Applications", Wiley, 1988, section 2.1.

    Examples
    --------
    >>> from leastsq import models
    >>> float(models.michaelis_menten(2.0, 3.0, 2.0))
    1.5
    """
    return vmax / (1 + km / x)


@compiled(6, guesses.logistic4)
def logistic4(x: Any, bottom: Any, top: Any, log_ec50: Any, hill: Any) -> Any:
    """Four-parameter logistic dose-response curve, over the logarithm of the dose.

    ``bottom + (top - bottom) / (1 + 10**((log_ec50 - x) * hill))`` with `x` the decadic logarithm of the dose: the
    response is half-way between `bottom` and `top` where the dose is ``10**log_ec50`` [1]_.

    References
    ----------
    .. [1] G. A. F. Seber, C. J. Wild, "Nonlinear Regression", Wiley, 1989, section 7.3.

    Examples
    --------
    >>> from leastsq import models
    >>> float(models.logistic4(-6.0, 10.0, 90.0, -6.0, 1.2))
    50.0
    """
    return bottom + (top - bottom) / (1 + 10.0 ** ((log_ec50 - x) * hill))


@compiled(21, more_guesses.logistic5)
def logistic5(x: Any, bottom: Any, top: Any, log_ec50: Any, hill: Any, asymmetry: Any) -> Any:
    """Five-parameter logistic dose-response curve, which need not be symmetric, over the logarithm of the dose.

    ``bottom + (top - bottom) / (1 + 10**((log_ec50 - x) * hill))**asymmetry`` with `x` the decadic logarithm of the
    dose; `logistic4` is the case where `asymmetry` is 1 [1]_. Where it is not, the dose half-way between `bottom` and
    `top` is ``10**(log_ec50 - log10(2**(1 / asymmetry) - 1) / hill)``.

    References
    ----------
    .. [1] P. G. Gottschalk, J. R. Dunn, "The five-parameter logistic: a characterization and comparison with the
       four-parameter logistic", Anal. Biochem. 343 (2005), pp. 54-65.

    Examples
    --------
    >>> from leastsq import models
    >>> float(models.logistic5(-6.0, 10.0, 90.0, -6.0, 1.2, 2.0))
    30.0
    """
    return bottom + (top - bottom) * np.exp(-asymmetry * np.logaddexp(0, np.log(10) * (log_ec50 - x) * hill))


@compiled(20, more_guesses.double_logistic)
def double_logistic(x: Any, base: Any, height: Any, begin: Any, end: Any, rise: Any, fall: Any) -> Any:
    """Rise and fall of a season, as of the greenness of vegetation.

    ``base + height * (1 / (1 + exp(-rise * (x - begin))) - 1 / (1 + exp(-fall * (x - end))))`` [1]_: half of the rise
    is done at `begin`, half of the fall at `end`, and `rise` and `fall` are four times the slopes there, over `height`.

    References
    ----------
    .. [1] P. S. A. Beck, C. Atzberger, K. A. Høgda, B. Johansen, A. K. Skidmore, "Improved monitoring of vegetation
       dynamics at very high latitudes: a new method using MODIS NDVI", Remote Sens. Environ. 100 (2006), pp. 321-334.

    Examples
    --------
    >>> from leastsq import models
    >>> models.double_logistic([0, 120, 200], 0.1, 0.6, 120, 280, 0.1, 0.08).round(2).tolist()
    [0.1, 0.4, 0.7]
    """
    return base + height * (1 / (1 + np.exp(-rise * (x - begin))) - 1 / (1 + np.exp(-fall * (x - end))))
