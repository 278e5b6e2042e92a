"""What can be observed of a machine: events, values of shared words and of the device's state, and unseen steps.

Logs (`uncork validate`, `uncork record`) and schedules (`uncork trace --format schedule`) use these names.
"""

from __future__ import annotations

from uncork.core.expr import Expr, any_of, boolean, count
from uncork.core.system import System

from uncork_nvme.state.machine import Machine
from uncork_nvme.state.queues import SQ

EVENTS = {
    "check_sq": (("need_sq", "elide_sq"), "the guest reads SQ EventIdx, whatever it finds"),
    "check_cq": (("need_cq", "elide_cq"), "the guest reads CQ EventIdx, whatever it finds"),
    "read_sq": (
        ("fetch", "find_empty", "find_no_request", "reread_sq", "find_more"),
        "the device reads an SQ shadow tail, whatever it finds (with sq_read=wake the event is wake)",
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
    "cqe": (("post", "post_late", "post_queued"), "the device writes a CQE"),
    "credit": (("post_read", "post_credit"), "the device reads the CQ shadow head during a post, whatever it finds"),
    "take_sq": (
        ("fetch", "find_empty", "find_no_request"),
        "the device looks for an entry in an SQ, whatever it finds",
    ),
    "recheck_sq": (("reread_sq", "find_more"), "the device reads an SQ shadow tail again after it wrote SQ EventIdx"),
    "head_told": (("notify_head", "reject_head"), "the device takes the CQ head from a doorbell"),
}
"""Events that stand for one of several steps, by name: the families of the steps, and the meaning. Any family is an
event, too.
"""

LOOK = "look"
"""The event that is no step: values that were read some time between the previous event and the next."""

FAMILIES = (
    *("submit", "publish_sq", "need_sq", "elide_sq", "ring_sq"),
    *("consume", "leave_loop", "look_cq", "publish", "need_cq", "elide_cq", "ring_cq"),
    *("wake", "poll", "turn_away", "deliver", "reserve", "use_grant", "line_up", "refresh", "cork", "start_cork"),
    *("cork_arm", "cork_leave", "cork_saved", "cork_park", "fetch", "find_no_request", "find_empty"),
    *("hear", "hear_more"),
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
    *(
        "create_sq",
        "delete_sq",
        "find_gone",
        "release",
        "post_late",
        "activate",
        "configure",
        "configure_again",
        "reset",
        "restart",
        "recreate",
        "pause",
        "resume",
        "flush",
        "see",
    ),
    *("read_tail", "let_go", "last_look", "find_late", "poll_tail"),
)
"""The families of the steps of the catalogue's machines; `uncork show` explains each. Parts of the user's own add some.
"""


def families(event: str, system: System) -> tuple[str, ...]:
    """The families of the steps that an event may be; raises `KeyError` for an unknown event.

    A step of the user's own in this system is an event, too. A log that has no such event says nothing about the step.
    """
    if event in EVENTS:
        return EVENTS[event][0]
    if event not in FAMILIES and all(action.family != event for action in system.actions):
        raise KeyError(event)
    return (event,)


def shows(m: Machine) -> dict[str, Expr]:
    """The observable values of the machine, by name. Positions are 0 to size - 1, as in the device's registers.

    Of the CQ: `cq.shadow` and `cq.eventidx` as in memory; `cq.head`, `cq.tail` and `cq.permits` (available permits;
    without permits, free slots) as in the device; `cq.corked`, the number of corked SQs; `cq.cursor`, the next entry
    that the guest looks at. Of each SQ, such as `sq0`: `shadow`, `eventidx`, `head`, `tail`, `permits` (held for the
    SQ), `corked`, `in_flight` (taken and not posted), `outstanding` (slots in use), `awake` (workers that look at the
    SQ, or were notified and will) and `called` (a kick of the SQ has not reached its workers).
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
    """The number of an SQ's workers that look at it, or were notified and will; not those that run or post."""
    looking = [worker.at.among("reserve", *worker.pops) for worker in q.workers]
    woken = [*(worker.woken for worker in q.registered), *(worker.called for worker in q.turns)]
    return count([*looking, *woken]) + q.wakeups


def guest_moves(m: Machine, system: System) -> dict[str, tuple[str, Expr, Expr, int | None]]:
    """The guest's steps that decide a move of a shadow index: observable name, index before and after, and how far.

    How far is None if it is not the same each time. `leave_loop` decides a move that `publish` makes.

    Where stores wait in buffers, and for an SQ whose shadow word was stale, the visible move comes later, so the result
    has no step.
    """
    moves: dict[str, tuple[str, Expr, Expr, int | None]] = {}
    for q in m.sqs:
        for action in system.actions:
            moved = action.family in ("submit", "publish_sq") and f"{q.name}.shadow" in action.updates
            if moved and not q.has("stale"):
                by = action.args[1] if action.family == "submit" else None
                moves[action.name] = (f"{q.name}.shadow", q.word, action.updates[f"{q.name}.shadow"], by)
    if not m.choices.weak:
        moves |= {
            a.name: ("cq.shadow", m.cq.word, m.cq.cursor, None) for a in system.actions if a.family == "leave_loop"
        }
    return moves


def at_once(m: Machine, system: System, *, cursor: bool = False, worker: bool = False) -> frozenset[str]:
    """Unseen steps that may be taken as soon as possible: every run equals, up to the order of steps, such a run.

    `cursor`, `worker`: whether the log has values that distinguish the orders, or the worker of a step.

    A guest that drains the CQ to its end, or a fixed number of CQEs, can do nothing else with its CQ while it sees a
    CQE that it may take. Taking the CQE changes no value that another actor reads, except that a command slot becomes
    free, which only allows more. `cq.cursor` and `outstanding` distinguish the orders.

    A notified worker of one SQ can do nothing but wake up. A notification that comes before it wakes up is spent, just
    as if the worker were awake: a notification wakes only sleeping workers that were not notified. The workers are
    alike, so it makes no difference which of them wakes up.

    None of this is known of a machine with a part of the user's own.
    """
    if m.parts.own:
        return frozenset()
    chosen = m.choices
    taken = set[str]()
    if chosen.drain != "any" and not chosen.happening and not cursor:
        taken.add("consume")
    alike = {"notify": "spent", "serve": "own", "sq_read": "each", "memory": "sc", "events": "none"}
    if all(chosen.items()[name] == value for name, value in alike.items()) and not worker:
        taken.add("wake")
    return frozenset(action.name for action in system.actions if action.family in taken)


TELLS_ORDER = ("cq.cursor", "outstanding")
"""Endings of the names of values that show when a CQE was taken."""


def unserved(q: SQ) -> Expr:
    """Whether the guest waits for this SQ: for published entries to be taken, or for commands to be posted."""
    return any_of([q.pending > 0, q.in_flight > 0])
