"""Is what was seen a run of the system? Follows all the states that it may be in, event by event.

Between two events the system may take any of the actions that are not seen (trace validation, as for TLA+: Cirstea,
Kuppe, Loillier, Merz, "Validating Traces of Distributed Programs Against TLA+ Specifications", 2024).
"""

from __future__ import annotations

import functools
from collections.abc import Container, Iterable, Mapping

from uncork.core.expr import Expr
from uncork.core.observed import Event
from uncork.core.sorts import Value
from uncork.core.system import System
from uncork.core.trace import Trace
from uncork.engines.python import Plain, successors, value

_Came = dict[Plain, tuple[Plain, int] | None]
"""The states of a layer, and for each the one before it and the action between; None is a state of the layer before."""


_REMEMBERED = 100_000
"""States whose steps are remembered: one run comes by the states of another."""


class Crowd(Exception):
    """So many states fit what was seen that they cannot be followed."""


class Follower:
    """The states that a system may be in after the events so far.

    `unseen` are the names of the actions that no event shows; `shows` is what events may have seen.
    """

    def __init__(self, system: System, unseen: Iterable[str], shows: Mapping[str, Expr], most: int = 200_000) -> None:
        self.system, self.most = system, most
        self._names = [action.name for action in system.actions]
        free = frozenset(unseen)
        self._free = [name in free for name in self._names]
        self._next = functools.lru_cache(maxsize=_REMEMBERED)(successors(system))
        self._shows = {name: value(system, shown) for name, shown in shows.items()}
        self.states: frozenset[Plain]
        self._layers: list[tuple[_Came, _Came]]
        self.restart()

    def restart(self) -> None:
        """To the first state, before any event."""
        self.states = frozenset({tuple(self.system.initial.values())})
        self._layers = []

    @property
    def events(self) -> int:
        """How many events were accepted."""
        return len(self._layers)

    def take(self, event: Event) -> bool:
        """Whether the system may do this next; if not, nothing changes. Raises `Crowd`."""
        saw = [(self._shows[name], seen) for name, seen in event.saw.items()]

        def fits(state: Plain | None) -> bool:
            if state is None or not all(show(state) == seen for show, seen in saw):
                return False
            return not event.quiet or not self._may(state, event.quiet)

        reached, after = self._closure(), dict[Plain, tuple[Plain, int] | None]()
        if event.actions:
            for state in reached:
                for action, target in self._next(state):
                    if self._names[action] in event.actions and target is not None and fits(target):
                        after.setdefault(target, (state, action))
        else:
            after.update((state, None) for state in reached if fits(state))
        if not after:
            return False
        self._layers.append((reached, after))
        self.states = frozenset(after)
        return True

    def shown(self, states: Iterable[Plain]) -> list[dict[str, Value]]:
        """What may be seen in these states, each once."""
        seen = {tuple(show(state) for show in self._shows.values()): None for state in states}
        return [dict(zip(self._shows, each, strict=True)) for each in seen]

    def reachable(self) -> frozenset[Plain]:
        """The states that it may be in before the next event, unseen actions taken."""
        return frozenset(self._closure())

    def settle(self, quiet: Container[str] | None = None) -> frozenset[Plain]:
        """Those in which none of some actions is enabled; no unseen one, if none are named."""
        names = {name for name, free in zip(self._names, self._free, strict=True) if free} if quiet is None else quiet
        return frozenset(state for state in self._closure() if not self._may(state, names))

    def _may(self, state: Plain, names: Container[str]) -> bool:
        return any(self._names[action] in names for action, _ in self._next(state))

    def run(self) -> Trace:
        """A run that fits all the events."""
        state = next(iter(self.states))
        states, steps = [state], list[str]()
        for reached, after in reversed(self._layers):
            for layer in (after, reached):
                while (came := layer[state]) is not None:
                    state, action = came
                    states.append(state)
                    steps.append(self._names[action])
                    if layer is after:
                        break
        names = [variable.name for variable in self.system.variables]
        return Trace(tuple(dict(zip(names, each, strict=True)) for each in reversed(states)), tuple(reversed(steps)))

    def _closure(self) -> _Came:
        reached: _Came = dict.fromkeys(self.states)
        queue = list(self.states)
        for state in queue:
            for action, target in self._next(state):
                if self._free[action] and target is not None and target not in reached:
                    reached[target] = (state, action)
                    queue.append(target)
            if len(queue) > self.most:
                raise Crowd(f"{len(queue):,} states fit what was seen: log more of what the device does")
        return reached
