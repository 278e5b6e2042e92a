"""Many searches at once, any of which may take its process with it: here, a process each, or on a Dask cluster.

Here it is our own processes and no Dask cluster of one machine: they need nothing installed, they tell their progress
while a search is under way, and where one dies it is known which search killed it.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import threading
import time
import uuid
from collections import Counter, deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from typing import Any

from uncork_nvme.instance import Instance, InstanceError

from uncork.decide import many, signals
from uncork.decide.one import Checked, Tick, Watch
from uncork.engines import Budget, Progress, compiling


@dataclass(frozen=True)
class Task:
    """A system to search, known by its fingerprint, and what is asked of it."""

    instance: Instance
    fingerprint: str
    rows: tuple[str, ...]
    budget: Budget
    engine: str


@dataclass(frozen=True)
class Died:
    """What is left of a search that took its process with it, so many times."""

    times: int


class _Cut(Exception):
    """Ends a search at once, and with no verdict.

    `Stop` would have it decide what it can on the states it has, and those verdicts would depend on when it was cut.
    """


Results = Generator[tuple[Task, Checked | Died], None, None]
"""Tasks as they end. On Ctrl-C what is under way is cut off, and `KeyboardInterrupt` is raised at the end."""


def decide(task: Task, report: Callable[[Progress], None]) -> Checked:
    """The verdicts of a task, in the process that does the work.

    The fingerprint is taken there anew: a verdict of another uncork, or of an older policy file, would stand under the
    wrong system.
    """
    instance = replace(task.instance)
    if many.fingerprint(instance) != task.fingerprint:
        raise InstanceError(f"{instance.name}: a worker has another uncork or another policy file: start it anew")

    def watch(tick: Tick) -> None:
        if tick.progress is not None:
            report(tick.progress)

    checked = next(iter(many.check([instance], task.rows, task.budget, watch, jobs=1, engine=task.engine)))
    return replace(checked, instance=replace(instance))


# -- here --------------------------------------------------------------------------------------------------------------
_CONTEXT = multiprocessing.get_context("spawn")
_STOP = 6
"""The word of those a process shares with us that tells it to stop; the others are its progress."""
_SHARED: list[Any] = []


class _Process:
    """A process for one task after the other.

    The words it shares with us have no lock, which a process that is killed could hold for ever.
    """

    def __init__(self) -> None:
        with signals.ignore_sigint():
            self.words = _CONTEXT.RawArray("d", _STOP + 1)
            self.pool = ProcessPoolExecutor(1, _CONTEXT, initializer=_begin, initargs=(self.words,))
        self.task: Task | None = None
        self.future: Future[Checked] | None = None

    def give(self, task: Task) -> None:
        """Begins a task, in a new process if there is none."""
        self.task = task
        self.words[:_STOP] = [0.0] * _STOP
        with signals.ignore_sigint():
            try:
                self.future = self.pool.submit(_in_process, task)
            except BrokenProcessPool:  # it died with nothing to do
                self.renew()
                self.future = self.pool.submit(_in_process, task)

    def renew(self) -> None:
        """Takes a new process for the next task."""
        signals.ended(self.pool, 0)
        self.pool = ProcessPoolExecutor(1, _CONTEXT, initializer=_begin, initargs=(self.words,))

    @property
    def progress(self) -> Progress | None:
        """Where its search is, if it has begun."""
        states, transitions, depth, frontier, memory, seconds = self.words[:_STOP]
        if self.task is None or not states:
            return None
        return Progress(int(states), int(transitions), int(depth), int(frontier), int(memory), seconds)


def local(tasks: Sequence[Task], jobs: int, retries: int, watch: Watch) -> Results:
    """Decides tasks in so many processes; one that takes its process with it is tried again, after the others."""
    compiling.kept()
    processes = [_Process() for _ in range(min(jobs, len(tasks)))]
    waiting, deaths, ended, until = deque(tasks), Counter[str](), 0, 0.0
    with signals.held_back() as interrupted:
        try:
            while True:
                for process in processes:
                    if process.task is None and waiting and not interrupted.is_set():
                        process.give(waiting.popleft())
                busy = {process.future: process for process in processes if process.future is not None}
                if not busy:
                    break
                for future in wait(busy, timeout=0.1, return_when=FIRST_COMPLETED).done:
                    process = busy[future]
                    task, process.task, process.future = process.task, None, None
                    assert task is not None
                    try:
                        checked = future.result()
                    except (BrokenProcessPool, MemoryError):
                        if interrupted.wait(0.2):  # what ends this process may have ended that one first
                            continue
                        process.renew()
                        deaths[task.fingerprint] += 1
                        if deaths[task.fingerprint] <= retries:
                            waiting.append(task)
                            continue
                        ended += 1
                        yield task, Died(deaths[task.fingerprint])
                    except _Cut:
                        continue
                    else:
                        ended += 1
                        yield task, checked
                for process in processes:
                    process.words[_STOP] = interrupted.is_set()
                if interrupted.is_set():
                    until = until or time.monotonic() + signals.GRACE
                    if time.monotonic() > until:
                        break
                watch(_tick(ended, len(tasks), processes))
        finally:
            for process in processes:
                process.words[_STOP] = True
            until = until or time.monotonic() + signals.GRACE
            for process in processes:
                signals.ended(process.pool, until - time.monotonic())


def _tick(ended: int, total: int, processes: Sequence[_Process]) -> Tick:
    """The progress of the search that has found the most."""
    most = max(processes, key=lambda process: process.progress.states if process.progress else -1)
    return Tick(ended, total, most.task.instance.name if most.task else "", most.progress)


def _begin(words: Any) -> None:
    """Begins a process: Ctrl-C on the terminal is for its parent, with whom it ends."""
    signals.born()
    _SHARED[:] = [words]
    os.setpgrp()


def _in_process(task: Task) -> Checked:
    (words,) = _SHARED

    def report(p: Progress) -> None:
        words[:_STOP] = [p.states, p.transitions, p.depth, p.frontier, p.memory, p.seconds]
        if words[_STOP]:
            raise _Cut

    return decide(task, report)


# -- on a cluster ------------------------------------------------------------------------------------------------------
_ONE = threading.Lock()
"""A worker does one search at a time, however many threads it has: the search takes its memory for its own."""
_LOOK = 1.0
"""Seconds between two looks of a worker at whether it is to stop."""


class Cluster:
    """A Dask scheduler that is there already, with its workers, which need the same uncork and policy files."""

    def __init__(self, address: str) -> None:
        try:
            import distributed  # which need not be there
        except ImportError:
            raise InstanceError("--cluster needs Dask: pip install 'uncork[cluster]'") from None
        self.address, self._dask = address, distributed
        try:
            self._client = distributed.Client(address, timeout=10, set_as_default=False)
            rooms = self._client.run(_room)
        except (OSError, ValueError) as error:
            raise InstanceError(f"--cluster {address}: {' '.join(str(error).split())}") from None
        except ImportError as error:
            raise InstanceError(f"--cluster {address}: a worker has no uncork: {error}") from None
        self.workers = len(rooms)
        self.memory = min((room for room in rooms.values() if room), default=None)
        """The bytes that the smallest worker may take, if that is limited."""

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def run(self, tasks: Sequence[Task], retries: int, watch: Watch) -> Results:
        """Decides tasks on the cluster.

        How often a worker may die of one is the scheduler's to say (distributed.scheduler.allowed-failures); `retries`
        are for those that find no memory and live.
        """
        stop = self._dask.Event(f"uncork-stop-{uuid.uuid4().hex}", client=self._client)
        with signals.held_back() as interrupted:
            waiting = {
                self._client.submit(
                    _on_cluster, task, stop.name, key=f"uncork-{uuid.uuid4().hex}", retries=retries
                ): task
                for task in tasks
            }
            try:
                while waiting and not interrupted.is_set():
                    for future in [each for each in waiting if each.done()]:
                        yield waiting.pop(future), self._result(future, retries)
                    watch(Tick(len(tasks) - len(waiting), len(tasks), "", None))
                    time.sleep(0.05)
            finally:
                if waiting:
                    with contextlib.suppress(Exception):  # the scheduler may be gone
                        stop.set()
                        self._client.cancel(list(waiting))

    def _result(self, future: Any, retries: int) -> Checked | Died:
        if future.status not in ("finished", "error"):
            raise InstanceError(f"--cluster {self.address}: the scheduler has lost what was under way")
        error = future.exception()
        match error:
            case None:
                checked: Checked = future.result()
                return checked
            case self._dask.KilledWorker():
                return Died(error.allowed_failures + 1)
            case MemoryError():
                return Died(retries + 1)
            case ImportError():
                raise InstanceError(f"--cluster {self.address}: a worker has no uncork: {error}")
        raise error


def _room(dask_worker: Any) -> int:
    """How many bytes a worker may take, 0 for no limit."""
    return int(dask_worker.memory_manager.memory_limit or 0)


def _on_cluster(task: Task, stop_name: str) -> Checked:
    import distributed  # as above

    stop, looked = distributed.Event(stop_name, client=distributed.get_client()), time.monotonic()

    def report(_: Progress) -> None:
        nonlocal looked
        if time.monotonic() - looked >= _LOOK:
            looked = time.monotonic()
            if stop.is_set():
                raise _Cut

    with _ONE:
        return decide(task, report)
