"""Prints the output of `uncork validate`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from uncork.core.sorts import Value, plain
from uncork.logs import Seen
from uncork.render.terminal.text import Page, Text
from uncork.validate.end import End, Wakes
from uncork.validate.follow import Allowed, Followed, Nearest

_MOST = 12
_SHOWN = ("shadow", "eventidx", "head", "tail", "in_flight")
"""What is printed of every ring, if the machine has it."""


def accepted(to: Page, followed: Followed, end: End) -> None:
    """Prints that a log is accepted, the states after it, and how the run ends."""
    name, events = followed.instance.name, followed.accepted
    to.fold(f"{name}: accepted, {events:,} {_number(events, 'event')[1]}", "bold green")
    number = len(followed.follower.states)
    alike = _alike(followed)
    differ = "" if len(alike) == number else f", {len(alike):,} of which look different" if alike[1:] else ", all alike"
    to.say(f"After the last one the machine may be in {number:,} {_number(number, 'state')[1]}{differ}:")
    for state in alike[:_MOST]:
        for place, ring in enumerate(state):
            to.line(Text(f"  {' ' if place else '-'} {ring}"))
    if len(alike) > _MOST:
        to.say(f"  and {len(alike) - _MOST:,} more that look different")
    to.say(ending(end))


def _alike(followed: Followed) -> list[tuple[str, ...]]:
    """Returns what is printed of the states after the log, a line a ring; states that look the same once."""
    rings = ("cq", *(q.name for q in followed.reader.machine.sqs))
    shown = followed.follower.shown(followed.follower.states)
    return sorted({tuple(_positions(ring, each) for ring in rings) for each in shown})


def _positions(ring: str, shown: Mapping[str, Value]) -> str:
    names = [name for each in _SHOWN if (name := f"{ring}.{each}") in shown]
    return ", ".join(f"{name} {plain(shown[name])}" for name in names)


def _number(number: int, what: str) -> tuple[str, str]:
    """Returns a number and what it counts."""
    plural = f"{what[:-1]}ies" if what.endswith("y") else f"{what}s"
    return f"{number:,}", what if number == 1 else plural


def ending(end: End) -> str:
    """Returns how the run continues, in sentences."""
    few, many = end.under_way
    entries = " to ".join(dict.fromkeys((f"{few:,}", f"{many:,}")))
    under_way = f"{entries} {_number(many, 'entry')[1]} {'is' if many == 1 else 'are'} not completed. " if many else ""
    if not end.may:
        return under_way + _not_stuck(end)
    after = f" ({' '.join(_number(end.more, 'step'))} after the last event)" if end.more else ""
    told = "; ".join(end.waits)
    said = [f"Its end {'is STUCK' if end.stuck else 'may be stuck'}{after}: {told}."]
    if end.completes:
        said.append("Other continuations complete what was submitted.")
    elif not end.known:
        said.append("Whether every continuation ends so is not known: too many may follow.")
    return under_way + " ".join([*said, *_waking(end.wakes)])


def _not_stuck(end: End) -> str:
    if end.known:
        with_no_more = "every continuation completes what was submitted, with no more from the guest."
        return f"Its end is not stuck: {with_no_more if end.under_way[1] else 'what was submitted is completed.'}"
    if end.completes:
        return (
            "Its end is not stuck in every continuation: some complete what was submitted. Whether others do not is "
            "not known: too many may follow."
        )
    return "Whether its end is stuck is not known: too many continuations may follow."


def _waking(wakes: Sequence[Wakes]) -> list[str]:
    """Returns sentences that say what a submission would change."""
    may = [wake for wake in wakes if wake.most]
    return [_would(wake) for wake in may] or ["The guest has no free command slot, so it cannot submit."]


def _would(wake: Wakes) -> str:
    *others, last = wake.tried
    entries = " ".join(_number(last, "entry"))
    if not wake.known:
        return f"Whether a submission of {entries} to {wake.label} ends that is not known: too much may follow."
    if wake.helps:
        fewer = f", and one of {others[-1]:,} may not" if others else ""
        return f"A submission of {entries} to {wake.label} ends that{fewer}."
    if wake.never and len(wake.tried) == wake.most:
        return f"No submission to {wake.label} ends that; it can take {' '.join(_number(wake.most, 'entry'))}."
    numbers = " or ".join([*(f"{number:,}" for number in others), entries])
    return f"A submission of {numbers} to {wake.label} {'does' if wake.never else 'may'} not end that."


def rejected(to: Page, followed: Followed, may: Allowed | None, line: str) -> None:
    """Prints the event that does not fit, and what the model allows there."""
    failed = followed.failed
    assert failed is not None
    name, of = followed.instance.name, len(followed.log.events)
    verdict = "no run was found" if followed.unsure else "rejected"
    style = "bold magenta" if followed.unsure else "bold red"
    to.fold(f"{name}: {verdict}, {followed.accepted:,} of {of:,} events fit", style)
    to.say(f"line {failed.line} does not: {_told(failed)}")
    wide = max(to.width - 5, 1)
    to.line(Text(f"  {line[:wide]}{'...' if len(line) > wide else ''}"))
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
    if followed.unsure:
        to.say(
            "Not all moves of the guest that the log leaves out were tried: the log does not show every read of a "
            "shadow tail, every doorbell and every EventIdx with its value. --moves any tries all moves, at small "
            "sizes."
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
