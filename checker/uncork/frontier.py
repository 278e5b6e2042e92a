"""The live designs of a device that no other live design beats: doorbells against waiting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from uncork import pricing, repair
from uncork.engines import Budget
from uncork.pricing import Price
from uncork.render.text import Page, table
from uncork.repair import Changes, Decider, Found, Space, ordered
from uncork.repair_report import COSTS, said


@dataclass(frozen=True)
class Point:
    """A price, and the live designs that have it, those with the fewest changes first."""

    price: Price
    designs: tuple[Changes, ...]
    best: bool


@dataclass(frozen=True)
class Front:
    """All prices of live designs, cheapest first; `best` are those that none beats."""

    found: Found
    points: tuple[Point, ...]


def front(space: Space, decider: Decider, watch: repair.Watch, budget: Budget | None = None) -> Front:
    """Searches all designs of a space and prices the live ones. On Ctrl-C what was found so far."""
    found = repair.search(space, decider, watch, minimal=False)
    priced: dict[Price, list[Changes]] = {}
    known: dict[str, Price] = {}
    try:
        for number, live in enumerate(found.live):
            prices = []
            for guest in space.guests:
                instance = space.design(live.changes, guest).at(*pricing.PRICED_AT)
                watch(number, len(found.live), instance.name, None)
                mark = decider.mark(instance)
                if mark not in known:
                    known[mark] = pricing.price(instance, budget)
                prices.append(known[mark])
            priced.setdefault(max(prices, key=lambda price: price.order), []).append(live.changes)
    except KeyboardInterrupt:
        found.interrupted = True
    ranked = sorted(priced, key=lambda price: price.order)
    return Front(
        found,
        tuple(
            Point(price, tuple(sorted(priced[price], key=len)), not any(other.beats(price) for other in ranked))
            for price in ranked
        ),
    )


_FEW = 3


def show(to: Page, made: Front, sums: str) -> None:
    """Prints the front, and how many designs lie behind it."""
    rows = []
    for point in made.points:
        if point.best:
            names = [_said(changes) for changes in point.designs[:_FEW]]
            more = len(point.designs) - _FEW
            rows.append([*point.price.cells, "\n".join([*names, *([f"and {more} more"] if more > 0 else [])])])
    if rows:
        to.show(table(None, ["doorbells, least", "greatest", "worst wait", "designs: changes"], rows))
    behind = sum(len(point.designs) for point in made.points if not point.best)
    to.say(f"{COSTS} {behind} live designs are beaten by one of these.")
    to.say(sums)


def _said(changes: Changes) -> str:
    return "; ".join(map(said, ordered(changes))) or "none"


def as_json(made: Front) -> dict[str, Any]:
    """All points, with their designs."""
    return {
        "device": made.found.space.device,
        "guests": list(made.found.space.guests),
        "counts": made.found.counts,
        "points": [
            {
                "least": point.price.cells[0],
                "greatest": point.price.cells[1],
                "wait": point.price.cells[2],
                "front": point.best,
                "designs": [dict(ordered(changes)) for changes in point.designs],
            }
            for point in made.points
        ],
    }


def plot(path: Path, points: Sequence[Point]) -> int:
    """Draws the points that have bounds to a file; gives how many have none and are left out."""
    from matplotlib.figure import Figure

    drawn = [point for point in points if point.price.greatest is not None and point.price.wait is not None]
    figure = Figure(figsize=(7, 5), layout="constrained")
    axes = figure.add_subplot()
    for best, label, marker in ((False, "beaten", "o"), (True, "front", "s")):
        some = [(p.price.greatest, p.price.wait) for p in drawn if p.best is best]
        if some:
            axes.scatter([float(x or 0) for x, _ in some], [y or 0 for _, y in some], label=label, marker=marker)
    for point in drawn:
        if point.best:
            where = float(point.price.greatest or 0), point.price.wait or 0
            axes.annotate(_said(point.designs[0]), where, xytext=(4, 4), textcoords="offset points", fontsize=7)
    axes.set_xlabel("CQ doorbells per completion, greatest")
    axes.set_ylabel("CQEs consumed while an SQ sleeps corked and the CQ has room, most")
    axes.legend()
    figure.savefig(path)
    return len(points) - len(drawn)
