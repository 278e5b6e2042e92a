"""usnvmemu, an NVMe controller in user space, whose guest runs in QEMU with vfio-user."""

from __future__ import annotations

from uncork_nvme.choices import NO, YES
from uncork_nvme.device import Device
from uncork_nvme.parts.backend import Detached
from uncork_nvme.parts.crew import Kept
from uncork_nvme.parts.life import Cycle
from uncork_nvme.parts.memory import Memory
from uncork_nvme.parts.post import Post
from uncork_nvme.parts.reader import ByMessage, Reader
from uncork_nvme.parts.room.admission import NeverLooks
from uncork_nvme.parts.room.full import Park
from uncork_nvme.parts.room.kicks import Kicks

USNVMEMU = Device(
    "usnvmemu",
    "A controller in user space. A doorbell makes its one thread read the SQ shadow tail, take every entry up to it, "
    "write that tail to SQ EventIdx, and read again, until the tail is what it took. It posts whether or not the CQ "
    "has room.",
    "usnvmemu 076aeeb3, usnvmemu/crates/nvme_firmware/src/controller/mod.rs (June 2026, in puxu-msft/openvmm): "
    "on_sq_tail_doorbell, start_shadow_sq_poll, handle_shadow_sq, on_cq_head_doorbell, post_cqe; vfio_user_transport: "
    "dma.rs (mmap_read, mmap_write), server.rs",
    policy="never",
    parts={
        Reader: {"sq_read": "wake", "sq_arm": "idle", "sq_event": "tail"},
        NeverLooks: {},
        Park: {},
        Post: {},
        Detached: {},
        Kept: {"threads": "one"},
        Kicks: {"kick_on_doorbell": NO},
        Cycle: {"on_create": "neither", "on_delete": "late"},
        # dma.rs: mmap_write copies EventIdx into the guest's page, mmap_read copies the tail out of it; between the
        # two are no fence, no lock and no system call
        Memory: {
            # mod.rs: post_cqe copies the CQE; then irq.rs: fire writes an eventfd, for which the kernel takes a lock
            **{"device_locks": NO, "device_fence_sq": NO, "device_lock_after": "post"},
            **{"device_load_fence": NO, "cqe_store": "plain", "sqe_load": "plain"},  # dma.rs: plain copies
        },
    },
    assumes="Built with debug assertions: without them it takes no command by the words (usnvmemu-release in the "
    "museum). Guest memory is mapped, as QEMU has it. What a guest makes of an overwritten CQE is not described; with "
    "one SQ no larger than its CQ, only CQEs that the guest has read are overwritten. At a CQ doorbell usnvmemu reads "
    "the CQ shadow head and writes it to CQ EventIdx; here CQ EventIdx stays 0, because nothing depends on the head. "
    "A look that finds no entry writes EventIdx again here, and looks once more. Doorbell Buffer Config writes neither "
    "word, so events=config does not describe it. Its tick, which looks at every queue, never comes with vfio-user. "
    "On Arm an interrupt follows each CQE: the CQ has interrupts, which are neither coalesced nor masked.",
    read_in={
        "start_shadow_sq_poll": ("wake",),
        "handle_shadow_sq": ("fetch", "arm_sq", "reread_sq"),
        "post_cqe": ("post",),
        "on_sq_tail_doorbell": ("notify_tail", "notify"),
        "on_cq_head_doorbell": ("notify_head",),
    },
)

USNVMEMU_REMOTE = USNVMEMU.but(
    "usnvmemu-remote",
    "usnvmemu where guest memory is read and written by messages, as from a Hyper-V or OpenHCL relay: a read of the SQ "
    "shadow tail is a question, and doorbells come before the answer. A doorbell that comes during a look makes the "
    "device read once more at its end.",
    {
        ByMessage: {},
        Kept: {"threads": "many"},  # the looks at different SQs take turns between question and answer
        # the messages keep their order; what is read is an answer, and the device asks for nothing else before that
        Memory: {"device_locks": YES, "device_fence_sq": YES, "device_load_fence": YES, "sqe_load": "fenced"},
    },
    source="usnvmemu 076aeeb3, usnvmemu/crates/nvme_firmware/src/controller/mod.rs (June 2026, in puxu-msft/openvmm): "
    "issue_shadow_read, handle_shadow_poll_complete, handle_shadow_sq; pcie_remote_device: worker.rs, dma.rs; "
    "pcie_device_sdk: run.rs",
    assumes="As of usnvmemu, except for memory. Only the second read of the tail is question and answer; the first is "
    "one step, which the next steps act on. Every answer comes, and is no failure. Its tick, after 60 s without any "
    "message, is left out.",
    read_in={
        "issue_shadow_read": ("wake", "reread_sq"),
        "handle_shadow_sq": ("fetch", "arm_sq", "hear_more", "hear"),
        "post_cqe": ("post",),
        "on_sq_tail_doorbell": ("notify_tail", "notify"),
        "on_cq_head_doorbell": ("notify_head",),
    },
)
