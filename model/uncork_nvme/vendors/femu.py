"""FEMU."""

from __future__ import annotations

from uncork_nvme.choices import NO, YES
from uncork_nvme.device import Device
from uncork_nvme.parts.backend import Detached
from uncork_nvme.parts.crew import Kept
from uncork_nvme.parts.life import Cycle
from uncork_nvme.parts.memory import Memory
from uncork_nvme.parts.post import Post
from uncork_nvme.parts.reader import Reader
from uncork_nvme.parts.room.admission import Permits
from uncork_nvme.parts.room.full import Park
from uncork_nvme.parts.room.kicks import Kicks

FEMU = Device(
    "femu",
    "FEMU polls every SQ for ever, and writes an EventIdx one behind, so that the guest hardly rings.",
    "FEMU hw/femu at 7b7eaf13 (October 2026): nvme-io.c (nvme_process_sq_io, nvme_try_post_cqe), nvme-util.c "
    "(nvme_update_cq_eventidx, nvme_write_cqe), nvme-admin.c (nvme_set_db_memory, nvme_start_dataplane)",
    policy="head-1",
    parts={
        Reader: {"sq_read": "wake", "sq_arm": "idle", "sq_event": "tail-1", "sq_reread": NO},
        Permits: {},
        Park: {},
        Post: {},
        Detached: {},
        Kept: {"threads": "one", "poll": YES},
        Kicks: {"kick_on_doorbell": NO},
        Cycle: {"on_create": "neither"},
        # nvme-io.c: nvme_poller has barriers around a sweep, none between a tail and its SQE, nor behind a head;
        # nvme-util.c: nvme_write_cqe has smp_wmb (DMB ISH) before the dword with the phase since 04ce8b1a7
        Memory: {"device_locks": NO, "device_load_fence": NO, "sqe_load": "plain"},
    },
    assumes="FEMU runs commands inline (NoSSD): it takes a command only if the CQ has room for the completion, and "
    "tries again each sweep. Its other modes take every command, and hold the completion until the CQ has room; so "
    "does inline FEMU if another poller has filled the CQ meanwhile. Interrupts are MSI or MSI-X; with the pin CQ "
    "EventIdx is the head, so that the guest rings. A second Doorbell Buffer Config is refused. At 99ce4fb2 (August "
    "2026) FEMU served no I/O before it had a doorbell buffer, and its other modes posted without a look at whether "
    "the CQ was full (femu-6f998742 in the museum), to the CQ with the SQ's number.",
    read_in={
        "nvme_poller": ("poll",),
        "nvme_process_sq_io": ("reserve", "fetch"),
        "nvme_update_sq_eventidx": ("arm_sq",),
        "nvme_post_cqe": ("post",),
        "nvme_update_cq_eventidx": ("post_arm",),
        "nvme_process_db_io": ("notify_tail", "notify_head"),
    },
)
