"""Translates expressions with symbolic sizes to Z3 terms in linear arithmetic, by unwinding rings.

A position on a ring becomes a whole number that counts without bound; its remainder is the position on the ring. Adding
to a position or subtracting from it is then plain arithmetic. A distance or equality of two positions compares their
remainders. The translation of a remainder is exact if the two positions are less than two rings apart, which the proof
must show for every distance and equality (`laps`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

import z3

from uncork.core.expr import Expr, boolean, gap, ite
from uncork.core.size import Size, Symbol
from uncork.core.sorts import Bool, Enum, Range, Ring
from uncork.core.system import Variable
from uncork.core.transform import Fold

LARGEST = 65536
"""The greatest size: the most entries of a queue and the most SQs of a controller in NVMe."""


class Unwound(Fold[Any]):
    """Translates expressions to Z3 terms. A shared node is translated once."""

    def _compute(self, node: Expr) -> Any:
        op, args = node.op, node.args
        if op == "const":
            return _constant(node)
        if op == "var":
            return variable(node)
        if op == "wrap":
            inner = self(args[0])
            return inner if isinstance(node.sort, Ring) else _remainder(inner, cast(int, node.value))
        if op == "==" and isinstance(args[0].sort, Ring):
            return _remainder(self(args[0]) - self(args[1]), args[0].sort.size) == 0
        terms = [self(arg) for arg in args]
        match op:
            case "+":
                return terms[0] + terms[1]
            case "-" | "gap":
                return terms[0] - terms[1]
            case "==":
                return terms[0] == terms[1]
            case "<":
                return terms[0] < terms[1]
            case "<=":
                return terms[0] <= terms[1]
            case "&":
                return z3.And(*terms)
            case "|":
                return z3.Or(*terms)
            case "~":
                return z3.Not(terms[0])
            case "ite":
                return z3.If(*terms)
        raise TypeError(f"{op}: an array has no symbol for a size")


def variable(node: Expr) -> Any:
    """The Z3 constant of a variable."""
    name = str(node.value)
    return z3.Bool(name) if isinstance(node.sort, Bool) else z3.Int(name)


def size(of: Size | int) -> Any:
    """A size as a Z3 term."""
    if isinstance(of, Size):
        return z3.Sum([z3.IntVal(of.number), *(times * z3.Int(symbol.name) for symbol, times in of.terms)])
    return z3.IntVal(of)


def _constant(node: Expr) -> Any:
    if isinstance(node.sort, Bool):
        return z3.BoolVal(bool(node.value))
    if isinstance(node.sort, Enum):
        return z3.IntVal(node.sort.names.index(str(node.value)))
    return size(cast(int, node.value))


def _remainder(difference: Any, of: int) -> Any:
    """The remainder of a difference that is less than two rings in either direction."""
    ring = size(of)
    return z3.If(
        difference < 0,
        z3.If(difference < -ring, difference + 2 * ring, difference + ring),
        z3.If(difference < ring, difference, difference - ring),
    )


def laps(node: Expr) -> Expr:
    """The condition that the translation of an expression is exact: all differences are less than two rings.

    Only remainders that decide the value count: the right operand of `&` or `|` where the left operand does not decide,
    and the branch of an `ite` that is taken.
    """
    op, args = node.op, node.args
    if op in ("const", "var", "gap"):
        return boolean(True)
    if op == "&":
        return laps(args[0]) & (~args[0] | laps(args[1]))
    if op == "|":
        return laps(args[0]) & (args[0] | laps(args[1]))
    if op == "ite":
        then, otherwise = laps(args[1]), laps(args[2])
        return laps(args[0]) & (then if then is otherwise else ite(args[0], then, otherwise))
    found = boolean(True)
    for arg in args:
        found = found & laps(arg)
    if op == "wrap" and isinstance(node.sort, Range):
        found = found & _near(args[0].args[0], args[0].args[1], cast(int, node.value))
    if op == "==" and isinstance(args[0].sort, Ring):
        found = found & _near(args[0], args[1], args[0].sort.size)
    return found


def _near(one: Expr, other: Expr, of: int) -> Expr:
    apart = gap(one, other)
    return (apart >= -of - of) & (apart < of + of)


def typing(variables: Iterable[Variable], inputs: frozenset[str]) -> list[Any]:
    """The constraints on variables from their sorts: enumerations have an index, and inputs are in their ranges."""
    known = []
    for each in variables:
        if isinstance(each.sort, Enum):
            known += [z3.Int(each.name) >= 0, z3.Int(each.name) < len(each.sort.names)]
        if each.name in inputs and isinstance(each.sort, Range):
            known += [holds for bound in in_range(each) for holds in [Unwound()(bound)]]
    return known


def in_range(variable: Variable) -> list[Expr]:
    """The conditions that a number is in its range: one for each bound. An infinite upper bound gives no condition."""
    sort = variable.sort
    assert isinstance(sort, Range)
    node = Expr("var", (), sort, variable.name)
    bounds = [node >= sort.low]
    if not isinstance(sort.high, float):
        bounds.append(node <= sort.high)
    return bounds


def sizes(symbols: Iterable[Symbol]) -> list[Any]:
    """The bounds of size symbols, as Z3 terms."""
    return [z3.And(z3.Int(s.name) >= s.least, z3.Int(s.name) <= LARGEST) for s in symbols]


def symbols(nodes: Iterable[Expr]) -> list[Symbol]:
    """The size symbols in the constants and sorts of the expressions, in the order of their names."""
    found: set[Symbol] = set()
    seen: set[int] = set()
    stack = list(nodes)
    while stack:
        node = stack.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        held = [node.value, getattr(node.sort, "size", None)]
        for each in held:
            if isinstance(each, Size):
                found.update(symbol for symbol, _ in each.terms)
        stack.extend(node.args)
    return sorted(found)
