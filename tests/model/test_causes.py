"""The cause of every refutation: it is in the model's words, and true of its run; with another number it is not."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import toys
from mutants import mutated
from repository import STORED
from truth import SENTENCES, Untrue, hold, sentences
from uncork.core.causes.cause import Cause, cause
from uncork.core.causes.run import Run, Step
from uncork.core.property import Property
from uncork.core.system import Action, Guarded, System, step, when
from uncork.core.trace import Trace, replay
from uncork.core.verdict import Refuted
from uncork.decide import many
from uncork.engines.explicit import check as decide
from uncork.museum.check import FIXED
from uncork.trace.runs import random_run, stored
from uncork_nvme.assembly import assembled
from uncork_nvme.causes import events
from uncork_nvme.causes.waits import waits
from uncork_nvme.choices import Choices
from uncork_nvme.instance import Instance, find_policy, from_name, system
from uncork_nvme.museum import BUGS
from uncork_nvme.parts.crew import Kept
from uncork_nvme.state.actors import Serving
from uncork_nvme.state.machine import Machine
from uncork_nvme.state.queues import SQ
from uncork_properties import expected
from uncork_properties.catalogue import named, properties

SHEETS = ("field.csv", "lifecycle.csv", "second-sq.csv", "memory.csv", "hand-over.csv")
_SOON = 3000
"""States of a search that takes no time."""


def told(of: System, prop: Property, run: Trace) -> Cause:
    """The cause of a refutation, which has to be true."""
    found = cause(of, prop, run)
    hold(of, run, found.text)
    assert not found.general
    return found


def refuted(instance: Instance, rows: tuple[str, ...]) -> Iterator[tuple[Property, Trace]]:
    """Each property of an instance that a run refutes, with the run."""
    (checked,) = many.check([instance], rows, jobs=1)
    for row in checked.rows:
        if isinstance(row.verdict, Refuted):
            yield named(properties(instance.machine, instance.system), row.name), row.verdict.trace


# -- every refutation that is known ------------------------------------------------------------------------------------
@pytest.mark.parametrize("path", sorted(STORED.glob("*.itf.json")), ids=lambda path: path.name)
def test_the_cause_of_a_stored_counterexample_is_true(path: Path) -> None:
    found = stored(str(path))
    for prop in found.refutes:
        told(found.instance.system, prop, found.run)


def _recorded() -> dict[str, tuple[Instance, tuple[str, ...], int]]:
    """The instances of the sheets and of the museum that have a refuted row, with their states (0: not recorded)."""
    found = {}
    for sheet in SHEETS:
        for name, (instance, each) in expected.default(sheet).items():
            if any(cell.startswith("refuted") for cell in each.verdicts.values()):
                found[name] = instance, tuple(each.verdicts), each.states or 0
    for bug in BUGS:
        for shape in bug.shown.shapes if bug.shown else ():
            instance = bug.shown.variant.at(*shape)
            found.setdefault(instance.name, (instance, FIXED, 0))
    return found


RECORDED = _recorded()
SMALL = [name for name, (_, _, states) in RECORDED.items() if 0 < states < _SOON]
FEW = dict.fromkeys(bug.shown.variant.at(*bug.shown.shapes[0]).name for bug in BUGS if bug.shown)


@pytest.mark.parametrize("name", [*dict.fromkeys([*SMALL[::4], *FEW])])
def test_the_cause_of_a_recorded_refutation_is_true(name: str) -> None:
    instance, rows, _ = RECORDED[name]
    causes = [told(instance.system, prop, run) for prop, run in refuted(instance, rows)]
    assert causes


@pytest.mark.deep
@pytest.mark.parametrize("name", RECORDED)
def test_the_cause_of_every_recorded_refutation_is_true(name: str) -> None:
    test_the_cause_of_a_recorded_refutation_is_true(name)


@cache
def shown(name: str, row: str = "uncorked") -> tuple[Instance, Trace, Cause]:
    """An instance, a run that refutes a property of it, and the cause."""
    instance = from_name(name)
    prop, run = next(refuted(instance, (row,)))
    return instance, run, told(instance.system, prop, run)


def test_a_guest_that_leaves_out_a_doorbell_that_is_due_is_told() -> None:
    with mutated("guest", "past < by if", "past < by - 1 if") as (instances, catalogue):
        instance = instances.from_name("propolis-2026/linux/tail-lag/n1-sq2-cq2")
        prop = catalogue.named(catalogue.properties(instance.machine, instance.system), "uncorked")
        ((_, verdict),) = decide(instance.system, [prop]).verdicts
        assert "which 0 -> 1 passes, and yet there is no doorbell" in told(instance.system, prop, verdict.trace).text


def test_the_cause_of_the_hang_of_propolis() -> None:
    _, _, found = shown("propolis-2025/linux/tail/n1-sq3-cq3")
    assert found.text == (
        "At step 27 the guest's head moves 0 -> 2. CQ EventIdx is 2 (written at step 25: the tail), which 0 -> 2 does "
        "not pass: no doorbell at step 28. SQ0, corked at step 26, sleeps on."
    )
    assert found.steps == (25, 26, 27, 28)


KINDS = {
    "propolis-2025/linux/tail/n1-sq3-cq3": "uncorked",
    "propolis-2025/linux/tail/n2-sq2-cq2": "progress",
    "propolis-2026-shared/linux/tail-lag/n2-sq2-cq2": "progress",
    "mmio/many-to-one/tail/n2-sq2-cq2": "uncorked",
    "hand-over/linux/reserve-permits/n1-sq3-cq3/kick_on_doorbell=no": "uncorked",
    "propolis-2025/linux/never/n1-sq3-cq3/event_outside=cq": "uncorked",
    "qemu-7.1/lazy/never/n1-sq3-cq3": "drains",
    "qemu-9.1/linux/head/n1-sq3-cq3/on_request=nothing,pool=1": "uncorked",
    "qemu/linux/head/n1-sq3-cq3/sq_reread=no": "uncorked",
    "qemu/linux/head/n1-sq3-cq3/events=delete+create,words=keep": "uncorked",
    "openvmm/linux/head-when-full/n1-sq2-cq2/events=config": "uncorked",
    "propolis-2026/linux/tail-lag/n1-sq3-cq3/events=restart,words=keep": "uncorked",
    "propolis-2026/linux/tail-1/n1-sq3-cq3/events=pause": "uncorked",
    "propolis-2026/linux/tail-1/n1-sq3-cq3/events=pause,on_resume=forget-corked": "uncorked",
    "propolis-2026/linux/tail-lag/n1-sq3-cq3/events=delete": "safety",
    "propolis-2026/linux/tail-lag/n2-sq2-cq2/events=delete": "uncorked",
    "propolis-2026/linux/tail-lag/n1-sq3-cq3/notify=lost-bits,workers=2": "safety",
    "femu/linux/head-1/n1-sq3-cq3/events=delete+create,words=keep": "safety",
    "mmio/linux/tail/n1-sq3-cq3/backend=detached,cq_full=ignore-in-flight": "safety",
    "usnvmemu/linux/never/n1-sq3-cq2/early_free=no": "safety",
    "femu/linux/head-1/n1-sq4-cq2/cq_full=ignore": "drains",
    "qemu/linux/head/n1-sq2-cq2/cqe_load=plain,cqe_store=release,memory=arm": "safety",
    "qemu/spdk/head/n1-sq2-cq2/cqe_store=release,memory=arm,sqe_store=plain": "safety",
    "usnvmemu-remote/linux/never/n1-sq2-cq2/early_free=no,notify=dropped": "uncorked",
    "nvmet-mdev-pci/linux/head-when-full/n1-sq2-cq2": "uncorked",
    "nvmet-mdev-pci-batch/linux/head-when-full/n1-sq2-cq2/cq_compare=written,poll=no,sq_compare=head": "drains",
    "arm-recheck/spdk/tail/n1-sq3-cq3/event_look=before": "uncorked",
    "propolis-2025/linux/tail/n1-sq3-cq3/event_look=before": "drains",
    "spdk-poll/spdk/never/n1-sq3-cq3/used_by=guest": "progress",
    "mmio/linux/tail/n1-sq3-cq3/kick_delivery=held,notify=kept": "drains",
    "mmio/linux/tail/n2-sq2-cq2/events=delete+create,kick_on_release=yes,kick_on_remit=yes,notify=stale-bits,"
    "on_delete=return,workers=2": "uncorked",
    "nvme-mdev/linux/half/n1-sq3-cq3/after_reset=follow,events=reset": "uncorked",
    "openvmm/linux/head-when-full/n1-sq3-cq2/on_request=lose-waited,pool=1": "uncorked",
    "openvmm/linux/head-when-full/n1-sq2-cq2/events=reset,on_reset=keep": "safety",
    "openvmm/linux/head-when-full/n1-sq2-cq2/backend=detached,device_fence_sq=no,memory=tso": "uncorked",
    "qemu/linux/head/n1-sq3-cq3/events=recreate,words=keep": "uncorked",
    "qemu/linux/head/n1-sq3-cq3/on_full_doorbell=nothing": "drains",
    "qemu/linux/head/n1-sq3-cq3/used_by=device": "uncorked",
    "qemu/mmio-only/head/n1-sq3-cq3/cq_head=kept": "drains",
    "spdk-interrupt/linux/never/n1-sq3-cq3/activation=later,doorbell_buffer=off,events=pause,on_resume=keep": "drains",
    "spdk-interrupt/linux/never/n2-sq2-cq2/doorbell_wakes=first,threads=many": "uncorked",
    "spdk-poll/linux/never/n1-sq3-cq3/cq_begins=at-old-tail,doorbell_buffer=off,events=reset": "safety",
    "spdk-poll/linux/never/n1-sq4-cq4/cq_begins=at-old-tail,doorbell_buffer=off,events=reset": "safety",
    "arm-recheck/linux/arm-on-cork/n1-sq2-cq2/backend=detached,device_fence_cq=no,memory=tso": "uncorked",
    "arm-recheck/linux/arm-on-cork/n1-sq2-cq2/backend=detached,guest_fence=no,memory=tso": "uncorked",
}
"""A refutation of each kind, with the row."""


@pytest.mark.parametrize(("name", "row"), KINDS.items(), ids=KINDS)
def test_a_cause_with_any_other_number_is_untrue(name: str, row: str) -> None:
    instance, run, found = shown(name, row)
    numbers = list(re.finditer(r"(?<![Q\w])\d+\b", found.text))
    assert numbers
    for number in numbers:
        for other in (int(number[0]) + 1, int(number[0]) - 1):
            wrong = f"{found.text[: number.start()]}{other}{found.text[number.end() :]}"
            with pytest.raises(Untrue):
                hold(instance.system, run, wrong)


@pytest.mark.parametrize(
    ("name", "is_", "other"),
    [
        ("propolis-2025/linux/tail/n1-sq3-cq3", ": the tail", ": the head"),
        ("propolis-2025/linux/tail/n1-sq3-cq3", "written at step 25: the tail", "as at first"),
        ("propolis-2025/linux/tail/n1-sq3-cq3", "does not pass", "does not reach"),
        ("propolis-2025/linux/tail/n1-sq3-cq3", "SQ0, corked", "SQ1, corked"),
        ("mmio/many-to-one/tail/n2-sq2-cq2", "SQ1's worker", "SQ0's worker"),
        ("propolis-2025/linux/never/n1-sq3-cq3/event_outside=cq", "0xFFFFFFFF", "1"),
        ("propolis-2026/linux/tail-lag/n1-sq3-cq3/events=restart,words=keep", "sets the controller", "resets the"),
        ("qemu/linux/head/n1-sq3-cq3/sq_reread=no", "as at first", "written at step 11: the head"),
    ],
)
def test_a_cause_with_another_writer_or_reason_is_untrue(name: str, is_: str, other: str) -> None:
    instance, run, found = shown(name)
    assert is_ in found.text
    with pytest.raises(Untrue):
        hold(instance.system, run, found.text.replace(is_, other, 1))


@pytest.mark.parametrize("text", ["", "SQ0 waits.", "SQ0, corked at step 26, sleeps on. And so on."])
def test_a_cause_that_cannot_be_read_is_untrue(text: str) -> None:
    instance, run, _ = shown("propolis-2025/linux/tail/n1-sq3-cq3")
    with pytest.raises(Untrue):
        hold(instance.system, run, text)


def test_a_cause_that_takes_another_writer_for_the_last_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    instance, run, _ = shown("propolis-2025/linux/tail/n1-sq3-cq3")
    writes, first = events._writes, []

    def first_only(m: Machine, ring: Any, of: Step) -> bool:
        if writes(m, ring, of):
            first.append(of.number)
        return bool(first) and of.number == min(first)

    monkeypatch.setattr(events, "_writes", first_only)
    prop = named(properties(instance.machine, instance.system), "uncorked")
    monkeypatch.setattr(events, "reversed", lambda steps: [*steps], raising=False)
    with pytest.raises(Untrue, match="EventIdx is written at"):
        hold(instance.system, run, cause(instance.system, prop, run).text)


# -- misses that no recorded run has -----------------------------------------------------------------------------------
def crafted(name: str, action: str, values: Mapping[str, Any]) -> tuple[Instance, Run]:
    """A run of one step, from a state that need not be reachable."""
    instance = from_name(name)
    before = {**instance.system.initial, **values}
    taken = instance.system.action(action)
    after = instance.system.after(before, taken)
    return instance, Run(instance.system, Trace((before, after), (action,), 1))


RARE = {
    "a doorbell that is refused": (
        "propolis-2026/linux/tail-lag/n1-sq3-cq3",
        "reject_head",
        {"cq.consumer": "notify head", "cq.shadow": 2, "cq.tail": 1, "sq0.corked": True},
    ),
    "a look that hands nobody its permit": (
        "arm-recheck/linux/arm-on-cork/n2-sq2-cq3/kick_on_reserve=no",
        "cork_saved(SQ1)",
        {"cq.shadow": 1, "cq.tail": 1, "sq0.corked": True, "sq1.worker.at": "cork recheck", "cq.available": 0},
    ),
    "a line that others head": (
        "hand-over/linux/tail-1/n2-sq2-cq2",
        "line_up(SQ0, wakes SQ1)",
        {"cq.shadow": 1, "cq.tail": 1, "sq0.corked": True, "sq1.corked": True, "sq0.worker.at": "reserve"},
    ),
    "a notification that is spent": (
        "propolis-2026/linux/tail-lag/n1-sq3-cq3",
        "notify(SQ0)",
        {"sq0.submitter": "notify", "sq0.worker.at": "run", "sq0.shadow": 1},
    ),
    "a kick that is spent": (
        "propolis-2026/linux/tail-lag/n1-sq3-cq3",
        "deliver(SQ0)",
        {"sq0.called": True, "sq0.worker.at": "run", "sq0.shadow": 1},
    ),
    "a notification without a bit": (
        "propolis-2026/linux/tail-lag/n1-sq3-cq3/notify=lost-bits,workers=2",
        "notify(SQ0)",
        {"sq0.submitter": "notify", "sq0.worker0.idle": False, "sq0.worker1.idle": False},
    ),
    "a worker that is turned away": (
        "propolis-2026/linux/tail-lag/n1-sq3-cq3/notify=lost-bits,workers=2",
        "turn_away(SQ0, worker 0)",
        {"sq0.worker0.at": "reserve", "sq0.worker0.idle": False},
    ),
    "a look that is forgotten": (
        "propolis-2026/linux/tail-1/n1-sq3-cq3/events=pause",
        "resume",
        {"life.running": False, "sq0.worker.at": "reserve", "sq0.shadow": 1},
    ),
    "a doorbell of a CQ that was not full": (
        "qemu/linux/head/n1-sq3-cq3",
        "notify_head",
        {"cq.consumer": "notify head", "cq.shadow": 1, "cq.tail": 2, "cq.available": 1, "sq0.queued": 1},
    ),
}


@pytest.mark.parametrize("kind", RARE)
def test_a_rare_miss_is_told_and_true(kind: str) -> None:
    name, action, values = RARE[kind]
    instance, run = crafted(name, action, values)
    (taken,) = run.steps
    misses = [miss for wait in waits(instance.machine, instance.machine.sqs[0]) for miss in wait.misses]
    said = dict.fromkeys(filter(None, (miss.tells(run, taken) for miss in misses if miss.fits(taken))))
    assert len(said) == 1
    ((found, _),) = sentences(*said)
    assert found[0] == next(iter(said))
    hold(instance.system, run.trace, found[0])
    with pytest.raises(Untrue):
        hold(instance.system, run.trace, found[0].replace("step 1", "step 2"))


def test_a_doorbell_left_out_is_no_cause_if_the_device_learned_that_head_before_it_corked() -> None:
    instance = from_name("propolis-2025/linux/tail/n1-sq2-cq2")
    (wait, *_) = waits(instance.machine, instance.machine.sqs[0])
    (miss,) = [each for each in wait.misses if each.families == ("elide_cq",)]
    said = set()
    for seed in range(20):
        run = Run(instance.system, random_run(instance, 300, seed))
        corked = run.last(("cork",))
        for elided in run.taken(("elide_cq",)) if corked else ():
            move = run.last(("publish",), before=elided.number)
            assert corked and move
            learned = any(
                move.number < each.number <= corked.number
                for each in run.taken(("post_read", "post_credit", "cork", "refresh", "notify_head"))
            )
            said.add(learned)
            assert bool(miss.tells(run, elided)) == (not learned or elided.number > corked.number)
    assert said == {True, False}


def test_every_sentence_is_told_of_some_run() -> None:
    """A sentence that nothing tells would be read, and never be held to anything."""
    texts = [found.text for _, _, found in map(shown, KINDS, KINDS.values())]
    for name, action, values in RARE.values():
        instance, run = crafted(name, action, values)
        misses = [miss for wait in waits(instance.machine, instance.machine.sqs[0]) for miss in wait.misses]
        texts += [miss.tells(run, run.steps[0]) for miss in misses if miss.fits(run.steps[0])]
    texts += [shown(*each)[2].text for each in AGAIN]
    read = {claim for text in filter(None, texts) for _, claim in sentences(text)}
    assert {claim.__name__ for claim in SENTENCES.values()} - {claim.__name__ for claim in read} == {"_strays"}


AGAIN = (
    ("spdk-poll/lazy/tail/n1-sq3-cq3/early_free=no,events=reset,on_reset=keep", "progress"),
    ("nvme-mdev/mmio-only/head/n2-sq2-cq2/events=delete+create,on_delete=abandon,poll=no,sq_read=each", "drains"),
    ("spdk-poll/linux/never/n1-sq3-cq3/cq_begins=at-old-tail,doorbell_buffer=off,events=reset", "drains"),
)
"""Runs in which something goes on for ever: looks at old pages, looks for a lost permit, and looks for a CQE."""


@pytest.mark.parametrize(("name", "row"), AGAIN[:2])
def test_a_worker_that_looks_again_and_again_is_told(name: str, row: str) -> None:
    assert "again and again" in shown(name, row)[2].text


# -- the general form --------------------------------------------------------------------------------------------------
@step("worker {}")
def forget(m: Machine, q: SQ, w: Serving) -> Guarded:
    """Forgets a notification."""
    return when(q.wakeups > 0, q(wakeups=0)).says("forgets what it was told")


class Forgetful(Kept):
    """Workers that forget, which is no step of the model's."""

    def steps(self, m: Machine, q: SQ, w: Serving) -> Iterator[Action]:
        """Its workers wake up, or forget to."""
        yield from super().steps(m, q, w)
        yield forget(m, q, w)


def test_a_step_that_the_model_does_not_know_has_the_general_form() -> None:
    choices = Choices().replace({"notify": "kept"})
    machine = Machine(assembled(choices, [Forgetful]), find_policy("tail-1"), 1, 2, 2)
    own = system("own", machine, machine.pictures())
    prop = named(properties(machine, own), "uncorked")
    ((_, verdict),) = decide(own, [prop]).verdicts
    assert isinstance(verdict, Refuted)
    replay(own, verdict.trace, prop)
    found = cause(own, prop, verdict.trace)
    assert found.general
    forgot = 1 + next(number for number, name in enumerate(verdict.trace.steps) if name.startswith("forget"))
    assert f"wake needs sq0.wakeups (last written at step {forgot})" in found.text
    assert found.steps


def test_the_general_form_names_since_when_and_what_is_lacking() -> None:
    toy = toys.draw("a in b", "b go c", "c back b", "d out a", "c up d", free="up")
    prop = toys.not_forever(toy, "b c d")
    ((_, verdict),) = decide(toy, [prop]).verdicts
    assert isinstance(verdict, Refuted)
    found = cause(toy, prop, verdict.trace)
    assert found.general
    assert found.text.startswith("The wait of leaves begins at step 1, and no later step of the run ends it.")


def test_a_broken_invariant_without_words_names_its_last_step() -> None:
    toy = toys.draw("a in b", "b on c")
    prop = toys.never(toy, "c")
    ((_, verdict),) = decide(toy, [prop]).verdicts
    assert isinstance(verdict, Refuted)
    found = cause(toy, prop, verdict.trace)
    assert found.text == "At step 2 the toy does what breaks it: on. This does not hold: never there."
    assert found.steps == (2,)


def test_a_variable_out_of_range_is_named() -> None:
    toy = toys.counter(2, 3)
    ((_, verdict),) = decide(toy, [toys.IN_RANGE]).verdicts
    assert isinstance(verdict, Refuted)
    found = told(toy, toys.IN_RANGE, verdict.trace)
    assert found.text == "At step 3 the toy does what breaks it: up. r.n becomes 3, which is out of range."
