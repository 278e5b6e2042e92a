"""The nearest states of a graph that are wanted, again and again, in machine code.

The search is breadth first, and takes the transitions of a state in their order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate, chain
from typing import Any

import numpy as np

from uncork.engines.compiling import compiled


class Nearest:
    """A graph, whose states are numbers from 0; `targets` has, for each state, where each of its transitions may lead.

    Transitions are numbered, those of the first state first. `wanted` says of each state whether it is wanted, and
    `usable` of each transition whether it may be taken; both may be written to.
    """

    def __init__(self, targets: Sequence[Sequence[Sequence[int]]]) -> None:
        edges = [*chain.from_iterable(targets)]
        self._first = _sums(map(len, targets))
        self._at = _sums(map(len, edges))
        self._to = np.fromiter(chain.from_iterable(edges), np.int64)
        states = len(targets)
        self.wanted, self.usable = np.zeros(states, np.int64), np.ones(len(edges), np.int64)
        self._queue, self._mark = np.zeros(states, np.int64), np.zeros(states, np.int64)
        self._came, self._source = np.zeros(states, np.int64), np.zeros(states, np.int64)
        self._searches = 0

    def edge(self, state: int, which: int) -> int:
        """The number of a transition of a state."""
        return int(self._first[state]) + which

    def from_(self, starts: Sequence[int]) -> Iterator[tuple[int, list[int]]]:
        """Yields the wanted states, the nearest first; each with the fewest transitions that lead there."""
        self._searches += 1
        place = np.array([0, len(starts)])
        for number, state in enumerate(starts):
            self._queue[number], self._mark[state], self._came[state] = state, self._searches, -1
        reached = self._queue, self._mark, self._came, self._source
        which_may, graph = (self.wanted, self.usable), (self._first, self._at, self._to)
        while (found := _next(place, self._searches, reached, which_may, graph)) >= 0:
            way, at = list[int](), found
            while (edge := int(self._came[at])) >= 0:
                way.append(edge)
                at = int(self._source[at])
            yield found, way[::-1]


def _sums(numbers: Iterator[int]) -> Any:
    return np.fromiter(accumulate(numbers, initial=0), np.int64)


@compiled
def _next(place: Any, search: int, reached: Any, which_may: Any, graph: Any) -> Any:
    """The next wanted state of a search; -1 if there is none. `place` has how much of the queue is done and filled."""
    queue, mark, came, source = reached
    wanted, usable = which_may
    first, at, to = graph
    done, filled = place[0], place[1]
    while done < filled:
        state = queue[done]
        done += 1
        for edge in range(first[state], first[state + 1]):
            if usable[edge]:
                for which in range(at[edge], at[edge + 1]):
                    target = to[which]
                    if mark[target] != search:
                        mark[target], came[target], source[target] = search, edge, state
                        queue[filled] = target
                        filled += 1
        if wanted[state]:
            place[0], place[1] = done, filled
            return state
    place[0], place[1] = done, filled
    return -1
