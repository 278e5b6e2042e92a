"""The interface of the engines. Engines print nothing, are deterministic, and do not know what a system models."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import field
from typing import Protocol

from uncork.core.frozen import frozen
from uncork.core.property import Cover, Property
from uncork.core.system import System
from uncork.core.verdict import Verdict

REDUCTIONS = frozenset({"rotation", "permutation", "dead"})
"""The reductions of the explicit engine, by name; see `explicit.reduction`."""


@frozen
class Budget:
    """The limits of a search: states, bytes of memory, seconds. None is no limit."""

    states: int | None = None
    memory: int | None = None
    seconds: float | None = None

    def out_of(self, what: str) -> str:
        """The message that a limit is reached; `what` is `states`, `memory` or `seconds`."""
        match what:
            case "states":
                return f"the budget of {self.states:,} states is spent"
            case "memory":
                return f"the budget of {(self.memory or 0) / 2**20:,.0f} MiB is spent"
        return f"the budget of {self.seconds:g} seconds is spent"


@frozen
class Progress:
    """The progress of an engine: states found, steps between them, depth, unexpanded states, bytes, seconds."""

    states: int
    transitions: int
    depth: int
    frontier: int
    memory: int
    seconds: float


Report = Callable[[Progress], None]
"""A function that an engine calls from time to time. If it raises `Stop`, the engine returns what it knows."""


class Stop(Exception):
    """Raised by a `Report` to end a search early. The message becomes the reason of the open verdicts."""


def quiet(_: Progress) -> None:
    """A `Report` that does nothing."""


@frozen
class Tick:
    """Where work on many things is: how many are done, of how many, and what is under way."""

    done: int
    total: int
    current: str = ""
    progress: Progress | None = None


Watch = Callable[[Tick], None]
"""Called from time to time."""


def unwatched(_: Tick) -> None:
    """Shows nothing."""


_LISTENERS: list[Callable[[str], None]] = []


@contextmanager
def listening(listener: Callable[[str], None]) -> Iterator[None]:
    """Calls `listener` with a sentence whenever work waits for something else than a search."""
    _LISTENERS.append(listener)
    try:
        yield
    finally:
        _LISTENERS.remove(listener)


def waiting(what: str) -> None:
    """Tells every listener what is waited for; nothing any more, if it is empty."""
    for each in tuple(_LISTENERS):
        each(what)


@frozen
class Outcome:
    """The result of an engine for one system: a verdict for every property, and the size of the search.

    `unreached` names the covers that no run reaches; it is None if the search did not end. `stopped` is the message of
    the `Stop` that ended the search, if one did.
    """

    engine: str
    verdicts: tuple[tuple[Property, Verdict], ...]
    unreached: tuple[str, ...] | None
    states: int
    transitions: int
    depth: int
    seconds: float
    stopped: str | None = field(default=None)


class Engine(Protocol):
    """Decides properties of a system within a budget."""

    def __call__(
        self,
        system: System,
        properties: Sequence[Property],
        covers: Sequence[Cover] = (),
        budget: Budget = ...,
        report: Report = ...,
    ) -> Outcome:
        """Decides every property in one search."""
        ...
