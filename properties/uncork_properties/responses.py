"""The responses: why an SQ is woken, or served, however long other SQs go on. And why the CQ lock is always released.

An SQ waits in stages. It is notified; it was kicked; its own doorbell is under way; a CQ doorbell is under way; else
something that others do has to wake it. What that is depends on where the device kicks:

- at every read that finds room: the permits that are held become posts, and each post reads the shadow head;
- not at a post: then the guest has to pass EventIdx, which such a device may write only when the CQ is full;
- and if a kick hands permits over, first come first served: then the SQ's place in line falls with every permit.

A part of a rank that is a sum over all SQs counts only in some stages, and the parts before it say which. So where they
stay as they are, what the SQs contribute that the machine does not follow stays, too (`ranks.frames`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from uncork.core.expr import Expr, boolean, gap, ite, number, total
from uncork.core.property import NotForever
from uncork.core.questions.argument import Elsewhere, Help, Replica, Response, Sums
from uncork.core.sorts import Value
from uncork.core.system import Action, System, say
from uncork_nvme.anysize import AnySize, AnySQ
from uncork_nvme.state.actors import IN_POST

from uncork_properties.lemmas import UNDER_CQ_LOCK, coming, doorbell_owed, passes_on, room
from uncork_properties.ranks import (
    attempts,
    called,
    crowded,
    events_left,
    held,
    look,
    looks_on,
    rest_at,
    rest_holds,
    rest_in_look,
    rest_looks,
    rest_queued,
    rest_runs,
    rest_unread,
    section,
    times,
    weighed,
    work,
)

_WAITING = 9
"""The stage of an SQ that waits for neither its own doorbell nor a CQ doorbell under way."""
_HOLDERS = ("fetch", "arm_sq", "reread_sq", "remit", "post", "post_read", "post_arm", "release")
"""The steps of those who hold a permit, or post."""
_KICK_DONE: Mapping[str, Value] = {"cq.consumer": "poll"}
"""When an SQ may be looked at that stands in no line: while the CQ's doorbell handler is not about to kick."""

_ATTEMPT = ("post_read", "post_arm", "post_leave", "post_queued", "block")
"""The steps of a poster of all SQs, from its first to its last."""

Rank = list[tuple[str, Expr]]


def responses(m: AnySize, system: System, wanted: list[NotForever]) -> Iterator[Response]:
    """The responses of a machine: of the CQ lock, and of each liveness in `wanted` that needs one."""
    several = len(m.sqs) > 1
    if not several and not crowded(m) and not looks_on(m):
        return
    steps = _Steps(m, system)
    lock = NotForever("the CQ lock is released", "", "", m.cq.locked, say("the CQ lock is never released"))
    left = total(section(m, each) for each in m.every)
    inside = steps.of_any(boolean(True), "cork_arm", "cork_park", "post_read", "post_arm", "post_leave")
    others = [rest_at(m, *UNDER_CQ_LOCK)] if m.rest else []
    if m.poster:
        left, inside = attempts(m)[0], [steps.of(boolean(True), *_ATTEMPT)]
        others = [rest_queued(m)] if m.rest else []
    yield Response(lock, [("steps under the lock", left)], inside, others, replica=steps.replica)
    if m.parts.kicks.hands_over:
        yield from _served(m, steps, wanted, lock.name)
        return
    waits_for = lock
    if not m.parts.crew.several or not (several or m.poster):
        busy = m.cq.locked | m.in_look
        waits_for = NotForever("the thread is free", "", "", busy, say("a look at an SQ never ends"))
        yield _looks_end(m, steps, waits_for, lock.name)
    if m.poster:
        yield from _always_taken(m, steps, wanted, waits_for.name)
        return
    if looks_on(m) or not several:
        for prop in wanted:
            if prop.row == "drains" or (prop.row == "progress" and looks_on(m) and not several):
                yield _drained(m, steps, prop, waits_for.name)
            elif prop.row == "uncorked" and looks_on(m):
                yield _woken_alone(m, steps, prop)
        return
    every_read_kicks = m.parts.kicks.kicks("post") or not passes_on(m) or m.choices.backend != "in-worker"
    woken = _woken_by_posts if every_read_kicks else _woken_by_the_guest
    for prop in wanted:
        if prop.row == "uncorked":
            yield woken(m, steps, prop, waits_for.name)


def _looks_end(m: AnySize, steps: _Steps, prop: NotForever, lock: str) -> Response:
    """Where one look is under way at a time: it ends, and the CQ lock is released before the next begins."""
    under_lock = attempts(m)[0] if m.poster else total(section(m, each) for each in m.every)
    rank = [
        ("steps of the look", total(look(each) for each in m.every)),
        ("steps under the lock", ite(m.in_look, 0, under_lock)),
    ]
    posts = (
        [steps.of(~m.in_look, *_ATTEMPT)] if m.poster else steps.of_any(~m.in_look, *IN_POST_STEPS[1:], "post_leave")
    )
    helpers = [
        *steps.of_any(boolean(True), "fetch", "arm_sq", "reread_sq", "remit", "cork_arm", "cork_park"),
        *posts,
    ]
    elsewhere = [*rest_in_look(m), rest_queued(m) if m.poster else rest_at(m, *UNDER_CQ_LOCK)] if m.rest else []
    return Response(prop, rank, helpers, elsewhere, "cq.locked", lock, steps.replica)


class _Steps:
    """The helpful steps of a machine, by the families of their actions."""

    def __init__(self, m: AnySize, system: System) -> None:
        self.m, self.system, self.replica = m, system, Replica()
        for other in m.every[1:] if m.rest else ():
            assert m.rest is not None
            self.replica = Replica(
                frozenset(variable.name for record in other.records for variable in record.variables),
                frozenset(variable.name for variable in m.rest.variables),
                [m.at("post read"), m.at(*IN_POST), *([m.held] if m.parts.crew.several else [m.in_look, m.in_flight])],
                frozenset(action.name for action in system.actions if not self._is_of(action, other)),
            )

    def of(self, while_: Expr, *families: str, q: AnySQ | None = None, free: Mapping[str, Value] | None = None) -> Help:
        """Steps of an SQ, or of the guest's consumer and the CQ's doorbell handler, while a condition holds."""
        own = boolean(True) if self.m.rest and not q else None
        return Help(self._duties(families, q.label if q else ""), while_, own, self._free(families, q, free))

    def of_any(
        self,
        while_: Expr,
        *families: str,
        own: Callable[[AnySQ], Expr] = lambda _: boolean(True),
        free: Mapping[str, Value] | None = None,
    ) -> list[Help]:
        """Steps of any SQ, as `own` says of it: of the waiting SQ, and of the other SQ, which stands for all others."""
        one, *others = self.m.every
        found = [self.of(while_ & own(one), *families, q=one, free=free)]
        if self.m.rest is None:  # there is no third replica, so a condition may speak of all
            return found + [self.of(while_ & own(q), *families, q=q, free=free) for q in others]
        return found + [
            Help(self._duties(families, q.label), while_, own(q), self._free(families, q, free)) for q in others
        ]

    def _free(self, families: Sequence[str], q: AnySQ | None, free: Mapping[str, Value] | None) -> Mapping[str, Value]:
        """What a step waits for besides the CQ lock: a look at an SQ may wait until no other SQ is looked at."""
        found = dict(free or {})
        if "reserve" in families and not self.m.parts.crew.several:
            found |= {str(at.value): "elsewhere" for at in (self.m.rest.places if self.m.rest else ())}
            found |= {str(w.at.value): "asleep" for each in self.m.every if each is not q for w in each.workers}
        return found

    @staticmethod
    def _is_of(action: Action, q: AnySQ) -> bool:
        """Whether an action is a step of an SQ's actors, or creates or deletes the SQ."""
        return q.label in action.actor or (action.family in ("create_sq", "delete_sq") and action.about(q))

    def _duties(self, families: Sequence[str], of: str) -> frozenset[str]:
        return frozenset(a.duty for a in self.system.actions if a.family in families and of in a.actor)


def _waiting(m: AnySize, prop: NotForever) -> AnySQ:
    """The SQ that a property says not to wait for ever."""
    return next(q for q in m.every if prop.name.endswith(q.label))


# -- a kick wakes all --------------------------------------------------------------------------------------------------
def _stage(m: AnySize, q: AnySQ) -> Expr:
    """How far a sleeping SQ is from waking: notified, kicked, its doorbell, the CQ's doorbell, anything else."""
    handler = ite(m.cq.consumer == "kick", 6, ite(m.cq.consumer == "notify head", 7, 8))
    handled = m.cq.consumer.among("ring", "notify head", "kick")
    later = ite(doorbell_owed(m, q), _doorbell(q), ite(handled, handler, _WAITING))
    return ite(q.wakeups > 0, 0, ite(called(q) > 0, 1, later))


def _doorbell(q: AnySQ) -> Expr:
    return weighed(q.submitter, {"notify": 2, "notify tail": 3, "ring": 4, "check": 5})


def _near(m: AnySize, steps: _Steps, q: AnySQ, stage: Expr) -> list[Help]:
    """The steps of an SQ that does not wait for anything that others do."""
    return [
        steps.of(q.wakeups > 0, "wake", q=q),
        steps.of((q.wakeups == 0) & (called(q) > 0), "deliver", q=q),
        steps.of((q.wakeups == 0) & (called(q) == 0) & doorbell_owed(m, q),
                 "need_sq", "ring_sq", "notify_tail", "notify", q=q),
        steps.of((stage > 5) & (stage < _WAITING), "ring_cq", "notify_head", "kick"),
    ]  # fmt: skip


def _woken_alone(m: AnySize, steps: _Steps, prop: NotForever) -> Response:
    """A worker polls, or its SQ kicks itself: an SQ that sleeps waits for nothing but its own doorbell."""
    q = _waiting(m, prop)
    if m.parts.crew.polls:
        return Response(prop, [], [steps.of(boolean(True), "poll", q=q)])
    stage = _stage(m, q)
    return Response(prop, [("how near a wake-up is", stage)], _near(m, steps, q, stage)[:3], replica=steps.replica)


def _woken_by_posts(m: AnySize, steps: _Steps, prop: NotForever, lock: str) -> Response:
    """Every read of the shadow head that finds room kicks: each permit that is held comes to such a read."""
    q = _waiting(m, prop)
    stage = _stage(m, q)
    waiting, freed = stage == _WAITING, gap(m.cq.shadow, m.cq.head) > 0
    rechecked = freed if m.parts.kicks.kicks("reserve") else boolean(False)
    rank = [
        *events_left(m),
        ("how near a wake-up is", stage),
        ("permits and posts on their way", ite(waiting, total(held(m, each) for each in m.every), 0)),
        ("entries for the guest to consume and publish", ite(waiting, _guest_work(m), 0)),
    ]
    helpers = [
        *_near(m, steps, q, stage),
        steps.of(waiting, "consume", "publish", "need_cq"),
        *steps.of_any(waiting, *_HOLDERS),
        *steps.of_any(waiting & rechecked, "cork_saved"),
    ]
    elsewhere = [*_elsewhere(m), *([rest_at(m, "cork recheck", while_=rechecked)] if m.rest else [])]
    if passes_on(m):
        helpers += steps.of_any(waiting & freed, "reserve")
        elsewhere += [rest_looks(m, freed)] if m.rest else []
    return Response(prop, rank, helpers, elsewhere, "cq.locked", lock, steps.replica)


def _elsewhere(m: AnySize) -> list[Elsewhere]:
    return [rest_holds(m), rest_at(m, *IN_POST), rest_unread(m, boolean(True))] if m.rest else []


def _guest_work(m: AnySize) -> Expr:
    cq = m.cq
    phase = weighed(cq.consumer, {"poll": 1, "check": 6, "ring": 5, "notify head": 4, "kick": 3})
    return total([times(12, gap(cq.tail, cq.cursor)), times(10, gap(cq.cursor, cq.shadow)), phase])


def _woken_by_the_guest(m: AnySize, steps: _Steps, prop: NotForever, lock: str) -> Response:
    """A read after a post does not kick: the guest passes EventIdx within a lap, unless the CQ becomes full before.

    The worker that posts looks at its SQ next. In a full CQ that look, or the guest's next publish, kicks. While the CQ
    is not full, EventIdx stays where it is. Permits are taken and returned meanwhile; each goes one way between two
    publishes: from the shadow head to the device, a worker, a command, a CQE, and the guest.
    """
    q, cq = _waiting(m, prop), m.cq
    first = _stage(m, q)
    freed = gap(cq.shadow, cq.head)
    full = (gap(cq.tail, cq.head) == cq.capacity) & (m.at("post read") == 0)
    stage = ite(first == _WAITING, ite(full, ite(freed > 0, 9, 10), 11), first)
    at = gap(cq.event, cq.shadow)
    ahead = ite(at >= 0, at, at + cq.size)
    reached = 0 if m.choices.need_event == "strict" else 1
    passed = (cq.consumer == "check") & (
        ((at < reached) & (at + cq.moved >= 0)) | ((at - cq.size < reached) & (at - cq.size + cq.moved >= 0))
    )
    phase = weighed(cq.consumer, {"poll": 1, "check": 2})
    way = total([times(11, freed), times(10, cq.available), *(held(m, each) for each in m.every),
                 times(2, gap(cq.tail, cq.cursor)), gap(cq.cursor, cq.shadow), phase])  # fmt: skip
    rank = [
        ("how near a wake-up is", stage),
        ("how far the guest is from EventIdx", ite(stage == 11, ite(passed, 0, ahead + 1), 0)),
        ("the way of the permits to the next publish",
         ite(stage >= 10, way, ite(stage == 9, total(section(m, each) for each in m.every), 0))),
    ]  # fmt: skip
    helpers = [
        *_near(m, steps, q, first),
        steps.of((stage == 9) & passed, "need_cq"),
        steps.of(stage >= 10, "consume", "publish", "need_cq"),
        *steps.of_any(stage >= 9, "post_arm"),
        *steps.of_any(stage == 11, *(each for each in _HOLDERS if each != "post_arm")),
        *steps.of_any((stage == 9) | ((stage == 11) & room(m)), "reserve"),
    ]
    elsewhere = (
        [rest_holds(m), rest_at(m, *IN_POST), rest_unread(m, stage >= 10), rest_looks(m, room(m))] if m.rest else []
    )
    return Response(prop, rank, helpers, elsewhere, "cq.locked", lock, steps.replica)


# -- completions queue -------------------------------------------------------------------------------------------------
def _always_taken(m: AnySize, steps: _Steps, wanted: list[NotForever], lock: str) -> Iterator[Response]:
    """Commands are taken whether or not the CQ has room: an SQ waits for steps of its own, and for the CQ lock."""
    for prop in wanted:
        q = _waiting(m, prop)
        if prop.row == "uncorked":
            stage = _stage(m, q)
            yield Response(prop, [("how near a wake-up is", stage)], _near(m, steps, q, stage)[:3],
                           replica=steps.replica)  # fmt: skip
        if prop.row == "progress":
            yield _taken(m, steps, prop, q, lock)


def _taken(m: AnySize, steps: _Steps, prop: NotForever, q: AnySQ, lock: str) -> Response:
    """A published entry is taken: as soon as the device knows of it, in the next look.

    If the tail is read as a worker wakes up only, a look may find nothing. Then either the worker reads the tail again
    in this look, or a doorbell is coming, which tells it. A look that ends meanwhile does not begin again: a worker
    that wakes up reads the tail.
    """
    (worker,) = q.workers
    known = gap(q.tail, q.head) > 0 if m.choices.sq_read == "wake" else boolean(True)
    again = ~q.asleep if m.choices.sq_arm == "idle" else worker.at.among("arm", "reread")
    to_fetch = weighed(worker.at, {"reserve": 1, "reread": 2, "arm": 3})
    to_sleep = weighed(worker.at, {"reread": 1, "arm": 2, "fetch": 3, "reserve": 4})
    rank = [
        ("whether the device knows of the entry, or reads the tail again", ite(known, 0, ite(again, 1, 2))),
        ("how near a doorbell is, or a wake-up",
         ite(known | again, 0, ite(q.asleep, _stage(m, q), _doorbell(q)))),
        ("how near the fetch is, or a wake-up; or the end of the look",
         ite(known, ite(q.asleep, 4 + _stage(m, q), to_fetch), to_sleep)),
    ]  # fmt: skip
    unasked, doorbell = q.asleep & (q.wakeups == 0), ("need_sq", "ring_sq", "notify_tail")
    helpers = [
        steps.of(~worker.at.among("asleep", "reserve"), "fetch", "arm_sq", "reread_sq", q=q),
        steps.of((known | again) & (worker.at == "reserve"), "reserve", q=q),
        steps.of(q.asleep & (q.wakeups > 0), "wake", q=q),
        steps.of(unasked & (called(q) > 0), "deliver", q=q),
        steps.of(unasked & (called(q) == 0), *doorbell, "notify", q=q),
        steps.of(~known & ~again & (worker.at == "reserve"), *doorbell, q=q),
    ]
    return Response(prop, rank, helpers, [], "cq.locked", lock, steps.replica)


# -- a kick hands permits over -----------------------------------------------------------------------------------------
def _served(m: AnySize, steps: _Steps, wanted: list[NotForever], lock: str) -> Iterator[Response]:
    """First come, first served: an SQ is woken, and its next entry is fetched.

    An SQ gets a permit as it looks, or joins the line, where its place falls with every permit that a kick hands over.
    It keeps its place as it looks again without a permit. While it stands in line no permit is left over, so every
    permit that comes back is handed over.
    """
    kicks = m.cq.consumer == "kick"
    free = NotForever("the CQ is free for a look", "", "", m.cq.locked | kicks, say("the CQ is never free for a look"))
    left = total(section(m, each) for each in m.every)
    yield Response(
        free,
        [("a kick", ite(kicks, 1, 0)), ("steps under the lock", ite(kicks, 0, left))],
        [
            steps.of(kicks, "kick"),
            *steps.of_any(~kicks, "cork_arm", "cork_park", "post_read", "post_arm", "post_leave"),
        ],
        [rest_at(m, *UNDER_CQ_LOCK)] if m.rest else [],
        "cq.locked",
        lock,
        steps.replica,
    )
    for prop in wanted:
        if prop.row in ("uncorked", "progress") and len(m.sqs) > 1:
            yield _in_turn(m, steps, prop, free.name)
        elif prop.row == "drains" and crowded(m):
            yield _finished(m, steps, _in_turn(m, steps, prop, free.name))


def _in_turn(m: AnySize, steps: _Steps, prop: NotForever, free: str) -> Response:
    q, cq = _waiting(m, prop), m.cq
    freed = gap(cq.shadow, cq.head) > 0
    fetching = q.working("fetch") > 0
    looks, waits = ~q.corked & ~fetching, ~q.corked & ~fetching & (coming(q) == 0)
    handled = (cq.consumer.among("ring", "notify head") & freed) | ((cq.consumer == "kick") & (cq.available > 0))
    near, far = q.corked & handled, q.corked & ~handled
    room_comes = ite(handled, weighed(cq.consumer, {"kick": 1, "notify head": 2, "ring": 3}), 4)
    events = events_left(m)
    rank = [
        *events,
        ("who has to be waited for: nobody, its worker, the line, its next look",
         ite(fetching, 0, ite(q.granted, 1, ite(q.corked, 2, 3)))),
        ("the place in line", ite(q.corked, q.before, 0)),
        ("how near its look is, or room for the line", ite(q.corked, room_comes, ite(fetching, 0, _look(m, q)))),
        ("permits and posts on their way", ite(far, total(held(m, each) for each in m.every), 0)),
        ("entries for the guest to consume and publish", ite(far, _guest_work(m), 0)),
    ]  # fmt: skip
    helpers = [
        steps.of(fetching, "fetch", q=q),
        steps.of(waits & (q.wakeups > 0), "wake", q=q),
        steps.of(waits & (q.wakeups == 0) & (called(q) > 0), "deliver", q=q),
        steps.of(waits & (q.wakeups == 0) & (called(q) == 0) & doorbell_owed(m, q),
                 "need_sq", "ring_sq", "notify_tail", "notify", q=q),
        steps.of(looks & (q.working("reserve") > 0), "reserve", q=q, free=_KICK_DONE),
        steps.of(looks, *_own(m), q=q),
        steps.of(near, "ring_cq", "notify_head", "kick"),
        steps.of(far, "consume", "publish", "need_cq", "ring_cq", "notify_head", "kick"),
        *steps.of_any(far, *_HOLDERS),
        *steps.of_any(far, "deliver", own=lambda x: x.granted & (coming(x) == 0) & (x.wakeups == 0)),
        *steps.of_any(far, "wake", own=lambda x: x.granted & (coming(x) == 0) & (x.wakeups > 0)),
        *steps.of_any(far, "reserve", own=lambda x: x.granted, free=_KICK_DONE),
        *steps.of_any(far & freed, "reserve", own=lambda x: x.exists, free=_KICK_DONE),
    ]  # fmt: skip
    elsewhere = [*_elsewhere(m), *([rest_looks(m, freed)] if m.rest and not events else [])]
    sums = Sums(3 + len(events), far) if m.rest else None
    return Response(prop, rank, helpers, elsewhere, "cq.locked", free, steps.replica, sums)


def _finished(m: AnySize, steps: _Steps, fetches: Response) -> Response:
    """An SQ is drained: its entries are fetched, by this response, and what was fetched is completed and consumed."""
    q, sums = _waiting(m, fetches.prop), fetches.sums
    pending = gap(q.shadow, q.head) > 0
    events = events_left(m)
    rest = [(what, ite(pending, part, 0)) for what, part in fetches.rank[len(events) :]]
    rank = [*events, ("work left", work(m, submits=False)), *rest]
    helpers = [
        *(replace(each, while_=each.while_ & pending) for each in fetches.helpers),
        steps.of(~pending, "consume", "publish", "need_cq", "ring_cq", "notify_head", "kick"),
        steps.of(~pending, "arm_sq", "reread_sq", *IN_POST_STEPS, q=q),
    ]
    later = Sums(sums.first + 1, sums.counts & pending) if sums else None
    return replace(fetches, rank=rank, helpers=helpers, sums=later)


def _own(m: AnySize) -> Sequence[str]:
    """The steps of a worker from a fetch to its next look."""
    runs = (*IN_POST_STEPS, "release") if m.choices.backend == "in-worker" else ()
    return ("arm_sq", "reread_sq", "remit", *runs)


IN_POST_STEPS = ("post", "post_read", "post_arm")
"""The steps of an actor that runs a command, until it has posted."""


def _look(m: AnySize, q: AnySQ) -> Expr:
    """How many steps an SQ that stands in no line, and fetches nothing, is from its next look.

    Workers that run a command look afterwards, and one that gives its permit back has to end that first.
    """
    stages = m.parts.post.stages(m)
    runs = len(stages) + 1
    weights = {"remit": 1, "run": runs, "reread": runs + 1, "arm": runs + 2}
    weights |= {stage: len(stages) - k for k, stage in enumerate(stages)}
    notified = ite(coming(q) > 0, 1, ite(q.wakeups > 0, 2, ite(called(q) > 0, 3, _doorbell(q) + 2)))
    return total([*(times(steps, q.working(place)) for place, steps in weights.items()), notified])


# -- workers that poll, and several workers of one SQ ------------------------------------------------------------------
def _drained(m: AnySize, steps: _Steps, prop: NotForever, lock: str) -> Response:
    """An SQ drains although workers look in vain again and again, or hand a permit to one another for some time.

    As soon as nothing but entries that are not fetched is left, all permits are there, so the next look takes an entry
    that the device knows of. With several SQs that is so of looks that take turns. Of a single SQ at which workers may
    look for ever, `progress` is shown alike.
    """
    q, cq, reader, polls = _waiting(m, prop), m.cq, m.parts.reader, m.parts.crew.polls
    busy = m.held if m.rest and m.parts.crew.several else m.in_flight  # of the two the one that is known of all SQs
    quiet = (busy == 0) & (gap(cq.tail, cq.shadow) == 0) & (cq.consumer == "poll") & (m.at(*IN_POST) == 0)
    known = quiet & (gap(reader.tail(q), q.head) > 0)
    look = {"reserve": 3, "cork arm": 2, "cork recheck": 1, "fetch": 0}
    unknown = {"reserve": 15, "cork arm": 14, "cork recheck": 13, "fetch": 12, "arm": 11, "reread": 10, "remit": 9}
    unknown, learns = (unknown, "poll" if polls else "wake") if reader.learns_at_wake else ({}, "")
    wakes = number(4) if polls else ite(q.wakeups > 0, 4, 5)
    told = number(6) if polls or not learns else ite(q.wakeups > 0, 6, ite(called(q) > 0, 7, 8))
    stage = ite(known, _place(q, look, wakes), ite(quiet, _place(q, unknown, told), 0))
    rank = [
        ("work left", work(m, submits=prop.row != "drains")),
        ("how near a look is that finds an entry", stage),
        ("looks that found nothing", ite(known, times(3, q.at("arm")) + times(2, q.at("reread")) + q.at("remit"), 0)),
    ]
    doorbell = "need_sq", "ring_sq", "notify_tail", "notify"
    free: dict[str, Value] = {str(q.locked.value): False}
    helpers = [
        steps.of(~quiet, "consume", "publish", "need_cq", "ring_cq", "notify_head", "kick"),
        *steps.of_any(~quiet, *IN_POST_STEPS),
        *([] if reader.permit_at else steps.of_any(boolean(True), "arm_sq", "reread_sq")),
        *(steps.of(known & (stage == near), _STEPS[place], q=q) for place, near in look.items()),
        *(steps.of(quiet & (stage == near), _STEPS[place], q=q) for place, near in unknown.items()),
        steps.of(known, "remit", *(("arm_sq", "reread_sq") if reader.permit_at else ()), q=q),
        steps.of(known & (stage == 4), "poll" if polls else "wake", q=q),
        steps.of(known & (stage == 5), "deliver", *doorbell, q=q, free=free),
        steps.of(stage == 6, learns, q=q),
        steps.of(stage == 7, "deliver", q=q),
        steps.of(quiet & ~known, *doorbell[:-1], q=q, free=free),
    ]
    elsewhere = [rest_runs(m), rest_at(m, *IN_POST), rest_unread(m, ~quiet)] if m.rest else []
    return Response(prop, rank, helpers, elsewhere, "cq.locked", lock, steps.replica)


_STEPS = {
    **{"reserve": "reserve", "cork arm": "cork_arm", "cork recheck": "cork_park", "fetch": "fetch"},
    **{"arm": "arm_sq", "reread": "reread_sq", "remit": "remit"},
}
"""The step that a worker takes at each position of a look."""


def _place(q: AnySQ, places: Mapping[str, int], far: Expr) -> Expr:
    """The number of the last of these positions where a worker of an SQ is; `far` if none is at any."""
    found = far
    for place, near in places.items():
        found = ite(q.at(place) > 0, near, found)
    return found
