"""Sizes that are symbols count and compare like the numbers they stand for, or say that they cannot."""

from __future__ import annotations

import operator

import pytest
import z3
from hypothesis import given
from hypothesis import strategies as st
from uncork.core.expr import Expr, gap
from uncork.core.size import Size, Symbol, Undecided, symbol
from uncork.core.sorts import Range, Ring, SlipError
from uncork.engines.deductive.smtlib import script
from uncork.engines.deductive.unwind import Unwound, laps

SIZES = {"C": 2, "S": 3}
SUMS = st.dictionaries(st.sampled_from(sorted(SIZES)), st.integers(-3, 3))


def size(number: int, times: dict[str, int]) -> int:
    found = number
    for name, k in times.items():
        for _ in range(abs(k)):
            found = found + symbol(name, SIZES[name]) if k > 0 else found - symbol(name, SIZES[name])
    return found


def value(of: int, sizes: dict[str, int]) -> int:
    return of.number + sum(k * sizes[s.name] for s, k in of.terms) if isinstance(of, Size) else of


BIGGER = st.fixed_dictionaries({name: st.integers(least, 9) for name, least in SIZES.items()})


@given(st.integers(-5, 5), SUMS, st.integers(-5, 5), SUMS, BIGGER)
def test_arithmetic_is_that_of_the_numbers(a: int, one: dict, b: int, two: dict, sizes: dict) -> None:
    left, right = size(a, one), size(b, two)
    for op in (operator.add, operator.sub):
        assert value(op(left, right), sizes) == op(value(left, sizes), value(right, sizes))


@given(st.integers(-5, 5), SUMS, st.integers(-5, 5), SUMS, BIGGER)
def test_a_comparison_is_true_of_all_sizes_or_undecided(a: int, one: dict, b: int, two: dict, sizes: dict) -> None:
    left, right = size(a, one), size(b, two)
    for op in (operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne):
        try:
            found = op(left, right)
        except Undecided:
            continue
        assert found == op(value(left, sizes), value(right, sizes))


def test_what_is_decided_and_what_is_not() -> None:
    c, s = symbol("C", 2), symbol("S", 2)
    assert c - 1 > 0
    assert not c < 2
    with pytest.raises(Undecided, match="depends on the size"):
        _ = c < 3
    with pytest.raises(Undecided):
        min(c, s)
    for unknown in (lambda: c == 2, lambda: c <= 2, lambda: c in (4, 8), lambda: bool(c - 2), lambda: c == s):
        with pytest.raises(Undecided):
            unknown()
    assert c == symbol("C", 2)
    assert c != 1
    assert c - 1
    with pytest.raises(TypeError):
        range(c)
    with pytest.raises(SlipError, match="stands for every size"):
        _ = c // 2


# -- rings unwound -----------------------------------------------------------------------------------------------------
RING = symbol("C", 2)
ONE, OTHER = (Expr("var", (), Ring(RING), name) for name in ("one", "other"))


def read(node: Expr, one: int, other: int, entries: int) -> int | bool:
    term = z3.substitute(
        Unwound()(node),
        *((z3.Int(name), z3.IntVal(v)) for name, v in (("one", one), ("other", other), ("C", entries))),
    )
    found = z3.simplify(term)
    return found.as_long() if z3.is_int(found) else z3.is_true(found)


@pytest.mark.parametrize("entries", range(2, 6))
def test_remainders_are_exact_within_two_rings_and_said_not_to_be_beyond(entries: int) -> None:
    for apart in range(-3 * entries, 3 * entries + 1):
        one, other = apart + 7, 7
        exact = read(ONE - OTHER, one, other, entries) == apart % entries
        assert read(ONE == OTHER, one, other, entries) == (apart % entries == 0) or not exact
        near = read(laps(ONE - OTHER), one, other, entries)
        assert near == read(laps(ONE == OTHER), one, other, entries) == (-2 * entries <= apart < 2 * entries)
        assert exact or not near


def test_positions_do_not_wrap() -> None:
    assert read(gap(ONE + 5, OTHER), 3, 1, 4) == 7
    assert isinstance((ONE - OTHER).sort, Range)


def test_the_text_says_the_same_as_the_terms() -> None:
    """Two translations, one by Z3's terms and one as text, agree on where they are wrong on purpose."""
    from uncork.core.argument import Argument
    from uncork.core.system import System, Variable
    from uncork.engines.deductive.certificate import ask
    from uncork.engines.deductive.obligations import Obligation

    system = System("toy", tuple(Variable(n, Ring(RING), 0, "a position") for n in ("one", "other")), ())
    near = laps(ONE - OTHER)
    true = Obligation("toy", "a distance there and back is a lap or none", "", (near, laps(OTHER - ONE)),
                      ((ONE - OTHER) + (OTHER - ONE) == RING) | (ONE == OTHER))  # fmt: skip
    false = Obligation("toy", "a distance there and back is a lap", "", (near, laps(OTHER - ONE)),
                       (ONE - OTHER) + (OTHER - ONE) == RING)  # fmt: skip
    text = script(Argument(system, frozenset(), [], [], []), [], [true, false])
    for solver in ("z3", "cvc5"):
        assert [answer.said for answer in ask(solver, text)] == ["unsat", "sat"]


def test_a_symbol_knows_its_least_value() -> None:
    assert Symbol("C", 2) < Symbol("C", 3)
    assert str(symbol("C", 2) + symbol("S", 2) - 1) == "C + S - 1"
