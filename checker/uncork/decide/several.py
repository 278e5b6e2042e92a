"""Checks instances in several processes. They end with this process, and in an orderly way on Ctrl-C."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from itertools import chain
from multiprocessing.process import BaseProcess
from typing import Any

from uncork_nvme.instance import Instance

from uncork.decide import signals
from uncork.decide.one import Asked, Checked, one, unknown
from uncork.decide.patience import INTERRUPTED
from uncork.engines import Progress, Stop, Tick, Watch, compiling

_SHARED: list[Any] = []
_DIED = "a worker process of uncork died: it was killed, or ran out of memory"


def together(
    instances: Sequence[Instance], first: Sequence[int], others: Iterator[int], asked: Asked, watch: Watch
) -> Generator[tuple[int, Checked], None, None]:
    """Yields the verdicts of instances with their numbers, as they are found. Every instance of `first` gets a process.

    The instances of `others` are taken one by one as processes become free.
    """
    compiling.kept()
    context = multiprocessing.get_context("spawn")
    with signals.ignore_sigint():
        stop, latest = context.Event(), context.Array("d", 7, lock=False)
        pool = ProcessPoolExecutor(len(first), context, _begin, (stop, latest))
    until, processes = None, list[BaseProcess]()
    waiting: dict[Future[Checked], int] = {}
    left, finished, more = chain(first, others), 0, True

    def begin() -> bool:
        """Starts the check of one more instance, if one is left."""
        index = next(left, None)
        if index is None:
            return False
        try:
            future = pool.submit(_remote, index, replace(instances[index]), asked)
        except BrokenProcessPool:
            waiting[Future()] = index
            raise
        waiting[future] = index
        return True

    with signals.noticed() as interrupted:
        try:
            with signals.ignore_sigint():
                for _ in first:
                    begin()
            while (waiting or more) and (until is None or time.monotonic() < until):
                more = more and not interrupted.is_set() and begin()
                done = [each for each in waiting if each.done()] if more else wait(waiting, 0.1, FIRST_COMPLETED).done
                for future in done:
                    index = waiting[future]
                    if not future.cancelled():
                        finished += 1
                        yield index, future.result()
                    del waiting[future]
                watch(Tick(finished, finished + len(waiting), *_latest(instances, latest)))
                if interrupted.is_set() and until is None:
                    stop.set()
                    until = time.monotonic() + signals.GRACE
                    processes += signals.closed(pool)
        except BrokenProcessPool:
            if not interrupted.wait(0.2):  # the signal for this process may have reached the worker first
                for index in (*waiting.values(), *left):
                    yield index, unknown(instances[index], asked, _DIED, Progress(0, 0, 0, 0, 0, 0))
        finally:
            stop.set()
            signals.ended(pool, 0 if interrupted.is_set() else signals.GRACE, processes)
        if interrupted.is_set():
            raise KeyboardInterrupt


def _latest(instances: Sequence[Instance], latest: Any) -> tuple[str, Progress | None]:
    index, states, transitions, depth, frontier, memory, seconds = latest[:]
    if not states:
        return "", None
    progress = Progress(int(states), int(transitions), int(depth), int(frontier), int(memory), seconds)
    return instances[int(index)].name, progress


def _begin(stop: Any, latest: Any) -> None:
    signals.born()
    _SHARED[:] = [stop, latest]


def _remote(index: int, instance: Instance, asked: Asked) -> Checked:
    stop, latest = _SHARED

    def report(p: Progress) -> None:
        latest[:] = [index, p.states, p.transitions, p.depth, p.frontier, p.memory, p.seconds]
        if stop.is_set():
            raise Stop(INTERRUPTED)

    return one(instance, asked, report)
