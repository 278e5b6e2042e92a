"""What a script calls does what the page and the example say, and what the commands find."""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from repository import DATA, ROOT
from uncork import api
from uncork.core.trace import ReplayError, Trace
from uncork_nvme.choices import ChoiceError
from uncork_nvme.instance import InstanceError

HANGS, LIVE = "propolis-2025/linux/tail/n1-sq2-cq2", "propolis-2026/linux/tail-1/n1-sq2-cq2"


@pytest.mark.slow
def test_the_examples_of_the_page_give_what_it_shows() -> None:
    found = doctest.testfile(str(ROOT / "docs" / "python.md"), module_relative=False)
    assert found.attempted > 10
    assert found.failed == 0


@pytest.mark.slow
def test_the_example_script_tells_policies_that_hang_from_those_that_do_not() -> None:
    script = [sys.executable, str(ROOT / "examples" / "which_policies_hang.py"), "propolis-2026", "tail", "tail-1"]
    done = subprocess.run(script, capture_output=True, text=True, check=True, env=dict(os.environ))
    words = dict(line.split(maxsplit=1) for line in done.stdout.splitlines()[:2])
    assert words == {"tail": "refuted", "tail-1": "live"}
    assert "hangs after 28 steps" in done.stdout


def test_a_trace_is_none_if_nothing_is_refuted() -> None:
    assert api.trace(LIVE) is None
    found = api.trace(HANGS, "drains")
    assert found is not None
    assert found.property.name == "drains SQ0"


def test_a_run_of_another_instance_is_rejected() -> None:
    found = api.trace(HANGS)
    assert found is not None
    with pytest.raises(ReplayError):
        api.replay(LIVE, found.run)
    assert api.replay(HANGS, Trace(found.run.states[:3], found.run.steps[:2])) == ()


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: api.check("propolis-2025/linux/tial/n1-sq2-cq2"), "tial"),
        (lambda: api.measure(HANGS, "heavy"), "there is no load 'heavy'"),
        (lambda: api.validate(__file__, HANGS, format="csv"), "there is no log format 'csv'"),
        (lambda: api.prove("tail-1", "arm-recheck", overrides={"cork": "parc"}), "parc"),
    ],
)
def test_the_api_tells_of_bad_input_in_words(call, says: str) -> None:
    with pytest.raises((InstanceError, ChoiceError), match=says):
        call()


def test_a_log_is_held_against_an_instance(tmp_path: Path) -> None:
    """A real QEMU's log is accepted; the same log with a value changed is not, and the line is named."""
    log = DATA / "qemu-7.2.22-linux-6.1-depth-8.log"
    found = api.validate(log, "qemu-7.1/linux/head/n1-sq8-cq8", format="qemu")
    assert (found.fits, found.failed, found.accepted) == (True, None, found.events)
    lines = log.read_text(encoding="utf-8").splitlines(keepends=True)
    place, line = next((n, each) for n, each in enumerate(lines) if n > 100 and "new_head" in each)
    lines[place] = re.sub(r"new_head \d+", lambda m: f"new_head {(int(m[0][9:]) + 3) % 8}", line)
    changed = tmp_path / "changed.log"
    changed.write_text("".join(lines), encoding="utf-8")
    rejected = api.validate(changed, "qemu-7.1/linux/head/n1-sq8-cq8", format="qemu")
    assert not rejected.fits
    assert rejected.failed is not None
