"""Models the compiled code evaluates by itself: those compiled with it, and functions of the user's by address."""

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .._input.missing import points_first
from .._input.pieces import present_numbers
from .._input.validate import FLOAT64, FloatArray, refuse_unreal
from .._solver import kernel

if TYPE_CHECKING:
    from .sums import SumModel


class Model:
    """What all such models have: names of parameters, a number of predictors, and what the compiled code knows."""

    #: How the compiled code finds it: its number, 1 if it gives derivatives, an address, and that of its data.
    numbers: NDArray[np.int64]
    #: Derivatives by the parameters, None where differences take their place.
    jac: Callable[..., FloatArray] | None
    #: Parameters to start from, None where there is no rule.
    guess: Callable[[Any, Any], FloatArray] | None
    __name__: str
    __module__: str

    def __init__(self, param_names: Sequence[str], predictors: int, numbers: Sequence[int]) -> None:
        self.param_names = tuple(param_names)
        self.predictors = predictors
        self.numbers = np.array(numbers, dtype=np.int64)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Return the values of the model; predictors and parameters broadcast."""
        raise NotImplementedError

    def predictor_arrays(self, x: Any) -> tuple[FloatArray, ...]:
        """Return each predictor as an array of float64."""
        if self.predictors == 1 and type(x) is np.ndarray and x.dtype is FLOAT64:
            return (x,)
        if self.predictors == 1 and isinstance(x, tuple) and len(x) != 1:
            x = np.asarray(x)  # numbers, not predictors
        return tuple(present_numbers(predictor, "x") for predictor in self.separated(x))

    def separated(self, x: Any) -> tuple[Any, ...]:
        """Return the predictors as a tuple, also where they are the rows of an array or the columns of a table."""
        if points_first(x):
            x = tuple(x[name] for name in x.columns)
        rows = self.predictors > 1 and not isinstance(x, tuple) and (isinstance(x, list) or np.ndim(x) > 0)
        found = x if isinstance(x, tuple) else tuple(x) if rows else (x,)
        if len(found) != self.predictors:
            raise ValueError(
                f"{self.__name__} has {self.predictors} predictors, got {len(found)}: expected a tuple of arrays"
            )
        return found

    def evaluate_points(self, x: Any, parameters: tuple[Any, ...], derivatives: bool) -> tuple[FloatArray, FloatArray]:
        """Return values, shape S, and derivatives, shape (N,) + S, of points that each have parameters of their own."""
        arrays = np.broadcast_arrays(*self.predictor_arrays(x), *(np.asarray(p, dtype=np.float64) for p in parameters))
        shape = arrays[0].shape
        points = np.array([array.ravel() for array in arrays])
        values, slopes = np.empty(points.shape[1]), np.empty((len(parameters) if derivatives else 0, points.shape[1]))
        if values.size:
            rows, of_each = points[: self.predictors], points[self.predictors :]
            kernel.evaluate_model(kernel.LEVEL, self.numbers, rows, of_each, values, int(derivatives), slopes.ravel())
        return values.reshape(shape), slopes.reshape((len(slopes), *shape))

    def of_one_size(self, x: Any, y: Any) -> tuple[tuple[FloatArray, ...], FloatArray]:
        """Return predictors and observations as arrays; raise unless they have as many points."""
        predictors = self.predictor_arrays(x)
        y = present_numbers(y, "y")
        sizes = [predictor.shape[-1:] for predictor in predictors]
        if y.ndim == 0 or any(size not in ((1,), y.shape[-1:]) for size in sizes):
            raise ValueError(
                f"the last axes of x and y are those of the points: expected one size, got "
                f"{', '.join(map(str, sizes))} and {y.shape[-1:]}"
            )
        return predictors, y

    # --- Models made of this one ---

    def fix(self, **values: Any) -> "SumModel":
        """Return the model of the other parameters, with these fixed.

        Parameters
        ----------
        **values : float
            Values of parameters, the same for all fits.

        Returns
        -------
        SumModel
            A model with fewer parameters, compiled as this one is.

        Raises
        ------
        ValueError
            If a name or a value is not one, or no parameter is left.

        Examples
        --------
        >>> from leastsq import models
        >>> models.exponential.fix(offset=0.0).param_names
        ('amplitude', 'rate')
        """
        from .sums import fixed

        return fixed(self, values)

    def prefix(self, prefix: str) -> "SumModel":
        """Return the same model with other names of parameters.

        Parameters
        ----------
        prefix : str
            What all names begin with from now on.

        Returns
        -------
        SumModel
            The model with longer names.

        Raises
        ------
        ValueError
            If `prefix` is not the beginning of a name.

        Examples
        --------
        >>> from leastsq import models
        >>> models.line.prefix("sky_").param_names
        ('sky_slope', 'sky_intercept')
        """
        from .sums import prefixed

        return prefixed(self, prefix)

    def __add__(self, other: Any) -> "SumModel":
        """Return the sum of two models, whose parameters have different names."""
        from .sums import added

        return added(self, other)

    def __mul__(self, other: Any) -> "SumModel":
        """Return the product of two models, whose parameters have different names."""
        from .sums import multiplied

        return multiplied(self, other)

    def predictor_name(self) -> str:
        """Return how calls name the predictors."""
        names = list(inspect.signature(self).parameters)
        return names[0] if len(names) == len(self.param_names) + 1 else "x"

    def positional(self, arguments: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, ...]:
        """Return predictors and parameters in order, as a call with keywords means them."""
        if not named:
            return arguments
        names = (self.predictor_name(), *self.param_names)
        found = dict(zip(names, arguments, strict=False))
        unknown = [name for name in named if name not in names]
        twice = [name for name in named if name in found]
        missing = [name for name in names if name not in found and name not in named]
        for problem, which in (("what it does not take:", unknown), ("twice", twice), ("no value for", missing)):
            if which:
                raise TypeError(f"{self.__name__}({', '.join(names)}) got {problem} {', '.join(which)}")
        return tuple(found[name] if name in found else named[name] for name in names)

    def refuse_other_parameters(self, parameters: tuple[Any, ...]) -> None:
        """Raise unless there are as many parameters as names, none of them missing or a time."""
        if len(parameters) != len(self.param_names):
            raise TypeError(
                f"{self.__name__} has {len(self.param_names)} parameters ({', '.join(self.param_names)}), "
                f"got {len(parameters)}"
            )
        for name, value in zip(self.param_names, parameters, strict=True):
            if value is None:
                raise TypeError(f"{name}: got None, expected real numbers")
            dtype = getattr(value, "dtype", FLOAT64)
            if dtype is not FLOAT64 and getattr(dtype, "kind", "f") in "mM":
                refuse_unreal(dtype, name)


class CompiledModel(Model):
    """A model whose values and derivatives are compiled, and which can be called like any NumPy function.

    Calling it evaluates its formula in NumPy. `jac`, and every fit, runs the compiled code.
    """

    def __init__(self, formula: Callable[..., Any], number: int, predictors: int, guess: Callable[..., Any]) -> None:
        super().__init__(tuple(inspect.signature(formula).parameters)[1:], predictors, (number, 1, 0, 0))
        functools.update_wrapper(self, formula)
        self._predictor = next(iter(inspect.signature(formula).parameters))
        self.__module__ = "leastsq.models"  # where pickles find it
        self._formula = formula
        self._guess = guess

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Return the values of the model; predictors and parameters broadcast."""
        x, *rest = self.positional(arguments, named)
        parameters = tuple(rest)
        self.refuse_other_parameters(parameters)
        predictors = self.predictor_arrays(x)
        with np.errstate(all="ignore"):  # what has no value is NaN or infinite, as in fits
            return self._formula(predictors if self.predictors > 1 else predictors[0], *parameters)

    def predictor_name(self) -> str:
        """Return how calls name the predictors."""
        return self._predictor

    def compiled_values(self, x: Any, *parameters: Any) -> FloatArray:
        """Return the values from the compiled code, for formulas that NumPy has no functions for."""
        return self.evaluate_points(x, parameters, False)[0]

    def jac(self, x: Any, *parameters: Any, **named: Any) -> FloatArray:
        """Return the derivatives by the parameters, in one axis more, the last.

        Parameters
        ----------
        x : array_like, or tuple of array_like for models of several predictors
            The predictors.
        *parameters : array_like
            The parameters of the model, by position or by name. Predictors and parameters broadcast to one shape S.

        Returns
        -------
        ndarray of shape S + (N,)
            The derivatives.

        Examples
        --------
        >>> from leastsq import models
        >>> models.michaelis_menten.jac(2.0, 3.0, 2.0).tolist()
        [0.5, -0.375]
        """
        x, *rest = self.positional((x, *parameters), named)
        parameters = tuple(rest)
        self.refuse_other_parameters(parameters)
        return np.moveaxis(self.evaluate_points(x, parameters, True)[1], 0, -1)

    def guess(self, x: Any, y: Any) -> FloatArray:
        """Return parameters to start from, good enough to converge on noisy data.

        Parameters
        ----------
        x : array_like, or tuple of array_like for models of several predictors
            The predictors, shape (M,) or (..., M).
        y : array_like of shape (..., M)
            The observations; NaN is a missing point.

        Returns
        -------
        ndarray of shape (..., N)
            The parameters, always finite.

        Raises
        ------
        ValueError
            If `x` and `y` have different numbers of points.

        Examples
        --------
        >>> import numpy as np
        >>> from leastsq import models
        >>> x = np.linspace(0, 10, 50)
        >>> amplitude, center, sigma, offset = models.gaussian.guess(x, models.gaussian(x, 5.0, 4.0, 1.0, 0.5))
        >>> center.round(1).item()
        4.0
        """
        predictors, y = self.of_one_size(x, y)
        start: FloatArray = self._guess(predictors if self.predictors > 1 else predictors[0], y)
        return start

    def __reduce__(self) -> str:
        return self.__name__

    def __repr__(self) -> str:
        return f"<compiled model {self.__name__}({', '.join(inspect.signature(self).parameters)})>"


def compiled(
    number: int, guess: Callable[..., Any], predictors: int = 1
) -> Callable[[Callable[..., Any]], CompiledModel]:
    """Tie a formula to the procedure of that number in minpack/lanes, and to its starting values."""
    return lambda formula: CompiledModel(formula, number, predictors, guess)
