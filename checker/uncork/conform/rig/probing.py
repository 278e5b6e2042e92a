"""What the device writes besides posting, seen by itself: as queues are created, as the doorbell buffer is configured.

Shadow words and EventIdx are filled with a mark first; what is no mark afterwards, the device wrote.
"""

from __future__ import annotations

from dataclasses import dataclass

from uncork.conform.rig.controller import EVENT, READ, SHADOW, Controller

_MARK = 0x5A5A


@dataclass(frozen=True)
class Probed:
    """The values of the model's choices that this device has by what was seen of it."""

    on_create: str
    """What it writes for a new queue: `shadow`, `both` or `neither`."""
    on_config: str
    """What it writes as the doorbell buffer is configured: `shadow`, `both`; or `neither`, which the model has not."""
    kicks_sqs: bool
    """Whether a CQ doorbell that finds the CQ full has the SQs looked at: QEMU until 9529aa6b, which has backports."""


def probe(controller: Controller) -> Probed:
    """Looks at a device; leaves it with queues that nobody may use."""
    return Probed(_on_create(controller), _on_config(controller), _kicks_sqs(controller))


def _on_create(controller: Controller) -> str:
    controller.restart(1, 4, 4, config_first=True, event=_MARK, shadow=_MARK)
    return _written(controller, 0)


def _on_config(controller: Controller) -> str:
    """With one command behind it, so that the index is not what a new page holds."""
    controller.restart(1, 4, 4, config_first=False)
    _submit(controller, 1)
    controller.mark(_MARK, _MARK)
    controller.configure()
    return _written(controller, 1)


def _written(controller: Controller, tail: int) -> str:
    """What was written over the marks; anything but the queue's index is told as it stands."""
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
    """Whether an entry that was published in silence is fetched as the doorbell of a full CQ is rung.

    The CQ head has moved, so that whoever looks at it posts; an SQ is looked at for the doorbell alone.
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
