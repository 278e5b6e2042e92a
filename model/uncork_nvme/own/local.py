"""Whether steps of parts of the user's own speak of one SQ, as a proof for any number of SQs has to assume.

Such a proof follows two SQs, and sums up the others. A step of the user's that looks at every SQ would look at those
two only. Steps of this package say what they do to all of them by the machine of all sizes, and are not asked.
"""

from __future__ import annotations

from collections.abc import Iterator

from uncork.core.expr import text
from uncork.core.sorts import SlipError
from uncork.core.system import Action, System

from uncork_nvme.anysize import AnySize
from uncork_nvme.assembly import assembled, steps
from uncork_nvme.own.lemma import read


def refuse_far_looks(m: AnySize, system: System) -> None:
    """Raises `SlipError` for a step of the user's own that looks at, or changes, an SQ that it is not about."""
    if not m.parts.own or m.rest is None:
        return
    stock = list(steps(AnySize(assembled(m.choices), m.policy, several=True)))
    known = {action.behaviour for action in stock}
    kicks = {f"{name} {text(value)}" for action in stock for name, value in action.updates.items()}
    sums = {text(each) for each in (m.corked, m.waiting, m.held, m.unread)}
    for action in system.actions:
        if action.behaviour in known:
            continue
        for name in _far(m, action, kicks, sums):
            raise SlipError(
                f"{action.name} looks at {name}: a proof for any number of SQs follows two of them, and a step of your "
                "own may look at its SQ, the CQ, m.corked, m.waiting, m.held and m.unread. Use --sqs one"
            )


def _far(m: AnySize, action: Action, kicks: set[str], sums: set[str]) -> Iterator[str]:
    """The variables of SQs that a step is not about, but for what kicks of this package change."""
    assert m.rest is not None
    records = [m.rest, *(record for q in m.every if not action.about(q) for record in q.records)]
    far = {variable.name for record in records for variable in record.variables}
    values = [action.guard, *(v for name, v in action.updates.items() if f"{name} {text(v)}" not in kicks)]
    changed = {name for name, value in action.updates.items() if f"{name} {text(value)}" not in kicks}
    yield from sorted(far & (changed | {name for value in values for name in read(value, sums)}))
