"""Runs the command line as its users do: in a process of its own, which finds uncork imported (see `serving`)."""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent
_server: subprocess.Popen[bytes] | None = None


@cache
def program() -> Path:
    """The command `uncork`, in a folder for PATH."""
    folder = Path(tempfile.mkdtemp(prefix="uncork-"))
    atexit.register(shutil.rmtree, folder)
    made = folder / "bin" / "uncork"
    made.parent.mkdir()
    if sys.platform == "linux":
        _serve(folder / "socket")
        begins = f"{sys.executable} -IS {HERE / 'asking.py'} {folder / 'socket'}"
    else:
        begins = f"{sys.executable} -m uncork"
    made.write_text(f'#!/bin/sh\nexec {begins} "$@"\n')
    made.chmod(0o755)
    return made


def _serve(socket: Path) -> None:
    global _server
    command = [sys.executable, HERE / "serving.py", socket]
    _server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert _server.stdin is not None and _server.stdout is not None
    atexit.register(_server.wait)
    atexit.register(_server.stdin.close)  # which ends it
    assert _server.stdout.read(1) == b"\n"


def uncork(*args: str, cwd: Path | None = None, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """What `uncork` with these arguments printed, and its exit code; it has no terminal."""
    return subprocess.run([program(), *args], capture_output=True, text=True, cwd=cwd, input=stdin, check=False)


def spent() -> float:
    """Seconds of a processor of the commands that have ended, and of importing uncork for them."""
    if _server is None:
        return 0
    fields = Path(f"/proc/{_server.pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")  # its own, and of what it has waited for
