"""The museum and the field: what went wrong is refuted, what mended it is proved, and the pages say so."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
from pathlib import Path

import pytest
from pages import museum as museum_pages
from plainly import both
from uncork.command.selection import Filters, select
from uncork.core.sorts import SlipError
from uncork.core.verdict import Refuted
from uncork.decide import many
from uncork.decide.exits import Exit
from uncork.decide.gate import judge
from uncork.engines import explicit
from uncork.museum import check as museum
from uncork.museum.check import Exhibit
from uncork.prove import proof
from uncork_nvme import museum as halls
from uncork_nvme.catalogue import DEVICES, GUESTS
from uncork_nvme.choices import ABOUT_EVENTS, Choice, ChoiceError, Choices, describe
from uncork_nvme.instance import Design, from_name
from uncork_nvme.policies import POLICIES
from uncork_properties import expected, matrix
from uncork_properties.catalogue import ROWS

DOCS = Path(__file__).parent.parent / "docs"
SHOWN = [bug for bug in halls.BUGS if bug.shown]


@pytest.fixture(scope="module", params=[3, pytest.param(1, marks=pytest.mark.deep)], ids=["one in three", "all"])
def exhibits(request: pytest.FixtureRequest) -> list[Exhibit]:
    some = SHOWN[:: request.param]
    found = list(museum.check(some))
    assert [each.bug for each in found] == some
    return found


@pytest.mark.slow
def test_every_variant_is_refuted_and_every_fix_is_proved(exhibits: list[Exhibit]) -> None:
    assert [finding for each in exhibits for finding in each.findings] == []


@pytest.mark.slow
def test_the_page_shows_what_is_found(exhibits: list[Exhibit]) -> None:
    shown, made = (DOCS / "museum.md").read_text(), museum_pages.page(exhibits)
    assert not set(made.splitlines()) - set(shown.splitlines())
    heads = [*(bug.name for bug in SHOWN), "Bugs that the machine cannot show"]
    assert re.findall(r"^## (.*)", shown, re.MULTILINE) == heads
    assert len(exhibits) < len(SHOWN) or made == shown


def test_every_bug_that_is_shown_goes_wrong_in_one_way() -> None:
    named = [name for names in museum_pages.KINDS.values() for name in names]
    assert sorted(named) == sorted(bug.name for bug in SHOWN)


def test_a_fix_that_does_not_mend_and_a_variant_that_does_not_fail_are_found() -> None:
    good, bad = Design("qemu", "linux", "head"), Design("qemu-7.1", "linux", "never")
    shown = halls.Shown(good, "drains", bad, ((1, 2, 2),))
    (swapped,) = museum.check([halls.Bug("swapped", "", "", "", shown)])
    assert {finding.exit for finding in swapped.findings} == {Exit.CHANGED, Exit.LIVENESS}


def test_a_bug_is_shown_or_says_what_it_needs() -> None:
    for bug in halls.BUGS:
        assert bool(bug.shown) != bool(bug.needs), bug.name
        assert bug.happened and bug.where and bug.mended
        assert bug.shown is None or bug.shown.refutes in ROWS


@pytest.mark.slow
def test_the_field_page_shows_what_is_recorded() -> None:
    assert museum_pages.field_page(museum_pages.known()) == (DOCS / "field.md").read_text()
    assert list(expected.default("field.csv")) == [instance.name for instance in matrix.field()]


@pytest.mark.slow
@pytest.mark.parametrize("one_in", [5, pytest.param(1, marks=pytest.mark.deep)])
def test_what_is_recorded_of_the_field_is_what_is_found(one_in: int) -> None:
    """Some of it; `make museum` takes it all."""
    recorded = expected.default("field.csv")
    for checked in many.check([instance for instance, _ in recorded.values()][::one_in]):
        assert judge(checked, recorded[checked.instance.name][1]) == []


def test_what_is_in_the_default_matrix_is_in_the_catalogue() -> None:
    assert set(matrix.DEVICES) < set(DEVICES)
    assert set(matrix.GUESTS) < set(GUESTS)
    assert set(matrix.POLICIES) < set(POLICIES)


def test_all_devices_and_guests_are_the_field() -> None:
    asked = Filters(devices=["all"], guests=["all"], sqs=[1], sq_sizes=[3], cq_sizes=[3])
    names = {each.name for each in select(asked) if each.device not in matrix.DEVICES}
    assert names == {name for name in expected.default("field.csv") if name.split("/")[0] not in matrix.DEVICES
                     and name.endswith("n1-sq3-cq3")}  # fmt: skip


@pytest.mark.slow
def test_the_command_tells_what_is_shown_and_what_is_not() -> None:
    command = [sys.executable, "-m", "uncork", "museum", "spdk-6e1d0b50", "linux-06c59d42"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "safety refuted 15+0" in done.stdout
    assert "linux-06c59d42: not shown, needs a guest" in done.stdout


# -- each choice, where it decides -------------------------------------------------------------------------------------
SOUND = "arm-recheck/linux/arm-on-cork/n1-sq3-cq3"
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
]


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [f"{d}/linux/{DEVICES[d].policy}/n1-sq2-cq2" for d in sorted(set(DEVICES) - set(matrix.DEVICES))] + WORKERS
)
def test_two_engines_that_share_no_code_agree(name: str) -> None:
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
    ],
)
def test_workers_and_requests_that_are_not_described_are_refused(values: dict[str, Choice], instead: str) -> None:
    with pytest.raises(ChoiceError, match=instead):
        Choices().replace(values)


def test_completions_that_queue_come_from_elsewhere() -> None:
    with pytest.raises(ChoiceError, match="set backend to detached"):
        Choices().replace({"cq_full": "queue"})


# -- what is not proved for all sizes is refused -----------------------------------------------------------------------
SPOKEN_OF = {
    *("post_order", "backend", "workers", "doorbell_buffer", "early_free", "drain", "need_event", "submit_batch"),
    *("kick_on_doorbell", "kick_on_post", "kick_on_reserve", "kick_on_remit"),
    *("guest_fence", "device_fence_sq", "device_fence_cq", "kick_delivery"),
}
"""The choices of which the lemmas speak, whatever their value; of the others they know the values named below."""
KNOWN = {("cork", "arm-recheck"), ("notify", "spent")}
REFUSED = [
    (name, value) for name, values, _ in describe() if name not in {*SPOKEN_OF, *ABOUT_EVENTS, "pool"}
    for value in values[1:] if (name, value) not in KNOWN and " " not in value
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), REFUSED)
@pytest.mark.parametrize("several", [False, True])
def test_a_choice_that_no_lemma_speaks_of_is_refused(name: str, value: str, several: bool) -> None:
    parked = {"cork": "park"} if value == "hand-over" else {}
    chosen = {name: value, "backend": "detached", "workers": 2, **parked}
    design = Design("arm-recheck", "linux", "arm-on-cork", chosen)
    with pytest.raises(SlipError, match=f"{name}={value}"):
        proof._part(design, several, 2, lambda _: None)


def test_a_pool_without_queued_completions_is_refused() -> None:
    with pytest.raises(SlipError, match="is not proved for all sizes"):
        proof._part(Design("qemu", "linux", "head", {"pool": 1}), False, 2, lambda _: None)
