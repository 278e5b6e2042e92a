"""Translates expressions to machine code by LLVM: the successor function and the predicates of a system.

The code is generated for each system and compiled in memory, so no cache can go stale. The search itself (`kernel`) is
the same for all systems, and calls this code by its address.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import llvmlite.binding as llvm
import numpy as np
from numpy.typing import NDArray

from uncork.core.expr import Expr
from uncork.core.sorts import Array, Bool, Enum, Range, Ring, Sort, Value
from uncork.core.system import System
from uncork.core.transform import Fold
from uncork.engines import Stop
from uncork.engines.compiling import target
from uncork.engines.explicit.layout import Field, Layout, encode, low

FAULT = 1 << 15
"""The bit of a successor's code that is set if the action takes a variable out of its sort, so has no successor."""

ASKED = 64
"""The number of predicates that are evaluated together, with their answers in one word."""

_MOST, _LONGEST = 100_000, 2**24
"""The most array elements written by all actions, and characters of code: LLVM compiles them in a minute or two."""
_LARGE = "its code is too large for the explicit engine: uncork measure and prove take such sizes"

_COMPARE = {"<": "slt", "<=": "sle"}
_OPERATE = {"+": "add", "-": "sub"}


class Native:
    """The machine code of a system: addresses of functions that the kernel calls. A row is a packed state.

    `successors` is `i64 f(const row *state, row *out, u16 *codes)`. It writes the canonical form of every successor
    and its code, in the order of the actions, and returns their number. A code is action * ways + turn, where `turn` is
    the permutation that made the successor canonical. If a variable leaves its sort, the code is the action with
    `FAULT` set.
    `canonical` is `i64 f(const row *state, row *out)`. It writes the canonical form of a state and returns the turn.
    `asks[k]` is `i64 f(const row *state)`. It returns one bit for each of the predicates from 64 k on.
    """

    def __init__(
        self,
        system: System,
        predicates: Sequence[Expr],
        normalise: Mapping[str, Expr] | None = None,
        permutations: Sequence[Mapping[str, Expr]] = (),
    ) -> None:
        self.layout, self.ways, self.predicates = Layout(system), 1 + len(permutations), len(predicates)
        elements = sum(v.sort.size for v in system.variables if isinstance(v.sort, Array))
        if len(system.actions) * self.ways >= FAULT or elements * len(system.actions) > _MOST:
            raise Stop(_LARGE)
        asked = [predicates[first : first + ASKED] for first in range(0, len(predicates), ASKED)]
        source = "\n".join(
            [
                _canonical(normalise or {}, permutations, self.layout),
                _successors(system, self.layout, self.ways, canonical=bool(normalise or permutations)),
                *(_ask(f"ask{k}", of, self.layout) for k, of in enumerate(asked)),
            ]
        )
        if len(source) > _LONGEST:
            raise Stop(_LARGE)
        self._engine = engine = compile_text(source)  # owns the code, and so must be kept
        self.successors: int = engine.get_function_address("successors")
        self.canonical: int = engine.get_function_address("canonical")
        self.asks: list[int] = [engine.get_function_address(f"ask{k}") for k in range(len(asked))]

    def made_canonical(self, row: NDArray[np.unsignedinteger[Any]]) -> int:
        """Makes a state canonical in place. Returns the turn, the number of the permutation used."""
        function = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p)(self.canonical)
        return int(function(row.ctypes.data, row.ctypes.data))


class Writer(Fold[list[str]]):
    """Writes the instructions of one function. Values from blocks that dominate the present block are reused.

    The translation of an expression is the operands that hold its value: one for a scalar, one for each element of an
    array.
    """

    def __init__(self, layout: Layout, words: Sequence[str] = (), prefix: str = "v") -> None:
        super().__init__()
        self.layout, self.prefix = layout, prefix
        self.words = words or [f"%w{word}" for word in range(layout.words)]
        self.entry: list[str] = []
        self.lines: list[str] = []
        self.made: dict[str, str] = {}
        self.loaded: dict[Field, str] = {}
        self._count = 0

    def name(self) -> str:
        """A fresh name for a value."""
        self._count += 1
        return f"%{self.prefix}{self._count}"

    def emit(self, instruction: str) -> str:
        """Writes an instruction unless it was written before. Returns the name of its value."""
        result = self.made.get(instruction)
        if result is None:
            result = self.made[instruction] = self.name()
            self.lines.append(f"  {result} = {instruction}")
        return result

    def load(self, place: Field) -> str:
        """The value in a field as an i64 (an i1 for a Bool). It is extracted once, at the start of the function."""
        if place not in self.loaded:
            shifted, masked = self.name(), self.name()
            self.entry.append(f"  {shifted} = lshr i64 {self.words[place.word]}, {place.shift}")
            self.entry.append(f"  {masked} = and i64 {shifted}, {place.mask}")
            if isinstance(place.sort, Bool):
                raw, masked = masked, self.name()
                self.entry.append(f"  {masked} = trunc i64 {raw} to i1")
            elif low(place.sort):
                raw, masked = masked, self.name()
                self.entry.append(f"  {masked} = add i64 {raw}, {low(place.sort)}")
            self.loaded[place] = masked
        return self.loaded[place]

    def scalar(self, node: Expr) -> str:
        """The operand that holds the value of an expression other than an array."""
        return self(node)[0]

    def _compute(self, node: Expr) -> list[str]:
        op, args = node.op, node.args
        if op == "const":
            return [_constant(node)]
        if op == "var":
            return [self.load(place) for place in self.layout.fields[str(node.value)]]
        if op == "array":
            return [self.scalar(arg) for arg in args]
        if op == "select":
            elements, index = self(args[0]), self.scalar(args[1])
            chosen = elements[0]
            for k, element in enumerate(elements[1:], 1):
                chosen = self._choose(self.emit(f"icmp eq i64 {index}, {k}"), element, chosen, node.sort)
            return [chosen]
        if op == "store":
            elements, index, stored = self(args[0]), self.scalar(args[1]), self.scalar(args[2])
            return [
                self._choose(self.emit(f"icmp eq i64 {index}, {k}"), stored, element, args[2].sort)
                for k, element in enumerate(elements)
            ]
        if op == "ite":
            condition = self.scalar(args[0])
            pairs = zip(self(args[1]), self(args[2]), strict=True)
            return [self._choose(condition, then, otherwise, node.sort) for then, otherwise in pairs]
        if op == "==":
            kind = _type(args[0].sort)
            pairs = zip(self(args[0]), self(args[1]), strict=True)
            equal = [self.emit(f"icmp eq {kind} {a}, {b}") for a, b in pairs]
            while len(equal) > 1:
                equal = [self.emit(f"and i1 {equal[0]}, {equal[1]}"), *equal[2:]]
            return equal
        operands = [self.scalar(arg) for arg in args]
        if op == "wrap":
            return [self._wrap(operands[0], args[0].sort, node.value)]
        if op == "~":
            return [self.emit(f"xor i1 {operands[0]}, true")]
        if op in ("&", "|"):
            return [self.emit(f"{'and' if op == '&' else 'or'} i1 {operands[0]}, {operands[1]}")]
        if op in _OPERATE:
            return [self.emit(f"{_OPERATE[op]} i64 {operands[0]}, {operands[1]}")]
        return [self.emit(f"icmp {_COMPARE[op]} i64 {operands[0]}, {operands[1]}")]

    def _choose(self, condition: str, then: str, otherwise: str, sort: Sort) -> str:
        kind = _type(sort)
        return self.emit(f"select i1 {condition}, {kind} {then}, {kind} {otherwise}")

    def _wrap(self, operand: str, sort: Sort, size: object) -> str:
        assert isinstance(sort, Range) and isinstance(size, int)
        if sort.low >= -size and sort.high < 2 * size:  # at most one lap either way needs no division
            if sort.low < 0:
                negative = self.emit(f"icmp slt i64 {operand}, 0")
                raised = self.emit(f"add i64 {operand}, {size}")
                operand = self._choose(negative, raised, operand, sort)
            if sort.high >= size:
                beyond = self.emit(f"icmp sge i64 {operand}, {size}")
                lowered = self.emit(f"sub i64 {operand}, {size}")
                operand = self._choose(beyond, lowered, operand, sort)
            return operand
        laps = -(sort.low // size) * size if sort.low < 0 else 0
        raised = self.emit(f"add i64 {operand}, {laps}")
        return self.emit(f"urem i64 {raised}, {size}")

    def code(self, operand: str, place: Field) -> str:
        """The field's code of a value, as an i64."""
        if isinstance(place.sort, Bool):
            return self.emit(f"zext i1 {operand} to i64")
        return self.emit(f"sub i64 {operand}, {low(place.sort)}") if low(place.sort) else operand


def _type(sort: Sort) -> str:
    return "i1" if isinstance(sort.element if isinstance(sort, Array) else sort, Bool) else "i64"


def _scalar(node: Expr) -> Value:
    """The value of a constant."""
    assert node.value is not None and not isinstance(node.value, tuple)
    return node.value


def _constant(node: Expr) -> str:
    if isinstance(node.sort, Enum):
        return str(encode(node.sort, _scalar(node)))
    return str(node.value).lower()  # true, false, or a number


def _words(layout: Layout) -> list[str]:
    lines = []
    for word in range(layout.words):
        lines.append(f"  %p{word} = getelementptr i64, ptr %state, i64 {word}")
        if layout.halved and word == layout.words - 1:
            lines += [f"  %h{word} = load i32, ptr %p{word}, align 4", f"  %w{word} = zext i32 %h{word} to i64"]
        else:
            lines.append(f"  %w{word} = load i64, ptr %p{word}, align 4")
    return lines


def _write_row(writer: Writer, words: Sequence[str], base: str) -> None:
    """Writes the words of a state to `base`."""
    for number, word in enumerate(words):
        pointer = writer.emit(f"getelementptr i64, ptr {base}, i64 {number}")
        if writer.layout.halved and number == len(words) - 1:
            writer.lines.append(f"  store i32 {writer.emit(f'trunc i64 {word} to i32')}, ptr {pointer}, align 4")
        else:
            writer.lines.append(f"  store i64 {word}, ptr {pointer}, align 4")


def _ask(name: str, conditions: Sequence[Expr], layout: Layout) -> str:
    writer, answer = Writer(layout), "0"
    for bit, condition in enumerate(conditions):
        wide = writer.emit(f"zext i1 {writer.scalar(condition)} to i64")
        answer = writer.emit(f"or i64 {answer}, {writer.emit(f'shl i64 {wide}, {bit}')}")
    body = [*_words(layout), *writer.entry, *writer.lines, f"  ret i64 {answer}"]
    return "\n".join([f"define i64 @{name}(ptr %state) {{", *body, "}"])


def _successors(system: System, layout: Layout, ways: int, *, canonical: bool) -> str:
    writer = Writer(layout)
    lines = writer.lines
    lines.append("  br label %try0")
    for index, action in enumerate(system.actions):
        lines.append(f"try{index}:")
        guard = writer.scalar(action.guard)
        lines.append(f"  br i1 {guard}, label %do{index}, label %try{index + 1}")
        dominating = dict(writer.known), dict(writer.made)
        lines.append(f"do{index}:")
        _write_successor(writer, index, list(action.updates.items()))
        lines.append(f"  br label %try{index + 1}")
        writer.known, writer.made = dominating
    lines.append(f"try{len(system.actions)}:")
    lines.append("  %total = load i64, ptr %count")
    lines += _each_canonical(layout, ways) if canonical else ["  ret i64 %total"]
    head = ["entry:", "  %count = alloca i64", "  store i64 0, ptr %count", *_words(layout), *writer.entry]
    return "\n".join(["define i64 @successors(ptr %state, ptr %out, ptr %codes) {", *head, *lines, "}"])


def _write_successor(writer: Writer, index: int, updates: list[tuple[str, Expr]]) -> None:
    number = writer.emit("load i64, ptr %count")
    base = writer.emit(f"getelementptr i8, ptr %out, i64 {writer.emit(f'mul i64 {number}, {writer.layout.bytes}')}")
    words, faults = _after(writer, updates)
    _write_row(writer, words, base)
    code = str(index)
    for fault in faults:
        code = writer.emit(f"select i1 {fault}, i16 {index - FAULT}, i16 {code}")
    pointer = writer.emit(f"getelementptr i16, ptr %codes, i64 {number}")
    writer.lines.append(f"  store i16 {code}, ptr {pointer}")
    following = writer.emit(f"add i64 {number}, 1")
    writer.lines.append(f"  store i64 {following}, ptr %count")


def _each_canonical(layout: Layout, ways: int) -> list[str]:
    """The end of `successors`: makes all %total successors canonical in place, and completes their codes."""
    return [
        "  store i64 0, ptr %count",
        "  br label %next",
        "next:",
        "  %k = load i64, ptr %count",
        "  %more = icmp slt i64 %k, %total",
        "  br i1 %more, label %one, label %done",
        "one:",
        f"  %skip = mul i64 %k, {layout.bytes}",
        "  %row = getelementptr i8, ptr %out, i64 %skip",
        "  %turn = call i64 @canonical(ptr %row, ptr %row)",
        "  %place = getelementptr i16, ptr %codes, i64 %k",
        "  %action = load i16, ptr %place",
        "  %short = trunc i64 %turn to i16",
        f"  %times = mul i16 %action, {ways}",
        "  %code = add i16 %times, %short",
        "  %bad = icmp slt i16 %action, 0",  # FAULT is the sign
        "  %final = select i1 %bad, i16 %action, i16 %code",
        "  store i16 %final, ptr %place",
        "  %k1 = add i64 %k, 1",
        "  store i64 %k1, ptr %count",
        "  br label %next",
        "done:",
        "  ret i64 %total",
    ]


def _canonical(normalise: Mapping[str, Expr], permutations: Sequence[Mapping[str, Expr]], layout: Layout) -> str:
    """The function `canonical`: normalises a state and picks the least of its permutations (the first of equals)."""
    lines = _words(layout)
    writer = Writer(layout, prefix="n")
    normal, _ = _after(writer, normalise.items())
    lines += [*writer.entry, *writer.lines]
    least, turn = normal, "0"
    for number, permutation in enumerate(permutations, 1):
        writer = Writer(layout, normal, prefix=f"t{number}.")
        words, _ = _after(writer, permutation.items())
        lines += [*writer.entry, *writer.lines]
        writer = Writer(layout, prefix=f"c{number}.")
        less = "false"
        for one, other in zip(reversed(words), reversed(least), strict=True):  # the first word counts most
            same = writer.emit(f"icmp eq i64 {one}, {other}")
            less = writer.emit(f"select i1 {same}, i1 {less}, i1 {writer.emit(f'icmp ult i64 {one}, {other}')}")
        least = [
            writer.emit(f"select i1 {less}, i64 {one}, i64 {other}") for one, other in zip(words, least, strict=True)
        ]
        turn = writer.emit(f"select i1 {less}, i64 {number}, i64 {turn}")
        lines += writer.lines
    writer = Writer(layout, prefix="o")
    _write_row(writer, least, "%out")
    return "\n".join(["define i64 @canonical(ptr %state, ptr %out) {", *lines, *writer.lines, f"  ret i64 {turn}", "}"])


def _after(writer: Writer, updates: Iterable[tuple[str, Expr]]) -> tuple[list[str], list[str]]:
    """The words of the state after some updates, and tests of whether a value leaves its sort.

    Fields that move together (the variables of a replica, say) are moved together, and so are cleared those that are
    cleared under the same condition: most of what makes a state canonical is of these two kinds.
    """
    layout = writer.layout
    faults: list[str] = []
    changed = [0] * layout.words
    parts: list[list[str]] = [[] for _ in range(layout.words)]
    constants = [0] * layout.words
    moved: dict[tuple[int, int, int], int] = {}  # from a word to a word, by so many places to the left: which bits
    cleared: dict[tuple[int, str], int] = {}  # of a word, under a condition: which bits
    for name, value in updates:
        places = layout.fields[name]
        if _clears(value, name, places[0]):
            key = places[0].word, writer.scalar(value.args[0])
            cleared[key] = cleared.get(key, 0) | places[0].mask << places[0].shift
            continue
        sources = layout.fields[str(value.value)] if value.op == "var" else ()
        if [source.sort for source in sources] == [place.sort for place in places]:
            for source, place in zip(sources, places, strict=True):
                if source != place:
                    way = source.word, place.word, place.shift - source.shift
                    moved[way] = moved.get(way, 0) | source.mask << source.shift
                    changed[place.word] |= place.mask << place.shift
            continue
        for place, operand in zip(places, writer(value), strict=True):
            changed[place.word] |= place.mask << place.shift
            if value.op == "const" and not isinstance(value.sort, Array):
                faults.extend(strays(writer, place, value.sort, operand))
                constants[place.word] |= (encode(place.sort, _scalar(value)) & place.mask) << place.shift
                continue
            faults.extend(strays(writer, place, value.sort, operand))
            parts[place.word].append(writer.emit(f"shl i64 {writer.code(operand, place)}, {place.shift}"))
    for (source_word, word, left), bits in moved.items():
        taken = writer.emit(f"and i64 {writer.words[source_word]}, {bits}")
        if left:
            taken = writer.emit(f"{'shl' if left > 0 else 'lshr'} i64 {taken}, {abs(left)}")
        parts[word].append(taken)
    words = []
    for word, result in enumerate(writer.words):
        masks = [
            writer.emit(f"select i1 {condition}, i64 {~bits}, i64 -1")
            for (of, condition), bits in cleared.items()
            if of == word
        ]
        if changed[word]:
            masks.append(str(~changed[word]))
        for mask in masks:
            result = writer.emit(f"and i64 {result}, {mask}")
        for part in parts[word]:
            result = writer.emit(f"or i64 {result}, {part}")
        if constants[word]:
            result = writer.emit(f"or i64 {result}, {constants[word]}")
        words.append(result)
    return words, faults


def _clears(value: Expr, name: str, place: Field) -> bool:
    """Whether the next value of a variable has the code 0 under a condition, and is unchanged otherwise."""
    if value.op != "ite" or isinstance(value.sort, Array) or value.args[1].op != "const" or value.args[2].op != "var":
        return False
    return value.args[2].value == name and encode(place.sort, _scalar(value.args[1])) == 0


def strays(writer: Writer, place: Field, sort: Sort, operand: str) -> list[str]:
    """The operands of tests whether a value leaves its variable's range. None are needed if its sort rules that out."""
    sort = sort.element if isinstance(sort, Array) else sort
    if not isinstance(place.sort, Range) or not isinstance(sort, Range):
        assert not isinstance(place.sort, Ring) or not isinstance(sort, Range)
        return []
    tests = []
    if sort.low < place.sort.low:
        tests.append(writer.emit(f"icmp slt i64 {operand}, {place.sort.low}"))
    if sort.high > place.sort.high:
        tests.append(writer.emit(f"icmp sgt i64 {operand}, {place.sort.high}"))
    return tests


def compile_text(source: str) -> Any:
    """Compiles LLVM text. The addresses of its functions are valid as long as the returned engine is kept.

    LLVM does not optimise here, which takes a tenth of the time. Optimised code was no faster, in searches and in
    simulations: `Writer.emit` already shares common values, and most of the time is spent waiting for memory.
    """
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(source), target(0))
    engine.finalize_object()
    return engine
