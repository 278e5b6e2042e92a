"""Logs of the model's own runs of which a part is left out, and a value changed."""

from __future__ import annotations

import json
import random
from collections.abc import Collection

from uncork import logs
from uncork.logs import lines, write
from uncork.trace.runs import walk
from uncork_nvme.instance import Instance

DEVICE = (
    *("ring_sq", "notify_tail", "ring_cq", "notify_head", "fetch", "find_empty", "reread_sq", "wake", "arm_sq"),
    *("post", "post_queued", "post_read", "post_credit", "post_arm", "refresh", "cork", "complete"),
)
"""What a device sees and does, by family."""


def partly(instance: Instance, steps: int, seed: int, kept: Collection[str], wrong: int) -> logs.Log:
    """A random run of which only some families are logged, with the words' values; some of them are changed."""
    chance = random.Random(seed)
    told = [json.loads(line) for line in write.log(instance, walk(instance, steps, seed), kept)]
    for event in told[1:]:
        for name in [name for name in event if "." in name and not name.endswith(("shadow", "eventidx"))]:
            del event[name]
    for event in chance.sample(told[1:], min(wrong, len(told) - 1)):
        name = chance.choice([name for name in event if "." in name])
        size = instance.cq_size if name.startswith("cq.") else instance.sq_size
        event[name] = (event[name] + chance.randrange(1, size)) % size
    return lines.read(json.dumps(each) for each in told)
