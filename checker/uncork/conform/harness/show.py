"""Prints the trials of a harness, and a failed run beside what the model allows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from uncork.conform.harness.player import Played
from uncork.conform.harness.trials import Examined, Failure, Line
from uncork.core.numbers import counted
from uncork.core.sorts import Value
from uncork.decide.exits import Exit
from uncork.render.terminal import text

HEADS = {
    "device": ("seen", "what", "tries", "moves", "found"),
    "setting": ("guest", "sizes", "schedules", "moves", "found"),
    "control": ("model", "changed", "schedules", "moves", "found"),
    "guest": ("guest", "what it does", "schedules", "moves", "found"),
    "overlay": ("policy", "guest, sizes", "schedules", "moves", "model; QEMU"),
}
"""The parts of the trials whose results are tables, and the columns."""


def tables(lines: Sequence[Line]) -> Iterator[text.Table]:
    """Yields a table for every part of the trials that has one."""
    for part, heads in HEADS.items():
        rows = [_cells(line) for line in lines if line.part == part]
        if rows:
            yield text.table(None, heads, rows, numbers=(2, 3), whole=(0,))


def _cells(line: Line) -> list[str]:
    wrong = "" if line.code is Exit.AS_EXPECTED else " (unexpected)"
    return [line.name, line.about, f"{line.runs:,}", f"{line.moves:,}", line.result + wrong]


def sentences(lines: Sequence[Line]) -> Iterator[str]:
    """Yields a line for each other trial."""
    for each in lines:
        if each.part not in HEADS and each.result:
            made = f"{counted(each.runs, 'run')}, {counted(each.moves, 'move')}: " if each.runs else ""
            yield f"{each.part} of {each.about}: {made}{each.result}"


def about(found: Examined) -> str:
    """Returns what the harness says of itself."""
    steps = ", ".join(found.stepped) or "no thread: every answer is given at rest"
    return f"{found.name}: steps {steps}" + (f"; tells {found.told} events" if found.stepped else "")


def failure(failed: Failure) -> Iterator[str]:
    """Yields the lines of a failed run: what went wrong, every move, and what the model allows instead."""
    run = failed.run
    over = f", with {failed.overlay} laid over it" if failed.overlay else ""
    yield f"{failed.instance.name}{over}: {_headline(run)}"
    if run.setup:
        yield run.setup
    last, wide = run.first, max((len(each) for each in run.did), default=0)
    yield f"found in run {failed.runs:,}, after {counted(failed.moves, 'move')}; the same with {len(run.moves):,}:"
    for number, (move, did, saw) in enumerate(zip(run.moves, run.did, run.seen, strict=True), 1):
        yield f"{number:3}. {move:<17} {did:<{wide}}  {_values(_changed(last, saw))}".rstrip()
        last = saw
    yield from _why(run)
    if not failed.again:
        yield "The same moves did not fail again: the harness does not do the same each time."


def _headline(run: Played) -> str:
    if run.stuck:
        return "a run gets stuck"
    return f"the harness {_WORDS[run.broken.word] if run.broken else 'does what the model does not'}"


def _changed(last: Mapping[str, Value], saw: Mapping[str, Value]) -> dict[str, Value]:
    """Returns the values that are not as before."""
    return {name: value for name, value in saw.items() if last.get(name) != value}


def _why(run: Played) -> Iterator[str]:
    if run.broken:
        yield f"the harness {_WORDS[run.broken.word]}: {run.broken}"
        return
    if run.mismatch is None:
        yield f"{counted(run.stuck, 'command')} never seen completed, and the guest has nothing left to do"
        return
    differs = run.mismatch.differs
    yield f"the harness shows  {_values({name: run.mismatch.saw[name] for name in differs})}"
    for values in dict.fromkeys(_values({name: shown[name] for name in differs}) for shown in run.mismatch.model):
        yield f"the model allows   {values}"
    if not run.mismatch.model:
        yield "the model never comes to rest here"


def _values(saw: Mapping[str, Value]) -> str:
    """Returns values in a line."""
    parts = []
    for name, value in saw.items():
        shown = " ".join("-" if each == "none" else str(each) for each in value) if isinstance(value, tuple) else value
        parts.append(f"{name} {shown}")
    return ", ".join(parts)


_WORDS = {
    "died": "died",
    "hangs": "hangs",
    "rubbish": "says what the protocol has not",
    "out of order": "answers out of order",
    "lies": "contradicts itself",
    "version": "speaks another protocol",
    "refuses": "refuses",
}
"""What a harness did that cannot be believed, as a verb, by the word of its `HarnessError`."""
