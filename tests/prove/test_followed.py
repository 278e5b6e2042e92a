"""Every step of a machine of fixed sizes is a step of the machine of all sizes: the two are the same device."""

from __future__ import annotations

import random
import re

import pytest
from proofs import ANY, ONE, Walk, begins, design, differs, too_free
from uncork.prove import proof
from uncork_nvme import anysize
from uncork_nvme.state import queues
from uncork_nvme.state.machine import Machine
from uncork_nvme.state.queues import SQ

LEFT_BEHIND = "arm-recheck/linux/head/sq_read=wake,sq_arm=idle,sq_event=tail"
"""A design whose SQ EventIdx is left alone for laps."""
FORGETS = ("attempt is not enabled", "post_queued(SQ0): poster.scheduled is True, not False")
ALIKE = [
    ("hand-over/linux/tail-1", ANY, (3, 2, 2)),
    ("hand-over/linux/reserve-permits/backend=detached", ANY, (3, 3, 3)),
    ("hand-over/linux/tail-1", ONE, (1, 3, 3)),
    ("hand-over/linux/tail-1", ONE, (3, 2, 3)),
    ("arm-recheck/linux/arm-on-cork/kick_on_remit=no", ONE, (2, 3, 2)),
    ("hand-over/linux/reserve-permits/events=delete+delete+create+create", ANY, (3, 2, 2)),
    ("arm-recheck/lazy/head/workers=2,early_free=no", ANY, (2, 3, 3)),
    ("propolis-2026/linux/if corked head else head+1/cork=arm-recheck", ANY, (3, 2, 3)),
    ("mmio/linux/tail/kick_on_remit=yes", ANY, (2, 2, 3)),
    ("arm-recheck/linux/reserve-slots/cork=park,events=delete+delete+create+create", ANY, (3, 2, 3)),
    ("arm-recheck/linux/arm-on-cork/threads=one,backend=detached", ANY, (3, 2, 3)),
    ("arm-recheck/linux/tail-1/cork=park,threads=one,workers=2", ANY, (2, 2, 2)),
    ("arm-recheck/linux/never/cork=park,threads=one,poll=yes,kick_on_post=no", ANY, (3, 2, 2)),
    ("mmio/linux/tail/threads=one,poll=yes,backend=detached", ANY, (3, 3, 2)),
    ("spdk-poll/spdk/never", ANY, (3, 2, 2)),
    ("spdk-poll/linux/never", ONE, (2, 3, 2)),
    ("femu/linux/head-1", ANY, (3, 3, 2)),
    ("spdk-interrupt/linux/never", ANY, (3, 3, 2)),
    ("nvme-mdev/lazy/head", ANY, (3, 2, 2)),
    (LEFT_BEHIND, ANY, (2, 3, 3)),
    ("qemu/linux/head", ANY, (3, 2, 2)),
    ("openvmm/linux/head-when-full", ANY, (3, 2, 2)),
    ("qemu-9.1/spdk/head-when-full/backend=detached-repoll,sq_arm=idle,sq_read=each", ANY, (2, 3, 3)),
    ("arm-recheck/spdk/tail-1/sq_read=wake,sq_event=tail,sq_reread=no", ONE, (1, 4, 2)),
]
FREE = [
    *("hand-over/linux/tail-1", "arm-recheck/linux/arm-on-cork"),
    *(
        "arm-recheck/linux/arm-on-cork/threads=one",
        *("femu/linux/head-1", "spdk-interrupt/linux/never", "openvmm/linux/head-when-full"),
        "arm-recheck/linux/tail-1/cork=park,threads=one,backend=detached",
    ),
]


CROWDS = [
    ("arm-recheck/lazy/arm-on-cork/workers=2,early_free=no", (2, 3, 3)),
    ("propolis-2026/linux/tail-1/workers=2,notify=kept,kick_on_remit=yes", (3, 3, 2)),
    ("arm-recheck/linux/head/workers=2,cork=park,backend=detached,notify=kept,kick_delivery=at-once", (2, 4, 3)),
    ("mmio/linux/tail/workers=2,kick_on_remit=yes", (2, 3, 3)),
    ("hand-over/linux/tail-1/workers=2", (3, 2, 2)),
    ("hand-over/linux/reserve-permits/workers=2,notify=kept,events=delete+delete+create+create", (3, 2, 3)),
]
"""Designs with any number of workers, of which the runs have a number."""


def strays(name: str, several: bool, shape: tuple[int, int, int], steps: int, workers: int = 0) -> str:
    """How a random run leaves the machine of all sizes, which has all SQs, or is seen with each pair of them in turn.

    Empty if it does not. The run is of a machine with so many `workers` an SQ; 0: with those of the design.
    """
    found, _ = proof.argued(design(name), several=several, least=2, sqs=1 if several else shape[0])
    fixed = design(f"{name},workers={workers}" if workers else name)
    walk, chosen = Walk(fixed.at(*shape)), random.Random(0)
    pairs = [(0, k) for k in range(1, shape[0])] if several else [tuple(range(shape[0]))]
    if why := begins(found.system, walk.seen(several, pairs[0])):
        return why
    for _ in range(steps):
        if not walk.system.enabled(walk.state):
            return ""  # the design hangs
        before = {pair: walk.seen(several, pair) for pair in pairs}
        taken = walk.step(chosen)
        actors = set(map(int, re.findall(r"SQ(\d)", re.sub(r"wakes [^)]*", "", taken.name))))
        for pair in pairs:
            seen = walk.seen(several, pair)
            if actors <= set(pair) and (why := differs(found.system, taken, pair, before[pair], seen)):
                return why
    return ""


@pytest.mark.parametrize(("name", "several", "shape"), ALIKE)
def test_a_step_of_a_machine_of_fixed_sizes_is_one_of_the_machine_of_all_sizes(
    name: str, several: bool, shape: tuple[int, int, int]
) -> None:
    assert not strays(name, several, shape, 60)


@pytest.mark.parametrize("workers", [1, 2, 3])
@pytest.mark.parametrize(("name", "shape"), CROWDS)
def test_a_step_of_a_machine_of_some_workers_is_one_of_the_machine_of_any_number(
    name: str, shape: tuple[int, int, int], workers: int
) -> None:
    assert not strays(name, ANY, shape, 40, workers)


@pytest.mark.deep
@pytest.mark.parametrize("workers", [1, 2, 3])
@pytest.mark.parametrize(("name", "shape"), CROWDS)
def test_so_is_each_step_of_a_long_run_with_some_workers(name: str, shape: tuple[int, int, int], workers: int) -> None:
    assert not strays(name, ANY, shape, 3000, workers)


@pytest.mark.deep
@pytest.mark.parametrize(("name", "several", "shape"), ALIKE)
def test_so_is_each_step_of_a_long_run(name: str, several: bool, shape: tuple[int, int, int]) -> None:
    assert not strays(name, several, shape, 3000)


def test_an_event_idx_that_is_left_behind_by_a_lap_is_none_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """The twin: the number of SQ EventIdx does not grow by a lap when the head has moved so far."""
    monkeypatch.setattr(anysize.AnySQ, "takes", SQ.takes)
    assert ".event is" in strays(LEFT_BEHIND, ANY, (2, 3, 3), 200)


def test_a_poster_that_forgets_the_completions_of_a_third_sq_takes_no_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """The twin: the machine of all sizes counts the queued completions of the SQs that it follows only."""
    monkeypatch.setattr(anysize.AnySize, "queued", Machine.queued)
    assert strays("qemu/linux/head", ANY, (3, 2, 2), 200) in FORGETS


def test_an_event_idx_that_no_index_has_begins_where_no_other_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """The twin: an EventIdx that is never written begins at 0."""
    event = queues._event
    monkeypatch.setattr(
        queues, "_event", lambda size, doc, outside: event(size, doc, outside=outside and isinstance(size, int))
    )
    assert "cq.event, sq0.event" in strays("spdk-poll/spdk/never", ANY, (2, 2, 2), 1)


def test_a_kick_that_lets_out_one_sq_too_many_is_no_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """The twin: the machine of all sizes hands over one permit more than there is."""
    monkeypatch.setattr(anysize, "minimum", lambda room, line: room + 1)
    assert "is" in strays("hand-over/linux/tail-1", ANY, (3, 2, 2), 200)


def freer(name: str, steps: int) -> list[str]:
    """What the machine of all sizes may do that the one of fixed sizes may not, along a random run of three SQs."""
    found, _ = proof.argued(design(name), several=True, least=2)
    walk, chosen = Walk(design(name).at(3, 2, 3)), random.Random(0)
    for _ in range(steps):
        walk.step(chosen)
        for pair in ((0, 1), (0, 2)):
            if free := too_free(found.system, walk, pair):
                return free
    return []


@pytest.mark.deep
@pytest.mark.parametrize("name", FREE)
def test_a_step_that_may_help_at_all_sizes_may_be_taken_at_fixed_sizes(name: str) -> None:
    """Whether a step can be taken is told of each step with all its outcomes, as fairness is owed to it."""
    assert not freer(name, 1000)


def test_a_look_that_waits_for_no_look_at_a_third_sq_is_too_free(monkeypatch: pytest.MonkeyPatch) -> None:
    """The twin: the machine of all sizes forgets the SQs that it does not follow."""
    name = FREE[-1]
    assert not freer(name, 60)
    monkeypatch.setattr(anysize.AnySize, "in_look", anysize.Machine.in_look)
    assert any(step.startswith("reserve") for step in freer(name, 60))


def test_a_notification_that_wakes_one_worker_too_many_is_no_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """The twin: there is one worker more than the run has."""
    monkeypatch.setattr(anysize.CrowdedSQ, "sleepers", property(lambda q: q.crowd.at("asleep") + 1))
    assert "wakeups is" in strays(CROWDS[0][0], ANY, CROWDS[0][1], 200, 2)
