"""Ranks that fall with every step, the numbers that ranks are made of, and frames for the sums over SQs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from uncork.core.expr import Expr, boolean, count, gap, ite, total
from uncork.core.property import NotForever
from uncork.core.questions.argument import Descent, Elsewhere, Frame
from uncork.core.system import System
from uncork_nvme.anysize import AnySize, AnySQ
from uncork_nvme.choices import YES
from uncork_nvme.parts.guest import looks

from uncork_properties.lemmas import UNDER_CQ_LOCK, passes_on


# -- why it ends -------------------------------------------------------------------------------------------------------
def descents(m: AnySize, system: System, wanted: list[NotForever]) -> Iterator[Descent]:
    """The descents: a guest that submits no more drains the queues, and a single SQ makes progress and is uncorked."""
    elsewhere = []
    if m.rest:
        locked = rest_queued(m) if m.poster else rest_at(m, *UNDER_CQ_LOCK)
        elsewhere = [locked, rest_unread(m, boolean(True)), rest_holds(m)]
    if m.rest and passes_on(m):
        elsewhere.append(rest_looks(m, boolean(True)))
    for prop in wanted:
        several = len(m.sqs) > 1
        if (prop.row == "drains" and (several or not crowded(m))) or (prop.row != "drains" and not several):
            yield Descent(prop, _rank(m, submits=prop.row != "drains"), elsewhere)


def rest_at(m: AnySize, *places: str, while_: Expr | None = None) -> Elsewhere:
    """An actor of another SQ at one of these positions under the CQ lock, while something holds."""
    now = boolean(True) if while_ is None else while_
    assert m.rest is not None
    says = f"another SQ's actor is at {' or '.join(places)}"
    return Elsewhere(says, now & m.rest.at.among(*places), now & (m.every[1].at(*places) > 0))


def rest_holds(m: AnySize) -> Elsewhere:
    """Another SQ that holds a permit."""
    assert m.rest is not None
    return Elsewhere("another SQ holds a permit", m.rest.held > 0, m.every[1].permits > 0)


def rest_unread(m: AnySize, while_: Expr) -> Elsewhere:
    """Another SQ of which the guest may take a CQE, while something holds."""
    assert m.rest is not None
    may = while_ & looks(m)
    says = "the guest may take a CQE of another SQ"
    return Elsewhere(says, may & (m.rest.unread > 0), may & (m.every[1].ledger.unread > 0))


def rest_queued(m: AnySize) -> Elsewhere:
    """Another SQ with a queued completion, while the poster has found room."""
    assert m.rest is not None and m.poster is not None
    finds = (m.poster.at == "post") & (m.cq.available > 0)
    says = "a completion of another SQ may be posted"
    return Elsewhere(says, finds & (m.rest.queued > 0), finds & (m.every[1].queued > 0))


def rest_looks(m: AnySize, while_: Expr) -> Elsewhere:
    """A worker of another SQ that is about to look, while something holds."""
    assert m.rest is not None
    says = "another SQ's worker is about to look"
    return Elsewhere(says, while_ & (m.rest.looks > 0), while_ & (m.every[1].at("reserve") > 0))


def _rank(m: AnySize, *, submits: bool) -> list[tuple[str, Expr]]:
    """The rank, how much is left to do, as named parts in lexicographic order.

    `submits`: whether the guest may go on submitting, in a run that fetches nothing more of the only SQ. Then free
    command slots count as work left, and entries not fetched do not.
    """
    way = total([*(_way(q) for q in m.every), *([m.rest.way] if m.rest else [])])
    looks = [] if m.poster else [("permits that will be remitted", total(_idle(m, q) for q in m.every))]
    return [
        *events_left(m),
        ("work left", work(m, submits=submits)),
        *looks,
        ("steps to sleep or to a pop", way),
    ]


def work(m: AnySize, *, submits: bool) -> Expr:
    """The work left for all SQs, as far as they are followed, and for the guest's consumer."""
    cq, more = m.cq, _attempt(m)
    weights = {"poll": 1, "check": 6 + more, "ring": 5 + more, "notify head": 4 + more, "kick": 3}
    return total([*(_work(m, q, submits=submits) for q in m.every), times(10 + more, gap(cq.cursor, cq.shadow)),
                  gap(cq.shadow, cq.head), weighed(cq.consumer, weights), *attempts(m)])  # fmt: skip


def attempts(m: AnySize) -> list[Expr]:
    """The number of steps left for a poster of all SQs, as far as it is scheduled."""
    if not m.poster:
        return []
    places = [*m.parts.post.stages(m), "post"]
    at = weighed(m.poster.at, {place: len(places) - k for k, place in enumerate(places)})
    return [at, ite(m.poster.scheduled, _attempt(m), 0)]


def _attempt(m: AnySize) -> int:
    """The number of steps of an attempt to post queued completions; 0 if none are queued."""
    return len(m.parts.post.stages(m)) + 2 if m.poster else 0


def events_left(m: AnySize) -> list[tuple[str, Expr]]:
    """How many SQs may still be created or deleted, as the first part of a rank, if SQs come and go."""
    events = [m.life.delete, m.life.create] if m.sqs[0].has("live") else []
    return [("SQs that may still come or go", total(events))] if events else []


def crowded(m: AnySize) -> bool:
    """Whether a notification may wake more workers of an SQ than it has entries."""
    return m.choices.workers > 1 and m.choices.notify == "spent"


def _work(m: AnySize, q: AnySQ, *, submits: bool) -> Expr:
    """The work left for an SQ. Weights fall along a command's life: free, published, in flight, unread."""
    free, more = 6 if submits else 0, _attempt(m)
    parts = [
        times(free, q.capacity - q.outstanding),
        times(0 if submits else 17 + 3 * more, gap(q.shadow, q.head)),
        times(free + 14 + 3 * more, q.in_flight - q.queued if m.poster else q.in_flight),
        *([times(free + 12 + 2 * more, q.queued)] if m.poster else []),
        *([times(14, q.orphans)] if q.has("orphans") else []),
        times(free + 11 + more, q.ledger.unread),
        *posting(m, q),
        *([] if m.parts.reader.permit_at else [_arming(q)]),
        weighed(q.submitter, {"check": 4, "ring": 3, "notify tail": 2, "notify": 1}),
    ]
    if m.choices.early_free != YES:
        parts.append(times(free, q.unfreed))
    return total(parts)


def _arming(q: AnySQ) -> Expr:
    """The number of steps left for an SQ's workers that write SQ EventIdx."""
    return times(2, q.at("arm")) + q.at("reread")


def _idle(m: AnySize, q: AnySQ) -> Expr:
    """The number of permits that an SQ may still give back: an empty SQ returns at most one permit per look.

    If the SQ has entries, a worker that takes a permit takes an entry, too, and only a worker that found the SQ empty
    before gives a permit back; of an SQ that is read as a worker wakes, and of one that is armed at its end, this is
    said of the entries that the device knows. A kick makes a corked empty SQ look once.
    """
    known = q.shadow if m.buffered and (m.choices.sq_read, m.choices.sq_arm) == ("each", "each") else q.tail
    looks = total([count(~w.asleep for w in q.workers), q.wakeups, ite(q.corked, 1, 0), called(q)])
    return ite(gap(known, q.head) > 0, q.at("remit"), looks)


def _way(q: AnySQ) -> Expr:
    own = q.parts.places  # of parts of one's own: from there a worker goes to sleep
    steps = len(own) + 1
    look = ("remit", *q.parts.reader.permit_at[::-1], "fetch", "cork recheck", "cork arm", "reserve")
    places: dict[str, int | Expr] = {place: steps * weight for weight, place in enumerate(look, 1)}
    places |= {place: steps - 1 - number for number, place in enumerate(own)}
    if q.parts.reader.permit_at:  # if the tail that is read again has moved, the worker takes an entry
        places["fetch"] = ite(gap(q.tail, q.head) > 0, steps, places["fetch"])
    woken = len(q.workers) if q.parts.choices.notify == "spent" else 1
    notified = [times(10 * steps, q.wakeups), times((10 * woken + 1) * steps, called(q))]
    return total([*notified, *(weighed(w.at, places) for w in q.workers)])


def called(q: AnySQ) -> Expr:
    """1 if a kick has not reached the workers yet, else 0."""
    return ite(q.called, 1, 0) if q.has("called") else total([])


def times(weight: int, number: Expr) -> Expr:
    """`weight` times a number, as a sum."""
    half = times(weight // 2, number) if weight else total([])
    return total([half, half, *([number] if weight % 2 else [])])


def weighed(at: Expr, weights: Mapping[str, int | Expr]) -> Expr:
    """The weight of the position where an actor stands; 0 if the position has none."""
    return total(ite(at == name, weight, 0) for name, weight in weights.items())


def held(m: AnySize, q: AnySQ) -> Expr:
    """The work left for an SQ's permit holders and posters."""
    parts = [times(9, q.at("fetch")), times(4, q.at("remit")), times(5, q.in_flight), _arming(q), *posting(m, q)]
    if m.parts.reader.permit_at:  # at the end of an SQ; if the tail that is read again has moved, an entry is taken
        parts += [times(10, q.at("arm", "reread")), ite(gap(q.tail, q.head) > 0, 0, times(4, q.at("fetch")))]
    if q.has("orphans"):
        parts.append(times(5, q.orphans))
    if m.parts.kicks.hands_over:
        parts.append(ite(q.granted, ite(q.asleep, ite(q.wakeups > 0, 11, 12), 10), 0))
    return total(parts)


def posting(m: AnySize, q: AnySQ) -> list[Expr]:
    """The number of steps left for an SQ's posters."""
    stages = m.parts.post.stages(m)
    return [times(len(stages) - k, q.at(stage)) for k, stage in enumerate(stages)]


def section(m: AnySize, q: AnySQ) -> Expr:
    """The number of steps left for the holder of the CQ lock before it releases the lock."""
    return total([times(2, q.at("cork arm")), q.at("cork recheck"), *posting(m, q)])


_OF_AN_SQ = ("consume", "post_queued", "create_sq", "delete_sq")
"""The steps of the guest's consumer, of a poster of all SQs, and of events that are about one SQ."""


# -- what the sums stand for -------------------------------------------------------------------------------------------
def frames(m: AnySize, system: System) -> Iterator[Frame]:
    """The frames: what steps of an SQ, and of the guest's consumer, do not change in another SQ."""
    assert m.rest is not None
    line = m.parts.kicks.hands_over
    for q in m.every:
        own = {a.name for a in system.actions if q.label in a.actor or (a.family in _OF_AN_SQ and a.about(q))}
        others = frozenset(a.name for a in system.actions) - own
        kicks = frozenset(a.name for a in system.actions if "rest.way" in a.updates)
        corked = ite(q.corked, 1, 0)
        counted = [q.ledger.unread, *(q.at(place) for place in (*UNDER_CQ_LOCK, "reserve")),
                   _work(m, q, submits=False), section(m, q)]  # fmt: skip
        counted += [q.queued] if m.poster else []
        counted += [ite(q.live, 1, 0)] if q.has("live") else []
        counted += [q.permits + corked] if line else [q.permits, held(m, q)]
        yield Frame(f"{q.label} as the others leave it",
                    "no step of other SQs changes this SQ's contribution to the sums", others,
                    counted, [*([] if m.poster else [_idle(m, q)]), *([corked] if line else [])])  # fmt: skip
        for other in m.every if line else ():
            deletes = frozenset(a.name for a in system.actions if a.family == "delete_sq" and a.about(other))
            if other is not q:
                yield from _tickets(q, other, others, deletes)
        yield Frame(f"{q.label} unless kicked",
                    "no step of other SQs, except a kick, changes this SQ's cork or way", others - kicks,
                    [corked, _way(q)])  # fmt: skip
        if line:
            yield Frame(f"{q.label} unless the line moves",
                        "no step of other SQs that lets nobody out of the line changes this SQ's cork or its work",
                        others, [corked, held(m, q)], unless=m.rest.next)  # fmt: skip
        else:
            yield Frame(f"{q.label} if kicked", "no SQ is corked after a kick", others & kicks, after=[~q.corked])


def _tickets(q: AnySQ, other: AnySQ, others: frozenset[str], deletes: frozenset[str]) -> Iterator[Frame]:
    """What steps of another SQ do to an SQ's ticket.

    If the other SQ is deleted in line, the SQ's ticket goes down by one if it is greater than the other's. Of two SQs
    that have different tickets, and another than the deleted one, the tickets differ afterwards, too.
    """
    ticket = q.ledger.ticket
    yield Frame(f"ticket of {q.label}", "no step of other SQs changes this SQ's ticket, unless one is deleted",
                others - deletes, [ticket])  # fmt: skip
    behind = ite(q.corked & other.corked & (other.ledger.ticket < ticket), 1, 0)
    if deletes:
        yield Frame(f"ticket of {q.label} if {other.label} is deleted", "those behind a deleted SQ move up, by one",
                    deletes, [ticket - behind])  # fmt: skip
