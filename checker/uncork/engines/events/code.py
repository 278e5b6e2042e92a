"""The machine code of a timed system: a state is a vector of words, one for each variable or array element.

Expressions are translated as for the explicit engine, except that arrays stay in memory. A `select` reads one element
and a `store` writes one, so their cost does not depend on the length of the array.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from uncork.core.expr import Expr, all_of, any_of
from uncork.core.questions.timed import Arrivals, Time, Timed
from uncork.core.sorts import Array, Bool, SlipError
from uncork.core.system import Action
from uncork.engines.explicit.layout import Field, Layout, low
from uncork.engines.explicit.native import Writer, compile_text, strays


@dataclass(frozen=True)
class Clock:
    """A clock for one duty in one of its cases. It runs while `enabled` holds.

    `outcomes` are the indices of the duty's actions. One of the enabled actions is taken when the clock runs out.
    """

    outcomes: tuple[int, ...]
    enabled: Expr
    time: Time
    arrivals: Arrivals | None


def clocks(timed: Timed) -> list[Clock]:
    """The clocks of a timed system, in the order of its duties."""
    index = {action.name: k for k, action in enumerate(timed.system.actions)}
    found = []
    for duty, actions in timed.system.duties.items():
        before: list[Expr] = []
        for case in timed.times.get(duty, ()):
            enabled = any_of(a.guard for a in actions) & case.condition & all_of(~each for each in before)
            before.append(case.condition)
            if not (enabled.op == "const" and enabled.value is False):
                found.append(Clock(tuple(index[a.name] for a in actions), enabled, case.time, timed.arrivals.get(duty)))
    return found


class Code:
    """Addresses of the compiled functions of a timed system.

    `look` is `i64 f(const u64 *state, i64 *seen)`. It writes to `seen`, in this order: bit masks of the running clocks
    (64 to a word), bit masks of the enabled actions, the values of the averages, and for each span whether it opens.
    `steps[k]` is `i64 f(u64 *state)`. It takes action k and returns 0; or it returns 1 and changes nothing, if a
    variable would leave its range.
    """

    def __init__(self, timed: Timed, waiting: Sequence[Clock]) -> None:
        self.layout = Layout(timed.system, apart=True)
        actions = timed.system.actions
        masks = [[clock.enabled for clock in waiting], [action.guard for action in actions]]
        numbers = [*timed.averages.values(), *(span.opens for span in timed.spans)]
        written = (_step(f"step{k}", action, self.layout) for k, action in enumerate(actions))
        source = [_look(self.layout, masks, numbers), *written]
        self._engine = compile_text("\n".join(source))
        self.look: int = self._engine.get_function_address("look")
        self.steps: list[int] = [self._engine.get_function_address(f"step{k}") for k in range(len(actions))]


class _Vector(Writer):
    """Writes instructions over a state vector. Arrays are read in place, so every read must precede every write."""

    def _compute(self, node: Expr) -> list[str]:
        if node.op == "select":
            return [self._element(node.args[0], node.args[1])]
        if isinstance(node.sort, Array) or (node.op == "==" and isinstance(node.args[0].sort, Array)):
            raise SlipError("a whole array cannot be compared or computed with where time is simulated")
        return super()._compute(node)

    def _element(self, array: Expr, position: Expr) -> str:
        if array.op == "store":
            rest = self._element(array.args[0], position)
            here = self.emit(f"icmp eq i64 {self.scalar(array.args[1])}, {self.scalar(position)}")
            return self._choose(here, self.scalar(array.args[2]), rest, array.args[2].sort)
        if array.op == "ite":
            then, otherwise = self._element(array.args[1], position), self._element(array.args[2], position)
            return self._choose(self.scalar(array.args[0]), then, otherwise, _element_of(array))
        assert array.op == "var", array.op
        code = self.emit(f"load i64, ptr {self.at(array, self.scalar(position))}")
        sort = _element_of(array)
        if isinstance(sort, Bool):
            return self.emit(f"trunc i64 {code} to i1")
        return self.emit(f"add i64 {code}, {low(sort)}") if low(sort) else code

    def at(self, array: Expr, index: str) -> str:
        """A pointer to an element of an array variable."""
        offset = self.emit(f"add i64 {index}, {self.layout.fields[str(array.value)][0].word}")
        return self.emit(f"getelementptr i64, ptr %state, i64 {offset}")

    def stores(self, array: Expr) -> list[tuple[Expr, str, str]]:
        """The elements that an array's next value replaces, in the order of the stores: (variable, index, code)."""
        if array.op == "var":
            return []
        if array.op != "store":
            raise SlipError("an array's next value can only be itself with elements replaced, where time is simulated")
        before = self.stores(array.args[0])
        root = array
        while root.op == "store":
            root = root.args[0]
        place = self.layout.fields[str(root.value)][0]
        return [*before, (root, self.scalar(array.args[1]), self.code(self.scalar(array.args[2]), place))]

    def function(self, head: str, result: str) -> str:
        """The text of a function whose instructions have been written."""
        words = sorted({place.word for place in self.loaded})
        loads = [
            line
            for word in words
            for line in (
                f"  %p{word} = getelementptr i64, ptr %state, i64 {word}",
                f"  %w{word} = load i64, ptr %p{word}",
            )
        ]
        return "\n".join([f"define i64 {head} {{", *loads, *self.entry, *self.lines, result, "}"])


def _element_of(array: Expr) -> Bool:
    assert isinstance(array.sort, Array)
    return array.sort.element  # type: ignore[return-value]


def _look(layout: Layout, masks: Iterable[Sequence[Expr]], numbers: Iterable[Expr]) -> str:
    writer, place = _Vector(layout), 0
    for conditions in masks:
        for first in range(0, len(conditions), 64):
            word = "0"
            for bit, condition in enumerate(conditions[first : first + 64]):
                wide = writer.emit(f"zext i1 {writer.scalar(condition)} to i64")
                word = writer.emit(f"or i64 {word}, {writer.emit(f'shl i64 {wide}, {bit}')}")
            place = _put(writer, place, word)
    for number in numbers:
        operand = writer.scalar(number)
        place = _put(
            writer, place, writer.emit(f"zext i1 {operand} to i64") if isinstance(number.sort, Bool) else operand
        )
    return writer.function("@look(ptr %state, ptr %seen)", "  ret i64 0")


def _put(writer: Writer, place: int, operand: str) -> int:
    pointer = writer.emit(f"getelementptr i64, ptr %seen, i64 {place}")
    writer.lines.append(f"  store i64 {operand}, ptr {pointer}")
    return place + 1


def _step(name: str, action: Action, layout: Layout) -> str:
    writer, faults = _Vector(layout), list[str]()
    stored: list[tuple[Field, str]] = []
    elements: list[tuple[Expr, str, str]] = []
    for variable, value in action.updates.items():
        place = layout.fields[variable][0]
        if isinstance(value.sort, Array):
            elements += writer.stores(value)
            continue
        operand = writer.scalar(value)
        faults += strays(writer, place, value.sort, operand)
        stored.append((place, writer.code(operand, place)))
    lines = writer.lines
    if faults:
        fault = faults[0]
        for each in faults[1:]:
            fault = writer.emit(f"or i1 {fault}, {each}")
        lines += [f"  br i1 {fault}, label %stray, label %well", "stray:", "  ret i64 1", "well:"]
    for place, code in stored:
        pointer = writer.emit(f"getelementptr i64, ptr %state, i64 {place.word}")
        lines.append(f"  store i64 {code}, ptr {pointer}")
    for array, index, code in elements:
        lines.append(f"  store i64 {code}, ptr {writer.at(array, index)}")
    return writer.function(f"@{name}(ptr %state)", "  ret i64 0")
