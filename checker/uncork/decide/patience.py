"""Work that can be given up, wherever it is: in Python, or in other languages' code, which hears of nothing."""

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
"""Seconds by which work may overstay its budget, to tell what it has found."""
_ROOM = 256 * 2**20
"""Bytes for what a budget of memory does not count: libraries, and code."""
_STACK = 64 * 2**20

given_up: list[threading.Thread] = []
"""Those that may still be at what was given up."""

_Given = TypeVar("_Given")


class _GivenUp(BaseException):
    """Ends work in Python that was given up."""


def patiently(
    work: Callable[[], _Given], budget: Budget | None = None, stopped: Callable[[], bool] = lambda: False
) -> _Given:
    """What some work gives, which is done in a thread meanwhile; what it raises is raised here.

    Raises `Stop` if it overstays its budget, or does not end a while after it is `stopped`. It is then left to itself:
    Python ends at once, other code when it comes back. So it is if this thread is interrupted.
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
    """What is looked at while work is under way."""

    def __init__(self, budget: Budget, stopped: Callable[[], bool]) -> None:
        self.budget, self.stopped = budget, stopped
        self.began, self.resident = time.monotonic(), _resident()
        self.since: float | None = None

    def again(self) -> None:
        """Raises `Stop` if the work has to be given up."""
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
    """The bytes of memory that this process has; the most it ever had where the system does not tell."""
    with contextlib.suppress(OSError), open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
