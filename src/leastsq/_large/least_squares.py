"""`least_squares` of data of any size: arguments of the function that are files or dask arrays, cut."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from .._engines.numerical_jacobian import Differences
from .._input.bounds import Bounds
from .._input.pieces import is_dask
from .._input.validate import FloatArray, as_array, real_array, relative_error
from .._single.least_squares_result import End, LeastSquaresResult, Report, Seen
from .._solver import kernel
from .._solver.kernel import OF_CURVATURE
from .._solver.losses import is_robust
from .._solver.problem import Options
from .fit import LargeFit, Step
from .fold import of_no_block, try_in_blocks
from .sources import are_large, in_blocks


class Block(NamedTuple):
    """Further arguments of a function, for some of the points."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    size: int


@dataclass(frozen=True)
class Arguments:
    """Further arguments of a function, without those that have entries for each point, and where these belong."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    #: Positions or names, each with whether points are along the first axis.
    places: tuple[tuple[int | str, bool], ...]

    def __call__(self, arrays: tuple[Any, ...]) -> Block:
        """Return the arguments with arrays of some points."""
        args, kwargs = list(self.args), dict(self.kwargs)
        for (place, points_first), array in zip(self.places, arrays, strict=True):
            own = np.array(array.T if points_first else array, order="C")
            if isinstance(place, int):
                args[place] = own
            else:
                kwargs[place] = own
        return Block(tuple(args), kwargs, arrays[0].shape[-1])


@dataclass(frozen=True)
class Residuals:
    """Residuals of a block, one for each point, and their derivatives where the user has a function for them."""

    fun: Callable[..., Any]
    jac: Callable[..., Any] | None

    @property
    def exact(self) -> bool:
        """Whether there are derivatives."""
        return self.jac is not None

    def raw(self, block: Block, p: FloatArray) -> Any:
        """Return the residuals as the user's function gives them."""
        return self.fun(p.copy(), *block.args, **block.kwargs)

    def kept(self, block: Block, p: FloatArray) -> FloatArray:
        """Return residuals, (M,)."""
        received = self.raw(block, p)
        found = np.atleast_1d(as_array(received, "fun") if np.iscomplexobj(p) else real_array(received, "fun"))
        if found.shape != (block.size,):
            raise ValueError(
                f"fun returned an array of shape {found.shape} for {block.size} points of data that may not fit into "
                f"memory, expected one residual for each point: {(block.size,)}. Penalties and several residuals for a "
                f"point need the data in memory: np.array(data)"
            )
        return found

    def slopes(self, block: Block, p: FloatArray) -> FloatArray:
        """Return their derivatives, (M, N)."""
        jac: Any = self.jac
        found = np.atleast_2d(real_array(jac(p.copy(), *block.args, **block.kwargs), "jac"))
        if found.shape != (block.size, p.size):
            raise ValueError(f"jac returned an array of shape {found.shape}, expected {(block.size, p.size)}")
        return found

    def counts(self, block: Block) -> None:
        """Return nothing: there are no counts here."""


def large_arguments(args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[int | str, Any]:
    """Return arguments that have entries for each point, by position or name; none if all data are in memory.

    The points are along the longest axis of what may be too large for memory, and of all arrays that have one like it.
    """
    named: dict[int | str, Any] = dict(enumerate(args))
    named.update(kwargs)
    arrays = {name: one for name, one in named.items() if isinstance(one, np.ndarray) or is_dask(one)}
    large = [one for one in arrays.values() if isinstance(one, np.memmap) or is_dask(one)]
    lengths = [size for one in large for size in one.shape]
    if not lengths or not are_large(large, max(lengths)):
        return {}
    if any(size != size for size in lengths):
        raise ValueError("args: the shape of a dask array is not known: call its compute_chunk_sizes() first")
    m = max(lengths)
    return {name: one for name, one in arrays.items() if m in (one.shape[:1] + one.shape[-1:])}


def large_fit(
    residuals: Residuals,
    jac: Any,
    given: Arguments,
    cut: dict[int | str, Any],
    step: FloatArray | None,
    box: Bounds | None,
    start: FloatArray,
    options: Options,
) -> LargeFit:
    """Return a fit that is ready to be made, once its functions have been tried on two blocks of points."""
    m = max(max(one.shape) for one in cut.values())
    places, arrays = [], []
    for name, one in cut.items():
        points_first = one.shape[-1] != m
        if one.ndim > 1 and one.shape[0] == one.shape[-1] == m:
            raise ValueError(f"args: an array of shape {one.shape} may have points along either axis; read it first")
        places.append((name, points_first))
        arrays.append(one.T if points_first else one)
    rest = tuple(None if i in cut else one for i, one in enumerate(given.args))
    others = {name: one for name, one in given.kwargs.items() if name not in cut}
    numbers = sum(math.prod(one.shape[:-1]) for one in arrays)
    source = in_blocks(tuple(arrays), Arguments(rest, others, tuple(places)), numbers)
    error = relative_error(try_in_blocks(residuals, source, start, ("fun", "jac")))
    options = options._replace(epsfcn=error or None)
    chosen = None if residuals.exact else Differences(of_no_block, str(jac), step, error, box)
    return LargeFit(residuals, source, box, options, chosen, m, "fun")


def fit_large(one: LargeFit, start: FloatArray, report: Report, counts_differences: bool) -> LeastSquaresResult:
    """Fit, show each step, and describe the end; the Jacobian is a triangle with the same product."""
    found = one.iterated(start, one.options, watch=lambda step: report.show(_seen(step)))
    nfev, jacobians = kernel.outcome(found.fit.state)[1], found.last.iterations + 1
    at, fold = found.last.at, one.fold(both=False)
    if is_robust(one.options):
        at = one.evaluated(found.last.x, fold, OF_CURVATURE)
    ended = None if found.stopped is not None else found.fit.info
    if counts_differences:
        nfev += jacobians * one.evaluations(start.size, fold)
    end = End(ended, found.stopped, nfev, None if counts_differences else jacobians)
    return report.end(_seen(found.last), at.triangle[:-1].T.copy(), end)


def _seen(step: Step) -> Seen:
    """Return what is looked at of a step."""
    return Seen(step.x, 0.5 * step.at.fnorm**2, step.gradient, step.iterations, step.evaluations, {})
