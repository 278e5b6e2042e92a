"""The model beside a device: it follows the guest's moves and what is seen of the device, or finds a mismatch.

One notion covers every device: the set of states that the model may be in after each observation. A device that shows
more of its steps leaves fewer states.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from uncork.core.expr import Expr
from uncork.core.questions.observed import Event
from uncork.core.sorts import Value
from uncork.core.system import System
from uncork.engines.follow import Follower


@dataclass(frozen=True)
class Mismatch:
    """An observation that no run of the model explains: the move before it, the values seen, the model's values."""

    move: str
    saw: Mapping[str, Value]
    model: tuple[Mapping[str, Value], ...]
    """The values in the model's states; empty if the model has no state that fits."""

    @property
    def differs(self) -> list[str]:
        """The names of values that no state of the model has; if only the combination is missing, those that vary."""
        found = [name for name, value in self.saw.items() if all(shown[name] != value for shown in self.model)]
        varies = [name for name, value in self.saw.items() if any(shown[name] != value for shown in self.model)]
        return found or varies or list(self.saw)


class Beside:
    """A model beside a device. It can follow one run after another.

    `unseen` are the actions that no event shows, `shows` the values that are compared.
    """

    def __init__(self, system: System, unseen: Iterable[str], shows: Mapping[str, Expr]) -> None:
        self.system = system
        self.follower = Follower(system, unseen, shows)

    def restart(self) -> None:
        """Returns to the first state."""
        self.follower.restart()

    def expect(self, event: Event, among: frozenset[str] | None = None) -> Mismatch | None:
        """Takes an event; `among` are the unseen actions that may have come before it. Raises `TooManyStates`.

        If no run of the model fits, the states stay as they were.
        """
        if self.follower.take(event, among=among):
            return None
        if event.actions:
            return Mismatch(event.label, event.saw, ())
        fits = self.follower.shown(self.follower.settle(event.quiet, among=among))
        return Mismatch(event.label, event.saw, tuple({name: each[name] for name in event.saw} for each in fits))
