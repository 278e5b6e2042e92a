"""Runs work that can be abandoned at any point, even inside native code, which cannot be interrupted."""

from __future__ import annotations

import contextlib
import resource
import sys
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from uncork.decide.signals import GRACE
from uncork.engines import Budget, Stop

INTERRUPTED = "interrupted"
_LOOK = 0.05
_LATE = 1.0
"""Seconds that work may exceed its time budget by, to report its results."""
_ROOM = 256 * 2**20
"""Bytes for libraries and code, which a memory budget does not count."""
_STACK = 64 * 2**20

given_up: list[threading.Thread] = []
"""Threads that may still be running abandoned work."""

_Given = TypeVar("_Given")


class _GivenUp(BaseException):
    """Raised in a thread to end abandoned work in Python."""


def patiently(
    work: Callable[[], _Given], budget: Budget | None = None, stopped: Callable[[], bool] = lambda: False
) -> _Given:
    """Runs `work` in a thread and returns its result. Exceptions of `work` are raised here.

    Raises `Stop` if the work exceeds its budget, or does not end soon after it is `stopped`. The work is then
    abandoned: Python code ends at once, native code when it returns. An interrupt of this thread does the same.
    """
    results: list[_Given] = []
    raised: list[BaseException] = []
    done = threading.Event()

    def run() -> None:
        try:
            results.append(work())
        except _GivenUp:
            pass
        except BaseException as error:
            raised.append(error)
        finally:
            done.set()

    look = _Look(budget or Budget(), stopped)
    size = threading.stack_size(_STACK)
    thread = threading.Thread(target=run, daemon=True)
    try:
        thread.start()
        threading.stack_size(size)
        while not done.wait(_LOOK):
            look.again()
    except BaseException:
        if thread.ident is not None:
            import ctypes

            given_up.append(thread)
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(_GivenUp))
        raise
    if raised:
        raise raised[0]
    return results[0]


class _Look:
    """The limits that are watched while work is running."""

    def __init__(self, budget: Budget, stopped: Callable[[], bool]) -> None:
        self.budget, self.stopped = budget, stopped
        self.began, self.resident = time.monotonic(), _resident()
        self.since: float | None = None

    def again(self) -> None:
        """Raises `Stop` if the work has to be abandoned."""
        now, budget = time.monotonic(), self.budget
        if budget.seconds is not None and now - self.began > budget.seconds + _LATE:
            raise Stop(budget.out_of("seconds"))
        if budget.memory is not None and _resident() - self.resident > budget.memory * 5 // 4 + _ROOM:
            raise Stop(budget.out_of("memory"))
        if self.stopped():
            self.since = self.since or now
            if now - self.since > GRACE:
                raise Stop(INTERRUPTED)


def _resident() -> int:
    """Returns the bytes of memory of this process; the peak, where the system tells no current value."""
    with contextlib.suppress(OSError), open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
