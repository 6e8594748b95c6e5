"""Derivatives of fits at given points, exact ones or differences, and what those took."""

import numpy as np
from numpy.typing import NDArray

from .._engines.solution import Solutions
from .._input.bounds import Bounds
from .._input.validate import FloatArray
from .._solver.norms import EPS, column_norms
from .derivatives import Scales, fresh_slopes, scales
from .directions import along_dropped
from .ends import Evaluator
from .statistics import ALONG_LINES, CENTRAL, ill_conditioning, told_from


class Slopes:
    """The derivatives of the fits of a block, which remember the steps that did for differences before."""

    def __init__(
        self, evaluator: Evaluator, solutions: Solutions, exact: bool, error: float, box: Bounds | None = None
    ) -> None:
        count, n = solutions.popt.shape
        self.evaluator, self.solutions, self.exact, self.error, self.box = evaluator, solutions, exact, error, box
        self._steps = np.zeros((count, n))
        # Evaluations that derivatives took last.
        self.price = np.zeros(count, dtype=np.intc)
        # What rounding is relative to differences taken last; 0 of those that no step was good for.
        self.noise = np.zeros((count, n))
        # Whether differences taken last have shown straight lines, and by which parameters they are next to nothing.
        self.smooth, self.weak = ~np.zeros(count, dtype=np.bool_), np.zeros((count, n), dtype=np.bool_)

    def at(
        self, fits: NDArray[np.intp], x: FloatArray, f: FloatArray, closely: bool = True
    ) -> tuple[FloatArray, Scales, NDArray[np.bool_]]:
        """Return derivatives, exact ones or differences that are counted; scales; and which see all directions.

        Steps do not need directions as `closely` as errors do.
        """
        norms, ratio = ill_conditioning(np.swapaxes(self.solutions.triangle[fits], 1, 2)[:, :, :-1])
        of = scales(x, norms, self.solutions.fnorm[fits], self.evaluator.sizes(fits), ratio, self.error)
        sure = np.zeros(len(fits), dtype=np.bool_)
        if self.exact:
            return self.evaluator.jacobian(fits, x), of, sure
        residuals, box = self.evaluator.residuals, None if self.box is None else self.box.rows(fits)
        found = fresh_slopes(residuals, fits, x, f, of, self.error, box, self._steps[fits])
        slopes, evaluations, self._steps[fits], self.smooth[fits], self.weak[fits] = found
        noise = self._noise_of(fits, x, slopes, of)
        accuracy = np.where(of.terms.any(axis=1), ALONG_LINES.singular, CENTRAL.singular)
        if closely:
            accuracy = np.maximum(accuracy, told_from(noise))
        more, sure = along_dropped(residuals, fits, x, f, slopes, of, self.weak[fits], accuracy, box, closely)
        self.noise[fits] = np.where(sure[:, None], 0.0, noise)
        self.price[fits] = evaluations + more
        self.solutions.nfev[fits] += self.price[fits]
        return slopes, of, sure

    def _noise_of(self, fits: NDArray[np.intp], x: FloatArray, slopes: FloatArray, of: Scales) -> FloatArray:
        """Return what rounding is relative to central differences, by the steps that they were taken with."""
        norms = column_norms(slopes)
        with np.errstate(all="ignore"):
            scale = np.maximum(of.rounding, np.max(norms * np.abs(x), axis=1))
            noise = max(self.error, EPS) * scale[:, None] / (norms * np.abs(self._steps[fits]))
        return np.where(np.isfinite(noise), noise, 0.0)

    def of_steps(self, fits: NDArray[np.intp], x: FloatArray, f: FloatArray) -> FloatArray:
        """Return derivatives for a step, without those by parameters that differences see next to nothing of."""
        slopes, _, _ = self.at(fits, x, f, closely=False)
        weak = self.weak[fits]
        if weak.any():
            slopes[np.broadcast_to(weak[:, None, :], slopes.shape)] = 0.0
        return slopes
