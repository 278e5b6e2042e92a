"""The finite sorts of variables and expressions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import product
from typing import TypeAlias

from uncork.core.frozen import frozen

Value: TypeAlias = "bool | int | str | tuple[Value, ...]"
"""A plain value, as interpreters compute it and traces store it."""


class SlipError(TypeError):
    """A mistake in a model, found while the model is built. The message says what to write instead."""


_FEW = 6
"""Up to this many names are all listed in an error."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint " (did you mean 'x'?)" if some known name is close to `word`, else the known names if they are few.

    Of many names, the three nearest.
    """
    import difflib  # imported here because only a mistake needs it

    names = list(known)
    close = difflib.get_close_matches(word, names, 1)
    if close:
        return f" (did you mean {close[0]!r}?)"
    if len(names) <= _FEW:
        return f" (one of: {', '.join(names)})"
    return f" (nearest: {', '.join(difflib.get_close_matches(word, names, 3, 0))})"


@frozen
class Bool:
    """True or false."""

    def values(self) -> Iterator[Value]:
        """Every value of the sort, the default first."""
        yield from (False, True)

    def __str__(self) -> str:
        return "Bool"


def _key(size: int) -> object:
    """A value that is equal for equal sizes, whether a size is a number or symbolic (`uncork.core.size`)."""
    return getattr(size, "key", size)


@frozen
class Range:
    """The whole numbers from `low` to `high`. Arithmetic widens the range, so it never overflows."""

    low: int
    high: int

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise SlipError(f"an empty range {self.low}..{self.high}")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Range) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    @property
    def _key(self) -> object:
        return _key(self.low), _key(self.high)

    def values(self) -> Iterator[Value]:
        """Every value of the sort, the default first."""
        yield self.low
        yield from range(self.low + 1, self.high + 1)

    def __str__(self) -> str:
        return f"{self.low}..{self.high}"


def Nat(high: int) -> Range:  # noqa: N802 - reads as a sort
    """The numbers 0..high."""
    return Range(0, high)


@frozen
class Ring:
    """A position on a ring of `size` slots.

    Positions are not numbers. A position plus or minus a number is a position, and wraps. The first position minus the
    second is the forward distance from the second to the first, a number in 0..size-1. Positions have no order.
    """

    size: int

    def __post_init__(self) -> None:
        if self.size < 2:
            raise SlipError(f"a ring needs at least 2 slots, not {self.size}")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ring) and _key(self.size) == _key(other.size)

    def __hash__(self) -> int:
        return hash(_key(self.size))

    def values(self) -> Iterator[Value]:
        """Every value of the sort, the default first."""
        yield 0
        yield from range(1, self.size)

    def __str__(self) -> str:
        return f"Ring({self.size})"


@frozen
class Enum:
    """One of several names; the first is the default."""

    names: tuple[str, ...]

    def values(self) -> Iterator[Value]:
        """Every value of the sort, the default first."""
        yield from self.names

    def __str__(self) -> str:
        return "{" + ", ".join(self.names) + "}"


Scalar: TypeAlias = Bool | Range | Ring | Enum


@frozen
class Array:
    """One element for each slot of a ring."""

    size: int
    element: Scalar

    def values(self) -> Iterator[Value]:
        """Every value of the sort, the default first."""
        yield from product(*([tuple(self.element.values())] * self.size))

    def __str__(self) -> str:
        return f"{self.element}[{self.size}]"


Sort: TypeAlias = Scalar | Array


def default(sort: Sort) -> Value:
    """The first value of a sort: the initial value of a variable that does not give one."""
    return next(sort.values())


def plain(value: Value) -> str:
    """A value as text for people: yes or no for a Bool, brackets around the elements of an array."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return "[" + " ".join(plain(v) for v in value) + "]"
    return str(value)


def contains(sort: Sort, value: Value) -> bool:
    """Whether a plain value belongs to the sort."""
    match sort:
        case Bool():
            return isinstance(value, bool)
        case Range(low, high):
            return not isinstance(value, bool | str | tuple) and low <= value <= high
        case Ring(size):
            return type(value) is int and (not isinstance(size, int) or 0 <= value < size)
        case Enum(names):
            return isinstance(value, str) and value in names
        case Array(size, element):
            return isinstance(value, tuple) and len(value) == size and all(contains(element, v) for v in value)
