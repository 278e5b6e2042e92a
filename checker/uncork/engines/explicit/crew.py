"""Threads that share the work of one search. Compiled code releases the GIL, so the threads run in parallel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, TypeVar

_Answer = TypeVar("_Answer")


class Crew:
    """A pool of `threads` threads, which include the calling thread."""

    def __init__(self, threads: int = 1) -> None:
        self.threads = max(threads, 1)

    def all(self, tasks: Sequence[Callable[[], _Answer]], keeping: object = None) -> list[_Answer]:
        """The results of the tasks, in their order. A task must not call the crew itself.

        `keeping` owns machine code that the tasks call by its address. Every thread keeps it while its task runs: if
        the calling thread is abandoned (see `decide.patience`), the other threads still run that code.
        """
        if self.threads == 1 or len(tasks) < 2:
            return [task() for task in tasks]
        begun = [self._others.submit(_run, task, keeping) for task in tasks[1:]]
        return [tasks[0](), *(each.result() for each in begun)]

    @cached_property
    def _others(self) -> Any:
        from concurrent.futures import ThreadPoolExecutor  # slow to import, and not needed by a small search

        return ThreadPoolExecutor(self.threads - 1)


def _run(task: Callable[[], _Answer], _: object) -> _Answer:
    return task()
