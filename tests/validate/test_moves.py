"""What need not be tried to follow a log: most moves of the guest in large queues, and steps that can wait."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any

import pytest
from partly import DEVICE, partly
from uncork import logs
from uncork.engines.follow import Follower
from uncork.engines.stubborn import Stubborn
from uncork.validate import follow as validating
from uncork.validate.follow import Followed
from uncork_nvme.catalogue import DEVICES
from uncork_nvme.instance import Instance, from_name

GUESTS = (
    "propolis-2026/linux/tail-lag/n1-sq4-cq3",
    "propolis-2025/linux/tail/n1-sq3-cq3",
    "propolis-2026/spdk/tail-lag/n1-sq5-cq3",
    "qemu/linux/head/n1-sq4-cq4",
    "qemu/linux/head/n1-sq5-cq4/submit_batch=2",
    "propolis-2026/linux/tail-lag/n2-sq3-cq3",
    "qemu/lazy/head/n1-sq3-cq3",
)
"""Instances of which the device's side is logged."""


def follow(instance: Instance, log: logs.Log, *, aimed: bool = False) -> Followed:
    return validating.follow(instance, log, aimed=aimed, most=50_000)


# -- moves of the guest ------------------------------------------------------------------------------------------------
def differences(names: Iterable[str], seeds: range) -> tuple[list[str], set[bool]]:
    """Where the moves that are tried in large queues do not decide as all moves do; and the verdicts."""
    differ, verdicts = list[str](), set[bool]()
    for name in names:
        instance = from_name(name)
        for seed in seeds:
            log = partly(instance, 50 if seed < 3 else 90, seed, DEVICE, seed % 2)
            every, few = follow(instance, log), follow(instance, log, aimed=True)
            assert few.aimed and not few.unsure and every.crowd is few.crowd is None
            verdicts.add(every.fits)
            if (few.fits, few.accepted) != (every.fits, every.accepted):
                differ.append(f"{name}, seed {seed}: {few.accepted} and {every.accepted} events fit")
    return differ, verdicts


def test_few_moves_decide_as_all_do_where_the_log_shows_what_matters() -> None:
    assert differences(GUESTS, range(2)) == ([], {True, False})


@pytest.mark.deep
def test_few_moves_decide_as_all_do_in_many_logs() -> None:
    assert differences(GUESTS, range(2, 100)) == ([], {True, False})


@pytest.mark.parametrize(
    "left_out", ["ring_sq", "fetch", "reread_sq", "arm_sq", "post"], ids=lambda family: f"without {family}"
)
def test_where_the_log_does_not_show_it_nothing_is_rejected(left_out: str) -> None:
    """A doorbell, a read, a write of EventIdx or a CQE that is not logged could be anywhere."""
    instance = from_name(GUESTS[0])
    kept = [family for family in DEVICE if family != left_out]
    logged = [partly(instance, 40, seed, kept, 2) for seed in range(4)]
    found = [each for log in logged if (each := follow(instance, log, aimed=True)).failed]
    assert found and all(each.unsure for each in found)


# -- steps that can wait -----------------------------------------------------------------------------------------------
def eager(monkeypatch: pytest.MonkeyPatch, instance: Instance, log: logs.Log) -> Followed:
    """What is found if every unseen step is tried before each event."""

    def made(*args: Any, **named: Any) -> Follower:
        return Follower(*args, **{**named, "lazily": False})

    with monkeypatch.context() as patch:
        patch.setattr(validating, "Follower", made)
        return follow(instance, log)


def some_left_out(instance: Instance, seed: int) -> logs.Log:
    families = sorted({action.family for action in instance.system.actions})
    left_out = random.Random(seed).sample(families, 6)
    return partly(instance, 80, seed, [family for family in families if family not in left_out], seed % 2)


def found_in(followed: Followed) -> tuple[int, frozenset[Any]]:
    return followed.accepted, followed.follower.states if followed.fits else frozenset()


@pytest.mark.parametrize("device", sorted(DEVICES))
def test_steps_that_wait_change_neither_verdict_nor_states(monkeypatch: pytest.MonkeyPatch, device: str) -> None:
    instance = Instance(device, "linux", DEVICES[device].policy, 1, 3, 3)
    for seed in range(2):
        log = some_left_out(instance, seed)
        assert found_in(follow(instance, log)) == found_in(eager(monkeypatch, instance, log))


def test_steps_that_wait_though_they_matter_lose_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    instance = from_name("propolis-2026/linux/tail-lag/n1-sq3-cq3")
    runs = [some_left_out(instance, seed) for seed in range(0, 12, 2)]
    assert all(follow(instance, log).fits for log in runs)
    with monkeypatch.context() as patch:
        patch.setattr(Stubborn, "dependent", property(lambda self: [frozenset[int]() for _ in self.groups]))
        assert not all(follow(instance, log).fits for log in runs)
