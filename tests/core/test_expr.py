"""The language: what expressions mean, that every reading of them agrees, what they refuse, and how they read."""

from __future__ import annotations

import ctypes
import dataclasses
import itertools
import math
import random
import re
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

import pytest
import z3
from budgets import examples
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from toys import act
from uncork.core.evaluate import State, evaluate
from uncork.core.expr import (
    Expr,
    all_of,
    any_of,
    boolean,
    count,
    ite,
    lift,
    maximum,
    minimum,
    number,
    text,
    total,
    variables,
)  # fmt: skip
from uncork.core.sorts import Array, Bool, Enum, Nat, Range, Ring, SlipError, Sort, Value, contains
from uncork.core.system import Guarded, Record, System, Variable, say, step, var, when
from uncork.engines.explicit.native import FAULT, Native
from uncork.engines.python import predicate, successors
from uncork.engines.symbolic.encode import Reading, atoms, declare, fit, literal, plain

COLOURS = Enum(("red", "green", "blue"))


def record(size: int = 3) -> Record:
    """Two variables of every sort, the positions on rings of `size`."""
    return Record(
        "r",
        a=var(Range(-3, 4), "a number"),
        b=var(Nat(6), "a number"),
        p=var(Bool(), "a truth"),
        q=var(Bool(), "a truth"),
        c=var(COLOURS, "a name"),
        d=var(COLOURS, "a name"),
        i=var(Ring(size), "a position"),
        j=var(Ring(size), "a position"),
        xs=var(Array(size, Range(-1, 1)), "numbers"),
        ys=var(Array(size, Range(-1, 1)), "numbers"),
        cs=var(Array(size, COLOURS), "names"),
        ps=var(Array(size, Bool()), "truths"),
    )


def inputs(r: Record, expression: Expr) -> list[Variable]:
    """The variables of the record that an expression reads."""
    read = {v.value for v in variables(expression)}
    return [v for v in r.variables if v.name in read]


def states(over: list[Variable], at_most: int) -> list[dict[str, Value]]:
    """Every state of some variables; or a sample, if there are more than so many."""
    domains = [list(v.sort.values()) for v in over]
    if math.prod(map(len, domains)) <= at_most:
        chosen: Iterable[Iterable[Value]] = itertools.product(*domains)
    else:
        pick = random.Random(len(over))
        chosen = ([pick.choice(domain) for domain in domains] for _ in range(at_most))
    return [dict(zip([v.name for v in over], values, strict=True)) for values in chosen]


class Compiled:
    """An expression as a variable's next value: interpreted, in machine code, as Python source and as a term of Z3."""

    def __init__(self, r: Record, expression: Expr, sort: Sort | None = None) -> None:
        out = Record("out", value=var(sort or expression.sort, "the result"))
        self.inputs = inputs(r, expression)
        self.update = act("set", when(boolean(True), out(value=expression)))
        self.system = System("one update", (*self.inputs, *out.variables), (self.update,))
        self.native = Native(self.system, [expression] if expression.sort == Bool() else [])
        self.python = successors(self.system)
        self.predicate = predicate(self.system, expression) if expression.sort == Bool() else None
        self.constants = {v.name: declare(v.name, v.sort) for v in self.inputs}
        self.term, tests = fit(Reading(self.constants)(expression), expression.sort, sort or expression.sort)
        self.fits = z3.And(*tests)

    def states(self, at_most: int) -> list[State]:
        return [{**self.system.initial, **state} for state in states(self.inputs, at_most)]

    def interpreted(self, state: State) -> State | None:
        """The next state; None if the value is outside the sort."""
        after = self.system.after(state, self.update)
        return None if self.system.strays(after) else after

    def native_code(self, state: State) -> State | None:
        layout = self.native.layout
        before, after = ((ctypes.c_uint64 * layout.words)(*words) for words in (layout.pack(state), [0] * layout.words))
        labels = (ctypes.c_uint16 * 1)()
        call = ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_void_p] * 3)
        assert call(self.native.successors)(before, after, labels) == 1
        assert labels[0] in (0, FAULT)
        if self.native.asks:
            ask = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p)(self.native.asks[0])
            assert bool(ask(before)) is evaluate(self.update.updates["out.value"], state)
        return None if labels[0] else layout.unpack(list(after))

    def python_source(self, state: State) -> State | None:
        before = tuple(state.values())
        ((action, after),) = self.python(before)
        assert action == 0
        if self.predicate:
            assert self.predicate(before) is evaluate(self.update.updates["out.value"], state)
        return after and dict(zip(state, after, strict=True))

    def solved(self, state: State) -> State | None:
        """As Z3 has it: each constant replaced by its value in the state."""
        known = [
            (constant, value)
            for v in self.inputs
            for constant, value in zip(
                *(atoms(of) for of in (self.constants[v.name], literal(state[v.name], v.sort))), strict=True
            )
        ]
        found = [z3.simplify(z3.substitute(term, *known)) for term in (*atoms(self.term), self.fits)]
        if z3.is_false(found.pop()):
            return None
        (out,) = (v for v in self.system.variables if v not in self.inputs)
        return {**state, out.name: plain(tuple(found) if isinstance(out.sort, Array) else found[0], out.sort)}


def check_agreement(compiled: Compiled, states: list[State]) -> None:
    for state in states:
        expected = compiled.interpreted(state)
        assert compiled.native_code(state) == expected, state
        assert compiled.python_source(state) == expected, state
        assert compiled.solved(state) == expected, state


# -- what each operator means ------------------------------------------------------------------------------------------
def element(v: SimpleNamespace, name: str, place: int, value: object) -> tuple[object, ...]:
    """An array with one element replaced, done by hand."""
    return tuple(value if k == place else old for k, old in enumerate(getattr(v, name)))


SAME: list[Callable[[Any], Any]] = [  # each is read twice: by the language, and by Python on plain values
    lambda r: r.a + r.b,
    lambda r: r.a - r.b,
    lambda r: 2 - r.a,
    lambda r: r.a + 0,
    lambda r: 5 + r.b,
    lambda r: r.a < r.b,
    lambda r: r.a <= r.b,
    lambda r: r.a > r.b,
    lambda r: r.a >= 2,
    lambda r: r.a == r.b,
    lambda r: r.a != r.b,
    lambda r: r.b == 99,
    lambda r: r.p & r.q,
    lambda r: r.p | r.q,
    lambda r: r.p == r.q,
    lambda r: r.c == r.d,
    lambda r: r.c != "green",
    lambda r: r.i == r.j,
    lambda r: r.i != 1,
    lambda r: r.xs[r.i],
    lambda r: r.cs[r.i],
    lambda r: r.ps[r.i],
    lambda r: r.xs == r.ys,
    lambda r: r.xs[r.i] == r.ys[r.j],
]
MEANT: list[tuple[Callable[[Any], Expr], Callable[[Any, int], object]]] = [
    (lambda r: ~r.p, lambda v, n: not v.p),
    (lambda r: r.p & True, lambda v, n: v.p),
    (lambda r: True | r.p, lambda v, n: True),
    (lambda r: ite(r.p, r.a, r.b), lambda v, n: v.a if v.p else v.b),
    (lambda r: ite(r.p, r.c, "blue"), lambda v, n: v.c if v.p else "blue"),
    (lambda r: ite(r.p, 1, r.i), lambda v, n: 1 if v.p else v.i),
    (lambda r: ite(r.p, r.xs, r.ys), lambda v, n: v.xs if v.p else v.ys),
    (lambda r: ite(r.p, -7, 7), lambda v, n: -7 if v.p else 7),
    (lambda r: minimum(r.a, r.b), lambda v, n: min(v.a, v.b)),
    (lambda r: maximum(2, r.b), lambda v, n: max(2, v.b)),
    (lambda r: count([r.p, r.q, r.p]), lambda v, n: 2 * v.p + v.q),
    (lambda r: total([number(0), r.a, r.b]), lambda v, n: v.a + v.b),
    (lambda r: all_of([r.p, r.q]), lambda v, n: v.p and v.q),
    (lambda r: any_of([r.p, r.q]), lambda v, n: v.p or v.q),
    (lambda r: r.c.among("red", "blue"), lambda v, n: v.c in ("red", "blue")),
    (lambda r: r.i + r.a, lambda v, n: (v.i + v.a) % n),
    (lambda r: r.b + r.i, lambda v, n: (v.i + v.b) % n),
    (lambda r: r.i - r.b, lambda v, n: (v.i - v.b) % n),
    (lambda r: r.i + 1, lambda v, n: (v.i + 1) % n),
    (lambda r: r.i - 1, lambda v, n: (v.i - 1) % n),
    (lambda r: r.i - 13, lambda v, n: (v.i - 13) % n),
    (lambda r: r.i - (r.b + r.b + 20), lambda v, n: (v.i - 2 * v.b - 20) % n),
    (lambda r: r.i + (r.a + r.a + 20), lambda v, n: (v.i + 2 * v.a + 20) % n),
    (lambda r: r.i - r.j, lambda v, n: (v.i - v.j) % n),
    (lambda r: r.b + (r.i - r.j), lambda v, n: v.b + (v.i - v.j) % n),
    (lambda r: (r.i + r.b) - r.j, lambda v, n: (v.i + v.b - v.j) % n),
    (lambda r: (r.i - r.j < r.b) & (r.j + 1 == r.i), lambda v, n: (v.i - v.j) % n < v.b and (v.j + 1) % n == v.i),
    (lambda r: r.xs[r.i + 1], lambda v, n: v.xs[(v.i + 1) % n]),
    (lambda r: r.xs.store(r.i, r.a), lambda v, n: element(v, "xs", v.i, v.a)),
    (lambda r: r.cs.store(r.i, "blue"), lambda v, n: element(v, "cs", v.i, "blue")),
    (lambda r: r.ps.store(r.i, r.q), lambda v, n: element(v, "ps", v.i, v.q)),
    (lambda r: r.cs.store(r.i, r.c)[r.j], lambda v, n: element(v, "cs", v.i, v.c)[v.j]),
    (lambda r: r.xs.store(r.i, r.b)[r.j] - 9, lambda v, n: element(v, "xs", v.i, v.b)[v.j] - 9),
    (lambda r: r.xs.store(r.i, 1) == r.ys, lambda v, n: element(v, "xs", v.i, 1) == v.ys),
]
OPERATORS = [*((build, lambda v, n, build=build: build(v)) for build in SAME), *MEANT]


def sizes(build: Callable[[Any], Expr]) -> range:
    """The sizes of rings to try: one if there is no ring in it."""
    return range(2, 6) if any(isinstance(v.sort, Ring | Array) for v in variables(build(record()))) else range(2, 3)


@pytest.mark.parametrize(
    ("build", "meaning", "size"),
    [
        pytest.param(build, meaning, size, id=f"{text(build(record()))} [{size}]")
        for build, meaning in OPERATORS
        for size in sizes(build)
    ],
)
def test_every_reading_of_an_operator_gives_what_python_gives(
    build: Callable[[Any], Expr], meaning: Callable[[Any, int], object], size: int
) -> None:
    """Every reading gives what Python gives on plain values; and the sort holds every value."""
    r = record(size)
    expression = build(r)
    compiled = Compiled(r, expression)
    states = compiled.states(600)
    for state in states:
        plain = SimpleNamespace(**{name.partition(".")[2]: value for name, value in state.items()})
        value = evaluate(expression, state)
        assert value == meaning(plain, size), state
        assert contains(expression.sort, value), state
    check_agreement(compiled, states)


def test_constants_are_worked_out_while_the_model_is_built() -> None:
    three, one = lift(3, Ring(5)), lift(1, Ring(5))
    found = [three + 1, three + 2, one - 2, three - one, one - three, three - one + 1, number(2) - 5]
    assert [(e.op, e.value) for e in found] == [("const", value) for value in (4, 0, 4, 2, 3, 3, -3)]
    assert [e.value for e in (three - one < 2, three - one <= 2, one == 1, number(3) > 2)] == [False, True, True, True]
    assert ite(three - one == 2, "red", lift("blue", COLOURS)).value == "red"


# -- random expressions ------------------------------------------------------------------------------------------------
R = record()
LEAVES = {
    "number": st.sampled_from([R.a, R.b, *map(number, range(-4, 9))]),
    "position": st.sampled_from([R.i, R.j, *(lift(n, Ring(3)) for n in range(3))]),
    "name": st.sampled_from([R.c, R.d, *(lift(name, COLOURS) for name in COLOURS.names)]),
    "array": st.sampled_from([R.xs, R.ys]),
    "truth": st.sampled_from([R.p, R.q, boolean(True), boolean(False)]),
}
NODES: dict[str, list[tuple[Callable[..., Expr], str]]] = {  # how to make one of each kind, and of what
    "number": [
        (lambda a, b: a + b, "number number"),
        (lambda a, b: a - b, "number number"),
        (lambda i, j: i - j, "position position"),
        (lambda xs, i: xs[i], "array position"),
        (ite, "truth number number"),
    ],
    "position": [
        (lambda i, a: i + a, "position number"),
        (lambda i, a: i - a, "position number"),
        (ite, "truth position position"),
    ],
    "name": [(lambda i: R.cs[i], "position"), (ite, "truth name name")],
    "array": [(lambda xs, i, a: xs.store(i, a), "array position number"), (ite, "truth array array")],
    "truth": [
        (lambda a, b: a < b, "number number"),
        (lambda a, b: a <= b, "number number"),
        *((lambda x, y: x == y, f"{kind} {kind}") for kind in LEAVES),
        (lambda p, q: p & q, "truth truth"),
        (lambda p, q: p | q, "truth truth"),
        (lambda p: ~p, "truth"),
        (lambda i: R.ps[i], "position"),
        (ite, "truth truth truth"),
    ],
}


def trees(*kinds: str, height: int = 4) -> st.SearchStrategy[Expr]:
    """Random expressions of some kinds."""
    made = LEAVES
    for _ in range(height):
        made = {
            kind: LEAVES[kind]
            | st.one_of(*(st.builds(make, *(made[arg] for arg in args.split())) for make, args in ways))
            for kind, ways in NODES.items()
        }
    return st.one_of(*(made[kind] for kind in kinds))


@pytest.mark.slow
@settings(max_examples=examples(250), deadline=None)
@given(trees(*LEAVES))
def test_machine_code_agrees_on_random_expressions(expression: Expr) -> None:
    compiled = Compiled(R, expression)
    states = compiled.states(40)
    check_agreement(compiled, states)
    assert all(contains(expression.sort, evaluate(expression, state)) for state in states)


@pytest.mark.slow
@settings(max_examples=examples(150), deadline=None)
@given(trees("number", "array"), st.integers(-5, 1), st.integers(0, 6))
def test_machine_code_sees_every_value_that_leaves_a_narrower_sort(expression: Expr, low: int, width: int) -> None:
    narrow = Range(low, low + width)
    try:
        compiled = Compiled(R, expression, narrow if isinstance(expression.sort, Range) else Array(3, narrow))
    except SlipError:
        assume(False)
    check_agreement(compiled, compiled.states(40))


# -- slips -------------------------------------------------------------------------------------------------------------
SLIPS: list[tuple[str, Callable[[Any], object], str]] = [
    ("and", lambda r: r.p and r.q, "write & | ~"),
    ("or", lambda r: r.p or r.q, "write & | ~"),
    ("not", lambda r: not r.p, "write & | ~"),
    ("if", lambda r: 1 if r.p else 2, r"ite\(condition, a, b\)"),
    ("chained comparison", lambda r: 0 <= r.a <= 3, "split a chained comparison"),
    ("in a list", lambda r: r.c in ["green", "blue"], "is not known while the model is built"),
    ("missing parentheses, &", lambda r: r.a == 1 & r.b == 2, "put each comparison in parentheses"),
    ("missing parentheses, |", lambda r: r.p | r.a == 2, "put each comparison in parentheses"),
    ("missing parentheses, < &", lambda r: r.a < 1 & r.b, "put each comparison in parentheses"),
    ("missing parentheses, name", lambda r: r.c == "red" & r.p, "put each comparison in parentheses"),
    ("number & Bool", lambda r: r.p & 1, "joins Bools"),
    ("~ number", lambda r: ~r.a, "~ needs a Bool"),
    ("misspelt name", lambda r: r.c == "gren", "no such name: 'gren' .did you mean 'green'"),
    ("misspelt name among", lambda r: r.c.among("red", "bleu"), "did you mean 'blue'"),
    ("misspelt name stored", lambda r: r.cs.store(r.i, "gren"), "did you mean 'green'"),
    ("misspelt name assigned", lambda r: r(c="gren"), "did you mean 'green'"),
    ("unknown name", lambda r: r.c == "qqq", "one of: red, green, blue"),
    ("unknown variable read", lambda r: r.cc == "red", "r has no variable 'cc'"),
    ("unknown variable updated", lambda r: r(aa=1), "r has no variable 'aa'"),
    ("position + position", lambda r: r.i + r.j, "two positions cannot be added"),
    ("number - position", lambda r: 3 - r.i, "a position cannot be taken from a number"),
    ("number // number", lambda r: r.a // 2, "Only plain numbers, such as cq.size, can be multiplied and divided"),
    ("number * number", lambda r: 2 * r.a, "nothing else"),
    ("position < position", lambda r: r.i < r.j, "only numbers have an order"),
    ("position >= number", lambda r: r.i >= 1, "only numbers have an order"),
    ("positions of different rings", lambda r: r.i - Record("s", k=var(Ring(7), "")).k, "different sizes"),
    ("position == number", lambda r: r.i == r.a, r"r\.a is -3\.\.4, where Ring\(3\) is needed"),
    ("position off the ring", lambda r: r.i == 3, r"3 is not of the sort Ring\(3\)"),
    ("number for a position", lambda r: r(i=r.a), r"where Ring\(3\) is needed"),
    ("number for an index", lambda r: r.xs[r.a], r"where Ring\(3\) is needed"),
    ("constant index off the array", lambda r: r.xs[3], r"not of the sort Ring\(3\)"),
    ("index of a scalar", lambda r: r.a[r.i], "has no elements"),
    ("iteration", lambda r: list(r.xs), "cannot be walked through"),
    ("Bool + number", lambda r: r.p + 1, r"\+ needs numbers or positions"),
    ("True as a number", lambda r: r.a + True, "not True"),
    ("number as a Bool", lambda r: r(p=1), "not of the sort Bool"),
    ("a value that can never be", lambda r: r(b=r.b + 7), "can never become"),
    ("ite of two sorts", lambda r: ite(r.p, r.c, r.a), "is needed"),
    ("ite on a number", lambda r: ite(r.a, 1, 2), "where Bool is needed"),
    ("an array stored in an array", lambda r: r.xs.store(r.i, r.ys), "is needed"),
    ("guard that is no Bool", lambda r: when(r.a, r(a=0)), "where Bool is needed"),
    ("two next values", lambda r: when(r.p, r(a=0), r(b=1, a=1)), r"r\.a: two next values in one step"),
    ("step without a docstring", lambda r: step("who")(lambda: when(r.p)), "has no docstring"),
    ("empty range", lambda r: Range(1, 0), "an empty range"),
    ("ring of one", lambda r: Ring(1), "at least 2 slots"),
    ("first value outside", lambda r: Record("s", n=var(Nat(3), "", initial=4)), r"s\.n is 0\.\.3 and cannot start"),
]  # fmt: skip


@pytest.mark.parametrize(("slip", "says"), [s[1:] for s in SLIPS], ids=[s[0] for s in SLIPS])
def test_a_slip_is_refused(slip: Callable[[Any], object], says: str) -> None:
    with pytest.raises(SlipError, match=says):
        slip(record())


def test_what_is_nearly_a_slip_is_none() -> None:
    r = record()
    when((r.a == 1) & (r.b == 2), r(a=0), r(b=1, i=r.i + r.a))
    assert text((r.a >= 0) & (r.a <= 3) & ~r.p) == "0 <= r.a & r.a <= 3 & ~r.p"


def test_a_system_is_held_to_its_own_variables() -> None:
    r, stranger = record(), Record("s", n=var(Nat(3), ""))
    for command in (when(stranger.n == 0, r(a=0)), when(r.p, r(a=stranger.n)), when(r.p, stranger(n=0))):
        with pytest.raises(SlipError, match=r"what toy does not have: s\.n"):
            System("toy", r.variables, (act("go", command),))
        System("toy", (*r.variables, *stranger.variables), (act("go", command),))
    with pytest.raises(SlipError, match="two variables named"):
        System("toy", (*r.variables, *r.variables), ())
    with pytest.raises(SlipError, match="two actions named go"):
        System("toy", r.variables, (act("go", when(r.p)), act("go", when(r.q))))
    with pytest.raises(SlipError, match="cannot start at 'mauve'"):
        Variable("s.c", COLOURS, "mauve", "")


# -- how it reads ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("build", "reads"),
    [
        (lambda r: (r.i - r.j > 0) & ~(r.c == "red") | r.p, "0 < r.i - r.j & r.c != red | r.p"),
        (lambda r: (r.p | r.q) & ~(r.p & r.q), "(r.p | r.q) & ~(r.p & r.q)"),
        (lambda r: r.a - (r.b - 1), "r.a - (r.b - 1)"),
        (lambda r: r.a - r.b - 1, "r.a - r.b - 1"),
        (lambda r: r.b + (r.i - r.j), "r.b + (r.i - r.j)"),
        (lambda r: r.i + r.b - r.j, "r.i + r.b - r.j"),
        (lambda r: ~(r.a < r.b), "~(r.a < r.b)"),
        (lambda r: (r.a < r.b) == r.p, "(r.a < r.b) == r.p"),
        (lambda r: minimum(r.a, 2) + 1, "(if r.a <= 2 then r.a else 2) + 1"),
        (lambda r: r.xs[r.i + 1] == 1, "r.xs[r.i + 1] == 1"),
        (lambda r: r.xs.store(r.i, r.xs[r.j]), "r.xs with [r.i] = r.xs[r.j]"),
        (lambda r: r.xs.store(r.i, 1)[r.j], "(r.xs with [r.i] = 1)[r.j]"),
        (lambda r: r.xs.store(r.i, 1) == r.ys, "(r.xs with [r.i] = 1) == r.ys"),
    ],
)  # fmt: skip
def test_an_expression_has_a_text(build: Callable[[Any], Expr], reads: str) -> None:
    assert text(build(record())) == reads


def test_a_saying_is_filled_in_from_a_state() -> None:
    r = record()
    assert say("{} of {}", r.i + 1, r.c).on({"r.i": 2, "r.c": "red"}) == "0 of red"


def test_what_stands_in_brackets_is_about_one_state_only() -> None:
    r = record()
    told = say("[at {}, ]goes to {}[ ({} left)]", r.i, r.i + 1, r.i)
    assert told.on({"r.i": 1}) == "at 1, goes to 2 (1 left)"
    assert told.brief(text) == "goes to r.i + 1"


def test_a_step_is_told_otherwise_where_a_condition_holds() -> None:
    r = record()
    told = when(r.p).says("at {}", r.i).but_where(r.i == 2, "at the end").but_where(boolean(False), "never").told
    assert told is not None and [told.on({"r.i": i}) for i in (0, 1, 2)] == ["at 0", "at 1", "at the end"]
    assert len(told.instead) == 1


class Position(int):
    """A position on a ring of 3, for Python."""

    def __add__(self, other: int) -> Position:
        return Position((int(self) + int(other)) % 3)

    def __sub__(self, other: int) -> Any:
        distance = (int(self) - int(other)) % 3
        return distance if isinstance(other, Position) else Position(distance)


def _joined(x: tuple[Expr, Expr], y: tuple[Expr, Expr], n: int, m: int) -> tuple[Expr, Expr]:
    (a, p), (b, q) = x, y
    one = (a + b, a - b, ite(p, a, b), (R.i + a) - (R.j - b), minimum(a, b))[n]
    return one, (p & q, p | q, ~p, a < b, a == b, p == q, ~(a <= b))[m]


# What `text` writes without loss, that is without constant positions: a number and a truth at a time.
written = st.recursive(
    st.tuples(
        st.sampled_from([R.a, R.b, number(3), number(-2), R.i - R.j, R.j + 1 - R.i]),
        st.sampled_from([R.p, R.q, R.i == R.j]),
    ),
    lambda inner: st.builds(_joined, inner, inner, st.integers(0, 4), st.integers(0, 6)),
)


@pytest.mark.slow
@settings(max_examples=examples(150), deadline=None)
@given(written)
def test_text_means_what_the_expression_means(pair: tuple[Expr, Expr]) -> None:
    """Read as Python, with `and` and `or` for & and |, which bind less than a comparison here."""
    spellings = {"&": "and", "|": "or", "~": "1-", "(if ": "ite(", " then ": ", ", " else ": ", "}
    for expression in pair:
        source = re.sub("|".join(map(re.escape, spellings)), lambda found: spellings[found[0]], text(expression))
        for state in states(inputs(R, expression), 20):
            plain = {name.partition(".")[2]: value for name, value in state.items()}
            plain |= {name: Position(plain[name]) for name in "ij" if name in plain}
            found = eval(source, {"r": SimpleNamespace(**plain), "ite": lambda p, a, b: a if p else b})
            assert found == evaluate(expression, state), (source, state)


def test_different_behaviour_has_a_different_fingerprint() -> None:
    r = record()

    def fingerprint(expression: Expr) -> str:
        return System("toy", r.variables, (act("go", when(r.p, r(q=expression))),)).fingerprint()

    different = [r.ps.store(r.i, r.p)[r.j], r.ps.store(r.i, r.ps[r.j])[r.i], (r.p | r.q) & r.p, r.p | r.q & r.p]
    assert len({fingerprint(e) for e in different}) == len(different)
    assert fingerprint(r.p & r.q) == fingerprint(record().p & record().q)
    assert re.fullmatch("[0-9a-f]{64}", fingerprint(r.p))


def test_a_step_knows_what_it_is_of() -> None:
    class Queue(Record):
        label = "Q"

    @step("{}")
    def move(everything: Record, q: Queue, entries: int) -> Guarded:
        """Moves."""
        return when(boolean(True), q(at=entries), everything(all=entries))

    everything = Record("m", all=var(Nat(3), "all"))
    one, other = (Queue(name, at=var(Nat(3), "where")) for name in ("one", "other"))
    made = move(everything, one, 2)
    assert (made.name, made.args) == ("move(Q, 2)", (one, 2))
    assert made.about(one) and not made.about(other) and not made.about(everything)
    assert dataclasses.replace(made, args=()) == made and dataclasses.replace(made, doc="").args == made.args
