"""Shows progress on standard error, if that is a terminal."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator

from uncork.engines import Tick, Watch, listening, unwatched


@contextlib.contextmanager
def progress() -> Iterator[Watch]:
    """Shows a line that is updated during the work and then removed."""
    if not _may_be_terminal():
        yield unwatched
        return
    from rich.console import Console  # importing rich takes as long as checking a small instance
    from rich.live import Live
    from rich.text import Text

    to = Console(stderr=True)
    if not to.is_terminal:
        yield unwatched
        return
    started = time.monotonic()
    with Live(Text(""), console=to, refresh_per_second=8, transient=True) as live:
        said, waits = "", ""

        def draw(*, at_once: bool = False) -> None:
            words = "\n".join(filter(None, (said, waits)))
            if to.options.ascii_only:
                words = words.replace("·", "-")
            live.update(Text(words, no_wrap=True, overflow="ellipsis"), refresh=at_once)

        def show(tick: Tick) -> None:
            nonlocal said, waits
            said = _line(tick, time.monotonic() - started)
            if tick.done or tick.progress:
                waits = ""
            draw()

        def wait(what: str) -> None:
            nonlocal waits
            waits = what
            draw(at_once=True)  # the work may keep every other thread from drawing

        with listening(wait):
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
