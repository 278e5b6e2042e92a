"""Traces as plain values, and `replay`, which checks a trace against the system without any engine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from uncork.core.evaluate import holds
from uncork.core.frozen import frozen
from uncork.core.property import Always, InRange, NotForever, Property
from uncork.core.sorts import Value
from uncork.core.system import Action, Fairness, System

_LAPS = 6
"""How often `followed` repeats a loop at most until the system returns to an earlier state."""


@frozen
class Trace:
    """A run: its states, the names of the actions between them, and the index of the state where its loop starts.

    `loop` is None for a finite run. In a run that loops, the last action leads from the last state back to state
    `loop`, so there are as many steps as states. A *stuck* run stays in its last state for ever, because no fair action
    is enabled there; it has one step fewer than states, and `loop` is its last state.
    """

    states: tuple[Mapping[str, Value], ...]
    steps: tuple[str, ...]
    loop: int | None = None

    @property
    def stuck(self) -> bool:
        """Whether the run ends by staying in its last state for ever."""
        return self.loop is not None and len(self.steps) < len(self.states)

    @property
    def stem(self) -> int:
        """The number of steps before the loop (of all steps, in a finite run)."""
        return len(self.steps) if self.loop is None else self.loop

    def after(self, step: int) -> Mapping[str, Value]:
        """The state after a step, counted from 0. The last step of a loop leads to the state where the loop starts."""
        return self.states[step + 1 if step + 1 < len(self.states) else self.loop or 0]

    @property
    def loop_steps(self) -> int:
        """The number of steps in the loop; 0 for a stuck run and for a finite run."""
        return len(self.steps) - self.stem


class ReplayError(Exception):
    """A trace that is not a run of the system, or does not violate its property. The message says where and why."""


def owed(system: System, trace: Trace) -> Iterable[tuple[list[Action], str]]:
    """For every step that is owed fairness, its outcomes, and its fate in the loop of `trace`.

    The fate is `taken`, `disabled` (enabled nowhere in the loop), `interrupted` (never taken, enabled in some states of
    the loop but not in all) or `starved` (never taken, enabled in all states of the loop).
    """
    assert trace.loop is not None
    loop, taken = trace.states[trace.loop :], set(trace.steps[trace.loop :])
    for actions in system.duties.values():
        if not actions[0].fair:
            continue
        if any(action.name in taken for action in actions):
            yield actions, "taken"
            continue
        enabled = [any(holds(action.guard, state) for action in actions) for state in loop]
        if not any(enabled):
            yield actions, "disabled"
        else:
            yield actions, "starved" if all(enabled) else "interrupted"


def replay(system: System, trace: Trace, prop: Property | None = None) -> None:
    """Checks that `trace` is a run of `system`, that its loop is fair, and that it violates `prop` if given.

    A loop is fair to a strongly fair step if the step is taken or enabled nowhere in the loop. It is fair to a weakly
    fair step if the step is taken or disabled somewhere in the loop. Raises `ReplayError`.
    """
    _follow(system, trace)
    if trace.loop is not None:
        for actions, fate in owed(system, trace):
            if fate == "starved" or (fate == "interrupted" and actions[0].fairness is Fairness.STRONG):
                names = " or ".join(action.name for action in actions)
                raise ReplayError(f"the loop is not fair to {names}: it is enabled there and never taken")
    if prop is not None:
        _violates(system, trace, prop)


def refutes(system: System, trace: Trace, prop: Property) -> bool:
    """Whether a trace replays as a violation of a property; see `replay`."""
    if isinstance(prop, NotForever) and trace.loop is None:
        return False
    try:
        replay(system, trace, prop)
    except ReplayError:
        return False
    return True


def followed(system: System, trace: Trace) -> Trace | None:
    """The run of a system that takes the steps of `trace` and loops or stays where `trace` does; else None.

    The run starts in the system's own first state and has the system's own states.
    """
    states: list[Mapping[str, Value]] = [system.initial]
    for name in trace.steps[: trace.stem] if trace.loop is not None else trace.steps:
        if not _steps(system, states, name):
            return None
    if trace.loop is None or trace.stuck:
        return Trace(tuple(states), trace.steps, None if trace.loop is None else len(states) - 1)
    loop, laps = trace.steps[trace.stem :], [trace.stem]
    for lap in range(1, _LAPS + 1):
        for name in loop:
            if not _steps(system, states, name):
                return None
        back = next((start for start in laps if states[start] == states[-1]), None)
        if back is not None:
            return Trace(tuple(states[:-1]), (*trace.steps[: trace.stem], *loop * lap), back)
        laps.append(len(states) - 1)
    return None


def _steps(system: System, states: list[Mapping[str, Value]], name: str) -> bool:
    """Takes a step from the last state. Returns whether the step is enabled."""
    try:
        action = system.action(name)
    except KeyError:
        return False
    if system.strays(states[-1]) or not holds(action.guard, states[-1]):
        return False
    states.append(system.after(states[-1], action))
    return True


def _follow(system: System, trace: Trace) -> None:
    if not trace.states:
        raise ReplayError("the trace has no state")
    missing = len(trace.states) - len(trace.steps)
    if missing not in ((1,) if trace.loop is None else (0, 1)):
        raise ReplayError(f"{len(trace.steps)} steps do not join {len(trace.states)} states")
    if trace.loop is not None and not 0 <= trace.loop < len(trace.states):
        raise ReplayError(f"the loop starts at state {trace.loop}, which the trace does not have")
    if trace.stuck and trace.loop != len(trace.states) - 1:
        raise ReplayError("a run that stays in its last state has to loop there")
    if dict(trace.states[0]) != system.initial:
        raise ReplayError(
            f"state 0 is not the first state of the system: {_differences(system.initial, trace.states[0])}"
        )
    for number, name in enumerate(trace.steps):
        try:
            action = system.action(name)
        except KeyError:
            raise ReplayError(f"step {number + 1}: the system has no action {name!r}") from None
        before = trace.states[number]
        if strays := system.strays(before):
            raise ReplayError(f"state {number}: {', '.join(strays)} out of range before the last state")
        if not holds(action.guard, before):
            raise ReplayError(f"step {number + 1}: {name} is not enabled")
        claimed = trace.after(number)
        derived = system.after(before, action)
        if derived != dict(claimed):
            raise ReplayError(f"step {number + 1}: {name} leads elsewhere: {_differences(derived, claimed)}")


def _violates(system: System, trace: Trace, prop: Property) -> None:
    last = trace.states[-1]
    if not isinstance(prop, InRange) and (strays := system.strays(last)):
        raise ReplayError(f"the last state is none of the system's: {', '.join(strays)} out of range")
    match prop:
        case InRange():
            if not system.strays(last):
                raise ReplayError("every variable is in range in the last state")
        case Always():
            if holds(prop.condition, last):
                raise ReplayError(f"{prop.name} holds in the last state")
        case NotForever():
            if trace.loop is None:
                raise ReplayError(f"{prop.name} is about what lasts for ever, and the trace ends")
            for number, state in enumerate(trace.states[trace.loop :], trace.loop):
                if not holds(prop.condition, state):
                    raise ReplayError(f"state {number} is in the loop, and {prop.name} is satisfied there")
            if ended := prop.without.intersection(trace.steps[trace.loop :]):
                raise ReplayError(f"the loop takes {', '.join(sorted(ended))}, which satisfies {prop.name}")


def _differences(expected: Mapping[str, Value], found: Mapping[str, Value]) -> str:
    names = [*expected, *(name for name in found if name not in expected)]
    pairs = [(name, expected.get(name), found.get(name)) for name in names if expected.get(name) != found.get(name)]
    return "; ".join(f"{name} is {is_}, and the trace says {says}" for name, is_, says in pairs)
