"""Kicks and notifications: which SQs and workers are woken."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from uncork.core.expr import Expr, all_of, boolean, count, ite, minimum
from uncork.core.frozen import frozen
from uncork.core.system import Updates

from uncork_nvme.state.queues import SQ

Site = Literal["doorbell", "post", "reserve", "remit", "release"]
"""Where the device may notice room: at a CQ doorbell; as it reads the CQ shadow head after a post, or before it takes a
permit; as a permit comes back from a look that found nothing; or as one comes back from a deleted SQ."""


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
        return self.site and self.sqs[0].parts.kicks.hands_over

    @property
    def gives(self) -> bool:
        """Whether the kick may give a permit to some SQ."""
        return bool(self.chosen)

    def of(self, room: Expr) -> Kick:
        """This kick where it finds `room` permits."""
        return self

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

    def leaves(self, q: SQ, freed: Expr) -> Expr:
        """Whether one of the permits that were just freed is left for the SQ that found them."""
        return ~q.corked & (freed > waiting(self.sqs)) if self.hands_over else freed > 0

    def leaves_some(self, room: int) -> bool:
        """Whether `room` permits can be more than the kick hands over."""
        return not self.hands_over or len(self.chosen or ()) < room

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
    """Notifies an SQ's workers if the condition holds: in this step, or in a later one (`crew.deliver`)."""
    reached = condition & q.served
    return q(called=q.called | reached) if q.has("called") else q.parts.crew.delivered(q, reached)
