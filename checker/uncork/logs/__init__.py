"""Reads logs of real devices as events of the model. Every log format has a module."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from uncork_nvme.choices import MAX_SIZE, Choice
from uncork_nvme.observe import EVENTS, FAMILIES, LOOK
from uncork_nvme.state.actors import Storing
from uncork_nvme.state.queues import SQ

from uncork.core.sorts import Value, did_you_mean
from uncork.core.system import Action


class LogError(ValueError):
    """A line of a log cannot be read. The message says what is wrong with the line."""

    def __init__(self, line: int, why: str) -> None:
        super().__init__(why)
        self.line = line


@dataclass(frozen=True, slots=True)
class Seen:
    """An event of a log: its line, its kind (see `uncork_nvme.observe`), its SQ, and the SQ's worker.

    `saw` maps names to values just after the event. A `look` has only values: it is no step.
    """

    line: int
    event: str
    sq: int | None = None
    worker: int | None = None
    saw: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True)
class Header:
    """The header of a log. Every field may be missing. Sizes are in entries.

    `always` are the events that are logged whenever they happen; others may be missing. `variant` is the log's own name
    for its device, policy and overrides. `setting` are choices that hold for every device.
    """

    device: str | None = None
    guest: str | None = None
    policy: str | None = None
    sqs: int | None = None
    sq_size: int | None = None
    cq_size: int | None = None
    overrides: Mapping[str, Choice] = field(default_factory=dict)
    always: tuple[str, ...] = ()
    variant: str = ""
    setting: Mapping[str, Choice] = field(default_factory=dict)

    def under(self, other: Header) -> Header:
        """Returns this header with the fields of another header over it."""
        given = {
            name: value
            for name in ("device", "guest", "policy", "sqs", "sq_size", "cq_size")
            if (value := getattr(other, name)) is not None
        }
        return replace(self, **given, overrides={**self.overrides, **other.overrides})


@dataclass(frozen=True)
class Log:
    """A header and the events after it, in order."""

    header: Header
    events: Sequence[Seen]


MOST = 256
"""The most SQs of a CQ, and workers of an SQ, in a log: a machine grows with the square of these numbers."""


def count(line: int, name: str, value: Any, most: int = MAX_SIZE) -> int:
    """Returns a count from a line of a log, 1 or more. Raises `LogError` for any other value."""
    if type(value) is not int or not 1 <= value <= most:
        raise LogError(line, f"{name!r} has to be a whole number from 1 to {most}, not {value!r:.60}")
    return value


_EVENTS = (*EVENTS, *FAMILIES, LOOK)


def known(line: int, event: str) -> None:
    """Raises `LogError` if no event of the model has this name."""
    if event not in _EVENTS:
        near = did_you_mean(event, _EVENTS) if len(event) < 40 else ""
        raise LogError(line, f"there is no event {event!r}{near}")


def numbered(lines: Iterator[str]) -> Iterator[tuple[int, str]]:
    """Yields the nonempty lines with their numbers, from 1."""
    for number, line in enumerate(lines, 1):
        if stripped := line.strip():
            yield number, stripped


def parts(action: Action) -> tuple[int | None, int | None]:
    """Returns the numbers of the SQ and the worker of an action; None if the action has none."""
    sq = next((each.number for each in action.args if isinstance(each, SQ)), None)
    worker = next((each.number for each in action.args if isinstance(each, Storing)), None)
    return sq, worker
