from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

_Floats = NDArray[np.float64]

def state_size(m: int, n: int, analytic: int) -> int: ...
def start(
    state: _Floats,
    x0: _Floats,
    m: int,
    analytic: int,
    ftol: float,
    xtol: float,
    gtol: float,
    maxfev: int,
    epsfcn: float,
    factor: float,
    scaled: int,
    diag: _Floats,
) -> int: ...
def take_residuals(state: _Floats, f: Any, x: _Floats, /) -> int: ...
def take_jacobian(state: _Floats, jacobian: Any, by_columns: bool, x: _Floats, /) -> int: ...
def with_data(f: Callable[..., Any], data: Any, /) -> Callable[[_Floats], Any]: ...
def residual_function(
    f: Callable[..., Any], data: Any, observed: _Floats, weights: _Floats | None, finish: Callable[[Any], Any], /
) -> Callable[[_Floats], Any]: ...
def outcome(state: _Floats) -> tuple[int, int, int, int, float]: ...
def covariance_matrix(state: _Floats, deviation: float, cov: _Floats, norms: _Floats) -> float: ...
def positions(state: _Floats, ipvt: NDArray[np.intc]) -> tuple[int, int, int, int]: ...
