"""The result of many fits: arrays over all of them."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from . import _status
from ._pieces import real_numbers
from ._problem import Options, Problem
from ._validate import NO_VALUE, FloatArray

if TYPE_CHECKING:
    import pandas
    import xarray

_OF_PARAMETERS = ("param", "cov_i", "cov_j")
_STATISTICS = ("chisq", "redchi", "dof", "nfev", "status", "success")
# Arrays that a result keeps, and how many axes beyond those of the fits they have.
ARRAYS = {"popt": 1, "pcov": 2, "chisq": 0, "dof": 0, "nfev": 0, "status": 0}


@dataclass(frozen=True, eq=False, repr=False, slots=True)
class ManyFits:
    """What `curve_fit_many` found, for fits of any shape L; ``result[index]`` is the result of some of them.

    Attributes
    ----------
    popt : ndarray of shape L + (N,)
        The parameters; of fits without success the best so far.
    pcov : ndarray of shape L + (N, N)
        Their covariance: inf in rows and columns that the data leave open, NaN for fits without success.
    chisq : ndarray of shape L
        Sums of squares of the weighted residuals; NaN where no model was evaluated.
    dof : ndarray of shape L, integers
        Degrees of freedom: points that count, minus N.
    nfev : ndarray of shape L, integers
        Evaluations of the model.
    status : ndarray of shape L, integers
        1 to 4: solved, see `leastsq`; 5 to 8: MINPACK's other codes; 9 and more: codes of our own, see `message`;
        negative: stopped by a native model, with the code it returned.
    param_names : tuple of str
        The names of the parameters.
    groups : ndarray of shape L, or None
        The labels of the groups, of a call with ``groups`` or ``lengths``.

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
    """

    popt: FloatArray
    pcov: FloatArray
    chisq: FloatArray
    dof: NDArray[np.integer[Any]]
    nfev: NDArray[np.integer[Any]]
    status: NDArray[np.integer[Any]]
    problem: Problem
    groups: NDArray[Any] | None = None

    def __post_init__(self) -> None:
        for name in (*ARRAYS, *(["groups"] if self.groups is not None else [])):
            view = getattr(self, name).view()
            view.flags.writeable = False
            object.__setattr__(self, name, view)

    @property
    def param_names(self) -> tuple[str, ...]:
        """The names of the parameters."""
        return self.problem.names

    @property
    def model(self) -> Callable[..., Any]:
        """The function that was fitted."""
        return self.problem.f

    @property
    def options(self) -> Options:
        """What steered the iteration."""
        return self.problem.options

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape L of the fits."""
        return self.status.shape

    def __len__(self) -> int:
        return self.status.size

    @property
    def stderr(self) -> FloatArray:
        """Standard errors of the parameters, shape L + (N,)."""
        variances = np.diagonal(self.pcov, axis1=-2, axis2=-1)
        errors: FloatArray = np.sqrt(variances)
        return errors

    @property
    def redchi(self) -> FloatArray:
        """Reduced chi-square, ``chisq / dof``; NaN where no degrees of freedom are left."""
        return np.where(self.dof > 0, self.chisq / np.maximum(self.dof, 1), np.nan)

    @property
    def success(self) -> NDArray[np.bool_]:
        """Whether each fit converged: a status from 1 to 4."""
        return (self.status >= 1) & (self.status <= _status.GTOL)

    def message(self, index: int | tuple[int, ...] = ()) -> str:
        """Say in words how one fit ended.

        Parameters
        ----------
        index : int, tuple of int, or array of them, default ()
            Which fit, by its position; can be left out where there is one.

        Returns
        -------
        str
            The sentence; with the parameters that the data leave open, if any.
        """
        if isinstance(index, np.ndarray):
            index = tuple(index.tolist()) if index.ndim else int(index)
        if index == () and self.status.size == 1:
            index = (0,) * self.status.ndim
        status = self.status[index]
        if np.ndim(status):
            raise IndexError(f"message is about one fit: expected {self.status.ndim} indices, got {index!r}")
        sentence = _status.message(
            int(status),
            ftol=self.options.ftol,
            xtol=self.options.xtol,
            gtol=self.options.gtol,
            nfev=int(self.nfev[index]),
            maxfev=self.options.maxfev,
            points=int(self.dof[index]) + len(self.param_names),
            parameters=len(self.param_names),
        )
        variances = np.diagonal(self.pcov[index])
        left = [name for name, variance in zip(self.param_names, variances, strict=True) if np.isinf(variance)]
        return f"{sentence} The data leave {', '.join(left)} open." if left else sentence

    def __getitem__(self, index: Any) -> "ManyFits":
        """Return the result of some of the fits, by any index into their shape."""
        if self.status.ndim == 0:
            raise IndexError("there is one fit, which needs no index")
        parts: dict[str, Any] = {}
        whole = (slice(None),)
        for name, trailing in ARRAYS.items():
            full = index if isinstance(index, tuple) else (index,)
            full = full if Ellipsis in [i for i in full if i is Ellipsis] else (*full, Ellipsis)
            parts[name] = np.asarray(getattr(self, name)[full + whole * trailing])
        if self.groups is not None:
            parts["groups"] = np.asarray(self.groups[index])
        return replace(self, **parts)

    def predict(self, x: Any) -> FloatArray:
        """Evaluate the model with the parameters of every fit.

        Parameters
        ----------
        x : array_like, or tuple of array_like for several predictors
            Predictors: shape (P,), shared by all fits, or broadcastable to L + (P,).

        Returns
        -------
        ndarray of shape L + (P,)
            The values; NaN where the model has none, or raises, for models that are called for one fit at a time.
        """
        given = x if isinstance(x, tuple) else (x,)
        predictors = tuple(real_numbers(p, "x").astype(np.float64, copy=False) for p in given)
        parameters = [self.popt[..., j, None] for j in range(len(self.param_names))]
        with np.errstate(all="ignore"):
            if self.problem.vectorized:
                values = self.model(predictors if len(predictors) > 1 else predictors[0], *parameters)
                points = np.broadcast_shapes(*(p.shape for p in predictors), (1,))
                return np.array(
                    np.broadcast_to(values, np.broadcast_shapes(points, (*self.shape, 1))), dtype=np.float64
                )
            return self._predict_singly(predictors)

    def _predict_singly(self, predictors: tuple[Any, ...]) -> FloatArray:
        shape = np.broadcast_shapes(*(p.shape for p in predictors), (*self.shape, 1))
        rows = [np.broadcast_to(p, shape) for p in predictors]
        values = np.empty(shape)
        for index in np.ndindex(shape[:-1]):
            own = tuple(row[index] for row in rows)
            try:
                values[index] = self.model(own if len(own) > 1 else own[0], *self.popt[index])
            except NO_VALUE:
                values[index] = np.nan
        return values

    def summary(self) -> str:
        """Count the fits by status, and those with open parameters, and give medians over those that converged."""
        success, total = self.success, len(self)
        solved = int(np.count_nonzero(success))
        lines = [f"{total} fits, {solved} solved ({_percent(solved, total)})"]
        if left := self._open():
            lines[0] += f", {left} of these with parameters that the data leave open (errors inf)"
        statuses, counts = np.unique(self.status, return_counts=True)
        lines += [
            f"  {count:>{len(str(total))}}  {_status.label(int(status))} (status {int(status)})"
            for status, count in zip(statuses, counts, strict=True)
        ]
        if solved:
            width = max(map(len, (*self.param_names, "reduced chi-square", "evaluations")))
            lines.append(f"{'median':<{width + 2}}{'value':>12}{'stderr':>12}")
            for j, name in enumerate(self.param_names):
                value = np.median(self.popt[..., j][success])
                error = np.sqrt(np.median(self.pcov[..., j, j][success]))
                lines.append(f"  {name:<{width}}{value:>12.5g}{error:>12.3g}")
            lines.append(f"  {'reduced chi-square':<{width}}{np.median(self.redchi[success]):>12.5g}")
            lines.append(f"  {'evaluations':<{width}}{np.median(self.nfev[success]):>12.5g}")
        return "\n".join(lines)

    def _open(self) -> int:
        """Return how many fits were solved, but left with infinite errors."""
        return int(np.count_nonzero(np.isinf(self.stderr).any(axis=-1) & self.success))

    def to_dataframe(self) -> "pandas.DataFrame":
        """Return a table with one row for each fit, as a pandas DataFrame.

        Returns
        -------
        pandas.DataFrame
            Columns: the parameters, their standard errors as ``<name>_stderr``, ``chisq``, ``redchi``, ``dof``,
            ``nfev``, ``status``, ``success``. Groups have their labels as index, fits in several dimensions their
            positions.

        Raises
        ------
        ImportError
            Without pandas.
        ValueError
            If two columns would have one name.
        """
        try:
            import pandas
        except ImportError as error:
            raise ImportError("to_dataframe needs pandas: pip install 'leastsq[pandas]'") from error
        self._refuse_names_twice()
        columns = {name: self.popt[..., j].ravel() for j, name in enumerate(self.param_names)}
        errors = self.stderr
        columns |= {f"{name}_stderr": errors[..., j].ravel() for j, name in enumerate(self.param_names)}
        for name in _STATISTICS:
            columns[name] = np.ravel(getattr(self, name))
        index = None if self.groups is None else pandas.Index(np.ravel(self.groups), name="group")
        if self.status.ndim > 1:
            index = pandas.MultiIndex.from_product([range(size) for size in self.shape], names=_names(self.shape))
        return pandas.DataFrame(columns, index=index)

    def to_xarray(self, dims: Sequence[str] | None = None) -> "xarray.Dataset":
        """Return everything as an xarray Dataset.

        Parameters
        ----------
        dims : sequence of str, optional
            Names of the dimensions of the fits, by default ``fit_0``, ``fit_1`` and so on, or ``group``.

        Returns
        -------
        xarray.Dataset
            Variables ``popt`` and ``stderr`` with a further dimension ``param``, ``pcov`` with ``cov_i`` and
            ``cov_j``, and ``chisq``, ``redchi``, ``dof``, ``nfev``, ``status``, ``success``.

        Raises
        ------
        ImportError
            Without xarray.
        ValueError
            If `dims` are not as many as the fits have dimensions.
        """
        try:
            import xarray
        except ImportError as error:
            raise ImportError("to_xarray needs xarray: pip install 'leastsq[xarray]'") from error
        default = ("group",) if self.groups is not None and self.status.ndim == 1 else _names(self.shape)
        names = default if dims is None else tuple(dims)
        taken = (*_OF_PARAMETERS, "popt", "stderr", "pcov", *_STATISTICS)
        if len(names) != self.status.ndim or len({*names, *taken}) != len(names) + len(taken):
            raise ValueError(
                f"dims must be {self.status.ndim} different names of dimensions, none of {', '.join(taken)}; got "
                f"{names}"
            )
        variables: dict[str, Any] = {name: ((*names, "param"), getattr(self, name)) for name in ("popt", "stderr")}
        variables["pcov"] = ((*names, "cov_i", "cov_j"), self.pcov)
        for name in _STATISTICS:
            variables[name] = (names, getattr(self, name))
        coordinates: dict[str, Any] = {name: list(self.param_names) for name in _OF_PARAMETERS}
        if self.groups is not None and self.status.ndim == 1:
            coordinates[names[0]] = self.groups
        return xarray.Dataset(variables, coords=coordinates)

    def __repr__(self) -> str:
        solved = _percent(int(np.count_nonzero(self.success)), len(self))
        left = f", {self._open()} with open parameters" if self._open() else ""
        return f"ManyFits(shape={self.shape}, params=({', '.join(self.param_names)}), solved {solved}{left})"

    def _refuse_names_twice(self) -> None:
        """Raise if the name of a parameter is that of another column."""
        taken = {*_STATISTICS, *(f"{name}_stderr" for name in self.param_names)}
        if both := taken & set(self.param_names):
            raise ValueError(f"two columns would have the name {sorted(both)[0]!r}: give the parameter another one")

    def __reduce__(self) -> Any:
        return ManyFits, tuple(getattr(self, field.name) for field in fields(self))


def _percent(part: int, total: int) -> str:
    """Give a share in percent, never rounded up to all or down to none."""
    if total == 0 or part in (0, total):
        return f"{100 * part / max(total, 1):.1f} %"
    return f"{min(max(math.floor(1000 * part / total) / 10, 0.1), 99.9):.1f} %"


def _names(shape: tuple[int, ...]) -> tuple[str, ...]:
    return tuple(f"fit_{i}" for i in range(len(shape)))
