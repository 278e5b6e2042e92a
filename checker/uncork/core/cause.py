"""The cause of a refutation in a sentence or two: what waits, and the last wake-up that it missed.

This module knows no NVMe. A property says in which ways something can wait for ever (`Wait`), and at which steps a
wake-up could come and does not (`Miss`); the words are the model's. The steps, numbers and values are the run's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import field
from functools import cached_property

from uncork.core.evaluate import State, evaluate, holds
from uncork.core.expr import Expr, conjuncts, variables
from uncork.core.frozen import frozen
from uncork.core.property import Always, InRange, NotForever, Property
from uncork.core.sorts import Value, plain
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


@frozen
class Miss:
    """Steps at which a wake-up could come and does not: the families, what holds before and after, and the words.

    `about`: only steps that were made of this record. `tells` gives no words for a step that misses nothing after all.
    """

    families: tuple[str, ...]
    tells: Callable[[Run, Step], str]
    before: Expr | None = None
    after: Expr | None = None
    about: Record | None = None

    def fits(self, step: Step) -> bool:
        """Whether the step is such a miss."""
        return (
            step.action.family in self.families
            and (self.about is None or step.action.about(self.about))
            and (self.before is None or holds(self.before, step.before))
            and (self.after is None or holds(self.after, step.after))
        )


@frozen
class Wait:
    """A way to wait for ever: the condition that holds meanwhile, and the wake-ups that can be missed.

    `tells` says how it waits, given the step since which the condition holds (0: from the first), and the miss; nothing
    if this is not how it waits in this run.
    """

    holds: Expr
    tells: Callable[[Run, int, Step | None], str]
    misses: tuple[Miss, ...] = ()

    def cause(self, run: Run) -> str:
        """The last miss of the run, and how it waits; nothing if it does not wait so to the end."""
        since = run.since(self.holds)
        if since is None:
            return ""
        step, missed = next(self._missed(run), (None, ""))
        how = self.tells(run, since, step)
        if not how or (self.misses and step is None):
            return ""
        return f"{missed} {how}".strip()

    def _missed(self, run: Run) -> Iterator[tuple[Step, str]]:
        """The misses of a run, the last first, each in words."""
        for step in reversed(run.steps):
            for miss in self.misses:
                if miss.fits(step) and (told := miss.tells(run, step)):
                    yield step, told


@frozen
class Cause:
    """Why a run refutes a property. `general`: the model has no words for it, so these are the general ones."""

    text: str
    general: bool = field(default=False)

    @cached_property
    def steps(self) -> tuple[int, ...]:
        """The numbers of the steps that the text names, in order."""
        lists = re.findall(r"\bsteps? ((?:\d+(?:, | and )?)+)", self.text)
        return tuple(sorted({int(number) for each in lists for number in re.findall(r"\d+", each)}))


def cause(system: System, prop: Property, trace: Trace) -> Cause:
    """The cause of a refutation; `trace` has to refute `prop`."""
    run = Run(system, trace)
    match prop:
        case NotForever():
            told = next(filter(None, (wait.cause(run) for wait in prop.waits())), "")
            return Cause(told) if told else Cause(_waits(run, prop.name, prop.condition), general=True)
        case Always():
            told = prop.cause(run)
            return Cause(told) if told else Cause(f"{_last(run)} {_sentence(prop.blame.on(run.end))}", general=True)
        case InRange():
            strays = [f"{name} to {plain(run.end[name])}" for name in system.strays(run.end)]
            return Cause(f"{_last(run)} It takes {listed(strays)}, out of range.")


def _last(run: Run) -> str:
    """The step that breaks an invariant: the last one."""
    if not run.steps:
        return "It is so in the first state."
    step = run.steps[-1]
    told = step.action.told.on(step.before)
    return f"At step {step.number} the {step.action.actor} does what breaks it: {told}."


def _waits(run: Run, name: str, condition: Expr) -> str:
    """Since when a condition holds, which steps would end it, and who last wrote what those lack."""
    since = run.since(condition) or 0
    lacks = _lacking(run, condition)
    lines = []
    for variable, actions in lacks.items():
        wrote = [step.number for step in run.steps if step.before[variable] != step.after[variable]]
        last = f"last written at step {wrote[-1]}" if wrote else "never written"
        lines.append(f"{variable} for {listed(actions)} ({last})")
    ends = f" What ends it lacks {listed(lines)}." if lines else ""
    return f"{name} waits {_from(since)}: no later step of the run ends it.{ends}"


def _lacking(run: Run, condition: Expr) -> dict[str, list[str]]:
    """The variables that keep disabled throughout the loop what changes the condition, each with those families."""
    awaited = {str(v.value) for v in variables(condition)}
    loop = run.trace.states[run.trace.loop or 0 :]
    found: dict[str, list[str]] = {}
    for action in run.system.actions:
        if not action.fair or not awaited & action.updates.keys():
            continue
        never = [part for part in conjuncts(action.guard) if not any(holds(part, state) for state in loop)]
        for variable in {str(v.value) for part in never[:1] for v in variables(part)} - awaited:
            if action.family not in found.setdefault(variable, []):
                found[variable].append(action.family)
    return found


def _from(since: int) -> str:
    return f"from step {since} on" if since else "from the first state on"


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:] + "." * (not words.endswith("."))


def listed(parts: Sequence[str]) -> str:
    """Several things in a sentence: a, b and c."""
    return " and ".join(filter(None, [", ".join(parts[:-1]), *parts[-1:]]))


def at_steps(steps: Sequence[Step]) -> str:
    """Where steps are in the run: at step 12, or at steps 12, 19 and 26; of many, how many, the first and the last."""
    if len(steps) > _NAMED:
        return f"{len(steps)} times, from step {steps[0].number} to step {steps[-1].number}"
    return f"at step{'s' * (len(steps) != 1)} {listed([str(step.number) for step in steps])}"
