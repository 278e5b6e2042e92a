"""The life of queues: created, deleted, reset, their doorbell buffer configured, the device paused and resumed.

An event is an admin command or a register write of the guest, or an action of the virtual machine's host. At an event
no doorbell of the queue is half done, and the device answers in one step, under the locks that it needs. No event ever
has to happen, except that a paused device is resumed.
"""

from __future__ import annotations

from collections.abc import Iterator

from uncork.core.expr import Expr, all_of, boolean, ite, lift
from uncork.core.system import Action, Fairness, Guarded, Updates, step, when

from uncork_nvme.choices import YES
from uncork_nvme.state.actors import IN_POST, Completer, Serving
from uncork_nvme.state.kicks import Kick, notified
from uncork_nvme.state.machine import Machine
from uncork_nvme.state.queues import CQ, SQ


def _event(m: Machine, name: str) -> tuple[Expr, Updates]:
    """The condition that an event may happen once more, and the update that counts it."""
    left: Expr = getattr(m.life, name)
    return left > 0, m.life(**{name: left - 1})


def _calm(q: SQ) -> Expr:
    """Whether no doorbell of the SQ is half done, and no worker is about to write its words."""
    return (q.submitter == "idle") & q.unlocked


def _all_calm(m: Machine) -> Expr:
    return all_of(_calm(q) for q in m.sqs) & (m.cq.consumer == "poll") & m.cq.unlocked


# -- one SQ ------------------------------------------------------------------------------------------------------------
@step("guest", Fairness.NONE)
def create_sq(m: Machine, q: SQ) -> Guarded:
    """Create I/O Submission Queue: the SQ begins at 0; guest and device set its words in the doorbell buffer."""
    may, done = _event(m, "create")
    created = [done, q(live=True), _first_words(m, q), *_looked_at(m, but=None)]
    return when(may & ~q.exists, *created).says(f"creates {q.label} on the live CQ")


def _looked_at(m: Machine, but: SQ | None) -> list[Updates]:
    """Notifies every SQ except `but`, on a device that looks at all SQs when queues change."""
    changes = m.choices.look_on_change == YES
    return [notified(q, q.exists) for q in m.sqs if q is not but] if changes else []


def _first_words(m: Machine, q: SQ) -> Updates:
    """The values in the words of a new SQ."""
    if not m.buffered:
        return Updates()
    written = m.choices.on_create
    armed = m.choices.words == "clear" or written == "both"
    words = q(event=0) if armed and not q.outside else Updates()
    if q.has("stale") and written != "neither":
        words |= q(stale=0)
    return words


@step("guest", Fairness.NONE)
def delete_sq(m: Machine, q: SQ) -> Guarded:
    """Delete I/O Submission Queue: entries not taken are dropped; commands in flight complete without their SQ.

    With on_delete=post the commands complete first, and this step is the end of the deletion.
    """
    may, done = _event(m, "delete")
    if m.choices.on_delete == "post":
        may = may & ((q.in_flight == 0) | (m.cq.available == 0) if m.poster else q.in_flight == 0)
    dropped = q.pending + q.in_flight
    emptied = q(live=False, shadow=0, head=0, tail=0, in_flight=0, outstanding=q.outstanding - dropped)
    emptied |= q(corked=False, wakeups=0)
    if q.has("called"):
        emptied |= q(called=False)
    if q.has("queued"):
        emptied |= q(queued=0)
    if q.has("orphans"):
        emptied |= q(orphans=q.orphans + q.in_flight)
    if q.has("armed"):
        emptied |= q(armed=0)
    if q.has("stale"):
        emptied |= q(stale=q.word - lift(0, q.word.sort))
    return when(may & q.exists & _calm(q) & m.cq.unlocked, done, emptied, *_looked_at(m, but=q)).says(
        f"deletes {q.label}, " + "{} commands in flight", q.in_flight
    )


@step("worker {}", of="reserve")
def find_gone(m: Machine, q: SQ, w: Serving) -> Guarded:
    """Finds that its SQ was deleted, and sleeps."""
    return when((w.at == "reserve") & ~q.exists & q.free_to_pop, w.leaves()).says(f"finds {q.label} gone; sleeps")


def _given_back(m: Machine) -> int:
    return m.permit if m.choices.on_delete == "return" else 0


@step("backend {}")
def release(m: Machine, q: SQ, p: Serving | Completer, kick: Kick) -> Guarded:
    """A command whose SQ was deleted completes: no CQE; its permit is given back, or lost."""
    cq = m.cq
    back = _given_back(m)
    return when(
        (p.at == "run") & (q.orphans > 0) & cq.unlocked & kick.possible(cq.available + back),
        q(orphans=q.orphans - 1),
        cq(available=cq.available + back),
        p(at="run") if isinstance(p, Completer) else p.looks(),
        *kick.updates(),
    ).says(f"a command completes, {q.label} is gone: its permit is " + ("given back" if back else "LOST"))


# -- the controller ----------------------------------------------------------------------------------------------------
@step("guest", Fairness.NONE)
def configure(m: Machine) -> Guarded:
    """Doorbell Buffer Config with zeroed pages: the device writes the indices to the shadows, and perhaps to EventIdx.

    Before this every move of an index rang, so guest and device know the same indices.
    """
    may, done = _event(m, "config")
    rings: list[SQ | CQ] = [m.cq, *m.sqs]
    words = map(_armed, rings) if m.choices.on_config == "both" else map(_zeroed, rings)
    return when(may & _all_calm(m) & ~m.life.in_use, done, m.life(buffered=True), *words).says(
        "configures its doorbell buffer"
    )


def _zeroed(ring: SQ | CQ) -> Updates:
    """Zeroes EventIdx of new pages, if old pages from before a reset may have held another value."""
    new = ring.life.events["reset"] and ring.life.choices.words == "clear" and not ring.outside
    return ring(event=0) if new else Updates()


def _armed(ring: SQ | CQ) -> Updates:
    """Writes the current index to EventIdx, so that the guest rings for its next move.

    What the device remembers of EventIdx does not change: OpenVMM's DoorbellMemory::replace_mem writes to memory only,
    not to DoorbellState.
    """
    return Updates() if ring.outside else ring(event=ring.shadow)


def _afresh(m: Machine, *, pages: bool) -> list[Updates]:
    """Sets the state after a reset: all initial values, except the words in the guest's pages and the set of SQs.

    With `pages` the guest configures the same pages again, and the device writes the words of `configure`.
    """
    cleared = pages and (m.choices.words == "clear" or m.choices.on_config == "both")
    changed = Updates()
    for record in m.records:
        if record is not m.life:
            fresh = {v.name.rpartition(".")[2]: v for v in record.variables}
            kept = {"live", "page", "slots", *(() if cleared else ("event",))}
            changed |= record(**{field: v.initial for field, v in fresh.items() if field not in kept})
    slots = m.cq.slots
    for slot in range(m.cq.size):
        slots = slots.store(lift(slot, m.cq.tail.sort), "none")
    left = [ring(page=ite(m.life.in_use, ring.word, ring.page)) for ring in (m.cq, *m.sqs) if ring.has("page")]
    in_use = [m.life(buffered=pages)] if m.life.has("buffered") else []
    return [changed, m.cq(slots=slots), *left, *in_use]


def _may_reset(m: Machine) -> Expr:
    """Whether the guest has stopped its queues, and no worker of the device is in the middle of a look."""
    still = all_of(~m.looking(q) for q in m.sqs)
    return _all_calm(m) & still & (m.poster.at == "idle" if m.poster else boolean(True))


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
    quiet = m.poster.at == "idle" if m.poster else all_of(q.permits == 0 for q in m.sqs)
    return when(~m.life.awake & stopped & quiet & m.cq.unlocked, m.life(running=True), *_recalled(m)).says(
        f"resumes the device ({m.choices.on_resume})"
    )


def _recalled(m: Machine) -> list[Updates]:
    """The state of a resumed device, and the looks that follow by themselves."""
    match m.choices.on_resume:
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


def actions(m: Machine) -> Iterator[Action]:
    """The steps of the events that may happen."""
    events = m.life.events
    for q in m.sqs:
        if events["create"]:
            yield create_sq(m, q)
        if events["delete"]:
            yield delete_sq(m, q)
            if q.has("orphans"):
                for p in q.posters:
                    for each in m.kicks("kick_on_release") if _given_back(m) else [Kick(tuple(m.sqs), (), site=False)]:
                        yield release(m, q, p, each)
        if q.has("live"):
            for w in q.workers:
                yield find_gone(m, q, w)
    if events["config"]:
        yield configure(m)
    if events["reset"]:
        yield reset(m)
    if events["restart"]:
        yield restart(m)
    if events["pause"]:
        yield pause(m)
        yield resume(m)
