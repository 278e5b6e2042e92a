"""Designs, which are no devices: what Propolis's workers could do."""

from __future__ import annotations

from uncork_nvme.choices import YES, Choice
from uncork_nvme.device import Device
from uncork_nvme.parts.backend import InWorker
from uncork_nvme.parts.crew import Spent
from uncork_nvme.parts.life import Cycle
from uncork_nvme.parts.post import Post
from uncork_nvme.parts.reader import Reader
from uncork_nvme.parts.room.admission import Permits
from uncork_nvme.parts.room.full import ArmRecheck, Park
from uncork_nvme.parts.room.kicks import HandOver, Kicks

_EVERY_KICK: dict[str, Choice] = {
    "kick_on_doorbell": YES,
    "kick_on_post": YES,
    "kick_on_reserve": YES,
    "kick_on_remit": YES,
    "kick_delivery": "deferred",  # as Propolis delivers them
}

ARM_RECHECK = Device(
    "arm-recheck",
    "Propolis's workers with what virtio, Xen and io_uring prescribe: the device arms and looks again before "
    "it corks, kicks wherever a permit comes back, and writes EventIdx before it reads the shadow.",
    "a design, not a device: the arm-when-full of QEMU and OpenVMM with every kick, delivered as Propolis can",
    policy="arm-on-cork",
    parts={
        Reader: {},
        Permits: {},
        ArmRecheck: {},
        Post: {"post_order": "arm-then-read"},
        InWorker: {},
        Spent: {},
        Kicks: {**_EVERY_KICK, "kick_on_release": YES},
        Cycle: {"on_create": "both", "on_config": "both"},
    },
)

HAND_OVER = Device(
    "hand-over",
    "Propolis's workers with every kick, and each kick hands over: a kick wakes as many SQs as there is room "
    "for, the longest corked first, and gives each its permit. The device writes EventIdx before it reads the "
    "shadow, and parks without another look.",
    "a design, not a device: it makes several SQs on one CQ fair to one another",
    policy="tail-1",
    parts={
        Reader: {},
        Permits: {},
        Park: {},
        Post: {"post_order": "arm-then-read"},
        InWorker: {},
        Spent: {},
        HandOver: {**_EVERY_KICK, "kick_on_release": YES},
        Cycle: {"on_create": "both", "on_config": "both"},
    },
)
