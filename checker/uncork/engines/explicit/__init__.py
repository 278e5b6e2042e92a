"""The explicit engine: breadth-first, exact, deterministic; explores once and asks every property of the same graph."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from uncork.core.expr import Expr
from uncork.core.property import Always, InRange, NotForever, Property, Sometimes
from uncork.core.system import System
from uncork.core.trace import replay
from uncork.core.verdict import Open, Proved, Refuted, Verdict
from uncork.engines import Budget, Outcome, Report, quiet
from uncork.engines.explicit.explore import Graph, explore
from uncork.engines.explicit.liveness import fair_states
from uncork.engines.explicit.native import Native
from uncork.engines.explicit.witness import finite, lasso


def check(
    system: System,
    properties: Sequence[Property],
    covers: Sequence[Sometimes] = (),
    budget: Budget | None = None,
    report: Report = quiet,
) -> Outcome:
    """Decides every property by enumerating the reachable states; each counterexample has been replayed.

    Raises `uncork.core.trace.ReplayError` if one does not replay: a defect of this engine, never of the system.
    """
    started = time.monotonic()
    conditions: list[Expr] = [p.condition for p in (*properties, *covers) if not isinstance(p, InRange)]
    native = Native(system, conditions)
    graph = explore(system, native, budget or Budget(), report)
    number = {id(condition): k for k, condition in enumerate(conditions)}
    verdicts = tuple((prop, _decide(graph, prop, number)) for prop in properties)
    unreached = tuple(c.name for c in covers if not graph.where(number[id(c.condition)]).any())
    return Outcome(
        engine="explicit",
        verdicts=verdicts,
        unreached=unreached if graph.complete else None,
        states=graph.count,
        transitions=len(graph.targets),
        depth=graph.depth,
        seconds=time.monotonic() - started,
        stopped=graph.stopped if graph.interrupted else None,
    )


def _decide(graph: Graph, prop: Property, number: dict[int, int]) -> Verdict:
    trace, shortest = None, True
    match prop:
        case InRange():
            if graph.fault:
                trace = finite(graph, *graph.fault)
        case Always():
            bad = np.flatnonzero(~graph.where(number[id(prop.condition)]))
            if len(bad):
                trace = finite(graph, int(bad[0]))
        case NotForever():
            parts = fair_states(graph, graph.where(number[id(prop.condition)]), prop.without)
            if (parts >= 0).any():
                trace, shortest = lasso(graph, parts, prop.without)
                shortest = shortest and graph.complete
    if trace is not None:
        replay(graph.system, trace, prop)
        return Refuted(trace, shortest)
    if not graph.complete:
        return Open(graph.stopped or "the search ended early", graph.depth)
    return Proved(f"all {graph.count:,} reachable states")
