"""Measures a child process: wall time, CPU time and peak memory, within limits of time and memory."""

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
    """The limits for a run of a tool: seconds of wall time and bytes of memory."""

    seconds: float = 300
    memory: int = 16 * GIB


@dataclass(frozen=True)
class Command:
    """A command line and its environment. It runs in an empty folder, so that no run profits from files of another.

    `own_heap`: the program reserves far more address space than memory and limits its own heap, so it gets no limit.
    """

    line: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    own_heap: bool = False


@dataclass(frozen=True)
class Run:
    """The result of a command: seconds, bytes of peak memory, output and exit code; children are included.

    `late`: the command was ended at the limit of time.
    """

    wall: float
    cpu: float
    memory: int
    output: str
    code: int
    late: bool = False


def measure(command: Command, limits: Limits) -> Run:
    """Runs a command to its end or to a limit.

    The child is forked from this process, so the measured peak memory is at least the memory of this process.
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
        child.returncode = os.waitstatus_to_exitcode(status)  # `wait4` has reaped the child, which Popen does not know
        output.seek(0)
        text = output.read().decode(errors="replace")
    cpu = usage.ru_utime + usage.ru_stime
    return Run(wall, cpu, usage.ru_maxrss * 1024, text, child.returncode, late.is_set())


def _end(pid: int, late: threading.Event) -> None:
    late.set()
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
