"""The model and a real QEMU: they agree, what is wrong does not, and QEMU never outlives us. Skipped without QEMU."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest
from commands import uncork
from repository import ROOT
from uncork.conform.campaign import Campaign, Setting, settings, variant
from uncork.conform.controls import CONTROLS, MOST, MOST_WRONG, WRONG, Control, Wrong, against
from uncork.conform.following import CQ_EVENT, LAID_OVER, Model
from uncork.conform.rig import linux, qtest
from uncork.conform.rig.controller import Controller
from uncork.conform.rig.driver import need_event
from uncork.conform.rig.probing import Probed, probe
from uncork.conform.shrink import shrunk
from uncork.core.questions.observed import Event
from uncork.core.sorts import Nat
from uncork.core.system import Fairness, Guarded, Record, System, step, var, when
from uncork.engines import unwatched
from uncork.engines.follow import Follower
from uncork.logs import qemu as qemu_logs
from uncork_nvme.catalogue import DEVICES
from uncork_nvme.choices import Choice
from uncork_nvme.shape import Shape

with_qemu = pytest.mark.skipif(shutil.which(qtest.PROGRAM) is None, reason="qemu-system-x86_64 is not installed")
SMALL = Setting("linux", Shape(1, 3, 3))


@pytest.fixture(scope="module")
def controller() -> Iterator[Controller]:
    with qtest.Qemu() as qemu:
        yield Controller(qemu)


@pytest.fixture(scope="module")
def base(controller: Controller) -> dict[str, Choice]:
    return variant(probe(controller))


# -- with QEMU ---------------------------------------------------------------------------------------------------------
@pytest.mark.slow
@with_qemu
def test_the_model_follows_qemu(controller: Controller, base: dict[str, Choice]) -> None:
    found = Campaign(controller, base).until_one_fails(settings(), 144, 1_000, unwatched)
    assert [each.failed for each in found if each.failed] == []
    checks = sum((Counter(each.checks) for each in found), Counter[str]())
    assert min(checks[name] for name in ("need_sq", "need_cq", "elide_cq", "consume", "ring_cq")) > 50


@with_qemu
def test_qemu_writes_on_creation_and_config_what_the_catalogue_says(controller: Controller) -> None:
    found, chosen = probe(controller), DEVICES["qemu"].choices
    assert (found.on_create, found.on_config) == (chosen["on_create"], chosen["on_config"])


@with_qemu
@pytest.mark.parametrize("control", [each for each in CONTROLS if not each.unseen], ids=lambda each: each.name)
def test_a_model_with_one_rule_changed_disagrees(
    controller: Controller, base: dict[str, Choice], control: Control
) -> None:
    campaign = Campaign(controller, against(control, base), policy=control.policy)
    (failed,) = (each for each in campaign.until_one_fails(settings(), MOST, 1, unwatched) if each.failed)
    assert failed.failed
    assert failed.failed.mismatch


@with_qemu
def test_a_schedule_that_fails_is_shrunk_as_far_as_it_goes(controller: Controller, base: dict[str, Choice]) -> None:
    campaign = Campaign(controller, base, policy="never")
    (found,) = campaign.until_one_fails([SMALL], 60, 1, unwatched)
    assert found.failed
    least = campaign.shrink(SMALL, found.failed)
    assert least.mismatch
    assert CQ_EVENT in least.mismatch.differs
    for left_out in range(len(least.moves)):
        moves = least.moves[:left_out] + least.moves[left_out + 1 :]
        assert not campaign.run(SMALL, least.seed, moves, winds_down=False).mismatch


@with_qemu
@pytest.mark.parametrize("wrong", [each for each in WRONG if not each.slips.stores_late], ids=lambda each: each.name)
def test_a_guest_that_breaks_the_rule_gets_stuck(controller: Controller, base: dict[str, Choice], wrong: Wrong) -> None:
    found = Campaign(controller, base, slips=wrong.slips, follows=False).until_one_fails(
        settings(), MOST_WRONG, 1, unwatched
    )
    assert any(each.failed and each.failed.stuck for each in found)


@pytest.mark.slow
@with_qemu
@pytest.mark.parametrize(
    ("policy", "guest", "hangs"),
    [("tail", "linux", True), ("never", "linux", True), ("tail", "spdk", False), ("tail-1", "linux", False)],
)
def test_a_policy_laid_over_hangs_the_real_queues_or_does_not(
    controller: Controller, base: dict[str, Choice], policy: str, guest: str, hangs: bool
) -> None:
    setting = Setting(guest, SMALL.shape)
    (found,) = Campaign(controller, base, overlay=policy).until_one_fails([setting], 40, 1, unwatched)
    assert bool(found.failed and found.failed.stuck) is hangs
    assert found.failed is None or found.failed.mismatch is None


@with_qemu
def test_what_is_laid_over_is_what_qemu_would_write(controller: Controller, base: dict[str, Choice]) -> None:
    """With QEMU's own policy laid over it, the guest is shown what QEMU wrote."""
    campaign = Campaign(controller, base, overlay="head")
    for seed in range(10):
        made = campaign.run(SMALL, seed)
        assert made.mismatch is None
        shown = [saw for saw in made.seen if LAID_OVER in saw]
        assert shown
        assert all(saw[LAID_OVER] == saw[CQ_EVENT] for saw in shown)


@with_qemu
def test_completions_come_while_the_guest_moves(controller: Controller, base: dict[str, Choice]) -> None:
    moves = ["submit SQ0 l", "check SQ0", "ring SQ0", "wait", "take"]
    for _ in range(20):  # another process may have kept us waiting as long as the command takes
        made = Campaign(controller, base).run(SMALL, 1, moves)
        assert (made.mismatch, made.stuck) == (None, 0)
        if made.seen[2]["CQEs"] == ("none",) * 3:
            break
    assert made.seen[2] == {"SQ0 EventIdx": 1, CQ_EVENT: 0, "CQEs": ("none",) * 3}
    assert made.seen[3]["CQEs"] == ("SQ0", "none", "none")


# -- the command -------------------------------------------------------------------------------------------------------
@pytest.mark.slow
@with_qemu
def test_a_mismatch_is_written_and_found_again(tmp_path: Path) -> None:
    first = uncork("conform", "qemu", "--policy", "tail", "--save", "run.json", cwd=tmp_path)
    assert first.returncode == 22, first.stderr
    assert "model shows" in first.stdout
    stored = json.loads((tmp_path / "run.json").read_text())
    assert stored["failure"]["kind"] == "mismatch"
    assert uncork("conform", "run.json", cwd=tmp_path).returncode == 22
    stored["moves"] = ["", "submit SQ0", "submit SQ7 r", "submit SQ0 x", *stored["moves"]]  # none of these can be made
    (tmp_path / "run.json").write_text(json.dumps(stored))
    assert uncork("conform", "run.json", cwd=tmp_path).returncode == 22
    stored["instance"] = stored["instance"].replace("/tail/", "/head/")
    (tmp_path / "run.json").write_text(json.dumps(stored))
    again = uncork("conform", "run.json", cwd=tmp_path)
    assert again.returncode == 0, again.stdout


@pytest.mark.slow
@with_qemu
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_qemu_never_outlives_us(how: signal.Signals) -> None:
    command = [sys.executable, "-m", "uncork", "conform", "qemu", "--schedules", "100000"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as ours:
        theirs = _child(ours.pid)
        time.sleep(0.5)
        ours.send_signal(how)
        _, said = ours.communicate(timeout=20)
    for _ in range(100):
        if not Path(f"/proc/{theirs}").exists():
            break
        time.sleep(0.05)
    assert not Path(f"/proc/{theirs}").exists()
    if how == signal.SIGINT:
        assert (ours.returncode, said.strip()) == (130, "interrupted")


def _child(pid: int) -> int:
    for _ in range(400):
        for children in Path(f"/proc/{pid}/task").glob("*/children"):
            for child in children.read_text().split():
                with contextlib.suppress(OSError):  # one that has just ended
                    if "-blockdev" in Path(f"/proc/{child}/cmdline").read_text():
                        return int(child)
        time.sleep(0.05)
    raise AssertionError("no QEMU was started")


@pytest.mark.parametrize(
    "args",
    [
        ["no-such.json"],
        ["qemu", "--shape", "n1-sq1-cq3"],
        ["qemu", "--guest", "linus"],
        ["qemu", "--guest", "mmio-only"],
        ["qemu", "--overlay", "tial"],
        ["qemu", "--overlay", "tail", "--policy", "head"],
        ["qemu", "--set", "events=delete"],
        ["qemu", "--shape", "n1-sq65-cq3"],
        [str(ROOT / "pyproject.toml")],
    ],
)
def test_conform_tells_of_bad_input_in_one_line(args: list[str]) -> None:
    done = uncork("conform", *args)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Error: ")
    assert len(done.stderr.splitlines()) == 1


def test_conform_without_qemu_is_skipped_with_a_line(tmp_path: Path) -> None:
    done = uncork("conform", "qemu", "--program", "no-such-qemu", cwd=tmp_path)
    assert (done.returncode, done.stdout, list(tmp_path.iterdir())) == (30, "", [])
    assert done.stderr.startswith("skipped: no-such-qemu is not installed")
    fake = tmp_path / "fake"
    fake.write_text("#!/bin/sh\necho QEMU emulator version 7.2.22\necho no luck >&2\n")
    os.chmod(fake, 0o755)
    ended = uncork("conform", "qemu", "--program", str(fake))
    assert (ended.returncode, ended.stdout) == (30, "")
    assert ended.stderr.startswith("open: QEMU ")


@pytest.mark.slow
@with_qemu
def test_a_model_of_ones_own_is_compared(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from uncork_nvme import DEVICES, Reader\n"
        'mine = DEVICES["qemu"].but("mine", "QEMU.", {})\n'
        'wrong = mine.but("wrong", "Not QEMU.", {Reader: {"sq_event": "tail-1"}})\n'
    )
    asked = "conform", "qemu", "--schedules", "24", "--save", "run.json", "--device"
    assert uncork(*asked, "mine.py:mine", cwd=tmp_path).returncode == 0
    ended = uncork(*asked, "mine.py:wrong", cwd=tmp_path)
    assert (ended.returncode, "mine.py:wrong/" in ended.stdout) == (22, True), ended.stderr
    assert uncork("conform", "run.json", cwd=tmp_path).returncode == 22
    refused = uncork(*asked, "mine.py:mine", "--overlay", "tail", cwd=tmp_path)
    assert (refused.returncode, "leave out --device" in refused.stderr) == (2, True)


# -- without QEMU ------------------------------------------------------------------------------------------------------
def test_make_linux_traces_every_event_that_is_read_of_any_version() -> None:
    assert [name for name in qemu_logs._TAKES if not any(fnmatch(name, pattern) for pattern in linux.EVENTS)] == []


def test_a_qemu_is_held_against_the_one_of_the_catalogue_that_it_is() -> None:
    old, new = (variant(Probed("neither", "shadow", kicks_sqs=kicks)) for kicks in (True, False))
    assert DEVICES["qemu"].choices | old | {"on_request": "nothing"} == DEVICES["qemu-9.1"].choices  # of a pool
    assert DEVICES["qemu"].choices | new == DEVICES["qemu"].choices
    (other,) = (each for each in CONTROLS if each.name == "the other side of 9529aa6b")
    assert (against(other, old), against(other, new)) == (new, old)


def test_need_event_is_whether_the_event_is_passed() -> None:
    for size in (2, 3, 5):
        for old in range(size):
            for moved in range(1, size):
                new = (old + moved) % size
                passed = {(old + k) % size for k in range(moved)}
                for event in range(size):
                    expected = event in passed
                    if new > old:
                        assert need_event(event, new, old) == expected
                        assert need_event(event, new, old, closed=True) == (expected or event == new)


def test_shrinking_keeps_what_is_needed_and_no_more() -> None:
    chosen = random.Random(1)
    for _ in range(50):
        needed = set(chosen.sample(range(60), 5))
        assert shrunk(range(60), lambda left, needed=needed: needed <= set(left)) == sorted(needed)


class _Clock(Record):
    pass


def test_a_look_may_ask_for_quiet() -> None:
    clock = _Clock("clock", ticks=var(Nat(3), "ticks"))

    @step("clock")
    def tick() -> Guarded:
        """It ticks."""
        return when(clock.ticks < 3, clock(ticks=clock.ticks + 1))

    @step("user", Fairness.NONE)
    def wind() -> Guarded:
        """It is wound up."""
        return when(clock.ticks > 0, clock(ticks=0))

    follower = Follower(System("clock", clock.variables, (tick(), wind())), ["tick"], {"ticks": clock.ticks})
    assert follower.take(Event("some time", saw={"ticks": 2}))
    assert not follower.take(Event("at rest", saw={"ticks": 2}, quiet=frozenset({"tick"})))
    assert follower.take(Event("at rest", saw={"ticks": 3}, quiet=frozenset({"tick"})))
    assert not follower.take(Event("back", saw={"ticks": 2}))
    follower.restart()
    assert follower.take(Event("back", saw={"ticks": 0}))


@pytest.mark.slow
def test_a_model_that_is_laid_over_keeps_its_own_event() -> None:
    model = Model(SMALL.instance({}), "never")
    assert {"own.event", "cq.event"} <= {variable.name for variable in model.system.variables}
    assert model.look("the start", {CQ_EVENT: 0, LAID_OVER: 0}) is None
