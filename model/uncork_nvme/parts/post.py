"""The post: the device writes a CQE, reads the CQ shadow head, and writes CQ EventIdx as the policy says.

What is written to an EventIdx, and that a device may remember it, is here for SQs, too.
"""

from __future__ import annotations

from collections.abc import Iterator

from uncork.core.expr import Expr, boolean, ite, lift
from uncork.core.sorts import Ring
from uncork.core.system import Action, Declared, Guarded, Updates, step, var, when

from uncork_nvme.choices import YES, PostChoices
from uncork_nvme.parts.part import Part
from uncork_nvme.policies import CQView, EventIdx, Policy
from uncork_nvme.state.actors import Completer, Poster, Serving, Storing
from uncork_nvme.state.kicks import Kick
from uncork_nvme.state.machine import Machine
from uncork_nvme.state.memory import Word
from uncork_nvme.state.queues import CQ, SQ


def event_idx(m: Machine, *, corking: bool = False) -> EventIdx:
    """What the policy writes to CQ EventIdx in the current state of the device, as the guest reads it."""
    cq = m.cq
    corked = boolean(True) if corking else m.corked
    view = CQView(cq.head, cq.tail, cq.occupied, cq.available, corked, cq.size, m.count)
    written = m.policy.event_idx(view, corking=corking)
    if written.value is None:
        return written
    return EventIdx(lift(0, cq.event.sort) if m.parts.buffer.swapped else m.placed(written.value), written.written)


def written(value: Expr | None, cq: CQ, thread: Storing | Poster) -> list[Updates]:
    """A thread writes CQ EventIdx, if the policy gives a value."""
    return [] if value is None else stored(cq, thread.cq_event, value)


def stored(ring: SQ | CQ, word: Word, value: Expr) -> list[Updates]:
    """Writes `value` to a ring's EventIdx, if a buffer is in use and the device does not remember this value."""
    if not ring.has("armed"):
        return [word.store(ite(ring.life.in_use, value, ring.event))]
    write = ring.life.in_use & (ring.armed != value)
    return [word.store(ite(write, value, ring.event)), ring(armed=ite(ring.life.in_use, value, ring.armed))]


def writes_nothing(m: Machine) -> str:
    """The text of a step that would write EventIdx, if the guest has no doorbell buffer."""
    if not m.life.guest:
        return "writes an EventIdx that the guest does not read"
    return "no doorbell buffer: writes no EventIdx" + (" that the guest reads" if m.life.keeps else "")


class Post(Part):
    """The two steps after a CQE is written: the CQ shadow head is read, and CQ EventIdx is written, in either order."""

    slot = "post"
    chosen: PostChoices

    @property
    def keeps_sq_outside(self) -> bool:
        """Whether an SQ EventIdx that is never written is a value that no index has."""
        return self.chosen.event_outside == "both"

    def outside(self, policy: Policy, size: int) -> bool:
        """Whether CQ EventIdx stays at a value that no index has."""
        return self.chosen.event_outside != "none" and not policy.writes(size)

    def of_cq(self, size: int) -> dict[str, Declared]:
        """With a cache, the value of EventIdx that the device remembers."""
        cache = {"armed": var(Ring(size), "the value that the device remembers to have written to CQ EventIdx")}
        return cache if self.chosen.cq_event_cache == YES and self.parts.life.happening else {}

    def check(self) -> None:
        """Refuses what is only of a device that reads the head, arms, and reads it again."""
        if self.chosen.cq_compare != "head":
            self.only_with("cq_compare=written", "cq_compare=head", {"post_order": "read-arm-read"})

    @property
    def trusts_event(self) -> bool:
        """Whether a head that the device has just written to EventIdx passes for a head that has not moved."""
        return self.chosen.cq_compare == "written"

    def armed(self, m: Machine) -> EventIdx:
        """What is written to CQ EventIdx, and when."""
        return event_idx(m)

    def may_read(self, m: Machine, p: Serving | Completer | Poster) -> Expr:
        """Whether a poster may read the CQ shadow head, after the fence that follows its store of EventIdx, if any."""
        return m.parts.memory.cq_fence(p.buffer, m.cq.views) if self.stages(m)[0] == "post arm" else boolean(True)

    def moved(self, m: Machine, p: Serving | Completer | Poster) -> Expr:
        """Whether a poster that reads the CQ shadow head finds that it has moved."""
        return m.cq.freed > 0

    def unmoved(self, m: Machine, p: Serving | Completer | Poster) -> Expr:
        """Whether it finds that it has not."""
        return m.cq.freed == 0

    def stages(self, m: Machine) -> list[str]:
        """The steps after a CQE is written, as positions of the poster, which holds the CQ lock until the last."""
        if not m.buffered:
            return []
        arm = [] if event_idx(m).value is None else ["post arm"]
        read = ["post read"] if self.parts.admission.counts else []
        return [*read, *arm] if self.chosen.post_order == "read-then-arm" else [*arm, *read]

    def onward(
        self, m: Machine, q: SQ | CQ, p: Serving | Completer | Poster, done: str | None, kick: Kick | None = None
    ) -> list[Updates]:
        """Moves the poster to the step after `done`; past the last one the backend says whom it wakes."""
        stages = self.stages(m)
        left = stages if done is None else stages[stages.index(done) + 1 :]
        if not left and not isinstance(p, Poster) and isinstance(q, SQ):
            backend = m.parts.backend
            return [backend.posted(q, p), m.cq(locked=False), *backend.wakes(q, kick)]
        woken = kick.updates() if kick else []
        return [p(at=left[0] if left else "post"), m.cq(locked=True), *woken]

    def may(self, m: Machine, p: Serving | Completer) -> Expr:
        """Whether a poster may write a CQE now, as far as the poster and the CQ go."""
        return (p.at == "run") & m.cq.unlocked & p.buffer.drained

    def completes(self, m: Machine, q: SQ, p: Serving | Completer) -> Expr:
        """Whether a command of the SQ may complete now."""
        return (p.at == "run") & (q.in_flight > 0) & m.cq.unlocked & m.parts.memory.may_post(p)

    def steps(self, m: Machine, q: SQ, p: Serving | Completer) -> Iterator[Action]:
        """The steps of an actor that posts for one SQ."""
        yield post(m, q, p)
        yield from m.parts.admission.posts(m, q, p)
        yield from self.sequence(m, q, p)

    def sequence(self, m: Machine, q: SQ | CQ, p: Serving | Completer | Poster) -> Iterator[Action]:
        """The steps of a post besides the CQE itself."""
        stages = self.stages(m)
        if "post read" in stages:
            yield post_read(m, q, p)
            for each in m.kicks("post"):
                yield post_credit(m, q, p, each)
        if "post arm" in stages:
            yield post_arm(m, q, p)
            if event_idx(m).written.op != "const":
                yield post_leave(m, q, p)


@step("backend {}")
def post(m: Machine, q: SQ, p: Serving | Completer) -> Guarded:
    """A command completes: its CQE is written at the CQ tail, visible to the guest at once; its permit is used up."""
    cq, parts = m.cq, m.parts
    return when(
        parts.post.completes(m, q, p) & ~parts.admission.looks_for_room(m),
        p.cqe.store(),
        q(in_flight=q.in_flight - 1),
        parts.admission.spends(m),
        *parts.post.onward(m, q, p, None),
    ).says(f"posts a CQE of {q.label} " + "[in slot {}]", cq.tail)


def _reads(m: Machine, p: Serving | Completer | Poster) -> Expr:
    """Whether a poster is about to read the CQ shadow head, after its fence if it armed first."""
    return (p.at == "post read") & m.parts.post.may_read(m, p)


@step("backend {}", of="post_read")
def post_read(m: Machine, q: SQ | CQ, p: Serving | Completer | Poster) -> Guarded:
    """Reads the CQ shadow head and finds that it has not moved."""
    return (
        when(_reads(m, p) & m.parts.post.unmoved(m, p), *m.parts.post.onward(m, q, p, "post read"))
        .says("reads shadow head[ {}]: nothing freed", m.cq.seen)
        .but_where(m.life.blind, "no shadow head to read: nothing freed")
    )


@step("backend {}", of="post_read")
def post_credit(m: Machine, q: SQ | CQ, p: Serving | Completer | Poster, kick: Kick) -> Guarded:
    """Reads the CQ shadow head and credits the permits that it freed."""
    cq = m.cq
    room = cq.available + cq.freed
    kick = kick.of(room)
    return when(
        _reads(m, p) & m.parts.post.moved(m, p) & kick.possible(room),
        cq(head=cq.seen, available=kick.rest(room)),
        *m.parts.post.onward(m, q, p, "post read", kick),
    ).says("reads shadow head[ {}]: {} freed", cq.seen, cq.freed)


@step("backend {}", of="post_arm")
def post_arm(m: Machine, q: SQ | CQ, p: Serving | Completer | Poster) -> Guarded:
    """Writes CQ EventIdx as the policy says."""
    armed = m.parts.post.armed(m)
    return (
        when(
            (p.at == "post arm") & armed.written,
            *written(armed.value, m.cq, p),
            *m.parts.post.onward(m, q, p, "post arm"),
        )
        .says("CQ EventIdx[ {}] -> {}", p.cq_event.own, armed.value if armed.value is not None else m.cq.event)
        .but_where(~m.life.in_use, writes_nothing(m))
        .but_where(*remembers(m.cq, armed.value))
    )


def remembers(ring: SQ | CQ, value: Expr | None) -> tuple[Expr, str]:
    """The condition that a device remembers `value` and so writes no EventIdx, and the text of such a step."""
    if value is None or not ring.has("armed"):
        return boolean(False), ""
    kind = "CQ" if isinstance(ring, CQ) else "SQ"
    return ring.armed == value, f"remembers {kind} EventIdx as that already: writes nothing"


@step("backend {}", of="post_arm")
def post_leave(m: Machine, q: SQ | CQ, p: Serving | Completer | Poster) -> Guarded:
    """Does not write CQ EventIdx, as the policy says here."""
    return (
        when((p.at == "post arm") & ~event_idx(m).written, *m.parts.post.onward(m, q, p, "post arm"))
        .says("leaves CQ EventIdx[ at {}]", m.cq.event)
        .but_where(~m.life.in_use, writes_nothing(m))
    )
