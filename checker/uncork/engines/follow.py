"""Trace validation: decides whether observed events are a run of a system, by following all possible states.

Between two events the system may take any unseen actions (as for TLA+: Cirstea, Kuppe, Loillier, Merz, "Validating
Traces of Distributed Programs Against TLA+ Specifications", 2024).

Every possible state keeps the actions that led to it, as a linked list back to the first state. Lists that lead to no
possible state are garbage collected, so a long run needs memory for a few lists only. Small queues come back to the
same possible states again and again: what an event makes of them is remembered. Unseen actions may wait until an event
needs them (see `stubborn`): what comes before the event or after it alike is tried after it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

from uncork.core.expr import Expr, variables
from uncork.core.questions.observed import Event
from uncork.core.sorts import Ring, Value
from uncork.core.system import System
from uncork.core.trace import Trace
from uncork.engines.python import Packing, Plain, Successors, successors, values
from uncork.engines.stubborn import ENABLED, Stubborn

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
        lazily: bool = False,
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
        self._lazy = _Lazy(self, free, soon, aims.keys()) if lazily else None
        self._last: tuple[dict[Plain, _Way], Event, Ahead] | None
        self.restart()

    def restart(self) -> None:
        """Goes back to the first state, before any event."""
        self._now = {self._packing.pack(tuple(self.system.initial.values())): None}
        self._events = 0
        self._last = None

    @property
    def events(self) -> int:
        """The number of events accepted."""
        return self._events

    @property
    def states(self) -> frozenset[Plain]:
        """The states that the system may be in just after the last event.

        Raises `TooManyStates` if they are too many to find them all.
        """
        if self._last is not None:  # any unseen actions may have come before the event, too
            before, event, ahead = self._last
            self._now = self._after_event(before, self._edges(before, event, ahead))
            self._last = None
        return frozenset(map(self._packing.unpack, self._now))

    @property
    def latest(self) -> frozenset[str]:
        """The names of the actions that led to the `states`, each the last of a run; empty in the first state."""
        assert self._last is None, "states not all found yet"
        return frozenset(self._names[way[1][-1]] for way in self._now.values() if way)

    def take(self, event: Event, ahead: Ahead = _NOTHING, *, among: frozenset[str] | None = None) -> bool:
        """Accepts the next event and returns True; or returns False and changes nothing, if no run fits the event.

        `ahead` has the observations from this event on, for `aims`. `among` names the only unseen actions that may have
        been taken since the last event; all unseen actions if left out. Raises `TooManyStates`.
        """
        among = None if among == self._unseen else among
        lazy = self._lazy.before(event) if self._lazy is not None and not event.quiet and among is None else None
        if self._known is None or among is not None:
            edges = self._edges(self._now, event, ahead, lazy, among)
        else:
            key = (frozenset(self._now), event.actions, tuple(event.saw.items()), event.quiet)
            known = self._known.get(key)
            edges = self._known.keep(key, self._edges(self._now, event, ahead, lazy)) if known is None else known
            if self._known.useless:
                self._known = None
        if not edges:
            return False
        self._last = (self._now, event, ahead) if lazy else None
        self._now = self._after_event(self._now, edges)
        self._events += 1
        return True

    @staticmethod
    def _after_event(before: Mapping[Plain, _Way], edges: _Edges) -> dict[Plain, _Way]:
        return {target: (before[source], taken) if taken else before[source] for target, source, taken in edges}

    def _edges(
        self,
        before: Iterable[Plain],
        event: Event,
        ahead: Ahead,
        lazy: _Before | None = None,
        among: frozenset[str] | None = None,
    ) -> _Edges:
        fits, (reached, came) = self._fits(event), self._closure(before, ahead, lazy, among)
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

    def outcomes(
        self, event: Event, ahead: Ahead = _NOTHING, *, among: frozenset[str] | None = None
    ) -> list[tuple[str, Plain]]:
        """The actions of an event that the system may take next, with the states after them; `saw` is ignored."""
        step = self._taking(event.actions)
        return [
            (self._names[action], self._packing.unpack(target))
            for state in self._closure(self._now, ahead, among=among)[0]
            for action, target in step(state)
            if target is not None
        ]

    def shown(self, states: Iterable[Plain]) -> list[dict[str, Value]]:
        """The observable values in these states, without duplicates."""
        see = self._seeing(tuple(self._shows))
        seen = {see(self._packing.pack(state)): None for state in states}
        return [dict(zip(self._shows, each, strict=True)) for each in seen]

    def reachable(self, ahead: Ahead = _NOTHING, *, among: frozenset[str] | None = None) -> frozenset[Plain]:
        """The states that the system may be in before the next event, after any number of unseen actions."""
        return frozenset(map(self._packing.unpack, self._closure(self._now, ahead, among=among)[0]))

    def settle(self, quiet: frozenset[str] | None = None, *, among: frozenset[str] | None = None) -> frozenset[Plain]:
        """The `reachable` states in which no action of `quiet` (default: no unseen action) is enabled."""
        may = self._taking(self._unseen if quiet is None else quiet)
        return frozenset(
            self._packing.unpack(state)
            for state in self._closure(self._now, _NOTHING, among=among)[0]
            if not may(state)
        )

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
        return found if self._aims is None else found + self._aimed(state, ahead, None)

    def _aimed(self, state: Plain, ahead: Ahead, of: frozenset[str] | None) -> list[tuple[int, Plain | None]]:
        """The steps of aimed actions; of those in `of`, if given."""
        assert self._aims is not None
        return [
            each
            for action in self._aims(state, ahead)
            if of is None or not of.isdisjoint(action)
            for each in self._taking(action)(state)
        ]

    def _closure(
        self,
        before: Iterable[Plain],
        ahead: Ahead,
        lazy: _Before | None = None,
        among: frozenset[str] | None = None,
    ) -> tuple[list[Plain], _Came]:
        """The states that the system may be in before the next event; and how they are reached, with others.

        With `among`, by these unseen actions only.
        """
        came: _Came = dict.fromkeys(before)
        queue, reached = list(came), list[Plain]()
        for state in queue:
            if among is not None:
                at_once, after = False, self._taking(among)(state) if among else []
            elif lazy is not None:
                at_once, after = lazy(state, ahead)
            elif self._soon is not None and (soon := self._soon(state)) and soon[0][1] is not None:
                at_once, after = True, soon[:1]
            else:
                at_once, after = False, self._after(state, ahead)
            if not at_once:
                reached.append(state)
            for action, target in after:
                if target is not None and target not in came:
                    came[target] = (state, action)
                    queue.append(target)
            if len(queue) > self.most:
                raise TooManyStates(f"{len(queue):,} states fit what was seen: log more of what the device does")
        return reached, came


_Steps: TypeAlias = list[tuple[int, Plain | None]]
_Before: TypeAlias = Callable[[Plain, Ahead], tuple[bool, _Steps]]
"""The unseen steps that have to be tried in a state before an event; and whether the event waits until one is taken."""


class _Lazy:
    """Chooses the unseen actions that have to be taken before an event, and not just as well after it."""

    def __init__(self, of: Follower, free: frozenset[str], soon: frozenset[str], aimed: Collection[str]) -> None:
        self._of, self._free, self._aimed = of, free, frozenset(aimed)
        self._stubborn = Stubborn(of.system, of._packing)
        group = self._stubborn.of
        self._within = frozenset(group[name] for name in free)
        self._soon = sorted({group[name] for name in soon})
        self._before = dict[tuple[frozenset[str], tuple[str, ...]], _Before]()

    def before(self, event: Event) -> _Before:
        """Returns what has to be tried before an event."""
        key = (event.actions, tuple(event.saw))
        if key not in self._before:
            self._before[key] = self._made(*key)
        return self._before[key]

    def _made(self, actions: frozenset[str], saw: Iterable[str]) -> _Before:
        seeds = {self._stubborn.of[name] for name in actions}
        names = {str(v.value) for name in saw for v in variables(self._of._shows[name])}
        shown = self._stubborn.changing(names) & self._within
        asked = sorted(seeds | self._within)
        statuses = self._stubborn.status(asked)

        @functools.cache
        def chosen(here: tuple[int, ...]) -> tuple[bool, Successors, frozenset[str]]:
            status = dict(zip(asked, here, strict=True))
            # Values are seen when the event happens, so what changes them matters once it can happen.
            sees = shown if not seeds or any(status[which] == ENABLED for which in seeds) else frozenset[int]()
            groups = self._stubborn.needed(status, seeds | sees, self._within)
            assert groups is not None
            soon = [which for which in self._soon if which in groups][:1]
            names = {action.name for which in soon or groups for action in self._stubborn.groups[which]} & self._free
            return bool(soon), self._of._taking(frozenset(names - self._aimed)), frozenset(names & self._aimed)

        def before(state: Plain, ahead: Ahead) -> tuple[bool, _Steps]:
            at_once, others, aimed = chosen(statuses(state))
            found = others(state)
            return at_once, found + self._of._aimed(state, ahead, aimed) if aimed else found

        return before


class _Known:
    """What events make of the possible states, remembered."""

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
        """Remembers; forgets all if it is too much."""
        self._size += 1 + len(edges)
        if self._size > _REMEMBERED:
            self._edges.clear()
            self._size = 0
        self._edges[key] = edges
        return edges

    @property
    def useless(self) -> bool:
        """Whether most questions were new, after many."""
        return self._asked > _TRIED and self._found * 2 < self._asked


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
        if len(by) < size - 1:  # the guest may submit only a few at a time
            wanted: Iterable[int] = (stride for stride in by if stride <= distance)
        else:
            wanted = {distance, *(there for stop in coming.stops if 0 < (there := (stop - now) % size) < distance)}
        return (by[stride] for stride in wanted if stride in by)


def _size(position: Expr) -> int:
    assert isinstance(position.sort, Ring)
    return position.sort.size
