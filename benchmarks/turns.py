"""Runs the tools in turns, so that other load on the machine affects all of them alike.

A tool that exceeds a limit is not run again, and neither is one that took more than a minute: what disturbs a run of a
minute is small beside it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from measure import GIB, Limits, Run, measure
from tools import Answer, Prepared, Task, Tool
from uncork.export import Inexpressible

LONG = 60
"""Seconds of a run that is not repeated."""

_NO_MEMORY = ("MemoryError", "Unable to allocate", "bad_alloc", "OutOfMemoryError", "out of memory", "-DMEMLIM bound")


@dataclass
class Column:
    """The runs of a tool on a task: figures for each run (seconds, seconds, bytes), and the answer of the last run."""

    tool: Tool
    prepared: Prepared
    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)
    answer: Answer | None = None
    exceeded: str = ""

    @property
    def ended(self) -> bool:
        """Whether the tool ended within the limits, without failing."""
        return self.answer is not None and not self.exceeded


def compare(task: Task, tools: Sequence[Tool], repeat: int, limits: Limits, folder: Path) -> list[Column]:
    """Runs the tools that apply on a task, in turns, `repeat` times each, but long runs once; a column for each."""
    columns = [_column(tool, task, limits, folder) for tool in tools if tool.applies(task)]
    for _ in range(repeat):
        for column in columns:
            if not column.exceeded and max(column.wall, default=0) < LONG:
                _take_turn(column, task, limits)
    return columns


def _column(tool: Tool, task: Task, limits: Limits, folder: Path) -> Column:
    try:
        return Column(tool, tool.prepare(task, folder, limits))
    except Inexpressible as refused:
        return Column(tool, Prepared([]), exceeded=f"refused: {refused}")


def _take_turn(column: Column, task: Task, limits: Limits) -> None:
    runs: list[Run] = []
    for command in column.prepared.commands:
        left = limits.seconds - sum(run.wall for run in runs)
        runs.append(measure(command, replace(limits, seconds=max(left, 0))))
        if runs[-1].late:
            column.exceeded = f"> {limits.seconds:g} s"
        elif any(words in runs[-1].output for words in _NO_MEMORY):
            column.exceeded = f"> {limits.memory / GIB:g} GiB"
        if column.exceeded:
            break
    else:
        try:
            column.answer = column.tool.read(task, runs)
        except ValueError as error:
            column.exceeded = f"failed, exit code {runs[-1].code}"
            print(f"{column.tool.name}: {error}", file=sys.stderr)
    wall, cpu = sum(run.wall for run in runs), sum(run.cpu for run in runs)
    if column.answer and column.answer.wall is not None and column.answer.cpu is not None:
        wall, cpu = column.answer.wall, column.answer.cpu
    column.wall.append(wall)
    column.cpu.append(cpu)
    column.memory.append(max(run.memory for run in runs))


def counts(columns: Sequence[Column]) -> set[int]:
    """The set of numbers of states that the tools found. The tools disagree if it has more than one element."""
    return {c.answer.states for c in columns if c.ended and c.answer and c.answer.states is not None}
