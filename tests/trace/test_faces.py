"""How runs look in a terminal: a trace in short, and beside another design, at 60, 80 and 120 columns."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from io import BytesIO, StringIO, TextIOWrapper
from pathlib import Path

import pytest
from repository import ROOT
from rich.console import Console
from uncork.core.causes.cause import cause
from uncork.render.terminal.text import Page
from uncork.render.terminal.trace import show_run, show_trace
from uncork.trace.beside import beside
from uncork.trace.other import other_of
from uncork.trace.runs import Stored, stored
from uncork.trace.show import as_json, show
from uncork_nvme.instance import InstanceError, from_name
from uncork_properties.catalogue import named, properties

WIDTHS = (60, 80, 120)
SHOWN = Path(__file__).parent / "shown"
HANG, LOOPS = "propolis-2025-linux-tail-n1-sq3-cq3-uncorked", "arm-recheck-linux-tail-n2-sq2-cq2-progress"


@cache
def kept(name: str) -> Stored:
    return stored(str(ROOT / "counterexamples" / f"{name}.itf.json"))


def told(of: Stored, to: Page, other: str = "", *, whole: bool = False) -> None:
    system, prop = of.instance.system, of.refutes[0]
    if not other:
        show_trace(to, of.instance.name, system, prop, of.run, shortest=of.shortest)
        return
    second = other_of(of.instance, other)
    found = beside(system, of.run, second.system, named(properties(second.machine, second.system), prop.name))
    show(to, of.instance, prop, of.run, cause(system, prop, of.run), second, found, whole=whole)


def printed(of: Stored, width: int, other: str = "", *, whole: bool = False) -> str:
    file = StringIO()
    told(of, Page(to=Console(file=file, width=width, color_system=None)), other, whole=whole)
    return file.getvalue()


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("other", ["", "head"])
def test_the_hang_reads_as_it_should(other: str, width: int) -> None:
    """The files are what was read and found right: `printed` of the same."""
    file = "-".join(filter(None, ("hang", other, str(width))))
    assert printed(kept(HANG), width, other) == (SHOWN / f"{file}.txt").read_text()


def test_the_hang_fits_a_screen_and_marks_the_steps_of_its_cause() -> None:
    of = kept(HANG)
    lines = printed(of, 80).splitlines()
    assert len(lines) <= 45
    marked = tuple(int(found[1]) for line in lines if (found := re.match(r"▸ *(\d+)", line)))
    assert marked == cause(of.instance.system, of.refutes[0], of.run).steps == (25, 26, 27, 28)
    assert [line for line in lines if re.match(r"[ ▸]\d\d? |[ ▸] \d ", line)] == [
        line for line in lines if re.match(r"[ ▸]( \d|\d\d) ", line)
    ]
    assert len([line for line in lines if re.match(r"[ ▸]( \d|\d\d) ", line)]) == 28


@pytest.mark.parametrize("name", [HANG, LOOPS, "mmio-linux-tail-n2-sq2-cq2-uncorked"])
@pytest.mark.parametrize("other", ["", "arm-recheck/linux/head"])
def test_nothing_is_wider_than_the_terminal_or_broken_inside_a_word(name: str, other: str) -> None:
    of = kept(name)
    shown = [printed(of, width, other) for width in WIDTHS]
    for text, width in zip(shown, WIDTHS, strict=True):
        assert max(map(len, text.splitlines())) <= width
    letters = {"".join(text.split()) for text in shown}
    assert len(letters) == 1  # the same words in the same order
    words = [{word for word in re.split(r"[\s/,=-]+", text) if word} for text in shown]
    assert words[0] == words[1] == words[2]


def test_a_loop_is_marked_and_told_from_where_it_starts() -> None:
    of = kept(LOOPS)
    text = printed(of, 80)
    assert text.count("↻") == of.run.loop_steps + 1  # and once in the legend
    assert f"where the loop starts, after step {of.run.loop}:" in text


def test_without_unicode() -> None:
    for name, other in ((HANG, ""), (LOOPS, ""), (HANG, "head")):
        raw = BytesIO()
        file = TextIOWrapper(raw, encoding="ascii")
        told(kept(name), Page(to=Console(file=file, width=80, color_system=None)), other)
        file.flush()
        assert raw.getvalue().isascii()
        assert b"CQ [SEhg*][t][ ]" in raw.getvalue() or name == LOOPS or other


def test_indices_of_a_large_ring_are_told_in_numbers() -> None:
    from uncork.trace.runs import random_run

    instance = from_name("propolis-2025/linux/tail/n1-sq16-cq16")
    file = StringIO()
    run = random_run(instance, 20, 1)
    show_run(Page(to=Console(file=file, width=100, color_system=None)), "a run", instance.system, run)
    assert re.search(r"SQ0 S \d+$", file.getvalue(), re.MULTILINE)
    assert "[ ]" not in file.getvalue()


# -- beside ------------------------------------------------------------------------------------------------------------
def test_steps_of_both_are_all_there_if_all_is_asked_for() -> None:
    of = kept(HANG)
    whole = printed(of, 100, "head", whole=True)
    assert [int(n) for n in re.findall(r"^(?:A | {2}) ?(\d+) \w", whole, re.MULTILINE)] == list(range(1, 29))
    assert "both do the same" in printed(of, 100, "head") and "both do the same" not in whole


def test_beside_itself_a_design_does_the_same() -> None:
    of = kept(HANG)
    text = printed(of, 80, of.instance.name)
    assert "Both take the same steps, with the same values." in text
    assert "\nB " not in text.split("\n\n")[2]


def test_what_is_told_as_data_is_what_is_printed() -> None:
    of, prop = kept(HANG), kept(HANG).refutes[0]
    second = other_of(of.instance, "head")
    found = beside(
        of.instance.system, of.run, second.system, named(properties(second.machine, second.system), prop.name)
    )
    data = as_json(of.instance, prop, second, found, cause(of.instance.system, prop, of.run))
    assert (data["parting"], data["turning"], data["end"]) == (16, 28, "ended")
    assert [row["one"]["step"] for row in data["rows"] if row["one"]] == list(of.run.steps)
    assert [row["other"]["step"] for row in data["rows"] if row["other"]] == list(found.run.steps)


def test_a_word_stands_for_a_design_beside_an_instance() -> None:
    of = from_name("propolis-2025/linux/tail/n1-sq2-cq3/kick_on_post=yes")
    assert other_of(of, "head") == replace(of, policy="head")
    assert other_of(of, "kick_on_remit=yes").overrides == {"kick_on_post": "yes", "kick_on_remit": "yes"}
    assert other_of(of, "mmio/lazy/tail").name == "mmio/lazy/tail/n1-sq2-cq3"
    assert other_of(of, "mmio/lazy/tail/kick_size=all").name == "mmio/lazy/tail/n1-sq2-cq3/kick_size=all"
    assert other_of(of, "mmio/lazy/tail/n1-sq4-cq4").name == "mmio/lazy/tail/n1-sq4-cq4"
    for wrong, said in (("mmio/lazy", "is no design"), ("mmio/lasy/tail", "guest 'lasy'"), ("tial", "'tail'")):
        with pytest.raises(InstanceError, match=said):
            other_of(of, wrong)
