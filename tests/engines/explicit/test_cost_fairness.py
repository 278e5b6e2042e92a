"""Costs under fairness, against every set of edges that a run may take for ever; and with all states told apart."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import combinations

import networkx as nx
import pytest
from budgets import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from uncork.core.expr import Expr, any_of
from uncork.core.questions.cost import Longest, Rate, Wait, recheck
from uncork.core.sorts import Nat
from uncork.core.system import Action, Fairness, System, Variable, say
from uncork.core.trace import ReplayError
from uncork.cost import exact as costing
from uncork.engines.explicit import cost
from uncork.engines.explicit.cost import Ledger
from uncork_nvme.instance import from_name

Edges = list[tuple[int, int, Fairness]]
KINDS = st.sampled_from([Fairness.NONE, Fairness.STRONG, Fairness.WEAK])
NODES = 4
AT = Variable("at", Nat(NODES - 1), 0, "where it is")
HERE = Expr("var", (), AT.sort, "at")


def walks(edges: Edges) -> System:
    """A walker on a graph: a step for each edge, with a fairness each."""
    steps = [
        Action(f"e{k}", f"e{k}", "walker", a == HERE, {"at": HERE - a + b}, fairness, "walks", say("walks"))
        for k, (a, b, fairness) in enumerate(edges)
    ]
    return System("walks", (AT,), tuple(steps))


def fair_sets(edges: Edges, within: frozenset[int] = frozenset(range(NODES))) -> list[frozenset[int]]:
    """Every set of edges that some fair run takes again and again, staying in some nodes, and no others."""
    graph = nx.DiGraph([(a, b) for a, b, _ in edges])
    graph.add_node(0)
    reached, found = nx.descendants(graph, 0) | {0}, []
    usable = [k for k, (a, b, _) in enumerate(edges) if a in reached & within and b in reached & within]
    for size in range(1, len(usable) + 1):
        for chosen in combinations(usable, size):
            part = nx.DiGraph([edges[k][:2] for k in chosen])
            if nx.is_strongly_connected(part) and all(
                k in chosen
                or fairness is Fairness.NONE
                or a not in part
                or (fairness is Fairness.WEAK and len(part) > 1)
                for k, (a, _, fairness) in enumerate(edges)
            ):
                found.append(frozenset(chosen))
    return found


def ratios(edges: Edges, of: frozenset[int], counted: set[int], per: set[int]) -> list[Fraction | None]:
    """The ratio of each simple cycle over some edges that has one; None is infinite."""
    split = nx.DiGraph()  # each edge a node of its own
    for k in of:
        split.add_edge(edges[k][0], f"e{k}")
        split.add_edge(f"e{k}", edges[k][1])
    found = list[Fraction | None]()
    for cycle in nx.simple_cycles(split):
        taken = {int(node[1:]) for node in cycle if isinstance(node, str)}
        if taken & (counted | per):
            found.append(Fraction(len(taken & counted), len(taken & per)) if taken & per else None)
    return found


@st.composite
def graphs(draw: st.DrawFn) -> tuple[Edges, set[int], set[int]]:
    node = st.integers(0, NODES - 1)
    edges = draw(st.lists(st.tuples(node, node, KINDS), min_size=2, max_size=8))
    some = st.sets(st.integers(0, len(edges) - 1))
    return edges, draw(some), draw(some)


def names(of: set[int]) -> frozenset[str]:
    return frozenset(f"e{k}" for k in of)


@settings(deadline=None, max_examples=examples(150))
@given(graphs())
def test_rates_are_those_of_fair_runs(given_: tuple[Edges, set[int], set[int]]) -> None:
    edges, counted, per = given_
    found = Ledger(walks(edges)).rate(Rate("rate", "", names(counted), names(per)))
    runs = [ratios(edges, each, counted, per) for each in fair_sets(edges) if each & per]
    if not runs:
        assert found is None
        return
    assert found is not None
    least = min(ratio for run in runs for ratio in run if ratio is not None)
    greatest = None if any(None in run for run in runs) else max(r for run in runs for r in run if r is not None)
    assert (found.least.value, found.greatest.value) == (least, greatest)
    assert found.least.fair == any(set(run) == {least} for run in runs)
    assert found.greatest.fair == (greatest is not None and any(set(run) == {greatest} for run in runs))


@settings(deadline=None, max_examples=examples(150))
@given(graphs(), st.sets(st.integers(0, NODES - 1), min_size=1))
def test_waits_are_the_longest_walks(given_: tuple[Edges, set[int], set[int]], where: set[int]) -> None:
    edges, counted, _ = given_
    wait = Wait("wait", "", any_of(node == HERE for node in sorted(where)), names(counted))
    found = Ledger(walks(edges), [wait]).wait(wait)
    staying = fair_sets(edges, frozenset(where))
    graph = nx.DiGraph([(a, b) for a, b, _ in edges])
    graph.add_node(0)
    begins = (nx.descendants(graph, 0) | {0}) & where
    idle = any(not any(a == node and f is not Fairness.NONE for a, _, f in edges) for node in begins)
    assert found.unending == (bool(staying) or idle)
    best = dict.fromkeys(begins, 0)  # after as many steps as a walk without an endless count can need
    for _ in range(NODES * (len(edges) + 1)):
        best = {
            node: max([0, *((k in counted) + best.get(b, 0) for k, (a, b, _) in enumerate(edges) if a == node)])
            for node in best
        }
    most = max(best.values(), default=0)
    assert found.most == (None if most > NODES else most)
    if found.most is None:
        assert found.fair == any(each & counted for each in staying)


def test_a_least_rate_that_no_loop_has_is_a_limit() -> None:
    """Round and round at 0 costs nothing; the step to 1 is owed again and again, and counted."""
    edges = [(0, 0, Fairness.NONE), (0, 1, Fairness.STRONG), (1, 0, Fairness.STRONG)]
    found = Ledger(walks(edges)).rate(Rate("rate", "", names({1}), names({0, 1})))
    assert found is not None
    assert (found.least.value, found.least.fair) == (0, False)
    assert (found.greatest.value, found.greatest.fair) == (1, True)
    must_leave = [(0, 0, Fairness.NONE), (0, 1, Fairness.STRONG), (1, 1, Fairness.STRONG)]
    gone = Ledger(walks(must_leave)).rate(Rate("rate", "", names(set()), names({0})))
    assert gone is None, "no fair run stays where it is owed to leave"


def test_a_wait_that_never_ends_is_shown_by_a_hang() -> None:
    found = costing.costs(from_name("propolis-2025/linux/tail/n1-sq3-cq3"))
    asked, longest = found.questions["idle_consumed"], found.idle_consumed
    assert longest.unending and longest.most == 1
    assert longest.hang is not None and longest.hang.loop is not None
    system = found.instance.system
    recheck(system, asked, longest)
    with pytest.raises(ReplayError, match="claimed and not shown"):
        recheck(system, asked, replace(longest, hang=None))


def test_doorbells_of_the_other_queue_are_noticed() -> None:
    found = costing.costs(from_name("propolis-2026/linux/tail-1/n1-sq3-cq3"))
    asked = found.questions["cq_doorbells"]
    assert isinstance(asked, Rate) and found.cq_doorbells is not None
    with pytest.raises(ReplayError, match="the loop has"):
        recheck(found.instance.system, replace(asked, counted=frozenset({"ring_sq(SQ0)"})), found.cq_doorbells.greatest)


@pytest.mark.parametrize("design", ["propolis-2026/linux/tail-lag", "arm-recheck/linux/tail-1", "mmio/linux/tail"])
def test_reductions_change_no_cost(design: str, monkeypatch: pytest.MonkeyPatch) -> None:
    instance = from_name(f"{design}/n1-sq3-cq3")

    def told() -> tuple[object, ...]:
        found = costing.costs(instance)
        rates = [
            (extreme.value, extreme.fair)
            for name in costing.RATES
            for extreme in (getattr(found, name).least, getattr(found, name).greatest)
        ]
        waits: list[Longest] = [getattr(found, name) for name in costing.WAITS]
        return *rates, *((each.most, each.unending, each.fair) for each in waits)

    reduced = told()
    monkeypatch.setattr(cost, "_REDUCTIONS", frozenset[str]())
    assert told() == reduced
