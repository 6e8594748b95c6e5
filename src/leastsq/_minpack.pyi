from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

_Floats = NDArray[np.float64]
_Integers = NDArray[np.intc]

def begin(
    m: int,
    x0: _Floats,
    analytic: int,
    options: tuple[Any, ...],
    epsfcn: float,
    bounds: tuple[_Floats, _Floats] | None,
    /,
) -> _Floats: ...
def run(
    x0: _Floats,
    options: tuple[Any, ...],
    bounds: tuple[_Floats, _Floats] | None,
    func: Callable[..., Any],
    args: tuple[Any, ...],
    dfun: Callable[..., Any] | None,
    by_columns: bool,
    first: Any,
    look: Callable[[Any, _Floats, Any, Any], tuple[int, float]],
    finish: Callable[[Any, int, str], _Floats],
    finish_jacobian: Callable[[Any, int, int, bool, str], tuple[_Floats, bool]],
    names: tuple[str, str],
    watch: Callable[[_Floats], Any] | None,
    /,
) -> tuple[_Floats, _Floats, int, int, int, int, int, float, Any, Any]: ...
def take_residuals(state: _Floats, f: Any, x: _Floats, /) -> int: ...
def take_jacobian(state: _Floats, jacobian: Any, by_columns: bool, x: _Floats, /) -> int: ...
def take_values(state: _Floats, values: Any, y: _Floats, weights: _Floats | None, x: _Floats, /) -> int: ...
def take_slopes(
    state: _Floats, slopes: Any, by_columns: bool, y: _Floats, weights: _Floats | None, x: _Floats, /
) -> int: ...
def with_data(f: Callable[..., Any], data: Any, copies: bool, /) -> Callable[[_Floats], Any]: ...
def residual_function(
    f: Callable[..., Any],
    data: Any,
    copies: bool,
    observed: _Floats,
    weights: _Floats | None,
    finish: Callable[[Any], Any],
    /,
) -> Callable[[_Floats], Any]: ...
def outcome(state: _Floats, /) -> tuple[int, int, int, int, float]: ...
def covariance_matrix(
    state: _Floats, n: int, deviation: float, /
) -> tuple[_Floats | None, _Floats, float, float, float, float, float]: ...
def positions(state: _Floats, n: int, /) -> tuple[int, int, int, int, int, NDArray[np.intc]]: ...
def fold_rows(block: _Floats, y: _Floats, loss: int, f_scale: float, head: _Floats, work: _Floats) -> float: ...
def take_norm(state: _Floats, fnorm: float, x: _Floats) -> int: ...
def take_triangle(state: _Floats, head: _Floats, evaluations: int, x: _Floats) -> int: ...
def all_below(array: NDArray[Any], bound: float, /) -> bool: ...
def row_norms(rows: _Floats, /) -> _Floats: ...
def aligned(size: int, /) -> _Floats: ...
def processor_level() -> int: ...
def model_sizes(model: NDArray[np.int64], n: int, predictors: int, m: int) -> tuple[int, int, int]: ...
def group_shape(level: int) -> tuple[int, int]: ...
def sum_functions(level: int) -> tuple[int, int]: ...
def bounds() -> tuple[int, int, int, int]: ...
def evaluate_function(
    model: NDArray[np.int64], x: _Floats, p: _Floats, f: _Floats, with_jacobian: int, jac: _Floats
) -> int: ...
def refold_models(
    level: int,
    model: NDArray[np.int64],
    x: _Floats,
    y: _Floats,
    weights: _Floats,
    points: _Floats,
    bounds: _Floats,
    options: _Floats,
    purpose: int,
    wanted: _Integers,
    interrupt: _Integers,
    triangle: _Floats,
    work: _Floats,
) -> None: ...
def fit_models(
    level: int,
    model: NDArray[np.int64],
    x: _Floats,
    y: _Floats,
    weights: _Floats,
    p0: _Floats,
    scaled: int,
    diag: _Floats,
    bounds: _Floats,
    options: _Floats,
    interrupt: _Integers,
    popt: _Floats,
    triangle: _Floats,
    fnorm: _Floats,
    nfev: _Integers,
    status: _Integers,
    work: _Floats,
) -> None: ...
def step_model(
    level: int,
    model: NDArray[np.int64],
    x: _Floats,
    y: _Floats,
    weights: _Floats | None,
    interrupt: _Integers,
    state: _Floats,
    work: _Floats,
    point: _Floats,
    steps: int,
    /,
) -> int: ...
def evaluate_model(
    level: int, model: NDArray[np.int64], x: _Floats, p: _Floats, f: _Floats, with_jacobian: int, jac: _Floats
) -> None: ...
def take_statistics(
    level: int,
    absolute: int,
    limits: _Floats,
    x: _Floats,
    fnorm: _Floats,
    points: _Integers,
    triangles: _Floats,
    matrices: _Floats,
    offsets: _Floats,
    marks: NDArray[np.int8],
    work: _Floats,
) -> None: ...
def find_peaks(level: int, profile: int, x: _Floats, y: _Floats, peaks: _Floats, work: _Floats) -> None: ...
def find_tops(y: _Floats, top: _Integers, half: _Integers, work: _Floats) -> None: ...
def cut_windows(
    x: _Floats, y: _Floats, top: _Integers, half: _Integers, window_x: _Floats, window_y: _Floats
) -> None: ...
def choose_functions(level: int, family: int, x: _Floats, y: _Floats, chosen: _Floats, work: _Floats) -> None: ...
def choose_planes(level: int, family: int, x: _Floats, y: _Floats, planes: _Floats, work: _Floats) -> None: ...
def bin_deviations(last: int, x: _Floats, y: _Floats, series: _Floats) -> None: ...
def find_largest_power(first: int, last: int, transform: _Floats, peak: _Floats) -> None: ...
def fit_waves(
    level: int, x: _Floats, y: _Floats, cycles: _Floats, allowed: _Floats, waves: _Floats, work: _Floats
) -> None: ...
def slot_size(m: int, n: int, bounded: int) -> int: ...
def open_slots(
    m: int,
    which: _Integers,
    p0: _Floats,
    options: _Floats,
    scaled: int,
    diag: _Floats,
    lower: _Floats,
    upper: _Floats,
    states: _Floats,
    points: _Floats,
) -> None: ...
def take_block(
    which: _Integers,
    values: _Floats,
    y: _Floats,
    weights: _Floats,
    states: _Floats,
    points: _Floats,
    tasks: _Integers,
    work: _Floats,
) -> None: ...
def take_block_slopes(
    which: _Integers,
    values: _Floats,
    y: _Floats,
    weights: _Floats,
    slopes: _Floats,
    row_stride: int,
    fit_stride: int,
    column_stride: int,
    differenced: int,
    h: _Floats,
    states: _Floats,
    points: _Floats,
    tasks: _Integers,
    work: _Floats,
) -> None: ...
def read_slots(
    which: _Integers,
    states: _Floats,
    triangles: _Floats,
    fnorm: _Floats,
    nfev: _Integers,
    status: _Integers,
) -> None: ...
