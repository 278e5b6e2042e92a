"""Repairs: what is found is live and needed, nothing minimal is missed, and no run refutes what a search proves."""

from __future__ import annotations

import json
import signal
import time
from dataclasses import replace
from itertools import pairwise

import pytest
from click.testing import CliRunner
from pages import repairs as repair_page
from uncork.cli import cli
from uncork.core.trace import replay
from uncork.core.verdict import Proved, Refuted
from uncork.decide import many, signals
from uncork.decide.exits import Exit
from uncork.design import search as repair
from uncork.design import show as repair_report
from uncork.design.decider import SAME, SEARCH, Decider
from uncork.design.finalists import finalists
from uncork.design.search import SearchResult
from uncork.design.space import EVENT_IDX, SWITCHES, Changes, Space, shapes
from uncork.engines import Budget, Tick, unwatched
from uncork.engines.deductive import prove
from uncork_nvme.instance import Instance, InstanceError, from_name
from uncork_nvme.shape import Shape

ROWS = ("safety", "uncorked", "drains")
SMALL = Space(
    "propolis-2025",
    shapes=(Shape(1, 2, 2), Shape(1, 3, 3)),
    policies=(
        *("tail", "tail-1", "tail-lag", "arm-on-cork"),
        *("if permits>=n tail else head", "leave if occupied<=1 else head"),
    ),
    switches={name: SWITCHES[name] for name in ("cork", "kick_on_reserve", "kick_on_post", "kick_size")},
)
FEW = replace(
    SMALL,
    policies=("tail", "tail-1", "tail-lag", "if permits>=n tail else head"),
    switches={name: SWITCHES[name] for name in ("cork", "kick_on_post", "kick_size")},
)
SEVERAL = Space(
    "propolis-2026",
    shapes=(Shape(2, 2, 2),),
    policies=("tail-lag", "tail-1", "tail", "leave if permits>=1 else head"),
    switches={name: SWITCHES[name] for name in ("kick_on_post", "kick_on_reserve", "kick_on_remit", "kick_size")},
)


def live_by_check(space: Space, changes: Changes) -> bool:
    """By the runner alone, place by place."""
    for guest, shape in space.places:
        (checked,) = many.check([space.design(changes, guest).at(*shape)], ROWS, jobs=1)
        if not all(isinstance(row.verdict, Proved) for row in checked.rows):
            return False
    return True


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(FEW, id="one SQ"),
        pytest.param(SMALL, id="one SQ, more", marks=pytest.mark.deep),
        pytest.param(SEVERAL, id="two SQs", marks=pytest.mark.deep),
    ],
)
def found(request: pytest.FixtureRequest) -> SearchResult:
    return repair.search(request.param, Decider())


@pytest.fixture(scope="module")
def brute(found: SearchResult) -> dict[Changes, bool]:
    """Every design of the space, with no pruning whatever."""
    return {changes: live_by_check(found.space, changes) for changes in found.space.designs()}


def test_brute_force_finds_the_same_minimal_sets(found: SearchResult, brute: dict[Changes, bool]) -> None:
    live = [changes for changes, good in brute.items() if good]
    minimal = {changes for changes in live if not any(other < changes for other in live)}
    assert {each.changes for each in found.live} == minimal
    assert minimal and not found.open


def test_no_design_is_refuted_that_check_proves(found: SearchResult, brute: dict[Changes, bool]) -> None:
    assert not [changes for changes in found.refuted if brute[changes]]
    every = repair.search(found.space, Decider(), minimal=False)
    assert {each.changes for each in every.live} == {changes for changes, good in brute.items() if good}
    assert every.refuted.keys() == {changes for changes, good in brute.items() if not good}


@pytest.mark.slow
def test_runs_of_others_make_a_difference_to_the_work_and_to_nothing_else(found: SearchResult) -> None:
    plain = repair.search(found.space, Decider(replays=False))
    assert [each.changes for each in plain.live] == [each.changes for each in found.live]
    assert plain.refuted.keys() == found.refuted.keys()
    assert plain.searches > found.searches
    assert found.counts["refuted by a stored run"] > 0 == plain.counts["refuted by a stored run"]


def test_every_refutation_is_a_run_of_that_very_design(found: SearchResult) -> None:
    for decision in found.refuted.values():
        assert decision.trace is not None
        replay(decision.instance.system, decision.trace, decision.refutes)


def test_every_change_is_needed(found: SearchResult) -> None:
    for live in found.live:
        for change, decision in found.needed(live):
            rest = live.changes - {change}
            assert decision.instance.name in {
                found.space.design(rest, guest).at(*shape).name for guest, shape in found.space.places
            }
            assert decision.trace is not None
            (checked,) = many.check([from_name(decision.instance.name)], ROWS, jobs=1)
            assert any(isinstance(row.verdict, Refuted) for row in checked.rows)


def test_all_designs_are_accounted_for(found: SearchResult) -> None:
    counts = found.counts
    assert sum(counts.values()) == found.total == len(set(found.space.designs()))
    assert counts["skipped as not minimal"] > 0


@pytest.mark.slow
def test_the_tail_less_one_is_enough_for_one_sq() -> None:
    found = repair.search(Space("propolis-2025", shapes=shapes([1]), policies=("tail", "tail-1")), Decider())
    assert [each.changes for each in found.live] == [frozenset({(EVENT_IDX, "tail-1")})]
    ((_, decision),) = found.needed(found.live[0])
    assert decision.instance.name == "propolis-2025/linux/tail/n1-sq2-cq2"


def test_a_device_that_is_live_needs_no_change() -> None:
    found = repair.search(Space("arm-recheck", shapes=(Shape(1, 2, 2),)), Decider())
    assert [each.changes for each in found.live] == [frozenset()]
    assert found.skipped == found.total - 1


def test_designs_come_with_fewer_changes_first_and_once() -> None:
    designs = list(SMALL.designs())
    assert all(len(a) <= len(b) for a, b in pairwise(designs))
    assert len(designs) == len(set(designs)) == 6 * 2**4


def test_choices_that_do_not_go_together_are_counted() -> None:
    space = Space("qemu", ("linux",), (Shape(1, 2, 2),), ("head",), {"cork": ("park", "arm-recheck")})
    found = repair.search(space, Decider())
    assert found.total == 2 and found.unfit == 0
    assert [each.changes for each in found.live] == [frozenset()]


def test_what_a_budget_leaves_open_is_neither_live_nor_refuted() -> None:
    space = Space("propolis-2026", shapes=(Shape(1, 3, 3),), policies=("tail-lag", "tail-1"), switches={})
    found = repair.search(space, Decider(budget=Budget(states=100)))
    assert len(found.open) == 2 and not found.live and not found.refuted


def test_equal_formulas_are_one_machine() -> None:
    decider = Decider()
    marks = {decider.mark(Instance("propolis-2026", "linux", name, 1, 3, 3)) for name in ("head", "head+0", "head+n-1")}
    assert len(marks) == 1
    assert decider.mark(Instance("propolis-2026", "linux", "tail-1", 1, 3, 3)) not in marks


def test_ctrl_c_gives_what_was_found_so_far() -> None:
    def watch(tick: Tick) -> None:
        if tick.done == 3:
            signal.raise_signal(signal.SIGINT)

    found = repair.search(SMALL, Decider(), watch)
    assert found.interrupted
    assert 0 < len(found.live) + len(found.refuted) < found.total
    finals = finalists(found, Decider(), unwatched, prove=False, priced=False)
    assert len(finals) == len(found.live)
    assert "interrupted" in repair_report.sums(found)


def test_a_set_is_told_once_for_all_cases_that_have_it(found: SearchResult) -> None:
    rows = repair_page.rows(found, finalists(found, Decider(), unwatched, prove=False, priced=False))
    again = [replace(row, device="again") for row in rows]
    once, both = repair_page.page(rows), repair_page.page([*rows, *again])
    assert once.count("| EventIdx |") == both.count("| EventIdx |") == 2
    assert "`again --sqs 1`" in both and "`again" not in once


def test_ctrl_c_is_held_back_to_the_end_of_what_it_would_break() -> None:
    told = []

    def work() -> None:
        with signals.held_back() as stop:
            signal.raise_signal(signal.SIGINT)
            told.append(stop.is_set())

    with pytest.raises(KeyboardInterrupt):
        work()
    assert told == [True]


def test_ctrl_c_leaves_the_rest_unproved_and_unpriced(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def broken(*_: object) -> list[prove.Failure]:
        if not asked:
            asked.append(True)
            signal.raise_signal(signal.SIGINT)  # as Z3's answer is awaited
            time.sleep(1)
        return []

    monkeypatch.setattr(prove.Solver, "broken", broken)
    space = Space("propolis-2025", shapes=(Shape(1, 2, 2),), policies=("tail", "tail-1", "head"), switches={})
    found = repair.search(space, Decider())
    finals = finalists(found, Decider(), unwatched, prove=True, priced=False)
    assert found.interrupted and {(each.one, each.several) for each in finals} == {("not asked", "not asked")}
    assert len(finals) == 2 and not any(each.price for each in finals)


def test_a_search_is_counted_as_one() -> None:
    decider = Decider()
    first = decider.decide(from_name("propolis-2025/linux/tail/n1-sq2-cq2"))
    again = decider.decide(from_name("propolis-2026/linux/tail/n1-sq2-cq2"))
    assert (first.how, again.how, decider.searches) == (SEARCH, SAME, 1)


# -- the commands ------------------------------------------------------------------------------------------------------
@pytest.mark.slow
def test_repair_prints_what_it_found() -> None:
    asked = ["repair", "propolis-2025", "--sqs", "1", "--policy", "tail-1", "--no-prove"]
    done = CliRunner().invoke(cli, asked, standalone_mode=False)
    assert done.exception is None and done.return_value == Exit.AS_EXPECTED
    assert "1. EventIdx: tail-1" in done.output
    said = " ".join(done.output.split())
    assert "without EventIdx: tail-1: uncorked fails in 23 steps at propolis-2025/linux/tail/n1-sq2-cq2" in said
    assert max(map(len, done.output.splitlines())) <= 80
    assert "128 designs: 1 live" in done.output and "skipped as not minimal" in " ".join(done.output.split())


@pytest.mark.slow
def test_repair_writes_what_it_found_as_json() -> None:
    asked = ["repair", "propolis-2025", "--sqs", "1", "--policy", "tail-1", "--json", "-"]
    done = CliRunner().invoke(cli, asked, standalone_mode=False)
    (only,) = json.loads(done.stdout)["repairs"]
    assert only["changes"] == {"EventIdx": "tail-1"}
    assert (only["one"], only["several"]) == ("proved", "no: fails at n2-sq2-cq2")
    assert len(only["needed"][0]["steps"]) == 23


@pytest.mark.slow
def test_repair_says_if_no_change_makes_the_device_live() -> None:
    asked = ["repair", "propolis-2025", "--sqs", "1", "--policy", "never", "--no-prove"]
    done = CliRunner().invoke(cli, asked, standalone_mode=False)
    assert done.return_value == Exit.LIVENESS and "No design is live." in done.output


@pytest.mark.parametrize(
    "asked",
    [
        ["repair", "propolis"],
        ["repair", "propolis-2025", "--guest", "lin"],
        ["repair", "propolis-2025", "--property", "corked"],
        ["repair", "propolis-2025", "--sqs", "4"],
        ["repair", "propolis-2025", "--policy", "tial"],
    ],
)
def test_repair_refuses_bad_input(asked: list[str]) -> None:
    assert isinstance(CliRunner().invoke(cli, asked, standalone_mode=False).exception, InstanceError)
