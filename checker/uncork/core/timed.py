"""A system with times: how long each step takes, and what is to be measured while it runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from uncork.core.expr import Expr, boolean
from uncork.core.frozen import frozen
from uncork.core.sorts import SlipError
from uncork.core.system import System


@frozen
class Time:
    """How long a step takes from when it is enabled, in whatever unit; a `mean` of 0 is at once.

    `spread` is the standard deviation in means: 0 is constant, 1 exponential, between and beyond it a gamma
    distribution.
    """

    mean: float
    spread: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.mean < float("inf"):
            raise SlipError(f"a step takes a time of 0 or more, not {self.mean}")
        if self.spread and not 0.01 <= self.spread <= 10:
            raise SlipError(f"a time spreads by 0, or by 0.01 to 10 of its mean, not by {self.spread}")

    @property
    def shape(self) -> float:
        """Of the gamma distribution; 0 where there is none."""
        return 1 / self.spread**2 if self.spread and self.mean else 0.0


@frozen
class Arrivals:
    """Occasions that come whatever the system does, `burst` at a moment, the moments exponentially `apart` on average.

    A step that has arrivals can begin for the k-th time when the k-th is there and it is enabled; its time counts from
    then. Those that come meanwhile wait.
    """

    apart: float
    burst: int = 1

    def __post_init__(self) -> None:
        if not 0 < self.apart < float("inf") or self.burst < 1:
            raise SlipError(f"bursts of 1 or more arrive some time apart, not {self.burst}, {self.apart} apart")


@frozen
class Case:
    """The time of a step where a condition holds."""

    time: Time
    condition: Expr = field(default_factory=lambda: boolean(True))


@frozen
class Span:
    """A stretch of time: it begins with an action of `since` and ends with the next one of `until` (names of actions).

    An action of `since` within it changes nothing. Its latency counts from the first moment in it that `opens` holds.
    """

    name: str
    since: frozenset[str]
    opens: Expr
    until: frozenset[str]


@frozen
class Timed:
    """A system, and the time of each step.

    `times` has the cases of each duty: the first whose condition holds is the one that counts. A step that is disabled
    loses its place, and so does one that changes from one case to another. A duty that is not named is never done. One
    that has `arrivals` has one case.
    `averages` are numbers or conditions (0 and 1) of which the average over time is wanted.
    """

    system: System
    times: Mapping[str, tuple[Case, ...]]
    averages: Mapping[str, Expr] = field(default_factory=dict)
    spans: tuple[Span, ...] = ()
    arrivals: Mapping[str, Arrivals] = field(default_factory=dict)

    def __post_init__(self) -> None:
        names = {action.name for action in self.system.actions}
        for what, unknown in (
            ("duty", self.times.keys() - self.system.duties.keys()),
            ("action", {name for span in self.spans for name in span.since | span.until} - names),
        ):
            if unknown:
                raise SlipError(f"{self.system.name} has no {what} {', '.join(sorted(unknown))}")
        for duty in self.arrivals:
            if len(self.times.get(duty, ())) != 1:
                raise SlipError(f"{duty!r} has arrivals, and so has one case of its time")
