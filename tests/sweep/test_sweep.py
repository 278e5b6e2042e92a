"""Sweeps: nothing that is known is searched again, and nothing that happens to a search is lost or made up."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from commands import uncork
from uncork.cli import cli
from uncork.decide import many
from uncork.engines import Budget, unwatched
from uncork.sweep import workers
from uncork_nvme.instance import InstanceError, from_name

pytestmark = pytest.mark.slow  # they start programs

ASKED = ["--device", "propolis-2025,mmio", "--guest", "linux", "--policy", "tail,tail-1", "--sqs", "1",
         "--sq-size", "2", "--cq-size", "2,3"]  # fmt: skip
SYSTEMS = 6
"""Two policies on two sizes of Propolis; on mmio no EventIdx is written, and they are one."""
HANGS, LIVE = "propolis-2025/linux/tail/n1-sq2-cq2", "propolis-2025/linux/tail-1/n1-sq2-cq2"
ONE = ["--device", "propolis-2025", "--guest", "linux", "--sqs", "1", "--sq-size", "2", "--cq-size", "2"]


def sweep(db: Path, *args: str, code: int = 0, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    done = uncork("sweep", "--db", str(db), *args, cwd=cwd)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


def verdicts(db: Path, *args: str, code: int = 0, cwd: Path | None = None) -> dict[tuple[str, str], Any]:
    told = json.loads(sweep(db, *args, "--json", "-", code=code, cwd=cwd).stdout)
    return {(row["instance"], row["property"]): (row["verdict"], row["trace_steps"], row["states"]) for row in told}


def query(db: Path, sql: str) -> Any:
    with sqlite3.connect(db) as base:
        found = base.execute(sql).fetchall()
    base.close()
    return found[0][0] if found else None


def runs(db: Path) -> int:
    return int(query(db, "SELECT count(*) FROM runs"))


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    db = tmp_path_factory.mktemp("sweep") / "done.db"
    sweep(db, *ASKED)
    return db


@pytest.fixture
def copy(done: Path, tmp_path: Path) -> Path:
    (tmp_path / "copy.db").write_bytes(done.read_bytes())
    return tmp_path / "copy.db"


# -- going on ----------------------------------------------------------------------------------------------------------
def test_nothing_is_searched_twice(copy: Path) -> None:
    assert runs(copy) == SYSTEMS
    again = sweep(copy, *ASKED)
    assert runs(copy) == SYSTEMS
    assert "8 instances, 6 different: 0 searched now, 6 known before." in " ".join(again.stdout.split())


def test_a_missing_verdict_is_searched_again(copy: Path) -> None:
    query(copy, "DELETE FROM verdicts WHERE run = 1")
    assert "1 searched now, 5 known before" in " ".join(sweep(copy, *ASKED).stdout.split())
    query(copy, "DELETE FROM verdicts WHERE run = 2 AND property = 'drains'")
    sweep(copy, *ASKED)
    assert query(copy, "SELECT group_concat(property) FROM verdicts WHERE run = 8") == "drains"


def test_the_verdicts_are_those_of_check(done: Path) -> None:
    checked = CliRunner().invoke(cli, ["check", *ASKED, "--json", "-"], standalone_mode=False)
    wanted = sorted((r["device"], r["policy"], r["cq_size"], r["property"], r["verdict"], r["trace_steps"], r["states"])
                    for r in json.loads(checked.stdout))  # fmt: skip
    told = json.loads(sweep(done, *ASKED, "--json", "-").stdout)
    assert wanted == sorted((r["device"], r["policy"], r["cq_size"], r["property"], r["verdict"], r["trace_steps"],
                             r["states"]) for r in told)  # fmt: skip


def test_what_is_open_is_tried_again_with_a_larger_budget(tmp_path: Path) -> None:
    db, asked = tmp_path / "open.db", [*ONE, "--policy", "tail-1"]
    first = sweep(db, *asked, "--max-states", "100", code=30)
    assert "the budget of 100 states is spent" in first.stderr
    sweep(db, *asked, "--max-states", "100", "--max-memory", "9999", "--max-seconds", "99", code=30)
    assert runs(db) == 1
    assert sweep(db, *asked, "--max-states", "99999").stderr == ""
    assert runs(db) == 2
    sweep(db, *asked, "--max-states", "50")
    assert runs(db) == 2


def policy(folder: Path, offset: int, before: str = "") -> None:
    (folder / "mine.py").write_text(f"{before}\ndef mine(cq):\n    return cq.tail - {offset}\n")


def test_another_policy_is_another_system(tmp_path: Path) -> None:
    db, asked = tmp_path / "mine.db", [*ONE, "--policy", "mine.py:mine"]
    policy(tmp_path, 0)
    assert "refuted" in {v[0] for v in verdicts(db, *asked, cwd=tmp_path).values()}
    policy(tmp_path, 0, "# the same, with a comment")
    sweep(db, *asked, cwd=tmp_path)
    assert runs(db) == 1
    policy(tmp_path, 1)
    assert {v[0] for v in verdicts(db, *asked, cwd=tmp_path).values()} == {"proved"}
    assert runs(db) == 2


# -- what happens to workers -------------------------------------------------------------------------------------------
KILLS = """
import os, pathlib, signal, subprocess
for_it = str(os.getppid())  # the process that this file is loaded for
told = subprocess.run(["ps", "-ww", "-o", "args=", "-p", for_it], capture_output=True, text=True).stdout
if "multiprocessing" in told and not pathlib.Path("{}").exists():
    pathlib.Path("died").touch()
    os.kill(int(for_it), signal.SIGKILL)
"""


def test_a_worker_that_dies_is_replaced_and_its_instance_tried_again(tmp_path: Path) -> None:
    policy(tmp_path, 0, KILLS.format("died"))
    found = verdicts(tmp_path / "a.db", *ONE, "--policy", "mine.py:mine,tail", "--jobs", "2", cwd=tmp_path)
    assert (tmp_path / "died").exists()
    by_name: dict[str, list[Any]] = {}
    for (name, _), verdict in found.items():
        by_name.setdefault(name.split("/")[2], []).append(verdict)
    assert by_name["mine.py:mine"] == by_name["tail"]


def test_an_instance_whose_worker_always_dies_is_open(tmp_path: Path) -> None:
    policy(tmp_path, 1, KILLS.format("never"))
    db, asked = tmp_path / "b.db", [*ONE, "--policy", "mine.py:mine,tail", "--jobs", "1", "--retries", "1"]
    done = sweep(db, *asked, code=30, cwd=tmp_path)
    assert "its worker died 2 times" in done.stderr
    assert query(db, "SELECT count(*) FROM results WHERE policy = 'tail' AND verdict != 'open'") == 4
    policy(tmp_path, 1)
    assert {v[0] for v in verdicts(db, *asked, cwd=tmp_path).values()} == {"proved", "refuted"}
    assert runs(db) == 3


def test_ctrl_c_loses_nothing(done: Path, tmp_path: Path) -> None:
    db = tmp_path / "cut.db"
    running = subprocess.Popen(
        [sys.executable, "-m", "uncork", "sweep", "--db", str(db), "--jobs", "1", *ASKED],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while not (db.exists() and db.stat().st_size and query(db, "SELECT count(*) FROM sqlite_master") and runs(db)):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.killpg(running.pid, signal.SIGINT)  # as a terminal does: to the workers too
    output, errors = running.communicate(timeout=60)
    kept = runs(db)
    assert running.returncode == 130, errors
    assert "Traceback" not in errors
    assert f"interrupted: {SYSTEMS - kept} of {SYSTEMS} searches are left" in errors
    assert f"{kept} searched now, 0 known before, {SYSTEMS - kept} not searched yet" in " ".join(output.split())
    assert 0 < kept < SYSTEMS
    assert verdicts(db, *ASKED) == verdicts(done, *ASKED)
    assert runs(db) == SYSTEMS
    assert sweep(db, *ASKED).stdout == sweep(done, *ASKED).stdout


# -- a cluster ---------------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The address of a cluster of two workers, and the folder in which they look for policy files."""
    distributed = pytest.importorskip("distributed")
    folder, before = tmp_path_factory.mktemp("cluster"), Path.cwd()
    os.chdir(folder)
    there = distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, host="127.0.0.1")
    try:
        yield there.scheduler_address, folder
    finally:
        there.close()
        os.chdir(before)


def test_a_cluster_comes_to_the_same_verdicts(cluster: tuple[str, Path], done: Path, tmp_path: Path) -> None:
    assert verdicts(tmp_path / "there.db", *ASKED, "--cluster", cluster[0]) == verdicts(done, *ASKED)
    assert runs(tmp_path / "there.db") == SYSTEMS


def test_a_worker_with_another_policy_is_refused(cluster: tuple[str, Path], tmp_path: Path) -> None:
    """It has a file of this name that says something else, and what it finds would be kept under the wrong system."""
    address, folder = cluster
    db, asked = tmp_path / "mine.db", [*ONE, "--policy", "mine.py:mine", "--cluster", address]
    policy(folder, 0)
    policy(tmp_path, 1)
    refused = sweep(db, *asked, code=2, cwd=tmp_path)
    assert "a worker has another uncork or another policy file" in refused.stderr
    assert runs(db) == 0
    policy(tmp_path, 0)
    sweep(db, *asked, cwd=tmp_path)
    assert runs(db) == 1


@pytest.mark.parametrize(("file", "died", "verdict"), [("once", "died", "refuted"), ("always", "never", "open")])
def test_an_instance_whose_worker_of_a_cluster_dies_is_tried_again_or_open(
    cluster: tuple[str, Path], tmp_path: Path, file: str, died: str, verdict: str
) -> None:
    address, folder = cluster
    for place in (folder, tmp_path):
        policy(place, 0, KILLS.format(died))
        (place / "mine.py").rename(place / f"{file}.py")
    asked = [*ONE, "--policy", f"{file}.py:mine", "--property", "drains", "--cluster", address]
    found = verdicts(tmp_path / "there.db", *asked, code=30 if verdict == "open" else 0, cwd=tmp_path)
    assert (folder / "died").exists()
    assert {v[0] for v in found.values()} == {verdict}


def test_a_cluster_without_workers_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    distributed = pytest.importorskip("distributed")
    monkeypatch.setattr(workers, "_LOOK", 0.1)
    monkeypatch.setattr(workers, "_PATIENCE", 0.3)
    asked = workers.Task(from_name(LIVE), "", ("drains",), Budget(), "auto")
    with (
        distributed.LocalCluster(n_workers=0, processes=False, protocol="tcp", dashboard_address=":0") as empty,
        workers.Cluster(empty.scheduler_address) as cluster,
        pytest.raises(InstanceError, match="has no worker: start one"),
    ):
        list(cluster.run([asked], 0, unwatched))


def test_a_cluster_that_is_not_there_is_told_of(tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    refused = sweep(tmp_path / "x.db", *ASKED, "--cluster", "tcp://127.0.0.1:9", code=2)
    assert refused.stderr.count("\n") == 1
    assert "--cluster tcp://127.0.0.1:9" in refused.stderr


# -- the file ----------------------------------------------------------------------------------------------------------
def test_files_that_are_no_sweeps_are_refused(copy: Path, tmp_path: Path) -> None:
    whole = copy.read_bytes()
    foreign, newer = tmp_path / "foreign.db", tmp_path / "newer.db"
    query(foreign, "CREATE TABLE instances (name TEXT)")
    newer.write_bytes(whole)
    query(newer, "PRAGMA user_version = 99")
    (tmp_path / "text.db").write_text("device,guest,policy\n" * 99)
    (tmp_path / "half.db").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "burnt.db").write_bytes(whole[:4096] + b"\xff" * (len(whole) - 4096))
    (tmp_path / "folder.db").mkdir()
    for name in ("foreign", "newer", "text", "half", "burnt", "folder", "nowhere/at/all"):
        refused = sweep(tmp_path / f"{name}.db", *ASKED, code=2)
        assert f"{name}.db" in refused.stderr
        assert len(refused.stderr.strip().splitlines()) == (4 if name == "folder" else 1), refused.stderr
        assert refused.stdout == ""
    assert query(foreign, "SELECT count(*) FROM sqlite_master") == 1
    sweep(copy, *ASKED)


def test_what_another_version_contradicts_is_told(copy: Path) -> None:
    query(copy, "UPDATE runs SET version = '0.0.0'")
    sweep(copy, *ASKED, "--recheck")
    assert runs(copy) == 2 * SYSTEMS
    query(copy, f"UPDATE verdicts SET verdict = 'proved' WHERE property = 'drains' AND run IN "
                f"(SELECT id FROM runs WHERE version = '0.0.0' AND instance = '{HANGS}')")  # fmt: skip
    told = sweep(copy, *ASKED, code=22)
    assert f"{HANGS}: contradiction: drains: explicit of uncork 0.0.0 says proved" in told.stderr
    assert runs(copy) == 2 * SYSTEMS


def test_counterexamples_are_shown_without_a_search(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    show = ["trace", HANGS, "--property", "drains", "--format", "itf"]
    searched = CliRunner().invoke(cli, show, standalone_mode=False).stdout
    monkeypatch.setattr(many, "check", None)
    assert CliRunner().invoke(cli, show, standalone_mode=False).exception is not None
    kept = CliRunner().invoke(cli, [*show, "--db", str(copy)], standalone_mode=False).stdout
    assert json.loads(kept)["#meta"]["refutes"] == json.loads(searched)["#meta"]["refutes"]
    assert len(json.loads(kept)["states"]) == len(json.loads(searched)["states"]) == 24
    live = CliRunner().invoke(cli, ["trace", LIVE, "--db", str(copy)], standalone_mode=False)
    assert (live.return_value, "no counterexample" in live.stdout) == (0, True)


def test_the_stored_run_that_trace_opens_is_of_the_property_that_the_table_counts(copy: Path) -> None:
    """Here `drains` gets a shorter run than `uncorked`, as with two SQs."""
    of = f"WHERE run = (SELECT id FROM runs WHERE instance = '{HANGS}') AND property = "
    show = ["trace", HANGS, "--db", str(copy), "--format", "json"]
    for shorter, row in ((22, "drains"), (21, "uncorked")):
        query(copy, f"UPDATE verdicts SET steps = {shorter} {of}'{row}'")
        opened = CliRunner().invoke(cli, show, standalone_mode=False)
        assert json.loads(opened.stdout)["refutes"] == [f"{row} SQ0"], opened.output


def test_a_stored_counterexample_is_replayed_before_it_is_shown(copy: Path) -> None:
    """One of another system is rejected, and one that cannot be read is told in a line."""
    other = (
        "SELECT trace FROM verdicts JOIN runs ON run = id WHERE instance LIKE '%/tail/n1-sq2-cq3' AND trace NOT NULL"
    )
    for blob, code in ((f"({other} LIMIT 1)", 23), ("x'00'", 2)):
        query(copy, f"UPDATE verdicts SET trace = {blob} WHERE run = (SELECT id FROM runs WHERE instance = '{HANGS}')")
        shown = uncork("trace", HANGS, "--db", str(copy))
        assert (shown.returncode, shown.stdout) == (code, ""), shown.stderr
        assert len(shown.stderr.strip().splitlines()) == 1
