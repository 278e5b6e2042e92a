"""The pages of repairs and of the cheapest designs show what a search finds."""

from __future__ import annotations

import re

import pytest
from pages import frontier as frontier_page
from repository import ROOT
from uncork.design import price as pricing
from uncork.design import search as repair
from uncork.design import show as repair_report
from uncork.design.decider import Decider
from uncork.design.search import SearchResult
from uncork.design.space import EVENT_IDX, Space, shapes
from uncork_nvme.instance import Instance


def repairs_of_the_page(space: Space) -> tuple[SearchResult, str]:
    """What is found in a space of Propolis with one SQ, and the page's section, which has all of that."""
    page = (ROOT / "docs" / "repair.md").read_text()
    found = repair.search(space, Decider())
    section = page.split("\n## ")[1]
    for live in found.live:
        assert f"| `{repair_report.in_words(live.changes)}` |" in section
        for _, decision in found.needed(live):
            assert decision.instance.name in section
    return found, section


@pytest.mark.slow
def test_the_page_of_repairs_has_those_that_are_found_with_some_policies() -> None:
    """With some policies: what has fewer changes has them of those too, and so the same designs are minimal."""
    some = ("tail", "tail-1", "head", "arm-on-cork")
    found, section = repairs_of_the_page(Space("propolis-2025", shapes=shapes([1]), policies=some))
    listed = re.findall(r"^\|[^|]*\| `([^`]*)` \|", section, re.MULTILINE)
    said = {each for each in listed if re.split(": |; ", each)[1] in some or EVENT_IDX not in each}
    assert said == {repair_report.in_words(live.changes) for live in found.live}


@pytest.mark.deep
def test_the_page_of_repairs_has_all_that_are_found() -> None:
    found, section = repairs_of_the_page(Space("propolis-2025", shapes=shapes([1])))
    assert repair_report.sums(found) in section


@pytest.mark.slow
def test_the_page_of_the_front_has_the_prices_that_are_found() -> None:
    page = (ROOT / "docs" / "frontier.md").read_text()
    _, _, made = page.partition(frontier_page.BEGIN)
    lines = made.partition(frontier_page.END)[0].splitlines()
    rows = [line.strip("| ").split(" | ") for line in lines if "| `" in line]
    assert [row[:2] for row in rows] == [["2/3", "0"], ["2/3", "2"], ["1", "0"], ["1", "2"]]
    for greatest, wait, least, _, designs in rows:
        changes = dict(re.split(": |=", change, maxsplit=1) for change in designs.split("`")[1].split("; "))
        policy = changes.pop(EVENT_IDX)
        price = pricing.price(Instance(frontier_page.DEVICE, "linux", policy, *pricing.PRICED_AT, changes))
        assert price.cells == [least, greatest, wait]
