"""A system with times: how long each step takes, and what is to be measured while it runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from uncork.core.expr import Expr, boolean
from uncork.core.sorts import SlipError
from uncork.core.system import System


@dataclass(frozen=True)
class Time:
    """How long a step takes from when it is enabled, in whatever unit: `mean`, always or on average; 0 is at once."""

    mean: float
    exponential: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.mean < float("inf"):
            raise SlipError(f"a step takes a time of 0 or more, not {self.mean}")

    def __str__(self) -> str:
        return f"{self.mean:g} (exponential)" if self.exponential else f"{self.mean:g}"


@dataclass(frozen=True)
class Case:
    """The time of a step where a condition holds."""

    time: Time
    condition: Expr = field(default_factory=lambda: boolean(True))


@dataclass(frozen=True)
class Span:
    """A stretch of time: it begins with an action of `since` and ends with the next one of `until` (names of actions).

    Its latency is counted from the first moment in it that `opens` holds.
    """

    name: str
    since: frozenset[str]
    opens: Expr
    until: frozenset[str]


@dataclass(frozen=True)
class Timed:
    """A system, and the time of each step.

    `times` has the cases of each duty: the first whose condition holds is the one that counts. A step that is disabled
    loses its place, and so does one that changes from one case to another. A duty that is not named is never done.
    `averages` are numbers or conditions (0 and 1) of which the average over time is wanted.
    """

    system: System
    times: Mapping[str, tuple[Case, ...]]
    averages: Mapping[str, Expr] = field(default_factory=dict)
    spans: tuple[Span, ...] = ()

    def __post_init__(self) -> None:
        names = {action.name for action in self.system.actions}
        for what, unknown in (
            ("duty", self.times.keys() - self.system.duties.keys()),
            ("action", {name for span in self.spans for name in span.since | span.until} - names),
        ):
            if unknown:
                raise SlipError(f"{self.system.name} has no {what} {', '.join(sorted(unknown))}")
