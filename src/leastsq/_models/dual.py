"""Dual numbers for numba: values that carry their derivative by one parameter along, and values that do not.

A number v + d e with e e = 0 follows the rules of differentiation through arithmetic and elementary functions. Numbers
without derivative have a type of their own, so that no zeros are multiplied; the exponential of either is one that
compilers vectorise.

Reference: A. Griewank, A. Walther, "Evaluating Derivatives", 2nd ed., SIAM, 2008, chapter 3.
"""

import math
import operator
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.typeconv import Conversion
from numba.extending import intrinsic, lower_cast, make_attribute_wrapper, models, overload, register_model

# Sums may be contracted but not reassociated, and NaN stays what it is. Where functions are inlined, what several
# derivatives have in common is computed once.
OPTIONS: dict[str, Any] = {"error_model": "numpy", "fastmath": {"contract"}, "forceinline": True}


class DualType(types.Type):
    """A value in double precision, with its derivative if it is active."""

    def __init__(self, active: bool) -> None:
        self.active = active
        super().__init__(name="Dual" if active else "Constant")

    def can_convert_from(self, typingctx: Any, other: Any) -> Any:
        """Say that numbers, and constants, can become this."""
        if _is_number(other) or (isinstance(other, DualType) and self.active):
            return Conversion.safe
        return None

    def unify(self, typingctx: Any, other: Any) -> Any:
        """Return the type that holds both."""
        if _is_number(other):
            return self
        return _ACTIVE if isinstance(other, DualType) else None


def _is_number(kind: Any) -> bool:
    return isinstance(kind, (types.Integer, types.Float, types.Boolean))


_ACTIVE, _CONSTANT = DualType(True), DualType(False)


@register_model(DualType)
class _DualModel(models.StructModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        slope = [("slope", types.float64)] if kind.active else []
        super().__init__(manager, kind, [("value", types.float64), *slope])


make_attribute_wrapper(DualType, "value", "value")
make_attribute_wrapper(DualType, "slope", "slope")


def _pack(context: Any, builder: Any, kind: DualType, value: Any, slope: Any = None) -> Any:
    packed = cgutils.create_struct_proxy(kind)(context, builder)
    packed.value = value
    if kind.active:
        packed.slope = context.get_constant(types.float64, 0.0) if slope is None else slope
    return packed._getvalue()


@intrinsic
def dual(typingctx: Any, value: Any, slope: Any) -> Any:
    """Return a value with a derivative."""

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        value, slope = (
            context.cast(builder, one, kind, types.float64) for one, kind in zip(given, signature.args, strict=True)
        )
        return _pack(context, builder, _ACTIVE, value, slope)

    return _ACTIVE(value, slope), generate


@intrinsic
def constant(typingctx: Any, value: Any) -> Any:
    """Return a value without a derivative."""

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        return _pack(context, builder, _CONSTANT, context.cast(builder, given[0], signature.args[0], types.float64))

    return _CONSTANT(value), generate


@lower_cast(types.Integer, DualType)
@lower_cast(types.Float, DualType)
@lower_cast(types.Boolean, DualType)
def _number_to_dual(context: Any, builder: Any, source: Any, target: Any, given: Any) -> Any:
    return _pack(context, builder, target, context.cast(builder, given, source, types.float64))


@lower_cast(DualType, DualType)
def _constant_to_dual(context: Any, builder: Any, source: Any, target: Any, given: Any) -> Any:
    return _pack(context, builder, target, cgutils.create_struct_proxy(source)(context, builder, value=given).value)


def value_of(number: Any) -> Any:
    """Return the value of a number of any kind."""
    raise NotImplementedError


def slope_of(number: Any) -> Any:
    """Return the derivative of a number of any kind."""
    raise NotImplementedError


@overload(value_of, strict=False)
def _value_of(number: Any) -> Any:
    if isinstance(number, DualType):
        return lambda number: number.value
    if isinstance(number, types.Boolean):
        return lambda number: 1.0 if number else 0.0
    return (lambda number: float(number)) if _is_number(number) else None


@overload(slope_of, strict=False)
def _slope_of(number: Any) -> Any:
    if isinstance(number, DualType):
        return (lambda number: number.slope) if number.active else (lambda number: 0.0)
    return (lambda number: 0.0) if _is_number(number) else None


def _is_active(kind: Any) -> bool:
    return isinstance(kind, DualType) and kind.active


def _involves_duals(a: Any, b: Any) -> bool:
    kinds = [isinstance(kind, DualType) for kind in (a, b)]
    return any(kinds) and all(one or _is_number(kind) for one, kind in zip(kinds, (a, b), strict=True))


def _binary(operators: tuple[Any, ...], plain: Any, both: Any, first: Any, second: Any) -> None:
    """Define an operator: for constants, and where both numbers, the first or the second have a derivative."""
    for operator_ in operators:

        @overload(operator_, strict=False)
        def _chosen(a: Any, b: Any) -> Any:
            if not _involves_duals(a, b):
                return None
            return {(True, True): both, (True, False): first, (False, True): second}.get(
                (_is_active(a), _is_active(b)), plain
            )


@numba.njit(**OPTIONS)
def _chained(derivative: float, slope: float) -> float:
    """Return a product in a derivative, 0 where either factor is, whatever the other one.

    So sqrt(a*x) has derivative 0 by a at x = 0, a pole; and where exp(-a*x) has come to 0, at infinity, so have others.
    """
    return 0.0 if slope == 0.0 or derivative == 0.0 else derivative * slope


_binary(
    (operator.add, operator.iadd),
    lambda a, b: constant(value_of(a) + value_of(b)),
    lambda a, b: dual(a.value + b.value, a.slope + b.slope),
    lambda a, b: dual(a.value + value_of(b), a.slope),
    lambda a, b: dual(value_of(a) + b.value, b.slope),
)
_binary(
    (operator.sub, operator.isub),
    lambda a, b: constant(value_of(a) - value_of(b)),
    lambda a, b: dual(a.value - b.value, a.slope - b.slope),
    lambda a, b: dual(a.value - value_of(b), a.slope),
    lambda a, b: dual(value_of(a) - b.value, -b.slope),
)
_binary(
    (operator.mul, operator.imul),
    lambda a, b: constant(value_of(a) * value_of(b)),
    lambda a, b: dual(a.value * b.value, a.slope * b.value + a.value * b.slope),
    lambda a, b: dual(a.value * value_of(b), a.slope * value_of(b)),
    lambda a, b: dual(value_of(a) * b.value, value_of(a) * b.slope),
)


def _divide_both(a: Any, b: Any) -> Any:
    quotient = a.value / b.value
    return dual(quotient, (a.slope - _chained(quotient, b.slope)) / b.value)


def _divide_by_second(a: Any, b: Any) -> Any:
    quotient = value_of(a) / b.value
    return dual(quotient, -_chained(quotient, b.slope) / b.value)


_binary(
    (operator.truediv, operator.itruediv),
    lambda a, b: constant(value_of(a) / value_of(b)),
    _divide_both,
    lambda a, b: dual(a.value / value_of(b), a.slope / value_of(b)),
    _divide_by_second,
)


@numba.njit(**OPTIONS)
def _power_slope(base: float, exponent: float) -> float:
    """Return the derivative of a power by its exponent: 0 where the power is 0."""
    power = base**exponent
    return 0.0 if power == 0.0 else power * math.log(base)


@numba.njit(**OPTIONS)
def _power_by_base(base: float, exponent: float) -> float:
    """Return the derivative of a power by its base: 0 where the power is 1 everywhere."""
    return 0.0 if exponent == 0.0 else exponent * base ** (exponent - 1.0)


def _power_both(a: Any, b: Any) -> Any:
    by_base = _chained(_power_by_base(a.value, b.value), a.slope)
    return dual(a.value**b.value, by_base + _chained(_power_slope(a.value, b.value), b.slope))


def _power_first(a: Any, b: Any) -> Any:
    exponent = value_of(b)
    return dual(a.value**exponent, _chained(_power_by_base(a.value, exponent), a.slope))


def _power_second(a: Any, b: Any) -> Any:
    return dual(value_of(a) ** b.value, _chained(_power_slope(value_of(a), b.value), b.slope))


def _power_plain(a: Any, b: Any) -> Any:
    return constant(value_of(a) ** value_of(b))


def _power(a: Any, b: Any) -> Any:
    """Choose how to raise to a power; whole ones that are known are multiplied out, which compilers vectorise."""
    if isinstance(b, types.IntegerLiteral) and isinstance(a, DualType):
        return _whole_power(b.literal_value, a.active)
    if not _involves_duals(a, b):
        return None
    return _CHOICES[_is_active(a), _is_active(b)]


def _whole_power(n: int, active: bool) -> Any:
    """Choose how to raise to a whole power; numba raises ZeroDivisionError for negative ones of zero, so we divide."""
    less, up, more = n - 1, -n, 1 - n
    if n == 0:
        return (lambda a, b: dual(1.0, 0.0)) if active else (lambda a, b: constant(1.0))
    if n > 0 and active:
        return lambda a, b: dual(a.value**n, _chained(n * a.value**less, a.slope))
    if active:
        return lambda a, b: dual(1.0 / a.value**up, _chained(n / a.value**more, a.slope))
    return (lambda a, b: constant(a.value**n)) if n > 0 else (lambda a, b: constant(1.0 / a.value**up))


_CHOICES = {
    (True, True): _power_both,
    (True, False): _power_first,
    (False, True): _power_second,
    (False, False): _power_plain,
}
for _operator in (operator.pow, operator.ipow):
    overload(_operator, strict=False, prefer_literal=True)(_power)
for _raise in (pow, math.pow, np.power):
    overload(_raise, strict=False)(_power)

for _compare in ("<", "<=", ">", ">=", "==", "!="):
    _comparison = eval(f"lambda a, b: value_of(a) {_compare} value_of(b)", {"value_of": value_of})
    _name = {"<": "lt", "<=": "le", ">": "gt", ">=": "ge", "==": "eq", "!=": "ne"}[_compare]
    _binary((getattr(operator, _name),), *[_comparison] * 4)


@overload(operator.neg, strict=False)
def _negative(a: Any) -> Any:
    if not isinstance(a, DualType):
        return None
    return (lambda a: dual(-a.value, -a.slope)) if a.active else (lambda a: constant(-a.value))


@overload(operator.pos, strict=False)
def _positive(a: Any) -> Any:
    return (lambda a: a) if isinstance(a, DualType) else None


@overload(float, strict=False)
def _float(a: Any) -> Any:
    return (lambda a: a) if isinstance(a, DualType) else None


@overload(bool, strict=False)
def _bool(a: Any) -> Any:
    return (lambda a: a.value != 0.0) if isinstance(a, DualType) else None


@intrinsic
def _bits(typingctx: Any, number: Any) -> Any:
    """Return the bits of a float64 as an int64."""
    return types.int64(types.float64), lambda context, builder, signature, given: builder.bitcast(
        given[0], ir.IntType(64)
    )


@intrinsic
def _from_bits(typingctx: Any, bits: Any) -> Any:
    """Return the float64 of some bits."""
    return types.float64(types.int64), lambda context, builder, signature, given: builder.bitcast(
        given[0], ir.DoubleType()
    )


@numba.njit(**OPTIONS)
def exponential(x: Any) -> Any:
    """Return the exponential of a float64, as `lane_exp` of the compiled models does."""
    shifted = x * 1.44269504088896341 + 6755399441056767.0  # leaves the exponent in the lowest bits
    k = shifted - 6755399441056767.0
    r = (x - k * 6.93147180369123816e-1) - k * 1.90821492927058770e-10
    square = r * r
    fourth = square * square
    low = (4.166666666662413e-2 + 8.333333333330062e-3 * r) * square + (0.5 + 1.6666666666666669e-1 * r)
    high = (2.4801521295954376e-5 + 2.7557268459997064e-6 * r) * square
    high += 1.3888888917213717e-3 + 1.9841269863053618e-4 * r
    high += (2.7620088445409746e-7 + 2.510038549551032e-8 * r) * fourth
    power = (((high * fourth + low) * square + r) + 1.0) * _from_bits(_bits(shifted) << 52)
    power = np.inf if x > 709.0 else power
    return 0.0 if x < -708.0 else power


# Functions of one number, what evaluates them, and their derivatives from the argument x and the value y.
_RULES: dict[str, tuple[Any, Any]] = {
    "exp": (exponential, lambda x, y: y),
    "expm1": (math.expm1, lambda x, y: y + 1.0),
    "log": (math.log, lambda x, y: 1.0 / x),
    "log1p": (math.log1p, lambda x, y: 1.0 / (1.0 + x)),
    "log10": (math.log10, lambda x, y: 0.43429448190325182765 / x),
    "log2": (np.log2, lambda x, y: 1.44269504088896340736 / x),
    "sqrt": (math.sqrt, lambda x, y: 0.5 / y),
    "sin": (math.sin, lambda x, y: math.cos(x)),
    "cos": (math.cos, lambda x, y: -math.sin(x)),
    "tan": (math.tan, lambda x, y: 1.0 + y * y),
    "asin": (math.asin, lambda x, y: 1.0 / math.sqrt(1.0 - x * x)),
    "acos": (math.acos, lambda x, y: -1.0 / math.sqrt(1.0 - x * x)),
    "atan": (math.atan, lambda x, y: 1.0 / (1.0 + x * x)),
    "sinh": (math.sinh, lambda x, y: math.cosh(x)),
    "cosh": (math.cosh, lambda x, y: math.sinh(x)),
    "tanh": (math.tanh, lambda x, y: 1.0 - y * y),
    "asinh": (math.asinh, lambda x, y: 1.0 / math.sqrt(x * x + 1.0)),
    "acosh": (math.acosh, lambda x, y: 1.0 / math.sqrt(x * x - 1.0)),
    "atanh": (math.atanh, lambda x, y: 1.0 / (1.0 - x * x)),
    "erf": (math.erf, lambda x, y: 1.12837916709551257390 * exponential(-x * x)),
    "erfc": (math.erfc, lambda x, y: -1.12837916709551257390 * exponential(-x * x)),
    "fabs": (math.fabs, lambda x, y: 1.0 if x >= 0.0 else -1.0),
}
_NAMES_IN_NUMPY = {
    "asin": "arcsin",
    "acos": "arccos",
    "atan": "arctan",
    "asinh": "arcsinh",
    "acosh": "arccosh",
    "atanh": "arctanh",
}


def _function(function: Any, evaluate: Any, derivative: Any) -> None:
    """Define a function of one number by what evaluates it and by its derivative."""
    derivative = numba.njit(**OPTIONS)(derivative)

    def active(x: Any) -> Any:
        value = evaluate(x.value)
        return dual(value, _chained(derivative(x.value, value), x.slope))

    def plain(x: Any) -> Any:
        return constant(evaluate(x.value))

    def choose(x: Any) -> Any:
        return (active if x.active else plain) if isinstance(x, DualType) else None

    overload(function, strict=False)(choose)


for _name, (_evaluate, _derivative) in _RULES.items():
    _function(getattr(math, _name), _evaluate, _derivative)
    _in_numpy = getattr(np, _NAMES_IN_NUMPY.get(_name, _name), None)
    if _in_numpy is not None:
        _function(_in_numpy, _evaluate, _derivative)
_function(abs, *_RULES["fabs"])
_function(np.abs, *_RULES["fabs"])
_function(np.square, numba.njit(**OPTIONS)(lambda x: x * x), lambda x, y: 2.0 * x)


@overload(min, strict=False)
def _min(a: Any, b: Any) -> Any:
    return (lambda a, b: b if b < a else a) if _involves_duals(a, b) else None


@overload(max, strict=False)
def _max(a: Any, b: Any) -> Any:
    return (lambda a, b: b if b > a else a) if _involves_duals(a, b) else None
