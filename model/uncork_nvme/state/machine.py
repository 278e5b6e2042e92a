"""The machine: the whole state under given choices and a policy, with expressions over all queues."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from copy import copy
from itertools import combinations

from uncork.core.expr import Expr, any_of, boolean, count, total
from uncork.core.system import Action, Record, Remembers, RingPicture, Updates

from uncork_nvme.choices import YES, Choices
from uncork_nvme.policies import Policy
from uncork_nvme.state.actors import IN_POP, Poster, Shared
from uncork_nvme.state.kicks import Kick, waiting
from uncork_nvme.state.life import Life
from uncork_nvme.state.memory import Buffer
from uncork_nvme.state.queues import CQ, SQ


def _outside(choices: Choices, policy: Policy, size: int) -> bool:
    """Whether the device keeps CQ EventIdx at a value that no index has."""
    return choices.event_outside != "none" and not policy.writes(size)


class Machine(Remembers):
    """One CQ and its SQs, under given choices and a policy."""

    def __init__(self, choices: Choices, policy: Policy, sqs: int, sq_size: int, cq_size: int) -> None:
        self.choices, self._policy, self._looked = choices, policy, 0
        self._steps: dict[str, Action] = {}
        self.life = Life(choices)
        first = sqs - max(0, choices.happening["create"] - choices.happening["delete"])
        labels = [f"SQ{number}" for number in range(sqs)]
        crew = choices.workers if choices.serve == "all" else 0
        self.crew = [Shared(number, crew, labels) for number in range(crew)]
        self.sqs = [
            SQ(number, sq_size, cq_size, self.life, of=sqs, live=number < first, crew=self.crew)
            for number in range(sqs)
        ]
        self.cq = CQ(cq_size, self.sqs, self.life, outside=_outside(choices, policy, cq_size))
        self.poster = Poster(self.cq) if choices.cq_full == "queue" else None

    def under(self, policy: Policy) -> Machine | None:
        """This machine under another policy, sharing steps that do not depend on it; None if the state would differ."""
        if self.cq.outside != _outside(self.choices, policy, self.cq.size):
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
        return range(1, min(self.choices.submit_batch, q.capacity) + 1)

    @property
    def buffered(self) -> bool:
        """Whether the doorbell buffer is on."""
        return self.choices.doorbell_buffer == "on"

    @property
    def kicks_on_doorbell(self) -> bool:
        """Whether a kick follows a CQ doorbell; with cq_full=queue looks at SQs follow instead (`posting`)."""
        return self.choices.kick_on_doorbell == YES and self.poster is None

    def looking(self, q: SQ) -> Expr:
        """Whether a worker of this SQ is in a pop."""
        return any_of(w.at.among(*IN_POP) for w in q.workers)

    @property
    def permit(self) -> int:
        """The number of CQ slots set aside when a command is taken: 1 or 0."""
        return 1 if self.choices.cq_full == "permits" else 0

    @property
    def records(self) -> list[Record]:
        """All records: the CQ's, then each SQ's."""
        places = [place for buffer in self.buffers for place in buffer.places]
        poster = [self.poster] if self.poster else []
        return [self.cq, *poster, *self.crew, *(record for q in self.sqs for record in q.records), *places, self.life]

    @property
    def buffers(self) -> list[Buffer]:
        """The store buffer of each thread."""
        posters = [self.poster.buffer] if self.poster else []
        threads = [thread.buffer for thread in self.cq.threads]
        return [*(q.buffer for q in self.sqs), self.cq.buffer, *threads, *posters]

    def fence(self, name: str, buffer: Buffer) -> Expr:
        """Whether a thread may go on to a load after the fence of that choice; always if the fence is left out."""
        return buffer.drained if self.choices.items()[name] == YES else boolean(True)

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

    @property
    def queued(self) -> Expr:
        """The number of completions that wait for room in the CQ."""
        return total(q.queued for q in self.sqs)

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

    def kicks(self, site: str) -> Iterator[Kick]:
        """The kicks that may happen at a site, which is the name of a choice.

        A site that does not kick has one empty kick.
        """
        if self.choices.items()[site] != YES:
            yield Kick(tuple(self.sqs), (), site=False)
        elif self.choices.kick_size == "all":
            yield Kick(tuple(self.sqs), None)
        else:
            most = min(len(self.sqs), self.cq.capacity) if self.choices.kick_size == "hand-over" else len(self.sqs)
            for size in range(most + 1):
                for chosen in combinations(self.sqs, size):
                    yield Kick(tuple(self.sqs), chosen)

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
