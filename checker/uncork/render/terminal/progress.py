"""Progress on a terminal, on standard error; nothing where there is none."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator

from uncork.engines import Tick, Watch, unwatched


@contextlib.contextmanager
def progress() -> Iterator[Watch]:
    """A line that is kept up to date while work is under way, and then removed."""
    if not _may_be_terminal():
        yield unwatched
        return
    from rich.console import Console  # as long to import as a small instance to check
    from rich.live import Live
    from rich.text import Text

    to = Console(stderr=True)
    if not to.is_terminal:
        yield unwatched
        return
    started = time.monotonic()
    with Live(Text(""), console=to, refresh_per_second=8, transient=True) as live:

        def show(tick: Tick) -> None:
            live.update(Text(_line(tick, time.monotonic() - started), no_wrap=True, overflow="ellipsis"))

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


def _line(tick: Tick, seconds: float) -> str:
    parts = [f"{tick.done}/{tick.total} done, {seconds:.0f} s"]
    if tick.current:
        parts.append(tick.current)
    if where := tick.progress:
        rate = where.states / where.seconds if where.seconds else 0
        parts.append(
            f"{where.states:,} states ({rate:,.0f}/s), depth {where.depth}, frontier {where.frontier:,}, "
            f"{where.memory / 2**20:,.0f} MiB"
        )
    return " · ".join(parts) if len(parts) < 3 else f"{parts[0]} · {parts[1]}\n{parts[2]}"
