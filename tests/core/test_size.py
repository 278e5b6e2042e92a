"""Sizes that are symbols count and compare like the numbers they stand for, or say that they cannot."""

from __future__ import annotations

import operator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from uncork.core.size import Size, Symbol, Undecided, symbol
from uncork.core.sorts import SlipError

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


def test_what_depends_on_the_size_is_undecided() -> None:
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


def test_a_symbol_knows_its_least_value() -> None:
    assert Symbol("C", 2) < Symbol("C", 3)
    assert str(symbol("C", 2) + symbol("S", 2) - 1) == "C + S - 1"
