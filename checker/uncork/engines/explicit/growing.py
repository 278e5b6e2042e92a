"""Arrays that grow in place: unused rows take no memory, and growing copies nothing."""

from __future__ import annotations

import mmap
import os
import sys
from typing import Any

import numpy as np

_HUGE = 1 << 22
"""Bytes from which an array uses large pages, which need fewer address translations."""

_NORESERVE = 0x4000
"""Linux's MAP_NORESERVE, which Python does not name: reserves address space without memory."""


class Growing:
    """An array that can get more rows, with `parts` columns (None: one dimension). `array` is the present array.

    On Linux, the array reserves as much address space as the machine has memory. On other systems, or if the limit of
    address space is too low, growing copies the array. New elements are undefined.
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
        """The memory that the rows take, in bytes."""
        return self.rows * (self.parts or 1) * int(self.kind.itemsize)

    def grow(self, rows: int) -> None:
        """Makes room for `rows` rows in all."""
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
    except (OSError, ValueError):  # the limit of address space is too low
        return None
