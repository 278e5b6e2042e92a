"""`uncork trace` and `uncork simulate` as their users meet them."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import pytest
from commands import uncork

pytestmark = pytest.mark.slow  # they start programs
FIXED, BEFORE = "propolis-2026/linux/tail-lag/n1-sq3-cq3", "propolis-2025/linux/tail/n1-sq3-cq3"
CAUSE = (
    "At step 27 the guest's head moves 0 -> 2. CQ EventIdx is 2 (written at step 25: the tail), which 0 -> 2 does not "
    "pass: no doorbell at step 28. SQ0, corked at step 26, sleeps on."
)


@functools.cache
def traced(*args: str) -> str:
    """What is printed of the run of a device that hangs, which several tests look at."""
    return uncork("trace", BEFORE, *args).stdout


def test_trace_is_told_to_a_device_engineer() -> None:
    done = uncork("trace", BEFORE)
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert len(lines) <= 45 and max(map(len, lines)) <= 80
    title, cause, end, steps, more = done.stdout.split("\n\n")
    assert title == f"{BEFORE}: uncorked SQ0 is refuted"
    assert " ".join(cause.split()) == CAUSE
    assert "SQ0 corked yes" in end
    for told in ("CORKED", "CQ EventIdx 2: not passed by 0 -> 2, silent", "for ever"):
        assert told in steps
    assert more.startswith("--all: ") and "sq0.worker.at" not in done.stdout


def test_all_of_a_trace_has_every_variable_and_why_nothing_helps(tmp_path: Path) -> None:
    stored = tmp_path / "hang.itf.json"
    stored.write_text(traced("--format", "itf"))
    whole = uncork("trace", str(stored), "--all").stdout
    assert whole == traced("--all")
    assert max(map(len, whole.splitlines())) <= 80
    title, cause, claim = (" ".join(each.split()) for each in whole.split("\n\n")[:3])
    assert title == f"{BEFORE}: uncorked SQ0 is refuted"
    assert cause == CAUSE
    assert claim.startswith("SQ0 has published entries waiting")
    for told in ("Who could have woken it", "What can not happen there, and why", "reserve→fetch"):
        assert told in whole


def test_a_run_stands_beside_another_design(tmp_path: Path) -> None:
    stored = tmp_path / "hang.itf.json"
    stored.write_text(traced("--format", "itf"))
    found = json.loads(uncork("trace", str(stored), "--beside", "head", "--format", "json").stdout)
    assert (found["cause"], found["turning"], found["end"]) == (CAUSE, 28, "ended")
    assert "In B the wait ends." in uncork("trace", str(stored), "--beside", "head").stdout
    for args in (("--beside", "tial"), ("--beside", "head", "--format", "itf")):
        refused = uncork("trace", str(stored), *args)
        assert (refused.returncode, refused.stdout) == (2, "")


def test_a_trace_is_written_in_other_formats_and_read_back(tmp_path: Path) -> None:
    stored = tmp_path / "hang.itf.json"
    stored.write_text(traced("--format", "itf"))
    assert uncork("trace", str(stored)).stdout == traced()
    plain = json.loads(traced("--format", "json"))
    assert len(plain["steps"]) == 28
    assert plain["loop"] == 28
    assert plain["cause"] == CAUSE == json.loads(stored.read_text())["#meta"]["cause"]
    chart = traced("--format", "mermaid")
    assert chart.startswith("sequenceDiagram\n    participant A0 as submitter SQ0\n")
    assert chart.count("->>") == 28
    first = next(line for line in chart.splitlines() if "participant" not in line and line != "sequenceDiagram")
    assert first.startswith("    Note over A0,") and "sleeps on." in first
    assert CAUSE in json.loads(traced("--format", "schedule").splitlines()[0])["note"]


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
