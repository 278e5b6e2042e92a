"""The default matrix, which `uncork check` decides without arguments, the deep matrix, and the field."""

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
"""The devices, guests and policies of the default matrix; others in the catalogue are checked only if named."""

SHAPES = (
    *(Shape(1, 2, 2), Shape(1, 3, 3), Shape(1, 4, 4), Shape(1, 4, 3)),
    *(Shape(2, 2, 2), Shape(2, 2, 3), Shape(3, 2, 2)),
)
"""Number of SQs, entries of an SQ, entries of the CQ: one SQ, one larger than its CQ, and two and three SQs."""

DEEP = (Shape(2, 3, 3), Shape(2, 4, 4), Shape(3, 2, 2))
"""The shapes of the deep matrix, which takes minutes for each instance."""


FIELD = (Shape(1, 3, 3), Shape(2, 2, 2))
"""The shapes in which every device is checked: with every guest for one SQ, with some guests for two."""


def guests(sqs: int) -> list[str]:
    """The guests of a shape: all guests of the matrix for one SQ; Linux for more."""
    return list(GUESTS) if sqs == 1 else ["linux"]


def policies(device: str) -> Sequence[str]:
    """The policies of a device: all of the matrix, or only its own policy if the device is not in the matrix."""
    return POLICIES if device in DEVICES else (catalogue.find_device(device).policy,)


def fits(device: str, sqs: int) -> bool:
    """Whether the default matrix has a device with this number of SQs; three SQs need a device without EventIdx."""
    return sqs < 3 or catalogue.find_device(device).choices.get("doorbell_buffer") == "off"


def instances() -> Iterator[Instance]:
    """The default matrix: every policy on every device, in every shape that fits, with the guests of that shape."""
    for device in DEVICES:
        for guest in GUESTS:
            for policy in policies(device):
                for shape in SHAPES:
                    if guest in guests(shape.sqs) and fits(device, shape.sqs):
                        yield Instance(device, guest, policy, *shape)


def deep() -> Iterator[Instance]:
    """The deep matrix: every device with its own policy, at sizes that take some minutes."""
    for device in DEVICES:
        for shape in DEEP:
            yield Instance(device, "linux", catalogue.DEVICES[device].policy, *shape)


def field_guests(sqs: int) -> list[str]:
    """The guests of the field: all guests for one SQ; with more, Linux and a guest that shares a CQ among its SQs."""
    return list(catalogue.GUESTS) if sqs == 1 else ["linux", "many-to-one"]


def field() -> Iterator[Instance]:
    """The field: every device of the catalogue with its own policy and each guest, without the default matrix."""
    known = {instance.name for instance in instances()}
    for device in catalogue.DEVICES.values():
        for shape in FIELD:
            for guest in field_guests(shape.sqs):
                instance = Instance(device.name, guest, device.policy, *shape)
                if instance.name not in known:
                    yield instance
