"""Queues come and go: what each event does to a verdict, what devices do about it, and the bound on all of it."""

from __future__ import annotations

import re

import pytest
from budgets import spread
from pages.sheets import SHEETS, Sheet
from plainly import both
from repository import ROOT
from uncork.command.selection import fitting
from uncork.core.evaluate import holds
from uncork.core.trace import Trace
from uncork.core.verdict import Refuted
from uncork.decide import many
from uncork.decide.gate import judge
from uncork.museum import check as museum
from uncork.render import story
from uncork_nvme.choices import ABOUT_EVENTS, ChoiceError, Choices, describe
from uncork_nvme.instance import from_name
from uncork_properties import expected

DOCS = ROOT / "docs"
OURS = "arm-recheck/linux/arm-on-cork"
OPENVMM = "openvmm/linux/head-when-full"
PROPOLIS = "propolis-2026/linux/tail-lag"
QEMU = "qemu/linux/head"
POLLS = "spdk-poll/linux/never"
TWICE = "delete+create+delete+create"

DECIDES = {
    # permits of commands whose SQ is gone: lost, given back in silence, given back with a kick
    f"{OURS}/n1-sq3-cq3/events=delete": "live",
    f"{OURS}/n1-sq3-cq3/events=delete,on_delete=abandon": "unsafe",
    f"{OURS}/n2-sq2-cq2/events=delete,kick_on_release=no": "hangs",
    f"{OURS}/n1-sq2-cq2/events={TWICE}": "live",
    f"{OURS}/n1-sq3-cq3/events=delete,on_delete=late": "unsafe",
    # an SQ that is served some time after it exists, and what comes before
    f"{OURS}/n2-sq2-cq2/events=create,activation=later": "hangs",
    f"{OURS}/n1-sq3-cq3/events=pause,on_resume=keep,activation=later": "hangs",
    f"{OURS}/n1-sq3-cq3/events=pause,on_resume=keep,activation=later-look": "live",
    # words of before: the shadow is taken for entries, EventIdx is never passed
    f"{OURS}/n1-sq3-cq3/events=delete+create,words=keep": "live",
    f"{OURS}/n1-sq3-cq3/events=delete+create,words=keep,on_create=shadow": "hangs",
    f"{OURS}/n1-sq3-cq3/events=delete+create,words=keep,on_create=neither": "unsafe",
    f"{OURS}/n1-sq3-cq3/events=delete+create,on_create=neither": "live",
    f"{OURS}/n1-sq3-cq3/events=restart,words=keep": "live",
    f"{OURS}/n1-sq3-cq3/events=restart,words=keep,on_config=shadow": "hangs",
    # the buffer configured while it is not 0, and given up
    f"{OURS}/n1-sq3-cq3/events=config,on_config=shadow": "hangs",
    f"{OURS}/n1-sq3-cq3/events=reset,on_reset=keep": "unsafe",
    f"{OURS}/n1-sq2-cq2/events=reset+config+delete+create+pause": "live",
    f"{OPENVMM}/n1-sq2-cq2/events=reset,on_reset=keep": "unsafe",
    f"{OPENVMM}/n1-sq2-cq2/events=reset": "live",
    # one side goes by the buffer: it was refused, or forgotten; and the words of either are of no use to the other
    f"{QEMU}/n1-sq2-cq2/events=config,used_by=guest": "hangs",
    f"{QEMU}/n1-sq2-cq2/events=config+create+delete+pause,used_by=device,on_doorbell=store": "live",
    f"{QEMU}/n1-sq2-cq2/events=restart+recreate,used_by=device,on_doorbell=store,on_create=shadow": "live",
    f"{QEMU}/n1-sq2-cq2/events=restart,used_by=device": "hangs",
    f"{QEMU}/n1-sq2-cq2/events=reset,after_reset=follow": "hangs",
    f"{QEMU}/n1-sq2-cq2/events=reset+config,after_reset=follow": "hangs",
    f"{OURS}/n1-sq2-cq2/events=reset+config,after_reset=follow": "hangs",
    # all queues begin anew without a reset: what the device remembers of the old CQ, and what its words hold
    f"{OURS}/n1-sq3-cq3/events=recreate,words=keep": "live",
    f"{OURS}/n1-sq3-cq3/events=recreate,words=keep,on_create=shadow": "hangs",
    f"{QEMU}/n1-sq3-cq3/events=recreate": "live",
    f"{QEMU}/n1-sq2-cq2/events=recreate,words=keep": "unsafe",
    f"{POLLS}/n1-sq3-cq3/events=recreate,on_create=neither,words=keep": "unsafe",
    f"{POLLS}/n1-sq3-cq3/events=recreate,cq_begins=at-old-head": "live",
    f"{POLLS}/n1-sq3-cq3/events=recreate,cq_begins=at-old-tail,doorbell_buffer=off": "unsafe",
    f"{OPENVMM}/n1-sq2-cq2/events=recreate": "live",
    f"{OPENVMM}/n1-sq2-cq2/events=recreate,words=keep,look_on_change=yes": "hangs",
    f"{OPENVMM}/n1-sq2-cq2/events=recreate,words=keep,look_on_change=yes,sq_event_cache=no": "hangs",
    f"{OPENVMM}/n1-sq2-cq2/events=recreate,words=keep,look_on_change=yes,sq_event_cache=no,cq_event_cache=no": "live",
    # what a resumed device knows
    f"{PROPOLIS}/n1-sq3-cq3/events=pause,on_resume=keep": "live",
    f"{PROPOLIS}/n1-sq3-cq3/events=pause,on_resume=look": "live",
    f"{PROPOLIS}/n1-sq3-cq3/events=pause,on_resume=forget-corked": "hangs",
    f"{PROPOLIS}/n1-sq3-cq3/events=pause,on_resume=forget-notified": "hangs",
    f"{PROPOLIS}/n1-sq3-cq3/events=pause,on_resume=forget-looks": "hangs",
    "spdk-interrupt/linux/never/n1-sq3-cq3/events=pause": "live",
    "spdk-interrupt/linux/never/n1-sq3-cq3/events=pause,on_resume=forget-notified": "hangs",
    "spdk-interrupt/linux/never/n1-sq3-cq3/events=reset": "live",
    "spdk-interrupt/linux/never/n1-sq3-cq3/events=reset,on_reset=keep": "unsafe",
    # a cached EventIdx is as good as memory, as long as memory is what it was
    f"{OURS}/n1-sq3-cq3/events=delete+create,sq_event_cache=yes": "live",
    f"{OURS}/n1-sq3-cq3/events=delete+create,sq_event_cache=yes,words=keep,on_create=shadow": "hangs",
    # and a config makes it another thing, on either queue
    f"{OPENVMM}/n1-sq2-cq2/events=config": "hangs",
    f"{OPENVMM}/n1-sq3-cq3/events=config,sq_event_cache=no": "hangs",
    f"{OPENVMM}/n1-sq2-cq2/events=config,cq_event_cache=no": "hangs",
    f"{OPENVMM}/n1-sq3-cq3/events=config,sq_event_cache=no,cq_event_cache=no": "live",
}


def refutation(name: str) -> Trace:
    """The first run that refutes a property of the instance."""
    (checked,) = many.check([from_name(name)], museum.FIXED)
    return next(row.verdict.trace for row in checked.rows if isinstance(row.verdict, Refuted))


@pytest.mark.slow
@pytest.mark.parametrize("name", DECIDES)
def test_an_event_decides(name: str) -> None:
    (checked,) = many.check([from_name(name)], museum.FIXED)
    refuted = {row.property for row in checked.rows if isinstance(row.verdict, Refuted)}
    assert ("unsafe" if "safety" in refuted else "hangs" if refuted else "live") == DECIDES[name]


EVENTS = ("create", "delete", "delete+create", "config", "reset", "restart", "recreate", "pause")


@pytest.mark.slow
@pytest.mark.parametrize("name", spread([
    *(f"{design}/n1-sq2-cq2/events={events}" for design in (PROPOLIS, "qemu/linux/head") for events in EVENTS),
    f"{PROPOLIS}/n1-sq2-cq2/events=delete+create,on_create=neither,on_delete=return,words=keep",
    f"{PROPOLIS}/n1-sq2-cq2/events=reset+config,on_reset=keep",
    f"{PROPOLIS}/n1-sq2-cq2/events=delete,workers=2",
    "openvmm/linux/head-when-full/n1-sq2-cq2/events=delete+create,words=keep",
    "mmio/linux/tail/n1-sq2-cq2/events=delete+create,notify=stale-bits,on_delete=return,workers=2",
    f"{PROPOLIS}/n1-sq2-cq2/events=pause,activation=later",
    f"{OURS}/n1-sq2-cq2/events=delete+create,activation=later-look",
    "openvmm/linux/head-when-full/n1-sq2-cq2/events=reset,on_reset=keep",
    f"{QEMU}/n1-sq2-cq2/events=reset+config,after_reset=follow,words=keep",
    f"{QEMU}/n1-sq2-cq2/events=config+recreate,used_by=guest,words=keep",
    f"{PROPOLIS}/n1-sq2-cq2/events=recreate+config,used_by=device,on_doorbell=store,cq_begins=at-old-head",
], 3))  # fmt: skip
def test_two_engines_that_share_no_code_agree_on_queues_that_come_and_go(name: str) -> None:
    both(from_name(name))


def test_without_events_there_is_nothing_to_tell_them_by() -> None:
    plain = from_name(f"{PROPOLIS}/n2-sq2-cq2").system
    for name, values, _ in describe():
        for value in values[1:] if name in ABOUT_EVENTS else ():
            assert from_name(f"{PROPOLIS}/n2-sq2-cq2/{name}={value}").system.fingerprint() == plain.fingerprint()


def test_what_is_created_and_not_deleted_is_missing_at_first() -> None:
    def live(events: str) -> list[object]:
        initial = from_name(f"{PROPOLIS}/n3-sq2-cq2/events={events}").system.initial
        return [initial[f"sq{k}.live"] for k in range(3)]

    assert live("create") == [True, True, False]
    assert live("create+create") == [True, False, False]
    assert live("delete+create") == [True, True, True]


@pytest.mark.parametrize(("events", "complaint"), [
    ("creat", "events cannot be 'creat'"), ("create+none", "cannot be 'none'"), ("create+", "cannot be ''"),
])  # fmt: skip
def test_an_event_that_does_not_exist_is_refused(events: str, complaint: str) -> None:
    with pytest.raises(ChoiceError, match=complaint):
        Choices().replace({"events": events})


@pytest.mark.slow
@pytest.mark.parametrize(("name", "buffered"), [
    (f"{PROPOLIS}/n1-sq3-cq3/events=config", [False, True]),
    ("qemu/linux/head/n2-sq2-cq2/events=config", [False, True]),
    (f"{OURS}/n1-sq3-cq3/events=config,on_config=shadow", [False, True]),
    (f"{PROPOLIS}/n2-sq2-cq2/events=reset,kick_on_doorbell=no", [True]),
    ("mmio/linux/tail/n2-sq2-cq2", [False]),
])  # fmt: skip
def test_a_trace_tells_of_shadows_and_eventidx_where_there_is_a_doorbell_buffer(
    name: str, buffered: list[bool]
) -> None:
    instance = from_name(name)
    trace = refutation(name)
    seen: dict[bool, list[str]] = {}
    for line, state in zip(story.lines(instance.system, trace), trace.states, strict=False):
        used = instance.machine.buffered and holds(instance.machine.life.in_use, state)
        seen.setdefault(used, []).append(line.did)
    assert sorted(seen) == buffered
    for said in seen.get(False, []):
        assert not re.search(r"\bshadow (head|tail) \d|EventIdx (at )?\d", said), said
    assert any("shadow" in said for said in seen.get(True, ["shadow"]))


def test_after_a_reset_there_is_no_doorbell_buffer_to_tell_of() -> None:
    for on_reset, told in (("forget", "writes no EventIdx"), ("keep", "writes no EventIdx that the guest reads")):
        instance = from_name(f"{OURS}/n1-sq3-cq3/events=reset,on_reset={on_reset}")
        before, after = ({**instance.system.initial, "life.buffered": used} for used in (True, False))
        arm, due, read = (instance.system.action(a).told for a in ("arm_sq(SQ0)", "need_sq(SQ0)", "post_read(SQ0)"))
        assert arm.on(before) == "SQ EventIdx 0 -> 0" and arm.on(after) == f"no doorbell buffer: {told}"
        assert due.on(after) == "no doorbell buffer: must ring"
        assert read.on(after).startswith("reads shadow head 0" if on_reset == "keep" else "no shadow head to read")


def test_a_device_that_remembers_eventidx_does_not_tell_of_a_write_that_it_leaves_out() -> None:
    system = from_name(f"{OURS}/n1-sq3-cq3/events=delete+create,sq_event_cache=yes").system
    arm = system.action("arm_sq(SQ0)").told
    assert arm.on(system.initial) == "remembers SQ EventIdx as that already: writes nothing"
    assert arm.on({**system.initial, "sq0.head": 1}) == "SQ EventIdx 0 -> 1"


def test_what_does_not_go_together_is_left_out_and_says_why() -> None:
    asked = [from_name(f"{device}/linux/tail/n1-sq2-cq2/events=config") for device in ("mmio", "qemu")]
    fit, left_out = fitting(asked)
    assert [each.device for each in fit] == ["qemu"]
    assert left_out == ["mmio with linux: events=config configures a doorbell buffer: set doorbell_buffer=on"]
    with pytest.raises(ChoiceError, match="doorbell_buffer=on"):
        fitting(asked[:1])


@pytest.mark.slow
@pytest.mark.parametrize("most", [60_000, pytest.param(10**7, marks=pytest.mark.deep)])
@pytest.mark.parametrize("sheet", SHEETS, ids=[sheet.name for sheet in SHEETS])
def test_recorded_verdicts_of_sheets_are_what_is_found(sheet: Sheet, most: int) -> None:
    """One in nineteen of those that have so many states at most, or the two smallest; `make museum` takes them all."""
    sized = [(sheet.recorded[each.name][1].states or 10**7, each) for each in sheet.instances()]
    some = [each for states, each in sized if states <= most][::19]
    some = some if len(some) > 1 else [each for _, each in sorted(sized, key=lambda pair: pair[0])[:2]]
    assert len(some) > 1
    for checked in many.check(some):
        assert judge(checked, expected.recorded()[checked.instance.name][1]) == []
