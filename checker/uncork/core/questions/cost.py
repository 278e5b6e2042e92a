"""Costs: the long-run ratio of some steps to others, and the number of steps during a wait.

A cost is a question. The engine answers with a number and a run that attains the number. `recheck` replays the run
and counts its steps without any engine.
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
    """The long-run number of `counted` steps for each `per` step, over runs that take `per` steps infinitely often.

    The rate of a run is the limit of the ratio of the two counts, if the limit exists.
    """

    name: str
    doc: str
    counted: frozenset[str]
    per: frozenset[str]


@frozen
class Wait:
    """The number of `counted` steps taken while `condition` holds without interruption.

    A step counts if it starts in a state where the condition holds. So the step that ends the wait counts, and the step
    that begins the wait does not.
    """

    name: str
    doc: str
    condition: Expr
    counted: frozenset[str]


@frozen
class Extreme:
    """The least or the greatest value of a rate (None: infinite). The loop of `run` has this value.

    `fair`: the loop is fair, so `run` repeats itself and attains the value. If not `fair`, every fair loop is less
    extreme, and fair loops come arbitrarily close. Only a fair run that goes round the loop ever longer between its
    fair steps has the value, as a limit. An infinite value is never `fair`, since its loop takes no `per` step.
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
    """The greatest number of steps that a wait counts (None: infinite). `run` ends with such a wait.

    `run` is None if no reachable state waits. `unending`: some fair run waits for ever, whatever it counts; `hang` is
    such a run. If the number is infinite, `run` loops inside the wait. The loop is `fair` if a fair run can count for
    ever; otherwise every fair run counts finitely many steps, and some fair run counts more than any given bound.
    """

    most: int | None
    unending: bool
    fair: bool
    run: Trace | None
    hang: Trace | None = None


def opened(trace: Trace) -> Trace:
    """The finite trace that goes once round the loop of `trace`, fair or not. Other traces are returned unchanged."""
    if trace.loop is None or trace.stuck:
        return trace
    return Trace((*trace.states, trace.states[trace.loop]), trace.steps)


def counts(trace: Trace, rate: Rate) -> tuple[int, int]:
    """How many steps in the loop of a trace are `counted`, and how many are `per`."""
    loop = trace.steps[trace.stem :]
    return sum(name in rate.counted for name in loop), sum(name in rate.per for name in loop)


def recheck(system: System, asked: Rate | Wait, found: Extreme | Longest) -> None:
    """Checks that the run in `found` is a run of the system and has the claimed value. Raises `ReplayError`.

    A replay cannot show that no other run is more extreme.
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
