"""`uncork cost`: what policies cost, as a table, as data, and as runs that attain the extremes.

`python -m uncork.cost.show docs/cost.md properties/uncork_properties/costs.csv` records them.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from uncork_nvme.choices import Choice
from uncork_nvme.instance import Instance
from uncork_properties import readme

from uncork.core.cost import Extreme, Longest, Range
from uncork.core.trace import Trace
from uncork.cost import exact
from uncork.cost.exact import Costs
from uncork.render.terminal import text

HEADS = ("CQ doorbells", "SQ doorbells", "wait: CQEs", "wait: posts")
"""The columns: doorbells per completion, least to greatest; the worst wait, in CQEs consumed and completions posted."""
LEGEND = (
    "Doorbells per completion, least to greatest in the long run over all fair runs; ~: no run that repeats itself has "
    "it, some come as near as one likes. Wait: the most CQEs that the guest consumes, and completions that are posted, "
    "while an SQ is corked, has entries, sleeps, and there is room; for ever: some fair run never ends it."
)


def cells(found: Costs) -> list[str]:
    """The costs of an instance as text, in the order of `HEADS`."""
    return [
        _range(found.cq_doorbells),
        _range(found.sq_doorbells),
        _wait(found.idle_consumed),
        _wait(found.idle_posted),
    ]


def _range(found: Range | None) -> str:
    return "nothing completes for ever" if found is None else f"{_extreme(found.least)} to {_extreme(found.greatest)}"


def _extreme(found: Extreme) -> str:
    return ("" if found.fair else "~") + ("no bound" if found.value is None else str(found.value))


def _wait(found: Longest) -> str:
    if found.unending:
        return "for ever"
    return "no bound" if found.most is None else str(found.most)


def table(found: Sequence[Costs]) -> text.Table:
    """A row for each instance."""
    rows = [[each.instance.name, *cells(each), f"{each.states:,}"] for each in found]
    return text.table(None, ["instance", *HEADS, "states"], rows, numbers=(len(HEADS) + 1,))


def as_json(found: Costs) -> dict[str, Any]:
    """The costs as plain data; a rate is a fraction as text, null where there is no bound."""

    def rate(each: Range | None) -> Any:
        if each is None:
            return None
        return {
            name: {"value": None if extreme.value is None else str(extreme.value), "attained": extreme.fair}
            for name, extreme in (("least", each.least), ("greatest", each.greatest))
        }

    def wait(each: Longest) -> Any:
        return {"most": each.most, "unending": each.unending}

    return {
        "instance": found.instance.name,
        "states": found.states,
        **{name: rate(getattr(found, name)) for name in exact.RATES},
        **{name: wait(getattr(found, name)) for name in exact.WAITS},
    }


RUNS: dict[str, Callable[[Costs], Trace | None]] = {
    "least": lambda found: found.cq_doorbells.least.run if found.cq_doorbells else None,
    "greatest": lambda found: found.cq_doorbells.greatest.run if found.cq_doorbells else None,
    "wait": lambda found: found.idle_consumed.hang or found.idle_consumed.run,
}
"""The runs that can be shown, None where there is none: the least and greatest CQ doorbells, and the longest wait."""


# -- the page ----------------------------------------------------------------------------------------------------------
_PARKS: dict[str, Choice] = {"cork": "park"}
DESIGNS: tuple[tuple[str, str, dict[str, Choice]], ...] = (
    *(("propolis-2026", policy, {}) for policy in ("tail-lag", "tail-1", "head", "reserve-slots", "reserve-permits")),
    ("arm-recheck", "arm-on-cork", {}),
    *(("arm-recheck", policy, _PARKS) for policy in ("tail-1", "head", "reserve-slots", "reserve-permits")),
    *(("hand-over", policy, {}) for policy in ("tail-1", "reserve-slots", "reserve-permits")),
)
"""Device, policy and overrides of the rows: what is live with one SQ."""
SHAPES = ((1, 3, 3), (1, 4, 4), (2, 2, 2))
"""The sizes of the columns."""
BEGIN, END = "<!-- costs: generated -->", "<!-- end of costs -->"


def instances() -> Iterator[Instance]:
    """What the page tells of: with two SQs only what is live with two."""
    for device, policy, overrides in DESIGNS:
        for shape in SHAPES:
            if shape[0] == 1 or device != "propolis-2026":
                yield Instance(device, "linux", policy, *shape, overrides)


def page(recorded: Sequence[dict[str, str]]) -> str:
    """The recorded costs as a table in Markdown."""
    heads = ["instance", *HEADS]
    return readme.markdown(heads, [[each[head] for head in heads] for each in recorded])


def load(path: Path) -> list[dict[str, str]]:
    """The recorded costs."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def record(docs: Path, path: Path) -> None:
    """Computes the costs anew and writes them down, as data and as a page."""
    found = [exact.costs(instance) for instance in instances()]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["instance", *HEADS])
        writer.writerows([each.instance.name, *cells(each)] for each in found)
    docs.write_text(readme.replaced(docs.read_text(), BEGIN, END, page(load(path))))


if __name__ == "__main__":
    record(Path(sys.argv[1]), Path(sys.argv[2]))
