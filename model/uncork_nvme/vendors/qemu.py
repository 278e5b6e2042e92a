"""QEMU's NVMe controller."""

from __future__ import annotations

from uncork_nvme.choices import NO, YES
from uncork_nvme.device import Device
from uncork_nvme.parts.backend import Detached
from uncork_nvme.parts.completions import Completions
from uncork_nvme.parts.crew import Kept
from uncork_nvme.parts.life import Cycle
from uncork_nvme.parts.memory import Memory
from uncork_nvme.parts.post import Post
from uncork_nvme.parts.reader import Reader
from uncork_nvme.parts.room.kicks import Kicks

_ASSUMES = (
    "ioeventfd is off, as by default, so a CQ doorbell has completions posted only if the CQ was full as last known. "
    "In QEMU the handlers of SQ and CQ share a thread and run whole; here they may take turns between steps. QEMU "
    "posts completions in the order in which they came; here in any order. An SQ never lacks a request, unless the "
    "guest follows the SQ head in its CQEs (see the museum's qemu-2388). A machine is stopped and continued; QEMU "
    "does not migrate it. When an SQ is deleted, its commands are aborted and posting is tried once: completions of "
    "other SQs go with them, and completions that find no room are dropped."
)

_READ_IN: dict[str, tuple[str, ...]] = {
    "nvme_process_sq": ("wake", "reserve", "fetch"),
    "nvme_update_sq_eventidx": ("arm_sq",),
    "nvme_update_sq_tail": ("reread_sq",),
    "nvme_enqueue_req_completion": ("complete",),
    "nvme_post_cqes": ("attempt", "post_queued"),
    "nvme_update_cq_head": ("post_read",),
    "nvme_process_db": ("notify_tail", "notify", "notify_head"),
}


QEMU = Device(
    "qemu",
    "QEMU: commands run even if the CQ is full, and their completions queue. Each attempt to post writes the "
    "head as last read to EventIdx and then reads the shadow; a doorbell makes QEMU try again if the CQ was "
    "full. After each command QEMU writes the tail as last read to SQ EventIdx, and reads the tail again.",
    "QEMU hw/nvme/ctrl.c at bd3ba0d342 (November 2025; the same since 9529aa6b: 9.2.0, 9.1.2, 9.0.4, "
    "7.2.15): nvme_process_sq, nvme_post_cqes, nvme_process_db, nvme_del_sq, nvme_dbbuf_config",
    policy="head",
    parts={
        Reader: {"sq_read": "wake", "sq_arm": "each", "sq_event": "tail", "sq_reread": YES},
        Completions: {},
        Post: {"post_order": "arm-then-read"},
        Detached: {},
        Kept: {},
        Kicks: {"kick_on_doorbell": NO},
        Cycle: {"on_create": "neither", "on_config": "shadow", "on_delete": "post", "on_resume": "keep"},
        Memory: {"cqe_store": "before"},  # include/system/dma.h: dma_barrier, before the copy of a CQE
    },
    assumes=_ASSUMES,
    read_in=_READ_IN | {"nvme_update_cq_eventidx": ("post_arm",)},
)

QEMU_9_1 = QEMU.but(
    "qemu-9.1",
    "QEMU from 8.0.0 (7.2.1) to 9.1.1: as qemu, but a doorbell of a CQ that was full also causes a look at "
    "every SQ, and a request that comes back causes no look.",
    {Completions: {"on_request": "nothing"}, Kicks: {"kick_on_doorbell": YES}},
    source="QEMU hw/nvme/ctrl.c from fa5db2aa168b to 9529aa6b^: nvme_process_db, nvme_post_cqes",
)

QEMU_7_1 = QEMU_9_1.but(
    "qemu-7.1",
    "QEMU's first doorbell buffer, 7.1.0 to 7.2.0: as qemu-9.1, and CQ EventIdx is never written.",
    {},
    policy="never",
    source="QEMU hw/nvme/ctrl.c at 3f7fe8de3d49: nvme_post_cqes",
    read_in=_READ_IN,
)
