"""The explored graph: the same whatever the threads and the memory, with shortest ways to its states."""

from __future__ import annotations

import gc
import os
import sys
import threading
import weakref

import numpy as np
import pytest
from budgets import spread
from uncork.engines import Budget, Stop, quiet
from uncork.engines.explicit import growing, kernel
from uncork.engines.explicit.crew import Crew
from uncork.engines.explicit.explore import Graph, code, explore
from uncork_nvme.instance import from_name

exploring = sys.modules["uncork.engines.explicit.explore"]  # the package has a function of that name
INSTANCE = "propolis-2025/linux/tail/n2-sq2-cq2"


def graph(threads: int = 1, budget: Budget | None = None) -> Graph:
    system = from_name(INSTANCE).system
    return explore(system, code(system, []), budget or Budget(), quiet, threads=threads)


def same(one: Graph, other: Graph) -> bool:
    arrays = ("states", "bases", "nears", "targets", "codes")
    return one.levels == other.levels and all(np.array_equal(getattr(one, n), getattr(other, n)) for n in arrays)


@pytest.fixture(scope="module")
def alone() -> Graph:
    return graph()


@pytest.fixture(scope="module")
def unfinished() -> Graph:
    return graph(1, Budget(states=70_000))


@pytest.mark.parametrize(
    ("threads", "part"), spread([(2, 1 << 13), (2, 100), (3, 1 << 13), (3, 100)], 3), ids=["2", "2-100", "3", "3-100"]
)
def test_the_graph_is_the_same_on_several_threads(
    alone: Graph, unfinished: Graph, threads: int, part: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exploring, "_PART", part)
    assert same(graph(threads), alone)
    assert same(graph(threads, Budget(states=70_000)), unfinished)


def test_the_graph_is_the_same_if_growing_arrays_are_copied(alone: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growing, "_space", lambda: None)
    assert same(graph(), alone)


def test_a_way_to_a_state_is_a_shortest_one(alone: Graph) -> None:
    for state in range(0, alone.count, 9_999):
        steps = alone.path(state)
        assert len(steps) == next(depth for depth, last in enumerate([*alone.levels, alone.count]) if state < last)
        here = 0
        for step in steps:
            here = next(target for action, turn, target in alone.edges(here) if (action, turn) == step)
        assert here == state
    assert os.environ.get("UNCORK_KEEPS_NO_CODE") is None


# -- a search that is abandoned ----------------------------------------------------------------------------------------
def survives(*, kept: bool, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether the code of a system is there for a thread of a search whose calling thread was abandoned meanwhile."""
    abandoned, seen = threading.Event(), list[bool]()
    system = from_name(INSTANCE).system
    found = explore(system, code(system, [system.actions[0].guard]), Budget(states=70_000), quiet, threads=2)
    native, crew = weakref.ref(found.native), found.crew

    def ask(address: int, states: object, answers: object, start: int, end: int) -> None:
        if start == 0:
            raise Stop("abandoned")
        abandoned.wait(10)
        gc.collect()
        seen.append(native() is not None)

    monkeypatch.setattr(kernel, "ask", ask)
    if not kept:
        together = Crew.all
        monkeypatch.setattr(Crew, "all", lambda self, tasks, keeping=None: together(self, tasks))
    with pytest.raises(Stop):
        _ = found.answers
    del found
    abandoned.set()
    crew._others.shutdown()
    (answer,) = seen
    return answer


def test_the_code_of_an_abandoned_search_outlives_its_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """After Ctrl-C one thread gives up while others still run that code; without it the process would crash."""
    assert survives(kept=True, monkeypatch=monkeypatch)


def test_code_that_nothing_keeps_is_gone_with_an_abandoned_search(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not survives(kept=False, monkeypatch=monkeypatch)
