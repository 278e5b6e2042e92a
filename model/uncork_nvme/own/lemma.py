"""Lemmas of the user's own, for proofs for all sizes: functions in the file of a device, which are never trusted.

A lemma says of each SQ of a machine what holds in every reachable state.
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import getdoc
from typing import TYPE_CHECKING

from uncork.core.expr import Expr, variables
from uncork.core.frozen import frozen
from uncork.core.questions.argument import Lemma
from uncork.core.sorts import Bool, SlipError

if TYPE_CHECKING:  # few commands prove anything
    from uncork_nvme.anysize import AnySize, AnySQ


@frozen
class OwnLemma:
    """A lemma of the user's own: its name, what it says in words, and the function that gives its condition."""

    name: str
    says: str
    condition: Callable[[AnySize, AnySQ], Expr]


def lemma(function: Callable[[AnySize, AnySQ], Expr]) -> OwnLemma:
    """Makes a lemma of a function `(m, q)`, which returns what always holds of the machine `m` and its SQ `q`.

    The function's name and docstring become the lemma's.
    """
    said = " ".join((getdoc(function) or "").split())
    if not said:
        raise SlipError(f"the lemma {function.__name__} has no docstring; say what always holds")
    return OwnLemma(function.__name__.replace("_", " "), said.rstrip("."), function)


def stated(found: OwnLemma, m: AnySize, q: AnySQ) -> Lemma:
    """The lemma about an SQ of a machine; raises `SlipError` for one that looks at what it may not."""
    condition = found.condition(m, q)
    if not isinstance(condition, Expr) or not isinstance(condition.sort, Bool):
        raise SlipError(f"the lemma {found.name} gives {condition!r:.60}, and has to give a condition")
    known = {v.name for record in m.records if record is not m.anything for v in record.variables}
    if others := sorted({str(v.value) for v in variables(condition)} - known):
        raise SlipError(f"the lemma {found.name} looks at {', '.join(others)}: it may look at the machine's state only")
    return Lemma(f"{found.name} of {q.label}", found.says, condition, needed=True, own=True)
