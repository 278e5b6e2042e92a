"""Verdicts: a closed sum. A search that finds nothing to some depth is `Open`, never a pass."""

from __future__ import annotations

from typing import ClassVar, TypeAlias

from uncork.core.frozen import frozen
from uncork.core.trace import Trace


@frozen
class Proved:
    """The property holds of every run at the stated sizes; `how` it is known."""

    how: str
    word: ClassVar[str] = "proved"
    steps: ClassVar[tuple[None, None]] = (None, None)


@frozen
class Refuted:
    """A run violates the property; the trace has been replayed.

    `shortest` is whether no run enters such a loop at a lesser depth, and none that enters there has a shorter loop.
    """

    trace: Trace
    shortest: bool = True
    word: ClassVar[str] = "refuted"

    @property
    def steps(self) -> tuple[int, int | None]:
        """The number of steps in the run, its loop included, and in its loop."""
        return len(self.trace.steps), self.trace.loop_steps


@frozen
class Open:
    """Not known: why the search stopped, and the depth up to which all runs were looked at."""

    reason: str
    depth: int
    word: ClassVar[str] = "open"
    steps: ClassVar[tuple[None, None]] = (None, None)


Verdict: TypeAlias = Proved | Refuted | Open
"""Each has a `word` for itself, and `steps`: how long the run that refutes is, and its loop; None without one."""
