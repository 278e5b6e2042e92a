"""Arrays that grow where they are: what is not yet used takes no memory, and to grow is not to copy."""

from __future__ import annotations

import mmap
import sys
from typing import Any

import numpy as np

_HUGE = 1 << 22
"""Bytes from which an array is put on large pages, which the processor finds sooner."""


class Growing:
    """An array of `parts` columns (none: of one dimension) that can get more rows.

    `array` is it; nobody may keep that, or a part of it, while it grows.
    """

    def __init__(self, kind: Any, rows: int, parts: int | None = None) -> None:
        self.kind, self.parts = np.dtype(kind), parts
        self._memory = mmap.mmap(-1, self._bytes(rows), **_PRIVATE)
        self._show(rows)

    def grow(self, rows: int) -> None:
        """Makes room for more rows, by a half at least."""
        if rows <= len(self.array):
            return
        rows = max(rows, len(self.array) * 3 // 2)
        before, self.array = self.array, np.empty(0, self.kind)
        try:
            del before
            self._memory.resize(self._bytes(rows))
        except (SystemError, ValueError, OSError):  # not every system has it, and a debugger may hold the array
            old, self._memory = self._memory, mmap.mmap(-1, self._bytes(rows), **_PRIVATE)
            self._memory[: len(old)] = old[:]
        self._show(rows)

    def _bytes(self, rows: int) -> int:
        return max(rows * (self.parts or 1) * self.kind.itemsize, 1)

    def _show(self, rows: int) -> None:
        if sys.platform == "linux" and self._bytes(rows) >= _HUGE:
            self._memory.madvise(mmap.MADV_HUGEPAGE)
        shape = rows if self.parts is None else (rows, self.parts)
        self.array = np.frombuffer(self._memory, self.kind, rows * (self.parts or 1)).reshape(shape)


_PRIVATE = {} if sys.platform == "win32" else {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS}
