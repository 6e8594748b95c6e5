"""What type checkers are told of `curve_fit_many`: its keywords, and arrays that make it lazy."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Protocol, TypedDict

from numpy.typing import ArrayLike

from .workers import Progress, Workers


class DaskArray(Protocol):
    """An array of dask's, which need not be installed."""

    @property
    def chunks(self) -> Any:
        """The sizes of its blocks."""

    def compute_chunk_sizes(self) -> Any:
        """Find sizes that are not known."""


class Keywords(TypedDict, total=False):
    """The keywords of `curve_fit_many` on which the type of what it returns does not depend."""

    bounds: Any
    fixed: Sequence[str] | Mapping[str, ArrayLike] | ArrayLike | None
    absolute_sigma: bool
    jac: Callable[..., Any] | None
    axis: int | Sequence[int]
    nan_policy: Literal["omit", "raise", "propagate"]
    ftol: float
    xtol: float
    gtol: float
    maxfev: int | None
    epsfcn: float | None
    factor: float
    diag: ArrayLike | None
    loss: str | Callable[[Any], ArrayLike]
    f_scale: float
    covariance: Literal["curvature", "sandwich"]
    vectorized: bool
    workers: Workers
    progress: Progress
    errors: Literal["status", "raise"]
    time_limit: float | None
    groups: ArrayLike | None
    lengths: ArrayLike | None
    data: Any
