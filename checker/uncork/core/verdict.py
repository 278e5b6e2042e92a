"""Verdicts: a closed sum. A search that finds nothing to some depth is `Open`, never a pass."""

from __future__ import annotations

from typing import TypeAlias

from uncork.core.frozen import frozen
from uncork.core.trace import Trace


@frozen
class Proved:
    """The property holds of every run at the stated sizes; `how` it is known."""

    how: str


@frozen
class Refuted:
    """A run violates the property; the trace has been replayed.

    `shortest` is whether no run enters such a loop at a lesser depth, and none that enters there has a shorter loop.
    """

    trace: Trace
    shortest: bool = True


@frozen
class Open:
    """Not known: why the search stopped, and the depth up to which all runs were looked at."""

    reason: str
    depth: int


Verdict: TypeAlias = Proved | Refuted | Open
