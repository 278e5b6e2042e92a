"""The cause of a refutation in a sentence or two: what waits, and the last wake-up that it missed.

This module knows no NVMe. A property says in which ways something can wait for ever (`Wait`), and at which steps a
wake-up could come and does not (`Miss`); the words are the model's. The steps, numbers and values are the run's.
"""

from __future__ import annotations

import re
from dataclasses import field
from functools import cached_property

from uncork.core.causes.run import Run, listed
from uncork.core.evaluate import holds
from uncork.core.expr import Expr, conjuncts, variables
from uncork.core.frozen import frozen
from uncork.core.property import Always, InRange, NotForever, Property
from uncork.core.sorts import plain
from uncork.core.system import System
from uncork.core.trace import Trace


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
            strays = [f"{name} becomes {plain(run.end[name])}" for name in system.strays(run.end)]
            return Cause(f"{_last(run)} {listed(strays)}, which is out of range.")


def _last(run: Run) -> str:
    """The step that breaks an invariant: the last one."""
    if not run.steps:
        return "It is so in the first state."
    step = run.steps[-1]
    told = step.action.told.on(step.before)
    return f"At step {step.number} the {step.action.actor.strip()} does what breaks it: {told}."


def _waits(run: Run, name: str, condition: Expr) -> str:
    """Since when a condition holds, which steps would end it, and who last wrote what those lack."""
    since = run.since(condition) or 0
    begins = f"at step {since}" if since else "in the first state"
    needs = []
    for lacks, families in _lacking(run, condition).items():
        wrote = {v: [step.number for step in run.steps if step.before[v] != step.after[v]] for v in lacks}
        last = [f"{v} ({f'last written at step {n[-1]}' if n else 'never written'})" for v, n in wrote.items()]
        needs.append(f"{listed(families)} need{'s' * (len(families) == 1)} {listed(last)}")
    ends = f" To end it, {'; '.join(needs)}." if needs else ""
    return f"The wait of {name} begins {begins}, and no later step of the run ends it.{ends}"


def _lacking(run: Run, condition: Expr) -> dict[tuple[str, ...], list[str]]:
    """The variables that keep disabled throughout the loop what changes the condition, with the families of that."""
    awaited = {str(v.value) for v in variables(condition)}
    loop = run.trace.states[run.trace.loop or 0 :]
    found: dict[tuple[str, ...], list[str]] = {}
    for action in run.system.actions:
        if action.fair and awaited & action.updates.keys():
            never = [part for part in conjuncts(action.guard) if not any(holds(part, state) for state in loop)]
            lacks = tuple(str(v.value) for part in never[:1] for v in variables(part) if v.value not in awaited)
            if lacks and action.family not in found.setdefault(lacks, []):
                found[lacks].append(action.family)
    return found


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:] + "." * (not words.endswith("."))
