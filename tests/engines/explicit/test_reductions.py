"""Reductions: why they are sound (proved), where they are refused, and that they change no verdict."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import z3
from alike import same
from budgets import examples, spread
from hypothesis import given, settings
from hypothesis import strategies as st
from toys import act
from uncork.core.expr import Expr, boolean, ite, text
from uncork.core.property import InRange, NotForever, Repeatedly, Sometimes, always
from uncork.core.sorts import Array, Bool, Enum, Nat, Range, Ring
from uncork.core.system import Action, Fairness, Record, System, say, var, when
from uncork.core.verdict import Open, Refuted
from uncork.engines import REDUCTIONS, Budget, explicit
from uncork.engines.explicit import reduction
from uncork.engines.explicit.reduction import flow
from uncork_nvme.instance import from_name
from uncork_properties.catalogue import covers, properties

NONE: frozenset[str] = frozenset()


# -- rotation ----------------------------------------------------------------------------------------------------------
def proved(claim: z3.BoolRef) -> bool:
    solver = z3.Solver()
    solver.add(z3.Not(claim))
    return solver.check() == z3.unsat


SIZE, TURN, A, B, K = z3.Ints("size turn a b k")
RINGS = z3.And(SIZE >= 2, SIZE <= 65536, *(z3.And(x >= 0, x < SIZE) for x in (TURN, A, B)), K > -SIZE, K < SIZE)


def wrapped(x: z3.ArithRef) -> z3.ArithRef:
    return z3.If(x < 0, x + SIZE, z3.If(x >= SIZE, x - SIZE, x))


def turned(x: z3.ArithRef) -> z3.ArithRef:
    return wrapped(x + TURN)


def test_what_the_language_does_with_positions_commutes_with_turning_for_every_size() -> None:
    array, element = z3.Array("array", z3.IntSort(), z3.IntSort()), z3.Int("element")
    rotated = z3.Array("rotated", z3.IntSort(), z3.IntSort())
    same = rotated[turned(A)] == array[A]
    claims = {
        "a distance": wrapped(turned(A) - turned(B)) == wrapped(A - B),
        "a step": wrapped(turned(A) + K) == turned(wrapped(A + K)),
        "a comparison": (turned(A) == turned(B)) == (A == B),
        "an element read": z3.Implies(same, z3.Select(rotated, turned(A)) == z3.Select(array, A)),
        "an element written": z3.Implies(
            z3.And(same), z3.Store(rotated, turned(B), element)[turned(A)] == z3.Store(array, B, element)[A]
        ),
    }
    for name, claim in claims.items():
        assert proved(z3.Implies(RINGS, claim)), name


def test_a_constant_position_does_not_commute_with_turning() -> None:
    assert not proved(z3.Implies(RINGS, turned(z3.IntVal(0)) == 0))
    assert not proved(z3.Implies(RINGS, wrapped(turned(A) + turned(B)) == turned(wrapped(A + B))))


def symbolic(node: Expr, state: dict[str, list[z3.ExprRef]]) -> list[z3.ExprRef]:
    """An expression over symbolic values (one for a scalar, one for each element of an array)."""
    op, args = node.op, node.args
    if op == "const":
        sort = node.sort
        if isinstance(sort, Bool):
            return [z3.BoolVal(bool(node.value))]
        return [z3.IntVal(sort.names.index(str(node.value)) if isinstance(sort, Enum) else node.value)]
    if op == "var":
        return state[str(node.value)]
    values = [symbolic(arg, state) for arg in args]
    if op == "ite":
        return [z3.If(values[0][0], a, b) for a, b in zip(values[1], values[2], strict=True)]
    if op == "select":
        chosen = values[0][0]
        for k, element in enumerate(values[0][1:], 1):
            chosen = z3.If(values[1][0] == k, element, chosen)
        return [chosen]
    if op == "store":
        return [z3.If(values[1][0] == k, values[2][0], element) for k, element in enumerate(values[0])]
    (a,), *rest = values
    if op == "wrap":
        return [a % node.value]
    if op == "~":
        return [z3.Not(a)]
    b = rest[0][0]
    table = {"+": lambda: a + b, "-": lambda: a - b, "<": lambda: a < b, "<=": lambda: a <= b, "==": lambda: a == b}
    return [table[op]() if op in table else z3.And(a, b) if op == "&" else z3.Or(a, b)]


INSTANCES = [
    "propolis-2026/linux/tail-lag/n1-sq3-cq2",
    "arm-recheck/spdk/arm-on-cork/n1-sq2-cq3/kick_size=room",
    "mmio/lazy/tail/n1-sq3-cq3/workers=2",
    "propolis-2025/linux/reserve-slots/n2-sq2-cq3/early_free=no",
    "arm-recheck/linux/arm-on-cork/n2-sq3-cq3/memory=tso,guest_fence=no",
    "qemu/linux/head/n2-sq2-cq2/memory=tso,threads=one",
]


@pytest.mark.slow
@pytest.mark.parametrize("name", spread(INSTANCES, 2))
def test_every_action_commutes_with_every_turn(name: str) -> None:
    """The rule by which rings are found is one thing; that the actions of a machine commute is proved of them here."""
    instance = from_name(name)
    system, machine = instance.system, instance.machine
    rings = [["cq.shadow", "cq.event", "cq.cursor", "cq.head", "cq.tail", "cq.slots"]]
    rings += [[f"{q.name}.{field}" for field in ("shadow", "event", "head", "tail")] for q in machine.sqs]
    found = reduction.reduce(system, properties(machine, system), covers(machine, system), frozenset({"rotation"}))
    assert found.normalise.keys() == {name for ring in rings for name in ring}
    assert not found.refusals
    for ring in rings:
        prove_commutes(system, ring)


def prove_commutes(system: System, ring: list[str]) -> None:
    state, bounds = {}, []
    for v in system.variables:
        sort = v.sort.element if isinstance(v.sort, Array) else v.sort
        names = [f"{v.name}.{k}" for k in range(v.sort.size)] if isinstance(v.sort, Array) else [v.name]
        state[v.name] = [z3.Bool(n) if isinstance(sort, Bool) else z3.Int(n) for n in names]
        low, high = {Range: lambda s: (s.low, s.high), Ring: lambda s: (0, s.size - 1)}.get(
            type(sort), lambda s: (0, len(getattr(s, "names", "ab")) - 1)
        )(sort)
        bounds += [] if isinstance(sort, Bool) else [z3.And(x >= low, x <= high) for x in state[v.name]]

    def turn(values: dict[str, list[z3.ExprRef]]) -> dict[str, list[z3.ExprRef]]:
        """Everything on the ring one further; any turn is some of these."""
        result = dict(values)
        for name in ring:
            sort = next(v.sort for v in system.variables if v.name == name)
            if isinstance(sort, Array):
                result[name] = [values[name][(k - 1) % sort.size] for k in range(sort.size)]
            else:
                result[name] = [z3.If(values[name][0] == sort.size - 1, 0, values[name][0] + 1)]
        return result

    after_turn = turn(state)
    for action in system.actions:
        guard, turned_guard = symbolic(action.guard, state)[0], symbolic(action.guard, after_turn)[0]
        after = state | {n: symbolic(e, state) for n, e in action.updates.items()}
        turned_after = after_turn | {n: symbolic(e, after_turn) for n, e in action.updates.items()}
        expected = turn(after)
        same = [a == b for n in state for a, b in zip(turned_after[n], expected[n], strict=True)]
        solver = z3.SolverFor("QF_LIA")
        solver.add(*bounds, z3.Or(guard != turned_guard, z3.And(guard, z3.Not(z3.And(same)))))
        assert solver.check() == z3.unsat, action.name


ABSOLUTE = """from uncork_nvme import ite


def absolute(cq):
    return ite(cq.head == 0, cq.tail - 1, cq.head)
"""


def test_a_policy_that_looks_at_an_absolute_index_is_not_turned(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(ABSOLUTE)
    instance = from_name(f"propolis-2026/linux/{tmp_path}/mine.py:absolute/n1-sq3-cq3")
    asked = instance.system, properties(instance.machine, instance.system), covers(instance.machine, instance.system)
    found = reduction.reduce(*asked, REDUCTIONS)
    assert not found.normalise.keys() & {"cq.head", "cq.slots"}
    assert "sq0.head" in found.normalise
    assert any("cq.head == 0" in refusal.reason for refusal in found.refusals)
    with pytest.raises(AssertionError, match="post_arm"):
        prove_commutes(instance.system, ["cq.shadow", "cq.event", "cq.cursor", "cq.head", "cq.tail", "cq.slots"])
    same(*asked)


# -- verdicts are the same ---------------------------------------------------------------------------------------------
CHECKED = [
    "propolis-2025/linux/tail/n1-sq3-cq3",
    "propolis-2026/lazy/tail-lag/n1-sq2-cq2/backend=detached",
    "propolis-2026/spdk/never/n1-sq3-cq2/early_free=no",
    "arm-recheck/linux/reserve-permits/n1-sq2-cq3/workers=2",
    "mmio/linux/tail/n2-sq2-cq2",
    "mmio/linux/tail/n2-sq2-cq2/kick_on_remit=yes,kick_size=room",
    "hand-over/linux/tail-1/n2-sq2-cq2/doorbell_buffer=off",
    "mmio/lazy/tail/n2-sq2-cq2/backend=detached-repoll",
    "arm-recheck/linux/arm-on-cork/n1-sq2-cq3/memory=tso,guest_fence=no",
    "spdk-poll/linux/never/n2-sq2-cq2/memory=tso",
]


@pytest.mark.slow
@pytest.mark.parametrize("name", spread(CHECKED, 2))
def test_verdicts_are_the_same_with_and_without_reductions(name: str) -> None:
    instance = from_name(name)
    same(instance.system, properties(instance.machine, instance.system), covers(instance.machine, instance.system))


@pytest.mark.slow
def test_each_reduction_saves_the_states_it_should() -> None:
    """Two SQs that are alike, and rings of two entries: the states that are told apart, with and without."""
    instance = from_name("mmio/linux/tail/n2-sq2-cq2")
    asked = properties(instance.machine, instance.system)
    counts = {
        each: explicit.check(instance.system, asked, reductions=frozenset(filter(None, each.split()))).states
        for each in ("", "rotation", "permutation", "rotation permutation")
    }
    assert counts == {"": 186_104, "rotation": 46_526, "permutation": 93_428, "rotation permutation": 23_451}


def test_a_budget_that_runs_out_is_open_with_reductions_too() -> None:
    instance = from_name("mmio/linux/tail/n2-sq2-cq2/kick_on_remit=yes")
    found = explicit.check(
        instance.system,
        properties(instance.machine, instance.system),
        (),
        Budget(states=2000),
        reductions=REDUCTIONS,
    )
    assert {type(verdict) for _, verdict in found.verdicts} <= {Open, Refuted}
    assert any(isinstance(verdict, Open) for _, verdict in found.verdicts)


# -- random machines with rings and replicas ---------------------------------------------------------------------------
@st.composite
def machines(chosen: st.DrawFn):
    """Two or three records that are alike, beside a ring that they share and whose slots hold their names."""
    count, size = chosen(st.integers(2, 3)), 2
    names = tuple(f"R{k}" for k in range(count))
    shared = Record(
        "shared",
        head=var(Ring(size), ""), tail=var(Ring(size), ""),
        slots=var(Array(size, Enum(("none", *names))), ""), turn=var(Enum(("none", *names)), ""),
    )  # fmt: skip
    records = [
        Record(f"r{k}", at=var(Enum(("a", "b", "c")), ""), mark=var(Ring(2), ""), seen=var(Nat(2), ""))
        for k in range(count)
    ]
    guards = [
        lambda r, name: r.at == "a",
        lambda r, name: r.at == "b",
        lambda r, name: (r.at == "c") & (shared.turn == name),
        lambda r, name: (shared.slots[shared.head] == name) & (r.at != "a"),
        lambda r, name: (shared.tail - shared.head == r.seen) & (shared.turn == "none"),
        lambda r, name: (shared.turn != name) & (r.mark == r.mark + r.seen),
    ]
    updates = [
        lambda r, name: r(at="b"),
        lambda r, name: r(at="c", mark=r.mark + 1),
        lambda r, name: r(at="a", seen=ite(r.seen < 2, r.seen + 1, 0)),
        lambda r, name: shared(slots=shared.slots.store(shared.tail, name), tail=shared.tail + 1),
        lambda r, name: shared(head=shared.head + 1, turn="none"),
        lambda r, name: shared(turn=name, slots=shared.slots.store(shared.head, "none")),
        lambda r, name: shared(turn=ite(shared.turn == "none", name, shared.turn)),
    ]
    actions = []
    for number in range(chosen(st.integers(1, 4))):
        guard, kind = chosen(st.sampled_from(guards)), chosen(st.sampled_from(list(Fairness)))
        one, other = chosen(st.sampled_from(updates[:3])), chosen(st.sampled_from(updates))
        for r, name in zip(records, names, strict=True):
            change = one(r, name) | (other(r, name) if not one(r, name).keys() & other(r, name).keys() else {})
            made = act(f"step{number}({name})", when(guard(r, name), change), kind)
            actions.append(dataclasses.replace(made, family=f"step{number}"))
    places = chosen(st.sampled_from([("a",), ("b",), ("a", "b"), ("b", "c")]))
    without = {0} if chosen(st.booleans()) else set()
    asked = [InRange("in range", "row", "")]
    for r, name in zip(records, names, strict=True):
        stays = r.at.among(*places) & (shared.turn != name)
        banned = frozenset(f"step{k}({name})" for k in without)
        asked.append(NotForever(f"leaves {name}", "row", "", stays, say("stuck"), banned))
        asked.append(always(f"never {name}", "row", ~((r.at == "c") & (shared.slots[shared.head] == name))))
    shown = [Sometimes("all in b", records[0].at == "b", ""), Sometimes("too", records[1].at == "b", "")]
    shown += [Sometimes("three", records[2].at == "b", "")] if count == 3 else []
    shown.append(Repeatedly("again", frozenset(a.name for a in actions), ""))
    variables = tuple(v for r in (shared, *records) for v in r.variables)
    replicas = tuple((r.name, name) for r, name in zip(records, names, strict=True))
    return System("random", variables, tuple(actions), replicas=replicas), asked, shown


@pytest.mark.slow
@settings(max_examples=examples(150), deadline=None)
@given(machines())
def test_reductions_change_no_verdict_of_random_machines(machine) -> None:
    system, asked, shown = machine
    found = reduction.reduce(system, asked, shown, REDUCTIONS)
    assert len(found.orders) > 1, found.refusals
    same(system, asked, shown)


def test_records_that_differ_are_not_permuted() -> None:
    one, other = (Record(f"r{k}", n=var(Nat(2), ""), at=var(Bool(), "")) for k in range(2))

    def unlike(limit: int) -> reduction.Reduction:
        pair = (
            act("up(R0)", when(one.n < 2, one(n=one.n + 1))),
            act("up(R1)", when(other.n < limit, other(n=other.n + 1))),
        )
        actions = tuple(dataclasses.replace(each, family="up") for each in pair)
        system = System("two", (*one.variables, *other.variables), actions, replicas=(("r0", "R0"), ("r1", "R1")))
        return reduction.reduce(system, [], [], REDUCTIONS)

    assert len(unlike(2).orders) == 2
    assert len(unlike(1).orders) == 1
    assert [refusal.reason for refusal in unlike(1).refusals] == ["up(R0) has no partner"]


def test_what_nobody_reads_is_dead() -> None:
    r = Record("r", read=var(Bool(), ""), written=var(Ring(4), ""), copied=var(Ring(4), ""), watched=var(Nat(1), ""))
    actions = (
        act("write", when(r.read, r(written=r.copied + 1, copied=r.written, read=False))),
        act("again", when(~r.read, r(read=True, watched=r.watched + 1))),
    )
    system = System("dead", r.variables, actions)
    found = reduction.reduce(system, [], [], frozenset({"dead"}))
    assert found.normalise.keys() == {"r.written", "r.copied"}
    same(system, [InRange("in range", "row", "")])


def variable(system: System, name: str) -> Expr:
    return Expr("var", (), next(v.sort for v in system.variables if v.name == name), name)


def errand(*, read: bool = True) -> System:
    """Fetches something, looks at it (or not) where the way parts, and puts it down again without a word."""
    r = Record("r", at=var(Enum(("home", "fork", "left", "right")), ""), carried=var(Nat(3), ""))
    parts = (r.carried < 2) if read else boolean(True)
    back = r.at.among("left", "right")
    actions = (
        *(act(f"take {n}", when(r.at == "home", r(at="fork", carried=n))) for n in range(4)),
        act("left", when((r.at == "fork") & parts, r(at="left"))),
        act("right", when((r.at == "fork") & ~parts, r(at="right"))),
        act("return", when(back, r(at="home"))),
    )
    return System("errand", r.variables, actions)


def test_what_nobody_reads_before_it_is_written_is_dead_for_a_while() -> None:
    """Seven states: carried matters at the fork only, where it is one of four; and nowhere if nobody looks at it."""
    system = errand()
    found = reduction.reduce(system, [], [], frozenset({"dead"}))
    assert {name: text(value) for name, value in found.normalise.items()} == {
        "r.carried": "(if r.at != fork then 0 else r.carried)"
    }
    counts = [explicit.check(system, [], reductions=chosen).states for chosen in (NONE, REDUCTIONS)]
    assert counts == [4 + 4 + 4, 4 + 3]
    at_home = always("sees it", "row", (variable(system, "r.carried") < 3) | (variable(system, "r.at") != "home"))
    assert not reduction.reduce(system, [at_home], [], REDUCTIONS).normalise  # and so it is on all ways home
    same(system, [InRange("in range", "row", ""), at_home])
    assert text(reduction.reduce(errand(read=False), [], [], REDUCTIONS).normalise["r.carried"]) == "0"


def test_an_analysis_that_forgets_a_read_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    system = errand()
    right = variable(system, "r.at") == "right"
    asked = [always("never right", "row", ~right), NotForever("leaves", "row", "", right, say("stuck"))]
    same(system, asked)
    noted = flow.Places._notes

    def forgetful(self: flow.Places, node: Expr, where: int, followed: int, read: dict[int, int]) -> None:
        noted(self, node, where, followed & ~self.flow.bits["r.carried"], read)

    monkeypatch.setattr(flow.Places, "_notes", forgetful)
    with pytest.raises(AssertionError, match="never right"):
        same(system, asked)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["propolis-2026/linux/tail-lag/n1-sq3-cq3", "arm-recheck/linux/tail-1/n2-sq2-cq2"])
def test_what_a_model_resets_by_hand_is_found(name: str) -> None:
    """How far an index moved is of no interest once EventIdx was looked at: to say so in the model saves no state."""
    instance = from_name(name)
    system, asked = instance.system, properties(instance.machine, instance.system)

    def kept(action: Action) -> Action:
        updates = {n: v for n, v in action.updates.items() if not (n.endswith(".moved") and v.op == "const")}
        return dataclasses.replace(
            action, updates=updates if action.family.startswith(("need", "elide")) else action.updates
        )

    untidy = dataclasses.replace(system, actions=tuple(kept(action) for action in system.actions))
    plain, reduced = (explicit.check(untidy, asked, reductions=chosen) for chosen in (NONE, REDUCTIONS))
    assert plain.states > explicit.check(system, asked).states
    assert reduced.states == explicit.check(system, asked, reductions=REDUCTIONS).states
