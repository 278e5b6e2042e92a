"""Bad input, as rows of a table: what is typed, how it has to end, and a piece of what has to be said.

Whatever the input, a command ends in time with its exit code, says what was wrong and what to write instead, gives no
traceback, and leaves no file that is half written.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

import pytest
from uncork import cli
from uncork_nvme.instance import forget

Prepare = Callable[[Path], None]
"""Makes files that are not text in the folder in which a command runs."""


@dataclass(frozen=True)
class Bad:
    """A command line, the files that it finds, its exit code, and a piece of what it says.

    `apart`: in a process of its own, for what might end, hang or change the process that it runs in. `seconds`: how
    long it may take. `untouched`: files that have to be after it what they were before.
    """

    args: tuple[str, ...]
    exit: int
    says: str
    files: Mapping[str, str | bytes] = field(default_factory=dict)
    prepare: Prepare | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    apart: bool = False
    seconds: float = 10
    untouched: tuple[str, ...] = ()


def bad(line: str, exit: int, says: str, files: Mapping[str, str | bytes] | None = None, **more: object) -> Bad:
    """A row whose words stand between spaces; `''` is an empty word. For other words make a `Bad`."""
    words = tuple("" if word == "''" else word for word in line.split())
    return Bad(words, exit, says, files or {}, **more)  # type: ignore[arg-type]


class TooLong(AssertionError):
    """A command did not end in time."""


@contextmanager
def _within(seconds: float) -> Iterator[None]:
    def ring(_: int, __: FrameType | None) -> None:
        raise TooLong(f"still running after {seconds:g} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _apart(row: Bad) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "uncork", *row.args],
        capture_output=True, text=True, errors="replace", check=False, timeout=row.seconds, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def _here(row: Bad, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> tuple[int, str]:
    monkeypatch.setattr(sys, "argv", ["uncork", *row.args])
    forget()  # policies of another row, in a file of the same name
    with _within(row.seconds), pytest.raises(SystemExit) as ended:
        cli.main()
    said = capfd.readouterr()
    return int(ended.value.code or 0), said.out + said.err


def holds(row: Bad, folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    """Runs a row in a folder of its own, and asserts what it says."""
    for name, content in row.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    if row.prepare:
        row.prepare(folder)
    monkeypatch.chdir(folder)
    for name, value in row.env.items():
        monkeypatch.setenv(name, value)
    before = {name: (folder / name).read_bytes() for name in row.untouched}
    began = time.monotonic()
    code, said = _apart(row) if row.apart else _here(row, capfd, monkeypatch)
    assert "Traceback" not in said, said
    assert "defect of uncork" not in said, said
    assert code == row.exit, said
    assert row.says in " ".join(said.split()), said
    assert time.monotonic() - began < row.seconds
    assert {name: (folder / name).read_bytes() for name in row.untouched} == before
    assert not list(folder.rglob("tmp*")), "a file that is half written"


def names(rows: list[Bad]) -> list[str]:
    """What the rows are called in a list of failures."""
    return [" ".join(each if each else "''" for each in row.args)[:70] or "nothing" for row in rows]
