"""Threads that share the work of one search; the compiled code that they run lets each other run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, TypeVar

_Answer = TypeVar("_Answer")


class Crew:
    """So many threads, the present one among them."""

    def __init__(self, threads: int = 1) -> None:
        self.threads = max(threads, 1)

    def all(self, tasks: Sequence[Callable[[], _Answer]]) -> list[_Answer]:
        """What the tasks give, in their order. No task asks the crew."""
        if self.threads == 1 or len(tasks) < 2:
            return [task() for task in tasks]
        begun = [self._others.submit(task) for task in tasks[1:]]
        return [tasks[0](), *(each.result() for each in begun)]

    @cached_property
    def _others(self) -> Any:
        from concurrent.futures import ThreadPoolExecutor  # which a small search never needs, and takes time to import

        return ThreadPoolExecutor(self.threads - 1)
