"""The layout of a packed state: every variable is a bit field in a 64-bit word."""

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
    """The bits `shift .. shift + width - 1` of a word. They hold a value's code: value - low, or a name's index."""

    word: int
    shift: int
    width: int
    sort: Scalar

    @property
    def mask(self) -> int:
        """The field's bits, all set, shifted down to bit 0."""
        return (1 << self.width) - 1


def cardinality(sort: Scalar) -> int:
    """The number of values of a scalar sort."""
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
    """The least number of a sort, which has the code 0."""
    return sort.low if isinstance(sort, Range) else 0


def encode(sort: Scalar, value: Value) -> int:
    """The code of a value of a sort."""
    if isinstance(sort, Enum):
        assert isinstance(value, str)
        return sort.names.index(value)
    assert isinstance(value, int)
    return int(value) - low(sort)


def decode(sort: Scalar, code: int) -> Value:
    """The value of a sort that has a code."""
    match sort:
        case Bool():
            return bool(code)
        case Enum(names):
            return names[code]
        case _:
            return code + low(sort)


class Layout:
    """The fields of a system's variables (one for a scalar, one for each element of an array), and the number of words.

    Fields are placed in the order of declaration. A field that does not fit in the rest of a word starts the next word.
    With `apart`, every field has a word of its own, so the elements of an array are consecutive in memory.
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
                if shift + max(width, 1) > 64:  # even a field of no bits must start inside a word
                    word, shift = word + 1, 0
                placed.append(Field(word, shift, width, part))
                shift += width
            self.fields[variable.name] = tuple(placed)
        self.words = word if apart else word + 1
        self.halved = not apart and shift <= 32
        """Whether the last word uses at most half its bits, so that a packed state leaves out the other half."""

    @property
    def bytes(self) -> int:
        """The length of a packed state in bytes."""
        return 8 * self.words - 4 * self.halved

    @property
    def row(self) -> tuple[type[np.unsignedinteger[Any]], int]:
        """The type and number of the numpy elements of a packed state."""
        return (np.uint32, 2 * self.words - 1) if self.halved else (np.uint64, self.words)

    def pack(self, state: Mapping[str, Value]) -> list[int]:
        """The words of a state, as Python numbers."""
        words = [0] * self.words
        for name, fields in self.fields.items():
            value = state[name]
            elements = value if isinstance(value, tuple) else (value,)
            for place, element in zip(fields, elements, strict=True):
                words[place.word] |= encode(place.sort, element) << place.shift
        return words

    def packed(self, state: Mapping[str, Value]) -> NDArray[np.unsignedinteger[Any]]:
        """A packed state as a numpy row."""
        words = np.array(self.pack(state), np.uint64)
        kind, parts = self.row
        return words.view(kind)[:parts]

    def words_of(self, rows: NDArray[np.unsignedinteger[Any]]) -> NDArray[np.uint64]:
        """The words of packed states: one row for each state."""
        words = np.zeros((len(rows), self.words), np.uint64)
        words.view(rows.dtype)[:, : rows.shape[1]] = rows
        return words

    def unpack(self, words: Sequence[int]) -> dict[str, Value]:
        """The state with these words."""
        state: dict[str, Value] = {}
        for name, fields in self.fields.items():
            elements = tuple(decode(f.sort, (int(words[f.word]) >> f.shift) & f.mask) for f in fields)
            state[name] = elements if name in self._array else elements[0]
        return state
