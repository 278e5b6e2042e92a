"""`uncork prove` as its users meet it."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import uncork

pytestmark = pytest.mark.slow  # they start programs


@pytest.mark.parametrize("certified", [False, pytest.param(True, marks=pytest.mark.deep)])
def test_a_design_is_proved_for_all_sizes_and_its_certificate_verified(tmp_path: Path, *, certified: bool) -> None:
    folder = tmp_path / "proof"
    options = ["--certificate", str(folder)] if certified else []
    done = uncork("prove", "tail", "--device", "mmio", "--set", "kick_on_remit=yes", *options)
    assert done.returncode == 0, done.stderr
    assert "live for every queue size and one SQ" in done.stdout
    assert "live for every queue size and any number of SQs" in " ".join(done.stdout.split())
    assert not done.stderr
    if not certified:  # those of one SQ are, of commands of the documentation
        return
    checked = uncork("verify", str(folder))
    assert checked.returncode == 0, checked.stderr
    assert "cvc5" in checked.stdout


def test_a_design_that_is_not_live_is_told_with_the_step_and_the_sizes() -> None:
    done = uncork("prove", "tail-lag", "--device", "propolis-2026", "--sqs", "one")
    told = " ".join(done.stdout.split())
    assert done.returncode == 13
    assert "wake-up on its way of SQ0, after cork(SQ0)" in told
    assert "live for every SQ size and every CQ of 3 entries or more and one SQ" in told
    assert "really fails at propolis-2026/linux/tail-lag/n1-sq2-cq2" in told
    assert "C = 2" in told


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["tial", "--device", "mmio"], "did you mean 'tail'?"),
        (["tail", "--device", "mimo"], "did you mean 'mmio'?"),
        (["tail", "--device", "propolis-2025", "--set", "kick_size=room"], "use all"),
    ],
)
def test_what_cannot_be_proved_about_is_refused(arguments: list[str], says: str) -> None:
    done = uncork("prove", *arguments)
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr
