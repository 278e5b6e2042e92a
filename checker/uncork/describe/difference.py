"""What differs between two devices, guests, policies, designs or instances: settings, steps and recorded verdicts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from functools import cached_property
from typing import Any, NamedTuple

from uncork_nvme.choices import Choice
from uncork_nvme.instance import Instance, InstanceError
from uncork_properties.expected import recorded, word

from uncork.core.frozen import frozen
from uncork.describe.program import Line, Part
from uncork.describe.subject import Subject, known


class Changed(NamedTuple):
    """The lines of one actor that only the first program has, or only the second, or both with another guard or update.

    The sign of a line is -, + or ~.
    """

    actor: str
    lines: list[tuple[str, Line]]


class Outcome(NamedTuple):
    """Two words for recorded verdicts (`expected.word`, without steps), and where the two sides are recorded so."""

    before: str
    after: str
    at: list[str]


@frozen
class Difference:
    """The differences of two subjects of one kind."""

    one: Subject
    other: Subject

    @cached_property
    def settings(self) -> dict[str, tuple[str, str]]:
        """What is set otherwise: device, guest, policy and shape, parts by slot, and choices."""
        one, other = _settings(self.one), _settings(self.other)
        return {name: (value, other[name]) for name, value in one.items() if value != other[name]}

    @cached_property
    def program(self) -> list[Changed]:
        """The lines that differ, by actor."""
        one, other = ({part.actor: part for part in each.program} for each in (self.one, self.other))
        actors = dict.fromkeys([*one, *other])
        like = self.one.instance.shape == self.other.instance.shape
        found = [Changed(actor, list(_changed(one.get(actor), other.get(actor), like=like))) for actor in actors]
        return [each for each in found if each.lines]

    @cached_property
    def verdicts(self) -> list[Outcome]:
        """The recorded verdicts of both sides, with the same rest of an instance: guest, sizes, further overrides."""
        found: dict[tuple[str, str], list[str]] = {}
        sides = [_recorded(self.one, self.other), _recorded(self.other, self.one)]
        for rest in sorted(sides[0], key=lambda rest: any("=" in each for each in rest)):
            if rest in sides[1]:
                found.setdefault((sides[0][rest], sides[1][rest]), []).append("/".join(rest))
        return [Outcome(before, after, at) for (before, after), at in found.items()]

    @property
    def data(self) -> dict[str, Any]:
        """The differences as plain data."""
        return {
            "from": self.one.name,
            "to": self.other.name,
            "settings": {name: list(pair) for name, pair in self.settings.items()},
            "program": [
                {"actor": actor, "lines": [{"sign": sign, **vars(line)} for sign, line in lines]}
                for actor, lines in self.program
            ],
            "verdicts": [each._asdict() for each in self.verdicts],
        }


def difference(one: str, other: str) -> Difference:
    """The difference of two names; raises `InstanceError` if they stand for different kinds of things."""
    found = Difference(known(one), known(other))
    if found.one.kind != found.other.kind:
        raise InstanceError(
            f"{one} is a {found.one.kind} and {other} a {found.other.kind}: name two of a kind, such as two devices"
        )
    return found


def _settings(of: Subject) -> dict[str, str]:
    instance = of.instance
    assembled = instance.assembled
    parts = {f"part: {part.slot}": type(part).__name__ for part in assembled.all}
    named = {name: str(getattr(instance, name)) for name in ("device", "guest", "policy", "shape")}
    chosen = {name: str(value) for name, value in instance.choices.items().items()}
    return named | parts | chosen


def _changed(one: Part | None, other: Part | None, *, like: bool) -> Iterator[tuple[str, Line]]:
    """The lines that differ; guards and updates are compared if the sizes are `like`."""
    before, after = (each.lines if each else () for each in (one, other))
    for _, start, end, first, last in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        removed, added = before[start:end], after[first:last]
        if removed != added:
            yield from (("-", line) for line in removed)
            yield from (("+", line) for line in added)
        elif like:
            for line, now in zip(removed, added, strict=True):
                if (line.guard, line.updates) != (now.guard, now.updates):
                    yield "~", now


# -- what is recorded --------------------------------------------------------------------------------------------------
_FIXED = {
    "device": ("device", "policy"),
    "guest": ("guest",),
    "policy": ("policy",),
    "design": ("device", "guest", "policy"),
    "instance": ("device", "guest", "policy", "shape"),
}
"""What of an instance a name says, by its kind. The rest may be anything, and is the same on both sides."""


def _recorded(of: Subject, than: Subject) -> dict[tuple[str, ...], str]:
    """The recorded verdicts of a subject, in a word, by the rest of the instance."""
    found = {}
    fixed = _FIXED[of.kind]
    mine, its = of.instance.overrides, than.instance.overrides
    for instance, expected in recorded().values():
        if all(getattr(instance, name) == getattr(of.instance, name) for name in fixed):
            more = _more(instance.overrides, mine)
            if more is not None and not (more.keys() & its.keys()):
                found[_rest(instance, fixed, more)] = word(expected.by_verdict.verdicts)
    return found


def _more(overrides: Mapping[str, Choice], of: Mapping[str, Choice]) -> dict[str, Choice] | None:
    """The overrides besides those of a subject; None if they are not among them."""
    if not of.items() <= overrides.items():
        return None
    return {name: value for name, value in overrides.items() if name not in of}


def _rest(instance: Instance, fixed: Sequence[str], more: Mapping[str, Choice]) -> tuple[str, ...]:
    free = [str(getattr(instance, name)) for name in ("device", "guest", "policy", "shape") if name not in fixed]
    return (*free, ",".join(f"{name}={value}" for name, value in sorted(more.items()))) if more else tuple(free)
