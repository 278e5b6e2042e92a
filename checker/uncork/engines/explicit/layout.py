"""Where each variable lies in a packed state: a bit field in one of its 64-bit words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from uncork.core.sorts import Array, Bool, Enum, Range, Ring, Scalar, Value
from uncork.core.system import System


@dataclass(frozen=True)
class Field:
    """Bits `shift .. shift + width - 1` of word `word` hold the value's code: value - low, or the index of a name."""

    word: int
    shift: int
    width: int
    sort: Scalar

    @property
    def mask(self) -> int:
        """As many ones as the field has bits, at the right."""
        return (1 << self.width) - 1


def cardinality(sort: Scalar) -> int:
    """How many values a scalar sort has."""
    match sort:
        case Bool():
            return 2
        case Range(low, high):
            return high - low + 1
        case Ring(size):
            return size
        case Enum(names):
            return len(names)


def low(sort: Scalar) -> int:
    """What is subtracted from a number to get its code."""
    return sort.low if isinstance(sort, Range) else 0


def encode(sort: Scalar, value: Value) -> int:
    """The code of a value."""
    if isinstance(sort, Enum):
        assert isinstance(value, str)
        return sort.names.index(value)
    assert isinstance(value, int)
    return int(value) - low(sort)


def decode(sort: Scalar, code: int) -> Value:
    """The value of a code."""
    match sort:
        case Bool():
            return bool(code)
        case Enum(names):
            return names[code]
        case _:
            return code + low(sort)


class Layout:
    """The fields of a system's variables (one a scalar, one for each element of an array) and the number of words.

    Fields are placed in the order of declaration; one that does not fit in the rest of a word starts the next. Or each
    has a word of its own (`apart`), and then the elements of an array follow one another in memory.
    """

    def __init__(self, system: System, *, apart: bool = False) -> None:
        self.fields: dict[str, tuple[Field, ...]] = {}
        self._array: set[str] = set()
        word = shift = 0
        for variable in system.variables:
            sort = variable.sort
            if isinstance(sort, Array):
                self._array.add(variable.name)
                parts: list[Scalar] = [sort.element] * sort.size
            else:
                parts = [sort]
            placed = []
            for part in parts:
                if apart:
                    placed.append(Field(word, 0, 63, part))
                    word += 1
                    continue
                width = (cardinality(part) - 1).bit_length()
                if shift + max(width, 1) > 64:  # a field of no bits cannot start beyond the last bit either
                    word, shift = word + 1, 0
                placed.append(Field(word, shift, width, part))
                shift += width
            self.fields[variable.name] = tuple(placed)
        self.words = word if apart else word + 1
        self.halved = not apart and shift <= 32
        """Whether half of the last word is enough."""

    @property
    def bytes(self) -> int:
        """The length of a packed state."""
        return 8 * self.words - 4 * self.halved

    @property
    def row(self) -> tuple[type[np.unsignedinteger[Any]], int]:
        """A packed state as numpy has it: the type of its parts, and how many there are."""
        return (np.uint32, 2 * self.words - 1) if self.halved else (np.uint64, self.words)

    def pack(self, state: Mapping[str, Value]) -> list[int]:
        """The words of a state."""
        words = [0] * self.words
        for name, fields in self.fields.items():
            value = state[name]
            elements = value if isinstance(value, tuple) else (value,)
            for place, element in zip(fields, elements, strict=True):
                words[place.word] |= encode(place.sort, element) << place.shift
        return words

    def packed(self, state: Mapping[str, Value]) -> NDArray[np.unsignedinteger[Any]]:
        """The row of a state."""
        words = np.array(self.pack(state), np.uint64)
        kind, parts = self.row
        return words.view(kind)[:parts]

    def words_of(self, rows: NDArray[np.unsignedinteger[Any]]) -> NDArray[np.uint64]:
        """The words of packed states: of each a row."""
        words = np.zeros((len(rows), self.words), np.uint64)
        words.view(rows.dtype)[:, : rows.shape[1]] = rows
        return words

    def unpack(self, words: Sequence[int]) -> dict[str, Value]:
        """The state of some words."""
        state: dict[str, Value] = {}
        for name, fields in self.fields.items():
            elements = tuple(decode(f.sort, (int(words[f.word]) >> f.shift) & f.mask) for f in fields)
            state[name] = elements if name in self._array else elements[0]
        return state
