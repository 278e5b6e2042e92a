"""What was seen of a run: events, each of which may be some actions, and what was read after it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from uncork.core.sorts import Value


@dataclass(frozen=True)
class Event:
    """One thing that was seen.

    `actions` are the names of those of which exactly one was taken; none is a look at the state between two events.
    `saw` are the values, just after it, of some of what can be observed, by name. `label` says where it comes from.
    `settled`: after it nothing could happen that is not seen.
    """

    label: str
    actions: frozenset[str] = frozenset()
    saw: Mapping[str, Value] = field(default_factory=dict)
    settled: bool = False
