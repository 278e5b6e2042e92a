"""Breadth-first exploration of all reachable states into one graph on arrays."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from uncork.core.expr import Expr
from uncork.core.system import System
from uncork.engines import Budget, Progress, Report, Stop
from uncork.engines.explicit import kernel
from uncork.engines.explicit.native import Native
from uncork.engines.explicit.reduction import Reduction, none, permuted

_BATCH = 16  # states whose successors are looked up together
_CHUNK = 1 << 16  # states expanded between two looks at the clock: a few hundredths of a second


@dataclass
class Graph:
    """The states found, numbered in breadth-first order, and the steps between them.

    `states` (count x words, u64) are packed; `parents` (i32) is the state that each was first reached from, -1 for the
    first; the edges of state i are `targets` (i32) and `labels` (index of the action) at `offsets[i] .. offsets[i +
    1]`. Where replicas are permuted, `turns` (u8) is the permutation that made each edge's target canonical, and
    `turned` that of the first state. The first `expanded` states have all their edges; `levels[d]` is the number of
    states at depth d or less (all of them: later levels may be unfinished). `fault` is a state and an action that
    leads out of a variable's sort; `stopped` is why the search ended early.
    """

    system: System
    native: Native
    states: NDArray[np.uint64]
    parents: NDArray[np.int32]
    offsets: NDArray[np.int64]
    targets: NDArray[np.int32]
    labels: NDArray[np.unsignedinteger[Any]]
    turns: NDArray[np.uint8]
    turned: int
    reduction: Reduction
    expanded: int
    levels: list[int]
    fault: tuple[int, int] | None = None
    stopped: str | None = None
    interrupted: bool = False

    @property
    def count(self) -> int:
        """The number of states."""
        return len(self.states)

    @property
    def complete(self) -> bool:
        """Whether every reachable state is here with all its steps."""
        return self.expanded == self.count and self.fault is None

    @property
    def depth(self) -> int:
        """The greatest depth whose states were all found."""
        return len(self.levels) - 1

    def path(self, index: int) -> list[tuple[int, int]]:
        """A shortest way from the first state to a state: (action, permutation of the target) for each step."""
        steps: list[tuple[int, int]] = []
        while (parent := int(self.parents[index])) >= 0:
            start = int(self.offsets[parent])
            edge = start + int(np.argmax(self.targets[start : self.offsets[parent + 1]] == index))
            steps.append((int(self.labels[edge]), int(self.turns[edge]) if self.turns.size else 0))
            index = parent
        return steps[::-1]

    def where(self, predicate: int) -> NDArray[np.bool_]:
        """For each state, whether a predicate of the native code holds."""
        answers: NDArray[np.bool_] = kernel.ask(self.native.predicates[predicate], self.states, self.count)
        return answers


def explore(
    system: System,
    native: Native,
    budget: Budget,
    report: Report,
    reduction: Reduction | None = None,
    started: float | None = None,
) -> Graph:
    """All states reachable in `system` that a reduction tells apart, or as many as the budget allows; deterministic.

    The code's transforms have to be the reduction's: see `transforms`. The budget's time counts from when it `started`
    (`time.monotonic`), or from now.
    """
    search = _Search(system, native, budget, report, reduction or none(system))
    search.started = search.started if started is None else started
    return search.run()


def transforms(system: System, reduction: Reduction) -> list[dict[str, Expr]]:
    """What the native code needs to make states canonical: the normal form, and each permutation but the first."""
    if reduction.trivial:
        return []
    return [reduction.normalise, *(permuted(system, change) for change in reduction.renamings[1:])]


class _Search:
    def __init__(self, system: System, native: Native, budget: Budget, report: Report, reduction: Reduction) -> None:
        self.system, self.native, self.budget, self.report = system, native, budget, report
        self.reduction = reduction
        self.transforms = np.array(native.transforms, np.int64)
        actions, words = len(system.actions), native.layout.words
        self.room = actions * _BATCH
        size = max(1 << 10, 2 * self.room)
        self.states = np.empty((size, words), np.uint64)
        self.parents = np.empty(size, np.int32)
        self.offsets = np.zeros(size + 1, np.int64)
        self.targets = np.empty(4 * size, np.int32)
        self.labels: NDArray[np.unsignedinteger[Any]]
        self.labels = np.empty(4 * size, np.uint8 if actions <= 256 else np.uint16)
        self.turns = np.empty(4 * size if len(reduction.orders) > 1 else 0, np.uint8)
        self.table = np.full(4 << (size - 1).bit_length(), kernel.EMPTY, np.int32)  # a power of two
        self.started = time.monotonic()

    def run(self) -> Graph:
        self.parents[0] = -1
        self.states[0] = self.native.layout.pack(self.system.initial)
        scratch = np.empty((2, self.native.layout.words), np.uint64)
        turned = kernel.canonical(self.transforms, self.states[0], scratch)
        kernel.fill(self.table, self.states, 1)
        batch = (
            np.empty((self.room, self.native.layout.words), np.uint64), np.empty(self.room, np.uint16),
            np.empty(self.room, np.uint8), np.empty(self.room, np.uint64), np.empty(_BATCH, np.int64), scratch,
        )  # fmt: skip
        levels, fault, stopped, interrupted = [1], None, None, False
        first, count, edges = 0, 1, 0
        try:
            while first < count:
                last = min(levels[-1], first + _CHUNK)
                why, first, count, edges, action = kernel.expand(
                    self.native.successors, self.transforms, self.states, self.parents, self.table, self.offsets,
                    self.targets, self.labels, self.turns, batch, first, last, count, edges,
                )  # fmt: skip
                if why == kernel.FAULTED:
                    fault, stopped = (first - 1, action), "a variable left its range"
                    break
                if first == levels[-1] and first < count:
                    levels.append(count)
                seconds = time.monotonic() - self.started
                self.report(Progress(count, edges, len(levels) - 1, count - first, self._bytes(), seconds))
                stopped = self._spent(count, first, seconds)
                if stopped:
                    break
                if why == kernel.FULL:
                    self._grow(count, edges)
        except Stop as stop:
            stopped, interrupted = str(stop), True
        expanded = first if fault is None else fault[0]  # the state at fault lacks a step
        return Graph(
            self.system, self.native, self.states[:count], self.parents[:count], self.offsets[: first + 1],
            self.targets[:edges], self.labels[:edges], self.turns[:edges], turned, self.reduction, expanded, levels,
            fault, stopped, interrupted,
        )  # fmt: skip

    def _bytes(self) -> int:
        arrays = (self.states, self.parents, self.offsets, self.targets, self.labels, self.turns, self.table)
        return sum(array.nbytes for array in arrays)

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

    def _grow(self, count: int, edges: int) -> None:
        if count + self.room > len(self.states):
            size = 2 * len(self.states) + self.room
            self.states = _longer(self.states, size)
            self.parents = _longer(self.parents, size)
            self.offsets = _longer(self.offsets, size + 1)
        if edges + self.room > self.targets.size:
            self.targets = _longer(self.targets, 2 * self.targets.size + self.room)
            self.labels = _longer(self.labels, self.targets.size)
            if self.turns.size:
                self.turns = _longer(self.turns, self.targets.size)
        if 2 * (count + self.room) > self.table.size:
            self.table = np.full(2 * self.table.size, kernel.EMPTY, np.int32)
            kernel.fill(self.table, self.states, count)


def _longer(array: Any, size: int) -> Any:
    """A copy with room for `size` rows; what is beyond the old end is not set."""
    longer = np.empty((size, *array.shape[1:]), array.dtype)
    longer[: len(array)] = array
    return longer
