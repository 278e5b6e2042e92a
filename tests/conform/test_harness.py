"""Harnesses: a right device passes every transition, every mistake is found, and no misbehaviour counts as a pass."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Collection, Iterator
from pathlib import Path

import click
import jsonschema
import pytest
from click.testing import CliRunner
from commands import uncork
from repository import ROOT
from uncork.cli import cli
from uncork.conform.harness.graph import graph
from uncork.conform.harness.player import Player
from uncork.conform.harness.runs import Followed, play, wander
from uncork.conform.harness.tour import tour
from uncork.conform.harness.trials import Examined, Plan, examine
from uncork.conform.rig.harness import SCHEMA, Harness, HarnessError
from uncork.core.trace import Trace
from uncork.core.verdict import Refuted
from uncork.decide import many
from uncork.decide.exits import Exit
from uncork.engines import unwatched
from uncork_nvme.instance import InstanceError, from_name

EXAMPLES = ROOT / "examples" / "harness"
PAGE = (ROOT / "docs" / "harness.md").read_text()
MODELLED, RUDE = (str(ROOT / "tests" / "conform" / name) for name in ("modelled.py", "rude.py"))
RING = f"{EXAMPLES.relative_to(ROOT)}/model.py:ring/linux/head/"
SMALL = "propolis-2025/linux/tail/n1-sq2-cq2"
EVENTS = "/events=delete+create"
BUGS = {
    "EVENTIDX_AT_TAIL": "n1-sq2-cq2",
    "NO_REREAD": "n1-sq2-cq2",
    "READ_BEFORE_ARM": "n1-sq2-cq2",
    "NOTIFICATION_LOST": "n1-sq2-cq2",
    "NO_KICK_AT_DOORBELL": "n1-sq2-cq2",
    "OFF_BY_ONE": "n1-sq2-cq2",
    "KICK_DROPPED_AT_REMIT": "n2-sq2-cq2",
    "WRONG_QUEUE_KICKED": "n2-sq2-cq2",
    "PERMIT_LEAKED_AT_DELETE": f"n1-sq2-cq2{EVENTS}",
    "STALE_WORDS_AT_CREATE": f"n1-sq2-cq2{EVENTS}",
}
"""The bugs of ring.c, and the sizes and events at which they are looked for."""
with_cc = pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")
RUSTC = shutil.which("rustc") or shutil.which("rustc", path=str(Path.home() / ".cargo" / "bin"))


def examined(command: list[str], name: str, *, random: int = 20, steps: bool = True, most: int = 20_000) -> Examined:
    """What becomes of a harness at one instance, without larger sizes."""
    with Harness(command) as harness:
        return examine(harness, Plan([from_name(name)], (), random, 1, most, steps), unwatched)


@pytest.fixture(autouse=True)
def _in_the_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)  # the names of devices of one's own are paths


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ring")


def ring(folder: Path, bug: str = "") -> list[str]:
    """The command of the device in C, with a bug or without."""
    target = folder / f"ring{bug}"
    if not target.exists():
        flags = [f"-DBUG_{bug}"] if bug else []
        warned = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-pthread"]
        subprocess.run(["cc", *warned, *flags, "-o", str(target), str(EXAMPLES / "ring.c")], check=True)
    return [str(target)]


# -- a device in C -----------------------------------------------------------------------------------------------------
@pytest.mark.slow
@with_cc
def test_the_right_device_passes_every_transition(built: Path) -> None:
    found = examined(ring(built), RING + "n1-sq2-cq2")
    assert found.failed is None
    (toured,) = found.lines
    assert toured.figures["taken"] == toured.figures["transitions"]
    assert f"{toured.runs:,} runs, {toured.moves:,} moves: {toured.result}" in PAGE, (
        "docs/harness.md has another figure"
    )


def found_at(command: list[str], bug: str, *, steps: bool) -> str:
    """How a bug was found: in which run, and with how few moves; as a row of the page has it."""
    found = examined(command, RING + BUGS[bug], random=200, steps=steps, most=20_000)
    if found.failed is None:
        return "not found"
    assert found.failed.run.failed in ("differs", "died")
    return f"{found.failed.runs:,} | {found.failed.moves:,} | {len(found.failed.run.moves)}"


@pytest.mark.slow
@with_cc
@pytest.mark.parametrize("bug", BUGS)
def test_every_bug_is_found(built: Path, bug: str) -> None:
    found = found_at(ring(built, bug), bug, steps=True)
    assert found != "not found"
    assert f"| {found} |" in row_of(bug), f"docs/harness.md has another figure than {found}"


@pytest.mark.deep
@with_cc
@pytest.mark.parametrize("bug", BUGS)
def test_some_bugs_are_not_seen_at_rest(built: Path, bug: str) -> None:
    found = found_at(ring(built, bug), bug, steps=False)
    assert row_of(bug).endswith(f"| {found.partition(' | ')[0]} |"), f"docs/harness.md has another figure than {found}"


def row_of(bug: str) -> str:
    """The row of a bug in the table of the page."""
    row = re.search(rf"^\| `BUG_{bug}` \|.*$", PAGE, re.MULTILINE)
    assert row and f"| {BUGS[bug].replace(EVENTS, ', events')} |" in row[0]
    return row[0]


@pytest.mark.deep
@with_cc
def test_the_right_device_passes_every_transition_as_queues_come_and_go(built: Path) -> None:
    found = examined(ring(built), RING + f"n1-sq2-cq2{EVENTS}")
    assert found.failed is None
    assert found.lines[0].figures["taken"] == found.lines[0].figures["transitions"]


@pytest.mark.slow
@with_cc
def test_the_right_device_passes_random_runs_of_two_queues(built: Path) -> None:
    for sizes in ("n2-sq2-cq2", f"n2-sq3-cq3{EVENTS}"):
        found = examined(ring(built), RING + sizes, random=12, most=100)
        assert found.failed is None, found.failed


@pytest.mark.deep
@pytest.mark.skipif(RUSTC is None, reason="there is no Rust compiler")
@pytest.mark.parametrize("bug", ["", *BUGS])
def test_the_device_in_rust_does_as_the_one_in_c(tmp_path: Path, bug: str) -> None:
    flags = ["--cfg", f"bug_{bug.lower()}"] if bug else []
    target = tmp_path / "ring"
    subprocess.run([str(RUSTC), "-O", *flags, "-o", str(target), str(EXAMPLES / "ring.rs")], check=True)
    if bug:
        assert f"| {found_at([str(target)], bug, steps=True)} |" in row_of(bug)
        return
    toured = examined([str(target)], RING + "n1-sq2-cq2").lines[0]
    assert toured.figures["taken"] == toured.figures["transitions"]


@pytest.mark.parametrize("helper", ["uncork.h", "uncork.rs", "uncork_harness.py"])
def test_a_helper_is_small(helper: str) -> None:
    assert len((EXAMPLES / helper).read_text().splitlines()) <= 200


# -- devices that are models -------------------------------------------------------------------------------------------
def modelled(name: str, *how: str) -> list[str]:
    return [sys.executable, MODELLED, name, *how]


def refuted(name: str, row: str) -> Trace:
    """The counterexample of an instance."""
    (checked,) = many.check([from_name(name)], [row])
    (found,) = checked.rows
    assert isinstance(found.verdict, Refuted)
    return found.verdict.trace


@pytest.mark.slow
def test_a_hang_of_the_model_is_played_and_has_to_hang_there_too() -> None:
    """The device with the hang follows it. The mended device does not: of that device the model is wrong."""
    trace = refuted(SMALL, "uncorked")
    assert trace.stuck
    for name, hangs in ((SMALL, True), (SMALL.replace("2025/linux/tail", "2026/linux/tail-lag"), False)):
        with Harness(modelled(name)) as harness:
            played = play(Player(harness, from_name(SMALL)), trace)
        assert isinstance(played, Followed)
        assert (played.hangs, played.wrong) == (hangs, not hangs), played
        assert (played.run.mismatch is None) is hangs


def test_a_hang_cannot_be_forced_on_a_harness_that_steps_no_thread() -> None:
    with Harness(modelled(SMALL, "rest")) as harness:
        assert "cannot be made to take" in str(play(Player(harness, from_name(SMALL)), refuted(SMALL, "uncorked")))


@pytest.mark.deep
@with_cc
def test_a_loop_of_the_model_is_played_some_times(built: Path) -> None:
    name = RING + "n2-sq2-cq2"
    trace = refuted(name, "progress")
    assert trace.loop_steps > 0
    with Harness(ring(built)) as harness:
        played = play(Player(harness, from_name(name)), trace)
    assert isinstance(played, Followed)
    assert played.hangs
    assert len(played.run.moves) == trace.stem + 3 * trace.loop_steps


@pytest.mark.deep
def test_a_tour_plays_every_counterexample() -> None:
    found = examined(modelled(SMALL), SMALL)
    assert found.failed is None
    played = [line.result for line in found.lines if line.part == "counterexample"]
    assert len(played) == 3 and all(result.endswith("hangs there too") for result in played), played


@pytest.mark.slow
@pytest.mark.parametrize("how", ["rest", pytest.param("workers", marks=pytest.mark.deep)])
def test_threads_that_are_not_stepped_are_seen_at_rest(how: str) -> None:
    with Harness(modelled(SMALL, how)) as harness:
        player = Player(harness, from_name(SMALL))
        assert player.roles.stepped == ([] if how == "rest" else ["sq0.worker"])
        found = graph(player.system, player.roles, 20_000)
        assert found
        toured = tour(player, found, unwatched)
        assert (toured.failed, toured.taken) == (None, toured.transitions)


class _Wide(Player):
    """Counts the states that fit at once."""

    most = 0

    def make(self, move: str) -> bool:
        goes_on = super().make(move)
        self.most = max(self.most, len(self.states))
        return goes_on


@pytest.mark.slow
@pytest.mark.parametrize("how", [("blind",), ("workers",)])
def test_a_doorbell_that_is_lost_is_found(how: tuple[str, ...]) -> None:
    """Also by a harness that tells no events, which is followed as a set of states."""
    with Harness(modelled(SMALL, *how)) as harness:
        wide = _Wide(harness, from_name(SMALL))
        for seed in range(5):
            assert not wander(wide, seed).failed
    assert (wide.most > 1) is ("blind" in how)
    with Harness(modelled(SMALL, *how, "lost")) as harness:
        player = Player(harness, from_name(SMALL))
        failed = next(run for seed in range(20) if (run := wander(player, seed)).failed)
    assert failed.mismatch


# -- QEMU --------------------------------------------------------------------------------------------------------------
@pytest.mark.slow
@pytest.mark.skipif(shutil.which("qemu-system-x86_64") is None, reason="qemu-system-x86_64 is not installed")
def test_qemu_is_a_harness_like_any_other() -> None:
    command = [sys.executable, "-m", "uncork.conform.rig.qemu_harness"]
    found = examined(command, "qemu/linux/head/n1-sq2-cq2")
    assert (found.failed, found.lines[0].figures["taken"]) == (None, found.lines[0].figures["transitions"])
    wrong = examined(command, "qemu/linux/tail/n1-sq2-cq2")
    assert wrong.failed and wrong.failed.run.mismatch
    assert wrong.failed.run.mismatch.differs == ["cq.eventidx"]


# -- harnesses that misbehave ------------------------------------------------------------------------------------------
MISBEHAVIOUR = {
    "died": ["dies", "is killed", "closes"],
    "hangs": ["hangs"],
    "rubbish": [
        *("prints", "prints much", "list", "numberless", "misspelt", "wordless", "negative", "short", "phase", "value"),
        *("waits", "thread", "twice", "event", "nameless"),
    ],
    "out of order": ["behind", "answers twice"],
    "lies": ["deaf", "changes", "steps of another"],
    "version": ["version"],
    "refuses": ["refuses", "sizes"],
}


@pytest.mark.parametrize(("word", "how"), [(word, how) for word, ways in MISBEHAVIOUR.items() for how in ways])
def test_a_harness_that_misbehaves_never_passes(word: str, how: str) -> None:
    said = None
    with Harness([sys.executable, RUDE, how], 0.5 if word == "hangs" else 5) as harness:
        try:
            player = Player(harness, from_name(SMALL))
            for moves in (["submit SQ0 1", "step sq0.doorbell", "settle"], ["settle"]):
                if player.restart() and not all(map(player.make, moves)):
                    break
            said = player.run.broken
        except HarnessError as error:
            said = error
    assert said is not None
    assert said.word == word, said


def test_a_device_that_does_nothing_is_a_mismatch() -> None:
    """The twin of those above: what is said is right in form, and a command waits for ever."""
    with Harness([sys.executable, RUDE, "well"]) as harness:
        player = Player(harness, from_name(SMALL))
        assert player.restart()
        assert all(map(player.make, ["submit SQ0 1", "check SQ0", "ring SQ0"]))
        assert not player.make("settle")
        assert player.run.mismatch


def test_the_schema_accepts_what_is_said_and_refuses_what_the_reader_refuses() -> None:
    schema = json.loads(SCHEMA.read_text())
    validator = jsonschema.Draft202012Validator(schema)
    validator.check_schema(schema)
    asked = [
        {"n": 1, "do": "hello", "protocol": 1, "sqs": 1, "sq_size": 2, "cq_size": 2},
        *({"n": 2, "do": do} for do in ("reset", "look", "settle")),
        {"n": 2, "do": "entry", "sq": 0, "slot": 1, "cid": 5},
        {"n": 2, "do": "store", "word": "cq.shadow", "value": 1},
        {"n": 2, "do": "ring", "queue": "sq0", "value": 1},
        {"n": 2, "do": "step", "thread": "sq0.worker"},
        {"n": 2, "do": "delete", "sq": 0},
    ]
    right = {how: _said(how) for how in ("well", "refuses")}
    for message in [*asked, *(each for said in right.values() for each in said)]:
        validator.validate(message)
    for how in ("list", "numberless", "misspelt", "wordless", "negative", "phase", "waits", "nameless", "twice"):
        assert not all(map(validator.is_valid, _said(how))), how
    for wrong in ({"n": 2, "do": "jump"}, {"n": 2, "do": "store", "word": "cq.shadow"}, {"do": "reset"}):
        assert not validator.is_valid(wrong)


def _said(how: str) -> list[object]:
    """What the rude harness answers."""
    requests = [{"n": 1, "do": "hello"}, *({"n": n, "do": "look"} for n in (2, 3, 4))]
    asked = "".join(json.dumps(each) + "\n" for each in requests)
    done = subprocess.run([sys.executable, RUDE, how], input=asked, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


# -- the command -------------------------------------------------------------------------------------------------------
@pytest.mark.slow
@with_cc
def test_a_bug_is_printed_stored_and_run_again(built: Path, tmp_path: Path) -> None:
    model = str(EXAMPLES / "model.py") + ":ring"
    wrong, right = ring(built, "NO_REREAD"), ring(built)
    done = uncork("conform", "exec", "--device", model, "--json", "out.json", "--", *wrong, cwd=tmp_path)
    assert done.returncode == Exit.DISAGREE, done.stderr
    assert "the harness shows" in done.stdout and "the model allows" in done.stdout
    assert json.loads((tmp_path / "out.json").read_text())["failed"]["kind"] == "differs"
    stored = "harness-failed.json"
    assert uncork("conform", "exec", stored, "--", *wrong, cwd=tmp_path).returncode == Exit.DISAGREE
    assert uncork("conform", "exec", stored, "--", *right, cwd=tmp_path).returncode == 0


def test_the_command_tells_of_a_harness_that_misbehaves(tmp_path: Path) -> None:
    done = uncork("conform", "exec", SMALL, "--", sys.executable, RUDE, "refuses", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (Exit.HARNESS, "")
    assert done.stderr == "refuses: asked to hello, it says: two entries are too few\n"
    done = uncork("conform", "exec", SMALL, "--", sys.executable, RUDE, "dies", cwd=tmp_path)
    assert done.returncode == Exit.HARNESS
    assert "the harness died: it ended with 1 and has not answered" in done.stdout
    assert "out of luck" in done.stdout


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ([SMALL], "no harness"),
        (["--", "true"], "no model"),
        ([SMALL, "--", "./no-such-harness"], "cannot be started"),
        ([SMALL, "--device", "qemu", "--", "true"], "not both"),
        (["no-such.json", "--", "true"], "there is no file"),
        ([f"{SMALL}/memory=tso", "--", "true"], "only be compared with memory=sc"),
        ([f"{SMALL}/events=reset", "--", "true"], "create and delete"),
        ([str(ROOT / "pyproject.toml"), "--", "true"], "is not a run"),
    ],
)
def test_exec_tells_of_bad_input(args: list[str], said: str) -> None:
    with pytest.raises((click.ClickException, InstanceError), match=re.escape(said)):
        cli.main(["conform", "exec", *args], standalone_mode=False)


def test_exec_prints_the_schema_that_is_shipped() -> None:
    done = CliRunner().invoke(cli, ["conform", "exec", "--schema"])
    assert json.loads(done.stdout) == json.loads(SCHEMA.read_text())


@pytest.mark.slow
def test_ctrl_c_ends_the_harness_and_its_children() -> None:
    command = [sys.executable, "-m", "uncork", "conform", "exec", SMALL, "--", sys.executable, RUDE, "children"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as ours:
        children = _descendants(ours.pid, 2)
        ours.send_signal(signal.SIGINT)
        _, said = ours.communicate(timeout=20)
    assert (ours.returncode, said.strip()) == (130, "interrupted")
    assert _gone(children)


def _gone(pids: list[int]) -> bool:
    """Whether these processes end soon."""
    return any(not any(map(_runs, pids)) or time.sleep(0.05) for _ in range(100))


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"  # its parent has not asked for it


def _descendants(pid: int, number: int, besides: Collection[int] = ()) -> list[int]:
    """The processes below one, as soon as there are as many; without those that were there before."""
    for _ in range(400):
        found = [each for each in _below(pid) if each not in besides]
        if len(found) >= number:
            return found
        time.sleep(0.05)
    raise AssertionError("no harness was started")


def _below(pid: int) -> Iterator[int]:
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in children.read_text().split():
                yield int(child)
                yield from _below(int(child))


def test_a_harness_does_not_outlive_its_block() -> None:
    before = list(_below(os.getpid()))
    with Harness([sys.executable, RUDE, "children"]) as harness:
        Player(harness, from_name(SMALL))
        found = _descendants(os.getpid(), 2, before)
    assert _gone(found)
