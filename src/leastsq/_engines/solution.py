"""What the fits of a block leave behind."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._input.validate import FloatArray
from .._solver import kernel
from .block import Block
from .iterate import Fit


class Solutions(NamedTuple):
    """The fits of a block, one in each row."""

    popt: FloatArray
    # R of the last Jacobian, transposed, as the compiled code stores it; in the last row the head of Qᵀf.
    triangle: FloatArray
    fnorm: FloatArray
    nfev: NDArray[np.intc]
    status: NDArray[np.intc]

    def store(self, fit: int, one: Fit) -> None:
        """Put a fit made by itself where the others are."""
        here = slice(fit, fit + 1)
        found = self.triangle[here], self.fnorm[here], self.nfev[here], self.status[here]
        kernel.read_slots(np.zeros(1, dtype=np.intc), one.state[None], *found)
        # What was evaluated or decided beside the iteration counts, too.
        self.popt[fit], self.fnorm[fit], self.nfev[fit], self.status[fit] = one.x, one.fnorm, one.nfev, one.info


class Fitted(NamedTuple):
    """The results of a piece: arrays by the names of the record."""

    start: int
    arrays: dict[str, NDArray[Any]]

    @property
    def fits(self) -> int:
        """Return the number of fits."""
        return len(self.arrays["status"])


def empty_solutions(block: Block) -> Solutions:
    """Return room for the results of a block; fits that are not to be made have theirs already."""
    count, n = block.p0.shape
    fnorm = np.empty(count)
    fnorm.fill(np.nan)
    return Solutions(
        block.p0.copy(),
        np.zeros((count, n + 1, n)),
        fnorm,
        np.zeros(count, dtype=np.intc),
        block.status.copy(),
    )
