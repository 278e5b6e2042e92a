"""Kicks and notifications: which SQs and workers are woken."""

from __future__ import annotations

from collections.abc import Sequence

from uncork.core.expr import Expr, all_of, boolean, count, ite, maximum, minimum
from uncork.core.frozen import frozen
from uncork.core.system import Updates

from uncork_nvme.state.queues import SQ


@frozen
class Kick:
    """A kick of corked SQs: all of them, some chosen ones, or none (a site that does not kick)."""

    sqs: Sequence[SQ]
    """All SQs of the machine."""
    chosen: tuple[SQ, ...] | None
    """The SQs to wake; None is every corked SQ."""
    site: bool = True

    @property
    def note(self) -> str:
        """The name of the choice in a step's name; empty if there is no choice."""
        if not self.site or self.chosen is None:
            return ""
        return "wakes " + ("+".join(q.label for q in self.chosen) or "none")

    @property
    def hands_over(self) -> bool:
        """Whether the kick gives each woken SQ its permit."""
        return self.site and self.sqs[0].choices.kick_size == "hand-over"

    def possible(self, room: Expr) -> Expr:
        """Whether this kick may happen with `room` permits available after the step."""
        if not self.site or self.chosen is None:
            return boolean(True)
        due = minimum(room, waiting(self.sqs))
        first = all_of(q.before < len(self.chosen) for q in self.chosen) if self.hands_over else boolean(True)
        return all_of(q.corked for q in self.chosen) & first & (due == len(self.chosen))

    def rest(self, room: Expr) -> Expr:
        """The permits available after the kick, of `room` before it."""
        return room - len(self.chosen) if self.hands_over and self.chosen else room

    def updates(self, also: SQ | None = None, joins: SQ | None = None) -> list[Updates]:
        """The updates of all SQs; `also` is notified whether corked or not, `joins` becomes corked.

        SQs that stay corked move up in the line.
        """
        changed = []
        if self.hands_over and self.chosen is not None:
            line = waiting(self.sqs)
            for q in self.sqs:
                if q in self.chosen:
                    changed.append(q(granted=True, before=0))
                elif q is joins:
                    changed.append(q(corked=True, before=ite(q.corked, q.before, line) - len(self.chosen)))
                elif self.chosen:
                    changed.append(q(before=ite(q.corked, q.before - len(self.chosen), q.before)))
        for q in self.sqs:
            kicked = self.site and (self.chosen is None or q in self.chosen)
            if kicked or q is also:
                changed.append(notified(q, boolean(True) if q is also else q.corked))
            if kicked:
                changed.append(q(corked=False))
        return changed


def waiting(sqs: Sequence[SQ]) -> Expr:
    """The number of corked SQs."""
    return count(q.corked for q in sqs)


def notified(q: SQ, condition: Expr) -> Updates:
    """Notifies an SQ's workers if the condition holds: in this step, or in a later one (`device.deliver`)."""
    return q(called=q.called | condition) if q.has("called") else delivered(q, condition)


def delivered(q: SQ, condition: Expr) -> Updates:
    """A notification reaches an SQ's workers if the condition holds.

    The notification wakes as many workers as the device knows entries. If the device knows none: one worker, or with
    notify=spent all. With notify=spent only sleeping workers wake; with notify=kept the next worker that falls asleep
    answers.
    """
    if q.registered:
        return _by_bits(q)
    spent = q.choices.notify == "spent"
    if len(q.workers) == 1:
        return q(wakeups=ite(condition & q.asleep if spent else condition, 1, q.wakeups))
    known = q.tail - q.head
    more = ite(known == 0, len(q.workers), known) if spent else maximum(known, 1)
    most = count(worker.asleep for worker in q.workers) if spent else len(q.workers)
    return q(wakeups=ite(condition, minimum(q.wakeups + more, most), q.wakeups))


def _by_bits(q: SQ) -> Updates:
    """Takes all bits at once, and wakes as many workers as there are entries; the other bits are lost."""
    known, before, changed = q.tail - q.head, list[Expr](), Updates()
    for worker in q.registered:
        chosen = worker.idle & ((known == 0) | (count(before) < known))
        before.append(worker.idle)
        changed |= worker(idle=False, woken=worker.woken | chosen)
    return changed
