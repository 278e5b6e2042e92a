"""Every step of a machine of fixed sizes is a step of the machine of all sizes: the two are the same device."""

from __future__ import annotations

import random
import re

import pytest
from proofs import ANY, ONE, Walk, design, differs
from uncork.prove import proof
from uncork_nvme import anysize

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
    for _ in range(steps):
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


def test_a_kick_that_lets_out_one_sq_too_many_is_no_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """The twin: the machine of all sizes hands over one permit more than there is."""
    monkeypatch.setattr(anysize, "minimum", lambda room, line: room + 1)
    assert "is" in strays("hand-over/linux/tail-1", ANY, (3, 2, 2), 200)


def test_a_notification_that_wakes_one_worker_too_many_is_no_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """The twin: there is one worker more than the run has."""
    monkeypatch.setattr(anysize.AnySQ, "sleepers", property(lambda q: q.crowd.at("asleep") + 1))
    assert "wakeups is" in strays(CROWDS[0][0], ANY, CROWDS[0][1], 200, 2)
