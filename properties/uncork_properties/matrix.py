"""The default matrix: which instances `uncork check` decides when nothing particular is asked for; and the deep one."""

from __future__ import annotations

from collections.abc import Iterator

from uncork_nvme.catalogue import DEVICES, GUESTS
from uncork_nvme.instance import Instance
from uncork_nvme.policies import POLICIES

SHAPES = ((1, 2, 2), (1, 3, 3), (1, 4, 4), (1, 4, 3), (2, 2, 2), (2, 2, 3), (3, 2, 2))
"""Number of SQs, entries of an SQ, entries of the CQ: one SQ, one larger than its CQ, and two and three SQs."""

DEEP = ((2, 3, 3), (2, 4, 4), (3, 2, 2))
"""The shapes of the deep matrix, which takes minutes an instance."""


def guests(sqs: int) -> list[str]:
    """The guests that a shape is checked with: all of them for one SQ; with more, Linux."""
    return list(GUESTS) if sqs == 1 else ["linux"]


def fits(device: str, sqs: int) -> bool:
    """Whether a device is in the default matrix with so many SQs: three only where no EventIdx is written."""
    return sqs < 3 or DEVICES[device].choices.get("doorbell_buffer") == "off"


def instances() -> Iterator[Instance]:
    """Every policy on every device, in every shape that fits, with the guests of that shape."""
    for device in DEVICES:
        for guest in GUESTS:
            for policy in POLICIES:
                for shape in SHAPES:
                    if guest in guests(shape[0]) and fits(device, shape[0]):
                        yield Instance(device, guest, policy, *shape)


def deep() -> Iterator[Instance]:
    """Every device with the policy it has by itself, as far as it can be decided in some minutes."""
    for device in DEVICES.values():
        for shape in DEEP:
            yield Instance(device.name, "linux", device.policy, *shape)
