"""Graphviz DOT: the reachable states of a small system, and the actions between them."""

from __future__ import annotations

from uncork.core.evaluate import State
from uncork.core.sorts import plain
from uncork.core.system import System
from uncork.export import Inexpressible

LIMIT = 2000
"""The most states that Graphviz lays out in an acceptable time."""


def graph(system: System, limit: int = LIMIT) -> str:
    """The graph as DOT text. States are numbered breadth first, and have their values as a tooltip (in SVG).

    The initial state has a double border. A dashed state is out of range, and runs end there. A dashed step is not owed
    fairness. Raises `Inexpressible` if there are more than `limit` states.
    """
    found: list[State] = [system.initial]
    numbers = {tuple(system.initial.values()): 0}
    lines = []
    for number, state in enumerate(found):  # `found` grows in the loop
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
    """A DOT string literal for `words`."""
    return '"' + words.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
