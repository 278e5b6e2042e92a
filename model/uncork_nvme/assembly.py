"""The parts of a machine, put together: which part stands in each slot, and which step follows which."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

from uncork.core.system import Action

from uncork_nvme.choices import Choice, Choices
from uncork_nvme.parts.anew import ReadArmRead, ReadsAnew
from uncork_nvme.parts.backend import Detached, InWorker, Repoll
from uncork_nvme.parts.buffer import BothSides, DeviceOnly, GuestOnly
from uncork_nvme.parts.completions import Completions
from uncork_nvme.parts.crew import Dropped, GivenAnew, Kept, LostBits, Spent, deliver, notify
from uncork_nvme.parts.guest import Driver
from uncork_nvme.parts.life import Cycle
from uncork_nvme.parts.memory import Memory
from uncork_nvme.parts.part import Part
from uncork_nvme.parts.post import Post
from uncork_nvme.parts.reader import ByMessage, Reader, notify_tail
from uncork_nvme.parts.room.admission import FreeSlots, NeverLooks, Permits, notify_head, reject_head
from uncork_nvme.parts.room.full import ArmRecheck, Park, SelfKick
from uncork_nvme.parts.room.kicks import AsManyAsRoom, HandOver, Kicks, kick
from uncork_nvme.state.actors import Serving
from uncork_nvme.state.machine import Machine
from uncork_nvme.state.queues import SQ

PARTS: tuple[type[Part], ...] = (
    *(Driver, Reader, ByMessage, Permits, FreeSlots, NeverLooks, Completions, Park, SelfKick, ArmRecheck, Post),
    *(InWorker, Detached, Repoll, Kept, Spent, Dropped, LostBits, GivenAnew, Kicks, AsManyAsRoom, HandOver, Cycle),
    *(BothSides, GuestOnly, DeviceOnly, Memory, ReadsAnew, ReadArmRead),
)
"""Every part that choices may ask for."""


class Parts:
    """The parts of one machine, by slot. A slot's first class says what the other parts may ask of it."""

    guest: Driver
    reader: Reader
    post: Post
    backend: InWorker
    life: Cycle
    buffer: BothSides
    memory: Memory
    crew: Kept
    admission: Permits
    kicks: Kicks
    full: Park

    def __init__(self, choices: Choices, own: Sequence[type[Part]] = ()) -> None:
        self.choices = choices
        self.values: Mapping[str, Choice] = choices.items()
        for kind in (*PARTS, *own):
            if kind.stands_for(self.values):
                setattr(self, kind.slot, kind(choices))
        for part in self.all:
            part.parts = self

    @property
    def places(self) -> list[str]:
        """The positions of a worker that parts add to its look at an SQ."""
        return [place for part in self.all for place in part.places]

    @property
    def permit_at(self) -> list[str]:
        """Positions, besides "fetch" and "remit", where a worker holds a permit that is no command's."""
        return [place for part in self.all for place in part.permit_at]

    @property
    def own(self) -> list[str]:
        """The names of the parts that are not of this package."""
        return [type(part).__name__ for part in self.all if type(part) not in PARTS]

    @property
    def all(self) -> list[Part]:
        """The parts, in the order of the slots."""
        return [getattr(self, slot) for slot in Parts.__annotations__]


def assembled(choices: Choices, own: Sequence[type[Part]] = ()) -> Parts:
    """The parts that choices ask for; those of one's `own` take their slots if the choices ask for what they are for.

    Raises `ChoiceError` for parts that do not work together.
    """
    parts = Parts(choices, own)
    for part in parts.all:
        part.check()
    return parts


def look(m: Machine, q: SQ, w: Serving) -> Iterator[Action]:
    """A worker's program, from its sleep to its sleep, but for the run of a command."""
    parts = m.parts
    yield from parts.crew.steps(m, q, w)
    yield from parts.admission.reserves(m, q, w)
    yield from parts.kicks.grants(m, q, w)
    if parts.admission.corks:
        yield from parts.full.steps(m, q, w)
    yield from parts.admission.refreshes(m, q, w)
    yield from parts.reader.steps(m, q, w)
    yield from parts.admission.returns(m, q, w)


def device(m: Machine) -> Iterator[Action]:
    """All the device's steps."""
    for q in m.sqs:
        for w in q.workers:
            yield from look(m, q, w)
        for p in q.posters:
            yield from m.parts.post.steps(m, q, p)
        yield notify_tail(m, q)
        yield notify(m, q)
        if q.has("called"):
            yield deliver(m, q)
    yield from m.parts.admission.queue_steps(m)
    yield notify_head(m)
    if m.parts.admission.counts:
        yield reject_head(m)
    if m.parts.kicks.follows_doorbell:
        for each in m.kicks("doorbell"):
            yield kick(m, each)


def steps(m: Machine) -> Iterator[Action]:
    """All steps of a machine."""
    own = chain(m.parts.guest.steps(m), device(m), m.parts.life.steps(m))
    yield from m.parts.memory.locking(m.parts.memory.watched(own, m.stored), (m.cq, *m.sqs))
    for buffer in m.buffers:
        yield from buffer.flushes
    for view in m.views:
        yield from view.steps
