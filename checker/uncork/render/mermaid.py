"""A trace as a Mermaid sequence chart: actors as lanes, a box round the loop."""

from __future__ import annotations

from uncork.core.property import Property
from uncork.core.system import System
from uncork.core.trace import Trace
from uncork.render import story


def chart(system: System, prop: Property, trace: Trace) -> str:
    """The chart's source."""
    steps = list(story.lines(system, trace))
    lanes = {actor: f"A{number}" for number, actor in enumerate(dict.fromkeys(line.actor for line in steps))}
    out = ["sequenceDiagram", *(f"    participant {lane} as {_quoted(actor)}" for actor, lane in lanes.items())]
    looping = False
    for line in steps:
        if line.in_loop and not looping:
            out.append("    loop for ever")
            looping = True
        rings = "".join(f"<br/>{_quoted(ring)}" for ring in line.rings)
        lane = lanes[line.actor]
        out.append(f"    {lane}->>{lane}: {line.number}. {_quoted(line.did)}{rings}")
    if looping:
        out.append("    end")
    if lanes:
        first, last = next(iter(lanes.values())), list(lanes.values())[-1]
        over = first if first == last else f"{first},{last}"
        out.append(f"    Note over {over}: {_quoted(story.headline(prop, trace))}")
    return "\n".join(out) + "\n"


def _quoted(words: str) -> str:
    """Text without what Mermaid takes for syntax."""
    return "".join({"#": "#35;", ";": "#59;", "<": "#lt;", ">": "#gt;"}.get(letter, letter) for letter in words)
