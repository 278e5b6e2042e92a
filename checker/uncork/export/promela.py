"""Promela, for SPIN: every step is a guarded `d_step`, and the property is an assertion or a never claim.

Without a claim, SPIN's states correspond one to one to the system's states, since no process has a local variable or a
second control state. SPIN's weak fairness is about processes, so every fair step becomes a process.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from uncork.core.expr import Expr, conjuncts, variables
from uncork.core.property import Always, NotForever, Property
from uncork.core.sorts import Array, Bool, Enum, Range, Ring, Scalar, Sort, Value
from uncork.core.system import Action, Fairness, System, Variable
from uncork.export import Inexpressible

_KEYWORDS = """
active assert atomic bit bool break byte chan d_step do else empty enabled end eval false fi for full goto hidden if in
init inline int len local ltl mtype nempty never nfull od of pid printf printm priority proctype provided run select
short show skip timeout trace true typedef unless unsigned xr xs
"""
_RESERVED = frozenset(_KEYWORDS.split())
_BINDS = {"|": 1, "&": 2, "==": 3, "<": 4, "<=": 4, "+": 5, "-": 5}
_SPELT = {"|": "||", "&": "&&"}
_MODULO, _TIGHT = 6, 7
_WIDTH = 110
_MOST_NAMES, _MOST_PROCESSES = 255, 254


def program(system: System, prop: Property | None = None) -> tuple[str, list[str]]:
    """The Promela text of a system and a property, and notes on what was left out or weakened.

    Without a property, the text is for exploring the states. Raises `Inexpressible`.
    """
    return _Program(system, prop).text()


@dataclass(frozen=True)
class _Assignment:
    """The assignment of `value` to a variable or its element at `index`; `reads` are the variables that both read."""

    variable: str
    index: str
    value: str
    reads: frozenset[str]

    @property
    def target(self) -> str:
        return f"{self.variable}[{self.index}]" if self.index else self.variable


class _Program:
    def __init__(self, system: System, prop: Property | None) -> None:
        self.system, self.prop = system, prop
        self.sorts = {v.name: v.sort for v in system.variables}
        self.used: set[str] = set()
        elements = [_element_sort(v.sort) for v in system.variables]
        words = dict.fromkeys(name for sort in elements if isinstance(sort, Enum) for name in sort.names)
        if len(words) > _MOST_NAMES:
            raise Inexpressible(f"SPIN knows at most {_MOST_NAMES} names in all enumerations, not {len(words)}")
        self.vars = {v.name: self._name(v.name) for v in system.variables}
        self.words = {word: self._name(word) for word in words}
        self.lasting = prop if isinstance(prop, NotForever) else None
        self.ender = self._name("ended") if self.lasting and self.lasting.without else ""
        self.saved: list[str] = []

    def _name(self, words: str) -> str:
        """An unused identifier made from `words`."""
        base = re.sub(r"[^A-Za-z0-9]+", "_", words).strip("_")
        if not base[:1].isalpha():
            base = f"v{base}"
        name, number = f"{base}_" if base in _RESERVED else base, 1
        while name in self.used:
            name, number = f"{base}_{number}", number + 1
        self.used.add(name)
        return name

    # -- the text --------------------------------------------------------------------------------------------------
    def text(self) -> tuple[str, list[str]]:
        processes = list(self._processes())
        if len(processes) > _MOST_PROCESSES:
            raise Inexpressible(f"SPIN knows at most {_MOST_PROCESSES} processes, not {len(processes)}")
        notes = self._notes()
        head = [self.system.name, *([f"{self.prop.name}: {self.prop.doc}"] if self.prop else []), *notes]
        parts = [
            "/*\n" + "".join(f" * {_comment(line)}\n" for line in [*head, self._how(len(processes))]) + " */",
            *([f"mtype = {{ {', '.join(self.words.values())} }};"] if self.words else []),
            "\n".join(self._declarations()),
            *processes,
            *self._claim(),
        ]
        return "\n\n".join(parts) + "\n", notes

    def _notes(self) -> list[str]:
        if self.prop is None:
            return ["No property and no fairness is stated: this is for exploring. Values are asserted to be in range."]
        strong = [d for d, actions in self.system.duties.items() if actions[0].fairness is Fairness.STRONG]
        if not self.lasting or not strong:
            return []
        return [
            f"SPIN has no strong fairness: {len(strong)} steps that are owed it get weak fairness. "
            "No error is a proof; an error may be a run that strong fairness rules out."
        ]

    def _how(self, processes: int) -> str:
        # Without -o2, SPIN leaves write-only variables out of its states, and so counts fewer states.
        if not self.lasting:
            return "Run: spin -o2 -a FILE && gcc -O2 -DSAFETY -DNOREDUCE -o pan pan.c && ./pan -m1000000"
        # With -DNFAIR=n, pan can count about 4 n processes, its claim included.
        enough = max(2, (processes + 2) // 4 + 1)
        return f"Run: spin -o2 -a FILE && gcc -O2 -DNOREDUCE -DNFAIR={enough} -o pan pan.c && ./pan -a -f -m1000000"

    def _declarations(self) -> Iterator[str]:
        for v in self.system.variables:
            size = f"[{v.sort.size}]" if isinstance(v.sort, Array) else ""
            declared = f"{_type(v)} {self.vars[v.name]}{size} = {self._initial(v.initial)};"
            yield f"{declared}  /* {_comment(v.doc)} */"
        if self.ender:
            yield f"bool {self.ender} = false;  /* the last step was one that ends what must not last */"
        for saved in self.saved:
            yield f"hidden int {saved};  /* an old value, inside a step */"

    def _initial(self, value: Value) -> str:
        if isinstance(value, tuple):
            return f"{{{', '.join(map(self._plain, value))}}}" if len(set(value)) > 1 else self._plain(value[0])
        return self._plain(value)

    def _plain(self, value: Value | None) -> str:
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, str):
            return self.words[value]
        assert isinstance(value, int)
        return str(value) if value >= 0 else f"({value})"

    # -- steps -----------------------------------------------------------------------------------------------------
    def _processes(self) -> Iterator[str]:
        """The processes: one for each actor; for liveness, one for each fair step and one for all other steps."""
        key: Callable[[Action], str] = (lambda a: a.duty) if self.lasting else (lambda a: a.actor)
        groups: dict[str, list[str]] = {}
        for action in self.system.actions:
            if action.fair or not self.lasting:
                groups.setdefault(key(action), []).append(self._step(action))
        for name, steps in groups.items():
            yield self._process(name, steps)
        if self.lasting:
            # A resting step keeps the process enabled, so weak fairness never forces its other steps.
            rest = _step("Nothing happens.", "true", [f"{self.ender} = false" if self.ender else "skip"])
            unfair = [self._step(action) for action in self.system.actions if not action.fair]
            yield self._process("at will", [*unfair, rest])
        if isinstance(self.prop, Always):
            wrong = self._condition(~self.prop.condition)
            yield self._process("monitor", [_step(self.prop.name, wrong, ["assert(false)"])])

    def _process(self, name: str, steps: list[str]) -> str:
        # The end label makes SPIN accept a state in which no step is enabled.
        return f"active proctype {self._name(name)}() {{\nend:\n    do\n{''.join(steps)}    od\n}}"

    def _step(self, action: Action) -> str:
        body = [*self._asserts(action), *self._assignments(action.updates)]
        if self.lasting and self.ender:
            body.append(f"{self.ender} = {self._plain(action.name in self.lasting.without)}")
        return _step(f"{action.name}: {action.doc}", self._condition(action.guard), body)

    def _condition(self, guard: Expr) -> str:
        line = self._expr(guard)
        if len(line) <= _WIDTH:
            return line
        return " &&\n        ".join(self._expr(part, _BINDS["&"]) for part in conjuncts(guard))

    def _asserts(self, action: Action) -> Iterator[str]:
        """Assertions that values stay in range where their sort allows more; narrow types would truncate silently."""
        for name, value in action.updates.items():
            sort = self.sorts[name]
            if isinstance(sort, Array):
                if isinstance(sort.element, Range) and value.sort != sort:
                    raise Inexpressible(f"{action.name}: the elements of {name} may leave their range")
            elif isinstance(sort, Range):
                assert isinstance(value.sort, Range)
                if value.sort.high > sort.high:
                    yield f"assert({self._expr(value, _BINDS['<='])} <= {sort.high})"
                if value.sort.low < sort.low:
                    yield f"assert({self._expr(value, _BINDS['<='])} >= {sort.low})"

    def _assignments(self, updates: Mapping[str, Expr]) -> Iterator[str]:
        """The assignments of a step in an order in which each reads old values: a variable is assigned after its reads.

        If assignments read each other in a cycle, new values are saved first, in hidden variables outside the state.
        """
        waiting = [each for name, value in updates.items() for each in self._next(name, value)]
        last: list[str] = []
        saved = 0

        def save(value: str) -> str:
            nonlocal saved
            if saved == len(self.saved):
                self.saved.append(self._name("saved"))
            saved += 1
            return self.saved[saved - 1]

        while waiting:
            each = next((a for a in waiting if not any(a.variable in b.reads for b in waiting if b is not a)), None)
            if each:
                if each.value != each.target:
                    yield f"{each.target} = {each.value}"
            else:
                each = waiting[0]
                target, name = each.variable, save(each.value)
                yield f"{name} = {each.value}"
                if each.index:
                    index = save(each.index)
                    yield f"{index} = {each.index}"
                    target += f"[{index}]"
                last.append(f"{target} = {name}")
            waiting.remove(each)
        yield from last

    def _next(self, name: str, value: Expr) -> Iterator[_Assignment]:
        """The assignments for a next value: a single one if possible, otherwise one for each element of an array."""
        sort, variable = self.sorts[name], self.vars[name]
        if not isinstance(sort, Array):
            yield _Assignment(variable, "", self._expr(value), self._reads(value))
        elif value.op == "store" and value.args[0].value == name:
            _, index, element = value.args
            yield _Assignment(variable, self._expr(index), self._expr(element), self._reads(index, element))
        else:
            for slot in map(str, range(sort.size)):
                yield _Assignment(variable, slot, self._element(value, slot), self._reads(value))

    def _reads(self, *expressions: Expr) -> frozenset[str]:
        return frozenset(self.vars[str(v.value)] for each in expressions for v in variables(each))

    # -- expressions -----------------------------------------------------------------------------------------------
    def _expr(self, node: Expr, outer: int = 0) -> str:
        op, args = node.op, node.args
        if op == "const":
            return self._plain(node.value)
        if op == "var":
            return self.vars[str(node.value)]
        if op == "ite":
            return f"({self._expr(args[0], 1)} -> {self._expr(args[1], 1)} : {self._expr(args[2], 1)})"
        if op == "select":
            return self._element(args[0], self._expr(args[1]))
        if op == "wrap":
            return self._wrapped(node, outer)
        if op == "~" and args[0].op != "==":
            return f"!{self._expr(args[0], _TIGHT)}"
        spelt = "!=" if op == "~" else _SPELT.get(op, op)
        left, right = args[0].args if op == "~" else args
        if isinstance(left.sort, Array):
            slots = map(str, range(left.sort.size))
            same = " && ".join(f"{self._element(left, slot)} == {self._element(right, slot)}" for slot in slots)
            return f"!({same})" if op == "~" else f"({same})"
        binds = _BINDS["==" if op == "~" else op]
        operands = max(binds, _BINDS["+"]) if binds >= _BINDS["=="] else binds
        inner = f"{self._expr(left, operands)} {spelt} {self._expr(right, operands + (op == '-'))}"
        return f"({inner})" if outer > binds else inner

    def _wrapped(self, node: Expr, outer: int) -> str:
        """A `wrap`. Laps are added to a negative argument, since C's % of a negative number is negative."""
        size, inner = node.value, node.args[0]
        assert isinstance(size, int) and isinstance(inner.sort, Range)
        if inner.sort.low >= 0 and inner.sort.high < size:
            return self._expr(inner, outer)
        laps = -(inner.sort.low // size) * size
        distance = self._expr(inner, _BINDS["+"]) + (f" + {laps}" if laps > 0 else "")
        return f"({distance}) % {size}" if outer <= _MODULO else f"(({distance}) % {size})"

    def _element(self, array: Expr, slot: str) -> str:
        if array.op == "var":
            return f"{self.vars[str(array.value)]}[{slot}]"
        if array.op == "store":
            inner, index, element = array.args
            return f"({self._expr(index)} == {slot} -> {self._expr(element, 1)} : {self._element(inner, slot)})"
        if array.op == "array":
            *others, last = (self._expr(arg, 1) for arg in array.args)
            return "".join(f"({slot} == {k} -> {each} : " for k, each in enumerate(others)) + last + ")" * len(others)
        assert array.op == "ite", array.op
        condition, then, otherwise = array.args
        return f"({self._expr(condition, 1)} -> {self._element(then, slot)} : {self._element(otherwise, slot)})"

    # -- the property ----------------------------------------------------------------------------------------------
    def _claim(self) -> Iterator[str]:
        """The never claim: from some point on, the condition holds for ever and no step in `without` is taken."""
        if self.lasting:
            stays = self._expr(self.lasting.condition, _BINDS["&"]) + (f" && !{self.ender}" if self.ender else "")
            yield (
                f"never {self._name(self.lasting.name)} {{\n    do\n    :: true\n    :: {stays} -> break\n    od;\n"
                f"accept:\n    do\n    :: {stays}\n    od\n}}"
            )


def _type(variable: Variable) -> str:
    sort = _element_sort(variable.sort)
    match sort:
        case Bool():
            return "bool"
        case Enum():
            return "mtype"
        case Ring(size):
            low, high = 0, size - 1
        case Range(low, high):
            pass
    for name, least, most in (("byte", 0, 2**8), ("short", -(2**15), 2**15), ("int", -(2**31), 2**31)):
        if least <= low and high < most:
            return name
    raise Inexpressible(f"SPIN's numbers have 32 bits, and {variable.name} is {sort}")


def _element_sort(sort: Sort) -> Scalar:
    return sort.element if isinstance(sort, Array) else sort


def _step(doc: str, guard: str, body: list[str]) -> str:
    lines = ";\n".join(f"        {line}" for line in body or ["skip"])
    return f"    /* {_comment(doc)} */\n    :: d_step {{\n        {guard} ->\n{lines}\n       }}\n"


def _comment(words: str) -> str:
    return words.replace("*/", "* /").replace("/*", "/ *")
