"""The doorbell buffer: which side goes by its words, and what the device stores in a shadow word.

Guest and device may disagree: for one pair of queues, such as the admin queues; because configuring the buffer failed;
or because the device was reset and the guest has not configured the buffer again.
"""

from __future__ import annotations

from typing import ClassVar

from uncork.core.expr import ite
from uncork.core.system import Updates

from uncork_nvme.choices import BufferChoices, Choice, ChoiceError
from uncork_nvme.parts.part import Part
from uncork_nvme.state.queues import CQ, SQ


class BothSides(Part):
    """Guest and device go by the words, as long as there is a doorbell buffer."""

    slot = "buffer"
    chooser = "used_by"
    named: ClassVar[tuple[Choice, ...]] = ("both",)
    chosen: BufferChoices
    guest = True
    """Whether the guest goes by these queues' words in a doorbell buffer."""
    device = True
    """Whether the device does."""

    @property
    def one_sided(self) -> bool:
        """Whether only one side does."""
        return not (self.guest and self.device)

    @property
    def swapped(self) -> bool:
        """Whether guest and device write the words in different byte orders."""
        return self.chosen.byte_order == "other"

    def check(self) -> None:
        """Refuses two byte orders where it is not described what becomes of an index that no queue has."""
        if self.swapped:
            known = {"doorbell_buffer": "on", "events": "none", "memory": "sc", "event_outside": "none"}
            self.only_with("byte_order=other", "byte_order=same", known)

    @property
    def stores(self) -> bool:
        """Whether the device stores a doorbell's value in the shadow word."""
        return self.chosen.on_doorbell == "store"

    @property
    def follows(self) -> bool:
        """Whether the guest goes by the old buffer after a reset."""
        again = self.parts.guest.buffered and self.parts.life.happening["reset"] > 0
        return again and self.chosen.after_reset == "follow"

    def on_doorbell(self, ring: SQ | CQ) -> list[Updates]:
        """What a doorbell changes in the pages that the device reads and the guest does not write.

        Where the guest writes the words, it has stored the same value just before.
        """
        if not self.stores or not ring.has("page"):
            return []
        return [ring(page=ite(ring.life.device_uses, ring.shadow, ring.page))]


class OneSided(BothSides):
    """One side goes by the words, and the other does not."""

    def check(self) -> None:
        """Refuses a machine without a doorbell buffer, and x86-TSO."""
        super().check()
        if not self.parts.guest.buffered:
            raise ChoiceError(
                f"used_by={self.chosen.used_by} is about a doorbell buffer: set doorbell_buffer=on, or used_by=both"
            )
        self.only_with(f"used_by={self.chosen.used_by}", "used_by=both", {"memory": "sc"})


class GuestOnly(OneSided):
    """The device refused the buffer, or leaves these queues out: it learns an index from a doorbell only."""

    named = ("guest",)
    device = False


class DeviceOnly(OneSided):
    """The guest leaves these queues out: it rings for every move, and writes no word that the device reads."""

    named = ("device",)
    guest = False
