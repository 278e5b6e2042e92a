"""The default matrix: which instances `uncork check` decides when nothing is asked for in particular."""

from __future__ import annotations

from collections.abc import Iterator

from uncork_nvme.catalogue import DEVICES, GUESTS
from uncork_nvme.instance import Instance
from uncork_nvme.policies import POLICIES

SHAPES = ((1, 2, 2), (1, 3, 3), (1, 4, 4), (1, 4, 3), (2, 2, 2))
"""Number of SQs, entries of an SQ, entries of the CQ.

One SQ of the smallest sizes, one larger than its CQ, and two SQs.
"""


def guests(sqs: int) -> list[str]:
    """The guests that a shape is checked with: all of them for one SQ; with more, Linux."""
    return list(GUESTS) if sqs == 1 else ["linux"]


def instances() -> Iterator[Instance]:
    """Every policy on every device, in every shape, with the guests of that shape."""
    for device in DEVICES:
        for guest in GUESTS:
            for policy in POLICIES:
                for shape in SHAPES:
                    if guest in guests(shape[0]):
                        yield Instance(device, guest, policy, *shape)
