"""Transformations of expressions: folds, substitution, renaming, and a normal form that ignores operand order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from functools import cached_property
from typing import Generic, TypeVar

from uncork.core.expr import Expr
from uncork.core.frozen import frozen
from uncork.core.sorts import Array, Enum, Sort, Value

_UNORDERED = ("&", "|", "+")

_Of = TypeVar("_Of")


class Fold(Generic[_Of]):
    """Translates expressions: `self(node)` is `self._compute(node)`, which runs once for each node."""

    def __init__(self) -> None:
        self.known: dict[int, tuple[Expr, _Of]] = {}  # holding the nodes keeps their ids from being reused

    def __call__(self, node: Expr) -> _Of:
        """The translation of a node."""
        known = self.known.get(id(node))
        if known is None:
            known = self.known[id(node)] = node, self._compute(node)
        return known[1]

    def _compute(self, node: Expr) -> _Of:
        """The translation of a node, which calls `self` on the arguments."""
        raise NotImplementedError


def mapped(node: Expr, leaf: Callable[[Expr], Expr]) -> Expr:
    """The expression with every variable and constant replaced by `leaf` of it, which must have the same sort."""
    if not node.args:
        return leaf(node)
    return Expr(node.op, tuple(mapped(arg, leaf) for arg in node.args), node.sort, node.value)


def _operands(node: Expr, op: str) -> list[Expr]:
    return [node] if node.op != op else [each for arg in node.args for each in _operands(arg, op)]


@frozen
class Renaming:
    """A renaming of records in the names of variables (`records`), and of names in enumerations (`names`)."""

    records: Mapping[str, str]
    names: Mapping[str, str] = field(default_factory=dict)

    def variable(self, name: str) -> str:
        """The new name of a variable: `sq0.head` becomes `sq1.head` where record `sq0` becomes `sq1`."""
        record, dot, rest = name.partition(".")
        return self.records.get(record, record) + dot + rest

    def value(self, value: Value) -> Value:
        """A plain value with its names renamed."""
        if isinstance(value, tuple):
            return tuple(self.value(each) for each in value)
        return self.names.get(value, value) if isinstance(value, str) else value

    def concerns(self, sort: Sort) -> bool:
        """Whether the renaming changes some value of a sort."""
        element = sort.element if isinstance(sort, Array) else sort
        return isinstance(element, Enum) and any(name in self.names for name in element.names)

    def state(self, state: Mapping[str, Value]) -> dict[str, Value]:
        """A state with its variables and values renamed, in the order of the original state."""
        renamed = {self.variable(name): self.value(value) for name, value in state.items()}
        return {name: renamed[name] for name in state}

    def __call__(self, node: Expr) -> Expr:
        """An expression with its variables and constants renamed."""
        return mapped(node, lambda leaf: Expr(leaf.op, (), leaf.sort, self._leaf(leaf)))

    def _leaf(self, node: Expr) -> Value | None:
        if node.op == "var":
            return self.variable(str(node.value))
        return None if node.value is None else self.value(node.value)

    @cached_property
    def _normals(self) -> dict[int, tuple[Expr, str]]:
        return {}

    def remembered(self, node: Expr) -> str:
        """The `normal` form of an expression, cached. It is for expressions that are likely to be asked for again."""
        known = self._normals.get(id(node))
        if known is None:
            known = self._normals[id(node)] = node, self.normal(node)
        return known[1]

    def normal(self, node: Expr) -> str:
        """The renamed expression as text. The order of the operands of & | + and == makes no difference to the text."""
        op, args = node.op, node.args
        if not args:
            return f"{self._leaf(node)}:{node.sort}"
        if op in _UNORDERED:
            args = tuple(_operands(node, op))
        parts = [self.normal(arg) if arg.args else self.remembered(arg) for arg in args]
        if op in _UNORDERED or op == "==":
            parts.sort()
        return f"({op}{node.value if op == 'wrap' else ''} {' '.join(parts)})"


def substituted(node: Expr, values: Mapping[str, Expr]) -> Expr:
    """The expression with every variable in `values` replaced by the given expression, which must have its sort."""
    return _Substitution(values)(node)


class _Substitution(Fold[Expr]):
    def __init__(self, values: Mapping[str, Expr]) -> None:
        super().__init__()
        self.values = values

    def _compute(self, node: Expr) -> Expr:
        if node.op == "var":
            return self.values.get(str(node.value), node)
        args = tuple([self(arg) for arg in node.args])
        same = all(new is old for new, old in zip(args, node.args, strict=True))
        return node if same else Expr(node.op, args, node.sort, node.value)
