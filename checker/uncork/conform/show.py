"""Prints the trials of `uncork conform` as tables, and a failed run as text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from uncork.conform.schedules import Run
from uncork.conform.trials import Line
from uncork.core.sorts import Value
from uncork.render.terminal import text

HEADS = {
    "device": ("seen", "what", "tries", "moves", "found"),
    "setting": ("guest", "sizes", "schedules", "moves", "found"),
    "control": ("model", "changed", "schedules", "moves", "found"),
    "guest": ("guest", "what it does", "schedules", "moves", "found"),
    "overlay": ("policy", "guest, sizes", "schedules", "moves", "model; QEMU"),
}
"""The columns of every part's table."""


def tables(lines: Sequence[Line]) -> Iterator[text.Table]:
    """Yields a table for every part of the trials."""
    for part, heads in HEADS.items():
        rows = [_cells(line) for line in lines if line.part == part]
        if rows:
            yield text.table(None, heads, rows, numbers=(2, 3), whole=(0,))


def _cells(line: Line) -> list[str]:
    wrong = "" if line.right else " (unexpected)"
    return [line.name, line.about, f"{line.schedules:,}", f"{line.moves:,}", line.result + wrong]


def told(run: Run) -> Iterator[str]:
    """Yields the lines of a failed run: every move with the values seen after it, then the failure."""
    order = "before the queues" if run.config_first else "after the queues"
    yield f"seed {run.seed}; the doorbell buffer was configured {order}"
    for number, (move, saw) in enumerate(zip(run.moves, run.seen, strict=True), 1):
        yield f"{number:3}. {move:<14} {seen(saw)}"
    if run.mismatch:
        yield f"QEMU shows {seen(run.mismatch.saw)}"
        for shown in run.mismatch.model:
            yield f"model shows {seen(shown)}"
        if not run.mismatch.model:
            yield "the model's guest would not have done that"
    else:
        yield f"stuck: {run.stuck} commands are never seen completed, and the guest has nothing left to do"


def seen(saw: Mapping[str, Value]) -> str:
    """Returns EventIdx values and CQEs as one line."""
    parts = []
    for name, value in saw.items():
        shown = " ".join("-" if each == "none" else str(each) for each in value) if isinstance(value, tuple) else value
        parts.append(f"{name} {shown}")
    return ", ".join(parts)
