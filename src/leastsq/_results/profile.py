"""Confidence intervals by profile likelihood: how far a parameter can go while the others follow.

References
----------
D. M. Bates, D. G. Watts, Nonlinear Regression Analysis and Its Applications, Wiley, 1988, section 6.1.
"""

from __future__ import annotations  # so that help() shows types by their names

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._input.bounds import Bounds, bounds_of_many
from .._input.validate import FloatArray, with_parameter_axis
from .._solver.problem import Problem
from .again import Rows, given_again, rows_of_fits
from .selection import number_of_parameter, position_of
from .student import quantiles

if TYPE_CHECKING:
    from .result import ManyFits

# Statuses whose parameters are as good as the last: solved, or as far as it went.
_USABLE: Final = 8
_MOST_ROUNDS: Final = 60
# How closely a bound has to be met, in units of the quantile.
_TOLERANCE: Final = 1e-5
# Where a parameter has gone so many times further than the linear interval, it has no bound.
_FAR: Final = 1e4


class _Interval(NamedTuple):
    value: FloatArray
    lower: FloatArray
    upper: FloatArray


class Profile(_Interval):
    """An estimate and its interval by profile likelihood, arrays of the shape that was asked for."""

    #: Whether the lower and the upper end is where a bound of the parameter is, shape (2, ...).
    on_bound: NDArray[np.bool_]


def profile(
    self: ManyFits,
    index: Any,
    name: str,
    x: Any,
    y: Any,
    sigma: Any = None,
    *,
    level: float = 0.95,
    axis: int | Sequence[int] = -1,
    groups: Any = None,
    lengths: Any = None,
    bounds: Any = None,
) -> Profile:
    """Return confidence intervals of one parameter by profile likelihood, which need not be symmetric.

    The parameter is moved away from its estimate on either side, all others are fitted anew, and the interval ends
    where the sum of squares has risen by ``(t * s)**2``; t is the quantile of `conf_interval`, and s**2 the reduced
    chi-square, or 1 with ``absolute_sigma`` [1]_. For models linear in their parameters that is `conf_interval`.

    Parameters
    ----------
    index : int, tuple, slice, mask or str
        Which fits, by any index into their shape, or by the label of a group; ``...`` for all. Each takes about ten
        fits on either side, made for all of them together.
    name : str
        The parameter.
    x, y, sigma, axis, groups, lengths
        The data of all fits, as they were given to `curve_fit_many`.
    level : float, default 0.95
        The probability that an interval holds the true value.
    bounds : optional
        The bounds, as they were given to `curve_fit_many`. No parameter leaves them, and fixed ones stay where they
        are.

    Returns
    -------
    Profile
        ``value``, ``lower`` and ``upper``, arrays of the shape of the fits chosen. An end is infinite where the sum of
        squares never rises enough, and NaN for fits without success, and where fits of the others end below the sum of
        squares of the result: that was not the least. It is the bound of the parameter where that is met first;
        ``on_bound``, of shape (2, ...), says so of lower and upper ends.

    Raises
    ------
    ValueError
        If data or bounds are not those of the fits, or the parameter is fixed.

    References
    ----------
    .. [1] D. M. Bates, D. G. Watts, "Nonlinear Regression Analysis and Its Applications", Wiley, 1988, section 6.1.

    Examples
    --------
    >>> import numpy as np
    >>> from leastsq import curve_fit_many, models
    >>> dose = np.array([0.1, 0.3, 1.0, 3.0, 10.0])
    >>> rate = np.array([[0.21, 0.44, 0.98, 1.52, 1.79]])
    >>> fits = curve_fit_many(models.michaelis_menten, dose, rate)
    >>> value, lower, upper = fits.profile(0, "km", dose, rate)
    >>> bool(upper - value > value - lower)
    True
    """
    j = number_of_parameter(self, name)
    if self.options.loss or self.options.rho is not None:
        raise ValueError("profile is for least squares: these fits were made with another loss")
    if j < len(self.problem.fixed) and self.problem.fixed[j]:
        raise ValueError(f"{name} is fixed: it has no interval")
    sets = given_again(self, x, y, sigma, axis, groups, lengths)
    box = _box(self, bounds)
    if isinstance(index, str):
        index = position_of(self, index)
    numbers = np.arange(self.size).reshape(self.shape)
    chosen = numbers if self.status.ndim == 0 else np.asarray(numbers[index])
    value, ends = self.popt[..., j].ravel()[chosen.ravel()], np.full((2, chosen.size), np.nan)
    limits = np.stack(box)[:, chosen.ravel(), j]
    lists = [number for number in chosen.ravel().tolist() if self.success.ravel()[number]]
    if lists:
        own = Bounds(*(side[lists] for side in box))
        search = _Search(self, j, lists, list(rows_of_fits(self, sets, lists)), own, level)
        ends[:, np.isin(chosen.ravel(), lists)] = search.ends()[:, _places(chosen, lists)]
    found = Profile(*(array.reshape(chosen.shape) for array in (value, *ends)))
    found.on_bound = ((ends == limits) & np.isfinite(ends)).reshape(2, *chosen.shape)
    return found


def _box(fits: ManyFits, bounds: Any) -> Bounds:
    """Return the bounds of all fits, in rows; equal ones for what is fixed."""
    n = len(fits.param_names)
    given = bounds_of_many(bounds, n, fits.param_names)
    if (given is not None) != fits.problem.bounded:
        told = "none; give those of the call again" if given is None else "some; leave them out"
        raise ValueError(f"bounds: the fits had {'bounds' if given is None else 'none'}, and here are {told}")
    lower, upper = given or Bounds(np.full(n, -np.inf), np.full(n, np.inf))
    try:
        box = Bounds(*(np.broadcast_to(side, fits.popt.shape).reshape(-1, n) for side in (lower, upper)))
    except ValueError:
        raise ValueError(
            f"bounds have shape {lower.shape}, which is not that of fits of shape {fits.shape} and {n} parameters"
        ) from None
    popt, solved = fits.popt.reshape(-1, n), fits.success.ravel()
    held = np.zeros(n, dtype=np.bool_) if not fits.problem.fixed else np.array(fits.problem.fixed)
    own = Bounds(*(np.where(held, popt, side) for side in box))
    if not np.array_equal(own.active(popt)[solved], fits.active_mask.reshape(-1, n)[solved]):
        raise ValueError("bounds are not those of the fits, which are on others: give them as they were")
    return own


def _places(chosen: NDArray[np.intp], lists: list[int]) -> NDArray[np.intp]:
    """Return which of the fits searched each chosen one is, of those that are."""
    where = {number: k for k, number in enumerate(lists)}
    return np.array([where[number] for number in chosen.ravel().tolist() if number in where], dtype=np.intp)


class _Search:
    """The search for both ends of the interval of one parameter of some fits, all rounds in common."""

    def __init__(self, fits: ManyFits, j: int, numbers: list[int], rows: list[Rows], box: Bounds, level: float) -> None:
        n = len(fits.param_names)
        self.fits, self.j, self.box = fits, j, box
        self.others = Bounds(*(np.delete(side, j, axis=1) for side in box))
        self.popt = fits.popt.reshape(-1, n)[numbers]
        self.stderr = fits.stderr.reshape(-1, n)[numbers, j]
        self.data = _side_by_side(rows)
        dof = fits.dof.ravel()[numbers]
        self.quantile = quantiles(level, dof, fits.problem.absolute_sigma)
        self.least = np.array([_sum_of_squares(fits, row) for row in rows])
        _refuse_other_data(self.least, fits.chisq.ravel()[numbers])
        known = fits.problem.absolute_sigma
        with np.errstate(divide="ignore", invalid="ignore"):
            self.variance = np.ones(len(dof)) if known else np.where(dof > 0, self.least / dof, np.nan)
        self.start = np.delete(self.popt, j, axis=1)
        self.slopes = np.zeros_like(self.start)
        if fits.pcov is not None:
            matrices = fits.pcov.reshape(-1, n, n)[numbers]
            with np.errstate(invalid="ignore", divide="ignore"):
                along = np.delete(matrices[:, :, j] / matrices[:, j, j, None], j, axis=1)
            self.slopes = np.where(np.isfinite(along), along, 0.0)

    def ends(self) -> FloatArray:
        """Return lower and upper ends: where a bound is met, exactly that."""
        found = np.full((2, len(self.popt)), np.nan)
        for side, sign in enumerate((-1.0, 1.0)):
            here, bound = self.popt[:, self.j], self.box[side][:, self.j]
            room = sign * (bound - here)
            reach = self._reach(sign, room)
            found[side] = np.where(reach == room, bound, here + sign * reach)
        return found

    def _reach(self, sign: float, room: FloatArray) -> FloatArray:
        """Return how far each parameter can go to one side, by regula falsi with the rule of Illinois."""
        reach = np.where(room == 0, 0.0, np.where(np.isinf(self.stderr), np.inf, np.nan))
        first = np.minimum(self._first(room), room)
        active = np.flatnonzero(np.isfinite(first) & (first > 0) & (self.variance > 0))
        here = _Bracket(first[active], self.quantile[active], room[active])
        others = self.start[active] + sign * self.slopes[active] * first[active, None]
        for _ in range(_MOST_ROUNDS):
            if not active.size:
                break
            values = self.popt[active, self.j] + sign * here.at
            values = np.where(here.at == here.room, self.box[int(sign > 0)][active, self.j], values)
            cost, others = self._refit(active, values, others)
            rise = (cost - self.least[active]) / self.variance[active]
            lower = rise < -1e-3
            tried = here.at
            done = here.narrow(np.sqrt(np.maximum(rise, 0.0))) | lower
            over = np.isinf(here.room) & (here.at > _FAR * first[active])
            reach[active[done]] = np.where(lower[done], np.nan, tried[done])
            reach[active[over & ~done]] = np.inf
            left = ~(done | over)
            active, others, here = active[left], others[left], here.part(left)
        return reach

    def _first(self, room: FloatArray) -> FloatArray:
        """Return where to look first: where linear theory says, or at a bound where it says nothing."""
        linear = self.quantile * self.stderr
        if not self.fits.problem.bounded:
            return linear
        size = np.where(self.popt[:, self.j] == 0, 1.0, np.abs(self.popt[:, self.j]))
        blind = np.where(np.isfinite(room), room, size)
        return np.where(np.isfinite(linear) & (linear > 0), linear, blind)

    def _refit(self, which: NDArray[np.intp], values: FloatArray, start: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return sums of squares with the parameter held at such values, and the other parameters."""
        x = tuple(one if one.ndim == 1 else one[which] for one in self.data.x)
        y = self.data.y[which]
        sigma = self.data.sigma if self.data.sigma is None else self.data.sigma[which]
        if start.shape[1] == 0:
            popt = values[:, None]
            rest = Rows(x, y, sigma, popt).residuals(self.fits)
            return np.nansum(rest**2, axis=1), start
        from .._curve_fit_many import curve_fit_many

        problem = self.fits.problem
        lower, upper = (side[which] for side in self.others)
        reduced = _Reduced(problem, self.j)
        options = {name: getattr(problem.options, name) for name in ("ftol", "xtol", "gtol", "maxfev", "factor")}
        again = curve_fit_many(
            reduced,
            (*x, values[:, None]),
            y,
            np.clip(start, lower, upper),
            sigma,
            bounds=None if np.isinf(lower).all() and np.isinf(upper).all() else (lower, upper),
            jac=reduced.jac if problem.jac is not None else None,
            vectorized=problem.vectorized,
            epsfcn=problem.options.epsfcn,
            **options,
        )
        usable = (again.status >= 1) & (again.status <= _USABLE)
        return np.where(usable, again.chisq, np.inf), np.where(usable[:, None], again.popt, start)


@dataclass
class _Bracket:
    """Where the root of profile - quantile is looked for: between 0, or `low`, and `high`, at most at `room`."""

    at: FloatArray
    quantile: FloatArray
    room: FloatArray
    low: Any = None
    high: Any = None
    below: Any = None
    above: Any = None

    def __post_init__(self) -> None:
        if self.low is None:
            self.low, self.high = np.zeros_like(self.at), np.full_like(self.at, np.inf)
            self.below, self.above = -self.quantile, np.full_like(self.at, np.nan)

    def narrow(self, profile: FloatArray) -> NDArray[np.bool_]:
        """Take in values of the profile, go on to where to look next, and return which are there."""
        excess = profile - self.quantile
        done = np.abs(excess) <= _TOLERANCE * self.quantile
        done |= (self.high < np.inf) & (self.high - self.low <= 1e-9 * self.high)
        done |= (self.at == self.room) & (excess <= 0)
        beyond = excess > 0
        # The end that stays halves its weight, so that it does not stay for long (Illinois).
        self.below = np.where(beyond, self.below * 0.5, excess)
        self.above = np.where(beyond, excess, self.above * 0.5)
        self.low, self.high = np.where(beyond, self.low, self.at), np.where(beyond, self.at, self.high)
        with np.errstate(invalid="ignore", divide="ignore"):
            secant = self.low - self.below * (self.high - self.low) / (self.above - self.below)
            further = self.at * np.clip(self.quantile / profile, 1.2, 3.0)
        between = np.where(np.isfinite(secant) & (secant > self.low) & (secant < self.high), secant, np.nan)
        between = np.where(np.isnan(between), (self.low + self.high) / 2, between)
        following = np.where(np.isinf(self.high), np.where(profile > 0, further, 3 * self.at), between)
        self.at = np.where(done, self.at, np.minimum(following, self.room))
        return np.asarray(done)

    def part(self, left: NDArray[np.bool_]) -> _Bracket:
        """Return the brackets that are left."""
        arrays = (self.at, self.quantile, self.room, self.low, self.high, self.below, self.above)
        return _Bracket(*(array[left] for array in arrays))


class _Reduced:
    """A function of all parameters but one, which comes as the last predictor."""

    def __init__(self, problem: Problem, j: int) -> None:
        self._problem, self._j = problem, j

    def _whole(self, x: Any, others: tuple[Any, ...]) -> tuple[Any, list[Any]]:
        *own, held = x
        held = held[..., :1] if self._problem.vectorized else held[0]
        return (own[0] if len(own) == 1 else tuple(own)), [*others[: self._j], held, *others[self._j :]]

    def __call__(self, x: Any, *others: Any) -> Any:
        predictors, parameters = self._whole(x, others)
        return self._problem.f(predictors, *parameters)

    def jac(self, x: Any, *others: Any) -> Any:
        predictors, parameters = self._whole(x, others)
        assert self._problem.jac is not None
        slopes = np.asarray(self._problem.jac(predictors, *parameters))
        shape = (*slopes.shape[:-1], len(parameters))
        return np.delete(with_parameter_axis(slopes, shape), self._j, axis=-1)


def _side_by_side(rows: list[Rows]) -> Rows:
    """Return data sets of several lengths as rows of one, those that are short filled up with missing points."""
    longest = max(row.y.shape[1] for row in rows)

    def filled(arrays: list[FloatArray], by: float | None) -> FloatArray:
        whole = [np.atleast_2d(array) for array in arrays]
        return np.concatenate(
            [
                np.pad(a, ((0, 0), (0, longest - a.shape[1])), "edge")
                if by is None
                else np.pad(a, ((0, 0), (0, longest - a.shape[1])), constant_values=by)
                for a in whole
            ]
        )

    x = tuple(filled([row.x[i] for row in rows], None) for i in range(len(rows[0].x)))
    sigma = None if rows[0].sigma is None else filled([np.asarray(row.sigma) for row in rows], None)
    return Rows(x, filled([row.y for row in rows], np.nan), sigma, np.concatenate([row.popt for row in rows]))


def _sum_of_squares(fits: ManyFits, row: Rows) -> float:
    return float(np.nansum(row.residuals(fits) ** 2))


def _refuse_other_data(found: FloatArray, chisq: FloatArray) -> None:
    """Raise if sums of squares are not those of the result."""
    other = np.abs(found - chisq) > 1e-6 * np.maximum(found, chisq) + 1e-300
    if other.any():
        k = int(np.argmax(other))
        raise ValueError(
            f"the data are not those that were fitted: their sum of squares is {found[k]:.6g}, that of the result "
            f"{chisq[k]:.6g}. Give x, y and sigma as they were"
        )
