"""Reads a log in any of the formats."""

from __future__ import annotations

from collections.abc import Iterator

from uncork.logs import Log, dtrace, lines, propolis, qemu

FORMATS = ("uncork", "propolis", "dtrace", "qemu")
"""The formats of a log, uncork's own first."""

OF_A_QUEUE = ("dtrace", "qemu")
"""The formats whose logs tell of several completion queues, of which one is read."""


def read(text: Iterator[str], format_: str, queue: int | None = None) -> Log:
    """Returns the log in the lines of a file; `queue` is the number of the CQ to read. Raises `LogError`."""
    match format_:
        case "qemu":
            return qemu.read(text, queue)
        case "dtrace":
            return dtrace.read(text, queue)
        case "propolis":
            return propolis.read(text)
    return lines.read(text)
