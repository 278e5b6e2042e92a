"""Repairs: what is found is live and needed, nothing minimal is missed, and no run refutes what a search proves."""

from __future__ import annotations

import json
import re
import signal
import time
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest
from click.testing import CliRunner
from pages import frontier as frontier_page
from pages import readme
from pages import repairs as repair_page
from uncork.cli import cli
from uncork.command.options import ListType
from uncork.core.trace import replay
from uncork.core.verdict import Proved, Refuted
from uncork.decide import many, signals
from uncork.decide.exits import Exit
from uncork.design import command as design
from uncork.design import decider, space
from uncork.design import front as frontier
from uncork.design import price as pricing
from uncork.design import search as repair
from uncork.design import show as repair_report
from uncork.design import show_front as frontier_report
from uncork.design.decider import SAME, SEARCH, Decider
from uncork.design.finalists import finalists
from uncork.design.price import Price, Prices, Unpriced
from uncork.design.search import SearchResult
from uncork.design.space import EVENT_IDX, SWITCHES, Changes, Space, shapes
from uncork.engines import Budget, Tick, unwatched
from uncork.engines.deductive import prove
from uncork_nvme import formulas
from uncork_nvme.formulas import FormulaError, formula
from uncork_nvme.instance import Instance, InstanceError, find_policy, from_name
from uncork_nvme.policies import POLICIES
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
    found = repair.search(PRICED_IN_PART, Decider())
    finals = finalists(found, Decider(), unwatched, prove=True, priced=False)
    assert found.interrupted and {(each.one, each.several) for each in finals} == {("not asked", "not asked")}
    assert len(finals) == 2 and not any(each.price for each in finals)


def test_the_page_shows_what_is_recorded() -> None:
    root = Path(__file__).parent.parent
    page = (root / "docs" / "repair.md").read_text()
    rows = repair_page.load(root / "properties" / "uncork_properties" / "recorded" / "repairs.csv")
    assert readme.replaced(page, *repair_page.MARKS, repair_page.page(rows)) == page
    assert {(row.device, row.sqs) for row in rows} == {(d, ",".join(map(str, n))) for d, n in repair_page.CASES}
    other = [replace(rows[0], wait="3"), *rows[1:]]
    assert repair_page.page(other) != repair_page.page(rows)


def recorded_and_found(space: Space) -> tuple[dict[str, repair_page.Row], SearchResult]:
    """What is recorded of Propolis with one SQ, by its changes, and what is found in a part of that space.

    The runs were recorded with notifications that are kept, so their lengths may differ: only the sizes are compared.
    """
    path = Path(__file__).parent.parent / "properties" / "uncork_properties" / "recorded" / "repairs.csv"
    rows = {r.changes: r for r in repair_page.load(path) if (r.device, r.sqs) == ("propolis-2025", "1")}
    found = repair.search(space, Decider())
    for live in found.live:
        row = rows[repair_report.in_words(live.changes)]
        assert [need.split(" at ")[-1] for need in row.needed.split("; ")] == [
            str(decision.instance.shape) for _, decision in found.needed(live)
        ]
    return rows, found


@pytest.mark.slow
def test_the_page_has_the_repairs_that_are_found() -> None:
    """With some policies: what has fewer changes has them of those too, and so the same designs are minimal."""
    some = ("tail", "tail-1", "head", "arm-on-cork")
    rows, found = recorded_and_found(Space("propolis-2025", shapes=shapes([1]), policies=some))
    known = {each for each in rows if re.split(": |; ", each)[1] in some or EVENT_IDX not in each}
    assert known == {repair_report.in_words(live.changes) for live in found.live}


@pytest.mark.deep
def test_the_page_has_all_repairs_that_are_found() -> None:
    rows, found = recorded_and_found(Space("propolis-2025", shapes=shapes([1])))
    assert {row.sums for row in rows.values()} == {repair_report.sums(found)}
    assert rows.keys() == {repair_report.in_words(live.changes) for live in found.live}


# -- formulas ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", formulas.space())
def test_a_policy_that_is_tried_is_found_by_its_name(name: str) -> None:
    instance = Instance("propolis-2026", "linux", name, 1, 2, 2)
    assert find_policy(name).name == name
    assert from_name(instance.name) == instance
    assert instance.system.actions


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("head + min( occupied, capacity-n )", "head+min(occupied,capacity-n)"),
        ("if  permits >= n tail else head", "if permits>=n tail else head"),
        ("leave if occupied<=1 else tail - 1", "leave if occupied<=1 else tail-1"),
        ("leave", "leave"),
        (
            "if  corking head else if corked tail else leave if occupied<=1 else tail - 1",
            "if corking head else if corked tail else leave if occupied<=1 else tail-1",
        ),
        ("if corked head else leave", "if corked head else leave"),
    ],
)
def test_a_formula_has_one_name(text: str, name: str) -> None:
    assert formula(text).name == find_policy(text).name == formula(name).name == name


@pytest.mark.parametrize(
    "text", ["", "3+head", "tail-", "if corked head", "tail tail", "head+foo", "head*2", "leave if 1", "corking"]
)
def test_what_is_no_formula_is_refused(text: str) -> None:
    with pytest.raises(FormulaError):
        formula(text)
    with pytest.raises(InstanceError, match="there is no policy"):
        find_policy(text)


@pytest.mark.parametrize(
    ("text", "policy"),
    [
        ("tail", "tail"),
        ("tail-1", "tail-1"),
        ("leave if occupied<=1 else tail-1", "tail-lag"),
        ("head+min(occupied,capacity-n)", "reserve-slots"),
        ("head+min(occupied,size-n)", "reserve-slots-size"),
        ("if permits>=n tail else head", "reserve-permits"),
        ("if corked head else tail", "arm-on-cork"),
        ("leave", "never"),
    ],
)
def test_a_formula_means_what_the_policy_of_the_same_meaning_does(text: str, policy: str) -> None:
    made = formula(text)
    assert made.at_cork == POLICIES[policy].at_cork
    for sqs in (1, 2, 3):
        for size in (2, 3, 4):
            key = sqs, size
            assert decider._values(made.name, *key) == decider._values(policy, *key)


def test_what_is_written_at_a_cork_alone_is_another_policy() -> None:
    """A policy that writes the head where an SQ is about to be corked may leave posts as they are."""
    at = {
        text: decider._values(text, 2, 3) for text in ("tail", "if corking head else tail", "if corked head else tail")
    }
    assert len(set(at.values())) == 3
    system = Instance("arm-recheck", "linux", "if corking head else leave", 1, 2, 2).system
    assert {"cork_arm"} == {action.family for action in system.actions} & {"cork_arm", "post_arm", "cork_leave"}


def test_commas_in_brackets_do_not_end_a_name() -> None:
    assert ListType().convert("tail, head+min(occupied,max(n,1)),never", None, None) == [
        *("tail", "head+min(occupied,max(n,1))", "never"),
    ]


# -- the commands ------------------------------------------------------------------------------------------------------
@pytest.mark.slow
def test_the_command_prints_what_it_found() -> None:
    asked = ["repair", "propolis-2025", "--sqs", "1", "--policy", "tail-1", "--no-prove"]
    done = CliRunner().invoke(cli, asked, standalone_mode=False)
    assert done.exception is None and done.return_value == Exit.AS_EXPECTED
    assert "1. EventIdx: tail-1" in done.output
    assert "without EventIdx: tail-1: uncorked fails in 23 steps at propolis-2025/linux/tail/n1-sq2-cq2" in done.output
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
def test_bad_input_is_told(asked: list[str]) -> None:
    assert isinstance(CliRunner().invoke(cli, asked, standalone_mode=False).exception, InstanceError)


# -- prices ------------------------------------------------------------------------------------------------------------
def test_a_price_beats_another_only_if_it_is_nowhere_worse() -> None:
    low, mixed, high, none = Price(None, 1, 5), Price(None, 2, 3), Price(None, 2, 5), Price(None, None, None)  # type: ignore[arg-type]
    assert low.beats(high) and mixed.beats(high) and high.beats(none)
    assert not low.beats(mixed) and not mixed.beats(low) and not low.beats(low) and not high.beats(low)


@pytest.mark.slow
def test_the_frontier_keeps_what_no_other_design_beats(monkeypatch: pytest.MonkeyPatch) -> None:
    prices = {"tail-1": Price(None, 1, 5), "head": Price(None, 2, 3), "reserve-permits": Price(None, 2, 5)}  # type: ignore[arg-type]
    monkeypatch.setattr(pricing, "price", lambda instance, *_: prices[instance.policy])
    space = Space("propolis-2025", shapes=(Shape(1, 2, 2), Shape(1, 3, 3)), policies=("tail", *prices), switches={})
    made = frontier.front(space, Decider())
    assert [(dict(p.designs[0])[EVENT_IDX], p.best) for p in made.points] == [
        *(("tail-1", True), ("head", True), ("reserve-permits", False)),
    ]


PRICED_IN_PART = Space("propolis-2025", shapes=(Shape(1, 2, 2),), policies=("tail", "tail-1", "head"), switches={})
"""Where both live designs are decided with few states; tail-1 is priced with 33,988 and head with 54,478."""


@pytest.mark.slow
def test_a_price_that_a_budget_leaves_open_is_neither_on_the_front_nor_beaten() -> None:
    decider = Decider(budget=Budget(states=40_000))
    made = frontier.front(PRICED_IN_PART, decider)
    assert [dict(d)[EVENT_IDX] for point in made.points for d in point.designs] == ["tail-1"]
    ((changes, price),) = made.open
    assert (dict(changes)[EVENT_IDX], price.reason) == ("head", "the budget of 40,000 states is spent")
    assert made.points[0].best and made.beaten == made.unpriced == 0 and not made.found.open
    assert frontier_report.as_json(made)["open"] == [{"design": {EVENT_IDX: "head"}, "reason": price.reason}]
    finals = finalists(made.found, decider, unwatched, prove=False)
    assert [dict(each.live.changes)[EVENT_IDX] for each in finals] == ["tail-1", "head"]
    assert [each["price"] for each in repair_report.as_json(made.found, finals)["repairs"]] == [["0", "1", "2"], "open"]


@pytest.mark.parametrize(
    "budget", [Budget(states=2_000), Budget(memory=1), Budget(seconds=0)], ids=["states", "memory", "seconds"]
)
def test_every_budget_leaves_a_price_open(budget: Budget) -> None:
    price = pricing.price(from_name("propolis-2025/linux/tail-1/n1-sq4-cq4"), budget)
    assert isinstance(price, Unpriced) and price.cells == ["open"] * 3 and "is spent" in price.reason


def test_with_several_guests_one_open_price_leaves_the_dearest_open(monkeypatch: pytest.MonkeyPatch) -> None:
    prices = {"linux": Price(None, 1, 5), "lazy": Price(None, 2, 3), "spdk": Unpriced("spent")}  # type: ignore[arg-type]
    monkeypatch.setattr(pricing, "price", lambda instance, *_: prices[instance.guest])
    one = {name: Instance("propolis-2025", name, "tail-1", 1, 2, 2) for name in prices}
    known = Prices(lambda instance: instance.name)
    assert known.dearest([one["linux"], one["lazy"]], lambda *_: None) is prices["lazy"]
    assert known.dearest(one.values(), lambda *_: None) is prices["spdk"]


def test_a_machine_is_priced_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(pricing, "price", lambda instance, *_: asked.append(instance.policy) or Price(None, 1, 1))  # type: ignore[arg-type,func-returns-value]
    space = Space(
        "propolis-2025", shapes=(Shape(1, 2, 2),), policies=("tail", "head", "head+0", "head+n-1"), switches={}
    )
    made = frontier.front(space, Decider())
    assert len(asked) == 1 and len(made.points[0].designs) == 3


def test_the_commands_say_that_a_price_is_open(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(design, "shapes", lambda _: PRICED_IN_PART.shapes)
    monkeypatch.setattr(space, "SWITCHES", {"cork": SWITCHES["cork"]})
    budget, data = ["--policy", "tail-1", "--max-states", "30000"], tmp_path / "made.json"
    for asked in (["frontier", "--device", "propolis-2025"], ["repair", "propolis-2025", "--no-prove"]):
        done = CliRunner().invoke(cli, [*asked, *budget, "--json", str(data)], standalone_mode=False)
        assert done.exception is None and done.return_value == Exit.OPEN
        assert "open" in done.output and "the budget of 30,000 states is spent" in " ".join(done.output.split())
        assert '"open"' in data.read_text()


def test_ctrl_c_leaves_a_front_of_what_was_priced(monkeypatch: pytest.MonkeyPatch) -> None:
    prices = iter([Price(None, 1, 1)])  # type: ignore[arg-type]

    def price(*_: object) -> Price:
        found = next(prices, None)
        if found is None:
            signal.raise_signal(signal.SIGINT)
        assert found
        return found

    monkeypatch.setattr(pricing, "price", price)
    monkeypatch.setattr(design, "shapes", lambda _: PRICED_IN_PART.shapes)
    asked = ["frontier", "--device", "propolis-2025", "--policy", "tail-1,head"]
    done = CliRunner().invoke(cli, asked, standalone_mode=False)
    assert done.exception is None and done.return_value == Exit.INTERRUPTED
    assert "EventIdx: tail-1" in done.output and "Live designs that were not priced: 1." in done.output
    assert "interrupted" in " ".join(done.output.split())


def test_the_same_points_are_drawn_as_the_same_file(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    points = [
        frontier.Point(Price(Fraction(0), Fraction(2, 3), 0), (frozenset({(EVENT_IDX, "head")}),), True),
        frontier.Point(Price(Fraction(0), Fraction(1), 2), (frozenset({(EVENT_IDX, "tail-1")}),), False),
        frontier.Point(Price(Fraction(0), None, None), (frozenset(),), False),
    ]
    assert [frontier_report.plot(tmp_path / name, points) for name in ("a.svg", "b.svg")] == [1, 1]
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    assert "dc:date" not in (tmp_path / "a.svg").read_text()


@pytest.mark.slow
def test_the_page_of_the_front_has_the_prices_that_are_found() -> None:
    page = (Path(__file__).parent.parent / "docs" / "frontier.md").read_text()
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


def _rows(lines: list[str], begins: str = "| ") -> list[list[str]]:
    """The rows of tables in Markdown that begin so."""
    return [line.strip("| ").split(" | ") for line in lines if line.startswith(begins)]


def test_the_fold_of_the_front_leaves_out_beaten_designs_that_are_not_minimal() -> None:
    small, more = frozenset({(EVENT_IDX, "head")}), frozenset({(EVENT_IDX, "head"), ("kick_on_post", "yes")})
    cells = ["0", "1", "2"]
    assert "kick_on_post" in frontier_page.designs([(cells, [small, more], True)])
    assert "kick_on_post" not in frontier_page.designs([(cells, [small, more], False)])


def test_a_search_is_counted_as_one() -> None:
    decider = Decider()
    first = decider.decide(from_name("propolis-2025/linux/tail/n1-sq2-cq2"))
    again = decider.decide(from_name("propolis-2026/linux/tail/n1-sq2-cq2"))
    assert (first.how, again.how, decider.searches) == (SEARCH, SAME, 1)
