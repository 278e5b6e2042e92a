"""Real devices and guests, each a named set of choices with its source."""

from __future__ import annotations

from dataclasses import dataclass, field

from uncork_nvme.choices import NO, YES, Choice


@dataclass(frozen=True)
class Device:
    """An emulated NVMe device: the choices in which it differs from the defaults, and the policy it has by itself.

    `assumes` is what its source, or what was read of it, leaves open, and how it is taken here.
    """

    name: str
    doc: str
    source: str
    policy: str
    choices: dict[str, Choice] = field(default_factory=dict)
    assumes: str = ""


@dataclass(frozen=True)
class Guest:
    """A guest driver: the choices in which it differs from the defaults; `assumes` as of a `Device`."""

    name: str
    doc: str
    source: str
    choices: dict[str, Choice] = field(default_factory=dict)
    assumes: str = ""


_PROPOLIS: dict[str, Choice] = {
    "post_order": "read-then-arm",
    "cork": "park",
    "kick_on_doorbell": YES,
    "backend": "in-worker",
    "on_create": "shadow",
    "on_config": "shadow",
    "on_delete": "abandon",
    "on_resume": "forget-corked",
    "device_fence_sq": NO,  # release and acquire only
    "device_fence_cq": NO,
}

_EVERY_KICK: dict[str, Choice] = {
    "kick_on_doorbell": YES,
    "kick_on_post": YES,
    "kick_on_reserve": YES,
    "kick_on_remit": YES,
}
_QEMU: dict[str, Choice] = {
    "cq_full": "queue",
    "post_order": "arm-then-read",
    "kick_on_doorbell": NO,
    "backend": "detached",
    "sq_read": "wake",
    "sq_arm": "each",
    "sq_event": "tail",
    "sq_reread": YES,
    "on_create": "neither",
    "on_config": "shadow",
}
_QEMU_ASSUMES = (
    "ioeventfd is off, as it is by default today, so a CQ doorbell has completions posted only if the CQ was full as "
    "last known; unless there is a pool, it has the SQs looked at too, as QEMU did until 9529aa6b (2024; 7.2.15 has "
    "it). The handlers of SQ and CQ, which share a thread, may take turns between their steps here; completions are "
    "posted in any order."
)
_PROPOLIS_ASSUMES = (
    "Each SQ has a worker of its own, or several, as if they were dealt among the SQs (Strategy::Static in "
    "block/attachment.rs). Where there are fewer workers than SQs all serve all: propolis-2026-shared."
)
_SPDK: dict[str, Choice] = {
    "cq_full": "permits",
    "kick_on_post": NO,
    "kick_on_remit": NO,
    "backend": "detached",
    "threads": "one",
    "on_create": "both",
    "on_config": "both",
}
_SPDK_ASSUMES = (
    "EventIdx 0xFFFFFFFF lies outside the ring and makes a guest ring once a lap; here EventIdx keeps its first value, "
    "which does the same. A slot is set aside before the SQ is looked at, and given back if it is empty: the SQs of a "
    "CQ are in one poll group, whose thread looks at one after the other, so that nobody sees it."
)

DEVICES = {
    device.name: device
    for device in (
        Device(
            "propolis-2025",
            "Propolis before PR #1026. Only a CQ doorbell kicks, and EventIdx is the tail: a guest that drains the CQ "
            "rings none.",
            "oxidecomputer/propolis 6dae4dc3, lib/propolis/src/hw/nvme/queue.rs: SubQueue::pop, CompQueue::push",
            policy="tail",
            choices=_PROPOLIS,
            assumes=_PROPOLIS_ASSUMES,
        ),
        Device(
            "propolis-2026",
            "Propolis since PR #1026: the same, with EventIdx one behind the tail.",
            "oxidecomputer/propolis e25e56ee, lib/propolis/src/hw/nvme/queue.rs: db_buf_write, called by "
            "CompQueue::push",
            policy="tail-lag",
            choices=_PROPOLIS,
            assumes=_PROPOLIS_ASSUMES,
        ),
        Device(
            "propolis-2026-shared",
            "The same, for a backend with fewer workers than the device has SQs: each worker looks at every SQ before "
            "it sleeps. Here it has one; workers=2 gives it two.",
            "oxidecomputer/propolis lib/propolis/src/block/attachment.rs: Strategy::FreeForAll, next_req_any",
            policy="tail-lag",
            choices={**_PROPOLIS, "serve": "all"},
            assumes="As many notifications of an SQ are kept as there are workers, and any worker that sleeps answers "
            "one: which of them Propolis would find by their bits is left open.",
        ),
        Device(
            "mmio",
            "Propolis with no doorbell buffer: every move of an index rings, and no policy is ever asked.",
            "oxidecomputer/propolis, a guest that sends no Doorbell Buffer Config",
            policy="tail",
            choices={**_PROPOLIS, "doorbell_buffer": "off"},
            assumes=_PROPOLIS_ASSUMES,
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
                **_EVERY_KICK,
                "kick_on_release": YES,
                "backend": "in-worker",
                "on_create": "both",
                "on_config": "both",
            },
        ),
        Device(
            "hand-over",
            "Propolis's workers with every kick, and each kick hands over: as many SQs as there is room for are woken, "
            "those first that were corked first, and each is given its permit. It writes EventIdx before it reads the "
            "shadow, and parks without another look.",
            "a design, not a device: what makes several SQs on one CQ fair to one another",
            policy="tail-1",
            choices={
                "post_order": "arm-then-read",
                **_EVERY_KICK,
                "kick_size": "hand-over",
                "backend": "in-worker",
                "on_create": "both",
                "on_config": "both",
            },
        ),
        Device(
            "qemu",
            "QEMU: commands execute though the CQ is full, and their completions queue. Each attempt to post writes "
            "the head as last read to EventIdx and then reads the shadow; a doorbell has it try again if the CQ was "
            "full. An SQ is armed with the tail as last read after each command, and its tail read again.",
            "QEMU hw/nvme/ctrl.c since fa5db2aa168b: nvme_process_sq, nvme_post_cqes, nvme_process_db",
            policy="head",
            choices=_QEMU,
            assumes=_QEMU_ASSUMES,
        ),
        Device(
            "qemu-7.1",
            "QEMU when it learned the doorbell buffer: the same, and CQ EventIdx is never written.",
            "QEMU hw/nvme/ctrl.c at 3f7fe8de3d49: nvme_post_cqes",
            policy="never",
            choices=_QEMU,
            assumes=_QEMU_ASSUMES,
        ),
        Device(
            "qemu-suppress-db",
            "A proposal that was turned down: SQ EventIdx is not written while the device polls, and falls behind.",
            "qemu-devel, the suppress_db proposal for hw/nvme",
            policy="head",
            choices={**_QEMU, "sq_arm": "never"},
            assumes=_QEMU_ASSUMES + " When it stops polling, EventIdx is still not written.",
        ),
        Device(
            "spdk-poll",
            "SPDK's vfio-user target, polling: it asks for no doorbell and needs none, since its pollers look at every "
            "SQ for ever. It takes a command only if the CQ has a slot that no other command counts on.",
            "SPDK lib/nvmf/vfio_user.c: nvmf_vfio_user_sq_poll, handle_sq_tdbl_write, cq_free_slots",
            policy="never",
            choices={**_SPDK, "poll": YES, "sq_arm": "never", "kick_on_doorbell": NO},
            assumes=_SPDK_ASSUMES,
        ),
        Device(
            "spdk-interrupt",
            "SPDK's vfio-user target, in interrupt mode: before it sleeps it reads the SQ shadow tail afresh, writes "
            "that to SQ EventIdx, and reads again. Only a tail that is the SQ head contents it: an SQ that finds the "
            "CQ full kicks itself until there is room, and so spins.",
            "SPDK lib/nvmf/vfio_user.c: vfio_user_poll_group_rearm, vfio_user_sq_rearm, set_sq_eventidx, "
            "handle_sq_tdbl_write",
            policy="never",
            choices={**_SPDK, "sq_arm": "idle", "sq_event": "tail", "sq_reread": YES, "cork": "self-kick"},
            assumes=_SPDK_ASSUMES + " It looks again as often as it finds something, where SPDK kicks itself after "
            "three times. A kick has the whole poll group look; here the SQ that wants it does.",
        ),
        Device(
            "openvmm",
            "OpenVMM: one task serves a CQ and its SQs and looks at all of them when anything happens. Commands are "
            "taken though the CQ is full, and their completions queue. It arms only where it has nothing to do: SQ "
            "EventIdx is the tail of an empty SQ, CQ EventIdx the head of a full CQ that a completion waits for, with "
            "a fence and another look after each.",
            "OpenVMM vm/devices/storage/nvme/src: queue.rs since #1582 (94889cae), workers/io.rs "
            "(IoHandler::process) with several SQs for a task since #1945",
            policy="head-when-full",
            choices={
                "cq_full": "queue",
                "post_order": "arm-then-read",
                "kick_on_doorbell": NO,
                "backend": "detached-repoll",
                "threads": "one",
                "sq_arm": "idle",
                "sq_event": "tail",
                "sq_reread": YES,
                "on_create": "shadow",
                "sq_event_cache": YES,
                "on_config": "both",
            },
            assumes="The one task is a worker for each SQ here, of which one looks at a time, and whoever posts, which "
            "may take turns between their steps; completions are posted in any order. An SQ has at most 8 commands "
            "under way, a limit that an SQ of up to nine entries does not reach. A full CQ is armed before the first "
            "look at its shadow head, not between two, and that is read before each completion is posted.",
        ),
        Device(
            "openvmm-2024",
            "OpenVMM before #1582: SQ EventIdx moves one further for each command, with no look after it but the next "
            "poll's; CQ EventIdx is not written in a CQ of any usual size.",
            "OpenVMM vm/devices/storage/nvme/src/queue.rs before 94889cae: advance_evt_idx, catch_up_evt_idx",
            policy="never",
            choices={"cork": "park", "kick_on_doorbell": YES, "backend": "detached-repoll", "sq_reread": NO},
            assumes="The CQ has more than 10 entries, or its EventIdx would be written when few are left. SQ EventIdx "
            "moves as a command is taken, and not as it completes. A command is taken only if the CQ has room, as in "
            "the source, where those in flight are not counted and may have to wait: here they are. One task had one "
            "SQ and one CQ: several SQs are hypothetical.",
        ),
        Device(
            "nvme-mdev",
            "A Linux kernel thread that polls, and parks when it finds nothing: then SQ EventIdx becomes the head, and "
            "it looks again. It does not park while an SQ has entries. CQ EventIdx is half a ring past the head. A "
            "command is taken only if the CQ has room for its completion.",
            "the nvme-mdev proposal, Linux RFC of 2019, drivers/nvme/mdev, as kept in a fork: vsq.c "
            "(nvme_mdev_vsq_get_cmd, nvme_mdev_vsq_suspend_io), vcq.c (nvme_mdev_vcq_process, "
            "nvme_mdev_vcq_reserve_space)",
            policy="half",
            choices={
                "cork": "self-kick",
                "kick_on_doorbell": YES,
                "backend": "detached-repoll",
                "threads": "one",
                "sq_arm": "idle",
                "sq_event": "head",
                "sq_reread": YES,
                "on_create": "both",
                "on_config": "both",
            },
            assumes="While it polls, SQ EventIdx is left alone, and not moved half a ring past the head: it needs no "
            "doorbell then.",
        ),
        Device(
            "femu",
            "FEMU polls every SQ for ever, and what it writes to EventIdx, one behind, asks for next to no doorbells.",
            "FEMU hw/femu/nvme-io.c as of 026eb0ef: nvme_process_sq_io, nvme_process_cq_cpl",
            policy="head-1",
            choices={
                "poll": YES,
                "kick_on_doorbell": NO,
                "backend": "detached",
                "threads": "one",
                "sq_read": "wake",
                "sq_arm": "idle",
                "sq_event": "tail-1",
                "sq_reread": NO,
            },
            assumes="It runs commands inline (NoSSD): then a command is taken only if the CQ has room for its "
            "completion, which FEMU tries again each sweep. Its other modes post with no look at whether the CQ is "
            "full, trusting that it is as large as the SQ; of several SQs, or a smaller CQ, they could write over "
            "CQEs that are not read. No choice here is that: nothing said of safety holds for them.",
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
            "SPDK lib/nvme: nvme_pcie_common.c (nvme_pcie_qpair_process_completions), nvme_pcie_internal.h "
            "(nvme_pcie_qpair_need_event, nvme_pcie_qpair_update_mmio_required)",
            choices={"drain": 1, "early_free": YES, "need_event": "closed", "submit_batch": 1},
            assumes="It may have as many commands outstanding as fit the SQ, which is so up to seven entries: of "
            "larger queues a quarter, or 128 at most, stays free.",
        ),
        Guest(
            "lazy",
            "Publishes after any number of CQEs, whether more are waiting or not: every guest that follows the "
            "strict rule "
            "and frees a slot when it consumes the CQE is one of its runs.",
            "libvfn's explicit publish, taken to the extreme",
            choices={"drain": "any", "early_free": YES, "need_event": "strict", "submit_batch": 65535},
        ),
        Guest(
            "libvfn",
            "A library whose users say when to publish: any number of entries at a time, on either queue; rings also "
            "if EventIdx is just reached.",
            "libvfn include/vfn/nvme/queue.h: nvme_sq_update_tail, nvme_cq_update_head, nvme_try_dbbuf; "
            "src/nvme/queue.c: nvme_cq_get_cqes, which publishes nothing",
            choices={"drain": "any", "early_free": YES, "need_event": "closed", "submit_batch": 65535},
            assumes="Its users use a command slot again when they have consumed the CQE.",
        ),
        Guest(
            "serenityos",
            "Submits one at a time, drains the CQ to its end, then publishes and checks once. A request completes, and "
            "its slot is reusable, before that.",
            "SerenityOS Kernel/Devices/Storage/NVMe: NVMeQueue.cpp (process_cq, submit_sqe), NVMeQueue.h "
            "(update_shadow_buf)",
            choices={"drain": "all", "early_free": YES, "need_event": "strict", "submit_batch": 1},
        ),
        Guest(
            "many-to-one",
            "Several SQs share a CQ, as those of illumos and Windows may: one entry is submitted at a time, and the CQ "
            "drained to its end.",
            "Windows' driver, by OpenVMM's #1945; illumos usr/src/uts/common/io/nvme/nvme.c",
            choices={"drain": "all", "early_free": YES, "need_event": "strict", "submit_batch": 1},
            assumes="It uses the doorbell buffer (whether either of them does is not known), with the strict rule, and "
            "uses a slot again when it has consumed the CQE. Say how many SQs with --sqs: with one it is as "
            "serenityos.",
        ),
        Guest(
            "mmio-only",
            "Sends no Doorbell Buffer Config, so that every move of an index rings.",
            "FreeBSD sys/dev/nvme/nvme_qpair.c; QEMU block/nvme.c",
            choices={"doorbell_buffer": "off", "drain": "all", "early_free": YES, "submit_batch": 1},
        ),
    )
}
"""The guests by name."""
