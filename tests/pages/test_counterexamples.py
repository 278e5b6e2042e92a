"""Stored counterexamples: every one replays, every refuted row has one, and making them anew changes nothing."""

from __future__ import annotations

import filecmp
import re
from pathlib import Path

import pytest
from pages import counterexamples
from repository import STORED
from uncork.core.trace import replay
from uncork.decide import many
from uncork.render import itf
from uncork_nvme.instance import from_name
from uncork_properties import expected
from uncork_properties.catalogue import properties

RUNS = sorted(STORED.glob("*.itf.json"))


@pytest.mark.parametrize("path", RUNS, ids=lambda path: path.name)
def test_stored_counterexample_replays(path: Path) -> None:
    trace, meta = itf.loads(path.read_text())
    instance = from_name(meta["instance"])
    known = {prop.name: prop for prop in properties(instance.machine, instance.system)}
    for name in meta["refutes"]:
        replay(instance.system, trace, known[name])
    recorded = expected.default()[instance.name][1].verdicts
    for name in meta["refutes"]:
        assert recorded[known[name].row] == f"refuted {trace.stem}+{trace.loop_steps}"


@pytest.mark.slow
def test_every_refuted_row_is_stored() -> None:
    stored = set()
    for path in RUNS:
        meta = itf.loads(path.read_text())[1]
        stored |= {(many.fingerprint(from_name(meta["instance"])), name.split(" ")[0]) for name in meta["refutes"]}
    refuted = {
        (many.fingerprint(instance), row)
        for instance, each in expected.default().values()
        for row, cell in each.verdicts.items()
        if cell.startswith("refuted")
    }
    assert stored == refuted


def test_the_page_of_counterexamples_lists_every_one() -> None:
    listed = re.findall(r"^- \[(.+)\]\(\1\.txt\): ", (STORED / "README.md").read_text(), re.MULTILINE)
    assert sorted(f"{name}.itf.json" for name in listed) == [path.name for path in RUNS]
    assert {path.stem for path in STORED.glob("*.txt")} == set(listed)


@pytest.mark.slow
def test_making_some_counterexamples_anew_changes_nothing(tmp_path: Path) -> None:
    named = dict.fromkeys(itf.loads(path.read_text())[1]["instance"] for path in RUNS)
    counterexamples.generate(tmp_path / "again", [from_name(name) for name in [*named][::31]])
    again = sorted({path.name for path in (tmp_path / "again").iterdir()} - {"README.md"})
    assert len(again) >= len(RUNS) // 18
    _, different, errors = filecmp.cmpfiles(STORED, tmp_path / "again", again, shallow=False)
    assert not different
    assert not errors


@pytest.mark.deep
def test_regenerating_the_counterexamples_changes_nothing(tmp_path: Path) -> None:
    counterexamples.generate(tmp_path / "again")
    compared = filecmp.dircmp(STORED, tmp_path / "again", ignore=[])
    assert not compared.left_only
    assert not compared.right_only
    _, different, errors = filecmp.cmpfiles(compared.left, compared.right, compared.common_files, shallow=False)
    assert not different
    assert not errors
