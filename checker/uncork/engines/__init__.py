"""What an engine takes and gives. Engines are silent, deterministic, and know nothing of what a system stands for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
    """How far an engine may go: states, bytes of memory, seconds. None is no limit."""

    states: int | None = None
    memory: int | None = None
    seconds: float | None = None

    def out_of(self, what: str) -> str:
        """That a part of it is spent, in words."""
        match what:
            case "states":
                return f"the budget of {self.states:,} states is spent"
            case "memory":
                return f"the budget of {(self.memory or 0) / 2**20:,.0f} MiB is spent"
        return f"the budget of {self.seconds:g} seconds is spent"


@frozen
class Progress:
    """Where an engine is: states found, steps between them, depth, states not expanded yet, bytes, seconds."""

    states: int
    transitions: int
    depth: int
    frontier: int
    memory: int
    seconds: float


Report = Callable[[Progress], None]
"""Called from time to time. It may raise `Stop`, and then the engine answers with what it knows."""


class Stop(Exception):
    """Raised by a `Report` to end a search early; the message becomes the reason of the open verdicts."""


def quiet(_: Progress) -> None:
    """Reports nothing."""


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


@frozen
class Outcome:
    """What an engine found out about one system: a verdict for each property and the size of the search.

    `unreached` names the covers that no run reaches; it is None where the search did not end. `stopped` is the message
    of a `Stop`, if the search was ended by one.
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
        """The verdict of every property, from one exploration."""
        ...
