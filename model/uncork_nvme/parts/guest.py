"""The guest's steps: a submitter for each SQ, a consumer for the CQ, and the shadow-doorbell rule of both."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from uncork.core.expr import Expr, boolean, ite, lift
from uncork.core.sorts import Nat
from uncork.core.system import Action, Declared, Fairness, Guarded, Updates, step, var, when

from uncork_nvme.choices import NO, YES, Choice, GuestChoices
from uncork_nvme.parts.part import Part
from uncork_nvme.state.machine import Machine
from uncork_nvme.state.queues import CQ, SQ


class Driver(Part):
    """A guest's driver: submits batches, consumes, publishes, and rings if its move passed EventIdx."""

    slot = "guest"
    chosen: GuestChoices

    def check(self) -> None:
        """Refuses other orders of the guest's steps, where they are not described."""
        if self.looks_first:
            known: dict[str, Choice] = {"words": "clear", "memory": "sc", "doorbell_buffer": "on"}
            self.only_with("event_look=before", "event_look=after", known)
        if not self.tells_head:
            self.only_with("cq_head=kept", "cq_head=told", {"early_free": YES, "drain": "all", "memory": "sc"})

    @property
    def looks_first(self) -> bool:
        """Whether the guest looks at EventIdx before it moves a shadow index."""
        return self.chosen.event_look == "before"

    @property
    def tells_head(self) -> bool:
        """Whether the guest ever tells the device how far it has consumed."""
        return self.chosen.cq_head == "told"

    @property
    def submits_at(self) -> Sequence[str]:
        """The positions that this guest adds to those of a submitter."""
        return ("publish", "publish and ring") if self.looks_first else ()

    @property
    def consumes_at(self) -> Sequence[str]:
        """The positions that this guest adds to those of the consumer."""
        return ("publish and poll", "publish and ring") if self.looks_first else ()

    @property
    def buffered(self) -> bool:
        """Whether there is a doorbell buffer."""
        return self.chosen.doorbell_buffer == "on"

    @property
    def batch(self) -> int:
        """The most SQEs of one move."""
        return self.chosen.submit_batch

    @property
    def frees_early(self) -> bool:
        """Whether a consumed CQE's command slot is free before the CQ head is published."""
        return self.chosen.early_free == YES

    @property
    def strict(self) -> bool:
        """Whether EventIdx has to be passed, and not only reached."""
        return self.chosen.need_event == "strict"

    @property
    def at_most(self) -> int | None:
        """The most CQEs that are consumed before a publish; None if that is not what ends the loop."""
        return self.chosen.drain if isinstance(self.chosen.drain, int) else None

    @property
    def stops_anywhere(self) -> bool:
        """Whether the loop may end at any time."""
        return self.chosen.drain == "any"

    def of_sq(self, size: int, cq_size: int, sqs: int) -> dict[str, Declared]:
        """With late free, the slots that are still in use though their CQE was consumed."""
        late = {
            "unfreed": var(Nat(cq_size - 1), "consumed commands whose slots are not free until the publish is complete")
        }
        return late if self.chosen.early_free == NO else {}

    def steps(self, m: Machine) -> Iterator[Action]:
        """All the guest's steps."""
        for q in m.sqs:
            for entries in m.batches(q):
                yield submit(m, q, entries)
            if self.looks_first:
                yield publish_sq(m, q)
            elif m.buffered:
                yield need_sq(m, q)
                yield elide_sq(m, q)
            yield ring_sq(m, q)
        for q in m.sqs:
            yield consume(m, q)
        if not self.tells_head:
            return
        yield leave_loop(m)
        if self.looks_first:
            yield look_cq(m)
        yield publish(m)
        if m.buffered and not self.looks_first:
            yield need_cq(m)
            yield elide_cq(m)
        yield ring_cq(m)


def crossed(machine: Machine, ring: SQ | CQ) -> Expr:
    """Whether the last move of a shadow index, from `old` to `new`, passed EventIdx.

    The specification and Linux write (u16)(new - EventIdx - 1) < (u16)(new - old); for indices on the ring that is
    EventIdx in the circular interval [old, new); with <= and without the 1 it is [old, new] (NVMe 2.x Annex B.5.1 and
    the example of B.5.2). An EventIdx that no index reaches, such as SPDK's 0xFFFFFFFF, is passed under either rule
    exactly when the index wraps. Under the strict rule an EventIdx at the last slot is passed at the same moves, so the
    model stores it as the last slot.
    """
    return _passed(machine, ring, ring.index.own - ring.moved, ring.moved)


def _at(ring: SQ | CQ, condition: Expr, place: str, other: str) -> Expr:
    """The first of two positions of the ring's submitter or consumer if the condition holds, else the other."""
    at = ring.submitter if isinstance(ring, SQ) else ring.consumer
    return ite(condition, lift(place, at.sort), other)


def _passed(machine: Machine, ring: SQ | CQ, old: Expr, by: Expr | int) -> Expr:
    past = ring.event - old
    strict = machine.parts.guest.strict or ring.outside
    passed = past < by if strict else past <= by
    return passed | ~machine.life.guest_uses


def moves(ring: SQ | CQ, new: Expr, by: Expr | int) -> Updates:
    """Records how far a store of the index `new` moves the shadow word: `by`, unless the word was stale."""
    return ring(moved=new - ring.word, stale=0) if ring.has("stale") else ring(moved=by)


def _due(m: Machine) -> str:
    """The text of a step that must ring because there is no EventIdx to read."""
    return ("no doorbell buffer" if m.life.guest else "leaves these queues out of the doorbell buffer") + ": must ring"


def _event(ring: SQ | CQ) -> str:
    """The text for EventIdx in a step's sentence: a placeholder, or a value outside the ring."""
    return " 0xFFFFFFFF" if ring.outside else "[ {}]"


def _looked(ring: SQ | CQ) -> list[Expr]:
    """The values for the placeholders of such a sentence: EventIdx, and the move that was compared with it."""
    event = [] if ring.outside else [ring.event]
    return [*event, ring.index.own - ring.moved, ring.index.own]


def _unbuffered(m: Machine) -> Expr:
    """Whether the guest has no doorbell buffer; then the device learns an index only from a doorbell."""
    return ~m.life.guest_uses if m.buffered else boolean(True)


def _checks(m: Machine, ring: SQ | CQ) -> Expr:
    """Whether the guest is about to read EventIdx, after its fence."""
    at = ring.submitter if isinstance(ring, SQ) else ring.consumer
    views = [ring.cqe_view] if isinstance(ring, CQ) else []
    return (at == "check") & m.parts.memory.guest_fence(ring.buffer, views)


@step("submitter {}", Fairness.NONE)
def submit(m: Machine, q: SQ, entries: int | Expr) -> Guarded:
    """Writes SQEs and moves the SQ shadow tail past them. A guest is never obliged to submit."""
    new = q.index.own + entries
    if m.parts.guest.looks_first:
        due = _passed(m, q, q.index.own, entries)
        onward = q(
            outstanding=q.outstanding + entries, moved=entries, submitter=_at(q, due, "publish and ring", "publish")
        )
        return when((q.submitter == "idle") & q.exists & (q.outstanding <= q.capacity - entries), onward).says(
            f"will submit {entries}: " + "SQ EventIdx {}, before the tail moves {} -> {}", q.event, q.index.own, new
        )
    return (
        when(
            (q.submitter == "idle") & q.exists & (q.outstanding <= q.capacity - entries),
            q.index.store(new),
            q.sqes.enter(entries),
            q(outstanding=q.outstanding + entries),
            moves(q, new, entries) | q(submitter="check") if m.buffered else q(submitter="ring"),
        )
        .says(f"submits {entries}: shadow tail" + "[ {} -> {}]", q.index.own, new)
        .but_where(_unbuffered(m), f"submits {entries}: tail" + "[ {} -> {}]", q.index.own, new)
    )


@step("submitter {}")
def publish_sq(m: Machine, q: SQ) -> Guarded:
    """Moves the SQ shadow tail, after the look at EventIdx that has decided about the doorbell."""
    new = q.index.own + q.moved
    loud = q.submitter == "publish and ring"
    return when(
        q.submitter.among("publish", "publish and ring"),
        q.index.store(new),
        q(moved=0, submitter=_at(q, loud, "ring", "idle")),
    ).says("moves the shadow tail {} -> {}", q.index.own, new)


@step("submitter {}", of="check")
def need_sq(m: Machine, q: SQ) -> Guarded:
    """Reads SQ EventIdx and finds it passed: a doorbell is due."""
    return (
        when(_checks(m, q) & crossed(m, q), q(submitter="ring", moved=0))
        .says(f"SQ EventIdx{_event(q)}: passed[ by {{}} -> {{}}], must ring", *_looked(q))
        .but_where(~m.life.guest_uses, _due(m))
    )


@step("submitter {}", of="check")
def elide_sq(m: Machine, q: SQ) -> Guarded:
    """Reads SQ EventIdx and finds it not passed: no doorbell."""
    return when(_checks(m, q) & ~crossed(m, q), q(submitter="idle", moved=0)).says(
        f"SQ EventIdx{_event(q)}: not passed[ by {{}} -> {{}}], silent", *_looked(q)
    )


@step("submitter {}")
def ring_sq(m: Machine, q: SQ) -> Guarded:
    """Writes the SQ tail doorbell: a trap to the device."""
    return when((q.submitter == "ring") & q.buffer.drained, q(submitter="notify tail")).says(
        "rings the SQ doorbell[ with {}]", q.shadow
    )


def looks(m: Machine) -> Expr:
    """Whether the consumer takes a CQE if it sees one: it polls, and has taken fewer CQEs than `drain` allows."""
    cq, most = m.cq, m.parts.guest.at_most
    return (cq.consumer == "poll") & (boolean(True) if most is None else cq.consumed < most)


@step("consumer", of="poll")
def consume(m: Machine, q: SQ) -> Guarded:
    """Sees a new CQE by its phase tag and takes it. With early free the CQE's command slot is reusable at once."""
    cq = m.cq
    takes = when(
        looks(m) & cq.shows(q),
        cq.take(q),
        cq.cqe_view.clears(~cq.torn),
        q(outstanding=q.outstanding - 1) if m.parts.guest.frees_early else q(unfreed=q.unfreed + 1),
    ).says(f"takes the CQE of {q.label} " + "[in slot {}]", cq.cursor)
    old = f"takes the CQE of {q.label} " + "[in slot {}], and sees its rest as it was before"
    return takes.but_where(cq.torn, old, cq.cursor)


@step("consumer", of="poll")
def leave_loop(m: Machine) -> Guarded:
    """Stops after at least one CQE: it sees no new CQE, has taken as many as it may, or just stops (drain=any)."""
    cq, guest = m.cq, m.parts.guest
    enough = boolean(True) if guest.stops_anywhere else ~cq.visible
    if guest.at_most is not None:
        enough = enough | (cq.consumed >= guest.at_most)
    return when((cq.consumer == "poll") & (cq.consumed > 0) & enough, cq(consumer="publish")).says(
        "[has consumed {}, ]leaves its loop", cq.consumed
    )


@step("consumer")
def publish(m: Machine) -> Guarded:
    """Moves the CQ shadow head past the CQEs that it has consumed."""
    cq = m.cq
    if m.parts.guest.looks_first:
        return _publish_after_look(m)
    return (
        when(
            cq.consumer == "publish",
            cq.index.store(cq.cursor),
            moves(cq, cq.cursor, cq.consumed) | cq(consumer="check") if m.buffered else cq(consumer="ring"),
        )
        .says("publishes: shadow head[ {}] -> {}", cq.index.own, cq.cursor)
        .but_where(_unbuffered(m), "moves its head[ {}] -> {}", cq.index.own, cq.cursor)
    )


def _publish_after_look(m: Machine) -> Guarded:
    """The publish of a guest that has looked at EventIdx already; without a doorbell its loop ends here."""
    cq = m.cq
    loud = cq.consumer == "publish and ring"
    freed = [q(outstanding=q.outstanding - ite(loud, 0, q.unfreed), unfreed=ite(loud, q.unfreed, 0))
             for q in m.sqs if q.has("unfreed")]  # fmt: skip
    return when(
        cq.consumer.among("publish and poll", "publish and ring"),
        cq.index.store(cq.cursor),
        cq(moved=0, consumer=_at(cq, loud, "ring", "poll")),
        *freed,
    ).says("publishes: shadow head {} -> {}", cq.index.own, cq.cursor)


@step("consumer")
def look_cq(m: Machine) -> Guarded:
    """Looks at CQ EventIdx before it moves the shadow head."""
    cq = m.cq
    due = _passed(m, cq, cq.index.own, cq.consumed)
    onward = cq(moved=cq.consumed, consumer=_at(cq, due, "publish and ring", "publish and poll"))
    return when(cq.consumer == "publish", onward).says(
        "CQ EventIdx {}, before the head moves {} -> {}", cq.event, cq.index.own, cq.cursor
    )


@step("consumer", of="check")
def need_cq(m: Machine) -> Guarded:
    """Reads CQ EventIdx and finds it passed: a doorbell is due."""
    cq = m.cq
    return (
        when(_checks(m, cq) & crossed(m, cq), cq(consumer="ring", moved=0))
        .says(f"CQ EventIdx{_event(cq)}: passed[ by {{}} -> {{}}], must ring", *_looked(cq))
        .but_where(~m.life.guest_uses, _due(m))
    )


@step("consumer", of="check")
def elide_cq(m: Machine) -> Guarded:
    """Reads CQ EventIdx and finds it not passed: no doorbell."""
    cq = m.cq
    return when(_checks(m, cq) & ~crossed(m, cq), *m.polls(), cq(moved=0)).says(
        f"CQ EventIdx{_event(cq)}: not passed[ by {{}} -> {{}}], silent", *_looked(cq)
    )


@step("consumer")
def ring_cq(m: Machine) -> Guarded:
    """Writes the CQ head doorbell: a trap to the device."""
    return when((m.cq.consumer == "ring") & m.cq.buffer.drained, m.cq(consumer="notify head")).says(
        "rings the CQ doorbell[ with {}]", m.cq.shadow
    )
