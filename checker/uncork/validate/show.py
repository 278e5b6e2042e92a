"""Prints the output of `uncork validate`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from uncork.core.sorts import Value, plain
from uncork.logs import Seen
from uncork.render.terminal.text import Page
from uncork.validate.follow import Allowed, End, Followed, Nearest

_MOST, _WIDE = 12, 160


def accepted(to: Page, followed: Followed, end: End) -> None:
    """Prints that a log is accepted, the states after it, and how the run ends."""
    name, events = followed.instance.name, followed.accepted
    to.say(f"{name}: accepted, {events:,} {_events(events)}", "bold green", whole=True)
    states = followed.follower.shown(followed.follower.states)
    number = len(followed.follower.states)
    to.say(f"After the last one the machine may be in {number:,} {'state' if number == 1 else 'states'}:")
    told = list(dict.fromkeys(_positions(shown) for shown in states))
    for each in told[:_MOST]:
        to.say("  " + each)
    if len(told) > _MOST:
        to.say(f"  and {len(told) - _MOST:,} more that look different")
    to.say(ending(end))


def _positions(shown: Mapping[str, Value]) -> str:
    where = {key: value for key, value in shown.items() if key.endswith(("shadow", "eventidx", "head", "tail"))}
    return ", ".join(f"{key} {plain(value)}" for key, value in where.items())


def _events(number: int) -> str:
    return "event" if number == 1 else "events"


def ending(end: End) -> str:
    """Returns how the run continues, as a sentence."""
    unknown = "is not known: too many commands are under way."
    if not end.known and not end.completes:
        return f"Whether its end is stuck {unknown}"
    if not end.may:
        fine = "Its end is not stuck: what was submitted may still be completed, with no more from the guest."
        return fine if end.known else f"{fine} Whether it may be stuck in another order {unknown}"
    steps = "step" if end.more == 1 else "steps"
    after = f" ({end.more} {steps} after the last event)" if end.more else ""
    told = "; ".join(end.waits)
    if end.stuck:
        return f"Its end is STUCK{after}: {told}, and only a submission may move it."
    return f"Its end may be stuck{after}: {told}. In other runs that fit the log it is not."


def rejected(to: Page, followed: Followed, may: Allowed | None, line: str) -> None:
    """Prints the event that does not fit, and what the model allows there."""
    failed = followed.failed
    assert failed is not None
    name, of = followed.instance.name, len(followed.log.events)
    verdict = "no run was found" if followed.aimed else "rejected"
    style = "bold magenta" if followed.aimed else "bold red"
    to.say(f"{name}: {verdict}, {followed.accepted:,} of {of:,} events fit", style, whole=True)
    to.say(f"line {failed.line} does not: {_told(failed)}", whole=True)
    to.say(f"  {line[:_WIDE]}{'...' if len(line) > _WIDE else ''}", whole=True)
    if may is None:
        to.say("What may happen there is not known: too many states fit.")
    elif not may.values and not may.steps:
        to.say("The model can do nothing there.")
    elif failed.event == "look" or may.values:
        for value, might in may.values.items():
            if failed.saw[value] not in might:
                to.say(f"{value} is {plain(failed.saw[value])} in the log; the model allows {_some(might)}")
        if may.together:
            to.say("Each value alone is allowed, but not all of them at once.")
    elif not followed.reader.actions(failed):
        to.say(f"This machine has no step that is {failed.event}.")
    else:
        to.say(f"No {failed.event} may happen there.")
    if may and may.steps:
        steps = ", ".join(f"{family} by {' or '.join(actors)}".rstrip() for family, actors in may.steps.items())
        to.say(f"What may happen there: {steps}.")
    if followed.aimed:
        to.say(
            "Guest moves missing from the log were tried only to the next logged values. --moves any tries all moves, "
            "at small sizes."
        )


def _told(seen: Seen) -> str:
    return seen.event + ("" if seen.sq is None else f" of SQ{seen.sq}")


def _some(values: Sequence[object]) -> str:
    told = [plain(value) for value in values[:_MOST]]  # type: ignore[arg-type]  # plain values
    return " or ".join(told) + (f" or {len(values) - _MOST:,} others" if len(values) > _MOST else "")


def nearest(to: Page, followed: Followed, found: Sequence[Nearest]) -> None:
    """Prints which devices of the catalogue accept the log, or accept most of its events."""
    if not found:
        to.say("No other device of the catalogue can have this shape and these choices.")
    elif found[0].fits:
        to.say("Devices that it is a run of: " + _named([each for each in found if each.fits]))
    else:
        further = "further" if found[0].accepted > followed.accepted else "furthest of the others"
        best = [each for each in found if each.accepted == found[0].accepted]
        to.say(
            "No run was found of another device of the catalogue with its own policy; "
            f"{further}, {found[0].accepted:,} events: {_named(best[:_MOST])}"
        )
    if undecided := [each for each in found if each.open]:
        to.say("Not decided, as too many states fit: " + _named(undecided))


def _named(found: Sequence[Nearest]) -> str:
    return ", ".join(f"{each.device} ({each.policy})" for each in found)
