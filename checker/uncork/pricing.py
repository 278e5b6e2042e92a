"""What a live design costs, and which of two is the cheaper."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from uncork_nvme.instance import Instance

from uncork import costing
from uncork.engines import Budget, Report, quiet

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


def price(instance: Instance, budget: Budget | None = None, report: Report = quiet) -> Price:
    """What an instance costs; raises as `costing.costs` does."""
    found = costing.costs(instance, budget, report)
    rates = found.cq_doorbells
    least, greatest = (rates.least.value, rates.greatest.value) if rates else (None, None)
    return Price(least, greatest, None if found.idle_consumed.unending else found.idle_consumed.most)


def _number(value: Fraction | int | None) -> float:
    return float("inf") if value is None else float(value)


def _text(value: Fraction | int | None) -> str:
    return "no bound" if value is None else str(value)
