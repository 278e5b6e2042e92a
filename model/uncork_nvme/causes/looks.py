"""An SQ whose workers sleep though it has entries: the notifications and looks that it can miss, in words."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from uncork.core.causes.run import Run, Step, listed
from uncork.core.causes.wait import Miss
from uncork.core.evaluate import holds, integer
from uncork.core.expr import any_of
from uncork.core.sorts import plain

from uncork_nvme.causes.events import BEGINS, concerns, elided, elided_early, seen
from uncork_nvme.state.machine import Machine
from uncork_nvme.state.queues import SQ

CORKS = ("cork", "cork_park", "line_up")
"""The steps that cork an SQ."""
_AGAIN = ("reread_sq", "find_more", "read_tail", "let_go", "find_late", "last_look")
_LOOKS = ("fetch", "find_empty", "find_no_request", *_AGAIN)
"""The steps at which a worker looks for an entry."""


def missed_notifications(m: Machine, q: SQ) -> Iterator[Miss]:
    """Doorbells left out, notifications that wake no worker of the SQ, and looks that find less than there is."""
    yield Miss(("elide_sq",), partial(_unseen, m, q), about=q)
    if m.parts.guest.looks_first:
        yield Miss(("publish_sq",), partial(elided_early, m, q), q.submitter == "publish", about=q)
    if m.parts.reader.trusts_event:
        yield Miss(("reread_sq",), partial(_trusted, q), q.seen != q.head, about=q)
    loses = m.parts.crew.loses(q)
    yield Miss(("notify",), partial(_spent, m, q, "the doorbell's notification"), loses & m.life.awake, about=q)
    yield Miss(("deliver",), partial(_spent, m, q, "a kick"), loses, about=q)
    if q.registered:
        bits = any_of(worker.idle for worker in q.registered)
        asleep = any_of(worker.asleep & ~worker.woken for worker in q.registered)
        yield Miss(("notify", "deliver"), partial(_without_bit, m, q), asleep & ~bits, about=q)
    yield from missed_looks(m, q)
    here = [*(worker.called for worker in q.turns), *(worker.woken for worker in q.registered)]
    yield Miss(
        ("notify", "deliver"), partial(_wakes_none, m, q), after=q.asleep & ~(any_of(here) | (q.wakeups > 0)), about=q
    )
    if q.has("page"):
        empty = (q.pending > 0) & (q.seen == q.head)
        yield Miss(_shadow_looks(m, q), partial(old_pages, q), m.life.device_uses & empty, about=q)


def missed_looks(m: Machine, q: SQ) -> Iterator[Miss]:
    """Looks that were due, and do not come."""
    if q.registered:
        yield Miss(("turn_away",), partial(_turned_away, q), about=q)
    if m.life.events["pause"]:
        yield Miss(("resume",), partial(_forgotten, m, q), after=q.asleep & (q.wakeups == 0))


def asleep(m: Machine, q: SQ, run: Run, since: int, miss: Step | None) -> str:
    """How long the workers sleep, when they last read the tail, and how many entries wait."""
    who, has = workers(q)
    slept = run.since(q.asleep)
    left = integer(q.pending, run.end)
    to_take = f"with {left} published entr{'y' if left == 1 else 'ies'} to take"
    look = _last_look(m, q, run)
    if not slept:
        return f"{who} {has} slept from the first state on, {to_take}."
    looked = f" last read the tail at step {look.number} ({plain(look.becomes(q.tail))}), and" if look else ""
    return f"{who}{looked} {has} slept since step {slept}, {to_take}."


def workers(q: SQ) -> tuple[str, str]:
    """The workers of an SQ in a sentence, and the verb that goes with them."""
    return (f"{q.label}'s workers", "have") if len(q.workers) > 1 else (f"{q.label}'s worker", "has")


def _last_look(m: Machine, q: SQ, run: Run) -> Step | None:
    """The last step at which a worker read the tail of the SQ as it is now; none if the device has no buffer."""
    if not (m.buffered and m.parts.buffer.device):
        return None
    begun = last_beginning(q, run)
    looks = run.taken(_shadow_looks(m, q), q)
    found = [s for s in looks if holds(m.life.device_uses, s.before) and s.number > (begun.number if begun else 0)]
    return found[-1] if found else None


def _shadow_looks(m: Machine, q: SQ) -> tuple[str, ...]:
    """The steps at which a worker reads the shadow tail, where there is one."""
    return ("wake", *_AGAIN) if m.parts.reader.wakes(q) else _LOOKS


def last_beginning(q: SQ, run: Run) -> Step | None:
    """The last step with which the SQ ended or began anew."""
    found = [step for step in run.taken(BEGINS) if not step.action.family.startswith("configure") and concerns(step, q)]
    return found[-1] if found else None


def _unseen(m: Machine, q: SQ, run: Run, step: Step) -> str:
    """The guest left a doorbell out, and no worker looked after the entries were there."""
    move = run.last(("submit",), q, before=step.number)
    look = _last_look(m, q, run)
    if move is None:
        return ""
    since = seen(run, q, move) or (step.number if q.sight.at_once else None)
    if look and since and look.number > since:
        return ""
    return elided(m, q, run, step)


def _trusted(q: SQ, run: Run, step: Step) -> str:
    """A worker reads a tail that it has written to EventIdx, and sleeps, though it has not taken what is before it."""
    wrote = run.last(("arm_sq",), q, before=step.number)
    if wrote is None:
        return ""
    tail, head = plain(step.was(q.seen)), plain(step.was(q.head))
    told = (
        f"At step {step.number} the worker of {q.label} reads tail {tail}, which it wrote to EventIdx at step "
        f"{wrote.number}, and sleeps with its head at {head}."
    )
    if not q.has("polled"):
        return told
    saw = run.last(("poll_tail",), q)
    when = f"saw at step {saw.number}" if saw else "began with"
    return f"{told} The poller of {q.label} goes on finding tail {plain(step.was(q.polled))}, which it {when}."


def _spent(m: Machine, q: SQ, what: str, run: Run, step: Step) -> str:
    look = _last_look(m, q, run)
    if look and look.number > step.number:  # a worker looked again all the same
        return ""
    who, _ = workers(q)
    return f"At step {step.number} {what} finds {who} running, and is spent."


def _wakes_none(m: Machine, q: SQ, run: Run, step: Step) -> str:
    """A notification that wakes no worker of the SQ, for another reason than that they run or lack their bits."""
    what = "the doorbell's notification" if step.action.family == "notify" else "a kick"
    if not step.was(q.served):
        return f"At step {step.number} {what} finds {q.label} not served yet, and is lost."
    strays = [f"worker {t.number}" for t in q.turns if step.was(t.idle) and not step.becomes(t.idle)]
    if strays:
        whose = f"{listed(strays)}, which {'is' if len(strays) == 1 else 'are'} given to another SQ"
        return f"At step {step.number} {what} of {q.label} takes the bit of {whose}."
    others = [other.label for other in m.sqs if other is not q and step.changes(other.wakeups)]
    if others:
        return f"At step {step.number} {what} of {q.label} wakes only the worker of {listed(others)}."
    return ""


def _without_bit(m: Machine, q: SQ, run: Run, step: Step) -> str:
    return f"At step {step.number} a notification finds no bit of a worker of {q.label} that sleeps, and wakes none."


def _turned_away(q: SQ, run: Run, step: Step) -> str:
    return f"At step {step.number} a worker of {q.label} finds the bit of another set, does not look, and sleeps."


def _forgotten(m: Machine, q: SQ, run: Run, step: Step) -> str:
    """The device is resumed and forgets a notification, a look, or that the SQ was corked."""
    at = f"At step {step.number} the device is resumed, and forgets"
    if step.was(q.wakeups):
        notified = [s.number for s in run.steps[: step.number - 1] if s.was(q.wakeups) != s.becomes(q.wakeups)]
        return f"{at} the notification of {q.label} from step {notified[-1]}."
    if not step.was(q.asleep):
        return f"{at} the look at {q.label} that was due."
    corked = run.last(CORKS, q, before=step.number)
    return f"{at} that {q.label} was corked at step {corked.number}." if corked and step.was(q.corked) else ""


def old_pages(q: SQ, run: Run, step: Step) -> str:
    """The device reads a tail that the guest does not write, or no longer."""
    reset = run.last(("reset",), before=step.number)
    where = f"the pages from before the reset of step {reset.number}" if reset else "a word that the guest never writes"
    return (
        f"At step {step.number} the device reads the tail of {q.label} in {where}: {plain(step.was(q.seen))}, and the "
        f"guest's is {plain(step.was(q.shadow))}."
    )


def no_look(q: SQ, run: Run, step: Step) -> str:
    """A request comes back to an empty pool, and no worker is notified."""
    return f"At step {step.number} a request of {q.label} comes back, and the device does not look at {q.label}."


def lost_request(q: SQ, run: Run, step: Step) -> str:
    """A completion that had to wait is posted, and its request does not come back."""
    left = (q.pool or 0) - integer(q.lost, step.after)
    return (
        f"At step {step.number} a completion of {q.label} that had to wait is posted, and its request is lost: {left} "
        f"of {q.pool} remain."
    )


def without_request(q: SQ, run: Run, since: int, miss: Step | None) -> str:
    """When the workers found no request for an entry; nothing if that is not what they found last."""
    stopped = run.last(("find_no_request",), q)
    look = run.last(_LOOKS, q)
    if stopped is None or stopped is not look:
        return ""
    who, has = workers(q)
    return f"{who} found no request for an entry at step {stopped.number}, and {has} slept since."
