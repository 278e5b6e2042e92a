"""Trace validation: decides whether observed events are a run of a system, by following all possible states.

Between two events the system may take any unseen actions (as for TLA+: Cirstea, Kuppe, Loillier, Merz, "Validating
Traces of Distributed Programs Against TLA+ Specifications", 2024).

Every possible state keeps the actions that led to it, as a linked list back to the first state. Lists that lead to no
possible state are garbage collected, so a long run needs memory for a few lists only. Small queues come back to the
same possible states again and again: what an event makes of them is remembered.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

from uncork.core.expr import Expr
from uncork.core.questions.observed import Event
from uncork.core.sorts import Ring, Value
from uncork.core.system import System
from uncork.core.trace import Trace
from uncork.engines.python import Packing, Plain, Successors, successors, values

_Way: TypeAlias = "tuple[_Way, tuple[int, ...]] | None"
"""How a state was reached: the way to a state after the previous event, and the actions from there. None: the first."""

_Came: TypeAlias = dict[Plain, tuple[Plain, int] | None]
"""States, each with one that it was reached from, and the action. None: a state after the last event."""

_Edges: TypeAlias = list[tuple[Plain, Plain, tuple[int, ...]]]
"""The states after an event; each with a state after the event before, and the actions from there."""


@dataclass(frozen=True)
class Aim:
    """What an action does to an observable position of a ring: it moves the position, or prepares a move of it.

    `name` is the observable, `now` its present value, and `to` the value after the move. `by`, if given, is how far
    every move of this action goes.
    """

    name: str
    now: Expr
    to: Expr
    by: int | None = None


@dataclass(frozen=True, slots=True)
class Coming:
    """What the coming observations say of a position: its next value, and the first later value that differs from it.

    None: it is not observed any more. `stops` are values that matter on the way to the next value.
    """

    value: int | None
    later: int | None
    stops: frozenset[int] = frozenset()


Ahead: TypeAlias = Mapping[str, Coming]
"""The coming observations of the positions that aims move, by name."""

_NOTHING: Ahead = {}

_REMEMBERED = 200_000
"""The number of states that are kept, since a run comes back to the same ones."""

_TRIED = 5_000
"""The number of events after which it is clear whether it does."""


class TooManyStates(Exception):
    """More states fit the observations than can be followed."""


class Follower:
    """The states that a system may be in after the events so far.

    - `unseen` names the actions that no event shows. `shows` has the observable expressions, by name.
    - `most` is the greatest number of states that are followed between two events.
    - `at_once` names unseen actions that are taken as soon as they are enabled, instead of all other unseen actions.
      The caller must know that this loses no run.
    - `aims` restricts unseen moves of positions: a move leads at most to the next observed value; one `by` a known
      number leads to it, or to one of the values where it matters that the position stops. The caller must know whether
      this loses runs.
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
        self._packing = Packing(system)
        self._names = [action.name for action in system.actions]
        free = frozenset(unseen)
        soon = free & frozenset(at_once)
        self._unseen = free
        self._steps: dict[frozenset[str], Successors] = {}
        self._soon = self._taking(soon) if soon else None
        others = self._taking(free - soon - frozenset(aims))
        small = not aims and not self._packing.packs  # the states of large queues seldom come back
        self._others = functools.lru_cache(maxsize=_REMEMBERED)(others) if small else others
        self._aims = _Aims(self, aims) if aims else None
        self._shows = dict(shows)
        self._sees: dict[tuple[str, ...], Callable[[Plain], tuple[Value, ...]]] = {}
        self._now: dict[Plain, _Way]
        self._events: int
        self._known = _Known() if small else None
        self.restart()

    def restart(self) -> None:
        """Goes back to the first state, before any event."""
        self._now = {self._packing.pack(tuple(self.system.initial.values())): None}
        self._events = 0

    @property
    def events(self) -> int:
        """The number of events accepted."""
        return self._events

    @property
    def states(self) -> frozenset[Plain]:
        """The states that the system may be in just after the last event."""
        return frozenset(map(self._packing.unpack, self._now))

    def take(self, event: Event, ahead: Ahead = _NOTHING) -> bool:
        """Accepts the next event and returns True; or returns False and changes nothing, if no run fits the event.

        `ahead` has the observations from this event on, for `aims`. Raises `TooManyStates`.
        """
        edges = None
        if self._known is not None:
            key = (frozenset(self._now), event.actions, tuple(event.saw.items()), event.quiet)
            edges = self._known.get(key)
            if edges is None:
                edges = self._known.keep(key, self._edges(event, ahead))
        else:
            edges = self._edges(event, ahead)
        if not edges:
            return False
        before = self._now
        self._events += 1
        self._now = {target: (before[source], taken) if taken else before[source] for target, source, taken in edges}
        return True

    def _edges(self, event: Event, ahead: Ahead) -> _Edges:
        fits, (reached, came) = self._fits(event), self._closure(ahead)
        found = dict[Plain, tuple[Plain, tuple[int, ...]]]()
        if not event.actions:
            for state in reached:
                if fits(state):
                    found[state] = (state, ())
        else:
            step = self._taking(event.actions)
            for state in reached:
                for action, target in step(state):
                    if target is not None and target not in found and fits(target):
                        found[target] = (state, (action,))
        edges = _Edges()
        for target, (state, taken) in found.items():
            here = state
            while (step_here := came[here]) is not None:
                here, action = step_here
                taken = (action, *taken)
            edges.append((target, here, taken))
        return edges

    def outcomes(self, event: Event, ahead: Ahead = _NOTHING) -> list[tuple[str, Plain]]:
        """The actions of an event that the system may take next, with the states after them; `saw` is ignored."""
        step = self._taking(event.actions)
        return [
            (self._names[action], self._packing.unpack(target))
            for state in self._closure(ahead)[0]
            for action, target in step(state)
            if target is not None
        ]

    def shown(self, states: Iterable[Plain]) -> list[dict[str, Value]]:
        """The observable values in these states, without duplicates."""
        see = self._seeing(tuple(self._shows))
        seen = {see(self._packing.pack(state)): None for state in states}
        return [dict(zip(self._shows, each, strict=True)) for each in seen]

    def reachable(self, ahead: Ahead = _NOTHING) -> frozenset[Plain]:
        """The states that the system may be in before the next event, after any number of unseen actions."""
        return frozenset(map(self._packing.unpack, self._closure(ahead)[0]))

    def settle(self, quiet: frozenset[str] | None = None) -> frozenset[Plain]:
        """The `reachable` states in which no action of `quiet` (default: no unseen action) is enabled."""
        may = self._taking(self._unseen if quiet is None else quiet)
        return frozenset(self._packing.unpack(state) for state in self._closure(_NOTHING)[0] if not may(state))

    def run(self) -> Trace:
        """A run that fits all the events."""
        return self.run_to(self._packing.unpack(next(iter(self._now))))

    def run_to(self, state: Plain) -> Trace:
        """A run that fits all the events and ends in `state`, which must be one of the `states`."""
        way = self._now[self._packing.pack(state)]
        ways = []
        while way is not None:
            way, actions = way
            ways.append(actions)
        taken = [self._names[action] for actions in reversed(ways) for action in actions]
        names = [variable.name for variable in self.system.variables]
        here = self._packing.pack(tuple(self.system.initial.values()))
        states = [self.system.initial]
        for action_name in taken:
            target = self._taking(frozenset([action_name]))(here)[0][1]
            assert target is not None
            here = target
            states.append(dict(zip(names, self._packing.unpack(here), strict=True)))
        return Trace(tuple(states), tuple(taken))

    def _fits(self, event: Event) -> Callable[[Plain], bool]:
        see, saw = self._seeing(tuple(event.saw)), tuple(event.saw.values())
        if not event.quiet:
            return lambda state: see(state) == saw
        may = self._taking(event.quiet)
        return lambda state: see(state) == saw and not may(state)

    def _seeing(self, names: tuple[str, ...]) -> Callable[[Plain], tuple[Value, ...]]:
        if names not in self._sees:
            self._sees[names] = values(self.system, [self._shows[name] for name in names], self._packing)
        return self._sees[names]

    def _taking(self, actions: frozenset[str]) -> Successors:
        if actions not in self._steps:
            self._steps[actions] = successors(self.system, actions, self._packing)
        return self._steps[actions]

    def _after(self, state: Plain, ahead: Ahead) -> list[tuple[int, Plain | None]]:
        found = self._others(state)
        if self._aims is None:
            return found
        return [*found, *(each for action in self._aims(state, ahead) for each in self._taking(action)(state))]

    def _closure(self, ahead: Ahead) -> tuple[list[Plain], _Came]:
        """The states that the system may be in before the next event; and how they are reached, with others."""
        came: _Came = dict.fromkeys(self._now)
        queue, reached = list(came), list[Plain]()
        for state in queue:
            if self._soon is not None and (soon := self._soon(state)) and soon[0][1] is not None:
                after: list[tuple[int, Plain | None]] = soon[:1]
            else:
                reached.append(state)
                after = self._after(state, ahead)
            for action, target in after:
                if target is not None and target not in came:
                    came[target] = (state, action)
                    queue.append(target)
            if len(queue) > self.most:
                raise TooManyStates(f"{len(queue):,} states fit what was seen: log more of what the device does")
        return reached, came


class _Known:
    """What events make of the possible states, remembered for as long as that helps."""

    def __init__(self) -> None:
        self._edges = dict[Hashable, _Edges]()
        self._asked = self._found = self._size = 0

    def get(self, key: Hashable) -> _Edges | None:
        """Returns what is remembered."""
        self._asked += 1
        found = self._edges.get(key)
        self._found += found is not None
        return found

    def keep(self, key: Hashable, edges: _Edges) -> _Edges:
        """Remembers, unless most questions were new; forgets all if it is too much."""
        if self._asked > _TRIED and self._found * 2 < self._asked:
            self._edges.clear()
        else:
            self._size += 1 + len(edges)
            if self._size > _REMEMBERED:
                self._edges.clear()
                self._size = 0
            self._edges[key] = edges
        return edges


class _Aims:
    """Chooses the aimed actions that may be taken in a state: a submission has as many as the queue has entries."""

    def __init__(self, of: Follower, aims: Mapping[str, Aim]) -> None:
        self._strides: dict[str, dict[int, frozenset[str]]] = {}
        exprs = dict[str, tuple[Expr, ...]]()
        self._others = list[tuple[str, frozenset[str]]]()
        for action, aim in aims.items():
            if aim.by is None:
                self._others.append((aim.name, frozenset([action])))
                exprs[action] = (aim.now, aim.to)
            else:
                self._strides.setdefault(aim.name, {})[aim.by] = frozenset([action])
                exprs[aim.name] = (aim.now,)
        kept = [exprs[name] for name in self._strides] + [exprs[next(iter(action))] for _, action in self._others]
        self._see = values(of.system, [expr for each in kept for expr in each], of._packing)
        self._sizes = {aim.name: _size(aim.now) for aim in aims.values()}

    def __call__(self, state: Plain, ahead: Ahead) -> Iterator[frozenset[str]]:
        seen = iter(self._see(state))
        for name, by in self._strides.items():
            now, coming = next(seen), ahead.get(name)
            if coming is None or coming.value is None or coming.value == now:
                continue
            yield from self._reaching(by, now, coming, self._sizes[name])
        for name, action in self._others:
            now, to, coming = next(seen), next(seen), ahead.get(name)
            if coming is None:
                continue
            limit = coming.value if now != coming.value else coming.later
            if limit is None or (to - now) % self._sizes[name] <= (limit - now) % self._sizes[name]:
                yield action

    @staticmethod
    def _reaching(by: Mapping[int, frozenset[str]], now: int, coming: Coming, size: int) -> Iterator[frozenset[str]]:
        assert coming.value is not None
        distance = (coming.value - now) % size
        if max(by) < size - 1:  # the guest may submit only a few at a time
            wanted: Iterable[int] = range(1, min(max(by), distance) + 1)
        else:
            wanted = {distance, *(there for stop in coming.stops if 0 < (there := (stop - now) % size) < distance)}
        return (by[stride] for stride in wanted if stride in by)


def _size(position: Expr) -> int:
    assert isinstance(position.sort, Ring)
    return position.sort.size
