"""The termination arguments: ranks that fall, responses of a single SQ, and frames for the sums over SQs."""

from __future__ import annotations

from collections.abc import Iterator

from uncork.core.expr import Expr, boolean, count, gap, ite, total
from uncork.core.property import NotForever
from uncork.core.questions.argument import Descent, Elsewhere, Frame, Help, Response
from uncork.core.system import System, say
from uncork_nvme.anysize import AnySize, AnySQ
from uncork_nvme.choices import YES
from uncork_nvme.parts.guest import looks
from uncork_nvme.state.actors import IN_POST

from uncork_properties.lemmas import UNDER_CQ_LOCK, doorbell_owed


# -- why it ends -------------------------------------------------------------------------------------------------------
def descents(m: AnySize, system: System, wanted: list[NotForever]) -> Iterator[Descent]:
    """The descents: a guest that submits no more drains the queues, and a single SQ makes progress and is uncorked."""
    elsewhere = [_rest_at(m, *UNDER_CQ_LOCK), _rest_holds(m), _rest_unread(m)] if m.rest else []
    for prop in wanted:
        if prop.row == "drains" or not m.rest:
            yield Descent(prop, _rank(m, submits=prop.row != "drains"), elsewhere)


def _rest_at(m: AnySize, *places: str) -> Elsewhere:
    assert m.rest is not None
    return Elsewhere(m.rest.at.among(*places), m.every[1].at(*places) > 0)


def _rest_holds(m: AnySize) -> Elsewhere:
    assert m.rest is not None
    return Elsewhere(m.rest.held > 0, m.every[1].permits > 0)


def _rest_unread(m: AnySize) -> Elsewhere:
    assert m.rest is not None
    return Elsewhere(looks(m) & (m.rest.unread > 0), looks(m) & (m.every[1].ledger.unread > 0))


def _rank(m: AnySize, *, submits: bool) -> list[tuple[str, Expr]]:
    """The rank, how much is left to do, as named parts in lexicographic order.

    `submits`: whether the guest may go on submitting, in a run that fetches nothing more of the only SQ. Then free
    command slots count as work left, and entries not fetched do not.
    """
    cq = m.cq
    phase = _weighed(cq.consumer, {"poll": 1, "check": 6, "ring": 5, "notify head": 4, "kick": 3})
    work = total([*(_work(m, q, submits=submits) for q in m.every), _times(10, gap(cq.cursor, cq.shadow)),
                  gap(cq.shadow, cq.head), phase])  # fmt: skip
    way = total([*(_way(q) for q in m.every), *([m.rest.way] if m.rest else [])])
    return [
        ("work left", work),
        ("permits that will be remitted", total(_idle(m, q) for q in m.every)),
        ("steps to sleep or to a pop", way),
    ]


def _work(m: AnySize, q: AnySQ, *, submits: bool) -> Expr:
    """The work left for an SQ. Weights fall along a command's life: free, published, in flight, unread."""
    free = 6 if submits else 0
    parts = [
        _times(free, q.capacity - q.outstanding),
        _times(0 if submits else 17, gap(q.shadow, q.head)),
        _times(free + 14, q.in_flight),
        _times(free + 11, q.ledger.unread),
        *_posting(m, q),
        _times(2, q.at("arm")) + q.at("reread"),
        _weighed(q.submitter, {"check": 4, "ring": 3, "notify tail": 2, "notify": 1}),
    ]
    if m.choices.early_free != YES:
        parts.append(_times(free, q.unfreed))
    return total(parts)


def _idle(m: AnySize, q: AnySQ) -> Expr:
    """The number of permits that an SQ may still give back: an empty SQ returns at most one permit per look.

    If the SQ has entries, a worker that takes a permit takes an entry, too, and only a worker that found the SQ empty
    before gives a permit back. A kick makes a corked empty SQ look once.
    """
    known = q.shadow if m.buffered else q.tail
    looks = total([count(~w.asleep for w in q.workers), q.wakeups, ite(q.corked, 1, 0), _called(q)])
    return ite(gap(known, q.head) > 0, q.at("remit"), looks)


def _way(q: AnySQ) -> Expr:
    places = {"remit": 1, "fetch": 2, "cork recheck": 3, "cork arm": 4, "reserve": 5}
    woken = len(q.workers) if q.parts.choices.notify == "spent" else 1
    notified = [_times(10, q.wakeups), _times(10 * woken + 1, _called(q))]
    return total([*notified, *(_weighed(w.at, places) for w in q.workers)])


def _called(q: AnySQ) -> Expr:
    """1 if a kick has not reached the workers yet, else 0."""
    return ite(q.called, 1, 0) if q.has("called") else total([])


def _times(weight: int, number: Expr) -> Expr:
    """`weight` times a number, as a sum."""
    half = _times(weight // 2, number) if weight else total([])
    return total([half, half, *([number] if weight % 2 else [])])


def _weighed(at: Expr, weights: dict[str, int]) -> Expr:
    return total(ite(at == name, weight, 0) for name, weight in weights.items())


# -- why it is heard, whatever others do -------------------------------------------------------------------------------
_WAITING = 9
"""The stage of an SQ that waits for neither its own doorbell nor a CQ doorbell under way."""


def responses(m: AnySize, system: System, wanted: list[NotForever]) -> Iterator[Response]:
    """The responses: an SQ is uncorked however long other SQs go on, and the CQ lock is released infinitely often."""
    cq, q = m.cq, m.every[0]

    def duties(*families: str, of: str = "") -> frozenset[str]:
        return frozenset(a.duty for a in system.actions if a.family in families and of in a.actor)

    def anyone(while_: Expr, *families: str) -> list[Help]:
        """The helpful steps of any SQ: of the waiting SQ, and of the other SQ, which stands for all others."""
        one, other = (each.label for each in m.sqs)
        others = frozenset(action.name for action in system.actions if other not in action.actor)
        return [Help(duties(*families, of=one), while_), Help(duties(*families, of=other), while_, others)]

    held = NotForever("the CQ lock is released", "", "", cq.locked, say("the CQ lock is never released"))
    left = total(_section(m, each) for each in m.every)
    inside = anyone(boolean(True), "cork_arm", "cork_park", "post_read", "post_arm", "post_leave")
    yield Response(held, [("steps under the lock", left)], inside, [_rest_at(m, *UNDER_CQ_LOCK)])
    rechecked = gap(cq.shadow, cq.head) > 0 if m.choices.kick_on_reserve == YES else boolean(False)
    for prop in wanted:
        if prop.row != "uncorked":
            continue
        stage = _stage(m, q)
        waiting = stage == _WAITING
        yield Response(
            prop,
            [
                ("how near a wake-up is", stage),
                ("permits and posts on their way", ite(waiting, total(_held(m, each) for each in m.every), 0)),
                ("entries for the guest to consume and publish", ite(waiting, _guest_work(m), 0)),
            ],
            [
                Help(duties("wake", of=q.label), q.wakeups > 0),
                Help(duties("deliver", of=q.label), (q.wakeups == 0) & (_called(q) > 0)),
                Help(duties("need_sq", "ring_sq", "notify_tail", "notify", of=q.label),
                     (q.wakeups == 0) & (_called(q) == 0) & doorbell_owed(m, q)),
                Help(duties("ring_cq", "notify_head", "kick"), (stage > 5) & (stage < _WAITING)),
                Help(duties("consume", "publish", "need_cq"), waiting),
                *anyone(waiting, "fetch", "arm_sq", "reread_sq", "remit", "post", "post_read", "post_arm"),
                *anyone(waiting & rechecked, "cork_saved"),
            ],
            [
                _rest_holds(m), _rest_at(m, *IN_POST), _rest_unread(m),
                Elsewhere(rechecked & _rest_at(m, "cork recheck").condition,
                          rechecked & _rest_at(m, "cork recheck").shown),
            ],
            "cq.locked",
            held.name,
        )  # fmt: skip


def _stage(m: AnySize, q: AnySQ) -> Expr:
    """How far a sleeping SQ is from waking: notified, kicked, its doorbell, the CQ's doorbell, anything else."""
    submitter = _weighed(q.submitter, {"notify": 2, "notify tail": 3, "ring": 4, "check": 5})
    handler = ite(m.cq.consumer == "kick", 6, ite(m.cq.consumer == "notify head", 7, 8))
    handled = m.cq.consumer.among("ring", "notify head", "kick")
    later = ite(doorbell_owed(m, q), submitter, ite(handled, handler, _WAITING))
    return ite(q.wakeups > 0, 0, ite(_called(q) > 0, 1, later))


def _held(m: AnySize, q: AnySQ) -> Expr:
    """The work left for an SQ's permit holders and posters."""
    parts = [_times(9, q.at("fetch")), _times(4, q.at("remit")), _times(5, q.in_flight),
             _times(2, q.at("arm")) + q.at("reread"), *_posting(m, q)]  # fmt: skip
    return total(parts)


def _posting(m: AnySize, q: AnySQ) -> list[Expr]:
    """The number of steps left for an SQ's posters."""
    stages = m.parts.post.stages(m)
    return [_times(len(stages) - k, q.at(stage)) for k, stage in enumerate(stages)]


def _section(m: AnySize, q: AnySQ) -> Expr:
    """The number of steps left for the holder of the CQ lock before it releases the lock."""
    return total([_times(2, q.at("cork arm")), q.at("cork recheck"), *_posting(m, q)])


def _guest_work(m: AnySize) -> Expr:
    cq = m.cq
    phase = _weighed(cq.consumer, {"poll": 1, "check": 6})
    return total([_times(12, gap(cq.tail, cq.cursor)), _times(10, gap(cq.cursor, cq.shadow)), phase])


# -- what the sums stand for -------------------------------------------------------------------------------------------
def frames(m: AnySize, system: System) -> Iterator[Frame]:
    """The frames: what steps of an SQ, and of the guest's consumer, do not change in another SQ."""
    for q in m.every:
        own = {a.name for a in system.actions if q.label in a.actor or (a.family == "consume" and a.about(q))}
        others = frozenset(a.name for a in system.actions) - own
        kicks = frozenset(a.name for a in system.actions if "rest.corked" in a.updates)
        counted = [q.permits, q.ledger.unread, *(q.at(place) for place in UNDER_CQ_LOCK), _work(m, q, submits=False),
                   _held(m, q), _section(m, q)]  # fmt: skip
        yield Frame(f"{q.label} as the others leave it",
                    "no step of other SQs changes this SQ's contribution to the sums", others,
                    counted, [_idle(m, q)])  # fmt: skip
        yield Frame(f"{q.label} unless kicked",
                    "no step of other SQs, except a kick, changes this SQ's cork or way", others - kicks,
                    [ite(q.corked, 1, 0), _way(q)])  # fmt: skip
        yield Frame(f"{q.label} if kicked", "no SQ is corked after a kick", others & kicks, after=[~q.corked])
