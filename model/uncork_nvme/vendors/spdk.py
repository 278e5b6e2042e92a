"""SPDK's vfio-user target."""

from __future__ import annotations

from uncork_nvme.choices import NO, YES, Choice
from uncork_nvme.device import Device
from uncork_nvme.parts.backend import Detached
from uncork_nvme.parts.crew import Kept
from uncork_nvme.parts.life import Cycle
from uncork_nvme.parts.memory import Memory
from uncork_nvme.parts.post import Post
from uncork_nvme.parts.reader import Reader
from uncork_nvme.parts.room.admission import Permits
from uncork_nvme.parts.room.full import Park, SelfKick
from uncork_nvme.parts.room.kicks import Kicks

_ASSUMES = (
    "A slot is set aside before the SQ is looked at, and returned if the SQ is empty. No actor sees this, because one "
    "thread looks at all SQs of a poll group in turn. A CQ is not created again with another size (SPDK would keep "
    "the old head). SQ EventIdx is written when a buffer is configured, not in the look that follows. No guest is "
    "fast enough to make the creation of an SQ fail."
)

_READ_IN = {
    "handle_sq_tdbl_write": ("reserve", "fetch"),
    "nvmf_vfio_user_sq_poll": ("find_empty",),
    "post_completion": ("post",),
    "handle_dbl_access": ("notify_tail", "notify_head"),
}

# post_completion: spdk_wmb behind the phase; cq_is_full, handle_sq_tdbl_write: the head is read by a plain load;
# nvmf_vfio_user_sq_poll: spdk_rmb between the tail and the SQEs
_MEMORY: dict[str, Choice] = {"device_locks": NO, "device_load_fence": NO, "cqe_store": "before"}


SPDK_POLL = Device(
    "spdk-poll",
    "SPDK's vfio-user target, polling: it needs no doorbell, because its pollers look at every SQ for ever. "
    "It takes a command only if the CQ has a slot that no other command counts on.",
    "SPDK lib/nvmf/vfio_user.c at 3230130e (August 2026): nvmf_vfio_user_sq_poll, handle_sq_tdbl_write, "
    "cq_free_slots, set_sq_eventidx, handle_doorbell_buffer_config",
    policy="never",
    parts={
        Reader: {"sq_arm": "never"},
        Permits: {},
        Park: {},
        Post: {"event_outside": "both"},
        Detached: {},
        Kept: {"threads": "one", "poll": YES},
        Kicks: {"kick_on_doorbell": NO, "kick_on_post": NO, "kick_on_remit": NO},
        Cycle: {"on_create": "both", "on_config": "both", "on_delete": "post"},
        Memory: _MEMORY,
    },
    assumes=_ASSUMES
    + (
        " It has a doorbell buffer only with disable_mappable_bar0; by default it polls the doorbell "
        "registers as memory, which makes no difference to it."
    ),
    read_in=_READ_IN | {"nvmf_vfio_user_poll_group_poll": ("poll",)},
)

SPDK_INTERRUPT = Device(
    "spdk-interrupt",
    "SPDK's vfio-user target, in interrupt mode: before it sleeps it reads the SQ shadow tail again, writes "
    "that tail to SQ EventIdx, and reads again. It sleeps only if the tail is the SQ head. An SQ that finds "
    "the CQ full kicks itself until there is room.",
    "SPDK lib/nvmf/vfio_user.c at 3230130e (August 2026): vfio_user_poll_group_rearm, vfio_user_sq_rearm, "
    "set_sq_eventidx, handle_sq_tdbl_write, poll_group_kick, nvmf_vfio_user_poll_group_poll",
    policy="never",
    parts={
        # set_sq_eventidx reads the tail once more before it writes that to EventIdx; here it writes the tail as last
        # read, which is the head. SPDK sleeps only if the tail is still the head after the barrier. The guest moves
        # forward only, so both tails, and EventIdx, then are the head too. Doorbells that come while it is awake
        # differ, and no verdict does (tests/data/spdk_again.py has the step).
        Reader: {"sq_read": "wake", "sq_arm": "idle", "sq_event": "tail", "sq_reread": YES},
        Permits: {},
        SelfKick: {},
        Post: {"event_outside": "cq"},  # set_sq_eventidx and init_cq: NVMF_VFIO_USER_EVENTIDX_POLL, 0xFFFFFFFF
        Detached: {},
        Kept: {"threads": "one"},
        Kicks: {"kick_on_post": NO, "kick_on_remit": NO},
        Cycle: {"on_create": "both", "on_config": "both", "on_delete": "post"},
        Memory: _MEMORY,  # set_sq_eventidx: spdk_mb, an mfence, between EventIdx and the tail
    },
    assumes=_ASSUMES
    + (
        " It looks again as often as it finds something; SPDK kicks itself after three looks. In SPDK a "
        "doorbell or kick makes the whole poll group look; here only its SQ is looked at, unless "
        "doorbell_wakes=every. An SQ whose "
        "EventIdx was not passed is armed again with the same value."
    ),
    read_in=_READ_IN | {"nvmf_vfio_user_poll_group_poll": ("wake",), "set_sq_eventidx": ("arm_sq", "reread_sq")},
)
