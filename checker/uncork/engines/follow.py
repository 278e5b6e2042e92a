"""Is what was seen a run of the system? Follows all the states that it may be in, event by event.

Between two events the system may take any of the actions that are not seen (trace validation, as for TLA+: Cirstea,
Kuppe, Loillier, Merz, "Validating Traces of Distributed Programs Against TLA+ Specifications", 2024).

A state that may be keeps the way that led to it, as a chain of actions that ends at the first state. What led to no
state that still may be is forgotten, so that a long run needs memory for one or a few ways, and not for all of them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, TypeAlias

from uncork.core.expr import Expr
from uncork.core.observed import Event
from uncork.core.sorts import Value
from uncork.core.system import System
from uncork.core.trace import Trace
from uncork.engines.python import Ahead, Aim, Aimed, Plain, Successors, aimed, successors, value

_Way: TypeAlias = "tuple[_Way, int] | None"
"""How a state was reached: the way to the one before it, and the action between."""

_States: TypeAlias = dict[Plain, _Way]

_NOTHING: Ahead = {}


_REMEMBERED = 100_000
"""States whose unseen steps are remembered: one run comes by the states of another."""


class TooManyStates(Exception):
    """So many states fit what was seen that they cannot be followed."""


class Follower:
    """The states that a system may be in after the events so far.

    `unseen` are the names of the actions that no event shows; `shows` is what events may have seen. Those `at_once` are
    unseen actions that may be taken as soon as they can be: whoever says so has to know that no other order is lost.
    `aims` are of unseen actions that are taken only if they lead to what is seen next (see `aimed`). Where they have
    aims, that no run fits means just this: there may be one that takes them elsewhere in between.
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
        """To the first state, before any event."""
        self._now = {tuple(self.system.initial.values()): None}
        self._events = 0

    @property
    def events(self) -> int:
        """How many events were accepted."""
        return self._events

    @property
    def states(self) -> frozenset[Plain]:
        """The states that it may be in just after the last event."""
        return frozenset(self._now)

    def take(self, event: Event, ahead: Ahead = _NOTHING) -> bool:
        """Whether the system may do this next; if not, nothing changes. Raises `TooManyStates`.

        `ahead` has what the events from this one on see, for `aims`.
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
        """The actions of an event that the system may take next, and where each leads, whatever the event saw."""
        step = self._taking(event.actions)
        return [
            (self._names[action], target)
            for state in self._closure(ahead)
            for action, target in step(state)
            if target is not None
        ]

    def shown(self, states: Iterable[Plain]) -> list[dict[str, Value]]:
        """What may be seen in these states, each once."""
        seen = {tuple(show(state) for show in self._shows.values()): None for state in states}
        return [dict(zip(self._shows, each, strict=True)) for each in seen]

    def reachable(self, ahead: Ahead = _NOTHING) -> frozenset[Plain]:
        """The states that it may be in before the next event, unseen actions taken."""
        return frozenset(self._closure(ahead))

    def settle(self, quiet: frozenset[str] | None = None) -> frozenset[Plain]:
        """Those in which none of some actions is enabled; no unseen one, if none are named."""
        may = self._taking(self._unseen if quiet is None else quiet)
        return frozenset(state for state in self._closure(_NOTHING) if not may(state))

    def run(self) -> Trace:
        """A run that fits all the events."""
        return self.run_to(next(iter(self._now)))

    def run_to(self, state: Plain) -> Trace:
        """A run that fits all the events, and ends in one of the `states`."""
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
    """The same as `aimed` with no aims. Large queues have aims, and states too large to remember so many."""
    known = functools.lru_cache(maxsize=_REMEMBERED)(steps)
    return lambda state, _: known(state)
