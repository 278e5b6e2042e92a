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
    "FEMU hw/femu at 99ce4fb2 (August 2026): nvme-io.c (nvme_process_sq_io, nvme_process_cq_cpl), nvme-util.c "
    "(nvme_update_cq_eventidx)",
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
        # nvme-io.c: nvme_poller has barriers around a sweep, none in it
        Memory: {"device_locks": NO, "device_load_fence": NO, "cqe_store": "plain", "sqe_load": "plain"},
    },
    assumes="FEMU serves no I/O before it has a doorbell buffer, so events=config and doorbell_buffer=off "
    "describe no real FEMU; nor does FEMU wait for anything when an SQ is deleted. It runs commands "
    "inline (NoSSD): it takes a command only if the CQ has room for the completion, and tries again each "
    "sweep. Its other modes post without a look at whether the CQ is full, because they trust the CQ to "
    "be as large as the SQ, and they post to the CQ with the SQ's number: they could overwrite unread "
    "CQEs, or write into another CQ. No choice describes these modes, so no verdict on safety holds for "
    "them.",
    read_in={
        "nvme_poller": ("poll",),
        "nvme_process_sq_io": ("reserve", "fetch"),
        "nvme_update_sq_eventidx": ("arm_sq",),
        "nvme_post_cqe": ("post",),
        "nvme_update_cq_eventidx": ("post_arm",),
        "nvme_process_db_io": ("notify_tail", "notify_head"),
    },
)
