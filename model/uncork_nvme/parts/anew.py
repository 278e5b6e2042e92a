"""Parts of a device that reads an index once more just before it writes EventIdx, or before it gives up."""

from __future__ import annotations

from collections.abc import Iterator

from uncork.core.expr import Expr, boolean, ite, lift
from uncork.core.sorts import Bool
from uncork.core.system import Action, Declared, Guarded, Updates, step, var, when

from uncork_nvme.choices import NO, YES, Choice
from uncork_nvme.parts.post import Post, event_idx
from uncork_nvme.parts.reader import Reader, Way, rereading
from uncork_nvme.policies import EventIdx
from uncork_nvme.state.actors import Completer, Poster, Serving
from uncork_nvme.state.kicks import Kick
from uncork_nvme.state.machine import Machine
from uncork_nvme.state.queues import CQ, SQ


class ReadsAnew(Reader):
    """A worker that finds its SQ empty reads the SQ shadow tail once more, writes that to EventIdx, and reads again.

    What that last read is compared with is `sq_compare`. With `sq_last_look` all of it is done twice, with a look at
    the tail between.
    """

    chooser = "sq_event"
    named = ("tail-anew",)
    places = ("read tail", "last look")

    def check(self) -> None:
        """Refuses what is not described of a device that reads the tail once more."""
        known: dict[str, Choice] = {"sq_arm": "idle", "sq_reread": YES, "sq_event_cache": NO, "serve": "own"}
        self.only_with("sq_event=tail-anew", "sq_event=tail", known | {"byte_order": "same", "sq_answer": "at-once"})

    @property
    def permit_at(self) -> tuple[str, ...]:
        """Where a worker stands that found its SQ empty, before it gives its permit back."""
        return ("read tail", "arm", "reread", "last look")

    @property
    def looks_twice(self) -> bool:
        """Whether a worker that found nothing lets go of its SQ, looks, and writes EventIdx once more."""
        return self.chosen.sq_last_look == YES

    def of_sq(self, size: int, cq_size: int, sqs: int) -> dict[str, Declared]:
        """Whether the worker has let go of the SQ."""
        released = {"released": var(Bool(), "the worker has let go of the SQ, and does all of its last look once more")}
        return super().of_sq(size, cq_size, sqs) | (released if self.looks_twice else {})

    def way(self, *, taken: bool) -> Way:
        """What follows an SQ that was found empty begins with another read of the tail."""
        way = super().way(taken=taken)
        return Way(("read tail", *way.stages), taken) if way.stages else way

    def event(self, q: SQ) -> Expr:
        """The tail, which was read once more for this."""
        return q.tail

    def compared(self, q: SQ) -> Expr:
        """The SQ head; or what the device has just written to EventIdx."""
        return q.tail if self.trusts_event else q.head

    def done(self, q: SQ, may: Expr) -> Expr:
        """A worker that looks twice leaves the SQ after the second time."""
        return may & q.released if self.looks_twice else may

    def anew(self, q: SQ) -> list[Updates]:
        """A worker that begins anew has its SQ again."""
        return [q(released=False)] if self.looks_twice else []

    def steps(self, m: Machine, q: SQ, w: Serving) -> Iterator[Action]:
        """A worker's look for an entry."""
        yield from super().steps(m, q, w)
        way = self.way(taken=False)
        if not way.stages:  # there is no doorbell buffer
            return
        yield read_tail(m, q, w, way)
        if self.looks_twice:
            yield let_go(m, q, w)
            yield find_late(m, q, w)
            yield last_look(m, q, w)


@step("worker {}")
def read_tail(m: Machine, q: SQ, w: Serving, way: Way) -> Guarded:
    """Reads the SQ shadow tail once more, to write it to SQ EventIdx."""
    return when(w.at == "read tail", q(tail=q.seen), *way.onward(m, q, w, "read tail")).says(
        "reads SQ tail[ {}] once more, for EventIdx", q.seen
    )


@step("worker {}", of="reread_sq")
def let_go(m: Machine, q: SQ, w: Serving) -> Guarded:
    """Reads the SQ shadow tail again, finds no more, and lets go of its SQ: a later notification makes it run anew."""
    here = rereading(m, q, w) & (q.seen == m.parts.reader.compared(q)) & ~q.released
    return when(here, q(tail=q.seen, released=True), w(at="last look")).says("re-reads SQ tail[ {}]: lets go", q.seen)


@step("worker {}", of="last_look")
def find_late(m: Machine, q: SQ, w: Serving) -> Guarded:
    """Compares the SQ shadow tail with the SQ head after it let go of its SQ, and finds an entry."""
    return when((w.at == "last look") & (q.seen != q.head), q(tail=q.seen, released=False), w(at="fetch")).says(
        "looks once more at SQ tail[ {}]: more to do", q.seen
    )


@step("worker {}", of="last_look")
def last_look(m: Machine, q: SQ, w: Serving) -> Guarded:
    """Compares the SQ shadow tail with the SQ head after it let go of its SQ, and finds no entry."""
    return when((w.at == "last look") & (q.seen == q.head), q(tail=q.seen), w(at="read tail")).says(
        "looks once more at SQ tail[ {}]: nothing", q.seen
    )


class ReadArmRead(Post):
    """Before a queued completion is posted the CQ shadow head is read. If there is no room, EventIdx and a second read.

    What the second read is compared with is `cq_compare`.
    """

    chooser = "post_order"
    named = ("read-arm-read",)

    def check(self) -> None:
        """Refuses posts of which the CQE is the first step, and what is not described."""
        known: dict[str, Choice] = {"cq_full": "queue", "cq_event_cache": NO, "byte_order": "same"}
        self.only_with("post_order=read-arm-read", "post_order=read-then-arm", known)

    def of_cq(self, size: int) -> dict[str, Declared]:
        """Whether the poster reads for the second time."""
        return super().of_cq(size) | {"again": var(Bool(), "the poster has written CQ EventIdx, and reads once more")}

    def stages(self, m: Machine) -> list[str]:
        """The first read, and EventIdx."""
        if not m.buffered:
            return []
        return ["post read"] if event_idx(m).value is None else ["post read", "post arm"]

    def may_read(self, m: Machine, p: Serving | Completer | Poster) -> Expr:
        """A fence stands before the second read. None stands before the first, and on x86 nothing waits then.

        The poster has taken a lock, for which on x86 it has waited, and on Arm it has not.
        """
        fence = m.parts.memory.cq_fence(p.buffer, m.cq.views)
        return ~m.cq.again | fence if m.parts.memory.arm else fence

    def armed(self, m: Machine) -> EventIdx:
        """What the policy says; or the head, which is read once more for this, where the policy writes."""
        armed = event_idx(m)
        return EventIdx(m.cq.seen, armed.written) if self.trusts_event else armed

    def moved(self, m: Machine, p: Serving | Completer | Poster) -> Expr:
        """Whether the head has moved past the one that the device knows; or past what it wrote to EventIdx."""
        return ite(m.cq.again, m.cq.seen != p.cq_event.own, m.cq.freed > 0) if self.trusts_event else m.cq.freed > 0

    def unmoved(self, m: Machine, p: Serving | Completer | Poster) -> Expr:
        """Whether it has not."""
        return ~self.moved(m, p) if self.trusts_event else m.cq.freed == 0

    def onward(
        self, m: Machine, q: SQ | CQ, p: Serving | Completer | Poster, done: str | None, kick: Kick | None = None
    ) -> list[Updates]:
        """A read that finds no room is followed by EventIdx and a second read; what follows that is the post."""
        assert isinstance(p, Poster)
        stages, woken = self.stages(m), kick.updates() if kick else []
        if not stages:
            return [p(at="post"), m.cq(locked=True)]
        if done is None:
            return [p(at="post read"), m.cq(locked=True)]
        if done == "post arm":
            return [p(at="post read"), m.cq(again=True)]
        arms = (m.cq.available == 0) & ~m.cq.again if len(stages) > 1 and kick is None else boolean(False)
        return [p(at=ite(arms, lift("post arm", p.at.sort), "post")), m.cq(again=False), *woken]
