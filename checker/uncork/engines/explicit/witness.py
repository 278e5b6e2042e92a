"""From the graph to a trace: a shortest way to the earliest fair part, and a fair loop from there.

The loop is a shortest one wherever an exact search ends within a bound. To find a shortest walk that takes every
action it meets is hard in general (it contains the travelling salesman's problem); beyond the bound the loop is short,
and the verdict says so.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from functools import partial, reduce
from operator import or_
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from uncork.core.evaluate import State
from uncork.core.system import Fairness, System
from uncork.core.trace import Trace
from uncork.engines.explicit.explore import Graph
from uncork.engines.explicit.liveness import Meadow

_NODES = 50_000
"""Nodes of the exact search for a shortest loop; a tenth of a second."""
_ENTRIES = 16
"""Entries of equal depth that are tried."""

_Steps = list[tuple[int, int]]
"""A walk: the action and the state reached, for each step."""


def finite(graph: Graph, index: int, order: int, last: int | None = None) -> Trace:
    """The run to a state as seen after a permutation; with `last`, one more of the state's actions from there."""
    names, states = stem(graph, index, order)
    if last is not None:
        undone = graph.reduction.partners[graph.reduction.inverse(order)]
        take(graph.system, names, states, undone[last])
    return Trace(tuple(states), tuple(names))


def lasso(meadow: Meadow, parts: NDArray[np.int32], without: frozenset[str]) -> tuple[Trace, bool]:
    """The run into the fair part that is reached first and round a fair loop, and whether that loop is a shortest.

    Of several entries at the same least depth, the one with the shortest loop (of those, the first found). Where states
    were not told apart, a loop of the graph may have to be gone round several times, and once before the run is in it,
    until the run itself returns; it is then not known to be a shortest.
    """
    graph, fair = meadow.graph, np.flatnonzero(parts)
    depth = next(last for last in [*graph.levels, graph.count] if last * meadow.ways > fair[0])
    entries = fair[fair < depth * meadow.ways].tolist()
    loops = [Loops(meadow, parts, without, entry).find() for entry in entries[:_ENTRIES]]
    chosen = min(range(len(loops)), key=lambda k: len(loops[k][0]))
    entry, (loop, _) = entries[chosen], loops[chosen]
    shortest = not loop or (graph.reduction.trivial and len(entries) <= _ENTRIES and all(exact for _, exact in loops))
    names, states = stem(graph, *divmod(entry, meadow.ways))
    return closed(graph, names, states, loop), shortest


def closed(graph: Graph, names: list[str], states: list[State], loop: _Steps) -> Trace:
    """The run that goes on round a loop of the graph until the run itself returns; it stays where the loop is empty."""
    if not loop:
        return Trace(tuple(states), tuple(names), len(names))
    rounds = [len(names)]
    while True:
        for action, _ in loop:
            take(graph.system, names, states, action)
        for start in rounds:
            if states[start] == states[-1]:
                end = len(names)
                while start > rounds[0] and states[start - 1] == states[end - 1]:  # in it before the round is over
                    start, end = start - 1, end - 1
                return Trace(tuple(states[:end]), tuple(names[:end]), start)
        rounds.append(len(names))


def stem(graph: Graph, index: int, order: int) -> tuple[list[str], list[State]]:
    """A shortest run to a state as seen after a permutation: the actions and states of the system itself."""
    system, reduction = graph.system, graph.reduction
    names: list[str] = []
    states: list[State] = [system.initial]
    seen = graph.turned
    for action, turn in graph.path(index):
        take(system, names, states, reduction.partners[reduction.inverse(seen)][action])
        seen = reduction.after(seen, turn)
    change = reduction.after(seen, reduction.inverse(order))
    if change:
        names, states = renamed(graph, change, names, states)
    return names, states


def renamed(graph: Graph, change: int, names: Sequence[str], states: Sequence[State]) -> tuple[list[str], list[State]]:
    """A run with its replicas permuted: as good a run as before."""
    numbers = {action.name: number for number, action in enumerate(graph.system.actions)}
    partners, renaming = graph.reduction.partners[change], graph.reduction.renamings[change]
    actions = [graph.system.actions[partners[numbers[name]]].name for name in names]
    return actions, [renaming.state(state) for state in states]


def take(system: System, names: list[str], states: list[State], action: int) -> None:
    """Adds a step to a run."""
    taken = system.actions[action]
    names.append(taken.name)
    states.append(system.after(states[-1], taken))


class _Debt(NamedTuple):
    """What a walk has met: steps enabled somewhere, enabled in every state, and taken (as sets of bits)."""

    seen: int
    throughout: int
    taken: int


class Loops:
    """Fair loops through one node of a fair part."""

    def __init__(self, meadow: Meadow, parts: NDArray[np.int32], without: frozenset[str], entry: int) -> None:
        self.meadow, self.parts, self.entry = meadow, parts, entry
        self.part, self.forbidden = int(parts[entry]), meadow.marked(without)
        system = meadow.graph.system
        duties = list(system.duties.values())
        self.strong = sum(1 << k for k, each in enumerate(duties) if each[0].fairness is Fairness.STRONG)
        self.weak = sum(1 << k for k, each in enumerate(duties) if each[0].fairness is Fairness.WEAK)
        numbers = {action.name: 1 << k for k, each in enumerate(duties) for action in each}
        self.duty = [numbers[action.name] for action in system.actions]
        self.pays = [duty & (self.strong | self.weak) for duty in self.duty]
        self.edges: dict[int, _Steps] = {}
        self.enabled: dict[int, int] = {}

    def find(self) -> tuple[_Steps, bool]:
        """A fair loop, and whether it is a shortest; empty where nothing fair is enabled, so that to stay is a loop."""
        self._look(self.entry)
        start = _Debt(self.enabled[self.entry] & self.strong, self.enabled[self.entry] & self.weak, 0)
        if not self._owed(start):
            return [], True
        exact = self._search(start)
        return (exact, True) if exact is not None else (self._shortened(self._greedy(start)), False)

    def _look(self, state: int) -> _Steps:
        if state not in self.edges:
            steps = self.meadow.edges(state)
            self.enabled[state] = reduce(or_, (self.duty[a] for a, _ in steps), 0)
            self.edges[state] = [(a, t) for a, t in steps if self.parts[t] == self.part and not self.forbidden[a]]
        return self.edges[state]

    def _owed(self, debt: _Debt) -> int:
        return (debt.seen | debt.throughout) & ~debt.taken

    def _pay(self, debt: _Debt, action: int, target: int) -> _Debt:
        self._look(target)
        enabled = self.enabled[target]
        return _Debt(debt.seen | enabled & self.strong, debt.throughout & enabled, debt.taken | self.pays[action])

    def _search(self, start: _Debt) -> _Steps | None:
        """A shortest fair loop, breadth first over (state, debt); None beyond the bound."""
        first = (self.entry, *start)
        came: dict[tuple[int, int, int, int], tuple[tuple[int, int, int, int], int] | None] = {first: None}
        queue = deque([first])
        while queue and len(came) < _NODES:
            node = queue.popleft()
            state, seen, throughout, taken = node
            for action, target in self._look(state):
                if target not in self.enabled:
                    self._look(target)
                enabled = self.enabled[target]
                following = target, seen | enabled & self.strong, throughout & enabled, taken | self.pays[action]
                if following in came:
                    continue
                came[following] = (node, action)
                if target == self.entry and not self._owed(_Debt(*following[1:])):
                    steps: _Steps = []
                    back = following
                    while (before := came[back]) is not None:
                        steps.append((before[1], back[0]))
                        back = before[0]
                    return steps[::-1]
                queue.append(following)
        return None

    def _greedy(self, debt: _Debt) -> _Steps:
        """Always to the nearest step that pays a debt; home when nothing is owed, and on if the way home met more."""
        walk: _Steps = []
        here = self.entry
        while self._owed(debt) or here != self.entry:
            wanted: Callable[[int, int], bool] = partial(self._pays, debt) if self._owed(debt) else self._returns
            way = self._way(here, wanted)
            for action, target in way:
                debt = self._pay(debt, action, target)
            walk += way
            here = walk[-1][1]
        return walk

    def _returns(self, _: int, target: int) -> bool:
        return target == self.entry

    def _pays(self, debt: _Debt, action: int, target: int) -> bool:
        """Whether a step takes an action that is owed, or leads to where one owed for lasting is disabled."""
        return bool(self._owed(debt) & ~self._owed(self._pay(debt, action, target)))

    def _way(self, here: int, wanted: Callable[[int, int], bool]) -> _Steps:
        came: dict[int, tuple[int, int] | None] = {here: None}
        queue = deque([here])
        while queue:
            state = queue.popleft()
            for action, target in self._look(state):
                if wanted(action, target):
                    steps = [(action, target)]
                    while (before := came[state]) is not None:
                        steps.append((before[1], state))
                        state = before[0]
                    return steps[::-1]
                if target not in came:
                    came[target] = (state, action)
                    queue.append(target)
        raise AssertionError("a strongly connected part that is not connected")

    def _shortened(self, walk: _Steps) -> _Steps:
        """The walk without the detours (from a state back to itself) that fairness does not need, longest first."""
        at = 0
        while at < len(walk):
            here = walk[at - 1][1] if at else self.entry
            for end in range(len(walk) - 1, at, -1):
                shorter = walk[:at] + walk[end:]
                if walk[end - 1][1] == here and not self._owed(self._total(shorter)):
                    walk = shorter
                    break
            at += 1
        return walk

    def _total(self, walk: _Steps) -> _Debt:
        debt = _Debt(self.enabled[self.entry] & self.strong, self.enabled[self.entry] & self.weak, 0)
        for action, target in walk:
            debt = self._pay(debt, action, target)
        return debt
