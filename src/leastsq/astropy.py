"""Astropy models, fitted to one data set or to whole cubes."""

from __future__ import annotations  # so that help() shows ArrayLike by its name

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

try:
    from astropy.modeling import Model
    from astropy.modeling.fitting import Covariance, StandardDeviations, fitter_unit_support
    from astropy.utils.exceptions import AstropyUserWarning
except ImportError as error:
    raise ImportError("leastsq.astropy needs astropy: pip install 'leastsq[astropy]'") from error

from ._astropy_models import Formula, refuse_other_models, refuse_unfit, with_values
from ._curve_fit_many import curve_fit_many
from ._input.pieces import present_numbers
from ._many.workers import Progress, Workers
from ._results.result import ManyFits

__all__ = ["LevMarFitter"]


class LevMarFitter:
    """Fit astropy models, compound ones too, with their bounds, fixed and tied parameters.

    Called as astropy's fitters are, it fits one data set; `fit_cube` fits many in one call, as
    ``astropy.modeling.fitting.parallel_fit_dask`` does with other fitters.

    Parameters
    ----------
    calc_uncertainties : bool, default False
        Whether models that are returned have the attribute ``std`` of their parameters set, and for one data set also
        ``stds`` and ``cov_matrix``.

    Attributes
    ----------
    fit_info : dict
        Of the last call: ``param_cov``, the covariance of the parameters that are neither fixed nor tied; ``nfev``,
        ``ierr`` and ``message`` as in astropy, ``success``, ``chisq`` and ``dof``; ``fvec``, the weighted residuals
        of one data set; and ``fits``, a `ManyFits` of everything that is known. For a cube they are arrays over the
        fits, and ``message`` says how many were solved.

    Notes
    -----
    The method is that of `curve_fit_many`: derivatives are differences, bounds are kept by the steps themselves.
    Weights are one over the standard errors of the data, and absolute, as in astropy; without weights, covariances are
    scaled by the residuals. Models with constraints other than these, with several outputs, or which are sets of
    models, are refused.

    Examples
    --------
    >>> import numpy as np
    >>> from astropy.modeling.models import Const1D, Gaussian1D
    >>> from leastsq.astropy import LevMarFitter
    >>> x = np.linspace(0, 10, 50)
    >>> y = 3 * np.exp(-0.5 * (x - 4) ** 2) + 1 + 0.01 * np.cos(20 * x)
    >>> fitter = LevMarFitter()
    >>> fitted = fitter(Gaussian1D(2, 5, 1) + Const1D(0), x, y)
    >>> fitted.mean_0.value.round(2), fitted.amplitude_1.value.round(2)
    (np.float64(4.0), np.float64(1.0))
    """

    supported_constraints = ["fixed", "tied", "bounds"]  # noqa: RUF012 - as astropy's fitters have it
    supports_masked_input = True

    def __init__(self, calc_uncertainties: bool = False) -> None:
        self.fit_info: dict[str, Any] = {}
        self._calc_uncertainties = bool(calc_uncertainties)

    def __call__(
        self,
        model: Model,
        x: ArrayLike,
        y: ArrayLike,
        z: ArrayLike | None = None,
        weights: ArrayLike | None = None,
        maxiter: int | None = None,
        acc: float = 1.49012e-8,
        epsilon: float | None = None,
        estimate_jacobian: bool = True,
        filter_non_finite: bool = False,
        *,
        inplace: bool = False,
        equivalencies: Any = None,
    ) -> Model:
        """Fit a model to one data set, with the arguments of astropy's ``LevMarLSQFitter``.

        Parameters
        ----------
        model : astropy.modeling.Model
            What to fit, with the values to start from.
        x, y, z : array_like
            A predictor and the data, or two predictors and the data; quantities with units too. Masked points are
            left out.
        weights : array_like, optional
            One over the standard errors of the data.
        maxiter : int, optional
            Most evaluations of the model, by default 200*(N + 1).
        acc : float, optional
            Relative error desired of the sum of squares and of the parameters.
        epsilon : float, optional
            Relative error of the model, from which difference steps follow.
        estimate_jacobian : bool, default True
            Without effect: derivatives are always differences.
        filter_non_finite : bool, default False
            Whether to leave out data that are not finite, instead of raising ValueError.
        inplace : bool, default False
            Whether to change `model` itself.
        equivalencies : list, optional
            Equivalencies of units.

        Returns
        -------
        astropy.modeling.Model
            A copy of the model with the fitted parameters.

        Warns
        -----
        AstropyUserWarning
            If the fit is not solved; ``fit_info["message"]`` says why.
        """
        options = {"maxfev": maxiter, "ftol": acc, "xtol": acc, "epsfcn": epsilon, "vectorized": False}
        refuse_other_models(model)
        inputs, data = ((x,), y) if z is None else ((x, y), z)
        data = _present(inputs, data, filter_non_finite)
        given = (*inputs, data) if z is not None else (x, data, None)
        return self._fit(model, *given, axes=None, weights=weights, inplace=inplace, call=options, **_of(equivalencies))

    def fit_cube(
        self,
        model: Model,
        data: ArrayLike,
        fitting_axes: int | Sequence[int] = -1,
        *,
        world: Sequence[ArrayLike] | ArrayLike | None = None,
        weights: ArrayLike | None = None,
        mask: ArrayLike | None = None,
        workers: Workers = 1,
        progress: Progress = False,
        vectorized: bool = True,
        maxiter: int | None = None,
        equivalencies: Any = None,
    ) -> Model:
        """Fit a model to all data sets of a cube in one call.

        Parameters
        ----------
        model : astropy.modeling.Model
            What to fit. The values of its parameters, where all fits start, may be arrays of the shape of the fits.
        data : array_like
            The cube; a quantity too. NaN and masked values are missing.
        fitting_axes : int or sequence of int, default -1
            The axes to fit along, one for each input of the model, in their order.
        world : array_like or sequence of array_like, optional
            The inputs of the model: for each fitting axis an array along it, or one that broadcasts to the shape of
            `data`. By default the indices of the pixels.
        weights : array_like, optional
            One over the standard errors of the data: a number, or an array that broadcasts to the shape of `data`.
        mask : array_like of bool, optional
            Which values to leave out.
        workers, progress
            Threads, and whether to show what is done, see `curve_fit_many`.
        vectorized : bool, default True
            Whether the model can be evaluated for many fits at once, as those of astropy can. If not, fits are made
            one by one.
        maxiter : int, optional
            Most evaluations of the model for each fit.
        equivalencies : list, optional
            Equivalencies of units.

        Returns
        -------
        astropy.modeling.Model
            A copy of the model whose parameters are arrays over the fits, of the shape of `data` without the fitting
            axes; NaN where no fit was begun, the best so far where a fit was not solved: ``fit_info["success"]``.

        Raises
        ------
        TypeError
            If `fitting_axes` are not whole numbers, or `world` holds a WCS.
        ValueError
            If `fitting_axes` do not name one axis of the data or two, or are not as many as the model has inputs, or
            if `world` does not match them.

        Examples
        --------
        >>> import numpy as np
        >>> from astropy.modeling.models import Const1D, Gaussian1D
        >>> from leastsq.astropy import LevMarFitter
        >>> wave = np.linspace(0, 10, 50)
        >>> centers = np.linspace(4, 6, 12).reshape(3, 4)
        >>> cube = 3 * np.exp(-0.5 * (wave[:, None, None] - centers) ** 2) + 0.01 * np.cos(20 * wave)[:, None, None]
        >>> fitter = LevMarFitter()
        >>> line = Gaussian1D(2, 5, 1, bounds={"stddev": (0.2, 3)}) + Const1D(0, fixed={"amplitude": True})
        >>> fitted = fitter.fit_cube(line, cube, fitting_axes=0, world=wave)
        >>> fitted.mean_0.value.shape, bool(np.allclose(fitted.mean_0.value, centers, atol=0.01))
        ((3, 4), True)
        >>> fitter.fit_info["param_cov"].shape
        (3, 4, 3, 3)
        """
        refuse_other_models(model)
        values = np.asanyarray(data)
        if mask is not None:
            unit = getattr(values, "unit", None)
            values = np.ma.array(getattr(values, "value", values), mask=np.broadcast_to(mask, values.shape))
            if unit is not None:
                values = np.ma.filled(values.astype(float), np.nan) << unit
        axes = _axes(fitting_axes, values.ndim)
        inputs = _inputs(world, values.shape, axes)
        call = {"maxfev": maxiter, "vectorized": vectorized, "workers": workers, "progress": progress}
        given = (*inputs, values) if len(inputs) == 2 else (*inputs, values, None)
        return self._fit(model, *given, axes=axes, weights=weights, call=call, **_of(equivalencies))

    @fitter_unit_support  # type: ignore[untyped-decorator, unused-ignore]
    def _fit(
        self,
        model: Model,
        x: Any,
        y: Any,
        z: Any = None,
        *,
        axes: tuple[int, ...] | None,
        weights: Any,
        call: dict[str, Any],
        inplace: bool = False,
    ) -> Model:
        """Fit one data set along all axes, or many along some; nothing has a unit any more."""
        inputs, data = ((x,), y) if z is None else ((x, y), z)
        refuse_unfit(model, len(inputs))
        data = np.asanyarray(data)
        one = axes is None
        along = tuple(range(data.ndim)) if axes is None else axes
        formula = Formula.of(model)
        fits = curve_fit_many(
            formula,
            inputs if len(inputs) > 1 else inputs[0],
            data,
            formula.start(model),
            None if weights is None else _sigma(weights),
            bounds=formula.bounds(model),
            fixed=formula.fixed(model) if formula.fixed(model).any() else None,
            absolute_sigma=weights is not None,
            axis=along,
            **call,
        )
        if one and np.isnan(fits.popt).any():
            raise ValueError(fits.message())
        self._remember(formula, model, fits)
        fitted = with_values(model, formula.values(fits.popt), inplace)
        if one:
            self._tell_of_one(formula, fitted, fits, inputs, data, weights)
        if self._calc_uncertainties:
            for name, error in zip(formula.names, np.moveaxis(fits.stderr, -1, 0), strict=True):
                getattr(fitted, name).std = error if error.ndim else float(error)
        return fitted

    def _remember(self, formula: Formula, model: Model, fits: ManyFits) -> None:
        """Set `fit_info` to what is known of many fits."""
        free = np.flatnonzero(~formula.fixed(model))
        assert fits.pcov is not None
        self.fit_info = {
            "param_cov": fits.pcov[..., free[:, np.newaxis], free],
            "nfev": fits.nfev,
            "ierr": fits.status,
            "message": fits.summary() if fits.shape else fits.message(),
            "success": fits.success,
            "chisq": fits.chisq,
            "dof": fits.dof,
            "fits": fits,
        }

    def _tell_of_one(
        self, formula: Formula, fitted: Model, fits: ManyFits, inputs: tuple[Any, ...], data: Any, weights: Any
    ) -> None:
        """Make numbers of `fit_info`, add the residuals, and warn where one fit was not solved."""
        info = self.fit_info
        for name, kind in (("nfev", int), ("ierr", int), ("success", bool), ("chisq", float), ("dof", int)):
            info[name] = kind(info[name])
        values = formula(inputs if len(inputs) > 1 else inputs[0], *fits.popt)
        info["fvec"] = np.ravel((values - data) * (1.0 if weights is None else np.asarray(weights)))
        if not info["success"]:
            warnings.warn(
                f"The fit may be unsuccessful; check fit_info['message']: {info['message']}",
                AstropyUserWarning,
                stacklevel=5,
            )
        if self._calc_uncertainties:
            names = [name for name, held in zip(formula.names, formula.fixed(fitted), strict=True) if not held]
            fitted.cov_matrix = Covariance(info["param_cov"], names)
            fitted.stds = StandardDeviations(info["param_cov"], names)


def _of(equivalencies: Any) -> dict[str, Any]:
    """Return what astropy's decorator takes equivalencies of units from."""
    return {} if equivalencies is None else {"equivalencies": equivalencies}


def _present(inputs: tuple[Any, ...], data: Any, filter_non_finite: bool) -> Any:
    """Return the data of one fit, NaN where points are masked and, if so asked, not finite; refuse those elsewhere."""
    if data is None:
        raise TypeError("data: got None, expected real numbers")
    unit, data, mask = getattr(data, "unit", None), getattr(data, "unmasked", data), getattr(data, "mask", False)
    values = present_numbers(np.ma.getdata(data if unit is None else data.value), "data")
    missing = np.broadcast_to(mask, values.shape)
    bad = ~np.isfinite(values)
    for one in inputs:
        missing = missing | getattr(one, "mask", False)
        unknown = np.isnan(present_numbers(getattr(one, "value", one), "x"))
        bad = bad | unknown if unknown.any() else bad
    found = int(np.count_nonzero(bad & ~missing))
    if found and not filter_non_finite:
        raise ValueError(
            f"data: {found} of {bad.size} points are not finite, in the data or their predictors; "
            f"filter_non_finite=True leaves them out"
        )
    left = values if not (bad | missing).any() else np.where(missing | bad, np.nan, values)
    return left if unit is None else left << unit


def _sigma(weights: Any) -> Any:
    """Return standard errors of data from their weights; a weight of zero leaves a point out."""
    with np.errstate(divide="ignore"):
        return 1 / np.abs(np.asarray(weights, dtype=np.float64))


def _axes(fitting_axes: Any, dimensions: int) -> tuple[int, ...]:
    """Return one or two axes of a cube, or refuse what does not name them."""
    axes = tuple(np.atleast_1d(np.asarray(fitting_axes, dtype=object)).tolist())
    if any(isinstance(axis, bool | np.bool_) or not isinstance(axis, int | np.integer) for axis in axes):
        raise TypeError(f"fitting_axes must be a whole number or two of them, got {fitting_axes!r}")
    if not all(-dimensions <= axis < dimensions for axis in axes):
        raise ValueError(f"fitting_axes: got {fitting_axes!r}, but data have {dimensions} axes")
    if len({axis % dimensions for axis in axes}) != len(axes) or len(axes) not in (1, 2):
        raise ValueError(f"fitting_axes: got {fitting_axes!r}, expected one axis or two different ones")
    return tuple(int(axis) for axis in axes)


def _inputs(world: Any, shape: tuple[int, ...], axes: tuple[int, ...]) -> list[Any]:
    """Return the inputs of a model along the axes of a cube, so that they broadcast to its shape."""
    if world is None:
        world = [np.arange(float(shape[axis])) for axis in axes]
    elif not isinstance(world, (tuple, list)):
        world = [world]
    if len(world) != len(axes):
        raise ValueError(f"world: got {len(world)} arrays, expected one for each of the {len(axes)} fitting axes")
    laid_out = []
    order = sorted(axis % len(shape) for axis in axes)  # in which data are laid out
    for i, (values, axis) in enumerate(zip(world, axes, strict=True)):
        if hasattr(values, "low_level_wcs") or hasattr(values, "array_index_to_world_values"):
            raise TypeError(f"world[{i}]: got a WCS, expected an array; wcs.array_index_to_world_values makes one")
        array = np.asanyarray(values)
        if array.ndim == 1:
            if array.size != shape[axis]:
                raise ValueError(f"world[{i}] has length {array.size}, but data have {shape[axis]} along axis {axis}")
            array = array.reshape([-1 if other == axis % len(shape) else 1 for other in order])
        laid_out.append(array)
    return laid_out
