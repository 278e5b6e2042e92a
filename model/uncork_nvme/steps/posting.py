"""The steps of a post: the device writes a CQE, reads the CQ shadow head, and writes CQ EventIdx as the policy says.

The order, the fences and the kicks are choices. With cq_full=queue the CQE comes last.
"""

from __future__ import annotations

from collections.abc import Iterator

from uncork.core.expr import Expr, boolean, ite
from uncork.core.system import Action, Guarded, Updates, step, when

from uncork_nvme.choices import YES
from uncork_nvme.policies import CQView, EventIdx
from uncork_nvme.state.actors import Completer, Poster, Serving, Storing
from uncork_nvme.state.kicks import Kick, notified
from uncork_nvme.state.machine import Machine
from uncork_nvme.state.memory import Word
from uncork_nvme.state.queues import CQ, SQ


def event_idx(m: Machine, *, corking: bool = False) -> EventIdx:
    """What the policy writes to CQ EventIdx in the current state of the device."""
    cq = m.cq
    corked = boolean(True) if corking else m.corked
    view = CQView(cq.head, cq.tail, cq.occupied, cq.available, corked, cq.size, m.count)
    return m.policy.event_idx(view, corking=corking)


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
    return "no doorbell buffer: writes no EventIdx" + (" that the guest reads" if m.life.keeps else "")


# -- post, by the backend ----------------------------------------------------------------------------------------------
def post_sequence(m: Machine) -> list[str]:
    """The steps after a CQE is written, as positions of the poster, which holds the CQ lock until the last step."""
    if not m.buffered:
        return []
    arm = [] if event_idx(m).value is None else ["post arm"]
    return ["post read", *arm] if m.choices.post_order == "read-then-arm" else [*arm, "post read"]


def _onward(
    m: Machine, q: SQ | CQ, p: Serving | Completer | Poster, done: str | None, kick: Kick | None = None
) -> list[Updates]:
    """Moves the poster to the step after `done`; at the end of the sequence notifies the worker that looks next."""
    sequence = post_sequence(m)
    left = sequence if done is None else sequence[sequence.index(done) + 1 :]
    woken = kick.updates() if kick else []
    if left:
        return [p(at=left[0]), m.cq(locked=True), *woken]
    if isinstance(p, Poster) or isinstance(q, CQ):
        return [p(at="post"), m.cq(locked=True), *woken]
    rest = p(at="run") if isinstance(p, Completer) else p.looks()
    if m.choices.backend == "detached-repoll":
        woken = kick.updates(also=q) if kick else [notified(q, boolean(True))]
    return [rest, m.cq(locked=False), *woken]


def _completes(q: SQ, p: Serving | Completer, m: Machine) -> Expr:
    return (p.at == "run") & (q.in_flight > 0) & m.cq.unlocked & p.buffer.drained


def _looks_for_room(m: Machine) -> Expr:
    """Whether the CQ is full as last known, but has room: a device without permits reads the shadow head first."""
    looks = m.buffered and m.choices.cq_full == "ignore-in-flight"
    return (m.cq.available == 0) & (m.cq.freed > 0) if looks else boolean(False)


@step("backend {}", of="post")
def find_room(m: Machine, q: SQ, p: Serving | Completer) -> Guarded:
    """A command completes, and the CQ is full as last known: reads the CQ shadow head, and there is room."""
    cq = m.cq
    return when(_completes(q, p, m) & _looks_for_room(m), cq(head=cq.seen, available=cq.freed)).says(
        "finds the CQ full, reads shadow head {}: {} freed", cq.seen, cq.freed
    )


@step("backend {}")
def post(m: Machine, q: SQ, p: Serving | Completer) -> Guarded:
    """A command completes: its CQE is written at the CQ tail, visible to the guest at once; its permit is used up."""
    cq = m.cq
    return when(
        _completes(q, p, m) & ~_looks_for_room(m),
        p.cqe.store(),
        q(in_flight=q.in_flight - 1),
        Updates() if m.permit else cq(available=cq.available - 1),
        *_onward(m, q, p, None),
    ).says(f"posts a CQE of {q.label} " + "in slot {}", cq.tail)


def _reads(m: Machine, p: Serving | Completer | Poster) -> Expr:
    """Whether a poster is about to read the CQ shadow head, after its fence if it armed first."""
    armed = post_sequence(m)[0] == "post arm"
    return (p.at == "post read") & (m.fence("device_fence_cq", p.buffer) if armed else boolean(True))


@step("backend {}", of="post_read")
def post_read(m: Machine, q: SQ | CQ, p: Serving | Completer | Poster) -> Guarded:
    """Reads the CQ shadow head and finds that it has not moved."""
    return (
        when(_reads(m, p) & (m.cq.freed == 0), *_onward(m, q, p, "post read"))
        .says("reads shadow head {}: nothing freed", m.cq.seen)
        .but_where(m.life.blind, "no shadow head to read: nothing freed")
    )


@step("backend {}", of="post_read")
def post_credit(m: Machine, q: SQ | CQ, p: Serving | Completer | Poster, kick: Kick) -> Guarded:
    """Reads the CQ shadow head and credits the permits that it freed."""
    cq = m.cq
    room = cq.available + cq.freed
    return when(
        _reads(m, p) & (cq.freed > 0) & kick.possible(room),
        cq(head=cq.seen, available=kick.rest(room)),
        *_onward(m, q, p, "post read", kick),
    ).says("reads shadow head {}: {} freed", cq.seen, cq.freed)


@step("backend {}", of="post_arm")
def post_arm(m: Machine, q: SQ | CQ, p: Serving | Completer | Poster) -> Guarded:
    """Writes CQ EventIdx as the policy says."""
    armed = event_idx(m)
    return (
        when((p.at == "post arm") & armed.written, *written(armed.value, m.cq, p), *_onward(m, q, p, "post arm"))
        .says("CQ EventIdx {} -> {}", p.cq_event.own, armed.value if armed.value is not None else m.cq.event)
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
        when((p.at == "post arm") & ~event_idx(m).written, *_onward(m, q, p, "post arm"))
        .says("leaves CQ EventIdx at {}", m.cq.event)
        .but_where(~m.life.in_use, writes_nothing(m))
    )


# -- post, where completions queue for the CQ: the sequence comes first, and then the CQE, if there is room ------------
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
        (p.at == "idle") & m.life.awake & p.scheduled & (m.queued > 0) & m.cq.unlocked,
        p(scheduled=False),
        *_onward(m, m.cq, p, None),
    ).says("goes to post, {} queued", m.queued)


@step("backend", of="post_queued")
def post_queued(m: Machine, q: SQ, p: Poster) -> Guarded:
    """Finds room and writes the CQE at the CQ tail; goes on if more completions are queued."""
    cq = m.cq
    return when(
        (p.at == "post") & (q.queued > 0) & (cq.available > 0),
        cq.put(q),
        cq(available=cq.available - 1, locked=False),
        q(in_flight=q.in_flight - 1, queued=q.queued - 1),
        p(at="idle", scheduled=p.scheduled | (m.queued > 1)),
        _looked_at_again(m, q),
    ).says(f"posts a CQE of {q.label} " + "in slot {}", cq.tail)


def _looked_at_again(m: Machine, q: SQ) -> Updates:
    """Notifies a completion's SQ after the post; with a pool, only if the pool was empty and entries are left."""
    if m.choices.backend == "detached-repoll":
        return notified(q, boolean(True))
    if q.pool is None or m.choices.on_request == "nothing":
        return Updates()
    return notified(q, ~q.request_free & (q.tail != q.head))


@step("backend", of="post_queued")
def block(m: Machine, p: Poster) -> Guarded:
    """Finds the CQ full, and stops until a doorbell or another completion makes it try again."""
    return when((p.at == "post") & (m.cq.available == 0), m.cq(locked=False), p(at="idle")).says(
        "the CQ is full: {} completions STAY QUEUED", m.queued
    )


def rescheduled(m: Machine) -> list[Updates]:
    """What a CQ doorbell causes with cq_full=queue if the CQ was full as last known: posting, and looks at SQs."""
    full = m.cq.available == 0
    if m.poster is None:
        return []
    looked = m.sqs if m.choices.kick_on_doorbell == YES else []
    return [m.poster(scheduled=m.poster.scheduled | full), *(notified(q, full) for q in looked)]


def steps(m: Machine, q: SQ, p: Serving | Completer) -> Iterator[Action]:
    """The steps of an actor that posts for one SQ."""
    yield post(m, q, p)
    if m.buffered and m.choices.cq_full == "ignore-in-flight":
        yield find_room(m, q, p)
    yield from _sequence(m, q, p)


def queued_steps(m: Machine, p: Poster) -> Iterator[Action]:
    """The steps of the poster of queued completions."""
    for q in m.sqs:
        yield complete(m, q, p)
        yield post_queued(m, q, p)
    yield attempt(m, p)
    yield block(m, p)
    yield from _sequence(m, m.cq, p)


def _sequence(m: Machine, q: SQ | CQ, p: Serving | Completer | Poster) -> Iterator[Action]:
    if m.buffered:
        yield post_read(m, q, p)
        for each in m.kicks("kick_on_post"):
            yield post_credit(m, q, p, each)
    if "post arm" in post_sequence(m):
        yield post_arm(m, q, p)
        if event_idx(m).written.op != "const":
            yield post_leave(m, q, p)
