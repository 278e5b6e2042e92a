"""Verdicts: `Proved`, `Refuted` or `Open`. A search that finds nothing up to some depth is `Open`, never a pass."""

from __future__ import annotations

from typing import ClassVar, TypeAlias

from uncork.core.frozen import frozen
from uncork.core.trace import Trace


@frozen
class Proved:
    """The property holds of every run of the system. `how` names the proof."""

    how: str
    word: ClassVar[str] = "proved"
    steps: ClassVar[tuple[None, None]] = (None, None)


@frozen
class Refuted:
    """A run violates the property. The trace has been replayed.

    `shortest`: no run enters a violating loop at a smaller depth, and no violating loop at this depth is shorter.
    """

    trace: Trace
    shortest: bool = True
    word: ClassVar[str] = "refuted"

    @property
    def steps(self) -> tuple[int, int | None]:
        """The number of steps in the run, loop included, and the number of steps in the loop."""
        return len(self.trace.steps), self.trace.loop_steps


@frozen
class Open:
    """The verdict is unknown: `reason` says why the search stopped; all runs up to `depth` were searched."""

    reason: str
    depth: int
    word: ClassVar[str] = "open"
    steps: ClassVar[tuple[None, None]] = (None, None)


Verdict: TypeAlias = Proved | Refuted | Open
"""Every verdict has a `word`, and `steps`: the lengths of the refuting run and of its loop, or None."""
