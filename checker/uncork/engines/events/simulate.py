"""Simulates a timed system from a seed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from uncork.core.questions.timed import Timed
from uncork.engines.events import loops
from uncork.engines.events.code import Code, clocks

_CHUNK = 1 << 18  # steps between two looks at the time, and for Ctrl-C: a fraction of a second
_ROOM = 1 << 17  # latencies of a span that are kept


class OutOfRange(Exception):
    """The run cannot be measured: an action takes a variable out of its range (the system is unsafe), or time stops."""


@dataclass(frozen=True)
class Measured:
    """The measurements of one run, from the time `warm` to `end`, in the time unit of the system.

    - `taken`: how often each action was taken, by name.
    - `averages`: the averages over time, by name.
    - `latencies`: the latencies of the spans that ended, by span; a random sample if there are more than 131,072.
    - `worst`: the longest latency of each span.
    - `waiting`: for each span still open at the end, how long it has been open.
    - `stuck`: the time from which no clock ran; None if some clock always ran.
    - `steps`: the number of all steps, those before `warm` included.
    """

    taken: Mapping[str, int]
    averages: Mapping[str, float]
    latencies: Mapping[str, NDArray[np.float64]]
    worst: Mapping[str, float]
    waiting: Mapping[str, float]
    stuck: float | None
    steps: int


class Simulator:
    """A timed system in machine code, which can be run from several seeds."""

    def __init__(self, timed: Timed) -> None:
        self.timed, self.clocks = timed, clocks(timed)
        self.code = Code(timed, self.clocks)
        actions = timed.system.actions
        widest = max(len(clock.outcomes) for clock in self.clocks)
        self._outcomes = np.full((len(self.clocks), widest), -1, np.int64)
        for row, clock in zip(self._outcomes, self.clocks, strict=True):
            row[: len(clock.outcomes)] = clock.outcomes
        self._means = np.array([clock.time.mean for clock in self.clocks])
        self._shapes = np.array([clock.time.shape for clock in self.clocks])
        self._apart = np.array([clock.arrivals.apart if clock.arrivals else 0.0 for clock in self.clocks])
        self._burst = np.array([clock.arrivals.burst if clock.arrivals else 0 for clock in self.clocks], np.int64)
        names = [action.name for action in actions]
        self._since = np.array([[n in span.since for n in names] for span in timed.spans], np.bool_)
        self._until = np.array([[n in span.until for n in names] for span in timed.spans], np.bool_)
        words = (len(self.clocks) + 63) // 64 + (len(actions) + 63) // 64 + len(timed.averages) + len(timed.spans)
        self._seen = np.zeros(words, np.int64)

    def start(self, seed: int) -> Run:
        """A run before its first step. The same seed gives the same run."""
        return Run(self, seed)

    def run(self, seed: int, warm: float, end: float) -> Measured:
        """Runs from time 0 to `end` and measures from `warm` on. Raises `OutOfRange`."""
        started = self.start(seed)
        while started.clock[0] < end:
            before = started.clock[0]
            if started.go(_CHUNK, warm, end) == _CHUNK and started.clock[0] == before:
                raise OutOfRange(
                    f"{self.timed.system.name}: {_CHUNK:,} steps at the time {before:g}, which does not pass"
                )
        return started.measured(warm, end)


class Run:
    """A run in progress: everything that the hot loop changes."""

    def __init__(self, of: Simulator, seed: int) -> None:
        clocks, spans = len(of.clocks), len(of.timed.spans)
        self.of, self.total = of, 0
        self.state = np.array(of.code.layout.pack(of.timed.system.initial), np.uint64)
        self.clock = np.array([0.0, np.inf])
        self.taken = np.zeros(len(of.timed.system.actions), np.int64)
        self._due, self._arrival, self._left = np.full(clocks, np.inf), np.zeros(clocks), np.zeros(clocks, np.int64)
        self._begun, self._ended = np.full(spans, -2.0), np.zeros(spans, np.int64)
        self._latencies, self._worst = np.zeros((spans, _ROOM)), np.zeros(spans)
        self._sums = np.zeros(len(of.timed.averages))
        loops.seed(seed)

    def go(self, steps: int, warm: float, end: float) -> int:
        """Takes at most `steps` steps and returns how many: fewer if it reaches `end`. Raises `OutOfRange`."""
        of, system = self.of, self.of.timed.system
        since, until = (each.reshape(len(self._begun), len(system.actions)) for each in (of._since, of._until))
        done = loops.run(
            of.code.look, np.array(of.code.steps, np.int64), self.state, of._seen, self._due, of._outcomes, of._means,
            of._shapes, of._apart, of._burst, self._arrival, self._left, since, until, self._begun, self._latencies,
            self._ended, self._worst, self.taken, self._sums, self.clock, warm, end, steps,
        )  # fmt: skip
        if done < 0:
            raise OutOfRange(f"{system.name}: {system.actions[-1 - done].name} takes a variable out of its range")
        self.total += done
        return int(done)

    def measured(self, warm: float, end: float) -> Measured:
        """The measurements of the run so far."""
        timed = self.of.timed
        names = [span.name for span in timed.spans]
        return Measured(
            {action.name: int(n) for action, n in zip(timed.system.actions, self.taken, strict=True)},
            {name: float(value) / (end - warm) for name, value in zip(timed.averages, self._sums, strict=True)},
            {name: self._latencies[k, : min(self._ended[k], _ROOM)] for k, name in enumerate(names)},
            {name: float(worst) for name, worst in zip(names, self._worst, strict=True)},
            {name: end - float(at) for name, at in zip(names, self._begun, strict=True) if at >= 0},
            float(self.clock[1]) if np.isfinite(self.clock[1]) else None,
            self.total,
        )


def seeds(seed: int, runs: int) -> list[int]:
    """One seed for each of `runs` runs, statistically independent of the seeds derived from another `seed`."""
    return [int(each) for each in np.random.SeedSequence(seed).generate_state(runs)]
