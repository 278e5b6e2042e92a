"""Admission: what keeps the CQ from overflowing. Permits, or a look at what is free now, or nothing.

Queue positions and permits are as in Oxide Propolis, lib/propolis/src/hw/nvme/queue.rs. A pop takes the SQ lock and the
CQ lock in one step, because no holder of the CQ lock waits for an SQ lock.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from uncork.core.expr import Expr, all_of, boolean
from uncork.core.system import Action, Guarded, Updates, step, when

from uncork_nvme.choices import AdmissionChoices, ChoiceError
from uncork_nvme.parts.part import Part
from uncork_nvme.state.actors import Completer, Poster, Serving
from uncork_nvme.state.kicks import Kick
from uncork_nvme.state.machine import Machine
from uncork_nvme.state.queues import SQ


class Permits(Part):
    """A command is taken only with a permit: a free CQ slot that no other command counts on."""

    slot = "admission"
    chooser = "cq_full"
    named = ("permits",)
    chosen: AdmissionChoices
    permit = 1
    """CQ slots that are set aside as a command is taken."""
    corks = True
    """Whether an SQ may find no room, and then is corked."""
    counts = True
    """Whether the device counts CQ slots, and so reads the CQ head."""
    queues = False
    """Whether completions queue until the CQ has room."""

    def check(self) -> None:
        """Refuses a pool of requests: it is of a device whose completions queue."""
        if self.chosen.pool != "none":
            raise ChoiceError("pool is of a device whose completions queue: set cq_full=queue, or leave pool=none")

    @property
    def pool(self) -> int | None:
        """The number of requests of each SQ; None if they never run out."""
        return None

    def poster(self) -> Poster | None:
        """Who posts the completions of all SQs; None if each SQ's are posted as they come."""
        return None

    def posters(self, each: Sequence[Serving | Completer]) -> Sequence[Serving | Completer]:
        """Who posts for an SQ, of those that the backend has for it."""
        return each

    # -- as a worker looks at its SQ -----------------------------------------------------------------------------------
    def room(self, m: Machine) -> Expr:
        """Whether a worker may look at its SQ with what is known of the CQ."""
        return m.cq.available > 0

    def no_room(self, m: Machine) -> Expr:
        """Whether there is no room, the CQ shadow head read again."""
        return m.cq.available + m.cq.freed == 0 if m.buffered else m.cq.available == 0

    def found_none(self, q: SQ, w: Serving) -> list[Updates]:
        """What a worker does after a look that found nothing: it goes to give its permit back."""
        return [w(at="remit")]

    def reserves(self, m: Machine, q: SQ, w: Serving) -> Iterator[Action]:
        """A worker takes what it needs to look at its SQ; `refreshes` and `returns` follow."""
        yield reserve(m, q, w)

    def refreshes(self, m: Machine, q: SQ, w: Serving) -> Iterator[Action]:
        """A worker finds no permit, and looks for permits that were freed."""
        for kick in m.kicks("reserve") if m.buffered else ():
            if kick.leaves_some(m.cq.capacity):
                yield refresh(m, q, w, kick)

    def returns(self, m: Machine, q: SQ, w: Serving) -> Iterator[Action]:
        """A worker gives back the permit for which it found no command."""
        for kick in m.kicks("remit"):
            yield remit(m, q, w, kick)

    # -- as a command completes ----------------------------------------------------------------------------------------
    def looks_for_room(self, m: Machine) -> Expr:
        """Whether a post has to read the CQ shadow head first."""
        return boolean(False)

    def posts(self, m: Machine, q: SQ, p: Serving | Completer) -> Iterator[Action]:
        """The steps of a post besides `post` and what follows it."""
        yield from ()

    def spends(self, m: Machine) -> Updates:
        """What a CQE that is written takes, besides the command's permit."""
        return Updates()

    def queue_steps(self, m: Machine) -> Iterator[Action]:
        """The steps of the poster of all SQs."""
        yield from ()

    def told(self, m: Machine) -> list[Updates]:
        """What a CQ doorbell causes besides the credit and the kick."""
        return []

    def accepts(self, m: Machine) -> Expr:
        """Whether the device accepts the head that a CQ doorbell carries."""
        return m.cq.told <= m.cq.occupied

    def learns(self, m: Machine) -> Updates:
        """What the device does with this head: it credits the permits that were freed."""
        return m.cq(head=m.cq.shadow, available=m.cq.available + m.cq.told)

    # -- as queues come and go -----------------------------------------------------------------------------------------
    def finished(self, m: Machine, q: SQ) -> Expr:
        """Whether the commands of an SQ are finished, on a device that waits for them before it deletes the SQ."""
        return q.in_flight == 0

    def quiet(self, m: Machine) -> Expr:
        """Whether no command is under way."""
        return all_of(q.permits == 0 for q in m.sqs)

    def idle(self, m: Machine) -> Expr:
        """Whether no post of the poster of all SQs is under way."""
        return boolean(True)


class FreeSlots(Permits):
    """A command is taken only if the CQ has a free slot, whatever is in flight."""

    named = ("ignore-in-flight",)
    permit = 0

    def found_none(self, q: SQ, w: Serving) -> list[Updates]:
        """The worker has nothing to give back, and leaves its SQ."""
        return [q.popping_is(False), w.leaves()]

    def returns(self, m: Machine, q: SQ, w: Serving) -> Iterator[Action]:
        """Nothing is given back."""
        yield from ()

    def looks_for_room(self, m: Machine) -> Expr:
        """Whether the CQ is full as last known, but has room."""
        return (m.cq.available == 0) & (m.cq.freed > 0) if m.buffered else boolean(False)

    def posts(self, m: Machine, q: SQ, p: Serving | Completer) -> Iterator[Action]:
        """A post that finds the CQ full reads the shadow head first."""
        if m.buffered:
            yield find_room(m, q, p)

    def spends(self, m: Machine) -> Updates:
        """The CQE takes its slot."""
        return m.cq(available=m.cq.available - 1)


class NeverLooks(Permits):
    """A command is always taken, and its CQE is written whether or not the CQ has room: nobody looks at the CQ head."""

    named = ("ignore",)
    permit = 0
    corks = False
    counts = False

    def room(self, m: Machine) -> Expr:
        """Always."""
        return boolean(True)

    def found_none(self, q: SQ, w: Serving) -> list[Updates]:
        """The worker has nothing to give back, and leaves its SQ."""
        return [q.popping_is(False), w.leaves()]

    def refreshes(self, m: Machine, q: SQ, w: Serving) -> Iterator[Action]:
        """No worker looks for room."""
        yield from ()

    def returns(self, m: Machine, q: SQ, w: Serving) -> Iterator[Action]:
        """Nothing is given back."""
        yield from ()

    def accepts(self, m: Machine) -> Expr:
        """Any head that a queue can have."""
        return boolean(True)

    def learns(self, m: Machine) -> Updates:
        """Keeps the head, on which nothing depends."""
        return m.cq(head=m.cq.shadow)


@step("worker {}", of="reserve")
def reserve(m: Machine, q: SQ, w: Serving) -> Guarded:
    """Takes a permit, which is a free CQ slot, before it looks at its SQ; without permits it just looks."""
    cq = m.cq
    taken = when(
        m.parts.crew.may_reserve(m, q, w) & m.parts.admission.room(m),
        cq(available=cq.available - m.permit),
        q(locked=True),
        q.popping_is(True),
        w(at="fetch"),
    )
    return taken.says("takes a permit[, {} left]", cq.available - m.permit) if m.permit else taken.says("looks")


@step("worker {}", of="reserve")
def refresh(m: Machine, q: SQ, w: Serving, kick: Kick) -> Guarded:
    """Finds no permit, reads the CQ shadow head, credits the freed permits, and takes one of them."""
    cq, kick = m.cq, kick.of(m.cq.freed - m.permit)
    return when(
        m.parts.crew.may_reserve(m, q, w)
        & (cq.available == 0)
        & kick.leaves(q, cq.freed)
        & kick.possible(cq.freed - m.permit),
        cq(head=cq.seen, available=kick.rest(cq.freed - m.permit)),
        q(locked=True),
        q.popping_is(True),
        w(at="fetch"),
        *kick.updates(),
    ).says("no permit; reads shadow head[ {}]: {} freed, takes one", cq.seen, cq.freed)


@step("worker {}")
def remit(m: Machine, q: SQ, w: Serving, kick: Kick) -> Guarded:
    """Gives back the permit for which it found no command, and sleeps."""
    cq, kick = m.cq, kick.of(m.cq.available + m.permit)
    return when(
        (w.at == "remit") & cq.unlocked & m.parts.memory.may_lock(w) & kick.possible(cq.available + m.permit),
        cq(available=kick.rest(cq.available + m.permit)),
        q.popping_is(False),
        w.leaves(),
        *kick.updates(),
    ).says("gives its permit back[, {} available]; " + w.after, cq.available + m.permit)


@step("backend {}", of="post")
def find_room(m: Machine, q: SQ, p: Serving | Completer) -> Guarded:
    """A command completes, and the CQ is full as last known: reads the CQ shadow head, and there is room."""
    cq = m.cq
    return when(
        m.parts.post.completes(m, q, p) & m.parts.admission.looks_for_room(m), cq(head=cq.seen, available=cq.freed)
    ).says("finds the CQ full, reads shadow head[ {}]: {} freed", cq.seen, cq.freed)


# -- the CQ's doorbell -------------------------------------------------------------------------------------------------
@step("doorbell handler", of="notify_head")
def notify_head(m: Machine) -> Guarded:
    """Takes the CQ head from the doorbell and credits the permits that it freed."""
    cq = m.cq
    keeps = {"locked": True} if m.parts.kicks.holds else {}
    onward = [cq(consumer="kick", **keeps)] if m.parts.kicks.follows_doorbell else m.polls()
    return when(
        (cq.consumer == "notify head") & cq.unlocked & m.parts.admission.accepts(m),
        m.parts.admission.learns(m),
        *(view.clears() for view in cq.views),
        *onward,
        *m.parts.buffer.on_doorbell(cq),
        *m.parts.admission.told(m),
    ).says("learns the CQ head[ {}]: {} freed", cq.shadow, cq.told)


@step("doorbell handler", of="notify_head")
def reject_head(m: Machine) -> Guarded:
    """Refuses a CQ head that frees more entries than are occupied; the handler ends without a kick."""
    cq = m.cq
    return when((cq.consumer == "notify head") & cq.unlocked & (cq.told > cq.occupied), *m.polls()).says(
        "refuses CQ head[ {}: {} freed of {}]", cq.shadow, cq.told, cq.occupied
    )
