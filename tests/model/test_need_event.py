"""Why positions on rings may stand for what guests compute with 16-bit words: proved by Z3, for every size at once.

The size is a symbol, 2 to 65,536, and so are the indices; each claim is one query. Claims that should be false stand
beside them, so that a query that proves everything would be seen.
"""

from __future__ import annotations

import pytest
import z3
from uncork.core.evaluate import holds
from uncork_nvme.assembly import assembled
from uncork_nvme.choices import Choices
from uncork_nvme.parts.guest import crossed
from uncork_nvme.policies import POLICIES
from uncork_nvme.state.machine import Machine

BITS = 18  # 65,536 + 65,535 fits
size, old, new, event, step = z3.BitVecs("size old new event step", BITS)

RULES = ("strict", "closed")
SIZES = z3.And(z3.UGE(size, 2), z3.ULE(size, 65536))


def in_range(*indices):
    return z3.And(SIZES, *(z3.ULT(index, size) for index in indices))


def u16(value):
    return z3.Extract(15, 0, value)


def guest_rings(rule, event=event, new=new):
    """What the guest computes, in 16 bits: (u16)(new - event - 1) < (u16)(new - old), or <= without the 1."""
    if rule == "strict":
        return z3.ULT(u16(new - event - 1), u16(new - old))
    return z3.ULE(u16(new - event), u16(new - old))


def in_interval(rule, event=event):
    """Whether the event lies between old and new, going up from old and past the end of the ring if need be."""
    before_new = z3.ULT(event, new) if rule == "strict" else z3.ULE(event, new)
    from_old = z3.UGE(event, old)
    return z3.If(z3.ULE(old, new), z3.And(from_old, before_new), z3.Or(from_old, before_new))


def distance(start, end):
    """How far it is from one position forward to another."""
    return z3.If(z3.UGE(end, start), end - start, end + size - start)


def model_rings(rule):
    """How the model spells it: the distance from old to the event against the distance moved."""
    to_event, moved = distance(old, event), distance(old, new)
    return z3.ULT(to_event, moved) if rule == "strict" else z3.ULE(to_event, moved)


def wrapped(index):
    return z3.If(z3.UGE(index, size), index - size, index)


def counterexample(claim, *, given):
    """Values under which a claim fails, by name; None if it is a theorem."""
    solver = z3.Solver()
    solver.add(given, z3.Not(claim))
    if solver.check() == z3.unsat:
        return None
    model = solver.model()
    return {str(symbol): model[symbol].as_long() for symbol in model.decls()}


@pytest.mark.parametrize("rule", RULES)
def test_the_16_bit_formula_is_the_circular_interval(rule: str) -> None:
    assert counterexample(guest_rings(rule) == in_interval(rule), given=in_range(old, new, event)) is None


OUTSIDE = z3.BitVecVal(0xFFFF, BITS)  # what a guest reads of 0xFFFFFFFF


@pytest.mark.parametrize("rule", RULES)
def test_an_event_that_no_index_reaches_is_passed_as_the_index_wraps_and_only_then(rule: str) -> None:
    smaller = z3.And(in_range(old, new), z3.ULT(size, 65536))
    wraps = z3.ULT(new, old)
    assert counterexample(guest_rings(rule, event=OUTSIDE) == wraps, given=smaller) is None
    assert counterexample(in_interval("strict", event=size - 1) == wraps, given=smaller) is None
    assert counterexample(in_interval("closed", event=size - 1) == wraps, given=smaller)


@pytest.mark.parametrize("rule", RULES)
def test_the_model_spells_the_same_interval(rule: str) -> None:
    assert counterexample(model_rings(rule) == in_interval(rule), given=in_range(old, new, event)) is None


def test_the_rules_differ_exactly_where_the_event_is_the_new_index() -> None:
    differ = guest_rings("strict") != guest_rings("closed")
    assert counterexample(differ == (event == new), given=in_range(old, new, event)) is None
    assert counterexample(guest_rings("strict") == guest_rings("closed"), given=in_range(old, new, event))


def test_a_position_plus_or_minus_a_number_is_in_range() -> None:
    given = in_range(old, step)
    assert counterexample(z3.ULT(wrapped(old + step), size), given=given) is None
    assert counterexample(z3.ULT(wrapped(old + size - step), size), given=given) is None
    assert counterexample(distance(old, wrapped(old + step)) == step, given=given) is None
    assert counterexample(wrapped(old + size - step) == old + size - step, given=given), "it does have to wrap"
    assert counterexample(z3.ULT(old + step, size), given=given), "it does have to wrap"


@pytest.mark.parametrize("rule", RULES)
def test_an_event_equal_to_the_size_is_not_slot_0(rule: str) -> None:
    """An EventIdx out of range is no position at all: the guest treats it unlike any that is."""
    as_slot_0 = guest_rings(rule, event=size) == in_interval(rule, event=z3.BitVecVal(0, BITS))
    witness = counterexample(as_slot_0, given=in_range(old, new))
    assert witness
    assert witness["size"] < 65536
    always_0_at_16_bits = z3.And(in_range(old, new), size == 65536)
    assert counterexample(as_slot_0, given=always_0_at_16_bits) is None


def test_an_event_equal_to_the_size_never_rings_on_a_way_that_does_not_wrap() -> None:
    given = z3.And(in_range(old, new), z3.ULE(old, new), z3.ULT(size, 65536))
    assert counterexample(z3.Not(guest_rings("strict", event=size)), given=given) is None
    assert counterexample(guest_rings("strict", event=size), given=given)


def test_less_or_equal_in_place_of_less_is_another_rule() -> None:
    slip = z3.ULE(u16(new - event - 1), u16(new - old))
    for rule in RULES:
        assert counterexample(slip == in_interval(rule), given=in_range(old, new, event))


@pytest.mark.parametrize("rule", RULES)
def test_an_index_that_wraps_at_16_bits_in_place_of_the_size_is_another_rule(rule: str) -> None:
    given = z3.And(in_range(old, event, step), new == wrapped(old + step))
    unwrapped = guest_rings(rule, new=old + step)
    assert counterexample(unwrapped == in_interval(rule), given=given)
    assert counterexample(unwrapped == in_interval(rule), given=z3.And(given, size == 65536)) is None
    assert counterexample(guest_rings(rule) == in_interval(rule), given=given) is None


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("entries", range(2, 7))
def test_the_guest_of_the_model_rings_when_the_formula_says_so(entries: int, rule: str) -> None:
    machine = Machine(assembled(Choices().replace({"need_event": rule})), POLICIES["tail"], 1, entries, entries)
    for ring in (machine.cq, *machine.sqs):
        rings = crossed(machine, ring)
        for start in range(entries):
            for moved in range(entries):
                for index in range(entries):
                    end = (start + moved) % entries
                    state = {
                        f"{ring.name}.{field}": n for field, n in (("shadow", end), ("moved", moved), ("event", index))
                    }
                    passed, gone = (end - index) & 0xFFFF, (end - start) & 0xFFFF
                    due = (passed - 1) & 0xFFFF < gone if rule == "strict" else passed <= gone
                    assert holds(rings, state) == due, (start, end, index)
