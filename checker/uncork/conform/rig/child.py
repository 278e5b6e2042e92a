"""Starts programs that drive a device so that they end with this process, however it ends."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1


def ends_with_us() -> Callable[[], None]:
    """Returns what a child runs before its program: it ends with this process, and only this process hears Ctrl-C."""
    libc, parent, linux = ctypes.CDLL(None), os.getpid(), sys.platform == "linux"

    def before() -> None:
        if linux:
            libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        if os.getppid() != parent:
            os._exit(1)

    return before
