"""Threads that share the work of one search; the compiled code that they run lets each other run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

_Answer = TypeVar("_Answer")


class Crew:
    """So many threads, the present one among them."""

    def __init__(self, threads: int = 1) -> None:
        self.threads = max(threads, 1)
        if self.threads > 1:
            from concurrent.futures import ThreadPoolExecutor  # which takes time to import, and most have one thread

            self._others = ThreadPoolExecutor(self.threads - 1)

    def all(self, tasks: Sequence[Callable[[], _Answer]]) -> list[_Answer]:
        """What the tasks give, in their order."""
        if self.threads == 1 or len(tasks) < 2:
            return [task() for task in tasks]
        begun = [self._others.submit(task) for task in tasks[1:]]
        return [tasks[0](), *(each.result() for each in begun)]
