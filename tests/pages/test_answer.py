"""One answer to Propolis's #1043, in every page that gives one: made from what is recorded, and held to it."""

from __future__ import annotations

import re

import pytest
from pages import DOCS, answer, measured
from repository import ROOT
from uncork.render.html.plots import unbeaten


@pytest.mark.parametrize("page", answer.PAGES)
def test_a_page_gives_the_answer_that_the_data_gives(page: str) -> None:
    content = (ROOT / page).read_text()
    assert answer.updated(page, content) == content


def test_the_answer_is_right_about_soonest_cheapest_and_proved() -> None:
    found = {price.policy: price for price in answer.prices()}
    taken = found[answer.TAKEN]
    assert all(taken.resume <= price.resume for price in found.values())
    assert taken.proved == "any number of SQs"
    said = answer.answer()
    cheapest = said.partition("` **rings least**")[0].rpartition("`")[2]
    assert all(found[cheapest].rings <= price.rings for price in found.values())


def test_the_plots_show_what_is_recorded() -> None:
    assert (DOCS / answer.PLOT).read_text() == answer.plot()
    said = answer.answer()
    best = re.findall(r'<text class="good b"[^>]*>([^<]+)<', answer.plot())
    assert sorted(best) == sorted([answer.TAKEN, said.partition("` **rings least**")[0].rpartition("`")[2]])
    assert all(f">{policy}</text>" in answer.plot() for policy in measured.POLICIES)


def test_a_point_is_best_if_no_other_is_better() -> None:
    assert unbeaten([(1, 1), (1, 2), (2, 1), (0, 3), (0, 3)]) == [True, False, False, True, True]


def test_no_page_gives_another_answer() -> None:
    """Words that recommend a policy stand in the answer and nowhere else."""
    for page in (*answer.PAGES, "docs/cost.md", "docs/frontier.md", "docs/measure.md", "docs/repair.md"):
        content = (ROOT / page).read_text()
        before, _, rest = content.partition(answer.BEGIN)
        rest = rest.partition(answer.END)[2]
        for words in ("So take", "the formula to take", "cheaper still", "is the cheapest"):
            assert words not in before + rest, f"{page} says {words!r} outside of the answer"
