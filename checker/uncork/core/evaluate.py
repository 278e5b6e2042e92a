"""The interpreter: the value of an expression on plain values. It is slow, and every other translation must agree."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias, cast

from uncork.core.expr import Expr
from uncork.core.sorts import Value

State: TypeAlias = Mapping[str, Value]
"""A value for each variable, by name."""


def evaluate(expression: Expr, state: State) -> Value:
    """The value of `expression` in `state`."""
    op, args = expression.op, expression.args
    if op == "const":
        return expression.value  # type: ignore[return-value]  # not `cast`: its call would cost most of the time
    if op == "var":
        return state[expression.value]  # type: ignore[index]
    if op == "ite":
        return evaluate(args[1] if evaluate(args[0], state) else args[2], state)
    if op == "&":
        return bool(evaluate(args[0], state)) and bool(evaluate(args[1], state))
    if op == "|":
        return bool(evaluate(args[0], state)) or bool(evaluate(args[1], state))
    if op == "~":
        return not evaluate(args[0], state)
    if op == "==":
        return evaluate(args[0], state) == evaluate(args[1], state)
    if op == "select":
        return cast(tuple[Value, ...], evaluate(args[0], state))[integer(args[1], state)]
    if op == "store":
        array = cast(tuple[Value, ...], evaluate(args[0], state))
        index = integer(args[1], state)
        return (*array[:index], evaluate(args[2], state), *array[index + 1 :])
    if op == "array":
        return tuple(evaluate(arg, state) for arg in args)
    if op == "wrap":
        return integer(args[0], state) % cast(int, expression.value)
    left, right = integer(args[0], state), integer(args[1], state)
    if op == "+":
        return left + right
    if op == "-":
        return left - right
    if op == "<":
        return left < right
    assert op == "<=", op
    return left <= right


def integer(expression: Expr, state: State) -> int:
    """The value in `state` of an expression that is a number or a position."""
    return cast(int, evaluate(expression, state))


def holds(condition: Expr, state: State) -> bool:
    """Whether a condition is true in `state`."""
    return bool(evaluate(condition, state))
