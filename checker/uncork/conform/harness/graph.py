"""The graph of a model, as far as a harness can be led through it: states at rest, and the moves between them.

Threads that a harness cannot step have nothing left to do in every state of this graph: a transition ends in one of the
states in which they have come to rest. A harness that steps every thread can be led through every state of the model.
"""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from uncork.conform.harness.threads import Roles
from uncork.core.system import System
from uncork.engines.python import Plain, successors
from uncork.engines.rest import Resting


@dataclass(frozen=True)
class Graph:
    """States and transitions: from a state, by an action, to one of some states."""

    first: tuple[Plain, ...]
    edges: dict[Plain, dict[str, tuple[Plain, ...]]]

    @property
    def transitions(self) -> int:
        """How many transitions there are."""
        return sum(map(len, self.edges.values()))


class Ways:
    """Finds the nearest of the states of a graph that are wanted, by transitions that are not refused."""

    def __init__(self, of: Graph, wanted: Iterable[Plain]) -> None:
        from uncork.engines.nearest import Nearest  # numpy

        self._of, self._number = of, {state: number for number, state in enumerate(of.edges)}
        self._states, self._actions = [*of.edges], [action for edges in of.edges.values() for action in edges]
        number = self._number
        self._search = Nearest(
            [[[number[each] for each in targets] for targets in edges.values()] for edges in of.edges.values()]
        )
        for state in wanted:
            self._search.wanted[number[state]] = 1

    def drops(self, state: Plain) -> None:
        """A state is no longer wanted."""
        self._search.wanted[self._number[state]] = 0

    def refuses(self, state: Plain, action: str) -> None:
        """A transition may no longer be taken."""
        edge = self._search.edge(self._number[state], [*self._of.edges[state]].index(action))
        self._search.usable[edge] = 0

    def nearest(self, start: Iterable[Plain]) -> Iterator[tuple[Plain, list[str]]]:
        """Yields the wanted states, the nearest to any of `start` first, and the fewest actions that lead there."""
        for state, way in self._search.from_([self._number[each] for each in start]):
            yield self._states[state], [self._actions[edge] for edge in way]


def graph(system: System, roles: Roles, most: int) -> Graph | None:
    """Returns the graph of a system; None if there are more than `most` states.

    Raises `TooManyStates` if so many may be passed before threads that run by themselves come to rest.
    """
    driven = successors(system, set(roles.moves))
    alone = Resting(system, roles.alone)

    @functools.cache
    def rests(state: Plain) -> tuple[Plain, ...]:
        """The states in which threads that run by themselves may come to rest."""
        return tuple(alone.rests([state], most).ends) if roles.alone else (state,)

    names = [action.name for action in system.actions]
    first = rests(tuple(system.initial.values()))
    edges: dict[Plain, dict[str, tuple[Plain, ...]]] = {state: {} for state in first}
    queue = deque(first)
    while queue:
        state = queue.popleft()
        edges[state] = {names[action]: rests(target) for action, target in driven(state) if target is not None}
        for targets in edges[state].values():
            for target in targets:
                if target not in edges:
                    edges[target] = {}
                    queue.append(target)
        if len(edges) > most:
            return None
    return Graph(first, edges)
