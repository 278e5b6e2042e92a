"""nvme-mdev, a Linux kernel thread that was proposed in 2019."""

from __future__ import annotations

from uncork_nvme.choices import NO, YES
from uncork_nvme.device import Device
from uncork_nvme.parts.backend import Repoll
from uncork_nvme.parts.crew import Kept
from uncork_nvme.parts.life import Cycle
from uncork_nvme.parts.memory import Memory
from uncork_nvme.parts.post import Post
from uncork_nvme.parts.reader import Reader
from uncork_nvme.parts.room.admission import Permits
from uncork_nvme.parts.room.full import SelfKick
from uncork_nvme.parts.room.kicks import Kicks

NVME_MDEV = Device(
    "nvme-mdev",
    "A Linux kernel thread that polls, and parks when it finds nothing: then SQ EventIdx becomes the head, and "
    "it looks again. It does not park while an SQ has entries. CQ EventIdx is half a ring past the head. A "
    "command is taken only if the CQ has room for its completion.",
    "the nvme-mdev proposal, Linux RFC of 2019, drivers/nvme/mdev, as kept in a fork: vsq.c "
    "(nvme_mdev_vsq_get_cmd, nvme_mdev_vsq_suspend_io), vcq.c (nvme_mdev_vcq_process, "
    "nvme_mdev_vcq_reserve_space)",
    policy="half",
    parts={
        Reader: {"sq_arm": "idle", "sq_event": "head", "sq_reread": YES},
        Permits: {},
        SelfKick: {},
        Post: {},
        Repoll: {},
        Kept: {"threads": "one"},
        Kicks: {"kick_on_doorbell": NO},
        Cycle: {"on_create": "both", "on_config": "both", "on_delete": "post", "on_resume": "forget-notified"},
        # vsq.c: nvme_mdev_vsq_suspend_io, mb() between EventIdx and the tail; none in nvme_mdev_vsq_get_cmd. vcq.c:
        # none in nvme_mdev_vcq_process, nor in nvme_mdev_vcq_write_io, whose one store of 8 bytes has all of a CQE.
        # hctrl.c: nvme_mdev_hctrl_hq_submit hands a command on by the host's drivers/nvme/host/pci.c: nvme_submit_cmd,
        # which takes and gives back sq_lock
        Memory: {
            **{"device_locks": NO, "device_lock_after": "take", "device_load_fence": NO},
            **{"cqe_store": "whole", "sqe_load": "plain"},
        },
    },
    assumes="While it polls, SQ EventIdx stays as it is, and is not moved half a ring past the head: the device "
    "needs no doorbell then. CQ EventIdx is written when a CQE is posted; the source writes it in a loop "
    "of its own when the head moves. It parks even if CQEs are unread. Doorbells during a pause are "
    "noted, but the thread is not woken at the resume (io.c: nvme_mdev_io_resume, called before the pause "
    "is over). Without a buffer it never parks. On Arm each command is handed on to a queue of the host, under that "
    "queue's lock; one that is refused at once takes no lock.",
    read_in={
        "nvme_mdev_io_resume": ("wake",),
        "nvme_mdev_vcq_reserve_space": ("reserve",),
        "nvme_mdev_vsq_get_cmd": ("fetch",),
        "nvme_mdev_vsq_suspend_io": ("arm_sq", "reread_sq"),
        "nvme_mdev_vcq_write_io": ("post",),
        "nvme_mdev_vcq_process": ("post_read", "post_arm"),
    },
)
