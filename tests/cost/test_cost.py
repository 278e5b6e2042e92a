"""Costs are exact: against all simple cycles of random graphs, on machines where they are known, and as recorded."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction

import networkx as nx
import pytest
from budgets import examples
from commands import uncork
from hypothesis import given, settings
from hypothesis import strategies as st
from mutants import mutated
from pages import costs
from repository import RECORDED
from uncork.core.expr import Expr
from uncork.core.questions.cost import Rate, Wait, recheck
from uncork.core.sorts import Nat
from uncork.core.system import Action, Fairness, System, Variable, say
from uncork.core.trace import ReplayError
from uncork.cost import exact as costing
from uncork.cost import show as cost_report
from uncork.engines import Budget
from uncork.engines.explicit.cost import Ledger, Unfinished
from uncork_nvme.instance import from_name

FIXED = "propolis-2026/linux/tail-lag/n1-sq3-cq3"
MMIO = "mmio/linux/tail/n1-sq3-cq3"


# -- random graphs, against every simple cycle -------------------------------------------------------------------------
def walks(nodes: int, edges: list[tuple[int, int]], fairness: Fairness = Fairness.NONE) -> System:
    """A walker on a graph: a step for each edge."""
    at = Variable("at", Nat(nodes - 1), 0, "where it is")
    here = Expr("var", (), at.sort, "at")
    steps = [
        Action(f"e{k}", f"e{k}", "walker", here == a, {"at": here - a + b}, fairness, "walks", say("walks"))
        for k, (a, b) in enumerate(edges)
    ]
    return System("walks", (at,), tuple(steps))


@st.composite
def graphs(draw: st.DrawFn) -> tuple[int, list[tuple[int, int]], frozenset[str], frozenset[str]]:
    nodes = draw(st.integers(2, 5))
    node = st.integers(0, nodes - 1)
    edges = draw(st.lists(st.tuples(node, node), min_size=2, max_size=9))
    names = [f"e{k}" for k in range(len(edges))]
    return (
        nodes,
        edges,
        frozenset(draw(st.sets(st.sampled_from(names)))),
        frozenset(draw(st.sets(st.sampled_from(names)))),
    )


def cycles(nodes: int, edges: list[tuple[int, int]]) -> list[list[str]]:
    """The simple cycles that the walker can come to, by edges."""
    graph = nx.MultiDiGraph()
    graph.add_nodes_from(range(nodes))
    for number, (a, b) in enumerate(edges):
        graph.add_edge(a, b, key=f"e{number}")
    reached = nx.descendants(graph, 0) | {0}
    # each edge becomes a node of its own, so that a cycle names its edges
    split = nx.DiGraph()
    for a, b, key in graph.subgraph(reached).edges(keys=True):
        split.add_edge(a, key)
        split.add_edge(key, b)
    return [[node for node in cycle if isinstance(node, str)] for cycle in nx.simple_cycles(split)]


def parts(nodes: int, edges: list[tuple[int, int]]) -> dict[str, int]:
    graph = nx.DiGraph(edges)
    graph.add_nodes_from(range(nodes))
    return {
        f"e{k}": number
        for number, part in enumerate(nx.strongly_connected_components(graph))
        for k, (a, b) in enumerate(edges)
        if a in part and b in part
    }


@settings(deadline=None, max_examples=examples(60))
@given(graphs())
def test_a_rate_is_that_of_the_most_extreme_simple_cycle(
    given_: tuple[int, list[tuple[int, int]], frozenset[str], frozenset[str]],
) -> None:
    nodes, edges, counted, per = given_
    found = Ledger(walks(nodes, edges)).rate(Rate("rate", "", counted, per))
    where, all_cycles = parts(nodes, edges), cycles(nodes, edges)
    reached = {name for cycle in all_cycles for name in cycle}
    good = {where[name] for name in per & reached}
    within = [cycle for cycle in all_cycles if where[cycle[0]] in good]
    if not within:
        assert found is None
        return
    assert found is not None
    ratios = [Fraction(sum(e in counted for e in cycle), n) for cycle in within if (n := sum(e in per for e in cycle))]
    endless = any(not set(cycle) & per and set(cycle) & counted for cycle in within)
    assert found.least.value == min(ratios)
    assert found.greatest.value == (None if endless else max(ratios))


# -- machines ----------------------------------------------------------------------------------------------------------
def test_with_no_doorbell_buffer_every_publish_rings_once() -> None:
    system = from_name(MMIO).system
    rate = Rate("doorbells per publish", "", frozenset({"ring_cq"}), frozenset({"publish"}))
    found = Ledger(system).rate(rate)
    assert found is not None
    assert (found.least.value, found.greatest.value) == (1, 1)


def test_a_miscounted_run_is_rejected() -> None:
    system = from_name(MMIO).system
    rate = Rate("doorbells per completion", "", frozenset({"ring_cq"}), frozenset({"post(SQ0)"}))
    found = Ledger(system).rate(rate)
    assert found is not None
    recheck(system, rate, found.greatest)
    with pytest.raises(ReplayError, match="the loop has"):
        recheck(system, rate, replace(found.greatest, value=Fraction(1, 3)))
    with pytest.raises(ReplayError, match="the loop has"):
        recheck(system, replace(rate, counted=frozenset({"consume(SQ0)", "ring_cq"})), found.greatest)


def test_an_sq_that_stays_corked_waits_for_ever() -> None:
    assert costing.costs(from_name("propolis-2025/linux/tail/n1-sq3-cq3")).idle_consumed.unending
    assert not costing.costs(from_name(FIXED)).idle_consumed.unending


def test_a_guest_that_rings_too_often_costs_more() -> None:
    def greatest(where: object) -> Fraction | None:
        system = where.from_name(FIXED).system  # type: ignore[attr-defined]
        found = Ledger(system).rate(Rate("", "", frozenset({"ring_cq"}), frozenset({"publish"})))
        assert found is not None
        return found.least.value

    with mutated("guest", "past < by if", "past <= by + 1 if") as (where, _):
        louder = greatest(where)
    from uncork_nvme import instance

    assert greatest(instance) == 0
    assert louder is not None and louder > 0


def test_a_wait_is_the_longest_way_through_its_states() -> None:
    system = walks(4, [(0, 1), (1, 2), (1, 3), (2, 3), (3, 0)], Fairness.STRONG)
    at = Expr("var", (), Nat(3), "at")
    wait = Wait("wait", "", (at == 1) | (at == 2), frozenset({"e1", "e2", "e3"}))
    found = Ledger(system, [wait]).wait(wait)
    assert (found.most, found.unending) == (2, False)
    round_ = walks(3, [(0, 1), (1, 2), (2, 1)], Fairness.STRONG)
    at = Expr("var", (), Nat(2), "at")
    wait = Wait("wait", "", at >= 1, frozenset({"e1"}))
    found = Ledger(round_, [wait]).wait(wait)
    assert (found.most, found.unending) == (None, True)


def test_nothing_is_known_of_a_graph_that_is_not_whole() -> None:
    with pytest.raises(Unfinished):
        costing.costs(from_name(FIXED), Budget(100, None, None))


# -- what is recorded, and the command ---------------------------------------------------------------------------------
COSTS = RECORDED / "costs.csv"


@pytest.mark.slow
@pytest.mark.parametrize("one_in", [4, pytest.param(1, marks=pytest.mark.deep)])
def test_recorded_costs_are_what_is_found(one_in: int) -> None:
    known = list(zip(cost_report.load(COSTS), costs.instances(), strict=True))
    for recorded, instance in known[::one_in]:
        assert [recorded[head] for head in cost_report.HEADS] == cost_report.cells(costing.costs(instance))


@pytest.mark.slow
def test_uncork_cost_gives_values_and_runs_and_refuses_bad_input() -> None:
    done = uncork("cost", MMIO, "--json", "-")
    assert done.returncode == 0, done.stderr
    (found,) = json.loads(done.stdout)
    assert found["cq_doorbells"]["greatest"] == {"value": "1", "attained": True}
    shown = uncork("cost", FIXED, "--trace", "greatest")
    assert shown.returncode == 0 and "rings the CQ doorbell" in shown.stdout
    wrong = uncork("cost", "propolis/linux/tail/n1-sq3-cq3")
    assert wrong.returncode == 2 and "there is no device" in wrong.stderr and "Traceback" not in wrong.stderr
    assert uncork("cost", FIXED, "--max-states", "100").returncode == 30
