"""x86-TSO for every size: which designs have the same runs with store buffers, and that a fence taken out is missed.

The check rests on which steps store and which wait, read off the machine with store buffers. Tests compare that machine
with the one without, step by step; and what is proved with what the explicit engine finds of the machine with buffers.
"""

from __future__ import annotations

import csv
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from pages import RECORDED
from proofs import ANY, ONE, design, part
from repository import ROOT
from test_proofs_of_random_designs import drawn
from uncork.core.evaluate import evaluate, holds
from uncork.core.expr import Expr
from uncork.core.questions.argument import Argument, Lemma
from uncork.core.questions.buffered import Buffered
from uncork.core.sorts import Array, Bool, Enum, Range, Ring, SlipError, Sort
from uncork.core.system import Action, System
from uncork.core.verdict import Refuted
from uncork.engines import REDUCTIONS, Budget, explicit
from uncork.engines.deductive import buffered as obligations
from uncork.engines.deductive import certificate
from uncork.engines.deductive.obligations import ranges
from uncork.engines.deductive.prove import Solver
from uncork.prove import proof
from uncork_nvme.anysize import AnySize
from uncork_nvme.choices import ChoiceError, parse
from uncork_nvme.instance import Design, Instance, InstanceError, system
from uncork_nvme.state import stores
from uncork_nvme.state.memory import Queue
from uncork_properties.catalogue import ROWS, properties

FENCES = ("guest_fence", "device_fence_sq", "device_fence_cq")


def tso(name: str, *without: str) -> Design:
    """A design with store buffers, and without some fences."""
    of = design(name)
    return replace(of, overrides={**of.overrides, "memory": "tso", **dict.fromkeys(without, "no")})


def failed(of: Design, several: bool) -> set[str]:
    """The obligations that fail."""
    found = part(of.name, several).judgement
    return {failure.obligation.name for failure in [*found.broken, *found.failures]}


def missed(argument: Argument, kept: Sequence[Lemma]) -> set[str]:
    """The obligations about store buffers that fail."""
    by_step: dict[str, list[Any]] = {}
    for each in obligations.everything(argument, kept):
        by_step.setdefault(each.step, []).append(each)
    solver = Solver(argument)
    return {failure.obligation.name for wanted in by_step.values() for failure in solver.broken(wanted)}


# -- what is proved, and which fences that needs -----------------------------------------------------------------------
SUFFICIENT = [
    *("hand-over/linux/reserve-permits", "hand-over/linux/tail-1", "hand-over/linux/head-when-full"),
    *("hand-over/linux/reserve-permits/backend=detached", "arm-recheck/linux/arm-on-cork", "mmio/linux/tail"),
    *("arm-recheck/linux/tail-1/cork=park", "arm-recheck/spdk/arm-on-cork", "arm-recheck/linux/arm-on-cork/workers=2"),
    "arm-recheck/linux/arm-on-cork/backend=detached",
]
NEEDED = [
    # a design, the fence taken out, and a step that then reads too early
    ("hand-over/linux/tail-1", "guest_fence", "submit(SQ0) stores sq0.shadow, after need_sq(SQ0)"),
    ("hand-over/linux/tail-1", "guest_fence", "publish stores cq.shadow, after elide_cq"),
    ("hand-over/linux/reserve-permits/backend=detached", "device_fence_cq",
     "post_arm(SQ0) stores cq.event, after post_read(SQ0)"),
    ("arm-recheck/linux/arm-on-cork", "device_fence_cq", "cork_arm(SQ0) stores cq.event, after cork_park(SQ0)"),
    ("arm-recheck/linux/arm-on-cork", "device_fence_sq", "arm_sq(SQ0) stores sq0.event, after reread_sq(SQ0)"),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "without", "says", "several"),
    [
        pytest.param(*each, several, marks=[] if k in (0, 4) and not several else [pytest.mark.deep])
        for k, each in enumerate(NEEDED) for several in (ONE, ANY)
    ],
)  # fmt: skip
def test_a_fence_taken_out_leaves_a_step_that_does_not_wait(name: str, without: str, says: str, several: bool) -> None:
    found = part(tso(name, without).name, several)
    assert f"thread stands still: {says}" in failed(tso(name, without), several)
    assert not found.proved


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "several"),
    [
        pytest.param(name, several, marks=[] if (name, several) == (SUFFICIENT[0], ONE) else [pytest.mark.deep])
        for name in SUFFICIENT for several in (ONE, ANY) if not (several and name == "mmio/linux/tail")
    ],
)  # fmt: skip
def test_with_all_fences_the_same_is_proved_as_without_buffers(name: str, several: bool) -> None:
    found = part(tso(name).name, several)
    assert {"safety", "uncorked", "drains"} <= set(found.proved) or "workers=2" in name
    assert ("progress" in found.proved) is (not several or "hand-over" in name)


def recorded() -> Iterator[tuple[Design, Instance, Mapping[str, str]]]:
    """The instances whose verdicts with store buffers are recorded, each with its design."""
    with (RECORDED / "memory.csv").open() as file:
        for row in csv.DictReader(file):
            choices = dict(parse(each) for each in row["overrides"].split(";") if each)
            of = Design(row["device"], row["guest"], row["policy"], choices)
            yield of, of.at(int(row["sqs"]), int(row["sq_size"]), int(row["cq_size"])), row


def covered() -> dict[str, tuple[Design, list[Mapping[str, str]]]]:
    """The designs of these of which there is a proof to try, each with its verdicts."""
    found: dict[str, tuple[Design, list[Mapping[str, str]]]] = {}
    for of, _, row in recorded():
        found.setdefault(of.name, (of, []))[1].append(row)
    for name, (of, _) in list(found.items()):
        try:
            proof.argued(of, several=ONE, least=2)
        except (SlipError, ChoiceError, InstanceError):
            del found[name]
    return found


def agrees(of: Design, rows: Sequence[Mapping[str, str]], proved: Sequence[str], least: int) -> bool:
    """Whether no recorded verdict of a design refutes what is proved for every size."""
    return not any(row[prop].startswith("refuted") for row in rows for prop in proved if int(row["cq_size"]) >= least)


@pytest.mark.slow
@pytest.mark.deep
def test_no_recorded_verdict_with_store_buffers_contradicts_a_proof() -> None:
    """And each fence without which a design hangs is missed by the check."""
    designs, hangs = covered(), 0
    assert len(designs) > 20
    for of, rows in designs.values():
        found = proof.prove(of, ONE)[-1]
        assert agrees(of, rows, found.proved, found.least), of.name
        hangs += not agrees(of, rows, list(ROWS), 3)
    assert hangs > 5


@pytest.mark.slow
@pytest.mark.deep
@pytest.mark.parametrize("seed", range(200))
def test_what_is_proved_of_a_random_design_with_store_buffers_is_refuted_at_no_size(seed: int) -> None:
    of, several = drawn(seed)
    chosen = random.Random(seed)
    of = replace(of, overrides={**of.overrides, "memory": "tso", chosen.choice(FENCES): chosen.choice(["yes", "no"])})
    try:
        found = proof.prove(of, several)[-1]
    except (SlipError, ChoiceError, InstanceError):
        return
    for shape in [(2, 2, 2)] if several else [(1, 2, 2), (1, 3, 2), (1, 2, 3), (1, 3, 3)]:
        if shape[2] < found.least:
            continue
        instance = of.at(*shape)
        wanted = [p for p in properties(instance.machine, instance.system) if p.row in found.proved]
        outcome = explicit.check(instance.system, wanted, budget=Budget(states=1_500_000), reductions=REDUCTIONS)
        assert not [p.name for p, verdict in outcome.verdicts if isinstance(verdict, Refuted)], instance.name


def test_queries_that_use_no_lemma_are_complete_scripts() -> None:
    """Each file defines all lemmas, and so declares the sizes of all."""
    argument, _ = proof.argued(tso(SUFFICIENT[0]), several=ANY, least=2)
    kept = [lemma.name for lemma in [*argument.lemmas, *ranges(argument)]]
    text = certificate.files(argument, kept)["looks-too-early.smt2"]
    assert {answer.said for answer in certificate.ask("z3", text)} == {"unsat"}


# -- what the check is made of -----------------------------------------------------------------------------------------
@pytest.mark.slow
def test_each_condition_fails_where_what_it_asks_is_not_so() -> None:
    of = tso(SUFFICIENT[0])
    found = part(of.name, ONE).judgement
    buffers = found.argument.buffered
    assert buffers is not None

    def kinds(**changed: Any) -> set[str]:
        other = replace(found.argument, buffered=replace(buffers, **changed))
        return {each.partition(":")[0] for each in missed(other, found.kept)}

    assert not kinds()
    early = [replace(each, waits=each.waits - {"post(SQ0)"}) for each in buffers.early]
    assert "one store at a time" in kinds(early=early)
    assert "one step looks" in kinds(lookers=buffers.lookers | {"wake(SQ0)"})
    hasty = [replace(each, waits=each.waits - {"post_read(SQ0)"}) for each in buffers.late]
    assert kinds(late=hasty) == {"thread stands still"}


@pytest.mark.slow
def test_a_guest_that_must_not_leave_its_loop_early_would_notice_that_a_cqe_waits() -> None:
    """The twin of the guest that may leave its loop at any time, by which the runs with buffers are found."""
    buffers = part(tso(SUFFICIENT[0]).name, ONE).judgement.argument.buffered
    strict, _ = proof.argued(design(SUFFICIENT[0]), several=ONE, least=2)
    early = missed(replace(strict, buffered=buffers), [])
    assert any(each.startswith("looks too early") and "leave_loop" in each for each in early)


@pytest.mark.slow
@pytest.mark.deep
def test_a_kick_before_the_store_has_arrived_is_noticed() -> None:
    """Where a worker is notified in the step that stores EventIdx, the notification overtakes the store."""
    name = "arm-recheck/linux/tail-1/cork=park,backend=detached-repoll,post_order=read-then-arm"
    assert "nobody notices: post_arm(SQ0) stores cq.event, after deliver(SQ0)" in failed(tso(name), ONE)


# -- the machine with store buffers is the other one, with stores that wait --------------------------------------------
ALIKE = ["hand-over/linux/reserve-permits", "arm-recheck/linux/arm-on-cork/workers=2,early_free=no",
         "arm-recheck/spdk/tail-1/cork=park,backend=detached"]  # fmt: skip


def anything(sort: Sort, chosen: random.Random) -> Any:
    match sort:
        case Bool():
            return chosen.random() < 0.5
        case Enum(names):
            return chosen.choice(names)
        case Ring(size):
            return chosen.randrange(size)
        case Range(low, high):
            return chosen.randint(low, high)
        case Array(size, element):
            return tuple(anything(element, chosen) for _ in range(size))


def differences(like: Instance, plain: Instance, rounds: int) -> set[str]:
    """The steps that differ in the two machines, in random states: with empty buffers, and with one store in one."""
    steps, system = {action.name: action for action in plain.system.actions}, like.system
    places = stores._stored(like.machine, system, plain.system)
    waits = {key: stores._waiting(place, system) for key, place in places.items()}
    empty = {
        v.name: v.initial for buffer in like.machine.buffers for record in buffer.records for v in record.variables
    }
    chosen, found = random.Random(0), set[str]()
    for _ in range(rounds):
        state = {v.name: anything(v.sort, chosen) for v in system.variables} | empty
        for action in system.actions:
            if action.name in steps and unlike(action, steps[action.name], state):
                found.add(action.name)
        for store in system.actions:
            before = standing(system, store, state) if stores._key(store) in places else None
            if before is None or {**(after := system.after(before, store)), **empty} == after:
                continue  # it stores what is in memory already
            for action in system.actions:
                if stores._key(action) in waits[stores._key(store)]:
                    if holds(action.guard, after):
                        found.add(f"{action.name}, which does not wait for {store.name}")
                elif action.name in steps and holds(action.guard, after) != holds(steps[action.name].guard, after):
                    found.add(f"{action.name}, after {store.name}")
    return found


def standing(system: System, action: Action, state: Mapping[str, Any]) -> dict[str, Any] | None:
    """A state in which a step may be taken: this one, with its thread where it has to be, and with free locks."""
    sorts = {v.name: v.sort for v in system.variables}
    freed = {name: False for name in sorts if name.endswith((".locked", ".popping", ".granted"))}
    for name in action.updates:
        sort = sorts[name]
        for value in sort.names if isinstance(sort, Enum) else ():
            tried = {**state, **freed, name: value}
            if holds(action.guard, tried):
                return tried
    return None


def unlike(action: Action, plain: Action, state: Mapping[str, Any]) -> bool:
    """Whether a step is another one in the machine without buffers, apart from where its store goes."""
    both = action.updates.keys() & plain.updates.keys()
    return holds(action.guard, state) != holds(plain.guard, state) or any(
        evaluate(action.updates[name], state) != evaluate(plain.updates[name], state) for name in both
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", ALIKE)
def test_the_steps_are_those_without_buffers_but_for_stores_that_wait(name: str) -> None:
    of = tso(name)
    plain = replace(of, overrides={**of.overrides, "memory": "sc"})
    assert not differences(of.at(2, 3, 3), plain.at(2, 3, 3), 20)


@pytest.mark.slow
def test_a_step_that_is_another_one_with_store_buffers_is_seen() -> None:
    of = tso(ALIKE[0])
    other = replace(of, overrides={**of.overrides, "memory": "sc", "need_event": "closed"})
    assert differences(of.at(2, 3, 3), other.at(2, 3, 3), 20)


def test_a_step_that_waits_for_some_places_in_line_only_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """The twin of what is read off the guards: a store that waits second is asked about, too."""
    like = tso(ALIKE[0]).at(1, 3, 3)
    (line,) = [each for each in like.machine.buffers if isinstance(each, Queue)]
    (cqe,) = [place for place in line.places if place.what == "CQE"]
    assert len(list(stores._while_waiting(cqe))) > 1
    known = stores._waiting(cqe, like.system)
    first = [next(stores._while_waiting(cqe))]
    monkeypatch.setattr(stores, "_while_waiting", lambda _: first)
    assert known <= stores._waiting(cqe, like.system)


def read_off(of: Design, guards: Mapping[str, Expr] | None = None, without: str = "") -> Buffered:
    """What is read off the machine with store buffers where some guards are others, or a step is not there."""
    plain = replace(of, overrides={**of.overrides, "memory": "sc"})
    like, machine = of.at(1, 3, 3), AnySize(plain.at(1, 2, 2).assembled, plain.at(1, 2, 2).machine.policy, several=ONE)
    found = system("any size", machine)
    asked = [replace(a, guard=(guards or {}).get(a.name, a.guard)) for a in like.system.actions]
    return stores.buffered(
        machine,
        replace(found, actions=tuple(a for a in found.actions if a.name != without)),
        like.machine,
        replace(like.system, actions=tuple(asked)),
        plain.at(1, 3, 3).system,
    )


def test_a_machine_of_other_steps_is_refused() -> None:
    of = tso("hand-over/linux/tail-1")
    assert read_off(of).late
    with pytest.raises(SlipError, match="other steps"):
        read_off(of, without="wake(SQ0)")


@pytest.mark.parametrize("name", ["hand-over/linux/tail-1", "arm-recheck/linux/arm-on-cork"])
def test_a_step_that_waits_for_some_contents_of_a_buffer_only_is_refused(name: str) -> None:
    of = tso(name)
    like = of.at(1, 3, 3)
    (worker,) = like.machine.sqs[0].workers
    wake, buffer, event = like.system.action("notify(SQ0)").guard, worker.buffer, worker.sq_event
    assert "notify(SQ0)" in read_off(of, {"notify(SQ0)": wake & buffer.drained}).late[-1].waits
    moves = buffer.line.by0 if isinstance(buffer, Queue) else event.wait0
    first = ~(event.oldest if isinstance(buffer, Queue) else moves == 2)
    for some in (moves != 1, first):
        with pytest.raises(SlipError, match=r"notify.SQ0. may be taken or not by what is in a store buffer"):
            read_off(of, {"notify(SQ0)": wake & some})


def asked_of(argument: Argument, *steps: Action) -> set[str]:
    """The obligations about store buffers where some steps are others, or there are more."""
    known = {step.name: step for step in (*argument.system.actions, *steps)}
    changed = replace(argument, system=replace(argument.system, actions=tuple(known.values())))
    return {each.name for each in obligations.everything(changed, [])}


def test_a_step_that_reads_stores_of_its_own_and_of_another_sq_is_asked_about_any_number() -> None:
    argument, _ = proof.argued(tso("hand-over/linux/tail-1"), several=ANY, least=2)
    assert argument.buffered is not None
    freely = [replace(each, waits=frozenset()) for each in argument.buffered.late]
    argument = replace(argument, buffered=replace(argument.buffered, late=freely))
    step, other = argument.system.action("reread_sq(SQ0)"), argument.system.action("arm_sq(SQ1)")
    says = "nobody notices: stores of any number of replicas, after reread_sq(SQ0)"
    assert says not in asked_of(argument)
    assert says in asked_of(argument, replace(step, guard=step.guard & other.guard))


def test_a_step_of_the_thread_that_moves_nowhere_is_asked_about_as_its_own() -> None:
    argument, _ = proof.argued(tso("hand-over/linux/tail-1"), several=ONE, least=2)
    step = argument.system.action("submit(SQ0)")
    peek = replace(step, name="peek(SQ0)", updates={"sq0.moved": step.updates["sq0.moved"]})
    assert "thread stands still: submit(SQ0) stores sq0.shadow, after peek(SQ0)" in asked_of(argument, peek)


@pytest.mark.parametrize("other", ["hand-over/linux/tail-1/events=delete+create", "arm-recheck/linux/head/threads=one"])
def test_events_and_a_single_thread_are_refused(other: str) -> None:
    of = design(f"{other},memory=tso")
    with pytest.raises(SlipError, match=r"(events=delete.create|threads=one) and memory=tso are not proved together"):
        proof.argued(of, several=ANY, least=2)


def test_parts_of_ones_own_are_refused() -> None:
    of = Design(f"{ROOT}/examples/devices/watchdog.py:mine", "linux", "tail-1", {"memory": "tso"})
    with pytest.raises(SlipError, match="memory=tso are not proved together"):
        proof.argued(of, several=ONE, least=2)
