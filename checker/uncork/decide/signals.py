"""Ends a command from outside: on Ctrl-C, SIGTERM and SIGHUP, all treated alike, and on the death of its parent.

The first signal raises `KeyboardInterrupt`, or sets an event inside `held_back`, and the command reports what it has
found. A command that does not end by itself is killed by a thread, which notices a signal even while the main thread is
in native code.

Every command imports this module, and few start processes: `multiprocessing` is imported where they are started.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from concurrent.futures import ProcessPoolExecutor

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
GRACE = 0.8
"""Seconds that running work has to end by itself. Then it is abandoned."""
_END = 1.6
"""Seconds after which the whole process is ended."""

_caught: list[int] = []


def code() -> int:
    """Returns the exit code of an interrupted command: 130 after Ctrl-C, 143 after SIGTERM, 129 after SIGHUP."""
    return 128 + (_caught[0] if _caught else signal.SIGINT)


class _Awake:
    """A thread that ends the process some time after a signal, whatever the process does."""

    def __init__(self) -> None:
        reads, self._writes = os.pipe()
        os.set_blocking(self._writes, False)
        self._before = signal.set_wakeup_fd(self._writes, warn_on_full_buffer=False)
        self._over = threading.Event()
        self._thread = threading.Thread(target=_see_to_it, args=(reads, self._over), daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Ends the thread."""
        self._over.set()
        signal.set_wakeup_fd(self._before)
        os.close(self._writes)
        self._thread.join()


_awake: list[_Awake] = []


@contextlib.contextmanager
def heard() -> Iterator[None]:
    """Makes the three signals raise `KeyboardInterrupt`. Ignored signals (nohup) stay ignored."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _caught.clear()
    before = {each: signal.getsignal(each) for each in SIGNALS}
    _awake.append(_Awake())
    told, sys.unraisablehook = sys.unraisablehook, _unraisable
    _each(_interrupt)
    try:
        yield
    finally:
        sys.unraisablehook = told
        for number, handler in before.items():
            signal.signal(number, handler)
        _awake.pop().end()


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Ends this module's thread, if there is one, for the time of the block: a fork takes no other thread along."""
    was = _awake.pop() if _awake else None
    if was:
        was.end()
    try:
        yield
    finally:
        if was:
            _awake.append(_Awake())


def _unraisable(found: sys.UnraisableHookArgs) -> None:
    """Silences interrupts where no exception can be raised, such as in a `__del__` of Z3."""
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
    """Ends the process some time after a signal, whatever it does, unless the command has ended."""
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
    """An event that the first signal sets. A second signal raises `KeyboardInterrupt`."""
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
    """Delays the first signal to the end of the block, which an exception in the middle would break.

    Yields an event that the signal sets, so that the work can be cut short.
    """
    with noticed() as stop:
        yield stop
    if stop.is_set():
        raise KeyboardInterrupt


# -- processes of ours -------------------------------------------------------------------------------------------------
@contextlib.contextmanager
def ignore_sigint() -> Iterator[None]:
    """Ignores SIGINT and SIGHUP while processes are started, so that children inherit SIG_IGN.

    The parent tells its children to end. They do not ignore SIGTERM, by which pools end their processes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    from multiprocessing import resource_tracker

    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGHUP)}
    try:
        resource_tracker.ensure_running()  # Python's resource tracker
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def born() -> None:
    """Sets up a child process: it ends with its parent, however the parent ends."""
    import multiprocessing

    parent = multiprocessing.parent_process()
    assert parent is not None
    ends_with(parent.join)


def ends_with(parent: Callable[[], object]) -> None:
    """Makes this process end when its parent does, which is when `parent` returns."""
    import ctypes

    if sys.platform == "linux":  # the kernel does it even while a library blocks all threads
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    threading.Thread(target=_outlived, args=(parent,), daemon=True).start()


def _outlived(parent: Callable[[], object]) -> None:
    parent()
    os._exit(1)


def ended(pool: ProcessPoolExecutor, seconds: float) -> None:
    """Ends the processes of a pool, and kills those that have not ended by themselves after `seconds`.

    The pool itself cancels waiting work: it cannot report a failed process to futures that others cancelled.
    """
    processes = list((pool._processes or {}).values())
    pool.shutdown(wait=False, cancel_futures=True)
    until = time.monotonic() + seconds
    for process in processes:
        process.join(max(until - time.monotonic(), 0))
        if process.is_alive():
            process.kill()
