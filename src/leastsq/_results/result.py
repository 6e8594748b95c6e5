"""The result of many fits: arrays over all of them."""

from __future__ import annotations  # so that help() shows types by their names

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Generic, NoReturn, overload

import numpy as np
from numpy.typing import NDArray

from .._input.bounds import Bounds
from .._input.coordinates import Coordinates, coordinates_at
from .._input.validate import FloatArray
from .._models.complex import ComplexParts
from .._solver import codes
from .._solver.problem import Options, Problem
from .._solver.record import ARRAYS
from . import again, intervals, pictures, predictions, selection, store, tables
from . import profile as _profile
from . import report as _report

# For type checkers, whether there are covariances: an array, or None. Where nothing is said, either.
if TYPE_CHECKING:
    from typing_extensions import TypeVar

    Covariances = TypeVar("Covariances", bound=FloatArray | None, default=Any)
else:
    from typing import TypeVar

    Covariances = TypeVar("Covariances")


_READ_ONLY = (*ARRAYS, "groups")


@dataclass(frozen=True, eq=False, repr=False, slots=True)
class ManyFits(Generic[Covariances]):
    """What `curve_fit_many` found, for fits of any shape L; ``result[index]`` is the result of some of them.

    ``result["rate"]`` are the values of one parameter, shape L. A result is a sequence of its first axis: that is what
    `len` and loops go over.

    Attributes
    ----------
    popt : ndarray of shape L + (N,)
        The parameters; of fits without success the best so far, NaN where no fit was begun.
    pcov : ndarray of shape L + (N, N)
        Their covariance: inf in rows and columns that the data leave open, NaN for fits without success. None after a
        call with ``pcov=False``.
    chisq : ndarray of shape L
        Sums of squares of the weighted residuals; NaN where no model was evaluated.
    dof : ndarray of shape L, integers
        Degrees of freedom: points that count, minus the rank of the Jacobian, N where all parameters are determined.
    nfev : ndarray of shape L, integers
        Evaluations of the model.
    status : ndarray of shape L, integers
        1 to 4: solved, see `leastsq`; 5 to 8: MINPACK's other codes; 9 and more: codes of our own, see `message`;
        negative: stopped by a native model, with the code it returned.
    offset : ndarray of shape L
        Did it converge? The distance from the minimum of the linearised fit in units of the confidence ellipsoid's
        radius: at 0.01, estimates are off by about a hundredth of a standard error. By the last Jacobian that was
        evaluated; 0 where residuals are nothing but rounding, NaN for fits without success.
    active_mask : ndarray of shape L + (N,), integers
        -1 where a parameter is on its lower bound, 1 on the upper one, 0 elsewhere, also where both are equal.
    param_names : tuple of str
        The names of the parameters.
    groups : ndarray of shape L, or None
        The labels of the groups, of a call with ``groups`` or ``lengths``.
    coords : tuple of (str, ndarray or None), or None
        Where ``ydata`` was a DataArray of xarray: name and coordinate of each axis of the fits.
    bounds : (lower, upper), or None
        The bounds that the fits had, arrays of shape (N,), or L + (N,) where they are not the same for all; None where
        there were none, and for those that were dask arrays.

    Examples
    --------
    >>> import numpy as np
    >>> from leastsq import curve_fit_many, models
    >>> x = np.linspace(0, 5, 20)
    >>> y = models.exponential(x, 2.0, np.array([[0.8], [1.2]]), 0.1)
    >>> y[1] = np.nan
    >>> fits = curve_fit_many(models.exponential, x, y + 0.01 * np.cos(9 * x))
    >>> fits
    ManyFits(shape=(2,), params=(amplitude, rate, offset), solved 50.0 %)
    >>> fits.success.tolist()
    [True, False]
    >>> fits.message(1)
    'Not fitted: 3 parameters but only 0 data points. Give more data, or fix some parameters.'
    >>> fits[fits.success].popt.round(1).tolist()
    [[2.0, 0.8, 0.1]]
    >>> fits["rate"].round(1).tolist()[0]
    0.8
    """

    popt: FloatArray
    pcov: Covariances
    chisq: FloatArray
    dof: NDArray[np.integer[Any]]
    nfev: NDArray[np.integer[Any]]
    status: NDArray[np.integer[Any]]
    offset: FloatArray
    active_mask: NDArray[np.integer[Any]]
    problem: Problem
    groups: NDArray[Any] | None = None
    coords: Coordinates | None = None
    errors: FloatArray | None = None  # standard errors, in the place of covariances
    bounds: Bounds | None = None

    def __post_init__(self) -> None:
        for name in _READ_ONLY:
            array = getattr(self, name)
            if array is not None:
                array.setflags(write=False)

    @property
    def param_names(self) -> tuple[str, ...]:
        """The names of the parameters."""
        return self.problem.names

    @property
    def model(self) -> Callable[..., Any]:
        """The function that was fitted."""
        f = self.problem.f
        return f.function if isinstance(f, ComplexParts) else f

    @property
    def options(self) -> Options:
        """What steered the iteration."""
        return self.problem.options

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape L of the fits."""
        return self.status.shape

    @property
    def size(self) -> int:
        """The number of fits."""
        return self.status.size

    def __len__(self) -> int:
        return selection.length_of(self)

    def __iter__(self) -> Iterator[ManyFits[Covariances]]:
        return selection.rows_of(self)

    @property
    def stderr(self) -> FloatArray:
        """Standard errors of the parameters, shape L + (N,)."""
        if self.errors is not None:
            return self.errors
        pcov: Any = self.pcov
        errors: FloatArray = np.sqrt(np.diagonal(pcov, axis1=-2, axis2=-1))
        return errors

    @property
    def redchi(self) -> FloatArray:
        """Reduced chi-square, ``chisq / dof``; NaN where no degrees of freedom are left."""
        return np.where(self.dof > 0, self.chisq / np.maximum(self.dof, 1), np.nan)

    @property
    def success(self) -> NDArray[np.bool_]:
        """Whether each fit converged: a status from 1 to 4."""
        return codes.is_solved(self.status)

    @property
    def correlation(self: ManyFits[FloatArray]) -> FloatArray:
        """Correlations of the parameters, shape L + (N, N); NaN beside variances that are zero, infinite or NaN.

        Examples
        --------
        >>> import numpy as np
        >>> from leastsq import curve_fit_many
        >>> x = np.arange(10.0)
        >>> fits = curve_fit_many(lambda x, a, b: a * x + b, x, 2 * x + np.tile([0.1, -0.1], 5), p0=[1, 1])
        >>> fits.correlation[0, 1].round(2).item()
        -0.84
        """
        return intervals.correlation(self)

    @property
    def aic(self) -> FloatArray:
        """Akaike's information criterion, to compare models of the same data: the least is the best.

        ``M * log(chisq / M) + 2 * N`` for M points and N parameters; the variance of the data, which every model has to
        estimate as well, is not counted. With ``absolute_sigma`` it is known: ``chisq + 2 * N``. NaN without
        success, and where the data leave parameters open.
        """
        return intervals.criterion(self, lambda points: 2.0)

    @property
    def bic(self) -> FloatArray:
        """The Bayesian information criterion: as `aic`, with ``log(M) * N`` in place of ``2 * N``."""
        return intervals.criterion(self, np.log)

    conf_interval = intervals.conf_interval
    derived = intervals.derived
    predict = predictions.predict
    residuals = again.residuals
    profile = _profile.profile
    stderr_of = selection.stderr_of
    group = selection.group
    message = _report.message
    summary = _report.summary
    report = _report.report
    plot = pictures.plot
    plot_map = pictures.plot_map
    to_dataframe = tables.to_dataframe
    to_xarray = tables.to_xarray
    concatenate = staticmethod(selection.concatenate)
    save = store.save
    load = staticmethod(store.load)

    @overload
    def __getitem__(self, index: str) -> FloatArray: ...
    @overload
    def __getitem__(self, index: Any) -> ManyFits[Covariances]: ...
    def __getitem__(self, index: Any) -> Any:
        """Return the result of some of the fits, by any index into their shape, or the values of a parameter."""
        if isinstance(index, str):
            return self.popt[..., selection.number_of_parameter(self, index)]
        parts = selection.parts_of(self, index, ARRAYS)
        return replace(self, **parts, coords=coordinates_at(self.coords, index))

    def __array__(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError(
            "a result is not one array but several: take one of them, such as result.popt, or result[name] for one "
            "parameter; ManyFits.concatenate joins results"
        )

    def __repr__(self) -> str:
        return _report.line(self)

    def _repr_html_(self) -> str:
        return _report.table(self)

    def __reduce__(self) -> Any:
        return ManyFits, tuple(getattr(self, field.name) for field in fields(self))
