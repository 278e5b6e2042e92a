"""Policies written as formulas, such as `head+min(occupied,capacity-n)`: the formula is the policy's name.

    policy    := leave | leave if CONDITION else POSITION | if CONDITION POSITION else POLICY | POSITION
    position  := head or tail, then + TERM or - TERM any number of times
    condition := corked | corking | SUM <= SUM | SUM >= SUM
    sum       := TERM, then + TERM or - TERM any number of times; a difference is never less than 0
    term      := a whole number, occupied, permits, n, capacity, size, min(SUM,SUM), max(SUM,SUM)

`n` is the number of SQs, `capacity` is size-1. `corked` is whether any SQ is corked or about to be, `corking` whether
the policy is asked at a cork. A policy that uses either is asked at a cork, too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TypeAlias

from uncork.core.expr import Expr, boolean, ite, lift, maximum, minimum
from uncork.core.sorts import Bool

from uncork_nvme.policies import LEAVE, POLICIES, CQView, EventIdx, Policy, leave_if

_Number: TypeAlias = Callable[[CQView], "Expr | int"]
_Position: TypeAlias = Callable[[CQView], Expr]

_NUMBERS: dict[str, _Number] = {
    "occupied": lambda cq: cq.occupied,
    "permits": lambda cq: cq.permits,
    "n": lambda cq: cq.sqs,
    "capacity": lambda cq: cq.capacity,
    "size": lambda cq: cq.size,
}
_POSITIONS: dict[str, _Position] = {"head": lambda cq: cq.head, "tail": lambda cq: cq.tail}
_TOKEN = re.compile(r"\s*([a-z]+|[0-9]+|<=|>=|[-+(),])")
_NUMBER = re.compile("0|[1-9][0-9]{0,4}")
_MOST = 200
"""The most words and signs of a formula, because each bracket is a recursive call."""

FORMULAS = (
    *("tail-2", "head+1", "head+min(occupied,1)", "tail-min(occupied,1)", "tail-min(occupied,n)"),
    *("if corked tail-1 else tail", "if corked head else tail-1", "if corked head else head+1"),
    *("if permits>=n tail-1 else head", "if permits>=1 tail else head", "if permits>=n tail else tail-1"),
    *("leave if occupied<=1 else head", "leave if occupied<=2 else tail-1", "leave if occupied<=n else tail-n"),
    *("leave if permits>=n else head", "leave if permits>=n else tail-1", "leave if permits>=1 else head"),
)
"""Formulas that a search tries besides the named policies."""


class FormulaError(ValueError):
    """A formula that cannot be parsed; the message says what is expected instead."""


def formula(text: str) -> Policy:
    """The policy of a formula; its name is the formula without spare spaces. Raises `FormulaError`."""
    reader = _Reader(text)
    name, made = reader.policy()
    reader.ends()
    return Policy(name, f"The formula {name}.", made, at_cork="cork" in name)


def is_formula(text: str) -> bool:
    """Whether a text is a formula."""
    try:
        formula(text)
    except FormulaError:
        return False
    return True


def space() -> list[str]:
    """The names of the policies that a search for a design tries: all named policies and `FORMULAS`."""
    return [*POLICIES, *FORMULAS]


class _Reader:
    """Parses a formula from left to right; each method returns the part's normal spelling and its meaning."""

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0
        self.tokens: list[str] = []
        where = 0
        while text[where:].strip():
            found = _TOKEN.match(text, where)
            if found is None:
                raise FormulaError(f"{text[where:].strip()[0]!r} is no part of a formula")
            self.tokens.append(found[1])
            where = found.end()
        if len(self.tokens) > _MOST:
            raise FormulaError(f"it has {len(self.tokens)} words and signs, and {_MOST} is the most")

    @property
    def next(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self, *wanted: str) -> str:
        """Consumes and returns the next token, which has to be one of `wanted`."""
        if self.next not in wanted:
            raise FormulaError(f"{self.next or 'the end'!r} stands where {' or '.join(wanted)} is expected")
        self.at += 1
        return self.tokens[self.at - 1]

    def ends(self) -> None:
        if self.next:
            raise FormulaError(f"{self.next!r} follows where the formula ends")

    def policy(self) -> tuple[str, Callable[[CQView], Expr | EventIdx]]:
        if self.next == "leave":
            self.take("leave")
            if not self.next:
                return "leave", lambda _: LEAVE
            self.take("if")
            said, holds = self.condition()
            self.take("else")
            name, position = self.position()
            return f"leave if {said} else {name}", lambda cq: leave_if(holds(cq), position(cq))
        if self.next == "if":
            self.take("if")
            said, holds = self.condition()
            name, then = self.position()
            self.take("else")
            other, otherwise = self.policy()
            return f"if {said} {name} else {other}", lambda cq: _either(holds(cq), then(cq), otherwise(cq))
        return self.position()

    def condition(self) -> tuple[str, Callable[[CQView], Expr]]:
        if self.next == "corked":
            self.take("corked")
            return "corked", lambda cq: cq.corked
        if self.next == "corking":
            self.take("corking")
            return "corking", lambda cq: boolean(cq.corking)
        left, a = self.sum()
        compared = self.take("<=", ">=")
        right, b = self.sum()
        if compared == "<=":
            return f"{left}<={right}", lambda cq: lift(a(cq) <= b(cq), Bool())
        return f"{left}>={right}", lambda cq: lift(a(cq) >= b(cq), Bool())

    def position(self) -> tuple[str, _Position]:
        name = self.take(*_POSITIONS)
        start, (said, moves) = _POSITIONS[name], self.moves()
        return name + said, lambda cq: _moved(cq, start(cq), moves)

    def sum(self) -> tuple[str, _Number]:
        name, first = self.term()
        said, moves = self.moves()
        return name + said, lambda cq: _summed(cq, first(cq), moves)

    def moves(self) -> tuple[str, list[tuple[str, _Number]]]:
        """The terms added and subtracted after the first term of a position or sum."""
        name, moves = "", list[tuple[str, _Number]]()
        while self.next in ("+", "-"):
            sign = self.take("+", "-")
            said, number = self.term()
            name += sign + said
            moves.append((sign, number))
        return name, moves

    def term(self) -> tuple[str, _Number]:
        if self.next.isdecimal():
            if not _NUMBER.fullmatch(self.next):
                raise FormulaError(f"{self.next!r} is not a number from 0 to 99999 without zeros before it")
            value = int(self.take(self.next))
            return str(value), lambda _: value
        name = self.take("min", "max", *_NUMBERS)
        if name in _NUMBERS:
            return name, _NUMBERS[name]
        self.take("(")
        left, a = self.sum()
        self.take(",")
        right, b = self.sum()
        self.take(")")
        chosen = minimum if name == "min" else maximum
        return f"{name}({left},{right})", lambda cq: chosen(a(cq), b(cq))


def _either(condition: Expr, position: Expr, other: Expr | EventIdx) -> Expr | EventIdx:
    """`position` if the condition holds, otherwise `other`, which may write nothing."""
    if condition.op == "const":
        return position if condition.value else other
    if isinstance(other, Expr):
        return ite(condition, position, other)
    value = position if other.value is None else ite(condition, position, other.value)
    return EventIdx(value, condition | other.written)


def _moved(cq: CQView, position: Expr, moves: Sequence[tuple[str, _Number]]) -> Expr:
    for sign, number in moves:
        position = position + number(cq) if sign == "+" else position - number(cq)
    return position


def _summed(cq: CQView, total: Expr | int, moves: Sequence[tuple[str, _Number]]) -> Expr | int:
    for sign, number in moves:
        total = total + number(cq) if sign == "+" else maximum(total - number(cq), 0)
    return total
