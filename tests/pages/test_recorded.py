"""Generated pages show what is recorded, of all that is to be recorded."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pages import conform, costs, measured, museum, pictures, proofs, readme
from pages.sheets import SHEETS, Sheet
from repository import RECORDED, ROOT
from uncork.cost import show as cost_report
from uncork.measure import show as measure_report
from uncork_properties import expected, matrix, recorded_proofs

DOCS = ROOT / "docs"


def test_equal_rows_and_equal_columns_are_made_one() -> None:
    heads, rows = ["policy", "a", "b", "c"], [["p", "1", "2", "1"], ["q", "1", "2", "1"], ["r", "1", "3", "1"]]
    assert readme.merged(heads, rows) == (["policy", "a; c", "b"], [["p, q", "1", "2"], ["r", "1", "3"]])
    other = [*rows[:2], ["r", "1", "3", "4"]]
    assert readme.merged(heads, other)[0] == heads


def test_readme_shows_the_recorded_verdicts() -> None:
    content = (ROOT / "README.md").read_text()
    assert readme.updated(content) == content


@pytest.mark.slow
def test_the_page_of_devices_and_guests_shows_what_is_recorded() -> None:
    assert museum.field_page(museum.known()) == (DOCS / "field.md").read_text()
    assert list(expected.default("field.csv")) == [instance.name for instance in matrix.field()]


@pytest.mark.parametrize("sheet", SHEETS, ids=[sheet.name for sheet in SHEETS])
def test_the_page_of_a_sheet_shows_what_is_recorded(sheet: Sheet) -> None:
    page = (DOCS / sheet.page).read_text()
    assert sheet.updated(page) == page
    assert list(sheet.recorded) == [instance.name for instance in sheet.instances()]


def test_the_page_of_proofs_shows_what_is_recorded() -> None:
    page = (DOCS / "proof.md").read_text()
    assert proofs.updated(page) == page
    asked = {replace(line, least=2, proved="", breaks="") for line in recorded_proofs.known()}
    assert asked == set(recorded_proofs.designs())


def test_the_page_of_costs_shows_what_is_recorded() -> None:
    rows = cost_report.load(RECORDED / "costs.csv")
    assert costs.page(rows) in (DOCS / "cost.md").read_text()
    assert [each["instance"] for each in rows] == [i.name for i in costs.instances()]


def test_the_page_of_simulated_costs_shows_what_is_recorded() -> None:
    rows = measure_report.recorded(RECORDED / "measured.csv")
    written = (DOCS / "measure.md").read_text()
    assert measured.page(rows) in written and measured.every(rows) in written
    names = [[instance.name, under.name] for instance, under in measured.asked()]
    assert [row[1:3] for row in rows] == names * 3


def test_columns_with_one_value_are_a_sentence() -> None:
    rows = [["1", "0.5", "-"], ["2", "0.5", "-"]]
    assert measured.lacking_constants(["a", "b", "c"], rows) == ("In every row: b 0.5.", ["a"], [["1"], ["2"]])
    assert measured.lacking_constants(["a", "b"], [["1", "x"], ["2", "y"]])[0] == ""


@pytest.mark.slow
def test_the_page_of_a_real_qemu_shows_what_is_recorded() -> None:
    begin, end = conform.MARKS
    content = (DOCS / "conform.md").read_text()
    rows = conform.recorded(RECORDED / "conform.csv")
    assert content.partition(begin)[2].partition(end)[0] == "\n" + conform.page(rows)
    assert {row[1] for row in rows} == {"device", "setting", "control", "guest", "overlay"}


def test_the_pictures_are_those_of_the_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    for name, picture in pictures.drawn().items():
        assert (ROOT / "docs" / "pictures" / name).read_text() == picture, f"make pictures: {name}"
