"""The museum: bugs of real devices and drivers, each as a small variant of the machine, with the fix.

A bug is shown by a variant that fails and a fix that holds at the same sizes. A bug that needs a part that the machine
does not have is listed with that part, and nothing is claimed about the bug.
"""

from __future__ import annotations

from uncork.core.frozen import frozen

from uncork_nvme.choices import NO, YES, Choice
from uncork_nvme.instance import Design
from uncork_nvme.shape import Shape


@frozen
class Shown:
    """How a bug is shown: at each of the `shapes` the variant violates the property, and the fix has all properties.

    `assumes` states what the model assumes where the source leaves a question open.
    """

    variant: Design
    refutes: str
    fix: Design
    shapes: tuple[Shape, ...]
    assumes: str = ""


@frozen
class Bug:
    """A bug: what happened, where the source is, and the fix (`mended`).

    Either `shown` says how the model shows the bug, or `needs` says which part the machine does not have.
    """

    name: str
    happened: str
    where: str
    mended: str
    shown: Shown | None = None
    needs: str = ""


_ONE = (Shape(1, 3, 3), Shape(1, 4, 4))
_ONE_AND_TWO = (Shape(1, 3, 3), Shape(2, 2, 2))
_QEMU = Design("qemu", "linux", "head")
_SPDK_POLL = Design("spdk-poll", "linux", "never")
_FREED_KICKS: dict[str, Choice] = {"kick_on_remit": YES, "kick_on_post": YES, "kick_on_reserve": YES}
_KICKS = Design("arm-recheck", "linux", "arm-on-cork")
_THREE = (Shape(1, 3, 3),)
_TSO: dict[str, Choice] = {"memory": "tso"}
_ARM: dict[str, Choice] = {"memory": "arm", "cqe_store": "release"}
_ON_ARM = "Memory is Arm's. The device has a release before a CQE's phase, which it lacks to this day (docs/memory.md)."
_MIGRATED: dict[str, Choice] = {"doorbell_buffer": "off", "events": "pause", "on_resume": "keep"}
_DELETED: dict[str, Choice] = {"doorbell_buffer": "off", "events": "delete+create"}
_LATE_FREE: dict[str, Choice] = {"early_free": NO}
_DEALT: dict[str, Choice] = {
    "workers": 2,
    "events": "delete+create",
    "on_delete": "return",
    "kick_on_remit": YES,
    "kick_on_release": YES,
}
_NVMET = "peigongdsd/nvmet-mdev-pci, drivers/nvme/target/mdev-pci/queue.c at"
_ALONE: dict[str, Choice] = {"poll": NO, "sq_compare": "head"}
_TWO_AND_THREE = (Shape(1, 2, 2), Shape(1, 3, 3))
_DEVICE_WITHOUT_EVENT = "At Doorbell Buffer Config the device writes the shadows, and not EventIdx."
_DEVICE_AT_HAND = "Memory is x86-TSO. The device needs this barrier and no other; docs/memory.md has the others."

BUGS = (
    Bug(
        "propolis-1026",
        "CQ EventIdx is the tail. A guest that drains a full CQ never passes EventIdx, so it rings no doorbell. Only "
        "a doorbell wakes the SQ that was corked meanwhile.",
        "https://github.com/oxidecomputer/propolis/pull/1026, for "
        "https://github.com/oxidecomputer/propolis/issues/1008",
        "EventIdx stays one behind the tail (e25e56ee).",
        Shown(Design("propolis-2025", "linux", "tail"), "uncorked", Design("propolis-2026", "linux", "tail-lag"), _ONE),
    ),
    Bug(
        "qemu-7.1",
        "CQ EventIdx is never written. A completion that finds the CQ full waits for ever: found here. Guenter Roeck "
        "reported time-outs of riscv64 guests at boot, because a CQ doorbell is missing; their likelier cause is an "
        "interrupt line that only a CQ doorbell takes down.",
        "https://gitlab.com/qemu-project/qemu/-/commit/fa5db2aa168b",
        "Before each attempt to post, QEMU writes the head as last read to EventIdx and then reads the shadow (8.0.0, "
        "7.2.1).",
        Shown(Design("qemu-7.1", "linux", "never"), "drains", _QEMU, _ONE_AND_TWO),
    ),
    Bug(
        "qemu-review-2022",
        "Feared, never in the code: after it writes SQ EventIdx the device does not read the tail again. The guest "
        "moves the tail before it can see EventIdx, and stays silent; the device sleeps. John Levon asked about "
        "QEMU's first patch.",
        "qemu-devel, June 2022: hw/nvme: Implement shadow doorbell buffer support",
        "QEMU reads the tail again (from the first patch on).",
        Shown(
            Design("qemu", "linux", "head", {"sq_reread": "no"}),
            "uncorked",
            _QEMU,
            _ONE_AND_TWO,
            "The device takes all entries that it knows of before it reads the shadow again. One that reads the "
            "shadow before every entry is live.",
        ),
    ),
    Bug(
        "qemu-suppress-db",
        "A proposal for QEMU writes SQ EventIdx only when polling ends. By reading it loses nothing: QEMU's event "
        "loop polls once more. The variant omits this last look. The proposal was turned down for the doorbells that "
        "it might cost.",
        "qemu-devel, August 2022: hw/nvme: add polling support (version 3, patch 4)",
        "The event loop looks once more after the device writes EventIdx (util/aio-posix.c: poll_set_started).",
        Shown(
            Design("qemu", "linux", "head", {"sq_arm": "idle", "sq_reread": "no"}),
            "uncorked",
            Design("qemu", "linux", "head", {"sq_arm": "idle"}),
            _ONE_AND_TWO,
            "A worker that takes entries polls, and stops when it finds none.",
        ),
    ),
    Bug(
        "openvmm-1582",
        "SQ EventIdx moved by one for each command, with no fence and no second look; CQ EventIdx was not written in "
        "a CQ of usual size. The PR describes that register and shadow drift apart, and no hang. Found here: the "
        "device never hears of a full CQ again.",
        "https://github.com/microsoft/openvmm/pull/1582",
        "Rewritten: the device arms only if it has nothing to do, then fences, then looks again (94889cae).",
        Shown(
            Design("openvmm-2024", "linux", "never"),
            "uncorked",
            Design("openvmm", "linux", "head-when-full"),
            _ONE,
            "Small CQs stand for one of more than 10 entries. A task had one SQ and one CQ. The missing fence is "
            "device-fence.",
        ),
    ),
    Bug(
        "spdk-4bcab9fb",
        "An SQ that finds the CQ full kicks itself. SPDK wrote the kick to the socket of the vfio-user connection "
        "instead of the poll group's eventfd: no thread looked, and the other side received 8 stray bytes. John Levon "
        "found and fixed it.",
        "https://github.com/spdk/spdk/commit/4bcab9fb9b, which fixes 23b518a013",
        "SPDK writes the kick to the eventfd.",
        Shown(
            Design("spdk-interrupt", "linux", "never", {"cork": "park"}),
            "uncorked",
            Design("spdk-interrupt", "linux", "never"),
            _ONE_AND_TWO,
            "The model leaves out that SPDK, until 6e1d0b50c1, failed the controller a moment later over entries that "
            "it could not take.",
        ),
    ),
    Bug(
        "spdk-6e1d0b50",
        "SPDK took a command if the CQ had room at that time, whatever else was in flight (23b518a013): more "
        "completions than CQ slots. SPDK then reads the shadow head once more, refuses to post to a full CQ, and "
        "fails the controller.",
        "https://github.com/spdk/spdk/commit/6e1d0b50c1",
        "SPDK counts commands in flight.",
        Shown(
            Design("spdk-poll", "linux", "never", {"cq_full": "ignore-in-flight"}),
            "safety",
            _SPDK_POLL,
            _ONE_AND_TWO,
            "The guest reuses a command slot before it publishes the CQ head. With one SQ as large as the CQ, a guest "
            "that waits (early_free=no) is safe.",
        ),
    ),
    Bug(
        "linux-nvme-2026",
        "A device drops a completion that finds the CQ full. Linux reuses a command slot before it rings the CQ "
        "doorbell, so a command may complete into a full CQ, and hang. Junnan Zhang saw it on an admin queue, without "
        "a doorbell buffer.",
        "linux-nvme, February 2026: nvme-pci: fix potential I/O hang when CQ is full",
        "Linux rings before it reuses slots. Turned down: the device has to wait for a full CQ.",
        Shown(
            Design("mmio", "linux", "tail", {"backend": "detached", "cq_full": "ignore-in-flight"}),
            "safety",
            Design("mmio", "linux", "tail", {"backend": "detached", "cq_full": "ignore-in-flight", "early_free": NO}),
            (Shape(1, 3, 3), Shape(1, 4, 4)),
            "The device takes commands as long as the CQ has a slot.",
        ),
    ),
    Bug(
        "propolis-972",
        "A notification takes the bits of all sleeping workers, and wakes one for each known entry; the other bits "
        "are lost. Reported: with 15 SQs one of 8 workers does all the work. A worker that looks while another's bit "
        "is set is refused, and sleeps. Found here: entries then wait for ever.",
        "https://github.com/oxidecomputer/propolis/issues/972 and https://github.com/oxidecomputer/propolis/pull/973; "
        "lib/propolis/src/block/minder.rs before 4726609f: next_req, take_notifications",
        "A notification counts sleeping workers only, and puts back the other bits; none is refused (4726609f).",
        Shown(
            Design("propolis-2026", "linux", "tail-lag", {"workers": 2, "notify": "lost-bits"}),
            "uncorked",
            Design("propolis-2026", "linux", "tail-lag", {"workers": 2}),
            (Shape(1, 3, 3),),
            "Two workers serve one SQ, both asleep at first. CQ EventIdx is the later device's.",
        ),
    ),
    Bug(
        "propolis-1156",
        "Workers are dealt to the SQs anew when an SQ comes or goes. A worker's bit stays at the SQ that it had "
        "before. A notification there counts on this bit, and wakes that worker, which looks at another SQ; the entry "
        "waits for the next doorbell. Seen after a migration, with two queues.",
        "https://github.com/oxidecomputer/propolis/pull/1156 (67c25249); lib/propolis/src/block/attachment.rs at "
        "372a5744: WorkerSlot::update_assignment, WorkerCollection::wake, generate_assignments",
        "Propolis would clear the bits of all queues and wake all workers when it assigns them again (72bcc9d6; open).",
        Shown(
            Design("mmio", "linux", "tail", {**_DEALT, "notify": "stale-bits"}),
            "uncorked",
            Design("mmio", "linux", "tail", {**_DEALT, "notify": "dealt"}),
            (Shape(2, 2, 2),),
            "An SQ is deleted and created again, and two workers serve two SQs. There is no doorbell buffer, permits "
            "of deleted SQs come back, and every returned permit kicks, so that only the bits are wrong. All workers "
            "are given their SQs in one step.",
        ),
    ),
    Bug(
        "propolis-3be416e2",
        "The doorbell handler notified the block backend while it held the lock of the controller. A worker that looks "
        "for a request holds the lock that a notification takes, and takes the lock of the controller. Each waits for "
        "the other.",
        "https://github.com/oxidecomputer/propolis/commit/3be416e2; lib/propolis/src/hw/nvme/mod.rs: ring_doorbell; "
        "lib/propolis/src/block/backend.rs at 5c0d3988: Attachment::notify, block_for_req",
        "The handler lets go of the lock before it notifies.",
        Shown(
            Design("mmio", "linux", "tail", {"notify": "kept", "kick_delivery": "held"}),
            "drains",
            Design("mmio", "linux", "tail", {"notify": "kept", "kick_delivery": "deferred"}),
            _ONE,
            "The CQ lock stands for the lock of the controller, and only the CQ's doorbell holds it. A worker that has "
            "found its SQ empty needs the CQ lock to give its permit back.",
        ),
    ),
    Bug(
        "propolis-resume",
        "A worker that looks while the device is paused finds nothing and sleeps. No worker looks when the same "
        "process is resumed, after a failed migration. The guest has passed EventIdx, and does not ring again for "
        "entries that wait. Found here, by reading; no report is known.",
        "Propolis 372a5744: lib/propolis/src/block/minder.rs (next_req), attachment.rs (QueueCollection::resume, "
        "flush_notifications); bin/propolis-server/src/lib/migrate/source.rs",
        "Look at every SQ at the resume (proposed here).",
        Shown(
            Design("propolis-2026", "linux", "tail-1", {"events": "pause"}),
            "uncorked",
            Design("propolis-2026", "linux", "tail-1", {"events": "pause", "on_resume": "look"}),
            _ONE,
            "The guest goes on during the pause; Propolis stops it too. The hang needs no doorbell of the guest.",
        ),
    ),
    Bug(
        "qemu-2388",
        "A guest that follows the SQ head in its completions may have more commands in flight than QEMU has requests. "
        "QEMU then stops looking at the SQ until an SQ doorbell, or a CQ doorbell that finds the CQ full. Waldemar "
        "Kozaczuk found it with OSv.",
        "https://gitlab.com/qemu-project/qemu/-/issues/2388",
        "A request that comes back to an empty pool causes a look if QEMU knows of entries; a CQ doorbell no longer "
        "does (9529aa6b: 9.2.0, 9.1.2, 9.0.4, 7.2.15).",
        Shown(
            Design("qemu-9.1", "linux", "head", {"pool": 1, "on_request": "nothing"}),
            "uncorked",
            Design("qemu", "linux", "head", {"pool": 1}),
            _ONE,
            "A pool smaller than the SQ (QEMU's is as large) stands for a guest with more commands than entries.",
        ),
    ),
    Bug(
        "qemu-2388-v1",
        "In the first version of the fix of qemu-2388 a doorbell of a full CQ posted no completion that waited. Only "
        "the next completion did, and there may be none.",
        "qemu-devel, 25 October 2024: hw/nvme: fix handling of over-committed queues "
        "(20241025-issue-2388-v1-1-16707e0d3342@samsung.com); hw/nvme/ctrl.c: nvme_process_db",
        "In the second version the doorbell of a full CQ posts again, as before the fix (9529aa6b).",
        Shown(
            Design("qemu", "linux", "head", {"on_full_doorbell": "nothing"}),
            "drains",
            _QEMU,
            _ONE_AND_TWO,
        ),
    ),
    Bug(
        "openvmm-3474",
        "OpenVMM counts an SQ's commands under way, and does not look at the SQ while there are 8. The first version "
        "of a fix (a panic, as the count went below 0) forgot to subtract completions that had waited for room: each "
        "cost one of the 8 places, and after 8 OpenVMM never looked at the SQ again. Review found it.",
        "https://github.com/microsoft/openvmm/pull/3474; vm/devices/storage/nvme/src/workers/io.rs: IoHandler::process",
        "OpenVMM counts both correctly (36711face, test_full_cq_does_not_leak_io_count).",
        Shown(
            Design("openvmm", "linux", "head-when-full", {"pool": 1, "on_request": "lose-waited"}),
            "uncorked",
            Design("openvmm", "linux", "head-when-full", {"pool": 1}),
            (Shape(1, 3, 2), Shape(1, 3, 3)),
            "One place stands for 8, because no guest of these sizes has 8 commands under way.",
        ),
    ),
    Bug(
        "rocm-xio-68",
        "A GPU drives an NVMe device, and counts how far it has consumed, but never writes the CQ doorbell. QEMU "
        "believes the CQ to be full after one lap, and posts no more.",
        "https://github.com/ROCm/rocm-xio/pull/68; src/endpoints/nvme-ep/nvme-ep.hip before 5eff867: driveEndpoint",
        "The guest writes the CQ doorbell for each completion (5eff867).",
        Shown(
            Design("qemu", "mmio-only", "head", {"cq_head": "kept"}),
            "drains",
            Design("qemu", "mmio-only", "head"),
            _ONE_AND_TWO,
            "The guest has no doorbell buffer.",
        ),
    ),
    Bug(
        "femu-6f998742",
        "The modes of FEMU that do not run commands inline post a completion without a look at the CQ head. If more "
        "commands are under way than the CQ holds, unread CQEs are overwritten.",
        "FEMU hw/femu/nvme-io.c at 99ce4fb2: nvme_process_cq_cpl",
        "A completion that finds the CQ full is held, and tried again each sweep (6f998742f).",
        Shown(
            Design("femu", "linux", "head-1", {"cq_full": "ignore"}),
            "safety",
            Design("femu", "linux", "head-1"),
            (Shape(1, 4, 2), Shape(2, 2, 2)),
            "In the fix no command is taken while the CQ is full, as in inline FEMU; the other modes take it.",
        ),
    ),
    Bug(
        "usnvmemu-cq",
        "The device learns the CQ head and does not use it: it posts whether or not the CQ is full. If several SQs, or "
        "one larger SQ, complete into it, unread CQEs are overwritten. Found here, by reading; no report is known.",
        "usnvmemu 076aeeb3, usnvmemu/crates/nvme_firmware/src/controller/mod.rs: post_cqe",
        "Take a command only if the CQ has room for its completion, and look again until it has (proposed here).",
        Shown(
            Design("usnvmemu", "linux", "never", _LATE_FREE),
            "safety",
            Design("usnvmemu", "linux", "never", {**_LATE_FREE, "cq_full": "permits", "cork": "self-kick"}),
            (Shape(1, 4, 2), Shape(2, 2, 2)),
            "The guest reuses a command slot only after it has published the CQ head. With earlier reuse, as in Linux, "
            "the device also posts into slots of CQEs that were read and not published, which does no harm.",
        ),
    ),
    Bug(
        "linux-2018",
        "Linux stores the shadow and then loads EventIdx, with no barrier between. The load may pass the store: the "
        "guest reads an old EventIdx and stays silent, the device reads an old shadow and sleeps.",
        "https://git.kernel.org/torvalds/c/f1ed3df2",
        "A full barrier between the two.",
        Shown(
            Design("propolis-2026", "linux", "tail-lag", {**_TSO, "guest_fence": NO}),
            "uncorked",
            Design("propolis-2026", "linux", "tail-lag", _TSO),
            _ONE,
            _DEVICE_AT_HAND,
        ),
    ),
    Bug(
        "spdk-7188bb99",
        "SPDK's driver lacked the barrier of linux-2018, so its load of EventIdx may pass its store of the shadow. "
        "The guest stays silent, and the device sleeps.",
        "https://github.com/spdk/spdk/commit/7188bb99",
        "A full barrier between the two.",
        Shown(
            Design("propolis-2026", "spdk", "tail-lag", {**_TSO, "guest_fence": NO}),
            "uncorked",
            Design("propolis-2026", "spdk", "tail-lag", _TSO),
            _ONE,
            _DEVICE_AT_HAND,
        ),
    ),
    Bug(
        "device-fence",
        "The device's load of the shadow may pass its store of EventIdx. The PR adds the fence and names no hang; the "
        "hang is found here.",
        "OpenVMM before #1582, https://github.com/microsoft/openvmm/pull/1582",
        "A full fence between the two.",
        Shown(
            Design("arm-recheck", "linux", "arm-on-cork", {**_TSO, "device_fence_cq": NO}),
            "uncorked",
            Design("arm-recheck", "linux", "arm-on-cork", _TSO),
            _ONE,
            "Memory is x86-TSO. The variant lacks the fence at CQ EventIdx, on a device that arms before it corks, as "
            "OpenVMM does: the load that follows is the last before the SQ sleeps.",
        ),
    ),
    Bug(
        "usnvmemu-fence",
        "The device copies EventIdx into the guest's page, and copies the SQ shadow tail out of it, with no fence "
        "between: on x86 the load may pass the store. The guest publishes an entry, reads the old EventIdx, and stays "
        "silent; the device reads the old tail, and sleeps. With vfio-user no tick looks again. Found here, by "
        "reading; no report is known.",
        "usnvmemu 076aeeb3, usnvmemu/crates/vfio_user_transport/src/dma.rs: mmap_write, mmap_read; nvme_firmware: "
        "handle_shadow_sq",
        "A full fence after the store of EventIdx (proposed here).",
        Shown(
            Design("usnvmemu", "linux", "never", {**_TSO, **_LATE_FREE}),
            "uncorked",
            Design("usnvmemu", "linux", "never", {**_TSO, **_LATE_FREE, "device_fence_sq": YES}),
            _ONE,
            "Memory is x86-TSO. QEMU's guest memory is mapped; a client that maps none gets a message for each copy. "
            "The guest reuses a command slot only after it has published the CQ head (usnvmemu-cq has why).",
        ),
    ),
    Bug(
        "spdk-2410",
        "A virtual machine is migrated in interrupt mode, and a request gets stuck: the device runs, the guest writes "
        "a doorbell, and the I/O queues are not set up yet. No thread looks at them when they are. The reporter says "
        "that shadow doorbells are not involved.",
        "https://github.com/spdk/spdk/issues/2410; lib/nvmf/vfio_user.c: handle_queue_connect_rsp",
        "The device kicks itself when each I/O queue is connected again, and looks at every SQ (eb0305e0e6). SPDK no "
        "longer has migration (6368bf4fc8, 2025).",
        Shown(
            Design("spdk-interrupt", "linux", "never", {**_MIGRATED, "activation": "later"}),
            "uncorked",
            Design("spdk-interrupt", "linux", "never", {**_MIGRATED, "activation": "later-look"}),
            _ONE_AND_TWO,
            "The device is paused and resumed, instead of a second device that gets the queues. A doorbell before the "
            "queue is set up wakes nobody, and the device knows the index that it carried.",
        ),
    ),
    Bug(
        "spdk-0a153e8a",
        "This was seen before it was in the code. While SPDK is quiesced it processes no SQ. In interrupt mode a "
        "doorbell that comes then is used up by a look that finds nothing, and no other look follows.",
        "https://github.com/spdk/spdk/commit/0a153e8af4; lib/nvmf/vfio_user.c: _vfio_user_endpoint_resume_done_msg",
        "The device kicks itself as it runs again, and looks at every SQ (the same commit).",
        Shown(
            Design("spdk-interrupt", "linux", "never", {"events": "pause", "on_resume": "forget-looks"}),
            "uncorked",
            Design("spdk-interrupt", "linux", "never", {"events": "pause"}),
            _ONE_AND_TWO,
            "The guest goes on while the device is quiesced.",
        ),
    ),
    Bug(
        "usnvmemu-ring",
        "A doorbell that came while the device waited for an answer to its read of the SQ shadow tail was dropped. If "
        "the tail moved after it was read, nobody looks until the tick, after 60 s without any message. Found in "
        "review, before the code was committed.",
        "usnvmemu f35e5a71 (June 2026), nvme_firmware/src/controller/mod.rs: start_shadow_sq_poll; its LESSONS.md, 29",
        "The doorbell is noted, and the tail is read once more (shadow_ring_pending, f35e5a71).",
        Shown(
            Design("usnvmemu-remote", "linux", "never", {**_LATE_FREE, "notify": "dropped"}),
            "uncorked",
            Design("usnvmemu-remote", "linux", "never", _LATE_FREE),
            _ONE,
            "The guest reuses a command slot only after it has published the CQ head (usnvmemu-cq has why).",
        ),
    ),
    Bug(
        "spdk-64db53f1",
        "This was seen before it was in the code. In interrupt mode the thread of the controller handles every "
        "doorbell, and then looks at the SQs of its own poll group. An SQ in another poll group would not be looked "
        "at, so SPDK kept all SQs of a controller in one.",
        "https://github.com/spdk/spdk/commit/64db53f1aa; lib/nvmf/vfio_user.c: vfio_user_ctrlr_intr, "
        "nvmf_vfio_user_get_optimal_poll_group",
        "The thread of the controller wakes every other poll group after it has handled doorbells (the same commit, "
        "with enable_intr_mode_sq_spreading).",
        Shown(
            Design("spdk-interrupt", "linux", "never", {"threads": "many", "doorbell_wakes": "first"}),
            "drains",
            Design("spdk-interrupt", "linux", "never", {"threads": "many", "doorbell_wakes": "every"}),
            (Shape(2, 2, 2),),
            "SQ0 is in the poll group of the controller and SQ1 in another. SPDK puts SQs of one CQ into one poll "
            "group (a391e3ad01); the model has one CQ, so SQ0 stands for the SQs of the controller's poll group.",
        ),
    ),
    Bug(
        "spdk-36dfcca2",
        "Some resets free the doorbell buffer, and the SQs still read their tails in the freed pages.",
        "https://github.com/spdk/spdk/commit/36dfcca2b4; lib/nvmf/vfio_user.c: disable_ctrlr, vfio_user_device_reset",
        "The device switches its queues to the doorbell registers before it frees the buffer.",
        Shown(
            Design("spdk-interrupt", "linux", "never", {"events": "reset", "on_reset": "keep"}),
            "safety",
            Design("spdk-interrupt", "linux", "never", {"events": "reset"}),
            _ONE,
            "The pages keep their last values after the reset; in SPDK they may be unmapped or hold anything.",
        ),
    ),
    Bug(
        "spdk-0537f914",
        "Delete I/O Submission Queue only stopped further looks at the SQ, and was complete at once. Commands in "
        "flight completed later, and posted CQEs of a queue that the guest had deleted, or had created again. Issue "
        "2174 reports that the SQ could not be created again, because it was never really deleted. That its CQEs come "
        "late was read in the source.",
        "https://github.com/spdk/spdk/issues/2174; lib/nvmf/vfio_user.c at aa9e0ac633: handle_del_io_q, "
        "handle_cmd_rsp, post_completion",
        "The device disconnects the queue pair, waits for its commands, and then completes the deletion (0537f914ba).",
        Shown(
            Design("spdk-poll", "linux", "never", {**_DELETED, "on_delete": "late"}),
            "safety",
            Design("spdk-poll", "linux", "never", _DELETED),
            _ONE_AND_TWO,
            "A CQE that no command waits for is a violation of safety: the guest counts one command too few. The "
            "device is the later SPDK, which takes a command only if the CQ has room.",
        ),
    ),
    Bug(
        "linux-58847f12",
        "After a controller reset the queues begin at 0 again, but EventIdx keeps its old value. The first submit "
        "does not pass it and is silent, and the device never looks.",
        "https://git.kernel.org/torvalds/c/58847f12fe7823c56f844218abcca6920901097d",
        "The driver clears both words when it resets the controller, since Linux 5.16.",
        Shown(
            Design("propolis-2026", "linux", "tail-lag", {"events": "restart", "words": "keep"}),
            "uncorked",
            Design("propolis-2026", "linux", "tail-lag", {"events": "restart"}),
            _ONE,
            _DEVICE_WITHOUT_EVENT,
        ),
    ),
    Bug(
        "spdk-1795",
        "SPDK's driver deletes a queue pair and creates it again with the same number; the doorbell buffer still has "
        "the old words. I/O hangs, or completions come that no command waits for. At first Google Cloud's device was "
        "blamed.",
        "https://github.com/spdk/spdk/issues/1795",
        "The driver writes 0 to the shadow and EventIdx words of SQ and CQ when it deletes them (38736d993d).",
        Shown(
            Design(
                "arm-recheck",
                "spdk",
                "arm-on-cork",
                {"events": "recreate", "words": "keep", "on_create": "shadow"},
            ),
            "uncorked",
            Design("arm-recheck", "spdk", "arm-on-cork", {"events": "recreate", "on_create": "shadow"}),
            _ONE,
            "That device is not known; the model's writes only the shadow and has no other fault.",
        ),
    ),
    Bug(
        "config-at-nonzero",
        "A doorbell buffer is configured while queues stand at an index that is not 0, and EventIdx is 0: the first "
        "submit is lost. Found here, by reading the source of both devices; no report is known.",
        "QEMU hw/nvme/ctrl.c: nvme_dbbuf_config; Propolis lib/propolis/src/hw/nvme/queue.rs: set_db_buf",
        "Write EventIdx when the buffer is configured (proposed here).",
        Shown(
            Design("qemu", "linux", "head", {"events": "config"}),
            "uncorked",
            Design("qemu", "linux", "head", {"events": "config", "on_config": "both"}),
            _ONE_AND_TWO,
            "The guest configures its buffer after it has used its queues; Linux does so before.",
        ),
    ),
    Bug(
        "openvmm-config",
        "The buffer is configured while queues stand at an index that is not 0. The device writes the indices to "
        "EventIdx, but remembers EventIdx as 0. When the SQ next stands at 0 it writes nothing, and the guest is "
        "silent; so with a full CQ. Found here, by reading; no report is known.",
        "OpenVMM 1488a37b vm/devices/storage/nvme/src/queue.rs: DoorbellMemory::replace_mem, "
        "DoorbellState::probe_inner",
        "Update what the device remembers, or write EventIdx each time (proposed here).",
        Shown(
            Design("openvmm", "linux", "head-when-full", {"events": "config"}),
            "uncorked",
            Design(
                "openvmm",
                "linux",
                "head-when-full",
                {"events": "config", "sq_event_cache": NO, "cq_event_cache": NO},
            ),
            (Shape(1, 2, 2), Shape(1, 3, 3)),
            "The guest configures its buffer after it has used its queues; Linux does so before.",
        ),
    ),
    Bug(
        "openvmm-cached",
        "The device remembers 0 as the EventIdx of a new queue, but writes 0 only to the doorbell word, not to "
        "EventIdx. So memory may differ from what it remembers. Found here, by reading; no report is known.",
        "OpenVMM vm/devices/storage/nvme/src/queue.rs since #1582: DoorbellMemory::write, DoorbellState::probe_inner",
        "Write EventIdx, too (proposed here).",
        Shown(
            Design("openvmm", "linux", "head-when-full", {"events": "delete+create", "words": "keep"}),
            "uncorked",
            Design(
                "openvmm",
                "linux",
                "head-when-full",
                {"events": "delete+create", "words": "keep", "on_create": "both"},
            ),
            _ONE_AND_TWO,
            "The guest does not clear the words of an SQ that it creates again.",
        ),
    ),
    Bug(
        "propolis-983",
        "An SQ is deleted with commands in flight, whose permits are abandoned: the CQ is smaller for ever. Issue 975 "
        "reports a panic when a reset drops permits; since 983 they are abandoned, which is right at a reset, because "
        "the CQ goes too. Found here, by reading: not so if only the SQ goes.",
        "https://github.com/oxidecomputer/propolis/pull/983; Propolis lib/propolis/src: QueueMinder::destroy, "
        "Permit::abandon",
        "Return them (proposed here; no source that was read does).",
        Shown(
            Design("arm-recheck", "linux", "arm-on-cork", {"events": "delete+create", "on_delete": "abandon"}),
            "uncorked",
            Design("arm-recheck", "linux", "arm-on-cork", {"events": "delete+create"}),
            (Shape(2, 2, 2),),
            "The device has every kick, also for returned permits: without that an SQ that lacks them would sleep on.",
        ),
    ),
    Bug(
        "propolis-1043",
        "The issue worries: a second SQ uses a CQ whose EventIdx leaves room for one SQ only.",
        "https://github.com/oxidecomputer/propolis/issues/1043",
        "The worry is right for head + (size - n), which is the tail for one SQ. head + (capacity - n) stops before "
        "the tail for any number of SQs.",
        Shown(
            Design("propolis-2026", "linux", "reserve-slots-size", {"events": "create", **_FREED_KICKS}),
            "uncorked",
            Design("propolis-2026", "linux", "reserve-slots", {"events": "create", **_FREED_KICKS}),
            (Shape(2, 2, 2),),
            "The device kicks wherever it sees room or gets a permit back; without these kicks several SQs hang under "
            "any EventIdx. With two SQs from the start none stays corked.",
        ),
    ),
    Bug(
        "usnvmemu-release",
        "The call that takes the entries stands in a debug_assert!. Built without debug assertions, the device never "
        "takes an I/O command once the guest uses a doorbell buffer: it writes the tail to EventIdx and reads it again "
        "until it fails itself (CSTS.CFS), after 65,535 reads. Found here, by reading; no report is known.",
        "usnvmemu 076aeeb3, usnvmemu/crates/nvme_firmware/src/controller/mod.rs: handle_shadow_sq",
        "Call first, and assert on the result (proposed here).",
        needs="a look that takes no entry that it finds",
    ),
    Bug(
        "propolis-981",
        "A migrated device is not enabled again, and refuses every doorbell.",
        "https://github.com/oxidecomputer/propolis/issues/981 and https://github.com/oxidecomputer/propolis/pull/1156",
        "Both are open.",
        needs="a device that refuses doorbells",
    ),
    Bug(
        "propolis-1080",
        "Doorbell Buffer Config takes two locks in one order, and a look takes them in the other: a deadlock.",
        "https://github.com/oxidecomputer/propolis/pull/1080",
        "The look takes the lock of its SQ first (f99d237f).",
        needs="the locks of a device's memory accessors",
    ),
    Bug(
        "spdk-2147",
        "The target never reads the shadow words of the admin queue (the drivers of SPDK and Linux never write them), "
        "and so does not hear a guest that leaves doorbells out there, such as libvfn.",
        "https://github.com/spdk/spdk/issues/2147; SPDK 3230130e lib/nvmf/vfio_user.c: "
        "vfio_user_ctrlr_switch_doorbells, handle_sq_tdbl_write; libvfn f741a47 "
        "(https://github.com/SamsungDS/libvfn/pull/1)",
        "Open in SPDK. libvfn has a quirk, NVME_QUIRK_BROKEN_DBBUF, with which it rings for every admin command.",
        Shown(
            Design("spdk-interrupt", "libvfn", "never", {"used_by": "guest"}),
            "uncorked",
            Design("spdk-interrupt", "libvfn", "never", {"doorbell_buffer": "off"}),
            _ONE,
            "The queues are the admin queues. SQ EventIdx is 0, as in the guest's new page.",
        ),
    ),
    Bug(
        "qemu-admin",
        "This was feared, and was never in the code. Linux never writes the shadow words of the admin queues. A "
        "device that reads them forgets what a doorbell told it, and does not take the command.",
        "QEMU hw/nvme/ctrl.c since 3f7fe8de3d49: nvme_process_db, a comment; OpenVMM gives the same reason in "
        "https://github.com/microsoft/openvmm/pull/1582",
        "QEMU stores the value of an admin doorbell in the shadow word. OpenVMM does so for every queue.",
        Shown(
            Design("qemu", "linux", "head", {"used_by": "device"}),
            "uncorked",
            Design("qemu", "linux", "head", {"used_by": "device", "on_doorbell": "store"}),
            _ONE,
            "The queues are the admin queues.",
        ),
    ),
    Bug(
        "linux-0f0d2c87",
        "Doorbell Buffer Config fails, and the driver follows the buffer all the same. By reading, SerenityOS's and "
        "SPDK's drivers do so today.",
        "https://git.kernel.org/torvalds/c/0f0d2c876c96d4908a9ef40959a44bec21bdd6cf; SPDK 3230130e lib/nvme: "
        "nvme_ctrlr_set_doorbell_buffer_config_done; SerenityOS 5f37b607 Kernel/Devices/Storage/NVMe",
        "The queues forget the buffer, since Linux 5.10.",
        Shown(
            Design("qemu", "linux", "head", {"events": "config", "used_by": "guest"}),
            "uncorked",
            Design("qemu", "linux", "head", {"doorbell_buffer": "off"}),
            _ONE,
            "Any device serves here: one that refused the buffer writes no word of it. The guest configures its "
            "buffer after it has used its queues; Linux does so before.",
        ),
    ),
    Bug(
        "linux-e8fd41bb",
        "The driver did not configure the doorbell buffer again after a reset, which makes a device forget the "
        "buffer, and still followed it. Maxim Levitsky found it with nvme-mdev.",
        "https://git.kernel.org/torvalds/c/e8fd41bb3cf1",
        "The driver configures the buffer after each reset, since Linux 5.2.",
        Shown(
            Design("nvme-mdev", "linux", "half", {"events": "reset", "after_reset": "follow"}),
            "uncorked",
            Design("nvme-mdev", "linux", "half", {"events": "restart"}),
            (Shape(1, 2, 2), Shape(1, 3, 3)),
            "The guest clears both words of each queue, as Linux does since 5.16.",
        ),
    ),
    Bug(
        "linux-06c59d42",
        "After a reset the queues went on before the doorbell buffer was configured again: the driver left doorbells "
        "out before the device knew of the shadow, and requests timed out.",
        "https://git.kernel.org/torvalds/c/06c59d427017fcde3107c236177fcc74c9db7909",
        "The driver configures the buffer before the queues go on, since Linux 6.8.",
        Shown(
            Design("qemu", "linux", "head", {"events": "reset+config", "after_reset": "follow"}),
            "uncorked",
            Design("qemu", "linux", "head", {"events": "restart"}),
            (Shape(1, 2, 2), Shape(1, 3, 3)),
            "Which device it was is not known. QEMU, as Propolis does, writes the index that it knows to the shadow "
            "word at the configuration, over a later index of the guest.",
        ),
    ),
    Bug(
        "openvmm-reset",
        "After a reset the device still uses the old doorbell buffer, in pages that belong to the guest again. It "
        "writes doorbells' values and EventIdx there, and zeros when queues are created, and crashes a guest that "
        "boots again. The tails that it reads there do not hang: a doorbell has just stored each.",
        "https://github.com/microsoft/openvmm/pull/4080 (closed), https://github.com/microsoft/openvmm/pull/3915 "
        "(open), https://github.com/microsoft/openvmm/pull/4011; OpenVMM b6cd54439^ "
        "vm/devices/storage/nvme/src/queue.rs: DoorbellMemory::write, replace_mem",
        "The device returns to its own memory: DoorbellMemory::reset (4011, b6cd54439).",
        Shown(
            Design("openvmm", "linux", "head-when-full", {"events": "reset", "on_reset": "keep"}),
            "safety",
            Design("openvmm", "linux", "head-when-full", {"events": "reset"}),
            (Shape(1, 2, 2),),
            "What the guest has in these pages now is left out: the device reads there what it wrote there last.",
        ),
    ),
    Bug(
        "openvmm-cached-cq",
        "openvmm-cached, for the CQ: the device remembers 0 as the EventIdx of a new CQ, and writes 0 only to the "
        "doorbell word. A completion that finds the new CQ full at head 0 writes no EventIdx, and waits for a doorbell "
        "that the guest leaves out. Found here, by reading; no report is known.",
        "OpenVMM vm/devices/storage/nvme/src/queue.rs since #1582: CompletionQueue::new, DoorbellMemory::write, "
        "DoorbellState::probe_inner",
        "Write EventIdx (proposed here).",
        Shown(
            Design(
                "openvmm",
                "linux",
                "head-when-full",
                {"events": "recreate", "words": "keep", "look_on_change": YES, "sq_event_cache": NO},
            ),
            "drains",
            Design(
                "openvmm",
                "linux",
                "head-when-full",
                {
                    "events": "recreate",
                    "words": "keep",
                    "look_on_change": YES,
                    "sq_event_cache": NO,
                    "cq_event_cache": NO,
                },
            ),
            (Shape(1, 2, 2),),
            "The guest does not clear the words of queues that it creates again. The device writes each SQ EventIdx, "
            "so that only the CQ is wrong.",
        ),
    ),
    Bug(
        "nvmevirt-58",
        "The controller is disabled and enabled again with the same admin queues. The device goes on in the admin CQ "
        "where it was, with the phase tag that it had. The guest begins at slot 0, and sees no completion.",
        "https://github.com/snu-csl/nvmevirt/issues/58; NVMeVirt 61c90f7 pci.c: nvmev_proc_bars, which sets cq_head "
        "and phase only if AQA or ACQ changes",
        "Begin at slot 0 whenever the controller is enabled (proposed here). The issue was closed without a change.",
        Shown(
            Design(
                "spdk-poll",
                "linux",
                "never",
                {"doorbell_buffer": "off", "events": "reset", "cq_begins": "at-old-tail"},
            ),
            "drains",
            Design("spdk-poll", "linux", "never", {"doorbell_buffer": "off", "events": "reset"}),
            _ONE,
            "NVMeVirt has no doorbell buffer, and polls. SPDK's poller stands for it.",
        ),
    ),
    Bug(
        "usnvmemu-config",
        "The device announced and accepted Doorbell Buffer Config, and never looked at the words. Linux left doorbells "
        "out, those commands were not taken, and its I/O hung for 30 s.",
        "usnvmemu before f35e5a71 (June 2026), nvme_firmware/src/controller/admin.rs; its LESSONS.md, 28 and 29",
        "The device announced the command no more, until it read and wrote the words (f35e5a71).",
        Shown(
            Design("usnvmemu", "linux", "never", {**_LATE_FREE, "used_by": "guest"}),
            "uncorked",
            Design("usnvmemu", "linux", "never", {**_LATE_FREE, "doorbell_buffer": "off"}),
            _ONE,
            "The guest reuses a command slot only after it has published the CQ head (usnvmemu-cq has why).",
        ),
    ),
    Bug(
        "qemu-ea3c76f1",
        "On a host of the other byte order QEMU read and wrote the shadow words in the host's byte order. Of an index "
        "other than 0 it made a number that no queue has, and took entries that were never published; the guest read "
        "every EventIdx as 0.",
        "https://gitlab.com/qemu-project/qemu/-/issues/1765; "
        "https://gitlab.com/qemu-project/qemu/-/commit/ea3c76f1494d, after "
        "https://gitlab.com/qemu-project/qemu/-/commit/2fda0726e514",
        "QEMU converts all words (2fda0726e514 in 8.0.0, the rest in 8.1.0).",
        Shown(
            Design("qemu", "linux", "head", {"byte_order": "other"}),
            "safety",
            _QEMU,
            _ONE_AND_TWO,
            "No word is converted, as before 2fda0726e514. The guest is little-endian, and the queues have fewer than "
            "256 entries.",
        ),
    ),
    Bug(
        "nvmet-mdev-pci-event",
        "Before it sleeps the device reads the SQ shadow tail once more, writes that to SQ EventIdx, and reads again. "
        "It sleeps if that is what it wrote, though it has not taken the entries before it. A guest that moved the "
        "tail before the first of these reads, and looks at EventIdx afterwards, rings no doorbell. Found here, by "
        "reading; no report is known.",
        f"{_NVMET} 28387e1aaeff: nvmet_mdev_arm_sq_event, nvmet_mdev_sq_work; at 6cff00f99f33 the same; at "
        "0cc062830d7d nvmet_mdev_poll_work, which does so before it sleeps for 10 ms",
        "Compare the last read with the SQ head (proposed here).",
        Shown(
            Design("nvmet-mdev-pci-scan", "linux", "head-when-full", {"poll": NO}),
            "uncorked",
            Design("nvmet-mdev-pci-scan", "linux", "head-when-full", {"poll": NO, "sq_compare": "head"}),
            _TWO_AND_THREE,
            "The poller is left out. In this version it looks every 10 ms: it wakes the SQ, and such a command is late "
            "by up to 10 ms. It cannot be turned off (poll_budget is at least 1).",
        ),
    ),
    Bug(
        "nvmet-mdev-pci-poller",
        "nvmet-mdev-pci-event, and the poller does not help: it compares the SQ shadow tail with the tail that it saw "
        "last, and not with the SQ head. If the tail goes round the ring between two of its looks, and a wake-up is "
        "lost just then, it sees the old tail for ever. The entry waits for the next one. Found here, by reading; no "
        "report is known.",
        f"{_NVMET} 6cff00f99f33: nvmet_mdev_poll_queues (polled_tail)",
        "Compare the tail with the SQ head, as before (nvmet_mdev_budget_poll, 28387e1aaeff).",
        Shown(
            Design("nvmet-mdev-pci", "linux", "head-when-full"),
            "uncorked",
            Design("nvmet-mdev-pci", "linux", "head-when-full", {"poll": YES}),
            _TWO_AND_THREE,
            "Each doorbell has the poller look at once, too; here it may take its time, as a work item may. The larger "
            "the queue, the more has to happen between two looks.",
        ),
    ),
    Bug(
        "nvmet-mdev-pci-39130d69",
        "The same as nvmet-mdev-pci-event, at the CQ: a completion that finds the CQ full reads the shadow head once "
        "more, writes that to CQ EventIdx, and waits if the head is still what it wrote, though there is room by it. "
        "The poller ended the wait after up to 10 ms.",
        f"{_NVMET} 42cea0691a4a: nvmet_mdev_arm_cq_event",
        "If the head that is read once more is not the head that the device knows, it goes on at once (39130d697fc7).",
        Shown(
            Design("nvmet-mdev-pci-batch", "linux", "head-when-full", {**_ALONE, "cq_compare": "written"}),
            "drains",
            Design("nvmet-mdev-pci-batch", "linux", "head-when-full", _ALONE),
            _TWO_AND_THREE,
            "The poller is left out, and the tail is compared with the SQ head, so that only the CQ is wrong. The head "
            "is read and written in one step. That a CQ doorbell was dropped while the work item of the CQ ran, which "
            "had the same end, is left out.",
        ),
    ),
    Bug(
        "spdk-93db90f7",
        "SPDK's target loads an SQ's tail and then the SQE, with no barrier between. On Arm the SQE may be loaded "
        "first: the device sees the new tail, and takes what stood in the slot before.",
        "https://github.com/spdk/spdk/commit/93db90f7f3; lib/nvmf/vfio_user.c: nvmf_vfio_user_sq_poll",
        "A read barrier between the two.",
        Shown(
            Design("spdk-interrupt", "linux", "never", {**_ARM, "sqe_load": "plain"}),
            "safety",
            Design("spdk-interrupt", "linux", "never", _ARM),
            _THREE,
            _ON_ARM,
        ),
    ),
    Bug(
        "spdk-1828",
        "SPDK's driver stores an SQE and then the shadow tail, with no barrier between. On Arm the tail may be in "
        "memory first: the device takes what stood in the slot before.",
        "https://github.com/spdk/spdk/issues/1828, https://github.com/spdk/spdk/commit/3a7a66e505; "
        "lib/nvme/nvme_pcie_internal.h: nvme_pcie_qpair_update_mmio_required",
        "A write barrier between the two.",
        Shown(
            Design("qemu", "spdk", "head", {**_ARM, "sqe_store": "plain"}),
            "safety",
            Design("qemu", "spdk", "head", _ARM),
            _THREE,
            _ON_ARM,
        ),
    ),
    Bug(
        "linux-b69e2ef2",
        "Linux loads a CQE's phase and then the rest, with no barrier between. On Arm the rest may be loaded first: "
        "the guest sees the new phase, and consumes what stood in the slot before.",
        "https://git.kernel.org/torvalds/c/b69e2ef24b7b; drivers/nvme/host/pci.c: nvme_poll_cq",
        "A read barrier between the two.",
        Shown(
            Design("qemu", "linux", "head", {**_ARM, "cqe_load": "plain"}),
            "safety",
            Design("qemu", "linux", "head", _ARM),
            _THREE,
            _ON_ARM,
        ),
    ),
    Bug(
        "libvfn-9e4191a0",
        "libvfn loads a CQE's phase and then the rest, with no barrier between. On Arm it may consume what stood in "
        "the slot before.",
        "https://github.com/SamsungDS/libvfn/commit/9e4191a0; include/vfn/nvme/queue.h: nvme_cq_get_cqe",
        "A read barrier between the two.",
        Shown(
            Design("qemu", "libvfn", "head", {**_ARM, "cqe_load": "plain"}),
            "safety",
            Design("qemu", "libvfn", "head", _ARM),
            _THREE,
            _ON_ARM,
        ),
    ),
    Bug(
        "openvmm-506",
        "OpenVMM writes the 16 bytes of a CQE in one copy. On Arm the half with the phase may be in memory first: the "
        "guest sees the new phase, and consumes what stood in the slot before.",
        "https://github.com/microsoft/openvmm/pull/506; vm/devices/storage/nvme/src/queue.rs: CompletionQueue::write",
        "Two stores of 8 bytes, the phase with the second, and a release fence between them (ffdc8f786).",
        Shown(
            Design("openvmm", "linux", "head-when-full", {"memory": "arm", "sqe_load": "fenced", "cqe_store": "plain"}),
            "safety",
            Design("openvmm", "linux", "head-when-full", {"memory": "arm", "sqe_load": "fenced"}),
            _THREE,
            "Memory is Arm's. The device has a load fence between a tail and its SQE, which it lacks to this day "
            "(docs/memory.md).",
        ),
    ),
    Bug(
        "nvmet-mdev-pci-28387e1a",
        "nvmet-mdev-pci writes the 16 bytes of a CQE in one copy, and its write barrier stands behind them. On Arm the "
        "half with the phase may be in memory first: the guest sees the new phase, and consumes what stood in the slot "
        "before.",
        f"{_NVMET} c982e4b28482: nvmet_mdev_cq_work",
        "The phase is stored last, behind a write barrier (28387e1aaeff).",
        Shown(
            Design("nvmet-mdev-pci-scan", "linux", "head-when-full", {"memory": "arm", "cqe_store": "plain"}),
            "safety",
            Design("nvmet-mdev-pci-scan", "linux", "head-when-full", {"memory": "arm"}),
            _TWO_AND_THREE,
            "Memory is Arm's. The device is that of the fix but for the CQE.",
        ),
    ),
    Bug(
        "femu-04ce8b1a",
        "FEMU writes the 16 bytes of a CQE in one copy. On Arm the half with the phase may be in memory first: the "
        "guest sees the new phase, and consumes what stood in the slot before.",
        "https://github.com/MoatLab/FEMU 99ce4fb2, hw/femu/nvme-io.c: nvme_post_cqe",
        "The dword with the phase is stored last, behind a write barrier (04ce8b1a7; nvme-util.c: nvme_write_cqe).",
        Shown(
            Design("femu", "linux", "head-1", {"memory": "arm", "sqe_load": "fenced", "cqe_store": "before"}),
            "safety",
            Design("femu", "linux", "head-1", {"memory": "arm", "sqe_load": "fenced"}),
            _TWO_AND_THREE,
            "Memory is Arm's. The device has a load fence between a tail and its SQE, which it lacks to this day "
            "(docs/memory.md). Stores to EventIdx are in memory before the next CQE, which FEMU does not see to: "
            "without that there are more runs.",
        ),
    ),
)
"""The bugs; a bug that only `needs` a part may stand between bugs that are shown."""
