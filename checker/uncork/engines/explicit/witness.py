"""Traces from the graph: a shortest run to the earliest fair part, and a fair loop from there.

The loop is a shortest loop if an exact search ends within a bound. Finding a shortest walk that takes every action that
it meets is NP-hard (it contains the travelling salesman problem). Beyond the bound, the loop is short but perhaps not a
shortest loop, and the verdict says so.
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
from uncork.engines.explicit.liveness import Unfolded

_NODES = 50_000
"""The most nodes of the exact search for a shortest loop, which take a tenth of a second."""
_ENTRIES = 16
"""The most entries of equal depth from which a loop is searched."""

_Steps = list[tuple[int, int]]
"""A walk: (action, node reached) for each step."""


def finite(graph: Graph, index: int, order: int, last: int | None = None) -> Trace:
    """A shortest run to a state in an order of the replicas; with `last`, followed by that action of the state."""
    names, states = stem(graph, index, order)
    if last is not None:
        undone = graph.reduction.partners[graph.reduction.inverse(order)]
        take(graph.system, names, states, undone[last])
    return Trace(tuple(states), tuple(names))


def lasso(unfolded: Unfolded, parts: NDArray[np.int32], without: frozenset[str]) -> tuple[Trace, bool]:
    """A run to the fair part that is reached first and round a fair loop, and whether the loop is surely a shortest.

    Of several entries at the least depth, the entry with the shortest loop is used (of equal loops, the first found).
    If the graph is reduced, the run may have to go round a loop of the graph several times before its own state
    returns, and once before it enters its own loop. Such a loop is not known to be a shortest.
    """
    graph, fair = unfolded.graph, np.flatnonzero(parts)
    depth = next(last for last in [*graph.levels, graph.count] if last * unfolded.ways > fair[0])
    entries = fair[fair < depth * unfolded.ways].tolist()
    loops = [Loops(unfolded, parts, without, entry).find() for entry in entries[:_ENTRIES]]
    chosen = min(range(len(loops)), key=lambda k: len(loops[k][0]))
    entry, (loop, _) = entries[chosen], loops[chosen]
    shortest = not loop or (graph.reduction.trivial and len(entries) <= _ENTRIES and all(exact for _, exact in loops))
    names, states = stem(graph, *divmod(entry, unfolded.ways))
    return closed(graph, names, states, loop), shortest


def closed(graph: Graph, names: list[str], states: list[State], loop: _Steps) -> Trace:
    """The run that goes on round a loop of the graph until its own state returns. If the loop is empty, it is stuck."""
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
    """A shortest run to a state in an order of the replicas: the names of its actions, and its unreduced states."""
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
    """A run with its replicas permuted by `change`, which is a run of the system too."""
    numbers = {action.name: number for number, action in enumerate(graph.system.actions)}
    partners, renaming = graph.reduction.partners[change], graph.reduction.renamings[change]
    actions = [graph.system.actions[partners[numbers[name]]].name for name in names]
    return actions, [renaming.state(state) for state in states]


def take(system: System, names: list[str], states: list[State], action: int) -> None:
    """Appends a step to a run in place."""
    taken = system.actions[action]
    names.append(taken.name)
    states.append(system.after(states[-1], taken))


class _Debt(NamedTuple):
    """What fairness owes to a walk so far, as bit sets of steps.

    `seen`: strongly fair steps enabled somewhere. `throughout`: weakly fair steps enabled in every state. `taken`:
    steps taken.
    """

    seen: int
    throughout: int
    taken: int


class Loops:
    """Fair loops through one node of a fair part."""

    def __init__(self, unfolded: Unfolded, parts: NDArray[np.int32], without: frozenset[str], entry: int) -> None:
        self.unfolded, self.parts, self.entry = unfolded, parts, entry
        self.part, self.forbidden = int(parts[entry]), unfolded.marked(without).tolist()
        system = unfolded.graph.system
        duties = list(system.duties.values())
        self.strong = sum(1 << k for k, each in enumerate(duties) if each[0].fairness is Fairness.STRONG)
        self.weak = sum(1 << k for k, each in enumerate(duties) if each[0].fairness is Fairness.WEAK)
        numbers = {action.name: 1 << k for k, each in enumerate(duties) for action in each}
        self.duty = [numbers[action.name] for action in system.actions]
        self.pays = [duty & (self.strong | self.weak) for duty in self.duty]
        self.edges: dict[int, _Steps] = {}
        self.enabled: dict[int, int] = {}

    def find(self) -> tuple[_Steps, bool]:
        """A fair loop, and whether it is surely a shortest. It is empty if no fair step is enabled at the entry."""
        self._look(self.entry)
        start = _Debt(self.enabled[self.entry] & self.strong, self.enabled[self.entry] & self.weak, 0)
        if not self._owed(start):
            return [], True
        exact = self._search(start)
        return (exact, True) if exact is not None else (self._shortened(self._greedy(start)), False)

    def _look(self, state: int) -> _Steps:
        known = self.edges.get(state)
        if known is None:
            steps = self.unfolded.edges(state)
            self.enabled[state] = reduce(or_, [self.duty[a] for a, _ in steps], 0)
            parts, part, forbidden = self.parts, self.part, self.forbidden
            known = self.edges[state] = [(a, t) for a, t in steps if parts[t] == part and not forbidden[a]]
        return known

    def _owed(self, debt: _Debt) -> int:
        return (debt.seen | debt.throughout) & ~debt.taken

    def _pay(self, debt: _Debt, action: int, target: int) -> _Debt:
        self._look(target)
        enabled = self.enabled[target]
        return _Debt(debt.seen | enabled & self.strong, debt.throughout & enabled, debt.taken | self.pays[action])

    def _search(self, start: _Debt) -> _Steps | None:
        """A shortest fair loop, by a breadth-first search over (state, debt); None if the bound is reached first."""
        first = (self.entry, *start)
        came: dict[tuple[int, int, int, int], tuple[tuple[int, int, int, int], int] | None] = {first: None}
        queue = deque([first])
        known, pays, strong, entry = self.enabled, self.pays, self.strong, self.entry
        while queue and len(came) < _NODES:
            node = queue.popleft()
            state, seen, throughout, taken = node
            for action, target in self._look(state):
                if target not in known:
                    self._look(target)
                enabled = known[target]
                following = target, seen | enabled & strong, throughout & enabled, taken | pays[action]
                if following in came:
                    continue
                came[following] = (node, action)
                if target == entry and not self._owed(_Debt(*following[1:])):
                    steps: _Steps = []
                    back = following
                    while (before := came[back]) is not None:
                        steps.append((before[1], back[0]))
                        back = before[0]
                    return steps[::-1]
                queue.append(following)
        return None

    def _greedy(self, debt: _Debt) -> _Steps:
        """A fair loop that goes to the nearest step that pays a debt, and back to the entry once nothing is owed.

        If the way back incurs new debts, these are paid next.
        """
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
        """Whether a step takes an owed action, or leads to a state that disables an owed weakly fair action."""
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
        """The walk without detours (from a state back to itself) that fairness does not need; longest detours first."""
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
