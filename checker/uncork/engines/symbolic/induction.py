"""Induction: Z3 proves that a condition holds initially and is kept by every step. The engine never refutes.

An inductive invariant is searched for in this order: the given lemmas and the properties themselves; k-induction
(Sheeran, Singh, Stalmarck: Checking Safety Properties Using Induction and a SAT-Solver, FMCAD 2000); and a suggestion
of Spacer. None of these is trusted without a check. Liveness is reduced to safety first.
"""

from __future__ import annotations

import functools
import itertools
import random
from collections.abc import Iterator, Sequence
from typing import Any

import z3

from uncork.core.evaluate import State, holds
from uncork.core.expr import Expr
from uncork.core.property import Always, Cover, InRange, NotForever, Property
from uncork.core.questions.argument import Lemma
from uncork.core.system import Action, System
from uncork.core.verdict import Open, Proved, Verdict
from uncork.engines import Budget, Outcome, Report, Stop, quiet
from uncork.engines.symbolic.liveness_to_safety import remembered, safe
from uncork.engines.symbolic.solver import Effort, Solver, Spent
from uncork.engines.symbolic.spacer import suggest
from uncork.engines.symbolic.terms import Terms
from uncork.engines.symbolic.unroll import Unrolling, interleaving

EFFORT = 200_000_000
"""The default effort, in units of Z3's rlimit: about a minute."""
_STEPS = 4
"""The greatest k of k-induction."""
_WALK = 1500
"""How many states of a random run a fact has to hold in before Z3 is asked about it."""


def check(
    system: System,
    properties: Sequence[Property],
    covers: Sequence[Cover] = (),
    budget: Budget | None = None,
    report: Report = quiet,
    *,
    lemmas: Sequence[Lemma] = (),
    effort: int = EFFORT,
) -> Outcome:
    """Proves properties for all runs. A property that is not proved is open.

    The greatest subset of the lemmas that holds initially and is inductive is used. Covers are ignored.
    """
    shared = Effort(budget, effort, report)
    prover, verdicts, stopped = _Prover(system, shared), list[Verdict](), None
    try:
        prover.learn(
            [*(lemma.condition for lemma in lemmas), *(p.condition for p in properties if isinstance(p, Always))]
        )
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
    """Proves conditions from facts about the runs of a system that stay in range."""

    def __init__(self, system: System, effort: Effort) -> None:
        self.system, self.effort = system, effort
        self.facts: list[Expr] = []
        self.in_range: str | None = None

    def learn(self, candidates: Sequence[Expr]) -> None:
        """Sets `facts` to the greatest subset of the candidates that holds initially and is kept by every action.

        Flanagan, Leino: Houdini, an Annotation Assistant for ESC/Java, FME 2001.
        """
        facts = [fact for fact in candidates if fact.op != "const"]
        for state in _walk(self.system):
            facts = [fact for fact in facts if holds(fact, state)]
        terms, kept = Terms(self.system, z3.Context()), 0
        for action in itertools.cycle(self.system.actions):
            lost = self._lost(terms, action, facts)
            if lost:
                facts = [fact for fact, is_lost in zip(facts, lost, strict=True) if not is_lost]
            kept = 0 if lost else kept + 1
            if kept == len(self.system.actions):
                break
        self.facts = facts

    def _lost(self, terms: Terms, action: Action, facts: Sequence[Expr]) -> list[bool]:
        """Which facts an action makes false in a state where all hold; an empty list if there is no such state."""
        solver = Solver(self.effort, terms.context)  # one small query for each action is faster than a large query
        values, fit = terms.updates(action)
        solver.add(*terms.inside(terms.now), terms.read(action.guard), fit, *map(terms.read, facts))
        after = [terms.put(terms.read(fact), values) for fact in facts]
        model = solver.find(z3.Not(terms.all(after)))
        return [z3.is_false(model.eval(each, model_completion=True)) for each in after] if model is not None else []

    def verdict(self, prop: Property) -> Verdict:
        """The verdict of a property: proved or open. No property is proved if a variable may leave its sort."""
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
        """How it is proved that a property has no violating loop and no violating stuck state; empty if it is not."""
        system, told = safe(self.system, prop)
        prover = _Prover(system, self.effort)
        # The actions of the new system change the old variables as before, so they keep the facts. The saved state is
        # a state that was reached, so the facts hold of it too.
        prover.facts = [*self.facts, *(remembered(fact) for fact in self.facts)]
        how = prover.how(~told.condition)
        return how and f"no bad loop: {how}"

    def how(self, bad: Expr | None) -> str:
        """How it is proved that no run reaches a bad state (None: leaves a range); empty if it is not proved."""
        known = f"{len(self.facts)} facts that every step keeps"
        if self._follows(bad):
            return known if self.facts else "no state is bad"
        if steps := self._by_steps(bad):
            return f"{steps}-induction, with {known}"
        return f"an invariant of Spacer's, checked, with {known}" if self._by_spacer(bad) else ""

    def _bad(self, run: Unrolling, bad: Expr | None, index: int) -> Any:
        return run.faults(index) if bad is None else run.holds(bad, index)

    def _anywhere(self) -> tuple[Solver, Unrolling]:
        """A solver and a run from an arbitrary state in which the facts hold."""
        solver = Solver(self.effort)
        run = Unrolling(self.system, solver, interleaving(self.system), anywhere=True)
        solver.add(*(run.holds(fact, 0) for fact in self.facts))
        return solver, run

    @functools.cached_property
    def _here(self) -> tuple[Solver, Unrolling]:
        return self._anywhere()

    def _follows(self, bad: Expr | None) -> bool:
        """Whether the facts alone exclude bad states.

        The query is about a state without a step after it; requiring a step would hide states in which none is enabled.
        """
        solver, run = self._here
        return solver.find(self._bad(run, bad, 0)) is None

    def _by_steps(self, bad: Expr | None) -> int:
        """The least k, at most `_STEPS`, for which k-induction proves that no bad state is reachable; 0 if none does.

        As in `_follows`, the run ends with the state that the query is about.
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
        """Whether Spacer suggests a condition that Z3 confirms as an inductive invariant without bad states."""
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


def _walk(system: System) -> Iterator[State]:
    """The first states of a random run, which is the same on every call. The initial state comes first."""
    chosen, state = random.Random(0), system.initial
    for _ in range(_WALK):
        yield state
        enabled = system.enabled(state)
        if not enabled:
            return
        state = system.after(state, chosen.choice(enabled))
        if system.strays(state):
            return
