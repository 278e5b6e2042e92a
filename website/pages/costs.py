"""The table of docs/cost.md: the costs of live policies, from costs.csv."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from uncork.cost import exact
from uncork.cost.show import HEADS, cells, load
from uncork_nvme.choices import Choice
from uncork_nvme.instance import Design, Instance, from_name
from uncork_nvme.shape import Shape

from pages import DOCS, RECORDED, readme

_PARKS: dict[str, Choice] = {"cork": "park"}
DESIGNS: tuple[tuple[str, str, dict[str, Choice]], ...] = (
    *(("propolis-2026", policy, {}) for policy in ("tail-lag", "tail-1", "head", "reserve-slots", "reserve-permits")),
    ("arm-recheck", "arm-on-cork", {}),
    *(("arm-recheck", policy, _PARKS) for policy in ("tail-1", "head", "reserve-slots", "reserve-permits")),
    *(("hand-over", policy, {}) for policy in ("tail-1", "reserve-slots", "reserve-permits")),
)
"""Device, policy and overrides of the rows: designs that are live with one SQ."""
SHAPES = ((1, 3, 3), (1, 4, 4), (2, 2, 2))
"""The sizes of the columns."""
BEGIN, END = "<!-- costs: generated -->", "<!-- end of costs -->"


def instances() -> Iterator[Instance]:
    """The instances of the page; with two SQs only designs that are live with two."""
    for device, policy, overrides in DESIGNS:
        for shape in SHAPES:
            if shape[0] == 1 or device != "propolis-2026":
                yield Instance(device, "linux", policy, *shape, overrides)


def page(recorded: Sequence[dict[str, str]]) -> str:
    """The recorded costs in Markdown: a sentence for what is the same everywhere, a table of each other cost."""
    rows = [(from_name(each["instance"]), each) for each in recorded]
    same = {head: rows[0][1][head] for head in HEADS if len({each[head] for _, each in rows}) == 1}
    parts = ["In every row: " + "; ".join(f"{head} {value}" for head, value in same.items()) + ".\n"]
    shapes = list(dict.fromkeys(instance.shape for instance, _ in rows))
    for head in (head for head in HEADS if head not in same):
        cells: dict[str, dict[Shape, str]] = {}
        for instance, each in rows:
            design = Design(instance.device, instance.guest, instance.policy, instance.overrides)
            cells.setdefault(f"`{design.name}`", {})[instance.shape] = each[head]
        table = [[name, *(found.get(shape, "") for shape in shapes)] for name, found in cells.items()]
        parts.append(f"**{head}**\n\n{readme.markdown(*readme.merged(['design', *map(str, shapes)], table))}")
    return "\n".join(parts)


def record(docs: Path, path: Path) -> None:
    """Computes the costs again and writes them, as data and as a page."""
    found = [exact.costs(instance) for instance in instances()]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["instance", *HEADS])
        writer.writerows([each.instance.name, *cells(each)] for each in found)
    docs.write_text(readme.replaced(docs.read_text(), BEGIN, END, page(load(path))))


def make() -> None:
    """Computes the costs again and writes them."""
    record(DOCS / "cost.md", RECORDED / "costs.csv")
