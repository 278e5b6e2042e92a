"""Translates expressions to Python source: the successor function and the predicates of a system.

A state is the tuple of the variables' plain values, in the order of declaration. The source is readable text. Python
runs it some twenty times faster than `core.evaluate` interprets the expressions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from uncork.core.expr import Expr
from uncork.core.sorts import Array, Bool, Enum, Range, Ring, Sort, Value
from uncork.core.system import Action, System

Plain: TypeAlias = tuple[Value, ...]
"""A state: a value for each variable, in the order of declaration."""

Successors: TypeAlias = Callable[[Plain], list[tuple[int, Plain | None]]]
"""The steps from a state, in the order of the actions: the index of the action, and the state after it.

The state is None if a variable leaves its sort.
"""

Ahead: TypeAlias = Mapping[str, "tuple[Value, Value | None]"]
"""The coming observations, by name: the next value, and the first later value that differs from it, or None."""

Aimed: TypeAlias = Callable[[Plain, Ahead], list[tuple[int, Plain | None]]]
"""The steps from a state, given the coming observations."""


def successors(system: System, chosen: Iterable[str] | None = None) -> Successors:
    """The successor function of a system: of all actions, or only of the actions named in `chosen`."""
    function: Successors = _function("successors", source(system, chosen))
    return function


@dataclass(frozen=True)
class Aim:
    """The effect of an action on an observable: the action moves observable `name` to the value `to`.

    If the action only prepares the move, `now` is the present value of the observable.
    """

    name: str
    to: Expr
    now: Expr | None = None


def aimed(system: System, chosen: Iterable[str], aims: Mapping[str, Aim]) -> Aimed:
    """The successor function of the `chosen` actions; an action with an aim is taken only if its value is ahead.

    An action that moves an observable must move it to the next value ahead. An action that prepares a move must also
    aim at the next value; or at the value after it, if the observable already has the next value.
    """
    function: Aimed = _function("successors", source(system, chosen, aims))
    return function


def predicate(system: System, condition: Expr) -> Callable[[Plain], bool]:
    """The function from a state to whether `condition` holds there."""
    function: Callable[[Plain], bool] = value(system, condition)
    return function


def value(system: System, expr: Expr) -> Callable[[Plain], Any]:
    """The function from a state to the value of `expr` there."""
    names = _names(system)
    lines = [_header("value", names), f"    return {_text(expr, names)}"]
    function: Callable[[Plain], Any] = _function("value", "\n".join(lines))
    return function


def source(system: System, chosen: Iterable[str] | None = None, aims: Mapping[str, Aim] | None = None) -> str:
    """The source of the successor function; see `successors` and `aimed`."""
    names = _names(system)
    wanted = None if chosen is None else frozenset(chosen)
    lines = [_header("successors", names, "" if aims is None else ", ahead"), "    found = []"]
    for index, action in enumerate(system.actions):
        if wanted is None or action.name in wanted:
            guard = _text(action.guard, names)
            if aims and action.name in aims:
                guard = f"{_aims(aims[action.name], names)} and {guard}"
            lines += [f"    if {guard}:", *_step(index, action, system, names)]
    return "\n".join([*lines, "    return found"])


def _aims(aim: Aim, names: Mapping[str, str]) -> str:
    to, which = _text(aim.to, names), "0"
    if aim.now is not None:
        which = f"{_text(aim.now, names)} == ahead[{aim.name!r}][0]"
    return f"{aim.name!r} in ahead and {to} == ahead[{aim.name!r}][{which}]"


def _step(index: int, action: Action, system: System, names: Mapping[str, str]) -> list[str]:
    after, lines, tests = dict(names), [], []
    for variable in system.variables:
        if variable.name in action.updates:
            after[variable.name] = f"next_{names[variable.name]}"
            lines.append(f"        {after[variable.name]} = {_text(action.updates[variable.name], names)}")
            tests += _inside(after[variable.name], variable.sort)
    target = _tuple(after.values())
    if tests:
        target = f"{target} if {' and '.join(tests)} else None"
    return [*lines, f"        found.append(({index}, {target}))"]


def _inside(value: str, sort: Sort) -> list[str]:
    """Tests whether a value is inside its sort. A Bool or Enum needs no test, since it cannot be outside."""
    match sort:
        case Range(low, high):
            return [f"{low} <= {value} <= {high}"]
        case Ring(size):
            return [f"0 <= {value} < {size}"]
        case Array(_, element):
            return [f"all({test} for each in {value})" for test in _inside("each", element)]
        case Bool() | Enum():
            return []


_INFIX = {"&": "and", "|": "or", "==": "==", "<": "<", "<=": "<=", "+": "+", "-": "-"}


def _text(node: Expr, names: Mapping[str, str]) -> str:
    if node.op == "const":
        return repr(node.value)
    if node.op == "var":
        return names[str(node.value)]
    args = [_text(arg, names) for arg in node.args]
    match node.op:
        case "~":
            return f"(not {args[0]})"
        case "ite":
            return f"({args[1]} if {args[0]} else {args[2]})"
        case "wrap":
            return f"({args[0]} % {node.value})"
        case "select":
            return f"{args[0]}[{args[1]}]"
        case "array":
            return _tuple(args)
        case "store":
            return f"store({', '.join(args)})"
        case op:
            return f"({args[0]} {_INFIX[op]} {args[1]})"


def _store(array: Plain, index: int, element: Value) -> Plain:
    return (*array[:index], element, *array[index + 1 :])


def _names(system: System) -> dict[str, str]:
    """A Python name for each variable. The number keeps `a.b_c` and `a_b.c` apart, and both from other names."""
    return {v.name: f"v{k}_" + re.sub(r"\W", "_", v.name) for k, v in enumerate(system.variables)}


def _header(function: str, names: Mapping[str, str], more: str = "") -> str:
    return f"def {function}(state{more}):\n    {_tuple(names.values())} = state"


def _tuple(elements: Iterable[str]) -> str:
    return f"({''.join(f'{each}, ' for each in elements)})"


def _function(name: str, text: str) -> Any:
    namespace: dict[str, Any] = {"store": _store}
    exec(compile(text, f"<{name}>", "exec"), namespace)
    return namespace[name]
