"""Real devices and guests, each a named set of choices with its source."""

from __future__ import annotations

from dataclasses import field

from uncork.core.frozen import frozen

from uncork_nvme.choices import NO, YES, Choice


@frozen
class Device:
    """An emulated NVMe device: the choices that differ from the defaults, and the device's own policy.

    `assumes` says what the source leaves open, and the assumption made here.
    """

    name: str
    doc: str
    source: str
    policy: str
    choices: dict[str, Choice] = field(default_factory=dict)
    assumes: str = ""


@frozen
class Guest:
    """A guest driver: the choices that differ from the defaults; `assumes` as in `Device`."""

    name: str
    doc: str
    source: str
    choices: dict[str, Choice] = field(default_factory=dict)
    assumes: str = ""


_NOTIFIES: dict[str, Choice] = {
    "notify": "spent",  # minder.rs: take_notifications; attachment.rs: flush_notifications
    "kick_delivery": "deferred",  # nvme/mod.rs: ring_doorbell kicks first, and then notifies one SQ after another
}
"""What a notification does to Propolis's workers, and to the workers of designs for Propolis."""
_PROPOLIS: dict[str, Choice] = {
    "post_order": "read-then-arm",
    "cork": "park",
    "kick_on_doorbell": YES,
    "backend": "in-worker",
    "on_create": "shadow",
    "on_config": "shadow",
    "on_delete": "abandon",
    "look_on_change": YES,  # attachment.rs: update_queue_associations, which wakes every worker
    "on_resume": "forget-looks",  # minder.rs: next_req while paused; attachment.rs: flush_notifications
    **_NOTIFIES,
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
    "on_delete": "post",
    "on_resume": "keep",
}
_QEMU_OLD: dict[str, Choice] = {**_QEMU, "kick_on_doorbell": YES, "on_request": "nothing"}
_QEMU_ASSUMES = (
    "ioeventfd is off, as by default, so a CQ doorbell has completions posted only if the CQ was full as last known. "
    "In QEMU the handlers of SQ and CQ share a thread and run whole; here they may take turns between steps. QEMU "
    "posts completions in the order in which they came; here in any order. An SQ never lacks a request, unless the "
    "guest follows the SQ head in its CQEs (see the museum's qemu-2388). A machine is stopped and continued; QEMU "
    "does not migrate it. When an SQ is deleted, its commands are aborted and posting is tried once: completions of "
    "other SQs go with them, and completions that find no room are dropped."
)
_PROPOLIS_ASSUMES = (
    "Each SQ has its own worker, or several, as Strategy::Static deals them in block/attachment.rs. If there are "
    "fewer workers than SQs, all serve all: propolis-2026-shared. A worker keeps its SQ when other queues come and go "
    "(PR #1156 is about a bit that a worker leaves at another queue). The device can run every entry (Propolis "
    "answers bad entries inside the look). A device that was migrated to another process refuses every doorbell "
    "(issue #981); here it is paused and resumed in one process, as when a migration fails. A command that completes "
    "just as its SQ is deleted posts a CQE; here its permit is lost like the others'."
)
_SPDK: dict[str, Choice] = {
    "cq_full": "permits",
    "kick_on_post": NO,
    "kick_on_remit": NO,
    "backend": "detached",
    "threads": "one",
    "event_outside": "cq",  # set_sq_eventidx and init_cq: NVMF_VFIO_USER_EVENTIDX_POLL, 0xFFFFFFFF
    "on_create": "both",
    "on_config": "both",
    "on_delete": "post",
}
_SPDK_ASSUMES = (
    "A slot is set aside before the SQ is looked at, and returned if the SQ is empty. No actor sees this, because one "
    "thread looks at all SQs of a poll group in turn. A CQ is not created again with another size (SPDK would keep "
    "the old head). SQ EventIdx is written when a buffer is configured, not in the look that follows. No guest is "
    "fast enough to make the creation of an SQ fail."
)

DEVICES = {
    device.name: device
    for device in (
        Device(
            "propolis-2025",
            "Propolis before PR #1026. Only a CQ doorbell kicks, and EventIdx is the tail, so a guest that drains the "
            "CQ does not ring.",
            "oxidecomputer/propolis 4726609f, lib/propolis/src/hw/nvme/queue.rs (November 2025, to e25e56ee^): "
            "SubQueue::pop, CompQueue::push; lib/propolis/src/block: attachment.rs (flush_notifications), minder.rs "
            "(next_req)",
            policy="tail",
            choices=_PROPOLIS,
            assumes=_PROPOLIS_ASSUMES,
        ),
        Device(
            "propolis-2026",
            "Propolis since PR #1026: as propolis-2025, with EventIdx one behind the tail.",
            "oxidecomputer/propolis 372a5744, lib/propolis/src/hw/nvme/queue.rs (July 2026; the same since e25e56ee): "
            "SubQueue::pop, CompQueue::push, db_buf_write; hw/nvme/mod.rs: ring_doorbell; lib/propolis/src/block: "
            "attachment.rs (flush_notifications), minder.rs (next_req, take_notifications)",
            policy="tail-lag",
            choices=_PROPOLIS,
            assumes=_PROPOLIS_ASSUMES,
        ),
        Device(
            "propolis-2026-shared",
            "propolis-2026 with fewer workers than SQs: each worker looks at every SQ before it sleeps. One worker by "
            "default; workers=2 gives two.",
            "oxidecomputer/propolis lib/propolis/src/block/attachment.rs: Strategy::FreeForAll, next_req_any",
            policy="tail-lag",
            choices={**_PROPOLIS, "serve": "all"},
            assumes=(
                "A notification waits until no worker moves between SQs; Propolis waits only for workers whose bit is "
                "set at this SQ. It may wake any sleeping worker; Propolis wakes the one with the lowest number."
            ),
        ),
        Device(
            "mmio",
            "Propolis with no doorbell buffer: every move of an index rings, and the policy is never used.",
            "oxidecomputer/propolis, a guest that sends no Doorbell Buffer Config",
            policy="tail",
            choices={**_PROPOLIS, "doorbell_buffer": "off"},
            assumes=_PROPOLIS_ASSUMES,
        ),
        Device(
            "arm-recheck",
            "Propolis's workers with what virtio, Xen and io_uring prescribe: the device arms and looks again before "
            "it corks, kicks wherever a permit comes back, and writes EventIdx before it reads the shadow.",
            "a design, not a device: the arm-when-full of QEMU and OpenVMM with every kick, delivered as Propolis can",
            policy="arm-on-cork",
            choices={
                "post_order": "arm-then-read",
                "cork": "arm-recheck",
                **_EVERY_KICK,
                **_NOTIFIES,
                "kick_on_release": YES,
                "backend": "in-worker",
                "on_create": "both",
                "on_config": "both",
            },
        ),
        Device(
            "hand-over",
            "Propolis's workers with every kick, and each kick hands over: a kick wakes as many SQs as there is room "
            "for, the longest corked first, and gives each its permit. The device writes EventIdx before it reads the "
            "shadow, and parks without another look.",
            "a design, not a device: it makes several SQs on one CQ fair to one another",
            policy="tail-1",
            choices={
                "post_order": "arm-then-read",
                **_EVERY_KICK,
                **_NOTIFIES,
                "kick_size": "hand-over",
                "backend": "in-worker",
                "on_create": "both",
                "on_config": "both",
            },
        ),
        Device(
            "qemu",
            "QEMU: commands run even if the CQ is full, and their completions queue. Each attempt to post writes the "
            "head as last read to EventIdx and then reads the shadow; a doorbell makes QEMU try again if the CQ was "
            "full. After each command QEMU writes the tail as last read to SQ EventIdx, and reads the tail again.",
            "QEMU hw/nvme/ctrl.c at bd3ba0d342 (November 2025; the same since 9529aa6b: 9.2.0, 9.1.2, 9.0.4, "
            "7.2.15): nvme_process_sq, nvme_post_cqes, nvme_process_db, nvme_del_sq, nvme_dbbuf_config",
            policy="head",
            choices=_QEMU,
            assumes=_QEMU_ASSUMES,
        ),
        Device(
            "qemu-9.1",
            "QEMU from 8.0.0 (7.2.1) to 9.1.1: as qemu, but a doorbell of a CQ that was full also causes a look at "
            "every SQ, and a request that comes back causes no look.",
            "QEMU hw/nvme/ctrl.c from fa5db2aa168b to 9529aa6b^: nvme_process_db, nvme_post_cqes",
            policy="head",
            choices=_QEMU_OLD,
            assumes=_QEMU_ASSUMES,
        ),
        Device(
            "qemu-7.1",
            "QEMU's first doorbell buffer, 7.1.0 to 7.2.0: as qemu-9.1, and CQ EventIdx is never written.",
            "QEMU hw/nvme/ctrl.c at 3f7fe8de3d49: nvme_post_cqes",
            policy="never",
            choices=_QEMU_OLD,
            assumes=_QEMU_ASSUMES,
        ),
        Device(
            "spdk-poll",
            "SPDK's vfio-user target, polling: it needs no doorbell, because its pollers look at every SQ for ever. "
            "It takes a command only if the CQ has a slot that no other command counts on.",
            "SPDK lib/nvmf/vfio_user.c at 3230130e (August 2026): nvmf_vfio_user_sq_poll, handle_sq_tdbl_write, "
            "cq_free_slots, set_sq_eventidx, handle_doorbell_buffer_config",
            policy="never",
            choices={**_SPDK, "event_outside": "both", "poll": YES, "sq_arm": "never", "kick_on_doorbell": NO},
            assumes=_SPDK_ASSUMES
            + (
                " It has a doorbell buffer only with disable_mappable_bar0; by default it polls the doorbell "
                "registers as memory, which makes no difference to it."
            ),
        ),
        Device(
            "spdk-interrupt",
            "SPDK's vfio-user target, in interrupt mode: before it sleeps it reads the SQ shadow tail again, writes "
            "that tail to SQ EventIdx, and reads again. It sleeps only if the tail is the SQ head. An SQ that finds "
            "the CQ full kicks itself until there is room.",
            "SPDK lib/nvmf/vfio_user.c at 3230130e (August 2026): vfio_user_poll_group_rearm, vfio_user_sq_rearm, "
            "set_sq_eventidx, handle_sq_tdbl_write, poll_group_kick, nvmf_vfio_user_poll_group_poll",
            policy="never",
            choices={
                **_SPDK,
                **{"sq_read": "wake", "sq_arm": "idle", "sq_event": "tail", "sq_reread": YES, "cork": "self-kick"},
            },
            assumes=_SPDK_ASSUMES
            + (
                " It looks again as often as it finds something; SPDK kicks itself after three looks. In SPDK a "
                "doorbell or kick makes the whole poll group look; here only its SQ is looked at. An SQ whose "
                "EventIdx was not passed is armed again with the same value."
            ),
        ),
        Device(
            "openvmm",
            "OpenVMM: one task serves a CQ and its SQs and looks at all of them when anything happens. It takes "
            "commands even if the CQ is full, and their completions queue. It arms only if it has nothing to do: SQ "
            "EventIdx is the tail of an empty SQ, CQ EventIdx the head of a full CQ that a completion waits for, with "
            "a fence and another look after each.",
            "OpenVMM vm/devices/storage/nvme/src at 1488a37b (August 2026): queue.rs (DoorbellState::probe_inner, "
            "DoorbellMemory::write and replace_mem, CompletionQueue::poll_ready), workers/io.rs (IoHandler::process)",
            policy="head-when-full",
            choices={
                "cq_full": "queue",
                "post_order": "arm-then-read",
                "kick_on_doorbell": YES,
                "backend": "detached-repoll",
                "threads": "one",
                "sq_arm": "idle",
                "sq_event": "tail",
                "sq_reread": YES,
                "on_create": "shadow",
                "sq_event_cache": YES,
                "cq_event_cache": YES,
                "on_config": "both",
                "on_delete": "post",
            },
            assumes=(
                "The one task is here a worker for each SQ, of which one looks at a time, and a poster. They may take "
                "turns between steps; completions are posted in any order. An SQ has at most 8 commands under way; an "
                "SQ of up to nine entries does not reach this limit. A full CQ is armed before the first look at its "
                "shadow head, not between two looks, and the head is read before each completion is posted. OpenVMM "
                "has no pause. OpenVMM also stores a doorbell's value in the shadow word, where the guest has stored "
                "the same value. If OpenVMM remembers EventIdx as written, it does not look again; here it does. "
                "OpenVMM looks at everything when queues come and go; the model does not."
            ),
        ),
        Device(
            "openvmm-2024",
            "OpenVMM before #1582: SQ EventIdx moves by one for each command, and only the next poll looks again; CQ "
            "EventIdx is not written in a CQ of any usual size.",
            "OpenVMM vm/devices/storage/nvme/src/queue.rs before 94889cae: advance_evt_idx, catch_up_evt_idx",
            policy="never",
            choices={
                **{"cork": "park", "kick_on_doorbell": YES, "backend": "detached-repoll", "sq_reread": NO},
                "on_create": "neither",
            },
            assumes=(
                "The CQ has more than 10 entries; otherwise EventIdx is written when few entries are left. SQ "
                "EventIdx moves when a command is taken, and not when it completes. A command is taken only if the CQ "
                "has room, as in the source. The source does not count commands in flight, which may have to wait; "
                "the model counts them. One task had one SQ and one CQ: several SQs are hypothetical. When the buffer "
                "is configured, OpenVMM set the shadows to 0xFFFFFFFF; the model sets them to the indices. How "
                "OpenVMM deletes and resets was not read."
            ),
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
                "kick_on_doorbell": NO,
                "backend": "detached-repoll",
                "threads": "one",
                "sq_arm": "idle",
                "sq_event": "head",
                "sq_reread": YES,
                "on_create": "both",
                "on_config": "both",
                "on_delete": "post",
                "on_resume": "forget-notified",
            },
            assumes=(
                "While it polls, SQ EventIdx stays as it is, and is not moved half a ring past the head: the device "
                "needs no doorbell then. CQ EventIdx is written when a CQE is posted; the source writes it in a loop "
                "of its own when the head moves. It parks even if CQEs are unread. Doorbells during a pause are "
                "noted, but the thread is not woken at the resume (io.c: nvme_mdev_io_resume, called before the pause "
                "is over). Without a buffer it never parks."
            ),
        ),
        Device(
            "femu",
            "FEMU polls every SQ for ever, and writes an EventIdx one behind, so that the guest hardly rings.",
            "FEMU hw/femu at 99ce4fb2 (August 2026): nvme-io.c (nvme_process_sq_io, nvme_process_cq_cpl), nvme-util.c "
            "(nvme_update_cq_eventidx)",
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
                "on_create": "neither",
            },
            assumes=(
                "FEMU serves no I/O before it has a doorbell buffer, so events=config and doorbell_buffer=off "
                "describe no real FEMU; nor does FEMU wait for anything when an SQ is deleted. It runs commands "
                "inline (NoSSD): it takes a command only if the CQ has room for the completion, and tries again each "
                "sweep. Its other modes post without a look at whether the CQ is full, because they trust the CQ to "
                "be as large as the SQ, and they post to the CQ with the SQ's number: they could overwrite unread "
                "CQEs, or write into another CQ. No choice describes these modes, so no verdict on safety holds for "
                "them."
            ),
        ),
    )
}
"""The devices by name."""

GUESTS = {
    guest.name: guest
    for guest in (
        Guest(
            "linux",
            "Drains the CQ to its end, then publishes and checks once. A command slot may be reusable before the "
            "publish. The SQ tail may move by as many entries as fit.",
            "Linux drivers/nvme/host/pci.c: nvme_poll_cq, nvme_write_sq_db, nvme_dbbuf_need_event",
            choices={"drain": "all", "early_free": YES, "need_event": "strict", "submit_batch": 65535},
        ),
        Guest(
            "spdk",
            "Polls, and publishes after at most a given number of CQEs (here one: a caller's least maximum, and a "
            "quarter of any CQ of up to seven entries). Callbacks submit before the publish. Rings as soon as "
            "EventIdx is reached, not only when it is passed.",
            "SPDK lib/nvme: nvme_pcie_common.c (nvme_pcie_qpair_process_completions), nvme_pcie_internal.h "
            "(nvme_pcie_qpair_need_event, nvme_pcie_qpair_update_mmio_required)",
            choices={"drain": 1, "early_free": YES, "need_event": "closed", "submit_batch": 1},
            assumes=(
                "It may have as many commands outstanding as fit the SQ. That is right up to seven entries; of larger "
                "queues a quarter, at most 128 entries, stays free. delay_cmd_submit is off, as by default, but "
                "bdev_nvme turns it on: then an SQ is published after the CQ, as with early_free=no and batches."
            ),
        ),
        Guest(
            "lazy",
            "Publishes after any number of CQEs, whether or not more wait. Every guest with the strict rule that "
            "frees a slot when it consumes the CQE behaves like one of its runs.",
            "libvfn's explicit publish, taken to the extreme",
            choices={"drain": "any", "early_free": YES, "need_event": "strict", "submit_batch": 65535},
        ),
        Guest(
            "libvfn",
            "A library whose users say when to publish: any number of entries at a time, on either queue. Rings as "
            "soon as EventIdx is reached, not only when it is passed.",
            "libvfn include/vfn/nvme/queue.h: nvme_sq_update_tail, nvme_cq_update_head, nvme_try_dbbuf; "
            "src/nvme/queue.c: nvme_cq_get_cqes, which publishes nothing",
            choices={"drain": "any", "early_free": YES, "need_event": "closed", "submit_batch": 65535},
            assumes=(
                "Its users reuse a command slot when they have consumed the CQE. The model leaves out a publish that "
                "moves nothing, which may ring under this rule."
            ),
        ),
        Guest(
            "serenityos",
            "Submits one at a time, drains the CQ to its end, then publishes and checks once. A request completes, "
            "and its slot is reusable, before the publish.",
            "SerenityOS Kernel/Devices/Storage/NVMe: NVMeQueue.cpp (process_cq, submit_sqe), NVMeQueue.h "
            "(update_shadow_buf)",
            choices={"drain": "all", "early_free": YES, "need_event": "strict", "submit_batch": 1},
        ),
        Guest(
            "many-to-one",
            "Several SQs share a CQ, as the SQs of illumos and Windows may. The guest submits one entry at a time, "
            "and drains the CQ to its end.",
            "Windows' driver, by OpenVMM's #1945; illumos usr/src/uts/common/io/nvme/nvme.c",
            choices={"drain": "all", "early_free": YES, "need_event": "strict", "submit_batch": 1},
            assumes=(
                "It uses the doorbell buffer (whether illumos or Windows does is not known), with the strict rule, "
                "and reuses a slot when it has consumed the CQE. --sqs sets the number of SQs; with one SQ it is the "
                "same guest as serenityos."
            ),
        ),
        Guest(
            "mmio-only",
            "Sends no Doorbell Buffer Config, so every move of an index rings.",
            "FreeBSD sys/dev/nvme/nvme_qpair.c; QEMU block/nvme.c",
            choices={"doorbell_buffer": "off", "drain": "all", "early_free": YES, "submit_batch": 1},
        ),
    )
}
"""The guests by name."""

POLLS = "{} polls unconditionally: it is live without doorbells, so a verdict says nothing about its EventIdx."
"""What is printed about a device whose workers never wait."""
