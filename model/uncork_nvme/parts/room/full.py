"""What an SQ does that finds no room in the CQ: it is parked, kicks itself, or arms and looks again first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from uncork.core.expr import Expr, boolean
from uncork.core.system import Action, Guarded, Updates, step, when

from uncork_nvme.choices import Choice, FullChoices
from uncork_nvme.parts.part import Part
from uncork_nvme.parts.post import event_idx, writes_nothing, written
from uncork_nvme.state.actors import Serving
from uncork_nvme.state.kicks import Kick, notified
from uncork_nvme.state.machine import Machine
from uncork_nvme.state.queues import SQ


class Park(Part):
    """The SQ is recorded as corked, and the worker sleeps until a kick."""

    slot = "full"
    chooser = "cork"
    named: ClassVar[tuple[Choice, ...]] = ("park",)
    chosen: FullChoices
    arms = False
    """Whether a worker writes CQ EventIdx before it parks its SQ."""
    insists = False
    """Whether the worker of a parked SQ looks again and again, without a kick."""

    def also(self, q: SQ) -> list[Updates]:
        """What else happens as an SQ is parked."""
        return []

    def steps(self, m: Machine, q: SQ, w: Serving) -> Iterator[Action]:
        """The steps of a worker that finds no room."""
        yield cork(m, q, w)


class SelfKick(Park):
    """The SQ is parked, and notifies itself: its worker looks again and again."""

    named = ("self-kick",)
    insists = True

    def also(self, q: SQ) -> list[Updates]:
        """The SQ's workers are notified."""
        return [notified(q, boolean(True))]


class ArmRecheck(Park):
    """The worker writes CQ EventIdx, fences, reads the CQ shadow head again, and parks the SQ if there is no room."""

    named = ("arm-recheck", "arm-recheck-corked", "arm-recheck-uncorked")
    arms = True

    @property
    def holds(self) -> bool:
        """Whether a worker holds the CQ lock from its first look to its second."""
        return self.chosen.cork_lock == "held"

    def locked(self, m: Machine) -> Expr:
        """Whether a worker has the CQ lock for its next step, or can take the lock."""
        return boolean(True) if self.holds else m.cq.unlocked

    def room(self, m: Machine) -> Expr:
        """The permits that the second look finds. With the lock held no permit comes back since the first."""
        return m.cq.available + m.cq.freed if self.chosen.cork_lock == "let-go-permits" else m.cq.freed

    def check(self) -> None:
        """Refuses kicks of some SQs, and one thread, where a saved SQ's place among the corked ones changes."""
        if not self.holds:
            self.only_with(f"cork_lock={self.chosen.cork_lock}", "cork_lock=held", {"memory": "sc"})
        if self.chosen.cork != "arm-recheck":
            self.only_with(f"cork={self.chosen.cork}", "cork=arm-recheck", {"kick_size": "all", "threads": "many"})

    def steps(self, m: Machine, q: SQ, w: Serving) -> Iterator[Action]:
        """With a doorbell buffer: arm, and look again. Without one there is nothing to arm."""
        if not m.buffered:
            yield cork(m, q, w)
            return
        yield start_cork(m, q, w)
        if m.policy.at_cork:
            yield cork_arm(m, q, w)
            if event_idx(m, corking=True).written.op != "const":
                yield cork_leave(m, q, w)
        for each in m.kicks("reserve"):
            yield cork_saved(m, q, w, each)
        yield cork_park(m, q, w)

    def saved(self, q: SQ, kick: Kick) -> list[Updates]:
        """Updates the corked SQs when a re-check finds room; with a kick, the SQ of the re-check is notified, too."""
        if self.chosen.cork == "arm-recheck":
            return kick.updates()
        return kick.updates(also=q) if kick.site else [q(corked=self.chosen.cork == "arm-recheck-corked")]


@step("worker {}", of="reserve")
def cork(m: Machine, q: SQ, w: Serving) -> Guarded:
    """Finds no permit, and none freed by the CQ shadow head: the SQ is recorded as corked, and the worker sleeps."""
    parts = m.parts
    here = parts.crew.may_reserve(m, q, w) & parts.admission.no_room(m)
    return when(here, parts.kicks.corks(m, q), w.leaves(), *parts.full.also(q)).says(
        f"no permit, none freed: {q.label} is CORKED, worker {w.after}"
    )


def _arming(m: Machine) -> ArmRecheck:
    full = m.parts.full
    assert isinstance(full, ArmRecheck)
    return full


def _arms(m: Machine, w: Serving) -> Expr:
    return (w.at == "cork arm") & _arming(m).locked(m)


@step("worker {}", of="reserve")
def start_cork(m: Machine, q: SQ, w: Serving) -> Guarded:
    """Finds no permit, and none freed by the CQ shadow head: keeps both locks, to arm before it corks."""
    at = "cork arm" if m.policy.at_cork else "cork recheck"
    holds = [m.cq(locked=True)] if _arming(m).holds else []
    started = [*holds, q(locked=True), q.popping_is(True), w(at=at)]
    here = m.parts.crew.may_reserve(m, q, w) & m.parts.admission.no_room(m)
    return when(here, *started).says("no permit, none freed: about to cork")


@step("worker {}", of="cork_arm")
def cork_arm(m: Machine, q: SQ, w: Serving) -> Guarded:
    """Writes CQ EventIdx as the policy says at a cork; a full fence follows."""
    armed = event_idx(m, corking=True)
    return (
        when(_arms(m, w) & armed.written, *written(armed.value, m.cq, w), w(at="cork recheck"))
        .says("arms: CQ EventIdx[ {}] -> {}", w.cq_event.own, armed.value if armed.value is not None else m.cq.event)
        .but_where(~m.life.in_use, writes_nothing(m))
    )


@step("worker {}", of="cork_arm")
def cork_leave(m: Machine, q: SQ, w: Serving) -> Guarded:
    """Does not write CQ EventIdx, as the policy says at this cork."""
    leaves = when(_arms(m, w) & ~event_idx(m, corking=True).written, w(at="cork recheck"))
    return leaves.says("leaves CQ EventIdx[ at {}]", m.cq.event).but_where(~m.life.in_use, writes_nothing(m))


def _rechecks(m: Machine, w: Serving) -> Expr:
    return (w.at == "cork recheck") & m.parts.memory.cq_fence(w.buffer, m.cq.views) & _arming(m).locked(m)


@step("worker {}", of="cork_recheck")
def cork_saved(m: Machine, q: SQ, w: Serving, kick: Kick) -> Guarded:
    """Reads the CQ shadow head again and finds room: credits the freed permits and takes one."""
    cq, full = m.cq, _arming(m)
    return when(
        _rechecks(m, w) & (full.room(m) > 0) & kick.possible(cq.available + cq.freed - m.permit),
        cq(head=cq.seen, available=cq.available + cq.freed - m.permit, locked=False),
        w(at="fetch"),
        *full.saved(q, kick),
    ).says("re-reads shadow head[ {}]: {} freed, takes a permit", cq.seen, cq.freed)


@step("worker {}", of="cork_recheck")
def cork_park(m: Machine, q: SQ, w: Serving) -> Guarded:
    """Reads the CQ shadow head again and finds no room: the SQ is recorded as corked, and the worker sleeps."""
    told = f"no room, {q.label} is CORKED, worker {w.after}"
    parked = when(
        _rechecks(m, w) & (_arming(m).room(m) == 0),
        m.cq(locked=False),
        q(locked=False, corked=True),
        q.popping_is(False),
        w.leaves(),
    )
    return parked.says("re-reads shadow head[ {}]: " + told, m.cq.seen).but_where(
        m.life.blind, "no shadow head to re-read: " + told
    )
