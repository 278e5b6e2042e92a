"""From expressions to machine code: a system's successor function, and its predicates, through LLVM.

The text of the code is made anew for each system and compiled in memory, so there is no cache that could go stale; a
system of some thirty actions takes a few hundredths of a second. The search itself (`kernel`) is the same for all
systems and calls this code through its address.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import llvmlite.binding as llvm

from uncork.core.expr import Expr
from uncork.core.sorts import Array, Bool, Enum, Range, Ring, Sort
from uncork.core.system import System
from uncork.engines import Stop
from uncork.engines.explicit.layout import Field, Layout, encode, low

FAULT = 1 << 15
"""Set in a successor's label when the action takes a variable out of its sort; there is then no successor."""

_MOST, _LONGEST = 100_000, 2**24
"""Elements of arrays that all actions write, and characters of code, that are compiled in a minute or two."""
_LARGE = "its code is too large for the explicit engine: uncork measure and prove take such sizes"

_COMPARE = {"<": "slt", "<=": "sle"}
_OPERATE = {"+": "add", "-": "sub"}


class Native:
    """The machine code of a system: addresses of functions that the kernel calls.

    `successors` is `i64 f(const u64 *state, u64 *out, u16 *labels)`: writes each successor and the index of its action,
    in the order of the actions, and returns how many. `predicates[k]` is `i64 f(const u64 *state)`, 0 or 1.
    `transforms[k]` is `i64 f(const u64 *state, u64 *out)`: writes the state with next-state values of its own.
    """

    def __init__(
        self, system: System, predicates: Sequence[Expr], transforms: Sequence[Mapping[str, Expr]] = ()
    ) -> None:
        self.layout = Layout(system)
        elements = sum(v.sort.size for v in system.variables if isinstance(v.sort, Array))
        if len(system.actions) >= FAULT or elements * len(system.actions) > _MOST:
            raise Stop(_LARGE)
        source = "\n".join(
            [
                _successors(system, self.layout),
                *(_predicate(f"holds{k}", p, self.layout) for k, p in enumerate(predicates)),
                *(_transform(f"transform{k}", t, self.layout) for k, t in enumerate(transforms)),
            ]
        )
        if len(source) > _LONGEST:
            raise Stop(_LARGE)
        self._engine = compile_text(source)
        self.successors: int = self._engine.get_function_address("successors")
        self.predicates: list[int] = [self._engine.get_function_address(f"holds{k}") for k in range(len(predicates))]
        self.transforms: list[int] = [
            self._engine.get_function_address(f"transform{k}") for k in range(len(transforms))
        ]


class Writer:
    """Writes instructions of one function; values computed in a block that dominates the present one are reused."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.entry: list[str] = []
        self.lines: list[str] = []
        self.seen: dict[int, list[str]] = {}
        self.loaded: dict[Field, str] = {}
        self._kept: list[Expr] = []  # nodes in `seen` must outlive it: it goes by identity
        self._count = 0

    def name(self) -> str:
        """A new name for a value."""
        self._count += 1
        return f"%v{self._count}"

    def emit(self, instruction: str) -> str:
        """Writes an instruction; gives the name of its value."""
        result = self.name()
        self.lines.append(f"  {result} = {instruction}")
        return result

    def load(self, place: Field) -> str:
        """The code in a field as an i64 (an i1 for a Bool), extracted once, at the start of the function."""
        if place not in self.loaded:
            shifted, masked = self.name(), self.name()
            self.entry.append(f"  {shifted} = lshr i64 %w{place.word}, {place.shift}")
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
        """The operand of an expression that is no array."""
        return self.value(node)[0]

    def value(self, node: Expr) -> list[str]:
        """The operand that holds a scalar, or those of an array's elements."""
        known = self.seen.get(id(node))
        if known is None:
            known = self.seen[id(node)] = self._compute(node)
            self._kept.append(node)
        return known

    def _compute(self, node: Expr) -> list[str]:
        op, args = node.op, node.args
        if op == "const":
            return [_constant(node)]
        if op == "var":
            return [self.load(place) for place in self.layout.fields[str(node.value)]]
        if op == "array":
            return [self.scalar(arg) for arg in args]
        if op == "select":
            elements, index = self.value(args[0]), self.scalar(args[1])
            chosen = elements[0]
            for k, element in enumerate(elements[1:], 1):
                chosen = self._choose(self.emit(f"icmp eq i64 {index}, {k}"), element, chosen, node.sort)
            return [chosen]
        if op == "store":
            elements, index, stored = self.value(args[0]), self.scalar(args[1]), self.scalar(args[2])
            return [
                self._choose(self.emit(f"icmp eq i64 {index}, {k}"), stored, element, args[2].sort)
                for k, element in enumerate(elements)
            ]
        if op == "ite":
            condition = self.scalar(args[0])
            pairs = zip(self.value(args[1]), self.value(args[2]), strict=True)
            return [self._choose(condition, then, otherwise, node.sort) for then, otherwise in pairs]
        if op == "==":
            kind = _type(args[0].sort)
            pairs = zip(self.value(args[0]), self.value(args[1]), strict=True)
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
        if sort.low >= -size and sort.high < 2 * size:  # once around at most: no division
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


def _constant(node: Expr) -> str:
    if isinstance(node.sort, Enum):
        assert node.value is not None
        return str(encode(node.sort, node.value))
    return str(node.value).lower()  # true, false, or a number


def _words(layout: Layout) -> list[str]:
    lines = []
    for word in range(layout.words):
        lines.append(f"  %p{word} = getelementptr i64, ptr %state, i64 {word}")
        lines.append(f"  %w{word} = load i64, ptr %p{word}")
    return lines


def _predicate(name: str, condition: Expr, layout: Layout) -> str:
    writer = Writer(layout)
    result = writer.emit(f"zext i1 {writer.scalar(condition)} to i64")
    body = [*_words(layout), *writer.entry, *writer.lines, f"  ret i64 {result}"]
    return "\n".join([f"define i64 @{name}(ptr %state) {{", *body, "}"])


def _successors(system: System, layout: Layout) -> str:
    writer = Writer(layout)
    lines = writer.lines
    lines.append("  br label %try0")
    for index, action in enumerate(system.actions):
        lines.append(f"try{index}:")
        guard = writer.scalar(action.guard)
        lines.append(f"  br i1 {guard}, label %do{index}, label %try{index + 1}")
        dominating = dict(writer.seen)
        lines.append(f"do{index}:")
        _write_successor(writer, index, list(action.updates.items()))
        lines.append(f"  br label %try{index + 1}")
        writer.seen = dominating
    lines.append(f"try{len(system.actions)}:")
    lines.append("  %total = load i64, ptr %count")
    lines.append("  ret i64 %total")
    head = ["  %count = alloca i64", "  store i64 0, ptr %count", *_words(layout), *writer.entry]
    return "\n".join(["define i64 @successors(ptr %state, ptr %out, ptr %labels) {", *head, *lines, "}"])


def _write_successor(writer: Writer, index: int, updates: list[tuple[str, Expr]]) -> None:
    number = writer.emit("load i64, ptr %count")
    base = writer.emit(f"mul i64 {number}, {writer.layout.words}")
    faults = _write_state(writer, updates, base)
    label = str(index)
    for fault in faults:
        label = writer.emit(f"select i1 {fault}, i16 {index - FAULT}, i16 {label}")
    pointer = writer.emit(f"getelementptr i16, ptr %labels, i64 {number}")
    writer.lines.append(f"  store i16 {label}, ptr {pointer}")
    following = writer.emit(f"add i64 {number}, 1")
    writer.lines.append(f"  store i64 {following}, ptr %count")


def _write_state(writer: Writer, updates: Iterable[tuple[str, Expr]], base: str) -> list[str]:
    """Writes the state after some updates to `out[base]` and on; gives tests of whether a value leaves its sort."""
    layout = writer.layout
    faults: list[str] = []
    changed: dict[int, tuple[int, list[str]]] = {}  # word -> (mask of changed bits, codes in place)
    for name, value in updates:
        for place, operand in zip(layout.fields[name], writer.value(value), strict=True):
            faults.extend(strays(writer, place, value.sort, operand))
            code = writer.code(operand, place)
            shifted = writer.emit(f"shl i64 {code}, {place.shift}")
            mask, codes = changed.get(place.word, (0, []))
            changed[place.word] = (mask | place.mask << place.shift, [*codes, shifted])
    for word in range(layout.words):
        result = f"%w{word}"
        if word in changed:
            mask, codes = changed[word]
            result = writer.emit(f"and i64 {result}, {~mask}")
            for code in codes:
                result = writer.emit(f"or i64 {result}, {code}")
        offset = writer.emit(f"add i64 {base}, {word}")
        pointer = writer.emit(f"getelementptr i64, ptr %out, i64 {offset}")
        writer.lines.append(f"  store i64 {result}, ptr {pointer}")
    return faults


def _transform(name: str, updates: Mapping[str, Expr], layout: Layout) -> str:
    writer = Writer(layout)
    _write_state(writer, updates.items(), "0")
    body = [*_words(layout), *writer.entry, *writer.lines, "  ret i64 0"]
    return "\n".join([f"define i64 @{name}(ptr %state, ptr %out) {{", *body, "}"])


def strays(writer: Writer, place: Field, sort: Sort, operand: str) -> list[str]:
    """Tests of whether a value leaves its variable's range; none where its own range rules that out."""
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


_READY = False


def compile_text(source: str) -> Any:
    """The compiled module of some LLVM text; addresses of its functions are good for as long as it is kept."""
    global _READY
    if not _READY:
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        _READY = True
    module = llvm.parse_assembly(source)
    module.verify()
    machine = llvm.Target.from_default_triple().create_target_machine(opt=1)
    options = llvm.create_pipeline_tuning_options(speed_level=1)
    passes = llvm.create_pass_builder(machine, options)
    passes.getModulePassManager().run(module, passes)
    engine = llvm.create_mcjit_compiler(module, machine)
    engine.finalize_object()
    return engine
