"""The pages of repairs and of the cheapest designs show what a search finds."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from pages import frontier as frontier_page
from pages import readme
from pages import repairs as repair_page
from repository import RECORDED, ROOT
from uncork.design import price as pricing
from uncork.design import search as repair
from uncork.design import show as repair_report
from uncork.design.decider import Decider
from uncork.design.search import SearchResult
from uncork.design.space import EVENT_IDX, Space, shapes
from uncork_nvme.instance import Instance


def test_the_page_of_repairs_shows_what_is_recorded() -> None:
    page = (ROOT / "docs" / "repair.md").read_text()
    rows = repair_page.load(RECORDED / "repairs.csv")
    assert readme.replaced(page, *repair_page.MARKS, repair_page.page(rows)) == page
    assert {(row.device, row.sqs) for row in rows} == {(d, ",".join(map(str, n))) for d, n in repair_page.CASES}
    other = [replace(rows[0], wait="3"), *rows[1:]]
    assert repair_page.page(other) != repair_page.page(rows)


def recorded_and_found(space: Space) -> tuple[dict[str, repair_page.Row], SearchResult]:
    """What is recorded of Propolis with one SQ, by its changes, and what is found in a part of that space.

    The runs were recorded with notifications that are kept, so their lengths may differ: only the sizes are compared.
    """
    rows = {
        r.changes: r for r in repair_page.load(RECORDED / "repairs.csv") if (r.device, r.sqs) == ("propolis-2025", "1")
    }
    found = repair.search(space, Decider())
    for live in found.live:
        row = rows[repair_report.in_words(live.changes)]
        assert [need.split(" at ")[-1] for need in row.needed.split("; ")] == [
            str(decision.instance.shape) for _, decision in found.needed(live)
        ]
    return rows, found


@pytest.mark.slow
def test_the_page_of_repairs_has_those_that_are_found_with_some_policies() -> None:
    """With some policies: what has fewer changes has them of those too, and so the same designs are minimal."""
    some = ("tail", "tail-1", "head", "arm-on-cork")
    rows, found = recorded_and_found(Space("propolis-2025", shapes=shapes([1]), policies=some))
    known = {each for each in rows if re.split(": |; ", each)[1] in some or EVENT_IDX not in each}
    assert known == {repair_report.in_words(live.changes) for live in found.live}


@pytest.mark.deep
def test_the_page_of_repairs_has_all_that_are_found() -> None:
    rows, found = recorded_and_found(Space("propolis-2025", shapes=shapes([1])))
    assert {row.sums for row in rows.values()} == {repair_report.sums(found)}
    assert rows.keys() == {repair_report.in_words(live.changes) for live in found.live}


@pytest.mark.slow
def test_the_page_of_the_front_has_the_prices_that_are_found() -> None:
    page = (ROOT / "docs" / "frontier.md").read_text()
    _, _, made = page.partition(frontier_page.BEGIN)
    lines = made.partition(frontier_page.END)[0].splitlines()
    prices = {tuple(row[:2]): row[2] for row in _rows(lines) if row[0][0].isdigit()}
    assert list(prices) == [("2/3", "0"), ("2/3", "2"), ("1", "0"), ("1", "2")]
    designs = {(greatest, wait): (policies, switches) for policies, switches, greatest, wait in _rows(lines, "| `")}
    assert designs.keys() == prices.keys()
    for (greatest, wait), (policies, switches) in designs.items():
        changes = dict(each.split("=") for each in switches.strip("`").split("; "))
        policy = policies.split("`")[1]
        price = pricing.price(Instance(frontier_page.DEVICE, "linux", policy, *pricing.PRICED_AT, changes))
        assert price.cells == [prices[greatest, wait], greatest, wait]


def test_the_plot_of_the_front_shows_the_prices_of_the_page() -> None:
    page = (ROOT / "docs" / "frontier.md").read_text()
    lines = page.partition(frontier_page.BEGIN)[2].partition(frontier_page.END)[0].splitlines()
    first: dict[tuple[str, str], str] = {}
    for policies, _, greatest, wait in _rows(lines, "| `"):
        first.setdefault((greatest, wait), policies.split("`")[1])
    points = [
        ((least, greatest, wait), int(count), best == "**not beaten**", first[greatest, wait])
        for greatest, wait, least, count, best in (row for row in _rows(lines) if row[0][0].isdigit())
    ]
    drawn = (ROOT / "docs" / frontier_page.PLOT).read_text()
    assert drawn == frontier_page.plot(points)
    assert drawn != frontier_page.plot([(points[0][0], 15, *points[0][2:]), *points[1:]])


def _rows(lines: list[str], begins: str = "| ") -> list[list[str]]:
    """The rows of tables in Markdown that begin so."""
    return [line.strip("| ").split(" | ") for line in lines if line.startswith(begins)]


def test_the_fold_of_the_front_leaves_out_beaten_designs_that_are_not_minimal() -> None:
    small, more = frozenset({(EVENT_IDX, "head")}), frozenset({(EVENT_IDX, "head"), ("kick_on_post", "yes")})
    cells = ["0", "1", "2"]
    assert "kick_on_post" in frontier_page.designs([(cells, [small, more], True)])
    assert "kick_on_post" not in frontier_page.designs([(cells, [small, more], False)])
