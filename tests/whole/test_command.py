"""The command line as its users meet it."""

from __future__ import annotations

import functools
import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import pytest
from uncork.cli import cli

pytestmark = pytest.mark.slow  # they start programs

FIXED, BEFORE = "propolis-2026/linux/tail-lag/n1-sq3-cq3", "propolis-2025/linux/tail/n1-sq3-cq3"
HANGS = ["--device", "propolis-2025", "--guest", "linux", "--policy", "tail", "--sqs", "1", "--sq-size", "3"]
FIELDS = {
    *("policy", "device", "guest", "sqs", "sq_size", "cq_size", "overrides", "property", "verdict", "states"),
    *("transitions", "depth", "trace_steps", "loop_steps", "engine", "seconds", "unreached"),
}


def uncork(*args: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "uncork", *args], capture_output=True, text=True, cwd=cwd, check=False)


@functools.cache
def traced(*args: str) -> str:
    """What is printed of the run of a device that hangs, which several tests look at."""
    return uncork("trace", BEFORE, *args).stdout


def rows(*args: str) -> list[dict[str, Any]]:
    done = uncork("check", *args, "--json", "-")
    found = json.loads(done.stdout)
    assert all(set(row) == FIELDS for row in found)
    return list(found)


@pytest.mark.parametrize("width", [40, 80, 100, 1000])
def test_commands_are_listed_as_each_tells_of_itself(width: int) -> None:
    """None is imported to list them, so the list has their sentences written down."""
    with click.Context(cli, terminal_width=width, max_content_width=width) as context:
        listed = [context.make_formatter() for _ in range(2)]
        cli.format_commands(context, listed[0])
        click.Group(commands=[command for _, command in sorted(cli.commands.items())]).format_commands(
            context, listed[1]
        )
    assert listed[0].getvalue() == listed[1].getvalue()
    assert all(command.name == name for name, command in cli.commands.items())


def test_check_compares_with_what_is_recorded() -> None:
    done = uncork("check", *HANGS)
    assert done.returncode == 0, done.stderr
    assert "refuted 28+0" in done.stdout
    assert "All as expected." in " ".join(done.stdout.split())
    assert "\x1b" not in done.stdout + done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_json_has_an_object_a_row() -> None:
    found = rows(*HANGS)
    assert [(row["property"], row["verdict"], row["trace_steps"], row["loop_steps"]) for row in found] == [
        ("safety", "proved", None, None),
        ("uncorked", "refuted", 28, 0),
        ("drains", "refuted", 28, 0),
        ("progress", "refuted", 28, 0),
    ]
    assert {row["engine"] for row in found} == {"explicit"}


def test_filters_take_several_values_and_others_than_the_matrix() -> None:
    found = rows("--policy", "tail,head", "--device", "mmio", "--guest", "linux,spdk", "--property", "drains",
                 "--sqs", "1", "--sq-size", "2", "--cq-size", "2,5")  # fmt: skip
    assert {(r["policy"], r["guest"], r["cq_size"]) for r in found} == {
        (p, g, c) for p in ("tail", "head") for g in ("linux", "spdk") for c in (2, 5)
    }


def test_an_override_makes_another_machine() -> None:
    (row,) = rows(*HANGS, "--property", "uncorked", "--set", "early_free=no")
    assert row["verdict"] == "proved"
    assert row["overrides"] == {"early_free": "no"}


EXITS = {
    "refuted without an expectation": (13, [*HANGS, "--set", "submit_batch=1"]),
    "vacuous: nothing ever corks": (20, [*HANGS[:8], "--sq-size", "2", "--cq-size", "4", "--set", "early_free=no"]),
    "open": (30, [*HANGS, "--property", "drains", "--max-states", "100"]),
    "proved as expected": (0, ["--device", "propolis-2026", "--guest", "linux", "--policy", "tail-1", "--sqs", "1"]),
    "no such policy": (2, ["--policy", "tial"]),
    "no such device": (2, ["--device", "propolis"]),
    "no such property": (2, ["--property", "drain"]),
    "no such choice": (2, ["--set", "kick_on_remitt=yes"]),
    "no such value": (2, ["--set", "kick_on_remit=maybe"]),
    "no such option": (2, ["--polcy", "tail"]),
    "no such reduction": (2, ["--reductions", "rotations"]),
    "without reductions the verdicts are the same": (0, [*HANGS, "--reductions", "none"]),
    "no number": (2, ["--sqs", "two"]),
    "a queue of one": (2, ["--sqs", "1", "--sq-size", "1"]),
    "no expectations": (2, ["--expect", "/nonexistent.csv"]),
    "nowhere to write": (2, [*HANGS, "--json", "/nonexistent/rows.json"]),
}


@pytest.mark.parametrize("case", EXITS)
def test_exit_code(case: str) -> None:
    code, args = EXITS[case]
    done = uncork("check", *args)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    if code == 2:
        assert done.stderr
        assert not done.stdout


HINTS = {
    ("check", "--policy", "tial"): "did you mean 'tail'?",
    ("check", "--set", "kick_on_remitt=yes"): "did you mean 'kick_on_remit'?",
    ("check", "--set", "kick_on_remit=maybe"): "it is one of no, yes",
    ("show", "arm-rechek"): "did you mean 'arm-recheck'?",
    ("trace", "propolis-2025/linux/tail/n1"): "write n1-sq3-cq3",
    ("trace", "nowhere.itf.json"): "there is no file",
    ("check", "--policy", "mine.py:x"): "there is no file mine.py",
    ("check", "--device", "spdk-poll", "--set", "memory=tso"): "set threads to many",
    ("prove", "arm-on-cork", "--device", "arm-recheck", "--set", "memory=tso"): "the lemmas speak of memory=sc",
}


@pytest.mark.parametrize("args", HINTS, ids=" ".join)
def test_errors_say_what_to_write(args: tuple[str, ...]) -> None:
    done = uncork(*args)
    assert done.returncode == 2
    assert HINTS[args] in done.stderr


EXPECT = "device,guest,policy,sqs,sq_size,cq_size,uncorked,states\npropolis-2025,linux,tail,1,3,3,{},{}\n"


@pytest.mark.parametrize(
    ("cell", "states", "code", "message"),
    [
        ("refuted", "", 0, ""),
        ("refuted 28+0", "12692", 0, ""),
        ("refuted 27+0", "", 10, "refuted 28+0 steps, expected refuted 27+0"),
        ("refuted", "12691", 10, "12,692 states, expected 12,691"),
        ("proved", "", 13, "refuted 28+0 steps (uncorked SQ0), expected proved"),
        ("fine", "", 2, "write proved, refuted"),
    ],
)
def test_own_expectations(tmp_path: Path, cell: str, states: str, code: int, message: str) -> None:
    file = tmp_path / "expect.csv"
    file.write_text(EXPECT.format(cell, states))
    done = uncork("check", "--expect", str(file), "--property", "uncorked")
    assert done.returncode == code, done.stderr
    assert message in done.stderr


def test_proved_where_a_hang_is_expected_fails_the_gate(tmp_path: Path) -> None:
    file = tmp_path / "expect.csv"
    file.write_text(EXPECT.replace("propolis-2025,linux,tail", "propolis-2026,linux,tail-lag").format("refuted", ""))
    done = uncork("check", "--expect", str(file), "--property", "uncorked")
    assert done.returncode == 10
    assert "uncorked: proved, expected refuted" in done.stderr


POLICY = '''from uncork_nvme import LEAVE, ite, leave_if, minimum


def mine(cq):
    """One behind the tail."""
    return {}
'''


@pytest.mark.parametrize(
    ("formula", "code", "message"),
    [
        ("cq.tail - 1", 0, ""),
        ("cq.tail", 13, "refuted 28+0"),
        ("leave_if(cq.occupied <= 1, cq.tail - 1)", 0, ""),
        ("cq.tail if cq.corked else cq.head", 2, "mine.py:6:"),
        ("cq.tail if cq.occupied > 1 and cq.corked else cq.head", 2, "ite(condition, a, b) for if"),
        ("cq.tial", 2, "mine.py:6: a policy cannot look at 'tial' (did you mean 'tail'?)"),
        ("cq.occupied", 2, "EventIdx is a position"),
        ("cq.head + cq.tail", 2, "two positions cannot be added"),
        ("None", 2, "return a position"),
        ("cq.tail -", 2, "mine.py:6:"),
        ("1 / 0", 2, "mine.py:6: division by zero"),
    ],
)
def test_own_policy(tmp_path: Path, formula: str, code: int, message: str) -> None:
    (tmp_path / "mine.py").write_text(POLICY.format(formula))
    done = uncork("check", "--policy", "mine.py:mine", *HANGS[:4], "--sqs", "1", "--sq-size", "3", cwd=tmp_path)
    assert done.returncode == code, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_trace_is_told_to_a_device_engineer() -> None:
    done = uncork("trace", BEFORE)
    assert done.returncode == 0
    for told in ("CORKED", "CQ EventIdx 2: not passed by 0 -> 2, silent", "Who could have woken it", "for ever"):
        assert told in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_trace_in_other_formats_and_back(tmp_path: Path) -> None:
    stored = tmp_path / "hang.itf.json"
    stored.write_text(traced("--format", "itf"))
    assert uncork("trace", str(stored)).stdout == traced()
    plain = json.loads(traced("--format", "json"))
    assert len(plain["steps"]) == 28
    assert plain["loop"] == 28
    chart = traced("--format", "mermaid")
    assert chart.startswith("sequenceDiagram\n    participant A0 as submitter SQ0\n")
    assert chart.count("->>") == 28


@pytest.mark.parametrize(
    ("change", "code"),
    [(("cq.head", 1), 23), (("cq.haed", 1), 23), (("cq.head", None), 2)],
    ids=["another state", "another variable", "no value"],
)
def test_a_forged_trace_is_rejected(tmp_path: Path, change: tuple[str, Any], code: int) -> None:
    forged = json.loads(traced("--format", "itf"))
    forged["states"][5][change[0]] = change[1]
    (tmp_path / "forged.itf.json").write_text(json.dumps(forged))
    done = uncork("trace", str(tmp_path / "forged.itf.json"))
    assert done.returncode == code
    assert not done.stdout
    assert "Traceback" not in done.stderr


def test_no_counterexample_where_there_is_none() -> None:
    done = uncork("trace", FIXED, "--property", "uncorked")
    assert done.returncode == 0
    assert "uncorked is proved (all" in done.stdout


def test_simulate_is_seeded() -> None:
    once, again, other = (uncork("simulate", FIXED, "--seed", s, "--steps", "30").stdout for s in ("1", "1", "2"))
    assert once == again != other


def test_everything_that_is_listed_can_be_shown() -> None:
    names = ["tail", "arm-recheck", "spdk", "drains", "kick_size", "cork_park", FIXED]
    for name in names:
        done = uncork("show", name)
        assert done.returncode == 0, name
        assert done.stdout
    assert "kick_on_remit" in uncork("show").stdout
    assert len(uncork("list", "instances").stdout.splitlines()) == 513


LONG = ["check", "--device", "arm-recheck", "--guest", "linux", "--policy", "head", "--sqs", "2", "--sq-size", "3",
        "--cq-size", "3", "--reductions", "none"]  # fmt: skip


def test_ctrl_c_ends_with_what_is_known(tmp_path: Path) -> None:
    file = tmp_path / "rows.json"
    running = subprocess.Popen([sys.executable, "-m", "uncork", *LONG, "--json", str(file)], stderr=subprocess.PIPE)
    time.sleep(4)
    running.send_signal(signal.SIGINT)
    _, errors = running.communicate(timeout=60)
    assert running.returncode == 130
    assert b"Traceback" not in errors
    assert {row["verdict"] for row in json.loads(file.read_text())} <= {"open", "refuted"}


def test_progress_on_a_terminal_only() -> None:
    terminal, child = pty.openpty()
    environment: Mapping[str, str] = {**os.environ, "TERM": "xterm", "COLUMNS": "80"}
    done = subprocess.run(
        [sys.executable, "-m", "uncork", *LONG, "--max-seconds", "3"],
        stdout=subprocess.DEVNULL, stderr=child, env=environment, check=False,
    )  # fmt: skip
    os.close(child)
    shown = b""
    while chunk := _read(terminal):
        shown += chunk
    assert done.returncode in (13, 30)  # what is refuted in an unfinished graph is refuted
    assert b"frontier" in shown
    assert b"frontier" not in uncork(*LONG, "--max-seconds", "1").stderr.encode()


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:
        return b""


# -- proofs and certificates -------------------------------------------------------------------------------------------
def test_a_design_is_proved_for_all_sizes_and_its_certificate_verified(tmp_path: Path) -> None:
    folder = tmp_path / "proof"
    done = uncork("prove", "tail", "--device", "mmio", "--set", "kick_on_remit=yes", "--certificate", str(folder))
    assert done.returncode == 0, done.stderr
    assert "live for every queue size and one SQ" in done.stdout
    assert "live for every queue size and any number of SQs" in " ".join(done.stdout.split())
    assert not done.stderr
    checked = uncork("verify", str(folder))
    assert checked.returncode == 0, checked.stderr
    assert "cvc5" in checked.stdout


def test_a_design_that_is_not_live_is_told_with_the_step_and_the_sizes() -> None:
    done = uncork("prove", "tail-lag", "--device", "propolis-2026", "--sqs", "one")
    told = " ".join(done.stdout.split())
    assert done.returncode == 13
    assert "wake-up on its way of SQ0, after cork(SQ0)" in told
    assert "live for every SQ size and every CQ of 3 entries or more and one SQ" in told
    assert "really fails at propolis-2026/linux/tail-lag/n1-sq2-cq2" in told
    assert "C = 2" in told


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["tial", "--device", "mmio"], "did you mean 'tail'?"),
        (["tail", "--device", "mimo"], "did you mean 'mmio'?"),
        (["tail", "--device", "propolis-2025", "--set", "kick_size=room"], "use all"),
    ],
)
def test_what_cannot_be_proved_about_is_refused(arguments: list[str], says: str) -> None:
    done = uncork("prove", *arguments)
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_what_all_states_prove_is_certified_and_verified(tmp_path: Path) -> None:
    done = uncork("check", *HANGS, "--certificate", str(tmp_path / "proofs"))
    assert done.returncode == 0, done.stderr
    (file,) = (tmp_path / "proofs").iterdir()
    checked = uncork("verify", str(tmp_path / "proofs"))
    assert checked.returncode == 0, checked.stderr
    assert checked.stdout == "propolis-2025/linux/tail/n1-sq3-cq3: safety proved\n"
    file.write_bytes(file.read_bytes()[:-100])
    assert uncork("verify", str(file)).returncode == 23
    assert uncork("verify", str(tmp_path)).returncode == 2
