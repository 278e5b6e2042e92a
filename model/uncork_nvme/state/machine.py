"""The machine: the whole state under given choices and a policy, with expressions over all queues."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from copy import copy
from typing import TYPE_CHECKING

from uncork.core.expr import Expr, any_of, count, total
from uncork.core.system import Action, Record, Remembers, RingPicture, Updates

from uncork_nvme.policies import Policy
from uncork_nvme.state.kicks import Kick, Site, waiting
from uncork_nvme.state.memory import Buffer, Sight
from uncork_nvme.state.queues import CQ, SQ

if TYPE_CHECKING:  # the parts stand above the machine that they are parts of
    from uncork_nvme.assembly import Parts


class Machine(Remembers):
    """One CQ and its SQs, made of parts, under a policy."""

    def __init__(self, parts: Parts, policy: Policy, sqs: int, sq_size: int, cq_size: int) -> None:
        self.parts, self.choices, self._policy, self._looked = parts, parts.choices, policy, 0
        self._steps: dict[str, Action] = {}
        self.life = parts.life.record()
        labels = [f"SQ{number}" for number in range(sqs)]
        self.crew = parts.crew.shared(labels)
        self.sqs = [
            SQ(number, sq_size, cq_size, parts, self.life, of=sqs, live=number < parts.life.first(sqs), crew=self.crew)
            for number in range(sqs)
        ]
        self.cq = CQ(cq_size, self.sqs, parts, self.life, outside=parts.post.outside(policy, cq_size))
        self.poster = self.cq.poster

    def under(self, policy: Policy) -> Machine | None:
        """This machine under another policy, sharing steps that do not depend on it; None if the state would differ."""
        if self.cq.outside != self.parts.post.outside(policy, self.cq.size):
            return None
        found = copy(self)
        found._policy = policy
        return found

    @property
    def policy(self) -> Policy:
        """The policy for CQ EventIdx."""
        self._looked += 1
        return self._policy

    def remembered(self, name: str, make: Callable[[], Action]) -> Action:
        """The step of a name; a step that does not use the policy is made once for all policies."""
        found = self._steps.get(name)
        if found is None:
            looked = self._looked
            found = make()
            if self._looked == looked:
                self._steps[name] = found
        return found

    @property
    def count(self) -> int | Expr:
        """The number of existing SQs."""
        return count(q.live for q in self.sqs) if self.sqs[0].has("live") else len(self.sqs)

    def batches(self, q: SQ) -> Iterable[int | Expr]:
        """The numbers of entries that one move of the SQ shadow tail may publish."""
        return range(1, min(self.parts.guest.batch, q.capacity) + 1)

    @property
    def buffered(self) -> bool:
        """Whether the doorbell buffer is on."""
        return self.parts.guest.buffered

    @property
    def stores(self) -> bool:
        """Whether the device stores a doorbell's value in the shadow word."""
        return self.parts.buffer.stores

    def looking(self, q: SQ) -> Expr:
        """Whether a worker of this SQ is in a pop."""
        return any_of(w.at.among(*w.pops) for w in q.workers)

    @property
    def in_look(self) -> Expr:
        """Whether a worker of any SQ is in a pop."""
        return any_of(self.looking(q) for q in self.sqs)

    @property
    def permit(self) -> int:
        """The number of CQ slots set aside when a command is taken: 1 or 0."""
        return self.parts.admission.permit

    @property
    def records(self) -> list[Record]:
        """All records: the CQ's, then each SQ's."""
        places = [record for buffer in self.buffers for record in buffer.records]
        places += self.views
        poster = [self.poster] if self.poster else []
        return [self.cq, *poster, *self.crew, *(record for q in self.sqs for record in q.records), *places, self.life]

    @property
    def stored(self) -> list[str]:
        """The variables that steps change by a store only, which may wait in a buffer."""
        return [f"{ring.name}.{field}" for ring in (self.cq, *self.sqs) for field in ("shadow", "event")]

    @property
    def views(self) -> list[Sight]:
        """What each thread may miss of what is in memory."""
        rings: list[CQ | SQ] = [self.cq, *self.sqs]
        return [*(view for ring in rings for view in ring.views), self.cq.cqe_view]

    @property
    def buffers(self) -> list[Buffer]:
        """The store buffer of each thread; a thread may be several actors."""
        posters = [self.poster.buffer] if self.poster else []
        threads = [thread.buffer for thread in self.cq.threads]
        return list(dict.fromkeys([*(q.buffer for q in self.sqs), self.cq.buffer, *threads, *posters]))

    def polls(self) -> list[Updates]:
        """The guest's consumer polls again after its publish; without early free, its consumed slots are free now."""
        freed = [q(outstanding=q.outstanding - q.unfreed, unfreed=0) for q in self.sqs if q.has("unfreed")]
        return [self.cq(consumer="poll"), *freed]

    @property
    def corked(self) -> Expr:
        """Whether any SQ is corked."""
        return any_of(q.corked for q in self.sqs)

    @property
    def waiting(self) -> Expr:
        """The number of corked SQs."""
        return waiting(self.sqs)

    def placed(self, event: Expr) -> Expr:
        """A position that a policy gives, as a value of CQ EventIdx."""
        return event

    @property
    def queued(self) -> Expr:
        """The number of completions that wait for room in the CQ."""
        return total(q.queued for q in self.sqs)

    def notified_unseen(self) -> list[Updates]:
        """What changes, besides the SQs of the machine, as all SQs may be notified: nothing."""
        return []

    @property
    def held(self) -> Expr:
        """The number of permits held by commands in flight and by workers."""
        return total(q.permits for q in self.sqs)

    @property
    def unread(self) -> Expr:
        """The number of CQEs that the guest has not taken."""
        return total(self.cq.unread(q) for q in self.sqs)

    def at(self, *places: str) -> Expr:
        """The number of threads of all SQs at one of these positions."""
        return total(q.at(*places) for q in self.sqs)

    def kicks(self, site: Site) -> Iterator[Kick]:
        """The kicks that may happen where room is noticed. A site that does not kick has one empty kick."""
        yield from self.parts.kicks.at(site, self.sqs, self.cq.capacity)

    def pictures(self) -> tuple[RingPicture, ...]:
        """The pictures of the rings, with their indices."""
        marks = (("shadow", "S"), ("event", "E"), ("head", "h"), ("tail", "t"))
        sqs = [
            RingPicture(q.label, q.size, tuple((mark, f"{q.name}.{field}") for field, mark in marks)) for q in self.sqs
        ]
        cq = (*marks, ("cursor", "g"))
        return (
            RingPicture("CQ", self.cq.size, tuple((mark, f"cq.{field}") for field, mark in cq), "cq.slots"),
            *sqs,
        )

    def watched(self) -> tuple[tuple[str, str], ...]:
        """What a short account of a run tells of beside the rings: permits, and what wakes an SQ or makes it wait."""
        found = [("permits", "cq.available")]
        for q in self.sqs:
            fields = (("corked", "corked"), ("granted", "granted"), ("kicked", "called"), ("notified", "wakeups"))
            found += [(f"{q.label} {word}", f"{q.name}.{field}") for word, field in fields if q.has(field)]
            found += [
                (f"{q.label} {worker.label or 'worker'} woken", f"{worker.name}.woken") for worker in q.registered
            ]
            found += [(f"{q.label} queued", f"{q.name}.queued")] if q.has("queued") else []
        shared = [worker for worker in self.crew if worker.has("woken")]
        return (*found, *((f"{worker.label or 'worker'} woken", f"{worker.name}.woken") for worker in shared))
