"""A system with times: how long every step takes, and what a simulation measures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from uncork.core.expr import Expr, boolean
from uncork.core.frozen import frozen
from uncork.core.sorts import SlipError
from uncork.core.system import System


@frozen
class Time:
    """How long a step takes from the moment it is enabled, in any unit. With a `mean` of 0, it takes no time.

    `spread` is the standard deviation divided by the mean. The distribution is constant for 0, exponential for 1, and
    a gamma distribution for other values.
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
        """The shape of the gamma distribution; 0 if the time is constant."""
        return 1 / self.spread**2 if self.spread and self.mean else 0.0


@frozen
class Arrivals:
    """Arrivals that do not depend on the system: `burst` at a time, at exponential intervals with the mean `apart`.

    A step with arrivals can start for the k-th time once the k-th arrival is there and the step is enabled. The time of
    the step counts from that moment. Later arrivals queue.
    """

    apart: float
    burst: int = 1

    def __post_init__(self) -> None:
        if not 0 < self.apart < float("inf") or self.burst < 1:
            raise SlipError(f"bursts of 1 or more arrive some time apart, not {self.burst}, {self.apart} apart")


@frozen
class Case:
    """The time of a step in states where `condition` holds."""

    time: Time
    condition: Expr = field(default_factory=lambda: boolean(True))


@frozen
class Span:
    """An interval of a run: it begins with an action in `since` and ends with the next action in `until` (names).

    Further actions in `since` do not restart the interval. Its latency counts from its first state in which `opens`
    holds.
    """

    name: str
    since: frozenset[str]
    opens: Expr
    until: frozenset[str]


@frozen
class Timed:
    """A system, and the times of its steps.

    - `times` has the cases of every duty; the first case whose condition holds applies. The clock of a step starts
      again if the step was disabled or another case applied in between. A duty without times is never taken.
    - `averages` are numbers or conditions (0 and 1) whose averages over time are measured.
    - `arrivals` are the arrivals of some duties. Such a duty has exactly one case.
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
