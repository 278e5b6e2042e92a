"""Trace validation: decides whether observed events are a run of a system, by following all possible states.

Between two events the system may take any unseen actions (as for TLA+: Cirstea, Kuppe, Loillier, Merz, "Validating
Traces of Distributed Programs Against TLA+ Specifications", 2024).

Every possible state keeps the actions that led to it, as a linked list back to the first state. Lists that lead to no
possible state are garbage collected, so a long run needs memory for a few lists only.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, TypeAlias

from uncork.core.expr import Expr
from uncork.core.questions.observed import Event
from uncork.core.sorts import Value
from uncork.core.system import System
from uncork.core.trace import Trace
from uncork.engines.python import Ahead, Aim, Aimed, Plain, Successors, aimed, successors, value

_Way: TypeAlias = "tuple[_Way, int] | None"
"""How a state was reached: the way to the previous state, and the action from there. None is the first state."""

_States: TypeAlias = dict[Plain, _Way]

_NOTHING: Ahead = {}


_REMEMBERED = 100_000
"""The number of states whose unseen steps are cached, since different runs visit the same states."""


class TooManyStates(Exception):
    """More states fit the observations than can be followed."""


class Follower:
    """The states that a system may be in after the events so far.

    - `unseen` names the actions that no event shows. `shows` has the observable expressions, by name.
    - `most` is the greatest number of states that are followed between two events.
    - `at_once` names unseen actions that are taken as soon as they are enabled, instead of all other unseen actions.
      The caller must know that this loses no run.
    - `aims` restricts unseen actions to those that lead to the next observation (see `aimed`). With aims, the system
      may have a run that fits even if the follower finds none: a run that moves an observable and moves it back.
    """

    def __init__(
        self,
        system: System,
        unseen: Iterable[str],
        shows: Mapping[str, Expr],
        most: int = 200_000,
        *,
        at_once: Iterable[str] = (),
        aims: Mapping[str, Aim] = MappingProxyType({}),
    ) -> None:
        self.system, self.most = system, most
        names = [action.name for action in system.actions]
        self._names = names
        free = frozenset(unseen)
        soon = free & frozenset(at_once)
        self._unseen = free
        self._soon = successors(system, soon) if soon else None
        self._after = aimed(system, free - soon, aims) if aims else _remembered(successors(system, free - soon))
        self._steps: dict[frozenset[str], Successors] = {}
        self._shows = {name: value(system, shown) for name, shown in shows.items()}
        self._now: _States
        self._events: int
        self.restart()

    def restart(self) -> None:
        """Goes back to the first state, before any event."""
        self._now = {tuple(self.system.initial.values()): None}
        self._events = 0

    @property
    def events(self) -> int:
        """The number of events accepted."""
        return self._events

    @property
    def states(self) -> frozenset[Plain]:
        """The states that the system may be in just after the last event."""
        return frozenset(self._now)

    def take(self, event: Event, ahead: Ahead = _NOTHING) -> bool:
        """Accepts the next event and returns True; or returns False and changes nothing, if no run fits the event.

        `ahead` has the observations from this event on, for `aims`. Raises `TooManyStates`.
        """
        fits = self._fits(event)
        reached, after = self._closure(ahead), _States()
        if event.actions:
            step = self._taking(event.actions)
            for state, way in reached.items():
                for action, target in step(state):
                    if target is not None and target not in after and fits(target):
                        after[target] = (way, action)
        else:
            after.update((state, way) for state, way in reached.items() if fits(state))
        if not after:
            return False
        self._events += 1
        self._now = after
        return True

    def outcomes(self, event: Event, ahead: Ahead = _NOTHING) -> list[tuple[str, Plain]]:
        """The actions of an event that the system may take next, with the states after them; `saw` is ignored."""
        step = self._taking(event.actions)
        return [
            (self._names[action], target)
            for state in self._closure(ahead)
            for action, target in step(state)
            if target is not None
        ]

    def shown(self, states: Iterable[Plain]) -> list[dict[str, Value]]:
        """The observable values in these states, without duplicates."""
        seen = {tuple(show(state) for show in self._shows.values()): None for state in states}
        return [dict(zip(self._shows, each, strict=True)) for each in seen]

    def reachable(self, ahead: Ahead = _NOTHING) -> frozenset[Plain]:
        """The states that the system may be in before the next event, after any number of unseen actions."""
        return frozenset(self._closure(ahead))

    def settle(self, quiet: frozenset[str] | None = None) -> frozenset[Plain]:
        """The `reachable` states in which no action of `quiet` (default: no unseen action) is enabled."""
        may = self._taking(self._unseen if quiet is None else quiet)
        return frozenset(state for state in self._closure(_NOTHING) if not may(state))

    def run(self) -> Trace:
        """A run that fits all the events."""
        return self.run_to(next(iter(self._now)))

    def run_to(self, state: Plain) -> Trace:
        """A run that fits all the events and ends in `state`, which must be one of the `states`."""
        way = self._now[state]
        taken = []
        while way is not None:
            way, action = way
            taken.append(self._names[action])
        taken.reverse()
        names = [variable.name for variable in self.system.variables]
        state = tuple(self.system.initial.values())
        states = [dict(zip(names, state, strict=True))]
        for action_name in taken:
            target = self._taking(frozenset([action_name]))(state)[0][1]
            assert target is not None
            state = target
            states.append(dict(zip(names, state, strict=True)))
        return Trace(tuple(states), tuple(taken))

    def _fits(self, event: Event) -> Callable[[Plain], bool]:
        saw: list[tuple[Callable[[Plain], Any], Value]] = [
            (self._shows[name], seen) for name, seen in event.saw.items()
        ]
        if not event.quiet:
            return lambda state: all(show(state) == seen for show, seen in saw)
        may = self._taking(event.quiet)
        return lambda state: all(show(state) == seen for show, seen in saw) and not may(state)

    def _taking(self, actions: frozenset[str]) -> Successors:
        if actions not in self._steps:
            self._steps[actions] = successors(self.system, actions)
        return self._steps[actions]

    def _closure(self, ahead: Ahead) -> _States:
        reached = _States()
        queue, known = list(self._now.items()), set(self._now)
        for state, way in queue:
            if self._soon is not None and (soon := self._soon(state)) and soon[0][1] is not None:
                after: list[tuple[int, Plain | None]] = soon[:1]
            else:
                reached[state] = way
                after = self._after(state, ahead)
            for action, target in after:
                if target is not None and target not in known:
                    known.add(target)
                    queue.append((target, (way, action)))
            if len(queue) > self.most:
                raise TooManyStates(f"{len(queue):,} states fit what was seen: log more of what the device does")
        return reached


def _remembered(steps: Successors) -> Aimed:
    """The same as `aimed` without aims, with a cache. Large queues use aims: their states are too large to cache."""
    known = functools.lru_cache(maxsize=_REMEMBERED)(steps)
    return lambda state, _: known(state)
