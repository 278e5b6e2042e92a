"""The benchmark runs, and the tools in it that are installed here find as many states as each other."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

RUN = Path(__file__).parent.parent / "benchmarks" / "run.py"


def test_a_quick_run(tmp_path: Path) -> None:
    results = tmp_path / "RESULTS.md"
    command = [sys.executable, str(RUN), "--quick", "--output", str(results)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr  # it is not 0 where numbers of states differ
    written = results.read_text(encoding="utf-8")
    (states,) = re.findall(r"(?m)^### .*: safety, ([\d,]+) states$", written)
    assert int(states.replace(",", "")) > 1000
    rows = {line.split("|")[1].strip(): line for line in written.splitlines() if line.startswith("| ")}
    assert "proved" in rows["uncork"]
    if shutil.which("spin") and shutil.which("gcc"):
        assert "no error" in rows["SPIN"]
    else:
        assert "SPIN is left out" in written
