"""Turns a replayed trace into a scene: plain data that a page can play step by step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from uncork.core.causes.cause import Cause, cause
from uncork.core.property import Property
from uncork.core.sorts import Value
from uncork.core.system import System
from uncork.core.trace import Trace, replay
from uncork.render import story


@dataclass(frozen=True)
class Scene:
    """A counterexample: its stage, its run, and the sentences about one property.

    Equal systems have equal stages, and properties refuted by one run have equal runs: a page stores each once.
    Variables and actors are given by their index in a list.
    """

    stage: dict[str, Any]
    run: dict[str, Any]
    cause: Cause
    headline: str
    wakers: tuple[int, ...]


def scene(system: System, prop: Property, trace: Trace) -> Scene:
    """Returns the scene of a trace that refutes `prop`. Raises `ReplayError` if the trace does not."""
    replay(system, trace, prop)
    places = {variable.name: place for place, variable in enumerate(system.variables)}
    actors = {actor: place for place, actor in enumerate(dict.fromkeys(action.actor for action in system.actions))}
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
    stage = {"variables": [[v.name, v.doc] for v in system.variables], "actors": list(actors), "rings": rings}
    taken, reasons = story.obligations(system, trace)
    run = {
        "first": [_value(trace.states[0][v.name]) for v in system.variables],
        "steps": [
            [actors[line.actor], line.action, line.did, _changes(system, trace, line.number)]
            for line in story.lines(system, trace)
        ],
        "loop": trace.loop,
        "stuck": trace.stuck,
        "ending": story.ending(trace),
        "taken": [action.name for action in taken],
        "reasons": [[why, [action.name for action in actions]] for why, actions in reasons],
    }
    last = tuple(line.number for line in story.wakers(system, prop, trace))
    return Scene(stage, run, cause(system, prop, trace), story.headline(prop, trace), last)


def _changes(system: System, trace: Trace, number: int) -> list[list[Any]]:
    """Returns the indices and new values of the variables that a step changed."""
    before = trace.states[number - 1]
    after = trace.after(number - 1)
    return [
        [place, _value(after[v.name])] for place, v in enumerate(system.variables) if before[v.name] != after[v.name]
    ]


def _value(value: Value) -> Any:
    """Returns a value as JSON data: booleans as yes or no, arrays as lists, others unchanged."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return [_value(each) for each in value] if isinstance(value, tuple) else value
