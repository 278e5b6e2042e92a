"""`uncork measure`: what a policy costs at real sizes, by simulation of the machine itself.

`python -m uncork.measuring docs/measure.md properties/uncork_properties/measured.csv` records some of it.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from uncork_nvme.choices import Choice
from uncork_nvme.instance import Instance
from uncork_properties import load, readme

from uncork.engines.events.simulate import Measured, Simulator
from uncork.engines.events.statistics import Mean, mean, percentiles
from uncork.render import text

WARM = 0.1
"""The share of a run that is not measured: the queues fill."""


@dataclass(frozen=True)
class Found:
    """What the runs of one instance under a load showed.

    Doorbells per completion posted; `corked`: the share of time in which an SQ is corked; `resume`: microseconds from
    when there is room for a corked SQ until its worker has a permit, at percentiles 50, 95, 99 and 100 over all runs,
    None if that never happened; `rate`: completions in a second.
    """

    instance: Instance
    load: str
    cq_doorbells: Mean
    sq_doorbells: Mean
    corked: Mean
    rate: Mean
    resume: tuple[float, float, float, float] | None


def measure(instance: Instance, under: load.Load, *, time: float, runs: int, seed: int) -> Found:
    """Simulates an instance from seeds `seed`, `seed + 1` and so on, for `time` microseconds each.

    Raises `engines.events.simulate.Stray` if it is not safe.
    """
    simulator = Simulator(load.timed(instance.machine, instance.system, under))
    found = [simulator.run(seed + k, time * WARM, time) for k in range(runs)]
    posts = [max(load.total(each.taken, "post", "post_queued"), 1) for each in found]

    def per_post(family: str) -> Mean:
        return mean([load.total(each.taken, family) / n for each, n in zip(found, posts, strict=True)])

    latencies = [values for each in found for values in each.latencies.values()]
    return Found(
        instance,
        under.name,
        per_post("ring_cq"),
        per_post("ring_sq"),
        mean([_corked(each) for each in found]),
        mean([n / (time * (1 - WARM)) * 1e6 for n in posts]),
        percentiles(latencies),
    )


def _corked(found: Measured) -> float:
    return sum(found.averages.values()) / max(len(found.averages), 1)


HEADS = ("CQ doorbells", "SQ doorbells", "corked", "resume p50, p99, max (us)", "completions/s")


def cells(found: Found) -> list[str]:
    """What was found as text, in the order of `HEADS`."""
    resume = "never corked"
    if found.resume:
        p50, _, p99, most = found.resume
        resume = f"{p50:.1f}, {p99:.1f}, {most:.1f}"
    rate = f"{found.rate.value:,.0f}"
    return [str(found.cq_doorbells), str(found.sq_doorbells), str(found.corked), resume, rate]


def table(found: Sequence[Found]) -> text.Table:
    """A row for each instance and load."""
    rows = [[each.instance.name, each.load, *cells(each)] for each in found]
    return text.table(None, ["instance", "load", *HEADS], rows)


LEGEND = (
    "Doorbells per completion; the share of time in which an SQ is corked; microseconds from when there is room for it "
    "until its worker has a permit. ± is the half width of a 95 % confidence interval over {} runs; none below 0.0005."
)


def as_json(found: Found) -> dict[str, Any]:
    """What was found as plain data."""

    def data(each: Mean) -> dict[str, float]:
        return {"mean": each.value, "half_width": each.half}

    return {
        "instance": found.instance.name,
        "load": found.load,
        **{name: data(getattr(found, name)) for name in ("cq_doorbells", "sq_doorbells", "corked", "rate")},
        "resume": None if found.resume is None else dict(zip(("p50", "p95", "p99", "max"), found.resume, strict=True)),
    }


# -- the page ----------------------------------------------------------------------------------------------------------
_ONE: dict[str, Choice] = {"submit_batch": 1}
_ELSEWHERE: dict[str, Choice] = {"submit_batch": 1, "backend": "detached"}
POLICIES = ("tail-lag", "tail-1", "head", "reserve-slots", "reserve-permits")
ROWS: tuple[tuple[str, tuple[int, int, int], dict[str, Choice], str], ...] = (
    ("propolis-2026", (1, 1024, 1024), _ONE, "full"),
    ("hand-over", (1, 1024, 1024), _ELSEWHERE, "full"),
    ("hand-over", (1, 1024, 1024), _ELSEWHERE, "coalesced"),
    ("hand-over", (1, 64, 64), _ELSEWHERE, "coalesced"),
    ("hand-over", (1, 1024, 128), _ELSEWHERE, "coalesced"),
    ("hand-over", (2, 64, 64), _ELSEWHERE, "coalesced"),
)
"""Device, sizes, overrides and load of the page; each with every policy."""
BEGIN, END = "<!-- measured: generated -->", "<!-- end of measured -->"
TIME, RUNS, SEED = 100_000.0, 5, 1


def asked() -> Iterator[tuple[Instance, load.Load]]:
    """What the page tells of."""
    for device, shape, overrides, name in ROWS:
        for policy in POLICIES:
            yield Instance(device, "linux", policy, *shape, overrides), load.LOADS[name]


def found() -> list[list[str]]:
    """The rows of the page."""
    rows = []
    for instance, under in asked():
        each = measure(instance, under, time=TIME, runs=RUNS, seed=SEED)
        rows.append([instance.name, under.name, *cells(each)])
    return rows


def page(rows: Sequence[Sequence[str]]) -> str:
    """The rows as a table in Markdown."""
    return readme.markdown(["instance", "load", *HEADS], rows)


def recorded(path: Path) -> list[list[str]]:
    """The rows on file."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def record(docs: Path, path: Path) -> None:
    """Simulates anew and writes it down, as data and as a page."""
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(found())
    docs.write_text(readme.replaced(docs.read_text(), BEGIN, END, page(recorded(path))))


if __name__ == "__main__":
    record(Path(sys.argv[1]), Path(sys.argv[2]))
