"""Tables and bars: they fit, and nothing breaks inside a word, in any width."""

from __future__ import annotations

import re
from io import BytesIO, StringIO, TextIOWrapper

import pytest
from rich.console import Console
from uncork.render.terminal.grid import Bars, Table
from uncork.render.terminal.text import Page, console, table

WIDTHS = (60, 80, 120)
COSTS = table(
    None,
    ["instance", "CQ doorbells", "wait: CQEs", "states"],
    [
        ["propolis-2026/linux/reserve-permits/n1-sq1024-cq1024/submit_batch=1", "0 to 2/3", "for ever", "22,339"],
        ["propolis-2026/linux/tail-1/n1-sq3-cq3", "~0 to 1", "2", "7"],
    ],
    numbers=(3,),
)


def printed(made: Table | Bars, width: int) -> str:
    file = StringIO()
    Page(to=Console(file=file, width=width, color_system=None)).show(made)
    return file.getvalue()


AT_80 = """\
instance                                             CQ         wait:     states
                                                     doorbells  CQEs
────────────────────────────────────────────────────────────────────────────────
propolis-2026/linux/reserve-permits/n1-sq1024-       0 to 2/3   for ever  22,339
cq1024/submit_batch=1
propolis-2026/linux/tail-1/n1-sq3-cq3                ~0 to 1    2              7
"""


def test_names_fold_behind_their_marks_and_numbers_stand_on_the_right() -> None:
    assert printed(COSTS, 80) == AT_80


def test_a_table_that_does_not_fit_says_so_and_has_its_cells_under_one_another() -> None:
    narrow = printed(table(None, ["name", "what it is"], [["undividable" * 3, "short"]]), 30).splitlines()
    assert narrow == ["(side by side from 40 columns on)", "undividable" * 3, "  what it is: short"]


@pytest.mark.parametrize("width", [24, 40, *WIDTHS])
def test_every_cell_is_there_and_no_word_is_broken(width: int) -> None:
    shown = printed(COSTS, width)
    words = re.findall(r"[^\s/,=-]+", shown)
    for row in COSTS.rows:
        for cell in row:
            assert set(re.findall(r"[^\s/,=-]+", cell)) <= set(words)
    assert max(map(len, shown.splitlines())) <= max(width, len("(side by side from 38 columns on)"))


def test_a_cell_keeps_its_lines_and_its_indent() -> None:
    made = table("shapes", ["device, policy", "sizes"], [["mmio", ""], [" tail-lag", "n1-sq2-cq2\nn1-sq3-cq3"]])
    assert [line.rstrip() for line in printed(made, 60).splitlines()] == [
        "shapes",
        "device, policy  sizes",
        "──────────────────────────",
        "mmio",
        " tail-lag       n1-sq2-cq2",
        "                n1-sq3-cq3",
    ]


BARS = Bars(
    ["tail\nfull", "head", "never"], {"CQ rings": ([0.5, 0.0, None], "{:.3f}"), "p99": ([1.0, 40.0, 20.0], "{:.1f}")}
)


def test_a_bar_is_as_long_as_its_value_and_nothing_has_none() -> None:
    lines = [line.rstrip() for line in printed(BARS, 60).splitlines()]
    assert lines == [
        "       CQ rings                      p99",
        "tail      0.500  █████████████████   1.0  █",
        "full",
        "head      0.000                     40.0  █████████████████",
        "never         -                     20.0  ████████",
    ]


def test_bars_too_short_to_compare_stand_under_one_another() -> None:
    shown = printed(BARS, 40)
    assert shown.index("CQ rings") < shown.index("never") < shown.index("p99")
    assert max(map(len, shown.splitlines())) <= 40


def test_a_terminal_without_unicode_gets_none() -> None:
    raw = BytesIO()
    file = TextIOWrapper(raw, encoding="ascii")
    page = Page(to=Console(file=file, width=60, color_system=None))
    for made in (COSTS, BARS):
        page.show(made)
    page.say("SQ0 [•] → ▸")
    file.flush()
    assert raw.getvalue().isascii()
    assert b"####" in raw.getvalue() and b"----" in raw.getvalue()


@pytest.mark.parametrize(("said", "width"), [("100", 100), ("", 80), ("many", 80)])
def test_without_a_terminal_columns_says_how_wide(said: str, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", said)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    monkeypatch.setattr("sys.stdout", StringIO())
    assert console().width == width
