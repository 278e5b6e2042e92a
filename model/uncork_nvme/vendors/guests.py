"""Guest drivers."""

from __future__ import annotations

from uncork_nvme.choices import YES
from uncork_nvme.device import Guest
from uncork_nvme.parts.guest import Driver

LINUX = Guest(
    "linux",
    "Drains the CQ to its end, then publishes and checks once. A command slot may be reusable before the "
    "publish. The SQ tail may move by as many entries as fit.",
    "Linux drivers/nvme/host/pci.c: nvme_poll_cq, nvme_write_sq_db, nvme_dbbuf_need_event",
    parts={
        Driver: {"submit_batch": 65535, "drain": "all", "early_free": YES, "need_event": "strict"},
    },
    read_in={
        "nvme_write_sq_db": ("submit", "ring_sq"),
        "nvme_dbbuf_need_event": ("check",),
        "nvme_poll_cq": ("poll",),
        "nvme_ring_cq_doorbell": ("publish", "ring_cq"),
    },
)

SPDK = Guest(
    "spdk",
    "Polls, and publishes after at most a given number of CQEs (here one: a caller's least maximum, and a "
    "quarter of any CQ of up to seven entries). Callbacks submit before the publish. Rings as soon as "
    "EventIdx is reached, not only when it is passed.",
    "SPDK lib/nvme: nvme_pcie_common.c (nvme_pcie_qpair_process_completions), nvme_pcie_internal.h "
    "(nvme_pcie_qpair_need_event, nvme_pcie_qpair_update_mmio_required)",
    parts={
        Driver: {"submit_batch": 1, "drain": 1, "early_free": YES, "need_event": "closed"},
    },
    assumes="It may have as many commands outstanding as fit the SQ. That is right up to seven entries; of larger "
    "queues a quarter, at most 128 entries, stays free. delay_cmd_submit is off, as by default, but "
    "bdev_nvme turns it on: then an SQ is published after the CQ, as with early_free=no and batches.",
    read_in={
        "nvme_pcie_qpair_ring_sq_doorbell": ("submit", "ring_sq"),
        "nvme_pcie_qpair_need_event": ("check",),
        "nvme_pcie_qpair_process_completions": ("poll",),
        "nvme_pcie_qpair_ring_cq_doorbell": ("publish", "ring_cq"),
    },
)

LAZY = Guest(
    "lazy",
    "Publishes after any number of CQEs, whether or not more wait. Every guest with the strict rule that "
    "frees a slot when it consumes the CQE behaves like one of its runs.",
    "libvfn's explicit publish, taken to the extreme",
    parts={
        Driver: {"submit_batch": 65535, "drain": "any", "early_free": YES, "need_event": "strict"},
    },
)

LIBVFN = Guest(
    "libvfn",
    "A library whose users say when to publish: any number of entries at a time, on either queue. Rings as "
    "soon as EventIdx is reached, not only when it is passed.",
    "libvfn include/vfn/nvme/queue.h: nvme_sq_update_tail, nvme_cq_update_head, nvme_try_dbbuf; "
    "src/nvme/queue.c: nvme_cq_get_cqes, which publishes nothing",
    parts={
        Driver: {"submit_batch": 65535, "drain": "any", "early_free": YES, "need_event": "closed"},
    },
    assumes="Its users reuse a command slot when they have consumed the CQE. The model leaves out a publish that "
    "moves nothing, which may ring under this rule.",
    read_in={
        "nvme_sq_update_tail": ("submit", "ring_sq"),
        "nvme_try_dbbuf": ("check",),
        "nvme_cq_get_cqe": ("poll",),
        "nvme_cq_update_head": ("publish", "ring_cq"),
    },
)

SERENITYOS = Guest(
    "serenityos",
    "Submits one at a time, drains the CQ to its end, then publishes and checks once. A request completes, "
    "and its slot is reusable, before the publish.",
    "SerenityOS Kernel/Devices/Storage/NVMe: NVMeQueue.cpp (process_cq, submit_sqe), NVMeQueue.h (update_shadow_buf)",
    parts={
        Driver: {"submit_batch": 1, "drain": "all", "early_free": YES, "need_event": "strict"},
    },
    read_in={
        "submit_sqe": ("submit",),
        "update_sq_doorbell": ("ring_sq",),
        "update_shadow_buf": ("check",),
        "process_cq": ("poll",),
        "update_cq_doorbell": ("publish", "ring_cq"),
    },
)

MANY_TO_ONE = Guest(
    "many-to-one",
    "Several SQs share a CQ, as the SQs of illumos and Windows may. The guest submits one entry at a time, "
    "and drains the CQ to its end.",
    "Windows' driver, by OpenVMM's #1945; illumos usr/src/uts/common/io/nvme/nvme.c",
    parts={
        Driver: {"submit_batch": 1, "drain": "all", "early_free": YES, "need_event": "strict"},
    },
    assumes="It uses the doorbell buffer (whether illumos or Windows does is not known), with the strict rule, "
    "and reuses a slot when it has consumed the CQE. --sqs sets the number of SQs; with one SQ it is the "
    "same guest as serenityos.",
)

MMIO_ONLY = Guest(
    "mmio-only",
    "Sends no Doorbell Buffer Config, so every move of an index rings.",
    "FreeBSD sys/dev/nvme/nvme_qpair.c; QEMU block/nvme.c",
    parts={
        Driver: {"doorbell_buffer": "off", "submit_batch": 1, "drain": "all", "early_free": YES},
    },
)
