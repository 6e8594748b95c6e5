"""xarray's `curvefit`, at the speed of `curve_fit_many`."""

from __future__ import annotations  # so that help() shows types by their names

import inspect
import itertools
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np

try:
    import xarray
except ImportError as error:
    raise ImportError("leastsq.xarray needs xarray: pip install 'leastsq[xarray]'") from error

from ._curve_fit_many import curve_fit_many
from ._input.parameters import checked_start
from ._input.pieces import is_dask
from ._input.validate import callable_argument
from ._models.model import Model
from ._models.sums import understood
from ._solver import codes

__all__ = ["curvefit"]

_Bound = float | xarray.DataArray
# Dimensions that results have beside those of the data.
_OF_RESULTS = ("param", "cov_i", "cov_j")


def curvefit(
    obj: xarray.DataArray | xarray.Dataset,
    coords: str | xarray.DataArray | Iterable[str | xarray.DataArray],
    func: Callable[..., Any],
    reduce_dims: Hashable | Iterable[Hashable] | None = None,
    skipna: bool = True,
    p0: Mapping[str, float | xarray.DataArray] | Callable[[Any, Any], Any] | None = None,
    bounds: Mapping[str, tuple[_Bound, _Bound]] | None = None,
    param_names: Sequence[str] | None = None,
    errors: Literal["raise", "ignore"] = "raise",
    kwargs: dict[str, Any] | None = None,
) -> xarray.Dataset:
    """Fit a function along dimensions of a DataArray or Dataset, with the arguments of xarray's own `curvefit`.

    Parameters
    ----------
    obj : DataArray or Dataset
        The data; of a Dataset, each variable that has the dimensions is fitted. dask arrays are fitted lazily, one
        task for each chunk.
    coords : str, DataArray, or sequence of them
        The predictors: names of coordinates, or arrays that share a dimension with `obj`.
    func : compiled or native model, or callable ``func(x, a, b, ...) -> array_like``
        The model, as for `curve_fit_many`. With several predictors, ``x`` is a tuple of arrays.
    reduce_dims : hashable or iterable of them, optional
        The dimensions to fit along, in addition to those whose coordinate is among `coords`.
    skipna : bool, default True
        Whether to leave out points that are NaN. If not, data sets that hold any fail.
    p0 : dict of float or DataArray, or callable ``p0(x, y) -> array_like``, optional
        Parameters to start from, for all fits or along some of the dimensions that are kept; or what makes them from
        the data, as for `curve_fit_many`. By default, those that
        the signature of `func` gives, or else one, within the bounds; where there is none of all that, what a compiled
        model guesses from the data.
    bounds : dict of pairs of float or DataArray, optional
        Lower and upper bounds, for all fits or along some of the dimensions that are kept. `func` is evaluated at no
        point outside of them. What a compiled model guesses is moved inside.
    param_names : sequence of str, optional
        Names of the parameters, by default those of the arguments of `func`.
    errors : {"raise", "ignore"}, default "raise"
        Whether a fit that fails raises an exception. If not, its coefficients and covariances are NaN. Data sets
        without any points are NaN in either case.
    kwargs : dict, optional
        Further arguments for `curve_fit_many`: `sigma`, `jac`, `maxfev`, `workers` and so on. DataArrays as
        `sigma` are laid out as the data are.

    Returns
    -------
    Dataset
        ``curvefit_coefficients`` and ``curvefit_stderr`` with a further dimension ``param``, ``curvefit_covariance``
        with ``cov_i`` and ``cov_j``, and ``curvefit_redchi``, ``curvefit_dof``, ``curvefit_nfev``,
        ``curvefit_status``, ``curvefit_offset`` and ``curvefit_active_mask``, see `ManyFits`; of a Dataset, each with
        the name of the variable before it. Coordinates of the dimensions that are kept, and attributes, are those of
        `obj`.

    Raises
    ------
    RuntimeError
        With ``errors="raise"``, if a fit fails; for dask arrays when they are computed.
    ValueError
        If there is no dimension to fit along, or dimensions or coordinates do not go together.
    TypeError
        If arguments are of the wrong type.

    See Also
    --------
    xarray.DataArray.curvefit : The original, a loop over SciPy's `curve_fit`.
    curve_fit_many : What fits.

    Examples
    --------
    >>> import numpy as np
    >>> import xarray
    >>> from leastsq import models
    >>> from leastsq.xarray import curvefit
    >>> time = np.linspace(0, 4, 30)
    >>> rates = xarray.DataArray([0.5, 1.0, 1.5], dims="pixel", coords={"pixel": [10, 20, 30]})
    >>> t = xarray.DataArray(time, dims="time", coords={"time": time})
    >>> decays = 2 * np.exp(-rates * t) + 0.01 * np.cos(25 * t)
    >>> result = curvefit(decays, "time", models.exponential)
    >>> result["curvefit_coefficients"].sel(pixel=20, param="rate").round(2).item()
    1.0
    >>> result["curvefit_dof"].values.tolist()
    [27, 27, 27]
    """
    callable_argument(func, "func")
    if errors not in ("raise", "ignore"):
        raise ValueError(f"errors must be 'raise' or 'ignore', got {errors!r}")
    options = dict(kwargs or {})
    _refuse_method(options.pop("method", None), bounds)
    if not options.get("pcov", True):
        raise ValueError("pcov=False is for curve_fit_many: curvefit returns covariances, as xarray's own does")
    predictors = _predictors(obj, coords)
    reduced = _reduced_dimensions(obj, predictors, reduce_dims)
    kept = [dim for dim in obj.dims if dim not in reduced]
    func = understood(func)
    names, defaults = _parameters(func, param_names)
    named = {} if p0 is None or callable(p0) else p0
    _refuse_other_dimensions(named, bounds, names, kept)
    limits = _limits(names, bounds or {})
    given = [*predictors, *named.values(), *itertools.chain(*(bounds or {}).values()), options.get("sigma")]
    others = [other for other in given if isinstance(other, xarray.DataArray)]
    xarray.align(obj, *others, join="exact", copy=False)  # which refuses other labels, and another order
    start: Any = p0
    if not callable(p0):
        start = _start(names, defaults, named, limits, guess=isinstance(func, Model) and func.guess is not None)
    predictors = list(xarray.broadcast(*predictors))
    options.setdefault("nan_policy", "omit" if skipna else "propagate")
    result = xarray.Dataset(attrs=obj.attrs)
    for prefix, data in _variables(obj, reduced).items():
        dims = [dim for dim in kept if any(dim in one.dims for one in (data, *others))]
        whole = data.expand_dims({dim: obj.sizes[dim] for dim in dims if dim not in data.dims})
        fitted = _fit(whole, predictors, func, start, limits, names, dims, reduced, errors, options)
        result = result.assign({prefix + name: variable for name, variable in fitted.items()})
    keep = {name: coord for name, coord in obj.coords.items() if not set(coord.dims) & set(reduced)}
    return result.assign_coords({**keep, **{dim: list(names) for dim in _OF_RESULTS}})


def _refuse_method(method: Any, bounds: Any) -> None:
    if method not in (None, "lm", "trf", "dogbox"):
        raise ValueError(f"method must be None, 'lm', 'trf' or 'dogbox', which are all the same here; got {method!r}")
    if method == "lm" and bounds:
        raise ValueError("Method 'lm' only works for unconstrained problems, as in SciPy: leave it out")


def _variables(obj: xarray.DataArray | xarray.Dataset, reduced: list[Hashable]) -> dict[str, xarray.DataArray]:
    """Return what is to be fitted, by what its results are called."""
    if isinstance(obj, xarray.DataArray):
        return {"": obj}
    found = {f"{name}_": data for name, data in obj.data_vars.items() if set(reduced) <= set(data.dims)}
    if not found:
        raise ValueError(f"no variable of the dataset has the dimensions {reduced}, which are fitted along")
    return found


def _predictors(obj: Any, coords: Any) -> list[xarray.DataArray]:
    given = (
        [coords] if isinstance(coords, (str, xarray.DataArray)) or not isinstance(coords, Iterable) else list(coords)
    )
    if not given:
        raise ValueError("coords is empty: expected at least one predictor")
    if not isinstance(obj, (xarray.DataArray, xarray.Dataset)):
        raise TypeError(f"obj: expected a DataArray or a Dataset of xarray, got {type(obj).__name__}")
    if both := sorted(set(_OF_RESULTS) & set(obj.dims)):
        raise ValueError(f"obj has a dimension {both[0]!r}, which is one of the result: rename it")
    known = {*obj.coords, *obj.dims, *(obj.data_vars if isinstance(obj, xarray.Dataset) else ())}
    for coord in given:
        if isinstance(coord, Hashable) and coord not in known:
            raise KeyError(f"coords: the data have no coordinate {coord!r}; they have {sorted(map(str, known))}")
    found = [obj[coord] if isinstance(coord, Hashable) else coord for coord in given]
    for coord in found:
        if not isinstance(coord, xarray.DataArray):
            raise TypeError(f"coords: got {type(coord).__name__}, expected names of coordinates, or DataArrays")
    return found


def _reduced_dimensions(obj: Any, predictors: list[xarray.DataArray], reduce_dims: Any) -> list[Hashable]:
    """Return the dimensions to fit along, in the order of the data."""
    if reduce_dims is None:
        wanted = set()
    elif isinstance(reduce_dims, str) or not isinstance(reduce_dims, Iterable):
        wanted = {reduce_dims}
    else:
        wanted = set(reduce_dims)
    unknown = wanted - set(obj.dims)
    if unknown:
        raise ValueError(
            f"reduce_dims names {sorted(map(str, unknown))}, which the data do not have: {tuple(obj.dims)}"
        )
    wanted |= {dim for dim in obj.dims if any(coord.equals(obj[dim]) for coord in predictors)}
    if not wanted:
        raise ValueError(
            f"there is no dimension to fit along: none of {tuple(obj.dims)} has one of the predictors as its "
            f"coordinate; name some in reduce_dims"
        )
    return [dim for dim in obj.dims if dim in wanted]


def _parameters(func: Callable[..., Any], param_names: Any) -> tuple[tuple[str, ...], dict[str, float]]:
    """Return the names of the parameters, and the values that the function's signature gives them."""
    arguments: list[inspect.Parameter] = []
    if not isinstance(func, Model):
        try:
            arguments = list(inspect.signature(func).parameters.values())[1:]
        except (TypeError, ValueError):
            arguments = []
    named = [one for one in arguments if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)]
    defaults = {one.name: float(one.default) for one in named if one.default is not one.empty}
    if param_names is not None:
        names = tuple(param_names)
        if isinstance(func, Model) and len(names) != len(func.param_names):
            raise ValueError(f"param_names names {len(names)} parameters, {func.__name__} has {len(func.param_names)}")
    else:
        names = func.param_names if isinstance(func, Model) else tuple(one.name for one in named)
    if not names:
        raise ValueError("the parameters cannot be determined from func: name them in param_names")
    if len(set(names)) < len(names):
        raise ValueError(f"param_names names a parameter twice: {', '.join(names)}")
    return names, defaults


def _refuse_other_dimensions(p0: Any, bounds: Any, names: tuple[str, ...], kept: list[Hashable]) -> None:
    """Raise for starts and bounds of parameters that there are not, or along dimensions that are fitted along."""
    for what, given in (("p0", p0 or {}), ("bounds", bounds or {})):
        if not isinstance(given, Mapping):
            raise TypeError(f"{what} must be a dictionary by the names of parameters, got {type(given).__name__}")
        unknown = set(given) - set(names)
        if unknown:
            raise ValueError(f"{what} names {sorted(map(str, unknown))}, expected parameters: {', '.join(names)}")
        for name, values in given.items():
            for value in values if isinstance(values, Sequence) else (values,):
                others = set(getattr(value, "dims", ())) - set(kept)
                if others:
                    raise ValueError(
                        f"{what} of {name!r} has the dimensions {sorted(map(str, others))}, expected some of those "
                        f"that are kept: {kept}"
                    )


def _limits(names: tuple[str, ...], bounds: Mapping[str, Any]) -> tuple[list[Any], list[Any]] | None:
    """Return lower and upper bounds of each parameter, None where all are infinite."""
    pairs = [bounds.get(name, (-np.inf, np.inf)) for name in names]
    for name, pair in zip(names, pairs, strict=True):
        if not isinstance(pair, Sequence) or len(pair) != 2:
            raise ValueError(f"bounds of {name!r} must be a pair (lower, upper), got {pair!r}")
        if np.any(pair[0] >= pair[1]):
            raise ValueError(f"bounds of {name!r}: the lower one must be below the upper one, got {pair!r}")
    if not bounds:
        return None
    return [lower for lower, _ in pairs], [upper for _, upper in pairs]


def _start(names: tuple[str, ...], defaults: dict[str, float], p0: Mapping[str, Any], limits: Any, guess: bool) -> Any:
    """Return parameters to start from as an array along ``param``, None where the model is to guess."""
    if guess and not p0:
        return None
    values: list[Any] = []
    for j, name in enumerate(names):
        value: Any = defaults.get(name, 1.0)
        if limits is not None:
            lower, upper = limits[0][j], limits[1][j]
            outside = (value < lower) | (value > upper)
            value = xarray.where(outside, _between(lower, upper), value)  # type: ignore[no-untyped-call]
        values.append(p0.get(name, value))
    return _along_parameters(values)


def _between(lower: Any, upper: Any) -> Any:
    """Return a value within bounds: the middle, one off the only one, or zero."""
    choose: Any = xarray.where
    low, high = np.isfinite(lower), np.isfinite(upper)
    return choose(low, choose(high, 0.5 * (lower + upper), lower + 1), choose(high, upper - 1, 0.0))


def _along_parameters(values: list[Any]) -> xarray.DataArray:
    """Put a value for each parameter side by side."""
    arrays = [value if isinstance(value, xarray.DataArray) else xarray.DataArray(np.asarray(value)) for value in values]
    plain = [array.drop_vars(list(array.coords)) for array in arrays]
    return xarray.concat(xarray.broadcast(*plain), dim="param").transpose(..., "param")


def _laid_out(array: xarray.DataArray, kept: list[Hashable], last: list[Hashable], obj: Any) -> Any:
    """Return an array with all of the last dimensions, in their order, and those it has of the kept ones before."""
    others = set(array.dims) - set(kept) - set(last)
    if others:
        raise ValueError(
            f"a predictor or sigma has the dimensions {sorted(map(str, others))}, which the data do not have"
        )
    sizes = {dim: obj.sizes[dim] for dim in last if dim not in array.dims}
    whole = array.expand_dims(sizes) if sizes else array
    leading = [dim for dim in kept if dim in array.dims]
    data = whole.transpose(*leading, *last).data
    if not leading:
        return data
    index = tuple(slice(None) if dim in leading else np.newaxis for dim in kept)
    return data[index]


def _fit(
    data: xarray.DataArray,
    predictors: list[xarray.DataArray],
    func: Callable[..., Any],
    start: Any,
    limits: Any,
    names: tuple[str, ...],
    dims: list[Hashable],
    reduced: list[Hashable],
    errors: str,
    options: dict[str, Any],
) -> dict[str, xarray.DataArray]:
    """Fit one variable; the results have the dimensions `dims`."""
    x = tuple(_laid_out(predictor, dims, reduced, data) for predictor in predictors)
    given = dict(options)
    if isinstance(given.get("sigma"), xarray.DataArray):
        given["sigma"] = _laid_out(given["sigma"], dims, reduced, data)
    p0 = start if start is None or callable(start) else _with_dimensions(start, dims)
    box = None if limits is None else tuple(_with_dimensions(_along_parameters(side), dims) for side in limits)
    fits = curve_fit_many(
        func,
        x if len(x) > 1 else x[0],
        data.transpose(*dims, *reduced).data,
        p0,
        bounds=box,
        axis=tuple(range(-len(reduced), 0)),
        **given,
    )
    status = xarray.DataArray(fits.status, dims=dims)
    if errors == "raise":
        status = xarray.apply_ufunc(
            _or_raise,
            status,
            xarray.DataArray(fits.dof, dims=dims),
            kwargs={"empty": -_count_free(options, names), "where": " of its chunk" if is_dask(fits.status) else ""},
            dask="parallelized",
            output_dtypes=[np.int8],
        )
    solved: Any = codes.is_solved(status)
    return {
        "curvefit_coefficients": xarray.DataArray(fits.popt, dims=[*dims, "param"]).where(solved),
        "curvefit_covariance": xarray.DataArray(fits.pcov, dims=[*dims, "cov_i", "cov_j"]).where(solved),
        "curvefit_stderr": xarray.DataArray(fits.stderr, dims=[*dims, "param"]).where(solved),
        "curvefit_redchi": xarray.DataArray(fits.redchi, dims=dims).where(solved),
        "curvefit_dof": xarray.DataArray(fits.dof, dims=dims),
        "curvefit_nfev": xarray.DataArray(fits.nfev, dims=dims),
        "curvefit_status": status,
        "curvefit_offset": xarray.DataArray(fits.offset, dims=dims).where(solved),
        "curvefit_active_mask": xarray.DataArray(fits.active_mask, dims=[*dims, "param"]),
    }


def _count_free(options: dict[str, Any], names: tuple[str, ...]) -> int:
    """Count the parameters that are fitted."""
    return len(names) - int(np.count_nonzero(checked_start(None, options.get("fixed"), names, None).fixed))


def _with_dimensions(start: xarray.DataArray, dims: list[Hashable]) -> Any:
    """Return starting values with an axis for each dimension of the fits, of length one where they are shared."""
    data = start.transpose(*[dim for dim in dims if dim in start.dims], "param").data
    return data[tuple(slice(None) if dim in start.dims else np.newaxis for dim in dims)]


def _or_raise(status: Any, dof: Any, *, empty: int, where: str) -> Any:
    """Return the statuses, and raise if any but those of `empty` data sets are failures."""
    failed = ~codes.is_solved(status) & (dof > empty)
    if failed.any():
        first = np.unravel_index(int(np.flatnonzero(failed)[0]), failed.shape)
        index, code = tuple(int(i) for i in first), int(status[first])
        raise RuntimeError(
            f"{int(failed.sum())} of {failed.size} fits failed, the first at index {index}{where}: "
            f"{codes.label(code)} (status {code}). errors='ignore' makes NaN of them"
        )
    return status
