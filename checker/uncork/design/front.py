"""Finds the live designs of a device that no other live design beats in doorbells and waiting."""

from __future__ import annotations

from dataclasses import dataclass

from uncork.design.decider import Decider
from uncork.design.price import PRICED_AT, Price, Prices, Unpriced
from uncork.design.search import Live, SearchResult, search
from uncork.design.space import Changes, Space
from uncork.engines import Watch, unwatched


@dataclass(frozen=True)
class Point:
    """A price, and the live designs with this price, fewest changes first."""

    price: Price
    designs: tuple[Changes, ...]
    best: bool


@dataclass(frozen=True)
class Front:
    """All prices of live designs, cheapest first. `best` are the prices that no other price beats.

    `open` are live designs whose price is open. `unpriced` counts live designs not priced before a Ctrl-C. Both are
    neither beaten nor among the best, and may beat the best.
    """

    found: SearchResult
    points: tuple[Point, ...]
    open: tuple[tuple[Changes, Unpriced], ...]

    @property
    def unpriced(self) -> int:
        """The number of live designs without a price, not even an open one."""
        return len(self.found.live) - len(self.open) - sum(len(point.designs) for point in self.points)

    @property
    def beaten(self) -> int:
        """The number of live designs that are beaten."""
        return sum(len(point.designs) for point in self.points if not point.best)


def front(space: Space, decider: Decider, watch: Watch = unwatched) -> Front:
    """Decides all designs of a space and prices the live ones. After Ctrl-C, returns the results so far."""
    prices = Prices(decider.mark, decider.budget)
    priced: dict[Price, list[Changes]] = {}
    left: list[tuple[Changes, Unpriced]] = []

    def at_live(live: Live) -> None:
        instances = [space.design(live.changes, guest).at(*PRICED_AT) for guest in space.guests]
        price = prices.dearest(instances, decider.report)
        if isinstance(price, Unpriced):
            left.append((live.changes, price))
        else:
            priced.setdefault(price, []).append(live.changes)

    found = search(space, decider, watch, minimal=False, at_live=at_live)
    ranked = sorted(priced, key=lambda price: price.order)
    points = (
        Point(price, tuple(sorted(priced[price], key=len)), not any(other.beats(price) for other in ranked))
        for price in ranked
    )
    return Front(found, tuple(points), tuple(left))
