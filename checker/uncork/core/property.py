"""Properties: invariants, conditions that must not last for ever, and covers, which some run must show."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import field
from typing import TYPE_CHECKING, TypeAlias

from uncork.core.expr import Expr, text
from uncork.core.frozen import frozen
from uncork.core.system import Sentence, say

if TYPE_CHECKING:  # a cause is that of a property
    from uncork.core.causes.run import Run
    from uncork.core.causes.wait import Wait


@frozen
class InRange:
    """The property that every variable stays in its sort."""

    name: str
    row: str
    doc: str


def _untold(run: Run) -> str:
    return ""


@frozen
class Always:
    """An invariant: the condition holds in every reachable state. `blame` says what went wrong if it does not.

    `cause` says of a run that violates it how that came about; nothing if the model has no words for it.
    """

    name: str
    row: str
    doc: str
    condition: Expr
    blame: Sentence
    cause: Callable[[Run], str] = field(default=_untold, compare=False)


@frozen
class NotForever:
    """The property that no fair run ends in states where `condition` holds, taking no action in `without` any more.

    `wakers` are the families of actions that could have ended the wait; a trace says what became of each. `waits` gives
    the ways to wait for ever, the more telling ones first.
    """

    name: str
    row: str
    doc: str
    condition: Expr
    blame: Sentence
    without: frozenset[str] = frozenset()
    wakers: tuple[str, ...] = ()
    waits: Callable[[], tuple[Wait, ...]] = field(default=tuple, compare=False)


@frozen
class Sometimes:
    """A cover: some run reaches a state where the condition holds. If none does, proofs over the model are vacuous."""

    name: str
    condition: Expr
    doc: str = field(default="")


@frozen
class Repeatedly:
    """A cover: some run takes one of the `steps` infinitely often."""

    name: str
    steps: frozenset[str]
    doc: str = field(default="")


Cover: TypeAlias = Sometimes | Repeatedly
"""A condition or steps that some run has to show."""

Property: TypeAlias = InRange | Always | NotForever
"""A property that is proved or refuted. `row` is the row of the verdict table to which the property belongs."""


def always(
    name: str,
    row: str,
    condition: Expr,
    blame: Sentence | None = None,
    cause: Callable[[Run], str] = _untold,
) -> Always:
    """The invariant `condition`, described by its `name`. The default `blame` says that the name does not hold."""
    return Always(name, row, name, condition, blame or say(f"this does not hold: {name}"), cause)


def describe(prop: Property | Cover) -> str:
    """Everything that determines the verdict of a property, as text, for fingerprints."""
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
