"""Progress on a terminal, on standard error; nothing where there is none."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator

from uncork.engines import Progress

Show = Callable[[int, int, str, Progress | None], None]
"""Takes how many are done, of how many, what is under way, and where that is."""


@contextlib.contextmanager
def progress() -> Iterator[Show]:
    """A line that is kept up to date while work is under way, and then removed."""
    if not _may_be_terminal():
        yield lambda *_: None
        return
    from rich.console import Console  # as long to import as a small instance to check
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
    """Whether rich may take standard error for a terminal, which it does where it is one, or is told that it is.

    It takes as long to import as to check an instance.
    """
    told = any(os.environ.get(name) for name in ("FORCE_COLOR", "TTY_COMPATIBLE"))
    try:
        return told or sys.stderr.isatty()
    except ValueError:  # it is closed
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
