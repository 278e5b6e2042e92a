"""What was seen of a run: events, each of which may be some actions, and what was read after it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from uncork.core.frozen import frozen
from uncork.core.sorts import Value


@frozen
class Event:
    """One thing that was seen.

    `actions` are the names of those of which exactly one was taken; none is a look at the state between two events.
    `saw` are the values, just after it, of some of what can be observed, by name. `label` says where it comes from.
    `quiet` are the names of actions that were possible no more when it was seen: the system was given time for them.
    """

    label: str
    actions: frozenset[str] = frozenset()
    saw: Mapping[str, Value] = field(default_factory=dict)
    quiet: frozenset[str] = frozenset()
