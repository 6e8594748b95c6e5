"""Models by address: functions of the user's, compiled elsewhere, that the compiled code calls without Python."""

import inspect
import itertools
from collections.abc import Callable, Iterable, Sequence, Sized
from typing import Any, Final

import numpy as np

from .._input.validate import FloatArray
from .._solver.kernel import MOST_PARAMETERS, MOST_PREDICTORS, evaluate_function
from .addresses import Layout, Native
from .model import Model

_NUMBERS: Final = {"lanes": 0, "fit": -1}


def parameter_names(param_names: Sequence[str] | int) -> tuple[str, ...]:
    """Return the names of parameters, numbered where only their number is known."""
    names: tuple[Any, ...] = ()
    if isinstance(param_names, (int, np.integer)) and not isinstance(param_names, bool):
        count = int(param_names)
    elif isinstance(param_names, str):
        names, count = (param_names,), 1
    elif isinstance(param_names, Iterable):  # which may have no end
        names = tuple(itertools.islice(param_names, MOST_PARAMETERS + 1))
        count = len(param_names) if isinstance(param_names, Sized) else len(names)
    else:
        names, count = (None,), 1
    if any(not isinstance(name, str) for name in names):
        raise TypeError(f"param_names must be names, or their number, got {param_names!r}")
    if not 1 <= count <= MOST_PARAMETERS:
        raise ValueError(f"a native model has from 1 to {MOST_PARAMETERS} parameters, got {count}")
    names = names or tuple(f"p{j}" for j in range(count))
    if len(set(names)) < len(names):
        raise ValueError(f"param_names names a parameter twice: {', '.join(names)}")
    return names


def refuse_predictors(predictors: Any) -> None:
    """Raise unless the number of predictors is one a native model can have."""
    if isinstance(predictors, bool) or not isinstance(predictors, int):
        raise TypeError(f"predictors must be a number of predictors, got {predictors!r}")
    if not 1 <= predictors <= MOST_PREDICTORS:
        raise ValueError(f"a native model has from 1 to {MOST_PREDICTORS} predictors, got {predictors}")


class NativeModel(Model):
    """A model whose values come from a function of the user's by address.

    It is made by `leastsq.native.model` and `leastsq.native.jit`, is taken by `leastsq`, `curve_fit` and
    `curve_fit_many`, and can be called like any NumPy function.
    """

    guess = None

    def __init__(
        self,
        native: Native,
        layout: Layout,
        param_names: Sequence[str],
        predictors: int,
        derivatives: bool,
        rebuild: tuple[Callable[..., "NativeModel"], tuple[Any, ...]] | None = None,
    ) -> None:
        super().__init__(param_names, predictors, (_NUMBERS[layout], int(derivatives), native.address, native.data))
        self._native = native  # which keeps what the addresses belong to
        self._layout = layout
        self._rebuild = rebuild
        self.__name__ = native.name
        self.__doc__ = f"Native model {native.name}({', '.join(('x', *self.param_names))})."
        self.jac = self._derivatives if derivatives else None
        names = ["x", *self.param_names]
        if all(name.isidentifier() for name in names) and len(set(names)) == len(names):
            kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
            self.__signature__ = inspect.Signature([inspect.Parameter(name, kind) for name in names])

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Return the values of the model; predictors and parameters broadcast.

        A function for a fit gets all points of the last axis at once; its parameters cannot vary along that.
        """
        x, *parameters = self.positional(arguments, named)
        return self._evaluate(x, tuple(parameters), False)[0]

    def _derivatives(self, *arguments: Any, **named: Any) -> FloatArray:
        """Return the derivatives by the parameters, in one axis more, the last."""
        x, *parameters = self.positional(arguments, named)
        return self._evaluate(x, tuple(parameters), True)[1]

    def _evaluate(self, x: Any, parameters: tuple[Any, ...], derivatives: bool) -> tuple[FloatArray, FloatArray]:
        """Return values, shape S, and derivatives, shape S + (N,)."""
        self.refuse_other_parameters(parameters)
        if self._layout == "lanes":
            values, slopes = self.evaluate_points(x, parameters, derivatives)
            return values, np.moveaxis(slopes, 0, -1)
        predictors = self.predictor_arrays(x)
        given = [np.asarray(p, dtype=np.float64) for p in parameters]
        shape = np.broadcast_shapes(*(array.shape for array in (*predictors, *given)))
        if any(p.ndim and p.shape[-1] != 1 and shape[-1] != 1 for p in given):
            raise ValueError(
                f"{self.__name__} evaluates all points of a data set at once: parameters cannot vary along the last "
                f"axis, got shapes {[p.shape for p in given]}"
            )
        return self._evaluate_sets(predictors, given, shape or (1,), shape, derivatives)

    def _evaluate_sets(
        self,
        predictors: tuple[FloatArray, ...],
        parameters: list[FloatArray],
        full: tuple[int, ...],
        shape: tuple[int, ...],
        derivatives: bool,
    ) -> tuple[FloatArray, FloatArray]:
        """Call the function for each data set, the last axis of `full`."""
        n, m = len(parameters), full[-1]
        values = np.empty(full)
        slopes = np.empty((*full, n if derivatives else 0))
        rows = [np.broadcast_to(predictor, full) for predictor in predictors]
        of_each = [np.broadcast_to(p, full) for p in parameters]
        for index in np.ndindex(full[:-1]):
            if m == 0:
                break
            code = evaluate_function(
                self.numbers,
                np.array([row[index] for row in rows]),
                np.array([p[index][0] for p in of_each]),
                values[index],
                int(derivatives),
                slopes[index].reshape(-1),
            )
            if code:
                values[index] = slopes[index] = np.nan
        return values.reshape(shape), slopes.reshape((*shape, slopes.shape[-1]))

    def __reduce__(self) -> Any:
        if self._rebuild is None:
            raise TypeError(
                f"{self.__name__} is an address, which means nothing in another process: make the model there, or from "
                f"a Python function with leastsq.native.jit, which travels"
            )
        return self._rebuild

    def __repr__(self) -> str:
        return f"<native model {self.__name__}({', '.join(('x', *self.param_names))})>"
