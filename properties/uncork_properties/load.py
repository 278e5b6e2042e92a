"""Loads: how long each step of a machine takes, and what is measured as it runs. Times are in microseconds.

A step of guest or device takes 0.1, a doorbell register is a trap and takes 2, a notified worker runs after 1. A
command takes 10 on average (exponential), each worker running one at a time; where completions come from elsewhere,
one comes after another, 2 apart on average.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from uncork.core.system import Action, System
from uncork.core.timed import Case, Span, Time, Timed
from uncork_nvme.machine import SQ, Machine

STEP, TRAP, WAKE, MEDIA, APART = 0.1, 2.0, 1.0, 10.0, 2.0
"""Microseconds: a step, a trap, a worker's wake-up, a command; and how far apart completions from elsewhere come."""


@dataclass(frozen=True)
class Load:
    """A guest's load. `submit`: from a free command slot to the next submit, on average; 0.1 keeps the SQ full.

    `interrupt`: from the first new CQE to the consumer's first look; 0.1 is a guest that polls.
    """

    name: str
    doc: str
    submit: Time
    interrupt: Time


LOADS = {
    load.name: load
    for load in (
        Load("full", "the SQ is kept full; an interrupt of 5 us for the first new CQE", Time(STEP), Time(5.0)),
        Load("polled", "the SQ is kept full; the guest polls its CQ", Time(STEP), Time(STEP)),
        Load(
            "coalesced", "the SQ is kept full; the guest looks 100 us after the first new CQE", Time(STEP), Time(100.0)
        ),
        Load("open", "submits at random, one in 12 us on average; an interrupt of 5 us", Time(12.0, True), Time(5.0)),
    )
}
"""The loads by name."""

_TIMES = {
    **dict.fromkeys(("ring_sq", "ring_cq"), Time(TRAP)),
    **dict.fromkeys(("wake", "poll"), Time(WAKE)),
}
"""The times of steps that take another time than `STEP`, by family."""
_TAKES = ("reserve", "refresh", "cork_saved", "use_grant")
_CORKS = ("cork", "cork_park", "line_up")
_LOOKS = ("consume", "leave_loop")


def timed(m: Machine, system: System, load: Load) -> Timed:
    """A machine under a load, with what is to be measured: who is corked, and how long it takes to resume."""
    times = {duty: _cases(m, actions, load) for duty, actions in system.duties.items()}
    room = m.cq.available + m.cq.freed > 0
    spans = tuple(Span(f"resume {q.label}", _of(system, q, *_CORKS), room, _of(system, q, *_TAKES)) for q in m.sqs)
    return Timed(system, times, {f"corked {q.label}": q.corked for q in m.sqs}, spans)


def _cases(m: Machine, actions: list[Action], load: Load) -> tuple[Case, ...]:
    family = actions[0].family
    if family == "submit":
        return (Case(load.submit),)
    if family in _LOOKS:
        return (Case(load.interrupt, m.cq.consumed == 0), Case(Time(STEP)))
    if family in ("post", "complete"):
        return (Case(Time(MEDIA if m.choices.backend == "in-worker" else APART, exponential=True)),)
    return (Case(_TIMES.get(family, Time(STEP))),)


def _of(system: System, q: SQ, *families: str) -> frozenset[str]:
    """The actions of these families that are about an SQ, whose name stands first in theirs."""
    names = (action.name for action in system.actions if action.family in families)
    return frozenset(name for name in names if name.partition("(")[2].startswith((f"{q.label},", f"{q.label})")))


def total(taken: Mapping[str, int], *families: str) -> int:
    """How many actions of some families were taken, by the counts of each action."""
    return sum(n for name, n in taken.items() if name.partition("(")[0] in families)
