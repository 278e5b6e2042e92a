"""Loads: how long each step of a machine takes, and what is measured. Times are in microseconds.

A step of guest or device takes 0.1, a doorbell (a trap) takes 2, and a notified worker runs after 1. A command takes 10
on average (exponential), and each worker runs one command at a time. With a separate backend the completions of an SQ
come one after another, 2 apart on average (exponential). All other times are means, too, with a standard deviation of
`SPREAD` means unless another spread is given: with constant times the actors move in lockstep, which no real machine
does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from uncork.core.questions.timed import Arrivals, Case, Span, Time, Timed
from uncork.core.system import Action, System
from uncork_nvme.state.machine import Machine
from uncork_nvme.state.queues import SQ

STEP, TRAP, WAKE, MEDIA, APART = 0.1, 2.0, 1.0, 10.0, 2.0
"""Microseconds of a step, a trap, a worker's wake-up and a command, and between completions of a separate backend."""


SPREAD = 0.5
"""The standard deviation of a time, in means."""


@dataclass(frozen=True)
class Load:
    """A guest's load. `interrupt`: from the first new CQE to the consumer's first look; `STEP` is a guest that polls.

    `arrivals` are the arrivals of each SQ's commands; None keeps the SQ full.
    """

    name: str
    doc: str
    interrupt: float
    arrivals: Arrivals | None = None


LOADS = {
    load.name: load
    for load in (
        Load("full", "the guest keeps the SQ full; an interrupt of 5 us for the first new CQE", 5),
        Load("polled", "the guest keeps the SQ full and polls its CQ", STEP),
        Load("coalesced", "the guest keeps the SQ full and looks 100 us after the first new CQE", 100),
        Load(
            "open", "commands come at random (Poisson), one in 12 us for each SQ; an interrupt of 5 us", 5, Arrivals(12)
        ),
        Load(
            "bursts",
            "64 commands at once, one such burst in 768 us for each SQ, at random; an interrupt of 5 us",
            5,
            Arrivals(768, 64),
        ),
    )
}
"""The loads by name."""

_TIMES = {
    **dict.fromkeys(("ring_sq", "ring_cq"), TRAP),
    **dict.fromkeys(("wake", "poll"), WAKE),
}
"""The mean times of steps that do not take `STEP`, by family."""
_TAKES = ("reserve", "refresh", "cork_saved", "use_grant")
_CORKS = ("cork", "cork_park", "line_up")
_LOOKS = ("consume", "leave_loop")


def timed(m: Machine, system: System, load: Load, spread: float = SPREAD) -> Timed:
    """The machine under a load, with the measured values: the corked SQs, and the time to resume."""
    times = {duty: _cases(m, actions[0], load, spread) for duty, actions in system.duties.items()}
    room = m.cq.available + m.cq.freed > 0
    spans = tuple(Span(f"resume {q.label}", _of(system, q, *_CORKS), room, _of(system, q, *_TAKES)) for q in m.sqs)
    return Timed(system, times, {f"corked {q.label}": q.corked for q in m.sqs}, spans, dict(_arrivals(m, system, load)))


def _cases(m: Machine, action: Action, load: Load, spread: float) -> tuple[Case, ...]:
    if action.family in _LOOKS:
        return Case(Time(load.interrupt, spread), m.cq.consumed == 0), Case(Time(STEP, spread))
    if action.family in ("post", "complete"):
        return (Case(Time(MEDIA if m.choices.backend == "in-worker" else APART, 1)),)
    return (Case(Time(_TIMES.get(action.family, STEP), spread)),)


def _arrivals(m: Machine, system: System, load: Load) -> Iterator[tuple[str, Arrivals]]:
    """The arrivals of each `submit` step: its share of the commands that arrive."""
    for q in m.sqs if load.arrivals else ():
        batches = list(m.batches(q))
        for action in system.actions:
            if load.arrivals and action.family == "submit" and action.about(q):
                _, entries = action.args
                apart = load.arrivals.apart * len(batches) * entries
                yield action.duty, Arrivals(apart, load.arrivals.burst)


def _of(system: System, q: SQ, *families: str) -> frozenset[str]:
    """The actions of these families that are about the SQ."""
    return frozenset(action.name for action in system.actions if action.family in families and action.about(q))


def total(taken: Mapping[str, int], *families: str) -> int:
    """The number of actions of these families in `taken`, which counts each action."""
    return sum(n for name, n in taken.items() if name.partition("(")[0] in families)
