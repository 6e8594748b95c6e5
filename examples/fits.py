"""Which model is fitted to which columns of which file, and the fit itself."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from leastsq import leastsq
from textbook_models import BIEXPONENTIAL, LOGISTIC3, LOGISTIC4, MICHAELIS_MENTEN, Array, Model

DATA = Path(__file__).parent / "data"

# The covariance is that of the Jacobian before the last step. With tolerances this tight the step is so short that
# standard errors, too, are good to the digits published; with the default ones some are not.
TOLERANCE = 1e-12


@dataclass(frozen=True)
class Study:
    """One model for all groups of one file, or only for some."""

    name: str
    file: str
    group: str
    x: str
    y: str
    model: Model
    log_x: bool = False
    only: tuple[str, ...] = ()


STUDIES = (
    Study("Puromycin Michaelis-Menten", "puromycin.csv", "state", "concentration", "rate", MICHAELIS_MENTEN),
    Study("DNase logistic-3", "dnase.csv", "run", "concentration", "density", LOGISTIC3, True, ("1",)),
    Study("DNase logistic-4", "dnase.csv", "run", "concentration", "density", LOGISTIC4, True),
    Study("Indometh biexponential", "indometh.csv", "subject", "time", "concentration", BIEXPONENTIAL),
    Study("ChickWeight logistic-3", "chickweight.csv", "chick", "time", "weight", LOGISTIC3),
    Study("ChickWeight logistic-4", "chickweight.csv", "chick", "time", "weight", LOGISTIC4, False, ("1",)),
)


@dataclass(frozen=True)
class Fit:
    """What came out for one group; NaN where there is no number."""

    study: Study
    group: str
    x: Array
    y: Array
    estimate: Array
    standard_error: Array
    status: int
    message: str
    evaluations: int = 0
    jacobians: int = 0

    @property
    def label(self) -> str:
        """The group in words: a number says little without what it counts."""
        return f"{self.study.group} {self.group}" if self.group.isdigit() else self.group

    @property
    def solved(self) -> bool:
        """Whether the iteration converged."""
        return self.status in (1, 2, 3, 4)

    def curve(self, x: Array) -> Array:
        """Return the fitted curve at x."""
        return self.study.model.evaluate(np.log(x) if self.study.log_x else x, *self.estimate)[0]


def read(file: str) -> np.ndarray:
    """Return a data file as an array with named columns."""
    return np.genfromtxt(DATA / file, delimiter=",", names=True, dtype=None, encoding="utf-8")


def fit(study: Study, group: str, x: Array, y: Array) -> Fit:
    """Fit the model of a study to the points of one group."""
    model = study.model
    abscissa = np.log(x) if study.log_x else x

    def residuals(parameters: Array) -> Array:
        return model.evaluate(abscissa, *parameters)[0] - y

    def jacobian(parameters: Array) -> Array:
        return model.evaluate(abscissa, *parameters)[1]

    m, n = len(y), len(model.parameters)
    nothing = np.full(n, np.nan)
    try:
        estimate, cov_x, info, message, status = leastsq(
            residuals, model.start(abscissa, y), Dfun=jacobian, full_output=True, ftol=TOLERANCE, xtol=TOLERANCE
        )
    except TypeError as refusal:  # fewer points than parameters
        return Fit(study, group, x, y, nothing, nothing, 0, str(refusal))
    standard_error = nothing if cov_x is None else np.sqrt(np.diag(cov_x * np.sum(info["fvec"] ** 2) / (m - n)))
    return Fit(study, group, x, y, estimate, standard_error, status, message, info["nfev"], info["njev"])


def fits(study: Study) -> Iterator[Fit]:
    """Fit each group of a study on its own."""
    table = read(study.file)
    for group in np.unique(table[study.group]):
        if not study.only or str(group) in study.only:
            points = table[table[study.group] == group]
            yield fit(study, str(group), points[study.x].astype(float), points[study.y].astype(float))
