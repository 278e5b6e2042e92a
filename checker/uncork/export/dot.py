"""Graphviz DOT: the states that a small system reaches, and the actions between them."""

from __future__ import annotations

from uncork.core.evaluate import State
from uncork.core.sorts import plain
from uncork.core.system import System
from uncork.export import Inexpressible

LIMIT = 2000
"""Graphviz lays out no more states than this in a time that anyone waits for."""


def graph(system: System, limit: int = LIMIT) -> str:
    """The graph, states numbered as a breadth-first search finds them; each one's values are its tooltip (in SVG).

    The first state has a double border. Dashed is a state in which a variable left its sort; a run ends there. Dashed
    is a step that fairness does not owe. Raises `Inexpressible` if there are more than `limit` states.
    """
    found: list[State] = [system.initial]
    numbers = {tuple(system.initial.values()): 0}
    lines = []
    for number, state in enumerate(found):  # which grows
        strays = system.strays(state)
        style = ", style=dashed" if strays else ", peripheries=2" if number == 0 else ""
        lines.append(f"    {number} [tooltip={_quoted(_told(system, state))}{style}]")
        for action in [] if strays else system.enabled(state):
            after = system.after(state, action)
            target = numbers.setdefault(tuple(after.values()), len(found))
            if target == len(found):
                found.append(after)
            line = "" if action.fair else ", style=dashed"
            lines.append(f"    {number} -> {target} [label={_quoted(action.name)}{line}]")
        if len(found) > limit:
            raise Inexpressible(f"{system.name} has more than {limit:,} states: nobody can look at such a graph")
    return "\n".join([f"digraph {_quoted(system.name)} {{", "    node [shape=box]", *lines, "}"]) + "\n"


def _told(system: System, state: State) -> str:
    return "\n".join(f"{v.name}: {plain(state[v.name])}" for v in system.variables)


def _quoted(words: str) -> str:
    """A DOT string in which every letter stands for itself."""
    return '"' + words.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
