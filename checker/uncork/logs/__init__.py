"""Logs of runs of devices: what each says, as events of the model; a module for each form that a log may have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from uncork_nvme.choices import MAX_SIZE, Choice
from uncork_nvme.state.actors import Storing
from uncork_nvme.state.queues import SQ

from uncork.core.sorts import Value
from uncork.core.system import Action


class LogError(ValueError):
    """A line of a log that cannot be read; the message says what is wrong with it."""

    def __init__(self, line: int, why: str) -> None:
        super().__init__(why)
        self.line = line


@dataclass(frozen=True, slots=True)
class Seen:
    """An event of a log: the line, what happened (see `uncork_nvme.observe`), to which SQ, by which of its workers.

    `saw` are values just after it by the name of what they are of; just as of a `look`, which is no step.
    """

    line: int
    event: str
    sq: int | None = None
    worker: int | None = None
    saw: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True)
class Header:
    """What a log says of itself, each of which may be left open; sizes in entries.

    `always` are the events that are in the log whenever they happen; all others may have been left out. `variant` is
    the log's own name for its device, policy and overrides; `setting` are choices that hold whatever the device.
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
        """This one, with what the other says over it."""
        given = {
            name: value
            for name in ("device", "guest", "policy", "sqs", "sq_size", "cq_size")
            if (value := getattr(other, name)) is not None
        }
        return replace(self, **given, overrides={**self.overrides, **other.overrides})


@dataclass(frozen=True)
class Log:
    """A header and the events after it, in their order."""

    header: Header
    events: Sequence[Seen]


MOST = 256
"""SQs of a CQ, and workers of an SQ, in a log: a machine grows with their square."""


def count(line: int, name: str, value: Any, most: int = MAX_SIZE) -> int:
    """A number of things, 1 or more, as a line of a log says it; raises `LogError`."""
    if type(value) is not int or not 1 <= value <= most:
        raise LogError(line, f"{name!r} has to be a whole number from 1 to {most}, not {value!r:.60}")
    return value


def numbered(lines: Iterator[str]) -> Iterator[tuple[int, str]]:
    """The lines that are not empty, from 1."""
    for number, line in enumerate(lines, 1):
        if stripped := line.strip():
            yield number, stripped


def parts(action: Action) -> tuple[int | None, int | None]:
    """The numbers of the SQ and of the worker that an action is of, where it is of one."""
    sq = next((each.number for each in action.args if isinstance(each, SQ)), None)
    worker = next((each.number for each in action.args if isinstance(each, Storing)), None)
    return sq, worker
