"""The engines that leave the search to Z3, on systems with known answers."""

from __future__ import annotations

import pytest
from budgets import examples, spread
from hypothesis import given, settings
from toys import IN_RANGE, TOYS, Toy, counter, draw, lasting, never, pictures, verdict
from uncork.core.expr import any_of, boolean
from uncork.core.property import Always, NotForever, always
from uncork.core.sorts import Bool
from uncork.core.system import Record, System, var
from uncork.core.trace import ReplayError
from uncork.core.verdict import Open, Proved, Refuted
from uncork.decide.agreement import contradictions
from uncork.engines import Budget, Progress, Stop, explicit, quiet
from uncork.engines.symbolic import bmc, induction
from uncork.engines.symbolic.liveness_to_safety import safe
from uncork.engines.symbolic.solver import Effort
from uncork_nvme.instance import from_name
from uncork_nvme.state.machine import Machine
from uncork_properties.catalogue import properties
from uncork_properties.lemmas import lemmas

LITTLE = 2_000_000
HANGS, LIVE = "propolis-2025/linux/tail/n1-sq2-cq2", "propolis-2026/linux/tail-1/n1-sq2-cq2"


def asked(name: str, *rows: str):
    instance = from_name(name)
    return instance, [p for p in properties(instance.machine, instance.system) if not rows or p.row in rows]


# -- bounded model checking --------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("toy", "shortest"),
    [*((toy, False) for toy in TOYS), *spread([(toy, True) for toy in TOYS], 3)],
    ids=[f"{toy.name}-{how}" for how in ("sweeps", "single steps") for toy in TOYS],
)
def test_bmc_refutes_what_is_false_and_proves_nothing(toy: Toy, *, shortest: bool) -> None:
    outcome = bmc.check(toy.system, [toy.prop], shortest=shortest, effort=LITTLE // 10)
    found = verdict(outcome)
    assert isinstance(found, Open if toy.refuted is None else Refuted)
    if isinstance(found, Open):
        assert found.depth > toy.states  # deep enough for every loop
    elif shortest and not toy.refuted[1]:
        assert found.trace.stem == toy.refuted[0]


@settings(max_examples=examples(12), deadline=None)
@given(pictures())
def test_bmc_agrees_with_the_explicit_engine_on_random_systems(picture) -> None:
    system, asked_ = picture
    exact = explicit.check(system, asked_)
    for shortest in (False, True):
        for (prop, a), (_, b) in zip(
            exact.verdicts, bmc.check(system, asked_, shortest=shortest, effort=LITTLE // 10).verdicts, strict=True
        ):
            assert isinstance(b, Refuted if isinstance(a, Refuted) else Open), prop
            names = {"explicit": a, "single steps" if shortest else "sweeps": b}
            assert not list(contradictions(prop, names))


@pytest.mark.slow
@pytest.mark.parametrize(
    "shortest", [pytest.param(False, id="sweeps"), pytest.param(True, id="single steps", marks=pytest.mark.deep)]
)
def test_bmc_sees_a_variable_leave_its_range(*, shortest: bool) -> None:
    found = verdict(bmc.check(counter(3, 4), [IN_RANGE], shortest=shortest, effort=LITTLE // 10))
    assert isinstance(found, Refuted)
    assert [state["r.n"] for state in found.trace.states] == [0, 1, 2, 3, 4]
    assert isinstance(verdict(bmc.check(counter(4, 4), [IN_RANGE], shortest=shortest, effort=LITTLE // 10)), Open)


def test_bmc_decides_a_system_without_any_action() -> None:
    r = Record("r", b=var(Bool(), ""))
    found = verdict(bmc.check(System("still", r.variables, ()), [lasting(~r.b)]))
    assert isinstance(found, Refuted)
    assert found.trace.stuck


@pytest.mark.slow
@pytest.mark.deep
def test_single_steps_find_runs_as_short_as_any() -> None:
    instance, wanted = asked(HANGS, "drains")
    exact = verdict(explicit.check(instance.system, wanted))
    found = verdict(bmc.check(instance.system, wanted, shortest=True))
    assert isinstance(exact, Refuted) and isinstance(found, Refuted)
    assert found.trace.stuck
    assert found.trace.stem == exact.trace.stem == 23


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        pytest.param("propolis-2025/linux/tail/n1-sq4-cq4", marks=pytest.mark.deep),
        "propolis-2025/linux/never/n2-sq2-cq2",
        pytest.param("propolis-2025/linux/tail/n8-sq4-cq4", marks=pytest.mark.deep),  # no explicit search comes near
    ],
)
def test_sweeps_find_a_hang(name: str) -> None:
    instance, wanted = asked(name, "drains")
    found = verdict(bmc.check(instance.system, wanted[:1]))
    assert isinstance(found, Refuted)
    assert found.trace.stuck


@pytest.mark.deep
def test_sweeps_find_a_loop_that_starves_an_sq() -> None:
    instance, wanted = asked("arm-recheck/linux/tail-1/n2-sq2-cq2", "progress")
    found = verdict(bmc.check(instance.system, wanted[:1]))
    assert isinstance(found, Refuted)
    assert found.trace.loop_steps > 0


@pytest.mark.slow
@pytest.mark.deep
def test_bmc_gives_the_same_trace_for_the_same_question() -> None:
    instance, wanted = asked(HANGS, "drains")
    first, *others = (verdict(bmc.check(instance.system, wanted)) for _ in range(2))
    assert all(other == first for other in others)


def test_a_trace_of_z3_that_does_not_replay_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    toy = next(toy for toy in TOYS if toy.refuted == (1, 0))
    monkeypatch.setattr(bmc.Unrolling, "run", lambda *_: ([toy.system.initial], [], [0] * 99))
    with pytest.raises(ReplayError):
        bmc.check(toy.system, [toy.prop], effort=LITTLE)


# -- liveness to safety ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("toy", [t for t in TOYS if isinstance(t.prop, NotForever)], ids=lambda toy: toy.name)
def test_a_loop_is_bad_exactly_if_its_end_is(toy: Toy) -> None:
    system, always = safe(toy.system, toy.prop)
    assert isinstance(verdict(explicit.check(system, [always])), Proved if toy.refuted is None else Refuted)


@pytest.mark.slow
@settings(max_examples=examples(100), deadline=None)
@given(pictures())
def test_liveness_to_safety_keeps_the_verdict_of_random_systems(picture) -> None:
    original, (prop, *_) = picture
    system, always = safe(original, prop)
    assert type(verdict(explicit.check(system, [always]))) is type(verdict(explicit.check(original, [prop])))


@pytest.mark.slow
@pytest.mark.parametrize("name", [HANGS, LIVE, "mmio/linux/tail/n1-sq2-cq2"])
def test_liveness_to_safety_keeps_the_verdict_of_a_machine(name: str) -> None:
    instance, wanted = asked(name, "uncorked", "progress")
    for prop in wanted:
        system, always = safe(instance.system, prop)
        assert type(verdict(explicit.check(system, [always]))) is type(verdict(explicit.check(instance.system, [prop])))


# -- induction ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("toy", TOYS, ids=lambda toy: toy.name)
def test_induction_proves_what_is_true_and_refutes_nothing(toy: Toy) -> None:
    found = verdict(induction.check(toy.system, [toy.prop], effort=20 * LITTLE))
    assert isinstance(found, Proved if toy.refuted is None else Open)


def test_induction_proves_nothing_where_a_variable_leaves_its_range() -> None:
    outside, inside = counter(3, 4), counter(4, 4)
    assert isinstance(verdict(induction.check(inside, [IN_RANGE], effort=LITTLE)), Proved)
    assert isinstance(verdict(induction.check(outside, [IN_RANGE], effort=LITTLE)), Open)
    assert isinstance(verdict(induction.check(outside, [never_true()], effort=LITTLE)), Open)


def never_lost(machine: Machine, system: System) -> list[Always]:
    """That no state is stuck while an SQ has published entries and sleeping workers."""
    going = any_of(action.guard for action in system.actions if action.fair)
    return [always(q.label, "uncorked", ~((q.pending > 0) & q.asleep) | going) for q in machine.sqs]


def never_true() -> Always:
    return Always("true", "toy", "", boolean(True), never(draw("a go b"), "b").blame)


@pytest.mark.parametrize("suggested", [True, False], ids=["all states", "no state"])
def test_what_spacer_suggests_is_checked(monkeypatch: pytest.MonkeyPatch, *, suggested: bool) -> None:
    import z3

    toy = next(toy for toy in TOYS if isinstance(toy.prop, NotForever) and toy.refuted)
    monkeypatch.setattr(induction, "suggest", lambda *_: z3.BoolVal(suggested, z3.Context()))
    assert isinstance(verdict(induction.check(toy.system, [toy.prop], effort=LITTLE)), Open)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "propolis-2026/linux/tail-lag/n1-sq4-cq4",
        "mmio/linux/tail/n1-sq3-cq3",
        "arm-recheck/linux/arm-on-cork/n1-sq2-cq2",
        pytest.param("arm-recheck/linux/arm-on-cork/n1-sq4-cq3", marks=pytest.mark.deep),
        pytest.param("propolis-2026/spdk/head/n1-sq8-cq8", marks=pytest.mark.deep),
        pytest.param("arm-recheck/linux/tail-1/n2-sq2-cq2/cork=park", marks=pytest.mark.deep),
    ],
)
def test_no_wake_up_is_lost_by_the_lemmas(name: str) -> None:
    instance, wanted = asked(name, "safety")
    wanted += never_lost(instance.machine, instance.system)
    outcome = induction.check(instance.system, wanted, lemmas=[*lemmas(instance.machine)], effort=5 * LITTLE)
    assert all(isinstance(found, Proved) for _, found in outcome.verdicts)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [HANGS, pytest.param("propolis-2026/linux/tail-lag/n1-sq2-cq2", marks=pytest.mark.deep)]
)
def test_the_lemmas_do_not_show_it_of_devices_that_lose_one(name: str) -> None:
    """The second deadlocks with no step at all enabled: a question about states that have a next one would miss it."""
    instance, _ = asked(name)
    lost = never_lost(instance.machine, instance.system)
    found = verdict(induction.check(instance.system, lost[:1], lemmas=[*lemmas(instance.machine)], effort=LITTLE))
    assert isinstance(found, Open)


@pytest.mark.slow
@pytest.mark.parametrize("name", [HANGS, pytest.param(LIVE, marks=pytest.mark.deep)])
def test_the_random_run_drops_no_lemma_that_z3_keeps(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    machine, system = from_name(name).machine, from_name(name).system
    candidates, kept = [lemma.condition for lemma in lemmas(machine)], list[list[int]]()
    for states in (1, 1500):
        monkeypatch.setattr(induction, "_WALK", states)
        prover = induction._Prover(system, Effort(None, 5 * LITTLE, quiet))
        prover.learn(candidates)
        kept.append([*map(id, prover.facts)])
    assert kept[0] == kept[1]
    assert 0 < len(kept[0]) < len(candidates)


# -- budgets -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("check", [bmc.check, induction.check])
def test_a_spent_budget_of_a_symbolic_engine_is_open(check) -> None:
    instance, wanted = asked(LIVE, "uncorked")
    assert isinstance(verdict(check(instance.system, wanted, budget=Budget(seconds=0))), Open)
    assert isinstance(verdict(check(instance.system, wanted, effort=1000)), Open)

    def stop(_: Progress) -> None:
        raise Stop("enough")

    outcome = check(instance.system, wanted, report=stop)
    assert outcome.stopped == "enough"
    assert verdict(outcome) == Open("enough", 0)
