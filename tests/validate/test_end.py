"""How a log may end: every state of rest is found, and what is said of the end holds."""

from __future__ import annotations

import json
import random

import pytest
from qemu_trace import log as printed
from qemu_trace import traced
from repository import STORED
from uncork import logs
from uncork.core.trace import replay
from uncork.engines.python import Plain, predicate, successors
from uncork.engines.rest import Resting
from uncork.logs import lines, qemu, write
from uncork.trace.runs import walk
from uncork.validate import end as ending
from uncork.validate import follow as validating
from uncork.validate.show import ending as words
from uncork_nvme.catalogue import DEVICES
from uncork_nvme.instance import Instance, from_name
from uncork_nvme.observe import at_once, unserved

HANGS = STORED / "propolis-2025-linux-tail-n1-sq3-cq3-uncorked.itf.json"


def rests(instance: Instance, state: Plain, *, reduced: bool) -> set[Plain]:
    fair = [action.name for action in instance.system.actions if action.fair]
    resting = Resting(instance.system, fair, at_once(instance.machine, instance.system))
    found = resting._explore([resting._packing.pack(state)], 100_000, reduced=reduced)
    return {resting._packing.unpack(end) for end in found.ends}


def states(instance: Instance, number: int) -> list[Plain]:
    """States of a random run."""
    run = [tuple(now.values()) for _, _, now in walk(instance, 400, 1)]
    return random.Random(0).sample(run, min(number, len(run)))


@pytest.mark.parametrize("device", sorted(DEVICES))
def test_stubborn_sets_find_every_state_of_rest(device: str) -> None:
    instance = Instance(device, "linux", DEVICES[device].policy, *((2, 2, 2) if device == "hand-over" else (1, 3, 3)))
    for state in states(instance, 2):
        assert rests(instance, state, reduced=True) == rests(instance, state, reduced=False)
