"""Constraints for a fair loop in an unrolled run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import z3

from uncork.core.expr import any_of
from uncork.core.property import NotForever
from uncork.core.system import Action, Fairness
from uncork.core.trace import Trace
from uncork.engines.symbolic.unroll import Unrolling


class Lasso:
    """The constraint that the last state of a run equals the state before some step, with a fair loop between them.

    The constraint applies if `exists` is assumed. A strongly fair step is taken in the loop or enabled in none of its
    states. A weakly fair step is taken in the loop or disabled in one of its states.
    """

    def __init__(self, run: Unrolling) -> None:
        self.run, steps = run, len(run.ends) - 1
        self.exists = z3.Bool(f"lasso@{steps}", run.solver.context)
        self.starts = [z3.Bool(f"loop from {step}@{steps}", run.solver.context) for step in range(steps)]
        self.within = [z3.Bool(f"in loop {step}@{steps}", run.solver.context) for step in range(steps)]
        before = z3.BoolVal(False, run.solver.context)
        for step, (starts, within) in enumerate(zip(self.starts, self.within, strict=True)):
            run.solver.add(within == z3.Or(before, starts))
            run.solver.add(z3.Implies(starts, run.same(run.ends[step], run.ends[-1])))
            before = within
        demands = [before, *(self._fair(outcomes) for outcomes in run.system.duties.values() if outcomes[0].fair)]
        run.solver.add(z3.Implies(self.exists, z3.And(*demands)))

    def _fair(self, outcomes: list[Action]) -> Any:
        names, enabled = {action.name for action in outcomes}, any_of(action.guard for action in outcomes)
        paid = [z3.And(within, taken) for within, taken in self._taken(names)]
        idle = [(within, z3.Not(holds)) for within, holds in self._holds(enabled)]
        if outcomes[0].fairness is Fairness.STRONG:
            return z3.Or(*paid, z3.And(*(z3.Implies(within, disabled) for within, disabled in idle)))
        return z3.Or(*paid, *(z3.And(within, disabled) for within, disabled in idle))

    def stays(self, prop: NotForever) -> Any:
        """The condition that the loop violates a property."""
        kept = [z3.Implies(within, holds) for within, holds in self._holds(prop.condition)]
        return z3.And(*kept, *(z3.Not(z3.And(within, taken)) for within, taken in self._taken(prop.without)))

    def _steps(self) -> Iterator[tuple[Any, int, int]]:
        """For each step, whether it is in the loop, and the range of its slots: (within, first, end)."""
        yield from zip(self.within, self.run.ends[:-1], self.run.ends[1:], strict=True)

    def _taken(self, names: frozenset[str] | set[str]) -> Iterator[tuple[Any, Any]]:
        for within, first, last in self._steps():
            for slot in self.run.taken[first:last]:
                yield from ((within, taken) for name, taken in slot.items() if name in names)

    def _holds(self, condition: Any) -> Iterator[tuple[Any, Any]]:
        for within, first, last in self._steps():
            yield from ((within, holds) for holds in self.run.all_holds(condition, range(first, last)))

    def trace(self, model: Any) -> Trace:
        """The run of a model. If its loop takes no action, the run is stuck."""
        states, steps, where = self.run.run(model)
        start = next(k for k, starts in enumerate(self.starts) if z3.is_true(model.eval(starts)))
        loop = where[self.run.ends[start]]
        return Trace(tuple(states if loop == len(steps) else states[:-1]), tuple(steps), loop)
