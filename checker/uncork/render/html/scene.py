"""Turns a replayed trace into a scene: plain data that a page can play step by step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from uncork.core.causes.cause import Cause, cause
from uncork.core.evaluate import State
from uncork.core.property import Property
from uncork.core.sorts import Value
from uncork.core.system import System
from uncork.core.trace import Trace, replay
from uncork.render import story


@dataclass(frozen=True)
class Scene:
    """A counterexample: its run, and the sentences about one property.

    Properties refuted by one run have equal runs: a page stores each once. Variables and actors are given by their
    index in the lists of the `stage`.
    """

    run: dict[str, Any]
    cause: Cause
    headline: str
    wakers: tuple[int, ...]


def stage(system: System) -> dict[str, Any]:
    """Returns the stage of a system: its variables, actors and rings. Equal systems have equal stages."""
    places = {variable.name: place for place, variable in enumerate(system.variables)}
    rings = [
        {
            "title": picture.title,
            "size": picture.size,
            "marks": [[mark, places[variable]] for mark, variable in picture.marks],
            "slots": None if picture.slots is None else places[picture.slots],
            "empty": picture.empty,
        }
        for picture in system.pictures
    ]
    variables = [[v.name, v.doc] for v in system.variables]
    return {"variables": variables, "actors": list(dict.fromkeys(a.actor for a in system.actions)), "rings": rings}


def scene(system: System, prop: Property, trace: Trace) -> Scene:
    """Returns the scene of a trace that refutes `prop`. Raises `ReplayError` if the trace does not."""
    replay(system, trace, prop)
    actors = {actor: place for place, actor in enumerate(stage(system)["actors"])}
    taken, reasons = story.obligations(system, trace)
    run = {
        "first": whole(system, trace.states[0]),
        "steps": [
            [
                actors[line.actor],
                line.action,
                line.did,
                changes(system, trace.states[line.number - 1], trace.after(line.number - 1)),
            ]
            for line in story.lines(system, trace)
        ],
        "loop": trace.loop,
        "stuck": trace.stuck,
        "ending": story.ending(trace),
        "taken": [action.name for action in taken],
        "reasons": [[why, [action.name for action in actions]] for why, actions in reasons],
    }
    last = tuple(line.number for line in story.wakers(system, prop, trace))
    return Scene(run, cause(system, prop, trace), story.headline(prop, trace), last)


def whole(system: System, state: State) -> list[Any]:
    """Returns the values of a state, in the order of the stage's variables."""
    return [_value(state[v.name]) for v in system.variables]


def changes(system: System, before: State, after: State) -> list[list[Any]]:
    """Returns the indices and new values of the variables that differ after a step."""
    return [
        [place, _value(after[v.name])] for place, v in enumerate(system.variables) if before[v.name] != after[v.name]
    ]


def _value(value: Value) -> Any:
    """Returns a value as JSON data: booleans as yes or no, arrays as lists, others unchanged."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return [_value(each) for each in value] if isinstance(value, tuple) else value
