"""`uncork check --watch`, with a file that is saved as an editor saves it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from uncork_nvme.instance import find_policy, forget

pytestmark = pytest.mark.slow  # they start programs

POLICY = "def mine(cq):\n    return cq.tail - {}\n"
ASKED = ["--device", "propolis-2026", "--guest", "linux", "--sqs", "1", "--sq-size", "2", "--set", "submit_batch=1"]


class Watching:
    """A running `uncork check --watch`, with what it said so far."""

    def __init__(self, folder: Path, *args: str) -> None:
        command = [sys.executable, "-m", "uncork", "check", "--watch", *args]
        self.running = subprocess.Popen(
            command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
        )
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.running.stdout is not None
        self.lines.extend(iter(self.running.stdout.readline, ""))

    def until(self, words: str) -> list[str]:
        """The lines up to one with these words, which are then forgotten."""
        ends = time.monotonic() + 60
        while time.monotonic() < ends:
            for number, line in enumerate(self.lines):
                if words in line:
                    told, self.lines[: number + 1] = self.lines[: number + 1], []
                    return told
            time.sleep(0.05)
        raise AssertionError(f"no {words!r} in {self.lines}")

    def interrupt(self) -> int:
        """The exit code after Ctrl-C, which a terminal sends to all that was started."""
        os.killpg(self.running.pid, signal.SIGINT)
        code = self.running.wait(30)
        self._reader.join(5)
        return code


@pytest.fixture
def watching(tmp_path: Path) -> Iterator[Watching]:
    (tmp_path / "mine.py").write_text(POLICY.format(1))
    started = Watching(tmp_path, "--policy", "mine.py:mine", *ASKED, "--junit", "j.xml")
    yield started
    if started.running.poll() is None:
        started.running.kill()


def test_each_save_is_checked_until_ctrl_c(watching: Watching, tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    watching.until("watching mine.py")
    watching.until("AS EXPECTED")
    saved = file.stat().st_mtime_ns

    file.write_text(POLICY.format(0))  # as long as it was, and in the same second
    os.utime(file, ns=(saved, saved + 1000))
    assert watching.until("mine.py was saved")[-1].startswith("== ")
    watching.until("NOT AS EXPECTED")
    watching.until("why  uncork trace")
    assert 'failures="3"' in (tmp_path / "j.xml").read_text()

    file.write_text("def mine(cq):\n    return cq.tail -\n")
    watching.until("was saved")
    watching.until("Error: mine.py:2: invalid syntax: return cq.tail -")
    file.write_text("def mine(cq):\n    return cq.tial\n")
    watching.until("was saved")
    watching.until("Error: mine.py:2: a policy cannot look at 'tial' (did you mean 'tail'?): return cq.tial")

    (tmp_path / "new").write_text(POLICY.format(1))
    (tmp_path / "new").replace(file)  # as most editors do
    watching.until("AS EXPECTED")
    assert 'failures="0"' in (tmp_path / "j.xml").read_text()

    assert watching.interrupt() == 130
    rest = "".join(watching.lines)
    assert "interrupted" in rest
    assert "Traceback" not in rest
    assert {path.name for path in tmp_path.iterdir()} == {"mine.py", "j.xml"}  # no byte code beside it


def test_ctrl_c_in_the_middle_of_a_check_ends_the_watch(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(POLICY.format(1))
    large = ["--device", "arm-recheck", "--guest", "linux", "--sqs", "2", "--sq-size", "3", "--reductions", "none"]
    started = Watching(tmp_path, "--policy", "mine.py:mine", *large)
    started.until("watching")
    time.sleep(4)
    assert started.interrupt() == 130
    assert "Traceback" not in "".join(started.lines)


def test_expectations_are_watched_too(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(POLICY.format(1))
    expect = tmp_path / "expected.csv"
    table = "device,guest,policy,sqs,sq_size,cq_size,uncorked\npropolis-2026,linux,mine.py:mine,1,2,2,{}\n"
    expect.write_text(table.format("proved"))
    started = Watching(tmp_path, "--expect", "expected.csv", "--property", "uncorked")
    started.until("watching mine.py, expected.csv")
    started.until("AS EXPECTED")
    expect.write_text(table.format("refuted"))
    started.until("expected.csv was saved")
    started.until("uncorked: proved, expected refuted")
    expect.write_text(table.format("fine"))
    assert not [line for line in started.until("was saved") if "Error" in line]
    started.until("Error: expected.csv:2: uncorked is 'fine'")
    assert started.interrupt() == 130


DEVICE = """from uncork_nvme import *
import beside
mine = DEVICES["propolis-2026"].but("mine", "", {{{}: {{}}}}, policy={!r})
"""


def test_a_device_and_what_it_imports_are_watched(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(DEVICE.format("Park", "tail-1"))
    (tmp_path / "beside.py").write_text("")
    started = Watching(tmp_path, "--device", "mine.py:mine", *ASKED[2:])
    started.until("watching mine.py")
    started.until("AS EXPECTED")
    (tmp_path / "mine.py").write_text(DEVICE.format("Parc", "tail-1"))
    started.until("was saved")
    started.until("Error: mine.py:3: NameError: name 'Parc' is not defined")
    (tmp_path / "mine.py").write_text(DEVICE.format("Park", "tail"))
    started.until("NOT AS EXPECTED")
    (tmp_path / "beside.py").write_text("1 / 0\n")
    started.until("Error: beside.py:1: ZeroDivisionError")
    (tmp_path / "beside.py").write_text("")
    (tmp_path / "mine.py").write_text(DEVICE.format("Park", "tail-1"))
    started.until("AS EXPECTED")
    assert started.interrupt() == 130
    assert {path.name for path in tmp_path.iterdir()} == {"mine.py", "beside.py"}  # no byte code beside them


def test_a_policy_is_read_again_only_after_forget(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("def mine(cq):\n    'One.'\n")
    name = f"{file}:mine"
    assert find_policy(name).doc == "One."
    saved = file.stat().st_mtime_ns
    file.write_text("def mine(cq):\n    'Two.'\n")
    os.utime(file, ns=(saved, saved))
    assert find_policy(name).doc == "One."
    forget()
    assert find_policy(name).doc == "Two."
