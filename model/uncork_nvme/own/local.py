"""What a proof for all sizes has to assume of steps of the user's own, and what it refuses.

A proof for any number of SQs follows two of them, and sums up the others. A step of the user's that looks at every SQ
would look at those two only. Steps of this package say what they do to all of them by the machine of all sizes, and are
not asked. And CQEs are counted, so each step that writes one has to be a step of which it is proved that there is room.
"""

from __future__ import annotations

from collections.abc import Iterator

from uncork.core.expr import text
from uncork.core.sorts import SlipError
from uncork.core.system import Action, System

from uncork_nvme.anysize import AnySize
from uncork_nvme.assembly import assembled, steps
from uncork_nvme.own.lemma import read, sums


def refuse(m: AnySize, system: System) -> None:
    """Raises `SlipError` for a step of the user's own of which a proof for all sizes cannot speak."""
    for action in system.actions:
        if f"{m.cq.name}.tail" in action.updates and action.family != "post":
            raise SlipError(
                f"{action.name} writes a CQE: a proof for all sizes speaks of CQEs that the step post writes"
            )
    if m.rest is not None:
        _refuse_far_looks(m, system)


def _refuse_far_looks(m: AnySize, system: System) -> None:
    """Raises `SlipError` for a step of the user's own that looks at, or changes, an SQ that it is not about."""
    stock = list(steps(AnySize(assembled(m.choices), m.policy, several=True)))
    known = {action.behaviour for action in stock}
    kicks = {f"{name} {text(value)}" for action in stock for name, value in action.updates.items()}
    totals = sums(m)
    for action in system.actions:
        if action.behaviour in known:
            continue
        for name in _far(m, action, kicks, totals):
            raise SlipError(
                f"{action.name} looks at {name}: a proof for any number of SQs follows two of them, and a step of your "
                "own may look at its SQ, the CQ, m.corked, m.held and m.unread. Use --sqs one"
            )


def _far(m: AnySize, action: Action, kicks: set[str], totals: set[str]) -> Iterator[str]:
    """The variables of SQs that a step is not about, but for what kicks of this package change."""
    assert m.rest is not None
    records = [m.rest, *(record for q in m.every if not action.about(q) for record in q.records)]
    far = {variable.name for record in records for variable in record.variables}
    values = [action.guard, *(v for name, v in action.updates.items() if f"{name} {text(v)}" not in kicks)]
    changed = {name for name, value in action.updates.items() if f"{name} {text(value)}" not in kicks}
    yield from sorted(far & (changed | {name for value in values for name in read(value, totals)}))
