"""Facts that hold in every state, for a proof by induction that no wake-up is lost; the engine trusts none of them.

The heart is the last one: *an SQ with published entries whose worker sleeps has a wake-up on its way*. The other facts
say where indices and actors are, so that a solver can show that each step preserves the last fact. They are meant for
one SQ with one worker. If a machine does not preserve a fact, the engine drops the fact and everything that needs it.
"""

from __future__ import annotations

from collections.abc import Iterator

from uncork.core.expr import Expr, any_of, boolean, count, lift, total
from uncork.core.property import Always, always
from uncork.core.sorts import Ring
from uncork.core.system import System
from uncork_nvme.choices import NO, YES
from uncork_nvme.parts.guest import crossed
from uncork_nvme.state.actors import IN_POST, Serving
from uncork_nvme.state.machine import Machine
from uncork_nvme.state.queues import CQ, SQ

_POPPING = ("cork arm", "cork recheck", "fetch", "arm", "reread")
"""The positions of a worker that holds the lock of its SQ."""


def facts(m: Machine) -> list[Expr]:
    """The candidate facts of a machine, which hold in every state of a machine that they are meant for."""
    found = [*_ring(m), *_locks(m), *(fact for q in m.sqs for fact in _queue(m, q))]
    if len(m.sqs) == 1:
        found += [fact for w in m.sqs[0].workers for fact in (*_armed(m, w), *_wake_up(m, m.sqs[0], w))]
    return found


def never_lost(m: Machine, system: System) -> list[Always]:
    """Lost-wake-up freedom: no state is stuck while an SQ has published entries and sleeping workers."""
    going = any_of(action.guard for action in system.actions if action.fair)
    return [always(f"no wake-up of {q.label} is lost", "uncorked", ~(q.pending > 0) | ~q.asleep | going) for q in m.sqs]


# -- where things are --------------------------------------------------------------------------------------------------
def _ring(m: Machine) -> Iterator[Expr]:
    """Facts of the CQ: head, shadow, cursor and tail are in this order; new entries are from the cursor to the tail."""
    cq = m.cq
    yield cq.shadow - cq.head <= cq.cursor - cq.head
    yield cq.cursor - cq.head <= cq.occupied
    yield cq.available + cq.occupied + m.held == cq.capacity
    for place in range(cq.size):
        slot = lift(place, Ring(cq.size))
        yield (cq.slots[slot] == "none") == (cq.tail - cq.cursor <= slot - cq.cursor)
    yield ~cq.consumer.among("check", "ring", "notify head", "kick") | (cq.consumed == 0)
    yield (cq.consumer != "publish") | (cq.consumed > 0)
    if m.buffered:
        yield (cq.consumer == "check") == (cq.moved > 0)
    else:
        yield cq.consumer != "check"
        yield cq.consumer.among("ring", "notify head") | (cq.head == cq.shadow)


def _locks(m: Machine) -> Iterator[Expr]:
    """Facts of locks: a lock is held exactly if an actor is at a position that holds it."""
    workers = [w for q in m.sqs for w in q.workers]
    holders = [
        *(w.at.among("cork arm", "cork recheck") for w in workers),
        *(p.at.among(*IN_POST) for q in m.sqs for p in q.posters),
    ]
    yield m.cq.locked == any_of(holders)
    yield count(holders) <= 1
    for q in m.sqs:
        popping = [w.at.among(*_POPPING) for w in q.workers]
        yield q.locked == any_of(popping)
        yield count(popping) <= 1


def _queue(m: Machine, q: SQ) -> Iterator[Expr]:
    """Facts of an SQ: head, known tail and shadow tail in order; each slot in use counted; EventIdx is the head."""
    yield q.tail - q.head <= q.pending
    unread = m.cq.tail - m.cq.cursor
    if len(m.sqs) > 1:
        unread = count(m.cq.slots[lift(place, Ring(m.cq.size))] == q.label for place in range(m.cq.size))
    late = [q.unfreed] if m.choices.early_free == NO else []
    yield q.outstanding == total([q.pending, q.in_flight, unread, *late])
    if late:
        yield ~m.cq.consumer.among("poll", "publish") | (total(each.unfreed for each in m.sqs) == m.cq.consumed)
    if m.choices.backend == "in-worker":
        yield q.in_flight == count(w.at.among("arm", "reread", "run") for w in q.workers)
    if m.buffered:
        yield (q.submitter == "check") == (q.moved > 0)
        arming = any_of(w.at == "arm" for w in q.workers)
        yield (arming & (q.event + 1 == q.head)) | (~arming & (q.event == q.head))
    else:
        yield q.submitter != "check"
        yield q.submitter.among("ring", "notify tail") | (q.tail == q.shadow)


# -- why somebody wakes it ---------------------------------------------------------------------------------------------
def _to_cross(m: Machine, cq: CQ, start: Expr) -> Expr:
    """Whether an index that moves from `start` to the CQ's tail, in one move or more, makes the guest ring."""
    if not m.buffered:
        return start != cq.tail
    if m.choices.need_event == "strict":
        return cq.event - start < cq.tail - start
    return (start != cq.tail) & (cq.event - start <= cq.tail - start)


def _armed(m: Machine, w: Serving) -> Iterator[Expr]:
    """If a worker may park its SQ, EventIdx is on an entry that the guest has not passed yet."""
    cq = m.cq
    armed = (cq.available > 0) | _to_cross(m, cq, cq.head)
    yield ~w.at.among("cork arm", "cork recheck") | (cq.available == 0)
    yield (w.at != "cork recheck") | armed
    yield ~w.at.among("asleep", "reserve", "cork arm") | armed
    if m.choices.post_order == "arm-then-read":
        yield (w.at != "post read") | armed


def _wake_up(m: Machine, q: SQ, w: Serving) -> Iterator[Expr]:
    """The last fact: an SQ with published entries whose worker sleeps has a wake-up on its way."""
    cq, idle = m.cq, (q.pending > 0) & (q.wakeups == 0)
    if q.has("called"):
        idle = idle & ~q.called
    if m.choices.notify == "spent":
        yield (q.wakeups == 0) | w.asleep
    doorbell = q.submitter.among("ring", "notify tail", "notify")
    kick = cq.consumer.among("ring", "notify head", "kick")
    if m.buffered:
        doorbell = doorbell | (q.submitter == "check") & crossed(m, q)
        kick = kick | (cq.consumer == "check") & crossed(m, cq)
    coming = kick | _to_cross(m, cq, cq.shadow)
    if m.choices.kick_on_doorbell != YES:
        coming = boolean(False)
    if m.choices.backend == "detached-repoll":
        coming = coming | (q.in_flight > 0) | any_of(p.at.among(*IN_POST) for p in q.posters)
    yield (w.at != "remit") | ~idle | doorbell
    yield (w.at != "asleep") | ~idle | doorbell | q.corked & coming
