"""The museum and the field: what went wrong is refuted, what mended it is proved, and the pages say so."""

from __future__ import annotations

import re

import pytest
from commands import uncork
from pages import museum as museum_pages
from repository import ROOT
from uncork.decide.exits import Exit
from uncork.museum import check as museum
from uncork.museum.check import Exhibit
from uncork_nvme import museum as halls
from uncork_nvme.instance import Design
from uncork_properties.catalogue import ROWS

DOCS = ROOT / "docs"
SHOWN = [bug for bug in halls.BUGS if bug.shown]


@pytest.fixture(scope="module", params=[5, pytest.param(1, marks=pytest.mark.deep)], ids=["one in five", "all"])
def exhibits(request: pytest.FixtureRequest) -> list[Exhibit]:
    some = SHOWN[:: request.param]
    found = list(museum.check(some))
    assert [each.bug for each in found] == some
    return found


@pytest.mark.slow
def test_every_variant_is_refuted_and_every_fix_is_proved(exhibits: list[Exhibit]) -> None:
    assert [finding for each in exhibits for finding in each.findings] == []


@pytest.mark.slow
def test_the_page_of_the_museum_shows_what_is_found(exhibits: list[Exhibit]) -> None:
    shown, made = (DOCS / "museum.md").read_text(), museum_pages.page(exhibits)
    assert not set(made.splitlines()) - set(shown.splitlines())
    heads = [*(bug.name for bug in SHOWN), "Bugs that the machine cannot show"]
    assert re.findall(r"^## (.*)", shown, re.MULTILINE) == heads
    assert len(exhibits) < len(SHOWN) or made == shown


def test_every_bug_that_is_shown_goes_wrong_in_one_way() -> None:
    named = [name for names in museum_pages.KINDS.values() for name in names]
    assert sorted(named) == sorted(bug.name for bug in SHOWN)


def test_a_fix_that_does_not_mend_and_a_variant_that_does_not_fail_are_found() -> None:
    good, bad = Design("qemu", "linux", "head"), Design("qemu-7.1", "linux", "never")
    shown = halls.Shown(good, "drains", bad, ((1, 2, 2),))
    (swapped,) = museum.check([halls.Bug("swapped", "", "", "", shown)])
    assert {finding.exit for finding in swapped.findings} == {Exit.CHANGED, Exit.LIVENESS}


def test_a_bug_is_shown_or_says_what_it_needs() -> None:
    for bug in halls.BUGS:
        assert bool(bug.shown) != bool(bug.needs), bug.name
        assert bug.happened and bug.where and bug.mended
        assert bug.shown is None or bug.shown.refutes in ROWS


@pytest.mark.slow
def test_uncork_museum_tells_what_is_shown_and_what_is_not() -> None:
    done = uncork("museum", "spdk-6e1d0b50", "propolis-981")
    assert done.returncode == 0, done.stderr
    said = " ".join(done.stdout.split())
    happened = next(bug.happened for bug in halls.BUGS if bug.name == "spdk-6e1d0b50")
    assert said.startswith(f"spdk-6e1d0b50 {happened} wrong ")
    assert "safety refuted 15+0" in said and " fixed " in said
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "propolis-981: not shown, needs a device that refuses doorbells" in said
