"""Costs: how often steps are taken for each other step in the long run, and how often before a wait ends.

A cost is a question; the engine answers it with a number and a run that shows it. `recheck` replays that run with no
engine in sight and counts anew.
"""

from __future__ import annotations

from fractions import Fraction

from uncork.core.evaluate import holds
from uncork.core.expr import Expr
from uncork.core.frozen import frozen
from uncork.core.system import System
from uncork.core.trace import ReplayError, Trace, replay


@frozen
class Rate:
    """Steps `counted` for each of the steps `per`, in the long run, where the latter are taken again and again.

    Of a run this is the limit of one number by the other, where there is one.
    """

    name: str
    doc: str
    counted: frozenset[str]
    per: frozenset[str]


@frozen
class Wait:
    """Steps `counted` while a condition holds without a break: those that are taken where it holds.

    The step that ends the wait counts, the one that begins it does not.
    """

    name: str
    doc: str
    condition: Expr
    counted: frozenset[str]


@frozen
class Extreme:
    """The least or the greatest value of a rate; None is infinite. The loop of `run` has it.

    `fair`: that loop is fair, so the run is one that has this value and repeats itself. Otherwise every fair loop is
    less extreme; fair loops come as near as one likes, and a fair run that goes round the loop ever longer before it
    does what fairness asks has the value in the limit. (An infinite value is always of that kind: the loop takes none
    of the steps `per`.)
    """

    value: Fraction | None
    fair: bool
    run: Trace


@frozen
class Range:
    """The least and the greatest value of a rate over all fair runs."""

    least: Extreme
    greatest: Extreme


@frozen
class Longest:
    """The most steps that a wait counts; None is infinite. `run` ends with such a wait; there is none without a wait.

    `unending`: some fair run waits for ever, whatever it counts; `hang` is one. If the number is infinite, `run` loops
    in the wait: `fair` if that loop is fair, so that a fair run counts for ever; otherwise one counts as often as one
    likes.
    """

    most: int | None
    unending: bool
    fair: bool
    run: Trace | None
    hang: Trace | None = None


def opened(trace: Trace) -> Trace:
    """A looping trace as a finite one: once round, whether that is fair or not."""
    if trace.loop is None or trace.stuck:
        return trace
    return Trace((*trace.states, trace.states[trace.loop]), trace.steps)


def counts(trace: Trace, rate: Rate) -> tuple[int, int]:
    """How often the loop of a trace takes the steps `counted`, and the steps `per`."""
    loop = trace.steps[trace.stem :]
    return sum(name in rate.counted for name in loop), sum(name in rate.per for name in loop)


def recheck(system: System, asked: Rate | Wait, found: Extreme | Longest) -> None:
    """Checks that the run is one of the system and has the value claimed; that nothing is more extreme, it cannot tell.

    Raises `ReplayError`.
    """
    if isinstance(asked, Rate):
        assert isinstance(found, Extreme)
        _recheck_rate(system, asked, found)
    elif isinstance(found, Longest) and found.run is not None:
        _recheck_wait(system, asked, found, found.run)
        _recheck_hang(system, asked, found)


def _recheck_rate(system: System, rate: Rate, found: Extreme) -> None:
    if found.run.loop is None:
        raise ReplayError(f"{rate.name} is about the long run, and the trace ends")
    replay(system, found.run if found.fair else opened(found.run))
    counted, per = counts(found.run, rate)
    has = Fraction(counted, per) if per else None
    if has != found.value or not (counted or per):
        raise ReplayError(f"{rate.name}: the loop has {counted} for {per}, and not {found.value}")


def _recheck_wait(system: System, wait: Wait, found: Longest, run: Trace) -> None:
    if found.most is None:
        if run.loop is None:
            raise ReplayError(f"{wait.name}: no loop shows that it is infinite")
        replay(system, run if found.fair else opened(run))
        if not all(holds(wait.condition, state) for state in run.states[run.loop :]):
            raise ReplayError(f"{wait.name}: the wait ends in the loop")
        if not any(name in wait.counted for name in run.steps[run.loop :]):
            raise ReplayError(f"{wait.name}: the loop takes none of what is counted")
        return
    replay(system, run)
    waits, here, most = [holds(wait.condition, state) for state in run.states], 0, 0
    for number, name in enumerate(run.steps):
        here = here + (name in wait.counted) if waits[number] else 0
        most = max(most, here)
    if most != found.most or not any(waits):
        raise ReplayError(f"{wait.name}: the run has {most}, and not {found.most}")


def _recheck_hang(system: System, wait: Wait, found: Longest) -> None:
    if found.unending != (found.hang is not None):
        raise ReplayError(f"{wait.name}: whether it may never end is claimed and not shown, or shown and not claimed")
    if found.hang is None:
        return
    if found.hang.loop is None:
        raise ReplayError(f"{wait.name}: the run that waits for ever ends")
    replay(system, found.hang)
    if not all(holds(wait.condition, state) for state in found.hang.states[found.hang.loop :]):
        raise ReplayError(f"{wait.name}: the wait ends in the loop")
