"""Shows measurements as a table, bars, a drawing or JSON; loads recorded measurements."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from uncork.engines.events.statistics import Mean
from uncork.measure.simulate import Flow, Measurement
from uncork.render.terminal import text

HEADS = ("CQ rings", "elided %", "SQ rings", "elided %", "corked %", "resume p50", "p99", "max", "kIOPS")
LEGEND = """\
Rings: doorbells per completion posted; elided: the share of the moves of an index for which none was rung; corked: the
share of time in which an SQ is; resume: microseconds from when there is room for a corked SQ until its worker has a
permit; kIOPS: thousand completions in a second. ± is the half width of a 95 % confidence interval over {} runs, left
out where it would round to 0.""".replace("\n", " ")
RUNS = 5
"""The number of runs of each recorded measurement."""


def cells(found: Measurement) -> list[str]:
    """Returns a measurement as text, in the order of `HEADS`; or why there is no flow to show."""
    flow = found.flow
    if flow is None:
        return [*["-"] * 5, f"stuck at {min(found.stuck):,.0f} us in {len(found.stuck)} of {found.runs}", *["-"] * 3]
    bells = _text(flow.cq_doorbells), _share(flow.cq_elided), _text(flow.sq_doorbells), _share(flow.sq_elided)
    return [*bells, _share(flow.corked), *_resume(found, flow), f"{flow.rate.value / 1e3:,.1f}"]


def _text(each: Mean | None) -> str:
    return each.text() if each else "-"


def _share(each: Mean | None) -> str:
    return Mean(each.value * 100, each.half * 100).text(1) if each else "-"


def _resume(found: Measurement, flow: Flow) -> list[str]:
    resume, waits = flow.resume, f"one waits at the end, for {found.waiting:,.0f} us"
    if resume is None:
        return [waits if found.waiting else "none" if flow.corked.value else "never corked", "-", "-"]
    most = f"{resume.most:,.1f}"
    return [resume.p50.text(1), resume.p99.text(1), f"{most}; {waits}" if found.waiting > resume.most else most]


def table(found: Sequence[Measurement]) -> text.Table:
    """Returns a table with a row for every instance and load."""
    common, short = text.shortened([f"{each.instance.name}/{each.load}" for each in found])
    rows = [[name, *cells(each)] for name, each in zip(short, found, strict=True)]
    return text.table(common, ["", *HEADS], rows, whole=[0] if max(map(len, "\n".join(short).split("\n"))) < 24 else [])


def chart(found: Sequence[Measurement]) -> text.Bars:
    """Returns bars of CQ doorbells per completion and of the 99th percentile of the time to resume."""
    flows = [each.flow for each in found]
    _, short = text.shortened([f"{each.instance.name}/{each.load}" for each in found])
    bells = [flow.cq_doorbells.value if flow and flow.cq_doorbells else None for flow in flows]
    waits = [flow.resume.p99.value if flow and flow.resume else None for flow in flows]
    return text.Bars(short, {"CQ rings": (bells, "{:.3f}"), "resume p99": (waits, "{:.1f}")})


def plot(path: Path, found: Sequence[Measurement]) -> None:
    """Draws the same values to a file, with confidence intervals and all percentiles."""
    from matplotlib.figure import Figure  # which need not be there
    from matplotlib.ticker import LogLocator, NullLocator, ScalarFormatter

    figure = Figure(figsize=(11, 1.5 + 0.3 * len(found)), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    for row, each in enumerate(found):
        bells, resume = (each.flow.cq_doorbells, each.flow.resume) if each.flow else (None, None)
        if bells:
            left.barh(row, bells.value, xerr=bells.half if bells.half < float("inf") else None, color="tab:blue")
        if resume:
            right.plot([resume.p50.value, resume.p99.value, resume.most], [row] * 3, "|-", color="tab:red")
        if each.stuck:
            left.annotate("stuck", (0, row), va="center")
    common, short = text.shortened([f"{each.instance.name}/{each.load}" for each in found])
    figure.suptitle(common, fontsize=9)
    left.set_yticks(range(len(found)), [name.replace("\n", ", ") for name in short], fontsize=8)
    left.invert_yaxis()
    left.set_xlabel("CQ doorbells per completion")
    right.set_xlabel("us to resume: median, 99 %, longest")
    right.set_xscale("log")
    right.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    right.xaxis.set_major_formatter(ScalarFormatter())
    right.xaxis.set_minor_locator(NullLocator())
    figure.savefig(path)


def as_json(found: Measurement) -> dict[str, Any]:
    """Returns a measurement as plain data."""

    def data(each: Mean | None) -> dict[str, float | None] | None:
        if each is None:
            return None
        return {"mean": each.value, "half_width": each.half if each.half < float("inf") else None}

    flow, said = found.flow, dict[str, Any]()
    if flow:
        names = ("cq_doorbells", "sq_doorbells", "cq_elided", "sq_elided", "corked", "rate")
        resume = flow.resume
        said = {name: data(getattr(flow, name)) for name in names} | {
            "resume": resume
            and {**{name: data(getattr(resume, name)) for name in ("p50", "p95", "p99")}, "max": resume.most}
        }
    return {
        "instance": found.instance.name,
        "load": found.load,
        "stuck": list(found.stuck),
        "waiting": found.waiting,
        **said,
    }


def recorded(path: Path) -> list[list[str]]:
    """Loads the recorded rows, each after its spread."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))
