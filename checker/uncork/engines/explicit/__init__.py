"""The explicit engine: a breadth-first, exact and deterministic search, which decides all properties on one graph."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from uncork.core.expr import Expr
from uncork.core.property import Always, Cover, InRange, NotForever, Property, Repeatedly, Sometimes
from uncork.core.system import System
from uncork.core.trace import Trace, replay
from uncork.core.verdict import Open, Proved, Refuted, Verdict
from uncork.engines import Budget, Outcome, Report, quiet
from uncork.engines.explicit.explore import Graph, code, explore
from uncork.engines.explicit.liveness import Unfolded
from uncork.engines.explicit.reduction import partner, reduce
from uncork.engines.explicit.witness import finite, lasso, renamed

_FEW = 50_000
"""The number of states up to which threads take more time than they save."""


def check(
    system: System,
    properties: Sequence[Property],
    covers: Sequence[Cover] = (),
    budget: Budget | None = None,
    report: Report = quiet,
    reductions: frozenset[str] = frozenset(),
    threads: int = 1,
) -> Outcome:
    """Decides every property by enumerating the reachable states. Every counterexample has been replayed.

    `reductions` is a subset of `engines.REDUCTIONS`; a reduction that is unsound for this system is not used. Traces
    are always runs of the unreduced system, and do not depend on the number of threads. Raises
    `uncork.core.trace.ReplayError` if a counterexample does not replay, which is a defect of this engine.
    """
    started = time.monotonic()
    reduction = reduce(system, properties, covers, reductions)
    conditions: list[Expr] = [p.condition for p in (*properties, *covers) if not isinstance(p, InRange | Repeatedly)]
    native = code(system, conditions, reduction)
    graph = explore(system, native, budget or Budget(), report, reduction, started, threads)
    numbers = {id(condition): k for k, condition in enumerate(conditions)}
    judge = _Judge(graph, [*properties, *covers], numbers)
    judge.find_loops(properties)
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
    """Decides properties on a graph."""

    def __init__(self, graph: Graph, asked: Sequence[Property | Cover], numbers: dict[int, int]) -> None:
        self.graph, self.asked, self.numbers = graph, asked, numbers
        self.unfolded = Unfolded(graph)
        self.known: dict[int, Verdict] = {}
        self._found: dict[int, NDArray[np.int32] | None] = {}  # by id of the property; None: no fair part
        self._seen: dict[int, list[Property | Cover]] = {}

    def find_loops(self, properties: Sequence[Property]) -> None:
        """Finds the fair parts for every `NotForever` property, except for those that a permutation maps to another.

        With several threads, several properties are searched at the same time.
        """
        asked = list[tuple[NotForever, list[NotForever]]]()
        for prop in properties:
            if isinstance(prop, NotForever):
                images = [each for each in self._images(prop) if isinstance(each, NotForever)]
                if not any(image is one for image in images for one, _ in asked):
                    asked.append((prop, images))
        asked.sort(key=lambda each: not each[0].without)  # those with `without` often cover others: `Unfolded.covers`
        crew, _ = self.graph.crew, self.graph.answers  # the crew computes the answers, so a task must not start that
        many = crew.threads if self.graph.count > _FEW else 1
        for first in range(0, len(asked), many):
            together = asked[first : first + many]
            found = crew.all([partial(self._parts, prop, images, asked[:first]) for prop, images in together])
            self._found |= {id(prop): parts for (prop, _), parts in zip(together, found, strict=True)}

    def _parts(
        self, prop: NotForever, images: Sequence[NotForever], before: Sequence[tuple[NotForever, list[NotForever]]]
    ) -> NDArray[np.int32] | None:
        region = self.unfolded.region([self._where(each) for each in images])
        for other, its in before:
            wider = self.unfolded.region([self._where(each) for each in its])
            if self.unfolded.covers(wider, other.without, region, prop.without):
                parts = self._found[id(other)]
                if parts is None:
                    return None
                region &= parts > 0
        found = self.unfolded.fair_parts(region, prop.without)
        return found if found.any() else None

    def verdict(self, prop: Property) -> Verdict:
        """The verdict of a property. If a permutation maps it to a decided property, that verdict is renamed."""
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
        """The images of a property or cover under the permutations of the replicas."""
        if id(of) in self._seen:
            return self._seen[id(of)]
        system, reduction = self.graph.system, self.graph.reduction
        changes = zip(reduction.renamings[1:], reduction.partners[1:], strict=True)
        found = [partner(system, of, change, self.asked, images) for change, images in changes]
        self._seen[id(of)] = [of, *(image for image in found if image is not None)]
        return self._seen[id(of)]

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
                parts = self._found[id(prop)]
                if parts is not None:
                    trace, shortest = lasso(self.unfolded, parts, prop.without)
                    return Refuted(trace, shortest and graph.complete)
        if not graph.complete:
            return Open(graph.stopped or "the search ended early", graph.depth)
        return Proved(f"all {graph.count:,} reachable states" + ("" if graph.reduction.trivial else ", reduced"))

    def reached(self, cover: Cover) -> bool:
        """Whether some run shows a cover, in some order of the replicas."""
        images = self._images(cover)
        if any(self._where(each).any() for each in images if isinstance(each, Sometimes)):
            return True
        steps = {name for each in images if isinstance(each, Repeatedly) for name in each.steps}
        return bool(steps) and self.unfolded.taken_again(frozenset(steps))
