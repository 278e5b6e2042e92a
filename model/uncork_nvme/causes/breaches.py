"""How a run comes to break an invariant, in a sentence or two; nothing of a way that no known run has."""

from __future__ import annotations

from uncork.core.causes.run import Run
from uncork.core.evaluate import holds, integer
from uncork.core.expr import count, total

from uncork_nvme.causes.looks import last_beginning
from uncork_nvme.causes.waits import lost_permit, out_of_step
from uncork_nvme.state.machine import Machine
from uncork_nvme.state.queues import SQ

_POSTS = ("post", "post_late", "post_queued")
_WRITES = ("arm_sq", "post_arm", "cork_arm", "notify_tail", "notify_head")
"""The steps that may write to the pages of the doorbell buffer."""


def conserved(m: Machine, run: Run) -> str:
    """The permit of a command whose SQ was deleted is lost."""
    step = run.steps[-1] if run.steps else None
    return lost_permit(m, run, step) if step and step.action.family == "release" else ""


def overflows(m: Machine, run: Run) -> str:
    """More commands were taken than the CQ has room for, and the next completion finds it full."""
    head = "that the guest published"
    if not m.buffered:
        head = "that the device knows from doorbells"
    elif m.cq.has("page") and holds(~m.life.in_use & m.life.device_uses, run.end):
        head = f"in {'the pages from before the reset' if m.life.keeps else 'a word that the guest never writes'}"
    elif holds(m.life.blind, run.end):
        head = "that the device knows"
    return _completes(m, run, f"into a CQ whose {m.cq.capacity} entries are all occupied, by the head {head}")


def overwrites(m: Machine, run: Run) -> str:
    """Guest and device are at two slots of the CQ, or the device looks for no room; the next CQE goes over another."""
    apart, posting = out_of_step(m, run) or _unlooked(m), _posting(run)
    if not apart or not posting:
        return ""
    where = f"CQ slot {integer(m.cq.tail, run.end)}, where an unread CQE stands"
    return f"{apart}After step {len(run.steps)} a command of {posting} completes into {where}."


def refuses(m: Machine, run: Run) -> str:
    """Guest and device are at two slots of the CQ, and the doorbell carries a head that the device does not expect."""
    apart = out_of_step(m, run)
    head, freed, of = (integer(each, run.end) for each in (m.cq.shadow, m.cq.told, m.cq.occupied))
    told = f"After step {len(run.steps)} the CQ doorbell carries head {head}: {freed} freed of {of}."
    return f"{apart}{told}" if apart else ""


def writes(m: Machine, run: Run) -> str:
    """The device writes to pages that it should have forgotten at a reset."""
    reset = run.last(("reset",))
    about = [a.family for a in run.system.actions if a.family in _WRITES and holds(a.guard, run.end)]
    if reset is None or not about:
        return ""
    what = "the index of a doorbell" if about[0].startswith("notify") else "EventIdx"
    return (
        f"After step {len(run.steps)} the device writes {what} to pages that are no doorbell buffer since the reset of "
        f"step {reset.number}."
    )


def _posting(run: Run) -> str:
    """The SQ of a command that may complete in the last state; empty if there is none."""
    return next((_label(a.args) for a in run.system.actions if a.family in _POSTS and holds(a.guard, run.end)), "")


def _unlooked(m: Machine) -> str:
    """That the device posts without a look for room, with a space after it; nothing if it looks."""
    return "" if m.parts.admission.counts else "The device posts without a look at the CQ head. "


def _completes(m: Machine, run: Run, where: str) -> str:
    """The last command that was taken though others were under way, and the completion that comes next."""
    posting = _posting(run)
    if not posting or not run.steps:
        return ""
    under_way = total(q.in_flight for q in m.sqs)
    told = f"{_unlooked(m)}After step {len(run.steps)} a command of {posting} completes {where}."
    for step in reversed(run.taken(("fetch",))):
        before, room = integer(under_way, step.before), integer(m.cq.available, step.before)
        if before and before >= room and m.parts.admission.counts:
            counts = f"{before} {'is' if before == 1 else 'are'} in flight already, and {room} CQ "
            counts += f"slot{' is' if room == 1 else 's are'} free as last known"
            return f"At step {step.number} a command of {_label(step.action.args)} is taken: {counts}. {told}"
    return told


def _label(args: tuple[object, ...]) -> str:
    return next((each.label for each in args if isinstance(each, SQ)), "")


def forgotten(q: SQ, run: Run) -> str:
    """A notification takes the bits of several workers, and does not wake them all."""
    step = run.steps[-1] if run.steps else None
    if step is None or step.action.family not in ("notify", "deliver"):
        return ""
    taken = integer(count(worker.idle for worker in q.registered), step.before)
    woken = integer(count(worker.woken for worker in q.registered), step.after)
    return (
        f"At step {step.number} a notification takes the bits of {taken} workers of {q.label} and wakes {woken}: no "
        f"notification will find the other{'s' * (taken - woken > 1)}."
    )


def unpublished(q: SQ, run: Run) -> str:
    """A worker takes an entry by a tail that it learned before the SQ was created anew."""
    step = run.steps[-1] if run.steps else None
    if step is None or step.action.family != "fetch":
        return ""
    tail = integer(q.tail, step.after)
    learned = next((s for s in reversed(run.steps) if s.changes(q.tail)), None)
    begun = last_beginning(q, run)
    if learned is None:
        return ""
    order = ""
    if begun:
        order = f", {'after' if begun.number < learned.number else 'before'} step {begun.number} began {q.label} anew"
    slot, shadow = integer(q.head, step.before), integer(q.shadow, step.after)
    return (
        f"At step {step.number} a worker takes the entry in slot {slot} of {q.label} by the tail {tail}, which it has "
        f"from step {learned.number}{order}; the guest's tail is {shadow}."
    )


def torn_cqe(m: Machine, run: Run) -> str:
    """The guest sees the phase of a CQE, and may not see the rest of it."""
    slot = integer(m.cq.cursor, run.end)
    posted = next((s for s in reversed(run.taken(_POSTS)) if integer(m.cq.tail, s.before) == slot), None)
    if posted is None:
        return ""
    return (
        f"The CQE in CQ slot {slot} is posted at step {posted.number}. After step {len(run.steps)} the guest consumes "
        "it, and sees its phase, and the rest as it was before."
    )


def torn_sqe(q: SQ, run: Run) -> str:
    """The device sees the tail behind an SQE, and may not see the SQE."""
    submitted = run.last(("submit",), q)
    if submitted is None:
        return ""
    slot = integer(q.head, run.end)
    return (
        f"The tail of {q.label} moves past slot {slot} by step {submitted.number}. After step {len(run.steps)} the "
        "device takes the SQE there, and sees it as it was before."
    )
