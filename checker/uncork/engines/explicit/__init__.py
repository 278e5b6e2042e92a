"""The explicit engine: breadth-first, exact, deterministic; explores once and asks every property of the same graph."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from uncork.core.expr import Expr
from uncork.core.property import Always, Cover, InRange, NotForever, Property, Repeatedly, Sometimes
from uncork.core.system import System
from uncork.core.trace import Trace, replay
from uncork.core.verdict import Open, Proved, Refuted, Verdict
from uncork.engines import Budget, Outcome, Report, quiet
from uncork.engines.explicit.explore import Graph, code, explore
from uncork.engines.explicit.liveness import Meadow
from uncork.engines.explicit.reduction import partner, reduce
from uncork.engines.explicit.witness import finite, lasso, renamed


def check(
    system: System,
    properties: Sequence[Property],
    covers: Sequence[Cover] = (),
    budget: Budget | None = None,
    report: Report = quiet,
    reductions: frozenset[str] = frozenset(),
    threads: int = 1,
) -> Outcome:
    """Decides every property by enumerating the reachable states; each counterexample has been replayed.

    `reductions` are some of `engines.REDUCTIONS`; those that are unsound for this system are not used. Traces are of
    the system itself in any case, and the same whatever the number of threads. Raises `uncork.core.trace.ReplayError` if one does not replay: a defect of this
    engine, never of the system.
    """
    started = time.monotonic()
    reduction = reduce(system, properties, covers, reductions)
    conditions: list[Expr] = [p.condition for p in (*properties, *covers) if not isinstance(p, InRange | Repeatedly)]
    native = code(system, conditions, reduction)
    graph = explore(system, native, budget or Budget(), report, reduction, started, threads)
    numbers = {id(condition): k for k, condition in enumerate(conditions)}
    judge = _Judge(graph, [*properties, *covers], numbers)
    verdicts = tuple((prop, judge.verdict(prop)) for prop in properties)
    return Outcome(
        engine="explicit",
        verdicts=verdicts,
        unreached=tuple(c.name for c in covers if not judge.reached(c)) if graph.complete else None,
        states=graph.count,
        transitions=len(graph.targets),
        depth=graph.depth,
        seconds=time.monotonic() - started,
        stopped=graph.stopped if graph.interrupted else None,
    )


class _Judge:
    """Asks properties of a graph."""

    def __init__(self, graph: Graph, asked: Sequence[Property | Cover], numbers: dict[int, int]) -> None:
        self.graph, self.asked, self.numbers = graph, asked, numbers
        self.meadow = Meadow(graph)
        self.known: dict[int, Verdict] = {}

    def verdict(self, prop: Property) -> Verdict:
        """The verdict of a property; that of one with which it changes places under a permutation is renamed."""
        graph, reduction = self.graph, self.graph.reduction
        images = self._images(prop)
        for order, image in enumerate(images):
            if (known := self.known.get(id(image))) is not None:
                found = known
                if isinstance(known, Refuted):
                    back = reduction.inverse(order)
                    names, states = renamed(graph, back, known.trace.steps, known.trace.states)
                    found = Refuted(Trace(tuple(states), tuple(names), known.trace.loop), known.shortest)
                break
        else:
            found = self._decide(prop, images)
        if isinstance(found, Refuted):
            replay(graph.system, found.trace, prop)
        self.known[id(prop)] = found
        return found

    def _images(self, of: Property | Cover) -> list[Property | Cover]:
        """What a property or cover becomes under each permutation."""
        system, reduction = self.graph.system, self.graph.reduction
        changes = zip(reduction.renamings[1:], reduction.partners[1:], strict=True)
        found = [partner(system, of, change, self.asked, images) for change, images in changes]
        return [of, *(image for image in found if image is not None)]

    def _where(self, prop: Always | NotForever | Sometimes) -> NDArray[np.bool_]:
        return self.graph.where(self.numbers[id(prop.condition)])

    def _decide(self, prop: Property, images: Sequence[Property | Cover]) -> Verdict:
        graph = self.graph
        match prop:
            case InRange():
                if graph.fault:
                    return Refuted(finite(graph, graph.fault[0], 0, graph.fault[1]))
            case Always():
                bad = [np.flatnonzero(~self._where(each)) for each in images if isinstance(each, Always)]
                first = [(int(states[0]), order) for order, states in enumerate(bad) if len(states)]
                if first:
                    return Refuted(finite(graph, *min(first)))
            case NotForever():
                allowed = [self._where(each) for each in images if isinstance(each, NotForever)]
                parts = self.meadow.fair_parts(allowed, prop.without)
                if parts.any():
                    trace, shortest = lasso(self.meadow, parts, prop.without)
                    return Refuted(trace, shortest and graph.complete)
        if not graph.complete:
            return Open(graph.stopped or "the search ended early", graph.depth)
        return Proved(f"all {graph.count:,} reachable states" + ("" if graph.reduction.trivial else ", reduced"))

    def reached(self, cover: Cover) -> bool:
        """Whether some run shows a cover: in one of the orders that its states were put in."""
        images = self._images(cover)
        if any(self._where(each).any() for each in images if isinstance(each, Sometimes)):
            return True
        steps = {name for each in images if isinstance(each, Repeatedly) for name in each.steps}
        return bool(steps) and self.meadow.taken_again(frozenset(steps))
