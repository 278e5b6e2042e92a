"""The museum: what went wrong in real devices and drivers, each as a small variant of a machine, with what mended it.

A bug is shown by a variant that fails and a fix that does not, at the same sizes. Those that need what the machine does
not have are here too, with what they need: they are listed, and not claimed.
"""

from __future__ import annotations

from uncork.core.frozen import frozen

from uncork_nvme.choices import NO, YES, Choice
from uncork_nvme.instance import Design
from uncork_nvme.shape import Shape


@frozen
class Shown:
    """How a bug is shown: at each of the `shapes` the variant does not have the property, and the fix has all.

    `assumes` is what is taken to be so where the source leaves it open.
    """

    variant: Design
    refutes: str
    fix: Design
    shapes: tuple[Shape, ...]
    assumes: str = ""


@frozen
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


_ONE = (Shape(1, 3, 3), Shape(1, 4, 4))
_ONE_AND_TWO = (Shape(1, 3, 3), Shape(2, 2, 2))
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
        "CQ EventIdx is never written. Guests on riscv64 have requests time out as they boot: a CQ doorbell is left "
        "out (reported by Guenter Roeck). That a completion which finds the CQ full then waits for ever is found here; "
        "what was reported is rather an interrupt line that only a CQ doorbell takes down.",
        "https://gitlab.com/qemu-project/qemu/-/commit/fa5db2aa168b",
        "The head as last read is written to EventIdx before each attempt to post, and then the shadow is read (8.0.0, "
        "7.2.1).",
        Shown(Design("qemu-7.1", "linux", "never"), "drains", _QEMU, _ONE_AND_TWO),
    ),
    Bug(
        "qemu-review-2022",
        "Feared, and never in the code: if the tail is not read again after SQ EventIdx is written, a guest may move "
        "it before it could see EventIdx, and stay silent, and the device sleeps. John Levon asked it of QEMU's first "
        "patch, which read the tail again.",
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
        "A proposal for QEMU leaves SQ EventIdx alone while the device polls, and writes it as polling ends. By "
        "reading, it loses nothing, since QEMU's event loop polls once more after that. Shown is what this last look "
        "is for. It was turned down for the doorbells that it might cost.",
        "qemu-devel, August 2022: hw/nvme: add polling support (version 3, patch 4)",
        "The event loop looks once more after EventIdx is written (util/aio-posix.c: poll_set_started).",
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
        "An SQ that finds the CQ full kicks itself, to be looked at again. The kick was written to the socket of the "
        "vfio-user connection, and not to the poll group's eventfd: nobody looked, and 8 stray bytes went to the other "
        "side. Found and mended by John Levon.",
        "https://github.com/spdk/spdk/commit/4bcab9fb9b, of 23b518a013",
        "The eventfd is written.",
        Shown(
            Design("spdk-interrupt", "linux", "never", {"cork": "park"}),
            "uncorked",
            Design("spdk-interrupt", "linux", "never"),
            _ONE_AND_TWO,
            "With a doorbell buffer SPDK failed the controller a moment later, as it found entries that it could not "
            "take and thought that impossible, until 6e1d0b50c1; that is left out.",
        ),
    ),
    Bug(
        "spdk-6e1d0b50",
        "A command was taken if the CQ had room when it was taken, whatever else was in flight (23b518a013): more "
        "completions than the CQ has slots. SPDK reads the shadow head once more, refuses to post to a full CQ, and "
        "fails the controller.",
        "https://github.com/spdk/spdk/commit/6e1d0b50c1",
        "Commands in flight are counted.",
        Shown(
            Design("spdk-poll", "linux", "never", {"cq_full": "ignore-in-flight"}),
            "safety",
            _SPDK_POLL,
            _ONE_AND_TWO,
            "A guest that uses a command slot again before it has published the CQ head. With one SQ as large as the "
            "CQ, a guest that does not (early_free=no) is safe.",
        ),
    ),
    Bug(
        "linux-nvme-2026",
        "A device drops a completion that finds the CQ full. Linux uses a command slot again before it has rung the "
        "CQ doorbell, and so a command may complete into a full CQ, and hang. Seen by Junnan Zhang on an admin queue, "
        "with no doorbell buffer.",
        "linux-nvme, February 2026: nvme-pci: fix potential I/O hang when CQ is full",
        "The patch has Linux ring before it uses slots again. It was turned down: a full CQ is the device's to wait "
        "for.",
        Shown(
            Design("mmio", "linux", "tail", {"backend": "detached", "cq_full": "ignore-in-flight"}),
            "safety",
            Design("mmio", "linux", "tail", {"backend": "detached", "cq_full": "ignore-in-flight", "early_free": NO}),
            (Shape(1, 3, 3), Shape(1, 4, 4)),
            "The device is one that takes commands as long as the CQ has a slot.",
        ),
    ),
    Bug(
        "propolis-972",
        "A notification takes the bits of all the workers that sleep, and wakes as many as it knows entries. The bits "
        "of the others are lost: reported is that of 8 workers, with 15 SQs, one does all the work. And a worker that "
        "looks while the bit of another is set is turned away, and sleeps. That entries then wait for ever is found "
        "here.",
        "https://github.com/oxidecomputer/propolis/issues/972 and https://github.com/oxidecomputer/propolis/pull/973; "
        "lib/propolis/src/block/minder.rs before 4726609f: next_req, take_notifications",
        "Only workers that sleep are counted, bits of those that are not woken are put back, and nobody is turned away "
        "(4726609f).",
        Shown(
            Design("propolis-2026", "linux", "tail-lag", {"workers": 2, "notify": "lost-bits"}),
            "uncorked",
            Design("propolis-2026", "linux", "tail-lag", {"workers": 2}),
            (Shape(1, 3, 3),),
            "Two workers serve one SQ, and at first both sleep with their bits set. CQ EventIdx is that of later, so "
            "that the bits are all that is wrong.",
        ),
    ),
    Bug(
        "propolis-resume",
        "A worker that looks while the device is paused finds nothing and sleeps, and as the device is resumed in the "
        "same process, after a migration that failed, nobody looks. Entries that were published before and not taken "
        "wait for a doorbell; the guest has passed EventIdx, and rings no more. Found here, by reading; not reported.",
        "Propolis 372a5744: lib/propolis/src/block/minder.rs (next_req), attachment.rs (QueueCollection::resume, "
        "flush_notifications); bin/propolis-server/src/lib/migrate/source.rs",
        "Every SQ would have to be looked at as the device is resumed.",
        Shown(
            Design("propolis-2026", "linux", "tail-1", {"events": "pause"}),
            "uncorked",
            Design("propolis-2026", "linux", "tail-1", {"events": "pause", "on_resume": "look"}),
            _ONE,
            "The guest goes on while the device is paused, where Propolis stops it too. No doorbell of it is needed.",
        ),
    ),
    Bug(
        "qemu-2388",
        "A guest that goes by the SQ head in its completions may have more commands in flight than QEMU has requests "
        "for an SQ, and then QEMU stops looking at it. A request that comes back has nobody look again: only an SQ "
        "doorbell does, or a CQ doorbell that finds the CQ full. Found by Waldemar Kozaczuk, with OSv.",
        "https://gitlab.com/qemu-project/qemu/-/issues/2388",
        "A request that comes back to an empty pool has the SQ looked at, if QEMU knows of entries; a CQ doorbell has "
        "it no more (9529aa6b: 9.2.0, 9.1.2, 9.0.4, 7.2.15).",
        Shown(
            Design("qemu-9.1", "linux", "head", {"pool": 1, "on_request": "nothing"}),
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
        "The device kicks itself as each I/O queue is connected again, and looks at every SQ (eb0305e0e6). SPDK has no "
        "migration any more (6368bf4fc8, 2025).",
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
        "SPDK's driver deletes a queue pair and creates it again with the same number, and no reset between: I/O "
        "hangs, or completions come that nobody waits for. The words of before are still in the doorbell buffer. It "
        "was taken for a fault of Google Cloud's device at first.",
        "https://github.com/spdk/spdk/issues/1795",
        "The driver writes 0 to the shadow and EventIdx words of SQ and CQ as it deletes them (38736d993d).",
        Shown(
            Design(
                "arm-recheck",
                "spdk",
                "arm-on-cork",
                {"events": "delete+create", "words": "keep", "on_create": "shadow"},
            ),
            "uncorked",
            Design("arm-recheck", "spdk", "arm-on-cork", {"events": "delete+create", "on_create": "shadow"}),
            _ONE,
            "What the device does is not known: one stands for it that writes the shadow only, and of which nothing "
            "else goes wrong. The words of the CQ are left alone: it lives on.",
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
        "openvmm-config",
        "The doorbell buffer is configured while queues stand at an index that is not 0. The device writes the indices "
        "to EventIdx, but what it remembers of EventIdx stays what it was, 0: as the SQ comes to stand at 0 it thinks "
        "EventIdx says so, and writes nothing. The guest is silent. The same goes for a full CQ. Found here, by "
        "reading; not reported.",
        "OpenVMM 1488a37b vm/devices/storage/nvme/src/queue.rs: DoorbellMemory::replace_mem, "
        "DoorbellState::probe_inner",
        "What is remembered would have to follow, or EventIdx be written each time.",
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
        "openvmm-reset",
        "After a reset the device still uses the doorbell buffer of before, in pages that are the guest's again: it "
        "writes zeros there as queues are created, and EventIdx, and crashes a guest that boots again. It reads tails "
        "there too, each of which a doorbell has stored just before, so that by itself it does not hang.",
        "https://github.com/microsoft/openvmm/pull/4080 (closed), https://github.com/microsoft/openvmm/pull/3915 "
        "(open), https://github.com/microsoft/openvmm/pull/4011",
        "It goes back to memory of its own: DoorbellMemory::reset (4011, b6cd54439).",
        needs="pages that the guest uses for something else, and a device that stores a doorbell's value there",
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
            (Shape(2, 2, 2),),
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
            (Shape(2, 2, 2),),
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
        "A command to a namespace that is not there was taken off the number of its SQ's commands under way without "
        "being counted: reported is a panic. The first version of the mend forgot to count down completions that had "
        "waited for room: each cost one of 8 places, and after 8 the SQ was never looked at again. Review found it.",
        "https://github.com/microsoft/openvmm/pull/3474",
        "They are counted right (36711face, test_full_cq_does_not_leak_io_count).",
        needs="requests that are lost as a completion waits for room",
    ),
    Bug(
        "propolis-981",
        "A device that was migrated is not enabled again, and refuses every doorbell.",
        "https://github.com/oxidecomputer/propolis/issues/981 and https://github.com/oxidecomputer/propolis/pull/1156",
        "Both are open.",
        needs="a device that refuses doorbells",
    ),
    Bug(
        "propolis-1156",
        "A worker that is given another queue leaves its bit at the old one, and a notification there is spent on it. "
        "Seen after a migration, on the second queue.",
        "https://github.com/oxidecomputer/propolis/pull/1156",
        "The bits of all queues are cleared as workers are dealt anew (72bcc9d6; open).",
        needs="workers that are given another queue",
    ),
    Bug(
        "propolis-1080",
        "Two locks are taken in one order as a doorbell buffer is configured, and in the other by a look: a deadlock.",
        "https://github.com/oxidecomputer/propolis/pull/1080",
        "The look takes the lock of its SQ first (f99d237f).",
        needs="the locks of a device's memory accessors",
    ),
    Bug(
        "linux-0f0d2c87",
        "Configuring the doorbell buffer fails, and the driver goes by it all the same. SerenityOS's and SPDK's "
        "drivers do so today, by reading.",
        "https://git.kernel.org/torvalds/c/0f0d2c876c96d4908a9ef40959a44bec21bdd6cf",
        "The queues forget the buffer, since Linux 5.10.",
        needs="a guest that goes by its doorbell buffer and a device that knows of none",
    ),
    Bug(
        "linux-e8fd41bb",
        "The doorbell buffer was not configured again after a reset, which makes a device forget it; the driver went "
        "by it. Found by Maxim Levitsky, with nvme-mdev.",
        "https://git.kernel.org/torvalds/c/e8fd41bb3cf1",
        "It is configured after each reset, since Linux 5.2.",
        needs="a guest that goes by its doorbell buffer and a device that knows of none",
    ),
    Bug(
        "spdk-2147",
        "The target never reads the shadow words of the admin queue, and the drivers of SPDK and Linux never write "
        "them. A guest that does, as libvfn, and leaves doorbells out, is not heard.",
        "https://github.com/spdk/spdk/issues/2147",
        "Open.",
        needs="a buffer that guest and device use for other queues",
    ),
    Bug(
        "qemu-ea3c76f1",
        "On a host of the other byte order the shadow words were written as the host has them: indices that no queue "
        "has.",
        "https://gitlab.com/qemu-project/qemu/-/commit/ea3c76f1494d",
        "They are converted (8.1.0).",
        needs="an index outside the ring",
    ),
)
"""The bugs, those first that are shown."""
