"""What ends a command from outside: Ctrl-C, SIGTERM and SIGHUP, which are all one, and the death of its parent.

The first of them raises `KeyboardInterrupt`, or sets the event of those who hold it back (`held_back`), and the command
tells what it has found. One that does not come to an end of it is ended: a thread sees to that, which hears of a signal
while the main one is deep in other languages' code.

Every command imports this, and few have other processes: `multiprocessing` is imported where they are begun.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing.process import BaseProcess

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
GRACE = 0.8
"""Seconds that work under way has to end by itself; what has not ended then is given up."""
_END = 1.6
"""Seconds after which the whole process is ended."""

_caught: list[int] = []


def code() -> int:
    """The exit code of a command that was interrupted: 130 after Ctrl-C, 143 after SIGTERM, 129 after SIGHUP."""
    return 128 + (_caught[0] if _caught else signal.SIGINT)


@contextlib.contextmanager
def heard() -> Iterator[None]:
    """Has the three signals raise `KeyboardInterrupt`; those that are ignored, as by nohup, stay so."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _caught.clear()
    before = {each: signal.getsignal(each) for each in SIGNALS}
    reads, writes = os.pipe()
    os.set_blocking(writes, False)
    woken = signal.set_wakeup_fd(writes, warn_on_full_buffer=False)
    over = threading.Event()
    threading.Thread(target=_see_to_it, args=(reads, over), daemon=True).start()
    told, sys.unraisablehook = sys.unraisablehook, _unraisable
    _each(_interrupt)
    try:
        yield
    finally:
        over.set()
        sys.unraisablehook = told
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(woken)
        os.close(writes)


def _unraisable(found: sys.UnraisableHookArgs) -> None:
    """Says nothing of what an interrupt breaks where nothing can be raised, as in a `__del__` of Z3's."""
    if not _caught:
        sys.__unraisablehook__(found)


def _each(handler: Any) -> None:
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)


def _interrupt(number: int, _: FrameType | None) -> None:
    _caught.append(number)
    raise KeyboardInterrupt


def _see_to_it(reads: int, over: threading.Event) -> None:
    """Ends the process a while after a signal, whatever it does, if the command is not over."""
    with open(reads, "rb", buffering=0) as pipe:
        while (byte := pipe.read(1)) and byte[0] not in SIGNALS:
            pass
    if byte and not over.wait(_END):
        processes = sys.modules.get("multiprocessing")
        for process in processes.active_children() if processes else ():
            process.kill()
        os.write(2, b"interrupted\n")
        os._exit(128 + byte[0])


@contextlib.contextmanager
def noticed() -> Iterator[threading.Event]:
    """An event that the first signal sets; a second one raises `KeyboardInterrupt`."""
    stop = threading.Event()

    def first(number: int, _: FrameType | None) -> None:
        _caught.append(number)
        stop.set()
        _each(_interrupt)

    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {each: signal.getsignal(each) for each in SIGNALS}
    _each(first)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def held_back() -> Iterator[threading.Event]:
    """Holds back the first signal to the end of what it would break in the middle.

    The event that is given is set by it, so that the work can be cut short.
    """
    with noticed() as stop:
        yield stop
    if stop.is_set():
        raise KeyboardInterrupt


# -- processes of ours -------------------------------------------------------------------------------------------------
@contextlib.contextmanager
def ignore_sigint() -> Iterator[None]:
    """Ignores what a terminal sends while other processes are started, so that they are born ignoring it.

    The parent tells them. SIGTERM they hear: pools end theirs by it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    from multiprocessing import resource_tracker

    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGHUP)}
    try:
        resource_tracker.ensure_running()  # Python's own, which counts what processes share
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def born() -> None:
    """Begins a process of ours: it ends with its parent, however that ends."""
    import ctypes
    import multiprocessing

    parent = multiprocessing.parent_process()
    assert parent is not None
    if sys.platform == "linux":  # the kernel sees to it even where a library does not let threads run
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    threading.Thread(target=_outlived, args=(parent,), daemon=True).start()


def _outlived(parent: Any) -> None:
    parent.join()
    os._exit(1)


def closed(pool: ProcessPoolExecutor) -> Sequence[BaseProcess]:
    """Has a pool begin nothing more; gives its processes.

    What waits is cancelled by the pool itself: it cannot tell the failure of a process to what others cancelled.
    """
    processes = list((pool._processes or {}).values())
    pool.shutdown(wait=False, cancel_futures=True)
    return processes


def ended(pool: ProcessPoolExecutor, seconds: float, processes: Sequence[BaseProcess] = ()) -> None:
    """Ends the processes of a pool, and kills those that have not ended by themselves after so many seconds.

    `processes` are those of a pool that was `closed`.
    """
    processes = processes or closed(pool)
    until = time.monotonic() + seconds
    for process in processes:
        process.join(max(until - time.monotonic(), 0))
        if process.is_alive():
            process.kill()
