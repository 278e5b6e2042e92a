"""Measures how states and time grow with the size of the queues and the number of SQs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from measure import Limits, measure
from tools import Ours, Task
from uncork_nvme.shape import Shape

SHAPES = [*(Shape(1, n, n) for n in range(2, 9)), Shape(2, 2, 2), Shape(2, 2, 3), Shape(2, 2, 4), Shape(2, 3, 3)]
INSTANCE = "propolis-2025/linux/tail-1"


@dataclass(frozen=True)
class Point:
    """One instance: SQs, entries of each SQ and of the CQ; states, steps, depth; CPU seconds of the search; bytes."""

    sqs: int
    sq_size: int
    cq_size: int
    states: int
    transitions: int
    depth: int
    seconds: float
    memory: int


def points(folder: Path, limits: Limits, repeat: int) -> Iterator[Point]:
    """Explores every shape with the search alone. Shapes that exceed a limit are left out."""
    tool = Ours("search", "kernel")
    for shape in SHAPES:
        task = Task(f"{INSTANCE}/{shape}", liveness=False)
        (command,) = tool.prepare(task, folder, limits).commands
        runs = [measure(command, limits) for _ in range(repeat)]
        if any(run.code for run in runs):
            continue
        found = [tool.found(run) for run in runs]
        first = found[0]
        yield Point(
            *shape, first["states"], first["transitions"], first["depth"],
            median(each["cpu"] for each in found), max(run.memory for run in runs),
        )  # fmt: skip


@dataclass(frozen=True)
class Law:
    """The law `y = factor * x ** power`. `off` is the factor by which the worst point deviates from it."""

    factor: float
    power: float
    off: float


def law(xs: Sequence[float], ys: Sequence[float]) -> Law:
    """The law that fits best, by linear regression of the logarithms."""
    import numpy as np

    x, y = np.log(xs), np.log(ys)
    power, constant = np.polyfit(x, y, 1)
    return Law(float(np.exp(constant)), float(power), float(np.exp(np.abs(y - power * x - constant).max())))


def report(found: Sequence[Point], plot: Path | None) -> list[str]:
    """The lines of the table and the laws; and of the plot, if a path is given and matplotlib is installed."""
    lines = [
        f"`{INSTANCE}`, every reachable state and its steps, unreduced; CPU time of the search alone.",
        "",
        "| SQs | entries of each | entries of the CQ | states | steps | depth | seconds | states a second | peak MiB |",
        "|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
        *(
            f"| {p.sqs} | {p.sq_size} | {p.cq_size} | {p.states:,} | {p.transitions:,} | {p.depth} | {p.seconds:.2f} "
            f"| {p.states / p.seconds:,.0f} | {p.memory / 2**20:,.0f} |"
            for p in found
        ),
        "",
    ]
    single = [p for p in found if p.sqs == 1 and p.sq_size > 2]
    states = law([p.sq_size for p in single], [p.states for p in single])
    large = [p for p in found if p.states >= 100_000]
    seconds = law([p.states for p in large], [p.seconds for p in large])
    lines += [
        f"One SQ, from 3 entries up: states = {states.factor:.1f} * entries^{states.power:.2f}, within a factor of "
        f"{states.off:.2f}. Time, from 100,000 states up: seconds = {seconds.factor:.1e} * states^{seconds.power:.2f}, "
        f"within a factor of {seconds.off:.2f}.",
    ]
    left_out = set(SHAPES) - {Shape(p.sqs, p.sq_size, p.cq_size) for p in found}
    if left_out:
        lines.append(f"Beyond a limit: {', '.join(map(str, sorted(left_out)))}.")
    ones = {p.sq_size: p for p in found if p.sqs == 1}
    for p in found:
        if p.sqs > 1 and p.sq_size == p.cq_size:
            lines.append(
                f"A second SQ, at {p.sq_size} entries each: {p.states / ones[p.sq_size].states:,.0f} times the states."
            )
    if plot and _draw(found, states, plot):
        lines += ["", f"![States against entries]({plot.name})"]
    return lines


def _draw(found: Sequence[Point], fitted: Law, path: Path) -> bool:
    try:
        import matplotlib
    except ImportError:
        return False
    matplotlib.use("svg")
    from matplotlib import pyplot, ticker

    matplotlib.rcParams["svg.hashsalt"] = "uncork"  # makes the names in the file reproducible
    figure, axes = pyplot.subplots(figsize=(6, 4), layout="constrained")
    sizes = sorted({p.cq_size for p in found})
    for sqs, marker in ((1, "o"), (2, "s")):
        some = [p for p in found if p.sqs == sqs]
        axes.loglog([p.cq_size for p in some], [p.states for p in some], marker, label=f"{sqs} SQ{'s' * (sqs > 1)}")
        for p in some:
            if p.sq_size != p.cq_size:
                axes.annotate(f"  SQs of {p.sq_size}", (p.cq_size, p.states), va="center", fontsize="small")
    line = [fitted.factor * size**fitted.power for size in sizes]
    axes.loglog(sizes, line, "-", color="grey", linewidth=1, label=f"entries^{fitted.power:.2f}")
    axes.set_xlabel("entries of each queue")
    axes.set_ylabel("reachable states")
    axes.set_xticks(sizes)
    axes.xaxis.set_major_formatter(ticker.ScalarFormatter())
    axes.xaxis.set_minor_formatter(ticker.NullFormatter())
    axes.grid(visible=True, which="major", alpha=0.3)
    axes.legend()
    figure.savefig(path, metadata={"Date": None})
    return True
