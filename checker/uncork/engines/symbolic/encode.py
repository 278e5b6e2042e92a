"""Expressions as Z3 terms: a Bool is a Bool, any other scalar is a bit-vector, and an array is a tuple of scalars.

A number is in two's complement, with as few bits as its sort needs. The sort of a sum or difference contains every
result, so arithmetic in the bits of the result is exact. `wrap` is translated to comparisons, without division.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from typing import Any, TypeAlias, cast

import z3

from uncork.core.expr import Expr, scalar
from uncork.core.sorts import Array, Bool, Enum, Range, Ring, Scalar, Sort, Value
from uncork.core.transform import Fold

Term: TypeAlias = Any
"""A Z3 term (Z3 has no types for mypy), or a tuple of terms for an array.

Every term belongs to a context. The models that Z3 finds depend on the terms created earlier in the context, so every
search has a context of its own.
"""


# -- constants and plain values ----------------------------------------------------------------------------------------
def declare(name: str, sort: Sort, context: z3.Context | None = None) -> Term:
    """A new Z3 constant. The constants of an array's elements are numbered."""
    match sort:
        case Array(size, element):
            return tuple(declare(f"{name}[{k}]", element, context) for k in range(size))
        case Bool():
            return z3.Bool(name, context)
    return z3.BitVec(name, _width(*bounds(sort)), context)


def atoms(term: Term) -> tuple[Any, ...]:
    """The scalar terms of a term: its elements for an array."""
    return term if isinstance(term, tuple) else (term,)


def literal(value: Value, sort: Sort, context: z3.Context | None = None) -> Term:
    """A plain value as a Z3 term."""
    match sort:
        case Array(_, element):
            return tuple(literal(each, element, context) for each in cast(tuple[Value, ...], value))
        case Bool():
            return z3.BoolVal(value, context)
        case Enum(names):
            value = names.index(cast(str, value))
    return z3.BitVecVal(value, _width(*bounds(sort)), context)


def plain(term: Term, sort: Sort) -> Value:
    """The plain value of a literal term."""
    match sort:
        case Array(_, element):
            return tuple(plain(each, element) for each in term)
        case Bool():
            return bool(z3.is_true(term))
    code = int(term.as_signed_long() if bounds(sort)[0] < 0 else term.as_long())
    return sort.names[code] if isinstance(sort, Enum) else code


# -- numbers -----------------------------------------------------------------------------------------------------------
def bounds(sort: Scalar) -> tuple[int, int]:
    """The least and the greatest code of a sort. The code of a name is its index."""
    match sort:
        case Range(low, high):
            return low, high
        case Ring(size):
            return 0, size - 1
        case Enum(names):
            return 0, len(names) - 1
    raise AssertionError(sort)


def _width(low: int, high: int) -> int:
    """The number of bits for the numbers from low to high: at least one, and one more for a sign if low < 0."""
    return max(high.bit_length(), (~low).bit_length()) + 1 if low < 0 else max(high.bit_length(), 1)


def _resized(term: Term, sort: Scalar, width: int) -> Term:
    """The number in `width` bits; modulo a power of two if `width` is smaller."""
    if width <= term.size():
        return term if width == term.size() else z3.Extract(width - 1, 0, term)
    extend = z3.SignExt if bounds(sort)[0] < 0 else z3.ZeroExt
    return extend(width - term.size(), term)


def _compared(op: str, left: Term, one: Scalar, right: Term, other: Scalar) -> Term:
    low = min(bounds(one)[0], bounds(other)[0])
    width = _width(low, max(bounds(one)[1], bounds(other)[1]))
    left, right = _resized(left, one, width), _resized(right, other, width)
    match op:
        case "==":
            return left == right
        case "<":
            return left < right if low < 0 else z3.ULT(left, right)
    return left <= right if low < 0 else z3.ULE(left, right)


def _wrapped(term: Term, sort: Range, size: int) -> Term:
    """The number modulo the size, by one comparison and subtraction for each lap in the range but the first."""
    width = _width(0, size - 1)
    laps = [lap * size for lap in range(sort.low // size, sort.high // size + 1)]
    result = _resized(term, sort, width) - laps[0]
    for lap in laps[1:]:
        passed = _compared("<=", literal(lap, Range(lap, lap), term.ctx), Range(lap, lap), term, sort)
        result = z3.If(passed, _resized(term, sort, width) - lap, result)
    return result


def fit(term: Term, sort: Sort, into: Sort) -> tuple[Term, list[Any]]:
    """A term of one sort as a term of another sort, and the tests whether its value fits the other sort."""
    if isinstance(sort, Array):
        assert isinstance(into, Array)
        parts = [fit(each, sort.element, into.element) for each in term]
        return tuple(part for part, _ in parts), [test for _, tests in parts for test in tests]
    if isinstance(sort, Bool):
        return term, []
    assert not isinstance(into, Array)
    (low, high), (least, most), tests = bounds(sort), bounds(into), []
    if low < least:
        tests.append(_compared("<=", literal(least, Range(least, least), term.ctx), Range(least, least), term, sort))
    if high > most:
        tests.append(_compared("<=", term, sort, literal(most, Range(most, most), term.ctx), Range(most, most)))
    return _resized(term, sort, _width(least, most)), tests


def inside(term: Term, sort: Sort) -> list[Any]:
    """The tests whether a constant is in its sort, if its bits can represent other values too."""
    match sort:
        case Array(_, element):
            return [test for each in term for test in inside(each, element)]
        case Bool():
            return []
    width, signed = term.size(), bounds(sort)[0] < 0
    every = Range(-(1 << width - 1), (1 << width - 1) - 1) if signed else Range(0, (1 << width) - 1)
    return fit(term, every, Range(*bounds(sort)))[1]


def choose(condition: Any, then: Term, otherwise: Term) -> Term:
    """`then` if the condition holds, else `otherwise`; the two terms have the same sort."""
    if isinstance(then, tuple):
        return tuple(choose(condition, one, other) for one, other in zip(then, otherwise, strict=True))
    return then if then is otherwise else z3.If(condition, then, otherwise)


def equal(left: Term, one: Sort, right: Term, other: Sort) -> Any:
    """Whether two terms have the same value."""
    if isinstance(one, Array):
        assert isinstance(other, Array)
        return z3.And(*(equal(a, one.element, b, other.element) for a, b in zip(left, right, strict=True)))
    if isinstance(one, Bool):
        return left == right
    return _compared("==", left, one, right, scalar(other))


# -- expressions -------------------------------------------------------------------------------------------------------
class Reading(Fold[Term]):
    """Translates expressions over one state, which is given as a term for each variable. A shared node is read once."""

    def __init__(self, state: Mapping[str, Term], context: z3.Context | None = None) -> None:
        super().__init__()
        self.state, self.context = state, context

    def _compute(self, node: Expr) -> Term:
        op, args = node.op, node.args
        if op == "const":
            return literal(cast(Value, node.value), node.sort, self.context)
        if op == "var":
            return self.state[str(node.value)]
        terms = [self(arg) for arg in args]
        match op:
            case "&":
                return z3.And(*terms)
            case "|":
                return z3.Or(*terms)
            case "~":
                return z3.Not(terms[0])
            case "ite":
                then, otherwise = (fit(terms[k], args[k].sort, node.sort)[0] for k in (1, 2))
                return choose(terms[0], then, otherwise)
            case "array":
                return tuple(terms)
            case "select":
                *others, last = terms[0]
                return reduce(lambda rest, k: z3.If(terms[1] == k, others[k], rest), range(len(others)), last)
            case "store":
                assert isinstance(node.sort, Array)
                old, new = fit(terms[0], args[0].sort, node.sort)[0], fit(terms[2], args[2].sort, node.sort.element)[0]
                return tuple(z3.If(terms[1] == k, new, each) for k, each in enumerate(old))
            case "wrap":
                assert isinstance(args[0].sort, Range)
                return _wrapped(terms[0], args[0].sort, cast(int, node.value))
            case "==":
                return equal(terms[0], args[0].sort, terms[1], args[1].sort)
            case "<" | "<=":
                return _compared(op, terms[0], scalar(args[0].sort), terms[1], scalar(args[1].sort))
        assert isinstance(node.sort, Range), op
        width = _width(node.sort.low, node.sort.high)
        left, right = (_resized(term, scalar(arg.sort), width) for term, arg in zip(terms, args, strict=True))
        return left + right if op == "+" else left - right
