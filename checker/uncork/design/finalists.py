"""Finds whether live designs are live at every size, and what they cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from uncork.design.decider import Decider, Decision
from uncork.design.price import PRICED_AT, Price, Priced, Prices
from uncork.design.search import Live, SearchResult
from uncork.engines import Tick, Watch


@dataclass(frozen=True)
class Finalist:
    """A minimal live design, its proofs for all sizes (a sentence for one SQ, one for several) and its price.

    The price is the highest over all guests; None if it was not computed.
    """

    live: Live
    one: str
    several: str
    price: Priced | None

    @property
    def order(self) -> tuple[bool, tuple[float, ...], int]:
        """Sorts the cheapest first, designs without a price last, and fewer changes before more."""
        known = isinstance(self.price, Price)
        return not known, self.price.order if isinstance(self.price, Price) else (), len(self.live.changes)

    @property
    def cells(self) -> list[str]:
        """The price as text."""
        return self.price.cells if self.price else ["not asked"] * 3


def finalists(
    found: SearchResult,
    decider: Decider,
    watch: Watch,
    *,
    prove: bool,
    priced: bool = True,
) -> list[Finalist]:
    """Returns proofs and prices of the live designs, cheapest first; after Ctrl-C, of the designs done so far."""
    made: list[Finalist] = []
    prices = Prices(decider.mark, decider.budget) if priced else None
    decider.report = lambda name, progress: watch(Tick(len(made), len(found.live), name, progress))
    try:
        for live in found.live:
            made.append(_finalist(found, live, decider, prices, prove=prove))  # noqa: PERF401  # kept on Ctrl-C
    except KeyboardInterrupt:
        found.interrupted = True
        made += [Finalist(live, "not asked", "not asked", None) for live in found.live[len(made) :]]
    return sorted(made, key=lambda each: each.order)


def _finalist(found: SearchResult, live: Live, decider: Decider, prices: Prices | None, *, prove: bool) -> Finalist:
    one, several = ["not asked"], ["not asked"]
    designs = [found.space.design(live.changes, guest) for guest in found.space.guests]
    price = prices.dearest((each.at(*PRICED_AT) for each in designs), decider.report) if prices else None
    if prove:
        one, several = [], []
        for design in designs:
            decider.report(f"{design.name}, for every size", None)
            one.append(decider.proofs(design, several=False))
            small = decider.decide(design.at(2, 2, 2))
            several.append(f"no: fails at {size(small)}" if small.trace else decider.proofs(design, several=True))
    return Finalist(live, _joined(found, one), _joined(found, several), price)


def _joined(found: SearchResult, said: Sequence[str]) -> str:
    if len(set(said)) == 1:
        return said[0]
    return "; ".join(f"{guest}: {each}" for guest, each in zip(found.space.guests, said, strict=True))


def size(decision: Decision) -> str:
    """Returns the sizes of the instance that was decided."""
    return str(decision.instance.shape)
