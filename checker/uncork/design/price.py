"""Computes and compares the prices of live designs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

from uncork_nvme.instance import Instance

from uncork.cost import exact
from uncork.engines import Budget, Progress, Report, quiet

PRICED_AT = (1, 4, 4)
"""The sizes at which designs are priced: one SQ of 4 entries, a CQ of 4."""


@dataclass(frozen=True)
class Price:
    """The least and greatest CQ doorbells per completion in the long run, and the worst wait.

    `wait` is the greatest number of CQEs that the guest consumes while an SQ with published entries is corked, its
    workers sleep, and the CQ has room. None stands for no bound.
    """

    least: Fraction | None
    greatest: Fraction | None
    wait: int | None

    @property
    def order(self) -> tuple[float, float, float]:
        """The sort key: the greatest doorbell rate, then the worst wait, then the least rate."""
        return _number(self.greatest), _number(self.wait), _number(self.least)

    @property
    def cells(self) -> list[str]:
        """The price as text: least, greatest, wait."""
        return [_text(self.least), _text(self.greatest), _text(self.wait)]

    def beats(self, other: Price) -> bool:
        """Whether this price is at least as good in greatest doorbell rate and worst wait, and better in one."""
        mine, its = self.order[:2], other.order[:2]
        return mine != its and all(a <= b for a, b in zip(mine, its, strict=True))


@dataclass(frozen=True)
class Unpriced:
    """An open price, and the reason. An open price beats no price, and no price beats it."""

    reason: str

    @property
    def cells(self) -> list[str]:
        """The cells of a price, as text."""
        return ["open"] * 3


Priced: TypeAlias = Price | Unpriced


def price(instance: Instance, budget: Budget | None = None, report: Report = quiet) -> Priced:
    """Returns the price of an instance; open if the budget does not suffice."""
    from uncork.engines.explicit.cost import Unfinished  # numpy and llvmlite

    try:
        found = exact.costs(instance, budget, report)
    except Unfinished as why:
        return Unpriced(str(why))
    rates = found.cq_doorbells
    least, greatest = (rates.least.value, rates.greatest.value) if rates else (None, None)
    return Price(least, greatest, None if found.idle_consumed.unending else found.idle_consumed.most)


class Prices:
    """Prices instances, each machine once. `mark` gives equal keys for equal machines."""

    def __init__(self, mark: Callable[[Instance], str], budget: Budget | None = None) -> None:
        self._mark, self._budget = mark, budget
        self._known: dict[str, Priced] = {}

    def dearest(self, instances: Iterable[Instance], report: Callable[[str, Progress | None], None]) -> Priced:
        """Returns the highest price of some instances; open if one price is open, since it may be the highest."""
        prices: list[Price] = []
        for instance in instances:
            found = self._priced(instance, report)
            if isinstance(found, Unpriced):
                return found
            prices.append(found)
        return max(prices, key=lambda each: each.order)

    def _priced(self, instance: Instance, report: Callable[[str, Progress | None], None]) -> Priced:
        report(instance.name, None)
        mark = self._mark(instance)
        if mark not in self._known:
            self._known[mark] = price(instance, self._budget, lambda progress: report(instance.name, progress))
        return self._known[mark]


def _number(value: Fraction | int | None) -> float:
    return float("inf") if value is None else float(value)


def _text(value: Fraction | int | None) -> str:
    return "no bound" if value is None else str(value)
