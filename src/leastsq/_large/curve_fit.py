"""`curve_fit` of data of any size."""

from collections.abc import Callable
from typing import Any

import numpy as np

from .._engines.iterate import Fit
from .._engines.numerical_jacobian import Differences
from .._input.validate import relative_error
from .._models.model import Model
from .._single.callback import Notify
from .._single.curve_fit_options import Keywords
from .._single.least_squares_result import LeastSquaresResult
from .._single.single_start import Beginning, refuse_too_few
from .._solver import codes, kernel
from .._solver.data import Data, that_count
from .._solver.losses import is_counts
from .._verdict.judge import Judged
from .fit import LargeFit, Step, Watch
from .fold import Source, of_no_block, try_in_blocks
from .points import ModelOfPoints, Points, Survey, survey

_POINTS_OF_GUESSES = 2**12


def sampled(source: Source) -> Data:
    """Return points from all over the data, for models to guess from where to start."""
    points: Points = source.block(source.sample(_POINTS_OF_GUESSES))
    return Data(points.x, that_count(points.y, points.weights), None)


def large_fit(
    f: Callable[..., Any], jac: Any, source: Source, begin: Beginning, keywords: Keywords, sigma: Any
) -> tuple[LargeFit, Survey]:
    """Return a fit that is ready to be made, once the function has been tried on two blocks of points."""
    n = begin.start.size
    compiled = isinstance(f, Model) and jac is None and keywords.scheme is None
    own = f.jac if isinstance(f, Model) and compiled else jac if callable(jac) else None
    options = keywords.options(n, own is not None, sigma)
    function = ModelOfPoints(f, own, keywords.col_deriv and not compiled, is_counts(options))
    received = try_in_blocks(function, source, begin.start, ("f", "jac"))
    if options.epsfcn is None:
        options = options._replace(epsfcn=relative_error(np.real(received)) or None)
    seen = survey(source)
    refuse_too_few(begin, seen.points)
    if is_counts(options) and seen.negative:
        raise ValueError(
            f"ydata: {seen.negative} of {seen.points} values are negative, and loss='poisson' is for counts. Leave the "
            f"background in, and make it part of the model"
        )
    chosen = None
    if keywords.scheme is not None:
        step = keywords.relative_step(n)
        chosen = Differences(of_no_block, keywords.scheme, step, options.epsfcn or 0.0, begin.box)
    return LargeFit(function, source, begin.box, options, chosen, seen.points), seen


def shown(notify: Notify | None) -> Watch | None:
    """Return what shows the steps of a fit to a callback, without residuals."""
    if notify is None:
        return None
    show = notify

    def watch(step: Step) -> int | None:
        if step.iterations == 0:
            return None
        cost = 0.5 * step.at.fnorm**2
        try:
            show(LeastSquaresResult(x=step.x.copy(), cost=cost, nit=step.iterations, nfev=step.evaluations))
        except StopIteration:
            return codes.CALLBACK
        return None

    return watch


def information_of(fit: Fit, judged: Judged, exact: bool) -> dict[str, Any]:
    """Return the dictionary that tells how a fit went, without what is as long as the data."""
    at = kernel.triangle_of(fit.state, fit.x.size)
    found = {"nfev": fit.nfev, "ipvt": at.pivots, "qtf": fit.state[at.qtf : at.qtf + fit.x.size]}
    found |= {"chisq": fit.fnorm**2, "offset": judged.offset}
    return found | ({"njev": fit.njev} if exact else {})
