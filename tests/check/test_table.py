"""The table of `uncork check`: the recorded verdicts of the default matrix, in several widths."""

from __future__ import annotations

import re

import pytest
from uncork.check import table
from uncork.render.terminal.text import fold
from uncork_nvme.instance import from_name
from uncork_properties import expected

MATRIX = [(instance, expected.word(each.verdicts)) for instance, each in expected.default().values()]


def shown(width: int, signs: table.Signs = table.UNICODE) -> list[str]:
    return [line.plain for line in table.lay_out(table.blocks(MATRIX), width, signs)]


AT_80 = """\
SQs×entries/CQ                  1×2/2 1×3/3 1×4/4 1×4/3 │ 2×2/2 2×2/3 │ 3×2/2
propolis-2025, propolis-2026 · linux
  tail, arm-on-cork              ✗23   ✗28   ✗36   ✗26  │  ✗23   ✗27  │
  tail-lag                       ✗39    ✓     ✓     ✓   │  ✗30   ✗43  │
  tail-1                          ✓     ✓     ✓     ✓   │  ✗30   ✗99  │
  head, reserve-slots,
  reserve-permits                 ✓     ✓     ✓     ✓   │  ✗27   ✗37  │
  reserve-slots-size             ✗23   ✗28   ✗36   ✗26  │  ✗27   ✗27  │
  never                          ✗37   ✗41   ✗46   ✗39  │  ✗29   ✗41  │
mmio · linux
  any policy                      ✓     ✓     ✓     ✓   │  ✗23   ~124 │  ✗23
"""
"""The first lines."""


def test_the_matrix_at_80_columns() -> None:
    lines = shown(80)
    assert lines[: AT_80.count("\n")] == AT_80.splitlines()
    assert lines[-3:] == [
        "guest spdk: all live at 1 SQ",
        "mmio · lazy: all live at 1 SQ",
        "propolis-2025, propolis-2026, arm-recheck · lazy: as linux at 1 SQ",
    ]
    assert len(lines) < 25


def test_in_ascii() -> None:
    lines = shown(80, table.ASCII)
    assert all(line.isascii() for line in lines)
    assert lines[2].split() == ["tail,", "arm-on-cork", "X23", "X28", "X36", "X26", "|", "X23", "X27", "|"]


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_nothing_is_wider_than_the_terminal_or_broken_inside_a_name(width: int) -> None:
    lines = shown(width)
    assert all(len(line) <= width for line in lines)
    words = {word for line in lines for word in re.split(r"[ ,]+", line)}
    assert {each.policy for each, _ in MATRIX} <= words
    assert {each.device for each, _ in MATRIX} <= words


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_every_cell_of_a_block_is_there(width: int) -> None:
    """Cells of a row that stands for several policies count for each of them."""
    numbers = re.findall(r"[✗~]\d+", " ".join(shown(width)))
    words = {word for instance, word in MATRIX if word != "live"}
    assert {table.UNICODE.cell(word) for word in words} == set(numbers)


def test_a_block_that_differs_in_one_cell_has_lines_of_its_own() -> None:
    changed = [(i, "live" if i.name == "propolis-2026/linux/tail/n1-sq3-cq3" else word) for i, word in MATRIX]
    lines = [line.plain for line in table.lay_out(table.blocks(changed), 80)]
    assert {"propolis-2025 · linux", "propolis-2026 · linux"} <= set(lines)
    marked = [(i, f"{word}!" if i.name == "mmio/spdk/tail/n1-sq3-cq3" else word) for i, word in MATRIX]
    lines = [line.plain for line in table.lay_out(table.blocks(marked), 80)]
    assert "✓!" in " ".join(lines)
    assert "mmio · spdk" in lines


def test_overrides_make_a_block() -> None:
    name = "propolis-2026/linux/tail-lag/n1-sq2-cq2"
    cells = [(from_name(name), "HANGS 39"), (from_name(f"{name}/kick_on_post=yes"), "live")]
    lines = [line.plain for line in table.lay_out(table.blocks(cells), 80)]
    assert [" ".join(line.split()) for line in lines[1:]] == [
        "propolis-2026 · linux",
        "tail-lag ✗39",
        "propolis-2026 · linux · kick_on_post=yes: all live",
    ]


def test_names_fold_only_behind_their_marks() -> None:
    assert fold("propolis-2026/linux/my_policy.py:frugal/n1-sq3-cq3", 24) == [
        "propolis-2026/linux/",
        "my_policy.py:frugal/n1-",
        "sq3-cq3",
    ]
    assert fold("undividable", 4) == ["undividable"]
    assert fold("", 4) == [""]


def test_the_legend_has_only_what_is_in_the_table() -> None:
    assert table.UNICODE.legend(["live", "HANGS 3!", "live"]) == ["✓ live (proved)", "✗N hangs, a run of N steps"]
    assert table.UNICODE.meaning(["live", "open"]) == "Live: for every run at these sizes."
