"""Starts for counts: where a model that was guessed is no mean of counts, the guess for more of them."""

import numpy as np

from .._input.validate import FloatArray
from .model import Model

# What is added to counts before another guess, as shares of their mean: a background that starts positive.
_LIFTS = (0.25, 1.0, 4.0)
# The least that is added, where there are hardly any counts.
_LEAST_LIFT = 0.1


def positive_start(model: Model, x: tuple[FloatArray, ...], y: FloatArray, start: FloatArray) -> FloatArray:
    """Return starts (K, N), where the model is positive if that can be had, from those guessed.

    Predictors have the shape (1, M) or (K, M), counts (K, M), NaN where they are missing.
    """
    found = start.copy()
    if model.guess is None:
        return found
    with np.errstate(all="ignore"):
        for lift in _LIFTS:
            shared = tuple(one[0] if len(one) == 1 else one for one in x)
            values = model(shared if len(shared) > 1 else shared[0], *found.T[:, :, None])
            bad = np.flatnonzero(~((values > 0) | np.isnan(y)).all(axis=1))
            if bad.size == 0:
                break
            of_bad = tuple(one[0] if len(one) == 1 else one[bad] for one in x)
            mean = np.nan_to_num(np.nanmean(y[bad], axis=1, keepdims=True))
            lifted = y[bad] + np.maximum(lift * mean, _LEAST_LIFT)
            found[bad] = model.guess(of_bad if len(of_bad) > 1 else of_bad[0], lifted)
    return found
