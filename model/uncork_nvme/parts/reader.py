"""The reader: how a worker learns an SQ's tail and takes entries, and how the device asks for the SQ's doorbell."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from uncork.core.expr import Expr, boolean, ite, lift
from uncork.core.sorts import Ring
from uncork.core.system import Action, Declared, Guarded, Updates, step, var, when

from uncork_nvme.choices import YES, Choice, ReaderChoices
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
    chooser = "sq_answer"
    named: ClassVar[tuple[Choice, ...]] = ("at-once",)
    chosen: ReaderChoices
    later = False
    """Whether the answer to the second read of the tail comes in a step of its own."""

    def check(self) -> None:
        """Refuses what is only of a device that reads the tail once more before it writes it to EventIdx."""
        known: dict[str, Choice] = {"sq_event": "tail-anew"}
        if self.chosen.sq_compare != "head":
            self.only_with(f"sq_compare={self.chosen.sq_compare}", "sq_compare=head", known)
        if self.chosen.sq_last_look == YES:
            self.only_with("sq_last_look=yes", "sq_last_look=no", known)

    @property
    def trusts_event(self) -> bool:
        """Whether a tail that the device has just written to EventIdx passes for an SQ without entries."""
        return self.chosen.sq_compare == "written"

    @property
    def never_arms(self) -> bool:
        """Whether SQ EventIdx is never written."""
        return self.chosen.sq_arm == "never"

    @property
    def follows_head(self) -> bool:
        """Whether SQ EventIdx is the head, but for the step between an entry that is taken and its arm."""
        return self.parts.guest.buffered and self.chosen.sq_arm == "each" and self.chosen.sq_event == "head"

    @property
    def learns_at_wake(self) -> bool:
        """Whether a worker that wakes up reads the SQ shadow tail, and goes by that until it sleeps."""
        return self.parts.guest.buffered and self.chosen.sq_read == "wake"

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
        return q.placed({"head": q.head, "tail": q.tail, "tail-1": q.tail - 1}[self.chosen.sq_event])

    def compared(self, q: SQ) -> Expr:
        """What the tail is compared with that a worker reads after it wrote EventIdx: if it differs, there is more."""
        return q.head

    def done(self, q: SQ, may: Expr) -> Expr:
        """The condition `may` that a worker leaves an SQ in which it found no more, and what this part adds to it."""
        return may

    def anew(self, q: SQ) -> list[Updates]:
        """What changes as a worker begins anew with its SQ, or leaves it."""
        return []

    def wakes(self, q: SQ) -> Updates:
        """What a worker reads as it wakes up."""
        return q(tail=q.seen) if self.learns_at_wake else Updates()

    def ignores(self, q: SQ) -> Expr:
        """Whether the device makes no use of the index that an SQ's doorbell carries, and needs no lock for it."""
        return boolean(False)

    def answers(self, m: Machine, q: SQ, w: Serving, way: Way) -> Iterator[Action]:
        """What follows a second read of the tail that is not its last step."""
        if not way.taken:
            yield find_more(m, q, w)

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
                yield from self.answers(m, q, w, way)
        yield find_empty(m, q, w)


class ByMessage(Reader):
    """Memory is read by messages: the second read of the tail is a question, and the answer comes in a later step."""

    named: ClassVar[tuple[Choice, ...]] = ("later",)
    places = ("answer",)
    later = True

    @property
    def permit_at(self) -> Sequence[str]:
        """Where a worker stands that found its SQ empty, before it gives its permit back."""
        before = super().permit_at
        return (*before, *self.places) if before else ()

    def way(self, *, taken: bool) -> Way:
        """What follows an entry that was taken, or an SQ that was found empty."""
        stages = super().way(taken=taken).stages
        return Way((*stages, *self.places) if "reread" in stages else stages, taken)

    def ignores(self, q: SQ) -> Expr:
        """Where the device reads the SQ's word, it goes by that."""
        return q.life.device_uses if self.parts.guest.buffered else boolean(False)

    def answers(self, m: Machine, q: SQ, w: Serving, way: Way) -> Iterator[Action]:
        """The answer: there are entries, or none; after an entry was taken that is not looked at."""
        if not way.taken:
            yield hear_more(m, q, w)
        yield hear(m, q, w, way)


@step("worker {}", of="fetch")
def fetch(m: Machine, q: SQ, w: Serving) -> Guarded:
    """Reads the SQ shadow tail and takes the entry at the head; the command is in flight and holds the permit."""
    reader = m.parts.reader
    tail = reader.tail(q)
    onward = reader.way(taken=True).onward(m, q, w)
    seen = q.sqe_view.clears(~q.torn)  # an SQE that is taken torn is one that no other entry has to wait for
    handed = m.parts.memory.takes(w)
    takes = when((w.at == "fetch") & (tail != q.head) & q.request_free, q.takes(tail), seen, *handed, *onward)
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


def rereading(m: Machine, q: SQ, w: Serving) -> Expr:
    """Whether a worker is about to read the SQ shadow tail again, after the fence behind its store of EventIdx."""
    return (w.at == "reread") & m.parts.memory.sq_fence(w.buffer, q.views)


@step("worker {}", of="reread_sq")
def find_more(m: Machine, q: SQ, w: Serving) -> Guarded:
    """Reads the SQ shadow tail again before it sleeps, and finds an entry."""
    reader = m.parts.reader
    more = rereading(m, q, w) & (q.seen != reader.compared(q))
    return when(more, q(tail=q.seen), w(at="fetch"), *reader.anew(q)).says("re-reads SQ tail[ {}]: more to do", q.seen)


@step("worker {}", of="reread_sq")
def reread_sq(m: Machine, q: SQ, w: Serving, way: Way) -> Guarded:
    """Reads the SQ shadow tail again, for entries published before the guest could see EventIdx."""
    reader, right = m.parts.reader, rereading(m, q, w)
    if not (way.taken or reader.later):
        right = reader.done(q, right & (q.seen == reader.compared(q)))
    return (
        when(right, q(tail=q.seen), *way.onward(m, q, w, "reread"), *reader.anew(q))
        .says("re-reads SQ tail[ {}]", q.seen)
        .but_where(m.life.blind, "no shadow tail to re-read: still knows SQ tail[ {}]", q.tail)
    )


@step("worker {}", of="hear")
def hear_more(m: Machine, q: SQ, w: Serving) -> Guarded:
    """Gets the answer to its second read of the SQ shadow tail: there is an entry."""
    return when((w.at == "answer") & (q.tail != q.head), w(at="fetch")).says(
        "gets the answer[, SQ tail {}]: more to do", q.tail
    )


@step("worker {}")
def hear(m: Machine, q: SQ, w: Serving, way: Way) -> Guarded:
    """Gets the answer to its second read of the SQ shadow tail, which is how it was as it was read."""
    here = (w.at == "answer") & (boolean(True) if way.taken else q.tail == q.head)
    return when(here, *way.onward(m, q, w, "answer")).says("gets the answer[, SQ tail {}]", q.tail)


# -- the SQ's doorbell -------------------------------------------------------------------------------------------------
@step("doorbell handler {}")
def notify_tail(m: Machine, q: SQ) -> Guarded:
    """Takes the SQ tail from the doorbell."""
    ignored = m.parts.reader.ignores(q)
    seen = [view.clears(ignored) for view in q.views]
    learnt = [q(tail=ite(ignored, q.tail, q.shadow), submitter="notify"), *seen, *m.parts.buffer.on_doorbell(q)]
    takes = when((q.submitter == "notify tail") & (q.unlocked | ignored), *learnt)
    return takes.says("learns the SQ tail[ {}]", q.shadow).but_where(ignored, "hears the doorbell, and not its index")
