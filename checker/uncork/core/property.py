"""Properties: what must never be, what must not last for ever, and what some run must show."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import field
from typing import TypeAlias

from uncork.core.expr import Expr, text
from uncork.core.frozen import frozen
from uncork.core.system import Sentence, say


@frozen
class InRange:
    """Every variable keeps to its sort."""

    name: str
    row: str
    doc: str


@frozen
class Always:
    """A condition that holds in every reachable state."""

    name: str
    row: str
    doc: str
    condition: Expr
    blame: Sentence


@frozen
class NotForever:
    """No fair run stays for ever where a condition holds, taking none of the actions in `without` any more.

    `wakers` are the families of actions that could have ended it: a trace tells what became of each.
    """

    name: str
    row: str
    doc: str
    condition: Expr
    blame: Sentence
    without: frozenset[str] = frozenset()
    wakers: tuple[str, ...] = ()


@frozen
class Sometimes:
    """A cover: some run reaches a state where the condition holds. A proof over a model that cannot is empty."""

    name: str
    condition: Expr
    doc: str = field(default="")


@frozen
class Repeatedly:
    """A cover: some run takes one of these steps again and again, for ever."""

    name: str
    steps: frozenset[str]
    doc: str = field(default="")


Cover: TypeAlias = Sometimes | Repeatedly
"""What some run has to show."""

Property: TypeAlias = InRange | Always | NotForever
"""What is proved or refuted. `row` is the verdict it counts towards."""


def always(name: str, row: str, condition: Expr, blame: Sentence | None = None) -> Always:
    """The property that `condition` holds in every reachable state; `blame` says what went wrong where it does not."""
    return Always(name, row, name, condition, blame or say(f"this does not hold: {name}"))


def describe(prop: Property | Cover) -> str:
    """Everything that decides a property's verdict, as text: for fingerprints."""
    match prop:
        case InRange():
            return "in range"
        case NotForever():
            return f"not forever {text(prop.condition)} without {_sorted(prop.without)}"
        case Repeatedly():
            return f"repeatedly {_sorted(prop.steps)}"
        case Always() | Sometimes():
            return f"{type(prop).__name__} {text(prop.condition)}"


def _sorted(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
