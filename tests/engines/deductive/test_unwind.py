"""Rings unwound into integers: exact within two rings, and the same in Z3's terms and as text."""

from __future__ import annotations

import pytest
import z3
from uncork.core.expr import Expr, gap
from uncork.core.size import symbol
from uncork.core.sorts import Range, Ring
from uncork.engines.deductive.smtlib import script
from uncork.engines.deductive.unwind import Unwound, laps

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


def test_unwound_positions_do_not_wrap() -> None:
    assert read(gap(ONE + 5, OTHER), 3, 1, 4) == 7
    assert isinstance((ONE - OTHER).sort, Range)


def test_the_text_in_smtlib_says_the_same_as_the_terms() -> None:
    """Two translations, one by Z3's terms and one as text, agree on where they are wrong on purpose."""
    from uncork.core.questions.argument import Argument
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
