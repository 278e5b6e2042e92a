"""Why a good design is live for queues of every size: the lemmas and ranks, for a device engineer to read.

The heart is one sentence: *a corked SQ with published entries has a wake-up on its way*. A doorbell is being handled;
or the guest is about to look at EventIdx and will find it passed; or EventIdx lies ahead, among entries that the guest
has not said it consumed, and will be passed; or a permit is held, and what becomes of it will wake the SQ; or somebody
has posted and is about to move EventIdx. What else is here says where indices lie, who holds which lock and how many
permits there are, and is needed to get from one such sentence to the next.
"""

from __future__ import annotations

from collections.abc import Iterator

from uncork.core.argument import Argument, Claim, Descent, Elsewhere, Frame, Help, Lemma, Response
from uncork.core.expr import Expr, boolean, count, gap, ite, total
from uncork.core.property import Always, NotForever
from uncork.core.sorts import Enum
from uncork.core.system import System, say
from uncork_nvme.anysize import IN_CORK, AnySize, AnySQ
from uncork_nvme.choices import YES
from uncork_nvme.device import post_sequence
from uncork_nvme.guest import looks
from uncork_nvme.machine import IN_POST

from uncork_properties.catalogue import properties

UNDER_CQ_LOCK = (*IN_CORK, *IN_POST)
UNDER_SQ_LOCK = ("fetch", "arm", "reread", *IN_CORK)
HEART = "wake-up on its way"


def implies(condition: Expr, then: Expr) -> Expr:
    """Whether the condition fails or the other holds."""
    return ~condition | then


def argument(m: AnySize, system: System) -> Argument:
    """The proof for a machine; whether it holds is for an engine to say."""
    stated = properties(m, system)
    livenesses = [p for p in stated if isinstance(p, NotForever) and p.name.endswith(m.sqs[0].label)]
    safety = [Claim(p.name, p.doc, p.condition) for p in stated if isinstance(p, Always)]
    return Argument(
        system,
        frozenset(variable.name for variable in m.anything.variables),
        [*shared(m), *(lemma for q in m.every for lemma in of_sq(m, q))],
        safety,
        [*_descents(m, system, livenesses)],
        [*_responses(m, system, livenesses)] if m.rest else [],
        [*_frames(m, system)] if m.rest else [],
    )


# -- what is always so -------------------------------------------------------------------------------------------------
def shared(m: AnySize) -> Iterator[Lemma]:
    """Lemmas about the CQ and what all SQs have together."""
    cq = m.cq
    yield Lemma(
        "CQ order",
        "head, shadow, cursor and tail of the CQ lie in this order, less than a ring apart",
        (gap(cq.shadow, cq.head) >= 0)
        & (gap(cq.cursor, cq.shadow) >= 0)
        & (gap(cq.tail, cq.cursor) >= 0)
        & (gap(cq.tail, cq.head) <= cq.capacity),
    )
    yield Lemma("CQ ledger", "every entry between cursor and tail is some SQ's", gap(cq.tail, cq.cursor) == m.unread)
    yield Lemma(
        "permits",
        "permits available, entries occupied and permits held make up the CQ",
        cq.available + gap(cq.tail, cq.head) + m.held == cq.capacity,
    )
    yield Lemma("CQ lock", "who holds the CQ lock is one", m.at(*UNDER_CQ_LOCK) == ite(cq.locked, 1, 0))
    yield from _unused("the consumer", cq.consumer)
    for place in UNDER_CQ_LOCK:
        yield Lemma(f"nobody at {place}", f"no step leads to {place}", m.at(place) == 0)
    told = cq.consumer.among("check", "ring", "notify head", "kick")
    yield Lemma(
        "consumer",
        "the guest has something to publish before it publishes, and nothing until it polls again",
        implies(cq.consumer == "publish", gap(cq.cursor, cq.shadow) > 0)
        & implies(told, gap(cq.cursor, cq.shadow) == 0)
        & ite(cq.consumer == "check", cq.moved >= 1, cq.moved == 0),
    )
    if not m.buffered:
        yield Lemma(
            "CQ head",
            "the device knows the CQ head, or a doorbell will tell it",
            implies(~cq.consumer.among("ring", "notify head"), gap(cq.shadow, cq.head) == 0),
        )
        return
    for place in IN_POST:
        yield Lemma(
            f"posted at {place}",
            "what was posted is occupied, as long as the shadow head was not read",
            implies(m.at(place) > 0, gap(cq.tail, cq.head) >= 1),
        )
    yield Lemma(
        "CQ EventIdx in its window",
        "CQ EventIdx is at the tail or less than a ring behind",
        (gap(cq.tail, cq.event) >= 0) & (gap(cq.tail, cq.event) < cq.size),
    )
    arming = m.at(*_before_armed(m)) > 0
    yield Lemma(
        "a full CQ is armed",
        "when the CQ is full, CQ EventIdx is not the tail, the one position that asks for no doorbell",
        implies((gap(cq.tail, cq.head) == cq.capacity) & ~arming, gap(cq.tail, cq.event) >= 1),
    )
    yield Lemma(
        "an occupied CQ is armed",
        "when an entry is occupied, CQ EventIdx is not the tail",
        implies((gap(cq.tail, cq.head) >= 1) & ~arming, gap(cq.tail, cq.event) >= 1),
    )
    yield Lemma(
        "armed when read",
        "CQ EventIdx is written, and not the tail, before the shadow head is read",
        implies(m.at("post read") > 0, gap(cq.tail, cq.event) >= 1),
    )
    yield Lemma(
        "armed at a cork",
        "whoever re-reads before it corks has CQ EventIdx at the head",
        implies(m.at("cork recheck") > 0, gap(cq.event, cq.head) == 0),
    )
    yield Lemma(
        "about to cork",
        "there is no permit while an SQ is being corked",
        implies(m.at(*IN_CORK) > 0, cq.available == 0),
    )


def _unused(who: str, at: Expr) -> Iterator[Lemma]:
    """For each place, that it is not used: dropped for all but those to which no step leads."""
    assert isinstance(at.sort, Enum)
    for place in at.sort.names:
        yield Lemma(f"{who} never at {place}", f"no step leads to {place}", at != place)


def _before_armed(m: AnySize) -> tuple[str, ...]:
    """Where a poster stands that has written its CQE, and not CQ EventIdx."""
    sequence = post_sequence(m)
    return tuple(sequence[: sequence.index("post arm") + 1]) if "post arm" in sequence else ()


def of_sq(m: AnySize, q: AnySQ) -> Iterator[Lemma]:
    """Lemmas about one SQ."""
    name, pending = q.label, gap(q.shadow, q.head)
    unfreed = q.unfreed if m.choices.early_free != YES else 0
    yield Lemma(
        f"order of {name}",
        "head, tail (as the device knows it) and shadow lie in this order, less than a ring apart",
        (gap(q.tail, q.head) >= 0) & (gap(q.shadow, q.tail) >= 0) & (pending <= q.capacity),
    )
    yield Lemma(
        f"command slots of {name}",
        "a slot in use is a published entry, a command in flight, or a CQE that the guest has not freed",
        q.outstanding == pending + q.in_flight + q.ledger.unread + unfreed,
    )
    if m.choices.early_free != YES:
        yield Lemma(
            f"slots not freed of {name}",
            "a slot that waits for the publish is one of an entry consumed",
            q.unfreed <= gap(m.cq.cursor, m.cq.shadow),
        )
    for who in q.actors:
        yield from _unused(who.name, who.at)
    yield from _unused(f"the submitter of {name}", q.submitter)
    yield Lemma(f"lock of {name}", "who holds the SQ lock is one", q.at(*UNDER_SQ_LOCK) == ite(q.locked, 1, 0))
    if len(q.workers) > 1:
        yield Lemma(
            f"one pop at a time of {name}",
            "who pops is one, to the end of its remit",
            q.at(*UNDER_SQ_LOCK, "remit") == ite(q.popping, 1, 0),
        )
    if m.choices.backend == "in-worker":
        yield Lemma(
            f"in flight of {name}",
            "a command in flight has a worker that runs it",
            q.in_flight == q.at("arm", "reread", "run"),
        )
    if m.buffered:
        yield Lemma(
            f"EventIdx of {name}", "SQ EventIdx is the head, until the next arm", gap(q.head, q.event) == q.at("arm")
        )
        yield Lemma(
            f"move of {name}",
            "the submitter remembers its move until it has looked at SQ EventIdx",
            ite(q.submitter == "check", q.moved >= 1, q.moved == 0),
        )
    else:
        yield Lemma(
            f"tail of {name}",
            "the device knows the tail, or a doorbell will tell it",
            implies(q.submitter.among("idle", "notify"), gap(q.shadow, q.tail) == 0),
        )
    waits = (q.at("asleep", "remit") == len(q.workers)) & (q.wakeups == 0) & (pending > 0) & ~_doorbell_owed(m, q)
    yield Lemma(
        f"a doorbell or a cork of {name}",
        "entries that nobody will look at have a doorbell coming, or the SQ is corked and its workers sleep",
        implies(waits, q.corked & (q.at("remit") == 0)),
        needed=True,
    )
    yield Lemma(
        f"no permit while {name} waits",
        "a permit that comes back wakes the SQ",
        implies(waits, (m.cq.available == 0) | (m.cq.consumer == "kick")),
    )
    yield Lemma(f"{HEART} of {name}", (__doc__ or "").split("*")[1], implies(waits, _wake_up(m)), needed=True)


def _doorbell_owed(m: AnySize, q: AnySQ) -> Expr:
    """Whether an SQ doorbell is being rung, or will be: the guest moved its tail past SQ EventIdx."""
    ringing = q.submitter.among("ring", "notify tail", "notify")
    if not m.buffered:
        return ringing
    return ringing | ((q.submitter == "check") & (gap(q.head, q.shadow) + q.moved >= 0))


def _wake_up(m: AnySize) -> Expr:
    """Whether something will yet wake every corked SQ."""
    cq = m.cq
    handled = cq.consumer.among("ring", "notify head", "kick")
    if m.choices.kick_on_doorbell != YES:
        handled = boolean(False)
    held = m.held > 0
    if not m.buffered:
        return handled | (gap(cq.tail, cq.shadow) > 0) | held
    position = gap(cq.event, cq.shadow)
    if m.choices.need_event == "strict":
        passed, ahead = position < 0, gap(cq.tail, cq.event) >= 1
    else:
        passed, ahead = position <= 0, gap(cq.tail, cq.shadow) >= 1
    passed = (cq.consumer == "check") & passed & (position + cq.moved >= 0)
    ahead = (position >= 0) & ahead
    arming = m.at(*_before_armed(m)) > 0
    kicking = [*(["post read"] if m.choices.kick_on_post == YES else []),
               *(["cork recheck"] if m.choices.kick_on_reserve == YES else [])]  # fmt: skip
    seen = (gap(cq.shadow, cq.head) > 0) & (m.at(*kicking) > 0) if kicking else boolean(False)
    return handled | passed | ahead | held | arming | seen


# -- why it ends -------------------------------------------------------------------------------------------------------
def _descents(m: AnySize, system: System, wanted: list[NotForever]) -> Iterator[Descent]:
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
    """How much is left to do.

    `submits`: whether the guest may go on submitting, in a run that fetches nothing more of the one SQ there is; free
    command slots are then what is left to do, and entries not fetched are not.
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
    """Weights fall along the way of a command: free (if it may be submitted), published, in flight, unread, unfreed."""
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
    """How often an SQ may yet give back a permit: as often as it looks before it sleeps, if it is empty.

    If it has entries, who takes a permit takes an entry too, and only a worker that found it empty before gives one
    back. A kick lets a corked SQ that is empty look once.
    """
    known = q.shadow if m.buffered else q.tail
    looks = total([count(~w.asleep for w in q.workers), q.wakeups, ite(q.corked, 1, 0)])
    return ite(gap(known, q.head) > 0, q.at("remit"), looks)


def _way(q: AnySQ) -> Expr:
    places = {"remit": 1, "fetch": 2, "cork recheck": 3, "cork arm": 4, "reserve": 5}
    return total([_times(10, q.wakeups), *(_weighed(w.at, places) for w in q.workers)])


def _times(weight: int, number: Expr) -> Expr:
    """So many times a number."""
    half = _times(weight // 2, number) if weight else total([])
    return total([half, half, *([number] if weight % 2 else [])])


def _weighed(at: Expr, weights: dict[str, int]) -> Expr:
    return total(ite(at == name, weight, 0) for name, weight in weights.items())


# -- why it is heard, whatever others do -------------------------------------------------------------------------------
_WAITING = 9
"""The stage of an SQ that waits for something else than its own doorbell or a CQ doorbell that is being handled."""


def _responses(m: AnySize, system: System, wanted: list[NotForever]) -> Iterator[Response]:
    cq, q = m.cq, m.every[0]

    def duties(*families: str, of: str = "") -> frozenset[str]:
        return frozenset(a.duty for a in system.actions if a.family in families and of in a.actor)

    def anyone(while_: Expr, *families: str) -> list[Help]:
        """Steps of any SQ: of the one that waits, and of another that stands for the rest."""
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
                Help(duties("need_sq", "ring_sq", "notify_tail", "notify", of=q.label),
                     (q.wakeups == 0) & _doorbell_owed(m, q)),
                Help(duties("ring_cq", "notify_head", "kick"), (stage > 4) & (stage < _WAITING)),
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
    """How far an SQ whose workers sleep is from waking: notified; its doorbell; the CQ's doorbell; anything else."""
    submitter = _weighed(q.submitter, {"notify": 1, "notify tail": 2, "ring": 3, "check": 4})
    handler = ite(m.cq.consumer == "kick", 5, ite(m.cq.consumer == "notify head", 6, 7))
    handled = m.cq.consumer.among("ring", "notify head", "kick")
    return ite(q.wakeups > 0, 0, ite(_doorbell_owed(m, q), submitter, ite(handled, handler, _WAITING)))


def _held(m: AnySize, q: AnySQ) -> Expr:
    """What is left to do for those of an SQ who hold permits, and for those who post."""
    parts = [_times(9, q.at("fetch")), _times(4, q.at("remit")), _times(5, q.in_flight),
             _times(2, q.at("arm")) + q.at("reread"), *_posting(m, q)]  # fmt: skip
    return total(parts)


def _posting(m: AnySize, q: AnySQ) -> list[Expr]:
    """How many steps those who post have before them."""
    stages = post_sequence(m)
    return [_times(len(stages) - k, q.at(stage)) for k, stage in enumerate(stages)]


def _section(m: AnySize, q: AnySQ) -> Expr:
    """How many steps whoever holds the CQ lock has before it is released."""
    return total([_times(2, q.at("cork arm")), q.at("cork recheck"), *_posting(m, q)])


def _guest_work(m: AnySize) -> Expr:
    cq = m.cq
    phase = _weighed(cq.consumer, {"poll": 1, "check": 6})
    return total([_times(12, gap(cq.tail, cq.cursor)), _times(10, gap(cq.cursor, cq.shadow)), phase])


# -- what the sums stand for -------------------------------------------------------------------------------------------
def _frames(m: AnySize, system: System) -> Iterator[Frame]:
    """What the steps of one SQ, and those of the guest's consumer, do to another."""
    for q in m.every:
        own = {a.name for a in system.actions if q.label in a.actor or (a.family == "consume" and q.label in a.name)}
        others = frozenset(a.name for a in system.actions) - own
        kicks = frozenset(a.name for a in system.actions if "rest.corked" in a.updates)
        counted = [q.permits, q.ledger.unread, q.at(*UNDER_CQ_LOCK), _work(m, q, submits=False), _held(m, q),
                   _section(m, q)]  # fmt: skip
        yield Frame(f"{q.label} as the others leave it", "no step of others changes what an SQ is counted for", others,
                    counted, [_idle(m, q)])  # fmt: skip
        yield Frame(f"{q.label} unless kicked", "no step of others moves it, but for a kick", others - kicks,
                    [ite(q.corked, 1, 0), _way(q)])  # fmt: skip
