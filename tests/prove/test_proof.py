"""Proofs for all sizes: which designs are proved, which step breaks which lemma where one is not, and that it is so.

Every proof here has a twin that must fail: something is taken out of the design, and the obligation that stood for it
is the one that fails, by name.
"""

from __future__ import annotations

import importlib
import itertools
import random
from dataclasses import astuple, replace
from typing import Any

import pytest
from budgets import examples
from pages.proofs import found
from proofs import ANY, ONE, Walk, broken, design, hangs, mutant, once, part, unwound
from uncork.core.evaluate import evaluate, holds
from uncork.core.expr import Expr, ite, minimum, nodes
from uncork.core.size import Undecided
from uncork.core.sorts import Ring
from uncork.core.verdict import Proved
from uncork.engines import REDUCTIONS, explicit
from uncork.engines.deductive import judge
from uncork.prove import proof
from uncork_nvme.anysize import AnySize, anywhere
from uncork_nvme.instance import Design, system
from uncork_nvme.policies import policy
from uncork_properties import matrix, recorded_proofs
from uncork_properties.argument import argument
from uncork_properties.catalogue import properties
from uncork_properties.lemmas import gap, lemmas
from uncork_properties.recorded_proofs import Line


# -- what is proved ----------------------------------------------------------------------------------------------------
def asked(line: Line) -> Line:
    return replace(line, least=2, proved="", breaks="")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cork", "several"),
    [
        *(("park", ONE), ("arm-recheck", ONE)),
        *(pytest.param(cork, ANY, marks=pytest.mark.deep) for cork in ("park", "arm-recheck")),
    ],
)
def test_any_position_from_the_head_to_before_the_tail_will_do(cork: str, several: bool) -> None:
    """Which position is then a matter of cost, if it is written before the read, and kicks are where they must be."""
    choices = design(f"arm-recheck/linux/head/cork={cork}").at(1, 2, 2).assembled
    machine = AnySize(choices, policy(anywhere), several=several)
    made = system("anywhere", machine)
    found = judge(argument(machine, made))
    assert not found.failures
    assert {"uncorked SQ0", "drains SQ0"} <= {p.name for p in properties(machine, made) if found.proves(p)}


WAKE = "consecution: wake-up on its way of {}, after {}"
TWINS = [
    # what is taken out, of which design, and the step after which a corked SQ has no wake-up any more
    ("the kick at a remit", "arm-recheck/linux/arm-on-cork/kick_on_remit=no", ANY, {("SQ1", "remit(SQ0)")}),
    ("the kick at a remit", "mmio/linux/tail", ANY, {("SQ1", "remit(SQ0)")}),
    ("the kick at a post", "arm-recheck/linux/arm-on-cork/kick_on_post=no", ANY, {("SQ1", "post_arm(SQ0)")}),
    ("the kick at a re-check", "arm-recheck/linux/arm-on-cork/kick_on_reserve=no", ANY, {("SQ1", "cork_arm(SQ0)")}),
    ("the kick at a doorbell", "arm-recheck/linux/arm-on-cork/kick_on_doorbell=no", ONE, {("SQ0", "need_cq")}),
    ("arm before read", "arm-recheck/linux/tail-1/cork=park,backend=detached,post_order=read-then-arm", ANY,
     {("SQ1", "post_arm(SQ0)"), ("SQ0", "post_arm(SQ0)")}),
    ("arm, fence, re-read at a cork", "arm-recheck/linux/arm-on-cork/cork=park", ONE, {("SQ0", "cork(SQ0)")}),
    ("EventIdx one further", "propolis-2026/linux/tail", ONE, {("SQ0", "cork(SQ0)")}),
    ("a CQ of three entries", "propolis-2026/linux/tail-lag", ONE, {("SQ0", "cork(SQ0)")}),
]  # fmt: skip


PROVED_DEEP = {
    *("kick_on_remit=no", "kick_on_post=no", "kick_on_reserve=no"),
    "cork=park,backend=detached,post_order=read-then-arm",
}
"""Twins with several SQs of which the same is shown by others; that they hang is shown of all of them, below."""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("what", "name", "several", "breaks"),
    [
        pytest.param(*twin, marks=[pytest.mark.deep] if twin[1].rpartition("/")[2] in PROVED_DEEP else [])
        for twin in TWINS
    ],
)
def test_a_part_taken_out_breaks_the_obligation_that_stands_for_it(
    what: str, name: str, several: bool, breaks: set[tuple[str, str]]
) -> None:
    found = part(name, several)
    swap = {"SQ0": "SQ1", "SQ1": "SQ0"}
    mirrored = {(swap[q], step.translate(str.maketrans("01", "10"))) for q, step in breaks} if several else set()
    assert broken(found) == {WAKE.format(*each) for each in breaks | mirrored}
    assert {"uncorked", "drains"}.isdisjoint(found.proved)
    assert "safety" in found.proved
    state = found.judgement.broken[0].state
    assert state and state["C"] >= 2


READS_ONCE = "arm-recheck/linux/arm-on-cork/sq_read=wake,sq_arm=idle,sq_event=tail"
"""A design that reads the SQ tail as a worker wakes up, and once more before it sleeps."""
MUTANTS = [
    ("no look before a CQ is called full", "full", "_rechecks(m, w) & (_arming(m).room(m) == 0)",
     "_rechecks(m, w) & (_arming(m).room(m) >= 0)",
     "arm-recheck/linux/arm-on-cork", "wake-up on its way of SQ0, after cork_park(SQ0)"),
    ("no SQ EventIdx after a fetch", "reader", '("arm", "reread") if self.chosen.sq_reread',
     '("reread",) if self.chosen.sq_reread',
     "propolis-2026/linux/tail-1", "a doorbell or a cork of SQ0, after elide_sq(SQ0)"),
    ("SQ EventIdx one further", "reader", '"head": q.head,', '"head": q.head + 1,',
     "propolis-2026/linux/tail-1", "a doorbell or a cork of SQ0, after elide_sq(SQ0)"),
    ("an SQ corked and not recorded", "room.kicks", 'return q(corked=True)\n', 'return q(corked=False)\n',
     "propolis-2026/linux/tail-1", "a doorbell or a cork of SQ0, after cork(SQ0)"),
    ("a doorbell that notifies nobody", "crew", "[crew.delivered(q, awake & q.served), *", "[*",
     "propolis-2026/linux/tail-1", "a doorbell or a cork of SQ0, after notify(SQ0)"),
    ("a kick that wakes nobody", "state.kicks", "True) if q is also else q.corked",
     "True) if q is also else ~q.corked",
     "propolis-2026/linux/tail-1", "a doorbell or a cork of SQ0, after kick"),
    ("need-event too quiet by one", "guest", "past < by if", "past < by - 1 if",
     "propolis-2026/linux/tail-1", "wake-up on its way of SQ0, after elide_cq"),
    ("a poster that rests from what is queued", "completions", "p.scheduled | (m.queued > 1)", "p.scheduled",
     "qemu/linux/head", "a CQ doorbell for queued completions, after post_queued(SQ0)"),
    ("a doorbell that posts if the CQ has room for one", "completions", "full = m.cq.available == 0",
     "full = m.cq.available == 1", "qemu/linux/head", "a CQ doorbell for queued completions, after notify_head"),
    ("a completion that queues, and nobody posts", "completions", "p(scheduled=True)).says",
     "p(scheduled=p.scheduled)).says", "qemu/linux/head", "a CQ doorbell for queued completions, after complete(SQ0)"),
    ("SQ EventIdx one further at the end of an SQ", "reader", '"tail": q.tail,', '"tail": q.tail + 1,',
     READS_ONCE, "a doorbell or a cork of SQ0, after reread_sq(SQ0)"),
    ("entries found by the second read, and left", "reader", "reader.done(q, right & (q.seen == reader.compared(q)))",
     "reader.done(q, right)", READS_ONCE, "a doorbell or a cork of SQ0, after reread_sq(SQ0)"),
    ("a permit leaked", "admission", "kick.rest(cq.available + m.permit)", "kick.rest(cq.available + 0)",
     "propolis-2026/linux/tail-1", ""),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    "change",
    [pytest.param(m, id=m[0], marks=[pytest.mark.deep] if m in MUTANTS[-5:] else []) for m in MUTANTS],
)
def test_a_mutant_breaks_the_proof(change: tuple[str, ...]) -> None:
    _, module, old, new, name, obligation = change
    found, against = mutant(module, old, new, name, ONE)
    assert "drains SQ0" in against
    if obligation:
        assert f"consecution: {obligation}" in {failure.obligation.name for failure in found.broken}
    else:
        assert "permits" in {lemma.name for lemma in found.dropped}


ASKS_FOR_THE_SIZE = [
    "cq.tail if cq.size == 2 else cq.tail - 1",
    "cq.tail if cq.size <= 2 else cq.tail - 1",
    "cq.tail - 1 if cq.capacity - 1 else cq.tail",
    "cq.tail if cq.size in (4, 8) else cq.tail - 1",
    "cq.tail if cq.size in {4, 8} else cq.tail - 1",
    "{2: cq.tail}.get(cq.size, cq.tail - 1)",
    "cq.tail if cq.sqs == 3 else cq.tail - 1",
]


@pytest.mark.parametrize("formula", ASKS_FOR_THE_SIZE)
def test_a_policy_that_asks_for_the_size_is_refused(formula: str) -> None:
    """Python decides at once what is then asked of every size."""
    choices = design("arm-recheck/linux/tail/cork=park").at(1, 2, 2).assembled
    machine = AnySize(choices, policy(lambda cq: eval(formula)), several=True)
    with pytest.raises(Undecided):
        system("sizes", machine)


@pytest.mark.slow
@pytest.mark.parametrize("several", [ONE, pytest.param(ANY, marks=pytest.mark.deep)])
def test_a_policy_whose_numbers_depend_on_the_size_is_not_proved_live(several: bool) -> None:
    choices = design("arm-recheck/linux/tail/cork=park").at(1, 2, 2).assembled
    formula = policy(lambda cq: ite(minimum(1, 2) < cq.capacity, cq.tail - 1, cq.tail))
    machine = AnySize(choices, formula, several=several)
    made = system("sizes", machine)
    found = judge(argument(machine, made))
    assert not any(found.proves(p) for p in properties(machine, made) if p.row in ("uncorked", "drains"))


LOOKS = [
    # how the device looks at an SQ, and the step after which published entries wait for no doorbell; empty if none
    ("sq_read=wake,sq_event=tail", ""),
    ("sq_read=wake,sq_arm=idle,sq_event=tail", ""),
    ("sq_event=tail,sq_reread=no", ""),
    ("sq_read=wake,sq_event=tail,sq_reread=no", "find_empty(SQ0)"),
    ("sq_read=wake,sq_arm=idle,sq_event=tail,sq_reread=no", "arm_sq(SQ0)"),
    ("sq_event=tail-1", "find_empty(SQ0)"),
    ("sq_arm=never", "find_empty(SQ0)"),
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("looks", "breaks"),
    [pytest.param(*each, marks=[] if "wake,sq_arm=idle" in each[0] else [pytest.mark.deep]) for each in LOOKS],
)
def test_an_sq_is_armed_so_that_no_entry_waits_for_a_doorbell(looks: str, breaks: str) -> None:
    """Also that a design whose proof breaks really hangs, at a small size."""
    name = f"arm-recheck/linux/arm-on-cork/{looks}"
    found = part(name, ONE)
    first = next(iter(failure.obligation.name for failure in found.judgement.broken), "")
    assert first == (f"consecution: a doorbell or a cork of SQ0, after {breaks}" if breaks else "")
    assert ("uncorked" in found.proved) is not bool(breaks)
    assert hangs(name, (1, 3, 3)) is bool(breaks)


QUEUES = [
    # a device whose completions queue, how many SQs, and the step after which they wait for no doorbell; empty if none
    ("qemu/linux/head", ONE, ""),
    ("qemu/linux/head", ANY, ""),
    ("qemu-9.1/linux/head-when-full/sq_read=each,sq_arm=idle,backend=detached-repoll", ANY, ""),
    ("qemu/linux/head/post_order=read-then-arm", ANY, ""),
    ("qemu/linux/head-when-full/post_order=read-then-arm", ONE, "post_read"),
    ("qemu/linux/tail", ONE, "post_read"),
    ("qemu-7.1/linux/never", ANY, "post_read"),
    ("qemu/linux/head/on_full_doorbell=nothing", ONE, "need_cq"),
    ("openvmm/linux/head-when-full", ANY, ""),
    ("openvmm/linux/head-when-full/post_order=read-then-arm", ANY, "post_read"),
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "several", "breaks"),
    [pytest.param(*each, marks=[] if each in (QUEUES[5], QUEUES[8]) else [pytest.mark.deep]) for each in QUEUES],
)
def test_completions_that_stay_queued_have_a_cq_doorbell_coming(name: str, several: bool, breaks: str) -> None:
    """Also that a design whose proof breaks really hangs, at a small size. No SQ corks, and none starves."""
    found = part(name, several)
    first = next(iter(failure.obligation.name for failure in found.judgement.broken), "")
    assert first == (f"consecution: a CQ doorbell for queued completions, after {breaks}" if breaks else "")
    assert set(found.proved) == {"safety", "uncorked", "progress", *([] if breaks else ["drains"])}
    assert hangs(name, (2, 2, 2) if several else (1, 2, 2), "drains") is bool(breaks)


@pytest.mark.slow
def test_what_rests_on_a_lock_is_not_proved_if_the_lock_may_be_held_for_ever() -> None:
    armed = "_arms(m, w) & armed.written"
    stalls = f'{armed} & (q.submitter != "idle")'
    found, against = mutant("full", armed, stalls, "arm-recheck/linux/arm-on-cork/backend=detached", ANY)
    assert {failure.obligation.of for failure in found.failures} >= {"the CQ lock is released"}
    assert "uncorked SQ0" in against


@pytest.mark.slow
@pytest.mark.deep
def test_nothing_is_proved_where_two_may_hold_the_lock() -> None:
    found, against = mutant(
        "post", "(q.in_flight > 0) & m.cq.unlocked & m.parts", "(q.in_flight > 0) & m.parts",
        "arm-recheck/linux/arm-on-cork", ANY,
    )  # fmt: skip
    assert "CQ lock" in {lemma.name for lemma in found.dropped}
    assert {"permits conserved", "uncorked SQ0", "drains SQ0"} <= set(against)


REMIT = "mmio/linux/tail/kick_on_remit=yes"
"""The design that is live with any number of SQs and quickest to prove."""


@pytest.mark.slow
@pytest.mark.parametrize("name", [REMIT, pytest.param("arm-recheck/linux/arm-on-cork", marks=pytest.mark.deep)])
def test_a_kick_that_leaves_an_sq_corked_is_caught_by_its_frame(name: str) -> None:
    found, against = mutant(
        "state.kicks", "changed.append(q(corked=False))", "changed.append(q(corked=q.corked & (q.wakeups > 0)))",
        name, ANY,
    )  # fmt: skip
    assert any(f.obligation.about == "SQ1 if kicked" for f in found.failures)
    assert "drains SQ0" in against


@pytest.mark.slow
def test_nothing_is_said_of_what_was_not_asked() -> None:
    """With several SQs nothing is claimed of progress, and so it is not proved."""
    choices = design("mmio/linux/tail/kick_on_remit=yes").at(1, 2, 2).assembled
    machine = AnySize(choices, policy(lambda cq: cq.tail), several=True)
    made = system("asked", machine)
    found = judge(argument(machine, made))
    assert not found.failures
    assert not any(found.proves(p) for p in properties(machine, made) if p.row == "progress")


# -- that it is so -----------------------------------------------------------------------------------------------------
DESIGNS = [
    *("arm-recheck/linux/arm-on-cork", "arm-recheck/linux/tail-1/cork=park", "arm-recheck/linux/head/cork=park"),
    *("propolis-2026/linux/tail-1", "propolis-2026/linux/tail", "mmio/linux/tail", REMIT),
    READS_ONCE,
    "qemu/linux/head",
    *("arm-recheck/linux/arm-on-cork/backend=detached,kick_on_post=no", "arm-recheck/spdk/tail-lag"),
    *(
        "arm-recheck/lazy/arm-on-cork/workers=2,early_free=no,notify=kept,kick_delivery=at-once",
        "arm-recheck/linux/reserve-slots-size/cork=park",
    ),
]
LONGER = (*DESIGNS[-6:], "arm-recheck/linux/head/cork=park")
"""Those that no other test proves."""


@pytest.mark.slow
@pytest.mark.parametrize("several", [ONE, pytest.param(ANY, marks=pytest.mark.deep)])
def test_several_workers_drain_a_single_sq_and_not_several(several: bool) -> None:
    """Two SQs pass a permit on for ever where a spent notification wakes all their workers (`test_runs`)."""
    proved = part("arm-recheck/linux/arm-on-cork/workers=2", several).proved
    assert ("drains" in proved) is not several
    assert "uncorked" in proved


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "several"),
    [
        pytest.param(n, s, marks=[pytest.mark.deep] if (s and n != REMIT) or n in LONGER else [])
        for n in DESIGNS for s in (ONE, ANY) if "workers" not in n or not s
    ],
)  # fmt: skip
def test_what_is_proved_for_all_sizes_is_proved_at_each(name: str, several: bool) -> None:
    proved = set(part(name, several).proved)
    for shape in [(2, 2, 2)] if several else [(1, 2, 2), (1, 3, 2), (1, 3, 3), (1, 2, 4)]:
        instance = design(name).at(*shape)
        wanted = [p for p in properties(instance.machine, instance.system) if p.row in proved]
        for prop, verdict in explicit.check(instance.system, wanted, reductions=REDUCTIONS).verdicts:
            assert isinstance(verdict, Proved), (shape, prop.name)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "several"), [twin[1:3] for twin in TWINS])
def test_a_design_whose_proof_breaks_really_hangs(name: str, several: bool) -> None:
    """Each part that a proof needs is needed: without it an SQ stays corked at some small size."""
    shapes = [(2, 2, 2), (2, 2, 3)] if several else [(1, 2, 2), (1, 3, 3)]
    assert any(hangs(name, shape) for shape in shapes)


WALKED = [
    *("arm-recheck/linux/arm-on-cork", "propolis-2026/linux/tail-1", "propolis-2025/spdk/tail-lag", "mmio/linux/tail"),
    READS_ONCE,
    "arm-recheck/spdk/tail-1/sq_read=wake,sq_event=tail",
    "qemu/linux/head",
    "qemu-9.1/spdk/head/post_order=read-then-arm",
    "arm-recheck/lazy/head/workers=2,early_free=no",
    "arm-recheck/lazy/head/workers=2,early_free=no,notify=kept,kick_delivery=at-once",
    "arm-recheck/linux/tail-1/cork=park,backend=detached,threads=one",
    "femu/linux/head-1",
    "spdk-poll/spdk/never",
    "spdk-interrupt/linux/never",
    *("hand-over/linux/tail-1/workers=2", "hand-over/linux/reserve-permits/workers=2,backend=detached"),
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "several"),
    [
        pytest.param(n, s, marks=[pytest.mark.deep] if (s and n != "mmio/linux/tail") or n in WALKED[-11:] else [])
        for n in WALKED for s in (ONE, ANY)
    ],
)  # fmt: skip
def test_kept_lemmas_hold_along_runs_of_the_machine_itself(name: str, several: bool) -> None:
    """The machine of fixed sizes, with its array of CQ entries, is what the one of all sizes stands for."""
    found, chosen = part(name, several).judgement, random.Random(0)
    for shape in [(2, 2, 3), (2, 4, 4)] if several else [(1, 2, 2), (1, 4, 3)]:
        walk = Walk(design(name).at(*shape))
        kept = {lemma.name for lemma in found.kept}
        fixed = [lemma for lemma in lemmas(walk.instance.machine) if lemma.name in kept]
        for _ in range(examples(1000)):
            walk.step(chosen)
            seen = walk.seen(several)
            for lemma in found.kept:
                assert all(node.op != "wrap" for node in nodes([lemma.condition])), "lemmas speak of gaps"
                assert unwound(lemma.condition, seen), (lemma.name, walk.state)
            for lemma in fixed:
                assert holds(lemma.condition, walk.state), (lemma.name, walk.state)


def gaps_agree() -> bool:
    """Whether a run of a fixed size has the gaps of positions that do not wrap."""
    walk, chosen = Walk(design("arm-recheck/linux/arm-on-cork").at(1, 3, 3)), random.Random(0)
    machine = walk.instance.machine
    indices = [[Expr("var", (), v.sort, v.name) for v in queue.variables if isinstance(v.sort, Ring)]
               for queue in (machine.cq, *machine.sqs)]  # fmt: skip
    gaps = [(gap(a, b), a.value, b.value) for each in indices for a, b in itertools.permutations(each, 2)]
    for _ in range(200):
        walk.step(chosen)
        if any(evaluate(found, walk.state) != walk.at[a] - walk.at[b] for found, a, b in gaps):
            return False
    return True


def test_a_gap_at_a_fixed_size_is_that_of_positions_that_do_not_wrap(monkeypatch: pytest.MonkeyPatch) -> None:
    assert gaps_agree()
    heads = {queue: f"{queue}.head" for queue in ("cq", "sq0")}
    monkeypatch.setattr(  # EventIdx is ahead of the head, as the other indices are
        importlib.import_module("uncork_properties.lemmas"), "_counted",
        lambda index: index - Expr("var", (), index.sort, heads[index.value.partition(".")[0]]),
    )  # fmt: skip
    assert not gaps_agree()


# -- what is recorded --------------------------------------------------------------------------------------------------
def lines() -> list[Any]:
    """The designs that tests above have proved, or some step of which breaks the proof; the others are deep."""
    known = {
        (design(n).name, s)
        for n in [*(d for d in DESIGNS if d not in LONGER), *WALKED[:-11]]
        for s in ((ONE, ANY) if n == REMIT else (ONE,))
    }
    known |= {(design(twin[1]).name, twin[2]) for twin in TWINS if not twin[2] or twin[1] == "mmio/linux/tail"}
    found = []
    for line in recorded_proofs.designs():
        of = Design(line.device, line.guest, line.policy, line.choices).name
        marks = [] if (of, line.several) in known else [pytest.mark.deep]
        found.append(pytest.param(line, id="/".join(map(str, astuple(line)[:5])), marks=marks))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("line", lines())
def test_recorded_proofs_are_what_is_proved(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proof, "_part", once)
    recorded = [each for each in recorded_proofs.known() if asked(each) == line]
    assert recorded
    assert found(line) == recorded


def test_a_policy_that_divides_a_size_has_no_proof_for_every_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matrix, "POLICIES", ("reserve-slots", "half"))
    policies = {line.policy for line in recorded_proofs.designs()}
    assert "reserve-slots" in policies and "half" not in policies
