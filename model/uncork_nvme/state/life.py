"""The events that may still happen to queues and device; whether the device runs, and who uses a doorbell buffer."""

from __future__ import annotations

from uncork.core.expr import Expr, boolean
from uncork.core.sorts import Bool, Nat
from uncork.core.system import Record, var

from uncork_nvme.choices import LifeChoices


class Life(Record):
    """The events that may still happen, and whether the device runs and has a doorbell buffer.

    For each chosen event a variable counts how often the event may still happen. Without events there are no variables.
    `keeps`: whether the device still reads the old pages after a reset; `follows`: whether the guest goes by them.
    `guest` and `device`: whether the side goes by a doorbell buffer at all.
    """

    def __init__(
        self, choices: LifeChoices, *, old_pages: bool, follows: bool = False, guest: bool = True, device: bool = True
    ) -> None:
        self.follows, self.guest, self.device = follows, guest, device
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
    def configured(self) -> Expr:
        """Whether a doorbell buffer is configured, on a machine that has one."""
        return self.buffered if self.events["config"] or self.events["reset"] else boolean(True)

    @property
    def guest_uses(self) -> Expr:
        """Whether the guest goes by a doorbell buffer."""
        return (boolean(True) if self.follows else self.configured) if self.guest else boolean(False)

    @property
    def device_uses(self) -> Expr:
        """Whether the device reads shadow words."""
        return (boolean(True) if self.keeps else self.configured) if self.device else boolean(False)

    @property
    def in_use(self) -> Expr:
        """Whether guest and device go by the same words."""
        return self.configured if self.guest and self.device else boolean(False)

    @property
    def awake(self) -> Expr:
        """Whether the device is not paused."""
        return self.running if self.events["pause"] else boolean(True)

    @property
    def blind(self) -> Expr:
        """Whether the device has no shadow word to read."""
        return ~self.device_uses
