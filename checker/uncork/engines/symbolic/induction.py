"""Induction: Z3 proves that what holds at first, and is kept by every step, holds always. It never refutes.

What is kept is looked for in this order: facts that are given as data, and the properties themselves; a property that
is kept by k steps in a row (Sheeran, Singh, Stalmarck: Checking Safety Properties Using Induction and a SAT-Solver,
FMCAD 2000); and what Spacer suggests. None of it is trusted. Liveness is made safety first.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import z3

from uncork.core.evaluate import holds
from uncork.core.expr import Expr
from uncork.core.property import Always, Cover, InRange, NotForever, Property
from uncork.core.system import System
from uncork.core.verdict import Open, Proved, Verdict
from uncork.engines import Budget, Outcome, Report, Stop, quiet
from uncork.engines.symbolic.liveness_to_safety import remembered, safe
from uncork.engines.symbolic.solver import Effort, Solver, Spent
from uncork.engines.symbolic.spacer import suggest
from uncork.engines.symbolic.unroll import Unrolling, interleaving

EFFORT = 200_000_000
"""Enough for about a minute."""
_STEPS = 4
"""The most steps in a row by which a property may be kept."""


def check(
    system: System,
    properties: Sequence[Property],
    covers: Sequence[Cover] = (),
    budget: Budget | None = None,
    report: Report = quiet,
    *,
    facts: Sequence[Expr] = (),
    effort: int = EFFORT,
) -> Outcome:
    """Proves properties, each for all runs; what it cannot prove is open.

    `facts` are conditions that may help: those that hold at first, and are kept by every step as long as all of them
    hold, are used. Covers are not looked at.
    """
    shared = Effort(budget, effort, report)
    prover, verdicts, stopped = _Prover(system, shared), list[Verdict](), None
    try:
        prover.learn([*facts, *(p.condition for p in properties if isinstance(p, Always))])
        for number, prop in enumerate(properties):
            with shared.share(len(properties) - number):
                verdicts.append(prover.verdict(prop))
        reason = ""
    except Spent as spent:
        reason = str(spent)
    except Stop as stop:
        reason = stopped = str(stop)
    verdicts += [Open(reason, 0)] * (len(properties) - len(verdicts))
    return Outcome("induction", tuple(zip(properties, verdicts, strict=True)), None, 0, 0, 0, shared.seconds, stopped)


class _Prover:
    """Knows facts about the runs of a system that stay in range, and proves more from them."""

    def __init__(self, system: System, effort: Effort) -> None:
        self.system, self.effort = system, effort
        self.facts: list[Expr] = []
        self.in_range: str | None = None

    def learn(self, candidates: Sequence[Expr]) -> None:
        """Takes the greatest set of the candidates that holds at first and is kept by each action.

        Flanagan, Leino: Houdini, an Annotation Assistant for ESC/Java, FME 2001.
        """
        facts = [fact for fact in candidates if fact.op != "const" and holds(fact, self.system.initial)]
        while (lost := self._lost(facts)) is not None:
            facts = [fact for fact, is_lost in zip(facts, lost, strict=True) if not is_lost]
        self.facts = facts

    def _lost(self, facts: Sequence[Expr]) -> list[bool] | None:
        """Which of some facts an action can make false where all of them hold; None if there is no such action."""
        for action in self.system.actions:  # a small question each, which is faster than a large one
            solver = Solver(self.effort)
            step = Unrolling(self.system, solver, [[action]], anywhere=True)
            step.extend()
            solver.add(*(step.holds(fact, 0) for fact in facts))
            lost = [step.holds(~fact, 1) for fact in facts]
            if (model := solver.find(step.terms.any(lost))) is not None:
                return [z3.is_true(model.eval(each, model_completion=True)) for each in lost]
        return None

    def verdict(self, prop: Property) -> Verdict:
        """Proved or open; nothing else is proved where a variable may leave its sort."""
        try:
            if self.in_range is None:
                self.in_range = self.how(None)
            if not self.in_range or isinstance(prop, InRange):
                how = self.in_range
            elif isinstance(prop, Always):
                how = self.how(~prop.condition)
            else:
                how = self._lasting(prop)
        except Spent as spent:
            return Open(str(spent), 0)
        return (
            Proved(how) if how else Open("no invariant found" if self.in_range else "a variable may leave its range", 0)
        )

    def _lasting(self, prop: NotForever) -> str:
        """How it is known that no run violates a property: there is no bad loop, and no bad stuck state."""
        system, told = safe(self.system, prop)
        prover = _Prover(system, self.effort)
        # What every step keeps is kept by these, which do no more to what it reads; and so it is of the saved state.
        prover.facts = [*self.facts, *(remembered(fact) for fact in self.facts)]
        how = prover.how(~told.condition)
        return how and f"no bad loop: {how}"

    def how(self, bad: Expr | None) -> str:
        """How it is known that no run reaches a bad state (None: that no action leads out of range); or nothing."""
        known = f"{len(self.facts)} facts that every step keeps"
        if self._follows(bad):
            return known if self.facts else "no state is bad"
        if steps := self._by_steps(bad):
            return f"{steps}-induction, with {known}"
        return f"an invariant of Spacer's, checked, with {known}" if self._by_spacer(bad) else ""

    def _bad(self, run: Unrolling, bad: Expr | None, index: int) -> Any:
        return run.faults(index) if bad is None else run.holds(bad, index)

    def _anywhere(self) -> tuple[Solver, Unrolling]:
        """A run from any state in which the facts hold."""
        solver = Solver(self.effort)
        run = Unrolling(self.system, solver, interleaving(self.system), anywhere=True)
        solver.add(*(run.holds(fact, 0) for fact in self.facts))
        return solver, run

    @functools.cached_property
    def _here(self) -> tuple[Solver, Unrolling]:
        return self._anywhere()

    def _follows(self, bad: Expr | None) -> bool:
        """Whether the facts alone exclude a bad state.

        It is asked of a state with no step after it: that one follows would hide the states in which none can.
        """
        solver, run = self._here
        return solver.find(self._bad(run, bad, 0)) is None

    def _by_steps(self, bad: Expr | None) -> int:
        """The number of steps in a row that, not being bad, lead to none that is, if runs do not begin with one; or 0.

        Here too, no step follows the state that is asked about.
        """
        first, (solver, run) = Solver(self.effort), self._anywhere()
        start = Unrolling(self.system, first, interleaving(self.system))
        for steps in range(1, _STEPS + 1):
            if first.find(self._bad(start, bad, steps - 1)) is not None:
                return 0
            solver.add(z3.Not(self._bad(run, bad, steps - 1)))
            run.extend()
            start.extend()
            solver.add(*(run.holds(fact, steps) for fact in self.facts))
            if solver.find(self._bad(run, bad, steps)) is None:
                return steps
        return 0

    def _by_spacer(self, bad: Expr | None) -> bool:
        """Whether Spacer suggests an invariant, and it is one: true at first, kept by every step, and never bad."""
        found = suggest(self.system, self.facts, bad, self.effort)
        if found is None:
            return False
        solver, run = self._anywhere()
        found = found.translate(solver.context)
        put = run.terms.put
        if not solver.entails(put(found, run.terms.initial)):
            return False
        solver.add(put(found, run.states[0]))
        if solver.find(self._bad(run, bad, 0)) is not None:
            return False
        run.extend()
        return solver.entails(put(found, run.states[1]))
