"""Measures the costs of a policy at real sizes by simulating the machine.

`measure(instance, load)` is the public function.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from uncork_nvme.instance import Instance
from uncork_properties import load

from uncork.engines.events.simulate import Measured, Simulator, seeds
from uncork.engines.events.statistics import Mean, mean, percentiles

WARM = 0.1
"""The first part of a run, in which the queues fill and nothing is measured."""


@dataclass(frozen=True)
class Resume:
    """Microseconds from when a corked SQ has room until its worker has a permit.

    Percentiles, each a mean over the runs, and the longest time of all runs.
    """

    p50: Mean
    p95: Mean
    p99: Mean
    most: float


@dataclass(frozen=True)
class Flow:
    """The measured rates of one instance under a load, if no run got stuck.

    Doorbells per completion posted (None if there was none); `elided`: the share of the moves of an index for which no
    doorbell was rung; `corked`: the share of time in which an SQ is corked; `rate`: completions in a second; `resume`
    is None if no SQ was resumed.
    """

    cq_doorbells: Mean | None
    sq_doorbells: Mean | None
    cq_elided: Mean | None
    sq_elided: Mean | None
    corked: Mean
    rate: Mean
    resume: Resume | None


@dataclass(frozen=True)
class Measurement:
    """The result of the runs of one instance under a load.

    `stuck`: for every run that got stuck, the microsecond of its last step; if any run did, there is no `flow`.
    `waiting`: the longest time that an SQ had been waiting at the end of a run, corked although the CQ had room.
    """

    instance: Instance
    load: str
    runs: int
    stuck: tuple[float, ...]
    waiting: float
    flow: Flow | None


def measure(
    instance: Instance, under: load.Load, *, time: float, runs: int, seed: int, spread: float = load.SPREAD
) -> Measurement:
    """Simulates `runs` runs of an instance of `time` microseconds each. Different seeds share no runs.

    Raises `engines.events.simulate.OutOfRange` if a variable leaves its range.
    """
    simulator = Simulator(load.timed(instance.machine, instance.system, under, spread))
    found = [simulator.run(each, time * WARM, time) for each in seeds(seed, runs)]
    stuck = tuple(each.stuck for each in found if each.stuck is not None)
    waiting = max((value for each in found for value in each.waiting.values()), default=0.0)
    return Measurement(instance, under.name, runs, stuck, waiting, None if stuck else _flow(found, time * (1 - WARM)))


def _flow(found: Sequence[Measured], time: float) -> Flow:
    def often(*families: str) -> list[int]:
        return [load.total(each.taken, *families) for each in found]

    posts, rings, bells = often("post", "post_queued"), often("ring_cq"), often("ring_sq")
    return Flow(
        _ratio(rings, posts),
        _ratio(bells, posts),
        _elided(rings, often("publish")),
        _elided(bells, often("submit")),
        mean([sum(each.averages.values()) / max(len(each.averages), 1) for each in found]),
        mean([number / time * 1e6 for number in posts]),
        _resume(found),
    )


def _ratio(numbers: Sequence[int], of: Sequence[int]) -> Mean | None:
    return mean([n / d for n, d in zip(numbers, of, strict=True)]) if all(of) else None


def _elided(rings: Sequence[int], moves: Sequence[int]) -> Mean | None:
    # a run may begin or end between a move and its ring
    rung = _ratio([min(ring, moved) for ring, moved in zip(rings, moves, strict=True)], moves)
    return rung and Mean(1 - rung.value, rung.half)


def _resume(found: Sequence[Measured]) -> Resume | None:
    asked = percentiles([list(each.latencies.values()) for each in found], 50, 95, 99)
    if asked is None:
        return None
    p50, p95, p99 = asked
    return Resume(p50, p95, p99, max(worst for each in found for worst in each.worst.values()))
