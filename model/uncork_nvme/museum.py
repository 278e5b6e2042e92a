"""The museum: what went wrong in real devices and drivers, each as a small variant of a machine, with what mended it.

A bug is shown by a variant that fails and a fix that does not, at the same sizes. Those that need what the machine does
not have are here too, with what they need: they are listed, and not claimed.
"""

from __future__ import annotations

from dataclasses import dataclass

from uncork_nvme.choices import NO, YES, Choice
from uncork_nvme.instance import Design

Shape = tuple[int, int, int]
"""Number of SQs, entries of an SQ, entries of the CQ."""


@dataclass(frozen=True)
class Shown:
    """How a bug is shown: at each of the `shapes` the variant does not have the property, and the fix has all.

    `assumes` is what is taken to be so where the source leaves it open.
    """

    variant: Design
    refutes: str
    fix: Design
    shapes: tuple[Shape, ...]
    assumes: str = ""


@dataclass(frozen=True)
class Bug:
    """Something that went wrong: what happened, where it can be read, what mended it.

    Either how it is `shown`, or what it `needs` that the machine does not have.
    """

    name: str
    happened: str
    where: str
    mended: str
    shown: Shown | None = None
    needs: str = ""


_ONE: tuple[Shape, ...] = ((1, 3, 3), (1, 4, 4))
_ONE_AND_TWO: tuple[Shape, ...] = ((1, 3, 3), (2, 2, 2))
_QEMU = Design("qemu", "linux", "head")
_SPDK_POLL = Design("spdk-poll", "linux", "never")
_FREED_KICKS: dict[str, Choice] = {"kick_on_remit": YES, "kick_on_post": YES, "kick_on_reserve": YES}
_KICKS = Design("arm-recheck", "linux", "arm-on-cork")
_TSO: dict[str, Choice] = {"memory": "tso"}
_DEVICE_WITHOUT_EVENT = "The device writes the shadows as it is configured, and leaves EventIdx alone."
_DEVICE_AT_HAND = "Memory is x86-TSO. The device is one that needs this barrier and no other; others are in memory.md."

BUGS = (
    Bug(
        "propolis-1026",
        "CQ EventIdx is the tail. A guest that drains a full CQ never passes it and rings no doorbell, and a doorbell "
        "is all that wakes the SQ that was corked meanwhile.",
        "https://github.com/oxidecomputer/propolis/pull/1026, of https://github.com/oxidecomputer/propolis/issues/1008",
        "EventIdx stays one behind the tail (e25e56ee).",
        Shown(Design("propolis-2025", "linux", "tail"), "uncorked", Design("propolis-2026", "linux", "tail-lag"), _ONE),
    ),
    Bug(
        "qemu-7.1",
        "CQ EventIdx is never written. Guests on riscv64 hang as they boot: a completion finds the CQ full and waits "
        "for a doorbell that no guest has a reason to ring.",
        "https://gitlab.com/qemu-project/qemu/-/commit/fa5db2aa168b",
        "The head as last read is written to EventIdx before each attempt to post, and then the shadow is read.",
        Shown(Design("qemu-7.1", "linux", "never"), "drains", _QEMU, _ONE_AND_TWO),
    ),
    Bug(
        "qemu-review-2022",
        "Asked in the review of QEMU's doorbell buffer: if the tail is not read again after SQ EventIdx is written, a "
        "guest may move it before it could see EventIdx, and stay silent, and the device sleeps.",
        "qemu-devel, June 2022: hw/nvme: Implement shadow doorbell buffer support",
        "The tail is read again after EventIdx is written, as QEMU does.",
        Shown(
            Design("qemu", "linux", "head", {"sq_reread": "no"}),
            "uncorked",
            _QEMU,
            _ONE_AND_TWO,
            "Entries that the device knows of are taken before the shadow is read again: a device that reads it before "
            "every entry looks again without meaning to, and is live.",
        ),
    ),
    Bug(
        "qemu-suppress-db",
        "A proposal for QEMU left SQ EventIdx alone while the device polled. It falls behind, is passed once, and then "
        "lies behind every move of the tail for a lap.",
        "qemu-devel, the suppress_db proposal for hw/nvme",
        "It was turned down: EventIdx is written after each command.",
        Shown(Design("qemu-suppress-db", "linux", "head"), "uncorked", _QEMU, _ONE_AND_TWO),
    ),
    Bug(
        "openvmm-1582",
        "SQ EventIdx moved by one for each command, with no fence and no second look; CQ EventIdx was not written in a "
        "CQ of any usual size. The PR speaks of the two copies of a doorbell, in register and shadow, which drift "
        "apart, and of no hang; that a full CQ is never heard of again is found here.",
        "https://github.com/microsoft/openvmm/pull/1582",
        "Written anew: it arms only where there is nothing to do, then fence, then another look (94889cae).",
        Shown(
            Design("openvmm-2024", "linux", "never"),
            "uncorked",
            Design("openvmm", "linux", "head-when-full"),
            _ONE,
            "The CQ has more than 10 entries, and so EventIdx is not written; here small ones stand for it. What the "
            "missing fence does is another matter: device-fence. A task had one SQ and one CQ then.",
        ),
    ),
    Bug(
        "spdk-4bcab9fb",
        "When the CQ had room again the wrong queue was kicked, and the SQ that waited slept on.",
        "https://github.com/spdk/spdk/commit/4bcab9fb",
        "The SQ that waits is kicked.",
        Shown(
            Design("arm-recheck", "linux", "arm-on-cork", {"kick_whom": "same-number"}),
            "uncorked",
            _KICKS,
            ((2, 2, 2),),
            "The wrong queue is the SQ that has the CQ's number; shown on a device that kicks at every chance, so that "
            "whom it kicks is all that is wrong.",
        ),
    ),
    Bug(
        "spdk-6e1d0b50",
        "A command was taken if the CQ had room when it was taken, whatever else was in flight: more completions than "
        "the CQ has slots. SPDK refuses to post to a full CQ, so that nothing is written over: the completion is lost.",
        "https://github.com/spdk/spdk/commit/6e1d0b50",
        "Commands in flight are counted.",
        Shown(
            Design("spdk-poll", "linux", "never", {"cq_full": "ignore-in-flight"}), "safety", _SPDK_POLL, _ONE_AND_TWO
        ),
    ),
    Bug(
        "propolis-972",
        "A notification takes the bits of all the workers that sleep, and wakes as many as it knows entries. The bits "
        "of the others are lost, and no notification finds these workers again: reported is that of 8 workers, with 15 "
        "SQs, one does all the work. Nothing hangs as long as commands complete, since the one that was woken looks "
        "again.",
        "https://github.com/oxidecomputer/propolis/issues/972 and https://github.com/oxidecomputer/propolis/pull/973",
        "Only workers that sleep are counted, and bits of those that are not woken are put back (973).",
        Shown(
            Design("propolis-2026", "linux", "tail-lag", {"workers": 2, "idle_bits": "dropped"}),
            "safety",
            Design("propolis-2026", "linux", "tail-lag", {"workers": 2, "idle_bits": "returned"}),
            ((1, 3, 3),),
            "Two workers serve one SQ, and at first both sleep with their bits set. Where workers serve every SQ they "
            "have a bit for each, and lose it for one. CQ EventIdx is that of later, so that the bits are all that is "
            "wrong.",
        ),
    ),
    Bug(
        "qemu-2388",
        "A guest that goes by the SQ head in its completions may have more commands in flight than QEMU has requests "
        "for an SQ, and then QEMU stops looking at it. A request that comes back has nobody look again: only an SQ "
        "doorbell does, or a CQ doorbell that finds the CQ full. It was found with OSv.",
        "https://gitlab.com/qemu-project/qemu/-/issues/2388",
        "A request that comes back to an empty pool has the SQ looked at, if QEMU knows of entries; a CQ doorbell has "
        "it no more (9529aa6b).",
        Shown(
            Design("qemu", "linux", "head", {"pool": 1, "on_request": "nothing"}),
            "uncorked",
            Design("qemu", "linux", "head", {"pool": 1}),
            _ONE,
            "QEMU has as many requests as the SQ has entries. No guest here has more commands in flight than that: a "
            "smaller pool stands for it.",
        ),
    ),
    Bug(
        "linux-2018",
        "The driver's store of the shadow and its load of EventIdx could be seen in the other order.",
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
        "The same in SPDK's driver.",
        "https://github.com/spdk/spdk/commit/7188bb99",
        "The same.",
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
        "The same from the other side: a device's store of EventIdx and its next load of the shadow. That it can hang "
        "is found here, and not in the PR's description.",
        "OpenVMM before #1582, https://github.com/microsoft/openvmm/pull/1582",
        "A full fence between the two.",
        Shown(
            Design("arm-recheck", "linux", "arm-on-cork", {**_TSO, "device_fence_cq": NO}),
            "uncorked",
            Design("arm-recheck", "linux", "arm-on-cork", _TSO),
            _ONE,
            "Memory is x86-TSO. Shown at CQ EventIdx, on a device that arms before it corks as OpenVMM does: the load "
            "that follows is its last before the SQ sleeps. Which fences other devices need is in memory.md.",
        ),
    ),
    Bug(
        "spdk-2410",
        "A virtual machine is migrated in interrupt mode, and a request gets stuck: a doorbell came in as the queues "
        "were not looked at. It is not about shadow doorbells, as the reporter says.",
        "https://github.com/spdk/spdk/issues/2410",
        "The device kicks itself as it is resumed, and looks at every SQ.",
        Shown(
            Design(
                "spdk-interrupt",
                "linux",
                "never",
                {"doorbell_buffer": "off", "events": "pause", "on_resume": "forget-notified"},
            ),
            "uncorked",
            Design("spdk-interrupt", "linux", "never", {"doorbell_buffer": "off", "events": "pause"}),
            _ONE_AND_TWO,
            "What is lost is that a doorbell came; the index that it carried is known.",
        ),
    ),
    Bug(
        "linux-58847f12",
        "After a controller reset the queues begin at 0 again, and EventIdx is that of before: the first submit is "
        "silent.",
        "https://git.kernel.org/torvalds/c/58847f12fe7823c56f844218abcca6920901097d",
        "The driver clears both words as it resets the controller, since Linux 5.16.",
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
        "SPDK's driver deletes a queue pair and creates it again with the same number, and no reset between, on Google "
        "Cloud's device: I/O hangs, or completions come that nobody waits for. The issue is open, and suspects the "
        "device; that words of before may do the first, on a device that writes the shadow only, is found here.",
        "https://github.com/spdk/spdk/issues/1795",
        "A device that writes EventIdx too as it creates a queue does not care what was there.",
        Shown(
            Design(
                "arm-recheck",
                "spdk",
                "arm-on-cork",
                {"events": "delete+create", "words": "keep", "on_create": "shadow"},
            ),
            "uncorked",
            Design("arm-recheck", "spdk", "arm-on-cork", {"events": "delete+create", "words": "keep"}),
            _ONE,
            "What the device does is not known: one stands for it of which nothing else goes wrong.",
        ),
    ),
    Bug(
        "config-at-nonzero",
        "A doorbell buffer is configured while queues stand at an index that is not 0, and EventIdx is 0: the first "
        "submit is lost. That is read from the source of both devices, and not from a report.",
        "QEMU hw/nvme/ctrl.c: nvme_dbbuf_config; Propolis lib/propolis/src/hw/nvme/queue.rs: set_db_buf",
        "EventIdx is written as the buffer is configured.",
        Shown(
            Design("qemu", "linux", "head", {"events": "config"}),
            "uncorked",
            Design("qemu", "linux", "head", {"events": "config", "on_config": "both"}),
            _ONE_AND_TWO,
            "The guest configures its buffer after it has used its queues; Linux does so before.",
        ),
    ),
    Bug(
        "openvmm-reset",
        "After a reset the device still uses the doorbell buffer of before. Reported is that it writes zeros to pages "
        "that a booting guest has for something else by then, and crashes it; that it goes by what it finds in them, "
        "and sleeps, is found here.",
        "https://github.com/microsoft/openvmm/pull/4080 (closed), https://github.com/microsoft/openvmm/pull/3915 "
        "(open), https://github.com/microsoft/openvmm/pull/4011",
        "It goes back to memory of its own: DoorbellMemory::reset (4011).",
        Shown(
            Design("openvmm", "linux", "head-when-full", {"events": "reset", "on_reset": "keep"}),
            "uncorked",
            Design("openvmm", "linux", "head-when-full", {"events": "reset"}),
            _ONE_AND_TWO,
            "What is in those pages stays what it was. OpenVMM stores the value of a doorbell there too, and finds it, "
            "unless the guest uses them for something else. What the device does to them is another matter.",
        ),
    ),
    Bug(
        "openvmm-cached",
        "The device remembers that EventIdx is armed, and memory says otherwise after the queue was created: 0 is "
        "written to the doorbell and remembered of EventIdx, which is not written. Read from the source, and not "
        "reported.",
        "OpenVMM vm/devices/storage/nvme/src/queue.rs since #1582: DoorbellMemory::write, DoorbellState::probe_inner",
        "EventIdx would have to be written.",
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
        "An SQ is deleted with commands in flight, whose permits are abandoned: the CQ is smaller for ever. Reported "
        "is a panic as a reset drops permits (issue 975). Since 983 they are abandoned, which is right at a reset, as "
        "the CQ goes too; that they are lost where only the SQ goes is read from the source after that.",
        "https://github.com/oxidecomputer/propolis/pull/983; Propolis lib/propolis/src: QueueMinder::destroy, "
        "Permit::abandon",
        "They would have to be returned: nothing in the source that was read does so.",
        Shown(
            Design("arm-recheck", "linux", "arm-on-cork", {"events": "delete+create", "on_delete": "abandon"}),
            "uncorked",
            Design("arm-recheck", "linux", "arm-on-cork", {"events": "delete+create"}),
            ((2, 2, 2),),
            "Shown on a device with every kick, so that the permits are all that is wrong; those that are returned "
            "kick too, or an SQ that is corked on them sleeps on.",
        ),
    ),
    Bug(
        "propolis-1043",
        "A worry: a second SQ is pointed at a CQ whose EventIdx has already used the room that is reserved for one.",
        "https://github.com/oxidecomputer/propolis/issues/1043",
        "It is so for head + (size - n), which for one SQ is the tail; head + (capacity - n) stops before the tail for "
        "any number of SQs, and a second one finds it there.",
        Shown(
            Design("propolis-2026", "linux", "reserve-slots-size", {"events": "create", **_FREED_KICKS}),
            "uncorked",
            Design("propolis-2026", "linux", "reserve-slots", {"events": "create", **_FREED_KICKS}),
            ((2, 2, 2),),
            "The device kicks wherever room is seen or given back: without that several SQs hang under any EventIdx. "
            "With two SQs from the beginning the variant is live.",
        ),
    ),
    Bug(
        "linux-06c59d42",
        "After a reset the queues went on before the doorbell buffer was configured anew: the driver went by the "
        "shadow while the device did not know of it, left doorbells out, and requests timed out.",
        "https://git.kernel.org/torvalds/c/06c59d427017fcde3107c236177fcc74c9db7909",
        "It is configured before they go on, since Linux 6.8.",
        needs="a guest that goes by its doorbell buffer before the device knows of it",
    ),
    Bug(
        "qemu-2388-v1",
        "The first version of the fix of qemu-2388 had a CQ doorbell that finds the CQ full post nothing more, and "
        "hung.",
        "qemu-devel, October 2024: hw/nvme: fix handling of over-committed queues",
        "The second version has it post again, as it did before.",
        needs="a CQ doorbell that leaves completions that queue alone",
    ),
    Bug(
        "openvmm-3474",
        "A completion that found the CQ full, and was posted later, was not taken off the number of its SQ's commands "
        "under way. Each cost one of 8 places; after 8 the SQ was never looked at again, nor was its deletion over.",
        "https://github.com/microsoft/openvmm/pull/3474",
        "They are counted right (test_full_cq_does_not_leak_io_count).",
        needs="requests that are lost as a completion waits for room",
    ),
    Bug(
        "propolis-981",
        "A device that was migrated is not enabled again, and refuses every doorbell.",
        "https://github.com/oxidecomputer/propolis/issues/981 and https://github.com/oxidecomputer/propolis/pull/1156",
        "Both are open.",
        needs="a device that refuses doorbells",
    ),
)
"""The bugs, those first that are shown."""
