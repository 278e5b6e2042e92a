"""Simulates a timed system from a seed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from uncork.core.timed import Timed
from uncork.engines.events import loops
from uncork.engines.events.code import Code, clocks

_CHUNK = 1 << 18  # steps between two looks at the time, and for Ctrl-C: a fraction of a second
_ROOM = 1 << 17  # latencies of a span that are kept


class Stray(Exception):
    """An action would take a variable out of its sort: the system is not safe, and there is nothing to measure."""


@dataclass(frozen=True)
class Measured:
    """What one run showed, from the time `warm` to `end`.

    `taken`: how often each action was taken, by name. `averages` over time. `latencies` of each span, in the order in
    which they ended (the first 131,072). `steps`: how many were taken in all.
    """

    taken: Mapping[str, int]
    averages: Mapping[str, float]
    latencies: Mapping[str, NDArray[np.float64]]
    steps: int


class Simulator:
    """A timed system in machine code, to be run from several seeds."""

    def __init__(self, timed: Timed) -> None:
        self.timed, self.clocks = timed, clocks(timed)
        self.code = Code(timed, self.clocks)
        actions = timed.system.actions
        widest = max(len(clock.outcomes) for clock in self.clocks)
        self._outcomes = np.full((len(self.clocks), widest), -1, np.int64)
        for row, clock in zip(self._outcomes, self.clocks, strict=True):
            row[: len(clock.outcomes)] = clock.outcomes
        self._means = np.array([clock.time.mean for clock in self.clocks])
        self._exponential = np.array([clock.time.exponential for clock in self.clocks])
        names = [action.name for action in actions]
        self._since = np.array([[n in span.since for n in names] for span in timed.spans], np.bool_)
        self._until = np.array([[n in span.until for n in names] for span in timed.spans], np.bool_)
        words = (len(self.clocks) + 63) // 64 + (len(actions) + 63) // 64 + len(timed.averages) + len(timed.spans)
        self._seen = np.zeros(words, np.int64)

    def run(self, seed: int, warm: float, end: float) -> Measured:
        """One run; raises `Stray`. The same seed gives the same run."""
        timed, system = self.timed, self.timed.system
        state = np.array(self.code.layout.pack(system.initial), np.uint64)
        due, clock = np.full(len(self.clocks), np.inf), np.zeros(1)
        spans = len(timed.spans)
        begun, latencies, used = np.full(spans, -2.0), np.zeros((spans, _ROOM)), np.zeros(spans, np.int64)
        taken, sums = np.zeros(len(system.actions), np.int64), np.zeros(len(timed.averages))
        steps, total = np.array(self.code.steps, np.int64), 0
        since, until = (each.reshape(spans, len(system.actions)) for each in (self._since, self._until))
        loops.seed(seed)
        while clock[0] < end:
            done = loops.run(
                self.code.look, steps, state, self._seen, due, self._outcomes, self._means, self._exponential,
                since, until, begun, latencies, used, taken, sums, clock, warm, end, _CHUNK,
            )  # fmt: skip
            if done < 0:
                raise Stray(f"{system.name}: {system.actions[-1 - done].name} takes a variable out of its range")
            total += done
        return Measured(
            {action.name: int(n) for action, n in zip(system.actions, taken, strict=True)},
            {name: float(value) / (end - warm) for name, value in zip(timed.averages, sums, strict=True)},
            {span.name: latencies[k, : used[k]] for k, span in enumerate(timed.spans)},
            total,
        )
