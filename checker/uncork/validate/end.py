"""Tells how the run of an accepted log may end: whether its guest may wait for ever, for what, and what would help."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

from uncork_nvme.observe import at_once, unserved
from uncork_properties import recorded_proofs

from uncork.core.evaluate import holds
from uncork.core.sorts import Value
from uncork.core.trace import Trace
from uncork.engines.follow import TooManyStates
from uncork.engines.python import Plain, predicate
from uncork.engines.rest import Resting, Rests
from uncork.validate.follow import Followed
from uncork.validate.moves import FEW

STATES = 100_000
"""All continuations are followed if they have at most so many states (some seconds)."""

_TRIES, _LONG = 40, 20_000
"""Random continuations that are tried if there are too many to follow them all, and the most steps of one."""


@dataclass(frozen=True)
class Wakes:
    """What a submission to an SQ would do in a state in which the guest waits.

    `most` is how many entries it can take. `tried` are numbers of entries, in order: all up to `most`, or to the first
    that `helps`, if they are few; else 1 and `most`. `helps`: the last of them ends all waits, whatever follows.
    `never`: after none of them do all waits end, whatever follows. Not `known`: too much may follow the last of them.
    """

    label: str
    most: int
    tried: tuple[int, ...]
    helps: bool = False
    never: bool = False
    known: bool = True


@dataclass(frozen=True)
class End:
    """How a run continues after its last event, if the guest submits nothing more.

    - `may`: in some continuation the guest waits for ever; `waits` says for what, and `wakes` what a submission would
      do. `run` is such a run; its last `more` steps follow the last event.
    - `completes`: in some continuation it does not.
    - `known`: what was not found does not exist: all continuations were followed, or a proof is about all.
    - `under_way`: the least and the greatest number of entries and commands that are not completed at the last event.
    """

    known: bool
    may: bool
    completes: bool
    under_way: tuple[int, int]
    waits: tuple[str, ...] = ()
    wakes: tuple[Wakes, ...] = ()
    run: Callable[[], Trace] | None = None
    more: int = 0

    @property
    def stuck(self) -> bool:
        """Whether the guest waits for ever in every continuation."""
        return self.known and self.may and not self.completes


class _Ends:
    def __init__(self, followed: Followed, most: int) -> None:
        self.followed, self.reader, self.most = followed, followed.reader, most
        self.system, self.machine = self.reader.system, self.reader.machine
        fair = [action.name for action in self.system.actions if action.fair]
        self.resting = Resting(self.system, fair, at_once(self.machine, self.system))
        self._waiting = {q: predicate(self.system, unserved(q)) for q in self.machine.sqs}

    @cached_property
    def states(self) -> list[Plain]:
        return sorted(self.followed.follower.states, key=repr)

    def waits(self, state: Plain) -> bool:
        """Returns whether the guest waits for anything."""
        return any(waits(state) for waits in self._waiting.values())

    def told(self, state: Plain) -> tuple[str, ...]:
        """Returns what the guest waits for."""
        shown = self.followed.follower.shown([state])[0]
        return tuple(_waits(q.name, q.label, q.size, shown) for q, waits in self._waiting.items() if waits(state))

    def under_way(self) -> tuple[int, int]:
        """Returns the least and the greatest number of entries and commands that are not completed."""
        shown = self.followed.follower.shown(self.states)
        numbers = [sum(_under_way(q.name, q.size, each) for q in self._waiting) for each in shown]
        return min(numbers), max(numbers)

    def some(self) -> Iterator[list[tuple[str, Plain]]]:
        """Yields some continuations: a state after the last event (no step leads to it), and steps until it rests."""
        drawn = random.Random(0)
        for _ in range(_TRIES):
            run = [("", drawn.choice(self.states))]
            while len(run) < _LONG and (possible := self.resting.steps(run[-1][1])):
                run.append(drawn.choice(possible))
            if len(run) < _LONG:
                yield run

    def run(self, first: Plain, steps: Sequence[tuple[str, Plain]]) -> Trace:
        """Returns a run of the log, with the steps after it to a state of rest."""
        found = self.followed.follower.run_to(first)
        names = [variable.name for variable in self.system.variables]
        states = (*found.states, *(dict(zip(names, each, strict=True)) for _, each in steps))
        return Trace(states, (*found.steps, *(name for name, _ in steps)), loop=len(states) - 1)

    def wakes(self, state: Plain) -> tuple[Wakes, ...]:
        """Returns what submissions would do in a state of rest, of each SQ."""
        return tuple(self._wakes(q.name, q.label, state) for q in self.machine.sqs)

    def _wakes(self, name: str, label: str, state: Plain) -> Wakes:
        here = dict(zip((v.name for v in self.system.variables), state, strict=True))
        of = [a for a in self.system.actions if a.family == "submit" and a.args[0].name == name]
        may = {action.args[1]: action for action in of if holds(action.guard, here)}
        numbers, never = sorted(may) if len(may) < FEW else [min(may), max(may)], True
        most = max(may, default=0)
        for place, by in enumerate(numbers, 1):
            try:
                found = self.resting.rests([tuple(self.system.after(here, may[by]).values())], self.most)
            except TooManyStates:
                return Wakes(label, most, tuple(numbers[:place]), known=False)
            waits = [self.waits(each) for each in (*found.ends, *found.endless)]
            if not any(waits):
                return Wakes(label, most, tuple(numbers[:place]), helps=True)
            never = never and all(waits)
        return Wakes(label, most, tuple(numbers), never=never)


def end(followed: Followed, most: int = STATES) -> End:
    """Returns how the run of an accepted log ends.

    Exactly if at most `most` states follow it, or if it is recorded as proved that every run of this design drains;
    else what some runs show.
    """
    ends = _Ends(followed, most)
    try:
        found: Rests | None = ends.resting.rests(ends.states, ends.most)
    except TooManyStates:
        found = None
    if found is None and "drains" in recorded_proofs.proved(followed.instance):
        return End(True, False, True, ends.under_way())
    if found is None:
        return _of_some(ends)
    left = [state for state in found.ends if ends.waits(state)]
    endless = [state for state in found.endless if ends.waits(state)]
    completes = len(left) < len(found.ends) or (bool(found.endless) and not endless)
    if not left:
        return End(not endless, False, completes, ends.under_way())
    start, steps = min((found.way(state) for state in left), key=lambda way: len(way[1]))
    return _stuck(ends, start, steps, known=not endless, completes=completes)


def _of_some(ends: _Ends) -> End:
    """Returns how the run may end, if there are too many continuations to follow them all."""
    found = list(ends.some())
    stuck = [run for run in found if ends.waits(run[-1][1])]
    completes = len(stuck) < len(found)
    if not stuck:
        return End(False, False, completes, ends.under_way())
    (_, start), *steps = min(stuck, key=len)
    return _stuck(ends, start, steps, known=False, completes=completes)


def _stuck(ends: _Ends, start: Plain, steps: Sequence[tuple[str, Plain]], *, known: bool, completes: bool) -> End:
    last = steps[-1][1] if steps else start
    run = partial(ends.run, start, steps)
    return End(known, True, completes, ends.under_way(), ends.told(last), ends.wakes(last), run, len(steps))


def _under_way(name: str, size: int, shown: Mapping[str, Value]) -> int:
    return _entries(name, size, shown) + int(shown[f"{name}.in_flight"])  # type: ignore[arg-type]  # a number


def _entries(name: str, size: int, shown: Mapping[str, Value]) -> int:
    return (int(shown[f"{name}.shadow"]) - int(shown[f"{name}.head"])) % size  # type: ignore[arg-type]  # positions


def _waits(name: str, label: str, size: int, shown: Mapping[str, Value]) -> str:
    entries = _entries(name, size, shown)
    state = "is corked" if shown[f"{name}.corked"] else "sleeps"
    running = shown[f"{name}.in_flight"]
    told = f"{label} {state} with {entries} {'entry' if entries == 1 else 'entries'}"
    return told + (f"; {running} of its commands {'is' if running == 1 else 'are'} not posted" if running else "")
