"""A device with a part of its own in place of one: it asks for a doorbell only for the second entry that waits.

    uncork check --device examples/devices/coalescing.py:mine --guest linux --sqs 1

finds that it hangs: nobody rings for an entry that comes alone.
"""

from uncork_nvme import DEVICES, Reader


class Coalescing(Reader):
    """A reader that writes SQ EventIdx one past the head, to save every second doorbell."""

    def event(self, q):
        """What SQ EventIdx becomes."""
        return q.head + 1


mine = DEVICES["hand-over"].but(
    "coalescing",
    "The device hand-over, with a doorbell for every second entry.",
    {Coalescing: {}},  # made from Reader: takes its place, and keeps its settings
    source="an example",
)
