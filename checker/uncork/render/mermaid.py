"""Writes a trace as a Mermaid sequence chart: actors as lanes, a box round the loop."""

from __future__ import annotations

from collections.abc import Sequence

from uncork.core.causes.cause import cause
from uncork.core.property import Property
from uncork.core.system import System
from uncork.core.trace import Trace
from uncork.render import story

_SYNTAX = {"#": "#35;", ";": "#59;", "<": "#lt;", ">": "#gt;", "%": "#37;", "`": "#96;", "\n": " "}


def chart(system: System, prop: Property, trace: Trace, most: int | None = None) -> str:
    """Returns the chart's source. Beyond `most` characters, steps in the middle are left out.

    A note in the chart then says which steps.
    """
    steps = list(story.lines(system, trace))
    lanes = {actor: f"A{number}" for number, actor in enumerate(dict.fromkeys(line.actor for line in steps))}
    first, last = (next(iter(lanes.values())), list(lanes.values())[-1]) if lanes else ("", "")
    over = first if first == last else f"{first},{last}"
    head = ["sequenceDiagram", *(f"    participant {lane} as {_quoted(actor)}" for actor, lane in lanes.items())]
    if lanes:
        head.append(f"    Note over {over}: {_quoted(cause(system, prop, trace).text)}")
    foot = [f"    Note over {over}: {_quoted(story.headline(prop, trace))}"] if lanes else []
    told = [_told(line, lanes[line.actor]) for line in steps]
    frame = ["    loop for ever", "    end"] if any(line.in_loop for line in steps) else []
    room = None if most is None else most - _size([*head, *frame, *foot])
    kept_first, kept_last = _kept(told, room, _left_out(over, len(steps), len(steps)))
    out, looping = head, False
    for index, line in enumerate(steps):
        if line.in_loop and not looping:
            out.append(frame[0])
            looping = True
        if index < kept_first or index >= len(steps) - kept_last:
            out.append(told[index])
        elif index == kept_first:
            out.append(_left_out(over, kept_first + 1, len(steps) - kept_last))
    if looping:
        out.append(frame[1])
    return "\n".join([*out, *foot]) + "\n"


def _told(line: story.Line, lane: str) -> str:
    rings = "".join(f"<br/>{_quoted(ring)}" for ring in line.rings)
    return f"    {lane}->>{lane}: {line.number}. {_quoted(line.did)}{rings}"


def _left_out(over: str, first: int, last: int) -> str:
    return f"    Note over {over}: steps {first} to {last} are left out here, as a chart may not be longer"


def _size(lines: Sequence[str]) -> int:
    return sum(len(line) + 1 for line in lines)


def _kept(told: Sequence[str], room: int | None, note: str) -> tuple[int, int]:
    """Returns how many steps are kept at the beginning and at the end; all steps if they fit."""
    if room is None or _size(told) <= room:
        return len(told), 0
    room -= _size([note])
    kept = [0, 0]
    while True:
        end = kept[0] >= kept[1]
        room -= len(told[-1 - kept[1]] if end else told[kept[0]]) + 1
        if room < 0:
            return kept[0], kept[1]
        kept[end] += 1


def _quoted(words: str) -> str:
    """Returns text without Mermaid's syntax characters."""
    return "".join(_SYNTAX.get(letter, letter) for letter in words)
