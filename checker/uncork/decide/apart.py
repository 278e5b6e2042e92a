"""Keeps the files of the user's own devices and guests from deciding a command's exit code.

Such a file runs in the process of the command, as uncork's own code does, and may end that process: with `os._exit(0)`,
say, which is how a gate passes. So a command goes on in a second process before it runs the first of these files. The
first process, which the user waits for, runs none of them. It takes the exit code that the second has told at the end
of the command; if the second ends and has told none, that is an error.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType

from uncork import core
from uncork.decide import signals
from uncork.decide.exits import Exit

_LATE = 2.0
"""Seconds after which a signal to the first process is passed on: a terminal sends it to both."""

_first: list[int] = []
"""In the second process: the pipe to the first."""


@contextlib.contextmanager
def ready() -> Iterator[None]:
    """Makes this process go on in a second one before it runs the first file of a device or guest."""
    core.before_own_code.append(_go_on)
    try:
        yield
    finally:
        core.before_own_code.clear()


def tell(code: int) -> None:
    """Tells the first process, if there is one, how the command ended."""
    for pipe in _first:
        with contextlib.suppress(OSError):  # the file has closed it, and so the first process hears nothing
            os.write(pipe, b"%d\n" % code)


def _go_on(file: str) -> None:
    """Returns in the second process only, which ends with the first."""
    core.before_own_code.clear()
    assert threading.current_thread() is threading.main_thread(), "a fork takes along one thread, which has to be this"
    sys.stdout.flush()
    sys.stderr.flush()
    hears, tells = os.pipe()
    lives, life = os.pipe()
    with signals.alone():
        second = os.fork()
        if second:
            os.close(tells)
            os._exit(_outcome(second, hears, file))
        os.close(hears)
        os.close(life)
        _first.append(tells)
    signals.ends_with(lambda: os.read(lives, 1))


def _outcome(second: int, hears: int, file: str) -> int:
    """The exit code of the command, as the second process has told it."""
    caught: list[int] = []

    def passes_on(number: int, _: FrameType | None) -> None:
        caught.append(number)
        late = threading.Timer(_LATE, os.kill, (second, number))
        late.daemon = True
        late.start()

    for number in signals.SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, passes_on)
    _, status = os.waitpid(second, 0)
    os.set_blocking(hears, False)
    with contextlib.suppress(BlockingIOError, ValueError):
        return int(os.read(hears, 64).partition(b"\n")[0])
    ended = os.waitstatus_to_exitcode(status)
    if caught:
        return 128 + caught[0]
    how = f"signal {-ended}" if ended < 0 else f"exit code {ended}"
    said = f"Error: {file} ends the process that it runs in ({how}); a file declares devices and guests\n"
    os.write(2, said.encode(errors="backslashreplace"))
    return Exit.USAGE
