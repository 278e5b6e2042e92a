"""What a live design costs, and which of two is the cheaper."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

from uncork_nvme.instance import Instance

from uncork.cost import exact
from uncork.engines import Budget, Progress, Report, quiet

PRICED_AT = (1, 4, 4)
"""The sizes at which designs are compared: one SQ of four entries, a CQ of four."""


@dataclass(frozen=True)
class Price:
    """CQ doorbells per completion, least and greatest in the long run; and the worst wait.

    `wait` is how many CQEs the guest consumes at most, while an SQ with published entries is corked, its workers sleep,
    and the CQ has room. None is no bound.
    """

    least: Fraction | None
    greatest: Fraction | None
    wait: int | None

    @property
    def order(self) -> tuple[float, float, float]:
        """Cheapest first: by the greatest rate of doorbells, then the worst wait, then the least rate."""
        return _number(self.greatest), _number(self.wait), _number(self.least)

    @property
    def cells(self) -> list[str]:
        """As text: least, greatest, wait."""
        return [_text(self.least), _text(self.greatest), _text(self.wait)]

    def beats(self, other: Price) -> bool:
        """Whether it is nowhere worse, and somewhere better, in the greatest rate of doorbells and the worst wait."""
        mine, its = self.order[:2], other.order[:2]
        return mine != its and all(a <= b for a, b in zip(mine, its, strict=True))


@dataclass(frozen=True)
class Unpriced:
    """A price that is open, and why: it is neither dear nor cheap, so it beats nothing and nothing beats it."""

    reason: str

    @property
    def cells(self) -> list[str]:
        """As text, like those of a price."""
        return ["open"] * 3


Priced: TypeAlias = Price | Unpriced


def price(instance: Instance, budget: Budget | None = None, report: Report = quiet) -> Priced:
    """What an instance costs; open if the budget does not suffice."""
    from uncork.engines.explicit.cost import Unfinished  # numpy and llvmlite

    try:
        found = exact.costs(instance, budget, report)
    except Unfinished as why:
        return Unpriced(str(why))
    rates = found.cq_doorbells
    least, greatest = (rates.least.value, rates.greatest.value) if rates else (None, None)
    return Price(least, greatest, None if found.idle_consumed.unending else found.idle_consumed.most)


class Prices:
    """The prices of instances, each machine priced once: `mark` is equal for those that are the same."""

    def __init__(self, mark: Callable[[Instance], str], budget: Budget | None = None) -> None:
        self._mark, self._budget = mark, budget
        self._known: dict[str, Priced] = {}

    def dearest(self, instances: Iterable[Instance], report: Callable[[str, Progress | None], None]) -> Priced:
        """The dearest price of some instances; open if one of them is, since that may be the dearest."""
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
