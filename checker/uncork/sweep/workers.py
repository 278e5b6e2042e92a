"""Runs many searches at once, in local processes or on a Dask cluster. A search may crash its process.

On one machine these are plain processes, not a local Dask cluster: they need no further package, they report progress
during a search, and when one dies, it is known which search killed it.
"""

from __future__ import annotations

import contextlib
import threading
import time
import uuid
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from uncork_nvme.instance import Instance, InstanceError

from uncork.decide import many, processes, signals
from uncork.decide.one import Checked
from uncork.decide.patience import INTERRUPTED
from uncork.decide.processes import Died
from uncork.engines import Budget, Progress, Stop, Tick, Watch, compiling


@dataclass(frozen=True)
class Task:
    """A system to search, its fingerprint, and the question."""

    instance: Instance
    fingerprint: str
    rows: tuple[str, ...]
    budget: Budget
    engine: str


Results = Generator[tuple[Task, Checked | Died], None, None]
"""Tasks with results, as they end. Ctrl-C cuts off running tasks; `KeyboardInterrupt` is raised at the end."""


def decide(task: Task, report: Callable[[Progress], None]) -> Checked:
    """Decides a task, in the worker process.

    The worker computes the fingerprint again: with another uncork or an older policy file, the verdict would be stored
    under the wrong system.
    """
    instance = replace(task.instance)
    if many.fingerprint(instance) != task.fingerprint:
        raise InstanceError(f"{instance.name}: a worker has another uncork or another policy file: start it anew")

    def watch(tick: Tick) -> None:
        if tick.progress is not None:
            try:
                report(tick.progress)
            except Stop:  # it would have the search decide what it can from its states so far, which depends on timing
                raise processes.Cut from None

    checked = next(iter(many.check([instance], task.rows, task.budget, watch, jobs=1, engine=task.engine)))
    return replace(checked, instance=replace(instance))


# -- here --------------------------------------------------------------------------------------------------------------
def local(tasks: Sequence[Task], jobs: int, retries: int, watch: Watch) -> Results:
    """Decides tasks in `jobs` processes. A task whose process dies is retried after the others."""
    compiling.foretell()
    return processes.run(tasks, min(jobs, len(tasks)), decide, lambda task: task.instance.name, watch, retries)


# -- on a cluster ------------------------------------------------------------------------------------------------------
_ONE = threading.Lock()
"""A worker runs one search at a time, whatever its threads: the search uses the memory of the whole worker."""
_LOOK = 1.0
"""Seconds between a worker's checks of whether it has to stop, and between looks for workers."""
_PATIENCE = 60.0
"""Seconds without any worker after which no more are waited for: a worker that died is replaced sooner."""
_EMPTY = "its scheduler has no worker: start one, and then this command again, which goes on from what is decided"


class Cluster:
    """A running Dask scheduler and its workers, which need the same uncork and policy files."""

    def __init__(self, address: str) -> None:
        try:
            import distributed  # an optional dependency
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
        """The memory limit of the smallest worker, in bytes; None if no worker has a limit."""

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def run(self, tasks: Sequence[Task], retries: int, watch: Watch) -> Results:
        """Decides tasks on the cluster.

        The scheduler limits how often workers may die of a task (distributed.scheduler.allowed-failures). `retries`
        counts tasks that run out of memory without killing their worker. Raises `InstanceError` if no worker is left.
        """
        stop = self._dask.Event(f"uncork-stop-{uuid.uuid4().hex}", client=self._client)
        with signals.held_back() as interrupted:
            waiting = {
                self._client.submit(
                    _on_cluster, task, stop.name, key=f"uncork-{uuid.uuid4().hex}", retries=retries
                ): task
                for task in tasks
            }
            looked = staffed = time.monotonic()
            try:
                while waiting and not interrupted.is_set():
                    if time.monotonic() - looked >= _LOOK:
                        looked = time.monotonic()
                        staffed = looked if self._client.scheduler_info(n_workers=-1)["workers"] else staffed
                    if looked - staffed >= _PATIENCE:
                        raise InstanceError(f"--cluster {self.address}: {_EMPTY}")
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
            raise InstanceError(f"--cluster {self.address}: the scheduler has lost a running search: start it again")
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
    """Returns the memory limit of a worker in bytes; 0 for no limit."""
    return int(dask_worker.memory_manager.memory_limit or 0)


def _on_cluster(task: Task, stop_name: str) -> Checked:
    import distributed  # as above

    stop, looked = distributed.Event(stop_name, client=distributed.get_client()), time.monotonic()

    def report(_: Progress) -> None:
        nonlocal looked
        if time.monotonic() - looked >= _LOOK:
            looked = time.monotonic()
            if stop.is_set():
                raise Stop(INTERRUPTED)

    with _ONE:
        return decide(task, report)
