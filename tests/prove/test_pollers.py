"""Proofs for every size of devices that look at their SQs again and again, without a notification."""

from __future__ import annotations

import pytest
from proofs import ANY, ONE, hangs, mutant, part
from uncork.core.sorts import SlipError

SILENT = ",".join(f"kick_on_{site}=no" for site in ("doorbell", "post", "reserve", "remit"))
POLLS = f"arm-recheck/linux/never/cork=park,poll=yes,{SILENT}"
"""A device that polls, that no doorbell of the CQ and no kick ever wakes."""
TURNS = f"{POLLS},threads=one"
OTHERS = [
    *("arm-recheck/linux/arm-on-cork/poll=yes,threads=one", "mmio/linux/tail/poll=yes,threads=one"),
    *(f"{TURNS},backend=detached", "arm-recheck/lazy/tail/poll=yes,threads=one,early_free=no"),
]


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [POLLS, *(pytest.param(name, marks=pytest.mark.deep) for name in [*OTHERS, f"{TURNS},workers=2"])]
)
def test_a_single_sq_that_is_polled_needs_no_eventidx_and_no_kick(name: str) -> None:
    assert part(name, ONE).proved == ["safety", "uncorked", "drains", "progress"]


REAL = ["spdk-poll/linux/never", "spdk-poll/spdk/never", "femu/linux/head-1", "femu/linux/never/sq_read=each",
        "spdk-interrupt/linux/never", "nvme-mdev/linux/head", "nvme-mdev/linux/never",
        f"arm-recheck/linux/never/cork=self-kick,{SILENT},threads=one"]  # fmt: skip


@pytest.mark.deep
@pytest.mark.parametrize("name", REAL)
def test_so_it_is_with_real_devices(name: str) -> None:
    assert part(name, ONE).proved == ["safety", "uncorked", "drains", "progress"]
    assert part(name, ANY).proved == ["safety", "uncorked", "drains"]


@pytest.mark.deep
@pytest.mark.parametrize("name", [TURNS, *OTHERS])
def test_nor_does_any_number_of_sqs_whose_looks_take_turns(name: str) -> None:
    assert part(name, ANY).proved == ["safety", "uncorked", "drains"]


@pytest.mark.deep
def test_looks_that_do_not_take_turns_pass_the_last_permit_on_for_ever() -> None:
    """And the design really fails, at two SQs of two entries on a CQ of two."""
    found = part(POLLS, ANY)
    assert found.proved == ["safety", "uncorked"]
    failures = {failure.obligation.name for failure in found.judgement.failures}
    assert "helped: drains SQ0: another SQ holds a permit" in failures
    assert hangs(POLLS, row="drains")
    assert not hangs(TURNS, row="drains")


def test_and_a_single_thread_does_not_help_one_sq_past_the_others() -> None:
    """So nothing is claimed of progress with several SQs."""
    assert hangs(TURNS, row="progress")


MUTANTS = [
    ("a corked SQ is not polled", "crew", "when(w.asleep & m.life.awake, *looks)",
     "when(w.asleep & ~q.corked & m.life.awake, *looks)", ["uncorked SQ0", "drains SQ0"], "helped: uncorked SQ0"),
    ("a look at an SQ without entries goes on", "reader", "tail == q.head), q(tail=tail), *onward)",
     "(tail == q.head) & q.corked), q(tail=tail), *onward)", ["drains SQ0"], "helped: the thread is free"),
    ("an SQ that finds no room is parked only", "full", "return [notified(q, boolean(True))]", "return []",
     ["uncorked SQ0", "drains SQ0"], "consecution: a doorbell or a cork of SQ0, after cork(SQ0)"),
    ("a worker sleeps whatever it has read again", "reader", "right & (q.seen == reader.compared(q))", "right",
     ["uncorked SQ0", "drains SQ0"], "consecution: a doorbell or a cork of SQ0, after reread_sq(SQ0)"),
]  # fmt: skip


@pytest.mark.deep
@pytest.mark.parametrize("change", [pytest.param(m, id=m[0]) for m in MUTANTS])
def test_a_mutant_breaks_the_proof(change: tuple[str, str, str, str, list[str], str]) -> None:
    _, module, old, new, lost, obligation = change
    found, against = mutant(
        module, old, new, "spdk-interrupt/linux/never" if "a doorbell" in obligation else TURNS, ANY
    )
    assert set(lost) <= set(against)
    assert obligation in {failure.obligation.name for failure in [*found.broken, *found.failures]}


@pytest.mark.parametrize(
    ("other", "says"), [("events=delete+create", "workers that poll"), ("poll=changed", "poll=changed is not proved")]
)
def test_polls_of_which_the_lemmas_do_not_speak_are_refused(other: str, says: str) -> None:
    notify = "notify=kept,kick_delivery=at-once"
    with pytest.raises(SlipError, match=says):
        part(f"arm-recheck/linux/tail-1/cork=park,poll=yes,{notify},{other}", ANY)
