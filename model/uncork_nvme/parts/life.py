"""The life of queues: created, deleted, reset, their doorbell buffer configured, the device paused and resumed.

An event is an admin command or a register write of the guest, or an action of the virtual machine's host. At an event
no doorbell of the queue is half done, and the device answers in one step, under the locks that it needs. No event ever
has to happen, except that a paused device is resumed.

Under x86-TSO an event is where the guest sees the answer to its command. A thread that sees the answer sees what the
device stored before. An event that changes words waits for the stores of the queue's threads: the guest has stopped
using the queue, by locks, and the device's threads have told each other, by locks, that they have.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import ClassVar

from uncork.core.expr import Expr, all_of, boolean, ite, lift
from uncork.core.sorts import Bool, Nat, Ring
from uncork.core.system import Action, Declared, Fairness, Guarded, Updates, step, var, when

from uncork_nvme.choices import YES, ChoiceError, LifeChoices
from uncork_nvme.parts.part import Part
from uncork_nvme.state.actors import IN_POST, Completer, Serving
from uncork_nvme.state.kicks import Kick, notified
from uncork_nvme.state.life import Life
from uncork_nvme.state.machine import Machine
from uncork_nvme.state.queues import CQ, SQ


class Cycle(Part):
    """Which events may happen, and what guest and device do at each."""

    slot = "life"
    chosen: LifeChoices
    at_rest: ClassVar[frozenset[str]] = frozenset(
        {"create_sq", "delete_sq", "configure", "reset", "restart", "recreate"}
    )
    """The steps that change shared words while no store to them waits."""

    def check(self) -> None:
        """Refuses to configure a doorbell buffer that there is not."""
        if self.happening["config"] and not self.parts.guest.buffered:
            raise ChoiceError("events=config configures a doorbell buffer: set doorbell_buffer=on")
        if self.posts_late and self.parts.admission.counts:
            self.only_with("on_delete=late", "on_delete=post", {"cq_full": "permits"})
        if self.happening and self.parts.memory.waits and (self.pages(2, sq=True) or self.pages(2)):
            raise ChoiceError(
                "words that hold what was stored before an event are described with memory=sc only: set words=clear, "
                "after_reset=forget and on_reset=forget, or leave memory at sc"
            )

    @property
    def happening(self) -> Counter[str]:
        """The events that may happen, each with the most times that it does."""
        return self.chosen.happening

    def record(self) -> Life:
        """The events that may still happen."""
        buffered = self.parts.guest.buffered
        keeps = buffered and self.happening["reset"] > 0 and self.chosen.on_reset == "keep"
        of = self.parts.buffer
        return Life(self.chosen, old_pages=keeps, follows=of.follows, guest=of.guest, device=of.device)

    def first(self, sqs: int) -> int:
        """How many of the SQs exist at first: all but those that are created and not deleted before."""
        return sqs - max(0, self.happening["create"] - self.happening["delete"])

    # -- variables -----------------------------------------------------------------------------------------------------
    def alive(self, *, live: bool) -> dict[str, Declared]:
        """Whether an SQ exists, if SQs come or go."""
        come_or_go = self.happening["create"] or self.happening["delete"]
        return {"live": var(Bool(), "the SQ exists", live)} if come_or_go else {}

    def of_sq(self, size: int, cq_size: int, sqs: int) -> dict[str, Declared]:
        """The commands in flight of a deleted SQ, unless they are waited for or their completions queue.

        And whether the SQ is served, on a device that does not serve an SQ at once.
        """
        events, added = self.happening, dict[str, Declared]()
        if events["delete"] and not self.waits and not self.parts.admission.queues:
            orphans = "commands in flight whose SQ was deleted; each holds a permit if any does"
            added["orphans"] = var(Nat(sum([size - 1] * events["delete"])), orphans)
        if self.chosen.activation != "at-once" and events["create"] + events["pause"]:
            added["active"] = var(Bool(), "the device serves the SQ", True)
        return added

    def pages(self, size: int, *, sq: bool = False) -> dict[str, Declared]:
        """What the guest's pages hold besides the shadow word that is in use."""
        stale = var(Nat(size - 1), "how far the old value of the shadow word is past the guest's index")
        page = var(Ring(size), "the shadow word that the device reads in pages that the guest does not write")
        life, events = self.record(), self.happening
        again = (sq and events["delete"] and events["create"]) or events["recreate"]
        old = (again or life.follows) and not self.clears
        unwritten = events["config"] and (life.follows or not life.device)
        apart = self.parts.guest.buffered and (life.keeps or not life.guest)
        return {
            **({"stale": stale} if self.parts.guest.buffered and (old or unwritten) else {}),
            **({"page": page} if apart else {}),
        }

    # -- what is done at an event --------------------------------------------------------------------------------------
    @property
    def waits(self) -> bool:
        """Whether an SQ is deleted only after its commands in flight."""
        return self.chosen.on_delete == "post"

    @property
    def posts_late(self) -> bool:
        """Whether the commands in flight of a deleted SQ post their CQEs afterwards."""
        return self.chosen.on_delete == "late" and self.happening["delete"] > 0

    @property
    def looks_at_activation(self) -> bool:
        """Whether the device looks at an SQ as it begins to serve it."""
        return self.chosen.activation == "later-look"

    @property
    def given_back(self) -> int:
        """The permits that a command gives back whose SQ was deleted."""
        return self.parts.admission.permit if self.chosen.on_delete == "return" else 0

    @property
    def clears(self) -> bool:
        """Whether the guest clears the words of a queue before it is used again."""
        return self.chosen.words == "clear"

    def zeroes(self, *, event: bool) -> bool:
        """Whether the device writes 0 to a new SQ's EventIdx, or to its shadow tail."""
        writes = ("both",) if event else ("both", "shadow")
        return self.parts.buffer.device and self.chosen.on_create in writes

    @property
    def arms_at_config(self) -> bool:
        """Whether the device writes EventIdx as the buffer is configured."""
        return self.parts.buffer.device and self.chosen.on_config == "both"

    def looked_at(self, m: Machine, changed: SQ, *, live: bool) -> list[Updates]:
        """Notifies every SQ that exists, on a device that looks at all SQs when one comes or goes."""
        dealt = m.parts.crew.follows(m, changed, live=live)
        if dealt is not None:
            return dealt
        changes = self.chosen.look_on_change == YES
        return [notified(q, q.exists) for q in m.sqs if live or q is not changed] if changes else []

    def steps(self, m: Machine) -> Iterator[Action]:
        """The steps of the events that may happen."""
        events = self.happening
        for q in m.sqs:
            if events["create"]:
                yield create_sq(m, q)
            if events["delete"]:
                yield delete_sq(m, q)
                if self.posts_late:
                    for p in q.posters:
                        yield post_late(m, q, p)
                elif q.has("orphans"):
                    for p in q.posters:
                        for each in m.kicks("release") if self.given_back else [Kick(tuple(m.sqs), (), site=False)]:
                            yield release(m, q, p, each)
            if q.has("live"):
                for w in q.workers:
                    yield find_gone(m, q, w)
            if q.has("active"):
                yield activate(m, q)
        if events["config"]:
            yield configure_again(m) if m.life.follows else configure(m)
        if events["reset"]:
            yield reset(m)
        if events["restart"]:
            yield restart(m)
        if events["recreate"]:
            yield recreate(m)
        if events["pause"]:
            yield pause(m)
            yield resume(m)


def _event(m: Machine, name: str) -> tuple[Expr, Updates]:
    """The condition that an event may happen once more, and the update that counts it."""
    left: Expr = getattr(m.life, name)
    return left > 0, m.life(**{name: left - 1})


def _calm(q: SQ) -> Expr:
    """Whether no doorbell of the SQ is half done, and no worker is about to write its words."""
    return (q.submitter == "idle") & q.unlocked


def _all_calm(m: Machine) -> Expr:
    calm = all_of(_calm(q) for q in m.sqs) & (m.cq.consumer == "poll") & m.cq.unlocked
    return calm & m.parts.memory.drained(*m.buffers)


# -- one SQ ------------------------------------------------------------------------------------------------------------
@step("guest", Fairness.NONE)
def create_sq(m: Machine, q: SQ) -> Guarded:
    """Create I/O Submission Queue: the SQ begins at 0; guest and device set its words in the doorbell buffer."""
    may, done = _event(m, "create")
    inactive = [q(active=False)] if q.has("active") else []
    created = [done, q(live=True), *inactive, _first_words(m, q), *m.parts.life.looked_at(m, q, live=True)]
    return when(may & ~q.exists & m.parts.crew.settled(m), *created).says(f"creates {q.label} on the live CQ")


def _first_words(m: Machine, q: SQ) -> Updates:
    """The values in the words of a new SQ."""
    if not m.buffered:
        return Updates()
    life = m.parts.life
    armed = life.clears or life.zeroes(event=True)
    words = q(event=0) if armed and not q.outside else Updates()
    if life.zeroes(event=False):
        words |= _overwritten(q, q.shadow)
    return words


def _overwritten(ring: SQ | CQ, value: Expr) -> Updates:
    """The device writes `value`, which is the guest's index, to the shadow word that it reads."""
    written = ring(stale=0) if ring.has("stale") else Updates()
    if not ring.life.guest and ring.has("page"):
        written |= ring(page=value)
    return written


def _left(ring: SQ | CQ) -> Updates:
    """The shadow word of a queue that begins anew at 0, as the guest leaves it."""
    if not ring.has("stale"):
        return Updates()
    return ring(stale=0 if ring.life.clears else ring.word - lift(0, ring.word.sort))


@step("guest", Fairness.NONE)
def delete_sq(m: Machine, q: SQ) -> Guarded:
    """Delete I/O Submission Queue: entries not taken are dropped; commands in flight complete without their SQ.

    With on_delete=post the commands complete first, and this step is the end of the deletion.
    """
    may, done = _event(m, "delete")
    if m.parts.life.waits:
        may = may & m.parts.admission.finished(m, q)
    dropped = q.pending + q.in_flight
    emptied = q(live=False, shadow=0, head=0, tail=0, in_flight=0, outstanding=q.outstanding - dropped)
    emptied |= q(corked=False, wakeups=0)
    if q.has("called"):
        emptied |= q(called=False)
    for counted in ("queued", "waited", "lost"):
        if q.has(counted):
            emptied |= q(**{counted: 0})
    if q.has("orphans"):
        emptied |= q(orphans=q.orphans + q.in_flight)
    if q.has("armed"):
        emptied |= q(armed=0)
    emptied |= _left(q)
    still = m.parts.memory.drained(q.buffer, *(thread.buffer for thread in q.threads))
    may = may & q.exists & _calm(q) & m.cq.unlocked & m.parts.crew.settled(m) & still & m.parts.kicks.may_go(q)
    looked = m.parts.life.looked_at(m, q, live=False)
    return when(may, done, emptied, *m.parts.kicks.goes(m, q), *looked).says(
        f"deletes {q.label}" + "[, with {} in flight]", q.in_flight
    )


@step("worker {}", of="reserve")
def find_gone(m: Machine, q: SQ, w: Serving) -> Guarded:
    """Finds that its SQ was deleted, and sleeps."""
    return when((w.at == "reserve") & ~q.exists & q.free_to_pop, w.leaves()).says(f"finds {q.label} gone; sleeps")


@step("backend {}")
def release(m: Machine, q: SQ, p: Serving | Completer, kick: Kick) -> Guarded:
    """A command whose SQ was deleted completes: no CQE; its permit is given back, or lost."""
    cq = m.cq
    back = m.parts.life.given_back
    room = cq.available + back
    kick = kick.of(room)
    return when(
        (p.at == "run") & (q.orphans > 0) & cq.unlocked & m.parts.memory.may_lock(p) & kick.possible(room),
        q(orphans=q.orphans - 1),
        cq(available=kick.rest(room)),
        p(at="run") if isinstance(p, Completer) else p.looks(),
        *kick.updates(),
    ).says(f"a command completes, {q.label} is gone: its permit is " + ("given back" if back else "LOST"))


@step("backend {}", of="post")
def post_late(m: Machine, q: SQ, p: Serving | Completer) -> Guarded:
    """A command whose SQ was deleted completes, and its CQE is written all the same."""
    parts = m.parts
    return when(
        parts.post.may(m, p) & (q.orphans > 0),
        p.cqe.store(),
        q(orphans=q.orphans - 1),
        parts.admission.spends(m),
        *parts.post.onward(m, q, p, None),
    ).says(f"posts a CQE of a command of before {q.label}'s deletion " + "in slot {}", m.cq.tail)


@step("device {}")
def activate(m: Machine, q: SQ) -> Guarded:
    """Begins to serve an SQ that was created, or that it had before a pause; perhaps looks at it."""
    looks = [m.parts.crew.delivered(q, boolean(True))] if m.parts.life.looks_at_activation else []
    told = f"begins to serve {q.label}" + (", and looks at it" if looks else "")
    return when(~q.active & q.exists & m.life.awake, q(active=True), *looks).says(told)


# -- the controller ----------------------------------------------------------------------------------------------------
@step("guest", Fairness.NONE)
def configure(m: Machine) -> Guarded:
    """Doorbell Buffer Config with zeroed pages: the device writes the indices to the shadows, and perhaps to EventIdx.

    Before this every move of an index rang, so guest and device know the same indices.
    """
    may, done = _event(m, "config")
    rings: list[SQ | CQ] = [m.cq, *m.sqs]
    words = map(_armed, rings) if m.parts.life.arms_at_config else map(_zeroed, rings)
    shadows = [_overwritten(ring, ring.shadow) if m.life.device else _unwritten(ring) for ring in rings]
    return when(may & _all_calm(m) & ~m.life.configured, done, m.life(buffered=True), *words, *shadows).says(
        "configures its doorbell buffer"
    )


@step("guest")
def configure_again(m: Machine) -> Guarded:
    """Doorbell Buffer Config with the pages that the guest goes by already: the device writes the indices it knows."""
    may, done = _event(m, "config")
    known: list[tuple[SQ | CQ, Expr]] = [(m.cq, m.cq.head), *((q, q.tail) for q in m.sqs)] if m.life.device else []
    words = [ring(stale=index - ring.shadow) for ring, index in known]
    arms = m.parts.life.arms_at_config
    events = [ring(event=index) for ring, index in known if arms and not ring.outside]
    return when(may & _all_calm(m) & ~m.life.configured, done, m.life(buffered=True), *words, *events).says(
        "configures its doorbell buffer again"
    )


def _zeroed(ring: SQ | CQ) -> Updates:
    """Zeroes EventIdx of new pages, if old pages from before a reset may have held another value."""
    new = ring.life.events["reset"] and ring.life.clears and not ring.outside
    return ring(event=0) if new else Updates()


def _armed(ring: SQ | CQ) -> Updates:
    """Writes the current index to EventIdx, so that the guest rings for its next move.

    What the device remembers of EventIdx does not change: OpenVMM's DoorbellMemory::replace_mem writes to memory only,
    not to DoorbellState.
    """
    return Updates() if ring.outside else ring(event=ring.shadow)


def _unwritten(ring: SQ | CQ) -> Updates:
    """The shadow word of new pages that the device has not written to: 0."""
    return ring(stale=lift(0, ring.shadow.sort) - ring.shadow)


def _afresh(m: Machine, *, pages: bool) -> list[Updates]:
    """Sets the state after a reset: all initial values, except the words in the guest's pages and the set of SQs.

    With `pages` the guest configures the same pages again, and the device writes the words of `configure`.
    """
    life = m.parts.life
    cleared = life.clears if m.life.follows else pages and (life.clears or life.arms_at_config)
    rings: list[SQ | CQ] = [m.cq, *m.sqs]
    left = [ring(page=ite(m.life.in_use, ring.word, ring.page)) for ring in rings if m.life.keeps]
    if m.life.keeps and m.stores and life.zeroes(event=False):  # the word is where the device keeps the index
        left = [ring(page=0) for ring in rings]
    zero = [lift(0, ring.shadow.sort) for ring in rings]
    written = pages and m.life.device
    left += [_overwritten(ring, at) if written else _left(ring) for ring, at in zip(rings, zero, strict=True)]
    in_use = [m.life(buffered=pages)] if m.life.has("buffered") else []
    return [_at_zero(m, cleared=cleared), *left, *in_use]


def _at_zero(m: Machine, *, cleared: bool) -> Updates:
    """Sets the initial values of all but the guest's pages and the set of SQs; with `cleared` EventIdx's, too."""
    changed = Updates()
    for record in m.records:
        if record is not m.life:
            fresh = {v.name.rpartition(".")[2]: v for v in record.variables}
            kept = {"live", "page", "slots", "stale", *(() if cleared else ("event",))}
            changed |= record(**{field: v.initial for field, v in fresh.items() if field not in kept})
    cq, slots = m.cq, m.cq.slots
    for slot in range(cq.size):
        slots = slots.store(lift(slot, cq.tail.sort), "none")
    changed |= cq(slots=slots)
    match m.parts.life.chosen.cq_begins:
        case "at-old-head":
            changed |= cq(head=cq.head, available=cq.capacity - (lift(0, cq.head.sort) - cq.head))
        case "at-old-tail":
            changed |= cq(head=cq.tail, tail=cq.tail)
    return changed


def _may_reset(m: Machine) -> Expr:
    """Whether the guest has stopped its queues, and no worker of the device is in the middle of a look."""
    still = all_of(~m.looking(q) for q in m.sqs)
    return _all_calm(m) & still & m.parts.admission.idle(m)


@step("guest", Fairness.NONE)
def reset(m: Machine) -> Guarded:
    """Controller reset: every queue begins at index 0, and no doorbell buffer is configured afterwards."""
    may, done = _event(m, "reset")
    return when(may & _may_reset(m), done, *_afresh(m, pages=False)).says("resets the controller; no doorbell buffer")


@step("guest", Fairness.NONE)
def restart(m: Machine) -> Guarded:
    """Controller reset: every queue begins at index 0; the doorbell buffer is configured again in the same pages."""
    may, done = _event(m, "restart")
    return when(may & _may_reset(m), done, *_afresh(m, pages=m.buffered)).says("resets the controller, sets up again")


@step("guest", Fairness.NONE)
def recreate(m: Machine) -> Guarded:
    """Deletes all queues and creates them again with the same numbers; no command is in flight.

    The doorbell buffer stays. Guest and device set the words of the new queues, CQ and SQs, as `create_sq` does.
    """
    may, done = _event(m, "recreate")
    finished = all_of(q.in_flight == 0 for q in m.sqs)
    life = m.parts.life
    rings: list[SQ | CQ] = [m.cq, *m.sqs]
    zeroed = life.zeroes(event=False)
    words = [_overwritten(ring, lift(0, ring.shadow.sort)) if zeroed else _left(ring) for ring in rings]
    afresh = _at_zero(m, cleared=life.zeroes(event=True) or life.clears)
    for looked in life.looked_at(m, m.sqs[0], live=True):
        afresh |= looked
    return when(may & _may_reset(m) & finished, done, afresh, *words).says("deletes all queues and creates them again")


@step("host", Fairness.NONE)
def pause(m: Machine) -> Guarded:
    """The device is paused: no worker begins to look at an SQ; commands in flight complete."""
    may, done = _event(m, "pause")
    return when(may & m.life.awake, done, m.life(running=False)).says("pauses the device")


@step("host")
def resume(m: Machine) -> Guarded:
    """The device runs again, on this or another host, once nothing is in flight and its workers have stopped."""
    stopped = all_of(
        ~m.looking(q) & q.unlocked & all_of(~w.at.among("run", *IN_POST) for w in q.workers) for q in m.sqs
    )
    quiet = m.parts.admission.quiet(m)
    inactive = [q(active=False) for q in m.sqs if q.has("active")]
    return when(~m.life.awake & stopped & quiet & m.cq.unlocked, m.life(running=True), *inactive, *_recalled(m)).says(
        f"resumes the device ({m.parts.life.chosen.on_resume})"
    )


def _recalled(m: Machine) -> list[Updates]:
    """The state of a resumed device, and the looks that follow by themselves."""
    match m.parts.life.chosen.on_resume:
        case "look":
            return [part for q in m.sqs for part in (q(corked=False), notified(q, boolean(True)))]
        case "forget-corked":
            return [q(corked=False) for q in m.sqs]
        case "forget-looks":
            return [part for q in m.sqs for part in (q(wakeups=0), *(w.leaves() for w in q.workers))]
        case "forget-notified":
            asleep = [w.leaves() for q in m.sqs for w in q.workers]
            return [*(q(wakeups=0) for q in m.sqs), *asleep]
    return []
