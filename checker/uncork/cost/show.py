"""Shows costs as a table, as JSON, and as runs that attain the extremes; loads recorded costs."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from uncork.core.questions.cost import Extreme, Longest, Range
from uncork.core.trace import Trace
from uncork.cost import exact
from uncork.cost.exact import Costs
from uncork.render.terminal import text

HEADS = ("CQ doorbells", "SQ doorbells", "wait: CQEs", "wait: posts")
"""The columns: least to greatest doorbells per completion; the worst wait, in CQEs consumed and completions posted."""
LEGEND = (
    "Doorbells per completion: the least to the greatest in the long run, over all fair runs. ~: a limit, approached "
    "but never reached by a repeating run. Wait: the most CQEs that the guest consumes, and completions that are "
    "posted, while a corked SQ has entries, sleeps, and the CQ has room. for ever: some fair run never ends the wait."
)


def cells(found: Costs) -> list[str]:
    """Returns the costs of an instance as text, in the order of `HEADS`."""
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
    """Returns a table with a row for every instance."""
    names = [each.instance.name for each in found]
    common, short = text.shortened(names) if len(names) > 1 else ("", names)
    rows = [[name, *cells(each), f"{each.states:,}"] for name, each in zip(short, found, strict=True)]
    return text.table(common or None, ["" if common else "instance", *HEADS, "states"], rows, numbers=(len(HEADS) + 1,))


def as_json(found: Costs) -> dict[str, Any]:
    """Returns the costs as plain data. A rate is a fraction as text, null if there is no bound."""

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
"""Functions that give the run with the least or greatest CQ doorbells, or the longest wait; None if there is none."""


def load(path: Path) -> list[dict[str, str]]:
    """Loads recorded costs from a CSV file."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
