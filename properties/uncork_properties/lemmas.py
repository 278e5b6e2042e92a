"""The lemmas: what holds in every state of a good design, at all sizes.

Two engines read the lemmas: the deductive engine with symbols for the sizes, and induction with the sizes of one
instance. Neither engine trusts a lemma.

The heart is one sentence: *a corked SQ with published entries has a wake-up on its way*. The device handles a doorbell;
or the guest is about to read EventIdx and will find it passed; or EventIdx is ahead, among entries whose consumption
the guest has not published, and will be passed; or a permit is held, and its later use wakes the SQ; or an actor has
posted and is about to move EventIdx; or a worker is about to look at its SQ, and will find room. The other lemmas say
where indices are, which actor holds which lock, and how many permits there are. The proof of the heart needs them.

Where completions queue, no SQ is corked. There the heart is of the poster: *if it rests from queued completions, a CQ
doorbell is on its way*, by which it is scheduled again.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from uncork.core import expr
from uncork.core.expr import Expr, any_of, boolean, ite, lift
from uncork.core.questions.argument import Lemma
from uncork.core.sorts import Enum, Ring
from uncork_nvme.anysize import AnySQ, CrowdedSQ
from uncork_nvme.choices import YES
from uncork_nvme.state.actors import IN_CORK, IN_POP, IN_POST, Poster
from uncork_nvme.state.kicks import Site
from uncork_nvme.state.machine import Machine
from uncork_nvme.state.queues import SQ

UNDER_CQ_LOCK = (*IN_CORK, *IN_POST)
UNDER_SQ_LOCK = ("fetch", "arm", "reread", *IN_CORK)
HEART = "wake-up on its way"


def lemmas(m: Machine) -> Iterator[Lemma]:
    """The lemmas about a machine, whose sizes are numbers or symbols."""
    yield from _shared(m)
    for q in m.sqs:
        yield from _of_sq(m, q)
    if m.parts.kicks.hands_over:
        for q in m.sqs:
            yield from _in_line(m, q)
        for one, other in combinations(m.sqs, 2):
            yield Lemma(
                f"places of {one.label} and {other.label}",
                "no two SQs have the same place in line",
                implies(one.corked & other.corked, one.before != other.before),
                basis=True,
            )


def gap(to: Expr, since: Expr) -> Expr:
    """How far the index `to` of a queue is ahead of the index `since`, before either wraps; below 0 if it is behind.

    If sizes are symbols, indices count without bound. If the size of the queue is a number, indices count from the
    device's head. EventIdx is then less than a ring behind that head in an SQ, and behind the tail in the CQ.
    """
    assert isinstance(to.sort, Ring)
    return _counted(to) - _counted(since) if isinstance(to.sort.size, int) else expr.gap(to, since)


def _counted(index: Expr) -> Expr:
    """An index of a queue of a fixed size as a number."""
    queue, _, name = str(index.value).partition(".")
    head, tail = (Expr("var", (), index.sort, f"{queue}.{each}") for each in ("head", "tail"))
    if name != "event":
        return index - head
    last = tail if queue == "cq" else head
    return last - head - (last - index)


def implies(condition: Expr, then: Expr) -> Expr:
    """The implication: `condition` fails, or `then` holds."""
    return ~condition | then


def _shared(m: Machine) -> Iterator[Lemma]:
    """Lemmas about the CQ and about sums over all SQs."""
    cq = m.cq
    yield Lemma(
        "CQ order",
        "head, shadow, cursor and tail of the CQ are in this order, less than a ring apart",
        (gap(cq.shadow, cq.head) >= 0)
        & (gap(cq.cursor, cq.shadow) >= 0)
        & (gap(cq.tail, cq.cursor) >= 0)
        & (gap(cq.tail, cq.head) <= cq.capacity),
    )
    yield Lemma(
        "CQ ledger",
        "every entry between cursor and tail belongs to an SQ",
        gap(cq.tail, cq.cursor) == m.unread,
        basis=True,
    )
    if cq.has("slots"):  # if sizes are symbols, the CQEs of an SQ are counted and not stored
        for number in range(cq.size):
            slot = lift(number, Ring(cq.size))
            yield Lemma(
                f"CQ slot {number}",
                "a slot has an entry that the guest has not taken if it is between cursor and tail, and only then",
                (cq.slots[slot] == "none") == (cq.tail - cq.cursor <= slot - cq.cursor),
            )
    yield Lemma(
        "permits",
        "permits available, entries occupied and permits held make up the CQ",
        cq.available + gap(cq.tail, cq.head) + (m.held if m.permit else 0) == cq.capacity,
        basis=True,
    )
    under_lock = m.at(*UNDER_CQ_LOCK) + (ite(m.poster.at == "idle", 0, 1) if m.poster else 0)
    yield Lemma("CQ lock", "at most one actor holds the CQ lock", under_lock == ite(cq.locked, 1, 0), basis=True)
    if not m.parts.crew.several:
        yield Lemma("one look at a time", "at most one worker of all SQs is in a look", m.at(*IN_POP) <= 1, basis=True)
    yield from _unused("the consumer", cq.consumer)
    for place in UNDER_CQ_LOCK:
        yield Lemma(f"nobody at {place}", f"no step leads to {place}", m.at(place) == 0)
    if not m.parts.admission.corks:
        yield Lemma("no SQ is corked", "a device that always takes commands corks no SQ", ~m.corked)
    if m.poster:
        yield from _queued(m, m.poster)
    told = cq.consumer.among("check", "ring", "notify head", "kick")
    yield Lemma(
        "consumer",
        "the guest has something to publish before it publishes, and nothing from then until it polls again",
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
            "a posted entry counts as occupied until the shadow head is read",
            implies(m.at(place) > 0, gap(cq.tail, cq.head) >= 1),
        )
    yield Lemma(
        "CQ EventIdx in its window",
        "CQ EventIdx is at the tail or less than a ring behind",
        (gap(cq.tail, cq.event) >= 0) & (gap(cq.tail, cq.event) < cq.size),
    )
    arming = _before_arm(m)
    yield Lemma(
        "a full CQ is armed",
        "when the CQ is full, CQ EventIdx is not the tail, the only position for which the guest never rings",
        implies((gap(cq.tail, cq.head) == cq.capacity) & ~arming, gap(cq.tail, cq.event) >= 1),
    )
    yield Lemma(
        "an occupied CQ is armed",
        "when an entry is occupied, CQ EventIdx is not the tail",
        implies((gap(cq.tail, cq.head) >= 1) & ~arming, gap(cq.tail, cq.event) >= 1),
    )
    yield Lemma(
        "a full CQ is armed at its head",
        "when the CQ is full, CQ EventIdx is the head: the guest rings for its next publish",
        implies((gap(cq.tail, cq.head) == cq.capacity) & ~arming, gap(cq.event, cq.head) == 0),
    )
    yield Lemma(
        "armed when read",
        "before the shadow head is read, CQ EventIdx is written, and is not the tail",
        implies(m.at("post read") > 0, gap(cq.tail, cq.event) >= 1),
    )
    yield Lemma(
        "armed at a cork",
        "when a worker re-reads the shadow head before it corks, CQ EventIdx is the head",
        implies(m.at("cork recheck") > 0, gap(cq.event, cq.head) == 0),
    )
    yield Lemma(
        "armed at a re-check",
        "when a worker re-reads the shadow head before it corks, and an entry is occupied, CQ EventIdx is not the tail",
        implies((m.at("cork recheck") > 0) & (gap(cq.tail, cq.head) >= 1), gap(cq.tail, cq.event) >= 1),
    )
    yield Lemma(
        "about to cork",
        "there is no permit while an SQ is being corked",
        implies(m.at(*IN_CORK) > 0, cq.available == 0),
    )


def _queued(m: Machine, p: Poster) -> Iterator[Lemma]:
    """Lemmas about completions that are queued, and the poster that posts them."""
    rests, full = (p.at == "idle") & ~p.scheduled & (m.queued > 0), m.cq.available == 0
    posts, stages = (p.at == "idle") | (m.queued > 0), m.parts.post.stages(m)
    read = [*stages[stages.index("post read") + 1 :], "post"]
    yield from _unused("the poster", p.at)
    yield Lemma("something to post", "the poster posts only if completions are queued", posts)
    yield Lemma(
        "armed at an attempt",
        "once the poster has armed a CQ that is full as last known, CQ EventIdx is not the tail",
        implies(full & (p.at != "idle") & ~_before_arm(m), gap(m.cq.tail, m.cq.event) >= 1),
    )
    last, ahead = (p.at == "post") & (m.cq.available == 1), gap(m.cq.event, m.cq.head)
    for what, before, after in (
        ("not the tail", ahead >= 0, gap(m.cq.tail, m.cq.event) >= 1),
        ("the head", ahead == 0, ahead == 0),
    ):
        yield Lemma(
            f"armed as soon as full: {what}",
            f"when the CQ is full as last known, or becomes full in the poster's next step, CQ EventIdx is {what}",
            implies(last, before) & implies(full, after),
        )
    yield Lemma(
        "completions stay queued",
        "the poster rests from queued completions only if the CQ is full as last known",
        implies(rests, full),
    )
    yield Lemma(
        "a CQ doorbell for queued completions",
        "if the poster has found the CQ full, and is not scheduled again, a CQ doorbell is on its way",
        implies(rests | (p.at.among(*read) & full), _wake_up(m)),
        needed=True,
    )


def _unused(who: str, at: Expr) -> Iterator[Lemma]:
    """A lemma for each position that no actor is there; the engine drops the lemmas of reachable positions."""
    assert isinstance(at.sort, Enum)
    for place in at.sort.names:
        yield Lemma(f"{who} never at {place}", f"no step leads to {place}", at != place)


def _before_arm(m: Machine) -> Expr:
    """Whether a poster has begun to post, and not yet written CQ EventIdx."""
    sequence = m.parts.post.stages(m)
    places = sequence[: sequence.index("post arm") + 1] if "post arm" in sequence else []
    return m.poster.at.among(*places) if m.poster else m.at(*places) > 0


def _of_sq(m: Machine, q: SQ) -> Iterator[Lemma]:
    """Lemmas about one SQ."""
    name, pending, reader = q.label, gap(q.shadow, q.head), m.parts.reader
    under_lock = (*UNDER_SQ_LOCK, *m.parts.places)
    unfreed = q.unfreed if m.choices.early_free != YES else 0
    if isinstance(q, AnySQ) and m.parts.own:  # CQEs are counted: a guest of one's own might take what is not there
        yield Lemma(f"CQEs of {name}", "the guest takes no CQE that is not there", m.cq.unread(q) >= 0, basis=True)
    yield Lemma(
        f"order of {name}",
        "head, tail (as the device knows it) and shadow are in this order, less than a ring apart",
        (gap(q.tail, q.head) >= 0) & (gap(q.shadow, q.tail) >= 0) & (pending <= q.capacity),
    )
    yield Lemma(
        f"command slots of {name}",
        "a slot in use is a published entry, a command in flight, or a CQE that the guest has not freed",
        q.outstanding == pending + q.in_flight + m.cq.unread(q) + unfreed,
    )
    if m.choices.early_free != YES:
        yield Lemma(
            f"slots not freed of {name}",
            "a slot that waits before the publish belongs to a consumed entry",
            implies(m.cq.consumer.among("poll", "publish"), q.unfreed <= gap(m.cq.cursor, m.cq.shadow)),
        )
    crowd = q.crowd if isinstance(q, CrowdedSQ) else None
    if crowd:
        stand = crowd.at(*crowd.places) == q.number_of_workers
        yield Lemma(f"workers of {name}", "each worker stands at one position", stand, basis=True)
        for place in crowd.places:
            yield Lemma(f"no worker of {name} at {place}", f"no step leads to {place}", crowd.at(place) == 0)
    for who in q.threads:
        if not crowd or who not in q.workers:
            yield from _unused(who.name, who.at)
    yield from _unused(f"the submitter of {name}", q.submitter)
    if q.has("live"):
        at_zero = q.head == 0 if isinstance(q.size, int) else expr.gap(q.head, lift(0, q.head.sort)) == 0
        idle = (
            at_zero
            & (q.at(*under_lock, *IN_POST) == 0)
            & (pending == 0)
            & (q.in_flight == 0)
            & (q.submitter == "idle")
            & ~q.corked
            & (q.wakeups == 0)
        )
        idle = idle & ~q.granted if q.has("granted") else idle
        yield Lemma(
            f"end of {name}",
            "a deleted SQ is at 0, and has no entries, commands or notifications, and no actor in a look or a post",
            q.exists | (idle & ~q.called if q.has("called") else idle),
        )
    yield Lemma(f"lock of {name}", "at most one worker holds the SQ lock", q.at(*under_lock) == ite(q.locked, 1, 0))
    if not q.one_worker:
        yield Lemma(
            f"one pop at a time of {name}",
            "at most one worker pops, to the end of its remit",
            q.at(*under_lock, "remit") == ite(q.popping, 1, 0),
        )
    if m.choices.backend == "in-worker":
        yield Lemma(
            f"in flight of {name}",
            "a command in flight has a worker that runs it",
            q.in_flight + (q.orphans if q.has("orphans") else 0) == q.at(*reader.way(taken=True).stages, "run"),
        )
    if m.buffered:
        yield from _sq_event(m, q)
        yield Lemma(
            f"move of {name}",
            "the submitter remembers its move until it has read SQ EventIdx",
            ite(q.submitter == "check", q.moved >= 1, q.moved == 0),
        )
    else:
        yield Lemma(
            f"tail of {name}",
            "the device knows the tail, or a doorbell will tell it",
            implies(q.submitter.among("idle", "notify"), gap(q.shadow, q.tail) == 0),
        )
    if m.choices.notify == "spent":
        woken = q.wakeups <= q.at("asleep")
        yield Lemma(f"woken of {name}", "a worker that was woken and has not looked counts as asleep", woken)
    silent = boolean(False) if reader.follows_head or not m.buffered else q.exists & (gap(q.head, q.event) != 0)
    waits = _rests(q) & ((pending > 0) | silent) & ~doorbell_owed(m, q)
    needed = not m.parts.crew.polls  # a worker that polls needs no wake-up; an SQ that kicks itself, only its doorbell
    yield Lemma(
        f"a doorbell or a cork of {name}",
        "if no worker will look at the entries, a doorbell is coming, or the SQ is corked and its workers sleep",
        implies(waits, boolean(False) if m.parts.full.insists else q.corked & (q.at("remit") == 0)),
        needed=needed,
    )
    if m.poster:  # no SQ is corked
        queued = f"completions of {name} that are queued are commands in flight"
        yield Lemma(f"queued of {name}", queued, (q.queued >= 0) & (q.queued <= q.in_flight))
        return
    stays = q.corked if m.parts.kicks.hands_over else waits  # in a line, a kick may be for SQs in front
    yield Lemma(
        f"no permit while {name} waits",
        "a permit that comes back wakes the SQ",
        implies(stays, (m.cq.available == 0) | (m.cq.consumer == "kick")),
    )
    yield Lemma(
        f"{HEART} of {name}",
        (__doc__ or "").split("*")[1],
        implies(stays, _wake_up(m)),
        needed=needed and not m.parts.full.insists,
    )


def _rests(q: SQ) -> Expr:
    """Whether no worker of an SQ will look at it, as far as notifications go."""
    rests = (q.at("asleep", "remit") == q.number_of_workers) & (q.wakeups == 0)
    return rests & ~q.called if q.has("called") else rests


def _sq_event(m: Machine, q: SQ) -> Iterator[Lemma]:
    """Lemmas about SQ EventIdx: where it is when the guest has to find it passed.

    In a position that is not the head, it counts as less than a lap behind the head.
    """
    name, behind, known = q.label, gap(q.head, q.event), gap(q.tail, q.head) > 0
    if m.choices.sq_read == "wake":
        yield Lemma(
            f"tail of {name} at a doorbell",
            "a doorbell that notifies has told the device the tail",
            implies(q.submitter == "notify", gap(q.shadow, q.tail) == 0),
        )
        yield Lemma(
            f"a doorbell for what is not known of {name}",
            "where the device knows no entry, and is not about to read the tail again, a doorbell tells it of entries",
            implies(
                ~known & (gap(q.shadow, q.head) > 0) & (q.at("arm", "reread") == 0),
                doorbell_owed(m, q) & (q.submitter != "notify"),
            ),
        )
    if m.parts.reader.follows_head:
        at_head = implies(q.exists, behind == q.at("arm"))
        yield Lemma(f"EventIdx of {name}", "SQ EventIdx is the head, until the next arm", at_head)
        return
    yield Lemma(
        f"EventIdx of {name} in its window",
        "SQ EventIdx is at the head or less than a ring behind",
        implies(q.exists, (behind >= 0) & (behind < q.size)),
    )
    end, stages = "SQ EventIdx is the head", m.parts.reader.way(taken=False).stages
    yield Lemma(
        f"armed at the end of {name}",
        f"where the device knows no entry, {end}, until the next arm",
        implies(q.exists & ~known & (q.at("arm") == 0), behind == 0),
    )
    yield Lemma(
        f"end of a look at {name}",
        "a worker that arms at the end of its SQ knows of no entry",
        implies(q.at(*stages) > 0, ~known),
    )
    yield Lemma(
        f"armed when {name} is read again",
        f"before the tail is read again at the end of an SQ, {end}",
        implies(q.at(*stages[1:]) > 0, behind == 0),
    )


def _in_line(m: Machine, q: SQ) -> Iterator[Lemma]:
    """Lemmas about an SQ that stands in line, or was handed a permit."""
    name, called = q.label, q.called if q.has("called") else boolean(False)
    yield Lemma(
        f"place of {name}",
        "an SQ in line has a place in it",
        implies(q.corked, (q.before >= 0) & (q.before < m.waiting)),
        basis=True,
    )
    yield Lemma(
        f"no look at {name} in line",
        "no worker is in a pop of an SQ that stands in line, or was handed a permit",
        implies(q.corked | q.granted, q.settled),
    )
    yield Lemma(
        f"permit of {name}",
        "an SQ that was handed a permit has left the line, and a worker will look",
        implies(q.granted, ~q.corked & ((coming(q) > 0) | (q.wakeups > 0) | called)),
    )
    if isinstance(q, AnySQ) and q.rest is not None:
        ticket = q.ledger.ticket
        yield Lemma(f"tickets before {name}", "the first ticket is 1", q.rest.next >= 1)
        yield Lemma(
            f"ticket of {name}",
            "an SQ in line has a ticket that says its place, and an SQ that is not has none that is still to come",
            ite(q.corked, ticket == q.rest.next + q.before, ticket < q.rest.next),
            basis=True,
        )


def coming(q: SQ) -> Expr:
    """The number of workers of an SQ that are about to look at it, or will be without being notified."""
    return q.working("reserve", "arm", "reread", "run", *IN_POST)


def passes_on(m: Machine) -> bool:
    """Whether a look at an SQ passes room on: it kicks if its read finds room, and if it gives a permit back.

    Of several workers one may wait for another that corks the SQ, so there every cork has to be one step.
    """
    stays = not m.choices.happening  # a worker does not look at an SQ that was deleted
    kicks = m.parts.kicks.kicks("reserve") and m.parts.kicks.kicks("remit")
    return m.buffered and (m.choices.workers == 1 or not m.parts.full.arms) and kicks and stays


def room(m: Machine) -> Expr:
    """Whether a worker that looks now finds room."""
    return (m.cq.available > 0) | (gap(m.cq.shadow, m.cq.head) > 0)


def doorbell_owed(m: Machine, q: SQ) -> Expr:
    """Whether the guest rings, or will ring, an SQ doorbell: it moved its tail past SQ EventIdx."""
    ringing = q.submitter.among("ring", "notify tail", "notify")
    if not m.buffered:
        return ringing
    return ringing | ((q.submitter == "check") & _passed(m, q))


def _passed(m: Machine, q: SQ) -> Expr:
    """Whether the guest's last move of an SQ tail passed SQ EventIdx, which is at most a lap behind the head."""
    if m.parts.reader.follows_head:
        return gap(q.head, q.shadow) + q.moved >= 0
    past = gap(q.event, q.shadow) + q.moved  # how far EventIdx is ahead of where the tail was
    most = q.moved - 1 if m.parts.guest.strict else q.moved
    return any_of((lap >= 0) & (lap <= most) for lap in (past, past + q.size))


def _wake_up(m: Machine) -> Expr:
    """Whether a wake-up of every corked SQ is on its way."""
    cq = m.cq
    freed = gap(cq.shadow, cq.head) > 0
    handled = cq.consumer.among("ring", "notify head", "kick")
    if m.parts.kicks.hands_over:  # a kick wakes as many SQs as there are permits
        handled = (cq.consumer.among("ring", "notify head") & freed) | ((cq.consumer == "kick") & (cq.available > 0))
    if m.choices.on_full_doorbell == "nothing" if m.poster else not m.parts.kicks.on_doorbell:
        handled = boolean(False)
    held = boolean(False) if m.poster else m.held > 0
    if not m.buffered:
        return handled | (gap(cq.tail, cq.shadow) > 0) | held
    position = gap(cq.event, cq.shadow)
    if m.choices.need_event == "strict":
        passed, ahead = position < 0, gap(cq.tail, cq.event) >= 1
    else:
        passed, ahead = position <= 0, gap(cq.tail, cq.shadow) >= 1
    passed = (cq.consumer == "check") & passed & (position + cq.moved >= 0)
    if m.parts.kicks.hands_over:
        passed = passed & freed
    ahead = (position >= 0) & ahead
    if m.poster:
        return handled | passed | ahead
    arming = _before_arm(m)
    sites: dict[str, Site] = {"post read": "post", "cork recheck": "reserve"}
    kicking = [place for place, site in sites.items() if m.parts.kicks.kicks(site)]
    seen = freed & (m.at(*kicking) > 0) if kicking else boolean(False)
    if passes_on(m):
        seen = seen | (room(m) & (m.at("reserve") > 0))
    return handled | passed | ahead | held | arming | seen
