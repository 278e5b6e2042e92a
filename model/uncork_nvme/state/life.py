"""The events that may still happen to queues and device, and whether the device runs and has a doorbell buffer."""

from __future__ import annotations

from uncork.core.expr import Expr, boolean
from uncork.core.sorts import Bool, Nat
from uncork.core.system import Record, var

from uncork_nvme.choices import LifeChoices


class Life(Record):
    """The events that may still happen, and whether the device runs and has a doorbell buffer.

    For each chosen event a variable counts how often the event may still happen. Without events there are no variables.
    `keeps`: whether the device still reads the old pages after a reset.
    """

    def __init__(self, choices: LifeChoices, *, old_pages: bool) -> None:
        self.events, self.keeps, self.clears = choices.happening, old_pages, choices.words == "clear"
        left = {event: var(Nat(n), "how often this may still happen", n) for event, n in sorted(self.events.items())}
        at_first = not self.events["config"] or self.events["reset"] + self.events["restart"] > 0
        buffered = var(Bool(), "the guest has configured its doorbell buffer", at_first)
        running = var(Bool(), "the device is not paused", True)
        super().__init__(
            "life",
            **left,
            **({"buffered": buffered} if self.events["config"] or self.events["reset"] else {}),
            **({"running": running} if self.events["pause"] else {}),
        )

    @property
    def in_use(self) -> Expr:
        """Whether guest and device use the doorbell buffer, on a machine that has one."""
        return self.buffered if self.events["config"] or self.events["reset"] else boolean(True)

    @property
    def awake(self) -> Expr:
        """Whether the device is not paused."""
        return self.running if self.events["pause"] else boolean(True)

    @property
    def blind(self) -> Expr:
        """Whether the device has no shadow word to read."""
        return boolean(False) if self.keeps else ~self.in_use
