"""What an SQ can wait for in vain: when it waits, which steps could wake it and do not, and the words for both.

A missed wake-up is data (`Miss`): families of steps, and what holds before and after them. The cause of a run is its
last miss, and how the SQ waits. `uncork.core.causes` finds both in a run.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from uncork.core.causes.run import Run, Step, at_steps, listed
from uncork.core.causes.wait import Miss, Wait
from uncork.core.evaluate import holds, integer
from uncork.core.expr import Expr, any_of, lift
from uncork.core.sorts import plain

from uncork_nvme.causes.events import begins, elided, elided_early, seen
from uncork_nvme.causes.looks import (
    CORKS,
    asleep,
    lost_request,
    missed_looks,
    missed_notifications,
    no_look,
    old_pages,
    without_request,
    workers,
)
from uncork_nvme.state.kicks import Kick
from uncork_nvme.state.machine import Machine
from uncork_nvme.state.queues import SQ

_TAKES = ("reserve", "refresh", "cork_saved", "use_grant")
"""The steps that take a permit."""
_READS_HEAD = (
    *("refresh", "line_up", "cork", "start_cork", "cork_saved", "cork_park", "find_room", "post_read", "post_credit"),
    *("notify_head", "reject_head"),
)
"""The steps at which the device learns the CQ head."""


def waits(m: Machine, q: SQ) -> tuple[Wait, ...]:
    """The ways in which an SQ, or a command of it, waits for ever; the more telling ones first."""
    entries = (q.pending > 0) & q.asleep
    found = [Wait(entries & q.corked, partial(_corked, m, q), tuple(_missed_kicks(m, q)))]
    if m.parts.kicks.holds:
        found.append(Wait((m.cq.consumer == "kick") & ~m.parts.kicks.arrives(m), partial(_crossed_locks, m)))
    if q.pool is not None:
        missed = [Miss(("post_queued",), partial(no_look, q), ~q.request_free, q.asleep & (q.wakeups == 0), q)]
        missed += [Miss(("post_queued",), partial(lost_request, q), q.waited > 0, about=q)] if q.has("waited") else []
        found.append(Wait(entries & (q.tail != q.head), partial(without_request, q), tuple(missed)))
    found.append(Wait(entries, partial(asleep, m, q), tuple(missed_notifications(m, q))))
    if m.poster is not None:
        blocked = (q.queued > 0) & (m.poster.at == "idle") & ~m.poster.scheduled
        found.append(Wait(blocked, partial(_queued, m, q), tuple(_missed_room(m, q))))
    elsewhere = any_of(m.cq.slots[lift(slot, m.cq.tail.sort)] == q.label for slot in range(m.cq.size)) & ~m.cq.visible
    found.append(Wait((q.outstanding > 0) & elsewhere, partial(_unseen_cqe, m, q)))
    if not m.parts.admission.counts:
        found.append(Wait(q.outstanding > 0, partial(_written_over, m, q)))
    return (*found, Wait(q.pending > 0, partial(_passed_over, m, q)))


# -- an SQ that is corked waits for a kick -----------------------------------------------------------------------------
def _missed_kicks(m: Machine, q: SQ) -> Iterator[Miss]:
    yield Miss(("elide_cq",), partial(_unheard, m, q, CORKS))
    yield from _early(m)
    yield Miss(("consume",), partial(_untold, m))
    yield Miss(("reject_head",), _refused)
    back = partial(_no_kick, m, q)
    if not m.parts.kicks.follows_doorbell:
        yield Miss(("notify_head",), back, q.corked & (m.cq.told > 0), q.corked)
    yield Miss(("post_credit", "refresh", "cork_saved", "line_up", "remit", "kick"), back, q.corked, q.corked)
    if m.parts.life.given_back:
        yield Miss(("release",), back, q.corked, q.corked)
    elif m.permit:
        yield Miss(("release",), partial(lost_permit, m))
    yield from missed_looks(m, q)


def _early(m: Machine) -> Iterator[Miss]:
    """Publishes of a guest that looked at CQ EventIdx before, and rings no doorbell."""
    if m.parts.guest.looks_first:
        yield Miss(("publish",), partial(elided_early, m, m.cq), m.cq.consumer == "publish and poll")


def _unheard(m: Machine, q: SQ, stops: tuple[str, ...], run: Run, step: Step) -> str:
    """The guest left a CQ doorbell out, and the device did not learn that head before it stopped for want of room."""
    move, stopped = run.last(("publish",), before=step.number), run.last(stops, q) or run.last(stops)
    if move and stopped and stopped.number > step.number:
        since = seen(run, m.cq, move)
        if since and run.last(_READS_HEAD, before=stopped.number + 1, after=since):
            return ""
    return elided(m, m.cq, run, step)


def _untold(m: Machine, run: Run, step: Step) -> str:
    """The guest never tells how far it has consumed."""
    if any(action.family == "publish" for action in run.system.actions):
        return ""
    return f"At step {step.number} the guest takes the CQE in slot {plain(step.was(m.cq.cursor))}, and never tells it."


def _corked(m: Machine, q: SQ, run: Run, since: int, miss: Step | None) -> str:
    corked = run.last(CORKS, q)
    if corked is None:
        return ""
    early = miss is not None and miss.action.family == "elide_cq" and miss.number < corked.number
    late = f"; {_last_head(m, run)}" if early else ""
    return f"{q.label}, corked at step {corked.number}, sleeps on{late}."


def _last_head(m: Machine, run: Run) -> str:
    """When the device learned the CQ head last, and which."""
    read = run.last(_READS_HEAD)
    if read is None:
        return "the device never learned a CQ head"
    return f"the device last learned the CQ head at step {read.number} ({plain(read.becomes(m.cq.head))})"


def _refused(run: Run, step: Step) -> str:
    return f"At step {step.number} the doorbell handler {step.action.told.on(step.before)}. It kicks no SQ."


def _no_kick(m: Machine, q: SQ, run: Run, step: Step) -> str:
    """Room is found, or a permit comes back, and the SQ stays corked: no SQ is kicked there, or others are."""
    family, freed = step.action.family, f"{plain(step.was(m.cq.freed))} freed"
    whose = next((each.label for each in step.action.args if isinstance(each, SQ)), "")
    kick = next((each for each in step.action.args if isinstance(each, Kick)), None)
    how = {
        "post_credit": f"the device reads the CQ shadow head and finds {freed}",
        "refresh": f"{whose}'s worker reads the CQ shadow head, finds {freed} and takes one",
        "cork_saved": f"{whose}'s worker reads the CQ shadow head again, finds {freed} and takes one",
        "line_up": f"{whose}'s worker reads the CQ shadow head and finds {freed}",
        "remit": f"{whose}'s worker gives its permit back",
        "notify_head": f"the device learns the CQ head from the doorbell, {plain(step.was(m.cq.told))} freed",
        "release": f"a command of {whose}, which was deleted, gives its permit back",
        "kick": "the CQ doorbell's kick comes",
    }[family]
    if kick is None:
        return f"At step {step.number} {how}, and no SQ is kicked there."
    woken = listed([each.label for each in kick.chosen or ()])
    return f"At step {step.number} {how}; it wakes {f'{woken}, and not {q.label}' if woken else 'no SQ'}."


def lost_permit(m: Machine, run: Run, step: Step) -> str:
    """A command of a deleted SQ completes, and its permit is lost."""
    whose = next(each for each in step.action.args if isinstance(each, SQ))
    deleted = run.last(("delete_sq",), whose, before=step.number)
    when = f" at step {deleted.number}" if deleted else ""
    left = sum(integer(each, step.after) for each in (m.cq.available, m.cq.occupied, m.held))
    return (
        f"At step {step.number} a command of {whose.label}, which was deleted{when}, completes, and its permit is "
        f"lost: {left} of {m.cq.capacity} remain."
    )


# -- a completion that is queued waits for room ------------------------------------------------------------------------
def _missed_room(m: Machine, q: SQ) -> Iterator[Miss]:
    yield Miss(("elide_cq",), partial(_unheard, m, q, ("block",)))
    yield from _early(m)
    yield Miss(("reject_head",), _refused)
    yield Miss(("consume",), partial(_untold, m))
    if m.parts.post.trusts_event:
        yield Miss(("post_read",), partial(_trusted, m), m.cq.freed > 0)
    assert m.poster is not None
    yield Miss(("notify_head",), partial(_posts_none, m), after=~m.poster.scheduled)


def _trusted(m: Machine, run: Run, step: Step) -> str:
    """The device reads a head that it has written to EventIdx, and posts nothing, though there is room."""
    wrote = run.last(("post_arm",), before=step.number)
    if wrote is None:
        return ""
    return (
        f"At step {step.number} the device reads CQ head {plain(step.was(m.cq.seen))}, which it wrote to EventIdx at "
        f"step {wrote.number}, and posts nothing: it goes by head {plain(step.was(m.cq.head))}."
    )


def _posts_none(m: Machine, run: Run, step: Step) -> str:
    if not step.was(m.cq.available):
        return f"At step {step.number} the CQ doorbell frees {plain(step.was(m.cq.told))}, and nothing is posted."
    return f"At step {step.number} the CQ doorbell finds a CQ that was not full as last known, and has nothing posted."


def _queued(m: Machine, q: SQ, run: Run, since: int, miss: Step | None) -> str:
    left = integer(q.queued, run.end)
    stay = f"completion of {q.label} has stayed" if left == 1 else f"completions of {q.label} have stayed"
    return f"{left} {stay} queued since step {since}; {_last_head(m, run)}."


# -- a CQE that the guest does not see, and two locks ------------------------------------------------------------------
def _unseen_cqe(m: Machine, q: SQ, run: Run, since: int, miss: Step | None) -> str:
    cq = m.cq
    put = [s for s in run.taken(("post", "post_late", "post_queued"), q) if _stands(m, q, s, run)]
    if not put:
        return ""
    slot, cursor = plain(put[-1].was(cq.tail)), plain(integer(cq.cursor, run.end))
    return (
        f"{out_of_step(m, run)}The CQE of {q.label} from step {put[-1].number} stands in CQ slot {slot}, and the guest "
        f"looks at slot {cursor}, from step {since} on."
    )


def _written_over(m: Machine, q: SQ, run: Run, since: int, miss: Step | None) -> str:
    """The last CQE of the SQ that another was written over before the guest read it."""
    posts = run.taken(("post", "post_late"))
    over = [step for step in posts if holds(m.cq.slots[m.cq.tail] == q.label, step.before)]
    if not over:
        return ""
    slot, left = plain(over[-1].was(m.cq.tail)), integer(q.outstanding, run.end)
    return (
        f"At step {over[-1].number} a CQE is written over the unread CQE of {q.label} in CQ slot {slot}. Slots of "
        f"{q.label} in use at the end: {left}."
    )


def _stands(m: Machine, q: SQ, step: Step, run: Run) -> bool:
    slot: Expr = m.cq.slots[lift(integer(m.cq.tail, step.before), m.cq.tail.sort)]
    return holds(slot == q.label, run.end)


def out_of_step(m: Machine, run: Run) -> str:
    """The last step that left device and guest at two slots of the CQ, with a space after it; nothing if none did."""
    begun = [s for s in run.taken(("reset", "restart", "recreate")) if s.becomes(m.cq.tail) != s.becomes(m.cq.cursor)]
    if not begun:
        return ""
    step = begun[-1]
    tail, cursor = plain(step.becomes(m.cq.tail)), plain(step.becomes(m.cq.cursor))
    apart = f"leaves the device at CQ slot {tail} and the guest at slot {cursor}"
    return f"Step {step.number}, which {begins(step)}, {apart}. "


def _crossed_locks(m: Machine, run: Run, since: int, miss: Step | None) -> str:
    """The doorbell handler holds the CQ lock and waits for a look to end, which waits for that lock."""
    looks = [q for q in m.sqs if not holds(q.settled, run.end)]
    places = [w.at for q in looks for w in q.workers if holds(w.in_pop, run.end)]
    moved = [step for step in run.steps if any(step.changes(at) for at in places)]
    who = listed([workers(q)[0] for q in looks])
    waits = f"Since step {moved[-1].number} {who} in turn" if moved else f"In turn {who}"
    ends = "waits" if len(places) == 1 else "wait"
    return (
        f"Since step {since} the doorbell handler holds the CQ lock and waits for the look of {who} to end. {waits} "
        f"{ends} for the CQ lock."
    )


# -- an SQ that is not asleep for good, in a loop ----------------------------------------------------------------------
def _passed_over(m: Machine, q: SQ, run: Run, since: int, miss: Step | None) -> str:
    """Its workers look again and again and find no permit, which others take; or nothing, because they look amiss."""
    what, takes = ("permit", _TAKES) if m.permit else ("CQ slot", ("post",))
    who, _ = workers(q)
    again = f"{who} look{'s' * (len(q.workers) == 1)} again and again"
    finds, own = _in_loop(run, CORKS, q), _in_loop(run, takes, q)
    if own or not finds:
        empty = _in_loop(run, ("find_empty",), q)
        silent = run.last(("elide_sq",), q)
        told = old_pages(q, run, empty[-1]) if empty and q.has("page") else elided(m, q, run, silent) if silent else ""
        return f"{told} {again}, {at_steps(empty)}." if empty and told else ""
    taken = {other.label: _in_loop(run, takes, other) for other in m.sqs if other is not q}
    by = [f"{label} {at_steps(steps)}" for label, steps in taken.items() if steps]
    if by:
        every = f"in the loop every {what} is taken, by {listed(by)}"
        return f"{q.label} is passed over: {every}. {who} find{'s' * (len(q.workers) == 1)} none {at_steps(finds)}."
    released = None if m.parts.life.given_back or not m.permit else run.last(("release",))
    lost = f"{lost_permit(m, run, released)} " if released else ""
    return f"{lost}{again}, {at_steps(finds)}, and no {what} comes back in the loop."


def _in_loop(run: Run, families: tuple[str, ...], q: SQ) -> list[Step]:
    return [step for step in run.looping if step.action.family in families and step.action.about(q)]
