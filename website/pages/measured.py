"""The tables of docs/measure.md: policies at real sizes, from measured.csv."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from uncork.measure.show import HEADS, RUNS, cells
from uncork.measure.simulate import measure
from uncork_nvme.choices import Choice
from uncork_nvme.instance import Instance
from uncork_properties import load

from pages import DOCS, RECORDED, readme

_ONE: dict[str, Choice] = {"submit_batch": 1}
_ELSEWHERE: dict[str, Choice] = {"submit_batch": 1, "backend": "detached"}
POLICIES = ("tail-lag", "tail-1", "head", "reserve-slots", "reserve-permits", "head-when-full")
ROWS: tuple[tuple[str, tuple[int, int, int], dict[str, Choice], str], ...] = (
    ("propolis-2026", (1, 1024, 1024), _ONE, "full"),
    ("hand-over", (1, 1024, 1024), _ELSEWHERE, "full"),
    ("hand-over", (1, 1024, 1024), _ELSEWHERE, "bursts"),
    ("hand-over", (1, 1024, 1024), _ELSEWHERE, "coalesced"),
    ("hand-over", (1, 64, 64), _ELSEWHERE, "coalesced"),
    ("hand-over", (1, 1024, 128), _ELSEWHERE, "coalesced"),
    ("hand-over", (2, 64, 64), _ELSEWHERE, "coalesced"),
    ("hand-over", (4, 64, 64), _ELSEWHERE, "coalesced"),
)
"""Device, sizes, overrides and load of the rows; each is run with every policy."""
OTHER_SPREADS = (0.0, 1.0)
"""Other spreads of times, to see whether the ranking of policies depends on the spread."""
MARKS = ("<!-- measured: generated -->", "<!-- end of measured -->")
OTHER = ("<!-- spreads: generated -->", "<!-- end of spreads -->")
TIME, SEED = 100_000.0, 1


def asked() -> Iterator[tuple[Instance, load.Load]]:
    """Every instance and load of the page."""
    for device, shape, overrides, name in ROWS:
        for policy in POLICIES:
            yield Instance(device, "linux", policy, *shape, overrides), load.LOADS[name]


def found(spread: float) -> list[list[str]]:
    """The rows of the page, measured with times of the given spread."""
    measured = (measure(instance, under, time=TIME, runs=RUNS, seed=SEED, spread=spread) for instance, under in asked())
    return [[f"{spread:g}", each.instance.name, each.load, *cells(each)] for each in measured]


def page(rows: Sequence[Sequence[str]]) -> str:
    """The rows as a table in Markdown."""
    return readme.markdown(["instance", "load", *HEADS], [row[1:] for row in rows if row[0] == f"{load.SPREAD:g}"])


def others(rows: Sequence[Sequence[str]]) -> str:
    """CQ doorbells and time to resume at each spread, side by side."""
    spreads = sorted({row[0] for row in rows}, key=float)
    told: dict[tuple[str, str], list[str]] = {}
    for spread in spreads:
        for _, name, under, bells, _, _, _, _, _, p99, most, _ in (row for row in rows if row[0] == spread):
            told.setdefault((name, under), [name, under]).extend([bells, p99, most])
    heads = [head.format(spread) for spread in spreads for head in ("CQ rings, spread {}", "p99", "max")]
    return readme.markdown(["instance", "load", *heads], list(told.values()))


def record(docs: Path, data: Path) -> None:
    """Simulates, and writes the results as data and as a page."""
    rows = [row for spread in sorted((load.SPREAD, *OTHER_SPREADS)) for row in found(spread)]
    path, target = data / "measured.csv", docs / "measure.md"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)
    written = readme.replaced(target.read_text(), *MARKS, page(rows))
    target.write_text(readme.replaced(written, *OTHER, others(rows)))


def make() -> None:
    """Simulates, and writes docs/measure.md."""
    record(DOCS, RECORDED)
