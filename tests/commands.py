"""Runs the command line as its users do: in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def uncork(*args: str, cwd: Path | None = None, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """What `uncork` with these arguments printed, and its exit code; it has no terminal."""
    command = [sys.executable, "-m", "uncork", *args]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, input=stdin, check=False)
