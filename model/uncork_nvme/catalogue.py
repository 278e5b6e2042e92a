"""Real devices and guests, each a named set of choices with its source."""

from __future__ import annotations

from dataclasses import dataclass, field

from uncork_nvme.choices import NO, YES, Choice


@dataclass(frozen=True)
class Device:
    """An emulated NVMe device: the choices in which it differs from the defaults, and the policy it has by itself."""

    name: str
    doc: str
    source: str
    policy: str
    choices: dict[str, Choice] = field(default_factory=dict)


@dataclass(frozen=True)
class Guest:
    """A guest driver: the choices in which it differs from the defaults."""

    name: str
    doc: str
    source: str
    choices: dict[str, Choice] = field(default_factory=dict)


_PROPOLIS: dict[str, Choice] = {
    "post_order": "read-then-arm",
    "cork": "park",
    "kick_on_doorbell": YES,
    "backend": "in-worker",
    "device_fence_sq": NO,  # release and acquire only
    "device_fence_cq": NO,
}

DEVICES = {
    device.name: device
    for device in (
        Device(
            "propolis-2025",
            "Propolis before PR #1026, each SQ with a worker of its own. Only a CQ doorbell kicks, and EventIdx is the "
            "tail: a guest that drains the CQ rings none.",
            "oxidecomputer/propolis 6dae4dc3, lib/propolis/src/hw/nvme/queue.rs",
            policy="tail",
            choices=_PROPOLIS,
        ),
        Device(
            "propolis-2026",
            "Propolis since PR #1026: the same, with EventIdx one behind the tail.",
            "oxidecomputer/propolis e25e56ee, lib/propolis/src/hw/nvme/queue.rs",
            policy="tail-lag",
            choices=_PROPOLIS,
        ),
        Device(
            "mmio",
            "Propolis with no doorbell buffer: every move of an index rings, and no policy is ever asked.",
            "oxidecomputer/propolis, a guest that sends no Doorbell Buffer Config",
            policy="tail",
            choices={**_PROPOLIS, "doorbell_buffer": "off"},
        ),
        Device(
            "arm-recheck",
            "Arms and looks again before it corks, kicks wherever a permit comes back, and writes EventIdx "
            "before it reads "
            "the shadow: what virtio, Xen and io_uring prescribe, on Propolis's workers.",
            "a design, not a device: the arm-when-full of QEMU and OpenVMM with every kick",
            policy="arm-on-cork",
            choices={
                "post_order": "arm-then-read",
                "cork": "arm-recheck",
                "kick_on_doorbell": YES,
                "kick_on_post": YES,
                "kick_on_reserve": YES,
                "kick_on_remit": YES,
                "backend": "in-worker",
            },
        ),
    )
}
"""The devices by name."""

GUESTS = {
    guest.name: guest
    for guest in (
        Guest(
            "linux",
            "Drains the CQ to its end, then publishes and checks once; a command slot is reusable before that; "
            "the SQ tail "
            "may move by as many entries as fit.",
            "Linux drivers/nvme/host/pci.c: nvme_poll_cq, nvme_write_sq_db, nvme_dbbuf_need_event",
            choices={"drain": "all", "early_free": YES, "need_event": "strict", "submit_batch": 65535},
        ),
        Guest(
            "spdk",
            "Polls, and publishes after at most so many CQEs (here one: a caller's least maximum, and a "
            "quarter of any CQ "
            "of up to seven entries); callbacks submit before that; rings also if EventIdx is just reached.",
            "SPDK lib/nvme/nvme_pcie_common.c: nvme_pcie_qpair_process_completions, nvme_pcie_qpair_need_event",
            choices={"drain": 1, "early_free": YES, "need_event": "closed", "submit_batch": 1},
        ),
        Guest(
            "lazy",
            "Publishes after any number of CQEs, whether more are waiting or not: every guest that follows the "
            "strict rule "
            "and frees a slot when it consumes the CQE is one of its runs.",
            "libvfn's explicit publish, taken to the extreme",
            choices={"drain": "any", "early_free": YES, "need_event": "strict", "submit_batch": 65535},
        ),
    )
}
"""The guests by name."""
