"""Proofs for any number of workers: they are counted by position, and no count may be wrong."""

from __future__ import annotations

from dataclasses import replace

import pytest
from proofs import ANY, ONE, design, mutant, part
from uncork.core.expr import Expr, boolean, ite
from uncork.core.sorts import SlipError
from uncork.core.system import Action, Fairness, Updates, say
from uncork.core.verdict import Proved
from uncork.engines import REDUCTIONS, explicit
from uncork.prove.proof import counted
from uncork_nvme.anysize import Crowd
from uncork_nvme.state.actors import Worker
from uncork_properties import recorded_proofs
from uncork_properties.catalogue import properties

KEPT = "mmio/linux/tail/kick_on_remit=yes,notify=kept,workers=2"
SPENT = "arm-recheck/linux/arm-on-cork/workers=2"
GUEST = "propolis-2026/linux/head-when-full/kick_on_reserve=yes,kick_on_remit=yes,workers=2"
"""A device that does not kick at a post: the guest, or a look, wakes its SQs."""
DOORBELLS = "mmio/linux/tail/workers=2"
IN_LINE = "hand-over/linux/tail-1/workers=2"
LIVE = {"safety", "uncorked", "drains"}


# -- what is proved ----------------------------------------------------------------------------------------------------
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "several", "proved"),
    [
        (KEPT, ONE, {*LIVE, "progress"}),
        pytest.param(KEPT, ANY, LIVE, marks=pytest.mark.deep),
        pytest.param(SPENT, ONE, {*LIVE, "progress"}, marks=pytest.mark.deep),
        pytest.param(GUEST, ONE, {*LIVE, "progress"}, marks=pytest.mark.deep),
        pytest.param(GUEST, ANY, LIVE - {"drains"}, marks=pytest.mark.deep),
        pytest.param(f"{GUEST},notify=kept", ANY, LIVE, marks=pytest.mark.deep),
        pytest.param(f"{SPENT},notify=kept", ANY, LIVE, marks=pytest.mark.deep),
    ],
)
def test_what_is_proved_of_any_number_of_workers_is_so_of_one_two_and_three(
    name: str, several: bool, proved: set[str]
) -> None:
    found = part(name, several)
    assert set(found.proved) == proved
    assert found.claim.endswith("and any number of workers an SQ")
    for workers in (1, 2, 3):
        of = design(f"{name},workers={workers}").at(*((2, 2, 2) if several else (1, 3, 2)))
        if several and workers > (2 if name == KEPT else 1):  # millions of states
            continue
        wanted = [p for p in properties(of.machine, of.system) if p.row in proved]
        for prop, verdict in explicit.check(of.system, wanted, reductions=REDUCTIONS).verdicts:
            assert isinstance(verdict, Proved), (of.name, prop.name)


def test_with_one_worker_and_with_store_buffers_the_number_is_what_it_is() -> None:
    assert counted(design(SPENT))
    assert not counted(design("arm-recheck/linux/arm-on-cork"))
    assert not counted(design(f"{SPENT},memory=tso"))


def test_what_is_recorded_of_any_number_of_workers_is_known_of_each() -> None:
    of = design(SPENT).at(1, 3, 3)
    many = replace(of, overrides={"workers": 7})
    assert "drains" in recorded_proofs.proved(of)
    assert recorded_proofs.proved(many) == recorded_proofs.proved(of)
    several = replace(many, sqs=2)
    assert recorded_proofs.proved(several) == {"safety", "uncorked"}
    assert not recorded_proofs.proved(replace(many, overrides={"workers": 7, "memory": "tso"}))


# -- and what is wrong on purpose --------------------------------------------------------------------------------------
MUTANTS = {
    # what is changed, of which design, and the lemma that then fails
    "a count that is not taken down": (
        DOORBELLS, "anysize", "{here: self.at(here) - 1, there:", "{here: self.at(here), there:",
        "workers of SQ0",
    ),
    "a worker that is not there": (
        DOORBELLS, "anysize", "self.at(here) > 0, *others", "self.at(here) >= 0, *others",
        "sq0.workers.asleep in range",
    ),
    "two workers that pop at a time": (
        DOORBELLS, "state.queues", "boolean(True) if self.one_worker else ~self.popping", "boolean(True)",
        "one pop at a time of SQ0",
    ),
    "a notification of an SQ without known entries that wakes nobody": (
        "propolis-2026/linux/tail-1/workers=2", "crew",
        "more, most = ite(known == 0, q.number_of_workers, known)", "more, most = known",
        "a doorbell or a cork of SQ0",
    ),
    "a worker that takes a second permit while its SQ was handed one": (
        IN_LINE, "room.kicks", "return may & ~q.granted & (m.cq.consumer", "return may & (m.cq.consumer",
        "permit of SQ0",
    ),
    "a worker that joins the line while another looks": (
        IN_LINE, "crew", "free = q.free_to_pop & q.unlocked", "free = q.unlocked", "no look at SQ0 in line",
    ),
    "a notification that wakes one worker too few": (
        DOORBELLS, "crew", "minimum(q.wakeups + more, most)", "minimum(q.wakeups + more, most - 1)",
        "a doorbell or a cork of SQ0",
    ),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    "change", [pytest.param(each, id=name, marks=[pytest.mark.deep] if k else [])
               for k, (name, each) in enumerate(MUTANTS.items())],
)  # fmt: skip
def test_a_mutant_breaks_the_lemma_that_stands_for_it(change: tuple[str, str, str, str, str]) -> None:
    name, module, old, new, lemma = change
    found, against = mutant(module, old, new, name, ONE)
    assert lemma in {each.name for each in found.dropped}
    assert {"uncorked SQ0", "drains SQ0"} <= set(against)


def at(worker: Worker, place: str) -> Expr:
    return worker.at == place


def action(guard: Expr, updates: Updates, fairness: Fairness = Fairness.STRONG) -> Action:
    return Action("walks", "walks", "worker SQ0", guard, updates, fairness, "It walks.", say("walks"))


def test_a_step_of_a_worker_is_a_step_of_any_that_stands_where_it_begins() -> None:
    worker = Worker("sq0", 0, 1)
    crowd = Crowd(worker, 3)
    made = crowd.step(action(boolean(True) & at(worker, "reserve"), worker(at="fetch")))
    assert made.updates.keys() == {"sq0.workers.reserve", "sq0.workers.fetch"}
    assert "sq0.worker.at" not in made.reads
    other = action(boolean(True), Updates())
    assert crowd.step(other) is other


def test_a_step_that_asks_for_more_of_a_worker_is_refused() -> None:
    worker = Worker("sq0", 0, 1)
    awake, moves = ~at(worker, "asleep"), worker(at="run")
    for guard, updates, fairness in [
        (awake, moves, Fairness.STRONG),  # it may be at several places
        (boolean(True), moves, Fairness.STRONG),  # or at any
        (at(worker, "fetch") & awake, moves, Fairness.STRONG),
        (at(worker, "fetch"), worker(at=ite(at(worker, "fetch"), worker.at, "run")), Fairness.STRONG),
        (at(worker, "fetch"), moves, Fairness.WEAK),  # each worker may be there in turn, and none stays
    ]:
        with pytest.raises(SlipError, match="counts them by position"):
            Crowd(worker, 3).step(action(guard, updates, fairness))
