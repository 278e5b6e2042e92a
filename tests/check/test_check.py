"""`uncork check` as its users meet it."""

from __future__ import annotations

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

import pytest
from commands import uncork

pytestmark = pytest.mark.slow  # they start programs
HANGS = ["--device", "propolis-2025", "--guest", "linux", "--policy", "tail", "--sqs", "1", "--sq-size", "3"]
FIELDS = {
    *("policy", "device", "guest", "sqs", "sq_size", "cq_size", "overrides", "property", "verdict", "states"),
    *("transitions", "depth", "trace_steps", "loop_steps", "engine", "seconds", "unreached"),
}


def rows(*args: str) -> list[dict[str, Any]]:
    done = uncork("check", *args, "--json", "-")
    found = json.loads(done.stdout)
    assert all(set(row) == FIELDS for row in found)
    return list(found)


def test_check_compares_with_what_is_recorded() -> None:
    done = uncork("check", *HANGS)
    assert done.returncode == 0, done.stderr
    assert "refuted 28+0" in done.stdout
    assert done.stdout.startswith("AS EXPECTED   1 instance, 4 verdicts: 1 proved, 3 refuted\n")
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


def test_an_instance_is_checked_by_its_name() -> None:
    found = rows("mmio/linux/tail/n1-sq2-cq2", "mmio/lazy/head/n1-sq2-cq3")
    assert {(row["guest"], row["policy"], row["cq_size"]) for row in found} == {
        ("linux", "tail", 2),
        ("lazy", "head", 3),
    }


def test_a_file_of_policies_without_a_name_is_answered_with_the_names_in_it(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def _no(cq):\n    pass\n\ndef one(cq):\n    pass\n\ndef two(cq):\n    pass\n")
    done = uncork("check", "--policy", "mine.py", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == "Error: policy mine.py: name a function of the file: mine.py:one or mine.py:two\n"


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
def test_each_outcome_has_its_exit_code(case: str) -> None:
    code, args = EXITS[case]
    done = uncork("check", *args)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    if code == 2:
        assert done.stderr
        assert not done.stdout


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
def test_expectations_of_a_file_decide_the_exit_code(
    tmp_path: Path, cell: str, states: str, code: int, message: str
) -> None:
    file = tmp_path / "expect.csv"
    file.write_text(EXPECT.format(cell, states))
    done = uncork("check", "--expect", str(file), "--property", "uncorked")
    assert done.returncode == code, done.stderr
    assert message in done.stdout + done.stderr


def test_proved_where_a_hang_is_expected_fails_the_gate(tmp_path: Path) -> None:
    file = tmp_path / "expect.csv"
    file.write_text(EXPECT.replace("propolis-2025,linux,tail", "propolis-2026,linux,tail-lag").format("refuted", ""))
    done = uncork("check", "--expect", str(file), "--property", "uncorked")
    assert done.returncode == 10
    assert "uncorked: proved, expected refuted" in done.stdout


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
def test_a_policy_of_a_file_is_checked_or_its_mistake_is_told(
    tmp_path: Path, formula: str, code: int, message: str
) -> None:
    (tmp_path / "mine.py").write_text(POLICY.format(formula))
    done = uncork("check", "--policy", "mine.py:mine", *HANGS[:4], "--sqs", "1", "--sq-size", "3", cwd=tmp_path)
    assert done.returncode == code, done.stderr
    assert message in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_quiet_is_one_line_and_what_another_format_leaves_goes_to_standard_error() -> None:
    wrong = [*HANGS, "--set", "submit_batch=1"]
    line = "NOT AS EXPECTED   1 of 1 instance, 4 verdicts: 1 proved, 3 refuted   exit 13\n"
    assert uncork("check", *wrong, "--quiet").stdout == line
    done = uncork("check", *wrong, "--json", "-")
    assert done.stderr.startswith(line)
    assert "expected proved" in done.stderr
    assert json.loads(done.stdout)
    assert not uncork("check", *HANGS, "--json", "-").stderr


LONG = ["check", "--device", "arm-recheck", "--guest", "linux", "--policy", "head", "--sqs", "2", "--sq-size", "3",
        "--cq-size", "3", "--reductions", "none"]  # fmt: skip


def test_ctrl_c_ends_with_what_is_known(tmp_path: Path) -> None:
    file = tmp_path / "rows.json"
    running = subprocess.Popen([sys.executable, "-m", "uncork", *LONG, "--json", str(file)], stderr=subprocess.PIPE)
    time.sleep(2.5)
    running.send_signal(signal.SIGINT)
    _, errors = running.communicate(timeout=60)
    assert running.returncode == 130
    assert b"Traceback" not in errors
    assert {row["verdict"] for row in json.loads(file.read_text())} <= {"open", "refuted"}


def test_progress_is_shown_on_a_terminal_only() -> None:
    terminal, child = pty.openpty()
    environment: Mapping[str, str] = {**os.environ, "TERM": "xterm", "COLUMNS": "80"}
    done = subprocess.run(
        [sys.executable, "-m", "uncork", *LONG, "--max-seconds", "2"],
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
