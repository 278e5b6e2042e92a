"""One child process, measured: wall and CPU time, peak memory, within limits of both."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

GIB = 2**30


@dataclass(frozen=True)
class Limits:
    """Seconds of wall time and bytes of memory for a run of a tool."""

    seconds: float = 300
    memory: int = 16 * GIB


@dataclass(frozen=True)
class Command:
    """A command line. It is run in an empty folder of its own, so that what it leaves behind helps no other run.

    `own_heap` is for a program that reserves far more addresses than memory, and limits its heap by itself.
    """

    line: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    own_heap: bool = False


@dataclass(frozen=True)
class Run:
    """What a command took, itself and its children together, and what it wrote."""

    wall: float
    cpu: float
    memory: int
    output: str
    code: int
    late: bool = False


def measure(command: Command, limits: Limits) -> Run:
    """Run a command to its end or its limit.

    The peak memory is at least that of this process, from which the child is forked: keep it small.
    """

    def begin() -> None:
        os.setsid()
        if not command.own_heap:
            resource.setrlimit(resource.RLIMIT_AS, (limits.memory, limits.memory))

    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as output:
        started = time.monotonic()
        child = subprocess.Popen(
            command.line,
            cwd=folder,
            env={**os.environ, **command.environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            preexec_fn=begin,
        )
        late = threading.Event()
        timer = threading.Timer(limits.seconds, _end, (child.pid, late))
        timer.start()
        try:
            _, status, usage = os.wait4(child.pid, 0)
        except BaseException:
            _end(child.pid, late)
            raise
        finally:
            timer.cancel()
            timer.join()
        wall = time.monotonic() - started
        child.returncode = os.waitstatus_to_exitcode(status)  # it has been waited for, and Popen does not know
        output.seek(0)
        text = output.read().decode(errors="replace")
    cpu = usage.ru_utime + usage.ru_stime
    return Run(wall, cpu, usage.ru_maxrss * 1024, text, child.returncode, late.is_set())


def _end(pid: int, late: threading.Event) -> None:
    late.set()
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
