"""Observations of a run: events, each with the actions that it may stand for and the values read after it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from uncork.core.frozen import frozen
from uncork.core.sorts import Value


@frozen
class Event:
    """One observed event.

    - `label` says where the event comes from, such as a line of a log.
    - `actions` are names of actions, exactly one of which was taken. If empty, the event only observes the state.
    - `saw` are observed values just after the event, by the name of the observable.
    - `quiet` are names of actions that were not enabled after the event, because the system had had time to take them.
    """

    label: str
    actions: frozenset[str] = frozenset()
    saw: Mapping[str, Value] = field(default_factory=dict)
    quiet: frozenset[str] = frozenset()
