"""Exact costs of runs, on the complete graph: the extremes of a rate over fair runs, and the longest wait.

*A rate.* The states and steps that a fair run visits infinitely often lie in one fair part (see `liveness`), so the
rate of the run lies between the ratios of the part's simple cycles. Conversely, a fair run can go round the most
extreme cycle of a part ever longer, and take its fair steps in between, which needs a bounded number of steps; in the
limit, the run has the ratio of the cycle. So the extreme over fair runs is the extreme over the cycles of the fair
parts in which `per` steps are taken. A fair *loop* attains the extreme exactly if it consists of edges without slack.
So a fair loop is searched for in the graph of these edges, under the same fairness.

The least cycle ratio (Lawler, 1966) is computed in whole numbers. With the weights q counted - p per, a cycle is
negative exactly if its ratio is less than p/q. Every negative cycle found gives a smaller p/q. When there is none, the
distances are a certificate, which is checked on all edges. The greatest ratio is the least ratio of negated counts.

*A wait.* The longest path through the states where the condition holds, over their strongly connected components. The
wait is infinite if a component takes a counted step. The numbers of the states are a certificate too.

The rotation of rings and dead variables are reduced (`reduction`). Both reductions keep every step by name, so
corresponding runs have the same counts and enabled steps. Replicas are not permuted, since a wait is about one replica.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from fractions import Fraction
from functools import reduce as fold
from operator import or_
from typing import Any

import numpy as np
from numpy.typing import NDArray

from uncork.core.property import Sometimes
from uncork.core.questions.cost import Extreme, Longest, Range, Rate, Wait, recheck
from uncork.core.system import Fairness, System
from uncork.core.trace import Trace
from uncork.engines import Budget, Report, quiet
from uncork.engines.explicit import relax
from uncork.engines.explicit.explore import code, explore
from uncork.engines.explicit.liveness import Unfolded, fair
from uncork.engines.explicit.reduction import reduce
from uncork.engines.explicit.witness import Loops, closed, lasso, stem, take

_REDUCTIONS = frozenset({"rotation", "dead"})

_Steps = list[tuple[int, int]]


class Unfinished(Exception):
    """The graph is not complete, so no cost is known. The message says why."""


class Ledger:
    """The complete graph of a system, which answers questions about costs. The constructor raises `Unfinished`.

    The run of every answer has been rechecked on the system itself.
    """

    def __init__(
        self, system: System, waits: Sequence[Wait] = (), budget: Budget | None = None, report: Report = quiet
    ) -> None:
        conditions = [wait.condition for wait in waits]
        covers = [Sometimes(wait.name, wait.condition) for wait in waits]
        started = time.monotonic()
        reduction = reduce(system, [], covers, _REDUCTIONS)
        native = code(system, conditions, reduction)
        self.system = system
        self.graph = explore(system, native, budget or Budget(), report, reduction, started)
        if not self.graph.complete:
            raise Unfinished(self.graph.stopped or "the search ended early")
        self.unfolded = Unfolded(self.graph)
        self.conditions = {id(wait): number for number, wait in enumerate(waits)}
        everywhere = np.ones(self.graph.count, np.bool_)
        self.fair = self.unfolded.fair_parts(self.unfolded.region([everywhere]), frozenset())
        self.sources = np.repeat(np.arange(self.graph.count, dtype=np.int32), np.diff(self.graph.offsets))

    # -- rates ---------------------------------------------------------------------------------------------------------
    def rate(self, rate: Rate) -> Range | None:
        """The extremes of a rate; None if no fair run takes the steps `per` infinitely often."""
        per = self.unfolded.marked(rate.per)
        inside = self._inside(self.fair)
        taken = np.unique(self.fair[self.sources[inside & per[self.graph.labels]]])
        part = np.where(np.isin(self.fair, taken), self.fair, 0).astype(np.int32)
        if not part.any():
            return None
        counted = self.unfolded.marked(rate.counted)
        least = self._least(part, counted, per, 1)
        greatest = self._endless(part, counted, per) or self._least(part, counted, per, -1)
        for extreme in (least, greatest):
            recheck(self.system, rate, extreme)
        return Range(least, greatest)

    def _inside(self, part: NDArray[np.int32]) -> NDArray[np.bool_]:
        """For each edge, whether both its ends lie in the same part."""
        result: NDArray[np.bool_] = (part[self.sources] == part[self.graph.targets]) & (part[self.sources] > 0)
        return result

    def _least(self, part: NDArray[np.int32], counted: NDArray[np.bool_], per: NDArray[np.bool_], sign: int) -> Extreme:
        """The least ratio of the signed count, with a loop that has this ratio: a fair loop if there is one."""
        graph, ring = self.graph, list[int]()
        by = np.zeros(graph.count, graph.labels.dtype)
        seen, room = np.empty(graph.count, np.int32), np.empty(graph.count, np.int64)
        ratio = Fraction(graph.count + 1)  # more than any cycle has
        arrays = graph.offsets, graph.targets, graph.labels, part
        while True:
            weight = ratio.denominator * sign * counted.astype(np.int64) - ratio.numerator * per.astype(np.int64)
            distance, came = np.zeros(graph.count, np.int64), np.full(graph.count, -1, np.int32)
            active, found = part > 0, list[int]()
            while not found and relax.sweep(*arrays, weight, distance, came, by, active):
                found = room[: relax.rings(came, seen, room)].tolist()
            if not found:
                break
            rings = [_ring(came, int(node)) for node in found]
            ratio, ring = min((_ratio(by[each], counted, per, sign), each) for each in rings)
        value, edges = ratio * sign, weight[graph.labels]
        inside = self._inside(part)
        slack = distance[self.sources] + edges - distance[graph.targets]
        if (slack[inside] < 0).any() or int(np.abs(distance).max()) + int(np.abs(weight).max()) >= 1 << 62:
            raise AssertionError("the distances are no certificate")
        tight = inside & (slack == 0)
        loop = self._fair_loop(tight, part, per)
        if loop is not None:
            return Extreme(value, True, loop)
        first = ring.index(min(ring))
        ring = ring[first:] + ring[:first]
        steps = [(int(by[node]), node) for node in [*ring[1:], ring[0]]]
        return Extreme(value, False, self._round(ring[0], steps))

    def _endless(self, part: NDArray[np.int32], counted: NDArray[np.bool_], per: NDArray[np.bool_]) -> Extreme | None:
        """A loop that takes a counted step and no `per` step, in a part with `per` steps; None if there is none."""
        keep = self._inside(part) & ~per[self.graph.labels]
        apart = self._parts(keep, part > 0, owed=False)
        edges = np.flatnonzero(keep & self._inside(apart) & counted[self.graph.labels])
        return Extreme(None, False, self._through(int(edges[0]), keep)) if edges.size else None

    # -- waits ---------------------------------------------------------------------------------------------------------
    def wait(self, wait: Wait) -> Longest:
        """The longest wait. `wait` must be one of the waits given to the constructor."""
        graph, counted = self.graph, self.unfolded.marked(wait.counted)
        waiting = graph.where(self.conditions[id(wait)])
        fair = self.unfolded.fair_parts(self.unfolded.region([waiting]), frozenset())
        unending = bool(fair.any())
        hang = lasso(self.unfolded, fair, frozenset())[0] if unending else None
        if not waiting.any():
            return Longest(0, False, False, None)
        part = self.unfolded.parts(waiting.copy(), frozenset())
        nodes = np.flatnonzero(part)
        order = nodes[np.argsort(-part[nodes], kind="stable")]
        most = np.zeros(graph.count, np.int64)
        edge = relax.longest(graph.offsets, graph.targets, graph.labels, part, order, counted, most)
        if edge >= 0:
            loop = self._fair_loop(self._inside(fair), fair, counted) if unending else None
            endless = loop or self._through(int(edge), self._inside(part))
            found = Longest(None, unending, loop is not None, endless, hang)
        else:
            onward = np.where(waiting[graph.targets], most[graph.targets], 0) + counted[graph.labels]
            if (most[self.sources] < onward)[waiting[self.sources]].any():
                raise AssertionError("the numbers are no certificate")
            found = Longest(int(most.max()), unending, False, self._spent(waiting, most, onward), hang)
        recheck(self.system, wait, found)
        return found

    def _spent(self, waiting: NDArray[np.bool_], most: NDArray[np.int64], onward: NDArray[np.int64]) -> Trace:
        """A run to the first state with the greatest number, and on until all its steps are counted."""
        graph, start = self.graph, int(np.argmax(np.where(waiting, most, -1)))
        names, states = stem(graph, start, 0)
        came: dict[int, tuple[int, int] | None] = {start: None}
        queue, last, rest = deque([start]), start, int(most[start])
        while queue and rest:
            node = queue.popleft()
            for edge in range(int(graph.offsets[node]), int(graph.offsets[node + 1])):
                target = int(graph.targets[edge])
                if most[node] != onward[edge] or target in came:
                    continue
                came[target] = node, int(graph.labels[edge])
                if not waiting[target] or most[target] == 0:
                    last, queue = target, deque()
                    break
                queue.append(target)
        way: list[int] = []
        while (before := came[last]) is not None:
            way.append(before[1])
            last = before[0]
        for action in reversed(way):
            take(self.system, names, states, action)
        return Trace(tuple(states), tuple(names))

    # -- parts of the graph, and loops in them -------------------------------------------------------------------------
    def _parts(self, keep: NDArray[np.bool_], alive: NDArray[np.bool_], *, owed: bool) -> NDArray[np.int32]:
        """The parts (fair parts, if fairness is `owed`) over the edges in `keep`. All edges still count as enabled."""
        graph, system = self.graph, self.system
        actions = len(system.actions)
        labels = np.where(keep, graph.labels, graph.labels.astype(np.uint16) + np.uint16(actions)).astype(np.uint16)
        forbidden = np.repeat([[False, True]], actions, axis=1)
        numbers = {duty: n for n, duty in enumerate(d for d, of in system.duties.items() if owed and of[0].fair)}
        duties = np.array([[numbers.get(action.duty, -1) for action in system.actions] * 2], np.int64)
        weak = np.array([system.duties[duty][0].fairness is Fairness.WEAK for duty in numbers], np.bool_)
        arrays = (graph.bases, graph.nears, graph.targets, labels, np.zeros((1, 2 * actions), np.int64))
        return fair(arrays, forbidden, duties, weak, alive.copy())

    def _fair_loop(self, keep: NDArray[np.bool_], among: NDArray[np.int32], wanted: NDArray[np.bool_]) -> Trace | None:
        """A run into the first fair loop over the edges in `keep` that takes a wanted step; None if there is none."""
        parts = self._parts(keep, among > 0, owed=True)
        edges = keep & self._inside(parts) & wanted[self.graph.labels]
        good = np.unique(parts[self.sources[edges]])
        if not good.size:
            return None
        entry = int(np.argmax(np.isin(parts, good)))
        loop, _ = _Wanted(self.unfolded, parts, entry, keep, wanted).find()
        return self._round(entry, loop)

    def _through(self, edge: int, keep: NDArray[np.bool_]) -> Trace:
        """A run with a shortest loop through an edge, over the edges in `keep`."""
        graph, home = self.graph, int(self.sources[edge])
        start = int(graph.targets[edge])
        came: dict[int, tuple[int, int] | None] = {start: None}
        queue = deque([start])
        while home not in came:
            node = queue.popleft()
            for each in range(int(graph.offsets[node]), int(graph.offsets[node + 1])):
                target = int(graph.targets[each])
                if keep[each] and target not in came:
                    came[target] = node, int(graph.labels[each])
                    queue.append(target)
        steps, here = list[tuple[int, int]](), home
        while (before := came[here]) is not None:
            steps.append((before[1], here))
            here = before[0]
        return self._round(home, [(int(graph.labels[edge]), start), *steps[::-1]])

    def _round(self, entry: int, steps: _Steps) -> Trace:
        return closed(self.graph, *stem(self.graph, entry, 0), steps)


class _Wanted(Loops):
    """Fair loops over the edges in `keep` that take a wanted step, which counts as a step owed in every state."""

    def __init__(
        self, unfolded: Unfolded, parts: NDArray[np.int32], entry: int, keep: NDArray[np.bool_], wanted: Any
    ) -> None:
        super().__init__(unfolded, parts, frozenset(), entry)
        self.keep, self.bit = keep, 1 << len(unfolded.graph.system.duties)
        self.strong |= self.bit
        self.pays = [pays | self.bit if wanted[action] else pays for action, pays in enumerate(self.pays)]

    def _look(self, state: int) -> _Steps:
        if state not in self.edges:
            steps, first = self.unfolded.edges(state), int(self.unfolded.graph.offsets[state])
            self.enabled[state] = fold(or_, (self.duty[action] for action, _ in steps), self.bit)
            self.edges[state] = [
                (action, target)
                for number, (action, target) in enumerate(steps, first)
                if self.parts[target] == self.part and self.keep[number]
            ]
        return self.edges[state]


def _ring(came: NDArray[np.int32], node: int) -> list[int]:
    """The cycle of predecessors through a node, in the order of its steps."""
    ring, here = [node], int(came[node])
    while here != node:
        ring.append(here)
        here = int(came[here])
    return ring[::-1]


def _ratio(labels: NDArray[Any], counted: NDArray[np.bool_], per: NDArray[np.bool_], sign: int) -> Fraction:
    return Fraction(sign * int(counted[labels].sum()), int(per[labels].sum()))
