"""`uncork verify` as its users meet it."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import uncork

pytestmark = pytest.mark.slow  # they start programs
HANGS = ["--device", "propolis-2025", "--guest", "linux", "--policy", "tail", "--sqs", "1", "--sq-size", "3"]


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
