"""The default matrix: which instances `uncork check` decides when nothing particular is asked for; and the deep one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from uncork_nvme import catalogue
from uncork_nvme.instance import Instance
from uncork_nvme.shape import Shape

DEVICES = ("propolis-2025", "propolis-2026", "mmio", "arm-recheck")
GUESTS = ("linux", "spdk", "lazy")
POLICIES = (
    *("tail", "tail-lag", "tail-1", "head", "reserve-slots", "reserve-slots-size", "reserve-permits", "arm-on-cork"),
    "never",
)
"""What the default matrix is made of; whatever else the catalogue has is checked where it is named."""

SHAPES = (
    *(Shape(1, 2, 2), Shape(1, 3, 3), Shape(1, 4, 4), Shape(1, 4, 3)),
    *(Shape(2, 2, 2), Shape(2, 2, 3), Shape(3, 2, 2)),
)
"""Number of SQs, entries of an SQ, entries of the CQ: one SQ, one larger than its CQ, and two and three SQs."""

DEEP = (Shape(2, 3, 3), Shape(2, 4, 4), Shape(3, 2, 2))
"""The shapes of the deep matrix, which takes minutes an instance."""


FIELD = (Shape(1, 3, 3), Shape(2, 2, 2))
"""The shapes in which every device of the catalogue is checked with every guest, or with two SQs with some."""


def guests(sqs: int) -> list[str]:
    """The guests that a shape is checked with: all of them for one SQ; with more, Linux."""
    return list(GUESTS) if sqs == 1 else ["linux"]


def policies(device: str) -> Sequence[str]:
    """The policies that a device is checked with: all of the matrix, or if it is not in it, the one it has itself."""
    return POLICIES if device in DEVICES else (catalogue.DEVICES[device].policy,)


def fits(device: str, sqs: int) -> bool:
    """Whether a device is in the default matrix with so many SQs: three only where no EventIdx is written."""
    return sqs < 3 or catalogue.DEVICES[device].choices.get("doorbell_buffer") == "off"


def instances() -> Iterator[Instance]:
    """Every policy on every device, in every shape that fits, with the guests of that shape."""
    for device in DEVICES:
        for guest in GUESTS:
            for policy in policies(device):
                for shape in SHAPES:
                    if guest in guests(shape.sqs) and fits(device, shape.sqs):
                        yield Instance(device, guest, policy, *shape)


def deep() -> Iterator[Instance]:
    """Every device with the policy it has by itself, as far as it can be decided in some minutes."""
    for device in DEVICES:
        for shape in DEEP:
            yield Instance(device, "linux", catalogue.DEVICES[device].policy, *shape)


def field_guests(sqs: int) -> list[str]:
    """The guests of the field: all of them for one SQ; with more, Linux and one that shares a CQ among its SQs."""
    return list(catalogue.GUESTS) if sqs == 1 else ["linux", "many-to-one"]


def field() -> Iterator[Instance]:
    """Every device of the catalogue with its own policy and each guest, but for what is in the default matrix."""
    known = {instance.name for instance in instances()}
    for device in catalogue.DEVICES.values():
        for shape in FIELD:
            for guest in field_guests(shape.sqs):
                instance = Instance(device.name, guest, device.policy, *shape)
                if instance.name not in known:
                    yield instance
