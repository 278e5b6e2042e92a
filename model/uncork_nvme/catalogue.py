"""Real devices and guests, each a named set of choices with its source."""

from __future__ import annotations

from dataclasses import field

from uncork.core.frozen import frozen

from uncork_nvme.choices import NO, YES, Choice


@frozen
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


@frozen
class Guest:
    """A guest driver: the choices in which it differs from the defaults; `assumes` as of a `Device`."""

    name: str
    doc: str
    source: str
    choices: dict[str, Choice] = field(default_factory=dict)
    assumes: str = ""


_NOTIFIES: dict[str, Choice] = {
    "notify": "spent",  # minder.rs: take_notifications; attachment.rs: flush_notifications
    "kick_delivery": "deferred",  # nvme/mod.rs: ring_doorbell kicks first, and then notifies one SQ after another
}
"""What a notification does to Propolis's workers, and to those of designs for it."""
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
    "ioeventfd is off, as it is by default, so a CQ doorbell has completions posted only if the CQ was full as last "
    "known. The handlers of SQ and CQ, which share a thread and run whole, may take turns between their steps here; "
    "completions are posted in any order, where QEMU posts them as they came. It has more requests than an SQ has "
    "room for, so that it never lacks one, unless the guest goes by the SQ head in its CQEs (see the museum's "
    "qemu-2388). A machine is stopped and continued; QEMU does not migrate it. As an SQ is deleted its commands are "
    "aborted, and posting is tried once: completions of other SQs go with them, and what finds no room is dropped."
)
_PROPOLIS_ASSUMES = (
    "Each SQ has a worker of its own, or several, as if they were dealt among the SQs (Strategy::Static in "
    "block/attachment.rs). Where there are fewer workers than SQs all serve all: propolis-2026-shared. A worker keeps "
    "its SQ as others come and go (a bit that it leaves at another is PR #1156), and an entry is always one that the "
    "device can run (it answers others inside the look). A device that was migrated to another process refuses every "
    "doorbell (issue #981); here it is paused and resumed in one process, as where a migration fails. A command that "
    "completes just as its SQ is deleted posts a CQE; here its permit is lost like the others'."
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
    "A slot is set aside before the SQ is looked at, and given back if it is empty: the SQs of a "
    "CQ are in one poll group, whose thread looks at one after the other, so that nobody sees it. A CQ is not made "
    "again with another size (the head of before is remembered then). SQ EventIdx is written as a buffer is "
    "configured, and not in the look that follows; and as an SQ is created no guest is so fast that it fails."
)

DEVICES = {
    device.name: device
    for device in (
        Device(
            "propolis-2025",
            "Propolis before PR #1026. Only a CQ doorbell kicks, and EventIdx is the tail: a guest that drains the CQ "
            "rings none.",
            "oxidecomputer/propolis 4726609f, lib/propolis/src/hw/nvme/queue.rs (November 2025, to e25e56ee^): "
            "SubQueue::pop, CompQueue::push; lib/propolis/src/block: attachment.rs (flush_notifications), minder.rs "
            "(next_req)",
            policy="tail",
            choices=_PROPOLIS,
            assumes=_PROPOLIS_ASSUMES,
        ),
        Device(
            "propolis-2026",
            "Propolis since PR #1026: the same, with EventIdx one behind the tail.",
            "oxidecomputer/propolis 372a5744, lib/propolis/src/hw/nvme/queue.rs (July 2026; the same since e25e56ee): "
            "SubQueue::pop, CompQueue::push, db_buf_write; hw/nvme/mod.rs: ring_doorbell; lib/propolis/src/block: "
            "attachment.rs (flush_notifications), minder.rs (next_req, take_notifications)",
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
            assumes="A notification waits until no worker goes from SQ to SQ, where Propolis waits for those whose bit "
            "it finds set at this SQ. It may wake any worker that sleeps, where Propolis wakes the one of the lowest "
            "number.",
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
            "Propolis's workers with every kick, and each kick hands over: as many SQs as there is room for are woken, "
            "those first that were corked first, and each is given its permit. It writes EventIdx before it reads the "
            "shadow, and parks without another look.",
            "a design, not a device: what makes several SQs on one CQ fair to one another",
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
            "QEMU: commands execute though the CQ is full, and their completions queue. Each attempt to post writes "
            "the head as last read to EventIdx and then reads the shadow; a doorbell has it try again if the CQ was "
            "full. An SQ is armed with the tail as last read after each command, and its tail read again.",
            "QEMU hw/nvme/ctrl.c at bd3ba0d342 (November 2025; the same since 9529aa6b: 9.2.0, 9.1.2, 9.0.4, "
            "7.2.15): nvme_process_sq, nvme_post_cqes, nvme_process_db, nvme_del_sq, nvme_dbbuf_config",
            policy="head",
            choices=_QEMU,
            assumes=_QEMU_ASSUMES,
        ),
        Device(
            "qemu-9.1",
            "QEMU from 8.0.0 (7.2.1) to 9.1.1: the same, but a doorbell of a CQ that was full has every SQ looked at "
            "too, and a request that comes back has none.",
            "QEMU hw/nvme/ctrl.c from fa5db2aa168b to 9529aa6b^: nvme_process_db, nvme_post_cqes",
            policy="head",
            choices=_QEMU_OLD,
            assumes=_QEMU_ASSUMES,
        ),
        Device(
            "qemu-7.1",
            "QEMU when it learned the doorbell buffer, 7.1.0 to 7.2.0: as qemu-9.1, and CQ EventIdx is never written.",
            "QEMU hw/nvme/ctrl.c at 3f7fe8de3d49: nvme_post_cqes",
            policy="never",
            choices=_QEMU_OLD,
            assumes=_QEMU_ASSUMES,
        ),
        Device(
            "spdk-poll",
            "SPDK's vfio-user target, polling: it asks for no doorbell and needs none, since its pollers look at every "
            "SQ for ever. It takes a command only if the CQ has a slot that no other command counts on.",
            "SPDK lib/nvmf/vfio_user.c at 3230130e (August 2026): nvmf_vfio_user_sq_poll, handle_sq_tdbl_write, "
            "cq_free_slots, set_sq_eventidx, handle_doorbell_buffer_config",
            policy="never",
            choices={**_SPDK, "event_outside": "both", "poll": YES, "sq_arm": "never", "kick_on_doorbell": NO},
            assumes=_SPDK_ASSUMES
            + " It has a doorbell buffer only with disable_mappable_bar0; by default the doorbell "
            "registers themselves are memory that it polls, which is the same to it.",
        ),
        Device(
            "spdk-interrupt",
            "SPDK's vfio-user target, in interrupt mode: before it sleeps it reads the SQ shadow tail afresh, writes "
            "that to SQ EventIdx, and reads again. Only a tail that is the SQ head contents it: an SQ that finds the "
            "CQ full kicks itself until there is room, and so spins.",
            "SPDK lib/nvmf/vfio_user.c at 3230130e (August 2026): vfio_user_poll_group_rearm, vfio_user_sq_rearm, "
            "set_sq_eventidx, handle_sq_tdbl_write, poll_group_kick, nvmf_vfio_user_poll_group_poll",
            policy="never",
            choices={
                **_SPDK,
                **{"sq_read": "wake", "sq_arm": "idle", "sq_event": "tail", "sq_reread": YES, "cork": "self-kick"},
            },
            assumes=_SPDK_ASSUMES + " It looks again as often as it finds something, where SPDK kicks itself after "
            "three times. A doorbell or a kick has the whole poll group look; here the SQ that it is about does. An SQ "
            "whose EventIdx was not passed is armed again, with the same value.",
        ),
        Device(
            "openvmm",
            "OpenVMM: one task serves a CQ and its SQs and looks at all of them when anything happens. Commands are "
            "taken though the CQ is full, and their completions queue. It arms only where it has nothing to do: SQ "
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
            assumes="The one task is a worker for each SQ here, of which one looks at a time, and whoever posts, which "
            "may take turns between their steps; completions are posted in any order. An SQ has at most 8 commands "
            "under way, a limit that an SQ of up to nine entries does not reach. A full CQ is armed before the first "
            "look at its shadow head, not between two, and that is read before each completion is posted. OpenVMM has "
            "no pause. A doorbell's value is stored in the shadow word too, which the guest stored there itself. Where "
            "it remembers EventIdx as written it does not look again either; here it does. As queues come and go "
            "everything is looked at, which is left out.",
        ),
        Device(
            "openvmm-2024",
            "OpenVMM before #1582: SQ EventIdx moves one further for each command, with no look after it but the next "
            "poll's; CQ EventIdx is not written in a CQ of any usual size.",
            "OpenVMM vm/devices/storage/nvme/src/queue.rs before 94889cae: advance_evt_idx, catch_up_evt_idx",
            policy="never",
            choices={
                **{"cork": "park", "kick_on_doorbell": YES, "backend": "detached-repoll", "sq_reread": NO},
                "on_create": "neither",
            },
            assumes="The CQ has more than 10 entries, or its EventIdx would be written when few are left. SQ EventIdx "
            "moves as a command is taken, and not as it completes. A command is taken only if the CQ has room, as in "
            "the source, where those in flight are not counted and may have to wait: here they are. One task had one "
            "SQ and one CQ: several SQs are hypothetical. As the buffer is configured the shadows became 0xFFFFFFFF, "
            "and here the indices. How it deletes and resets was not read.",
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
            assumes="While it polls, SQ EventIdx is left alone, and not moved half a ring past the head: it needs no "
            "doorbell then. CQ EventIdx is written as a CQE is "
            "posted, and not in a loop of its own as the head is seen to move. It parks though CQEs are unread. "
            "Doorbells while it is paused are noted, but as it resumes its thread is not woken (io.c: "
            "nvme_mdev_io_resume, called before the pause is over). Without a buffer it never parks.",
        ),
        Device(
            "femu",
            "FEMU polls every SQ for ever, and what it writes to EventIdx, one behind, asks for next to no doorbells.",
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
            assumes="It serves no I/O before it has a doorbell buffer: events=config, and no buffer at all, are of "
            "no FEMU; nor does it wait for anything as an SQ is deleted. It runs commands inline (NoSSD): then a "
            "command is taken only if the CQ has room for its completion, which FEMU tries again each sweep. Its other "
            "modes post with no look at whether the CQ is full, trusting that it is as large as the SQ, and to the CQ "
            "with the SQ's number: they could write over CQEs that are not read, or into another CQ. No choice here is "
            "that: nothing said of safety holds for them.",
        ),
    )
}
"""The devices by name."""

GUESTS = {
    guest.name: guest
    for guest in (
        Guest(
            "linux",
            "Drains the CQ to its end, then publishes and checks once; a command slot may be reusable before that; "
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
            "larger queues a quarter, or 128 at most, stays free. delay_cmd_submit is off, as by default, but not in "
            "bdev_nvme: with it an SQ is published after the CQ, as with early_free=no and batches.",
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
            assumes="Its users use a command slot again when they have consumed the CQE. A publish that moves nothing, "
            "which may ring under this rule, is left out.",
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

POLLS = "{} polls unconditionally: it needs no doorbell to be live, and a verdict says nothing of its EventIdx."
"""What is said of a device whose workers never wait."""
