"""Derivatives of fits at given points, exact ones or differences, and what those took."""

import numpy as np
from numpy.typing import NDArray

from .._engines.solution import Solutions
from .._input.bounds import Bounds
from .._input.validate import FloatArray
from .derivatives import Scales, fresh_slopes, scales
from .directions import along_dropped
from .ends import Evaluator
from .statistics import ALONG_LINES, CENTRAL, ill_conditioning


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
        # Whether differences taken last have shown straight lines, and by which parameters they are next to nothing.
        self.smooth, self.weak = ~np.zeros(count, dtype=np.bool_), np.zeros((count, n), dtype=np.bool_)

    def at(self, fits: NDArray[np.intp], x: FloatArray, f: FloatArray) -> tuple[FloatArray, Scales, NDArray[np.bool_]]:
        """Return derivatives, exact ones or differences that are counted; scales; and which see all directions."""
        norms, ratio = ill_conditioning(np.swapaxes(self.solutions.triangle[fits], 1, 2)[:, :, :-1])
        of = scales(x, norms, self.solutions.fnorm[fits], self.evaluator.sizes(fits), ratio, self.error)
        sure = np.zeros(len(fits), dtype=np.bool_)
        if self.exact:
            return self.evaluator.jacobian(fits, x), of, sure
        residuals, box = self.evaluator.residuals, None if self.box is None else self.box.rows(fits)
        found = fresh_slopes(residuals, fits, x, f, of, self.error, box, self._steps[fits])
        slopes, evaluations, self._steps[fits], self.smooth[fits], self.weak[fits] = found
        accuracy = np.where(of.terms.any(axis=1), ALONG_LINES.singular, CENTRAL.singular)
        more, sure = along_dropped(residuals, fits, x, f, slopes, of, accuracy, box)
        self.price[fits] = evaluations + more
        self.solutions.nfev[fits] += self.price[fits]
        return slopes, of, sure

    def of_steps(self, fits: NDArray[np.intp], x: FloatArray, f: FloatArray) -> FloatArray:
        """Return derivatives for a step, without those by parameters that differences see next to nothing of."""
        slopes, _, _ = self.at(fits, x, f)
        weak = self.weak[fits]
        if weak.any():
            slopes[np.broadcast_to(weak[:, None, :], slopes.shape)] = 0.0
        return slopes
