"""Guest moves that a log does not show: in large queues few are tried, and it is known when that loses no run."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from uncork import logs
from uncork.engines.follow import Coming
from uncork.logs import Seen, lines, write
from uncork.trace.runs import walk
from uncork.validate import follow as validating
from uncork.validate import moves
from uncork.validate.follow import Followed
from uncork_nvme.instance import Instance, from_name

SHOWN = (
    *("ring_sq", "notify_tail", "ring_cq", "notify_head", "fetch", "find_empty", "reread_sq", "wake", "arm_sq"),
    *("post", "post_queued", "post_read", "post_credit", "post_arm", "refresh", "cork", "complete"),
)
"""What the device sees and does: what is logged of these runs."""
INSTANCES = (
    "propolis-2026/linux/tail-lag/n1-sq4-cq3",
    "propolis-2025/linux/tail/n1-sq3-cq3",
    "propolis-2026/spdk/tail-lag/n1-sq5-cq3",
    "qemu/linux/head/n1-sq4-cq4",
    "qemu/linux/head/n1-sq5-cq4/submit_batch=2",
    "propolis-2026/linux/tail-lag/n2-sq3-cq3",
    "qemu/lazy/head/n1-sq3-cq3",
)


def follow(instance: Instance, log: logs.Log, *, aimed: bool) -> Followed:
    return validating.follow(instance, log, aimed=aimed, most=50_000)


def partly(instance: Instance, steps: int, seed: int, wrong: int) -> logs.Log:
    """A run of which only the device's side is logged, with a few values of the words changed."""
    chance = random.Random(seed)
    told: list[dict[str, Any]] = [json.loads(line) for line in write.log(instance, walk(instance, steps, seed), SHOWN)]
    words = ("shadow", "eventidx")
    for event in told[1:]:
        for name in [name for name in event if "." in name and not name.endswith(words)]:
            del event[name]
    for event in chance.sample(told[1:], wrong):
        name = chance.choice([name for name in event if "." in name])
        size = instance.cq_size if name.startswith("cq.") else instance.sq_size
        event[name] = (event[name] + chance.randrange(1, size)) % size
    return lines.read(json.dumps(each) for each in told)


def test_what_is_tried_in_large_queues_decides_as_all_moves_do() -> None:
    """Where it is known that no run is lost, the same events fit."""
    verdicts = list[tuple[bool, bool]]()
    for name in INSTANCES:
        instance = from_name(name)
        for seed in range(12):
            log = partly(instance, 90, seed, seed % 3 and 1)
            every, few = follow(instance, log, aimed=False), follow(instance, log, aimed=True)
            assert few.aimed and not every.aimed and every.crowd is None and few.crowd is None
            if not few.unsure:
                assert (few.fits, few.accepted) == (every.fits, every.accepted), (name, seed)
            verdicts.append((every.fits, few.unsure))
    assert (True, False) in verdicts and (False, False) in verdicts
    assert not any(unsure for _, unsure in verdicts)
