"""Models made of models: sums and products, with other names of parameters, and with some of them fixed."""

import functools
import inspect
import math
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from .._input.validate import FloatArray, number_of
from .._solver import kernel
from .._solver.kernel import MOST_PARAMETERS
from .model import CompiledModel, Model

# What the addresses of sums are: functions for groups, and, where a term wants whole data sets, for a fit.
_FOR_GROUPS, _FOR_A_FIT = kernel.sum_functions(kernel.LEVEL)
_BY_GROUP: Final = 0
_BY_FIT: Final = -1


class Factor(NamedTuple):
    """A model that is not made of others, and what its parameters are: names, or the values of those that are fixed."""

    model: Model
    arguments: tuple[str | float, ...]

    def __str__(self) -> str:
        # As a call, in which what follows a keyword has to be one, too.
        shown = [self.model.predictor_name()]
        by_name = False
        for name, own in zip(self.model.param_names, self.arguments, strict=True):
            by_name = by_name or own != name
            shown.append(f"{name}={own!s}" if by_name else name)
        return f"{self.model.__name__}({', '.join(shown)})"


Terms = tuple[tuple[Factor, ...], ...]


class SumModel(Model):
    """A sum of products of models, which is a model itself.

    It is made by ``fix``, ``prefix``, ``+`` and ``*``, and evaluated by the compiled code term by term.
    """

    def __init__(self, terms: Terms) -> None:
        leaves = [factor.model for term in terms for factor in term]
        names = tuple(
            dict.fromkeys(a for term in terms for factor in term for a in factor.arguments if isinstance(a, str))
        )
        self.terms = terms
        self.__name__ = " + ".join(" * ".join(factor.model.__name__ for factor in term) for term in terms)
        self.__doc__ = f"Sum of models: {self.formula()}."
        _refuse_sizes(terms, names, self.__name__)
        differentiable = all(leaf.jac is not None for leaf in leaves)
        whole = any(leaf.numbers[0] == _BY_FIT for leaf in leaves)
        # The compiled code refers to it as long as the model lives.
        self._described = described(terms, names, leaves[0].predictors)
        numbers = (_BY_FIT, _FOR_A_FIT) if whole else (_BY_GROUP, _FOR_GROUPS)
        super().__init__(
            names, leaves[0].predictors, (numbers[0], int(differentiable), numbers[1], self._described.ctypes.data)
        )
        self.jac = self._derivatives if differentiable else None
        self.guess = self._start if all(leaf.guess is not None for leaf in leaves) else None
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        if all(name.isidentifier() for name in names):
            called = (leaves[0].predictor_name(), *names)
            self.__signature__ = inspect.Signature([inspect.Parameter(name, kind) for name in called])

    def formula(self) -> str:
        """Return the sum as a call of its models, which gives its values where these have their names."""
        return " + ".join(" * ".join(map(str, term)) for term in self.terms)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Return the values of the model; predictors and parameters broadcast."""
        x, values = self._by_name(arguments, named)
        total = 0.0
        with np.errstate(all="ignore"):
            for term in self.terms:
                total = total + math.prod(factor.model(x, *_own(factor, values)) for factor in term)
        return total

    def _by_name(self, arguments: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        x, *parameters = self.positional(arguments, named)
        self.refuse_other_parameters(tuple(parameters))
        return x, dict(zip(self.param_names, parameters, strict=True))

    def _derivatives(self, *arguments: Any, **named: Any) -> FloatArray:
        """Return the derivatives by the parameters, in one axis more, the last."""
        x, values = self._by_name(arguments, named)
        given = [*self.predictor_arrays(x), *map(np.asarray, values.values())]
        slopes = np.zeros((*np.broadcast_shapes(*(array.shape for array in given)), len(values)))
        with np.errstate(all="ignore"):
            for term in self.terms:
                factors = [factor.model(x, *_own(factor, values)) for factor in term]
                for k, factor in enumerate(term):
                    others = math.prod(factors[:k] + factors[k + 1 :])
                    of_factor = factor.model.jac(x, *_own(factor, values))  # type: ignore[misc]
                    for j, name in enumerate(factor.arguments):
                        if isinstance(name, str):
                            slopes[..., self.param_names.index(name)] += of_factor[..., j] * others
        return slopes

    def _start(self, x: Any, y: Any) -> FloatArray:
        """Return parameters to start from; see `CompiledModel.guess`."""
        from .sum_guesses import start_of_sum

        return start_of_sum(self, *self.of_one_size(x, y))

    def __eq__(self, other: object) -> bool:
        """Return whether another model is made of the same parts: a copy from a file or a process is."""
        return self.terms == other.terms if isinstance(other, SumModel) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.terms)

    def __reduce__(self) -> Any:
        return SumModel, (self.terms,)

    def __repr__(self) -> str:
        return f"<model {self.formula()}>"


def _own(factor: Factor, values: dict[str, Any]) -> list[Any]:
    """Return the parameters of a factor."""
    return [values[a] if isinstance(a, str) else a for a in factor.arguments]


def _refuse_sizes(terms: Terms, names: Sequence[str], name: str) -> None:
    """Raise unless the compiled code has room."""
    if not names:
        raise ValueError(f"{name} has no parameter left: expected at least one that is not fixed")
    largest = max(sum(len(factor.arguments) for factor in term) for term in terms)
    if len(names) > MOST_PARAMETERS or largest > MOST_PARAMETERS:
        raise ValueError(
            f"a model has at most {MOST_PARAMETERS} parameters, {name} {max(len(names), largest)}: fix some, or fit "
            f"the parts one after the other"
        )
    if max(len(term) for term in terms) > 1 and largest >= MOST_PARAMETERS:
        raise ValueError(
            f"the factors of a product have at most {MOST_PARAMETERS - 1} parameters together, got {largest}"
        )


def described(terms: Terms, names: Sequence[str], predictors: int) -> Any:
    """Describe a sum to the compiled code: see minpack/lanes/lane_sums.f90.in."""
    numbers: list[int] = [len(terms), predictors]
    seen: set[int] = set()
    for term in terms:
        numbers.append(len(term))
        for factor in term:
            columns = [names.index(a) + 1 if isinstance(a, str) else 0 for a in factor.arguments]
            numbers += [*factor.model.numbers.tolist(), len(columns), _direct(columns, seen, len(names), len(term))]
            for column, argument in zip(columns, factor.arguments, strict=True):
                value = 0.0 if isinstance(argument, str) else argument
                numbers += [-column if column in seen else column, int(np.float64(value).view(np.int64))]
                seen |= {column} - {0}
    return np.array(numbers, dtype=np.int64)


def _direct(columns: list[int], seen: set[int], count: int, factors: int) -> int:
    """Return where the derivatives of a term may be put at once, or 0: what is fixed must leave nothing behind."""
    first, free = columns[0], [column for column in columns if column]
    last = first + len(columns) - 1
    tidy = columns == [*range(first, first + len(free)), *[0] * (len(columns) - len(free))]
    clean = not seen & set(range(first, last + 1))
    return first if factors == 1 and first and tidy and clean and last <= count else 0


# --- How sums are made ---


def terms_of(model: Model) -> Terms:
    """Return what a model consists of: of itself, unless it is a sum."""
    return model.terms if isinstance(model, SumModel) else ((Factor(model, model.param_names),),)


def is_of_package(model: Model) -> bool:
    """Return whether a model is one of the package, or made of none but those."""
    return all(isinstance(factor.model, CompiledModel) for term in terms_of(model) for factor in term)


def _replaced(model: Model, of: dict[str, str | float]) -> SumModel:
    """Return a model with other names or values of parameters."""
    return SumModel(
        tuple(
            tuple(
                f._replace(arguments=tuple(of.get(a, a) if isinstance(a, str) else a for a in f.arguments))
                for f in term
            )
            for term in terms_of(model)
        )
    )


def fixed(model: Model, values: dict[str, Any]) -> SumModel:
    """Return a model of the parameters that have no value."""
    unknown = [name for name in values if name not in model.param_names]
    if unknown or not values:
        raise ValueError(
            f"{model.__name__} has the parameters {', '.join(model.param_names)}, fix got "
            f"{', '.join(unknown) or 'none'}"
        )
    found: dict[str, str | float] = {}
    for name, value in values.items():
        if isinstance(value, bool) or not math.isfinite(number_of(value)):
            raise ValueError(
                f"fix takes one finite number for all fits, got {name}={value!r}; where fits differ, give lower and "
                f"upper bounds that are equal"
            )
        found[name] = float(value)
    return _replaced(model, found)


def prefixed(model: Model, prefix: Any) -> SumModel:
    """Return a model whose parameters have longer names."""
    if not isinstance(prefix, str) or not f"{prefix}a".isidentifier():
        raise ValueError(f"prefix must be the beginning of a name, such as 'left_', got {prefix!r}")
    return _replaced(model, {name: f"{prefix}{name}" for name in model.param_names})


def _refuse_pair(left: Model, right: Any, sign: str) -> None:
    """Raise unless two models can be put together."""
    if not isinstance(right, Model):
        instead = ": take models.constant" if sign == "+" and np.isscalar(right) else ""
        raise TypeError(f"{left.__name__} {sign} expects another model, got {right!r}{instead}")
    if left.predictors != right.predictors:
        raise ValueError(
            f"{left.__name__} has {left.predictors} predictors, {right.__name__} {right.predictors}: expected the same "
            f"ones"
        )
    both = [name for name in left.param_names if name in right.param_names]
    if both:
        raise ValueError(
            f"{left.__name__} and {right.__name__} both have parameters named {', '.join(both)}: give one of them "
            f"other names, as in {right.__name__}.prefix('second_')"
        )


def added(left: Model, right: Any) -> SumModel:
    """Return the sum of two models of the same predictors."""
    _refuse_pair(left, right, "+")
    return SumModel(terms_of(left) + terms_of(right))


def multiplied(left: Model, right: Any) -> SumModel:
    """Return the product of two models of the same predictors."""
    _refuse_pair(left, right, "*")
    heights = [[name for name in m.param_names if name.endswith("amplitude")] for m in (left, right)]
    if all(heights):
        raise ValueError(
            f"of {heights[0][0]} and {heights[1][0]}, only the product would be determined: fix one, as in "
            f"{right.__name__}.fix({heights[1][0]}=1)"
        )
    return SumModel(tuple(one + other for one in terms_of(left) for other in terms_of(right)))


def understood(f: Any) -> Any:
    """Return the model that a `functools.partial` of a model means; anything else as it is."""
    if not (isinstance(f, functools.partial) and isinstance(f.func, Model)):
        return f
    if f.args:
        raise TypeError(
            f"functools.partial of {f.func.__name__} gives values by position, the first of which is xdata: name the "
            f"parameters, as in {f.func.__name__}.fix({f.func.param_names[-1]}=0.0)"
        )
    return fixed(f.func, f.keywords) if f.keywords else f.func
