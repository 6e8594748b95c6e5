"""Astropy models as functions of their parameters."""

import inspect
import threading
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from astropy.modeling import Model
from numpy.typing import NDArray

from ._input.bounds import Bounds
from ._input.validate import FloatArray


@dataclass(frozen=True)
class Formula:
    """A model as a function ``f(x, a, b, ...)`` of those of its parameters that are not tied."""

    model: Any
    #: The parameters that are not tied, which are the arguments, and what ties the others, in their order.
    names: tuple[str, ...]
    ties: dict[str, Any]
    # A copy of the model for each thread: some keep their last value, and ties look at parameters that are set.
    copies: dict[int, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, model: Any) -> "Formula":
        """Make it from a model without units."""
        ties = {name: model.tied[name] for name in model.param_names if callable(model.tied[name])}
        return cls(model, tuple(name for name in model.param_names if name not in ties), ties)

    @property
    def __signature__(self) -> inspect.Signature:
        """The names of the parameters, for who asks the function for them."""
        names = ("predictors", *self.names)
        return inspect.Signature([inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in names])

    def __call__(self, x: Any, *parameters: Any) -> FloatArray:
        """Evaluate the model, for many fits at once or one."""
        inputs = x if isinstance(x, tuple) else (x,)
        model = self.copies.get(threading.get_ident()) or self._copied()
        arrays = [np.asarray(p, dtype=np.float64) for p in parameters]
        values = self._completed(model, dict(zip(self.names, arrays, strict=True)))
        shape = np.broadcast_shapes(*map(np.shape, inputs), *map(np.shape, arrays))
        # Constants, and models in which a parameter is not used, may come back smaller.
        value: FloatArray = np.broadcast_to(model.evaluate(*inputs, *values.values()), shape)
        return value

    def _copied(self) -> Any:
        self.copies[threading.get_ident()] = model = self.model.copy()
        return model

    def _completed(self, model: Any, values: dict[str, Any]) -> dict[str, Any]:
        """Return the values of all parameters, in order; tied ones by what ties them, which is shown the model."""
        if self.ties:
            for name, value in values.items():
                getattr(model, name).value = value
            for name, tie in self.ties.items():
                value = tie(model)
                values[name] = np.asarray(getattr(value, "value", value), dtype=np.float64)
                getattr(model, name).value = values[name]
        return {name: values[name] for name in self.model.param_names}

    def values(self, popt: FloatArray) -> dict[str, Any]:
        """Return the values of all parameters by name, from an array of shape (..., N)."""
        columns = {name: popt[..., j] for j, name in enumerate(self.names)}
        values = self._completed(self.model.copy(), columns)
        return {name: np.broadcast_to(value, popt.shape[:-1]) for name, value in values.items()}

    def start(self, model: Any) -> FloatArray:
        """Return where to start, shape (..., N); within the bounds, as astropy does."""
        values = np.broadcast_arrays(*(np.asarray(getattr(model, name).value, dtype=float) for name in self.names))
        box = self.bounds(model)
        start: FloatArray = np.clip(np.stack(values, axis=-1), box.lower, box.upper)
        return start

    def bounds(self, model: Any) -> Bounds:
        """Return the bounds of the parameters, shape (N,); fixed ones have none."""
        pairs = [(None, None) if model.fixed[name] else model.bounds[name] for name in self.names]
        lower, upper = ([side if side is not None else end for side in sides] for sides, end in _sides(pairs))
        return Bounds(np.array(lower, dtype=np.float64), np.array(upper, dtype=np.float64))

    def fixed(self, model: Any) -> NDArray[np.bool_]:
        """Return which parameters are fixed, shape (N,)."""
        return np.array([bool(model.fixed[name]) for name in self.names], dtype=np.bool_)

    def __reduce__(self) -> Any:
        """Leave the copies of threads behind."""
        return Formula, (self.model, self.names, self.ties)


def _sides(pairs: list[Any]) -> Any:
    """Return lower bounds with minus infinity, and upper ones with infinity, for those that are None."""
    return zip(zip(*pairs, strict=True), (-np.inf, np.inf), strict=True)


def refuse_other_models(model: Any) -> None:
    """Raise where a model is none of astropy's."""
    if not isinstance(model, Model):
        raise TypeError(f"model: expected a model of astropy, got {type(model).__name__}")


def refuse_unfit(model: Any, inputs: int) -> None:
    """Raise where a model is none that can be fitted."""
    if not model.fittable:
        raise ValueError(f"model: {type(model).__name__} is not fittable, as astropy says of it")
    if model.n_inputs != inputs or model.n_outputs != 1:
        raise ValueError(
            f"model: got {model.n_inputs} inputs and {model.n_outputs} outputs, expected {inputs} inputs, as many as "
            f"there are predictors, and one output"
        )
    if len(model) != 1:
        raise ValueError(f"model: got a set of {len(model)} models, expected one; fit_cube fits one to many data sets")
    if getattr(model, "eqcons", None) or getattr(model, "ineqcons", None):
        raise ValueError("model: constraints by equations are not supported, only bounds, fixed and tied parameters")


def with_values(model: Any, values: dict[str, Any], inplace: bool) -> Any:
    """Return a copy of a model, or itself, with other values of its parameters: numbers, or arrays over many fits."""
    changed = model if inplace else model.copy()
    if all(np.ndim(value) == 0 for value in values.values()):
        changed.parameters = list(values.values())
    elif hasattr(changed, "_reset_parameters"):  # which is how astropy itself gives models other shapes
        changed._reset_parameters(**values)
    else:
        for name, value in values.items():
            getattr(changed, name).value = value
    return changed
