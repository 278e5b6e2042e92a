"""Shows progress on standard error, if that is a terminal."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator

from uncork.engines import Progress

Show = Callable[[int, int, str, Progress | None], None]
"""Takes the number of items done, of all items, the name of the running one, and its progress."""


@contextlib.contextmanager
def progress() -> Iterator[Show]:
    """Shows a line that is updated during the work and then removed."""
    if not _may_be_terminal():
        yield lambda *_: None
        return
    from rich.console import Console  # importing rich takes as long as checking a small instance
    from rich.live import Live
    from rich.text import Text

    to = Console(stderr=True)
    if not to.is_terminal:
        yield lambda *_: None
        return
    started = time.monotonic()
    with Live(Text(""), console=to, refresh_per_second=8, transient=True) as live:

        def show(done: int, total: int, name: str, where: Progress | None) -> None:
            live.update(
                Text(_line(done, total, name, where, time.monotonic() - started), no_wrap=True, overflow="ellipsis")
            )

        yield show


def _may_be_terminal() -> bool:
    """Returns whether rich may treat standard error as a terminal: it is one, or the environment says so.

    Avoids importing rich, which takes as long as checking an instance.
    """
    told = any(os.environ.get(name) for name in ("FORCE_COLOR", "TTY_COMPATIBLE"))
    try:
        return told or sys.stderr.isatty()
    except ValueError:  # standard error is closed
        return False


def _line(done: int, total: int, name: str, where: Progress | None, seconds: float) -> str:
    parts = [f"{done}/{total} done, {seconds:.0f} s"]
    if name:
        parts.append(name)
    if where:
        rate = where.states / where.seconds if where.seconds else 0
        parts.append(
            f"{where.states:,} states ({rate:,.0f}/s), depth {where.depth}, frontier {where.frontier:,}, "
            f"{where.memory / 2**20:,.0f} MiB"
        )
    return " · ".join(parts) if len(parts) < 3 else f"{parts[0]} · {parts[1]}\n{parts[2]}"
