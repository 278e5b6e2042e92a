"""Breadth-first exploration of the reachable states, into a graph on arrays."""

from __future__ import annotations

import time
from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from uncork.core.expr import Expr
from uncork.core.system import System
from uncork.engines import Budget, Progress, Report, Stop
from uncork.engines.explicit import kernel
from uncork.engines.explicit.crew import Crew
from uncork.engines.explicit.growing import Growing
from uncork.engines.explicit.native import ASKED, Native
from uncork.engines.explicit.reduction import Reduction, none, permuted

_PART = 1 << 13
"""The number of states that a thread expands at a time, so few that their successors stay in the cache."""
_CHUNK = 1 << 16
"""The number of states expanded between two checks of the budget, which takes a few hundredths of a second."""
_LOAD = 0.7
"""The greatest load factor of the hash table."""


@dataclass
class Graph:
    """The states found, numbered in breadth-first order, and the steps between them.

    - `states` are packed, one row for each (see `Layout`).
    - `targets` and `codes` (action * ways + turn, see `Native`) are the edges. The edges of state i start at
      `bases[i // NEAR] + nears[i]`, and end where the edges of state i + 1 start.
    - `turned` is the permutation that made the first state canonical.
    - `expanded`: the first so many states have all their edges.
    - `levels[d]` is the number of states at depth d or less. Only complete levels are listed.
    - `rounds[k]` is (first, number): the states from `number` on were discovered by the edges of state `first` and on.
    - `fault` is a state, and an action that takes a variable out of its sort there.
    - `stopped` says why the search ended early. `interrupted`: a `Stop` ended the search.
    """

    system: System
    native: Native
    states: NDArray[np.unsignedinteger[Any]]
    bases: NDArray[np.int64]
    nears: NDArray[np.unsignedinteger[Any]]
    targets: NDArray[np.int32]
    codes: NDArray[np.unsignedinteger[Any]]
    turned: int
    reduction: Reduction
    expanded: int
    levels: list[int]
    rounds: list[tuple[int, int]]
    crew: Crew
    fault: tuple[int, int] | None = None
    stopped: str | None = None
    interrupted: bool = False

    @property
    def count(self) -> int:
        """The number of states."""
        return len(self.states)

    @property
    def complete(self) -> bool:
        """Whether the graph has every reachable state with all its edges."""
        return self.expanded == self.count and self.fault is None

    @property
    def depth(self) -> int:
        """The greatest depth at which all states were found."""
        return len(self.levels) - 1

    @cached_property
    def offsets(self) -> NDArray[np.int64]:
        """The index of the first edge of each expanded state, and at last the number of edges; 8 bytes per state."""
        found: NDArray[np.int64] = np.repeat(self.bases, kernel.NEAR)[: len(self.nears)] + self.nears
        return found

    @cached_property
    def labels(self) -> NDArray[np.unsignedinteger[Any]]:
        """The action of each edge."""
        ways = self.native.ways
        return self.codes if ways == 1 else (self.codes // ways).astype(self.codes.dtype)

    def edges(self, state: int) -> list[tuple[int, int, int]]:
        """The edges of a state: (action, permutation that made the target canonical, target)."""
        first, last = (int(self.bases[i // kernel.NEAR]) + int(self.nears[i]) for i in (state, state + 1))
        pairs = zip(self.codes[first:last].tolist(), self.targets[first:last].tolist(), strict=True)
        return [(*divmod(code, self.native.ways), target) for code, target in pairs]

    def path(self, index: int) -> list[tuple[int, int]]:
        """A shortest path from the first state to a state: (action, permutation of the target) for each step."""
        steps: list[tuple[int, int]] = []
        numbered = [first for _, first in self.rounds]
        while index > 0:
            start = self.rounds[bisect_right(numbered, index) - 1][0]
            edge = kernel.edge_to(self.bases, self.nears, self.targets, start, index)
            steps.append(divmod(int(self.codes[edge]), self.native.ways))
            index = kernel.source(self.bases, self.nears, edge)
        return steps[::-1]

    @cached_property
    def answers(self) -> list[NDArray[np.unsignedinteger[Any]]]:
        """The values of the predicates in each state, a bit for each predicate; see `Native`."""
        found, native = list[NDArray[np.unsignedinteger[Any]]](), self.native
        for first, address in enumerate(native.asks):
            asked = min(native.predicates - first * ASKED, ASKED)
            kind = np.uint16 if asked <= 16 else np.uint32 if asked <= 32 else np.uint64
            answers: NDArray[np.unsignedinteger[Any]] = np.empty(self.count, kind)
            parts = range(0, self.count, max(-(-self.count // self.crew.threads), _PART))
            self.crew.all(
                [
                    partial(kernel.ask, address, self.states, answers, start, min(start + parts.step, self.count))
                    for start in parts
                ],
                native,
            )
            found.append(answers)
        return found

    def where(self, predicate: int) -> NDArray[np.bool_]:
        """For each state, whether a predicate holds; `predicate` is its index in the native code."""
        answers = self.answers[predicate // ASKED]
        found: NDArray[np.bool_] = (answers & answers.dtype.type(1 << predicate % ASKED)) != 0
        return found


def explore(
    system: System,
    native: Native,
    budget: Budget,
    report: Report,
    reduction: Reduction | None = None,
    started: float | None = None,
    threads: int = 1,
) -> Graph:
    """The graph of the reachable states of `system`, reduced if a reduction is given; as far as the budget allows.

    The result is deterministic. `native` must be made for the same reduction (see `code`). The time of the budget
    counts from `started` (as given by `time.monotonic`; default: now).
    """
    search = _Search(system, native, budget, report, reduction or none(system), threads)
    search.started = search.started if started is None else started
    return search.run()


def code(system: System, predicates: list[Expr], reduction: Reduction | None = None) -> Native:
    """The machine code of a system, which makes states canonical by the reduction."""
    if reduction is None or reduction.trivial:
        return Native(system, predicates)
    changes = [permuted(system, change) for change in reduction.renamings[1:]]
    return Native(system, predicates, reduction.normalise, changes)


class _Search:
    def __init__(
        self, system: System, native: Native, budget: Budget, report: Report, reduction: Reduction, threads: int
    ) -> None:
        self.system, self.native, self.budget, self.report = system, native, budget, report
        self.reduction, self.crew = reduction, Crew(threads)
        self.actions = len(system.actions)
        codes = self.actions * native.ways
        self.states = Growing(native.layout.row[0], 1 << 10, native.layout.row[1])
        self.bases = Growing(np.int64, 1 << 6)
        self.nears = Growing(np.uint16 if self.actions * kernel.NEAR < 1 << 16 else np.uint32, 1 << 10)
        self.targets = Growing(np.int32, 1 << 12)
        self.codes = Growing(np.uint8 if codes <= 256 else np.uint16, 1 << 12)
        self.table = np.full(1 << 11, kernel.EMPTY, np.uint32)
        self.found = [self._room(1) for _ in range(self.crew.threads)]
        self.started = time.monotonic()

    def run(self) -> Graph:
        first_state = self.native.layout.packed(self.system.initial)
        turned = self.native.made_canonical(first_state)
        self.states.array[0] = first_state
        self.bases.array[0] = self.nears.array[0] = 0
        self._enter_again(1)
        levels, rounds, stopped, interrupted = [1], list[tuple[int, int]](), None, False
        fault = np.full(2, -1, np.int64)
        first, count, edges = 0, 1, 0
        try:
            while first < count:
                last = min(levels[-1], (first // _CHUNK + 1) * _CHUNK)
                rounds.append((first, count))
                count, edges = self._expand(first, last, count, edges, fault)
                if fault[0] >= 0:
                    first, stopped = int(fault[0]) + 1, "a variable left its range"
                    break
                first = last
                if first == levels[-1] and first < count:
                    levels.append(count)
                seconds = time.monotonic() - self.started
                self.report(Progress(count, edges, len(levels) - 1, count - first, self._bytes(), seconds))
                stopped = self._spent(count, first, seconds)
                if stopped:
                    break
        except Stop as stop:
            stopped, interrupted = str(stop), True
        found = (int(fault[0]), int(fault[1])) if fault[0] >= 0 else None
        expanded = first if found is None else found[0]  # the faulty state lacks an edge
        edges = int(self.bases.array[first // kernel.NEAR]) + int(self.nears.array[first])
        return Graph(
            self.system, self.native, self.states.array[:count], self.bases.array[: first // kernel.NEAR + 1],
            self.nears.array[: first + 1], self.targets.array[:edges], self.codes.array[:edges], turned,
            self.reduction, expanded, levels, rounds, self.crew, found, stopped, interrupted,
        )  # fmt: skip

    def _expand(self, first: int, last: int, count: int, edges: int, fault: NDArray[np.int64]) -> tuple[int, int]:
        """Expands the states `first .. last - 1`. Returns the new numbers of states and edges."""
        parts = [(start, min(start + _PART, last)) for start in range(first, last, _PART)]
        for start in range(0, len(parts), self.crew.threads):
            together = parts[start : start + self.crew.threads]
            for k, (begin, end) in enumerate(together):
                if len(self.found[k][4]) <= end - begin:
                    self.found[k] = self._room(end - begin)
            arrays = self.states.array, self.table
            more = self.crew.all(
                [
                    partial(kernel.look, self.native.successors, *arrays, found, *part)
                    for found, part in zip(self.found, together, strict=False)
                ],
                self.native,
            )
            del arrays
            new = sum(int(found[4][-1]) for found, _ in zip(self.found, together, strict=False))
            self._grow(count, new, together[-1][1], edges + sum(more))
            written = self.bases.array, self.nears.array, self.targets.array, self.codes.array
            for found, part in zip(self.found, together, strict=False):
                count = kernel.enter(self.states.array, self.table, written, found, fault, *part, count)
                if fault[0] >= 0:
                    return count, edges
            edges += sum(more)
            del written
        return count, edges

    def _room(self, states: int) -> tuple[NDArray[Any], ...]:
        """Arrays for the results of `look` on `states` states."""
        kind, parts = self.native.layout.row
        most = self.actions * states
        return (
            np.empty((most, parts), kind), np.empty(most, np.uint16), np.empty(most, np.uint32),
            np.empty(most, np.int32), np.zeros(states + 1, np.int64),
        )  # fmt: skip

    def _bytes(self) -> int:
        arrays = (self.states, self.bases, self.nears, self.targets, self.codes)
        return sum(each.bytes for each in arrays) + self.table.nbytes

    def _spent(self, count: int, first: int, seconds: float) -> str | None:
        if first >= count:
            return None
        if self.budget.states is not None and count >= self.budget.states:
            return self.budget.out_of("states")
        if self.budget.seconds is not None and seconds >= self.budget.seconds:
            return self.budget.out_of("seconds")
        if self.budget.memory is not None and self._bytes() >= self.budget.memory:
            return self.budget.out_of("memory")
        return None

    def _grow(self, count: int, new: int, expanded: int, edges: int) -> None:
        """Makes room for `new` more states, for `expanded` expanded states, and for `edges` edges."""
        self.states.grow(count + new)
        self.nears.grow(expanded + 1)
        self.bases.grow(expanded // kernel.NEAR + 1)
        self.targets.grow(edges)
        self.codes.grow(edges)
        if count + new > _LOAD * self.table.size:
            size = max(int((count + new) / _LOAD) + 1, self.table.size * 2)
            self.table = np.empty(0, np.uint32)  # frees the old table before the new one is allocated
            self.table = np.full(size, kernel.EMPTY, np.uint32)
            self._enter_again(count)

    def _enter_again(self, count: int) -> None:
        kernel.fill(self.table, self.states.array, np.empty(64, np.uint32), count)
