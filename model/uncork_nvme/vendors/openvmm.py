"""OpenVMM's NVMe emulator."""

from __future__ import annotations

from uncork_nvme.choices import NO, YES
from uncork_nvme.device import Device
from uncork_nvme.parts.backend import Repoll
from uncork_nvme.parts.buffer import BothSides
from uncork_nvme.parts.completions import Completions
from uncork_nvme.parts.crew import Kept
from uncork_nvme.parts.life import Cycle
from uncork_nvme.parts.memory import Memory
from uncork_nvme.parts.post import Post
from uncork_nvme.parts.reader import Reader
from uncork_nvme.parts.room.admission import Permits
from uncork_nvme.parts.room.full import Park
from uncork_nvme.parts.room.kicks import Kicks

OPENVMM = Device(
    "openvmm",
    "OpenVMM: one task serves a CQ and its SQs and looks at all of them when anything happens. It takes "
    "commands even if the CQ is full, and their completions queue. It arms only if it has nothing to do: SQ "
    "EventIdx is the tail of an empty SQ, CQ EventIdx the head of a full CQ that a completion waits for, with "
    "a fence and another look after each.",
    "OpenVMM vm/devices/storage/nvme/src at 1488a37b (August 2026): queue.rs (DoorbellState::probe_inner, "
    "DoorbellMemory::write and replace_mem, CompletionQueue::poll_ready), workers/io.rs (IoHandler::process)",
    policy="head-when-full",
    parts={
        Reader: {"sq_arm": "idle", "sq_event": "tail", "sq_reread": YES, "sq_event_cache": YES},
        Completions: {},
        Post: {"post_order": "arm-then-read", "cq_event_cache": YES},
        Repoll: {},
        Kept: {"threads": "one"},
        Kicks: {"kick_on_doorbell": YES},
        Cycle: {"on_create": "shadow", "on_config": "both", "on_delete": "post"},
        BothSides: {"on_doorbell": "store"},  # DoorbellMemory::write
        # queue.rs: probe_inner takes a RwLock for each read of a shadow, and has a SeqCst fence after EventIdx;
        # poll_next reads the SQE by a plain load, after the lock was given back
        Memory: {"sqe_load": "plain"},
    },
    assumes="The one task is here a worker for each SQ, of which one looks at a time, and a poster. They may take "
    "turns between steps; completions are posted in any order. An SQ has at most 8 commands under way; an "
    "SQ of up to nine entries does not reach this limit. A full CQ is armed before the first look at its "
    "shadow head, not between two looks, and the head is read before each completion is posted. OpenVMM "
    "has no pause. If OpenVMM remembers EventIdx as written, it does not look again; here it does. "
    "OpenVMM looks at everything when queues come and go; the model does not.",
    read_in={
        "IoHandler::process": ("wake", "reserve", "complete", "attempt"),
        "SubmissionQueue::poll_next": ("fetch",),
        "DoorbellState::probe_inner": ("arm_sq", "reread_sq", "post_arm", "post_read"),
        "CompletionQueue::write": ("post_queued",),
        "CompletionQueue::poll_ready": ("block",),
        "DoorbellMemory::write": ("notify_tail", "notify", "notify_head"),
    },
)

OPENVMM_2024 = Device(
    "openvmm-2024",
    "OpenVMM before #1582: SQ EventIdx moves by one for each command, and only the next poll looks again; CQ "
    "EventIdx is not written in a CQ of any usual size.",
    "OpenVMM vm/devices/storage/nvme/src/queue.rs before 94889cae: advance_evt_idx, catch_up_evt_idx",
    policy="never",
    parts={
        Reader: {"sq_reread": NO},
        Permits: {},
        Park: {},
        Post: {},
        Repoll: {},
        Kept: {},
        Kicks: {"kick_on_doorbell": YES},
        Cycle: {"on_create": "neither"},
    },
    assumes="The CQ has more than 10 entries; otherwise EventIdx is written when few entries are left. SQ "
    "EventIdx moves when a command is taken, and not when it completes. A command is taken only if the CQ "
    "has room, as in the source. The source does not count commands in flight, which may have to wait; "
    "the model counts them. One task had one SQ and one CQ: several SQs are hypothetical. When the buffer "
    "is configured, OpenVMM set the shadows to 0xFFFFFFFF; the model sets them to the indices. How "
    "OpenVMM deletes and resets was not read.",
    read_in={
        "DoorbellRegister::wait_read": ("wake",),
        "CompletionQueue::wait_ready": ("reserve",),
        "SubmissionQueue::next": ("fetch",),
        "advance_evt_idx": ("arm_sq",),
        "CompletionQueue::write": ("post",),
        "DoorbellRegister::write": ("notify_tail", "notify", "notify_head"),
    },
)
