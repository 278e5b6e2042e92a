"""Shows the results of `uncork repair` on a terminal and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from uncork_nvme.choices import Choice

from uncork.core.numbers import counted
from uncork.design.decider import Decision
from uncork.design.finalists import Finalist, size
from uncork.design.price import Priced, Unpriced
from uncork.design.search import Live, SearchResult
from uncork.design.space import Changes, ordered, said
from uncork.render.terminal.text import Page, Table, table

NO_COSTS = (
    "Prices were not computed; designs are sorted by number of changes, which says nothing of doorbells or waiting."
)
COSTS = (
    "CQ doorbells per completion, and the worst wait: CQEs that the guest consumes while an SQ sleeps corked and the "
    "CQ has room. For one SQ of 4 entries on a CQ of 4."
)


def in_words(changes: Changes) -> str:
    """Returns all changes of a design as text."""
    return "; ".join(map(said, ordered(changes))) or "nothing: it is live as it is"


# -- on a terminal -----------------------------------------------------------------------------------------------------
def show(to: Page, found: SearchResult, finals: Sequence[Finalist]) -> None:
    """Prints the minimal sets of changes, why each change is needed, and the work done."""
    if finals:
        to.show(_table(finals))
        to.say()
        to.say(COSTS if any(each.price for each in finals) else NO_COSTS)
        for reason in reasons([each.price for each in finals]):
            to.say(reason, "magenta")
    else:
        none = "No live design was found so far." if found.interrupted else "No design is live."
        to.say("No design is known to be live." if found.open and not found.interrupted else none, "bold red")
    for number, each in enumerate(finals, 1):
        to.say()
        to.fold(f"{number}. {in_words(each.live.changes)}", "bold")
        to.fold(f"live at {_sizes(each.live)}", indent=3)
        for change, decision in found.needed(each.live):
            to.fold(f"without {said(change)}: {fails(decision)}", indent=3)
    to.say()
    to.say(sums(found))
    if found.open:
        left = counted(len(found.open), "design is", "designs are")
        to.say(f"{left} open, and a set said to be minimal may have one in it", "magenta")


def _table(finals: Sequence[Finalist]) -> Table:
    rows = [
        [str(number), in_words(each.live.changes), each.one, each.several, *each.cells]
        for number, each in enumerate(finals, 1)
    ]
    columns = ["", "changes", "every size, one SQ", "any number"]
    priced = ["doorbells, least", "greatest", "worst wait"] if any(each.price for each in finals) else []
    return table(None, [*columns, *priced], [row[: len(columns) + len(priced)] for row in rows])


def _sizes(live: Live) -> str:
    places: dict[str, list[str]] = {}
    for decision in live.decisions:
        vacuous = " (vacuous: no run " + ", ".join(decision.unreached) + ")" if decision.unreached else ""
        places.setdefault(decision.instance.guest, []).append(size(decision) + vacuous)
    return "; ".join(f"{', '.join(sizes)} with {guest}" for guest, sizes in places.items())


def fails(decision: Decision) -> str:
    """Returns what is wrong with an instance: a counterexample, or that it is open."""
    if decision.trace is None or decision.refutes is None:
        return f"open at {decision.instance.name}: {decision.reason}"
    return f"{decision.refutes.row} fails in {counted(len(decision.trace.steps), 'step')} at {decision.instance.name}"


def reasons(prices: Iterable[Priced | None]) -> list[str]:
    """Returns the open prices and their reasons, as sentences."""
    open_ = Counter(price.reason for price in prices if isinstance(price, Unpriced))
    return [f"Prices that are open: {count}; {reason}." for reason, count in open_.items()]


def sums(found: SearchResult) -> str:
    """Returns a sentence: how many designs there were, and how they were decided."""
    counts = ", ".join(f"{count:,} {how}" for how, count in found.counts.items() if count) or "none decided"
    end = "; interrupted, the rest was not looked at" if found.interrupted else ""
    return f"{counted(found.total, 'design')}: {counts}. {counted(found.searches, 'search', 'searches')}{end}."


# -- as data -----------------------------------------------------------------------------------------------------------
def as_json(found: SearchResult, finals: Sequence[Finalist]) -> dict[str, Any]:
    """Returns the results as plain data, with the steps of every run."""
    return {
        "device": found.space.device,
        "guests": list(found.space.guests),
        "shapes": [list(shape) for shape in found.space.shapes],
        "designs": found.total,
        "searches": found.searches,
        "counts": found.counts,
        "interrupted": found.interrupted,
        "repairs": [
            {
                "changes": dict(ordered(each.live.changes)),
                "instances": [decision.instance.name for decision in each.live.decisions],
                "one": each.one,
                "several": each.several,
                "price": "open" if isinstance(each.price, Unpriced) else each.price and each.price.cells,
                "needed": [_why(change, decision) for change, decision in found.needed(each.live)],
            }
            for each in finals
        ],
    }


def _why(change: tuple[str, Choice], decision: Decision) -> dict[str, Any]:
    run = decision.trace
    return {
        "change": said(change),
        "instance": decision.instance.name,
        "refutes": decision.refutes.name if decision.refutes else None,
        "steps": list(run.steps) if run else None,
        "loop": run.loop if run else None,
    }
