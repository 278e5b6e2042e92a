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
from functools import partial
from pathlib import Path

import pytest
from commands import uncork
from repository import ROOT
from uncork.conform.controls import CONTROLS, MOST, MOST_WRONG, WRONG, Control, Wrong, against
from uncork.conform.guest import CQ_EVENT, LAID_OVER, Alone, Independent
from uncork.conform.harness.runs import replay, shrink, shrunk, until_one_fails, wander
from uncork.conform.rig import linux, qtest
from uncork.conform.rig.driver import need_event
from uncork.conform.rig.harness import Answer, Hello
from uncork.conform.rig.probing import Probed, probe
from uncork.conform.rig.qemu_harness import QemuHarness
from uncork.conform.trials import instances, variant
from uncork.core.questions.observed import Event
from uncork.core.sorts import Nat
from uncork.core.system import Fairness, Guarded, Record, System, step, var, when
from uncork.engines import unwatched
from uncork.engines.follow import Follower
from uncork.logs import qemu as qemu_logs
from uncork_nvme.catalogue import DEVICES
from uncork_nvme.choices import Choice
from uncork_nvme.instance import Instance
from uncork_nvme.shape import Shape

with_qemu = pytest.mark.skipif(shutil.which(qtest.PROGRAM) is None, reason="qemu-system-x86_64 is not installed")
SMALL = Shape(1, 3, 3)


def small(base: dict[str, Choice], guest: str = "linux", policy: str = "") -> Instance:
    """The model of one guest at the small size."""
    (found,) = instances(base, policy, guests=[guest], shapes=[SMALL])
    return found


@pytest.fixture(scope="module")
def harness() -> Iterator[QemuHarness]:
    with qtest.Qemu() as qemu:
        yield QemuHarness(qemu)


@pytest.fixture(scope="module")
def base(harness: QemuHarness) -> dict[str, Choice]:
    return variant(probe(harness.controller))


# -- with QEMU ---------------------------------------------------------------------------------------------------------
@pytest.mark.slow
@with_qemu
def test_the_model_follows_qemu(harness: QemuHarness, base: dict[str, Choice]) -> None:
    found = until_one_fails(instances(base), partial(Independent, harness), 144, 1_000, unwatched)
    assert [each.failed for each in found if each.failed] == []
    checks = sum((each.player.checks for each in found if isinstance(each.player, Independent)), Counter[str]())
    assert min(checks[name] for name in ("need_sq", "need_cq", "elide_cq", "consume", "ring_cq")) > 50


@with_qemu
def test_qemu_writes_on_creation_and_config_what_the_catalogue_says(harness: QemuHarness) -> None:
    found, chosen = probe(harness.controller), DEVICES["qemu"].choices
    assert (found.on_create, found.on_config) == (chosen["on_create"], chosen["on_config"])


@with_qemu
@pytest.mark.parametrize("control", [each for each in CONTROLS if not each.unseen], ids=lambda each: each.name)
def test_a_model_with_one_rule_changed_disagrees(
    harness: QemuHarness, base: dict[str, Choice], control: Control
) -> None:
    among = instances(against(control, base), control.policy)
    found = until_one_fails(among, partial(Independent, harness), MOST, 1, unwatched)
    (failed,) = (each.failed for each in found if each.failed)
    assert failed.mismatch


@with_qemu
def test_a_schedule_that_fails_is_shrunk_as_far_as_it_goes(harness: QemuHarness, base: dict[str, Choice]) -> None:
    (found,) = until_one_fails([small(base, policy="never")], partial(Independent, harness), 60, 1, unwatched)
    assert found.failed
    least = shrink(found.player, found.failed)
    assert least.mismatch
    assert CQ_EVENT in least.mismatch.differs
    for left_out in range(len(least.moves)):
        moves = least.moves[:left_out] + least.moves[left_out + 1 :]
        assert not replay(found.player, moves, least.seed).mismatch


@with_qemu
@pytest.mark.parametrize("wrong", [each for each in WRONG if not each.slips.stores_late], ids=lambda each: each.name)
def test_a_guest_that_breaks_the_rule_gets_stuck(harness: QemuHarness, base: dict[str, Choice], wrong: Wrong) -> None:
    player = partial(Alone, harness, slips=wrong.slips)
    found = until_one_fails(instances(base), player, MOST_WRONG, 1, unwatched)
    assert any(each.failed and each.failed.stuck for each in found)


@pytest.mark.slow
@with_qemu
@pytest.mark.parametrize(
    ("policy", "guest", "hangs"),
    [("tail", "linux", True), ("never", "linux", True), ("tail", "spdk", False), ("tail-1", "linux", False)],
)
def test_a_policy_laid_over_hangs_the_real_queues_or_does_not(
    harness: QemuHarness, base: dict[str, Choice], policy: str, guest: str, hangs: bool
) -> None:
    player = partial(Independent, harness, overlay=policy)
    (found,) = until_one_fails([small(base, guest)], player, 40, 1, unwatched)
    assert bool(found.failed and found.failed.stuck) is hangs
    assert found.failed is None or found.failed.mismatch is None


@with_qemu
def test_what_is_laid_over_is_what_qemu_would_write(harness: QemuHarness, base: dict[str, Choice]) -> None:
    """With QEMU's own policy laid over it, the guest is shown what QEMU wrote."""
    player = Independent(harness, small(base), overlay="head")
    for seed in range(10):
        made = wander(player, seed)
        assert not made.failed
        shown = [saw for saw in made.seen if LAID_OVER in saw]
        assert shown
        assert all(saw[LAID_OVER] == saw[CQ_EVENT] for saw in shown)


@with_qemu
def test_completions_come_while_the_guest_moves(harness: QemuHarness, base: dict[str, Choice]) -> None:
    moves = ["submit SQ0 l", "check SQ0", "ring SQ0", "wait", "take"]
    player = Independent(harness, small(base))
    for _ in range(20):  # another process may have kept us waiting as long as the command takes
        made = replay(player, moves, 1, winds_down=True)
        assert not made.failed
        if made.seen[2]["cqes"] == ("none",) * 3:
            break
    assert (made.seen[2]["sq0.eventidx"], made.seen[2][CQ_EVENT], made.seen[2]["cqes"]) == (1, 0, ("none",) * 3)
    assert made.seen[3]["cqes"] == ("SQ0", "none", "none")


# -- the command -------------------------------------------------------------------------------------------------------
@pytest.mark.slow
@with_qemu
def test_a_mismatch_is_written_and_found_again(tmp_path: Path) -> None:
    first = uncork("conform", "qemu", "--policy", "tail", "--save", "run.json", cwd=tmp_path)
    assert first.returncode == 22, first.stderr
    assert "the model allows" in first.stdout
    stored = json.loads((tmp_path / "run.json").read_text())
    assert stored["failure"]["kind"] == "differs"
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


class _Still:
    """A device at rest for ever."""

    shape: Shape | None = None

    def hello(self, shape: Shape) -> Hello:
        self.shape = shape
        return Hello("still", (), frozenset())

    def ask(self, do: str, **more: object) -> Answer:
        raise AssertionError(do)


@pytest.mark.slow
def test_a_model_that_is_laid_over_keeps_its_own_event() -> None:
    player = Independent(_Still(), small({}), overlay="never")
    assert {"own.event", "cq.event"} <= {variable.name for variable in player.system.variables}
    assert player.model.expect(Event("the start", saw={CQ_EVENT: 0, LAID_OVER: 0})) is None
