"""The cheapest live designs: which prices beat others, and what an open price leaves open."""

from __future__ import annotations

import signal
from fractions import Fraction
from pathlib import Path

import pytest
from click.testing import CliRunner
from uncork.cli import cli
from uncork.decide.exits import Exit
from uncork.design import command as design
from uncork.design import front as frontier
from uncork.design import price as pricing
from uncork.design import show as repair_report
from uncork.design import show_front as frontier_report
from uncork.design import space
from uncork.design.decider import Decider
from uncork.design.finalists import finalists
from uncork.design.price import Price, Prices, Unpriced
from uncork.design.space import EVENT_IDX, SWITCHES, Space
from uncork.engines import Budget, unwatched
from uncork_nvme.instance import Instance, from_name
from uncork_nvme.shape import Shape


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
