"""Results as tables of pandas and datasets of xarray."""

from __future__ import annotations  # so that help() shows types by their names

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas
    import xarray

    from .result import ManyFits

_OF_PARAMETERS = ("param", "cov_i", "cov_j")
STATISTICS = ("chisq", "redchi", "dof", "nfev", "status", "success")


def to_dataframe(self: ManyFits, level: float | None = None) -> pandas.DataFrame:
    """Return a table with one row for each fit, as a pandas DataFrame.

    Parameters
    ----------
    level : float, optional
        Add confidence intervals that hold with this probability, as ``<name>_lower`` and ``<name>_upper``.

    Returns
    -------
    pandas.DataFrame
        Columns: the parameters, their standard errors as ``<name>_stderr``, ``chisq``, ``redchi``, ``dof``,
        ``nfev``, ``status``, ``success``; with bounds, ``<name>_active`` as in `active_mask`. Groups have their labels
        as index, fits in several dimensions their positions, or coordinates where they have any.

    Raises
    ------
    ImportError
        Without pandas.
    ValueError
        If two columns would have one name.

    Examples
    --------
    >>> import numpy as np
    >>> from leastsq import curve_fit_many, models
    >>> dose = np.array([0.1, 0.3, 1.0, 3.0, 10.0])
    >>> rates = np.array([[0.21, 0.44, 0.98, 1.52, 1.79], [0.15, 0.41, 0.93, 1.45, 1.88]])
    >>> fits = curve_fit_many(models.michaelis_menten, dose, rates)
    >>> fits.to_dataframe()["km"].round(2).tolist()
    [1.0, 1.29]
    """
    try:
        import pandas
    except ImportError as error:
        raise ImportError("to_dataframe needs pandas: pip install 'leastsq[pandas]'") from error
    _refuse_names_twice(self.param_names)
    columns: dict[str, Any] = {name: self.popt[..., j].ravel() for j, name in enumerate(self.param_names)}
    errors = self.stderr
    columns |= {f"{name}_stderr": errors[..., j].ravel() for j, name in enumerate(self.param_names)}
    if level is not None:
        lower, upper = self.conf_interval(level)
        for j, name in enumerate(self.param_names):
            columns |= {f"{name}_lower": lower[..., j].ravel(), f"{name}_upper": upper[..., j].ravel()}
    if self.problem.bounded:
        columns |= {f"{name}_active": self.active_mask[..., j].ravel() for j, name in enumerate(self.param_names)}
    for name in STATISTICS:
        columns[name] = np.ravel(getattr(self, name))
    return pandas.DataFrame(columns, index=_index(self))


def _index(fits: ManyFits) -> Any:
    """Return the index of a table: labels of groups, or positions."""
    import pandas

    if fits.groups is not None:
        labels = np.ravel(fits.groups)
        if labels.dtype.names is not None:
            columns = [labels[name] for name in labels.dtype.names]
            return pandas.MultiIndex.from_arrays(columns, names=labels.dtype.names)
        if fits.status.ndim < 2:
            return pandas.Index(labels, name="group")
    if fits.status.ndim > 1 or (fits.coords and fits.status.ndim):
        known = fits.coords or [(name, None) for name in _names(fits.shape)]
        axes = [range(size) if own is None else own for size, (_, own) in zip(fits.shape, known, strict=True)]
        return pandas.MultiIndex.from_product(axes, names=[name for name, _ in known])
    return None


def to_xarray(self: ManyFits, dims: Sequence[str] | None = None) -> xarray.Dataset:
    """Return everything as an xarray Dataset.

    Parameters
    ----------
    dims : sequence of str, optional
        Names of the dimensions of the fits, by default those of the xarray data that were fitted, or else ``group``, or
        ``fit_0``, ``fit_1`` and so on.

    Returns
    -------
    xarray.Dataset
        Variables ``popt`` and ``stderr`` with a further dimension ``param``, ``pcov`` with ``cov_i`` and
        ``cov_j``, with bounds ``active_mask``, and ``chisq``, ``redchi``, ``dof``, ``nfev``, ``status``, ``success``.

    Raises
    ------
    ImportError
        Without xarray.
    ValueError
        If `dims` are not as many as the fits have dimensions.

    Examples
    --------
    >>> import numpy as np
    >>> from leastsq import curve_fit_many, models
    >>> dose = np.array([0.1, 0.3, 1.0, 3.0, 10.0])
    >>> rates = np.array([[0.21, 0.44, 0.98, 1.52, 1.79], [0.15, 0.41, 0.93, 1.45, 1.88]])
    >>> fits = curve_fit_many(models.michaelis_menten, dose, rates)
    >>> fits.to_xarray(dims=["plate"])["popt"].sel(param="km").round(2).values.tolist()
    [1.0, 1.29]
    """
    try:
        import xarray
    except ImportError as error:
        raise ImportError("to_xarray needs xarray: pip install 'leastsq[xarray]'") from error
    default = ("group",) if self.groups is not None and self.status.ndim == 1 else _names(self.shape)
    if self.coords is not None:
        default = tuple(name for name, _ in self.coords)
    if isinstance(dims, str) or not isinstance(dims, (Sequence, type(None))):
        raise TypeError(f"dims must be a sequence of names of dimensions, or None, got {dims!r}")
    names = default if dims is None else tuple(dims)
    taken = (*_OF_PARAMETERS, "popt", "stderr", "pcov", "active_mask", *STATISTICS)
    are_names = all(isinstance(name, Hashable) for name in names)
    if not are_names or len(names) != self.status.ndim or len({*names, *taken}) != len(names) + len(taken):
        raise ValueError(
            f"dims must be {self.status.ndim} different names of dimensions, none of {', '.join(taken)}; got {names}"
        )
    variables: dict[str, Any] = {name: ((*names, "param"), getattr(self, name)) for name in ("popt", "stderr")}
    coordinates: dict[str, Any] = {"param": list(self.param_names)}
    if self.pcov is not None:
        variables["pcov"] = ((*names, "cov_i", "cov_j"), self.pcov)
        coordinates |= {name: list(self.param_names) for name in ("cov_i", "cov_j")}
    if self.problem.bounded:
        variables["active_mask"] = ((*names, "param"), self.active_mask)
    for name in STATISTICS:
        variables[name] = (names, getattr(self, name))
    if self.groups is not None and self.status.ndim == 1:
        coordinates |= _group_coordinates(names[0], self.groups, taken)
    for name, (_, labels) in zip(names, self.coords or (), strict=False):
        if labels is not None:
            coordinates[name] = labels
    return xarray.Dataset(variables, coords=coordinates)


def _group_coordinates(dim: str, groups: Any, taken: tuple[str, ...]) -> dict[str, Any]:
    """Return the labels of groups as a coordinate, or each column of them as one along their dimension."""
    if groups.dtype.names is None:
        return {dim: groups}
    return {
        column if column not in (*taken, dim) else f"group_{column}": (dim, groups[column])
        for column in groups.dtype.names
    }


def _refuse_names_twice(names: tuple[str, ...]) -> None:
    """Raise if the name of a parameter is that of another column."""
    taken = {*STATISTICS, *(f"{name}_{what}" for name in names for what in ("stderr", "lower", "upper", "active"))}
    if both := taken & set(names):
        raise ValueError(f"two columns would have the name {sorted(both)[0]!r}: give the parameter another one")


def _names(shape: tuple[int, ...]) -> tuple[str, ...]:
    return tuple(f"fit_{i}" for i in range(len(shape)))
