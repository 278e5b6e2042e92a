"""Arrays that grow where they are: what is not yet used takes no memory, and to grow is not to copy."""

from __future__ import annotations

import mmap
import os
import sys
from typing import Any

import numpy as np

_HUGE = 1 << 22
"""Bytes from which an array is put on large pages, which the processor finds sooner."""

_NORESERVE = 0x4000
"""Linux's MAP_NORESERVE, which Python has no name for: address space is asked for, and no memory."""


class Growing:
    """An array of `parts` columns (none: of one dimension) that can get more rows; `array` is it.

    On Linux it has address space for as much as the machine has memory. Elsewhere, or where so much is not given, it
    is copied as it grows. What is not written has no value.
    """

    def __init__(self, kind: Any, rows: int, parts: int | None = None) -> None:
        self.kind, self.parts = np.dtype(kind), parts
        self.rows, self._advised, self._memory = rows, False, _space()
        if self._memory is None:
            self.array = np.empty(self._shape(rows), self.kind)
        else:
            fit = len(self._memory) // (self.kind.itemsize * (parts or 1))
            self.array = np.frombuffer(self._memory, self.kind, fit * (parts or 1)).reshape(self._shape(fit))

    @property
    def bytes(self) -> int:
        """The memory it takes."""
        return self.rows * (self.parts or 1) * int(self.kind.itemsize)

    def grow(self, rows: int) -> None:
        """Makes room for so many rows."""
        self.rows = max(rows, self.rows)
        if rows > len(self.array):
            self.rows = max(rows, 3 * len(self.array) // 2)
            longer = np.empty(self._shape(self.rows), self.kind)
            longer[: len(self.array)] = self.array
            self.array = longer
        if self._memory is not None and not self._advised and self.bytes > _HUGE:
            self._memory.madvise(mmap.MADV_HUGEPAGE)
            self._advised = True

    def _shape(self, rows: int) -> tuple[int, ...]:
        return (rows,) if self.parts is None else (rows, self.parts)


def _space() -> mmap.mmap | None:
    if sys.platform != "linux":
        return None
    size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        return mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _NORESERVE)
    except (OSError, ValueError):  # a limit of address space
        return None
