"""The logs that are changed, and the changes."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from uncork.core.evaluate import State
from uncork.core.system import Action
from uncork.logs import Log, write
from uncork.logs.read import read
from uncork.trace.runs import stored, walk
from uncork.validate import follow
from uncork_nvme.catalogue import DEVICES
from uncork_nvme.instance import Instance, from_name
from uncork_nvme.observe import families

from pages import ROOT

_SEES = (
    *("ring_sq", "ring_cq", "take_sq", "recheck_sq", "write_sq"),
    *("reserve_cq", "recheck_cq", "cqe", "credit", "write_cq"),
)
"""What a device sees of its guest, and does to the shared words."""

_STORED = "a stored counterexample, every step"
_SEEN = "a stored counterexample, only what the device sees and writes"
_QEMU = ROOT / "tests" / "data" / "qemu-7.2.22-linux-6.1-depth-8.log"
_PROBED = "propolis-2026/linux/tail-lag/n1-sq4-cq4"


@dataclass(frozen=True)
class Source:
    """A log that is accepted: its kind, format, lines and instance; and how many changes of each kind are made."""

    kind: str
    format: str
    lines: Sequence[str]
    instance: Instance
    changes: int
    log: Log = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "log", read(iter(self.lines), self.format))

    @property
    def places(self) -> list[int]:
        """The places of the lines that are events."""
        return sorted({seen.line - 1 for seen in self.log.events})


# -- the logs ----------------------------------------------------------------------------------------------------------
def sources(every: int = 8) -> Iterator[Source]:
    """Yields the logs that are changed; of the stored counterexamples one in `every`."""
    for path in sorted((ROOT / "counterexamples").glob("*.itf.json"))[::every]:
        of = stored(str(path))
        seen = {family for event in _SEES for family in families(event, of.instance.system)}
        for kind, only in ((_STORED, None), (_SEEN, seen)):
            yield Source(kind, "uncork", list(write.log(of.instance, write.steps(of.run), only)), of.instance, 5)
    for name, device in DEVICES.items():
        instance = Instance(name, "linux", device.policy, 1, 4, 4, {})
        lines = list(write.log(instance, walk(instance, 100, 0)))
        yield Source("a random run of each device, every step", "uncork", lines, instance, 3)
    lines = list(probes(from_name(_PROBED), 400, 0))
    yield Source("a random run as Propolis's probes show it", "dtrace", lines, from_name(_PROBED), 40)
    lines = _QEMU.read_text().splitlines()
    yield Source("Linux 6.1 on QEMU 7.2.22, QEMU's trace", "qemu", lines, from_name("qemu/linux/head/n1-sq8-cq8"), 40)


def probes(instance: Instance, steps: int, seed: int) -> Iterator[str]:
    """Yields a random run as dtrace prints the probes that fire."""
    actions = {action.name: action for action in instance.system.actions}
    for time, (name, was, now) in enumerate(walk(instance, steps, seed), 1000):
        if fires := _fires(actions[name], was, now):
            yield f"{time} {fires}"


_SQ = _CQ = 3 << 16 | 2
"""Queue 2 of controller 3."""


def _fires(action: Action, was: State, now: State) -> str | None:
    match action.family:
        case "fetch" | "find_empty" | "reread_sq":
            return f"nvme_sq_dbbuf_read {_SQ} {now['sq0.shadow']} {was['sq0.head']}"
        case "refresh" | "cork" | "post_read" | "post_credit":
            return f"nvme_cq_dbbuf_read {_CQ} {now['cq.shadow']} {was['cq.head']}"
        case "arm_sq":
            return f"nvme_sq_dbbuf_write {_SQ} {now['sq0.event']} 0"
        case "post_arm":
            return f"nvme_cq_dbbuf_write {_CQ} {now['cq.event']} -1"
        case "post":
            return f"nvme_cqe {_CQ} {was['cq.tail']} 1"
        case "ring_sq":
            return f"nvme_doorbell 4112 {_SQ} 0 {now['sq0.shadow']}"
        case "ring_cq":
            return f"nvme_doorbell 4116 {_CQ} 1 {now['cq.shadow']}"
    return None


# -- the changes -------------------------------------------------------------------------------------------------------
Changed: TypeAlias = "tuple[str, int, list[str]]"
"""A changed log: the kind of the change, the place of the line, and all lines."""


def changes(source: Source, drawn: random.Random, number: int) -> Iterator[Changed]:
    """Yields changed logs of each kind, at places drawn at random; none equals the log."""
    places = source.places
    for _ in range(number):
        at = drawn.choice(places)
        if other := _changed(source, at, drawn):
            yield "change", at, [*source.lines[:at], other, *source.lines[at + 1 :]]
        at = drawn.choice(places)
        yield "drop", at, [*source.lines[:at], *source.lines[at + 1 :]]
        if len(places) > 1:
            which = drawn.randrange(len(places) - 1)
            one, two = places[which], places[which + 1]
            lines = list(source.lines)
            lines[one], lines[two] = _swapped(source, lines[one], lines[two])
            if lines != list(source.lines):
                yield "swap", one, lines
        at = drawn.choice(places[1:] or places)
        yield "cut", at, list(source.lines[:at])


def _swapped(source: Source, one: str, two: str) -> tuple[str, str]:
    if source.format != "dtrace":
        return two, one
    (first, what), (second, then) = one.split(" ", 1), two.split(" ", 1)  # the times stay where they are
    return f"{first} {then}", f"{second} {what}"


def _changed(source: Source, at: int, drawn: random.Random) -> str | None:
    """Returns a line with another value; None if it has none."""
    line = source.lines[at]
    if source.format == "uncork":
        return _other_value(source, line, drawn)
    if source.format == "qemu":
        found = list(re.finditer(r"\d+$", line)) if " new_" in line else []
    else:
        numbers = list(re.finditer(r"-?\d+", line))  # the time, the queue, and what the probe shows
        probe = line.split()[1]
        found = numbers[4:5] if "doorbell" in probe else numbers[2:4] if "read" in probe else numbers[2:3]
    if not found:
        return None
    where = drawn.choice(found)
    size = source.instance.cq_size if re.search("_cq|cqe", line) else source.instance.sq_size
    value = (int(where[0]) + drawn.randrange(1, size)) % size
    return f"{line[: where.start()]}{value}{line[where.end() :]}"


def _other_value(source: Source, line: str, drawn: random.Random) -> str | None:
    told, shows = json.loads(line), follow.Reader(source.instance).shows
    names = [name for name in told if "." in name]
    if not names:
        return None
    name = drawn.choice(names)
    told[name] = drawn.choice([value for value in shows[name].sort.values() if value != told[name]])
    return json.dumps(told)
