"""Choices: a value decides whether a system is live, and values that do not go together are refused."""

from __future__ import annotations

import dataclasses

import pytest
from budgets import spread
from plainly import both
from uncork.core.verdict import Refuted
from uncork.decide import many
from uncork.engines import explicit
from uncork.museum import check as museum
from uncork_nvme.assembly import assembled
from uncork_nvme.catalogue import DEVICES
from uncork_nvme.choices import Choice, ChoiceError, Choices
from uncork_nvme.instance import from_name
from uncork_properties import matrix

SOUND = "arm-recheck/linux/arm-on-cork/n1-sq3-cq3"
BATCH = "nvmet-mdev-pci-batch/linux/head-when-full/n1-sq2-cq2"
DECIDES = {
    # SQ EventIdx: where the last look is, after the last arm, is what counts
    f"{SOUND}/sq_arm=idle": "live",
    f"{SOUND}/sq_arm=idle,sq_reread=no": "hangs",
    f"{SOUND}/sq_reread=no": "live",  # the look before the next entry is one after the arm
    f"{SOUND}/sq_reread=no,sq_read=wake,sq_event=tail": "hangs",
    f"{SOUND}/sq_event=tail,sq_read=wake": "live",
    f"{SOUND}/sq_event=tail-1": "hangs",
    f"{SOUND}/sq_arm=never": "hangs",
    # who polls needs none of it; nor any kick
    "propolis-2025/linux/never/n1-sq2-cq2": "hangs",
    "propolis-2025/linux/never/n1-sq2-cq2/poll=yes,kick_on_doorbell=no,sq_arm=never": "live",
    "propolis-2025/linux/never/n1-sq2-cq2/cork=self-kick,kick_on_doorbell=no": "live",
    # what is in flight counts, or the CQ overflows
    f"{SOUND}/backend=detached": "live",
    f"{SOUND}/backend=detached,cq_full=ignore-in-flight": "unsafe",
    # completions that queue hang for want of a CQ doorbell, and of nothing else
    "qemu/linux/head/n1-sq2-cq2": "live",
    "qemu/linux/tail/n1-sq2-cq2": "hangs",
    "qemu/linux/never/n1-sq2-cq2/doorbell_buffer=off": "live",
    # several SQs: whom a kick wakes, and whether one of them looks while another holds the last slot
    "mmio/linux/tail/n2-sq2-cq2/kick_on_remit=yes": "live",
    "spdk-poll/linux/never/n2-sq2-cq2": "live",
    "spdk-poll/linux/never/n2-sq2-cq2/threads=many": "hangs",
    # a worker that has run a command of one SQ looks at the other, which may wait for the slot that it gave back
    "mmio/linux/tail/n2-sq2-cq2": "hangs",
    "mmio/linux/tail/n2-sq2-cq2/serve=all": "live",
    "propolis-2026-shared/linux/tail-lag/n2-sq2-cq2": "hangs",
    # as many requests as there are commands are enough; or a CQ that every completion fills, whose doorbell looks
    "qemu-9.1/linux/head/n1-sq3-cq3/pool=2,on_request=nothing": "live",
    "qemu-9.1/linux/head/n1-sq3-cq2/pool=1,on_request=nothing,doorbell_buffer=off": "live",
    "qemu-9.1/linux/head/n1-sq3-cq3/pool=1,on_request=nothing,doorbell_buffer=off": "hangs",
    "qemu/linux/head/n1-sq3-cq2/pool=1,on_request=nothing,doorbell_buffer=off": "hangs",
    # who says "full" by the head that it finds, and a guest that says how far it is before it uses a slot again
    "spdk-poll/linux/never/n1-sq3-cq3/cq_full=ignore-in-flight": "unsafe",
    "spdk-poll/linux/never/n1-sq3-cq3/cq_full=ignore-in-flight,early_free=no": "live",
    "mmio/linux/tail/n1-sq3-cq3/backend=detached,cq_full=ignore-in-flight": "unsafe",
    "mmio/linux/tail/n1-sq3-cq3/backend=detached,cq_full=ignore-in-flight,early_free=no": "live",
    "usnvmemu/linux/never/n1-sq3-cq3": "unsafe",
    "usnvmemu/linux/never/n1-sq3-cq3/early_free=no": "live",
    "usnvmemu/linux/never/n1-sq3-cq2/early_free=no": "unsafe",
    "usnvmemu-remote/linux/never/n1-sq2-cq2/early_free=no": "live",
    "usnvmemu-remote/linux/never/n1-sq2-cq2/early_free=no,notify=dropped": "hangs",
    # locks that are let go between the first look and the second
    f"{SOUND}/cork_lock=let-go": "hangs",
    f"{SOUND}/cork_lock=let-go-permits": "live",
    # a completion that waits: for a doorbell that posts it, and with the request that it holds
    "qemu/linux/head/n1-sq2-cq2/on_full_doorbell=nothing": "hangs",
    "openvmm/linux/head-when-full/n1-sq3-cq2/pool=1": "live",
    "openvmm/linux/head-when-full/n1-sq3-cq2/pool=1,on_request=lose-waited": "hangs",
    # a handler that holds the lock that a look needs
    "mmio/linux/tail/n1-sq3-cq3/notify=kept,kick_delivery=held": "hangs",
    "mmio/linux/tail/n1-sq3-cq3/notify=kept,kick_delivery=deferred": "live",
    # poll groups
    "spdk-interrupt/linux/never/n2-sq2-cq2/doorbell_buffer=off,doorbell_wakes=first": "hangs",
    "spdk-interrupt/linux/never/n2-sq2-cq2/doorbell_buffer=off,doorbell_wakes=every": "live",
    # a guest that looks too early is heard only by a device that polls; and one that never tells its CQ head
    "propolis-2026/linux/tail-lag/n1-sq3-cq3/event_look=before": "hangs",
    "spdk-poll/linux/never/n1-sq3-cq3/event_look=before": "live",
    "qemu/mmio-only/head/n1-sq3-cq3/cq_head=kept": "hangs",
    # only one side goes by the words of the admin queues; and what a doorbell says is kept in the word, or is forgotten
    "qemu/linux/head/n1-sq3-cq3/used_by=device": "unsafe",
    "qemu/linux/head/n1-sq3-cq3/used_by=device,on_doorbell=store": "live",
    "qemu/linux/head/n1-sq3-cq3/used_by=guest": "hangs",
    "spdk-poll/linux/never/n1-sq3-cq3/used_by=guest": "hangs",
    # words in two byte orders: the device takes what was never published
    "qemu/linux/head/n1-sq2-cq2/byte_order=other": "unsafe",
    # an index that is read once more, written to EventIdx, and then trusted; and a poller that looks for changes only
    "nvmet-mdev-pci/linux/head-when-full/n1-sq2-cq2": "hangs",
    "nvmet-mdev-pci/linux/head-when-full/n1-sq2-cq2/poll=yes": "live",
    "nvmet-mdev-pci/linux/head-when-full/n1-sq2-cq2/sq_compare=head": "live",
    f"{BATCH}/poll=no": "hangs",
    f"{BATCH}/poll=no,sq_compare=head": "live",
    f"{BATCH}/poll=no,sq_compare=head,cq_compare=written": "hangs",
    f"{BATCH}/poll=no,sq_compare=head,post_order=read-then-arm": "hangs",
    # a notification that finds everybody awake is kept, or gone; the SQ's next look, or the CQ's doorbell, makes up
    f"{SOUND}/notify=kept,kick_delivery=at-once": "live",
    "propolis-2026/linux/tail-lag/n1-sq3-cq3/notify=lost-bits,workers=2": "unsafe",
    "propolis-2026/linux/tail-lag/n1-sq3-cq3/workers=2": "live",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", DECIDES)
def test_a_choice_decides(name: str) -> None:
    (checked,) = many.check([from_name(name)], museum.FIXED)
    refuted = {row.property for row in checked.rows if isinstance(row.verdict, Refuted)}
    assert ("unsafe" if "safety" in refuted else "hangs" if refuted else "live") == DECIDES[name]


WORKERS = [
    pytest.param("mmio/linux/tail/n2-sq2-cq2/serve=all", marks=pytest.mark.deep),
    "propolis-2026/linux/tail-lag/n1-sq2-cq2/notify=lost-bits,workers=2",
    "qemu/linux/head/n1-sq3-cq2/doorbell_buffer=off,pool=1",
    "qemu/mmio-only/head/n1-sq2-cq2/cq_head=kept",
    "spdk-interrupt/linux/never/n1-sq2-cq2/event_look=before",
    "mmio/linux/tail/n1-sq3-cq3/notify=kept,kick_delivery=held",
    "spdk-interrupt/linux/never/n2-sq2-cq2/doorbell_buffer=off,doorbell_wakes=first,threads=many",
    "arm-recheck/linux/arm-on-cork/n1-sq2-cq2/cork_lock=let-go",
]


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        *spread([f"{d}/linux/{DEVICES[d].policy}/n1-sq2-cq2" for d in sorted(set(DEVICES) - set(matrix.DEVICES))], 3),
        *WORKERS,
    ],
)
def test_two_engines_that_share_no_code_agree_on_every_device(name: str) -> None:
    both(from_name(name))


@pytest.mark.parametrize("name", ["propolis-2026/linux/tail-lag/n1-sq3-cq3", "mmio/linux/tail/n1-sq2-cq2/workers=2"])
def test_with_one_sq_it_is_the_same_whom_a_worker_serves(name: str) -> None:
    own = from_name(name)
    shared = dataclasses.replace(own, overrides={**own.overrides, "serve": "all"})
    one, other = (explicit.check(each.system, []) for each in (own, shared))
    assert (one.states, one.transitions, one.depth) == (other.states, other.transitions, other.depth)


def test_a_lost_bit_costs_a_worker_and_a_worker_turned_away_hangs_its_sq() -> None:
    (checked,) = many.check([from_name("propolis-2026/linux/tail-lag/n1-sq3-cq3/notify=lost-bits,workers=2")])
    refuted = {row.name for row in checked.rows if isinstance(row.verdict, Refuted)}
    assert refuted == {"no idle worker is forgotten (SQ0)", "uncorked SQ0", "drains SQ0", "progress SQ0"}


@pytest.mark.parametrize(
    ("values", "instead"),
    [
        ({"serve": "all", "threads": "one"}, "set threads=many"),
        ({"serve": "all", "poll": "yes"}, "set poll=no"),
        ({"serve": "all", "sq_read": "wake"}, "set sq_read=each"),
        ({"serve": "all", "events": "pause"}, "set events=none"),
        ({"notify": "spent"}, "kick_delivery=deferred only"),
        ({"notify": "lost-bits", "kick_delivery": "deferred"}, "set workers=2"),
        ({"notify": "lost-bits", "kick_delivery": "deferred", "workers": 2, "serve": "all"}, "serve=own only"),
        ({"notify": "lost-bits", "kick_delivery": "deferred", "workers": 2, "events": "pause"}, "events=none only"),
        ({"pool": 1}, "set cq_full=queue"),
        ({"sq_event": "tail-anew"}, "sq_arm=idle only"),
        ({"sq_compare": "written"}, "sq_event=tail-anew only"),
        ({"sq_last_look": "yes"}, "sq_event=tail-anew only"),
        ({"post_order": "read-arm-read"}, "cq_full=queue only"),
        ({"cq_compare": "written"}, "post_order=read-arm-read only"),
        ({"poll": "changed", "events": "pause"}, "events=none only"),
        ({"cork": "arm-recheck", "cork_lock": "let-go", "memory": "tso"}, "memory=sc only"),
        ({"kick_delivery": "held", "memory": "tso"}, "memory=sc only"),
        ({"kick_delivery": "held", "notify": "spent"}, "kick_delivery=deferred only"),
        ({"doorbell_wakes": "every", "kick_delivery": "deferred"}, "kick_delivery=at-once only"),
        ({"notify": "dealt", "kick_delivery": "deferred", "poll": "yes"}, "poll=no only"),
        ({"event_look": "before", "doorbell_buffer": "off"}, "doorbell_buffer=on only"),
        ({"cq_head": "kept", "drain": 1}, "drain=all only"),
        ({"events": "delete", "on_delete": "late", "cq_full": "ignore-in-flight"}, "cq_full=permits only"),
        ({"cq_full": "ignore", "pool": 1}, "set cq_full=queue"),
        ({"notify": "dropped", "kick_delivery": "deferred"}, "kick_delivery=at-once only"),
        ({"used_by": "guest", "doorbell_buffer": "off"}, "set doorbell_buffer=on"),
        ({"used_by": "device", "memory": "tso"}, "memory=sc only"),
        ({"byte_order": "other", "events": "config"}, "events=none only"),
        ({"byte_order": "other", "doorbell_buffer": "off"}, "doorbell_buffer=on only"),
    ],
)
def test_workers_and_requests_that_are_not_described_are_refused(values: dict[str, Choice], instead: str) -> None:
    with pytest.raises(ChoiceError, match=instead):
        assembled(Choices().replace(values))


def test_there_are_as_many_workers_as_sqs_to_deal_them_to() -> None:
    with pytest.raises(ChoiceError, match="set workers=2"):
        _ = from_name("propolis-2026/linux/tail-lag/n2-sq2-cq2/notify=dealt").machine


def test_completions_that_queue_come_from_elsewhere() -> None:
    with pytest.raises(ChoiceError, match="set backend to detached"):
        assembled(Choices().replace({"cq_full": "queue"}))
