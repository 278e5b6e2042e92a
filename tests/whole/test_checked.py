"""docs/checked.md: it speaks of every device and guest that has a source, and what it shows fails as it says."""

from __future__ import annotations

import re

import pytest
from repository import ROOT
from uncork.decide import many
from uncork_nvme.catalogue import DEVICES, GUESTS
from uncork_nvme.instance import from_name

PAGE = (ROOT / "docs" / "checked.md").read_text()
SHOWN = re.findall(r"`uncork trace (\S+) --property (\w+)`", PAGE)


@pytest.mark.parametrize(("name", "failing"), SHOWN, ids=[name for name, _ in SHOWN])
def test_what_was_found_by_reading_is_a_run_of_the_model(name: str, failing: str) -> None:
    (checked,) = many.check([from_name(name)], [failing])
    assert "refuted" in {row.verdict.word for row in checked.rows}


def test_the_page_speaks_of_every_device_and_guest() -> None:
    devices = {each.name for each in DEVICES.values() if not each.source.startswith("a design")}
    headed = {name for line in re.findall(r"^## .*: (.*)$", PAGE, re.MULTILINE) for name in line.split(", ")}
    assert headed == devices
    assert {name for name in re.findall(r"^\| (\S+) \|", PAGE, re.MULTILINE) if name in GUESTS} == set(GUESTS)
