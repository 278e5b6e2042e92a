"""A device's program, in a terminal of any width and beside its actions; and what differs between two."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO, StringIO, TextIOWrapper
from pathlib import Path

import pytest
from rich.console import Console
from uncork.core.system import System
from uncork.describe import program
from uncork.describe.difference import difference
from uncork.describe.show import explain, listing
from uncork.describe.show_difference import show
from uncork.describe.subject import known
from uncork.render.terminal.text import Page
from uncork_nvme.catalogue import DEVICES, GUESTS
from uncork_nvme.device import Device, Guest

WIDTHS = (60, 80, 120)
SHOWN = Path(__file__).parent / "shown"


def printed(name: str, width: int, other: str = "", *, steps: bool = False) -> str:
    """What `uncork show`, or `uncork diff`, prints in a terminal of this width, without blanks at the ends of lines."""
    file = StringIO()
    page = Page(to=Console(file=file, width=width, color_system=None, highlight=False))
    if other:
        show(difference(name, other), page)
    else:
        explain(name, steps=steps, to=page)
    return "".join(f"{line.rstrip()}\n" for line in file.getvalue().splitlines())


# -- how it reads ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize(
    ("name", "other"), [("propolis-2026", ""), ("propolis-2025", "propolis-2026"), ("arm-recheck", "hand-over")]
)
def test_it_reads_as_it_should(name: str, other: str, width: int) -> None:
    """The files are what was read and found right: `printed` of the same."""
    file = "-".join(filter(None, (name, other, str(width))))
    assert printed(name, width, other) == (SHOWN / f"{file}.txt").read_text()


@pytest.mark.parametrize("width", WIDTHS)
def test_a_list_has_a_line_for_each_entry(width: int) -> None:
    file = StringIO()
    listing("devices", Page(to=Console(file=file, width=width, color_system=None, highlight=False)))
    title, *lines = file.getvalue().splitlines()
    assert title == "devices"
    assert [line.split()[0] for line in lines[: len(DEVICES)]] == list(DEVICES)
    assert max(map(len, lines)) <= width
    for line, device in zip(lines, DEVICES.values(), strict=False):
        said = line.split(maxsplit=1)[1:]
        assert not said or device.doc.startswith(said[0].removesuffix(" ..."))
    assert lines[len(DEVICES) :] == ["", "uncork show NAME explains one."]


def words(shown: str) -> list[str]:
    """The words, in any order: where a line ends, and whether a function is in brackets, depends on the width."""
    return sorted(re.sub(r"[\[\]\u2500]", "", shown).split())


@pytest.mark.parametrize("name", [*DEVICES, *GUESTS])
def test_no_word_breaks_at_any_width(name: str) -> None:
    narrow, middle, wide = (printed(name, width) for width in WIDTHS)
    assert words(narrow) == words(middle) == words(wide)
    for shown, width in zip((narrow, middle, wide), WIDTHS, strict=True):
        assert max(map(len, shown.splitlines())) <= width


def test_a_broken_word_is_seen() -> None:
    assert words("takes a per\nmit [SubQueue::pop]") != words("takes a permit SubQueue::pop")
    assert words("takes a\npermit [SubQueue::pop]") == words("takes a permit SubQueue::pop")


def test_a_device_is_read_on_one_screen() -> None:
    shown = printed("propolis-2026", 80).splitlines()
    started = next(number for number, line in enumerate(shown) if line.startswith("worker"))
    assert shown.index("", started) - started <= 30


@pytest.mark.parametrize("steps", [False, True])
def test_a_terminal_without_unicode_gets_none(steps: bool) -> None:
    raw = BytesIO()
    file = TextIOWrapper(raw, encoding="ascii")
    explain("propolis-2026", steps=steps, to=Page(to=Console(file=file, width=80, color_system=None)))
    file.flush()
    assert raw.getvalue().isascii()


def test_guards_and_updates_are_printed_of_every_step() -> None:
    shown = printed("propolis-2026", 80, steps=True)
    system = known("propolis-2026").instance.system
    mine = [each for each in system.actions if not each.actor.startswith(program.GUEST)]
    for action in mine:
        assert f"{action.name}  by {action.actor}, fairness" in shown
    assert "sq0.wakeups' =   sq0.wakeups - 1" in shown


# -- whether it is the machine's ---------------------------------------------------------------------------------------
Placed = dict[str, tuple[str, list[str], list[str]]]


def placed(system: System) -> Placed:
    """Of each action with a position: the variable, and its values before and after."""
    names = program.positions(system)
    every = {each.name: program.Placed(each, names) for each in system.actions}
    return {name: (each.at, each.before, each.after) for name, each in every.items() if each.at}


def wrong(system: System, claimed: Placed, walks: int = 12, length: int = 120) -> set[str]:
    """The actions that leave from or lead to positions that are not claimed of them, on random runs."""
    draw, found = random.Random(1), set()
    for _ in range(walks):
        state = system.initial
        for _ in range(length):
            enabled = system.enabled(state)
            if not enabled:
                break
            action = draw.choice(enabled)
            after = system.after(state, action)
            if action.name in claimed:
                at, before, to = claimed[action.name]
                if state[at] not in before or after[at] not in to:
                    found.add(action.name)
            state = after
    return found


NAMES = [
    *("propolis-2026", "propolis-2026-shared/workers=2", "propolis-2025/workers=2,notify=lost-bits", "qemu", "openvmm"),
    *("hand-over", "spdk-interrupt", "propolis-2026/linux/tail/memory=tso", "qemu/events=delete+create+pause"),
]


@pytest.mark.parametrize("name", NAMES)
def test_positions_are_those_of_runs(name: str) -> None:
    system = known(name).instance.system
    assert wrong(system, placed(system)) == set()


@pytest.mark.parametrize("side", [1, 2])
def test_a_wrong_position_is_seen(side: int) -> None:
    system = known("propolis-2026").instance.system
    claimed = placed(system)
    at, before, after = claimed["fetch(SQ0)"]
    claimed["fetch(SQ0)"] = (at, ["remit"], after) if side == 1 else (at, before, ["remit"])
    assert wrong(system, claimed) == {"fetch(SQ0)"}


@pytest.mark.parametrize("name", [*DEVICES, *GUESTS])
def test_every_step_has_a_line(name: str) -> None:
    found = known(name)
    lines = {line.step for part in found.program for line in part.lines}
    assert lines == {program.Placed(a, {}).step for a in found.instance.system.actions if found.has(a)}


def test_a_kick_is_told() -> None:
    """The sentence of a trace does not say that a read of the shadow head kicks; the program has to."""
    for name, also in (("propolis-2025", []), ("propolis-2025/kick_on_post=yes", ["post_read"])):
        lines = [line for part in known(name).program for line in part.lines]
        assert [line.step for line in lines if "kicks the corked SQs" in line.does] == [*also, "kick"]


def test_locks_are_told() -> None:
    assert [part.held for part in known("propolis-2026").program] == [
        *("SQ lock at fetch, arm, reread", "CQ lock at post read, post arm", "", "")
    ]


# -- the functions of the source ---------------------------------------------------------------------------------------
ENTRIES: dict[str, Device | Guest] = {**DEVICES, **GUESTS}


def strangers(entry: Device | Guest) -> Iterator[str]:
    """The steps that a function was said to be read for, and that the device or guest does not have."""
    found = known(entry.name)
    actions = [each for each in found.instance.system.actions if found.has(each)]
    steps = {each.family for each in actions} | {program.Placed(each, {}).step for each in actions}
    yield from (step for said in entry.read_in.values() for step in said if step not in steps)


@pytest.mark.parametrize("name", ENTRIES)
def test_functions_are_of_steps_that_there_are(name: str) -> None:
    assert list(strangers(ENTRIES[name])) == []


def test_a_step_that_there_is_not_is_seen() -> None:
    assert list(strangers(replace(DEVICES["qemu"], read_in={"nvme_process_sq": ("fetch", "fecth", "remit")}))) == [
        *("fecth", "remit")
    ]


# -- what differs ------------------------------------------------------------------------------------------------------
def test_a_device_does_not_differ_from_itself() -> None:
    same = difference("qemu", "qemu")
    assert (same.settings, same.program) == ({}, [])
    assert "do not differ" in printed("qemu", 80, "qemu")


def test_another_guard_under_the_same_words_is_a_difference() -> None:
    """SPDK's rule is closed: it rings also if EventIdx is just reached. The words of the step are the same."""
    signs = {line.does: sign for each in difference("linux", "spdk").program for sign, line in each.lines}
    assert signs["SQ EventIdx: passed, must ring"] == "~"
    assert "need_event" in difference("linux", "spdk").settings


def test_consequences_are_the_recorded_ones() -> None:
    found = {(each.before, each.after): each.at for each in difference("propolis-2025", "propolis-2026").verdicts}
    assert "linux/n1-sq3-cq3" in found["HANGS", "live"]
    assert "linux/n1-sq2-cq2" in found["HANGS", "HANGS"]
    one = difference("propolis-2025/linux/tail/n1-sq3-cq3", "propolis-2026/linux/tail-lag/n1-sq3-cq3")
    assert [(each.before, each.after) for each in one.verdicts if "" in each.at] == [("HANGS", "live")]


def test_the_data_has_the_same() -> None:
    found = difference("propolis-2025", "propolis-2025/kick_on_post=yes")
    assert found.data["settings"] == {"kick_on_post": ["no", "yes"]}
    ((actor, lines),) = [(each["actor"], each["lines"]) for each in found.data["program"]]
    assert actor.startswith("backend")
    assert [(line["sign"], line["step"]) for line in lines] == [("-", "post_read"), ("+", "post_read")]
