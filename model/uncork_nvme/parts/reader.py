"""The reader: how a worker learns an SQ's tail and takes entries, and how the device asks for the SQ's doorbell."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from uncork.core.expr import Expr, lift
from uncork.core.sorts import Ring
from uncork.core.system import Action, Declared, Guarded, Updates, step, var, when

from uncork_nvme.choices import YES, ReaderChoices
from uncork_nvme.parts.part import Part
from uncork_nvme.parts.post import remembers, stored, writes_nothing
from uncork_nvme.state.actors import Serving
from uncork_nvme.state.machine import Machine
from uncork_nvme.state.queues import SQ


@dataclass(frozen=True)
class Way:
    """What a worker still does under the SQ lock after it found an entry, or none; past the last stage it unlocks."""

    stages: tuple[str, ...]
    taken: bool
    """Whether an entry was taken."""

    def onward(self, m: Machine, q: SQ, w: Serving, done: str | None = None) -> list[Updates]:
        """Moves the worker to the stage after `done`; past the last one to what it does with an entry, or without."""
        left = self.stages if done is None else self.stages[self.stages.index(done) + 1 :]
        if left:
            return [w(at=left[0])]
        after = m.parts.backend.taken(q, w) if self.taken else m.parts.admission.found_none(q, w)
        return [q(locked=False), *after]


class Reader(Part):
    """Reads the SQ shadow tail before it takes an entry or as a worker wakes up, and writes SQ EventIdx."""

    slot = "reader"
    chosen: ReaderChoices

    @property
    def never_arms(self) -> bool:
        """Whether SQ EventIdx is never written."""
        return self.chosen.sq_arm == "never"

    @property
    def rereads(self) -> bool:
        """Whether each store of SQ EventIdx is followed by another read of the SQ shadow tail."""
        return self.chosen.sq_reread == YES

    @property
    def outside(self) -> bool:
        """Whether SQ EventIdx stays at a value that no index has."""
        return self.never_arms and self.parts.post.keeps_sq_outside

    @property
    def permit_at(self) -> Sequence[str]:
        """Where a worker stands that found its SQ empty, before it gives its permit back."""
        return ("arm", "reread") if self.chosen.sq_arm == "idle" else ()

    def of_sq(self, size: int, cq_size: int, sqs: int) -> dict[str, Declared]:
        """With a cache, the value of EventIdx that the device remembers."""
        cache = {"armed": var(Ring(size), "the value that the device remembers to have written to SQ EventIdx")}
        return cache if self.chosen.sq_event_cache == YES and self.parts.life.happening else {}

    def way(self, *, taken: bool) -> Way:
        """What follows an entry that was taken, or an SQ that was found empty."""
        arms = self.parts.guest.buffered and self.chosen.sq_arm == ("each" if taken else "idle")
        stages = ("arm", "reread") if self.chosen.sq_reread == YES else ("arm",)
        return Way(stages if arms else (), taken)

    def tail(self, q: SQ) -> Expr:
        """The SQ tail that a worker goes by as it looks for an entry."""
        return q.seen if self.parts.guest.buffered and self.chosen.sq_read == "each" else q.tail

    def event(self, q: SQ) -> Expr:
        """What SQ EventIdx becomes, as the guest reads it."""
        if self.parts.buffer.swapped:
            return lift(0, q.event.sort)
        return {"head": q.head, "tail": q.tail, "tail-1": q.tail - 1}[self.chosen.sq_event]

    def wakes(self, q: SQ) -> Updates:
        """What a worker reads as it wakes up."""
        return q(tail=q.seen) if self.parts.guest.buffered and self.chosen.sq_read == "wake" else Updates()

    def steps(self, m: Machine, q: SQ, w: Serving) -> Iterator[Action]:
        """A worker's look for an entry, with a permit or without."""
        yield fetch(m, q, w)
        if q.pool is not None:
            yield find_no_request(m, q, w)
        for way in (self.way(taken=True), self.way(taken=False)):
            if "arm" in way.stages:
                yield arm_sq(m, q, w, way)
            if "reread" in way.stages:
                yield reread_sq(m, q, w, way)
                if not way.taken:
                    yield find_more(m, q, w)
        yield find_empty(m, q, w)


@step("worker {}", of="fetch")
def fetch(m: Machine, q: SQ, w: Serving) -> Guarded:
    """Reads the SQ shadow tail and takes the entry at the head; the command is in flight and holds the permit."""
    reader = m.parts.reader
    tail = reader.tail(q)
    taken = q(tail=tail, head=q.head + 1, in_flight=q.in_flight + 1)
    onward = reader.way(taken=True).onward(m, q, w)
    seen = q.sqe_view.clears(~q.torn)  # an SQE that is taken torn is one that no other entry has to wait for
    takes = when((w.at == "fetch") & (tail != q.head) & q.request_free, taken, seen, *onward)
    takes = takes.says("takes the entry[ in slot {}]", q.head)
    return takes.but_where(q.torn, "takes the entry[ in slot {}], and sees the SQE as it was before", q.head)


@step("worker {}", of="fetch")
def find_no_request(m: Machine, q: SQ, w: Serving) -> Guarded:
    """Reads the SQ shadow tail and finds an entry, but no free request: stops, as at the end of its SQ."""
    tail = m.parts.reader.tail(q)
    stopped = Way((), taken=False).onward(m, q, w)
    return when((w.at == "fetch") & (tail != q.head) & ~q.request_free, q(tail=tail), *stopped).says(
        "has no request for the entry[ in slot {}]: stops", q.head
    )


@step("worker {}", of="fetch")
def find_empty(m: Machine, q: SQ, w: Serving) -> Guarded:
    """Reads the SQ shadow tail and finds the SQ empty; still holds a permit, which it has to give back."""
    reader = m.parts.reader
    tail = reader.tail(q)
    onward = reader.way(taken=False).onward(m, q, w)
    return when((w.at == "fetch") & (tail == q.head), q(tail=tail), *onward).says(
        "finds its SQ empty[ (tail {})]", tail
    )


@step("worker {}")
def arm_sq(m: Machine, q: SQ, w: Serving, way: Way) -> Guarded:
    """Writes SQ EventIdx, so that the guest rings when its tail moves past this."""
    event = m.parts.reader.event(q)
    armed = when(w.at == "arm", *stored(q, w.sq_event, event), *way.onward(m, q, w, "arm"))
    told = armed.says("SQ EventIdx[ {}] -> {}", q.event, event)
    return told.but_where(~m.life.in_use, writes_nothing(m)).but_where(*remembers(q, event))


def _rereads(m: Machine, q: SQ, w: Serving) -> Expr:
    return (w.at == "reread") & m.parts.memory.sq_fence(w.buffer, q.views)


@step("worker {}", of="reread_sq")
def find_more(m: Machine, q: SQ, w: Serving) -> Guarded:
    """Reads the SQ shadow tail again before it sleeps, and finds an entry."""
    return when(_rereads(m, q, w) & (q.seen != q.head), q(tail=q.seen), w(at="fetch")).says(
        "re-reads SQ tail[ {}]: more to do", q.seen
    )


@step("worker {}", of="reread_sq")
def reread_sq(m: Machine, q: SQ, w: Serving, way: Way) -> Guarded:
    """Reads the SQ shadow tail again, for entries published before the guest could see EventIdx."""
    right = _rereads(m, q, w) if way.taken else _rereads(m, q, w) & (q.seen == q.head)
    return (
        when(right, q(tail=q.seen), *way.onward(m, q, w, "reread"))
        .says("re-reads SQ tail[ {}]", q.seen)
        .but_where(m.life.blind, "no shadow tail to re-read: still knows SQ tail[ {}]", q.tail)
    )


# -- the SQ's doorbell -------------------------------------------------------------------------------------------------
@step("doorbell handler {}")
def notify_tail(m: Machine, q: SQ) -> Guarded:
    """Takes the SQ tail from the doorbell."""
    learnt = [q(tail=q.shadow, submitter="notify"), *(v.clears() for v in q.views), *m.parts.buffer.on_doorbell(q)]
    return when((q.submitter == "notify tail") & q.unlocked, *learnt).says("learns the SQ tail[ {}]", q.shadow)
