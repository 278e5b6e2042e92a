"""Symbolic sizes: a system built with them is about rings of every size at once.

A `Size` is a sum of symbols and a number, such as C - 1. Each symbol stands for any whole number from its least value
up. A `Size` adds and subtracts like a number. A comparison, `==` and truth included, is answered if the answer is the
same for all values, and otherwise raises `Undecided`. A `Size` is not an `int`, so code that needs the actual number
fails at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import inf, isinf
from typing import Any, NamedTuple, TypeGuard, cast

from uncork.core.sorts import SlipError


class Undecided(SlipError):
    """A comparison of sizes whose answer depends on the sizes."""


class Symbol(NamedTuple):
    """A size of which only the least possible value is known."""

    name: str
    least: int


class Size:
    """A number plus a sum of multiples of symbols. `terms` has (symbol, factor)."""

    __slots__ = ("number", "terms")

    def __init__(self, number: int, terms: Iterable[tuple[Symbol, int]]) -> None:
        self.number = number
        self.terms = tuple(sorted((symbol, times) for symbol, times in terms if times))

    def __add__(self, other: object) -> Any:
        if isinstance(other, Size):
            times = dict(self.terms)
            for symbol, more in other.terms:
                times[symbol] = times.get(symbol, 0) + more
            return _plain(self.number + other.number, times)
        if type(other) is int:
            return Size(self.number + other, self.terms)
        return other if _infinite(other) else NotImplemented

    __radd__ = __add__

    def __neg__(self) -> Size:
        return Size(-self.number, ((symbol, -times) for symbol, times in self.terms))

    def __sub__(self, other: object) -> Any:
        return self + -other if isinstance(other, Size | int | float) else NotImplemented

    def __rsub__(self, other: object) -> Any:
        return -self + other if isinstance(other, int | float) else NotImplemented

    @property
    def key(self) -> object:
        """The size as a plain value, to compare how sizes are written. Such a comparison never raises `Undecided`."""
        return self.number, self.terms

    def __hash__(self) -> int:
        """Raises `Undecided`: in a set or a dictionary a size would silently be told from every number."""
        raise Undecided(f"{self} depends on the size, and so is in no set and no dictionary: compare it with ==")

    def _apart(self, other: object) -> tuple[float, float]:
        """The least and the greatest possible difference between this size and another."""
        apart = self - other
        if not isinstance(apart, Size):
            return apart, apart
        end = apart.number + sum(times * symbol.least for symbol, times in apart.terms)
        grows, falls = (any(times * sign > 0 for _, times in apart.terms) for sign in (1, -1))
        return -inf if falls else end, inf if grows else end

    def _undecided(self, op: str, other: object) -> Undecided:
        return Undecided(
            f"whether {self} {op} {other} depends on the size: write minimum, maximum or ite, which wait until it is "
            "known"
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Size | int | float):
            return NotImplemented
        least, most = self._apart(other)
        if least == most == 0:
            return True
        if least > 0 or most < 0:
            return False
        raise self._undecided("==", other)

    def __bool__(self) -> bool:
        return self != 0

    def __lt__(self, other: Any) -> bool:
        least, most = self._apart(other)
        if most < 0 or least >= 0:
            return most < 0
        raise self._undecided("<", other)

    def __le__(self, other: Any) -> bool:
        least, most = self._apart(other)
        if most <= 0 or least > 0:
            return most <= 0
        raise self._undecided("<=", other)

    def __gt__(self, other: Any) -> bool:
        return not self <= other

    def __ge__(self, other: Any) -> bool:
        return not self < other

    def _refused(self, other: object) -> Any:
        raise SlipError(
            f"{self} stands for every size, and can be added, subtracted and compared; nothing else. A policy that "
            "divides or multiplies it can only be checked at stated sizes (uncork check)"
        )

    __mul__ = __rmul__ = __floordiv__ = __rfloordiv__ = __truediv__ = __mod__ = __pow__ = _refused

    def __str__(self) -> str:
        shown = ""
        for symbol, times in self.terms:
            sign = ("-" if times < 0 else "") if not shown else (" - " if times < 0 else " + ")
            shown += sign + (f"{abs(times)}{symbol.name}" if abs(times) > 1 else symbol.name)
        if self.number:
            shown += f" {'-' if self.number < 0 else '+'} {abs(self.number)}"
        return shown

    __repr__ = __str__


def _infinite(other: object) -> TypeGuard[float]:
    return isinstance(other, float) and isinf(other)


def _plain(number: int, times: dict[Symbol, int]) -> Any:
    size = Size(number, times.items())
    return size if size.terms else number


def symbol(name: str, least: int) -> int:
    """A size that may be any number from `least` up. It has the static type `int`, so models can use it as a size."""
    return cast(int, Size(0, [(Symbol(name, least), 1)]))
