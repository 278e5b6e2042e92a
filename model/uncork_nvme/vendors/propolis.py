"""Oxide's Propolis, before PR #1026 and since."""

from __future__ import annotations

from uncork_nvme.choices import NO, YES
from uncork_nvme.device import Device
from uncork_nvme.parts.backend import InWorker
from uncork_nvme.parts.crew import Spent
from uncork_nvme.parts.guest import Driver
from uncork_nvme.parts.life import Cycle
from uncork_nvme.parts.memory import Memory
from uncork_nvme.parts.post import Post
from uncork_nvme.parts.reader import Reader
from uncork_nvme.parts.room.admission import Permits
from uncork_nvme.parts.room.full import Park
from uncork_nvme.parts.room.kicks import Kicks

_ASSUMES = (
    "Each SQ has its own worker, or several, as Strategy::Static deals them in block/attachment.rs. If there are "
    "fewer workers than SQs, all serve all: propolis-2026-shared. A worker keeps its SQ when other queues come and go "
    "(the museum's propolis-1156 has workers that do not). The device can run every entry (Propolis "
    "answers bad entries inside the look). A device that was migrated to another process refuses every doorbell "
    "(issue #981); here it is paused and resumed in one process, as when a migration fails. A command that completes "
    "just as its SQ is deleted posts a CQE; here its permit is lost like the others'."
)

_READ_IN = {
    "WorkerSlot::block_for_req": ("wake",),
    "CompQueue::reserve_entry": ("reserve",),
    "SubQueue::pop": ("fetch",),
    "pop, db_buf_write": ("arm_sq",),
    "pop, db_buf_read": ("reread_sq",),
    "ProtoPermit::remit": ("remit",),
    "CompQueue::push": ("post",),
    "push, db_buf_read": ("post_read",),
    "push, db_buf_write": ("post_arm",),
    "SubQueue::notify_tail": ("notify_tail",),
    "flush_notifications": ("notify", "deliver"),
    "CompQueue::notify_head": ("notify_head",),
    "CompQueue::kick": ("kick",),
}


PROPOLIS_2025 = Device(
    "propolis-2025",
    "Propolis before PR #1026. Only a CQ doorbell kicks, and EventIdx is the tail, so a guest that drains the "
    "CQ does not ring.",
    "oxidecomputer/propolis 4726609f, lib/propolis/src/hw/nvme/queue.rs (November 2025, to e25e56ee^): "
    "SubQueue::pop, CompQueue::push; lib/propolis/src/block: attachment.rs (flush_notifications), minder.rs "
    "(next_req)",
    policy="tail",
    parts={
        Reader: {},
        Permits: {},
        Park: {},
        Post: {"post_order": "read-then-arm"},
        InWorker: {},
        Spent: {},  # minder.rs: take_notifications; attachment.rs: flush_notifications
        # nvme/mod.rs: ring_doorbell kicks first, and then notifies one SQ after another
        Kicks: {"kick_on_doorbell": YES, "kick_delivery": "deferred"},
        Cycle: {
            "look_on_change": YES,  # attachment.rs: update_queue_associations, which wakes every worker
            "on_create": "shadow",
            "on_config": "shadow",
            "on_delete": "abandon",
            "on_resume": "forget-looks",  # minder.rs: next_req while paused; attachment.rs: flush_notifications
        },
        # release and acquire only: db_buf_read, db_buf_write; push writes each CQE twice, and the phase with the second
        Memory: {"device_fence_sq": NO, "device_fence_cq": NO, "cqe_store": "before"},
    },
    assumes=_ASSUMES,
    read_in=_READ_IN,
)

PROPOLIS_2026 = PROPOLIS_2025.but(
    "propolis-2026",
    "Propolis since PR #1026: as propolis-2025, with EventIdx one behind the tail.",
    {},
    policy="tail-lag",
    source="oxidecomputer/propolis 372a5744, lib/propolis/src/hw/nvme/queue.rs (July 2026; the same since e25e56ee): "
    "SubQueue::pop, CompQueue::push, db_buf_write; hw/nvme/mod.rs: ring_doorbell; lib/propolis/src/block: "
    "attachment.rs (flush_notifications), minder.rs (next_req, take_notifications)",
)

PROPOLIS_2026_SHARED = PROPOLIS_2026.but(
    "propolis-2026-shared",
    "propolis-2026 with fewer workers than SQs: each worker looks at every SQ before it sleeps. One worker by "
    "default; workers=2 gives two.",
    {Spent: {"serve": "all"}},
    source="oxidecomputer/propolis lib/propolis/src/block/attachment.rs: Strategy::FreeForAll, next_req_any",
    assumes="A notification waits until no worker moves between SQs; Propolis waits only for workers whose bit is "
    "set at this SQ. It may wake any sleeping worker; Propolis wakes the one with the lowest number.",
)

MMIO = PROPOLIS_2025.but(
    "mmio",
    "Propolis with no doorbell buffer: every move of an index rings, and the policy is never used.",
    {Driver: {"doorbell_buffer": "off"}},
    source="oxidecomputer/propolis, a guest that sends no Doorbell Buffer Config",
    read_in={function: steps for function, steps in _READ_IN.items() if "db_buf" not in function},
)
