"""The graph of a model, as far as a harness can be led through it: states at rest, and the moves between them.

Threads that a harness cannot step have nothing left to do in every state of this graph: a transition ends in one of the
states in which they have come to rest. A harness that steps every thread can be led through every state of the model.
"""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Callable, Iterator, Sequence
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

    def nearest(
        self, start: Sequence[Plain], wanted: Callable[[Plain], Sequence[str]], usable: Callable[[Plain, str], bool]
    ) -> Iterator[list[str]]:
        """Yields the fewest actions that lead from one of some states through a wanted one, which is the last.

        Those to the nearest state come first. `wanted` are the actions that are wanted in a state, `usable` says which
        transitions may be taken to get there.
        """
        came: dict[Plain, tuple[Plain, str] | None] = dict.fromkeys(start)
        queue = deque(start)
        while queue:
            state = queue.popleft()
            for last in wanted(state)[:1]:
                way, at = [last], came[state]
                while at is not None:
                    way.append(at[1])
                    at = came[at[0]]
                yield way[::-1]
            for action, targets in self.edges[state].items():
                for target in targets:
                    if target not in came and usable(state, action):
                        came[target] = (state, action)
                        queue.append(target)


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
