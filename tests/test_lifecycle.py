"""Queues come and go: what each event does to a verdict, what devices do about it, and the bound on all of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from plainly import both
from uncork import museum, runner
from uncork.core.verdict import Refuted
from uncork.selection import fitting
from uncork_nvme.choices import ABOUT_EVENTS, ChoiceError, Choices, describe
from uncork_nvme.instance import from_name
from uncork_properties import expected
from uncork_properties.sheets import SHEETS, Sheet

DOCS = Path(__file__).parent.parent / "docs"
OURS = "arm-recheck/linux/arm-on-cork"
PROPOLIS = "propolis-2026/linux/tail-lag"
TWICE = "delete+create+delete+create"

DECIDES = {
    # permits of commands whose SQ is gone: lost, given back in silence, given back with a kick
    f"{OURS}/n1-sq3-cq3/events=delete": "live",
    f"{OURS}/n1-sq3-cq3/events=delete,on_delete=abandon": "unsafe",
    f"{OURS}/n2-sq2-cq2/events=delete,kick_on_release=no": "hangs",
    f"{OURS}/n1-sq2-cq2/events={TWICE}": "live",
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
    # what a resumed device knows
    f"{PROPOLIS}/n1-sq3-cq3/events=pause,on_resume=keep": "live",
    f"{PROPOLIS}/n1-sq3-cq3/events=pause,on_resume=look": "live",
    f"{PROPOLIS}/n1-sq3-cq3/events=pause,on_resume=forget-corked": "hangs",
    f"{PROPOLIS}/n1-sq3-cq3/events=pause,on_resume=forget-notified": "hangs",
    # a cached EventIdx is as good as memory, as long as memory is what it was
    f"{OURS}/n1-sq3-cq3/events=delete+create,sq_event_cache=yes": "live",
    f"{OURS}/n1-sq3-cq3/events=delete+create,sq_event_cache=yes,words=keep,on_create=shadow": "hangs",
}


@pytest.mark.parametrize("name", DECIDES)
def test_an_event_decides(name: str) -> None:
    (checked,) = runner.check([from_name(name)], museum.FIXED)
    refuted = {row.property for row in checked.rows if isinstance(row.verdict, Refuted)}
    assert ("unsafe" if "safety" in refuted else "hangs" if refuted else "live") == DECIDES[name]


EVENTS = ("create", "delete", "delete+create", "config", "reset", "restart", "pause")


@pytest.mark.parametrize("name", [
    *(f"{design}/n1-sq2-cq2/events={events}" for design in (PROPOLIS, "qemu/linux/head") for events in EVENTS),
    f"{PROPOLIS}/n1-sq2-cq2/events=delete+create,on_create=neither,on_delete=return,words=keep",
    f"{PROPOLIS}/n1-sq2-cq2/events=reset+config,on_reset=keep",
    f"{PROPOLIS}/n1-sq2-cq2/events=delete,workers=2",
    "openvmm/linux/head-when-full/n1-sq2-cq2/events=delete+create,words=keep",
])  # fmt: skip
def test_two_engines_that_share_no_code_agree(name: str) -> None:
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
def test_an_event_that_does_not_exist(events: str, complaint: str) -> None:
    with pytest.raises(ChoiceError, match=complaint):
        Choices().replace({"events": events})


def test_what_does_not_go_together_is_left_out_and_says_why() -> None:
    asked = [from_name(f"{device}/linux/tail/n1-sq2-cq2/events=config") for device in ("mmio", "qemu")]
    fit, left_out = fitting(asked)
    assert [each.device for each in fit] == ["qemu"]
    assert left_out == ["mmio with linux: events=config configures a doorbell buffer: set doorbell_buffer=on"]
    with pytest.raises(ChoiceError, match="doorbell_buffer=on"):
        fitting(asked[:1])


@pytest.mark.parametrize("sheet", SHEETS, ids=[sheet.name for sheet in SHEETS])
def test_a_page_shows_what_is_recorded(sheet: Sheet) -> None:
    page = (DOCS / sheet.page).read_text()
    assert sheet.updated(page) == page
    assert list(sheet.recorded) == [instance.name for instance in sheet.instances()]


@pytest.mark.slow
@pytest.mark.parametrize("sheet", SHEETS, ids=[sheet.name for sheet in SHEETS])
def test_what_is_recorded_is_what_is_found(sheet: Sheet) -> None:
    """One in three; `make museum` takes them all."""
    for checked in runner.check(list(sheet.instances())[::3]):
        assert museum.judge(checked, expected.recorded()[checked.instance.name][1]) == []
