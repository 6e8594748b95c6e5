"""Confidence intervals by profile likelihood: how far a parameter can go while the others follow.

References
----------
D. M. Bates, D. G. Watts, Nonlinear Regression Analysis and Its Applications, Wiley, 1988, section 6.1; J. T. Kent,
Biometrika 69 (1982) 19-27 (the likelihood ratio where the data have another distribution).
"""

from __future__ import annotations  # so that help() shows types by their names

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._input.bounds import Bounds
from .._input.validate import FloatArray
from .._solver.losses import cost, is_counts, name_of
from .again import Rows, given_again, rows_of_fits
from .box import rows as rows_of_box
from .selection import is_label, number_of_parameter, position_of
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
# Options of the fits that their refits have, too.
_AGAIN: Final = ("ftol", "xtol", "gtol", "maxfev", "epsfcn", "factor", "f_scale")


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

    With ``loss="poisson"``, it ends where the deviance has risen by ``t**2``: the likelihood-ratio interval [2]_. With
    other losses, the cost is in the place of the sum of squares. Where it is minus twice a log-likelihood, that is
    the likelihood ratio too; else the interval is one for which theory holds for many points, as it does for
    covariances. Losses that level off, as "arctan" does, may leave it without an end. With ``covariance="sandwich"``,
    the rise is larger or smaller by the ratio of that variance to the one made of curvature [3]_.

    Parameters
    ----------
    index : int, tuple, slice, mask or label
        Which fits, by any index into their shape, or by the label of a group; ``...`` for all. Each takes about ten
        fits on either side, made for all of them together.
    name : str
        The parameter.
    x, y, sigma, axis, groups, lengths
        The data of all fits, as they were given to `curve_fit_many`.
    level : float, default 0.95
        The probability that an interval holds the true value.
    bounds : optional
        By default those of the fits, which the result keeps; only where they were dask arrays, they are to be given
        again. No parameter leaves them, and fixed ones stay where they are.

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
    .. [2] S. S. Wilks, "The large-sample distribution of the likelihood ratio for testing composite hypotheses",
       Annals of Mathematical Statistics 9, 1938, pp. 60-62.
    .. [3] J. T. Kent, "Robust properties of likelihood ratio tests", Biometrika 69, 1982, pp. 19-27.

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
    if j < len(self.problem.fixed) and self.problem.fixed[j]:
        raise ValueError(f"{name} is fixed: it has no interval")
    sets = given_again(self, x, y, sigma, axis, groups, lengths)
    box = rows_of_box(self, bounds)
    if is_label(self, index):
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


def _places(chosen: NDArray[np.intp], lists: list[int]) -> NDArray[np.intp]:
    """Return which of the fits searched each chosen one is, of those that are."""
    where = {number: k for k, number in enumerate(lists)}
    return np.array([where[number] for number in chosen.ravel().tolist() if number in where], dtype=np.intp)


class _Search:
    """The search for both ends of the interval of one parameter of some fits, all rounds in common."""

    def __init__(self, fits: ManyFits, j: int, numbers: list[int], rows: list[Rows], box: Bounds, level: float) -> None:
        n = len(fits.param_names)
        self.fits, self.j, self.box = fits, j, box
        # Where the parameter is held it may be as near to its own bounds as rounding has it.
        self.others = Bounds(*(side.copy() for side in box))
        self.others.lower[:, j], self.others.upper[:, j] = -np.inf, np.inf
        self.popt = fits.popt.reshape(-1, n)[numbers]
        self.stderr = fits.stderr.reshape(-1, n)[numbers, j]
        self.data = _side_by_side(rows)
        dof = fits.dof.ravel()[numbers]
        self.quantile = quantiles(level, dof, fits.problem.absolute_sigma)
        self.least = np.concatenate([_costs(fits, row) for row in rows])
        _refuse_other_data(self.least, fits.chisq.ravel()[numbers])
        known = fits.problem.absolute_sigma
        with np.errstate(divide="ignore", invalid="ignore"):
            self.variance = np.ones(len(dof)) if known else np.where(dof > 0, self.least / dof, np.nan)
        if fits.problem.sandwich:
            self.variance = self.variance * self._ratio()
        self.slopes = np.zeros_like(self.popt)
        if fits.pcov is not None:
            matrices = fits.pcov.reshape(-1, n, n)[numbers]
            with np.errstate(invalid="ignore", divide="ignore"):
                along = matrices[:, :, j] / matrices[:, j, j, None]
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
        others = self.popt[active] + sign * self.slopes[active] * first[active, None]
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
        """Return costs with the parameter held at such values, and all parameters."""
        box = self.others.rows(which)
        start = np.clip(start, *box)
        start[:, self.j] = values
        mask = np.arange(start.shape[1]) == self.j
        if (mask | (box.lower == box.upper).all(axis=0)).all():
            return _costs(self.fits, self._data_of(which, start)), start
        again = self._again(which, start, box, fixed=mask)
        usable = (again.status >= 1) & (again.status <= _USABLE)
        return np.where(usable, again.chisq, np.inf), np.where(usable[:, None], again.popt, start)

    def _ratio(self) -> FloatArray:
        """Return by how much variances are larger than those made of curvature."""
        which = np.arange(len(self.popt))
        again = self._again(which, self.popt, self.box, absolute_sigma=self.fits.problem.absolute_sigma)
        with np.errstate(all="ignore"):
            ratio = (self.stderr / again.stderr[:, self.j]) ** 2
        return np.where(np.isfinite(ratio) & (ratio > 0), ratio, 1.0)

    def _again(self, which: NDArray[np.intp], start: FloatArray, box: Bounds, **more: Any) -> ManyFits:
        """Fit some of the data sets again, with the options that they were fitted with."""
        from .._curve_fit_many import curve_fit_many

        problem, data = self.fits.problem, self._data_of(which, start)
        options = {name: getattr(problem.options, name) for name in _AGAIN}
        fits: ManyFits = curve_fit_many(
            problem.f,
            data.x,
            data.y,
            start,
            data.sigma,
            bounds=None if np.isinf(box).all() else box,
            jac=problem.jac,
            vectorized=problem.vectorized,
            loss=name_of(problem.options),
            **options,
            **more,
        )
        return fits

    def _data_of(self, which: NDArray[np.intp], popt: FloatArray) -> Rows:
        """Return some of the data sets."""
        x = tuple(one if one.ndim == 1 else one[which] for one in self.data.x)
        return Rows(x, self.data.y[which], None if self.data.sigma is None else self.data.sigma[which], popt)


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


def _costs(fits: ManyFits, rows: Rows) -> FloatArray:
    """Return what fits of data sets minimised, at their parameters; missing points cost nothing."""
    options = fits.options
    kept = rows.values(fits) if is_counts(options) else -rows.residuals(fits)
    there = ~np.isnan(rows.y)
    found = cost(options, np.where(there, kept, 1.0), np.where(there, rows.y, 1.0), there)
    return found


def _refuse_other_data(found: FloatArray, chisq: FloatArray) -> None:
    """Raise if costs are not those of the result."""
    other = np.abs(found - chisq) > 1e-6 * np.maximum(found, chisq) + 1e-300
    if other.any():
        k = int(np.argmax(other))
        raise ValueError(
            f"the data are not those that were fitted: their cost is {found[k]:.6g}, that of the result "
            f"{chisq[k]:.6g}. Give x, y and sigma as they were"
        )
