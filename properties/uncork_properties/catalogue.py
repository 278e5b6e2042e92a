"""The properties of a machine: safety, three livenesses for each SQ, and covers that show that the machine moves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

from uncork.core.expr import Expr, any_of, count
from uncork.core.property import Cover, InRange, NotForever, Property, Repeatedly, Sometimes, always
from uncork.core.sorts import did_you_mean
from uncork.core.system import System, say
from uncork_nvme.choices import InstanceError
from uncork_nvme.state.machine import Machine
from uncork_nvme.state.queues import SQ

if TYPE_CHECKING:  # imported when a run is told
    from uncork.core.causes.run import Run
    from uncork.core.causes.wait import Wait

ROWS = {
    "safety": "Indices in range, permits conserved, the CQ never overflows, no CQE is overwritten unread, and "
    "no doorbell "
    "of a conforming guest carries a bad index.",
    "uncorked": "An SQ with published entries and sleeping workers is always woken at some time.",
    "drains": "If the guest stops submitting, every published command completes and its CQE is consumed.",
    "progress": "A published entry is eventually fetched, even while other SQs keep submitting.",
}
"""The properties with a verdict each, over all SQs, by name."""

_WAKERS = (
    "need_sq",
    "elide_sq",
    "notify",
    "deliver",
    "need_cq",
    "elide_cq",
    "kick",
    "refresh",
    "post_credit",
    "cork_saved",
    "remit",
    "release",
    "activate",
    "resume",
)


def properties(machine: Machine, system: System) -> list[Property]:
    """All properties that must hold, in the order of `ROWS`."""
    return [*_safety(machine, system), *(prop for row in _LIVENESS for prop in row(machine, system))]


def _where(system: System, *families: str) -> Expr:
    """Whether an action of these families is enabled."""
    return any_of(action.guard for action in system.actions if action.family in families)


def _waits(m: Machine, q: SQ) -> tuple[Wait, ...]:
    from uncork_nvme.causes import waits  # most commands tell no run

    return waits.waits(m, q)


def _breach(name: str, of: Machine | SQ) -> Callable[[Run], str]:
    """How a run comes to break an invariant, in the words of the function of this name."""

    def cause(run: Run) -> str:
        from uncork_nvme.causes import breaches  # most commands tell no run

        told: str = getattr(breaches, name)(of, run)
        return told

    return cause


def _safety(m: Machine, system: System) -> Iterator[Property]:
    cq = m.cq
    yield InRange("indices and counters in range", "safety", "Every variable keeps to its sort.")
    if m.parts.admission.counts:
        yield always(
            "permits conserved",
            "safety",
            cq.available + cq.occupied + (m.held if m.permit else 0) == cq.capacity,
            say("{} permits available, {} entries occupied and {} permits held do not add up to " + str(cq.capacity),
                cq.available, cq.occupied, m.held),
            _breach("conserved", m),
        )  # fmt: skip
    posting = _where(system, "post", "post_late", "post_queued")
    yield always(
        "the CQ never overflows",
        "safety",
        ~(posting & (cq.tail - (cq.seen if m.buffered else cq.head) == cq.capacity)),
        say("a command completes into a CQ whose {} entries are all occupied, by the head that the guest published",
            cq.occupied),
        _breach("overflows", m),
    )  # fmt: skip
    yield always(
        "no CQE is overwritten unread",
        "safety",
        ~(posting & cq.overwrites),
        say("a command completes into CQ slot {}, where an unread CQE stands", cq.tail),
        _breach("overwrites", m),
    )
    yield always(
        "notify_head never sees a bad index",
        "safety",
        ~_where(system, "reject_head"),
        say("the CQ doorbell carries {}, which frees {} of {} entries", cq.shadow, cq.told, cq.occupied),
        _breach("refuses", m),
    )
    if m.choices.arm:
        yield always(
            "a CQE that is consumed was written whole",
            "safety",
            ~(_where(system, "consume") & cq.torn),
            say("the guest consumes the CQE in slot {}, and sees its phase, and the rest as it was before", cq.cursor),
            _breach("torn_cqe", m),
        )
    if m.life.keeps:
        writes = _where(system, "arm_sq", "post_arm", "cork_arm", *(["notify_tail", "notify_head"] if m.stores else []))
        yield always(
            "the device writes only to the guest's doorbell buffer",
            "safety",
            ~(writes & ~m.life.configured),
            say("the device is about to write to pages that were a doorbell buffer before the reset"),
            _breach("writes", m),
        )
    for q in m.sqs:
        if m.choices.arm:
            fetches = any_of(a.guard for a in system.actions if a.family == "fetch" and f"{q.name}.head" in a.updates)
            yield always(
                f"an SQE that is taken was written whole ({q.label})",
                "safety",
                ~(fetches & q.torn),
                say(f"the device takes {q.label}'s SQE in slot {{}}, and sees it as it was before", q.head),
                _breach("torn_sqe", q),
            )
        yield always(
            f"notify_tail never sees a bad index ({q.label})",
            "safety",
            ~((q.submitter == "notify tail") & (q.pending > q.outstanding)),
            say(
                f"{q.label}'s doorbell carries {{}}: {{}} entries not taken, of {{}} commands outstanding",
                q.shadow,
                q.pending,
                q.outstanding,
            ),
        )
        forgotten = [worker.forgotten for worker in q.registered]
        if forgotten:
            yield always(
                f"no idle worker is forgotten ({q.label})",
                "safety",
                ~any_of(forgotten),
                say(
                    f"{{}} of {len(forgotten)} workers of {q.label} sleep, and no notification will ever wake them",
                    count(forgotten),
                ),
                _breach("forgotten", q),
            )
        if m.life.events or q.has("page") or cq.swapped:
            yield always(
                f"no entry is taken that was not published ({q.label})",
                "safety",
                q.pending + q.in_flight <= q.outstanding,
                say(
                    f"the device took entries of {q.label} that the guest never published: its head is {{}}, the tail "
                    "{}; {} commands in flight, {} outstanding",
                    q.head, q.shadow, q.in_flight, q.outstanding,
                ),
                _breach("unpublished", q),
            )  # fmt: skip


def _uncorked(m: Machine, _: System) -> Iterator[Property]:
    for q in m.sqs:
        yield NotForever(
            f"uncorked {q.label}",
            "uncorked",
            ROWS["uncorked"],
            (q.pending > 0) & q.asleep,
            say(
                f"{q.label} has published entries waiting ({{}}), its worker sleeps, and nobody will ever wake it "
                "(corked: {}; CQ: {} unread; available permits: {}; {} more freed by the shadow head)",
                q.pending, q.corked, m.cq.tail - m.cq.cursor, m.cq.available, m.cq.freed,
            ),
            wakers=_WAKERS,
            waits=partial(_waits, m, q),
        )  # fmt: skip


def _unfinished(q: SQ) -> Expr:
    return (q.pending > 0) | (q.in_flight > 0) | (q.outstanding > 0)


def _drains(m: Machine, system: System) -> Iterator[Property]:
    for q in m.sqs:
        yield NotForever(
            f"drains {q.label}",
            "drains",
            ROWS["drains"],
            _unfinished(q),
            say(
                f"the guest submits no more, and {q.label} never finishes (published and not taken: {{}}; in flight: "
                "{}; slots in use: {}; corked: {})",
                q.pending, q.in_flight, q.outstanding, q.corked,
            ),
            without=frozenset(a.name for a in system.actions if a.family == "submit"),
            wakers=_WAKERS,
            waits=partial(_waits, m, q),
        )  # fmt: skip


def _progress(m: Machine, system: System) -> Iterator[Property]:
    for q in m.sqs:
        fetches = {a.name for a in system.actions if a.family == "fetch" and f"{q.name}.head" in a.updates}
        yield NotForever(
            f"progress {q.label}",
            "progress",
            ROWS["progress"],
            q.pending > 0,
            say(
                f"the entry at {q.label}'s head is never fetched ({{}} published entries; worker asleep: {{}}; "
                f"corked: {{}})",
                q.pending, q.asleep, q.corked,
            ),
            without=frozenset(fetches),
            wakers=_WAKERS,
            waits=partial(_waits, m, q),
        )  # fmt: skip


_LIVENESS: tuple[Callable[[Machine, System], Iterator[Property]], ...] = (_uncorked, _drains, _progress)


COVERS = (
    *("corks an SQ", "uncorks an SQ", "leaves a completion queued", "wraps the CQ", "wraps an SQ", "fills the CQ"),
    *("rings a doorbell", "remits a permit", "elides a doorbell", "delays a store"),
)
"""The names of all covers; a machine has those that apply to its choices."""


def covers(m: Machine, system: System) -> list[Cover]:
    """The covers of a machine: some run must reach each; otherwise a proof about the machine says nothing."""
    cq = m.cq

    def some(name: str, condition: Expr) -> Sometimes:
        return Sometimes(name, condition, name)

    def again(name: str, *families: str) -> Repeatedly:
        """A cover for an index that moves one way: it wraps exactly if it moves infinitely often."""
        return Repeatedly(name, frozenset(a.name for a in system.actions if a.family in families), name)

    uncorks = _uncorking(m, system)  # nothing does if nobody kicks: an SQ that looks again by itself stays on record
    corks = [
        some("corks an SQ", _where(system, "cork", "cork_park")),
        *([some("uncorks an SQ", any_of(uncorks))] if uncorks else []),
    ]
    found: list[Cover] = [
        *([some("leaves a completion queued", _where(system, "block"))] if m.poster else []),
        *(corks if m.parts.admission.corks else []),
        again("wraps the CQ", "post", "post_queued"),
        again("wraps an SQ", "fetch"),
        some("fills the CQ", cq.occupied == cq.capacity),
        some("rings a doorbell", _where(system, "ring_sq", "ring_cq")),
        *([some("remits a permit", _where(system, "remit"))] if m.permit else []),
    ]
    if m.buffered and m.life.guest:
        silent = [q.submitter == "publish" for q in m.sqs] if m.parts.guest.looks_first else []
        found.append(some("elides a doorbell", any_of([_where(system, "elide_sq", "elide_cq"), *silent])))
    if m.choices.weak:
        found.append(some("delays a store", any_of(~buffer.drained for buffer in m.buffers)))
    return found


def _uncorking(m: Machine, system: System) -> list[Expr]:
    """For each step that uncorks an SQ, whether it is enabled."""
    return [
        action.guard & q.corked for action in system.actions for q in m.sqs if f"{q.name}.corked" in action.updates
        and action.family not in ("cork", "cork_park")
    ]  # fmt: skip


def named(stated: Sequence[Property], name: str) -> Property:
    """The property of that name, or the first property of that row; raises `InstanceError` if there is none."""
    for prop in stated:
        if name in (prop.name, prop.row):
            return prop
    raise InstanceError(f"there is no property {name!r}{did_you_mean(name, [*ROWS, *(p.name for p in stated)])}")
