"""Finds where a system comes to rest: the reachable states in which none of some actions is enabled.

In many orders of the steps the same states of rest are reached. So in every state only a stubborn set of actions is
taken: a set that holds an enabled action; with an enabled action every action that shares a variable which one of them
changes; and with a disabled action every action that changes a variable of one conjunct of its guard that is false.
All states of rest are found, and some run without end if there is one (Valmari, "Stubborn sets for reduced state space
generation", 1989).
"""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from uncork.core.expr import Expr, conjuncts, ite, number, variables
from uncork.core.system import Action, System
from uncork.engines.follow import TooManyStates
from uncork.engines.python import Packing, Plain, Successors, successors, values

_ENABLED = -1


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
        wanted = frozenset(actions)
        self._actions = [action for action in system.actions if action.name in wanted]
        self._system, self._packing = system, Packing(system)
        self._status = values(system, [_first_false(action) for action in self._actions], self._packing)
        self._steps = dict[int, Successors]()
        self._soon = frozenset(which for which, action in enumerate(self._actions) if action.name in at_once)
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
        return [(self._actions[which].name, self._packing.unpack(target)) for which, target in found]

    def _explore(self, first: list[Plain], most: int, *, reduced: bool) -> Rests:
        came: dict[Plain, tuple[Plain, str] | None] = dict.fromkeys(first)
        queue, number = list(came), {state: place for place, state in enumerate(came)}
        ends, onward = list[Plain](), list[list[int]]()
        for state in queue:
            after = self._after(state, reduced=reduced)
            for which, target in after:
                if target not in came:
                    came[target] = (state, self._actions[which].name)
                    number[target] = len(queue)
                    queue.append(target)
            if not after:
                ends.append(state)
            onward.append([number[target] for _, target in after])
            if len(queue) > most:
                raise TooManyStates(f"more than {most:,} states may follow")
        endless = [self._packing.unpack(queue[place]) for place in _on_cycles(onward)]
        return Rests([self._packing.unpack(end) for end in ends], endless, came, self._packing)

    def _after(self, state: Plain, *, reduced: bool) -> list[tuple[int, Plain]]:
        status = self._status(state)
        enabled = [which for which, why in enumerate(status) if why == _ENABLED]
        chosen = self._chosen(status) if reduced and len(enabled) > 1 else enabled
        found = list(self._taken(state, chosen))
        # An action whose next value is outside its sort is not taken, and says nothing of the others.
        return list(self._taken(state, enabled)) if len(found) < len(chosen) else found

    def _taken(self, state: Plain, chosen: Iterable[int]) -> Iterator[tuple[int, Plain]]:
        for which in chosen:
            if which not in self._steps:
                self._steps[which] = successors(self._system, [self._actions[which].name], self._packing)
            target = self._steps[which](state)[0][1]
            if target is not None:
                yield which, target

    def _choose(self, status: tuple[int, ...]) -> list[int]:
        """Returns the enabled actions of the stubborn set that has fewest, given each action's first false conjunct."""
        soon = next((which for which in sorted(self._soon) if status[which] == _ENABLED), None)
        if soon is not None:
            return [soon]
        best: list[int] | None = None
        for seed, why in enumerate(status):
            if why != _ENABLED:
                continue
            found = self._closed(seed, status, len(best) if best else len(status) + 1)
            if found is not None and (best is None or len(found) < len(best)):
                best = found
            if best is not None and len(best) == 1:
                break
        assert best is not None
        return sorted(best)

    def _closed(self, seed: int, status: tuple[int, ...], below: int) -> list[int] | None:
        """Returns the enabled actions of the least stubborn set with this action; None if not fewer than `below`."""
        inside, waiting, enabled = {seed}, [seed], list[int]()
        while waiting:
            which = waiting.pop()
            if status[which] == _ENABLED:
                enabled.append(which)
                if len(enabled) >= below:
                    return None
                more = self._dependent[which]
            else:
                more = self._enabling[which][status[which]]
            waiting += more - inside
            inside |= more
        return enabled

    @functools.cached_property
    def _dependent(self) -> list[frozenset[int]]:
        """The actions that share with each action a variable that one of the two changes."""
        return [
            frozenset(
                other
                for other, b in enumerate(self._actions)
                if a.updates.keys() & (b.reads | b.updates.keys()) or b.updates.keys() & (a.reads | a.updates.keys())
            )
            for a in self._actions
        ]

    @functools.cached_property
    def _enabling(self) -> list[list[frozenset[int]]]:
        """For each conjunct of each action's guard, the actions that change one of its variables."""
        return [
            [
                frozenset(which for which, a in enumerate(self._actions) if a.updates.keys() & _names(conjunct))
                for conjunct in conjuncts(action.guard)
            ]
            for action in self._actions
        ]


def _names(expr: Expr) -> frozenset[str]:
    return frozenset(str(variable.value) for variable in variables(expr))


def _first_false(action: Action) -> Expr:
    """The number of the first conjunct of the guard that is false; `_ENABLED` if all are true."""
    found = number(_ENABLED)
    for which, conjunct in reversed([*enumerate(conjuncts(action.guard))]):
        found = ite(conjunct, found, number(which))
    return found


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
