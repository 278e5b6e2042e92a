"""Measures how far each tool gets on a ladder of growing instances, before it exceeds a limit."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from measure import GIB, Limits
from tools import Ours, Spin, Task, Tlc, Tool
from turns import Column, compare
from uncork_nvme.shape import Shape

INSTANCE = "propolis-2025/linux/tail-1"
RUNGS = [
    (Shape(1, 4, 4), 100_000),
    (Shape(1, 6, 6), 500_000),
    (Shape(2, 2, 3), 4_000_000),
    (Shape(2, 3, 3), 16_000_000),
    (Shape(1, 12, 12), 20_000_000),
    (Shape(1, 16, 16), 100_000_000),
    (Shape(2, 4, 4), 200_000_000),
    (Shape(1, 24, 24), 200_000_000),
    (Shape(2, 5, 5), 200_000_000),
    (Shape(2, 6, 6), 200_000_000),
]
"""(shape, `Task.deep`), in the order of the number of states."""

CLIMBERS: list[tuple[Tool, bool]] = [
    (Ours("uncork, reduced", "reduced"), True),
    (Ours("uncork, reduced", "reduced"), False),
    (Spin(), False),
    (Tlc("TLC", weak=True), False),
]
"""The tools, each with whether it checks liveness too."""


@dataclass(frozen=True)
class Climb:
    """The last rung that a tool finished, and the first rung that it did not, with the reason."""

    name: str
    liveness: bool
    reached: tuple[Task, Column] | None = None
    failed: tuple[Task, str] | None = None


def climb(tool: Tool, liveness: bool, folder: Path, limits: Limits) -> Climb:
    """Runs a tool on the rungs in turn until it exceeds a limit or the ladder ends."""
    reached = None
    for number, (shape, deep) in enumerate(RUNGS):
        task = Task(f"{INSTANCE}/{shape}", liveness, deep)
        place = folder / str(number)
        place.mkdir(parents=True)
        (column,) = compare(task, [tool], 1, limits, place)
        if not _states(column):
            why = column.exceeded or (column.answer.says if column.answer else "")
            return Climb(tool.name, liveness, reached, (task, why))
        reached = task, column
    return Climb(tool.name, liveness, reached)


def report(folder: Path, limits: Limits) -> Iterator[str]:
    """The lines of the table: the last rung that each tool finished, and what stopped the tool."""
    rungs = ", ".join(str(shape) for shape, _ in RUNGS)
    yield f"Ever larger instances of `{INSTANCE}`, in the order of their states, unreduced: {rungs}."
    yield f"Each tool climbs until it exceeds {limits.seconds:g} s or {limits.memory / GIB:g} GiB; one run of each."
    yield "SPIN and TLC tell all states apart, and are asked for safety only."
    yield ""
    yield "| tool | asked | largest instance finished | states it told apart | wall s | peak MiB | stopped at |"
    yield "|---|---|---|--:|--:|--:|---|"
    for number, (tool, liveness) in enumerate(CLIMBERS):
        if not tool.missing():
            row = _row(climb(tool, liveness, folder / str(number), limits))
            print(row, file=sys.stderr)
            yield row


def _row(climb: Climb) -> str:
    asked = "safety and liveness" if climb.liveness else "safety"
    figures = ["none", "", "", ""]
    if climb.reached:
        task, column = climb.reached
        figures = [_shape(task), f"{_states(column):,}", f"{column.wall[0]:.0f}", f"{column.memory[0] / 2**20:,.0f}"]
    stopped = f"{_shape(climb.failed[0])}: {climb.failed[1]}" if climb.failed else "the ladder's end"
    return f"| {' | '.join([climb.name, asked, *figures, stopped])} |"


def _states(column: Column) -> int:
    """The number of states that the tool explored; 0 if the tool did not end."""
    answer = column.answer if column.ended else None
    return (answer.states or answer.reduced or 0) if answer else 0


def _shape(task: Task) -> str:
    return task.instance.rpartition("/")[2]
