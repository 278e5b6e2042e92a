"""The Linux NVMe target as a mediated PCI device (nvmet-mdev-pci, 2026)."""

from __future__ import annotations

from uncork_nvme.choices import NO, YES
from uncork_nvme.device import Device
from uncork_nvme.parts.anew import ReadArmRead, ReadsAnew
from uncork_nvme.parts.backend import Detached
from uncork_nvme.parts.completions import Completions
from uncork_nvme.parts.crew import Kept
from uncork_nvme.parts.life import Cycle
from uncork_nvme.parts.memory import Memory
from uncork_nvme.parts.room.kicks import Kicks

_FILES = "drivers/nvme/target/mdev-pci/queue.c"

_ASSUMES = (
    "Interrupts are left out, and so is that the device leaves some out (irq_outstanding): the guest sees each CQE. "
    "Before an interrupt that it does not leave out the device writes the head to CQ EventIdx, too; here only before a "
    "completion waits. The head is read before each completion is posted, and completions are posted in any order. A "
    "work item takes at most 64 entries, and is then queued again: a queue of up to 65 entries does not reach this. A "
    "notification that comes while a worker looks makes it look again when it is done, where the source skips the "
    "rest of that look. The BAR's doorbells trap, or KVM tracks their writes. "
)

_WORDS = "Doorbell Buffer Config writes no word, so events=config does not describe it; creation writes none either."

NVMET_MDEV_PCI = Device(
    "nvmet-mdev-pci",
    "The Linux NVMe target as a mediated PCI device. A work item of an SQ reads the tail, takes all entries up to it, "
    "reads the tail once more, writes that to SQ EventIdx, and reads again: if the tail is what it wrote, it lets go, "
    "compares the tail with the SQ head, and then writes EventIdx once more in the same way. A poller wakes it, but "
    "only for a tail that is not the one that the poller saw last. A completion that finds the CQ full writes the head "
    "to CQ EventIdx, and reads again.",
    f"peigongdsd/nvmet-mdev-pci 6cff00f99f33 {_FILES}: nvmet_mdev_sq_work, nvmet_mdev_arm_sq_event, "
    "nvmet_mdev_poll_queues, nvmet_mdev_cq_work, nvmet_mdev_arm_cq_event, nvmet_mdev_handle_cq_head",
    policy="head-when-full",
    parts={
        ReadsAnew: {"sq_read": "wake", "sq_arm": "idle", "sq_compare": "written", "sq_last_look": YES},
        Completions: {},
        ReadArmRead: {},
        Detached: {},
        Kept: {"poll": "changed"},
        Kicks: {"kick_on_doorbell": NO},
        Cycle: {"on_create": "neither", "on_delete": "post"},
        # mb() after EventIdx in both arms; the workqueue's pool lock, or an atomic operation, before each work item.
        # Behind each load of an index are dma_rmb (before an SQE), atomic_xchg (before an arm), mb or smp_mb (in it and
        # behind it), or the end of the work item. dma_wmb before a CQE's status
        Memory: {},
    },
    assumes=_ASSUMES
    + "Without KVM's tracking the BAR is plain memory, and no doorbell wakes anybody but the poller: worse than here. "
    + _WORDS,
    read_in={
        "nvmet_mdev_poll_queues": ("poll_tail",),
        "nvmet_mdev_sq_work": ("wake", "reserve", "fetch", "last_look", "find_late"),
        "nvmet_mdev_arm_sq_event": ("read_tail", "arm_sq", "reread_sq", "let_go"),
        "nvmet_mdev_complete_iod": ("complete",),
        "nvmet_mdev_cq_work": ("attempt", "post_queued", "block"),
        "nvmet_mdev_cq_head": ("post_read",),
        "nvmet_mdev_arm_cq_event": ("post_arm",),
        "nvmet_mdev_schedule_doorbell": ("notify_tail", "notify"),
        "nvmet_mdev_handle_cq_head": ("notify_head",),
    },
)

_SCANS = (
    "The poller looks every 10 ms, and after each doorbell; poll=no is the same device without it, and tells which "
    "entries wait for it. With many queues it looks at poll_budget of them each time (128 by default, never 0). "
)

NVMET_MDEV_PCI_SCAN = NVMET_MDEV_PCI.but(
    "nvmet-mdev-pci-scan",
    "nvmet-mdev-pci before its poller remembered tails: every 10 ms it wakes the work item of any SQ whose tail is not "
    "the SQ head.",
    {Kept: {"poll": YES}},
    source=f"peigongdsd/nvmet-mdev-pci 28387e1aaeff {_FILES}: nvmet_mdev_sq_work, nvmet_mdev_budget_poll",
    assumes=_ASSUMES + _SCANS + _WORDS,
    read_in={
        "nvmet_mdev_budget_poll": ("poll",),
        "nvmet_mdev_sq_work": ("reserve", "fetch", "last_look", "find_late"),
        "nvmet_mdev_arm_sq_event": ("read_tail", "arm_sq", "reread_sq", "let_go"),
        "nvmet_mdev_cq_work": ("attempt", "post_queued", "block"),
        "nvmet_mdev_arm_cq_event": ("post_arm",),
    },
)

NVMET_MDEV_PCI_BATCH = NVMET_MDEV_PCI_SCAN.but(
    "nvmet-mdev-pci-batch",
    "nvmet-mdev-pci-scan before it had an owner for each queue: the work item of an SQ does not compare the tail with "
    "the SQ head before it sleeps.",
    {
        ReadsAnew: {"sq_read": "wake", "sq_arm": "idle", "sq_compare": "written", "sq_last_look": NO},
        Memory: {"cqe_store": "plain"},  # one copy of 16 bytes, and dma_wmb behind the last of several
    },
    source=f"peigongdsd/nvmet-mdev-pci 39130d697fc7 to c982e4b28482 {_FILES}: nvmet_mdev_sq_work, "
    "nvmet_mdev_budget_poll, nvmet_mdev_cq_work",
    read_in={
        "nvmet_mdev_budget_poll": ("poll",),
        "nvmet_mdev_sq_work": ("reserve", "fetch"),
        "nvmet_mdev_arm_sq_event": ("read_tail", "arm_sq", "reread_sq"),
        "nvmet_mdev_cq_work": ("attempt", "post_queued", "block"),
        "nvmet_mdev_arm_cq_event": ("post_arm",),
    },
)
