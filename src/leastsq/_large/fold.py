"""Data of any size, a block of points at a time: each block becomes a triangle of N x N numbers, and triangles one.

The iteration needs no more of the data than the cost and the triangle R of [J f] = Q R at each point that it tries.
Both come from mapping over blocks and reducing what they give: one block after the other where data are in files, and
where the chunks lie where they are dask's.

References
----------
J. Demmel, L. Grigori, M. Hoemmen, J. Langou, SIAM J. Sci. Comput. 34 (2012), section 2.2 (triangles in a tree).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, Protocol

import numpy as np

from .._engines.numerical_jacobian import Differences
from .._input.validate import NO_VALUE, FloatArray
from .._solver import kernel
from .._solver.kernel import OF_CURVATURE, OF_GRADIENTS
from .._solver.losses import as_squares, is_robust, scaled_rows, scores
from .._solver.problem import Options

# What triangles are folded for: a step of the iteration, or one of the others, which the kernel has numbers for.
OF_STEPS = 0
# Rounding may differ between blocks and the whole; a mistake is larger.
_ROUNDINGS = 1e4
_POINTS_TRIED = 1000


class Source(Protocol):
    """Data in blocks."""

    @property
    def m(self) -> int:
        """The number of points."""

    def sample(self, count: int) -> tuple[Any, ...]:
        """Return arrays of points from all over the data, about so many along their last axis."""

    def block(self, arrays: tuple[Any, ...]) -> Any:
        """Return points ready to be evaluated."""

    def reduced(self, task: Callable[[Any], Any], combine: Callable[[Sequence[Any]], Any]) -> Any:
        """Return what `task` makes of the blocks, combined; `combine` is associative."""


class BlockFunction(Protocol):
    """What is fitted, a block at a time."""

    @property
    def exact(self) -> bool:
        """Whether there are derivatives."""

    def raw(self, block: Any, p: FloatArray) -> Any:
        """Return the values as the user's function gives them."""

    def kept(self, block: Any, p: FloatArray) -> FloatArray:
        """Return weighted residuals, or values of counts."""

    def slopes(self, block: Any, p: FloatArray) -> FloatArray:
        """Return their derivatives, (M, N)."""

    def counts(self, block: Any) -> FloatArray | None:
        """Return observations, where they are counts."""


class Folded(NamedTuple):
    """What is left of points: the square root of their cost, and their triangle with the head of Qᵀf, (N + 1, N)."""

    fnorm: float
    triangle: FloatArray


@dataclass(frozen=True)
class Fold:
    """How blocks are folded: a function, the loss, and differences where the function has no derivatives."""

    function: BlockFunction
    options: Options
    differences: Differences | None

    def evaluations(self, free: int) -> int:
        """Say how many evaluations derivatives by the free parameters take."""
        return 0 if self.differences is None else self.differences.evaluations(free)

    def __call__(self, p: FloatArray, purpose: int, lenient: bool, block: Any) -> Folded:
        """Return a block at `p`, folded for a purpose; if `lenient`, what has no value is NaN."""
        triangle = np.zeros((p.size + 1, p.size))
        with np.errstate(all="ignore"):
            f = self._kept(block, lenient, p)
            if f.size == 0:
                return Folded(0.0, triangle)
            if not np.isfinite(f).all():  # nobody looks at derivatives there
                return Folded(math.nan, triangle)
            rows = np.empty((p.size + 1, f.size))
            rows[:-1] = self._slopes(block, lenient, p, f).T
            rows[-1] = f
            rows, loss, counts = self._scaled(rows, purpose, self.function.counts(block))
            return Folded(kernel.fold_rows(rows, triangle, loss, self.options.f_scale, counts), triangle)

    def _kept(self, block: Any, lenient: bool, p: FloatArray) -> FloatArray:
        if not lenient:
            return self.function.kept(block, p)
        try:
            return self.function.kept(block, p)
        except NO_VALUE:
            return np.full(block.size, np.nan)

    def _slopes(self, block: Any, lenient: bool, p: FloatArray, f: FloatArray) -> FloatArray:
        if self.differences is None:
            return self.function.slopes(block, p)
        return self.differences._replace(func=partial(self._kept, block, lenient)).jacobian(p, f)

    def _scaled(
        self, rows: FloatArray, purpose: int, counts: FloatArray | None
    ) -> tuple[FloatArray, int, FloatArray | None]:
        """Return rows as a purpose wants them, the loss that they are still to be scaled for, and its observations."""
        options, f = self.options, rows[-1]
        if purpose == OF_GRADIENTS:
            rows[:-1] *= scores(options, f, np.empty(0) if counts is None else counts)
        elif purpose == OF_CURVATURE and is_robust(options):
            rows = scaled_rows(options, f[None], rows[None, :-1].swapaxes(1, 2), f[None])[0].T
        elif options.rho is not None:
            root, factors = as_squares(options, f)
            rows[:-1] *= factors
            rows[-1] = root
        else:
            return rows, options.loss, counts
        return np.ascontiguousarray(rows), 0, None


def together(parts: Sequence[Folded]) -> Folded:
    """Fold triangles into one."""
    triangle = parts[0].triangle.copy()
    for part in parts[1:]:
        kernel.fold_rows(part.triangle, triangle)
    return Folded(math.hypot(*(part.fnorm for part in parts)), triangle)


def try_in_blocks(function: BlockFunction, source: Source, p: FloatArray, names: tuple[str, str]) -> Any:
    """Refuse a function that does not work point by point; return what it gives for some of the points."""
    arrays = source.sample(_POINTS_TRIED)
    half = arrays[0].shape[-1] // 2
    halves = [tuple(one[..., which] for one in arrays) for which in (slice(0, half), slice(half, None))]
    whole, *parts = (source.block(some) for some in (arrays, *halves))
    with np.errstate(all="ignore"):
        received = function.raw(whole, p)
        for name, of in zip(names, (function.kept, function.slopes if function.exact else None), strict=True):
            if of is not None and half:
                _compare(name, of(whole, p), np.concatenate([of(part, p) for part in parts]), received)
    return received


def _compare(name: str, whole: FloatArray, parts: FloatArray, received: Any) -> None:
    dtype = np.asarray(received).dtype
    error = float(np.finfo(dtype).eps) if dtype.kind in "fc" else 0.0
    tolerance = _ROUNDINGS * max(error, float(np.finfo(np.float64).eps))
    finite = np.abs(whole[np.isfinite(whole)])
    if not np.allclose(parts, whole, rtol=tolerance, atol=tolerance * finite.max(initial=0.0), equal_nan=True):
        raise ValueError(
            f"{name} gives other values for two blocks of points than for all of them at once, but data that may not "
            f"fit into memory are evaluated in blocks. Write {name} so that it works point by point, or read the data "
            f"into memory: np.array(data)"
        )


def of_no_block(parameters: Any) -> Any:
    """Stand for a function of a block that is not there yet, in differences."""
    raise RuntimeError("differences of no block were asked for; please report this")
