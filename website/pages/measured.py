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
EVERY = ("<!-- spreads: generated -->", "<!-- end of spreads -->")
TIME, SEED = 100_000.0, 1
_SPREAD = f"{load.SPREAD:g}"
_RINGS, _P99, _MOST = HEADS.index("CQ rings"), HEADS.index("p99"), HEADS.index("max")


def asked() -> Iterator[tuple[Instance, load.Load]]:
    """Every instance and load of the page."""
    for device, shape, overrides, name in ROWS:
        for policy in POLICIES:
            yield Instance(device, "linux", policy, *shape, overrides), load.LOADS[name]


def found(spread: float) -> list[list[str]]:
    """The rows of the page, measured with times of the given spread."""
    measured = (measure(instance, under, time=TIME, runs=RUNS, seed=SEED, spread=spread) for instance, under in asked())
    return [[f"{spread:g}", each.instance.name, each.load, *cells(each)] for each in measured]


def _groups(rows: Sequence[Sequence[str]]) -> dict[tuple[str, str], dict[str, dict[str, Sequence[str]]]]:
    """The rows by instance (with POLICY for its policy) and load, then by policy, then by spread."""
    found: dict[tuple[str, str], dict[str, dict[str, Sequence[str]]]] = {}
    for spread, name, under, *measured in rows:
        device, guest, policy, rest = name.split("/", 3)
        group = found.setdefault((f"{device}/{guest}/POLICY/{rest}", under), {})
        group.setdefault(policy, {})[spread] = measured
    return found


def page(rows: Sequence[Sequence[str]]) -> str:
    """CQ doorbells per completion and the 99th percentile of the time to resume, a column for each policy."""
    made = []
    for (name, under), policies in _groups(rows).items():
        device, _, _, shape, *_ = name.split("/")
        shown = (f"{_mean(each[_RINGS])} / {_mean(each[_P99])}" for each in (p[_SPREAD] for p in policies.values()))
        made.append([device, shape, under, *(each.removesuffix(" / -") for each in shown)])
    return readme.markdown(["device", "sizes", "load", *POLICIES], made)


def _mean(cell: str) -> str:
    return cell.partition(" ")[0]


def every(rows: Sequence[Sequence[str]]) -> str:
    """Every row: a table for each instance and load, with what differs at the other spreads."""
    others = [f"{spread:g}" for spread in OTHER_SPREADS]
    heads = [*_NAMES, *(f"{head}, spread {s}" for s in others for head in ("CQ rings", "p99", "max"))]
    parts = []
    for (name, under), policies in _groups(rows).items():
        made = [
            [*each[_SPREAD], *(each[s][k] for s in others for k in (_RINGS, _P99, _MOST))] for each in policies.values()
        ]
        same, lean, cells_ = lacking_constants(heads, made)
        table = [[policy, *row] for policy, row in zip(policies, cells_, strict=True)]
        parts.append(f"`{name}`, {under}. {same}".rstrip() + f"\n\n{readme.markdown(['policy', *lean], table)}")
    return "\n".join(parts)


_NAMES = ("CQ rings", "CQ elided %", "SQ rings", "SQ elided %", *HEADS[4:])


def lacking_constants(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> tuple[str, list[str], list[list[str]]]:
    """A table without the columns that have one value in every row, and a sentence that has these values."""
    columns = list(zip(*rows, strict=True))
    same = [len(set(column)) == 1 for column in columns]
    kept = [place for place, constant in enumerate(same) if not constant]
    said = [f"{heads[place]} {column[0]}" for place, column in enumerate(columns) if same[place] and column[0] != "-"]
    sentence = f"In every row: {'; '.join(said)}." if said else ""
    return sentence, [heads[place] for place in kept], [[row[place] for place in kept] for row in rows]


def record(docs: Path, data: Path) -> None:
    """Simulates, and writes the results as data and as a page."""
    rows = [row for spread in sorted((load.SPREAD, *OTHER_SPREADS)) for row in found(spread)]
    path, target = data / "measured.csv", docs / "measure.md"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)
    written = readme.replaced(target.read_text(), *MARKS, page(rows))
    target.write_text(readme.replaced(written, *EVERY, every(rows)))


def make() -> None:
    """Simulates, and writes docs/measure.md."""
    record(DOCS, RECORDED)
