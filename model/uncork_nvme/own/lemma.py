"""Lemmas of the user's own, for proofs for all sizes: functions in the file of a device, which are never trusted.

A lemma says of one SQ, of the CQ, and of sums over all SQs what holds in every reachable state. A proof follows some
SQs only, and sums up the others, so a lemma that looks at another SQ is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from inspect import getdoc
from typing import TYPE_CHECKING

from uncork.core.expr import Expr, text
from uncork.core.frozen import frozen
from uncork.core.questions.argument import Lemma
from uncork.core.sorts import Bool, SlipError

if TYPE_CHECKING:  # few commands prove anything
    from uncork_nvme.anysize import AnySize, AnySQ
    from uncork_nvme.state.life import Life
    from uncork_nvme.state.queues import CQ


class View:
    """What a lemma may look at besides its SQ: the CQ, and sums over all SQs."""

    def __init__(self, m: AnySize) -> None:
        self.cq: CQ = m.cq
        """The CQ."""
        self.life: Life = m.life
        """The events that may still happen, if any."""
        self.corked: Expr = m.corked
        """Whether any SQ is corked."""
        self.held: Expr = m.held
        """The number of permits held by commands in flight and by workers."""
        self.unread: Expr = m.unread
        """The number of CQEs that the guest has not taken."""
        if counted(m):
            self.waiting: Expr = m.waiting
            """The number of corked SQs, where kicks hand permits over or there is one SQ."""


def counted(m: AnySize) -> bool:
    """Whether a machine counts the corked SQs."""
    return m.rest is None or m.rest.has("waiting")


def sums(m: AnySize) -> set[str]:
    """The sums over all SQs, as text."""
    return {text(each) for each in (m.corked, m.held, m.unread, *([m.waiting] if counted(m) else []))}


@frozen
class OwnLemma:
    """A lemma of the user's own: its name, what it says in words, and the function that gives its condition."""

    name: str
    says: str
    condition: Callable[[View, AnySQ], Expr]


def lemma(function: Callable[[View, AnySQ], Expr]) -> OwnLemma:
    """Makes a lemma of a function `(m, q)`, which returns what always holds of the SQ `q`.

    `m` is a `View`. The function's name and docstring become the lemma's.
    """
    said = " ".join((getdoc(function) or "").split())
    if not said:
        raise SlipError(f"the lemma {function.__name__} has no docstring; say what always holds")
    return OwnLemma(function.__name__.replace("_", " "), said.rstrip("."), function)


def stated(found: OwnLemma, m: AnySize) -> Iterator[Lemma]:
    """The lemma about each SQ that a machine follows; raises `SlipError` for one that looks at what it may not."""
    for q in m.every:
        condition = found.condition(View(m), q)
        if not isinstance(condition, Expr) or not isinstance(condition.sort, Bool):
            raise SlipError(f"the lemma {found.name} gives {condition!r:.60}, and has to give a condition")
        known = {v.name for record in (*q.records, m.cq, m.life) for v in record.variables}
        if others := sorted(read(condition, sums(m)) - known):
            raise SlipError(
                f"the lemma {found.name} looks at {', '.join(others)}: it may look at its own SQ, at m.cq, and at "
                "m.corked, m.held and m.unread"
            )
        yield Lemma(f"{found.name} of {q.label}", found.says, condition, needed=True, own=True)


def read(node: Expr, apart: set[str]) -> set[str]:
    """The names of the variables that an expression reads, apart from some expressions, which are given as text."""
    if node.args and text(node) in apart:
        return set()
    return {str(node.value)} if node.op == "var" else {name for arg in node.args for name in read(arg, apart)}
