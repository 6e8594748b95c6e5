"""Which of the compiled copies of the lane modules runs: the best for this processor, unless a user chooses another."""

import os
from typing import Final

VARIABLE: Final = "LEASTSQ_LEVEL"
NAMES: Final = ("baseline", "v3", "v4")


def chosen_level(best: int) -> int:
    """Return the level that the environment names, the best one if it names none.

    Parameters
    ----------
    best : int
        The highest level that this processor runs, counted from 1.

    Returns
    -------
    int
        The level, counted from 1.

    Raises
    ------
    ImportError
        No such level, or one that this processor does not run.
    """
    name = os.environ.get(VARIABLE)
    if not name:
        return best
    if name not in NAMES:
        raise ImportError(f"{VARIABLE}: got {name!r}, expected one of {', '.join(NAMES)}; or unset it")
    level = NAMES.index(name) + 1
    if level > best:
        raise ImportError(
            f"{VARIABLE}: got {name!r}, but this processor runs {', '.join(NAMES[:best])} only; choose one of those, "
            "or unset it"
        )
    return level
