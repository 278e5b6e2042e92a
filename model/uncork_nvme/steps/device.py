"""The device's steps: workers that pop SQs, a backend that posts completions (`posting`), and the doorbell handler.

Queue positions, permits and the corked set are as in Oxide Propolis, lib/propolis/src/hw/nvme/queue.rs. A pop takes the
SQ lock and the CQ lock in one step, because no holder of the CQ lock waits for an SQ lock.

A step with several outcomes, by the value that it reads or the SQs that it wakes, is several actions. Fairness is owed
to the step (`of`), not to each outcome: a fair run may read the unlucky value every time.

Under x86-TSO, taking a lock is a locked instruction: it waits until the thread's stores are in memory. Releasing a lock
is a plain store. The model counts the lock as free when the stores to the guarded words are visible; a later release
would only mean that the lock is taken later. So after a release only stores to words that the lock does not guard may
still wait. A notification is not counted as a fence.
"""

from __future__ import annotations

from collections.abc import Iterator

from uncork.core.expr import Expr, any_of, boolean, count, ite, minimum
from uncork.core.system import Action, Guarded, Updates, step, when

from uncork_nvme.choices import YES
from uncork_nvme.state.actors import Registered, Serving
from uncork_nvme.state.kicks import Kick, delivered, notified
from uncork_nvme.state.machine import Machine
from uncork_nvme.state.queues import SQ
from uncork_nvme.steps import posting
from uncork_nvme.steps.posting import event_idx, remembers, rescheduled, stored, writes_nothing, written


# -- pop, by a worker --------------------------------------------------------------------------------------------------
@step("worker {}")
def wake(m: Machine, q: SQ, w: Serving) -> Guarded:
    """Answers a notification, and goes to look at its SQ."""
    if isinstance(w, Registered):
        called, answered = w.woken, Updates()
    else:
        called, answered = q.wakeups > 0, _answered(m, q)
    return when(w.asleep & called & m.life.awake, w.wakes(), answered, _read_awake(m, q)).says("wakes up")


def _answered(m: Machine, q: SQ) -> Updates:
    """Answers one notification; with notify=spent at most as many notifications stay as workers sleep."""
    answered = q(wakeups=q.wakeups - 1)
    if m.choices.notify == "spent" and m.choices.serve == "all":
        left = count(w.asleep for w in q.workers) - 1
        for other in m.sqs:
            if other is not q:
                answered |= other(wakeups=minimum(other.wakeups, left))
    return answered


@step("worker {}", of="reserve")
def turn_away(m: Machine, q: SQ, w: Registered) -> Guarded:
    """Finds the bit of another worker set, treats its SQ as empty, sets its own bit and sleeps."""
    return when(_may_look(m, q, w) & _turned_away(q), w.leaves()).says("finds another's bit set: does not look, sleeps")


@step("worker {}")
def poll(m: Machine, q: SQ, w: Serving) -> Guarded:
    """Looks at its SQ, whether or not it was notified and the SQ is corked."""
    return when(w.asleep & m.life.awake, w.wakes(), q(wakeups=0, corked=False), _read_awake(m, q)).says("polls")


def _read_awake(m: Machine, q: SQ) -> Updates:
    """Reads the SQ shadow tail, with sq_read=wake."""
    return q(tail=q.seen) if m.buffered and m.choices.sq_read == "wake" else Updates()


def _may_reserve(m: Machine, q: SQ, w: Serving) -> Expr:
    may = _may_look(m, q, w) & m.cq.unlocked
    if q.registered:
        may = may & ~_turned_away(q)
    if q.has("granted"):
        may = may & ~q.granted & (m.cq.consumer != "kick")  # slots that a doorbell freed go to SQs in line first
    return may & ~any_of(m.looking(other) for other in m.sqs) if m.choices.threads == "one" else may


def _may_look(m: Machine, q: SQ, w: Serving) -> Expr:
    return (w.at == "reserve") & q.exists & q.free_to_pop & q.unlocked & m.life.awake


def _turned_away(q: SQ) -> Expr:
    return any_of(w.idle for w in q.registered)


@step("worker {}", of="reserve")
def reserve(m: Machine, q: SQ, w: Serving) -> Guarded:
    """Takes a permit, which is a free CQ slot, before it looks at its SQ; without permits it just looks."""
    cq = m.cq
    room = boolean(True) if m.poster else cq.available > 0
    taken = when(
        _may_reserve(m, q, w) & room,
        cq(available=cq.available - m.permit),
        q(locked=True),
        q.popping_is(True),
        w(at="fetch"),
    )
    return taken.says("takes a permit, {} left", cq.available - m.permit) if m.permit else taken.says("looks")


@step("worker {}", of="reserve")
def use_grant(m: Machine, q: SQ, w: Serving) -> Guarded:
    """Uses the permit that its SQ was handed as it was kicked."""
    return when(_may_look(m, q, w) & q.granted, q(granted=False, locked=True), q.popping_is(True), w(at="fetch")).says(
        "uses the permit that it was handed"
    )


@step("worker {}", of="reserve")
def line_up(m: Machine, q: SQ, w: Serving, kick: Kick) -> Guarded:
    """Finds no permit, reads the CQ shadow head, hands the freed permits to the SQs in line, and joins the line."""
    cq = m.cq
    in_line = q.corked | (cq.freed <= m.waiting)
    return when(
        _may_reserve(m, q, w) & (cq.available == 0) & (cq.freed > 0) & in_line & kick.possible(cq.freed),
        cq(head=cq.seen, available=kick.rest(cq.freed)),
        w.leaves(),
        *kick.updates(joins=q),
    ).says("no permit; reads shadow head {}: {} freed, for those in line; " + f"{q.label} is CORKED", cq.seen, cq.freed)


@step("worker {}", of="reserve")
def refresh(m: Machine, q: SQ, w: Serving, kick: Kick) -> Guarded:
    """Finds no permit, reads the CQ shadow head, credits the freed permits, and takes one of them."""
    cq = m.cq
    room = cq.freed > 0
    if kick.hands_over:
        room = ~q.corked & (cq.freed > m.waiting)
    return when(
        _may_reserve(m, q, w) & (cq.available == 0) & room & kick.possible(cq.freed - m.permit),
        cq(head=cq.seen, available=kick.rest(cq.freed - m.permit)),
        q(locked=True),
        q.popping_is(True),
        w(at="fetch"),
        *kick.updates(),
    ).says("no permit; reads shadow head {}: {} freed, takes one", cq.seen, cq.freed)


def _no_room(m: Machine) -> Expr:
    return m.cq.available + m.cq.freed == 0 if m.buffered else m.cq.available == 0


def _joins_line(m: Machine, q: SQ) -> Updates:
    if not q.has("before"):
        return q(corked=True)
    return q(corked=True, before=ite(q.corked, q.before, m.waiting))


@step("worker {}", of="reserve")
def cork(m: Machine, q: SQ, w: Serving) -> Guarded:
    """Finds no permit, and none freed by the CQ shadow head: the SQ is recorded as corked, and the worker sleeps."""
    again = [notified(q, boolean(True))] if m.choices.cork == "self-kick" else []
    return when(_may_reserve(m, q, w) & _no_room(m), _joins_line(m, q), w.leaves(), *again).says(
        f"no permit, none freed: {q.label} is CORKED, worker {w.after}"
    )


@step("worker {}", of="reserve")
def start_cork(m: Machine, q: SQ, w: Serving) -> Guarded:
    """Finds no permit, and none freed by the CQ shadow head: keeps both locks, to arm before it corks."""
    at = "cork arm" if m.policy.at_cork else "cork recheck"
    started = [m.cq(locked=True), q(locked=True), q.popping_is(True), w(at=at)]
    return when(_may_reserve(m, q, w) & _no_room(m), *started).says("no permit, none freed: about to cork")


@step("worker {}", of="cork_arm")
def cork_arm(m: Machine, q: SQ, w: Serving) -> Guarded:
    """Writes CQ EventIdx as the policy says at a cork; a full fence follows."""
    armed = event_idx(m, corking=True)
    return (
        when((w.at == "cork arm") & armed.written, *written(armed.value, m.cq, w), w(at="cork recheck"))
        .says("arms: CQ EventIdx {} -> {}", w.cq_event.own, armed.value if armed.value is not None else m.cq.event)
        .but_where(~m.life.in_use, writes_nothing(m))
    )


@step("worker {}", of="cork_arm")
def cork_leave(m: Machine, q: SQ, w: Serving) -> Guarded:
    """Does not write CQ EventIdx, as the policy says at this cork."""
    leaves = when((w.at == "cork arm") & ~event_idx(m, corking=True).written, w(at="cork recheck"))
    return leaves.says("leaves CQ EventIdx at {}", m.cq.event).but_where(~m.life.in_use, writes_nothing(m))


def _rechecks(m: Machine, w: Serving) -> Expr:
    return (w.at == "cork recheck") & m.fence("device_fence_cq", w.buffer)


@step("worker {}", of="cork_recheck")
def cork_saved(m: Machine, q: SQ, w: Serving, kick: Kick) -> Guarded:
    """Reads the CQ shadow head again and finds room: credits the freed permits and takes one."""
    cq = m.cq
    return when(
        _rechecks(m, w) & (cq.freed > 0) & kick.possible(cq.available + cq.freed - m.permit),
        cq(head=cq.seen, available=cq.available + cq.freed - m.permit, locked=False),
        w(at="fetch"),
        *_saved(m, q, kick),
    ).says("re-reads shadow head {}: {} freed, takes a permit", cq.seen, cq.freed)


def _saved(m: Machine, q: SQ, kick: Kick) -> list[Updates]:
    """Updates the corked SQs when a re-check finds room; with a kick, the SQ of the re-check is notified, too."""
    if m.choices.cork == "arm-recheck":
        return kick.updates()
    return kick.updates(also=q) if kick.site else [q(corked=m.choices.cork == "arm-recheck-corked")]


@step("worker {}", of="cork_recheck")
def cork_park(m: Machine, q: SQ, w: Serving) -> Guarded:
    """Reads the CQ shadow head again and finds no room: the SQ is recorded as corked, and the worker sleeps."""
    told = f"no room, {q.label} is CORKED, worker {w.after}"
    parked = when(
        _rechecks(m, w) & (m.cq.freed == 0),
        m.cq(locked=False),
        q(locked=False, corked=True),
        q.popping_is(False),
        w.leaves(),
    )
    return parked.says("re-reads shadow head {}: " + told, m.cq.seen).but_where(
        m.life.blind, "no shadow head to re-read: " + told
    )


def _known_tail(m: Machine, q: SQ) -> Expr:
    return q.seen if m.buffered and m.choices.sq_read == "each" else q.tail


@step("worker {}", of="fetch")
def fetch(m: Machine, q: SQ, w: Serving) -> Guarded:
    """Reads the SQ shadow tail and takes the entry at the head; the command is in flight and holds the permit."""
    tail = _known_tail(m, q)
    taken = q(tail=tail, head=q.head + 1, in_flight=q.in_flight + 1)
    onward = [w(at="arm")] if m.buffered and m.choices.sq_arm == "each" else [q(locked=False), *_popped(m, q, w)]
    return when((w.at == "fetch") & (tail != q.head) & q.request_free, taken, *onward).says(
        "takes the entry in slot {}", q.head
    )


@step("worker {}", of="fetch")
def find_no_request(m: Machine, q: SQ, w: Serving) -> Guarded:
    """Reads the SQ shadow tail and finds an entry, but no free request: stops, as at the end of its SQ."""
    tail = _known_tail(m, q)
    stopped = [q(tail=tail, locked=False), *_done(m, q, w)]
    return when((w.at == "fetch") & (tail != q.head) & ~q.request_free, *stopped).says(
        "has no request for the entry in slot {}: stops", q.head
    )


def _popped(m: Machine, q: SQ, w: Serving) -> list[Updates]:
    """After a pop: the worker runs the command, or looks for another if completions come from a backend."""
    return [q.popping_is(False), w(at="run") if m.choices.backend == "in-worker" else w.looks()]


@step("worker {}", of="fetch")
def find_empty(m: Machine, q: SQ, w: Serving) -> Guarded:
    """Reads the SQ shadow tail and finds the SQ empty; still holds a permit, which it has to give back."""
    tail = _known_tail(m, q)
    arms = m.buffered and m.choices.sq_arm == "idle"
    onward = [w(at="arm")] if arms else [q(locked=False), *_done(m, q, w)]
    return when((w.at == "fetch") & (tail == q.head), q(tail=tail), *onward).says("finds its SQ empty (tail {})", tail)


@step("worker {}")
def arm_sq(m: Machine, q: SQ, w: Serving) -> Guarded:
    """Writes SQ EventIdx, so that the guest rings when its tail moves past this."""
    event = {"head": q.head, "tail": q.tail, "tail-1": q.tail - 1}[m.choices.sq_event]
    onward = [w(at="reread")] if m.choices.sq_reread == YES else [q(locked=False), *_armed(m, q, w)]
    armed = when(w.at == "arm", *stored(q, w.sq_event, event), *onward).says("SQ EventIdx {} -> {}", q.event, event)
    return armed.but_where(~m.life.in_use, writes_nothing(m)).but_where(*remembers(q, event))


def _armed(m: Machine, q: SQ, w: Serving) -> list[Updates]:
    """After the SQ is armed: goes on with the command that was taken, or gives the permit back if none was."""
    return _popped(m, q, w) if m.choices.sq_arm == "each" else _done(m, q, w)


def _done(m: Machine, q: SQ, w: Serving) -> list[Updates]:
    """After a look that found nothing: goes to give the permit back, or sleeps if it took none."""
    return [w(at="remit")] if m.permit else [q.popping_is(False), w.leaves()]


def _rereads(m: Machine, w: Serving) -> Expr:
    return (w.at == "reread") & m.fence("device_fence_sq", w.buffer)


@step("worker {}", of="reread_sq")
def find_more(m: Machine, q: SQ, w: Serving) -> Guarded:
    """Reads the SQ shadow tail again before it sleeps, and finds an entry."""
    return when(_rereads(m, w) & (q.seen != q.head), q(tail=q.seen), w(at="fetch")).says(
        "re-reads SQ tail {}: more to do", q.seen
    )


@step("worker {}", of="reread_sq")
def reread_sq(m: Machine, q: SQ, w: Serving) -> Guarded:
    """Reads the SQ shadow tail again, for entries published before the guest could see EventIdx."""
    right = _rereads(m, w) & (q.seen == q.head) if m.choices.sq_arm == "idle" else _rereads(m, w)
    return (
        when(right, q(tail=q.seen, locked=False), *_armed(m, q, w))
        .says("re-reads SQ tail {}", q.seen)
        .but_where(m.life.blind, "no shadow tail to re-read: still knows SQ tail {}", q.tail)
    )


@step("worker {}")
def remit(m: Machine, q: SQ, w: Serving, kick: Kick) -> Guarded:
    """Gives back the permit for which it found no command, and sleeps."""
    cq = m.cq
    return when(
        (w.at == "remit") & cq.unlocked & kick.possible(cq.available + m.permit),
        cq(available=kick.rest(cq.available + m.permit)),
        q.popping_is(False),
        w.leaves(),
        *kick.updates(),
    ).says("gives its permit back, {} available; " + w.after, cq.available + m.permit)


# -- the doorbell handler, in the guest's trap -------------------------------------------------------------------------
@step("doorbell handler {}")
def notify_tail(m: Machine, q: SQ) -> Guarded:
    """Takes the SQ tail from the doorbell."""
    return when((q.submitter == "notify tail") & q.unlocked, q(tail=q.shadow, submitter="notify")).says(
        "learns the SQ tail {}", q.shadow
    )


@step("doorbell handler {}")
def notify(m: Machine, q: SQ) -> Guarded:
    """Notifies the SQ's workers."""
    told = f"notifies the worker of {q.label}"
    if not q.has("called"):
        return when(q.submitter == "notify", q(submitter="idle"), notified(q, boolean(True))).says(told)
    awake = m.life.awake  # a notification during a pause is delivered at the resume
    reaches = [delivered(q, awake), q(called=q.called | ~awake)] if m.life.events["pause"] else [_reaches(q)]
    notifies = when((q.submitter == "notify") & (q.settled | ~awake), q(submitter="idle"), *reaches).says(told)
    return notifies.but_where(awake & _spends(q), told + ", which runs: spent")


@step("doorbell handler {}")
def deliver(m: Machine, q: SQ) -> Guarded:
    """A kick reaches the SQ's workers, once no look at the SQ is under way."""
    told = f"the kick reaches {q.label}'s worker"
    delivers = when(q.called & q.settled & m.life.awake, q(called=False), _reaches(q)).says(told)
    return delivers.but_where(_spends(q), told + ", which runs: spent")


def _spends(q: SQ) -> Expr:
    """Whether a notification that comes now reaches no worker."""
    return boolean(False) if q.choices.notify == "kept" else ~any_of(w.asleep for w in q.workers)


def _reaches(q: SQ) -> Updates:
    return delivered(q, boolean(True))


@step("doorbell handler", of="notify_head")
def notify_head(m: Machine) -> Guarded:
    """Takes the CQ head from the doorbell and credits the permits that it freed."""
    cq = m.cq
    onward = [cq(consumer="kick")] if m.kicks_on_doorbell else m.polls()
    return when(
        (cq.consumer == "notify head") & cq.unlocked & (cq.told <= cq.occupied),
        cq(head=cq.shadow, available=cq.available + cq.told),
        *onward,
        *rescheduled(m),
    ).says("learns the CQ head {}: {} freed", cq.shadow, cq.told)


@step("doorbell handler", of="notify_head")
def reject_head(m: Machine) -> Guarded:
    """Refuses a CQ head that frees more entries than are occupied; the handler ends without a kick."""
    cq = m.cq
    return when((cq.consumer == "notify head") & cq.unlocked & (cq.told > cq.occupied), *m.polls()).says(
        "refuses CQ head {}: {} freed of {}", cq.shadow, cq.told, cq.occupied
    )


@step("doorbell handler")
def kick(m: Machine, kick: Kick) -> Guarded:
    """Empties the corked set and notifies every SQ in it (or as many as there is room for)."""
    cq = m.cq
    given = [cq(available=kick.rest(cq.available))] if kick.hands_over else []
    return when(
        (cq.consumer == "kick") & cq.unlocked & kick.possible(cq.available),
        *m.polls(),
        *given,
        *kick.updates(),
    ).says("kicks the corked SQs")


def _pop(m: Machine, q: SQ, w: Serving) -> Iterator[Action]:
    yield poll(m, q, w) if m.choices.poll == YES else wake(m, q, w)
    if isinstance(w, Registered):
        yield turn_away(m, q, w)
    yield reserve(m, q, w)
    if q.has("granted"):
        yield use_grant(m, q, w)
        for each in m.kicks("kick_on_reserve") if m.buffered else ():
            if each.chosen:
                yield line_up(m, q, w, each)
    if m.poster:
        pass  # commands are always taken
    elif m.buffered and m.choices.cork.startswith("arm-recheck"):
        yield start_cork(m, q, w)
        if m.policy.at_cork:
            yield cork_arm(m, q, w)
            if event_idx(m, corking=True).written.op != "const":
                yield cork_leave(m, q, w)
        for each in m.kicks("kick_on_reserve"):
            yield cork_saved(m, q, w, each)
        yield cork_park(m, q, w)
    else:
        yield cork(m, q, w)
    if m.buffered and not m.poster:
        for each in m.kicks("kick_on_reserve"):
            if not each.hands_over or len(each.chosen or ()) < m.cq.capacity:
                yield refresh(m, q, w, each)
    yield fetch(m, q, w)
    if q.pool is not None:
        yield find_no_request(m, q, w)
    if m.buffered and m.choices.sq_arm != "never":
        yield arm_sq(m, q, w)
        if m.choices.sq_reread == YES:
            yield reread_sq(m, q, w)
            if m.choices.sq_arm == "idle":
                yield find_more(m, q, w)
    yield find_empty(m, q, w)
    if m.permit:
        for each in m.kicks("kick_on_remit"):
            yield remit(m, q, w, each)


def actions(m: Machine) -> Iterator[Action]:
    """All the device's steps."""
    for q in m.sqs:
        for w in q.workers:
            yield from _pop(m, q, w)
        for p in q.posters:
            yield from posting.steps(m, q, p)
        yield notify_tail(m, q)
        yield notify(m, q)
        if q.has("called"):
            yield deliver(m, q)
    if m.poster:
        yield from posting.queued_steps(m, m.poster)
    yield notify_head(m)
    yield reject_head(m)
    if m.kicks_on_doorbell:
        for each in m.kicks("kick_on_doorbell"):
            yield kick(m, each)
