"""Finds what the device writes when queues are created and when the doorbell buffer is configured.

Shadow words and EventIdx are filled with marks first. The device has written every word that is no mark afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass

from uncork.conform.rig.controller import EVENT, READ, SHADOW, Controller

_MARK = 0x5A5A


@dataclass(frozen=True)
class Probed:
    """The choices of the model that match this device, as far as probed."""

    on_create: str
    """What the device writes for a new queue: `shadow`, `both` or `neither`."""
    on_config: str
    """What the device writes at Doorbell Buffer Config: `shadow`, `both`, or `neither` (not in the model)."""
    kicks_sqs: bool
    """Whether the doorbell of a full CQ kicks the SQs: QEMU before 9529aa6b (which was backported)."""


def probe(controller: Controller) -> Probed:
    """Probes a device. Its queues are unusable afterwards."""
    return Probed(_on_create(controller), _on_config(controller), _kicks_sqs(controller))


def _on_create(controller: Controller) -> str:
    controller.restart(1, 4, 4, config_first=True, event=_MARK, shadow=_MARK)
    return _written(controller, 0)


def _on_config(controller: Controller) -> str:
    """Configures after one command, so that the index differs from the content of a new page."""
    controller.restart(1, 4, 4, config_first=False)
    _submit(controller, 1)
    controller.mark(_MARK, _MARK)
    controller.configure()
    return _written(controller, 1)


def _written(controller: Controller, tail: int) -> str:
    """Returns what was written over the marks. A value other than the queue's index is returned as text."""
    shadow = [controller.word(SHADOW, 1), controller.word(SHADOW, 1, cq=True)]
    event = [controller.word(EVENT, 1), controller.word(EVENT, 1, cq=True)]
    kept, indices = [_MARK, _MARK], [tail, 0]
    for name, words in (
        ("neither", (kept, kept)),
        ("shadow", (indices, kept)),
        ("both", (indices, indices)),
    ):
        if (shadow, event) == words:
            return name
    return f"shadow {shadow}, EventIdx {event}"


def _kicks_sqs(controller: Controller) -> bool:
    """Returns whether ringing the doorbell of a full CQ fetches an entry published without a doorbell.

    The CQ head has moved, so that any look at it posts; only the doorbell can make the device look at the SQ.
    """
    controller.restart(1, 4, 2, config_first=True)
    _submit(controller, 1)
    controller.put(1, 1, READ, 1)
    controller.set_word(SHADOW, 1, 2)
    controller.set_word(SHADOW, 1, 1, cq=True)
    controller.ring(1, 1, cq=True)
    controller.qemu.settle()
    return controller.word(EVENT, 1) == 2


def _submit(controller: Controller, tail: int) -> None:
    controller.put(1, tail - 1, READ, tail - 1)
    controller.set_word(SHADOW, 1, tail)
    controller.ring(1, tail)
    controller.qemu.settle()
