"""What can be observed of a machine: events, the values of words and of what the device keeps, and what may go unseen.

Logs (`uncork validate`, `uncork record`) and schedules (`uncork trace --format schedule`) speak in these names.
"""

from __future__ import annotations

from uncork.core.expr import Expr, any_of, boolean, count
from uncork.core.system import System

from uncork_nvme.state.actors import IN_POP
from uncork_nvme.state.machine import Machine
from uncork_nvme.state.queues import SQ

EVENTS = {
    "check_sq": (("need_sq", "elide_sq"), "the guest looks at SQ EventIdx, whatever it finds"),
    "check_cq": (("need_cq", "elide_cq"), "the guest looks at CQ EventIdx, whatever it finds"),
    "read_sq": (
        ("fetch", "find_empty", "find_no_request", "reread_sq", "find_more"),
        "the device reads an SQ shadow tail, whatever it finds (one that reads it as a worker wakes: wake)",
    ),
    "write_sq": (("arm_sq",), "the device writes SQ EventIdx"),
    "read_cq": (
        (
            *("refresh", "line_up", "cork", "start_cork", "cork_saved", "cork_park"),
            *("find_room", "post_read", "post_credit"),
        ),
        "the device reads the CQ shadow head, whatever it finds",
    ),
    "reserve_cq": (
        ("refresh", "line_up", "cork", "start_cork"),
        "the device finds no permit, and reads the CQ shadow head, whatever it finds",
    ),
    "recheck_cq": (
        ("cork_saved", "cork_park"),
        "the device reads the CQ shadow head again before it corks, after it wrote CQ EventIdx",
    ),
    "write_cq": (("post_arm", "cork_arm"), "the device writes CQ EventIdx"),
    "cqe": (("post", "post_queued"), "the device writes a CQE"),
    "credit": (("post_read", "post_credit"), "the device reads the CQ shadow head as it posts, whatever it finds"),
    "take_sq": (
        ("fetch", "find_empty", "find_no_request"),
        "the device looks for an entry in an SQ, whatever it finds",
    ),
    "recheck_sq": (("reread_sq", "find_more"), "the device reads an SQ shadow tail again after it wrote SQ EventIdx"),
    "head_told": (("notify_head", "reject_head"), "the device takes the CQ head that a doorbell carries"),
}
"""Events that are one of several steps, by name: their families, and what was seen. Any family is an event as well."""

LOOK = "look"
"""The event that is no step: values that were read some time between the events around it."""

FAMILIES = (
    *("submit", "need_sq", "elide_sq", "ring_sq", "consume", "leave_loop", "publish", "need_cq", "elide_cq", "ring_cq"),
    *("wake", "poll", "turn_away", "deliver", "reserve", "use_grant", "line_up", "refresh", "cork", "start_cork"),
    *("cork_arm", "cork_leave", "cork_saved", "cork_park", "fetch", "find_no_request", "find_empty"),
    *("arm_sq", "reread_sq", "find_more", "remit", "notify_tail", "notify", "notify_head", "reject_head", "kick"),
    *(
        "find_room",
        "post",
        "post_read",
        "post_credit",
        "post_arm",
        "post_leave",
        "complete",
        "attempt",
        "post_queued",
        "block",
    ),
    *("create_sq", "delete_sq", "find_gone", "release", "configure", "reset", "restart", "pause", "resume", "flush"),
)
"""The families of steps of any machine: `uncork show` tells what each does."""


def families(event: str) -> tuple[str, ...]:
    """The families of steps of which an event is one; raises `KeyError` for one that nobody knows."""
    if event in EVENTS:
        return EVENTS[event][0]
    if event not in FAMILIES:
        raise KeyError(event)
    return (event,)


def shows(m: Machine) -> dict[str, Expr]:
    """What may be seen of the machine, by name. Positions are 0 to size - 1, as in the device's registers.

    Of the CQ: `cq.shadow` and `cq.eventidx` as they stand in memory; `cq.head`, `cq.tail` and `cq.permits` (permits
    that are available; free slots, where none are set aside) as the device has them; `cq.corked`, the number of corked
    SQs; `cq.cursor`, the next entry that the guest looks at. Of each SQ, as `sq0`: `shadow`, `eventidx`, `head`,
    `tail`, `permits` (held for it), `corked`, `in_flight` (taken and not posted), `outstanding` (slots in use), `awake`
    (workers that look at it, or were notified and will) and `called` (a kick of it has not reached its workers).
    """
    cq = m.cq
    shown = {"cq.shadow": cq.word, "cq.eventidx": cq.event, "cq.head": cq.head, "cq.tail": cq.tail}
    shown |= {"cq.permits": cq.available, "cq.corked": m.waiting, "cq.cursor": cq.cursor}
    for q in m.sqs:
        of_sq = {"shadow": q.word, "eventidx": q.event, "head": q.head, "tail": q.tail, "corked": q.corked}
        of_sq |= {"permits": q.permits, "in_flight": q.in_flight, "outstanding": q.outstanding, "awake": awake(q)}
        of_sq["called"] = q.called if q.has("called") else boolean(False)
        shown |= {f"{q.name}.{what}": expr for what, expr in of_sq.items()}
    return shown


def awake(q: SQ) -> Expr:
    """How many of an SQ's workers look at it, or were notified and will; not those that run a command, or post."""
    looking = [worker.at.among("reserve", *IN_POP) for worker in q.workers]
    return count([*looking, *(worker.woken for worker in q.registered)]) + q.wakeups


def guest_moves(m: Machine, system: System) -> dict[str, tuple[str, Expr, Expr | None]]:
    """The guest's steps that decide how far a shadow index moves: which, by the name it is seen by, and where to.

    And where the index is, for a step that decides it and leaves the move itself to another.

    Under x86-TSO, and for an SQ whose shadow word was stale, what is seen follows later, and no step is here.
    """
    moves: dict[str, tuple[str, Expr, Expr | None]] = {}
    for q in m.sqs:
        for action in system.actions:
            if action.family == "submit" and f"{q.name}.shadow" in action.updates and not q.has("stale"):
                moves[action.name] = (f"{q.name}.shadow", action.updates[f"{q.name}.shadow"], None)
    if not m.choices.tso:
        moves |= {a.name: ("cq.shadow", m.cq.cursor, m.cq.shadow) for a in system.actions if a.family == "leave_loop"}
    return moves


def at_once(m: Machine, system: System, *, cursor: bool = False, worker: bool = False) -> frozenset[str]:
    """Steps that, unseen, may as well be taken as soon as they can be: every run is one such run, in another order.

    `cursor`, `worker`: whether values were seen that tell the orders apart, or which worker took a step.

    A guest that drains the CQ to its end, or so many CQEs, can do nothing else with its CQ while it sees one that it
    may take. That it takes it changes no value that another actor reads, but that a command slot becomes free, which
    only allows more. `cq.cursor` and `outstanding` tell the orders apart.

    A worker of one SQ that was notified can do nothing but wake up, and one that comes meanwhile, and would be spent on
    it if it were up, is spent on it as it is: each wakes as many as sleep and were not notified. Which of them wakes up
    makes no difference, as they are alike.
    """
    chosen = m.choices
    taken = set[str]()
    if chosen.drain != "any" and not chosen.happening and not cursor:
        taken.add("consume")
    alike = {"notify": "spent", "serve": "own", "sq_read": "each", "memory": "sc", "events": "none"}
    if all(chosen.items()[name] == value for name, value in alike.items()) and not worker:
        taken.add("wake")
    return frozenset(action.name for action in system.actions if action.family in taken)


TELLS_ORDER = ("cq.cursor", "outstanding")
"""Endings of the names whose values tell when a CQE was taken."""


def unserved(q: SQ) -> Expr:
    """Whether the guest waits for something of this SQ: entries that nobody took, or commands that nobody posted."""
    return any_of([q.pending > 0, q.in_flight > 0])
