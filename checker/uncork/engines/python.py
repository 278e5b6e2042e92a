"""Translates expressions to Python source: the successor function and the predicates of a system.

A state is the tuple of the variables' plain values, in the order of declaration. The source is readable text. Python
runs it some twenty times faster than `core.evaluate` interprets the expressions. A `Packing` holds long arrays as
bytes: small, quick to copy, and hashed once.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Mapping
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

_LONG = 16
"""Arrays of more elements than this are held as bytes in packed states."""


def successors(system: System, chosen: Iterable[str] | None = None, packing: Packing | None = None) -> Successors:
    """The successor function of a system: of all actions, or only of the actions named in `chosen`."""
    form = _Form(packing)
    function: Successors = _function("successors", source(system, chosen, form=form), form)
    return function


class Packing:
    """Packed states of a system: long arrays of names or booleans are bytes. A system without any has plain states."""

    def __init__(self, system: System) -> None:
        self._at = [(at, names) for at, v in enumerate(system.variables) if (names := _elements(v.sort))]

    @property
    def packs(self) -> bool:
        """Whether packed states differ from plain ones."""
        return bool(self._at)

    def pack(self, state: Plain) -> Plain:
        """The packed state."""
        return self._with(state, lambda array, names: bytes(names.index(element) for element in array))

    def unpack(self, state: Plain) -> Plain:
        """The plain state."""
        return self._with(state, lambda array, names: tuple(names[code] for code in array))

    def _with(self, state: Plain, change: Callable[[Any, tuple[Value, ...]], Any]) -> Plain:
        if not self._at:
            return state
        values = list(state)
        for at, names in self._at:
            values[at] = change(values[at], names)
        return tuple(values)


def predicate(system: System, condition: Expr, packing: Packing | None = None) -> Callable[[Plain], bool]:
    """The function from a state to whether `condition` holds there."""
    function: Callable[[Plain], bool] = value(system, condition, packing)
    return function


def value(system: System, expr: Expr, packing: Packing | None = None) -> Callable[[Plain], Any]:
    """The function from a state to the value of `expr` there."""
    names, form = _names(system), _Form(packing)
    lines = [_header("value", names), f"    return {_text(expr, names, form)}"]
    function: Callable[[Plain], Any] = _function("value", "\n".join(lines), form)
    return function


def values(system: System, exprs: Iterable[Expr], packing: Packing | None = None) -> Callable[[Plain], tuple[Any, ...]]:
    """The function from a state to the values of some expressions there."""
    names, form = _names(system), _Form(packing)
    lines = [_header("values", names), f"    return {_tuple(_text(expr, names, form) for expr in exprs)}"]
    function: Callable[[Plain], tuple[Any, ...]] = _function("values", "\n".join(lines), form)
    return function


def source(system: System, chosen: Iterable[str] | None = None, *, form: _Form | None = None) -> str:
    """The source of the successor function; see `successors`."""
    names, form = _names(system), form or _Form(None)
    wanted = None if chosen is None else frozenset(chosen)
    lines = [_header("successors", names), "    found = []"]
    for index, action in enumerate(system.actions):
        if wanted is None or action.name in wanted:
            lines += [f"    if {_text(action.guard, names, form)}:", *_step(index, action, system, names, form)]
    return "\n".join([*lines, "    return found"])


class _Form:
    """How arrays are written, and the tables that the source needs for packed ones."""

    def __init__(self, packing: Packing | None) -> None:
        self._packed = packing is not None
        self.tables: dict[str, Any] = {"store": _store}

    def table(self, array: Expr) -> str | None:
        """The name of an array's table of elements, if it is packed."""
        names = _elements(array.sort) if self._packed else ()
        if not names:
            return None
        known = next((name for name, table in self.tables.items() if table == names), None)
        if known is None:
            known = f"names{len(self.tables)}"
            codes = {name: bytes([code]) for code, name in enumerate(names)}
            self.tables |= {known: names, f"store_{known}": functools.partial(_store_packed, codes)}
        return known


def _elements(sort: Sort) -> tuple[Value, ...]:
    """The elements that a packed array may have; none if it is not packed."""
    if not isinstance(sort, Array) or sort.size <= _LONG:
        return ()
    names = sort.element.names if isinstance(sort.element, Enum) else ()
    return names if len(names) <= 256 else ()


def _step(index: int, action: Action, system: System, names: Mapping[str, str], form: _Form) -> list[str]:
    after, lines, tests = dict(names), [], []
    for variable in system.variables:
        if variable.name in action.updates:
            after[variable.name] = f"next_{names[variable.name]}"
            lines.append(f"        {after[variable.name]} = {_text(action.updates[variable.name], names, form)}")
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


def _text(node: Expr, names: Mapping[str, str], form: _Form) -> str:
    if node.op == "const":
        return repr(node.value)
    if node.op == "var":
        return names[str(node.value)]
    args = [_text(arg, names, form) for arg in node.args]
    match node.op:
        case "~":
            return f"(not {args[0]})"
        case "ite":
            return f"({args[1]} if {args[0]} else {args[2]})"
        case "wrap":
            return f"({args[0]} % {node.value})"
        case "select":
            table, element = form.table(node.args[0]), f"{args[0]}[{args[1]}]"
            return f"{table}[{element}]" if table else element
        case "array":
            assert form.table(node) is None, "no system has such a long array element by element"
            return _tuple(args)
        case "store":
            table = form.table(node.args[0])
            return f"store{f'_{table}' if table else ''}({', '.join(args)})"
        case op:
            return f"({args[0]} {_INFIX[op]} {args[1]})"


def _store(array: Plain, index: int, element: Value) -> Plain:
    return (*array[:index], element, *array[index + 1 :])


def _store_packed(codes: Mapping[Value, bytes], array: bytes, index: int, element: Value) -> bytes:
    return array[:index] + codes[element] + array[index + 1 :]


def _names(system: System) -> dict[str, str]:
    """A Python name for each variable. The number keeps `a.b_c` and `a_b.c` apart, and both from other names."""
    return {v.name: f"v{k}_" + re.sub(r"\W", "_", v.name) for k, v in enumerate(system.variables)}


def _header(function: str, names: Mapping[str, str]) -> str:
    return f"def {function}(state):\n    {_tuple(names.values())} = state"


def _tuple(elements: Iterable[str]) -> str:
    return f"({''.join(f'{each}, ' for each in elements)})"


def _function(name: str, text: str, form: _Form) -> Any:
    namespace = dict(form.tables)
    exec(compile(text, f"<{name}>", "exec"), namespace)
    return namespace[name]
