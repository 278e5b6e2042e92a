"""A run as its cause is told of it: numbered steps, each with its action and the states around it."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from uncork.core.evaluate import State, evaluate, holds
from uncork.core.expr import Expr
from uncork.core.frozen import frozen
from uncork.core.sorts import Value
from uncork.core.system import Action, Record, System
from uncork.core.trace import Trace

_NAMED = 5
"""The most steps of a kind that a sentence names."""


@frozen
class Step:
    """A step of a run: its number, counted from 1, its action, and the states before and after it."""

    number: int
    action: Action
    before: State
    after: State

    def was(self, expression: Expr) -> Value:
        """The value of an expression before the step."""
        return evaluate(expression, self.before)

    def becomes(self, expression: Expr) -> Value:
        """The value of an expression after the step."""
        return evaluate(expression, self.after)

    def changes(self, expression: Expr) -> bool:
        """Whether the step changes the value of an expression."""
        return self.was(expression) != self.becomes(expression)


class Run:
    """A trace of a system: its steps in order, one pass of the loop included."""

    def __init__(self, system: System, trace: Trace) -> None:
        known = {action.name: action for action in system.actions}
        self.system, self.trace = system, trace
        self.steps = [
            Step(number + 1, known[name], trace.states[number], trace.after(number))
            for number, name in enumerate(trace.steps)
        ]

    @property
    def looping(self) -> Sequence[Step]:
        """The steps of the loop; none if the run is finite or stuck."""
        return [] if self.trace.loop is None else self.steps[self.trace.loop :]

    @property
    def end(self) -> State:
        """The state in which a finite or stuck run ends, or the loop starts."""
        return self.trace.states[-1 if self.trace.loop is None else self.trace.loop]

    def since(self, condition: Expr) -> int | None:
        """The number of the step after which a condition holds to the end of the loop; 0: from the first state on.

        None if it does not hold throughout the loop, or there is no loop.
        """
        loop = self.trace.loop
        if loop is None:
            return None
        found = len(self.trace.states)
        while found and holds(condition, self.trace.states[found - 1]):
            found -= 1
        return found if found <= loop else None

    def taken(self, families: Collection[str], about: Record | None = None) -> list[Step]:
        """The steps of these families, in order; only those made of a record, if one is given."""
        return [
            step for step in self.steps if step.action.family in families and (not about or step.action.about(about))
        ]

    def last(
        self, families: Collection[str], about: Record | None = None, before: int | None = None, after: int = 0
    ) -> Step | None:
        """The last such step with a number below `before` and above `after`."""
        found = [s for s in self.taken(families, about) if after < s.number and (before is None or s.number < before)]
        return found[-1] if found else None


def listed(parts: Sequence[str]) -> str:
    """Several things in a sentence: a, b and c."""
    return " and ".join(filter(None, [", ".join(parts[:-1]), *parts[-1:]]))


def at_steps(steps: Sequence[Step]) -> str:
    """Where steps are in the run: at step 12, or at steps 12, 19 and 26; of many, how many, the first and the last."""
    if len(steps) > _NAMED:
        return f"{len(steps)} times, from step {steps[0].number} to step {steps[-1].number}"
    return f"at step{'s' * (len(steps) != 1)} {listed([str(step.number) for step in steps])}"
