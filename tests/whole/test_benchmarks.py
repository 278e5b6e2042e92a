"""The benchmark runs, and the tools in it that are installed here find as many states as each other."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from repository import ROOT
from uncork_nvme.shape import Shape

BENCHMARKS = ROOT / "benchmarks"


@pytest.mark.slow
def test_a_quick_run_of_the_benchmark_writes_agreeing_results(tmp_path: Path) -> None:
    results = tmp_path / "RESULTS.md"
    command = [sys.executable, str(BENCHMARKS / "run.py"), "--quick", "--output", str(results)]
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


@pytest.mark.slow
@pytest.mark.deep
def test_a_tool_climbs_until_it_reaches_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(BENCHMARKS)
    import ladder
    from measure import Limits
    from tools import Ours

    monkeypatch.setattr(ladder, "RUNGS", [(Shape(1, 2, 2), 0), (Shape(1, 3, 2), 0)])
    reduced = Ours("reduced", "reduced")
    top = ladder.climb(reduced, False, tmp_path / "top", Limits())
    assert top.reached
    assert top.reached[0].instance.endswith("n1-sq3-cq2")
    assert top.failed is None
    bottom = ladder.climb(reduced, False, tmp_path / "bottom", Limits(seconds=0.01))
    assert bottom.reached is None
    assert bottom.failed
    assert bottom.failed[1] == "> 0.01 s"
