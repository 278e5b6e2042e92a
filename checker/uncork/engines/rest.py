"""Finds where a system comes to rest: the reachable states in which none of some actions is enabled.

In many orders of the steps the same states of rest are reached. So in every state only a stubborn set of actions is
taken, with an enabled one in it: all states of rest are found, and some run without end if there is one.
"""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from uncork.core.system import System
from uncork.engines.follow import TooManyStates
from uncork.engines.python import Packing, Plain, Successors, successors
from uncork.engines.stubborn import ENABLED, Stubborn


@dataclass(frozen=True)
class Rests:
    """States of rest, and states that a run may pass for ever.

    `ends` are all states of rest that are reachable. `endless` contains every state that some run has infinitely often,
    and may contain others; empty if every run ends.
    """

    ends: list[Plain]
    endless: list[Plain]
    _came: Mapping[Plain, tuple[Plain, str] | None]
    _packing: Packing

    def way(self, end: Plain) -> tuple[Plain, list[tuple[str, Plain]]]:
        """Returns the first state of a run to this state of rest, and the steps from there: action, state after it."""
        steps = list[tuple[str, Plain]]()
        here = self._packing.pack(end)
        while (came := self._came[here]) is not None:
            steps.append((came[1], self._packing.unpack(here)))
            here = came[0]
        return self._packing.unpack(here), steps[::-1]


class Resting:
    """A system of which only some actions are taken: it comes to rest where none of them is enabled.

    `at_once` names actions that are taken alone as soon as they are enabled. The caller must know that this loses
    neither a state of rest nor all runs without end.
    """

    def __init__(self, system: System, actions: Iterable[str], at_once: Collection[str] = ()) -> None:
        self._system, self._packing = system, Packing(system)
        self._stubborn = Stubborn(system, self._packing)
        self._wanted = frozenset(actions)
        self._within = frozenset(self._stubborn.of[name] for name in self._wanted)
        self._groups = sorted(self._within)
        self._status = self._stubborn.status(self._groups)
        self._soon = sorted(self._within & {self._stubborn.of[name] for name in at_once})
        self._steps = dict[int, Successors]()
        self._chosen = functools.cache(self._choose)

    def rests(self, states: Iterable[Plain], most: int) -> Rests:
        """Returns where it comes to rest from these states. Raises `TooManyStates` if more than `most` are visited."""
        first = [self._packing.pack(state) for state in states]
        found = self._explore(first, most, reduced=True)
        # Without the reduction every state of a run without end is visited, and not just those of one such run.
        return self._explore(first, most, reduced=False) if found.endless else found

    def steps(self, state: Plain) -> list[tuple[str, Plain]]:
        """Returns the steps that may be taken in a state: action, state after it."""
        found = self._after(self._packing.pack(state), reduced=False)
        return [(name, self._packing.unpack(target)) for name, target in found]

    def _explore(self, first: list[Plain], most: int, *, reduced: bool) -> Rests:
        came: dict[Plain, tuple[Plain, str] | None] = dict.fromkeys(first)
        queue, number = list(came), {state: place for place, state in enumerate(came)}
        ends, onward = list[Plain](), list[list[int]]()
        for state in queue:
            after = self._after(state, reduced=reduced)
            for name, target in after:
                if target not in came:
                    came[target] = (state, name)
                    number[target] = len(queue)
                    queue.append(target)
            if not after:
                ends.append(state)
            onward.append([number[target] for _, target in after])
            if len(queue) > most:
                raise TooManyStates(f"more than {most:,} states may follow")
        endless = [self._packing.unpack(queue[place]) for place in _on_cycles(onward)]
        return Rests([self._packing.unpack(end) for end in ends], endless, came, self._packing)

    def _after(self, state: Plain, *, reduced: bool) -> list[tuple[str, Plain]]:
        status = self._status(state)
        enabled = [which for which, why in zip(self._groups, status, strict=True) if why == ENABLED]
        chosen = self._chosen(status) if reduced and len(enabled) > 1 else enabled
        found = self._taken(state, chosen)
        # An action whose next value is outside its sort is not taken, and says nothing of the others.
        if any(target is None for _, target in found):
            found = self._taken(state, enabled)
        return [(self._system.actions[action].name, target) for action, target in found if target is not None]

    def _taken(self, state: Plain, chosen: Iterable[int]) -> list[tuple[int, Plain | None]]:
        found = list[tuple[int, Plain | None]]()
        for which in chosen:
            if which not in self._steps:
                names = {action.name for action in self._stubborn.groups[which]} & self._wanted
                self._steps[which] = successors(self._system, names, self._packing)
            found += self._steps[which](state)
        return found

    def _choose(self, statuses: tuple[int, ...]) -> list[int]:
        """Returns the enabled actions of the stubborn set that has fewest, given the status of every action."""
        status = dict(zip(self._groups, statuses, strict=True))
        for which in self._soon:
            if status[which] == ENABLED:
                return [which]
        best = [which for which in self._groups if status[which] == ENABLED]
        for seed in list(best):
            found = self._stubborn.needed(status, [seed], self._within, len(best))
            best = best if found is None else found
            if len(best) == 1:
                break
        return best


def _on_cycles(onward: list[list[int]]) -> list[int]:
    """The nodes that are on a cycle, or between two cycles."""
    kept = _without_dead_ends(onward, range(len(onward)))
    back: list[list[int]] = [[] for _ in onward]
    for place in kept:
        for target in onward[place]:
            if target in kept:
                back[target].append(place)
    return sorted(_without_dead_ends(back, kept))


def _without_dead_ends(onward: list[list[int]], nodes: Iterable[int]) -> set[int]:
    """The nodes from which a path leads on for ever."""
    kept = set(nodes)
    left = {place: sum(target in kept for target in onward[place]) for place in kept}
    back: dict[int, list[int]] = {place: [] for place in kept}
    for place in kept:
        for target in onward[place]:
            if target in kept:
                back[target].append(place)
    dead = [place for place, number in left.items() if not number]
    while dead:
        place = dead.pop()
        kept.discard(place)
        for before in back[place]:
            left[before] -= 1
            if not left[before]:
                dead.append(before)
    return kept
