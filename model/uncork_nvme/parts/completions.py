"""Completions that queue for the CQ, as in QEMU and OpenVMM: commands are always taken, and the CQE comes last.

The steps of a post (read, arm) come first, and then the CQE, if there is room.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from uncork.core.expr import Expr, boolean, ite
from uncork.core.sorts import Nat
from uncork.core.system import Action, Declared, Guarded, Updates, step, var, when

from uncork_nvme.choices import ChoiceError
from uncork_nvme.parts.room.admission import FreeSlots
from uncork_nvme.state.actors import Completer, Poster, Serving
from uncork_nvme.state.kicks import notified
from uncork_nvme.state.machine import Machine
from uncork_nvme.state.queues import SQ


class Completions(FreeSlots):
    """A command is always taken, and its completion queues until the CQ has room."""

    named = ("queue",)
    corks = False
    queues = True

    def check(self) -> None:
        """Refuses workers that post themselves."""
        if not self.parts.backend.apart:
            raise ChoiceError(
                "cq_full=queue needs completions that come from elsewhere: set backend to detached or detached-repoll"
            )

    @property
    def pool(self) -> int | None:
        """The number of requests of each SQ; None if they never run out."""
        return None if self.chosen.pool == "none" else int(self.chosen.pool)

    def of_sq(self, size: int, cq_size: int, sqs: int) -> dict[str, Declared]:
        """The SQ's completions that are queued; if requests may be lost, those that found the CQ full, and the lost."""
        queued = {"queued": var(Nat(size - 1), "commands in flight that are done, and wait for their CQE")}
        if self.pool is None or self.chosen.on_request != "lose-waited":
            return queued
        return queued | {
            "waited": var(Nat(size - 1), "queued completions that have found the CQ full"),
            "lost": var(Nat(self.pool), "requests that never come back"),
        }

    def poster(self) -> Poster | None:
        """One poster for all SQs."""
        return Poster()

    def posters(self, each: Sequence[Serving | Completer]) -> Sequence[Serving | Completer]:
        """Nobody posts for one SQ."""
        return []

    def room(self, m: Machine) -> Expr:
        """Always."""
        return boolean(True)

    def refreshes(self, m: Machine, q: SQ, w: Serving) -> Iterator[Action]:
        """No worker looks for room."""
        yield from ()

    def queue_steps(self, m: Machine) -> Iterator[Action]:
        """The steps of the poster."""
        assert m.poster is not None
        for q in m.sqs:
            yield complete(m, q, m.poster)
            yield post_queued(m, q, m.poster)
        yield attempt(m, m.poster)
        yield block(m, m.poster)
        yield from m.parts.post.sequence(m, m.cq, m.poster)

    def told(self, m: Machine) -> list[Updates]:
        """A doorbell of a CQ that was full as last known has completions posted, and perhaps every SQ looked at."""
        assert m.poster is not None
        full = m.cq.available == 0
        looked = [notified(q, full) for q in m.sqs] + m.notified_unseen() if m.parts.kicks.on_doorbell else []
        posts = [m.poster(scheduled=m.poster.scheduled | full)] if self.chosen.on_full_doorbell == "post" else []
        return [*posts, *looked]

    def finished(self, m: Machine, q: SQ) -> Expr:
        """Whether they have posted, or found the CQ full and were dropped."""
        return (q.in_flight == 0) | (m.cq.available == 0)

    def quiet(self, m: Machine) -> Expr:
        """Whether the poster rests."""
        return self.idle(m)

    def idle(self, m: Machine) -> Expr:
        """Whether the poster rests."""
        assert m.poster is not None
        return m.poster.at == "idle"

    def after(self, m: Machine, q: SQ) -> Updates:
        """Notifies a completion's SQ after the post; with a pool, if the pool was empty and entries are left."""
        wakes = self.parts.backend.completed(q)
        if wakes is not None:
            return wakes
        if q.pool is None or self.chosen.on_request == "nothing":
            return Updates()
        comes_back = q.waited == 0 if q.has("waited") else boolean(True)
        return notified(q, comes_back & ~q.request_free & (q.tail != q.head))

    def loses(self, q: SQ) -> list[Updates]:
        """Loses the request of a completion that is posted after it had to wait."""
        if not q.has("waited"):
            return []
        waited = q.waited > 0
        return [q(waited=ite(waited, q.waited - 1, 0), lost=ite(waited, q.lost + 1, q.lost))]

    def waits(self, m: Machine) -> list[Updates]:
        """Every queued completion has found the CQ full."""
        return [q(waited=q.queued) for q in m.sqs if q.has("waited")]


def _queue(m: Machine) -> Completions:
    admission = m.parts.admission
    assert isinstance(admission, Completions)
    return admission


@step("backend {}")
def complete(m: Machine, q: SQ, p: Poster) -> Guarded:
    """A command is done, whether or not the CQ has room: its completion queues, and posting is scheduled."""
    return when(q.in_flight > q.queued, q(queued=q.queued + 1), p(scheduled=True)).says(
        f"a command of {q.label} is done, its completion queues"
    )


@step("backend")
def attempt(m: Machine, p: Poster) -> Guarded:
    """Begins to post a queued completion."""
    return when(
        (p.at == "idle") & m.life.awake & p.scheduled & (m.queued > 0) & m.cq.unlocked & m.parts.memory.may_lock(p),
        p(scheduled=False),
        *m.parts.post.onward(m, m.cq, p, None),
    ).says("goes to post[, {} queued]", m.queued)


@step("backend", of="post_queued")
def post_queued(m: Machine, q: SQ, p: Poster) -> Guarded:
    """Finds room and writes the CQE at the CQ tail; goes on if more completions are queued."""
    cq = m.cq
    return when(
        (p.at == "post") & (q.queued > 0) & (cq.available > 0),
        p.entries[q.label].store(),
        cq(available=cq.available - 1, locked=False),
        q(in_flight=q.in_flight - 1, queued=q.queued - 1),
        p(at="idle", scheduled=p.scheduled | (m.queued > 1)),
        _queue(m).after(m, q),
        *_queue(m).loses(q),
    ).says(f"posts a CQE of {q.label} " + "[in slot {}]", cq.tail)


@step("backend", of="post_queued")
def block(m: Machine, p: Poster) -> Guarded:
    """Finds the CQ full, and stops until a doorbell or another completion makes it try again."""
    waits = _queue(m).waits(m)
    return when((p.at == "post") & (m.cq.available == 0), m.cq(locked=False), p(at="idle"), *waits).says(
        "the CQ is full: completions STAY QUEUED[: {}]", m.queued
    )
